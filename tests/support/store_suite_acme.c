/* What certificates are got with: proofs, accounts, orders. */
#include "store_suite_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct store_fence held = {.name = "acme/h", .holder = "a", .term = 1};

static void take(struct suite *t)
{
    assert_err(ERR_OK, sync_lease_take(&t->a, held.name, 0, 0, held.holder));
}

static void assert_out(const struct suite *t, const char *expected)
{
    assert_string_equal(expected, t->a.out.text);
}

/* ---- proofs ---------------------------------------------------------------------------------- */

static void challenges_put(struct suite *t)
{
    struct store_challenge list[STORE_PROOFS_MAX + 1];
    char values[STORE_PROOFS_MAX + 1][8];
    char *huge = suite_text(STORE_VALUE_MAX + 1, "", "");
    take(t);
    for (size_t i = 0; i <= STORE_PROOFS_MAX; i++) {
        snprintf(values[i], sizeof values[i], "v%02zu", i);
        list[i] = (struct store_challenge){
            .name = "n", .value = values[i], .order = "o", .expires_ms = (int64_t)i};
    }
    assert_err(ERR_LIMIT, sync_challenges_put(&t->a, &held, list, STORE_PROOFS_MAX + 1));
    list[1].value = huge;
    assert_err(ERR_LIMIT, sync_challenges_put(&t->a, &held, list, 2));
    list[1].value = values[1];
    list[1].name = "";
    assert_err(ERR_MALFORMED, sync_challenges_put(&t->a, &held, list, 2));
    list[1].name = "m";
    assert_err(ERR_OK, sync_challenges(&t->a, NULL));
    assert_out(t, ""); /* all or none */
    assert_err(ERR_OK, sync_challenges_put(&t->a, &held, list, 0));
    assert_err(ERR_OK, sync_challenges_put(&t->a, &held, list, 3));
    assert_err(ERR_OK, sync_challenges(&t->a, NULL));
    assert_out(t, "m=v01(o,1) n=v00(o,0) n=v02(o,2)");
    assert_err(ERR_OK, sync_feed(&t->a, 0, 10));
    assert_out(t, "challenge/n- challenge/m- challenge/n-");
    list[0].order = "p";
    assert_err(ERR_OK, sync_challenges_put(&t->a, &held, list, 1)); /* renews */
    assert_err(ERR_OK, sync_challenges(&t->a, NULL));
    assert_out(t, "m=v01(o,1) n=v00(p,0) n=v02(o,2)");
    assert_err(ERR_OK, sync_challenges_put(&t->a, &held, list, STORE_PROOFS_MAX));
    free(huge);
}

static void alpn01_life(struct suite *t)
{
    struct store_alpn01 a = {.name = "b", .digest = "d1", .order = "o1", .expires_ms = 100};
    take(t);
    assert_err(ERR_OK, sync_alpn01_put(&t->a, &held, &a));
    a = (struct store_alpn01){.name = "a", .digest = "d2", .order = "o2", .expires_ms = 200};
    assert_err(ERR_OK, sync_alpn01_put(&t->a, &held, &a));
    assert_err(ERR_OK, sync_alpn01(&t->a, 99));
    assert_out(t, "a=d2(o2,200) b=d1(o1,100)");
    assert_err(ERR_OK, sync_alpn01(&t->a, 100));
    assert_out(t, "a=d2(o2,200)");
    a = (struct store_alpn01){.name = "a", .digest = "d3", .order = "o3", .expires_ms = 300};
    assert_err(ERR_OK, sync_alpn01_put(&t->a, &held, &a)); /* renews */
    assert_err(ERR_OK, sync_alpn01(&t->a, 200));
    assert_out(t, "a=d3(o3,300)");
    for (unsigned i = 0; i < STORE_PROOFS_MAX + 2; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%02u", i);
        a.name = name;
        assert_err(ERR_OK, sync_alpn01_put(&t->a, &held, &a));
    }
    assert_err(ERR_OK, sync_alpn01(&t->a, 0));
    assert_null(strstr(t->a.out.text, "n31")); /* no more than so many */
    assert_non_null(strstr(t->a.out.text, "n29"));
    a.name = "";
    assert_err(ERR_MALFORMED, sync_alpn01_put(&t->a, &held, &a));
    assert_err(ERR_OK, sync_state(&t->a));
    assert_int_equal(0, t->a.state.revision); /* no change of the zone */
}

/* ---- accounts -------------------------------------------------------------------------------- */

static const struct store_account account = {.directory = "https://b.example/dir",
                                             .url = "",
                                             .key = "k1",
                                             .pending_key = NULL,
                                             .thumbprint = "t1",
                                             .contact = "me@example.com",
                                             .issuer = "b.example",
                                             .created_ms = 5};

