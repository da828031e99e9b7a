#include "tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cert/placeholder.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/loop_uv.h"
#include "lib/mem.h"

/* After a context that could not be made (no memory). */
#define RETRY_MS 10000

enum source { PLACEHOLDER, FILES, MANAGED };

struct tls_slot {
    uv_loop_t *loop;         /* borrowed */
    const struct clk *clock; /* borrowed */
    uv_timer_t timer;
    struct loop_work work;
    struct files *files;             /* owned; NULL: none configured, or closed */
    bool files_known;                /* the first look at them is over */
    char *names[TLS_SLOT_NAMES_MAX]; /* owned: the placeholder's */
    size_t names_count;
    struct tls_pair *managed;                        /* shared: of the store; NULL: none yet */
    struct tls_pair *wanted;                         /* shared: of the files; NULL: none */
    struct tls_pair *shown;                          /* shared: in the context */
    struct tls_pair *proofs[TLS_CONTEXT_PROOFS_MAX]; /* shared */
    size_t proofs_count;
    struct tls_context *context; /* shared; NULL: none yet */
    enum source source;          /* of what is shown */
    bool waits;                  /* for the store's pair, or to hear that there is none */
    bool busy;                   /* a context is being made */
    bool again;                  /* ... and then another one */
    struct tls_pair *work_pair;  /* shared; NULL: make a placeholder */
    enum source work_source;
    struct tls_pair *work_proofs[TLS_CONTEXT_PROOFS_MAX]; /* shared */
    size_t work_proofs_count;
    struct tls_context *work_context;
    struct err_info work_info;
    enum err work_result;
    char problem[512]; /* of making a context; "": none */
    uint64_t swaps;
    tls_slot_cb *on_context;
    void *ctx; /* borrowed */
    bool closing;
    void (*done)(void *ctx);
    void *done_ctx; /* borrowed */
};

static void begin(struct tls_slot *s);

static void drop_proofs(struct tls_pair **list, size_t *count)
{
    while (*count > 0) {
        tls_pair_unref(list[--*count]);
    }
}

/* ---- closing ------------------------------------------------------------------------------- */

static void on_timer_closed(uv_handle_t *h)
{
    struct tls_slot *s = h->data;
    for (size_t i = 0; i < s->names_count; i++) {
        free(s->names[i]);
    }
    drop_proofs(s->proofs, &s->proofs_count);
    tls_pair_unref(s->managed);
    tls_pair_unref(s->wanted);
    tls_pair_unref(s->shown);
    tls_context_unref(s->context);
    void (*done)(void *ctx) = s->done;
    void *ctx = s->done_ctx;
    free(s);
    if (done != NULL) {
        done(ctx);
    }
}

static void continue_close(struct tls_slot *s)
{
    if (s->files == NULL && !s->busy) {
        uv_close((uv_handle_t *)&s->timer, on_timer_closed);
    }
}

static void on_files_closed(void *ctx)
{
    struct tls_slot *s = ctx;
    s->files = NULL;
    continue_close(s);
}

void tls_slot_close(struct tls_slot *s, void (*done)(void *ctx), void *ctx)
{
    s->closing = true;
    s->done = done;
    s->done_ctx = ctx;
    uv_timer_stop(&s->timer);
    if (s->files != NULL) {
        files_close(s->files, on_files_closed, s);
    } else {
        continue_close(s);
    }
}

/* ---- a context ----------------------------------------------------------------------------- */

static void tell(const struct tls_slot *s)
{
    const struct tls_pair_info *p = tls_pair_info(s->shown);
    int64_t left_ms = p->not_after_ms - clk_wall_ms(s->clock);
    static const char *const words[] = {
        [PLACEHOLDER] = "a placeholder certificate is shown until there is a real one",
        [FILES] = "the certificate of http.ssl is shown from now on",
        [MANAGED] = "the certificate of the store is shown from now on"};
    LOG_INFO("tls", words[s->source], LOG_S("name", p->names[0]), LOG_S("issuer", p->issuer),
             LOG_S("serial", p->serial), LOG_N("days_left", left_ms / 86400000));
    if (left_ms <= 0) {
        LOG_WARN("tls", "the certificate has expired: clients will refuse it",
                 LOG_S("name", p->names[0]), LOG_S("serial", p->serial));
    }
}

/* When something is due by itself: other ticket keys, or another placeholder. */
static int64_t due_in_ms(const struct tls_slot *s)
{
    if (s->problem[0] != '\0') {
        return RETRY_MS;
    }
    int64_t due = TLS_TICKETS_MS;
    if (s->source == PLACEHOLDER) {
        int64_t left = placeholder_due_ms(tls_pair_info(s->shown)) - clk_wall_ms(s->clock);
        due = left < due ? left : due;
    }
    return due > 1000 ? due : 1000; /* whatever the clock says, no loop */
}

static void on_timer(uv_timer_t *timer)
{
    begin(timer->data);
}

/* On a pool thread. */
static void make_context(struct loop_work *work)
{
    struct tls_slot *s = (struct tls_slot *)((char *)work - offsetof(struct tls_slot, work));
    s->work_result = ERR_OK;
    if (s->work_pair == NULL) {
        s->work_result = placeholder_new((const char *const *)s->names, s->names_count,
                                         clk_wall_ms(s->clock), &s->work_pair, &s->work_info);
    }
    if (s->work_result == ERR_OK) {
        const struct tls_context_options o = {.pairs = &s->work_pair,
                                              .pairs_count = 1,
                                              .proofs = s->work_proofs,
                                              .proofs_count = s->work_proofs_count,
                                              .previous = s->context};
        s->work_result = tls_context_new(&o, &s->work_context, &s->work_info);
    }
}

