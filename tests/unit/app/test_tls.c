#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cert/placeholder.h"
#include "dnsd/app/tls.h"

#define DAY_MS ((int64_t)86400 * 1000)

static char domain[] = "mc.example.com", id[] = "core-a";

/* A slot without files, on a loop and a clock of the test's. */
struct fixture {
    uv_loop_t loop;
    struct clk clock;
    int64_t now_ms;
    struct tls_slot *slot;
    unsigned contexts;
    bool closed;
};

static int64_t now(void *ctx)
{
    return ((struct fixture *)ctx)->now_ms;
}

static void on_context(void *ctx, struct tls_context *context)
{
    struct fixture *f = ctx;
    assert_non_null(context);
    f->contexts++;
}

static void on_closed(void *ctx)
{
    ((struct fixture *)ctx)->closed = true;
}

/* One turn that waits for something to happen: the pool's work ends by itself. */
static void until_contexts(struct fixture *f, unsigned n)
{
    while (f->contexts < n) {
        assert_true(uv_run(&f->loop, UV_RUN_ONCE) != 0);
    }
}

static void open_slot_of(struct fixture *f, bool managed)
{
    const struct config config = {
        .core = {.id = id}, .dns = {.domain_text = domain}, .lets_encrypt = {.enabled = managed}};
    *f = (struct fixture){.now_ms = 20000 * DAY_MS};
    f->clock = (struct clk){.wall_ms = now, .mono_ms = now, .ctx = f};
    assert_int_equal(uv_loop_init(&f->loop), 0);
    tls_slot_open(&f->loop, &config, &f->clock, on_context, f, &f->slot);
    assert_int_equal(f->contexts, 0); /* never inside the call */
}

static void open_slot(struct fixture *f)
{
    open_slot_of(f, false);
}

static void close_slot(struct fixture *f)
{
    tls_slot_close(f->slot, on_closed, f);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_true(f->closed);
    assert_int_equal(uv_loop_close(&f->loop), 0);
}

static struct tls_slot_view view(const struct fixture *f)
{
    struct tls_slot_view v;
    tls_slot_view(f->slot, &v);
    return v;
}

static void a_placeholder_with_the_right_names(void **state)
{
    struct fixture f;
    (void)state;
    open_slot(&f);
    assert_null(view(&f).pair);
    until_contexts(&f, 1);
    struct tls_slot_view v = view(&f);
    assert_string_equal(v.source, "placeholder");
    assert_string_equal(v.problem, "");
    assert_null(v.cert_file);
    assert_int_equal(v.pair->names_count, 2);
    assert_string_equal(v.pair->names[0], "mc.example.com");
    assert_string_equal(v.pair->names[1], "*.mc.example.com");
    assert_true(v.pair->self_signed);
    assert_true(v.pair->not_before_ms < f.now_ms);
    assert_true(v.pair->not_after_ms > f.now_ms + (PLACEHOLDER_DAYS - 1) * DAY_MS);
    close_slot(&f);
}

static void another_one_before_it_expires(void **state)
{
    struct fixture f;
    char first[sizeof view(&f).pair->serial];
    (void)state;
    open_slot(&f);
    until_contexts(&f, 1);
    memcpy(first, view(&f).pair->serial, sizeof first);
    int64_t due_ms = placeholder_due_ms(view(&f).pair);
    assert_true(due_ms < view(&f).pair->not_after_ms - DAY_MS);

    f.now_ms = due_ms - 1; /* not yet */
    tls_slot_look(f.slot);
    uv_run(&f.loop, UV_RUN_NOWAIT);
    assert_string_equal(view(&f).pair->serial, first);

    f.now_ms = due_ms;
    tls_slot_look(f.slot);
    until_contexts(&f, 2);
    assert_string_not_equal(view(&f).pair->serial, first);
    assert_true(view(&f).pair->not_after_ms > due_ms + (PLACEHOLDER_DAYS - 1) * DAY_MS);
    assert_int_equal(view(&f).swaps, 1);
    close_slot(&f);
}

static void closed_while_one_is_made(void **state)
{
    struct fixture f;
    (void)state;
    open_slot(&f);
    close_slot(&f);
    assert_int_equal(f.contexts, 0);
}

static struct tls_pair *pair_of(struct fixture *f, const char *name)
{
    struct tls_pair *pair;
    assert_int_equal(placeholder_new(&name, 1, f->now_ms, &pair, NULL), ERR_OK);
    return pair;
}

/* What the store has comes first, and nothing is shown before that is known. */
static void the_store_s_pair_is_waited_for(void **state)
{
    struct fixture f;
    (void)state;
    open_slot_of(&f, true);
    for (int turns = 0; turns < 3; turns++) {
        uv_run(&f.loop, UV_RUN_NOWAIT);
    }
    tls_slot_look(f.slot);
    assert_null(view(&f).pair);
    struct tls_pair *pair = pair_of(&f, "managed.example");
    tls_slot_use(f.slot, pair);
    until_contexts(&f, 1);
    assert_string_equal(view(&f).source, "managed");
    assert_string_equal(view(&f).pair->names[0], "managed.example");
    tls_slot_go(f.slot); /* too late to mean anything */
    tls_pair_unref(pair);
    pair = pair_of(&f, "next.example");
    tls_slot_use(f.slot, pair);
    until_contexts(&f, 2);
    assert_string_equal(view(&f).pair->names[0], "next.example");
    tls_pair_unref(pair);
    close_slot(&f);
}

static void a_placeholder_until_the_store_has_one(void **state)
{
    struct fixture f;
    (void)state;
    open_slot_of(&f, true);
    tls_slot_go(f.slot);
    until_contexts(&f, 1);
    assert_string_equal(view(&f).source, "placeholder");
    struct tls_pair *proof = pair_of(&f, "proved.example");
    tls_slot_use_proofs(f.slot, &proof, 1);
    until_contexts(&f, 2);
    assert_string_equal(view(&f).source, "placeholder");
    tls_slot_use(f.slot, proof);
    tls_slot_use_proofs(f.slot, NULL, 0); /* while a context is being made */
    until_contexts(&f, 4);
    assert_string_equal(view(&f).source, "managed");
    tls_pair_unref(proof);
    close_slot(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_placeholder_with_the_right_names),
        cmocka_unit_test(another_one_before_it_expires),
        cmocka_unit_test(closed_while_one_is_made),
        cmocka_unit_test(the_store_s_pair_is_waited_for),
        cmocka_unit_test(a_placeholder_until_the_store_has_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
