/* Replies, as literal JSON; real ones and such as no rqlite would give. */
#include "store/rqlite/reply.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define assert_err(expected, call) assert_string_equal(err_text(expected), err_text(call))

static void read_200(struct reply *r, const char *body, size_t entries)
{
    reply_read(r, 200, NULL, body, strlen(body), entries);
}

static const struct judged {
    unsigned status;
    const char *body;
    size_t entries;
    enum reply_kind kind;
    enum err e;
    const char *words; /* in the message */
    size_t at;
} judged[] = {
    {200, "{\"results\":[{},{\"rows_affected\":2}]}", 2, REPLY_OK, ERR_OK, "", 0},
    {200, "{\"results\":[{\"error\":\"UNIQUE constraint failed: dnsd_write.token\"}]}", 2,
     REPLY_BEFORE, ERR_CONFLICT, "", 0},
    {200,
     "{\"results\":[{\"last_insert_id\":2},{},{},"
     "{\"error\":\"NOT NULL constraint failed: dnsd_guard.nothing_changed\"}]}",
     5, REPLY_UNCHANGED, ERR_CONFLICT, "not as expected", 3},
    {200, "{\"results\":[{\"error\":\"UNIQUE constraint failed: t.k\"}]}", 1, REPLY_FAILED,
     ERR_MALFORMED, "not as this program makes them (UNIQUE constraint failed: t.k)", 0},
    {200, "{\"results\":[{},{\"error\":\"no such table: t\"}]}", 2, REPLY_MISSING, ERR_MALFORMED,
     "no such table: t", 1},
    {200, "{\"results\":[{\"error\":\"database or disk is full\"}]}", 1, REPLY_UNKNOWN, ERR_IO,
     "free some space", 0},
    {200, "{\"results\":[{\"error\":\"database is locked\"}]}", 1, REPLY_LATER, ERR_BUSY, "locked",
     0},
    /* Of the request as a whole. */
    {200, "{\"results\":[],\"error\":\"not leader\"}", 1, REPLY_LATER, ERR_UNAVAIL, "no leader", 0},
    {200, "{\"results\":[],\"error\":\"leadership lost while committing log\"}", 1, REPLY_UNKNOWN,
     ERR_UNAVAIL, "lost", 0},
    {200, "{\"results\":[],\"error\":\"stale read\"}", 1, REPLY_STALE, ERR_UNAVAIL, "", 0},
    {200, "{\"results\":[],\"error\":\"store not ready\"}", 1, REPLY_LATER, ERR_UNAVAIL, "starting",
     0},
    {200, "{\"results\":[],\"error\":\"store not open\"}", 1, REPLY_LATER, ERR_UNAVAIL, "starting",
     0},
    {200,
     "{\"results\":[],\"error\":\"node failed to process Execute on remote node at 10.0.0.1:4002: "
     "not leader\"}",
     1, REPLY_LATER, ERR_UNAVAIL, "no leader", 0},
    {200,
     "{\"results\":[],\"error\":\"node failed to process Execute on remote node at 10.0.0.1:4002: "
     "leadership lost while committing log\"}",
     1, REPLY_UNKNOWN, ERR_UNAVAIL, "lost", 0},
    {200,
     "{\"results\":[],\"error\":\"node failed to process Execute on remote node at 10.0.0.1:4002: "
     "dial tcp 10.0.0.1:4002: connect: connection refused\"}",
     1, REPLY_LATER, ERR_UNAVAIL, "leader cannot be reached", 0},
    {200,
     "{\"results\":[],\"error\":\"node failed to process Execute on remote node at 10.0.0.1:4002: "
     "EOF\"}",
     1, REPLY_UNKNOWN, ERR_UNAVAIL, "EOF", 0},
    {200, "{\"results\":[],\"error\":\"timed out enqueuing operation\"}", 1, REPLY_LATER,
     ERR_UNAVAIL, "overloaded", 0},
    {200, "{\"results\":[],\"error\":\"raft is already shutdown\"}", 1, REPLY_UNKNOWN, ERR_UNAVAIL,
     "shutdown", 0},
    {200, "{\"results\":[],\"error\":\"write /x/raft.db: no space left on device\"}", 1,
     REPLY_UNKNOWN, ERR_IO, "free some space", 0},
    {200, "{\"error\":\"\\u001b[31m\\nred\"}", 1, REPLY_UNKNOWN, ERR_UNAVAIL, " [31m red", 0},
    /* Nobody knows what these mean. */
    {200, "", 1, REPLY_UNKNOWN, ERR_MALFORMED, "JSON", 0},
    {200, "{\"results\":[{\"rows_aff", 1, REPLY_UNKNOWN, ERR_MALFORMED, "JSON", 0},
    {200, "[]", 1, REPLY_UNKNOWN, ERR_MALFORMED, "not an object", 0},
    {200, "<html>", 1, REPLY_UNKNOWN, ERR_MALFORMED, "JSON", 0},
    {200, "{}", 1, REPLY_UNKNOWN, ERR_MALFORMED, "no results", 0},
    {200, "{\"results\":{}}", 1, REPLY_UNKNOWN, ERR_MALFORMED, "no results", 0},
    {200, "{\"results\":[]}", 1, REPLY_UNKNOWN, ERR_MALFORMED, "0 answers to 1", 0},
    {200, "{\"results\":[{},{}]}", 1, REPLY_UNKNOWN, ERR_MALFORMED, "2 answers to 1", 0},
    {200, "{\"results\":[{},{\"error\":\"x\"}]}", 1, REPLY_UNKNOWN, ERR_MALFORMED, "2 answers", 0},
    {200, "{\"results\":[1]}", 1, REPLY_UNKNOWN, ERR_MALFORMED, "not an object", 0},
    {200, "{\"results\":[{\"error\":1}]}", 1, REPLY_UNKNOWN, ERR_MALFORMED, "no text", 0},
    {200, "{\"results\":[{}],\"error\":{}}", 1, REPLY_UNKNOWN, ERR_MALFORMED, "no text", 0},
    {200, "{\"results\":[{}],\"results\":[{}]}", 1, REPLY_UNKNOWN, ERR_MALFORMED, "duplicate", 0},
    {200,
     "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 1,
     REPLY_UNKNOWN, ERR_LIMIT, "deeper", 0},
    /* Statuses. */
    {503, "leader not found\n", 1, REPLY_LATER, ERR_UNAVAIL, "no leader", 0},
    {503, "<html>busy</html>", 1, REPLY_LATER, ERR_UNAVAIL, "busy", 0},
    {500, "leader address: something", 1, REPLY_UNKNOWN, ERR_UNAVAIL, "something", 0},
    {500, "", 1, REPLY_UNKNOWN, ERR_UNAVAIL, "does not say", 0},
    {500, "json: unsupported value: +Inf", 1, REPLY_FAILED, ERR_MALFORMED, "+Inf", 0},
    {502, "bad gateway", 1, REPLY_UNKNOWN, ERR_UNAVAIL, "bad gateway", 0},
    {401, "", 1, REPLY_FAILED, ERR_DENIED, "password", 0},
    {401, "remote Execute not authorized", 1, REPLY_FAILED, ERR_DENIED, "password", 0},
    {301, "", 1, REPLY_FAILED, ERR_UNAVAIL, "http://elsewhere:4001/db", 0},
    {302, "", 1, REPLY_FAILED, ERR_UNAVAIL, "elsewhere", 0},
    {404, "nothing\there", 1, REPLY_FAILED, ERR_MALFORMED, "HTTP 404, nothing here", 0},
    {400, "no statements", 1, REPLY_FAILED, ERR_MALFORMED, "HTTP 400", 0},
    {204, "", 1, REPLY_FAILED, ERR_MALFORMED, "HTTP 204", 0},
    {100, "", 1, REPLY_FAILED, ERR_MALFORMED, "HTTP 100", 0},
};

