/* What is really served, seen from outside: the own listeners' certificates, and who asks for
 * challenges. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certs_priv.h"
#include "dnsd/net/witness.h"
#include "dnsd/wire/type.h"
#include "lib/mem.h"

/* ---- the own listeners ---------------------------------------------------------------------------- */

struct sockaddr_storage certs_reachable(const struct net_address *address)
{
    struct sockaddr_storage out = address->sa;
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out;
    if (out.ss_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_ANY)) {
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else if (out.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr)) {
        v6->sin6_addr = in6addr_loopback;
    }
    return out;
}

/* The AT-th listener that shows certificates. */
static bool listener(const struct app *a, size_t at, const struct net_address **out)
{
    size_t n = 0;
    for (size_t i = 0; a->https && i < a->api_sockets.count; i++) {
        *out = &a->api_sockets.items[i].address;
        if (n++ == at) {
            return true;
        }
    }
    for (size_t i = 0; a->server != NULL && i < a->sockets.count; i++) {
        *out = &a->sockets.bound[i].address;
        if (a->sockets.bound[i].address.tls && n++ == at) {
            return true;
        }
    }
    return false;
}

static void all_show_it(struct certs *c)
{
    struct cert_sync_view view;
    cert_sync_view(c->sync, &view);
    bool other = strcmp(c->served, c->wanted) != 0;
    snprintf(c->served, sizeof c->served, "%s", c->wanted);
    c->served_problem[0] = '\0';
    c->served_generation = view.generation;
    if (other) {
        c->served_ms = clk_wall_ms(&clk_system);
        LOG_INFO("certs", "this core serves the certificate", LOG_S("name", c->cert.hostname),
                 LOG_N("generation", (int64_t)view.generation), LOG_S("serial", c->served_serial));
    }
    cert_sync_shown(c->sync, c->served);
}

static void plan_next(struct certs *c, int64_t wait_ms)
{
    c->look_wanted = true;
    c->look_next_ms = clk_mono_ms(&clk_system) + wait_ms;
}

static void does_not_show_it(struct certs *c, const char *why)
{
    struct net_address none = {.tls = true};
    const struct net_address *address = &none;
    char text[NET_ADDRESS_TEXT_MAX] = "";
    if (listener(c->app, c->look_at, &address)) {
        net_address_text(address, text);
    }
    char problem[sizeof c->served_problem];
    snprintf(problem, sizeof problem, "%s: %s", text, why);
    if (strcmp(problem, c->served_problem) != 0 && c->served[0] != '\0') {
        LOG_WARN("certs", "a listener of ours does not show the certificate",
                 LOG_S("address", text), LOG_S("reason", why));
    }
    memcpy(c->served_problem, problem, sizeof problem);
    plan_next(c, CERTS_TICK_MS);
}

static void look_at_next(struct certs *c);

static void on_looked(void *ctx, enum err e, const struct err_info *info,
                      const struct tls_looked *looked)
{
    struct certs *c = ctx;
    c->look = NULL;
    if (c->app->stopping) {
        app_continue_stop(c->app);
    } else if (e != ERR_OK) {
        does_not_show_it(c, info->text);
    } else if (strcmp(looked->sha256, c->wanted) != 0) {
        does_not_show_it(c, "it shows another one");
    } else {
        snprintf(c->served_serial, sizeof c->served_serial, "%s", looked->serial);
        c->look_at++;
        look_at_next(c);
    }
}

static void look_at_next(struct certs *c)
{
    const struct net_address *address;
    if (!listener(c->app, c->look_at, &address)) {
        all_show_it(c);
        plan_next(c, CERTS_LOOK_MS);
        return;
    }
    struct sockaddr_storage to = certs_reachable(address);
    const char *name = c->cert.names[c->cert.count - 1]; /* not the one with the star */
    c->look = tls_look_start(&c->app->loop, &to, name, NULL, on_looked, c);
    if (c->look == NULL) {
        plan_next(c, CERTS_LOOK_MS); /* no memory now */
    }
}

void certs_tick_looks(struct certs *c)
{
    if (c->look != NULL || !c->look_wanted || c->wanted[0] == '\0' || c->stopping ||
        c->app->stopping || clk_mono_ms(&clk_system) < c->look_next_ms) {
        return;
    }
    c->look_wanted = false;
    c->look_at = 0;
    look_at_next(c);
}

/* ---- witnesses -------------------------------------------------------------------------------------- */

#define WITNESSES_MAX 128 /* of DNS, at a time; what is more waits in the rings */
#define ANSWER_TEXT   48
#define NAME_TEXT     (WIRE_NAME_TEXT_MAX > 129 ? WIRE_NAME_TEXT_MAX : 129)

struct told {
    struct store_witness row;
    char name[NAME_TEXT];
    char source[NET_WITNESS_SOURCE_TEXT];
    char answer[ANSWER_TEXT];
};

/* What is gathered for one writing. */
struct telling {
    struct told *told;
    struct store_witness *rows;
    size_t count; /* of both */
};

static bool same_row(const struct store_witness *a, const struct store_witness *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->source, b->source) == 0 &&
           strcmp(a->transport, b->transport) == 0 && strcmp(a->answer, b->answer) == 0;
}

