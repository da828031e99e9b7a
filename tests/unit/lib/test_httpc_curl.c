/* lib/httpc_curl, the client: connections kept, the queue, cancel, close, several of them; exactly
 * one callback for each request, and nothing left on the loop. What a single request does is in
 * test_httpc_call_curl.c. */
#include "lib/httpc_curl.h"

#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "httpc_fixture.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct httpc_fixture t;

static const struct http_script_act hang[] = {{.kind = HTTP_SCRIPT_HANG}};
static const struct http_script_act cut[] = {{.kind = HTTP_SCRIPT_CLOSE}};

static int setup(void **state)
{
    (void)state;
    httpc_fixture_init(&t);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return httpc_fixture_end(&t);
}

static void count(void *ctx)
{
    (*(unsigned *)ctx)++;
}

static void client_of(unsigned connections)
{
    struct httpc_options options = {.connections_max = connections};
    httpc_fixture_client(&t, &options);
}

/* --- connections ------------------------------------------------------------------------- */

static void a_connection_is_used_again(void **state)
{
    (void)state;
    httpc_fixture_serve(&t, http_script_echo);
    struct httpc_request r = httpc_fixture_get(&t);
    for (unsigned i = 0; i < 10; i++) {
        r.method = i % 2 == 0 ? "GET" : "POST";
        httpc_fixture_expect(&t, &r, ERR_OK, NULL);
    }
    assert_int_equal(t.server.connections, 1);
    assert_int_equal(t.server.requests, 10);
}

/* The peer closes what is idle; the next request must not notice. */
static void a_kept_connection_closed_by_the_peer_is_replaced(void **state)
{
    static const char *const methods[] = {"GET", "POST", "DELETE", "POST"};
    (void)state;
    httpc_fixture_serve(&t, http_script_echo);
    struct httpc_request r = httpc_fixture_get(&t);
    for (unsigned i = 0; i < COUNT(methods); i++) {
        r.method = methods[i];
        httpc_fixture_expect(&t, &r, ERR_OK, NULL);
        http_script_drop(&t.server);
        assert_int_equal(t.server.open, 0);
    }
    assert_int_equal(t.server.connections, COUNT(methods));
    assert_int_equal(t.server.requests, COUNT(methods));
}

/* The first connection is cut instead of its second reply: the race that no look at the idle
 * connection can win. */
static const struct http_script_act *cut_second(void *ctx, const struct http_script_request *r)
{
    (void)ctx;
    return r->connection == 0 && r->number == 1 ? cut : http_script_echo;
}

static void what_may_be_repeated_is_sent_again_if_its_connection_dies(void **state)
{
    (void)state;
    httpc_fixture_serve_by(&t, cut_second, NULL);
    struct httpc_request r = httpc_fixture_get(&t);
    httpc_fixture_expect(&t, &r, ERR_OK, NULL);
    r.method = "DELETE";
    r.body = "some body";
    r.body_len = 9;
    httpc_fixture_expect(&t, &r, ERR_OK, NULL);
    assert_int_equal(t.server.requests, 3);
}

static void a_post_is_never_sent_twice(void **state)
{
    static const size_t lens[] = {0, 9};
    (void)state;
    for (size_t i = 0; i < COUNT(lens); i++) {
        struct httpc_got g;
        httpc_fixture_serve_by(&t, cut_second, NULL);
        struct httpc_request r = httpc_fixture_get(&t);
        r.method = "POST";
        r.body = "some body";
        r.body_len = lens[i];
        httpc_fixture_expect(&t, &r, ERR_OK, NULL);
        httpc_fixture_expect(&t, &r, ERR_UNAVAIL, &g);
        assert_non_null(strstr(g.info.text, "not known whether"));
        assert_int_equal(t.server.requests, 2);
        httpc_fixture_expect(&t, &r, ERR_OK, NULL); /* and the client goes on */
        httpc_fixture_unserve(&t);
    }
}

static void a_server_that_comes_back_is_found(void **state)
{
    struct httpc_options options = {.connections_max = 1};
    (void)state;
    httpc_fixture_client(&t, &options);
    httpc_fixture_serve(&t, http_script_echo);
    struct httpc_request r = httpc_fixture_get(&t);
    httpc_fixture_expect(&t, &r, ERR_OK, NULL);
    uint16_t port = t.server.port;
    httpc_fixture_unserve(&t);
    httpc_fixture_expect(&t, &r, ERR_UNAVAIL, NULL);
    httpc_fixture_expect(&t, &r, ERR_UNAVAIL, NULL);
    http_script_open_at(&t.server, &t.loop, port, NULL, NULL);
    t.server.acts = http_script_echo;
    httpc_fixture_expect(&t, &r, ERR_OK, NULL);
}

