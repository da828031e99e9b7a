/* lib/cfg: the tree and its lines, merging, what YAML is refused, and reading by a table. */
#include "lib/cfg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct cfg *parse(const char *text)
{
    struct cfg *c = cfg_new();
    cfg_add(c, "f.yml", text, strlen(text));
    return c;
}

static void expect_problems(struct cfg *c, const char *expected)
{
    struct str s = {.text = NULL};
    cfg_problems_text(c, &s);
    assert_string_equal(s.text != NULL ? s.text : "", expected);
    str_free(&s);
}

static const char *text_at(const struct cfg *c, const char *path)
{
    const struct cfg_node *n = cfg_find(c, path);
    return n != NULL && n->kind == CFG_SCALAR ? n->text : NULL;
}

/* ---- the tree ---- */

static void nodes_remember_kind_line_and_place(void **state)
{
    struct cfg *c = parse("# comment\n"
                          "dns:\n"
                          "  port: 53\n"
                          "  ip:\n"
                          "    - 127.0.0.1\n"
                          "    - '::1'\n"
                          "text: |\n"
                          "  one\n"
                          "  two\n");
    (void)state;
    const struct cfg_node *ip = cfg_find(c, "dns.ip");
    expect_problems(c, "");
    assert_true(cfg_is_whole(c));
    assert_int_equal(cfg_find(c, "dns")->kind, CFG_MAP);
    assert_int_equal(cfg_find(c, "dns.port")->line, 3);
    assert_string_equal(cfg_find(c, "dns.port")->file, "f.yml");
    assert_int_equal(ip->kind, CFG_LIST);
    assert_int_equal(ip->line, 4);
    assert_int_equal(ip->count, 2);
    assert_int_equal(ip->items[1]->line, 6);
    assert_int_equal(ip->items[1]->index, 1);
    assert_string_equal(ip->items[1]->text, "::1");
    assert_false(ip->items[1]->plain);
    assert_true(ip->items[0]->plain);
    assert_string_equal(text_at(c, "text"), "one\ntwo"); /* its last line end is layout */
    assert_null(cfg_find(c, "dns.none"));
    assert_null(cfg_find(c, "dns.port.deeper"));
    assert_null(cfg_get(NULL, "x"));
    cfg_free(c);
}

static void empty_files_are_empty_maps(void **state)
{
    static const char *const texts[] = {"",      "\n\n", "# only a comment\n",
                                        "---\n", "{}",   "\xef\xbb\xbf"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct cfg *c = parse(texts[i]);
        expect_problems(c, "");
        assert_int_equal(cfg_root(c)->count, 0);
        cfg_free(c);
    }
}

static void unset_is_nothing_null_or_a_placeholder(void **state)
{
    struct cfg *c = parse("unset:\n"
                          "  a:\n"
                          "  b: ~\n"
                          "  c: null\n"
                          "  d: ''\n"
                          "  e: REPLACE ME\n"
                          "  f: please REPLACE ME now\n"
                          "  g: ${HOME}\n"
                          "  h: \"http://${HOST}/\"\n"
                          "set:\n"
                          "  a: 'null'\n"
                          "  b: '~'\n"
                          "  c: 0\n"
                          "  d: false\n"
                          "  e: $HOME\n"
                          "  f: ${HOME\n"
                          "  g: []\n"
                          "  h: {}\n"
                          "  i: replace me\n");
    const struct cfg_node *unset = cfg_find(c, "unset");
    const struct cfg_node *set = cfg_find(c, "set");
    (void)state;
    expect_problems(c, "");
    assert_int_equal(unset->count, 8);
    assert_int_equal(set->count, 9);
    for (size_t i = 0; i < unset->count; i++) {
        assert_false(cfg_is_set(unset->items[i]));
    }
    for (size_t i = 0; i < set->count; i++) {
        assert_true(cfg_is_set(set->items[i]));
    }
    assert_false(cfg_is_set(NULL));
    cfg_free(c);
}

