/* Who the parent says answers for a zone.
 *
 *   SOA of the names above ─> parent zone ─> its NS ─> their addresses ─> each asked, until one tells:
 *        referral ─> DS of the same server ─> addresses of the NS that have no glue ─> told
 *        referral to a zone between ─> that is the parent; once more
 *        "no such name", "no such delegation", with AA ─> ERR_NOTFOUND
 *        anything else: it is lame; the next one
 */
#include <string.h>

#include "address.h"
#include "dnsd/wire/type.h"
#include "lib/mem.h"
#include "resolve_priv.h"

#define SERVER_ADDRESSES_MAX 8

struct delegation_work {
    struct resolve_delegation d;
    struct wire_name parent_ns[RESOLVE_NS_MAX];
    size_t parent_count, parent_at; /* names whose addresses were looked up: below parent_at */
    size_t candidate_at;            /* of j->addresses: who was asked is below it */
    struct sockaddr_storage teller; /* who gave the referral */
    size_t server_at;               /* of d.servers: whose addresses are looked up */
};

/* The K-th record of TYPE in SECTION, owned by OWNER (NULL: by anybody). NULL: there are fewer. */
static const struct wire_record *find(const struct wire_message *m, enum wire_section section,
                                      uint16_t type, const struct wire_name *owner, size_t k)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct wire_record *r = &m->records[i];
        if (r->section == section && r->type == type && r->class == CLASS_IN &&
            (owner == NULL || wire_name_equal(&r->owner, owner)) && k-- == 0) {
            return r;
        }
    }
    return NULL;
}

/* ---- the parent zone ----------------------------------------------------------------------- */

static void on_parent_ns(struct job *j, enum err e, const struct wire_message *m);

static void use_parent(struct job *j, const struct wire_name *parent)
{
    struct delegation_work *w = j->work;
    w->d.parent = *parent;
    w->parent_count = w->parent_at = w->candidate_at = 0;
    j->addresses_count = 0;
    job_resolve(j, parent, TYPE_NS, on_parent_ns);
}

static void on_soa(struct job *j, enum err e, const struct wire_message *m)
{
    const struct wire_record *soa;
    if (e != ERR_OK) {
        job_end(j, e);
        return;
    }
    if (find(m, WIRE_ANSWER, TYPE_SOA, &j->at, 0) != NULL) {
        use_parent(j, &j->at);
        return;
    }
    soa = find(m, WIRE_AUTHORITY, TYPE_SOA, NULL, 0); /* RFC 2308 §3: of the zone that says no */
    if (soa != NULL && wire_name_is_under(&j->at, &soa->owner)) {
        use_parent(j, &soa->owner);
        return;
    }
    if (j->at.labels == 0) {
        job_end(j, err_set(&j->info, ERR_UNAVAIL, "the resolvers know no SOA of the root"));
        return;
    }
    name_up(&j->at);
    job_resolve(j, &j->at, TYPE_SOA, on_soa);
}

void delegation_begin(struct job *j)
{
    if (j->at.labels == 0) {
        job_end(j, err_set(&j->info, ERR_NOTFOUND, "nobody delegates the root"));
        return;
    }
    j->work = mem_xalloc(sizeof *j->work);
    name_up(&j->at);
    job_resolve(j, &j->at, TYPE_SOA, on_soa);
}

/* ---- its servers --------------------------------------------------------------------------- */

static void ask_next(struct job *j);
static void on_referral(struct job *j, enum err e, const struct wire_message *m);

static void on_parent_ns(struct job *j, enum err e, const struct wire_message *m)
{
    struct delegation_work *w = j->work;
    const struct wire_record *r;
    char parent[WIRE_NAME_TEXT_MAX];
    if (e != ERR_OK) {
        job_end(j, e);
        return;
    }
    for (size_t k = 0; w->parent_count < RESOLVE_NS_MAX &&
                       (r = find(m, WIRE_ANSWER, TYPE_NS, &w->d.parent, k)) != NULL;
         k++) {
        w->parent_count += wire_record_name(m, r, 0, &w->parent_ns[w->parent_count]) == ERR_OK;
    }
    wire_name_to_text(&w->d.parent, parent);
    err_set(&j->info, ERR_UNAVAIL, "none of the name servers of %.300s can be found", parent);
    ask_next(j);
}

static void on_parent_address(struct job *j, enum err e, const struct wire_message *m)
{
    struct delegation_work *w = j->work;
    const struct wire_name *name = &w->parent_ns[w->parent_at - 1];
    struct wire_name end;
    if (e == ERR_OK) {
        (void)wire_message_alias(m, name, &end);
        j->addresses_count = answer_addresses(m, WIRE_ANSWER, &end, j->r->port, j->addresses,
                                              j->addresses_count, RESOLVE_ADDRESSES_MAX);
    }
    if (j->q.type == TYPE_A) {
        job_resolve(j, name, TYPE_AAAA, on_parent_address);
        return;
    }
    ask_next(j);
}

static void ask_next(struct job *j)
{
    struct delegation_work *w = j->work;
    if (w->candidate_at < j->addresses_count) {
        w->teller = j->addresses[w->candidate_at++];
        job_ask(j, &w->teller, &j->name, TYPE_NS, on_referral);
    } else if (w->parent_at < w->parent_count) {
        job_resolve(j, &w->parent_ns[w->parent_at++], TYPE_A, on_parent_address);
    } else { /* INFO is of the last one */
        job_end(j, ERR_UNAVAIL);
    }
}

/* ---- what they say ------------------------------------------------------------------------- */

static void on_ds(struct job *j, enum err e, const struct wire_message *m);

