/* Everybody whom a validator may ask has the proofs.
 *
 *   DNS-01:  what else is at the names ─> the cores that are alive, each at its addresses ─> those without
 *            an address, by their heartbeats ─> the parent's NS, each at its addresses
 *   then HTTP-01 and ALPN-01, one after the other: our own ports
 *
 * The set that must be answered is ours and what the store has of others: a value too many somewhere is a
 * core that lives in the past. A core that answers right itself need not tell so by its heartbeat, which
 * comes seconds later; its revision is in the report.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnsd/probe/address.h"
#include "lib/mem.h"
#include "publisher_priv.h"

#define HEARTBEAT_POLL_MS 200
#define AGAIN_MS          200
#define HTTP_WAIT_MS      3000
#define HTTP_BODY_MAX     2048
#define URL_MAX           400

static void gather_next(struct op *op);
static void ask_cores(struct op *op);
static void wait_for_beats(struct op *op);
static void ask_parent(struct op *op);
static void one_by_one(struct op *op);

static bool is_late(const struct op *op)
{
    return clk_mono_ms(op->p->o.clock) >= op->deadline_ms;
}

/* ---- the sets ------------------------------------------------------------------------------ */

static void add_value(struct op *op, const char *value)
{
    struct prove_name *n = &op->names[op->names_count - 1];
    const char **values = (const char **)n->values;
    for (size_t i = 0; i < n->count; i++) {
        if (strcmp(values[i], value) == 0) {
            return;
        }
    }
    if (n->count == PROVE_VALUES_MAX) {
        err_set(&op->info, ERR_LIMIT, "%.200s has more than %d values", op->items[op->at].row,
                PROVE_VALUES_MAX);
        return;
    }
    values[n->count++] = mem_xstrdup(value);
}

static void on_gathered(struct op *op, enum err e)
{
    if (e != ERR_OK || op->info.text[0] != '\0') {
        publisher_op_end(op, e != ERR_OK ? e : ERR_LIMIT);
        return;
    }
    op->at++;
    gather_next(op);
}

static bool seen_before(const struct op *op)
{
    for (size_t i = 0; i < op->at; i++) {
        if (strcmp(op->items[i].row, op->items[op->at].row) == 0) {
            return true;
        }
    }
    return false;
}

/* The next challenge name: our values of it, then those of others. */
static void gather_next(struct op *op)
{
    while (op->at < op->items_count && (op->items[op->at].type != ACME_DNS01 || seen_before(op))) {
        op->at++;
    }
    if (op->at == op->items_count) {
        op->at = 0;
        if (op->names_count > 0) {
            ask_cores(op);
        } else {
            one_by_one(op);
        }
        return;
    }
    if (op->names_count == PROVE_NAMES_MAX) {
        publisher_op_end(
            op, err_set(&op->info, ERR_LIMIT, "more than %d names at a time", PROVE_NAMES_MAX));
        return;
    }
    struct prove_name *n = &op->names[op->names_count++];
    n->values = mem_xalloc(PROVE_VALUES_MAX * sizeof *n->values);
    if (wire_name_from_text(op->items[op->at].row, &op->p->apex, &n->name, &op->info) != ERR_OK) {
        publisher_op_end(op, ERR_BUG);
        return;
    }
    for (size_t i = op->at; i < op->items_count; i++) {
        if (op->items[i].type == ACME_DNS01 &&
            strcmp(op->items[i].row, op->items[op->at].row) == 0) {
            add_value(op, op->items[i].value);
        }
    }
    publisher_op_foreign(op, add_value, on_gathered);
}

void publisher_prove_begin(struct op *op)
{
    op->servers = mem_xalloc(PROVE_SERVERS_MAX * sizeof *op->servers);
    op->cores = mem_xalloc(PUBLISHER_CORES_MAX * sizeof *op->cores);
    gather_next(op);
}

/* ---- asking servers ------------------------------------------------------------------------ */

static void forget_servers(struct op *op)
{
    for (size_t i = 0; i < op->servers_count; i++) {
        free((char *)op->servers[i].label);
    }
    op->servers_count = 0;
}

static void add_server(struct op *op, const char *kind, const char *name, bool may_be_silent,
                       const struct sockaddr_storage *address)
{
    char label[WIRE_NAME_TEXT_MAX + 16];
    if (op->servers_count == PROVE_SERVERS_MAX) {
        publisher_op_note(op, "%s %.100s is one server too many, and not asked", kind, name);
        return;
    }
    snprintf(label, sizeof label, "%s %s", kind, name);
    op->servers[op->servers_count++] = (struct prove_server){
        .label = mem_xstrdup(label), .address = *address, .may_be_silent = may_be_silent};
}

