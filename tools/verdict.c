#include "verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"

const char *verdict_kind_text(enum verdict_kind kind)
{
    static const char *const texts[] = {"fine", "behind", "attention", "read-only"};
    return texts[kind];
}

void verdict_age(int64_t ms, char out[VERDICT_AGE_TEXT])
{
    int64_t s = ms > 0 ? ms / 1000 : 0;
    if (s < 120) {
        snprintf(out, VERDICT_AGE_TEXT, "%" PRId64 " s", s);
    } else if (s < 120 * 60) {
        snprintf(out, VERDICT_AGE_TEXT, "%" PRId64 " min", s / 60);
    } else if (s < 48 * 3600) {
        snprintf(out, VERDICT_AGE_TEXT, "%" PRId64 " h", s / 3600);
    } else {
        snprintf(out, VERDICT_AGE_TEXT, "%" PRId64 " d", s / 86400);
    }
}

/* Adds a part to the sentence; what does not fit is left out. */
static void PRINTF_LIKE(3, 4) add(struct verdict *v, enum verdict_kind kind, const char *fmt, ...)
{
    va_list ap;
    size_t len = strlen(v->text);
    if (len > 0) {
        len += (size_t)snprintf(v->text + len, sizeof v->text - len, "; ");
        len = len < sizeof v->text ? len : sizeof v->text - 1;
    }
    va_start(ap, fmt);
    vsnprintf(v->text + len, sizeof v->text - len, fmt, ap);
    va_end(ap);
    if (kind > v->kind) {
        v->kind = kind;
    }
}

/* ---- the store ----------------------------------------------------------------------------- */

static const char *answers(const struct verdict_input *in, char out[64])
{
    char age[VERDICT_AGE_TEXT];
    if (strcmp(in->source, "configuration") == 0) {
        return "only what the configuration says is answered";
    }
    if (in->age_ms < 0) {
        return "answers are of an earlier run";
    }
    verdict_age(in->age_ms, age);
    snprintf(out, 64, "answers are of %s ago", age);
    return out;
}

static bool runs(const char *state)
{
    return strcmp(state, "alive") == 0 || strcmp(state, "ready") == 0;
}

/* No leader, or none for long. Which cores are lost, and which of us it is that is lost, cannot be
 * told apart from one side of a broken line. */
static void judge_leaderless(const struct verdict_input *in, struct verdict *out)
{
    char text[64];
    size_t nodes = in->voters + in->nonvoters;
    bool ours = in->state[0] != '\0';
    if (ours && nodes == 0) {
        add(out, VERDICT_READ_ONLY, "in no cluster yet, waiting for the others; %s, writes fail",
            answers(in, text));
    } else if (ours && !in->stale && in->voters > 0 && in->unreachable <= (in->voters - 1) / 2) {
        add(out, VERDICT_READ_ONLY, "no leader: the cores are choosing one, writes wait");
    } else if (in->unreachable > 0 && in->unreachable + 1 < nodes) {
        add(out, VERDICT_READ_ONLY,
            "no quorum: %zu of %zu nodes do not answer; reads go on (%s), writes fail",
            in->unreachable, nodes, answers(in, text));
    } else {
        add(out, VERDICT_READ_ONLY,
            "no quorum, or cut off from the cluster: %s, reads go on, writes fail",
            answers(in, text));
    }
}

/* True: said what is wrong, and the cores need no comparing. */
static bool judge_store(const struct verdict_input *in, struct verdict *out)
{
    char text[64];
    bool ours = in->rqlite && in->state[0] != '\0';
    if (ours && !runs(in->state)) {
        add(out, VERDICT_READ_ONLY, "the database does not run here (%s): %s, writes fail",
            in->state, answers(in, text));
    } else if (in->rqlite && (in->stale || (ours && in->leader[0] == '\0'))) {
        judge_leaderless(in, out);
    } else if (in->store_error[0] != '\0') {
        add(out, VERDICT_READ_ONLY, "the store fails (%.300s): %s", in->store_error,
            answers(in, text));
    } else if (strcmp(in->source, "store") != 0 && in->source[0] != '\0') {
        add(out, VERDICT_ATTENTION, "the store is not read yet: %s", answers(in, text));
    }
    return out->text[0] != '\0';
}

/* ---- the cores ----------------------------------------------------------------------------- */

static bool counts(const struct verdict_peer *p)
{
    return p->self || (p->live && p->age_ms >= 0);
}

static bool same_place(const struct verdict_peer *a, const struct verdict_peer *b)
{
    return counts(a) && counts(b) && a->revision == b->revision && a->digest[0] != '\0' &&
           b->digest[0] != '\0';
}

