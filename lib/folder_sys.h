/* Files and links in a folder that is open: nothing here follows a link, what is there afterwards is either
 * what was there before or all that is new, and a file's mode is set before its first octet, whatever the
 * umask is.
 *
 * What is made belongs to whom the folder belongs, if root makes it. What is in it must be ours (root:
 * or the folder's).
 *
 * These block: boot, tools and offloaded work only, never a loop.
 * Errors: ERR_NOTFOUND, ERR_DENIED (not ours, others may read or write what they should not, a link or a
 * folder in a file's place), ERR_CONFLICT (folder_rename_new), ERR_LIMIT (larger than the cap, path too
 * long), ERR_BUSY (folder_lock), ERR_NOMEM, ERR_IO (everything else: full disk, ...). INFO names the path
 * and the system's reason.
 */
#ifndef LIB_FOLDER_SYS_H
#define LIB_FOLDER_SYS_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

/* Asked before each system call that can fail on a bad disk, with its name: an errno to fail with, or
 * 0. For tests. */
struct folder_gate {
    int (*ask)(void *ctx, const char *call); /* NULL: nobody is asked */
    void *ctx;                               /* borrowed */
};

/* An open folder, and what it is called. */
struct folder {
    const struct folder_gate *gate; /* borrowed */
    int fd;                         /* -1: not open */
    uid_t uid;                      /* whose it is */
    gid_t gid;
    char path[PATH_MAX];
};

struct folder_text {
    uint8_t *bytes; /* owned; a NUL follows */
    size_t len;
};
void folder_text_free(struct folder_text *t); /* wipes */

/* What the system said, as an error that names AT's NAME (NULL: AT itself). */
enum err folder_fail(const struct folder *at, const char *name, const char *doing,
                     struct err_info *info) MUST_USE;

/* ---- a folder from nowhere (folder_open_sys.c) ------------------------------------------------- */

/* PATH, which may be a link. One that is there stays as it is. ERR_DENIED: who is not its owner may write in
 * it. */
enum err folder_open(const char *path, const struct folder_gate *gate, struct folder *out,
                     struct err_info *info) MUST_USE;
/* The same, but it is made (0700) if it is not there, with what is above it (0750). Root makes it for
 * ACCOUNT (NULL: for itself), and gives it an empty one of its own; ERR_DENIED: it is somebody else's;
 * ERR_NOTFOUND: there is no such account. */
enum err folder_open_for(const char *path, const char *account, const struct folder_gate *gate,
                         struct folder *out, struct err_info *info) MUST_USE;
/* Until the folder is closed, or the process ends. Waits WAIT_MS at most: ERR_BUSY. */
enum err folder_lock(const struct folder *at, unsigned wait_ms, struct err_info *info) MUST_USE;

/* ---- folders -------------------------------------------------------------------------------- */

/* The folder NAME in AT, made (0700) if it is not there; one that is ours is made 0700 again.
 * ERR_DENIED: it is somebody else's, or no folder. */
enum err folder_make(const struct folder *at, const char *name, struct folder *out,
                     struct err_info *info) MUST_USE;
/* The same, but it must be there. ERR_NOTFOUND. */
enum err folder_enter(const struct folder *at, const char *name, struct folder *out,
                      struct err_info *info) MUST_USE;
/* Removes the folder NAME and the files in it, overwritten. */
enum err folder_remove(const struct folder *at, const char *name, struct err_info *info) MUST_USE;
void folder_close(struct folder *at); /* one that is not open, too */
enum err folder_sync(const struct folder *at, struct err_info *info) MUST_USE;

/* ---- files ---------------------------------------------------------------------------------- */

/* Writes the file NAME, which must not be there, and syncs it (the folder: folder_sync()). */
enum err folder_write_new(const struct folder *at, const char *name, const void *bytes, size_t len,
                          unsigned mode, struct err_info *info) MUST_USE;
/* The file NAME, by a new one and a rename. */
enum err folder_put(const struct folder *at, const char *name, const void *bytes, size_t len,
                    unsigned mode, struct err_info *info) MUST_USE;
/* FROM becomes TO. ERR_CONFLICT: there is one. */
enum err folder_rename_new(const struct folder *at, const char *from, const char *to,
                           struct err_info *info) MUST_USE;

struct folder_want {
    size_t cap;        /* ERR_LIMIT above */
    unsigned repair;   /* the mode it has to have, and gets; 0: */
    unsigned unwanted; /* the bits its mode must not have (ERR_DENIED) */
};
enum err folder_read(const struct folder *at, const char *name, const struct folder_want *want,
                     struct folder_text *out, struct err_info *info) MUST_USE;
/* Overwrites, if it is a file, and removes. What is not there is fine. */
enum err folder_wipe(const struct folder *at, const char *name, struct err_info *info) MUST_USE;

/* ---- links ---------------------------------------------------------------------------------- */

/* The link NAME to TARGET, if it is not that already; what is in its place is replaced by a rename, and
 * overwritten if it was a file. */
enum err folder_link(const struct folder *at, const char *name, const char *target,
                     struct err_info *info) MUST_USE;
/* Where the link NAME leads to. ERR_NOTFOUND: no such thing, or no link. */
enum err folder_follow(const struct folder *at, const char *name, char *out, size_t cap,
                       struct err_info *info) MUST_USE;

#endif
