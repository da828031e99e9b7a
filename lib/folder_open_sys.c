/* Folders that are opened by their path, locked, and removed. */
#include "folder_sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOLDER_MODE 0700
#define ABOVE_MODE  0750
#define LOOK_MS     20 /* at a lock that another has */

static bool stopped(const struct folder *at, const char *call)
{
    errno = at->gate->ask != NULL ? at->gate->ask(at->gate->ctx, call) : 0;
    return errno != 0;
}

/* ---- whose -------------------------------------------------------------------------------- */

/* Whom the folder is for: ACCOUNT if we are root, else us. */
static enum err find_owner(const char *account, uid_t *uid, gid_t *gid, struct err_info *info)
{
    struct passwd pw, *found = NULL;
    char texts[4096];
    *uid = geteuid();
    *gid = getegid();
    if (account == NULL || *uid != 0) {
        return ERR_OK;
    }
    int rc = getpwnam_r(account, &pw, texts, sizeof texts, &found);
    if (found == NULL) {
        return err_set(info, ERR_NOTFOUND, "user %s: no such account%s%s", account,
                       rc != 0 ? ": " : "", rc != 0 ? strerror(rc) : "");
    }
    *uid = pw.pw_uid;
    *gid = pw.pw_gid;
    return ERR_OK;
}

/* ---- opening ------------------------------------------------------------------------------ */

static enum err start(const char *path, const struct folder_gate *gate, struct folder *out,
                      struct err_info *info)
{
    *out = (struct folder){.gate = gate, .fd = -1};
    int n = snprintf(out->path, sizeof out->path, "%s", path);
    if (n <= 0 || (size_t)n >= sizeof out->path) {
        return err_set(info, ERR_LIMIT, "path too long, or empty: %s", path);
    }
    while (n > 1 && out->path[n - 1] == '/') {
        out->path[--n] = '\0';
    }
    return ERR_OK;
}

/* Whoever may write in it can put something of theirs in the place of what is ours. */
static enum err look_at(struct folder *f, struct stat *st, struct err_info *info)
{
    if (fstat(f->fd, st) != 0) {
        return folder_fail(f, NULL, "look at", info);
    }
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return err_set(info, ERR_DENIED, "%s can be written by others: chmod 0700 it", f->path);
    }
    f->uid = st->st_uid;
    f->gid = st->st_gid;
    return ERR_OK;
}

