/* What the files of the server share.
 *
 *   listen_uv.c ──> conn_uv.c ──> h1_conn.c, h2_nghttp2.c ──> stream.c ──> the handler
 *    who comes in    octets         requests out of them        one request     │
 *                      ^                  ^                          ^          v
 *                      └── conns.c        └──────── reply.c ─────────┴─ http_reply()
 *
 * A connection goes on in one place only, http_conn_go_on(): it reads what there is, hands requests
 * to handlers, writes, and then decides what it waits for. Whoever is outside of it, a handler that
 * replies later above all, leaves what it has and calls http_conn_wake(); the loop does the rest in
 * its next turn. So no handler ever runs inside a call of somebody's, and nothing closes under
 * anybody's feet.
 *
 * A stream is one exchange on a connection; a request is what a handler sees of it. They part when
 * the handler answers, and earlier if the client goes or the handler takes too long: then the stream
 * ends, and the request is the handler's alone until its reply, which nobody reads.
 */
#ifndef HTTP_SERVER_PRIV_H
#define HTTP_SERVER_PRIV_H

#include <netinet/in.h>

#include "h1.h"
#include "head.h"
#include "lib/metrics.h"
#include "lib/tls.h"
#include "router.h"
#include "server.h"

/* One read, so also one turn's share of a connection: a TLS record and a bit. */
#define HTTP_READ_MAX (16 * 1024 + 512)
/* Requests that one connection may begin in one turn of the loop. */
#define HTTP_TURN_MAX 16
/* Octets of all requests and replies that are held at a time; what comes beyond that gets 503. The
 * limits of each connection together would allow more than a small machine has. */
#define HTTP_HELD_MAX (64u << 20)
/* A body that nobody wants is read and thrown away up to here, so that the connection can go on. */
#define HTTP_DISCARD_MAX (64 * 1024)
/* After the last octet of ours we read on for a while, and throw away: a connection that is closed
 * with something unread is reset, and the reset may destroy the answer on its way (RFC 9112 §9.6). */
#define HTTP_LINGER_MS  1000
#define HTTP_LINGER_MAX (1u << 20)

#define HTTP_TICK_MS 100
#define HTTP_BUCKETS 1024 /* of connections, by client */

struct h2;
struct h2_setup;
struct http_conn;
struct http_stream;
struct http_listener;

/* ---- the server ---------------------------------------------------------------------------- */

struct http_conn_list {
    struct http_conn *first, *last; /* first: the longest there */
};

struct http_server {
    uv_loop_t *loop; /* borrowed */
    struct http_site sites[HTTP_SITES_MAX];
    size_t sites_count;
    struct http_limits limits;
    struct http_counters counters;
    struct tls_context *tls;                      /* shared: our reference; NULL: none yet */
    struct tls_context *site_tls[HTTP_SITES_MAX]; /* the same; NULL: the site shows `tls` */
    struct h2_setup *h2;                          /* owned */
    struct http_listener *listeners;              /* owned */

    /* connections */
    struct http_conn_list idle, busy;
    struct http_conn *bucket[HTTP_BUCKETS];
    uint64_t bucket_key; /* random, odd: nobody outside knows who is beside whom */
    unsigned conns;
    struct http_conn *ready; /* those to go on in the next turn */
    unsigned lent;           /* requests with the handlers */
    size_t held;             /* octets of requests and replies */

    /* handshakes: those that may still begin, in thousandths; steps in this millisecond */
    uint64_t tokens_milli, tokens_ms, steps_ms;
    unsigned steps;

    uv_timer_t tick;   /* looks at all deadlines, while there are connections */
    uv_timer_t resume; /* listens again */
    uv_idle_t next;    /* runs `ready` */
    unsigned handles;  /* open ones: the server ends with the last */
    bool closing, ending;
    uint64_t closing_ms; /* since when */
    void (*done)(void *ctx);
    void *ctx; /* borrowed */

    int64_t date_s; /* what `date` says */
    char date[32];
    uint8_t read[HTTP_READ_MAX];
    uint8_t plain[HTTP_READ_MAX];
};

