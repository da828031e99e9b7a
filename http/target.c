#include "target.h"

#include <stdbool.h>
#include <string.h>

/* Where decoded octets go; the NUL's place is kept free. */
struct sink {
    char *out; /* borrowed */
    size_t len, cap;
};

static enum err sink_put(struct sink *s, char c)
{
    if (s->cap - s->len < 2) {
        return ERR_LIMIT;
    }
    s->out[s->len++] = c;
    return ERR_OK;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* RFC 3986 §2.1: takes an octet, escaped or not, off *TEXT; -1: a broken escape. */
static int take_octet(const char **text, const char *end)
{
    const char *at = *text;
    if (*at != '%') {
        *text = at + 1;
        return (unsigned char)*at;
    }
    int high = end - at >= 3 ? hex_digit(at[1]) : -1;
    int low = high >= 0 ? hex_digit(at[2]) : -1;
    *text = low >= 0 ? at + 3 : end;
    return low >= 0 ? high * 16 + low : -1;
}

/* ---- paths -------------------------------------------------------------------------------- */

/* A segment that changes what the others mean (RFC 3986 §5.2.4), or an empty one with more behind it:
 * whoever sends that hopes for two readers who take it differently. */
static bool is_odd_segment(const char *segment, size_t len, bool last)
{
    return (len == 0 && !last) || (len == 1 && segment[0] == '.') ||
           (len == 2 && segment[0] == '.' && segment[1] == '.');
}

enum err target_path(const char *target, char *out, size_t cap)
{
    struct sink s = {.out = out, .cap = cap};
    const char *end = target + strcspn(target, "?");
    size_t segment = 1; /* where it begins in OUT */
    if (target[0] != '/' && strcmp(target, "*") != 0) {
        return ERR_MALFORMED;
    }
    for (const char *at = target; at < end;) {
        bool slash = *at == '/';
        int c = take_octet(&at, end);
        if (c < ' ' || c == 0x7f || (c == '/' && !slash)) {
            return ERR_MALFORMED;
        }
        if (slash && s.len > 0) {
            if (is_odd_segment(out + segment, s.len - segment, false)) {
                return ERR_MALFORMED;
            }
            segment = s.len + 1;
        }
        enum err e = sink_put(&s, (char)c);
        if (e != ERR_OK) {
            return e;
        }
    }
    out[s.len] = '\0';
    return is_odd_segment(out + segment, s.len - segment, true) ? ERR_MALFORMED : ERR_OK;
}

/* ---- queries ------------------------------------------------------------------------------ */

/* As forms are written: '+' is a space. */
static int take_form_octet(const char **text, const char *end)
{
    bool plus = **text == '+';
    int c = take_octet(text, end);
    return plus ? ' ' : c;
}

static bool is_name(const char *text, const char *end, const char *name)
{
    for (; text < end; name++) {
        int c = take_form_octet(&text, end);
        if (c <= 0 || c != (unsigned char)*name) {
            return false;
        }
    }
    return *name == '\0';
}

static enum err decode_value(const char *text, const char *end, char *out, size_t cap)
{
    struct sink s = {.out = out, .cap = cap};
    while (text < end) {
        int c = take_form_octet(&text, end);
        enum err e = c > 0 ? sink_put(&s, (char)c) : ERR_MALFORMED;
        if (e != ERR_OK) {
            return e;
        }
    }
    out[s.len] = '\0';
    return ERR_OK;
}

enum err target_query(const char *target, const char *name, char *out, size_t cap)
{
    const char *pair = strchr(target, '?');
    while (pair != NULL) {
        pair++;
        const char *end = pair + strcspn(pair, "&");
        const char *equals = memchr(pair, '=', (size_t)(end - pair));
        if (is_name(pair, equals != NULL ? equals : end, name)) {
            return decode_value(equals != NULL ? equals + 1 : end, end, out, cap);
        }
        pair = *end == '&' ? end : NULL;
    }
    return ERR_NOTFOUND;
}
