/* dnsd/app/config_join: the operator's files beside a bundle. */
#include "dnsd/app/config_join.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dnsd/app/config_bootstrap.h"
#include "lib/file_sys.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char folder[64];
static char main_path[128], ours_path[128], override_path[128];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/dnsd-test-join-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(main_path, sizeof main_path, "%s/dnsd.yml", folder);
    snprintf(ours_path, sizeof ours_path, "%s/" CONFIG_BOOTSTRAP_FILE, folder);
    snprintf(override_path, sizeof override_path, "%s/override-config.yml", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(main_path);
    unlink(ours_path);
    unlink(override_path);
    return rmdir(folder);
}

static void write_file(const char *path, const char *text)
{
    assert_int_equal(file_replace(path, text, strlen(text), 0600, NULL), ERR_OK);
}

static void expect_text(char *got, const char *expected)
{
    if (expected == NULL) {
        assert_null(got);
    } else {
        assert_string_equal(got, expected);
    }
    free(got);
}

static void the_folder_is_the_operators(void **state)
{
    (void)state;
    expect_text(config_join_tls_dir(main_path), "/var/lib/dnsd/cluster");
    write_file(ours_path, "{\"cluster\": {\"tlsDir\": \"/ours\"}}"); /* does not count */
    expect_text(config_join_tls_dir(main_path), "/var/lib/dnsd/cluster");
    write_file(main_path, "cluster: {tlsDir: /main}");
    expect_text(config_join_tls_dir(main_path), "/main");
    write_file(override_path, "cluster: {tlsDir: REPLACE ME}");
    expect_text(config_join_tls_dir(main_path), "/main");
    write_file(override_path, "cluster: {tlsDir: /override}");
    expect_text(config_join_tls_dir(main_path), "/override");
    write_file(override_path, "cluster: {tlsDir: [/a, /b]}"); /* config_load_with() tells */
    expect_text(config_join_tls_dir(main_path), "/var/lib/dnsd/cluster");
}

static void who_it_is_is_told(void **state)
{
    (void)state;
    expect_text(config_join_core(main_path), NULL);
    write_file(ours_path, "# x\n{\"core\": {\"id\": \"core-b\"}}");
    expect_text(config_join_core(main_path), "core-b");
    write_file(ours_path, "{\"core\": {\"id\": null}}");
    expect_text(config_join_core(main_path), NULL);
    write_file(ours_path, "{");
    expect_text(config_join_core(main_path), NULL);
}

static void what_is_said_otherwise_is_told(void **state)
{
    static const struct {
        const char *domain, *main, *override;
        bool in_main; /* of what is wrong */
        const char *problem;
    } rows[] = {
        {"a.example", "", "", false, NULL},
        {"a.example", "core: {id: core-b}\ndns: {domain: A.example.}",
         "storages: {platform: {engine: rqlite}}", false, NULL},
        {"a.example", "core: {id: REPLACE ME}\nstorages: {platform: {engine: sqlite}}", "", false,
         NULL},
        {"a.example", "core: {id: single}", "", true, ":1: core.id: \"single\" is not the core"},
        {"a.example", "core: {id: single}", "core: {id: core-b}", false, NULL},
        {"a.example", "core: {id: core-b}", "\ncore: {id: CORE-B}", false,
         ":2: core.id: \"CORE-B\" is not the core"},
        {"a.example", "dns: {domain: b.example}", "", true,
         ":1: dns.domain: \"b.example\" is not the domain"},
        {NULL, "", "dns: {domain: b.example}", false,
         ":1: dns.domain: the bundle is of a cluster without a domain"},
        {NULL, "dns: {active: false}", "", false, NULL},
        {"a.example", "", "storages: {platform: {engine: sqlite}}", false,
         ":1: storages.platform.engine: \"sqlite\" cannot be"},
        {"a.example", "core: [", "", false, NULL}, /* config_load_with() tells */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config_problems p = {.count = 0};
        struct bundle b = {.version = 4};
        char expected[256];
        b.node.id = (char *)"core-b";
        b.cluster.domain = (char *)rows[i].domain;
        write_file(main_path, rows[i].main);
        write_file(override_path, rows[i].override);
        enum err e = config_join_check(main_path, &b, &p);
        if (rows[i].problem == NULL) {
            assert_string_equal(p.text.text != NULL ? p.text.text : "", "");
            assert_int_equal(e, ERR_OK);
        } else {
            snprintf(expected, sizeof expected, "%s%s", rows[i].in_main ? main_path : override_path,
                     rows[i].problem);
            assert_int_equal(e, ERR_CONFLICT);
            assert_int_equal(p.count, 1);
            assert_memory_equal(p.text.text, expected, strlen(expected));
        }
        config_problems_free(&p);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_folder_is_the_operators),
        TEST(who_it_is_is_told),
        TEST(what_is_said_otherwise_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
