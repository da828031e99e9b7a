/* Proofs: challenge values that are added to a name's TXT records and go away by themselves.
 *
 * There are few of them (a wildcard order has two), they come and go in seconds, and none may be
 * lost: values of several orders for one name live side by side. The list here says what there is;
 * what readers see is a layer of the name (layers.c), so the packet path knows nothing of proofs.
 * The limit ZONE_PROOFS_MAX keeps an answer under one message and a runaway client away from the
 * memory.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "zone_priv.h"

static struct overlay_name *find(struct overlay *o, const struct wire_name *owner)
{
    for (size_t i = 0; i < o->count; i++) {
        if (wire_name_equal(&o->names[i].owner, owner)) {
            return &o->names[i];
        }
    }
    return NULL;
}

const struct overlay_name *overlay_find(const struct overlay *o, const struct wire_name *owner)
{
    return find((struct overlay *)o, owner);
}

static void free_values(struct overlay_name *n)
{
    for (size_t i = 0; i < n->count; i++) {
        free(n->values[i].text);
    }
    free(n->values);
}

void overlay_free(struct overlay *o)
{
    for (size_t i = 0; i < o->count; i++) {
        free_values(&o->names[i]);
    }
    free(o->names);
    *o = (struct overlay){.names = NULL};
}

static void remove_name(struct overlay *o, struct overlay_name *n)
{
    o->values -= n->count;
    free_values(n);
    *n = o->names[--o->count];
}

struct zone_rrset *overlay_txt(const struct zone *z, const struct overlay_name *name,
                               const struct zone_rrset *under)
{
    struct record_set set = {.sets = NULL};
    uint8_t data[RECORD_BYTES_MAX];
    for (unsigned i = 0; under != NULL && i < under->count; i++) {
        size_t len = zone_rrset_data(under, i, &z->apex, data, sizeof data);
        /* A name may hold more TXT data than one answer can: then the newest proofs are left out.
         */
        if (record_add_wire(&set, TYPE_TXT, ZONE_PROOF_TTL_S, data, len, NULL) != ERR_OK) {
            break;
        }
    }
    for (size_t i = 0; i < name->count; i++) {
        size_t len = strlen(name->values[i].text);
        data[0] = (uint8_t)len;
        memcpy(data + 1, name->values[i].text, len);
        if (record_add_wire(&set, TYPE_TXT, ZONE_PROOF_TTL_S, data, len + 1, NULL) != ERR_OK) {
            break;
        }
    }
    struct zone_rrset *s = zone_rrset_make(&set.sets[0], ZONE_PROOF_TTL_S, &z->apex, false);
    record_set_free(&set);
    return s;
}

static void refresh(struct zone *z, const struct wire_name *owner)
{
    z->overlay.sealed = false;
    layer_refresh(z, owner->bytes, (size_t)(owner->len - z->apex.len));
}

