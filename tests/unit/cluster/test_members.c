/* members.c: what rqlite tells of its nodes. The replies called 8.26 and 8.43 are recorded ones. */
#include "cluster/members.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Three voters and one non-voter; core-c was killed a moment ago. Told by the follower core-b. */
static const char old[] = /* 8.26.8 */
    "{\"nodes\":[{\"id\":\"core-a\",\"api_addr\":\"http://127.0.0.1:21000\",\"addr\":\"127.0.0.1:"
    "21100\",\"voter\":true,\"reachable\":true,\"leader\":true,\"time\":3e-8,\"time_s\":\"60ns\"},{"
    "\"id\":\"core-b\",\"api_addr\":\"http://127.0.0.1:21001\",\"addr\":\"127.0.0.1:21101\","
    "\"voter\":true,\"reachable\":true,\"leader\":false,\"time\":1.7e-7,\"time_s\":\"310ns\"},{"
    "\"id\":\"core-c\",\"addr\":\"127.0.0.1:21102\",\"voter\":true,\"reachable\":false,\"leader\":"
    "false,\"time\":1.3e-7,\"time_s\":\"160ns\",\"error\":\"write protobuf bytes: write tcp "
    "127.0.0.1:54194-\\u003e127.0.0.1:21102: write: broken pipe\"},{\"id\":\"core-d\",\"api_addr\":"
    "\"http://127.0.0.1:21003\",\"addr\":\"127.0.0.1:21103\",\"voter\":false,\"reachable\":true,"
    "\"leader\":false,\"time\":2e-7,\"time_s\":\"280ns\"}]}";
static const char new[] = /* 8.43.4 */
    "{\"nodes\":[{\"id\":\"core-a\",\"api_addr\":\"http://127.0.0.1:22000\",\"addr\":\"127.0.0.1:"
    "22100\",\"version\":\"8\",\"voter\":true,\"reachable\":true,\"leader\":true,\"time\":1.8e-7,"
    "\"time_s\":\"330ns\"},{\"id\":\"core-b\",\"api_addr\":\"http://127.0.0.1:22001\",\"addr\":"
    "\"127.0.0.1:22101\",\"version\":\"8\",\"voter\":true,\"reachable\":true,\"leader\":false,"
    "\"time\":1.5e-7,\"time_s\":\"190ns\"},{\"id\":\"core-c\",\"addr\":\"127.0.0.1:22102\","
    "\"version\":\"\",\"voter\":true,\"reachable\":false,\"leader\":false,\"time\":4e-8,\"time_s\":"
    "\"70ns\",\"error\":\"write protobuf bytes: write tcp 127.0.0.1:40664-\\u003e127.0.0.1:22102: "
    "write: broken pipe\"},{\"id\":\"core-d\",\"api_addr\":\"http://127.0.0.1:22003\",\"addr\":"
    "\"127.0.0.1:22103\",\"version\":\"8\",\"voter\":false,\"reachable\":true,\"leader\":false,"
    "\"time\":1.8e-7,\"time_s\":\"250ns\"}]}";
/* A leader that does not answer any more is no leader in the list (both versions; here 8.26.8). */
static const char stopped[] =
    "{\"nodes\":[{\"id\":\"core-b\",\"api_addr\":\"http://127.0.0.1:21031\",\"addr\":\"127.0.0.1:"
    "21131\",\"voter\":true,\"reachable\":true,\"leader\":false,\"time\":1.7e-7,\"time_s\":\"281ns"
    "\"},{\"id\":\"core-c\",\"addr\":\"127.0.0.1:21132\",\"voter\":true,\"reachable\":false,"
    "\"leader\":false,\"time\":3.4e-7,\"time_s\":\"541ns\",\"error\":\"timeout waiting for node to "
    "respond\"}]}";

static enum err parse(const char *text, struct members *out, struct err_info *info)
{
    return members_parse(text, strlen(text), out, info);
}

