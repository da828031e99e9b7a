/* lib/tls_pair: which pairs are taken, what they say of themselves, which names they cover. */
#include "lib/tls_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "lib/str.h"
#include "openssl_memory.h"
#include "tls_peer.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct err_info info;

static enum err read_texts(const char *cert, const char *key)
{
    struct tls_pair *p = NULL;
    info.text[0] = '\0';
    enum err e = tls_pair_new(cert, strlen(cert), key, strlen(key), &p, &info);
    tls_pair_unref(p);
    return e;
}

static enum err read_made(const struct tls_made *m)
{
    return read_texts(m->cert, m->private);
}

/* What comes of a certificate made like this. */
static enum err try(const struct tls_make *how)
{
    struct tls_made *m = tls_make(how);
    enum err e = read_made(m);
    tls_made_free(m);
    return e;
}

static void expect(enum err e, enum err expected, const char *said)
{
    if (e != expected || strstr(info.text, said) == NULL) {
        fail_msg("%s: %s; not %s: %s", err_text(e), info.text, err_text(expected), said);
    }
}

/* ---- keys ---------------------------------------------------------------------------------- */

static void keys_that_clients_take(void **state)
{
    static const struct {
        const char *key, *text;
    } rows[] = {
        {"EC P-256", "EC P-256"}, {"EC P-384", "EC P-384"}, {"EC P-521", "EC P-521"},
        {"RSA 2048", "RSA 2048"}, {"RSA 3072", "RSA 3072"}, {"ED25519", "Ed25519"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tls_made *m = tls_make(&(struct tls_make){.key = rows[i].key, .names = "DNS:a"});
        struct tls_pair *p = tls_pair_of(m);
        assert_string_equal(tls_pair_info(p)->key, rows[i].text);
        assert_true(tls_pair_info(p)->self_signed);
        tls_pair_unref(p);
        tls_made_free(m);
    }
}

static void keys_that_they_do_not_take(void **state)
{
    static const struct {
        const char *key;
        enum err e;
        const char *said;
    } rows[] = {
        {"RSA 1024", ERR_MALFORMED, "RSA of 1024 bits"},
        {"RSA 2047", ERR_MALFORMED, "RSA of 2047 bits"},
        {"RSA 4104", ERR_LIMIT, "RSA of 4104 bits; at most 4096"},
        {"EC P-224", ERR_MALFORMED, "curve is secp224r1"},
        {"EC secp256k1", ERR_MALFORMED, "curve is secp256k1"},
        {"EC brainpoolP256r1", ERR_MALFORMED, "curve is brainpoolP256r1"},
        {"ED448", ERR_MALFORMED, "of a kind that clients do not take"},
        {"RSA-PSS", ERR_MALFORMED, "of a kind that clients do not take"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        expect(try(&(struct tls_make){.key = rows[i].key, .names = "DNS:a"}), rows[i].e,
               rows[i].said);
    }
}

static void a_curve_that_is_spelt_out(void **state)
{
    (void)state;
    struct tls_made *m = tls_make(&(struct tls_make){.names = "DNS:a"});
    assert_int_equal(
        EVP_PKEY_set_utf8_string_param(m->key, OSSL_PKEY_PARAM_EC_ENCODING, "explicit"), 1);
    assert_int_equal(X509_set_pubkey(m->x, m->key), 1);
    assert_true(X509_sign(m->x, m->key, EVP_sha256()) > 0);
    tls_made_write(m);
    expect(read_made(m), ERR_MALFORMED, "spells its curve out");
    tls_made_free(m);
}

static void a_key_of_another(void **state)
{
    static const char *const kinds[] = {"EC P-256", "EC P-384", "RSA 2048", "ED25519"};
    struct tls_made *mine[COUNT(kinds)], *others[COUNT(kinds)];
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct tls_make how = {.key = kinds[i], .names = "DNS:a"};
        mine[i] = tls_make(&how);
        others[i] = tls_make(&how);
    }
    for (size_t i = 0; i < COUNT(kinds); i++) {
        for (size_t j = 0; j < COUNT(kinds); j++) {
            expect(read_texts(mine[i]->cert, others[j]->private), ERR_CONFLICT,
                   "the key is not the certificate's");
        }
    }
    for (size_t i = 0; i < COUNT(kinds); i++) {
        tls_made_free(mine[i]);
        tls_made_free(others[i]);
    }
}

/* The public half is the leaf's, the private half another's. */
static void a_damaged_key(void **state)
{
    struct tls_made *a = tls_make(&(struct tls_make){.names = "DNS:a"});
    struct tls_made *b = tls_make(&(struct tls_make){.names = "DNS:a"});
    uint8_t point[200];
    size_t len;
    BIGNUM *scalar = NULL;
    (void)state;
    assert_int_equal(
        EVP_PKEY_get_octet_string_param(a->key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &len),
        1);
    assert_int_equal(EVP_PKEY_get_bn_param(b->key, OSSL_PKEY_PARAM_PRIV_KEY, &scalar), 1);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, len);
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY_free(a->key);
    a->key = NULL;
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &a->key, EVP_PKEY_KEYPAIR, params), 1);
    tls_made_write(a);
    expect(read_made(a), ERR_CONFLICT, "the key is not the certificate's");
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    BN_free(scalar);
    tls_made_free(a);
    tls_made_free(b);
}