static enum err open_it(struct folder *f, struct stat *st, struct err_info *info)
{
    if (stopped(f, "open") || (f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
        return errno == ENOTDIR
                   ? err_set(info, ERR_DENIED, "%s is not a folder: move it away", f->path)
                   : folder_fail(f, NULL, "open", info);
    }
    return look_at(f, st, info);
}

enum err folder_open(const char *path, const struct folder_gate *gate, struct folder *out,
                     struct err_info *info)
{
    struct stat st;
    enum err e = start(path, gate, out, info);
    e = e == ERR_OK ? open_it(out, &st, info) : e;
    if (e != ERR_OK) {
        folder_close(out);
    }
    return e;
}

/* ---- making ------------------------------------------------------------------------------- */

static enum err sync_above(const struct folder *f, const char *path, struct err_info *info)
{
    char above[PATH_MAX];
    snprintf(above, sizeof above, "%s", path);
    char *slash = strrchr(above, '/');
    if (slash != NULL) {
        *(slash == above ? slash + 1 : slash) = '\0';
    }
    int fd = open(slash != NULL ? above : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool well = fd >= 0 && !stopped(f, "fsync") && fsync(fd) == 0;
    enum err e = well ? ERR_OK : folder_fail(f, NULL, "sync the folder of", info);
    if (fd >= 0) {
        close(fd);
    }
    return e;
}

/* What has just been made, and no link that somebody has put in its place. */
static enum err dress(const struct folder *f, const char *path, mode_t mode, struct err_info *info)
{
    enum err e = ERR_OK;
    int fd = stopped(f, "open") ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return folder_fail(f, NULL, "open", info);
    }
    if (stopped(f, "fchmod") || fchmod(fd, mode) != 0) { /* the umask may have taken bits */
        e = folder_fail(f, NULL, "set the mode of", info);
    } else if (geteuid() == 0 && f->uid != 0 &&
               (stopped(f, "fchown") || fchown(fd, f->uid, f->gid) != 0)) {
        e = folder_fail(f, NULL, "set the owner of", info);
    }
    close(fd);
    return e;
}

/* One that was there is left alone. */
static enum err make_one(const struct folder *f, const char *path, mode_t mode,
                         struct err_info *info)
{
    if (stopped(f, "mkdir") || mkdir(path, mode) != 0) {
        return errno == EEXIST ? ERR_OK : folder_fail(f, NULL, "make", info);
    }
    enum err e = dress(f, path, mode, info);
    return e == ERR_OK ? sync_above(f, path, info) : e;
}

/* And those above it, from the first that is not there. */
static enum err make_all(const struct folder *f, struct err_info *info)
{
    char path[PATH_MAX];
    struct stat st;
    enum err e = ERR_OK;
    snprintf(path, sizeof path, "%s", f->path);
    for (char *slash = strchr(path + 1, '/'); e == ERR_OK && slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (stat(path, &st) != 0) {
            e = make_one(f, path, ABOVE_MODE, info);
        }
        *slash = '/';
    }
    return e == ERR_OK ? make_one(f, f->path, FOLDER_MODE, info) : e;
}

static bool is_empty(const struct folder *f)
{
    int fd = openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), count = 0;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    while (count < 3 && readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count == 2; /* itself and the one above */
}

/* Root's own, and nothing in it: as it is between mkdir() and chown(). */
static enum err settle(struct folder *f, uid_t uid, gid_t gid, struct err_info *info)
{
    if (f->uid == uid) {
        return ERR_OK;
    }
    if (geteuid() != 0 || f->uid != 0 || !is_empty(f)) {
        return err_set(info, ERR_DENIED, "%s belongs to user %u; it must be user %u's: chown it",
                       f->path, (unsigned)f->uid, (unsigned)uid);
    }
    if (stopped(f, "fchown") || fchown(f->fd, uid, gid) != 0) {
        return folder_fail(f, NULL, "set the owner of", info);
    }
    f->uid = uid;
    f->gid = gid;
    return ERR_OK;
}

enum err folder_open_for(const char *path, const char *account, const struct folder_gate *gate,
                         struct folder *out, struct err_info *info)
{
    struct stat st;
    uid_t uid = 0;
    gid_t gid = 0;
    enum err e = start(path, gate, out, info);
    e = e == ERR_OK ? find_owner(account, &uid, &gid, info) : e;
    out->uid = uid;
    out->gid = gid;
    e = e == ERR_OK ? make_all(out, info) : e;
    e = e == ERR_OK ? open_it(out, &st, info) : e;
    if (e == ERR_OK && (geteuid() != 0 || account != NULL)) {
        e = settle(out, uid, gid, info);
    }
    if (e != ERR_OK) {
        folder_close(out);
    }
    return e;
}

/* ---- locking ------------------------------------------------------------------------------ */

enum err folder_lock(const struct folder *at, unsigned wait_ms, struct err_info *info)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    for (unsigned waited = 0; flock(at->fd, LOCK_EX | LOCK_NB) != 0; waited += LOOK_MS) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return folder_fail(at, NULL, "lock", info);
        }
        if (waited >= wait_ms) {
            return err_set(info, ERR_BUSY, "another process works in %s: try again", at->path);
        }
        nanosleep(&pause, NULL);
    }
    return ERR_OK;
}

/* ---- removing ----------------------------------------------------------------------------- */

static enum err wipe_all(const struct folder *at, struct err_info *info)
{
    enum err e = ERR_OK;
    int fd = openat(at->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        e = folder_fail(at, NULL, "list", info);
        if (fd >= 0) {
            close(fd);
        }
        return e;
    }
    for (const struct dirent *entry; e == ERR_OK && (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            e = folder_wipe(at, entry->d_name, info);
        }
    }
    closedir(dir);
    return e;
}

enum err folder_remove(const struct folder *at, const char *name, struct err_info *info)
{
    struct folder in;
    enum err e = folder_enter(at, name, &in, info);
    if (e == ERR_OK) {
        e = wipe_all(&in, info);
        folder_close(&in);
    }
    if (e == ERR_OK && unlinkat(at->fd, name, AT_REMOVEDIR) != 0) {
        e = folder_fail(at, name, "remove", info);
    }
    return e;
}
