#include "rdata_priv.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/str.h"

/* How much of a token a message shows. */
#define SHOWN(token) (int)((token)->len < 60 ? (token)->len : 60), (token)->at

/* For messages: what the data of a common type looks like. */
static const struct {
    uint16_t type;
    const char *text;
} examples[] = {
    {TYPE_A, "192.0.2.1"},
    {TYPE_AAAA, "2001:db8::1"},
    {TYPE_CNAME, "host.example.org."},
    {TYPE_NS, "ns1.example.org."},
    {TYPE_PTR, "host.example.org."},
    {TYPE_MX, "10 mail.example.org."},
    {TYPE_SRV, "0 5 443 host.example.org."},
    {TYPE_TXT, "some text"},
    {TYPE_CAA, "0 issue \"letsencrypt.org\""},
    {TYPE_HTTPS, "1 . alpn=h2,h3"},
    {TYPE_SVCB, "1 host.example.org. port=8443"},
    {TYPE_TLSA, "3 1 1 <hex>"},
    {TYPE_DS, "12345 13 2 <hex>"},
    {44, "4 2 <hex>"},
    {35, "100 10 \"U\" \"E2U+sip\" \"!^.*$!sip:info@example.org!\" ."},
    {RDATA_TYPE_URI, "10 1 \"https://example.org/\""},
    {TYPE_HINFO, "\"PC\" \"Linux\""},
    {TYPE_SOA, "ns1.example.org. admin.example.org. 1 3600 900 604800 60"},
};

static enum err malformed(uint16_t type, const char *what, struct err_info *info)
{
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        if (examples[i].type == type) {
            return err_set(info, ERR_MALFORMED, "%s; it should look like: %s", what,
                           examples[i].text);
        }
    }
    return err_set(info, ERR_MALFORMED, "%s", what);
}

/* How text is meant: who wrote it decides what a name without a dot at its end is, and whether
 * blanks separate strings. */
enum style { STYLE_TEXT, STYLE_INPUT, STYLE_ZONE_FILE };

struct context {
    uint16_t type;
    enum style style;
    const struct wire_name *origin; /* borrowed; may be NULL */
};

/* --- fields of a fixed size --------------------------------------------------------------------
 */

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

/* --- the other fields --------------------------------------------------------------------------
 */

/* An operator's name: only a single label is relative. */
static enum err read_input_name(const char *text, const struct wire_name *apex,
                                struct wire_name *out, struct err_info *info)
{
    if (looks_like_ipv4(text) || looks_like_ipv6(text)) {
        return err_set(info, ERR_MALFORMED, "this is an address, but a host name belongs here");
    }
    enum err e = strcmp(text, "@") != 0 ? wire_name_from_text(text, NULL, out, info) : ERR_OK;
    if (e == ERR_OK && (strcmp(text, "@") == 0 || out->labels == 1)) {
        e = wire_name_from_text(text, apex, out, info);
    }
    return e;
}

static enum err read_name(const struct wire_token *token, const struct context *c,
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
    enum err e = c->style == STYLE_INPUT ? read_input_name(text, c->origin, &name, info)
                                         : wire_name_from_text(text, c->origin, &name, info);
    if (e != ERR_OK) {
        return err_prefix(info, e, "\"%.*s\": ", SHOWN(token));
    }
    buf_put(out, name.bytes, name.len);
    return ERR_OK;
}