/* ---- texts --------------------------------------------------------------------------------- */

static char *join(const char *a, const char *b, const char *c)
{
    struct str s = {.text = NULL};
    str_appendf(&s, "%s%s%s", a, b, c);
    return s.text;
}

static void words_and_other_blocks_do_not_matter(void **state)
{
    (void)state;
    struct tls_made *m = tls_make(&(struct tls_make){.names = "DNS:a"});
    char *both = join("Certificate:\n    Data:\n", m->cert, m->private);
    char *turned = join(m->private, "Bag Attributes\r\n", m->cert);
    assert_int_equal(read_texts(both, both), ERR_OK);
    assert_int_equal(read_texts(turned, turned), ERR_OK);
    struct str crlf = {.text = NULL};
    for (const char *at = m->cert; *at != '\0'; at++) {
        str_append_n(&crlf, *at == '\n' ? "\r\n" : at, *at == '\n' ? 2 : 1);
    }
    assert_int_equal(read_texts(crlf.text, m->private), ERR_OK);
    str_free(&crlf);
    free(both);
    free(turned);
    tls_made_free(m);
}

/* SEC 1 with its parameters before it, and PKCS #1: what `openssl ecparam` and `genrsa` wrote. */
static void older_forms_of_keys(void **state)
{
    static const char *const kinds[] = {"EC P-256", "RSA 2048"};
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct tls_made *m = tls_make(&(struct tls_make){.key = kinds[i], .names = "DNS:a"});
        BIO *b = BIO_new(BIO_s_mem());
        if (i == 0) {
            BIO_puts(b, "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
                        "-----END EC PARAMETERS-----\n");
        }
        assert_int_equal(PEM_write_bio_PrivateKey_traditional(b, m->key, NULL, NULL, 0, NULL, NULL),
                         1);
        BIO_write(b, "", 1);
        char *text;
        BIO_get_mem_data(b, &text);
        assert_non_null(strstr(text, i == 0 ? "BEGIN EC PRIVATE" : "BEGIN RSA PRIVATE"));
        assert_int_equal(read_texts(m->cert, text), ERR_OK);
        BIO_free(b);
        tls_made_free(m);
    }
}

static void encrypted_keys_are_told(void **state)
{
    (void)state;
    struct tls_made *m = tls_make(&(struct tls_make){.names = "DNS:a"});
    for (int traditional = 0; traditional < 2; traditional++) {
        BIO *b = BIO_new(BIO_s_mem());
        char *text;
        unsigned char word[] = "word";
        int (*write)(BIO *, const EVP_PKEY *, const EVP_CIPHER *, const unsigned char *, int,
                     pem_password_cb *, void *) =
            traditional != 0 ? PEM_write_bio_PrivateKey_traditional : PEM_write_bio_PrivateKey;
        assert_int_equal(write(b, m->key, EVP_aes_256_cbc(), word, 4, NULL, NULL), 1);
        BIO_write(b, "", 1);
        BIO_get_mem_data(b, &text);
        assert_non_null(strstr(text, "ENCRYPTED"));
        expect(read_texts(m->cert, text), ERR_MALFORMED, "the key is encrypted");
        BIO_free(b);
    }
    tls_made_free(m);
}