/* A handle was closed. */
void http_server_handle_gone(struct http_server *s);
/* Ends it if it is closing and nothing is left. */
void http_server_look(struct http_server *s);
/* http_server_look() in the loop's next turn. */
void http_server_wake(struct http_server *s);
/* A connection has come or gone. */
void http_server_count(struct http_server *s);
uint64_t http_server_now(const struct http_server *s);
/* What those are shown who come to SITE; NULL: nothing yet. Borrowed. */
struct tls_context *http_server_tls(const struct http_server *s, unsigned site);

/* ---- listening: listen_uv.c ------------------------------------------------------------------ */

void http_listeners_close(struct http_server *s);

/* ---- connections: conn_uv.c, conns.c --------------------------------------------------------- */

enum http_conn_kind {
    HTTP_CONN_PLAIN,
    HTTP_CONN_TLS,
    HTTP_CONN_H2, /* HTTP/2 at once and without TLS: for tests */
};

struct http_conn {
    uv_poll_t poll;
    int fd;
    int events;                    /* what `poll` waits for; 0: it is stopped */
    struct http_server *s;         /* borrowed */
    struct http_conn *prev, *next; /* of `idle` or `busy` */
    struct http_conn *same_next;   /* of the same bucket */
    struct http_conn *ready_next;
    uint64_t client; /* the key of the client; 0: not bounded */
    struct in6_addr peer;
    unsigned site;

    struct tls_conn *tls; /* owned; NULL: plain */
    struct h2 *h2;        /* owned; NULL: HTTP/1.1 */
    struct h1 h1;
    struct http_stream *streams; /* owned */
    struct http_request *lent;   /* the handlers', of this connection; some without a stream */
    unsigned lent_count;
    unsigned begun; /* requests in this turn */

    uint8_t *in; /* owned: plaintext that is not read yet; bounded by one read */
    size_t in_len, in_at;
    uint8_t *out; /* owned: plaintext to be written */
    size_t out_len, out_at, out_cap;
    size_t answers; /* octets of the streams' answers that are not sent yet, or not whole */

    uint64_t since_ms;  /* handshake, idleness or lingering began */
    uint64_t listed_ms; /* in its list since */
    uint64_t sent;      /* octets */
    uint64_t owed;      /* until `sent` is here the peer has write_ms... */
    uint64_t owed_ms;   /* ...from here on */
    size_t lingered;    /* octets */
    bool dry;           /* nothing is left of what was read */
    bool is_tls;        /* for the requests */
    bool admitted;      /* it may shake hands... */
    bool waiting;       /* ...and may not yet: too many do */
    bool opened;        /* the handshake is over */
    bool is_busy;       /* in `busy` */
    bool is_ready;      /* in `ready` */
    bool running;       /* inside of http_conn_go_on() */
    bool touched;       /* has begun a request since it was listed */
    bool owing;         /* something is unsent */
    bool eof, hup;      /* the peer has ended its half; the system has said so */
    bool ending;        /* no further request; closes when everything is sent */
    bool said_end;      /* close_notify */
    bool lingering;
    bool failed; /* no memory, a broken session: closes at once */
    bool closed;
};

/* FD is the server's from here on. PEER: of accept(). */
void http_conn_open(struct http_server *s, int fd, const struct sockaddr *peer, unsigned site,
                    enum http_conn_kind kind);
void http_conn_close(struct http_conn *c);
/* In the next turn of the loop. */
void http_conn_wake(struct http_conn *c);
void http_conn_go_on(struct http_conn *c);
/* No further request: what is written already goes out, then it closes. */
void http_conn_end(struct http_conn *c);
/* Plaintext for the peer. */
void http_conn_put(struct http_conn *c, const void *bytes, size_t len);
/* Octets that the system has not taken yet. */
size_t http_conn_unsent(const struct http_conn *c);
/* May it begin a request now, or go on with one? */
bool http_conn_may_take(const struct http_conn *c);
void http_conn_tick(struct http_conn *c, uint64_t now);

/* conn_io_uv.c: one read, into what is taken below; */
void http_conn_receive(struct http_conn *c);
/* takes what is there, as far as it may: false, nothing was; */
bool http_conn_input(struct http_conn *c);
/* is it to be read further?; */
bool http_conn_wants_more(const struct http_conn *c);
/* sends what is written, as far as the system takes it. */
void http_conn_flush(struct http_conn *c);

bool http_peer_is_local(const struct in6_addr *peer);
/* 0 for this machine itself, where a proxy speaks for many. */
uint64_t http_client_of(const struct in6_addr *peer);
struct in6_addr http_peer_of(const struct sockaddr *sa);
/* "192.0.2.1", "2001:db8::1" */
void http_peer_text(const struct in6_addr *peer, char out[HTTP_PEER_MAX]);