static void what_is_not_our_yaml_is_refused(void **state)
{
    static const struct {
        const char *text, *problem;
    } rows[] = {
        {"a: [1, 2\n", "f.yml:2: YAML: did not find expected ',' or ']', while parsing a flow "
                       "sequence that starts on line 1\n"},
        {"a: 1\n b: 2\n", "f.yml:2: YAML: mapping values are not allowed in this context\n"},
        {"a:\n\tb: 1\n", "f.yml:2: YAML: found character that cannot start any token; indent with "
                         "spaces, not with tabs\n"},
        {"a: 'x\n", "f.yml:2: YAML: found unexpected end of stream, while scanning a quoted scalar "
                    "that starts on line 1\n"},
        {"a: &x 1\n", "f.yml:1: YAML: anchors (&name) are not supported; write the value where it "
                      "is needed\n"},
        {"a: &x [1]\n", "f.yml:1: YAML: anchors (&name) are not supported; write the value where "
                        "it is needed\n"},
        {"a: 1\nb: *x\n", "f.yml:2: YAML: aliases (*name) are not supported; write the value here, "
                          "or quote it if it starts with '*'\n"},
        {"a: !!str 1\n", "f.yml:1: YAML: tags (!name) are not supported; quote the value if it "
                         "starts with '!'\n"},
        {"a: !x {b: 1}\n", "f.yml:1: YAML: tags (!name) are not supported; quote the value if it "
                           "starts with '!'\n"},
        {"- a\n", "f.yml:1: YAML: the file must be a map of sections, as in `dns:` and keys "
                  "indented below\n"},
        {"word\n", "f.yml:1: YAML: the file must be a map of sections, as in `dns:` and keys "
                   "indented below\n"},
        {"{[a]: 1}\n", "f.yml:1: YAML: a key must be a word, not a list or a map; quote it if it "
                       "starts with '[' or '{'\n"},
        {"a: \"x\\0y\"\n", "f.yml:1: YAML: a value or key contains a NUL character\n"},
        {"a: 1\n---\nb: 2\n", "f.yml:2: YAML: a second document (`---`); one file is one "
                              "document\n"},
        {"a: 1\nb: \xff\n", "f.yml:2: YAML: invalid leading UTF-8 octet; the file must be UTF-8 "
                            "text\n"},
        {"a: 1\n\nb: \x01\n", "f.yml:3: YAML: control characters are not allowed; the file must be "
                              "UTF-8 text\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cfg *c = parse(rows[i].text);
        expect_problems(c, rows[i].problem);
        assert_int_equal(cfg_problem_count(c), 1);
        assert_false(cfg_is_whole(c));
        cfg_free(c);
    }
}

static void nesting_is_bounded(void **state)
{
    char text[2 * CFG_DEPTH_MAX + 8];
    (void)state;
    for (unsigned lists = CFG_DEPTH_MAX - 1; lists <= CFG_DEPTH_MAX; lists++) {
        memcpy(text, "a: ", 3);
        memset(text + 3, '[', lists);
        memset(text + 3 + lists, ']', lists);
        text[3 + 2 * lists] = '\0';
        struct cfg *c = parse(text);
        expect_problems(c, lists < CFG_DEPTH_MAX ? "" : "f.yml:1: YAML: nested too deeply\n");
        cfg_free(c);
    }
}

static void size_and_number_are_bounded(void **state)
{
    struct str s = {.text = NULL};
    (void)state;
    str_append(&s, "a: [");
    for (unsigned i = 0; i <= CFG_NODES_MAX; i++) {
        str_append(&s, "1,");
    }
    str_append(&s, "]");
    struct cfg *c = parse(s.text);
    expect_problems(c, "f.yml:1: YAML: more than 1000000 values; that cannot be meant\n");
    cfg_free(c);
    str_free(&s);

    char *big = calloc(1, CFG_BYTES_MAX + 2);
    assert_non_null(big);
    memset(big, '#', CFG_BYTES_MAX + 1);
    c = parse(big);
    expect_problems(c, "f.yml:1: YAML: larger than 16777216 bytes; that cannot be meant\n");
    cfg_free(c);
    free(big);
}

static void duplicates_are_problems_and_the_first_stays(void **state)
{
    struct cfg *c = parse("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\na: 2\na: 3\n");
    (void)state;
    expect_problems(c, "f.yml:5: b.c: is given twice, first on line 3; keep one of them\n"
                       "f.yml:6: a: is given twice, first on line 1; keep one of them\n"
                       "f.yml:7: a: is given twice, first on line 1; keep one of them\n");
    assert_true(cfg_is_whole(c));
    assert_string_equal(text_at(c, "a"), "1");
    assert_string_equal(text_at(c, "b.c"), "1");
    assert_string_equal(text_at(c, "b.d"), "2");
    assert_int_equal(cfg_root(c)->count, 2);
    cfg_free(c);
}

static void a_hundred_thousand_keys_are_quick(void **state)
{
    struct str s = {.text = NULL};
    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        str_appendf(&s, "key%u: %u\n", i, i);
    }
    struct cfg *c = parse(s.text);
    cfg_add(c, "over.yml", s.text, s.len);
    expect_problems(c, "");
    assert_int_equal(cfg_root(c)->count, 100000);
    assert_string_equal(text_at(c, "key77777"), "77777");
    cfg_free(c);
    str_free(&s);
}

