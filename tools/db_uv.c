#include "db.h"

#include <assert.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db_priv.h"
#include "lib/mem.h"

void db_finish(struct db_call *call, enum err e, const struct err_info *info)
{
    call->e = e;
    if (e != ERR_OK && call->info != NULL) {
        err_set(call->info, e, "%s",
                info != NULL && info->text[0] != '\0' ? info->text : err_text(e));
    }
    call->done = true;
}

enum err db_wait(struct db *db, struct db_call *call)
{
    while (!call->done) {
        int alive = uv_run(&db->loop, UV_RUN_ONCE);
        assert(alive != 0 || call->done); /* the store promises exactly one callback */
    }
    return call->e;
}

static void on_open(void *ctx, enum err e, const struct err_info *info, struct store *s)
{
    struct db_call *call = ctx;
    if (e == ERR_OK) {
        *call->out.store = s;
    }
    db_finish(call, e, info);
}

static void on_done(void *ctx, enum err e, const struct err_info *info)
{
    db_finish(ctx, e, info);
}

static void on_closed(void *ctx)
{
    db_finish(ctx, ERR_OK, NULL);
}

/* A file that root makes would be closed to the daemon, which gives root up. */
static enum err hand_over(const struct config *config, struct err_info *info)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    const struct passwd *account = getpwnam(config->user);
    char path[4096];
    if (account == NULL) {
        return err_set(info, ERR_NOTFOUND, "user: no account named %s", config->user);
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(path, sizeof path, "%s%s", config->storages.sqlite_path, suffixes[i]);
        if (access(path, F_OK) == 0 && chown(path, account->pw_uid, account->pw_gid) != 0) {
            return err_set(info, ERR_IO, "%s: cannot be given to %s: %m", path, config->user);
        }
    }
    return ERR_OK;
}

enum err db_access(const struct config *config, struct config_rqlite *out, struct err_info *info)
{
    enum err e = config_rqlite_read(config, false, out, info);
    const char *what = e == ERR_DENIED     ? "run this as the account of dnsd"
                       : e == ERR_NOTFOUND ? "dnsd writes it when it first starts"
                                           : NULL;
    if (what != NULL && info != NULL) {
        struct err_info said = *info;
        return err_set(info, e, "%.400s; %s", said.text, what);
    }
    return e;
}

/* Somebody answered, but is without the others, or not ready. */
static bool is_there(const struct err_info *info)
{
    return strstr(info->text, "leader") != NULL || strstr(info->text, "is starting") != NULL;
}

/* What was said, without what is said again around it. */
static void bare(const struct err_info *info, enum err e, const char *url, struct err_info *out)
{
    static const char question[] = "; is rqlited running?";
    char prefix[256];
    const char *from = info->text[0] != '\0' ? info->text : err_text(e);
    snprintf(prefix, sizeof prefix, "rqlite at %s: ", url);
    from += strncmp(from, prefix, strlen(prefix)) == 0 ? strlen(prefix) : 0;
    err_set(out, e, "%s", from);
    size_t len = strlen(out->text);
    size_t cut = sizeof question - 1;
    if (len > cut && strcmp(out->text + len - cut, question) == 0) {
        out->text[len - cut] = '\0';
    }
}

enum err db_explain(enum err e, const struct config *config, const struct config_rqlite *reach,
                    struct err_info *info)
{
    struct err_info said;
    if (info == NULL) {
        return e;
    }
    bare(info, e, reach->url, &said);
    if (e == ERR_DENIED) {
        return err_set(info, e,
                       "rqlite at %s does not know us: %.200s; the credentials come from "
                       "storages.engines.rqlite.url%s",
                       reach->url, said.text,
                       config->storages.rqlite.external ? "" : ", else from auth.adminAccessKey");
    }
    if (e == ERR_UNAVAIL && !is_there(info)) {
        return err_set(info, e, "rqlite at %s does not answer: %.300s; is %s running?", reach->url,
                       said.text, config->storages.rqlite.external ? "it" : "dnsd");
    }
    return e;
}

