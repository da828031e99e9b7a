/* <tlsDir>/<name>:
 *
 *   generations/00000042-1790000000000-9f86d081/{fullchain,privkey}.pem, hooked
 *   current       -> generations/00000042-1790000000000-9f86d081
 *   fullchain.pem -> current/fullchain.pem
 *   privkey.pem   -> current/privkey.pem
 *
 * Everything is written before `current` is switched, and nothing that `current` leads to is changed
 * but to be made again as it was. So whoever comes at whatever moment, a crash between any two calls
 * included, finds the pair of before or the pair of after.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sync_priv.h"

#define GENERATIONS "generations"
#define CURRENT     "current"
#define HOOKED      "hooked"
#define LOCK        ".lock"
#define FILE_MODE   0600
#define LIST_MAX    64 /* generations that are looked at in one go */

static const struct folder_want ours = {.cap = TLS_PAIR_PEM_MAX, .repair = FILE_MODE};

/* ---- opening ------------------------------------------------------------------------------- */

/* The operator's folder: a link to elsewhere is fine, and others may read it. */
static enum err open_tls_dir(const struct sync_dir *d, struct folder *out, struct err_info *info)
{
    struct stat st;
    /* What is in it must be ours, whoever has the folder itself. */
    *out = (struct folder){.gate = &d->gate, .fd = -1, .uid = geteuid(), .gid = getegid()};
    int n = snprintf(out->path, sizeof out->path, "%s", d->tls_dir);
    if (n < 0 || (size_t)n >= sizeof out->path) {
        return err_set(info, ERR_LIMIT, "path too long: %s", d->tls_dir);
    }
    bool made = mkdir(d->tls_dir, 0700) == 0;
    if (!made && errno != EEXIST) {
        return folder_fail(out, NULL, "make", info);
    }
    out->fd = open(d->tls_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out->fd < 0 || fstat(out->fd, &st) != 0 || (made && fchmod(out->fd, 0700) != 0)) {
        return folder_fail(out, NULL, "open", info);
    }
    /* Who can rename in it can put a folder of theirs in place of ours; not if it is sticky. */
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (st.st_mode & S_ISVTX) == 0 &&
        (st.st_uid != geteuid() || fchmod(out->fd, st.st_mode & 0755) != 0)) {
        return err_set(info, ERR_DENIED, "%s can be written by others: chmod go-w it", d->tls_dir);
    }
    return ERR_OK;
}

