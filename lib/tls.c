#include "tls.h"

#include <assert.h>

#include <openssl/err.h>

#include "tls_priv.h"

#define RECORD_MAX   SSL3_RT_MAX_PLAIN_LENGTH
#define RECORD_EXTRA 64 /* octets around one: header, nonce, type, tag */

/* ---- failing ------------------------------------------------------------------------------- */

/* Nothing but `out` is needed any more. */
void tls_conn_fail(struct tls_conn *c, const char *why)
{
    c->state = TLS_FAILED;
    c->failure = why;
    tls_queue_free(&c->in);
    SSL_free(c->ssl);
    c->ssl = NULL;
    ERR_clear_error();
}

/* Why OpenSSL would not go on, with the queue of errors empty afterwards. */
static enum err fail_openssl(struct tls_conn *c)
{
    bool no_memory, silent = ERR_peek_error() == 0;
    const char *why = tls_failure_take(c->ssl, &no_memory);
    if (c->no_memory || no_memory) {
        tls_conn_fail(c, "out of memory");
        return ERR_NOMEM;
    }
    tls_conn_fail(c, silent && tls_bound_passed(c) ? "too much besides application data" : why);
    return ERR_UNAVAIL;
}

/* ---- life ---------------------------------------------------------------------------------- */

static bool make_ssl(struct tls_conn *c, SSL_CTX *ssl, BIO_METHOD *pump)
{
    c->ssl = SSL_new(ssl);
    BIO *b = c->ssl != NULL ? BIO_new(pump) : NULL;
    if (b == NULL) {
        return false;
    }
    BIO_set_data(b, c);
    BIO_set_init(b, 1);
    SSL_set_bio(c->ssl, b, b); /* owns it */
    SSL_set_msg_callback(c->ssl, tls_bound_on_record);
    SSL_set_msg_callback_arg(c->ssl, c);
    return SSL_set_app_data(c->ssl, c) == 1;
}

struct tls_conn *tls_conn_make(SSL_CTX *ssl, BIO_METHOD *pump)
{
    struct tls_conn *c = OPENSSL_zalloc(sizeof *c);
    if (c != NULL) {
        c->failure = c->version = "";
        if (!make_ssl(c, ssl, pump)) {
            tls_conn_free(c);
            c = NULL;
        }
    }
    if (c == NULL) {
        ERR_clear_error();
    }
    return c;
}

struct tls_conn *tls_conn_new(struct tls_context *context, enum tls_use use)
{
    struct tls_conn *c = tls_conn_make(context->ssl, context->pump);
    if (c != NULL) {
        c->context = tls_context_ref(context);
        c->use = use;
        SSL_set_accept_state(c->ssl);
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
    tls_client_unref(c->client);
    OPENSSL_free(c);
}

/* ---- octets in ----------------------------------------------------------------------------- */

static void open_up(struct tls_conn *c)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(c->ssl, &name, &len);
    c->h2 = len == 2 && name[0] == 'h' && name[1] == '2';
    c->resumed = SSL_session_reused(c->ssl) == 1;
    c->version = SSL_get_version(c->ssl);
    c->state = TLS_OPEN;
}

enum err tls_conn_shake(struct tls_conn *c)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(c->ssl);
    if (rc == 1) {
        open_up(c);
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
        tls_conn_fail(c, "out of memory");
        return ERR_NOMEM;
    }
    return c->state == TLS_HANDSHAKE ? tls_conn_shake(c) : ERR_OK;
}

size_t tls_conn_read(struct tls_conn *c, void *out, size_t cap)
{
    uint8_t *at = out;
    size_t got = 0, n;
    ERR_clear_error();
    /* OpenSSL reads no further than it must: what it has not read is in `in`, or pending. */
    while (c->state == TLS_OPEN && got < cap &&
           (tls_queue_len(&c->in) > 0 || SSL_pending(c->ssl) > 0)) {
        int rc = SSL_read_ex(c->ssl, at + got, cap - got, &n);
        if (rc == 1) {
            got += n;
            continue;
        }
        switch (SSL_get_error(c->ssl, rc)) {
        case SSL_ERROR_WANT_READ:      /* the beginning of a record, or of a renegotiation: */
            if (SSL_in_init(c->ssl)) { /* for that OpenSSL makes much room, and then it waits */
                tls_conn_fail(c, "half a handshake message");
            }
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
        tls_conn_fail(c, "out of memory");
        return ERR_NOMEM;
    }
    return SSL_write_ex(c->ssl, bytes, len, &written) == 1 ? ERR_OK : fail_openssl(c);
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
    assert(n <= tls_queue_len(&c->out));
    tls_queue_drop(&c->out, n);
}

/* ---- what became of it ----------------------------------------------------------------------- */

enum tls_state tls_conn_state(const struct tls_conn *c)
{
    return c->state;
}

bool tls_conn_resumed(const struct tls_conn *c)
{
    return c->resumed;
}

bool tls_conn_is_proof(const struct tls_conn *c)
{
    return c->proof;
}

bool tls_conn_is_h2(const struct tls_conn *c)
{
    return c->h2;
}

const char *tls_conn_version(const struct tls_conn *c)
{
    return c->version;
}

const char *tls_conn_failure(const struct tls_conn *c)
{
    return c->failure;
}