static void judgements(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof judged / sizeof judged[0]; i++) {
        const struct judged *c = &judged[i];
        struct reply r;
        reply_read(&r, c->status, "http://elsewhere:4001/db", c->body, strlen(c->body), c->entries);
        if (c->kind != r.kind || c->e != r.e || strstr(r.info.text, c->words) == NULL) {
            fail_msg("%u %s: kind %d, %s, \"%s\"", c->status, c->body, (int)r.kind, err_text(r.e),
                     r.info.text);
        }
        assert_int_equal(c->at, r.at);
        assert_true((r.kind == REPLY_OK) == (r.e == ERR_OK));
        reply_fini(&r);
    }
}

/* No reply at all: it depends on whether the request may have got there. */
static void no_reply(void **state)
{
    static const struct {
        enum err given;
        bool sent;
        enum reply_kind kind;
        enum err e;
    } cases[] = {
        {ERR_UNAVAIL, false, REPLY_LATER, ERR_UNAVAIL},
        {ERR_UNAVAIL, true, REPLY_UNKNOWN, ERR_UNAVAIL},
        {ERR_TIMEOUT, false, REPLY_LATER, ERR_UNAVAIL},
        {ERR_TIMEOUT, true, REPLY_UNKNOWN, ERR_UNAVAIL},
        {ERR_LIMIT, true, REPLY_UNKNOWN, ERR_LIMIT},
        {ERR_MALFORMED, true, REPLY_UNKNOWN, ERR_MALFORMED},
        {ERR_MALFORMED, false, REPLY_FAILED, ERR_MALFORMED},
        {ERR_DENIED, true, REPLY_FAILED, ERR_DENIED},
        {ERR_CANCELED, true, REPLY_FAILED, ERR_CANCELED},
        {ERR_NOMEM, true, REPLY_UNKNOWN, ERR_NOMEM},
        {ERR_NOMEM, false, REPLY_FAILED, ERR_NOMEM},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reply r;
        reply_none(&r, cases[i].given, "why", cases[i].sent);
        assert_int_equal(cases[i].kind, r.kind);
        assert_err(cases[i].e, r.e);
        assert_string_equal("why", r.info.text);
        reply_fini(&r);
    }
}

