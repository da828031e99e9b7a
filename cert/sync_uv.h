/* The way of a stored certificate to this machine: out of the row, into files, into the listeners.
 *
 * The caller hands in what the store has (cert_sync_offer()); the rest happens here, off the loop where
 * it blocks, one certificate at a time, and is tried again with growing pauses while it fails:
 *
 *   open the key -> check pair, names, dates -> not older than what was shown
 *     -> <tlsDir>/<name>/generations/<generation>/{fullchain,privkey}.pem, written, fsynced
 *     -> <tlsDir>/<name>/current re-pointed by one rename
 *     -> ON_PAIR (the TLS slot) -> ... cert_sync_shown() when the own listener has been seen to show it
 *     -> the operator's hook
 *
 * <name> is the hostname; a wildcard's is `wildcard.<rest>`. The paths for others are
 * <tlsDir>/<name>/{fullchain,privkey}.pem, links through `current`, so that both change at one moment;
 * plain files that an earlier program left there become a generation like any other. Folders are 0700
 * and files 0600, created so (the service's account alone reads them); tlsDir itself may be open to
 * readers. <generation> is number-issued_ms-xxxxxxxx, the beginning of the SHA-256 of fullchain.pem. The two generations before the present one are
 * kept; older ones are overwritten and removed. What was deleted or damaged is found at the next look
 * (CERT_SYNC_LOOK_MS, inotify is not needed) and made again, from the row or from the files' own
 * generation. With neither (no store yet, at the start) the files are what is shown.
 *
 * `http.ssl`: if copies are wanted at the paths the host platform reads, they are replaced after
 * the switch, key first, each by a rename.
 *
 * A hook's end is kept and shown; a failed one is run again with the same pauses, up to
 * CERT_SYNC_HOOK_TRIES times per generation. It never undoes anything. Its success is noted beside the
 * generation, so after a restart it is run for one that it has not seen, and for no other. It must be
 * root's or the service's own, and nobody else's to write. It gets PRYV_CERT_HOSTNAME,
 * PRYV_CERT_PATH, PRYV_CERT_KEYPATH, a PATH of the system's folders and nothing else of an environment,
 * no arguments, an empty stdin; the first CERT_SYNC_HOOK_TEXT octets of what it says are kept; it is stopped after
 * CERT_SYNC_HOOK_MS, its process group with it.
 *
 * A generation older than the one that was last shown here (as `current` says) is refused (ERR_DENIED),
 * so that an old row put back by somebody does not bring an old certificate back. Older is what was
 * issued earlier and, where both are counted (generation 1 and up), has no higher number either; what was
 * issued at the same moment, under a lower number. Where both are counted, no higher number and a validity
 * that begins earlier are older too: the row's issuedAt is sealed by nobody. So a predecessor's row (0) after ours counts if it was
 * issued later: an operator may go back, and forth again, and numbers that begin anew are no trap. Who
 * must go back further removes <tlsDir>/<name>.
 *
 * A certificate with a flaw (expired, or not exactly the wanted names, though good for the hostname) is
 * taken over only where there is nothing without one, and told loudly. One that is not valid yet is
 * tried again; it is shown only if the files already have it.
 *
 * Threads: the loop's. Memory: what is offered is copied; pairs are lent to ON_PAIR.
 */
#ifndef CERT_SYNC_UV_H
#define CERT_SYNC_UV_H

#include <uv.h>

#include "lib/clock.h"
#include "lib/tls_pair.h"
#include "vault.h"

#define CERT_SYNC_LOOK_MS    30000
#define CERT_SYNC_KEEP       2 /* generations before the present one */
#define CERT_SYNC_HOOK_MS    30000
#define CERT_SYNC_HOOK_TRIES 5
#define CERT_SYNC_HOOK_TEXT  2048

struct cert_sync;

/* A row of the store. */
struct cert_sync_row {
    const char *hostname;
    uint64_t generation; /* 0: the predecessor's, who counts nothing: issued_ms decides */
    int64_t issued_ms;
    const char *cert_pem, *chain_pem;
    const char *key; /* sealed */
};

/* Another pair is in the files and to be shown. */
typedef void cert_sync_pair_cb(void *ctx, struct tls_pair *pair);
/* The first look at the files is over: if there was a good pair, ON_PAIR has had it. Once. */
typedef void cert_sync_ready_cb(void *ctx);

struct cert_sync_options {
    const char *tls_dir;
    const char *hostname;     /* the one that this core is to show */
    const char *const *names; /* what it has to be good for */
    size_t names_count;
    const char *hook;                 /* onRotateScript; NULL: none */
    const char *copy_cert, *copy_key; /* http.ssl; NULL: no copies */
    struct cert_vault *vault;         /* borrowed */
    const struct clk *clock;          /* borrowed */
    cert_sync_pair_cb *on_pair;
    cert_sync_ready_cb *on_ready; /* NULL: nobody wants to know */
    void *ctx;                    /* borrowed */
};
/* Blocks (boot): makes and repairs the folders, takes the folder's lock. ERR_BUSY: another dnsd
 * has it; ERR_DENIED, ERR_IO: INFO names the path and the remedy. The files' own pair, if there is a
 * good one, comes through ON_PAIR later. OPTIONS are copied. */
enum err cert_sync_open(uv_loop_t *loop, const struct cert_sync_options *options,
                        struct cert_sync **out, struct err_info *info) MUST_USE;
void cert_sync_offer(struct cert_sync *s, const struct cert_sync_row *row);
/* The store has no such row. What is shown goes on. */
void cert_sync_none(struct cert_sync *s);
/* The own listener shows SHA256 (of the leaf) now: the hook may run. */
void cert_sync_shown(struct cert_sync *s, const char *sha256);
/* Look at the files now (SIGHUP). */
void cert_sync_look(struct cert_sync *s);
/* Stops a running hook. No callback after this but DONE (may be NULL). */
void cert_sync_close(struct cert_sync *s, void (*done)(void *ctx), void *ctx);

struct cert_sync_view {
    uint64_t generation;              /* in the files; 0: none */
    const char *cert_path, *key_path; /* the paths for others; borrowed */
    const char
        *step; /* where the last try failed ("open", "check", "write", ...); "": it did not */
    const char *problem; /* what was wrong; "": nothing */
    const char *key_id;  /* of the key the row is sealed with, if this core has not got it; "" */
    int64_t written_ms;  /* wall clock; 0: never since the start */
    struct {
        int64_t at_ms;  /* wall clock of its last end; 0: never run */
        int64_t status; /* exit status; 128 + signal; 124: too slow; 127: could not be started */
        unsigned tries;
        uint64_t failures; /* since the start */
        const char *text;  /* what it said, without control characters; borrowed */
    } hook;
};
void cert_sync_view(const struct cert_sync *s, struct cert_sync_view *out);

#endif
