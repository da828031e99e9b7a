/* A sealed bundle: all that a new core needs to become a member and to serve, in one armoured text.
 *
 *   -----BEGIN DNSD BOOTSTRAP BUNDLE-----
 *   base64 in lines of 64: lib/seal_phrase.h over a JSON object
 *   -----END DNSD BOOTSTRAP BUNDLE-----
 *
 * Written: version 4 (docs/design/0006-joining.md). Read: 4, and the predecessor's 1 to 3 in its armour
 * (PRYV BOOTSTRAP BUNDLE), whose missing members are NULL or empty here. Text before the first and after
 * the last line is ignored, so is white space; anything else is not.
 *
 * Pure but for randomness; any thread, off the loop (scrypt). Secrets are wiped by bundle_free().
 *
 * Errors of bundle_open(), each with its own sentence in INFO: ERR_MALFORMED (not a bundle; broken armour;
 * what is inside makes no sense: the member is named), ERR_LIMIT (a version newer than this program knows;
 * or too large), ERR_DENIED (wrong passphrase, or it was changed on the way), ERR_TIMEOUT (expired; not by
 * itself before bundle_check()), ERR_NOMEM, ERR_IO.
 */
#ifndef CLUSTER_BUNDLE_H
#define CLUSTER_BUNDLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define BUNDLE_TEXT_MAX    (384 * 1024)
#define BUNDLE_MEMBERS_MAX 64
#define BUNDLE_PINS_MAX    4
#define BUNDLE_PASSPHRASE_LEN                                                                      \
    29 /* 6 groups of 4 of 32 letters and digits: 120 bits; and the dashes */
#define BUNDLE_VERSION 4
/* An issuer's clock may be ahead of ours by as much. */
#define BUNDLE_EARLY_MS ((int64_t)2 * 3600 * 1000)

struct bundle_member {
    char *id;        /* owned */
    char *ip, *ipv6; /* owned; NULL */
};
/* Everything is owned; NULL: absent. */
struct bundle {
    int version;
    int64_t issued_ms,
        expires_ms; /* wall clock; expires 0: the bundle does not say (version 1 to 3) */
    struct {
        char *domain; /* NULL: DNSless */
        char *ack_url, *join_token, *ca_pem;
        char *issuer;                    /* core id; NULL before version 4 */
        char *ack_pins[BUNDLE_PINS_MAX]; /* base64 SHA-256 of public keys; none: the cluster's CA */
        size_t ack_pins_count;
        struct bundle_member members[BUNDLE_MEMBERS_MAX]; /* the new core is not among them */
        size_t members_count;
    } cluster;
    struct {
        char *id, *ip, *ipv6, *hosting, *url, *cert_pem, *key_pem;
    } node;
    struct {
        char *admin_access_key, *files_read_token_secret, *at_rest_key, *pii_hmac_key;
        json_t *at_rest_keys; /* version 4: array of texts, the first writes; NULL */
    } secrets;
    struct {
        uint16_t raft_port, http_port;
    } rqlite;
    /* Version 4: the part of the configuration that is the same on every core, as an object of
     * sections. NULL before. */
    json_t *config;
};
void bundle_free(struct bundle *b); /* zeroed is fine; wipes */

/* *text is the caller's to free. The version written is BUNDLE_VERSION; IPv6 addresses are written in their
 * canonical form (RFC 5952), whatever theirs is. What bundle_open() would refuse is not
 * sealed: ERR_MALFORMED with the member's path, ERR_LIMIT. ERR_NOMEM, ERR_IO. */
enum err bundle_seal(const struct bundle *b, const char *passphrase, char **text,
                     struct err_info *info) MUST_USE;
enum err bundle_open(const char *text, size_t len, const char *passphrase, struct bundle *out,
                     struct err_info *info) MUST_USE;
/* What needs the time: ERR_TIMEOUT (expired: when, and what to do), ERR_DENIED (issued in the future: a
 * clock is wrong; the node's certificate is not of the CA, not valid now, or of another id), ERR_CONFLICT
 * (key and certificate), ERR_MALFORMED. */
enum err bundle_check(const struct bundle *b, int64_t now_ms, struct err_info *info) MUST_USE;

/* A fresh passphrase: XXXX-XXXX-XXXX-XXXX-XXXX-XXXX in 32 digits and letters, without I, L, O and U. When it
 * is read, dashes, blanks and letter case do not count, and I, L and O are the digits that they look like
 * (but for version 1, where every octet counts). Wiped by the caller. */
void bundle_passphrase(char out[BUNDLE_PASSPHRASE_LEN + 1]);
/* What a passphrase file holds (as file_read() gives it: TEXT has one octet more than LEN), without the end of
 * its one line. *out is borrowed from TEXT. ERR_MALFORMED: empty, or more than a line. */
enum err bundle_passphrase_read(char *text, size_t len, const char **out,
                                struct err_info *info) MUST_USE;

#endif
