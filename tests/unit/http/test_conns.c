/* Who is whose client, and who has to go. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/server_priv.h"
#include "lib/mem.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- clients ------------------------------------------------------------------------------- */

static struct in6_addr peer(const char *text)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        return http_peer_of((struct sockaddr *)&v4);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return http_peer_of((struct sockaddr *)&v6);
}

static uint64_t client(const char *text)
{
    struct in6_addr a = peer(text);
    return http_client_of(&a);
}

static void addresses_as_text(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"127.0.0.1", "127.0.0.1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"2001:DB8:0::1", "2001:db8::1"},
        {"::1", "::1"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    char text[HTTP_PEER_MAX];
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct in6_addr a = peer(cases[i].in);
        http_peer_text(&a, text);
        assert_string_equal(text, cases[i].out);
    }
}

static void clients_are_addresses_and_networks(void **state)
{
    (void)state;
    assert_true(client("192.0.2.1") != client("192.0.2.2"));
    assert_true(client("192.0.2.1") == client("::ffff:192.0.2.1"));
    assert_true(client("2001:db8::1") == client("2001:db8::ffff:1"));
    assert_true(client("2001:db8::1") != client("2001:db8:0:1::1"));
    /* Behind this machine's own addresses may be anybody. */
    assert_int_equal(client("127.0.0.1"), 0);
    assert_int_equal(client("127.9.9.9"), 0);
    assert_int_equal(client("::1"), 0);
    assert_int_equal(client("::ffff:127.0.0.1"), 0);
    assert_true(client("::") != 0);
    assert_true(client("::2") != 0);
}

/* ---- the book ------------------------------------------------------------------------------ */

static struct {
    uv_loop_t loop;
    struct http_server *s;
    struct http_conn c[10];
} t;

static void begin(unsigned connections, unsigned per_client)
{
    memset(&t, 0, sizeof t);
    t.s = mem_xalloc(sizeof *t.s);
    t.s->loop = &t.loop;
    t.s->limits.connections = connections;
    t.s->limits.per_client = per_client;
    t.s->bucket_key = 0x9e3779b97f4a7c15;
}

static void end(void)
{
    free(t.s);
}

/* A millisecond later there is connection I of WHOM. */
static struct http_conn *add(unsigned i, uint64_t whom, bool busy)
{
    struct http_conn *c = &t.c[i];
    t.loop.time++;
    *c = (struct http_conn){.s = t.s, .client = whom};
    http_conns_add(c);
    if (busy) {
        http_conns_list(c, true);
    }
    return c;
}

static void the_longest_idle(void **state)
{
    (void)state;
    begin(3, 9);
    assert_null(http_conns_in_the_way(t.s, 1));
    add(0, 0, false);
    add(1, 0, false);
    assert_null(http_conns_in_the_way(t.s, 1));
    add(2, 0, false);
    assert_ptr_equal(http_conns_in_the_way(t.s, 1), &t.c[0]);
    t.c[0].touched = true;
    http_conns_list(&t.c[0], false);
    assert_ptr_equal(http_conns_in_the_way(t.s, 1), &t.c[1]);
    http_conns_list(&t.c[1], false); /* nothing has happened to it */
    assert_ptr_equal(http_conns_in_the_way(t.s, 1), &t.c[1]);
    http_conns_offer(&t.c[2]);
    assert_ptr_equal(http_conns_in_the_way(t.s, 1), &t.c[2]);
    http_conns_remove(&t.c[2]);
    assert_null(http_conns_in_the_way(t.s, 1));
    end();
}

static void busy_ones_go_last(void **state)
{
    (void)state;
    begin(3, 9);
    add(0, 0, true);
    add(1, 0, true);
    add(2, 0, false);
    assert_ptr_equal(http_conns_in_the_way(t.s, 1), &t.c[2]);
    http_conns_list(&t.c[2], true);
    assert_ptr_equal(http_conns_in_the_way(t.s, 1), &t.c[0]);
    http_conns_list(&t.c[1], false);
    assert_ptr_equal(http_conns_in_the_way(t.s, 1), &t.c[1]);
    http_conns_list(&t.c[0], false); /* idle later than the other */
    assert_ptr_equal(http_conns_in_the_way(t.s, 1), &t.c[1]);
    end();
}

static void each_client_has_its_share(void **state)
{
    (void)state;
    begin(9, 3);
    add(0, 7, false);
    add(1, 8, true);
    add(2, 8, false);
    add(3, 8, false);
    assert_ptr_equal(http_conns_in_the_way(t.s, 8), &t.c[2]);
    assert_null(http_conns_in_the_way(t.s, 7));
    assert_null(http_conns_in_the_way(t.s, 9));
    http_conns_list(&t.c[2], true);
    assert_ptr_equal(http_conns_in_the_way(t.s, 8), &t.c[3]);
    http_conns_list(&t.c[3], true);
    t.loop.time++;
    assert_ptr_equal(http_conns_in_the_way(t.s, 8), &t.c[1]); /* all are busy */
    http_conns_remove(&t.c[1]);
    assert_null(http_conns_in_the_way(t.s, 8));
    /* Whoever is not bounded is so only by the whole. */
    for (unsigned i = 4; i < 10; i++) {
        add(i, 0, false);
    }
    assert_int_equal(t.s->conns, 9);
    assert_ptr_equal(http_conns_in_the_way(t.s, 0), &t.c[0]);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_as_text),
        cmocka_unit_test(clients_are_addresses_and_networks),
        cmocka_unit_test(the_longest_idle),
        cmocka_unit_test(busy_ones_go_last),
        cmocka_unit_test(each_client_has_its_share),
    };
    return cmocka_run_group_tests_name("http/conns", tests, NULL, NULL);
}
