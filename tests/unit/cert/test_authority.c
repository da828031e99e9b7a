/* cert/authority, cert/authority_read: what OpenSSL's own program and its API say of what was made, and what
 * is refused. */
#include "cert/authority.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "lib/tls_pair.h"
#include "openssl_memory.h"
#include "sync_files.h"
#include "tls_peer.h"

#define NOW_MS INT64_C(1790000000000)
#define DAY_MS INT64_C(86400000)

static struct {
    char folder[64];
    char *ca, *ca_key; /* PEM */
    struct cert_authority *authority;
    struct err_info info;
} t;

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    sync_files_begin(t.folder);
    assert_int_equal(cert_authority_make(NOW_MS, &t.ca, &t.ca_key, &t.info), ERR_OK);
    assert_int_equal(cert_authority_open(t.ca, strlen(t.ca), t.ca_key, strlen(t.ca_key), NOW_MS,
                                         &t.authority, &t.info),
                     ERR_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cert_authority_free(t.authority);
    free(t.ca);
    cert_key_pem_free(t.ca_key);
    sync_files_end(t.folder);
    assert_int_equal(ERR_peek_error(), 0);
    return 0;
}

/* ---- requests and certificates --------------------------------------------------------------- */

static X509_REQ *request_for(EVP_PKEY *key, const char *common)
{
    X509_REQ *req = X509_REQ_new();
    assert_non_null(req);
    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN", MBSTRING_ASC,
                               (const uint8_t *)common, -1, -1, 0);
    assert_int_equal(X509_REQ_set_pubkey(req, key), 1);
    assert_true(X509_REQ_sign(req, key, EVP_sha256()) > 0);
    return req;
}

static char *request_pem(X509_REQ *req)
{
    BIO *b = BIO_new(BIO_s_mem());
    char *bytes;
    assert_int_equal(PEM_write_bio_X509_REQ(b, req), 1);
    long len = BIO_get_mem_data(b, &bytes);
    char *pem = strndup(bytes, (size_t)len);
    BIO_free(b);
    return pem;
}

/* Of a new key, which is freed; with names that are not to be believed. */
static char *new_request(const char *curve)
{
    EVP_PKEY *key = strcmp(curve, "RSA") == 0 ? EVP_RSA_gen(2048) : EVP_EC_gen(curve);
    X509_REQ *req = request_for(key, "evil");
    char *pem = request_pem(req);
    X509_REQ_free(req);
    EVP_PKEY_free(key);
    return pem;
}

static const char *const core_b[] = {"core-b", "core-b.example.org", "192.0.2.7", "2001:db8::7"};

static struct cert_node_wish wish_for(const char *const *names, size_t count)
{
    return (struct cert_node_wish){.id = "core-b",
                                   .names = names,
                                   .names_count = count,
                                   .now_ms = NOW_MS,
                                   .lifetime_s = CERT_NODE_DAYS * 86400};
}

static enum err sign(const char *request, const struct cert_node_wish *wish, char **out)
{
    t.info.text[0] = '\0';
    enum err e = cert_authority_sign(t.authority, request, strlen(request), wish, out, &t.info);
    assert_int_equal(e == ERR_OK, t.info.text[0] == '\0');
    assert_int_equal(ERR_peek_error(), 0);
    return e;
}

static char *sign_new(void)
{
    char *request = new_request("P-256"), *cert = NULL;
    struct cert_node_wish wish = wish_for(core_b, 4);
    assert_int_equal(sign(request, &wish, &cert), ERR_OK);
    free(request);
    return cert;
}

static X509 *x509_of(const char *pem)
{
    BIO *b = BIO_new_mem_buf(pem, -1);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    BIO_free(b);
    assert_non_null(x);
    return x;
}

/* What a program prints, its errors too; NULL: it failed. The caller's to free. */
static char *run(const char *command)
{
    char line[512], *text = calloc(1, 65536);
    snprintf(line, sizeof line, "%s 2>&1", command);
    FILE *f = popen(line, "r");
    assert_non_null(f);
    size_t len = fread(text, 1, 65535, f);
    text[len] = '\0';
    if (pclose(f) != 0) {
        print_message("%s: %s\n", command, text);
        free(text);
        return NULL;
    }
    return text;
}

static void must_run(const char *command)
{
    char *text = run(command);
    assert_non_null(text);
    free(text);
}

static void expect_words(const char *command, const char *const *words)
{
    char *text = run(command);
    assert_non_null(text);
    for (; *words != NULL; words++) {
        if (strstr(text, *words) == NULL) {
            fail_msg("not there: %s\n%s", *words, text);
        }
    }
    free(text);
}

