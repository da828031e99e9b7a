#include "proc_uv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "str.h"

#define SELF "/proc/self/exe" /* still us when the file was replaced meanwhile */

/* The exit status of a child that did not become its program, as shells have it. */
#define EXIT_NOT_FOUND  127
#define EXIT_NOT_RUN    126
#define FDS_MAX         65536 /* to close one by one, where the kernel has no close_range() */
#define SIGNALS_MAX     64
#define DRAIN_MS        1000 /* for the last words, if a grandchild keeps the pipe open */
#define CHILD_ARGS_OURS 4    /* our name, the word, our pid, the program's path */

static bool child_main_was_called;

struct proc {
    uv_process_t process;
    uv_pipe_t out;
    uv_timer_t timer; /* first for SIGKILL, then for the last words */
    unsigned open;    /* handles */
    bool exited, closing;
    bool stopping;
    bool told;  /* there is somebody to tell of the end */
    bool group; /* it leads one */
    int64_t status;
    int signal;
    void (*on_line)(void *ctx, const char *line);
    void (*on_exit)(void *ctx, int64_t status, int signal);
    void *ctx; /* borrowed */
    char line[PROC_LINE_MAX];
    size_t len;
    bool cut; /* the rest of this line is thrown away */
    char chunk[4096];
};

/* ---- in the child ---- */

_Noreturn static void child_fail(const char *path, int error)
{
    /* stderr is the pipe to the parent, which logs it. */
    fprintf(stderr, "cannot run %s: %s\n", path, strerror(error));
    fflush(stderr);
    _exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN);
}

static void clean_signals(void)
{
    for (int s = 1; s <= SIGNALS_MAX; s++) {
        signal(s,
               SIG_DFL); /* an ignored signal would stay ignored across exec; some cannot be set */
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_from_3(void)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 3U, ~0U, 0U) == 0) {
        return;
    }
#endif
    long max = sysconf(_SC_OPEN_MAX);
    max = max > 0 && max < FDS_MAX ? max : FDS_MAX;
    for (int fd = 3; fd < max; fd++) {
        close(fd);
    }
}

void proc_child_main(int argc, char **argv)
{
    child_main_was_called = true;
    if (argc < 2 || strcmp(argv[1], PROC_CHILD_WORD) != 0) {
        return;
    }
    uint32_t parent = 0;
    if (argc <= CHILD_ARGS_OURS || !str_parse_u32(argv[2], INT_MAX, &parent)) {
        fprintf(stderr, "%s is for internal use only\n", PROC_CHILD_WORD);
        _exit(EXIT_NOT_RUN);
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
        child_fail(argv[3], errno);
    }
    if (getppid() != (pid_t)parent) { /* it died before the line above */
        _exit(EXIT_NOT_RUN);
    }
    clean_signals();
    close_from_3();
    execv(argv[3], argv + CHILD_ARGS_OURS);
    child_fail(argv[3], errno);
}

/* ---- the program ---- */

/* 0, or an errno. One look at the file system, as short as the exec that follows. */
static int runnable(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return EACCES;
    }
    return access(path, X_OK) == 0 ? 0 : errno;
}

/* As execvp() would find it. */
static int search(const char *name, char out[PATH_MAX])
{
    const char *path = getenv("PATH");
    int worst = ENOENT;
    for (const char *at = path != NULL ? path : "/usr/bin:/bin"; at != NULL;) {
        const char *end = strchrnul(at, ':');
        int n = end > at ? snprintf(out, PATH_MAX, "%.*s/%s", (int)(end - at), at, name)
                         : snprintf(out, PATH_MAX, "./%s", name); /* POSIX: empty is here */
        if (n > 0 && n < PATH_MAX) {
            int error = runnable(out);
            if (error == 0) {
                return 0;
            }
            worst = error == EACCES ? EACCES : worst;
        }
        at = *end == ':' ? end + 1 : NULL;
    }
    return worst;
}

