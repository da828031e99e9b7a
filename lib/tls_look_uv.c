/* TLS over memory BIOs: what comes from the socket is fed to one, what OpenSSL wants sent is taken out
 * of the other. Everything a server can make us keep is bounded by LOOK_MAX. */
#include "tls_look_uv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "base64.h"
#include "tls_pair.h"
#include "tls_priv.h"

#define LOOK_MAX       (256 * 1024) /* octets of a whole handshake: chains have a few thousand */
#define ACME_ID        "1.3.6.1.5.5.7.1.31" /* RFC 8737 §6.1 */
#define ACME_ID_DIGEST 32                   /* SHA-256, in an OCTET STRING (RFC 8737 §3) */
#define PIN_DIGEST     32                   /* SHA-256 */

struct tls_look {
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_connect_t connect;
    uv_write_t write;
    struct sockaddr_storage address;
    SSL_CTX *ctx; /* owned, as the next two */
    SSL *ssl;
    BIO *in, *out; /* the SSL's */
    size_t heard;
    bool writing;
    bool seen; /* the handshake is over; what is left is to be sent, for the server's sake */
    bool ended;
    unsigned handles;
    enum err e;
    struct err_info info;
    struct tls_looked looked;
    tls_look_cb *cb;
    void *ctx_of_cb; /* borrowed */
    uint8_t sending[4096], chunk[16384];
};

/* ---- its end ------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *h)
{
    struct tls_look *l = h->data;
    if (--l->handles > 0) {
        return;
    }
    l->cb(l->ctx_of_cb, l->e, &l->info, l->e == ERR_OK ? &l->looked : NULL);
    SSL_free(l->ssl);
    SSL_CTX_free(l->ctx);
    free(l);
}

/* The first who says how it ended is right. */
static void end(struct tls_look *l, enum err e)
{
    if (l->ended) {
        return;
    }
    l->ended = true;
    l->e = e;
    uv_close((uv_handle_t *)&l->tcp, on_closed);
    uv_close((uv_handle_t *)&l->timer, on_closed);
}

static void end_uv(struct tls_look *l, const char *doing, int rc)
{
    if (l->ended) { /* what was under way at the end */
        return;
    }
    end(l, err_set(&l->info, rc == UV_ENOMEM ? ERR_NOMEM : ERR_UNAVAIL, "cannot %s: %s", doing,
                   uv_strerror(rc)));
}

/* ---- what is shown ------------------------------------------------------------------------- */

static void hex(const uint8_t *octets, size_t len, char *out, size_t cap)
{
    static const char digits[] = "0123456789abcdef";
    size_t i = 0;
    for (; i < len && 2 * i + 2 < cap; i++) {
        out[2 * i] = digits[octets[i] >> 4];
        out[2 * i + 1] = digits[octets[i] & 0xf];
    }
    out[2 * i] = '\0';
}

/* The digest in the leaf's acmeIdentifier extension (RFC 8737 §3). */
static void read_acme_identifier(const X509 *leaf, char out[65])
{
    ASN1_OBJECT *id = OBJ_txt2obj(ACME_ID, 1);
    int at = id != NULL ? X509_get_ext_by_OBJ(leaf, id, -1) : -1;
    ASN1_OBJECT_free(id);
    if (at < 0) {
        return;
    }
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509_get_ext(leaf, at));
    const unsigned char *der = ASN1_STRING_get0_data(value);
    ASN1_OCTET_STRING *digest = d2i_ASN1_OCTET_STRING(NULL, &der, ASN1_STRING_length(value));
    if (digest != NULL && ASN1_STRING_length(digest) == ACME_ID_DIGEST) {
        hex(ASN1_STRING_get0_data(digest), ACME_ID_DIGEST, out, 65);
    }
    ASN1_OCTET_STRING_free(digest);
}

/* RFC 7469 §2.4: of the SubjectPublicKeyInfo. */
static bool read_pin(const X509 *leaf, char out[45])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der);
    bool well = len > 0 && EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL) == 1;
    if (well) {
        base64_encode(digest, PIN_DIGEST, out);
    }
    OPENSSL_free(der);
    return well;
}

static enum err describe(struct tls_look *l)
{
    struct tls_looked *k = &l->looked;
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    const unsigned char *alpn = NULL;
    X509 *leaf = SSL_get0_peer_certificate(l->ssl);
    if (leaf == NULL) {
        return err_set(&l->info, ERR_DENIED, "the server has shown no certificate");
    }
    if (X509_digest(leaf, EVP_sha256(), digest, &len) != 1 || !read_pin(leaf, k->pin)) {
        return tls_error(&l->info, ERR_NOMEM, "cannot hash the certificate");
    }
    hex(digest, len, k->sha256, sizeof k->sha256);
    const ASN1_INTEGER *serial = X509_get0_serialNumber(leaf);
    hex(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial), k->serial,
        sizeof k->serial);
    SSL_get0_alpn_selected(l->ssl, &alpn, &len);
    if (alpn != NULL && len < sizeof k->alpn) {
        memcpy(k->alpn, alpn, len);
    }
    read_acme_identifier(leaf, k->acme_identifier);
    return ERR_OK;
}

/* ---- the handshake ------------------------------------------------------------------------- */

static void send_out(struct tls_look *l);

static void on_sent(uv_write_t *w, int rc)
{
    struct tls_look *l = w->data;
    l->writing = false;
    if (rc != 0) {
        end_uv(l, "send", rc);
    } else {
        send_out(l);
    }
}

