#include "gate_fixture.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/tls_pair.h"

/* ---- OpenSSL's memory ---------------------------------------------------------------------- */

static atomic_size_t used;
static atomic_long left = -1; /* negative: none fails */
static _Thread_local bool spared;

static bool fails(void)
{
    return !spared && atomic_load(&left) >= 0 && atomic_fetch_sub(&left, 1) == 0;
}

static void *counted(void *p)
{
    atomic_fetch_add(&used, p != NULL ? malloc_usable_size(p) : 0);
    return p;
}

static void *take(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return n == 0 || fails() ? NULL : counted(malloc(n));
}

static void give(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    atomic_fetch_sub(&used, p != NULL ? malloc_usable_size(p) : 0);
    free(p);
}

static void *take_more(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    if (fails()) {
        return NULL;
    }
    atomic_fetch_sub(&used, p != NULL ? malloc_usable_size(p) : 0);
    return counted(realloc(p, n));
}

void gate_memory_init(void)
{
    spared = true;
    assert_int_equal(CRYPTO_set_mem_functions(take, take_more, give), 1);
}

size_t gate_memory_used(void)
{
    return atomic_load(&used);
}

void gate_memory_fail_after(long n)
{
    atomic_store(&left, n);
}

bool gate_memory_failed(void)
{
    return atomic_exchange(&left, -1) < 0;
}

/* ---- sockets ------------------------------------------------------------------------------- */

static struct sockaddr_in address_of(unsigned n, unsigned last, uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr.s_addr = htonl(0x7f000000 + n * 256 + last)};
}

static int bind_to(uint16_t port, int flags, uint16_t *out)
{
    struct sockaddr_in a = address_of(0, 1, port);
    socklen_t len = sizeof a;
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *out = ntohs(a.sin_port);
    return fd;
}

static void be_patient(int fd)
{
    struct timeval wait = {.tv_sec = GATE_FIXTURE_MS / 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
}

static SSL_CTX *context(const SSL_METHOD *method, const struct tls_made *ca,
                        const struct tls_made *shown)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    assert_non_null(ctx);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (ca != NULL) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca->x);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    if (shown != NULL) {
        assert_int_equal(SSL_CTX_use_certificate(ctx, shown->x), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(ctx, shown->key), 1);
    }
    return ctx;
}

/* ---- instead of rqlited -------------------------------------------------------------------- */

struct served {
    struct gate_backend *b;
    int fd;
};

static bool write_all(SSL *ssl, const char *bytes, size_t len)
{
    size_t n;
    for (size_t at = 0; at < len; at += n) {
        if (SSL_write_ex(ssl, bytes + at, len - at, &n) != 1) {
            return false;
        }
    }
    return true;
}

static void serve_tls(struct gate_backend *b, SSL *ssl)
{
    static _Thread_local char bytes[65536];
    char mode;
    size_t n;
    uint64_t count = 0;
    if (SSL_accept(ssl) != 1) {
        return;
    }
    atomic_fetch_add(&b->accepted, 1);
    int rc = SSL_read_ex(ssl, &mode, 1, &n);
    while (rc == 1 && (rc = SSL_read_ex(ssl, bytes, sizeof bytes, &n)) == 1) {
        count += n;
        if (mode == 'e' && !write_all(ssl, bytes, n)) {
            break;
        }
    }
    bool notified = SSL_get_error(ssl, rc) == SSL_ERROR_ZERO_RETURN;
    if (notified && mode == 'c') {
        snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)count);
        write_all(ssl, bytes, strlen(bytes));
    }
    if (notified) {
        SSL_shutdown(ssl);
    }
    atomic_fetch_add(notified ? &b->notified : &b->cut, 1);
}

static void *serve(void *arg)
{
    struct served *s = arg;
    spared = true;
    be_patient(s->fd);
    SSL *ssl = SSL_new(s->b->ctx);
    SSL_set_fd(ssl, s->fd);
    serve_tls(s->b, ssl);
    SSL_free(ssl);
    close(s->fd);
    atomic_fetch_sub(&s->b->running, 1);
    free(s);
    OPENSSL_thread_stop();
    return NULL;
}

