/* The JSON of record sets: what the predecessor and operators write is read, problems are told
 * value by value, and what is written is read back to the same octets (also for generated sets). */
#include "dnsd/zone/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dnsd/wire/rdata.h"
#include "lib/str.h"

#define DEFAULT_TTL 300

static struct wire_name apex(void)
{
    struct wire_name name;
    assert_int_equal(wire_name_from_text("mc.example.com", NULL, &name, NULL), ERR_OK);
    return name;
}

static void collect(void *ctx, const char *where, const char *why)
{
    str_appendf(ctx, "%s: %s\n", where, why);
}

/* "TYPE ttl text" lines; a TTL by default in parentheses. */
static void describe(const struct record_set *set, struct str *out)
{
    str_append(out, "");
    for (size_t i = 0; i < set->count; i++) {
        const struct record_rrset *s = &set->sets[i];
        for (size_t j = 0; j < s->count; j++) {
            char type[WIRE_TYPE_TEXT_MAX];
            char *text = NULL;
            wire_type_to_text(s->type, type);
            assert_int_equal(
                wire_rdata_to_text(s->type, s->data[j].bytes, s->data[j].len, &text, NULL), ERR_OK);
            str_appendf(out, s->ttl_default ? "%s (%u) %s\n" : "%s %u %s\n", type, s->ttl, text);
            free(text);
        }
    }
}