/* The last of T->told, filled in, becomes a row, or adds to one that is the same. */
static void add(struct telling *t, const struct certs *c, const char *transport, int64_t at_ms)
{
    struct told *new = &t->told[t->count];
    new->row = (struct store_witness){.core = c->app->id,
                                      .name = new->name,
                                      .source = new->source,
                                      .transport = transport,
                                      .answer = new->answer,
                                      .at_ms = at_ms,
                                      .count = 1};
    for (size_t i = 0; i < t->count; i++) {
        if (same_row(&t->rows[i], &new->row)) {
            t->rows[i].count++;
            t->rows[i].at_ms = at_ms;
            return;
        }
    }
    t->rows[t->count++] = new->row;
}

static void add_dns(struct telling *t, const struct certs *c, const struct net_witness *w)
{
    const struct answer_challenge *asked = &w->challenge;
    struct told *told = &t->told[t->count];
    struct wire_name name = {.len = asked->name_len};
    if (asked->type != TYPE_TXT) {
        return; /* resolvers on their way to it (RFC 9156) */
    }
    memcpy(name.bytes, asked->name, asked->name_len);
    wire_name_to_relative(&name, &c->app->config.dns.domain, told->name);
    net_witness_source(w, told->source);
    if (asked->rcode != 0) {
        snprintf(told->answer, ANSWER_TEXT, "%s",
                 answer_rcode_text(answer_rcode_index(asked->rcode)));
    } else {
        snprintf(told->answer, ANSWER_TEXT, "%u value%s%s", asked->answers,
                 asked->answers == 1 ? "" : "s", asked->truncated ? ", truncated" : "");
    }
    add(t, c, answer_transport_text(w->transport), w->at_ms);
}

static void add_http(struct telling *t, const struct certs *c, const struct certs_asked *asked)
{
    struct told *told = &t->told[t->count];
    struct net_witness w = {.v6 = strchr(asked->client, ':') != NULL};
    uint8_t address[16] = {0};
    (void)inet_pton(w.v6 ? AF_INET6 : AF_INET, asked->client, address); /* no address: zeros */
    memcpy(w.source, address, w.v6 ? 6 : 3);
    net_witness_source(&w, told->source);
    snprintf(told->name, sizeof told->name, "%s", asked->token);
    snprintf(told->answer, ANSWER_TEXT, "%u", asked->status);
    add(t, c, "http", asked->at_ms);
}

static void on_told(void *ctx, enum err e, const struct err_info *info)
{
    struct certs *c = ctx;
    (void)e; /* a witness less */
    (void)info;
    c->witness_busy = false;
    if (c->app->stopping) {
        app_continue_stop(c->app);
    } else {
        certs_step(c);
    }
}

/* Questions for names that never had a proof are anybody's: only while there are proofs they are kept. */
static bool has_proofs(const struct app *a)
{
    const struct zone_snapshot *s = zone_current(a->zone);
    bool has = s->sealed != NULL && s->sealed->names > 0;
    zone_snapshot_unref(s);
    return has;
}

static void tell(struct certs *c, const struct net_witness *seen, size_t seen_count)
{
    size_t most = seen_count + c->asked_count;
    struct telling t = {.told = mem_xalloc(most * sizeof *t.told),
                        .rows = mem_xalloc(most * sizeof *t.rows)};
    for (size_t i = 0; i < seen_count; i++) {
        add_dns(&t, c, &seen[i]);
    }
    for (size_t i = 0; i < c->asked_count; i++) {
        add_http(&t, c, &c->asked[i]);
    }
    c->asked_count = 0;
    if (t.count > 0) {
        c->witness_busy = true;
        store_witness_put(c->app->store, t.rows, t.count, on_told, c);
    }
    free(t.rows);
    free(t.told);
}

void certs_asked(struct app *a, const char *client, const char *token, unsigned status)
{
    struct certs *c = a->certs;
    struct renewer_view v = {.state = ""};
    if (c != NULL && c->renewer != NULL && !c->stopping) {
        renewer_view(c->renewer, &v);
    }
    if (v.state[0] == '\0' || c->asked_count == CERTS_ASKED) {
        return; /* no order of ours is under way: it is nobody's proof */
    }
    struct certs_asked *asked = &c->asked[c->asked_count++];
    snprintf(asked->client, sizeof asked->client, "%s", client);
    snprintf(asked->token, sizeof asked->token, "%s", token);
    asked->status = status;
    asked->at_ms = clk_wall_ms(&clk_system);
}

void certs_tick_witnesses(struct certs *c)
{
    struct app *a = c->app;
    if (c->witness_busy || a->stopping) {
        return;
    }
    struct net_witness *seen = mem_xalloc(WITNESSES_MAX * sizeof *seen);
    bool dns = a->server != NULL && !a->server_closing;
    size_t n = dns ? net_server_witnesses(a->server, seen, WITNESSES_MAX) : 0;
    n = n > 0 && has_proofs(a) ? n : 0;
    if (n + c->asked_count > 0 && c->in_use && !c->leaving) {
        tell(c, seen, n);
    }
    free(seen);
}
