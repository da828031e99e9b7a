/* The table against a plain array; versions that stay what they were; what a change costs. */
#include "dnsd/zone/table.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dnsd/zone/node.h"
#include "lib/mem.h"

#define NAMES    100000 /* about 2,000 pages: several folders */
#define VERSIONS 20

static const struct hash_key hash = {.k0 = 0x1234, .k1 = 0x5678};

static uint32_t random_state;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 1664525 + 1013904223;
    return (uint32_t)(((uint64_t)random_state * n) >> 32);
}

/* Key I: every seventh is longer than a slot holds. */
static size_t key_of(uint32_t i, uint8_t key[TABLE_KEY_MAX])
{
    int n =
        snprintf((char *)key + 1, TABLE_KEY_MAX - 1, i % 7 == 0 ? "user-%u-%040u" : "u%u", i, i);
    key[0] = (uint8_t)n;
    return (size_t)n + 1;
}

/* What the table should hold: by key, its user and whether a node lies over it. */
struct model {
    uint16_t *core;
    bool *node;
    uint64_t used;
};

static struct model model_new(void)
{
    struct model m = {.core = mem_xalloc(NAMES * sizeof *m.core),
                      .node = mem_xalloc(NAMES * sizeof *m.node)};
    memset(m.core, 0xff, NAMES * sizeof *m.core);
    return m;
}

static struct model model_copy(const struct model *m)
{
    return (struct model){.core = mem_xmemdup(m->core, NAMES * sizeof *m->core),
                          .node = mem_xmemdup(m->node, NAMES * sizeof *m->node),
                          .used = m->used};
}

static void model_free(struct model *m)
{
    free(m->core);
    free(m->node);
}

static bool in_model(const struct model *m, uint32_t i)
{
    return m->core[i] != TABLE_NO_CORE || m->node[i];
}

static bool count_slot(void *ctx, const struct table_slot *slot)
{
    (void)slot;
    ++*(uint64_t *)ctx;
    return true;
}

static void verify(const struct table *t, const struct model *m)
{
    uint8_t key[TABLE_KEY_MAX];
    uint64_t walked = 0;
    for (uint32_t i = 0; i < NAMES; i++) {
        size_t len = key_of(i, key);
        const struct table_slot *s = table_find(t, key, len);
        if (!in_model(m, i)) {
            assert_null(s);
            continue;
        }
        assert_non_null(s);
        assert_int_equal(s->len, len);
        assert_int_equal(s->core, m->core[i]);
        assert_memory_equal(table_slot_key(s), key, len);
        assert_int_equal(s->kind == TABLE_NODE, m->node[i]);
    }
    table_each(t, count_slot, &walked);
    assert_int_equal(walked, m->used);
    assert_int_equal(t->used, m->used);
}

static void put_user(struct table_writer *w, struct model *m, uint32_t i, uint16_t core)
{
    uint8_t key[TABLE_KEY_MAX];
    size_t len = key_of(i, key);
    struct table_slot *s = table_edit(w, key, len);
    if (s->kind == TABLE_NODE) {
        s->core = core;
    } else {
        table_slot_user(w, s, key, len, core);
    }
    m->used += !in_model(m, i);
    m->core[i] = core;
}

static void put_node(struct table_writer *w, struct model *m, uint32_t i)
{
    uint8_t key[TABLE_KEY_MAX];
    size_t len = key_of(i, key);
    struct table_slot *s = table_edit(w, key, len);
    if (s->kind == TABLE_NODE) {
        table_retire(w->retired, s->u.node);
    }
    table_slot_node(w, s, zone_node_make(ZONE_STORED, key, len, NULL, 0, NULL), len);
    m->used += !in_model(m, i);
    m->node[i] = true;
}

/* Takes the node away, and gives back the user it hid, if any. */
static void remove_node(struct table_writer *w, struct model *m, uint32_t i)
{
    uint8_t key[TABLE_KEY_MAX];
    size_t len = key_of(i, key);
    if (!m->node[i]) {
        return;
    }
    struct table_slot *s = table_edit(w, key, len);
    table_retire(w->retired, s->u.node);
    if (s->core != TABLE_NO_CORE) {
        table_slot_user(w, s, key, len, s->core);
    } else {
        table_remove(w, key, len);
    }
    m->node[i] = false;
    m->used -= !in_model(m, i);
}

