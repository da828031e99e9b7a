/* What a stranger sends to a TLS server. It never gets further than its first flight, for it does not
 * know the key; but the input may also stand for what a client sends in an open connection: then it is
 * sealed by a real client first, as records of any kind.
 *
 * The first octet: how large the pieces are (0: all at once). The second: bit 0, the input is sealed
 * by a client whose handshake is over; bit 1, with TLS 1.2; bit 2, the server is for HTTP; bit 3, it asks
 * for certificates, and with bit 0 the input is what a client shows: the body of its Certificate message
 * (in TLS 1.2, where it is not sealed; what is read of it in 1.3 is the same); bit 4, it wants one; bit 5,
 * the input is what a server says to our client.
 *
 * What must hold: no crash, no plaintext of nothing, a failure has a reason, what is held is bounded.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "cert/placeholder.h"
#include "lib/tls_client.h"
#include "memory.h"
#include "tls_peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 70000
#define HELD_MAX  (256u * 1024)

/* Made by another program (Python's cryptography), valid from 2026 to 2036, as are those in the corpus that it
 * has signed. Nobody has its key. */
#define CA                                                                                         \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIBdzCCARygAwIBAgIBUjAKBggqhkjOPQQDAjAaMRgwFgYDVQQDDA9FeGFtcGxl\n"                           \
    "IENsdXN0ZXIwHhcNMjYwMTAxMDAwMDAwWhcNMzYwMTAxMDAwMDAwWjAaMRgwFgYD\n"                           \
    "VQQDDA9FeGFtcGxlIENsdXN0ZXIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASW\n"                           \
    "TLk5ZfJv3EmfLk3VVJy37XPY0r1WxE5ohUifKmj/+v7S1KQhwKemMh7wL3akzrFn\n"                           \
    "2KEfXvpfngoTzToFUXmho1MwUTAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBTw\n"                           \
    "IxM9nLD0z02GvGwnEUAIZSzQZTAfBgNVHSMEGDAWgBTwIxM9nLD0z02GvGwnEUAI\n"                           \
    "ZSzQZTAKBggqhkjOPQQDAgNJADBGAiEA5Zgmtu0exom+MgaBfr8914L/JpmdcTqM\n"                           \
    "qUibN9GGNr8CIQCAGEFPR0MFF0lYCm3ZmmNF36I7RJkuN/LhGIEClagfJw==\n"                               \
    "-----END CERTIFICATE-----\n"

static struct tls_context *context;
static struct tls_context *asks, *must_have;
static struct tls_client *client;

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fuzz_tls: %s\n", what);
        abort();
    }
}

static void finish(void)
{
    tls_context_unref(context);
    tls_context_unref(asks);
    tls_context_unref(must_have);
    tls_client_unref(client);
}

static void start(void)
{
    static const char *const names[] = {"a.example"}, *const others[] = {"b.example",
                                                                         "*.b.example"};
    struct tls_pair *pairs[2];
    must(placeholder_new(names, 1, INT64_C(1800000000000), &pairs[0], NULL) == ERR_OK, "a pair");
    must(placeholder_new(others, 2, INT64_C(1800000000000), &pairs[1], NULL) == ERR_OK, "a pair");
    context = tls_context_of(pairs, 2, NULL);
    struct tls_context_options o = {
        .pairs = pairs, .pairs_count = 2, .client_ca = CA, .client_ca_len = sizeof CA - 1};
    must(tls_context_new(&o, &asks, NULL) == ERR_OK, "a context that asks");
    o.client_must = true;
    must(tls_context_new(&o, &must_have, NULL) == ERR_OK, "a context that wants");
    must(tls_client_new(CA, sizeof CA - 1, pairs[0], &client, NULL) == ERR_OK, "a client");
    tls_pair_unref(pairs[0]);
    tls_pair_unref(pairs[1]);
    atexit(finish);
}

/* Feeds and reads as a server does; returns how much plaintext there was. */
static size_t serve(struct tls_conn *c, const uint8_t *bytes, size_t len, size_t piece)
{
    uint8_t text[4096];
    size_t sum = 0, before = memory_in_use();
    for (size_t at = 0; at < len; at += piece) {
        size_t step = len - at < piece ? len - at : piece;
        const uint8_t *out;
        must(tls_conn_feed(c, bytes + at, step) == ERR_OK, "no memory");
        for (size_t n; (n = tls_conn_read(c, text, sizeof text)) > 0; sum += n) {
            (void)!tls_conn_write(c, text, n < 100 ? n : 100);
        }
        size_t waiting = tls_conn_out(c, &out);
        tls_conn_sent(c, waiting);
        must(memory_in_use() < before + HELD_MAX + piece, "too much is held");
    }
    must((tls_conn_state(c) == TLS_FAILED) == (tls_conn_failure(c)[0] != '\0'),
         "a failure's reason");
    must(ERR_peek_error() == 0, "an error stays behind");
    return sum;
}

/* From a client that means well up to here: DATA is its plaintext, in records of LEN octets at most,
 * with a key update or a renegotiation wherever an octet is 0xff. */
