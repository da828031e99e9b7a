/* Bodies of requests, compared with literal JSON; and what each entry of one is. */
#include "store/rqlite/request.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/jx.h"
#include "lib/mem.h"

#define TEXT(s)                                                                                    \
    {                                                                                              \
        .kind = BACKEND_TEXT, .text = (s)                                                          \
    }
#define NUMBER(n)                                                                                  \
    {                                                                                              \
        .kind = BACKEND_NUMBER, .number = (n)                                                      \
    }
#define NONE                                                                                       \
    {                                                                                              \
        .kind = BACKEND_NULL                                                                       \
    }

#define assert_err(expected, call) assert_string_equal(err_text(expected), err_text(call))

static void assert_body(const char *expected, const struct request *r)
{
    char *text = mem_xalloc(r->len + 1);
    memcpy(text, r->text, r->len);
    assert_string_equal(expected, text);
    free(text);
}

static void values(void **state)
{
    static const struct {
        struct backend_value v;
        const char *body;
    } cases[] = {
        {NONE, "[[\"S ?1\",null]]"},
        {NUMBER(INT64_MAX), "[[\"S ?1\",9223372036854775807]]"},
        {NUMBER(INT64_MIN), "[[\"S ?1\",-9223372036854775808]]"},
        {TEXT(""), "[[\"S ?1\",\"\"]]"},
        {TEXT("a\"b\\c\n\x01\x7f/"), "[[\"S ?1\",\"a\\\"b\\\\c\\u000a\\u0001\x7f/\"]]"},
        {TEXT("\xc3\xa9\xf0\x9f\x98\x80"), "[[\"S ?1\",\"\xc3\xa9\xf0\x9f\x98\x80\"]]"},
        {TEXT("x"), "[[\"S ?1\",\"x\"]]"},
        {TEXT("ax'"), "[[\"S ?1\",\"ax'\"]]"},
        /* What rqlite would take for a blob, and what is not UTF-8, goes into the statement. */
        {TEXT("x'61'"), "[[\"S (CAST(x'7827363127' AS TEXT) || ?1)\",\"\"]]"},
        {TEXT("X'"), "[[\"S (CAST(x'5827' AS TEXT) || ?1)\",\"\"]]"},
        {TEXT(" \xc2\xa0x''"), "[[\"S (CAST(x'20c2a0782727' AS TEXT) || ?1)\",\"\"]]"},
        {TEXT("a\xc3"), "[[\"S (CAST(x'61c3' AS TEXT) || ?1)\",\"\"]]"},
        {TEXT("\xff"), "[[\"S (CAST(x'ff' AS TEXT) || ?1)\",\"\"]]"},
        {TEXT("\xed\xa0\x80"), "[[\"S (CAST(x'eda080' AS TEXT) || ?1)\",\"\"]]"},
        {TEXT("\xc0\xaf"), "[[\"S (CAST(x'c0af' AS TEXT) || ?1)\",\"\"]]"},
        {TEXT("\xf4\x90\x80\x80"), "[[\"S (CAST(x'f4908080' AS TEXT) || ?1)\",\"\"]]"},
        {TEXT("\xe0\x80\x80"), "[[\"S (CAST(x'e08080' AS TEXT) || ?1)\",\"\"]]"},
    };
    struct request r = {.text = NULL};
    struct err_info info;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        request_begin(&r);
        request_add(&r, "S ?1", &cases[i].v, 1);
        assert_err(ERR_OK, request_end(&r, &info));
        assert_body(cases[i].body, &r);
    }
    request_fini(&r);
}

static void odd_among_others(void **state)
{
    const struct backend_value v[] = {TEXT("a"), TEXT("\xff"), NUMBER(3)};
    struct request r = {.text = NULL};
    struct err_info info;
    (void)state;
    request_begin(&r);
    request_add(&r, "S '?2\"' ?2 ?1 ?2 ?3", v, 3);
    request_add_check(&r, "tok");
    request_add_mark(&r);
    assert_err(ERR_OK, request_end(&r, &info));
    assert_body("[[\"S '?2\\\"' (CAST(x'ff' AS TEXT) || ?2) ?1 (CAST(x'ff' AS TEXT) || ?2) ?3\","
                "\"a\",\"\",3],[\"SELECT 1 FROM dnsd_write WHERE token = ?1\",\"tok\"],"
                "[\"SELECT coalesce(sum(seq), 0) FROM sqlite_sequence\"]]",
                &r);
    request_fini(&r);
}

/* ---- batches --------------------------------------------------------------------------------- */

#define TOKEN "[\"INSERT INTO dnsd_write(token) VALUES(?1)\",\"tok\"]"
#define GUARD "[\"INSERT INTO dnsd_guard SELECT NULL WHERE changes() = 0\"]"

static const struct backend_value pairs[] = {TEXT("a"), NUMBER(1),  TEXT("b\"\\"),
                                             NUMBER(2), TEXT("\n"), NONE};
