/* The one error type of the project, and the optional human detail that travels beside it.
 *
 * A code names what the caller can do about it, never where it came from. Foreign codes (errno, uv,
 * sqlite, ldns, ...) are translated in the file that called the library and go no further.
 *
 * struct err_info is storage of the caller, passed as an optional last argument (NULL is fine). The
 * deepest layer that knows writes it with err_set(); each caller on the way up may prefix it once.
 * Threads: none of this is shared; use from any thread.
 */
#ifndef LIB_ERR_H
#define LIB_ERR_H

#include <stdbool.h>
#include <stddef.h>

#define MUST_USE               __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

#define ERR_LIST(X)                                                                                \
    X(ERR_OK, "ok")                                                                                \
    X(ERR_MALFORMED, "malformed input")                                                            \
    X(ERR_LIMIT, "over a limit")                                                                   \
    X(ERR_NOTFOUND, "not found")                                                                   \
    X(ERR_CONFLICT, "in conflict with what is there")                                              \
    X(ERR_DENIED, "not permitted")                                                                 \
    X(ERR_BUSY, "busy, try again")                                                                 \
    X(ERR_TIMEOUT, "timed out")                                                                    \
    X(ERR_UNAVAIL, "not available now")                                                            \
    X(ERR_CANCELED, "canceled")                                                                    \
    X(ERR_NOMEM, "out of memory")                                                                  \
    X(ERR_IO, "input/output error")                                                                \
    X(ERR_BUG, "internal error")

enum err {
#define X(code, text) code,
    ERR_LIST(X)
#undef X
};

struct err_info {
    char text[512]; /* always terminated; "" when nothing was said */
};

/* The fixed text of a code. Never NULL. */
const char *err_text(enum err e);

/* The only test a retry may be based on: busy, timeout, unavailable. */
bool err_is_transient(enum err e);

/* Writes the detail (if INFO is not NULL) and returns E: `return err_set(...)` reads well. */
enum err err_set(struct err_info *info, enum err e, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts a prefix in front of what a deeper layer wrote; writes err_text(E) if it wrote nothing. */
enum err err_prefix(struct err_info *info, enum err e, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
