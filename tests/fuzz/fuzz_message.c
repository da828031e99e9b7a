/* Replies from strangers, and all that is read out of their records.
 *
 * The input is a packet; the query that it should answer is made of its own header and question, so
 * that what comes after them is reached. What is read is held against tests/support/dns_decode.h, which
 * knows nothing of the code under test.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns_decode.h"
#include "dnsd/wire/message.h"
#include "dnsd/wire/type.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    abort();
}

/* The query that DATA could be the answer to; its length, 0: there is none. */
static size_t make_query(const uint8_t *data, size_t size, uint8_t *out)
{
    size_t at = WIRE_HEADER_LEN;
    while (at < size && data[at] != 0 && data[at] <= WIRE_LABEL_MAX) {
        at += (size_t)data[at] + 1;
    }
    if (at >= size || data[at] != 0 || size - at < 5 || at > WIRE_HEADER_LEN + WIRE_NAME_MAX) {
        return 0;
    }
    memcpy(out, data, at + 5);
    out[2] = out[3] = 0;
    memcpy(out + 4, "\0\1\0\0\0\0\0\0", 8);
    return at + 5;
}

static void check_name(const struct wire_name *n)
{
    struct wire_name same;
    if (wire_name_from_wire(n->bytes, n->len, &same) != ERR_OK || same.len != n->len ||
        same.labels != n->labels) {
        die("a name that is none");
    }
}

static void read_data(const struct wire_message *m, const struct wire_record *r)
{
    struct wire_name name;
    struct wire_caa caa;
    char text[600];
    for (size_t skip = 0; skip <= 6; skip += 2) {
        if (wire_record_name(m, r, skip, &name) == ERR_OK) {
            check_name(&name);
        }
    }
    if (wire_record_text(r, text, sizeof text) == ERR_OK && strlen(text) > r->rdata_len) {
        die("more text than data");
    }
    if (wire_record_caa(r, &caa) == ERR_OK &&
        2 + strlen(caa.tag) + strlen(caa.value) != r->rdata_len) {
        die("a CAA record that is not all of its data");
    }
}

/* What both have read is the same. */
static void compare(const struct wire_message *m, const struct dns_message *d)
{
    size_t count = 0;
    for (size_t i = 0; i < d->rrs_count; i++) {
        const struct dns_rr *rr = &d->rrs[i];
        if (rr->type == TYPE_OPT) {
            continue;
        }
        const struct wire_record *r = &m->records[count++];
        if (count > m->count || r->type != rr->type || r->class != rr->class ||
            r->ttl_s != rr->ttl || r->rdata_len != rr->rdata_len ||
            r->rdata != m->packet + rr->rdata_at || r->owner.len != rr->owner.len ||
            (int)r->section + 1 != rr->section) {
            die("another record than the second reader's");
        }
    }
    if (count != m->count) {
        die("more records than the second reader's");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wire_message m;
    static struct dns_message d;
    uint8_t query[WIRE_HEADER_LEN + WIRE_NAME_MAX + 5];
    static const uint8_t other[] = "\0\0\0\0\0\1\0\0\0\0\0\0\1x\0\0\1\0\1";
    size_t query_len = make_query(data, size, query);
    (void)!wire_message_read(data, size, other, sizeof other - 1, &m);
    if (query_len == 0 || wire_message_read(data, size, query, query_len, &m) != ERR_OK) {
        return 0;
    }
    if (!m.question_same_case || m.count > WIRE_RECORDS_MAX) {
        die("not our question");
    }
    for (size_t i = 0; i < m.count; i++) {
        const struct wire_record *r = &m.records[i];
        if (r->rdata < data || r->rdata + r->rdata_len > data + size) {
            die("data outside of the packet");
        }
        check_name(&r->owner);
        read_data(&m, r);
    }
    struct wire_name asked, end;
    if (wire_name_from_wire(query + WIRE_HEADER_LEN, query_len - WIRE_HEADER_LEN, &asked) ==
        ERR_OK) {
        (void)wire_message_alias(&m, &asked, &end);
        check_name(&end);
    }
    if (dns_decode(data, size, &d)) {
        compare(&m, &d);
    }
    return 0;
}
