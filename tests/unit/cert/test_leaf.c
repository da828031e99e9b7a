/* cert/leaf: what a certificate says without its key. */
#include "cert/leaf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base64.h"
#include "tls_peer.h"

static struct cert_leaf leaf;
static struct err_info info;

static enum err read_made(const struct tls_made *m, const char *const *names, size_t count)
{
    info.text[0] = '\0';
    return cert_leaf_read(m->cert, strlen(m->cert), names, count, &leaf, &info);
}

static void dates_and_serial_number(void **state)
{
    static const char *const asked[] = {"a.example"};
    (void)state;
    struct tls_made *m =
        tls_make(&(struct tls_make){.names = "DNS:a.example", .from_s = -100, .to_s = 500});
    struct tls_pair *p = tls_pair_of(m);
    assert_int_equal(read_made(m, asked, 1), ERR_OK);
    assert_string_equal(leaf.serial, tls_pair_info(p)->serial);
    assert_int_equal(leaf.not_before_ms, tls_pair_info(p)->not_before_ms);
    assert_int_equal(leaf.not_after_ms, tls_pair_info(p)->not_after_ms);
    assert_int_equal(leaf.not_after_ms - leaf.not_before_ms, 600000);
    assert_true(leaf.same_names);
    tls_pair_unref(p);
    tls_made_free(m);
}

/* What it is as PEM without the armour. */
static void the_same_as_der(void **state)
{
    (void)state;
    struct tls_made *m = tls_make(&(struct tls_make){.names = "DNS:a.example"});
    struct tls_made *ca = tls_make(&(struct tls_make){.names = "DNS:b.example"});
    uint8_t *der, *again;
    size_t len, again_len;
    tls_made_append(ca, m); /* the first one counts */
    assert_int_equal(cert_leaf_der(ca->cert, strlen(ca->cert), &der, &len, &info), ERR_OK);
    assert_int_equal(cert_leaf_der(m->cert, strlen(m->cert), &again, &again_len, &info), ERR_OK);
    assert_true(len != again_len || memcmp(der, again, len) != 0);
    free(der);
    char *text = malloc(BASE64_ROOM(again_len)), *plain = strdup(m->cert);
    size_t at = 0;
    base64_encode(again, again_len, text);
    char *c = strstr(m->cert, "-----BEGIN CERTIFICATE-----\n") + 28;
    for (; strncmp(c, "-----END", 8) != 0; c++) {
        plain[at] = *c;
        at += *c != '\n';
    }
    plain[at] = '\0';
    assert_string_equal(text, plain);
    assert_int_equal(cert_leaf_der("x", 1, &der, &len, &info), ERR_MALFORMED);
    assert_null(der);
    free(text);
    free(plain);
    free(again);
    tls_made_free(ca);
    tls_made_free(m);
}

static void the_first_one_counts(void **state)
{
    static const char *const asked[] = {"a.example"};
    (void)state;
    struct tls_made *m = tls_make(&(struct tls_make){.names = "DNS:a.example"});
    struct tls_made *ca = tls_make(&(struct tls_make){.names = "DNS:b.example"});
    tls_made_append(m, ca);
    assert_int_equal(read_made(m, asked, 1), ERR_OK);
    assert_true(leaf.same_names);
    tls_made_free(ca);
    tls_made_free(m);
}

static void names(void **state)
{
    static const char *const both[] = {"*.Example.org", "example.org"};
    static const char *const twice[] = {"example.org", "example.org"};
    static const struct {
        const char *in;
        const char *const *want;
        size_t count;
        bool same;
    } cases[] = {
        {"DNS:*.example.org,DNS:example.org", both, 2, true},
        {"DNS:EXAMPLE.org,DNS:*.example.org", both, 2, true},
        {"DNS:example.org,DNS:example.org,DNS:*.example.org", both, 2, true},
        {"DNS:example.org", both, 2, false},
        {"DNS:*.example.org,DNS:example.org,DNS:x.example.org", both, 2, false},
        {"DNS:*.example.org,DNS:example.org,IP:192.0.2.1", both, 2, false},
        {"DNS:*.example.org,DNS:example.orgs", both, 2, false},
        {"DNS:*.example.org,DNS:example.or", both, 2, false},
        {"DNS:*.example.org,DNS:example.org", twice, 2, false},
        {"IP:192.0.2.1", both, 2, false},
        {"DNS:example.org", both + 1, 1, true},
        {NULL, both, 2, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_made *m = tls_make(&(struct tls_make){.names = cases[i].in});
        assert_int_equal(read_made(m, cases[i].want, cases[i].count), ERR_OK);
        if (leaf.same_names != cases[i].same) {
            fail_msg("case %zu", i);
        }
        tls_made_free(m);
    }
}

static void what_is_none(void **state)
{
    static const char *const texts[] = {
        "", "rubbish", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
        "00112233445566778899AABBCCDDEEFF\n\nAAAAAAAAAAAAAAAAAAAAAA==\n"
        "-----END CERTIFICATE-----\n"};
    static const char *const asked[] = {"a.example"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        info.text[0] = '\0';
        assert_int_equal(cert_leaf_read(texts[i], strlen(texts[i]), asked, 1, &leaf, &info),
                         ERR_MALFORMED);
        assert_true(info.text[0] != '\0');
    }
    struct tls_made *m =
        tls_make(&(struct tls_make){.names = "DNS:a.example", .from_s = 500, .to_s = 400});
    assert_int_equal(read_made(m, asked, 1), ERR_MALFORMED);
    tls_made_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_and_serial_number),
        cmocka_unit_test(the_first_one_counts),
        cmocka_unit_test(the_same_as_der),
        cmocka_unit_test(names),
        cmocka_unit_test(what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
