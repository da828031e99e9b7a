/* Where new users go, and which names are taken. */
#include "store_suite_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_crowd.h"

/* Rows as another program writes them. */
#define THREE_CORES                                                                                \
    "INSERT INTO keyValue VALUES('core-info/a', '{\"available\":true}'), ('core-info/b', '{}'),"   \
    " ('core-info/c', '{\"available\":null,\"url\":null}')"

static void assert_place(struct suite *t, const char *expected, const char *name, const char *label,
                         const char *core)
{
    assert_err(ERR_OK, sync_place(&t->a, name, label, core));
    assert_string_equal(expected, t->a.out.text);
}

static void assert_users(struct suite *t, const char *expected)
{
    assert_err(ERR_OK, sync_scan(&t->a, "user-core/", 100));
    assert_string_equal(expected, t->a.out.text);
}

/* ---- one at a time --------------------------------------------------------------------------- */

/* The core with the fewest users; of equals, the first. */
static void place_fewest(struct suite *t)
{
    suite_execute(t, THREE_CORES);
    assert_place(t, "placed a", "u1", "u1", NULL);
    assert_place(t, "placed b", "u2", "u2", NULL);
    assert_place(t, "placed c", "u3", NULL, NULL); /* no label: not asked */
    assert_place(t, "placed a", "u4", "u4", NULL);
    assert_err(ERR_OK, sync_user_put(&t->a, "u5", "b", STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_user_put(&t->a, "u6", "b", STORE_ONLY_NEW));
    assert_place(t, "placed c", "u7", "u7", NULL);
    assert_place(t, "placed a", "u8", "u8", NULL);
    assert_err(ERR_OK, sync_user_delete(&t->a, "u3"));
    assert_err(ERR_OK, sync_user_put(&t->a, "u8", "b", STORE_REPLACE));
    assert_place(t, "placed c", "u9", "u9", NULL);
    assert_users(t, "user-core/u1=a user-core/u2=b user-core/u4=a user-core/u5=b user-core/u6=b"
                    " user-core/u7=c user-core/u8=b user-core/u9=c");
}

/* A placement is one change, told by the feed like any other; a refused one is none. */
static void place_feed(struct suite *t)
{
    suite_execute(t, THREE_CORES);
    assert_place(t, "placed a", "ana", "ana", NULL);
    assert_place(t, "taken a", "ana", "ana", NULL);
    assert_place(t, "name", "bob", "b", NULL);
    assert_place(t, "none", "bob", "bob", "z");
    assert_err(ERR_OK, sync_feed(&t->a, 3, 10));
    assert_string_equal("user-core/ana=a", t->a.out.text);
    assert_int_equal(4, t->a.revision);
}

/* Only a row that can be read makes a core available, and only false makes it not so. */
static void place_available(struct suite *t)
{
    static const struct {
        const char *row;
        const char *expected;
    } cases[] = {
        {"{}", "placed b"},
        {" {\"available\" : true , \"rank\" : [1]} ", "placed b"},
        {"{\"available\":null,\"ip\":null}", "placed b"},
        {"{\"ip\":\"192.0.2.1\",\"other\":5,\"x\":{\"available\":false}}", "placed b"},
        {"{\"available\":false}", "none"},
        {"{\"available\":0}", "none"},
        {"{\"available\":\"yes\"}", "none"},
        {"{\"available\":[true]}", "none"},
        {"{\"ip\":5}", "none"},
        {"{\"url\":[]}", "none"},
        {"{\"hosting\":{}}", "none"},
        {"[]", "none"},
        {"[\"available\"]", "none"},
        {"true", "none"},
        {"\"text\"", "none"},
        {"null", "none"},
        {"", "none"},
        {"not JSON", "none"},
        {"{\"available\":true", "none"},
        {"{\"available\":true} {}", "none"},
        {"{available:true}", "none"}, /* JSON5, which SQLite has come to know */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char sql[200];
        char listed[8] = "";
        snprintf(sql, sizeof sql, "INSERT INTO keyValue VALUES('core-info/b', '%s')", cases[i].row);
        suite_execute(t, sql);
        assert_place(t, cases[i].expected, "ana", "ana", NULL);
        assert_err(ERR_OK, sync_cores(&t->a));
        const char *yes = strstr(t->a.out.text, ",yes)");
        snprintf(listed, sizeof listed, "%s", yes != NULL ? "placed" : "none");
        assert_true(strncmp(cases[i].expected, listed, strlen(listed)) == 0); /* the list agrees */
        suite_execute(t, "DELETE FROM keyValue");
    }
}

/* What cannot be read keeps nobody else from being chosen, however few users it has. */
static void place_beside_unreadable(struct suite *t)
{
    suite_execute(t, "INSERT INTO keyValue VALUES('core-info/', '{}'), ('core-info/a', 'x'),"
                     " ('core-info/b', '{\"available\":false}'), ('core-info/c', '{}'),"
                     " ('core-info/d', '[}'), ('core-info0', '{}'), ('user-core/u', 'c')");
    assert_place(t, "placed c", "ana", "ana", NULL);
}

static void place_on_core(struct suite *t)
{
    suite_execute(t, THREE_CORES);
    suite_execute(t, "INSERT INTO keyValue VALUES('core-info/off', '{\"available\":false}'),"
                     " ('core-info/bad', 'not JSON')");
    assert_place(t, "placed c", "u1", "u1", "c");
    assert_place(t, "placed c", "u2", NULL, "c");
    assert_place(t, "placed off", "u3", "u3", "off"); /* whoever names it knows why */
    assert_place(t, "placed bad", "u4", "u4", "bad");
    assert_place(t, "none", "u5", "u5", "nowhere");
    assert_place(t, "taken c", "u1", "u1", "a");
    assert_users(t, "user-core/u1=c user-core/u2=c user-core/u3=off user-core/u4=bad");
}

/* Of several reasons the first is told: the user is there, the name is, there is no core. */
static void place_reasons(struct suite *t)
{
    assert_place(t, "none", "ana", "ana", NULL);
    assert_place(t, "none", "ana", "ana", "a");
    suite_execute(t, "INSERT INTO keyValue VALUES('dns-record/www', '{}')");
    assert_place(t, "name", "www", "www", NULL);
    assert_place(t, "name", "www", "www", "a");
    suite_execute(t, "INSERT INTO keyValue VALUES('user-core/www', 'gone')");
    assert_place(t, "taken gone", "www", "www", NULL);
    assert_place(t, "taken gone", "www", "www", "a");
    suite_execute(t, THREE_CORES);
    assert_place(t, "taken gone", "www", "www", NULL);
    assert_place(t, "name", "0a1b", "www", NULL); /* a token, and the name it stands for */
    assert_place(t, "name", "0a1b", "c", NULL);
    assert_place(t, "name", "0a1b", "c", "c");
    assert_place(t, "placed a", "c", NULL, NULL); /* no label: only user rows count */
    assert_place(t, "placed b", "0a1b", "0a1b", NULL);
}

/* Names that would mean something to SQL or JSON are names. */
static void place_odd_names(struct suite *t)
{
    static const char *const names[] = {"it's",     "%",     "_",  "a\"b",
                                        "\xc3\xa9", "x'00'", "?2", "\xff"};
    suite_execute(t, THREE_CORES);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_err(ERR_OK, sync_place(&t->a, names[i], names[i], i % 2 == 0 ? NULL : "b"));
        assert_true(strncmp("placed ", t->a.out.text, 7) == 0);
        assert_err(ERR_OK, sync_place(&t->a, names[i], names[i], names[i]));
        assert_true(strncmp("taken ", t->a.out.text, 6) == 0);
        assert_place(t, "none", "other", names[i], names[i]);
        assert_err(ERR_OK, sync_taken(&t->a, names[i], names[i]));
        assert_string_equal("user ", t->a.out.text);
    }
}

