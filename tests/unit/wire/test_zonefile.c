/* Zone files: what is read from literal text, and which line each error names. */
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
#include "lib/str.h"

static struct wire_name apex(void)
{
    struct wire_name name;
    assert_int_equal(wire_name_from_text("mc.example.com", NULL, &name, NULL), ERR_OK);
    return name;
}

static enum err collect(void *ctx, const struct wire_zone_rr *rr, struct err_info *info)
{
    char owner[WIRE_NAME_TEXT_MAX];
    char type[WIRE_TYPE_TEXT_MAX];
    char *text = NULL;
    enum err e = wire_rdata_to_text(rr->type, rr->rdata, rr->len, &text, info);
    assert_int_equal(e, ERR_OK);
    wire_name_to_text(&rr->owner, owner);
    wire_type_to_text(rr->type, type);
    str_appendf(ctx, "%s %u %s %s\n", owner, rr->ttl, type, text);
    free(text);
    return ERR_OK;
}

static enum err read_zone(const char *text, size_t len, struct str *out, struct err_info *info)
{
    struct wire_name origin = apex();
    FILE *in = fmemopen((void *)text, len, "r");
    assert_non_null(in);
    str_append(out, "");
    enum err e = wire_zone_read(in, &origin, 300, collect, out, info);
    fclose(in);
    return e;
}

