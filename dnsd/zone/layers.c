/* One name, several layers.
 *
 * A name's node is the head of a list of layers, the winner first. Readers look at the winner only,
 * but may walk the list; so a layer is never changed: putting one in or taking one out makes new
 * nodes for it and for those above it, and the new winner goes into the table's slot. The layers
 * below are shared as they are.
 *
 * Names above a node exist too (RFC 4592 §2.2.2: empty non-terminals). Each node counts its
 * children; a name that has no layer but children gets an empty node, and loses it with its last
 * child. Users are leaves directly below the apex and take no part in the counting.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "zone_priv.h"

#define LAYERS_MAX (ZONE_ENT + 1)

void zone_drop(struct zone *z, void *item)
{
    table_retire(&z->retired, item);
}

void zone_drop_node(struct zone *z, const struct zone_node *n, bool with_sets)
{
    for (unsigned i = 0; with_sets && i < n->sets_count; i++) {
        zone_drop(z, n->sets[i]);
    }
    zone_drop(z, (void *)n);
}

void node_free(struct zone_node *n)
{
    while (n != NULL) {
        struct zone_node *below = n->below;
        for (unsigned i = 0; i < n->sets_count; i++) {
            free(n->sets[i]);
        }
        free(n);
        n = below;
    }
}

static unsigned labels_of(const uint8_t *key, size_t len)
{
    unsigned labels = 0;
    for (size_t at = 0; at < len; at += (size_t)key[at] + 1) {
        labels++;
    }
    return labels;
}

static bool is_wildcard(const uint8_t *key)
{
    return key[0] == 1 && key[1] == '*';
}

static struct zone_node *find_node(const struct zone *z, const uint8_t *key, size_t len)
{
    const struct table_slot *s = table_find(&z->w.now, key, len);
    return s != NULL && s->kind == TABLE_NODE ? s->u.node : NULL;
}

/* Makes TOP (NULL: none) what the table knows of KEY. */
static void set_top(struct zone *z, const uint8_t *key, size_t len, struct zone_node *top)
{
    if (top != NULL) {
        table_slot_node(&z->w, table_edit(&z->w, key, len), top, len);
        return;
    }
    struct table_slot *s = table_edit(&z->w, key, len);
    if (s->core != TABLE_NO_CORE) {
        table_slot_user(&z->w, s, key, len, s->core);
    } else {
        table_remove(&z->w, key, len);
    }
}

/* A copy of the winner that takes over its sets. */
static struct zone_node *retop(struct zone *z, struct zone_node *old)
{
    struct zone_node *n = zone_node_make((enum zone_source)old->source, old->key, old->key_len,
                                         old->sets, old->sets_count, old->below);
    n->children = old->children;
    n->has_wildcard = old->has_wildcard;
    n->cuts_below = old->cuts_below;
    zone_drop_node(z, old, false);
    return n;
}

/* A name came into being: the name above it has one more child, and may come into being with it. */
static void link_parent(struct zone *z, const uint8_t *key, size_t len)
{
    for (;;) {
        bool wildcard = is_wildcard(key);
        z->depth[labels_of(key, len)]++;
        len -= (size_t)key[0] + 1;
        key += (size_t)key[0] + 1;
        if (len == 0) {
            z->apex_wildcard = z->apex_wildcard || wildcard;
            return;
        }
        struct zone_node *there = find_node(z, key, len);
        struct zone_node *parent = there;
        if (there == NULL) {
            parent = zone_node_make(ZONE_ENT, key, len, NULL, 0, NULL);
        } else if (wildcard && !there->has_wildcard) {
            parent = retop(z, there);
        }
        parent->children++;
        if (parent != there) {
            parent->has_wildcard = wildcard;
            set_top(z, key, len, parent);
        }
        if (there != NULL) {
            return;
        }
    }
}

