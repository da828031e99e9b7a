/* A child process on a loop: started, its output read line by line, its end told, stopped in order.
 *
 * The child dies with us: it is started through our own program (argument PROC_CHILD_WORD, handled
 * by proc_child_main() first thing in main()), which asks the kernel for SIGKILL at its parent's
 * death and then becomes the wanted program. It inherits no file descriptor but 0 (empty), 1 and 2
 * (the pipe to us), a clean signal mask and, unless it is given another, the environment.
 *
 * Threads: the loop's. The process must be started from the thread that will live as long as the
 * program (the kernel's promise is about the parent's thread), and SIGCHLD must not be blocked.
 */
#ifndef LIB_PROC_UV_H
#define LIB_PROC_UV_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "err.h"

#define PROC_CHILD_WORD "--as-child"
#define PROC_LINE_MAX   1024 /* longer lines are cut */

struct proc;

/* If ARGV says that this process is to become a child's program: does not return but to exit. */
void proc_child_main(int argc, char **argv);

struct proc_options {
    const char *const *argv; /* argv[0]: a path, or a name looked up in PATH. Copied */
    const char *const
        *env;   /* "NAME=value", ..., NULL: all of its environment; NULL: ours. Copied */
    bool group; /* a session and a process group of its own */
    void (*on_line)(void *ctx, const char *line); /* of stdout and stderr; may be NULL */
    /* It has ended and all it said was read. SIGNAL 0: exited with STATUS. May not start another
     * operation on the struct proc, which is gone afterwards. */
    void (*on_exit)(void *ctx, int64_t status, int signal);
    void *ctx; /* borrowed */
};
/* ERR_NOTFOUND: no such program; ERR_DENIED: not one we may run; ERR_IO; ERR_NOMEM; ERR_BUG: main()
 * has not called proc_child_main(). What only the kernel finds wrong with the program (no such
 * interpreter) is a line, and status 127 or 126. */
enum err proc_start(uv_loop_t *loop, const struct proc_options *options, struct proc **out,
                    struct err_info *info) MUST_USE;
/* Whether there is such a program, as proc_start() would say. Looks at the file system. */
enum err proc_find(const char *program, struct err_info *info) MUST_USE;
int proc_pid(const struct proc *p); /* 0: it has ended */
/* SIGTERM now, SIGKILL after WAIT_MS; on_exit() comes as always. Idempotent. */
void proc_stop(struct proc *p, unsigned wait_ms);
/* SIGKILL now, to its whole group if it has one of its own; on_exit() comes as always. */
void proc_kill(struct proc *p);

#endif
