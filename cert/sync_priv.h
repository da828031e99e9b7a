/* What the files of cert/sync share: names, the work on folders and files (which blocks), one look at
 * everything, and the operator's hook. */
#ifndef CERT_SYNC_PRIV_H
#define CERT_SYNC_PRIV_H

#include "lib/digest.h"
#include "lib/folder_sys.h"
#include "lib/loop_uv.h"
#include "lib/proc_uv.h"
#include "sync_uv.h"

/* ---- names (sync_name.c) ------------------------------------------------------------------- */

#define SYNC_HOST_MAX   (253 + sizeof "wildcard.")
#define SYNC_FOLDER_MAX 64
#define SYNC_PRINT_LEN  8

/* A generation as its folder's name has it: NUMBER-ISSUED_MS-PRINT. The print is the beginning of the
 * SHA-256 of fullchain.pem, so two different texts never share a folder, and a folder can be told to
 * hold what it should without a store. */
struct sync_gen {
    uint64_t number;
    int64_t issued_ms;
    char print[SYNC_PRINT_LEN + 1];
};

/* HOSTNAME as a folder: lower case, `wildcard.` for a leading `*.`. ERR_MALFORMED: not letters, digits
 * and hyphens in labels (RFC 1123 §2.1), so never anything that leads elsewhere. */
enum err sync_name_folder(const char *hostname, char out[SYNC_HOST_MAX],
                          struct err_info *info) MUST_USE;
void sync_gen_init(struct sync_gen *g, uint64_t number, int64_t issued_ms,
                   const uint8_t digest[DIGEST_SHA256_LEN]);
void sync_gen_format(const struct sync_gen *g, char out[SYNC_FOLDER_MAX]);
bool sync_gen_parse(const char *folder, struct sync_gen *out);
/* A is a step back from B: see sync_uv.h. */
bool sync_gen_older(const struct sync_gen *a, const struct sync_gen *b);

/* ---- the folder of one hostname (sync_dir_sys.c) --------------------------------------------- */

#define SYNC_CERT "fullchain.pem"
#define SYNC_KEY  "privkey.pem"

struct sync_dir {
    char *tls_dir, *name; /* owned */
    char *cert_path, *key_path;
    int lock; /* open while we are the one */
    struct folder_gate gate;
};

/* <tlsDir>/<name> and what is in it, open for one look. */
struct sync_tree {
    struct folder home, generations;
};

struct sync_texts {
    struct folder_text cert, key;
};
void sync_texts_free(struct sync_texts *t); /* wipes both */

/* As cert_sync_open(). */
enum err sync_dir_open(struct sync_dir *d, const char *tls_dir, const char *hostname,
                       struct err_info *info) MUST_USE;
void sync_dir_close(struct sync_dir *d);

/* Makes and repairs the folders. */
enum err sync_tree_open(const struct sync_dir *d, struct sync_tree *t,
                        struct err_info *info) MUST_USE;
void sync_tree_close(struct sync_tree *t);
/* What `current` says. ERR_NOTFOUND: nothing that we would have written. */
enum err sync_tree_current(const struct sync_tree *t, struct sync_gen *out,
                           struct err_info *info) MUST_USE;
enum err sync_tree_read(const struct sync_tree *t, const struct sync_gen *g, struct sync_texts *out,
                        struct err_info *info) MUST_USE;
/* Plain files of an earlier program. ERR_NOTFOUND: not both are there. */
enum err sync_tree_read_plain(const struct sync_tree *t, struct sync_texts *out,
                              struct err_info *info) MUST_USE;
/* All of them, the newest first. At most CAP. */
enum err sync_tree_list(const struct sync_tree *t, struct sync_gen *out, size_t cap, size_t *count,
                        struct err_info *info) MUST_USE;
/* Writes and syncs; what is right already stays. */
enum err sync_tree_write(const struct sync_tree *t, const struct sync_gen *g,
                         const struct sync_texts *texts, struct err_info *info) MUST_USE;
