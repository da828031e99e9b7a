/* DNS over TLS (RFC 7858): the same connection as tcp_uv.c's, with lib/tls between its socket and its
 * frames.
 *
 *   read ──> dot_receive() ──> tcp_conn_absorb()   all that one read brought, then its answers
 *   write <── tcp_conn_send() <── dot_send()       one run of records, and what TLS itself has to say
 *
 * An end can come in every state: before the first octet, in the middle of a handshake or of a record,
 * with answers under way, with queries and the peer's close_notify in one read. Whoever finds it calls
 * tcp_conn_close(), which lets dot_end() say what may still be said.
 */
#include <string.h>

#include "conn.h"
#include "lib/tls.h"

bool dot_open(struct tcp_conn *c)
{
    c->tls = tls_conn_new(c->w->tls, TLS_USE_DOT);
    return c->tls != NULL;
}

bool dot_is_shaking(const struct tcp_conn *c)
{
    return tls_conn_state(c->tls) == TLS_HANDSHAKE;
}

bool dot_is_over(const struct tcp_conn *c)
{
    enum tls_state state = tls_conn_state(c->tls);
    return state == TLS_ENDED || state == TLS_FAILED;
}

/* From here on it waits for queries like any other. */
static void on_handshake_done(struct tcp_conn *c)
{
    struct net_tls_counters *k = &c->w->counters.tls;
    bool newest = strcmp(tls_conn_version(c->tls), net_tls_version_text(NET_TLS_1_3)) == 0;
    enum net_tls_version version = newest ? NET_TLS_1_3 : NET_TLS_1_2;
    c->tls_done = true;
    c->since_ms = uv_now(c->w->loop);
    metrics_add(&k->done[version], 1);
    if (tls_conn_resumed(c->tls)) {
        metrics_add(&k->resumed[version], 1);
    }
}

bool dot_receive(struct tcp_conn *c, const uint8_t *bytes, size_t len)
{
    struct net_worker *w = c->w;
    size_t n;
    c->tls_begun = true;
    if (tls_conn_feed(c->tls, bytes, len) != ERR_OK) {
        tcp_conn_close(c);
        return false;
    }
    if (!c->tls_done && tls_conn_state(c->tls) == TLS_OPEN) {
        on_handshake_done(c);
    }
    /* The buffer that BYTES were in is free again. */
    while ((n = tls_conn_read(c->tls, w->tcp_read, sizeof w->tcp_read)) > 0) {
        if (!tcp_conn_absorb(c, w->tcp_read, n)) {
            return false;
        }
    }
    return true;
}

bool dot_send(struct tcp_conn *c, const uint8_t *bytes, size_t len)
{
    const uint8_t *out;
    if (len > 0 && tls_conn_write(c->tls, bytes, len) != ERR_OK) {
        tcp_conn_close(c);
        return false;
    }
    size_t n = tls_conn_out(c->tls, &out);
    if (n > 0 && !tcp_conn_send(c, out, n)) {
        return false;
    }
    tls_conn_sent(c->tls, n);
    return true;
}

void dot_end(struct tcp_conn *c)
{
    const uint8_t *out;
    if (c->tls_begun && !c->tls_done) {
        metrics_add(&c->w->counters.tls.failed, 1);
    }
    if (c->deaf || c->unsent != NULL) {
        return; /* nothing can be said in the middle of a record */
    }
    tls_conn_end(c->tls);
    size_t n = tls_conn_out(c->tls, &out);
    if (n > 0) {
        /* An alert has no answer: if the kernel does not want it now, the connection's end says it. */
        uv_buf_t buf = uv_buf_init((char *)out, (unsigned)n);
        (void)uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
    }
}
