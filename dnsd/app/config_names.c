#include "config_names.h"

#include <stdlib.h>

#include "lib/mem.h"

const struct wire_name *config_apex(const struct config *c)
{
    static const struct wire_name root = {.len = 1, .labels = 0, .bytes = {0}};
    return c->dns.domain_text != NULL ? &c->dns.domain : &root;
}

struct names *config_names_new(const struct config *c)
{
    size_t statics = c->dns.static_entries.count;
    size_t servers = c->dns.nameservers.count;
    struct wire_name *owners = mem_xalloc((statics + 1) * sizeof *owners);
    const char **labels = mem_xalloc((servers + 1) * sizeof *labels);
    uint16_t *types = mem_xalloc((c->dns.root.count + 1) * sizeof *types);
    for (size_t i = 0; i < statics; i++) {
        owners[i] = c->dns.static_entries.items[i].owner;
    }
    for (size_t i = 0; i < servers; i++) {
        labels[i] = c->dns.nameservers.items[i].key;
    }
    for (size_t i = 0; i < c->dns.root.count; i++) {
        types[i] = c->dns.root.sets[i].type;
    }
    struct names *names = names_new(&(struct names_config){
        .apex = config_apex(c),
        .services = (const char *const *)c->dns.service_names.items,
        .service_count = c->dns.service_names.count,
        .servers = labels,
        .server_count = servers,
        .servers_numbered = servers == 0,
        .statics = owners,
        .static_count = statics,
        .root_types = types,
        .root_type_count = c->dns.root.count,
    });
    free(types);
    free(labels);
    free(owners);
    return names;
}
