/* Which cores are heard, and so alive. Pure: the clock and the heartbeats come as data.
 *
 * A core is alive as long as its heartbeat keeps changing, by our clock: machines' clocks are not
 * compared. What has no heartbeat at all is alive as far as we know (a platform's core on which
 * dnsd does not run yet), and so is not here. While this core cannot hear anybody it judges nobody:
 * everyone stays what they were, and who is alive has the whole time again afterwards.
 *
 * Memory: aborts when there is none; the number of cores is bounded.
 */
#ifndef DNSD_APP_PEERS_H
#define DNSD_APP_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsd/zone/zone.h"

#define PEERS_SILENT_MS 20000 /* four heartbeats */
#define PEERS_MAX       ZONE_CORES_MAX

struct peer {
    char *id; /* owned */
    uint64_t beat, revision;
    int64_t heard_ms; /* monotonic: when the heartbeat last changed, or could not be heard */
    char digest[ZONE_DIGEST_TEXT];
    char version[32];
    unsigned rank;       /* enum lease_rank: whether it is to order certificates before others */
    uint64_t generation; /* of the certificate it serves; 0: none of the store's */
    char serial[41];     /* ... and its serial; "" */
    uint16_t join_port;  /* where it admits cores; 0: the CA is not there */
    bool live;
    bool listed; /* in the list that is being read */
};

/* Zeroed: nobody. */
struct peers {
    struct peer *items; /* owned; in the order they were first heard */
    size_t count;
};

/* A list of heartbeats: begin, hear each, end. Those that are not in it any more are forgotten. */
void peers_begin(struct peers *p);
void peers_hear(struct peers *p, const char *id, uint64_t beat, uint64_t revision,
                const char *digest, const char *version, int64_t now_ms);
/* What it said of certificates in the same heartbeat. */
void peers_hear_cert(struct peers *p, const char *id, unsigned rank, uint64_t generation,
                     const char *serial);
/* ... and of joining. */
void peers_hear_join(struct peers *p, const char *id, uint16_t port);
void peers_end(struct peers *p);

/* Nobody could be heard until now. Who was silent before stays so until heard. */
void peers_hold(struct peers *p, int64_t now_ms);

/* Says who is alive; SELF always is. CHANGED is called for those that were not so before. */
void peers_judge(struct peers *p, const char *self, int64_t now_ms,
                 void (*changed)(const struct peer *peer, int64_t silent_ms));
/* NULL: not heard yet, or not any more. */
const struct peer *peers_find(const struct peers *p, const char *id);

void peers_free(struct peers *p);

#endif
