/* lib/proc_uv: what a child says and how it ends arrive once, in order; what it inherits; it is
 * stopped in order; and it dies with its parent, however that ends. */
#include "lib/proc_uv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 10000
#define LINES_MAX   64

static struct {
    uv_loop_t loop;
    uv_timer_t patience;
    char lines[LINES_MAX][PROC_LINE_MAX];
    unsigned count;
    unsigned ends;
    int64_t status;
    int signal;
    struct proc *proc;
    const char *stop_at; /* proc_stop() when this line arrives */
    unsigned stop_ms;
} t;

static void on_line(void *ctx, const char *line)
{
    assert_ptr_equal(ctx, &t);
    assert_int_equal(t.ends, 0);
    if (t.count < LINES_MAX) {
        snprintf(t.lines[t.count], sizeof t.lines[0], "%s", line);
    }
    t.count++;
    if (t.stop_at != NULL && strcmp(line, t.stop_at) == 0) {
        proc_stop(t.proc, t.stop_ms);
        proc_stop(t.proc, 0); /* nothing more */
    }
}

static void on_exit_cb(void *ctx, int64_t status, int sig)
{
    assert_ptr_equal(ctx, &t);
    t.ends++;
    t.status = status;
    t.signal = sig;
}

static void on_patience(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("nothing more happens; %u lines, the last: %s", t.count,
             t.count > 0 ? t.lines[t.count - 1] : "");
}

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    return uv_loop_init(&t.loop) != 0 || uv_timer_init(&t.loop, &t.patience) != 0;
}

/* Fails if anything still keeps the loop alive. */
static int teardown(void **state)
{
    (void)state;
    uv_close((uv_handle_t *)&t.patience, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    return uv_loop_close(&t.loop);
}

static enum err start(const char *const *argv, struct err_info *info)
{
    struct proc_options o = {.argv = argv, .on_line = on_line, .on_exit = on_exit_cb, .ctx = &t};
    return proc_start(&t.loop, &o, &t.proc, info);
}

static void run_to_end(void)
{
    uv_timer_start(&t.patience, on_patience, PATIENCE_MS, 0);
    while (t.ends == 0) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&t.patience);
    assert_int_equal(t.ends, 1);
}

static void run(const char *const *argv)
{
    struct err_info info = {""};
    enum err e = start(argv, &info);
    if (e != ERR_OK) {
        fail_msg("%s: %s", err_text(e), info.text);
    }
    assert_int_equal(t.count, 0); /* callbacks come later */
    run_to_end();
}

static void run_shell(const char *script)
{
    run((const char *const[]){"sh", "-c", script, NULL});
}

static void test_lines(void **state)
{
    (void)state;
    run_shell("echo one; echo two >&2; printf '\\r\\nfour\\r\\nno\\000thing\\n\\nlast'; exit 3");
    static const char *const expect[] = {"one", "two", "", "four", "no?thing", "", "last"};
    assert_int_equal(t.count, sizeof expect / sizeof expect[0]);
    for (unsigned i = 0; i < t.count; i++) {
        assert_string_equal(t.lines[i], expect[i]);
    }
    assert_int_equal(t.status, 3);
    assert_int_equal(t.signal, 0);
}

static void test_long_lines_are_cut(void **state)
{
    (void)state;
    run_shell("head -c 1023 /dev/zero | tr '\\0' a; echo; head -c 9000 /dev/zero | tr '\\0' b; "
              "echo; echo c; head -c 2000 /dev/zero | tr '\\0' d");
    assert_int_equal(t.count, 4);
    assert_int_equal(strlen(t.lines[0]), 1023);
    assert_int_equal(strspn(t.lines[0], "a"), 1023);
    assert_int_equal(strspn(t.lines[1], "b"), 1023);
    assert_string_equal(t.lines[2], "c");
    assert_int_equal(strspn(t.lines[3], "d"), 1023);
}

static void test_arguments_and_environment_pass(void **state)
{
    (void)state;
    setenv("DNSD_TEST_CHILD", "a b", 1);
    run((const char *const[]){"/bin/sh", "-c", "echo \"$0|$1|$2|$#|$DNSD_TEST_CHILD\"", "zero",
                              "--as-child", "", NULL});
    assert_string_equal(t.lines[0], "zero|--as-child||2|a b");
}

/* No descriptor but 0 to 2, even such as the parent forgot to mark; 0 is empty; no signal is
 * blocked or ignored. */
