#include "dns_script.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnsd/probe/address.h"
#include "dnsd/wire/query.h"
#include "dnsd/wire/rdata.h"
#include "dnsd/wire/type.h"
#include "lib/buf.h"
#include "lib/mem.h"
#include "lib/str.h"

#define PACKET_MAX 65535

struct conn {
    uv_tcp_t tcp;
    uv_timer_t drip;
    unsigned handles;
    struct dns_script *s;
    struct conn *next;
    uint8_t rx[600];
    size_t rx_len;
    uint8_t *tx;
    size_t tx_len, tx_at;
};

struct dns_script {
    uv_loop_t *loop;
    uv_udp_t udp, other; /* OTHER: another port, for what comes from elsewhere */
    uv_tcp_t tcp;
    unsigned handles, count;
    bool closing;
    struct sockaddr_storage address;
    const struct dns_rule *rules;
    struct conn *conns;
    struct str asked;
    struct wire_name last;
    uint8_t rx[65536];
    uint8_t out[PACKET_MAX + 2];
};

/* ---- making a reply ------------------------------------------------------------------------ */

static bool has(const char *words, const char *word)
{
    size_t len = strlen(word);
    size_t line = strcspn(words, "\n");
    for (const char *at = words; (size_t)(at - words) < line;) {
        size_t n = strcspn(at, " \n");
        if (n == len && strncmp(at, word, n) == 0) {
            return true;
        }
        at += n + (at[n] == ' ');
        if (n == 0 && at[0] == '\n') {
            break;
        }
    }
    return false;
}

/* "\# HEX" is taken as it is: for data that no zone file could have. */
static bool raw(const char *text, uint8_t *out, size_t *len)
{
    if (strncmp(text, "\\# ", 3) != 0) {
        return false;
    }
    *len = strlen(text + 3) / 2;
    for (size_t i = 0; i < *len; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *high = strchr(digits, text[3 + 2 * i]), *low = strchr(digits, text[4 + 2 * i]);
        assert_true(high != NULL && low != NULL);
        out[i] = (uint8_t)((high - digits) << 4 | (low - digits));
    }
    return true;
}

static void put_record(struct buf_writer *w, const char *line, size_t len)
{
    static uint8_t rdata[WIRE_RDATA_MAX];
    char *text = mem_xalloc(len + 1), *save = NULL;
    struct wire_name owner;
    uint16_t type = 0;
    size_t rdata_len = 0;
    struct err_info info = {.text = ""};
    memcpy(text, line, len);
    const char *name = strtok_r(text, " ", &save), *mnemonic = strtok_r(NULL, " ", &save);
    if (mnemonic == NULL || wire_name_from_text(name, NULL, &owner, &info) != ERR_OK ||
        !wire_type_from_text(mnemonic, &type) ||
        (!raw(save, rdata, &rdata_len) &&
         wire_rdata_from_text(type, save, &owner, rdata, &rdata_len, &info) != ERR_OK)) {
        fail_msg("a script's record: %.*s: %s", (int)len, line, info.text);
    }
    buf_put(w, owner.bytes, owner.len);
    buf_put_u16(w, type);
    buf_put_u16(w, CLASS_IN);
    buf_put_u32(w, 1);
    buf_put_u16(w, (uint16_t)rdata_len);
    buf_put(w, rdata, rdata_len);
    free(text);
}

static uint16_t header_flags(const char *words)
{
    static const struct {
        const char *word;
        uint16_t bits;
    } table[] = {{"aa", WIRE_AA},
                 {"tc", WIRE_TC},
                 {"nxdomain", RCODE_NXDOMAIN},
                 {"servfail", RCODE_SERVFAIL},
                 {"refused", RCODE_REFUSED},
                 {"notimp", RCODE_NOTIMP},
                 {"formerr", RCODE_FORMERR}};
    uint16_t flags = WIRE_QR;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        flags |= has(words, table[i].word) ? table[i].bits : 0;
    }
    return flags;
}

