#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

struct wish *wishes_add(struct wishes *w, const char *name, const struct wire_name *owner)
{
    if (w->count == w->cap) {
        w->cap = w->cap == 0 ? 64 : w->cap * 2;
        w->items = mem_xrealloc(w->items, w->cap * sizeof *w->items);
    }
    struct wish *wish = &w->items[w->count++];
    *wish = (struct wish){.name = mem_xstrdup(name), .owner = *owner};
    return wish;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct wish *)a)->name, ((const struct wish *)b)->name);
}

void wishes_sort(struct wishes *w)
{
    if (w->count > 1) {
        qsort(w->items, w->count, sizeof *w->items, by_name);
    }
}

void wishes_free(struct wishes *w)
{
    for (size_t i = 0; i < w->count; i++) {
        free(w->items[i].name);
        record_set_free(&w->items[i].set);
    }
    free(w->items);
    *w = (struct wishes){.count = 0};
}

static void step(struct plan *plan, enum plan_kind kind, const struct row *row,
                 const struct wish *wish)
{
    plan->steps[plan->count++] = (struct plan_step){.kind = kind, .row = row, .wish = wish};
    plan->added += kind == PLAN_ADD;
    plan->updated += kind == PLAN_UPDATE;
    plan->unchanged += kind == PLAN_KEEP;
    plan->removed += kind == PLAN_REMOVE;
}

void plan_compare(const struct rows *rows, const struct wishes *wishes, bool replace,
                  struct plan *out)
{
    size_t r = 0;
    size_t w = 0;
    *out = (struct plan){.count = 0};
    out->steps = mem_xalloc((rows->count + wishes->count + 1) * sizeof *out->steps);
    while (r < rows->count || w < wishes->count) {
        const struct row *row = r < rows->count ? &rows->items[r] : NULL;
        const struct wish *wish = w < wishes->count ? &wishes->items[w] : NULL;
        int order = row == NULL ? 1 : wish == NULL ? -1 : strcmp(row->key, wish->name);
        if (order < 0) {
            if (replace) {
                step(out, PLAN_REMOVE, row, NULL);
            }
            r++;
        } else if (order > 0) {
            step(out, PLAN_ADD, NULL, wish);
            w++;
        } else {
            /* A row with values that cannot be served is put right. */
            bool same = row->problems == 0 && record_equal(&row->set, &wish->set);
            step(out, same ? PLAN_KEEP : PLAN_UPDATE, row, wish);
            r++;
            w++;
        }
    }
}

void plan_free(struct plan *plan)
{
    free(plan->steps);
    *plan = (struct plan){.count = 0};
}

void plan_line(const struct plan *plan, struct str *out)
{
    str_appendf(out, "Plan: +%zu added, ~%zu updated, =%zu unchanged, -%zu removed", plan->added,
                plan->updated, plan->unchanged, plan->removed);
}

struct store_record_change *plan_changes(const struct plan *plan, const struct wire_name *apex,
                                         size_t *count)
{
    struct store_record_change *changes = mem_xalloc((plan->count + 1) * sizeof *changes);
    size_t n = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_step *s = &plan->steps[i];
        if (s->kind != PLAN_KEEP) {
            changes[n++] = (struct store_record_change){
                .name = s->row != NULL ? s->row->name : s->wish->name,
                .expect = s->row != NULL ? s->row->json : NULL,
                .value = s->wish != NULL ? record_to_json(&s->wish->set, apex) : NULL,
            };
        }
    }
    *count = n;
    return changes;
}

void plan_changes_free(struct store_record_change *changes, size_t count)
{
    for (size_t i = 0; changes != NULL && i < count; i++) {
        free((char *)changes[i].value);
    }
    free(changes);
}
