/* What rqlited is started with: copied, and changed while it runs. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rqlited_priv.h"

static const char *keep(struct rqlited_texts *t, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    assert(t->count < sizeof t->text / sizeof t->text[0]);
    char *copy = strdup(text);
    if (copy == NULL) {
        t->full = true;
        return NULL;
    }
    t->text[t->count++] = copy;
    return copy;
}

static void free_texts(struct rqlited_texts *t)
{
    for (size_t i = 0; i < t->count; i++) {
        free(t->text[i]);
    }
}

static void free_setting(struct rqlited_setting *s)
{
    if (s != NULL) {
        free_texts(&s->texts);
        free(s);
    }
}

/* All texts but the lasting ones. NULL: no memory. */
static struct rqlited_setting *copy_config(const struct rqlited_config *c)
{
    struct rqlited_setting *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    struct rqlited_texts *t = &s->texts;
    s->config = *c;
    s->config.bin_path = keep(t, c->bin_path);
    s->config.ip = keep(t, c->ip);
    s->config.ipv6 = keep(t, c->ipv6);
    s->config.raft_bind = keep(t, c->raft_bind);
    s->config.domain = keep(t, c->domain);
    s->config.ca_file = keep(t, c->ca_file);
    s->config.cert_file = keep(t, c->cert_file);
    s->config.key_file = keep(t, c->key_file);
    if (t->full) {
        free_setting(s);
        return NULL;
    }
    return s;
}

/* S is gone. */
static void take(struct rqlited *r, struct rqlited_setting *s)
{
    struct rqlited_config was = r->config;
    char own[sizeof r->own];
    memcpy(own, r->own, sizeof own);
    free_texts(&r->texts);
    r->texts = s->texts;
    r->config = s->config;
    r->config.data_dir = was.data_dir;
    r->config.node_id = was.node_id;
    r->config.user = was.user;
    r->config.auth_file = was.auth_file;
    free(s);
    snprintf(r->url, sizeof r->url, "http://127.0.0.1:%u", r->config.http_port);
    rqlited_advertised(&r->config, r->own);
    r->member_written = r->member_written && strcmp(own, r->own) == 0;
}

static char *path_of(struct rqlited_texts *t, const char *folder, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, name) < 0) {
        t->full = true;
        return NULL;
    }
    return path;
}

enum err rqlited_copy(struct rqlited *r, const struct rqlited_options *o)
{
    const struct rqlited_config *c = &o->config;
    struct rqlited_texts *t = &r->lasting;
    bool credentials = c->user != NULL && o->password != NULL;
    struct rqlited_setting *s = copy_config(c);
    r->config.data_dir = keep(t, c->data_dir);
    r->config.node_id = keep(t, c->node_id);
    r->config.user = keep(t, credentials ? c->user : NULL);
    r->auth_file = credentials ? path_of(t, o->state_dir, "rqlite-auth.json") : NULL;
    r->config.auth_file = r->auth_file;
    r->member_file = path_of(t, o->state_dir, "rqlite-member");
    r->raft_db = path_of(t, c->data_dir, "raft.db");
    r->peers_json = path_of(t, c->data_dir, "raft/peers.json");
    if (s == NULL || t->full) {
        free_setting(s);
        return ERR_NOMEM;
    }
    take(r, s);
    snprintf(r->password, sizeof r->password, "%s", credentials ? o->password : "");
    r->known = o->known;
    r->on_change = o->on_change;
    r->ctx = o->ctx;
    return ERR_OK;
}

void rqlited_copy_free(struct rqlited *r)
{
    free_setting(r->next);
    free_texts(&r->texts);
    free_texts(&r->lasting);
    free(r->auth_file);
    free(r->member_file);
    free(r->raft_db);
    free(r->peers_json);
}

/* ---- changed ---- */

/* Whether the child runs with other arguments than it would be started with now. */
static bool is_outdated(const struct rqlited *r)
{
    struct rqlited_argv now;
    return r->life.child && (rqlited_argv(&r->config, &r->plan, &now, NULL) != ERR_OK ||
                             !rqlited_argv_same(&now, &r->argv));
}

static void change(struct rqlited *r)
{
    struct rqlited_setting *s = r->next;
    r->next = NULL;
    take(r, s);
    if (is_outdated(r)) {
        bool was = r->life.killing;
        rqlited_event(r, (struct rqlited_event){.kind = RQLITED_EV_CHANGED,
                                                .now_ms = (int64_t)uv_now(r->loop)});
        if (r->life.killing && !was) {
            snprintf(r->stop_why, sizeof r->stop_why, "stopped, its configuration has changed");
        }
    }
}

void rqlited_work(struct rqlited *r, void (*work)(struct loop_work *w),
                  void (*done)(struct loop_work *w))
{
    r->working = true;
    r->work.work = work;
    r->work.done = done;
    loop_offload(r->loop, &r->work);
}

void rqlited_work_done(struct rqlited *r)
{
    r->working = false;
    if (r->next != NULL) {
        change(r);
    }
}

enum err rqlited_reconfigure(struct rqlited *r, const struct rqlited_config *config,
                             struct err_info *info)
{
    if (strcmp(config->node_id, r->config.node_id) != 0 ||
        strcmp(config->data_dir, r->config.data_dir) != 0) {
        return err_set(info, ERR_CONFLICT,
                       "rqlited's node id and its folder cannot change while it runs");
    }
    enum err e = proc_find(config->bin_path, info);
    if (e != ERR_OK) {
        return e;
    }
    struct rqlited_setting *s = copy_config(config);
    if (s == NULL) {
        return err_set(info, ERR_NOMEM, "no memory for rqlited's configuration");
    }
    free_setting(r->next);
    r->next = s;
    if (!r->working) {
        bool in_call = r->in_call;
        r->in_call = true;
        change(r);
        r->in_call = in_call;
    }
    return ERR_OK;
}