/* The answer REPLY to QUERY; returns its length. */
static size_t make(const char *reply, const uint8_t *query, const struct wire_query *q,
                   uint8_t *out)
{
    struct buf_writer w = {.base = out, .cap = PACKET_MAX};
    unsigned counts[3] = {0, 0, 0};
    buf_put(&w, query, WIRE_HEADER_LEN + q->question_len);
    put_u16(out + 2, header_flags(reply));
    if (has(reply, "lower")) {
        wire_name_fold(out + WIRE_HEADER_LEN, out + WIRE_HEADER_LEN, q->qname_len);
    }
    for (size_t section = 0; section < 3; section++) { /* whatever the order of the lines */
        for (const char *line = strchr(reply, '\n'); line != NULL;) {
            const char *end = strchr(line + 1, '\n');
            size_t len = end != NULL ? (size_t)(end - line) - 1 : strlen(line + 1);
            if (line[1] == "=!+"[section]) {
                put_record(&w, line + 3, len - 2);
                counts[section]++;
            }
            line = end;
        }
    }
    if (q->edns.present) {
        buf_put(&w, "\0\0\51\4\xd0\0\0\0\0\0\0", 11);
        counts[2]++;
    }
    for (size_t i = 0; i < 3; i++) {
        put_u16(out + 6 + 2 * i, (uint16_t)counts[i]);
    }
    put_u16(out + 10, (uint16_t)counts[2]);
    assert_false(w.bad);
    return w.len;
}

/* Makes what is no answer to the question out of one; false: it is to stay one. */
static size_t spoil(const char *how, uint8_t *out, size_t len)
{
    if (strcmp(how, "wrongid") == 0) {
        out[0] ^= 0x55;
    } else if (strcmp(how, "othername") == 0) {
        out[WIRE_HEADER_LEN + 1] ^= 1;
    } else if (strcmp(how, "notreply") == 0) {
        out[2] &= 0x7f;
    } else if (strcmp(how, "garbage") == 0) {
        return len - 1;
    }
    return len;
}

static const char *const spoilings[] = {"wrongid", "othername", "notreply", "garbage"};
#define SPOILINGS (sizeof spoilings / sizeof spoilings[0])

/* ---- finding it ---------------------------------------------------------------------------- */

static const char *find(struct dns_script *s, const struct wire_query *q, const char *over)
{
    char name[WIRE_NAME_TEXT_MAX], type[WIRE_TYPE_TEXT_MAX];
    struct wire_name n;
    assert_int_equal(wire_name_from_wire(q->qname, q->qname_len, &n), ERR_OK);
    wire_name_to_text(&n, name);
    wire_type_to_text(q->qtype, type);
    str_appendf(&s->asked, "%s%s %s %s\n", over, q->edns.present ? "+edns" : "", name, type);
    s->count++;
    for (const struct dns_rule *r = s->rules; r->reply != NULL; r++) {
        bool with_edns = r->over != NULL && strchr(r->over, '+') != NULL;
        size_t len = r->name != NULL ? strlen(r->name) : 0;
        if ((r->name == NULL || (strncmp(r->name, name, len) == 0 && name[len] == '.' &&
                                 (name[len + 1] == '\0' || len == 0))) &&
            (r->type == NULL || strcmp(r->type, type) == 0) &&
            (r->over == NULL || strncmp(r->over, over, 3) == 0) &&
            (!with_edns || q->edns.present)) {
            return r->reply;
        }
    }
    return "refused";
}

static const char *answer_to(struct dns_script *s, const uint8_t *query, size_t len,
                             const char *over, struct wire_query *q)
{
    if (wire_query_parse(query, len, q) != WIRE_QUERY) {
        fail_msg("the script was asked what is no question");
    }
    assert_int_equal(wire_name_from_wire(query + WIRE_HEADER_LEN, len - WIRE_HEADER_LEN, &s->last),
                     ERR_OK);
    return find(s, q, over);
}

