/* cert/csr: literal octets, and OpenSSL's word on the signature. */
#include "cert/csr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "lib/tls_pair.h"
#include "openssl_memory.h"
#include "test_keys.h"

static struct cert_key *key_of(const char *pem)
{
    struct cert_key *k = NULL;
    assert_int_equal(cert_key_from_pem(pem, strlen(pem), &k, NULL), ERR_OK);
    return k;
}

/* Another implementation's (Python's cryptography) CertificationRequestInfo (RFC 2986 §4.1) of
 * RFC 7515's key, an empty subject, and subjectAltName a.example, *.a.example. */
static const uint8_t expected[153] =
    "\x30\x81\x96\x02\x01\x00\x30\x00\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06"
    "\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04\x7f\xcd\xce\x27\x70\xf6\xc4\x5d\x41"
    "\x83\xcb\xee\x6f\xdb\x4b\x7b\x58\x07\x33\x35\x7b\xe9\xef\x13\xba\xcf\x6e\x3c\x7b\xd1\x54"
    "\x45\xc7\xf1\x44\xcd\x1b\xbd\x9b\x7e\x87\x2c\xdf\xed\xb9\xee\xb9\xf4\xb3\x69\x5d\x6e\xa9"
    "\x0b\x24\xad\x8a\x46\x23\x28\x85\x88\xe5\xad\xa0\x34\x30\x32\x06\x09\x2a\x86\x48\x86\xf7"
    "\x0d\x01\x09\x0e\x31\x25\x30\x23\x30\x21\x06\x03\x55\x1d\x11\x04\x1a\x30\x18\x82\x09\x61"
    "\x2e\x65\x78\x61\x6d\x70\x6c\x65\x82\x0b\x2a\x2e\x61\x2e\x65\x78\x61\x6d\x70\x6c\x65";

static X509_REQ *read_request(const uint8_t *der, size_t len)
{
    const uint8_t *at = der;
    X509_REQ *req = d2i_X509_REQ(NULL, &at, (long)len);
    assert_non_null(req);
    assert_ptr_equal(at, der + len);
    return req;
}

static void the_octets_are_these(void **state)
{
    static const char *const names[] = {"a.example", "*.a.example"};
    struct cert_key *k = key_of(TEST_KEY_RFC7515);
    uint8_t *der = NULL;
    size_t len = 0;
    (void)state;
    assert_int_equal(cert_csr_new(k, names, 2, &der, &len, NULL), ERR_OK);
    /* SEQUENCE of that, ecdsa-with-SHA256 (RFC 5758 §3.2), and the signature. */
    assert_true(len > 4 + sizeof expected + 12);
    assert_memory_equal(der, "\x30\x81", 2);
    assert_int_equal(der[2], len - 3);
    assert_memory_equal(der + 3, expected, sizeof expected);
    assert_memory_equal(der + 3 + sizeof expected,
                        "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x03", 13);
    X509_REQ *req = read_request(der, len);
    assert_int_equal(X509_REQ_verify(req, X509_REQ_get0_pubkey(req)), 1);
    X509_REQ_free(req);
    free(der);
    cert_key_free(k);
}

