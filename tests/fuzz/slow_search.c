/* slow_search [SECONDS [SEED]]: looks for the slowest packet that answer_query() can be given.
 *
 * The zone is as nasty as the door lets it be: owners of 40 labels, wildcards below them, chains of
 * 16 aliases between such names, sets of 100 values, delegations of 100 name servers with their
 * addresses, one of them as deep as the owners, one of name servers that each must be looked for
 * among the users, and many users, so that nothing stays in the caches. A population of packets is
 * mutated for SECONDS (60); the slowest survive. The cost of a packet is the median of REPEATS
 * calls, each after other packets of the population. All of it twice: users in clear, and hashed.
 *
 * Prints the slowest packets of UDP and of TCP (whose answers may be 50 times larger) in
 * microseconds and hex. Exit 1 if one of UDP costs more than SLOW_LIMIT_US, where the build defines
 * it (a release):
 *   cmake --preset release -B build/slow -DDNSD_TESTS=ON
 *   cmake --build build/slow --target slow_search && build/slow/slow_search
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dnsd/answer/answer.h"
#include "dnsd/wire/type.h"
#include "lib/buf.h"
#include "lib/str.h"
#include "zone_build.h"

#define POPULATION 64
#define REPEATS    9
#define FINAL      201 /* calls of the last measurement */
#define PACKET_MAX 1500
#define USERS      100000
#define DEEP       40
#define CHAIN      16
#define MANY       100
#define GHOSTS     48 /* as many as fit into one answer of UDP */

struct candidate {
    size_t len;
    double us;
    uint8_t bytes[PACKET_MAX];
};

struct search {
    const char *name;
    enum answer_transport transport;
    struct candidate all[POPULATION];
};

static struct answer_counters counters;
static const struct answer_config config = {
    .id = "core-a", .version = "dnsd 0.1", .chaos = true, .keepalive_ds = 100};
static struct answerer answerer = {.config = &config, .counters = &counters};
static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)((random_state >> 32) * n >> 32);
}

/* ---- the zone ------------------------------------------------------------------------------ */

/* "d01.d02. ... .d39": labels FIRST to DEEP - 1 of a deep name; KIND makes it another name. */
static void put_deep(struct str *s, char kind, unsigned first)
{
    for (unsigned i = first; i < DEEP; i++) {
        str_appendf(s, "%c%02u%s", kind, i, i + 1 < DEEP ? "." : "");
    }
}

static void put_chain(struct str *s)
{
    for (unsigned i = 0; i < CHAIN; i++) {
        str_appendf(s, "record c%02u.", i);
        put_deep(s, 'k', 1);
        str_appendf(s, " CNAME - c%02u.", i + 1);
        put_deep(s, 'k', 1);
        str_append(s, ".mc.example.com.\n");
    }
    str_appendf(s, "record c%02u.", CHAIN);
    put_deep(s, 'k', 1);
    str_append(s, " A - 192.0.2.1\n");
}

static void put_sets(struct str *s)
{
    for (unsigned i = 0; i < MANY; i++) {
        str_appendf(s, "record many A - 192.0.2.%u\n", i);
        str_appendf(s, "record many AAAA - 2001:db8::%x\n", i + 1);
        str_appendf(s, "record many MX - %u mail-%u\n", i, i);
        str_appendf(s, "record many TXT - %0200u\n", i);
        str_appendf(s, "record few%u MX - %u mail-%u\n", i % 4, i, i);
    }
    for (unsigned i = 0; i < 70; i++) {
        str_appendf(s, "record some A - 192.0.2.%u\n", i);
    }
}

/* COUNT name servers at OWNER, each with addresses below it. */
static void put_cut(struct str *s, const char *owner, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        str_appendf(s, "record %s NS - n%u.%s.mc.example.com.\n", owner, i, owner);
        str_appendf(s, "record n%u.%s A - 192.0.2.%u\n", i, owner, i);
        str_appendf(s, "record n%u.%s AAAA - 2001:db8::%x\n", i, owner, i + 1);
    }
}

