/* The API: what each route of docs/openapi.yaml does. One file per endpoint: check, call, render.
 *
 * The handlers see the daemon through struct api_env, which the daemon fills in anew for each step of
 * a request, and through two callbacks. They call the store asynchronously; nothing here blocks.
 *
 * Admin routes want `Authorization: <adminAccessKey>` or `Bearer <adminAccessKey>`, compared in
 * constant time. Whoever fails gets 401, the same whatever was wrong; who fails API_FAILURES_MAX times
 * within a minute gets 429 for API_LOCKED_S, without the key being looked at. Without a key in the
 * configuration every admin route is 401.
 *
 * A core that joins shows a token instead of a key, over TLS only; wrong tokens are counted as wrong keys are,
 * in a table of their own, and answered alike. A core that wants another certificate comes with the one it has.
 *
 * Errors are {"error":{"id","message"}}; which ids there are docs/openapi.yaml says. No reply holds a
 * secret. An error of the store is 503 (unavailable, busy), 504 (a write of which nobody knows whether
 * it was carried out) or 500, with a message of ours; what it said itself is in the log.
 *
 * On the challenge port everything but challenges is sent to https, and only to names that are ours:
 * the domain, what is below it, and what core.url, core.ip, core.ipv6 and dnsLess.publicUrl say. A Host
 * that is none of these gets 421 (RFC 9110 §15.5.20): echoing it would let a stranger choose where
 * somebody is sent.
 */
#ifndef HTTP_API_API_H
#define HTTP_API_API_H

#include "dnsd/wire/name.h"
#include "dnsd/zone/names.h"
#include "http/server.h"
#include "lib/clock.h"
#include "lib/metrics.h"
#include "store/store.h"

#define API_FAILURES_MAX 10
#define API_LOCKED_S     60
#define API_CLIENTS_MAX  4096 /* addresses remembered for that; the oldest goes */

struct api_env {
    struct store *store;          /* NULL: not open now (503) */
    const struct names *names;    /* the rules of names */
    const struct wire_name *apex; /* NULL: no domain */
    const char *domain;           /* the same as text */
    uint32_t default_ttl_s;
    const char *admin_key; /* NULL: none. Secret */
    const uint8_t
        *user_key;          /* USER_KEY_LEN octets: rows name users by their token; NULL: by name */
    const char *public_url; /* dnsLess.publicUrl; NULL: none */
    uint16_t https_port;    /* where redirects lead; 0: there is no HTTPS */
    /* core.url, core.ip, core.ipv6: what else this core is called in a request; NULL: unset */
    const char *core_url, *core_ip, *core_ipv6;
    const char *core_id;
    const char *managed; /* the hostname whose certificate this core renews; NULL: none */
};

/* What a core serves of the managed certificate, as this one has heard. */
struct api_served {
    const char *core;
    bool live;
    uint64_t generation; /* 0: none of the store's */
    const char *serial;  /* "" */
};
#define API_SERVED_MAX 256

struct api_ready {
    bool ready;
    const char *reason; /* why not, in a sentence for operators; NULL when ready */
};

/* CERT and CA are PEM, borrowed until it returns; NULL on errors. ERR_DENIED: that core gets none,
 * ERR_MALFORMED: the request is none; INFO, which the core is told, says why. Else it may go through later. INFO
 * is NULL on ERR_OK. */
typedef void api_signed_cb(void *cb_ctx, enum err e, const struct err_info *info, const char *cert,
                           const char *ca);

struct api_daemon {
    void (*env)(void *ctx, struct api_env *out); /* borrowed until we return to the loop */
    void (*ready)(void *ctx, struct api_ready *out);
    void (*metrics)(void *ctx, struct metrics_writer *w);
    /* Up to MAX; texts borrowed until we return to the loop. NULL: nobody is known. */
    size_t (*served)(void *ctx, struct api_served *out, size_t max);
    /* CLIENT (an address) has asked for TOKEN and got STATUS. NULL: nobody wants to know. */
    void (*challenge)(void *ctx, const char *client, const char *token, unsigned status);
    /* A renewal was asked for (store_job_ask()). NULL: nobody wants to know. */
    void (*renew)(void *ctx);
    /* ---- joining (docs/design/0006-joining.md) ---- */
    /* CORE asks for a certificate for the key of CSR (PEM). CB is called later, once. NULL: the CA is not
     * here. */
    void (*sign)(void *ctx, const char *core, const char *csr, size_t csr_len, api_signed_cb *cb,
                 void *cb_ctx);
    /* A node's certificate with this serial number counts no more. NULL: nobody knows. */
    bool (*revoked)(void *ctx, const char *serial);
    void *ctx;
    const struct clk *clock; /* borrowed; NULL: the machine's */
};

struct api;
/* DAEMON is copied. Aborts when out of memory: boot. */
struct api *api_new(const struct api_daemon *daemon);
/* After the server has closed: no request may be under way. */
void api_free(struct api *a);

/* The site of http.port, and of http.challengePort. Borrowed from A. */
struct http_site api_site(struct api *a);
struct http_site api_challenge_site(struct api *a);
/* The site of cluster.joinPort: POST /system/admin/cores/ack for everybody with a token, POST
 * /cluster/node-certificate for a core with its certificate, and nothing else. */
struct http_site api_cluster_site(struct api *a);

#endif