static void account_life(struct suite *t)
{
    struct store_account a = account;
    take(t);
    assert_err(ERR_NOTFOUND, sync_account_get(&t->a, a.directory));
    assert_err(ERR_OK, sync_account_put(&t->a, &held, &a));
    assert_err(ERR_OK, sync_account_get(&t->a, a.directory));
    assert_out(t, "https://b.example/dir,,k1,-,t1,me@example.com,b.example,5");
    a.url = "https://b.example/1";
    a.pending_key = "k2";
    assert_err(ERR_OK, sync_account_put(&t->a, &held, &a));
    a = (struct store_account){.directory = "https://a.example/",
                               .url = "u",
                               .key = "k",
                               .pending_key = "p",
                               .thumbprint = "t",
                               .contact = "",
                               .issuer = ""};
    assert_err(ERR_OK, sync_account_put(&t->a, &held, &a));
    assert_err(ERR_OK, sync_accounts(&t->a));
    assert_out(t, "https://a.example/,u,k,p,t,,,0 "
                  "https://b.example/dir,https://b.example/1,k1,k2,t1,me@example.com,b.example,5");
    a.directory = "";
    assert_err(ERR_MALFORMED, sync_account_put(&t->a, &held, &a));
    assert_err(ERR_NOTFOUND, sync_account_get(&t->a, "https://b.example/di"));
}

/* The feed names the account, whose key it never tells; nor does a scan. */
static void account_feed(struct suite *t)
{
    struct store_account a = account;
    take(t);
    assert_err(ERR_OK, sync_account_put(&t->a, &held, &a));
    assert_err(ERR_OK, sync_feed(&t->a, 0, 10));
    assert_out(t, "acme-account/https://b.example/dir-");
    assert_int_equal(1, t->a.revision);
    a.key = "k2"; /* a new sealing, or a staged key: nobody answers otherwise for it */
    a.pending_key = "k3";
    a.created_ms = 6;
    assert_err(ERR_OK, sync_account_put(&t->a, &held, &a));
    assert_err(ERR_OK, sync_state(&t->a));
    assert_int_equal(1, t->a.state.revision);
    const char **const told[] = {&a.url, &a.thumbprint, &a.contact, &a.issuer};
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        *told[i] = "another";
        assert_err(ERR_OK, sync_account_put(&t->a, &held, &a));
        assert_err(ERR_OK, sync_feed(&t->a, i + 1, 10));
        assert_out(t, "acme-account/https://b.example/dir-");
        assert_int_equal(i + 2, t->a.revision);
    }
    assert_err(ERR_OK, sync_scan(&t->a, "", 10));
    assert_out(t, "");
    assert_err(ERR_OK, sync_scan(&t->a, "acme-account/", 10));
    assert_out(t, "");
    suite_execute(t, "UPDATE acme_account SET directory = 'x'");
    suite_execute(t, "DELETE FROM acme_account");
    assert_err(ERR_OK, sync_feed(&t->a, 5, 10));
    assert_out(t, "acme-account/https://b.example/dir- acme-account/x- acme-account/x-");
}

static void account_reseal(struct suite *t)
{
    struct store_account a = account;
    take(t);
    assert_err(ERR_CONFLICT, sync_account_reseal(&t->a, &a, "n1", NULL)); /* there is none */
    assert_err(ERR_OK, sync_account_put(&t->a, &held, &a));
    a.key = "other";
    assert_err(ERR_CONFLICT, sync_account_reseal(&t->a, &a, "n1", NULL));
    a.key = "k1";
    a.pending_key = "k2";
    assert_err(ERR_CONFLICT, sync_account_reseal(&t->a, &a, "n1", "n2"));
    a.pending_key = NULL;
    assert_err(ERR_OK, sync_account_reseal(&t->a, &a, "n1", NULL));
    assert_err(ERR_CONFLICT,
               sync_account_reseal(&t->a, &a, "n2", NULL)); /* it is not so any more */
    a.key = "k1";
    a.pending_key = "k2";
    assert_err(ERR_OK, sync_account_put(&t->a, &held, &a));
    a.pending_key = "k3";
    assert_err(ERR_CONFLICT, sync_account_reseal(&t->a, &a, "n1", "n2"));
    a.pending_key = NULL;
    assert_err(ERR_CONFLICT, sync_account_reseal(&t->a, &a, "n1", NULL));
    a.pending_key = "k2";
    assert_err(ERR_OK, sync_account_reseal(&t->a, &a, "n1", "n2"));
    assert_err(ERR_OK, sync_account_get(&t->a, a.directory));
    assert_out(t, "https://b.example/dir,,n1,n2,t1,me@example.com,b.example,5");
}

/* ---- orders ---------------------------------------------------------------------------------- */

static const struct store_order order = {.hostname = "*.b.example",
                                         .id = "id1",
                                         .directory = "d",
                                         .purpose = "issue",
                                         .state = "new",
                                         .url = "u",
                                         .names = "[\"b.example\"]",
                                         .key = "k",
                                         .replaces = "r",
                                         .detail = "{}",
                                         .started_ms = 1,
                                         .expires_ms = 2};