static enum err say(struct job *j, enum err e, const char *what)
{
    char server[ADDRESS_TEXT_MAX], zone[WIRE_NAME_TEXT_MAX], parent[WIRE_NAME_TEXT_MAX];
    address_to_text(&j->work->teller, server);
    wire_name_to_text(&j->name, zone);
    wire_name_to_text(&j->work->d.parent, parent);
    return err_set(&j->info, e, "%s, a name server of %.120s, asked for the NS of %.120s: %s",
                   server, parent, zone, what);
}

static enum err take_servers(struct job *j, const struct wire_message *m, enum wire_section section)
{
    struct resolve_delegation *d = &j->work->d;
    const struct wire_record *r;
    for (size_t k = 0; (r = find(m, section, TYPE_NS, &j->name, k)) != NULL; k++) {
        if (d->count == RESOLVE_NS_MAX) {
            return say(j, ERR_LIMIT, "more name servers than can be asked");
        }
        struct resolve_server *s = &d->servers[d->count];
        if (wire_record_name(m, r, 0, &s->name) != ERR_OK) {
            return say(j, ERR_UNAVAIL, "an NS record that is none");
        }
        s->count = answer_addresses(m, WIRE_ADDITIONAL, &s->name, j->r->port, s->addresses, 0,
                                    SERVER_ADDRESSES_MAX);
        s->glue = s->count > 0;
        d->count++;
    }
    return ERR_OK;
}

/* A zone between the parent and ours, if that is what M refers to. */
static const struct wire_name *zone_between(const struct job *j, const struct wire_message *m)
{
    const struct wire_record *r = find(m, WIRE_AUTHORITY, TYPE_NS, NULL, 0);
    bool between = r != NULL && wire_name_is_under(&j->name, &r->owner) &&
                   r->owner.labels > j->work->d.parent.labels;
    return between ? &r->owner : NULL;
}

static void on_referral(struct job *j, enum err e, const struct wire_message *m)
{
    const struct wire_name *between;
    struct resolve_delegation *d = &j->work->d;
    d->count = 0;
    if (m == NULL) {
        ask_next(j);
        return;
    }
    bool aa = (m->flags & WIRE_AA) != 0;
    if (m->rcode == RCODE_NXDOMAIN && aa) {
        job_end(j, say(j, ERR_NOTFOUND, "no such name"));
        return;
    }
    if (m->rcode != RCODE_NOERROR) {
        say(j, ERR_UNAVAIL, m->rcode == RCODE_REFUSED ? "refused" : "an error");
        ask_next(j);
        return;
    }
    e = take_servers(j, m, WIRE_AUTHORITY);
    e = e == ERR_OK && d->count == 0 ? take_servers(j, m, WIRE_ANSWER) : e; /* of both zones */
    if (e == ERR_LIMIT) {
        job_end(j, e);
    } else if (e == ERR_OK && d->count > 0) {
        job_ask(j, &j->work->teller, &j->name, TYPE_DS, on_ds);
    } else if (e == ERR_OK && (between = zone_between(j, m)) != NULL) {
        struct wire_name parent = *between;
        use_parent(j, &parent);
    } else if (e == ERR_OK && aa) {
        job_end(j, say(j, ERR_NOTFOUND, "there is no delegation"));
    } else {
        if (e == ERR_OK) {
            say(j, ERR_UNAVAIL, "it does not answer for that zone");
        }
        ask_next(j);
    }
}

/* ---- DS, and addresses --------------------------------------------------------------------- */

static void resolve_next(struct job *j);

static void on_ds(struct job *j, enum err e, const struct wire_message *m)
{
    struct delegation_work *w = j->work;
    (void)e;
    if (m == NULL || m->rcode != RCODE_NOERROR) {
        if (m != NULL) {
            say(j, ERR_UNAVAIL, "an error to the question for DS");
        }
        ask_next(j);
        return;
    }
    w->d.has_ds = find(m, WIRE_ANSWER, TYPE_DS, &j->name, 0) != NULL;
    w->server_at = 0;
    resolve_next(j);
}

static void on_server_address(struct job *j, enum err e, const struct wire_message *m)
{
    struct delegation_work *w = j->work;
    struct resolve_server *s = &w->d.servers[w->server_at];
    struct wire_name end;
    if (m != NULL) {
        (void)wire_message_alias(m, &s->name, &end);
        s->count = answer_addresses(m, WIRE_ANSWER, &end, j->r->port, s->addresses, s->count,
                                    SERVER_ADDRESSES_MAX);
    } else if (s->count == 0 && !wire_name_is_under(&s->name, &j->name)) {
        job_end(j, e); /* a name in the zone may well not be found if glue is missing */
        return;
    }
    if (j->q.type == TYPE_A) {
        job_resolve(j, &s->name, TYPE_AAAA, on_server_address);
        return;
    }
    w->server_at++;
    resolve_next(j);
}

static void resolve_next(struct job *j)
{
    struct delegation_work *w = j->work;
    while (w->server_at < w->d.count && w->d.servers[w->server_at].glue &&
           wire_name_is_under(&w->d.servers[w->server_at].name, &j->name)) {
        w->server_at++;
    }
    if (w->server_at == w->d.count) {
        job_end(j, ERR_OK);
        return;
    }
    job_resolve(j, &w->d.servers[w->server_at].name, TYPE_A, on_server_address);
}

void delegation_tell(struct job *j, enum err e)
{
    bool good = e == ERR_OK;
    j->cb.delegation(j->cb_ctx, e, good ? NULL : &j->info, good ? &j->work->d : NULL);
}
