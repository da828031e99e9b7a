#include "rdata_priv.h"

#include <stdint.h>

static bool is_handled(ldns_rdf_type kind)
{
    switch (kind) {
    case LDNS_RDF_TYPE_DNAME:
    case LDNS_RDF_TYPE_STR:
    case LDNS_RDF_TYPE_LONG_STR:
    case LDNS_RDF_TYPE_TAG:
    case LDNS_RDF_TYPE_HEX:
    case LDNS_RDF_TYPE_B64:
    case LDNS_RDF_TYPE_SVCPARAMS:
        return true;
    default:
        return rdata_kind_size(kind) > 0;
    }
}

size_t rdata_kind_size(ldns_rdf_type kind)
{
    switch (kind) {
    case LDNS_RDF_TYPE_INT8:
    case LDNS_RDF_TYPE_ALG:
    case LDNS_RDF_TYPE_CERTIFICATE_USAGE:
    case LDNS_RDF_TYPE_SELECTOR:
    case LDNS_RDF_TYPE_MATCHING_TYPE:
        return 1;
    case LDNS_RDF_TYPE_INT16:
    case LDNS_RDF_TYPE_CERT_ALG:
        return 2;
    case LDNS_RDF_TYPE_INT32:
    case LDNS_RDF_TYPE_PERIOD:
    case LDNS_RDF_TYPE_A:
        return 4;
    case LDNS_RDF_TYPE_EUI48:
        return 6;
    case LDNS_RDF_TYPE_EUI64:
    case LDNS_RDF_TYPE_ILNP64:
        return 8;
    case LDNS_RDF_TYPE_AAAA:
        return 16;
    default:
        return 0;
    }
}

bool rdata_layout_of(uint16_t type, struct rdata_layout *out)
{
    const ldns_rr_descriptor *d = ldns_rr_descript(type);
    if (d == NULL) {
        return false;
    }
    size_t min = ldns_rr_descriptor_minimum(d);
    size_t max = ldns_rr_descriptor_maximum(d);
    bool repeats = max > LDNS_MAX_RDFLEN; /* ldns says UINT_MAX */
    /* Of a repeating kind one more than the minimum is enough to see it. */
    size_t kinds = repeats ? min + 1 : max;
    for (size_t i = 0; i < kinds; i++) {
        if (!is_handled(ldns_rr_descriptor_field_type(d, i))) {
            return false;
        }
    }
    *out = (struct rdata_layout){.descriptor = d, .min = min, .max = repeats ? SIZE_MAX : max};
    return true;
}

static enum err check_name(struct buf_reader *in, struct err_info *info)
{
    struct wire_name name;
    if (wire_name_from_wire(in->at, buf_left(in), &name) != ERR_OK) {
        return err_set(info, ERR_MALFORMED, "not an uncompressed name");
    }
    (void)buf_take(in, name.len);
    return ERR_OK;
}

/* RFC 8659 §4.1: one octet of length, then letters and digits. */
static enum err check_tag(struct buf_reader *in, struct err_info *info)
{
    size_t len = buf_u8(in);
    const uint8_t *tag = buf_take(in, len);
    if (tag == NULL || len == 0) {
        return err_set(info, ERR_MALFORMED, "a tag of 1 octet or more must be there");
    }
    for (size_t i = 0; i < len; i++) {
        uint8_t c = tag[i];
        if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9')) {
            return err_set(info, ERR_MALFORMED, "a tag is made of letters and digits only");
        }
    }
    return ERR_OK;
}

static enum err check_field(ldns_rdf_type kind, struct buf_reader *in, struct err_info *info)
{
    size_t left = buf_left(in);
    switch (kind) {
    case LDNS_RDF_TYPE_DNAME:
        return check_name(in, info);
    case LDNS_RDF_TYPE_TAG:
        return check_tag(in, info);
    case LDNS_RDF_TYPE_STR:
        (void)buf_take(in, buf_u8(in)); /* RFC 1035 §3.3: <character-string> */
        break;
    case LDNS_RDF_TYPE_LONG_STR: /* all that is left, and nothing is enough */
        (void)buf_take(in, left);
        return ERR_OK;
    case LDNS_RDF_TYPE_HEX:
    case LDNS_RDF_TYPE_B64:
        (void)buf_take(in, left > 0 ? left : 1);
        break;
    case LDNS_RDF_TYPE_SVCPARAMS:
        return rdata_svcb_check(buf_take(in, left), left, info);
    default:
        (void)buf_take(in, rdata_kind_size(kind));
        break;
    }
    return in->bad ? err_set(info, ERR_MALFORMED, "the data ends too early") : ERR_OK;
}

enum err wire_rdata_check(uint16_t type, const uint8_t *bytes, size_t len, struct err_info *info)
{
    struct rdata_layout layout;
    struct buf_reader in = buf_reader_of(bytes, len);
    char name[WIRE_TYPE_TEXT_MAX];
    wire_type_to_text(type, name);
    if (len > WIRE_RDATA_MAX) {
        return err_set(info, ERR_LIMIT, "%s data has at most %d octets", name, WIRE_RDATA_MAX);
    }
    if (!rdata_layout_of(type, &layout)) {
        return ERR_OK;
    }
    for (size_t i = 0; i < layout.max && (i < layout.min || buf_left(&in) > 0); i++) {
        enum err e = check_field(rdata_layout_kind(&layout, i), &in, info);
        if (e != ERR_OK) {
            return layout.max == 1 ? err_prefix(info, e, "%s: ", name)
                                   : err_prefix(info, e, "%s field %zu: ", name, i + 1);
        }
    }
    if (buf_left(&in) > 0) {
        return err_set(info, ERR_MALFORMED, "%s data goes on after its end", name);
    }
    if (type == RDATA_TYPE_URI && len <= 4) { /* RFC 7553 §4.4 */
        return err_set(info, ERR_MALFORMED, "URI: the target must not be empty");
    }
    return ERR_OK;
}
