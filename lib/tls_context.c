#include "tls_context.h"

#include <string.h>

#include <openssl/err.h>

#include "buf.h"
#include "tls_priv.h"

/* For those without AES in hardware OpenSSL puts ChaCha20 first (SSL_OP_PRIORITIZE_CHACHA). */
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define SUITES_12                                                                                  \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                   \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                   \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define GROUPS "X25519:P-256:P-384"
#define SIGNATURES                                                                                 \
    "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ecdsa_secp521r1_sha512:ed25519:"                \
    "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"                                 \
    "RSA+SHA256:RSA+SHA384:RSA+SHA512"

#define OPTIONS                                                                                    \
    (SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |           \
     SSL_OP_PRIORITIZE_CHACHA)
/* AUTO_RETRY: a read goes on past what is not application data, until the input is used up. */
#define MODES (SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_AUTO_RETRY)

#define SECURITY_LEVEL 2    /* 112 bits, as tls_pair.c asks for */
#define TICKETS        1    /* after a full handshake, too: a client asks again when it resumes */
#define TICKET_LIFE_S  7200 /* tickets may be opened for no longer */

/* ---- which names, which protocol ------------------------------------------------------------ */

/* The host name of a ClientHello (RFC 6066 §3): of a list that in practice has one entry. What is not
 * as it should be counts as no name; OpenSSL reads it again later and refuses it. */
static bool asked_name(SSL *ssl, char out[256])
{
    const unsigned char *bytes;
    size_t len;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &len) != 1) {
        return false;
    }
    struct buf_reader r = buf_reader_of(bytes, len);
    buf_u16(&r); /* the list's length */
    uint8_t type = buf_u8(&r);
    size_t n = buf_u16(&r);
    const uint8_t *name = buf_take(&r, n);
    if (name == NULL || type != TLSEXT_NAMETYPE_host_name || n == 0 || n > 255 ||
        memchr(name, '\0', n) != NULL) {
        return false;
    }
    memcpy(out, name, n);
    out[n] = '\0';
    return true;
}

static bool show(SSL *ssl, const struct tls_pair *p, int *alert)
{
    SSL_certs_clear(ssl);
    if (SSL_use_cert_and_key(ssl, p->leaf, p->key, p->chain, 1) != 1 ||
        SSL_set_session_id_context(ssl, p->digest, sizeof p->digest) != 1) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return false;
    }
    return true;
}

#define PROOF_PROTOCOL "acme-tls/1"

/* It offers that protocol and no other. */
static bool asks_for_proof(SSL *ssl)
{
    const unsigned char *bytes;
    size_t len;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &bytes,
                                  &len) != 1) {
        return false;
    }
    struct buf_reader r = buf_reader_of(bytes, len);
    uint16_t list = buf_u16(&r);
    uint8_t n = buf_u8(&r);
    const uint8_t *name = buf_take(&r, n);
    return name != NULL && list == n + 1 && buf_left(&r) == 0 && n == sizeof PROOF_PROTOCOL - 1 &&
           memcmp(name, PROOF_PROTOCOL, n) == 0;
}

static int show_proof(SSL *ssl, const struct tls_context *c, const char *name, int *alert)
{
    struct tls_conn *conn = SSL_get_app_data(ssl);
    for (size_t i = 0; name != NULL && i < c->proofs_count; i++) {
        if (tls_pair_covers(c->proofs[i], name)) {
            conn->proof = true;
            SSL_set_options(ssl, SSL_OP_NO_TICKET);
            SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL); /* it has no certificate of ours */
            return show(ssl, c->proofs[i], alert) ? SSL_CLIENT_HELLO_SUCCESS
                                                  : SSL_CLIENT_HELLO_ERROR;
        }
    }
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_CLIENT_HELLO_ERROR;
}

/* The first thing that is done with a ClientHello. A session is bound to the leaf it began with: one
 * of another pair is not resumed, whatever name is asked for now (RFC 6066 §3). */
static int on_hello(SSL *ssl, int *alert, void *ctx)
{
    const struct tls_context *c = ctx;
    const struct tls_conn *conn = SSL_get_app_data(ssl);
    char text[256];
    const char *name = asked_name(ssl, text) ? text : NULL;
    if (conn->use == TLS_USE_HTTP && asks_for_proof(ssl)) {
        return show_proof(ssl, c, name, alert);
    }
    struct tls_pair *p = tls_context_pair(c, name);
    if (p == c->pairs[0]) {
        return SSL_CLIENT_HELLO_SUCCESS; /* SSL_new() has given it */
    }
    return show(ssl, p, alert) ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
}

