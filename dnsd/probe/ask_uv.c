/* A question is one call, from probe_ask() to its callback:
 *
 *   waiting ──> asking ──> ended ──> (handles closed) freed
 *
 * Everything that ends a call goes through end(), and end() is only reached from callbacks of the loop,
 * never from a function that the caller called: what is known at once is told by the timer, at once.
 *
 * UDP: one connected socket for all tries, so that an answer to the first is good after the second was
 * sent; the kernel chooses the port at random. What it drops for us is what comes from elsewhere; what
 * comes from the right address and is not our answer is dropped here. TCP: what is not our answer ends
 * it, for nobody but the server could have said it.
 */
#include "ask_uv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "dnsd/wire/type.h"
#include "lib/buf.h"
#include "lib/mem.h"
#include "lib/rng.h"

#define QUERY_MAX (2 + WIRE_HEADER_LEN + WIRE_NAME_MAX + 4 + 11) /* with TCP's length in front */
#define RX_MAX    (2 + 65535)

struct probe_call {
    struct probe *probe;
    struct probe_call *prev, *next; /* in the list of those waiting or asking */
    struct probe_question q;
    probe_cb *cb;
    void *ctx; /* borrowed */
    uv_timer_t timer;
    union {
        uv_handle_t handle;
        uv_udp_t udp;
        uv_tcp_t tcp;
    } socket;
    uv_connect_t connecting;
    uv_write_t writing;
    unsigned handles; /* not closed yet */
    bool has_socket, asking, ended;
    unsigned tries;
    int64_t began_ms;
    enum err early; /* what the timer is to tell; ERR_OK: nothing */
    struct err_info info;
    bool malformed; /* something came that is no DNS */
    uint8_t query[QUERY_MAX];
    size_t query_len; /* without the two octets in front */
    uint8_t *rx;      /* owned; TCP: RX_MAX octets, NULL else */
    size_t rx_len;
};

struct list {
    struct probe_call *first, *last;
};

struct probe {
    uv_loop_t *loop; /* borrowed */
    struct list waiting, asking;
    unsigned asking_count, open; /* calls whose handles are not closed */
    bool closing;
    uv_timer_t closer; /* never runs; that it is closed says the end, later */
    bool closer_gone;
    void (*done)(void *ctx);
    void *ctx;                   /* borrowed */
    struct wire_message message; /* of the callback that runs */
    uint8_t rx[RX_MAX];          /* UDP: of the callback that runs */
};

static void list_add(struct list *l, struct probe_call *c)
{
    c->prev = l->last;
    c->next = NULL;
    *(l->last != NULL ? &l->last->next : &l->first) = c;
    l->last = c;
}

static void list_remove(struct list *l, struct probe_call *c)
{
    *(c->prev != NULL ? &c->prev->next : &l->first) = c->next;
    *(c->next != NULL ? &c->next->prev : &l->last) = c->prev;
}

static int64_t now_ms(const struct probe *p)
{
    return (int64_t)uv_now(p->loop);
}

/* ---- the end of a call --------------------------------------------------------------------- */

static void start_waiting(struct probe *p);
static void see_closed(struct probe *p);

static void on_handle_closed(uv_handle_t *handle)
{
    struct probe_call *c = handle->data;
    if (--c->handles > 0) {
        return;
    }
    struct probe *p = c->probe;
    free(c->rx);
    free(c);
    p->open--;
    see_closed(p);
}

static void end(struct probe_call *c, enum err e, const struct probe_answer *answer)
{
    struct probe *p = c->probe;
    assert(!c->ended);
    c->ended = true;
    list_remove(c->asking ? &p->asking : &p->waiting, c);
    p->asking_count -= c->asking;
    uv_close((uv_handle_t *)&c->timer, on_handle_closed);
    if (c->has_socket) {
        uv_close(&c->socket.handle, on_handle_closed);
    }
    start_waiting(p);
    c->cb(c->ctx, e, e == ERR_OK ? NULL : &c->info,
          answer); /* C stays until its handles are closed */
}

static enum err say(struct probe_call *c, enum err e, const char *what)
{
    char address[ADDRESS_TEXT_MAX];
    address_to_text(&c->q.server, address);
    return err_set(&c->info, e, "%s over %s: %s", address, c->q.tcp ? "TCP" : "UDP", what);
}

static void fail(struct probe_call *c, enum err e, const char *what)
{
    end(c, say(c, e, what), NULL);
}

static void fail_uv(struct probe_call *c, int rc)
{
    bool no_way = rc == UV_ENETUNREACH || rc == UV_EAFNOSUPPORT || rc == UV_EADDRNOTAVAIL;
    fail(c, no_way ? ERR_NOTFOUND : rc == UV_ENOMEM ? ERR_NOMEM : ERR_UNAVAIL, uv_strerror(rc));
}

