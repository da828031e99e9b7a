#include "http_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "http/server_priv.h"
#include "lib/clock.h"
#include "lib/str.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- the site ------------------------------------------------------------------------------ */

static void reply_text(struct http_request *r, const char *text)
{
    http_reply(r, &(struct http_reply){
                      .status = 200, .type = "text/plain", .body = text, .len = strlen(text)});
}

static void on_now(void *ctx, struct http_request *r)
{
    struct http_fixture *f = ctx;
    f->served++;
    reply_text(r, "now");
}

static void on_keep(void *ctx, struct http_request *r)
{
    struct http_fixture *f = ctx;
    f->served++;
    assert_true(f->kept_count < HTTP_FIXTURE_KEPT_MAX);
    f->kept[f->kept_count++] = r;
}

static void on_echo(void *ctx, struct http_request *r)
{
    struct http_fixture *f = ctx;
    size_t len;
    const char *body = http_request_body(r, &len);
    f->served++;
    http_reply(r,
               &(struct http_reply){.status = 200, .type = "text/plain", .body = body, .len = len});
}

static void on_big(void *ctx, struct http_request *r)
{
    static char body[HTTP_FIXTURE_BIG];
    struct http_fixture *f = ctx;
    f->served++;
    for (unsigned i = 0; i < sizeof body; i++) {
        body[i] = (char)('a' + i % 23);
    }
    http_reply(r, &(struct http_reply){.status = 200, .body = body, .len = sizeof body});
}

static void on_who(void *ctx, struct http_request *r)
{
    struct http_fixture *f = ctx;
    char text[400];
    const char *host = http_request_host(r);
    f->served++;
    snprintf(text, sizeof text, "%s %s %s", http_request_peer(r), host != NULL ? host : "-",
             http_request_is_tls(r) ? "tls" : "plain");
    reply_text(r, text);
}

void http_fixture_peer(struct http_request *r, char out[HTTP_FIXTURE_PEER_MAX])
{
    struct tls_peer peer;
    const char *from = http_request_is_local(r) ? "local" : "far";
    if (http_request_tls_peer(r, &peer)) {
        snprintf(out, HTTP_FIXTURE_PEER_MAX, "%s %s %s %s %lld", from, peer.name, peer.serial,
                 peer.sha256, (long long)peer.not_after_ms);
    } else {
        snprintf(out, HTTP_FIXTURE_PEER_MAX, "%s nobody", from);
    }
}

static void on_peer(void *ctx, struct http_request *r)
{
    struct http_fixture *f = ctx;
    char text[HTTP_FIXTURE_PEER_MAX];
    f->served++;
    http_fixture_peer(r, text);
    reply_text(r, text);
}

static void on_thing(void *ctx, struct http_request *r)
{
    struct http_fixture *f = ctx;
    f->served++;
    assert_non_null(http_request_param(r, "name"));
    http_reply(r, &(struct http_reply){.status = 204});
}

static void on_cached(void *ctx, struct http_request *r)
{
    static const struct http_header headers[] = {{"location", "/now"}, {"x-other", "a b"}};
    struct http_fixture *f = ctx;
    f->served++;
    http_reply(r, &(struct http_reply){.status = 308,
                                       .headers = headers,
                                       .headers_count = COUNT(headers),
                                       .cache = "public, max-age=60"});
}

static void on_broken(void *ctx, struct http_request *r)
{
    struct http_fixture *f = ctx;
    char value[200] = "";
    f->served++;
    (void)!http_request_query(r, "with", value, sizeof value);
    http_reply_error(r, 418, "a-teapot", 7, "it was %s", value);
}

static const struct http_route routes[] = {
    [HTTP_FIXTURE_NOW] = {"GET", "/now", "now", on_now, 0, HTTP_NO_BODY},
    [HTTP_FIXTURE_KEEP] = {"GET", "/keep", "keep", on_keep, 0, HTTP_NO_BODY},
    [HTTP_FIXTURE_KEEP_NAME] = {"GET", "/keep/{name}", "keep_name", on_keep, 0, HTTP_NO_BODY},
    [HTTP_FIXTURE_ECHO] = {"POST", "/echo", "echo", on_echo, 65536, 0},
    [HTTP_FIXTURE_JSON] = {"PUT", "/json", "json", on_echo, 100, HTTP_JSON_BODY},
    {"POST", "/keep", "keep_post", on_keep, 65536, 0},
    {"GET", "/big", "big", on_big, 0, HTTP_NO_BODY},
    {"GET", "/who", "who", on_who, 0, HTTP_NO_BODY},
    {"DELETE", "/things/{name}", "things", on_thing, 0, HTTP_NO_BODY},
    {"GET", "/cached", "cached", on_cached, 0, HTTP_NO_BODY},
    {"GET", "/broken", "broken", on_broken, 0, HTTP_NO_BODY},
    {"GET", "/peer", "peer", on_peer, 0, HTTP_NO_BODY},
};

