#include "certs_caa.h"

#include <stdio.h>
#include <string.h>

#include "config_certs.h"

/* What a value may hold without quoting (RFC 8659 §4.2), and a zone file's string too. */
static bool is_plain(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p <= ' ' || *p > '~' || *p == ';' || *p == '"' || *p == '\\') {
            return false;
        }
    }
    return text[0] != '\0';
}

static bool is_used(const struct config *c, const struct store_account *a)
{
    const char *staging = config_staging(c);
    return a->url[0] != '\0' && (strcmp(a->directory, config_directory(c)) == 0 ||
                                 (staging != NULL && strcmp(a->directory, staging) == 0));
}

size_t certs_caa(const struct config *c, const struct store_account *accounts, size_t count,
                 char out[][CERTS_CAA_TEXT], size_t max)
{
    const char *fixed = c->lets_encrypt.caa;
    size_t n = 0;
    if (max == 0 || (fixed != NULL && strcmp(fixed, "off") == 0)) {
        return 0;
    }
    for (size_t i = 0; c->lets_encrypt.enabled && i < count && n < max; i++) {
        const struct store_account *a = &accounts[i];
        const char *issuer = fixed != NULL ? fixed : a->issuer;
        if (!is_used(c, a) || (fixed == NULL && a->issuer[0] == '\0')) {
            continue; /* the CA has no name for itself: it cannot be told from others */
        }
        int len =
            snprintf(out[n], CERTS_CAA_TEXT,
                     "0 issue \"%s; accounturi=%s; validationmethods=dns-01\"", issuer, a->url);
        if (!is_plain(issuer) || !is_plain(a->url) || len >= CERTS_CAA_TEXT) {
            return 0;
        }
        n++;
    }
    if (n == 0 && fixed != NULL && is_plain(fixed)) {
        snprintf(out[0], CERTS_CAA_TEXT, "0 issue \"%s\"", fixed);
        n = 1;
    }
    return n;
}