static void test_inherits_nothing_else(void **state)
{
    (void)state;
    int leaked = open("/dev/null", O_RDONLY); /* not close-on-exec */
    int high = fcntl(leaked, F_DUPFD, 200);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    sigdelset(&all, SIGCHLD); /* libuv needs it */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    run((const char *const[]){"/bin/sh", "-c",
                              "cd /proc/self/fd && echo *; cat; "
                              "grep -E '^Sig(Blk|Ign)' /proc/self/status",
                              NULL});
    signal(SIGPIPE, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(leaked);
    close(high);
    assert_int_equal(t.count, 3);
    /* The shell has one open to list the folder; what counts is that neither leak is there. */
    assert_non_null(strstr(t.lines[0], "0 1 2"));
    assert_null(strstr(t.lines[0], "200"));
    assert_true(strlen(t.lines[0]) <= strlen("0 1 2 3"));
    assert_string_equal(t.lines[1], "SigBlk:\t0000000000000000");
    assert_string_equal(t.lines[2], "SigIgn:\t0000000000000000");
}

static void test_stop_in_order(void **state)
{
    (void)state;
    t.stop_at = "up";
    t.stop_ms = PATIENCE_MS;
    run_shell("trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.05; done");
    assert_int_equal(t.status, 5);
    assert_string_equal(t.lines[t.count - 1], "bye");
}

static void test_stop_with_force(void **state)
{
    (void)state;
    t.stop_at = "up";
    t.stop_ms = 50;
    run_shell("trap '' TERM; echo up; while :; do sleep 0.05; done");
    assert_int_equal(t.signal, SIGKILL);
}

/* Its end is told even if something it started keeps the pipe open. */
static void test_grandchild_keeps_the_pipe(void **state)
{
    (void)state;
    run_shell("sleep 30 & echo $!; exit 0");
    assert_int_equal(t.status, 0);
    uint64_t pid = strtoull(t.lines[0], NULL, 10);
    assert_true(pid > 1);
    kill((pid_t)pid, SIGKILL);
}

static void test_killed_from_outside(void **state)
{
    (void)state;
    struct err_info info;
    assert_int_equal(start((const char *const[]){"sleep", "30", NULL}, &info), ERR_OK);
    int pid = proc_pid(t.proc);
    assert_true(pid > 1);
    kill(pid, SIGKILL);
    run_to_end();
    assert_int_equal(t.signal, SIGKILL);
}

static void test_no_such_program(void **state)
{
    (void)state;
    char folder[] = "/tmp/dnsd-proc-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/plain", folder);
    close(open(path, O_CREAT | O_WRONLY, 0644));
    struct {
        const char *program;
        enum err expect;
    } table[] = {
        {"/nowhere/at/all", ERR_NOTFOUND},
        {"dnsd-no-such-program", ERR_NOTFOUND},
        {"/bin/sh/below", ERR_NOTFOUND},
        {folder, ERR_DENIED},
        {path, ERR_DENIED},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct err_info info = {""};
        assert_int_equal(start((const char *const[]){table[i].program, NULL}, &info),
                         table[i].expect);
        assert_non_null(strstr(info.text, table[i].program));
    }
    unlink(path);
    rmdir(folder);
    assert_int_equal(t.ends, 0);
}

/* A file that says it is a program and is none: told as a line and an exit status. */
static void test_not_a_program_after_all(void **state)
{
    (void)state;
    char path[] = "/tmp/dnsd-proc-XXXXXX";
    int fd = mkstemp(path);
    static const char text[] = "#!/nowhere/at/all\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    fchmod(fd, 0755);
    close(fd);
    run((const char *const[]){path, NULL});
    unlink(path);
    assert_int_equal(t.status, 127);
    assert_int_equal(t.count, 1);
    assert_non_null(strstr(t.lines[0], path));
}

/* ---- its parent dies ---- */

static void parent_line(void *ctx, const char *line)
{
    (void)ctx;
    printf("%s\n", line); /* "up": the child is the program by now */
    fflush(stdout);
}

/* This program once more, as "parent": starts a child, prints its pid and lives on. */
static int be_parent(void)
{
    uv_loop_t loop;
    struct proc *child = NULL;
    struct proc_options o = {.argv =
                                 (const char *const[]){"sh", "-c", "echo up; exec sleep 600", NULL},
                             .on_line = parent_line};
    if (uv_loop_init(&loop) != 0 || proc_start(&loop, &o, &child, NULL) != ERR_OK) {
        return 1;
    }
    printf("%d\n", proc_pid(child));
    fflush(stdout);
    return uv_run(&loop, UV_RUN_DEFAULT);
}

