/* Record data and zone files: literal octets for each type that has a text of its own, what is
 * refused and why, and that text and octets are each other's inverse. ldns checks nothing here. */
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
#define APEX           "\2mc\7example\3com\0"
#define EXAMPLE        "\7example\3com\0"
#define FOO            "\3foo" EXAMPLE
#define TYPE_URI       256

static uint8_t data[WIRE_RDATA_MAX];
static uint8_t again[WIRE_RDATA_MAX];

static struct wire_name apex(void)
{
    struct wire_name name;
    assert_int_equal(wire_name_from_text("mc.example.com", NULL, &name, NULL), ERR_OK);
    return name;
}

static uint16_t type_of(const char *text)
{
    uint16_t type = 0;
    assert_true(wire_type_from_text(text, &type));
    return type;
}

/* TYPE and TEXT become BYTES, which become WRITTEN, which becomes BYTES. */
struct row {
    const char *type;
    const char *text;
    const char *bytes;
    size_t len;
    const char *written; /* NULL: the same as TEXT */
};

static void check_row(const struct row *row)
{
    struct wire_name origin = apex();
    struct err_info info = {.text = ""};
    uint16_t type = type_of(row->type);
    size_t len = 0;
    char *text = NULL;
    if (wire_rdata_from_text(type, row->text, &origin, data, &len, &info) != ERR_OK) {
        fail_msg("%s %s: %s", row->type, row->text, info.text);
    }
    if (len != row->len || memcmp(data, row->bytes, len) != 0) {
        fail_msg("%s %s: other octets than expected", row->type, row->text);
    }
    assert_int_equal(wire_rdata_check(type, data, len, &info), ERR_OK);
    assert_int_equal(wire_rdata_to_text(type, data, len, &text, &info), ERR_OK);
    assert_string_equal(text, row->written != NULL ? row->written : row->text);
    size_t len2 = 0;
    assert_int_equal(wire_rdata_from_text(type, text, NULL, again, &len2, &info), ERR_OK);
    assert_int_equal(len2, len);
    assert_memory_equal(again, data, len);
    free(text);
}

