/* What needs the system, and blocks, before the loop runs. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app.h"

static enum err make_dir(const char *path, bool *made, struct err_info *info)
{
    *made = mkdir(path, 0750) == 0;
    if (*made || errno == EEXIST) {
        return ERR_OK;
    }
    char parent[4096];
    int n = snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (errno != ENOENT || n < 0 || (size_t)n >= sizeof parent || slash == NULL ||
        slash == parent) {
        return err_set(info, errno == EACCES ? ERR_DENIED : ERR_IO,
                       "cannot make the state folder %s: %s", path, strerror(errno));
    }
    *slash = '\0';
    enum err e = make_dir(parent, made, info);
    if (e != ERR_OK) {
        return e;
    }
    *made = mkdir(path, 0750) == 0;
    return *made || errno == EEXIST ? ERR_OK
                                    : err_set(info, ERR_IO, "cannot make the state folder %s: %s",
                                              path, strerror(errno));
}

static enum err find_user(const char *user, struct passwd **pw, struct err_info *info)
{
    errno = 0;
    *pw = getpwnam(user);
    if (*pw == NULL) {
        return err_set(info, ERR_NOTFOUND,
                       "user %s: no such account; make it with `adduser --system "
                       "--group %s`, or change `user:`",
                       user, user);
    }
    return ERR_OK;
}

/* A file that an earlier start made as root must not lock the account out. Only root's own files
 * are given away, and no folder that was there before: it may be anybody's. */
static enum err give(const char *file, const char *suffix, const struct passwd *pw,
                     struct err_info *info)
{
    char path[4096];
    struct stat st;
    snprintf(path, sizeof path, "%s%s", file, suffix);
    if (lstat(path, &st) != 0 || st.st_uid != 0) {
        return ERR_OK;
    }
    if (lchown(path, pw->pw_uid, pw->pw_gid) != 0) {
        return err_set(info, ERR_DENIED, "cannot give %s to user %s: %s", path, pw->pw_name,
                       strerror(errno));
    }
    return ERR_OK;
}

enum err system_state_dir(const char *path, const char *database, const char *user,
                          struct err_info *info)
{
    static const char *const ours[] = {"/zone.snapshot", "/dnsd.lock"};
    static const char *const databases[] = {"", "-wal", "-shm"};
    struct stat st;
    struct passwd *pw = NULL;
    bool made;
    enum err e = make_dir(path, &made, info);
    if (e != ERR_OK) {
        return e;
    }
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return err_set(info, ERR_IO, "%s is not a folder: the state folder goes there", path);
    }
    if (user == NULL || geteuid() != 0) {
        return ERR_OK;
    }
    e = find_user(user, &pw, info);
    if (e == ERR_OK && made) {
        e = give(path, "", pw, info);
    }
    for (size_t i = 0; i < 2 && e == ERR_OK; i++) {
        e = give(path, ours[i], pw, info);
    }
    for (size_t i = 0; i < 3 && e == ERR_OK && database != NULL; i++) {
        e = give(database, databases[i], pw, info);
    }
    return e;
}

enum err system_lock(const char *dir, int *fd, struct err_info *info)
{
    char path[4096];
    if (access(dir, W_OK | X_OK) != 0) {
        int why = errno;
        const struct passwd *pw = getpwuid(geteuid());
        const char *name = pw != NULL ? pw->pw_name : "this account";
        return err_set(
            info, ERR_DENIED,
            "the state folder %s is not writable for %s: %s; give it to the account with "
            "`chown %s %s`",
            dir, name, strerror(why), name, dir);
    }
    snprintf(path, sizeof path, "%s/dnsd.lock", dir);
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (*fd < 0) {
        return err_set(info, errno == EACCES ? ERR_DENIED : ERR_IO, "cannot open %s: %s", path,
                       strerror(errno));
    }
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        close(*fd);
        *fd = -1;
        return err_set(info, ERR_BUSY, "another dnsd runs on %s (it holds %s)", dir, path);
    }
    return ERR_OK;
}

enum err system_become(const char *user, struct err_info *info)
{
    struct passwd *pw;
    if (user == NULL) {
        return ERR_OK;
    }
    enum err e = find_user(user, &pw, info);
    if (e != ERR_OK) {
        return e;
    }
    if (geteuid() != 0) {
        return geteuid() == pw->pw_uid
                   ? ERR_OK
                   : err_set(info, ERR_DENIED, "cannot become user %s: not started as root", user);
    }
    if (initgroups(user, pw->pw_gid) != 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 ||
        setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0) {
        return err_set(info, ERR_DENIED, "cannot become user %s: %s", user, strerror(errno));
    }
    if (pw->pw_uid != 0 && setuid(0) == 0) {
        return err_set(info, ERR_BUG, "root's rights came back after they were dropped");
    }
    return ERR_OK;
}

void system_raise_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}