/* JSON, what it holds, what it is written as (NULL: the same). */
static void reading(void **state)
{
    static const struct {
        const char *json;
        const char *records;
        const char *written;
    } rows[] = {
        {"{}", "", NULL},
        {"{\"a\":[\"192.0.2.2\",\"192.0.2.1\"]}", "A (300) 192.0.2.2\nA (300) 192.0.2.1\n", NULL},
        {" { \"a\" : \"192.0.2.1\" } ", "A (300) 192.0.2.1\n", "{\"a\":[\"192.0.2.1\"]}"},
        {"{\"A\":[\"192.0.2.1\"],\"a\":[\"192.0.2.1\"],\"type1\":\"192.0.2.2\"}",
         "A (300) 192.0.2.1\nA (300) 192.0.2.2\n", "{\"a\":[\"192.0.2.1\",\"192.0.2.2\"]}"},
        {"{\"aaaa\":[\"2001:DB8::1\"],\"a\":null,\"txt\":[]}", "AAAA (300) 2001:db8::1\n",
         "{\"aaaa\":[\"2001:db8::1\"]}"},
        {"{\"cname\":\"host.example.org\"}", "CNAME (300) host.example.org.\n", NULL},
        {"{\"cname\":[\"host.example.org.\"]}", "CNAME (300) host.example.org.\n",
         "{\"cname\":\"host.example.org\"}"},
        {"{\"cname\":\"host\"}", "CNAME (300) host.mc.example.com.\n",
         "{\"cname\":\"host.mc.example.com\"}"},
        {"{\"cname\":\"@\"}", "CNAME (300) mc.example.com.\n", "{\"cname\":\"mc.example.com\"}"},
        {"{\"cname\":\"localhost.\"}", "CNAME (300) localhost.\n", NULL},
        {"{\"cname\":\".\"}", "CNAME (300) .\n", NULL},
        {"{\"cname\":\"192.0.2.1.\"}", "CNAME (300) 192.0.2.1.\n", NULL},
        {"{\"cname\":\"::ffff:192.0.2.1.\"}", "CNAME (300) ::ffff:192.0.2.1.\n", NULL},
        {"{\"cname\":[\"a.b\",\"c.d\"]}", "CNAME (300) a.b.\nCNAME (300) c.d.\n", NULL},
        {"{\"txt\":[\"v=spf1 \\\"x\\\" \\\\000\",\"\"]}",
         "TXT (300) \"v=spf1 \\\"x\\\" \\\\000\"\nTXT (300) \"\"\n", NULL},
        {"{\"txt\":[\"gr\xc3\xbc\xc3\x9f\\n\"]}", "TXT (300) \"gr\\195\\188\\195\\159\\010\"\n",
         NULL},
        {"{\"txt\":[{\"text\":\"\\\"a\\\" \\\"b\\\"\"}]}", "TXT (300) \"a\" \"b\"\n", NULL},
        {"{\"txt\":{\"text\":\"\\\"\\\\255\\\\000\\\"\"}}", "TXT (300) \"\\255\\000\"\n",
         "{\"txt\":[{\"text\":\"\\\"\\\\255\\\\000\\\"\"}]}"},
        {"{\"txt\":[{\"text\":\"a b\"}]}", "TXT (300) \"a b\"\n", "{\"txt\":[\"a b\"]}"},
        {"{\"txt\":[{\"text\":\"\\\"a\\\" \\\"\\\"\"}]}", "TXT (300) \"a\" \"\"\n", NULL},
        {"{\"mx\":[{\"exchange\":\"mail.example.org\",\"priority\":10}]}",
         "MX (300) 10 mail.example.org.\n", NULL},
        {"{\"mx\":{\"exchange\":\"mail\"}}", "MX (300) 10 mail.mc.example.com.\n",
         "{\"mx\":[{\"exchange\":\"mail.mc.example.com\",\"priority\":10}]}"},
        {"{\"mx\":{\"priority\":0,\"exchange\":\"mail\"}}", "MX (300) 0 mail.mc.example.com.\n",
         "{\"mx\":[{\"exchange\":\"mail.mc.example.com\",\"priority\":0}]}"},
        {"{\"mx\":[\"5 mail.example.org\"]}", "MX (300) 5 mail.example.org.\n",
         "{\"mx\":[{\"exchange\":\"mail.example.org\",\"priority\":5}]}"},
        {"{\"caa\":[{\"flags\":0,\"tag\":\"issue\",\"value\":\"letsencrypt.org; x=\\\"y\\\"\"}]}",
         "CAA (300) 0 issue \"letsencrypt.org; x=\\\"y\\\"\"\n", NULL},
        {"{\"caa\":{\"tag\":\"iodef\",\"value\":\"\"}}", "CAA (300) 0 iodef \"\"\n",
         "{\"caa\":[{\"flags\":0,\"tag\":\"iodef\",\"value\":\"\"}]}"},
        {"{\"caa\":[\"128 issue \\\"\\\\255\\\"\"]}", "CAA (300) 128 issue \"\\255\"\n", NULL},
        {"{\"srv\":[\"0 5 443 host.example.org\"]}", "SRV (300) 0 5 443 host.example.org.\n",
         "{\"srv\":[\"0 5 443 host.example.org.\"]}"},
        {"{\"https\":[\"1 . alpn=h2\"],\"ns\":[\"ns1.example.org.\"],\"a\":[\"192.0.2.1\"]}",
         "A (300) 192.0.2.1\nNS (300) ns1.example.org.\nHTTPS (300) 1 . alpn=h2\n",
         "{\"a\":[\"192.0.2.1\"],\"ns\":[\"ns1.example.org.\"],\"https\":[\"1 . alpn=h2\"]}"},
        {"{\"type65280\":[\"\\\\# 2 abcd\"]}", "TYPE65280 (300) \\# 2 abcd\n", NULL},
        {"{\"a\":[\"192.0.2.1\"],\"ttl\":60}", "A 60 192.0.2.1\n", NULL},
        {"{\"ttl\":0,\"a\":[\"192.0.2.1\"],\"txt\":[\"x\"]}", "A 0 192.0.2.1\nTXT 0 \"x\"\n",
         "{\"a\":[\"192.0.2.1\"],\"txt\":[\"x\"],\"ttl\":0}"},
        {"{\"a\":[\"192.0.2.1\"],\"txt\":[\"x\"],\"ttls\":{\"txt\":5}}",
         "A (300) 192.0.2.1\nTXT 5 \"x\"\n", NULL},
        {"{\"a\":[\"192.0.2.1\"],\"txt\":[\"x\"],\"ttl\":60,\"ttls\":{\"TXT\":5}}",
         "A 60 192.0.2.1\nTXT 5 \"x\"\n",
         "{\"a\":[\"192.0.2.1\"],\"txt\":[\"x\"],\"ttls\":{\"a\":60,\"txt\":5}}"},
        {"{\"a\":[\"192.0.2.1\"],\"ttl\":null,\"ttls\":null}", "A (300) 192.0.2.1\n",
         "{\"a\":[\"192.0.2.1\"]}"},
        {"{\"a\":[\"192.0.2.1\"],\"ttl\":300}", "A 300 192.0.2.1\n", NULL},
    };
    struct wire_name domain = apex();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct record_set set;
        struct str problems = {.text = NULL};
        struct str records = {.text = NULL};
        assert_int_equal(
            record_from_json(rows[i].json, &domain, DEFAULT_TTL, &set, collect, &problems), ERR_OK);
        if (problems.text != NULL) {
            fail_msg("%s: %s", rows[i].json, problems.text);
        }
        describe(&set, &records);
        assert_string_equal(records.text, rows[i].records);
        char *json = record_to_json(&set, &domain);
        assert_string_equal(json, rows[i].written != NULL ? rows[i].written : rows[i].json);
        free(json);
        str_free(&records);
        record_set_free(&set);
    }
}