/* ---- UDP ----------------------------------------------------------------------------------- */

static void send_udp(uv_udp_t *from, const struct sockaddr *to, uint8_t *bytes, size_t len)
{
    uv_buf_t buf = uv_buf_init((char *)bytes, (unsigned)len);
    assert_true(uv_udp_try_send(from, &buf, 1, to) == (int)len);
}

static void alloc_udp(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    struct dns_script *s = handle->data;
    (void)hint;
    *buf = uv_buf_init((char *)s->rx, sizeof s->rx);
}

static void on_datagram(uv_udp_t *udp, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from,
                        unsigned flags)
{
    struct dns_script *s = udp->data;
    struct wire_query q;
    (void)flags;
    if (n < 0 || from == NULL) {
        return;
    }
    const uint8_t *query = (const uint8_t *)buf->base;
    const char *reply = answer_to(s, query, (size_t)n, "udp", &q);
    if (has(reply, "silent") || (has(reply, "drop1") && s->count < 2) ||
        (has(reply, "drop2") && s->count < 3)) {
        return;
    }
    for (size_t i = 0; i < SPOILINGS; i++) {
        bool only = has(reply, spoilings[i]);
        size_t len = make(reply, query, &q, s->out);
        if (only || has(reply, "twice")) {
            send_udp(udp, from, s->out, spoil(spoilings[i], s->out, len));
        }
        if (only) {
            return;
        }
    }
    size_t len = make(reply, query, &q, s->out);
    send_udp(has(reply, "foreign") ? &s->other : udp, from, s->out, len);
}

/* ---- TCP ----------------------------------------------------------------------------------- */

static void on_conn_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    if (--c->handles > 0) {
        return;
    }
    struct dns_script *s = c->s;
    struct conn **at = &s->conns;
    while (*at != c) {
        at = &(*at)->next;
    }
    *at = c->next;
    free(c->tx);
    free(c);
    s->handles--;
    if (s->closing && s->handles == 0) {
        str_free(&s->asked);
        free(s);
    }
}

static void conn_close(struct conn *c)
{
    if (!uv_is_closing((uv_handle_t *)&c->tcp)) {
        uv_close((uv_handle_t *)&c->tcp, on_conn_closed);
        uv_close((uv_handle_t *)&c->drip, on_conn_closed);
    }
}

static void on_drip(uv_timer_t *timer)
{
    struct conn *c = timer->data;
    uv_buf_t buf = uv_buf_init((char *)c->tx + c->tx_at, 1);
    if (c->tx_at == c->tx_len || uv_try_write((uv_stream_t *)&c->tcp, &buf, 1) < 0) {
        conn_close(c);
        return;
    }
    c->tx_at++;
}

static void answer_tcp(struct conn *c, size_t len)
{
    struct wire_query q;
    const char *reply = answer_to(c->s, c->rx + 2, len, "tcp", &q);
    if (has(reply, "silent")) {
        return;
    }
    if (has(reply, "close")) {
        conn_close(c);
        return;
    }
    c->tx = mem_xalloc(PACKET_MAX + 2);
    size_t n = make(reply, c->rx + 2, &q, c->tx + 2);
    for (size_t i = 0; i < SPOILINGS; i++) {
        n = has(reply, spoilings[i]) ? spoil(spoilings[i], c->tx + 2, n) : n;
    }
    put_u16(c->tx, (uint16_t)n);
    c->tx_len = n + 2;
    if (has(reply, "drip")) {
        uv_timer_start(&c->drip, on_drip, 0, 300);
        return;
    }
    uv_buf_t buf = uv_buf_init((char *)c->tx, (unsigned)c->tx_len);
    assert_true(uv_try_write((uv_stream_t *)&c->tcp, &buf, 1) == (int)c->tx_len);
}

static void alloc_tcp(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    struct conn *c = handle->data;
    (void)hint;
    *buf = uv_buf_init((char *)c->rx + c->rx_len, (unsigned)(sizeof c->rx - c->rx_len));
}

