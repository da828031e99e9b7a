/* HTTP/2 used against us: each frame is legal, or nearly, and there are very many of them, or one never
 * ends. The connection ends, and nothing was spent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "h2_client.h"
#include "http/server_priv.h"
#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/mem.h"
#include "memory.h"

#define CALM NGHTTP2_ENHANCE_YOUR_CALM

static struct http_fixture f;

static const struct http_counters *counters(void)
{
    return http_fixture_counters(&f);
}

static void begin(void)
{
    http_fixture_init(&f);
    http_fixture_open(&f);
}

static void end(int fd)
{
    close(fd);
    http_fixture_until(&f, &counters()->open, 0);
    http_fixture_end(&f);
}

/* ---- floods ------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    uint8_t type, flags;
    uint32_t id;
    size_t len;
    uint8_t payload[12];
} floods[] = {
    {"PING", H2_PING, 0, 0, 8, {1}},
    {"PING, acknowledged", H2_PING, 1, 0, 8, {1}},
    {"SETTINGS", H2_SETTINGS, 0, 0, 6, {0, 3, 0, 0, 0, 100}},
    {"empty SETTINGS", H2_SETTINGS, 0, 0, 0, {0}},
    {"PRIORITY", H2_PRIORITY, 0, 9, 5, {0, 0, 0, 0, 16}},
    {"WINDOW_UPDATE", H2_WINDOW, 0, 0, 4, {0, 0, 0, 1}},
    {"empty DATA", H2_DATA, 0, 1, 0, {0}},
    {"unknown", 0x77, 0, 0, 3, {0}},
};

static void frames_that_bring_nothing(void **state)
{
    static uint8_t many[1000 * 32];
    uint8_t block[100];
    (void)state;
    begin();
    for (size_t i = 0; i < sizeof floods / sizeof floods[0]; i++) {
        size_t len = 0;
        int fd = h2_raw_open(&f);
        h2_raw_send(&f, fd, H2_HEADERS, H2_END_HEADERS, 1, block, h2_block(block, "POST", "/echo"));
        for (unsigned k = 0; k < 1000; k++) {
            len += h2_frame(many + len, floods[i].type, floods[i].flags, floods[i].id,
                            floods[i].payload, floods[i].len);
        }
        unsigned times = h2_raw_flood(&f, fd, many, len, CALM);
        print_message("%s: %u thousand\n", floods[i].name, times);
        assert_true(times < 5);
        close(fd);
    }
    assert_int_equal(f.served, 0);
    http_fixture_until(&f, &counters()->open, 0);
    http_fixture_end(&f);
}

/* A bit now and then is what clients do. */
static void not_a_flood(void **state)
{
    static uint8_t many[500 * 32];
    size_t len = 0;
    struct h2_frame *frame;
    (void)state;
    begin();
    int fd = h2_raw_open(&f);
    for (unsigned k = 0; k < 500; k++) {
        len += h2_frame(many + len, H2_PING, 0, 0, "12345678", 8);
    }
    http_fixture_send(&f, fd, many, len);
    for (unsigned pongs = 0; pongs < 500;) {
        assert_true(h2_raw_next(&f, fd, &frame));
        pongs += frame->type == H2_PING;
        assert_true(frame->type != H2_GOAWAY);
    }
    end(fd);
}

/* Nor is it one if requests go with it. */
static void frames_that_come_with_requests(void **state)
{
    struct h2_frame *frame;
    (void)state;
    begin();
    int fd = h2_raw_open(&f);
    for (uint32_t i = 0; i < 1000; i++) {
        for (unsigned k = 0; k < 4; k++) {
            h2_raw_send(&f, fd, H2_WINDOW, 0, 0, "\0\0\0\1", 4);
        }
        h2_raw_get(&f, fd, 2 * i + 1, "/now");
        do {
            assert_true(h2_raw_next(&f, fd, &frame));
        } while (frame->type != H2_DATA);
    }
    assert_int_equal(f.served, 1000);
    end(fd);
}

/* RFC 9113 §10.5, CVE-2023-44487: requests that are taken back at once. */
static void rapid_reset(void **state)
{
    (void)state;
    begin();
    int fd = h2_raw_open(&f);
    uint8_t both[200], block[100];
    size_t block_len = h2_block(block, "GET", "/keep");
    uint32_t id = 1;
    for (; !h2_raw_told(&f, fd, CALM); id += 2) {
        size_t len = h2_frame(both, H2_HEADERS, H2_BOTH, id, block, block_len);
        len += h2_frame(both + len, H2_RESET, 0, id, "\0\0\0\10", 4);
        http_fixture_send(&f, fd, both, len);
        http_fixture_turn(&f, -1);
        assert_true(id < 2000);
    }
    print_message("%u requests, %u with handlers\n", id / 2, f.served);
    assert_true(id / 2 < 200);
    assert_true(f.served <= f.limits.streams);
    end(fd);
}

