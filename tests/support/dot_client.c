#include "dot_client.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "dnsd/wire/type.h"
#include "lib/buf.h"
#include "lib/clock.h"

static void on_record(int writing, int version, int type, const void *bytes, size_t len, SSL *ssl,
                      void *arg)
{
    struct dot_client *c = arg;
    const uint8_t *p = bytes;
    bool newest = SSL_version(ssl) == TLS1_3_VERSION;
    (void)version;
    if (writing == 0 && len > 0) {
        /* TLS 1.3 says inside of the record what it is, earlier versions in its header. */
        bool data = newest ? type == SSL3_RT_INNER_CONTENT_TYPE && *p == SSL3_RT_APPLICATION_DATA
                           : type == SSL3_RT_HEADER && *p == SSL3_RT_APPLICATION_DATA;
        c->records += data;
    }
}

void dot_client_dial(struct dot_client *c, struct net_fixture *f, const struct tls_peer_options *o,
                     const char *from)
{
    *c = (struct dot_client){.f = f, .peer = tls_peer_new(o)};
    SSL_set_msg_callback(c->peer->ssl, on_record);
    SSL_set_msg_callback_arg(c->peer->ssl, c);
    c->fd = net_fixture_dial(f, SOCK_STREAM, "127.0.0.1", from);
}

void dot_client_open(struct dot_client *c, struct net_fixture *f, const struct tls_peer_options *o)
{
    dot_client_dial(c, f, o, NULL);
    if (!dot_client_shake(c)) {
        fail_msg("no handshake: %s", tls_peer_alert(c->peer));
    }
}

void dot_client_close(struct dot_client *c)
{
    tls_peer_free(c->peer);
    close(c->fd);
}

void dot_client_reset(struct dot_client *c)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    dot_client_close(c);
}

size_t dot_client_waiting(struct dot_client *c, uint8_t *out, size_t cap)
{
    int n = BIO_read(c->peer->out, out, (int)cap);
    return n > 0 ? (size_t)n : 0;
}

void dot_client_flush(struct dot_client *c)
{
    uint8_t bytes[16384];
    for (size_t n; (n = dot_client_waiting(c, bytes, sizeof bytes)) > 0;) {
        net_fixture_send(c->f, c->fd, bytes, n);
    }
}

/* What has come goes to OpenSSL; a turn of the loop if nothing has. */
static void receive(struct dot_client *c)
{
    uint8_t bytes[16384];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n > 0) {
        assert_int_equal(BIO_write(c->peer->in, bytes, (int)n), n);
    } else if (n == 0 || errno != EAGAIN) {
        c->eof = true;
    } else {
        net_fixture_turn(c->f, c->fd);
    }
}

void dot_client_begin(struct dot_client *c)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(c->peer->ssl);
    assert_true(rc == 1 || SSL_get_error(c->peer->ssl, rc) == SSL_ERROR_WANT_READ);
}

bool dot_client_shake(struct dot_client *c)
{
    int64_t deadline = clk_mono_ms(&clk_system) + NET_FIXTURE_DEADLINE_MS;
    while (clk_mono_ms(&clk_system) < deadline) {
        ERR_clear_error();
        int rc = SSL_do_handshake(c->peer->ssl);
        bool waits = rc != 1 && SSL_get_error(c->peer->ssl, rc) == SSL_ERROR_WANT_READ;
        if (rc == 1 || waits) {
            dot_client_flush(c);
        }
        if (!waits || c->eof) {
            return rc == 1;
        }
        receive(c);
    }
    return false;
}

void dot_client_put(struct dot_client *c, const void *bytes, size_t len)
{
    size_t written;
    assert_int_equal(SSL_write_ex(c->peer->ssl, bytes, len, &written), 1);
    assert_int_equal(written, len);
}

size_t dot_client_read(struct dot_client *c, void *bytes, size_t len)
{
    int64_t deadline = clk_mono_ms(&clk_system) + NET_FIXTURE_DEADLINE_MS;
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

bool dot_client_ended(struct dot_client *c, bool polite)
{
    int64_t deadline = clk_mono_ms(&clk_system) + NET_FIXTURE_DEADLINE_MS;
    uint8_t octet;
    if (dot_client_read(c, &octet, 1) != 0) {
        return false;
    }
    while (!c->eof && clk_mono_ms(&clk_system) < deadline) {
        receive(c);
    }
    bool said_so = tls_peer_ended(c->peer) && tls_peer_alert(c->peer)[0] == '\0';
    return c->eof && said_so == polite;
}

void dot_client_ask(struct dot_client *c, uint16_t id, const char *name, uint16_t type)
{
    uint8_t frame[300];
    dot_client_put(c, frame, net_fixture_query(frame, sizeof frame, id, name, type, true));
    dot_client_flush(c);
}

const struct dns_message *dot_client_expect(struct dot_client *c, uint16_t id)
{
    static uint8_t bytes[65535];
    static struct dns_message message;
    uint8_t head[2];
    assert_int_equal(dot_client_read(c, head, 2), 2);
    size_t len = get_u16(head);
    assert_int_equal(dot_client_read(c, bytes, len), len);
    assert_true(dns_decode(bytes, len, &message));
    assert_int_equal(message.id, id);
    return &message;
}

void dot_client_expect_alive(struct dot_client *c)
{
    dot_client_ask(c, 99, "bob.mc.example.com.", TYPE_A);
    dot_client_expect(c, 99);
}
