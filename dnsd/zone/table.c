#include "table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "node.h"

#define FOLDER_PAGES 256
#define PAGE_TARGET  48 /* slots a page should hold on average; more makes a change dearer */
#define PAGE_MIN     4

struct table_page {
    uint64_t version;
    uint32_t cap;
    uint32_t used;
    struct table_slot slots[];
};
struct table_folder {
    uint64_t version;
    struct table_page *page[FOLDER_PAGES];
};
struct table_root {
    uint64_t version;
    uint32_t folders;
    struct table_folder *folder[];
};

_Static_assert(sizeof(struct table_slot) == 32, "two slots share a cache line");

/* ---- retiring ---------------------------------------------------------------------------- */

void table_retire(struct table_retired *r, void *item)
{
    if (r->count == r->cap) {
        r->cap = r->cap == 0 ? 16 : r->cap * 2;
        r->items = mem_xrealloc(r->items, r->cap * sizeof *r->items);
    }
    r->items[r->count++] = item;
}

void table_retired_free(struct table_retired *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->items[i]);
    }
    free(r->items);
    *r = (struct table_retired){.items = NULL};
}

/* A part made in this version was never seen by a reader. */
static void discard(struct table_writer *w, void *item, uint64_t made_in)
{
    if (made_in == w->version) {
        free(item);
    } else {
        table_retire(w->retired, item);
    }
}

/* ---- reading ----------------------------------------------------------------------------- */

static inline uint32_t page_index(const struct table *t, uint64_t hash)
{
    uint32_t i = (uint32_t)hash & t->mask;
    return i < t->pages ? i : i & (t->mask >> 1);
}

static inline struct table_page *page_at(const struct table *t, uint32_t i)
{
    return t->root->folder[i / FOLDER_PAGES]->page[i % FOLDER_PAGES];
}

static inline uint32_t home(uint32_t tag, uint32_t cap)
{
    return (uint32_t)(((uint64_t)tag * cap) >> 32);
}

const uint8_t *table_slot_key(const struct table_slot *s)
{
    return s->kind == TABLE_USER       ? s->u.key
           : s->kind == TABLE_USER_FAR ? s->u.far_key
                                       : s->u.node->key;
}

/* Where KEY is, or the empty slot where it would be. A page is never full. */
static inline uint32_t page_probe(const struct table_page *p, uint32_t tag, const uint8_t *key,
                                  size_t len)
{
    uint32_t i = home(tag, p->cap);
    for (;;) {
        const struct table_slot *s = &p->slots[i];
        if (s->kind == TABLE_EMPTY ||
            (s->tag == tag && s->len == len && memcmp(table_slot_key(s), key, len) == 0)) {
            return i;
        }
        i = i + 1 == p->cap ? 0 : i + 1;
    }
}

const struct table_slot *table_find(const struct table *t, const uint8_t *key, size_t len)
{
    uint64_t hash = hash_name(&t->hash, key, len);
    const struct table_page *p = page_at(t, page_index(t, hash));
    const struct table_slot *s = &p->slots[page_probe(p, (uint32_t)(hash >> 32), key, len)];
    return s->kind == TABLE_EMPTY ? NULL : s;
}

void table_each(const struct table *t, table_each_cb *each, void *ctx)
{
    for (uint32_t i = 0; i < t->pages; i++) {
        const struct table_page *p = page_at(t, i);
        for (uint32_t j = 0; j < p->cap; j++) {
            if (p->slots[j].kind != TABLE_EMPTY && !each(ctx, &p->slots[j])) {
                return;
            }
        }
    }
}

size_t table_bytes(const struct table *t)
{
    size_t bytes =
        sizeof *t->root + t->root->folders * (sizeof(void *) + sizeof(struct table_folder));
    for (uint32_t i = 0; i < t->pages; i++) {
        const struct table_page *p = page_at(t, i);
        bytes += sizeof *p + p->cap * sizeof p->slots[0];
        for (uint32_t j = 0; j < p->cap; j++) {
            bytes += p->slots[j].kind == TABLE_USER_FAR ? p->slots[j].len : 0;
        }
    }
    return bytes;
}

/* ---- making and taking apart --------------------------------------------------------------- */

