#include "zone_model.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnsd/wire/rdata.h"
#include "lib/mem.h"
#include "zone_build.h"

#define CONTENT_MAX 40
#define CORES       4
#define HELD_MAX    6
#define PROOFS_EACH 3
#define TTL         300

/* Names relative to the zone; the first CORES are core ids, all of one label may be users. */
static const char *const names[] = {
    "core-a",
    "core-b",
    "core-c",
    "core-d",
    "alice",
    "bob",
    "carol",
    "a-user-with-a-name-that-is-not-short",
    "a",
    "b",
    "*",
    "*.a",
    "x.a",
    "y.x.a",
    "*.x.a",
    "z.y.x.a",
    "*.z.y.x.a",
    "q.*.a",
    "*.*.a",
    "*.b",
    "1.2.3.4.5.6.7.8.b",
    "5.6.7.8.b",
    "*.8.b",
    "w.alice",
    "*.alice",
    "v.w.alice",
    "c.core-a",
    "*.core-a",
    "sub",
    "ns.sub",
    "*.sub",
    "h.ns.sub",
    "low.sub.x.a",
    "sub.x.a",
    "www",
    "w.www",
    "*.www",
    "st.a",
    "reg",
    "lsc",
    "dns1",
    "dns2",
    "r.reg",
    "*.lsc",
    "_acme-challenge",
    "_1._acme-challenge",
    "x._1._acme-challenge",
    "_acme-challenge.alice",
    "_acme-challenge.x.a",
    "_acme-challenge.www",
    "_acme-challenge.sub",
    "*.wst",
    "",
};
#define NAMES (sizeof names / sizeof names[0])
#define APEX  (NAMES - 1)

enum { A = 1, AAAA = 2, TXT = 4, CNAME = 8, NS = 16, MX = 32 };

struct rr {
    uint16_t type;
    uint32_t ttl;
    char value[80];
};
struct content {
    size_t count;
    struct rr rrs[CONTENT_MAX];
};

struct core {
    bool present, available, live;
    bool ip, ipv6, cname;
};

struct model {
    bool wildcard_cores;
    struct core cores[CORES];
    int user[NAMES];        /* the core, -1: none */
    unsigned stored[NAMES]; /* types; 0: none */
    unsigned variant[NAMES];
    unsigned proofs[NAMES];
    int64_t expires[NAMES][PROOFS_EACH];
    int64_t now;
    uint64_t revision;
};

static void fail(const char *what, const char *name)
{
    fprintf(stderr, "zone_model: %s: %s\n", name, what);
    abort();
}

/* ---- what a name holds, by layers --------------------------------------------------------------
 */

static void PRINTF_LIKE(4, 5)
    add(struct content *c, uint16_t type, uint32_t ttl, const char *fmt, ...)
{
    va_list args;
    if (c->count == CONTENT_MAX) {
        fail("too many records", "model");
    }
    struct rr *rr = &c->rrs[c->count++];
    rr->type = type;
    rr->ttl = ttl;
    va_start(args, fmt);
    vsnprintf(rr->value, sizeof rr->value, fmt, args);
    va_end(args);
}

static bool has(const struct content *c, uint16_t type)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->rrs[i].type == type) {
            return true;
        }
    }
    return false;
}

static bool has_address(const struct core *c)
{
    return c->present && (c->ip || c->ipv6);
}

static void core_content(const struct model *m, int core, uint32_t ttl, struct content *c)
{
    const struct core *k = &m->cores[core];
    if (!k->present) {
        return;
    }
    if (k->ip) {
        add(c, TYPE_A, ttl, "192.0.2.%u", (unsigned)core + 1);
    }
    if (k->ipv6) {
        add(c, TYPE_AAAA, ttl, "2001:db8::%u", (unsigned)core + 1);
    }
    if (!k->ip && !k->ipv6 && k->cname) {
        add(c, TYPE_CNAME, ttl, "host%u.example.org.", (unsigned)core);
    }
}

static bool serves(const struct core *c, int strictness)
{
    return has_address(c) && (strictness < 1 || c->live) && (strictness < 2 || c->available);
}

