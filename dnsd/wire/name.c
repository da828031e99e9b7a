#include "name.h"

#include <stdio.h>
#include <string.h>

#include "text_priv.h"

/* RFC 4343 §3: only the 26 ASCII letters fold, so the locale has no say. */
static inline uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

void wire_name_fold(uint8_t *dst, const uint8_t *src, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        dst[i] = fold(src[i]);
    }
}

static enum err too_long(struct err_info *info)
{
    return err_set(info, ERR_MALFORMED, "a name has at most %d octets", WIRE_NAME_MAX);
}

/* What may not stand in a name as it is: it separates or means something in text, or is meant as a
 * letter that DNS does not have. */
static enum err refuse_bare(char c, struct err_info *info)
{
    if ((uint8_t)c >= 0x80) {
        return err_set(info, ERR_MALFORMED,
                       "a letter outside ASCII; write the label in its xn-- form (IDNA)");
    }
    if ((uint8_t)c <= ' ' || c == 0x7f) {
        return err_set(info, ERR_MALFORMED,
                       "a blank or control character in a name; if it is "
                       "meant, write it as \\032");
    }
    if (strchr("\"();", c) != NULL) {
        return err_set(info, ERR_MALFORMED, "'%c' in a name; if it is meant, write \\%c", c, c);
    }
    return ERR_OK;
}

/* Takes one label and the dot after it off *TEXT; *DOT says whether there was one. */
static enum err take_label(const char **text, const char *end, struct wire_name *name, bool *dot,
                           struct err_info *info)
{
    size_t start = name->len;
    size_t len = 0;
    while (*text < end && **text != '.') {
        uint8_t octet = 0;
        enum err e = refuse_bare(**text, info);
        if (e == ERR_OK) {
            e = wire_text_octet(text, end, &octet, info);
        }
        if (e != ERR_OK) {
            return e;
        }
        if (len == WIRE_LABEL_MAX) {
            return err_set(info, ERR_MALFORMED, "a label has at most %d octets", WIRE_LABEL_MAX);
        }
        /* One octet is kept for the root at the end. */
        if (start + 1 + len + 1 >= WIRE_NAME_MAX) {
            return too_long(info);
        }
        name->bytes[start + 1 + len] = octet;
        len++;
    }
    if (len == 0) {
        return err_set(info, ERR_MALFORMED, "an empty label: two dots in a row, or one in front");
    }
    *dot = *text < end;
    *text += *dot ? 1 : 0;
    name->bytes[start] = (uint8_t)len;
    name->len = (uint8_t)(start + 1 + len);
    name->labels++;
    return ERR_OK;
}

static enum err finish(struct wire_name *name, const struct wire_name *origin,
                       struct err_info *info)
{
    static const struct wire_name root = {.len = 1, .labels = 0, .bytes = {0}};
    const struct wire_name *tail = origin != NULL ? origin : &root;
    if ((size_t)name->len + tail->len > WIRE_NAME_MAX) {
        return too_long(info);
    }
    memcpy(name->bytes + name->len, tail->bytes, tail->len);
    name->len = (uint8_t)(name->len + tail->len);
    name->labels = (uint8_t)(name->labels + tail->labels);
    return ERR_OK;
}

enum err wire_name_from_text(const char *text, const struct wire_name *origin,
                             struct wire_name *out, struct err_info *info)
{
    struct wire_name name = {.len = 0, .labels = 0};
    const char *end = text + strlen(text);
    bool dot = false;
    if (text == end) {
        return err_set(info, ERR_MALFORMED, "a name is missing; \"@\" is the domain itself");
    }
    if (strcmp(text, "@") == 0) {
        if (origin == NULL) {
            return err_set(info, ERR_MALFORMED, "\"@\" means nothing here; write the whole name");
        }
        *out = *origin;
        return ERR_OK;
    }
    if (strcmp(text, ".") == 0) {
        dot = true;
        text++;
    }
    while (text < end) {
        enum err e = take_label(&text, end, &name, &dot, info);
        if (e != ERR_OK) {
            return e;
        }
    }
    enum err e = finish(&name, dot ? NULL : origin, info);
    if (e == ERR_OK) {
        *out = name;
    }
    return e;
}

enum err wire_name_from_wire(const uint8_t *bytes, size_t len, struct wire_name *out)
{
    size_t at = 0;
    uint8_t labels = 0;
    for (;;) {
        if (at >= len || at >= WIRE_NAME_MAX) {
            return ERR_MALFORMED;
        }
        uint8_t n = bytes[at];
        if (n == 0) {
            break;
        }
        if (n > WIRE_LABEL_MAX) { /* a pointer or a reserved kind: RFC 1035 §4.1.4 */
            return ERR_MALFORMED;
        }
        at += (size_t)n + 1;
        labels++;
    }
    out->len = (uint8_t)(at + 1);
    out->labels = labels;
    memcpy(out->bytes, bytes, at + 1);
    return ERR_OK;
}

