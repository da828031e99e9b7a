/* HTTP/1.x requests (RFC 9112) out of a stream of octets, any number of them, cut anywhere.
 *
 *     REQUEST LINE ──> FIELDS ──> BODY (length, or chunks and trailers) ──> next request
 *
 * Strict: CRLF only (a bare LF or CR is 400), no folding, no white space before the colon, HTTP/1.0
 * and 1.1 only (505), no HTTP/0.9; after an error the connection cannot go on. Chunk extensions are
 * skipped, trailers read and thrown away, both bounded.
 *
 * Pure; any thread, own objects. The reader copies what it keeps.
 */
#ifndef HTTP_H1_H
#define HTTP_H1_H

#include "head.h"

enum h1_event {
    H1_MORE, /* everything is used, and it was not enough */
    H1_HEAD, /* the head is whole; call again with the rest */
    H1_BODY, /* a piece of the body: *piece, *piece_len */
    H1_END,  /* the request is whole; call again for the next one */
    H1_BAD,  /* answer h1->status, then close */
};

struct h1 {
    int state;
    http_status status; /* after H1_BAD */
    size_t line_len;    /* octets of the present line */
    size_t head_len;    /* octets of the head so far, or of the trailers */
    uint64_t left;      /* of the body, or of a chunk */
    int minor;
    bool begun; /* an octet of the present request has come */
    char *line; /* owned: the present line */
    size_t line_cap, max;
};

/* MAX: octets of request line and fields in all. */
void h1_init(struct h1 *h, size_t max);
void h1_fini(struct h1 *h);

/* Reads on. *USED octets of BYTES are done with. HEAD is initialised by the caller and filled here; it
 * is the caller's from H1_HEAD on. PIECE is borrowed from BYTES. Each call makes progress or returns
 * H1_MORE; work is linear in LEN. */
enum h1_event h1_read(struct h1 *h, struct http_head *head, const uint8_t *bytes, size_t len,
                      size_t *used, const uint8_t **piece, size_t *piece_len);

#endif
