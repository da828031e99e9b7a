/* One look, off the loop: what is in the files, whether the row has something better, and everything
 * made so that both agree. Each step may fail; then what was shown before is still in place, later steps
 * that do not depend on it are still taken, and the first failure is what is told. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cert/chain.h"
#include "cert/key.h"
#include "lib/file_sys.h"
#include "lib/log.h"
#include "sync_priv.h"

#define LIST_MAX  16
#define CERT_MODE 0644U /* of the copies, as the host platform has them */
#define KEY_MODE  0600U

static void failed(struct sync_look *l, const char *step, enum err e, bool retry,
                   const struct err_info *info)
{
    if (l->e == ERR_OK) {
        l->e = e;
        l->step = step;
        l->retry = retry;
        l->info = *info;
    }
}

/* ---- what a certificate is worth ----------------------------------------------------------- */

/* A moment at which PAIR is valid, so that nothing but the names is judged. */
static int64_t while_valid(const struct tls_pair_info *pair, int64_t now_ms)
{
    return now_ms < pair->not_before_ms  ? pair->not_before_ms
           : now_ms > pair->not_after_ms ? pair->not_after_ms - 1
                                         : now_ms;
}

static enum err check_names(const struct sync_look *l, const struct tls_pair_info *pair,
                            struct err_info *info)
{
    return cert_chain_check(pair, l->options->names, l->options->names_count,
                            while_valid(pair, l->now_ms), info);
}

/* Nothing is wrong with what is shown. */
static bool have_good(const struct sync_look *l)
{
    return l->have.any && l->have.names && l->now_ms < l->have.not_after_ms;
}

/* PAIR is what is shown from now on. */
static void show(struct sync_look *l, const struct sync_gen *g, const struct sync_texts *texts,
                 struct tls_pair *pair, bool hooked)
{
    const struct tls_pair_info *info = tls_pair_info(pair);
    struct err_info why = {.text = ""};
    l->have = (struct sync_have){.any = true,
                                 .gen = *g,
                                 .hooked = hooked,
                                 .not_before_ms = info->not_before_ms,
                                 .not_after_ms = info->not_after_ms};
    l->have.names = check_names(l, info, &why) == ERR_OK;
    /* Without SHA-256 nothing would have come this far. */
    (void)!digest_sha256(texts->cert.bytes, texts->cert.len, l->have.cert);
    (void)!digest_sha256(texts->key.bytes, texts->key.len, l->have.key);
    memcpy(l->have.sha256, info->sha256, sizeof l->have.sha256);
    memcpy(l->have.serial, info->serial, sizeof l->have.serial);
    l->last = *g;
    l->has_last = true;
    tls_pair_unref(l->pair);
    l->pair = tls_pair_ref(pair);
    if (l->now_ms >= info->not_after_ms) {
        LOG_WARN("cert", "the only certificate there is has expired, and is shown",
                 LOG_S("hostname", l->options->hostname), LOG_S("serial", info->serial));
    } else if (!l->have.names) {
        LOG_WARN("cert", "the only certificate there is has other names, and is shown",
                 LOG_S("hostname", l->options->hostname), LOG_S("reason", why.text));
    }
}

/* ---- what the files have by themselves ----------------------------------------------------- */

/* TEXTS are G's, by the print, and fit to be shown for the hostname. */
static enum err judge(const struct sync_look *l, const struct sync_gen *g,
                      const struct sync_texts *texts, struct tls_pair **pair, struct err_info *info)
{
    uint8_t digest[DIGEST_SHA256_LEN];
    struct sync_gen is;
    enum err e = digest_sha256(texts->cert.bytes, texts->cert.len, digest);
    if (e != ERR_OK) {
        return err_set(info, e, "no SHA-256");
    }
    sync_gen_init(&is, 0, 0, digest);
    if (g != NULL && strcmp(is.print, g->print) != 0) {
        return err_set(info, ERR_CONFLICT, "%s is not what was written", SYNC_CERT);
    }
    e = tls_pair_new(texts->cert.bytes, texts->cert.len, texts->key.bytes, texts->key.len, pair,
                     info);
    if (e == ERR_OK && !tls_pair_covers(*pair, l->options->hostname)) {
        tls_pair_unref(*pair);
        *pair = NULL;
        e = err_set(info, ERR_CONFLICT, "the certificate is not for %s", l->options->hostname);
    }
    return e;
}