static void place_limits(struct suite *t)
{
    char *user = suite_text(STORE_KEY_MAX - strlen("user-core/"), "", "");
    char *user_over = suite_text(STORE_KEY_MAX - strlen("user-core/") + 1, "", "");
    char *label = suite_text(STORE_KEY_MAX - strlen("dns-record/"), "", "");
    char *label_over = suite_text(STORE_KEY_MAX - strlen("dns-record/") + 1, "", "");
    const struct {
        const char *name, *label, *core;
        enum err expected;
    } cases[] = {
        {user, label, NULL, ERR_OK},         {user, label, user, ERR_OK},
        {user_over, NULL, NULL, ERR_LIMIT},  {"ana", label_over, NULL, ERR_LIMIT},
        {"ana", NULL, user_over, ERR_LIMIT}, {"", NULL, NULL, ERR_MALFORMED},
        {"ana", "", NULL, ERR_MALFORMED},    {"ana", "ana", "", ERR_MALFORMED},
    };
    suite_execute(t, "INSERT INTO keyValue VALUES('core-info/a', '{}')");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_err(cases[i].expected,
                   sync_place(&t->a, cases[i].name, cases[i].label, cases[i].core));
    }
    assert_err(ERR_OK, sync_state(&t->a));
    assert_int_equal(2, t->a.state.revision); /* the core and one user */
    free(user);
    free(user_over);
    free(label);
    free(label_over);
}

/* ---- many at a time -------------------------------------------------------------------------- */

/* Through three stores at once, as three programs would. */
static struct crowd place_crowd(struct suite *t, bool same)
{
    struct sync third = {.store = NULL};
    suite_execute(t, THREE_CORES);
    suite_open_b(t);
    assert_err(ERR_OK, sync_open(&third, &t->loop, t->engine->options(t->place)));
    struct store *const stores[] = {t->a.store, t->b.store, third.store};
    struct crowd c = crowd_place(&t->loop, stores, 3, same);
    sync_close(&third);
    return c;
}

