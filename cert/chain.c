#include "chain.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "lib/base64.h"
#include "make_priv.h"

#define KEY_ID_MAX                                                                                 \
    64 /* octets; CAs use 20 (RFC 5280 §4.2.1.2), and the room below is for no more */
#define SERIAL_MAX  21 /* 20 (RFC 5280 §4.1.2.2), and one for whoever counts its sign extra */
#define ALPN01_DAYS 7

/* ---- reading ------------------------------------------------------------------------------- */

/* A text, certificate by certificate. */
struct walk {
    BIO *bio;     /* owned */
    X509 *x;      /* owned: the one it stands on */
    uint8_t *der; /* owned: its octets, as they came */
    long len;
    int number; /* from 1 */
};

static enum err walk_init(struct walk *w, const void *pem, size_t len, struct err_info *info)
{
    *w = (struct walk){.bio = NULL};
    if (len > TLS_PAIR_PEM_MAX) {
        return err_set(info, ERR_LIMIT, "the chain is larger than %d bytes", TLS_PAIR_PEM_MAX);
    }
    ERR_clear_error();
    w->bio = BIO_new_mem_buf(len > 0 ? pem : "", (int)len);
    return w->bio != NULL ? ERR_OK : make_error(info, ERR_NOMEM, "cannot read a chain");
}

static void walk_leave(struct walk *w)
{
    X509_free(w->x);
    OPENSSL_free(w->der);
    w->x = NULL;
    w->der = NULL;
}

static void walk_fini(struct walk *w)
{
    walk_leave(w);
    BIO_free(w->bio);
    ERR_clear_error();
}

/* The next block that says that it is a certificate; what else there is, is none of ours: a CA could put
 * a key there for servers that look for theirs in the same file. */
static bool next_block(struct walk *w)
{
    char *name = NULL, *header = NULL;
    bool found = false;
    while (!found && PEM_read_bio(w->bio, &name, &header, &w->der, &w->len) == 1) {
        found = (strcmp(name, PEM_STRING_X509) == 0 || strcmp(name, PEM_STRING_X509_OLD) == 0) &&
                header[0] == '\0';
        OPENSSL_free(name);
        OPENSSL_free(header);
        if (!found) {
            OPENSSL_clear_free(w->der, (size_t)w->len);
            w->der = NULL;
        }
    }
    return found;
}

/* There are no more, rather than a broken one. */
static bool at_end(void)
{
    unsigned long e = ERR_peek_last_error();
    return ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

/* ERR_NOTFOUND: that was all of them. */
static enum err walk_next(struct walk *w, struct err_info *info)
{
    walk_leave(w);
    ERR_clear_error();
    if (!next_block(w)) {
        return at_end() ? ERR_NOTFOUND
                        : make_error(info, ERR_MALFORMED, "a certificate's text is broken");
    }
    if (++w->number > TLS_PAIR_CHAIN_MAX) {
        return err_set(info, ERR_LIMIT, "more than %d certificates in a chain", TLS_PAIR_CHAIN_MAX);
    }
    const uint8_t *end = w->der;
    w->x = d2i_X509(NULL, &end, w->len);
    if (w->x == NULL || end != w->der + w->len) {
        return make_error(info, ERR_MALFORMED, "a certificate cannot be read");
    }
    return ERR_OK;
}

static enum err walk_first(struct walk *w, const void *pem, size_t len, struct err_info *info)
{
    enum err e = walk_init(w, pem, len, info);
    e = e == ERR_OK ? walk_next(w, info) : e;
    return e == ERR_NOTFOUND ? err_set(info, ERR_MALFORMED, "there is no certificate in the text")
                             : e;
}

/* ---- its name in renewal information ------------------------------------------------------- */

static enum err take_key_id(X509 *x, char *out, struct err_info *info)
{
    int critical = 0;
    AUTHORITY_KEYID *aki = X509_get_ext_d2i(x, NID_authority_key_identifier, &critical, NULL);
    int len = aki != NULL && aki->keyid != NULL ? ASN1_STRING_length(aki->keyid) : 0;
    enum err e = ERR_OK;
    if (aki == NULL && critical != -1) { /* -1: there is no such extension */
        e = make_error(info, ERR_MALFORMED, "the authority key identifier cannot be read");
    } else if (len == 0) {
        e = err_set(info, ERR_NOTFOUND, "the certificate has no authority key identifier");
    } else if (len > KEY_ID_MAX) {
        e = err_set(info, ERR_MALFORMED, "the authority key identifier is longer than %d octets",
                    KEY_ID_MAX);
    } else {
        base64url_encode(ASN1_STRING_get0_data(aki->keyid), (size_t)len, out);
    }
    AUTHORITY_KEYID_free(aki);
    return e;
}

/* RFC 9773 §4.1: the content of its DER, so that a leading zero counts, which OpenSSL does not keep. */
static enum err take_serial(X509 *x, char *out, struct err_info *info)
{
    uint8_t der[2 + SERIAL_MAX]; /* tag, length in one octet, content */
    uint8_t *end = der;
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
    int len = i2d_ASN1_INTEGER(serial, NULL);
    if (len <= 2 || len > (int)sizeof der || i2d_ASN1_INTEGER(serial, &end) != len) {
        return err_set(info, ERR_MALFORMED, "the certificate's serial number is too long");
    }
    base64url_encode(der + 2, (size_t)len - 2, out);
    return ERR_OK;
}

enum err cert_chain_ari_id(const void *pem, size_t len, char out[CERT_CHAIN_ARI_MAX],
                           struct err_info *info)
{
    _Static_assert(BASE64_ROOM(KEY_ID_MAX) + BASE64_ROOM(SERIAL_MAX) <= CERT_CHAIN_ARI_MAX, "room");
    struct walk w;
    char key_id[BASE64_ROOM(KEY_ID_MAX)], serial[BASE64_ROOM(SERIAL_MAX)];
    enum err e = walk_first(&w, pem, len, info);
    e = e == ERR_OK ? take_key_id(w.x, key_id, info) : e;
    e = e == ERR_OK ? take_serial(w.x, serial, info) : e;
    if (e == ERR_OK) {
        snprintf(out, CERT_CHAIN_ARI_MAX, "%s.%s", key_id, serial);
    }
    walk_fini(&w);
    return e;
}

/* ---- apart --------------------------------------------------------------------------------- */

static enum err to_text(BIO *b, char **out, struct err_info *info)
{
    char *bytes;
    size_t len = (size_t)BIO_get_mem_data(b, &bytes);
    char *text = malloc(len + 1);
    if (text == NULL) {
        return err_set(info, ERR_NOMEM, "no memory for a chain");
    }
    if (len > 0) {
        memcpy(text, bytes, len);
    }
    text[len] = '\0';
    *out = text;
    return ERR_OK;
}

static enum err write_block(BIO *b, const struct walk *w, struct err_info *info)
{
    return PEM_write_bio(b, PEM_STRING_X509, "", w->der, w->len) > 0
               ? ERR_OK
               : make_error(info, ERR_NOMEM, "cannot write a certificate");
}

enum err cert_chain_split(const void *pem, size_t len, char **leaf, char **rest,
                          struct err_info *info)
{
    struct walk w;
    char *first = NULL, *others = NULL;
    enum err e = walk_first(&w, pem, len, info);
    BIO *b[2] = {BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem())};
    if (e == ERR_OK && (b[0] == NULL || b[1] == NULL)) {
        e = make_error(info, ERR_NOMEM, "cannot write a chain");
    }
    while (e == ERR_OK) {
        e = write_block(b[w.number == 1 ? 0 : 1], &w, info);
        e = e == ERR_OK ? walk_next(&w, info) : e;
    }
    e = e == ERR_NOTFOUND ? ERR_OK : e; /* through */
    e = e == ERR_OK ? to_text(b[0], &first, info) : e;
    e = e == ERR_OK ? to_text(b[1], &others, info) : e;
    if (e == ERR_OK) {
        *leaf = first;
        *rest = others;
    } else {
        free(first);
    }
    BIO_free(b[0]);
    BIO_free(b[1]);
    walk_fini(&w);
    return e;
}

