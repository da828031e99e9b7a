/* Who is alive, by heartbeats that change or do not. */
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "dnsd/app/peers.h"

static char told[500];

static void changed(const struct peer *p, int64_t silent_ms)
{
    size_t at = strlen(told);
    snprintf(told + at, sizeof told - at, "%s%s%s %lld", at > 0 ? ", " : "", p->id,
             p->live ? "+" : "-", (long long)silent_ms);
}

static const char *judge(struct peers *p, int64_t now_ms)
{
    told[0] = '\0';
    peers_judge(p, "me", now_ms, changed);
    return told;
}

static void hear(struct peers *p, const char *id, uint64_t beat, int64_t now_ms)
{
    peers_hear(p, id, beat, 7, "00ff", "0.1.0", now_ms);
}

static void what_is_said_of_certificates(void **state)
{
    struct peers p = {.count = 0};
    (void)state;
    peers_hear_cert(&p, "b", 0, 7, "0a"); /* nobody has heard of it */
    assert_int_equal(p.count, 0);
    hear(&p, "b", 1, 1000);
    assert_int_equal(peers_find(&p, "b")->rank, UINT_MAX); /* it may be without any */
    peers_hear_cert(&p, "b", 2, 7, "0a");
    assert_int_equal(peers_find(&p, "b")->rank, 2);
    assert_int_equal(peers_find(&p, "b")->generation, 7);
    assert_string_equal(peers_find(&p, "b")->serial, "0a");
    peers_free(&p);
}

static void silence_and_return(void **state)
{
    struct peers p = {.count = 0};
    (void)state;
    peers_begin(&p);
    hear(&p, "me", 5, 1000);
    hear(&p, "b", 5, 1000);
    peers_end(&p);
    assert_string_equal("", judge(&p, 1000));
    assert_true(peers_find(&p, "b")->live);
    assert_int_equal(7, peers_find(&p, "b")->revision);
    assert_string_equal("00ff", peers_find(&p, "b")->digest);
    assert_string_equal("0.1.0", peers_find(&p, "b")->version);

    peers_begin(&p);
    hear(&p, "me", 5, 20000); /* our own may be late: we are alive */
    hear(&p, "b", 5, 20000);
    peers_end(&p);
    assert_string_equal("", judge(&p, 1000 + PEERS_SILENT_MS - 1));
    assert_string_equal("b- 20000", judge(&p, 1000 + PEERS_SILENT_MS));
    assert_string_equal("", judge(&p, 1001 + PEERS_SILENT_MS)); /* told once */
    assert_false(peers_find(&p, "b")->live);

    hear(&p, "b", 4, 50000); /* another one is enough: clocks may be set back */
    assert_string_equal("b+ 10", judge(&p, 50010));
    peers_free(&p);
}

static void nobody_is_judged_by_who_hears_nothing(void **state)
{
    struct peers p = {.count = 0};
    (void)state;
    hear(&p, "b", 1, 0);
    hear(&p, "c", 1, 0);
    assert_string_equal("b- 20000, c- 20000", judge(&p, 20000));
    hear(&p, "c", 2, 21000);
    assert_string_equal("c+ 0", judge(&p, 21000));
    peers_hold(&p, 90000); /* cut off until now */
    assert_false(peers_find(&p, "b")->live);
    assert_true(peers_find(&p, "c")->live);
    assert_string_equal("", judge(&p, 90001));
    assert_string_equal("", judge(&p, 109999));
    assert_string_equal("c- 20000", judge(&p, 110000)); /* it has had the whole time again */
    peers_free(&p);
}

static void forgotten_with_its_row(void **state)
{
    struct peers p = {.count = 0};
    (void)state;
    for (int round = 0; round < 2; round++) {
        peers_begin(&p);
        hear(&p, "a", 1, 0);
        if (round == 0) {
            hear(&p, "b", 1, 0);
        }
        hear(&p, "c", 1, 0);
        peers_end(&p);
    }
    assert_int_equal(2, p.count);
    assert_null(peers_find(&p, "b"));
    assert_non_null(peers_find(&p, "a"));
    assert_non_null(peers_find(&p, "c"));
    peers_begin(&p);
    hear(&p, "b", 1, 99000); /* a new core of that id */
    peers_end(&p);
    assert_int_equal(1, p.count);
    assert_string_equal("", judge(&p, 99000));
    peers_free(&p);
    assert_int_equal(0, p.count);
}

static void no_more_than_the_zone_can_hold(void **state)
{
    struct peers p = {.count = 0};
    char id[20];
    (void)state;
    for (int i = 0; i <= PEERS_MAX; i++) {
        snprintf(id, sizeof id, "core-%d", i);
        hear(&p, id, 1, 0);
    }
    assert_int_equal(PEERS_MAX, p.count);
    peers_free(&p);
}

static void long_texts_are_cut(void **state)
{
    struct peers p = {.count = 0};
    char text[200];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    peers_hear(&p, "a", 1, 1, text, text, 0);
    assert_int_equal(ZONE_DIGEST_TEXT - 1, strlen(p.items[0].digest));
    assert_int_equal(sizeof p.items[0].version - 1, strlen(p.items[0].version));
    peers_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_and_return),
        cmocka_unit_test(what_is_said_of_certificates),
        cmocka_unit_test(nobody_is_judged_by_who_hears_nothing),
        cmocka_unit_test(forgotten_with_its_row),
        cmocka_unit_test(no_more_than_the_zone_can_hold),
        cmocka_unit_test(long_texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
