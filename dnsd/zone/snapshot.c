#include "snapshot.h"

#include <string.h>

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

/* The highest delegation on the way to NAME; its label, or -1. */
static int find_cut(const struct zone_snapshot *s, const uint8_t *name, const uint8_t *label_at,
                    unsigned first, unsigned relative, const struct zone_node **cut)
{
    unsigned end = label_at[relative];
    for (unsigned i = relative; i-- > first;) {
        const struct table_slot *slot = table_find(&s->table, name + label_at[i], end - label_at[i]);
        if (slot != NULL && slot->kind == TABLE_NODE && slot->u.node->is_cut) {
            *cut = slot->u.node;
            return (int)i;
        }
    }
    return -1;
}

struct zone_match zone_snapshot_find(const struct zone_snapshot *s, const uint8_t *name,
                                     const uint8_t *label_at, unsigned relative, bool glue)
{
    struct zone_match m = {.kind = ZONE_HIT, .node = s->apex_node};
    unsigned end = label_at[relative]; /* keys leave out the zone's own labels */
    unsigned first = relative > s->max_labels ? relative - s->max_labels : 0;
    const struct table_slot *slot = NULL;
    unsigned at;
    if (relative == 0) {
        return m;
    }
    if (s->has_cuts && !glue) {
        int cut = find_cut(s, name, label_at, first, relative, &m.node);
        if (cut >= 0) {
            m.kind = ZONE_DELEGATED;
            m.cut = (uint8_t)cut;
            return m;
        }
    }
    for (at = first; at < relative; at++) {
        slot = table_find(&s->table, name + label_at[at], end - label_at[at]);
        if (slot != NULL) {
            break;
        }
    }
    if (slot != NULL && at == 0) {
        m.node = node_of(s, slot);
        return m;
    }
    /* RFC 4592 §3.3.1: the closest encloser decides, and only a `*` directly below it may speak. */
    bool may_stand_in = slot == NULL ? s->apex_wildcard
                                     : slot->kind == TABLE_NODE && slot->u.node->has_wildcard;
    m.node = may_stand_in ? find_wildcard(s, name + label_at[at], end - label_at[at]) : NULL;
    m.kind = m.node != NULL ? ZONE_WILD : ZONE_MISS;
    return m;
}
