/* What `dnsd --bootstrap` reads and writes beside configuration and TLS material. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/node_sys.h"
#include "join_priv.h"
#include "lib/file_sys.h"
#include "lib/jx.h"
#include "lib/mem.h"

#define DONE_FILE_MAX 4096

/* ---- the bundle and its passphrase ------------------------------------------------------------- */

/* Nobody waits at a pipe. What is looked at is what is read. */
static enum err open_private(const char *file, int *fd, struct err_info *info)
{
    struct stat st;
    *fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0) {
        return err_set(info, errno == ENOENT ? ERR_NOTFOUND : ERR_DENIED, "cannot open %s: %s",
                       file, strerror(errno));
    }
    if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return err_set(info, ERR_MALFORMED,
                       "%s is not a regular file; write the passphrase into one", file);
    }
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return err_set(info, ERR_DENIED, "%s is open to others (mode %04o): chmod 600 %s", file,
                       (unsigned)st.st_mode & 07777, file);
    }
    if (st.st_size > JOIN_PASSPHRASE_MAX) {
        return err_set(info, ERR_MALFORMED, "%s holds more than a passphrase", file);
    }
    return ERR_OK;
}

enum err join_passphrase(const char *file, char **out, struct err_info *info)
{
    char text[JOIN_PASSPHRASE_MAX + 1];
    const char *line = NULL;
    int fd = -1;
    *out = NULL;
    enum err e = open_private(file, &fd, info);
    if (e == ERR_OK) {
        ssize_t n = read(fd, text, sizeof text - 1);
        e = n < 0 ? err_set(info, ERR_IO, "cannot read %s: %s", file, strerror(errno))
                  : bundle_passphrase_read(text, (size_t)n, &line, info);
        if (e == ERR_MALFORMED) {
            e = err_prefix(info, e, "%s: ", file);
        }
    }
    if (e == ERR_OK) {
        *out = mem_xstrdup(line);
    }
    if (fd >= 0) {
        close(fd);
    }
    explicit_bzero(text, sizeof text);
    return e;
}

static enum err digest_text(const void *bytes, size_t len, char out[JOIN_DIGEST],
                            struct err_info *info)
{
    uint8_t digest[DIGEST_SHA256_LEN];
    if (digest_sha256(bytes, len, digest) != ERR_OK) {
        return err_set(info, ERR_IO, "SHA-256 is refused");
    }
    for (size_t i = 0; i < sizeof digest; i++) {
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    }
    return ERR_OK;
}

enum err join_bundle(const char *file, char **out, size_t *len, char digest[JOIN_DIGEST],
                     struct err_info *info)
{
    uint8_t *bytes = NULL;
    struct stat st;
    *out = NULL;
    if (stat(file, &st) == 0 && !S_ISREG(st.st_mode)) {
        return err_set(info, ERR_MALFORMED, "%s is not a regular file, so it is no bundle", file);
    }
    enum err e = file_read(file, BUNDLE_TEXT_MAX, &bytes, len, info);
    if (e == ERR_OK) {
        *out = (char *)bytes;
        e = digest_text(bytes, *len, digest, info);
    }
    return e;
}

/* ---- who was here before ----------------------------------------------------------------------- */

static enum err material_is_ours(const char *tls_dir, const struct bundle *b, struct err_info *info)
{
    struct node_material m = {.ca_pem = NULL};
    struct err_info why = {.text = ""};
    enum err e = node_read(tls_dir, &m, &why);
    if (e == ERR_OK && strcmp(m.info.id, b->node.id) != 0) {
        e = err_set(info, ERR_CONFLICT,
                    "this machine is a member already: %s has the certificate of core `%.255s`; to "
                    "make another core of it move that folder and the database away",
                    tls_dir, m.info.id);
    } else if (e == ERR_NOTFOUND) {
        e = ERR_OK;
    } else if (e != ERR_OK) {
        *info = why;
    }
    node_material_free(&m);
    return e;
}

enum err join_is_free(const struct config *c, const struct bundle *b, const char *generated,
                      struct err_info *info)
{
    char path[4096];
    enum err e = material_is_ours(c->cluster.tls_dir, b, info);
    if (e != ERR_OK) {
        return e;
    }
    if (generated != NULL && strcmp(generated, b->node.id) != 0) {
        return err_set(
            info, ERR_CONFLICT,
            "this machine is a member already: bootstrap-config.yml is that of core `%s`; "
            "to make another core of it move that file and the database away",
            generated);
    }
    snprintf(path, sizeof path, "%s/raft.db", c->storages.rqlite.data_dir);
    if (generated == NULL && access(path, F_OK) == 0) {
        return err_set(
            info, ERR_CONFLICT,
            "this machine is a member already: there is a database in %s; if nobody needs "
            "it, move it away",
            c->storages.rqlite.data_dir);
    }
    return ERR_OK;
}

/* ---- that it is done --------------------------------------------------------------------------- */

static char *done_path(const char *tls_dir)
{
    struct str s = {.text = NULL};
    str_appendf(&s, "%s/" JOIN_DONE_FILE, tls_dir);
    return s.text;
}

enum err join_done_read(const char *tls_dir, struct join_done *out, struct err_info *info)
{
    char *path = done_path(tls_dir);
    uint8_t *bytes = NULL;
    json_t *object = NULL;
    size_t len = 0;
    *out = (struct join_done){.core = ""};
    enum err e = file_read(path, DONE_FILE_MAX, &bytes, &len, info);
    if (e == ERR_OK) {
        e = jx_parse_object((char *)bytes, len, &object, info);
        if (e == ERR_OK) {
            e = jx_text(object, "core", out->core, sizeof out->core, info);
        }
        if (e == ERR_OK) {
            e = jx_text(object, "bundle", out->digest, sizeof out->digest, info);
        }
        if (e != ERR_OK) {
            e = err_prefix(info, ERR_MALFORMED, "%s is not as dnsd writes it: ", path);
        }
    }
    json_decref(object);
    free(bytes);
    free(path);
    return e;
}

enum err join_done_write(const char *tls_dir, const char *account, const struct join_done *done,
                         int64_t now_ms, struct err_info *info)
{
    char *path = done_path(tls_dir);
    const struct passwd *pw =
        account != NULL && geteuid() == 0 ? getpwnam(account) : NULL; /* it was found before */
    json_t *object = json_pack("{s:s, s:s, s:I}", "core", done->core, "bundle", done->digest,
                               "joinedMs", (json_int_t)now_ms);
    char *text = object != NULL ? json_dumps(object, JSON_INDENT(2)) : NULL;
    enum err e = text != NULL ? file_replace(path, text, strlen(text), 0600, info)
                              : err_set(info, ERR_NOMEM, "no memory");
    if (e == ERR_OK && pw != NULL && lchown(path, pw->pw_uid, pw->pw_gid) != 0) {
        e = err_set(info, ERR_IO, "cannot give %s to %s: %s", path, account, strerror(errno));
    }
    json_decref(object);
    free(text);
    free(path);
    return e;
}
