/* What the tests of joining share. */
#ifndef TESTS_SUPPORT_STORE_SUITE_JOIN_H
#define TESTS_SUPPORT_STORE_SUITE_JOIN_H

#include "store_suite_priv.h"

#define JOIN_B_ROW(available) "b(https://x,192.0.2.2,-,-,h," available "):0"

/* COUNT tokens, with one statement on any engine. */
#define JOIN_TOKENS(hash, count, consumed)                                                         \
    "INSERT INTO join_token(hash, core, issued_ms, expires_ms, consumed_ms, revoked_ms,"           \
    " consumed_by, consumed_from) SELECT '" hash "' || i, 'x', 1, 1000, " consumed                 \
    ", 0, '', '' FROM (WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c"             \
    " LIMIT " count ") SELECT i FROM c)"

/* A core that wants to come in at 100, its token good until 1000, its certificate (fingerprint aa) until
 * 5000; let in; and showing its token at 200. */
struct store_letting join_letting(const char *id, const char *ip, const char *token,
                                  const char *serial);
void join_issue(struct suite *t, const char *id, const char *ip, const char *token,
                const char *serial);
struct store_ack join_ack(const char *core, const char *hash);
void join_assert_out(const struct suite *t, const char *expected);
void join_assert_says(const struct suite *t, const char *part);
void join_assert_ack(struct suite *t, const struct store_ack *ack, const char *expected);
void join_assert_state(struct suite *t, const char *cores, const char *tokens, const char *certs);

#endif
