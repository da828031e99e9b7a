/* The daemon's TLS slot: which certificate is shown, to whom HTTPS and DNS over TLS turn for it.
 *
 *   managed (letsEncrypt) ─┐
 *   files (http.ssl) ──────┼─> pair ──> context (off the loop) ──> every listener, whoever comes next
 *   placeholder ───────────┘               ^
 *                            proofs; new ticket keys, every TLS_TICKETS_MS
 *
 * The first of them that there is: with letsEncrypt the pair of the store is shown once there is one, and
 * until then what the operator may have put into http.ssl.
 *
 * A placeholder (cert/placeholder.h) stands in until there is a pair of the operator's, and if the
 * files of http.ssl cannot be used at the start; it is renewed at half of its life. A pair that was
 * good goes on until a better one comes, whatever becomes of its files.
 *
 * Threads: the control loop's. ON_CONTEXT runs there, later, with the context to be used from then
 * on: once soon after tls_slot_open(), and again for each swap.
 */
#ifndef DNSD_APP_TLS_H
#define DNSD_APP_TLS_H

#include <uv.h>

#include "cert/files_uv.h"
#include "config.h"
#include "lib/clock.h"
#include "lib/tls_context.h"

#define TLS_TICKETS_MS (6 * 3600 * 1000)

struct tls_slot;

/* CONTEXT: borrowed; whoever keeps it takes a reference. */
typedef void tls_slot_cb(void *ctx, struct tls_context *context);

/* CONFIG is borrowed for the call, CLOCK for the slot's life. With letsEncrypt.enabled nothing is shown
 * before tls_slot_use() or tls_slot_go(): a restart must not show a placeholder for a moment. */
void tls_slot_open(uv_loop_t *loop, const struct config *config, const struct clk *clock,
                   tls_slot_cb *on_context, void *ctx, struct tls_slot **out);
/* There is no pair of the store's yet: what else there is has to do. */
void tls_slot_go(struct tls_slot *s);
/* Looks at the files now; without a pair of theirs, whether another placeholder is due. */
void tls_slot_look(struct tls_slot *s);
/* The pair of the store, from now on. A reference is taken. */
void tls_slot_use(struct tls_slot *s, struct tls_pair *pair);
/* Proofs for validators (lib/tls_context.h), in place of those of before; those over
 * TLS_CONTEXT_PROOFS_MAX are left out. References are taken. */
void tls_slot_use_proofs(struct tls_slot *s, struct tls_pair *const *proofs, size_t count);
/* No callback after this but DONE. */
void tls_slot_close(struct tls_slot *s, void (*done)(void *ctx), void *ctx);

struct tls_slot_view {
    const char *source;               /* "managed", "files", "placeholder" */
    const struct tls_pair_info *pair; /* NULL: nothing yet */
    const char *cert_file, *key_file; /* NULL: none configured */
    const char *problem;              /* "": none */
    uint64_t swaps;                   /* contexts handed out after the first */
};
/* Borrowed until the loop turns. */
void tls_slot_view(const struct tls_slot *s, struct tls_slot_view *out);

/* The names a placeholder for CONFIG has: the domain and all below it, the hosts of core.url and
 * dnsLess.publicUrl, the core's addresses; if there is nothing of these, its id. Returns how many; each
 * is the caller's to free. Pure. */
#define TLS_SLOT_NAMES_MAX 8
size_t tls_slot_names(const struct config *config, char *out[TLS_SLOT_NAMES_MAX]);

#endif
