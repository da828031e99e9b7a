#include "log.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "str.h"

static _Atomic int log_level_now = LOG_LEVEL_INFO;
static _Atomic int log_format_now = LOG_FORMAT_TEXT;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* Leaves room for a closing brace and the newline. */
#define LINE_END (LOG_LINE_MAX - 2)
/* A JSON message is cut here, so that its quote still fits. */
#define MESSAGE_END (LOG_LINE_MAX / 2)

struct line {
    char text[LOG_LINE_MAX];
    size_t len;
    size_t end; /* nothing is put past it */
    bool full;  /* something did not fit */
};

void log_setup(enum log_level level, enum log_format format)
{
    log_level_now = (int)level;
    log_format_now = (int)format;
}

bool log_level_parse(const char *word, enum log_level *out)
{
    for (int i = 0; i < 4; i++) {
        if (strcmp(word, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_format_parse(const char *word, enum log_format *out)
{
    if (strcmp(word, "text") == 0) {
        *out = LOG_FORMAT_TEXT;
        return true;
    }
    if (strcmp(word, "json") == 0) {
        *out = LOG_FORMAT_JSON;
        return true;
    }
    return false;
}

bool log_enabled(enum log_level level)
{
    return (int)level <= log_level_now;
}

/* All N bytes or none. */
static void put_n(struct line *l, const char *s, size_t n)
{
    if (l->full || n > l->end - l->len) {
        l->full = true;
        return;
    }
    memcpy(l->text + l->len, s, n);
    l->len += n;
}

static void put(struct line *l, const char *s)
{
    put_n(l, s, strlen(s));
}

/* What a terminal or a reader of lines could take for something else leaves as \uHHHH: controls,
 * C1 controls too, and bytes that are not UTF-8. Never cut inside a character or an escape. */
static void put_escaped(struct line *l, const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    while (*p != '\0') {
        char one[8];
        size_t n = str_utf8_len(p);
        bool c1 = n == 2 && p[0] == 0xc2 && p[1] < 0xa0;
        if (n == 0 || c1 || *p < 0x20 || *p == 0x7f) {
            snprintf(one, sizeof one, "\\u%04x", c1 ? p[1] : *p);
            put(l, one);
        } else if (*p == '"' || *p == '\\') {
            snprintf(one, sizeof one, "\\%c", *p);
            put(l, one);
        } else {
            put_n(l, (const char *)p, n);
        }
        p += n > 0 ? n : 1;
    }
}

static void put_number(struct line *l, int64_t n)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, n);
    put(l, digits);
}

static bool is_plain(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    if (*p == '\0') {
        return false;
    }
    for (; *p != '\0'; p++) {
        if (*p <= ' ' || *p >= 0x7f || *p == '"' || *p == '\\' || *p == '=') {
            return false;
        }
    }
    return true;
}

static void put_time(struct line *l)
{
    struct timespec ts;
    struct tm tm;
    char text[40];
    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + n, sizeof text - n, ".%03ldZ", ts.tv_nsec / 1000000);
    put(l, text);
}

static void render_text(struct line *l, enum log_level level, const char *module,
                        const char *message, const struct log_field *fields)
{
    put_time(l);
    put(l, " ");
    put(l, level_names[level]);
    put(l, " ");
    put(l, module);
    put(l, ": ");
    put_escaped(l, message);
    for (; fields->key != NULL; fields++) {
        put(l, " ");
        put(l, fields->key);
        put(l, "=");
        if (fields->text == NULL) {
            put_number(l, fields->number);
        } else if (is_plain(fields->text)) {
            put(l, fields->text);
        } else {
            put(l, "\"");
            put_escaped(l, fields->text);
            put(l, "\"");
        }
    }
}

static void render_json(struct line *l, enum log_level level, const char *module,
                        const char *message, const struct log_field *fields)
{
    put(l, "{\"time\":\"");
    put_time(l);
    put(l, "\",\"level\":\"");
    put(l, level_names[level]);
    put(l, "\",\"module\":\"");
    put(l, module);
    put(l, "\",\"message\":\"");
    l->end = MESSAGE_END;
    put_escaped(l, message);
    l->end = LINE_END;
    l->full = false;
    put(l, "\"");
    for (; fields->key != NULL; fields++) {
        /* A field is left out whole rather than cut, so that the line stays an object. */
        size_t mark = l->len;
        put(l, ",\"");
        put(l, fields->key);
        put(l, "\":");
        if (fields->text == NULL) {
            put_number(l, fields->number);
        } else {
            put(l, "\"");
            put_escaped(l, fields->text);
            put(l, "\"");
        }
        if (l->full) {
            l->len = mark;
            break;
        }
    }
    l->text[l->len++] = '}';
}

void log_write(enum log_level level, const char *module, const char *message,
               const struct log_field *fields)
{
    if (!log_enabled(level)) {
        return;
    }
    struct line l = {.len = 0, .end = LINE_END};
    if (log_format_now == LOG_FORMAT_JSON) {
        render_json(&l, level, module, message, fields);
    } else {
        render_text(&l, level, module, message, fields);
    }
    l.text[l.len++] = '\n';
    /* A log that cannot be written has nowhere to say so. */
    ssize_t ignored = write(STDERR_FILENO, l.text, l.len);
    (void)ignored;
}

bool log_limit_pass(struct log_limit *l, int64_t now_ms, int64_t every_ms, uint64_t *suppressed)
{
    if (now_ms < l->next_ms) {
        l->held++;
        return false;
    }
    l->next_ms = now_ms + every_ms;
    *suppressed = l->held;
    l->held = 0;
    return true;
}
