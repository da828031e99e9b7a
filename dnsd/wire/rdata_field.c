/* The fields of record data, from text to octets. Which fields a type has is in its layout. */
#include "rdata_priv.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/str.h"

/* How much of a token a message shows. */
#define SHOWN(token) (int)((token)->len < 60 ? (token)->len : 60), (token)->at

/* ---- fields of a fixed size ---- */

static bool looks_like_ipv4(const char *text)
{
    struct in_addr address;
    return inet_pton(AF_INET, text, &address) == 1;
}

static bool looks_like_ipv6(const char *text)
{
    struct in6_addr address;
    return inet_pton(AF_INET6, text, &address) == 1;
}

/* inet_pton() takes a dotted quad only: no octal, no short forms. */
static enum err read_address(const char *text, int family, struct buf_writer *out,
                             struct err_info *info)
{
    uint8_t address[16];
    bool v4 = family == AF_INET;
    if (inet_pton(family, text, address) == 1) {
        buf_put(out, address, v4 ? 4 : 16);
        return ERR_OK;
    }
    if (v4 && looks_like_ipv6(text)) {
        return err_set(info, ERR_MALFORMED, "\"%s\" is an IPv6 address; it belongs in AAAA", text);
    }
    if (!v4 && looks_like_ipv4(text)) {
        return err_set(info, ERR_MALFORMED, "\"%s\" is an IPv4 address; it belongs in A", text);
    }
    return err_set(info, ERR_MALFORMED, "\"%s\" is not an IPv%d address, as in %s", text,
                   v4 ? 4 : 6, v4 ? "192.0.2.1" : "2001:db8::1");
}

bool rdata_period_read(const char *text, uint32_t max, uint32_t *out)
{
    static const char units[] = "smhdwSMHDW";
    static const uint32_t seconds[] = {1, 60, 3600, 86400, 604800};
    uint64_t sum = 0;
    if (*text == '\0') {
        return false;
    }
    while (*text != '\0') {
        uint64_t number = 0;
        const char *start = text;
        for (; *text >= '0' && *text <= '9' && number <= max; text++) {
            number = number * 10 + (uint64_t)(*text - '0');
        }
        const char *unit = *text != '\0' ? strchr(units, *text) : NULL;
        if (text == start || (*text != '\0' && unit == NULL)) {
            return false;
        }
        if (unit != NULL) {
            number *= seconds[(size_t)(unit - units) % 5];
            text++;
        }
        sum += number;
        if (sum > max) {
            return false;
        }
    }
    *out = (uint32_t)sum;
    return true;
}

/* EUI48, EUI64, ILNP64, and mnemonics where a number may have one (RSASHA256, PKIX, DANE-EE): ldns
 * reads these with sscanf() and table look-ups that are safe for short words of these characters.
 */
