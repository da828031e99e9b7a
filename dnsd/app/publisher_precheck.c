/* What a CA would hold against us, found out before it is asked.
 *
 *   delegation (DNS-01) ─> values of others at the challenge's names (DNS-01) ─> CAA of each name
 *
 * CAA of a name in our zone: each core is asked for each label from the name up to the apex, as a CA
 * would meet any of them; above the apex, and for other names, the resolvers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnsd/probe/address.h"
#include "dnsd/probe/caa.h"
#include "dnsd/wire/type.h"
#include "lib/mem.h"
#include "publisher_priv.h"

static void foreign_begin(struct op *op);
static void caa_begin(struct op *op);
static void caa_name(struct op *op);
static void caa_core(struct op *op);

static void deny(struct op *op)
{
    publisher_op_end(op, ERR_DENIED);
}

/* ---- delegation ---------------------------------------------------------------------------- */

static json_t *delegation_json(const struct resolve_delegation *d)
{
    char name[WIRE_NAME_TEXT_MAX], address[ADDRESS_TEXT_MAX];
    json_t *servers = json_array();
    for (size_t i = 0; i < d->count; i++) {
        const struct resolve_server *s = &d->servers[i];
        json_t *addresses = json_array();
        for (size_t k = 0; k < s->count; k++) {
            address_to_text(&s->addresses[k], address);
            json_array_append_new(addresses, json_string(address));
        }
        wire_name_to_text(&s->name, name);
        json_array_append_new(servers, json_pack("{s:s, s:b, s:o}", "name", name, "glue", s->glue,
                                                 "addresses", addresses));
    }
    wire_name_to_text(&d->parent, name);
    return json_pack("{s:s, s:b, s:o}", "parent", name, "ds", d->has_ds, "servers", servers);
}

static void on_delegated(struct op *op)
{
    const struct resolve_delegation *d = op->p->delegation;
    char apex[WIRE_NAME_TEXT_MAX], name[WIRE_NAME_TEXT_MAX];
    wire_name_to_text(&op->p->apex, apex);
    json_object_set_new(op->report, "delegation", delegation_json(d));
    if (d->has_ds) { /* RFC 4035 §5.2: unsigned answers below a DS are bogus */
        wire_name_to_text(&d->parent, name);
        err_set(
            &op->info, ERR_DENIED,
            "%.200s has a DS record for %.200s, but our answers are not signed, so no validator "
            "takes them: remove the DS record where the domain is registered",
            name, apex);
        deny(op);
        return;
    }
    for (size_t i = 0; i < d->count; i++) {
        if (d->servers[i].count == 0) {
            wire_name_to_text(&d->servers[i].name, name);
            err_set(&op->info, ERR_DENIED,
                    "%.200s is to answer for %.200s, but has no address: add glue for it where the "
                    "domain is registered, or take it out of the NS records there",
                    name, apex);
            deny(op);
            return;
        }
    }
    foreign_begin(op);
}

static void delegation_failed(struct op *op, enum err e)
{
    if (e == ERR_NOTFOUND) {
        err_prefix(&op->info, e, "NS records and glue for this domain are missing at its parent: ");
        deny(op);
        return;
    }
    publisher_op_note(op, "the delegation could not be looked up: %.400s", op->info.text);
    op->info.text[0] = '\0';
    foreign_begin(op);
}

void publisher_precheck_begin(struct op *op)
{
    if (op->type == ACME_DNS01 && op->p->o.check_delegation) {
        op->p->delegation_ms = -1; /* what was wrong a moment ago may have been mended */
        publisher_op_delegation(op, on_delegated, delegation_failed);
    } else {
        foreign_begin(op);
    }
}

/* ---- values of others ---------------------------------------------------------------------- */

static void count_foreign(struct op *op, const char *value)
{
    (void)value;
    op->foreign++;
}

static void foreign_name(struct op *op);

