/* The texts of a bundle: their names in the JSON, their places in the struct, their rules. All of it:
 *
 *   { "version": 4, "issuedAt": TIME, "expiresAt": TIME,                            (expiresAt: version 4)
 *     "cluster": { "domain" ("": DNSless), "ackUrl", "joinToken", "ca": { "certPem" },
 *                  "issuer", "ackPins": [..], "members": [ { "id", "ip", "ipv6" } ] },     (these: 4)
 *     "node": { "id", "ip", "ipv6" (4), "hosting", "url", "certPem", "keyPem" },
 *     "platformSecrets": { "auth": { "adminAccessKey", "filesReadTokenSecret" },
 *                          "letsEncrypt": { "atRestKey" (2), "atRestKeys": [..] (4: all, in order) },
 *                          "platform": { "piiHmacKey" } (3) },
 *     "rqlite": { "raftPort", "httpPort" },
 *     "config": { SECTION: {..} } }                                                   (version 4)
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "bundle_priv.h"
#include "cert/chain.h"
#include "cert/key.h"
#include "lib/base64.h"
#include "lib/digest.h"

#define LABEL_MAX   63 /* RFC 1035 §2.3.4 */
#define DOMAIN_MAX  253
#define URL_LIMIT   2048
#define TOKEN_LEAST 16
#define TOKEN_MOST  256
#define NAME_LIMIT  256
#define SECRET_MAX  4096
#define PEM_LIMIT   (64 * 1024)

/* ---- rules --------------------------------------------------------------------------------- */

static enum err must(struct err_info *info, bool well, const char *what)
{
    return well ? ERR_OK : err_set(info, ERR_MALFORMED, "must be %s", what);
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 952, RFC 1123 §2.1 */
static bool is_label(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_alnum(s[i]) && (s[i] != '-' || i == 0 || i == len - 1)) {
            return false;
        }
    }
    return len > 0 && len <= LABEL_MAX;
}

static enum err rule_id(const char *text, struct err_info *info)
{
    return must(info, is_label(text, strlen(text)),
                "1 to 63 letters, digits and hyphens, with no hyphen at an end");
}

static enum err rule_domain(const char *text, struct err_info *info)
{
    const char *at = text;
    bool well = strlen(text) <= DOMAIN_MAX;
    while (well) {
        size_t len = strcspn(at, ".");
        well = is_label(at, len);
        if (at[len] == '\0') {
            break;
        }
        at += len + 1;
    }
    return must(info, well, "a host name");
}

static bool is_address(int family, const char *text)
{
    unsigned char octets[sizeof(struct in6_addr)];
    char again[INET6_ADDRSTRLEN];
    return inet_pton(family, text, octets) == 1 &&
           inet_ntop(family, octets, again, sizeof again) != NULL && strcmp(text, again) == 0;
}

static enum err rule_ip(const char *text, struct err_info *info)
{
    return must(info, is_address(AF_INET, text), "an IPv4 address");
}

static enum err rule_ipv6(const char *text, struct err_info *info)
{
    return must(info, is_address(AF_INET6, text),
                "an IPv6 address in its canonical form (RFC 5952)");
}

const char *bundle_field_written(const struct bundle_field *f, const char *text,
                                 char room[BUNDLE_ADDRESS])
{
    struct in6_addr octets;
    bool other = f->rule == rule_ipv6 && inet_pton(AF_INET6, text, &octets) == 1 &&
                 inet_ntop(AF_INET6, &octets, room, BUNDLE_ADDRESS) != NULL;
    return other ? room : text;
}

/* Only graphic ASCII (RFC 3986 §2), and some host. */
static enum err rule_url(const char *text, struct err_info *info)
{
    const char *host = strstr(text, "://");
    size_t scheme = host != NULL ? (size_t)(host - text) : 0;
    bool well = (scheme == 4 && strncmp(text, "http", 4) == 0) ||
                (scheme == 5 && strncmp(text, "https", 5) == 0);
    well = well && strcspn(host + 3, "/?#") > 0 && strlen(text) <= URL_LIMIT;
    for (const char *at = text; well && *at != '\0'; at++) {
        well = *at > ' ' && *at <= '~' && strchr("\"<>\\^`{|}", *at) == NULL;
    }
    return must(info, well, "a URL that begins with https:// or http://");
}

static bool is_graphic(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text > '~') {
            return false;
        }
    }
    return true;
}

static enum err rule_token(const char *text, struct err_info *info)
{
    size_t len = strlen(text);
    return must(info, len >= TOKEN_LEAST && len <= TOKEN_MOST && is_graphic(text),
                "16 to 256 letters, digits and signs");
}

