#include "head.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "head_priv.h"

#define ROOM_FIRST 512 /* holds the head of most requests */

/* ---- octets ------------------------------------------------------------------------------- */

/* RFC 9110 §5.6.2: what each octet of a token is in lower case; 0: it may not be in one. */
static const char token_octet[256] = {
    ['!'] = '!', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&', ['\''] = '\'', ['*'] = '*',
    ['+'] = '+', ['-'] = '-', ['.'] = '.', ['^'] = '^', ['_'] = '_', ['`'] = '`',   ['|'] = '|',
    ['~'] = '~', ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4',   ['5'] = '5',
    ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', ['a'] = 'a', ['b'] = 'b',   ['c'] = 'c',
    ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i',   ['j'] = 'j',
    ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p',   ['q'] = 'q',
    ['r'] = 'r', ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w',   ['x'] = 'x',
    ['y'] = 'y', ['z'] = 'z', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd',   ['E'] = 'e',
    ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j', ['K'] = 'k',   ['L'] = 'l',
    ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r',   ['S'] = 's',
    ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y',   ['Z'] = 'z',
};

static char token_lower(char c)
{
    return token_octet[(unsigned char)c];
}

bool http_is_token(const char *text, size_t len)
{
    size_t i = 0;
    while (i < len && token_lower(text[i]) != '\0') {
        i++;
    }
    return len > 0 && i == len;
}

/* RFC 9110 §5.5: visible octets, those from 0x80 on, and blanks, but not at the ends. */
static bool is_value(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool blank = c == ' ' || c == '\t';
        if (blank ? i == 0 || i == len - 1 : c < ' ' || c == 0x7f) {
            return false;
        }
    }
    return true;
}

bool http_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return http_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* ---- hosts -------------------------------------------------------------------------------- */

/* RFC 3986 §3.2.2: the length of the name that TEXT begins with. */
static size_t reg_name(const char *text, size_t len)
{
    size_t i = 0;
    while (i < len) {
        char c = text[i];
        bool plain = http_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c != '\0' && strchr("-._~!$&'()*+,;=", c) != NULL);
        bool escape = c == '%' && len - i > 2 && is_hex(text[i + 1]) && is_hex(text[i + 2]);
        if (!plain && !escape) {
            break;
        }
        i += escape ? 3 : 1;
    }
    return i;
}

/* The length of the "[v6]" that TEXT begins with; 0: none, or one with a zone, or of a future version. */
static size_t ip_literal(const char *text, size_t len)
{
    char copy[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    const char *end = memchr(text, ']', len);
    size_t inner = end != NULL ? (size_t)(end - text) - 1 : 0;
    if (end == NULL || inner >= sizeof copy) {
        return 0;
    }
    memcpy(copy, text + 1, inner);
    copy[inner] = '\0';
    return inet_pton(AF_INET6, copy, bytes) == 1 ? inner + 2 : 0;
}

bool http_is_authority(const char *text, size_t len)
{
    size_t at = len > 0 && text[0] == '[' ? ip_literal(text, len) : reg_name(text, len);
    unsigned port = 0;
    if (at == 0 || (at < len && text[at] != ':')) {
        return false;
    }
    for (at++; at < len && http_is_digit(text[at]) && port <= UINT16_MAX; at++) {
        port = port * 10 + (unsigned)(text[at] - '0');
    }
    return at >= len && port <= UINT16_MAX;
}

/* ---- the room ----------------------------------------------------------------------------- */

void http_head_init(struct http_head *h, size_t max)
{
    *h = (struct http_head){.room = NULL, .max = max, .content_length = -1};
}

/* There may be secrets in it. */
static void forget(char *room, size_t len)
{
    if (room != NULL) {
        explicit_bzero(room, len);
    }
    free(room);
}

void http_head_fini(struct http_head *h)
{
    forget(h->room, h->len);
    http_head_init(h, h->max);
}

static const char *moved(const struct http_head *h, const char *text, const char *room)
{
    return text != NULL ? room + (text - h->room) : NULL;
}

/* Makes room for N more octets. Everything that looks into it moves along. */
static http_status reserve(struct http_head *h, size_t n)
{
    if (n > h->max - h->len) {
        return 431;
    }
    if (n <= h->cap - h->len) {
        return 0;
    }
    size_t cap = h->cap == 0 ? ROOM_FIRST : h->cap * 2;
    while (cap - h->len < n) {
        cap *= 2;
    }
    cap = cap < h->max ? cap : h->max;
    char *room = malloc(cap);
    if (room == NULL) {
        return 503;
    }
    if (h->len > 0) {
        memcpy(room, h->room, h->len);
    }
    h->target = moved(h, h->target, room);
    h->host = moved(h, h->host, room);
    for (unsigned i = 0; i < h->count; i++) {
        h->fields[i].name = moved(h, h->fields[i].name, room);
        h->fields[i].value = moved(h, h->fields[i].value, room);
    }
    forget(h->room, h->len);
    h->room = room;
    h->cap = cap;
    return 0;
}

/* There is room for TEXT and its NUL. */
static char *put(struct http_head *h, const char *text, size_t len)
{
    char *at = h->room + h->len;
    if (len > 0) {
        memcpy(at, text, len);
    }
    at[len] = '\0';
    h->len += len + 1;
    return at;
}

/* ---- the request line --------------------------------------------------------------------- */

http_status http_head_method(struct http_head *h, const char *text, size_t len)
{
    if (!http_is_token(text, len)) {
        return 400;
    }
    if (len > HTTP_METHOD_MAX) {
        return 501; /* RFC 9112 §3 */
    }
    memcpy(h->method, text, len);
    h->method[len] = '\0';
    return strcmp(h->method, "CONNECT") == 0 ? 501 : 0; /* RFC 9110 §9.3.6, §15.6.2 */
}

/* RFC 9112 §3.2.2; the beginning of the authority, NULL: not in absolute form. */
static const char *after_scheme(const char *text, size_t len)
{
    if (len >= 7 && strncasecmp(text, "http://", 7) == 0) {
        return text + 7;
    }
    return len >= 8 && strncasecmp(text, "https://", 8) == 0 ? text + 8 : NULL;
}

static http_status put_target(struct http_head *h, const char *host, size_t host_len,
                              const char *path, size_t len)
{
    bool bare = len == 0 || path[0] == '?'; /* RFC 9110 §4.2.3: as if it began with "/" */
    http_status status = reserve(h, host_len + 1 + 1 + len + 1);
    if (status != 0) {
        return status == 431 ? 414 : status;
    }
    if (host != NULL) {
        h->host = put(h, host, host_len);
        h->seen |= SEEN_ABSOLUTE;
    }
    if (len == 0 && strcmp(h->method, "OPTIONS") == 0) {
        path = "*"; /* RFC 9112 §3.2.4 */
        len = 1;
        bare = false;
    }
    if (bare) {
        h->room[h->len++] = '/';
    }
    h->target = put(h, path, len) - (bare ? 1 : 0);
    return 0;
}

http_status http_head_target(struct http_head *h, const char *text, size_t len)
{
    if (h->target != NULL) {
        return 400;
    }
    if (len > HTTP_TARGET_MAX) {
        return 414;
    }
    /* What RFC 3986 wants escaped and browsers leave is let pass; a fragment is never sent. */
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] >= 0x7f || text[i] == '#') {
            return 400;
        }
    }
    if (len > 0 && (text[0] == '/' || (text[0] == '*' && len == 1))) {
        return put_target(h, NULL, 0, text, len);
    }
    const char *host = after_scheme(text, len);
    if (host == NULL || h->host != NULL) {
        return 400;
    }
    size_t left = len - (size_t)(host - text);
    size_t host_len = 0;
    while (host_len < left && host[host_len] != '/' && host[host_len] != '?') {
        host_len++;
    }
    return http_is_authority(host, host_len)
               ? put_target(h, host, host_len, host + host_len, left - host_len)
               : 400;
}

