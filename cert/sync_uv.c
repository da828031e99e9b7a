/* Drives the looks: one at a time, off the loop (cert/sync_look_sys.c); what is offered meanwhile waits,
 * the latest of it alone. A look reads the row, what is shown, and the options, none of which change
 * while it is under way; what it found is applied on the loop.
 *
 *          offered, look(), time, hook's end
 *     RESTING ───────────────────────> LOOKING
 *        ^──── what it found, applied ────┘
 *
 * After a look that is worth repeating the next one comes after a pause, of PAUSE_MS, doubled up to
 * PAUSE_MAX_MS; else after CERT_SYNC_LOOK_MS.
 */
#include "sync_uv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/mem.h"
#include "sync_priv.h"

#define PAUSE_MS     1000
#define PAUSE_MAX_MS 60000

/* A row, copied. */
struct kept {
    struct cert_sync_row row; /* its texts are ours */
    bool any;
};

struct work {
    struct loop_work work;
    struct sync_look look; /* the pool's while `looking` */
};

struct cert_sync {
    uv_loop_t *loop;                  /* borrowed */
    struct cert_sync_options options; /* its texts are ours */
    struct sync_dir dir;
    uv_timer_t timer;
    struct sync_hook hook;
    struct work work;
    struct kept row, next; /* that of the look, and what was offered during it */
    bool has_next;         /* perhaps that there is none */
    bool looking, again, closing, ready;
    struct sync_have have; /* what ON_PAIR has had */
    struct sync_gen last;
    bool has_last;
    struct sync_gen hooked; /* the hook's end is to be noted in its folder */
    bool set_hooked;
    struct sync_gen hook_for; /* begun, or over, for it */
    bool hook_begun;
    char shown[65]; /* what the listener was seen to show */
    uint64_t pause_ms;
    const char *step;
    struct err_info problem;
    char key_id[SEAL_ID_TEXT];
    int64_t written_ms;
    unsigned handles; /* open: the timer, the hook */
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

static bool same_gen(const struct sync_gen *a, const struct sync_gen *b)
{
    return a->number == b->number && a->issued_ms == b->issued_ms &&
           strcmp(a->print, b->print) == 0;
}

/* ---- rows ---------------------------------------------------------------------------------- */

static void drop_row(struct kept *k)
{
    free((char *)k->row.hostname);
    free((char *)k->row.cert_pem);
    free((char *)k->row.chain_pem);
    free((char *)k->row.key);
    *k = (struct kept){.any = false};
}

static bool keep_row(struct kept *k, const struct cert_sync_row *row)
{
    *k = (struct kept){.row = *row, .any = true};
    k->row.hostname = strdup(row->hostname);
    k->row.cert_pem = strdup(row->cert_pem);
    k->row.chain_pem = strdup(row->chain_pem != NULL ? row->chain_pem : "");
    k->row.key = strdup(row->key);
    bool good = k->row.hostname != NULL && k->row.cert_pem != NULL && k->row.chain_pem != NULL &&
                k->row.key != NULL;
    if (!good) {
        drop_row(k);
    }
    return good;
}

/* ---- the hook ------------------------------------------------------------------------------ */

static void look(struct cert_sync *s);

/* For what is in the files and on the wire, once. */
static void run_hook(struct cert_sync *s)
{
    if (s->options.hook == NULL || !s->have.any || s->have.hooked ||
        strcmp(s->shown, s->have.sha256) != 0 ||
        (s->hook_begun && same_gen(&s->hook_for, &s->have.gen))) {
        return;
    }
    s->hook_for = s->have.gen;
    s->hook_begun = true;
    sync_hook_run(&s->hook);
}

static void on_hook_done(void *ctx, bool good)
{
    struct cert_sync *s = ctx;
    if (good) {
        s->hooked = s->hook_for;
        s->set_hooked = true;
        look(s);
    }
}

/* ---- looking ------------------------------------------------------------------------------- */

static void on_due(uv_timer_t *timer)
{
    look(timer->data);
}

static void look_work(struct loop_work *w)
{
    sync_look_run(&((struct work *)w)->look);
}

static void look_done(struct loop_work *w);

static void look(struct cert_sync *s)
{
    if (s->looking || s->closing) {
        s->again = true;
        return;
    }
    uv_timer_stop(&s->timer);
    if (s->has_next) {
        drop_row(&s->row);
        s->row = s->next;
        s->next = (struct kept){.any = false};
        s->has_next = false;
    }
    s->again = false;
    s->looking = true;
    s->work =
        (struct work){.work = {.work = look_work, .done = look_done},
                      .look = {.dir = &s->dir,
                               .options = &s->options,
                               .row = s->row.any ? &s->row.row : NULL,
                               .now_ms = clk_wall_ms(s->options.clock),
                               .have = s->have,
                               .last = s->last,
                               .has_last = s->has_last,
                               .set_hooked = s->set_hooked && same_gen(&s->hooked, &s->have.gen)}};
    s->set_hooked = false;
    loop_offload(s->loop, &s->work.work);
}

/* ---- what was found ------------------------------------------------------------------------ */

static void note_problem(struct cert_sync *s, const struct sync_look *l)
{
    bool news = strcmp(s->problem.text, l->info.text) != 0 || strcmp(s->step, l->step) != 0;
    bool had = s->step[0] != '\0';
    s->step = l->step;
    s->problem = l->info;
    memcpy(s->key_id, l->key_id, sizeof s->key_id);
    if (l->e == ERR_OK) {
        s->problem.text[0] = '\0';
        if (had) {
            LOG_INFO("cert", "the certificate's files are as they should be",
                     LOG_S("hostname", s->options.hostname));
        }
    } else if (news) {
        LOG_WARN("cert",
                 s->have.any ? "a certificate is not taken over, what was shown goes on"
                             : "a certificate is not taken over",
                 LOG_S("hostname", s->options.hostname), LOG_S("step", l->step),
                 LOG_S("error", err_text(l->e)), LOG_S("reason", l->info.text));
    }
}

static void note_pair(const struct cert_sync *s, bool written)
{
    LOG_INFO("cert", written ? "a certificate is in the files" : "the files' certificate is shown",
             LOG_S("hostname", s->options.hostname), LOG_S("path", s->dir.cert_path),
             LOG_N("generation", s->have.gen.number), LOG_S("serial", s->have.serial),
             LOG_N("not_after_ms", s->have.not_after_ms));
}

static void rest(struct cert_sync *s, bool retry)
{
    uint64_t wait = CERT_SYNC_LOOK_MS;
    s->pause_ms = !retry ? 0 : s->pause_ms == 0 ? PAUSE_MS : s->pause_ms * 2;
    if (retry) {
        s->pause_ms = s->pause_ms < PAUSE_MAX_MS ? s->pause_ms : PAUSE_MAX_MS;
        wait = s->pause_ms;
    }
    uv_timer_start(&s->timer, on_due, wait, 0);
}

static void finish_close(struct cert_sync *s)
{
    void (*done)(void *) = s->on_closed;
    void *ctx = s->closed_ctx;
    if (s->handles > 0 || s->looking) {
        return;
    }
    drop_row(&s->row);
    drop_row(&s->next);
    for (size_t i = 0; i < s->options.names_count; i++) {
        free((char *)s->options.names[i]);
    }
    free((void *)s->options.names);
    free((char *)s->options.tls_dir);
    free((char *)s->options.hostname);
    free((char *)s->options.hook);
    free((char *)s->options.copy_cert);
    free((char *)s->options.copy_key);
    sync_dir_close(&s->dir);
    free(s);
    if (done != NULL) {
        done(ctx);
    }
}

static void look_done(struct loop_work *w)
{
    struct work *work = (struct work *)w;
    struct cert_sync *s = (struct cert_sync *)((char *)work - offsetof(struct cert_sync, work));
    struct sync_look *l = &work->look;
    struct tls_pair *pair = l->pair;
    bool retry = l->retry && l->e != ERR_OK, written = l->written;
    s->looking = false;
    if (s->closing) {
        tls_pair_unref(pair);
        finish_close(s);
        return;
    }
    s->have = l->have;
    s->last = l->last;
    s->has_last = l->has_last;
    s->written_ms = written ? clk_wall_ms(s->options.clock) : s->written_ms;
    note_problem(s, l);
    if (s->again) { /* before the callbacks, which may offer or close; L is the next look's now */
        look(s);
    } else {
        rest(s, retry);
    }
    if (pair != NULL) {
        note_pair(s, written);
        s->options.on_pair(s->options.ctx, pair);
        tls_pair_unref(pair);
    }
    if (!s->closing && !s->ready) {
        s->ready = true;
        if (s->options.on_ready != NULL) {
            s->options.on_ready(s->options.ctx);
        }
    }
    if (!s->closing) {
        run_hook(s);
    }
}

/* ---- life ---------------------------------------------------------------------------------- */

static char *copy_text(const char *text)
{
    return text != NULL ? mem_xstrdup(text) : NULL;
}

static void copy_options(struct cert_sync *s, const struct cert_sync_options *o)
{
    const char **names = mem_xalloc((o->names_count + 1) * sizeof *names);
    s->options = *o;
    for (size_t i = 0; i < o->names_count; i++) {
        names[i] = mem_xstrdup(o->names[i]);
    }
    s->options.names = names;
    s->options.tls_dir = mem_xstrdup(o->tls_dir);
    s->options.hostname = mem_xstrdup(o->hostname);
    s->options.hook = copy_text(o->hook);
    s->options.copy_cert = copy_text(o->copy_cert);
    s->options.copy_key = copy_text(o->copy_key);
}

enum err cert_sync_open(uv_loop_t *loop, const struct cert_sync_options *options,
                        struct cert_sync **out, struct err_info *info)
{
    struct cert_sync *s = mem_xalloc(sizeof *s);
    enum err e = sync_dir_open(&s->dir, options->tls_dir, options->hostname, info);
    if (e != ERR_OK) {
        free(s);
        return e;
    }
    s->loop = loop;
    s->step = "";
    copy_options(s, options);
    uv_timer_init(loop, &s->timer);
    s->timer.data = s;
    sync_hook_init(&s->hook, loop,
                   &(struct sync_hook_options){.path = s->options.hook,
                                               .hostname = s->options.hostname,
                                               .cert_path = s->dir.cert_path,
                                               .key_path = s->dir.key_path,
                                               .clock = s->options.clock,
                                               .limit_ms = CERT_SYNC_HOOK_MS,
                                               .pause_ms = PAUSE_MS,
                                               .on_done = on_hook_done,
                                               .ctx = s});
    s->handles = 2;
    *out = s;
    look(s);
    return ERR_OK;
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a, b != NULL ? b : "") == 0;
}

