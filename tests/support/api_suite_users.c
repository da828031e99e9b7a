/* Users: placed, refused, removed, and fifty at a time. */
#include "api_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnsd/zone/user.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void place(const char *name, const char *body, unsigned status, const char *says)
{
    char target[400];
    snprintf(target, sizeof target, "/system/admin/users/%s", name);
    web_expect(&suite.web, "PUT", target, body, status, says);
}

static void users_are_placed(void **state)
{
    (void)state;
    place("alice", NULL, 503, "\"no-core-available\"");
    suite_add_core("core-a", true, NULL);
    suite_add_core("core-b", true, "https://b.example.net");
    suite_add_core("core-c", false, NULL);
    place("Alice", NULL, 201,
          "{\"user\":{\"username\":\"alice\",\"core\":{\"id\":\"core-a\","
          "\"url\":\"https://core-a.mc.example.com/\"}}}");
    place("bob", "{}", 201,
          "{\"user\":{\"username\":\"bob\",\"core\":{\"id\":\"core-b\","
          "\"url\":\"https://b.example.net/\"}}}");
    place("carol", "{\"core\":\"core-b\"}", 201, "\"core-b\"");
    place("dave", "{\"core\":null}", 201, "\"core-a\"");
    place("erin", "{\"core\":\"Core-C\"}", 201, "\"core-c\""); /* named: it need not be available */
    assert_err(ERR_OK, sync_user_get(&suite.sync, "alice"));
    assert_string_equal(suite.sync.out.text, "core-a");
    place("ALICE", "{\"core\":\"core-b\"}", 409,
          "{\"error\":{\"id\":\"user-exists\",\"message\":\"there is a user alice already\","
          "\"core\":{\"id\":\"core-a\",\"url\":\"https://core-a.mc.example.com/\"}}}");
    assert_err(ERR_OK, sync_user_get(&suite.sync, "alice"));
    assert_string_equal(suite.sync.out.text, "core-a");
}

static void users_are_refused(void **state)
{
    static const struct {
        const char *name, *body;
        unsigned status;
        const char *says;
    } rows[] = {
        {"x", "{\"core\":\"core-x\"}", 404, "\"unknown-core\""},
        {"reg", NULL, 409, "\"name-reserved\""},
        {"REG", NULL, 409, "\"name-reserved\""},
        {"lsc", NULL, 409, "\"name-reserved\""},
        {"www", NULL, 409, "\"name-reserved\""},
        {"dns7", NULL, 409, "\"name-reserved\""},
        {"core-a", NULL, 409, "\"name-taken\""},
        {"Mail", NULL, 409, "\"name-taken\""},
        {"-x", NULL, 400, "\"invalid-name\""},
        {"x_y", NULL, 400, "\"invalid-name\""},
        {"a.b", NULL, 400, "\"invalid-name\""},
        {"a%20b", NULL, 400, "\"invalid-name\""},
        {"%C3%A4", NULL, 400, "\"invalid-name\""},
        {"%FF", NULL, 400, "\"invalid-name\""},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL, 400,
         "\"invalid-name\""},
        {"x", "{\"cor\":\"core-a\"}", 400, "did you mean core?"},
        {"x", "{\"core\":[]}", 400, "\"problems\":[{\"member\":\"core\""},
        {"x", "{", 400, "\"invalid-parameters\""},
    };
    char *large = suite_blanks(5000);
    (void)state;
    suite_add_core("core-a", true, NULL);
    assert_err(ERR_OK, sync_record(&suite.sync, "mail", NULL, "{\"a\":[\"192.0.2.1\"]}"));
    for (size_t i = 0; i < COUNT(rows); i++) {
        place(rows[i].name, rows[i].body, rows[i].status, rows[i].says);
    }
    place("x", large, 413, "\"error\"");
    web_expect_ask(
        &suite.web,
        &(struct web_ask){
            .method = "PUT", .target = "/system/admin/users/x", .body = "{}", .type = "text/plain"},
        415, "\"error\"");
    assert_err(ERR_OK, sync_scan(&suite.sync, "user-core/", 100));
    assert_string_equal(suite.sync.out.text, "");
    free(large);
}

