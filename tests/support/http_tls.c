#include "http_tls.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "lib/clock.h"

void http_tls_dial(struct http_tls *c, struct http_fixture *f, uint16_t port,
                   const struct tls_peer_options *o)
{
    *c = (struct http_tls){.f = f, .peer = tls_peer_new(o)};
    c->fd = http_fixture_dial(f, port);
}

void http_tls_open(struct http_tls *c, struct http_fixture *f, uint16_t port, const char *alpn)
{
    http_tls_dial(c, f, port, &(struct tls_peer_options){.alpn = alpn});
    if (!http_tls_shake(c)) {
        fail_msg("no handshake: %s", tls_peer_alert(c->peer));
    }
}

void http_tls_close(struct http_tls *c)
{
    tls_peer_free(c->peer);
    close(c->fd);
}

size_t http_tls_flush(struct http_tls *c, size_t n)
{
    uint8_t bytes[16384];
    size_t sent = 0;
    while (sent < n) {
        size_t some = n - sent < sizeof bytes ? n - sent : sizeof bytes;
        int rc = BIO_read(c->peer->out, bytes, (int)some);
        if (rc <= 0) {
            break;
        }
        http_fixture_send(c->f, c->fd, bytes, (size_t)rc);
        sent += (size_t)rc;
    }
    return sent;
}

/* What has come goes to OpenSSL; a turn of the loop if nothing has. */
static void receive(struct http_tls *c)
{
    uint8_t bytes[16384];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n > 0) {
        assert_int_equal(BIO_write(c->peer->in, bytes, (int)n), n);
    } else if (n == 0 || errno != EAGAIN) {
        c->eof = true;
    } else {
        http_fixture_turn(c->f, c->fd);
    }
}

void http_tls_begin(struct http_tls *c)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(c->peer->ssl);
    assert_true(rc == 1 || SSL_get_error(c->peer->ssl, rc) == SSL_ERROR_WANT_READ);
}

bool http_tls_shake(struct http_tls *c)
{
    int64_t deadline = clk_mono_ms(&clk_system) + HTTP_FIXTURE_DEADLINE_MS;
    while (clk_mono_ms(&clk_system) < deadline) {
        ERR_clear_error();
        int rc = SSL_do_handshake(c->peer->ssl);
        bool waits = rc != 1 && SSL_get_error(c->peer->ssl, rc) == SSL_ERROR_WANT_READ;
        if (rc == 1 || waits) {
            http_tls_flush(c, SIZE_MAX);
        }
        if (!waits || c->eof) {
            return rc == 1;
        }
        receive(c);
    }
    return false;
}

void http_tls_say(struct http_tls *c, const void *bytes, size_t len)
{
    size_t written;
    assert_int_equal(SSL_write_ex(c->peer->ssl, bytes, len, &written), 1);
    assert_int_equal(written, len);
    http_tls_flush(c, SIZE_MAX);
}

size_t http_tls_read(struct http_tls *c, void *bytes, size_t len)
{
    int64_t deadline = clk_mono_ms(&clk_system) + HTTP_FIXTURE_DEADLINE_MS;
    size_t got = 0, n;
    while (got < len && clk_mono_ms(&clk_system) < deadline) {
        ERR_clear_error();
        int rc = SSL_read_ex(c->peer->ssl, (uint8_t *)bytes + got, len - got, &n);
        if (rc == 1) {
            got += n;
        } else if (c->eof || SSL_get_error(c->peer->ssl, rc) != SSL_ERROR_WANT_READ) {
            break;
        } else {
            receive(c);
        }
    }
    return got;
}

bool http_tls_ended(struct http_tls *c, bool polite)
{
    int64_t deadline = clk_mono_ms(&clk_system) + HTTP_FIXTURE_DEADLINE_MS;
    uint8_t octet;
    if (http_tls_read(c, &octet, 1) != 0) {
        return false;
    }
    while (!c->eof && clk_mono_ms(&clk_system) < deadline) {
        receive(c);
    }
    return c->eof && tls_peer_ended(c->peer) == polite;
}

void http_tls_expect_alive(struct http_tls *c)
{
    static const char request[] = "GET /now HTTP/1.1\r\nHost: x\r\n\r\n";
    char got[1000];
    size_t n = 0;
    http_tls_say(c, request, sizeof request - 1);
    while (n < 7 || memcmp(got + n - 7, "\r\n\r\nnow", 7) != 0) {
        assert_true(n < sizeof got);
        assert_int_equal(http_tls_read(c, got + n, 1), 1);
        n++;
    }
    assert_memory_equal(got, "HTTP/1.1 200 ", 13);
}