/* What came: true if it ended the call. */
static bool take(struct probe_call *c, const uint8_t *packet, size_t len)
{
    struct probe *p = c->probe;
    enum err e = wire_message_read(packet, len, c->query + 2, c->query_len, &p->message);
    if (e == ERR_OK) {
        struct probe_answer answer = {
            .message = &p->message, .took_ms = now_ms(p) - c->began_ms, .size = (uint16_t)len};
        end(c, ERR_OK, &answer);
        return true;
    }
    c->malformed = c->malformed || e != ERR_CONFLICT;
    return false;
}

/* ---- the question -------------------------------------------------------------------------- */

/* RFC 5452 §9; draft-vixie-dnsext-dns0x20: letters in random case. Length octets are below 'A'. */
static void mix_case(uint8_t *name, size_t len)
{
    uint8_t bits[WIRE_NAME_MAX];
    rng_bytes(bits, len);
    for (size_t i = 0; i < len; i++) {
        bool letter = (name[i] | 0x20) >= 'a' && (name[i] | 0x20) <= 'z';
        name[i] = letter && (bits[i] & 1) != 0 ? name[i] ^ 0x20 : name[i];
    }
}

static void write_query(struct probe_call *c)
{
    const struct probe_question *q = &c->q;
    struct buf_writer w = {.base = c->query, .cap = sizeof c->query};
    uint16_t id;
    rng_bytes(&id, sizeof id);
    buf_put_u16(&w, 0);
    buf_put_u16(&w, id);
    buf_put_u16(&w, q->recursive ? WIRE_RD : 0);
    buf_put_u16(&w, 1);
    buf_put_u32(&w, 0);
    buf_put_u16(&w, q->edns);
    buf_put(&w, q->name.bytes, q->name.len);
    if (!q->plain_case) {
        mix_case(w.base + w.len - q->name.len, q->name.len);
    }
    buf_put_u16(&w, q->type);
    buf_put_u16(&w, CLASS_IN);
    if (q->edns) { /* RFC 6891 §6.1.2 */
        buf_put_u8(&w, 0);
        buf_put_u16(&w, TYPE_OPT);
        buf_put_u16(&w, PROBE_UDP_SIZE);
        buf_put_u32(&w, 0);
        buf_put_u16(&w, 0);
    }
    assert(!w.bad);
    c->query_len = w.len - 2;
    put_u16(c->query, (uint16_t)c->query_len);
}

/* ---- UDP ----------------------------------------------------------------------------------- */

static void alloc_udp(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    struct probe_call *c = handle->data;
    (void)hint;
    *buf = uv_buf_init((char *)c->probe->rx, sizeof c->probe->rx);
}

static void on_datagram(uv_udp_t *udp, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from,
                        unsigned flags)
{
    struct probe_call *c = udp->data;
    (void)flags;
    if (n < 0) {
        fail_uv(c, (int)n);
    } else if (from != NULL) { /* else there is nothing more to read */
        (void)take(c, (const uint8_t *)buf->base, (size_t)n);
    }
}

static void on_udp_timer(uv_timer_t *timer);

/* Sends once more, or gives up. */
static void try_udp(struct probe_call *c)
{
    uv_buf_t buf = uv_buf_init((char *)c->query + 2, (unsigned)c->query_len);
    if (c->tries == PROBE_TRIES) {
        fail(c, c->malformed ? ERR_MALFORMED : ERR_TIMEOUT,
             c->malformed ? "what came is no DNS" : "no answer");
        return;
    }
    c->tries++;
    int rc = uv_udp_try_send(&c->socket.udp, &buf, 1, NULL);
    if (rc < 0 && rc != UV_EAGAIN && rc != UV_ENOBUFS) { /* full: as if it were lost on the way */
        fail_uv(c, rc);
        return;
    }
    uv_timer_start(&c->timer, on_udp_timer, PROBE_TRY_MS, 0);
}

static void on_udp_timer(uv_timer_t *timer)
{
    try_udp(timer->data);
}

static void begin_udp(struct probe_call *c)
{
    int rc = uv_udp_init(c->probe->loop, &c->socket.udp);
    if (rc == 0) {
        c->has_socket = true;
        c->handles++;
        c->socket.handle.data = c;
        rc = uv_udp_connect(&c->socket.udp, (const struct sockaddr *)&c->q.server);
    }
    rc = rc == 0 ? uv_udp_recv_start(&c->socket.udp, alloc_udp, on_datagram) : rc;
    if (rc != 0) {
        fail_uv(c, rc);
        return;
    }
    try_udp(c);
}

/* ---- TCP ----------------------------------------------------------------------------------- */

static void alloc_tcp(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    struct probe_call *c = handle->data;
    (void)hint;
    *buf = uv_buf_init((char *)c->rx + c->rx_len, (unsigned)(RX_MAX - c->rx_len));
}