static void take(struct tls_slot *s)
{
    bool other = s->shown == NULL || !tls_pair_equal(s->shown, s->work_pair);
    s->swaps += s->context != NULL;
    tls_context_unref(s->context);
    s->context = s->work_context;
    tls_pair_unref(s->shown);
    s->shown = tls_pair_ref(s->work_pair);
    s->source = s->work_source;
    s->problem[0] = '\0';
    if (other) {
        tell(s);
    }
    s->on_context(s->ctx, s->context);
}

static void on_context_made(struct loop_work *work)
{
    struct tls_slot *s = (struct tls_slot *)((char *)work - offsetof(struct tls_slot, work));
    s->busy = false;
    if (s->work_result == ERR_OK && s->closing) {
        tls_context_unref(s->work_context);
    } else if (s->work_result == ERR_OK) {
        take(s);
    } else {
        snprintf(s->problem, sizeof s->problem, "%s", s->work_info.text);
        LOG_ERROR("tls", "no certificate can be shown", LOG_S("reason", s->problem));
    }
    s->work_context = NULL;
    tls_pair_unref(s->work_pair);
    s->work_pair = NULL;
    drop_proofs(s->work_proofs, &s->work_proofs_count);
    if (s->closing) {
        continue_close(s);
    } else if (s->again) {
        begin(s);
    } else {
        uv_timer_start(&s->timer, on_timer, (uint64_t)due_in_ms(s), 0);
    }
}

/* Without a pair of anybody's: the placeholder that we have, unless it is due (NULL). */
static struct tls_pair *pair_to_show(const struct tls_slot *s)
{
    if (s->managed != NULL || s->wanted != NULL) {
        return tls_pair_ref(s->managed != NULL ? s->managed : s->wanted);
    }
    bool keep = s->shown != NULL && s->source == PLACEHOLDER &&
                placeholder_due_ms(tls_pair_info(s->shown)) > clk_wall_ms(s->clock);
    return keep ? tls_pair_ref(s->shown) : NULL;
}

static void begin(struct tls_slot *s)
{
    s->again = s->busy;
    if (s->busy || s->waits) {
        return;
    }
    s->busy = true;
    s->work_pair = pair_to_show(s);
    s->work_source = s->managed != NULL ? MANAGED : s->wanted != NULL ? FILES : PLACEHOLDER;
    for (size_t i = 0; i < s->proofs_count; i++) {
        s->work_proofs[s->work_proofs_count++] = tls_pair_ref(s->proofs[i]);
    }
    s->work_info.text[0] = '\0';
    s->work.work = make_context;
    s->work.done = on_context_made;
    loop_offload(s->loop, &s->work);
}

void tls_slot_use(struct tls_slot *s, struct tls_pair *pair)
{
    tls_pair_unref(s->managed);
    s->managed = tls_pair_ref(pair);
    s->waits = false;
    begin(s);
}

void tls_slot_go(struct tls_slot *s)
{
    if (s->waits) {
        s->waits = false;
        if (s->files == NULL || s->wanted != NULL || s->files_known) {
            begin(s);
        }
    }
}

void tls_slot_use_proofs(struct tls_slot *s, struct tls_pair *const *proofs, size_t count)
{
    drop_proofs(s->proofs, &s->proofs_count);
    for (size_t i = 0; i < count && i < TLS_CONTEXT_PROOFS_MAX; i++) {
        s->proofs[s->proofs_count++] = tls_pair_ref(proofs[i]);
    }
    begin(s);
}

/* ---- the files ----------------------------------------------------------------------------- */

static void on_pair(void *ctx, struct tls_pair *pair)
{
    struct tls_slot *s = ctx;
    tls_pair_unref(s->wanted);
    s->wanted = tls_pair_ref(pair);
    begin(s);
}

static void on_files_known(void *ctx)
{
    struct tls_slot *s = ctx;
    s->files_known = true;
    if (s->wanted == NULL) {
        begin(s); /* with a placeholder */
    }
}

void tls_slot_open(uv_loop_t *loop, const struct config *config, const struct clk *clock,
                   tls_slot_cb *on_context, void *ctx, struct tls_slot **out)
{
    struct tls_slot *s = mem_xalloc(sizeof *s);
    s->loop = loop;
    s->clock = clock;
    s->on_context = on_context;
    s->ctx = ctx;
    s->names_count = tls_slot_names(config, s->names);
    s->waits = config->lets_encrypt.enabled;
    s->timer.data = s;
    uv_timer_init(loop, &s->timer);
    *out = s;
    if (config->http.cert_file != NULL) {
        files_open(loop, config->http.cert_file, config->http.key_file, on_pair, on_files_known, s,
                   &s->files);
    } else {
        begin(s);
    }
}

void tls_slot_look(struct tls_slot *s)
{
    if (s->files != NULL) {
        files_look(s->files);
    }
    if (s->managed == NULL && s->wanted == NULL && s->shown != NULL &&
        placeholder_due_ms(tls_pair_info(s->shown)) <= clk_wall_ms(s->clock)) {
        begin(s);
    }
}

void tls_slot_view(const struct tls_slot *s, struct tls_slot_view *out)
{
    static const char *const words[] = {
        [PLACEHOLDER] = "placeholder", [FILES] = "files", [MANAGED] = "managed"};
    *out = (struct tls_slot_view){.source = words[s->source],
                                  .pair = s->shown != NULL ? tls_pair_info(s->shown) : NULL,
                                  .problem = s->problem,
                                  .swaps = s->swaps};
    if (s->files != NULL) {
        struct files_view files;
        files_view(s->files, &files);
        out->cert_file = files.cert_file;
        out->key_file = files.key_file;
        if (files.problem[0] != '\0') {
            out->problem = files.problem;
        }
    }
}
