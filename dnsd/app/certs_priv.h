/* Between the files of certs. */
#ifndef DNSD_APP_CERTS_PRIV_H
#define DNSD_APP_CERTS_PRIV_H

#include "acme/renewer_uv.h"
#include "app.h"
#include "cert/sync_uv.h"
#include "cert/vault.h"
#include "certs.h"
#include "certs_caa.h"
#include "config_certs.h"
#include "lib/tls_look_uv.h"
#include "publisher_uv.h"

#define CERTS_TICK_MS    500
#define CERTS_ACCOUNT_MS 15000 /* how long the others have to make a new account's CAA */
#define CERTS_LOOK_MS    30000 /* between two looks at what is right */
#define CERTS_ASKED      32    /* validators come from a handful of places */
#define CERTS_PROOFS     TLS_CONTEXT_PROOFS_MAX

struct certs {
    struct app *app; /* borrowed */
    struct config_cert cert;
    struct cert_vault *vault;
    struct cert_sync *sync;
    struct publisher *publisher;
    struct renewer *renewer;
    uv_timer_t timer;
    bool timer_open;

    bool in_use;  /* the store is */
    bool leaving; /* ... and shall not be any more */
    void (*left)(struct app *a);

    /* the row */
    bool row_busy, row_again;
    /* accounts, and what follows from them */
    bool accounts_busy, accounts_again;
    char caa[ZONE_CAA_MAX][CERTS_CAA_TEXT];
    size_t caa_count;
    bool caa_saving, caa_unsaved;
    /* somebody waits until all cores know an account */
    char *account; /* owned: its URL; NULL: nobody waits */
    void (*account_ready)(void *ctx);
    void *account_ctx; /* borrowed */
    bool account_known;
    uint64_t account_revision; /* at which we knew it */
    int64_t account_until_ms;  /* monotonic */

    /* proofs of TLS-ALPN-01 */
    bool proofs_busy, proofs_making;
    char proofs_text[CERTS_PROOFS * 128]; /* what those in the slot are made of */
    struct loop_work proofs_work;
    struct {
        char name[256];
        uint8_t digest[32];
    } proofs[CERTS_PROOFS];
    struct tls_pair *proofs_pairs[CERTS_PROOFS];
    size_t proofs_count;

    /* what our own listeners show */
    struct tls_look *look; /* the one under way */
    size_t look_at;        /* which listener */
    bool look_wanted;
    int64_t look_next_ms; /* monotonic */
    char wanted[65];      /* sha256 of what is to be shown; "": nothing of ours yet */
    char served[65], served_serial[41];
    uint64_t served_generation;
    int64_t served_ms;        /* wall clock: since when; 0: not yet */
    char served_problem[256]; /* "": they show it */

    /* witnesses */
    bool witness_busy;
    struct certs_asked {
        char client[46], token[129];
        unsigned status;
        int64_t at_ms;    /* wall clock */
    } asked[CERTS_ASKED]; /* over HTTP, not told yet */
    size_t asked_count;
    unsigned alarm; /* the last level told: 0, 1 (25 %), 2 (10 %), 3 (5 %), 4 (over) */

    bool stopping;
    unsigned closing; /* parts that are still to be closed */
};

/* certs.c */
enum lease_rank certs_rank(const struct certs *c);

/* certs_rows.c */
void certs_read_row(struct certs *c);
void certs_read_accounts(struct certs *c);
void certs_read_proofs(struct certs *c);
void certs_wait_for_account(struct certs *c, const char *url, void (*ready)(void *ctx), void *ctx);
void certs_tick_account(struct certs *c);
/* Whoever waits is told, once; nobody: nothing. */
void certs_end_account_wait(struct certs *c);

/* certs_caa_file.c. load blocks (boot). */
void certs_caa_load(struct certs *c);
void certs_caa_save(struct certs *c);

/* certs_seen.c. An address to reach a listener of this machine by. */
struct sockaddr_storage certs_reachable(const struct net_address *address);
void certs_tick_looks(struct certs *c);
void certs_tick_witnesses(struct certs *c);

/* True: nothing of the store is under way any more. Tells who waits for that. */
bool certs_is_idle(const struct certs *c);
void certs_step(struct certs *c);

#endif
