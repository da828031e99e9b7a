/* The axes of the counters: a number's place in its row, and the word for each place. */
#include <assert.h>

#include "answer.h"
#include "dnsd/wire/query.h"
#include "dnsd/wire/type.h"

#define TYPES(X)                                                                                   \
    X(A)                                                                                           \
    X(AAAA)                                                                                        \
    X(NS) X(SOA) X(CNAME) X(TXT) X(MX) X(CAA) X(SRV) X(HTTPS) X(SVCB) X(PTR) X(DS) X(DNSKEY) X(ANY)
#define RCODES(X) X(NOERROR) X(FORMERR) X(SERVFAIL) X(NXDOMAIN) X(NOTIMP) X(REFUSED) X(BADVERS)

enum {
#define X(name) PLACE_##name,
    TYPES(X) TYPE_OTHER,
#undef X
};
enum {
#define X(name) RCODE_PLACE_##name,
    RCODES(X) RCODE_OTHER,
#undef X
};
_Static_assert(TYPE_OTHER + 1 == ANSWER_TYPES, "a row of types");
_Static_assert(RCODE_OTHER + 1 == ANSWER_RCODES, "a row of RCODEs");

static const char *const type_texts[ANSWER_TYPES] = {
#define X(name) #name,
    TYPES(X) "other",
#undef X
};
static const char *const rcode_texts[ANSWER_RCODES] = {
#define X(name) #name,
    RCODES(X) "other",
#undef X
};

/* One more than the place; 0: among the others. */
static const uint8_t type_places[] = {
#define X(name) [TYPE_##name] = PLACE_##name + 1,
    TYPES(X)
#undef X
};
static const uint8_t rcode_places[] = {
#define X(name) [RCODE_##name] = RCODE_PLACE_##name + 1,
    RCODES(X)
#undef X
};

unsigned answer_type_index(uint16_t type)
{
    unsigned place = type < sizeof type_places ? type_places[type] : 0;
    return place > 0 ? place - 1 : TYPE_OTHER;
}

unsigned answer_rcode_index(unsigned rcode)
{
    unsigned place = rcode < sizeof rcode_places ? rcode_places[rcode] : 0;
    return place > 0 ? place - 1 : RCODE_OTHER;
}

const char *answer_transport_text(enum answer_transport transport)
{
    static const char *const texts[ANSWER_TRANSPORTS] = {"udp", "tcp", "tls"};
    assert(transport < ANSWER_TRANSPORTS);
    return texts[transport];
}

const char *answer_type_text(unsigned index)
{
    assert(index < ANSWER_TYPES);
    return type_texts[index];
}

const char *answer_rcode_text(unsigned index)
{
    assert(index < ANSWER_RCODES);
    return rcode_texts[index];
}

const char *answer_drop_text(enum answer_drop reason)
{
    static const char *const texts[ANSWER_DROPS] = {"short", "answer", "port_zero", "send_failed"};
    assert(reason < ANSWER_DROPS);
    return texts[reason];
}

uint64_t answer_queries_over(const struct answer_counters *c, enum answer_transport transport)
{
    uint64_t sum = 0;
    for (unsigned type = 0; type < ANSWER_TYPES; type++) {
        for (unsigned rcode = 0; rcode < ANSWER_RCODES; rcode++) {
            sum += metrics_get(&c->queries[transport][type][rcode]);
        }
    }
    return sum;
}

uint64_t answer_queries_with(const struct answer_counters *c, unsigned rcode_index)
{
    uint64_t sum = 0;
    for (unsigned transport = 0; transport < ANSWER_TRANSPORTS; transport++) {
        for (unsigned type = 0; type < ANSWER_TYPES; type++) {
            sum += metrics_get(&c->queries[transport][type][rcode_index]);
        }
    }
    return sum;
}