/* ---- what is made ---------------------------------------------------------------------------- */

/* RFC 5280 §4.2.1.1, §4.2.1.2, §4.2.1.3, §4.2.1.9 */
static void the_authority_is_as_promised(void **state)
{
    static const char *const words[] = {
        "Version: 3 (0x2)",
        "Issuer: CN=dnsd cluster CA\n",
        "Subject: CN=dnsd cluster CA\n",
        "Not Before: Sep 21 12:13:20 2026 GMT",
        "Not After : Sep 18 14:13:20 2036 GMT",
        "ASN1 OID: prime256v1",
        "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0\n",
        "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n",
        "X509v3 Subject Key Identifier: \n",
        "X509v3 Authority Key Identifier: \n",
        "Signature Algorithm: ecdsa-with-SHA256",
        NULL};
    (void)state;
    sync_files_write("ca.crt", t.ca);
    expect_words("openssl x509 -in ca.crt -noout -text -nameopt RFC2253", words);
    must_run("openssl verify -x509_strict -attime 1790000000 -CAfile ca.crt ca.crt");
    X509 *x = x509_of(t.ca);
    assert_int_equal(X509_get_ext_count(x), 4);
    assert_int_equal(
        ASN1_OCTET_STRING_cmp(X509_get0_subject_key_id(x), X509_get0_authority_key_id(x)), 0);
    X509_free(x);
    assert_non_null(strstr(t.ca_key, "-----BEGIN PRIVATE KEY-----"));
}

/* RFC 5280 §4.2.1.3, §4.2.1.6, §4.2.1.12 */
static void a_nodes_certificate_is_as_promised(void **state)
{
    static const char *const words[] = {
        "Version: 3 (0x2)",
        "Issuer: CN=dnsd cluster CA\n",
        "Subject: CN=core-b\n",
        "Not Before: Sep 21 12:13:20 2026 GMT",
        "Not After : Sep 21 14:13:20 2027 GMT",
        "ASN1 OID: prime256v1",
        "X509v3 Basic Constraints: critical\n                CA:FALSE\n",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                TLS Web Server Authentication, TLS Web "
        "Client "
        "Authentication\n",
        "X509v3 Subject Alternative Name: \n                DNS:core-b, DNS:core-b.example.org, IP "
        "Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7\n",
        "X509v3 Subject Key Identifier: \n",
        "X509v3 Authority Key Identifier: \n",
        "Signature Algorithm: ecdsa-with-SHA256",
        NULL};
    char *cert = sign_new();
    (void)state;
    sync_files_write("node.crt", cert);
    expect_words("openssl x509 -in node.crt -noout -text -nameopt RFC2253", words);
    X509 *x = x509_of(cert), *ca = x509_of(t.ca);
    assert_int_equal(X509_get_ext_count(x), 6);
    assert_int_equal(X509_check_issued(ca, x), X509_V_OK);
    assert_int_equal(
        ASN1_OCTET_STRING_cmp(X509_get0_subject_key_id(ca), X509_get0_authority_key_id(x)), 0);
    assert_int_equal(X509_check_host(x, "core-b.example.org", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(x, "2001:db8::7", 0), 1);
    assert_int_equal(X509_check_host(x, "evil", 0, 0, NULL), 0);
    X509_free(x);
    X509_free(ca);
    free(cert);
}

static void others_believe_it(void **state)
{
    char *cert = sign_new();
    (void)state;
    sync_files_write("node.crt", cert);
    must_run("mkdir ca");
    sync_files_write("ca/ca.pem", t.ca);
    must_run("openssl rehash ca");
#define VERIFY "openssl verify -x509_strict -CApath ca -no-CAfile -no-CAstore "
    must_run(VERIFY "-attime 1790000000 -purpose sslserver -verify_hostname core-b node.crt");
    must_run(VERIFY "-attime 1790000000 -purpose sslclient -verify_ip 192.0.2.7 node.crt");
    must_run(VERIFY "-attime 1789992900 -purpose sslclient -verify_ip 2001:db8::7 node.crt");
    assert_null(run(VERIFY "-attime 1789992700 node.crt")); /* before it begins */
    assert_null(run(VERIFY "-attime 1790000000 -verify_hostname evil node.crt"));
    assert_null(run("openssl verify -x509_strict -no-CAfile -no-CApath -no-CAstore node.crt"));
    free(cert);
}

/* RFC 5280 §4.1.2.2: positive, at most 20 octets; 159 bits of them random. */
static void serial_numbers_are_positive_and_long(void **state)
{
    enum { COUNT = 200 };
    static char seen[COUNT][41];
    uint8_t ones[20] = {0}, zeros[20] = {0};
    char *request = new_request("P-256");
    struct cert_node_wish wish = wish_for(core_b, 1);
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        char *cert = NULL;
        uint8_t octets[20];
        struct cert_node_info info;
        assert_int_equal(sign(request, &wish, &cert), ERR_OK);
        X509 *x = x509_of(cert);
        BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
        assert_false(BN_is_negative(n));
        assert_int_equal(BN_bn2binpad(n, octets, 20), 20);
        for (size_t at = 0; at < 20; at++) {
            ones[at] |= octets[at];
            zeros[at] |= (uint8_t)~octets[at];
        }
        assert_int_equal(cert_node_read(cert, strlen(cert), &info, NULL), ERR_OK);
        memcpy(seen[i], info.serial, sizeof seen[i]);
        for (size_t other = 0; other < i; other++) {
            assert_string_not_equal(seen[i], seen[other]);
        }
        BN_free(n);
        X509_free(x);
        free(cert);
    }
    for (size_t at = 0; at < 20; at++) {
        assert_int_equal(ones[at], at == 0 ? 0x7f : 0xff);
        assert_int_equal(zeros[at], 0xff);
    }
    free(request);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void a_request_in_der_is_fine(void **state)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509_REQ *req = request_for(key, "x");
    struct cert_node_wish wish = wish_for(core_b, 4);
    uint8_t *der = NULL;
    char *cert = NULL;
    (void)state;
    int len = i2d_X509_REQ(req, &der);
    assert_int_equal(cert_authority_sign(t.authority, der, (size_t)len, &wish, &cert, &t.info),
                     ERR_OK);
    X509 *x = x509_of(cert);
    assert_int_equal(X509_check_private_key(x, key), 1);
    X509_free(x);
    free(cert);
    cert = NULL;
    der = realloc(der, (size_t)len + 1);
    der[len] = 0;
    assert_int_equal(cert_authority_sign(t.authority, der, (size_t)len + 1, &wish, &cert, &t.info),
                     ERR_MALFORMED);
    assert_string_equal(t.info.text, "something follows the certificate request");
    for (int cut = 0; cut < len; cut++) {
        assert_int_equal(cert_authority_sign(t.authority, der, (size_t)cut, &wish, &cert, NULL),
                         ERR_MALFORMED);
    }
    assert_null(cert);
    OPENSSL_free(der);
    X509_REQ_free(req);
    EVP_PKEY_free(key);
}