/* CVE-2025-8671: the same, with resets that we are made to send. */
static void made_to_reset(void **state)
{
    static const struct {
        uint8_t type, flags;
        size_t len;
        const char *payload;
        uint32_t error; /* how the connection ends */
    } tricks[] = {
        {H2_WINDOW, 0, 4, "\x7f\xff\xff\xff", CALM},
        /* nghttp2 ends the connection at once, which is right, too. */
        {H2_DATA, 0, 3, "abc", NGHTTP2_STREAM_CLOSED},
        {H2_WINDOW, 0, 4, "\0\0\0\0", NGHTTP2_PROTOCOL_ERROR},
        {H2_HEADERS, H2_BOTH, 1, "\x82", NGHTTP2_STREAM_CLOSED},
    };
    (void)state;
    begin();
    for (size_t i = 0; i < sizeof tricks / sizeof tricks[0]; i++) {
        int fd = h2_raw_open(&f);
        uint8_t both[300], block[100], payload[8];
        size_t block_len = h2_block(block, "GET", "/keep");
        uint32_t id = 1;
        unsigned before = f.served;
        for (; !h2_raw_told(&f, fd, tricks[i].error); id += 2) {
            memcpy(payload, tricks[i].payload, tricks[i].len);
            size_t len = h2_frame(both, H2_HEADERS, H2_BOTH, id, block, block_len);
            len +=
                h2_frame(both + len, tricks[i].type, tricks[i].flags, id, payload, tricks[i].len);
            http_fixture_send(&f, fd, both, len);
            http_fixture_turn(&f, -1);
            assert_true(id < 2000);
        }
        print_message("%zu: %u requests, %u with handlers\n", i, id / 2, f.served - before);
        assert_true(f.served - before <= f.limits.streams);
        assert_true(id / 2 < 300);
        close(fd);
        while (f.kept_count > 0) {
            http_fixture_answer(&f);
        }
    }
    http_fixture_until(&f, &counters()->open, 0);
    http_fixture_end(&f);
}

static void more_streams_than_agreed(void **state)
{
    struct h2_frame *frame;
    unsigned refused = 0, answered = 0;
    (void)state;
    begin();
    int fd = h2_raw_open(&f);
    for (uint32_t i = 0; i < 60; i++) {
        h2_raw_get(&f, fd, 2 * i + 1, "/keep");
    }
    http_fixture_wait_kept(&f, 32);
    while (refused < 28) {
        assert_true(h2_raw_next(&f, fd, &frame));
        if (frame->type == H2_RESET) {
            assert_int_equal(frame->error, NGHTTP2_REFUSED_STREAM);
            refused++;
        }
    }
    while (f.kept_count > 0) {
        http_fixture_answer(&f);
    }
    while (answered < 32) {
        assert_true(h2_raw_next(&f, fd, &frame));
        answered += frame->type == H2_DATA;
    }
    end(fd);
}

/* ---- heads ------------------------------------------------------------------------------------- */

static void continuations_without_end(void **state)
{
    static const size_t lengths[] = {0, 1, 16000};
    static uint8_t many[20 * (16000 + 9)], payload[16000];
    uint8_t block[100];
    (void)state;
    begin();
    for (unsigned i = 0; i < 3; i++) {
        int fd = h2_raw_open(&f);
        h2_raw_send(&f, fd, H2_HEADERS, 0, 1, block, h2_block(block, "GET", "/now"));
        size_t field = h2_field(payload, "x-a", "b"), len = 0, at = 0;
        while (at + 2 * field <= lengths[i]) {
            memcpy(payload + (at += field), payload, field);
        }
        for (unsigned k = 0; k < 20; k++) {
            len += h2_frame(many + len, H2_CONTINUATION, 0, 1, payload, lengths[i]);
        }
        assert_true(h2_raw_flood(&f, fd, many, len, CALM) < 3);
        close(fd);
    }
    assert_int_equal(f.served, 0);
    http_fixture_until(&f, &counters()->open, 0);
    http_fixture_end(&f);
}

