/* The store's operations for tests: start one, run the loop until it has ended, give its error.
 * What it brought is kept as text in `out`, one item after the other with a space between, so that
 * a test says what it expects in one string. A test that waits longer than SYNC_WAIT_MS fails.
 */
#ifndef TESTS_SUPPORT_STORE_SYNC_H
#define TESTS_SUPPORT_STORE_SYNC_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/str.h"
#include "store/store.h"

#define SYNC_WAIT_MS 60000

struct sync {
    uv_loop_t *loop;     /* borrowed */
    struct store *store; /* owned by the test */
    bool done;
    struct err_info info; /* of the last operation */
    struct str out;       /* owned: what the last operation brought */
    struct store_state state;
    struct store_tally tally;
    uint64_t revision; /* of the last page of the feed */
    bool more, pruned; /* more: also of a list of records */
    unsigned changes;  /* how often on_change was called */
};

/* Opens Y->store; on an error it stays NULL. Y is zeroed, or was closed. */
enum err sync_open(struct sync *y, uv_loop_t *loop, const struct store_options *options);
void sync_close(struct sync *y); /* also what never was open */

/* Runs the loop until *FLAG; fails the test after SYNC_WAIT_MS. */
void sync_wait(uv_loop_t *loop, const bool *flag);
/* Until *COUNT is at least N. */
void sync_wait_count(uv_loop_t *loop, const unsigned *count, unsigned n);

enum err sync_state(struct sync *y);
/* out: "key=value key=value key-" (gone). */
enum err sync_feed(struct sync *y, uint64_t after, size_t max);
/* out: "key=value key=value"; at most MAX rows, then it ends the scan. */
enum err sync_scan(struct sync *y, const char *prefix, size_t max);
void sync_watch(struct sync *y);

enum err sync_record_get(struct sync *y, const char *name);
/* One change: a name, what it is and what it shall be. */
enum err sync_record(struct sync *y, const char *name, const char *expect, const char *value);
enum err sync_records(struct sync *y, const struct store_record_change *changes, size_t count);

enum err sync_user_get(struct sync *y, const char *name); /* out: the core */
enum err sync_user_put(struct sync *y, const char *name, const char *core, enum store_put how);
enum err sync_user_delete(struct sync *y, const char *name);
enum err sync_load(struct sync *y, const struct store_user *users, size_t count);

/* out: "id(url,ip,ipv6,cname,hosting,available):users", '-' for what is absent. */
enum err sync_cores(struct sync *y);
enum err sync_core_put(struct sync *y, const struct store_core *core, enum store_put how);
enum err sync_core_delete(struct sync *y, const char *id, bool force);

/* out: "name=value(order,expires)". */
enum err sync_challenges(struct sync *y, const char *name);
enum err sync_challenge_put(struct sync *y, const char *name, const char *value, const char *order,
                            int64_t expires_ms);
enum err sync_challenge_delete(struct sync *y, const char *name, const char *value);
enum err sync_challenges_purge(struct sync *y, int64_t now_ms);

/* out: "placed core", "taken core", "name", "none". */
enum err sync_place(struct sync *y, const char *name, const char *label, const char *core);
enum err sync_home(struct sync *y, const char *name); /* out: "core" and its row, as sync_cores() */
enum err sync_taken(struct sync *y, const char *name,
                    const char *user_row); /* out: "record user" */

enum err sync_http01_put(struct sync *y, const struct store_http01 *h);
enum err sync_http01_delete(struct sync *y, const char *token);
enum err sync_http01_find(struct sync *y, const char *token,
                          int64_t now_ms); /* out: "*=value(order,expires)" */
enum err sync_http01_purge(struct sync *y, int64_t now_ms);
enum err sync_certs(struct sync *y); /* out: "hostname(issued,expires,generation)" */
/* out: "name=json name=json"; y->more. */
enum err sync_records_list(struct sync *y, const char *after, size_t max);

/* out: "core=beat(revision,digest,detail)". */
enum err sync_beats(struct sync *y);
enum err sync_beat_put(struct sync *y, const struct store_beat *beat);

/* ---- store_sync_acme.c ----------------------------------------------------------------------- */

enum err sync_lease_get(struct sync *y, const char *name); /* out: "holder(term,beat)" */
enum err sync_lease_take(struct sync *y, const char *name, uint64_t term, uint64_t beat,
                         const char *holder);
