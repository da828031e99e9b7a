/* Cores that go again: before they have arrived (withdraw), and after (retire). */
#include "store_suite_join.h"

#include <stdio.h>

static void withdraw_life(struct suite *t)
{
    const struct store_ack ack = join_ack("b", "t1");
    const struct store_beat beat = {.core = "b", .beat = 1, .digest = "", .detail = "{}"};
    /* Nothing there at all. */
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", "192.0.2.2", 300));
    join_assert_out(t, "0,0");
    for (unsigned acked = 0; acked < 2; acked++) {
        join_issue(t, "b", "192.0.2.2", acked ? "t2" : "t1", acked ? "02" : "01");
        assert_err(ERR_OK, sync_beat_put(&t->a, &beat));
        if (acked) {
            const struct store_ack second = join_ack("b", "t2");
            join_assert_ack(t, &second, "acked");
        }
        assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", NULL, 300));
        join_assert_out(t, acked ? "0,1 deleted" : "1,1 deleted");
        assert_err(ERR_NOTFOUND, sync_admission_get(&t->a, "b"));
        assert_err(ERR_OK, sync_beats(&t->a));
        join_assert_out(t, "");
    }
    join_assert_state(t, "", "t1,b,100,1000,0,300,, t2,b,100,1000,200,300,aa,192.0.2.9",
                      "02,b,aa,100,5000,300,withdrawn 01,b,aa,100,5000,300,withdrawn");
    join_assert_ack(t, &ack, "revoked");
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", NULL, 400));
    join_assert_out(t, "0,0");
    assert_err(ERR_MALFORMED, sync_admission_withdraw(&t->a, "", NULL, 400));
    assert_err(ERR_MALFORMED, sync_admission_withdraw(&t->a, "b", "", 400));
    assert_err(ERR_MALFORMED, sync_admission_withdraw(&t->a, "b", NULL, 0));
}

/* Without an admission: only tokens that could still be shown. */
static void withdraw_arrived(struct suite *t)
{
    const struct store_ack ack = join_ack("b", "t1");
    join_issue(t, "b", "192.0.2.2", "t1", "01");
    join_assert_ack(t, &ack, "acked");
    assert_err(ERR_OK, sync_admission_finish(&t->a, "b", true));
    suite_execute(t, JOIN_TOKENS("more", "2", "0"));
    suite_execute(t, "UPDATE join_token SET core = 'b' WHERE hash = 'more1'");
    assert_err(ERR_OK, sync_record(&t->a, "b", NULL, "{\"a\":[\"192.0.2.2\"]}"));
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", "192.0.2.2", 300));
    join_assert_out(t, "1,0");
    join_assert_state(
        t, JOIN_B_ROW("yes"),
        "t1,b,100,1000,200,0,aa,192.0.2.9 more1,b,1,1000,0,300,, more2,x,1,1000,0,0,,",
        "01,b,aa,100,5000,0,");
    assert_err(ERR_OK, sync_record_get(&t->a, "b"));
    join_assert_ack(t, &ack, "again");
}

