/* A node's call for another certificate: POST https://ADDRESS:PORT/cluster/node-certificate, over mutual TLS
 * with the one that it has. One try; when to try again is the caller's business.
 *
 * Threads: the loop's; the callback later, once. Texts are copied. The three files are small and local, and
 * read on the loop: this happens once in months.
 * Errors: ERR_DENIED (TLS: not the cluster; or 401, 403: we are not let in), ERR_NOTFOUND (404: no CA there,
 * or no such core), ERR_MALFORMED (an answer that is none), ERR_UNAVAIL (nobody there, 5xx, 429),
 * ERR_TIMEOUT, ERR_CANCELED, ERR_NOMEM; of ca_file also ERR_IO, ERR_LIMIT.
 */
#ifndef CLUSTER_RENEWAL_UV_H
#define CLUSTER_RENEWAL_UV_H

#include <stdint.h>
#include <uv.h>

#include "lib/err.h"

#define RENEWAL_TRY_MS    15000
#define RENEWAL_REPLY_MAX (64 * 1024)

struct renewal_options {
    const char *address; /* of the core with the CA; IPv6 without brackets */
    uint16_t port;
    const char *ca_file, *cert_file, *key_file;
    const char *csr; /* PEM */
};
/* *cert is borrowed until the callback returns. */
typedef void renewal_cb(void *ctx, enum err e, const struct err_info *info, const char *cert);
struct renewal;
/* NULL: no memory. */
struct renewal *renewal_start(uv_loop_t *loop, const struct renewal_options *options,
                              renewal_cb *cb, void *ctx);
/* The callback comes with ERR_CANCELED. */
void renewal_cancel(struct renewal *r);

#endif
