/* Join tokens: 32 random octets as base64url, known to the store by their SHA-256 alone. Any thread. */
#ifndef CLUSTER_TOKEN_H
#define CLUSTER_TOKEN_H

#include <stdbool.h>

#define TOKEN_LEN  43 /* of the text */
#define TOKEN_HASH 65 /* hex of SHA-256, and a NUL */

/* Wiped by the caller. */
void token_new(char out[TOKEN_LEN + 1]);
/* False: TEXT is no such token (length or alphabet), and can be none of ours. */
bool token_hash(const char *text, char out[TOKEN_HASH]);

#endif