/* RFC 2986 §3. Whatever bit is another one, in each octet. */
static void a_request_not_signed_with_its_key_is_refused(void **state)
{
    EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
    X509_REQ *req = request_for(key, "x");
    struct cert_node_wish wish = wish_for(core_b, 4);
    uint8_t *der = NULL;
    char *cert = NULL;
    (void)state;
    assert_int_equal(X509_REQ_set_pubkey(req, other), 1);
    char *pem = request_pem(req);
    assert_int_equal(sign(pem, &wish, &cert), ERR_MALFORMED);
    assert_non_null(strstr(t.info.text, "the certificate request is not signed with its key"));
    free(pem);
    assert_int_equal(X509_REQ_set_pubkey(req, key), 1);
    assert_true(X509_REQ_sign(req, key, EVP_sha256()) > 0);
    int len = i2d_X509_REQ(req, &der);
    for (int bit = 0; bit < 8 * len; bit += 7) {
        der[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum err e = cert_authority_sign(t.authority, der, (size_t)len, &wish, &cert, NULL);
        assert_int_equal(e, ERR_MALFORMED);
        der[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_null(cert);
    OPENSSL_free(der);
    X509_REQ_free(req);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

static void other_keys_are_refused(void **state)
{
    static const char *const curves[] = {"RSA", "P-384", "P-521", "secp256k1"};
    struct cert_node_wish wish = wish_for(core_b, 4);
    char *cert = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
        char *pem = new_request(curves[i]);
        assert_int_equal(sign(pem, &wish, &cert), ERR_MALFORMED);
        assert_string_equal(t.info.text, "the key of the certificate request is not EC P-256");
        free(pem);
    }
}

/* RFC 5480 §2.2; Go's crypto/x509 reads no compressed points. */
static void a_compressed_point_is_written_whole(void **state)
{
    struct cert_node_wish wish = wish_for(core_b, 4);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    char *cert = NULL;
    (void)state;
    assert_int_equal(EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                                    "compressed"),
                     1);
    X509_REQ *req = request_for(key, "x");
    uint8_t *spki = NULL;
    assert_int_equal(i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(req), &spki), 91 - 32);
    OPENSSL_free(spki);
    char *pem = request_pem(req);
    assert_int_equal(sign(pem, &wish, &cert), ERR_OK);
    X509 *x = x509_of(cert);
    assert_int_equal(ASN1_STRING_length(X509_get0_pubkey_bitstr(x)), 65);
    assert_int_equal(ASN1_STRING_get0_data(X509_get0_pubkey_bitstr(x))[0], 4);
    assert_int_equal(X509_check_private_key(x, key), 1);
    X509_free(x);
    free(cert);
    free(pem);
    X509_REQ_free(req);
    EVP_PKEY_free(key);
}

static void what_is_no_request_is_refused(void **state)
{
    static const char *const wrong[] = {
        "", "x", "-----BEGIN CERTIFICATE REQUEST-----\n",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"};
    static char big[CERT_REQUEST_MAX + 2];
    struct cert_node_wish wish = wish_for(core_b, 4);
    char *cert = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(sign(wrong[i], &wish, &cert), ERR_MALFORMED);
    }
    assert_int_equal(sign(t.ca, &wish, &cert), ERR_MALFORMED);
    memset(big, 'x', sizeof big - 1);
    assert_int_equal(sign(big, &wish, &cert), ERR_LIMIT);
    assert_null(cert);
}

/* ---- wishes ---------------------------------------------------------------------------------- */

static void what_is_neither_host_nor_address_is_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        ".",
                                        "a..b",
                                        "a.",
                                        ".a",
                                        "a b",
                                        "a,DNS:b",
                                        "a\nb",
                                        "*.a",
                                        "*",
                                        "-a",
                                        "a-",
                                        "a.-b.c",
                                        "a-.b",
                                        "192.0.2.256",
                                        "192.0.2",
                                        "1.2.3.4.5",
                                        "2001:db8::g",
                                        "[::1]",
                                        "fe80::1%eth0",
                                        "192.0.2.1/24",
                                        "https://a",
                                        "a/b",
                                        "caf\xc3\xa9.example",
                                        "a:4002"};
    static const char *const right[] = {
        "a",   "A.b",       "core-1",          "1", "x1.y2", "core_1", "xn--caf-dma.example",
        "::1", "127.0.0.1", "::ffff:192.0.2.1"};
    char *request = new_request("P-256"), *cert = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const char *names[] = {"core-b", wrong[i]};
        struct cert_node_wish wish = wish_for(names, 2);
        if (sign(request, &wish, &cert) != ERR_MALFORMED) {
            fail_msg("taken: %s", wrong[i]);
        }
        assert_non_null(strstr(t.info.text, "neither a host name nor an address: "));
    }
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        struct cert_node_wish wish = wish_for(&right[i], 1);
        assert_int_equal(sign(request, &wish, &cert), ERR_OK);
        free(cert);
        cert = NULL;
    }
    free(request);
}

