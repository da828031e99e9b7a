/* Opening, closing, and the face of acme/publisher.h.
 *
 * Memory: aborts when there is none; everything is bounded by the limits of the headers.
 */
#include "publisher_uv.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "publisher_priv.h"

/* ---- the face ------------------------------------------------------------------------------ */

static void failed_early(struct op *op)
{
    publisher_op_end(op, ERR_DENIED);
}

static void face_precheck(void *ctx, const struct acme_precheck *check, acme_publisher_cb *cb,
                          void *cb_ctx)
{
    struct publisher *p = ctx;
    struct op *op = publisher_op_new(p, cb, cb_ctx, publisher_precheck_begin);
    op->type = check->type;
    op->account = mem_xstrdup(check->account != NULL ? check->account : "");
    op->issuers_count = check->issuers_count;
    op->issuers = mem_xalloc((check->issuers_count + 1) * sizeof *op->issuers);
    for (size_t i = 0; i < check->issuers_count; i++) {
        op->issuers[i] = mem_xstrdup(check->issuers[i]);
    }
    op->items = mem_xalloc((check->names_count + 1) * sizeof *op->items);
    op->items_count = check->names_count;
    enum err e = ERR_OK;
    for (size_t i = 0; i < check->names_count; i++) {
        op->items[i].type = check->type;
        op->items[i].name = mem_xstrdup(check->names[i]);
        e = e == ERR_OK ? publisher_op_read_name(op, &op->items[i]) : e;
    }
    if (e != ERR_OK) {
        publisher_op_later(op, 0, failed_early);
    }
}

static void face_put(void *ctx, const struct store_fence *fence, const char *order,
                     const struct acme_proof *proofs, size_t count, int64_t expires_ms,
                     acme_publisher_cb *cb, void *cb_ctx)
{
    struct op *op = publisher_op_new(ctx, cb, cb_ctx, publisher_put_begin);
    op->order = mem_xstrdup(order);
    op->lease = mem_xstrdup(fence->name);
    op->holder = mem_xstrdup(fence->holder);
    op->term = fence->term;
    op->expires_ms = expires_ms;
    if (publisher_op_take_proofs(op, proofs, count) != ERR_OK) {
        publisher_op_later(op, 0, failed_early);
    }
}

static void face_prove(void *ctx, const struct acme_proof *proofs, size_t count,
                       int64_t deadline_ms, acme_publisher_cb *cb, void *cb_ctx)
{
    struct op *op = publisher_op_new(ctx, cb, cb_ctx, publisher_prove_begin);
    op->deadline_ms = deadline_ms;
    if (publisher_op_take_proofs(op, proofs, count) != ERR_OK) {
        publisher_op_later(op, 0, failed_early);
    }
}

static void face_witnesses(void *ctx, const struct acme_proof *proofs, size_t count,
                           int64_t since_ms, acme_publisher_cb *cb, void *cb_ctx)
{
    struct op *op = publisher_op_new(ctx, cb, cb_ctx, publisher_witness_begin);
    op->since_ms = since_ms;
    (void)!publisher_op_take_proofs(op, proofs,
                                    count); /* a name that is none was asked for by nobody */
}

static void face_cancel(void *ctx)
{
    struct publisher *p = ctx;
    for (struct op *op = p->ops; op != NULL; op = op->next) {
        publisher_op_cancel(op);
    }
}

const struct acme_publisher *publisher_face(struct publisher *p)
{
    return &p->face;
}

/* ---- opening and closing ------------------------------------------------------------------- */

static void on_part_closed(void *ctx)
{
    struct publisher *p = ctx;
    if (--p->open == 0) {
        void (*done)(void *) = p->done;
        void *done_ctx = p->ctx;
        free(p->delegation);
        free(p);
        if (done != NULL) {
            done(done_ctx);
        }
    }
}

void publisher_see_closed(struct publisher *p)
{
    if (p->closing && p->ops == NULL && p->open == 3) { /* nobody uses them any more */
        resolve_close(p->resolve, on_part_closed, p);
        httpc_close(p->http, on_part_closed, p);
        probe_close(p->probe, on_part_closed, p);
    }
}

enum err publisher_open(const struct publisher_options *options, struct publisher **out,
                        struct err_info *info)
{
    struct publisher *p = mem_xalloc(sizeof *p);
    p->o = *options;
    p->o.apex = NULL;
    p->o.resolvers = NULL;
    p->has_apex = options->apex != NULL;
    if (p->has_apex) {
        p->apex = *options->apex;
        wire_name_fold(p->apex.bytes, p->apex.bytes, p->apex.len);
    }
    p->face = (struct acme_publisher){.ctx = p,
                                      .precheck = face_precheck,
                                      .put = face_put,
                                      .prove = face_prove,
                                      .witnesses = face_witnesses,
                                      .cancel = face_cancel};
    p->delegation = mem_xalloc(sizeof *p->delegation);
    p->delegation_ms = -1;
    probe_open(p->o.loop, &p->probe);
    enum err e = resolve_open(p->o.loop, p->probe, options->resolvers, options->resolvers_count,
                              &p->resolve, info);
    if (e == ERR_OK) {
        resolve_use_port(p->resolve, p->o.dns_port);
        e = httpc_open(p->o.loop, &(struct httpc_options){.user_agent = NULL}, &p->http, info);
        if (e != ERR_OK) {
            resolve_close(p->resolve, NULL, NULL);
        }
    }
    if (e != ERR_OK) {
        probe_close(p->probe, NULL, NULL);
        free(p->delegation);
        free(p);
        return e;
    }
    p->open = 3;
    *out = p;
    return ERR_OK;
}

void publisher_close(struct publisher *p, void (*done)(void *ctx), void *ctx)
{
    p->closing = true;
    p->done = done;
    p->ctx = ctx;
    face_cancel(p);
    publisher_see_closed(p);
}
