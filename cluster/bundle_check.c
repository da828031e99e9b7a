/* What a bundle has to be at the moment it is used. */
#include <inttypes.h>
#include <string.h>

#include "bundle_priv.h"
#include "cert/authority.h"
#include "lib/tls_pair.h"

static enum err check_times(const struct bundle *b, int64_t now_ms, struct err_info *info)
{
    char then[BUNDLE_TIME], now[BUNDLE_TIME];
    bundle_time_write(now_ms, now);
    if (b->issued_ms > now_ms + BUNDLE_EARLY_MS) {
        bundle_time_write(b->issued_ms, then);
        return err_set(info, ERR_DENIED,
                       "the bundle was issued in the future, at %s, and here it is %s: one of the "
                       "two clocks is wrong; set it right, and try again",
                       then, now);
    }
    if (b->expires_ms != 0 && now_ms >= b->expires_ms) {
        bundle_time_write(b->expires_ms, then);
        return err_set(info, ERR_TIMEOUT,
                       "the bundle expired at %s, and here it is %s: make another one on the core "
                       "with the CA (dnsctl bootstrap new-core --id %s ...)",
                       then, now, b->node.id);
    }
    return ERR_OK;
}

/* That they belong together, and can be shown to peers. */
static enum err check_pair(const struct bundle *b, struct err_info *info)
{
    struct tls_pair *pair = NULL;
    enum err e = tls_pair_new(b->node.cert_pem, strlen(b->node.cert_pem), b->node.key_pem,
                              strlen(b->node.key_pem), &pair, info);
    tls_pair_unref(pair);
    return e == ERR_OK ? e : err_prefix(info, e, "node.certPem and node.keyPem: ");
}

static enum err check_node(const struct bundle *b, int64_t now_ms, struct err_info *info)
{
    struct cert_node_info node;
    enum err e = cert_node_verify(b->node.cert_pem, strlen(b->node.cert_pem), b->cluster.ca_pem,
                                  strlen(b->cluster.ca_pem), now_ms, info);
    e = e == ERR_OK ? cert_node_read(b->node.cert_pem, strlen(b->node.cert_pem), &node, info) : e;
    if (e == ERR_OK && strcmp(node.id, b->node.id) != 0) {
        e = err_set(info, ERR_DENIED, "the certificate is of another core than %s", b->node.id);
    }
    return e == ERR_OK ? e : err_prefix(info, e, "node.certPem: ");
}

enum err bundle_check(const struct bundle *b, int64_t now_ms, struct err_info *info)
{
    enum err e = check_times(b, now_ms, info);
    e = e == ERR_OK ? check_pair(b, info) : e;
    return e == ERR_OK ? check_node(b, now_ms, info) : e;
}
