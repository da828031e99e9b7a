#include "store_sync_priv.h"

#include <string.h>

/* ---- waiting --------------------------------------------------------------------------------- */

static void on_late(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void on_timer_closed(uv_handle_t *h)
{
    *(bool *)h->data = true;
}

static void wait_until(uv_loop_t *loop, bool (*test)(const void *arg), const void *arg)
{
    uv_timer_t timer;
    bool late = false;
    bool closed = false;
    uv_timer_init(loop, &timer);
    timer.data = &late;
    uv_timer_start(&timer, on_late, SYNC_WAIT_MS, 0);
    while (!test(arg) && !late) {
        uv_run(loop, UV_RUN_ONCE);
    }
    timer.data = &closed;
    uv_close((uv_handle_t *)&timer, on_timer_closed);
    while (!closed) {
        uv_run(loop, UV_RUN_NOWAIT);
    }
    if (late) {
        fail_msg("waited %d ms in vain", SYNC_WAIT_MS);
    }
}

static bool is_set(const void *flag)
{
    return *(const bool *)flag;
}

void sync_wait(uv_loop_t *loop, const bool *flag)
{
    wait_until(loop, is_set, flag);
}

struct at_least {
    const unsigned *count;
    unsigned n;
};

static bool is_reached(const void *arg)
{
    const struct at_least *a = arg;
    return *a->count >= a->n;
}

void sync_wait_count(uv_loop_t *loop, const unsigned *count, unsigned n)
{
    struct at_least a = {count, n};
    wait_until(loop, is_reached, &a);
}

/* ---- one operation --------------------------------------------------------------------------- */

void sync_begin(struct sync *y)
{
    y->done = false;
    y->info.text[0] = '\0';
    str_free(&y->out);
    str_append(&y->out, "");
}

void sync_ended(struct sync_op *o, enum err e, const struct err_info *info)
{
    assert_false(o->y->done); /* exactly once */
    o->e = e;
    if (info != NULL) {
        o->y->info = *info;
    }
    o->y->done = true;
}

enum err sync_finish(struct sync_op *o)
{
    assert_false(o->y->done); /* never inside the call that started it */
    sync_wait(o->y->loop, &o->y->done);
    if (o->e != ERR_OK) {
        assert_true(o->y->info.text[0] != '\0'); /* each error says why */
    }
    return o->e;
}

void sync_item(struct sync *y)
{
    if (y->out.len > 0) {
        str_append(&y->out, " ");
    }
}

void sync_on_done(void *ctx, enum err e, const struct err_info *info)
{
    sync_ended(ctx, e, info);
}

/* ---- open, close, feed ----------------------------------------------------------------------- */

static void on_open(void *ctx, enum err e, const struct err_info *info, struct store *s)
{
    struct sync_op *o = ctx;
    assert_true((e == ERR_OK) == (s != NULL));
    o->y->store = s;
    sync_ended(o, e, info);
}

enum err sync_open(struct sync *y, uv_loop_t *loop, const struct store_options *options)
{
    struct sync_op o = {.y = y};
    str_free(&y->out);
    *y = (struct sync){.loop = loop};
    sync_begin(y);
    store_open(loop, options, on_open, &o);
    return sync_finish(&o);
}

static void on_closed(void *ctx)
{
    *(bool *)ctx = true;
}

void sync_close(struct sync *y)
{
    if (y->store != NULL) {
        bool closed = false;
        store_close(y->store, on_closed, &closed);
        sync_wait(y->loop, &closed);
        y->store = NULL;
    }
    str_free(&y->out);
}

static void on_state(void *ctx, enum err e, const struct err_info *info,
                     const struct store_state *state)
{
    struct sync_op *o = ctx;
    if (e == ERR_OK) {
        o->y->state = *state;
    }
    sync_ended(o, e, info);
}

enum err sync_state(struct sync *y)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_state(y->store, on_state, &o);
    return sync_finish(&o);
}