static void common_types(void **state)
{
    static const struct row rows[] = {
        {"A", "192.0.2.1", BYTES("\300\0\2\1"), NULL},
        {"A", "  255.255.255.255\t", BYTES("\377\377\377\377"), "255.255.255.255"},
        {"A", "\\# 4 C0000201", BYTES("\300\0\2\1"), "192.0.2.1"},
        {"AAAA", "2001:DB8::1", BYTES("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), "2001:db8::1"},
        {"AAAA", "::ffff:192.0.2.1", BYTES("\0\0\0\0\0\0\0\0\0\0\xff\xff\300\0\2\1"), NULL},
        {"CNAME", "host", BYTES("\4host" APEX), "host.mc.example.com."},
        {"CNAME", "host.example", BYTES("\4host\7example" APEX), "host.example.mc.example.com."},
        {"CNAME", "Foo.example.com.", BYTES("\3Foo" EXAMPLE), NULL},
        {"CNAME", "@", BYTES(APEX), "mc.example.com."},
        {"CNAME", "a\\.b\\032c.", BYTES("\5a.b c\0"), NULL},
        {"NS", "foo.example.com.", BYTES(FOO), NULL},
        {"PTR", "foo.example.com.", BYTES(FOO), NULL},
        {"PTR", ".", BYTES("\0"), NULL},
        {"MX", "10 mail", BYTES("\0\12\4mail" APEX), "10 mail.mc.example.com."},
        {"MX", "65535\tfoo.example.com.", BYTES("\xff\xff" FOO), "65535 foo.example.com."},
        {"MX", "0 .", BYTES("\0\0\0"), NULL},
        {"SRV", "0 5 443 foo.example.com.", BYTES("\0\0\0\5\1\xbb" FOO), NULL},
        {"HINFO", "PC \"Linux 6\"", BYTES("\2PC\7Linux 6"), "\"PC\" \"Linux 6\""},
        {"TLSA", "3 1 1 0123 ABcd", BYTES("\3\1\1\x01\x23\xab\xcd"), "3 1 1 0123abcd"},
        {"TLSA", "DANE-EE SPKI SHA2-256 ff", BYTES("\3\1\1\xff"), "3 1 1 ff"},
        {"SSHFP", "4 2 abCD", BYTES("\4\2\xab\xcd"), "4 2 abcd"},
        {"DS", "60485 5 1 2BB183AF", BYTES("\xec\x45\5\1\x2b\xb1\x83\xaf"), "60485 5 1 2bb183af"},
        {"DS", "1 ECDSAP256SHA256 2 00", BYTES("\0\1\15\2\0"), "1 13 2 00"},
        {"URI", "10 1 \"https://example.org/\"", BYTES("\0\12\0\1https://example.org/"), NULL},
        {"NAPTR", "100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:a@b!\" .",
         BYTES("\0\144\0\12\1u\7E2U+sip\16!^.*$!sip:a@b!\0"), NULL},
        {"SOA", "ns1 admin.foo.example.com. 7 3600 15m 1w 60",
         BYTES("\3ns1" APEX "\5admin" FOO "\0\0\0\7\0\0\x0e\x10\0\0\3\x84\0\x09\x3a\x80\0\0\0\x3c"),
         "ns1.mc.example.com. admin.foo.example.com. 7 3600 900 604800 60"},
        {"CAA", "0 issue \"letsencrypt.org\"", BYTES("\0\5issueletsencrypt.org"), NULL},
        {"CAA", "128 issuewild \";\"", BYTES("\200\11issuewild;"), NULL},
        {"CAA", "0 issue \"\"", BYTES("\0\5issue"), NULL},
        {"CAA", "0 Issue a\\;b", BYTES("\0\5Issuea;b"), "0 Issue \"a;b\""},
        {"RP", "a. .", BYTES("\1a\0\0"), NULL},
        {"DNAME", "foo.example.com.", BYTES(FOO), NULL},
        {"CERT", "PKIX 1 RSASHA256 AAEC", BYTES("\0\1\0\1\10\0\1\2"), "1 1 8 AAEC"},
        {"OPENPGPKEY", "AA EC /w==", BYTES("\0\1\2\xff"), "AAEC/w=="},
        {"EUI48", "00-00-5e-00-53-2a", BYTES("\0\0\x5e\0\x53\x2a"), NULL},
        {"EUI64", "00-00-5e-ef-10-00-00-2a", BYTES("\0\0\x5e\xef\x10\0\0\x2a"), NULL},
        {"NID", "10 0014:4fff:ff20:ee64", BYTES("\0\12\0\x14\x4f\xff\xff\x20\xee\x64"), NULL},
        {"TYPE65280", "\\# 2 ABcd", BYTES("\xab\xcd"), "\\# 2 abcd"},
        {"TYPE65280", "\\# 0", BYTES(""), NULL},
        {"TYPE65280", " \\#  3 a bcd ef ", BYTES("\xab\xcd\xef"), "\\# 3 abcdef"},
        {"LOC", "\\# 16 00000000000000000000000000000000",
         BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(&rows[i]);
    }
}

static void txt(void **state)
{
    static const struct row rows[] = {
        {"TXT", "v=spf1 -all", BYTES("\13v=spf1 -all"), "\"v=spf1 -all\""},
        {"TXT", " v=DKIM1; k=rsa; p=(x) \t", BYTES("\25v=DKIM1; k=rsa; p=(x)"),
         "\"v=DKIM1; k=rsa; p=(x)\""},
        {"TXT", "\"v=spf1 -all\"", BYTES("\13v=spf1 -all"), NULL},
        {"TXT", "\"one\" \"two\"", BYTES("\3one\3two"), NULL},
        {"TXT", "\"one\" two", BYTES("\3one\3two"), "\"one\" \"two\""},
        {"TXT", "\"\"", BYTES("\0"), NULL},
        {"TXT", "\"\" \"\"", BYTES("\0\0"), NULL},
        {"TXT", "\"a\\\"b\\\\c\"", BYTES("\5a\"b\\c"), NULL},
        {"TXT", "a\\\"b", BYTES("\3a\"b"), "\"a\\\"b\""},
        {"TXT", "\"\\000\\127\\200\\255\"", BYTES("\4\0\177\310\377"), NULL},
        {"TXT", "gr\xc3\xbc\xc3\x9f", BYTES("\6gr\xc3\xbc\xc3\x9f"), "\"gr\\195\\188\\195\\159\""},
        {"TXT", "\"a;b\" \"(c)\"", BYTES("\3a;b\3(c)"), NULL},
        {"TXT", "\\# 3 026162", BYTES("\2ab"), "\"ab\""},
        {"TXT", "\\#3", BYTES("\2#3"), "\"#3\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        check_row(&rows[i]);
    }
}

static void bad_text(void **state)
{
    static const struct {
        const char *type;
        const char *text;
        const char *says;
    } rows[] = {
        {"A", "", "A: the value is missing; it should look like: 192.0.2.1"},
        {"A", "1.2.3", "not an IPv4 address"},
        {"A", "1.2.3.4.5", "not an IPv4 address"},
        {"A", "01.2.3.4", "not an IPv4 address"},
        {"A", "256.1.1.1", "not an IPv4 address"},
        {"A", "0x7f000001", "not an IPv4 address"},
        {"A", "2001:db8::1", "it belongs in AAAA"},
        {"A", "1.2.3.4 5.6.7.8", "too many fields"},
        {"A", "\"1.2.3.4\"", "cannot be read"},
        {"A", "\\# 3 010203", "ends too early"},
        {"A", "\\# 5 0102030405", "goes on after its end"},
        {"A", "\\# 4 010203", "says 4 octets, but 3 follow"},
        {"A", "\\# 4 0102030x", "not a hex digit"},
        {"A", "\\# 4 0102030", "digit is missing"},
        {"A", "\\#", "after \\# comes a length"},
        {"A", "\\# x", "after \\# comes a length"},
        {"A", "\\# 65536 00", "after \\# comes a length"},
        {"A", "\\# \"4", "has no end"},
        {"RP", "a.", "RP: too few fields"},
        {"AAAA", "192.0.2.1", "it belongs in A"},
        {"AAAA", "2001:db8::g", "not an IPv6 address"},
        {"AAAA", "fe80::1%eth0", "not an IPv6 address"},
        {"CNAME", "a b", "too many fields"},
        {"CNAME", "\"a\"", "without quotes"},
        {"CNAME", "a..b", "empty label"},
        {"CNAME", "\\# 2 c00c", "not an uncompressed name"},
        {"MX", "mail", "must be a number from 0 to 65535"},
        {"MX", "10", "too few fields; it should look like: 10 mail.example.org."},
        {"MX", "99999 mail", "\"99999\" must be a number from 0 to 65535"},
        {"MX", "-1 mail", "must be a number"},
        {"MX", "10 a b", "too many fields"},
        {"SRV", "0 5 70000 a", "SRV field 3: \"70000\""},
        {"SRV", "0 5 443", "too few fields"},
        {"TXT", "", "the value is missing"},
        {"TXT", "a\"b", "a quote in the middle"},
        {"TXT", "\"a", "has no end"},
        {"TXT", "\"a\"b", "a blank is missing"},
        {"TXT", "\"a\" b\"", "has no end"},
        {"TXT", "\\256", "more than \\255"},
        {"TXT", "a\\", "middle of an escape"},
        {"TXT", "\\# 2 0561", "ends too early"},
        {"CAA", "0 issue", "too few fields"},
        {"CAA", "256 issue \"x\"", "from 0 to 255"},
        {"CAA", "0 is-sue \"x\"", "letters and digits"},
        {"CAA", "0 \"issue\" \"x\"", "a tag is one word"},
        {"CAA", "0 issue a; b", "too many fields"},
        {"TLSA", "3 1 1", "too few fields"},
        {"TLSA", "3 1 1 abc", "digit is missing"},
        {"TLSA", "DANE-XX 1 1 ab", "\"DANE-XX\" cannot be read"},
        {"TLSA", "3 1 1 zz", "not a hex digit"},
        {"OPENPGPKEY", "AAE", "not base64"},
        {"OPENPGPKEY", "A===", "not base64"},
        {"OPENPGPKEY", "AA=A", "not base64"},
        {"OPENPGPKEY", "AB==", "not base64"},
        {"OPENPGPKEY", "AAB=", "not base64"},
        {"OPENPGPKEY", "AAE*", "not base64"},
        {"EUI48", "00-00-5e-00-53", "cannot be read"},
        {"EUI48", "00-00-5e-00-53-2a-11-22-33", "cannot be read"},
        {"SOA", "a. b. 1 2 3 4", "too few fields"},
        {"SOA", "a. b. 4294967296 2 3 4 5", "SOA field 3"},
        {"SOA", "a. b. 1 1y 3 4 5", "SOA field 4"},
        {"SOA", "a. b. 1 9999999w 3 4 5", "SOA field 4"},
        {"URI", "1 1 \"\"", "must not be empty"},
        {"LOC", "51 30 12.748 N 0 7 39.611 W 0", "LOC has no text form of its own here"},
        {"TYPE65280", "abcd", "write \\# LENGTH HEX"},
        {"HTTPS", "1", "too few fields"},
    };
    struct wire_name origin = apex();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err_info info = {.text = ""};
        size_t len = 12345;
        enum err e =
            wire_rdata_from_text(type_of(rows[i].type), rows[i].text, &origin, data, &len, &info);
        if (e != ERR_MALFORMED || strstr(info.text, rows[i].says) == NULL) {
            fail_msg("%s %s: %d \"%s\" does not say \"%s\"", rows[i].type, rows[i].text, e,
                     info.text, rows[i].says);
        }
        assert_int_equal(len, 12345);
    }
}

static void input_names(void **state)
{
    static const struct {
        const char *type;
        const char *text;
        const char *written; /* NULL: refused */
    } rows[] = {
        {"CNAME", "host", "host.mc.example.com."},
        {"CNAME", "host.example.org", "host.example.org."},
        {"CNAME", "host.example.org.", "host.example.org."},
        {"CNAME", "localhost.", "localhost."},
        {"CNAME", "a\\.b", "a\\.b.mc.example.com."},
        {"CNAME", "@", "mc.example.com."},
        {"CNAME", "192.0.2.1", NULL},
        {"CNAME", "2001:db8::1", NULL},
        {"CNAME", "192.0.2.1.", "192.0.2.1."},
        {"MX", "10 mail", "10 mail.mc.example.com."},
        {"MX", "10 mail.example.org", "10 mail.example.org."},
        {"MX", "10 @", "10 mc.example.com."},
        {"MX", "10 192.0.2.1", NULL},
        {"NS", "ns.example.org", "ns.example.org."},
        {"PTR", "a.b", "a.b."},
        {"SRV", "0 5 443 a.b", "0 5 443 a.b."},
        {"HTTPS", "1 . alpn=h2", "1 . alpn=h2"},
        {"HTTPS", "0 a.b", "0 a.b."},
        {"SVCB", "0 a", "0 a.mc.example.com."},
        {"NAPTR", "1 1 \"\" \"a b\" \"\" a.b", "1 1 \"\" \"a b\" \"\" a.b."},
        {"TXT", "a.b c", "\"a.b c\""},
    };
    struct wire_name origin = apex();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err_info info = {.text = ""};
        uint16_t type = type_of(rows[i].type);
        size_t len = 0;
        char *text = NULL;
        enum err e = wire_rdata_from_input(type, rows[i].text, &origin, data, &len, &info);
        if (rows[i].written == NULL) {
            assert_int_equal(e, ERR_MALFORMED);
            assert_non_null(strstr(info.text, "this is an address, but a host name belongs here"));
            continue;
        }
        if (e != ERR_OK) {
            fail_msg("%s %s: %s", rows[i].type, rows[i].text, info.text);
        }
        assert_int_equal(wire_rdata_to_text(type, data, len, &text, &info), ERR_OK);
        assert_string_equal(text, rows[i].written);
        free(text);
    }
}

/* TXT of N octets: how many strings, and how long the last is. */
static void txt_splits_at_255(void **state)
{
    static const struct {
        size_t n;
        size_t len;
    } rows[] = {{1, 2},     {254, 255}, {255, 256},     {256, 258}, {510, 512},
                {511, 514}, {512, 515}, {65279, 65535}, {65280, 0}};
    static char text[70000];
    struct wire_name origin = apex();
    (void)state;
    for (int quoted = 0; quoted < 2; quoted++) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            size_t len = 0;
            snprintf(text, sizeof text, "%s%0*d%s", quoted ? "\"" : "", (int)rows[i].n, 0,
                     quoted ? "\"" : "");
            enum err e = wire_rdata_from_text(TYPE_TXT, text, &origin, data, &len, NULL);
            assert_int_equal(e, rows[i].len == 0 ? ERR_LIMIT : ERR_OK);
            assert_int_equal(len, rows[i].len);
            for (size_t at = 0; at < len; at += (size_t)data[at] + 1) {
                assert_int_equal(data[at], len - at > 256 ? 255 : len - at - 1);
            }
        }
    }
}

