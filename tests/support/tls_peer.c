#include "tls_peer.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "lib/mem.h"
#include "lib/str.h"

/* ---- certificates -------------------------------------------------------------------------- */

static EVP_PKEY *make_key(const char *kind)
{
    unsigned bits = 0;
    if (kind == NULL || strncmp(kind, "EC ", 3) == 0) {
        return EVP_EC_gen(kind == NULL ? "P-256" : kind + 3);
    }
    if (sscanf(kind, "RSA %u", &bits) == 1) {
        return EVP_RSA_gen(bits);
    }
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    EVP_PKEY *key = NULL;
    assert_true(EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_generate(ctx, &key) == 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(ext);
    assert_int_equal(X509_add_ext(x, ext, -1), 1);
    X509_EXTENSION_free(ext);
}

static char *text_of(BIO *b)
{
    char *bytes;
    long len = BIO_get_mem_data(b, &bytes);
    char *text = mem_xalloc((size_t)len + 1);
    memcpy(text, bytes, (size_t)len);
    BIO_free(b);
    return text;
}

void tls_made_write(struct tls_made *m)
{
    BIO *cert = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(cert, m->x), 1);
    assert_int_equal(PEM_write_bio_PrivateKey(key, m->key, NULL, NULL, 0, NULL, NULL), 1);
    free(m->cert);
    free(m->private);
    m->cert = text_of(cert);
    m->private = text_of(key);
}

