/* Whole files: read with a cap, replace so that a reader (or the next boot) sees the old content or
 * the new one and never a mixture. These block: boot, tools and offloaded work only, never a loop.
 *
 * Errors: ERR_NOTFOUND (no such file), ERR_DENIED (permission), ERR_LIMIT (larger than the cap),
 * ERR_NOMEM, ERR_IO (everything else: full disk, ...). INFO always names the path and the system's
 * reason.
 */
#ifndef LIB_FILE_SYS_H
#define LIB_FILE_SYS_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* Reads all of PATH. On OK *out is the caller's to free; it has one NUL more than *len counts. */
enum err file_read(const char *path, size_t cap, uint8_t **out, size_t *len,
                   struct err_info *info) MUST_USE;

/* Writes PATH.tmp.<pid>, fsyncs it, renames it over PATH, fsyncs the folder. On any error PATH is
 * untouched and the temporary file is gone; only when the last fsync fails is the new content there
 * already, though perhaps not after a power cut. MODE as in open(2), without regard to the umask.
 * One caller at a time per path and process. */
enum err file_replace(const char *path, const void *bytes, size_t len, unsigned mode,
                      struct err_info *info) MUST_USE;

/* Removes what processes that were killed in file_replace() have left beside PATH. Nobody may be replacing PATH
 * now. */
void file_replace_leftovers(const char *path);

#endif
