/* A node's TLS material, its generations, and the one link that is switched.
 *
 * A generation is written and synced before `current` leads to it, and nothing that `current` leads to is
 * changed but to be made again as it was. The links beside it lead through `current`, so whoever comes at
 * whatever moment finds the three texts of before or the three of after.
 *
 * Plain files in the links' places (of another program) are read, too. Before they give way to links they
 * become a generation of their own, so that no moment mixes theirs and ours.
 */
#include "node_sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/tls_pair.h"
#include "place_priv.h"

#define CA          "ca.crt"
#define CERT        "node.crt"
#define KEY         "node.key"
#define CURRENT     "current"
#define GENERATIONS "generations"
#define FILES       3
#define SERIAL_ROOM (sizeof((struct cert_node_info *)NULL)->serial)
#define LIST_MAX    64 /* generations that are looked at in one go */

static const struct folder_gate no_gate;
static const struct folder_want secret = {.cap = CERT_KEY_PEM_MAX, .unwanted = 0077};
static const struct folder_want public = {.cap = CERT_PEM_MAX, .unwanted = 0022};

/* ---- reading ------------------------------------------------------------------------------- */

/* The key is the certificate's, and it is what TLS can show. */
static enum err check_pair(const struct node_texts *t, struct err_info *info)
{
    struct tls_pair *pair = NULL;
    enum err e =
        tls_pair_new(t->cert_pem, strlen(t->cert_pem), t->key_pem, strlen(t->key_pem), &pair, info);
    tls_pair_unref(pair);
    return e;
}

static enum err read_text(const struct folder *at, const char *name, const struct folder_want *want,
                          char **out, struct err_info *info)
{
    struct folder_text text;
    enum err e = folder_read(at, name, want, &text, info);
    *out = e == ERR_OK ? (char *)text.bytes : NULL;
    return e;
}

static enum err read_three(const struct folder *at, struct node_material *out,
                           struct err_info *info)
{
    *out = (struct node_material){.ca_pem = NULL};
    enum err e = read_text(at, KEY, &secret, &out->key_pem, info);
    e = e == ERR_OK ? read_text(at, CERT, &public, &out->cert_pem, info) : e;
    e = e == ERR_OK ? read_text(at, CA, &public, &out->ca_pem, info) : e;
    if (e == ERR_OK) {
        struct node_texts t = {.cert_pem = out->cert_pem, .key_pem = out->key_pem};
        e = cert_node_read(out->cert_pem, strlen(out->cert_pem), &out->info, info);
        e = e == ERR_OK ? check_pair(&t, info) : e;
        e = e == ERR_OK ? e : err_prefix(info, e, "%s/%s: ", at->path, CERT);
    }
    if (e != ERR_OK) {
        node_material_free(out);
    }
    return e;
}

/* hex, as cert_node_read() writes it */
static bool is_serial(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len < SERIAL_ROOM && strspn(text, "0123456789abcdef") == len;
}

/* What `current` says. ERR_NOTFOUND: nothing that we would have written. */
static enum err follow(const struct folder *home, char serial[SERIAL_ROOM], struct err_info *info)
{
    static const char before[] = GENERATIONS "/";
    char target[PATH_MAX];
    enum err e = folder_follow(home, CURRENT, target, sizeof target, info);
    if (e != ERR_OK) {
        return e;
    }
    const char *name = target + sizeof before - 1;
    if (strncmp(target, before, sizeof before - 1) != 0 || !is_serial(name)) {
        return err_set(info, ERR_NOTFOUND, "%s/%s leads somewhere else", home->path, CURRENT);
    }
    memcpy(serial, name, strlen(name) + 1);
    return ERR_OK;
}

/* A link of ours that leads nowhere yet is nothing. */
static enum err read_plain(const struct folder *home, struct node_material *out,
                           struct err_info *info)
{
    char target[PATH_MAX];
    if (folder_follow(home, KEY, target, sizeof target, NULL) == ERR_OK &&
        strcmp(target, CURRENT "/" KEY) == 0) {
        return err_set(info, ERR_NOTFOUND, "there is no node certificate in %s", home->path);
    }
    return read_three(home, out, info);
}

/* *SERIAL: "" if what is there are plain files. */
static enum err read_present(const struct folder *home, char serial[SERIAL_ROOM],
                             struct node_material *out, struct err_info *info)
{
    struct folder generations, at;
    *out = (struct node_material){.ca_pem = NULL};
    serial[0] = '\0';
    enum err e = follow(home, serial, info);
    if (e != ERR_OK) {
        return e == ERR_NOTFOUND ? read_plain(home, out, info) : e;
    }
    e = folder_enter(home, GENERATIONS, &generations, info);
    if (e != ERR_OK) {
        return e;
    }
    e = folder_enter(&generations, serial, &at, info);
    folder_close(&generations);
    e = e == ERR_OK ? read_three(&at, out, info) : e;
    folder_close(&at);
    return e;
}

