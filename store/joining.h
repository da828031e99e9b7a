/* What the files of the rows of joining share: SQL that several of them say. ?1 is always the core's
 * id, and the other parameters are named by whoever uses a piece. */
#ifndef STORE_JOINING_H
#define STORE_JOINING_H

#include "keys.h"
#include "op.h"

/* The core's row: its key, its text (NULL: there is none). */
#define JOINING_KEY "'" KEY_CORE "' || ?1"
#define JOINING_ROW "(SELECT value FROM keyValue WHERE key = " JOINING_KEY ")"

/* Tokens: those of the core, also the one of its admission that was not bound to anybody; which of
 * them can still be shown. */
#define JOINING_TOKEN_OF                                                                           \
    "(core = ?1 OR hash IS (SELECT token FROM admission AS a WHERE a.core = ?1))"
#define JOINING_TOKEN_LIVE(now) "consumed_ms = 0 AND revoked_ms = 0 AND expires_ms > " now
#define JOINING_LIVE_COUNT(now)                                                                    \
    "(SELECT count(*) FROM join_token WHERE " JOINING_TOKEN_OF " AND " JOINING_TOKEN_LIVE(now) ")"

/* Certificates of the core that count. */
#define JOINING_CERT_COUNT "(SELECT count(*) FROM node_cert WHERE core = ?1 AND revoked_ms = 0)"

/* Is dns-record/<id> there, with these addresses and nothing else? 1 or 0. */
#define JOINING_RECORD(ip, ipv6)                                                                   \
    "EXISTS (SELECT 1 FROM keyValue AS r WHERE r.key = '" KEY_RECORD "' || ?1"                     \
    " AND CASE WHEN json_valid(r.value) THEN json_type(r.value) = 'object'"                        \
    " AND EXISTS (SELECT 1 FROM json_each(r.value))"                                               \
    " AND NOT EXISTS (SELECT 1 FROM json_each(r.value) AS m WHERE CASE m.key"                      \
    " WHEN 'a' THEN lower(m.value) IS NOT lower(json_array(" ip "))"                               \
    " WHEN 'aaaa' THEN lower(m.value) IS NOT lower(json_array(" ipv6 ")) ELSE 1 END) ELSE 0 END)"

/* ?2: now, ?3: why. Every token of the core is revoked, shown or not, so that none is good for
 * anything; every certificate is. */
extern const char joining_revoke_tokens_sql[];
extern const char joining_revoke_certs_sql[];
extern const char joining_drop_record_sql[];

/* One more certificate: statements, of which the first must change a row; and what is asked of it. */
#define NODE_CERTS_ADD 2
void node_certs_add(struct op *op, struct backend_statement statements[NODE_CERTS_ADD],
                    const struct store_node_cert *c);
void node_certs_check(struct op *op, const struct store_node_cert *c);

/* Refuses what is no wall clock: 0 stands for never in these rows. */
void joining_check_now(struct op *op, int64_t now_ms);

#endif
