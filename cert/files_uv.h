/* A certificate and its key in two files of the operator's, watched.
 *
 * Both are read off the loop at the start, whenever something changes in their folders or in those of
 * the links on the way to them (inotify, by way of libuv), and every FILES_LOOK_MS besides, for what
 * comes without a notice: mounts, folders further up that are renamed. A change counts when the texts differ from those of the last look; what
 * another program has half written is looked at again until both fit together. The last good pair
 * goes on; what is wrong with a newer one is told once in the log, and shown by files_view().
 *
 * Threads: the loop's. ON_PAIR runs on the loop, never inside files_open(). Memory: the pair is
 * lent to ON_PAIR; take a reference to keep it. Key texts are wiped after reading.
 */
#ifndef CERT_FILES_UV_H
#define CERT_FILES_UV_H

#include <uv.h>

#include "lib/tls_pair.h"

#define FILES_LOOK_MS   60000
#define FILES_SETTLE_MS 100 /* from the first notice to the look: both files are being written */

struct files;

struct files_view {
    const char *cert_file, *key_file; /* borrowed from F */
    const char *problem;              /* "": the files hold what was last given to ON_PAIR */
    int64_t loaded_ms;                /* wall clock; 0: never */
};

/* A new pair: at first, and whenever another one is good. */
typedef void files_pair_cb(void *ctx, struct tls_pair *pair);
/* The first look is over, whether or not there was a pair. May be NULL. */
typedef void files_ready_cb(void *ctx);

void files_open(uv_loop_t *loop, const char *cert_file, const char *key_file,
                files_pair_cb *on_pair, files_ready_cb *on_ready, void *ctx, struct files **out);
/* Look now (SIGHUP). */
void files_look(struct files *f);
void files_view(const struct files *f, struct files_view *out);
/* No callback after this but DONE (may be NULL). */
void files_close(struct files *f, void (*done)(void *ctx), void *ctx);

#endif
