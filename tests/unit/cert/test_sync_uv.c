/* cert/sync_uv: offers, looks, pauses, the hook's moment, and the end, on a real loop and real files. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cert/sync_uv.h"
#include "lib/proc_uv.h"
#include "sync_files.h"

#define DEADLINE_MS 30000
#define HOST        "a.example"
#define HOME        "tls/a.example"
#define ROWS        4

static struct sync_files_row rows[ROWS]; /* [i]: generation i + 1 */
static struct cert_vault *vault, *other;
static int64_t now_ms;

static struct {
    char folder[64], hook[128];
    uv_loop_t loop;
    uv_timer_t deadline, tick;
    struct cert_sync *sync;
    struct cert_sync_options options;
    unsigned pairs, readies, pairs_at_ready, closed;
    char shown[65];
    void (*on_pair)(void);
    int64_t wall_ms; /* the clock */
    int log, stderr_was;
} t;

static const char *const names[] = {HOST};

/* ---- the world ----------------------------------------------------------------------------- */

static int make_all(void **state)
{
    (void)state;
    now_ms = clk_wall_ms(&clk_system);
    vault = sync_files_vault(SYNC_FILES_KEY);
    other = sync_files_vault(SYNC_FILES_OTHER);
    for (unsigned i = 0; i < ROWS; i++) {
        sync_files_row(&rows[i], vault, HOST, &(struct tls_make){.names = "DNS:" HOST}, i + 1,
                       now_ms + 1000 * i);
    }
    return 0;
}

static int free_all(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROWS; i++) {
        sync_files_row_free(&rows[i]);
    }
    cert_vault_free(vault);
    cert_vault_free(other);
    return 0;
}

static int64_t wall(void *ctx)
{
    (void)ctx;
    return t.wall_ms;
}

static const struct clk clock_of_tests = {.wall_ms = wall, .mono_ms = wall};

static void too_late(uv_timer_t *timer)
{
    struct cert_sync_view v;
    (void)timer;
    cert_sync_view(t.sync, &v);
    fail_msg("nothing happened in time: %s: %s", v.step, v.problem);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void on_closed(void *ctx)
{
    assert_ptr_equal(ctx, &t);
    t.closed++;
}

static void on_pair(void *ctx, struct tls_pair *pair)
{
    assert_ptr_equal(ctx, &t);
    t.pairs++;
    snprintf(t.shown, sizeof t.shown, "%s", tls_pair_info(pair)->sha256);
    if (t.on_pair != NULL) {
        t.on_pair();
    }
}

static void on_ready(void *ctx)
{
    assert_ptr_equal(ctx, &t);
    t.readies++;
    t.pairs_at_ready = t.pairs;
}

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    sync_files_begin(t.folder);
    t.wall_ms = now_ms;
    t.log = memfd_create("log", MFD_CLOEXEC);
    t.stderr_was = dup(STDERR_FILENO);
    snprintf(t.hook, sizeof t.hook, "%s/hook", t.folder);
    t.options = (struct cert_sync_options){.tls_dir = "tls",
                                           .hostname = HOST,
                                           .names = names,
                                           .names_count = 1,
                                           .vault = vault,
                                           .clock = &clock_of_tests,
                                           .on_pair = on_pair,
                                           .on_ready = on_ready,
                                           .ctx = &t};
    if (uv_loop_init(&t.loop) != 0 || uv_timer_init(&t.loop, &t.deadline) != 0 ||
        uv_timer_init(&t.loop, &t.tick) != 0 || uv_timer_start(&t.tick, on_tick, 5, 5) != 0) {
        return -1;
    }
    return uv_timer_start(&t.deadline, too_late, DEADLINE_MS, 0);
}

static void end_sync(void)
{
    unsigned closed = t.closed, pairs = t.pairs;
    cert_sync_close(t.sync, on_closed, &t);
    assert_int_equal(t.closed, closed); /* not inside the call */
    while (t.closed == closed) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    assert_int_equal(t.pairs, pairs); /* nothing after it */
    t.sync = NULL;
}

