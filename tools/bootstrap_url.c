#include "bootstrap_url.h"

#include <stdio.h>
#include <string.h>

#include "lib/str.h"

#define HTTPS_PORT 443

static bool is_visible(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f) {
            return false;
        }
    }
    return true;
}

/* RFC 1123 §2.1; in lower case. */
static bool is_host(char *host)
{
    size_t label = 0;
    for (char *p = host; *p != '\0'; p++) {
        if (*p >= 'A' && *p <= 'Z') {
            *p = (char)(*p - 'A' + 'a');
        }
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9');
        bool edge = label == 0 || p[1] == '.' || p[1] == '\0';
        if (*p == '.' ? label == 0 : !plain && (*p != '-' || edge)) {
            return false;
        }
        label = *p == '.' ? 0 : label + 1;
        if (label > 63) {
            return false;
        }
    }
    return host[0] != '\0';
}

static bool read_host(const char *text, size_t len, struct bootstrap_url *out)
{
    unsigned char octets[16];
    if (len == 0 || len >= sizeof out->host) {
        return false;
    }
    memcpy(out->host, text, len);
    out->host[len] = '\0';
    out->is_address = inet_pton(AF_INET, out->host, octets) == 1;
    if (text[0] == '[') {
        out->is_address = text[len - 1] == ']';
        memmove(out->host, out->host + 1, len);
        out->host[out->is_address ? len - 2 : len - 1] = '\0';
        return out->is_address && inet_pton(AF_INET6, out->host, octets) == 1;
    }
    return out->is_address || is_host(out->host);
}

enum err bootstrap_url_read(const char *text, struct bootstrap_url *out, struct err_info *info)
{
    static const char scheme[] = "https://";
    uint32_t port = HTTPS_PORT;
    char digits[6] = "";
    if (strncmp(text, scheme, sizeof scheme - 1) != 0 || !is_visible(text) ||
        strlen(text) > BOOTSTRAP_URL_MAX) {
        return err_set(info, ERR_MALFORMED, "not a URL such as https://host.example.com");
    }
    const char *at = text + sizeof scheme - 1;
    size_t authority = strcspn(at, "/?#");
    const char *end = at + authority;
    const char *bracket = memchr(at, ']', authority);
    const char *from = bracket != NULL ? bracket : at;
    const char *colon = memchr(from, ':', (size_t)(end - from));
    const char *host_end = colon != NULL ? colon : end;
    if (strchr(end, '#') != NULL || *end == '?') {
        return err_set(info, ERR_MALFORMED, "a URL without # and with a path before any ?");
    }
    if (!read_host(at, (size_t)(host_end - at), out)) {
        return err_set(info, ERR_MALFORMED, "its host is neither a name nor an address");
    }
    if (colon != NULL) {
        size_t len = (size_t)(end - colon - 1);
        memcpy(digits, colon + 1, len < sizeof digits ? len : 0);
        if (!str_parse_u32(digits, 65535, &port) || port == 0) {
            return err_set(info, ERR_MALFORMED, "its port is not a number from 1 to 65535");
        }
    }
    out->port = (uint16_t)port;
    out->path = end;
    return ERR_OK;
}

enum err bootstrap_ipv4_read(const char *text, char *out, struct err_info *info)
{
    unsigned char o[4];
    if (inet_pton(AF_INET, text, o) != 1) {
        return err_set(info, ERR_MALFORMED, "not an IPv4 address such as 192.0.2.1");
    }
    if (o[0] == 0 || o[0] == 127 || o[0] >= 224) { /* RFC 6890 */
        return err_set(info, ERR_MALFORMED, "not an address that another machine could call");
    }
    inet_ntop(AF_INET, o, out, INET_ADDRSTRLEN);
    return ERR_OK;
}

enum err bootstrap_ipv6_read(const char *text, char *out, struct err_info *info)
{
    static const unsigned char zero[10];
    unsigned char o[16];
    if (inet_pton(AF_INET6, text, o) != 1) {
        return err_set(info, ERR_MALFORMED, "not an IPv6 address such as 2001:db8::1");
    }
    /* RFC 4291 §2.4: unspecified, loopback and IPv4 in disguise; multicast; link-local. */
    if (memcmp(o, zero, sizeof zero) == 0 || o[0] == 0xff ||
        (o[0] == 0xfe && (o[1] & 0xc0) == 0x80)) {
        return err_set(info, ERR_MALFORMED, "not an address that another machine could call");
    }
    inet_ntop(AF_INET6, o, out, INET6_ADDRSTRLEN);
    return ERR_OK;
}
