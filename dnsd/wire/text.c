#include "text_priv.h"

#include <stdio.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool wire_text_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum err wire_text_octet(const char **at, const char *end, uint8_t *out, struct err_info *info)
{
    const char *p = *at;
    if (*p != '\\') {
        *out = (uint8_t)*p;
        *at = p + 1;
        return ERR_OK;
    }
    p++;
    if (p == end) {
        return err_set(info, ERR_MALFORMED, "the text ends in the middle of an escape");
    }
    if (!is_digit(*p)) {
        *out = (uint8_t)*p;
        *at = p + 1;
        return ERR_OK;
    }
    if (end - p < 3 || !is_digit(p[1]) || !is_digit(p[2])) {
        return err_set(info, ERR_MALFORMED, "\\ before a digit wants three digits, as in \\032");
    }
    int value = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
    if (value > 255) {
        return err_set(info, ERR_MALFORMED, "\\%.3s is more than \\255", p);
    }
    *out = (uint8_t)value;
    *at = p + 3;
    return ERR_OK;
}

/* The quote that ends the string P is inside of, or NULL. */
static const char *closing_quote(const char *p)
{
    for (; *p != '\0' && *p != '"'; p++) {
        if (*p == '\\' && p[1] != '\0') {
            p++;
        }
    }
    return *p == '"' ? p : NULL;
}

/* The first blank after P that is neither escaped nor quoted, or NULL if a quote stays open. */
static const char *end_of_run(const char *p)
{
    while (*p != '\0' && !wire_text_is_blank(*p)) {
        if (*p == '"') {
            p = closing_quote(p + 1);
            if (p == NULL) {
                return NULL;
            }
        } else if (*p == '\\' && p[1] != '\0') {
            p++;
        }
        p++;
    }
    return p;
}

enum err wire_text_next(const char **at, struct wire_token *out, struct err_info *info)
{
    const char *p = *at;
    while (wire_text_is_blank(*p)) {
        p++;
    }
    *at = p;
    *out = (struct wire_token){.at = NULL};
    if (*p == '\0') {
        return ERR_OK;
    }
    bool quoted = *p == '"';
    const char *end = quoted ? closing_quote(p + 1) : end_of_run(p);
    if (end == NULL) {
        return err_set(info, ERR_MALFORMED, "a quoted string has no end");
    }
    *at = end + (quoted ? 1 : 0);
    if (quoted && **at != '\0' && !wire_text_is_blank(**at)) {
        return err_set(info, ERR_MALFORMED, "a blank is missing after a quoted string");
    }
    p += quoted ? 1 : 0;
    *out = (struct wire_token){.at = p, .len = (size_t)(end - p), .quoted = quoted};
    return ERR_OK;
}

enum err wire_text_octets(const struct wire_token *token, struct buf_writer *out,
                          struct err_info *info)
{
    const char *at = token->at;
    const char *end = token->at + token->len;
    while (at < end) {
        uint8_t octet = 0;
        if (*at == '"') {
            return err_set(info, ERR_MALFORMED,
                           "a quote in the middle of text; quote the whole, or write \\\"");
        }
        enum err e = wire_text_octet(&at, end, &octet, info);
        if (e != ERR_OK) {
            return e;
        }
        buf_put_u8(out, octet);
    }
    return out->bad ? err_set(info, ERR_LIMIT, "the data is too long") : ERR_OK;
}

bool wire_text_copy(const struct wire_token *token, char *out, size_t cap)
{
    if (token->len >= cap) {
        return false;
    }
    memcpy(out, token->at, token->len);
    out[token->len] = '\0';
    return true;
}

void wire_text_put(struct buf_writer *out, uint8_t octet, bool bare)
{
    char decimal[8];
    if (octet < ' ' || octet >= 0x7f || (bare && octet == ' ')) {
        snprintf(decimal, sizeof decimal, "\\%03u", octet);
        buf_put(out, decimal, 4);
        return;
    }
    if (octet == '"' || octet == '\\' || (bare && strchr(";()", octet) != NULL)) {
        buf_put_u8(out, '\\');
    }
    buf_put_u8(out, octet);
}