static void an_id_that_is_none_is_refused(void **state)
{
    static char longest[66], wide[64 * 3 + 1];
    const char *wrong[] = {"", "a\nb", "a\tb", "\x7f", "\xff", longest};
    char *request = new_request("P-256"), *cert = NULL;
    struct cert_node_wish wish = wish_for(core_b, 1);
    struct cert_node_info info;
    (void)state;
    memset(longest, 'x', 65);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        wish.id = wrong[i];
        assert_int_equal(sign(request, &wish, &cert), ERR_MALFORMED);
    }
    for (size_t i = 0; i < 64; i++) {
        memcpy(wide + 3 * i, "\xe2\x82\xac", 3);
    }
    longest[64] = '\0';
    const char *right[] = {longest, wide, "a/CN=b, c+d\"", "core-b"};
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        wish.id = right[i];
        assert_int_equal(sign(request, &wish, &cert), ERR_OK);
        assert_int_equal(cert_node_read(cert, strlen(cert), &info, NULL), ERR_OK);
        assert_string_equal(info.id, right[i]);
        free(cert);
        cert = NULL;
    }
    free(request);
}

static void counts_and_lifetimes_have_limits(void **state)
{
    static const char *names[TLS_PAIR_NAMES_MAX + 1];
    char *request = new_request("P-256"), *cert = NULL;
    (void)state;
    for (size_t i = 0; i <= TLS_PAIR_NAMES_MAX; i++) {
        names[i] = "core-b";
    }
    struct cert_node_wish wish = wish_for(names, TLS_PAIR_NAMES_MAX + 1);
    assert_int_equal(sign(request, &wish, &cert), ERR_LIMIT);
    wish.names_count = 0;
    assert_int_equal(sign(request, &wish, &cert), ERR_LIMIT);
    wish.names_count = TLS_PAIR_NAMES_MAX;
    wish.lifetime_s = 0;
    assert_int_equal(sign(request, &wish, &cert), ERR_LIMIT);
    wish.lifetime_s = INT64_MAX;
    assert_int_equal(sign(request, &wish, &cert), ERR_LIMIT);
    wish.lifetime_s = 60;
    assert_int_equal(sign(request, &wish, &cert), ERR_OK);
    struct cert_node_info info;
    assert_int_equal(cert_node_read(cert, strlen(cert), &info, NULL), ERR_OK);
    assert_int_equal(info.not_before_ms, NOW_MS - CERT_BACKDATE_MS);
    assert_int_equal(info.not_after_ms, NOW_MS + 60000);
    free(cert);
    free(request);
}

