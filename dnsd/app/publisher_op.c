/* What every operation is made of. It waits for exactly one thing: a timer, the store, or one of probe, prove,
 * resolve, httpc, tls_look. Canceling cancels that one thing (of the store, it is waited for), and the
 * operation ends in its callback.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnsd/probe/address.h"
#include "lib/jx.h"
#include "lib/mem.h"
#include "publisher_priv.h"

/* ---- operations ---------------------------------------------------------------------------- */

static void on_op_timer(uv_timer_t *timer)
{
    struct op *op = timer->data;
    if (!publisher_op_over(op)) {
        op->step(op);
    }
}

void publisher_op_later(struct op *op, int64_t wait_ms, op_step *step)
{
    op->step = step;
    uv_timer_start(&op->timer, on_op_timer, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
}

struct op *publisher_op_new(struct publisher *p, acme_publisher_cb *cb, void *cb_ctx,
                            op_step *first)
{
    struct op *op = mem_xalloc(sizeof *op);
    op->p = p;
    op->cb = cb;
    op->cb_ctx = cb_ctx;
    op->report = json_object();
    op->canceled = p->closing;
    op->next = p->ops;
    p->ops = op;
    uv_timer_init(p->o.loop, &op->timer);
    op->timer.data = op;
    publisher_op_later(op, 0, first);
    return op;
}

static void free_items(struct op *op)
{
    for (size_t i = 0; i < op->items_count; i++) {
        free(op->items[i].name);
        free(op->items[i].token);
        if (op->items[i].value != NULL) {
            explicit_bzero(op->items[i].value, strlen(op->items[i].value));
        }
        free(op->items[i].value);
    }
    free(op->items);
}

static void free_proving(struct op *op)
{
    for (size_t i = 0; i < op->names_count; i++) {
        for (size_t k = 0; k < op->names[i].count; k++) {
            free((char *)op->names[i].values[k]);
        }
        free((void *)op->names[i].values);
    }
    for (size_t i = 0; i < op->servers_count; i++) {
        free((char *)op->servers[i].label);
    }
    free(op->servers);
}

static void on_op_closed(uv_handle_t *handle)
{
    struct op *op = handle->data;
    struct publisher *p = op->p;
    struct op **at = &p->ops;
    while (*at != op) {
        at = &(*at)->next;
    }
    *at = op->next;
    free_items(op);
    free_proving(op);
    for (size_t i = 0; i < op->issuers_count; i++) {
        free(op->issuers[i]);
    }
    free(op->issuers);
    free(op->account);
    free(op->cores);
    free(op->set);
    free(op->order);
    free(op->lease);
    free(op->holder);
    free(op->said);
    json_decref(op->report);
    free(op);
    publisher_see_closed(p);
}

void publisher_op_end(struct op *op, enum err e)
{
    assert(!op->ended);
    op->ended = true;
    if (op->info.text[0] == '\0' && e != ERR_OK) {
        err_set(&op->info, e, "%s", err_text(e));
    }
    char *report = json_dumps(op->report, JSON_COMPACT);
    uv_close((uv_handle_t *)&op->timer, on_op_closed);
    op->cb(op->cb_ctx, e, &op->info, report); /* OP stays until its timer is closed */
    free(report);
}

bool publisher_op_over(struct op *op)
{
    if (op->canceled) {
        publisher_op_end(op, err_set(&op->info, ERR_CANCELED, "%s", err_text(ERR_CANCELED)));
    }
    return op->ended;
}

void publisher_op_cancel(struct op *op)
{
    if (op->ended || op->canceled) {
        return;
    }
    op->canceled = true;
    if (op->call != NULL) {
        probe_cancel(op->call);
    } else if (op->prove != NULL) {
        prove_cancel(op->prove);
    } else if (op->http != NULL) {
        httpc_cancel(op->http);
    } else if (op->look != NULL) {
        tls_look_cancel(op->look);
    } else if (op->resolving) {
        resolve_cancel(op->p->resolve);
    } else if (uv_is_active((uv_handle_t *)&op->timer)) {
        publisher_op_later(op, 0, op->step);
    }
}

struct store *publisher_op_store(struct op *op)
{
    struct store *s = op->p->o.store(op->p->o.ctx);
    if (s == NULL) {
        err_set(&op->info, ERR_UNAVAIL, "there is no store now");
    }
    return s;
}

void publisher_op_note(struct op *op, const char *fmt, ...)
{
    char text[600];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (op->notes == NULL) {
        op->notes = json_array();
        json_object_set_new(op->report, "notes", op->notes);
    }
    json_array_append_new(op->notes, json_string(text));
}

/* ---- names --------------------------------------------------------------------------------- */

enum err publisher_op_read_name(struct op *op, struct item *item)
{
    const struct publisher *p = op->p;
    struct wire_name challenge;
    char text[WIRE_NAME_TEXT_MAX], apex[WIRE_NAME_TEXT_MAX], relative[WIRE_NAME_TEXT_MAX];
    const char *host = item->name;
    item->wildcard = strncmp(host, "*.", 2) == 0;
    host += item->wildcard ? 2 : 0;
    enum err e = wire_name_from_text(host, NULL, &item->host, &op->info);
    if (e != ERR_OK || item->type != ACME_DNS01) {
        return e == ERR_OK ? ERR_OK : err_prefix(&op->info, ERR_DENIED, "%.200s: ", host);
    }
    wire_name_fold(item->host.bytes, item->host.bytes, item->host.len);
    if (!p->has_apex || !wire_name_is_under(&item->host, &p->apex)) {
        snprintf(apex, sizeof apex, "no zone");
        if (p->has_apex) {
            wire_name_to_text(&p->apex, apex);
        }
        return err_set(&op->info, ERR_DENIED,
                       "%.200s is not in our zone (%.200s): nobody would find its challenge here",
                       host, apex);
    }
    e = wire_name_from_text(CHALLENGE_LABEL, &item->host, &challenge, &op->info);
    if (e != ERR_OK) {
        return err_prefix(&op->info, ERR_DENIED, "%.200s: ", host);
    }
    wire_name_to_relative(&challenge, &p->apex, relative);
    wire_name_to_text(&challenge, text);
    return snprintf(item->row, sizeof item->row, "%s", relative) < (int)sizeof item->row
               ? ERR_OK
               : err_set(&op->info, ERR_DENIED, "%.300s is too long a name for a row", text);
}

enum err publisher_op_take_proofs(struct op *op, const struct acme_proof *proofs, size_t count)
{
    op->items = mem_xalloc((count + 1) * sizeof *op->items);
    op->items_count = count;
    enum err e = ERR_OK;
    for (size_t i = 0; i < count; i++) {
        struct item *item = &op->items[i];
        item->type = proofs[i].type;
        item->name = mem_xstrdup(proofs[i].name != NULL ? proofs[i].name : "");
        item->token = mem_xstrdup(proofs[i].token != NULL ? proofs[i].token : "");
        item->value = mem_xstrdup(proofs[i].value != NULL ? proofs[i].value : "");
        e = e == ERR_OK ? publisher_op_read_name(op, item) : e;
    }
    return e;
}

/* ---- what others have at a name ------------------------------------------------------------ */

struct foreign {
    struct op *op;
    void (*each)(struct op *op, const char *value);
    void (*done)(struct op *op, enum err e);
};

/* The TXT values of a record's row: a text, or a list of them. */
static void each_text(struct op *op, const char *json, void (*each)(struct op *, const char *))
{
    json_t *row = NULL;
    const json_t *list = NULL;
    const char *text = NULL;
    if (jx_parse_object(json, strlen(json), &row, NULL) != ERR_OK) {
        return; /* the zone has nothing of it either */
    }
    if (jx_string(row, "txt", &text, NULL) == ERR_OK) {
        each(op, text);
    } else if (jx_array(row, "txt", &list, NULL) == ERR_OK) {
        for (size_t i = 0; i < json_array_size(list); i++) {
            text = jx_string_at(list, i);
            if (text != NULL) {
                each(op, text);
            }
        }
    }
    json_decref(row);
}

static void on_record(void *ctx, enum err e, const struct err_info *info,
                      const struct store_record *record)
{
    struct foreign *f = ctx;
    struct foreign here = *f;
    free(f);
    if (publisher_op_over(here.op)) {
        return;
    }
    if (e == ERR_OK && record->json != NULL) {
        each_text(here.op, record->json, here.each);
    } else if (e != ERR_OK && e != ERR_NOTFOUND) {
        here.op->info = *info;
        here.done(here.op, e);
        return;
    }
    here.done(here.op, ERR_OK);
}

static void on_challenges(void *ctx, enum err e, const struct err_info *info,
                          const struct store_challenge *list, size_t count)
{
    struct foreign *f = ctx;
    struct op *op = f->op;
    struct store *s = NULL;
    if (op->canceled) {
        free(f);
        publisher_op_over(op);
        return;
    }
    if (e != ERR_OK) {
        op->info = *info;
    } else if ((s = publisher_op_store(op)) == NULL) {
        e = ERR_UNAVAIL;
    }
    if (e != ERR_OK) {
        void (*done)(struct op *, enum err) = f->done;
        free(f);
        done(op, e);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (list[i].expires_ms > clk_wall_ms(op->p->o.clock)) {
            f->each(op, list[i].value);
        }
    }
    store_record_get(s, op->items[op->at].row, on_record, f);
}

void publisher_op_foreign(struct op *op, void (*each)(struct op *op, const char *value),
                          void (*done)(struct op *op, enum err e))
{
    struct store *s = publisher_op_store(op);
    if (s == NULL) {
        done(op, ERR_UNAVAIL);
        return;
    }
    struct foreign *f = mem_xalloc(sizeof *f);
    *f = (struct foreign){.op = op, .each = each, .done = done};
    store_challenges_of(s, op->items[op->at].row, on_challenges, f);
}

/* ---- cores and name servers ---------------------------------------------------------------- */

size_t publisher_op_core_addresses(const struct op *op, const struct publisher_core *core,
                                   struct sockaddr_storage out[2])
{
    uint16_t port = op->p->o.dns_port;
    size_t count = 0;
    if (core->ip[0] != '\0') {
        count += address_read(core->ip, port, &out[count], NULL) == ERR_OK;
    } else if (core->self) {
        count += address_read("127.0.0.1", port, &out[count], NULL) == ERR_OK;
    }
    if (core->ipv6[0] != '\0') {
        count += address_read(core->ipv6, port, &out[count], NULL) == ERR_OK;
    }
    return count;
}

struct delegation_wish {
    struct op *op;
    op_step *step;
    void (*failed)(struct op *op, enum err e);
};

static void on_delegation(void *ctx, enum err e, const struct err_info *info,
                          const struct resolve_delegation *d)
{
    struct delegation_wish *wish = ctx;
    struct delegation_wish w = *wish;
    struct publisher *p = w.op->p;
    free(wish);
    w.op->resolving = false;
    if (publisher_op_over(w.op)) {
        return;
    }
    if (e != ERR_OK) {
        w.op->info = *info;
        w.failed(w.op, e);
        return;
    }
    *p->delegation = *d;
    p->delegation_ms = clk_mono_ms(p->o.clock);
    w.step(w.op);
}

void publisher_op_delegation(struct op *op, op_step *step,
                             void (*failed)(struct op *op, enum err e))
{
    struct publisher *p = op->p;
    if (p->delegation_ms >= 0 && clk_mono_ms(p->o.clock) - p->delegation_ms < DELEGATION_KEEP_MS) {
        step(op);
        return;
    }
    struct delegation_wish *wish = mem_xalloc(sizeof *wish);
    *wish = (struct delegation_wish){.op = op, .step = step, .failed = failed};
    op->resolving = true;
    resolve_delegation(p->resolve, &p->apex, on_delegation, wish);
}
