/* A store that does what the test says, in place of the real one: it defines the operations that the API
 * uses, so it can be in one program only, test_api.c. Operations end later, as real ones do.
 */
#ifndef TESTS_UNIT_API_STORE_FAKE_H
#define TESTS_UNIT_API_STORE_FAKE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "store/store.h"

enum kind {
    CORES,
    CERTS,
    ASK,
    JOB,
    PLACE,
    HOME,
    DELETE,
    TAKEN,
    GET,
    APPLY,
    LIST,
    FIND,
    ACK,
    NODE_CERTS
};

struct op {
    uv_timer_t later;
    struct op *next; /* of those held back */
    enum kind kind;
    void (*cb)(void);
    void *ctx;
};

static struct fake {
    uv_loop_t *loop;
    unsigned ops;     /* begun since the last reset() */
    unsigned fail_at; /* the one of these that ends with `e`; 0: none */
    unsigned fail_to; /* and those after it up to here */
    enum err e;
    bool hold; /* operations wait for release() */
    struct op *held;
    char texts[512]; /* what was asked: "place al al core-a;get www;" */

    enum store_placed placed[3]; /* of one PLACE after the other; the last of all the rest */
    size_t placed_count, placed_next;
    const char *place_core;
    bool user_missing;       /* for HOME */
    struct store_core *core; /* for HOME */
    unsigned delete_misses;  /* so many DELETEs find nothing */
    struct store_taken taken;
    const char *record; /* for GET; NULL: none */
    struct store_record *list;
    size_t list_count;
    bool list_more;
    struct store_cert *certs;
    size_t certs_count;
    const char *http01_token; /* for FIND */
    enum store_acked acked;   /* for ACK */
    struct store_node_cert *node_certs;
    size_t node_certs_count;
    void (*on_op)(void); /* at the beginning of each */
} fake;

