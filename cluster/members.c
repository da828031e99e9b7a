#include "members.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/jx.h"

/* ---- reading ------------------------------------------------------------------------------- */

/* A member that may be missing. */
static enum err flag(const json_t *o, const char *key, bool *out, struct err_info *info)
{
    enum err e = jx_bool(o, key, out, info);
    return e == ERR_NOTFOUND ? ERR_OK : e;
}

static enum err text(const json_t *o, const char *key, char *out, size_t size,
                     struct err_info *info)
{
    const char *value = NULL;
    enum err e = jx_string(o, key, &value, info);
    if (e == ERR_OK && strlen(value) >= size) {
        return err_set(info, ERR_LIMIT, "%s: longer than %zu octets", key, size - 1);
    }
    if (e == ERR_OK) {
        memcpy(out, value, strlen(value) + 1);
    }
    return e;
}

static enum err read_version(const json_t *o, struct member *out, struct err_info *info)
{
    const char *value = "";
    enum err e = jx_string(o, "version", &value, info);
    snprintf(out->version, sizeof out->version, "%s", value);
    return e == ERR_NOTFOUND ? ERR_OK : e;
}

static enum err read_member(const json_t *o, struct member *out, struct err_info *info)
{
    enum err e = text(o, "id", out->id, sizeof out->id, info);
    if (e == ERR_OK) {
        e = text(o, "addr", out->address, sizeof out->address, info);
    }
    if (e == ERR_OK) {
        e = jx_bool(o, "voter", &out->voter, info);
    }
    if (e == ERR_OK) {
        e = flag(o, "reachable", &out->reachable, info);
    }
    if (e == ERR_OK) {
        e = flag(o, "leader", &out->leader, info);
    }
    if (e == ERR_OK) {
        e = read_version(o, out, info);
    }
    return e == ERR_NOTFOUND ? ERR_MALFORMED : e;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->id, ((const struct member *)b)->id);
}

static void count(struct members *m)
{
    qsort(m->items, m->count, sizeof *m->items, by_id);
    for (size_t i = 0; i < m->count; i++) {
        const struct member *n = &m->items[i];
        m->voters += n->voter;
        m->nonvoters += !n->voter;
        m->unreachable += !n->reachable;
        m->voters_reachable += n->voter && n->reachable;
        if (n->leader) {
            m->leader = n;
        }
    }
}

static enum err read_list(const json_t *list, struct members *out, struct err_info *info)
{
    size_t n = json_array_size(list);
    enum err e = ERR_OK;
    if (n > MEMBERS_MAX) {
        return err_set(info, ERR_LIMIT, "more than %d nodes", MEMBERS_MAX);
    }
    out->items = calloc(n + 1, sizeof *out->items);
    if (out->items == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        e = read_member(json_array_get(list, i), &out->items[i], info);
        if (e != ERR_OK) {
            (void)err_prefix(info, e, "node %zu: ", i);
        }
    }
    out->count = n;
    return e;
}

enum err members_parse(const char *text, size_t len, struct members *out, struct err_info *info)
{
    json_t *root = NULL;
    json_t *list = NULL;
    *out = (struct members){.count = 0};
    enum err e = jx_parse_object(text, len, &root, info);
    if (e == ERR_OK && (json_unpack(root, "{s:o}", "nodes", &list) != 0 || !json_is_array(list))) {
        e = err_set(info, ERR_MALFORMED, "nodes: must be a list");
    }
    if (e == ERR_OK) {
        e = read_list(list, out, info);
    }
    if (e == ERR_OK) {
        count(out);
    } else {
        members_free(out);
    }
    json_decref(root);
    return e;
}

void members_free(struct members *m)
{
    free(m->items);
    *m = (struct members){.count = 0};
}

/* ---- judging ------------------------------------------------------------------------------- */

const struct member *members_find(const struct members *m, const char *id)
{
    for (size_t i = 0; i < m->count; i++) {
        if (strcmp(m->items[i].id, id) == 0) {
            return &m->items[i];
        }
    }
    return NULL;
}

static bool most(size_t some, size_t all)
{
    return some > all / 2;
}

bool members_have_quorum(const struct members *m)
{
    return most(m->voters_reachable, m->voters);
}

enum members_removal members_removal(const struct members *m, const char *id,
                                     struct members_rest *rest)
{
    const struct member *n = members_find(m, id);
    struct members_rest left = {.voters = m->voters, .reachable = m->voters_reachable};
    if (n != NULL && n->voter) {
        left.voters--;
        left.reachable -= n->reachable;
    }
    if (rest != NULL) {
        *rest = left;
    }
    if (n == NULL) {
        return MEMBERS_ABSENT;
    }
    if (left.voters == 0) {
        return MEMBERS_LAST;
    }
    if (!members_have_quorum(m)) {
        return MEMBERS_NO_QUORUM;
    }
    return most(left.reachable, left.voters) ? MEMBERS_REMOVABLE : MEMBERS_LOSES;
}

/* ---- replies ------------------------------------------------------------------------------- */

static bool says(const char *body, const char *what)
{
    return strstr(body, what) != NULL;
}

/* Without the line's end; what is no text becomes '?' where it is printed. */
static enum err tell(struct err_info *info, enum err e, unsigned status, const char *body)
{
    int len = (int)strcspn(body, "\r\n");
    if (len > 300) {
        len = 300;
    }
    return err_set(info, e, "rqlite says: %.*s%s(%u)", len, body, len > 0 ? " " : "", status);
}

enum err members_outcome(unsigned status, const char *body, struct err_info *info)
{
    if (status == 200) {
        return ERR_OK;
    }
    if (status == 401 || status == 403) {
        return err_set(info, ERR_DENIED,
                       "it refuses this user or password, or the user may not do this (%u)",
                       status);
    }
    /* Up to 8.26 503, later 500. */
    if (status == 503 || says(body, "leader not found") || says(body, "not leader") ||
        says(body, "leadership transfer in progress")) {
        return tell(info, ERR_UNAVAIL, status, body);
    }
    if (status == 500 && (says(body, "leadership lost") || says(body, "timeout"))) {
        return tell(info, ERR_TIMEOUT, status, body);
    }
    return tell(info, says(body, "at least one voter") ? ERR_CONFLICT : ERR_IO, status, body);
}
