#include "openssl_memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>

#include <cmocka.h>
#include <openssl/crypto.h>

static size_t left; /* 0: none fails */
static bool all;

static bool fails(void)
{
    return all || (left > 0 && --left == 0);
}

static void *take(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return n == 0 || fails() ? NULL : malloc(n);
}

static void *take_more(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails() ? NULL : realloc(p, n);
}

static void give(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

void openssl_memory_init(void)
{
    assert_int_equal(CRYPTO_set_mem_functions(take, take_more, give), 1);
}

static bool armed;

void openssl_memory_fail_after(size_t n)
{
    left = n + 1;
    armed = true;
}

bool openssl_memory_failed(void)
{
    bool failed = armed && left == 0;
    left = 0;
    armed = false;
    return failed;
}

void openssl_memory_gone(bool gone)
{
    all = gone;
}