/* --- the queue ----------------------------------------------------------------------------- */

static void fifty_at_once_over_two_connections(void **state)
{
    struct httpc_got g[50];
    (void)state;
    client_of(2);
    httpc_fixture_serve(&t, http_script_echo);
    struct httpc_request r = httpc_fixture_get(&t);
    memset(g, 0, sizeof g);
    for (size_t i = 0; i < COUNT(g); i++) {
        httpc_fixture_start(&t, &g[i], &r);
    }
    for (size_t i = 0; i < COUNT(g); i++) {
        httpc_fixture_until(&t, &g[i].calls, 1);
        assert_int_equal(g[i].e, ERR_OK);
        httpc_got_free(&g[i]);
    }
    assert_int_equal(t.server.requests, COUNT(g));
    assert_int_equal(t.server.open_max, 2);
    assert_int_equal(t.server.connections, 2);
    uv_run(&t.loop, UV_RUN_NOWAIT);
    for (size_t i = 0; i < COUNT(g); i++) {
        assert_int_equal(g[i].calls, 1);
    }
}

/* Two servers and one connection: the idle one to the other server makes room. */
static void an_idle_connection_gives_way(void **state)
{
    struct http_script other;
    char url[64];
    (void)state;
    client_of(1);
    httpc_fixture_serve(&t, http_script_echo);
    http_script_open(&other, &t.loop, NULL, NULL);
    other.acts = http_script_echo;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", other.port);
    struct httpc_request here = httpc_fixture_get(&t), there = here;
    there.url = url;
    for (unsigned i = 0; i < 3; i++) {
        httpc_fixture_expect(&t, &here, ERR_OK, NULL);
        httpc_fixture_expect(&t, &there, ERR_OK, NULL);
    }
    assert_int_equal(t.server.connections, 3);
    assert_int_equal(other.connections, 3);
    http_script_close(&other);
    while (other.handles > 0) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
}

static const struct http_script_act *hang_first(void *ctx, const struct http_script_request *r)
{
    (void)ctx;
    return r->connection == 0 ? hang : http_script_echo;
}

static void the_deadline_counts_from_the_start_queue_included(void **state)
{
    struct httpc_got first = {.calls = 0}, second = {.calls = 0};
    (void)state;
    client_of(1);
    httpc_fixture_serve_by(&t, hang_first, NULL);
    struct httpc_request r = httpc_fixture_get(&t);
    r.wait_ms = 600;
    httpc_fixture_start(&t, &first, &r);
    r.wait_ms = 200;
    httpc_fixture_start(&t, &second, &r);
    httpc_fixture_until(&t, &second.calls, 1);
    assert_int_equal(second.e, ERR_TIMEOUT);
    assert_in_range(second.took_ms, 200, 200 + HTTPC_FIXTURE_LATE_MS);
    assert_int_equal(first.calls, 0);
    assert_int_equal(t.server.requests, 1);
    httpc_fixture_start(&t, &second, &r); /* 600 of the first are over before: gets its turn */
    httpc_cancel(second.call);
    httpc_fixture_until(&t, &first.calls, 1);
    assert_int_equal(first.e, ERR_TIMEOUT);
    assert_in_range(first.took_ms, 600, 600 + HTTPC_FIXTURE_LATE_MS);
    httpc_fixture_expect(&t, &r, ERR_OK, NULL); /* the connection that hung is not kept */
}

static void the_next_follows_one_that_timed_out(void **state)
{
    struct httpc_got first = {.calls = 0}, second = {.calls = 0};
    (void)state;
    client_of(1);
    httpc_fixture_serve_by(&t, hang_first, NULL);
    struct httpc_request r = httpc_fixture_get(&t);
    r.wait_ms = 200;
    httpc_fixture_start(&t, &first, &r);
    r.wait_ms = HTTPC_FIXTURE_DEADLINE_MS / 2;
    httpc_fixture_start(&t, &second, &r);
    httpc_fixture_until(&t, &second.calls, 1);
    assert_int_equal(first.e, ERR_TIMEOUT);
    assert_non_null(strstr(first.info.text, "no complete reply within 200 ms"));
    assert_int_equal(second.e, ERR_OK);
    assert_in_range(second.took_ms, 150, 200 + HTTPC_FIXTURE_LATE_MS); /* started after the first */
    httpc_got_free(&second);
}

