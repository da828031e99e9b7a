#include "folder_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_MODE 0700U
#define MODE_BITS   07777U
#define WIPE_MAX    ((off_t)256 * 1024) /* no key is larger; others are not for us to fill */

/* The name that new things have until their rename. A crash leaves at most one of them behind, which
 * the next attempt wipes. */
static void temporary(const char *name, char out[NAME_MAX + 1])
{
    snprintf(out, NAME_MAX + 1, ".%s.new", name);
}

static bool stopped(const struct folder *at, const char *call)
{
    errno = at->gate->ask != NULL ? at->gate->ask(at->gate->ctx, call) : 0;
    return errno != 0;
}

enum err folder_fail(const struct folder *at, const char *name, const char *doing,
                     struct err_info *info)
{
    enum err e = errno == ENOENT                                       ? ERR_NOTFOUND
                 : errno == EACCES || errno == EPERM || errno == ELOOP ? ERR_DENIED
                                                                       : ERR_IO;
    return err_set(info, e, "cannot %s %s%s%s: %s", doing, at->path, name != NULL ? "/" : "",
                   name != NULL ? name : "", strerror(errno));
}

void folder_text_free(struct folder_text *t)
{
    if (t->bytes != NULL) {
        explicit_bzero(t->bytes, t->len);
    }
    free(t->bytes);
    *t = (struct folder_text){.bytes = NULL};
}

/* What root makes in somebody's folder is theirs. */
static bool give(const struct folder *at, int fd)
{
    return geteuid() != 0 || at->uid == 0 ||
           (!stopped(at, "fchown") && fchown(fd, at->uid, at->gid) == 0);
}

static bool is_ours(const struct folder *at, const struct stat *st)
{
    return st->st_uid == geteuid() || (geteuid() == 0 && st->st_uid == at->uid);
}

/* ---- folders ------------------------------------------------------------------------------- */

/* It is ours, and for us alone. */
static enum err repair_folder(const struct folder *at, struct err_info *info)
{
    struct stat st;
    if (fstat(at->fd, &st) != 0) {
        return folder_fail(at, NULL, "look at", info);
    }
    if (!is_ours(at, &st)) {
        return err_set(info, ERR_DENIED, "%s belongs to user %u; it must be user %u's: chown it",
                       at->path, (unsigned)st.st_uid, (unsigned)geteuid());
    }
    if (st.st_uid != at->uid && !give(at, at->fd)) {
        return folder_fail(at, NULL, "set the owner of", info);
    }
    if ((st.st_mode & MODE_BITS) != FOLDER_MODE &&
        (stopped(at, "fchmod") || fchmod(at->fd, FOLDER_MODE) != 0)) {
        return folder_fail(at, NULL, "set the mode of", info);
    }
    return ERR_OK;
}

