#include "make_priv.h"

#include <openssl/err.h>
#include <openssl/pem.h>

enum err make_error(struct err_info *info, enum err e, const char *what)
{
    const char *why = NULL;
    for (unsigned long code; (code = ERR_get_error()) != 0;) {
        why = why == NULL ? ERR_reason_error_string(code) : why;
        e = ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE ? ERR_NOMEM : e;
    }
    return err_set(info, e, "%s: %s", what, why != NULL ? why : err_text(e));
}

enum err make_outcome(bool well, struct err_info *info, enum err e, const char *what)
{
    if (!well) {
        return make_error(info, e, what);
    }
    ERR_clear_error(); /* OpenSSL gets over some failures, but not without a word */
    return ERR_OK;
}

/* Called for what is encrypted. There is nobody to ask. */
static int no_password(char *buf, int size, int writing, void *asked)
{
    (void)buf;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

enum err make_read_key(const void *pem, size_t len, EVP_PKEY **out, struct err_info *info)
{
    bool asked = false;
    if (len > CERT_KEY_PEM_MAX) {
        return err_set(info, ERR_MALFORMED, "the key's text is larger than %d bytes",
                       CERT_KEY_PEM_MAX);
    }
    ERR_clear_error();
    BIO *b = BIO_new_mem_buf(pem, (int)len);
    if (b == NULL) {
        return make_error(info, ERR_NOMEM, "cannot read a key");
    }
    *out = PEM_read_bio_PrivateKey(b, NULL, no_password, &asked);
    BIO_free(b);
    if (*out != NULL) {
        ERR_clear_error(); /* of the formats that were tried before */
        return ERR_OK;
    }
    enum err e = make_error(NULL, ERR_MALFORMED, ""); /* which format gave up last says nothing */
    return asked ? err_set(info, ERR_MALFORMED, "the key is encrypted; it must have no password")
                 : err_set(info, e,
                           e == ERR_NOMEM ? "no memory to read a key"
                                          : "the text holds no private key");
}
