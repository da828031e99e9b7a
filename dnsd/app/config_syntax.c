#include "config_priv.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static bool is_letter(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}

static bool is_digit(char ch)
{
    return ch >= '0' && ch <= '9';
}

/* Letters, digits, hyphens, neither first nor last a hyphen (RFC 1123 §2.1), LEN octets. */
static bool is_ldh(const char *text, size_t len)
{
    if (len == 0 || len > WIRE_LABEL_MAX || text[0] == '-' || text[len - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_letter(text[i]) && !is_digit(text[i]) && text[i] != '-') {
            return false;
        }
    }
    return true;
}

enum err config_is_label(const char *text, struct err_info *info)
{
    if (is_ldh(text, strlen(text))) {
        return ERR_OK;
    }
    return err_set(info, ERR_MALFORMED,
                   "must be one label: letters, digits and '-' (not first, not last), at most %d",
                   WIRE_LABEL_MAX);
}

/* Host names and the domain: LDH labels, a dot at the end allowed. */
enum err config_is_host(const char *text, struct err_info *info)
{
    struct wire_name name;
    struct err_info why = {.text = ""};
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p >= 0x80) {
            return err_set(info, ERR_MALFORMED,
                           "has letters outside ASCII; write its xn-- form (RFC 5891)");
        }
    }
    for (const char *p = text;;) {
        size_t len = strcspn(p, ".");
        if (!is_ldh(p, len)) {
            return err_set(info, ERR_MALFORMED,
                           "must be a name like mc.example.com: labels of letters, digits and '-' "
                           "(not first, not last), at most %d each",
                           WIRE_LABEL_MAX);
        }
        p += len;
        if (p[0] == '\0' || p[1] == '\0') {
            break;
        }
        p++;
    }
    if (wire_name_from_text(text, NULL, &name, &why) != ERR_OK) {
        return err_set(info, ERR_MALFORMED, "must be a domain name: %.200s", why.text);
    }
    return ERR_OK;
}

static bool is_v4(const char *text, struct in_addr *v4)
{
    return inet_pton(AF_INET, text, v4) == 1;
}

static bool is_v6(const char *text, struct in6_addr *v6)
{
    return inet_pton(AF_INET6, text, v6) == 1;
}

/* SIBLING is the key that takes the other family. */
static enum err check_ipv4(const char *text, const char *sibling, struct err_info *info)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (is_v4(text, &v4)) {
        return ERR_OK;
    }
    if (is_v6(text, &v6)) {
        return err_set(info, ERR_MALFORMED, "is an IPv6 address; it belongs in %s", sibling);
    }
    return err_set(info, ERR_MALFORMED, "must be an IPv4 address such as 192.0.2.1");
}

static enum err check_ipv6(const char *text, const char *sibling, struct err_info *info)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (is_v6(text, &v6)) {
        return ERR_OK;
    }
    if (is_v4(text, &v4)) {
        return err_set(info, ERR_MALFORMED, "is an IPv4 address; it belongs in %s", sibling);
    }
    return err_set(info, ERR_MALFORMED, "must be an IPv6 address such as 2001:db8::1");
}

enum err config_is_listen_ipv4(const char *text, struct err_info *info)
{
    return check_ipv4(text, "dns.ip6", info);
}

enum err config_is_listen_ipv6(const char *text, struct err_info *info)
{
    return check_ipv6(text, "dns.ip", info);
}

static enum err refuse_any(struct err_info *info)
{
    return err_set(info, ERR_MALFORMED,
                   "is no address others can reach; write the one this core is known by");
}

/* Addresses that are published: 0.0.0.0 and :: would send clients to themselves. */
enum err config_is_public_ipv4(const char *text, struct err_info *info)
{
    struct in_addr v4;
    if (is_v4(text, &v4) && v4.s_addr == htonl(INADDR_ANY)) {
        return refuse_any(info);
    }
    return check_ipv4(text, "core.ipv6", info);
}

enum err config_is_public_ipv6(const char *text, struct err_info *info)
{
    struct in6_addr v6;
    if (is_v6(text, &v6) && IN6_IS_ADDR_UNSPECIFIED(&v6)) {
        return refuse_any(info);
    }
    return check_ipv6(text, "core.ip", info);
}

enum err config_is_ip(const char *text, struct err_info *info)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (is_v4(text, &v4) || is_v6(text, &v6)) {
        return ERR_OK;
    }
    return err_set(info, ERR_MALFORMED, "must be an IP address such as 192.0.2.1 or 2001:db8::1");
}

