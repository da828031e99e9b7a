/* cert/sync_hook_uv: real programs, run by a real loop: what they are given, and what becomes of those
 * that fail, hang, talk, or are not to be trusted. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cert/sync_priv.h"
#include "lib/clock.h"
#include "sync_files.h"

#define DEADLINE_MS 30000
#define PAUSE_MS    2
#define NOBODY      65534

static struct {
    char folder[64], path[128];
    uv_loop_t loop;
    uv_timer_t deadline, tick; /* the latter wakes whoever waits for a file */
    struct sync_hook hook;
    unsigned done, closed;
    bool good, close_when_done;
    uint64_t limit_ms, pause_ms;
} t;

static void on_closed(void *ctx)
{
    assert_ptr_equal(ctx, &t);
    t.closed++;
}

static void on_done(void *ctx, bool good)
{
    assert_ptr_equal(ctx, &t);
    t.done++;
    t.good = good;
    uv_stop(&t.loop);
}

static void too_late(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("nothing happened in time");
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    sync_files_begin(t.folder);
    snprintf(t.path, sizeof t.path, "%s/hook", t.folder);
    t.limit_ms = DEADLINE_MS;
    t.pause_ms = PAUSE_MS;
    if (uv_loop_init(&t.loop) != 0 || uv_timer_init(&t.loop, &t.deadline) != 0 ||
        uv_timer_init(&t.loop, &t.tick) != 0 || uv_timer_start(&t.tick, on_tick, 10, 10) != 0) {
        return -1;
    }
    return uv_timer_start(&t.deadline, too_late, DEADLINE_MS, 0);
}

