#include "tls.h"

#include <openssl/err.h>

#include "buf.h"
#include "tls_priv.h"

#define RECORD_MAX   SSL3_RT_MAX_PLAIN_LENGTH
#define RECORD_EXTRA 64 /* octets around one: header, nonce, type, tag */

/* ---- failing ------------------------------------------------------------------------------- */

static void fail(struct tls_conn *c, const char *why)
{
    c->state = TLS_FAILED;
    c->failure = why;
    tls_queue_free(&c->in); /* nobody reads it any more */
}

/* Why OpenSSL would not go on, with the queue of errors empty afterwards. */
static enum err fail_openssl(struct tls_conn *c)
{
    bool no_memory;
    const char *why = tls_error_take(&no_memory);
    if (c->no_memory || no_memory) {
        fail(c, "out of memory");
        return ERR_NOMEM;
    }
    fail(c, c->talked > TLS_TALK_MAX ? "too much besides application data" : why);
    return ERR_UNAVAIL;
}

/* ---- bounding ------------------------------------------------------------------------------ */

/* Counts the octets of records that carry anything but application data. OpenSSL's own bounds are for
 * one message (a ClientHello of 128 KiB) and for what comes in a row; these are for all of them, key
 * updates and refused renegotiations included (RFC 8446 §4.6.3, RFC 5746 §4.5). */
static void on_record(int writing, int version, int type, const void *bytes, size_t len, SSL *ssl,
                      void *conn)
{
    struct tls_conn *c = conn;
    const uint8_t *p = bytes;
    bool talk = false;
    (void)version;
    (void)ssl;
    if (writing != 0) {
        return;
    }
    if (type == SSL3_RT_HEADER && len >= SSL3_RT_HEADER_LENGTH) {
        c->record = SSL3_RT_HEADER_LENGTH + (size_t)get_u16(p + 3);
        talk = c->state == TLS_HANDSHAKE || p[0] != SSL3_RT_APPLICATION_DATA;
    } else if (type == SSL3_RT_INNER_CONTENT_TYPE) { /* TLS 1.3: what the header did not say */
        talk = c->state != TLS_HANDSHAKE && p[0] != SSL3_RT_APPLICATION_DATA;
    }
    if (talk) {
        c->talked += c->record;
    }
}

/* ---- life ---------------------------------------------------------------------------------- */

static bool make_ssl(struct tls_conn *c)
{
    c->ssl = SSL_new(c->context->ssl);
    BIO *b = c->ssl != NULL ? BIO_new(c->context->pump) : NULL;
    if (b == NULL) {
        return false;
    }
    BIO_set_data(b, c);
    BIO_set_init(b, 1);
    SSL_set_bio(c->ssl, b, b); /* owns it */
    SSL_set_accept_state(c->ssl);
    SSL_set_msg_callback(c->ssl, on_record);
    SSL_set_msg_callback_arg(c->ssl, c);
    return SSL_set_app_data(c->ssl, c) == 1;
}

struct tls_conn *tls_conn_new(struct tls_context *context, enum tls_use use)
{
    struct tls_conn *c = OPENSSL_zalloc(sizeof *c);
    if (c != NULL) {
        c->context = tls_context_ref(context);
        c->use = use;
        c->failure = "";
        if (!make_ssl(c)) {
            tls_conn_free(c);
            c = NULL;
        }
    }
    if (c == NULL) {
        ERR_clear_error();
    }
    return c;
}

void tls_conn_free(struct tls_conn *c)
{
    if (c == NULL) {
        return;
    }
    SSL_free(c->ssl);
    tls_queue_free(&c->in);
    tls_queue_free(&c->out);
    tls_context_unref(c->context);
    OPENSSL_free(c);
}

/* ---- octets in ----------------------------------------------------------------------------- */

/* As far as what is there allows. A broken handshake is a state, not an error of the caller's. */
static enum err shake(struct tls_conn *c)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(c->ssl);
    if (rc == 1) {
        c->state = TLS_OPEN;
        return ERR_OK;
    }
    if (SSL_get_error(c->ssl, rc) == SSL_ERROR_WANT_READ) {
        return ERR_OK;
    }
    return fail_openssl(c) == ERR_NOMEM ? ERR_NOMEM : ERR_OK;
}

