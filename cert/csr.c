#include "csr.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "make_priv.h"

static bool is_name(const char *name)
{
    uint8_t octets[16];
    for (const char *c = name; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z') {
            return false;
        }
    }
    return make_is_host(name) && inet_pton(AF_INET, name, octets) != 1;
}

/* RFC 2985 §5.4.2: the extensions that are asked for are an attribute of the request. */
static bool ask_for(X509_REQ *req, const char *const *names, size_t count)
{
    STACK_OF(X509_EXTENSION) *extensions = NULL;
    GENERAL_NAMES *all = make_names(names, count);
    bool ok = all != NULL &&
              X509V3_add1_i2d(&extensions, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) == 1 &&
              X509_REQ_add_extensions(req, extensions) == 1;
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    GENERAL_NAMES_free(all);
    return ok;
}

/* The subject stays empty: names in it would count, too (RFC 9525 §2). */
static enum err fill(X509_REQ *req, const struct cert_key *key, const char *const *names,
                     size_t count, struct err_info *info)
{
    bool ok = req != NULL && X509_REQ_set_version(req, X509_REQ_VERSION_1) == 1 &&
              X509_REQ_set_pubkey(req, key->pkey) == 1 && ask_for(req, names, count) &&
              X509_REQ_sign(req, key->pkey, EVP_sha256()) > 0;
    return make_outcome(ok, info, ERR_IO, "cannot make a certificate request");
}

static enum err to_der(X509_REQ *req, uint8_t **der, size_t *len, struct err_info *info)
{
    int n = i2d_X509_REQ(req, NULL);
    uint8_t *octets = n > 0 ? malloc((size_t)n) : NULL;
    uint8_t *end = octets;
    if (octets == NULL || i2d_X509_REQ(req, &end) != n) {
        free(octets);
        return make_error(info, ERR_NOMEM, "cannot write a certificate request");
    }
    ERR_clear_error();
    *der = octets;
    *len = (size_t)n;
    return ERR_OK;
}

static enum err to_pem(X509_REQ *req, char **pem, struct err_info *info)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *text = NULL;
    long n =
        out != NULL && PEM_write_bio_X509_REQ(out, req) == 1 ? BIO_get_mem_data(out, &text) : 0;
    *pem = n > 0 ? strndup(text, (size_t)n) : NULL;
    BIO_free(out);
    return make_outcome(*pem != NULL, info, ERR_NOMEM, "cannot write a certificate request");
}

static enum err make(const struct cert_key *key, const char *const *names, size_t count,
                     X509_REQ **req, struct err_info *info)
{
    if (count == 0 || count > TLS_PAIR_NAMES_MAX) {
        return err_set(info, ERR_LIMIT, "%zu names for one certificate: 1 to %d are possible",
                       count, TLS_PAIR_NAMES_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_name(names[i])) {
            return err_set(info, ERR_MALFORMED, "no name to ask a certificate for: %.100s",
                           names[i]);
        }
    }
    ERR_clear_error();
    *req = X509_REQ_new();
    return fill(*req, key, names, count, info);
}

enum err cert_csr_new(const struct cert_key *key, const char *const *names, size_t count,
                      uint8_t **der, size_t *len, struct err_info *info)
{
    X509_REQ *req = NULL;
    enum err e = make(key, names, count, &req, info);
    e = e == ERR_OK ? to_der(req, der, len, info) : e;
    X509_REQ_free(req);
    return e;
}

enum err cert_csr_new_pem(const struct cert_key *key, const char *const *names, size_t count,
                          char **pem, struct err_info *info)
{
    X509_REQ *req = NULL;
    enum err e = make(key, names, count, &req, info);
    e = e == ERR_OK ? to_pem(req, pem, info) : e;
    X509_REQ_free(req);
    return e;
}