static const struct http_script_act *slow_first(void *ctx, const struct http_script_request *r)
{
    static const struct http_script_act slow[] = {{.kind = HTTP_SCRIPT_PAUSE, .ms = 500},
                                                  {.kind = HTTP_SCRIPT_ECHO},
                                                  {.kind = HTTP_SCRIPT_END}};
    (void)ctx;
    return r->connection == 0 && r->number == 0 ? slow : http_script_echo;
}

static void waiting_in_the_queue_is_not_connecting(void **state)
{
    struct httpc_got first = {.calls = 0}, second = {.calls = 0};
    (void)state;
    client_of(1);
    httpc_fixture_serve_by(&t, slow_first, NULL);
    struct httpc_request r = httpc_fixture_get(&t);
    r.connect_ms = 300;
    httpc_fixture_start(&t, &first, &r);
    httpc_fixture_start(&t, &second, &r);
    httpc_fixture_until(&t, &second.calls, 1);
    assert_int_equal(first.e, ERR_OK);
    assert_int_equal(second.e, ERR_OK);
    httpc_got_free(&first);
    httpc_got_free(&second);
}

/* --- cancel ------------------------------------------------------------------------------ */

static void canceled_under_way_and_in_the_queue(void **state)
{
    struct httpc_got g[3];
    (void)state;
    memset(g, 0, sizeof g);
    client_of(1);
    httpc_fixture_serve_by(&t, hang_first, NULL);
    struct httpc_request r = httpc_fixture_get(&t);
    for (size_t i = 0; i < COUNT(g); i++) {
        httpc_fixture_start(&t, &g[i], &r);
    }
    httpc_fixture_until(&t, &t.server.requests, 1);
    httpc_cancel(g[1].call); /* waits for its turn */
    httpc_cancel(g[0].call); /* waits for its reply */
    assert_int_equal(g[0].calls + g[1].calls, 0);
    httpc_fixture_until(&t, &g[2].calls, 1);
    assert_int_equal(g[0].calls, 1);
    assert_int_equal(g[0].e, ERR_CANCELED);
    assert_int_equal(g[1].calls, 1);
    assert_int_equal(g[1].e, ERR_CANCELED);
    assert_int_equal(g[2].e, ERR_OK);
    assert_int_equal(t.server.requests, 2);
    httpc_got_free(&g[2]);
}

static void canceled_at_once_and_twice(void **state)
{
    struct httpc_got good = {.calls = 0}, bad = {.calls = 0};
    (void)state;
    httpc_fixture_serve(&t, http_script_echo);
    struct httpc_request r = httpc_fixture_get(&t);
    httpc_fixture_start(&t, &good, &r);
    r.url = "nonsense:";
    httpc_fixture_start(&t, &bad, &r); /* has failed, but nobody knows */
    httpc_cancel(good.call);
    httpc_cancel(good.call);
    httpc_cancel(bad.call);
    httpc_fixture_until(&t, &bad.calls, 1);
    httpc_fixture_until(&t, &good.calls, 1);
    assert_int_equal(bad.e, ERR_CANCELED);
    assert_int_equal(good.e, ERR_CANCELED);
    assert_non_null(strstr(good.info.text, "canceled"));
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(good.calls + bad.calls, 2);
    assert_int_equal(t.server.requests, 0);
}

static struct httpc_got others[4];

static void cancel_others(struct httpc_got *g)
{
    (void)g;
    for (size_t i = 0; i < COUNT(others); i++) {
        if (others[i].calls == 0) {
            httpc_cancel(others[i].call);
        }
    }
}

static const struct http_script_act *hang_later(void *ctx, const struct http_script_request *r)
{
    (void)ctx;
    return strstr(r->text, "POST ") == r->text ? http_script_echo : hang;
}

