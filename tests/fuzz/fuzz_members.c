/* Target: members_parse() and what is said about what it read, from a reply of any bytes; the same
 * bytes as an error's text. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/members.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct members *m)
{
    struct members_rest rest;
    assert(m->count <= MEMBERS_MAX);
    assert(m->voters + m->nonvoters == m->count);
    assert(m->unreachable <= m->count && m->voters_reachable <= m->voters);
    for (size_t i = 0; i < m->count; i++) {
        const struct member *n = members_find(m, m->items[i].id);
        assert(n != NULL && strcmp(n->id, m->items[i].id) == 0);
        assert(i == 0 || strcmp(m->items[i - 1].id, m->items[i].id) <= 0);
        enum members_removal r = members_removal(m, n->id, &rest);
        assert(r != MEMBERS_ABSENT);
        assert(rest.voters == m->voters - n->voter && rest.reachable <= rest.voters);
        assert(r != MEMBERS_REMOVABLE || (members_have_quorum(m) && rest.reachable > 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct members m;
    struct err_info info = {.text = ""};
    char *text = malloc(size + 1);
    assert(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    enum err e = members_parse(text, size, &m, &info);
    if (e == ERR_OK) {
        check(&m);
        members_free(&m);
    } else {
        assert(m.items == NULL && m.count == 0);
        assert(e == ERR_NOMEM || info.text[0] != '\0');
    }
    e = members_outcome(500, text, &info);
    assert(e != ERR_OK && info.text[0] != '\0');
    free(text);
    return 0;
}
