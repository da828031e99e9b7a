/* Bounded reader and writer over bytes that the caller owns. Both have a sticky error: once a
 * read or write did not fit, every later one does nothing, so a parser checks once at the end.
 * Multi-byte integers are big-endian, as on the wire. Threads: none shared.
 */
#ifndef LIB_BUF_H
#define LIB_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf_reader {
    const uint8_t *at;  /* borrowed */
    const uint8_t *end; /* borrowed: one past the last byte */
    bool bad;           /* something was asked for that is not there */
};

struct buf_writer {
    uint8_t *base; /* borrowed */
    size_t len;    /* bytes written */
    size_t cap;
    bool bad; /* something did not fit; base[0..len) is what came before it */
};

static inline struct buf_reader buf_reader_of(const void *bytes, size_t len)
{
    return (struct buf_reader){.at = bytes, .end = (const uint8_t *)bytes + len, .bad = false};
}

static inline size_t buf_left(const struct buf_reader *r)
{
    return (size_t)(r->end - r->at);
}

/* The next N bytes, borrowed from the input, or NULL and `bad`. */
static inline const uint8_t *buf_take(struct buf_reader *r, size_t n)
{
    if (r->bad || buf_left(r) < n) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *p = r->at;
    r->at += n;
    return p;
}

static inline uint8_t buf_u8(struct buf_reader *r)
{
    const uint8_t *p = buf_take(r, 1);
    return p != NULL ? p[0] : 0;
}

static inline uint16_t buf_u16(struct buf_reader *r)
{
    const uint8_t *p = buf_take(r, 2);
    return p != NULL ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

static inline uint32_t buf_u32(struct buf_reader *r)
{
    const uint8_t *p = buf_take(r, 4);
    return p != NULL ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

static inline uint64_t buf_u64(struct buf_reader *r)
{
    uint64_t high = buf_u32(r);
    return high << 32 | buf_u32(r);
}

static inline void put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void put_u32(uint8_t *p, uint32_t v)
{
    put_u16(p, (uint16_t)(v >> 16));
    put_u16(p + 2, (uint16_t)v);
}

static inline uint16_t get_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)get_u16(p) << 16 | get_u16(p + 2);
}

static inline struct buf_writer buf_writer_of(void *bytes, size_t cap)
{
    return (struct buf_writer){.base = bytes, .len = 0, .cap = cap, .bad = false};
}

/* Room for N bytes that the caller fills, or NULL and `bad`. */
static inline uint8_t *buf_room(struct buf_writer *w, size_t n)
{
    if (w->bad || w->cap - w->len < n) {
        w->bad = true;
        return NULL;
    }
    uint8_t *p = w->base + w->len;
    w->len += n;
    return p;
}

static inline void buf_put(struct buf_writer *w, const void *bytes, size_t n)
{
    uint8_t *p = buf_room(w, n);
    if (p != NULL && n > 0) {
        memcpy(p, bytes, n);
    }
}

static inline void buf_put_u8(struct buf_writer *w, uint8_t v)
{
    buf_put(w, &v, 1);
}

static inline void buf_put_u16(struct buf_writer *w, uint16_t v)
{
    uint8_t *p = buf_room(w, 2);
    if (p != NULL) {
        put_u16(p, v);
    }
}

static inline void buf_put_u32(struct buf_writer *w, uint32_t v)
{
    uint8_t *p = buf_room(w, 4);
    if (p != NULL) {
        put_u32(p, v);
    }
}

static inline void buf_put_u64(struct buf_writer *w, uint64_t v)
{
    buf_put_u32(w, (uint32_t)(v >> 32));
    buf_put_u32(w, (uint32_t)v);
}

#endif