/* One string behind its length (RFC 1035 §3.3); with SPLIT as many as it takes. */
static enum err read_string(const struct wire_token *token, bool split, struct buf_writer *out,
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

/* Hex digits up to the end of the text; blanks may stand anywhere (RFC 3597 §5). */
static enum err read_hex(const char **at, struct buf_writer *out, struct err_info *info)
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

/* --- records -----------------------------------------------------------------------------------
 */

static enum err read_field(const char **at, ldns_rdf_type kind, bool repeats,
                           const struct context *c, struct buf_writer *out, struct err_info *info)
{
    struct wire_token token;
    switch (kind) {
    case LDNS_RDF_TYPE_HEX:
        return read_hex(at, out, info);
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
        return read_string(&token, repeats, out, info);
    case LDNS_RDF_TYPE_LONG_STR:
        return wire_text_octets(&token, out, info);
    case LDNS_RDF_TYPE_TAG:
        return read_tag(&token, out, info);
    default:
        return read_sized(&token, kind, out, info);
    }
}

static void skip_blanks(const char **at)
{
    while (wire_text_is_blank(**at)) {
        (*at)++;
    }
}

static enum err read_fields(const struct context *c, const struct rdata_layout *layout,
                            const char *at, struct buf_writer *out, struct err_info *info)
{
    char name[WIRE_TYPE_TEXT_MAX];
    wire_type_to_text(c->type, name);
    for (size_t i = 0; i < layout->max; i++) {
        skip_blanks(&at);
        if (*at == '\0' && i >= layout->min) {
            break;
        }
        if (*at == '\0') {
            enum err e =
                malformed(c->type, i == 0 ? "the value is missing" : "too few fields", info);
            return err_prefix(info, e, "%s: ", name);
        }
        enum err e =
            read_field(&at, rdata_layout_kind(layout, i), layout->max == SIZE_MAX, c, out, info);
        if (e != ERR_OK) {
            return layout->max == 1 ? err_prefix(info, e, "%s: ", name)
                                    : err_prefix(info, e, "%s field %zu: ", name, i + 1);
        }
    }
    skip_blanks(&at);
    if (*at != '\0') {
        return err_prefix(info, malformed(c->type, "too many fields", info), "%s: ", name);
    }
    return ERR_OK;
}

/* All of TEXT as one string, whatever blanks are in it: how operators write TXT. */
static enum err read_one_string(const char *text, struct buf_writer *out, struct err_info *info)
{
    size_t len = strlen(text);
    while (len > 0 && wire_text_is_blank(text[len - 1])) {
        len--;
    }
    struct wire_token token = {.at = text, .len = len};
    enum err e = read_string(&token, true, out, info);
    return e == ERR_OK ? ERR_OK : err_prefix(info, e, "TXT: ");
}

/* RFC 3597 §5: \# LENGTH HEX, for types known and unknown. */
static enum err read_generic(const char *at, struct buf_writer *out, struct err_info *info)
{
    struct wire_token token;
    char digits[8];
    uint32_t len = 0;
    enum err e = wire_text_next(&at, &token, info);
    if (e != ERR_OK) {
        return e;
    }
    if (token.at == NULL || !wire_text_copy(&token, digits, sizeof digits) ||
        !str_parse_u32(digits, WIRE_RDATA_MAX, &len)) {
        return err_set(info, ERR_MALFORMED, "after \\# comes a length, as in \\# 4 0a000001");
    }
    e = read_hex(&at, out, info);
    if (e == ERR_OK && !out->bad && out->len != len) {
        e = err_set(info, ERR_MALFORMED, "\\# says %u octets, but %zu follow", len, out->len);
    }
    return e;
}

static enum err read_text(const struct context *c, const char *text, struct buf_writer *out,
                          struct err_info *info)
{
    struct rdata_layout layout;
    char name[WIRE_TYPE_TEXT_MAX];
    skip_blanks(&text);
    if (text[0] == '\\' && text[1] == '#' && (text[2] == '\0' || wire_text_is_blank(text[2]))) {
        return read_generic(text + 2, out, info);
    }
    if (!rdata_layout_of(c->type, &layout)) {
        wire_type_to_text(c->type, name);
        return err_set(info, ERR_MALFORMED,
                       "%s has no text form of its own here; write \\# LENGTH HEX, as in "
                       "\\# 2 abcd (RFC 3597)",
                       name);
    }
    if (c->type == TYPE_TXT && c->style != STYLE_ZONE_FILE && *text != '"' && *text != '\0') {
        return read_one_string(text, out, info);
    }
    return read_fields(c, &layout, text, out, info);
}

static enum err from_text(const struct context *c, const char *text, uint8_t *out, size_t *len,
                          struct err_info *info)
{
    struct buf_writer w = buf_writer_of(out, WIRE_RDATA_MAX);
    if (strnlen(text, WIRE_RDATA_TEXT_MAX) == WIRE_RDATA_TEXT_MAX) {
        return err_set(info, ERR_LIMIT, "the text of a record is too long");
    }
    enum err e = read_text(c, text, &w, info);
    if (e == ERR_OK && w.bad) {
        e = err_set(info, ERR_LIMIT, "a record holds at most %d octets", WIRE_RDATA_MAX);
    }
    if (e == ERR_OK) {
        e = wire_rdata_check(c->type, out, w.len, info);
    }
    if (e == ERR_OK) {
        *len = w.len;
    }
    return e;
}

enum err wire_rdata_from_text(uint16_t type, const char *text, const struct wire_name *origin,
                              uint8_t *out, size_t *len, struct err_info *info)
{
    struct context c = {.type = type, .style = STYLE_TEXT, .origin = origin};
    return from_text(&c, text, out, len, info);
}

enum err wire_rdata_from_input(uint16_t type, const char *text, const struct wire_name *apex,
                               uint8_t *out, size_t *len, struct err_info *info)
{
    struct context c = {.type = type, .style = STYLE_INPUT, .origin = apex};
    return from_text(&c, text, out, len, info);
}

enum err rdata_from_zone_text(uint16_t type, const char *text, const struct wire_name *origin,
                              uint8_t *out, size_t *len, struct err_info *info)
{
    struct context c = {.type = type, .style = STYLE_ZONE_FILE, .origin = origin};
    return from_text(&c, text, out, len, info);
}