enum err node_read(const char *folder, struct node_material *out, struct err_info *info)
{
    struct folder home;
    char serial[SERIAL_ROOM];
    *out = (struct node_material){.ca_pem = NULL};
    enum err e = folder_open(folder, &no_gate, &home, info);
    e = e == ERR_OK ? read_present(&home, serial, out, info) : e;
    folder_close(&home);
    return e;
}

void node_material_free(struct node_material *m)
{
    free(m->ca_pem);
    free(m->cert_pem);
    cert_key_pem_free(m->key_pem);
    *m = (struct node_material){.ca_pem = NULL};
}

/* ---- what may be placed -------------------------------------------------------------------- */

static enum err same_ca(const char *a, const char *b, bool *same, struct err_info *info)
{
    char pin_a[CERT_PIN], pin_b[CERT_PIN];
    enum err e = cert_pin(a, strlen(a), pin_a, info);
    e = e == ERR_OK ? cert_pin(b, strlen(b), pin_b, info) : e;
    *same = e == ERR_OK && strcmp(pin_a, pin_b) == 0;
    return e;
}

/* The CA that is there may be there without a pair. */
static enum err check_ca(const struct folder *home, const char *present, const char *ca_pem,
                         struct err_info *info)
{
    struct folder_text plain = {.bytes = NULL};
    bool same = true;
    if (present == NULL && folder_read(home, CA, &public, &plain, NULL) == ERR_OK) {
        present = (const char *)plain.bytes;
    }
    enum err e = present != NULL ? same_ca(present, ca_pem, &same, info) : ERR_OK;
    folder_text_free(&plain);
    if (e == ERR_OK && !same) {
        e = err_set(info, ERR_CONFLICT,
                    "%s has the CA of another cluster: this core belongs to it already",
                    home->path);
    }
    return e;
}

static enum err check_place(const struct folder *home, const struct node_material *present,
                            const struct node_texts *t, const char *id, struct err_info *info)
{
    enum err e = check_ca(home, present->ca_pem, t->ca_pem, info);
    if (e == ERR_OK && present->cert_pem != NULL && strcmp(present->info.id, id) != 0) {
        e = err_set(info, ERR_CONFLICT, "%s has the certificate of core %s, not of %s", home->path,
                    present->info.id, id);
    }
    return e;
}

/* ---- placing ------------------------------------------------------------------------------- */

static enum err put(const struct folder *at, const char *name, const struct folder_want *want,
                    const char *text, struct err_info *info)
{
    char *is = NULL;
    bool right = read_text(at, name, want, &is, NULL) == ERR_OK && strcmp(is, text) == 0;
    cert_key_pem_free(is);
    return right ? ERR_OK
                 : folder_put(at, name, text, strlen(text), want == &secret ? 0600 : 0644, info);
}

static enum err write_generation(const struct folder *generations, const char *serial,
                                 const struct node_texts *t, struct err_info *info)
{
    struct folder at;
    enum err e = folder_make(generations, serial, &at, info);
    if (e != ERR_OK) {
        return e;
    }
    e = put(&at, KEY, &secret, t->key_pem, info);
    e = e == ERR_OK ? put(&at, CERT, &public, t->cert_pem, info) : e;
    e = e == ERR_OK ? put(&at, CA, &public, t->ca_pem, info) : e;
    e = e == ERR_OK ? folder_sync(&at, info) : e;
    folder_close(&at);
    return e;
}

/* Links in places where nothing is lead nowhere until `current` is there; what is something waits until
 * then. */
static enum err link_all(const struct folder *home, bool only_new, struct err_info *info)
{
    static const char *const links[FILES][2] = {
        {KEY, CURRENT "/" KEY}, {CERT, CURRENT "/" CERT}, {CA, CURRENT "/" CA}};
    struct stat st;
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < FILES; i++) {
        if (!only_new || fstatat(home->fd, links[i][0], &st, AT_SYMLINK_NOFOLLOW) != 0) {
            e = folder_link(home, links[i][0], links[i][1], info);
        }
    }
    return e;
}

static enum err show(const struct folder *home, const struct folder *generations,
                     const char *serial, const struct node_texts *t, struct err_info *info)
{
    char target[sizeof GENERATIONS + SERIAL_ROOM];
    snprintf(target, sizeof target, "%s/%s", GENERATIONS, serial);
    enum err e = write_generation(generations, serial, t, info);
    e = e == ERR_OK ? link_all(home, true, info) : e;
    e = e == ERR_OK ? folder_link(home, CURRENT, target, info) : e;
    return e == ERR_OK ? link_all(home, false, info) : e;
}

