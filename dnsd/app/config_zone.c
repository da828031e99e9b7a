#include "config_zone.h"

#include <stdlib.h>
#include <string.h>

#include "config_names.h"
#include "config_users.h"
#include "lib/mem.h"

/* A name of the configuration's SOA: absolute, or a mail address written as one. */
static enum err soa_name(const char *key, const char *text, struct wire_name *out,
                         struct err_info *info)
{
    if (text == NULL) {
        return ERR_OK;
    }
    if (wire_name_from_text(text, NULL, out, info) != ERR_OK) {
        return err_prefix(info, ERR_MALFORMED, "dns.records.root.soa.%s: ", key);
    }
    return ERR_OK;
}

static enum err zone_soa_of(const struct config *c, struct zone_soa *out, const char **contact,
                            struct err_info *info)
{
    const struct config_soa *s = &c->dns.soa;
    *out = (struct zone_soa){.serial = s->serial,
                             .refresh_s = s->refresh_s,
                             .retry_s = s->retry_s,
                             .expire_s = s->expiration_s,
                             .minimum_s = s->minimum_s};
    *contact = c->lets_encrypt.email;
    enum err e = soa_name("primary", s->primary, &out->primary, info);
    if (e != ERR_OK || s->admin == NULL) {
        return e;
    }
    if (strchr(s->admin, '@') != NULL) {
        *contact = s->admin;
        return ERR_OK;
    }
    return soa_name("admin", s->admin, &out->admin, info);
}

enum err config_zone_new(const struct config *c, struct zone **out, struct err_info *info)
{
    struct zone_options o = {
        .apex = *config_apex(c),
        .default_ttl_s = c->dns.default_ttl_s,
        .wildcard_cores = c->dns.wildcard == CONFIG_WILDCARD_CORES,
        .service_names = (const char *const *)c->dns.service_names.items,
        .service_names_count = c->dns.service_names.count,
        .root = &c->dns.root,
    };
    struct zone_nameserver *servers = mem_xalloc(c->dns.nameservers.count * sizeof *servers);
    struct zone_entry *entries = mem_xalloc(c->dns.static_entries.count * sizeof *entries);
    for (size_t i = 0; i < c->dns.nameservers.count; i++) {
        servers[i] = (struct zone_nameserver){.label = c->dns.nameservers.items[i].key,
                                              .core_id = c->dns.nameservers.items[i].value};
    }
    for (size_t i = 0; i < c->dns.static_entries.count; i++) {
        entries[i].owner = c->dns.static_entries.items[i].owner;
        entries[i].records = &c->dns.static_entries.items[i].records;
    }
    uint8_t user_key[USER_KEY_LEN];
    if (config_user_key(c, user_key)) {
        o.user_key = user_key;
    }
    o.nameservers = servers;
    o.nameservers_count = c->dns.nameservers.count;
    o.static_entries = entries;
    o.static_entries_count = c->dns.static_entries.count;
    enum err e = zone_soa_of(c, &o.soa, &o.contact, info);
    if (e == ERR_OK) {
        e = zone_new(&o, out, info);
    }
    explicit_bzero(user_key, sizeof user_key);
    free(servers);
    free(entries);
    return e;
}
