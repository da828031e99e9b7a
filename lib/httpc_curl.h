/* An HTTP client on a loop: one request in, one bounded response or one error out.
 *
 * The only door to libcurl (its multi interface, driven by the loop: nothing waits). Connections are
 * kept and used again. HTTP/1.1 only, http and https; redirects are not followed, a 301 is an
 * answer like any other. No proxy, no cookies, no environment is consulted.
 *
 * A request is sent once. Only what may be repeated (GET, HEAD, OPTIONS, PUT, DELETE: RFC 9110
 * §9.2.2) is sent again, when a kept connection is cut before the first octet of the reply; of
 * anything else ERR_UNAVAIL and ERR_TIMEOUT leave open whether it was carried out. A kept
 * connection that the peer has closed before is no failure for any of them.
 *
 * Threads: everything on the loop given to httpc_open(), callbacks too, always later, never inside
 * the call that started it; exactly once for each httpc_start().
 *
 * Memory: a request's texts and body are copied, except BODY, which is borrowed until the callback.
 * The reply is borrowed until the callback returns. The callback may start or cancel other
 * requests, and may close the client.
 *
 * Errors: ERR_UNAVAIL (nobody there: refused, no route, name not found, connection cut),
 * ERR_TIMEOUT (no complete reply by the deadline, whoever is slow), ERR_LIMIT (more than body_max,
 * or than HTTPC_HEADER_ROOM; the connection is dropped, what came is thrown away), ERR_DENIED (TLS:
 * the peer is not who it should be, or wants a certificate), ERR_MALFORMED (not a URL, method or
 * header; not HTTP), ERR_CANCELED, ERR_NOMEM, ERR_BUG (a request without a limit). INFO names the
 * URL without user and password. A status like 503 is no error here.
 *
 * The process must ignore SIGPIPE: writing to a TLS connection that the peer has closed raises it.
 */
#ifndef LIB_HTTPC_CURL_H
#define LIB_HTTPC_CURL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "err.h"

#define HTTPC_HEADERS_MAX 16
#define HTTPC_PINS_MAX    4
#define HTTPC_HEADER_ROOM (16 * 1024) /* what a reply's header may have in all */

struct httpc;

struct httpc_options {
    const char *user_agent; /* NULL: dnsd */
    const char *ca_file;    /* https: trust these and no others, read once. NULL: the system's,
                                 read on the loop at the first https request (20 ms), and again
                                 a day later, because the system renews them */
    /* https: what we show to a server that asks (mutual TLS); PEM files, read at each connection, on the
     * loop, so that a new pair is used by the next one. Both or none. Files that are missing or do not fit,
     * or an encrypted key: the request fails with ERR_DENIED. */
    const char *cert_file, *key_file;
    /* https: believe a server whose public key is one of these (base64 of SHA-256, RFC 7469 §2.4), whoever
     * signed it and whatever it is called, and nobody else (ERR_DENIED). Up to HTTPC_PINS_MAX, and then no
     * ca_file. None: go by ca_file. */
    const char *const *pins;
    size_t pins_count;
    unsigned connections_max; /* at a time; further requests wait their turn. 0: 4 */
};
/* Reads ca_file, so it blocks: boot only. ERR_NOTFOUND, ERR_DENIED, ERR_LIMIT, ERR_IO: ca_file;
 * ERR_MALFORMED: there is no certificate in it, or a pin is none; ERR_LIMIT: too many pins; ERR_CONFLICT:
 * pins and ca_file, or half a pair. An open client without requests does not keep its
 * loop alive. */
enum err httpc_open(uv_loop_t *loop, const struct httpc_options *options, struct httpc **out,
                    struct err_info *info) MUST_USE;
/* Cancels what is under way (callbacks come first, with ERR_CANCELED), then DONE (may be NULL);
 * neither inside this call. What a callback starts meanwhile is canceled too. A second call does
 * nothing. */
void httpc_close(struct httpc *c, void (*done)(void *ctx), void *ctx);

struct httpc_header {
    const char *name;
    const char *value;
};
struct httpc_request {
    const char *method; /* GET, POST, DELETE, ... */
    const char *url;
    const char *user, *password; /* NULL: none; HTTP Basic (RFC 7617). Never logged, wiped after */
    const struct httpc_header *headers;
    size_t headers_count; /* at most HTTPC_HEADERS_MAX */
    const void *body;     /* borrowed until the callback */
    size_t body_len;
    size_t body_max;     /* of the reply's body; 0 is refused: every body has a limit */
    unsigned connect_ms; /* 0: 3000 */
    unsigned wait_ms;    /* from start to the last byte; 0 is refused */
    /* NULL, or set to true before anything of the request leaves; borrowed until the callback. While
     * it is false, an error means that the peer has not seen the request. */
    bool *sent;
};

struct httpc_reply {
    unsigned status;  /* 100 to 599 */
    const char *body; /* LEN bytes and a NUL */
    size_t len;
    void *priv;
};
/* A header of the reply, NULL if there is none; NAME in any case. The last of several. */
const char *httpc_reply_header(const struct httpc_reply *r, const char *name);
/* The I-th of several, from 0; NULL: there are not so many. */
const char *httpc_reply_header_at(const struct httpc_reply *r, const char *name, size_t i);

typedef void httpc_cb(void *ctx, enum err e, const struct err_info *info,
                      const struct httpc_reply *reply);

struct httpc_call;
/* Never NULL. The handle is good until the callback is called. */
struct httpc_call *httpc_start(struct httpc *c, const struct httpc_request *request, httpc_cb *cb,
                               void *ctx);
/* The callback comes with ERR_CANCELED. */
void httpc_cancel(struct httpc_call *call);

#endif
