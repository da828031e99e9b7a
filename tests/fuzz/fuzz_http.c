/* What a stranger writes on a connection, in pieces of any size, through a real server: HTTP/1.1 or
 * HTTP/2, without TLS. Handlers answer at once or later. What comes back is well-formed, the connection
 * ends when the stranger does, and nothing of it is left.
 *
 * The first octet of the input says how large the pieces are (0: all at once), its uppermost bit that it
 * is HTTP/2; the rest is written.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/server_priv.h"
#include "lib/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 100000
#define OUT_MAX   (8u << 20)
#define KEPT_MAX  256
#define PATIENCE  200000 /* turns of the loop: far more than anything takes */

static struct {
    uv_loop_t loop;
    struct http_server *server;
    struct http_request *kept[KEPT_MAX];
    unsigned kept_count;
    uint8_t got[OUT_MAX];
    size_t len;
} t;

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fuzz_http: %s (%s)\n", what, strerror(errno));
        abort();
    }
}

/* ---- the site ------------------------------------------------------------------------------ */

static void look_at(const struct http_request *r)
{
    char value[64];
    size_t len;
    const char *body = http_request_body(r, &len);
    must(body[len] == '\0', "a body without its end");
    must(http_request_path(r)[0] == '/', "a path that begins with something else");
    must(http_request_peer(r)[0] != '\0', "no peer");
    (void)!http_request_query(r, "a", value, sizeof value);
    (void)http_request_header(r, "x-a");
}

static void on_echo(void *ctx, struct http_request *r)
{
    size_t len;
    (void)ctx;
    look_at(r);
    const char *body = http_request_body(r, &len);
    http_reply(r, &(struct http_reply){.status = 200, .body = body, .len = len});
}

static void on_keep(void *ctx, struct http_request *r)
{
    (void)ctx;
    look_at(r);
    must(t.kept_count < KEPT_MAX, "more requests than there may be");
    t.kept[t.kept_count++] = r;
}

static void on_error(void *ctx, struct http_request *r)
{
    (void)ctx;
    look_at(r);
    http_reply_error(r, 404, "not-found", 1, "there is no %s for %s", http_request_path(r),
                     http_request_peer(r));
}

static const struct http_route routes[] = {
    {"GET", "/e", "echo", on_echo, 0, HTTP_NO_BODY},
    {"POST", "/e", "echo_post", on_echo, 1000, 0},
    {"PUT", "/j/{name}", "json", on_echo, 100, HTTP_JSON_BODY},
    {"GET", "/k", "keep", on_keep, 0, HTTP_NO_BODY},
    {"POST", "/k", "keep_post", on_keep, 70000, 0},
    {"GET", "/x/*", "error", on_error, 0, 0},
};

static void finish(void)
{
    http_server_close(t.server, NULL, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    uv_loop_close(&t.loop);
}

static void start(void)
{
    struct err_info info = {.text = ""};
    const struct http_site site = {.routes = routes, .count = sizeof routes / sizeof routes[0]};
    uv_loop_init(&t.loop);
    must(http_server_open(&t.loop, &site, 1, &http_limits_default, &t.server, &info) == ERR_OK,
         info.text);
    atexit(finish);
}

/* ---- one connection -------------------------------------------------------------------------- */

static int dial(bool h2)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fds[2];
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0, "socketpair");
    http_conn_open(t.server, fds[1], (struct sockaddr *)&peer, 0,
                   h2 ? HTTP_CONN_H2 : HTTP_CONN_PLAIN);
    return fds[0];
}

/* A turn, one answer of those that are due later, and what has come; false: the other side has ended,
 * or there is none. */
static bool turn(int fd)
{
    ssize_t n;
    uv_run(&t.loop, UV_RUN_NOWAIT);
    if (t.kept_count > 0) {
        struct http_request *r = t.kept[--t.kept_count];
        http_reply(r, &(struct http_reply){.status = 201, .body = "{}", .len = 2});
    }
    while ((n = recv(fd, t.got + t.len, OUT_MAX - t.len, 0)) > 0) {
        t.len += (size_t)n;
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Writes all of it in pieces; false: the other side does not want more. */
static bool transmit(int fd, const uint8_t *in, size_t len, size_t piece)
{
    for (size_t sent = 0; sent < len;) {
        size_t n = len - sent < piece ? len - sent : piece;
        ssize_t rc = send(fd, in + sent, n, MSG_NOSIGNAL);
        if (rc > 0) {
            sent += (size_t)rc;
        } else if (errno != EAGAIN) {
            return false;
        }
        if (!turn(fd)) {
            return false;
        }
    }
    return true;
}

/* ---- what came back -------------------------------------------------------------------------- */

/* One reply, or an interim one, or all that is left if it is cut; its octets. */
static size_t check_reply(const char *text, size_t len)
{
    const char *end = memmem(text, len, "\r\n\r\n", 4);
    uint32_t body = 0;
    must(len < 9 || memcmp(text, "HTTP/1.1 ", 9) == 0, "something that is no reply");
    if (end == NULL) {
        return len;
    }
    size_t head = (size_t)(end - text) + 4;
    must(memchr(text, '\0', head) == NULL, "a NUL in a head");
    const char *length = memmem(text, head, "\r\ncontent-length: ", 18);
    if (length != NULL) {
        char digits[12] = "";
        size_t n = strspn(length + 18, "0123456789");
        must(n < sizeof digits, "a long length");
        memcpy(digits, length + 18, n);
        must(str_parse_u32(digits, OUT_MAX, &body), "a length that is none");
    } else {
        must(memcmp(text + 9, "100", 3) == 0, "a reply without a length");
    }
    return len - head < body ? len : head + body;
}

static void check_h1(void)
{
    for (size_t at = 0; at < t.len;) {
        at += check_reply((const char *)t.got + at, t.len - at);
    }
}

static void check_h2(void)
{
    bool settings = false;
    for (size_t at = 0; t.len - at >= 9;) {
        const uint8_t *p = t.got + at;
        size_t len = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
        must(len <= 16384, "a frame that is too large");
        must(settings || p[3] == 4, "not SETTINGS first");
        settings = true;
        at += len < t.len - at - 9 ? 9 + len : t.len - at;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (t.server == NULL) {
        start();
    }
    if (size < 2 || size > INPUT_MAX) {
        return 0;
    }
    bool h2 = (data[0] & 0x80) != 0;
    size_t piece = (data[0] & 0x7f) == 0 ? size : data[0] & 0x7f;
    t.len = 0;
    int fd = dial(h2);
    bool open = transmit(fd, data + 1, size - 1, piece);
    shutdown(fd, SHUT_WR);
    for (unsigned turns = 0; open; turns++) {
        must(turns < PATIENCE, "no end");
        open = turn(fd);
    }
    if (h2) {
        check_h2();
    } else if (memmem(data, size, "HEAD", 4) ==
               NULL) { /* whose replies have lengths and no bodies */
        check_h1();
    }
    close(fd);
    for (unsigned turns = 0; t.server->conns > 0 || t.server->lent > 0; turns++) {
        must(turns < PATIENCE, "something stays open");
        turn(-1);
    }
    must(t.server->held == 0, "something is held for ever");
    return 0;
}
