/* Files and links in a folder that is open: nothing here follows a link, and what is there afterwards
 * is either what was there before or all that is new. A file's mode is set before its first octet,
 * whatever the umask is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sync_priv.h"

#define FOLDER_MODE 0700U
#define FILE_MODE   0600U
#define MODE_BITS   07777U

/* The name that new things have until their rename. A crash leaves at most one of them behind, which
 * the next attempt wipes. */
static void temporary(const char *name, char out[NAME_MAX + 1])
{
    snprintf(out, NAME_MAX + 1, ".%s.new", name);
}

static bool stopped(const struct sync_at *at, const char *call)
{
    errno = at->gate->ask != NULL ? at->gate->ask(at->gate->ctx, call) : 0;
    return errno != 0;
}

enum err sync_fail(const struct sync_at *at, const char *name, const char *doing,
                   struct err_info *info)
{
    enum err e = errno == ENOENT                                       ? ERR_NOTFOUND
                 : errno == EACCES || errno == EPERM || errno == ELOOP ? ERR_DENIED
                                                                       : ERR_IO;
    return err_set(info, e, "cannot %s %s%s%s: %s", doing, at->path, name != NULL ? "/" : "",
                   name != NULL ? name : "", strerror(errno));
}

void sync_texts_free(struct sync_texts *t)
{
    if (t->key.bytes != NULL) {
        explicit_bzero(t->key.bytes, t->key.len);
    }
    free(t->key.bytes);
    free(t->cert.bytes);
    *t = (struct sync_texts){.cert = {.bytes = NULL}};
}

/* ---- folders ------------------------------------------------------------------------------- */

/* It is ours, and for us alone. */
static enum err repair_folder(const struct sync_at *at, struct err_info *info)
{
    struct stat st;
    if (fstat(at->fd, &st) != 0) {
        return sync_fail(at, NULL, "look at", info);
    }
    if (st.st_uid != geteuid()) {
        return err_set(info, ERR_DENIED, "%s belongs to user %u; it must be user %u's: chown it",
                       at->path, (unsigned)st.st_uid, (unsigned)geteuid());
    }
    if ((st.st_mode & MODE_BITS) != FOLDER_MODE &&
        (stopped(at, "fchmod") || fchmod(at->fd, FOLDER_MODE) != 0)) {
        return sync_fail(at, NULL, "set the mode of", info);
    }
    return ERR_OK;
}