void http_conns_add(struct http_conn *c);
void http_conns_remove(struct http_conn *c);
/* C is the last of the list it belongs to. */
void http_conns_list(struct http_conn *c, bool busy);
/* C is the first to go. */
void http_conns_offer(struct http_conn *c);
/* Who has to go before somebody else of CLIENT comes in; NULL: there is room. */
struct http_conn *http_conns_in_the_way(struct http_server *s, uint64_t client);

/* ---- exchanges: stream.c --------------------------------------------------------------------- */

enum http_phase {
    HTTP_PHASE_HEAD,
    HTTP_PHASE_BODY,
    HTTP_PHASE_WAITING,  /* HTTP/2: whole, but its peer has to take earlier answers first */
    HTTP_PHASE_LENT,     /* with the handler */
    HTTP_PHASE_ANSWERED, /* HTTP/2: the peer has not taken all of it */
};

struct http_stream {
    struct http_conn *c;             /* borrowed */
    struct http_stream *prev, *next; /* of the connection */
    struct http_request *r;          /* ours; from LENT on the handler's; then NULL */
    enum http_phase phase;
    uint64_t since_ms;  /* of the phase */
    http_status status; /* what it will be answered with; 0: a handler decides */
    bool begun;         /* an octet of it has come */
    bool whole;         /* nothing of it is still to come */
    size_t discarded;
    int32_t id;    /* HTTP/2 */
    uint8_t *body; /* owned, HTTP/2: of the answer */
    size_t len, at;
};

struct http_request {
    struct http_server *s;            /* borrowed */
    struct http_conn *c;              /* borrowed; NULL: gone */
    struct http_stream *stream;       /* borrowed; NULL: gone */
    struct http_request *prev, *next; /* of the connection's `lent` */
    const struct http_site *site;
    unsigned site_index;
    struct http_head head;
    char *path; /* owned: decoded */
    struct router_match match;
    char *body; /* owned */
    size_t body_len, body_cap, body_max;
    size_t held;
    bool lent, is_tls, is_local;
    char peer[HTTP_PEER_MAX];
};

void http_request_free(struct http_request *r);
/* NULL: no memory. */
struct http_stream *http_stream_new(struct http_conn *c, int32_t id);
/* The request leaves: it is its handler's alone, or gone. HTTP/2: what is left of ST is its answer. */
void http_stream_part(struct http_stream *st);
/* The exchange is over, whatever became of it. */
void http_stream_free(struct http_stream *st);

/* The head is whole. Decides whether there will be a handler; `status` if not. */
void http_stream_head(struct http_stream *st);
/* More of the body. May set `status`. */
void http_stream_body(struct http_stream *st, const uint8_t *bytes, size_t len);
/* The request is whole: to its handler, or to its answer. HTTP/1.1: ST may be gone afterwards. */
void http_stream_end(struct http_stream *st);
/* Goes on with the one that has waited longest, if it need not wait any more. False: it must, or there
 * is none. */
bool http_stream_resume(struct http_conn *c);
/* Answers with an error of ours. HTTP/1.1: ST is gone afterwards. */
void http_stream_fail(struct http_stream *st, http_status status);
/* What it waits for should have happened; false: not yet. */
bool http_stream_late(const struct http_stream *st, uint64_t now);

/* ---- answers: reply.c, and how each protocol writes them --------------------------------------- */

#define HTTP_FIELDS_OUT_MAX (8 + HTTP_REPLY_HEADERS_MAX)

/* An answer as both protocols write it. */
struct http_answer {
    char status[16]; /* three digits */
    const char *reason;
    struct http_header fields[HTTP_FIELDS_OUT_MAX];
    size_t count;
    const void *body; /* borrowed */
    size_t len;       /* 0 if none goes out */
    char length[24];
};

/* Counts, and hands REPLY to the protocol. The request is the caller's afterwards. */
void http_stream_answer(struct http_stream *st, const struct http_reply *reply);

/* Requests out of BYTES; returns how many of them are done with. */
size_t h1_conn_take(struct http_conn *c, const uint8_t *bytes, size_t len);
void h1_conn_answer(struct http_stream *st, const struct http_answer *a);

#endif