static void ask(struct op *op, prove_cb *cb)
{
    int64_t left_ms = op->deadline_ms - clk_mono_ms(op->p->o.clock);
    op->prove = prove_start(op->p->probe, op->p->o.loop, op->servers, op->servers_count, op->names,
                            op->names_count, clk_mono_ms(&clk_system) + left_ms, cb, op);
}

/* Puts REPORT into ours as KEY. True: go on; else it has ended. */
static bool proved(struct op *op, enum err e, const struct err_info *info, const char *key,
                   const char *report)
{
    op->prove = NULL;
    if (report != NULL) {
        json_object_set_new(op->report, key, json_loads(report, 0, NULL));
    }
    if (publisher_op_over(op)) {
        return false;
    }
    if (e != ERR_OK) {
        op->info = *info;
        publisher_op_end(op, e);
    }
    return e == ERR_OK;
}

/* ---- cores --------------------------------------------------------------------------------- */

static json_t *core_json(const struct publisher_core *c)
{
    return json_pack("{s:s, s:b, s:I}", "id", c->id, "live", c->live, "revision",
                     (json_int_t)c->revision);
}

static void on_cores(void *ctx, enum err e, const struct err_info *info, const char *report)
{
    struct op *op = ctx;
    if (!proved(op, e, info, "cores", report)) {
        return;
    }
    op->revision = op->p->o.revision(op->p->o.ctx); /* our zone has the values by now */
    json_object_set_new(op->report, "revision", json_integer((json_int_t)op->revision));
    wait_for_beats(op);
}

static void ask_cores(struct op *op)
{
    const struct publisher_options *o = &op->p->o;
    json_t *heard = json_array();
    json_object_set_new(op->report, "heard", heard);
    op->cores_count = o->cores(o->ctx, op->cores, PUBLISHER_CORES_MAX);
    for (size_t i = 0; i < op->cores_count; i++) {
        const struct publisher_core *c = &op->cores[i];
        struct sockaddr_storage addresses[2];
        size_t count = publisher_op_core_addresses(op, c, addresses);
        json_array_append_new(heard, core_json(c));
        if (!c->live && !c->unheard) {
            publisher_op_note(op, "core %s was not heard lately, and is not asked", c->id);
            continue;
        }
        for (size_t k = 0; k < count; k++) {
            add_server(op, "core", c->id, c->unheard, &addresses[k]);
        }
    }
    ask(op, on_cores);
}

/* Cores that cannot be asked, for they have no address: their heartbeats must say that they are where our
 * zone was when it had the values. */
static void wait_for_beats(struct op *op)
{
    const struct publisher_options *o = &op->p->o;
    op->cores_count = o->cores(o->ctx, op->cores, PUBLISHER_CORES_MAX);
    for (size_t i = 0; i < op->cores_count; i++) {
        const struct publisher_core *c = &op->cores[i];
        struct sockaddr_storage addresses[2];
        if (!c->live || c->revision >= op->revision || c->self ||
            publisher_op_core_addresses(op, c, addresses) > 0) {
            continue;
        }
        if (is_late(op)) {
            publisher_op_end(
                op,
                err_set(&op->info, ERR_TIMEOUT,
                        "core %s has no address to be asked at, and its heartbeat tells revision "
                        "%llu, not yet %llu",
                        c->id, (unsigned long long)c->revision, (unsigned long long)op->revision));
            return;
        }
        publisher_op_later(op, HEARTBEAT_POLL_MS, wait_for_beats);
        return;
    }
    ask_parent(op);
}

/* ---- the parent's name servers ------------------------------------------------------------- */

static void on_parent_servers(void *ctx, enum err e, const struct err_info *info,
                              const char *report)
{
    struct op *op = ctx;
    if (proved(op, e, info, "ns", report)) {
        one_by_one(op);
    }
}

static void on_delegated(struct op *op)
{
    const struct resolve_delegation *d = op->p->delegation;
    char name[WIRE_NAME_TEXT_MAX];
    forget_servers(op);
    for (size_t i = 0; i < d->count; i++) {
        wire_name_to_text(&d->servers[i].name, name);
        for (size_t k = 0; k < d->servers[i].count; k++) {
            add_server(op, "ns", name, false, &d->servers[i].addresses[k]);
        }
        if (d->servers[i].count == 0) {
            publisher_op_note(op, "ns %.200s has no address", name);
        }
    }
    ask(op, on_parent_servers);
}

