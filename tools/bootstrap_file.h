/* The file that a bundle is written to, in steps that can be killed between any two of them: what is there
 * afterwards is nothing, or something that the next attempt recognises as left behind.
 *
 *   write     FILE.tmp, 0600                        (the rows follow)
 *   publish   FILE as another name of FILE.tmp      (the passphrase is told)
 *   settle    FILE.tmp goes
 *
 * Two names of one file are a bundle whose passphrase nobody was told: it may be replaced. Any other FILE is
 * left alone. Blocks. Errors: ERR_CONFLICT (there is a file), ERR_DENIED, ERR_IO, ERR_NOMEM; INFO names the
 * file. */
#ifndef TOOLS_BOOTSTRAP_FILE_H
#define TOOLS_BOOTSTRAP_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

struct bundle_file {
    const char *path; /* borrowed */
    char *temporary;  /* owned */
    bool published;
};
/* Looks whether it may be written. */
enum err bundle_file_open(struct bundle_file *f, const char *path, struct err_info *info) MUST_USE;
/* Takes away what an attempt left that was killed. */
enum err bundle_file_write(struct bundle_file *f, const char *text, size_t len,
                           struct err_info *info) MUST_USE;
enum err bundle_file_publish(struct bundle_file *f, struct err_info *info) MUST_USE;
void bundle_file_settle(struct bundle_file *f);
/* Neither name is there any more. */
void bundle_file_undo(struct bundle_file *f);
void bundle_file_close(struct bundle_file *f); /* zeroed is fine */

#endif
