/* What frames cost, however they are cut. */
#include "http/h2_frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

static size_t put(uint8_t *out, size_t len, uint8_t type, uint8_t flags)
{
    memset(out, 0xff, 9 + len); /* the inside of a frame may look like anything */
    out[0] = (uint8_t)(len >> 16);
    out[1] = (uint8_t)(len >> 8);
    out[2] = (uint8_t)len;
    out[3] = type;
    out[4] = flags;
    return 9 + len;
}

static void each_kind(void **state)
{
    static const struct {
        size_t len;
        uint8_t type, flags;
        unsigned cost;
    } cases[] = {
        {0, 4, 0, 2},  {6, 4, 1, 2},     {8, 6, 0, 1},   {5, 2, 0, 1},    {4, 3, 0, 10},
        {4, 8, 0, 1},  {0, 9, 4, 1},     {8, 7, 0, 1},   {3, 0x77, 0, 1}, {0, 0, 0, 1},
        {1, 0, 0, 1},  {255, 0, 0, 1},   {256, 0, 0, 0}, {0, 0, 1, 0},    {1, 0, 9, 0},
        {30, 1, 5, 0}, {70000, 0, 0, 0}, {300, 1, 0, 0},
    };
    static uint8_t frame[9 + 70000];
    struct h2_frames f;
    (void)state;
    h2_frames_init(&f);
    assert_int_equal(h2_frames_cost(&f, (const uint8_t *)PREFACE, 24), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t n = put(frame, cases[i].len, cases[i].type, cases[i].flags);
        assert_int_equal(h2_frames_cost(&f, frame, n), cases[i].cost);
    }
}

static void cut_anywhere(void **state)
{
    uint8_t all[400];
    size_t len = 24;
    (void)state;
    memcpy(all, PREFACE, 24);
    len += put(all + len, 18, 4, 0);
    len += put(all + len, 40, 1, 4);
    len += put(all + len, 260, 0, 0);
    len += put(all + len, 4, 3, 0);
    len += put(all + len, 0, 0, 0);
    for (size_t piece = 1; piece <= len; piece++) {
        struct h2_frames f;
        unsigned sum = 0;
        h2_frames_init(&f);
        for (size_t at = 0; at < len; at += piece) {
            sum += h2_frames_cost(&f, all + at, len - at < piece ? len - at : piece);
        }
        assert_int_equal(sum, 2 + 10 + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind),
        cmocka_unit_test(cut_anywhere),
    };
    return cmocka_run_group_tests_name("http/h2_frames", tests, NULL, NULL);
}
