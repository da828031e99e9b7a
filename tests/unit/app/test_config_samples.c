/* Every sample under conf/ loads without a problem and without a note, so none can rot. The folder
 * comes from $DNSD_SOURCE, which ctest sets. */
#include "dnsd/app/config.h"
#include "lib/file_sys.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[4096];

static int find_folder(void **state)
{
    const char *source = getenv("DNSD_SOURCE");
    (void)state;
    if (source == NULL) {
        fprintf(stderr, "DNSD_SOURCE is not set; run this through ctest\n");
        return -1;
    }
    snprintf(folder, sizeof folder, "%s/conf", source);
    return 0;
}

/* What a sample leaves to its reader, filled in: a copy of the file, which the caller removes. */
static void fill_in(const char *name, char copy[64])
{
    static const char placeholder[] = "${ADMIN_ACCESS_KEY}";
    char path[5000];
    uint8_t *bytes = NULL;
    size_t len = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(ERR_OK, file_read(path, 1 << 20, &bytes, &len, NULL));
    char *at = strstr((char *)bytes, placeholder);
    if (at != NULL) {
        memset(at, 'k', sizeof placeholder - 1);
    }
    strcpy(copy, "/tmp/dnsd-test.XXXXXX");
    int fd = mkstemp(copy);
    assert_true(fd >= 0);
    assert_int_equal((ssize_t)len, write(fd, bytes, len));
    close(fd);
    free(bytes);
}

static struct config sample(const char *name)
{
    char path[64];
    struct config c;
    struct config_problems p;
    fill_in(name, path);
    enum err e = config_load(path, &c, &p);
    unlink(path);
    if (e != ERR_OK || p.notes.len > 0) {
        fail_msg("%s%s", p.text.text != NULL ? p.text.text : "",
                 p.notes.text != NULL ? p.notes.text : "");
    }
    config_problems_free(&p);
    return c;
}

static void every_sample_is_good(void **state)
{
    DIR *d = opendir(folder);
    unsigned samples = 0;
    (void)state;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        const char *dot = strrchr(e->d_name, '.');
        if (dot != NULL && strcmp(dot, ".yml") == 0) {
            struct config c = sample(e->d_name);
            config_free(&c);
            samples++;
        }
    }
    closedir(d);
    assert_true(samples >= 4);
}

static void the_quickstart_is_what_its_script_expects(void **state)
{
    struct config c = sample("quickstart.yml");
    (void)state;
    assert_string_equal(c.core.id, "core-a");
    assert_string_equal(c.dns.domain_text, "mc.example.com");
    assert_true(c.dns.active);
    assert_int_equal(c.dns.port, 5300);
    assert_int_equal(c.dns.ip.count, 1);
    assert_string_equal(c.dns.ip.items[0], "127.0.0.1");
    assert_false(c.storages.engine_rqlite);
    assert_string_equal(c.storages.sqlite_path, "./build/quickstart/platform.db");
    config_free(&c);
}

static void each_role_has_its_topology(void **state)
{
    struct config c = sample("single-core.yml");
    (void)state;
    assert_true(c.dns.active);
    assert_false(c.storages.engine_rqlite);
    assert_int_equal(c.dns.static_entries.count, 3);
    config_free(&c);
    c = sample("multi-core.yml");
    assert_true(c.dns.active);
    assert_true(c.storages.engine_rqlite);
    assert_true(c.lets_encrypt.enabled);
    assert_non_null(c.storages.rqlite.ca_file);
    assert_int_equal('k', c.auth.admin_access_key[0]); /* what fill_in() put there */
    config_free(&c);
    c = sample("dnsless.yml");
    assert_false(c.dns.active);
    assert_true(c.dns_less.is_active);
    config_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_is_good),
        cmocka_unit_test(the_quickstart_is_what_its_script_expects),
        cmocka_unit_test(each_role_has_its_topology),
    };
    return cmocka_run_group_tests(tests, find_folder, NULL);
}
