#include "config_rqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/file_sys.h"
#include "lib/jx.h"
#include "lib/mem.h"
#include "lib/rng.h"

#define AUTH_FILE_MAX  (64 * 1024)
#define PASSWORD_BYTES 32

static void hex(const uint8_t *bytes, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++) {
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
}

static void wipe(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

void config_rqlite_free(struct config_rqlite *r)
{
    free(r->url);
    free(r->user);
    wipe(r->password);
    *r = (struct config_rqlite){.url = NULL};
}

/* ---- the URL ------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* RFC 3986 §2.1. Aborts when out of memory. */
static char *decoded(const char *text, size_t len)
{
    char *out = mem_xalloc(len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        int high = text[i] == '%' && i + 2 < len ? hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low > 0 || (low == 0 && high > 0)) {
            out[n++] = (char)(high * 16 + low);
            i += 2;
        } else {
            out[n++] = text[i];
        }
    }
    return out;
}

/* What follows the last ':' behind an IPv6 address's bracket, if any (RFC 3986 §3.2). */
static const char *port_in(const char *authority, size_t len)
{
    const char *end = authority + len;
    const char *bracket = memchr(authority, ']', len);
    const char *from = bracket != NULL ? bracket : authority;
    const char *colon = memchr(from, ':', (size_t)(end - from));
    return colon != NULL ? colon + 1 : NULL;
}

static bool is_loopback(const char *host, size_t len)
{
    static const char *const names[] = {"localhost", "[::1]"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i]) == len && strncmp(host, names[i], len) == 0) {
            return true;
        }
    }
    return len > 4 && strncmp(host, "127.", 4) == 0;
}

static enum err read_url(const char *url, struct config_rqlite *out, struct err_info *info)
{
    const char *colon = strstr(url, "://");
    if (colon == NULL) {
        return err_set(info, ERR_MALFORMED, "storages.engines.rqlite.url is not a URL");
    }
    bool tls = strncmp(url, "https", 5) == 0;
    const char *authority = colon + 3;
    size_t len = strcspn(authority, "/?#");
    const char *at = memrchr(authority, '@', len);
    if (at != NULL) {
        size_t info_len = (size_t)(at - authority);
        const char *split = memchr(authority, ':', info_len);
        size_t user_len = split != NULL ? (size_t)(split - authority) : info_len;
        out->user = decoded(authority, user_len);
        out->password = split != NULL ? decoded(split + 1, info_len - user_len - 1) : NULL;
        len -= info_len + 1;
        authority = at + 1;
    }
    const char *port = port_in(authority, len);
    char digits[6] = "";
    uint32_t number = tls ? 443 : 80;
    size_t host_len = port != NULL ? (size_t)(port - authority) - 1 : len;
    if (port != NULL) {
        snprintf(digits, sizeof digits, "%.*s", (int)(authority + len - port), port);
        if (!str_parse_u32(digits, UINT16_MAX, &number)) {
            return err_set(info, ERR_MALFORMED, "storages.engines.rqlite.url: no such port");
        }
    }
    struct str plain = {.text = NULL};
    str_appendf(&plain, "%s://%.*s:%u", tls ? "https" : "http", (int)host_len, authority, number);
    out->url = plain.text;
    out->port = (uint16_t)number;
    out->loopback = !tls && is_loopback(authority, host_len);
    return ERR_OK;
}

/* ---- the password ---------------------------------------------------------------------------- */

static char *from_key(const char *key)
{
    static const char purpose[] = "dnsd: access to rqlite, 1";
    struct digest_hmac h;
    uint8_t bytes[DIGEST_SHA256_LEN];
    char *text = mem_xalloc(2 * sizeof bytes + 1);
    digest_hmac_init(&h, key, strlen(key));
    digest_hmac(&h, purpose, sizeof purpose - 1, bytes);
    hex(bytes, sizeof bytes, text);
    explicit_bzero(&h, sizeof h);
    explicit_bzero(bytes, sizeof bytes);
    return text;
}

static char *from_chance(void)
{
    char *text = mem_xalloc(2 * PASSWORD_BYTES + 1);
    rng_hex(text, PASSWORD_BYTES);
    return text;
}

/* The file is rqlited's: [{"username": ..., "password": ..., "perms": [...]}]. */
static enum err password_in(const uint8_t *bytes, size_t len, char **out, struct err_info *info)
{
    json_t *list = NULL;
    const char *password = NULL;
    enum err e = jx_parse((const char *)bytes, len, &list, info);
    if (e == ERR_OK) {
        e = jx_string(json_array_get(list, 0), "password", &password, info);
    }
    if (e == ERR_OK) {
        *out = mem_xstrdup(password);
    }
    json_decref(list);
    return e == ERR_NOTFOUND ? ERR_MALFORMED : e;
}

static enum err from_file(const struct config *c, char **out, struct err_info *info)
{
    char *folder = config_state_dir(c);
    struct str path = {.text = NULL};
    uint8_t *bytes = NULL;
    size_t len = 0;
    str_appendf(&path, "%s/%s", folder, CONFIG_RQLITE_AUTH);
    enum err e = file_read(path.text, AUTH_FILE_MAX, &bytes, &len, info);
    if (e == ERR_OK) {
        e = password_in(bytes, len, out, info);
        if (e != ERR_OK) {
            (void)err_prefix(info, e, "%s: ", path.text);
        }
        explicit_bzero(bytes, len);
        free(bytes);
    }
    str_free(&path);
    free(folder);
    return e;
}

enum err config_rqlite_read(const struct config *c, bool make, struct config_rqlite *out,
                            struct err_info *info)
{
    *out = (struct config_rqlite){.url = NULL};
    enum err e = read_url(c->storages.rqlite.url, out, info);
    if (e == ERR_OK && out->user == NULL && !c->storages.rqlite.external) {
        out->user = mem_xstrdup(CONFIG_RQLITE_USER);
        if (c->auth.admin_access_key != NULL) {
            out->password = from_key(c->auth.admin_access_key);
        } else {
            e = from_file(c, &out->password, info);
        }
        if (e == ERR_NOTFOUND && make) {
            out->password = from_chance();
            e = ERR_OK;
        }
    }
    if (e != ERR_OK) {
        config_rqlite_free(out);
    }
    return e;
}
