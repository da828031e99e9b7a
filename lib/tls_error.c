#include "tls_priv.h"

#include <openssl/err.h>

const char *tls_error_take(bool *no_memory)
{
    const char *first = NULL;
    *no_memory = false;
    for (unsigned long code; (code = ERR_get_error()) != 0;) {
        if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) {
            *no_memory = true;
        }
        if (first == NULL) {
            first = ERR_reason_error_string(code);
        }
    }
    return *no_memory ? "out of memory" : first != NULL ? first : "no reason given";
}

enum err tls_error(struct err_info *info, enum err e, const char *what)
{
    bool no_memory;
    const char *why = tls_error_take(&no_memory);
    return err_set(info, no_memory ? ERR_NOMEM : e, "%s: %s", what, why);
}
