#include "reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/str.h"

#define SAID_MAX  200    /* of rqlite's own words, in a message of ours */
#define EXACT_MAX 0x1p53 /* whole numbers below this are exact in a double */

/* ---- words ----------------------------------------------------------------------------------- */

struct word {
    const char *said; /* somewhere in what rqlite says */
    enum reply_kind kind;
    enum err e;
    const char *meaning; /* NULL: rqlite's own words */
};

#define NO_LEADER "no leader: too few of the cluster's nodes can be reached"
#define STARTING  "it is starting"
#define NO_ROOM   "no room to write on that disk; free some space, then try again"

/* Of a request as a whole. The first that fits counts. A forwarded request brings the other node's
 * words with it. */
static const struct word request_words[] = {
    {"leadership lost", REPLY_UNKNOWN, ERR_UNAVAIL, "the leader was lost meanwhile"},
    {"stale read", REPLY_STALE, ERR_UNAVAIL, NO_LEADER},
    {"not leader", REPLY_LATER, ERR_UNAVAIL, NO_LEADER},
    {"leader not found", REPLY_LATER, ERR_UNAVAIL, NO_LEADER},
    {"leadership transfer in progress", REPLY_LATER, ERR_UNAVAIL, NO_LEADER},
    {"timed out enqueuing operation", REPLY_LATER, ERR_UNAVAIL, "the leader is overloaded"},
    {"not ready", REPLY_LATER, ERR_UNAVAIL, STARTING},
    {"not open", REPLY_LATER, ERR_UNAVAIL, STARTING},
    {"load in progress", REPLY_LATER, ERR_UNAVAIL, "a backup is being loaded into it"},
    {"connection refused", REPLY_LATER, ERR_UNAVAIL, "the leader cannot be reached"},
    {"no space left on device", REPLY_UNKNOWN, ERR_IO, NO_ROOM},
    {"database or disk is full", REPLY_UNKNOWN, ERR_IO, NO_ROOM},
    {"authorized", REPLY_FAILED, ERR_DENIED, NULL},
    {"unsupported value", REPLY_FAILED, ERR_MALFORMED, NULL}, /* an infinite number in a row */
    {"", REPLY_UNKNOWN, ERR_UNAVAIL, NULL},
};

/* Of one entry. A failed entry fails all of its transaction, so nothing was carried out; but where
 * it is the node's disk that fails, the others may well have carried it out. */
static const struct word entry_words[] = {
    {"UNIQUE constraint failed: dnsd_write.token", REPLY_BEFORE, ERR_CONFLICT, NULL},
    {"NOT NULL constraint failed: dnsd_guard.nothing_changed", REPLY_UNCHANGED, ERR_CONFLICT,
     "the row is not as expected"},
    {"database or disk is full", REPLY_UNKNOWN, ERR_IO, NO_ROOM},
    {"disk I/O error", REPLY_UNKNOWN, ERR_IO, NULL},
    {"disk image is malformed", REPLY_UNKNOWN, ERR_IO, "its database is damaged"},
    {"readonly database", REPLY_UNKNOWN, ERR_IO, NULL},
    {"is locked", REPLY_LATER, ERR_BUSY, NULL},
    {"out of memory", REPLY_FAILED, ERR_NOMEM, NULL},
    {"too big", REPLY_FAILED, ERR_LIMIT, NULL},
    {"no such table", REPLY_MISSING, ERR_MALFORMED, NULL},
    {"", REPLY_FAILED, ERR_MALFORMED, NULL},
};

/* Foreign words end up in terminals and logs: one line, no controls, not too long. */
static void tame(const char *words, char out[SAID_MAX])
{
    size_t n = 0;
    while (words[n] != '\0' && n < SAID_MAX - 1) {
        out[n] = (unsigned char)words[n] < ' ' || words[n] == 0x7f ? ' ' : words[n];
        n++;
    }
    while (n > 0 && (out[n - 1] == ' ' || (words[n] & 0xc0) == 0x80)) {
        n--; /* not in the middle of a UTF-8 character */
    }
    out[n] = '\0';
}

static void conclude(struct reply *r, enum reply_kind kind, enum err e, const char *words)
{
    char said[SAID_MAX];
    tame(words, said);
    r->kind = kind;
    r->e = err_set(&r->info, e, "%s", said[0] != '\0' ? said : "it does not say why");
}

/* LIST ends with a word that fits everything. */
static void judge(struct reply *r, const struct word *list, const char *said)
{
    while (strstr(said, list->said) == NULL) {
        list++;
    }
    conclude(r, list->kind, list->e, list->meaning != NULL ? list->meaning : said);
}

