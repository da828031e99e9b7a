/* Signed requests (RFC 8555 §6.2): JWK, thumbprint, flattened JWS with ES256, external account
 * binding. Texts handed out are the caller's to free. ERR_NOMEM, ERR_IO (OpenSSL), ERR_MALFORMED (a text
 * that is not UTF-8). Pure; any thread.
 */
#ifndef ACME_JWS_H
#define ACME_JWS_H

#include "cert/key.h"

#define JWS_THUMBPRINT 44 /* 43 characters and a NUL */

/* {"crv","kty","x","y"} in the order RFC 7638 §3.2 hashes them. */
enum err jws_jwk(const struct cert_key *key, char **out, struct err_info *info) MUST_USE;
enum err jws_thumbprint(const struct cert_key *key, char out[JWS_THUMBPRINT],
                        struct err_info *info) MUST_USE;

struct jws_request {
    const struct cert_key *key;
    const char *kid;   /* account URL; NULL: the key itself goes in (jwk) */
    const char *nonce; /* NULL: none (the inner part of a key change, §7.3.5) */
    const char *url;
    const char *payload; /* JSON; NULL: POST-as-GET, an empty payload (§6.3) */
};
enum err jws_sign(const struct jws_request *r, char **out, struct err_info *info) MUST_USE;

/* What newAccount's externalAccountBinding holds (§7.3.4): KEY's JWK under HMAC_KEY (base64url, with or
 * without padding). HS256. ERR_MALFORMED: the key is not base64url (INFO says what to do: standard base64
 * is a common slip), or shorter than 16 octets. */
enum err jws_bind(const struct cert_key *key, const char *kid, const char *hmac_key,
                  const char *url, char **out, struct err_info *info) MUST_USE;

#endif
