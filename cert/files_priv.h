/* What the files of cert/files share. */
#ifndef CERT_FILES_PRIV_H
#define CERT_FILES_PRIV_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* For both files: each folder that holds one, or a link on the way to it. */
#define FILES_FOLDERS_MAX 8

struct files_folder {
    char path[PATH_MAX];
    dev_t dev; /* which folder it was: another one may come in its place */
    ino_t ino;
};
struct files_folders {
    struct files_folder list[FILES_FOLDERS_MAX];
    size_t count;
};

/* Adds the folders where a change can make PATH mean something else: those of the file itself, of
 * every link on the way to it, and, if something is missing, the one where it would come to be. What
 * is over the limit is left out. Blocks: offloaded work only. */
void files_follow(const char *path, struct files_folders *out);

#endif
