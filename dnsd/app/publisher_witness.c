/* Who asked for the proofs, as the cores have noted it, and a sentence that says it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/str.h"
#include "publisher_priv.h"

#define CORES_SAID    16 /* named in the sentence; their answers are in the report */
#define NETWORKS_SAID 256
#define TEXT_SAID     64

/* What the sentence needs of the rows. */
struct said {
    uint64_t times;
    size_t rows, networks, cores, bads;
    char network[NETWORKS_SAID][TEXT_SAID];
    char core[CORES_SAID][TEXT_SAID];
    char bad[CORES_SAID][2 * TEXT_SAID]; /* "core-b answered NXDOMAIN" */
};

/* Adds TEXT to the LIST of COUNT unless it is there; the new count. */
static size_t add(void *list, size_t size, size_t count, size_t max, const char *text)
{
    char *at = list;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(at + i * size, text, size - 1) == 0) {
            return count;
        }
    }
    if (count == max) {
        return count;
    }
    snprintf(at + count * size, size, "%s", text);
    return count + 1;
}

/* An answer with values, or a page that was found, is what a validator should get. */
static bool is_good(const char *answer)
{
    return (answer[0] >= '1' && answer[0] <= '9' && strstr(answer, "value") != NULL) ||
           strcmp(answer, "200") == 0 || strcmp(answer, "shown") == 0;
}

static void note(struct op *op, const struct store_witness *w)
{
    struct said *s = op->said;
    char bad[2 * TEXT_SAID];
    s->times += w->count;
    s->rows++;
    s->networks = add(s->network, TEXT_SAID, s->networks, NETWORKS_SAID, w->source);
    s->cores = add(s->core, TEXT_SAID, s->cores, CORES_SAID, w->core);
    if (!is_good(w->answer)) {
        snprintf(bad, sizeof bad, "%.60s answered %.50s", w->core, w->answer);
        s->bads = add(s->bad, sizeof bad, s->bads, CORES_SAID, bad);
    }
    json_array_append_new(op->witnesses,
                          json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "core", w->core, "name",
                                    w->name, "source", w->source, "transport", w->transport,
                                    "answer", w->answer, "count", (json_int_t)w->count, "at",
                                    (json_int_t)w->at_ms));
}

/* "asked 5 times from 3 networks at core-a and core-b; core-b answered NXDOMAIN" */
static void say(struct op *op)
{
    const struct said *s = op->said;
    char *out = op->info.text;
    size_t room = sizeof op->info.text, len;
    if (s->rows == 0) {
        err_set(&op->info, ERR_OK, "nobody asked for it");
        return;
    }
    len = (size_t)snprintf(out, room, "asked %llu time%s from %zu network%s at ",
                           (unsigned long long)s->times, s->times == 1 ? "" : "s", s->networks,
                           s->networks == 1 ? "" : "s");
    for (size_t i = 0; i < s->cores && len < room; i++) {
        const char *between = i == 0 ? "" : i + 1 == s->cores ? " and " : ", ";
        len += (size_t)snprintf(out + len, room - len, "%s%s", between, s->core[i]);
    }
    for (size_t i = 0; i < s->bads && len < room; i++) {
        len += (size_t)snprintf(out + len, room - len, "%s%s", i == 0 ? "; " : ", ", s->bad[i]);
    }
}

static void next(struct op *op);

static void on_witnesses(void *ctx, enum err e, const struct err_info *info,
                         const struct store_witness *list, size_t count)
{
    struct op *op = ctx;
    if (publisher_op_over(op)) {
        return;
    }
    if (e != ERR_OK) {
        publisher_op_note(op, "who asked could not be read: %.300s", info->text);
    }
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        note(op, &list[i]);
    }
    op->at++;
    next(op);
}

/* What a core notes the item's questions under. */
static const char *witness_name(const struct item *item)
{
    return item->type == ACME_DNS01    ? item->row
           : item->type == ACME_HTTP01 ? item->token
                                       : item->name;
}

static bool seen_before(const struct op *op)
{
    for (size_t i = 0; i < op->at; i++) {
        if (strcmp(witness_name(&op->items[i]), witness_name(&op->items[op->at])) == 0) {
            return true;
        }
    }
    return false;
}

static void next(struct op *op)
{
    while (op->at < op->items_count && seen_before(op)) {
        op->at++;
    }
    struct store *s = op->at < op->items_count ? publisher_op_store(op) : NULL;
    if (s != NULL) {
        store_witnesses_list(s, witness_name(&op->items[op->at]), op->since_ms, on_witnesses, op);
        return;
    }
    if (op->at < op->items_count) {
        publisher_op_note(op, "who asked could not be read: %.300s", op->info.text);
    }
    say(op);
    json_object_set_new(op->report, "summary", json_string(op->info.text));
    publisher_op_end(op, ERR_OK);
}

void publisher_witness_begin(struct op *op)
{
    op->said = mem_xalloc(sizeof *op->said);
    op->witnesses = json_array();
    json_object_set_new(op->report, "witnesses", op->witnesses);
    next(op);
}
