/* lib/httpc_settings_sys: options that go together, and pins that are some. What is made of them is
 * test_httpc_tls_curl.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/httpc_priv.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PIN      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define OTHER    "/+AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static enum err made(const struct httpc_options *o, struct httpc_settings *s)
{
    struct err_info info = {.text = ""};
    *s = (struct httpc_settings){.user_agent = NULL};
    enum err e = httpc_settings_init(s, o, &info);
    assert_int_equal(info.text[0] == '\0', e == ERR_OK);
    return e;
}

static void what_is_copied(void **state)
{
    struct httpc_settings s;
    char cert[] = "cert.pem", key[] = "key.pem";
    (void)state;
    assert_int_equal(made(&(struct httpc_options){.cert_file = cert, .key_file = key}, &s), ERR_OK);
    cert[0] = key[0] = 'x';
    assert_string_equal(s.user_agent, "dnsd");
    assert_string_equal(s.cert_file, "cert.pem");
    assert_string_equal(s.key_file, "key.pem");
    assert_null(s.pins);
    assert_null(s.ca.data);
    httpc_settings_fini(&s);
    assert_int_equal(made(&(struct httpc_options){.user_agent = "probe"}, &s), ERR_OK);
    assert_string_equal(s.user_agent, "probe");
    assert_null(s.cert_file);
    httpc_settings_fini(&s);
}

static void what_does_not_go_together(void **state)
{
    static const char *const pin[] = {PIN};
    static const struct httpc_options rows[] = {
        {.cert_file = "x"},
        {.key_file = "x"},
        {.pins = pin, .pins_count = 1, .ca_file = "x"},
    };
    struct httpc_settings s;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(made(&rows[i], &s), ERR_CONFLICT);
        httpc_settings_fini(&s);
    }
}

static void pins(void **state)
{
    static const struct {
        const char *pins[HTTPC_PINS_MAX + 1];
        enum err e;
        const char *made;
    } rows[] = {
        {{PIN}, ERR_OK, "sha256//" PIN},
        {{PIN, OTHER, PIN, OTHER},
         ERR_OK,
         "sha256//" PIN ";sha256//" OTHER ";sha256//" PIN ";sha256//" OTHER},
        {{PIN, PIN, PIN, PIN, PIN}, ERR_LIMIT, NULL},
        {{PIN, ""}, ERR_MALFORMED, NULL},
        {{"sha256//" PIN}, ERR_MALFORMED, NULL},
        {{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}, ERR_MALFORMED, NULL},  /* one short */
        {{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, ERR_MALFORMED, NULL}, /* 33 octets */
        {{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}, ERR_MALFORMED, NULL}, /* 31 */
        {{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB="},
         ERR_MALFORMED,
         NULL}, /* bits that are left over */
        {{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA;AAAAA="}, ERR_MALFORMED, NULL},
        {{"/etc/ssl/certs/ca-certificates.crt"}, ERR_MALFORMED, NULL}, /* a file, to libcurl */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct httpc_settings s;
        struct httpc_options o = {.pins = rows[i].pins};
        while (o.pins_count < COUNT(rows[i].pins) && rows[i].pins[o.pins_count] != NULL) {
            o.pins_count++;
        }
        assert_int_equal(made(&o, &s), rows[i].e);
        if (rows[i].made != NULL) {
            assert_string_equal(s.pins, rows[i].made);
        } else {
            assert_null(s.pins);
        }
        httpc_settings_fini(&s);
    }
}

static void the_authority_is_read_once(void **state)
{
    static const struct {
        const char *text;
        enum err e;
    } rows[] = {{"-----BEGIN CERTIFICATE-----\n", ERR_OK}, {"nothing", ERR_MALFORMED}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char path[] = "/tmp/dnsd-settings-XXXXXX";
        size_t len = strlen(rows[i].text);
        int fd = mkstemp(path);
        struct httpc_settings s;
        assert_true(fd >= 0 && write(fd, rows[i].text, len) == (ssize_t)len);
        close(fd);
        enum err e = made(&(struct httpc_options){.ca_file = path}, &s);
        unlink(path);
        assert_int_equal(e, rows[i].e);
        if (e == ERR_OK) {
            assert_int_equal(s.ca.len, len);
            assert_memory_equal(s.ca.data, rows[i].text, len);
        }
        httpc_settings_fini(&s);
    }
    struct httpc_settings s;
    assert_int_equal(made(&(struct httpc_options){.ca_file = "/nonexistent"}, &s), ERR_NOTFOUND);
    httpc_settings_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_copied),
        cmocka_unit_test(what_does_not_go_together),
        cmocka_unit_test(pins),
        cmocka_unit_test(the_authority_is_read_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
