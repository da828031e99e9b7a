/* Clients of HTTP/2, without TLS, to the server of http_fixture.h: one that keeps to the protocol
 * (nghttp2's client side), and one that writes what frames it likes. Failures end the test. */
#ifndef TESTS_H2_CLIENT_H
#define TESTS_H2_CLIENT_H

#include <nghttp2/nghttp2.h>

#include "http_fixture.h"

/* ---- one that keeps to the protocol ------------------------------------------------------------ */

#define H2_STREAMS_MAX 400
#define H2_BODY_MAX    512 /* octets of a body that are kept */

struct h2_reply {
    unsigned status, infos; /* final; how many came before it (1xx) */
    size_t len;
    char body[H2_BODY_MAX + 1]; /* its beginning */
    char allow[64], type[64], length[24];
    unsigned fields;
    bool ended, closed;
    uint32_t error; /* it was closed with */
};

struct h2_client {
    struct http_fixture *f; /* borrowed */
    int fd;
    nghttp2_session *session;
    struct h2_reply replies[H2_STREAMS_MAX]; /* of stream 2 * i + 1 */
    bool eof, goaway;
    uint32_t goaway_error;
    int32_t goaway_last;
};

/* WINDOW: of each stream; 0: as usual. */
void h2_client_open(struct h2_client *c, struct http_fixture *f, uint32_t window);
void h2_client_close(struct h2_client *c);

struct h2_ask {
    const char *method, *path; /* NULL: GET */
    const char *authority;     /* NULL: "x" */
    const char *name, *value;  /* a field; NULL: none */
    const char *name2, *value2;
    const void *body; /* NULL: none */
    size_t len;
    bool trailers;
    bool unfinished; /* the body does not end */
};
int32_t h2_client_ask(struct h2_client *c, const struct h2_ask *a);
int32_t h2_client_get(struct h2_client *c, const char *path);
/* Sends what waits, takes what has come, a turn of the loop. */
void h2_client_turn(struct h2_client *c);
/* Until the stream is closed. */
struct h2_reply *h2_client_reply(struct h2_client *c, int32_t id);
struct h2_reply *h2_client_of(struct h2_client *c, int32_t id);
/* Until the server has ended the connection. */
void h2_client_until_eof(struct h2_client *c);

/* ---- one that does not ------------------------------------------------------------------------- */

enum {
    H2_DATA,
    H2_HEADERS,
    H2_PRIORITY,
    H2_RESET,
    H2_SETTINGS,
    H2_PUSH,
    H2_PING,
    H2_GOAWAY,
    H2_WINDOW,
    H2_CONTINUATION
};
#define H2_END_STREAM  1
#define H2_END_HEADERS 4
#define H2_BOTH        5

struct h2_frame {
    size_t len;
    uint8_t type, flags;
    uint32_t id;
    uint8_t payload[16384];
    uint32_t error; /* of RST_STREAM and GOAWAY */
};

/* A connection with a preface and empty SETTINGS. */
int h2_raw_open(struct http_fixture *f);
size_t h2_frame(uint8_t *out, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
                size_t len);
void h2_raw_send(struct http_fixture *f, int fd, uint8_t type, uint8_t flags, uint32_t id,
                 const void *payload, size_t len);
/* The fields of a request for PATH, not compressed; returns how many octets. */
size_t h2_block(uint8_t *out, const char *method, const char *path);
/* One literal field behind it. */
size_t h2_field(uint8_t *out, const char *name, const char *value);
void h2_raw_get(struct http_fixture *f, int fd, uint32_t id, const char *path);
/* The next frame; false: the connection has ended. In memory that lasts until the next one. */
bool h2_raw_next(struct http_fixture *f, int fd, struct h2_frame **out);
/* Reads to the end of the connection, which a GOAWAY with ERROR must come before. */
void h2_raw_expect_goaway(struct http_fixture *f, int fd, uint32_t error);
/* A GOAWAY with ERROR is among what has come. */
bool h2_raw_told(struct http_fixture *f, int fd, uint32_t error);
/* Writes BYTES again and again until there is a GOAWAY with ERROR. Returns how many times. */
unsigned h2_raw_flood(struct http_fixture *f, int fd, const uint8_t *bytes, size_t len,
                      uint32_t error);

#endif