static void judge_entry(struct reply *r, const char *said)
{
    judge(r, entry_words, said);
    if (r->e == ERR_MALFORMED) {
        char words[SAID_MAX];
        tame(said, words);
        err_set(&r->info, r->e,
                "the tables in this database are not as this program makes them (%s)", words);
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* Nobody knows what such an answer means, hence nor what has become of the request. */
static void PRINTF_LIKE(2, 3) malformed(struct reply *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->info.text, sizeof r->info.text, fmt, ap);
    va_end(ap);
    r->kind = REPLY_UNKNOWN;
    r->e = ERR_MALFORMED;
}

/* True: OBJECT has an error, or something in its place that is none; *r says which. */
static bool has_error(struct reply *r, const json_t *object, size_t at,
                      void (*judge_words)(struct reply *r, const char *said))
{
    const char *said = NULL;
    struct err_info why;
    enum err e = jx_string(object, "error", &said, &why);
    if (e == ERR_NOTFOUND) {
        return false;
    }
    if (e != ERR_OK) {
        malformed(r, "its answer %zu has an error that is no text", at);
        return true;
    }
    r->at = at;
    judge_words(r, said);
    return true;
}

static void judge_request(struct reply *r, const char *said)
{
    judge(r, request_words, said);
}

static bool has_failed_entry(struct reply *r)
{
    for (size_t i = 0; i < r->count; i++) {
        const json_t *entry = json_array_get(r->results, i);
        if (!json_is_object(entry)) {
            malformed(r, "its answer %zu is not an object", i);
            return true;
        }
        if (has_error(r, entry, i, judge_entry)) {
            return true;
        }
    }
    return false;
}

/* In a transaction nothing follows the entry that failed, so only a reply without an error has to
 * be complete. */
static void read_results(struct reply *r, size_t entries)
{
    struct err_info why;
    if (has_error(r, r->root, 0, judge_request)) {
        return;
    }
    if (jx_array(r->root, "results", &r->results, &why) != ERR_OK) {
        malformed(r, "its answer has no results");
        return;
    }
    r->count = json_array_size(r->results);
    if (r->count > entries) {
        malformed(r, "%zu answers to %zu statements", r->count, entries);
    } else if (!has_failed_entry(r) && r->count < entries) {
        malformed(r, "%zu answers to %zu statements", r->count, entries);
    }
}

static void read_body(struct reply *r, const char *body, size_t len, size_t entries)
{
    struct err_info why;
    enum err e = jx_parse_loose(body, len, &r->root, &why);
    if (e != ERR_OK) {
        conclude(r, REPLY_UNKNOWN, e, why.text);
    } else if (!json_is_object(r->root)) {
        malformed(r, "its answer is not an object");
    } else {
        read_results(r, entries);
    }
}

static void read_status(struct reply *r, unsigned status, const char *location, const char *body)
{
    char words[SAID_MAX];
    char said[SAID_MAX];
    tame(body, said);
    if (status == 401 || status == 403) {
        conclude(r, REPLY_FAILED, ERR_DENIED,
                 "it refuses this user or password, or the user may not do this");
    } else if (status == 503) {
        judge(r, request_words, body);
        r->kind = REPLY_LATER;
        r->e = ERR_UNAVAIL;
    } else if (status >= 500) {
        judge(r, request_words, body);
    } else if (status >= 300 && status < 400) {
        tame(location != NULL ? location : "", said);
        snprintf(words, sizeof words, "it sends us elsewhere (HTTP %u, %.100s): not asked for",
                 status, said);
        conclude(r, REPLY_FAILED, ERR_UNAVAIL, words);
    } else {
        snprintf(words, sizeof words, "not an answer of rqlite's (HTTP %u, %.100s)", status, said);
        conclude(r, REPLY_FAILED, ERR_MALFORMED, words);
    }
}

void reply_read(struct reply *r, unsigned status, const char *location, const char *body,
                size_t len, size_t entries)
{
    *r = (struct reply){.kind = REPLY_OK};
    if (status == 200) {
        read_body(r, body, len, entries);
    } else {
        read_status(r, status, location, body);
    }
}

void reply_none(struct reply *r, enum err e, const char *why, bool sent)
{
    *r = (struct reply){.kind = REPLY_OK};
    if (e == ERR_DENIED || e == ERR_CANCELED || (e == ERR_NOMEM && !sent)) {
        conclude(r, REPLY_FAILED, e, why);
    } else if (e == ERR_UNAVAIL || e == ERR_TIMEOUT) {
        conclude(r, sent ? REPLY_UNKNOWN : REPLY_LATER, ERR_UNAVAIL, why);
    } else {
        conclude(r, sent ? REPLY_UNKNOWN : REPLY_FAILED, e, why);
    }
}

void reply_fini(struct reply *r)
{
    json_decref(r->root);
    r->root = NULL;
    r->results = NULL;
}

/* ---- numbers and rows ------------------------------------------------------------------------ */

static bool whole_number(const json_t *cell, int64_t *out)
{
    if (json_is_integer(cell)) {
        *out = json_integer_value(cell);
        return true;
    }
    double d = json_real_value(cell);
    if (!json_is_real(cell) || d <= -EXACT_MAX || d >= EXACT_MAX) {
        return false;
    }
    *out = (int64_t)d;
    return (double)*out == d;
}

uint64_t reply_changes(const struct reply *r, size_t entry)
{
    int64_t changes = 0;
    struct err_info why;
    enum err e =
        jx_int(json_array_get(r->results, entry), "rows_affected", 0, INT64_MAX, &changes, &why);
    return e == ERR_OK ? (uint64_t)changes : 0;
}

/* False: it is nothing that a cell can be. */
static bool cell_from(const json_t *json, struct pool *pool, struct backend_value *out)
{
    char text[32];
    int64_t number = 0;
    switch (json_typeof(json)) {
    case JSON_NULL:
        *out = (struct backend_value){.kind = BACKEND_NULL};
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        *out = (struct backend_value){.kind = BACKEND_NUMBER, .number = json_is_true(json)};
        return true;
    case JSON_STRING:
        *out = (struct backend_value){.kind = BACKEND_TEXT, .text = json_string_value(json)};
        return true;
    case JSON_INTEGER:
    case JSON_REAL:
        if (whole_number(json, &number)) {
            *out = (struct backend_value){.kind = BACKEND_NUMBER, .number = number};
            return true;
        }
        snprintf(text, sizeof text, "%.15g", json_real_value(json));
        *out = (struct backend_value){.kind = BACKEND_TEXT, .text = pool_text(pool, text)};
        return true;
    case JSON_OBJECT:
    case JSON_ARRAY:
        break;
    }
    return false;
}

static enum err fill(struct reply_rows *out, const json_t *values, struct err_info *info)
{
    struct backend_value *cell = out->cells;
    for (size_t i = 0; i < out->rows; i++) {
        const json_t *row = json_array_get(values, i);
        if (json_array_size(row) != out->columns) {
            return err_set(info, ERR_MALFORMED, "row %zu has %zu cells instead of %zu", i,
                           json_array_size(row), out->columns);
        }
        for (size_t k = 0; k < out->columns; k++) {
            if (!cell_from(json_array_get(row, k), &out->pool, cell++)) {
                return err_set(info, ERR_MALFORMED, "row %zu has a cell of no kind", i);
            }
        }
    }
    for (size_t k = 0; k < out->columns; k++) {
        *cell++ = (struct backend_value){.kind = BACKEND_NULL};
    }
    return out->pool.bad ? err_set(info, ERR_NOMEM, "no memory for the rows") : ERR_OK;
}

enum err reply_rows(const struct reply *r, size_t entry, struct sqltext_shape shape,
                    struct reply_rows *out, struct err_info *info)
{
    const json_t *result = json_array_get(r->results, entry);
    const json_t *values = NULL;
    enum err e = jx_array(result, "values", &values, info);
    *out = (struct reply_rows){.columns = shape.columns};
    if (e == ERR_MALFORMED) {
        return e;
    }
    out->rows = json_array_size(values); /* 0 of NULL: no rows, no values */
    if (shape.one_row && out->rows != 1) {
        return err_set(info, ERR_MALFORMED, "%zu rows instead of one", out->rows);
    }
    out->cells = pool_array(&out->pool, out->rows + 1, out->columns * sizeof *out->cells);
    if (out->cells == NULL) {
        return err_set(info, ERR_NOMEM, "no memory for %zu rows", out->rows);
    }
    return fill(out, values, info);
}

void reply_rows_fini(struct reply_rows *rows)
{
    pool_fini(&rows->pool);
    rows->cells = NULL;
    rows->rows = 0;
}

/* ---- versions -------------------------------------------------------------------------------- */

bool reply_linearizable(const char *version)
{
    char part[2][12] = {"", ""};
    uint32_t major = 0;
    uint32_t minor = 0;
    if (version == NULL) {
        return false;
    }
    version += *version == 'v';
    for (size_t i = 0; i < 2; i++) {
        size_t len = strcspn(version, ".-+");
        if (len >= sizeof part[i]) {
            return false;
        }
        memcpy(part[i], version, len);
        version += len + (version[len] == '.');
    }
    if (!str_parse_u32(part[0], 1000, &major)) {
        return false;
    }
    return major > 8 || (major == 8 && str_parse_u32(part[1], 100000, &minor) && minor >= 32);
}
