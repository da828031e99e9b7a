/* Names between text and wire form: literal octets, the limits of RFC 1035 §2.3.4, owners. */
#include "dnsd/wire/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(literal) literal, sizeof(literal) - 1
#define APEX           "\2mc\7example\3com"

static struct wire_name apex(void)
{
    struct wire_name name;
    assert_int_equal(wire_name_from_text("mc.example.com", NULL, &name, NULL), ERR_OK);
    return name;
}

static void assert_bytes(const struct wire_name *name, const char *bytes, size_t len,
                         const char *what)
{
    if (name->len != len || memcmp(name->bytes, bytes, len) != 0) {
        fail_msg("%s: other octets than expected (%u)", what, name->len);
    }
}

/* A name of LABELS labels of N octets each, as text without a dot at its end. */
static void make_text(char *out, size_t labels, size_t n)
{
    for (size_t i = 0; i < labels; i++) {
        memset(out, 'a', n);
        out += n;
        *out++ = '.';
    }
    out[-1] = '\0';
}

static void text_becomes_octets(void **state)
{
    static const struct {
        const char *text;
        const char *bytes;
        size_t len;
        unsigned labels;
    } rows[] = {
        {".", BYTES("\0"), 0},
        {"a", BYTES("\1a" APEX "\0"), 4},
        {"a.", BYTES("\1a\0"), 1},
        {"@", BYTES(APEX "\0"), 3},
        {"\\@", BYTES("\1@" APEX "\0"), 4},
        {"A.b.C.", BYTES("\1A\1b\1C\0"), 3},
        {"a\\.b.", BYTES("\3a.b\0"), 1},
        {"\\000\\255\\046x.", BYTES("\4\0\xff.x\0"), 1},
        {"\\\\.", BYTES("\1\\\0"), 1},
        {"a\\032b.", BYTES("\3a b\0"), 1},
        {"*._x-Y.", BYTES("\1*\4_x-Y\0"), 2},
    };
    struct wire_name origin = apex();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire_name name;
        struct err_info info = {.text = ""};
        if (wire_name_from_text(rows[i].text, &origin, &name, &info) != ERR_OK) {
            fail_msg("%s: %s", rows[i].text, info.text);
        }
        assert_bytes(&name, rows[i].bytes, rows[i].len, rows[i].text);
        assert_int_equal(name.labels, rows[i].labels);
    }
}

static void bad_text_is_refused(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } rows[] = {
        {"", "missing"},          {"..", "empty label"},     {".a", "empty label"},
        {"a..b", "empty label"},  {"a..", "empty label"},    {"a\\", "middle of an escape"},
        {"\\25", "three digits"}, {"\\2x5", "three digits"}, {"\\256", "more than \\255"},
        {"\\999", "\\255"},       {"a b", "blank"},          {"a\tb", "blank"},
        {"b\xc3\xbc", "xn--"},    {"a\"b", "write \\\""},    {"a;b", "write \\;"},
        {"(a)", "write \\("},     {"a\x7f", "control"},
    };
    struct wire_name origin = apex();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire_name name = {.len = 77};
        struct err_info info = {.text = ""};
        if (wire_name_from_text(rows[i].text, &origin, &name, &info) != ERR_MALFORMED ||
            strstr(info.text, rows[i].says) == NULL) {
            fail_msg("\"%s\": \"%s\" does not say \"%s\"", rows[i].text, info.text, rows[i].says);
        }
        assert_int_equal(name.len, 77);
    }
}

static void at_sign_wants_an_origin(void **state)
{
    struct wire_name name;
    (void)state;
    assert_int_equal(wire_name_from_text("@", NULL, &name, NULL), ERR_MALFORMED);
}

