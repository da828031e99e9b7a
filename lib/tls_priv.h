/* What the files of lib/tls share. All memory is OpenSSL's (OPENSSL_malloc and its kin), so that one
 * place can be told to fail, and key material goes through functions that wipe. */
#ifndef LIB_TLS_PRIV_H
#define LIB_TLS_PRIV_H

#include <stdatomic.h>

#include <openssl/ssl.h>

#include "tls_client.h"

/* ---- errors (tls_error.c) ----------------------------------------------------------------- */

/* Empties OpenSSL's queue of this thread. The oldest entry's reason (static text), which says the most;
 * *no_memory if any entry is about that. */
const char *tls_error_take(bool *no_memory);

/* The same as an error of ours: ERR_NOMEM, else E. INFO: "WHAT: reason". */
enum err tls_error(struct err_info *info, enum err e, const char *what);

/* The same of a handshake of SSL's that has failed, in words about certificates where it is about those. */
const char *tls_failure_take(const SSL *ssl, bool *no_memory);

/* ---- pairs --------------------------------------------------------------------------------- */

#define TLS_DIGEST_LEN 32 /* SHA-256 */

struct tls_pair {
    atomic_uint refs;
    X509 *leaf;                     /* owned, as all of these */
    STACK_OF(X509) * chain;         /* what follows the leaf; perhaps empty */
    EVP_PKEY *key;                  /* its private key */
    uint8_t digest[TLS_DIGEST_LEN]; /* of the leaf */
    char **names;
    char *issuer;
    char key_text[32];
    struct tls_pair_info info; /* borrows from the above */
};

/* Fills INFO from the leaf: names, dates, numbers (tls_pair_info.c). */
enum err tls_pair_describe(struct tls_pair *p, struct err_info *info) MUST_USE;

/* The next certificate of PEM; OK and NULL: there is none. */
enum err tls_pem_certificate(BIO *pem, X509 **out, struct err_info *info) MUST_USE;
enum err tls_pem_open(const void *pem, size_t len, const char *what, BIO **out,
                      struct err_info *info) MUST_USE;

#define TLS_SERIAL_MAX 20 /* RFC 5280 §4.1.2.2 */

void tls_hex(const uint8_t *octets, size_t len, char *out);
/* False: too long. */
bool tls_serial(const X509 *x, char out[2 * TLS_SERIAL_MAX + 1]);
bool tls_time_ms(const ASN1_TIME *when, int64_t *out);

/* ---- whom we believe (tls_trust.c) --------------------------------------------------------- */

/* Peers of SSL's connections must be signed by those in CA (PEM) and by nobody else. A server's are told
 * who these are. */
enum err tls_trust(SSL_CTX *ssl, const void *ca, size_t ca_len, bool server,
                   struct err_info *info) MUST_USE;

/* ---- contexts ------------------------------------------------------------------------------ */

struct tls_ticket_key {
    uint8_t name[16]; /* RFC 5077 §4: which key it was, in the open */
    uint8_t aes[32];
    uint8_t mac[32];
};

#define TLS_TICKET_KEYS 2 /* the own one, and that of the context before */

struct tls_context {
    atomic_uint refs;
    SSL_CTX *ssl;                                  /* owned; its app data is the context */
    BIO_METHOD *pump;                              /* owned */
    struct tls_pair *pairs[TLS_CONTEXT_PAIRS_MAX]; /* shared: our references */
    size_t pairs_count;
    struct tls_pair *proofs[TLS_CONTEXT_PROOFS_MAX]; /* shared, too */
    size_t proofs_count;
    struct tls_ticket_key keys[TLS_TICKET_KEYS]; /* the first seals */
    size_t keys_count;
};

/* What goes for both sides: versions, suites, groups, signatures, manners. */
bool tls_rules_set(SSL_CTX *ssl) MUST_USE;

/* For SSL_CTX_set_tlsext_ticket_key_evp_cb (tls_ticket.c). */
int tls_ticket_key_cb(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                      EVP_MAC_CTX *mac, int sealing);
/* C's own key, and PREVIOUS' (may be NULL) after it. False: no randomness. */
bool tls_ticket_keys_init(struct tls_context *c, const struct tls_context *previous);

/* ---- clients ------------------------------------------------------------------------------- */

struct tls_client {
    atomic_uint refs;
    SSL_CTX *ssl;     /* owned; has the pair and the CA */
    BIO_METHOD *pump; /* owned */
};

/* ---- connections --------------------------------------------------------------------------- */

/* Octets in order: put in at the end, taken from the front; no memory while empty. */
struct tls_queue {
    uint8_t *bytes; /* owned; NULL: none */
    size_t head, end, cap;
};

struct tls_conn {
    SSL *ssl; /* owned; its app data is the connection. NULL once it has failed */
    struct tls_context *context; /* shared: our reference; NULL: it is a client's */
    struct tls_client *client;   /* shared, too; NULL: it is a server's */
    struct tls_queue in, out;
    enum tls_use use;
    enum tls_state state;
    size_t record;       /* of the record being read: its length with the header */
    size_t talked;       /* octets of records that were not application data; TLS_TALK_MAX */
    size_t hello_left;   /* octets of a ClientHello that are still to come */
    uint32_t hello_head; /* its first four octets: type and length */
    unsigned hello_want; /* how many of those are still to be read */
    const char *failure; /* static text; "" */
    const char *version; /* static text */
    bool resumed, h2;
    bool proof;     /* a validator, who is shown a proof */
    bool ended;     /* our close_notify is out */
    bool no_memory; /* the pump could not keep what OpenSSL wrote */
};

/* Of neither side yet. NULL: no memory. */
struct tls_conn *tls_conn_make(SSL_CTX *ssl, BIO_METHOD *pump);
/* Goes on with the handshake as far as what is there allows. That it breaks is a state, not an error of the
 * caller's. */
enum err tls_conn_shake(struct tls_conn *c) MUST_USE;
void tls_conn_fail(struct tls_conn *c, const char *why);

static inline size_t tls_queue_len(const struct tls_queue *q)
{
    return q->end - q->head;
}
/* Makes room for N more. False: no memory. */
bool tls_queue_reserve(struct tls_queue *q, size_t n);
bool tls_queue_put(struct tls_queue *q, const void *bytes, size_t n);
void tls_queue_drop(struct tls_queue *q, size_t n);
void tls_queue_free(struct tls_queue *q);

/* OpenSSL's way to the queues of a struct tls_conn, which is the BIO's data (tls_pump.c). */
BIO_METHOD *tls_pump_new(void);

/* Whether more is read of C, and what of it (tls_bound.c). The first is for SSL_set_msg_callback(); the
 * second is told of the N octets that OpenSSL gets, in order; the third says whether that is enough. */
void tls_bound_on_record(int writing, int version, int type, const void *bytes, size_t len,
                         SSL *ssl, void *conn);
void tls_bound_read(struct tls_conn *c, const uint8_t *bytes, size_t n);
static inline bool tls_bound_passed(const struct tls_conn *c)
{
    return c->talked > TLS_TALK_MAX;
}

#endif