/* Fails if anything still keeps the loop alive. */
static int teardown(void **state)
{
    (void)state;
    sync_hook_close(&t.hook, on_closed, &t);
    assert_int_equal(t.closed, 0); /* not inside the call */
    uv_close((uv_handle_t *)&t.tick, NULL);
    uv_unref((uv_handle_t *)&t.deadline);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(t.closed, 1);
    uv_close((uv_handle_t *)&t.deadline, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    sync_files_end(t.folder);
    return uv_loop_close(&t.loop);
}

static void write_hook(const char *text)
{
    sync_files_write(t.path, text);
    assert_int_equal(chmod(t.path, 0755), 0);
}

static void begin(const char *path)
{
    sync_hook_init(&t.hook, &t.loop,
                   &(struct sync_hook_options){.path = path,
                                               .hostname = "*.a.example",
                                               .cert_path = "/x/fullchain.pem",
                                               .key_path = "/x/privkey.pem",
                                               .clock = &clk_system,
                                               .limit_ms = t.limit_ms,
                                               .pause_ms = t.pause_ms,
                                               .on_done = on_done,
                                               .ctx = &t});
}

static void run(const char *text)
{
    write_hook(text);
    begin(t.path);
    sync_hook_run(&t.hook);
    assert_int_equal(t.done, 0); /* not inside the call */
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(t.done, 1);
}

static unsigned lines(const char *path)
{
    char *text = sync_files_read(path);
    unsigned n = 0;
    for (const char *p = text; p != NULL && *p != '\0'; p++) {
        n += *p == '\n';
    }
    free(text);
    return n;
}

/* ---- what it is given ------------------------------------------------------------------------ */

static void it_gets_four_variables_and_nothing_else(void **state)
{
    (void)state;
    setenv("DNSD_SECRET", "leak", 1);
    /* What the kernel was given: a shell adds some of its own. */
    run("#!/bin/sh\ntr '\\0' '\\n' </proc/$$/environ\n");
    unsetenv("DNSD_SECRET");
    assert_true(t.good);
    assert_int_equal(t.hook.status, 0);
    assert_string_equal(t.hook.text,
                        "PRYV_CERT_HOSTNAME=*.a.example PRYV_CERT_PATH=/x/fullchain.pem "
                        "PRYV_CERT_KEYPATH=/x/privkey.pem "
                        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
}

static void no_arguments_no_input_no_files(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_RDONLY); /* of the daemon's, and not marked for closing */
    assert_true(fd >= 0);
    run("#!/bin/sh\necho args $#\nread x || echo empty\nls /proc/$$/fd | tr '\\n' ,\n");
    close(fd);
    assert_true(t.good);
    assert_non_null(strstr(t.hook.text, "args 0 empty 0,1,"));
    assert_null(strstr(t.hook.text, ",11,"));
    char open_there[16];
    snprintf(open_there, sizeof open_there, ",%d,", fd);
    if (fd != 10) { /* where the shell keeps its script */
        assert_null(strstr(t.hook.text, open_there));
    }
}

static void it_is_run_once(void **state)
{
    (void)state;
    run("#!/bin/sh\necho x >>runs\n");
    assert_true(t.good);
    assert_int_equal(lines("runs"), 1);
    assert_int_equal(t.hook.tries, 1);
    assert_int_equal(t.hook.failures, 0);
    assert_true(t.hook.at_ms > INT64_C(1600000000000));
}

/* ---- when it fails ----------------------------------------------------------------------------- */

static void a_failure_is_tried_again_and_then_given_up(void **state)
{
    (void)state;
    run("#!/bin/sh\necho x >>runs\necho no\nexit 3\n");
    assert_false(t.good);
    assert_int_equal(lines("runs"), CERT_SYNC_HOOK_TRIES);
    assert_int_equal(t.hook.tries, CERT_SYNC_HOOK_TRIES);
    assert_int_equal(t.hook.failures, CERT_SYNC_HOOK_TRIES);
    assert_int_equal(t.hook.status, 3);
    assert_string_equal(t.hook.text, "no");
    /* The next generation has as many tries. */
    write_hook("#!/bin/sh\necho x >>runs\n");
    sync_hook_run(&t.hook);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_true(t.good);
    assert_int_equal(t.hook.tries, 1);
    assert_int_equal(t.hook.failures, CERT_SYNC_HOOK_TRIES);
    assert_string_equal(t.hook.text, "");
}

static void one_that_recovers_is_well(void **state)
{
    (void)state;
    run("#!/bin/sh\necho x >>runs\ntest $(wc -l <runs) -ge 3\n");
    assert_true(t.good);
    assert_int_equal(t.hook.tries, 3);
    assert_int_equal(t.hook.failures, 2);
    assert_int_equal(t.hook.status, 0);
}

static void pauses_grow(void **state)
{
    (void)state;
    write_hook("#!/bin/sh\nexit 1\n");
    t.pause_ms = 1000000;
    begin(t.path);
    sync_hook_run(&t.hook);
    for (unsigned i = 1; i < CERT_SYNC_HOOK_TRIES; i++) {
        while (t.hook.state != SYNC_HOOK_PAUSING) {
            uv_run(&t.loop, UV_RUN_ONCE);
        }
        uint64_t due = uv_timer_get_due_in(&t.hook.timer);
        assert_true(due > (t.pause_ms << (i - 1)) - 60000 && due <= t.pause_ms << (i - 1));
        uv_timer_start(&t.hook.timer, t.hook.timer.timer_cb, 0, 0);
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    while (t.done == 0) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    assert_false(t.good);
}

static void signals_are_told_as_shells_do(void **state)
{
    (void)state;
    run("#!/bin/sh\nkill -TERM $$\n");
    assert_int_equal(t.hook.status, 128 + SIGTERM);
}

/* Gone, or not yet buried. */
static bool child_is_dead(void)
{
    char *pid = sync_files_read("child"), path[64];
    assert_non_null(pid);
    snprintf(path, sizeof path, "/proc/%.*s/stat", (int)strcspn(pid, "\n"), pid);
    char *stat = sync_files_read(path);
    bool dead = stat == NULL || strstr(stat, ") Z ") != NULL || strstr(stat, ") X ") != NULL;
    free(stat);
    free(pid);
    return dead;
}

/* It, and what it has started, and no other of ours. */
static void one_that_hangs_is_killed_with_its_group(void **state)
{
    (void)state;
    t.limit_ms = 1000;
    write_hook("#!/bin/sh\ntrap '' TERM\nsleep 1000 &\necho $! >child\necho started\nwait\n");
    begin(t.path);
    sync_hook_run(&t.hook);
    while (t.hook.state != SYNC_HOOK_PAUSING) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    assert_int_equal(t.hook.status, 124);
    assert_string_equal(t.hook.text, "started");
    while (!child_is_dead()) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
}

static void what_cannot_be_run_is_told(void **state)
{
    (void)state;
    run("#!/no/such/interpreter\n");
    assert_int_equal(t.hook.status, 127);
    assert_non_null(strstr(t.hook.text, "No such file"));
}

/* ---- what it says ----------------------------------------------------------------------------- */

static void what_it_says_is_cleaned(void **state)
{
    (void)state;
    run("#!/bin/sh\nprintf 'a\\033[31mb\\001c\\177\\n\\302\\205d\\303\\251\\377e\\n' >&2\n");
    assert_string_equal(t.hook.text, "a?[31mb?c? ??d\xc3\xa9?e");
}

static void what_it_says_is_bounded(void **state)
{
    (void)state;
    run("#!/bin/sh\ni=0\nwhile [ $i -lt 500 ]; do echo 0123456789012345678; i=$((i+1)); done\n");
    assert_true(t.good);
    assert_true(strlen(t.hook.text) <= CERT_SYNC_HOOK_TEXT);
    assert_true(strlen(t.hook.text) > CERT_SYNC_HOOK_TEXT - 32);
}

/* ---- who may have written it -------------------------------------------------------------------- */

static void who_else_can_write_it_is_not_trusted(void **state)
{
    struct err_info info;
    (void)state;
    write_hook("#!/bin/sh\necho x >>runs\n");
    begin(t.path);
    assert_int_equal(sync_hook_check(t.path, &info), ERR_OK);
    chmod(t.path, 0775);
    assert_int_equal(sync_hook_check(t.path, &info), ERR_DENIED);
    assert_non_null(strstr(info.text, "can be written by others"));
    chmod(t.path, 0757);
    assert_int_equal(sync_hook_check(t.path, &info), ERR_DENIED);
    chmod(t.path, 0644);
    assert_int_equal(sync_hook_check(t.path, &info), ERR_DENIED);
    assert_int_equal(sync_hook_check("hook", &info), ERR_DENIED);
    assert_non_null(strstr(info.text, "must be absolute"));
    assert_int_equal(sync_hook_check(t.folder, &info), ERR_DENIED);
    assert_int_equal(sync_hook_check("/no/such/hook", &info), ERR_NOTFOUND);
    if (geteuid() == 0) {
        chmod(t.path, 0755);
        assert_int_equal(chown(t.path, NOBODY, NOBODY), 0);
        assert_int_equal(sync_hook_check(t.path, &info), ERR_DENIED);
        assert_non_null(strstr(info.text, "belongs to user 65534"));
        assert_int_equal(chown(t.path, 0, 0), 0);
    }
    chmod(t.path, 0777); /* and it is not run */
    sync_hook_run(&t.hook);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_false(t.good);
    assert_int_equal(t.hook.status, 127);
    assert_non_null(strstr(t.hook.text, "can be written by others"));
    assert_int_equal(access("runs", F_OK), -1);
}

/* ---- another generation, and the end ------------------------------------------------------------ */

static void another_generation_during_a_run_is_run_after_it(void **state)
{
    (void)state;
    write_hook("#!/bin/sh\necho x >>runs\nwhile [ ! -e go ]; do sleep 0.02; done\n");
    begin(t.path);
    sync_hook_run(&t.hook);
    while (lines("runs") < 1) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    sync_hook_run(&t.hook);
    sync_hook_run(&t.hook); /* for the latest alone */
    sync_files_write("go", "");
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(t.done, 1);
    assert_int_equal(lines("runs"), 2);
    assert_int_equal(t.hook.tries, 1);
}

static void another_generation_ends_a_pause(void **state)
{
    (void)state;
    t.pause_ms = DEADLINE_MS * 10;
    write_hook("#!/bin/sh\nexit 1\n");
    begin(t.path);
    sync_hook_run(&t.hook);
    while (t.hook.state != SYNC_HOOK_PAUSING) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    write_hook("#!/bin/sh\nexit 0\n");
    sync_hook_run(&t.hook);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_true(t.good);
    assert_int_equal(t.hook.tries, 1);
}

/* teardown closes, and fails if anything is left; here it happens in each state. */
static void closing_kills_what_runs(void **state)
{
    (void)state;
    write_hook("#!/bin/sh\necho x >>runs\nexec sleep 1000\n");
    begin(t.path);
    sync_hook_run(&t.hook);
    while (lines("runs") < 1) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
}

static void closing_while_it_is_looked_at(void **state)
{
    (void)state;
    write_hook("#!/bin/sh\necho x >>runs\n");
    begin(t.path);
    sync_hook_run(&t.hook);
}

static void closing_during_a_pause(void **state)
{
    (void)state;
    t.pause_ms = DEADLINE_MS * 10;
    write_hook("#!/bin/sh\nexit 1\n");
    begin(t.path);
    sync_hook_run(&t.hook);
    while (t.hook.state != SYNC_HOOK_PAUSING) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
}

int main(int argc, char **argv)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_gets_four_variables_and_nothing_else),
        TEST(no_arguments_no_input_no_files),
        TEST(it_is_run_once),
        TEST(a_failure_is_tried_again_and_then_given_up),
        TEST(one_that_recovers_is_well),
        TEST(pauses_grow),
        TEST(signals_are_told_as_shells_do),
        TEST(one_that_hangs_is_killed_with_its_group),
        TEST(what_cannot_be_run_is_told),
        TEST(what_it_says_is_cleaned),
        TEST(what_it_says_is_bounded),
        TEST(who_else_can_write_it_is_not_trusted),
        TEST(another_generation_during_a_run_is_run_after_it),
        TEST(another_generation_ends_a_pause),
        TEST(closing_kills_what_runs),
        TEST(closing_while_it_is_looked_at),
        TEST(closing_during_a_pause),
    };
    proc_child_main(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