static void on_octets(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct conn *c = stream->data;
    (void)buf;
    if (n < 0) {
        conn_close(c);
        return;
    }
    c->rx_len += (size_t)n;
    if (c->rx_len >= 2 && c->rx_len >= 2 + (size_t)get_u16(c->rx)) {
        answer_tcp(c, get_u16(c->rx));
        c->rx_len = 0;
    }
}

static void on_connection(uv_stream_t *server, int rc)
{
    struct dns_script *s = server->data;
    struct conn *c = mem_xalloc(sizeof *c);
    assert_int_equal(rc, 0);
    c->s = s;
    c->next = s->conns;
    s->conns = c;
    s->handles++;
    c->handles = 2;
    uv_tcp_init(s->loop, &c->tcp);
    uv_timer_init(s->loop, &c->drip);
    c->tcp.data = c->drip.data = c;
    assert_int_equal(uv_accept(server, (uv_stream_t *)&c->tcp), 0);
    uv_read_start((uv_stream_t *)&c->tcp, alloc_tcp, on_octets);
}

/* ---- the whole ----------------------------------------------------------------------------- */

struct dns_script *dns_script_open(uv_loop_t *loop, const char *ip, uint16_t port,
                                   const struct dns_rule *rules)
{
    struct dns_script *s = mem_xalloc(sizeof *s);
    struct sockaddr_storage other;
    int len = sizeof s->address;
    s->loop = loop;
    s->rules = rules;
    s->handles = 3;
    str_append(&s->asked, "");
    assert_int_equal(address_read(ip, port, &s->address, NULL), ERR_OK);
    address_set_port(&s->address, port);
    other = s->address;
    address_set_port(&other, 0);
    uv_udp_init(loop, &s->udp);
    uv_udp_init(loop, &s->other);
    uv_tcp_init(loop, &s->tcp);
    s->udp.data = s->other.data = s->tcp.data = s;
    assert_int_equal(uv_udp_bind(&s->other, (struct sockaddr *)&other, 0), 0);
    /* TCP first: it is choosier about ports that were in use a moment ago. */
    assert_int_equal(uv_tcp_bind(&s->tcp, (struct sockaddr *)&s->address, 0), 0);
    assert_int_equal(uv_tcp_getsockname(&s->tcp, (struct sockaddr *)&s->address, &len), 0);
    assert_int_equal(uv_udp_bind(&s->udp, (struct sockaddr *)&s->address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&s->tcp, 64, on_connection), 0);
    assert_int_equal(uv_udp_recv_start(&s->udp, alloc_udp, on_datagram), 0);
    return s;
}

uint16_t dns_script_port(const struct dns_script *s)
{
    return ntohs(((const struct sockaddr_in *)&s->address)->sin_port);
}

void dns_script_address(const struct dns_script *s, struct sockaddr_storage *out)
{
    *out = s->address;
}

void dns_script_rules(struct dns_script *s, const struct dns_rule *rules)
{
    s->rules = rules;
}

const char *dns_script_asked(const struct dns_script *s)
{
    return s->asked.text;
}

unsigned dns_script_count(const struct dns_script *s)
{
    return s->count;
}

const uint8_t *dns_script_name(const struct dns_script *s, size_t *len)
{
    *len = s->last.len;
    return s->last.bytes;
}

static void on_closed(uv_handle_t *handle)
{
    struct dns_script *s = handle->data;
    if (--s->handles == 0) {
        str_free(&s->asked);
        free(s);
    }
}

void dns_script_close(struct dns_script *s)
{
    s->closing = true;
    for (struct conn *c = s->conns; c != NULL; c = c->next) {
        conn_close(c);
    }
    uv_close((uv_handle_t *)&s->udp, on_closed);
    uv_close((uv_handle_t *)&s->other, on_closed);
    uv_close((uv_handle_t *)&s->tcp, on_closed);
}
