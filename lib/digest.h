/* SHA-256, for telling whether bytes are what they were. Any thread. */
#ifndef LIB_DIGEST_H
#define LIB_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define DIGEST_SHA256_LEN 32

/* ERR_IO if the library has no SHA-256 for us. */
enum err digest_sha256(const void *bytes, size_t len, uint8_t out[DIGEST_SHA256_LEN]) MUST_USE;

#endif