static enum err find_program(const char *name, char out[PATH_MAX], struct err_info *info)
{
    int error = 0;
    if (strchr(name, '/') == NULL) {
        error = search(name, out);
    } else if (snprintf(out, PATH_MAX, "%s", name) >= PATH_MAX) {
        error = ENAMETOOLONG;
    } else {
        error = runnable(out);
    }
    switch (error) {
    case 0:
        return ERR_OK;
    case ENOENT:
    case ENOTDIR:
        return err_set(info, ERR_NOTFOUND, "%s: no such program", name);
    case EACCES:
        return err_set(info, ERR_DENIED, "%s: not a program we may run", name);
    default:
        return err_set(info, ERR_IO, "%s: %s", name, strerror(error));
    }
}

enum err proc_find(const char *program, struct err_info *info)
{
    char path[PATH_MAX];
    return find_program(program, path, info);
}

/* ---- what it says ---- */

static void end_line(struct proc *p)
{
    while (p->len > 0 && p->line[p->len - 1] == '\r') {
        p->len--;
    }
    p->line[p->len] = '\0';
    p->len = 0;
    p->cut = false;
    if (p->on_line != NULL) {
        p->on_line(p->ctx, p->line);
    }
}

static void take(struct proc *p, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '\n') {
            end_line(p);
        } else if (p->len < sizeof p->line - 1) {
            p->line[p->len++] = bytes[i] != '\0' ? bytes[i] : '?';
        } else {
            p->cut = true;
        }
    }
}

/* ---- its end ---- */

static void on_closed(uv_handle_t *h)
{
    struct proc *p = h->data;
    if (--p->open > 0) {
        return;
    }
    void (*on_exit)(void *, int64_t, int) = p->told ? p->on_exit : NULL;
    void *ctx = p->ctx;
    int64_t status = p->status;
    int sig = p->signal;
    free(p);
    if (on_exit != NULL) {
        on_exit(ctx, status, sig);
    }
}

static void close_all(struct proc *p)
{
    if (p->closing) {
        return;
    }
    p->closing = true;
    if (p->len > 0 || p->cut) {
        end_line(p);
    }
    uv_close((uv_handle_t *)&p->process, on_closed);
    uv_close((uv_handle_t *)&p->out, on_closed);
    uv_close((uv_handle_t *)&p->timer, on_closed);
}

static void on_drained(uv_timer_t *t)
{
    close_all(t->data);
}

static void on_exited(uv_process_t *process, int64_t status, int sig)
{
    struct proc *p = process->data;
    p->exited = true;
    p->status = status;
    p->signal = sig;
    if (!uv_is_active((uv_handle_t *)&p->out)) { /* all is read */
        close_all(p);
    } else {
        uv_timer_start(&p->timer, on_drained, DRAIN_MS, 0);
    }
}

static void on_alloc(uv_handle_t *h, size_t want, uv_buf_t *buf)
{
    struct proc *p = h->data;
    (void)want;
    *buf = uv_buf_init(p->chunk, sizeof p->chunk);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct proc *p = s->data;
    if (n > 0) {
        take(p, buf->base, (size_t)n);
    } else if (n < 0) { /* its end, or a broken pipe, which is the same to us */
        uv_read_stop(s);
        if (p->exited) {
            close_all(p);
        }
    }
}

/* ---- start and stop ---- */

static struct proc *new_proc(uv_loop_t *loop, const struct proc_options *options)
{
    struct proc *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return NULL;
    }
    p->on_line = options->on_line;
    p->on_exit = options->on_exit;
    p->ctx = options->ctx;
    p->group = options->group;
    uv_timer_init(loop, &p->timer);
    uv_pipe_init(loop, &p->out, 0);
    p->timer.data = p->out.data = p->process.data = p;
    p->open = 3; /* uv_spawn() makes the process a handle even if it fails */
    return p;
}