static const struct backend_value odd_pairs[] = {TEXT("a"), NUMBER(1), TEXT("\xff"), NUMBER(2)};

static void batches(void **state)
{
    const struct {
        struct backend_statement statements[2];
        const char *body;
    } cases[] = {
        {{{.sql = "A ?1", .values = pairs, .params = 1, .sets = 1, .must_change = true},
          {.sql = "B", .sets = 1}},
         "[" TOKEN ",[\"A ?1\",\"a\"]," GUARD ",[\"B\"]]"},
        {{{.sql = "A ?1 ?2", .values = pairs, .params = 2, .sets = 2, .must_change = true},
          {.sql = "B", .sets = 0}},
         "[" TOKEN ",[\"A ?1 ?2\",\"a\",1]," GUARD ",[\"A ?1 ?2\",\"b\\\"\\\\\",2]," GUARD "]"},
        /* Many at once: JSON in JSON. */
        {{{.sql = "A", .values = pairs, .params = 2, .sets = 3, .bulk_sql = "M ?1"},
          {.sql = "B", .values = pairs, .params = 2, .sets = 3, .bulk_sql = "N ?1"}},
         "[" TOKEN ",[\"M ?1\",\"[[\\\"a\\\",1],[\\\"b\\\\\\\"\\\\\\\\\\\",2],"
         "[\\\"\\\\u000a\\\",null]]\"],"
         "[\"N ?1\",\"[[\\\"a\\\",1],[\\\"b\\\\\\\"\\\\\\\\\\\",2],[\\\"\\\\u000a\\\",null]]\"]]"},
        /* Not for one, nor where each must change something, nor for what JSON cannot say. */
        {{{.sql = "A ?1 ?2", .values = pairs, .params = 2, .sets = 1, .bulk_sql = "M ?1"},
          {.sql = "B", .sets = 0}},
         "[" TOKEN ",[\"A ?1 ?2\",\"a\",1]]"},
        {{{.sql = "A ?1 ?2", .values = odd_pairs, .params = 2, .sets = 2, .bulk_sql = "M ?1"},
          {.sql = "B", .sets = 0}},
         "[" TOKEN ",[\"A ?1 ?2\",\"a\",1],[\"A (CAST(x'ff' AS TEXT) || ?1) ?2\",\"\",2]]"},
    };
    struct request r = {.text = NULL};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct backend_batch batch = {.statements = cases[i].statements, .count = 2};
        struct request_piece p;
        struct err_info info;
        json_t *root = NULL;
        assert_true(request_piece_next(&batch, 0, &p));
        p.token = "tok";
        assert_err(ERR_OK, request_piece_body(&r, &p, &info));
        assert_body(cases[i].body, &r);
        assert_err(ERR_OK, jx_parse(r.text, r.len, &root, &info));
        assert_int_equal(json_array_size(root), request_piece_entries(&p));
        json_decref(root);
        assert_false(request_piece_next(&batch, p.to, &p));
    }
    request_fini(&r);
}

static uint64_t power(const void *ctx, size_t entry)
{
    (void)ctx;
    return (uint64_t)1 << entry;
}

static void entries(void **state)
{
    const struct backend_statement statements[] = {
        {.sql = "A ?1", .values = pairs, .params = 1, .sets = 1},
        {.sql = "B ?1 ?2", .values = pairs, .params = 2, .sets = 2, .must_change = true},
        {.sql = "C", .values = pairs, .params = 2, .sets = 3, .bulk_sql = "M ?1"},
        {.sql = "D", .sets = 0},
        {.sql = "E", .sets = 1, .must_change = true},
    };
    const struct backend_batch batch = {.statements = statements, .count = 5};
    static const struct {
        enum request_entry entry;
        size_t statement;
    } expected[] = {
        {REQUEST_TOKEN, 0},     {REQUEST_STATEMENT, 0}, {REQUEST_STATEMENT, 1},
        {REQUEST_GUARD, 1},     {REQUEST_STATEMENT, 1}, {REQUEST_GUARD, 1},
        {REQUEST_STATEMENT, 2}, {REQUEST_STATEMENT, 4}, {REQUEST_GUARD, 4},
    };
    struct request_piece p;
    uint64_t sums[5] = {1000, 0, 0, 0, 0};
    uint64_t guesses[5] = {0, 0, 0, 0, 7};
    static const uint64_t expected_sums[5] = {1002, 4 + 16, 64, 0, 128};
    static const uint64_t expected_guesses[5] = {0, 2, 0, 0, 8};
    (void)state;
    assert_true(request_piece_next(&batch, 0, &p));
    p.token = "tok";
    assert_int_equal(sizeof expected / sizeof expected[0], request_piece_entries(&p));
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        size_t statement = 99;
        assert_int_equal(expected[i].entry, request_piece_entry(&p, i, &statement));
        assert_int_equal(expected[i].statement, statement);
    }
    request_piece_sum(&p, power, NULL, sums);
    request_piece_guess(&p, guesses);
    assert_memory_equal(expected_sums, sums, sizeof sums);
    assert_memory_equal(expected_guesses, guesses, sizeof guesses);
    size_t statement = 99;
    p.token = NULL;
    assert_int_equal(REQUEST_STATEMENT, request_piece_entry(&p, 0, &statement));
    assert_int_equal(0, statement);
}