/* All but the present one and the one before. */
static enum err tidy(const struct folder *generations, const char *present, const char *before,
                     struct err_info *info)
{
    char stale[LIST_MAX][SERIAL_ROOM];
    size_t count = 0;
    int fd = openat(generations->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        enum err e = folder_fail(generations, NULL, "list", info);
        if (fd >= 0) {
            close(fd);
        }
        return e;
    }
    for (const struct dirent *d; count < LIST_MAX && (d = readdir(dir)) != NULL;) {
        if (is_serial(d->d_name) && strcmp(d->d_name, present) != 0 &&
            strcmp(d->d_name, before) != 0) {
            memcpy(stale[count++], d->d_name, strlen(d->d_name) + 1);
        }
    }
    closedir(dir);
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        e = folder_remove(generations, stale[i], info);
    }
    return e;
}

/* PRESENT: as read_present() gave it, perhaps nothing. */
static enum err place(const struct folder *home, const struct node_material *present,
                      const char *serial, const struct cert_node_info *next,
                      const struct node_texts *t, struct err_info *info)
{
    struct folder generations;
    const struct node_texts old = {present->ca_pem, present->cert_pem, present->key_pem};
    enum err e = folder_make(home, GENERATIONS, &generations, info);
    if (e != ERR_OK) {
        return e;
    }
    if (present->cert_pem != NULL && serial[0] == '\0') { /* plain files */
        serial = present->info.serial;
        e = show(home, &generations, serial, &old, info);
    }
    e = e == ERR_OK ? show(home, &generations, next->serial, t, info) : e;
    if (e == ERR_OK && strcmp(serial, next->serial) != 0) {
        e = tidy(&generations, next->serial, serial, info);
    }
    folder_close(&generations);
    return e;
}

/* Two certificates with one number cannot have folders of their own. */
static enum err check_serial(const struct node_material *present, const struct cert_node_info *next,
                             struct err_info *info)
{
    return present->cert_pem != NULL && strcmp(present->info.serial, next->serial) == 0 &&
                   strcmp(present->info.sha256, next->sha256) != 0
               ? err_set(info, ERR_CONFLICT,
                         "the certificate has the serial number of the one that is there")
               : ERR_OK;
}

static enum err check_texts(const struct node_texts *t, struct cert_node_info *out,
                            struct err_info *info)
{
    enum err e = cert_node_read(t->cert_pem, strlen(t->cert_pem), out, info);
    e = e == ERR_OK ? check_pair(t, info) : e;
    if (e == ERR_OK) {
        e = cert_node_verify(t->cert_pem, strlen(t->cert_pem), t->ca_pem, strlen(t->ca_pem),
                             CERT_ANY_TIME, info);
        e = e == ERR_DENIED ? ERR_CONFLICT : e;
    }
    return e == ERR_OK ? e : err_prefix(info, e, "the certificate to be placed: ");
}

enum err node_place_gated(const char *folder, const char *account, const struct node_texts *t,
                          bool replace, const struct folder_gate *gate, struct err_info *info)
{
    struct cert_node_info next;
    struct node_material present = {.ca_pem = NULL};
    char serial[SERIAL_ROOM];
    struct folder home;
    struct err_info why = {.text = ""};
    enum err e = check_texts(t, &next, info);
    if (e != ERR_OK) {
        return e;
    }
    e = folder_open_for(folder, account, gate, &home, info);
    e = e == ERR_OK ? folder_lock(&home, PLACE_LOCK_MS, info) : e;
    if (e == ERR_OK) {
        e = read_present(&home, serial, &present, &why);
        e = e == ERR_NOTFOUND || replace ? ERR_OK
            : e != ERR_OK                ? err_set(info, e, "%s", why.text)
                                         : e;
    }
    e = e == ERR_OK && !replace ? check_place(&home, &present, t, next.id, info) : e;
    e = e == ERR_OK ? check_serial(&present, &next, info) : e;
    e = e == ERR_OK ? place(&home, &present, serial, &next, t, info) : e;
    node_material_free(&present);
    folder_close(&home);
    return e == ERR_NOTFOUND ? ERR_IO : e;
}

enum err node_place(const char *folder, const char *account, const char *ca_pem,
                    const char *cert_pem, const char *key_pem, bool replace, struct err_info *info)
{
    const struct node_texts t = {ca_pem, cert_pem, key_pem};
    return node_place_gated(folder, account, &t, replace, &no_gate, info);
}

/* ---- paths --------------------------------------------------------------------------------- */

static char *join(const char *folder, const char *name)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

char *node_path_ca(const char *folder)
{
    return join(folder, CA);
}

char *node_path_cert(const char *folder)
{
    return join(folder, CERT);
}

char *node_path_key(const char *folder)
{
    return join(folder, KEY);
}