/* ---- laying one file over another ---- */

static void a_second_file_wins_key_by_key(void **state)
{
    static const char over[] = "dns:\n"
                               "  port: 54\n"
                               "  ip: [c]\n"
                               "  new: {x: 1}\n"
                               "  kept:\n"
                               "  also: REPLACE ME\n"
                               "list: word\n"
                               "more: 1\n";
    struct cfg *c = parse("dns:\n"
                          "  port: 53\n"
                          "  domain: d\n"
                          "  ip: [a, b]\n"
                          "  kept: k\n"
                          "  also: l\n"
                          "list: [1]\n");
    (void)state;
    cfg_add(c, "over.yml", over, sizeof over - 1);
    expect_problems(c, "");
    assert_string_equal(text_at(c, "dns.port"), "54");
    assert_string_equal(cfg_find(c, "dns.port")->file, "over.yml");
    assert_int_equal(cfg_find(c, "dns.port")->line, 2);
    assert_string_equal(text_at(c, "dns.domain"), "d");
    assert_string_equal(cfg_find(c, "dns.domain")->file, "f.yml");
    assert_int_equal(cfg_find(c, "dns.ip")->count, 1); /* lists replace */
    assert_string_equal(text_at(c, "dns.new.x"), "1");
    assert_string_equal(text_at(c, "dns.kept"), "k"); /* unset changes nothing */
    assert_string_equal(text_at(c, "dns.also"), "l");
    assert_string_equal(text_at(c, "list"), "word");
    assert_string_equal(text_at(c, "more"), "1");
    cfg_problem_at(c, "dns.port", "x");
    cfg_problem_at(c, "dns.domain", "x");
    cfg_problem_at(c, "dns.new.x", "x");
    expect_problems(c, "f.yml:3: dns.domain: x\n"
                       "over.yml:2: dns.port: x\n"
                       "over.yml:4: dns.new.x: x\n");
    cfg_free(c);
}

static void a_third_file_wins_over_both(void **state)
{
    struct cfg *c = parse("a: 1\nb: 1\nc: 1\n");
    (void)state;
    cfg_add(c, "second.yml", "c: 2\nb: 2\n", 10);
    cfg_add(c, "third.yml", "c: 3\n", 5);
    expect_problems(c, "");
    assert_int_equal(cfg_root(c)->count, 3);
    assert_string_equal(text_at(c, "a"), "1");
    assert_string_equal(text_at(c, "b"), "2");
    assert_string_equal(text_at(c, "c"), "3");
    cfg_free(c);
}

static void an_unset_value_may_be_filled_later(void **state)
{
    struct cfg *c = parse("dns:\nkey: REPLACE ME\n");
    (void)state;
    cfg_add(c, "over.yml", "dns: {port: 1}\nkey: k\n", 22);
    expect_problems(c, "");
    assert_string_equal(text_at(c, "dns.port"), "1");
    assert_string_equal(text_at(c, "key"), "k");
    cfg_free(c);
}

static void syntax_errors_of_all_files_are_told(void **state)
{
    struct cfg *c = parse("a: [\n");
    (void)state;
    cfg_add(c, "over.yml", "b: *x\n", 6);
    cfg_problem_file(c, "third.yml", "cannot open it");
    expect_problems(c, "f.yml:2: YAML: did not find expected node content\n"
                       "over.yml:1: YAML: aliases (*name) are not supported; write the value here, "
                       "or quote it if it starts with '*'\n"
                       "third.yml:1: cannot open it\n");
    assert_false(cfg_is_whole(c));
    cfg_free(c);
}

/* ---- problems ---- */

static void absent_keys_take_the_line_of_their_section(void **state)
{
    struct cfg *c = parse("x: 1\nletsEncrypt:\n  eab: {kid: 1}\n");
    (void)state;
    cfg_problem_at(c, "letsEncrypt.eab.hmacKey", "is missing");
    cfg_problem_at(c, "letsEncrypt.email", "is missing");
    cfg_problem_at(c, "dns.domain", "is missing");
    expect_problems(c, "f.yml:1: dns.domain: is missing\n"
                       "f.yml:2: letsEncrypt.email: is missing\n"
                       "f.yml:3: letsEncrypt.eab.hmacKey: is missing\n");
    cfg_free(c);
}