static void recorded_replies_are_read(void **state)
{
    static const struct {
        const char *text, *version, *address;
    } cases[] = {{old, "", "127.0.0.1:21103"}, {new, "8", "127.0.0.1:22103"}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct members m;
        assert_int_equal(parse(cases[i].text, &m, NULL), ERR_OK);
        assert_int_equal(m.count, 4);
        assert_int_equal(m.voters, 3);
        assert_int_equal(m.nonvoters, 1);
        assert_int_equal(m.unreachable, 1);
        assert_int_equal(m.voters_reachable, 2);
        assert_string_equal(m.leader->id, "core-a");
        const struct member *c = members_find(&m, "core-c");
        assert_true(c->voter && !c->reachable && !c->leader);
        assert_string_equal(c->version, "");
        const struct member *d = members_find(&m, "core-d");
        assert_true(!d->voter && d->reachable && !d->leader);
        assert_string_equal(d->version, cases[i].version);
        assert_string_equal(d->address, cases[i].address);
        assert_null(members_find(&m, "core"));
        assert_true(members_have_quorum(&m));
        members_free(&m);
    }
}

static void a_cluster_without_a_leader_or_without_nodes(void **state)
{
    struct members m;
    (void)state;
    assert_int_equal(parse(stopped, &m, NULL), ERR_OK);
    assert_null(m.leader);
    assert_int_equal(m.voters, 2);
    assert_false(members_have_quorum(&m)); /* one of two is not more than half */
    members_free(&m);
    assert_int_equal(parse("{\"nodes\":[]}", &m, NULL), ERR_OK); /* -bootstrap-expect, alone */
    assert_int_equal(m.count, 0);
    assert_null(m.leader);
    assert_false(members_have_quorum(&m));
    assert_int_equal(members_removal(&m, "core-a", NULL), MEMBERS_ABSENT);
    members_free(&m);
}

static void members_not_known_are_left_alone_and_the_order_is_ours(void **state)
{
    static const char text[] =
        "{\"nodes\":[{\"id\":\"b\",\"addr\":\"[2001:db8::2]:4002\",\"voter\":true,\"reachable\":"
        "true,\"leader\":true,\"version\":\"v10.2.1-and-a-long-name-of-a-build-of-ours\","
        "\"last_contact\":{\"ms\":[1,2]},\"api_addr\":null},"
        "{\"id\":\"a\",\"addr\":\"h:1\",\"voter\":false}],\"leader\":{\"id\":\"b\"},\"term\":12}";
    struct members m;
    (void)state;
    assert_int_equal(parse(text, &m, NULL), ERR_OK);
    assert_string_equal(m.items[0].id, "a");
    assert_false(m.items[0].reachable);
    assert_string_equal(m.items[1].address, "[2001:db8::2]:4002");
    assert_string_equal(m.items[1].version, "v10.2.1-and-a-long-name-of-a-bu");
    assert_ptr_equal(m.leader, &m.items[1]);
    members_free(&m);
}

#define NODE "\"addr\":\"h:1\",\"voter\":true"

static void what_is_no_list_of_nodes_is_said(void **state)
{
    static const struct {
        const char *text;
        const char *why; /* in what is said */
        enum err e;
    } cases[] = {
        {"", "JSON line 1", ERR_MALFORMED},
        {"leader not found\n", "JSON line 1", ERR_MALFORMED},
        {"{\"nodes\":[{\"id\":\"core-a\",\"addr\":\"127.0", "JSON line 1", ERR_MALFORMED},
        {"[]", "must be an object", ERR_MALFORMED},
        {"{}", "nodes: must be a list", ERR_MALFORMED},
        {"{\"nodes\":null}", "nodes: must be a list", ERR_MALFORMED},
        /* without ver=2 */
        {"{\"core-a\":{\"addr\":\"h:1\"}}", "nodes: must be a list", ERR_MALFORMED},
        {"{\"nodes\":[7]}", "node 0: id: missing", ERR_MALFORMED},
        {"{\"nodes\":[{" NODE "}]}", "node 0: id: missing", ERR_MALFORMED},
        {"{\"nodes\":[{\"id\":1," NODE "}]}", "node 0: id: must be a string", ERR_MALFORMED},
        {"{\"nodes\":[{\"id\":\"a\"," NODE "},{\"id\":\"b\",\"addr\":\"h:1\"}]}",
         "node 1: voter: missing", ERR_MALFORMED},
        {"{\"nodes\":[{\"id\":\"a\",\"addr\":\"h:1\",\"voter\":\"yes\"}]}", "voter: must be true",
         ERR_MALFORMED},
        {"{\"nodes\":[{\"id\":\"a\"," NODE ",\"reachable\":1}]}", "reachable: must be true",
         ERR_MALFORMED},
        {"{\"nodes\":[{\"id\":\"a\"," NODE ",\"version\":8}]}", "version: must be a string",
         ERR_MALFORMED},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct members m;
        struct err_info info = {.text = ""};
        assert_int_equal(parse(cases[i].text, &m, &info), cases[i].e);
        if (strstr(info.text, cases[i].why) == NULL) {
            fail_msg("%s: said %s", cases[i].text, info.text);
        }
        assert_int_equal(m.count, 0);
        assert_null(m.items);
    }
}