static void place_crowd_of_many(struct suite *t)
{
    crowd_assert_spread(place_crowd(t, false));
    assert_err(ERR_OK, sync_cores(&t->b)); /* and the rows are as was told */
    assert_string_equal("a(-,-,-,-,-,yes):17 b(-,-,-,-,-,yes):17 c(-,-,-,-,-,yes):16",
                        t->b.out.text);
    assert_err(ERR_OK, sync_state(&t->b));
    assert_int_equal(3 + CROWD, t->b.state.revision);
}

static void place_crowd_of_one(struct suite *t)
{
    crowd_assert_one(place_crowd(t, true));
    assert_users(t, "user-core/user00=a");
}

/* ---- homes and names ------------------------------------------------------------------------- */

static void home_life(struct suite *t)
{
    assert_err(ERR_NOTFOUND, sync_home(&t->a, "ana"));
    suite_execute(t, "INSERT INTO keyValue VALUES('user-core/ana', 'a'), ('user-core/bob', 'b'),"
                     " ('user-core/cem', 'nowhere'), ('core-info/a', '{\"id\":\"other\","
                     "\"url\":\"https://a.example\",\"ip\":\"192.0.2.1\",\"rank\":1}'),"
                     " ('core-info/b', 'not JSON')");
    assert_err(ERR_OK, sync_home(&t->a, "ana"));
    assert_string_equal("a a(https://a.example,192.0.2.1,-,-,-,yes):0", t->a.out.text);
    assert_err(ERR_OK, sync_home(&t->a, "bob"));
    assert_string_equal("b", t->a.out.text); /* its row cannot be read */
    assert_err(ERR_OK, sync_home(&t->a, "cem"));
    assert_string_equal("nowhere", t->a.out.text); /* it has no row */
    assert_err(ERR_OK, sync_user_put(&t->a, "cem", "a", STORE_REPLACE));
    suite_execute(t, "UPDATE keyValue SET value = '{\"available\":false}'"
                     " WHERE key = 'core-info/a'");
    assert_err(ERR_OK, sync_home(&t->a, "cem"));
    assert_string_equal("a a(-,-,-,-,-,no):0", t->a.out.text);
    assert_err(ERR_NOTFOUND, sync_home(&t->a, "an_")); /* no pattern */
}

static void taken_life(struct suite *t)
{
    static const struct {
        const char *name, *user_row, *expected;
    } cases[] = {
        {"www", "www", "record user "}, {"www", NULL, "record "},
        {"core-a", "core-a", "core "},  {"all", "token", "record core user "},
        {"all", "all", "record core "}, {"none", "www", "user "},
        {"none", "none", ""},           {"ww_", "%", ""},
        {"@", NULL, "record "},
    };
    suite_execute(t, "INSERT INTO keyValue VALUES('dns-record/www', '{}'), ('user-core/www', 'a'),"
                     " ('core-info/core-a', 'not JSON'), ('dns-record/all', '{}'),"
                     " ('core-info/all', '{}'), ('user-core/token', 'a'), ('dns-record/@', '{}')");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_err(ERR_OK, sync_taken(&t->a, cases[i].name, cases[i].user_row));
        assert_string_equal(cases[i].expected, t->a.out.text);
    }
}

static void names_limits(struct suite *t)
{
    char *user = suite_text(STORE_KEY_MAX - strlen("user-core/"), "", "");
    char *user_over = suite_text(STORE_KEY_MAX - strlen("user-core/") + 1, "", "");
    char *name = suite_text(STORE_KEY_MAX - strlen("dns-record/"), "", "");
    char *name_over = suite_text(STORE_KEY_MAX - strlen("dns-record/") + 1, "", "");
    assert_err(ERR_NOTFOUND, sync_home(&t->a, user));
    assert_err(ERR_LIMIT, sync_home(&t->a, user_over));
    assert_err(ERR_MALFORMED, sync_home(&t->a, ""));
    assert_err(ERR_OK, sync_taken(&t->a, name, user));
    assert_err(ERR_LIMIT, sync_taken(&t->a, name_over, user));
    assert_err(ERR_LIMIT, sync_taken(&t->a, name, user_over));
    assert_err(ERR_MALFORMED, sync_taken(&t->a, "", NULL));
    assert_err(ERR_MALFORMED, sync_taken(&t->a, "x", ""));
    free(user);
    free(user_over);
    free(name);
    free(name_over);
}

const struct suite_test suite_place[] = {
    {"place_fewest", place_fewest},
    {"place_feed", place_feed},
    {"place_available", place_available},
    {"place_beside_unreadable", place_beside_unreadable},
    {"place_on_core", place_on_core},
    {"place_reasons", place_reasons},
    {"place_odd_names", place_odd_names},
    {"place_limits", place_limits},
    {"place_crowd_of_many", place_crowd_of_many},
    {"place_crowd_of_one", place_crowd_of_one},
    {"home_life", home_life},
    {"taken_life", taken_life},
    {"names_limits", names_limits},
    {NULL, NULL},
};