static void what_a_file_says_cannot_forge_a_line(void **state)
{
    char shown[CFG_SHOWN_MAX];
    char longer[400];
    struct cfg *c = parse("\"k\\nf.yml:9: forged\\e[31m\": 1\n");
    (void)state;
    cfg_problem(c, cfg_root(c)->items[0], "x");
    cfg_problem(c, cfg_root(c)->items[0], "a reason with\na line of its own");
    expect_problems(
        c, "f.yml:1: k\\x0af.yml:9: forged\\x1b[31m: x\n"
           "f.yml:1: k\\x0af.yml:9: forged\\x1b[31m: a reason with\\x0aa line of its own\n");
    cfg_free(c);
    assert_string_equal(cfg_shown("a\nb\x7f\xc2\x9b", shown), "\"a\\x0ab\\x7f\\x9b\"");
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(strlen(cfg_shown(longer, shown)), 64 + 3 + 2);
    memset(longer, '\x01', sizeof longer - 1);
    assert_true(strlen(cfg_shown(longer, shown)) < CFG_SHOWN_MAX);
    for (size_t i = 0; i + 1 < sizeof longer; i += 2) {
        memcpy(longer + i, "\xc3\xa9", 2);
    }
    longer[sizeof longer - 1] = '\0';
    longer[sizeof longer - 2] = '\0';
    memmove(longer + 1, longer, 300); /* so that byte 64 is in the middle of a character */
    longer[0] = 'x';
    cfg_shown(longer, shown);
    assert_memory_equal(shown + strlen(shown) - 6, "\xc3\xa9...\"", 6);
}

static void problems_are_told_up_to_a_number(void **state)
{
    struct cfg *c = parse("a: 1\n");
    struct str s = {.text = NULL};
    (void)state;
    for (unsigned i = 0; i < CFG_PROBLEMS_MAX + 7; i++) {
        cfg_problem_at(c, "a", "no %u", i);
        cfg_note_at(c, "a", "yes");
    }
    cfg_problems_text(c, &s);
    assert_int_equal(cfg_problem_count(c), CFG_PROBLEMS_MAX + 7);
    assert_non_null(strstr(s.text, "f.yml:1: a: no 199\n... and 7 more\n"));
    assert_null(strstr(s.text, "no 200"));
    assert_null(strstr(s.text, "yes"));
    str_free(&s);
    cfg_notes_text(c, &s);
    assert_memory_equal(s.text, "f.yml:1: a: yes\n", 16);
    str_free(&s);
    cfg_free(c);
}

/* ---- reading by a table ---- */

struct target {
    bool flag;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    int64_t i64;
    char *text;
    char *secret;
    char *deep;
    unsigned calls;
};

static enum err no_x(const char *text, struct err_info *info)
{
    return strchr(text, 'x') == NULL ? ERR_OK : err_set(info, ERR_MALFORMED, "must not have an x");
}

static void count_item(struct cfg *c, const struct cfg_node *item, void *ctx)
{
    (void)c;
    (void)item;
    (*(unsigned *)ctx)++;
}

static void count_call(struct cfg *c, const struct cfg_node *node, void *field)
{
    cfg_each(c, node, 3, count_item, field);
}

static const struct cfg_key deep_keys[] = {
    {.name = "deep", .type = CFG_TEXT, CFG_TO(struct target, deep)}, {.type = CFG_END}};
static const struct cfg_section deep = {.strict = CFG_SHARED, .keys = deep_keys};

static const struct cfg_key ours_keys[] = {
    {.name = "flag", .type = CFG_BOOL, CFG_TO(struct target, flag)},
    {.name = "u8", .type = CFG_INT, .min = 0, .max = 255, CFG_TO(struct target, u8)},
    {.name = "u16", .type = CFG_INT, .min = 0, .max = 65535, CFG_TO(struct target, u16)},
    {.name = "u32", .type = CFG_INT, .min = 1, .max = UINT32_MAX, CFG_TO(struct target, u32)},
    {.name = "i64", .type = CFG_INT, .min = -5, .max = INT64_MAX, CFG_TO(struct target, i64)},
    {.name = "text", .type = CFG_TEXT, .check = no_x, CFG_TO(struct target, text)},
    {.name = "secret",
     .type = CFG_TEXT,
     .secret = true,
     .check = no_x,
     CFG_TO(struct target, secret)},
    {.name = "list", .type = CFG_CUSTOM, .read = count_call, CFG_TO(struct target, calls)},
    {.name = "shared", .type = CFG_SECTION, .section = &deep},
    {.name = "bycode", .type = CFG_CODE},
    {.name = "useless", .type = CFG_IGNORED, .why = "it is of no use"},
    {.name = "gone", .type = CFG_REFUSED, .why = "went away"},
    {.type = CFG_END},
};
static const struct cfg_section ours = {.strict = CFG_OURS, .keys = ours_keys};

