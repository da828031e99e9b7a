/* SvcParams of SVCB and HTTPS (RFC 9460): its vectors, every key, every refusal. */
#include "dnsd/wire/rdata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dnsd/wire/type.h"

#define BYTES(literal) literal, sizeof(literal) - 1
#define EXAMPLE        "\7example\3com\0"
#define FOO            "\3foo" EXAMPLE

static uint8_t data[WIRE_RDATA_MAX];
static uint8_t again[WIRE_RDATA_MAX];

/* TEXT becomes BYTES, which become WRITTEN, which becomes BYTES. */
struct row {
    const char *type;
    const char *text;
    const char *bytes;
    size_t len;
    const char *written; /* NULL: the same as TEXT */
};

static void check_row(const struct row *row)
{
    struct err_info info = {.text = ""};
    uint16_t type = 0;
    size_t len = 0;
    char *text = NULL;
    assert_true(wire_type_from_text(row->type, &type));
    if (wire_rdata_from_text(type, row->text, NULL, data, &len, &info) != ERR_OK) {
        fail_msg("%s %s: %s", row->type, row->text, info.text);
    }
    if (len != row->len || memcmp(data, row->bytes, len) != 0) {
        fail_msg("%s %s: other octets than expected", row->type, row->text);
    }
    assert_int_equal(wire_rdata_to_text(type, data, len, &text, &info), ERR_OK);
    assert_string_equal(text, row->written != NULL ? row->written : row->text);
    assert_int_equal(wire_rdata_from_text(type, text, NULL, again, &len, &info), ERR_OK);
    assert_int_equal(len, row->len);
    assert_memory_equal(again, data, len);
    free(text);
}