static void problems_are_told_one_by_one(void **state)
{
    static const struct {
        const char *json;
        const char *records;
        const char *problems[4]; /* how each begins */
    } rows[] = {
        {"{\"a\":[123,\"192.0.2.1\",\"2001:db8::1\",null]}",
         "A (300) 192.0.2.1\n",
         {"a[0]: must be a string", "a[2]: A: \"2001:db8::1\" is an IPv6 address",
          "a[3]: must be a string"}},
        {"{\"a\":123,\"txt\":[\"x\"]}", "TXT (300) \"x\"\n", {"a: must be a string"}},
        {"{\"bogus\":[\"x\"],\"constructor\":1,\"a\":\"192.0.2.1\"}",
         "A (300) 192.0.2.1\n",
         {"bogus: not a record type", "constructor: not a record type"}},
        {"{\"opt\":[\"\\\\# 0\"]}", "", {"opt[0]: OPT is not a type that a zone holds"}},
        {"{\"cname\":\"\"}", "", {"cname: CNAME: the value is missing"}},
        {"{\"cname\":\"a b\"}", "", {"cname: CNAME: too many fields"}},
        {"{\"cname\":{\"x\":1}}", "", {"cname: must be a string"}},
        {"{\"txt\":[[\"a\"],{\"text\":1},{}]}",
         "",
         {"txt[0]: must be a string", "txt[1]: text: must be a string", "txt[2]: text: missing"}},
        {"{\"mx\":[{\"priority\":10},{\"priority\":70000,\"exchange\":\"a\"},"
         "{\"priority\":1,\"exchange\":\"\"},{\"priority\":1,\"exchange\":\"192.0.2.1\"}]}",
         "",
         {"mx[0]: exchange: missing", "mx[1]: priority: must be from 0 to 65535",
          "mx[2]: MX: too few fields", "mx[3]: MX field 2: \"192.0.2.1\": this is an address"}},
        {"{\"caa\":[{\"flags\":256,\"tag\":\"a\",\"value\":\"\"},{\"tag\":\"\",\"value\":\"\"},"
         "{\"tag\":\"a-b\",\"value\":\"\"},{\"tag\":\"issue\"}]}",
         "",
         {"caa[0]: flags: must be from 0 to 255", "caa[1]: CAA field 2: a tag of 1 octet",
          "caa[2]: CAA field 2: a tag is made of", "caa[3]: value: missing"}},
        {"{\"a\":\"192.0.2.1\",\"ttl\":-1}", "A (300) 192.0.2.1\n", {"ttl: must be a number"}},
        {"{\"a\":\"192.0.2.1\",\"ttl\":\"60\"}", "A (300) 192.0.2.1\n", {"ttl: must be a number"}},
        {"{\"a\":\"192.0.2.1\",\"ttl\":2147483648}",
         "A (300) 192.0.2.1\n",
         {"ttl: must be a number"}},
        {"{\"a\":\"192.0.2.1\",\"ttl\":7,\"ttls\":{\"a\":1.5,\"x\":1}}",
         "A 7 192.0.2.1\n",
         {"ttls.a: must be a number", "ttls.x: not a record type"}},
        {"{\"a\":\"192.0.2.1\",\"ttls\":5}", "A (300) 192.0.2.1\n", {"ttls: must be an object"}},
    };
    struct wire_name domain = apex();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct record_set set;
        struct str problems = {.text = NULL};
        struct str records = {.text = NULL};
        assert_int_equal(
            record_from_json(rows[i].json, &domain, DEFAULT_TTL, &set, collect, &problems), ERR_OK);
        describe(&set, &records);
        assert_string_equal(records.text, rows[i].records);
        char *rest = NULL;
        char *line = strtok_r(problems.text, "\n", &rest);
        for (size_t j = 0; j < 4; j++, line = strtok_r(NULL, "\n", &rest)) {
            const char *expected = rows[i].problems[j];
            if ((line == NULL) != (expected == NULL) ||
                (line != NULL && strncmp(line, expected, strlen(expected)) != 0)) {
                fail_msg("%s: \"%s\" is not \"%s\"", rows[i].json, line, expected);
            }
        }
        str_free(&problems);
        str_free(&records);
        record_set_free(&set);
    }
}