static void other_strings_do_not_split(void **state)
{
    char text[600];
    size_t len = 0;
    (void)state;
    snprintf(text, sizeof text, "%0255d x", 0);
    assert_int_equal(wire_rdata_from_text(TYPE_HINFO, text, NULL, data, &len, NULL), ERR_OK);
    snprintf(text, sizeof text, "%0256d x", 0);
    assert_int_equal(wire_rdata_from_text(TYPE_HINFO, text, NULL, data, &len, NULL), ERR_MALFORMED);
}

static void long_names_are_refused(void **state)
{
    char text[WIRE_NAME_TEXT_MAX + 8];
    size_t len = 0;
    (void)state;
    snprintf(text, sizeof text, "%0*d", WIRE_NAME_TEXT_MAX, 0);
    assert_int_equal(wire_rdata_from_text(TYPE_CNAME, text, NULL, data, &len, NULL), ERR_MALFORMED);
}

static void long_text_is_refused(void **state)
{
    char *text = malloc(WIRE_RDATA_TEXT_MAX + 1);
    size_t len = 0;
    (void)state;
    memset(text, ' ', WIRE_RDATA_TEXT_MAX);
    text[WIRE_RDATA_TEXT_MAX] = '\0';
    assert_int_equal(wire_rdata_from_text(TYPE_TXT, text, NULL, data, &len, NULL), ERR_LIMIT);
    text[WIRE_RDATA_TEXT_MAX - 1] = '\0';
    memcpy(text, "\"x\"", 3);
    assert_int_equal(wire_rdata_from_text(TYPE_TXT, text, NULL, data, &len, NULL), ERR_OK);
    free(text);
}

