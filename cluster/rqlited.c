#include "rqlited.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* An attempt to join or form must end, so that the next one can use what is known by then. rqlited
 * asks each address once a round and spends CONNECT on one that does not answer (besides 4 s once,
 * to see that it is no HTTP port), so only so many are named at a time. */
#define JOIN_PEERS_MAX 4
#define JOIN_ATTEMPTS  "8"
#define JOIN_INTERVAL  "2s"
#define FORM_TIMEOUT   "30s"
/* rqlited's own 30 s would let every request for a leader whose machine is gone wait as long. */
#define CONNECT_TIMEOUT "2s"

/* ---- addresses ---- */

/* IPv4-mapped addresses are IPv4 addresses. What is no address stays as it is. */
static void canonical(const char *address, char out[RQLITED_ADDRESS])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t a[16];
    if (inet_pton(AF_INET, address, a) == 1) {
        inet_ntop(AF_INET, a, out, RQLITED_ADDRESS);
    } else if (inet_pton(AF_INET6, address, a) == 1) {
        bool v4 = memcmp(a, mapped, sizeof mapped) == 0;
        inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a + sizeof mapped : a, out, RQLITED_ADDRESS);
    } else {
        snprintf(out, RQLITED_ADDRESS, "%s", address);
    }
}

static bool contains(const struct rqlited_peers *p, const char *address)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->address[i], address) == 0) {
            return true;
        }
    }
    return false;
}

void rqlited_peers_add(struct rqlited_peers *p, const char *address)
{
    char text[RQLITED_ADDRESS];
    canonical(address, text);
    if (text[0] != '\0' && p->count < RQLITED_PEERS_MAX && !contains(p, text)) {
        memcpy(p->address[p->count++], text, sizeof text);
    }
}

static bool is_v6(const char *address)
{
    return strchr(address, ':') != NULL;
}

static bool has_address(const struct rqlited_config *c)
{
    return c->ip != NULL || c->ipv6 != NULL;
}

/* The advertised one. */
static void own_address(const struct rqlited_config *c, char out[RQLITED_ADDRESS])
{
    canonical(c->ip != NULL ? c->ip : c->ipv6 != NULL ? c->ipv6 : "127.0.0.1", out);
}

static bool is_own(const struct rqlited_config *c, const char *address)
{
    char own[RQLITED_ADDRESS];
    own_address(c, own);
    if (strcmp(own, address) == 0) {
        return true;
    }
    if (c->ipv6 == NULL) {
        return false;
    }
    canonical(c->ipv6, own);
    return strcmp(own, address) == 0;
}

/* Adds those of FROM that are others. */
static void add_others(const struct rqlited_config *c, const struct rqlited_peers *from,
                       struct rqlited_peers *to)
{
    for (size_t i = 0; i < from->count; i++) {
        char text[RQLITED_ADDRESS];
        canonical(from->address[i], text);
        if (!is_own(c, text)) {
            rqlited_peers_add(to, text);
        }
    }
}

static int host_port(char *out, size_t room, const char *address, uint16_t port)
{
    return snprintf(out, room, is_v6(address) ? "[%s]:%u" : "%s:%u", address, port);
}

void rqlited_advertised(const struct rqlited_config *c, char out[RQLITED_ADDRESS + 8])
{
    char own[RQLITED_ADDRESS];
    own_address(c, own);
    host_port(out, RQLITED_ADDRESS + 8, own, c->raft_port);
}

/* ---- the plan ---- */

static bool is_open(const struct rqlited_config *c)
{
    return c->discovery || c->cert_file != NULL;
}

/* The founders: of the advertised family, so that a core with two addresses counts once; all of them
 * or none, and this core one of them. */
static bool founders(const struct rqlited_config *c, const struct rqlited_peers *seeds,
                     struct rqlited_peers *out)
{
    char own[RQLITED_ADDRESS];
    own_address(c, own);
    out->count = 0;
    for (size_t i = 0; i < seeds->count; i++) {
        if (is_v6(seeds->address[i]) == is_v6(own)) {
            rqlited_peers_add(out, seeds->address[i]);
        }
    }
    return has_address(c) && out->count >= 2 && contains(out, own);
}

/* At most JOIN_PEERS_MAX of ALL, others each time. */
static void some_of(const struct rqlited_peers *all, unsigned turn, struct rqlited_peers *out)
{
    size_t first = all->count > JOIN_PEERS_MAX ? turn * (size_t)JOIN_PEERS_MAX % all->count : 0;
    out->count = 0;
    for (size_t i = 0; i < all->count && out->count < JOIN_PEERS_MAX; i++) {
        rqlited_peers_add(out, all->address[(first + i) % all->count]);
    }
}

/* That rqlited asks for lsc itself is of use if the host's resolver knows others by it; every other
 * attempt goes by addresses, for the resolver may know too few of them. */