enum err sync_lease_beat(struct sync *y, const struct store_fence *fence, uint64_t beat);
enum err sync_lease_release(struct sync *y, const struct store_fence *fence);

enum err sync_challenges_put(struct sync *y, const struct store_fence *fence,
                             const struct store_challenge *list, size_t count);
enum err sync_http01_put_under(struct sync *y, const struct store_fence *fence,
                               const struct store_http01 *h);
enum err sync_alpn01_put(struct sync *y, const struct store_fence *fence,
                         const struct store_alpn01 *a);
enum err sync_alpn01(struct sync *y, int64_t now_ms); /* out: "name=digest(order,expires)" */

/* out, of these: the members in their order, with commas, '-' for NULL. */
enum err sync_account_get(struct sync *y, const char *directory);
enum err sync_account_put(struct sync *y, const struct store_fence *fence,
                          const struct store_account *a);
enum err sync_accounts(struct sync *y);
enum err sync_account_reseal(struct sync *y, const struct store_account *expect, const char *key,
                             const char *pending_key);
enum err sync_order_get(struct sync *y, const char *hostname);
enum err sync_order_put(struct sync *y, const struct store_fence *fence,
                        const struct store_order *order);
enum err sync_orders(struct sync *y);
enum err sync_order_end(struct sync *y, const struct store_fence *fence, const char *hostname,
                        const char *id);
enum err sync_proofs_reap(struct sync *y, const struct store_fence *fence, int64_t now_ms);
enum err sync_attempt_put(struct sync *y, const struct store_fence *fence,
                          const struct store_attempt *a);
enum err sync_attempts(struct sync *y, const char *hostname, int64_t since_ms, size_t max,
                       bool latest);
enum err sync_renewal_get(struct sync *y, const char *hostname);
enum err sync_renewal_put(struct sync *y, const struct store_fence *fence,
                          const struct store_renewal *r);
enum err sync_job_ask(struct sync *y, const struct store_job *job);
enum err sync_job_get(struct sync *y, const char *id);
enum err sync_job_open(struct sync *y, const char *hostname, const char *kind);
enum err sync_job_put(struct sync *y, const struct store_fence *fence, const struct store_job *job);
enum err sync_witness_put(struct sync *y, const struct store_witness *list, size_t count);
enum err sync_witnesses(struct sync *y, const char *name, int64_t since_ms);
/* out: "hostname,issued,expires,generation,cert,chain,key,directory". */
enum err sync_cert_get(struct sync *y, const char *hostname);
enum err sync_cert_put(struct sync *y, const struct store_fence *fence,
                       const struct store_cert_row *row, uint64_t expect);
enum err sync_cert_reseal(struct sync *y, const char *hostname, const char *expect,
                          const char *key);

/* ---- store_sync_join.c ----------------------------------------------------------------------- */

/* out, of these: as above; admissions: "core,issued,token,serial,fingerprint,created,issued,acked". */
enum err sync_tokens(struct sync *y);
enum err sync_tokens_purge(struct sync *y, int64_t now_ms);
enum err sync_node_cert_put(struct sync *y, const struct store_node_cert *cert);
enum err sync_node_certs(struct sync *y, const char *core, bool revoked, int64_t now_ms);
enum err sync_node_certs_revoke(struct sync *y, const char *core, const char *serial,
                                int64_t now_ms, const char *reason);
enum err sync_admission_issue(struct sync *y, const struct store_letting *l);
enum err sync_admission_get(struct sync *y, const char *core);
/* out: "acked", "again", "unknown", "expired", "revoked", "consumed", "other core", "other cert", "no
 * core". */
enum err sync_admission_ack(struct sync *y, const struct store_ack *ack);
const char *sync_acked_text(enum store_acked how);
enum err sync_admission_finish(struct sync *y, const char *core, bool available);
/* out, of both: "tokens,certs" and of "deleted", "restored" and "record" what happened. */
enum err sync_admission_withdraw(struct sync *y, const char *core, const char *ip, int64_t now_ms);
enum err sync_core_retire(struct sync *y, const char *id, bool force, int64_t now_ms);

#define assert_err(expected, call) assert_string_equal(err_text(expected), err_text(call))

#endif