/* Writes the labels of BYTES up to END with a dot between them, and returns where it stopped. */
static char *write_labels(const uint8_t *bytes, const uint8_t *end, char *out)
{
    const char *start = out;
    while (bytes < end && *bytes != 0) {
        uint8_t n = *bytes++;
        if (out != start) {
            *out++ = '.';
        }
        for (; n > 0; n--, bytes++) {
            uint8_t c = *bytes;
            if (c <= ' ' || c >= 0x7f) {
                out += snprintf(out, 5, "\\%03u", c);
                continue;
            }
            if (strchr(".\\\"();@$", c) != NULL) { /* special in zone files: RFC 1035 §5.1 */
                *out++ = '\\';
            }
            *out++ = (char)c;
        }
    }
    *out = '\0';
    return out;
}

void wire_name_to_text(const struct wire_name *name, char *out)
{
    char *end = write_labels(name->bytes, name->bytes + name->len, out);
    end[0] = '.';
    end[1] = '\0';
}

void wire_name_to_relative(const struct wire_name *name, const struct wire_name *apex, char *out)
{
    if (!wire_name_is_under(name, apex)) {
        wire_name_to_text(name, out);
    } else if (name->len == apex->len) {
        memcpy(out, "@", 2);
    } else {
        write_labels(name->bytes, name->bytes + (name->len - apex->len), out);
    }
}

static bool equal_folded(const uint8_t *a, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fold(a[i]) != fold(b[i])) {
            return false;
        }
    }
    return true;
}

bool wire_name_equal(const struct wire_name *a, const struct wire_name *b)
{
    return a->len == b->len && equal_folded(a->bytes, b->bytes, a->len);
}

bool wire_name_is_under(const struct wire_name *name, const struct wire_name *apex)
{
    size_t at = 0;
    if (name->len < apex->len) {
        return false;
    }
    size_t target = (size_t)(name->len - apex->len);
    while (at < target) { /* only a place where a label starts counts */
        at += (size_t)name->bytes[at] + 1;
    }
    return at == target && equal_folded(name->bytes + at, apex->bytes, apex->len);
}

/* An owner that was meant to be absolute but has no dot at its end would silently get the domain
 * twice; nobody means that. */
static enum err refuse_doubled(const char *text, const struct wire_name *apex,
                               struct err_info *info)
{
    struct wire_name meant;
    char becomes[WIRE_NAME_TEXT_MAX];
    char instead[WIRE_NAME_TEXT_MAX];
    if (apex->labels == 0 || wire_name_from_text(text, NULL, &meant, NULL) != ERR_OK ||
        !wire_name_is_under(&meant, apex)) {
        return ERR_OK;
    }
    wire_name_to_text(apex, becomes);
    wire_name_to_relative(&meant, apex, instead);
    return err_set(info, ERR_MALFORMED, "%s would become %s.%s; write %s, or end it with a dot",
                   text, text, becomes, instead);
}

static bool is_owner_octet(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static enum err check_owner_labels(const struct wire_name *name, size_t own_len,
                                   struct err_info *info)
{
    char octet[8];
    for (size_t at = 0; at < own_len; at += (size_t)name->bytes[at] + 1) {
        size_t len = name->bytes[at];
        if (at == 0 && len == 1 && name->bytes[1] == '*') {
            continue;
        }
        for (size_t i = at + 1; i <= at + len; i++) {
            uint8_t c = name->bytes[i];
            if (is_owner_octet(c)) {
                continue;
            }
            if (c == '*') {
                return err_set(info, ERR_MALFORMED, "'*' may only be the whole first label");
            }
            snprintf(octet, sizeof octet, c > ' ' && c < 0x7f ? "'%c'" : "\\%03u", c);
            return err_set(info, ERR_MALFORMED,
                           "%s may not be in a name: letters, digits, '-', '_' and dots may",
                           octet);
        }
    }
    return ERR_OK;
}

enum err wire_name_owner(const char *text, const struct wire_name *apex, struct wire_name *out,
                         struct err_info *info)
{
    struct wire_name name;
    char domain[WIRE_NAME_TEXT_MAX];
    enum err e = wire_name_from_text(text, apex, &name, info);
    if (e != ERR_OK) {
        return e;
    }
    if (!wire_name_is_under(&name, apex)) {
        wire_name_to_text(apex, domain);
        return err_set(info, ERR_MALFORMED, "%s is not under the domain %s", text, domain);
    }
    wire_name_fold(name.bytes, name.bytes, name.len);
    e = check_owner_labels(&name, (size_t)(name.len - apex->len), info);
    if (e == ERR_OK && strcmp(text, "@") != 0 && text[strlen(text) - 1] != '.') {
        e = refuse_doubled(text, apex, info);
    }
    if (e == ERR_OK) {
        *out = name;
    }
    return e;
}
