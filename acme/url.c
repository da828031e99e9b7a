#include "url.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/str.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

struct parts {
    bool tls;
    const char *host; /* with brackets */
    size_t host_len;
    uint32_t port;
    const char *rest; /* "", or from '/' or '?' on */
};

static bool read_port(const char *text, size_t len, uint32_t *out)
{
    char digits[6];
    if (len == 0 || len >= sizeof digits) {
        return false;
    }
    memcpy(digits, text, len);
    digits[len] = '\0';
    return str_parse_u32(digits, 65535, out) && *out > 0;
}

/* [IPv6], or a name or IPv4 address. Its length; 0: neither. */
static size_t host_len(const char *at)
{
    size_t n;
    if (*at == '[') {
        n = strspn(at + 1, "abcdefABCDEF" DIGITS ":.");
        return n > 0 && at[n + 1] == ']' ? n + 2 : 0;
    }
    return strspn(at, LETTERS DIGITS "-_.");
}

static bool split(const char *url, struct parts *out)
{
    size_t n = strncasecmp(url, "https://", 8) == 0  ? 8
               : strncasecmp(url, "http://", 7) == 0 ? 7
                                                     : 0;
    if (n == 0) {
        return false;
    }
    out->tls = n == 8;
    out->host = url + n;
    out->host_len = host_len(out->host);
    out->port = out->tls ? 443 : 80;
    out->rest = out->host + out->host_len;
    if (out->host_len == 0) {
        return false;
    }
    if (*out->rest == ':') {
        size_t digits = strspn(out->rest + 1, DIGITS);
        if (!read_port(out->rest + 1, digits, &out->port)) {
            return false;
        }
        out->rest += 1 + digits;
    }
    return *out->rest == '\0' || *out->rest == '/' || *out->rest == '?';
}

/* RFC 3986 §2: what may stand in a URL, as far as no reader takes it for something else. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text > '~' || strchr("\"<>\\^`{|}#", *text) != NULL) {
            return false;
        }
    }
    return true;
}

/* Segments "." and ".." of a path (RFC 3986 §5.2.4): what is signed must be what is asked for. */
static bool has_dots(const char *path)
{
    size_t end = strcspn(path, "?#");
    for (const char *at = path; at < path + end; at++) {
        size_t n = strcspn(at, "/?#");
        if ((n == 1 && at[0] == '.') || (n == 2 && at[0] == '.' && at[1] == '.')) {
            return true;
        }
        at += n;
        if (at >= path + end) {
            break;
        }
    }
    return false;
}

bool acme_url_ok(const char *url)
{
    struct parts p;
    return is_plain(url) && split(url, &p) && !has_dots(p.rest);
}

static bool is_loopback(const struct parts *p)
{
    struct in_addr v4;
    char text[INET6_ADDRSTRLEN];
    if (p->host_len >= sizeof text) {
        return false;
    }
    memcpy(text, p->host, p->host_len);
    text[p->host_len] = '\0';
    return strcmp(text, "[::1]") == 0 ||
           (inet_pton(AF_INET, text, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}

bool acme_url_secure(const char *url)
{
    struct parts p;
    return acme_url_ok(url) && split(url, &p) && (p.tls || is_loopback(&p));
}

bool acme_same_origin(const char *a, const char *b)
{
    struct parts pa, pb;
    return acme_url_ok(a) && acme_url_ok(b) && split(a, &pa) && split(b, &pb) && pa.tls == pb.tls &&
           pa.port == pb.port && pa.host_len == pb.host_len &&
           strncasecmp(pa.host, pb.host, pa.host_len) == 0;
}

/* Of BASE, how much stands before REF. */
static size_t kept(const char *base, const char *ref)
{
    struct parts p;
    if (!split(base, &p)) {
        return 0;
    }
    if (ref[0] == '/' && ref[1] == '/') {
        return p.tls ? 6 : 5;
    }
    size_t origin = (size_t)(p.rest - base);
    if (ref[0] == '/') {
        return origin;
    }
    size_t path = strcspn(p.rest, "?");
    if (ref[0] == '?') {
        return origin + path;
    }
    while (path > 0 && p.rest[path - 1] != '/') {
        path--;
    }
    return origin + path;
}

/* scheme ":" (RFC 3986 §3.1) */
static bool has_scheme(const char *ref)
{
    size_t n = strspn(ref, LETTERS DIGITS "+-.");
    return n > 0 && ref[n] == ':';
}

bool acme_url_resolve(const char *base, const char *ref, char *out, size_t room)
{
    size_t len = strcspn(ref, "#");
    bool whole = has_scheme(ref);
    size_t before = 0;
    const char *slash = "";
    out[0] = '\0';
    if (!whole) {
        before = kept(base, ref);
        slash = before > 0 && ref[0] != '/' && ref[0] != '?' && base[before - 1] != '/' ? "/" : "";
    }
    if (len == 0 || (!whole && before == 0) || before + strlen(slash) + len >= room) {
        return false;
    }
    snprintf(out, room, "%.*s%s%.*s", (int)before, base, slash, (int)len, ref);
    if (!acme_url_ok(out)) {
        out[0] = '\0';
    }
    return out[0] != '\0';
}
