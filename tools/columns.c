#include "columns.h"

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

void columns_clean(char *text)
{
    for (char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            *p = '?';
        }
    }
}

static char *clean_copy(const char *text)
{
    char *out = mem_xstrdup(text != NULL ? text : "");
    columns_clean(out);
    return out;
}

void columns_init(struct columns *t, size_t columns, const char *const *header)
{
    *t = (struct columns){.columns = columns};
    if (header != NULL) {
        columns_add(t, header);
    }
}

void columns_add(struct columns *t, const char *const *cells)
{
    if (t->count + t->columns > t->cap) {
        t->cap = t->cap == 0 ? 64 * t->columns : t->cap * 2;
        t->cells = mem_xrealloc(t->cells, t->cap * sizeof *t->cells);
    }
    for (size_t i = 0; i < t->columns; i++) {
        t->cells[t->count++] = clean_copy(cells[i]);
    }
}

void columns_render(const struct columns *t, struct str *out)
{
    size_t width[COLUMNS_MAX] = {0};
    for (size_t i = 0; i < t->count; i++) {
        size_t len = strlen(t->cells[i]);
        if (len > width[i % t->columns]) {
            width[i % t->columns] = len;
        }
    }
    for (size_t row = 0; row < t->count; row += t->columns) {
        size_t last = t->columns; /* empty cells at the end leave no blanks behind */
        while (last > 1 && t->cells[row + last - 1][0] == '\0') {
            last--;
        }
        for (size_t i = 0; i + 1 < last; i++) {
            str_appendf(out, "%-*s  ", (int)width[i], t->cells[row + i]);
        }
        str_appendf(out, "%s\n", t->cells[row + last - 1]);
    }
}

void columns_print(const struct columns *t, FILE *out)
{
    struct str text = {.text = NULL};
    columns_render(t, &text);
    fwrite(text.text, 1, text.len, out);
    str_free(&text);
}

void columns_free(struct columns *t)
{
    for (size_t i = 0; i < t->count; i++) {
        free(t->cells[i]);
    }
    free(t->cells);
    *t = (struct columns){.columns = 0};
}