static void a_row_must_be_an_object(void **state)
{
    static const char *const texts[] = {"", "[]", "\"a\"", "null", "{", "{\"a\":1,\"a\":2}"};
    struct wire_name domain = apex();
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct record_set set;
        assert_int_equal(record_from_json(texts[i], &domain, DEFAULT_TTL, &set, NULL, NULL),
                         ERR_MALFORMED);
        assert_int_equal(set.count, 0);
        record_set_free(&set);
    }
}

static void too_many_values_are_problems(void **state)
{
    struct wire_name domain = apex();
    struct record_set set;
    struct str json = {.text = NULL};
    struct str problems = {.text = NULL};
    (void)state;
    str_append(&json, "{\"a\":[\"192.0.2.255\"");
    for (int i = 0; i < RECORD_RRS_MAX; i++) {
        str_appendf(&json, ",\"192.0.2.%d\"", i);
    }
    str_append(&json, "]}");
    assert_int_equal(record_from_json(json.text, &domain, DEFAULT_TTL, &set, collect, &problems),
                     ERR_OK);
    assert_string_equal(problems.text, "a[100]: more than 100 values of A at one name\n");
    assert_int_equal(set.sets[0].count, RECORD_RRS_MAX);
    record_set_free(&set);
    str_free(&json);
    str_free(&problems);
}

/* BEGIN, EACH with numbers from 0 to COUNT - 1, END; what is told of the row. The last line, or all. */
static void read_many(const char *begin, const char *each, unsigned count, const char *end,
                      bool last_only, const char *says)
{
    struct str json = {.text = NULL};
    struct str problems = {.text = NULL};
    struct record_set set;
    struct wire_name domain = apex();
    str_append(&json, begin);
    for (unsigned i = 0; i < count; i++) {
        const char *at = strchr(each, '#');
        str_append(&json, i > 0 ? "," : "");
        str_append_n(&json, each, (size_t)(at - each));
        str_appendf(&json, "%u%s", i, at + 1);
    }
    str_append(&json, end);
    assert_int_equal(record_from_json(json.text, &domain, DEFAULT_TTL, &set, collect, &problems),
                     ERR_OK);
    const char *told = problems.text != NULL ? problems.text : "";
    if (last_only) {
        const char *before = memrchr(told, '\n', strlen(told) - 1);
        told = before != NULL ? before + 1 : told;
    }
    assert_string_equal(told, says);
    record_set_free(&set);
    str_free(&problems);
    str_free(&json);
}

