/* Cores that come in and go, when several want it at the same moment: through several stores, each
 * with a connection of its own. */
#include "store_suite_priv.h"

#include <stdio.h>
#include <string.h>

#define STORES 4
#define CROWD  20
#define ROUNDS 15

struct outcome {
    struct race *race;
    enum err e;
    enum store_acked how;
};

struct race {
    struct suite *t;
    struct sync more[STORES - 1];
    struct store *stores[STORES];
    unsigned ended;
    struct outcome outcomes[CROWD];
};

static void race_open(struct race *r, struct suite *t)
{
    *r = (struct race){.t = t, .stores = {t->a.store}};
    for (size_t i = 0; i < STORES - 1; i++) {
        assert_err(ERR_OK, sync_open(&r->more[i], &t->loop, t->engine->options(t->place)));
        r->stores[i + 1] = r->more[i].store;
    }
    for (size_t i = 0; i < CROWD; i++) {
        r->outcomes[i].race = r;
    }
}

static void race_close(struct race *r)
{
    for (size_t i = 0; i < STORES - 1; i++) {
        sync_close(&r->more[i]);
    }
}

static void wait_for(struct race *r, unsigned count)
{
    sync_wait_count(&r->t->loop, &r->ended, count);
    r->ended = 0;
}

static void on_done(void *ctx, enum err e, const struct err_info *info)
{
    struct outcome *o = ctx;
    (void)info;
    o->e = e;
    o->race->ended++;
}

static void on_ack(void *ctx, enum err e, const struct err_info *info, enum store_acked how)
{
    struct outcome *o = ctx;
    o->how = how;
    on_done(o, e, info);
}

static void on_withdrawn(void *ctx, enum err e, const struct err_info *info,
                         const struct store_withdrawn *w)
{
    (void)w;
    on_done(ctx, e, info);
}

static unsigned count_e(const struct race *r, enum err e)
{
    unsigned n = 0;
    for (size_t i = 0; i < CROWD; i++) {
        n += r->outcomes[i].e == e;
    }
    return n;
}

static unsigned count_how(const struct race *r, enum store_acked how)
{
    unsigned n = 0;
    for (size_t i = 0; i < CROWD; i++) {
        assert_err(ERR_OK, r->outcomes[i].e);
        n += r->outcomes[i].how == how;
    }
    return n;
}

/* COUNT pieces of PART in what the last operation brought. */
static void assert_parts(struct suite *t, const char *part, unsigned count)
{
    unsigned n = 0;
    for (const char *at = t->a.out.text; (at = strstr(at, part)) != NULL; at++) {
        n++;
    }
    assert_int_equal(count, n);
}

struct names {
    char id[12], ip[24], token[12], serial[12];
};

static struct store_letting letting_of(struct names *n, unsigned id, unsigned ip, unsigned token)
{
    snprintf(n->id, sizeof n->id, "b%u", id);
    snprintf(n->ip, sizeof n->ip, "192.0.2.%u", ip);
    snprintf(n->token, sizeof n->token, "t%u", token);
    snprintf(n->serial, sizeof n->serial, "%04x", token);
    return (struct store_letting){
        .core = {.id = n->id, .ip = n->ip},
        .token = {.hash = n->token, .core = n->id, .issued_ms = 100, .expires_ms = 1000},
        .cert = {.serial = n->serial,
                 .core = n->id,
                 .fingerprint = "aa",
                 .issued_ms = 100,
                 .expires_ms = 5000},
        .now_ms = 100};
}

static void issue(struct suite *t, unsigned id, unsigned token)
{
    struct names n;
    const struct store_letting l = letting_of(&n, id, 2 + id, token);
    assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
}

/* ---- a token is consumed once ---------------------------------------------------------------- */

static void ack_race(struct suite *t)
{
    struct race r;
    race_open(&r, t);
    for (unsigned same = 0; same < 2; same++) {
        issue(t, same, same);
        for (unsigned i = 0; i < CROWD; i++) {
            char from[24];
            snprintf(from, sizeof from, "192.0.2.%u", same ? 7 : i);
            const struct store_ack ack = {same ? "t1" : "t0", same ? "b1" : "b0", "aa", from, 200};
            store_admission_ack(r.stores[i % STORES], &ack, on_ack, &r.outcomes[i]);
        }
        wait_for(&r, CROWD);
        assert_int_equal(1, count_how(&r, STORE_ACKED));
        assert_int_equal(CROWD - 1, count_how(&r, same ? STORE_ACK_AGAIN : STORE_ACK_CONSUMED));
    }
    race_close(&r);
}

