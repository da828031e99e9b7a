/* Answers: their fields, the same for both protocols, and the errors that are ours. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "h2.h"
#include "lib/clock.h"
#include "lib/str.h"
#include "server_priv.h"

#define MESSAGE_MAX 512
/* Each octet of a message is at most six in JSON. */
#define ERROR_MAX (6 * MESSAGE_MAX + 128)
#define RETRY_S   1 /* when we are full */

const struct http_limits http_limits_default = {
    .connections = 1024,
    .per_client = 64,
    .handshakes = 300,
    .requests = 128,
    .streams = 32,
    .header_max = 16 * 1024,
    .unsent_max = 256 * 1024,
    .handshake_ms = 5000,
    .header_ms = 5000,
    .body_ms = 10000,
    .write_ms = 10000,
    .answer_ms = 30000,
    .idle_ms = 30000,
    .drain_ms = 3000,
};

const unsigned http_statuses[HTTP_STATUSES - 1] = {
    200, 201, 202, 204, 301, 308, 400, 401, 403, 404, 405, 408,
    409, 413, 415, 421, 429, 431, 500, 501, 503, 504, 505,
};

static const struct status {
    unsigned status;
    const char *reason;       /* RFC 9110 §15 */
    const char *id, *message; /* of those that no handler sends */
} statuses[] = {
    {200, "OK", NULL, NULL},
    {201, "Created", NULL, NULL},
    {202, "Accepted", NULL, NULL},
    {204, "No Content", NULL, NULL},
    {301, "Moved Permanently", NULL, NULL},
    {302, "Found", NULL, NULL},
    {307, "Temporary Redirect", NULL, NULL},
    {308, "Permanent Redirect", NULL, NULL},
    {400, "Bad Request", "bad-request", "this is not a request as HTTP has it"},
    {401, "Unauthorized", NULL, NULL},
    {403, "Forbidden", NULL, NULL},
    {404, "Not Found", "not-found", "there is nothing of that name here"},
    {405, "Method Not Allowed", "method-not-allowed",
     "this method is not for this; the header Allow says which are"},
    {408, "Request Timeout", "request-timeout", "the rest of the request did not come in time"},
    {409, "Conflict", NULL, NULL},
    {413, "Content Too Large", "body-too-large", "the body is larger than this takes"},
    {414, "URI Too Long", "target-too-long", "the path and query are too long"},
    {415, "Unsupported Media Type", "not-json", "the body must be application/json"},
    {417, "Expectation Failed", "unknown-expectation", "100-continue is all that may be expected"},
    {421, "Misdirected Request", NULL, NULL},
    {422, "Unprocessable Content", NULL, NULL},
    {429, "Too Many Requests", NULL, NULL},
    {431, "Request Header Fields Too Large", "headers-too-large", "the headers are too large"},
    {500, "Internal Server Error", "internal-error", "something went wrong here"},
    {501, "Not Implemented", "unknown-method", "nothing here knows this method or coding"},
    {503, "Service Unavailable", "busy", "too much to do just now; try again"},
    {504, "Gateway Timeout", NULL, NULL},
    {505, "HTTP Version Not Supported", "unknown-version", "this speaks HTTP/1.1 and HTTP/2"},
};

static const struct status *status_of(unsigned status)
{
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (statuses[i].status == status) {
            return &statuses[i];
        }
    }
    return NULL;
}

static void count(struct http_request *r, unsigned status)
{
    unsigned at = 0;
    while (at < HTTP_STATUSES - 1 && http_statuses[at] != status) {
        at++;
    }
    metrics_add(&r->s->counters.requests[r->site_index][r->match.index][at], 1);
}

/* ---- fields -------------------------------------------------------------------------------- */

static bool is_clean(const char *text)
{
    return strpbrk(text, "\r\n") == NULL;
}

/* RFC 9110 §5.6.7, once a second. */
static const char *date_of(struct http_server *s)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t now_s = clk_wall_ms(&clk_system) / 1000;
    struct tm tm;
    if (now_s != s->date_s) {
        s->date_s = now_s;
        gmtime_r(&(time_t){now_s}, &tm);
        snprintf(s->date, sizeof s->date, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
                 tm.tm_mday, months[tm.tm_mon], (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min,
                 tm.tm_sec);
    }
    return s->date;
}