static void zones_that_are_read(void **state)
{
    static const struct {
        const char *text;
        const char *records;
    } rows[] = {
        {"\n", ""},
        {"; nothing\n  ; here\n\t\n", ""},
        {"a A 192.0.2.1", "a.mc.example.com. 300 A 192.0.2.1\n"},
        {"a A 192.0.2.1\r\n\tTXT x\r\n",
         "a.mc.example.com. 300 A 192.0.2.1\na.mc.example.com. 300 TXT \"x\"\n"},
        {"@ 5 IN A 192.0.2.1 ; with a comment\n", "mc.example.com. 5 A 192.0.2.1\n"},
        {"a IN 5 A 192.0.2.1\nb in a 192.0.2.2\n",
         "a.mc.example.com. 5 A 192.0.2.1\nb.mc.example.com. 5 A 192.0.2.2\n"},
        {"$TTL 1h\na 5 A 192.0.2.1\nb A 192.0.2.2\n",
         "a.mc.example.com. 5 A 192.0.2.1\nb.mc.example.com. 3600 A 192.0.2.2\n"},
        {"$ORIGIN sub\nX A 192.0.2.1\n$ORIGIN example.org.\ny A 192.0.2.2\nz. A 192.0.2.3\n",
         "X.sub.mc.example.com. 300 A 192.0.2.1\ny.example.org. 300 A 192.0.2.2\n"
         "z. 300 A 192.0.2.3\n"},
        {"@ SOA ns admin (\n 1 ; serial\n 2h\n3 4 5 )\n",
         "mc.example.com. 300 SOA ns.mc.example.com. admin.mc.example.com. 1 7200 3 4 5\n"},
        {"a TXT one two \"thr;ee\" ( \"fo(ur\"\n five )\n",
         "a.mc.example.com. 300 TXT \"one\" \"two\" \"thr;ee\" \"fo(ur\" \"five\"\n"},
        {"a TXT \"x\\\"\\\\\" ; c\n", "a.mc.example.com. 300 TXT \"x\\\"\\\\\"\n"},
        {"a TXT x\\;y\\(\n", "a.mc.example.com. 300 TXT \"x;y(\"\n"},
        {"a HTTPS 1 . alpn=\"h2,h3\" ; c\n", "a.mc.example.com. 300 HTTPS 1 . alpn=h2,h3\n"},
        {"a TYPE65280 \\# 2 ( ab\ncd )\n", "a.mc.example.com. 300 TYPE65280 \\# 2 abcd\n"},
        {"1 A 192.0.2.1\n 2 A 192.0.2.2\n",
         "1.mc.example.com. 300 A 192.0.2.1\n1.mc.example.com. 2 A 192.0.2.2\n"},
        {"a\\.b MX 10 x.y\n", "a\\.b.mc.example.com. 300 MX 10 x.y.mc.example.com.\n"},
        {"a 2147483647 A 192.0.2.1\n", "a.mc.example.com. 2147483647 A 192.0.2.1\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct str out = {.text = NULL};
        struct err_info info = {.text = ""};
        if (read_zone(rows[i].text, strlen(rows[i].text), &out, &info) != ERR_OK) {
            fail_msg("%s: %s", rows[i].text, info.text);
        }
        assert_string_equal(out.text, rows[i].records);
        str_free(&out);
    }
}

static void zones_that_are_refused(void **state)
{
    static const struct {
        const char *text;
        enum err e;
        const char *says;
    } rows[] = {
        {"a A 192.0.2.1\nb A 192.0.2\n", ERR_MALFORMED, "line 2: A: \"192.0.2\" is not an IPv4"},
        {"\n\n; c\na MX 99999 b\n", ERR_MALFORMED, "line 4: MX field 1: \"99999\""},
        {"a TXT ( x\n y\n\n", ERR_MALFORMED, "line 1: a '(' without its ')'"},
        {"a TXT x )\n", ERR_MALFORMED, "line 1: a ')' without its '('"},
        {"\na TXT \"x\n\"\n", ERR_MALFORMED, "line 2: a quoted string has no end on its line"},
        {"a TXT x\\", ERR_MALFORMED, "line 1: a line ends in the middle of an escape"},
        {"a TXT x\\\n", ERR_MALFORMED, "line 1: a line ends in the middle of an escape"},
        {"a TXT (\n\n 192.0.2.1 )\nb A x\n", ERR_MALFORMED, "line 4: A: \"x\""},
        {" A 192.0.2.1\n", ERR_MALFORMED, "line 1: the first record must begin with its name"},
        {"a CH A 192.0.2.1\n", ERR_MALFORMED, "line 1: class CH is not served"},
        {"a IN IN A 192.0.2.1\n", ERR_MALFORMED, "line 1: \"IN\" is not a record type"},
        {"a 5 6 A 192.0.2.1\n", ERR_MALFORMED, "line 1: \"6\" is not a record type"},
        {"a BOGUS 1\n", ERR_MALFORMED, "line 1: \"BOGUS\" is not a record type"},
        {"a\n", ERR_MALFORMED, "line 1: a record type is missing"},
        {"a \"A\" 192.0.2.1\n", ERR_MALFORMED, "line 1: \"A\" is not a record type"},
        {"a OPT x\n", ERR_MALFORMED, "line 1: OPT is not a type that a zone holds"},
        {"a 2147483648 A 192.0.2.1\n", ERR_MALFORMED, "line 1: \"2147483648\" is not a TTL"},
        {"a..b A 192.0.2.1\n", ERR_MALFORMED, "line 1: name \"a..b\": an empty label"},
        {"\"a\" A 192.0.2.1\n", ERR_MALFORMED, "line 1: a name is missing, quoted or too long"},
        {"$TTL\n", ERR_MALFORMED, "line 1: a TTL is missing"},
        {"$TTL x\n", ERR_MALFORMED, "line 1: \"x\" is not a TTL"},
        {"$TTL 1 2\n", ERR_MALFORMED, "line 1: $TTL takes one value"},
        {"$ORIGIN\n", ERR_MALFORMED, "line 1: a name is missing"},
        {"$GENERATE 1-9 a A 192.0.2.1\n", ERR_MALFORMED, "line 1: $GENERATE is not known"},
        {"\n$INCLUDE /etc/shadow\n", ERR_DENIED, "line 2: $INCLUDE is refused"},
        {"a A \\# 3 010203\n", ERR_MALFORMED, "line 1: A: the data ends too early"},
        {"a A\n", ERR_MALFORMED, "line 1: A: the value is missing"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct str out = {.text = NULL};
        struct err_info info = {.text = ""};
        enum err e = read_zone(rows[i].text, strlen(rows[i].text), &out, &info);
        if (e != rows[i].e || strstr(info.text, rows[i].says) != info.text) {
            fail_msg("%s: %d \"%s\" is not \"%s\"", rows[i].text, e, info.text, rows[i].says);
        }
        str_free(&out);
    }
}

static void octets_that_are_no_text(void **state)
{
    struct str out = {.text = NULL};
    struct err_info info = {.text = ""};
    (void)state;
    assert_int_equal(read_zone("a A 192.0.2.1\na\0b", 17, &out, &info), ERR_MALFORMED);
    assert_string_equal(info.text, "line 2: a NUL octet; this is not a text file");
    str_free(&out);
}

static void one_line_is_bounded(void **state)
{
    size_t len = 400000;
    char *text = malloc(len);
    struct str out = {.text = NULL};
    struct err_info info = {.text = ""};
    (void)state;
    memset(text, 'x', len);
    memcpy(text, "a A 192.0.2.1\n", 14);
    assert_int_equal(read_zone(text, len, &out, &info), ERR_LIMIT);
    assert_non_null(strstr(info.text, "line 2: a record of more than"));
    memset(text + 14, ';', len - 14); /* a comment may be as long as it likes */
    assert_int_equal(read_zone(text, len, &out, &info), ERR_OK);
    str_free(&out);
    free(text);
}

static enum err refuse(void *ctx, const struct wire_zone_rr *rr, struct err_info *info)
{
    (void)ctx;
    return rr->ttl == 7 ? err_set(info, ERR_CONFLICT, "not this one") : ERR_OK;
}

static void the_callback_may_refuse(void **state)
{
    static const char text[] = "a A 192.0.2.1\nb 7 A 192.0.2.1\nc A x\n";
    struct wire_name origin = apex();
    struct err_info info = {.text = "old"};
    FILE *in = fmemopen((void *)text, sizeof text - 1, "r");
    (void)state;
    assert_int_equal(wire_zone_read(in, &origin, 300, refuse, NULL, &info), ERR_CONFLICT);
    assert_string_equal(info.text, "line 2: not this one");
    fclose(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zones_that_are_read),     cmocka_unit_test(zones_that_are_refused),
        cmocka_unit_test(octets_that_are_no_text), cmocka_unit_test(one_line_is_bounded),
        cmocka_unit_test(the_callback_may_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