static void limits(void **state)
{
    char text[2048];
    struct wire_name name;
    struct wire_name origin;
    (void)state;
    make_text(text, 1, 63);
    assert_int_equal(wire_name_from_text(text, NULL, &name, NULL), ERR_OK);
    assert_int_equal(name.len, 65);
    make_text(text, 1, 64);
    assert_int_equal(wire_name_from_text(text, NULL, &name, NULL), ERR_MALFORMED);
    /* 127 labels of one octet make 255 octets; one more does not fit. */
    make_text(text, 127, 1);
    assert_int_equal(wire_name_from_text(text, NULL, &name, NULL), ERR_OK);
    assert_int_equal(name.len, 255);
    assert_int_equal(name.labels, 127);
    strcat(text, "."); /* the dot at the end costs nothing */
    assert_int_equal(wire_name_from_text(text, NULL, &name, NULL), ERR_OK);
    make_text(text, 128, 1);
    assert_int_equal(wire_name_from_text(text, NULL, &name, NULL), ERR_MALFORMED);
    /* 3 * 64 + 1 + 61 + 1 = 255, then one octet more */
    make_text(text, 3, 63);
    strcat(text, ".");
    make_text(text + strlen(text), 1, 61);
    assert_int_equal(wire_name_from_text(text, NULL, &name, NULL), ERR_OK);
    assert_int_equal(name.len, 255);
    strcat(text, "a");
    assert_int_equal(wire_name_from_text(text, NULL, &name, NULL), ERR_MALFORMED);
    /* The origin counts: 253 + "a" = 255 fits, 254 does not. */
    make_text(text, 3, 63);
    strcat(text, ".");
    make_text(text + strlen(text), 1, 59);
    assert_int_equal(wire_name_from_text(text, NULL, &origin, NULL), ERR_OK);
    assert_int_equal(origin.len, 253);
    assert_int_equal(wire_name_from_text("a", &origin, &name, NULL), ERR_OK);
    assert_int_equal(name.len, 255);
    assert_int_equal(wire_name_from_text("ab", &origin, &name, NULL), ERR_MALFORMED);
}

static void octets_become_text(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *text;
        const char *relative;
    } rows[] = {
        {BYTES("\0"), ".", "."},
        {BYTES(APEX "\0"), "mc.example.com.", "@"},
        {BYTES("\2MC\7eXample\3com\0"), "MC.eXample.com.", "@"},
        {BYTES("\3www" APEX "\0"), "www.mc.example.com.", "www"},
        {BYTES("\1a\1b\2Mc\7example\3com\0"), "a.b.Mc.example.com.", "a.b"},
        {BYTES("\1a\7example\3com\0"), "a.example.com.", "a.example.com."},
        {BYTES("\1@" APEX "\0"), "\\@.mc.example.com.", "\\@"},
        {BYTES("\5a.b\\\"\0"), "a\\.b\\\\\\\".", "a\\.b\\\\\\\"."},
        {BYTES("\6\0 \x1f\x7f\xff;\0"), "\\000\\032\\031\\127\\255\\;.",
         "\\000\\032\\031\\127\\255\\;."},
    };
    struct wire_name origin = apex();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire_name name;
        struct wire_name again;
        char text[WIRE_NAME_TEXT_MAX];
        char relative[WIRE_NAME_TEXT_MAX];
        assert_int_equal(wire_name_from_wire((const uint8_t *)rows[i].bytes, rows[i].len, &name),
                         ERR_OK);
        wire_name_to_text(&name, text);
        assert_string_equal(text, rows[i].text);
        wire_name_to_relative(&name, &origin, relative);
        assert_string_equal(relative, rows[i].relative);
        assert_int_equal(wire_name_from_text(text, &origin, &again, NULL), ERR_OK);
        assert_bytes(&again, rows[i].bytes, rows[i].len, text);
    }
}

static void longest_text_fits(void **state)
{
    struct wire_name name = {.len = 255, .labels = 4};
    struct wire_name again;
    char text[WIRE_NAME_TEXT_MAX];
    (void)state;
    memset(name.bytes, 0xff, sizeof name.bytes);
    name.bytes[0] = name.bytes[64] = name.bytes[128] = 63;
    name.bytes[192] = 61;
    name.bytes[254] = 0;
    wire_name_to_text(&name, text);
    assert_int_equal(strlen(text), 250 * 4 + 4);
    assert_int_equal(wire_name_from_text(text, NULL, &again, NULL), ERR_OK);
    assert_true(wire_name_equal(&name, &again));
}

static void wire_names_are_bounded(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        size_t takes; /* 0: refused */
    } rows[] = {
        {BYTES(""), 0},
        {BYTES("\0"), 1},
        {BYTES("\1a\0\xde\xad"), 3},
        {BYTES("\1"), 0},
        {BYTES("\1a"), 0},
        {BYTES("\3ab\0"), 0},
        {BYTES("\xc0\x0c"), 0},
        {BYTES("\1a\xc0\x0c"), 0},
        {BYTES("\x40"
               "a\0"),
         0},
        {BYTES("\x80"
               "a\0"),
         0},
    };
    uint8_t bytes[400];
    struct wire_name name;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum err e = wire_name_from_wire((const uint8_t *)rows[i].bytes, rows[i].len, &name);
        assert_int_equal(e, rows[i].takes > 0 ? ERR_OK : ERR_MALFORMED);
        if (e == ERR_OK) {
            assert_int_equal(name.len, rows[i].takes);
        }
    }
    for (size_t i = 0; i < sizeof bytes; i += 2) {
        bytes[i] = 1;
        bytes[i + 1] = 'a';
    }
    bytes[254] = 0;
    assert_int_equal(wire_name_from_wire(bytes, sizeof bytes, &name), ERR_OK);
    assert_int_equal(name.len, 255);
    bytes[254] = 1;
    bytes[256] = 0;
    assert_int_equal(wire_name_from_wire(bytes, sizeof bytes, &name), ERR_MALFORMED);
}