/* Shows G if it is whole. */
static enum err recover_gen(struct sync_look *l, const struct sync_tree *t,
                            const struct sync_gen *g, struct err_info *info)
{
    struct sync_texts texts;
    struct tls_pair *pair = NULL;
    char folder[SYNC_FOLDER_MAX];
    enum err e = sync_tree_read(t, g, &texts, info);
    e = e == ERR_OK ? judge(l, g, &texts, &pair, info) : e;
    if (e == ERR_OK) {
        show(l, g, &texts, pair, sync_tree_hooked(t, g));
    } else {
        sync_gen_format(g, folder);
        err_prefix(info, e, "generation %s: ", folder);
    }
    tls_pair_unref(pair);
    sync_texts_free(&texts);
    return e;
}

/* Plain files that an earlier program has left become a generation like any other, so that they are
 * shown before the store answers, and the step to the next one is one rename, too. */
static enum err adopt_plain(struct sync_look *l, const struct sync_tree *t, struct err_info *info)
{
    struct sync_texts texts;
    struct tls_pair *pair = NULL;
    struct sync_gen g;
    uint8_t digest[DIGEST_SHA256_LEN];
    enum err e = sync_tree_read_plain(t, &texts, info);
    if (e != ERR_OK) {
        return e;
    }
    e = judge(l, NULL, &texts, &pair, info);
    e = e == ERR_OK ? digest_sha256(texts.cert.bytes, texts.cert.len, digest) : e;
    if (e == ERR_OK) {
        sync_gen_init(&g, 0, tls_pair_info(pair)->not_before_ms, digest);
        e = sync_tree_write(t, &g, &texts, info);
        e = e == ERR_OK ? sync_tree_set_hooked(t, &g, info) : e; /* it is nothing new */
        e = e == ERR_OK ? sync_tree_switch(t, &g, info) : e;
    }
    if (e == ERR_OK) {
        show(l, &g, &texts, pair, true);
    }
    tls_pair_unref(pair);
    sync_texts_free(&texts);
    return e;
}

/* Without `current`: the newest generation that is whole. */
static enum err recover_newest(struct sync_look *l, const struct sync_tree *t,
                               struct err_info *info)
{
    struct sync_gen all[LIST_MAX];
    size_t count;
    enum err e = sync_tree_list(t, all, LIST_MAX, &count, info);
    if (e == ERR_OK && count == 0) {
        return ERR_NOTFOUND;
    }
    for (size_t i = 0; i < count; i++) {
        e = recover_gen(l, t, &all[i], info);
        if (e == ERR_OK) {
            break;
        }
    }
    return e;
}

static void recover(struct sync_look *l, const struct sync_tree *t)
{
    struct err_info info = {.text = ""};
    struct sync_gen g;
    enum err e = sync_tree_current(t, &g, &info);
    if (e == ERR_OK) {
        l->last = g; /* it was shown, whatever has become of it */
        l->has_last = true;
        e = recover_gen(l, t, &g, &info);
    } else if (e == ERR_NOTFOUND) {
        e = recover_newest(l, t, &info);
        e = e == ERR_NOTFOUND ? adopt_plain(l, t, &info) : e;
        if (e == ERR_NOTFOUND) { /* nothing was ever here */
            return;
        }
    }
    if (e != ERR_OK && l->row == NULL) {
        failed(l, "files", e, false, &info);
    }
}

/* ---- what the row has ---------------------------------------------------------------------- */

