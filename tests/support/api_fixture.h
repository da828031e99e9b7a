/* The API behind a real HTTP server on loopback, a client of it, and a daemon of the test's own: what
 * env(), ready() and metrics() say is in the struct. The store is the test's (real or fake); nothing here
 * needs one. cmocka assertions; deadlines instead of sleeps.
 */
#ifndef TESTS_SUPPORT_API_FIXTURE_H
#define TESTS_SUPPORT_API_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/api/api.h"
#include "lib/httpc_curl.h"
#include "lib/str.h"

#define WEB_KEY         "the admin key of the tests"
#define WEB_DOMAIN      "mc.example.com"
#define WEB_DEADLINE_MS 30000
#define WEB_BODY_MAX    (4u << 20)

enum {
    WEB_API,
    WEB_CHALLENGES,
    WEB_CLUSTER,
    WEB_SITES
}; /* the sites; the last with TLS: api_raw.h */

/* The daemon was asked for a certificate. */
struct web_sign {
    api_signed_cb *cb;
    void *ctx; /* borrowed */
};
#define WEB_SIGNS_MAX 16

struct web {
    uv_loop_t *loop; /* borrowed */
    uv_timer_t guard;
    struct wire_name apex;
    struct names *names; /* owned: of WEB_DOMAIN with service reg, static entry www */
    struct api_env env;  /* what the daemon says now */
    struct api_ready ready;
    const struct api_served *served; /* borrowed: what each core serves */
    size_t served_count;
    unsigned renewals;   /* how often the daemon was told of one */
    const char *revoked; /* borrowed: the serial number that counts no more; NULL: none */
    struct {
        bool hold;                            /* until web_sign_go() */
        enum err e;                           /* how it ends */
        const char *why;                      /* borrowed */
        struct web_sign asked[WEB_SIGNS_MAX]; /* not ended yet */
        unsigned waiting, count;              /* of those; of all so far */
        char last[256];                       /* whom the last one was for */
        struct str csr;                       /* owned: what it was for */
    } sign;
    uv_timer_t signer;
    int64_t wall_ms, mono_ms; /* the API's clock */
    struct clk clock;
    struct api *api;            /* owned; NULL: freed by the test */
    struct http_server *server; /* owned; NULL: closed by the test */
    struct httpc *client;       /* owned */
    uint16_t port[WEB_SITES];
    unsigned open; /* guard, signer, client and server that have not ended */
};

void web_open(struct web *w, uv_loop_t *loop);
/* Ends what is left. */
void web_close(struct web *w);
void web_close_server(struct web *w);

struct web_ask {
    const char *method, *target;
    const char *body; /* NULL: none */
    const char *type; /* of the body; NULL: application/json */
    const char *key;  /* Authorization; NULL: WEB_KEY; "": none */
    const char *host; /* NULL: as the client makes it */
    const char *from; /* X-Forwarded-For; NULL: none */
    unsigned site;
};
struct web_got {
    struct web *web;
    unsigned ended;
    enum err e;
    unsigned status;
    char *body; /* owned */
    char type[64], retry_after[16], www_authenticate[64], location[256], cache[64];
    char method[16], target[1100]; /* what was asked */
    unsigned site;
};
/* Asks; *got must stay until it has ended. web_got_free() ends its use. */
void web_start(struct web *w, const struct web_ask *ask, struct web_got *got);
void web_wait(struct web *w, struct web_got *got);
void web_got_free(struct web_got *got);
/* Both, and there must be an answer. */
void web_ask(struct web *w, const struct web_ask *ask, struct web_got *got);

/* Among what web_seen() has, unless no route was found. */
void web_note(const struct web_got *got);

/* The daemon ends what it was asked to sign: WEB_CERT and WEB_CA, or sign.e. */
#define WEB_CERT "a certificate\n"
#define WEB_CA   "the CA\n"
void web_sign_go(struct web *w);

/* METHOD TARGET with the admin key and BODY (NULL: none) has STATUS, and its body is SAYS, or holds it if
 * SAYS does not begin with '{'. */
void web_expect(struct web *w, const char *method, const char *target, const char *body,
                unsigned status, const char *says);
void web_expect_ask(struct web *w, const struct web_ask *ask, unsigned status, const char *says);

/* Turns the loop until *counter has reached N. */
void web_until(struct web *w, const unsigned *counter, unsigned n);

/* "METHOD path status\n" of every answer of this process so far. */
const char *web_seen(void);
/* docs/openapi.yaml and every answer of this process so far: no status that is not documented for its
 * route, and each that is documented and WANTED was seen. Fails the test, naming all that is not so. */
void web_check_documented(bool (*wanted)(unsigned status));

#endif
