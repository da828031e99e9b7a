/* A node's certificate and a node's request, as strangers may send them: never a crash, every refusal has a
 * word, and what is signed can be read, is for the core that was meant, and is the cluster's.
 *
 * The first octet says what the rest is: 0, a certificate's PEM text; 1, its octets; 2, changes of a good
 * certificate, three octets each: where (two) and what; 3, a request, PEM or octets; 4, changes of a good
 * request; 5, an id, a NUL, and names with a NUL behind each, for a good request.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "cert/authority.h"
#include "lib/buf.h"

#define NOW_MS    INT64_C(1800000000000)
#define NAMES_MAX 110 /* some more than there may be */

#define CA                                                                                         \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIBnjCCAUSgAwIBAgIUdCKNg8ler5I+Ols1I7lWk8OfL/IwCgYIKoZIzj0EAwIw\n"                           \
    "GjEYMBYGA1UEAwwPZG5zZCBjbHVzdGVyIENBMCAXDTI2MTEyMTIyNTEyOFoYDzIx\n"                           \
    "MjYxMDI4MjI1MTI4WjAaMRgwFgYDVQQDDA9kbnNkIGNsdXN0ZXIgQ0EwWTATBgcq\n"                           \
    "hkjOPQIBBggqhkjOPQMBBwNCAAQBktnYqW5kzzbsTWYKzn+FY1sx28If6CM907Ur\n"                           \
    "SSWI8h12m76GbL8PAfmDlrr6LpLWpGtPLmC73NZBfvmKlwYXo2YwZDAdBgNVHQ4E\n"                           \
    "FgQUUhA3MDzSe3KyTJkhlYYwx3/0SLowHwYDVR0jBBgwFoAUUhA3MDzSe3KyTJkh\n"                           \
    "lYYwx3/0SLowEgYDVR0TAQH/BAgwBgEB/wIBADAOBgNVHQ8BAf8EBAMCAQYwCgYI\n"                           \
    "KoZIzj0EAwIDSAAwRQIgVBZiBa5Pcm/XUsNCIB7TvXDi5Ha0PT278Y6ftvci/LsC\n"                           \
    "IQDV0n+J+CWwV7FhlkdleWs7+7asjRpf0ieyvmLnNmxTlQ==\n"                                           \
    "-----END CERTIFICATE-----\n"
#define CA_KEY                                                                                     \
    "-----BEGIN PRIVATE KEY-----\n"                                                                \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgQayb5bsHOR89O4w6\n"                           \
    "+kfXl9BaeE7078G0qEAK6OuiFcShRANCAAQBktnYqW5kzzbsTWYKzn+FY1sx28If\n"                           \
    "6CM907UrSSWI8h12m76GbL8PAfmDlrr6LpLWpGtPLmC73NZBfvmKlwYX\n"                                   \
    "-----END PRIVATE KEY-----\n"
#define NODE                                                                                       \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIB2zCCAYGgAwIBAgIUTz5aa3yNng8aKzxNXm9wgZKjtMUwCgYIKoZIzj0EAwIw\n"                           \
    "GjEYMBYGA1UEAwwPZG5zZCBjbHVzdGVyIENBMCAXDTI2MTEyMTIyNTEyOFoYDzIx\n"                           \
    "MjUwNjE1MjI1MTI4WjARMQ8wDQYDVQQDDAZjb3JlLWIwWTATBgcqhkjOPQIBBggq\n"                           \
    "hkjOPQMBBwNCAATPESeXPOSP2baV64ymCAn3O/KJTQAhgNfUc8KoSpYkJ2XlTHHU\n"                           \
    "gCe5gGLMFWkuZQUE7LaWFUgALkk+fWNTbDDgo4GrMIGoMAwGA1UdEwEB/wQCMAAw\n"                           \
    "DgYDVR0PAQH/BAQDAgeAMB0GA1UdJQQWMBQGCCsGAQUFBwMBBggrBgEFBQcDAjAd\n"                           \
    "BgNVHQ4EFgQU2Qp/KEMNKxncB9xdlrOqHHTRxyUwHwYDVR0jBBgwFoAUUhA3MDzS\n"                           \
    "e3KyTJkhlYYwx3/0SLowKQYDVR0RBCIwIIIGY29yZS1ihwTAAAIHhxAgAQ24AAAA\n"                           \
    "AAAAAAAAAAAHMAoGCCqGSM49BAMCA0gAMEUCIQCuNHge6MtUrf+9ASGi/DIIlnkq\n"                           \
    "prbKNmMD7KALQq0fFQIgT7Wjo5kb2jw+zvIb7b/rCukF30wkNGFZxm/J5lpS/QE=\n"                           \
    "-----END CERTIFICATE-----\n"
#define REQUEST                                                                                    \
    "-----BEGIN CERTIFICATE REQUEST-----\n"                                                        \
    "MIHtMIGVAgEAMBExDzANBgNVBAMMBmNvcmUtYjBZMBMGByqGSM49AgEGCCqGSM49\n"                           \
    "AwEHA0IABM8RJ5c85I/ZtpXrjKYICfc78olNACGA19RzwqhKliQnZeVMcdSAJ7mA\n"                           \
    "YswVaS5lBQTstpYVSAAuST59Y1NsMOCgIjAgBgkqhkiG9w0BCQ4xEzARMA8GA1Ud\n"                           \
    "EQQIMAaCBGV2aWwwCgYIKoZIzj0EAwIDRwAwRAIgfR6AKH9oaXdHI8hfsEJsmXC7\n"                           \
    "/DB62lw78A8zhtB19LMCIHiZ49b5QAMfXOOWrXv9JmdEhe466zWkbBqoNJTpThaE\n"                           \
    "-----END CERTIFICATE REQUEST-----\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fuzz_node_cert: %s\n", what);
        abort();
    }
}

