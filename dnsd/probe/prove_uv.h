/* Does everybody whom a validator may ask give exactly this set of TXT values? Asks each server for each
 * name over UDP and TCP, with and without EDNS, in random case; compares whole sets (a value too many is
 * as wrong as one too few: it may push the answer over the limit), AA, TC, letter case. Asks again what
 * was not right until all is, or the deadline.
 *
 * Threads: the loop's; the callback later, once; the report borrowed until it returns.
 */
#ifndef DNSD_PROBE_PROVE_UV_H
#define DNSD_PROBE_PROVE_UV_H

#include "ask_uv.h"

#define PROVE_SERVERS_MAX 128
#define PROVE_NAMES_MAX   8
#define PROVE_VALUES_MAX  32  /* of one name */
#define PROVE_AGAIN_MS    100 /* between two rounds; grows to a second */

struct prove_server {
    const char *label; /* "core core-b", "ns dns1.mc.example.com" */
    struct sockaddr_storage address;
    bool
        may_be_silent; /* what it answers must be right, but that it does not answer is no failure */
};
struct prove_name {
    struct wire_name name;
    const char *const *values; /* each once */
    size_t count;
};
/* ERR_OK; ERR_TIMEOUT (INFO: the first server that is not right, over what, what it gave; and how many
 * more); ERR_CANCELED. REPORT: JSON object {"servers":[{label,address,transport,ok,checked,answer,ms}],
 * "rounds","ms"}, an entry for each server and transport ("udp", "tcp"). An IPv6 address is not checked, and
 * no failure, if there is no way to it from this machine. */
typedef void prove_cb(void *ctx, enum err e, const struct err_info *info, const char *report);

struct prove;
/* Everything is copied. Never NULL; good until the callback. */
struct prove *prove_start(struct probe *p, uv_loop_t *loop, const struct prove_server *servers,
                          size_t servers_count, const struct prove_name *names, size_t names_count,
                          int64_t deadline_ms /* monotonic */, prove_cb *cb, void *ctx);
void prove_cancel(struct prove *v);

#endif