/* Users that somebody put there are not left without a core. */
static void withdraw_users(struct suite *t)
{
    join_issue(t, "b", "192.0.2.2", "t1", "01");
    assert_err(ERR_OK, sync_user_put(&t->a, "ana", "b", STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", NULL, 300));
    join_assert_out(t, "1,1");
    assert_err(ERR_NOTFOUND, sync_admission_get(&t->a, "b"));
    assert_err(ERR_OK, sync_cores(&t->a));
    join_assert_out(t, "b(https://x,192.0.2.2,-,-,h,no):1");
}

/* A token that was not bound is the one of the admission it came with. */
static void withdraw_unbound(struct suite *t)
{
    struct store_letting l = join_letting("b", "192.0.2.2", "t1", "01");
    l.token.core = "";
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    l.token.hash = "t2";
    l.cert.serial = "02";
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", NULL, 300));
    join_assert_out(t, "1,1 deleted");
    assert_err(ERR_OK, sync_tokens(&t->a));
    join_assert_out(t, "t1,,100,1000,0,100,, t2,,100,1000,0,300,,");
}

static const struct {
    const char *record;
    bool withdraw, retire; /* does it go? */
} records[] = {
    {"{\"a\":[\"192.0.2.2\"]}", true, true},
    {"{ \"a\" : [ \"192.0.2.2\" ] }", true, true},
    {"{\"aaaa\":[\"2001:DB8::2\"]}", false, true},
    {"{\"a\":[\"192.0.2.2\"],\"aaaa\":[\"2001:db8::2\"]}", false, true},
    {"{\"a\":[\"192.0.2.2\",\"192.0.2.3\"]}", false, false},
    {"{\"a\":[\"192.0.2.3\"]}", false, false},
    {"{\"a\":[\"192.0.2.2\"],\"txt\":[\"x\"]}", false, false},
    {"{\"a\":\"192.0.2.2\"}", false, false},
    {"{\"a\":[]}", false, false},
    {"{}", false, false},
};

static void way_back_record(struct suite *t, bool retire)
{
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        char token[8], serial[8];
        snprintf(token, sizeof token, "t%zu", i);
        snprintf(serial, sizeof serial, "%02zx", i);
        struct store_letting l = join_letting("b", "192.0.2.2", token, serial);
        l.core.ipv6 = "2001:db8::2";
        assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
        assert_err(ERR_OK, sync_record(&t->a, "b", NULL, records[i].record));
        assert_err(ERR_OK, retire ? sync_core_retire(&t->a, "b", false, 300)
                                  : sync_admission_withdraw(&t->a, "b", "192.0.2.2", 300));
        bool goes = retire ? records[i].retire : records[i].withdraw;
        join_assert_out(t, goes ? "1,1 deleted record" : "1,1 deleted");
        assert_err(goes ? ERR_NOTFOUND : ERR_OK, sync_record_get(&t->a, "b"));
        if (!goes) {
            assert_err(ERR_OK, sync_record(&t->a, "b", records[i].record, NULL));
        }
    }
}

static void withdraw_record(struct suite *t)
{
    way_back_record(t, false);
    join_issue(t, "b", "192.0.2.2", "t", "99");
    assert_err(ERR_OK, sync_record(&t->a, "b", NULL, records[0].record));
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", NULL, 300)); /* not asked for */
    join_assert_out(t, "1,1 deleted");
    assert_err(ERR_OK, sync_record_get(&t->a, "b"));
    join_issue(t, "b", NULL, "u", "98"); /* a core without an address has no record of its own */
    suite_execute(t, "UPDATE keyValue SET value = '{\"a\":[null]}' WHERE key = 'dns-record/b'");
    assert_err(ERR_OK, sync_admission_withdraw(&t->a, "b", NULL, 300));
    join_assert_out(t, "1,1 deleted");
}

static void retire_life(struct suite *t)
{
    const struct store_ack ack = join_ack("b", "t1");
    const struct store_beat beat = {.core = "b", .beat = 1, .digest = "", .detail = "{}"};
    const struct store_witness seen = {"b", "n", "s", "udp", "x", 1, 1};
    assert_err(ERR_NOTFOUND, sync_core_retire(&t->a, "b", false, 300));
    join_issue(t, "b", "192.0.2.2", "t1", "01");
    join_assert_ack(t, &ack, "acked");
    assert_err(ERR_OK, sync_admission_finish(&t->a, "b", true));
    join_issue(t, "c", "192.0.2.3", "t2", "02");
    assert_err(ERR_OK, sync_user_put(&t->a, "ana", "b", STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_beat_put(&t->a, &beat));
    assert_err(ERR_OK, sync_witness_put(&t->a, &seen, 1));
    assert_err(ERR_CONFLICT, sync_core_retire(&t->a, "b", false, 300));
    join_assert_says(t, "b: 1 users are on it");
    assert_err(ERR_OK, sync_node_certs(&t->a, NULL, true, 0));
    join_assert_out(t, ""); /* nothing was written */
    assert_err(ERR_OK, sync_core_retire(&t->a, "b", true, 300));
    join_assert_out(t, "0,1 deleted");
    join_assert_state(t, "c(https://x,192.0.2.3,-,-,h,no):0",
                      "t1,b,100,1000,200,300,aa,192.0.2.9 t2,c,100,1000,0,0,,",
                      "02,c,aa,100,5000,0, 01,b,aa,100,5000,300,removed");
    assert_err(ERR_OK, sync_beats(&t->a));
    join_assert_out(t, "");
    assert_err(ERR_OK, sync_witnesses(&t->a, NULL, 0));
    join_assert_out(t, "");
    join_assert_ack(t, &ack, "revoked");
    assert_err(ERR_OK, sync_core_retire(&t->a, "c", false, 300)); /* one on its way in */
    join_assert_out(t, "1,1 deleted");
    assert_err(ERR_NOTFOUND, sync_admission_get(&t->a, "c"));
    assert_err(ERR_NOTFOUND, sync_core_retire(&t->a, "c", true, 300));
    assert_err(ERR_MALFORMED, sync_core_retire(&t->a, "", true, 300));
    assert_err(ERR_MALFORMED, sync_core_retire(&t->a, "c", true, 0));
}

/* A certificate that was signed while its core was taken out would be one that nobody has revoked. */
static void retire_renewed(struct suite *t)
{
    struct store_node_cert c = {
        .serial = "02", .core = "b", .fingerprint = "bb", .issued_ms = 10, .expires_ms = 100};
    join_issue(t, "b", "192.0.2.2", "t1", "01");
    assert_err(ERR_OK, sync_node_cert_put(&t->a, &c));
    assert_err(ERR_OK, sync_core_retire(&t->a, "b", false, 300));
    join_assert_out(t, "1,2 deleted");
    c.serial = "03";
    assert_err(ERR_CONFLICT, sync_node_cert_put(&t->a, &c));
    join_issue(t, "b", "192.0.2.2", "t2", "04"); /* it may come again */
    assert_err(ERR_OK, sync_node_cert_put(&t->a, &c));
    assert_err(ERR_OK, sync_node_certs(&t->a, NULL, true, 0));
    join_assert_out(t, "02,b,bb,10,100,300,removed 01,b,aa,100,5000,300,removed");
}

static void retire_record(struct suite *t)
{
    way_back_record(t, true);
}

const struct suite_test suite_leave[] = {
    {"withdraw_life", withdraw_life},
    {"withdraw_arrived", withdraw_arrived},
    {"withdraw_users", withdraw_users},
    {"withdraw_unbound", withdraw_unbound},
    {"withdraw_record", withdraw_record},
    {"retire_life", retire_life},
    {"retire_renewed", retire_renewed},
    {"retire_record", retire_record},
    {NULL, NULL},
};
