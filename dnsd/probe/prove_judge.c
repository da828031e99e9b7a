/* What an answer is worth, and what is told of all of them. Pure. */
#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "dnsd/wire/type.h"
#include "prove_priv.h"

#define VALUE_MAX 512 /* longer ones are nobody's challenge */

/* ---- judging an answer --------------------------------------------------------------------- */

/* Which of N's values the record is; N->count: none of them. */
static size_t which(const struct prove_name *n, const struct wire_record *r)
{
    char text[VALUE_MAX];
    size_t i = 0;
    if (wire_record_text(r, text, sizeof text) != ERR_OK) {
        return n->count;
    }
    while (i < n->count && strcmp(text, n->values[i]) != 0) {
        i++;
    }
    return i;
}

static void put_count(char *out, size_t room, size_t values)
{
    snprintf(out, room, "%zu value%s", values, values == 1 ? "" : "s");
}

/* The set is exactly the one that is wanted: nothing missing, nothing else, nothing twice. */
static bool same_set(const struct wire_message *m, const struct wire_name *owner,
                     const struct prove_name *n, char *answer)
{
    bool seen[PROVE_VALUES_MAX] = {false};
    size_t right = 0, other = 0;
    for (size_t i = 0; i < m->count; i++) {
        const struct wire_record *r = &m->records[i];
        if (r->section != WIRE_ANSWER || r->type != TYPE_TXT || r->class != CLASS_IN ||
            !wire_name_equal(&r->owner, owner)) {
            continue;
        }
        size_t k = which(n, r);
        if (k < n->count && !seen[k]) {
            seen[k] = true;
            right++;
        } else {
            other++;
        }
    }
    if (right == n->count && other == 0) {
        put_count(answer, PROVE_ANSWER_MAX, right);
        return true;
    }
    if (right + other == 0) {
        snprintf(answer, PROVE_ANSWER_MAX, "no value");
    } else if (other == 0) {
        snprintf(answer, PROVE_ANSWER_MAX, "%zu of %zu values", right, n->count);
    } else {
        snprintf(answer, PROVE_ANSWER_MAX, "%zu of %zu values, and %zu other%s", right, n->count,
                 other, other == 1 ? "" : "s");
    }
    return false;
}

static const char *rcode_text(uint16_t rcode)
{
    static const char *const words[] = {NULL,       "FORMERR", "SERVFAIL",
                                        "NXDOMAIN", "NOTIMP",  "REFUSED"};
    return rcode < sizeof words / sizeof words[0] ? words[rcode] : "an error of another kind";
}

bool prove_judge(struct cell *c, const struct probe_answer *answer)
{
    const struct wire_message *m = answer->message;
    struct wire_name owner;
    char target[WIRE_NAME_TEXT_MAX];
    size_t limit = c->tcp ? 65535 : c->edns ? PROBE_UDP_SIZE : 512; /* RFC 6891 §6.2.5 */
    const char *wrong = m->rcode != RCODE_NOERROR   ? rcode_text(m->rcode)
                        : (m->flags & WIRE_TC) != 0 ? "truncated (TC)"
                        : (m->flags & WIRE_AA) == 0 ? "not authoritative (no AA)"
                        : !m->question_same_case    ? "the question's letter case is changed"
                        : answer->size > limit      ? "larger than was asked for"
                                                    : NULL;
    if (wrong != NULL) {
        snprintf(c->answer, sizeof c->answer, "%s", wrong);
        return false;
    }
    /* A validator goes where an alias leads (RFC 8555 §8.4). */
    bool alias = wire_message_alias(m, &c->name->name, &owner);
    bool right = same_set(m, &owner, c->name, c->answer);
    if (alias && !right) {
        wire_name_to_text(&owner, target);
        snprintf(c->answer, sizeof c->answer, "a CNAME to %.120s, without the values", target);
    }
    return right;
}

/* ---- the report ---------------------------------------------------------------------------- */

/* One entry: all cells of a server and a transport. The first that is not right speaks for them. */
static json_t *entry(const struct cell *cells, size_t count)
{
    const struct cell *say = &cells[0];
    char address[ADDRESS_TEXT_MAX], answer[PROVE_ANSWER_MAX + 64 + WIRE_NAME_TEXT_MAX],
        name[WIRE_NAME_TEXT_MAX];
    int64_t took_ms = 0;
    size_t values = 0;
    bool ok = true, checked = false;
    for (size_t i = 0; i < count; i++) {
        took_ms = cells[i].took_ms > took_ms ? cells[i].took_ms : took_ms;
        checked = checked || cells[i].state != CELL_SKIPPED;
        values += cells[i].edns ? 0 : cells[i].name->count;
        if (ok && cells[i].state == CELL_OPEN) {
            ok = false;
            say = &cells[i];
        }
    }
    address_to_text(&say->server->address, address);
    wire_name_to_text(&say->name->name, name);
    if (ok && checked) { /* of all names together */
        put_count(answer, sizeof answer, values);
    } else if (ok) {
        snprintf(answer, sizeof answer, "%s", say->answer);
    } else {
        snprintf(answer, sizeof answer, "%s%s: %s", name, say->edns ? " (EDNS)" : "", say->answer);
    }
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:s, s:I}", "label", say->server->label, "address",
                     address, "transport", say->tcp ? "tcp" : "udp", "ok", ok && checked, "checked",
                     checked, "answer", answer, "ms", (json_int_t)took_ms);
}

char *prove_report(const struct prove *v, int64_t took_ms)
{
    json_t *list = json_array();
    size_t half = v->names_count * PROVE_WAYS / 2;
    for (size_t i = 0; i < v->cells_count; i += half) {
        json_array_append_new(list, entry(&v->cells[i], half));
    }
    json_t *all = json_pack("{s:o, s:I, s:I}", "servers", list, "rounds", (json_int_t)v->rounds,
                            "ms", (json_int_t)took_ms);
    char *text = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    return text;
}

enum err prove_blame(const struct prove *v, struct err_info *info)
{
    const struct cell *first = NULL;
    char address[ADDRESS_TEXT_MAX], name[WIRE_NAME_TEXT_MAX], more[64] = "";
    size_t others = 0, half = v->names_count * PROVE_WAYS / 2;
    for (size_t i = 0; i < v->cells_count; i += half) {
        const struct cell *wrong = NULL;
        for (size_t k = i; k < i + half && wrong == NULL; k++) {
            wrong = v->cells[k].state == CELL_OPEN ? &v->cells[k] : NULL;
        }
        others += wrong != NULL && first != NULL;
        first = first == NULL ? wrong : first;
    }
    assert(first != NULL);
    address_to_text(&first->server->address, address);
    wire_name_to_text(&first->name->name, name);
    if (others > 0) {
        snprintf(more, sizeof more, "; and %zu more are not right", others);
    }
    return err_set(info, ERR_TIMEOUT, "%.100s (%s over %s%s) gives for %.100s: %s%s",
                   first->server->label, address, first->tcp ? "TCP" : "UDP",
                   first->edns ? " with EDNS" : "", name, first->answer, more);
}
