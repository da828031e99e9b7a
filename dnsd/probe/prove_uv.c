/* A cell is one question: a server, a name, UDP or TCP, with EDNS or without. A round asks all cells that
 * are not right yet, as many at a time as the probe takes; then there is a pause, and another round.
 */
#include "prove_uv.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "dnsd/wire/type.h"
#include "lib/clock.h"
#include "lib/mem.h"

#define WAYS         4 /* UDP, UDP with EDNS, TCP, TCP with EDNS */
#define AGAIN_MAX_MS 1000
#define ANSWER_MAX   200
#define VALUE_MAX    512 /* longer ones are nobody's challenge */

enum cell_state { CELL_OPEN, CELL_RIGHT, CELL_SKIPPED };

struct cell {
    struct prove *v;
    const struct prove_server *server; /* borrowed from V */
    const struct prove_name *name;     /* borrowed from V */
    bool tcp, edns;
    enum cell_state state;
    int64_t took_ms;
    struct probe_call *call; /* under way */
    char answer[ANSWER_MAX]; /* the last one */
};

struct prove {
    struct probe *probe;          /* borrowed */
    struct prove_server *servers; /* owned, with labels */
    struct prove_name *names;     /* owned, with values */
    size_t servers_count, names_count;
    struct cell *cells;     /* owned; of one server together, of those UDP first */
    size_t cells_count, at; /* AT: the next of this round */
    unsigned under_way, rounds;
    int64_t began_ms, deadline_ms;
    unsigned again_ms;
    uv_timer_t timer; /* the deadline during a round; the end of a pause between two */
    bool pausing, canceled, ended, closed;
    prove_cb *cb;
    void *ctx; /* borrowed */
};

static int64_t now_ms(void)
{
    return clk_mono_ms(&clk_system);
}

/* ---- judging an answer --------------------------------------------------------------------- */

/* Which of N's values the record is; N->count: none of them. */
static size_t which(const struct prove_name *n, const struct wire_record *r)
{
    char text[VALUE_MAX];
    size_t i = 0;
    if (wire_record_text(r, text, sizeof text) != ERR_OK) {
        return n->count;
    }
    while (i < n->count && strcmp(text, n->values[i]) != 0) {
        i++;
    }
    return i;
}

static void put_count(char *out, size_t room, size_t values)
{
    snprintf(out, room, "%zu value%s", values, values == 1 ? "" : "s");
}

/* The set is exactly the one that is wanted: nothing missing, nothing else, nothing twice. */
static bool same_set(const struct wire_message *m, const struct wire_name *owner,
                     const struct prove_name *n, char *answer)
{
    bool seen[PROVE_VALUES_MAX] = {false};
    size_t right = 0, other = 0;
    for (size_t i = 0; i < m->count; i++) {
        const struct wire_record *r = &m->records[i];
        if (r->section != WIRE_ANSWER || r->type != TYPE_TXT || r->class != CLASS_IN ||
            !wire_name_equal(&r->owner, owner)) {
            continue;
        }
        size_t k = which(n, r);
        if (k < n->count && !seen[k]) {
            seen[k] = true;
            right++;
        } else {
            other++;
        }
    }
    if (right == n->count && other == 0) {
        put_count(answer, ANSWER_MAX, right);
        return true;
    }
    if (right + other == 0) {
        snprintf(answer, ANSWER_MAX, "no value");
    } else if (other == 0) {
        snprintf(answer, ANSWER_MAX, "%zu of %zu values", right, n->count);
    } else {
        snprintf(answer, ANSWER_MAX, "%zu of %zu values, and %zu other%s", right, n->count, other,
                 other == 1 ? "" : "s");
    }
    return false;
}

static const char *rcode_text(uint16_t rcode)
{
    static const char *const words[] = {NULL,       "FORMERR", "SERVFAIL",
                                        "NXDOMAIN", "NOTIMP",  "REFUSED"};
    return rcode < sizeof words / sizeof words[0] ? words[rcode] : "an error of another kind";
}

