/* The store: remembers the platform's rows (PlatformDB), and tells when they change.
 *
 * What it is for. Typed operations on the rows of docs/ARCHITECTURE.md ("Rows"). No general query
 * exists: SQL lives in this folder and nowhere else. The engine (SQLite now, rqlite beside it) is
 * chosen in struct store_options; callers cannot tell them apart but by speed.
 *
 * What it refuses. It does not judge names or record text (dnsd/zone/record.h does); it checks only
 * sizes, and that a record's value is a JSON object.
 *
 * Threads. Everything is called on the loop given to store_open(), and every callback runs there,
 * always later, never inside the call that started it; exactly once. store_scan()'s row callback
 * is the one exception and says so. Operations are carried out in the order they were started.
 *
 * Memory. Arguments are copied before the call returns. What a callback is handed is borrowed until
 * it returns. A callback may start other operations, also store_close().
 *
 * Errors. ERR_CONFLICT: a row was not as the caller expected; re-read and decide again. ERR_BUSY:
 * another writer held the database for longer than busy_ms; nothing was written. ERR_UNAVAIL: no
 * engine to talk to now (rqlite: not running, or no leader, for longer than busy_ms); nothing was
 * written. ERR_DENIED: rqlite does not know us, or a write was bound to a lease that has passed on. ERR_IO: disk full, unreadable, corrupt; INFO names
 * the file and the reason. ERR_MALFORMED: not our database, or a value that is not what it should
 * be. ERR_LIMIT: over a limit below. A write that reports an error has changed nothing, but for
 * ERR_TIMEOUT (rqlite: the connection broke after the write was sent, and nobody could be asked
 * within busy_ms): whether it was carried out is not known.
 *
 * Which rows are seen. Reads give what this node has, which with rqlite may be a moment behind the
 * others, but never behind what was written through the same struct store. With rqlite a node that
 * is cut off goes on reading, and says so: `stale`.
 *
 * Revision. Each committed change of a row (by us or by any program; triggers see to it) takes the
 * next revision. Revisions only grow, have no meaning but order, and are the zone's serial.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "lib/err.h"

#define STORE_KEY_MAX   400          /* prefix and a name in text form */
#define STORE_VALUE_MAX (256 * 1024) /* one row's value */
#define STORE_FEED_KEEP 100000       /* revisions the feed remembers */
#define STORE_BATCH_MAX 1000000      /* rows in one apply or load call */
#define STORE_FRESH_S   5 /* rqlite: without a leader for longer a node's rows are stale */

struct store;
struct store_core;
struct store_fence;

enum store_engine { STORE_SQLITE, STORE_RQLITE };

struct store_options {
    enum store_engine engine;
    const char *sqlite_path;
    struct {
        const char *url;             /* of this node's HTTP API, without user and password */
        const char *user, *password; /* NULL: none asked for */
    } rqlite;
    bool must_exist;  /* a missing database is ERR_NOTFOUND instead of made */
    unsigned busy_ms; /* how long to wait for another writer, or for a leader; 0: 5000 */
};

/* Opens (makes, migrates) the database. On OK the caller owns the store until store_close(). */
typedef void store_open_cb(void *ctx, enum err e, const struct err_info *info, struct store *s);
void store_open(uv_loop_t *loop, const struct store_options *options, store_open_cb *cb, void *ctx);

/* Finishes what was started, then closes. DONE may be NULL. */
void store_close(struct store *s, void (*done)(void *ctx), void *ctx);

/* Most operations end with no more than this. */
typedef void store_done_cb(void *ctx, enum err e, const struct err_info *info);

/* ---- the feed ---------------------------------------------------------------------------- */

/* Which database this is, and how far it has come. ID changes when the file is made anew. */
struct store_state {
    char id[33];       /* 128 random bits in hex, made with the database */
    uint64_t revision; /* of the last change; 0: never changed */
    uint64_t oldest;   /* the first revision the feed still knows (revision + 1 if none) */
    bool stale;        /* rqlite: this node has had no leader for STORE_FRESH_S */
};
typedef void store_state_cb(void *ctx, enum err e, const struct err_info *info,
                            const struct store_state *state);
void store_state(struct store *s, store_state_cb *cb, void *ctx);

/* A row as it is now. KEY is the whole key with its prefix: dns-record/, user-core/, core-info/. Of
 * others the feed only gives the key, and VALUE is NULL: challenge/<name> (store_challenges_of()),
 * tls-cert/<hostname> (store_cert_get()), acme-account/<directory> (store_accounts_list()). The
 * latter two are no part of a scan either: whoever begins reads them by these. */
