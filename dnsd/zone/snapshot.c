#include "snapshot.h"

#include <string.h>

#include "user.h"

static const struct zone_node nothing = {.source = ZONE_ENT};

const struct zone_snapshot *zone_snapshot_ref(const struct zone_snapshot *s)
{
    atomic_fetch_add(&((struct zone_snapshot *)s)->refs, 1);
    return s;
}

void zone_snapshot_unref(const struct zone_snapshot *s)
{
    atomic_fetch_sub(&((struct zone_snapshot *)s)->refs, 1);
}

bool zone_snapshot_covers(const struct zone_snapshot *s, const uint8_t *name, unsigned name_len,
                          const uint8_t *label_at, unsigned labels, unsigned *relative)
{
    if (labels < s->apex.labels) {
        return false;
    }
    unsigned left = labels - s->apex.labels;
    unsigned at = label_at[left];
    *relative = left;
    return name_len - at == s->apex.len && memcmp(name + at, s->apex.bytes, s->apex.len) == 0;
}

static const struct zone_node *node_of(const struct zone_snapshot *s, const struct table_slot *slot)
{
    if (slot->kind == TABLE_NODE && (slot->u.node->sets_count > 0 || slot->core == TABLE_NO_CORE)) {
        return slot->u.node;
    }
    /* A user, or one whose name merely has other names below it. */
    return slot->core < s->cores_count ? s->cores[slot->core] : &nothing;
}

static const struct zone_node *find_wildcard(const struct zone_snapshot *s, const uint8_t *encloser,
                                             unsigned len)
{
    uint8_t key[TABLE_KEY_MAX];
    if (len + 2 > sizeof key) {
        return NULL;
    }
    key[0] = 1;
    key[1] = '*';
    memcpy(key + 2, encloser, len);
    const struct table_slot *slot = table_find(&s->table, key, len + 2);
    return slot != NULL ? node_of(s, slot) : NULL;
}

/* The closest encloser (RFC 4592 §3.3.1): the longest of NAME's endings that exists, NAME included.
 * Every name above one that exists does exist, too, so halving finds it: a question of 127 labels
 * costs 7 looks. Its label goes to *at; NULL and RELATIVE: only the apex is left. */
static const struct table_slot *find_encloser(const struct zone_snapshot *s, const uint8_t *name,
                                              const uint8_t *label_at, unsigned relative,
                                              unsigned *at)
{
    const struct table_slot *found = NULL;
    unsigned low = relative > s->max_labels ? relative - s->max_labels : 0;
    unsigned high = relative;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        const struct table_slot *slot =
            table_find(&s->table, name + label_at[middle], label_at[relative] - label_at[middle]);
        if (slot != NULL) {
            found = slot;
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    *at = high;
    return found;
}

/* The highest delegation from the apex down to the name at label LAST, which exists; its label, or
 * -1. Ends where there is none further down. */
static int find_cut(const struct zone_snapshot *s, const uint8_t *name, const uint8_t *label_at,
                    unsigned last, unsigned relative, const struct zone_node **cut)
{
    for (unsigned i = relative; i-- > last;) {
        const struct table_slot *slot =
            table_find(&s->table, name + label_at[i], label_at[relative] - label_at[i]);
        if (slot == NULL || slot->kind != TABLE_NODE) {
            break;
        }
        if (slot->u.node->is_cut) {
            *cut = slot->u.node;
            return (int)i;
        }
        if (slot->u.node->cuts_below == 0) {
            break;
        }
    }
    return -1;
}

/* The user called LABEL (with its length), where names are hashed; NULL: there is none. */
static const struct zone_node *find_hashed(const struct zone_snapshot *s, const uint8_t *label)
{
    uint8_t token[USER_TOKEN_LEN];
    uint8_t key[USER_SLOT_LEN];
    if (!user_token(s->user_key, label + 1, label[0], token)) {
        return NULL;
    }
    user_slot_key(token, key);
    const struct table_slot *slot = table_find(&s->table, key, sizeof key);
    return slot != NULL ? node_of(s, slot) : NULL;
}

/* The hashed user that answers for a name or keeps the wildcard away from it, as one in a slot of
 * its name would; NULL: there is none, or it makes no difference. LABEL is the name's last before
 * the zone's own, SLOT the closest encloser: a node, for labels lead to nodes only. A user is there
 * where the node has no records; below a user only the wildcard could have spoken, and if something
 * else is there, it is a node that knows of it. */
static const struct zone_node *hashed_user(const struct zone_snapshot *s, const uint8_t *label,
                                           unsigned relative, const struct table_slot *slot)
{
    bool counts = relative == 1 ? slot == NULL || slot->u.node->sets_count == 0
                                : slot == NULL && s->apex_wildcard;
    return counts ? find_hashed(s, label) : NULL;
}

struct zone_match zone_snapshot_find(const struct zone_snapshot *s, const uint8_t *name,
                                     const uint8_t *label_at, unsigned relative, bool glue)
{
    struct zone_match m = {.kind = ZONE_HIT, .node = s->apex_node};
    unsigned end = label_at[relative]; /* keys leave out the zone's own labels */
    unsigned at;
    if (relative == 0) {
        return m;
    }
    const struct table_slot *slot = find_encloser(s, name, label_at, relative, &at);
    if (s->has_cuts && !glue && slot != NULL) {
        int cut = find_cut(s, name, label_at, at, relative, &m.node);
        if (cut >= 0) {
            m.kind = ZONE_DELEGATED;
            m.cut = (uint8_t)cut;
            return m;
        }
    }
    const struct zone_node *user =
        s->user_key != NULL ? hashed_user(s, name + label_at[relative - 1], relative, slot) : NULL;
    if (user != NULL) {
        m.kind = relative == 1 ? ZONE_HIT : ZONE_MISS;
        m.node = relative == 1 ? user : NULL;
        return m;
    }
    if (slot != NULL && at == 0) {
        m.node = node_of(s, slot);
        return m;
    }
    /* RFC 4592 §3.3.1: the closest encloser decides, and only a `*` directly below it may speak. */
    bool may_stand_in =
        slot == NULL ? s->apex_wildcard : slot->kind == TABLE_NODE && slot->u.node->has_wildcard;
    m.node = may_stand_in ? find_wildcard(s, name + label_at[at], end - label_at[at]) : NULL;
    m.kind = m.node != NULL ? ZONE_WILD : ZONE_MISS;
    return m;
}
