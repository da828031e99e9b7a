/* Talking to one CA: the directory, nonces, signed POSTs (RFC 8555 §6). The only code that knows about
 * nonces and HTTP; what a reply means is its caller's.
 *
 * One request at a time is under way for a caller; several callers may share a session. Each request
 * gets a nonce (one kept from the last reply if it is younger than SESSION_NONCE_MS, else a fresh one),
 * is signed, sent, and, if the CA says badNonce, signed again with the nonce of that reply, up to
 * SESSION_NONCE_TRIES times. What fails in the network or with 5xx is not repeated here: the caller's
 * machine decides, who knows what it would repeat.
 *
 * Bounds: replies of SESSION_BODY_MAX (certificates SESSION_CHAIN_MAX), SESSION_WAIT_MS for each
 * exchange, no redirects. URLs must be https (http for loopback addresses only, for tests) and of the
 * directory's origin (ERR_DENIED else); what a reply names elsewhere (Location, alternates) is left out.
 * The Date of replies is compared with our clock: session_skew_ms(); a Retry-After that is a date is
 * taken by the CA's clock.
 *
 * Threads: the loop's; callbacks later, once. Memory: arguments are copied; replies borrowed until the
 * callback returns. Errors: those of lib/httpc_curl.h for what did not get a reply (ERR_MALFORMED also:
 * newNonce gave none; ERR_BUG: there was no directory yet); a reply with a status other than 2xx is
 * ERR_OK with `problem` filled in, a redirect too. No log line, no error text holds a signature, a nonce
 * or an authorization.
 */
#ifndef ACME_SESSION_UV_H
#define ACME_SESSION_UV_H

#include <uv.h>

#include "cert/key.h"
#include "lib/clock.h"
#include "object.h"

#define SESSION_BODY_MAX    (256 * 1024)
#define SESSION_CHAIN_MAX   (256 * 1024)
#define SESSION_WAIT_MS     30000
#define SESSION_NONCE_MS    300000
#define SESSION_NONCE_TRIES 20 /* a CA that refuses half of them needs a few now and then */
#define SESSION_LINKS_MAX   8

struct session;

struct session_options {
    const char *directory_url;
    const char *ca_file;     /* letsEncrypt.caFile; NULL: the system's CAs */
    const struct clk *clock; /* borrowed */
    const char *user_agent;  /* NULL: dnsd */
};
/* Reads ca_file: boot, or offloaded. Errors of httpc_open(); ERR_MALFORMED: the URL. */
enum err session_open(uv_loop_t *loop, const struct session_options *options, struct session **out,
                      struct err_info *info) MUST_USE;
/* What is under way ends with ERR_CANCELED first. DONE may be NULL. */
void session_close(struct session *s, void (*done)(void *ctx), void *ctx);

/* Fetched once per SESSION_DIRECTORY_MS, then from memory; FRESH asks again. DIRECTORY is NULL on
 * errors, else borrowed until the callback returns. PROBLEM is never NULL: its class is ACME_FINE unless
 * the CA answered with an error (E is then ERR_UNAVAIL if that will pass, else ERR_DENIED). ERR_DENIED
 * also: newNonce, newAccount or newOrder is of another origin. */
#define SESSION_DIRECTORY_MS 3600000
typedef void session_directory_cb(void *ctx, enum err e, const struct err_info *info,
                                  const struct acme_directory *directory,
                                  const struct acme_problem *problem);
void session_directory(struct session *s, bool fresh, session_directory_cb *cb, void *ctx);

struct session_reply {
    unsigned status;
    const char *body;
    size_t len;
    char location[ACME_URL_MAX];                      /* absolute, same origin; "" */
    int64_t retry_ms;                                 /* from now; -1: not said */
    char alternates[SESSION_LINKS_MAX][ACME_URL_MAX]; /* Link rel="alternate" (§7.4.2) */
    size_t alternates_count;
    struct acme_problem problem; /* class ACME_FINE: status is 2xx */
    unsigned bad_nonces;         /* met on the way, the last one of a request given up too */
};
typedef void session_reply_cb(void *ctx, enum err e, const struct err_info *info,
                              const struct session_reply *reply);

struct session_post {
    const struct cert_key *key; /* borrowed until the callback */
    const char *kid;            /* NULL: jwk */
    const char *url;
    const char *payload; /* NULL: POST-as-GET */
    const char *accept;  /* NULL; application/pem-certificate-chain for chains */
    size_t body_max;     /* 0: SESSION_BODY_MAX */
};
struct session_call;
/* The directory must have been fetched. The handle is good until the callback. */
struct session_call *session_post(struct session *s, const struct session_post *post,
                                  session_reply_cb *cb, void *ctx);
/* Unauthenticated (RFC 9773 §4.1): renewal information. */
struct session_call *session_get(struct session *s, const char *url, session_reply_cb *cb,
                                 void *ctx);
void session_cancel(struct session_call *call); /* ERR_CANCELED comes */

const char *session_url(const struct session *s); /* of the directory */
/* The CA's clock minus ours, of the last reply that told; 0: none did. Within a second or two. */
int64_t session_skew_ms(const struct session *s);

#endif