static void add(struct http_answer *a, const char *name, const char *value)
{
    /* What a handler says here is made of what it was asked: a line's end in it is a bug of ours. */
    assert(a->count < HTTP_FIELDS_OUT_MAX && is_clean(name) && is_clean(value));
    a->fields[a->count++] = (struct http_header){name, value};
}

void http_stream_answer(struct http_stream *st, const struct http_reply *reply)
{
    struct http_request *r = st->r;
    struct http_answer a = {.reason = "", .body = reply->body};
    const struct status *known = status_of(reply->status);
    bool empty = reply->status == 204 || reply->status == 304; /* RFC 9110 §8.6 */
    assert(reply->headers_count <= HTTP_REPLY_HEADERS_MAX && reply->status >= 200 &&
           reply->status <= 999);
    snprintf(a.status, sizeof a.status, "%u", reply->status);
    if (known != NULL) {
        a.reason = known->reason;
    }
    add(&a, "date", date_of(r->s));
    if (!empty) {
        snprintf(a.length, sizeof a.length, "%zu", reply->len);
        add(&a, "content-type", reply->type != NULL ? reply->type : "application/json");
        add(&a, "content-length", a.length);
        a.len = strcmp(r->head.method, "HEAD") == 0 ? 0 : reply->len;
    }
    add(&a, "cache-control", reply->cache != NULL ? reply->cache : "no-store");
    add(&a, "x-content-type-options", "nosniff");
    add(&a, "x-frame-options", "DENY");
    add(&a, "content-security-policy", "default-src 'none'; frame-ancestors 'none'");
    add(&a, "referrer-policy", "no-referrer");
    for (size_t i = 0; i < reply->headers_count; i++) {
        add(&a, reply->headers[i].name, reply->headers[i].value);
    }
    count(r, reply->status);
    if (st->c->h2 != NULL) {
        h2_answer(st, &a);
    } else {
        h1_conn_answer(st, &a);
    }
}

/* ---- errors -------------------------------------------------------------------------------- */

/* TEXT as the inside of a JSON string (RFC 8259 §7). What is not UTF-8 becomes a question mark. */
static size_t escape(char *out, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t len = 0, n;
    for (; *p != '\0'; p += n) {
        n = str_utf8_len(p);
        if (n > 1) {
            memcpy(out + len, p, n);
            len += n;
        } else if (n == 0) {
            n = 1;
            out[len++] = '?';
        } else if (*p < 0x20 || *p == 0x7f) {
            len += (size_t)snprintf(out + len, 7, "\\u%04x", *p);
        } else {
            if (*p == '"' || *p == '\\') {
                out[len++] = '\\';
            }
            out[len++] = (char)*p;
        }
    }
    out[len] = '\0';
    return len;
}

struct error {
    char body[ERROR_MAX];
    char retry[16];
    struct http_header headers[1];
    struct http_reply reply;
};

static void error_init(struct error *e, unsigned status, const char *id, unsigned retry_s,
                       const char *message)
{
    char escaped[6 * MESSAGE_MAX];
    escape(escaped, message);
    int n = snprintf(e->body, sizeof e->body, "{\"error\":{\"id\":\"%s\",\"message\":\"%s\"}}", id,
                     escaped);
    assert(n > 0 && (size_t)n < sizeof e->body);
    e->reply = (struct http_reply){
        .status = status, .body = e->body, .len = (size_t)n, .headers = e->headers};
    if (retry_s > 0) {
        snprintf(e->retry, sizeof e->retry, "%u", retry_s);
        e->headers[e->reply.headers_count++] = (struct http_header){"retry-after", e->retry};
    }
}

void http_reply_error(struct http_request *r, unsigned status, const char *id, unsigned retry_s,
                      const char *fmt, ...)
{
    struct error e;
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    error_init(&e, status, id, retry_s, message);
    http_reply(r, &e.reply);
}

void http_stream_fail(struct http_stream *st, http_status status)
{
    struct error e;
    const struct status *known = status_of(status);
    assert(known != NULL && known->message != NULL);
    error_init(&e, status, known->id, status == 503 ? RETRY_S : 0, known->message);
    if (status == 405) { /* RFC 9110 §15.5.6 */
        e.headers[e.reply.headers_count++] = (struct http_header){"allow", st->r->match.allow};
    }
    http_stream_answer(st, &e.reply);
}
