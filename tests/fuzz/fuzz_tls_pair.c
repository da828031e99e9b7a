/* Two PEM texts of an operator's: never a crash; a pair that is taken says what it should, and can be
 * shown.
 *
 * The first octet says what the rest is: 0, both texts with a NUL between them; 1, the certificate's
 * for a good key; 2, the key's for a good certificate; 3, changes of a good certificate, three octets
 * each: where (two) and what; 4, its subjectAltName.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "lib/buf.h"
#include "lib/tls_context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fuzz_tls_pair: %s\n", what);
        abort();
    }
}

static void check(struct tls_pair *p)
{
    const struct tls_pair_info *info = tls_pair_info(p);
    must(info->names_count > 0 && info->names_count <= TLS_PAIR_NAMES_MAX, "how many names");
    for (size_t i = 0; i < info->names_count; i++) {
        for (const char *at = info->names[i]; *at != '\0'; at++) {
            must(*at > ' ' && *at < 0x7f && !(*at >= 'A' && *at <= 'Z'), "a name");
        }
        must(tls_pair_covers(p, info->names[i]), "it covers its own names");
    }
    must(strlen(info->serial) % 2 == 0 && strlen(info->sha256) == 64, "numbers");
    for (const char *at = info->issuer; *at != '\0'; at++) {
        must(*at >= ' ' && *at < 0x7f, "the issuer");
    }
    struct tls_context *c = NULL;
    struct err_info why = {.text = ""};
    must(tls_context_new(&(struct tls_context_options){.pairs = &p, .pairs_count = 1}, &c, &why) ==
             ERR_OK,
         why.text);
    tls_context_unref(c);
}

struct text {
    char *bytes; /* owned */
    size_t len;
};

static struct {
    EVP_PKEY *key;
    X509 *bare; /* without names */
    struct text cert, key_text;
} good;

static void finish(void)
{
    EVP_PKEY_free(good.key);
    X509_free(good.bare);
    OPENSSL_free(good.cert.bytes);
    OPENSSL_free(good.key_text.bytes);
}

static struct text text_of(BIO *b)
{
    char *bytes;
    struct text t = {.len = (size_t)BIO_get_mem_data(b, &bytes)};
    t.bytes = OPENSSL_memdup(bytes, t.len);
    BIO_free(b);
    must(t.bytes != NULL, "no memory");
    return t;
}

static struct text text_of_der(const uint8_t *der, int len)
{
    BIO *b = BIO_new(BIO_s_mem());
    must(PEM_write_bio(b, PEM_STRING_X509, "", der, len) > 0, "PEM");
    return text_of(b);
}

/* The good certificate with these octets for its names. */
static struct text named(const uint8_t *names, size_t len)
{
    X509 *x = X509_dup(good.bare);
    ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(s, names, (int)len);
    X509_EXTENSION *ext = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, s);
    must(X509_add_ext(x, ext, -1) == 1 && X509_sign(x, good.key, NULL) > 0, "names");
    uint8_t *der = NULL;
    int der_len = i2d_X509(x, &der);
    struct text t = text_of_der(der, der_len);
    OPENSSL_free(der);
    X509_EXTENSION_free(ext);
    ASN1_OCTET_STRING_free(s);
    X509_free(x);
    return t;
}

/* The same in every run: Ed25519's signatures have no chance in them. */
static void start(void)
{
    static const uint8_t seed[32] = {1, 2, 3}, names[] = "\x30\x0d\x82\x0b*.a.example";
    BIO *b = BIO_new(BIO_s_mem());
    good.key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
    good.bare = X509_new();
    must(good.key != NULL && good.bare != NULL && b != NULL, "no memory");
    X509_set_version(good.bare, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(good.bare), 77);
    ASN1_TIME_set(X509_getm_notBefore(good.bare), 1800000000);
    ASN1_TIME_set(X509_getm_notAfter(good.bare), 1900000000);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(good.bare), "CN", MBSTRING_ASC,
                               (const uint8_t *)"fuzz", -1, -1, 0);
    X509_set_issuer_name(good.bare, X509_get_subject_name(good.bare));
    X509_set_pubkey(good.bare, good.key);
    must(X509_sign(good.bare, good.key, NULL) > 0,
         "a signature"); /* what is unsigned has no copies */
    good.cert = named(names, sizeof names - 1);
    must(PEM_write_bio_PrivateKey(b, good.key, NULL, NULL, 0, NULL, NULL) == 1, "PEM");
    good.key_text = text_of(b);
    atexit(finish);
}

/* The good certificate with some octets changed. */
static struct text changed(const uint8_t *data, size_t size)
{
    BIO *b = BIO_new_mem_buf(good.cert.bytes, (int)good.cert.len);
    char *name, *header;
    uint8_t *der;
    long len;
    must(PEM_read_bio(b, &name, &header, &der, &len) == 1, "PEM");
    for (; size >= 3; data += 3, size -= 3) {
        der[get_u16(data) % (size_t)len] = data[2];
    }
    struct text t = text_of_der(der, (int)len);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    BIO_free(b);
    return t;
}

static void try(const void *cert, size_t cert_len, const void *key, size_t key_len)
{
    struct tls_pair *p = NULL;
    struct err_info why = {.text = ""};
    enum err e = tls_pair_new(cert, cert_len, key, key_len, &p, &why);
    must((e == ERR_OK) == (p != NULL) && (e == ERR_OK) == (why.text[0] == '\0'), "the outcome");
    must(e != ERR_NOMEM && e != ERR_IO && e != ERR_BUG, err_text(e));
    must(ERR_peek_error() == 0, "an error stays behind");
    if (p != NULL) {
        check(p);
        tls_pair_unref(p);
    }
}

static void try_both(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
    size_t len = nul != NULL ? (size_t)(nul - data) : size;
    try(data, len, nul != NULL ? nul + 1 : data, nul != NULL ? size - len - 1 : size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text made = {.bytes = NULL};
    if (good.key == NULL) {
        start();
    }
    if (size == 0) {
        return 0;
    }
    unsigned kind = data[0] % 5;
    data++;
    size--;
    switch (kind) {
    case 0:
        try_both(data, size);
        break;
    case 1:
        try(data, size, good.key_text.bytes, good.key_text.len);
        break;
    case 2:
        try(good.cert.bytes, good.cert.len, data, size);
        break;
    default:
        made = kind == 3 ? changed(data, size) : named(data, size);
        try(made.bytes, made.len, good.key_text.bytes, good.key_text.len);
        OPENSSL_free(made.bytes);
        break;
    }
    return 0;
}
