#include "tls_client.h"

#include <arpa/inet.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls_priv.h"

#define NAME_MAX_LEN 253 /* RFC 1035 §2.3.4, as text */

static void client_free(struct tls_client *c)
{
    if (c != NULL) {
        SSL_CTX_free(c->ssl);
        BIO_meth_free(c->pump);
        OPENSSL_free(c);
    }
}

static enum err client_fill(struct tls_client *c, const void *ca, size_t ca_len,
                            const struct tls_pair *pair, struct err_info *info)
{
    c->ssl = SSL_CTX_new(TLS_client_method());
    c->pump = tls_pump_new();
    if (c->ssl == NULL || c->pump == NULL) {
        return tls_error(info, ERR_NOMEM, "cannot make a TLS client");
    }
    if (!tls_rules_set(c->ssl)) {
        return tls_error(info, ERR_IO, "cannot set a TLS client up");
    }
    SSL_CTX_set_options(c->ssl, SSL_OP_NO_TICKET);
    SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
    if (pair != NULL &&
        SSL_CTX_use_cert_and_key(c->ssl, pair->leaf, pair->key, pair->chain, 1) != 1) {
        return tls_error(info, ERR_IO, "cannot use the certificate");
    }
    return tls_trust(c->ssl, ca, ca_len, false, info);
}

enum err tls_client_new(const void *ca, size_t ca_len, struct tls_pair *pair,
                        struct tls_client **out, struct err_info *info)
{
    ERR_clear_error();
    struct tls_client *c = OPENSSL_zalloc(sizeof *c);
    enum err e = c != NULL ? client_fill(c, ca, ca_len, pair, info)
                           : tls_error(info, ERR_NOMEM, "cannot make a TLS client");
    if (e != ERR_OK) {
        client_free(c);
        return e;
    }
    atomic_init(&c->refs, 1);
    *out = c;
    return ERR_OK;
}

struct tls_client *tls_client_ref(struct tls_client *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void tls_client_unref(struct tls_client *c)
{
    if (c != NULL && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1) {
        client_free(c);
    }
}

/* ---- dialling ------------------------------------------------------------------------------ */

/* OpenSSL takes an empty name for none and one with a dot in front for a whole domain, and then believes
 * more than it was told to. */
static bool is_host(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool inside = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_';
        bool between = c == '.' && i > 0 && name[i - 1] != '.' && i + 1 < len;
        if (!inside && !between) {
            return false;
        }
    }
    return len > 0;
}

static bool is_address(const char *name)
{
    unsigned char octets[16];
    return inet_pton(AF_INET, name, octets) == 1 || inet_pton(AF_INET6, name, octets) == 1;
}

/* The certificate must have NAME in subjectAltName; its common name counts for nothing (RFC 9525 §2). */
static bool expect(SSL *ssl, const char *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (is_address(name)) { /* and the server is not told: RFC 6066 §3 */
        return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
    }
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, name) == 1;
}

static enum err begin(struct tls_conn *conn, const char *name)
{
    char text[NAME_MAX_LEN + 1];
    if (name == NULL) {
        return tls_conn_shake(conn);
    }
    size_t len = strlen(name);
    len -= len > 1 && name[len - 1] == '.'; /* RFC 6066 §3: without */
    if (len > NAME_MAX_LEN || (!is_host(name, len) && !is_address(name))) {
        tls_conn_fail(conn, "this is no name to ask for");
        return ERR_OK;
    }
    memcpy(text, name, len);
    text[len] = '\0';
    return expect(conn->ssl, text) ? tls_conn_shake(conn) : ERR_NOMEM;
}

struct tls_conn *tls_conn_dial(struct tls_client *c, const char *name)
{
    struct tls_conn *conn = tls_conn_make(c->ssl, c->pump);
    if (conn == NULL) {
        return NULL;
    }
    conn->client = tls_client_ref(c);
    conn->use = TLS_USE_PLAIN;
    SSL_set_connect_state(conn->ssl);
    if (begin(conn, name) != ERR_OK) {
        tls_conn_free(conn);
        conn = NULL;
    }
    ERR_clear_error();
    return conn;
}