/* RFC 1035 §4.2.2: two octets of length, then the message. */
static void on_octets(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct probe_call *c = stream->data;
    (void)buf;
    if (n < 0) {
        fail(c, ERR_UNAVAIL, n == UV_EOF ? "closed without an answer" : uv_strerror((int)n));
        return;
    }
    c->rx_len += (size_t)n;
    size_t len = c->rx_len >= 2 ? get_u16(c->rx) : 0;
    if (c->rx_len < 2 + len || c->rx_len < 2) {
        return;
    }
    if (!take(c, c->rx + 2, len)) {
        fail(c, ERR_MALFORMED, "what came is not the answer");
    }
}

static void on_written(uv_write_t *writing, int rc)
{
    struct probe_call *c = writing->data;
    if (rc != 0 && c->has_socket && !c->ended) {
        fail_uv(c, rc);
    }
}

static void on_connected(uv_connect_t *connecting, int rc)
{
    struct probe_call *c = connecting->data;
    uv_buf_t buf = uv_buf_init((char *)c->query, (unsigned)c->query_len + 2);
    if (c->ended || !c->has_socket) {
        return;
    }
    c->writing.data = c;
    rc = rc == 0 ? uv_read_start((uv_stream_t *)&c->socket.tcp, alloc_tcp, on_octets) : rc;
    rc = rc == 0 ? uv_write(&c->writing, (uv_stream_t *)&c->socket.tcp, &buf, 1, on_written) : rc;
    if (rc != 0) {
        fail_uv(c, rc);
    }
}

static void on_tcp_timer(uv_timer_t *timer)
{
    fail(timer->data, ERR_TIMEOUT, "no answer");
}

static void begin_tcp(struct probe_call *c)
{
    c->rx = malloc(RX_MAX);
    int rc = c->rx != NULL ? uv_tcp_init(c->probe->loop, &c->socket.tcp) : UV_ENOMEM;
    if (rc == 0) {
        c->has_socket = true;
        c->handles++;
        c->socket.handle.data = c;
        c->connecting.data = c;
        rc = uv_tcp_connect(&c->connecting, &c->socket.tcp, (const struct sockaddr *)&c->q.server,
                            on_connected);
    }
    if (rc != 0) {
        fail_uv(c, rc);
        return;
    }
    uv_timer_start(&c->timer, on_tcp_timer, PROBE_TCP_MS, 0);
}

/* ---- calls --------------------------------------------------------------------------------- */

static void on_begin(uv_timer_t *timer)
{
    struct probe_call *c = timer->data;
    if (c->early != ERR_OK) {
        fail(c, c->early, err_text(c->early));
        return;
    }
    c->began_ms = now_ms(c->probe);
    (c->q.tcp ? begin_tcp : begin_udp)(c);
}

static void start_waiting(struct probe *p)
{
    while (p->waiting.first != NULL && p->asking_count < PROBE_AT_ONCE && !p->closing) {
        struct probe_call *c = p->waiting.first;
        list_remove(&p->waiting, c);
        list_add(&p->asking, c);
        c->asking = true;
        p->asking_count++;
        uv_timer_start(&c->timer, on_begin, 0, 0);
    }
}

struct probe_call *probe_ask(struct probe *p, const struct probe_question *q, probe_cb *cb,
                             void *ctx)
{
    struct probe_call *c = mem_xalloc(sizeof *c);
    c->probe = p;
    c->q = *q;
    c->cb = cb;
    c->ctx = ctx;
    c->handles = 1;
    uv_timer_init(p->loop, &c->timer);
    c->timer.data = c;
    write_query(c);
    p->open++;
    list_add(&p->waiting, c);
    if (p->closing) {
        probe_cancel(c);
    }
    start_waiting(p);
    return c;
}

void probe_cancel(struct probe_call *c)
{
    if (!c->ended) {
        c->early = ERR_CANCELED;
        if (c->has_socket) { /* whatever it still has to say comes too late */
            uv_close(&c->socket.handle, on_handle_closed);
            c->has_socket = false;
        }
        uv_timer_start(&c->timer, on_begin, 0, 0);
    }
}

/* ---- the whole ----------------------------------------------------------------------------- */

void probe_open(uv_loop_t *loop, struct probe **out)
{
    struct probe *p = mem_xalloc(sizeof *p);
    p->loop = loop;
    uv_timer_init(loop, &p->closer);
    p->closer.data = p;
    *out = p;
}

static void on_closer_closed(uv_handle_t *handle)
{
    struct probe *p = handle->data;
    p->closer_gone = true;
    see_closed(p);
}

static void see_closed(struct probe *p)
{
    if (p->closing && p->closer_gone && p->open == 0) {
        void (*done)(void *) = p->done;
        void *ctx = p->ctx;
        free(p);
        if (done != NULL) {
            done(ctx);
        }
    }
}

void probe_close(struct probe *p, void (*done)(void *ctx), void *ctx)
{
    p->closing = true;
    p->done = done;
    p->ctx = ctx;
    for (struct probe_call *c = p->waiting.first; c != NULL; c = c->next) {
        probe_cancel(c);
    }
    for (struct probe_call *c = p->asking.first; c != NULL; c = c->next) {
        probe_cancel(c);
    }
    uv_close((uv_handle_t *)&p->closer, on_closer_closed);
}
