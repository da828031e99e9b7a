/* What the files of resolve share: lookups through the resolvers, and the jobs made of them. */
#ifndef DNSD_PROBE_RESOLVE_PRIV_H
#define DNSD_PROBE_RESOLVE_PRIV_H

#include "resolve_uv.h"

struct job;
/* The next step of a job. E: of what it waited for; M is NULL unless ERR_OK. */
typedef void step_fn(struct job *j, enum err e, const struct wire_message *m);

struct resolve {
    uv_loop_t *loop;     /* borrowed */
    struct probe *probe; /* borrowed */
    struct sockaddr_storage servers[RESOLVE_SERVERS_MAX];
    size_t servers_count, first; /* FIRST: the one that answered last */
    uint16_t port;               /* of name servers found */
    struct job *jobs;            /* owned */
    uv_timer_t closer;           /* never runs; that it is closed says the end, later */
    bool closing, closer_gone;
    void (*done)(void *ctx);
    void *ctx; /* borrowed */
};

enum job_kind { JOB_DELEGATION, JOB_ADDRESSES, JOB_CAA };

struct job {
    struct resolve *r;
    struct job *next;
    enum job_kind kind;
    uv_timer_t timer;        /* to begin, later; then the deadline */
    bool canceled;           /* that is what the timer is to tell */
    struct probe_call *call; /* under way; NULL: none */
    bool begun, ended;
    struct err_info info;
    void *cb_ctx; /* borrowed */
    union {
        resolve_delegation_cb *delegation;
        resolve_addresses_cb *addresses;
        resolve_caa_cb *caa;
    } cb;

    /* The question that is asked now, of the resolvers in turn or of one server. */
    struct probe_question q;
    step_fn *step;
    size_t tried; /* resolvers */
    bool through_resolvers;

    /* What is looked for and what was found. */
    struct wire_name name, at;
    struct sockaddr_storage addresses[RESOLVE_ADDRESSES_MAX];
    size_t addresses_count;
    struct caa_set *caa;          /* owned; NULL unless JOB_CAA */
    struct delegation_work *work; /* owned; NULL unless JOB_DELEGATION */
};

/* Asks for NAME and TYPE through the resolvers; STEP has what the first says that has an answer:
 * NOERROR or NXDOMAIN. ERR_UNAVAIL: none of them (INFO: what the last one said). */
void job_resolve(struct job *j, const struct wire_name *name, uint16_t type, step_fn *step);
/* Asks SERVER itself, without recursion; any RCODE. */
void job_ask(struct job *j, const struct sockaddr_storage *server, const struct wire_name *name,
             uint16_t type, step_fn *step);
/* Ends J with its kind's callback and j->info. The last thing that is done with J. */
void job_end(struct job *j, enum err e);

/* Adds the addresses (A, AAAA) of NAME in SECTION of M that are not there yet. */
size_t answer_addresses(const struct wire_message *m, enum wire_section section,
                        const struct wire_name *name, uint16_t port, struct sockaddr_storage *list,
                        size_t count, size_t max);
/* NAME without its first label. The root stays. */
void name_up(struct wire_name *name);

/* The servers of a resolv.conf; how many. */
size_t resolv_conf_read(const char *text, struct sockaddr_storage *out, size_t max);

void delegation_begin(struct job *j);
void delegation_tell(struct job *j, enum err e);

#endif
