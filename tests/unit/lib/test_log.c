/* lib/log: what a line looks like in both forms, that no value can forge one, and the limiter. */
#include "lib/log.h"

#include "lib/str.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

/* stderr goes into a file between begin() and end(). */
static struct {
    int kept; /* the real stderr */
    int file;
    char text[256 * 1024];
} capture;

static void begin(void)
{
    char path[] = "/tmp/dnsd-test-log-XXXXXX";
    capture.file = mkstemp(path);
    assert_true(capture.file >= 0);
    unlink(path);
    assert_int_equal(fcntl(capture.file, F_SETFL, O_APPEND), 0);
    capture.kept = dup(STDERR_FILENO);
    dup2(capture.file, STDERR_FILENO);
}

static const char *end(void)
{
    dup2(capture.kept, STDERR_FILENO);
    close(capture.kept);
    ssize_t n = pread(capture.file, capture.text, sizeof capture.text - 1, 0);
    close(capture.file);
    assert_true(n >= 0);
    capture.text[n] = '\0';
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    return capture.text;
}

/* A text line without its time, which is checked for its form. */
static const char *after_time(const char *line)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ ";
    for (size_t i = 0; i < sizeof form - 1; i++) {
        if (form[i] == 'd') {
            assert_in_range(line[i], '0', '9');
        } else {
            assert_int_equal(line[i], form[i]);
        }
    }
    return line + sizeof form - 1;
}

static void a_text_line_reads_as_promised(void **state)
{
    (void)state;
    begin();
    LOG_WARN("net", "listening", LOG_S("address", "127.0.0.1"), LOG_N("port", 53));
    LOG_INFO("net", "no fields");
    const char *text = end();
    assert_string_equal(strchr(text, '\n') + 1 + 25, "info net: no fields\n");
    *strchr((char *)text, '\n') = '\0';
    assert_string_equal(after_time(text), "warn net: listening address=127.0.0.1 port=53");
}

static void values_that_need_it_are_quoted_and_escaped(void **state)
{
    static const struct {
        const char *value, *shown;
    } rows[] = {
        {"plain-1.2", "plain-1.2"},
        {"", "\"\""},
        {"two words", "\"two words\""},
        {"a=b", "\"a=b\""},
        {"say \"x\"", "\"say \\\"x\\\"\""},
        {"back\\slash", "\"back\\\\slash\""},
        {"x\n2020 error net: forged", "\"x\\u000a2020 error net: forged\""},
        {"\x1b[31m", "\"\\u001b[31m\""},
        {"\x7f", "\"\\u007f\""},
        {"caf\xc3\xa9", "\"caf\xc3\xa9\""},
        {"\xe2\x82\xac \xf0\x9f\x98\x80", "\"\xe2\x82\xac \xf0\x9f\x98\x80\""},
        {"\xc2\x9b"
         "1m",
         "\"\\u009b1m\""}, /* C1: a terminal may obey it */
        {"\xff"
         "a",
         "\"\\u00ffa\""},                              /* not UTF-8 */
        {"\xc3", "\"\\u00c3\""},                       /* cut in the middle */
        {"\xc0\xaf", "\"\\u00c0\\u00af\""},            /* overlong */
        {"\xed\xa0\x80", "\"\\u00ed\\u00a0\\u0080\""}, /* a surrogate */
        {"\xf4\x90\x80\x80", "\"\\u00f4\\u0090\\u0080\\u0080\""},
    };
    char expected[256];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin();
        LOG_INFO("t", "m", LOG_S("v", rows[i].value));
        const char *text = end();
        snprintf(expected, sizeof expected, "info t: m v=%s\n", rows[i].shown);
        assert_string_equal(after_time(text), expected);
    }
}

static json_t *one_json_line(const char *text)
{
    json_error_t error;
    assert_non_null(strchr(text, '\n'));
    assert_ptr_equal(strchr(text, '\n') + 1, text + strlen(text));
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL) {
        fail_msg("%s in %s", error.text, text);
    }
    return json;
}

static const char *member(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    assert_non_null(text);
    return text;
}

static void a_json_line_is_one_object(void **state)
{
    (void)state;
    begin();
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    LOG_ERROR("net", "a \"b\"\n\xff", LOG_S("v", "x\ty\\ \xc3\xa9 \xc3"), LOG_N("n", INT64_MIN));
    json_t *json = one_json_line(end());
    assert_string_equal(member(json, "level"), "error");
    assert_string_equal(member(json, "module"), "net");
    assert_string_equal(member(json, "message"), "a \"b\"\n\xc3\xbf");
    assert_string_equal(member(json, "v"), "x\ty\\ \xc3\xa9 \xc3\x83");
    assert_true(json_integer_value(json_object_get(json, "n")) == INT64_MIN);
    assert_int_equal(strlen(member(json, "time")), 24);
    json_decref(json);
}