static enum err open_sqlite(struct db *db, const struct config *config, struct db_call *call,
                            struct store_options *options)
{
    const char *path = config->storages.sqlite_path;
    bool is_new = access(path, F_OK) != 0;
    options->engine = STORE_SQLITE;
    options->sqlite_path = path;
    store_open(&db->loop, options, on_open, call);
    enum err e = db_wait(db, call);
    if (e == ERR_OK && is_new && config->user != NULL && geteuid() == 0) {
        e = hand_over(config, call->info);
    }
    return e;
}

static enum err open_rqlite(struct db *db, const struct config *config, struct db_call *call,
                            struct store_options *options)
{
    struct config_rqlite reach;
    enum err e = db_access(config, &reach, call->info);
    if (e != ERR_OK) {
        return e;
    }
    options->engine = STORE_RQLITE;
    options->rqlite.url = reach.url;
    options->rqlite.user = reach.user;
    options->rqlite.password = reach.password;
    store_open(&db->loop, options, on_open, call);
    e = db_wait(db, call);
    if (e != ERR_OK) {
        e = db_explain(e, config, &reach, call->info);
    }
    config_rqlite_free(&reach);
    return e;
}

enum err db_open(const struct config *config, enum db_mode mode, struct db **out,
                 struct err_info *info)
{
    struct db *db = mem_xalloc(sizeof *db);
    struct db_call call = {.info = info, .out.store = &db->store};
    struct store_options options = {.must_exist = mode == DB_READ};
    if (uv_loop_init(&db->loop) != 0) {
        free(db);
        return err_set(info, ERR_NOMEM, "no event loop: %m");
    }
    enum err e = config->storages.engine_rqlite ? open_rqlite(db, config, &call, &options)
                                                : open_sqlite(db, config, &call, &options);
    if (e != ERR_OK) {
        db_close(db);
        return e;
    }
    *out = db;
    return ERR_OK;
}

void db_close(struct db *db)
{
    if (db == NULL) {
        return;
    }
    if (db->store != NULL) {
        struct db_call call = {.done = false};
        store_close(db->store, on_closed, &call);
        enum err e = db_wait(db, &call);
        (void)e; /* closing has no outcome */
    }
    uv_run(&db->loop, UV_RUN_DEFAULT);
    int busy = uv_loop_close(&db->loop);
    assert(busy == 0);
    free(db);
}

static void on_state(void *ctx, enum err e, const struct err_info *info,
                     const struct store_state *state)
{
    struct db_call *call = ctx;
    if (e == ERR_OK) {
        *call->out.state = *state;
    }
    db_finish(call, e, info);
}

enum err db_state(struct db *db, struct store_state *out, struct err_info *info)
{
    struct db_call call = {.info = info, .out.state = out};
    store_state(db->store, on_state, &call);
    return db_wait(db, &call);
}

struct scan {
    struct db_call call;
    store_row_cb *on_row;
    void *ctx; /* borrowed */
};

static bool on_scan_row(void *ctx, const struct store_row *row)
{
    struct scan *scan = ctx;
    return scan->on_row(scan->ctx, row);
}

static void on_scanned(void *ctx, enum err e, const struct err_info *info,
                       const struct store_state *state)
{
    struct scan *scan = ctx;
    (void)state;
    db_finish(&scan->call, e, info);
}

enum err db_scan(struct db *db, const char *prefix, store_row_cb *on_row, void *ctx,
                 struct err_info *info)
{
    struct scan scan = {.call = {.info = info}, .on_row = on_row, .ctx = ctx};
    store_scan(db->store, prefix, on_scan_row, on_scanned, &scan);
    return db_wait(db, &scan.call);
}

static void on_record(void *ctx, enum err e, const struct err_info *info,
                      const struct store_record *record)
{
    struct db_call *call = ctx;
    if (e == ERR_OK && record->json != NULL) {
        *call->out.text = mem_xstrdup(record->json);
    }
    db_finish(call, e == ERR_NOTFOUND ? ERR_OK : e, info);
}

enum err db_record_get(struct db *db, const char *name, char **json, struct err_info *info)
{
    struct db_call call = {.info = info, .out.text = json};
    *json = NULL;
    store_record_get(db->store, name, on_record, &call);
    return db_wait(db, &call);
}

