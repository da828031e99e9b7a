/* lib/rng: as far as a test can say of random numbers that they are some. The bounds are so wide that
 * honest numbers cross them less than once in 10^9 runs. */
#include "lib/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void all_octets_are_filled_and_no_other(void **state)
{
    uint8_t seen[64] = {0};
    (void)state;
    for (int round = 0; round < 40; round++) { /* each octet is 0 forty times: 2^-320 */
        uint8_t out[66];
        memset(out, 0xa5, sizeof out);
        memset(out + 1, 0, 64);
        rng_bytes(out + 1, 64);
        assert_int_equal(out[0], 0xa5);
        assert_int_equal(out[65], 0xa5);
        for (size_t i = 0; i < 64; i++) {
            seen[i] |= out[i + 1];
        }
    }
    for (size_t i = 0; i < sizeof seen; i++) {
        assert_int_not_equal(seen[i], 0);
    }
    rng_bytes(seen, 0);
}

/* More than getrandom(2) gives in one piece without being interruptible. */
static void a_large_piece_is_whole(void **state)
{
    static uint8_t large[100000];
    size_t zeros = 0;
    (void)state;
    rng_bytes(large, sizeof large);
    for (size_t i = 0; i < sizeof large; i++) {
        zeros += large[i] == 0;
    }
    assert_in_range(zeros, 200, 600); /* 391, give or take 20 */
}

static void hex_has_its_digits_and_an_end(void **state)
{
    char a[33], b[33];
    unsigned count[256] = {0};
    (void)state;
    for (int round = 0; round < 100; round++) {
        memset(a, 'x', sizeof a);
        rng_hex(a, 16);
        assert_int_equal(strlen(a), 32);
        assert_int_equal(strspn(a, "0123456789abcdef"), 32);
        for (size_t i = 0; i < 32; i++) {
            count[(uint8_t)a[i]]++;
        }
    }
    for (const char *c = "0123456789abcdef"; *c != '\0'; c++) {
        assert_in_range(count[(uint8_t)*c], 100, 300); /* 200, give or take 14 */
    }
    rng_hex(b, 16);
    assert_string_not_equal(a, b);
    rng_hex(a, 0);
    assert_string_equal(a, "");
}

static void below_is_even(void **state)
{
    unsigned count[6] = {0};
    (void)state;
    for (int i = 0; i < 6000; i++) {
        uint64_t n = rng_below(6);
        assert_true(n < 6);
        count[n]++;
    }
    for (size_t i = 0; i < 6; i++) {
        assert_in_range(count[i], 800, 1200); /* 1000, give or take 29 */
    }
    assert_int_equal(rng_below(1), 0);
}

/* Of three quarters of 2^64, a plain remainder would give the lowest third twice as often. */
static void below_is_even_when_large(void **state)
{
    const uint64_t below = UINT64_C(3) << 62;
    unsigned low = 0;
    (void)state;
    for (int i = 0; i < 6000; i++) {
        uint64_t n = rng_below(below);
        assert_true(n < below);
        low += n < below / 3;
    }
    assert_in_range(low, 1700, 2300); /* 2000, give or take 37; 3000 with a plain remainder */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_octets_are_filled_and_no_other),
        cmocka_unit_test(a_large_piece_is_whole),
        cmocka_unit_test(hex_has_its_digits_and_an_end),
        cmocka_unit_test(below_is_even),
        cmocka_unit_test(below_is_even_when_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