/* A row of the largest size must not take seconds: what is beyond all use is not looked at. */
static void rows_beyond_all_use(void **state)
{
    (void)state;
    read_many("{", "\"type4#\":null", RECORD_MEMBERS_MAX, "}", false, "");
    read_many("{", "\"type4#\":null", RECORD_MEMBERS_MAX + 2, "}", false,
              "type4256: more than 256 members: from here on they are not read\n");
    read_many("{\"ttls\":{", "\"type4#\":1", RECORD_MEMBERS_MAX, "}}", false, "");
    read_many("{\"ttls\":{", "\"type4#\":1", RECORD_MEMBERS_MAX + 2, "}}", false,
              "ttls: more than 256 members: from here on they are not read\n");
    read_many("{\"a\":[", "#", RECORD_VALUES_MAX, "]}", true, "a[4095]: must be a string\n");
    read_many("{\"a\":[", "#", RECORD_VALUES_MAX + 2, "]}", true,
              "a[4096]: more than 4096 values: from here on they are not read\n");
    read_many("{\"a\":[", "#", RECORD_VALUES_MAX, "],\"txt\":\"x\",\"aaaa\":[1]}", true,
              "txt: more than 4096 values: from here on they are not read\n");
}

static void long_values_are_problems(void **state)
{
    static const struct {
        const char *before;
        const char *after;
        const char *problem;
    } rows[] = {
        {"{\"mx\":{\"priority\":1,\"exchange\":\"", "\"}}", "mx: exchange: too long for a name\n"},
        {"{\"caa\":{\"tag\":\"a\",\"value\":\"", "\"}}", "caa: the value is too long\n"},
        {"{\"txt\":\"", "\"}", "txt: the text is too long\n"},
    };
    struct wire_name domain = apex();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct record_set set;
        struct str json = {.text = NULL};
        struct str problems = {.text = NULL};
        str_appendf(&json, "%s%070000d%s", rows[i].before, 0, rows[i].after);
        assert_int_equal(
            record_from_json(json.text, &domain, DEFAULT_TTL, &set, collect, &problems), ERR_OK);
        assert_string_equal(problems.text, rows[i].problem);
        assert_int_equal(set.count, 0);
        str_free(&json);
        str_free(&problems);
        record_set_free(&set);
    }
}

/* One string under "txt" is one record, whatever its length. */
static void long_texts_are_cut_and_joined(void **state)
{
    static const size_t lengths[] = {0, 1, 254, 255, 256, 510, 511, 4000};
    struct wire_name domain = apex();
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct record_set set;
        struct str json = {.text = NULL};
        str_append(&json, "{\"txt\":[\"");
        for (size_t j = 0; j < lengths[i]; j++) {
            str_append(&json, "x");
        }
        str_append(&json, "\"]}");
        assert_int_equal(record_from_json(json.text, &domain, DEFAULT_TTL, &set, NULL, NULL),
                         ERR_OK);
        size_t strings = lengths[i] == 0 ? 1 : (lengths[i] + 254) / 255;
        assert_int_equal(set.sets[0].data[0].len, lengths[i] + strings);
        char *again = record_to_json(&set, &domain);
        assert_string_equal(again, json.text);
        free(again);
        str_free(&json);
        record_set_free(&set);
    }
}

/* ---- generated sets ---- */

static uint32_t seed;

static uint32_t below(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(seed >> 8) * n >> 24);
}

static size_t make_name(uint8_t *out)
{
    size_t len = 0;
    for (uint32_t labels = below(5); labels > 0; labels--) {
        uint8_t n = (uint8_t)(1 + below(below(8) == 0 ? 50 : 6));
        out[len++] = n;
        for (; n > 0; n--) {
            out[len++] = below(4) == 0 ? (uint8_t)below(256) : (uint8_t)("aB1.-@*:"[below(8)]);
        }
    }
    out[len++] = 0;
    return len;
}

static size_t make_octets(uint8_t *out, size_t max)
{
    size_t len = below((uint32_t)max + 1);
    bool text = below(2) == 0;
    for (size_t i = 0; i < len; i++) {
        out[i] = text ? (uint8_t)("ab \"\\;,\n"[below(8)]) : (uint8_t)below(256);
    }
    return len;
}