static enum err check_row(const struct sync_look *l, struct err_info *info)
{
    const struct cert_sync_row *row = l->row;
    if (strcmp(row->hostname, l->options->hostname) != 0) {
        return err_set(info, ERR_CONFLICT, "the row is for another host: %.255s", row->hostname);
    }
    if (strlen(row->cert_pem) + strlen(row->chain_pem) >= TLS_PAIR_PEM_MAX) {
        return err_set(info, ERR_LIMIT, "the certificate is larger than %d bytes",
                       TLS_PAIR_PEM_MAX);
    }
    return ERR_OK;
}

/* One text of both. */
static enum err full_chain(const struct cert_sync_row *row, struct folder_text *out,
                           struct err_info *info)
{
    size_t leaf = strlen(row->cert_pem), chain = strlen(row->chain_pem);
    bool gap = leaf > 0 && row->cert_pem[leaf - 1] != '\n' && chain > 0;
    out->bytes = malloc(leaf + gap + chain + 1);
    if (out->bytes == NULL) {
        return err_set(info, ERR_NOMEM, "no memory for the certificate");
    }
    out->len = (size_t)snprintf((char *)out->bytes, leaf + gap + chain + 1, "%s%s%s", row->cert_pem,
                                gap ? "\n" : "", row->chain_pem);
    return ERR_OK;
}

static enum err open_key(struct sync_look *l, struct folder_text *out, struct err_info *info)
{
    char id[24], *pem = NULL;
    snprintf(id, sizeof id, "%" PRIu64, l->row->generation);
    struct cert_vault_place place = {.kind = CERT_VAULT_LEAF, .name = l->row->hostname, .id = id};
    enum err e = cert_vault_open(l->options->vault, &place, l->row->key, &pem, info);
    if (e == ERR_NOTFOUND && seal_text_id(l->row->key, l->key_id) != ERR_OK) {
        l->key_id[0] = '\0';
    }
    if (e != ERR_OK) {
        return e;
    }
    out->len = strlen(pem);
    out->bytes = malloc(out->len + 1);
    if (out->bytes != NULL) {
        memcpy(out->bytes, pem, out->len + 1);
    } else {
        e = err_set(info, ERR_NOMEM, "no memory for the key");
    }
    cert_key_pem_free(pem);
    return e;
}

/* The key id of a row whose certificate is shown already: nobody needs its key today, but whoever has
 * to make the files again will. */
static void check_key_id(struct sync_look *l)
{
    char id[SEAL_ID_TEXT] = "";
    struct err_info info;
    bool known = seal_text_id(l->row->key, id) != ERR_OK || strcmp(id, "v1") == 0;
    for (size_t i = 0; !known && i < cert_vault_keys(l->options->vault); i++) {
        known = strcmp(id, cert_vault_key_id(l->options->vault, i)) == 0;
    }
    if (!known) {
        memcpy(l->key_id, id, sizeof l->key_id);
        failed(l, "open",
               err_set(&info, ERR_NOTFOUND, "the row is sealed with key %s, which is not here", id),
               false, &info);
    }
}

/* When it was issued is the row's word, and nothing seals that; what a certificate says is its CA's. A
 * number cannot be made up either: the key would not open. */
static bool is_older(const struct sync_look *l, const struct sync_gen *g,
                     const struct tls_pair_info *p)
{
    bool counted = g->number != 0 && l->last.number != 0;
    if (!l->has_last || sync_gen_older(g, &l->last)) {
        return l->has_last;
    }
    return counted && l->have.any && g->number <= l->last.number &&
           strcmp(g->print, l->last.print) != 0 && p->not_before_ms < l->have.not_before_ms;
}

