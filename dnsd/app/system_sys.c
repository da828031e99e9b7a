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

static enum err make_dir(const char *path, struct err_info *info)
{
    if (mkdir(path, 0750) == 0 || errno == EEXIST) {
        return ERR_OK;
    }
    if (errno != ENOENT) {
        return err_set(info, errno == EACCES ? ERR_DENIED : ERR_IO,
                       "cannot make the state folder %s: %s", path, strerror(errno));
    }
    char parent[4096];
    int n = snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (n < 0 || (size_t)n >= sizeof parent || slash == NULL || slash == parent) {
        return err_set(info, ERR_IO, "cannot make the state folder %s", path);
    }
    *slash = '\0';
    enum err e = make_dir(parent, info);
    if (e != ERR_OK) {
        return e;
    }
    return mkdir(path, 0750) == 0 || errno == EEXIST
               ? ERR_OK
               : err_set(info, ERR_IO, "cannot make the state folder %s: %s", path,
                         strerror(errno));
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

/* Files that an earlier start made as root must not lock the account out. */
static enum err give(const char *file, const char *suffix, const struct passwd *pw,
                     struct err_info *info)
{
    char path[4096];
    snprintf(path, sizeof path, "%s%s", file, suffix);
    if (lchown(path, pw->pw_uid, pw->pw_gid) != 0 && errno != ENOENT) {
        return err_set(info, ERR_DENIED, "cannot give %s to user %s: %s", path, pw->pw_name,
                       strerror(errno));
    }
    return ERR_OK;
}

enum err system_state_dir(const char *path, const char *database, const char *user,
                          struct err_info *info)
{
    static const char *const ours[] = {"", "/zone.snapshot", "/dnsd.lock"};
    static const char *const databases[] = {"", "-wal", "-shm"};
    struct stat st;
    struct passwd *pw = NULL;
    enum err e = make_dir(path, info);
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
    for (size_t i = 0; i < 3 && e == ERR_OK; i++) {
        e = give(path, ours[i], pw, info);
        if (e == ERR_OK && database != NULL) {
            e = give(database, databases[i], pw, info);
        }
    }
    return e;
}

enum err system_lock(const char *dir, int *fd, struct err_info *info)
{
    char path[4096];
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