/* RFC 9460 appendix D.2: the vectors that have data, in text and in octets. */
static void svcb_vectors(void **state)
{
    static const struct row rows[] = {
        {"HTTPS", "0 foo.example.com.", BYTES("\0\0" FOO), NULL},
        {"SVCB", "1 .", BYTES("\0\1\0"), NULL},
        {"SVCB", "16 foo.example.com. port=53", BYTES("\0\20" FOO "\0\3\0\2\0\x35"), NULL},
        {"SVCB", "1 foo.example.com. key667=hello", BYTES("\0\1" FOO "\2\x9b\0\5hello"), NULL},
        {"SVCB", "1 foo.example.com. key667=\"hello\\210qoo\"",
         BYTES("\0\1" FOO "\2\x9b\0\x09hello\xd2qoo"), "1 foo.example.com. key667=hello\\210qoo"},
        {"SVCB", "1 foo.example.com. ipv6hint=\"2001:db8::1,2001:db8::53:1\"",
         BYTES("\0\1" FOO "\0\6\0\x20"
               "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\x53\0\1"),
         "1 foo.example.com. ipv6hint=2001:db8::1,2001:db8::53:1"},
        {"SVCB", "1 example.com. ipv6hint=\"2001:db8:122:344::192.0.2.33\"",
         BYTES("\0\1" EXAMPLE "\0\6\0\x10\x20\1\x0d\xb8\1\x22\3\x44\0\0\0\0\xc0\0\2\x21"),
         "1 example.com. ipv6hint=2001:db8:122:344::c000:221"},
        {"SVCB", "16 foo.example.org. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1",
         BYTES("\0\20\3foo\7example\3org\0"
               "\0\0\0\4\0\1\0\4"
               "\0\1\0\x09\2h2\5h3-19"
               "\0\4\0\4\xc0\0\2\1"),
         "16 foo.example.org. mandatory=alpn,ipv4hint alpn=h2,h3-19 ipv4hint=192.0.2.1"},
        {"SVCB", "16 foo.example.org. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"",
         BYTES("\0\20\3foo\7example\3org\0\0\1\0\x0c\x08\x66\\oo,bar\2h2"),
         "16 foo.example.org. alpn=f\\\\\\\\oo\\\\,bar,h2"},
        {"SVCB", "16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2",
         BYTES("\0\20\3foo\7example\3org\0\0\1\0\x0c\x08\x66\\oo,bar\2h2"),
         "16 foo.example.org. alpn=f\\\\\\\\oo\\\\,bar,h2"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(&rows[i]);
    }
}

static void svcb_more(void **state)
{
    static const struct row rows[] = {
        {"HTTPS", "1 . alpn=h2 no-default-alpn port=8443 ech=AAEC ohttp",
         BYTES("\0\1\0\0\1\0\3\2h2\0\2\0\0\0\3\0\2\x20\xfb\0\5\0\3\0\1\2\0\x08\0\0"), NULL},
        {"HTTPS", "1 . dohpath=/q{?dns} key9", BYTES("\0\1\0\0\7\0\x08/q{?dns}\0\x09\0\0"), NULL},
        {"HTTPS", "1 . key9=\"a b;(c)\\\"\"",
         BYTES("\0\1\0\0\x09\0\x08"
               "a b;(c)\""),
         "1 . key9=a\\032b\\;\\(c\\)\\\""},
        {"HTTPS", "1 . key1=\\002h2", BYTES("\0\1\0\0\1\0\3\2h2"), "1 . alpn=h2"},
        {"HTTPS", "1 . key65534=\\000", BYTES("\0\1\0\xff\xfe\0\1\0"), NULL},
        {"HTTPS", "1 . key9=\"\"", BYTES("\0\1\0\0\x09\0\0"), "1 . key9"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(&rows[i]);
    }
}

static void bad_text(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } rows[] = {
        {"1 . foo=1", "\"foo=1\" is not a parameter"},
        {"1 . key65535=a", "is not a parameter"},
        {"1 . key01=a", "is not a parameter"},
        {"1 . \"port=1\"", "is not a parameter"},
        {"1 . =1", "is not a parameter"},
        {"1 . port=1 port=2", "port is there twice"},
        {"1 . port=65536", "port: must be a number"},
        {"1 . port", "port wants a port"},
        {"1 . port=", "port: must be a number"},
        {"1 . port=1\\0002", "port: must be a number"},
        {"1 . alpn", "alpn wants a list"},
        {"1 . alpn=", "1 to 255 octets"},
        {"1 . alpn=h2,", "1 to 255 octets"},
        {"1 . alpn=h2 no-default-alpn=1", "no-default-alpn takes no value"},
        {"1 . no-default-alpn", "wants alpn beside it"},
        {"1 . ipv4hint=1.2.3", "\"1.2.3\" is not an IPv4 address"},
        {"1 . ipv4hint=1.2.3.4,", "\"\" is not an IPv4 address"},
        {"1 . ipv6hint=1.2.3.4", "is not an IPv6 address"},
        {"1 . ipv6hint", "wants IPv6 addresses"},
        {"1 . ech=*", "ech: not base64"},
        {"1 . ech", "ech wants"},
        {"1 . mandatory=port", "port is listed but not given"},
        {"1 . mandatory=mandatory", "mandatory must not be listed"},
        {"1 . mandatory=port,port port=1", "port must not be listed twice"},
        {"1 . mandatory=x", "\"x\" is not a key"},
        {"1 . mandatory", "wants a list of keys"},
        {"1 . alpn=\"h2", "has no end"},
        {"1 . alpn=a\"b\"", "a quote in the middle"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err_info info = {.text = ""};
        size_t len = 0;
        enum err e = wire_rdata_from_text(TYPE_HTTPS, rows[i].text, NULL, data, &len, &info);
        if (e != ERR_MALFORMED || strstr(info.text, rows[i].says) == NULL) {
            fail_msg("%s: %d \"%s\" does not say \"%s\"", rows[i].text, e, info.text, rows[i].says);
        }
    }
}

static void bad_octets(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *says;
    } rows[] = {
        {BYTES("\0\1"), "SVCB field 2"},
        {BYTES("\0\1\0\0"), "parameter ends too early"},
        {BYTES("\0\1\0\0\1\0\5\2h2"), "parameter ends too early"},
        {BYTES("\0\1\0\0\3\0\2\0\1\0\1\0\3\2h2"), "out of order"},
        {BYTES("\0\1\0\0\3\0\2\0\1\0\3\0\2\0\1"), "twice"},
        {BYTES("\0\1\0\0\1\0\3\3h2"), "alpn wants"},
        {BYTES("\0\1\0\0\1\0\4\2h2\0"), "alpn wants"},
        {BYTES("\0\1\0\0\3\0\1\1"), "port wants"},
        {BYTES("\0\1\0\0\4\0\3\1\2\3"), "IPv4"},
        {BYTES("\0\1\0\0\6\0\4\1\2\3\4"), "IPv6"},
        {BYTES("\0\1\0\0\0\0\1\0"), "list of keys"},
        {BYTES("\0\1\0\0\0\0\4\0\3\0\1\0\1\0\3\2h2\0\3\0\2\0\1"), "twice"},
        {BYTES("\0\1\0\xff\xff\0\0"), "reserved"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err_info info = {.text = ""};
        enum err e =
            wire_rdata_check(TYPE_SVCB, (const uint8_t *)rows[i].bytes, rows[i].len, &info);
        if (e != ERR_MALFORMED || strstr(info.text, rows[i].says) == NULL) {
            fail_msg("row %zu: %d \"%s\" does not say \"%s\"", i, e, info.text, rows[i].says);
        }
    }
}

static void too_many_parameters(void **state)
{
    static char text[4096];
    struct err_info info = {.text = ""};
    size_t len = 0;
    size_t at = (size_t)snprintf(text, sizeof text, "1 .");
    (void)state;
    for (int i = 0; i < 128; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, " key%d", 1000 - i);
    }
    assert_int_equal(wire_rdata_from_text(TYPE_SVCB, text, NULL, data, &len, &info), ERR_OK);
    assert_memory_equal(data, "\0\1\0\3\x69\0\0\3\x6a", 9); /* sorted: 873, 874, ... */
    snprintf(text + at, sizeof text - at, " key2000");
    assert_int_equal(wire_rdata_from_text(TYPE_SVCB, text, NULL, data, &len, &info), ERR_LIMIT);
}

static void lists_and_values_are_bounded(void **state)
{
    static char text[90000];
    struct err_info info = {.text = ""};
    size_t len = 0;
    size_t at = (size_t)snprintf(text, sizeof text, "1 . mandatory=port");
    (void)state;
    for (int i = 0; i < 128; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, ",port");
    }
    assert_int_equal(wire_rdata_from_text(TYPE_SVCB, text, NULL, data, &len, &info), ERR_LIMIT);
    assert_string_equal(info.text, "SVCB field 3: mandatory: more than 128 keys");
    snprintf(text, sizeof text, "1 . key10=%040000d key11=%040000d", 0, 0);
    assert_int_equal(wire_rdata_from_text(TYPE_SVCB, text, NULL, data, &len, &info), ERR_LIMIT);
    assert_string_equal(info.text, "SVCB field 3: the parameters are too long");
}

/* One parameter more than is read, on the wire. */
static void too_many_on_the_wire(void **state)
{
    (void)state;
    memset(data, 0, sizeof data);
    for (size_t i = 0; i < 129; i++) { /* priority, root, then keys 100, 101, ... without values */
        data[3 + i * 4 + 1] = (uint8_t)(100 + i);
    }
    assert_int_equal(wire_rdata_check(TYPE_SVCB, data, 3 + (size_t)128 * 4, NULL), ERR_OK);
    assert_int_equal(wire_rdata_check(TYPE_SVCB, data, 3 + (size_t)129 * 4, NULL), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(svcb_vectors),
        cmocka_unit_test(svcb_more),
        cmocka_unit_test(bad_text),
        cmocka_unit_test(bad_octets),
        cmocka_unit_test(lists_and_values_are_bounded),
        cmocka_unit_test(too_many_parameters),
        cmocka_unit_test(too_many_on_the_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
