/* What the files of the driver share: its lanes and jobs. backend_rqlite.c has the picture. */
#ifndef STORE_RQLITE_DRIVER_PRIV_H
#define STORE_RQLITE_DRIVER_PRIV_H

#include "backend_rqlite.h"

#include "lib/httpc_curl.h"
#include "reply.h"
#include "request.h"
#include "retry.h"

#define RQLITE_URL_MAX 300 /* a name may have 255 */

struct job;

struct lane {
    struct driver *driver; /* borrowed */
    struct job *first;     /* owned: the one that is carried out, and those that wait */
    struct job **last;
    bool running;
    uv_timer_t timer; /* the first one's */
};

struct driver {
    struct backend base;
    uv_loop_t *loop;       /* borrowed */
    struct loop_box *box;  /* borrowed: the store's */
    char *url;             /* owned: without the slash at its end */
    char *user, *password; /* owned; NULL: none */
    unsigned busy_ms;
    bool must_exist;

    struct httpc *http; /* owned */
    struct lane main;
    struct lane side;
    bool linearizable;                 /* the node is known to know this level */
    char token[REQUEST_TOKEN_LEN + 1]; /* of our last write, until it has been seen here */
    int64_t mark;   /* how far this node had come, at its furthest (request_add_mark()) */
    bool confirmed; /* that was at least where the leader was when we asked it */
    bool hasty;     /* once was enough to wait for a leader before the first read */

    /* Opening and closing. */
    struct backend_query look;
    struct backend_statement tables[REQUEST_TABLES];
    struct backend_batch make;
    struct loop_msg msg;
    enum err open_e;
    struct err_info open_info;
    backend_open_cb *on_open; /* NULL once it was called */
    void *on_open_ctx;        /* borrowed */
    void (*on_closed)(void *ctx);
    void *on_closed_ctx; /* borrowed */
    unsigned handles;    /* not closed yet */
};

struct job_ops {
    /* Fills in request, target, entries and wait_ms, or says that the job is through. On the pool
     * if the job is large. */
    enum err (*prepare)(struct job *j);
    /* What an answer means beyond its kind. On the pool if the answer is large. */
    void (*look)(struct job *j);
    /* On the loop: goes on with job_step(), job_send_in(), job_step_in() or an end. */
    void (*settle)(struct job *j);
};

struct job {
    const struct job_ops *ops;
    struct job *next;
    struct loop_msg msg;
    struct loop_work work;
    struct driver *driver;             /* borrowed */
    struct lane *lane;                 /* borrowed */
    const struct backend_batch *batch; /* borrowed until done(): one of the three */
    const struct backend_query *query;
    const struct backend_scan *scan;
    backend_done_cb *done;
    void *ctx;      /* borrowed */
    bool impatient; /* does not wait for a leader */
    bool bare;      /* without token or mark: the tables for them are being made */

    /* What is sent. */
    bool large;             /* prepare() is for the pool */
    bool through;           /* there is nothing (more) to send */
    struct request request; /* owned */
    enum err prepared;
    char target[100];
    unsigned wait_ms;
    size_t entries;
    char token[REQUEST_TOKEN_LEN + 1]; /* batch: its own; else: what must be here. "": none */
    struct retry retry;
    void (*resume)(struct job *j); /* after a wait */

    /* What came. */
    bool sent;  /* something of the request left */
    bool cut;   /* no reply, and not for want of patience */
    char *body; /* owned: a copy for the pool */
    size_t body_len;
    unsigned status;
    char location[120];
    struct reply reply;     /* owned */
    struct reply_rows rows; /* owned */

    /* How it ends. */
    struct err_info info;
    struct backend_reply result;

    /* A batch. */
    struct request_piece piece; /* the one under way */
    uint64_t *changes;          /* owned */

    /* A query or a scan. */
    int64_t seen_end_ms; /* until when the node may take to bring what it must have */
    int64_t floor;       /* what it had when this was sent */
    int64_t mark;        /* what it had when it answered */
    bool doubted;        /* nobody has told yet where it should be */
    bool confirming;     /* the leader is asked how far it is */
    bool confirmed;      /* it has been */
    bool unseen;         /* the answer is older than our last write */
    bool repeated;
    size_t at;                    /* scan: the query it is at */
    size_t page_rows;             /* scan: asked for at a time */
    struct pool keys_pool;        /* owned: what page_values hold of the last row */
    struct backend_value *values; /* in keys_pool: the page's parameters. NULL: the first page */
    bool full;                    /* there may be another page */
    bool enough;                  /* on_row wants no more */
};

extern const struct job_ops job_batch_ops;
extern const struct job_ops job_read_ops; /* queries and scans */

/* Never NULL. Its place in the main lane's order is that of job_start(). */
struct job *job_new(struct driver *d, const struct job_ops *ops, backend_done_cb *done, void *ctx);
void job_start(struct job *j);

/* For settle(): prepare and send; in WAIT_MS; send again what was sent, in WAIT_MS. */
void job_step(struct job *j);
void job_step_in(struct job *j, int64_t wait_ms);
void job_send_in(struct job *j, int64_t wait_ms);
/* The end; J is gone. INFO: "rqlite at URL: WORDS" and more words. */
void job_done(struct job *j);
void job_fail(struct job *j, enum err e, const char *words, const char *more);

int64_t job_now_ms(void);

/* Scans (page.c). The query that a job is at; its page, NULL if it is small. */
const struct backend_query *page_query(const struct job *j);
const struct backend_page *page_of(const struct job *j);
/* Puts PAGE's query into the request. */
enum err page_add(struct job *j, const struct backend_page *page) MUST_USE;
/* Hands the rows to the scan's reader, and notes where the next page begins. On the pool. */
enum err page_give(struct job *j, struct err_info *why) MUST_USE;
/* Asks for fewer rows at a time; false: it is at one already. */
bool page_shrink(struct job *j);
/* To the next page, or query; false: that was the last. */
bool page_next(struct job *j);

#endif
