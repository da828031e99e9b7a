#include "token.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/digest.h"
#include "lib/rng.h"

#define OCTETS 32

static_assert(TOKEN_HASH == 2 * DIGEST_SHA256_LEN + 1, "hex of SHA-256");

void token_new(char out[TOKEN_LEN + 1])
{
    uint8_t octets[OCTETS];
    char text[BASE64_ROOM(OCTETS)];
    rng_bytes(octets, sizeof octets);
    base64url_encode(octets, sizeof octets, text);
    memcpy(out, text, TOKEN_LEN + 1);
    explicit_bzero(octets, sizeof octets);
    explicit_bzero(text, sizeof text);
}

/* Of the text, as the predecessor does it. */
bool token_hash(const char *text, char out[TOKEN_HASH])
{
    uint8_t octets[TOKEN_LEN / 4 * 3 + 3], digest[DIGEST_SHA256_LEN];
    size_t len = 0;
    out[0] = '\0';
    bool well = strnlen(text, TOKEN_LEN + 1) == TOKEN_LEN &&
                base64url_decode(text, TOKEN_LEN, octets, &len) && len == OCTETS &&
                digest_sha256(text, TOKEN_LEN, digest) == ERR_OK;
    for (size_t i = 0; well && i < sizeof digest; i++) {
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    }
    explicit_bzero(octets, sizeof octets);
    return well;
}