/* A name is gone: the other way round. KEY must not lie in what is dropped meanwhile. */
static void unlink_parent(struct zone *z, const uint8_t *key, size_t len)
{
    for (;;) {
        bool wildcard = is_wildcard(key);
        z->depth[labels_of(key, len)]--;
        len -= (size_t)key[0] + 1;
        key += (size_t)key[0] + 1;
        if (len == 0) {
            z->apex_wildcard = z->apex_wildcard && !wildcard;
            return;
        }
        struct zone_node *parent = find_node(z, key, len);
        assert(parent != NULL && parent->children > 0);
        if (parent->children == 1 && parent->source == ZONE_ENT) {
            zone_drop_node(z, parent, true);
            set_top(z, key, len, NULL);
            continue;
        }
        if (wildcard) {
            parent = retop(z, parent);
            parent->has_wildcard = false;
            set_top(z, key, len, parent);
        }
        parent->children--;
        return;
    }
}

/* A name has become a delegation (CHANGE 1) or is none any more (-1): those above it know of it.
 * They exist. */
static void tell_parents_of_cut(struct zone *z, const uint8_t *key, size_t len, int change)
{
    z->cuts += (uint32_t)change;
    for (size_t at = (size_t)key[0] + 1; at < len; at += (size_t)key[at] + 1) {
        struct zone_node *parent = retop(z, find_node(z, key + at, len - at));
        parent->cuts_below += (uint32_t)change;
        set_top(z, key + at, len - at, parent);
    }
}

/* The layer of proofs: what is below, with the proofs' values among its TXT records. */
static struct zone_node *lay_proofs(struct zone *z, const uint8_t *key, size_t len,
                                    const struct overlay_name *proofs, struct zone_node *below)
{
    struct zone_rrset *sets[UINT8_MAX + 1];
    size_t count = 0;
    const struct zone_rrset *txt = below != NULL ? zone_node_find(below, TYPE_TXT) : NULL;
    bool placed = false;
    for (unsigned i = 0; below != NULL && i < below->sets_count && count < UINT8_MAX; i++) {
        const struct zone_rrset *s = below->sets[i];
        if (s->type >= TYPE_TXT && !placed) {
            sets[count++] = overlay_txt(z, proofs, txt);
            placed = true;
        }
        if (s->type != TYPE_TXT) {
            size_t size = sizeof *s + s->patches * sizeof s->patch[0] + s->len;
            sets[count++] = mem_xmemdup(s, size);
        }
    }
    if (!placed) {
        sets[count++] = overlay_txt(z, proofs, txt);
    }
    return zone_node_make(ZONE_PROOFS, key, len, sets, count, below);
}

/* The list without its layers of proofs and of nothing; what is left out is dropped. */
static struct zone_node *strip(struct zone *z, struct zone_node *top)
{
    while (top != NULL && (top->source == ZONE_PROOFS || top->source == ZONE_ENT)) {
        struct zone_node *below = top->below;
        zone_drop_node(z, top, true);
        top = below;
    }
    return top;
}

/* The list with layer SOURCE replaced by NEW (NULL: taken out). */
static struct zone_node *splice(struct zone *z, struct zone_node *top, enum zone_source source,
                                struct zone_node *new)
{
    struct zone_node *above[LAYERS_MAX];
    size_t n = 0;
    while (top != NULL && top->source < source) {
        above[n++] = top;
        top = top->below;
    }
    if (top != NULL && top->source == source) {
        struct zone_node *old = top;
        top = top->below;
        zone_drop_node(z, old, true);
    }
    if (new != NULL) {
        new->below = top;
        top = new;
    }
    while (n > 0) {
        struct zone_node *old = above[--n];
        struct zone_node *copy = zone_node_make((enum zone_source)old->source, old->key,
                                                old->key_len, old->sets, old->sets_count, top);
        zone_drop_node(z, old, false);
        top = copy;
    }
    return top;
}

static void replace(struct zone *z, const uint8_t *key, size_t len, enum zone_source source,
                    struct zone_node *new, bool splice_it)
{
    struct zone_node *old = find_node(z, key, len);
    uint32_t children = old != NULL ? old->children : 0;
    bool has_wildcard = old != NULL && old->has_wildcard;
    bool was_data = old != NULL && old->sets_count > 0;
    bool was_cut = old != NULL && old->is_cut;
    uint32_t cuts_below = old != NULL ? old->cuts_below : 0;

