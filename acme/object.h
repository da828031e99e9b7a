/* The resources of RFC 8555 §7.1, read out of JSON into fixed structs. Lenient in what is not needed
 * (unknown members, unknown challenge types, challenges without a token), strict in what is used: URLs
 * must be http(s) and fit, tokens of the base64url alphabet (§8.1). Pure; any thread.
 *
 * ERR_MALFORMED: JSON that is none, or without what is needed; ERR_LIMIT: more than fits. INFO says
 * which member.
 */
#ifndef ACME_OBJECT_H
#define ACME_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "problem.h"

#define ACME_URL_MAX        512
#define ACME_NAME_MAX       256
#define ACME_TOKEN_MAX      256
#define ACME_NAMES_MAX      8 /* names in one order of ours */
#define ACME_CHALLENGES_MAX 8 /* of one authorization; further ones are not looked at */
#define ACME_PROFILES_MAX   16
#define ACME_ISSUERS_MAX    8

struct acme_directory {
    char new_nonce[ACME_URL_MAX], new_account[ACME_URL_MAX], new_order[ACME_URL_MAX];
    char revoke_cert[ACME_URL_MAX], key_change[ACME_URL_MAX]; /* "": not offered */
    char renewal_info[ACME_URL_MAX];                          /* RFC 9773 §4; "": no ARI */
    char terms[ACME_URL_MAX], website[ACME_URL_MAX];          /* "" */
    bool external_account_required;
    char profiles[ACME_PROFILES_MAX][64]; /* names offered */
    size_t profiles_count;
    char caa_identities[ACME_ISSUERS_MAX][ACME_NAME_MAX]; /* lower case */
    size_t caa_identities_count;
};
enum err acme_directory_read(const char *body, size_t len, struct acme_directory *out,
                             struct err_info *info) MUST_USE;

enum acme_status {
    ACME_STATUS_UNKNOWN, /* a word we do not know: as pending, but bounded by the deadline */
    ACME_STATUS_PENDING,
    ACME_STATUS_READY,
    ACME_STATUS_PROCESSING,
    ACME_STATUS_VALID,
    ACME_STATUS_INVALID,
    ACME_STATUS_DEACTIVATED,
    ACME_STATUS_EXPIRED,
    ACME_STATUS_REVOKED
};

struct acme_order_object {
    enum acme_status status;
    int64_t expires_ms; /* 0: not said */
    char finalize[ACME_URL_MAX];
    char certificate[ACME_URL_MAX]; /* "" */
    char authorizations[ACME_NAMES_MAX][ACME_URL_MAX];
    size_t authorizations_count;
    char names[ACME_NAMES_MAX][ACME_NAME_MAX]; /* identifiers of type dns, lower case */
    size_t names_count;
    char profile[64];
    bool has_error;
    struct acme_problem error;
};
enum err acme_order_read(const char *body, size_t len, struct acme_order_object *out,
                         struct err_info *info) MUST_USE;

enum acme_challenge_type { ACME_DNS01, ACME_HTTP01, ACME_ALPN01, ACME_OTHER };

struct acme_challenge {
    enum acme_challenge_type type;
    enum acme_status status;
    char url[ACME_URL_MAX];     /* "": none, or not one that may be used */
    char token[ACME_TOKEN_MAX]; /* "": none, or not one that may be used */
    bool has_error;
    struct acme_problem error;
};
struct acme_authorization {
    enum acme_status status;
    int64_t expires_ms;
    char name[ACME_NAME_MAX]; /* without "*." */
    bool wildcard;
    struct acme_challenge challenges[ACME_CHALLENGES_MAX];
    size_t challenges_count;
};
enum err acme_authorization_read(const char *body, size_t len, struct acme_authorization *out,
                                 struct err_info *info) MUST_USE;
enum err acme_challenge_read(const char *body, size_t len, struct acme_challenge *out,
                             struct err_info *info) MUST_USE;

/* RFC 9773 §4.2. ERR_MALFORMED also: the window ends before it begins. */
struct acme_renewal_info {
    int64_t start_ms, end_ms;
    char explanation[ACME_URL_MAX]; /* "" */
};
enum err acme_renewal_info_read(const char *body, size_t len, struct acme_renewal_info *out,
                                struct err_info *info) MUST_USE;

struct acme_account_object {
    enum acme_status status; /* valid, deactivated, revoked */
    char orders[ACME_URL_MAX];
};
enum err acme_account_read(const char *body, size_t len, struct acme_account_object *out,
                           struct err_info *info) MUST_USE;

/* SHA-256 and base64url of a key authorization (§8.1), for a TXT record (§8.4): OUT has 44 octets.
 * THUMBPRINT is the account key's. */
enum err acme_dns01_value(const char *token, const char *thumbprint, char out[44]) MUST_USE;
/* token "." thumbprint; for HTTP-01 (§8.3). ERR_LIMIT. */
enum err acme_key_authorization(const char *token, const char *thumbprint, char *out,
                                size_t room) MUST_USE;

#endif