static const struct cfg_key top_keys[] = {{.name = "ours", .type = CFG_SECTION, .section = &ours},
                                          {.type = CFG_END}};
static const char *const foreign[] = {"hours", NULL};
static const struct cfg_section top = {.strict = CFG_TOP, .keys = top_keys, .foreign = foreign};

static void target_free(struct target *t)
{
    free(t->text);
    free(t->secret);
    free(t->deep);
}

static void good_values_arrive(void **state)
{
    struct target t = {.text = strdup("default")};
    struct cfg *c = parse("ours:\n"
                          "  flag: Yes\n"
                          "  u8: 255\n"
                          "  u16: \"65535\"\n"
                          "  u32: 4294967295\n"
                          "  i64: -5\n"
                          "  text: 7\n"
                          "  secret: true\n"
                          "  list: [1, ~, 2]\n"
                          "  shared: {deep: down, other: {}}\n"
                          "  bycode: {any: thing}\n");
    (void)state;
    cfg_read(c, &top, &t);
    expect_problems(c, "");
    assert_true(t.flag);
    assert_int_equal(t.u8, 255);
    assert_int_equal(t.u16, 65535);
    assert_true(t.u32 == UINT32_MAX);
    assert_int_equal(t.i64, -5);
    assert_string_equal(t.text, "7");
    assert_string_equal(t.secret, "true");
    assert_int_equal(t.calls, 2);
    assert_string_equal(t.deep, "down");
    cfg_free(c);
    target_free(&t);
}

static void booleans_are_the_words_of_yaml(void **state)
{
    static const struct {
        const char *text;
        int value; /* -1: none */
    } rows[] = {
        {"true", 1}, {"True", 1},   {"TRUE", 1}, {"yes", 1}, {"on", 1},    {"'true'", 1},
        {"no", 0},   {"false", 0},  {"Off", 0},  {"y", -1},  {"n", -1},    {"1", -1},
        {"0", -1},   {"truee", -1}, {"t", -1},   {"o", -1},  {"[on]", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct target t = {.flag = rows[i].value == 0};
        char text[64];
        snprintf(text, sizeof text, "ours: {flag: %s}\n", rows[i].text);
        struct cfg *c = parse(text);
        cfg_read(c, &top, &t);
        assert_int_equal(cfg_problem_count(c), rows[i].value < 0);
        assert_int_equal(t.flag, rows[i].value > 0);
        cfg_free(c);
    }
}

static void bad_values_show_themselves_and_what_is_allowed(void **state)
{
    static const struct {
        const char *line, *problem;
    } rows[] = {
        {"flag: maybe", "ours.flag: \"maybe\" is not true or false"},
        {"flag: [true]", "ours.flag: is a list; it must be true or false"},
        {"u8: 256", "ours.u8: 256 is out of range; 0 to 255 is allowed"},
        {"u8: -1", "ours.u8: -1 is out of range; 0 to 255 is allowed"},
        {"u8: five", "ours.u8: \"five\" is not a whole number; 0 to 255 is allowed"},
        {"u8: 1.5", "ours.u8: \"1.5\" is not a whole number; 0 to 255 is allowed"},
        {"u8: 0x10", "ours.u8: \"0x10\" is not a whole number; 0 to 255 is allowed"},
        {"u8: 010", "ours.u8: \"010\" is not a whole number; 0 to 255 is allowed"},
        {"u8: '-'", "ours.u8: \"-\" is not a whole number; 0 to 255 is allowed"},
        {"u8: {a: 1}", "ours.u8: is a map; it must be a number"},
        {"u32: 0", "ours.u32: 0 is out of range; 1 to 4294967295 is allowed"},
        {"u32: 99999999999999999999999", "ours.u32: 99999999999999999999999 is out of range; 1 to "
                                         "4294967295 is allowed"},
        {"text: axb", "ours.text: \"axb\" must not have an x"},
        {"text: [a]", "ours.text: is a list; it must be a single text"},
        {"text: \"a\\nb\"",
         "ours.text: contains a control character (a line break, a tab or the like)"},
        {"secret: axb", "ours.secret: must not have an x"},
        {"list: [1, [2]]", "ours.list[1]: is a list; each item must be a single value"},
        {"list: {a: 1}", "ours.list: is a map; it must be a single value or a list of them"},
        {"list: [1, 2, 3, 4]", "ours.list: has 4 items; at most 3 are allowed"},
        {"shared: 5", "ours.shared: is a single value; it must be a section with keys indented "
                      "below it"},
        {"gone: 1", "ours.gone: went away"},
        {"flga: 1", "ours.flga: unknown key; did you mean `flag`?"},
        {"FLAG: 1", "ours.FLAG: unknown key; did you mean `flag`?"},
        {"uselesss: 1", "ours.uselesss: unknown key; known here: flag, u8, u16, u32, i64, text, "
                        "secret, list, shared, bycode"},
    };
    char text[128];
    char expected[256];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct target t = {.u8 = 1};
        snprintf(text, sizeof text, "ours:\n  %s\n", rows[i].line);
        snprintf(expected, sizeof expected, "f.yml:2: %s\n", rows[i].problem);
        struct cfg *c = parse(text);
        cfg_read(c, &top, &t);
        expect_problems(c, expected);
        assert_int_equal(t.u8, 1); /* untouched */
        assert_null(t.text);
        cfg_free(c);
        target_free(&t);
    }
}