static void tell(struct op *op, enum err e, const struct err_info *info)
{
    struct store_user user = {.name = "row", .core = fake.place_core};
    struct store_record record = {.name = "www", .json = fake.record};
    struct store_job job = {.id = "id",
                            .hostname = "h",
                            .kind = "renew",
                            .argument = "",
                            .state = "waiting",
                            .text = "",
                            .by = "api"};
    struct store_http01 http01 = {.token = fake.http01_token, .value = "value"};
    enum store_placed how = fake.placed[fake.placed_next];
    bool missing;
    switch (op->kind) {
    case CORES:
        ((store_cores_cb *)op->cb)(op->ctx, e, info, fake.core, fake.core != NULL);
        break;
    case CERTS:
        ((store_certs_cb *)op->cb)(op->ctx, e, info, fake.certs, fake.certs_count);
        break;
    case ASK:
    case JOB:
        ((store_job_cb *)op->cb)(op->ctx, e, info, e == ERR_OK ? &job : NULL);
        break;
    case PLACE:
        fake.placed_next += fake.placed_next + 1 < fake.placed_count;
        ((store_place_cb *)op->cb)(op->ctx, e, info, how, &user);
        break;
    case HOME:
        e = e == ERR_OK && fake.user_missing ? ERR_NOTFOUND : e;
        ((store_home_cb *)op->cb)(op->ctx, e, info, e == ERR_OK ? &user : NULL, fake.core);
        break;
    case DELETE:
        missing = fake.delete_misses > 0;
        fake.delete_misses -= missing;
        ((store_done_cb *)op->cb)(op->ctx, e == ERR_OK && missing ? ERR_NOTFOUND : e, info);
        break;
    case TAKEN:
        ((store_taken_cb *)op->cb)(op->ctx, e, info, &fake.taken);
        break;
    case GET:
        e = e == ERR_OK && fake.record == NULL ? ERR_NOTFOUND : e;
        ((store_record_cb *)op->cb)(op->ctx, e, info, e == ERR_OK ? &record : NULL);
        break;
    case APPLY:
        ((store_done_cb *)op->cb)(op->ctx, e, info);
        break;
    case LIST:
        ((store_records_cb *)op->cb)(op->ctx, e, info, fake.list, fake.list_count, fake.list_more);
        break;
    case FIND:
        e = e == ERR_OK && fake.http01_token == NULL ? ERR_NOTFOUND : e;
        ((store_http01_cb *)op->cb)(op->ctx, e, info, e == ERR_OK ? &http01 : NULL);
        break;
    case ACK:
        ((store_ack_cb *)op->cb)(op->ctx, e, info, fake.acked);
        break;
    case NODE_CERTS:
        ((store_node_certs_cb *)op->cb)(op->ctx, e, info, fake.node_certs, fake.node_certs_count);
        break;
    }
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

static void on_later(uv_timer_t *t)
{
    const struct err_info broken = {.text = "details of the engine"};
    const struct err_info fine = {.text = ""};
    struct op *op = t->data;
    unsigned number = (unsigned)(uintptr_t)op->next;
    bool fails = fake.fail_at != 0 && number >= fake.fail_at && number <= fake.fail_to;
    uv_close((uv_handle_t *)t, on_closed);
    tell(op, fails ? fake.e : ERR_OK, fails ? &broken : &fine);
}

/* From here on NEXT is the operation's number. */
static void go(struct op *op, unsigned number)
{
    op->next = (struct op *)(uintptr_t)number;
    uv_timer_start(&op->later, on_later, 0, 0);
}

static void begin(enum kind kind, void (*cb)(void), void *ctx, const char *what, const char *a,
                  const char *b, const char *c)
{
    struct op *op = mem_xalloc(sizeof *op);
    size_t len = strlen(fake.texts);
    snprintf(fake.texts + len, sizeof fake.texts - len, "%s%s%s%s%s%s%s;", what,
             a != NULL ? " " : "", a != NULL ? a : "", b != NULL ? " " : "", b != NULL ? b : "",
             c != NULL ? " " : "", c != NULL ? c : "");
    op->kind = kind;
    op->cb = cb;
    op->ctx = ctx;
    op->later.data = op;
    uv_timer_init(fake.loop, &op->later);
    fake.ops++;
    if (fake.on_op != NULL) {
        fake.on_op();
    }
    if (fake.hold) {
        op->next = fake.held;
        fake.held = op;
    } else {
        go(op, fake.ops);
    }
}
#define BEGIN(kind, what, a, b, c) begin(kind, (void (*)(void))cb, ctx, what, a, b, c)

static void release(void)
{
    fake.hold = false;
    while (fake.held != NULL) {
        struct op *op = fake.held;
        fake.held = op->next;
        go(op, fake.ops);
    }
}

void store_cores_list(struct store *s, store_cores_cb *cb, void *ctx)
{
    (void)s;
    BEGIN(CORES, "cores", NULL, NULL, NULL);
}

void store_certs_list(struct store *s, store_certs_cb *cb, void *ctx)
{
    (void)s;
    BEGIN(CERTS, "certs", NULL, NULL, NULL);
}

void store_job_ask(struct store *s, const struct store_job *job, store_job_cb *cb, void *ctx)
{
    (void)s;
    assert_int_equal(strlen(job->id), 32);
    BEGIN(ASK, "ask", job->hostname, job->by, job->override);
}

void store_job_get(struct store *s, const char *id, store_job_cb *cb, void *ctx)
{
    (void)s;
    BEGIN(JOB, "job", id, NULL, NULL);
}

void store_user_place(struct store *s, const struct store_place *place, store_place_cb *cb,
                      void *ctx)
{
    (void)s;
    BEGIN(PLACE, "place", place->name, place->label, place->core);
}

void store_user_home(struct store *s, const char *name, store_home_cb *cb, void *ctx)
{
    (void)s;
    BEGIN(HOME, "home", name, NULL, NULL);
}

void store_user_delete(struct store *s, const char *name, store_done_cb *cb, void *ctx)
{
    (void)s;
    BEGIN(DELETE, "delete", name, NULL, NULL);
}

void store_name_taken(struct store *s, const char *name, const char *user_row, store_taken_cb *cb,
                      void *ctx)
{
    (void)s;
    BEGIN(TAKEN, "taken", name, user_row, NULL);
}

void store_record_get(struct store *s, const char *name, store_record_cb *cb, void *ctx)
{
    (void)s;
    BEGIN(GET, "get", name, NULL, NULL);
}

void store_records_apply(struct store *s, const struct store_record_change *changes, size_t count,
                         store_done_cb *cb, void *ctx)
{
    (void)s;
    assert_int_equal(count, 1);
    BEGIN(APPLY, "apply", changes->name, changes->expect != NULL ? changes->expect : "-",
          changes->value != NULL ? changes->value : "-");
}

void store_records_list(struct store *s, const char *after, size_t max, store_records_cb *cb,
                        void *ctx)
{
    char number[24];
    (void)s;
    snprintf(number, sizeof number, "%zu", max);
    BEGIN(LIST, "list", after, number, NULL);
}

void store_http01_find(struct store *s, const char *token, int64_t now_ms, store_http01_cb *cb,
                       void *ctx)
{
    (void)s;
    assert_true(now_ms > 1000000000000);
    BEGIN(FIND, "find", token, NULL, NULL);
}

void store_admission_ack(struct store *s, const struct store_ack *ack, store_ack_cb *cb, void *ctx)
{
    (void)s;
    assert_int_equal(strlen(ack->hash), 64);
    assert_true(ack->now_ms > 1000000000000);
    BEGIN(ACK, "ack", ack->core, ack->fingerprint, ack->from);
}

void store_node_certs_list(struct store *s, const char *core, bool revoked, int64_t now_ms,
                           store_node_certs_cb *cb, void *ctx)
{
    (void)s;
    assert_true(!revoked && now_ms > 1000000000000);
    BEGIN(NODE_CERTS, "node_certs", core, NULL, NULL);
}

#endif