enum err db_records_apply(struct db *db, const struct store_record_change *changes, size_t count,
                          struct err_info *info)
{
    struct db_call call = {.info = info};
    store_records_apply(db->store, changes, count, on_done, &call);
    return db_wait(db, &call);
}

static void on_user(void *ctx, enum err e, const struct err_info *info,
                    const struct store_user *user)
{
    struct db_call *call = ctx;
    if (e == ERR_OK) {
        *call->out.text = mem_xstrdup(user->core);
    }
    db_finish(call, e == ERR_NOTFOUND ? ERR_OK : e, info);
}

enum err db_user_get(struct db *db, const char *name, char **core, struct err_info *info)
{
    struct db_call call = {.info = info, .out.text = core};
    *core = NULL;
    store_user_get(db->store, name, on_user, &call);
    return db_wait(db, &call);
}

enum err db_user_put(struct db *db, const char *name, const char *core, enum store_put how,
                     struct err_info *info)
{
    struct db_call call = {.info = info};
    struct store_user user = {.name = name, .core = core};
    store_user_put(db->store, &user, how, on_done, &call);
    return db_wait(db, &call);
}

enum err db_user_delete(struct db *db, const char *name, struct err_info *info)
{
    struct db_call call = {.info = info};
    store_user_delete(db->store, name, on_done, &call);
    return db_wait(db, &call);
}

static void on_tally(void *ctx, enum err e, const struct err_info *info,
                     const struct store_tally *tally)
{
    struct db_call *call = ctx;
    if (e == ERR_OK) {
        *call->out.tally = *tally;
    }
    db_finish(call, e, info);
}

enum err db_users_load(struct db *db, const struct store_user *users, size_t count,
                       struct store_tally *tally, struct err_info *info)
{
    struct db_call call = {.info = info, .out.tally = tally};
    store_users_load(db->store, users, count, on_tally, &call);
    return db_wait(db, &call);
}

static char *copy(const char *text)
{
    return text != NULL ? mem_xstrdup(text) : NULL;
}

static void on_cores(void *ctx, enum err e, const struct err_info *info,
                     const struct store_core *cores, size_t count)
{
    struct db_call *call = ctx;
    if (e == ERR_OK) {
        struct db_cores *out = call->out.cores;
        out->items = mem_xalloc((count + 1) * sizeof *out->items);
        out->count = count;
        for (size_t i = 0; i < count; i++) {
            const struct store_core *c = &cores[i];
            out->items[i] = *c;
            out->items[i].id = copy(c->id);
            out->items[i].url = copy(c->url);
            out->items[i].ip = copy(c->ip);
            out->items[i].ipv6 = copy(c->ipv6);
            out->items[i].cname = copy(c->cname);
            out->items[i].hosting = copy(c->hosting);
        }
    }
    db_finish(call, e, info);
}

enum err db_cores_list(struct db *db, struct db_cores *out, struct err_info *info)
{
    struct db_call call = {.info = info, .out.cores = out};
    *out = (struct db_cores){.count = 0};
    store_cores_list(db->store, on_cores, &call);
    return db_wait(db, &call);
}

void db_cores_free(struct db_cores *cores)
{
    for (size_t i = 0; i < cores->count; i++) {
        struct store_core *c = &cores->items[i];
        free((char *)c->id);
        free((char *)c->url);
        free((char *)c->ip);
        free((char *)c->ipv6);
        free((char *)c->cname);
        free((char *)c->hosting);
    }
    free(cores->items);
    *cores = (struct db_cores){.count = 0};
}

const struct store_core *db_cores_find(const struct db_cores *cores, const char *id)
{
    for (size_t i = 0; i < cores->count; i++) {
        if (strcmp(cores->items[i].id, id) == 0) {
            return &cores->items[i];
        }
    }
    return NULL;
}

enum err db_core_put(struct db *db, const struct store_core *core, enum store_put how,
                     struct err_info *info)
{
    struct db_call call = {.info = info};
    store_core_put(db->store, core, how, on_done, &call);
    return db_wait(db, &call);
}

enum err db_core_delete(struct db *db, const char *id, bool force, struct err_info *info)
{
    struct db_call call = {.info = info};
    store_core_delete(db->store, id, force, on_done, &call);
    return db_wait(db, &call);
}