static void texts_that_are_not(void **state)
{
    static char big[TLS_PAIR_PEM_MAX + 2];
    (void)state;
    struct tls_made *m = tls_make(&(struct tls_make){.names = "DNS:a"});
    memset(big, '\n', sizeof big - 1);
    expect(read_texts("", m->private), ERR_MALFORMED, "the certificate is empty");
    expect(read_texts(m->cert, ""), ERR_MALFORMED, "the key is empty");
    expect(read_texts("hello\n", m->private), ERR_MALFORMED, "no certificate");
    expect(read_texts(m->private, m->private), ERR_MALFORMED, "no certificate");
    expect(read_texts(m->cert, m->cert), ERR_MALFORMED, "no private key");
    expect(read_texts(big, m->private), ERR_LIMIT, "larger than 262144");
    expect(read_texts(m->cert, big), ERR_LIMIT, "larger than 262144");
    big[TLS_PAIR_PEM_MAX] = '\0'; /* exactly as much, with the certificate at the end */
    memcpy(big + TLS_PAIR_PEM_MAX - strlen(m->cert), m->cert, strlen(m->cert));
    assert_int_equal(read_texts(big, m->private), ERR_OK);

    /* Cut anywhere it is no pair, and never a crash. */
    char *cut = mem_xstrdup(m->cert);
    for (size_t len = strlen(cut) - 10; len > 0; len -= len > 7 ? 7 : len) {
        cut[len] = '\0';
        assert_int_equal(read_texts(cut, m->private), ERR_MALFORMED);
    }
    free(cut);
    char *second =
        join(m->cert, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "");
    expect(read_texts(second, m->private), ERR_MALFORMED, "a certificate cannot be read");
    free(second);
    tls_made_free(m);
}

/* ---- chains -------------------------------------------------------------------------------- */

static struct tls_made *authority(const char *name, const char *key, const struct tls_made *issuer,
                                  bool sha1)
{
    return tls_make(&(struct tls_make){
        .key = key, .subject = name, .issuer = issuer, .ca = true, .sha1 = sha1});
}

/* The verdict on LEAF followed by those of CHAIN. */
static enum err try_chain(struct tls_made *leaf, size_t count, struct tls_made *const *chain)
{
    char *was = mem_xstrdup(leaf->cert);
    for (size_t i = 0; i < count; i++) {
        tls_made_append(leaf, chain[i]);
    }
    enum err e = read_made(leaf);
    free(leaf->cert);
    leaf->cert = was;
    return e;
}
#define TRY(leaf, ...)                                                                             \
    try_chain((leaf), COUNT(((struct tls_made *[]){__VA_ARGS__})),                                 \
              (struct tls_made *[]){__VA_ARGS__})

static void links_of_a_chain(void **state)
{
    (void)state;
    struct tls_made *root = authority("root", NULL, NULL, false);
    struct tls_made *middle = authority("middle", NULL, root, false);
    struct tls_made *same = authority("middle", NULL, root, false); /* another key, the same name */
    struct tls_made *leaf = tls_make(&(struct tls_make){.names = "DNS:a", .issuer = middle});
    assert_int_equal(read_made(leaf), ERR_OK);
    assert_int_equal(TRY(leaf, middle), ERR_OK);
    assert_int_equal(TRY(leaf, middle, root), ERR_OK);
    expect(TRY(leaf, root), ERR_MALFORMED, "certificate 2 did not issue certificate 1");
    expect(TRY(leaf, root, middle), ERR_MALFORMED, "certificate 2 did not issue certificate 1");
    expect(TRY(leaf, same), ERR_MALFORMED, "certificate 2 did not issue certificate 1");
    expect(TRY(leaf, middle, same), ERR_MALFORMED, "certificate 3 did not issue certificate 2");
    expect(TRY(leaf, leaf), ERR_MALFORMED, "certificate 2 did not issue certificate 1");
    assert_false(strstr(info.text, "BEGIN") != NULL);

    /* The right names and identifiers, but signed as something else. */
    ASN1_INTEGER_set(X509_get_serialNumber(leaf->x), 99);
    tls_made_write(leaf);
    expect(TRY(leaf, middle), ERR_MALFORMED, "certificate 2 did not issue certificate 1");
    tls_made_free(leaf);

    /* Not an authority. */
    leaf = tls_make(&(struct tls_make){.names = "DNS:a", .issuer = middle});
    struct tls_made *below = tls_make(&(struct tls_make){.names = "DNS:b", .issuer = leaf});
    assert_int_equal(TRY(below, leaf, middle), ERR_OK); /* that is for clients to judge */
    tls_made_free(below);
    tls_made_free(leaf);
    tls_made_free(same);
    tls_made_free(middle);
    tls_made_free(root);
}