static void keys_of_others_are_ignored_unless_they_look_like_ours(void **state)
{
    struct target t = {.flag = false};
    struct str notes = {.text = NULL};
    struct cfg *c = parse("hours: {}\n" /* one letter away, but known to be somebody's */
                          "other: {flag: 1}\n"
                          "uors: {}\n"
                          "OURS: {}\n"
                          "ours:\n"
                          "  useless: 1\n"
                          "  shared: {depe: 1, Deep: 2, deeeep: 3, other: 4}\n");
    (void)state;
    cfg_read(c, &top, &t);
    expect_problems(c, "f.yml:3: uors: unknown section; did you mean `ours`?\n"
                       "f.yml:4: OURS: unknown section; did you mean `ours`?\n");
    cfg_notes_text(c, &notes);
    assert_string_equal(
        notes.text,
        "f.yml:6: ours.useless: has no effect here: it is of no use\n"
        "f.yml:7: ours.shared.depe: is not a key of ours and is ignored; did you mean `deep`?\n"
        "f.yml:7: ours.shared.Deep: is not a key of ours and is ignored; did you mean `deep`?\n");
    str_free(&notes);
    cfg_free(c);
    target_free(&t);
}

static void unset_values_leave_the_default(void **state)
{
    struct target t = {.u8 = 9, .flag = true, .text = strdup("default")};
    struct cfg *c = parse("ours:\n  u8: ${N}\n  flag:\n  text: REPLACE ME\n  shared:\n");
    (void)state;
    cfg_read(c, &top, &t);
    expect_problems(c, "");
    assert_int_equal(t.u8, 9);
    assert_true(t.flag);
    assert_string_equal(t.text, "default");
    cfg_free(c);
    target_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_remember_kind_line_and_place),
        cmocka_unit_test(empty_files_are_empty_maps),
        cmocka_unit_test(unset_is_nothing_null_or_a_placeholder),
        cmocka_unit_test(what_is_not_our_yaml_is_refused),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(size_and_number_are_bounded),
        cmocka_unit_test(duplicates_are_problems_and_the_first_stays),
        cmocka_unit_test(a_hundred_thousand_keys_are_quick),
        cmocka_unit_test(a_second_file_wins_key_by_key),
        cmocka_unit_test(a_third_file_wins_over_both),
        cmocka_unit_test(an_unset_value_may_be_filled_later),
        cmocka_unit_test(syntax_errors_of_all_files_are_told),
        cmocka_unit_test(absent_keys_take_the_line_of_their_section),
        cmocka_unit_test(what_a_file_says_cannot_forge_a_line),
        cmocka_unit_test(problems_are_told_up_to_a_number),
        cmocka_unit_test(good_values_arrive),
        cmocka_unit_test(booleans_are_the_words_of_yaml),
        cmocka_unit_test(bad_values_show_themselves_and_what_is_allowed),
        cmocka_unit_test(keys_of_others_are_ignored_unless_they_look_like_ours),
        cmocka_unit_test(unset_values_leave_the_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
