/* The HTTP server: HTTP/1.1 and HTTP/2, with TLS or without, on one loop. It knows no endpoint.
 *
 * A site is a table of routes; a listening socket serves one site. A request is read whole (its body
 * is bounded by its route) and then handed to the route's handler, which answers it now or later,
 * exactly once. What no handler should have to see is answered here, in the API's own form
 * {"error":{"id":...,"message":...}}: 400 (not HTTP, no Host, both lengths), 404, 405 with Allow, 408,
 * 413, 414, 415, 417, 431, 501, 503 when full or when the handler took too long, 505. HEAD is answered
 * as GET without a body. Every answer has Date, Content-Length, Content-Type, Cache-Control and the
 * security headers.
 *
 * Bounded by struct http_limits: connections in all and per client, handshakes a second, octets of a
 * header, a body and what is unsent, requests at a time, and a deadline for every wait: handshake,
 * header, body, answer, idle. A deadline runs from the first octet and is not extended by further
 * ones. Full house: the one that has been idle longest goes. What all requests and answers hold
 * together is bounded, too (64 MiB): beyond it new requests get 503.
 *
 * Threads: everything on the loop. Handlers run there, never inside a call of the caller's, and must
 * not block. Memory: a request and what it lends is good until its reply; if the client has gone by
 * then, the reply is thrown away (http_request_gone() tells, for handlers that have much to do).
 *
 * Peers see: RFC 9110, 9112, 9113, 9111 §5.2, 8446.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "lib/err.h"
#include "lib/tls.h"

struct http_server;
struct http_request;

#define HTTP_PARAMS_MAX 4   /* in one path */
#define HTTP_PARAM_MAX  256 /* octets of one, decoded */
#define HTTP_PEER_MAX   64

/* Runs on the loop with the whole request. */
typedef void http_handler(void *ctx, struct http_request *r);

#define HTTP_JSON_BODY 1 /* a body, if there is one, must be application/json: else 415 */
#define HTTP_NO_BODY   2 /* a body is refused with 413 */

struct http_route {
    const char *method; /* "GET"; "*": any (405 never happens) */
    /* "/reg/records/{name}": {...} is one segment; a last segment "*": any rest */
    const char *pattern;
    const char *name; /* for the counters: "reg_records_delete" */
    http_handler *handler;
    size_t body_max;
    unsigned flags;
};
struct http_site {
    const struct http_route *routes; /* static; the first that matches */
    size_t count;
    void *ctx; /* borrowed: the handlers' */
};
#define HTTP_SITES_MAX  3
#define HTTP_ROUTES_MAX 32 /* of one site */

struct http_limits {
    unsigned connections;  /* 1024 in all */
    unsigned per_client;   /* 64 per address (IPv6: per /64); not for loopback: proxies */
    unsigned handshakes;   /* 300 begun a second; who comes beyond it waits, up to handshake_ms */
    unsigned requests;     /* 128 at a time with the handlers; more: 503 with Retry-After */
    unsigned streams;      /* 32 at a time on one HTTP/2 connection */
    size_t header_max;     /* 16 KiB: request line and headers, 431 (414 for the line) */
    size_t unsent_max;     /* 256 KiB: a connection that has so much unsent is read no further */
    unsigned handshake_ms; /* 5,000 */
    unsigned header_ms;    /* 5,000: from the first octet to the last */
    unsigned body_ms;      /* 10,000 */
    unsigned write_ms;     /* 10,000 for the peer to take an answer */
    unsigned answer_ms;    /* 30,000 for a handler; then 503 */
    unsigned idle_ms;      /* 30,000 between requests */
    unsigned drain_ms;     /* 3,000: what is under way at the close has this long */
};
extern const struct http_limits http_limits_default;

enum err http_server_open(uv_loop_t *loop, const struct http_site *sites, size_t sites_count,
                          const struct http_limits *limits, struct http_server **out,
                          struct err_info *info) MUST_USE;