static struct zone *nasty_zone(const char *options)
{
    struct str s = {.text = NULL};
    struct str deep = {.text = NULL};
    struct zone *z;
    char name[32], row[USER_TOKEN_TEXT];
    str_append(&s, "core core-a ip=192.0.2.1 ipv6=2001:db8::1\n");
    str_append(&s, "record ");
    put_deep(&s, 'd', 0);
    str_append(&s, " TXT - deep\nrecord *.");
    put_deep(&s, 'd', 5);
    str_append(&s, " CNAME - c00.");
    put_deep(&s, 'k', 1);
    str_append(&s, ".mc.example.com.\n");
    put_chain(&s);
    put_sets(&s);
    for (unsigned i = 0; i < GHOSTS; i++) {
        str_appendf(&s, "record ghosts NS - ghost-%u\n", i);
    }
    z = zone_build(options, s.text);
    const struct zone_snapshot *first = zone_commit(z, 1);
    const struct digest_hmac *key = first->user_key;
    zone_snapshot_unref(first);
    put_deep(&deep, 'x', 3);
    s.len = 0;
    put_cut(&s, "cut", MANY);
    zone_build_add(z, s.text);
    s.len = 0;
    put_cut(&s, deep.text, 20);
    put_cut(&s, "cut20", 20);
    zone_build_add(z, s.text);
    for (unsigned i = 0; i < USERS; i++) {
        snprintf(name, sizeof name, "user-%u", i);
        zone_build_user(key, name, row);
        if (zone_user_put(z, row, "core-a", NULL) != ERR_OK) {
            abort();
        }
    }
    str_free(&s);
    str_free(&deep);
    return z;
}

/* ---- packets ------------------------------------------------------------------------------- */

static const uint16_t types[] = {TYPE_A,   TYPE_AAAA,  TYPE_TXT, TYPE_MX, TYPE_NS,
                                 TYPE_SOA, TYPE_CNAME, TYPE_ANY, TYPE_DS, TYPE_CAA};

/* Names to begin with: those of the zone, and beside and below them. */
static void random_name(struct str *s)
{
    static const char *const shallow[] = {"many",   "some",  "few1",    "cut",     "x.cut",
                                          "n1.cut", "cut20", "y.cut20", "user-7",  "nobody",
                                          "lsc",    "dns1",  "ghosts",  "z.ghosts"};
    static const char kinds[] = "dkx";
    s->len = 0;
    if (random_below(3) == 0) {
        str_append(s, shallow[random_below(sizeof shallow / sizeof shallow[0])]);
    } else {
        unsigned below = random_below(30);
        for (unsigned i = 0; i < below; i++) {
            str_append(s, "q.");
        }
        if (random_below(2) == 0) {
            str_appendf(s, "c%02u.", random_below(CHAIN));
        }
        put_deep(s, kinds[random_below(3)], random_below(8));
    }
    str_append(s, ".mc.example.com.");
}

static void put_opt(struct buf_writer *w)
{
    unsigned options = random_below(4) == 0 ? 64 : random_below(3);
    buf_put(w, "\0\0\x29\x04\xd0\0\0\0\0", 9);
    buf_put_u16(w, (uint16_t)(options * 4));
    for (unsigned i = 0; i < options; i++) {
        buf_put(w, i % 2 == 0 ? "\0\3\0\0" : "\0\13\0\0", 4);
    }
}

/* Records in front of the OPT that cost reading: owners of many labels. */
static void put_others(struct buf_writer *w, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        for (unsigned labels = 0; labels < 50; labels++) {
            buf_put(w, "\1q", 2);
        }
        buf_put(w, "\xc0\x0c\0\1\0\1\0\0\0\0\0\0", 12);
    }
}

static void random_packet(struct candidate *c)
{
    struct str text = {.text = NULL};
    struct wire_name name;
    struct buf_writer w = buf_writer_of(c->bytes, sizeof c->bytes);
    unsigned others = random_below(8) == 0 ? random_below(8) : 0;
    bool opt = random_below(4) != 0;
    do {
        random_name(&text);
    } while (wire_name_from_text(text.text, NULL, &name, NULL) != ERR_OK);
    buf_put(&w, "\x12\x34\1\0\0\1\0\0\0\0\0", 11);
    buf_put_u8(&w, (uint8_t)(others + opt));
    buf_put(&w, name.bytes, name.len);
    buf_put_u16(&w, types[random_below(sizeof types / sizeof types[0])]);
    buf_put_u16(&w, CLASS_IN);
    put_others(&w, others);
    if (opt) {
        put_opt(&w);
    }
    c->len = w.len;
    str_free(&text);
}

