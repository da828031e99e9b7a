/* Leases: who gets one, and that whoever has lost it writes nothing any more. */
#include "store_suite_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEASE "acme/*.mc.example.com"

static void assert_lease(struct suite *t, const char *expected)
{
    char text[100];
    snprintf(text, sizeof text, "%s=%s", LEASE, expected);
    assert_err(ERR_OK, sync_lease_get(&t->a, LEASE));
    assert_string_equal(text, t->a.out.text);
}

static void lease_life(struct suite *t)
{
    const struct store_fence first = {.name = LEASE, .holder = "a", .term = 1};
    const struct store_fence second = {.name = LEASE, .holder = "b", .term = 2};
    assert_err(ERR_NOTFOUND, sync_lease_get(&t->a, LEASE));
    assert_err(ERR_DENIED, sync_lease_beat(&t->a, &first, 1));
    assert_err(ERR_DENIED, sync_lease_release(&t->a, &first));
    assert_err(ERR_CONFLICT, sync_lease_take(&t->a, LEASE, 1, 0, "a")); /* there is no row */
    assert_err(ERR_OK, sync_lease_take(&t->a, LEASE, 0, 0, "a"));
    assert_lease(t, "a(1,0)");
    assert_err(ERR_CONFLICT, sync_lease_take(&t->a, LEASE, 0, 0, "b")); /* now there is one */
    assert_err(ERR_OK, sync_lease_beat(&t->a, &first, 7));
    assert_lease(t, "a(1,7)");
    assert_err(ERR_CONFLICT, sync_lease_take(&t->a, LEASE, 1, 6, "b")); /* it has beaten since */
    assert_err(ERR_CONFLICT, sync_lease_take(&t->a, LEASE, 2, 7, "b"));
    assert_lease(t, "a(1,7)");
    assert_err(ERR_OK, sync_lease_take(&t->a, LEASE, 1, 7, "b"));
    assert_lease(t, "b(2,7)");
    assert_err(ERR_DENIED, sync_lease_beat(&t->a, &first, 8));
    assert_err(ERR_DENIED, sync_lease_release(&t->a, &first));
    assert_lease(t, "b(2,7)");
    assert_err(ERR_OK, sync_lease_release(&t->a, &second));
    assert_lease(t, "(2,7)");
    assert_err(ERR_DENIED, sync_lease_beat(&t->a, &second, 8)); /* what was given back is gone */
    assert_err(ERR_OK, sync_lease_take(&t->a, LEASE, 2, 7, "a"));
    assert_lease(t, "a(3,7)");
    assert_err(ERR_NOTFOUND, sync_lease_get(&t->a, "acme/mc.example.com")); /* one each */
    assert_err(ERR_OK, sync_state(&t->a));
    assert_int_equal(0, t->a.state.revision); /* no change of the zone */
}

static void lease_limits(struct suite *t)
{
    char *over = suite_text(STORE_KEY_MAX, "", "");
    const struct store_fence nameless = {.name = "", .holder = "a", .term = 1};
    const struct store_fence ownerless = {.name = LEASE, .holder = "", .term = 1};
    const struct store_fence huge = {.name = LEASE, .holder = over, .term = 1};
    assert_err(ERR_MALFORMED, sync_lease_get(&t->a, ""));
    assert_err(ERR_LIMIT, sync_lease_get(&t->a, over));
    assert_err(ERR_LIMIT, sync_lease_take(&t->a, over, 0, 0, "a"));
    assert_err(ERR_LIMIT, sync_lease_take(&t->a, LEASE, 0, 0, over));
    assert_err(ERR_MALFORMED, sync_lease_take(&t->a, LEASE, 0, 0, "")); /* that is nobody */
    assert_err(ERR_MALFORMED, sync_lease_beat(&t->a, &nameless, 1));
    assert_err(ERR_MALFORMED, sync_lease_beat(&t->a, &ownerless, 1));
    assert_err(ERR_LIMIT, sync_lease_release(&t->a, &huge));
    assert_err(ERR_OK, sync_lease_take(&t->a, LEASE, 0, 0, "a"));
    assert_err(ERR_MALFORMED, sync_proofs_reap(&t->a, &nameless, 1));
    assert_err(ERR_LIMIT, sync_proofs_reap(&t->a, &huge, 1));
    /* Numbers as large as they may be arrive as they were. */
    const struct store_fence held = {.name = LEASE, .holder = "a", .term = 1};
    assert_err(ERR_OK, sync_lease_beat(&t->a, &held, INT64_MAX));
    assert_lease(t, "a(1,9223372036854775807)");
    assert_err(ERR_OK, sync_lease_take(&t->a, LEASE, 1, INT64_MAX, "b"));
    free(over);
}

