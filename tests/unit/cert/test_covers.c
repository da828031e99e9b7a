/* covers.c: whether a certificate names all that it should. */
#include "cert/covers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tls_peer.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void all_of_them(void **state)
{
    static const struct {
        const char *names[4];
        bool all;
    } cases[] = {
        {{NULL}, true},
        {{"core-a"}, true},
        {{"CORE-A", "core-a.example.com"}, true},
        {{"core-a", "core-a.example.com", "192.0.2.1", "2001:db8::1"}, true},
        {{"2001:DB8:0::1"}, true},
        {{"core-a", "192.0.2.2"}, false},
        {{"core-b"}, false},
        {{"core-a.example.org"}, false},
        {{"2001:db8::2"}, false},
        {{"subject"}, false}, /* a common name is no name here */
        {{""}, false},
    };
    struct tls_made *m = tls_make(&(struct tls_make){
        .subject = "subject",
        .names = "DNS:core-a,DNS:core-a.example.com,IP:192.0.2.1,IP:2001:db8::1"});
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = 0;
        while (n < 4 && cases[i].names[n] != NULL) {
            n++;
        }
        if (cert_covers(m->cert, strlen(m->cert), cases[i].names, n) != cases[i].all) {
            fail_msg("case %zu", i);
        }
    }
    tls_made_free(m);
}

static void what_is_no_certificate_covers_nothing(void **state)
{
    (void)state;
    assert_false(cert_covers("", 0, NULL, 0));
    assert_false(cert_covers("x", 1, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_them),
        cmocka_unit_test(what_is_no_certificate_covers_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