static bool may_discover(const struct rqlited_config *c, const struct rqlited_known *k)
{
    struct rqlited_peers others = {.count = 0};
    if (k->looked_up) {
        add_others(c, &k->lookup, &others);
    }
    return others.count > 0 && c->domain != NULL && k->attempt % 2 == 0;
}

static void nobody(struct rqlited_plan *out, const char *why)
{
    *out = (struct rqlited_plan){.way = RQLITED_NOBODY, .why = why};
}

/* MEMBERS and NAMED are others only. */
static void plan_join(const struct rqlited_config *c, const struct rqlited_known *k,
                      const struct rqlited_peers *members, const struct rqlited_peers *named,
                      struct rqlited_plan *out)
{
    bool by_name = members->count == 0 || (named->count > 0 && k->attempt % 2 == 1);
    const struct rqlited_peers *all = by_name ? named : members;
    if (all->count == 0) {
        nobody(out,
               c->non_voter
                   ? "nobody is known to join, and a non-voter founds no cluster"
                   : "nobody is known to join; to found a cluster on this core alone, start it "
                     "once with cluster.discoveryEnabled: false");
    } else if (!has_address(c)) {
        nobody(out, "other cores are known, but core.ip is not set: they could not reach this one");
    } else if (!is_open(c)) {
        nobody(out, "other cores are known, but this core's Raft port is open to none of them: set "
                    "cluster.discoveryEnabled: true");
    } else {
        out->way = RQLITED_JOIN;
        out->why = by_name ? "others have the name lsc" : "members are known";
        out->discover = c->non_voter && members->count == 0 && may_discover(c, k);
        if (!out->discover) {
            some_of(all, k->attempt / 2, &out->peers);
        }
    }
}

/* It was a member, but not under the address it has now. */
static void plan_moved(const struct rqlited_config *c, const struct rqlited_known *k,
                       const struct rqlited_peers *members, struct rqlited_plan *out)
{
    if (members->count == 0 || !has_address(c) || !is_open(c) || k->attempt % 2 == 1) {
        out->way = RQLITED_RESUME;
        out->unsure = true;
        out->why = "was a member under another address";
        return;
    }
    out->way = RQLITED_JOIN;
    out->why = "its address has changed, which the members must learn";
    some_of(members, k->attempt / 2, &out->peers);
}

/* Never a member, as far as is written down. */
static void plan_new(const struct rqlited_config *c, const struct rqlited_known *k,
                     const struct rqlited_peers *members, struct rqlited_peers *named,
                     struct rqlited_plan *out)
{
    bool alone = members->count == 0;
    if (!c->discovery && alone && named->count > 0) {
        nobody(out,
               "lsc.<domain> names other cores: this core will not found a second cluster; set "
               "cluster.discoveryEnabled: true to join them");
    } else if (!c->discovery && alone && !c->non_voter) {
        out->way = RQLITED_FOUND;
        out->why = "a lone core";
    } else if (c->discovery && alone && !c->non_voter && founders(c, &k->seeds, &out->peers)) {
        out->way = RQLITED_FORM;
        out->why = "one of the founders in dns.staticEntries.lsc";
        out->expect = (unsigned)out->peers.count;
        out->discover = may_discover(c, k);
        if (out->discover) {
            out->peers.count = 0;
        }
    } else {
        if (!c->discovery) {
            named->count = 0;
        }
        out->peers.count = 0;
        plan_join(c, k, members, named, out);
    }
}

void rqlited_plan(const struct rqlited_config *c, const struct rqlited_known *k,
                  struct rqlited_plan *out)
{
    char own[RQLITED_ADDRESS + 8];
    struct rqlited_peers members = {.count = 0};
    struct rqlited_peers named = {.count = 0};
    rqlited_advertised(c, own);
    add_others(c, &k->members, &members);
    if (k->looked_up) {
        add_others(c, &k->lookup, &named);
    }
    add_others(c, &k->seeds, &named);
    *out = (struct rqlited_plan){.way = RQLITED_NOBODY};

    if (k->member_as == NULL) {
        plan_new(c, k, &members, &named, out);
        if (k->has_state && out->way != RQLITED_FOUND && k->attempt % 3 == 2) {
            *out = (struct rqlited_plan){.way = RQLITED_RESUME,
                                         .unsure = true,
                                         .why = "there is a state, it may be a member's"};
        }
    } else if (strcmp(k->member_as, own) == 0) {
        out->way = RQLITED_RESUME;
        out->why = "was a member before";
    } else {
        plan_moved(c, k, &members, out);
    }
}

const char *rqlited_way_text(enum rqlited_way way)
{
    static const char *const text[] = {"resume", "found", "form", "join", "nobody"};
    return text[way];
}

/* ---- the argument vector ---- */

