/* From what the store holds to what a file wants: which rows are added, updated, left as they are,
 * removed. Pure; aborts when out of memory.
 *
 *   wishes (a file)  ─┐
 *                     ├─ plan_compare ─→ steps, in the order of names ─→ store_records_apply
 *   rows (the store) ─┘
 */
#ifndef TOOLS_PLAN_H
#define TOOLS_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "rows.h"

/* What a file wants one name to hold. */
struct wish {
    char *name;             /* owned: as the store calls it */
    struct wire_name owner; /* absolute, folded */
    struct record_set set;  /* owned */
    const void *where;      /* the reader's own: what to point at when there is a problem */
};
struct wishes {
    struct wish *items; /* owned */
    size_t count, cap;
};

/* An empty wish for OWNER at the end; valid until the next call. */
struct wish *wishes_add(struct wishes *w, const char *name, const struct wire_name *owner);
/* In the order of names, as plan_compare() wants them. */
void wishes_sort(struct wishes *w);
void wishes_free(struct wishes *w);

enum plan_kind { PLAN_ADD, PLAN_UPDATE, PLAN_KEEP, PLAN_REMOVE };
struct plan_step {
    enum plan_kind kind;
    const struct row *row;   /* borrowed from the rows; NULL: to be added */
    const struct wish *wish; /* borrowed from the wishes; NULL: to be removed */
};
struct plan {
    struct plan_step *steps; /* owned; in the order of names */
    size_t count;
    size_t added, updated, unchanged, removed;
};

/* Both sorted by name (rows: by key); no wish twice. REPLACE: rows nobody wishes are removed, else
 * they are left out of the plan. */
void plan_compare(const struct rows *rows, const struct wishes *wishes, bool replace,
                  struct plan *out);
void plan_free(struct plan *plan);

/* "Plan: +a added, ~u updated, =n unchanged, -r removed" */
void plan_line(const struct plan *plan, struct str *out);

/* The steps that change something, as the store takes them: *count of them. Caller frees with
 * plan_changes_free(). */
struct store_record_change *plan_changes(const struct plan *plan, const struct wire_name *apex,
                                         size_t *count);
void plan_changes_free(struct store_record_change *changes, size_t count);

#endif