static void delegation_failed(struct op *op, enum err e)
{
    if (e == ERR_NOTFOUND) {
        publisher_op_end(op, ERR_DENIED);
        return;
    }
    publisher_op_note(op, "the delegation could not be looked up: %.400s", op->info.text);
    op->info.text[0] = '\0';
    one_by_one(op);
}

static void ask_parent(struct op *op)
{
    if (op->p->o.check_delegation) {
        publisher_op_delegation(op, on_delegated, delegation_failed);
    } else {
        one_by_one(op);
    }
}

/* ---- HTTP-01 and ALPN-01 ------------------------------------------------------------------- */

static void ask_own(struct op *op);

/* What our own port gave for the item: once more, or it has ended, or the next item. */
static void own_answered(struct op *op, bool right, const char *what)
{
    const struct item *item = &op->items[op->at];
    const char *port = item->type == ACME_HTTP01 ? "http.challengePort" : "http.port";
    if (right) {
        publisher_op_note(op, "our own %s gives the proof of %.200s", port, item->name);
        op->at++;
        one_by_one(op);
    } else if (is_late(op)) {
        publisher_op_end(op, err_set(&op->info, ERR_TIMEOUT,
                                     "our own %s does not give the proof of %.200s: %.250s", port,
                                     item->name, what));
    } else {
        publisher_op_later(op, AGAIN_MS, ask_own);
    }
}

static void on_page(void *ctx, enum err e, const struct err_info *info,
                    const struct httpc_reply *reply)
{
    struct op *op = ctx;
    char what[64];
    op->http = NULL;
    if (publisher_op_over(op)) {
        return;
    }
    if (e != ERR_OK) {
        own_answered(op, false, info->text);
        return;
    }
    const char *value = op->items[op->at].value;
    bool same = reply->len == strlen(value) && memcmp(reply->body, value, reply->len) == 0;
    snprintf(what, sizeof what, "status %u%s", reply->status,
             reply->status == 200 ? ", another text" : "");
    own_answered(op, reply->status == 200 && same, what);
}

static void ask_http(struct op *op, const struct item *item)
{
    char url[URL_MAX], address[ADDRESS_TEXT_MAX];
    struct httpc_header host = {.name = "Host", .value = item->name};
    address_to_text(&op->p->o.challenge, address);
    snprintf(url, sizeof url, "http://%s/.well-known/acme-challenge/%.256s", address, item->token);
    op->http = httpc_start(op->p->http,
                           &(struct httpc_request){.method = "GET",
                                                   .url = url,
                                                   .headers = &host,
                                                   .headers_count = 1,
                                                   .body_max = HTTP_BODY_MAX,
                                                   .wait_ms = HTTP_WAIT_MS},
                           on_page, op);
}

static void on_look(void *ctx, enum err e, const struct err_info *info,
                    const struct tls_looked *looked)
{
    struct op *op = ctx;
    op->look = NULL;
    if (publisher_op_over(op)) {
        return;
    }
    if (e != ERR_OK) {
        own_answered(op, false, info->text);
        return;
    }
    bool alpn = strcmp(looked->alpn, "acme-tls/1") == 0;
    own_answered(op, alpn && strcmp(looked->acme_identifier, op->items[op->at].value) == 0,
                 alpn ? "a certificate with another digest, or none"
                      : "it does not speak acme-tls/1");
}

static void ask_alpn(struct op *op, const struct item *item)
{
    op->look =
        tls_look_start(op->p->o.loop, &op->p->o.https, item->name, "acme-tls/1", on_look, op);
    if (op->look == NULL) {
        publisher_op_end(op, ERR_NOMEM);
    }
}

static void ask_own(struct op *op)
{
    const struct item *item = &op->items[op->at];
    (item->type == ACME_HTTP01 ? ask_http : ask_alpn)(op, item);
}

/* The item at op->at and those after it, but for DNS-01. */
static void one_by_one(struct op *op)
{
    for (; op->at < op->items_count; op->at++) {
        const struct item *item = &op->items[op->at];
        bool http = item->type == ACME_HTTP01, alpn = item->type == ACME_ALPN01;
        if ((http && op->p->o.challenge.ss_family != AF_UNSPEC) ||
            (alpn && op->p->o.https.ss_family != AF_UNSPEC)) {
            ask_own(op);
            return;
        }
        if (http || alpn) {
            publisher_op_note(op, "%.200s: not checked, for the port is off here", item->name);
        }
    }
    publisher_op_end(op, ERR_OK);
}