/* One large field in the table, then a reference of one octet to it, 16,000 times. */
static void a_bomb(void **state)
{
    static uint8_t payload[16384], value[3900];
    uint8_t *p = payload;
    (void)state;
    begin();
    int fd = h2_raw_open(&f);
    size_t len = h2_block(payload, "GET", "/now");
    p += len;
    *p++ = 0x40; /* RFC 7541 §6.2.1: for the table */
    *p++ = 3;
    memcpy(p, "x-b", 3);
    p += 3;
    *p++ = 0x7f; /* a length of seven bits, all set, and the rest of it */
    *p++ = (3900 - 127) % 128 + 128;
    *p++ = (3900 - 127) / 128;
    memset(value, 'a', sizeof value);
    memcpy(p, value, sizeof value);
    p += sizeof value;
    h2_raw_send(&f, fd, H2_HEADERS, H2_BOTH, 1, payload, (size_t)(p - payload));
    len = h2_block(payload, "GET", "/now");
    memset(payload + len, 0x80 | 62, sizeof payload - len);
    int64_t began = clk_mono_ms(&clk_system);
    h2_raw_send(&f, fd, H2_HEADERS, H2_BOTH, 3, payload, sizeof payload);
    h2_raw_expect_goaway(&f, fd, CALM);
    assert_true(clk_mono_ms(&clk_system) - began < 1000);
    assert_int_equal(f.served, 1);
    end(fd);
}

static void heads_that_stop(void **state)
{
    uint8_t block[100];
    (void)state;
    http_fixture_init(&f);
    f.limits.header_ms = 50;
    http_fixture_open(&f);
    int fd = h2_raw_open(&f);
    h2_raw_send(&f, fd, H2_HEADERS, H2_END_STREAM, 1, block, h2_block(block, "GET", "/now"));
    h2_raw_expect_goaway(&f, fd, CALM);
    assert_int_equal(counters()->timed_out, 1);
    end(fd);
}

/* In pieces of one octet, with the frame's own head before each: the body has a deadline, and the
 * frames are counted. */
static void bodies_in_drops(void **state)
{
    static uint8_t many[1000 * 10];
    uint8_t block[100];
    size_t len = 0;
    (void)state;
    begin();
    int fd = h2_raw_open(&f);
    h2_raw_send(&f, fd, H2_HEADERS, H2_END_HEADERS, 1, block, h2_block(block, "POST", "/echo"));
    for (unsigned i = 0; i < 1000; i++) {
        len += h2_frame(many + len, H2_DATA, 0, 1, "a", 1);
    }
    assert_true(h2_raw_flood(&f, fd, many, len, CALM) < 3);
    assert_int_equal(f.served, 0);
    end(fd);
}

/* ---- peers that do not read ---------------------------------------------------------------------- */

/* Writes until nothing more is taken. */
static size_t stuff(int fd, const uint8_t *bytes, size_t len)
{
    int64_t quiet_since = clk_mono_ms(&clk_system);
    size_t sent = 0, at = 0;
    while (clk_mono_ms(&clk_system) - quiet_since < 50) {
        ssize_t n = send(fd, bytes + at, len - at, MSG_NOSIGNAL);
        http_fixture_turn(&f, -1);
        if (n > 0) {
            quiet_since = clk_mono_ms(&clk_system);
            sent += (size_t)n;
            at = (at + (size_t)n) % len;
        }
    }
    return sent;
}

static void who_never_reads_is_cut_off(void **state)
{
    static const uint8_t open_wide[] = {0, 4, 0x7f, 0xff, 0xff, 0xff};
    (void)state;
    http_fixture_init(&f);
    f.limits.write_ms = 200;
    http_fixture_open(&f);
    int fd = h2_raw_open(&f);
    h2_raw_send(&f, fd, H2_SETTINGS, 0, 0, open_wide, sizeof open_wide);
    h2_raw_send(&f, fd, H2_WINDOW, 0, 0, "\x7f\0\0\0", 4);
    uint8_t many[500];
    size_t len = 0;
    for (uint32_t i = 0; i < 4; i++) {
        uint8_t block[60];
        len += h2_frame(many + len, H2_HEADERS, H2_BOTH, 2 * i + 1, block,
                        h2_block(block, "GET", "/big"));
    }
    http_fixture_send(&f, fd, many, len);
    while (f.served < 1) {
        http_fixture_turn(&f, -1);
    }
    http_fixture_until(&f, &counters()->open, 0);
    assert_true(counters()->timed_out > 0);
    end(fd);
}