/* Is PAIR, of generation G, to come in place of what is shown? *RETRY: not now. */
static enum err check_offer(const struct sync_look *l, const struct sync_gen *g,
                            const struct tls_pair *pair, bool *retry, struct err_info *info)
{
    const struct tls_pair_info *p = tls_pair_info(pair);
    *retry = false;
    if (!tls_pair_covers(pair, l->options->hostname)) {
        return err_set(info, ERR_CONFLICT, "the certificate is not for %s", l->options->hostname);
    }
    if (is_older(l, g, p)) {
        return err_set(info, ERR_DENIED,
                       "generation %" PRIu64 " is older than generation %" PRIu64
                       ", which was shown here",
                       g->number, l->last.number);
    }
    if (l->now_ms + CERT_CHAIN_EARLY_MS < p->not_before_ms) {
        *retry = true;
        return err_set(info, ERR_DENIED, "the certificate is not valid yet: is the clock right?");
    }
    enum err e = check_names(l, p, info);
    if (e == ERR_OK && l->now_ms >= p->not_after_ms) {
        e = err_set(info, ERR_DENIED, "the certificate has expired");
    }
    /* One with a flaw is better than none, or than another with a flaw. */
    return e == ERR_OK || have_good(l) ? e : ERR_OK;
}

/* SHOWN: its certificate is shown already, and the files are to be made again. */
static enum err apply(struct sync_look *l, const struct sync_tree *t, struct sync_texts *texts,
                      const struct sync_gen *g, bool shown, const char **step, bool *retry,
                      struct err_info *info)
{
    struct tls_pair *pair = NULL;
    *step = "open";
    *retry = false;
    enum err e = open_key(l, &texts->key, info);
    if (e == ERR_OK) {
        *step = "check";
        e = tls_pair_new(texts->cert.bytes, texts->cert.len, texts->key.bytes, texts->key.len,
                         &pair, info);
        e = e == ERR_OK && !shown ? check_offer(l, g, pair, retry, info) : e;
    }
    *retry = *retry || e == ERR_NOMEM;
    if (e == ERR_OK) {
        *step = "write";
        *retry = true;
        e = sync_tree_write(t, g, texts, info);
        e = e == ERR_OK ? sync_tree_switch(t, g, info) : e;
    }
    if (e == ERR_OK) {
        l->written = true;
        if (!shown) {
            show(l, g, texts, pair, sync_tree_hooked(t, g));
        } else {
            (void)!digest_sha256(texts->key.bytes, texts->key.len, l->have.key);
        }
    }
    tls_pair_unref(pair);
    return e;
}

/* ---- whether the files still are what is shown ---------------------------------------------- */

static bool intact(const struct sync_look *l, const struct sync_tree *t, struct err_info *info)
{
    struct sync_texts texts;
    uint8_t cert[DIGEST_SHA256_LEN], key[DIGEST_SHA256_LEN];
    bool good = sync_tree_read(t, &l->have.gen, &texts, info) == ERR_OK;
    if (good) {
        bool same_cert = digest_sha256(texts.cert.bytes, texts.cert.len, cert) == ERR_OK &&
                         memcmp(cert, l->have.cert, sizeof cert) == 0;
        bool same_key = digest_sha256(texts.key.bytes, texts.key.len, key) == ERR_OK &&
                        memcmp(key, l->have.key, sizeof key) == 0;
        good = same_cert && same_key;
        if (!good) {
            err_set(info, ERR_CONFLICT, "%s of what is shown was changed by somebody else",
                    same_cert ? SYNC_KEY : SYNC_CERT);
        }
    }
    sync_texts_free(&texts);
    return good;
}

static void take_row(struct sync_look *l, const struct sync_tree *t)
{
    struct sync_texts texts = {.cert = {.bytes = NULL}};
    struct err_info info = {.text = ""}, damage = {.text = ""};
    uint8_t digest[DIGEST_SHA256_LEN];
    const char *step = "check";
    struct sync_gen g;
    bool retry = false, shown = false;
    enum err e = check_row(l, &info);
    e = e == ERR_OK ? full_chain(l->row, &texts.cert, &info) : e;
    e = e == ERR_OK ? digest_sha256(texts.cert.bytes, texts.cert.len, digest) : e;
    if (e == ERR_OK) {
        sync_gen_init(&g, l->row->generation, l->row->issued_ms, digest);
        shown = l->have.any && memcmp(digest, l->have.cert, sizeof digest) == 0;
    }
    if (e == ERR_OK && shown) {
        g = l->have.gen;
        if (intact(l, t, &damage)) {
            check_key_id(l);
            goto out;
        }
        LOG_WARN("cert", "certificate files are made again", LOG_S("hostname", l->row->hostname),
                 LOG_S("reason", damage.text));
    }
    e = e == ERR_OK ? apply(l, t, &texts, &g, shown, &step, &retry, &info) : e;
    if (e != ERR_OK) {
        failed(l, step, e, retry, &info);
    }
out:
    sync_texts_free(&texts);
}