struct store_row {
    const char *key;
    const char *value; /* NULL: the row is gone */
};
struct store_feed {
    const struct store_row *rows; /* in order of revision; a key may come again */
    size_t count;
    uint64_t revision; /* the reader has everything up to here once the rows are applied */
    bool more;         /* ask again from `revision` at once */
    bool pruned;       /* the feed no longer reaches back to `after` (or AFTER is of another
                        * future): no rows; do a store_scan() */
    bool stale;        /* as in struct store_state */
};
typedef void store_feed_cb(void *ctx, enum err e, const struct err_info *info,
                           const struct store_feed *feed);
/* At most MAX rows of those changed after revision AFTER. Values are as of now, not as of then. */
void store_feed_read(struct store *s, uint64_t after, size_t max, store_feed_cb *cb, void *ctx);

/* ON_CHANGE is called soon (SQLite: a few ms; rqlite: 40 ms) after any program
 * committed a change, and when the store fails, comes back, becomes stale or fresh; hints only, may
 * come without a change. One watcher per store; NULL ends it. */
void store_watch(struct store *s, void (*on_change)(void *ctx), void *ctx);

/* All rows whose key begins with PREFIX ("" for all: challenge/, core-info/, dns-record/,
 * user-core/), as of one moment or, with rqlite, none older than the revision that CB is told:
 * reading the feed from there on gives what changed meanwhile. ON_ROW is called on a thread of the
 * store's, one row at a time, in the order of keys; false ends the scan with ERR_CANCELED. CB then
 * runs on the loop with the revision that the rows are of. Other operations go on meanwhile.
 * challenge/ rows come as key challenge/<name> with the challenge's value, once per value. */
typedef bool store_row_cb(void *ctx, const struct store_row *row);
typedef void store_scan_cb(void *ctx, enum err e, const struct err_info *info,
                           const struct store_state *state);
void store_scan(struct store *s, const char *prefix, store_row_cb *on_row, store_scan_cb *cb,
                void *ctx);

/* ---- records: dns-record/<name> ------------------------------------------------------------ */

/* NAME is relative to the domain, lower case, "@" for the apex; JSON the row's object. */
struct store_record {
    const char *name;
    const char *json; /* NULL: none */
};
typedef void store_record_cb(void *ctx, enum err e, const struct err_info *info,
                             const struct store_record *record);
/* ERR_NOTFOUND if there is none. */
void store_record_get(struct store *s, const char *name, store_record_cb *cb, void *ctx);

/* One row's wish: from EXPECT (NULL: must not exist) to VALUE (NULL: delete). */
struct store_record_change {
    const char *name;
    const char *expect;
    const char *value;
};
/* All or nothing. ERR_CONFLICT names the row that was not as expected. */
void store_records_apply(struct store *s, const struct store_record_change *changes, size_t count,
                         store_done_cb *cb, void *ctx);

/* ---- users: user-core/<username> ----------------------------------------------------------- */

struct store_user {
    const char *name;
    const char *core; /* core id */
};
typedef void store_user_cb(void *ctx, enum err e, const struct err_info *info,
                           const struct store_user *user);
void store_user_get(struct store *s, const char *name, store_user_cb *cb, void *ctx);

enum store_put { STORE_ONLY_NEW, STORE_REPLACE };
/* STORE_ONLY_NEW: ERR_CONFLICT if there is one, INFO says on which core. */
void store_user_put(struct store *s, const struct store_user *user, enum store_put how,
                    store_done_cb *cb, void *ctx);
void store_user_delete(struct store *s, const char *name, store_done_cb *cb, void *ctx);

/* A new user in one statement, so that of any number of cores that place users at the same time
 * none takes a count for granted that another has just changed. */
struct store_place {
    const char *name;  /* as the row calls the user: the name, or its token */
    const char *label; /* the name itself: no core, no stored record may have it. NULL: not asked */
    const char *core;  /* where to; NULL: the available core with the fewest users, of equals the
                        * first */
};
enum store_placed {
    STORE_PLACED,      /* user->core has it now */
    STORE_PLACE_TAKEN, /* the user was there: user->core is where */
    STORE_PLACE_NAME,  /* a core or a stored record is called so */
    STORE_PLACE_NONE,  /* no core is available, or the one wanted has no row */
};
/* USER is NULL on errors; its core with _NAME and _NONE. ERR_TIMEOUT, with SQLite too: the user may
 * be on a core; ask again, it will be placed or taken. ERR_CONFLICT: somebody else removed the user
 * just after it was placed, or keeps changing what is in its way; it is on no core. */
typedef void store_place_cb(void *ctx, enum err e, const struct err_info *info,
                            enum store_placed how, const struct store_user *user);
void store_user_place(struct store *s, const struct store_place *place, store_place_cb *cb,
                      void *ctx);

/* Where a user lives, with what the core's row says. CORE is NULL if that row is missing or cannot
 * be read; its `users` is 0. ERR_NOTFOUND: no such user. One read of this node; cheap (no
 * counting).
 */