struct tls_made *tls_make(const struct tls_make *how)
{
    static long serial = 0xa1;
    struct tls_made *m = mem_xalloc(sizeof *m);
    const char *cn = how->subject != NULL ? how->subject : "dnsd test";
    bool dated = how->from_s != 0 || how->to_s != 0;
    m->key = make_key(how->key);
    m->x = X509_new();
    assert_non_null(m->key);
    const X509 *by = how->issuer != NULL ? how->issuer->x : m->x;
    X509_set_version(m->x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(m->x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(m->x), dated ? (long)how->from_s : -3600);
    X509_gmtime_adj(X509_getm_notAfter(m->x), dated ? (long)how->to_s : 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(m->x), "CN", MBSTRING_ASC,
                               (const unsigned char *)cn, -1, -1, 0);
    X509_set_issuer_name(m->x, X509_get_subject_name(by));
    X509_set_pubkey(m->x, m->key);
    add_extension(m->x, m->x, NID_subject_key_identifier, "hash");
    if (how->ca) {
        add_extension(m->x, m->x, NID_basic_constraints, "critical,CA:TRUE");
    }
    if (how->issuer != NULL) {
        add_extension(m->x, how->issuer->x, NID_authority_key_identifier, "keyid:always");
    }
    if (how->names != NULL) {
        add_extension(m->x, m->x, NID_subject_alt_name, how->names);
    }
    if (how->purpose != NULL) {
        add_extension(m->x, m->x, NID_ext_key_usage, how->purpose);
    }
    EVP_PKEY *signer = how->issuer != NULL ? how->issuer->key : m->key;
    char md[64]; /* Ed25519 and its kin hash by themselves */
    assert_true(EVP_PKEY_get_default_digest_name(signer, md, sizeof md) > 0);
    const EVP_MD *hash = strcmp(md, "UNDEF") == 0 ? NULL : how->sha1 ? EVP_sha1() : EVP_sha256();
    assert_true(X509_sign(m->x, signer, hash) > 0);
    tls_made_write(m);
    ERR_clear_error();
    return m;
}

void tls_made_free(struct tls_made *m)
{
    if (m != NULL) {
        X509_free(m->x);
        EVP_PKEY_free(m->key);
        free(m->cert);
        free(m->private);
        free(m);
    }
}

void tls_made_append(struct tls_made *m, const struct tls_made *next)
{
    struct str both = {.text = NULL};
    str_appendf(&both, "%s%s", m->cert, next->cert);
    free(m->cert);
    m->cert = both.text;
}

struct tls_pair *tls_pair_of(const struct tls_made *m)
{
    struct tls_pair *p = NULL;
    struct err_info info = {.text = ""};
    if (tls_pair_new(m->cert, strlen(m->cert), m->private, strlen(m->private), &p, &info) !=
        ERR_OK) {
        fail_msg("%s", info.text);
    }
    return p;
}

struct tls_pair *tls_pair_for(const char *names, const char *subject)
{
    struct tls_made *m = tls_make(&(struct tls_make){.names = names, .subject = subject});
    struct tls_pair *p = tls_pair_of(m);
    tls_made_free(m);
    return p;
}

struct tls_context *tls_context_of(struct tls_pair *const *pairs, size_t count,
                                   const struct tls_context *previous)
{
    struct tls_context *c = NULL;
    struct err_info info = {.text = ""};
    if (tls_context_new(&(struct tls_context_options){.pairs = pairs,
                                                      .pairs_count = count,
                                                      .previous = previous},
                        &c, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    return c;
}

struct tls_context *tls_context_for(const char *names)
{
    struct tls_pair *p = tls_pair_for(names, NULL);
    struct tls_context *c = tls_context_of(&p, 1, NULL);
    tls_pair_unref(p);
    return c;
}

/* ---- the client ---------------------------------------------------------------------------- */

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_caller *p = SSL_get_app_data(ssl);
    SSL_SESSION_free(p->session);
    p->session = session;
    return 1; /* the reference is ours */
}

static void on_info(const SSL *ssl, int where, int value)
{
    struct tls_caller *p = SSL_get_app_data(ssl);
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && value >> 8 == SSL3_AL_FATAL) {
        p->alert = SSL_alert_desc_string_long(value);
    }
}

void tls_made_use(const struct tls_made *m, SSL *ssl)
{
    BIO *pem = BIO_new_mem_buf(m->cert, -1);
    assert_int_equal(SSL_use_certificate(ssl, m->x), 1);
    assert_int_equal(SSL_use_PrivateKey(ssl, m->key), 1);
    for (X509 *x; (x = PEM_read_bio_X509(pem, NULL, NULL, NULL)) != NULL; X509_free(x)) {
        if (X509_cmp(x, m->x) != 0) {
            assert_int_equal(SSL_add1_chain_cert(ssl, x), 1);
        }
    }
    BIO_free(pem);
    ERR_clear_error();
}

struct tls_caller *tls_peer_new(const struct tls_peer_options *o)
{
    struct tls_caller *p = mem_xalloc(sizeof *p);
    p->ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(p->ctx);
    SSL_CTX_set_session_cache_mode(p->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(p->ctx, on_session);
    SSL_CTX_set_security_level(p->ctx, 0);
    p->ssl = SSL_new(p->ctx);
    p->in = BIO_new(BIO_s_mem());
    p->out = BIO_new(BIO_s_mem());
    assert_true(p->ssl != NULL && p->in != NULL && p->out != NULL);
    BIO_set_mem_eof_return(p->in, -1);
    SSL_set_bio(p->ssl, p->in, p->out);
    SSL_set_app_data(p->ssl, p);
    SSL_set_info_callback(p->ssl, on_info);
    SSL_set_connect_state(p->ssl);
    p->alert = "";
    SSL_set_min_proto_version(p->ssl, o->version);
    SSL_set_max_proto_version(p->ssl, o->version);
    if (o->sni != NULL) {
        assert_int_equal(SSL_set_tlsext_host_name(p->ssl, o->sni), 1);
    }
    if (o->alpn != NULL) {
        assert_int_equal(
            SSL_set_alpn_protos(p->ssl, (const unsigned char *)o->alpn, (unsigned)strlen(o->alpn)),
            0);
    }
    assert_true(o->suites12 == NULL || SSL_set_cipher_list(p->ssl, o->suites12) == 1);
    assert_true(o->sigalgs == NULL || SSL_set1_sigalgs_list(p->ssl, o->sigalgs) == 1);
    assert_true(o->groups == NULL || SSL_set1_groups_list(p->ssl, o->groups) == 1);
    if (o->cert != NULL) {
        tls_made_use(o->cert, p->ssl);
    }
    SSL_set_post_handshake_auth(p->ssl, o->later);
    assert_true(o->session == NULL || SSL_set_session(p->ssl, o->session) == 1);
    return p;
}

void tls_peer_free(struct tls_caller *p)
{
    /* OpenSSL takes back the session of a connection that was not ended. */
    SSL_set_shutdown(p->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(p->ssl);
    SSL_SESSION_free(p->session);
    SSL_CTX_free(p->ctx);
    free(p);
}

/* What one side has for the other, in pieces. Returns whether anything moved. */
static bool to_server(struct tls_caller *p, struct tls_conn *c, size_t step)
{
    uint8_t piece[16384];
    bool moved = false;
    int n;
    step = step < sizeof piece ? step : sizeof piece;
    while ((n = BIO_read(p->out, piece, (int)step)) > 0) {
        assert_int_equal(tls_conn_feed(c, piece, (size_t)n), ERR_OK);
        moved = true;
    }
    return moved;
}

static bool to_client(struct tls_caller *p, struct tls_conn *c, size_t step)
{
    const uint8_t *bytes;
    bool moved = false;
    for (size_t n; (n = tls_conn_out(c, &bytes)) > 0; moved = true) {
        n = n < step ? n : step;
        assert_int_equal(BIO_write(p->in, bytes, (int)n), (int)n);
        tls_conn_sent(c, n);
    }
    return moved;
}

bool tls_peer_run(struct tls_caller *p, struct tls_conn *c, size_t step)
{
    uint8_t octet;
    bool moved;
    int rc;
    do {
        ERR_clear_error();
        rc = SSL_do_handshake(p->ssl);
        if (rc != 1 && SSL_get_error(p->ssl, rc) != SSL_ERROR_WANT_READ) {
            to_server(p, c, step); /* its alert */
            return false;
        }
        if (rc == 1) { /* a ticket comes after the handshake: what is read is no plaintext */
            (void)SSL_peek(p->ssl, &octet, 1);
        }
        moved = to_server(p, c, step);
        moved = to_client(p, c, step) || moved;
    } while (moved);
    return true;
}

void tls_peer_say(struct tls_caller *p, struct tls_conn *c, const char *text)
{
    assert_int_equal(SSL_write(p->ssl, text, (int)strlen(text)), strlen(text));
    to_server(p, c, SIZE_MAX);
}

const char *tls_peer_heard(struct tls_caller *p, struct tls_conn *c)
{
    size_t len = 0, n;
    to_client(p, c, SIZE_MAX);
    ERR_clear_error();
    while (len < sizeof p->heard - 1 &&
           SSL_read_ex(p->ssl, p->heard + len, sizeof p->heard - 1 - len, &n) == 1) {
        len += n;
    }
    p->heard[len] = '\0';
    return p->heard;
}

bool tls_peer_ended(const struct tls_caller *p)
{
    return (SSL_get_shutdown(p->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

const char *tls_peer_saw(struct tls_caller *p)
{
    X509 *x = SSL_get0_peer_certificate(p->ssl);
    p->saw[0] = '\0';
    if (x != NULL) {
        X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, p->saw, sizeof p->saw);
    }
    return p->saw;
}

const char *tls_peer_alert(const struct tls_caller *p)
{
    return p->alert;
}