static void on_foreign(struct op *op, enum err e)
{
    const char *row = op->items[op->at].row;
    if (e != ERR_OK) {
        publisher_op_end(op, e);
        return;
    }
    if (op->foreign > PUBLISHER_FOREIGN_MAX) {
        err_set(
            &op->info, ERR_DENIED,
            "%.200s has %zu TXT values that are not this order's: more may not fit into an answer; "
            "those of records are removed by `dnsctl records delete %.200s TXT`, those of other "
            "orders go by themselves",
            row, op->foreign, row);
        deny(op);
        return;
    }
    if (op->foreign > 0) {
        publisher_op_note(op, "%.200s has %zu TXT values of others", row, op->foreign);
    }
    op->at++;
    foreign_name(op);
}

/* Whether an item before this one has the same name ("Z" and "*.Z" do). */
static bool seen_before(const struct op *op)
{
    for (size_t i = 0; i < op->at; i++) {
        if (wire_name_equal(&op->items[i].host, &op->items[op->at].host)) {
            return true;
        }
    }
    return false;
}

static void foreign_name(struct op *op)
{
    while (op->at < op->items_count && seen_before(op)) {
        op->at++;
    }
    if (op->at == op->items_count) {
        caa_begin(op);
        return;
    }
    op->foreign = 0;
    publisher_op_foreign(op, count_foreign, on_foreign);
}

static void foreign_begin(struct op *op)
{
    if (op->type == ACME_DNS01) {
        foreign_name(op);
    } else {
        caa_begin(op);
    }
}

/* ---- CAA ----------------------------------------------------------------------------------- */

/* Judges SET, found at AT by WHO, for every item of the name that is looked at. False: it has ended. */
static bool judge(struct op *op, const struct caa_set *set, const struct wire_name *at,
                  const char *who)
{
    static const char *const methods[] = {"dns-01", "http-01", "tls-alpn-01"};
    char name[WIRE_NAME_TEXT_MAX];
    struct caa_wish wish = {.issuers = (const char *const *)op->issuers,
                            .issuers_count = op->issuers_count,
                            .account = op->account,
                            .method = methods[op->type]};
    wire_name_to_text(at, name);
    for (size_t i = op->at; i < op->items_count; i++) {
        if (!wire_name_equal(&op->items[i].host, &op->items[op->at].host)) {
            continue;
        }
        wish.wildcard = op->items[i].wildcard;
        enum err e = caa_judge(set->list, set->count, &wish, &op->info);
        if (e != ERR_OK) {
            err_prefix(&op->info, e, "%.100s, %.100s at %.100s: ", op->items[i].name, who, name);
            publisher_op_end(op, e);
            return false;
        }
    }
    json_array_append_new(op->entry,
                          json_pack("{s:s, s:s, s:s, s:i}", "name", op->items[op->at].name, "at",
                                    name, "who", who, "records", (int)set->count));
    return true;
}

static void caa_next_name(struct op *op)
{
    op->at++;
    caa_name(op);
}

static void on_world(void *ctx, enum err e, const struct err_info *info, const struct wire_name *at,
                     const struct caa_set *set)
{
    struct op *op = ctx;
    op->resolving = false;
    if (publisher_op_over(op)) {
        return;
    }
    if (e == ERR_MALFORMED || e == ERR_LIMIT) {
        op->info = *info;
        deny(op);
        return;
    }
    if (e != ERR_OK) {
        publisher_op_note(op, "CAA above %.100s could not be looked up: %.300s",
                          op->items[op->at].name, info->text);
    } else if (!judge(op, set, at, "the resolvers")) {
        return;
    }
    caa_next_name(op);
}

static void up(struct wire_name *name)
{
    struct wire_name above;
    size_t skip = (size_t)name->bytes[0] + 1;
    if (name->labels > 0 &&
        wire_name_from_wire(name->bytes + skip, name->len - skip, &above) == ERR_OK) {
        *name = above;
    }
}

/* All cores have been asked for the name. */
static void ask_world(struct op *op)
{
    struct wire_name from = op->items[op->at].host;
    if (op->in_zone && !op->above) {
        caa_next_name(op);
        return;
    }
    if (op->above) {
        from = op->p->apex;
        up(&from);
    }
    if (from.labels == 0) { /* RFC 8659 §3: not of the root itself */
        caa_next_name(op);
        return;
    }
    op->resolving = true;
    resolve_caa(op->p->resolve, &from, on_world, op);
}

