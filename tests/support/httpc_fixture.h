/* An HTTP client and a scripted server on one loop, and what callbacks brought. cmocka assertions;
 * deadlines instead of sleeps.
 */
#ifndef TESTS_HTTPC_FIXTURE_H
#define TESTS_HTTPC_FIXTURE_H

#include "http_script.h"
#include "lib/httpc_curl.h"

#define HTTPC_FIXTURE_DEADLINE_MS 20000
#define HTTPC_FIXTURE_LATE_MS     1000 /* how much later than its deadline a request may end */

struct httpc_fixture {
    uv_loop_t loop;
    uv_timer_t guard;          /* the test's own deadline */
    struct http_script server; /* if its port is not 0 */
    struct httpc *client;      /* set to NULL by a test that has closed it */
    unsigned closed;
    char url[128]; /* of the server, with a path */
};

struct httpc_got {
    unsigned calls;
    enum err e;
    unsigned status;
    struct err_info info;
    char *body; /* owned */
    size_t len;
    char header[128]; /* X-Test, "(none)" */
    uint64_t took_ms;
    struct httpc_call *call;
    struct httpc_fixture *f;
    void (*then)(struct httpc_got *g); /* NULL: nothing; called at the end of the callback */
};

void httpc_fixture_init(struct httpc_fixture *f);
/* Closes what is open; not 0 if something is left on the loop. */
int httpc_fixture_end(struct httpc_fixture *f);
/* Turns the loop until *counter has reached N. */
void httpc_fixture_until(struct httpc_fixture *f, const unsigned *counter, unsigned n);

/* OPTIONS NULL: the defaults. */
void httpc_fixture_client(struct httpc_fixture *f, const struct httpc_options *options);
/* A server, f->url, and a client with the defaults unless there is one. */
void httpc_fixture_serve(struct httpc_fixture *f, const struct http_script_act *acts);
void httpc_fixture_serve_by(struct httpc_fixture *f, http_script_choose *choose, void *ctx);
/* The server's end; there may be another. */
void httpc_fixture_unserve(struct httpc_fixture *f);

/* A GET of f->url: 100,000 octets and half the fixture's deadline. */
struct httpc_request httpc_fixture_get(const struct httpc_fixture *f);
void httpc_fixture_start(struct httpc_fixture *f, struct httpc_got *g,
                         const struct httpc_request *r);
/* Starts R, waits for its end, which must be E. G is NULL or the caller's to free. */
void httpc_fixture_expect(struct httpc_fixture *f, const struct httpc_request *r, enum err e,
                          struct httpc_got *g);
void httpc_got_free(struct httpc_got *g);

extern const struct http_script_act http_script_echo[];

#endif