typedef void store_home_cb(void *ctx, enum err e, const struct err_info *info,
                           const struct store_user *user, const struct store_core *core);
void store_user_home(struct store *s, const char *name, store_home_cb *cb, void *ctx);

/* Which rows there are under one name: for the rules of names (dnsd/zone/names.h). USER_ROW is the
 * name as user rows have it (the same, or its token); NULL: nobody can be called so. */
struct store_taken {
    bool record, core, user;
};
typedef void store_taken_cb(void *ctx, enum err e, const struct err_info *info,
                            const struct store_taken *taken);
void store_name_taken(struct store *s, const char *name, const char *user_row, store_taken_cb *cb,
                      void *ctx);

struct store_tally {
    size_t added, updated, unchanged;
};
typedef void store_tally_cb(void *ctx, enum err e, const struct err_info *info,
                            const struct store_tally *tally);
/* Adds or moves COUNT users: with SQLite in one transaction, with rqlite in several (a cluster must
 * go on with its heartbeats meanwhile). After an error do it again; what is there is left alone. */
void store_users_load(struct store *s, const struct store_user *users, size_t count,
                      store_tally_cb *cb, void *ctx);

/* ---- cores: core-info/<id> ----------------------------------------------------------------- */

/* As in the row; NULL members are absent. */
struct store_core {
    const char *id;
    const char *url;
    const char *ip;
    const char *ipv6;
    const char *cname;
    const char *hosting;
    bool available;
    uint64_t users; /* on reading: how many rows of user-core/ name it */
};
typedef void store_cores_cb(void *ctx, enum err e, const struct err_info *info,
                            const struct store_core *cores, size_t count);
/* In the order of ids. A row that is not readable JSON is left out and logged. */
void store_cores_list(struct store *s, store_cores_cb *cb, void *ctx);
/* Members of the row that struct store_core does not know are kept as they were. */
void store_core_put(struct store *s, const struct store_core *core, enum store_put how,
                    store_done_cb *cb, void *ctx);
/* ERR_CONFLICT while users are on it, unless FORCE. */
void store_core_delete(struct store *s, const char *id, bool force, store_done_cb *cb, void *ctx);
/* Reads a core-info row's value. *core borrows from the returned handle; free it with
 * store_core_row_free(). Any thread. */
struct store_core_row;
enum err store_core_row_parse(const char *id, const char *json, struct store_core_row **row,
                              struct store_core *core, struct err_info *info) MUST_USE;
void store_core_row_free(struct store_core_row *row);

/* ---- leases: who may do what only one may do ---------------------------------------------------- */

/* One row per lease. TERM grows with each holder, BEAT while one holds it; no clock is in it:
 * whoever wants the lease watches both stand still, on a clock of his own (acme/lease.h). Both are
 * below 2^63. */
struct store_lease {
    const char *name;
    const char *holder; /* core id; "": given back */
    uint64_t term, beat;
};
typedef void store_lease_cb(void *ctx, enum err e, const struct err_info *info,
                            const struct store_lease *lease);
/* As everybody acknowledged it (BACKEND_LATEST). ERR_NOTFOUND: nobody ever had it. */
void store_lease_get(struct store *s, const char *name, store_lease_cb *cb, void *ctx);
/* Takes over from exactly SEEN's term and beat (term 0: the row must not exist): HOLDER has term +
 * 1 then, at the same beat (of a new row 0). ERR_CONFLICT: it has moved. */
void store_lease_take(struct store *s, const struct store_lease *seen, const char *holder,
                      store_done_cb *cb, void *ctx);

/* What a write under a lease is bound to: it is carried out only while HOLDER has NAME in TERM,
 * tested in the same transaction. ERR_DENIED: the lease has passed on, nothing was written; stop at
 * once. */
struct store_fence {
    const char *name;
    const char *holder;
    uint64_t term;
};
/* Beats BEAT. */
void store_lease_beat(struct store *s, const struct store_fence *fence, uint64_t beat,
                      store_done_cb *cb, void *ctx);
/* Gives it back: the next one need not wait. */
void store_lease_release(struct store *s, const struct store_fence *fence, store_done_cb *cb,
                         void *ctx);

/* ---- challenges: one row per value ---------------------------------------------------------- */

struct store_challenge {
    const char *name;   /* relative, as in records: _acme-challenge */
    const char *value;  /* the TXT value */
    const char *order;  /* who put it there */
    int64_t expires_ms; /* wall clock; after it the value is not served */
};
/* The same name and value again renews order and expiry. */
void store_challenge_put(struct store *s, const struct store_challenge *c, store_done_cb *cb,
                         void *ctx);
