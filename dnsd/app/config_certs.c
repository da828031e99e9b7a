#include "config_certs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config_priv.h"
#include "lib/file_sys.h"
#include "lib/mem.h"

#define KEY_FILE_MAX 4096

/* ---- names ----------------------------------------------------------------------------------- */

char *config_url_host(const char *url)
{
    const char *host = strstr(url, "://") + 3;
    size_t len = strcspn(host, "/?#");
    const char *at = memchr(host, '@', len);
    struct str name = {.text = NULL};
    if (at != NULL) {
        len -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    if (host[0] == '[') {
        host++;
        len = strcspn(host, "]");
    } else {
        const char *colon = memchr(host, ':', len);
        len = colon != NULL ? (size_t)(colon - host) : len;
    }
    str_append_n(&name, host, len);
    if (len > 0 && name.text[len - 1] == '.') {
        name.text[len - 1] = '\0';
    }
    config_fold(name.text);
    return name.text;
}

static enum err one_host(const struct config *c, const char *key, const char *url,
                         struct config_cert *out, struct err_info *info)
{
    char *host = config_url_host(url);
    bool is_address = config_is_ip(host, NULL) == ERR_OK;
    if (is_address || strchr(host, '.') == NULL || config_is_host(host, NULL) != ERR_OK) {
        enum err e = err_set(info, ERR_MALFORMED,
                             "%s: no certificate can be had for `%s`: a name like "
                             "core.example.com is needed",
                             key, host);
        free(host);
        return e;
    }
    out->hostname = host;
    out->names[0] = mem_xstrdup(host);
    out->count = 1;
    out->proof = c->http.challenge_port != 0 ? CONFIG_PROOF_HTTP : CONFIG_PROOF_ALPN;
    return ERR_OK;
}

static void wildcard(const struct config *c, struct config_cert *out)
{
    struct str star = {.text = NULL};
    str_appendf(&star, "*.%s", c->dns.domain_text);
    out->hostname = star.text;
    out->names[0] = mem_xstrdup(star.text);
    out->names[1] = mem_xstrdup(c->dns.domain_text);
    out->count = 2;
    out->proof = CONFIG_PROOF_DNS;
}

enum err config_cert(const struct config *c, struct config_cert *out, struct err_info *info)
{
    *out = (struct config_cert){.hostname = NULL};
    if (c->dns_less.public_url != NULL && !c->dns.active) {
        return one_host(c, "dnsLess.publicUrl", c->dns_less.public_url, out, info);
    }
    if (c->dns.active && c->dns.domain_text != NULL) {
        wildcard(c, out);
        return ERR_OK;
    }
    if (c->core.url != NULL) {
        return one_host(c, "core.url", c->core.url, out, info);
    }
    return err_set(info, ERR_NOTFOUND,
                   "no name to get a certificate for; set dns.active with dns.domain, "
                   "dnsLess.publicUrl or core.url");
}

void config_cert_free(struct config_cert *cert)
{
    free(cert->hostname);
    for (size_t i = 0; i < cert->count; i++) {
        free(cert->names[i]);
    }
    *cert = (struct config_cert){.hostname = NULL};
}

/* ---- directories ------------------------------------------------------------------------------ */

const char *config_directory(const struct config *c)
{
    if (c->lets_encrypt.directory_url != NULL) {
        return c->lets_encrypt.directory_url;
    }
    if (!c->lets_encrypt.staging) {
        return CONFIG_LE_PRODUCTION;
    }
    return c->lets_encrypt.staging_url != NULL ? c->lets_encrypt.staging_url : CONFIG_LE_STAGING;
}

const char *config_staging(const struct config *c)
{
    const char *directory = config_directory(c);
    const char *staging = c->lets_encrypt.staging_url;
    if (staging == NULL && strcmp(directory, CONFIG_LE_PRODUCTION) == 0) {
        staging = CONFIG_LE_STAGING;
    }
    return staging != NULL && strcmp(staging, directory) != 0 ? staging : NULL;
}

/* ---- keys ------------------------------------------------------------------------------------- */

void config_keys_free(struct config_list *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        explicit_bzero(keys->items[i], strlen(keys->items[i]));
    }
    config_list_free(keys);
}

/* The rest of a line that means nothing is cut off. */
static char *trim(char *line)
{
    line += strspn(line, " \t\r");
    line[strcspn(line, "# \t\r")] = '\0';
    return line;
}

static enum err read_lines(char *text, const char *path, struct config_list *out,
                           struct err_info *info)
{
    unsigned number = 0;
    for (char *next, *line = text; line != NULL; line = next) {
        struct err_info why = {.text = ""};
        next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        number++;
        line = trim(line);
        if (line[0] == '\0') {
            continue;
        }
        if (config_is_key32(line, &why) != ERR_OK || out->count == CONFIG_LIST_MAX) {
            return err_set(info, ERR_MALFORMED, "%s:%u: %s", path, number,
                           why.text[0] != '\0' ? why.text : "too many keys");
        }
        config_list_add(out, line);
        config_normalize_key32(&out->items[out->count - 1]);
    }
    return out->count > 0 ? ERR_OK
                          : err_set(info, ERR_MALFORMED, "%s: there is no key in it", path);
}

static enum err read_key_file(const char *path, struct config_list *out, struct err_info *info)
{
    struct stat st;
    uint8_t *bytes = NULL;
    size_t len = 0;
    enum err e = file_read(path, KEY_FILE_MAX, &bytes, &len, info);
    if (e != ERR_OK) {
        return e;
    }
    if (stat(path, &st) == 0 && (st.st_mode & S_IRWXO) != 0) {
        e = err_set(info, ERR_DENIED, "%s can be read by everybody: chmod 600 %s", path, path);
    } else if (memchr(bytes, '\0', len) != NULL) {
        e = err_set(info, ERR_MALFORMED, "%s: is not a text of base64 lines", path);
    } else {
        e = read_lines((char *)bytes, path, out, info);
    }
    explicit_bzero(bytes, len);
    free(bytes);
    return e;
}

enum err config_keys_read(const struct config *c, struct config_list *out, struct err_info *info)
{
    *out = (struct config_list){.items = NULL};
    if (c->lets_encrypt.at_rest_key_file != NULL) {
        enum err e = read_key_file(c->lets_encrypt.at_rest_key_file, out, info);
        if (e != ERR_OK) {
            config_keys_free(out);
        }
        return e;
    }
    for (size_t i = 0; i < c->lets_encrypt.at_rest_keys.count; i++) {
        config_list_add(out, c->lets_encrypt.at_rest_keys.items[i]);
    }
    return out->count > 0
               ? ERR_OK
               : err_set(info, ERR_NOTFOUND, "letsEncrypt.atRestKey and atRestKeyFile are not set");
}