static bool judge(struct cell *c, const struct probe_answer *answer)
{
    const struct wire_message *m = answer->message;
    struct wire_name owner;
    char target[WIRE_NAME_TEXT_MAX];
    size_t limit = c->tcp ? 65535 : c->edns ? PROBE_UDP_SIZE : 512; /* RFC 6891 §6.2.5 */
    const char *wrong = m->rcode != RCODE_NOERROR   ? rcode_text(m->rcode)
                        : (m->flags & WIRE_TC) != 0 ? "truncated (TC)"
                        : (m->flags & WIRE_AA) == 0 ? "not authoritative (no AA)"
                        : !m->question_same_case    ? "the question's letter case is changed"
                        : answer->size > limit      ? "larger than was asked for"
                                                    : NULL;
    if (wrong != NULL) {
        snprintf(c->answer, sizeof c->answer, "%s", wrong);
        return false;
    }
    /* A validator goes where an alias leads (RFC 8555 §8.4). */
    bool alias = wire_message_alias(m, &c->name->name, &owner);
    bool right = same_set(m, &owner, c->name, c->answer);
    if (alias && !right) {
        wire_name_to_text(&owner, target);
        snprintf(c->answer, sizeof c->answer, "a CNAME to %.120s, without the values", target);
    }
    return right;
}

/* ---- the report ---------------------------------------------------------------------------- */

/* One entry: all cells of a server and a transport. The first that is not right speaks for them. */
static json_t *entry(const struct cell *cells, size_t count)
{
    const struct cell *say = &cells[0];
    char address[ADDRESS_TEXT_MAX], answer[ANSWER_MAX + 64 + WIRE_NAME_TEXT_MAX],
        name[WIRE_NAME_TEXT_MAX];
    int64_t took_ms = 0;
    size_t values = 0;
    bool ok = true, checked = false;
    for (size_t i = 0; i < count; i++) {
        took_ms = cells[i].took_ms > took_ms ? cells[i].took_ms : took_ms;
        checked = checked || cells[i].state != CELL_SKIPPED;
        values += cells[i].edns ? 0 : cells[i].name->count;
        if (ok && cells[i].state == CELL_OPEN) {
            ok = false;
            say = &cells[i];
        }
    }
    address_to_text(&say->server->address, address);
    wire_name_to_text(&say->name->name, name);
    if (ok && checked) { /* of all names together */
        put_count(answer, sizeof answer, values);
    } else if (ok) {
        snprintf(answer, sizeof answer, "%s", say->answer);
    } else {
        snprintf(answer, sizeof answer, "%s%s: %s", name, say->edns ? " (EDNS)" : "", say->answer);
    }
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:s, s:I}", "label", say->server->label, "address",
                     address, "transport", say->tcp ? "tcp" : "udp", "ok", ok && checked, "checked",
                     checked, "answer", answer, "ms", (json_int_t)took_ms);
}

static char *report(const struct prove *v)
{
    json_t *list = json_array();
    size_t half = v->names_count * WAYS / 2;
    for (size_t i = 0; i < v->cells_count; i += half) {
        json_array_append_new(list, entry(&v->cells[i], half));
    }
    json_t *all = json_pack("{s:o, s:I, s:I}", "servers", list, "rounds", (json_int_t)v->rounds,
                            "ms", (json_int_t)(now_ms() - v->began_ms));
    char *text = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    return text;
}

static enum err who_is_wrong(const struct prove *v, struct err_info *info)
{
    const struct cell *first = NULL;
    char address[ADDRESS_TEXT_MAX], name[WIRE_NAME_TEXT_MAX], more[64] = "";
    size_t others = 0, half = v->names_count * WAYS / 2;
    for (size_t i = 0; i < v->cells_count; i += half) {
        const struct cell *wrong = NULL;
        for (size_t k = i; k < i + half && wrong == NULL; k++) {
            wrong = v->cells[k].state == CELL_OPEN ? &v->cells[k] : NULL;
        }
        others += wrong != NULL && first != NULL;
        first = first == NULL ? wrong : first;
    }
    assert(first != NULL);
    address_to_text(&first->server->address, address);
    wire_name_to_text(&first->name->name, name);
    if (others > 0) {
        snprintf(more, sizeof more, "; and %zu more are not right", others);
    }
    return err_set(info, ERR_TIMEOUT, "%.100s (%s over %s%s) gives for %.100s: %s%s",
                   first->server->label, address, first->tcp ? "TCP" : "UDP",
                   first->edns ? " with EDNS" : "", name, first->answer, more);
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
        who_is_wrong(v, &info);
    } else if (e != ERR_OK) {
        err_set(&info, e, "%s", err_text(e));
    }
    char *text = report(v);
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
        c->state = judge(c, answer) ? CELL_RIGHT : CELL_OPEN;
    } else if (e == ERR_NOTFOUND && c->server->address.ss_family == AF_INET6) {
        c->state = CELL_SKIPPED; /* says something of this machine, nothing of that one */
        snprintf(c->answer, sizeof c->answer, "not checked: no IPv6 from here");
    } else {
        snprintf(c->answer, sizeof c->answer, "%.*s", ANSWER_MAX - 1, info->text);
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
    v->cells_count = v->servers_count * v->names_count * WAYS;
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
