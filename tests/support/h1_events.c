#include "h1_events.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

struct run {
    const struct h1_events *how; /* borrowed */
    struct str *out;             /* borrowed */
    struct h1 h1;
    struct http_head head;
    uint64_t random;
    bool in_body;  /* its line is not ended */
    uint64_t body; /* octets of it */
};

static size_t next_piece(struct run *r, size_t left)
{
    if (r->how->seed <= H1_EVENTS_OCTETS) {
        return r->how->seed == H1_EVENTS_WHOLE ? left : 1;
    }
    r->random = r->random * 6364136223846793005 + 1442695040888963407;
    size_t n = 1 + (size_t)(r->random >> 40) % ((size_t)1 << (r->random >> 33) % 8);
    return n < left ? n : left;
}

/* ---- what must hold ----------------------------------------------------------------------- */

static void check_text(const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        assert(c == '\t' || (c >= ' ' && c != 0x7f));
    }
}

static void check_head(const struct run *r)
{
    const struct http_head *h = &r->head;
    assert(h->len <= h->cap && h->cap <= h->max && h->count <= HTTP_FIELDS_MAX);
    assert(h->target[0] == '/' || strcmp(h->target, "*") == 0);
    assert(strlen(h->target) <= HTTP_TARGET_MAX + 1 && strpbrk(h->target, " \t#") == NULL);
    assert(h->method[0] != '\0' && strpbrk(h->method, " \t:/") == NULL);
    assert(h->host != NULL ? h->host[0] != '\0' : r->h1.minor == 0);
    assert(h->content_length >= -1 && !(h->chunked && h->content_length >= 0));
    assert(r->h1.minor == 1 || (r->h1.minor == 0 && !h->chunked && !h->expect_continue));
    check_text(h->target);
    for (unsigned i = 0; i < h->count; i++) {
        const struct http_field *f = &h->fields[i];
        assert(f->name[0] != '\0' && strpbrk(f->name, " \t:ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL);
        check_text(f->name);
        check_text(f->value);
    }
}

static void check_event(const struct run *r, enum h1_event event, size_t len, size_t used)
{
    assert(used <= len);
    assert(event != H1_MORE || used == len);
    assert(event != H1_END || r->h1.line == NULL);
    assert(r->h1.line_cap <= 2 * r->how->max || r->h1.line_cap <= 256);
}

/* ---- what is written ---------------------------------------------------------------------- */

static void write_head(struct run *r)
{
    const struct http_head *h = &r->head;
    str_appendf(r->out, "%s %s %s 1.%d", h->method, h->target, h->host != NULL ? h->host : "-",
                r->h1.minor);
    if (h->content_length >= 0) {
        str_appendf(r->out, " length=%lld", (long long)h->content_length);
    }
    str_appendf(r->out, "%s%s%s\n", h->chunked ? " chunked" : "",
                h->expect_continue ? " expect" : "", h->close ? " close" : "");
    for (unsigned i = 0; r->how->fields && i < h->count; i++) {
        str_appendf(r->out, "  %s: %s\n", h->fields[i].name, h->fields[i].value);
    }
}

static void write_body(struct run *r, const uint8_t *piece, size_t len)
{
    assert(len > 0);
    if (!r->in_body) {
        str_append(r->out, "body ");
    }
    r->in_body = true;
    r->body += len;
    str_append_n(r->out, (const char *)piece, len);
}

static void on_event(struct run *r, enum h1_event event)
{
    if (r->in_body) {
        str_append(r->out, "\n");
        r->in_body = false;
    }
    if (event == H1_HEAD) {
        check_head(r);
        write_head(r);
        if (r->how->on_head != NULL) {
            r->how->on_head(&r->head);
        }
    } else if (event == H1_END) {
        assert(r->head.chunked || (int64_t)r->body == r->head.content_length ||
               (r->body == 0 && r->head.content_length < 0));
        str_append(r->out, "end\n");
        http_head_fini(&r->head);
        r->body = 0;
    } else {
        str_appendf(r->out, "bad %u\n", r->h1.status);
    }
}

/* False: nothing more is wanted. */
static bool feed(struct run *r, const uint8_t *bytes, size_t len)
{
    for (unsigned idle = 0;;) {
        const uint8_t *piece = NULL;
        size_t piece_len = 0;
        size_t used = SIZE_MAX;
        enum h1_event event = h1_read(&r->h1, &r->head, bytes, len, &used, &piece, &piece_len);
        check_event(r, event, len, used);
        idle = used > 0 ? 0 : idle + 1;
        assert(idle <= 2); /* an end may need nothing, and then there is more to read */
        if (event == H1_MORE) {
            return true;
        }
        if (event == H1_BODY) {
            assert(piece >= bytes && piece + piece_len <= bytes + len);
            write_body(r, piece, piece_len);
        } else {
            on_event(r, event);
        }
        if (event == H1_BAD) {
            return false;
        }
        bytes += used;
        len -= used;
    }
}

void h1_events(const struct h1_events *how, const void *bytes, size_t len, struct str *out)
{
    struct run r = {.how = how, .out = out, .random = how->seed};
    const uint8_t *at = bytes;
    bool wanted = true;
    h1_init(&r.h1, how->max);
    http_head_init(&r.head, how->max);
    while (wanted && len > 0) {
        size_t n = next_piece(&r, len);
        uint8_t *piece = mem_xmemdup(at, n);
        wanted = feed(&r, piece, n);
        free(piece);
        at += n;
        len -= n;
    }
    if (wanted && r.in_body) {
        str_append(out, "\n");
    }
    if (wanted && r.h1.begun) {
        str_append(out, "begun\n");
    }
    if (!wanted) {
        size_t used;
        const uint8_t *piece;
        size_t piece_len;
        assert(h1_read(&r.h1, &r.head, at, len, &used, &piece, &piece_len) == H1_BAD);
    }
    http_head_fini(&r.head);
    h1_fini(&r.h1);
}
