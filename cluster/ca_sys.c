/* ca.key and ca.crt. A CA is made under a lock on its folder:
 *
 *   .ca.key.new            written, synced
 *   ca.crt                 written as .ca.crt.new, synced, renamed
 *   .ca.key.new -> ca.key
 *
 * Whoever comes after a crash finds nothing that counts (and begins again), or a certificate whose key is
 * still called .ca.key.new (and renames it), or both.
 */
#include "ca_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "place_priv.h"

#define KEY      "ca.key"
#define CERT     "ca.crt"
#define KEY_NEW  "." KEY ".new"
#define CERT_NEW "." CERT ".new"

static const struct folder_gate no_gate;
static const struct folder_want secret = {.cap = CA_PEM_MAX, .unwanted = 0077};
static const struct folder_want public = {.cap = CA_PEM_MAX, .unwanted = 0022};

/* ---- looking ------------------------------------------------------------------------------- */

static enum err is_there(const struct folder *at, const char *name, bool *there,
                         struct err_info *info)
{
    struct stat st;
    *there = fstatat(at->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    return *there || errno == ENOENT ? ERR_OK : folder_fail(at, name, "look at", info);
}

struct half {
    bool key, cert;
};

static enum err look(const struct folder *at, struct half *out, struct err_info *info)
{
    enum err e = is_there(at, KEY, &out->key, info);
    return e == ERR_OK ? is_there(at, CERT, &out->cert, info) : e;
}

static enum err say_half(const struct folder *at, const struct half *h, struct err_info *info)
{
    return err_set(info, ERR_CONFLICT,
                   "half of a CA: %s/%s is there, but no %s; put it back from the backup, or move "
                   "the folder away to begin a new cluster",
                   at->path, h->key ? KEY : CERT, h->key ? CERT : KEY);
}

/* ---- reading ------------------------------------------------------------------------------- */

static enum err read_pair(const struct folder *at, const char *key_name, int64_t now_ms,
                          struct ca *out, struct err_info *info)
{
    struct folder_text key = {.bytes = NULL}, cert = {.bytes = NULL};
    *out = (struct ca){.authority = NULL};
    enum err e = folder_read(at, key_name, &secret, &key, info);
    e = e == ERR_OK ? folder_read(at, CERT, &public, &cert, info) : e;
    if (e == ERR_OK) {
        e = cert_authority_open(cert.bytes, cert.len, key.bytes, key.len, now_ms, &out->authority,
                                info);
        e = e == ERR_OK ? e : err_prefix(info, e, "%s: ", at->path);
    }
    if (e == ERR_OK) {
        out->cert_pem = (char *)cert.bytes;
        cert.bytes = NULL;
    }
    folder_text_free(&key);
    folder_text_free(&cert);
    return e;
}

/* A certificate without a key: is it there under its first name? Then the rest is done now. */
static enum err finish(const struct folder *at, const struct half *h, int64_t now_ms,
                       struct ca *out, struct err_info *info)
{
    if (h->key || read_pair(at, KEY_NEW, now_ms, out, NULL) != ERR_OK) {
        return say_half(at, h, info);
    }
    enum err e = folder_rename_new(at, KEY_NEW, KEY, info);
    e = e == ERR_OK ? folder_sync(at, info) : e;
    if (e != ERR_OK) {
        ca_close(out);
    }
    return e;
}

/* ERR_NOTFOUND, without a word: neither is there. */
static enum err open_locked(const struct folder *at, int64_t now_ms, struct ca *out,
                            struct err_info *info)
{
    struct half h;
    enum err e = look(at, &h, info);
    if (e != ERR_OK) {
        return e;
    }
    if (h.key != h.cert) {
        return finish(at, &h, now_ms, out, info);
    }
    return h.key ? read_pair(at, KEY, now_ms, out, info) : ERR_NOTFOUND;
}

enum err ca_open(const char *path, int64_t now_ms, struct ca *out, struct err_info *info)
{
    struct folder at;
    struct half h;
    *out = (struct ca){.authority = NULL};
    enum err e = folder_open(path, &no_gate, &at, info);
    if (e != ERR_OK) {
        return e;
    }
    e = look(&at, &h, info);
    if (e == ERR_OK && h.key != h.cert) { /* perhaps it is being made at this moment */
        e = folder_lock(&at, PLACE_LOCK_MS, info);
    }
    e = e == ERR_OK ? open_locked(&at, now_ms, out, info) : e;
    folder_close(&at);
    return e == ERR_NOTFOUND ? err_set(info, e, "there is no CA in %s", path) : e;
}

void ca_close(struct ca *ca)
{
    cert_authority_free(ca->authority);
    free(ca->cert_pem);
    *ca = (struct ca){.authority = NULL};
}

bool ca_is_here(const char *folder)
{
    char path[PATH_MAX];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/%s", folder, KEY);
    return n > 0 && (size_t)n < sizeof path && lstat(path, &st) == 0;
}

/* ---- making -------------------------------------------------------------------------------- */

static enum err write_pair(const struct folder *at, const char *cert, const char *key,
                           struct err_info *info)
{
    enum err e = folder_wipe(at, KEY_NEW, info);
    e = e == ERR_OK ? folder_wipe(at, CERT_NEW, info) : e;
    e = e == ERR_OK ? folder_write_new(at, KEY_NEW, key, strlen(key), 0600, info) : e;
    e = e == ERR_OK ? folder_write_new(at, CERT_NEW, cert, strlen(cert), 0644, info) : e;
    /* After a power cut, too, a certificate has its key. */
    e = e == ERR_OK ? folder_sync(at, info) : e;
    e = e == ERR_OK ? folder_rename_new(at, CERT_NEW, CERT, info) : e;
    if (e != ERR_OK) { /* as far as it goes: what failed is told already */
        (void)!folder_wipe(at, KEY_NEW, NULL);
        (void)!folder_wipe(at, CERT_NEW, NULL);
        return e;
    }
    e = folder_sync(at, info);
    e = e == ERR_OK ? folder_rename_new(at, KEY_NEW, KEY, info) : e;
    return e == ERR_OK ? folder_sync(at, info) : e;
}

static enum err make(const struct folder *at, int64_t now_ms, struct err_info *info)
{
    char *cert = NULL, *key = NULL;
    enum err e = cert_authority_make(now_ms, &cert, &key, info);
    e = e == ERR_OK ? write_pair(at, cert, key, info) : e;
    free(cert);
    cert_key_pem_free(key);
    return e;
}

enum err ca_ensure_gated(const char *path, const char *account, int64_t now_ms,
                         const struct folder_gate *gate, bool *made, struct ca *out,
                         struct err_info *info)
{
    struct folder at;
    *made = false;
    *out = (struct ca){.authority = NULL};
    enum err e = folder_open_for(path, account, gate, &at, info);
    if (e != ERR_OK) {
        return e == ERR_NOTFOUND ? ERR_IO : e;
    }
    e = folder_lock(&at, PLACE_LOCK_MS, info);
    e = e == ERR_OK ? open_locked(&at, now_ms, out, info) : e;
    if (e == ERR_NOTFOUND) {
        e = make(&at, now_ms, info);
        *made = e == ERR_OK;
        e = e == ERR_OK ? open_locked(&at, now_ms, out, info) : e;
    }
    folder_close(&at);
    return e;
}

enum err ca_ensure(const char *folder, const char *account, int64_t now_ms, bool *made,
                   struct ca *out, struct err_info *info)
{
    return ca_ensure_gated(folder, account, now_ms, &no_gate, made, out, info);
}