static void send_out(struct tls_look *l)
{
    if (l->writing || l->ended) {
        return;
    }
    int n = BIO_read(l->out, l->sending, sizeof l->sending);
    if (n <= 0) {
        if (l->seen) {
            end(l, l->e);
        }
        return;
    }
    uv_buf_t buf = uv_buf_init((char *)l->sending, (unsigned)n);
    int rc = uv_write(&l->write, (uv_stream_t *)&l->tcp, &buf, 1, on_sent);
    if (rc != 0) {
        end_uv(l, "send", rc);
    } else {
        l->writing = true;
    }
}

static void step(struct tls_look *l)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(l->ssl);
    if (rc == 1) { /* the server is not to count it as failed: our Finished, and a good-bye */
        l->e = describe(l);
        l->seen = true;
        uv_read_stop((uv_stream_t *)&l->tcp);
        (void)SSL_shutdown(l->ssl);
        ERR_clear_error();
        send_out(l);
        return;
    }
    if (SSL_get_error(l->ssl, rc) == SSL_ERROR_WANT_READ) {
        send_out(l);
        return;
    }
    end(l, tls_error(&l->info, ERR_DENIED, "the handshake has failed"));
}

static void on_alloc(uv_handle_t *h, size_t want, uv_buf_t *buf)
{
    struct tls_look *l = h->data;
    (void)want;
    *buf = uv_buf_init((char *)l->chunk, sizeof l->chunk);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct tls_look *l = s->data;
    if (n == UV_EOF) {
        end(l, err_set(&l->info, ERR_DENIED, "the server has hung up"));
    } else if (n < 0) {
        end_uv(l, "receive", (int)n);
    } else if (n > 0) {
        l->heard += (size_t)n;
        if (l->heard > LOOK_MAX) {
            end(l, err_set(&l->info, ERR_DENIED, "the server says too much"));
        } else if (BIO_write(l->in, buf->base, (int)n) != n) {
            end(l, err_set(&l->info, ERR_NOMEM, "no memory for what the server says"));
        } else {
            step(l);
        }
    }
}

static void on_connected(uv_connect_t *c, int rc)
{
    struct tls_look *l = c->data;
    if (rc == 0) {
        rc = uv_read_start((uv_stream_t *)&l->tcp, on_alloc, on_read);
    }
    if (rc != 0) {
        end_uv(l, "connect", rc);
    } else {
        step(l);
    }
}

/* ---- beginning ----------------------------------------------------------------------------- */

static void on_late(uv_timer_t *timer)
{
    struct tls_look *l = timer->data;
    end(l, err_set(&l->info, ERR_TIMEOUT, "no handshake within %d ms", TLS_LOOK_WAIT_MS));
}

/* As many wishes as OpenSSL has to hear before the handshake. Nothing is verified: what is looked at is
 * what is there, an expired or self-signed certificate as well. */
static bool prepare(struct tls_look *l, const char *name, const char *alpn)
{
    unsigned char protocol[256];
    size_t len = alpn != NULL ? strlen(alpn) : 0;
    l->ctx = SSL_CTX_new(TLS_client_method());
    l->ssl = l->ctx != NULL ? SSL_new(l->ctx) : NULL;
    l->in = BIO_new(BIO_s_mem());
    l->out = BIO_new(BIO_s_mem());
    if (l->ssl == NULL || l->in == NULL || l->out == NULL) {
        BIO_free(l->in);
        BIO_free(l->out);
        return false;
    }
    BIO_set_mem_eof_return(l->in, -1);
    SSL_set_bio(l->ssl, l->in, l->out);
    SSL_set_verify(l->ssl, SSL_VERIFY_NONE, NULL);
    SSL_set_security_level(l->ssl, 0);
    SSL_set_connect_state(l->ssl);
    if (name != NULL && SSL_set_tlsext_host_name(l->ssl, name) != 1) {
        return false;
    }
    if (len > 0) {
        if (len > UINT8_MAX) {
            return false;
        }
        protocol[0] = (unsigned char)len;
        memcpy(protocol + 1, alpn, len);
        return SSL_set_alpn_protos(l->ssl, protocol, (unsigned)len + 1) == 0;
    }
    return true;
}

static void on_failed_early(uv_timer_t *timer)
{
    struct tls_look *l = timer->data;
    end(l, l->e);
}

struct tls_look *tls_look_start(uv_loop_t *loop, const struct sockaddr_storage *address,
                                const char *name, const char *alpn, tls_look_cb *cb, void *ctx)
{
    struct tls_look *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return NULL;
    }
    l->address = *address;
    l->cb = cb;
    l->ctx_of_cb = ctx;
    uv_tcp_init(loop, &l->tcp);
    uv_timer_init(loop, &l->timer);
    l->handles = 2;
    l->tcp.data = l->timer.data = l->connect.data = l->write.data = l;
    int rc = 0;
    if (!prepare(l, name, alpn)) {
        l->e = tls_error(&l->info, ERR_NOMEM, "cannot begin");
    } else if ((rc = uv_tcp_connect(&l->connect, &l->tcp, (const struct sockaddr *)&l->address,
                                    on_connected)) != 0) {
        l->e = err_set(&l->info, ERR_UNAVAIL, "cannot connect: %s", uv_strerror(rc));
    }
    if (l->e != ERR_OK) { /* told later, as everything */
        uv_timer_start(&l->timer, on_failed_early, 0, 0);
    } else {
        uv_timer_start(&l->timer, on_late, TLS_LOOK_WAIT_MS, 0);
    }
    return l;
}

void tls_look_cancel(struct tls_look *l)
{
    end(l, ERR_CANCELED);
}
