/* cert/placeholder: what a newcomer is shown before there is a certificate. */
#include "cert/placeholder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tls_peer.h"

#define NOW_MS  INT64_C(1800000000123)
#define HOUR_MS INT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)

static struct tls_pair *make(const char *const *names, size_t count)
{
    struct tls_pair *p = NULL;
    struct err_info info = {.text = ""};
    if (placeholder_new(names, count, NOW_MS, &p, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    return p;
}

static void it_names_what_it_was_asked_for(void **state)
{
    static const char *const names[] = {"Core-A.example.org", "*.example.org", "_x.example.org",
                                        "192.0.2.1",          "2001:DB8::1",   "localhost"};
    (void)state;
    struct tls_pair *p = make(names, 6);
    const struct tls_pair_info *info = tls_pair_info(p);
    assert_int_equal(info->names_count, 6);
    assert_string_equal(info->names[0], "core-a.example.org");
    assert_string_equal(info->names[3], "192.0.2.1");
    assert_string_equal(info->names[4], "2001:db8::1");
    for (size_t i = 0; i < 6; i++) {
        assert_true(tls_pair_covers(p, names[i][0] == '*' ? "any.example.org" : names[i]));
    }
    assert_false(tls_pair_covers(p, "example.org"));
    assert_string_equal(info->key, "EC P-256");
    assert_string_equal(info->issuer, "CN=dnsd placeholder");
    assert_true(info->self_signed);
    tls_pair_unref(p);
}

static void it_lives_for_days_and_a_new_one_is_due_at_half(void **state)
{
    static const char *const names[] = {"a.example"};
    (void)state;
    struct tls_pair *p = make(names, 1);
    const struct tls_pair_info *info = tls_pair_info(p);
    int64_t now = NOW_MS / 1000 * 1000;
    assert_int_equal(info->not_before_ms, now - HOUR_MS);
    assert_int_equal(info->not_after_ms, now + PLACEHOLDER_DAYS * DAY_MS);
    int64_t due = placeholder_due_ms(info);
    assert_int_equal(due - info->not_before_ms, info->not_after_ms - due);
    assert_true(due > now + 3 * DAY_MS && due < now + 4 * DAY_MS);
    tls_pair_unref(p);
}

static void each_is_another(void **state)
{
    static const char *const names[] = {"a.example"};
    (void)state;
    struct tls_pair *a = make(names, 1), *b = make(names, 1);
    assert_false(tls_pair_equal(a, b));
    assert_string_not_equal(tls_pair_info(a)->serial, tls_pair_info(b)->serial);
    assert_int_equal(strlen(tls_pair_info(a)->serial), 32);
    tls_pair_unref(a);
    tls_pair_unref(b);
}

static void a_hundred_names_fit(void **state)
{
    char text[TLS_PAIR_NAMES_MAX + 1][64];
    const char *names[TLS_PAIR_NAMES_MAX + 1];
    struct tls_pair *p;
    struct err_info info = {.text = ""};
    (void)state;
    for (size_t i = 0; i <= TLS_PAIR_NAMES_MAX; i++) {
        snprintf(text[i], sizeof text[i], "core-%zu.example.org", i);
        names[i] = text[i];
    }
    p = make(names, TLS_PAIR_NAMES_MAX);
    assert_int_equal(tls_pair_info(p)->names_count, TLS_PAIR_NAMES_MAX);
    assert_true(tls_pair_covers(p, "core-99.example.org"));
    tls_pair_unref(p);
    assert_int_equal(placeholder_new(names, TLS_PAIR_NAMES_MAX + 1, NOW_MS, &p, &info), ERR_LIMIT);
    assert_int_equal(placeholder_new(names, 0, NOW_MS, &p, &info), ERR_LIMIT);
}

static void what_is_no_name_is_refused(void **state)
{
    static char label[80], whole[300];
    const char *const wrong[] = {
        "",        ".",      "a..b",    "a.b.", "*",    "*.",
        "a.*.b",   "f*.a.b", "a b",     "a/b",  "a\nb", "caf\xc3\xa9.example",
        "2001:db", "[::1]",  "a,DNS:b", label,  whole};
    (void)state;
    memset(label, 'x', 64);
    memset(whole, 'x', 258);
    for (size_t i = 50; i < 258; i += 50) {
        whole[i] = '.';
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const char *names[] = {"a.example", wrong[i]};
        struct tls_pair *p = NULL;
        struct err_info info = {.text = ""};
        assert_int_equal(placeholder_new(names, 2, NOW_MS, &p, &info), ERR_MALFORMED);
        assert_string_not_equal(info.text, "");
    }
}

/* A client that looks at what a certificate is for takes it as a server's. */
static void a_client_is_shown_it(void **state)
{
    static const char *const names[] = {"a.example"};
    (void)state;
    struct tls_pair *pair = make(names, 1);
    struct tls_context *context = tls_context_of(&pair, 1, NULL);
    struct tls_conn *c = tls_conn_new(context, TLS_USE_HTTP);
    struct tls_caller *p = tls_peer_new(&(struct tls_peer_options){.sni = "a.example"});
    assert_true(tls_peer_run(p, c, SIZE_MAX));
    assert_string_equal(tls_peer_saw(p), "dnsd placeholder");
    X509 *x = SSL_get0_peer_certificate(p->ssl);
    assert_int_equal(X509_check_purpose(x, X509_PURPOSE_SSL_SERVER, 0), 1);
    assert_int_equal(X509_check_purpose(x, X509_PURPOSE_SSL_CLIENT, 0), 0);
    assert_int_equal(X509_check_purpose(x, X509_PURPOSE_SSL_SERVER, 1), 0); /* it is no CA */
    tls_peer_free(p);
    tls_conn_free(c);
    tls_context_unref(context);
    tls_pair_unref(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_names_what_it_was_asked_for),
        cmocka_unit_test(it_lives_for_days_and_a_new_one_is_due_at_half),
        cmocka_unit_test(each_is_another),
        cmocka_unit_test(a_hundred_names_fit),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(a_client_is_shown_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
