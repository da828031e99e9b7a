/* What a stranger sends to a TLS server. It never gets further than its first flight, for it does not
 * know the key; but the input may also stand for what a client sends in an open connection: then it is
 * sealed by a real client first, as records of any kind.
 *
 * The first octet: how large the pieces are (0: all at once). The second: bit 0, the input is sealed
 * by a client whose handshake is over; bit 1, with TLS 1.2; bit 2, the server is for HTTP.
 *
 * What must hold: no crash, no plaintext of nothing, a failure has a reason, what is held is bounded.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "cert/placeholder.h"
#include "memory.h"
#include "tls_peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 70000
#define HELD_MAX  (256u * 1024)

static struct tls_context *context;

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
}

static void start(void)
{
    static const char *const names[] = {"a.example"}, *const others[] = {"b.example",
                                                                         "*.b.example"};
    struct tls_pair *pairs[2];
    must(placeholder_new(names, 1, INT64_C(1800000000000), &pairs[0], NULL) == ERR_OK, "a pair");
    must(placeholder_new(others, 2, INT64_C(1800000000000), &pairs[1], NULL) == ERR_OK, "a pair");
    context = tls_context_of(pairs, 2, NULL);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (context == NULL) {
        start();
    }
    if (size < 3 || size > INPUT_MAX) {
        return 0;
    }
    size_t piece = data[0] == 0 ? INPUT_MAX * 4 : data[0];
    struct tls_conn *c = tls_conn_new(context, (data[1] & 4) != 0 ? TLS_USE_HTTP : TLS_USE_DOT);
    must(c != NULL, "no connection");
    if ((data[1] & 1) != 0) {
        in_an_open_connection(c, data + 2, size - 2, piece,
                              (data[1] & 2) != 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
    } else {
        must(serve(c, data + 2, size - 2, piece) == 0, "plaintext without a handshake");
        must(tls_conn_state(c) != TLS_OPEN, "open without a handshake");
    }
    tls_conn_free(c);
    return 0;
}