/* Foreign words are cut to a decent length, not inside a character. */
static void long_words(void **state)
{
    char body[2048] = "{\"error\":\"";
    struct reply r;
    (void)state;
    for (size_t i = strlen(body); i < 1500; i += 2) {
        memcpy(body + i, "\xc3\xa9", 3);
    }
    strcat(body, "\"}");
    read_200(&r, body, 1);
    assert_int_equal(REPLY_UNKNOWN, r.kind);
    assert_true(strlen(r.info.text) < 256);
    assert_int_equal(0, strlen(r.info.text) % 2);
    reply_fini(&r);
}

static void changes(void **state)
{
    static const char body[] =
        "{\"results\":[{\"last_insert_id\":3},{\"rows_affected\":9223372036854775807},"
        "{\"rows_affected\":-1},{\"rows_affected\":\"2\"},{\"rows_affected\":null},{},"
        "{\"rows_affected\":5,\"time\":0.1}],\"time\":1.5}";
    static const uint64_t expected[] = {0, INT64_MAX, 0, 0, 0, 0, 5};
    struct reply r;
    (void)state;
    read_200(&r, body, 7);
    assert_int_equal(REPLY_OK, r.kind);
    for (size_t i = 0; i < 7; i++) {
        assert_true(expected[i] == reply_changes(&r, i));
    }
    reply_fini(&r);
}

/* One row of cells as text: n-12 t:abc 0 */
static void cells_text(const struct reply_rows *rows, char *out, size_t cap)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < rows->rows * rows->columns; i++) {
        const struct backend_value *v = &rows->cells[i];
        if (v->kind == BACKEND_TEXT) {
            len += (size_t)snprintf(out + len, cap - len, "t:%s ", v->text);
        } else if (v->kind == BACKEND_NUMBER) {
            len += (size_t)snprintf(out + len, cap - len, "n%lld ", (long long)v->number);
        } else {
            len += (size_t)snprintf(out + len, cap - len, "0 ");
        }
    }
}