static void pieces(void **state)
{
    enum { SETS = 2 * REQUEST_PIECE_SETS + 10 };
    struct backend_value *v = mem_xalloc(SETS * sizeof *v);
    for (size_t i = 0; i < SETS; i++) {
        v[i] = (struct backend_value)TEXT("name");
    }
    const struct backend_statement statements[] = {
        {.sql = "A", .values = v, .params = 1, .sets = SETS, .bulk_sql = "M ?1"},
        {.sql = "B", .values = v, .params = 1, .sets = 3, .bulk_sql = "N ?1"},
    };
    struct backend_batch batch = {.statements = statements, .count = 2, .divisible = true};
    struct request_piece p;
    struct request r = {.text = NULL};
    struct err_info info;
    (void)state;
    assert_true(request_piece_next(&batch, 0, &p));
    assert_int_equal(REQUEST_PIECE_SETS, p.to);
    assert_int_equal(2, request_piece_entries(&p));
    assert_true(request_piece_next(&batch, p.to, &p));
    assert_int_equal(2 * REQUEST_PIECE_SETS, p.to);
    assert_int_equal(1, request_piece_entries(&p)); /* the other has no such sets */
    assert_true(request_piece_next(&batch, p.to, &p));
    assert_int_equal(SETS, p.to);
    assert_err(ERR_OK, request_piece_body(&r, &p, &info));
    assert_body("[[\"M ?1\",\"[[\\\"name\\\"],[\\\"name\\\"],[\\\"name\\\"],[\\\"name\\\"],"
                "[\\\"name\\\"],[\\\"name\\\"],[\\\"name\\\"],[\\\"name\\\"],[\\\"name\\\"],"
                "[\\\"name\\\"]]\"]]",
                &r);
    assert_false(request_piece_next(&batch, p.to, &p));
    assert_true(request_is_large(&batch));
    batch.divisible = false;
    assert_true(request_piece_next(&batch, 0, &p));
    assert_int_equal(SETS, p.to);
    request_fini(&r);
    free(v);
}

/* Large values make small pieces, but never none. */
static void pieces_by_size(void **state)
{
    char *huge = mem_xalloc(REQUEST_PIECE_BYTES);
    memset(huge, 'x', REQUEST_PIECE_BYTES - 1);
    const struct backend_value v[] = {TEXT(huge), TEXT(huge), TEXT("a")};
    const struct backend_statement st = {.sql = "A ?1", .values = v, .params = 1, .sets = 3};
    const struct backend_batch batch = {.statements = &st, .count = 1, .divisible = true};
    struct request_piece p;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_true(request_piece_next(&batch, i, &p));
        assert_int_equal(i + 1, p.to);
    }
    free(huge);
}

static void too_large(void **state)
{
    char *huge = mem_xalloc(REQUEST_MAX);
    memset(huge, 'x', REQUEST_MAX - 1);
    const struct backend_value v = TEXT(huge);
    const struct backend_statement st = {.sql = "A ?1", .values = &v, .params = 1, .sets = 1};
    const struct backend_batch batch = {.statements = &st, .count = 1};
    struct request r = {.text = NULL};
    struct request_piece p;
    struct err_info info;
    (void)state;
    assert_true(request_piece_next(&batch, 0, &p));
    assert_err(ERR_LIMIT, request_piece_body(&r, &p, &info));
    assert_true(r.len <= REQUEST_MAX);
    huge[REQUEST_MAX / 2] = '\0'; /* the same request may be used again */
    assert_err(ERR_OK, request_piece_body(&r, &p, &info));
    request_fini(&r);
    free(huge);
}

static void nothing_to_do(void **state)
{
    const struct backend_statement st = {.sql = "A"};
    const struct backend_batch none = {.count = 0};
    const struct backend_batch empty = {.statements = &st, .count = 1};
    struct request_piece p;
    (void)state;
    assert_false(request_piece_next(&none, 0, &p));
    assert_false(request_piece_next(&empty, 0, &p));
    assert_false(request_is_large(&empty));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),    cmocka_unit_test(odd_among_others),
        cmocka_unit_test(batches),   cmocka_unit_test(entries),
        cmocka_unit_test(pieces),    cmocka_unit_test(pieces_by_size),
        cmocka_unit_test(too_large), cmocka_unit_test(nothing_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
