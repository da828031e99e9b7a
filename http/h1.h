/* HTTP/1.x requests (RFC 9112) out of a stream of octets, any number of them, cut anywhere.
 *
 *     REQUEST LINE ──> FIELDS ──> BODY (length, or chunks and trailers) ──> next request
 *
 * Strict: CRLF only (a bare LF or CR is 400), no folding, no white space before the colon, HTTP/1.0
 * and 1.1 only (505), no HTTP/0.9; after an error the connection cannot go on. One empty line before a
 * request is let pass (RFC 9112 §2.2). Chunk extensions are skipped, trailers read and thrown away, both
 * bounded.
 *
 * Pure; any thread, own objects. The reader copies what it keeps.
 */
#ifndef HTTP_H1_H
#define HTTP_H1_H

#include "head.h"

enum h1_event {
    H1_MORE, /* everything is used, and it was not enough */
    H1_HEAD, /* the head is whole; call again with the rest, also if there is none */
    H1_BODY, /* a piece of the body: *piece, *piece_len; call again, also with nothing */
    H1_END,  /* the request is whole; call again for the next one */
    H1_BAD,  /* answer h1->status, then close; so it stays */
};

struct h1 {
    int state;
    http_status status; /* after H1_BAD */
    int minor;          /* HTTP/1.x, from H1_HEAD on */
    bool begun;         /* an octet of the present request has come, empty lines aside */
    bool skipped;       /* an empty line was let pass */
    bool cr;            /* the present line has its CR */
    char *line;         /* owned: the present line, if it came in pieces; else NULL */
    size_t line_len;    /* octets of it that were in earlier pieces */
    size_t line_cap;
    size_t head_len; /* octets of the head so far; then of extensions and trailers */
    size_t max;      /* of HEAD_LEN */
    uint64_t left;   /* of the body, or of a chunk */
};

/* MAX: octets of request line and fields in all, with their ends; the same again for chunk extensions
 * and trailers. */
void h1_init(struct h1 *h, size_t max);
void h1_fini(struct h1 *h);

/* Reads on. *USED octets of BYTES are done with. HEAD is initialised by the caller and filled here; it
 * is the caller's from H1_HEAD on, and not looked at again until H1_END. PIECE is borrowed from BYTES.
 * Each call makes progress or returns H1_MORE; work is linear in LEN. Out of memory: 503. */
enum h1_event h1_read(struct h1 *h, struct http_head *head, const uint8_t *bytes, size_t len,
                      size_t *used, const uint8_t **piece, size_t *piece_len);

#endif