/* ---- races ----------------------------------------------------------------------------------- */

struct race {
    bool done;
    enum err e;
};

static void on_race(void *ctx, enum err e, const struct err_info *info)
{
    struct race *r = ctx;
    (void)info;
    r->e = e;
    r->done = true;
}

/* Two cores that saw the same: exactly one has it then, and the other knows. */
static void lease_race(struct suite *t)
{
    struct store_lease seen = {.name = LEASE, .holder = ""};
    unsigned won_by_a = 0;
    suite_open_b(t);
    for (uint64_t term = 0; term < 40; term++) {
        struct race a = {.done = false}, b = {.done = false};
        char expected[100];
        seen.term = term;
        if (term % 2 == 0) {
            store_lease_take(t->a.store, &seen, "a", on_race, &a);
            store_lease_take(t->b.store, &seen, "b", on_race, &b);
        } else {
            store_lease_take(t->b.store, &seen, "b", on_race, &b);
            store_lease_take(t->a.store, &seen, "a", on_race, &a);
        }
        sync_wait(&t->loop, &a.done);
        sync_wait(&t->loop, &b.done);
        assert_true(a.e == ERR_OK || b.e == ERR_OK);
        assert_err(ERR_CONFLICT, a.e == ERR_OK ? b.e : a.e);
        won_by_a += a.e == ERR_OK;
        snprintf(expected, sizeof expected, "%s(%llu,0)", a.e == ERR_OK ? "a" : "b",
                 (unsigned long long)term + 1);
        assert_lease(t, expected);
    }
    print_message("a won %u of 40\n", won_by_a);
}

enum { VALUES = 8 };

static void put_values(struct suite *t, const struct store_fence *fence, unsigned round,
                       struct race *race)
{
    struct store_challenge list[VALUES];
    char values[VALUES][16], order[16];
    snprintf(order, sizeof order, "o%03u", round);
    for (size_t i = 0; i < VALUES; i++) {
        snprintf(values[i], sizeof values[i], "v%03u-%zu", round, i);
        list[i] = (struct store_challenge){
            .name = "n", .value = values[i], .order = order, .expires_ms = 1};
    }
    store_challenges_put(t->a.store, fence, list, VALUES, on_race, race);
}

static unsigned count_of(const char *text, const char *what)
{
    unsigned n = 0;
    for (; (text = strstr(text, what)) != NULL; text++) {
        n++;
    }
    return n;
}

/* The lease is lost in the midst of writing: what was confirmed is there, what was refused is not,
 * and nothing is half there. */
static void fence_race(struct suite *t)
{
    enum { ROUNDS = 200 };
    const struct store_fence fence = {.name = LEASE, .holder = "a", .term = 1};
    const struct store_lease seen = {.name = LEASE, .holder = "a", .term = 1};
    struct race put[ROUNDS] = {{.done = false}}, take = {.done = false};
    unsigned rounds = 0, confirmed = 0;
    suite_open_b(t);
    assert_err(ERR_OK, sync_lease_take(&t->a, LEASE, 0, 0, "a"));
    while (rounds < ROUNDS && !(take.done && put[rounds - 1].e != ERR_OK)) {
        if (rounds == ROUNDS - 2) { /* a writer who never pauses may keep the other from its turn */
            sync_wait(&t->loop, &take.done);
        }
        put_values(t, &fence, rounds, &put[rounds]);
        put_values(t, &fence, rounds + 1, &put[rounds + 1]);
        if (rounds == 4) { /* meanwhile the other store takes over */
            store_lease_take(t->b.store, &seen, "b", on_race, &take);
        }
        sync_wait(&t->loop, &put[rounds].done);
        sync_wait(&t->loop, &put[rounds + 1].done);
        rounds += 2;
    }
    sync_wait(&t->loop, &take.done);
    assert_err(ERR_OK, take.e);
    for (unsigned i = 0; i < rounds; i++) {
        char order[16];
        assert_true(put[i].e == ERR_OK || put[i].e == ERR_DENIED);
        assert_true(put[i].e == ERR_DENIED || confirmed == i); /* never again after a refusal */
        confirmed += put[i].e == ERR_OK;
        assert_err(ERR_OK, sync_challenges(&t->a, "n"));
        snprintf(order, sizeof order, "(o%03u,", i);
        assert_int_equal(put[i].e == ERR_OK ? VALUES : 0, count_of(t->a.out.text, order));
    }
    assert_true(confirmed >= 4 && confirmed < rounds);
    print_message("%u of %u writes before the lease was lost\n", confirmed, rounds);
}