static void weak_links(void **state)
{
    (void)state;
    struct tls_made *root = authority("root", "RSA 2048", NULL, true);
    struct tls_made *small = authority("small", "RSA 1024", root, false);
    struct tls_made *sha1 = authority("sha1", NULL, root, true);
    struct tls_made *a = tls_make(&(struct tls_make){.names = "DNS:a", .issuer = root});
    struct tls_made *b = tls_make(&(struct tls_make){.names = "DNS:a", .issuer = small});
    struct tls_made *c = tls_make(&(struct tls_make){.names = "DNS:a", .issuer = sha1});
    struct tls_made *d =
        tls_make(&(struct tls_make){.names = "DNS:a", .issuer = root, .sha1 = true});
    assert_int_equal(TRY(a, root), ERR_OK); /* a root's own signature does not matter */
    expect(TRY(b, small), ERR_MALFORMED, "certificate 2 has a weak key");
    expect(TRY(c, sha1), ERR_MALFORMED, "certificate 2 has a weak signature");
    expect(TRY(d, root), ERR_MALFORMED, "certificate 1 has a weak signature");
    struct tls_made *all[] = {a, b, c, d, small, sha1, root};
    for (size_t i = 0; i < COUNT(all); i++) {
        tls_made_free(all[i]);
    }
}

static void the_longest_chain(void **state)
{
    struct tls_made *chain[TLS_PAIR_CHAIN_MAX];
    char name[32];
    (void)state;
    for (size_t i = COUNT(chain); i-- > 0;) { /* the root last */
        snprintf(name, sizeof name, "ca %zu", i);
        chain[i] = authority(name, NULL, i + 1 < COUNT(chain) ? chain[i + 1] : NULL, false);
    }
    struct tls_made *leaf = tls_make(&(struct tls_make){.names = "DNS:a", .issuer = chain[0]});
    assert_int_equal(try_chain(leaf, TLS_PAIR_CHAIN_MAX - 1, chain), ERR_OK);
    expect(try_chain(leaf, TLS_PAIR_CHAIN_MAX, chain), ERR_LIMIT, "more than 10 certificates");
    tls_made_free(leaf);
    for (size_t i = 0; i < COUNT(chain); i++) {
        tls_made_free(chain[i]);
    }
}

/* ---- names --------------------------------------------------------------------------------- */

/* A certificate with just this subjectAltName, octet by octet. */
static enum err try_name(int type, const void *octets, size_t len)
{
    struct tls_made *m = tls_make(&(struct tls_make){.names = NULL});
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    GENERAL_NAME *g = GENERAL_NAME_new();
    ASN1_STRING *s =
        ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
    ASN1_STRING_set(s, octets, (int)len);
    GENERAL_NAME_set0_value(g, type, s);
    sk_GENERAL_NAME_push(all, g);
    assert_int_equal(X509_add1_ext_i2d(m->x, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT), 1);
    GENERAL_NAMES_free(all);
    assert_true(X509_sign(m->x, m->key, EVP_sha256()) > 0);
    tls_made_write(m);
    enum err e = read_made(m);
    tls_made_free(m);
    return e;
}

static void names_that_are_none(void **state)
{
    static char longest[256];
    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    assert_int_equal(try_name(GEN_DNS, "a.example", 9), ERR_OK);
    assert_int_equal(try_name(GEN_DNS, longest, 253), ERR_OK);
    expect(try_name(GEN_DNS, longest, 254), ERR_MALFORMED, "name 1 of the certificate is none");
    expect(try_name(GEN_DNS, "a.example\0.b", 12), ERR_MALFORMED, "name 1");
    expect(try_name(GEN_DNS, "a\n.example", 10), ERR_MALFORMED, "name 1");
    expect(try_name(GEN_DNS, "a b", 3), ERR_MALFORMED, "name 1");
    expect(try_name(GEN_DNS, "caf\xe9", 4), ERR_MALFORMED, "name 1");
    expect(try_name(GEN_DNS, "", 0), ERR_MALFORMED, "name 1");
    expect(try_name(GEN_DNS, ".a", 2), ERR_MALFORMED, "name 1");
    expect(try_name(GEN_DNS, "a..b", 4), ERR_MALFORMED, "name 1");
    expect(try_name(GEN_DNS, "a.b.", 4), ERR_MALFORMED, "name 1");
    expect(try_name(GEN_DNS, "192.0.2.1", 9), ERR_MALFORMED, "name 1");
    expect(try_name(GEN_IPADD, "\x01\x02\x03", 3), ERR_MALFORMED, "name 1");
    expect(try_name(GEN_IPADD, "", 0), ERR_MALFORMED, "name 1");
    assert_int_equal(try_name(GEN_IPADD, "\x01\x02\x03\x04", 4), ERR_OK);
    expect(try_name(GEN_EMAIL, "a@example", 9), ERR_MALFORMED, "names no host");
    expect(try(&(struct tls_make){.subject = "a.example"}), ERR_MALFORMED, "names no host");
}

