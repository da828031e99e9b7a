/* What the files of cluster/bundle share, and what tests reach without scrypt. */
#ifndef CLUSTER_BUNDLE_PRIV_H
#define CLUSTER_BUNDLE_PRIV_H

#include "bundle.h"

/* ---- bundle_field.c: the texts of a bundle, and what each has to look like --------------------- */

/* ERR_MALFORMED: INFO has the rest of a sentence that begins with the member's path; it quotes nothing. */
typedef enum err bundle_rule(const char *text, struct err_info *info);

struct bundle_field {
    const char *key;
    size_t at; /* of the char * in the struct */
    bundle_rule *rule;
    int needed;     /* from this version on; BUNDLE_OPTIONAL */
    bool empty_too; /* "" says the same as no member */
};
#define BUNDLE_OPTIONAL 1000

/* The members of one object. */
struct bundle_section {
    const struct bundle_field *fields;
    size_t count;
};
extern const struct bundle_section bundle_cluster, bundle_ca, bundle_node, bundle_auth, bundle_acme,
    bundle_platform;                              /* of struct bundle */
extern const struct bundle_section bundle_member; /* of struct bundle_member */

bundle_rule bundle_rule_pin, bundle_rule_secret;

#define BUNDLE_ADDRESS 46 /* the longest address in text, and its NUL */
/* TEXT as it is written: an IPv6 address, which people write in many ways, in its canonical one (RFC 5952). */
const char *bundle_field_written(const struct bundle_field *f, const char *text,
                                 char room[BUNDLE_ADDRESS]);

/* ---- bundle_read.c, bundle_write.c: JSON ------------------------------------------------------- */

/* OUT is overwritten; zeroed after an error. As bundle_open(). */
enum err bundle_read(const char *text, size_t len, struct bundle *out,
                     struct err_info *info) MUST_USE;
/* *text is to be freed with seal_wipe(). ERR_MALFORMED: a text that is not UTF-8; ERR_NOMEM. */
enum err bundle_write(const struct bundle *b, uint8_t **text, size_t *len,
                      struct err_info *info) MUST_USE;

/* ---- bundle_time.c: 2026-11-21T08:30:00.000Z --------------------------------------------------- */

#define BUNDLE_TIME 40
/* Fractions may be there or not. False: no time, or not in UTC. */
bool bundle_time_read(const char *text, int64_t *ms);
void bundle_time_write(int64_t ms, char out[BUNDLE_TIME]);

/* ---- bundle_armour.c --------------------------------------------------------------------------- */

enum err bundle_armour_write(const uint8_t *octets, size_t len, char **text,
                             struct err_info *info) MUST_USE;
/* *octets is the caller's to free. */
enum err bundle_armour_read(const char *text, size_t len, uint8_t **octets, size_t *octets_len,
                            struct err_info *info) MUST_USE;

/* ---- bundle_passphrase.c ----------------------------------------------------------------------- */

#define BUNDLE_PASSPHRASE_MAX 1024
/* What counts of a passphrase: into OUT, its length into *len. ERR_MALFORMED: nothing, or too much. */
enum err bundle_passphrase_fold(const char *text, char out[BUNDLE_PASSPHRASE_MAX], size_t *len,
                                struct err_info *info) MUST_USE;

#endif