static void on_core_caa(void *ctx, enum err e, const struct err_info *info,
                        const struct probe_answer *answer);

static void ask_core(struct op *op, bool tcp)
{
    struct probe_question q = {
        .server = op->asked, .name = op->label, .type = TYPE_CAA, .tcp = tcp, .edns = true};
    op->call = probe_ask(op->p->probe, &q, on_core_caa, op);
}

static void next_core(struct op *op)
{
    op->core++;
    caa_core(op);
}

/* No set at this label: the one above it, up to the apex. */
static void climb(struct op *op)
{
    up(&op->label);
    if (wire_name_is_under(&op->label, &op->p->apex)) {
        ask_core(op, false);
        return;
    }
    op->above = true;
    next_core(op);
}

static void on_core_caa(void *ctx, enum err e, const struct err_info *info,
                        const struct probe_answer *answer)
{
    struct op *op = ctx;
    char who[80], name[WIRE_NAME_TEXT_MAX];
    const struct wire_message *m = answer != NULL ? answer->message : NULL;
    (void)e;
    op->call = NULL;
    if (publisher_op_over(op)) {
        return;
    }
    snprintf(who, sizeof who, "core %s", op->cores[op->core].id);
    wire_name_to_text(&op->label, name);
    if (m == NULL) { /* whether that is bad is for the proof to say */
        publisher_op_note(op, "%s could not be asked for CAA: %.300s", who, info->text);
        next_core(op);
    } else if ((m->flags & (WIRE_TC | WIRE_AA)) == (WIRE_TC | WIRE_AA)) {
        ask_core(op, true);
    } else if ((m->rcode != RCODE_NOERROR && m->rcode != RCODE_NXDOMAIN) ||
               (m->flags & WIRE_AA) ==
                   0) { /* RFC 8659 §3: a CA that cannot find out must not issue */
        err_set(&op->info, ERR_UNAVAIL, "%s does not answer for CAA of %.200s (RCODE %u%s)", who,
                name, m->rcode, (m->flags & WIRE_AA) == 0 ? ", no AA" : "");
        publisher_op_end(op, ERR_UNAVAIL);
    } else if (caa_take(m, &op->label, op->set, &op->info) != ERR_OK) {
        deny(op);
    } else if (op->set->count == 0) {
        climb(op);
    } else {
        op->in_zone = true;
        if (judge(op, op->set, &op->label, who)) {
            next_core(op);
        }
    }
}

static void caa_core(struct op *op)
{
    struct sockaddr_storage addresses[2];
    while (op->core < op->cores_count &&
           (!op->cores[op->core].live ||
            publisher_op_core_addresses(op, &op->cores[op->core], addresses) == 0)) {
        op->core++;
    }
    if (op->core == op->cores_count) {
        ask_world(op);
        return;
    }
    op->asked = addresses[0];
    op->label = op->items[op->at].host;
    ask_core(op, false);
}

static void caa_name(struct op *op)
{
    while (op->at < op->items_count && seen_before(op)) {
        op->at++;
    }
    if (op->at == op->items_count) {
        publisher_op_end(op, ERR_OK);
        return;
    }
    op->core = op->type == ACME_DNS01 ? 0 : op->cores_count;
    op->in_zone = op->above = false;
    caa_core(op);
}

static void caa_begin(struct op *op)
{
    struct publisher *p = op->p;
    if (op->issuers_count == 0) {
        publisher_op_note(op, "CAA is not judged: the CA does not say what it is called");
        publisher_op_end(op, ERR_OK);
        return;
    }
    op->entry = json_array();
    json_object_set_new(op->report, "caa", op->entry);
    op->set = mem_xalloc(sizeof *op->set);
    op->cores = mem_xalloc(PUBLISHER_CORES_MAX * sizeof *op->cores);
    op->cores_count = p->o.cores(p->o.ctx, op->cores, PUBLISHER_CORES_MAX);
    op->at = 0;
    caa_name(op);
}
