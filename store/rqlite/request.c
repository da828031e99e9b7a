#include "request.h"

#include <assert.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/str.h"
#include "sqltext.h"

#define TEXT_OF(x)  TEXT_OF_(x)
#define TEXT_OF_(x) #x

#define ROOM_FIRST 1024

/* The names of the two tables in errors are known to reply.c. The trigger prunes some rows at a
 * time, as that of the feed does. */
const char *const request_tables[REQUEST_TABLES] = {
    "CREATE TABLE IF NOT EXISTS dnsd_guard (nothing_changed INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS dnsd_write"
    " (n INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE)",
    "CREATE TRIGGER IF NOT EXISTS dnsd_write_prune AFTER INSERT ON dnsd_write"
    " WHEN NEW.n % 64 = 0 BEGIN"
    " DELETE FROM dnsd_write WHERE n <= NEW.n - " TEXT_OF(REQUEST_TOKENS_KEEP) "; END",
};

const char request_look_sql[] =
    "SELECT (SELECT count(*) FROM sqlite_master"
    " WHERE name IN ('dnsd_guard', 'dnsd_write', 'dnsd_write_prune')),"
    " (SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'dnsd_migration')";

static const char MARK_SQL[] = "SELECT coalesce(sum(seq), 0) FROM sqlite_sequence";
static const char CHECK_SQL[] = "SELECT 1 FROM dnsd_write WHERE token = ?1";

/* ---- bytes ----------------------------------------------------------------------------------- */

static void put(struct request *r, const char *bytes, size_t n)
{
    if (r->bad != ERR_OK) {
        return;
    }
    if (n > REQUEST_MAX - r->len) {
        r->bad = ERR_LIMIT;
        return;
    }
    if (r->len + n > r->cap) {
        size_t cap = r->cap == 0 ? ROOM_FIRST : 2 * r->cap;
        cap = cap < r->len + n ? r->len + n : cap;
        char *text = realloc(r->text, cap);
        if (text == NULL) {
            r->bad = ERR_NOMEM;
            return;
        }
        r->text = text;
        r->cap = cap;
    }
    memcpy(r->text + r->len, bytes, n);
    r->len += n;
}

static void put_text(struct request *r, const char *text)
{
    put(r, text, strlen(text));
}

/* Inside a JSON string: RFC 8259 §7. */
static bool must_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

/* N bytes as the inside of a JSON string; at LEVEL 2, of one that is inside another. */
static void put_escaped(struct request *r, const char *text, size_t n, unsigned level)
{
    size_t begin = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (!must_escape(c)) {
            continue;
        }
        char escape[8];
        int len = snprintf(escape, sizeof escape, c < 0x20 ? "\\u%04x" : "\\%c", c);
        put(r, text + begin, i - begin);
        begin = i + 1;
        if (level > 1) {
            put_escaped(r, escape, (size_t)len, level - 1);
        } else {
            put(r, escape, (size_t)len);
        }
    }
    put(r, text + begin, n - begin);
}

static void put_string(struct request *r, const char *text, unsigned level)
{
    const char *quote = level > 1 ? "\\\"" : "\"";
    put_text(r, quote);
    put_escaped(r, text, strlen(text), level);
    put_text(r, quote);
}

static void put_value(struct request *r, const struct backend_value *v, unsigned level)
{
    char number[24];
    switch (v->kind) {
    case BACKEND_NULL:
        put_text(r, "null");
        return;
    case BACKEND_NUMBER:
        snprintf(number, sizeof number, "%" PRId64, v->number);
        put_text(r, number);
        return;
    case BACKEND_TEXT:
        put_string(r, v->text, level);
        return;
    }
}

/* ---- text that cannot be a parameter --------------------------------------------------------- */

bool request_is_utf8(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    while (*p != '\0') {
        size_t n = str_utf8_len(p);
        if (n == 0) {
            return false;
        }
        p += n;
    }
    return true;
}

/* rqlite takes what begins so for a blob, whatever space is in front of it, and there are many
 * kinds of space outside of ASCII. */