static void pool_content(const struct model *m, struct content *c)
{
    for (int strictness = 2; strictness >= 0 && c->count == 0; strictness--) {
        for (int i = 0; i < CORES; i++) {
            if (serves(&m->cores[i], strictness)) {
                core_content(m, i, TTL, c);
            }
        }
    }
}

static void lsc_content(const struct model *m, struct content *c)
{
    bool all = true;
    for (int i = 0; i < CORES; i++) {
        all = all && (!has_address(&m->cores[i]) || m->cores[i].ipv6);
    }
    for (int i = 0; i < CORES; i++) {
        if (m->cores[i].present && m->cores[i].ip) {
            add(c, TYPE_A, ZONE_LSC_TTL_S, "192.0.2.%u", (unsigned)i + 1);
        }
        if (m->cores[i].present && m->cores[i].ipv6 && all) {
            add(c, TYPE_AAAA, ZONE_LSC_TTL_S, "2001:db8::%u", (unsigned)i + 1);
        }
    }
}

/* The core behind dnsN; -1: no such server. Ids are in the order of their indexes. */
static int server_core(const struct model *m, int n)
{
    for (int i = 0; i < CORES; i++) {
        if (has_address(&m->cores[i]) && --n == 0) {
            return i;
        }
    }
    return -1;
}

static void generated_content(const struct model *m, const char *name, struct content *c)
{
    int n = 0;
    if (strcmp(name, "reg") == 0) {
        pool_content(m, c);
    } else if (strcmp(name, "lsc") == 0) {
        lsc_content(m, c);
    } else if (sscanf(name, "dns%d", &n) == 1 && server_core(m, n) >= 0) {
        core_content(m, server_core(m, n), TTL, c);
    }
}

static void static_content(const char *name, struct content *c)
{
    if (strcmp(name, "www") == 0) {
        add(c, TYPE_A, TTL, "203.0.113.7");
        add(c, TYPE_TXT, 60, "static0");
    } else if (strcmp(name, "lsc") == 0) {
        add(c, TYPE_A, ZONE_LSC_TTL_S, "203.0.113.8");
        add(c, TYPE_AAAA, ZONE_LSC_TTL_S, "2001:db8:2::8");
    } else if (strcmp(name, "st.a") == 0) {
        add(c, TYPE_TXT, TTL, "below0");
    } else if (strcmp(name, "*.wst") == 0) {
        add(c, TYPE_CNAME, TTL, "www0.example.net.");
    }
}

static void stored_content(unsigned types, unsigned variant, struct content *c)
{
    if ((types & A) != 0) {
        for (unsigned i = 0; i <= variant % 3; i++) {
            add(c, TYPE_A, 40, "198.51.100.%u", i + 1);
        }
    }
    if ((types & NS) != 0) {
        add(c, TYPE_NS, TTL, "ns.sub.mc.example.com.");
        add(c, TYPE_NS, TTL, "ns%u.example.net.", variant);
    }
    if ((types & CNAME) != 0) {
        if (variant % 2 == 0) {
            add(c, TYPE_CNAME, TTL, "alice.mc.example.com.");
        } else {
            add(c, TYPE_CNAME, TTL, "t%u.example.net.", variant);
        }
    }
    if ((types & MX) != 0) {
        add(c, TYPE_MX, TTL, "%u core-a.mc.example.com.", variant);
    }
    if ((types & TXT) != 0) {
        add(c, TYPE_TXT, TTL, "stored%u", variant);
    }
    if ((types & AAAA) != 0) {
        add(c, TYPE_AAAA, TTL, "2001:db8:1::%u", variant + 1);
    }
}