static void in_an_open_connection(struct tls_conn *c, const uint8_t *data, size_t size,
                                  size_t piece, int version)
{
    static uint8_t sealed[4 * INPUT_MAX];
    struct tls_caller *p = tls_peer_new(&(struct tls_peer_options){.version = version});
    must(tls_peer_run(p, c, SIZE_MAX) && tls_conn_state(c) == TLS_OPEN, "no handshake");
    size_t expected = 0;
    for (size_t at = 0; at < size;) {
        size_t n = data[at] == 0xff ? 0 : data[at] % 64 + 1u;
        n = n < size - at ? n : size - at;
        if (n == 0 && version == TLS1_3_VERSION) {
            SSL_key_update(p->ssl,
                           at % 2 == 0 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
        }
        if (n > 0 && SSL_write(p->ssl, data + at, (int)n) == (int)n) {
            expected += n;
        }
        at += n > 0 ? n : 1;
    }
    int len = BIO_read(p->out, sealed, sizeof sealed);
    ERR_clear_error();
    size_t got = serve(c, sealed, len > 0 ? (size_t)len : 0, piece);
    must(tls_conn_state(c) == TLS_OPEN ? got == expected : got <= expected, "other plaintext");
    tls_peer_free(p);
}

/* A Certificate message with BODY, in as many records as it takes (RFC 5246 §6.2.1, §7.4). */
static size_t certificate_message(const uint8_t *body, size_t size, uint8_t *out)
{
    static uint8_t message[INPUT_MAX + 4];
    size_t len = 0;
    message[0] = SSL3_MT_CERTIFICATE;
    for (int i = 0; i < 3; i++) {
        message[1 + i] = (uint8_t)(size >> (16 - 8 * i));
    }
    memcpy(message + 4, body, size);
    for (size_t at = 0, n; at < size + 4; at += n) {
        n = size + 4 - at < SSL3_RT_MAX_PLAIN_LENGTH ? size + 4 - at : SSL3_RT_MAX_PLAIN_LENGTH;
        const uint8_t head[] = {SSL3_RT_HANDSHAKE, 3, 3, (uint8_t)(n >> 8), (uint8_t)n};
        memcpy(out + len, head, sizeof head);
        memcpy(out + len + sizeof head, message + at, n);
        len += sizeof head + n;
    }
    return len;
}

#define NONE_RECORD 12 /* the message of a client that has no certificate, with its heads */

/* What a client without a certificate sends after it has been asked for one, but with DATA for its
 * Certificate message's body. */
static void a_certificate(struct tls_conn *c, const uint8_t *data, size_t size, size_t piece,
                          bool wanted)
{
    static uint8_t sent[2 * INPUT_MAX], flight[4096];
    const uint8_t *out;
    struct tls_peer who;
    struct tls_caller *p = tls_peer_new(&(struct tls_peer_options){.version = TLS1_2_VERSION});
    (void)SSL_do_handshake(p->ssl);
    int n = BIO_read(p->out, flight, sizeof flight);
    must(n > 0 && tls_conn_feed(c, flight, (size_t)n) == ERR_OK, "no hello");
    size_t waiting = tls_conn_out(c, &out);
    BIO_write(p->in, out, (int)waiting);
    tls_conn_sent(c, waiting);
    (void)SSL_do_handshake(p->ssl);
    n = BIO_read(p->out, flight, sizeof flight);
    must(n > NONE_RECORD && flight[5] == SSL3_MT_CERTIFICATE && flight[4] == NONE_RECORD - 5,
         "no Certificate message");
    size_t len = certificate_message(data, size, sent);
    memcpy(sent + len, flight + NONE_RECORD, (size_t)n - NONE_RECORD);
    must(serve(c, sent, len + (size_t)n - NONE_RECORD, piece) == 0, "plaintext of nobody");
    bool none = size == 3 && memcmp(data, "\0\0\0", 3) == 0;
    must((tls_conn_state(c) == TLS_OPEN) == (none && !wanted), "taken for somebody");
    must(!tls_conn_peer(c, &who), "somebody's name");
    tls_peer_free(p);
    ERR_clear_error();
}

static void from_a_server(const uint8_t *data, size_t size, size_t piece)
{
    const uint8_t *out;
    struct tls_peer who;
    struct tls_conn *c = tls_conn_dial(client, "a.example");
    must(c != NULL, "no connection");
    tls_conn_sent(c, tls_conn_out(c, &out));
    must(serve(c, data, size, piece) == 0, "plaintext without a handshake");
    must(tls_conn_state(c) != TLS_OPEN && !tls_conn_peer(c, &who), "open without a handshake");
    tls_conn_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (context == NULL) {
        start();
    }
    if (size < 3 || size > INPUT_MAX) {
        return 0;
    }
    size_t piece = data[0] == 0 ? INPUT_MAX * 4 : data[0];
    bool asking = (data[1] & 8) != 0, wanted = (data[1] & 16) != 0;
    if ((data[1] & 32) != 0) {
        from_a_server(data + 2, size - 2, piece);
        return 0;
    }
    struct tls_conn *c = tls_conn_new(!asking  ? context
                                      : wanted ? must_have
                                               : asks,
                                      (data[1] & 4) != 0 ? TLS_USE_HTTP : TLS_USE_DOT);
    must(c != NULL, "no connection");
    if (asking && (data[1] & 1) != 0) {
        a_certificate(c, data + 2, size - 2, piece, wanted);
    } else if ((data[1] & 1) != 0) {
        in_an_open_connection(c, data + 2, size - 2, piece,
                              (data[1] & 2) != 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
    } else {
        must(serve(c, data + 2, size - 2, piece) == 0, "plaintext without a handshake");
        must(tls_conn_state(c) != TLS_OPEN, "open without a handshake");
    }
    tls_conn_free(c);
    return 0;
}