enum err sync_at_enter(const struct sync_at *at, const char *name, struct sync_at *out,
                       struct err_info *info)
{
    *out = (struct sync_at){.gate = at->gate, .fd = -1};
    int n = snprintf(out->path, sizeof out->path, "%s/%s", at->path, name);
    if (n < 0 || (size_t)n >= sizeof out->path) {
        return err_set(info, ERR_LIMIT, "path too long: %s", at->path);
    }
    if (stopped(at, "open") ||
        (out->fd = openat(at->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0) {
        return errno == ENOTDIR || errno == ELOOP
                   ? err_set(info, ERR_DENIED, "%s is not a folder: move it away", out->path)
                   : sync_fail(out, NULL, "open", info);
    }
    enum err e = repair_folder(out, info);
    if (e != ERR_OK) {
        sync_at_close(out);
    }
    return e;
}

enum err sync_at_folder(const struct sync_at *at, const char *name, struct sync_at *out,
                        struct err_info *info)
{
    enum err e = sync_at_enter(at, name, out, info);
    if (e != ERR_NOTFOUND) {
        return e;
    }
    if (stopped(at, "mkdir") || mkdirat(at->fd, name, FOLDER_MODE) != 0) {
        return sync_fail(at, name, "make", info);
    }
    e = sync_at_enter(at, name, out, info);
    e = e == ERR_OK ? sync_at_sync(at, info) : e;
    if (e != ERR_OK) {
        sync_at_close(out);
    }
    return e;
}

void sync_at_close(struct sync_at *at)
{
    if (at->fd >= 0) {
        close(at->fd);
        at->fd = -1;
    }
}

enum err sync_at_sync(const struct sync_at *at, struct err_info *info)
{
    return stopped(at, "fsync") || fsync(at->fd) != 0 ? sync_fail(at, NULL, "sync", info) : ERR_OK;
}

/* ---- writing ------------------------------------------------------------------------------- */

static enum err write_all(const struct sync_at *at, int fd, const char *name, const uint8_t *bytes,
                          size_t len, struct err_info *info)
{
    while (len > 0) {
        ssize_t n = stopped(at, "write") ? -1 : write(fd, bytes, len);
        if (n < 0 && errno != EINTR) {
            return sync_fail(at, name, "write", info);
        }
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return ERR_OK;
}

static enum err write_new(const struct sync_at *at, const char *name, const void *bytes, size_t len,
                          struct err_info *info)
{
    int fd;
    if (stopped(at, "open") ||
        (fd = openat(at->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                     FILE_MODE)) < 0) {
        return sync_fail(at, name, "create", info);
    }
    enum err e = ERR_OK;
    if (stopped(at, "fchmod") || fchmod(fd, FILE_MODE) != 0) { /* the umask may have taken bits */
        e = sync_fail(at, name, "set the mode of", info);
    }
    e = e == ERR_OK ? write_all(at, fd, name, bytes, len, info) : e;
    if (e == ERR_OK && (stopped(at, "fsync") || fsync(fd) != 0)) {
        e = sync_fail(at, name, "sync", info);
    }
    if (close(fd) != 0 && e == ERR_OK) {
        e = sync_fail(at, name, "close", info);
    }
    return e;
}

/* TMP becomes NAME, or goes. */
static enum err put_in_place(const struct sync_at *at, const char *tmp, const char *name,
                             struct err_info *info)
{
    if (stopped(at, "rename") || renameat(at->fd, tmp, at->fd, name) != 0) {
        enum err e = sync_fail(at, name, "replace", info);
        unlinkat(at->fd, tmp, 0);
        return e;
    }
    return ERR_OK;
}

enum err sync_at_put(const struct sync_at *at, const char *name, const void *bytes, size_t len,
                     struct err_info *info)
{
    char tmp[NAME_MAX + 1];
    temporary(name, tmp);
    enum err e = sync_at_wipe(at, tmp, info);
    if (e != ERR_OK) {
        return e;
    }
    e = write_new(at, tmp, bytes, len, info);
    if (e != ERR_OK) {
        (void)!sync_at_wipe(at, tmp, NULL); /* as far as it goes: what failed is told already */
        return e;
    }
    return put_in_place(at, tmp, name, info);
}

/* ---- reading ------------------------------------------------------------------------------- */

static enum err check_file(const struct sync_at *at, int fd, const char *name, off_t *size,
                           struct err_info *info)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return sync_fail(at, name, "look at", info);
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(info, ERR_DENIED, "%s/%s is not a file: move it away", at->path, name);
    }
    if (st.st_size > TLS_PAIR_PEM_MAX) {
        return err_set(info, ERR_LIMIT, "%s/%s is larger than %d bytes", at->path, name,
                       TLS_PAIR_PEM_MAX);
    }
    if (st.st_uid != geteuid()) {
        return err_set(info, ERR_DENIED, "%s/%s belongs to user %u", at->path, name,
                       (unsigned)st.st_uid);
    }
    if ((st.st_mode & MODE_BITS) != FILE_MODE && fchmod(fd, FILE_MODE) != 0) {
        return sync_fail(at, name, "set the mode of", info);
    }
    *size = st.st_size;
    return ERR_OK;
}

enum err sync_at_read(const struct sync_at *at, const char *name, struct sync_text *out,
                      struct err_info *info)
{
    off_t size = 0;
    int fd;
    if (stopped(at, "read") ||
        /* not blocking: a FIFO in its place must not hold us */
        (fd = openat(at->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)) < 0) {
        return sync_fail(at, name, "open", info);
    }
    enum err e = check_file(at, fd, name, &size, info);
    *out = (struct sync_text){.bytes = e == ERR_OK ? malloc((size_t)size + 1) : NULL};
    if (e == ERR_OK && out->bytes == NULL) {
        e = err_set(info, ERR_NOMEM, "no memory to read %s/%s", at->path, name);
    }
    while (e == ERR_OK && out->len < (size_t)size) {
        ssize_t n = read(fd, out->bytes + out->len, (size_t)size - out->len);
        if (n == 0) { /* it is being written: what we have is as good as damaged */
            break;
        }
        if (n < 0 && errno != EINTR) {
            e = sync_fail(at, name, "read", info);
        }
        out->len += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    if (e == ERR_OK) {
        out->bytes[out->len] = '\0';
    } else if (out->bytes != NULL) {
        explicit_bzero(out->bytes, out->len);
        free(out->bytes);
        out->bytes = NULL;
    }
    return e;
}

/* ---- links --------------------------------------------------------------------------------- */

enum err sync_at_follow(const struct sync_at *at, const char *name, char *out, size_t cap,
                        struct err_info *info)
{
    ssize_t n = stopped(at, "readlink") ? -1 : readlinkat(at->fd, name, out, cap);
    if (n < 0 && errno == EINVAL) {
        return err_set(info, ERR_NOTFOUND, "%s/%s is not a link", at->path, name);
    }
    if (n < 0 || (size_t)n >= cap) {
        errno = n < 0 ? errno : ENAMETOOLONG;
        return sync_fail(at, name, "follow", info);
    }
    out[n] = '\0';
    return ERR_OK;
}

/* For wiping the file at NAME; -1: there is none of ours. */
static int open_to_wipe(const struct sync_at *at, const char *name, struct stat *st)
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
    off_t left = size < TLS_PAIR_PEM_MAX ? size : TLS_PAIR_PEM_MAX;
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

enum err sync_at_wipe(const struct sync_at *at, const char *name, struct err_info *info)
{
    struct stat st;
    int fd = open_to_wipe(at, name, &st);
    if (stopped(at, "unlink") || unlinkat(at->fd, name, 0) != 0) {
        enum err e = errno == ENOENT ? ERR_OK : sync_fail(at, name, "remove", info);
        if (fd >= 0) {
            close(fd);
        }
        return e;
    }
    wipe_lost(fd);
    return ERR_OK;
}

enum err sync_at_link(const struct sync_at *at, const char *name, const char *target,
                      struct err_info *info)
{
    char is[PATH_MAX], tmp[NAME_MAX + 1];
    struct stat st;
    if (sync_at_follow(at, name, is, sizeof is, NULL) == ERR_OK && strcmp(is, target) == 0) {
        return ERR_OK;
    }
    temporary(name, tmp);
    enum err e = sync_at_wipe(at, tmp, info);
    if (e != ERR_OK) {
        return e;
    }
    if (stopped(at, "symlink") || symlinkat(target, at->fd, tmp) != 0) {
        return sync_fail(at, name, "make the link", info);
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
    return sync_at_sync(at, info);
}