/* ---- life ---------------------------------------------------------------------------------- */

void http_fixture_init(struct http_fixture *f)
{
    memset(f, 0, sizeof *f);
    f->limits = http_limits_default;
    f->began_ms = clk_mono_ms(&clk_system);
    assert_int_equal(uv_loop_init(&f->loop), 0);
}

static uint16_t listen_on(struct http_fixture *f, unsigned site, bool tls)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sa;
    struct err_info info = {.text = ""};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    assert_int_equal(http_server_listen(f->server, fd, site, tls, &info), ERR_OK);
    return ntohs(sa.sin_port);
}

void http_fixture_open(struct http_fixture *f)
{
    const struct http_site site = {.routes = routes, .count = COUNT(routes), .ctx = f};
    struct http_site sites[HTTP_SITES_MAX];
    struct err_info info = {.text = ""};
    for (unsigned i = 0; i < HTTP_SITES_MAX; i++) {
        sites[i] = site;
    }
    assert_int_equal(
        http_server_open(&f->loop, sites, HTTP_SITES_MAX, &f->limits, &f->server, &info), ERR_OK);
    f->port = listen_on(f, 0, false);
}

uint16_t http_fixture_open_tls(struct http_fixture *f, struct tls_context *context)
{
    http_server_use_tls(f->server, context);
    return http_fixture_listen_tls(f, 0);
}

uint16_t http_fixture_listen_tls(struct http_fixture *f, unsigned site)
{
    return listen_on(f, site, true);
}

static void on_closed(void *ctx)
{
    struct http_fixture *f = ctx;
    assert_int_equal(f->kept_count, 0);
    f->closed = true;
    f->server = NULL;
}

void http_fixture_close_begin(struct http_fixture *f)
{
    f->closing = true;
    http_server_close(f->server, on_closed, f);
    assert_false(f->closed);
}

void http_fixture_end(struct http_fixture *f)
{
    while (f->kept_count > 0) {
        http_fixture_answer(f);
    }
    if (f->server != NULL && !f->closing) {
        http_fixture_close_begin(f);
    }
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_true(f->closed);
    assert_int_equal(uv_loop_close(&f->loop), 0);
}

void http_fixture_answer(struct http_fixture *f)
{
    assert_true(f->kept_count > 0);
    struct http_request *r = f->kept[0];
    memmove(f->kept, f->kept + 1, --f->kept_count * sizeof f->kept[0]);
    reply_text(r, "kept");
}

void http_fixture_wait_kept(struct http_fixture *f, unsigned n)
{
    int64_t deadline = clk_mono_ms(&clk_system) + HTTP_FIXTURE_DEADLINE_MS;
    while (f->kept_count < n && clk_mono_ms(&clk_system) < deadline) {
        http_fixture_turn(f, -1);
    }
    assert_int_equal(f->kept_count, n);
}

const struct http_counters *http_fixture_counters(const struct http_fixture *f)
{
    return http_server_counters(f->server);
}

uint64_t http_fixture_count(const struct http_fixture *f, int route, unsigned status)
{
    unsigned at = 0;
    while (at < HTTP_STATUSES - 1 && http_statuses[at] != status) {
        at++;
    }
    return http_fixture_counters(f)->requests[0][route < 0 ? HTTP_ROUTES_MAX : route][at];
}

/* ---- clients ------------------------------------------------------------------------------- */

static int dial(uint16_t port, int size)
{
    struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (size > 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

int http_fixture_dial(struct http_fixture *f, uint16_t port)
{
    (void)f;
    return dial(port, 0);
}

int http_fixture_dial_narrow(struct http_fixture *f, uint16_t port)
{
    (void)f;
    return dial(port, 4096);
}

static int pair(struct http_fixture *f, uint32_t from, int size, bool h2)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(from)};
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    if (size > 0) {
        setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
    http_conn_open(f->server, fds[1], (struct sockaddr *)&peer, 0,
                   h2 ? HTTP_CONN_H2 : HTTP_CONN_PLAIN);
    return fds[0];
}

int http_fixture_pair(struct http_fixture *f, int size, bool h2)
{
    return pair(f, INADDR_LOOPBACK, size, h2);
}

int http_fixture_pair_far(struct http_fixture *f)
{
    return pair(f, 0xc0000201, 0, false);
}

void http_fixture_reset(int fd)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
}

void http_fixture_turn(struct http_fixture *f, int fd)
{
    struct pollfd wait[] = {{.fd = fd, .events = POLLIN},
                            {.fd = uv_backend_fd(&f->loop), .events = POLLIN}};
    poll(wait, 2, 1);
    uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_true(clk_mono_ms(&clk_system) - f->began_ms < HTTP_FIXTURE_TEST_MS);
}