    struct zone_node *top = strip(z, old);
    if (splice_it) {
        top = splice(z, top, source, new);
    }
    struct wire_name owner;
    zone_key_name(z, key, len, &owner);
    const struct overlay_name *proofs = overlay_find(&z->overlay, &owner);
    if (proofs != NULL) {
        top = lay_proofs(z, key, len, proofs, top);
    } else if (top == NULL && children > 0) {
        top = zone_node_make(ZONE_ENT, key, len, NULL, 0, NULL);
    } else if (top != NULL && top != new) {
        /* Readers may know it as it was: what only a winner has is set below. */
        top = retop(z, top);
    }
    if (top != NULL) {
        top->children = children;
        top->has_wildcard = has_wildcard;
        top->cuts_below = cuts_below;
    }
    z->names += top != NULL && top->sets_count > 0;
    z->names -= was_data;
    if (top == NULL && old == NULL) {
        return;
    }
    bool is_cut = top != NULL && top->is_cut;
    set_top(z, key, len, top);
    if (old == NULL) {
        link_parent(z, key, len);
    }
    if (is_cut != was_cut) {
        tell_parents_of_cut(z, key, len, is_cut ? 1 : -1);
    }
    if (old != NULL && top == NULL) {
        unlink_parent(z, key, len);
    }
}

void layer_put(struct zone *z, const uint8_t *key, size_t len, enum zone_source source,
               struct zone_rrset *const *sets, size_t count)
{
    struct zone_node *new = count > 0 ? zone_node_make(source, key, len, sets, count, NULL) : NULL;
    replace(z, key, len, source, new, true);
}

const struct zone_node *layer_find(const struct zone *z, const uint8_t *key, size_t len,
                                   enum zone_source source)
{
    const struct zone_node *n = find_node(z, key, len);
    while (n != NULL && n->source != source) {
        n = n->below;
    }
    return n;
}

void layer_reserve(struct zone *z, const uint8_t *key, size_t len)
{
    replace(z, key, len, ZONE_RESERVED, zone_node_make(ZONE_RESERVED, key, len, NULL, 0, NULL),
            true);
}

void layer_refresh(struct zone *z, const uint8_t *key, size_t len)
{
    replace(z, key, len, ZONE_PROOFS, NULL, false);
}

static bool is_challenge(const uint8_t *key, size_t len)
{
    static const uint8_t label[] = "\17_acme-challenge";
    for (size_t at = 0; at < len; at += (size_t)key[at] + 1) {
        if (key[at] == label[0] && memcmp(key + at, label, sizeof label - 1) == 0) {
            return true;
        }
    }
    return false;
}

/* A CA must not meet the value of an earlier order, so nobody's default is right for a challenge
 * that was stored as an ordinary record. */
static uint32_t ttl_of(const struct zone *z, const uint8_t *key, size_t len,
                       const struct record_rrset *s)
{
    if (!s->ttl_default) {
        return s->ttl;
    }
    return s->type == TYPE_TXT && is_challenge(key, len) ? ZONE_PROOF_TTL_S : z->default_ttl_s;
}

void layer_render(const struct zone *z, const uint8_t *key, size_t len,
                  const struct record_set *records, bool rotate, struct zone_rrset ***sets,
                  size_t *count)
{
    struct zone_rrset **list = mem_xalloc((records->count + 1) * sizeof *list);
    for (size_t i = 0; i < records->count; i++) {
        const struct record_rrset *s = &records->sets[i];
        list[i] = zone_rrset_make(s, ttl_of(z, key, len, s), &z->apex, rotate);
    }
    *sets = list;
    *count = records->count;
}

void layer_put_records(struct zone *z, const uint8_t *key, size_t len, enum zone_source source,
                       const struct record_set *records, bool rotate)
{
    struct zone_rrset **sets;
    size_t count;
    layer_render(z, key, len, records, rotate, &sets, &count);
    layer_put(z, key, len, source, sets, count);
    free(sets);
}