/* Of any language, in one line. */
static enum err rule_name(const char *text, struct err_info *info)
{
    size_t len = strlen(text);
    bool well = len > 0 && len <= NAME_LIMIT;
    for (size_t i = 0; well && i < len; i++) {
        well = (unsigned char)text[i] >= ' ' && text[i] != 0x7f;
    }
    return must(info, well, "1 to 256 octets without control characters");
}

enum err bundle_rule_secret(const char *text, struct err_info *info)
{
    size_t len = strlen(text);
    return must(info, len > 0 && len <= SECRET_MAX, "a text of 1 to 4096 octets");
}

enum err bundle_rule_pin(const char *text, struct err_info *info)
{
    uint8_t digest[BASE64_ROOM(DIGEST_SHA256_LEN)];
    size_t len = strlen(text);
    bool well = len < BASE64_ROOM(DIGEST_SHA256_LEN) && base64_decode(text, len, digest, &len) &&
                len == DIGEST_SHA256_LEN;
    return must(info, well, "the base64 of a SHA-256");
}

static enum err rule_cert(const char *text, struct err_info *info)
{
    char *leaf = NULL, *rest = NULL;
    size_t len = strlen(text);
    if (len > PEM_LIMIT) {
        return must(info, false, "at most 64 KiB");
    }
    enum err e = cert_chain_split(text, len, &leaf, &rest, info);
    free(leaf);
    free(rest);
    return e;
}

static enum err rule_key(const char *text, struct err_info *info)
{
    struct cert_key *k = NULL;
    enum err e = cert_key_from_pem(text, strlen(text), &k, info);
    cert_key_free(k);
    return e;
}

/* ---- members ------------------------------------------------------------------------------- */

#define AT(member)  offsetof(struct bundle, member)
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define SECTION_OF(list)                                                                           \
    {                                                                                              \
        .fields = (list), .count = COUNT(list)                                                     \
    }
#define OPTIONAL BUNDLE_OPTIONAL

static const struct bundle_field cluster_fields[] = {
    {"domain", AT(cluster.domain), rule_domain, OPTIONAL, true},
    {"ackUrl", AT(cluster.ack_url), rule_url, 1, false},
    {"joinToken", AT(cluster.join_token), rule_token, 1, false},
    {"issuer", AT(cluster.issuer), rule_id, 4, false},
};
static const struct bundle_field ca_fields[] = {
    {"certPem", AT(cluster.ca_pem), rule_cert, 1, false},
};
static const struct bundle_field node_fields[] = {
    {"id", AT(node.id), rule_id, 1, false},
    {"ip", AT(node.ip), rule_ip, OPTIONAL, false},
    {"ipv6", AT(node.ipv6), rule_ipv6, OPTIONAL, false},
    {"hosting", AT(node.hosting), rule_name, OPTIONAL, false},
    {"url", AT(node.url), rule_url, OPTIONAL, false},
    {"certPem", AT(node.cert_pem), rule_cert, 1, false},
    {"keyPem", AT(node.key_pem), rule_key, 1, false},
};
static const struct bundle_field auth_fields[] = {
    {"adminAccessKey", AT(secrets.admin_access_key), bundle_rule_secret, OPTIONAL, false},
    {"filesReadTokenSecret", AT(secrets.files_read_token_secret), bundle_rule_secret, OPTIONAL,
     false},
};
static const struct bundle_field acme_fields[] = {
    {"atRestKey", AT(secrets.at_rest_key), bundle_rule_secret, OPTIONAL, false},
};
static const struct bundle_field platform_fields[] = {
    {"piiHmacKey", AT(secrets.pii_hmac_key), bundle_rule_secret, OPTIONAL, false},
};
static const struct bundle_field member_fields[] = {
    {"id", offsetof(struct bundle_member, id), rule_id, 1, false},
    {"ip", offsetof(struct bundle_member, ip), rule_ip, OPTIONAL, false},
    {"ipv6", offsetof(struct bundle_member, ipv6), rule_ipv6, OPTIONAL, false},
};
const struct bundle_section bundle_cluster = SECTION_OF(cluster_fields);
const struct bundle_section bundle_ca = SECTION_OF(ca_fields);
const struct bundle_section bundle_node = SECTION_OF(node_fields);
const struct bundle_section bundle_auth = SECTION_OF(auth_fields);
const struct bundle_section bundle_acme = SECTION_OF(acme_fields);
const struct bundle_section bundle_platform = SECTION_OF(platform_fields);
const struct bundle_section bundle_member = SECTION_OF(member_fields);
