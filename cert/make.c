#include "make_priv.h"

#include <openssl/err.h>

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