static void a_callback_cancels_others(void **state)
{
    struct httpc_got g = {.then = cancel_others};
    (void)state;
    memset(others, 0, sizeof others);
    httpc_fixture_serve_by(&t, hang_later, NULL);
    struct httpc_request r = httpc_fixture_get(&t);
    for (size_t i = 0; i < COUNT(others) - 1; i++) {
        httpc_fixture_start(&t, &others[i], &r);
    }
    r.method = "POST";
    httpc_fixture_start(&t, &g, &r);
    r.method = "GET";
    httpc_fixture_start(&t, &others[COUNT(others) - 1], &r); /* in the queue */
    for (size_t i = 0; i < COUNT(others); i++) {
        httpc_fixture_until(&t, &others[i].calls, 1);
        assert_int_equal(others[i].e, ERR_CANCELED);
    }
    assert_int_equal(g.e, ERR_OK);
    httpc_got_free(&g);
}

/* Three fail in the same moment; the first to be told cancels those that are about to be. */
static void a_callback_cancels_what_has_ended_already(void **state)
{
    struct httpc_got g = {.then = cancel_others};
    (void)state;
    httpc_fixture_client(&t, NULL);
    struct httpc_request r = httpc_fixture_get(&t);
    r.url = "nonsense:";
    httpc_fixture_start(&t, &g, &r);
    memset(others, 0, sizeof others);
    for (size_t i = 0; i < COUNT(others); i++) {
        httpc_fixture_start(&t, &others[i], &r);
    }
    httpc_fixture_until(&t, &g.calls, 1);
    assert_int_equal(g.e, ERR_MALFORMED);
    for (size_t i = 0; i < COUNT(others); i++) {
        httpc_fixture_until(&t, &others[i].calls, 1);
        assert_int_equal(others[i].e, ERR_CANCELED);
    }
}

static unsigned chain;

static void start_next(struct httpc_got *g)
{
    if (g->e == ERR_OK && ++chain < 20) {
        struct httpc_fixture *f = g->f;
        struct httpc_request r = httpc_fixture_get(f);
        httpc_got_free(g);
        httpc_fixture_start(f, g, &r);
    }
}

static void a_callback_starts_the_next(void **state)
{
    struct httpc_got g = {.then = start_next};
    (void)state;
    chain = 0;
    httpc_fixture_serve(&t, http_script_echo);
    struct httpc_request r = httpc_fixture_get(&t);
    httpc_fixture_start(&t, &g, &r);
    httpc_fixture_until(&t, &chain, 20);
    assert_int_equal(t.server.requests, 20);
    assert_int_equal(t.server.connections, 1);
    httpc_got_free(&g);
}

/* --- close --------------------------------------------------------------------------------- */

static struct httpc_got late;

static void close_client(struct httpc_got *g)
{
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_int_equal(others[i].calls, 0);
    }
    httpc_close(g->f->client, count, &g->f->closed);
    httpc_close(g->f->client, count, &g->f->closed); /* nothing more */
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_int_equal(others[i].calls, 0); /* not inside */
    }
    struct httpc_request r = httpc_fixture_get(g->f);
    late = (struct httpc_got){.calls = 0};
    httpc_fixture_start(g->f, &late, &r); /* told before the end all the same */
    g->f->client = NULL;
    httpc_got_free(g);
}

static void a_callback_closes_the_client(void **state)
{
    struct httpc_got g = {.then = close_client};
    (void)state;
    memset(others, 0, sizeof others);
    httpc_fixture_serve_by(&t, hang_later, NULL);
    struct httpc_request r = httpc_fixture_get(&t);
    for (size_t i = 0; i < COUNT(others) - 1; i++) {
        httpc_fixture_start(&t, &others[i], &r);
    }
    r.method = "POST";
    httpc_fixture_start(&t, &g, &r);
    r.method = "GET";
    httpc_fixture_start(&t, &others[COUNT(others) - 1], &r);
    httpc_fixture_until(&t, &g.calls, 1);
    assert_int_equal(t.closed, 0);
    httpc_fixture_until(&t, &t.closed, 1);
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_int_equal(others[i].calls, 1);
        assert_int_equal(others[i].e, ERR_CANCELED);
    }
    assert_int_equal(late.calls, 1);
    assert_int_equal(late.e, ERR_CANCELED);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(t.closed, 1);
}

static void closing_an_idle_client_is_told_later(void **state)
{
    (void)state;
    httpc_fixture_serve(&t, http_script_echo);
    struct httpc_request r = httpc_fixture_get(&t);
    httpc_fixture_expect(&t, &r, ERR_OK, NULL); /* there is a kept connection */
    httpc_close(t.client, count, &t.closed);
    assert_int_equal(t.closed, 0);
    t.client = NULL;
    httpc_fixture_until(&t, &t.closed, 1);
    while (t.server.open > 0) { /* the peer sees it closed */
        uv_run(&t.loop, UV_RUN_ONCE);
    }
}

