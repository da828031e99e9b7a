/* How rqlite is reached, and with which credentials. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dnsd/app/config_rqlite.h"
#include "lib/file_sys.h"

#define PASSWORD "ee7433fdfa7056355535909cbfd1c97f619027b7ad2f290d3b82801e57fdd333"

static struct config with_url(char *url)
{
    struct config c = {.path = NULL};
    c.storages.engine_rqlite = true;
    c.storages.rqlite.url = url;
    c.storages.rqlite.data_dir = (char *)"/nonexistent/rqlite";
    return c;
}

static void urls(void **state)
{
    static const struct {
        const char *text, *url;
        uint16_t port;
        bool loopback;
        const char *user, *password;
    } rows[] = {
        {"http://localhost:4001", "http://localhost:4001", 4001, true, NULL, NULL},
        {"http://127.0.0.1:4001/", "http://127.0.0.1:4001", 4001, true, NULL, NULL},
        {"http://127.9.9.9:1/x?y", "http://127.9.9.9:1", 1, true, NULL, NULL},
        {"http://[::1]:4001", "http://[::1]:4001", 4001, true, NULL, NULL},
        {"http://[2001:db8::1]", "http://[2001:db8::1]:80", 80, false, NULL, NULL},
        {"https://db.example.com", "https://db.example.com:443", 443, false, NULL, NULL},
        {"https://localhost:4001", "https://localhost:4001", 4001, false, NULL, NULL},
        {"http://u:p@localhost:4001", "http://localhost:4001", 4001, true, "u", "p"},
        {"http://u:p:q@localhost:4001", "http://localhost:4001", 4001, true, "u", "p:q"},
        {"http://u%40x:%2f%25%4A@10.0.0.1:9", "http://10.0.0.1:9", 9, false, "u@x", "/%J"},
        {"http://u%4:%zz%00@h:9", "http://h:9", 9, false, "u%4", "%zz%00"},
        {"http://u@h:9", "http://h:9", 9, false, "u", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct config c = with_url((char *)rows[i].text);
        struct config_rqlite r;
        struct err_info info = {.text = ""};
        c.storages.rqlite.external = true;
        assert_int_equal(ERR_OK, config_rqlite_read(&c, false, &r, &info));
        assert_string_equal(rows[i].url, r.url);
        assert_int_equal(rows[i].port, r.port);
        assert_int_equal(rows[i].loopback, r.loopback);
        assert_string_equal(rows[i].user != NULL ? rows[i].user : "-",
                            r.user != NULL ? r.user : "-");
        assert_string_equal(rows[i].password != NULL ? rows[i].password : "-",
                            r.password != NULL ? r.password : "-");
        config_rqlite_free(&r);
    }
}

static void bad_port(void **state)
{
    struct config c = with_url((char *)"http://localhost:65536");
    struct config_rqlite r;
    struct err_info info = {.text = ""};
    (void)state;
    assert_int_equal(ERR_MALFORMED, config_rqlite_read(&c, true, &r, &info));
    assert_string_equal("storages.engines.rqlite.url: no such port", info.text);
    assert_null(r.url);
}

/* The same key, the same password on every core; HMAC-SHA256 as openssl computes it. */
static void password_from_the_key(void **state)
{
    struct config c = with_url((char *)"http://localhost:4001");
    struct config_rqlite r;
    (void)state;
    c.auth.admin_access_key = (char *)"a key of everybody";
    assert_int_equal(ERR_OK, config_rqlite_read(&c, false, &r, NULL));
    assert_string_equal("dnsd", r.user);
    assert_string_equal(PASSWORD, r.password);
    config_rqlite_free(&r);
    c.auth.admin_access_key = (char *)"another key";
    assert_int_equal(ERR_OK, config_rqlite_read(&c, false, &r, NULL));
    assert_string_not_equal(PASSWORD, r.password);
    config_rqlite_free(&r);
}

static void password_of_a_lone_core(void **state)
{
    char folder[] = "/tmp/dnsd-test.XXXXXX";
    char path[200];
    struct config c = with_url((char *)"http://localhost:4001");
    struct config_rqlite r;
    struct err_info info = {.text = ""};
    (void)state;
    assert_non_null(mkdtemp(folder));
    c.storages.rqlite.data_dir = folder;
    assert_int_equal(ERR_NOTFOUND, config_rqlite_read(&c, false, &r, &info));
    assert_non_null(strstr(info.text, "rqlite-auth.json"));
    assert_int_equal(ERR_OK, config_rqlite_read(&c, true, &r, &info));
    assert_int_equal(64, strlen(r.password));
    char first[65];
    memcpy(first, r.password, sizeof first);
    config_rqlite_free(&r);
    assert_int_equal(ERR_OK, config_rqlite_read(&c, true, &r, &info));
    assert_string_not_equal(first, r.password);
    config_rqlite_free(&r);

    snprintf(path, sizeof path, "%s/dnsd", folder);
    assert_int_equal(0, mkdir(path, 0700));
    snprintf(path, sizeof path, "%s/dnsd/rqlite-auth.json", folder);
    static const struct {
        const char *text;
        enum err e;
    } files[] = {
        {"[{\"username\":\"dnsd\",\"password\":\"there\",\"perms\":[\"all\"]}]", ERR_OK},
        {"[{\"username\":\"dnsd\"}]", ERR_MALFORMED},
        {"[]", ERR_MALFORMED},
        {"{}", ERR_MALFORMED},
        {"[{\"password\":1}]", ERR_MALFORMED},
        {"", ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        assert_int_equal(ERR_OK,
                         file_replace(path, files[i].text, strlen(files[i].text), 0600, &info));
        assert_int_equal(files[i].e, config_rqlite_read(&c, true, &r, &info));
        if (files[i].e == ERR_OK) {
            assert_string_equal("there", r.password);
        } else {
            assert_non_null(strstr(info.text, "rqlite-auth.json"));
        }
        config_rqlite_free(&r);
    }
    unlink(path);
    snprintf(path, sizeof path, "%s/dnsd", folder);
    rmdir(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls),
        cmocka_unit_test(bad_port),
        cmocka_unit_test(password_from_the_key),
        cmocka_unit_test(password_of_a_lone_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
