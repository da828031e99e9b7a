#include "rdata_priv.h"

#include <stdio.h>
#include <string.h>

#include "lib/str.h"

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

static void skip_blanks(const char **at)
{
    while (wire_text_is_blank(**at)) {
        (*at)++;
    }
}

static enum err read_fields(const struct rdata_context *c, const struct rdata_layout *layout,
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
        enum err e = rdata_field_read(&at, rdata_layout_kind(layout, i), layout->max == SIZE_MAX, c,
                                      out, info);
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
    enum err e = rdata_string_read(&token, true, out, info);
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
    e = rdata_hex_read(&at, out, info);
    if (e == ERR_OK && !out->bad && out->len != len) {
        e = err_set(info, ERR_MALFORMED, "\\# says %u octets, but %zu follow", len, out->len);
    }
    return e;
}

static enum err read_text(const struct rdata_context *c, const char *text, struct buf_writer *out,
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
    if (c->type == TYPE_TXT && c->style != RDATA_STYLE_ZONE_FILE && *text != '"' && *text != '\0') {
        return read_one_string(text, out, info);
    }
    return read_fields(c, &layout, text, out, info);
}

static enum err from_text(const struct rdata_context *c, const char *text, uint8_t *out,
                          size_t *len, struct err_info *info)
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
    struct rdata_context c = {.type = type, .style = RDATA_STYLE_TEXT, .origin = origin};
    return from_text(&c, text, out, len, info);
}

enum err wire_rdata_from_input(uint16_t type, const char *text, const struct wire_name *apex,
                               uint8_t *out, size_t *len, struct err_info *info)
{
    struct rdata_context c = {.type = type, .style = RDATA_STYLE_INPUT, .origin = apex};
    return from_text(&c, text, out, len, info);
}

enum err rdata_from_zone_text(uint16_t type, const char *text, const struct wire_name *origin,
                              uint8_t *out, size_t *len, struct err_info *info)
{
    struct rdata_context c = {.type = type, .style = RDATA_STYLE_ZONE_FILE, .origin = origin};
    return from_text(&c, text, out, len, info);
}
