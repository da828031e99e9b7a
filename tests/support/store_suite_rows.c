/* Records, users, cores, challenges: one store, one operation at a time. */
#include "store_suite_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- records --------------------------------------------------------------------------------- */

static void record_life(struct suite *t)
{
    assert_err(ERR_NOTFOUND, sync_record_get(&t->a, "www"));
    assert_err(ERR_OK, sync_record(&t->a, "www", NULL, "{\"a\":[\"192.0.2.1\"]}"));
    assert_err(ERR_OK, sync_record_get(&t->a, "www"));
    assert_string_equal("{\"a\":[\"192.0.2.1\"]}", t->a.out.text);
    assert_err(ERR_OK, sync_record(&t->a, "www", "{\"a\":[\"192.0.2.1\"]}", "{\"ttl\": 5}"));
    assert_err(ERR_OK, sync_record_get(&t->a, "www"));
    assert_string_equal("{\"ttl\": 5}", t->a.out.text); /* as it was given, byte for byte */
    assert_err(ERR_OK, sync_record(&t->a, "www", "{\"ttl\": 5}", NULL));
    assert_err(ERR_NOTFOUND, sync_record_get(&t->a, "www"));
}

/* Names and values that would mean something to SQL or JSON go through as they are. */
static void record_odd_names(struct suite *t)
{
    static const char *const names[] = {"@",    "*", "_dmarc", "a.b.c",
                                        "it's", "%", "a\"b",   "\xc3\xa9"};
    static const char json[] = "{\"txt\":[\"'; DROP TABLE keyValue; -- \\u0001 \\\" \xc3\xa9\"]}";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_err(ERR_OK, sync_record(&t->a, names[i], NULL, json));
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_err(ERR_OK, sync_record_get(&t->a, names[i]));
        assert_string_equal(json, t->a.out.text);
    }
    assert_err(ERR_NOTFOUND, sync_record_get(&t->a, "_dmar_")); /* no pattern */
}

/* Every wish against every state of the row: it is granted if the row is as expected. */
static void record_expectations(struct suite *t)
{
    static const char *const states[] = {NULL, "{}", "{\"x\":1}"};
    for (size_t row = 0; row < 3; row++) {
        for (size_t expect = 0; expect < 3; expect++) {
            for (size_t value = 0; value < 3; value++) {
                char name[32];
                snprintf(name, sizeof name, "n%zu%zu%zu", row, expect, value);
                assert_err(ERR_OK, sync_record(&t->a, name, NULL, states[row]));
                assert_err(row == expect ? ERR_OK : ERR_CONFLICT,
                           sync_record(&t->a, name, states[expect], states[value]));
                if (row != expect) {
                    assert_non_null(strstr(t->a.info.text, name));
                }
                size_t now = row == expect ? value : row;
                assert_err(states[now] != NULL ? ERR_OK : ERR_NOTFOUND,
                           sync_record_get(&t->a, name));
                assert_string_equal(states[now] != NULL ? states[now] : "", t->a.out.text);
            }
        }
    }
}

static void records_all_or_nothing(struct suite *t)
{
    assert_err(ERR_OK, sync_record(&t->a, "b", NULL, "{}"));
    assert_err(ERR_OK, sync_record(&t->a, "c", NULL, "{}"));
    assert_err(ERR_OK, sync_state(&t->a));
    uint64_t before = t->a.state.revision;
    const struct store_record_change changes[] = {
        {.name = "a", .value = "{\"new\":1}"},
        {.name = "b", .expect = "{}", .value = "{\"new\":1}"},
        {.name = "c", .expect = "{}"},
        {.name = "d", .expect = "{\"not\":\"there\"}", .value = "{\"new\":1}"},
        {.name = "e", .value = "{\"new\":1}"},
    };
    assert_err(ERR_CONFLICT, sync_records(&t->a, changes, 5));
    assert_non_null(strstr(t->a.info.text, "d: "));
    assert_err(ERR_OK, sync_state(&t->a));
    assert_int_equal(before, t->a.state.revision);
    assert_err(ERR_OK, sync_scan(&t->a, "", 100));
    assert_string_equal("dns-record/b={} dns-record/c={}", t->a.out.text);

    assert_err(ERR_OK, sync_records(&t->a, changes, 3));
    assert_err(ERR_OK, sync_scan(&t->a, "", 100));
    assert_string_equal("dns-record/a={\"new\":1} dns-record/b={\"new\":1}", t->a.out.text);
    assert_err(ERR_OK, sync_records(&t->a, NULL, 0)); /* nothing is done easily */
}

