/* A connection's octets: out of it through TLS to whoever reads the protocol, and back. What is in
 * them is for h1_conn.c and h2_nghttp2.c to know. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "h2.h"
#include "server_priv.h"

/* Steps of handshakes in one millisecond: each is public-key work, of which a turn of the loop shall
 * not have many. */
#define STEPS_MAX 4
#define TOKEN     1000 /* tokens are in thousandths */

/* ---- out ----------------------------------------------------------------------------------- */

void http_conn_put(struct http_conn *c, const void *bytes, size_t len)
{
    if (c->out_cap - c->out_len < len) {
        size_t twice = c->out_cap == 0 ? 1024 : c->out_cap * 2;
        size_t cap = c->out_len + len > twice ? c->out_len + len : twice;
        uint8_t *wider = realloc(c->out, cap);
        if (wider == NULL) {
            c->failed = true;
            return;
        }
        c->out = wider;
        c->out_cap = cap;
    }
    if (len > 0) {
        memcpy(c->out + c->out_len, bytes, len);
    }
    c->out_len += len;
}

static void drop_out(struct http_conn *c)
{
    free(c->out);
    c->out = NULL;
    c->out_len = c->out_at = c->out_cap = 0;
}

size_t http_conn_unsent(const struct http_conn *c)
{
    const uint8_t *bytes;
    return c->out_len - c->out_at + (c->tls != NULL ? tls_conn_out(c->tls, &bytes) : 0);
}

static bool is_speaking(const struct http_conn *c)
{
    enum tls_state state = tls_conn_state(c->tls);
    return state == TLS_OPEN || state == TLS_ENDED;
}

/* What is written becomes records. */
static void seal(struct http_conn *c)
{
    if (c->out_len > 0 && is_speaking(c) && tls_conn_write(c->tls, c->out, c->out_len) != ERR_OK) {
        c->failed = true;
    }
    drop_out(c);
}

static size_t next_out(const struct http_conn *c, const uint8_t **bytes)
{
    if (c->tls != NULL) {
        return tls_conn_out(c->tls, bytes);
    }
    *bytes = c->out != NULL ? c->out + c->out_at : NULL;
    return c->out_len - c->out_at;
}

static void sent(struct http_conn *c, size_t n)
{
    c->sent += n;
    if (c->tls != NULL) {
        tls_conn_sent(c->tls, n);
    } else {
        c->out_at += n;
        if (c->out_at == c->out_len) {
            drop_out(c);
        }
    }
}

/* What is unsent now has to be taken within write_ms, whatever is written behind it. */
static void look_at_debt(struct http_conn *c)
{
    size_t unsent = http_conn_unsent(c);
    if (unsent > 0 && (!c->owing || c->sent >= c->owed)) {
        c->owed = c->sent + unsent;
        c->owed_ms = http_server_now(c->s);
    }
    c->owing = unsent > 0;
}

void http_conn_flush(struct http_conn *c)
{
    const uint8_t *bytes;
    size_t len;
    if (c->tls != NULL) {
        seal(c);
    }
    while (!c->failed && (len = next_out(c, &bytes)) > 0) {
        ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL);
        if (n >= 0) {
            sent(c, (size_t)n);
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            c->failed = true;
        }
    }
    look_at_debt(c);
}

/* ---- in ------------------------------------------------------------------------------------ */

static bool is_served(const struct http_conn *c)
{
    return c->streams != NULL && c->streams->phase == HTTP_PHASE_LENT;
}

bool http_conn_may_take(const struct http_conn *c)
{
    return c->opened && !c->ending && !c->failed && c->begun < HTTP_TURN_MAX &&
           (c->h2 != NULL || !is_served(c)) && http_conn_unsent(c) < c->s->limits.unsent_max;
}