/* All COUNT (at most STORE_PROOFS_MAX) under FENCE, or none. */
void store_challenges_put(struct store *s, const struct store_fence *fence,
                          const struct store_challenge *list, size_t count, store_done_cb *cb,
                          void *ctx);
/* ERR_NOTFOUND if there is no such value. */
void store_challenge_delete(struct store *s, const char *name, const char *value, store_done_cb *cb,
                            void *ctx);
typedef void store_challenges_cb(void *ctx, enum err e, const struct err_info *info,
                                 const struct store_challenge *list, size_t count);
/* Those of NAME (NULL: all), in the order of name and value, expired ones too. */
void store_challenges_of(struct store *s, const char *name, store_challenges_cb *cb, void *ctx);
/* Removes what expired at or before NOW_MS. */
void store_challenges_purge(struct store *s, int64_t now_ms, store_done_cb *cb, void *ctx);

/* ---- HTTP-01: one row per token -------------------------------------------------------------- */

/* What http://<name>/.well-known/acme-challenge/<token> is answered with, on every core (RFC 8555
 * §8.3). TOKEN "*" stands for any token while an order is open: its value is the account's
 * thumbprint, and the answer <token>.<thumbprint>. Not part of the feed: asked when somebody asks.
 */
struct store_http01 {
    const char *token;
    const char *value;
    const char *order;
    int64_t expires_ms; /* wall clock */
};
/* The same token again renews the rest. FENCE may be NULL. */
void store_http01_put(struct store *s, const struct store_fence *fence,
                      const struct store_http01 *h, store_done_cb *cb, void *ctx);
/* ERR_NOTFOUND if there is none. */
void store_http01_delete(struct store *s, const char *token, store_done_cb *cb, void *ctx);
typedef void store_http01_cb(void *ctx, enum err e, const struct err_info *info,
                             const struct store_http01 *h);
/* The row of TOKEN, else that of "*", if it has not expired by NOW_MS; of this node. ERR_NOTFOUND.
 */
void store_http01_find(struct store *s, const char *token, int64_t now_ms, store_http01_cb *cb,
                       void *ctx);
/* Removes what expired at or before NOW_MS. */
void store_http01_purge(struct store *s, int64_t now_ms, store_done_cb *cb, void *ctx);

/* ---- TLS-ALPN-01: one row per name -------------------------------------------------------------- */

/* Any core that is asked for NAME by ALPN acme-tls/1 shows DIGEST (RFC 8737 §3). */
struct store_alpn01 {
    const char *name;
    const char *digest; /* hex of 32 octets */
    const char *order;
    int64_t expires_ms; /* wall clock */
};
void store_alpn01_put(struct store *s, const struct store_fence *fence,
                      const struct store_alpn01 *a, store_done_cb *cb, void *ctx);
typedef void store_alpn01_cb(void *ctx, enum err e, const struct err_info *info,
                             const struct store_alpn01 *list, size_t count);
/* Those that have not expired by NOW_MS, of this node, at most STORE_PROOFS_MAX. */
void store_alpn01_list(struct store *s, int64_t now_ms, store_alpn01_cb *cb, void *ctx);

/* ---- ACME: accounts, orders, attempts, jobs ----------------------------------------------------- */

#define STORE_PROOFS_MAX   32
#define STORE_ATTEMPT_KEEP 500 /* per hostname; the oldest go */

/* acme_account: one row per directory URL. */
struct store_account {
    const char *directory;
    const char *url;         /* "": the CA has not told yet */
    const char *key;         /* sealed */
    const char *pending_key; /* sealed: the one it is being changed to; NULL: none */
    const char *thumbprint;  /* of the key (RFC 7638) */
    const char *contact;     /* mail address; "" */
    const char *issuer;      /* what CAA calls the CA: its first caaIdentities; "": it has none */
    int64_t created_ms;
};
typedef void store_account_cb(void *ctx, enum err e, const struct err_info *info,
                              const struct store_account *account);
/* BACKEND_LATEST. ERR_NOTFOUND. */
void store_account_get(struct store *s, const char *directory, store_account_cb *cb, void *ctx);
/* The whole row, under FENCE. */
void store_account_put(struct store *s, const struct store_fence *fence,
                       const struct store_account *a, store_done_cb *cb, void *ctx);
typedef void store_accounts_cb(void *ctx, enum err e, const struct err_info *info,
                               const struct store_account *list, size_t count);
/* Of this node, in the order of directories. */
void store_accounts_list(struct store *s, store_accounts_cb *cb, void *ctx);
/* Another sealing of KEY and PENDING_KEY (NULL: there is none), if the row still has EXPECT's. */
void store_account_reseal(struct store *s, const struct store_account *expect, const char *key,
                          const char *pending_key, store_done_cb *cb, void *ctx);

