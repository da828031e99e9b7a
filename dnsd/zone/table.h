/* The zone's index: names to what they mean. A persistent hash table: one writer makes version
 * after version, readers keep using the version they hold, and versions share all that did not
 * change.
 *
 *   root -> folders of 256 pages -> pages of about 48 slots -> slots of 32 bytes
 *
 * Linear hashing grows it one page at a time (the page whose turn it is splits in two), so no
 * insertion ever pays for the whole table. A page is a small open-addressing table of its own. The
 * writer changes a page in place if it made the page in the version under construction; otherwise
 * it copies the page, the folder and the root first and hands the old ones to the retire list,
 * which is freed once no reader holds an older version. One change therefore costs one page (1.5 to
 * 3 KB), one folder and the root, whatever the size of the zone; a lookup touches one slot's cache
 * line.
 *
 * Key: a name relative to the zone in wire form, folded, without the zone's own labels and without
 * the root ("\5alice", "\1*\4wild"); hashed users have keys that are no names (user.h). Most keys
 * are users: up to 24 octets lie in the slot itself.
 *
 * Threads: table_find() on a published version from any thread; everything else is the writer's.
 */
#ifndef DNSD_ZONE_TABLE_H
#define DNSD_ZONE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"

#define TABLE_KEY_MAX    254
#define TABLE_INLINE_MAX 24
#define TABLE_NO_CORE    UINT16_MAX

struct zone_node;

enum table_kind {
    TABLE_EMPTY,
    TABLE_USER,     /* a user whose key lies in the slot */
    TABLE_USER_FAR, /* a user whose key is too long for that */
    TABLE_NODE      /* a node, and the user it hides if `core` says so */
};

struct table_slot {
    uint32_t tag; /* upper half of the key's hash */
    uint8_t kind;
    uint8_t len;   /* of the key */
    uint16_t core; /* user: index of the core; TABLE_NO_CORE: no user of that name */
    union {
        uint8_t key[TABLE_INLINE_MAX];
        const uint8_t *far_key; /* owned by the table */
        struct zone_node *node; /* owned by the zone; holds the key */
    } u;
};

struct table_root;

/* One version. Plain data: copying it is taking the version, the retire list keeps it alive. */
struct table {
    struct table_root *root;
    uint32_t pages;
    uint32_t mask; /* of the larger of the two moduli of linear hashing */
    uint64_t used; /* slots */
    struct hash_key hash;
};

/* Things of older versions, to be freed when no reader can see them any more. */
struct table_retired {
    void **items; /* owned */
    size_t count, cap;
};
void table_retire(struct table_retired *r, void *item);
void table_retired_free(struct table_retired *r);

/* The slot of KEY, or NULL. Borrowed from the version. */
const struct table_slot *table_find(const struct table *t, const uint8_t *key, size_t len);

void table_init(struct table *t, const struct hash_key *hash);

/* Takes a version apart; nodes are left alone. Nobody may hold it or a version made from it. */
void table_free(struct table *t);

struct table_writer {
    struct table now;
    uint64_t version; /* what is made in it may be changed in place; grows with every publication */
    struct table_retired *retired; /* borrowed: where the replaced parts go */
};

/* The slot of KEY for changing, made if need be (kind TABLE_EMPTY then, and the caller must fill
 * it with table_slot_user() or _node() at once). Valid until the next call. */
struct table_slot *table_edit(struct table_writer *w, const uint8_t *key, size_t len);
void table_slot_user(struct table_writer *w, struct table_slot *s, const uint8_t *key, size_t len,
                     uint16_t core);
/* Keeps the user that was in the slot, if any. */
void table_slot_node(struct table_writer *w, struct table_slot *s, struct zone_node *node,
                     size_t key_len);
void table_remove(struct table_writer *w, const uint8_t *key, size_t len);

/* Calls EACH for every slot in no particular order; false ends the walk. */
typedef bool table_each_cb(void *ctx, const struct table_slot *slot);
void table_each(const struct table *t, table_each_cb *each, void *ctx);

const uint8_t *table_slot_key(const struct table_slot *s);

/* Bytes of pages, folders and far keys. */
size_t table_bytes(const struct table *t);

#endif