/* ---- each write under a lease ---------------------------------------------------------------- */

static const struct store_account account = {.directory = "https://ca.example/dir",
                                             .url = "u",
                                             .key = "k",
                                             .thumbprint = "t",
                                             .contact = "c",
                                             .issuer = "i"};
static const struct store_order order = {.hostname = "h",
                                         .id = "id",
                                         .directory = "d",
                                         .purpose = "issue",
                                         .state = "new",
                                         .url = "",
                                         .names = "[]",
                                         .key = "",
                                         .replaces = "",
                                         .detail = "{}"};

static enum err put_challenges(struct sync *y, const struct store_fence *fence)
{
    const struct store_challenge list[] = {
        {.name = "n", .value = "v1", .order = "id", .expires_ms = 9},
        {.name = "n", .value = "v2", .order = "gone", .expires_ms = 9}};
    return sync_challenges_put(y, fence, list, 2);
}

static enum err put_http01(struct sync *y, const struct store_fence *fence)
{
    const struct store_http01 h = {.token = "t", .value = "v", .order = "id", .expires_ms = 9};
    return sync_http01_put_under(y, fence, &h);
}

static enum err put_alpn01(struct sync *y, const struct store_fence *fence)
{
    const struct store_alpn01 a = {.name = "n", .digest = "d", .order = "id", .expires_ms = 9};
    return sync_alpn01_put(y, fence, &a);
}

static enum err put_account(struct sync *y, const struct store_fence *fence)
{
    return sync_account_put(y, fence, &account);
}

static enum err put_order(struct sync *y, const struct store_fence *fence)
{
    return sync_order_put(y, fence, &order);
}

static enum err put_attempt(struct sync *y, const struct store_fence *fence)
{
    const struct store_attempt a = {.id = "x",
                                    .hostname = "h",
                                    .directory = "d",
                                    .kind = "order",
                                    .outcome = "open",
                                    .problem = "",
                                    .text = "",
                                    .core = "a",
                                    .at_ms = 1};
    return sync_attempt_put(y, fence, &a);
}

static enum err put_renewal(struct sync *y, const struct store_fence *fence)
{
    const struct store_renewal r = {
        .hostname = "h", .serial = "01", .renew_ms = 1, .explanation = "", .replaced = ""};
    return sync_renewal_put(y, fence, &r);
}

static enum err put_job(struct sync *y, const struct store_fence *fence)
{
    const struct store_job job = {.id = "j", .state = "working", .text = "now"};
    return sync_job_put(y, fence, &job);
}

static enum err put_cert(struct sync *y, const struct store_fence *fence)
{
    const struct store_cert_row row = {
        .cert = {.hostname = "h", .generation = 1}, .cert_pem = "c", .chain_pem = "", .key = "k"};
    return sync_cert_put(y, fence, &row, 0);
}

/* It finds a row that it could clear away, which must be there after it was refused. */
static enum err put_cert_over(struct sync *y, const struct store_fence *fence)
{
    const struct store_cert_row row = {.cert = {.hostname = "broken", .generation = 1},
                                       .cert_pem = "c",
                                       .chain_pem = "",
                                       .key = "k"};
    return sync_cert_put(y, fence, &row, 0);
}

static enum err end_order(struct sync *y, const struct store_fence *fence)
{
    return sync_order_end(y, fence, "h", "id");
}