static struct table_page *page_new(uint64_t version, uint32_t for_slots)
{
    /* At most four fifths full: probes stay short, and there is always an empty slot. */
    uint32_t cap = for_slots + for_slots / 4 + 1;
    cap = cap < PAGE_MIN ? PAGE_MIN : cap;
    struct table_page *p = mem_xalloc(sizeof *p + cap * sizeof p->slots[0]);
    p->version = version;
    p->cap = cap;
    return p;
}

void table_init(struct table *t, const struct hash_key *hash)
{
    *t = (struct table){.pages = 1, .mask = 0, .hash = *hash};
    t->root = mem_xalloc(sizeof *t->root + sizeof t->root->folder[0]);
    t->root->folders = 1;
    t->root->folder[0] = mem_xalloc(sizeof *t->root->folder[0]);
    t->root->folder[0]->page[0] = page_new(0, 0);
}

void table_free(struct table *t)
{
    if (t->root == NULL) {
        return;
    }
    for (uint32_t i = 0; i < t->pages; i++) {
        struct table_page *p = page_at(t, i);
        for (uint32_t j = 0; j < p->cap; j++) {
            if (p->slots[j].kind == TABLE_USER_FAR) {
                free((void *)p->slots[j].u.far_key);
            }
        }
        free(p);
    }
    for (uint32_t i = 0; i < t->root->folders; i++) {
        free(t->root->folder[i]);
    }
    free(t->root);
    t->root = NULL;
}

/* ---- writing ----------------------------------------------------------------------------- */

static struct table_root *own_root(struct table_writer *w, uint32_t folders)
{
    struct table_root *old = w->now.root;
    if (old->version == w->version && old->folders >= folders) {
        return old;
    }
    uint32_t n = old->folders > folders ? old->folders : folders;
    struct table_root *root = mem_xalloc(sizeof *root + n * sizeof root->folder[0]);
    memcpy(root->folder, old->folder, old->folders * sizeof root->folder[0]);
    root->version = w->version;
    root->folders = n;
    discard(w, old, old->version);
    w->now.root = root;
    return root;
}

static struct table_folder *own_folder(struct table_writer *w, uint32_t index)
{
    struct table_root *root = own_root(w, index + 1);
    struct table_folder *old = root->folder[index];
    if (old != NULL && old->version == w->version) {
        return old;
    }
    struct table_folder *folder = mem_xalloc(sizeof *folder);
    if (old != NULL) {
        memcpy(folder, old, sizeof *folder);
        discard(w, old, old->version);
    }
    folder->version = w->version;
    root->folder[index] = folder;
    return folder;
}

static void page_copy_slot(struct table_page *p, const struct table_slot *s)
{
    uint32_t i = home(s->tag, p->cap);
    while (p->slots[i].kind != TABLE_EMPTY) {
        i = i + 1 == p->cap ? 0 : i + 1;
    }
    p->slots[i] = *s;
    p->used++;
}

/* The page at INDEX, changeable and with room for MORE slots. */
static struct table_page *own_page(struct table_writer *w, uint32_t index, uint32_t more)
{
    struct table_folder *folder = own_folder(w, index / FOLDER_PAGES);
    struct table_page *old = folder->page[index % FOLDER_PAGES];
    if (old->version == w->version && (old->used + more) * 5 <= old->cap * 4) {
        return old;
    }
    /* A page that grows within one version is being filled: the next slots should find room. */
    uint32_t spare = old->version == w->version ? old->used / 8 + 2 : 0;
    struct table_page *p = page_new(w->version, old->used + more + spare);
    for (uint32_t i = 0; i < old->cap; i++) {
        if (old->slots[i].kind != TABLE_EMPTY) {
            page_copy_slot(p, &old->slots[i]);
        }
    }
    discard(w, old, old->version);
    folder->page[index % FOLDER_PAGES] = p;
    return p;
}

