/* Asking a name server one question, as a validator of a CA would: random id and source port, random
 * letter case (0x20), UDP with retries and TCP, with EDNS or without.
 *
 * Only what comes from the address asked, with our id and our question, is taken for an answer; other
 * datagrams are dropped and the wait goes on. TC on UDP is reported, not followed: the caller wants to
 * know. Bounded: PROBE_AT_ONCE questions at a time, others wait their turn; PROBE_TRIES datagrams, then
 * ERR_TIMEOUT.
 *
 * Threads: the loop's. Callbacks later, once. The answer is borrowed until the callback returns.
 */
#ifndef DNSD_PROBE_ASK_UV_H
#define DNSD_PROBE_ASK_UV_H

#include <netinet/in.h>
#include <uv.h>

#include "dnsd/wire/message.h"

#define PROBE_AT_ONCE  64
#define PROBE_TRIES    3
#define PROBE_TRY_MS   1000 /* per datagram */
#define PROBE_TCP_MS   3000 /* for connecting and the answer */
#define PROBE_UDP_SIZE 1232

struct probe;

struct probe_question {
    struct sockaddr_storage server; /* address and port */
    struct wire_name name;
    uint16_t type;
    bool tcp, edns, recursive /* RD */, plain_case;
};
struct probe_answer {
    const struct wire_message *message;
    int64_t took_ms;
    uint16_t size; /* of the packet */
};
/* ERR_TIMEOUT; ERR_UNAVAIL (refused, unreachable, cut); ERR_NOTFOUND (no way there from this machine: no
 * route, no such address family: says nothing about the server); ERR_MALFORMED (something came that is no
 * DNS, and no answer after it); ERR_CANCELED; ERR_NOMEM. INFO names server and transport. */
typedef void probe_cb(void *ctx, enum err e, const struct err_info *info,
                      const struct probe_answer *answer);

void probe_open(uv_loop_t *loop, struct probe **out);
struct probe_call;
/* Never NULL; good until the callback is called. A question is a few KB; aborts without memory. */
struct probe_call *probe_ask(struct probe *p, const struct probe_question *q, probe_cb *cb,
                             void *ctx);
void probe_cancel(struct probe_call *call);
/* What is under way ends with ERR_CANCELED. DONE may be NULL. */
void probe_close(struct probe *p, void (*done)(void *ctx), void *ctx);

#endif