static size_t votes_for(const struct verdict_input *in, const struct verdict_peer *p)
{
    size_t n = 0;
    for (size_t i = 0; i < in->count; i++) {
        n += same_place(&in->peers[i], p) && strcmp(in->peers[i].digest, p->digest) == 0;
    }
    return n;
}

/* The core whose digest counts at P's revision: that of most, else this core's, else the first's. */
static const struct verdict_peer *measure(const struct verdict_input *in,
                                          const struct verdict_peer *p)
{
    const struct verdict_peer *best = NULL;
    size_t most = 0;
    for (size_t i = 0; i < in->count; i++) {
        const struct verdict_peer *q = &in->peers[i];
        size_t n = same_place(q, p) ? votes_for(in, q) : 0;
        if (n > most || (n > 0 && n == most && q->self)) {
            best = q;
            most = n;
        }
    }
    return best;
}

static void judge_digests(const struct verdict_input *in, struct verdict *out)
{
    for (size_t i = 0; i < in->count; i++) {
        const struct verdict_peer *p = &in->peers[i];
        const struct verdict_peer *m = measure(in, p);
        if (m != NULL && strcmp(m->digest, p->digest) != 0) {
            add(out, VERDICT_ATTENTION,
                "%.63s differs at revision %" PRIu64 ": digest %.*s, on %.63s %.*s", p->id,
                p->revision, VERDICT_DIGEST, p->digest, m->id, VERDICT_DIGEST, m->digest);
        }
    }
}

static void judge_silent(const struct verdict_input *in, struct verdict *out)
{
    char age[VERDICT_AGE_TEXT];
    size_t silent = 0;
    for (size_t i = 0; i < in->count; i++) {
        const struct verdict_peer *p = &in->peers[i];
        if (!p->live && !p->self) {
            verdict_age(p->age_ms, age);
            add(out, VERDICT_ATTENTION, "%.63s is silent since %s", p->id, age);
            silent++;
        }
    }
    if (in->unreachable > 0 && silent == 0) {
        add(out, VERDICT_ATTENTION, "%zu of the database's %zu nodes %s not answer",
            in->unreachable, in->voters + in->nonvoters, in->unreachable == 1 ? "does" : "do");
    }
}

static void judge_revision(const char *id, uint64_t has, uint64_t wanted, struct verdict *out)
{
    if (has < wanted) {
        uint64_t n = wanted - has;
        add(out, VERDICT_BEHIND, "%.63s is %" PRIu64 " revision%s behind", id, n,
            n == 1 ? "" : "s");
    }
}

static void judge_revisions(const struct verdict_input *in, uint64_t wanted, struct verdict *out)
{
    bool self = false;
    for (size_t i = 0; i < in->count; i++) {
        if (counts(&in->peers[i])) {
            judge_revision(in->peers[i].id, in->peers[i].revision, wanted, out);
            self = self || in->peers[i].self;
        }
    }
    if (!self) {
        judge_revision(in->id, in->revision, wanted, out);
    }
}

static void say_fine(const struct verdict_input *in, uint64_t wanted, uint64_t highest,
                     struct verdict *out)
{
    size_t heard = 0;
    bool even = true;
    for (size_t i = 0; i < in->count; i++) {
        if (counts(&in->peers[i])) {
            heard++;
            even = even && in->peers[i].revision == highest;
        }
    }
    if (heard < 2) {
        add(out, VERDICT_FINE, "%s, at revision %" PRIu64,
            in->rqlite && in->voters + in->nonvoters != 1
                ? "no other core is heard of; this one answers"
                : "one core",
            in->revision);
    } else if (even) {
        add(out, VERDICT_FINE, "all cores agree at revision %" PRIu64, highest);
    } else {
        add(out, VERDICT_FINE, "all cores have revision %" PRIu64 ", and some have more", wanted);
    }
}

uint64_t verdict_highest(const struct verdict_input *in)
{
    uint64_t highest = in->revision;
    for (size_t i = 0; i < in->count; i++) {
        if (counts(&in->peers[i]) && in->peers[i].revision > highest) {
            highest = in->peers[i].revision;
        }
    }
    return highest;
}

void verdict_make(const struct verdict_input *in, struct verdict *out)
{
    uint64_t highest = verdict_highest(in);
    *out = (struct verdict){.kind = VERDICT_FINE};
    if (judge_store(in, out)) {
        return;
    }
    uint64_t wanted = in->wanted != 0 ? in->wanted : highest;
    judge_digests(in, out);
    judge_silent(in, out);
    judge_revisions(in, wanted, out);
    if (out->text[0] == '\0') {
        say_fine(in, wanted, highest, out);
    }
}
