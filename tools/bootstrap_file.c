#include "bootstrap_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/str.h"

static enum err refused(struct err_info *info, const char *path, int reason)
{
    return err_set(info, reason == EACCES || reason == EPERM ? ERR_DENIED : ERR_IO, "%s: %s", path,
                   strerror(reason));
}

/* ERR_CONFLICT: there is a file, and it is no attempt's. *left: there is one, and it is. */
static enum err look(const struct bundle_file *f, bool *left, struct err_info *info)
{
    struct stat file, temporary;
    *left = false;
    if (lstat(f->path, &file) != 0) {
        return errno == ENOENT ? ERR_OK : refused(info, f->path, errno);
    }
    *left = lstat(f->temporary, &temporary) == 0 && temporary.st_ino == file.st_ino &&
            temporary.st_dev == file.st_dev;
    return *left ? ERR_OK
                 : err_set(info, ERR_CONFLICT,
                           "%s: there is a file already; remove it, or name another one with --out",
                           f->path);
}

enum err bundle_file_open(struct bundle_file *f, const char *path, struct err_info *info)
{
    struct str temporary = {.text = NULL};
    bool left;
    str_appendf(&temporary, "%s.tmp", path);
    *f = (struct bundle_file){.path = path, .temporary = temporary.text};
    return look(f, &left, info);
}

static bool put(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return fsync(fd) == 0;
}

enum err bundle_file_write(struct bundle_file *f, const char *text, size_t len,
                           struct err_info *info)
{
    bool left;
    enum err e = look(f, &left, info);
    if (e != ERR_OK) {
        return e;
    }
    if ((left && unlink(f->path) != 0) || (unlink(f->temporary) != 0 && errno != ENOENT)) {
        return refused(info, f->temporary, errno);
    }
    int fd = open(f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return refused(info, f->temporary, errno);
    }
    bool well = fchmod(fd, 0600) == 0 && put(fd, text, len);
    int reason = errno;
    if (close(fd) != 0 && well) {
        well = false;
        reason = errno;
    }
    if (!well) {
        unlink(f->temporary);
        return refused(info, f->temporary, reason);
    }
    return ERR_OK;
}

/* A power cut later must not take the name away. */
static enum err sync_folder(const char *path, struct err_info *info)
{
    struct str folder = {.text = NULL};
    const char *slash = strrchr(path, '/');
    str_append_n(&folder, slash != NULL ? path : ".",
                 slash == NULL || slash == path ? 1 : (size_t)(slash - path));
    int fd = open(folder.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err e = fd < 0 || fsync(fd) != 0 ? refused(info, folder.text, errno) : ERR_OK;
    if (fd >= 0) {
        close(fd);
    }
    str_free(&folder);
    return e;
}

enum err bundle_file_publish(struct bundle_file *f, struct err_info *info)
{
    if (link(f->temporary, f->path) != 0) {
        if (errno == EEXIST) {
            return err_set(info, ERR_CONFLICT, "%s: somebody else has made that file meanwhile",
                           f->path);
        }
        /* A file system without a second name for a file. */
        bool without = errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS || errno == EMLINK;
        if (!without || rename(f->temporary, f->path) != 0) {
            return refused(info, f->path, errno);
        }
    }
    f->published = true;
    return sync_folder(f->path, info);
}

void bundle_file_settle(struct bundle_file *f)
{
    unlink(f->temporary);
}

void bundle_file_undo(struct bundle_file *f)
{
    if (f->published) {
        unlink(f->path);
    }
    unlink(f->temporary);
}

void bundle_file_close(struct bundle_file *f)
{
    free(f->temporary);
    *f = (struct bundle_file){.path = NULL};
}
