/* A cell is one question: a server, a name, UDP or TCP, with EDNS or without. A round asks all cells that
 * are not right yet, as many at a time as the probe takes; then there is a pause, and another round.
 */
#include "prove_uv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnsd/wire/type.h"
#include "lib/clock.h"
#include "lib/mem.h"
#include "prove_priv.h"

#define AGAIN_MAX_MS 1000

static int64_t now_ms(void)
{
    return clk_mono_ms(&clk_system);
}

/* ---- the end ------------------------------------------------------------------------------- */

static void see_free(struct prove *v)
{
    if (!v->closed || v->under_way > 0) {
        return;
    }
    for (size_t i = 0; i < v->servers_count; i++) {
        free((char *)v->servers[i].label);
    }
    for (size_t i = 0; i < v->names_count; i++) {
        for (size_t k = 0; k < v->names[i].count; k++) {
            free((char *)v->names[i].values[k]);
        }
        free((void *)v->names[i].values);
    }
    free(v->servers);
    free(v->names);
    free(v->cells);
    free(v);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct prove *v = handle->data;
    v->closed = true;
    see_free(v);
}

static void end(struct prove *v, enum err e)
{
    struct err_info info = {.text = ""};
    v->ended = true;
    for (size_t i = 0; i < v->cells_count; i++) {
        if (v->cells[i].call != NULL) {
            probe_cancel(v->cells[i].call);
        }
    }
    if (e == ERR_TIMEOUT) {
        (void)!prove_blame(v, &info);
    } else if (e != ERR_OK) {
        err_set(&info, e, "%s", err_text(e));
    }
    char *text = prove_report(v, now_ms() - v->began_ms);
    uv_close((uv_handle_t *)&v->timer, on_timer_closed);
    v->cb(v->ctx, e, e == ERR_OK ? NULL : &info, text); /* V stays until it is closed */
    free(text);
}

/* ---- rounds -------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);
static void on_answer(void *ctx, enum err e, const struct err_info *info,
                      const struct probe_answer *answer);

static void arm(struct prove *v, int64_t wait_ms)
{
    int64_t left_ms = v->deadline_ms - now_ms();
    wait_ms = wait_ms < left_ms ? wait_ms : left_ms;
    uv_update_time(v->timer.loop);
    uv_timer_start(&v->timer, on_timer, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
}

static void ask_more(struct prove *v)
{
    for (; v->at < v->cells_count && v->under_way < PROBE_AT_ONCE; v->at++) {
        struct cell *c = &v->cells[v->at];
        if (c->state != CELL_OPEN) {
            continue;
        }
        struct probe_question q = {.server = c->server->address,
                                   .name = c->name->name,
                                   .type = TYPE_TXT,
                                   .tcp = c->tcp,
                                   .edns = c->edns};
        c->call = probe_ask(v->probe, &q, on_answer, c);
        v->under_way++;
    }
}

static void see_round(struct prove *v)
{
    bool all = true;
    if (v->under_way > 0) {
        return;
    }
    for (size_t i = 0; i < v->cells_count && all; i++) {
        all = v->cells[i].state != CELL_OPEN;
    }
    if (all) {
        end(v, ERR_OK);
        return;
    }
    v->pausing = true;
    arm(v, v->again_ms);
    v->again_ms = v->again_ms < AGAIN_MAX_MS / 2 ? v->again_ms * 2 : AGAIN_MAX_MS;
}

static void on_answer(void *ctx, enum err e, const struct err_info *info,
                      const struct probe_answer *answer)
{
    struct cell *c = ctx;
    struct prove *v = c->v;
    c->call = NULL;
    v->under_way--;
    if (v->ended) {
        see_free(v);
        return;
    }
    if (e == ERR_OK) {
        c->took_ms = answer->took_ms;
        c->state = prove_judge(c, answer) ? CELL_RIGHT : CELL_OPEN;
    } else if (e == ERR_NOTFOUND && c->server->address.ss_family == AF_INET6) {
        c->state = CELL_SKIPPED; /* says something of this machine, nothing of that one */
        snprintf(c->answer, sizeof c->answer, "not checked: no IPv6 from here");
    } else if (c->server->may_be_silent && err_is_transient(e)) {
        c->state = CELL_SKIPPED;
        snprintf(c->answer, sizeof c->answer, "not checked: %.*s", PROVE_ANSWER_MAX - 20,
                 info->text);
    } else {
        snprintf(c->answer, sizeof c->answer, "%.*s", PROVE_ANSWER_MAX - 1, info->text);
    }
    ask_more(v);
    see_round(v);
}