static struct cert_authority *authority(void)
{
    static struct cert_authority *a;
    if (a == NULL) {
        must(cert_authority_open(CA, strlen(CA), CA_KEY, strlen(CA_KEY), NOW_MS, &a, NULL) ==
                 ERR_OK,
             "the authority");
    }
    return a;
}

static void end(enum err e, const struct err_info *info)
{
    must(e == ERR_OK || e == ERR_MALFORMED || e == ERR_LIMIT || e == ERR_DENIED, err_text(e));
    must((e == ERR_OK) == (info->text[0] == '\0'), "a word, or none");
    must(ERR_peek_error() == 0, "an error stays behind");
}

/* ---- certificates -------------------------------------------------------------------------- */

static void check_cert(const void *pem, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    struct err_info info = {.text = ""};
    struct cert_node_info node;
    char pin[CERT_PIN] = "";
    enum err e = cert_node_read(pem, len, &node, &info);
    end(e, &info);
    if (e == ERR_OK) {
        must(node.id[0] != '\0' && strlen(node.id) < CERT_ID_MAX, "the id");
        must(strlen(node.serial) >= 2 && strspn(node.serial, digits) == strlen(node.serial),
             "the serial number");
        must(strlen(node.sha256) == 64, "the fingerprint");
        must(node.not_before_ms < node.not_after_ms, "the dates");
    }
    info.text[0] = '\0';
    e = cert_pin(pem, len, pin, &info);
    end(e, &info);
    must(e != ERR_OK || strlen(pin) == CERT_PIN - 1, "the pin");
    info.text[0] = '\0';
    end(cert_node_verify(pem, len, CA, strlen(CA), NOW_MS, &info), &info);
    info.text[0] = '\0';
    end(cert_node_verify(NODE, strlen(NODE), pem, len, NOW_MS, &info), &info);
}

static void check_cert_der(const uint8_t *der, size_t len)
{
    char *text;
    BIO *b = BIO_new(BIO_s_mem());
    must(b != NULL && PEM_write_bio(b, PEM_STRING_X509, "", der, (long)len) >= 0, "PEM");
    long text_len = BIO_get_mem_data(b, &text);
    ERR_clear_error();
    check_cert(text, (size_t)text_len);
    BIO_free(b);
}

/* ---- requests ------------------------------------------------------------------------------ */

static void check_signed(const char *cert, const struct cert_node_wish *wish)
{
    struct cert_node_info node;
    must(cert_node_read(cert, strlen(cert), &node, NULL) == ERR_OK, "what was signed");
    must(strcmp(node.id, wish->id) == 0, "another core");
    must(node.not_after_ms == NOW_MS + wish->lifetime_s * 1000, "its end");
    must(cert_node_verify(cert, strlen(cert), CA, strlen(CA), NOW_MS, NULL) == ERR_OK,
         "not the cluster's");
}

static void check_wish(const void *request, size_t len, const struct cert_node_wish *wish)
{
    struct err_info info = {.text = ""};
    char *cert = NULL;
    enum err e = cert_authority_sign(authority(), request, len, wish, &cert, &info);
    end(e, &info);
    must((e == ERR_OK) == (cert != NULL), "the outcome");
    if (e == ERR_OK) {
        check_signed(cert, wish);
    }
    free(cert);
}

static void check_request(const void *request, size_t len)
{
    const char *const names[] = {"core-b", "192.0.2.7"};
    check_wish(request, len,
               &(struct cert_node_wish){.id = "core-b",
                                        .names = names,
                                        .names_count = 2,
                                        .now_ms = NOW_MS,
                                        .lifetime_s = 3600});
}

/* DATA ends with a NUL. */
static void check_names(const char *data, size_t size)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    const char *end_of = data + size;
    for (const char *at = data + strlen(data) + 1; at < end_of && count < NAMES_MAX;
         at += strlen(at) + 1) {
        names[count++] = at;
    }
    check_wish(REQUEST, strlen(REQUEST),
               &(struct cert_node_wish){.id = data,
                                        .names = names,
                                        .names_count = count,
                                        .now_ms = NOW_MS,
                                        .lifetime_s = 3600});
}

/* ---- the two good ones, changed ------------------------------------------------------------- */

static void change(const char *pem, const uint8_t *data, size_t size,
                   void (*check)(const uint8_t *der, size_t len))
{
    BIO *b = BIO_new_mem_buf(pem, -1);
    char *name, *header;
    uint8_t *der;
    long len;
    must(PEM_read_bio(b, &name, &header, &der, &len) == 1, "PEM");
    for (; size >= 3; data += 3, size -= 3) {
        der[get_u16(data) % (size_t)len] = data[2];
    }
    check(der, (size_t)len);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    BIO_free(b);
}

static void check_request_der(const uint8_t *der, size_t len)
{
    check_request(der, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    switch (data[0] % 6) {
    case 0:
        check_cert(data + 1, size - 1);
        break;
    case 1:
        check_cert_der(data + 1, size - 1);
        break;
    case 2:
        change(NODE, data + 1, size - 1, check_cert_der);
        break;
    case 3:
        check_request(data + 1, size - 1);
        break;
    case 4:
        change(REQUEST, data + 1, size - 1, check_request_der);
        break;
    default: {
        char *copy = calloc(1, size);
        must(copy != NULL, "no memory");
        memcpy(copy, data + 1, size - 1);
        check_names(copy, size);
        free(copy);
        break;
    }
    }
    return 0;
}
