#include "url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "dnsd/zone/names.h"
#include "lib/str.h"

/* ---- URLs of cores ------------------------------------------------------------------------ */

/* Where the host of an http or https URL begins; NULL: it is none. */
static const char *authority_of(const char *url)
{
    const char *at = strncmp(url, "https://", 8) == 0  ? url + 8
                     : strncmp(url, "http://", 7) == 0 ? url + 7
                                                       : NULL;
    if (at == NULL || strchr("/?#", *at) != NULL) { /* also its end */
        return NULL;
    }
    for (const char *p = url; *p != '\0'; p++) {
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f) {
            return NULL;
        }
    }
    return at;
}

static bool fits(int n)
{
    return n > 0 && n < URL_MAX;
}

static bool slashed(const char *url, char out[URL_MAX])
{
    if (url == NULL || authority_of(url) == NULL) {
        return false;
    }
    size_t len = strlen(url);
    return fits(snprintf(out, URL_MAX, "%s%s", url, url[len - 1] == '/' ? "" : "/"));
}

bool url_of_core(const char *id, const char *row_url, const char *domain, const char *public_url,
                 char out[URL_MAX])
{
    char label[WIRE_LABEL_MAX + 1];
    if (slashed(row_url, out)) {
        return true;
    }
    if (domain != NULL && names_label(id, label, NULL) == ERR_OK) {
        return fits(snprintf(out, URL_MAX, "https://%s.%s/", label, domain));
    }
    return slashed(public_url, out);
}

/* ---- hosts of requests -------------------------------------------------------------------- */

/* A host taken apart and put together again. */
struct host {
    char text[URL_HOST_MAX]; /* a name; or an address as URLs have it */
    bool is_name;
};

static bool read_address(int family, const char *text, struct host *out)
{
    uint8_t bytes[16];
    char plain[INET6_ADDRSTRLEN];
    if (inet_pton(family, text, bytes) != 1 ||
        inet_ntop(family, bytes, plain, sizeof plain) == NULL) {
        return false;
    }
    snprintf(out->text, sizeof out->text, family == AF_INET6 ? "[%s]" : "%s", plain);
    out->is_name = false;
    return true;
}

/* Letters, digits, '-' and (RFC 2181 §11: a name of DNS may, and browsers ask for it) '_'. */
static bool is_host_octet(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Labels with dots between them, folded, without a dot at the end (RFC 1123 §2.1, RFC 1034 §3.1). */
static bool read_name(const char *text, struct host *out)
{
    size_t len = strlen(text);
    size_t label = 0;
    wire_name_fold((uint8_t *)out->text, (const uint8_t *)text, len + 1);
    if (len > 1 && text[len - 1] == '.') {
        out->text[--len] = '\0';
    }
    for (size_t i = 0; i < len; i++) {
        bool dot = out->text[i] == '.';
        if (dot ? label == 0 : !is_host_octet(out->text[i]) || ++label > WIRE_LABEL_MAX) {
            return false;
        }
        label = dot ? 0 : label;
    }
    out->is_name = true;
    return label > 0 && len < WIRE_NAME_MAX - 1; /* RFC 1035 §2.3.4 */
}

static bool is_port(const char *text)
{
    uint32_t port;
    return *text == '\0' ||
           str_parse_u32(text, UINT16_MAX, &port); /* RFC 3986 §3.2.3: may be empty */
}

/* "host", "host:port", "[v6]", "[v6]:port": LEN octets. */
static bool read_host(const char *text, size_t len, struct host *out)
{
    char copy[URL_HOST_MAX];
    if (len >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (copy[0] == '[') {
        char *end = strchr(copy, ']');
        if (end == NULL || (end[1] != '\0' && (end[1] != ':' || !is_port(end + 2)))) {
            return false;
        }
        *end = '\0';
        return read_address(AF_INET6, copy + 1, out);
    }
    char *colon = strchr(copy, ':');
    if (colon != NULL && !is_port(colon + 1)) {
        return false;
    }
    if (colon != NULL) {
        *colon = '\0';
    }
    return read_address(AF_INET, copy, out) || read_name(copy, out);
}

static bool is_below(const char *name, const char *domain)
{
    size_t len = strlen(name);
    size_t tail = strlen(domain);
    if (len < tail || strcmp(name + len - tail, domain) != 0) {
        return false;
    }
    return len == tail || name[len - tail - 1] == '.';
}

static bool is_same(const struct host *a, const struct host *b)
{
    return a->is_name == b->is_name && strcmp(a->text, b->text) == 0;
}

static bool is_ours(const struct url_hosts *hosts, const struct host *host)
{
    struct host own;
    if (host->is_name && hosts->domain != NULL &&
        read_host(hosts->domain, strlen(hosts->domain), &own) && is_below(host->text, own.text)) {
        return true;
    }
    for (size_t i = 0; i < 2; i++) {
        const char *at = hosts->urls[i] != NULL ? authority_of(hosts->urls[i]) : NULL;
        if (at != NULL && read_host(at, strcspn(at, "/?#"), &own) && is_same(&own, host)) {
            return true;
        }
        const char *address = hosts->addresses[i];
        if (address != NULL &&
            (read_address(AF_INET, address, &own) || read_address(AF_INET6, address, &own)) &&
            is_same(&own, host)) {
            return true;
        }
    }
    return false;
}

static bool is_target(const char *text)
{
    if (text[0] != '/') {
        return false;
    }
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || *p == '#') {
            return false;
        }
    }
    return true;
}

enum err url_redirect(const struct url_hosts *hosts, uint16_t port, const char *host,
                      const char *target, char *out, size_t cap, struct err_info *info)
{
    struct host h;
    char suffix[8] = "";
    if (!read_host(host, strlen(host), &h)) {
        return err_set(info, ERR_MALFORMED, "the Host is neither a host name nor an address");
    }
    if (!is_target(target)) {
        return err_set(info, ERR_MALFORMED, "the target holds what a URL cannot");
    }
    if (!is_ours(hosts, &h)) {
        return err_set(info, ERR_DENIED, "%s is not served here", h.text);
    }
    if (port != 443) {
        snprintf(suffix, sizeof suffix, ":%u", (unsigned)port);
    }
    int n = snprintf(out, cap, "https://%s%s%s", h.text, suffix, target);
    return n > 0 && (size_t)n < cap ? ERR_OK : err_set(info, ERR_LIMIT, "the target is too long");
}