static void bad_octets(void **state)
{
    static const struct {
        uint16_t type;
        const char *bytes;
        size_t len;
        const char *says;
    } rows[] = {
        {TYPE_A, BYTES(""), "ends too early"},
        {TYPE_A, BYTES("\1\2\3"), "ends too early"},
        {TYPE_A, BYTES("\1\2\3\4\5"), "goes on"},
        {TYPE_AAAA, BYTES("\1\2\3\4"), "ends too early"},
        {TYPE_CNAME, BYTES(""), "not an uncompressed name"},
        {TYPE_CNAME, BYTES("\1a"), "not an uncompressed name"},
        {TYPE_CNAME, BYTES("\xc0\x0c"), "not an uncompressed name"},
        {TYPE_CNAME, BYTES("\1a\0\0"), "goes on"},
        {TYPE_MX, BYTES("\0"), "MX field 1"},
        {TYPE_MX, BYTES("\0\1"), "MX field 2"},
        {TYPE_MX, BYTES("\0\1\1a\0x"), "goes on"},
        {TYPE_TXT, BYTES(""), "ends too early"},
        {TYPE_TXT, BYTES("\2a"), "ends too early"},
        {TYPE_TXT, BYTES("\1a\5"), "TXT field 2"},
        {TYPE_HINFO, BYTES("\1a"), "HINFO field 2"},
        {TYPE_HINFO, BYTES("\1a\1b\1c"), "goes on"},
        {TYPE_SRV, BYTES("\0\1\0\2\0\3"), "SRV field 4"},
        {TYPE_SOA, BYTES("\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0"), "SOA field 7"},
        {TYPE_CAA, BYTES("\0"), "CAA field 2"},
        {TYPE_CAA, BYTES("\0\0x"), "a tag of 1 octet"},
        {TYPE_CAA, BYTES("\0\5issu"), "a tag of 1 octet"},
        {TYPE_CAA, BYTES("\0\1-x"), "letters and digits"},
        {TYPE_TLSA, BYTES("\3\1\1"), "TLSA field 4"},
        {TYPE_URI, BYTES("\0\1\0\1"), "must not be empty"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct err_info info = {.text = ""};
        char *text = NULL;
        enum err e =
            wire_rdata_check(rows[i].type, (const uint8_t *)rows[i].bytes, rows[i].len, &info);
        if (e != ERR_MALFORMED || strstr(info.text, rows[i].says) == NULL) {
            fail_msg("row %zu: %d \"%s\" does not say \"%s\"", i, e, info.text, rows[i].says);
        }
        assert_int_equal(wire_rdata_to_text(rows[i].type, (const uint8_t *)rows[i].bytes,
                                            rows[i].len, &text, NULL),
                         ERR_MALFORMED);
        assert_null(text);
    }
    assert_int_equal(wire_rdata_check(65280, data, WIRE_RDATA_MAX, NULL), ERR_OK);
    assert_int_equal(wire_rdata_check(65280, data, WIRE_RDATA_MAX + 1, NULL), ERR_LIMIT);
}

/* The longest data of each shape fits the text that is set aside for it. */
static void longest_texts(void **state)
{
    static const uint16_t types[] = {TYPE_TXT, TYPE_CAA, TYPE_TLSA, 61, 65280, TYPE_URI};
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char *text = NULL;
        size_t len = 0;
        memset(data, 0xff, sizeof data); /* \255 takes the most room */
        data[255 * 256] = 254;           /* the last of 256 strings, if this is TXT */
        memcpy(data, "\0\1a", types[i] == TYPE_CAA ? 3 : 0);
        assert_int_equal(wire_rdata_to_text(types[i], data, sizeof data, &text, NULL), ERR_OK);
        assert_true(strlen(text) < WIRE_RDATA_TEXT_MAX);
        assert_int_equal(wire_rdata_from_text(types[i], text, NULL, again, &len, NULL), ERR_OK);
        assert_int_equal(len, sizeof data);
        assert_memory_equal(again, data, len);
        free(text);
    }
    memset(data, 0, sizeof data); /* the shortest strings: most quotes and blanks */
    char *text = NULL;
    assert_int_equal(wire_rdata_to_text(TYPE_TXT, data, sizeof data, &text, NULL), ERR_OK);
    assert_int_equal(strlen(text), sizeof data * 3 - 1);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_types),
        cmocka_unit_test(txt),
        cmocka_unit_test(bad_text),
        cmocka_unit_test(input_names),
        cmocka_unit_test(txt_splits_at_255),
        cmocka_unit_test(other_strings_do_not_split),
        cmocka_unit_test(long_names_are_refused),
        cmocka_unit_test(long_text_is_refused),
        cmocka_unit_test(bad_octets),
        cmocka_unit_test(longest_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
