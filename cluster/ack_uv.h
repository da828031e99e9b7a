/* The newcomer's call to the issuer: "I am here, this is my token" (POST .../system/admin/cores/ack), tried
 * again until it is heard or the time is over; and a node's call for another certificate.
 *
 * What is tried again: nobody there, no answer in time, a cut connection, 5xx and 429 (not before
 * Retry-After), with pauses growing from 1 s to 30 s and a tenth of chance. What is not: any other status,
 * and a server that is not the one wanted (ERR_DENIED). The pure machine is cluster/ack.h.
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

#include "lib/err.h"

#define ACK_DEADLINE_MS (5 * 60 * 1000)
#define ACK_TRY_MS      15000
#define ACK_REPLY_MAX   (256 * 1024)

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
struct ack_member {
    const char *id, *url, *hosting; /* NULL */
    bool available;
};
/* What the issuer said of the cluster; borrowed until the callback returns. */
struct ack_told {
    const struct ack_member *members;
    size_t members_count;
    const char *const *lsc_ips;
    size_t lsc_ips_count;
};
typedef void ack_cb(void *ctx, enum err e, const struct err_info *info,
                    const struct ack_told *told);

struct ack;
/* NULL: no memory. */
struct ack *ack_start(uv_loop_t *loop, const struct ack_options *options, ack_cb *cb, void *ctx);
/* The callback comes with ERR_CANCELED. */
void ack_cancel(struct ack *a);

/* Another certificate for the node: POST https://ADDRESS:PORT/cluster/node-certificate over mutual TLS. One
 * try. *cert is borrowed until the callback returns. Errors as above, and ERR_UNAVAIL. */
struct renewal_options {
    const char *address; /* of the core with the CA; IPv6 without brackets */
    uint16_t port;
    const char *ca_file, *cert_file, *key_file;
    const char *csr; /* PEM */
};
typedef void renewal_cb(void *ctx, enum err e, const struct err_info *info, const char *cert);
struct renewal;
struct renewal *renewal_start(uv_loop_t *loop, const struct renewal_options *options,
                              renewal_cb *cb, void *ctx);
void renewal_cancel(struct renewal *r);

#endif
