/* An HTTP server on a loop of the test's that does what it is told, octet by octet: proper replies,
 * and what no proper server would send. It reads one whole request at a time (header, then as much
 * as Content-Length says), asks for the list of acts that answers it, and performs it. A list that
 * ends leaves the connection open for the next request. cmocka assertions. One thread.
 */
#ifndef TESTS_HTTP_SCRIPT_H
#define TESTS_HTTP_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum http_script_kind {
    HTTP_SCRIPT_END,   /* of the list */
    HTTP_SCRIPT_SEND,  /* TEXT as it is; N octets of it unless N is 0 */
    HTTP_SCRIPT_REPLY, /* 200 with TEXT as its body */
    HTTP_SCRIPT_ECHO,  /* 200, the request as it came as its body */
    HTTP_SCRIPT_FILL,  /* N octets 'x' */
    HTTP_SCRIPT_DRIP,  /* TEXT over and over, an octet every MS, until the other side has enough */
    HTTP_SCRIPT_PAUSE, /* MS */
    HTTP_SCRIPT_HANG,  /* nothing more, the connection stays open */
    HTTP_SCRIPT_CLOSE,
    HTTP_SCRIPT_RESET, /* closed, and the other side gets a RST */
};
struct http_script_act {
    enum http_script_kind kind;
    const char *text;
    size_t n;
    unsigned ms;
};

struct http_script_request {
    unsigned connection; /* from 0, in the order they were accepted */
    unsigned number;     /* from 0, on this connection */
    const char *text;    /* header and body, and a NUL */
    size_t len;
};
typedef const struct http_script_act *http_script_choose(void *ctx,
                                                         const struct http_script_request *request);

struct http_script {
    uv_tcp_t listener;
    http_script_choose *choose;
    void *ctx;
    const struct http_script_act *acts;     /* of the default choose: the same for all */
    const struct http_script_act *greeting; /* NULL, or performed before any request is there */
    struct http_script_conn *first;         /* those open now */
    uint16_t port;
    unsigned connections; /* accepted */
    unsigned requests;
    unsigned open, open_max;
    unsigned handles;
};

/* Listens on 127.0.0.1, port S->port. CHOOSE NULL: S->acts for every request. A server without
 * connections does not keep the loop alive. */
void http_script_open(struct http_script *s, uv_loop_t *loop, http_script_choose *choose,
                      void *ctx);
/* The same on a port that was another's before. */
void http_script_open_at(struct http_script *s, uv_loop_t *loop, uint16_t port,
                         http_script_choose *choose, void *ctx);
/* Closes connections that wait for a request, as a server does whose patience is over. */
void http_script_drop(struct http_script *s);
/* Closes everything; the loop must turn until S->handles is 0. */
void http_script_close(struct http_script *s);

#endif
