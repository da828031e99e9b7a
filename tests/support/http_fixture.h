/* An HTTP server on a loop of the test's, and clients beside it in the same thread, that write what
 * octets they like: whoever waits for a client lets the loop turn meanwhile. cmocka assertions;
 * deadlines instead of sleeps.
 *
 *   GET    /now            200, at once                  GET /keep, /keep/{name}  when the test says so
 *   POST   /echo           the body, up to 64 KiB        PUT /json                100 octets of JSON
 *   GET    /big            HTTP_FIXTURE_BIG octets       GET /who                 "peer host tls"
 *   DELETE /things/{name}  204                           GET /cached, /broken     fields; an error
 *   GET    /peer           http_fixture_peer()
 */
#ifndef TESTS_HTTP_FIXTURE_H
#define TESTS_HTTP_FIXTURE_H

#include "http/server.h"

#define HTTP_FIXTURE_DEADLINE_MS 10000
#define HTTP_FIXTURE_TEST_MS     60000 /* a whole test, whatever it waits for */
#define HTTP_FIXTURE_KEPT_MAX    300
#define HTTP_FIXTURE_BIG         (3u << 20)

enum {
    HTTP_FIXTURE_NOW,
    HTTP_FIXTURE_KEEP,
    HTTP_FIXTURE_KEEP_NAME,
    HTTP_FIXTURE_ECHO,
    HTTP_FIXTURE_JSON,
};

struct http_fixture {
    uv_loop_t loop;
    int64_t began_ms;
    struct http_limits limits; /* http_limits_default; change before opening */
    struct http_server *server;
    uint16_t port;
    bool closing, closed;
    unsigned served;                                  /* calls of handlers */
    struct http_request *kept[HTTP_FIXTURE_KEPT_MAX]; /* not answered yet, in order */
    unsigned kept_count;
};

void http_fixture_init(struct http_fixture *f);
/* A server on 127.0.0.1, without TLS. */
void http_fixture_open(struct http_fixture *f);
/* Another port of the same server, with CONTEXT. */
uint16_t http_fixture_open_tls(struct http_fixture *f, struct tls_context *context);
/* And another, with what SITE shows. All sites (HTTP_SITES_MAX) are the same. */
uint16_t http_fixture_listen_tls(struct http_fixture *f, unsigned site);
void http_fixture_close_begin(struct http_fixture *f);
/* Answers what is kept, ends the server if that has not been begun, waits for its end. */
void http_fixture_end(struct http_fixture *f);

#define HTTP_FIXTURE_PEER_MAX 600
/* "local", or "far" if it is not from this machine; "nobody", or "name serial sha256 not-after" */
void http_fixture_peer(struct http_request *r, char out[HTTP_FIXTURE_PEER_MAX]);

/* Answers the request that has been kept longest. */
void http_fixture_answer(struct http_fixture *f);
/* Turns until N requests are kept. */
void http_fixture_wait_kept(struct http_fixture *f, unsigned n);

const struct http_counters *http_fixture_counters(const struct http_fixture *f);
/* How often the route was answered with STATUS. ROUTE: HTTP_FIXTURE_...; -1: no route. */
uint64_t http_fixture_count(const struct http_fixture *f, int route, unsigned status);

/* ---- clients ------------------------------------------------------------------------------- */

int http_fixture_dial(struct http_fixture *f, uint16_t port);
/* With small buffers, so that the end of what the system takes comes soon. */
int http_fixture_dial_narrow(struct http_fixture *f, uint16_t port);
/* A pair of sockets instead: the server's sends as much at a time as SIZE (0: as usual). H2: it speaks
 * HTTP/2 at once. */
int http_fixture_pair(struct http_fixture *f, int size, bool h2);
/* The same, from 192.0.2.1 as far as the server knows. */
int http_fixture_pair_far(struct http_fixture *f);
/* Ends as a process that is killed does. */
void http_fixture_reset(int fd);

/* One turn of the loop; waits at most a millisecond for something to happen at FD (-1: nothing). Whoever
 * turns until something has happened does so for HTTP_FIXTURE_TEST_MS at most. */
void http_fixture_turn(struct http_fixture *f, int fd);
/* Turns until COUNTER has reached N. */
void http_fixture_until(struct http_fixture *f, const _Atomic uint64_t *counter, uint64_t n);

void http_fixture_send(struct http_fixture *f, int fd, const void *bytes, size_t len);
void http_fixture_say(struct http_fixture *f, int fd, const char *text);
/* Reads until LEN octets are there; fewer if the other side ended or nothing came in time. */
size_t http_fixture_read(struct http_fixture *f, int fd, void *bytes, size_t len);
/* The other side has ended, now or within the deadline, and has said nothing more. */
bool http_fixture_ended(struct http_fixture *f, int fd);

struct http_got {
    unsigned status;
    char head[4096]; /* its lines, with their ends */
    char field[512];
    char *body; /* terminated; until the next reply */
    size_t len;
};
/* The next reply, which must be there. The struct and what is in it are the fixture's. HEAD: of a
 * request for the head alone. */
struct http_got *http_fixture_got(struct http_fixture *f, int fd);
struct http_got *http_fixture_got_head(struct http_fixture *f, int fd);
/* NULL: there is no such field. Until the next call. */
const char *http_got_field(struct http_got *g, const char *name);
/* The next reply has STATUS; of an error, the ID. */
void http_fixture_expect(struct http_fixture *f, int fd, unsigned status);
void http_fixture_expect_error(struct http_fixture *f, int fd, unsigned status, const char *id);
/* The connection answers. */
void http_fixture_expect_alive(struct http_fixture *f, int fd);

#endif