static void closing_a_client_that_was_never_used(void **state)
{
    (void)state;
    httpc_fixture_client(&t, NULL);
    httpc_close(t.client, NULL, NULL);
    t.client = NULL;
    assert_int_equal(uv_run(&t.loop, UV_RUN_DEFAULT), 0);
}

static void an_idle_client_lets_the_loop_end(void **state)
{
    (void)state;
    httpc_fixture_serve(&t, http_script_echo);
    assert_int_equal(uv_run(&t.loop, UV_RUN_DEFAULT), 0);
    struct httpc_request r = httpc_fixture_get(&t);
    httpc_fixture_expect(&t, &r, ERR_OK, NULL);
    http_script_close(&t.server);
    uint64_t began = uv_hrtime();
    assert_int_equal(uv_run(&t.loop, UV_RUN_DEFAULT), 0); /* the deadline's timer is off */
    assert_true((uv_hrtime() - began) / 1000000 < r.wait_ms / 2);
    t.server.port = 0;
}

/* --- names --------------------------------------------------------------------------------- */

/* The C library's, for this program: looking up slow.invalid takes until the test lets go. What no
 * machine's own resolver does on command. */
static pthread_mutex_t slow_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t slow_changed = PTHREAD_COND_INITIALIZER;
static unsigned slow_inside;
static bool slow_go;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    (void)service, (void)hints, (void)result;
    if (strcmp(node, "slow.invalid") == 0) {
        pthread_mutex_lock(&slow_lock);
        slow_inside++;
        pthread_cond_broadcast(&slow_changed);
        while (!slow_go) {
            pthread_cond_wait(&slow_changed, &slow_lock);
        }
        slow_inside--;
        pthread_cond_broadcast(&slow_changed);
        pthread_mutex_unlock(&slow_lock);
    }
    return EAI_NONAME;
}

static void slow_begin(void)
{
    slow_go = false;
}

static void slow_end(void)
{
    pthread_mutex_lock(&slow_lock);
    slow_go = true;
    pthread_cond_broadcast(&slow_changed);
    while (slow_inside > 0) {
        pthread_cond_wait(&slow_changed, &slow_lock);
    }
    pthread_mutex_unlock(&slow_lock);
}

static void slow_wait(unsigned n)
{
    pthread_mutex_lock(&slow_lock);
    while (slow_inside < n) {
        pthread_mutex_unlock(&slow_lock);
        uv_run(&t.loop, UV_RUN_NOWAIT);
        pthread_mutex_lock(&slow_lock);
    }
    pthread_mutex_unlock(&slow_lock);
}

static void a_slow_resolver_does_not_make_the_loop_wait(void **state)
{
    struct httpc_got g = {.calls = 0};
    (void)state;
    slow_begin();
    httpc_fixture_serve(&t, http_script_echo);
    struct httpc_request slow = httpc_fixture_get(&t), quick = slow;
    slow.url = "http://slow.invalid/";
    slow.wait_ms = 300;
    httpc_fixture_start(&t, &g, &slow);
    slow_wait(1);
    httpc_fixture_expect(&t, &quick, ERR_OK, NULL); /* meanwhile */
    assert_int_equal(g.calls, 0);
    httpc_fixture_until(&t, &g.calls, 1);
    assert_int_equal(g.e, ERR_TIMEOUT);
    assert_in_range(g.took_ms, 300, 300 + HTTPC_FIXTURE_LATE_MS);
    slow.wait_ms = HTTPC_FIXTURE_DEADLINE_MS;
    slow.connect_ms = 200; /* covers the name too */
    httpc_fixture_expect(&t, &slow, ERR_TIMEOUT, &g);
    assert_in_range(g.took_ms, 150, 200 + HTTPC_FIXTURE_LATE_MS); /* libcurl's clock */
    slow_end();
}