/* Any name will do, and the peer is told that it was looked at. */
static int on_server_name(SSL *ssl, int *alert, void *ctx)
{
    (void)ssl;
    (void)alert;
    (void)ctx;
    return SSL_TLSEXT_ERR_OK;
}

static bool offers(const unsigned char *list, unsigned len, const char *protocol,
                   const unsigned char **out, unsigned char *out_len)
{
    struct buf_reader r = buf_reader_of(list, len);
    while (buf_left(&r) > 0) {
        uint8_t n = buf_u8(&r);
        const uint8_t *name = buf_take(&r, n);
        if (name != NULL && n == strlen(protocol) && memcmp(name, protocol, n) == 0) {
            *out = name;
            *out_len = n;
            return true;
        }
    }
    return false;
}

/* Only called for those who offer something (RFC 7301 §3.2). Ours is the order. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *list, unsigned len, void *ctx)
{
    static const char *const spoken[][3] = {
        [TLS_USE_DOT] = {"dot", NULL},
        [TLS_USE_HTTP] = {"h2", "http/1.1", NULL},
    };
    const struct tls_conn *conn = SSL_get_app_data(ssl);
    (void)ctx;
    if (conn->proof) {
        return offers(list, len, PROOF_PROTOCOL, out, out_len) ? SSL_TLSEXT_ERR_OK
                                                               : SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    if (conn->use == TLS_USE_PLAIN) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    for (const char *const *p = spoken[conn->use]; *p != NULL; p++) {
        if (offers(list, len, *p, out, out_len)) {
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- the context --------------------------------------------------------------------------- */

static void context_free(struct tls_context *c)
{
    if (c == NULL) {
        return;
    }
    SSL_CTX_free(c->ssl);
    BIO_meth_free(c->pump);
    for (size_t i = 0; i < c->pairs_count; i++) {
        tls_pair_unref(c->pairs[i]);
    }
    for (size_t i = 0; i < c->proofs_count; i++) {
        tls_pair_unref(c->proofs[i]);
    }
    OPENSSL_clear_free(c, sizeof *c);
}

bool tls_rules_set(SSL_CTX *ssl)
{
    SSL_CTX_set_security_level(ssl, SECURITY_LEVEL);
    SSL_CTX_set_options(ssl, OPTIONS);
    SSL_CTX_set_mode(ssl, MODES);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(ssl, TLS_PEER_CHAIN_MAX);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ssl, 0) == 1 && SSL_CTX_set_max_early_data(ssl, 0) == 1 &&
           SSL_CTX_set_cipher_list(ssl, SUITES_12) == 1 &&
           SSL_CTX_set_ciphersuites(ssl, SUITES_13) == 1 &&
           SSL_CTX_set1_groups_list(ssl, GROUPS) == 1 &&
           SSL_CTX_set1_sigalgs_list(ssl, SIGNATURES) == 1;
}

static bool set_server(struct tls_context *c)
{
    SSL_CTX_set_timeout(c->ssl, TICKET_LIFE_S);
    SSL_CTX_set_client_hello_cb(c->ssl, on_hello, c);
    SSL_CTX_set_tlsext_servername_callback(c->ssl, on_server_name);
    SSL_CTX_set_alpn_select_cb(c->ssl, on_alpn, NULL);
    return SSL_CTX_set_num_tickets(c->ssl, TICKETS) == 1 &&
           SSL_CTX_set_tlsext_ticket_key_evp_cb(c->ssl, tls_ticket_key_cb) == 1 &&
           SSL_CTX_set_app_data(c->ssl, c) == 1;
}

static bool is_usable(SSL *ssl, const struct tls_pair *p)
{
    SSL_certs_clear(ssl);
    return SSL_use_cert_and_key(ssl, p->leaf, p->key, p->chain, 1) == 1;
}

