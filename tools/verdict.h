/* One sentence about the whole: does every core answer the same, and can anything be written.
 *
 * Pure: what the daemon told goes in, a sentence and what it is worth come out. Digests are compared
 * only between cores that report the same revision; silent cores are not compared at all.
 */
#ifndef TOOLS_VERDICT_H
#define TOOLS_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VERDICT_DIGEST 8 /* as much of a digest as people compare by eye */

struct verdict_peer {
    const char *id, *digest, *version; /* never NULL */
    bool live, self;
    uint64_t revision;
    int64_t age_ms; /* since its heartbeat last changed; -1: never heard */
};

/* What a daemon says of itself; texts are never NULL, "" is not told. */
struct verdict_input {
    const struct verdict_peer
        *peers; /* this core among them, once it has told the others of itself */
    size_t count;
    const char *id;          /* this core's */
    uint64_t revision;       /* likewise */
    uint64_t wanted;         /* what every core should have by now; 0: the highest that is told */
    bool stale;              /* cut off */
    int64_t age_ms;          /* since the zone was last known to be up to date; -1: never */
    const char *source;      /* store, snapshot file, configuration */
    const char *store_error; /* "": it works */
    bool rqlite;             /* the engine */
    /* of an rqlited of ours */
    const char *state, *leader;
    size_t voters, nonvoters, unreachable;
};

enum verdict_kind {
    VERDICT_FINE,
    VERDICT_BEHIND,    /* somebody has not got everything: often over in a moment, ask again */
    VERDICT_ATTENTION, /* a core is silent, or differs: somebody must look */
    VERDICT_READ_ONLY  /* answers go on, nothing can be written */
};
struct verdict {
    enum verdict_kind kind;
    char text[1024];
};
/* The highest revision that this core, or one that is heard, has told of. */
uint64_t verdict_highest(const struct verdict_input *in);
void verdict_make(const struct verdict_input *in, struct verdict *out);
/* fine, behind, attention, read-only */
const char *verdict_kind_text(enum verdict_kind kind);

/* "40 s", "12 min", "3 h", "2 d" */
#define VERDICT_AGE_TEXT 32
void verdict_age(int64_t ms, char out[VERDICT_AGE_TEXT]);

#endif
