/* What a daemon's status says of the database and of the other cores: read from its JSON, shown as
 * text. Members that are missing or of another type count as not told.
 */
#ifndef TOOLS_PEERS_H
#define TOOLS_PEERS_H

#include <jansson.h>

#include "db.h"
#include "lib/str.h"
#include "verdict.h"

struct peers {
    struct verdict_input told;  /* texts are borrowed from the JSON */
    struct verdict_peer *items; /* owned; told.peers */
};

/* False: a daemon that does not tell of its peers; nothing to free then. KNOWN (NULL: not known):
 * the stored cores; one that is silent and not among them is gone, and left out. DAEMON must outlive
 * *out. */
bool peers_read(const json_t *daemon, const struct db_cores *known, struct peers *out);
void peers_free(struct peers *p);

/* "rqlite: ready, follower of core-a, 3 voters, 1 non-voter"; nothing for another engine. */
void peers_engine_line(const json_t *daemon, struct str *out);
/* One line a core; nothing if none is told. */
void peers_table(const struct peers *p, struct str *out);

#endif
