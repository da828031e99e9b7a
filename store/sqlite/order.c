#include "order.h"

#include <stdlib.h>
#include <string.h>

static const char *first_of(const struct backend_statement *st, size_t set)
{
    const char *text = backend_text(&st->values[set * st->params]);
    return text != NULL ? text : "";
}

static int compare(const void *a, const void *b)
{
    const struct order_item *left = a;
    const struct order_item *right = b;
    int order = strcmp(left->text, right->text);
    return order != 0 ? order : left->set < right->set ? -1 : left->set > right->set;
}

static bool is_ordered(const struct backend_statement *st)
{
    for (size_t set = 1; set < st->sets; set++) {
        if (strcmp(first_of(st, set - 1), first_of(st, set)) > 0) {
            return false;
        }
    }
    return true;
}

struct order_item *order_of(const struct backend_statement *st)
{
    if (st->params == 0 || is_ordered(st)) {
        return NULL;
    }
    struct order_item *order = calloc(st->sets, sizeof *order);
    if (order == NULL) {
        return NULL;
    }
    for (size_t set = 0; set < st->sets; set++) {
        order[set] = (struct order_item){.text = first_of(st, set), .set = set};
    }
    qsort(order, st->sets, sizeof *order, compare);
    return order;
}