static void none_outlives_the_authority(void **state)
{
    char *request = new_request("P-256"), *cert = NULL;
    struct cert_node_wish wish = wish_for(core_b, 4);
    struct cert_node_info info;
    int64_t end_ms = NOW_MS + CERT_AUTHORITY_DAYS * DAY_MS;
    (void)state;
    wish.now_ms = end_ms - 10 * DAY_MS;
    assert_int_equal(sign(request, &wish, &cert), ERR_OK);
    assert_int_equal(cert_node_read(cert, strlen(cert), &info, NULL), ERR_OK);
    assert_int_equal(info.not_after_ms, end_ms);
    free(cert);
    cert = NULL;
    wish.now_ms = end_ms + 1000;
    assert_int_equal(sign(request, &wish, &cert), ERR_DENIED);
    assert_string_equal(t.info.text, "the CA's certificate has expired at 2036-09-18 14:13:20 UTC, "
                                     "and it is 2036-09-18 14:13:21 UTC here");
    wish.now_ms = NOW_MS - CERT_BACKDATE_MS - 1000;
    assert_int_equal(sign(request, &wish, &cert), ERR_DENIED);
    assert_string_equal(
        t.info.text, "the CA's certificate is not valid before 2026-09-21 12:13:20 UTC, and it is "
                     "2026-09-21 12:13:19 UTC here: is the clock right?");
    assert_null(cert);
    free(request);
}

/* ---- opening --------------------------------------------------------------------------------- */

static enum err open_with(const char *cert, const char *key, int64_t now_ms)
{
    struct cert_authority *a = NULL;
    t.info.text[0] = '\0';
    enum err e = cert_authority_open(cert, strlen(cert), key, strlen(key), now_ms, &a, &t.info);
    assert_int_equal(e == ERR_OK, a != NULL);
    cert_authority_free(a);
    assert_int_equal(ERR_peek_error(), 0);
    return e;
}

static int64_t now_ms(void)
{
    return (int64_t)time(NULL) * 1000;
}

/* It calls the openssl program; no keyUsage, no pathlen, either form of the key. */
static void the_predecessors_opens(void **state)
{
    struct cert_authority *a = NULL;
    struct cert_node_wish wish = wish_for(core_b, 4);
    char *request = new_request("P-256"), *node = NULL;
    (void)state;
    must_run("openssl ecparam -name prime256v1 -genkey -noout -out ca.key");
    must_run("openssl req -x509 -new -key ca.key -sha256 -days 3650 -subj /CN=pryv-cluster-ca -out "
             "ca.crt");
    must_run("openssl pkcs8 -topk8 -nocrypt -in ca.key -out ca.p8");
    char *cert = sync_files_read("ca.crt"), *key = sync_files_read("ca.key"),
         *pkcs8 = sync_files_read("ca.p8");
    assert_non_null(strstr(key, "BEGIN EC PRIVATE KEY"));
    assert_null(strstr(pkcs8, "BEGIN EC"));
    assert_int_equal(open_with(cert, pkcs8, now_ms()), ERR_OK);
    assert_int_equal(
        cert_authority_open(cert, strlen(cert), key, strlen(key), now_ms(), &a, &t.info), ERR_OK);
    wish.now_ms = now_ms();
    assert_int_equal(cert_authority_sign(a, request, strlen(request), &wish, &node, &t.info),
                     ERR_OK);
    sync_files_write("node.crt", node);
    must_run("openssl verify -CAfile ca.crt -purpose sslserver node.crt");
    must_run("openssl verify -CAfile ca.crt -purpose sslclient node.crt");
    assert_int_equal(cert_node_verify(node, strlen(node), cert, strlen(cert), wish.now_ms, &t.info),
                     ERR_OK);
    cert_authority_free(a);
    free(node);
    free(request);
    free(cert);
    free(key);
    free(pkcs8);
}

