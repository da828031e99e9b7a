/* What a peer can make us hold and do besides application data.
 *
 * OpenSSL's own bounds are for one message, and for what comes in a row. It makes room for a message
 * when it has seen its length, up to 128 KiB for a ClientHello, which is all a newcomer need send; and
 * in TLS 1.3 it takes any number of key updates (RFC 8446 §4.6.3). So octets of all records that are
 * not application data are counted, over the connection's whole life, and a ClientHello that says that
 * it is longer than may be is not even begun.
 *
 * A ClientHello is what a record of the handshake holds as long as the version is not 1.2: in 1.3 all
 * else from a client is encrypted, as application data. In 1.2 what follows is short, or OpenSSL does
 * not take it. Certificates have a bound of their own (TLS_PEER_CHAIN_MAX), in either version. What a
 * server says to a client of ours is counted in the same way, a ServerHello for a ClientHello; whom we
 * dial may make us hold somewhat more, up to 128 KiB for one message.
 */
#include "buf.h"
#include "tls_priv.h"

#define HELLO_HEAD 4 /* type and length: RFC 8446 §4 */

static void too_much(struct tls_conn *c)
{
    c->talked = TLS_TALK_MAX + 1;
}

/* LEN octets of a ClientHello are next, its first or further ones. */
static void hello_record(struct tls_conn *c, size_t len)
{
    if (c->hello_left > 0) {
        c->hello_left -= len < c->hello_left ? len : c->hello_left;
    } else if (len < HELLO_HEAD) {
        too_much(c); /* too little, that is: nobody begins one so */
    } else {
        c->hello_want = HELLO_HEAD;
        c->hello_head = 0;
        c->hello_left = len; /* until its own length is known */
    }
}

void tls_bound_read(struct tls_conn *c, const uint8_t *bytes, size_t n)
{
    for (; n > 0 && c->hello_want > 0; n--) {
        c->hello_head = c->hello_head << 8 | *bytes++;
        if (--c->hello_want > 0) {
            continue;
        }
        size_t len = HELLO_HEAD + (c->hello_head & 0xffffff);
        if (len > TLS_TALK_MAX) {
            too_much(c);
        }
        c->hello_left = len > c->hello_left ? len - c->hello_left : 0;
    }
}

void tls_bound_on_record(int writing, int version, int type, const void *bytes, size_t len,
                         SSL *ssl, void *conn)
{
    struct tls_conn *c = conn;
    const uint8_t *p = bytes;
    bool talk = false;
    (void)version;
    if (writing != 0) {
        return;
    }
    if (type == SSL3_RT_HEADER && len >= SSL3_RT_HEADER_LENGTH) {
        size_t body = get_u16(p + 3);
        c->record = SSL3_RT_HEADER_LENGTH + body;
        talk = c->state == TLS_HANDSHAKE || p[0] != SSL3_RT_APPLICATION_DATA;
        if (c->state == TLS_HANDSHAKE && p[0] == SSL3_RT_HANDSHAKE &&
            SSL_version(ssl) != TLS1_2_VERSION) {
            hello_record(c, body);
        }
    } else if (type == SSL3_RT_INNER_CONTENT_TYPE) { /* TLS 1.3: what the header did not say */
        talk = c->state != TLS_HANDSHAKE && p[0] != SSL3_RT_APPLICATION_DATA;
    }
    if (talk) {
        c->talked += c->record;
    }
}
