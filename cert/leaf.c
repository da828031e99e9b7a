#include "leaf.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/x509v3.h>

#include "make_priv.h"

static bool is_name(const ASN1_STRING *s, const char *name)
{
    size_t len = (size_t)ASN1_STRING_length(s);
    return len == strlen(name) &&
           strncasecmp((const char *)ASN1_STRING_get0_data(s), name, len) == 0;
}

/* Each of NAMES is there, and nothing else is. */
static bool same_names(const GENERAL_NAMES *all, const char *const *names, size_t count)
{
    size_t met = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);
        bool wanted = false;
        for (size_t n = 0; g->type == GEN_DNS && n < count && !wanted; n++) {
            wanted = is_name(g->d.dNSName, names[n]);
        }
        if (!wanted) {
            return false;
        }
    }
    for (size_t n = 0; n < count; n++) {
        for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
            if (is_name(sk_GENERAL_NAME_value(all, i)->d.dNSName, names[n])) {
                met++;
                break;
            }
        }
    }
    return met == count;
}

enum err cert_leaf_der(const void *pem, size_t len, uint8_t **der, size_t *der_len,
                       struct err_info *info)
{
    X509 *leaf = make_read_x509(pem, len);
    int size = leaf != NULL ? i2d_X509(leaf, NULL) : 0;
    uint8_t *to = *der = size > 0 ? malloc((size_t)size) : NULL;
    *der_len = 0;
    if (leaf == NULL || to == NULL) {
        X509_free(leaf);
        return make_error(info, leaf == NULL ? ERR_MALFORMED : ERR_NOMEM,
                          "the certificate cannot be read");
    }
    *der_len = (size_t)i2d_X509(leaf, &to);
    X509_free(leaf);
    return make_outcome(true, info, ERR_OK, "");
}

enum err cert_leaf_read(const void *pem, size_t len, const char *const *names, size_t count,
                        struct cert_leaf *out, struct err_info *info)
{
    X509 *leaf = make_read_x509(pem, len);
    GENERAL_NAMES *all = NULL;
    *out = (struct cert_leaf){.not_after_ms = 0};
    if (leaf == NULL) {
        return make_error(info, ERR_MALFORMED, "the certificate cannot be read");
    }
    bool well = make_serial_text(leaf, out->serial) &&
                make_time_ms(X509_get0_notBefore(leaf), &out->not_before_ms) &&
                make_time_ms(X509_get0_notAfter(leaf), &out->not_after_ms) &&
                out->not_before_ms < out->not_after_ms;
    if (well) {
        all = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
        out->same_names = same_names(all, names, count);
    }
    GENERAL_NAMES_free(all);
    X509_free(leaf);
    return make_outcome(well, info, ERR_MALFORMED, "the certificate's dates or serial number");
}