/* Fails if anything still keeps the loop alive. */
static int teardown(void **state)
{
    (void)state;
    if (t.sync != NULL) {
        end_sync();
    }
    uv_close((uv_handle_t *)&t.tick, NULL);
    uv_close((uv_handle_t *)&t.deadline, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    close(t.log);
    close(t.stderr_was);
    sync_files_end(t.folder);
    return uv_loop_close(&t.loop);
}

static void begin(void)
{
    struct err_info info = {.text = ""};
    if (cert_sync_open(&t.loop, &t.options, &t.sync, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
}

static void again(void)
{
    end_sync();
    t.pairs = t.readies = 0;
    t.shown[0] = '\0';
    begin();
}

static struct cert_sync_view view(void)
{
    struct cert_sync_view v;
    cert_sync_view(t.sync, &v);
    return v;
}

struct found {
    uv_timer_t *timer; /* the next look's; NULL: one is under way */
};

static void find_timer(uv_handle_t *h, void *found)
{
    if (h->type == UV_TIMER && h != (uv_handle_t *)&t.deadline && h != (uv_handle_t *)&t.tick &&
        uv_is_active(h) && ((uv_timer_t *)h)->data == t.sync) {
        ((struct found *)found)->timer = (uv_timer_t *)h;
    }
}

/* Until no look is under way. The time to the next one. */
static uint64_t rest(void)
{
    for (;;) {
        struct found f = {.timer = NULL};
        uv_walk(&t.loop, find_timer, &f);
        if (f.timer != NULL) {
            return uv_timer_get_due_in(f.timer);
        }
        uv_run(&t.loop, UV_RUN_ONCE);
    }
}

/* As if the time had come. */
static void let_time_pass(void)
{
    struct found f = {.timer = NULL};
    uv_walk(&t.loop, find_timer, &f);
    assert_non_null(f.timer);
    uv_timer_start(f.timer, f.timer->timer_cb, 0, 0);
    uv_run(&t.loop, UV_RUN_NOWAIT);
    rest();
}

static bool files_are(const struct sync_files_row *row)
{
    return sync_files_has(HOME "/fullchain.pem", row->made->cert) &&
           sync_files_has(HOME "/privkey.pem", row->made->private);
}

static const char *leaf(const struct sync_files_row *row)
{
    static char sha256[65];
    struct tls_pair *p = tls_pair_of(row->made);
    snprintf(sha256, sizeof sha256, "%s", tls_pair_info(p)->sha256);
    tls_pair_unref(p);
    return sha256;
}

static void expect(const struct sync_files_row *row, unsigned pairs)
{
    rest();
    assert_string_equal(view().problem, "");
    assert_true(files_are(row));
    assert_string_equal(t.shown, leaf(row));
    assert_int_equal(t.pairs, pairs);
}

static void offer(unsigned i)
{
    cert_sync_offer(t.sync, &rows[i].row);
}

static unsigned runs(void)
{
    char *text = sync_files_read("runs");
    unsigned n = 0;
    for (const char *p = text; p != NULL && *p != '\0'; p++) {
        n += *p == '\n';
    }
    free(text);
    return n;
}

static void write_hook(const char *text)
{
    char script[512];
    snprintf(script, sizeof script, "#!/bin/sh\ncd %s\necho $PRYV_CERT_HOSTNAME >>runs\n%s\n",
             t.folder, text);
    sync_files_write(t.hook, script);
    assert_int_equal(chmod(t.hook, 0755), 0);
    t.options.hook = t.hook;
}

static void wait_for_hook(uint64_t failures, int64_t status)
{
    while (view().hook.at_ms == 0 || view().hook.failures != failures ||
           view().hook.status != status) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    rest();
}

static void log_begin(void)
{
    assert_int_equal(ftruncate(t.log, 0), 0);
    assert_int_equal(lseek(t.log, 0, SEEK_SET), 0);
    dup2(t.log, STDERR_FILENO);
}

static unsigned logged(const char *text)
{
    static char all[65536];
    unsigned n = 0;
    dup2(t.stderr_was, STDERR_FILENO);
    ssize_t len = pread(t.log, all, sizeof all - 1, 0);
    assert_true(len >= 0);
    all[len] = '\0';
    assert_null(strstr(all, "PRIVATE"));
    for (const char *at = all; (at = strstr(at, text)) != NULL; at++) {
        n++;
    }
    return n;
}

/* ---- offers -------------------------------------------------------------------------------- */

static void without_anything_it_is_ready_and_has_no_problem(void **state)
{
    (void)state;
    begin();
    assert_int_equal(t.readies, 0); /* not inside the call */
    uint64_t due = rest();
    assert_true(due <= CERT_SYNC_LOOK_MS && due > CERT_SYNC_LOOK_MS - 5000);
    assert_int_equal(t.readies, 1);
    assert_int_equal(t.pairs, 0);
    assert_string_equal(view().step, "");
    assert_int_equal(view().generation, 0);
    cert_sync_none(t.sync);
    rest();
    assert_int_equal(t.readies, 1);
    assert_string_equal(view().problem, "");
}

static void an_offer_becomes_files_and_a_pair(void **state)
{
    struct cert_sync_row row = rows[0].row;
    char *key = strdup(rows[0].row.key);
    (void)state;
    begin();
    rest();
    row.key = key;
    cert_sync_offer(t.sync, &row);
    memset(key, 'x', strlen(key)); /* it was copied */
    free(key);
    assert_int_equal(t.pairs, 0); /* not inside the call */
    expect(&rows[0], 1);
    assert_int_equal(view().generation, 1);
    assert_int_equal(view().written_ms, now_ms);
    assert_string_equal(view().cert_path, HOME "/fullchain.pem");
    assert_string_equal(view().key_path, HOME "/privkey.pem");
    offer(0);
    expect(&rows[0], 1);
    offer(1);
    expect(&rows[1], 2);
}

static void the_latest_of_many_offers_counts(void **state)
{
    (void)state;
    begin();
    offer(0);
    offer(1);
    offer(2);
    expect(&rows[2], 1);
    assert_int_equal(access(HOME "/generations", F_OK), 0);
    offer(3);
    offer(2); /* a look later, and that is refused */
    rest();
    assert_int_equal(view().generation, 4);
    assert_string_equal(view().step, "check");
}

static void files_are_shown_before_ready_and_without_a_row(void **state)
{
    (void)state;
    begin();
    offer(1);
    expect(&rows[1], 1);
    again();
    expect(&rows[1], 1);
    assert_int_equal(t.pairs_at_ready, 1);
    assert_int_equal(view().generation, 2);
    assert_int_equal(view().written_ms, 0);
    cert_sync_none(t.sync);
    expect(&rows[1], 1);
    log_begin();
    offer(0);
    rest();
    assert_string_equal(view().step, "check");
    assert_non_null(strstr(view().problem, "older"));
    offer(0);
    rest();
    let_time_pass();
    assert_int_equal(logged("a certificate is not taken over, what was shown goes on"), 1);
    assert_true(files_are(&rows[1]));
    offer(1);
    expect(&rows[1], 1);
}

static void a_key_that_is_not_here_is_told_by_its_id(void **state)
{
    (void)state;
    t.options.vault = other;
    begin();
    offer(0);
    uint64_t due = rest();
    assert_string_equal(view().step, "open");
    assert_string_equal(view().key_id, cert_vault_key_id(vault, 0));
    assert_int_equal(t.pairs, 0);
    assert_true(due > CERT_SYNC_LOOK_MS - 5000); /* no use to hurry */
    cert_sync_none(t.sync);
    rest();
    assert_string_equal(view().key_id, "");
}

/* ---- looks --------------------------------------------------------------------------------- */

static void damage_is_repaired_at_the_next_look(void **state)
{
    (void)state;
    begin();
    offer(0);
    expect(&rows[0], 1);
    assert_int_equal(unlink(HOME "/current/privkey.pem"), 0);
    let_time_pass();
    expect(&rows[0], 1);
    sync_files_write(HOME "/privkey.pem", "another");
    cert_sync_look(t.sync);
    expect(&rows[0], 1);
    sync_files_remove("tls");
    offer(0);
    expect(&rows[0], 1);
}

static void what_fails_is_tried_again_with_growing_pauses(void **state)
{
    (void)state;
    begin();
    offer(0);
    expect(&rows[0], 1);
    assert_int_equal(unlink(HOME "/current"), 0);
    assert_int_equal(mkdir(HOME "/current", 0700), 0); /* in the way */
    log_begin();
    offer(1);
    for (uint64_t pause = 1000; pause <= 64000; pause *= 2) {
        uint64_t want = pause < 60000 ? pause : 60000, due = rest();
        assert_true(due <= want && due + 900 > want);
        assert_string_equal(view().step, "write");
        let_time_pass();
    }
    assert_int_equal(logged("not taken over"), 1);
    assert_int_equal(t.pairs, 1);
    offer(2); /* something new is worth a new beginning */
    uint64_t due = rest();
    assert_true(due <= 1000);
    assert_int_equal(rmdir(HOME "/current"), 0);
    let_time_pass();
    expect(&rows[2], 2);
    due = rest();
    assert_true(due > CERT_SYNC_LOOK_MS - 5000);
}

static void time_is_the_clocks(void **state)
{
    struct sync_files_row early;
    (void)state;
    sync_files_row(&early, vault, HOST,
                   &(struct tls_make){.names = "DNS:" HOST, .from_s = 3600, .to_s = 7200}, 1,
                   now_ms);
    begin();
    cert_sync_offer(t.sync, &early.row);
    uint64_t due = rest();
    assert_true(due <= 1000);
    assert_non_null(strstr(view().problem, "not valid yet"));
    t.wall_ms += 3600 * 1000;
    let_time_pass();
    expect(&early, 1);
    sync_files_row_free(&early);
}

static void expired_and_alone_is_shown_loudly(void **state)
{
    (void)state;
    begin();
    offer(0);
    expect(&rows[0], 1);
    t.wall_ms += 2 * 3600 * 1000;
    log_begin();
    again();
    expect(&rows[0], 1);
    assert_int_equal(logged("warn cert: the only certificate there is has expired, and is shown"),
                     1);
}

static void another_instance_is_refused(void **state)
{
    struct cert_sync *second = NULL;
    struct err_info info;
    (void)state;
    begin();
    assert_int_equal(cert_sync_open(&t.loop, &t.options, &second, &info), ERR_BUSY);
    assert_null(second);
    t.options.hostname = "../a.example";
    assert_int_equal(cert_sync_open(&t.loop, &t.options, &second, &info), ERR_MALFORMED);
}

/* ---- the hook ------------------------------------------------------------------------------ */

static void the_hook_waits_until_the_certificate_is_seen(void **state)
{
    (void)state;
    write_hook("test \"$(cat $PRYV_CERT_KEYPATH)\" = \"$(cat tls/a.example/privkey.pem)\"");
    t.options.tls_dir = "tls";
    begin();
    offer(0);
    expect(&rows[0], 1);
    cert_sync_shown(t.sync, leaf(&rows[1])); /* some other */
    cert_sync_look(t.sync);
    rest();
    for (int i = 0; i < 20; i++) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    assert_int_equal(runs(), 0);
    cert_sync_shown(t.sync, leaf(&rows[0]));
    cert_sync_shown(t.sync, leaf(&rows[0]));
    wait_for_hook(0, 0);
    assert_int_equal(runs(), 1);
    assert_int_equal(view().hook.tries, 1);
    assert_int_equal(view().hook.at_ms, now_ms);
    let_time_pass(); /* the mark is made */
    cert_sync_shown(t.sync, leaf(&rows[0]));
    again();
    expect(&rows[0], 1);
    cert_sync_shown(t.sync, leaf(&rows[0])); /* it has been run for it, before the restart */
    rest();
    for (int i = 0; i < 20; i++) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    assert_int_equal(runs(), 1);
    offer(1);
    expect(&rows[1], 2);
    cert_sync_shown(t.sync, leaf(&rows[1]));
    wait_for_hook(0, 0);
    assert_int_equal(runs(), 2);
}

static void a_hook_that_fails_undoes_nothing_and_is_seen(void **state)
{
    (void)state;
    write_hook("echo it hurts; exit 3");
    begin();
    offer(0);
    expect(&rows[0], 1);
    cert_sync_shown(t.sync, leaf(&rows[0]));
    wait_for_hook(1, 3);
    assert_string_equal(view().hook.text, "it hurts");
    assert_string_equal(view().problem, "");
    assert_true(files_are(&rows[0]));
    write_hook("");
    again(); /* after a restart it is still owed */
    expect(&rows[0], 1);
    cert_sync_shown(t.sync, leaf(&rows[0]));
    wait_for_hook(0, 0);
    assert_int_equal(runs(), 2);
}

/* ---- the end ------------------------------------------------------------------------------- */

static void closed_during_a_look(void **state)
{
    (void)state;
    begin();
    offer(0);
    offer(1);
}

static void close_it(void)
{
    cert_sync_close(t.sync, on_closed, &t);
    cert_sync_offer(t.sync, &rows[1].row); /* and nothing of it happens */
    cert_sync_look(t.sync);
    cert_sync_shown(t.sync, leaf(&rows[0]));
}

static void closed_by_the_pairs_callback(void **state)
{
    (void)state;
    t.on_pair = close_it;
    begin();
    offer(0);
    while (t.closed == 0) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    assert_int_equal(t.pairs, 1);
    assert_true(files_are(&rows[0]));
    t.sync = NULL;
}

static void closed_while_a_hook_runs(void **state)
{
    (void)state;
    write_hook("exec sleep 1000");
    begin();
    offer(0);
    expect(&rows[0], 1);
    cert_sync_shown(t.sync, leaf(&rows[0]));
    while (runs() == 0) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
}

int main(int argc, char **argv)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(without_anything_it_is_ready_and_has_no_problem),
        TEST(an_offer_becomes_files_and_a_pair),
        TEST(the_latest_of_many_offers_counts),
        TEST(files_are_shown_before_ready_and_without_a_row),
        TEST(a_key_that_is_not_here_is_told_by_its_id),
        TEST(damage_is_repaired_at_the_next_look),
        TEST(what_fails_is_tried_again_with_growing_pauses),
        TEST(time_is_the_clocks),
        TEST(expired_and_alone_is_shown_loudly),
        TEST(another_instance_is_refused),
        TEST(the_hook_waits_until_the_certificate_is_seen),
        TEST(a_hook_that_fails_undoes_nothing_and_is_seen),
        TEST(closed_during_a_look),
        TEST(closed_by_the_pairs_callback),
        TEST(closed_while_a_hook_runs),
    };
    proc_child_main(argc, argv);
    return cmocka_run_group_tests(tests, make_all, free_all);
}