static void *accept_all(void *arg)
{
    struct gate_backend *b = arg;
    spared = true;
    while (!atomic_load(&b->stopping)) {
        struct pollfd p = {.fd = b->fd, .events = POLLIN};
        if (poll(&p, 1, 20) != 1) {
            continue;
        }
        struct served *s = malloc(sizeof *s);
        pthread_t thread;
        *s = (struct served){.b = b, .fd = accept(b->fd, NULL, NULL)};
        atomic_fetch_add(&b->running, 1);
        pthread_create(&thread, NULL, serve, s);
        pthread_detach(thread);
    }
    return NULL;
}

void gate_backend_start(struct gate_backend *b, uint16_t port, const struct tls_made *ca,
                        const struct tls_made *shown)
{
    memset(b, 0, sizeof *b);
    b->fd = bind_to(port, 0, &b->port);
    assert_int_equal(listen(b->fd, 64), 0);
    b->ctx = context(TLS_server_method(), ca, shown);
    assert_int_equal(pthread_create(&b->thread, NULL, accept_all, b), 0);
}

void gate_backend_stop(struct gate_backend *b)
{
    uint64_t until = uv_hrtime() + (uint64_t)GATE_FIXTURE_MS * 1000000;
    atomic_store(&b->stopping, true);
    pthread_join(b->thread, NULL);
    while (atomic_load(&b->running) > 0 && uv_hrtime() < until) {
        poll(NULL, 0, 1);
    }
    assert_int_equal(atomic_load(&b->running), 0);
    close(b->fd);
    SSL_CTX_free(b->ctx);
    b->ctx = NULL;
}

/* ---- the gate ------------------------------------------------------------------------------ */

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

struct gate_identity gate_fixture_identity(const struct tls_made *ca, const struct tls_made *own)
{
    struct gate_identity i;
    struct tls_pair *pair = tls_pair_of(own);
    struct tls_context_options o = {.pairs = &pair,
                                    .pairs_count = 1,
                                    .client_ca = ca->cert,
                                    .client_ca_len = strlen(ca->cert),
                                    .client_must = true};
    assert_int_equal(tls_context_new(&o, &i.server, NULL), ERR_OK);
    assert_int_equal(tls_client_new(ca->cert, strlen(ca->cert), pair, &i.client, NULL), ERR_OK);
    tls_pair_unref(pair);
    return i;
}

void gate_identity_free(struct gate_identity *i)
{
    tls_context_unref(i->server);
    tls_client_unref(i->client);
}

