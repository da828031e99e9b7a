/* One query on its way through the stages. */
#ifndef DNSD_ANSWER_ANSWER_PRIV_H
#define DNSD_ANSWER_ANSWER_PRIV_H

#include "answer.h"
#include "dnsd/wire/query.h"

enum section { SECTION_ANSWER = 1, SECTION_AUTHORITY = 2, SECTION_ADDITIONAL = 3 };

struct job {
    struct answerer *a;
    enum answer_transport transport;
    struct wire_query q;
    unsigned relative; /* labels of the question before the zone's own */
    /* the reply so far */
    uint8_t *out;
    size_t len;
    size_t limit;       /* what may be written before the OPT record */
    uint16_t counts[4]; /* by section; [0] is the question's */
    uint16_t apex_at;   /* where in the message the zone's name is */
    enum wire_rcode rcode;
    bool aa;
    bool overflow; /* something needed did not fit */
};

/* policy.c: true if the zone is to be asked; else rcode is set, and class CH perhaps answered. */
bool policy_admit(struct job *j);
/* The largest reply to this query. */
size_t policy_limit(const struct job *j);

/* solve.c */
void solve(struct job *j);

/* write.c: a whole RRset or nothing, and `overflow` if it does not fit. OWNER_AT: where in the
 * message its owner's name is. */
bool write_rrset(struct job *j, enum section section, const struct zone_rrset *set,
                 unsigned owner_at);
/* A record that the zone does not have. */
bool write_record(struct job *j, enum section section, uint16_t type, uint16_t class,
                  uint32_t ttl_s, const void *rdata, size_t len);
/* The SOA that tells how long "no" is true (RFC 2308 §3). */
void write_negative(struct job *j);
/* Takes back all that was written. */
void write_nothing(struct job *j);
/* Of the OPT record without padding: what has to fit. */
size_t write_opt_len(const struct job *j);
void write_opt(struct job *j);

#endif
