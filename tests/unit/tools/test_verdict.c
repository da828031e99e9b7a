/* verdict.c: one sentence about all cores. */
#include "tools/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define X        "0123456789abcdef0123456789abcdef"
#define Y        "fedcba9876543210fedcba9876543210"

static struct verdict_peer self(uint64_t revision, const char *digest)
{
    return (struct verdict_peer){.id = "core-a",
                                 .digest = digest,
                                 .version = "1",
                                 .live = true,
                                 .self = true,
                                 .revision = revision,
                                 .age_ms = 900};
}

static struct verdict_peer live(const char *id, uint64_t revision, const char *digest)
{
    struct verdict_peer p = self(revision, digest);
    p.id = id;
    p.self = false;
    return p;
}

static struct verdict_peer silent(const char *id, uint64_t revision, int64_t age_ms)
{
    struct verdict_peer p = live(id, revision, X);
    p.live = false;
    p.age_ms = age_ms;
    return p;
}

static struct verdict_peer unheard(const char *id)
{
    struct verdict_peer p = live(id, 0, "");
    p.age_ms = -1;
    return p;
}

/* A follower in a cluster of three, all is well. */
static struct verdict_input good(void)
{
    return (struct verdict_input){.id = "core-a",
                                  .revision = 9,
                                  .age_ms = 1200,
                                  .source = "store",
                                  .store_error = "",
                                  .rqlite = true,
                                  .state = "ready",
                                  .leader = "core-b",
                                  .voters = 3};
}

static void expect(const struct verdict_input *in, enum verdict_kind kind, const char *text)
{
    struct verdict v;
    verdict_make(in, &v);
    assert_string_equal(v.text, text);
    assert_int_equal(v.kind, kind);
}