/* Signed by its kind: key in SEC1, no extension but the names. */
static void a_certificate_of_the_predecessors_is_read(void **state)
{
    struct cert_node_info info;
    (void)state;
    must_run("openssl ecparam -name prime256v1 -genkey -noout -out ca.key");
    must_run("openssl req -x509 -new -key ca.key -sha256 -days 3650 -subj /CN=pryv-cluster-ca -out "
             "ca.crt");
    must_run("openssl ecparam -name prime256v1 -genkey -noout -out node.key");
    must_run("openssl req -new -key node.key -subj /CN=core-b -out node.csr");
    sync_files_write("ext", "subjectAltName=DNS:core-b,IP:192.0.2.7\n");
    must_run("openssl x509 -req -in node.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 "
             "-sha256 -extfile ext -out node.crt");
    char *ca = sync_files_read("ca.crt"), *node = sync_files_read("node.crt");
    assert_int_equal(cert_node_read(node, strlen(node), &info, &t.info), ERR_OK);
    assert_string_equal(info.id, "core-b");
    assert_int_equal(cert_node_verify(node, strlen(node), ca, strlen(ca), now_ms(), &t.info),
                     ERR_OK);
    free(ca);
    free(node);
}

static void each_bad_authority_has_its_words(void **state)
{
    struct tls_made *rsa = tls_make(&(struct tls_make){.key = "RSA 2048", .ca = true});
    struct tls_made *leaf = tls_make(&(struct tls_make){.names = "DNS:a"});
    struct tls_made *old = tls_make(&(struct tls_make){.ca = true, .from_s = -20, .to_s = -10});
    struct tls_made *soon = tls_make(&(struct tls_make){.ca = true, .from_s = 10, .to_s = 20});
    struct tls_made *good = tls_make(&(struct tls_make){.ca = true});
    (void)state;
    assert_int_equal(open_with(good->cert, good->private, now_ms()), ERR_OK);
    assert_int_equal(open_with(rsa->cert, rsa->private, now_ms()), ERR_MALFORMED);
    assert_string_equal(t.info.text, "the key of the CA's certificate is not EC P-256");
    assert_int_equal(open_with(leaf->cert, leaf->private, now_ms()), ERR_DENIED);
    assert_string_equal(t.info.text, "the certificate is not an authority's: it may not sign");
    assert_int_equal(open_with(old->cert, old->private, now_ms()), ERR_DENIED);
    assert_non_null(strstr(t.info.text, "the CA's certificate has expired at "));
    assert_int_equal(open_with(soon->cert, soon->private, now_ms()), ERR_DENIED);
    assert_non_null(strstr(t.info.text, "the CA's certificate is not valid before "));
    assert_int_equal(open_with(good->cert, t.ca_key, now_ms()), ERR_CONFLICT);
    assert_string_equal(t.info.text, "the CA's key and certificate do not belong together");
    assert_int_equal(open_with(good->cert, rsa->private, now_ms()), ERR_MALFORMED);
    assert_string_equal(t.info.text, "the key is not EC P-256");
    assert_int_equal(open_with("x", good->private, now_ms()), ERR_MALFORMED);
    assert_non_null(strstr(t.info.text, "the certificate cannot be read"));
    assert_int_equal(open_with(good->cert, good->cert, now_ms()), ERR_MALFORMED);
    assert_string_equal(t.info.text, "the text holds no private key");
    tls_made_free(rsa);
    tls_made_free(leaf);
    tls_made_free(old);
    tls_made_free(soon);
    tls_made_free(good);
}

/* A key that may do other things, and a node's certificate, which may not sign (RFC 5280 §4.2.1.3). */
static void who_may_not_sign_is_no_authority(void **state)
{
    (void)state;
    must_run("openssl ecparam -name prime256v1 -genkey -noout -out k");
    must_run("openssl req -x509 -new -key k -days 9 -subj /CN=x -addext "
             "keyUsage=critical,digitalSignature -out c");
    char *cert = sync_files_read("c"), *key = sync_files_read("k");
    assert_int_equal(open_with(cert, key, now_ms()), ERR_DENIED);
    assert_string_equal(t.info.text, "the certificate is not an authority's: it may not sign");
    free(cert);
    free(key);
}

/* ---- reading and verifying ------------------------------------------------------------------- */