/* Splits the page whose turn it is: its slots go to it or to the new last page, by one more bit. */
static void grow(struct table_writer *w)
{
    struct table *t = &w->now;
    if (t->pages > t->mask) {
        t->mask = t->mask * 2 + 1;
    }
    uint32_t low = t->pages & (t->mask >> 1);
    uint32_t high = t->pages;
    struct table_folder *folder = own_folder(w, low / FOLDER_PAGES);
    struct table_page *old = folder->page[low % FOLDER_PAGES];
    struct table_page *parts[2] = {page_new(w->version, old->used / 2 + old->used / 8),
                                   page_new(w->version, old->used / 2 + old->used / 8)};
    for (uint32_t i = 0; i < old->cap; i++) {
        const struct table_slot *s = &old->slots[i];
        if (s->kind == TABLE_EMPTY) {
            continue;
        }
        uint64_t hash = hash_name(&t->hash, table_slot_key(s), s->len);
        struct table_page **part = &parts[((uint32_t)hash & t->mask) == high];
        if (((*part)->used + 1) * 5 > (*part)->cap * 4) {
            struct table_page *wider = page_new(w->version, (*part)->used + 8);
            for (uint32_t j = 0; j < (*part)->cap; j++) {
                if ((*part)->slots[j].kind != TABLE_EMPTY) {
                    page_copy_slot(wider, &(*part)->slots[j]);
                }
            }
            free(*part);
            *part = wider;
        }
        page_copy_slot(*part, s);
    }
    discard(w, old, old->version);
    folder->page[low % FOLDER_PAGES] = parts[0];
    own_folder(w, high / FOLDER_PAGES)->page[high % FOLDER_PAGES] = parts[1];
    t->pages++;
}

struct table_slot *table_edit(struct table_writer *w, const uint8_t *key, size_t len)
{
    assert(len > 0 && len <= TABLE_KEY_MAX);
    const struct table_slot *there = table_find(&w->now, key, len);
    if (there == NULL && w->now.used >= (uint64_t)w->now.pages * PAGE_TARGET) {
        grow(w);
    }
    uint64_t hash = hash_name(&w->now.hash, key, len);
    uint32_t tag = (uint32_t)(hash >> 32);
    struct table_page *p = own_page(w, page_index(&w->now, hash), there == NULL ? 1 : 0);
    struct table_slot *s = &p->slots[page_probe(p, tag, key, len)];
    if (s->kind == TABLE_EMPTY) {
        *s = (struct table_slot){.tag = tag, .len = (uint8_t)len, .core = TABLE_NO_CORE};
        p->used++;
        w->now.used++;
    }
    return s;
}

/* A far key is gone when its slot becomes something else. Readers of older versions may still
 * look at it, and which version made it is not known: it is always retired. */
static void drop_far_key(struct table_writer *w, struct table_slot *s)
{
    if (s->kind == TABLE_USER_FAR) {
        table_retire(w->retired, (void *)s->u.far_key);
    }
}

void table_slot_user(struct table_writer *w, struct table_slot *s, const uint8_t *key, size_t len,
                     uint16_t core)
{
    s->core = core;
    if (s->kind == TABLE_USER || s->kind == TABLE_USER_FAR) {
        return;
    }
    (void)w;
    if (len <= TABLE_INLINE_MAX) {
        s->kind = TABLE_USER;
        memcpy(s->u.key, key, len);
    } else {
        s->kind = TABLE_USER_FAR;
        s->u.far_key = mem_xmemdup(key, len);
    }
}

void table_slot_node(struct table_writer *w, struct table_slot *s, struct zone_node *node,
                     size_t key_len)
{
    drop_far_key(w, s);
    s->kind = TABLE_NODE;
    s->len = (uint8_t)key_len;
    s->u.node = node;
}

void table_remove(struct table_writer *w, const uint8_t *key, size_t len)
{
    if (table_find(&w->now, key, len) == NULL) {
        return;
    }
    uint64_t hash = hash_name(&w->now.hash, key, len);
    struct table_page *p = own_page(w, page_index(&w->now, hash), 0);
    uint32_t hole = page_probe(p, (uint32_t)(hash >> 32), key, len);
    drop_far_key(w, &p->slots[hole]);
    p->used--;
    w->now.used--;
    /* What follows in the run moves up if its home allows, so that no probe stops short. */
    for (uint32_t i = hole + 1 == p->cap ? 0 : hole + 1; p->slots[i].kind != TABLE_EMPTY;
         i = i + 1 == p->cap ? 0 : i + 1) {
        uint32_t at = home(p->slots[i].tag, p->cap);
        bool between = hole <= i ? at > hole && at <= i : at > hole || at <= i;
        if (!between) {
            p->slots[hole] = p->slots[i];
            hole = i;
        }
    }
    p->slots[hole] = (struct table_slot){.kind = TABLE_EMPTY};
}
