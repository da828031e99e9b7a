/* Who may have a name. One place for the rules that every door (the tools, the HTTP API) applies
 * before it writes a row, so that nothing is stored that could never be answered, and nothing hides
 * what is there.
 *
 * Order of meaning for a name below the domain; the first that matches is answered:
 *   lsc and the service names -> the name servers' own names -> the configuration's static entries
 *   -> stored records -> core ids -> users -> the wildcard.
 * A row is refused if anything above it has its name (it would never be answered), or if a row of
 * another kind below it has (that one would no longer be). A row of the same kind is no reason.
 *
 * Pure: what the configuration says is copied into struct names, which rows exist is told by the
 * caller with each question. A struct names does not change once made; any thread may ask it.
 * Aborts when out of memory (writer side, see lib/mem.h).
 */
#ifndef DNSD_ZONE_NAMES_H
#define DNSD_ZONE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsd/wire/name.h"

/* In the order of meaning. */
enum names_kind {
    NAMES_NONE,
    NAMES_DISCOVERY, /* lsc: how the members of the cluster find each other */
    NAMES_SERVICE,
    NAMES_SERVER, /* a name server's own name */
    NAMES_STATIC, /* dns.staticEntries */
    NAMES_RECORD, /* dns-record/ */
    NAMES_CORE,   /* core-info/ */
    NAMES_USER,   /* user-core/ */
};

/* What the configuration says; all borrowed for the call of names_new(). */
struct names_config {
    const struct wire_name *apex; /* the domain; the root if there is none */
    const char *const *services;  /* labels or names below the apex; any case */
    size_t service_count;
    const char *const *servers; /* the same for dns.nameservers */
    size_t server_count;
    bool servers_numbered; /* dns1, dns2, ... are made from the cores: all of them are kept free */
    const struct wire_name *statics; /* absolute */
    size_t static_count;
    const uint16_t *root_types; /* what dns.records.root has */
    size_t root_type_count;
};

struct names;

/* Texts that are not names are left out: the configuration's reader has refused them. */
struct names *names_new(const struct names_config *config);
void names_free(struct names *n);

/* A user name or a core id: one label of letters, digits and '-' (RFC 952, RFC 1123 §2.1), at most
 * WIRE_LABEL_MAX, not beginning or ending with '-'. OUT (WIRE_LABEL_MAX + 1) gets it in lower case.
 * ERR_MALFORMED says which rule was broken. */
enum err names_label(const char *text, char *out, struct err_info *info) MUST_USE;

/* What the configuration makes of OWNER (absolute; any case): NAMES_NONE or one of the first four.
 */
enum names_kind names_fixed(const struct names *n, const struct wire_name *owner);

/* Which rows there are under one name. */
struct names_rows {
    bool record, core, user;
};

/* What above a row of KIND (NAMES_RECORD, _CORE, _USER) answers for OWNER in its place, NAMES_NONE
 * if the row is answered. */
enum names_kind names_shadow(const struct names *n, enum names_kind kind,
                             const struct wire_name *owner, const struct names_rows *rows);

/* May a row of KIND be written at OWNER? ERR_CONFLICT with the reason if not. */
enum err names_check(const struct names *n, enum names_kind kind, const struct wire_name *owner,
                     const struct names_rows *rows, struct err_info *info) MUST_USE;

/* May records of TYPE be stored at OWNER? Names mean one thing as a whole, but the apex means one
 * per type: what dns.records.root has is answered in place of what is stored, and the SOA is made
 * by the daemon (two would be no zone: RFC 1035 §5.2). ERR_CONFLICT with the reason if not. */
enum err names_check_type(const struct names *n, const struct wire_name *owner, uint16_t type,
                          struct err_info *info) MUST_USE;

/* "a service name (dns.serviceNames)": for messages. Never NULL. */
const char *names_kind_text(enum names_kind kind);

#endif
