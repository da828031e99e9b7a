/* The JSON of a record set, both ways. What record_to_json() writes, record_from_json() reads back
 * to the same octets; beyond that the reader takes what the predecessor and operators write. Forms
 * that are not obvious are described in record.h. */
#include "record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dnsd/wire/rdata.h"
#include "lib/buf.h"
#include "lib/jx.h"

#define WHERE_MAX 64

struct reading {
    struct record_set *set;       /* borrowed */
    const struct wire_name *apex; /* borrowed */
    uint32_t default_ttl;
    const json_t *row; /* borrowed */
    record_problem_cb *on_problem;
    void *ctx;      /* borrowed */
    uint8_t *bytes; /* borrowed: room for one value's data, WIRE_RDATA_MAX */
    size_t values;  /* looked at so far */
};

static void tell(const struct reading *r, const char *where, const char *why)
{
    if (r->on_problem != NULL) {
        r->on_problem(r->ctx, where, why);
    }
}

static bool read_ttl(const json_t *value, int64_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > RECORD_TTL_MAX) {
        return false;
    }
    *out = json_integer_value(value);
    return true;
}

/* The TTL for TYPE: ttls.<type>, else ttl, else -1. A bad one was told already. */
static int64_t ttl_of(const struct reading *r, uint16_t type)
{
    int64_t ttl = -1;
    const char *key;
    json_t *value;
    uint16_t named = 0;
    size_t n = 0;
    (void)read_ttl(json_object_get(r->row, "ttl"), &ttl);
    json_object_foreach(json_object_get(r->row, "ttls"), key, value)
    {
        if (n++ == RECORD_MEMBERS_MAX) {
            break;
        }
        if (wire_type_from_text(key, &named) && named == type) {
            (void)read_ttl(value, &ttl);
        }
    }
    return ttl;
}

/* One more of MAX has been looked at. False: it is one too many; said once. */
static bool may_read(const struct reading *r, size_t *so_far, size_t max, const char *what,
                     const char *where)
{
    char why[80];
    if (*so_far < max) {
        ++*so_far;
        return true;
    }
    if (*so_far == max) {
        ++*so_far;
        snprintf(why, sizeof why, "more than %zu %s: from here on they are not read", max, what);
        tell(r, where, why);
    }
    return false;
}

static void tell_ttls(const struct reading *r)
{
    static const char why[] = "must be a number of seconds from 0 to 2147483647";
    const json_t *ttl = json_object_get(r->row, "ttl");
    json_t *ttls = json_object_get(r->row, "ttls");
    char where[WHERE_MAX];
    const char *key;
    json_t *value;
    int64_t ignored;
    uint16_t type;
    size_t n = 0;
    if (ttl != NULL && !json_is_null(ttl) && !read_ttl(ttl, &ignored)) {
        tell(r, "ttl", why);
    }
    if (ttls != NULL && !json_is_null(ttls) && !json_is_object(ttls)) {
        tell(r, "ttls", "must be an object, as in {\"txt\": 60}");
    }
    json_object_foreach(ttls, key, value)
    {
        snprintf(where, sizeof where, "ttls.%s", key);
        if (!may_read(r, &n, RECORD_MEMBERS_MAX, "members", "ttls")) {
            break;
        }
        if (!wire_type_from_text(key, &type)) {
            tell(r, where, "not a record type");
        } else if (!read_ttl(value, &ignored)) {
            tell(r, where, why);
        }
    }
}

/* A string of any length as one TXT record (RFC 1035 §3.3.14). */
static enum err read_txt(const struct reading *r, const json_t *value, size_t *len,
                         struct err_info *info)
{
    const char *text = json_string_value(value);
    size_t left = json_string_length(value);
    struct buf_writer w = buf_writer_of(r->bytes, WIRE_RDATA_MAX);
    do {
        size_t n = left < 255 ? left : 255;
        buf_put_u8(&w, (uint8_t)n);
        buf_put(&w, text, n);
        text += n;
        left -= n;
    } while (left > 0);
    *len = w.len;
    return w.bad ? err_set(info, ERR_LIMIT, "the text is too long") : ERR_OK;
}

/* What the predecessor takes an MX without a priority for. */
#define MX_PRIORITY_DEFAULT 10

static enum err read_mx(const struct reading *r, const json_t *value, size_t *len,
                        struct err_info *info)
{
    const char *exchange = NULL;
    int64_t priority = MX_PRIORITY_DEFAULT;
    char text[WIRE_NAME_TEXT_MAX + 8];
    enum err e = jx_int(value, "priority", 0, UINT16_MAX, &priority, info);
    if (e == ERR_OK || e == ERR_NOTFOUND) {
        e = jx_string(value, "exchange", &exchange, info);
    }
    if (e != ERR_OK) {
        return e;
    }
    int n = snprintf(text, sizeof text, "%" PRId64 " %s", priority, exchange);
    if (n < 0 || (size_t)n >= sizeof text) {
        return err_set(info, ERR_MALFORMED, "exchange: too long for a name");
    }
    return wire_rdata_from_input(TYPE_MX, text, r->apex, r->bytes, len, info);
}

