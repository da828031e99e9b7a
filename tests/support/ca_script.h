/* A CA that says what a test tells it to: a directory, nonces, and replies to requests in a list. With a
 * session to it, a clock of the test's, and what the session's callbacks brought. cmocka assertions;
 * deadlines instead of sleeps.
 */
#ifndef TESTS_CA_SCRIPT_H
#define TESTS_CA_SCRIPT_H

#include <jansson.h>

#include "acme/session_uv.h"
#include "http_script.h"

#define CA_SCRIPT_DEADLINE_MS  20000
#define CA_SCRIPT_REQUESTS_MAX 128
#define CA_SCRIPT_WALL_MS      1767225600000LL /* 2026-01-01T00:00:00Z, what the clock says at first */

struct ca_script_request {
    char line[512];    /* "POST /order" */
    char header[1024]; /* the rest of the header, as it came */
    json_t *protected; /* owned: of the JWS; NULL: there is none */
    char payload[512]; /* of the JWS, decoded */
    const char *nonce; /* in `protected`; "" */
};

/* One reply. In the texts %U is the CA's origin ("http://127.0.0.1:1234"), %N a nonce that was never used
 * before. */
struct ca_script_reply {
    const char *status;                 /* NULL: "200 OK" */
    const char *header;                 /* lines, each with its CRLF; NULL: Replay-Nonce: %N */
    const char *body;                   /* NULL: {} */
    const struct http_script_act *acts; /* these instead */
};

struct ca_script {
    uv_loop_t loop;
    uv_timer_t guard;
    struct http_script server;
    char origin[64];
    struct clk clock;
    int64_t wall_ms, mono_ms;
    struct session *session; /* NULL: closed by the test */
    struct cert_key *key;
    unsigned closed;

    const struct ca_script_reply *directory; /* NULL: a good one */
    const struct ca_script_reply *nonce;     /* NULL: a good one */
    const struct ca_script_reply *replies;   /* to everything else, one after the other ... */
    size_t replies_count;                    /* ... the last one again and again; 0: {} */
    size_t replied;
    unsigned nonces;
    struct ca_script_request requests[CA_SCRIPT_REQUESTS_MAX];
    size_t requests_count;
    unsigned directories_asked, nonces_asked, asked;
    struct ca_script_sent *sent; /* owned: texts under way */
};

/* What a callback of the session's brought. */
struct ca_script_got {
    unsigned calls;
    enum err e;
    struct err_info info;
    struct session_reply reply; /* body: owned copy */
    bool has_directory;
    struct acme_directory directory;
    struct acme_problem problem;
    void (*then)(struct ca_script_got *g); /* NULL, or called last */
    void *ctx;                             /* the test's */
};

/* A server and a session to it, with the directory fetched if FETCHED. */
void ca_script_init(struct ca_script *c, bool fetched);
/* Closes what is open; not 0 if something is left on the loop. */
int ca_script_end(struct ca_script *c);
void ca_script_until(struct ca_script *c, const unsigned *counter, unsigned n);
/* URL of PATH at the CA; good until the next call but three. */
const char *ca_script_url(const struct ca_script *c, const char *path);

void ca_script_directory(struct ca_script *c, bool fresh, struct ca_script_got *g);
struct session_call *ca_script_post(struct ca_script *c, const char *path, struct ca_script_got *g);
struct session_call *ca_script_get(struct ca_script *c, const char *url, struct ca_script_got *g);
/* A POST to PATH, and its end, which must be E. G is the caller's to free. */
void ca_script_expect(struct ca_script *c, const char *path, enum err e, struct ca_script_got *g);
void ca_script_got_free(struct ca_script_got *g);
session_reply_cb ca_script_on_reply; /* ctx: a struct ca_script_got */

#endif