/* host, host:port, [v6], [v6]:port; N octets. */
static bool is_authority(const char *text, size_t n)
{
    char host[256];
    struct in6_addr v6;
    uint32_t port = 0;
    if (n == 0 || n >= sizeof host) {
        return false;
    }
    memcpy(host, text, n);
    host[n] = '\0';
    char *name = host;
    char *end = host + strcspn(host, ":");
    if (host[0] == '[') {
        name = host + 1;
        end = strchr(host, ']');
        if (end == NULL) {
            return false;
        }
        *end++ = '\0';
        if (!is_v6(name, &v6)) {
            return false;
        }
    }
    if (*end == ':') {
        *end++ = '\0';
        if (!str_parse_u32(end, UINT16_MAX, &port) || port == 0) {
            return false;
        }
    } else if (*end != '\0') {
        return false;
    }
    return host[0] == '[' || config_is_host(name, NULL) == ERR_OK;
}

/* A name server: an address, perhaps with a port. */
enum err config_is_server(const char *text, struct err_info *info)
{
    char address[INET6_ADDRSTRLEN];
    uint32_t port = 53;
    const char *colon = strrchr(text, ':');
    bool bracket = text[0] == '[';
    bool has_port = colon != NULL && (bracket ? colon[-1] == ']' : strchr(text, ':') == colon);
    size_t len = has_port ? (size_t)(colon - text) : strlen(text);
    if (bracket && len >= 2 && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len < sizeof address && (!has_port || str_parse_u32(colon + 1, 65535, &port)) &&
        port != 0) {
        struct in_addr v4;
        struct in6_addr v6;
        memcpy(address, text, len);
        address[len] = '\0';
        if ((!bracket && is_v4(address, &v4)) || is_v6(address, &v6)) {
            return ERR_OK;
        }
    }
    return err_set(info, ERR_MALFORMED,
                   "must be an address, perhaps with a port: 192.0.2.1, 192.0.2.1:53 or "
                   "[2001:db8::1]:53");
}

enum err config_is_url(const char *text, struct err_info *info)
{
    const char *at = strncmp(text, "https://", 8) == 0  ? text + 8
                     : strncmp(text, "http://", 7) == 0 ? text + 7
                                                        : NULL;
    if (at != NULL) {
        size_t n = strcspn(at, "/?#");
        const char *user = memchr(at, '@', n); /* RFC 3986 §3.2.1 */
        size_t skip = user != NULL ? (size_t)(user - at) + 1 : 0;
        if (strpbrk(text, " \"<>\\^`{|}") == NULL && is_authority(at + skip, n - skip)) {
            return ERR_OK;
        }
    }
    return err_set(info, ERR_MALFORMED,
                   "must be a URL: http:// or https://, a host, then perhaps :port and a path");
}

enum err config_is_email(const char *text, struct err_info *info)
{
    const char *at = strrchr(text, '@');
    if (at == NULL || at == text || strpbrk(text, " \t<>,;") != NULL ||
        config_is_host(at + 1, NULL) != ERR_OK) {
        return err_set(info, ERR_MALFORMED, "must be a mail address such as admin@example.com");
    }
    return ERR_OK;
}

enum err config_is_absolute_path(const char *text, struct err_info *info)
{
    if (text[0] != '/') {
        return err_set(info, ERR_MALFORMED, "must be an absolute path: one that starts with '/'");
    }
    return ERR_OK;
}

/* 43 characters of either base64 alphabet (RFC 4648 §4, §5) and perhaps one '=': 32 bytes. The
 * message never shows the value. */
enum err config_is_key32(const char *text, struct err_info *info)
{
    size_t n = 0;
    while (is_letter(text[n]) || is_digit(text[n]) ||
           (text[n] != '\0' && strchr("+/-_", text[n]) != NULL)) {
        n++;
    }
    if (n != 43 || (strcmp(text + n, "=") != 0 && text[n] != '\0')) {
        return err_set(info, ERR_MALFORMED,
                       "must be base64 of exactly 32 bytes, as `openssl rand -base64 32` makes it");
    }
    return ERR_OK;
}

/* As in record values: relative to the domain without a dot, "@" the domain itself. */
enum err config_is_soa_name(const char *text, struct err_info *info)
{
    struct err_info why = {.text = ""};
    struct wire_name name;
    if (strcmp(text, "@") == 0 || wire_name_from_text(text, NULL, &name, &why) == ERR_OK) {
        return ERR_OK;
    }
    return err_set(info, ERR_MALFORMED, "must be a domain name: %.200s", why.text);
}

/* The mailbox of RFC 1035 §3.3.13, as an address or already as a name. */
enum err config_is_mailbox(const char *text, struct err_info *info)
{
    if (strchr(text, '@') != NULL) {
        return config_is_email(text, info);
    }
    return config_is_soa_name(text, info);
}

enum err config_is_account(const char *text, struct err_info *info)
{
    size_t len = strlen(text);
    size_t fit = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    if (fit != len || text[0] == '-' || len > 64) {
        return err_set(info, ERR_MALFORMED, "must be the name of an account, such as dnsd");
    }
    return ERR_OK;
}

void config_fold(char *text)
{
    wire_name_fold((uint8_t *)text, (const uint8_t *)text, strlen(text));
}