enum err folder_enter(const struct folder *at, const char *name, struct folder *out,
                      struct err_info *info)
{
    *out = (struct folder){.gate = at->gate, .fd = -1, .uid = at->uid, .gid = at->gid};
    int n = snprintf(out->path, sizeof out->path, "%s/%s", at->path, name);
    if (n < 0 || (size_t)n >= sizeof out->path) {
        return err_set(info, ERR_LIMIT, "path too long: %s", at->path);
    }
    if (stopped(at, "open") ||
        (out->fd = openat(at->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0) {
        return errno == ENOTDIR || errno == ELOOP
                   ? err_set(info, ERR_DENIED, "%s is not a folder: move it away", out->path)
                   : folder_fail(out, NULL, "open", info);
    }
    enum err e = repair_folder(out, info);
    if (e != ERR_OK) {
        folder_close(out);
    }
    return e;
}

enum err folder_make(const struct folder *at, const char *name, struct folder *out,
                     struct err_info *info)
{
    enum err e = folder_enter(at, name, out, info);
    if (e != ERR_NOTFOUND) {
        return e;
    }
    if (stopped(at, "mkdir") || mkdirat(at->fd, name, FOLDER_MODE) != 0) {
        return folder_fail(at, name, "make", info);
    }
    e = folder_enter(at, name, out, info);
    e = e == ERR_OK ? folder_sync(at, info) : e;
    if (e != ERR_OK) {
        folder_close(out);
    }
    return e;
}

void folder_close(struct folder *at)
{
    if (at->fd >= 0) {
        close(at->fd);
        at->fd = -1;
    }
}

enum err folder_sync(const struct folder *at, struct err_info *info)
{
    return stopped(at, "fsync") || fsync(at->fd) != 0 ? folder_fail(at, NULL, "sync", info)
                                                      : ERR_OK;
}

/* ---- writing ------------------------------------------------------------------------------- */

static enum err write_all(const struct folder *at, int fd, const char *name, const uint8_t *bytes,
                          size_t len, struct err_info *info)
{
    while (len > 0) {
        ssize_t n = stopped(at, "write") ? -1 : write(fd, bytes, len);
        if (n < 0 && errno != EINTR) {
            return folder_fail(at, name, "write", info);
        }
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return ERR_OK;
}

enum err folder_write_new(const struct folder *at, const char *name, const void *bytes, size_t len,
                          unsigned mode, struct err_info *info)
{
    int fd;
    if (stopped(at, "open") ||
        (fd = openat(at->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                     mode & 0700)) < 0) {
        return folder_fail(at, name, "create", info);
    }
    enum err e = ERR_OK;
    if (!give(at, fd)) {
        e = folder_fail(at, name, "set the owner of", info);
    }
    /* the umask may have taken bits */
    if (e == ERR_OK && (stopped(at, "fchmod") || fchmod(fd, mode) != 0)) {
        e = folder_fail(at, name, "set the mode of", info);
    }
    e = e == ERR_OK ? write_all(at, fd, name, bytes, len, info) : e;
    if (e == ERR_OK && (stopped(at, "fsync") || fsync(fd) != 0)) {
        e = folder_fail(at, name, "sync", info);
    }
    if (close(fd) != 0 && e == ERR_OK) {
        e = folder_fail(at, name, "close", info);
    }
    return e;
}

/* TMP becomes NAME, or goes. */
static enum err put_in_place(const struct folder *at, const char *tmp, const char *name,
                             struct err_info *info)
{
    if (stopped(at, "rename") || renameat(at->fd, tmp, at->fd, name) != 0) {
        enum err e = folder_fail(at, name, "replace", info);
        unlinkat(at->fd, tmp, 0);
        return e;
    }
    return ERR_OK;
}

enum err folder_put(const struct folder *at, const char *name, const void *bytes, size_t len,
                    unsigned mode, struct err_info *info)
{
    char tmp[NAME_MAX + 1];
    temporary(name, tmp);
    enum err e = folder_wipe(at, tmp, info);
    if (e != ERR_OK) {
        return e;
    }
    e = folder_write_new(at, tmp, bytes, len, mode, info);
    if (e != ERR_OK) {
        (void)!folder_wipe(at, tmp, NULL); /* as far as it goes: what failed is told already */
        return e;
    }
    return put_in_place(at, tmp, name, info);
}

enum err folder_rename_new(const struct folder *at, const char *from, const char *to,
                           struct err_info *info)
{
    if (stopped(at, "rename")) {
        return folder_fail(at, to, "make", info);
    }
    int rc = renameat2(at->fd, from, at->fd, to, RENAME_NOREPLACE);
    if (rc != 0 && (errno == EINVAL || errno == ENOSYS)) { /* not every file system can */
        rc = renameat(at->fd, from, at->fd, to);
    }
    if (rc != 0 && errno == EEXIST) {
        return err_set(info, ERR_CONFLICT, "%s/%s is there already", at->path, to);
    }
    return rc != 0 ? folder_fail(at, to, "make", info) : ERR_OK;
}

/* ---- reading ------------------------------------------------------------------------------- */

static enum err check_mode(const struct folder *at, int fd, const char *name, mode_t mode,
                           const struct folder_want *want, struct err_info *info)
{
    mode &= MODE_BITS;
    if (want->repair != 0 && mode != want->repair && fchmod(fd, want->repair) != 0) {
        return folder_fail(at, name, "set the mode of", info);
    }
    if (want->repair == 0 && (mode & want->unwanted) != 0) {
        return err_set(info, ERR_DENIED, "%s/%s can be %s by others (mode %04o): chmod %04o it",
                       at->path, name,
                       (mode & want->unwanted & (S_IRGRP | S_IROTH)) != 0 ? "read" : "written",
                       (unsigned)mode, (unsigned)(mode & ~want->unwanted));
    }
    return ERR_OK;
}

static enum err check_file(const struct folder *at, int fd, const char *name,
                           const struct folder_want *want, off_t *size, struct err_info *info)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return folder_fail(at, name, "look at", info);
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(info, ERR_DENIED, "%s/%s is not a file: move it away", at->path, name);
    }
    if ((size_t)st.st_size > want->cap) {
        return err_set(info, ERR_LIMIT, "%s/%s is larger than %zu bytes", at->path, name,
                       want->cap);
    }
    if (!is_ours(at, &st)) {
        return err_set(info, ERR_DENIED, "%s/%s belongs to user %u", at->path, name,
                       (unsigned)st.st_uid);
    }
    *size = st.st_size;
    return check_mode(at, fd, name, st.st_mode, want, info);
}

static enum err read_all(const struct folder *at, int fd, const char *name, size_t size,
                         struct folder_text *out, struct err_info *info)
{
    out->bytes = malloc(size + 1);
    if (out->bytes == NULL) {
        return err_set(info, ERR_NOMEM, "no memory to read %s/%s", at->path, name);
    }
    while (out->len < size) {
        ssize_t n = read(fd, out->bytes + out->len, size - out->len);
        if (n == 0) { /* it is being written: what we have is as good as damaged */
            break;
        }
        if (n < 0 && errno != EINTR) {
            return folder_fail(at, name, "read", info);
        }
        out->len += n > 0 ? (size_t)n : 0;
    }
    out->bytes[out->len] = '\0';
    return ERR_OK;
}

enum err folder_read(const struct folder *at, const char *name, const struct folder_want *want,
                     struct folder_text *out, struct err_info *info)
{
    off_t size = 0;
    int fd;
    *out = (struct folder_text){.bytes = NULL};
    if (stopped(at, "read") ||
        /* not blocking: a FIFO in its place must not hold us */
        (fd = openat(at->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)) < 0) {
        return errno == ELOOP ? err_set(info, ERR_DENIED,
                                        "%s/%s is a link, not a file: put the file itself there",
                                        at->path, name)
                              : folder_fail(at, name, "open", info);
    }
    enum err e = check_file(at, fd, name, want, &size, info);
    e = e == ERR_OK ? read_all(at, fd, name, (size_t)size, out, info) : e;
    close(fd);
    if (e != ERR_OK) {
        folder_text_free(out);
    }
    return e;
}

/* ---- links --------------------------------------------------------------------------------- */

enum err folder_follow(const struct folder *at, const char *name, char *out, size_t cap,
                       struct err_info *info)
{
    ssize_t n = stopped(at, "readlink") ? -1 : readlinkat(at->fd, name, out, cap);
    if (n < 0 && errno == EINVAL) {
        return err_set(info, ERR_NOTFOUND, "%s/%s is not a link", at->path, name);
    }
    if (n < 0 || (size_t)n >= cap) {
        errno = n < 0 ? errno : ENAMETOOLONG;
        return folder_fail(at, name, "follow", info);
    }
    out[n] = '\0';
    return ERR_OK;
}

/* For wiping the file at NAME; -1: there is none of ours. */
static int open_to_wipe(const struct folder *at, const char *name, struct stat *st)
{
    int fd = openat(at->fd, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, st) != 0 || !S_ISREG(st->st_mode))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Best effort: file systems that keep old blocks elsewhere (copy on write, journals of data) keep
 * them. SIZE octets, bounded by what we ever write. */
static void overwrite(int fd, off_t size)
{
    static const uint8_t zeros[4096];
    off_t left = size < WIPE_MAX ? size : WIPE_MAX;
    if (lseek(fd, 0, SEEK_SET) != 0) {
        return;
    }
    while (left > 0) {
        size_t step = left < (off_t)sizeof zeros ? (size_t)left : sizeof zeros;
        if (write(fd, zeros, step) != (ssize_t)step) {
            return;
        }
        left -= (off_t)step;
    }
    (void)!fsync(fd);
}

/* Of a file that has just lost a name: overwritten if that was the last, since nobody can open it any
 * more. Who has it open already reads zeros, as with every other way to wipe. */
static void wipe_lost(int fd)
{
    struct stat st;
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_nlink == 0) {
        overwrite(fd, st.st_size);
    }
    if (fd >= 0) {
        close(fd);
    }
}