static void rows(void **state)
{
    static const struct {
        const char *result;
        size_t columns;
        bool one_row;
        enum err e;
        const char *cells;
    } cases[] = {
        {"{\"columns\":[\"a\"],\"types\":[\"text\"]}", 1, false, ERR_OK, ""},
        {"{}", 1, false, ERR_OK, ""},
        {"{\"values\":null}", 1, false, ERR_OK, ""},
        {"{\"values\":[]}", 1, false, ERR_OK, ""},
        {"{\"values\":[[1,\"a\"],[null,\"\"]]}", 2, false, ERR_OK, "n1 t:a 0 t: "},
        {"{\"values\":[[9223372036854775807,-9223372036854775808]]}", 2, true, ERR_OK,
         "n9223372036854775807 n-9223372036854775808 "},
        {"{\"values\":[[1.5,1e+300,3.0,12345678901.5]]}", 4, true, ERR_OK,
         "t:1.5 t:1e+300 n3 t:12345678901.5 "},
        {"{\"values\":[[true,false,\"a\\u0000b\",\"\\u003ca\\u003e\\ufffd\"]]}", 4, true, ERR_OK,
         "n1 n0 t:a t:<a>\xef\xbf\xbd "},
        /* A real that is too large for a whole number, as Go writes it, beside others. */
        {"{\"values\":[[100000000000000000000,7,\"x\",9007199254740993]]}", 4, true, ERR_OK,
         "t:1e+20 n7 t:x t:9.00719925474099e+15 "},
        {"{\"values\":{}}", 1, false, ERR_MALFORMED, ""},
        {"{\"values\":[[1],[2]]}", 1, true, ERR_MALFORMED, ""},
        {"{}", 1, true, ERR_MALFORMED, ""},
        {"{\"values\":[[1,2]]}", 1, false, ERR_MALFORMED, ""},
        {"{\"values\":[[1],[]]}", 1, false, ERR_MALFORMED, ""},
        {"{\"values\":[[1],null]}", 1, false, ERR_MALFORMED, ""},
        {"{\"values\":[1]}", 1, false, ERR_MALFORMED, ""},
        {"{\"values\":[{\"a\":1}]}", 1, false, ERR_MALFORMED, ""},
        {"{\"values\":[[[1]]]}", 1, false, ERR_MALFORMED, ""},
        {"{\"values\":[[{}]]}", 1, false, ERR_MALFORMED, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[400];
        char text[400];
        struct reply r;
        struct reply_rows out = {.rows = 0};
        struct err_info info = {.text = ""};
        snprintf(body, sizeof body, "{\"results\":[{},%s]}", cases[i].result);
        read_200(&r, body, 2);
        assert_int_equal(REPLY_OK, r.kind);
        struct sqltext_shape shape = {.columns = cases[i].columns, .one_row = cases[i].one_row};
        enum err e = reply_rows(&r, 1, shape, &out, &info);
        if (e != cases[i].e) {
            fail_msg("%s: %s %s", body, err_text(e), info.text);
        }
        if (e == ERR_OK) {
            cells_text(&out, text, sizeof text);
            assert_string_equal(cases[i].cells, text);
            for (size_t k = 0; k < out.columns; k++) { /* a caller may look at what is not there */
                assert_int_equal(BACKEND_NULL, out.cells[out.rows * out.columns + k].kind);
            }
        } else {
            assert_true(info.text[0] != '\0');
        }
        reply_rows_fini(&out);
        reply_fini(&r);
    }
}

static void versions(void **state)
{
    static const struct {
        const char *version;
        bool known;
    } cases[] = {
        {NULL, false},
        {"", false},
        {"8", false},
        {"v8", false},
        {"8.31.3", false},
        {"8.32.0", true},
        {"v8.43.4", true},
        {"v8.26.8", false},
        {"9", true},
        {"9.0.0", true},
        {"v10.2.1", true},
        {"7.99.0", false},
        {"8.", false},
        {"8.x", false},
        {"unknown", false},
        {"8.320", true},
        {"-9", false},
        {"v9-dev", true},
        {"8.99999999999999999", false},
        {"99999999999999999999", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (reply_linearizable(cases[i].version) != cases[i].known) {
            fail_msg("%s", cases[i].version);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judgements), cmocka_unit_test(no_reply), cmocka_unit_test(long_words),
        cmocka_unit_test(changes),    cmocka_unit_test(rows),     cmocka_unit_test(versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
