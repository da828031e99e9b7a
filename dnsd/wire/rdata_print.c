#include "rdata_priv.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_number(struct buf_writer *out, uint32_t n)
{
    char digits[16];
    snprintf(digits, sizeof digits, "%u", n);
    rdata_put_text(out, digits);
}

static void put_quoted(struct buf_writer *out, const uint8_t *bytes, size_t len)
{
    buf_put_u8(out, '"');
    for (size_t i = 0; i < len; i++) {
        wire_text_put(out, bytes[i], false);
    }
    buf_put_u8(out, '"');
}

static void put_hex(struct buf_writer *out, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        buf_put_u8(out, (uint8_t) "0123456789abcdef"[bytes[i] >> 4]);
        buf_put_u8(out, (uint8_t) "0123456789abcdef"[bytes[i] & 15]);
    }
}

static void put_name(struct buf_writer *out, struct buf_reader *in)
{
    struct wire_name name;
    char text[WIRE_NAME_TEXT_MAX];
    if (wire_name_from_wire(in->at, buf_left(in), &name) != ERR_OK) {
        in->bad = true;
        return;
    }
    (void)buf_take(in, name.len);
    wire_name_to_text(&name, text);
    rdata_put_text(out, text);
}

static void put_address(struct buf_writer *out, int family, const uint8_t *bytes)
{
    char text[INET6_ADDRSTRLEN] = "";
    (void)inet_ntop(family, bytes, text, sizeof text);
    rdata_put_text(out, text);
}

/* The kinds ldns writes: EUI48, EUI64, ILNP64. Running out of memory shows as no room. */
static void put_by_ldns(struct buf_writer *out, ldns_rdf_type kind, const uint8_t *bytes)
{
    ldns_rdf *rdf = ldns_rdf_new_frm_data(kind, rdata_kind_size(kind), bytes);
    char *text = rdf != NULL ? ldns_rdf2str(rdf) : NULL;
    if (text != NULL) {
        rdata_put_text(out, text);
    } else {
        out->bad = true;
    }
    free(text);
    ldns_rdf_deep_free(rdf);
}

static void put_sized(struct buf_writer *out, ldns_rdf_type kind, const uint8_t *bytes)
{
    switch (kind) {
    case LDNS_RDF_TYPE_A:
        put_address(out, AF_INET, bytes);
        break;
    case LDNS_RDF_TYPE_AAAA:
        put_address(out, AF_INET6, bytes);
        break;
    case LDNS_RDF_TYPE_INT16:
    case LDNS_RDF_TYPE_CERT_ALG:
        put_number(out, get_u16(bytes));
        break;
    case LDNS_RDF_TYPE_INT32:
    case LDNS_RDF_TYPE_PERIOD:
        put_number(out, get_u32(bytes));
        break;
    case LDNS_RDF_TYPE_EUI48:
    case LDNS_RDF_TYPE_EUI64:
    case LDNS_RDF_TYPE_ILNP64:
        put_by_ldns(out, kind, bytes);
        break;
    default:
        put_number(out, bytes[0]);
        break;
    }
}

/* Wants data that passed wire_rdata_check(), so what is taken is there. */
static void put_field(struct buf_writer *out, ldns_rdf_type kind, struct buf_reader *in)
{
    size_t left = buf_left(in);
    size_t len = 0;
    switch (kind) {
    case LDNS_RDF_TYPE_DNAME:
        put_name(out, in);
        break;
    case LDNS_RDF_TYPE_STR:
        len = buf_u8(in);
        put_quoted(out, buf_take(in, len), len);
        break;
    case LDNS_RDF_TYPE_TAG:
        len = buf_u8(in);
        buf_put(out, buf_take(in, len), len);
        break;
    case LDNS_RDF_TYPE_LONG_STR:
        put_quoted(out, buf_take(in, left), left);
        break;
    case LDNS_RDF_TYPE_HEX:
        put_hex(out, buf_take(in, left), left);
        break;
    case LDNS_RDF_TYPE_B64:
        rdata_base64_write(buf_take(in, left), left, out);
        break;
    case LDNS_RDF_TYPE_SVCPARAMS:
        rdata_svcb_write(buf_take(in, left), left, out);
        break;
    default:
        put_sized(out, kind, buf_take(in, rdata_kind_size(kind)));
        break;
    }
}

static void put_fields(struct buf_writer *out, const struct rdata_layout *layout,
                       struct buf_reader *in)
{
    for (size_t i = 0; i < layout->max && (i < layout->min || buf_left(in) > 0); i++) {
        ldns_rdf_type kind = rdata_layout_kind(layout, i);
        if (i > 0 && kind != LDNS_RDF_TYPE_SVCPARAMS) { /* those bring their blanks */
            buf_put_u8(out, ' ');
        }
        put_field(out, kind, in);
    }
}

/* RFC 3597 §5 */
static void put_generic(struct buf_writer *out, const uint8_t *bytes, size_t len)
{
    char head[16];
    snprintf(head, sizeof head, "\\# %zu", len);
    rdata_put_text(out, head);
    if (len > 0) {
        buf_put_u8(out, ' ');
        put_hex(out, bytes, len);
    }
}

enum err wire_rdata_to_text(uint16_t type, const uint8_t *bytes, size_t len, char **out,
                            struct err_info *info)
{
    struct rdata_layout layout;
    struct buf_reader in = buf_reader_of(bytes, len);
    enum err e = wire_rdata_check(type, bytes, len, info);
    if (e != ERR_OK) {
        return e;
    }
    /* No octet needs more than four characters, the blanks and quotes around it included. */
    size_t cap = len * 4 + 64;
    char *text = malloc(cap);
    if (text == NULL) {
        return err_set(info, ERR_NOMEM, "no memory for the text of a record");
    }
    struct buf_writer w = buf_writer_of(text, cap);
    if (rdata_layout_of(type, &layout)) {
        put_fields(&w, &layout, &in);
    } else {
        put_generic(&w, bytes, len);
    }
    buf_put_u8(&w, '\0');
    if (w.bad || in.bad) {
        free(text);
        return err_set(info, ERR_NOMEM, "no memory for the text of a record");
    }
    *out = text;
    return ERR_OK;
}
