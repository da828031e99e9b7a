/* lib/buf: the bounded reader and writer, byte order, the sticky error. */
#include "lib/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint8_t bytes[] = {0x01, 0x02, 0x03, 0x04, 0xff, 0xfe, 0xfd, 0xfc,
                                0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01};

static void reader_reads_big_endian(void **state)
{
    struct buf_reader r = buf_reader_of(bytes, sizeof bytes);
    (void)state;
    assert_int_equal(buf_u8(&r), 0x01);
    assert_int_equal(buf_u16(&r), 0x0203);
    assert_int_equal(buf_u32(&r), 0x04fffefd);
    assert_int_equal(buf_u8(&r), 0xfc);
    assert_true(buf_u64(&r) == 0x8000000000000001u);
    assert_int_equal(buf_left(&r), 0);
    assert_false(r.bad);
}

static void reading_past_the_end_is_bad_for_good(void **state)
{
    struct buf_reader r = buf_reader_of(bytes, 3);
    (void)state;
    assert_int_equal(buf_u32(&r), 0);
    assert_true(r.bad);
    assert_int_equal(buf_u8(&r), 0); /* though a byte would be there */
    assert_null(buf_take(&r, 0));
    assert_int_equal(buf_left(&r), 3);
}

static void taking_is_bounded(void **state)
{
    struct buf_reader r = buf_reader_of(bytes, sizeof bytes);
    (void)state;
    assert_ptr_equal(buf_take(&r, 4), bytes);
    assert_ptr_equal(buf_take(&r, 0), bytes + 4);
    assert_false(r.bad);
    assert_null(buf_take(&r, SIZE_MAX));
    assert_true(r.bad);
    r = buf_reader_of(bytes, 0);
    assert_non_null(buf_take(&r, 0));
    assert_null(buf_take(&r, 1));
}

static void a_u64_cut_in_the_middle_is_bad(void **state)
{
    struct buf_reader r = buf_reader_of(bytes, 7);
    (void)state;
    (void)buf_u64(&r);
    assert_true(r.bad);
}

static void writer_mirrors_the_reader(void **state)
{
    uint8_t out[sizeof bytes];
    struct buf_writer w = buf_writer_of(out, sizeof out);
    (void)state;
    buf_put_u8(&w, 0x01);
    buf_put_u16(&w, 0x0203);
    buf_put_u32(&w, 0x04fffefd);
    buf_put(&w, "\xfc", 1);
    buf_put_u64(&w, 0x8000000000000001u);
    assert_false(w.bad);
    assert_int_equal(w.len, sizeof bytes);
    assert_memory_equal(out, bytes, sizeof bytes);
}

static void what_does_not_fit_is_not_written(void **state)
{
    uint8_t out[4] = {9, 9, 9, 9};
    static const uint8_t expected[] = {0x01, 0x02, 9, 9};
    struct buf_writer w = buf_writer_of(out, 3);
    (void)state;
    buf_put_u16(&w, 0x0102);
    buf_put_u16(&w, 0x0304);
    assert_true(w.bad);
    buf_put_u8(&w, 5); /* sticky: it would fit */
    assert_null(buf_room(&w, 0));
    assert_int_equal(w.len, 2);
    assert_memory_equal(out, expected, sizeof out);
}

static void rooms_sum_does_not_overflow(void **state)
{
    uint8_t out[4];
    struct buf_writer w = buf_writer_of(out, sizeof out);
    (void)state;
    buf_put_u16(&w, 1);
    assert_null(buf_room(&w, SIZE_MAX));
    assert_true(w.bad);
}

static void fixed_places_round_trip(void **state)
{
    uint8_t p[4];
    (void)state;
    put_u16(p, 0xabcd);
    assert_int_equal(p[0], 0xab);
    assert_int_equal(get_u16(p), 0xabcd);
    put_u32(p, 0xdeadbeef);
    assert_int_equal(p[0], 0xde);
    assert_true(get_u32(p) == 0xdeadbeef);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reader_reads_big_endian),
        cmocka_unit_test(reading_past_the_end_is_bad_for_good),
        cmocka_unit_test(taking_is_bounded),
        cmocka_unit_test(a_u64_cut_in_the_middle_is_bad),
        cmocka_unit_test(writer_mirrors_the_reader),
        cmocka_unit_test(what_does_not_fit_is_not_written),
        cmocka_unit_test(rooms_sum_does_not_overflow),
        cmocka_unit_test(fixed_places_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