static void cores_are_compared(void **state)
{
    const struct {
        struct verdict_peer peers[4];
        uint64_t wanted;
        enum verdict_kind kind;
        const char *text;
    } cases[] = {
        {{self(9, X), live("core-b", 9, X), live("core-c", 9, X)},
         0,
         VERDICT_FINE,
         "all cores agree at revision 9"},
        {{self(9, X)},
         0,
         VERDICT_FINE,
         "no other core is heard of; this one answers, at revision 9"},
        {{self(9, X), unheard("core-b")},
         0,
         VERDICT_FINE,
         "no other core is heard of; this one answers, at revision 9"},
        {{self(9, X), live("core-b", 9, X), unheard("core-c")},
         0,
         VERDICT_FINE,
         "all cores agree at revision 9"},
        {{self(9, X), live("core-b", 9, X), live("core-c", 6, X)},
         0,
         VERDICT_BEHIND,
         "core-c is 3 revisions behind"},
        {{self(8, X), live("core-b", 9, X)}, 0, VERDICT_BEHIND, "core-a is 1 revision behind"},
        /* Others have more by now: it is asked for what was known at first. */
        {{self(12, Y), live("core-b", 9, X), live("core-c", 11, Y)},
         9,
         VERDICT_FINE,
         "all cores have revision 9, and some have more"},
        {{self(12, Y), live("core-b", 8, X)}, 9, VERDICT_BEHIND, "core-b is 1 revision behind"},
        /* Different data at different revisions is as it should be. */
        {{self(9, X), live("core-b", 8, Y)}, 0, VERDICT_BEHIND, "core-b is 1 revision behind"},
        {{self(9, X), live("core-b", 9, Y), live("core-c", 9, X)},
         0,
         VERDICT_ATTENTION,
         "core-b differs at revision 9: digest fedcba98, on core-a 01234567"},
        /* Most are right, even against this core. */
        {{self(9, X), live("core-b", 9, Y), live("core-c", 9, Y)},
         0,
         VERDICT_ATTENTION,
         "core-a differs at revision 9: digest 01234567, on core-b fedcba98"},
        /* One against one: this core's is taken, wherever it stands in the list. */
        {{live("core-0", 9, Y), self(9, X)},
         0,
         VERDICT_ATTENTION,
         "core-0 differs at revision 9: digest fedcba98, on core-a 01234567"},
        /* Two others that differ, at a revision that is not ours. */
        {{self(9, X), live("core-b", 8, X), live("core-c", 8, Y)},
         0,
         VERDICT_ATTENTION,
         "core-c differs at revision 8: digest fedcba98, on core-b 01234567; core-b is 1 revision "
         "behind; core-c is 1 revision behind"},
        {{self(9, X), live("core-b", 9, "")}, 0, VERDICT_FINE, "all cores agree at revision 9"},
        /* A silent core is not compared, nor is it behind. */
        {{self(9, X), live("core-b", 9, X), silent("core-c", 9, 40999)},
         0,
         VERDICT_ATTENTION,
         "core-c is silent since 40 s"},
        {{self(9, Y), silent("core-b", 9, 7200000), silent("core-c", 2, 200000)},
         0,
         VERDICT_ATTENTION,
         "core-b is silent since 2 h; core-c is silent since 3 min"},
        {{self(9, X), live("core-b", 7, X), silent("core-c", 9, 20000)},
         0,
         VERDICT_ATTENTION,
         "core-c is silent since 20 s; core-b is 2 revisions behind"},
        {{self(0, X), live("core-b", 0, X)}, 0, VERDICT_FINE, "all cores agree at revision 0"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct verdict_input in = good();
        in.peers = cases[i].peers;
        while (in.count < COUNT(cases[i].peers) && cases[i].peers[in.count].id != NULL) {
            in.revision =
                cases[i].peers[in.count].self ? cases[i].peers[in.count].revision : in.revision;
            in.count++;
        }
        in.wanted = cases[i].wanted;
        expect(&in, cases[i].kind, cases[i].text);
    }
}

static void a_node_that_does_not_answer_is_told_before_its_core_is_silent(void **state)
{
    struct verdict_peer peers[] = {self(9, X), live("core-b", 9, X)};
    struct verdict_input in = good();
    (void)state;
    in.peers = peers;
    in.count = 2;
    in.nonvoters = 1;
    in.unreachable = 1;
    expect(&in, VERDICT_ATTENTION, "1 of the database's 4 nodes does not answer");
    peers[1] = silent("core-b", 9, 30000);
    expect(&in, VERDICT_ATTENTION, "core-b is silent since 30 s");
}

static void nothing_can_be_written(void **state)
{
    const struct {
        const char *state, *leader;
        size_t voters, nonvoters, unreachable;
        bool stale;
        int64_t age_ms;
        const char *source;
        const char *text;
    } cases[] = {
        {"waiting", "", 0, 0, 0, false, 12000, "store",
         "the database does not run here (waiting): answers are of 12 s ago, writes fail"},
        {"broken", "", 3, 0, 0, true, -1, "snapshot file",
         "the database does not run here (broken): answers are of an earlier run, writes fail"},
        {"starting", "", 0, 0, 0, false, -1, "configuration",
         "the database does not run here (starting): only what the configuration says is "
         "answered, writes fail"},
        {"alive", "", 0, 0, 0, false, -1, "configuration",
         "in no cluster yet, waiting for the others; only what the configuration says is answered, "
         "writes fail"},
        {"alive", "", 3, 0, 0, false, 900, "store",
         "no leader: the cores are choosing one, writes wait"},
        {"alive", "", 3, 0, 1, false, 900, "store",
         "no leader: the cores are choosing one, writes wait"},
        {"alive", "", 1, 0, 0, false, 900, "store",
         "no leader: the cores are choosing one, writes wait"},
        /* Nobody else is seen: from here both look the same. */
        {"alive", "", 3, 0, 2, false, 130000, "store",
         "no quorum, or cut off from the cluster: answers are of 2 min ago, reads go on, writes "
         "fail"},
        {"alive", "", 2, 0, 1, true, 9000, "store",
         "no quorum, or cut off from the cluster: answers are of 9 s ago, reads go on, writes "
         "fail"},
        {"alive", "", 1, 1, 1, true, 9000, "store",
         "no quorum, or cut off from the cluster: answers are of 9 s ago, reads go on, writes "
         "fail"},
        {"ready", "core-b", 3, 0, 0, true, 9000, "store",
         "no quorum, or cut off from the cluster: answers are of 9 s ago, reads go on, writes "
         "fail"},
        {"alive", "", 5, 0, 3, true, 9000, "store",
         "no quorum: 3 of 5 nodes do not answer; reads go on (answers are of 9 s ago), writes "
         "fail"},
        {"alive", "", 3, 1, 2, false, 9000, "store",
         "no quorum: 2 of 4 nodes do not answer; reads go on (answers are of 9 s ago), writes "
         "fail"},
        /* external: that is all that is known */
        {"", "", 0, 0, 0, true, 9000, "store",
         "no quorum, or cut off from the cluster: answers are of 9 s ago, reads go on, writes "
         "fail"},
    };
    struct verdict_peer peers[] = {self(9, X), live("core-b", 9, Y)};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct verdict_input in = good();
        in.peers = peers; /* not compared while nothing new can arrive */
        in.count = 2;
        in.state = cases[i].state;
        in.leader = cases[i].leader;
        in.voters = cases[i].voters;
        in.nonvoters = cases[i].nonvoters;
        in.unreachable = cases[i].unreachable;
        in.stale = cases[i].stale;
        in.age_ms = cases[i].age_ms;
        in.source = cases[i].source;
        expect(&in, VERDICT_READ_ONLY, cases[i].text);
    }
}