void http_fixture_until(struct http_fixture *f, const _Atomic uint64_t *counter, uint64_t n)
{
    int64_t deadline = clk_mono_ms(&clk_system) + HTTP_FIXTURE_DEADLINE_MS;
    while (*counter != n && clk_mono_ms(&clk_system) < deadline) {
        http_fixture_turn(f, -1);
    }
    assert_int_equal(*counter, n);
}

void http_fixture_send(struct http_fixture *f, int fd, const void *bytes, size_t len)
{
    int64_t deadline = clk_mono_ms(&clk_system) + HTTP_FIXTURE_DEADLINE_MS;
    for (size_t sent = 0; sent < len;) {
        ssize_t n =
            send(fd, (const uint8_t *)bytes + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            sent += (size_t)n;
        } else {
            assert_int_equal(errno, EAGAIN);
            assert_true(clk_mono_ms(&clk_system) < deadline);
            http_fixture_turn(f, -1);
        }
    }
}

void http_fixture_say(struct http_fixture *f, int fd, const char *text)
{
    http_fixture_send(f, fd, text, strlen(text));
}

size_t http_fixture_read(struct http_fixture *f, int fd, void *bytes, size_t len)
{
    int64_t deadline = clk_mono_ms(&clk_system) + HTTP_FIXTURE_DEADLINE_MS;
    size_t got = 0;
    while (got < len && clk_mono_ms(&clk_system) < deadline) {
        ssize_t n = recv(fd, (uint8_t *)bytes + got, len - got, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            break;
        }
        got += n > 0 ? (size_t)n : 0;
        if (n < 0) {
            http_fixture_turn(f, fd);
        }
    }
    return got;
}

bool http_fixture_ended(struct http_fixture *f, int fd)
{
    int64_t deadline = clk_mono_ms(&clk_system) + HTTP_FIXTURE_DEADLINE_MS;
    uint8_t byte;
    while (clk_mono_ms(&clk_system) < deadline) {
        ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);
        if (n >= 0 || errno != EAGAIN) {
            return n <= 0;
        }
        http_fixture_turn(f, fd);
    }
    return false;
}

/* ---- replies ------------------------------------------------------------------------------- */

const char *http_got_field(struct http_got *g, const char *name)
{
    char start[64];
    snprintf(start, sizeof start, "\r\n%s: ", name);
    const char *at = strstr(g->head, start);
    if (at == NULL) {
        return NULL;
    }
    at += strlen(start);
    size_t len = strcspn(at, "\r");
    assert_true(len < sizeof g->field);
    memcpy(g->field, at, len);
    g->field[len] = '\0';
    return g->field;
}

static struct http_got *got(struct http_fixture *f, int fd, bool head_only)
{
    static char body[HTTP_FIXTURE_BIG + 1];
    static struct http_got g;
    size_t at = 0;
    uint32_t len = 0;
    g = (struct http_got){.body = body};
    while (at < 4 || memcmp(g.head + at - 4, "\r\n\r\n", 4) != 0) {
        assert_true(at < sizeof g.head - 1);
        assert_int_equal(http_fixture_read(f, fd, g.head + at, 1), 1);
        at++;
    }
    assert_memory_equal(g.head, "HTTP/1.1 ", 9);
    g.status = (unsigned)(g.head[9] - '0') * 100 + (unsigned)(g.head[10] - '0') * 10 +
               (unsigned)(g.head[11] - '0');
    const char *length = http_got_field(&g, "content-length");
    if (length != NULL) {
        assert_true(str_parse_u32(length, sizeof body - 1, &len));
    }
    g.len = head_only ? 0 : len;
    assert_int_equal(http_fixture_read(f, fd, body, g.len), g.len);
    body[g.len] = '\0';
    return &g;
}

struct http_got *http_fixture_got(struct http_fixture *f, int fd)
{
    return got(f, fd, false);
}

struct http_got *http_fixture_got_head(struct http_fixture *f, int fd)
{
    return got(f, fd, true);
}

void http_fixture_expect(struct http_fixture *f, int fd, unsigned status)
{
    assert_int_equal(http_fixture_got(f, fd)->status, status);
}

void http_fixture_expect_error(struct http_fixture *f, int fd, unsigned status, const char *id)
{
    char start[80];
    struct http_got *g = http_fixture_got(f, fd);
    assert_int_equal(g->status, status);
    assert_string_equal(http_got_field(g, "content-type"), "application/json");
    snprintf(start, sizeof start, "{\"error\":{\"id\":\"%s\",\"message\":\"", id);
    assert_true(strncmp(g->body, start, strlen(start)) == 0);
}

void http_fixture_expect_alive(struct http_fixture *f, int fd)
{
    http_fixture_say(f, fd, "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    http_fixture_expect(f, fd, 200);
}
