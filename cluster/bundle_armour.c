/* The text around the octets: two marking lines, and base64 between them. */
#include <stdlib.h>
#include <string.h>

#include "bundle_priv.h"
#include "lib/base64.h"

#define LINE 64

struct marks {
    const char *first, *last;
};
static const struct marks marks[] = {
    {"-----BEGIN DNSD BOOTSTRAP BUNDLE-----", "-----END DNSD BOOTSTRAP BUNDLE-----"},
    {"-----BEGIN PRYV BOOTSTRAP BUNDLE-----", "-----END PRYV BOOTSTRAP BUNDLE-----"},
};
#define KINDS (sizeof marks / sizeof marks[0])

static enum err no_memory(struct err_info *info)
{
    return err_set(info, ERR_NOMEM, "no memory for a bundle's text");
}

/* ---- writing ------------------------------------------------------------------------------- */

static char *put(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    at[len] = '\n';
    return at + len + 1;
}

enum err bundle_armour_write(const uint8_t *octets, size_t len, char **text, struct err_info *info)
{
    const struct marks *m = &marks[0];
    size_t room = BASE64_ROOM(len);
    char *body = malloc(room);
    char *out = malloc(room + room / LINE + 1 + strlen(m->first) + strlen(m->last) + 3);
    if (body == NULL || out == NULL) {
        free(body);
        free(out);
        return no_memory(info);
    }
    char *at = put(out, m->first, strlen(m->first));
    size_t left = base64_encode(octets, len, body);
    for (const char *from = body; left > 0;) {
        size_t n = left < LINE ? left : LINE;
        at = put(at, from, n);
        from += n;
        left -= n;
    }
    at = put(at, m->last, strlen(m->last));
    *at = '\0';
    free(body);
    *text = out;
    return ERR_OK;
}

/* ---- reading ------------------------------------------------------------------------------- */

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct lines {
    const char *at, *end; /* borrowed: what is left */
    const char *line;     /* this one, without the white space around it */
    size_t len;
};

static bool next_line(struct lines *l)
{
    if (l->at == l->end) {
        return false;
    }
    const char *stop = memchr(l->at, '\n', (size_t)(l->end - l->at));
    const char *end = stop != NULL ? stop : l->end;
    l->line = l->at;
    l->at = stop != NULL ? stop + 1 : l->end;
    while (l->line < end && is_white(*l->line)) {
        l->line++;
    }
    while (end > l->line && is_white(end[-1])) {
        end--;
    }
    l->len = (size_t)(end - l->line);
    return true;
}

static bool is_line(const struct lines *l, const char *text)
{
    return l->len == strlen(text) && memcmp(l->line, text, l->len) == 0;
}

/* What is between the marks; the last one must be of the first one's kind. */
static enum err find(const char *text, size_t len, const char **from, size_t *body_len,
                     struct err_info *info)
{
    struct lines l = {.at = text, .end = text + len};
    const struct marks *m = NULL;
    bool ended = false;
    while (m == NULL && next_line(&l)) {
        for (size_t i = 0; i < KINDS; i++) {
            m = is_line(&l, marks[i].first) ? &marks[i] : m;
            ended = ended || is_line(&l, marks[i].last);
        }
    }
    if (m == NULL) {
        return ended ? err_set(info, ERR_MALFORMED,
                               "the bundle's first line is missing or changed: \"%s\"",
                               marks[0].first)
                     : err_set(info, ERR_MALFORMED, "this is no bundle: there is no line \"%s\"",
                               marks[0].first);
    }
    *from = l.at;
    while (next_line(&l)) {
        if (is_line(&l, m->last)) {
            *body_len = (size_t)(l.line - *from);
            return ERR_OK;
        }
    }
    return err_set(info, ERR_MALFORMED, "the bundle's last line is missing or changed: \"%s\"",
                   m->last);
}

enum err bundle_armour_read(const char *text, size_t len, uint8_t **octets, size_t *octets_len,
                            struct err_info *info)
{
    const char *from = NULL;
    size_t body_len = 0, n = 0;
    if (len > BUNDLE_TEXT_MAX) {
        return err_set(info, ERR_LIMIT, "too large for a bundle: over %d octets", BUNDLE_TEXT_MAX);
    }
    enum err e = find(text, len, &from, &body_len, info);
    if (e != ERR_OK) {
        return e;
    }
    char *digits = malloc(body_len + 1);
    uint8_t *out = malloc(body_len / 4 * 3 + 3);
    for (size_t i = 0; digits != NULL && i < body_len; i++) {
        if (!is_white(from[i])) {
            digits[n++] = from[i];
        }
    }
    if (digits == NULL || out == NULL) {
        e = no_memory(info);
    } else if (!base64_decode(digits, n, out, octets_len)) {
        e = err_set(info, ERR_MALFORMED,
                    "the bundle's base64 is broken: it was cut or changed on the way");
    }
    free(digits);
    if (e == ERR_OK) {
        *octets = out;
    } else {
        free(out);
    }
    return e;
}