/* What the files lead to is what is shown. */
static bool keep(struct sync_look *l, const struct sync_tree *t)
{
    struct err_info info = {.text = ""};
    if (!intact(l, t, &info)) {
        failed(l, "files", ERR_CONFLICT, true, &info);
        return false;
    }
    enum err e = sync_tree_switch(t, &l->have.gen, &info);
    if (e != ERR_OK) {
        failed(l, "write", e, true, &info);
    }
    return e == ERR_OK;
}

/* ---- copies -------------------------------------------------------------------------------- */

/* PATH has DIGEST's text already, perhaps because it leads to our own file. */
static bool has_text(const char *path, const uint8_t digest[DIGEST_SHA256_LEN])
{
    uint8_t *bytes = NULL, is[DIGEST_SHA256_LEN];
    size_t len;
    if (file_read(path, TLS_PAIR_PEM_MAX, &bytes, &len, NULL) != ERR_OK) {
        return false;
    }
    bool same = digest_sha256(bytes, len, is) == ERR_OK && memcmp(is, digest, sizeof is) == 0;
    explicit_bzero(bytes, len);
    free(bytes);
    return same;
}

static void copy(struct sync_look *l, const struct sync_tree *t)
{
    const struct cert_sync_options *o = l->options;
    struct sync_texts texts;
    struct err_info info = {.text = ""};
    if ((o->copy_key == NULL || has_text(o->copy_key, l->have.key)) &&
        (o->copy_cert == NULL || has_text(o->copy_cert, l->have.cert))) {
        return;
    }
    enum err e = sync_tree_read(t, &l->have.gen, &texts, &info);
    if (e == ERR_OK && o->copy_key != NULL && !has_text(o->copy_key, l->have.key)) {
        e = file_replace(o->copy_key, texts.key.bytes, texts.key.len, KEY_MODE, &info);
    }
    if (e == ERR_OK && o->copy_cert != NULL && !has_text(o->copy_cert, l->have.cert)) {
        e = file_replace(o->copy_cert, texts.cert.bytes, texts.cert.len, CERT_MODE, &info);
    }
    if (e != ERR_OK) {
        failed(l, "copy", e, true, &info);
    }
    sync_texts_free(&texts);
}

/* A mark that cannot be made costs one more run of the hook, after a restart. */
static void mark_hooked(struct sync_look *l, const struct sync_tree *t)
{
    struct err_info info = {.text = ""};
    enum err e = sync_tree_set_hooked(t, &l->have.gen, &info);
    l->have.hooked = true;
    if (e != ERR_OK) {
        failed(l, "write", e, false, &info);
    }
}

/* ---- all of it ----------------------------------------------------------------------------- */

void sync_look_run(struct sync_look *l)
{
    struct sync_tree tree;
    struct err_info info = {.text = ""};
    l->e = ERR_OK;
    l->step = "";
    enum err e = sync_tree_open(l->dir, &tree, &info);
    if (e != ERR_OK) {
        failed(l, "write", e, true, &info);
        return;
    }
    if (!l->have.any) {
        recover(l, &tree);
    }
    if (l->set_hooked && l->have.any) { /* before another generation may come */
        mark_hooked(l, &tree);
    }
    if (l->row != NULL) {
        take_row(l, &tree);
    }
    if (l->have.any && keep(l, &tree)) {
        copy(l, &tree);
        e = sync_tree_tidy(&tree, &l->have.gen, &info);
        if (e != ERR_OK) {
            failed(l, "tidy", e, true, &info);
        }
    }
    sync_tree_close(&tree);
}
