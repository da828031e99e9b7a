/* Passphrases: made for people to read out and to type. */
#include <stdlib.h>
#include <string.h>

#include "bundle_priv.h"
#include "lib/rng.h"

/* 32 of them; I, L and O are read as the digits that they look like. */
static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#define GROUP 4

_Static_assert(sizeof alphabet - 1 == 32, "five bits each");

void bundle_passphrase(char out[BUNDLE_PASSPHRASE_LEN + 1])
{
    uint8_t octets[BUNDLE_PASSPHRASE_LEN];
    rng_bytes(octets, sizeof octets);
    for (size_t i = 0; i < BUNDLE_PASSPHRASE_LEN; i++) {
        out[i] = i % (GROUP + 1) == GROUP ? '-' : alphabet[octets[i] & 31];
    }
    out[BUNDLE_PASSPHRASE_LEN] = '\0';
    explicit_bzero(octets, sizeof octets);
}

static char fold(char c)
{
    c = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    return (char)(c == 'O' ? '0' : c == 'I' || c == 'L' ? '1' : c);
}

enum err bundle_passphrase_fold(const char *text, char out[BUNDLE_PASSPHRASE_MAX], size_t *len,
                                struct err_info *info)
{
    *len = 0;
    for (; *text != '\0'; text++) {
        if (*text == '-' || *text == ' ' || *text == '\t') {
            continue;
        }
        if (*len == BUNDLE_PASSPHRASE_MAX) {
            return err_set(info, ERR_MALFORMED, "the passphrase is longer than %d octets",
                           BUNDLE_PASSPHRASE_MAX);
        }
        out[(*len)++] = fold(*text);
    }
    return *len > 0 ? ERR_OK : err_set(info, ERR_MALFORMED, "the passphrase is empty");
}

enum err bundle_passphrase_read(char *text, size_t len, const char **out, struct err_info *info)
{
    if (len > 0 && text[len - 1] == '\n') {
        len--;
        len -= len > 0 && text[len - 1] == '\r';
    }
    if (len == 0) {
        return err_set(info, ERR_MALFORMED, "the passphrase is empty");
    }
    if (memchr(text, '\n', len) != NULL || memchr(text, '\r', len) != NULL ||
        memchr(text, '\0', len) != NULL) {
        return err_set(info, ERR_MALFORMED, "the passphrase must be one line of text");
    }
    text[len] = '\0';
    *out = text;
    return ERR_OK;
}
