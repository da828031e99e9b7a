#include "store_crowd.h"

#include <stdio.h>
#include <string.h>

#include "store_sync.h"

struct room {
    struct crowd crowd;
    unsigned ended;
    char where[8]; /* of the one user, once anybody was told */
    struct guest {
        struct room *room;
        struct store *store; /* borrowed */
        char name[16];
    } guests[CROWD];
};

static void come_in(struct guest *g);

static void on_placed(void *ctx, enum err e, const struct err_info *info, enum store_placed how,
                      const struct store_user *user)
{
    struct guest *g = ctx;
    struct room *r = g->room;
    struct crowd *c = &r->crowd;
    if (e == ERR_BUSY) { /* nothing was written */
        come_in(g);
        return;
    }
    if (e != ERR_OK) {
        fail_msg("%s: %s: %s", g->name, err_text(e), info->text);
    }
    assert_string_equal(g->name, user->name);
    assert_true(how == STORE_PLACED || (how == STORE_PLACE_TAKEN && c->same));
    if (c->same && r->where[0] == '\0') {
        snprintf(r->where, sizeof r->where, "%s", user->core);
    }
    assert_true(!c->same || strcmp(r->where, user->core) == 0);
    c->placed += how == STORE_PLACED;
    c->taken += how == STORE_PLACE_TAKEN;
    c->on[user->core[0] - 'a'] += how == STORE_PLACED;
    r->ended++;
}

static void come_in(struct guest *g)
{
    struct store_place place = {.name = g->name, .label = g->name};
    store_user_place(g->store, &place, on_placed, g);
}

struct crowd crowd_place(uv_loop_t *loop, struct store *const *stores, size_t count, bool same)
{
    struct room r = {.crowd = {.same = same}};
    for (size_t i = 0; i < CROWD; i++) {
        struct guest *g = &r.guests[i];
        g->room = &r;
        g->store = stores[i % count];
        snprintf(g->name, sizeof g->name, "user%02zu", same ? 0 : i);
        come_in(g);
    }
    sync_wait_count(loop, &r.ended, CROWD);
    return r.crowd;
}

void crowd_assert_spread(struct crowd c)
{
    assert_int_equal(CROWD, c.placed);
    assert_int_equal(17, c.on[0]); /* of equals, the first */
    assert_int_equal(17, c.on[1]);
    assert_int_equal(16, c.on[2]);
}

void crowd_assert_one(struct crowd c)
{
    assert_int_equal(1, c.placed);
    assert_int_equal(CROWD - 1, c.taken);
}