/* All of its output through one pipe, so that lines stay in order. *write_end is the child's. */
static enum err open_pipe(struct proc *p, int *write_end, struct err_info *info)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return err_set(info, ERR_IO, "cannot open a pipe: %s", strerror(errno));
    }
    int rc = uv_pipe_open(&p->out, fds[0]);
    if (rc != 0) {
        close(fds[0]);
        close(fds[1]);
        return err_set(info, ERR_IO, "cannot open a pipe: %s", uv_strerror(rc));
    }
    *write_end = fds[1];
    return ERR_OK;
}

static int spawn(uv_loop_t *loop, struct proc *p, char **args, char **env, int out)
{
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = out},
        {.flags = UV_INHERIT_FD, .data.fd = out},
    };
    uv_process_options_t o = {.exit_cb = on_exited,
                              .file = SELF,
                              .args = args,
                              .env = env,
                              .flags = p->group ? UV_PROCESS_DETACHED : 0,
                              .stdio_count = 3,
                              .stdio = stdio};
    int rc = uv_spawn(loop, &p->process, &o);
    p->process.data = p;
    return rc;
}

/* Our name, the word, our pid, the path, then the program's own vector. Borrows all texts. */
static char **child_args(const char *const *argv, const char *path, const char *pid)
{
    size_t n = 0;
    while (argv[n] != NULL) {
        n++;
    }
    const char **args = calloc(CHILD_ARGS_OURS + n + 1, sizeof *args);
    if (args != NULL) {
        args[0] = argv[0];
        args[1] = PROC_CHILD_WORD;
        args[2] = pid;
        args[3] = path;
        memcpy(args + CHILD_ARGS_OURS, argv, n * sizeof *args);
    }
    return (char **)args; /* uv_spawn() and execv() do not write to them */
}

enum err proc_start(uv_loop_t *loop, const struct proc_options *options, struct proc **out,
                    struct err_info *info)
{
    if (!child_main_was_called) { /* the child would be this program once more, and so on */
        return err_set(info, ERR_BUG, "main() does not call proc_child_main()");
    }
    char path[PATH_MAX];
    enum err e = find_program(options->argv[0], path, info);
    if (e != ERR_OK) {
        return e;
    }
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    char **args = child_args(options->argv, path, pid);
    struct proc *p = args != NULL ? new_proc(loop, options) : NULL;
    if (p == NULL) {
        free(args);
        return err_set(info, ERR_NOMEM, "%s: no memory to start it", path);
    }
    int write_end = -1;
    e = open_pipe(p, &write_end, info);
    if (e == ERR_OK) {
        int rc = spawn(loop, p, args, (char **)options->env, write_end);
        close(write_end);
        e = rc == 0 ? ERR_OK : err_set(info, ERR_IO, "cannot start %s: %s", path, uv_strerror(rc));
    } else {
        p->open--; /* never became a handle */
    }
    free(args);
    if (e != ERR_OK) {
        if (p->open == 3) {
            uv_close((uv_handle_t *)&p->process, on_closed);
        }
        uv_close((uv_handle_t *)&p->out, on_closed);
        uv_close((uv_handle_t *)&p->timer, on_closed);
        return e;
    }
    p->told = true;
    uv_read_start((uv_stream_t *)&p->out, on_alloc, on_read);
    *out = p;
    return ERR_OK;
}

int proc_pid(const struct proc *p)
{
    return p->exited ? 0 : p->process.pid;
}

static void on_patience_over(uv_timer_t *t)
{
    struct proc *p = t->data;
    uv_process_kill(&p->process, SIGKILL);
}

void proc_stop(struct proc *p, unsigned wait_ms)
{
    if (p->stopping || p->exited) {
        return;
    }
    p->stopping = true;
    uv_process_kill(&p->process, SIGTERM);
    uv_timer_start(&p->timer, on_patience_over, wait_ms, 0);
}

void proc_kill(struct proc *p)
{
    if (p->exited) { /* its number may be somebody else's by now */
        return;
    }
    /* The leader, too: it may not have become one yet, before its exec. */
    if (p->group) {
        kill(-p->process.pid, SIGKILL);
    }
    uv_process_kill(&p->process, SIGKILL);
}