/* Each pair is tried, so that no handshake finds out; the first is what new connections have. */
static enum err set_pairs(struct tls_context *c, struct err_info *info)
{
    const struct tls_pair *first = c->pairs[0];
    enum err e = ERR_OK;
    if (SSL_CTX_use_cert_and_key(c->ssl, first->leaf, first->key, first->chain, 1) != 1 ||
        SSL_CTX_set_session_id_context(c->ssl, first->digest, sizeof first->digest) != 1) {
        return tls_error(info, ERR_IO, "cannot use the first certificate");
    }
    SSL *ssl = SSL_new(c->ssl);
    if (ssl == NULL) {
        return tls_error(info, ERR_NOMEM, "cannot try the certificates");
    }
    for (size_t i = 1; e == ERR_OK && i < c->pairs_count; i++) {
        e = is_usable(ssl, c->pairs[i]) ? ERR_OK
                                        : tls_error(info, ERR_IO, "cannot use a certificate");
    }
    for (size_t i = 0; e == ERR_OK && i < c->proofs_count; i++) {
        e = is_usable(ssl, c->proofs[i]) ? ERR_OK : tls_error(info, ERR_IO, "cannot use a proof");
    }
    SSL_free(ssl);
    return e;
}

/* The same pairs in the same order. */
static bool same_pairs(const struct tls_context *a, const struct tls_context *b)
{
    bool same = a->pairs_count == b->pairs_count;
    for (size_t i = 0; same && i < a->pairs_count; i++) {
        same = tls_pair_equal(a->pairs[i], b->pairs[i]);
    }
    return same;
}

/* No tickets: a session would outlive the certificate that it began with. */
static enum err ask_clients(struct tls_context *c, const struct tls_context_options *options,
                            struct err_info *info)
{
    SSL_CTX_set_options(c->ssl, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(c->ssl, 0);
    SSL_CTX_set_verify(
        c->ssl, SSL_VERIFY_PEER | (options->client_must ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
        NULL);
    return tls_trust(c->ssl, options->client_ca, options->client_ca_len, true, info);
}

static enum err context_fill(struct tls_context *c, const struct tls_context_options *options,
                             struct err_info *info)
{
    const struct tls_context *previous = options->previous;
    c->ssl = SSL_CTX_new(TLS_server_method());
    c->pump = tls_pump_new();
    if (c->ssl == NULL || c->pump == NULL) {
        return tls_error(info, ERR_NOMEM, "cannot make a TLS context");
    }
    if (!tls_rules_set(c->ssl) || !set_server(c)) {
        return tls_error(info, ERR_IO, "cannot set a TLS context up");
    }
    if (previous != NULL && !same_pairs(c, previous)) {
        previous = NULL;
    }
    if (!tls_ticket_keys_init(c, previous)) {
        return tls_error(info, ERR_IO, "cannot make a ticket key");
    }
    enum err e = set_pairs(c, info);
    return e == ERR_OK && options->client_ca != NULL ? ask_clients(c, options, info) : e;
}

enum err tls_context_new(const struct tls_context_options *options, struct tls_context **out,
                         struct err_info *info)
{
    if (options->pairs_count == 0 || options->pairs_count > TLS_CONTEXT_PAIRS_MAX) {
        return err_set(info, ERR_LIMIT, "%zu certificates for one context: 1 to %d are possible",
                       options->pairs_count, TLS_CONTEXT_PAIRS_MAX);
    }
    if (options->proofs_count > TLS_CONTEXT_PROOFS_MAX) {
        return err_set(info, ERR_LIMIT, "%zu proofs for one context: up to %d are possible",
                       options->proofs_count, TLS_CONTEXT_PROOFS_MAX);
    }
    if (options->client_must && options->client_ca == NULL) {
        return err_set(info, ERR_BUG, "clients must show a certificate, but nobody's is good");
    }
    ERR_clear_error();
    struct tls_context *c = OPENSSL_zalloc(sizeof *c);
    if (c == NULL) {
        return tls_error(info, ERR_NOMEM, "cannot make a TLS context");
    }
    for (size_t i = 0; i < options->pairs_count; i++) {
        c->pairs[c->pairs_count++] = tls_pair_ref(options->pairs[i]);
    }
    for (size_t i = 0; i < options->proofs_count; i++) {
        c->proofs[c->proofs_count++] = tls_pair_ref(options->proofs[i]);
    }
    enum err e = context_fill(c, options, info);
    if (e != ERR_OK) {
        context_free(c);
        return e;
    }
    atomic_init(&c->refs, 1);
    *out = c;
    return ERR_OK;
}

struct tls_context *tls_context_ref(struct tls_context *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void tls_context_unref(struct tls_context *c)
{
    if (c != NULL && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1) {
        context_free(c);
    }
}

struct tls_pair *tls_context_pair(const struct tls_context *c, const char *name)
{
    for (size_t i = 0; name != NULL && i < c->pairs_count; i++) {
        if (tls_pair_covers(c->pairs[i], name)) {
            return c->pairs[i];
        }
    }
    return c->pairs[0];
}
