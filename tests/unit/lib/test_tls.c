/* lib/tls: one connection over memory, against OpenSSL's client. */
#include "lib/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tls_peer.h"

static struct tls_context *context;

static int make_context(void **state)
{
    (void)state;
    context = tls_context_for("DNS:a.example");
    return 0;
}

static int free_context(void **state)
{
    (void)state;
    tls_context_unref(context);
    return 0;
}

static const char *server_heard(struct tls_conn *c)
{
    static char text[70000];
    size_t n = tls_conn_read(c, text, sizeof text - 1);
    text[n] = '\0';
    return text;
}

static void a_conversation(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static const size_t steps[] = {1, 7, 1000, SIZE_MAX};
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        for (size_t s = 0; s < 4; s++) {
            struct tls_peer *p = tls_peer_new(&(struct tls_peer_options){.version = versions[v]});
            struct tls_conn *c = tls_conn_new(context, TLS_USE_DOT);
            assert_non_null(c);
            assert_int_equal(tls_conn_state(c), TLS_HANDSHAKE);
            assert_true(tls_peer_run(p, c, steps[s]));
            assert_int_equal(tls_conn_state(c), TLS_OPEN);
            tls_peer_say(p, c, "hello");
            assert_string_equal(server_heard(c), "hello");
            assert_int_equal(tls_conn_write(c, "world", 5), ERR_OK);
            assert_string_equal(tls_peer_heard(p, c), "world");
            assert_string_equal(tls_conn_version(c), v == 0 ? "TLSv1.2" : "TLSv1.3");
            tls_conn_free(c);
            tls_peer_free(p);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_conversation),
    };
    return cmocka_run_group_tests(tests, make_context, free_context);
}
