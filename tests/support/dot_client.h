/* A client of DNS over TLS: OpenSSL's side of it (tls_peer.h) on a real socket, to a worker whose loop
 * turns while the client waits (net_fixture.h). Failures end the test.
 *
 *     struct dot_client c;
 *     dot_client_open(&c, f, &(struct tls_peer_options){.sni = "dns.example"});
 *     dot_client_ask(&c, 1, "alice.mc.example.com.", TYPE_A);
 *     dot_client_expect(&c, 1);
 *     dot_client_close(&c);
 */
#ifndef TESTS_DOT_CLIENT_H
#define TESTS_DOT_CLIENT_H

#include "dns_decode.h"
#include "net_fixture.h"
#include "tls_peer.h"

struct dot_client {
    struct net_fixture *f; /* borrowed */
    struct tls_caller *peer;
    int fd;
    bool eof;         /* the server's side of the socket has ended */
    unsigned records; /* of answers that have come */
};

/* A connection without a word said. FROM: the client's own address; NULL: any. */
void dot_client_dial(struct dot_client *c, struct net_fixture *f, const struct tls_peer_options *o,
                     const char *from);
/* And with a handshake; it must succeed. */
void dot_client_open(struct dot_client *c, struct net_fixture *f, const struct tls_peer_options *o);
void dot_client_close(struct dot_client *c);
/* Ends as a process that is killed does: what comes now is answered with a reset. */
void dot_client_reset(struct dot_client *c);

/* As far as the handshake goes without hearing from the server. What is to be sent waits. */
void dot_client_begin(struct dot_client *c);
/* To the end of the handshake; false: it failed, or the connection has ended. */
bool dot_client_shake(struct dot_client *c);

/* Encrypts; what is to be sent waits. */
void dot_client_put(struct dot_client *c, const void *bytes, size_t len);
/* Takes out what waits, at most CAP octets of it. */
size_t dot_client_waiting(struct dot_client *c, uint8_t *out, size_t cap);
/* Sends what waits. */
void dot_client_flush(struct dot_client *c);

/* Reads until LEN octets are there; fewer if the connection has ended. */
size_t dot_client_read(struct dot_client *c, void *bytes, size_t len);
/* The other side has ended, now or within the deadline, and has said nothing more but, if POLITE, that
 * it ends (close_notify). */
bool dot_client_ended(struct dot_client *c, bool polite);

void dot_client_ask(struct dot_client *c, uint16_t id, const char *name, uint16_t type);
/* The next answer is that to ID. In memory that lasts until the next one. */
const struct dns_message *dot_client_expect(struct dot_client *c, uint16_t id);
/* It answers. */
void dot_client_expect_alive(struct dot_client *c);

#endif