static void remove_user(struct table_writer *w, struct model *m, uint32_t i)
{
    uint8_t key[TABLE_KEY_MAX];
    size_t len = key_of(i, key);
    if (m->node[i]) {
        table_edit(w, key, len)->core = TABLE_NO_CORE;
    } else {
        table_remove(w, key, len); /* also if it is not there */
        m->used -= in_model(m, i);
    }
    m->core[i] = TABLE_NO_CORE;
}

static void change(struct table_writer *w, struct model *m)
{
    uint32_t i = random_below(NAMES);
    switch (random_below(8)) {
    case 0:
        put_node(w, m, i);
        break;
    case 1:
        remove_node(w, m, i);
        break;
    case 2:
    case 3:
        remove_user(w, m, i);
        break;
    default:
        put_user(w, m, i, (uint16_t)random_below(4096));
    }
}

static bool free_node(void *ctx, const struct table_slot *slot)
{
    (void)ctx;
    if (slot->kind == TABLE_NODE) {
        free(slot->u.node);
    }
    return true;
}

static void versions_stay_what_they_were(void **state)
{
    struct table_retired retired[VERSIONS] = {{.items = NULL}};
    struct table old[VERSIONS];
    struct model was[VERSIONS];
    struct model m = model_new();
    struct table_writer w = {.version = 1, .retired = &retired[0]};
    (void)state;
    random_state = 1;
    table_init(&w.now, &hash);
    for (uint32_t i = 0; i < NAMES; i += 2) {
        put_user(&w, &m, i, (uint16_t)(i % 1000));
    }
    for (unsigned v = 0; v < VERSIONS; v++) {
        for (unsigned i = 0; i < NAMES / 8; i++) {
            change(&w, &m);
        }
        old[v] = w.now;
        was[v] = model_copy(&m);
        w.version++;
        w.retired = &retired[v];
    }
    assert_true(w.now.pages > 3 * 256); /* split across folders */
    for (unsigned v = 0; v < VERSIONS; v++) {
        verify(&old[v], &was[v]);
        model_free(&was[v]);
    }
    table_each(&w.now, free_node, NULL);
    table_free(&w.now);
    for (unsigned v = 0; v < VERSIONS; v++) {
        table_retired_free(&retired[v]);
    }
    model_free(&m);
}

static void emptied_and_filled_again(void **state)
{
    struct table_retired retired = {.items = NULL};
    struct model m = model_new();
    struct table_writer w = {.version = 1, .retired = &retired};
    (void)state;
    table_init(&w.now, &hash);
    for (unsigned round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 5000; i++) {
            put_user(&w, &m, i, 7);
        }
        verify(&w.now, &m);
        for (uint32_t i = 0; i < 5000; i++) {
            remove_user(&w, &m, i);
        }
        verify(&w.now, &m);
        w.version++;
    }
    table_free(&w.now);
    table_retired_free(&retired);
    model_free(&m);
}

/* From the shortest key to the longest, on both sides of what a slot holds. */
static void keys_of_every_length(void **state)
{
    struct table_retired retired = {.items = NULL};
    struct table_writer w = {.version = 1, .retired = &retired};
    uint8_t key[TABLE_KEY_MAX];
    (void)state;
    memset(key, 'k', sizeof key);
    table_init(&w.now, &hash);
    for (size_t len = 1; len <= TABLE_KEY_MAX; len++) {
        table_slot_user(&w, table_edit(&w, key, len), key, len, (uint16_t)len);
    }
    for (size_t len = 1; len <= TABLE_KEY_MAX; len++) {
        const struct table_slot *s = table_find(&w.now, key, len);
        assert_non_null(s);
        assert_int_equal(s->core, len);
        assert_int_equal(s->kind, len <= TABLE_INLINE_MAX ? TABLE_USER : TABLE_USER_FAR);
    }
    for (size_t len = 1; len <= TABLE_KEY_MAX; len += 2) {
        table_remove(&w, key, len);
    }
    for (size_t len = 1; len <= TABLE_KEY_MAX; len++) {
        assert_int_equal(table_find(&w.now, key, len) != NULL, len % 2 == 0);
    }
    table_free(&w.now);
    table_retired_free(&retired);
}