enum err tls_conn_feed(struct tls_conn *c, const void *bytes, size_t len)
{
    if (len == 0 || c->state == TLS_ENDED || c->state == TLS_FAILED) {
        return ERR_OK; /* what comes after the end is ignored (RFC 8446 §6.1) */
    }
    if (!tls_queue_put(&c->in, bytes, len)) {
        ERR_clear_error();
        fail(c, "out of memory");
        return ERR_NOMEM;
    }
    return c->state == TLS_HANDSHAKE ? shake(c) : ERR_OK;
}

size_t tls_conn_read(struct tls_conn *c, void *out, size_t cap)
{
    uint8_t *at = out;
    size_t got = 0, n;
    /* OpenSSL reads no further than it must: what it has not read is in `in`, or pending. */
    while (c->state == TLS_OPEN && got < cap &&
           (tls_queue_len(&c->in) > 0 || SSL_pending(c->ssl) > 0)) {
        ERR_clear_error();
        int rc = SSL_read_ex(c->ssl, at + got, cap - got, &n);
        if (rc == 1) {
            got += n;
            continue;
        }
        switch (SSL_get_error(c->ssl, rc)) {
        case SSL_ERROR_WANT_READ: /* the beginning of a record */
            break;
        case SSL_ERROR_ZERO_RETURN:
            c->state = TLS_ENDED;
            tls_queue_free(&c->in);
            break;
        default:
            (void)fail_openssl(c);
            break;
        }
    }
    return got;
}

/* ---- octets out ---------------------------------------------------------------------------- */

enum err tls_conn_write(struct tls_conn *c, const void *bytes, size_t len)
{
    size_t written;
    if ((c->state != TLS_OPEN && c->state != TLS_ENDED) || c->ended) {
        return ERR_UNAVAIL;
    }
    if (len == 0) {
        return ERR_OK;
    }
    ERR_clear_error();
    if (!tls_queue_reserve(&c->out, len + (len / RECORD_MAX + 1) * RECORD_EXTRA)) {
        ERR_clear_error();
        fail(c, "out of memory");
        return ERR_NOMEM;
    }
    int rc = SSL_write_ex(c->ssl, bytes, len, &written);
    if (rc == 1) {
        return ERR_OK;
    }
    if (SSL_get_error(c->ssl, rc) ==
        SSL_ERROR_WANT_READ) { /* OpenSSL insists on the rest of it before it sends anything */
        fail(c, "half a handshake message");
        return ERR_UNAVAIL;
    }
    return fail_openssl(c);
}

void tls_conn_end(struct tls_conn *c)
{
    if ((c->state != TLS_OPEN && c->state != TLS_ENDED) || c->ended) {
        return;
    }
    c->ended = true;
    ERR_clear_error();
    if (SSL_shutdown(c->ssl) < 0) {
        (void)fail_openssl(c);
    }
}

size_t tls_conn_out(const struct tls_conn *c, const uint8_t **bytes)
{
    *bytes = c->out.bytes != NULL ? c->out.bytes + c->out.head : NULL;
    return tls_queue_len(&c->out);
}

void tls_conn_sent(struct tls_conn *c, size_t n)
{
    tls_queue_drop(&c->out, n);
}

/* ---- what became of it ----------------------------------------------------------------------- */

enum tls_state tls_conn_state(const struct tls_conn *c)
{
    return c->state;
}

bool tls_conn_resumed(const struct tls_conn *c)
{
    return SSL_session_reused(c->ssl) == 1;
}

bool tls_conn_is_h2(const struct tls_conn *c)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(c->ssl, &name, &len);
    return len == 2 && name[0] == 'h' && name[1] == '2';
}

const char *tls_conn_version(const struct tls_conn *c)
{
    return SSL_get_version(c->ssl);
}

const char *tls_conn_failure(const struct tls_conn *c)
{
    return c->failure;
}