static void what_it_says_is_read(void **state)
{
    struct cert_node_info info;
    char *cert = sign_new(), line[128], pin[CERT_PIN];
    (void)state;
    assert_int_equal(cert_node_read(cert, strlen(cert), &info, &t.info), ERR_OK);
    assert_string_equal(info.id, "core-b");
    assert_int_equal(info.not_before_ms, NOW_MS - CERT_BACKDATE_MS);
    assert_int_equal(info.not_after_ms, NOW_MS + CERT_NODE_DAYS * DAY_MS);
    sync_files_write("node.crt", cert);
    snprintf(line, sizeof line, "%s", info.sha256);
    expect_words("openssl x509 -in node.crt -outform DER | sha256sum",
                 (const char *const[]){line, NULL});
    snprintf(line, sizeof line, "serial=%s\n", info.serial);
    expect_words("openssl x509 -in node.crt -noout -serial | tr A-F a-f",
                 (const char *const[]){line, NULL});
    assert_int_equal(cert_pin(cert, strlen(cert), pin, &t.info), ERR_OK);
    expect_words("openssl x509 -in node.crt -pubkey -noout | openssl pkey -pubin -outform DER | "
                 "openssl dgst -sha256 -binary | base64",
                 (const char *const[]){pin, NULL});
    assert_int_equal(cert_pin("x", 1, pin, &t.info), ERR_MALFORMED);
    free(cert);
}

static void what_does_not_name_one_core_is_refused(void **state)
{
    static const char *const subjects[] = {"/O=x", "/CN=a/CN=b", "/CN=a\nb"};
    struct cert_node_info info;
    static char big[CERT_PEM_MAX + 2];
    (void)state;
    must_run("openssl ecparam -name prime256v1 -genkey -noout -out k");
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
        char line[200];
        snprintf(line, sizeof line, "openssl req -x509 -new -key k -subj '%s' -out c", subjects[i]);
        must_run(line);
        char *cert = sync_files_read("c");
        assert_int_equal(cert_node_read(cert, strlen(cert), &info, &t.info), ERR_MALFORMED);
        assert_string_equal(t.info.text, "the certificate does not name one core");
        free(cert);
    }
    must_run("openssl req -x509 -new -key k -subj /CN=a -set_serial -5 -out c");
    char *cert = sync_files_read("c");
    assert_int_equal(cert_node_read(cert, strlen(cert), &info, &t.info), ERR_MALFORMED);
    assert_string_equal(t.info.text, "the certificate's serial number makes no sense");
    free(cert);
    memset(big, 'x', sizeof big - 1);
    assert_int_equal(cert_node_read(big, strlen(big), &info, &t.info), ERR_LIMIT);
    assert_int_equal(cert_node_read("", 0, &info, &t.info), ERR_MALFORMED);
}

static enum err verify(const char *cert, const char *ca, int64_t at_ms)
{
    t.info.text[0] = '\0';
    enum err e = cert_node_verify(cert, strlen(cert), ca, strlen(ca), at_ms, &t.info);
    assert_int_equal(e == ERR_OK, t.info.text[0] == '\0');
    assert_int_equal(ERR_peek_error(), 0);
    return e;
}

static void only_the_clusters_are_believed(void **state)
{
    char *cert = sign_new(), *other = NULL, *other_key = NULL;
    int64_t end_ms = NOW_MS + CERT_NODE_DAYS * DAY_MS;
    (void)state;
    assert_int_equal(verify(cert, t.ca, NOW_MS), ERR_OK);
    assert_int_equal(verify(cert, t.ca, end_ms - 1000), ERR_OK);
    assert_int_equal(verify(cert, t.ca, end_ms + 1000), ERR_DENIED);
    assert_non_null(strstr(t.info.text, "certificate has expired"));
    assert_int_equal(verify(cert, t.ca, NOW_MS - CERT_BACKDATE_MS - 1000), ERR_DENIED);
    assert_non_null(strstr(t.info.text, "certificate is not yet valid"));
    assert_int_equal(verify(cert, t.ca, CERT_ANY_TIME), ERR_OK);
    /* another cluster's CA has the same name */
    assert_int_equal(cert_authority_make(NOW_MS, &other, &other_key, NULL), ERR_OK);
    assert_int_equal(verify(cert, other, NOW_MS), ERR_DENIED);
    assert_int_equal(verify(cert, other, CERT_ANY_TIME), ERR_DENIED);
    /* two of them, as while one takes the place of the other */
    char *both = NULL;
    assert_true(asprintf(&both, "%s%s", other, t.ca) > 0);
    assert_int_equal(verify(cert, both, NOW_MS), ERR_OK);
    assert_int_equal(verify(cert, "x", NOW_MS), ERR_MALFORMED);
    assert_int_equal(verify("x", t.ca, NOW_MS), ERR_MALFORMED);
    free(both);
    free(other);
    cert_key_pem_free(other_key);
    free(cert);
}