/* ---- what one change costs ----------------------------------------------------------------- */

static size_t retired_bytes(const struct table_retired *r)
{
    size_t bytes = 0;
    for (size_t i = 0; i < r->count; i++) {
        bytes += malloc_usable_size(r->items[i]);
    }
    return bytes;
}

/* The dearest of 300 changes, each in a version of its own, in a table of N users. */
static size_t dearest_change(uint32_t n)
{
    struct table_retired retired = {.items = NULL};
    struct table_writer w = {.version = 1, .retired = &retired};
    uint8_t key[TABLE_KEY_MAX];
    size_t dearest = 0;
    table_init(&w.now, &hash);
    for (uint32_t i = 0; i < n; i++) {
        size_t len = key_of(i, key);
        table_slot_user(&w, table_edit(&w, key, len), key, len, 1);
    }
    for (uint32_t i = 0; i < 300; i++) {
        size_t len = key_of(n / 2 + i, key);
        w.version++;
        table_retired_free(&retired);
        switch (i % 3) {
        case 0:
            table_slot_user(&w, table_edit(&w, key, len), key, len, 2);
            break;
        case 1:
            table_remove(&w, key, len);
            break;
        default:
            len = key_of(n + i, key);
            table_slot_user(&w, table_edit(&w, key, len), key, len, 3);
        }
        size_t bytes = retired_bytes(&retired);
        dearest = bytes > dearest ? bytes : dearest;
    }
    table_retired_free(&retired);
    table_free(&w.now);
    return dearest;
}

static void a_change_costs_the_same_in_a_large_table(void **state)
{
    size_t small = dearest_change(1000);
    size_t large = dearest_change(200000);
    (void)state;
    print_message("one change replaces at most %zu bytes of 1,000 names, %zu of 200,000\n", small,
                  large);
    assert_true(small > 0);
    assert_true(large < 16384);
    assert_true(large < small + 8192);
}

static void bytes_grow_with_the_names_only(void **state)
{
    struct table_retired retired = {.items = NULL};
    struct table_writer w = {.version = 1, .retired = &retired};
    uint8_t key[TABLE_KEY_MAX];
    (void)state;
    table_init(&w.now, &hash);
    for (uint32_t i = 0; i < 50000; i++) {
        size_t len = key_of(i, key);
        table_slot_user(&w, table_edit(&w, key, len), key, len, 1);
    }
    /* 32 bytes a slot, pages between a third and four fifths full, one long key in seven. */
    assert_in_range(table_bytes(&w.now) / 50000, 32, 96);
    table_free(&w.now);
    table_retired_free(&retired);
}

static bool stop_at_ten(void *ctx, const struct table_slot *slot)
{
    (void)slot;
    return ++*(unsigned *)ctx < 10;
}

static void a_walk_can_be_ended(void **state)
{
    struct table_retired retired = {.items = NULL};
    struct table_writer w = {.version = 1, .retired = &retired};
    uint8_t key[TABLE_KEY_MAX];
    unsigned seen = 0;
    (void)state;
    table_init(&w.now, &hash);
    for (uint32_t i = 0; i < 100; i++) {
        size_t len = key_of(i, key);
        table_slot_user(&w, table_edit(&w, key, len), key, len, 1);
    }
    table_each(&w.now, stop_at_ten, &seen);
    assert_int_equal(seen, 10);
    table_free(&w.now);
    table_retired_free(&retired);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_stay_what_they_were),
        cmocka_unit_test(emptied_and_filled_again),
        cmocka_unit_test(keys_of_every_length),
        cmocka_unit_test(a_change_costs_the_same_in_a_large_table),
        cmocka_unit_test(bytes_grow_with_the_names_only),
        cmocka_unit_test(a_walk_can_be_ended),
    };
    return cmocka_run_group_tests_name("zone/table", tests, NULL, NULL);
}