static enum err reap(struct sync *y, const struct store_fence *fence)
{
    return sync_proofs_reap(y, fence, 9);
}

static void note(struct sync *y, struct str *all, enum err e)
{
    str_appendf(all, "%s: %s\n", err_text(e), e == ERR_OK ? y->out.text : "");
}

/* All that the writes above could change, as text. */
static struct str everything(struct sync *y)
{
    struct str all = {.text = NULL};
    note(y, &all, sync_challenges(y, NULL));
    note(y, &all, sync_http01_find(y, "t", 0));
    note(y, &all, sync_alpn01(y, 0));
    note(y, &all, sync_accounts(y));
    note(y, &all, sync_orders(y));
    note(y, &all, sync_attempts(y, NULL, 0, 100, false));
    note(y, &all, sync_renewal_get(y, "h"));
    note(y, &all, sync_job_get(y, "j"));
    note(y, &all, sync_certs(y));
    note(y, &all, sync_cert_get(y, "broken"));
    note(y, &all, sync_state(y));
    str_appendf(&all, "%llu", (unsigned long long)y->state.revision);
    return all;
}

static void fence_each(struct suite *t)
{
    static const struct {
        const char *name;
        enum err (*write)(struct sync *y, const struct store_fence *fence);
    } writes[] = {
        {"challenges", put_challenges},
        {"http01", put_http01},
        {"alpn01", put_alpn01},
        {"account", put_account},
        {"order", put_order},
        {"attempt", put_attempt},
        {"renewal", put_renewal},
        {"job", put_job},
        {"cert", put_cert},
        {"cert over a broken row", put_cert_over},
        {"end", end_order},
        {"reap", reap},
    };
    static const struct store_fence stale[] = {
        {.name = LEASE, .holder = "a", .term = 1},            /* once ours */
        {.name = LEASE, .holder = "a", .term = 2},            /* of another holder */
        {.name = LEASE, .holder = "b", .term = 1},            /* of another term */
        {.name = LEASE, .holder = "b", .term = 3},            /* of one to come */
        {.name = "acme/elsewhere", .holder = "b", .term = 2}, /* of another lease */
    };
    const struct store_fence held = {.name = LEASE, .holder = "b", .term = 2};
    const struct store_job job = {.id = "j",
                                  .hostname = "h",
                                  .kind = "renew",
                                  .argument = "",
                                  .state = "waiting",
                                  .by = "api",
                                  .override = "",
                                  .text = ""};
    assert_err(ERR_OK, sync_lease_take(&t->a, LEASE, 0, 0, "a"));
    assert_err(ERR_OK, sync_lease_take(&t->a, LEASE, 1, 0, "b"));
    assert_err(ERR_OK, sync_job_ask(&t->a, &job));
    suite_execute(t, "INSERT INTO keyValue VALUES('tls-cert/broken', 'no JSON')");
    for (size_t i = 0; i < sizeof writes / sizeof writes[0]; i++) {
        struct str before = everything(&t->a);
        for (size_t k = 0; k < sizeof stale / sizeof stale[0]; k++) {
            enum err e = writes[i].write(&t->a, &stale[k]);
            struct str after = everything(&t->a);
            if (e != ERR_DENIED || strcmp(before.text, after.text) != 0) {
                fail_msg("%s under a lease that is lost (%zu): %s; before:\n%s\nafter:\n%s",
                         writes[i].name, k, err_text(e), before.text, after.text);
            }
            str_free(&after);
        }
        assert_err(ERR_OK, writes[i].write(&t->a, &held));
        struct str after = everything(&t->a);
        if (strcmp(before.text, after.text) == 0) {
            fail_msg("%s: it writes nothing at all", writes[i].name);
        }
        str_free(&after);
        str_free(&before);
    }
    assert_err(ERR_OK, sync_lease_release(&t->a, &held));
    assert_err(ERR_DENIED, put_order(&t->a, &held)); /* given back is gone */
}

const struct suite_test suite_lease[] = {
    {"lease_life", lease_life}, {"lease_limits", lease_limits}, {"lease_race", lease_race},
    {"fence_race", fence_race}, {"fence_each", fence_each},     {NULL, NULL},
};
