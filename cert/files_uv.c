/* A look is one offloaded job: read both files, make a pair of their texts if those are new, and find
 * the folders in which a change would matter. What it finds is applied on the loop. One look at a
 * time; what is noticed meanwhile leads to another.
 *
 * The folders of the last look are watched. Whenever a watch is set, there is one look more, for what
 * changed in between. A notice may mean that the folder itself has gone, and a new one may even have
 * its number, so after a notice all watches are set anew.
 */
#include "files_uv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files_priv.h"
#include "lib/clock.h"
#include "lib/digest.h"
#include "lib/file_sys.h"
#include "lib/log.h"
#include "lib/loop_uv.h"
#include "lib/mem.h"

/* What a look has seen: two texts, or why there are none. */
struct seen {
    enum err e;
    uint8_t cert[DIGEST_SHA256_LEN], key[DIGEST_SHA256_LEN];
};

struct look {
    struct loop_work work;
    struct files *f; /* borrowed; of it only the names and `seen`, which rest during a look */
    struct seen seen;
    bool news;             /* it is not what was seen before, or an error */
    enum err e;            /* with news: whether there is a pair, INFO why not */
    struct tls_pair *pair; /* owned; NULL: none */
    struct err_info info;
    struct files_folders folders;
};

struct files {
    uv_loop_t *loop;            /* borrowed */
    char *cert_file, *key_file; /* owned */
    files_pair_cb *on_pair;
    files_ready_cb *on_ready;
    void (*on_closed)(void *ctx);
    void *ctx, *closed_ctx; /* borrowed */
    uv_timer_t timer;
    uv_fs_event_t watches[FILES_FOLDERS_MAX];
    struct files_folders watched;
    unsigned handles; /* open ones */
    struct look look; /* the pool's while `looking` */
    bool looking, ready, closing;
    bool settling;           /* the timer is set for a look soon */
    bool again;              /* something was noticed during a look */
    bool stale;              /* something was noticed: watches are to be set anew */
    bool unwatched;          /* some folder cannot be watched, and that was told */
    struct seen seen, given; /* by the last look; what on_pair() has had if loaded_ms is not 0 */
    int64_t loaded_ms;
    struct err_info problem;
};

static bool same(const struct seen *a, const struct seen *b)
{
    return a->e == b->e && memcmp(a->cert, b->cert, sizeof a->cert) == 0 &&
           memcmp(a->key, b->key, sizeof a->key) == 0;
}

/* ---- off the loop -------------------------------------------------------------------------- */

struct text {
    uint8_t *bytes; /* owned */
    size_t len;
};

static enum err read_text(const char *path, struct text *t, uint8_t *digest, struct err_info *info)
{
    enum err e = file_read(path, TLS_PAIR_PEM_MAX, &t->bytes, &t->len, info);
    return e == ERR_OK ? digest_sha256(t->bytes, t->len, digest) : e;
}

static void look_work(struct loop_work *work)
{
    struct look *l = (struct look *)work;
    const struct files *f = l->f;
    struct text cert = {.bytes = NULL}, key = {.bytes = NULL};
    files_follow(f->cert_file, &l->folders);
    files_follow(f->key_file, &l->folders);
    l->e = read_text(f->cert_file, &cert, l->seen.cert, &l->info);
    l->e = l->e == ERR_OK ? read_text(f->key_file, &key, l->seen.key, &l->info) : l->e;
    l->seen.e = l->e;
    l->news = l->e != ERR_OK || !same(&l->seen, &f->seen);
    if (l->news && l->e == ERR_OK) {
        l->e = tls_pair_new(cert.bytes, cert.len, key.bytes, key.len, &l->pair, &l->info);
        l->seen.e = l->e == ERR_NOMEM ? ERR_NOMEM : ERR_OK; /* no memory: to be tried again */
        if (l->e != ERR_OK) {
            err_prefix(&l->info, l->e, "%s, %s: ", f->cert_file, f->key_file);
        }
    }
    if (key.bytes != NULL) {
        explicit_bzero(key.bytes, key.len);
    }
    free(key.bytes);
    free(cert.bytes);
}

/* ---- on the loop: looking ------------------------------------------------------------------ */

static void look_done(struct loop_work *work);

static void look_begin(struct files *f)
{
    if (f->looking) {
        f->again = true;
        return;
    }
    uv_timer_stop(&f->timer);
    f->settling = f->again = false;
    f->looking = true;
    f->look = (struct look){.work = {.work = look_work, .done = look_done}, .f = f};
    loop_offload(f->loop, &f->look.work);
}

static void on_due(uv_timer_t *timer)
{
    look_begin(timer->data);
}

/* The first notice counts: those that follow do not put the look off. */
static void settle(struct files *f)
{
    if (f->looking) {
        f->again = true;
    } else if (!f->settling) {
        f->settling = true;
        uv_timer_start(&f->timer, on_due, FILES_SETTLE_MS, 0);
    }
}

/* ---- watching ------------------------------------------------------------------------------ */

static void on_notice(uv_fs_event_t *watch, const char *name, int events, int status)
{
    struct files *f = watch->data;
    (void)name;
    (void)events;
    (void)status; /* an error is a reason to look, too */
    f->stale = true;
    settle(f);
}

static bool same_folders(const struct files_folders *a, const struct files_folders *b)
{
    bool equal = a->count == b->count;
    for (size_t i = 0; equal && i < a->count; i++) {
        equal = a->list[i].dev == b->list[i].dev && a->list[i].ino == b->list[i].ino &&
                strcmp(a->list[i].path, b->list[i].path) == 0;
    }
    return equal;
}