/* acme_order: the one order under way for a hostname; whoever holds the lease goes on with it. */
struct store_order {
    const char *hostname;
    const char *id; /* ours: random hex; challenge rows name it */
    const char *directory;
    const char *purpose;            /* "issue", "rehearsal" */
    const char *state;              /* acme/order.h's word for the step */
    const char *url;                /* "": newOrder was not answered yet */
    const char *names;              /* JSON array */
    const char *key;                /* sealed, staged; "" */
    const char *replaces;           /* RFC 9773 §5; "" */
    const char *detail;             /* JSON object: evidence */
    int64_t started_ms, expires_ms; /* expires: as the CA said; 0 */
};
typedef void store_order_cb(void *ctx, enum err e, const struct err_info *info,
                            const struct store_order *order);
/* BACKEND_LATEST. ERR_NOTFOUND: none under way. */
void store_order_get(struct store *s, const char *hostname, store_order_cb *cb, void *ctx);
/* The whole row, under FENCE. */
void store_order_put(struct store *s, const struct store_fence *fence, const struct store_order *o,
                     store_done_cb *cb, void *ctx);
typedef void store_orders_cb(void *ctx, enum err e, const struct err_info *info,
                             const struct store_order *list, size_t count);
/* Of this node, in the order of hostnames. */
void store_orders_list(struct store *s, store_orders_cb *cb, void *ctx);
/* One transaction under FENCE: the order's row and every proof that names it (challenges, http01,
 * alpn01) go. OK too if they are gone. */
void store_order_end(struct store *s, const struct store_fence *fence, const char *hostname,
                     const char *id, store_done_cb *cb, void *ctx);
/* Takes proofs away whose order is not under way any more (no acme_order row has the id) and that
 * expired, under FENCE. */
void store_proofs_reap(struct store *s, const struct store_fence *fence, int64_t now_ms,
                       store_done_cb *cb, void *ctx);

/* acme_attempt: the ledger. A row is added before something that counts is done, and told how it
 * ended. */
struct store_attempt {
    const char *id; /* random hex */
    const char *hostname;
    const char *directory;
    const char *kind; /* "order", "authorization", "certificate", "rehearsal", "forced"; "rollover",
                            "revoke" */
    const char *outcome; /* "open", "ok", "failed" */
    const char *problem; /* the CA's problem type without its prefix, or our word; "" */
    const char *text;    /* for people; "" */
    const char *core;    /* who */
    int64_t at_ms;       /* wall clock */
    int64_t retry_ms;    /* wall clock: not before; 0: nobody said */
};
/* Adds it, or tells how it ended (same id: outcome, problem, text, retry), under FENCE; the first
 * ones over STORE_ATTEMPT_KEEP go. */
void store_attempt_put(struct store *s, const struct store_fence *fence,
                       const struct store_attempt *a, store_done_cb *cb, void *ctx);
typedef void store_attempts_cb(void *ctx, enum err e, const struct err_info *info,
                               const struct store_attempt *list, size_t count);
/* Of HOSTNAME (NULL: all), at or after SINCE_MS, the newest first, at most MAX. LATEST: as
 * everybody acknowledged it; else as this node has it. */
void store_attempts_list(struct store *s, const char *hostname, int64_t since_ms, size_t max,
                         bool latest, store_attempts_cb *cb, void *ctx);

/* acme_renewal: what is known of when, one row per hostname. */
struct store_renewal {
    const char *hostname;
    const char *serial;               /* of the certificate it is about; hex */
    int64_t renew_ms;                 /* the chosen instant; wall clock; 0: none yet */
    int64_t ari_start_ms, ari_end_ms; /* RFC 9773 §4.2; 0: the CA has not told */
    int64_t ari_next_ms;              /* when to ask again; 0 */
    const char *explanation;          /* URL; "" */
    const char *replaced;             /* the ARI id that was last replaced; "" */
    int64_t revoked_ms;               /* wall clock: since when it is, by us; 0: it is not */
};
typedef void store_renewal_cb(void *ctx, enum err e, const struct err_info *info,
                              const struct store_renewal *r);
/* BACKEND_LATEST. ERR_NOTFOUND. */
void store_renewal_get(struct store *s, const char *hostname, store_renewal_cb *cb, void *ctx);
void store_renewal_put(struct store *s, const struct store_fence *fence,
                       const struct store_renewal *r, store_done_cb *cb, void *ctx);