/* Listens on FD (bound, non-blocking; the server's from here on, also on an error). TLS: connections
 * begin with a handshake; there must be a context, of everybody's or of the site's own. ERR_IO. */
enum err http_server_listen(struct http_server *s, int fd, unsigned site, bool tls,
                            struct err_info *info) MUST_USE;
/* Whoever comes from now on is shown CONTEXT; a reference is taken. */
void http_server_use_tls(struct http_server *s, struct tls_context *context);
/* The same for those who come to SITE alone, which has a face of its own from now on. */
void http_server_use_site_tls(struct http_server *s, unsigned site, struct tls_context *context);
/* Listens no more; what is under way is finished, bounded by drain_ms; then DONE (may be NULL). A
 * handler may still answer until then. */
void http_server_close(struct http_server *s, void (*done)(void *ctx), void *ctx);

/* ---- requests ------------------------------------------------------------------------------ */

const char *http_request_method(const struct http_request *r);
/* The path, decoded, without the query; never with NULs, "//", "." or ".." segments: 400. */
const char *http_request_path(const struct http_request *r);
/* The request's target as it came (path and query, still encoded), for redirects. */
const char *http_request_target(const struct http_request *r);
/* A segment of the pattern, decoded; NULL: the pattern has none of that NAME. */
const char *http_request_param(const struct http_request *r, const char *name);
/* The first NAME=value of the query, decoded into OUT. ERR_NOTFOUND, ERR_LIMIT (longer than CAP),
 * ERR_MALFORMED (a broken %xx, a NUL). */
enum err http_request_query(const struct http_request *r, const char *name, char *out,
                            size_t cap) MUST_USE;
/* NAME in lower case; NULL: there is none. Of several the first. */
const char *http_request_header(const struct http_request *r, const char *name);
/* Host or :authority, as sent. */
const char *http_request_host(const struct http_request *r);
const char *http_request_body(const struct http_request *r, size_t *len);
/* The client's address, without a port. Of a peer on this machine (a reverse proxy) the last address
 * of X-Forwarded-For, if it is one. */
const char *http_request_peer(const struct http_request *r);
bool http_request_is_tls(const struct http_request *r);
/* The connection comes from this machine: whoever asks, it is a proxy here that says so. */
bool http_request_is_local(const struct http_request *r);
/* Whose certificate came with the connection; false: nobody's, or the connection is gone. */
bool http_request_tls_peer(const struct http_request *r, struct tls_peer *out);
bool http_request_gone(const struct http_request *r);

struct http_header {
    const char *name, *value; /* name in lower case */
};
struct http_reply {
    unsigned status;
    const char *type; /* Content-Type; NULL: application/json */
    const void *body; /* copied */
    size_t len;
    const struct http_header *headers; /* further ones; copied */
    size_t headers_count;              /* at most HTTP_REPLY_HEADERS_MAX */
    const char *cache;                 /* Cache-Control; NULL: no-store */
};
#define HTTP_REPLY_HEADERS_MAX 8
/* The request is gone afterwards. */
void http_reply(struct http_request *r, const struct http_reply *reply);
/* {"error":{"id":ID,"message":...}}; ID is a word with dashes. RETRY_S: Retry-After; 0: none. */
void http_reply_error(struct http_request *r, unsigned status, const char *id, unsigned retry_s,
                      const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* ---- counters: written on the loop, to be read there or anywhere ------------------------------- */

/* Statuses counted one by one; any other counts in the last place. */
#define HTTP_STATUSES 24
extern const unsigned http_statuses[HTTP_STATUSES - 1];

struct http_counters {
    /* Of each site's routes; the last: no route was found. */
    _Atomic uint64_t requests[HTTP_SITES_MAX][HTTP_ROUTES_MAX + 1][HTTP_STATUSES];
    _Atomic uint64_t accepted, open, evicted, refused, timed_out;
    _Atomic uint64_t handshakes, resumed, handshakes_failed;
};
const struct http_counters *http_server_counters(const struct http_server *s);

#endif