/* All lengths of message and value around the limit, in characters of one to four bytes and in
 * escapes: the line stays one line, in JSON form an object that parses. */
static void a_long_line_is_cut_but_whole(void **state)
{
    static const char *const units[] = {"a",  "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                        "\n", "\"",       "\xff"};
    (void)state;
    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
        for (size_t n = 100; n < 3 * LOG_LINE_MAX; n += n < 2200 ? 17 : 700) {
            struct str s = {.text = NULL};
            for (size_t i = 0; i < n; i++) {
                str_append(&s, units[u]);
            }
            begin();
            LOG_INFO("t", s.text);
            LOG_INFO("t", "m", LOG_S("v", s.text), LOG_N("after", 1));
            log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
            LOG_INFO("t", s.text, LOG_N("after", 1));
            LOG_INFO("t", "m", LOG_N("before", 1), LOG_S("v", s.text), LOG_S("w", s.text));
            char *at = (char *)end();
            for (int i = 0; i < 4; i++) {
                char *eol = strchr(at, '\n');
                assert_non_null(eol);
                assert_true(eol + 1 - at <= LOG_LINE_MAX);
                char after = eol[1];
                eol[1] = '\0';
                if (i >= 2) {
                    json_t *json = one_json_line(at);
                    assert_non_null(json_object_get(json, i == 2 ? "after" : "before"));
                    json_decref(json);
                }
                eol[1] = after;
                at = eol + 1;
            }
            assert_int_equal(*at, '\0');
            str_free(&s);
        }
    }
}

static void levels_hold_back_what_is_below(void **state)
{
    (void)state;
    begin();
    log_setup(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    assert_true(log_enabled(LOG_LEVEL_ERROR));
    assert_true(log_enabled(LOG_LEVEL_WARN));
    assert_false(log_enabled(LOG_LEVEL_INFO));
    LOG_INFO("t", "held back");
    LOG_DEBUG("t", "held back");
    LOG_ERROR("t", "told");
    assert_string_equal(after_time(end()), "error t: told\n");
}

static void words_name_levels_and_formats(void **state)
{
    enum log_level level = LOG_LEVEL_INFO;
    enum log_format format = LOG_FORMAT_TEXT;
    (void)state;
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_true(log_level_parse("error", &level));
    assert_int_equal(level, LOG_LEVEL_ERROR);
    assert_false(log_level_parse("Error", &level));
    assert_false(log_level_parse("", &level));
    assert_int_equal(level, LOG_LEVEL_ERROR);
    assert_true(log_format_parse("json", &format));
    assert_int_equal(format, LOG_FORMAT_JSON);
    assert_true(log_format_parse("text", &format));
    assert_false(log_format_parse("xml", &format));
    assert_int_equal(format, LOG_FORMAT_TEXT);
}

static void the_limiter_counts_what_it_held(void **state)
{
    struct log_limit l = {.next_ms = 0};
    uint64_t held = 99;
    (void)state;
    assert_true(log_limit_pass(&l, 1000, 500, &held));
    assert_int_equal(held, 0);
    assert_false(log_limit_pass(&l, 1001, 500, &held));
    assert_false(log_limit_pass(&l, 1499, 500, &held));
    assert_true(log_limit_pass(&l, 1500, 500, &held));
    assert_int_equal(held, 2);
    assert_true(log_limit_pass(&l, 9000, 500, &held));
    assert_int_equal(held, 0);
}

#define WRITERS 4
#define LINES   200

static void *write_lines(void *ctx)
{
    for (int i = 0; i < LINES; i++) {
        LOG_INFO("t", "line", LOG_N("writer", (intptr_t)ctx), LOG_N("i", i));
    }
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    pthread_t threads[WRITERS];
    unsigned writer, i, count = 0;
    (void)state;
    begin();
    for (intptr_t t = 0; t < WRITERS; t++) {
        assert_int_equal(pthread_create(&threads[t], NULL, write_lines, (void *)t), 0);
    }
    for (size_t t = 0; t < WRITERS; t++) {
        pthread_join(threads[t], NULL);
    }
    char *at = (char *)end();
    for (char *eol; (eol = strchr(at, '\n')) != NULL; at = eol + 1) {
        *eol = '\0';
        assert_int_equal(sscanf(after_time(at), "info t: line writer=%u i=%u", &writer, &i), 2);
        count++;
    }
    assert_int_equal(count, WRITERS * LINES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_line_reads_as_promised),
        cmocka_unit_test(values_that_need_it_are_quoted_and_escaped),
        cmocka_unit_test(a_json_line_is_one_object),
        cmocka_unit_test(a_long_line_is_cut_but_whole),
        cmocka_unit_test(levels_hold_back_what_is_below),
        cmocka_unit_test(words_name_levels_and_formats),
        cmocka_unit_test(the_limiter_counts_what_it_held),
        cmocka_unit_test(lines_of_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
