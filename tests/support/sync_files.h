/* What tests of cert/sync have in common: a folder of their own, rows, and what the files say. */
#ifndef TESTS_SYNC_FILES_H
#define TESTS_SYNC_FILES_H

#include <sys/types.h>

#include "cert/sync_uv.h"
#include "lib/err.h"
#include "tls_peer.h"

#define SYNC_FILES_KEY   "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define SYNC_FILES_OTHER "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

/* A new folder, which becomes the working directory; "" in *OUT is never the case. */
void sync_files_begin(char out[64]);
void sync_files_end(const char *folder);
void sync_files_remove(const char *path); /* with all that is in it */

void sync_files_write(const char *path, const char *text);
/* The caller's to free; NULL: it cannot be read. */
char *sync_files_read(const char *path);
bool sync_files_has(const char *path, const char *text);
mode_t sync_files_mode(const char *path); /* of a link itself */
char *sync_files_link(const char *path);  /* where it leads to, the caller's to free */

/* A certificate as the store has it. */
struct sync_files_row {
    struct tls_made *made;
    struct cert_sync_row row;
    char *sealed;
};
/* VAULT seals for GENERATION; NULL: the row's key is a text that opens nowhere. */
void sync_files_row(struct sync_files_row *r, const struct cert_vault *vault, const char *hostname,
                    const struct tls_make *how, uint64_t generation, int64_t issued_ms);
void sync_files_row_free(struct sync_files_row *r);
struct cert_vault *sync_files_vault(const char *key);

#endif