static void an_external_rqlite_that_is_well(void **state)
{
    struct verdict_peer peers[] = {self(9, X), live("core-b", 9, X)};
    struct verdict_input in = good();
    (void)state;
    in.state = in.leader = "";
    in.voters = 0;
    in.peers = peers;
    in.count = 2;
    expect(&in, VERDICT_FINE, "all cores agree at revision 9");
}

static void a_store_that_fails(void **state)
{
    struct verdict_input in = good();
    (void)state;
    in.store_error = "the disk is full";
    expect(&in, VERDICT_READ_ONLY, "the store fails (the disk is full): answers are of 1 s ago");
    in.store_error = "";
    in.source = "snapshot file";
    in.age_ms = -1;
    expect(&in, VERDICT_ATTENTION, "the store is not read yet: answers are of an earlier run");
}

static void the_embedded_store(void **state)
{
    struct verdict_input in = {.id = "core-a",
                               .revision = 7,
                               .age_ms = 0,
                               .source = "store",
                               .store_error = "",
                               .state = "",
                               .leader = ""};
    (void)state;
    expect(&in, VERDICT_FINE, "one core, at revision 7");
    in.wanted = 9; /* the store has more than the zone */
    expect(&in, VERDICT_BEHIND, "core-a is 2 revisions behind");
    in.store_error = "locked";
    expect(&in, VERDICT_READ_ONLY, "the store fails (locked): answers are of 0 s ago");
}

static void a_lone_core_on_rqlite(void **state)
{
    struct verdict_peer peers[] = {self(9, X)};
    struct verdict_input in = good();
    (void)state;
    in.voters = 1;
    expect(&in, VERDICT_FINE, "one core, at revision 9"); /* before its first heartbeat */
    in.wanted = 10;
    expect(&in, VERDICT_BEHIND, "core-a is 1 revision behind");
    in.peers = peers;
    in.count = 1;
    expect(&in, VERDICT_BEHIND, "core-a is 1 revision behind");
}

static void what_does_not_fit_is_cut(void **state)
{
    enum { MANY = 200 };
    static struct verdict_peer peers[MANY];
    struct verdict_input in = good();
    struct verdict v;
    (void)state;
    peers[0] = self(9, X);
    for (size_t i = 1; i < MANY; i++) {
        peers[i] = silent("a-core-with-a-long-name", 9, 30000);
    }
    in.peers = peers;
    in.count = MANY;
    verdict_make(&in, &v);
    assert_int_equal(v.kind, VERDICT_ATTENTION);
    assert_int_equal(strlen(v.text), sizeof v.text - 1);
}

static void ages(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {-5, "0 s"},        {999, "0 s"},
        {40000, "40 s"},    {119999, "119 s"},
        {120000, "2 min"},  {7199999, "119 min"},
        {7200000, "2 h"},   {172799999, "47 h"},
        {172800000, "2 d"}, {INT64_MAX, "106751991167 d"},
    };
    char out[VERDICT_AGE_TEXT];
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        verdict_age(cases[i].ms, out);
        assert_string_equal(out, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cores_are_compared),
        cmocka_unit_test(a_node_that_does_not_answer_is_told_before_its_core_is_silent),
        cmocka_unit_test(nothing_can_be_written),
        cmocka_unit_test(an_external_rqlite_that_is_well),
        cmocka_unit_test(a_store_that_fails),
        cmocka_unit_test(the_embedded_store),
        cmocka_unit_test(a_lone_core_on_rqlite),
        cmocka_unit_test(what_does_not_fit_is_cut),
        cmocka_unit_test(ages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