/* ---- an id, an address and the last tokens are given once ------------------------------------ */

/* Each puts itself in the place of the one before: of all of them one is good in the end. */
static void issue_race(struct suite *t)
{
    struct race r;
    race_open(&r, t);
    for (unsigned i = 0; i < CROWD; i++) {
        struct names n;
        const struct store_letting l = letting_of(&n, 0, 2, i);
        store_admission_issue(r.stores[i % STORES], &l, on_done, &r.outcomes[i]);
    }
    wait_for(&r, CROWD);
    assert_int_equal(CROWD, count_e(&r, ERR_OK));
    assert_err(ERR_OK, sync_tokens(&t->a));
    assert_parts(t, ",100,1000,0,", CROWD);
    assert_parts(t, ",100,1000,0,0,", 1);
    assert_err(ERR_OK, sync_node_certs(&t->a, "b0", false, 0));
    assert_parts(t, ",100,5000,", CROWD);
    assert_parts(t, ",100,5000,0,", 1);
    /* And that one is the admission's: it can be shown. */
    unsigned acked = 0;
    for (unsigned i = 0; i < CROWD; i++) {
        struct names n;
        const struct store_letting l = letting_of(&n, 0, 2, i);
        const struct store_ack ack = {l.token.hash, "b0", "aa", "x", 200};
        assert_err(ERR_OK, sync_admission_ack(&t->a, &ack));
        acked += strcmp(t->a.out.text, "acked") == 0;
    }
    assert_int_equal(1, acked);
    race_close(&r);
}

static void issue_address_race(struct suite *t)
{
    struct race r;
    race_open(&r, t);
    for (unsigned i = 0; i < CROWD; i++) {
        struct names n;
        const struct store_letting l = letting_of(&n, i, 2, i);
        store_admission_issue(r.stores[i % STORES], &l, on_done, &r.outcomes[i]);
    }
    wait_for(&r, CROWD);
    assert_int_equal(1, count_e(&r, ERR_OK));
    assert_int_equal(CROWD - 1, count_e(&r, ERR_CONFLICT));
    assert_err(ERR_OK, sync_cores(&t->a));
    assert_parts(t, "192.0.2.2", 1);
    assert_err(ERR_OK, sync_tokens(&t->a));
    assert_parts(t, ",100,1000,0,0,", 1);
    race_close(&r);
}

static void issue_tokens_race(struct suite *t)
{
    struct race r;
    race_open(&r, t);
    suite_execute(t, "INSERT INTO join_token(hash, core, issued_ms, expires_ms, consumed_ms,"
                     " revoked_ms, consumed_by, consumed_from) SELECT 'live' || i, 'x', 1, 1000, 0,"
                     " 0, '', '' FROM (WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1"
                     " FROM c LIMIT 993) SELECT i FROM c)");
    for (unsigned i = 0; i < CROWD; i++) {
        struct names n;
        const struct store_letting l = letting_of(&n, i, 2 + i, i);
        store_admission_issue(r.stores[i % STORES], &l, on_done, &r.outcomes[i]);
    }
    wait_for(&r, CROWD);
    assert_int_equal(7, count_e(&r, ERR_OK));
    assert_int_equal(CROWD - 7, count_e(&r, ERR_LIMIT));
    race_close(&r);
}

/* ---- in and out at once ---------------------------------------------------------------------- */