static void on_timer(uv_timer_t *timer)
{
    struct prove *v = timer->data;
    if (v->canceled) {
        end(v, ERR_CANCELED);
        return;
    }
    if (v->rounds > 0 && now_ms() >= v->deadline_ms) {
        end(v, ERR_TIMEOUT);
        return;
    }
    if (!v->pausing) { /* a loop that was early */
        arm(v, v->deadline_ms - now_ms());
        return;
    }
    v->pausing = false;
    v->rounds++;
    v->at = 0;
    arm(v, v->deadline_ms - now_ms());
    ask_more(v);
    see_round(v); /* nothing to ask */
}

/* ---- starting ------------------------------------------------------------------------------ */

static void copy(struct prove *v, const struct prove_server *servers,
                 const struct prove_name *names)
{
    v->servers = mem_xalloc((v->servers_count + 1) * sizeof *v->servers);
    v->names = mem_xalloc((v->names_count + 1) * sizeof *v->names);
    for (size_t i = 0; i < v->servers_count; i++) {
        v->servers[i] = servers[i];
        v->servers[i].label = mem_xstrdup(servers[i].label);
    }
    for (size_t i = 0; i < v->names_count; i++) {
        const char **values = mem_xalloc((names[i].count + 1) * sizeof *values);
        for (size_t k = 0; k < names[i].count; k++) {
            values[k] = mem_xstrdup(names[i].values[k]);
        }
        v->names[i] = names[i];
        v->names[i].values = values;
    }
}

static void make_cells(struct prove *v)
{
    struct cell *c;
    v->cells_count = v->servers_count * v->names_count * PROVE_WAYS;
    v->cells = c = mem_xalloc((v->cells_count + 1) * sizeof *v->cells);
    for (size_t s = 0; s < v->servers_count; s++) {
        for (unsigned tcp = 0; tcp < 2; tcp++) {
            for (size_t n = 0; n < v->names_count * 2; n++, c++) {
                *c = (struct cell){.v = v,
                                   .server = &v->servers[s],
                                   .name = &v->names[n / 2],
                                   .tcp = tcp == 1,
                                   .edns = n % 2 == 1,
                                   .answer = "no answer yet"};
            }
        }
    }
}

struct prove *prove_start(struct probe *p, uv_loop_t *loop, const struct prove_server *servers,
                          size_t servers_count, const struct prove_name *names, size_t names_count,
                          int64_t deadline_ms, prove_cb *cb, void *ctx)
{
    struct prove *v = mem_xalloc(sizeof *v);
    assert(servers_count <= PROVE_SERVERS_MAX && names_count <= PROVE_NAMES_MAX);
    v->probe = p;
    v->servers_count = servers_count;
    v->names_count = names_count;
    v->began_ms = now_ms();
    v->deadline_ms = deadline_ms;
    v->again_ms = PROVE_AGAIN_MS;
    v->pausing = true;
    v->cb = cb;
    v->ctx = ctx;
    copy(v, servers, names);
    make_cells(v);
    uv_timer_init(loop, &v->timer);
    v->timer.data = v;
    uv_timer_start(&v->timer, on_timer, 0, 0);
    return v;
}

void prove_cancel(struct prove *v)
{
    if (!v->ended) {
        v->canceled = true;
        uv_timer_start(&v->timer, on_timer, 0, 0);
    }
}