enum err zone_proofs_put(struct zone *z, const struct wire_name *owner,
                         const struct zone_proof *proofs, size_t count, int64_t now_ms,
                         struct err_info *info)
{
    struct overlay *o = &z->overlay;
    struct overlay_name *n = find(o, owner);
    size_t had = n != NULL ? n->count : 0;
    if (!wire_name_is_under(owner, &z->apex) || owner->len == z->apex.len) {
        return err_set(info, ERR_MALFORMED, "a challenge belongs below the domain");
    }
    if (o->values - had + count > ZONE_PROOFS_MAX) {
        return err_set(info, ERR_LIMIT, "more than %d challenge values at one time",
                       ZONE_PROOFS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (strlen(proofs[i].value) > 255) {
            return err_set(info, ERR_MALFORMED, "a challenge value is longer than 255 octets");
        }
    }
    if (n != NULL) {
        remove_name(o, n);
    }
    struct overlay_name fresh = {.owner = *owner};
    fresh.values = mem_xalloc(count * sizeof *fresh.values);
    for (size_t i = 0; i < count; i++) {
        if (proofs[i].expires_ms > now_ms) {
            fresh.values[fresh.count].text = mem_xstrdup(proofs[i].value);
            fresh.values[fresh.count++].expires_ms = proofs[i].expires_ms;
        }
    }
    if (fresh.count > 0) {
        o->names = mem_xrealloc(o->names, (o->count + 1) * sizeof *o->names);
        o->names[o->count++] = fresh;
        o->values += fresh.count;
    } else {
        free(fresh.values);
    }
    refresh(z, owner);
    return ERR_OK;
}

int64_t zone_proofs_expire(struct zone *z, int64_t now_ms, bool *changed)
{
    struct overlay *o = &z->overlay;
    int64_t next = INT64_MAX;
    *changed = false;
    for (size_t i = o->count; i-- > 0;) {
        struct overlay_name *n = &o->names[i];
        size_t before = n->count;
        for (size_t j = n->count; j-- > 0;) {
            if (n->values[j].expires_ms <= now_ms) {
                free(n->values[j].text);
                n->values[j] = n->values[--n->count];
                o->values--;
            } else if (n->values[j].expires_ms < next) {
                next = n->values[j].expires_ms;
            }
        }
        if (n->count == before) {
            continue;
        }
        struct wire_name owner = n->owner;
        if (n->count == 0) {
            remove_name(o, n);
        }
        refresh(z, &owner);
        *changed = true;
    }
    return next;
}

/* ---- for the snapshot file ----------------------------------------------------------------- */

static size_t sealed_size(const struct overlay *o)
{
    size_t n = 0;
    for (size_t i = 0; i < o->count; i++) {
        n += (size_t)o->names[i].owner.len + 3;
        for (size_t j = 0; j < o->names[i].count; j++) {
            n += strlen(o->names[i].values[j].text) + 9;
        }
    }
    return n;
}

struct zone_sealed *overlay_seal(const struct overlay *o)
{
    size_t size = sealed_size(o);
    struct zone_sealed *s = mem_xalloc(sizeof *s + size);
    struct buf_writer w = buf_writer_of(s->bytes, size);
    for (size_t i = 0; i < o->count; i++) {
        const struct overlay_name *n = &o->names[i];
        buf_put_u8(&w, n->owner.len);
        buf_put(&w, n->owner.bytes, n->owner.len);
        buf_put_u16(&w, (uint16_t)n->count);
        for (size_t j = 0; j < n->count; j++) {
            size_t len = strlen(n->values[j].text);
            buf_put_u64(&w, (uint64_t)n->values[j].expires_ms);
            buf_put_u8(&w, (uint8_t)len);
            buf_put(&w, n->values[j].text, len);
        }
    }
    s->names = (uint32_t)o->count;
    s->len = w.len;
    return s;
}

enum err overlay_unseal(struct zone *z, struct buf_reader *r)
{
    char texts[ZONE_PROOFS_MAX][256];
    struct zone_proof proofs[ZONE_PROOFS_MAX];
    struct wire_name owner;
    uint8_t owner_len = buf_u8(r);
    const uint8_t *bytes = buf_take(r, owner_len);
    uint16_t count = buf_u16(r);
    if (r->bad || count > ZONE_PROOFS_MAX ||
        wire_name_from_wire(bytes, owner_len, &owner) != ERR_OK) {
        return ERR_MALFORMED;
    }
    for (unsigned i = 0; i < count; i++) {
        proofs[i].expires_ms = (int64_t)buf_u64(r);
        proofs[i].value = texts[i];
        uint8_t len = buf_u8(r);
        const uint8_t *text = buf_take(r, len);
        if (text == NULL) {
            return ERR_MALFORMED;
        }
        memcpy(texts[i], text, len);
        texts[i][len] = '\0';
    }
    return zone_proofs_put(z, &owner, proofs, count, INT64_MIN, NULL);
}