/* `current` and the links for others lead to G, if they do not yet. */
enum err sync_tree_switch(const struct sync_tree *t, const struct sync_gen *g,
                          struct err_info *info) MUST_USE;
/* Removes all but G and CERT_SYNC_KEEP others. */
enum err sync_tree_tidy(const struct sync_tree *t, const struct sync_gen *g,
                        struct err_info *info) MUST_USE;
/* Whether the hook has been run for G, across restarts. */
bool sync_tree_hooked(const struct sync_tree *t, const struct sync_gen *g);
enum err sync_tree_set_hooked(const struct sync_tree *t, const struct sync_gen *g,
                              struct err_info *info) MUST_USE;

/* ---- one look (sync_look_sys.c) -------------------------------------------------------------- */

/* What is shown. */
struct sync_have {
    bool any;
    struct sync_gen gen;
    uint8_t cert[DIGEST_SHA256_LEN], key[DIGEST_SHA256_LEN]; /* of the texts in the files */
    bool names;  /* those that are wanted, and only those */
    bool hooked; /* the hook has been run for it */
    int64_t not_before_ms, not_after_ms;
    char sha256[65], serial[41]; /* of the leaf */
};

/* What a look is told, and what it found. */
struct sync_look {
    const struct sync_dir *dir; /* borrowed, as all that points */
    const struct cert_sync_options *options;
    const struct cert_sync_row *row; /* NULL: none is known */
    int64_t now_ms;
    bool set_hooked; /* the hook has been run for what is shown */

    struct sync_have have; /* in and out */
    struct sync_gen last;  /* the last that was shown here, whether or not it is still good */
    bool has_last;

    enum err e; /* of the first step that failed */
    const char *step;
    struct err_info info;
    bool retry; /* it may go better soon, with nothing changed from outside */
    char key_id[SEAL_ID_TEXT];
    struct tls_pair *pair; /* the caller's: to be shown now; NULL: as before */
    bool written;
};
void sync_look_run(struct sync_look *l);

/* ---- the hook (sync_hook_uv.c) --------------------------------------------------------------- */

struct sync_hook_options {
    const char *path, *hostname, *cert_path, *key_path; /* borrowed: they outlive the hook */
    const struct clk *clock;                            /* borrowed */
    uint64_t limit_ms, pause_ms; /* to SIGKILL; before the second try, then twice that, ... */
    void (*on_done)(void *ctx, bool good); /* well, or given up */
    void *ctx;                             /* borrowed */
};

enum sync_hook_state { SYNC_HOOK_IDLE, SYNC_HOOK_CHECKING, SYNC_HOOK_RUNNING, SYNC_HOOK_PAUSING };

/*      run()           fit to run             ended
 * IDLE ────> CHECKING ───────────> RUNNING ──────────> IDLE    well, or CERT_SYNC_HOOK_TRIES
 *               ^ └──────────────────┴─> PAUSING               badly
 *               └───────────────────────────┘ time
 */
struct sync_hook {
    struct sync_hook_options options;
    uv_loop_t *loop;  /* borrowed */
    uv_timer_t timer; /* the limit, or the pause */
    struct loop_work check;
    enum err checked; /* by the work */
    struct err_info why;
    struct proc *proc;
    enum sync_hook_state state;
    bool again; /* for another generation, once this run is over */
    bool late;  /* it was killed for taking too long */
    bool closing, timer_closed;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
    unsigned tries;
    int64_t at_ms, status;
    uint64_t failures;
    char text[CERT_SYNC_HOOK_TEXT + 1];
    size_t len;
};
void sync_hook_init(struct sync_hook *h, uv_loop_t *loop, const struct sync_hook_options *options);
/* For a new generation. Results come later. */
void sync_hook_run(struct sync_hook *h);
/* Kills what runs. No callback after this but DONE. */
void sync_hook_close(struct sync_hook *h, void (*done)(void *ctx), void *ctx);
/* May PATH be run by us? Blocks. */
enum err sync_hook_check(const char *path, struct err_info *info) MUST_USE;

#endif