/* acme_job: somebody wishes something of whoever has the lease. */
struct store_job {
    const char *id; /* random hex */
    const char *hostname;
    const char *kind;     /* "renew": a certificate now; "rollover": another key for the account;
                                   "revoke": the certificate is to count no more */
    const char *argument; /* revoke: "<serial in hex> <reason>" (acme/revoke_uv.h); else "" */
    const char *state;    /* "waiting", "working", "done", "failed" */
    const char *by;       /* who asked: "api", "dnsctl" and the core's id */
    const char *override; /* the name of the limit that is to be passed over; "": none */
    const char *text;     /* for people: where it is, or how it ended; "" */
    int64_t asked_ms, ended_ms; /* wall clock; ended 0: not yet */
};
typedef void store_job_cb(void *ctx, enum err e, const struct err_info *info,
                          const struct store_job *job);
#define STORE_JOBS_KEEP 20 /* ended ones of a hostname; the first go */
/* From any core. If one of the hostname's and of the same kind is waiting or working, that is the job CB
 * is handed (ERR_OK too): asking twice is asking once, also the same id again. */
void store_job_ask(struct store *s, const struct store_job *job, store_job_cb *cb, void *ctx);
/* BACKEND_LATEST. ERR_NOTFOUND. */
void store_job_get(struct store *s, const char *id, store_job_cb *cb, void *ctx);
/* The open one of HOSTNAME and KIND (NULL: of any; the one that was asked for first). BACKEND_LATEST.
 * ERR_NOTFOUND. */
void store_job_open(struct store *s, const char *hostname, const char *kind, store_job_cb *cb,
                    void *ctx);
/* State, text, ended, under FENCE. ERR_CONFLICT: there is no such job. */
void store_job_put(struct store *s, const struct store_fence *fence, const struct store_job *job,
                   store_done_cb *cb, void *ctx);

/* acme_witness: who asked a core for a challenge's name while an order was open. Written by each
 * core, read by the one that explains a failure. */
struct store_witness {
    const char *core;
    const char *name;      /* relative, as in challenges; or the token, or the host */
    const char *source;    /* network prefix of who asked: 192.0.2.0/24, 2001:db8::/48 */
    const char *transport; /* "udp", "tcp", "tls", "http", "alpn" */
    const char *answer;    /* "2 values", "NXDOMAIN", "404", ... */
    int64_t at_ms;         /* wall clock of the last one */
    uint64_t count;
};
#define STORE_WITNESS_KEEP 200 /* per core; the oldest go */
/* Adds count to the row with the same core, name, source, transport and answer. COUNT: at most
 * STORE_WITNESS_KEEP. */
void store_witness_put(struct store *s, const struct store_witness *list, size_t count,
                       store_done_cb *cb, void *ctx);
typedef void store_witnesses_cb(void *ctx, enum err e, const struct err_info *info,
                                const struct store_witness *list, size_t count);
/* Of NAME (NULL: all), at or after SINCE_MS, of this node, the oldest first. */
void store_witnesses_list(struct store *s, const char *name, int64_t since_ms,
                          store_witnesses_cb *cb, void *ctx);

/* ---- certificates: tls-cert/<hostname> -------------------------------------------------------- */

/* What everybody may know of a stored certificate. */
struct store_cert {
    const char *hostname;          /* "*.mc.example.com" */
    int64_t issued_ms, expires_ms; /* wall clock; 0: the row does not say */
    uint64_t generation;           /* 0: a row of the predecessor's */
};
typedef void store_certs_cb(void *ctx, enum err e, const struct err_info *info,
                            const struct store_cert *list, size_t count);
/* In the order of names, of this node. A row that cannot be read is left out and logged. */
void store_certs_list(struct store *s, store_certs_cb *cb, void *ctx);

/* A whole row. */
struct store_cert_row {
    struct store_cert cert;
    const char *cert_pem, *chain_pem; /* leaf; what follows it ("": nothing) */
    const char *key;                  /* sealed (cert/vault.h) */
    const char *directory;            /* of the CA it is from; NULL: the row does not say */
};
typedef void store_cert_row_cb(void *ctx, enum err e, const struct err_info *info,
                               const struct store_cert_row *row);
/* As this node has it. ERR_NOTFOUND; ERR_MALFORMED: there is a row, but not a certificate's. */
void store_cert_get(struct store *s, const char *hostname, store_cert_row_cb *cb, void *ctx);
/* In the place of generation EXPECT (0: of none, of a row of the predecessor's, or of one that is
 * no JSON object), under FENCE. Members of the row that are not ours are kept. ERR_CONFLICT:
 * another generation is there. */
void store_cert_put(struct store *s, const struct store_fence *fence,
                    const struct store_cert_row *row, uint64_t expect, store_done_cb *cb,
                    void *ctx);
/* Another sealing of the same key, if the row still has the text EXPECT. ERR_CONFLICT: it has not.
 */
void store_cert_reseal(struct store *s, const char *hostname, const char *expect, const char *key,
                       store_done_cb *cb, void *ctx);

/* ---- records, all of them --------------------------------------------------------------------- */