/* It says the CA's name and identifier, but somebody else has signed. */
static void a_forged_signature_is_refused(void **state)
{
    char *cert = sign_new();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = x509_of(cert);
    (void)state;
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    BIO *b = BIO_new(BIO_s_mem());
    char *bytes;
    assert_int_equal(PEM_write_bio_X509(b, x), 1);
    long len = BIO_get_mem_data(b, &bytes);
    char *forged = strndup(bytes, (size_t)len);
    assert_int_equal(verify(forged, t.ca, NOW_MS), ERR_DENIED);
    assert_non_null(strstr(t.info.text, "certificate signature failure"));
    BIO_free(b);
    X509_free(x);
    EVP_PKEY_free(key);
    free(forged);
    free(cert);
}

/* A node's certificate signs nothing, and the CA's path ends with it. */
static void a_node_is_no_authority(void **state)
{
    char *request = new_request("P-256"), *node = NULL, *node_key = NULL;
    struct cert_node_wish wish = wish_for(core_b, 4);
    struct cert_key *key = NULL;
    (void)state;
    assert_int_equal(cert_key_new(&key, NULL), ERR_OK);
    assert_int_equal(cert_key_to_pem(key, &node_key, NULL), ERR_OK);
    sync_files_write("k", node_key);
    must_run("openssl req -new -key k -subj /CN=x -out csr");
    char *csr = sync_files_read("csr");
    assert_int_equal(sign(csr, &wish, &node), ERR_OK);
    assert_int_equal(open_with(node, node_key, NOW_MS), ERR_DENIED);
    sync_files_write("node.crt", node);
    must_run(
        "openssl x509 -req -in csr -CA node.crt -CAkey k -CAcreateserial -days 3 -out below.crt");
    char *below = sync_files_read("below.crt");
    assert_int_equal(verify(below, node, now_ms()), ERR_DENIED);
    assert_int_equal(verify(below, t.ca, now_ms()), ERR_DENIED);
    free(below);
    free(csr);
    free(node);
    free(request);
    cert_key_pem_free(node_key);
    cert_key_free(key);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void memory_runs_out(void **state)
{
    char *request = new_request("P-256");
    struct cert_node_wish wish = wish_for(core_b, 4);
    unsigned failed = 0, told = 0;
    (void)state;
    for (size_t n = 0;; n++) {
        char *cert = NULL;
        struct cert_node_info info;
        openssl_memory_fail_after(n);
        enum err e = cert_authority_sign(t.authority, request, strlen(request), &wish, &cert, NULL);
        e = e == ERR_OK ? cert_node_read(cert, strlen(cert), &info, NULL) : e;
        e = e == ERR_OK ? cert_node_verify(cert, strlen(cert), t.ca, strlen(t.ca), NOW_MS, NULL)
                        : e;
        bool fell = openssl_memory_failed();
        assert_int_equal(ERR_peek_error(), 0);
        if (e == ERR_OK) { /* perhaps OpenSSL has got over it: then it is whole */
            X509 *x = x509_of(cert);
            assert_int_equal(X509_get_ext_count(x), 6);
            X509_free(x);
        }
        free(cert);
        if (!fell) {
            assert_int_equal(e, ERR_OK);
            break;
        }
        failed++;
        told += e == ERR_NOMEM;
    }
    assert_true(failed > 200 && told > 100);
    free(request);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_authority_is_as_promised),
        TEST(a_nodes_certificate_is_as_promised),
        TEST(others_believe_it),
        TEST(serial_numbers_are_positive_and_long),
        TEST(a_request_in_der_is_fine),
        TEST(a_request_not_signed_with_its_key_is_refused),
        TEST(other_keys_are_refused),
        TEST(a_compressed_point_is_written_whole),
        TEST(what_is_no_request_is_refused),
        TEST(what_is_neither_host_nor_address_is_refused),
        TEST(an_id_that_is_none_is_refused),
        TEST(counts_and_lifetimes_have_limits),
        TEST(none_outlives_the_authority),
        TEST(the_predecessors_opens),
        TEST(a_certificate_of_the_predecessors_is_read),
        TEST(each_bad_authority_has_its_words),
        TEST(who_may_not_sign_is_no_authority),
        TEST(what_it_says_is_read),
        TEST(what_does_not_name_one_core_is_refused),
        TEST(only_the_clusters_are_believed),
        TEST(a_forged_signature_is_refused),
        TEST(a_node_is_no_authority),
        TEST(memory_runs_out),
    };
    openssl_memory_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
