/* What the parts of a session share. session_uv.c owns its life, the directory and the ends that are told
 * later; session_call_uv.c one exchange (nonce, signature, request, badNonce); session_reply.c what a reply
 * says.
 */
#ifndef ACME_SESSION_PRIV_H
#define ACME_SESSION_PRIV_H

#include <sys/queue.h>

#include "lib/httpc_curl.h"
#include "session_uv.h"

#define SESSION_NONCE_ROOM 256 /* RFC 8555 §6.5.1 has no limit; those seen are up to 60 */
#define SESSION_ACCEPT_MAX 64

/*   session_post ──> NONCE ──> ASK ──> callback, freed
 *                     ^ └ kept ─^ │
 *                     └─ badNonce ┘   session_get begins at ASK
 *
 *   session_directory ──> FETCH ──> DONE ──> callback, freed
 *
 * What fails before it is sent goes to DONE from anywhere: its callback comes with the loop's next turn.
 */
enum session_state {
    SESSION_NONCE, /* asks newNonce */
    SESSION_ASK,
    SESSION_FETCH, /* waits for the directory */
    SESSION_DONE
};

struct session_call {
    TAILQ_ENTRY(session_call) link; /* of the session's `calls`, or `done` */
    struct session *session;        /* borrowed: ends after its calls */
    enum session_state state;
    session_reply_cb *cb;               /* of a request */
    session_directory_cb *directory_cb; /* of a look at the directory */
    void *ctx;                          /* borrowed */
    const struct cert_key *key;         /* borrowed; NULL: a GET */
    char url[ACME_URL_MAX];
    char kid[ACME_URL_MAX]; /* "": jwk */
    char accept[SESSION_ACCEPT_MAX];
    char *payload; /* owned; NULL: POST-as-GET */
    size_t body_max;
    char *jws;               /* owned: the body that is being sent */
    struct httpc_call *http; /* NULL: nothing is under way */
    unsigned bad_nonces;
    enum err e; /* of an end that is told later, with ... */
    struct err_info info;
    struct acme_problem problem; /* ... of the directory */
};
TAILQ_HEAD(session_calls, session_call);

struct session {
    uv_loop_t *loop;         /* borrowed: outlives us */
    struct httpc *http;      /* owned; NULL: closed */
    const struct clk *clock; /* borrowed */
    char url[ACME_URL_MAX];
    struct session_calls calls, done;
    uv_idle_t idle; /* runs while there is an end to be told */
    struct acme_directory directory;
    bool has_directory, fetching;
    int64_t fetched_ms;             /* monotonic */
    char nonce[SESSION_NONCE_ROOM]; /* "": none is kept */
    int64_t nonce_ms;               /* monotonic: when it came */
    int64_t skew_ms;
    bool closing;
    void (*on_closed)(void *ctx);
    void *ctx; /* borrowed */
};

/* --- session_uv.c --- */

/* CALL is over with E: told later. */
void session_end(struct session_call *call, enum err e, const struct err_info *info);
/* CALL is over: told now. The last statement of who calls this. REPLY NULL: none. */
void session_tell(struct session_call *call, enum err e, const struct err_info *info,
                  const struct session_reply *reply);
struct session_call *session_call_new(struct session *s, enum session_state state, void *ctx);
void session_call_free(struct session_call *call);

/* --- session_reply.c --- */

/* Keeps the nonce that came, and the CA's time. */
void session_saw(struct session *s, const struct httpc_reply *http);
/* What came for URL. OUT->body is HTTP's. */
void session_reply_read(const struct session *s, const char *url, const struct httpc_reply *http,
                        struct session_reply *out);
/* The nonce that is kept, if it is fresh, into OUT, and forgets it. */
bool session_nonce_take(struct session *s, char out[SESSION_NONCE_ROOM]);

#endif
