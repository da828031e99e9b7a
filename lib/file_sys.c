#include "file_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err from_errno(struct err_info *info, const char *doing, const char *path)
{
    enum err e = errno == ENOENT                     ? ERR_NOTFOUND
                 : errno == EACCES || errno == EPERM ? ERR_DENIED
                                                     : ERR_IO;
    return err_set(info, e, "cannot %s %s: %s", doing, path, strerror(errno));
}

#define READ_STEP 65536 /* room for files whose size is not known beforehand: pipes, /proc */

/* Fills *BYTES (room for *ROOM + 1) up to the end of the file, growing it to CAP + 1 at most. */
static enum err read_all(int fd, const char *path, size_t cap, size_t room, uint8_t **bytes,
                         size_t *len, struct err_info *info)
{
    *len = 0;
    for (;;) {
        ssize_t n = read(fd, *bytes + *len, room + 1 - *len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return from_errno(info, "read", path);
        }
        if (n == 0) {
            (*bytes)[*len] = '\0';
            return ERR_OK;
        }
        *len += (size_t)n;
        if (*len > cap) {
            return err_set(info, ERR_LIMIT, "%s is larger than %zu bytes", path, cap);
        }
        if (*len > room) {
            room = cap - room > room + READ_STEP ? room * 2 + READ_STEP : cap;
            uint8_t *more = realloc(*bytes, room + 1);
            if (more == NULL) {
                return err_set(info, ERR_NOMEM, "no memory to read %s", path);
            }
            *bytes = more;
        }
    }
}

enum err file_read(const char *path, size_t cap, uint8_t **out, size_t *len, struct err_info *info)
{
    struct stat st;
    uint8_t *bytes = NULL;
    enum err e = ERR_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return from_errno(info, "open", path);
    }
    if (fstat(fd, &st) != 0) {
        e = from_errno(info, "stat", path);
        goto out;
    }
    if (S_ISREG(st.st_mode) && (uintmax_t)st.st_size > cap) {
        e = err_set(info, ERR_LIMIT, "%s is larger than %zu bytes", path, cap);
        goto out;
    }
    /* The size is where to start from, not where to end: the file may be growing. */
    size_t room = S_ISREG(st.st_mode) ? (size_t)st.st_size : 0;
    bytes = malloc(room + 1);
    if (bytes == NULL) {
        e = err_set(info, ERR_NOMEM, "no memory to read %s", path);
        goto out;
    }
    e = read_all(fd, path, cap, room, &bytes, len, info);
out:
    close(fd);
    if (e != ERR_OK) {
        free(bytes);
        return e;
    }
    *out = bytes;
    return ERR_OK;
}

static enum err write_all(int fd, const char *path, const uint8_t *bytes, size_t len,
                          struct err_info *info)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return from_errno(info, "write", path);
        }
        bytes += n;
        len -= (size_t)n;
    }
    return ERR_OK;
}

/* The folder of PATH, open for fsync(), or -1 and *E. */
static int open_folder(const char *path, enum err *e, struct err_info *info)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        snprintf(folder, sizeof folder, ".");
    } else {
        snprintf(folder, sizeof folder, "%.*s", (int)(slash == path ? 1 : slash - path), path);
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        *e = from_errno(info, "open the folder", folder);
    }
    return fd;
}

/* Writes the file TMP, which must be new: what is there is a leftover of a crash or a trap. */
static enum err write_new(const char *tmp, const void *bytes, size_t len, unsigned mode,
                          struct err_info *info)
{
    unlink(tmp);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        return from_errno(info, "create", tmp);
    }
    enum err e = write_all(fd, tmp, bytes, len, info);
    if (e == ERR_OK && fchmod(fd, mode) != 0) {
        e = from_errno(info, "set the mode of", tmp);
    }
    if (e == ERR_OK && fsync(fd) != 0) {
        e = from_errno(info, "sync", tmp);
    }
    if (close(fd) != 0 && e == ERR_OK) {
        e = from_errno(info, "close", tmp);
    }
    if (e != ERR_OK) {
        unlink(tmp);
    }
    return e;
}

enum err file_replace(const char *path, const void *bytes, size_t len, unsigned mode,
                      struct err_info *info)
{
    char tmp[PATH_MAX];
    enum err e = ERR_OK;
    int n = snprintf(tmp, sizeof tmp, "%s.tmp.%ld", path, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof tmp) {
        return err_set(info, ERR_LIMIT, "path too long: %s", path);
    }
    /* Opened first, so that a folder we cannot sync changes nothing. */
    int folder = open_folder(path, &e, info);
    if (folder < 0) {
        return e;
    }
    e = write_new(tmp, bytes, len, mode, info);
    if (e == ERR_OK && rename(tmp, path) != 0) {
        e = from_errno(info, "rename to", path);
        unlink(tmp);
    }
    if (e == ERR_OK && fsync(folder) != 0) {
        e = from_errno(info, "sync the folder of", path);
    }
    close(folder);
    return e;
}

void file_replace_leftovers(const char *path)
{
    char pattern[4096 + 8];
    glob_t found;
    int n = snprintf(pattern, sizeof pattern, "%s.tmp.*", path);
    if (n > 0 && (size_t)n < sizeof pattern && glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            unlink(found.gl_pathv[i]);
        }
        globfree(&found);
    }
}
