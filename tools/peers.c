#include "peers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "lib/mem.h"

static const char *text(const json_t *o, const char *key)
{
    const char *value = json_string_value(json_object_get(o, key));
    return value != NULL ? value : "";
}

static int64_t number(const json_t *o, const char *key, int64_t otherwise)
{
    const json_t *v = json_object_get(o, key);
    return json_is_integer(v) ? (int64_t)json_integer_value(v) : otherwise;
}

static size_t count(const json_t *o, const char *key)
{
    int64_t n = number(o, key, 0);
    return n > 0 ? (size_t)n : 0;
}

/* ---- reading ------------------------------------------------------------------------------- */

static void read_peer(const json_t *o, struct verdict_peer *out)
{
    *out = (struct verdict_peer){
        .id = text(o, "id"),
        .digest = text(o, "digest"),
        .version = text(o, "version"),
        .live = json_is_true(json_object_get(o, "live")),
        .self = json_is_true(json_object_get(o, "self")),
        .revision = count(o, "revision"),
        .age_ms = number(o, "ageMs", -1),
    };
}

static bool is_gone(const struct verdict_peer *p, const struct db_cores *known)
{
    return !p->live && !p->self && known != NULL && db_cores_find(known, p->id) == NULL;
}

bool peers_read(const json_t *daemon, const struct db_cores *known, struct peers *out)
{
    const json_t *list = json_object_get(daemon, "peers");
    const json_t *rqlite = json_object_get(daemon, "rqlite");
    const json_t *entry;
    size_t i;
    *out = (struct peers){.items = NULL};
    if (!json_is_array(list)) {
        return false;
    }
    out->items = mem_xalloc((json_array_size(list) + 1) * sizeof *out->items);
    out->told = (struct verdict_input){
        .peers = out->items,
        .id = text(daemon, "id"),
        .revision = count(daemon, "revision"),
        .stale = json_is_true(json_object_get(daemon, "stale")),
        .age_ms = number(daemon, "snapshotAgeMs", -1),
        .source = text(daemon, "source"),
        .store_error = text(daemon, "storeError"),
        .rqlite = strcmp(text(daemon, "engine"), "rqlite") == 0,
        .state = text(rqlite, "state"),
        .leader = text(rqlite, "leader"),
        .voters = count(rqlite, "voters"),
        .nonvoters = count(rqlite, "nonVoters"),
        .unreachable = count(rqlite, "unreachable"),
    };
    json_array_foreach(list, i, entry)
    {
        read_peer(entry, &out->items[out->told.count]);
        out->told.count += !is_gone(&out->items[out->told.count], known);
    }
    return true;
}

void peers_free(struct peers *p)
{
    free(p->items);
    *p = (struct peers){.items = NULL};
}

/* ---- showing ------------------------------------------------------------------------------- */

static void add_count(struct str *out, size_t n, const char *what)
{
    if (n > 0) {
        str_appendf(out, ", %zu %s%s", n, what, n == 1 ? "" : "s");
    }
}

static void add_role(const json_t *r, struct str *out)
{
    const char *role = text(r, "role");
    const char *leader = text(r, "leader");
    if (role[0] != '\0') {
        str_appendf(out, ", %s", role);
    }
    if (leader[0] == '\0') {
        str_append(out, ", no leader");
    } else if (strcmp(role, "leader") != 0) {
        str_appendf(out, "%s%s", strcmp(role, "follower") == 0 ? " of " : ", leader is ", leader);
    }
}

void peers_engine_line(const json_t *daemon, struct str *out)
{
    const json_t *r = json_object_get(daemon, "rqlite");
    const char *state = text(r, "state");
    const char *last = text(r, "lastExit");
    if (!json_is_object(r)) {
        return;
    }
    if (state[0] == '\0') {
        str_append(out, "rqlite     external, not looked after here");
        return;
    }
    str_appendf(out, "rqlite     %s", state);
    if (strcmp(state, "alive") == 0 || strcmp(state, "ready") == 0) {
        add_role(r, out);
        add_count(out, count(r, "voters"), "voter");
        add_count(out, count(r, "nonVoters"), "non-voter");
        if (count(r, "unreachable") > 0) {
            str_appendf(out, ", %zu of them silent", count(r, "unreachable"));
        }
    }
    if (number(r, "pid", 0) > 0) {
        str_appendf(out, ", pid %" PRId64, number(r, "pid", 0));
    }
    if (text(r, "version")[0] != '\0') {
        str_appendf(out, ", version %s", text(r, "version"));
    }
    add_count(out, count(r, "restarts"), "restart");
    if (last[0] != '\0') {
        str_appendf(out, ", last ended: %s", last);
    }
}

static void state_of(const struct verdict_peer *p, char out[64])
{
    char age[VERDICT_AGE_TEXT];
    if (p->self) {
        snprintf(out, 64, "this one");
    } else if (p->age_ms < 0) {
        snprintf(out, 64, "never heard");
    } else if (p->live) {
        snprintf(out, 64, "live");
    } else {
        verdict_age(p->age_ms, age);
        snprintf(out, 64, "silent since %s", age);
    }
}

void peers_table(const struct peers *p, struct str *out)
{
    struct columns table;
    char state[64], revision[24], digest[VERDICT_DIGEST + 1];
    if (p->told.count == 0) {
        return;
    }
    columns_init(&table, 5, (const char *[]){"CORE", "STATE", "REVISION", "DIGEST", "VERSION"});
    for (size_t i = 0; i < p->told.count; i++) {
        const struct verdict_peer *q = &p->items[i];
        state_of(q, state);
        snprintf(revision, sizeof revision, "%" PRIu64, q->revision);
        snprintf(digest, sizeof digest, "%.*s", VERDICT_DIGEST, q->digest);
        columns_add(&table,
                    (const char *[]){q->id, state, q->age_ms >= 0 || q->self ? revision : "-",
                                     digest[0] != '\0' ? digest : "-", q->version});
    }
    columns_render(&table, out);
    columns_free(&table);
}