typedef void store_records_cb(void *ctx, enum err e, const struct err_info *info,
                              const struct store_record *list, size_t count, bool more);
/* Rows of dns-record/ whose name is greater than AFTER ("" for the beginning), at most MAX (1 to
 * 1000, else ERR_LIMIT) or fewer if they are large, in the order of names, as this node has them.
 * MORE: there are further ones. */
void store_records_list(struct store *s, const char *after, size_t max, store_records_cb *cb,
                        void *ctx);

/* ---- joining: how a core comes in, and goes (docs/design/0006-joining.md) ----------------------- */

/* join_token: what a newcomer proves itself with, once. */
struct store_token {
    const char *hash;                /* SHA-256 in hex (cluster/token.h) */
    const char *core;                /* whom it is for; "": anybody (then the first one's) */
    int64_t issued_ms, expires_ms;   /* wall clock, as all here */
    int64_t consumed_ms, revoked_ms; /* 0: not */
    const char *consumed_by;         /* fingerprint of the node's certificate; "" */
    const char *consumed_from;       /* address; "" */
};
#define STORE_TOKENS_MAX  1000 /* that can be shown, more are ERR_LIMIT; and as many that ended */
#define STORE_TOKENS_KEEP ((int64_t)7 * 24 * 3600 * 1000) /* after they ended */
typedef void store_tokens_cb(void *ctx, enum err e, const struct err_info *info,
                             const struct store_token *list, size_t count);
/* BACKEND_LATEST; all of them, the oldest first. */
void store_tokens_list(struct store *s, store_tokens_cb *cb, void *ctx);
/* Takes out those that ended (consumed, revoked or expired) STORE_TOKENS_KEEP before NOW_MS. */
void store_tokens_purge(struct store *s, int64_t now_ms, store_done_cb *cb, void *ctx);

/* node_cert: the certificates that the cluster's CA has given. */
struct store_node_cert {
    const char *serial; /* hex, lower case */
    const char *core;
    const char *fingerprint; /* SHA-256 of the DER, hex */
    int64_t issued_ms, expires_ms;
    int64_t revoked_ms; /* 0: it counts */
    const char *reason; /* of that; "" */
};
#define STORE_NODE_CERTS_MAX  4096                             /* listed at once */
#define STORE_NODE_CERTS_KEEP ((int64_t)30 * 24 * 3600 * 1000) /* after they expired */
/* Adds it. ERR_CONFLICT: there is one with this serial, or its core was taken out meanwhile (it has no
 * row, and of its certificates none counts). Those that expired long before its issue go. */
void store_node_cert_put(struct store *s, const struct store_node_cert *cert, store_done_cb *cb,
                         void *ctx);
typedef void store_node_certs_cb(void *ctx, enum err e, const struct err_info *info,
                                 const struct store_node_cert *list, size_t count);
/* Of CORE (NULL: all), of this node, the newest first. REVOKED: only those that are revoked and have not
 * expired before NOW_MS. At most STORE_NODE_CERTS_MAX. */
void store_node_certs_list(struct store *s, const char *core, bool revoked, int64_t now_ms,
                           store_node_certs_cb *cb, void *ctx);
/* Revokes those of CORE that are not, or of them the one with SERIAL (NULL: all). TALLY: updated, none is
 * no error. */
void store_node_certs_revoke(struct store *s, const char *core, const char *serial, int64_t now_ms,
                             const char *reason, store_tally_cb *cb, void *ctx);

/* admission: a core that was let in and has not arrived. */
enum store_admission_state {
    STORE_ADMISSION_NONE,
    STORE_ADMISSION_ISSUED, /* there is a bundle, or a token */
    STORE_ADMISSION_ACKED /* the core has shown its token; it makes itself available when it can */
};
struct store_admission {
    const char *core;
    enum store_admission_state state;
    const char *token;       /* its hash */
    const char *serial;      /* of the node's certificate */
    const char *fingerprint; /* of the same */
    bool created; /* the core's row came with it (or with an attempt before), and goes with it */
    int64_t issued_ms, acked_ms;
};
/* All that lets a core in, in one transaction: core-info/<id> with available false (whatever CORE says),
 * the token, the certificate, the admission. Whatever tokens and certificates the id had are revoked. An
 * earlier attempt (an admission that is ISSUED) is superseded by this one: of several at the same moment
 * the last one is good. ERR_CONFLICT: the id is a core's already, unless REPLACE: then that row is
 * overwritten and remembered for _withdraw(), members that are not ours and its users stay. Also: another
 * core's row has an address of it (INFO says which; addresses are compared as text, without regard to
 * case); a token or certificate like this is there. ERR_LIMIT: STORE_TOKENS_MAX. */
