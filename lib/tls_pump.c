/* Queues of octets, and the BIO through which OpenSSL reads one and writes the other. Nothing is
 * copied but from the caller into the queue and from the queue into OpenSSL's record. */
#include <string.h>

#include "tls_priv.h"

#define ROOM_MIN 1024

bool tls_queue_reserve(struct tls_queue *q, size_t n)
{
    size_t len = tls_queue_len(q);
    if (q->cap - q->end >= n) {
        return true;
    }
    if (q->cap - len >= n && q->head >= len) { /* cheap: what is moved is the smaller part */
        memcpy(q->bytes, q->bytes + q->head, len);
    } else {
        size_t cap = len == 0 ? n : len + (n > len ? n : len);
        uint8_t *wider = OPENSSL_malloc(cap < ROOM_MIN ? ROOM_MIN : cap);
        if (wider == NULL) {
            return false;
        }
        if (len > 0) {
            memcpy(wider, q->bytes + q->head, len);
        }
        OPENSSL_free(q->bytes);
        q->bytes = wider;
        q->cap = cap < ROOM_MIN ? ROOM_MIN : cap;
    }
    q->head = 0;
    q->end = len;
    return true;
}

bool tls_queue_put(struct tls_queue *q, const void *bytes, size_t n)
{
    if (!tls_queue_reserve(q, n)) {
        return false;
    }
    memcpy(q->bytes + q->end, bytes, n);
    q->end += n;
    return true;
}

void tls_queue_drop(struct tls_queue *q, size_t n)
{
    q->head += n;
    if (q->head == q->end) {
        tls_queue_free(q);
    }
}

void tls_queue_free(struct tls_queue *q)
{
    OPENSSL_free(q->bytes);
    *q = (struct tls_queue){.bytes = NULL};
}

static int pump_read(BIO *b, char *out, size_t cap, size_t *got)
{
    struct tls_conn *c = BIO_get_data(b);
    size_t len = tls_queue_len(&c->in);
    BIO_clear_retry_flags(b);
    if (tls_bound_passed(c)) {
        return -1; /* no further, whatever is there */
    }
    if (len == 0) {
        BIO_set_retry_read(b);
        return -1;
    }
    *got = len < cap ? len : cap;
    memcpy(out, c->in.bytes + c->in.head, *got);
    tls_queue_drop(&c->in, *got);
    tls_bound_read(c, (const uint8_t *)out, *got);
    return tls_bound_passed(c) ? -1 : 1;
}

static int pump_write(BIO *b, const char *bytes, size_t len, size_t *written)
{
    struct tls_conn *c = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (!tls_queue_put(&c->out, bytes, len)) {
        c->no_memory = true;
        return -1;
    }
    *written = len;
    return 1;
}

static long pump_ctrl(BIO *b, int what, long number, void *pointer)
{
    (void)b;
    (void)number;
    (void)pointer;
    return what == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_pump_new(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "queues of a connection");
    if (m != NULL) {
        BIO_meth_set_read_ex(m, pump_read);
        BIO_meth_set_write_ex(m, pump_write);
        BIO_meth_set_ctrl(m, pump_ctrl);
    }
    return m;
}
