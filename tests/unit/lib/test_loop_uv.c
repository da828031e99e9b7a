/* lib/loop_uv: letters arrive once, in order, on the loop's thread; work runs off it. */
#include "lib/loop_uv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define SENDERS 4
#define LETTERS 500

struct mail {
    struct loop_msg msg;
    unsigned sender, number;
};

static struct {
    uv_loop_t loop;
    struct loop_box box;
    pthread_t thread; /* the loop's */
    unsigned next[SENDERS];
    unsigned arrived;
    unsigned closed;
    unsigned wrong;
} t;

static void count_close(void *ctx)
{
    (*(unsigned *)ctx)++;
}

static int setup(void **state)
{
    (void)state;
    t.arrived = t.closed = t.wrong = 0;
    for (unsigned i = 0; i < SENDERS; i++) {
        t.next[i] = 0;
    }
    t.thread = pthread_self();
    return uv_loop_init(&t.loop) != 0 || loop_box_open(&t.box, &t.loop) != ERR_OK;
}

/* Fails if anything still keeps the loop alive. */
static int teardown(void **state)
{
    (void)state;
    uv_run(&t.loop, UV_RUN_DEFAULT);
    return uv_loop_close(&t.loop);
}

static void on_mail(struct loop_msg *msg)
{
    struct mail *m = (struct mail *)msg;
    t.wrong += m->number != t.next[m->sender]++ || !pthread_equal(pthread_self(), t.thread);
    t.arrived++;
    free(m);
    if (t.arrived == SENDERS * LETTERS) {
        loop_box_close(&t.box, count_close, &t.closed);
    }
}

static void send_mail(unsigned sender, unsigned number)
{
    struct mail *m = calloc(1, sizeof *m);
    if (m == NULL) {
        abort();
    }
    m->msg.run = on_mail;
    m->sender = sender;
    m->number = number;
    loop_box_send(&t.box, &m->msg);
}

static void *send_all(void *ctx)
{
    for (unsigned i = 0; i < LETTERS; i++) {
        send_mail((unsigned)(uintptr_t)ctx, i);
    }
    return NULL;
}

static void letters_of_threads_arrive_once_and_in_order(void **state)
{
    pthread_t senders[SENDERS];
    (void)state;
    for (uintptr_t i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_create(&senders[i], NULL, send_all, (void *)i), 0);
    }
    uv_run(&t.loop, UV_RUN_DEFAULT); /* ends because the last letter closes the box */
    for (size_t i = 0; i < SENDERS; i++) {
        pthread_join(senders[i], NULL);
    }
    assert_int_equal(t.arrived, SENDERS * LETTERS);
    assert_int_equal(t.wrong, 0);
    assert_int_equal(t.closed, 1);
}

static void nothing_runs_inside_send(void **state)
{
    (void)state;
    send_mail(0, 0);
    assert_int_equal(t.arrived, 0);
    uv_run(&t.loop, UV_RUN_NOWAIT);
    assert_int_equal(t.arrived, 1);
    loop_box_close(&t.box, NULL, NULL);
}

static void closing_delivers_what_waits(void **state)
{
    (void)state;
    send_mail(1, 0);
    send_mail(1, 1);
    loop_box_close(&t.box, count_close, &t.closed);
    assert_int_equal(t.arrived, 2);
    assert_int_equal(t.wrong, 0);
    assert_int_equal(t.closed, 0); /* not inside the call */
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(t.closed, 1);
}

static void an_unreferenced_box_lets_the_loop_end(void **state)
{
    (void)state;
    loop_box_unref(&t.box);
    assert_int_equal(uv_run(&t.loop, UV_RUN_DEFAULT), 0);
    loop_box_close(&t.box, count_close, &t.closed);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(t.closed, 1);
}

struct again {
    struct loop_msg msg;
    unsigned left;
};

static void send_again(struct loop_msg *msg)
{
    struct again *a = (struct again *)msg;
    if (--a->left > 0) {
        loop_box_send(&t.box, msg);
    } else {
        loop_box_close(&t.box, count_close, &t.closed);
    }
}

static void a_letter_may_send_itself_again(void **state)
{
    struct again a = {.msg.run = send_again, .left = 10};
    (void)state;
    loop_box_send(&t.box, &a.msg);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(a.left, 0);
    assert_int_equal(t.closed, 1);
}

struct job {
    struct loop_work work;
    pthread_t worker;
    atomic_int step;
    bool done_on_loop;
};

static void work(struct loop_work *w)
{
    struct job *j = (struct job *)w;
    j->worker = pthread_self();
    j->step = 1;
}

static void done(struct loop_work *w)
{
    struct job *j = (struct job *)w;
    j->done_on_loop = pthread_equal(pthread_self(), t.thread) && j->step == 1;
    j->step = 2;
    loop_box_close(&t.box, NULL, NULL);
}

static void work_runs_off_the_loop_and_ends_on_it(void **state)
{
    struct job j = {.work = {.work = work, .done = done}};
    (void)state;
    loop_offload(&t.loop, &j.work);
    assert_int_not_equal(j.step, 2); /* done() never runs inside the call */
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(j.step, 2);
    assert_true(j.done_on_loop);
    assert_false(pthread_equal(j.worker, t.thread));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(letters_of_threads_arrive_once_and_in_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nothing_runs_inside_send, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_delivers_what_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unreferenced_box_lets_the_loop_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_letter_may_send_itself_again, setup, teardown),
        cmocka_unit_test_setup_teardown(work_runs_off_the_loop_and_ends_on_it, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
