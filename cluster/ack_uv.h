/* The newcomer's call to the issuer: "I am here, this is my token" (POST .../system/admin/cores/ack), tried
 * again until it is heard or the time is over. What is tried again and when is cluster/ack.h, a machine.
 *
 * Threads: the loop's; the callback later, once. Texts are copied; the token is wiped.
 * Errors: ERR_DENIED (401: the token is not good here; or TLS: not the server that the bundle names),
 * ERR_NOTFOUND (404: the core is not known there any more), ERR_MALFORMED (plain HTTP, no URL, or an answer
 * that is none), ERR_TIMEOUT (the time is over; INFO: what was last heard), ERR_CANCELED.
 */
#ifndef CLUSTER_ACK_UV_H
#define CLUSTER_ACK_UV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "ack.h"
#include "lib/err.h"

struct ack_options {
    const char *url; /* https only */
    const char *core, *token, *fingerprint;
    /* Who is believed: one of */
    const char *ca_file;     /* the cluster's CA; the URL's host must be in the certificate */
    const char *const *pins; /* public keys */
    size_t pins_count;
    bool system_ca;
    unsigned deadline_ms; /* 0: ACK_DEADLINE_MS */
    /* Each failed try, for the log. NULL: nobody wants to know. */
    void (*on_try)(void *ctx, unsigned tries, const char *what, unsigned wait_ms);
    void *ctx; /* borrowed */
};
typedef void ack_cb(void *ctx, enum err e, const struct err_info *info,
                    const struct ack_told *told);

struct ack;
/* NULL: no memory. */
struct ack *ack_start(uv_loop_t *loop, const struct ack_options *options, ack_cb *cb, void *ctx);
/* The callback comes with ERR_CANCELED. */
void ack_cancel(struct ack *a);

#endif