/* The child must end by SIGKILL; as the reaper of orphans we see how it does. */
static void wait_killed(pid_t pid)
{
    uint64_t until = uv_hrtime() + (uint64_t)PATIENCE_MS * 1000000;
    int status = 0;
    pid_t got = 0;
    while ((got = waitpid(pid, &status, WNOHANG)) != pid) {
        assert_true(got == 0 || errno == ECHILD); /* ECHILD: not ours yet */
        assert_true(uv_hrtime() < until);
        uv_run(&t.loop, UV_RUN_NOWAIT);
        sched_yield();
    }
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void test_dies_with_its_parent(void **state)
{
    (void)state;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t parent = fork();
    assert_true(parent >= 0);
    if (parent == 0) {
        dup2(fds[1], STDOUT_FILENO);
        execl("/proc/self/exe", "test_proc_uv", "parent", (char *)NULL);
        _exit(1);
    }
    close(fds[1]);
    FILE *said = fdopen(fds[0], "r");
    char line[64];
    assert_non_null(fgets(line, sizeof line, said));
    pid_t child = (pid_t)strtoull(line, NULL, 10);
    assert_true(child > 1);
    assert_non_null(fgets(line, sizeof line, said));
    assert_string_equal(line, "up\n");
    fclose(said);
    assert_int_equal(kill(child, 0), 0);
    assert_int_equal(kill(parent, SIGKILL), 0);
    int status = 0;
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_true(WIFSIGNALED(status));
    wait_killed(child);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

/* A parent that has died before the child could ask for the signal: the child does not start. */
static void test_parent_is_gone_already(void **state)
{
    (void)state;
    char path[] = "/tmp/dnsd-proc-XXXXXX";
    close(mkstemp(path));
    unlink(path);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl("/proc/self/exe", "touch", PROC_CHILD_WORD, "1", "/usr/bin/touch", "touch", path,
              (char *)NULL);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 126);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_an_environment_of_its_own(void **state)
{
    struct err_info info = {""};
    (void)state;
    setenv("DNSD_TEST_CHILD", "a b", 1);
    struct proc_options o = {
        .argv = (const char *const[]){"/bin/sh", "-c", "tr '\\0' '\\n' </proc/$$/environ", NULL},
        .env = (const char *const[]){"ONE=1", "PATH=/usr/bin:/bin", NULL},
        .on_line = on_line,
        .on_exit = on_exit_cb,
        .ctx = &t};
    assert_int_equal(proc_start(&t.loop, &o, &t.proc, &info), ERR_OK);
    run_to_end();
    unsetenv("DNSD_TEST_CHILD");
    assert_int_equal(t.count, 2);
    assert_string_equal(t.lines[0], "ONE=1");
    assert_string_equal(t.lines[1], "PATH=/usr/bin:/bin");
}

static void kill_at_first_line(void *ctx, const char *line)
{
    on_line(ctx, line);
    proc_kill(t.proc);
    proc_kill(t.proc); /* nothing more */
}

/* Gone, or not yet buried. */
static bool is_dead(const char *pid)
{
    char path[PROC_LINE_MAX + 16], line[512] = "";
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        return true;
    }
    bool read = fgets(line, sizeof line, f) != NULL;
    fclose(f);
    return !read || strstr(line, ") Z ") != NULL || strstr(line, ") X ") != NULL;
}

/* Nobody of a killed group is left, and nobody else is hit: we go on. */
static void test_a_group_is_killed(void **state)
{
    struct err_info info = {""};
    (void)state;
    struct proc_options o = {
        .argv =
            (const char *const[]){"/bin/sh", "-c", "trap '' TERM; sleep 30 & echo $!; wait", NULL},
        .group = true,
        .on_line = kill_at_first_line,
        .on_exit = on_exit_cb,
        .ctx = &t};
    assert_int_equal(proc_start(&t.loop, &o, &t.proc, &info), ERR_OK);
    assert_int_equal(getpgid(proc_pid(t.proc)), proc_pid(t.proc));
    run_to_end();
    assert_int_equal(t.signal, SIGKILL);
    assert_int_equal(t.count, 1);
    for (int i = 0; !is_dead(t.lines[0]); i++) {
        assert_true(i < PATIENCE_MS / 10);
        poll(NULL, 0, 10);
    }
}

static void test_bad_child_words(void **state)
{
    (void)state;
    static const char *const table[][3] = {
        {NULL, NULL, NULL}, {"1", NULL, NULL}, {"x", "/bin/true", "true"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        pid_t child = fork();
        if (child == 0) {
            int null = open("/dev/null", O_WRONLY);
            dup2(null, STDERR_FILENO);
            execl("/proc/self/exe", "x", PROC_CHILD_WORD, table[i][0], table[i][1], table[i][2],
                  (char *)NULL);
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(WEXITSTATUS(status), 126);
    }
}

int main(int argc, char **argv)
{
    struct proc_options o = {.argv = (const char *const[]){"/bin/true", NULL}};
    if (proc_start(NULL, &o, NULL, NULL) != ERR_BUG) { /* not without the next line */
        return 1;
    }
    proc_child_main(argc, argv);
    if (argc > 1 && strcmp(argv[1], "parent") == 0) {
        return be_parent();
    }
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    static const struct CMUnitTest tests[] = {
        T(test_lines),
        T(test_long_lines_are_cut),
        T(test_arguments_and_environment_pass),
        T(test_inherits_nothing_else),
        T(test_stop_in_order),
        T(test_stop_with_force),
        T(test_grandchild_keeps_the_pipe),
        T(test_killed_from_outside),
        T(test_no_such_program),
        T(test_not_a_program_after_all),
        T(test_dies_with_its_parent),
        T(test_parent_is_gone_already),
        T(test_an_environment_of_its_own),
        T(test_a_group_is_killed),
        T(test_bad_child_words),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