static void put_row(struct sync *y, const struct store_row *row)
{
    sync_item(y);
    str_append(&y->out, row->key);
    str_append(&y->out, row->value != NULL ? "=" : "-");
    str_append(&y->out, row->value != NULL ? row->value : "");
}

static void on_feed(void *ctx, enum err e, const struct err_info *info,
                    const struct store_feed *feed)
{
    struct sync_op *o = ctx;
    if (e == ERR_OK) {
        for (size_t i = 0; i < feed->count; i++) {
            put_row(o->y, &feed->rows[i]);
        }
        o->y->revision = feed->revision;
        o->y->more = feed->more;
        o->y->pruned = feed->pruned;
    }
    sync_ended(o, e, info);
}

enum err sync_feed(struct sync *y, uint64_t after, size_t max)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_feed_read(y->store, after, max, on_feed, &o);
    return sync_finish(&o);
}

static bool on_row(void *ctx, const struct store_row *row)
{
    struct sync_op *o = ctx;
    if (o->left == 0) {
        return false;
    }
    o->left--;
    put_row(o->y, row);
    return true;
}

enum err sync_scan(struct sync *y, const char *prefix, size_t max)
{
    struct sync_op o = {.y = y, .left = max};
    sync_begin(y);
    store_scan(y->store, prefix, on_row, on_state, &o);
    return sync_finish(&o);
}

static void on_change(void *ctx)
{
    ((struct sync *)ctx)->changes++;
}

void sync_watch(struct sync *y)
{
    store_watch(y->store, on_change, y);
}

/* ---- records and users ----------------------------------------------------------------------- */

static void on_record(void *ctx, enum err e, const struct err_info *info,
                      const struct store_record *record)
{
    struct sync_op *o = ctx;
    if (e == ERR_OK) {
        str_append(&o->y->out, record->json);
    }
    sync_ended(o, e, info);
}

enum err sync_record_get(struct sync *y, const char *name)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_record_get(y->store, name, on_record, &o);
    return sync_finish(&o);
}

enum err sync_records(struct sync *y, const struct store_record_change *changes, size_t count)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_records_apply(y->store, changes, count, sync_on_done, &o);
    return sync_finish(&o);
}

enum err sync_record(struct sync *y, const char *name, const char *expect, const char *value)
{
    struct store_record_change change = {.name = name, .expect = expect, .value = value};
    return sync_records(y, &change, 1);
}

static void on_user(void *ctx, enum err e, const struct err_info *info,
                    const struct store_user *user)
{
    struct sync_op *o = ctx;
    if (e == ERR_OK) {
        str_append(&o->y->out, user->core);
    }
    sync_ended(o, e, info);
}

enum err sync_user_get(struct sync *y, const char *name)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_user_get(y->store, name, on_user, &o);
    return sync_finish(&o);
}

enum err sync_user_put(struct sync *y, const char *name, const char *core, enum store_put how)
{
    struct sync_op o = {.y = y};
    struct store_user user = {.name = name, .core = core};
    sync_begin(y);
    store_user_put(y->store, &user, how, sync_on_done, &o);
    return sync_finish(&o);
}

enum err sync_user_delete(struct sync *y, const char *name)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_user_delete(y->store, name, sync_on_done, &o);
    return sync_finish(&o);
}

static void on_tally(void *ctx, enum err e, const struct err_info *info,
                     const struct store_tally *tally)
{
    struct sync_op *o = ctx;
    if (e == ERR_OK) {
        o->y->tally = *tally;
    }
    sync_ended(o, e, info);
}

enum err sync_load(struct sync *y, const struct store_user *users, size_t count)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_users_load(y->store, users, count, on_tally, &o);
    return sync_finish(&o);
}

/* ---- cores and challenges -------------------------------------------------------------------- */

static const char *or_dash(const char *text)
{
    return text != NULL ? text : "-";
}

