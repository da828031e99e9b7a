/* Goes along a path as the system does (path_resolution(7)), and notes where it can turn. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "files_priv.h"

#define LINKS_MAX 40 /* as the system has it */

static void add(struct files_folders *f, const char *path)
{
    struct stat st;
    if (f->count == FILES_FOLDERS_MAX || stat(path, &st) != 0) {
        return;
    }
    for (size_t i = 0; i < f->count; i++) {
        if (f->list[i].dev == st.st_dev && f->list[i].ino == st.st_ino) {
            return;
        }
    }
    struct files_folder *folder = &f->list[f->count++];
    snprintf(folder->path, sizeof folder->path, "%s", path);
    folder->dev = st.st_dev;
    folder->ino = st.st_ino;
}

/* Where we are, and what is still ahead. */
struct walk {
    char at[PATH_MAX];
    char rest[PATH_MAX];
};

static void begin(struct walk *w)
{
    snprintf(w->at, sizeof w->at, "%s", w->rest[0] == '/' ? "/" : ".");
}

/* Takes the next component off `rest`; false: there is none. */
static bool next(struct walk *w, char name[NAME_MAX + 1])
{
    const char *from = w->rest + strspn(w->rest, "/");
    size_t len = strcspn(from, "/");
    if (len == 0 || len > NAME_MAX) {
        return false;
    }
    memcpy(name, from, len);
    name[len] = '\0';
    memmove(w->rest, from + len, strlen(from + len) + 1);
    return true;
}

/* In place of the link at PATH: its target, before what is still ahead. */
static bool turn(struct walk *w, const char *path)
{
    char target[PATH_MAX], rest[PATH_MAX];
    ssize_t len = readlink(path, target, sizeof target - 1);
    if (len < 0) {
        return false;
    }
    target[len] = '\0';
    int n = snprintf(rest, sizeof rest, "%s%s", target, w->rest);
    if (n < 0 || (size_t)n >= sizeof rest) {
        return false;
    }
    memcpy(w->rest, rest, (size_t)n + 1);
    if (rest[0] == '/') {
        begin(w);
    }
    return true;
}

void files_follow(const char *path, struct files_folders *out)
{
    struct walk w;
    char name[NAME_MAX + 1], here[PATH_MAX];
    struct stat st;
    snprintf(w.rest, sizeof w.rest, "%s", path);
    begin(&w);
    for (unsigned links = 0; next(&w, name);) {
        int n =
            snprintf(here, sizeof here, "%s%s%s", w.at, strcmp(w.at, "/") == 0 ? "" : "/", name);
        bool there = n > 0 && (size_t)n < sizeof here && lstat(here, &st) == 0;
        if (there && S_ISDIR(st.st_mode)) {
            memcpy(w.at, here, (size_t)n + 1);
            continue;
        }
        add(out, w.at);
        if (!there || !S_ISLNK(st.st_mode) || ++links > LINKS_MAX || !turn(&w, here)) {
            return;
        }
    }
}
