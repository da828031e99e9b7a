/* Requests while memory runs out: each allocation of http/head and http/h1 fails in turn, and the
 * request is refused with 503; the same octets afterwards are read as ever. What is freed was wiped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "memory.h"

static unsigned allocations; /* since the last start() */
static unsigned failing;     /* this one and all behind it; 0: none */

static bool fails(void)
{
    allocations++;
    return failing != 0 && allocations >= failing;
}

/* All there is at a time: a room, a line, and a second one while they grow. */
static struct {
    char *at;
    size_t size;
} blocks[4];

static void *counted_malloc(size_t n)
{
    unsigned i = 0;
    if (fails()) {
        return NULL;
    }
    while (blocks[i].at != NULL) {
        assert_in_range(++i, 0, sizeof blocks / sizeof blocks[0] - 1);
    }
    blocks[i].at = calloc(1, n);
    blocks[i].size = n;
    assert_non_null(blocks[i].at);
    return blocks[i].at;
}

/* What is given back was wiped: Authorization is among what is read. */
static void wiped_free(void *p)
{
    unsigned i = 0;
    if (p == NULL) {
        return;
    }
    while (blocks[i].at != p) {
        assert_in_range(++i, 0, sizeof blocks / sizeof blocks[0] - 1);
    }
    for (size_t at = 0; at < blocks[i].size; at++) {
        assert_int_equal(blocks[i].at[at], 0);
    }
    free(p);
    blocks[i].at = NULL;
}

/* The sources themselves, with our allocator in place of the C library's. */
#define malloc counted_malloc
#define free   wiped_free
#include "http/head.c"
#include "http/h1.c"
#undef malloc
#undef free

#define MAX   16384
#define PIECE 700

static struct {
    struct h1 h1;
    struct http_head head;
    char request[8000];
    size_t len;
} t;

/* Reads the request in pieces, up to its end or a refusal. */
static enum h1_event read_request(unsigned which)
{
    const uint8_t *piece;
    size_t piece_len;
    size_t at = 0;
    allocations = 0;
    failing = which;
    h1_init(&t.h1, MAX);
    http_head_init(&t.head, MAX);
    for (;;) {
        size_t used;
        size_t n = t.len - at < PIECE ? t.len - at : PIECE;
        enum h1_event event =
            h1_read(&t.h1, &t.head, (const uint8_t *)t.request + at, n, &used, &piece, &piece_len);
        at += used;
        if (event == H1_BAD || event == H1_END) {
            assert_true(event == H1_BAD || at == t.len);
            return event;
        }
        assert_true(event != H1_MORE || at < t.len);
    }
}

static void fini(void)
{
    http_head_fini(&t.head);
    h1_fini(&t.h1);
}

static void each_allocation(void **state)
{
    size_t before = memory_in_use();
    (void)state;
    t.len = (size_t)snprintf(
        t.request, sizeof t.request,
        "POST http://a/%0600d HTTP/1.1\r\nHost: a\r\nX: %01500d\r\nY: %03000d\r\n"
        "Transfer-Encoding: chunked\r\n\r\n1;%0200d\r\na\r\n0\r\nZ: %01000d\r\n\r\n",
        0, 0, 0, 0, 0);
    assert_true(t.len < sizeof t.request);
    assert_int_equal(read_request(0), H1_END);
    unsigned all = allocations;
    fini();
    assert_true(all >= 6); /* of both, and while they grow */
    for (unsigned i = 1; i <= all; i++) {
        assert_int_equal(read_request(i), H1_BAD);
        assert_int_equal(t.h1.status, 503);
        assert_int_equal(allocations, i); /* nothing is tried again */
        fini();
        assert_int_equal(memory_in_use(), before);
    }
    assert_int_equal(read_request(all + 1), H1_END);
    assert_int_equal(t.head.count, 4);
    assert_string_equal(t.head.host, "a");
    fini();
    assert_int_equal(memory_in_use(), before);
}

static void authority(void **state)
{
    (void)state;
    allocations = 0;
    failing = 1;
    http_head_init(&t.head, MAX);
    assert_int_equal(http_head_authority(&t.head, "a", 1), 503);
    assert_null(t.head.host);
    assert_int_equal(http_head_target(&t.head, "/", 1), 503);
    assert_null(t.head.target);
    assert_int_equal(http_head_field(&t.head, "a", 1, "b", 1, true), 503);
    assert_int_equal(t.head.count, 0);
    http_head_fini(&t.head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation),
        cmocka_unit_test(authority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