static enum err read_caa(const struct reading *r, const json_t *value, size_t *len,
                         struct err_info *info)
{
    const char *tag = NULL;
    const char *text = NULL;
    int64_t flags = 0;
    enum err e = jx_int(value, "flags", 0, UINT8_MAX, &flags, info);
    if (e == ERR_NOTFOUND) {
        e = ERR_OK;
    }
    if (e == ERR_OK) {
        e = jx_string(value, "tag", &tag, info);
    }
    if (e == ERR_OK) {
        e = jx_string(value, "value", &text, info);
    }
    if (e != ERR_OK) {
        return e;
    }
    struct buf_writer w = buf_writer_of(r->bytes, WIRE_RDATA_MAX);
    buf_put_u8(&w, (uint8_t)flags);
    buf_put_u8(&w, strlen(tag) <= 255 ? (uint8_t)strlen(tag) : 0); /* 0 fails the check below */
    buf_put(&w, tag, strlen(tag));
    buf_put(&w, text, strlen(text));
    *len = w.len;
    return w.bad ? err_set(info, ERR_LIMIT, "the value is too long")
                 : wire_rdata_check(TYPE_CAA, r->bytes, w.len, info);
}

static enum err read_data(const struct reading *r, uint16_t type, const json_t *value, size_t *len,
                          struct err_info *info)
{
    const char *text = json_string_value(value);
    if (json_is_string(value) && type == TYPE_TXT) {
        return read_txt(r, value, len, info);
    }
    if (json_is_object(value) && type == TYPE_MX) {
        return read_mx(r, value, len, info);
    }
    if (json_is_object(value) && type == TYPE_CAA) {
        return read_caa(r, value, len, info);
    }
    if (json_is_object(value) && type == TYPE_TXT) {
        enum err e = jx_string(value, "text", &text, info);
        if (e != ERR_OK) {
            return e;
        }
    }
    if (text == NULL) {
        return err_set(info, ERR_MALFORMED, "must be a string");
    }
    return wire_rdata_from_input(type, text, r->apex, r->bytes, len, info);
}

/* TTL: what ttl_of() says, which is asked once a member. */
static void read_value(const struct reading *r, uint16_t type, int64_t ttl, const json_t *value,
                       const char *where)
{
    struct err_info info = {.text = ""};
    size_t len = 0;
    enum err e = read_data(r, type, value, &len, &info);
    if (e == ERR_OK) {
        e = record_add_wire(r->set, type, ttl >= 0 ? (uint32_t)ttl : r->default_ttl, r->bytes, len,
                            &info);
    }
    if (e != ERR_OK) {
        tell(r, where, info.text[0] != '\0' ? info.text : err_text(e));
        return;
    }
    for (size_t i = 0; ttl < 0 && i < r->set->count; i++) {
        if (r->set->sets[i].type == type) {
            r->set->sets[i].ttl_default = true;
        }
    }
}

static void read_member(struct reading *r, const char *key, const json_t *value)
{
    char where[WHERE_MAX];
    uint16_t type = 0;
    size_t i;
    json_t *item;
    if (json_is_null(value)) { /* how JavaScript says that there is none */
        return;
    }
    if (!wire_type_from_text(key, &type)) {
        tell(r, key, "not a record type");
        return;
    }
    int64_t ttl = ttl_of(r, type);
    if (!json_is_array(value)) {
        if (may_read(r, &r->values, RECORD_VALUES_MAX, "values", key)) {
            read_value(r, type, ttl, value, key);
        }
        return;
    }
    json_array_foreach(value, i, item)
    {
        snprintf(where, sizeof where, "%s[%zu]", key, i);
        if (!may_read(r, &r->values, RECORD_VALUES_MAX, "values", where)) {
            break;
        }
        read_value(r, type, ttl, item, where);
    }
}

enum err record_from_json(const char *json, const struct wire_name *apex, uint32_t default_ttl,
                          struct record_set *out, record_problem_cb *on_problem, void *ctx)
{
    uint8_t bytes[WIRE_RDATA_MAX];
    json_t *row = NULL;
    const char *key;
    json_t *value;
    size_t members = 0;
    *out = (struct record_set){.sets = NULL, .count = 0};
    enum err e = jx_parse_object(json, strlen(json), &row, NULL);
    if (e != ERR_OK) {
        return e;
    }
    struct reading r = {.set = out,
                        .apex = apex,
                        .default_ttl = default_ttl,
                        .row = row,
                        .on_problem = on_problem,
                        .ctx = ctx,
                        .bytes = bytes};
    tell_ttls(&r);
    json_object_foreach(row, key, value)
    {
        if (!may_read(&r, &members, RECORD_MEMBERS_MAX, "members", key)) {
            break;
        }
        if (strcmp(key, "ttl") != 0 && strcmp(key, "ttls") != 0) {
            read_member(&r, key, value);
        }
    }
    json_decref(row);
    return ERR_OK;
}
