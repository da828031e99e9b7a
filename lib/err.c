#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *err_text(enum err e)
{
    static const char *const texts[] = {
#define X(code, text) [code] = text,
        ERR_LIST(X)
#undef X
    };
    if ((size_t)e >= sizeof texts / sizeof texts[0]) {
        return "unknown error";
    }
    return texts[e];
}

bool err_is_transient(enum err e)
{
    return e == ERR_BUSY || e == ERR_TIMEOUT || e == ERR_UNAVAIL;
}

enum err err_set(struct err_info *info, enum err e, const char *fmt, ...)
{
    if (info != NULL) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(info->text, sizeof info->text, fmt, ap);
        va_end(ap);
    }
    return e;
}

enum err err_prefix(struct err_info *info, enum err e, const char *fmt, ...)
{
    if (info != NULL) {
        char deeper[sizeof info->text];
        va_list ap;
        snprintf(deeper, sizeof deeper, "%s", info->text[0] != '\0' ? info->text : err_text(e));
        va_start(ap, fmt);
        int n = vsnprintf(info->text, sizeof info->text, fmt, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n < sizeof info->text) {
            snprintf(info->text + n, sizeof info->text - (size_t)n, "%s", deeper);
        }
    }
    return e;
}
