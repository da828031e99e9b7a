/* The newcomer's call to the issuer as a machine: an event in, the next action out. Pure: no socket, no
 * clock, no chance of its own; both come with the events. The driver is ack_uv.h.
 *
 *            GO                REPLY, FAILED: may be tried again
 *   (start) ────> calling ──────────────────────────────────────> waiting
 *                    ^                                               │
 *                    └──────────────────── WOKEN ────────────────────┘
 *   calling: a reply that settles it, or the time is over; anywhere: CANCEL ──> over (ACK_DONE)
 *
 * What is tried again: nobody there, no answer in time, a cut connection, 5xx and 429 (not before
 * Retry-After, RFC 9110 §10.2.3), with pauses that double from ACK_PAUSE_MS to ACK_PAUSE_MAX_MS and a tenth
 * of chance. What is not: any other status, redirects among them, and a server that is not the one wanted.
 *
 * Memory: INFO and the reply belong to the machine; ack_fini(). Any thread, own objects.
 */
#ifndef CLUSTER_ACK_H
#define CLUSTER_ACK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define ACK_DEADLINE_MS  (5 * 60 * 1000)
#define ACK_TRY_MS       15000
#define ACK_PAUSE_MS     1000
#define ACK_PAUSE_MAX_MS 30000
#define ACK_RETRY_MAX_MS 60000 /* what Retry-After is cut to */
#define ACK_REPLY_MAX    (256 * 1024)
#define ACK_MEMBERS_MAX  1024 /* rows of 100 octets and more: what fits into a reply */
#define ACK_LSC_MAX      1024
#define ACK_BODY_MAX     1024 /* an id, a token and a fingerprint */

struct ack_member {
    const char *id, *url, *hosting; /* NULL */
    bool available;
};
/* What the issuer said of the cluster; borrowed until the callback returns. */
struct ack_told {
    const struct ack_member *members;
    size_t members_count;
    const char *const *lsc_ips;
    size_t lsc_ips_count;
};

enum ack_event { ACK_GO, ACK_REPLY, ACK_FAILED, ACK_WOKEN, ACK_CANCEL };
struct ack_ev {
    enum ack_event kind;
    int64_t now_ms;   /* monotonic */
    unsigned chance;  /* REPLY, FAILED: 0 to 999 */
    unsigned status;  /* REPLY */
    const char *body; /* REPLY: LEN octets; borrowed for the call */
    size_t len;
    const char *retry_after; /* REPLY: the header; NULL: none */
    enum err error;          /* FAILED: as httpc says it, with WHAT */
    const char *what;
};

enum ack_action { ACK_POST, ACK_WAIT, ACK_DONE };
struct ack_act {
    enum ack_action kind;
    unsigned ms;     /* POST: how long the try may take; WAIT: the pause */
    enum err result; /* DONE; why is in the machine's info */
};

struct ack_machine {
    const char *url, *core; /* borrowed */
    int64_t end_ms;
    unsigned deadline_ms, pause_ms;
    unsigned tries;             /* that have failed */
    struct err_info info;       /* of the last try */
    struct ack_told told;       /* DONE with ERR_OK */
    json_t *tree;               /* owned: what TOLD's texts are in */
    struct ack_member *members; /* owned */
    const char **lsc_ips;       /* owned */
};

/* DEADLINE_MS 0: ACK_DEADLINE_MS. URL and CORE are borrowed until ack_fini(). */
void ack_init(struct ack_machine *m, const char *url, const char *core, unsigned deadline_ms);
void ack_fini(struct ack_machine *m);
struct ack_act ack_next(struct ack_machine *m, const struct ack_ev *ev);

/* ERR_MALFORMED: nothing is sent there, because it is not https. */
enum err ack_check_url(const char *url, struct err_info *info) MUST_USE;
/* {"coreId", "token", "tlsFingerprint"}; *len octets. The caller wipes OUT. ERR_MALFORMED: one of them is
 * missing or has what none of them has: anything but letters, digits and . _ : - */
enum err ack_body(const char *core, const char *token, const char *fingerprint,
                  char out[ACK_BODY_MAX], size_t *len, struct err_info *info) MUST_USE;

#endif
