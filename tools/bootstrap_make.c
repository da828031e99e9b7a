#include "bootstrap_priv.h"

#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "dnsd/app/config_bootstrap.h"
#include "dnsd/app/config_rqlite.h"
#include "lib/clock.h"
#include "lib/mem.h"

static char *copy(const char *text)
{
    return text != NULL && text[0] != '\0' ? mem_xstrdup(text) : NULL;
}

static void add_member(struct bundle *b, const char *id, const char *ip, const char *ipv6)
{
    if (b->cluster.members_count < BUNDLE_MEMBERS_MAX && (ip != NULL || ipv6 != NULL)) {
        b->cluster.members[b->cluster.members_count++] =
            (struct bundle_member){.id = copy(id), .ip = copy(ip), .ipv6 = copy(ipv6)};
    }
}

/* This core first: it is the one that surely is there. */
static enum err add_members(const struct letting *l, struct bundle *b, struct err_info *info)
{
    const struct config *c = &l->cli->config;
    struct db_cores cores;
    enum err e = db_cores_list(l->cli->db, &cores, info);
    if (e != ERR_OK) {
        return e;
    }
    add_member(b, c->core.id, c->core.ip, c->core.ipv6);
    for (size_t i = 0; i < cores.count; i++) {
        const struct store_core *core = &cores.items[i];
        if (strcmp(core->id, l->wish.id) != 0 && strcmp(core->id, c->core.id) != 0) {
            add_member(b, core->id, core->ip, core->ipv6);
        }
    }
    db_cores_free(&cores);
    return ERR_OK;
}

static void add_secrets(const struct letting *l, struct bundle *b)
{
    const struct config *c = &l->cli->config;
    b->secrets.admin_access_key = copy(c->auth.admin_access_key);
    b->secrets.pii_hmac_key = copy(c->platform.pii_hmac_key);
    if (l->keys.count > 0) {
        b->secrets.at_rest_key = copy(l->keys.items[0]);
        b->secrets.at_rest_keys = json_array();
        for (size_t i = 0; i < l->keys.count; i++) {
            json_array_append_new(b->secrets.at_rest_keys, json_string(l->keys.items[i]));
        }
    }
}

static enum err add_database(const struct letting *l, struct bundle *b, struct err_info *info)
{
    struct config_rqlite reach;
    enum err e = config_rqlite_read(&l->cli->config, false, &reach, info);
    if (e == ERR_OK) {
        b->rqlite.raft_port = l->cli->config.storages.rqlite.raft_port;
        b->rqlite.http_port = reach.port;
        config_rqlite_free(&reach);
    }
    return e;
}

static enum err fill(const struct letting *l, struct bundle *b, struct err_info *info)
{
    const struct config *c = &l->cli->config;
    b->version = BUNDLE_VERSION;
    b->issued_ms = l->now_ms;
    b->expires_ms = l->expires_ms;
    b->cluster.domain = copy(c->dns.domain_text);
    b->cluster.ack_url = copy(l->wish.ack_url);
    b->cluster.join_token = copy(l->token);
    b->cluster.ca_pem = copy(l->holder.ca.cert_pem);
    b->cluster.issuer = copy(c->core.id);
    if (l->pin[0] != '\0') {
        b->cluster.ack_pins[b->cluster.ack_pins_count++] = copy(l->pin);
    }
    b->node.id = copy(l->wish.id);
    b->node.ip = copy(l->wish.ip);
    b->node.ipv6 = copy(l->wish.ipv6);
    b->node.url = copy(l->wish.url);
    b->node.hosting = copy(l->wish.hosting);
    b->node.cert_pem = copy(l->pair.cert_pem);
    b->node.key_pem = copy(l->pair.key_pem);
    add_secrets(l, b);
    enum err e = add_members(l, b, info);
    e = e == ERR_OK ? add_database(l, b, info) : e;
    return e == ERR_OK ? config_shared(c->path, &b->config, info) : e;
}

enum err bootstrap_make(struct letting *l, char **text, struct err_info *info)
{
    const struct wish *w = &l->wish;
    const struct pair_names names = {.id = w->id,
                                     .domain = l->cli->config.dns.domain_text,
                                     .ip = w->ip[0] != '\0' ? w->ip : NULL,
                                     .ipv6 = w->ipv6[0] != '\0' ? w->ipv6 : NULL};
    struct bundle *b = mem_xalloc(sizeof *b);
    l->now_ms = clk_wall_ms(&clk_system);
    l->expires_ms = l->now_ms + w->ttl_s * 1000;
    token_new(l->token);
    bool is_token = token_hash(l->token, l->token_hash);
    bundle_passphrase(l->passphrase);
    enum err e = is_token ? pair_new(&l->holder.ca, &names, l->now_ms, &l->pair, info)
                          : err_set(info, ERR_BUG, "a token that is none");
    e = e == ERR_OK ? fill(l, b, info) : e;
    e = e == ERR_OK ? bundle_seal(b, l->passphrase, text, info) : e;
    bundle_free(b);
    free(b);
    return e;
}
