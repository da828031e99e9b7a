/* Addresses, and sockets that can and cannot be had: each refusal names address, port and remedy.
 */
#include "dnsd/net/net.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void addresses(void **state)
{
    static const struct {
        const char *ip;
        uint16_t port;
        const char *text; /* NULL: refused */
    } rows[] = {
        {"192.0.2.1", 53, "192.0.2.1:53"},
        {"0.0.0.0", 65535, "0.0.0.0:65535"},
        {"2001:db8::1", 5300, "[2001:db8::1]:5300"},
        {"2001:DB8:0:0:0:0:0:1", 1, "[2001:db8::1]:1"},
        {"::", 53, "[::]:53"},
        {"::ffff:192.0.2.1", 53, "[::ffff:192.0.2.1]:53"},
        {"", 53, NULL},
        {"localhost", 53, NULL},
        {"192.0.2", 53, NULL},
        {"192.0.2.256", 53, NULL},
        {"192.0.2.1:53", 53, NULL},
        {"[::1]", 53, NULL},
        {"fe80::1%lo", 53, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct net_address a;
        char text[NET_ADDRESS_TEXT_MAX];
        enum err e = net_address_parse(rows[i].ip, rows[i].port, &a);
        assert_int_equal(e, rows[i].text != NULL ? ERR_OK : ERR_MALFORMED);
        if (e == ERR_OK) {
            net_address_text(&a, text);
            assert_string_equal(text, rows[i].text);
        }
    }
}

static struct net_address address_of(const char *ip, uint16_t port)
{
    struct net_address a;
    assert_int_equal(net_address_parse(ip, port, &a), ERR_OK);
    return a;
}

static unsigned open_files(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d) != NULL) {
        n++;
    }
    closedir(d);
    return n;
}

static uint16_t port_of(const struct net_address *a)
{
    return ntohs(a->sa.ss_family == AF_INET ? ((const struct sockaddr_in *)&a->sa)->sin_port
                                            : ((const struct sockaddr_in6 *)&a->sa)->sin6_port);
}

static uint16_t local_port(int fd)
{
    struct net_address a;
    socklen_t len = sizeof a.sa;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a.sa, &len), 0);
    return port_of(&a);
}

static void one_port_for_all(void **state)
{
    struct net_address both[] = {address_of("127.0.0.1", 0), address_of("::1", 0)};
    struct net_sockets s;
    struct err_info info = {.text = ""};
    unsigned before = open_files();
    (void)state;
    assert_int_equal(net_sockets_bind(both, 2, 3, &s, &info), ERR_OK);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.workers, 3);
    uint16_t port = port_of(&s.bound[0].address);
    assert_int_not_equal(port, 0);
    for (size_t i = 0; i < s.count; i++) {
        assert_int_equal(port_of(&s.bound[i].address), port);
        for (unsigned j = 0; j < s.workers; j++) {
            assert_int_equal(local_port(s.bound[i].udp[j]), port);
            assert_int_equal(local_port(s.bound[i].tcp[j]), port);
        }
    }
    assert_int_equal(open_files(), before + 2 * 2 * 3);
    net_sockets_close(&s);
    assert_int_equal(open_files(), before);
}

/* TLS has a port of its own, and sockets for connections only, in shares of their own. */
static void another_port_for_tls(void **state)
{
    (void)state;
    for (unsigned order = 0; order < 2; order++) {
        struct net_address four[] = {address_of("127.0.0.1", 0), address_of("127.0.0.1", 0),
                                     address_of("::1", 0), address_of("::1", 0)};
        struct net_sockets s;
        struct err_info info = {.text = ""};
        unsigned before = open_files();
        four[order].tls = four[2 + order].tls = true;
        assert_int_equal(net_sockets_bind(four, 4, 3, &s, &info), ERR_OK);
        assert_int_equal(s.tls_workers, NET_TLS_WORKERS);
        uint16_t plain = port_of(&s.bound[1 - order].address);
        uint16_t tls = port_of(&s.bound[order].address);
        assert_true(plain != 0 && tls != 0 && plain != tls);
        for (size_t i = 0; i < s.count; i++) {
            const struct net_bound *b = &s.bound[i];
            assert_int_equal(b->address.tls, i % 2 == order);
            assert_int_equal(port_of(&b->address), b->address.tls ? tls : plain);
            for (unsigned share = 0; share < 3 + NET_TLS_WORKERS; share++) {
                bool here = b->address.tls == (share >= 3);
                assert_int_equal(b->tcp[share] >= 0, here);
                assert_int_equal(b->udp[share] >= 0, here && !b->address.tls);
                assert_true(!here || local_port(b->tcp[share]) == port_of(&b->address));
            }
        }
        assert_int_equal(open_files(), before + 2 * (2 * 3) + 2 * NET_TLS_WORKERS);
        net_sockets_close(&s);
        assert_int_equal(open_files(), before);
    }
}