static void there_are_limits(void **state)
{
    char id[MEMBERS_ID + 1];
    size_t room = (size_t)MEMBERS_MAX * 64 + 4096;
    char *text = malloc(room);
    struct members m;
    (void)state;
    assert_non_null(text);
    for (size_t extra = 0; extra < 2; extra++) { /* as many as may be, and one more */
        size_t n = (size_t)snprintf(text, room, "{\"nodes\":[");
        for (size_t i = 0; i < MEMBERS_MAX + extra; i++) {
            n += (size_t)snprintf(text + n, room - n, "%s{\"id\":\"n%zu\"," NODE "}",
                                  i > 0 ? "," : "", i);
        }
        snprintf(text + n, room - n, "]}");
        assert_int_equal(parse(text, &m, NULL), extra == 0 ? ERR_OK : ERR_LIMIT);
        assert_int_equal(m.count, extra == 0 ? MEMBERS_MAX : 0);
        members_free(&m);
    }
    for (size_t extra = 0; extra < 2; extra++) {
        memset(id, 'x', sizeof id);
        id[MEMBERS_ID - 1 + extra] = '\0';
        snprintf(text, room, "{\"nodes\":[{\"id\":\"%s\"," NODE "}]}", id);
        assert_int_equal(parse(text, &m, NULL), extra == 0 ? ERR_OK : ERR_LIMIT);
        members_free(&m);
    }
    free(text);
}

/* "Va" a voter that answers, "vb" one that does not; "Nc" and "nd" non-voters. */
static void make(const char *nodes, struct members *out)
{
    char text[2048];
    size_t n = (size_t)snprintf(text, sizeof text, "{\"nodes\":[");
    for (const char *p = nodes; *p != '\0'; p += 2) {
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "%s{\"id\":\"%c\",\"addr\":\"h:1\",\"voter\":%s,\"reachable\":%s}",
                              p > nodes ? "," : "", p[1], *p == 'V' || *p == 'v' ? "true" : "false",
                              *p == 'V' || *p == 'N' ? "true" : "false");
    }
    snprintf(text + n, sizeof text - n, "]}");
    assert_int_equal(parse(text, out, NULL), ERR_OK);
}