static void mutate(struct candidate *c, const struct candidate *other)
{
    unsigned n = 1 + random_below(3);
    for (unsigned i = 0; i < n; i++) {
        size_t at = 12 + random_below((uint32_t)(c->len - 12));
        switch (random_below(4)) {
        case 0:
            c->bytes[at] = (uint8_t)random_below(256);
            break;
        case 1:
            c->bytes[at] ^= (uint8_t)(1u << random_below(8));
            break;
        case 2: /* the tail of another one */
            if (other->len > at) {
                memcpy(c->bytes + at, other->bytes + at, other->len - at);
                c->len = other->len;
            }
            break;
        default:
            c->bytes[11] = (uint8_t)random_below(9);
        }
    }
}

/* ---- measuring ----------------------------------------------------------------------------- */

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Between two calls comes another packet, as it would on the wire. */
static double measure(struct search *s, const struct candidate *c, unsigned repeats)
{
    static uint8_t out[ANSWER_TCP_MAX];
    double us[FINAL];
    for (unsigned i = 0; i < repeats; i++) {
        const struct candidate *other = &s->all[random_below(POPULATION)];
        answer_query(&answerer, s->transport, other->bytes, other->len, out);
        double before = now_us();
        answer_query(&answerer, s->transport, c->bytes, c->len, out);
        us[i] = now_us() - before;
    }
    qsort(us, repeats, sizeof us[0], by_value);
    return us[repeats / 2];
}

/* Replaces the quickest by C if that is slower; equal ones would crowd the population out. */
static void compete(struct search *s, const struct candidate *c)
{
    unsigned quickest = 0;
    for (unsigned i = 0; i < POPULATION; i++) {
        if (s->all[i].len == c->len && memcmp(s->all[i].bytes, c->bytes, c->len) == 0) {
            return;
        }
        quickest = s->all[i].us < s->all[quickest].us ? i : quickest;
    }
    if (c->us > s->all[quickest].us) {
        s->all[quickest] = *c;
    }
}

static uint64_t look(struct search *s, double until_us)
{
    uint64_t tried = 0;
    for (unsigned i = 0; i < POPULATION; i++) {
        random_packet(&s->all[i]);
    }
    for (unsigned i = 0; i < POPULATION; i++) {
        s->all[i].us = measure(s, &s->all[i], REPEATS);
    }
    for (; now_us() < until_us; tried++) {
        struct candidate c;
        if (tried % 3 == 0) {
            random_packet(&c);
        } else {
            c = s->all[random_below(POPULATION)];
            mutate(&c, &s->all[random_below(POPULATION)]);
        }
        c.us = measure(s, &c, REPEATS);
        compete(s, &c);
        if (tried % 1000 == 0) { /* who was lucky once is measured again */
            unsigned i = random_below(POPULATION);
            s->all[i].us = measure(s, &s->all[i], REPEATS);
        }
    }
    return tried;
}

/* The slowest, after all have been measured at length. */
static double report(struct search *s, uint64_t tried)
{
    const struct candidate *slowest = &s->all[0];
    for (unsigned i = 0; i < POPULATION; i++) {
        s->all[i].us = measure(s, &s->all[i], FINAL);
        slowest = s->all[i].us > slowest->us ? &s->all[i] : slowest;
    }
    printf("%s: %.2f us, the slowest of %llu packets:\n", s->name, slowest->us,
           (unsigned long long)tried);
    for (size_t i = 0; i < slowest->len; i++) {
        printf("%02x", slowest->bytes[i]);
    }
    printf("\n");
    return slowest->us;
}

/* The slowest packet of UDP. */
static double search(const char *mode, const char *options, double seconds)
{
    static struct search udp, tcp;
    struct zone *z = nasty_zone(options);
    udp = (struct search){.name = "udp", .transport = ANSWER_UDP};
    tcp = (struct search){.name = "tcp", .transport = ANSWER_TCP};
    answerer.snapshot = zone_commit(z, 2);
    printf("users %s\n", mode);
    double start = now_us();
    uint64_t tried = look(&udp, start + seconds * 0.75e6);
    double us = report(&udp, tried);
    tried = look(&tcp, start + seconds * 1e6);
    report(&tcp, tried);
    zone_snapshot_unref(answerer.snapshot);
    zone_free(z);
    return us;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 60;
    random_state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    double clear = search("in clear", "apex mc.example.com\n", seconds / 2);
    double hashed = search("hashed", "hashed key\napex mc.example.com\n", seconds / 2);
    double us = clear > hashed ? clear : hashed;
#ifdef SLOW_LIMIT_US
    if (us > SLOW_LIMIT_US) {
        printf("more than %d us\n", SLOW_LIMIT_US);
        return 1;
    }
#endif
    return us > 0 ? 0 : 1;
}
