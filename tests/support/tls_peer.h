/* What TLS tests need beside the code under test: certificates made on the spot, and a client, which
 * is OpenSSL's, that talks to a struct tls_conn over memory. Failures end the test. */
#ifndef TESTS_TLS_PEER_H
#define TESTS_TLS_PEER_H

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "lib/tls.h"

/* ---- certificates -------------------------------------------------------------------------- */

struct tls_made {
    X509 *x;
    EVP_PKEY *key;
    char *cert, *private; /* PEM */
};

struct tls_make {
    const char *key;   /* "EC P-256" (also NULL), "EC secp256k1", "RSA 2048", "ED25519", ... */
    const char *names; /* subjectAltName as OpenSSL writes it: "DNS:a.example,IP:::1"; NULL: none */
    const char *subject;           /* CN; NULL: "dnsd test" */
    const char *purpose;           /* extendedKeyUsage: "serverAuth,clientAuth"; NULL: any */
    const struct tls_made *issuer; /* NULL: itself */
    bool ca, sha1;
    int64_t from_s, to_s; /* from now; both 0: one hour about it */
};
/* The caller's to free. */
struct tls_made *tls_make(const struct tls_make *how);
void tls_made_free(struct tls_made *m);
/* The texts again, after x or key were changed. */
void tls_made_write(struct tls_made *m);
/* Another certificate's text behind the first's. */
void tls_made_append(struct tls_made *m, const struct tls_made *next);

/* SSL shows it from now on, with the other certificates of its text behind it. */
void tls_made_use(const struct tls_made *m, SSL *ssl);

struct tls_pair *tls_pair_of(const struct tls_made *m);
struct tls_pair *tls_pair_for(const char *names, const char *subject);
/* References are taken; they stay the caller's, too. */
struct tls_context *tls_context_of(struct tls_pair *const *pairs, size_t count,
                                   const struct tls_context *previous);
/* Of one pair, EC P-256. */
struct tls_context *tls_context_for(const char *names);

/* ---- the client ---------------------------------------------------------------------------- */

struct tls_caller {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out;        /* the SSL's */
    SSL_SESSION *session; /* the newest that it was given; NULL: none */
    char heard[70000], saw[64];
    const char *alert;
};

struct tls_peer_options {
    int version;     /* TLS1_2_VERSION, ...; 0: any */
    const char *sni; /* NULL: none */
    const char *alpn, *suites12, *sigalgs,
        *groups;                 /* ALPN as on the wire; NULL: as OpenSSL likes */
    SSL_SESSION *session;        /* to resume; NULL: none */
    const struct tls_made *cert; /* to show, with all that its text has; NULL: none */
    bool later;                  /* post-handshake authentication is offered */
};
struct tls_caller *tls_peer_new(const struct tls_peer_options *o);
void tls_peer_free(struct tls_caller *p);

/* Moves octets both ways in pieces of at most STEP until nothing moves, with the client's handshake
 * in between. What the client said waits in the server, unread. False: the client has failed. */
bool tls_peer_run(struct tls_caller *p, struct tls_conn *c, size_t step);
/* The client writes TEXT, and it is moved. */
void tls_peer_say(struct tls_caller *p, struct tls_conn *c, const char *text);
/* What the client has to read now, terminated; the peer's until the next call. */
const char *tls_peer_heard(struct tls_caller *p, struct tls_conn *c);
/* The server's close_notify has come. */
bool tls_peer_ended(const struct tls_caller *p);
/* The CN of the certificate it was shown. */
const char *tls_peer_saw(struct tls_caller *p);
/* The fatal alert that it was sent, as OpenSSL names it ("no application protocol"); "": none. */
const char *tls_peer_alert(const struct tls_caller *p);

#endif