static void closing_does_not_wait_for_a_resolver(void **state)
{
    struct httpc_got g = {.calls = 0};
    (void)state;
    slow_begin();
    httpc_fixture_client(&t, NULL);
    struct httpc_request r = httpc_fixture_get(&t);
    r.url = "http://slow.invalid/";
    httpc_fixture_start(&t, &g, &r);
    slow_wait(1);
    httpc_close(t.client, count, &t.closed); /* nobody lets go before this is through */
    t.client = NULL;
    httpc_fixture_until(&t, &t.closed, 1);
    assert_int_equal(g.e, ERR_CANCELED);
    slow_end();
}

/* --- bad luck ------------------------------------------------------------------------------ */

static void no_descriptor_left(void **state)
{
    struct rlimit old, none;
    (void)state;
    httpc_fixture_serve(&t, http_script_echo);
    struct httpc_request r = httpc_fixture_get(&t);
    uv_run(&t.loop, UV_RUN_NOWAIT); /* the loop has what it needs */
    int next = dup(0);
    assert_true(next >= 0);
    close(next);
    getrlimit(RLIMIT_NOFILE, &old);
    none = old;
    none.rlim_cur = (rlim_t)next;
    setrlimit(RLIMIT_NOFILE, &none);
    httpc_fixture_expect(&t, &r, ERR_UNAVAIL, NULL);
    setrlimit(RLIMIT_NOFILE, &old);
    httpc_fixture_expect(&t, &r, ERR_OK, NULL);
}

#define CROWD 300

