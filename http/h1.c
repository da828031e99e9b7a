#include "h1.h"

#include <stdlib.h>
#include <string.h>

#include "head_priv.h"

/* A size and its extensions, with the end of the line (RFC 9112 §7.1.1: limit what they may cost). */
#define CHUNK_LINE_MAX   256
#define CHUNK_DIGITS_MAX 16 /* of 64 bits */
#define LINE_FIRST       256

enum state {
    REQUEST_LINE,
    FIELDS,
    BODY,
    CHUNK_LINE,
    CHUNK,
    CHUNK_END, /* the CRLF behind the data */
    TRAILERS,
    END,
    BAD,
};

void h1_init(struct h1 *h, size_t max)
{
    *h = (struct h1){.state = REQUEST_LINE, .max = max};
}

/* There may be secrets in it. */
static void forget_line(struct h1 *h)
{
    if (h->line != NULL) {
        explicit_bzero(h->line, h->line_cap);
    }
    free(h->line);
}

void h1_fini(struct h1 *h)
{
    forget_line(h);
    h1_init(h, h->max);
}

static enum h1_event refuse(struct h1 *h, http_status status)
{
    h->state = BAD;
    h->status = status;
    return H1_BAD;
}

/* ---- lines -------------------------------------------------------------------------------- */

/* Whatever is in a line: RFC 9110 §5.5's octets, which the others are a part of. */
static bool is_text(uint8_t c)
{
    return (c >= ' ' && c != 0x7f) || c == '\t';
}

/* How many octets the present line may have, with its CRLF. */
static size_t line_max(const struct h1 *h)
{
    return h->state == CHUNK_LINE  ? CHUNK_LINE_MAX
           : h->state == CHUNK_END ? 2
                                   : h->max - h->head_len;
}

static http_status too_long(const struct h1 *h)
{
    return h->state == REQUEST_LINE ? 414 : h->state == FIELDS || h->state == TRAILERS ? 431 : 400;
}

/* The first octets of a line stay here until its end comes. */
static bool keep(struct h1 *h, const uint8_t *bytes, size_t n)
{
    if (n > h->line_cap - h->line_len) {
        size_t cap = h->line_cap == 0 ? LINE_FIRST : h->line_cap;
        while (cap - h->line_len < n) {
            cap *= 2;
        }
        char *line = malloc(cap);
        if (line == NULL) {
            return false;
        }
        if (h->line_len > 0) {
            memcpy(line, h->line, h->line_len);
        }
        forget_line(h);
        h->line = line;
        h->line_cap = cap;
    }
    if (n > 0) {
        memcpy(h->line + h->line_len, bytes, n);
    }
    h->line_len += n;
    return true;
}

/* Takes octets up to the end of a line. H1_HEAD: *LINE is whole, *LINE_LEN without its CRLF, borrowed
 * from BYTES or from H until the next call; H1_MORE; H1_BAD. What is wrong is found at the same octet,
 * however the line is cut. */
static enum h1_event take_line(struct h1 *h, const uint8_t *bytes, size_t len, size_t *used,
                               const char **line, size_t *line_len)
{
    size_t room = line_max(h) - h->line_len;
    size_t end = len < room ? len : room;
    size_t i = 0;
    if (!h->cr) {
        while (i < end && is_text(bytes[i])) {
            i++;
        }
        if (i < end && bytes[i++] != '\r') {
            return refuse(h, 400); /* RFC 9112 §2.2: also for a bare LF */
        }
        h->cr = i > 0 && bytes[i - 1] == '\r';
    }
    if (i == end) {
        *used += end;
        return end < len ? refuse(h, too_long(h)) : keep(h, bytes, end) ? H1_MORE : refuse(h, 503);
    }
    if (bytes[i++] != '\n') {
        return refuse(h, 400);
    }
    *used += i;
    *line = (const char *)bytes;
    *line_len = h->line_len + i - 2;
    if (h->line_len > 0) {
        if (!keep(h, bytes, i)) {
            return refuse(h, 503);
        }
        *line = h->line;
    }
    h->line_len = 0;
    h->cr = false;
    return H1_HEAD;
}

/* ---- what the lines say ------------------------------------------------------------------- */

/* RFC 9112 §3: method SP target SP version. */
static enum h1_event on_request_line(struct h1 *h, struct http_head *head, const char *line,
                                     size_t len)
{
    if (len == 0 && !h->skipped) {
        h->skipped = true; /* RFC 9112 §2.2 */
        h->head_len = 0;
        return H1_MORE;
    }
    const char *target = memchr(line, ' ', len);
    const char *version = memrchr(line, ' ', len);
    if (target == NULL || target == version) {
        return refuse(h, 400);
    }
    size_t method_len = (size_t)(target++ - line);
    size_t target_len = (size_t)(version++ - target);
    /* RFC 9112 §2.3: "HTTP/" DIGIT "." DIGIT */
    if (line + len - version != 8 || memcmp(version, "HTTP/", 5) != 0 || version[5] < '0' ||
        version[5] > '9' || version[6] != '.' || version[7] < '0' || version[7] > '9') {
        return refuse(h, 400);
    }
    h->minor = version[7] - '0';
    if (version[5] != '1' || h->minor > 1) {
        return refuse(h, 505);
    }
    http_status status = http_head_method(head, line, method_len);
    if (status == 0) {
        status = http_head_target(head, target, target_len);
    }
    h->state = FIELDS;
    return status == 0 ? H1_MORE : refuse(h, status);
}