http_status http_head_authority(struct http_head *h, const char *text, size_t len)
{
    if (h->host != NULL || !http_is_authority(text, len)) {
        return 400;
    }
    http_status status = reserve(h, len + 1);
    if (status == 0) {
        h->host = put(h, text, len);
    }
    return status;
}

/* ---- fields ------------------------------------------------------------------------------- */

http_status http_head_field(struct http_head *h, const char *name, size_t name_len,
                            const char *value, size_t value_len, bool v2)
{
    if (!http_is_token(name, name_len) || !is_value(value, value_len)) {
        return 400;
    }
    http_status status = h->count < HTTP_FIELDS_MAX ? reserve(h, name_len + value_len + 2) : 431;
    if (status != 0) {
        return status;
    }
    char *lower = put(h, name, name_len);
    struct http_field *f = &h->fields[h->count++];
    f->name = lower;
    f->value = put(h, value, value_len);
    for (; *lower != '\0'; lower++) {
        char c = *lower;
        *lower = token_lower(c);
        if (v2 && *lower != c) {
            return 400; /* RFC 9113 §8.2.1 */
        }
    }
    return http_head_judge(h, f, v2);
}

http_status http_head_end(struct http_head *h, int minor)
{
    if (h->target == NULL || (h->target[0] == '*' && strcmp(h->method, "OPTIONS") != 0)) {
        return 400; /* RFC 9112 §3.2.4, RFC 9113 §8.3.1 */
    }
    const char *field = http_head_find(h, "host");
    bool differs = h->host != NULL && field != NULL && strcasecmp(h->host, field) != 0;
    if (minor < 0 && (differs || (h->seen & SEEN_ABSOLUTE) != 0)) {
        return 400; /* RFC 9113 §8.3.1 */
    }
    if (h->host == NULL) {
        h->host = field; /* RFC 9112 §3.2.2: an absolute target goes before */
    }
    if (minor == 1 ? field == NULL : minor < 0 && h->host == NULL) {
        return 400; /* RFC 9112 §3.2 */
    }
    if (h->chunked && (h->content_length >= 0 || minor == 0)) {
        return 400; /* RFC 9112 §6.1 */
    }
    if (minor == 0) {
        h->expect_continue = false; /* RFC 9110 §10.1.1 */
    } else if ((h->seen & SEEN_ODD_EXPECT) != 0) {
        return 417;
    }
    if (minor >= 0 && !h->chunked && h->content_length <= 0) {
        h->expect_continue = false; /* there is nothing to wait for */
    }
    /* RFC 9112 §9.3 */
    h->close = minor >= 0 &&
               ((h->seen & SEEN_CLOSE) != 0 || (minor == 0 && (h->seen & SEEN_KEEP_ALIVE) == 0));
    return 0;
}

const char *http_head_find(const struct http_head *h, const char *name)
{
    for (unsigned i = 0; i < h->count; i++) {
        if (strcmp(h->fields[i].name, name) == 0) {
            return h->fields[i].value;
        }
    }
    return NULL;
}
