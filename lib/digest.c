#include "digest.h"

#include <openssl/evp.h>

enum err digest_sha256(const void *bytes, size_t len, uint8_t out[DIGEST_SHA256_LEN])
{
    return EVP_Digest(bytes, len, out, NULL, EVP_sha256(), NULL) == 1 ? ERR_OK : ERR_IO;
}