static enum err take_lock(struct sync_dir *d, const struct folder *tls, struct err_info *info)
{
    d->lock = openat(tls->fd, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (d->lock < 0) {
        return folder_fail(tls, LOCK, "create", info);
    }
    if (flock(d->lock, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? err_set(info, ERR_BUSY,
                                              "another dnsd keeps its certificates in %s: stop "
                                              "it, or set another letsEncrypt.tlsDir",
                                              d->tls_dir)
                                    : folder_fail(tls, LOCK, "lock", info);
    }
    return ERR_OK;
}

static char *join(const char *tls_dir, const char *name, const char *file)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s/%s", tls_dir, name, file) < 0 ? NULL : path;
}

enum err sync_dir_open(struct sync_dir *d, const char *tls_dir, const char *hostname,
                       struct err_info *info)
{
    char name[SYNC_HOST_MAX];
    struct folder tls = {.fd = -1};
    struct sync_tree tree;
    *d = (struct sync_dir){.lock = -1, .gate = d->gate};
    enum err e = sync_name_folder(hostname, name, info);
    if (e != ERR_OK) {
        return e;
    }
    d->tls_dir = strdup(tls_dir);
    d->name = strdup(name);
    d->cert_path = join(tls_dir, name, SYNC_CERT);
    d->key_path = join(tls_dir, name, SYNC_KEY);
    if (d->tls_dir == NULL || d->name == NULL || d->cert_path == NULL || d->key_path == NULL) {
        e = err_set(info, ERR_NOMEM, "no memory for %s", tls_dir);
    }
    e = e == ERR_OK ? open_tls_dir(d, &tls, info) : e;
    e = e == ERR_OK ? take_lock(d, &tls, info) : e;
    folder_close(&tls);
    if (e == ERR_OK) {
        e = sync_tree_open(d, &tree, info);
        sync_tree_close(&tree);
    }
    if (e != ERR_OK) {
        sync_dir_close(d);
    }
    return e == ERR_NOTFOUND || e == ERR_LIMIT ? ERR_IO : e;
}

void sync_dir_close(struct sync_dir *d)
{
    if (d->lock >= 0) {
        close(d->lock);
    }
    free(d->tls_dir);
    free(d->name);
    free(d->cert_path);
    free(d->key_path);
    *d = (struct sync_dir){.lock = -1};
}

enum err sync_tree_open(const struct sync_dir *d, struct sync_tree *t, struct err_info *info)
{
    struct folder tls;
    t->home.fd = t->generations.fd = -1;
    enum err e = open_tls_dir(d, &tls, info);
    e = e == ERR_OK ? folder_make(&tls, d->name, &t->home, info) : e;
    e = e == ERR_OK ? folder_make(&t->home, GENERATIONS, &t->generations, info) : e;
    folder_close(&tls);
    if (e != ERR_OK) {
        sync_tree_close(t);
    }
    return e;
}

void sync_tree_close(struct sync_tree *t)
{
    folder_close(&t->generations);
    folder_close(&t->home);
}

/* ---- reading ------------------------------------------------------------------------------- */

enum err sync_tree_current(const struct sync_tree *t, struct sync_gen *out, struct err_info *info)
{
    static const char before[] = GENERATIONS "/";
    char target[PATH_MAX];
    enum err e = folder_follow(&t->home, CURRENT, target, sizeof target, info);
    if (e != ERR_OK) {
        return e;
    }
    if (strncmp(target, before, sizeof before - 1) != 0 ||
        !sync_gen_parse(target + sizeof before - 1, out)) {
        return err_set(info, ERR_NOTFOUND, "%s/%s leads somewhere else", t->home.path, CURRENT);
    }
    return ERR_OK;
}

static enum err enter(const struct sync_tree *t, const struct sync_gen *g, struct folder *out,
                      struct err_info *info)
{
    char folder[SYNC_FOLDER_MAX];
    sync_gen_format(g, folder);
    return folder_enter(&t->generations, folder, out, info);
}

void sync_texts_free(struct sync_texts *t)
{
    folder_text_free(&t->key);
    folder_text_free(&t->cert);
}

static enum err read_both(const struct folder *at, struct sync_texts *out, struct err_info *info)
{
    *out = (struct sync_texts){.cert = {.bytes = NULL}};
    enum err e = folder_read(at, SYNC_CERT, &ours, &out->cert, info);
    e = e == ERR_OK ? folder_read(at, SYNC_KEY, &ours, &out->key, info) : e;
    if (e != ERR_OK) {
        sync_texts_free(out);
    }
    return e;
}

enum err sync_tree_read(const struct sync_tree *t, const struct sync_gen *g, struct sync_texts *out,
                        struct err_info *info)
{
    struct folder at;
    *out = (struct sync_texts){.cert = {.bytes = NULL}};
    enum err e = enter(t, g, &at, info);
    if (e == ERR_OK) {
        e = read_both(&at, out, info);
        folder_close(&at);
    }
    return e;
}

enum err sync_tree_read_plain(const struct sync_tree *t, struct sync_texts *out,
                              struct err_info *info)
{
    return read_both(&t->home, out, info);
}

static int newest_first(const void *a, const void *b)
{
    const struct sync_gen *x = a, *y = b;
    if (x->issued_ms != y->issued_ms) {
        return x->issued_ms < y->issued_ms ? 1 : -1;
    }
    return x->number < y->number ? 1 : x->number > y->number ? -1 : strcmp(x->print, y->print);
}

enum err sync_tree_list(const struct sync_tree *t, struct sync_gen *out, size_t cap, size_t *count,
                        struct err_info *info)
{
    DIR *dir = NULL;
    int fd = openat(t->generations.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *count = 0;
    if (fd < 0 || (dir = fdopendir(fd)) == NULL) {
        enum err e = folder_fail(&t->generations, NULL, "list", info);
        if (fd >= 0) {
            close(fd);
        }
        return e;
    }
    for (const struct dirent *entry; *count < cap && (entry = readdir(dir)) != NULL;) {
        *count += sync_gen_parse(entry->d_name, &out[*count]);
    }
    closedir(dir);
    qsort(out, *count, sizeof *out, newest_first);
    return ERR_OK;
}

/* ---- writing ------------------------------------------------------------------------------- */

static enum err put_text(const struct folder *at, const char *name, const struct folder_text *text,
                         struct err_info *info)
{
    struct folder_text is = {.bytes = NULL};
    bool right = folder_read(at, name, &ours, &is, NULL) == ERR_OK && is.len == text->len &&
                 memcmp(is.bytes, text->bytes, is.len) == 0;
    folder_text_free(&is);
    return right ? ERR_OK : folder_put(at, name, text->bytes, text->len, FILE_MODE, info);
}

enum err sync_tree_write(const struct sync_tree *t, const struct sync_gen *g,
                         const struct sync_texts *texts, struct err_info *info)
{
    char folder[SYNC_FOLDER_MAX];
    struct folder at;
    sync_gen_format(g, folder);
    enum err e = folder_make(&t->generations, folder, &at, info);
    if (e != ERR_OK) {
        return e;
    }
    e = put_text(&at, SYNC_KEY, &texts->key, info);
    e = e == ERR_OK ? put_text(&at, SYNC_CERT, &texts->cert, info) : e;
    e = e == ERR_OK ? folder_sync(&at, info) : e;
    folder_close(&at);
    return e;
}

enum err sync_tree_switch(const struct sync_tree *t, const struct sync_gen *g,
                          struct err_info *info)
{
    char folder[SYNC_FOLDER_MAX], target[sizeof GENERATIONS + SYNC_FOLDER_MAX];
    sync_gen_format(g, folder);
    snprintf(target, sizeof target, "%s/%s", GENERATIONS, folder);
    enum err e = folder_link(&t->home, CURRENT, target, info);
    /* What an earlier program left is replaced only now that there is something in its place. */
    e = e == ERR_OK ? folder_link(&t->home, SYNC_KEY, CURRENT "/" SYNC_KEY, info) : e;
    return e == ERR_OK ? folder_link(&t->home, SYNC_CERT, CURRENT "/" SYNC_CERT, info) : e;
}

/* ---- removing ------------------------------------------------------------------------------ */

static bool same_gen(const struct sync_gen *a, const struct sync_gen *b)
{
    return a->number == b->number && a->issued_ms == b->issued_ms &&
           strcmp(a->print, b->print) == 0;
}

enum err sync_tree_tidy(const struct sync_tree *t, const struct sync_gen *g, struct err_info *info)
{
    struct sync_gen all[LIST_MAX];
    char folder[SYNC_FOLDER_MAX];
    size_t count, others = 0;
    enum err e = sync_tree_list(t, all, LIST_MAX, &count, info);
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        if (!same_gen(&all[i], g) && ++others > CERT_SYNC_KEEP) {
            sync_gen_format(&all[i], folder);
            e = folder_remove(&t->generations, folder, info);
        }
    }
    return e;
}

/* ---- the hook's mark ----------------------------------------------------------------------- */

bool sync_tree_hooked(const struct sync_tree *t, const struct sync_gen *g)
{
    struct folder at;
    struct stat st;
    if (enter(t, g, &at, NULL) != ERR_OK) {
        return false;
    }
    bool there = fstatat(at.fd, HOOKED, &st, AT_SYMLINK_NOFOLLOW) == 0;
    folder_close(&at);
    return there;
}

enum err sync_tree_set_hooked(const struct sync_tree *t, const struct sync_gen *g,
                              struct err_info *info)
{
    struct folder at;
    enum err e = enter(t, g, &at, info);
    if (e == ERR_OK) {
        e = folder_put(&at, HOOKED, "", 0, FILE_MODE, info);
        e = e == ERR_OK ? folder_sync(&at, info) : e;
        folder_close(&at);
    }
    return e;
}