void gate_fixture_init(struct gate_fixture *f, bool backed)
{
    struct err_info info = {""};
    memset(f, 0, sizeof *f);
    f->ca = tls_make(&(struct tls_make){.subject = "the cluster", .ca = true});
    f->own = gate_fixture_node(f, "core-a");
    assert_int_equal(uv_loop_init(&f->loop), 0);
    uv_timer_init(&f->loop, &f->tick);
    uint16_t local;
    if (backed) {
        gate_backend_start(&f->backend, 0, f->ca, f->own);
        local = f->backend.port;
    } else { /* nobody is there */
        close(bind_to(0, 0, &local));
        f->backend.port = local;
    }
    int fd = bind_to(0, SOCK_NONBLOCK, &f->port);
    struct gate_options o = {.fds = &fd,
                             .fds_count = 1,
                             .local_port = local,
                             .identity = gate_fixture_identity(f->ca, f->own)};
    if (gate_start(&f->loop, &o, &f->gate, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    f->counters = gate_counters(f->gate);
    gate_identity_free(&o.identity);
}

static void on_stopped(void *ctx)
{
    struct gate_fixture *f = ctx;
    f->gate = NULL;
}

void gate_fixture_turn(struct gate_fixture *f)
{
    uv_timer_start(&f->tick, on_tick, 2, 2);
    uv_run(&f->loop, UV_RUN_ONCE);
    uv_timer_stop(&f->tick);
}

void gate_fixture_stop(struct gate_fixture *f)
{
    uint64_t until = uv_hrtime() + (uint64_t)GATE_FIXTURE_MS * 1000000;
    gate_stop(f->gate, on_stopped, f);
    assert_non_null(f->gate); /* never inside the call */
    while (f->gate != NULL && uv_hrtime() < until) {
        gate_fixture_turn(f);
    }
    assert_null(f->gate);
}

void gate_fixture_end(struct gate_fixture *f)
{
    if (f->gate != NULL) {
        gate_fixture_stop(f);
    }
    if (f->backend.ctx != NULL) {
        gate_backend_stop(&f->backend);
    }
    uv_close((uv_handle_t *)&f->tick, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    tls_made_free(f->own);
    tls_made_free(f->ca);
}

struct tls_made *gate_fixture_node(const struct gate_fixture *f, const char *id)
{
    return tls_make(&(struct tls_make){.subject = id, .names = "IP:127.0.0.1", .issuer = f->ca});
}

void gate_fixture_serial(const struct tls_made *m, char out[41])
{
    struct tls_pair *p = tls_pair_of(m);
    snprintf(out, 41, "%s", tls_pair_info(p)->serial);
    tls_pair_unref(p);
}

void gate_fixture_revoke(struct gate_fixture *f, const struct tls_made *m)
{
    char serial[41];
    const char *list[] = {"00ff", serial};
    if (m != NULL) {
        gate_fixture_serial(m, serial);
    }
    gate_revoked(f->gate, list, m != NULL ? 2 : 1);
}

uint64_t gate_fixture_get(const _Atomic uint64_t *counter)
{
    return atomic_load((_Atomic uint64_t *)counter);
}

void gate_fixture_until(struct gate_fixture *f, const _Atomic uint64_t *counter, uint64_t want)
{
    uint64_t until = uv_hrtime() + (uint64_t)GATE_FIXTURE_MS * 1000000;
    while (gate_fixture_get(counter) != want && uv_hrtime() < until) {
        gate_fixture_turn(f);
    }
    assert_int_equal(gate_fixture_get(counter), want);
}

void gate_fixture_until_said(struct gate_fixture *f, const char *part)
{
    uint64_t until = uv_hrtime() + (uint64_t)GATE_FIXTURE_MS * 1000000;
    while (strstr(gate_last_refusal(f->gate), part) == NULL && uv_hrtime() < until) {
        gate_fixture_turn(f);
    }
    if (strstr(gate_last_refusal(f->gate), part) == NULL) {
        fail_msg("not '%s' but '%s'", part, gate_last_refusal(f->gate));
    }
}

/* ---- who knocks ---------------------------------------------------------------------------- */

void gate_caller_dial(struct gate_caller *c, const struct gate_fixture *f, unsigned n,
                      unsigned last)
{
    struct sockaddr_in from = address_of(n, last, 0);
    struct sockaddr_in to = address_of(0, 1, f->port);
    *c = (struct gate_caller){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_true(c->fd >= 0);
    be_patient(c->fd);
    assert_int_equal(bind(c->fd, (struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&to, sizeof to), 0);
}

bool gate_caller_shake(struct gate_caller *c, const struct tls_made *ca,
                       const struct tls_made *shown, int version)
{
    c->ctx = context(TLS_client_method(), ca, shown);
    if (version != 0) {
        SSL_CTX_set_min_proto_version(c->ctx, version);
        SSL_CTX_set_max_proto_version(c->ctx, version);
    }
    c->ssl = SSL_new(c->ctx);
    SSL_set_fd(c->ssl, c->fd);
    return SSL_connect(c->ssl) == 1;
}

void gate_caller_open(struct gate_caller *c, const struct gate_fixture *f,
                      const struct tls_made *shown)
{
    gate_caller_dial(c, f, 0, 1);
    gate_caller_shake(c, f->ca, shown, 0);
}

bool gate_caller_echo(struct gate_caller *c, const char *text)
{
    char heard[256];
    size_t len = strlen(text), got = 0, n;
    if (!write_all(c->ssl, text, len)) {
        return false;
    }
    while (got < len && SSL_read_ex(c->ssl, heard + got, len - got, &n) == 1) {
        got += n;
    }
    return got == len && memcmp(heard, text, len) == 0;
}

bool gate_caller_passes(struct gate_caller *c)
{
    return c->ssl != NULL && write_all(c->ssl, "e", 1) && gate_caller_echo(c, "hello");
}

bool gate_caller_is_out(struct gate_caller *c)
{
    char byte;
    size_t n;
    uint64_t until = uv_hrtime() + (uint64_t)GATE_FIXTURE_MS * 500000;
    bool heard = c->ssl != NULL ? SSL_read_ex(c->ssl, &byte, 1, &n) == 1
                                : recv(c->fd, &byte, 1, 0) > 0 && byte != 21; /* an alert's type */
    return !heard && uv_hrtime() < until;
}

void gate_caller_close(struct gate_caller *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    close(c->fd);
}
