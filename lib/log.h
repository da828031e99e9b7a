/* Logging: one event, one line, on stderr. Text form is `level module: message key=value ...`,
 * JSON form one object a line. A line is written by one write(2), so lines of threads do not mix.
 *
 * Levels: error, a human must act; warn, degraded but will heal; info, lifecycle and changes of
 * state; debug, transitions. Log where the decision is made, once. Never pass a secret: no keys,
 * tokens, passphrases, Authorization headers. Values are escaped, so bytes from a peer cannot
 * forge a line. A line longer than LOG_LINE_MAX is cut; in JSON form it stays an object.
 *
 *     LOG_INFO("net", "listening", LOG_S("address", text), LOG_N("port", port));
 *
 * Whatever a packet can trigger must go through a struct log_limit and be counted besides.
 * Threads: all calls from any thread; log_setup() before the others start.
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#include "err.h"

#define LOG_LINE_MAX 2048

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_field {
    const char *key;
    const char *text; /* borrowed; NULL: NUMBER counts */
    int64_t number;
};

#define LOG_S(k, v) ((struct log_field){.key = (k), .text = (v)})
#define LOG_N(k, v) ((struct log_field){.key = (k), .text = NULL, .number = (int64_t)(v)})

#define LOG_AT(level, module, message, ...)                                                        \
    log_write((level), (module), (message),                                                        \
              (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ) LOG_N(NULL, 0)})
#define LOG_ERROR(module, ...) LOG_AT(LOG_LEVEL_ERROR, module, __VA_ARGS__)
#define LOG_WARN(module, ...)  LOG_AT(LOG_LEVEL_WARN, module, __VA_ARGS__)
#define LOG_INFO(module, ...)  LOG_AT(LOG_LEVEL_INFO, module, __VA_ARGS__)
#define LOG_DEBUG(module, ...) LOG_AT(LOG_LEVEL_DEBUG, module, __VA_ARGS__)

/* Sets what is written and how. Default: info, text. */
void log_setup(enum log_level level, enum log_format format);

/* The level or format a configuration word names; false if it names none. */
bool log_level_parse(const char *word, enum log_level *out);
bool log_format_parse(const char *word, enum log_format *out);

bool log_enabled(enum log_level level);

/* FIELDS ends with a field whose key is NULL. */
void log_write(enum log_level level, const char *module, const char *message,
               const struct log_field *fields);

/* At most one line an interval: true if now is the time; then *suppressed is what was held back.
 * One struct per message and thread, zeroed before first use. */
struct log_limit {
    int64_t next_ms;
    uint64_t held;
};
bool log_limit_pass(struct log_limit *l, int64_t now_ms, int64_t every_ms, uint64_t *suppressed);

#endif
