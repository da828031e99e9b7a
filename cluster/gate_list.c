/* Serial numbers of certificates that count no more. */
#include <stdlib.h>
#include <string.h>

#include "gate_priv.h"
#include "lib/mem.h"

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool is_serial(const char *text)
{
    size_t len = strspn(text, "0123456789abcdef");
    return len > 0 && len < GATE_SERIAL && text[len] == '\0';
}

struct gate_list *gate_list_new(const char *const *serials, size_t count)
{
    size_t max = count < GATE_REVOKED_MAX ? count : GATE_REVOKED_MAX;
    struct gate_list *l = mem_xalloc(sizeof *l + max * GATE_SERIAL);
    for (size_t i = 0; i < max; i++) {
        if (is_serial(serials[i])) {
            memcpy(l->serial[l->count++], serials[i], strlen(serials[i]) + 1);
        }
    }
    qsort(l->serial, l->count, GATE_SERIAL, compare);
    return l;
}

bool gate_list_has(const struct gate_list *l, const char *serial)
{
    return l != NULL && bsearch(serial, l->serial, l->count, GATE_SERIAL, compare) != NULL;
}
