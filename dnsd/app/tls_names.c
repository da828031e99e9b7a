#include <stdlib.h>
#include <string.h>

#include "config_certs.h"
#include "lib/mem.h"
#include "lib/str.h"
#include "tls.h"

static size_t add(char *out[TLS_SLOT_NAMES_MAX], size_t n, char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(out[i], name) == 0) {
            free(name);
            return n;
        }
    }
    out[n] = name;
    return n + 1;
}

size_t tls_slot_names(const struct config *c, char *out[TLS_SLOT_NAMES_MAX])
{
    const char *urls[] = {c->core.url, c->dns_less.public_url};
    const char *addresses[] = {c->core.ip, c->core.ipv6};
    size_t n = 0;
    if (c->dns.domain_text != NULL) {
        struct str star = {.text = NULL};
        str_appendf(&star, "*.%s", c->dns.domain_text);
        n = add(out, n, mem_xstrdup(c->dns.domain_text));
        n = add(out, n, star.text);
    }
    for (size_t i = 0; i < 2; i++) {
        n = urls[i] != NULL ? add(out, n, config_url_host(urls[i])) : n;
    }
    for (size_t i = 0; i < 2; i++) {
        n = addresses[i] != NULL ? add(out, n, mem_xstrdup(addresses[i])) : n;
    }
    return n > 0 ? n : add(out, n, mem_xstrdup(c->core.id));
}