/* Hands on N octets of plaintext, which are in a buffer that others use, too. */
static void take(struct http_conn *c, const uint8_t *bytes, size_t n)
{
    size_t used = n;
    if (c->h2 != NULL) {
        h2_take(c, bytes, n);
    } else {
        used = h1_conn_take(c, bytes, n);
    }
    if (used == n || c->ending) {
        return;
    }
    c->in = malloc(n - used);
    if (c->in == NULL) {
        c->failed = true;
        return;
    }
    memcpy(c->in, bytes + used, n - used);
    c->in_len = n - used;
}

static void take_kept(struct http_conn *c)
{
    c->in_at += h1_conn_take(c, c->in + c->in_at, c->in_len - c->in_at);
    if (c->in_at == c->in_len) {
        free(c->in);
        c->in = NULL;
        c->in_at = c->in_len = 0;
    }
}

/* Takes what is there, as far as it may. False: nothing was. */
bool http_conn_input(struct http_conn *c)
{
    bool any = false;
    c->dry = false;
    while (http_conn_may_take(c)) {
        if (c->in != NULL) {
            take_kept(c);
        } else {
            size_t n = c->tls != NULL ? tls_conn_read(c->tls, c->s->plain, HTTP_READ_MAX) : 0;
            if (n == 0) {
                c->dry = true;
                break;
            }
            take(c, c->s->plain, n);
        }
        any = true;
    }
    return any;
}

/* A bucket that a second fills. */
static bool take_token(struct http_server *s)
{
    uint64_t now = http_server_now(s);
    uint64_t full = (uint64_t)s->limits.handshakes * TOKEN;
    s->tokens_milli += (now - s->tokens_ms) * s->limits.handshakes;
    s->tokens_milli = s->tokens_milli > full ? full : s->tokens_milli;
    s->tokens_ms = now;
    if (s->tokens_milli < TOKEN) {
        return false;
    }
    s->tokens_milli -= TOKEN;
    return true;
}

/* It has something to say. Who only holds a connection takes nobody's turn. */
static bool may_step(struct http_conn *c)
{
    struct http_server *s = c->s;
    if (!c->admitted && !take_token(s)) {
        c->waiting = true; /* until the next tick */
        return false;
    }
    c->admitted = true;
    if (s->steps_ms != http_server_now(s)) {
        s->steps_ms = http_server_now(s);
        s->steps = 0;
    }
    return s->steps++ < STEPS_MAX;
}

static void open_up(struct http_conn *c)
{
    struct http_counters *n = &c->s->counters;
    c->opened = true;
    c->since_ms = http_server_now(c->s);
    metrics_add(&n->handshakes, 1);
    metrics_add(&n->resumed, tls_conn_resumed(c->tls) ? 1 : 0);
    if (tls_conn_is_proof(c->tls)) {
        c->ending = true; /* the handshake was all (RFC 8737 §3) */
    } else if (tls_conn_is_h2(c->tls) && h2_open(c) != ERR_OK) {
        c->failed = true;
    }
}

static void feed(struct http_conn *c, const uint8_t *bytes, size_t n)
{
    c->failed = tls_conn_feed(c->tls, bytes, n) != ERR_OK;
    if (!c->opened && is_speaking(c)) {
        open_up(c);
    }
}

bool http_conn_wants_more(const struct http_conn *c)
{
    return c->lingering || (!c->eof && !c->ending && !c->waiting &&
                            (!c->opened || (c->dry && http_conn_may_take(c))));
}

/* One read. */
void http_conn_receive(struct http_conn *c)
{
    struct http_server *s = c->s;
    if (!http_conn_wants_more(c) || (!c->opened && !may_step(c))) {
        return;
    }
    ssize_t n = recv(c->fd, s->read, HTTP_READ_MAX, 0);
    if (n < 0) {
        c->failed = errno != EAGAIN && errno != EINTR;
    } else if (n == 0) {
        c->eof = true;
    } else if (c->lingering) {
        c->lingered += (size_t)n;
    } else if (c->tls != NULL) {
        feed(c, s->read, (size_t)n);
    } else {
        take(c, s->read, (size_t)n);
    }
}