/* RFC 9112 §6.3 */
static enum h1_event on_head(struct h1 *h, struct http_head *head)
{
    http_status status = http_head_end(head, h->minor);
    if (status != 0) {
        return refuse(h, status);
    }
    h->left = head->content_length > 0 ? (uint64_t)head->content_length : 0;
    h->state = head->chunked ? CHUNK_LINE : h->left > 0 ? BODY : END;
    h->head_len = 0;
    return H1_HEAD;
}

/* A field of HEAD; of a trailer if it is NULL. RFC 9112 §5: blanks before the colon and continued
 * lines, which begin with a blank, are no tokens. */
static http_status on_field(struct http_head *head, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    const char *end = line + len;
    if (colon == NULL) {
        return 400;
    }
    size_t name_len = (size_t)(colon - line);
    if (head == NULL) {
        return http_is_token(line, name_len) ? 0 : 400;
    }
    const char *value = colon + 1;
    while (value < end && (*value == ' ' || *value == '\t')) {
        value++;
    }
    while (end > value && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    return http_head_field(head, line, name_len, value, (size_t)(end - value), false);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* RFC 9112 §7.1: a size, and extensions behind a semicolon, all of which together are bounded like a
 * head. */
static enum h1_event on_chunk_line(struct h1 *h, const char *line, size_t len)
{
    size_t digits = 0;
    h->left = 0;
    while (digits < len && digits < CHUNK_DIGITS_MAX && hex_digit(line[digits]) >= 0) {
        h->left = h->left << 4 | (unsigned)hex_digit(line[digits++]);
    }
    size_t at = digits;
    while (at < len && (line[at] == ' ' || line[at] == '\t')) {
        at++;
    }
    if (digits == 0 || (digits < len && (at == len || line[at] != ';')) ||
        len - digits > h->max - h->head_len) {
        return refuse(h, 400);
    }
    h->head_len += len - digits;
    h->state = h->left > 0 ? CHUNK : TRAILERS;
    return H1_MORE;
}

static enum h1_event on_line(struct h1 *h, struct http_head *head, const char *line, size_t len)
{
    bool trailer = h->state == TRAILERS;
    if (h->state == CHUNK_LINE) {
        return on_chunk_line(h, line, len);
    }
    if (h->state == CHUNK_END) {
        h->state = CHUNK_LINE; /* there was room for nothing but the CRLF */
        return H1_MORE;
    }
    h->head_len += len + 2;
    if (h->state == REQUEST_LINE) {
        return on_request_line(h, head, line, len);
    }
    if (len > 0) {
        http_status status = on_field(trailer ? NULL : head, line, len);
        return status == 0 ? H1_MORE : refuse(h, status);
    }
    if (trailer) {
        h->state = END;
        return H1_MORE;
    }
    return on_head(h, head);
}

/* ---- reading ------------------------------------------------------------------------------ */

static enum h1_event take_data(struct h1 *h, size_t len, size_t *used, size_t *piece_len)
{
    size_t n = len < h->left ? len : (size_t)h->left;
    if (n == 0) {
        return H1_MORE;
    }
    *piece_len = n;
    *used += n;
    h->left -= n;
    if (h->left == 0) {
        h->state = h->state == CHUNK ? CHUNK_END : END;
    }
    return H1_BODY;
}

/* What an idle connection keeps is this struct alone. */
static enum h1_event restart(struct h1 *h)
{
    int minor = h->minor;
    h1_fini(h);
    h->minor = minor;
    return H1_END;
}

enum h1_event h1_read(struct h1 *h, struct http_head *head, const uint8_t *bytes, size_t len,
                      size_t *used, const uint8_t **piece, size_t *piece_len)
{
    *used = 0;
    for (;;) {
        size_t left = len - *used;
        const uint8_t *at = left > 0 ? bytes + *used : bytes;
        const char *line;
        size_t line_len;
        enum h1_event event;
        switch ((enum state)h->state) {
        case BAD:
            return H1_BAD;
        case END:
            return restart(h);
        case BODY:
        case CHUNK:
            *piece = at;
            return take_data(h, left, used, piece_len);
        case REQUEST_LINE:
        case FIELDS:
        case CHUNK_LINE:
        case CHUNK_END:
        case TRAILERS:
            h->begun = h->begun || (left > 0 && !h->cr && *at != '\r');
            event = take_line(h, at, left, used, &line, &line_len);
            if (event != H1_HEAD) {
                return event;
            }
            event = on_line(h, head, line, line_len);
            if (event != H1_MORE) {
                return event;
            }
        }
    }
}
