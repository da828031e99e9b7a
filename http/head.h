/* A request's head, the same whether HTTP/1.1 or HTTP/2 brought it: method, target, fields; and the
 * rules that do not depend on how it came.
 *
 * Everything is text in one block that the head owns and that HEAD_MAX bounds; fields are views into
 * it. A head is strict: what RFC 9110 to 9113 call malformed is refused, where others guess, because
 * guesses that differ between a proxy and the server behind it are what request smuggling is made of.
 *
 * Pure; any thread, own objects.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_FIELDS_MAX 64
#define HTTP_METHOD_MAX 16
#define HTTP_TARGET_MAX 8000 /* what RFC 9110 §4.1 wants of servers */

/* What the answer has to be if it goes wrong: an HTTP status; 0: all is well. */
typedef unsigned http_status;

struct http_field {
    const char *name; /* lower case */
    const char *value;
};

struct http_head {
    char *room; /* owned: every text below, each with its NUL */
    size_t len, cap, max;
    char method[HTTP_METHOD_MAX + 1];
    const char *target; /* path and query as they came, or "*" (OPTIONS only); in ROOM */
    const char *host;   /* of an absolute target, :authority, or Host; NULL: none (HTTP/1.0) */
    struct http_field fields[HTTP_FIELDS_MAX];
    unsigned count;
    int64_t content_length; /* -1: none */
    bool chunked;           /* HTTP/1.1 only */
    bool expect_continue;
    bool close;    /* HTTP/1.x: the connection ends with this request */
    unsigned seen; /* private */
};

/* MAX: octets of method, target, names and values in all. */
void http_head_init(struct http_head *h, size_t max);
/* Forgets everything, keeps nothing; what was there is wiped. */
void http_head_fini(struct http_head *h);

/* These three once each: HTTP/1.x has the method first, HTTP/2 has no order. Everything below that can
 * be out of memory says 503.
 *
 * 400: no token; 501: longer than any method there is, and CONNECT, for there are no tunnels here. */
http_status http_head_method(struct http_head *h, const char *text, size_t len);
/* Origin form ("/path?query"), "*", or absolute form (http or https; its authority then
 * is the host, RFC 9112 §3.2.2; HTTP/1.x only). 400, 414, 431. */
http_status http_head_target(struct http_head *h, const char *text, size_t len);
/* :authority of HTTP/2, which may be missing (RFC 9113 §8.3.1). 400: no host [":" port]; 431. */
http_status http_head_authority(struct http_head *h, const char *text, size_t len);
/* One field line: NAME as it came (a token; HTTP/2 must have sent it in lower case: V2; names with a
 * colon in front do not come here), VALUE without the white space around it. 400: a character that may
 * not be there, a field that HTTP/2 forbids (RFC 9113 §8.2.2), two Hosts or a Host that is none, two
 * lengths or a length that is no number; 413: a length beyond int64_t; 431: too many, too long; 501:
 * Transfer-Encoding that ends in chunked and has other codings before it. */
http_status http_head_field(struct http_head *h, const char *name, size_t name_len,
                            const char *value, size_t value_len, bool v2);
/* All fields are there. 400: no target, "*" but not OPTIONS, no host, a Host that is not :authority, a
 * length and chunked, chunked in HTTP/1.0; 417: an expectation other than 100-continue. MINOR: of
 * HTTP/1.x; -1: HTTP/2. */
http_status http_head_end(struct http_head *h, int minor);

/* NAME in lower case; the first of several, NULL: none. */
const char *http_head_find(const struct http_head *h, const char *name);

#endif
