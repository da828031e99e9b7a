/* The writer's inside, shared by zone.c, layers.c, generate.c, overlay.c and savefile.c. */
#ifndef DNSD_ZONE_ZONE_PRIV_H
#define DNSD_ZONE_ZONE_PRIV_H

#include "lib/buf.h"
#include "lib/digest.h"
#include "rowsum.h"
#include "zone.h"

#define CORE_SLOTS (2 * ZONE_CORES_MAX)

/* Proofs of one name. */
struct overlay_name {
    struct wire_name owner;
    struct overlay_value {
        char *text; /* owned */
        int64_t expires_ms;
    } * values; /* owned */
    size_t count;
};
struct overlay {
    struct overlay_name *names; /* owned; few, in no order */
    size_t count;
    size_t values; /* over all names */
    bool sealed;   /* the zone's sealed form is of what is here */
};

/* A name that generate.c made; sorted by nothing, compared with the next generation. */
struct generated_name {
    uint8_t len;
    uint8_t key[WIRE_NAME_MAX];
};

struct zone {
    struct wire_name apex;
    uint32_t default_ttl_s;
    bool wildcard_cores;
    char **service_names; /* owned */
    size_t service_names_count;
    struct zone_nameserver *nameservers; /* owned, and their strings */
    size_t nameservers_count;
    struct record_set root; /* owned */
    struct zone_soa soa;
    struct wire_name contact;
    char *caa[ZONE_CAA_MAX]; /* owned */
    size_t caa_count;
    bool users_hashed;
    struct digest_hmac user_key; /* secret; if users_hashed */

    struct table_writer w;
    struct table_retired retired;          /* what this version replaced */
    struct zone_snapshot *oldest, *newest; /* owned: a list from the oldest still held */
    uint64_t revision;

    struct zone_core_info **infos;  /* owned */
    const struct zone_node **cores; /* owned array; nodes owned */
    uint32_t cores_count, cores_cap;
    uint16_t core_slot[CORE_SLOTS]; /* id -> index + 1, open addressing */
    bool cores_dirty;

    const struct zone_node *apex_node; /* owned */
    struct zone_node *apex_stored;     /* owned */
    struct record_set apex_records;    /* owned: the same, as records */
    bool apex_dirty;
    bool apex_wildcard;
    bool provisional, dated;

    struct generated_name *generated; /* owned */
    size_t generated_count;

    struct overlay overlay;
    struct zone_sealed *sealed; /* owned */
    uint64_t users, names;
    struct rowsum rows; /* of all of them */
    uint32_t cuts;
    uint64_t depth[WIRE_LABELS_MAX + 1]; /* nodes by number of labels */
};

/* Hands a node over to the readers of older versions; WITH_SETS: its RRsets too. */
void zone_drop_node(struct zone *z, const struct zone_node *n, bool with_sets);
void zone_drop(struct zone *z, void *item);

/* layers.c: one layer of one name. Sets are owned by the zone afterwards. COUNT 0 removes it. */
void layer_put(struct zone *z, const uint8_t *key, size_t len, enum zone_source source,
               struct zone_rrset *const *sets, size_t count);
/* The same from records. */
void layer_put_records(struct zone *z, const uint8_t *key, size_t len, enum zone_source source,
                       const struct record_set *records, bool rotate);
/* NULL: the name has none. */
const struct zone_node *layer_find(const struct zone *z, const uint8_t *key, size_t len,
                                   enum zone_source source);
/* Makes a name exist for ever, without records, so that no wildcard answers for it. */
void layer_reserve(struct zone *z, const uint8_t *key, size_t len);
/* Lays the name's proofs over it anew. */
void layer_refresh(struct zone *z, const uint8_t *key, size_t len);
/* Renders the RECORDS of a name; *sets is the caller's (an array of malloc'ed sets). */
void layer_render(const struct zone *z, const uint8_t *key, size_t len,
                  const struct record_set *records, bool rotate, struct zone_rrset ***sets,
                  size_t *count);
void node_free(struct zone_node *n);

/* generate.c: everything that follows from the cores. */
void generate(struct zone *z);
void generate_core(struct zone *z, uint32_t index);
struct zone_rrset *generate_soa(struct zone *z, uint32_t serial, uint32_t *negative_ttl_s);

/* overlay.c */
const struct overlay_name *overlay_find(const struct overlay *o, const struct wire_name *owner);
void overlay_free(struct overlay *o);
/* The proofs as the snapshot file has them; caller frees. And one name's back. */
struct zone_sealed *overlay_seal(const struct overlay *o);
enum err overlay_unseal(struct zone *z, struct buf_reader *r) MUST_USE;
/* The TXT set of UNDER's values and the proofs; caller frees. */
struct zone_rrset *overlay_txt(const struct zone *z, const struct overlay_name *name,
                               const struct zone_rrset *under);

/* A key as an absolute name. */
void zone_key_name(const struct zone *z, const uint8_t *key, size_t len, struct wire_name *out);
/* "\5label" of a text label, folded. False: not one label of 1..63 letters, digits, - or _. */
bool zone_label_key(const char *text, uint8_t key[WIRE_LABEL_MAX + 1], size_t *len);
/* The user of KEY is on the core of that index. */
void zone_user_set(struct zone *z, const uint8_t *key, size_t len, uint16_t core);
/* The index of a core id, making an entry that is not present if need be; -1: too many. */
int zone_core_index(struct zone *z, const char *id);

#endif
