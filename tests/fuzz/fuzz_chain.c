/* A CA's chain of certificates: never a crash; what comes apart is certificates and nothing else, and
 * comes apart in the same way again; identifiers are base64url.
 *
 * The first octet says what the rest is: 0, a PEM text; 1, changes of a good certificate, three octets
 * each: where (two) and what; 2, a certificate's octets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "cert/chain.h"
#include "lib/buf.h"
#include "test_chains.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fuzz_chain: %s\n", what);
        abort();
    }
}

static void check_id(const char *pem, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char id[CERT_CHAIN_ARI_MAX] = "";
    struct err_info info = {.text = ""};
    enum err e = cert_chain_ari_id(pem, len, id, &info);
    must(e == ERR_OK || e == ERR_NOTFOUND || e == ERR_MALFORMED || e == ERR_LIMIT, err_text(e));
    must((e == ERR_OK) == (info.text[0] == '\0'), "the id's outcome");
    if (e == ERR_OK) {
        size_t key = strspn(id, digits);
        must(key > 0 && id[key] == '.', "the id's first half");
        size_t serial = strspn(id + key + 1, digits);
        must(serial > 0 && id[key + 1 + serial] == '\0', "the id's second half");
    }
}

static size_t blocks(const char *text)
{
    size_t n = 0;
    for (const char *at = text; *at != '\0'; n++) {
        must(strncmp(at, "-----BEGIN CERTIFICATE-----\n", 28) == 0, "a beginning");
        at = strstr(at, "-----END CERTIFICATE-----\n");
        must(at != NULL, "an end");
        at += 26;
    }
    return n;
}

static void check_again(const char *leaf, const char *rest)
{
    char *leaf_again = NULL, *rest_again = NULL;
    size_t len = strlen(leaf) + strlen(rest);
    char *both = malloc(len + 1);
    must(both != NULL, "no memory");
    snprintf(both, len + 1, "%s%s", leaf, rest);
    must(cert_chain_split(both, len, &leaf_again, &rest_again, NULL) == ERR_OK, "once more");
    must(strcmp(leaf, leaf_again) == 0 && strcmp(rest, rest_again) == 0, "the same again");
    free(both);
    free(leaf_again);
    free(rest_again);
}

static void check(const char *pem, size_t len)
{
    char *leaf = NULL, *rest = NULL;
    struct err_info info = {.text = ""};
    check_id(pem, len);
    enum err e = cert_chain_split(pem, len, &leaf, &rest, &info);
    must(e == ERR_OK || e == ERR_MALFORMED || e == ERR_LIMIT, err_text(e));
    must((e == ERR_OK) == (leaf != NULL) && (e == ERR_OK) == (info.text[0] == '\0'), "the outcome");
    if (e == ERR_OK) {
        must(blocks(leaf) == 1 && blocks(rest) < TLS_PAIR_CHAIN_MAX, "how many");
        check_again(leaf, rest);
    }
    bool leads = cert_chain_leads_to(pem, len, "Example Y1");
    must(!leads || e == ERR_OK, "it leads somewhere, and is none");
    must(ERR_peek_error() == 0, "an error stays behind");
    free(leaf);
    free(rest);
}

static void check_der(const uint8_t *der, size_t len)
{
    char *text;
    BIO *b = BIO_new(BIO_s_mem());
    must(b != NULL && PEM_write_bio(b, PEM_STRING_X509, "", der, (long)len) >= 0, "PEM");
    long text_len = BIO_get_mem_data(b, &text);
    ERR_clear_error();
    check(text, (size_t)text_len);
    BIO_free(b);
}

static void check_changed(const uint8_t *data, size_t size)
{
    BIO *b = BIO_new_mem_buf(CHAIN_LEAF, -1);
    char *name, *header;
    uint8_t *der;
    long len;
    must(PEM_read_bio(b, &name, &header, &der, &len) == 1, "PEM");
    for (; size >= 3; data += 3, size -= 3) {
        der[get_u16(data) % (size_t)len] = data[2];
    }
    check_der(der, (size_t)len);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    BIO_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    switch (data[0] % 3) {
    case 0:
        check((const char *)data + 1, size - 1);
        break;
    case 1:
        check_changed(data + 1, size - 1);
        break;
    default:
        check_der(data + 1, size - 1);
        break;
    }
    return 0;
}