static void order_life(struct suite *t)
{
    struct store_order o = order;
    take(t);
    assert_err(ERR_NOTFOUND, sync_order_get(&t->a, o.hostname));
    assert_err(ERR_OK, sync_order_put(&t->a, &held, &o));
    assert_err(ERR_OK, sync_order_get(&t->a, o.hostname));
    assert_out(t, "*.b.example,id1,d,issue,new,u,[\"b.example\"],k,r,{},1,2");
    o = (struct store_order){.hostname = o.hostname,
                             .id = "id2",
                             .directory = "d2",
                             .purpose = "rehearsal",
                             .state = "final",
                             .url = "",
                             .names = "[]",
                             .key = "",
                             .replaces = "",
                             .detail = "{\"x\":1}",
                             .started_ms = 3,
                             .expires_ms = 0};
    assert_err(ERR_OK, sync_order_put(&t->a, &held, &o)); /* the whole row */
    o = order;
    o.hostname = "a.example";
    assert_err(ERR_OK, sync_order_put(&t->a, &held, &o));
    assert_err(ERR_OK, sync_orders(&t->a));
    assert_out(t, "*.b.example,id2,d2,rehearsal,final,,[],,,{\"x\":1},3,0 "
                  "a.example,id1,d,issue,new,u,[\"b.example\"],k,r,{},1,2");
    o.id = "";
    assert_err(ERR_MALFORMED, sync_order_put(&t->a, &held, &o));
    assert_err(ERR_OK, sync_order_end(&t->a, &held, "a.example", "id2")); /* not that one */
    assert_err(ERR_OK, sync_order_get(&t->a, "a.example"));
    assert_err(ERR_OK, sync_order_end(&t->a, &held, "a.example", "id1"));
    assert_err(ERR_OK, sync_order_end(&t->a, &held, "a.example", "id1")); /* it is gone: fine */
    assert_err(ERR_NOTFOUND, sync_order_get(&t->a, "a.example"));
    assert_err(ERR_OK, sync_order_get(&t->a, "*.b.example"));
    assert_err(ERR_OK, sync_state(&t->a));
    assert_int_equal(0, t->a.state.revision);
}

/* One proof of each kind, of ORDER, called after it. */
static void put_proofs(struct suite *t, const char *of, int64_t expires_ms)
{
    const struct store_challenge c = {
        .name = "n", .value = of, .order = of, .expires_ms = expires_ms};
    const struct store_http01 h = {
        .token = of, .value = "v", .order = of, .expires_ms = expires_ms};
    const struct store_alpn01 a = {
        .name = of, .digest = "d", .order = of, .expires_ms = expires_ms};
    assert_err(ERR_OK, sync_challenges_put(&t->a, &held, &c, 1));
    assert_err(ERR_OK, sync_http01_put_under(&t->a, &held, &h));
    assert_err(ERR_OK, sync_alpn01_put(&t->a, &held, &a));
}

static void assert_proofs(struct suite *t, const char *of, bool there)
{
    char begin[32];
    snprintf(begin, sizeof begin, "%s=d(", of);
    assert_err(there ? ERR_OK : ERR_NOTFOUND, sync_http01_find(&t->a, of, 0));
    assert_err(ERR_OK, sync_alpn01(&t->a, 0));
    assert_true(there == (strstr(t->a.out.text, begin) != NULL));
    snprintf(begin, sizeof begin, "n=%s(", of);
    assert_err(ERR_OK, sync_challenges(&t->a, "n"));
    assert_true(there == (strstr(t->a.out.text, begin) != NULL));
}

static void order_end(struct suite *t)
{
    take(t);
    assert_err(ERR_OK, sync_order_put(&t->a, &held, &order));
    put_proofs(t, "id1", 100);
    put_proofs(t, "other", 100);
    assert_err(ERR_OK, sync_order_end(&t->a, &held, order.hostname, "id1"));
    assert_err(ERR_NOTFOUND, sync_order_get(&t->a, order.hostname));
    assert_proofs(t, "id1", false);
    assert_proofs(t, "other", true);
}

static void proofs_reap(struct suite *t)
{
    take(t);
    assert_err(ERR_OK, sync_order_put(&t->a, &held, &order));
    put_proofs(t, "id1", 100);
    put_proofs(t, "orphan", 100);
    assert_err(ERR_OK, sync_proofs_reap(&t->a, &held, 99));
    assert_proofs(t, "orphan", true); /* it may be somebody else's, who says how long */
    assert_err(ERR_OK, sync_proofs_reap(&t->a, &held, 100));
    assert_proofs(t, "orphan", false);
    assert_proofs(t, "id1", true); /* its order is under way */
}

const struct suite_test suite_acme[] = {
    {"challenges_put", challenges_put},
    {"alpn01_life", alpn01_life},
    {"account_life", account_life},
    {"account_feed", account_feed},
    {"account_reseal", account_reseal},
    {"order_life", order_life},
    {"order_end", order_end},
    {"proofs_reap", proofs_reap},
    {NULL, NULL},
};