static void how_many_names(void **state)
{
    struct str s = {.text = NULL};
    (void)state;
    str_append(&s, "email:a@example"); /* does not count */
    for (int i = 0; i < TLS_PAIR_NAMES_MAX; i++) {
        str_appendf(&s, ",DNS:%d.example", i);
    }
    assert_int_equal(try(&(struct tls_make){.names = s.text}), ERR_OK);
    str_append(&s, ",IP:::1");
    expect(try(&(struct tls_make){.names = s.text}), ERR_LIMIT, "more than 100 names");
    str_free(&s);
}

static void which_names_are_covered(void **state)
{
    static const struct {
        const char *name;
        bool covered;
    } rows[] = {
        {"a.example", true},
        {"A.EXAMPLE", true},
        {"a.example.", true},
        {"a.example..", false},
        {"b.a.example", false},
        {"example", false},
        {"a.exampl", false},
        {"", false},
        {".", false},
        /* *.Wild.example */
        {"x.wild.example", true},
        {"X.WILD.example.", true},
        {"xn--caf-dma.wild.example", true},
        {"*.wild.example", true},
        {"wild.example", false},
        {".wild.example", false},
        {"y.x.wild.example", false},
        {"x.wild.example.org", false},
        {"xwild.example", false},
        /* f*.part.example, *.*.two.example, star.*.example, *: no wildcards */
        {"foo.part.example", false},
        {"x.y.two.example", false},
        {"star.x.example", false},
        {"anything", false},
        /* *.2.3.4 */
        {"1.2.3.4", false},
        {"x.2.3.4", true},
        /* 192.0.2.1, 2001:db8::1 */
        {"192.0.2.1", true},
        {"192.0.2.2", false},
        {"2001:db8::1", true},
        {"2001:DB8:0:0::0:1", true},
        {"2001:db8::2", false},
        {"[2001:db8::1]", false},
    };
    (void)state;
    struct tls_pair *p = tls_pair_for("DNS:A.Example,DNS:*.Wild.example,DNS:f*.part.example,"
                                      "DNS:*.*.two.example,DNS:star.*.example,DNS:*,DNS:*.2.3.4,"
                                      "IP:192.0.2.1,IP:2001:db8::1",
                                      NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (tls_pair_covers(p, rows[i].name) != rows[i].covered) {
            fail_msg("%s", rows[i].name);
        }
    }
    char longest[400];
    memset(longest, 'x', sizeof longest);
    strcpy(longest + sizeof longest - 20, ".wild.example");
    assert_false(tls_pair_covers(p, longest));
    tls_pair_unref(p);
}

/* ---- the rest ------------------------------------------------------------------------------ */

static void what_a_pair_says(void **state)
{
    (void)state;
    int64_t now = clk_wall_ms(&clk_system) / 1000 * 1000;
    struct tls_made *root = authority("Some, \"Root\"", NULL, NULL, false);
    struct tls_made *m = tls_make(&(struct tls_make){
        .names = "DNS:B.example,email:x@y,IP:::1", .issuer = root, .from_s = -86400, .to_s = -10});
    ASN1_INTEGER *serial = s2i_ASN1_INTEGER(NULL, "0x0fedcba98765432100112233445566778899aabb");
    X509_set_serialNumber(m->x, serial);
    ASN1_INTEGER_free(serial);
    assert_true(X509_sign(m->x, root->key, EVP_sha256()) > 0);
    tls_made_write(m);
    struct tls_pair *p = tls_pair_of(m); /* expired, and taken */
    const struct tls_pair_info *i = tls_pair_info(p);
    assert_int_equal(i->names_count, 2);
    assert_string_equal(i->names[0], "b.example");
    assert_string_equal(i->names[1], "::1");
    assert_string_equal(i->issuer, "CN=Some\\, \\\"Root\\\"");
    assert_string_equal(i->serial, "0fedcba98765432100112233445566778899aabb");
    assert_false(i->self_signed);
    assert_true(i->not_before_ms >= now - 86400000 && i->not_before_ms < now - 86400000 + 60000);
    assert_true(i->not_after_ms >= now - 10000 && i->not_after_ms < now + 50000);
    uint8_t digest[EVP_MAX_MD_SIZE];
    char hex[65];
    X509_digest(m->x, EVP_sha256(), digest, NULL);
    for (size_t k = 0; k < 32; k++) {
        snprintf(hex + 2 * k, 3, "%02x", digest[k]);
    }
    assert_string_equal(i->sha256, hex);
    tls_pair_unref(p);
    tls_made_free(m);
    tls_made_free(root);
}