static void put_core(struct sync *y, const struct store_core *c)
{
    sync_item(y);
    str_appendf(&y->out, "%s(%s,%s,%s,%s,%s,%s):%llu", c->id, or_dash(c->url), or_dash(c->ip),
                or_dash(c->ipv6), or_dash(c->cname), or_dash(c->hosting),
                c->available ? "yes" : "no", (unsigned long long)c->users);
}

static void on_cores(void *ctx, enum err e, const struct err_info *info,
                     const struct store_core *cores, size_t count)
{
    struct sync_op *o = ctx;
    for (size_t i = 0; i < count; i++) {
        put_core(o->y, &cores[i]);
    }
    sync_ended(o, e, info);
}

enum err sync_cores(struct sync *y)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_cores_list(y->store, on_cores, &o);
    return sync_finish(&o);
}

enum err sync_core_put(struct sync *y, const struct store_core *core, enum store_put how)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_core_put(y->store, core, how, sync_on_done, &o);
    return sync_finish(&o);
}

enum err sync_core_delete(struct sync *y, const char *id, bool force)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_core_delete(y->store, id, force, sync_on_done, &o);
    return sync_finish(&o);
}

static void on_challenges(void *ctx, enum err e, const struct err_info *info,
                          const struct store_challenge *list, size_t count)
{
    struct sync_op *o = ctx;
    for (size_t i = 0; i < count; i++) {
        sync_item(o->y);
        str_appendf(&o->y->out, "%s=%s(%s,%lld)", list[i].name, list[i].value, list[i].order,
                    (long long)list[i].expires_ms);
    }
    sync_ended(o, e, info);
}

enum err sync_challenges(struct sync *y, const char *name)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_challenges_of(y->store, name, on_challenges, &o);
    return sync_finish(&o);
}

enum err sync_challenge_put(struct sync *y, const char *name, const char *value, const char *order,
                            int64_t expires_ms)
{
    struct sync_op o = {.y = y};
    struct store_challenge c = {
        .name = name, .value = value, .order = order, .expires_ms = expires_ms};
    sync_begin(y);
    store_challenge_put(y->store, &c, sync_on_done, &o);
    return sync_finish(&o);
}

enum err sync_challenge_delete(struct sync *y, const char *name, const char *value)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_challenge_delete(y->store, name, value, sync_on_done, &o);
    return sync_finish(&o);
}

enum err sync_challenges_purge(struct sync *y, int64_t now_ms)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_challenges_purge(y->store, now_ms, sync_on_done, &o);
    return sync_finish(&o);
}

static void on_beats(void *ctx, enum err e, const struct err_info *info,
                     const struct store_beat *list, size_t count)
{
    struct sync_op *o = ctx;
    for (size_t i = 0; i < count; i++) {
        sync_item(o->y);
        str_appendf(&o->y->out, "%s=%llu(%llu,%s,%s)", list[i].core,
                    (unsigned long long)list[i].beat, (unsigned long long)list[i].revision,
                    list[i].digest, list[i].detail);
    }
    sync_ended(o, e, info);
}

enum err sync_beats(struct sync *y)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_beats_list(y->store, on_beats, &o);
    return sync_finish(&o);
}

enum err sync_beat_put(struct sync *y, const struct store_beat *beat)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_beat_put(y->store, beat, sync_on_done, &o);
    return sync_finish(&o);
}

/* ---- placing and names ----------------------------------------------------------------------- */

static void on_place(void *ctx, enum err e, const struct err_info *info, enum store_placed how,
                     const struct store_user *user)
{
    static const char *const words[] = {[STORE_PLACED] = "placed ",
                                        [STORE_PLACE_TAKEN] = "taken ",
                                        [STORE_PLACE_NAME] = "name",
                                        [STORE_PLACE_NONE] = "none"};
    struct sync_op *o = ctx;
    assert_true((e == ERR_OK) == (user != NULL));
    if (e == ERR_OK) {
        assert_true((user->core != NULL) == (how == STORE_PLACED || how == STORE_PLACE_TAKEN));
        str_append(&o->y->out, words[how]);
        str_append(&o->y->out, user->core != NULL ? user->core : "");
    }
    sync_ended(o, e, info);
}