static bool looks_like_blob(const char *text)
{
    while (*text != '\0' && ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f)) {
        text++;
    }
    return (text[0] == 'x' || text[0] == 'X') && text[1] == '\'';
}

static bool is_odd(const struct backend_value *v)
{
    return v->kind == BACKEND_TEXT && (!request_is_utf8(v->text) || looks_like_blob(v->text));
}

static bool has_odd(const struct backend_value *values, size_t params)
{
    for (size_t i = 0; i < params; i++) {
        if (is_odd(&values[i])) {
            return true;
        }
    }
    return false;
}

static void put_hex(struct request *r, const char *text)
{
    for (; *text != '\0'; text++) {
        char hex[3];
        snprintf(hex, sizeof hex, "%02x", (unsigned char)*text);
        put(r, hex, 2);
    }
}

/* The parameter stays where it was, empty, so that the others keep their numbers. */
static void put_odd_sql(struct request *r, const char *sql, const struct backend_value *values,
                        size_t params)
{
    const char *end = NULL;
    size_t n = 0;
    for (const char *at; (at = sqltext_param(sql, &end, &n)) != NULL; sql = end) {
        assert(n <= params);
        put_escaped(r, sql, (size_t)(at - sql), 1);
        if (is_odd(&values[n - 1])) {
            put_text(r, "(CAST(x'");
            put_hex(r, values[n - 1].text);
            put_text(r, "' AS TEXT) || ");
            put(r, at, (size_t)(end - at));
            put_text(r, ")");
        } else {
            put(r, at, (size_t)(end - at));
        }
    }
    put_escaped(r, sql, strlen(sql), 1);
}

/* ---- bodies ---------------------------------------------------------------------------------- */

void request_begin(struct request *r)
{
    r->len = 0;
    r->bad = ERR_OK;
    put_text(r, "[");
}

static void begin_entry(struct request *r)
{
    put_text(r, r->len > 1 ? ",[\"" : "[\"");
}

void request_add(struct request *r, const char *sql, const struct backend_value *values,
                 size_t params)
{
    bool odd = has_odd(values, params);
    begin_entry(r);
    if (odd) {
        put_odd_sql(r, sql, values, params);
    } else {
        put_escaped(r, sql, strlen(sql), 1);
    }
    put_text(r, "\"");
    for (size_t i = 0; i < params; i++) {
        put_text(r, ",");
        if (odd && is_odd(&values[i])) {
            put_text(r, "\"\"");
        } else {
            put_value(r, &values[i], 1);
        }
    }
    put_text(r, "]");
}

void request_add_many(struct request *r, const char *sql, const struct backend_value *values,
                      size_t params, size_t sets)
{
    begin_entry(r);
    put_escaped(r, sql, strlen(sql), 1);
    put_text(r, "\",\"[");
    for (size_t i = 0; i < sets && r->bad == ERR_OK; i++) {
        for (size_t k = 0; k < params; k++) {
            put_text(r, k > 0 ? "," : i > 0 ? ",[" : "[");
            put_value(r, &values[i * params + k], 2);
        }
        put_text(r, "]");
    }
    put_text(r, "]\"]");
}

enum err request_end(struct request *r, struct err_info *info)
{
    put_text(r, "]");
    if (r->bad == ERR_LIMIT) {
        return err_set(info, ERR_LIMIT, "more than %d bytes in one request; nothing was sent",
                       REQUEST_MAX);
    }
    return r->bad == ERR_OK ? ERR_OK : err_set(info, r->bad, "no memory for a request");
}

void request_fini(struct request *r)
{
    free(r->text);
    *r = (struct request){.text = NULL};
}

void request_add_check(struct request *r, const char *token)
{
    const struct backend_value v = {.kind = BACKEND_TEXT, .text = token};
    request_add(r, CHECK_SQL, &v, 1);
}

void request_add_mark(struct request *r)
{
    request_add(r, MARK_SQL, NULL, 0);
}