enum err folder_wipe(const struct folder *at, const char *name, struct err_info *info)
{
    struct stat st;
    int fd = open_to_wipe(at, name, &st);
    if (stopped(at, "unlink") || unlinkat(at->fd, name, 0) != 0) {
        enum err e = errno == ENOENT ? ERR_OK : folder_fail(at, name, "remove", info);
        if (fd >= 0) {
            close(fd);
        }
        return e;
    }
    wipe_lost(fd);
    return ERR_OK;
}

enum err folder_link(const struct folder *at, const char *name, const char *target,
                     struct err_info *info)
{
    char is[PATH_MAX], tmp[NAME_MAX + 1];
    struct stat st;
    if (folder_follow(at, name, is, sizeof is, NULL) == ERR_OK && strcmp(is, target) == 0) {
        return ERR_OK;
    }
    temporary(name, tmp);
    enum err e = folder_wipe(at, tmp, info);
    if (e != ERR_OK) {
        return e;
    }
    if (stopped(at, "symlink") || symlinkat(target, at->fd, tmp) != 0) {
        return folder_fail(at, name, "make the link", info);
    }
    int fd = open_to_wipe(at, name, &st);
    e = put_in_place(at, tmp, name, info);
    if (e != ERR_OK) {
        if (fd >= 0) {
            close(fd);
        }
        return e;
    }
    wipe_lost(fd);
    return folder_sync(at, info);
}