/* Whoever comes first: in the end nothing is left that could come in. */
static void ack_withdraw_race(struct suite *t)
{
    struct race r;
    race_open(&r, t);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct names n;
        const struct store_letting l = letting_of(&n, 0, 2, i);
        const struct store_ack ack = {l.token.hash, "b0", "aa", "x", 200};
        assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
        store_admission_withdraw(r.stores[i % 3], "b0", NULL, 300, on_withdrawn, &r.outcomes[0]);
        store_admission_ack(r.stores[i % 3 + 1], &ack, on_ack, &r.outcomes[1]);
        store_admission_finish(r.stores[(i + 2) % STORES], "b0", true, on_done, &r.outcomes[2]);
        wait_for(&r, 3);
        assert_err(ERR_OK, r.outcomes[0].e);
        assert_err(ERR_OK, r.outcomes[1].e);
        if (r.outcomes[2].e == ERR_OK) { /* it arrived before it could be taken back */
            assert_int_equal(STORE_ACKED, r.outcomes[1].how);
            assert_err(ERR_OK, sync_cores(&t->a));
            assert_string_equal("b0(-,192.0.2.2,-,-,-,yes):0", t->a.out.text);
            assert_err(ERR_OK, sync_node_certs(&t->a, NULL, false, 0));
            assert_parts(t, ",100,5000,0,", 1);
            assert_err(ERR_OK, sync_core_retire(&t->a, "b0", false, 300));
            continue;
        }
        assert_err(ERR_CONFLICT, r.outcomes[2].e);
        assert_true(r.outcomes[1].how == STORE_ACKED || r.outcomes[1].how == STORE_ACK_REVOKED);
        assert_err(ERR_NOTFOUND, sync_admission_get(&t->a, "b0"));
        assert_err(ERR_OK, sync_cores(&t->a));
        assert_string_equal("", t->a.out.text);
        assert_err(ERR_OK, sync_admission_ack(&t->a, &ack));
        assert_string_equal("revoked", t->a.out.text);
        assert_err(ERR_OK, sync_node_certs(&t->a, NULL, false, 0));
        assert_parts(t, ",100,5000,0,", 0);
    }
    race_close(&r);
}

/* A core that is removed while it arrives is not there afterwards, and was removed once. */
static void finish_retire_race(struct suite *t)
{
    struct race r;
    race_open(&r, t);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct names n;
        const struct store_letting l = letting_of(&n, 0, 2, i);
        const struct store_ack ack = {l.token.hash, "b0", "aa", "x", 200};
        assert_err(ERR_OK, sync_admission_issue(&t->a, &l));
        assert_err(ERR_OK, sync_admission_ack(&t->a, &ack));
        store_core_retire(r.stores[0], "b0", false, 300, on_withdrawn, &r.outcomes[0]);
        store_admission_finish(r.stores[1 + i % 3], "b0", true, on_done, &r.outcomes[1]);
        store_core_retire(r.stores[2], "b0", false, 300, on_withdrawn, &r.outcomes[2]);
        wait_for(&r, 3);
        assert_true(r.outcomes[1].e == ERR_OK || r.outcomes[1].e == ERR_CONFLICT);
        assert_int_equal(1, (r.outcomes[0].e == ERR_OK) + (r.outcomes[2].e == ERR_OK));
        assert_int_equal(1, (r.outcomes[0].e == ERR_NOTFOUND) + (r.outcomes[2].e == ERR_NOTFOUND));
        assert_err(ERR_OK, sync_cores(&t->a));
        assert_string_equal("", t->a.out.text);
        assert_err(ERR_NOTFOUND, sync_admission_get(&t->a, "b0"));
        assert_err(ERR_OK, sync_node_certs(&t->a, NULL, false, 0));
        assert_parts(t, ",100,5000,0,", 0);
    }
    race_close(&r);
}

/* Each certificate is revoked once, whoever does it, and is counted once. */
static void on_tally(void *ctx, enum err e, const struct err_info *info,
                     const struct store_tally *tally)
{
    struct outcome *o = ctx;
    o->how = e == ERR_OK && tally->updated > 0 ? STORE_ACKED : STORE_ACK_AGAIN;
    on_done(o, e, info);
}

static void revoke_race(struct suite *t)
{
    struct race r;
    race_open(&r, t);
    issue(t, 0, 0);
    for (unsigned i = 0; i < CROWD; i++) {
        store_node_certs_revoke(r.stores[i % STORES], "b0", NULL, 300, "x", on_tally,
                                &r.outcomes[i]);
    }
    wait_for(&r, CROWD);
    assert_int_equal(1, count_how(&r, STORE_ACKED));
    assert_int_equal(CROWD - 1, count_how(&r, STORE_ACK_AGAIN));
    race_close(&r);
}

const struct suite_test suite_join_race[] = {
    {"ack_race", ack_race},
    {"issue_race", issue_race},
    {"issue_address_race", issue_address_race},
    {"issue_tokens_race", issue_tokens_race},
    {"ack_withdraw_race", ack_withdraw_race},
    {"finish_retire_race", finish_retire_race},
    {"revoke_race", revoke_race},
    {NULL, NULL},
};