static void no_more_tls_workers_than_others(void **state)
{
    struct net_address a = address_of("127.0.0.1", 0);
    struct net_sockets s;
    (void)state;
    a.tls = true;
    assert_int_equal(net_sockets_bind(&a, 1, 1, &s, NULL), ERR_OK);
    assert_int_equal(s.tls_workers, 1);
    net_sockets_close(&s);
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void replies_are_never_fragments(void **state)
{
    struct net_address both[] = {address_of("0.0.0.0", 0), address_of("::1", 0)};
    struct net_sockets s;
    (void)state;
    assert_int_equal(net_sockets_bind(both, 2, 1, &s, NULL), ERR_OK);
    int v4 = s.bound[0].udp[0], v6 = s.bound[1].udp[0];
    assert_int_equal(option(v4, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_OMIT);
    assert_int_equal(option(v4, IPPROTO_IP, IP_PKTINFO), 1); /* bound to any: who was asked? */
    assert_int_equal(option(v6, IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_OMIT);
    assert_int_equal(option(v6, IPPROTO_IPV6, IPV6_V6ONLY), 1);
    assert_int_equal(option(v6, IPPROTO_IPV6, IPV6_RECVPKTINFO), 0);
    net_sockets_close(&s);
}

/* Binds ADDRESS, must fail with E, and the reason must have all of WORDS. */
static void expect_refused(struct net_address address, enum err e, const char *const *words)
{
    struct net_sockets s;
    struct err_info info = {.text = ""};
    unsigned before = open_files();
    assert_int_equal(net_sockets_bind(&address, 1, 2, &s, &info), e);
    for (; *words != NULL; words++) {
        if (strstr(info.text, *words) == NULL) {
            fail_msg("\"%s\" does not say \"%s\"", info.text, *words);
        }
    }
    assert_int_equal(open_files(), before);
}

static void somebody_else_has_the_port(void **state)
{
    static const int types[] = {SOCK_DGRAM, SOCK_STREAM};
    static const char *const kinds[] = {"udp", "tcp"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct net_address a = address_of("127.0.0.1", 0);
        char text[NET_ADDRESS_TEXT_MAX];
        int fd = socket(AF_INET, types[i], 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&a.sa, sizeof(struct sockaddr_in)), 0);
        if (types[i] == SOCK_STREAM) {
            assert_int_equal(listen(fd, 1), 0);
        }
        a = address_of("127.0.0.1", local_port(fd));
        net_address_text(&a, text);
        expect_refused(a, ERR_BUSY,
                       (const char *const[]){text, kinds[i], "ss -lnp", "dns.port", NULL});
        if (types[i] == SOCK_STREAM) {
            a.tls = true;
            expect_refused(a, ERR_BUSY, (const char *const[]){text, "(tls)", "http.dotPort", NULL});
        }
        close(fd);
    }
}

/* SO_REUSEPORT would let it in, and each would get half of the packets. */
static void a_second_dnsd(void **state)
{
    struct net_address a = address_of("127.0.0.1", 0);
    struct net_sockets s;
    (void)state;
    assert_int_equal(net_sockets_bind(&a, 1, 2, &s, NULL), ERR_OK);
    expect_refused(s.bound[0].address, ERR_BUSY,
                   (const char *const[]){"127.0.0.1:", "dns.port", NULL});
    a = address_of("0.0.0.0", port_of(&s.bound[0].address));
    expect_refused(a, ERR_BUSY, (const char *const[]){"0.0.0.0:", NULL});
    net_sockets_close(&s);
}

static void no_address_of_ours(void **state)
{
    (void)state;
    expect_refused(
        address_of("192.0.2.1", 5300), ERR_IO,
        (const char *const[]){"192.0.2.1:5300", "not an address of this machine", "dns.ip", NULL});
    expect_refused(address_of("2001:db8::1", 5300), ERR_IO,
                   (const char *const[]){"[2001:db8::1]:5300", "dns.ip", NULL});
}

static unsigned first_free_port(void)
{
    unsigned port = 1024;
    FILE *f = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "r");
    if (f != NULL) {
        if (fscanf(f, "%u", &port) != 1) {
            port = 1024;
        }
        fclose(f);
    }
    return port;
}

/* In a process of its own, which gives up being root. */
static int bind_without_the_right(uint16_t port)
{
    struct net_address a = address_of("127.0.0.1", port);
    struct net_sockets s;
    struct err_info info = {.text = ""};
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) {
        return 10;
    }
    if (net_sockets_bind(&a, 1, 1, &s, &info) != ERR_DENIED) {
        return 11;
    }
    return strstr(info.text, "127.0.0.1:") != NULL &&
                   strstr(info.text, "CAP_NET_BIND_SERVICE") != NULL
               ? 0
               : 12;
}

static void a_port_for_the_privileged(void **state)
{
    unsigned first = first_free_port();
    int status = 0;
    (void)state;
    if (first == 0) {
        print_message("this system gives every port to everybody: nothing to be refused\n");
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        _exit(bind_without_the_right((uint16_t)(first - 1)));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void limits(void **state)
{
    struct net_address many[NET_ADDRESSES_MAX + 1];
    struct net_sockets s;
    struct err_info info = {.text = ""};
    (void)state;
    for (size_t i = 0; i <= NET_ADDRESSES_MAX; i++) {
        many[i] = address_of("127.0.0.1", 0);
    }
    assert_int_equal(net_sockets_bind(many, NET_ADDRESSES_MAX + 1, 1, &s, &info), ERR_LIMIT);
    assert_int_equal(net_sockets_bind(many, 1, NET_WORKERS_MAX + 1, &s, &info), ERR_LIMIT);
    assert_int_equal(net_sockets_bind(many, 1, 0, &s, &info), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(one_port_for_all),
        cmocka_unit_test(another_port_for_tls),
        cmocka_unit_test(no_more_tls_workers_than_others),
        cmocka_unit_test(replies_are_never_fragments),
        cmocka_unit_test(somebody_else_has_the_port),
        cmocka_unit_test(a_second_dnsd),
        cmocka_unit_test(no_address_of_ours),
        cmocka_unit_test(a_port_for_the_privileged),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests_name("net/bind", tests, NULL, NULL);
}