/* Many large answers into windows that are closed: a few are made, the others wait for those. */
static void answers_that_nobody_takes(void **state)
{
    static const uint8_t closed[] = {0, 4, 0, 0, 0, 0};
    struct h2_frame *frame;
    (void)state;
    http_fixture_init(&f);
    f.limits.write_ms = 400;
    http_fixture_open(&f);
    int fd = http_fixture_pair(&f, 0, true);
    http_fixture_say(&f, fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    h2_raw_send(&f, fd, H2_SETTINGS, 0, 0, closed, sizeof closed);
    for (uint32_t i = 0; i < 32; i++) {
        h2_raw_get(&f, fd, 2 * i + 1, "/big");
    }
    while (f.served == 0) {
        http_fixture_turn(&f, -1);
    }
    for (unsigned i = 0; i < 20; i++) {
        http_fixture_turn(&f, -1);
    }
    assert_int_equal(f.served, 1); /* one is more than may be unsent */
    /* It takes the first; then there is the next. */
    h2_raw_send(&f, fd, H2_WINDOW, 0, 0, "\x7f\0\0\0", 4);
    h2_raw_send(&f, fd, H2_WINDOW, 0, 1, "\x7f\0\0\0", 4);
    do {
        assert_true(h2_raw_next(&f, fd, &frame));
    } while (frame->type != H2_DATA || frame->flags != H2_END_STREAM);
    assert_int_equal(frame->id, 1);
    while (f.served < 2) {
        http_fixture_turn(&f, -1);
    }
    /* Who waits for too long is told so. */
    h2_raw_send(&f, fd, H2_WINDOW, 0, 63, "\x7f\0\0\0", 4);
    do {
        assert_true(h2_raw_next(&f, fd, &frame));
    } while (frame->type != H2_DATA || frame->id != 63);
    assert_memory_equal(frame->payload, "{\"error\":{\"id\":\"busy\"", 21);
    end(fd);
}

/* The octets that all connections together may hold. */
static void bodies_that_are_announced(void **state)
{
    enum { CONNS = 40 };
    int fd[CONNS];
    uint8_t block[200];
    (void)state;
    begin();
    size_t len = h2_block(block, "POST", "/echo");
    len += h2_field(block + len, "content-length", "65536");
    for (unsigned i = 0; i < CONNS; i++) {
        fd[i] = h2_raw_open(&f);
        for (uint32_t k = 0; k < 32; k++) {
            h2_raw_send(&f, fd[i], H2_HEADERS, H2_END_HEADERS, 2 * k + 1, block, len);
        }
        http_fixture_turn(&f, -1);
        assert_true(f.server->held < HTTP_HELD_MAX + (1u << 20));
    }
    for (unsigned i = 0; i < 20; i++) {
        http_fixture_turn(&f, -1);
    }
    uint64_t refused = http_fixture_count(&f, HTTP_FIXTURE_ECHO, 503);
    assert_in_range(refused, CONNS * 32 - 1024, CONNS * 32 - 900);
    for (unsigned i = 0; i < CONNS; i++) {
        close(fd[i]);
    }
    http_fixture_until(&f, &counters()->open, 0);
    assert_int_equal(f.server->held, 0);
    http_fixture_end(&f);
}

static void pings_of_one_who_does_not_read(void **state)
{
    static uint8_t many[100 * 17];
    size_t len = 0;
    (void)state;
    begin();
    int fd = h2_raw_open(&f);
    for (unsigned i = 0; i < 100; i++) {
        len += h2_frame(many + len, H2_PING, 0, 0, "12345678", 8);
    }
    size_t before = memory_in_use();
    stuff(fd, many, len);
    assert_true(memory_in_use() < before + (1u << 20));
    end(fd);
}

/* ---- not HTTP/2 ---------------------------------------------------------------------------------- */

static void no_preface(void **state)
{
    static const char *const said[] = {"GET /now HTTP/1.1\r\nHost: x\r\n\r\n",
                                       "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET /now HTTP/1.1\r\n"};
    (void)state;
    begin();
    for (unsigned i = 0; i < 2; i++) {
        struct h2_frame *frame;
        int fd = http_fixture_pair(&f, 0, true);
        http_fixture_say(&f, fd, said[i]);
        while (h2_raw_next(&f, fd, &frame)) {
            assert_true(frame->type == H2_SETTINGS || frame->type == H2_GOAWAY);
        }
        close(fd);
    }
    http_fixture_until(&f, &counters()->open, 0);
    assert_int_equal(f.served, 0);
    http_fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_that_bring_nothing),
        cmocka_unit_test(not_a_flood),
        cmocka_unit_test(frames_that_come_with_requests),
        cmocka_unit_test(rapid_reset),
        cmocka_unit_test(made_to_reset),
        cmocka_unit_test(more_streams_than_agreed),
        cmocka_unit_test(continuations_without_end),
        cmocka_unit_test(a_bomb),
        cmocka_unit_test(heads_that_stop),
        cmocka_unit_test(bodies_in_drops),
        cmocka_unit_test(who_never_reads_is_cut_off),
        cmocka_unit_test(answers_that_nobody_takes),
        cmocka_unit_test(bodies_that_are_announced),
        cmocka_unit_test(pings_of_one_who_does_not_read),
        cmocka_unit_test(no_preface),
    };
    return cmocka_run_group_tests_name("http/h2_abuse", tests, NULL, NULL);
}
