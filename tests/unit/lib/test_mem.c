/* lib/mem: zeroed, never NULL, and a clear end when there is none left. */
#include "lib/mem.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void memory_is_zeroed_and_never_null(void **state)
{
    static const uint8_t zero[64];
    (void)state;
    uint8_t *p = mem_xalloc(sizeof zero);
    assert_memory_equal(p, zero, sizeof zero);
    memset(p, 7, sizeof zero);
    p = mem_xrealloc(p, 128);
    assert_int_equal(p[63], 7);
    free(p);
    free(mem_xalloc(0));
    free(mem_xrealloc(NULL, 0));
}

static void copies_are_copies(void **state)
{
    (void)state;
    char text[] = "abc";
    char *copy = mem_xstrdup(text);
    char *some = mem_xmemdup(text, 2);
    char *nothing = mem_xmemdup(NULL, 0);
    text[0] = 'x';
    assert_string_equal(copy, "abc");
    assert_memory_equal(some, "ab", 2);
    free(copy);
    free(some);
    free(nothing);
}

static void no_memory_is_one_line_and_an_abort(void **state)
{
    int ends[2];
    char line[512] = "";
    int status = 0;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL); /* the test runner's handler is not the daemon's */
        dup2(ends[1], STDERR_FILENO);
        volatile size_t too_much = SIZE_MAX / 2;
        free(mem_xalloc(too_much));
        _exit(0);
    }
    close(ends[1]);
    size_t len = 0;
    ssize_t n;
    while (len < sizeof line - 1 && (n = read(ends[0], line + len, sizeof line - 1 - len)) > 0) {
        len += (size_t)n;
    }
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    /* A sanitizer reports the size itself and ends the process in its own way. */
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) {
        assert_non_null(strstr(line, "error mem: out of memory, cannot go on\n"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_never_null),
        cmocka_unit_test(copies_are_copies),
        cmocka_unit_test(no_memory_is_one_line_and_an_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