struct store_letting {
    struct store_core core;
    struct store_token token;
    struct store_node_cert cert;
    bool replace;
    int64_t now_ms;
};
void store_admission_issue(struct store *s, const struct store_letting *l, store_done_cb *cb,
                           void *ctx);
/* BACKEND_LATEST. ERR_NOTFOUND: none. */
typedef void store_admission_cb(void *ctx, enum err e, const struct err_info *info,
                                const struct store_admission *a);
void store_admission_get(struct store *s, const char *core, store_admission_cb *cb, void *ctx);

/* A token is shown. One conditional statement consumes it; all else is looked at only to say why not.
 * FINGERPRINT is hex without colons, in either case. A token for anybody is CORE's from then on. */
struct store_ack {
    const char *hash, *core, *fingerprint, *from; /* FROM: the address it came from */
    int64_t now_ms;
};
enum store_acked {
    STORE_ACKED,
    STORE_ACK_AGAIN, /* by the same core, with the same certificate, from the same address: fine */
    STORE_ACK_UNKNOWN, /* no such token */
    STORE_ACK_EXPIRED,
    STORE_ACK_REVOKED,
    STORE_ACK_CONSUMED,   /* by another, or from elsewhere */
    STORE_ACK_OTHER_CORE, /* bound to another core; not consumed */
    STORE_ACK_OTHER_CERT, /* not the certificate that was issued with it; not consumed */
    STORE_ACK_NO_CORE     /* the core has no row or no admission any more; not consumed */
};
/* HOW counts only on OK. ERR_CONFLICT: others keep changing what is in its way; show it again. */
typedef void store_ack_cb(void *ctx, enum err e, const struct err_info *info, enum store_acked how);
void store_admission_ack(struct store *s, const struct store_ack *ack, store_ack_cb *cb, void *ctx);

/* The core has arrived: its row gets AVAILABLE, the admission goes, in one transaction. ERR_CONFLICT: there
 * is no ACKED admission of it, or no row. */
void store_admission_finish(struct store *s, const char *core, bool available, store_done_cb *cb,
                            void *ctx);

/* Takes an admission back that is ISSUED, or ACKED and not finished: tokens and certificates of CORE are
 * revoked, the row goes if it came with the admission, or is again what it was (its certificates stay
 * revoked). A row that somebody put users on stays, unavailable. Without an admission only tokens of CORE
 * that could still be shown are revoked. IP: a row dns-record/<core> that is exactly this one address goes
 * with the admission, too (NULL: none is looked at). ERR_CONFLICT: others keep changing it. */
struct store_withdrawn {
    size_t tokens, certs; /* tokens: that could still be shown */
    bool core_deleted, core_restored, record_deleted;
};
typedef void store_withdraw_cb(void *ctx, enum err e, const struct err_info *info,
                               const struct store_withdrawn *w);
void store_admission_withdraw(struct store *s, const char *core, const char *ip, int64_t now_ms,
                              store_withdraw_cb *cb, void *ctx);

/* store_core_delete(), and with it in the same transaction: tokens and certificates revoked, admission gone,
 * heartbeat gone, and dns-record/<id> if it is exactly the core's own addresses. ERR_NOTFOUND,
 * ERR_CONFLICT: as there. */
void store_core_retire(struct store *s, const char *id, bool force, int64_t now_ms,
                       store_withdraw_cb *cb, void *ctx);

/* ---- from one engine to the other ------------------------------------------------------------- */

/* All that FROM has and that is to stay (rows, accounts, the ledger of attempts), into S, if S has no rows
 * yet; or goes on where an import from the same FROM was broken off. ROWS: how many were brought; 0 also if
 * there was nothing to do. Both stores must stay open until CB. After an error do it again. */
typedef void store_import_cb(void *ctx, enum err e, const struct err_info *info, uint64_t rows);
void store_import(struct store *s, struct store *from, store_import_cb *cb, void *ctx);

/* ---- heartbeats: one row per core, outside the feed ------------------------------------------- */

/* What a core tells of itself from time to time. Writing one is no change of the zone: it takes no
 * revision. Whether a core is alive is for the reader to judge by `beat` changing; clocks of
 * machines are not compared. */
struct store_beat {
    const char *core;
    uint64_t beat;      /* another one each time; below 2^63 */
    uint64_t revision;  /* what its zone has applied */
    const char *digest; /* of that zone's data, in hex */
    const char *detail; /* a JSON object: version and the like */
};
/* Of a core without a row nothing is written. Tried once, whatever busy_ms says. */
void store_beat_put(struct store *s, const struct store_beat *beat, store_done_cb *cb, void *ctx);
typedef void store_beats_cb(void *ctx, enum err e, const struct err_info *info,
                            const struct store_beat *list, size_t count);
/* In the order of ids. */
void store_beats_list(struct store *s, store_beats_cb *cb, void *ctx);

#endif
