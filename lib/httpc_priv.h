/* What the parts of the HTTP client share. httpc_curl.c owns the loop's side: the queue, the
 * sockets, the timers, the order of ends. httpc_call_curl.c owns one request: what libcurl is told,
 * what is kept of the reply, and what libcurl's verdict means. httpc_settings_sys.c owns what all
 * requests have in common.
 */
#ifndef LIB_HTTPC_PRIV_H
#define LIB_HTTPC_PRIV_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "httpc_curl.h"

#define HTTPC_METHOD_MAX 16

/*   httpc_start ──> QUEUED ──> ACTIVE ──> DONE ──> callback, freed
 *                     └── canceled, late ──^
 */
enum httpc_state {
    HTTPC_QUEUED, /* its turn has not come; libcurl does not know it */
    HTTPC_ACTIVE, /* in libcurl's hands */
    HTTPC_DONE,   /* waits for the next turn of the loop to be told */
};

struct httpc_call {
    TAILQ_ENTRY(httpc_call) link; /* of the client's list for its state */
    struct httpc *client;         /* borrowed: ends after its calls */
    httpc_cb *cb;
    void *ctx; /* borrowed */
    enum httpc_state state;
    int64_t deadline_ms;
    enum err e; /* set in a callback of libcurl's: why it was broken off */
    struct err_info info;

    CURL *easy;                 /* owned */
    struct curl_slist *headers; /* owned */
    char *url;                  /* owned: without user and password */
    char method[HTTPC_METHOD_MAX];
    bool repeatable; /* the method's meaning allows to send it twice */
    bool sent;       /* it was about to be sent once */
    bool *tell_sent; /* borrowed; NULL: nobody wants to know */
    unsigned wait_ms;

    size_t header_len; /* of everything that was header, interim replies and trailers too */
    bool header_done;  /* the final reply's header is complete */
    char *body;        /* owned */
    size_t body_len, body_cap, body_max;
    char detail[CURL_ERROR_SIZE]; /* libcurl's words */
};
TAILQ_HEAD(httpc_calls, httpc_call);

struct httpc_settings {
    char *user_agent;           /* owned, as all of these */
    struct curl_blob ca;        /* owned data; NULL: the system's */
    char *cert_file, *key_file; /* NULL: nothing is shown */
    char *pins;                 /* as libcurl wants them; NULL: it goes by the CA */
};

/* Copies, and reads ca_file; what there is on an error is for httpc_settings_fini(), too. */
enum err httpc_settings_init(struct httpc_settings *s, const struct httpc_options *o,
                             struct err_info *info) MUST_USE;
void httpc_settings_fini(struct httpc_settings *s);

/* Makes CALL->easy out of REQUEST. On an error CALL->info says why. */
enum err httpc_call_prepare(struct httpc_call *call, const struct httpc_settings *settings,
                            const struct httpc_request *request) MUST_USE;
/* What libcurl's end of the transfer means, with CALL->info. */
enum err httpc_call_result(struct httpc_call *call, CURLcode rc) MUST_USE;
/* Breaks off with METHOD URL: TEXT. The first reason stays. */
enum err httpc_call_fail(struct httpc_call *call, enum err e, const char *text);
/* Everything but the struct itself; the handle has left the multi handle before. */
void httpc_call_fini(struct httpc_call *call);

#endif