static void what_a_removal_would_do(void **state)
{
    static const struct {
        const char *nodes, *id;
        enum members_removal removal;
        struct members_rest rest;
    } cases[] = {
        {"", "a", MEMBERS_ABSENT, {0, 0}},
        {"VaVbVc", "d", MEMBERS_ABSENT, {3, 3}},
        {"Va", "a", MEMBERS_LAST, {0, 0}},
        {"VaNb", "a", MEMBERS_LAST, {0, 0}},
        {"va", "a", MEMBERS_LAST, {0, 0}},
        {"VaNb", "b", MEMBERS_REMOVABLE, {1, 1}},
        {"Vanb", "b", MEMBERS_REMOVABLE, {1, 1}},
        {"VaVb", "b", MEMBERS_REMOVABLE, {1, 1}},
        /* One of two is dead: nothing can be decided, not even this. */
        {"Vavb", "b", MEMBERS_NO_QUORUM, {1, 1}},
        {"Vavb", "a", MEMBERS_NO_QUORUM, {1, 0}},
        {"VavbNc", "c", MEMBERS_NO_QUORUM, {2, 1}},
        {"VaVbVc", "c", MEMBERS_REMOVABLE, {2, 2}},
        /* The way out of a dead core: the dead one may go, no other. */
        {"VaVbvc", "c", MEMBERS_REMOVABLE, {2, 2}},
        {"VaVbvc", "b", MEMBERS_LOSES, {2, 1}},
        {"VaVbvcNd", "d", MEMBERS_REMOVABLE, {3, 2}},
        {"Vavbvc", "c", MEMBERS_NO_QUORUM, {2, 1}},
        {"VaVbVcvdve", "e", MEMBERS_REMOVABLE, {4, 3}},
        {"VaVbVcvdve", "a", MEMBERS_LOSES, {4, 2}},
        {"VaVbVcvd", "a", MEMBERS_REMOVABLE, {3, 2}},
        {"VaVbVcvd", "d", MEMBERS_REMOVABLE, {3, 3}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct members m;
        struct members_rest rest;
        make(cases[i].nodes, &m);
        if (members_removal(&m, cases[i].id, &rest) != cases[i].removal) {
            fail_msg("%s without %s", cases[i].nodes, cases[i].id);
        }
        assert_int_equal(rest.voters, cases[i].rest.voters);
        assert_int_equal(rest.reachable, cases[i].rest.reachable);
        members_free(&m);
    }
}

static void what_a_reply_means(void **state)
{
    static const struct {
        unsigned status;
        const char *body;
        enum err e;
        const char *said;
    } cases[] = {
        {200, "", ERR_OK, ""},
        {401, "", ERR_DENIED,
         "it refuses this user or password, or the user may not do this (401)"},
        {401, "remote remove node not authorized\n", ERR_DENIED,
         "it refuses this user or password, or the user may not do this (401)"},
        /* recorded: 8.26.8 and 8.43.4 without a leader */
        {503, "leader not found\n", ERR_UNAVAIL, "rqlite says: leader not found (503)"},
        {500, "leader address: leader not found\n", ERR_UNAVAIL,
         "rqlite says: leader address: leader not found (500)"},
        /* recorded: both, taking out the only voter */
        {500, "need at least one voter in configuration: {[]}\n", ERR_CONFLICT,
         "rqlite says: need at least one voter in configuration: {[]} (500)"},
        {500, "leadership lost while committing log\n", ERR_TIMEOUT,
         "rqlite says: leadership lost while committing log (500)"},
        {500, "dial tcp 192.0.2.1:4002: i/o timeout", ERR_TIMEOUT,
         "rqlite says: dial tcp 192.0.2.1:4002: i/o timeout (500)"},
        {503, "", ERR_UNAVAIL, "rqlite says: (503)"},
        {404, "404 page not found\r\nmore\n", ERR_IO, "rqlite says: 404 page not found (404)"},
        {301, "", ERR_IO, "rqlite says: (301)"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err_info info = {.text = ""};
        assert_int_equal(members_outcome(cases[i].status, cases[i].body, &info), cases[i].e);
        assert_string_equal(info.text, cases[i].said);
    }
}

static void a_long_reply_is_cut(void **state)
{
    static char body[5000];
    struct err_info info;
    (void)state;
    memset(body, 'y', sizeof body - 1);
    assert_int_equal(members_outcome(500, body, &info), ERR_IO);
    assert_int_equal(strlen(info.text), strlen("rqlite says:  (500)") + 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_replies_are_read),
        cmocka_unit_test(a_cluster_without_a_leader_or_without_nodes),
        cmocka_unit_test(members_not_known_are_left_alone_and_the_order_is_ours),
        cmocka_unit_test(what_is_no_list_of_nodes_is_said),
        cmocka_unit_test(there_are_limits),
        cmocka_unit_test(what_a_removal_would_do),
        cmocka_unit_test(what_a_reply_means),
        cmocka_unit_test(a_long_reply_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