static const struct http_script_act *every_kind(void *ctx, const struct http_script_request *r)
{
    static const struct http_script_act reset[] = {{.kind = HTTP_SCRIPT_RESET}};
    static const struct http_script_act half[] = {
        {.kind = HTTP_SCRIPT_SEND, .text = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"},
        {.kind = HTTP_SCRIPT_CLOSE}};
    static const struct http_script_act endless[] = {
        {.kind = HTTP_SCRIPT_SEND, .text = "HTTP/1.1 200 OK\r\n\r\n"},
        {.kind = HTTP_SCRIPT_FILL, .n = 10u << 20},
        {.kind = HTTP_SCRIPT_CLOSE}};
    static const struct http_script_act slow[] = {{.kind = HTTP_SCRIPT_PAUSE, .ms = 5},
                                                  {.kind = HTTP_SCRIPT_REPLY, .text = "slow"},
                                                  {.kind = HTTP_SCRIPT_END}};
    static const struct http_script_act last[] = {{.kind = HTTP_SCRIPT_ECHO},
                                                  {.kind = HTTP_SCRIPT_CLOSE}};
    static const struct http_script_act *const kinds[] = {http_script_echo,
                                                          last,
                                                          cut,
                                                          http_script_echo,
                                                          reset,
                                                          half,
                                                          slow,
                                                          endless,
                                                          hang,
                                                          slow,
                                                          last};
    (void)ctx;
    return kinds[strtoul(strchr(r->text, '/') + 1, NULL, 10) % COUNT(kinds)];
}

/* All kinds of ends mixed, some canceled on the way, and the client closed before the last. */
static void a_crowd(void **state)
{
    static struct httpc_got g[CROWD];
    static char urls[CROWD][64];
    unsigned turns = 0, ended;
    uint64_t began = uv_hrtime();
    (void)state;
    client_of(7);
    httpc_fixture_serve_by(&t, every_kind, NULL);
    struct httpc_request r = httpc_fixture_get(&t);
    for (unsigned i = 0; i < CROWD; i++) {
        snprintf(urls[i], sizeof urls[i], "http://127.0.0.1:%u/%u", t.server.port, i);
        r.url = urls[i];
        r.method = i % 3 == 0 ? "POST" : "GET";
        r.wait_ms = 100 + i * 37 % 700;
        httpc_fixture_start(&t, &g[i], &r);
    }
    do {
        uv_run(&t.loop, UV_RUN_ONCE);
        unsigned victim = turns++ * 17 % CROWD;
        if (turns % 5 == 0 && g[victim].calls == 0) {
            httpc_cancel(g[victim].call);
        }
        ended = 0;
        for (unsigned i = 0; i < CROWD; i++) {
            ended += g[i].calls;
        }
        assert_true((uv_hrtime() - began) / 1000000 < HTTPC_FIXTURE_DEADLINE_MS);
    } while (ended < CROWD * 9 / 10);
    httpc_close(t.client, count, &t.closed);
    t.client = NULL;
    httpc_fixture_until(&t, &t.closed, 1);
    unsigned good = 0;
    for (unsigned i = 0; i < CROWD; i++) {
        assert_int_equal(g[i].calls, 1);
        good += g[i].e == ERR_OK;
        httpc_got_free(&g[i]);
    }
    assert_true(good > 20);
    assert_true(t.server.open_max <= 7 + 7); /* the server hears of an end a little later */
}

/* --- several ------------------------------------------------------------------------------- */

static void two_clients_on_one_loop(void **state)
{
    struct httpc_got a = {.calls = 0}, b = {.calls = 0};
    struct httpc *first;
    (void)state;
    httpc_fixture_serve(&t, http_script_echo);
    struct httpc_request r = httpc_fixture_get(&t);
    httpc_fixture_start(&t, &a, &r);
    first = t.client;
    httpc_fixture_client(&t, NULL);
    httpc_fixture_start(&t, &b, &r);
    httpc_close(first, count, &t.closed);
    httpc_fixture_until(&t, &b.calls, 1);
    httpc_fixture_until(&t, &t.closed, 1);
    assert_int_equal(a.e, ERR_CANCELED);
    assert_int_equal(b.e, ERR_OK);
    httpc_got_free(&b);
    t.closed = 0;
}

static void *run_loop(void *ctx)
{
    struct httpc_fixture *f = ctx;
    httpc_fixture_client(f, NULL);
    struct httpc_request r = httpc_fixture_get(f);
    unsigned good = 0;
    for (unsigned i = 0; i < 50; i++) {
        struct httpc_got g = {.calls = 0};
        httpc_fixture_start(f, &g, &r);
        while (g.calls == 0) {
            uv_run(&f->loop, UV_RUN_ONCE);
        }
        good += g.e == ERR_OK;
        httpc_got_free(&g);
    }
    return good == 50 ? NULL : ctx;
}

static void clients_on_different_loops(void **state)
{
    static struct httpc_fixture fixtures[4];
    pthread_t threads[COUNT(fixtures)];
    (void)state;
    for (size_t i = 0; i < COUNT(fixtures); i++) {
        struct httpc_fixture *f = &fixtures[i];
        httpc_fixture_init(f);
        http_script_open(&f->server, &f->loop, NULL, NULL);
        f->server.acts = http_script_echo;
        snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u/", f->server.port);
    }
    for (size_t i = 0; i < COUNT(fixtures); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run_loop, &fixtures[i]), 0);
    }
    for (size_t i = 0; i < COUNT(fixtures); i++) {
        void *bad;
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
    for (size_t i = 0; i < COUNT(fixtures); i++) {
        assert_int_equal(httpc_fixture_end(&fixtures[i]), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* first: so that libcurl is first used by several threads */
        cmocka_unit_test_setup_teardown(clients_on_different_loops, setup, teardown),
        cmocka_unit_test_setup_teardown(a_connection_is_used_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kept_connection_closed_by_the_peer_is_replaced, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_may_be_repeated_is_sent_again_if_its_connection_dies,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_post_is_never_sent_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_that_comes_back_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(fifty_at_once_over_two_connections, setup, teardown),
        cmocka_unit_test_setup_teardown(an_idle_connection_gives_way, setup, teardown),
        cmocka_unit_test_setup_teardown(the_deadline_counts_from_the_start_queue_included, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_next_follows_one_that_timed_out, setup, teardown),
        cmocka_unit_test_setup_teardown(waiting_in_the_queue_is_not_connecting, setup, teardown),
        cmocka_unit_test_setup_teardown(canceled_under_way_and_in_the_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(canceled_at_once_and_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(a_callback_cancels_others, setup, teardown),
        cmocka_unit_test_setup_teardown(a_callback_cancels_what_has_ended_already, setup, teardown),
        cmocka_unit_test_setup_teardown(a_callback_starts_the_next, setup, teardown),
        cmocka_unit_test_setup_teardown(a_callback_closes_the_client, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_an_idle_client_is_told_later, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_a_client_that_was_never_used, setup, teardown),
        cmocka_unit_test_setup_teardown(an_idle_client_lets_the_loop_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_resolver_does_not_make_the_loop_wait, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(closing_does_not_wait_for_a_resolver, setup, teardown),
        cmocka_unit_test_setup_teardown(no_descriptor_left, setup, teardown),
        cmocka_unit_test_setup_teardown(a_crowd, setup, teardown),
        cmocka_unit_test_setup_teardown(two_clients_on_one_loop, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