static void a_serial_number_that_is_too_long(void **state)
{
    (void)state;
    struct tls_made *m = tls_make(&(struct tls_make){.names = "DNS:a"});
    ASN1_INTEGER *serial = s2i_ASN1_INTEGER(NULL, "0x010203040506070809101112131415161718192021");
    X509_set_serialNumber(m->x, serial);
    ASN1_INTEGER_free(serial);
    assert_true(X509_sign(m->x, m->key, EVP_sha256()) > 0);
    tls_made_write(m);
    expect(read_made(m), ERR_MALFORMED, "serial number is too long");
    tls_made_free(m);
}

static void pairs_are_equal_by_their_leaf(void **state)
{
    (void)state;
    struct tls_made *m = tls_make(&(struct tls_make){.names = "DNS:a"});
    struct tls_pair *a = tls_pair_of(m), *again = tls_pair_of(m);
    struct tls_pair *b = tls_pair_for("DNS:a", NULL);
    assert_true(tls_pair_equal(a, a));
    assert_true(tls_pair_equal(a, again));
    assert_false(tls_pair_equal(a, b));
    assert_ptr_equal(tls_pair_ref(a), a);
    tls_pair_unref(a);
    assert_string_equal(tls_pair_info(a)->names[0], "a"); /* still there */
    tls_pair_unref(a);
    tls_pair_unref(again);
    tls_pair_unref(b);
    tls_pair_unref(NULL);
    tls_made_free(m);
}

/* No leak, no crash, and an error with a text or a whole pair. OpenSSL gets over some failures, and
 * calls others by another name. Nearly all allocations are within it, so not each is tried. */
static void memory_runs_out(void **state)
{
    unsigned told = 0, failed = 0;
    (void)state;
    struct tls_made *root = authority("root", NULL, NULL, false);
    struct tls_made *m = tls_make(&(struct tls_make){.names = "DNS:a,IP:::1", .issuer = root});
    tls_made_append(m, root);
    assert_int_equal(read_made(m), ERR_OK);
    for (size_t n = 0;; n += 1 + n / 80) {
        openssl_memory_fail_after(n);
        enum err e = read_made(m);
        if (!openssl_memory_failed()) {
            assert_int_equal(e, ERR_OK);
            break;
        }
        failed++;
        told += e == ERR_NOMEM;
        assert_true(e == ERR_OK || info.text[0] != '\0');
    }
    assert_true(failed > 200 && told > 20);
    tls_made_free(m);
    tls_made_free(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_that_clients_take),
        cmocka_unit_test(keys_that_they_do_not_take),
        cmocka_unit_test(a_curve_that_is_spelt_out),
        cmocka_unit_test(a_key_of_another),
        cmocka_unit_test(a_damaged_key),
        cmocka_unit_test(words_and_other_blocks_do_not_matter),
        cmocka_unit_test(older_forms_of_keys),
        cmocka_unit_test(encrypted_keys_are_told),
        cmocka_unit_test(texts_that_are_not),
        cmocka_unit_test(links_of_a_chain),
        cmocka_unit_test(weak_links),
        cmocka_unit_test(the_longest_chain),
        cmocka_unit_test(names_that_are_none),
        cmocka_unit_test(how_many_names),
        cmocka_unit_test(which_names_are_covered),
        cmocka_unit_test(what_a_pair_says),
        cmocka_unit_test(a_serial_number_that_is_too_long),
        cmocka_unit_test(pairs_are_equal_by_their_leaf),
        cmocka_unit_test(memory_runs_out),
    };
    openssl_memory_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
