/* Millions of packets, well-formed and not, leave the heap as it was: not an octet more.
 *
 * DNSD_TEST_PACKETS says how many (10,000,000; a tenth of it under ThreadSanitizer).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dnsd/answer/answer.h"
#include "dnsd/wire/type.h"
#include "lib/buf.h"
#include "lib/str.h"
#include "memory.h"
#include "rich_zone.h"
#include "zone_build.h"

#define DIFFERENT  4096
#define PACKET_MAX 512

struct packet {
    size_t len;
    uint8_t bytes[PACKET_MAX];
};

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)((random_state >> 32) * n >> 32);
}

static void well_formed(struct packet *p)
{
    static const char *const names[] = {"alice",
                                        "nobody",
                                        "al",
                                        "gone",
                                        "loop1",
                                        "into",
                                        "x.sub",
                                        "q.wild",
                                        "a.host.wild",
                                        "types",
                                        "many",
                                        "lsc",
                                        "_acct._acme-challenge",
                                        "a.b.c.d.e.f.g.h.i.j.k",
                                        "MiXeD",
                                        "@"};
    static const uint16_t types[] = {TYPE_A,  TYPE_AAAA, TYPE_NS,  TYPE_SOA,   TYPE_TXT, TYPE_ANY,
                                     TYPE_DS, TYPE_AXFR, TYPE_OPT, TYPE_HTTPS, 65535};
    struct wire_name apex = zone_build_name(NULL, random_below(10) > 0 ? RICH_APEX : "example.net");
    struct wire_name name =
        zone_build_name(&apex, names[random_below(sizeof names / sizeof names[0])]);
    struct buf_writer w = buf_writer_of(p->bytes, sizeof p->bytes);
    bool opt = random_below(2) == 0;
    buf_put_u16(&w, (uint16_t)random_below(65536));
    buf_put(&w, "\1\0\0\1\0\0\0\0\0", 9);
    buf_put_u8(&w, opt);
    buf_put(&w, name.bytes, name.len);
    buf_put_u16(&w, types[random_below(sizeof types / sizeof types[0])]);
    buf_put_u16(&w, random_below(20) > 0 ? CLASS_IN : CLASS_CH);
    if (opt) {
        buf_put(&w, "\0\0\x29\x04\xd0\0\0\0\0\0\10\0\3\0\0\0\14\0\0", 19);
    }
    p->len = w.len;
}

static void damage(struct packet *p)
{
    for (unsigned n = random_below(4); n > 0; n--) {
        p->bytes[random_below((uint32_t)p->len)] = (uint8_t)random_below(256);
    }
    if (random_below(4) == 0) {
        p->len = random_below((uint32_t)p->len);
    }
}

static uint64_t how_many(void)
{
    const char *text = getenv("DNSD_TEST_PACKETS");
    uint32_t n;
    return text != NULL && str_parse_u32(text, UINT32_MAX, &n) ? n
           : TESTS_THREAD_SANITIZED                            ? 1000000
                                                               : 10000000;
}

static void answer_many(const char *options, uint64_t n)
{
    static struct packet packets[DIFFERENT];
    static uint8_t out[ANSWER_TCP_MAX];
    static const struct answer_config config = {.id = "core-a", .version = "1", .chaos = true};
    struct answer_counters counters = {.truncated = 0};
    struct answerer a = {.config = &config, .counters = &counters};
    struct zone *z = zone_build(options, RICH_CONTENT);
    a.snapshot = zone_commit(z, 42);
    for (unsigned i = 0; i < DIFFERENT; i++) {
        well_formed(&packets[i]);
        if (i % 2 == 0) {
            damage(&packets[i]);
        }
    }
    size_t before = memory_in_use();
    for (uint64_t i = 0; i < n; i++) {
        const struct packet *p = &packets[random_below(DIFFERENT)];
        enum answer_transport over = i % 8 == 0 ? ANSWER_TCP : i % 8 == 1 ? ANSWER_TLS : ANSWER_UDP;
        answer_query(&a, over, p->bytes, p->len, out);
    }
    assert_int_equal(memory_in_use(), before);
    uint64_t dropped = counters.dropped[ANSWER_DROP_SHORT] + counters.dropped[ANSWER_DROP_ANSWER];
    uint64_t answered = 0;
    /* It was a mixture: every kind of end was reached. */
    print_message("%llu packets, %llu of them dropped\n", (unsigned long long)n,
                  (unsigned long long)dropped);
    for (unsigned transport = 0; transport < ANSWER_TRANSPORTS; transport++) {
        answered += answer_queries_over(&counters, transport);
    }
    assert_int_equal(answered + dropped, n);
    for (unsigned rcode = 0; rcode <= 5; rcode++) {
        assert_true(rcode == 2 || answer_queries_with(&counters, rcode) > n / 1000);
    }
    zone_snapshot_unref(a.snapshot);
    zone_free(z);
}

static void the_heap_stays_as_it_was(void **state)
{
    (void)state;
    answer_many(RICH_OPTIONS, how_many());
}

/* The hash of a name is made without the heap, too. */
static void hashed_users(void **state)
{
    (void)state;
    answer_many("hashed key\n" RICH_OPTIONS, how_many() / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_heap_stays_as_it_was),
        cmocka_unit_test(hashed_users),
    };
    return cmocka_run_group_tests_name("answer/memory", tests, NULL, NULL);
}
