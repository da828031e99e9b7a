/* args.c: words and options in any order. */
#include "tools/args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ARGV_MAX 12

static enum err parse(const char *const *words, struct args *out, struct err_info *info)
{
    char *argv[ARGV_MAX + 1] = {(char *)"dnsctl"};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++) {
        argv[argc] = (char *)words[argc - 1];
    }
    return args_parse(argc, argv, out, info);
}

static void options_and_words_come_in_any_order(void **state)
{
    static const struct {
        const char *argv[ARGV_MAX];
        unsigned given;
        const char *words[6];
        const char *config, *ttl;
    } cases[] = {
        {{NULL}, 0, {NULL}, NULL, NULL},
        {{"records", "list"}, 0, {"records", "list"}, NULL, NULL},
        {{"-c", "f", "a"}, ARGS_CONFIG, {"a"}, "f", NULL},
        {{"a", "--config=f"}, ARGS_CONFIG, {"a"}, "f", NULL},
        {{"a", "--config", "f", "b"}, ARGS_CONFIG, {"a", "b"}, "f", NULL},
        {{"--json", "a", "--dry-run", "-", "--replace"},
         ARGS_JSON | ARGS_DRY_RUN | ARGS_REPLACE,
         {"a", "-"},
         NULL,
         NULL},
        {{"--ttl", "5", "a"}, ARGS_TTL, {"a"}, NULL, "5"},
        {{"--ttl=", "a"}, ARGS_TTL, {"a"}, NULL, ""},
        {{"--ttl", "-5"}, ARGS_TTL, {NULL}, NULL, "-5"},
        {{"--ttl=1", "--ttl=2"}, ARGS_TTL, {NULL}, NULL, "2"},
        {{"a", "--", "--json", "-x", "--"}, 0, {"a", "--json", "-x", "--"}, NULL, NULL},
        {{"-h"}, ARGS_HELP, {NULL}, NULL, NULL},
        {{"--id", "b", "--hosting=h", "--out", "o", "--ack-url", "u", "--all", "--ttl", "1h"},
         ARGS_ID | ARGS_HOSTING | ARGS_OUT | ARGS_ACK_URL | ARGS_ALL | ARGS_TTL,
         {NULL},
         NULL,
         "1h"},
        {{"--help", "--version"}, ARGS_HELP | ARGS_VERSION, {NULL}, NULL, NULL},
        {{""}, 0, {""}, NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct args args;
        size_t words = 0;
        print_message("case %zu\n", i);
        assert_int_equal(parse(cases[i].argv, &args, NULL), ERR_OK);
        assert_int_equal(args.given, cases[i].given);
        for (; cases[i].words[words] != NULL; words++) {
            assert_true(words < args.count);
            assert_string_equal(args.words[words], cases[i].words[words]);
        }
        assert_int_equal(args.count, words);
        assert_string_equal(args.config != NULL ? args.config : "(none)",
                            cases[i].config != NULL ? cases[i].config : "(none)");
        assert_string_equal(args.ttl != NULL ? args.ttl : "(none)",
                            cases[i].ttl != NULL ? cases[i].ttl : "(none)");
    }
}

/* Each value lands in its own place. */
static void values_are_kept_apart(void **state)
{
    static const char *const argv[] = {"--id=1",  "--hosting=2", "--out=3", "--ack-url=4",
                                       "--ip=5",  "--ipv6=6",    "--url=7", "--reason=8",
                                       "--ttl=9", NULL};
    struct args args;
    (void)state;
    assert_int_equal(parse(argv, &args, NULL), ERR_OK);
    const char *const values[] = {args.id,   args.hosting, args.out,    args.ack_url, args.ip,
                                  args.ipv6, args.url,     args.reason, args.ttl};
    for (size_t i = 0; i < COUNT(values); i++) {
        const char expect[] = {(char)('1' + (char)i), '\0'};
        assert_string_equal(values[i], expect);
    }
}

static void what_is_wrong_is_said(void **state)
{
    static const struct {
        const char *argv[ARGV_MAX];
        const char *why;
    } cases[] = {
        {{"--jsno"}, "unknown option --jsno; did you mean --json?"},
        {{"--dryrun"}, "unknown option --dryrun; did you mean --dry-run?"},
        {{"--tll=5"}, "unknown option --tll; did you mean --ttl?"},
        {{"--frobnicate"}, "unknown option --frobnicate"},
        {{"-x"}, "unknown option -x"},
        {{"-c"}, "-c needs a value"},
        {{"--ttl"}, "--ttl needs a value"},
        {{"--ttl", "--json"}, "--ttl needs a value"},
        {{"--json=yes"}, "--json takes no value"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct args args;
        struct err_info info = {.text = ""};
        assert_int_equal(parse(cases[i].argv, &args, &info), ERR_MALFORMED);
        assert_string_equal(info.text, cases[i].why);
    }
}

static void a_very_long_unknown_option_is_cut(void **state)
{
    static char text[2000] = "--";
    const char *argv[] = {text, NULL};
    struct args args;
    struct err_info info = {.text = ""};
    (void)state;
    memset(text + 2, 'x', sizeof text - 3);
    assert_int_equal(parse(argv, &args, &info), ERR_MALFORMED);
    assert_int_equal(strlen(info.text), sizeof info.text - 1);
}

static void words_have_a_limit(void **state)
{
    static char *argv[ARGS_WORDS_MAX + 2];
    struct args args;
    struct err_info info = {.text = ""};
    (void)state;
    for (size_t i = 0; i < COUNT(argv); i++) {
        argv[i] = (char *)"w";
    }
    assert_int_equal(args_parse(ARGS_WORDS_MAX + 1, argv, &args, &info), ERR_OK);
    assert_int_equal(args.count, ARGS_WORDS_MAX);
    assert_int_equal(args_parse(ARGS_WORDS_MAX + 2, argv, &args, &info), ERR_MALFORMED);
}

static void an_option_of_another_command_is_named(void **state)
{
    const char *argv[] = {"--json", "--ttl", "5", "--ip=192.0.2.1", NULL};
    struct args args;
    (void)state;
    assert_int_equal(parse(argv, &args, NULL), ERR_OK);
    assert_string_equal(args_not_allowed(&args, ARGS_COMMON), "--ttl");
    assert_string_equal(args_not_allowed(&args, ARGS_COMMON | ARGS_TTL), "--ip");
    assert_null(args_not_allowed(&args, ARGS_COMMON | ARGS_TTL | ARGS_IP));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_words_come_in_any_order),
        cmocka_unit_test(values_are_kept_apart),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(a_very_long_unknown_option_is_cut),
        cmocka_unit_test(words_have_a_limit),
        cmocka_unit_test(an_option_of_another_command_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
