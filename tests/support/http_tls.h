/* A client of HTTPS: OpenSSL's side of it (tls_peer.h) on a real socket, to a server whose loop turns
 * while the client waits (http_fixture.h). Failures end the test. */
#ifndef TESTS_HTTP_TLS_H
#define TESTS_HTTP_TLS_H

#include "http_fixture.h"
#include "tls_peer.h"

#define HTTP_TLS_H1 "\x08http/1.1"
#define HTTP_TLS_H2 "\x02h2"

struct http_tls {
    struct http_fixture *f; /* borrowed */
    struct tls_caller *peer;
    int fd;
    bool eof; /* the server's side of the socket has ended */
};

/* A connection without a word said. */
void http_tls_dial(struct http_tls *c, struct http_fixture *f, uint16_t port,
                   const struct tls_peer_options *o);
/* To the end of the handshake; false: it failed, or the connection has ended. */
bool http_tls_shake(struct http_tls *c);
/* Both, offering ALPN; it must succeed. */
void http_tls_open(struct http_tls *c, struct http_fixture *f, uint16_t port, const char *alpn);
void http_tls_close(struct http_tls *c);

/* As far as the handshake goes without hearing from the server. What is to be sent waits. */
void http_tls_begin(struct http_tls *c);
/* Sends at most N octets of what waits; returns how many. */
size_t http_tls_flush(struct http_tls *c, size_t n);

void http_tls_say(struct http_tls *c, const void *bytes, size_t len);
/* Reads until LEN octets are there; fewer if the connection has ended. */
size_t http_tls_read(struct http_tls *c, void *bytes, size_t len);
/* The other side has ended, now or within the deadline, and has said nothing more but, if POLITE, that
 * it ends (close_notify). */
bool http_tls_ended(struct http_tls *c, bool polite);

/* GET /now, over HTTP/1.1: it answers. */
void http_tls_expect_alive(struct http_tls *c);

#endif
