/* What the files of prove share: cells, and what is made of their answers. */
#ifndef DNSD_PROBE_PROVE_PRIV_H
#define DNSD_PROBE_PROVE_PRIV_H

#include "prove_uv.h"

#define PROVE_WAYS       4 /* UDP, UDP with EDNS, TCP, TCP with EDNS */
#define PROVE_ANSWER_MAX 200

enum cell_state { CELL_OPEN, CELL_RIGHT, CELL_SKIPPED };

struct cell {
    struct prove *v;
    const struct prove_server *server; /* borrowed from V */
    const struct prove_name *name;     /* borrowed from V */
    bool tcp, edns;
    enum cell_state state;
    int64_t took_ms;
    struct probe_call *call;       /* under way */
    char answer[PROVE_ANSWER_MAX]; /* the last one */
};

struct prove {
    struct probe *probe;          /* borrowed */
    struct prove_server *servers; /* owned, with labels */
    struct prove_name *names;     /* owned, with values */
    size_t servers_count, names_count;
    struct cell *cells;     /* owned; of one server together, of those UDP first */
    size_t cells_count, at; /* AT: the next of this round */
    unsigned under_way, rounds;
    int64_t began_ms, deadline_ms;
    unsigned again_ms;
    uv_timer_t timer; /* the deadline during a round; the end of a pause between two */
    bool pausing, canceled, ended, closed;
    prove_cb *cb;
    void *ctx; /* borrowed */
};

/* Is it the answer that is wanted? Says in c->answer what it is. */
bool prove_judge(struct cell *c, const struct probe_answer *answer);
/* The report's text; to be freed. */
char *prove_report(const struct prove *v, int64_t took_ms);
/* ERR_TIMEOUT, and in INFO the first that is not right; there is one. */
enum err prove_blame(const struct prove *v, struct err_info *info);

#endif