/* ---- where it leads ------------------------------------------------------------------------ */

static bool is_called(const X509_NAME *n, const char *name)
{
    bool same = false;
    for (int i = -1; !same && (i = X509_NAME_get_index_by_NID(n, NID_commonName, i)) >= 0;) {
        uint8_t *text = NULL;
        int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(n, i)));
        same = len >= 0 && (size_t)len == strlen(name) && memcmp(text, name, (size_t)len) == 0;
        OPENSSL_free(text);
    }
    return same;
}

bool cert_chain_leads_to(const void *pem, size_t len, const char *name)
{
    struct walk w;
    bool subject = false, issuer = false;
    enum err e = walk_first(&w, pem, len, NULL);
    while (e == ERR_OK) {
        subject = subject || (w.number > 1 && is_called(X509_get_subject_name(w.x), name));
        issuer = is_called(X509_get_issuer_name(w.x), name); /* the last one's remains */
        e = walk_next(&w, NULL);
    }
    walk_fini(&w);
    return e == ERR_NOTFOUND && (subject || issuer);
}

/* ---- TLS-ALPN-01 --------------------------------------------------------------------------- */

/* RFC 8737 §3: critical, an OCTET STRING of the digest. NULL: no memory. */
static X509_EXTENSION *acme_identifier(const uint8_t digest[32])
{
    uint8_t der[2 + 32] = {V_ASN1_OCTET_STRING, 32};
    X509_EXTENSION *ext = NULL;
    ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    memcpy(der + 2, digest, 32);
    if (id != NULL && value != NULL && ASN1_OCTET_STRING_set(value, der, sizeof der) == 1) {
        ext = X509_EXTENSION_create_by_OBJ(NULL, id, 1, value);
    }
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(id);
    return ext;
}

enum err cert_chain_alpn01(const char *name, const uint8_t digest[32], int64_t now_ms,
                           struct tls_pair **out, struct err_info *info)
{
    uint8_t octets[16];
    if (name[0] == '*' || !make_is_host(name) || inet_pton(AF_INET, name, octets) == 1) {
        return err_set(info, ERR_MALFORMED, "no name for TLS-ALPN-01: %.100s", name);
    }
    ERR_clear_error();
    X509_EXTENSION *ext = acme_identifier(digest);
    enum err e = make_outcome(ext != NULL, info, ERR_NOMEM, "cannot make a certificate");
    if (e == ERR_OK) {
        e = make_self_signed(&(struct make_certificate){.subject = "dnsd challenge",
                                                        .names = &name,
                                                        .names_count = 1,
                                                        .now_ms = now_ms,
                                                        .days = ALPN01_DAYS,
                                                        .extension = ext},
                             out, info);
    }
    X509_EXTENSION_free(ext);
    return e;
}
