/* What the files of the record data codec share. A type is "typed" here if ldns describes it and
 * all its fields are of kinds handled below; of any other type only the form of RFC 3597 §5 is
 * known.
 *
 * ldns is asked for the layout of types and for the rarer kinds of fields. It is not given whole
 * records or zone files: 1.8 takes `MX 99999` for 34463, repeats an SvcParamKey, reads an alpn list
 * with escapes wrong (RFC 9460 appendix D.2), and has kinds (WKS, LOC) that write out of bounds or
 * read the machine's /etc/services. Numbers, names, addresses, strings and SvcParams are ours.
 */
#ifndef DNSD_WIRE_RDATA_PRIV_H
#define DNSD_WIRE_RDATA_PRIV_H

#include <ldns/ldns.h>
#include <string.h>

#include "rdata.h"
#include "text_priv.h"
#include "type.h"

#define RDATA_TYPE_URI 256
/* More SvcParams than anybody has a use for; keeps sorting and searching small. */
#define RDATA_SVCB_PARAMS_MAX 128
/* EUI48, EUI64, ILNP64: "00-00-5e-ef-10-00-00-2a" is the longest. */
#define RDATA_SHORT_TEXT_MAX 24

struct rdata_layout {
    const ldns_rr_descriptor *descriptor; /* borrowed: static in ldns */
    size_t min;                           /* fields */
    size_t max;                           /* SIZE_MAX: the last kind repeats */
};

/* False: TYPE is not typed. */
bool rdata_layout_of(uint16_t type, struct rdata_layout *out);

static inline ldns_rdf_type rdata_layout_kind(const struct rdata_layout *l, size_t field)
{
    return ldns_rr_descriptor_field_type(l->descriptor, field);
}

/* How text is meant: who wrote it decides what a name without a dot at its end is, and whether
 * blanks separate strings. */
enum rdata_style { RDATA_STYLE_TEXT, RDATA_STYLE_INPUT, RDATA_STYLE_ZONE_FILE };

struct rdata_context {
    uint16_t type;
    enum rdata_style style;
    const struct wire_name *origin; /* borrowed; may be NULL */
};

/* Takes one field off *AT, which is not at its end. REPEATS: strings may be cut into several. */
enum err rdata_field_read(const char **at, ldns_rdf_type kind, bool repeats,
                          const struct rdata_context *c, struct buf_writer *out,
                          struct err_info *info) MUST_USE;

/* One string behind its length (RFC 1035 §3.3); with SPLIT as many as it takes. */
enum err rdata_string_read(const struct wire_token *token, bool split, struct buf_writer *out,
                           struct err_info *info) MUST_USE;

/* Hex digits up to the end of the text; blanks may stand anywhere (RFC 3597 §5). */
enum err rdata_hex_read(const char **at, struct buf_writer *out, struct err_info *info) MUST_USE;

/* Octets of a kind that always has as many; 0 for the others. */
size_t rdata_kind_size(ldns_rdf_type kind);

/* Base64 with its padding and nothing else (RFC 4648 §4); at least one octet. */
enum err rdata_base64_read(const char *text, size_t len, struct buf_writer *out,
                           struct err_info *info) MUST_USE;
void rdata_base64_write(const uint8_t *bytes, size_t len, struct buf_writer *out);

/* SvcParams (RFC 9460 §2.1, §2.2): from the tokens that are left at *AT; a check of the wire form;
 * and the text, each parameter with a blank in front. WRITE wants bytes that passed the check. */
enum err rdata_svcb_read(const char **at, struct buf_writer *out, struct err_info *info) MUST_USE;
enum err rdata_svcb_check(const uint8_t *bytes, size_t len, struct err_info *info) MUST_USE;
void rdata_svcb_write(const uint8_t *bytes, size_t len, struct buf_writer *out);

static inline void rdata_put_text(struct buf_writer *out, const char *text)
{
    buf_put(out, text, strlen(text));
}

/* wire_rdata_from_text(), but blanks separate the strings of unquoted TXT as in a zone file. */
enum err rdata_from_zone_text(uint16_t type, const char *text, const struct wire_name *origin,
                              uint8_t *out, size_t *len, struct err_info *info) MUST_USE;

/* Seconds, or with units as in 1h30m. */
bool rdata_period_read(const char *text, uint32_t max, uint32_t *out);

#endif