/* ROW says what K has. */
static bool same_row(const struct kept *k, const struct cert_sync_row *row)
{
    return k->any && k->row.generation == row->generation && k->row.issued_ms == row->issued_ms &&
           same_text(k->row.hostname, row->hostname) && same_text(k->row.cert_pem, row->cert_pem) &&
           same_text(k->row.chain_pem, row->chain_pem) && same_text(k->row.key, row->key);
}

void cert_sync_offer(struct cert_sync *s, const struct cert_sync_row *row)
{
    struct kept k;
    if (s->closing) {
        return;
    }
    if (!same_row(s->has_next ? &s->next : &s->row, row)) {
        if (!keep_row(&k, row)) {
            s->step = "open";
            err_set(&s->problem, ERR_NOMEM, "no memory for the row");
            return;
        }
        drop_row(&s->next);
        s->next = k;
        s->has_next = true;
        s->pause_ms = 0; /* it may fare better than the one before */
    }
    look(s);
}

void cert_sync_none(struct cert_sync *s)
{
    drop_row(&s->next);
    s->has_next = true;
    look(s);
}

void cert_sync_shown(struct cert_sync *s, const char *sha256)
{
    if (!s->closing && strlen(sha256) < sizeof s->shown) {
        memcpy(s->shown, sha256, strlen(sha256) + 1);
        run_hook(s);
    }
}

void cert_sync_look(struct cert_sync *s)
{
    look(s);
}

static void on_hook_closed(void *ctx)
{
    struct cert_sync *s = ctx;
    s->handles--;
    finish_close(s);
}

static void on_timer_closed(uv_handle_t *timer)
{
    on_hook_closed(timer->data);
}

void cert_sync_close(struct cert_sync *s, void (*done)(void *ctx), void *ctx)
{
    s->closing = true;
    s->on_closed = done;
    s->closed_ctx = ctx;
    uv_close((uv_handle_t *)&s->timer, on_timer_closed);
    sync_hook_close(&s->hook, on_hook_closed, s);
}

void cert_sync_view(const struct cert_sync *s, struct cert_sync_view *out)
{
    *out = (struct cert_sync_view){
        .generation = s->have.any ? s->have.gen.number : 0,
        .cert_path = s->dir.cert_path,
        .key_path = s->dir.key_path,
        .step = s->step,
        .problem = s->problem.text,
        .key_id = s->key_id,
        .written_ms = s->written_ms,
        .hook = {.at_ms = s->hook.at_ms,
                 .status = s->hook.status,
                 .tries = s->hook.tries,
                 .failures = s->hook.failures,
                 .text = s->hook.text},
    };
}