static size_t make_strings(uint8_t *out)
{
    static const size_t lengths[] = {0, 1, 5, 254, 255, 255, 255};
    size_t len = 0;
    for (uint32_t n = 1 + below(4); n > 0; n--) {
        size_t max = lengths[below(7)];
        size_t got = make_octets(out + len + 1, max);
        if (max == 255 && below(3) > 0) {
            memset(out + len + 1, 'x', 255);
            got = 255;
        }
        out[len] = (uint8_t)got;
        len += got + 1;
    }
    return len;
}

static size_t make_data(uint16_t type, uint8_t *out)
{
    size_t len = 0;
    switch (type) {
    case TYPE_CNAME:
    case TYPE_NS:
        return make_name(out);
    case TYPE_MX:
        out[0] = (uint8_t)below(256);
        out[1] = (uint8_t)below(256);
        return 2 + make_name(out + 2);
    case TYPE_TXT:
        return make_strings(out);
    case TYPE_CAA:
        out[0] = (uint8_t)below(256);
        out[1] = 3;
        memcpy(out + 2, "aZ9", 3);
        return 5 + make_octets(out + 5, 300);
    case TYPE_SVCB:
        memcpy(out, "\0\1\0\0\1", 5);
        len = make_octets(out + 8, 254); /* one alpn of so many octets */
        out[5] = (uint8_t)((len + 1) >> 8);
        out[6] = (uint8_t)(len + 1);
        out[7] = (uint8_t)len;
        return 8 + len;
    default:
        return make_octets(out, 300);
    }
}

static void generate(struct record_set *set)
{
    static const uint16_t types[] = {TYPE_A,   TYPE_NS,  TYPE_CNAME, TYPE_MX, TYPE_TXT,
                                     TYPE_TXT, TYPE_CAA, TYPE_SVCB,  65280,   TYPE_HINFO};
    uint8_t bytes[4096];
    for (uint32_t n = below(6); n > 0; n--) {
        uint16_t type = types[below(10)];
        size_t len = make_data(type, bytes);
        if (wire_rdata_check(type, bytes, len, NULL) == ERR_OK) {
            uint32_t ttl = below(3) == 0 ? below(1000) : 60;
            assert_int_equal(record_add_wire(set, type, ttl, bytes, len, NULL), ERR_OK);
        }
    }
    for (size_t i = 0; i < set->count; i++) {
        if (below(3) == 0) {
            set->sets[i].ttl = DEFAULT_TTL;
            set->sets[i].ttl_default = true;
        }
    }
}

static void generated_sets_come_back(void **state)
{
    struct wire_name domain = apex();
    size_t not_empty = 0;
    (void)state;
    for (seed = 1; seed < 5000 * 7919u; seed += 7919) {
        uint32_t keep = seed;
        struct record_set set = {.sets = NULL};
        struct record_set again;
        struct str problems = {.text = NULL};
        generate(&set);
        char *json = record_to_json(&set, &domain);
        assert_int_equal(record_from_json(json, &domain, DEFAULT_TTL, &again, collect, &problems),
                         ERR_OK);
        if (problems.text != NULL || !record_equal(&set, &again)) {
            fail_msg("seed %u: %s %s", keep, json, problems.text);
        }
        char *json2 = record_to_json(&again, &domain);
        assert_string_equal(json, json2);
        not_empty += set.count > 0 ? 1 : 0;
        free(json);
        free(json2);
        record_set_free(&set);
        record_set_free(&again);
        seed = keep;
    }
    assert_true(not_empty > 2500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading),
        cmocka_unit_test(problems_are_told_one_by_one),
        cmocka_unit_test(a_row_must_be_an_object),
        cmocka_unit_test(too_many_values_are_problems),
        cmocka_unit_test(rows_beyond_all_use),
        cmocka_unit_test(long_values_are_problems),
        cmocka_unit_test(long_texts_are_cut_and_joined),
        cmocka_unit_test(generated_sets_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