static enum err read_by_ldns(const char *text, ldns_rdf_type kind, struct buf_writer *out,
                             struct err_info *info)
{
    static const char allowed[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-:";
    ldns_rdf *rdf = NULL;
    enum err e = ERR_OK;
    size_t len = strlen(text);
    if (len == 0 || len > RDATA_SHORT_TEXT_MAX || strspn(text, allowed) != len ||
        (rdf = ldns_rdf_new_frm_str(kind, text)) == NULL ||
        ldns_rdf_size(rdf) != rdata_kind_size(kind)) {
        e = err_set(info, ERR_MALFORMED, "\"%s\" cannot be read", text);
        goto out;
    }
    buf_put(out, ldns_rdf_data(rdf), ldns_rdf_size(rdf));
out:
    ldns_rdf_deep_free(rdf);
    return e;
}

static enum err read_number(const char *text, ldns_rdf_type kind, struct buf_writer *out,
                            struct err_info *info)
{
    size_t size = rdata_kind_size(kind);
    uint32_t max = size == 1 ? UINT8_MAX : size == 2 ? UINT16_MAX : UINT32_MAX;
    uint32_t number = 0;
    bool mnemonic = kind != LDNS_RDF_TYPE_INT8 && kind != LDNS_RDF_TYPE_INT16 &&
                    kind != LDNS_RDF_TYPE_INT32 && kind != LDNS_RDF_TYPE_PERIOD;
    if (mnemonic && (*text < '0' || *text > '9')) {
        return read_by_ldns(text, kind, out, info);
    }
    if (kind == LDNS_RDF_TYPE_PERIOD ? !rdata_period_read(text, max, &number)
                                     : !str_parse_u32(text, max, &number)) {
        return err_set(info, ERR_MALFORMED, "\"%s\" must be a number from 0 to %u", text, max);
    }
    if (size == 1) {
        buf_put_u8(out, (uint8_t)number);
    } else if (size == 2) {
        buf_put_u16(out, (uint16_t)number);
    } else {
        buf_put_u32(out, number);
    }
    return ERR_OK;
}

static enum err read_sized(const struct wire_token *token, ldns_rdf_type kind,
                           struct buf_writer *out, struct err_info *info)
{
    char text[64];
    if (token->quoted || !wire_text_copy(token, text, sizeof text)) {
        return err_set(info, ERR_MALFORMED, "\"%.*s\" cannot be read", SHOWN(token));
    }
    switch (kind) {
    case LDNS_RDF_TYPE_A:
        return read_address(text, AF_INET, out, info);
    case LDNS_RDF_TYPE_AAAA:
        return read_address(text, AF_INET6, out, info);
    case LDNS_RDF_TYPE_EUI48:
    case LDNS_RDF_TYPE_EUI64:
    case LDNS_RDF_TYPE_ILNP64:
        return read_by_ldns(text, kind, out, info);
    default:
        return read_number(text, kind, out, info);
    }
}

/* ---- the other fields ---- */

/* An operator's name: only a single label is relative. */
static enum err read_input_name(const char *text, const struct wire_name *apex,
                                struct wire_name *out, struct err_info *info)
{
    if (looks_like_ipv4(text) || looks_like_ipv6(text)) {
        return err_set(info, ERR_MALFORMED, "this is an address, but a host name belongs here");
    }
    if (strcmp(text, "@") != 0) {
        enum err e = wire_name_from_text(text, NULL, out, info);
        if (e != ERR_OK || out->labels != 1) {
            return e;
        }
    }
    return wire_name_from_text(text, apex, out, info);
}

static enum err read_name(const struct wire_token *token, const struct rdata_context *c,
                          struct buf_writer *out, struct err_info *info)
{
    char text[WIRE_NAME_TEXT_MAX];
    struct wire_name name;
    if (token->quoted) {
        return err_set(info, ERR_MALFORMED, "a name is written without quotes");
    }
    if (!wire_text_copy(token, text, sizeof text)) {
        return err_set(info, ERR_MALFORMED, "a name has at most %d octets", WIRE_NAME_MAX);
    }
    enum err e = c->style == RDATA_STYLE_INPUT ? read_input_name(text, c->origin, &name, info)
                                               : wire_name_from_text(text, c->origin, &name, info);
    if (e != ERR_OK) {
        return err_prefix(info, e, "\"%.*s\": ", SHOWN(token));
    }
    buf_put(out, name.bytes, name.len);
    return ERR_OK;
}

enum err rdata_string_read(const struct wire_token *token, bool split, struct buf_writer *out,
                           struct err_info *info)
{
    enum err e;
    uint8_t *bytes = malloc(token->len + 1);
    if (bytes == NULL) {
        return err_set(info, ERR_NOMEM, "no memory to read a record");
    }
    struct buf_writer octets = buf_writer_of(bytes, token->len);
    e = wire_text_octets(token, &octets, info);
    if (e == ERR_OK && octets.len > 255 && !split) {
        e = err_set(info, ERR_MALFORMED, "a string has at most 255 octets");
    }
    if (e != ERR_OK) {
        goto out;
    }
    for (size_t at = 0; at == 0 || at < octets.len; at += 255) {
        size_t n = octets.len - at < 255 ? octets.len - at : 255;
        buf_put_u8(out, (uint8_t)n);
        buf_put(out, bytes + at, n);
    }
out:
    free(bytes);
    return e;
}

static enum err read_tag(const struct wire_token *token, struct buf_writer *out,
                         struct err_info *info)
{
    if (token->quoted || token->len > 255) {
        return err_set(info, ERR_MALFORMED, "a tag is one word of up to 255 letters and digits");
    }
    buf_put_u8(out, (uint8_t)token->len);
    buf_put(out, token->at, token->len); /* what it is made of is checked at the end */
    return ERR_OK;
}

static int hex_value(char c)
{
    const char *digits = "0123456789abcdef0123456789ABCDEF";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)((at - digits) % 16) : -1;
}

enum err rdata_hex_read(const char **at, struct buf_writer *out, struct err_info *info)
{
    int high = -1;
    for (; **at != '\0'; (*at)++) {
        if (wire_text_is_blank(**at)) {
            continue;
        }
        int value = hex_value(**at);
        if (value < 0) {
            return err_set(info, ERR_MALFORMED, "'%c' is not a hex digit",
                           **at > ' ' && **at < 0x7f ? **at : '?');
        }
        if (high < 0) {
            high = value;
        } else {
            buf_put_u8(out, (uint8_t)(high * 16 + value));
            high = -1;
        }
    }
    return high < 0 ? ERR_OK : err_set(info, ERR_MALFORMED, "a hex digit is missing at the end");
}

/* Base64 up to the end of the text, blanks in between. */
static enum err read_base64(const char **at, struct buf_writer *out, struct err_info *info)
{
    size_t len = 0;
    char *joined = malloc(strlen(*at) + 1);
    if (joined == NULL) {
        return err_set(info, ERR_NOMEM, "no memory to read a record");
    }
    for (; **at != '\0'; (*at)++) {
        if (!wire_text_is_blank(**at)) {
            joined[len++] = **at;
        }
    }
    enum err e = rdata_base64_read(joined, len, out, info);
    free(joined);
    return e;
}

enum err rdata_field_read(const char **at, ldns_rdf_type kind, bool repeats,
                          const struct rdata_context *c, struct buf_writer *out,
                          struct err_info *info)
{
    struct wire_token token;
    switch (kind) {
    case LDNS_RDF_TYPE_HEX:
        return rdata_hex_read(at, out, info);
    case LDNS_RDF_TYPE_B64:
        return read_base64(at, out, info);
    case LDNS_RDF_TYPE_SVCPARAMS:
        return rdata_svcb_read(at, out, info);
    default:
        break;
    }
    enum err e = wire_text_next(at, &token, info);
    if (e != ERR_OK) {
        return e;
    }
    switch (kind) {
    case LDNS_RDF_TYPE_DNAME:
        return read_name(&token, c, out, info);
    case LDNS_RDF_TYPE_STR:
        return rdata_string_read(&token, repeats, out, info);
    case LDNS_RDF_TYPE_LONG_STR:
        return wire_text_octets(&token, out, info);
    case LDNS_RDF_TYPE_TAG:
        return read_tag(&token, out, info);
    default:
        return read_sized(&token, kind, out, info);
    }
}