static int index_of(const char *name)
{
    for (size_t i = 0; i < NAMES; i++) {
        if (names[i][0] == name[0] && strcmp(names[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static void append_new_types(struct content *c, const struct content *lower)
{
    size_t above = c->count;
    for (size_t i = 0; i < lower->count; i++) {
        bool is_new = true;
        for (size_t j = 0; j < above; j++) {
            is_new = is_new && c->rrs[j].type != lower->rrs[i].type;
        }
        if (is_new) {
            c->rrs[c->count++] = lower->rrs[i];
        }
    }
}

/* The apex means one thing per type: what is configured, else stored, else made from the cores. */
static void apex_content(const struct model *m, struct content *c)
{
    struct content stored = {.count = 0}, made = {.count = 0};
    add(c, TYPE_MX, 120, "10 mail.example.org.");
    stored_content(m->stored[APEX], m->variant[APEX], &stored);
    append_new_types(c, &stored);
    pool_content(m, &made);
    for (int n = 1; server_core(m, n) >= 0; n++) {
        add(&made, TYPE_NS, TTL, "dns%d.mc.example.com.", n);
    }
    append_new_types(c, &made);
}

/* Stored values of challenges are as short-lived as proofs if nobody chose a TTL. */
static void shorten_challenges(const char *name, struct content *c)
{
    for (size_t i = 0; strstr(name, "_acme-challenge") != NULL && i < c->count; i++) {
        c->rrs[i].ttl = c->rrs[i].type == TYPE_TXT ? ZONE_PROOF_TTL_S : c->rrs[i].ttl;
    }
}

/* The records of NAME itself. True if a layer has the name at all (a user may have none). */
static bool content_of(const struct model *m, const char *name, struct content *c)
{
    int i = index_of(name);
    bool there = false;
    c->count = 0;
    if (name[0] == '\0') {
        apex_content(m, c);
        return true;
    }
    generated_content(m, name, c);
    if (c->count == 0) {
        static_content(name, c);
    }
    if (c->count == 0 && i >= 0) {
        stored_content(m->stored[i], m->variant[i], c);
        shorten_challenges(name, c);
    }
    if (c->count == 0 && i >= 0 && i < CORES) {
        core_content(m, i, TTL, c);
    }
    if (c->count == 0 && i >= 0 && m->user[i] >= 0) {
        core_content(m, m->user[i], TTL, c);
        there = true;
    }
    if (c->count == 0 && !there && m->wildcard_cores && strcmp(name, "*") == 0) {
        pool_content(m, c);
    }
    if (i >= 0 && m->proofs[i] > 0) {
        for (size_t k = 0; k < c->count; k++) {
            c->rrs[k].ttl = c->rrs[k].type == TYPE_TXT ? ZONE_PROOF_TTL_S : c->rrs[k].ttl;
        }
        for (unsigned k = 0; k < m->proofs[i]; k++) {
            add(c, TYPE_TXT, ZONE_PROOF_TTL_S, "proof%u", (unsigned)m->expires[i][k]);
        }
    }
    return there || c->count > 0 || strcmp(name, "_acme-challenge") == 0 ||
           strcmp(name, "reg") == 0;
}

/* ---- what is said of a name ---------------------------------------------------------------------
 */

static const char *parent(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot != NULL ? dot + 1 : "";
}

/* Every name that any layer can hold: of the list or made by the zone. */
#define CANDIDATES (NAMES + 2)

static const char *candidate(size_t i)
{
    static const char *const more[] = {"dns3", "dns4"};
    return i < NAMES ? names[i] : more[i - NAMES];
}

/* What all of them hold at one time, worked out once for many questions. */
struct facts {
    const struct model *m;
    bool there[CANDIDATES];
    size_t len[CANDIDATES];
    struct content content[CANDIDATES];
};

static int compare_rr(const void *a, const void *b)
{
    const struct rr *x = a, *y = b;
    return x->type != y->type ? (int)x->type - (int)y->type : strcmp(x->value, y->value);
}

static void find_out(struct facts *f, const struct model *m)
{
    f->m = m;
    for (size_t i = 0; i < CANDIDATES; i++) {
        struct content *c = &f->content[i];
        f->there[i] = content_of(m, candidate(i), c);
        f->len[i] = strlen(candidate(i));
        qsort(c->rrs, c->count, sizeof c->rrs[0], compare_rr);
    }
}

static const struct content *content_at(const struct facts *f, const char *name)
{
    static const struct content nothing;
    size_t len = strlen(name);
    for (size_t i = 0; i < CANDIDATES; i++) {
        if (f->len[i] == len && memcmp(candidate(i), name, len) == 0) {
            return &f->content[i];
        }
    }
    return &nothing;
}

/* NAME itself or one below it. */
static bool ends_with(const char *candidate, size_t len, const char *name, size_t name_len)
{
    return len >= name_len && (len == name_len || candidate[len - name_len - 1] == '.') &&
           memcmp(candidate + len - name_len, name, name_len) == 0;
}

/* RFC 4592 §2.2.3: a name exists if it or one below it holds something. */
static bool exists(const struct facts *f, const char *name)
{
    size_t len = strlen(name);
    bool found = len == 0;
    for (size_t i = 0; i < CANDIDATES && !found; i++) {
        found = f->there[i] && ends_with(candidate(i), f->len[i], name, len);
    }
    return found;
}

struct verdict {
    enum zone_match_kind kind;
    const struct content *content; /* of the name, the wildcard or the cut; NULL: none */
};

static bool is_wildcard(const char *name)
{
    return name[0] == '*' && (name[1] == '.' || name[1] == '\0');
}

static struct verdict ask(const struct facts *f, const char *name)
{
    char wildcard[300];
    const char *above[130];
    size_t depth = 0;
    for (const char *at = name; at[0] != '\0'; at = parent(at)) {
        above[depth++] = at;
    }
    while (depth > 0) { /* from the top: the highest cut counts */
        const char *at = above[--depth];
        const struct content *c = content_at(f, at);
        if (has(c, TYPE_NS) && !is_wildcard(at)) {
            return (struct verdict){ZONE_DELEGATED, c};
        }
    }
    if (exists(f, name)) {
        return (struct verdict){ZONE_HIT, content_at(f, name)};
    }
    const char *encloser = parent(name);
    while (!exists(f, encloser)) {
        encloser = parent(encloser);
    }
    snprintf(wildcard, sizeof wildcard, encloser[0] != '\0' ? "*.%s" : "*", encloser);
    if (exists(f, wildcard)) {
        return (struct verdict){ZONE_WILD, content_at(f, wildcard)};
    }
    return (struct verdict){ZONE_MISS, NULL};
}

/* ---- the zone's side
 * ----------------------------------------------------------------------------- */

static void print_value(uint16_t type, const uint8_t *data, size_t len, char *out, size_t size)
{
    struct wire_name name;
    char text[WIRE_NAME_TEXT_MAX];
    switch (type) {
    case TYPE_A:
        inet_ntop(AF_INET, data, out, (socklen_t)size);
        break;
    case TYPE_AAAA:
        inet_ntop(AF_INET6, data, out, (socklen_t)size);
        break;
    case TYPE_TXT:
        snprintf(out, size, "%.*s", data[0], (const char *)data + 1);
        break;
    default: {
        size_t skip = type == TYPE_MX ? 2 : 0;
        if (wire_name_from_wire(data + skip, len - skip, &name) != ERR_OK) {
            fail("data is no name", "zone");
        }
        wire_name_to_text(&name, text);
        if (skip > 0) {
            snprintf(out, size, "%u %.60s", data[0] * 256u + data[1], text);
        } else {
            snprintf(out, size, "%.70s", text);
        }
    }
    }
}

static void content_of_node(const struct zone_node *n, const struct wire_name *apex,
                            struct content *c)
{
    c->count = 0;
    for (unsigned i = 0; i < n->sets_count; i++) {
        const struct zone_rrset *s = n->sets[i];
        for (unsigned j = 0; j < s->count; j++) {
            uint8_t data[600];
            size_t len = zone_rrset_data(s, j, apex, data, sizeof data);
            struct rr *rr = &c->rrs[c->count++];
            rr->type = s->type;
            rr->ttl = s->ttl;
            print_value(s->type, data, len, rr->value, sizeof rr->value);
        }
    }
}

static void print_content(const char *whose, const struct content *c)
{
    fprintf(stderr, "%s:\n", whose);
    for (size_t i = 0; i < c->count; i++) {
        fprintf(stderr, "  %u %u %s\n", c->rrs[i].type, c->rrs[i].ttl, c->rrs[i].value);
    }
}

static void compare_content(const char *name, struct content *zone, const struct content *model)
{
    qsort(zone->rrs, zone->count, sizeof zone->rrs[0], compare_rr);
    bool same = zone->count == model->count;
    for (size_t i = 0; same && i < zone->count; i++) {
        same =
            compare_rr(&zone->rrs[i], &model->rrs[i]) == 0 && zone->rrs[i].ttl == model->rrs[i].ttl;
    }
    if (!same) {
        print_content("zone", zone);
        print_content("model", model);
        fail("other records", name);
    }
}

static void compare_name(const struct zone_snapshot *s, const struct facts *f, const char *name)
{
    struct content c;
    struct zone_match m = zone_build_find(s, name[0] != '\0' ? name : "@", TYPE_A).match;
    struct verdict v = ask(f, name);
    if (m.kind != v.kind) {
        fprintf(stderr, "zone %d, model %d\n", m.kind, v.kind);
        fail("another kind of match", name);
    }
    if (m.node != NULL) {
        content_of_node(m.node, &s->apex, &c);
        compare_content(name, &c, v.content);
    }
}

static unsigned labels_of(const char *name)
{
    unsigned n = name[0] != '\0';
    for (; *name != '\0'; name++) {
        n += *name == '.';
    }
    return n;
}

static void compare_sums(const struct zone_snapshot *s, const struct facts *f)
{
    uint64_t users = 0, with_records = 0;
    unsigned deepest = 0;
    bool cuts = false;
    for (size_t i = 0; i < CANDIDATES; i++) {
        const char *name = candidate(i);
        users += i < NAMES && f->m->user[i] >= 0;
        if (name[0] == '\0' || !f->there[i]) {
            continue;
        }
        unsigned labels = labels_of(name);
        deepest = labels > deepest ? labels : deepest;
        cuts = cuts || (has(&f->content[i], TYPE_NS) && !is_wildcard(name));
        with_records += f->content[i].count > 0;
    }
    if (s->users != users || s->names > with_records) {
        fail("another number of users, or more names than there are", "zone");
    }
    if (s->max_labels != deepest || s->has_cuts != cuts || s->apex_wildcard != exists(f, "*")) {
        fprintf(stderr, "deepest %u, not %u\n", s->max_labels, deepest);
        fail("depth, cuts or the wildcard of the apex", "zone");
    }
}

/* Each name, the names above it, and two below it that are not there. */
static void compare(const struct zone_snapshot *s, const struct model *m)
{
    static struct facts f;
    find_out(&f, m);
    for (size_t i = 0; i < CANDIDATES; i++) {
        char below[300];
        const char *name = candidate(i);
        for (const char *at = name; at[0] != '\0'; at = parent(at)) {
            compare_name(s, &f, at);
        }
        snprintf(below, sizeof below, name[0] != '\0' ? "zz.%s" : "zz", name);
        compare_name(s, &f, below);
        snprintf(below, sizeof below, name[0] != '\0' ? "q.w.%s" : "q.w", name);
        compare_name(s, &f, below);
    }
    compare_name(s, &f, "");
    compare_sums(s, &f);
}

/* ---- operations
 * ---------------------------------------------------------------------------------- */

struct run {
    struct zone *zone;
    struct digest_hmac user_key;
    const struct digest_hmac *hashed; /* NULL: users are not */
    struct model m;
    struct held {
        const struct zone_snapshot *snapshot;
        struct model m;
    } held[HELD_MAX];
    size_t held_count;
    struct model last; /* at the commit before; revision 0: none */
    char last_digest[ZONE_DIGEST_TEXT];
    const uint8_t *at, *end;
};

static unsigned next(struct run *r)
{
    return r->at < r->end ? *r->at++ : 0;
}

static struct wire_name owner_of(const char *name)
{
    struct wire_name apex = zone_build_name(NULL, "mc.example.com");
    return zone_build_name(&apex, name[0] != '\0' ? name : "@");
}

static void put_core(struct zone *z, const struct model *m, unsigned i)
{
    const struct core *c = &m->cores[i];
    char ip[32], ipv6[32], cname[32];
    snprintf(ip, sizeof ip, "192.0.2.%u", i + 1);
    snprintf(ipv6, sizeof ipv6, "2001:db8::%u", i + 1);
    snprintf(cname, sizeof cname, "host%u.example.org", i);
    struct zone_core core = {.id = names[i],
                             .ip = c->ip ? ip : NULL,
                             .ipv6 = c->ipv6 ? ipv6 : NULL,
                             .cname = c->cname ? cname : NULL,
                             .available = c->available,
                             .live = c->live};
    if (zone_core_put(z, &core, NULL) != ERR_OK) {
        fail("a core is refused", names[i]);
    }
}

static void op_core(struct run *r)
{
    unsigned i = next(r) % CORES;
    unsigned bits = next(r);
    struct core *c = &r->m.cores[i];
    if ((bits & 0xc0) == 0x80) {
        bool live = (bits & 2) != 0;
        if (zone_core_live(r->zone, names[i], live) != (c->present && c->live != live)) {
            fail("another life", names[i]);
        }
        c->live = c->present && live;
        return;
    }
    if ((bits & 0xc0) == 0xc0) {
        *c = (struct core){.present = false};
        zone_core_delete(r->zone, names[i]);
        return;
    }
    *c = (struct core){.present = true,
                       .available = (bits & 1) != 0,
                       .live = (bits & 2) != 0,
                       .ip = (bits & 4) != 0,
                       .ipv6 = (bits & 8) != 0,
                       .cname = (bits & 16) != 0};
    put_core(r->zone, &r->m, i);
}

static void op_user(struct run *r)
{
    unsigned i = next(r) % NAMES;
    unsigned bits = next(r);
    bool one_label = strchr(names[i], '.') == NULL && names[i][0] != '*' && i != APEX;
    bool possible = one_label && r->m.proofs[i] == 0 && names[i][0] != '_';
    char row[USER_TOKEN_TEXT];
    zone_build_user(r->hashed, names[i], row);
    if (r->hashed != NULL && zone_user_put(r->zone, names[i], "core-a", NULL) == ERR_OK) {
        fail("a user in clear is accepted", names[i]);
    }
    if (bits >= 192) {
        zone_user_delete(r->zone, row); /* also of a name that cannot be a user */
        r->m.user[i] = -1;
    } else if (possible) {
        if (zone_user_put(r->zone, row, names[bits % CORES], NULL) != ERR_OK) {
            fail("a user is refused", names[i]);
        }
        r->m.user[i] = (int)(bits % CORES);
    } else if (!one_label && zone_user_put(r->zone, names[i], "core-a", NULL) == ERR_OK) {
        fail("a user of that name is accepted", names[i]);
    }
}

static void fill_set(struct record_set *set, const struct content *c)
{
    struct wire_name apex = zone_build_name(NULL, "mc.example.com");
    for (size_t i = 0; i < c->count; i++) {
        const struct rr *rr = &c->rrs[i];
        struct err_info info = {.text = ""};
        if (record_add_text(set, rr->type, rr->ttl == TTL ? -1 : (int64_t)rr->ttl, rr->value, &apex,
                            TTL, &info) != ERR_OK) {
            fail(info.text, rr->value);
        }
    }
}

static void op_record(struct run *r)
{
    unsigned i = next(r) % NAMES;
    unsigned types = next(r) % 128;
    unsigned variant = next(r) % 8;
    struct content c = {.count = 0};
    struct record_set set = {.sets = NULL};
    struct wire_name owner = owner_of(names[i]);
    types = types >= 64 ? 0 : (types & CNAME) != 0 ? CNAME : types;
    bool allowed = types != CNAME || (i != APEX && strstr(names[i], "_acme-challenge") == NULL &&
                                      !(i == 4 && variant % 2 == 0)); /* alice to alice */
    stored_content(types, variant, &c);
    fill_set(&set, &c);
    enum err e = zone_records_put(r->zone, &owner, &set, NULL);
    record_set_free(&set);
    if ((e == ERR_OK) != allowed) {
        fail(allowed ? "records are refused" : "records are accepted", names[i]);
    }
    if (allowed) {
        r->m.stored[i] = types;
        r->m.variant[i] = variant;
    }
}

static void op_proofs(struct run *r)
{
    unsigned i = next(r) % NAMES;
    unsigned count = next(r) % (PROOFS_EACH + 1);
    struct zone_proof proofs[PROOFS_EACH];
    char values[PROOFS_EACH][24];
    struct wire_name owner = owner_of(names[i]);
    if (i == APEX || r->m.user[i] >= 0) {
        return; /* challenges are at names of their own */
    }
    r->m.proofs[i] = 0;
    for (unsigned k = 0; k < count; k++) {
        int64_t expires = r->m.now + next(r) % 20 * 10 + k;
        snprintf(values[k], sizeof values[k], "proof%u", (unsigned)expires);
        proofs[k] = (struct zone_proof){.value = values[k], .expires_ms = expires};
        if (expires > r->m.now) {
            r->m.expires[i][r->m.proofs[i]++] = expires;
        }
    }
    /* The same value twice is one record. */
    for (unsigned k = 1; k < r->m.proofs[i]; k++) {
        for (unsigned j = 0; j < k; j++) {
            if (r->m.expires[i][j] == r->m.expires[i][k]) {
                fail("values must differ", names[i]);
            }
        }
    }
    if (zone_proofs_put(r->zone, &owner, proofs, count, r->m.now, NULL) != ERR_OK) {
        fail("proofs are refused", names[i]);
    }
}

static void op_expire(struct run *r)
{
    bool changed = false, expected = false;
    int64_t soonest = INT64_MAX;
    r->m.now += (int64_t)next(r);
    for (size_t i = 0; i < NAMES; i++) {
        unsigned kept = 0;
        for (unsigned k = 0; k < r->m.proofs[i]; k++) {
            int64_t expires = r->m.expires[i][k];
            if (expires > r->m.now) {
                r->m.expires[i][kept++] = expires;
                soonest = expires < soonest ? expires : soonest;
            }
        }
        expected = expected || kept != r->m.proofs[i];
        r->m.proofs[i] = kept;
    }
    int64_t next_ms = zone_proofs_expire(r->zone, r->m.now, &changed);
    if (changed != expected || next_ms != soonest) {
        fail("another expiry", "proofs");
    }
}

static struct zone *new_zone(const struct run *r, const char *options)
{
    char first[100];
    snprintf(first, sizeof first, "%s%s", r->m.wildcard_cores ? "wildcard cores\n" : "",
             r->hashed != NULL ? "hashed of-the-model\n" : "");
    return zone_build(first, options);
}

/* ---- the digest
 * ------------------------------------------------------------------------------------ */

/* Puts what the model has at name I into a zone. */
static void put_rows(const struct run *r, struct zone *z, size_t i)
{
    const struct model *m = &r->m;
    char user[USER_TOKEN_TEXT];
    struct content c = {.count = 0};
    struct record_set set = {.sets = NULL};
    struct wire_name owner = owner_of(names[i]);
    stored_content(m->stored[i], m->variant[i], &c);
    fill_set(&set, &c);
    zone_build_user(r->hashed, names[i], user);
    if (zone_records_put(z, &owner, &set, NULL) != ERR_OK ||
        (m->user[i] >= 0 && zone_user_put(z, user, names[m->user[i]], NULL) != ERR_OK)) {
        fail("a row is refused", names[i]);
    }
    record_set_free(&set);
    if (i < CORES && m->cores[i].present) {
        put_core(z, m, (unsigned)i);
    }
}

static bool same_core(const struct core *a, const struct core *b)
{
    return a->present == b->present &&
           (!a->present || (a->available == b->available && a->ip == b->ip && a->ipv6 == b->ipv6 &&
                            a->cname == b->cname));
}

static bool same_stored(const struct model *a, const struct model *b, size_t i)
{
    struct content x = {.count = 0}, y = {.count = 0};
    stored_content(a->stored[i], a->variant[i], &x);
    stored_content(b->stored[i], b->variant[i], &y);
    bool same = x.count == y.count;
    for (size_t k = 0; same && k < x.count; k++) {
        same = compare_rr(&x.rrs[k], &y.rrs[k]) == 0 && x.rrs[k].ttl == y.rrs[k].ttl;
    }
    return same;
}

static bool same_rows(const struct model *a, const struct model *b)
{
    bool same = true;
    for (size_t i = 0; same && i < NAMES; i++) {
        same = a->user[i] == b->user[i] && same_stored(a, b, i) &&
               (i >= CORES || same_core(&a->cores[i], &b->cores[i]));
    }
    return same;
}

static void expect_digest(const struct zone *z, const char *expected, const char *what)
{
    char digest[ZONE_DIGEST_TEXT];
    zone_digest(z, digest);
    if (strcmp(digest, expected) != 0) {
        fail(what, "digest");
    }
}

/* The zone's digest is that of a new zone with the same rows, put in from either end, that of one
 * restored from the snapshot file, and not that of other rows. */
static void compare_digest(struct run *r, const struct zone_snapshot *s)
{
    char digest[ZONE_DIGEST_TEXT], store_id[ZONE_STORE_ID_MAX];
    struct zone *fresh = new_zone(r, "apex mc.example.com\n");
    struct zone *restored = new_zone(r, "apex mc.example.com\n");
    uint64_t revision;
    uint8_t *bytes;
    size_t len;
    zone_digest(r->zone, digest);
    for (size_t i = 0; i < NAMES; i++) {
        put_rows(r, fresh, r->m.revision % 2 == 0 ? i : NAMES - 1 - i);
    }
    expect_digest(fresh, digest, "another one than of the same rows");
    if (zone_save(s, "id", &bytes, &len) != ERR_OK ||
        zone_restore(restored, bytes, len, store_id, &revision, NULL) != ERR_OK) {
        fail("cannot be saved or restored", "zone");
    }
    expect_digest(restored, digest, "another one from the snapshot file");
    if (r->last.revision > 0 &&
        (strcmp(r->last_digest, digest) == 0) != same_rows(&r->last, &r->m)) {
        fail("the same of other rows, or another of the same", "digest");
    }
    r->last = r->m;
    memcpy(r->last_digest, digest, sizeof digest);
    free(bytes);
    zone_free(fresh);
    zone_free(restored);
}

static void op_commit(struct run *r)
{
    const struct zone_snapshot *s = zone_commit(r->zone, ++r->m.revision);
    if (s->serial != (uint32_t)r->m.revision) {
        fail("another serial", "zone");
    }
    compare(s, &r->m);
    compare_digest(r, s);
    if (r->held_count < HELD_MAX) {
        r->held[r->held_count++] = (struct held){.snapshot = s, .m = r->m};
        return;
    }
    /* One of those held is asked again and given back, so that versions end in any order. */
    struct held *h = &r->held[next(r) % HELD_MAX];
    compare(h->snapshot, &h->m);
    zone_snapshot_unref(h->snapshot);
    *h = (struct held){.snapshot = s, .m = r->m};
}

static void step(struct run *r)
{
    unsigned op = next(r) % 16;
    if (op < 3) {
        op_core(r);
    } else if (op < 6) {
        op_user(r);
    } else if (op < 11) {
        op_record(r);
    } else if (op < 13) {
        op_proofs(r);
    } else if (op < 14) {
        op_expire(r);
    } else {
        op_commit(r);
    }
}

void zone_model_run(const uint8_t *bytes, size_t len)
{
    static const char options[] = "apex mc.example.com\n"
                                  "service reg\n"
                                  "static www A - 203.0.113.7\n"
                                  "static www TXT 60 static0\n"
                                  "static st.a TXT - below0\n"
                                  "static lsc A 60 203.0.113.8\n"
                                  "static lsc AAAA - 2001:db8:2::8\n"
                                  "static *.wst CNAME - www0.example.net.\n"
                                  "root MX 120 10 mail.example.org.\n";
    struct run *r = mem_xalloc(sizeof *r);
    r->at = bytes;
    r->end = bytes + len;
    unsigned first = next(r);
    r->m.wildcard_cores = first % 2 == 1;
    if (first / 2 % 2 == 1) {
        uint8_t key[USER_KEY_LEN];
        zone_build_key("of-the-model", key);
        digest_hmac_init(&r->user_key, key, sizeof key);
        r->hashed = &r->user_key;
    }
    for (size_t i = 0; i < NAMES; i++) {
        r->m.user[i] = -1;
    }
    r->zone = new_zone(r, options);
    while (r->at < r->end) {
        step(r);
    }
    op_commit(r);
    for (size_t i = 0; i < r->held_count; i++) {
        compare(r->held[i].snapshot, &r->held[i].m);
        zone_snapshot_unref(r->held[i].snapshot);
    }
    if (!zone_is_idle(r->zone)) {
        fail("still held", "zone");
    }
    zone_free(r->zone);
    free(r);
}