static void tell_unwatched(struct files *f, const char *folder, int rc)
{
    if (!f->unwatched) {
        f->unwatched = true;
        LOG_WARN("tls", "cannot watch a folder, so changes are seen within a minute",
                 LOG_S("folder", folder), LOG_S("reason", uv_strerror(rc)));
    }
}

/* Watches what the look has found. Whether any watch is new. */
static bool watch_folders(struct files *f, const struct files_folders *found)
{
    bool anew = f->stale || !same_folders(&f->watched, found), started = false;
    f->stale = false;
    for (size_t i = 0; anew && i < FILES_FOLDERS_MAX; i++) {
        uv_fs_event_stop(&f->watches[i]);
    }
    if (anew) {
        f->watched = *found;
    }
    for (size_t i = 0; i < found->count; i++) {
        if (uv_is_active((uv_handle_t *)&f->watches[i])) {
            continue;
        }
        int rc = uv_fs_event_start(&f->watches[i], on_notice, found->list[i].path, 0);
        if (rc == 0) {
            started = true;
        } else if (rc != UV_ENOENT) { /* gone since the look: the next one will see */
            tell_unwatched(f, found->list[i].path, rc);
        }
    }
    return anew || started;
}

/* ---- what was found -------------------------------------------------------------------------- */

static void complain(struct files *f, const struct err_info *why)
{
    if (strcmp(f->problem.text, why->text) == 0) {
        return;
    }
    f->problem = *why;
    if (f->loaded_ms != 0) {
        LOG_WARN("tls", "certificate files are not good, the last good ones go on",
                 LOG_S("reason", why->text));
    } else {
        LOG_ERROR("tls", "certificate files are not good", LOG_S("reason", why->text));
    }
}

static void apply(struct files *f, struct tls_pair *pair)
{
    const struct look *l = &f->look;
    if (!l->news) {
        return;
    }
    f->seen = l->seen;
    if (l->e != ERR_OK) {
        complain(f, &l->info);
        return;
    }
    f->problem.text[0] = '\0';
    if (f->loaded_ms != 0 && same(&f->given, &l->seen)) {
        LOG_INFO("tls", "certificate files are good again", LOG_S("file", f->cert_file));
        return;
    }
    const struct tls_pair_info *info = tls_pair_info(pair);
    LOG_INFO("tls", "certificate files are loaded", LOG_S("file", f->cert_file),
             LOG_S("name", info->names[0]), LOG_N("names", info->names_count),
             LOG_S("key", info->key), LOG_S("serial", info->serial));
    f->given = l->seen;
    f->loaded_ms = clk_wall_ms(&clk_system);
    f->on_pair(f->ctx, pair);
}

/* ---- life ---------------------------------------------------------------------------------- */

static void finish(struct files *f)
{
    void (*done)(void *) = f->on_closed;
    void *ctx = f->closed_ctx;
    if (f->handles > 0 || f->looking) {
        return;
    }
    free(f->cert_file);
    free(f->key_file);
    free(f);
    if (done != NULL) {
        done(ctx);
    }
}

static void look_done(struct loop_work *work)
{
    struct files *f = ((struct look *)work)->f;
    struct tls_pair *pair = f->look.pair; /* a callback may begin another look */
    f->looking = false;
    bool unsure = !f->closing && watch_folders(f, &f->look.folders);
    if (!f->closing) {
        apply(f, pair);
    }
    tls_pair_unref(pair);
    if (!f->closing && !f->ready) {
        f->ready = true;
        if (f->on_ready != NULL) {
            f->on_ready(f->ctx);
        }
    }
    if (f->closing) { /* before, or by one of the callbacks: then its handles are still open */
        finish(f);
    } else if (unsure || f->again) {
        settle(f);
    } else if (!f->looking) {
        uv_timer_start(&f->timer, on_due, FILES_LOOK_MS, 0);
    }
}

void files_open(uv_loop_t *loop, const char *cert_file, const char *key_file,
                files_pair_cb *on_pair, files_ready_cb *on_ready, void *ctx, struct files **out)
{
    struct files *f = mem_xalloc(sizeof *f);
    f->loop = loop;
    f->cert_file = mem_xstrdup(cert_file);
    f->key_file = mem_xstrdup(key_file);
    f->on_pair = on_pair;
    f->on_ready = on_ready;
    f->ctx = ctx;
    uv_timer_init(loop, &f->timer);
    f->timer.data = f;
    for (size_t i = 0; i < FILES_FOLDERS_MAX; i++) {
        uv_fs_event_init(loop, &f->watches[i]);
        f->watches[i].data = f;
    }
    f->handles = 1 + FILES_FOLDERS_MAX;
    *out = f;
    look_begin(f);
}

void files_look(struct files *f)
{
    look_begin(f);
}

void files_view(const struct files *f, struct files_view *out)
{
    *out = (struct files_view){.cert_file = f->cert_file,
                               .key_file = f->key_file,
                               .problem = f->problem.text,
                               .loaded_ms = f->loaded_ms};
}

static void on_closed(uv_handle_t *h)
{
    struct files *f = h->data;
    f->handles--;
    finish(f);
}

void files_close(struct files *f, void (*done)(void *ctx), void *ctx)
{
    f->closing = true;
    f->on_closed = done;
    f->closed_ctx = ctx;
    uv_close((uv_handle_t *)&f->timer, on_closed);
    for (size_t i = 0; i < FILES_FOLDERS_MAX; i++) {
        uv_close((uv_handle_t *)&f->watches[i], on_closed);
    }
}