static void users_are_deleted(void **state)
{
    (void)state;
    static const char *const names[] = {"alice", "bob", "Carol"}; /* the last by another program */
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_err(ERR_OK, sync_user_put(&suite.sync, names[i], "core-a", STORE_ONLY_NEW));
    }
    web_expect(&suite.web, "DELETE", "/system/admin/users/alice", NULL, 200,
               "{\"user\":{\"username\":\"alice\"}}");
    web_expect(&suite.web, "DELETE", "/system/admin/users/alice", NULL, 404, "\"unknown-user\"");
    web_expect(&suite.web, "DELETE", "/system/admin/users/BOB", NULL, 200,
               "{\"user\":{\"username\":\"bob\"}}");
    web_expect(&suite.web, "DELETE", "/system/admin/users/Carol", NULL, 200,
               "{\"user\":{\"username\":\"Carol\"}}");
    web_expect(&suite.web, "DELETE", "/system/admin/users/%FF", NULL, 404, "\"unknown-user\"");
    web_expect(&suite.web, "DELETE", "/system/admin/users/a%20b", NULL, 404, "\"unknown-user\"");
    assert_err(ERR_OK, sync_scan(&suite.sync, "user-core/", 100));
    assert_string_equal(suite.sync.out.text, "");
}

static void users_whose_names_are_hashed(void **state)
{
    static const uint8_t key[USER_KEY_LEN] = {7};
    struct digest_hmac hmac;
    char token[USER_TOKEN_TEXT];
    char text[200];
    (void)state;
    suite_add_core("core-a", true, NULL);
    suite.web.env.user_key = key;
    digest_hmac_init(&hmac, key, sizeof key);
    assert_non_null(user_row(&hmac, "alice", token));
    place("ALICE", NULL, 201, "\"username\":\"alice\"");
    assert_err(ERR_OK, sync_user_get(&suite.sync, token));
    assert_err(ERR_NOTFOUND, sync_user_get(&suite.sync, "alice"));
    place("alice", NULL, 409, "\"user-exists\"");
    place("core-a", NULL, 409, "\"name-taken\"");
    web_expect(&suite.web, "GET", "/reg/cores?username=Alice", NULL, 200, "core-a");
    web_expect(&suite.web, "POST", "/reg/records",
               "{\"subdomain\":\"alice\",\"records\":{\"a\":\"192.0.2.1\"}}", 409,
               "\"name-taken\"");
    web_expect(&suite.web, "DELETE", "/system/admin/users/Alice", NULL, 200, "\"alice\"");
    web_expect(&suite.web, "DELETE", "/system/admin/users/alice", NULL, 404, "\"unknown-user\"");
    place("alice", NULL, 201, "\"username\":\"alice\"");
    snprintf(text, sizeof text, "/system/admin/users/%s", token);
    web_expect(&suite.web, "DELETE", text, NULL, 200, token);
    assert_err(ERR_OK, sync_user_put(&suite.sync, "bob", "core-a",
                                     STORE_ONLY_NEW)); /* in clear: an accident */
    web_expect(&suite.web, "DELETE", "/system/admin/users/bob", NULL, 200, "\"bob\"");
}

#define CROWD 50

/* CROWD requests at once, for user-<i> or all for the same; how many got STATUS. */
static unsigned crowd(bool same, unsigned status)
{
    static struct web_got got[CROWD];
    static char targets[CROWD][64];
    unsigned count = 0;
    for (unsigned i = 0; i < CROWD; i++) {
        snprintf(targets[i], sizeof targets[i], "/system/admin/users/user-%u", same ? 1000 : i);
        web_start(&suite.web, &(struct web_ask){.method = "PUT", .target = targets[i]}, &got[i]);
    }
    for (unsigned i = 0; i < CROWD; i++) {
        web_wait(&suite.web, &got[i]);
        assert_int_equal(got[i].e, ERR_OK);
        count += got[i].status == status;
        web_got_free(&got[i]);
    }
    return count;
}

static void a_crowd_of_users(void **state)
{
    (void)state;
    suite_add_core("core-a", true, NULL);
    suite_add_core("core-b", true, NULL);
    suite_add_core("core-c", true, NULL);
    assert_int_equal(crowd(false, 201), CROWD);
    web_expect(&suite.web, "GET", "/system/admin/cores", NULL, 200, "\"userCount\":17");
    assert_err(ERR_OK, sync_cores(&suite.sync));
    assert_non_null(strstr(suite.sync.out.text, ":17"));
    assert_string_equal(strrchr(suite.sync.out.text, ':'), ":16"); /* 17, 17, 16 */
    assert_int_equal(crowd(false, 409), CROWD);
    assert_int_equal(crowd(true, 201), 1);
    assert_int_equal(crowd(true, 409), CROWD);
    assert_err(ERR_OK, sync_cores(&suite.sync));
    assert_string_equal(strrchr(suite.sync.out.text, ':'), ":17");
}

const struct CMUnitTest api_suite_users[] = {
    SUITE_TEST(users_are_placed),  SUITE_TEST(users_are_refused),
    SUITE_TEST(users_are_deleted), SUITE_TEST(users_whose_names_are_hashed),
    SUITE_TEST(a_crowd_of_users),  SUITE_END,
};