static void add(struct rqlited_argv *a, bool *full, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void add(struct rqlited_argv *a, bool *full, const char *fmt, ...)
{
    size_t left = sizeof a->room - a->used;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(a->room + a->used, left, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= left || a->count + 1 >= RQLITED_ARGS_MAX) {
        *full = true;
        return;
    }
    a->argv[a->count++] = a->room + a->used;
    a->argv[a->count] = NULL;
    a->used += (size_t)n + 1;
}

static void add_two(struct rqlited_argv *a, bool *full, const char *flag, const char *value)
{
    add(a, full, "%s", flag);
    add(a, full, "%s", value);
}

static void add_addresses(const struct rqlited_config *c, struct rqlited_argv *a, bool *full)
{
    char own[RQLITED_ADDRESS];
    char advertised[RQLITED_ADDRESS + 8];
    own_address(c, own);
    rqlited_advertised(c, advertised);
    add(a, full, "-http-addr");
    add(a, full, "127.0.0.1:%u", c->http_port);
    add(a, full, "-http-adv-addr");
    add(a, full, "127.0.0.1:%u", c->http_port);
    add(a, full, "-raft-addr");
    if (c->raft_local_port != 0) {
        add(a, full, "127.0.0.1:%u", c->raft_local_port);
    } else if (c->raft_bind != NULL) {
        add(a, full, "%s", c->raft_bind);
    } else {
        const char *any = is_v6(own) ? "[::]" : "0.0.0.0";
        add(a, full, "%s:%u", is_open(c) ? any : "127.0.0.1", c->raft_port);
    }
    add_two(a, full, "-raft-adv-addr", advertised);
    add_two(a, full, "-cluster-connect-timeout", CONNECT_TIMEOUT);
}

static void add_secrets(const struct rqlited_config *c, struct rqlited_argv *a, bool *full)
{
    if (c->cert_file != NULL) {
        add_two(a, full, "-node-ca-cert", c->ca_file);
        add_two(a, full, "-node-cert", c->cert_file);
        add_two(a, full, "-node-key", c->key_file);
        if (c->verify_client) {
            add(a, full, "-node-verify-client");
        }
    }
    if (c->auth_file != NULL) {
        add_two(a, full, "-auth", c->auth_file);
    }
}

static void add_join(const struct rqlited_config *c, const struct rqlited_peers *p,
                     struct rqlited_argv *a, bool *full)
{
    char text[RQLITED_PEERS_MAX * (RQLITED_ADDRESS + 8)];
    size_t used = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (i > 0) {
            text[used++] = ',';
        }
        used += (size_t)host_port(text + used, sizeof text - used, p->address[i], c->raft_port);
    }
    text[used] = '\0';
    add_two(a, full, "-join", text);
}

static void add_way(const struct rqlited_config *c, const struct rqlited_plan *p,
                    struct rqlited_argv *a, bool *full)
{
    if (c->non_voter || p->way == RQLITED_RESUME) {
        add(a, full, "-raft-non-voter"); /* for RESUME: see rqlited.h */
    }
    if (p->way != RQLITED_JOIN && p->way != RQLITED_FORM) {
        return;
    }
    if (c->auth_file != NULL) {
        add_two(a, full, "-join-as", c->user);
    }
    if (p->discover) {
        add_two(a, full, "-disco-mode", "dns");
        add(a, full, "-disco-config");
        add(a, full, "{\"name\":\"lsc.%s\",\"port\":%u}", c->domain, c->raft_port);
    } else {
        add_join(c, &p->peers, a, full);
    }
    if (p->way == RQLITED_FORM) {
        add(a, full, "-bootstrap-expect");
        add(a, full, "%u", p->expect);
    }
    if (p->way == RQLITED_FORM || p->discover) {
        add_two(a, full, "-bootstrap-expect-timeout", FORM_TIMEOUT);
    } else {
        add_two(a, full, "-join-attempts", JOIN_ATTEMPTS);
        add_two(a, full, "-join-interval", JOIN_INTERVAL);
    }
}

enum err rqlited_argv(const struct rqlited_config *c, const struct rqlited_plan *p,
                      struct rqlited_argv *out, struct err_info *info)
{
    if (p->way == RQLITED_NOBODY) {
        return err_set(info, ERR_BUG, "rqlited is not to be started when nobody is known");
    }
    bool full = false;
    out->count = out->used = 0;
    add(out, &full, "%s", c->bin_path);
    add_two(out, &full, "-node-id", c->node_id);
    add_addresses(c, out, &full);
    add_secrets(c, out, &full);
    add_way(c, p, out, &full);
    add(out, &full, "%s", c->data_dir);
    return full ? err_set(info, ERR_LIMIT, "rqlited's arguments are too long") : ERR_OK;
}

bool rqlited_argv_same(const struct rqlited_argv *a, const struct rqlited_argv *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->argv[i], b->argv[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* ---- credentials ---- */

char *rqlited_auth_json(const char *user, const char *password)
{
    json_t *all =
        json_pack("[{s:s, s:s, s:[s]}]", "username", user, "password", password, "perms", "all");
    char *text = all != NULL ? json_dumps(all, JSON_COMPACT) : NULL;
    json_decref(all);
    return text;
}
