#include "record.h"

#include <stdlib.h>
#include <string.h>

#include "dnsd/wire/rdata.h"
#include "lib/mem.h"

/* Where TYPE is in the set, or where it would go. */
static size_t position(const struct record_set *set, uint16_t type)
{
    size_t i = 0;
    while (i < set->count && set->sets[i].type < type) {
        i++;
    }
    return i;
}

static struct record_rrset *find(const struct record_set *set, uint16_t type)
{
    size_t i = position(set, type);
    return i < set->count && set->sets[i].type == type ? &set->sets[i] : NULL;
}

const struct record_rrset *record_find(const struct record_set *set, uint16_t type)
{
    return find(set, type);
}

static struct record_rrset *insert(struct record_set *set, uint16_t type)
{
    size_t i = position(set, type);
    set->sets = mem_xrealloc(set->sets, (set->count + 1) * sizeof *set->sets);
    memmove(set->sets + i + 1, set->sets + i, (set->count - i) * sizeof *set->sets);
    set->sets[i] = (struct record_rrset){.type = type};
    set->count++;
    return &set->sets[i];
}

static bool holds(const struct record_rrset *set, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->data[i].len == len && memcmp(set->data[i].bytes, bytes, len) == 0) {
            return true;
        }
    }
    return false;
}

static enum err check_new(uint16_t type, int64_t ttl_s, struct err_info *info)
{
    char name[WIRE_TYPE_TEXT_MAX];
    wire_type_to_text(type, name);
    if (!wire_type_is_data(type)) {
        return err_set(info, ERR_DENIED, "%s is not a type that a zone holds", name);
    }
    if (ttl_s > RECORD_TTL_MAX) {
        return err_set(info, ERR_LIMIT, "a TTL is at most %d (RFC 2181 §8)", RECORD_TTL_MAX);
    }
    return ERR_OK;
}

/* TTL_S < 0: none given, so a new set gets the default and an old one keeps its own. */
static enum err add(struct record_set *set, uint16_t type, int64_t ttl_s, uint32_t default_ttl,
                    const uint8_t *bytes, size_t len, struct err_info *info)
{
    char name[WIRE_TYPE_TEXT_MAX];
    struct record_rrset *rrset = find(set, type);
    if (rrset != NULL && rrset->count == RECORD_RRS_MAX && !holds(rrset, bytes, len)) {
        wire_type_to_text(type, name);
        return err_set(info, ERR_LIMIT, "more than %d values of %s at one name", RECORD_RRS_MAX,
                       name);
    }
    if (rrset == NULL) {
        rrset = insert(set, type);
        rrset->ttl = default_ttl;
        rrset->ttl_default = true;
    }
    if (ttl_s >= 0) {
        rrset->ttl = (uint32_t)ttl_s;
        rrset->ttl_default = false;
    }
    if (holds(rrset, bytes, len)) {
        return ERR_OK;
    }
    rrset->data = mem_xrealloc(rrset->data, (rrset->count + 1) * sizeof *rrset->data);
    rrset->data[rrset->count++] =
        (struct record_data){.bytes = mem_xmemdup(bytes, len), .len = (uint16_t)len};
    return ERR_OK;
}

enum err record_add_text(struct record_set *set, uint16_t type, int64_t ttl_s, const char *text,
                         const struct wire_name *apex, uint32_t default_ttl, struct err_info *info)
{
    size_t len = 0;
    enum err e = check_new(type, ttl_s, info);
    if (e != ERR_OK) {
        return e;
    }
    uint8_t *bytes = mem_xalloc(WIRE_RDATA_MAX);
    e = wire_rdata_from_input(type, text, apex, bytes, &len, info);
    if (e == ERR_OK) {
        e = add(set, type, ttl_s, default_ttl, bytes, len, info);
    }
    free(bytes);
    return e;
}

enum err record_add_wire(struct record_set *set, uint16_t type, uint32_t ttl_s,
                         const uint8_t *rdata, size_t len, struct err_info *info)
{
    enum err e = check_new(type, ttl_s, info);
    return e == ERR_OK ? add(set, type, ttl_s, 0, rdata, len, info) : e;
}

static void free_data(struct record_rrset *rrset)
{
    for (size_t i = 0; i < rrset->count; i++) {
        free(rrset->data[i].bytes);
    }
    free(rrset->data);
}

bool record_remove(struct record_set *set, uint16_t type)
{
    struct record_rrset *rrset = find(set, type);
    if (rrset == NULL) {
        return false;
    }
    size_t i = (size_t)(rrset - set->sets);
    free_data(rrset);
    memmove(rrset, rrset + 1, (set->count - i - 1) * sizeof *rrset);
    set->count--;
    return true;
}

static bool equal_rrsets(const struct record_rrset *a, const struct record_rrset *b)
{
    if (a->type != b->type || a->ttl != b->ttl || a->ttl_default != b->ttl_default ||
        a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (a->data[i].len != b->data[i].len ||
            memcmp(a->data[i].bytes, b->data[i].bytes, a->data[i].len) != 0) {
            return false;
        }
    }
    return true;
}

bool record_equal(const struct record_set *a, const struct record_set *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!equal_rrsets(&a->sets[i], &b->sets[i])) {
            return false;
        }
    }
    return true;
}

void record_set_free(struct record_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        free_data(&set->sets[i]);
    }
    free(set->sets);
    *set = (struct record_set){.sets = NULL, .count = 0};
}