enum err sync_place(struct sync *y, const char *name, const char *label, const char *core)
{
    struct sync_op o = {.y = y};
    struct store_place place = {.name = name, .label = label, .core = core};
    sync_begin(y);
    store_user_place(y->store, &place, on_place, &o);
    return sync_finish(&o);
}

static void on_home(void *ctx, enum err e, const struct err_info *info,
                    const struct store_user *user, const struct store_core *core)
{
    struct sync_op *o = ctx;
    assert_true((e == ERR_OK) == (user != NULL));
    if (e == ERR_OK) {
        str_append(&o->y->out, user->core);
    }
    if (core != NULL) {
        put_core(o->y, core);
    }
    sync_ended(o, e, info);
}

enum err sync_home(struct sync *y, const char *name)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_user_home(y->store, name, on_home, &o);
    return sync_finish(&o);
}

static void on_taken(void *ctx, enum err e, const struct err_info *info,
                     const struct store_taken *taken)
{
    struct sync_op *o = ctx;
    assert_true((e == ERR_OK) == (taken != NULL));
    if (e == ERR_OK) {
        str_appendf(&o->y->out, "%s%s%s", taken->record ? "record " : "",
                    taken->core ? "core " : "", taken->user ? "user " : "");
    }
    sync_ended(o, e, info);
}

enum err sync_taken(struct sync *y, const char *name, const char *user_row)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_name_taken(y->store, name, user_row, on_taken, &o);
    return sync_finish(&o);
}

/* ---- tokens, certificates, lists ------------------------------------------------------------- */

enum err sync_http01_put(struct sync *y, const struct store_http01 *h)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_http01_put(y->store, NULL, h, sync_on_done, &o);
    return sync_finish(&o);
}

enum err sync_http01_delete(struct sync *y, const char *token)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_http01_delete(y->store, token, sync_on_done, &o);
    return sync_finish(&o);
}

static void on_http01(void *ctx, enum err e, const struct err_info *info,
                      const struct store_http01 *h)
{
    struct sync_op *o = ctx;
    assert_true((e == ERR_OK) == (h != NULL));
    if (e == ERR_OK) {
        str_appendf(&o->y->out, "%s=%s(%s,%lld)", h->token, h->value, h->order,
                    (long long)h->expires_ms);
    }
    sync_ended(o, e, info);
}

enum err sync_http01_find(struct sync *y, const char *token, int64_t now_ms)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_http01_find(y->store, token, now_ms, on_http01, &o);
    return sync_finish(&o);
}

enum err sync_http01_purge(struct sync *y, int64_t now_ms)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_http01_purge(y->store, now_ms, sync_on_done, &o);
    return sync_finish(&o);
}

static void on_certs(void *ctx, enum err e, const struct err_info *info,
                     const struct store_cert *list, size_t count)
{
    struct sync_op *o = ctx;
    for (size_t i = 0; i < count; i++) {
        sync_item(o->y);
        str_appendf(&o->y->out, "%s(%lld,%lld,%llu)", list[i].hostname,
                    (long long)list[i].issued_ms, (long long)list[i].expires_ms,
                    (unsigned long long)list[i].generation);
    }
    sync_ended(o, e, info);
}

enum err sync_certs(struct sync *y)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_certs_list(y->store, on_certs, &o);
    return sync_finish(&o);
}

static void on_records(void *ctx, enum err e, const struct err_info *info,
                       const struct store_record *list, size_t count, bool more)
{
    struct sync_op *o = ctx;
    for (size_t i = 0; i < count; i++) {
        sync_item(o->y);
        str_appendf(&o->y->out, "%s=%s", list[i].name, list[i].json);
    }
    o->y->more = more;
    sync_ended(o, e, info);
}

enum err sync_records_list(struct sync *y, const char *after, size_t max)
{
    struct sync_op o = {.y = y};
    sync_begin(y);
    store_records_list(y->store, after, max, on_records, &o);
    return sync_finish(&o);
}