static void record_limits(struct suite *t)
{
    const size_t name_max = STORE_KEY_MAX - strlen("dns-record/");
    char *name = suite_text(name_max, "", "");
    char *name_over = suite_text(name_max + 1, "", "");
    char *value = suite_text(STORE_VALUE_MAX, "{\"x\":\"", "\"}");
    char *value_over = suite_text(STORE_VALUE_MAX + 1, "{\"x\":\"", "\"}");
    const struct {
        const char *name;
        const char *value;
        enum err expected;
    } cases[] = {
        {name, value, ERR_OK},
        {name_over, "{}", ERR_LIMIT},
        {"x", value_over, ERR_LIMIT},
        {"", "{}", ERR_MALFORMED},
        {"x", "", ERR_MALFORMED},
        {"x", "[]", ERR_MALFORMED},
        {"x", "\"text\"", ERR_MALFORMED},
        {"x", "{\"a\":", ERR_MALFORMED},
        {"x", "{} {}", ERR_MALFORMED},
        {"x", "{\"a\":1,\"a\":2}", ERR_MALFORMED},
        {"x", "{\"a\":\"\xff\"}", ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_err(cases[i].expected, sync_record(&t->a, cases[i].name, NULL, cases[i].value));
    }
    assert_err(ERR_OK, sync_record_get(&t->a, name));
    assert_string_equal(value, t->a.out.text);
    assert_err(ERR_LIMIT, sync_record_get(&t->a, name_over));
    assert_err(ERR_MALFORMED, sync_record_get(&t->a, ""));
    assert_err(ERR_LIMIT, sync_records(&t->a, NULL, STORE_BATCH_MAX + 1));
    free(name);
    free(name_over);
    free(value);
    free(value_over);
}

/* ---- users ----------------------------------------------------------------------------------- */

static void user_life(struct suite *t)
{
    assert_err(ERR_NOTFOUND, sync_user_get(&t->a, "ana"));
    assert_err(ERR_OK, sync_user_put(&t->a, "ana", "core-a", STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_user_get(&t->a, "ana"));
    assert_string_equal("core-a", t->a.out.text);
    assert_err(ERR_CONFLICT, sync_user_put(&t->a, "ana", "core-b", STORE_ONLY_NEW));
    assert_non_null(strstr(t->a.info.text, "core-a"));
    assert_err(ERR_OK, sync_user_get(&t->a, "ana"));
    assert_string_equal("core-a", t->a.out.text);
    assert_err(ERR_OK, sync_user_put(&t->a, "ana", "core-b", STORE_REPLACE));
    assert_err(ERR_OK, sync_user_put(&t->a, "bob", "core-b", STORE_REPLACE));
    assert_err(ERR_OK, sync_scan(&t->a, "user-core/", 10));
    assert_string_equal("user-core/ana=core-b user-core/bob=core-b", t->a.out.text);
    assert_err(ERR_OK, sync_user_delete(&t->a, "ana"));
    assert_err(ERR_NOTFOUND, sync_user_delete(&t->a, "ana"));
    assert_err(ERR_NOTFOUND, sync_user_get(&t->a, "ana"));
}

static void user_limits(struct suite *t)
{
    char *over = suite_text(STORE_KEY_MAX - strlen("user-core/") + 1, "", "");
    assert_err(ERR_LIMIT, sync_user_put(&t->a, over, "core-a", STORE_REPLACE));
    assert_err(ERR_LIMIT, sync_user_put(&t->a, "ana", over, STORE_REPLACE));
    assert_err(ERR_MALFORMED, sync_user_put(&t->a, "", "core-a", STORE_REPLACE));
    assert_err(ERR_MALFORMED, sync_user_put(&t->a, "ana", "", STORE_ONLY_NEW));
    assert_err(ERR_LIMIT, sync_user_get(&t->a, over));
    assert_err(ERR_LIMIT, sync_user_delete(&t->a, over));
    assert_err(ERR_OK, sync_scan(&t->a, "", 10));
    assert_string_equal("", t->a.out.text);
    free(over);
}

static void users_tally(struct suite *t)
{
    const struct store_user first[] = {{"ana", "a"}, {"bob", "a"}, {"cem", "b"}};
    const struct store_user second[] = {{"bob", "b"}, {"cem", "b"}, {"dan", "c"}};
    const struct store_user twice[] = {{"eva", "a"}, {"eva", "b"}};
    const struct store_user bad[] = {{"fay", "a"}, {"", "a"}};
    assert_err(ERR_OK, sync_load(&t->a, first, 3));
    assert_int_equal(3, t->a.tally.added);
    assert_int_equal(0, t->a.tally.updated + t->a.tally.unchanged);
    assert_err(ERR_OK, sync_load(&t->a, second, 3));
    assert_int_equal(1, t->a.tally.added);
    assert_int_equal(1, t->a.tally.updated);
    assert_int_equal(1, t->a.tally.unchanged);
    assert_err(ERR_OK, sync_load(&t->a, twice, 2)); /* the later one counts */
    assert_err(ERR_OK, sync_load(&t->a, NULL, 0));
    assert_int_equal(0, t->a.tally.added + t->a.tally.updated + t->a.tally.unchanged);
    assert_err(ERR_MALFORMED, sync_load(&t->a, bad, 2));
    assert_err(ERR_LIMIT, sync_load(&t->a, bad, STORE_BATCH_MAX + 1));
    assert_err(ERR_OK, sync_scan(&t->a, "", 10));
    assert_string_equal("user-core/ana=a user-core/bob=b user-core/cem=b user-core/dan=c "
                        "user-core/eva=b",
                        t->a.out.text);
}

/* ---- cores ----------------------------------------------------------------------------------- */

static void core_life(struct suite *t)
{
    const struct store_core full = {.id = "b",
                                    .url = "https://b.example",
                                    .ip = "192.0.2.2",
                                    .ipv6 = "2001:db8::2",
                                    .cname = "b.example",
                                    .hosting = "x",
                                    .available = true};
    const struct store_core bare = {.id = "a", .ip = "192.0.2.1"};
    const struct store_core moved = {.id = "b", .ip = "192.0.2.3", .available = true};
    assert_err(ERR_OK, sync_cores(&t->a));
    assert_string_equal("", t->a.out.text);
    assert_err(ERR_OK, sync_core_put(&t->a, &full, STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_core_put(&t->a, &bare, STORE_REPLACE));
    assert_err(ERR_CONFLICT, sync_core_put(&t->a, &bare, STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_user_put(&t->a, "ana", "b", STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_cores(&t->a));
    assert_string_equal("a(-,192.0.2.1,-,-,-,no):0 "
                        "b(https://b.example,192.0.2.2,2001:db8::2,b.example,x,yes):1",
                        t->a.out.text);
    assert_err(ERR_OK, sync_core_put(&t->a, &moved, STORE_REPLACE)); /* what is absent goes */
    assert_err(ERR_OK, sync_cores(&t->a));
    assert_string_equal("a(-,192.0.2.1,-,-,-,no):0 b(-,192.0.2.3,-,-,-,yes):1", t->a.out.text);
    assert_err(ERR_OK, sync_scan(&t->a, "core-info/a", 10));
    assert_string_equal("core-info/a={\"id\":\"a\",\"ip\":\"192.0.2.1\",\"available\":false}",
                        t->a.out.text);
}

static void core_unknown_members(struct suite *t)
{
    const struct store_core c = {.id = "a", .ip = "192.0.2.9", .available = true};
    suite_execute(t, "INSERT INTO keyValue VALUES('core-info/a', '{\"id\":\"a\",\"ip\":null,"
                     "\"url\":\"https://a.example\",\"rank\":[1,{\"x\":2}],\"available\":false}')");
    assert_err(ERR_OK, sync_cores(&t->a));
    assert_string_equal("a(https://a.example,-,-,-,-,no):0", t->a.out.text);
    assert_err(ERR_OK, sync_core_put(&t->a, &c, STORE_REPLACE));
    assert_err(ERR_OK, sync_scan(&t->a, "core-info/", 10));
    assert_string_equal("core-info/a={\"id\":\"a\",\"ip\":\"192.0.2.9\",\"rank\":[1,{\"x\":2}],"
                        "\"available\":true}",
                        t->a.out.text);
}

static void core_unreadable_rows(struct suite *t)
{
    const struct store_core again = {.id = "bad1", .available = true};
    suite_execute(t, "INSERT INTO keyValue VALUES('core-info/bad1', 'not JSON'),"
                     "('core-info/bad2', '[]'), ('core-info/bad3', '{\"ip\":5}'),"
                     "('core-info/bad4', '{\"available\":\"yes\"}'), ('core-info/good', '{}')");
    assert_err(ERR_OK, sync_cores(&t->a));
    assert_string_equal("good(-,-,-,-,-,yes):0", t->a.out.text);
    assert_err(ERR_OK, sync_core_put(&t->a, &again, STORE_REPLACE)); /* and can be mended */
    assert_err(ERR_OK, sync_cores(&t->a));
    assert_string_equal("bad1(-,-,-,-,-,yes):0 good(-,-,-,-,-,yes):0", t->a.out.text);
}

static void core_delete(struct suite *t)
{
    const struct store_core c = {.id = "a", .available = true};
    assert_err(ERR_NOTFOUND, sync_core_delete(&t->a, "a", false));
    assert_err(ERR_NOTFOUND, sync_core_delete(&t->a, "a", true));
    assert_err(ERR_OK, sync_core_put(&t->a, &c, STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_core_delete(&t->a, "a", false));
    assert_err(ERR_OK, sync_core_put(&t->a, &c, STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_user_put(&t->a, "ana", "a", STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_user_put(&t->a, "bob", "a", STORE_ONLY_NEW));
    assert_err(ERR_CONFLICT, sync_core_delete(&t->a, "a", false));
    assert_non_null(strstr(t->a.info.text, "2 users"));
    assert_err(ERR_OK, sync_core_delete(&t->a, "a", true));
    assert_err(ERR_OK, sync_cores(&t->a));
    assert_string_equal("", t->a.out.text);
}

static void core_limits(struct suite *t)
{
    char *over = suite_text(STORE_KEY_MAX - strlen("core-info/") + 1, "", "");
    char *huge = suite_text(STORE_VALUE_MAX, "", "");
    const struct {
        struct store_core core;
        enum err expected;
    } cases[] = {
        {{.id = ""}, ERR_MALFORMED},
        {{.id = over}, ERR_LIMIT},
        {{.id = "a", .hosting = huge}, ERR_LIMIT},
        {{.id = "a", .hosting = "\xff"}, ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_err(cases[i].expected, sync_core_put(&t->a, &cases[i].core, STORE_REPLACE));
        assert_err(cases[i].expected, sync_core_put(&t->a, &cases[i].core, STORE_ONLY_NEW));
    }
    assert_err(ERR_LIMIT, sync_core_delete(&t->a, over, true));
    free(over);
    free(huge);
}

/* Counts are right whatever statement another program uses. */
static void core_user_counts(struct suite *t)
{
    static const struct {
        const char *sql;
        const char *counts;
    } steps[] = {
        {"INSERT INTO keyValue VALUES('user-core/u1', 'a'), ('user-core/u2', 'a')", "2 0"},
        {"INSERT OR REPLACE INTO keyValue VALUES('user-core/u1', 'b')", "1 1"},
        {"INSERT INTO keyValue VALUES('user-core/u2', 'b') ON CONFLICT(key) DO UPDATE SET"
         " value = excluded.value",
         "0 2"},
        {"INSERT OR IGNORE INTO keyValue VALUES('user-core/u2', 'a')", "0 2"},
        {"UPDATE keyValue SET value = 'a' WHERE key = 'user-core/u2'", "1 1"},
        {"UPDATE keyValue SET key = 'elsewhere/u2' WHERE key = 'user-core/u2'", "0 1"},
        {"UPDATE keyValue SET key = 'user-core/u3' WHERE key = 'elsewhere/u2'", "1 1"},
        {"INSERT INTO keyValue VALUES('user-corex', 'a'), ('user-cor', 'a'), ('x', 'a')", "1 1"},
        {"DELETE FROM keyValue WHERE key = 'user-core/u1'", "1 0"},
    };
    suite_execute(t, "INSERT INTO keyValue VALUES('core-info/a', '{}'), ('core-info/b', '{}')");
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        char expected[64];
        suite_execute(t, steps[i].sql);
        assert_err(ERR_OK, sync_cores(&t->a));
        snprintf(expected, sizeof expected, "a(-,-,-,-,-,yes):%c b(-,-,-,-,-,yes):%c",
                 steps[i].counts[0], steps[i].counts[2]);
        assert_string_equal(expected, t->a.out.text);
    }
}

/* ---- challenges ------------------------------------------------------------------------------ */

static void challenge_life(struct suite *t)
{
    assert_err(ERR_OK, sync_challenges(&t->a, NULL));
    assert_string_equal("", t->a.out.text);
    assert_err(ERR_OK, sync_challenge_put(&t->a, "_acme-challenge", "v2", "o1", 200));
    assert_err(ERR_OK, sync_challenge_put(&t->a, "_acme-challenge", "v1", "o1", 100));
    assert_err(ERR_OK, sync_challenge_put(&t->a, "_acme-challenge.x", "v1", "o2", 300));
    assert_err(ERR_OK, sync_challenges(&t->a, "_acme-challenge"));
    assert_string_equal("_acme-challenge=v1(o1,100) _acme-challenge=v2(o1,200)", t->a.out.text);
    assert_err(ERR_OK, sync_challenge_put(&t->a, "_acme-challenge", "v1", "o3", 400)); /* renews */
    assert_err(ERR_OK, sync_challenges(&t->a, NULL));
    assert_string_equal("_acme-challenge=v1(o3,400) _acme-challenge=v2(o1,200) "
                        "_acme-challenge.x=v1(o2,300)",
                        t->a.out.text);
    assert_err(ERR_OK, sync_scan(&t->a, "", 10));
    assert_string_equal("challenge/_acme-challenge=v1 challenge/_acme-challenge=v2 "
                        "challenge/_acme-challenge.x=v1",
                        t->a.out.text);
    assert_err(ERR_OK, sync_challenges_purge(&t->a, 199));
    assert_err(ERR_OK, sync_challenges_purge(&t->a, 300)); /* at or before */
    assert_err(ERR_OK, sync_challenges(&t->a, NULL));
    assert_string_equal("_acme-challenge=v1(o3,400)", t->a.out.text);
    assert_err(ERR_NOTFOUND, sync_challenge_delete(&t->a, "_acme-challenge", "v2"));
    assert_err(ERR_OK, sync_challenge_delete(&t->a, "_acme-challenge", "v1"));
    assert_err(ERR_NOTFOUND, sync_challenge_delete(&t->a, "_acme-challenge", "v1"));
}

static void challenge_limits(struct suite *t)
{
    char *over = suite_text(STORE_KEY_MAX - strlen("challenge/") + 1, "", "");
    char *huge = suite_text(STORE_VALUE_MAX + 1, "", "");
    assert_err(ERR_LIMIT, sync_challenge_put(&t->a, over, "v", "o", 1));
    assert_err(ERR_LIMIT, sync_challenge_put(&t->a, "n", huge, "o", 1));
    assert_err(ERR_LIMIT, sync_challenge_put(&t->a, "n", "v", huge, 1));
    assert_err(ERR_MALFORMED, sync_challenge_put(&t->a, "", "v", "o", 1));
    assert_err(ERR_LIMIT, sync_challenge_delete(&t->a, over, "v"));
    assert_err(ERR_LIMIT, sync_challenges(&t->a, over));
    assert_err(ERR_OK, sync_challenge_put(&t->a, "n", "v", "o", INT64_MAX));
    assert_err(ERR_OK, sync_challenges(&t->a, NULL));
    assert_string_equal("n=v(o,9223372036854775807)", t->a.out.text);
    free(over);
    free(huge);
}

/* ---- heartbeats ------------------------------------------------------------------------------ */

static void beat_life(struct suite *t)
{
    const struct store_beat first = {
        .core = "b", .beat = 5, .revision = 7, .digest = "00ff", .detail = "{\"v\":1}"};
    struct store_beat again = first;
    const struct store_beat other = {
        .core = "a", .beat = INT64_MAX, .revision = 0, .digest = "", .detail = "{}"};
    const struct store_core cores[] = {{.id = "a", .available = true},
                                       {.id = "b", .available = true}};
    assert_err(ERR_OK, sync_beat_put(&t->a, &first)); /* not a core (any more) */
    assert_err(ERR_OK, sync_beats(&t->a));
    assert_string_equal("", t->a.out.text);
    assert_err(ERR_OK, sync_core_put(&t->a, &cores[0], STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_core_put(&t->a, &cores[1], STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_beat_put(&t->a, &first));
    assert_err(ERR_OK, sync_beat_put(&t->a, &other));
    again.beat = 4; /* a clock may be set back */
    again.revision = 8;
    assert_err(ERR_OK, sync_beat_put(&t->a, &again));
    assert_err(ERR_OK, sync_beats(&t->a));
    assert_string_equal("a=9223372036854775807(0,,{}) b=4(8,00ff,{\"v\":1})", t->a.out.text);
    assert_err(ERR_OK, sync_state(&t->a));
    assert_int_equal(2, t->a.state.revision); /* the cores; a heartbeat is no change of the zone */
    assert_false(t->a.state.stale);
}

static void beat_goes_with_its_core(struct suite *t)
{
    const struct store_core core = {.id = "a", .available = true};
    const struct store_beat of_a = {
        .core = "a", .beat = 1, .revision = 1, .digest = "d", .detail = "{}"};
    struct store_core other = core;
    struct store_beat of_b = of_a;
    of_b.core = other.id = "b";
    assert_err(ERR_OK, sync_core_put(&t->a, &core, STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_core_put(&t->a, &other, STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_user_put(&t->a, "alice", "b", STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_beat_put(&t->a, &of_a));
    assert_err(ERR_OK, sync_beat_put(&t->a, &of_b));
    assert_err(ERR_CONFLICT, sync_core_delete(&t->a, "b", false));
    assert_err(ERR_OK, sync_core_delete(&t->a, "a", false));
    assert_err(ERR_OK, sync_beats(&t->a));
    assert_string_equal("b=1(1,d,{})", t->a.out.text); /* nothing is written by what fails */
}

const struct suite_test suite_rows[] = {
    {"record_life", record_life},
    {"record_odd_names", record_odd_names},
    {"record_expectations", record_expectations},
    {"records_all_or_nothing", records_all_or_nothing},
    {"record_limits", record_limits},
    {"user_life", user_life},
    {"user_limits", user_limits},
    {"users_tally", users_tally},
    {"core_life", core_life},
    {"core_unknown_members", core_unknown_members},
    {"core_unreadable_rows", core_unreadable_rows},
    {"core_delete", core_delete},
    {"core_limits", core_limits},
    {"core_user_counts", core_user_counts},
    {"challenge_life", challenge_life},
    {"challenge_limits", challenge_limits},
    {"beat_life", beat_life},
    {"beat_goes_with_its_core", beat_goes_with_its_core},
    {NULL, NULL},
};
