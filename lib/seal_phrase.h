/* Sealing with a passphrase: AES-256-GCM under a key from scrypt (RFC 7914).
 *
 *   octet 0        version: 2
 *   octet 1        log2 N          scrypt's cost: 15 by default; 10 to 20 are opened
 *   octets 2, 3    r, p            8 and 1; 1 to 32 and 1 to 16
 *   octets 4-19    salt
 *   octets 20-31   nonce
 *   ...            ciphertext
 *   the last 16    tag
 *
 * The first 32 octets are authenticated with the text. Version 1 (the predecessor's) is opened, never
 * written: 1, salt, nonce, tag, ciphertext; N = 2^15, r = 8, p = 1; nothing else authenticated.
 *
 * scrypt takes some 60 ms and 32 MiB by default, by design: off the loop. Opening never uses more than
 * SEAL_PHRASE_MEMORY, whatever the header says.
 *
 * Errors of opening: ERR_MALFORMED (too short, or parameters out of bounds), ERR_LIMIT (a version that is not
 * known here; or more than SEAL_PHRASE_MAX), ERR_DENIED (wrong passphrase, or changed on the way: nobody can
 * tell which), ERR_NOMEM, ERR_IO (OpenSSL refuses). Any thread.
 */
#ifndef LIB_SEAL_PHRASE_H
#define LIB_SEAL_PHRASE_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define SEAL_PHRASE_MAX    (256 * 1024) /* of the text inside */
#define SEAL_PHRASE_MEMORY ((uint64_t)256 * 1024 * 1024)

/* *out is the caller's to free. */
enum err seal_phrase_close(const char *phrase, size_t phrase_len, const void *plain, size_t len,
                           uint8_t **out, size_t *out_len, struct err_info *info) MUST_USE;
/* *out has one NUL more than *len counts; free it with seal_wipe() (lib/seal.h). */
enum err seal_phrase_open(const char *phrase, size_t phrase_len, const void *sealed, size_t len,
                          uint8_t **out, size_t *out_len, struct err_info *info) MUST_USE;

/* What the first octet says, as unauthenticated as it is; 0: there is none. */
unsigned seal_phrase_version(const void *sealed, size_t len);

#endif
