/* The parts of the gate: its owner's side and the thread (gate_uv.c), who comes in (gate_door_uv.c), a
 * connection (gate_conn_uv.c), either end of it (gate_leg_uv.c), and who counts no more (gate_list.c).
 *
 *   other node ── client leg ── connection ── local leg ── rqlited
 *
 * A leg is a socket and its TLS. Sockets are polled, not libuv's streams: what waits to be sent stays in the
 * TLS' own queue and goes from there, and a queue that is full is answered by not polling for more.
 */
#ifndef CLUSTER_GATE_PRIV_H
#define CLUSTER_GATE_PRIV_H

#include <netinet/in.h>

#include "gate_uv.h"
#include "lib/log.h"
#include "lib/loop_uv.h"
#include "lib/metrics.h"
#include "lib/tls.h"

#define GATE_READ   (64 * 1024) /* at a time from one socket; then it is the others' turn */
#define GATE_DOORS  16
#define GATE_SERIAL 41
/* What is left when one side has ended must be gone by then, and so must the other side. */
#define GATE_END_MS 30000

/* ---- who counts no more (gate_list.c) ------------------------------------------------------ */

/* Sorted. */
struct gate_list {
    size_t count;
    char serial[][GATE_SERIAL];
};
/* The first GATE_REVOKED_MAX of SERIALS; what is no serial number is left out. Aborts without memory. */
struct gate_list *gate_list_new(const char *const *serials, size_t count);
bool gate_list_has(const struct gate_list *l, const char *serial); /* L NULL: has none */

/* ---- connections --------------------------------------------------------------------------- */

struct gate_conn;

struct gate_leg {
    uv_poll_t poll;
    struct gate_conn *conn; /* borrowed: we are a part of it */
    struct tls_conn *tls;   /* owned; NULL: there is no such leg (yet) */
    int fd;                 /* owned */
    int events;             /* that it is polled for */
    bool heard;             /* it has said something */
    bool eof;               /* nothing more comes from it */
    bool dead;              /* and nothing can be sent */
    bool told;              /* that nothing more comes from the other side */
    bool shut;              /* ... and all has been sent */
};

enum gate_stage {
    GATE_SHAKING,  /* no good certificate yet */
    GATE_GREETING, /* rqlited is called */
    GATE_PASSING,  /* octets go both ways */
    GATE_CLOSED    /* waits for its handles */
};

struct gate_conn {
    struct gate *gate; /* borrowed */
    struct gate_conn *prev,
        *next; /* in the gate's list of those that are SHAKING, or of the others */
    enum gate_stage stage;
    struct gate_leg client, local;
    uv_timer_t timer; /* the end of its patience with the present stage, or with an end */
    bool ending;
    unsigned handles;
    uint64_t from;                  /* whose limit it counts for */
    char address[INET6_ADDRSTRLEN]; /* of the client */
    char serial[GATE_SERIAL];       /* of its certificate, as is the name */
    char name[256];
};

struct gate_conns {
    struct gate_conn *first, *last; /* the oldest first */
};

/* ---- the gate ------------------------------------------------------------------------------ */

struct gate_said {
    char client[INET6_ADDRSTRLEN]; /* "": rqlited */
    char why[384];
    uint64_t count; /* how often something like it happened since the last one */
};

/* What the thread has to tell. There is one, which travels to the owner's loop and back; what happens
 * meanwhile is put into one sentence. So a flood of strangers is no flood of messages. */
struct gate_note {
    struct loop_msg there, back;
    struct gate *gate;     /* borrowed */
    struct gate_said said; /* belongs to where the note is */
    bool away;             /* the thread's, as the next */
    struct gate_said next;
    struct log_limit limit[2]; /* the owner's, as the next; the second of what is worth a warning */
    uint64_t unlogged;
};

struct gate_door {
    uv_poll_t poll;
    struct gate *gate; /* borrowed */
    int fd;            /* owned */
};

struct gate {
    /* the owner's */
    uv_loop_t *owner; /* borrowed */
    struct loop_box to_owner;
    uv_thread_t thread;
    bool stopping;
    char last_refusal[512];
    void (*done)(void *ctx);
    void *ctx; /* borrowed */
    struct loop_msg stop, ended;

    /* the thread's, while it runs */
    uv_loop_t loop;
    struct loop_box box;
    struct gate_door doors[GATE_DOORS];
    size_t doors_count;
    uv_timer_t rest; /* for doors, while there are no files for newcomers */
    uint16_t local_port;
    struct gate_identity identity; /* our references */
    struct gate_list *revoked;     /* owned; NULL: none */
    struct gate_conns shaking, others;
    size_t conns;
    struct gate_note refused, failed;
    uint8_t wire[GATE_READ], plain[GATE_READ];

    struct gate_counters counters; /* the thread writes */
};

/* gate_uv.c, on the thread. WHO "": rqlited. */
void gate_note(struct gate_note *n, const char *who, const char *why);

/* gate_door_uv.c. The first before there is a thread; then on it. The fds are taken in any case. */
enum err gate_doors_open(struct gate *g, const int *fds, size_t count,
                         struct err_info *info) MUST_USE;
void gate_doors_close(struct gate *g);
void gate_conns_add(struct gate_conns *l, struct gate_conn *c);
void gate_conns_remove(struct gate_conns *l, struct gate_conn *c);

/* gate_conn_uv.c, on the thread. FD is taken in any case. False: no memory, or no handle. */
bool gate_conn_open(struct gate *g, int fd, const char *address, uint64_t from);
/* After something has happened to one of its legs. C may be closed afterwards. */
void gate_conn_advance(struct gate_conn *c);
void gate_conn_refuse(struct gate_conn *c, const char *why);
/* HARD: what has not left yet never will (the other side sees a reset). */
void gate_conn_close(struct gate_conn *c, bool hard);
/* Those whose certificate is in the list by now. */
void gate_conns_cut_revoked(struct gate *g);

/* gate_leg_uv.c, on the thread. TLS and FD are taken in any case. False: no handle. */
bool gate_leg_open(struct gate_leg *l, struct gate_conn *c, int fd, struct tls_conn *tls);
void gate_leg_close(struct gate_leg *l, bool hard); /* a handle more to wait for; none: nothing */
void gate_leg_flush(struct gate_leg *l);
void gate_leg_watch(struct gate_leg *l, bool read);
void gate_leg_on_closed(uv_handle_t *h);
bool gate_leg_takes(const struct gate_leg *l);
/* As much of what FROM has said as TO takes. */
void gate_leg_pump(struct gate_leg *from, struct gate_leg *to);

#endif
