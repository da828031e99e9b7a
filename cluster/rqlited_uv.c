#include "rqlited_uv.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rqlited_priv.h"

#define COMPLAINTS_MS 5000 /* at most one line of rqlited's worries is logged in this time */

const char *rqlited_state_text(enum rqlited_state state)
{
    static const char *const text[] = {"waiting", "starting", "alive",
                                       "ready",   "broken",   "stopping"};
    return text[state];
}

/* ---- what it prints ---- */

static bool is_complaint(const char *line)
{
    static const char *const words[] = {"ERROR", "WARN", "FATAL", "failed", "failure", "panic:"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strstr(line, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static void on_line(void *ctx, const char *line)
{
    struct rqlited *r = ctx;
    uint64_t held = 0;
    if (line[0] == '\0') {
        return;
    }
    if (r->password[0] != '\0' && strstr(line, r->password) != NULL) {
        line = "(a line with the password in it)";
    }
    snprintf(r->last_line, sizeof r->last_line, "%s", line);
    rqlited_disk_line(r, line);
    if (!is_complaint(line) || r->life.stopping || r->life.killing) { /* its end is noisy */
        LOG_DEBUG(RQLITED_TAG, line);
        return;
    }
    snprintf(r->complaint, sizeof r->complaint, "%s", line);
    if (log_limit_pass(&r->complaints, (int64_t)uv_now(r->loop), COMPLAINTS_MS, &held)) {
        LOG_WARN(RQLITED_TAG, line, LOG_N("suppressed", held));
    } else {
        LOG_DEBUG(RQLITED_TAG, line);
    }
}

/* ---- the child ---- */

static void on_exit_cb(void *ctx, int64_t status, int sig)
{
    struct rqlited *r = ctx;
    const char *said = r->complaint[0] != '\0' ? r->complaint : r->last_line;
    r->proc = NULL;
    snprintf(r->last_exit, sizeof r->last_exit, "%s %d%s%s",
             sig != 0 ? "killed by signal" : "exited with status", sig != 0 ? sig : (int)status,
             said[0] != '\0' ? ": " : "", said);
    if (r->stop_why[0] != '\0') {
        snprintf(r->last_exit, sizeof r->last_exit, "%s", r->stop_why);
    }
    if (r->life.stopping || r->life.killing) {
        LOG_INFO(RQLITED_TAG, "stopped");
    } else {
        LOG_WARN(RQLITED_TAG, "ended", LOG_S("how", r->last_exit));
    }
    r->role[0] = r->leader[0] = '\0';
    members_free(&r->members);
    if (r->polling) { /* its end comes first */
        r->exited = true;
        if (r->call != NULL) {
            httpc_cancel(r->call);
        }
        return;
    }
    rqlited_event(
        r, (struct rqlited_event){.kind = RQLITED_EV_EXITED, .now_ms = (int64_t)uv_now(r->loop)});
}

static bool spawn(struct rqlited *r)
{
    struct err_info info = {""};
    struct proc_options o = {.argv = (const char *const *)r->argv.argv,
                             .on_line = on_line,
                             .on_exit = on_exit_cb,
                             .ctx = r};
    r->complaint[0] = r->last_line[0] = r->stop_why[0] = '\0';
    enum err e = rqlited_argv(&r->config, &r->plan, &r->argv, &info);
    if (e == ERR_OK) {
        e = proc_start(r->loop, &o, &r->proc, &info);
    }
    if (e != ERR_OK) {
        LOG_WARN(RQLITED_TAG, "cannot start", LOG_S("why", info.text));
        snprintf(r->last_exit, sizeof r->last_exit, "not started: %.240s", info.text);
        r->proc = NULL;
        return false;
    }
    LOG_INFO(RQLITED_TAG, "starting", LOG_S("way", rqlited_way_text(r->plan.way)),
             LOG_S("why", r->plan.why), LOG_N("attempt", r->life.attempt),
             LOG_N("pid", proc_pid(r->proc)));
    return true;
}

/* ---- what was found out ---- */

void rqlited_planned(struct rqlited *r, enum err e, const struct err_info *info)
{
    struct rqlited_event ev = {
        .kind = RQLITED_EV_PLANNED, .now_ms = (int64_t)uv_now(r->loop), .ok = e == ERR_OK};
    if (r->state_gone) {
        LOG_WARN(RQLITED_TAG, "this core was a member, but its state is gone",
                 LOG_S("path", r->raft_db));
        r->state_gone = false;
    }
    if (r->life.stopping) {
        rqlited_event(r, ev);
        return;
    }
    if (e != ERR_OK) {
        LOG_WARN(RQLITED_TAG, "cannot prepare a start", LOG_S("why", info->text));
        snprintf(r->last_exit, sizeof r->last_exit, "not started: %.240s", info->text);
        rqlited_event(r, ev);
        return;
    }
    struct rqlited_known k = {.attempt = 0};
    r->known(r->ctx, &k);
    k.member_as = r->member_as[0] != '\0' ? r->member_as : NULL;
    k.lookup = r->found;
    k.looked_up = r->looked_up;
    k.has_state = r->has_state;
    k.attempt = r->life.attempt;
    rqlited_plan(&r->config, &k, &r->plan);
    ev.way = r->plan.way;
    ev.unsure = r->plan.unsure;
    if (ev.way == RQLITED_NOBODY && r->told_why != r->plan.why) {
        LOG_WARN(RQLITED_TAG, "not started", LOG_S("why", r->plan.why));
    }
    r->told_why = ev.way == RQLITED_NOBODY ? r->plan.why : NULL;
    rqlited_event(r, ev);
}

static void set_role(struct rqlited *r)
{
    const struct member *self = members_find(&r->members, r->config.node_id);
    const char *role = self == NULL || !r->seen.ready ? ""
                       : self->leader                 ? "leader"
                       : self->voter                  ? "follower"
                                                      : "non-voter";
    snprintf(r->role, sizeof r->role, "%s", role);
    r->voters = r->members.voters;
    r->nonvoters = r->members.nonvoters;
    r->unreachable = r->members.unreachable;
    snprintf(r->leader, sizeof r->leader, "%s",
             r->seen.ready && r->members.leader != NULL ? r->members.leader->id : "");
}

void rqlited_polled(struct rqlited *r)
{
    r->polling = false;
    r->seen.now_ms = (int64_t)uv_now(r->loop);
    if (r->exited) {
        r->exited = false;
        members_free(&r->members);
        rqlited_event(r,
                      (struct rqlited_event){.kind = RQLITED_EV_EXITED, .now_ms = r->seen.now_ms});
        return;
    }
    rqlited_event(r, r->seen);
}

/* ---- the driver ---- */

static void on_timer(uv_timer_t *t)
{
    struct rqlited *r = t->data;
    rqlited_event(
        r, (struct rqlited_event){.kind = RQLITED_EV_TIME, .now_ms = (int64_t)uv_now(r->loop)});
}

static void free_rqlited(struct rqlited *r)
{
    members_free(&r->members);
    rqlited_copy_free(r);
    explicit_bzero(r->password, sizeof r->password);
    free(r);
}

void rqlited_part_closed(struct rqlited *r)
{
    if (--r->open > 0) {
        return;
    }
    void (*done)(void *ctx) = r->done;
    void *ctx = r->done_ctx;
    free_rqlited(r);
    if (done != NULL) {
        done(ctx);
    }
}

static void on_timer_closed(uv_handle_t *h)
{
    rqlited_part_closed(h->data);
}

static void on_http_closed(void *ctx)
{
    rqlited_part_closed(ctx);
}

static void close_all(struct rqlited *r)
{
    r->open = 2;
    rqlited_disk_close(r);
    uv_close((uv_handle_t *)&r->timer, on_timer_closed);
    httpc_close(r->http, on_http_closed, r);
}

static void log_state(const struct rqlited *r, enum rqlited_state before, bool was_broken)
{
    enum rqlited_state now = r->life.state;
    if (r->life.broken && !was_broken) {
        LOG_ERROR(RQLITED_TAG, "does not stay up; from now on one try a minute",
                  LOG_S("last", r->last_exit));
    }
    if (now == before) {
        return;
    }
    if (now == RQLITED_READY) {
        LOG_INFO(RQLITED_TAG, "ready", LOG_S("role", r->role), LOG_S("leader", r->leader),
                 LOG_S("version", r->version));
    } else if (before == RQLITED_READY && now != RQLITED_STOPPING && r->proc != NULL) {
        LOG_WARN(RQLITED_TAG, now == RQLITED_ALIVE ? "knows no leader" : "does not answer");
    } else {
        LOG_DEBUG(RQLITED_TAG, "state", LOG_S("state", rqlited_state_text(now)));
    }
}

/* Carries out A; true: there is an event to go on with at once. */
static bool carry_out(struct rqlited *r, struct rqlited_action a, struct rqlited_event *ev)
{
    switch (a.kind) {
    case RQLITED_ACT_NONE:
        return false;
    case RQLITED_ACT_PLAN:
        rqlited_look(r);
        return false;
    case RQLITED_ACT_SPAWN:
        *ev = (struct rqlited_event){
            .kind = RQLITED_EV_SPAWNED, .now_ms = (int64_t)uv_now(r->loop), .ok = spawn(r)};
        return true;
    case RQLITED_ACT_POLL:
        rqlited_poll(r);
        return false;
    case RQLITED_ACT_WAIT:
        uv_timer_start(&r->timer, on_timer, a.wait_ms, 0);
        return false;
    case RQLITED_ACT_KILL:
        if (!r->life.stopping && !r->life.full) { /* told by rqlited_disk_note() */
            LOG_INFO(RQLITED_TAG, "is stopped, to be started again", LOG_S("why", a.why));
        }
        if (r->proc != NULL) {
            proc_stop(r->proc, RQLITED_STOP_MS);
        }
        return false;
    case RQLITED_ACT_DONE:
        close_all(r);
        return false;
    }
    assert(false);
    return false;
}

/* on_change() is the last thing, for it may stop us. */
void rqlited_event(struct rqlited *r, struct rqlited_event ev)
{
    enum rqlited_state before = r->life.state;
    bool was_broken = r->life.broken;
    bool was_full = r->life.full;
    char role[sizeof r->role];
    char leader[sizeof r->leader];
    memcpy(role, r->role, sizeof role);
    memcpy(leader, r->leader, sizeof leader);
    if (ev.kind == RQLITED_EV_POLLED) {
        set_role(r);
    }
    do {
        struct rqlited_action a = rqlited_life_next(&r->life, &ev);
        if (a.kind == RQLITED_ACT_DONE || a.kind == RQLITED_ACT_KILL) {
            r->role[0] = r->leader[0] = '\0';
        }
        if (!carry_out(r, a, &ev)) {
            break;
        }
    } while (true);
    rqlited_disk_note(r, was_full);
    log_state(r, before, was_broken);
    if (!r->in_call && r->on_change != NULL && !r->life.stopping &&
        (before != r->life.state || strcmp(role, r->role) != 0 || strcmp(leader, r->leader) != 0)) {
        r->on_change(r->ctx);
    }
}

/* ---- start, stop, view ---- */

enum err rqlited_start(uv_loop_t *loop, const struct rqlited_options *options, struct rqlited **out,
                       struct err_info *info)
{
    if (options->password != NULL && strlen(options->password) > RQLITED_PASSWORD_MAX) {
        return err_set(info, ERR_LIMIT, "rqlite's password is longer than %d bytes",
                       RQLITED_PASSWORD_MAX);
    }
    enum err e = proc_find(options->config.bin_path, info);
    if (e != ERR_OK) {
        return e;
    }
    struct rqlited *r = calloc(1, sizeof *r);
    if (r == NULL || rqlited_copy(r, options) != ERR_OK) {
        if (r != NULL) {
            free_rqlited(r);
        }
        return err_set(info, ERR_NOMEM, "no memory to supervise rqlited");
    }
    /* Its HTTP API is one process: one connection. */
    e = httpc_open(loop, &(struct httpc_options){.connections_max = 1}, &r->http, info);
    if (e != ERR_OK) {
        free_rqlited(r);
        return e;
    }
    r->loop = loop;
    uv_timer_init(loop, &r->timer);
    r->timer.data = r;
    rqlited_life_init(&r->life,
                      options->limits != NULL ? options->limits : &rqlited_limits_default);
    rqlited_disk_start(r);
    r->in_call = true;
    rqlited_event(r,
                  (struct rqlited_event){.kind = RQLITED_EV_GO, .now_ms = (int64_t)uv_now(loop)});
    r->in_call = false;
    *out = r;
    return ERR_OK;
}

void rqlited_stop(struct rqlited *r, void (*done)(void *ctx), void *ctx)
{
    if (r->life.stopping) {
        return;
    }
    r->done = done;
    r->done_ctx = ctx;
    r->in_call = true;
    rqlited_event(
        r, (struct rqlited_event){.kind = RQLITED_EV_STOP, .now_ms = (int64_t)uv_now(r->loop)});
    rqlited_look_hurry(r);
}

void rqlited_suspect(struct rqlited *r, const char *why)
{
    bool in_call = r->in_call;
    bool was = r->life.killing;
    r->in_call = true;
    rqlited_event(
        r, (struct rqlited_event){.kind = RQLITED_EV_SUSPECT, .now_ms = (int64_t)uv_now(r->loop)});
    r->in_call = in_call;
    if (r->life.killing && !was) {
        LOG_WARN(RQLITED_TAG, "what it holds may be wrong", LOG_S("why", why));
        snprintf(r->stop_why, sizeof r->stop_why, "stopped, what it held may be wrong: %s", why);
    }
}

void rqlited_view(const struct rqlited *r, struct rqlited_view *out)
{
    bool known = r->life.state == RQLITED_READY || r->life.state == RQLITED_ALIVE;
    *out = (struct rqlited_view){
        .state = r->life.state,
        .role = r->role,
        .leader = r->leader,
        .version = r->version,
        .pid = r->proc != NULL ? proc_pid(r->proc) : 0,
        .restarts = r->life.restarts,
        .last_exit = r->last_exit,
        .voters = known ? r->voters : 0,
        .nonvoters = known ? r->nonvoters : 0,
        .unreachable = known ? r->unreachable : 0,
    };
}
