/* peers.c: what a daemon told of its cluster, as text. */
#include "tools/peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static json_t *json(const char *text)
{
    json_t *o = json_loads(text, 0, NULL);
    assert_non_null(o);
    return o;
}

static void the_line_of_the_database(void **state)
{
    static const struct {
        const char *json, *line;
    } cases[] = {
        {"{}", ""},
        {"{\"rqlite\": null}", ""},
        {"{\"rqlite\": 5}", ""},
        {"{\"rqlite\": {\"external\": true}}", "rqlite     external, not looked after here"},
        {"{\"rqlite\": {\"external\": false, \"state\": \"ready\", \"role\": \"follower\", "
         "\"leader\": \"core-a\", \"pid\": 77, \"restarts\": 0, \"lastExit\": \"\", \"version\": "
         "\"8\", \"voters\": 3, \"nonVoters\": 1, \"unreachable\": 0}}",
         "rqlite     ready, follower of core-a, 3 voters, 1 non-voter, pid 77, version 8"},
        {"{\"rqlite\": {\"state\": \"ready\", \"role\": \"leader\", \"leader\": \"core-a\", "
         "\"voters\": 1}}",
         "rqlite     ready, leader, 1 voter"},
        {"{\"rqlite\": {\"state\": \"ready\", \"role\": \"non-voter\", \"leader\": \"core-a\", "
         "\"voters\": 2, \"nonVoters\": 2, \"unreachable\": 1}}",
         "rqlite     ready, non-voter, leader is core-a, 2 voters, 2 non-voters, 1 of them silent"},
        {"{\"rqlite\": {\"state\": \"alive\", \"role\": \"\", \"leader\": \"\", \"voters\": 3, "
         "\"unreachable\": 2, \"restarts\": 1, \"lastExit\": \"signal 9\"}}",
         "rqlite     alive, no leader, 3 voters, 2 of them silent, 1 restart, last ended: signal "
         "9"},
        {"{\"rqlite\": {\"state\": \"waiting\", \"role\": \"follower\", \"restarts\": 12, "
         "\"lastExit\": \"exit 1: no space\"}}",
         "rqlite     waiting, 12 restarts, last ended: exit 1: no space"},
        {"{\"rqlite\": {\"state\": \"broken\", \"pid\": \"x\", \"restarts\": -1, \"lastExit\": 1}}",
         "rqlite     broken"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str line = {.text = NULL};
        json_t *o = json(cases[i].json);
        peers_engine_line(o, &line);
        assert_string_equal(line.text != NULL ? line.text : "", cases[i].line);
        str_free(&line);
        json_decref(o);
    }
}

static const char told[] =
    "{\"engine\": \"rqlite\", \"revision\": 41, \"stale\": false, \"snapshotAgeMs\": 5,"
    " \"source\": \"store\", \"storeError\": null,"
    " \"rqlite\": {\"state\": \"ready\", \"leader\": \"core-b\", \"voters\": 3, \"nonVoters\": 1,"
    "              \"unreachable\": 1},"
    " \"peers\": ["
    "  {\"id\": \"core-a\", \"live\": true, \"self\": true, \"revision\": 41,"
    "   \"digest\": \"0123456789abcdef\", \"version\": \"0.2\", \"ageMs\": 10},"
    "  {\"id\": \"core-b\", \"live\": true, \"self\": false, \"revision\": 40,"
    "   \"digest\": \"fedcba9876543210\", \"version\": \"0.2\", \"ageMs\": 3000},"
    "  {\"id\": \"core-c\", \"live\": false, \"self\": false, \"revision\": 39,"
    "   \"digest\": \"00\", \"version\": \"0.1\", \"ageMs\": 61000},"
    "  {\"id\": \"core-d\", \"live\": true, \"ageMs\": -1}]}";

static void what_is_told_is_read(void **state)
{
    json_t *o = json(told);
    struct peers p;
    (void)state;
    assert_true(peers_read(o, NULL, &p));
    assert_true(p.told.rqlite && !p.told.stale);
    assert_int_equal(p.told.revision, 41);
    assert_int_equal(p.told.age_ms, 5);
    assert_string_equal(p.told.store_error, "");
    assert_string_equal(p.told.leader, "core-b");
    assert_int_equal(p.told.voters * 100 + p.told.nonvoters * 10 + p.told.unreachable, 311);
    assert_int_equal(p.told.count, 4);
    assert_ptr_equal(p.told.peers, p.items);
    assert_string_equal(p.items[1].digest, "fedcba9876543210");
    assert_int_equal(p.items[2].age_ms, 61000);
    assert_string_equal(p.items[3].version, "");
    peers_free(&p);
    json_decref(o);
}

static void the_table_of_cores(void **state)
{
    json_t *o = json(told);
    struct str out = {.text = NULL};
    struct peers p;
    (void)state;
    assert_true(peers_read(o, NULL, &p));
    peers_table(&p, &out);
    assert_string_equal(out.text, "CORE    STATE              REVISION  DIGEST    VERSION\n"
                                  "core-a  this one           41        01234567  0.2\n"
                                  "core-b  live               40        fedcba98  0.2\n"
                                  "core-c  silent since 61 s  39        00        0.1\n"
                                  "core-d  never heard        -         -\n");
    str_free(&out);
    peers_free(&p);
    json_decref(o);
}

static void a_silent_core_without_a_row_is_gone(void **state)
{
    struct store_core rows[] = {{.id = "core-a"}};
    struct db_cores known = {.items = rows, .count = 1};
    json_t *o = json(told);
    struct peers p;
    (void)state;
    assert_true(peers_read(o, &known, &p));
    assert_int_equal(p.told.count, 3);
    assert_string_equal(p.items[1].id, "core-b"); /* alive: told, row or not */
    assert_string_equal(p.items[2].id, "core-d");
    peers_free(&p);
    json_decref(o);
}

static void an_older_daemon_tells_nothing_of_it(void **state)
{
    static const char *const cases[] = {"{}", "[]", "{\"peers\": 1}", "{\"peers\": {}}"};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_t *o = json(cases[i]);
        struct peers p;
        assert_false(peers_read(o, NULL, &p));
        json_decref(o);
    }
}

static void what_is_of_another_type_is_not_told(void **state)
{
    json_t *o = json("{\"peers\": [1, null, {\"id\": 5, \"revision\": \"x\", \"live\": 1}], "
                     "\"rqlite\": [], \"revision\": null, \"engine\": 3, \"snapshotAgeMs\": \"\"}");
    struct str out = {.text = NULL};
    struct peers p;
    struct verdict v;
    (void)state;
    assert_true(peers_read(o, NULL, &p));
    assert_int_equal(p.told.count, 3);
    verdict_make(&p.told, &v);
    assert_true(v.text[0] != '\0');
    peers_table(&p, &out);
    assert_non_null(out.text);
    str_free(&out);
    peers_free(&p);
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_of_the_database),
        cmocka_unit_test(what_is_told_is_read),
        cmocka_unit_test(the_table_of_cores),
        cmocka_unit_test(a_silent_core_without_a_row_is_gone),
        cmocka_unit_test(an_older_daemon_tells_nothing_of_it),
        cmocka_unit_test(what_is_of_another_type_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
