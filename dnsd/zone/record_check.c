#include "record.h"

#include <string.h>

/* Owner (as a compression pointer), type, class, TTL, length: RFC 1035 §3.2.1. */
#define RR_OVERHEAD 12

/* Signatures, keys and denials of a signed zone (RFC 4034, 5155, 7344, 8749 and their forerunners).
 */
static const uint16_t dnssec_types[] = {24,         30, TYPE_DS, TYPE_RRSIG, TYPE_NSEC, TYPE_DNSKEY,
                                        TYPE_NSEC3, 51, 59,      60,         32769};

static enum err check_type(uint16_t type, bool at_apex, struct err_info *info)
{
    char name[WIRE_TYPE_TEXT_MAX];
    wire_type_to_text(type, name);
    if (!wire_type_is_data(type)) {
        return err_set(info, ERR_DENIED, "%s is not a type that a zone holds; remove it", name);
    }
    for (size_t i = 0; i < sizeof dnssec_types / sizeof dnssec_types[0]; i++) {
        if (dnssec_types[i] == type) {
            return err_set(info, ERR_DENIED,
                           "%s belongs to DNSSEC, and this zone is not signed; "
                           "remove it",
                           name);
        }
    }
    if (type == TYPE_DNAME) {
        return err_set(info, ERR_DENIED,
                       "DNAME is not served here (RFC 6672 wants answers made from "
                       "it); write a CNAME for each name%s",
                       at_apex ? ", and addresses at the domain itself" : "");
    }
    if (type == TYPE_SOA && !at_apex) {
        return err_set(info, ERR_DENIED, "SOA belongs at the domain itself only; remove it");
    }
    return ERR_OK;
}

static enum err check_rrset(const struct record_rrset *set, bool at_apex, struct err_info *info)
{
    char name[WIRE_TYPE_TEXT_MAX];
    size_t bytes = 0;
    enum err e = check_type(set->type, at_apex, info);
    if (e != ERR_OK) {
        return e;
    }
    wire_type_to_text(set->type, name);
    if (set->ttl > RECORD_TTL_MAX) { /* RFC 2181 §8 */
        return err_set(info, ERR_LIMIT, "the TTL of %s is over %d", name, RECORD_TTL_MAX);
    }
    if ((set->type == TYPE_CNAME || set->type == TYPE_SOA) && set->count > 1) {
        return err_set(info, ERR_CONFLICT, "a name has one %s at most; keep one of the %zu", name,
                       set->count);
    }
    if (set->count > RECORD_RRS_MAX) {
        return err_set(info, ERR_LIMIT, "%zu values of %s; a name has at most %d of a type",
                       set->count, name, RECORD_RRS_MAX);
    }
    for (size_t i = 0; i < set->count; i++) {
        bytes += RR_OVERHEAD + set->data[i].len;
    }
    if (bytes > RECORD_BYTES_MAX) {
        return err_set(info, ERR_LIMIT, "the %s values make %zu bytes; %d fit into an answer", name,
                       bytes, RECORD_BYTES_MAX);
    }
    return ERR_OK;
}

/* _acme-challenge, wherever it is in the part of OWNER before APEX: proofs appear at such a name
 * and, with an account's label in front, below it. */
static bool is_challenge_name(const struct wire_name *owner, const struct wire_name *apex)
{
    static const uint8_t label[] = "\017_acme-challenge";
    size_t own_len = (size_t)(owner->len - apex->len);
    for (size_t at = 0; at < own_len; at += (size_t)owner->bytes[at] + 1) {
        uint8_t folded[WIRE_LABEL_MAX + 1];
        wire_name_fold(folded, owner->bytes + at, (size_t)owner->bytes[at] + 1);
        if (folded[0] == label[0] && memcmp(folded, label, (size_t)label[0] + 1) == 0) {
            return true;
        }
    }
    return false;
}

static enum err check_cname(const struct record_set *set, const struct wire_name *owner,
                            const struct wire_name *apex, struct err_info *info)
{
    char other[WIRE_TYPE_TEXT_MAX];
    const struct record_rrset *cname = record_find(set, TYPE_CNAME);
    if (cname == NULL) {
        return ERR_OK;
    }
    if (owner->len == apex->len) { /* RFC 1912 §2.4: SOA and NS are there */
        return err_set(info, ERR_CONFLICT,
                       "no CNAME at the domain itself; write A and AAAA there, or "
                       "HTTPS 0 <name>");
    }
    if (is_challenge_name(owner, apex)) {
        return err_set(info, ERR_CONFLICT,
                       "no CNAME at a challenge name: the proofs for "
                       "certificates appear there as TXT; remove it");
    }
    if (set->count > 1) { /* RFC 2181 §10.1 */
        wire_type_to_text(set->sets[set->sets[0].type == TYPE_CNAME ? 1 : 0].type, other);
        return err_set(info, ERR_CONFLICT,
                       "a CNAME stands alone at its name, but here is %s too; "
                       "remove one of them",
                       other);
    }
    if (cname->count == 1 && cname->data[0].len == owner->len) {
        struct wire_name target;
        if (wire_name_from_wire(cname->data[0].bytes, cname->data[0].len, &target) == ERR_OK &&
            wire_name_equal(&target, owner)) {
            return err_set(info, ERR_CONFLICT, "this CNAME points to itself");
        }
    }
    return ERR_OK;
}

enum err record_check(const struct record_set *set, const struct wire_name *owner,
                      const struct wire_name *apex, struct err_info *info)
{
    if (!wire_name_is_under(owner, apex)) {
        return err_set(info, ERR_MALFORMED, "the name is not under the domain");
    }
    if (set->count > RECORD_TYPES_MAX) {
        return err_set(info, ERR_LIMIT, "%zu types of records; a name has at most %d", set->count,
                       RECORD_TYPES_MAX);
    }
    for (size_t i = 0; i < set->count; i++) {
        enum err e = check_rrset(&set->sets[i], owner->len == apex->len, info);
        if (e != ERR_OK) {
            return e;
        }
    }
    return check_cname(set, owner, apex, info);
}