/* Names in their order, nothing else asked for. */
static void as_many_names_as_fit(void **state)
{
    static char texts[TLS_PAIR_NAMES_MAX + 1][64];
    const char *names[TLS_PAIR_NAMES_MAX + 1];
    struct cert_key *k = key_of(TEST_KEY_SHORT_X);
    struct err_info info = {.text = ""};
    uint8_t *der = NULL;
    size_t len = 0;
    (void)state;
    for (size_t i = 0; i < TLS_PAIR_NAMES_MAX + 1; i++) {
        snprintf(texts[i], sizeof texts[i], "%score-%zu.example.org", i % 2 == 0 ? "*." : "", i);
        names[i] = texts[i];
    }
    assert_int_equal(cert_csr_new(k, names, TLS_PAIR_NAMES_MAX + 1, &der, &len, &info), ERR_LIMIT);
    assert_int_equal(cert_csr_new(k, names, 0, &der, &len, &info), ERR_LIMIT);
    assert_null(der);
    assert_int_equal(cert_csr_new(k, names, TLS_PAIR_NAMES_MAX, &der, &len, NULL), ERR_OK);
    X509_REQ *req = read_request(der, len);
    assert_int_equal(X509_REQ_verify(req, X509_REQ_get0_pubkey(req)), 1);
    assert_int_equal(X509_NAME_entry_count(X509_REQ_get_subject_name(req)), 0);
    assert_int_equal(X509_REQ_get_attr_count(req), 1);
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(req);
    assert_int_equal(sk_X509_EXTENSION_num(extensions), 1);
    GENERAL_NAMES *all = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
    assert_int_equal(sk_GENERAL_NAME_num(all), TLS_PAIR_NAMES_MAX);
    for (int i = 0; i < TLS_PAIR_NAMES_MAX; i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);
        assert_int_equal(g->type, GEN_DNS);
        assert_int_equal(ASN1_STRING_length(g->d.dNSName), strlen(names[i]));
        assert_memory_equal(ASN1_STRING_get0_data(g->d.dNSName), names[i], strlen(names[i]));
    }
    GENERAL_NAMES_free(all);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(req);
    free(der);
    cert_key_free(k);
}

static void what_is_no_name_is_refused(void **state)
{
    static char label[80], whole[300];
    const char *const wrong[] = {"",
                                 "a..b",
                                 "a.b.",
                                 "*",
                                 "*.*.a",
                                 "a.*.b",
                                 "f*.a.b",
                                 "a b",
                                 "a/b",
                                 "a\nb",
                                 "A.b",
                                 "a.exAmple",
                                 "a,DNS:b",
                                 "[::1]",
                                 "2001:db8::1",
                                 "192.0.2.1",
                                 label,
                                 whole,
                                 "caf\xc3\xa9.example"};
    struct cert_key *k = key_of(TEST_KEY_RFC7515);
    (void)state;
    memset(label, 'x', 64);
    memset(whole, 'x', 258);
    for (size_t i = 50; i < 258; i += 50) {
        whole[i] = '.';
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const char *names[] = {"a.example", wrong[i]};
        struct err_info info = {.text = ""};
        uint8_t *der = NULL;
        size_t len = 0;
        assert_int_equal(cert_csr_new(k, names, 2, &der, &len, &info), ERR_MALFORMED);
        assert_null(der);
        assert_string_not_equal(info.text, "");
    }
    cert_key_free(k);
}

static void memory_runs_out(void **state)
{
    static const char *const names[] = {"a.example", "*.a.example"};
    struct cert_key *k = key_of(TEST_KEY_RFC7515);
    unsigned failed = 0, told = 0;
    (void)state;
    for (size_t n = 0;; n++) {
        uint8_t *der = NULL;
        size_t len = 0;
        struct err_info info = {.text = ""};
        openssl_memory_fail_after(n);
        enum err e = cert_csr_new(k, names, 2, &der, &len, &info);
        bool fell = openssl_memory_failed();
        assert_int_equal(e == ERR_OK, der != NULL);
        assert_int_equal(ERR_peek_error(), 0);
        if (e == ERR_OK) { /* perhaps OpenSSL has got over it: then it is whole */
            assert_memory_equal(der + 3, expected, sizeof expected);
        }
        free(der);
        if (!fell) {
            assert_int_equal(e, ERR_OK);
            break;
        }
        failed++;
        told += e == ERR_NOMEM;
    }
    assert_true(failed > 80 && told > 40);
    cert_key_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_octets_are_these),
        cmocka_unit_test(as_many_names_as_fit),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(memory_runs_out),
    };
    openssl_memory_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