static void only_ascii_letters_fold(void **state)
{
    uint8_t all[256];
    (void)state;
    for (size_t i = 0; i < 256; i++) {
        all[i] = (uint8_t)i;
    }
    wire_name_fold(all, all, sizeof all);
    for (size_t i = 0; i < 256; i++) {
        assert_int_equal(all[i], i >= 'A' && i <= 'Z' ? i + 32 : i);
    }
}

static void under_is_a_matter_of_labels(void **state)
{
    static const struct {
        const char *name;
        bool under;
    } rows[] = {
        {"mc.example.com.", true},        {"MC.Example.COM.", true},
        {"a.mc.example.com.", true},      {"a.b.MC.example.com.", true},
        {"evilmc.example.com.", false},   {"x.evilmc.example.com.", false},
        {"example.com.", false},          {"mc.example.com.org.", false},
        {"a\\002mc.example.com.", false}, {".", false},
    };
    struct wire_name origin = apex();
    struct wire_name root;
    struct wire_name name;
    (void)state;
    assert_int_equal(wire_name_from_text(".", NULL, &root, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(wire_name_from_text(rows[i].name, NULL, &name, NULL), ERR_OK);
        if (wire_name_is_under(&name, &origin) != rows[i].under) {
            fail_msg("%s", rows[i].name);
        }
        assert_true(wire_name_is_under(&name, &root));
    }
}

static void owners(void **state)
{
    static const struct {
        const char *text;
        const char *becomes; /* NULL: refused, and SAYS is why */
        const char *says;
    } rows[] = {
        {"@", "mc.example.com.", ""},
        {"www", "www.mc.example.com.", ""},
        {"WWW.Dev", "www.dev.mc.example.com.", ""},
        {"*", "*.mc.example.com.", ""},
        {"*.a", "*.a.mc.example.com.", ""},
        {"_443._tcp.x-1", "_443._tcp.x-1.mc.example.com.", ""},
        {"mc.example.com.", "mc.example.com.", ""},
        {"Www.MC.example.com.", "www.mc.example.com.", ""},
        {"example.com", "example.com.mc.example.com.", ""},
        {"a.*", NULL, "whole first label"},
        {"*a", NULL, "whole first label"},
        {"**", NULL, "whole first label"},
        {"a.*.b", NULL, "whole first label"},
        {"a\\.b", NULL, "'.' may not be in a name"},
        {"a\\032b", NULL, "\\032 may not be in a name"},
        {"a/b", NULL, "'/' may not be in a name"},
        {"", NULL, "missing"},
        {".", NULL, "not under the domain mc.example.com."},
        {"www.example.org.", NULL, "not under the domain"},
        {"evilmc.example.com.", NULL, "not under the domain"},
        {"www.mc.example.com", NULL,
         "www.mc.example.com would become www.mc.example.com.mc.example.com.; write www, or end it "
         "with a dot"},
        {"MC.example.com", NULL, "write @, or end it with a dot"},
    };
    struct wire_name origin = apex();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire_name name;
        struct err_info info = {.text = ""};
        char text[WIRE_NAME_TEXT_MAX] = "";
        enum err e = wire_name_owner(rows[i].text, &origin, &name, &info);
        if (e == ERR_OK) {
            wire_name_to_text(&name, text);
        }
        if (e != (rows[i].becomes != NULL ? ERR_OK : ERR_MALFORMED) ||
            (e == ERR_OK && strcmp(text, rows[i].becomes) != 0) ||
            strstr(info.text, rows[i].says) == NULL) {
            fail_msg("\"%s\" became \"%s\" \"%s\"", rows[i].text, text, info.text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_octets),         cmocka_unit_test(bad_text_is_refused),
        cmocka_unit_test(at_sign_wants_an_origin),     cmocka_unit_test(limits),
        cmocka_unit_test(octets_become_text),          cmocka_unit_test(longest_text_fits),
        cmocka_unit_test(wire_names_are_bounded),      cmocka_unit_test(only_ascii_letters_fold),
        cmocka_unit_test(under_is_a_matter_of_labels), cmocka_unit_test(owners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
