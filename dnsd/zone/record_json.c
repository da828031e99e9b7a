/* The JSON of a record set, both ways. What record_to_json() writes, record_from_json() reads back
 * to the same octets; beyond that the reader takes what the predecessor and operators write. Forms
 * that are not obvious are described in record.h. */
#include "record.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnsd/wire/rdata.h"
#include "lib/buf.h"
#include "lib/jx.h"
#include "lib/mem.h"

#define WHERE_MAX 64

/* --- reading -----------------------------------------------------------------------------------
 */

struct reading {
    struct record_set *set;       /* borrowed */
    const struct wire_name *apex; /* borrowed */
    uint32_t default_ttl;
    const json_t *row; /* borrowed */
    record_problem_cb *on_problem;
    void *ctx;      /* borrowed */
    uint8_t *bytes; /* owned: WIRE_RDATA_MAX */
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
    (void)read_ttl(json_object_get(r->row, "ttl"), &ttl);
    json_object_foreach(json_object_get(r->row, "ttls"), key, value)
    {
        if (wire_type_from_text(key, &named) && named == type) {
            (void)read_ttl(value, &ttl);
        }
    }
    return ttl;
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
    if (ttl != NULL && !json_is_null(ttl) && !read_ttl(ttl, &ignored)) {
        tell(r, "ttl", why);
    }
    if (ttls != NULL && !json_is_null(ttls) && !json_is_object(ttls)) {
        tell(r, "ttls", "must be an object, as in {\"txt\": 60}");
    }
    json_object_foreach(ttls, key, value)
    {
        snprintf(where, sizeof where, "ttls.%s", key);
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

static enum err read_mx(const struct reading *r, const json_t *value, size_t *len,
                        struct err_info *info)
{
    const char *exchange = NULL;
    int64_t priority = 0;
    char text[WIRE_NAME_TEXT_MAX + 8];
    enum err e = jx_int(value, "priority", 0, UINT16_MAX, &priority, info);
    if (e == ERR_OK) {
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

static void read_value(const struct reading *r, uint16_t type, const json_t *value,
                       const char *where)
{
    struct err_info info = {.text = ""};
    int64_t ttl = ttl_of(r, type);
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

static void read_member(const struct reading *r, const char *key, const json_t *value)
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
    if (!json_is_array(value)) {
        read_value(r, type, value, key);
        return;
    }
    json_array_foreach(value, i, item)
    {
        snprintf(where, sizeof where, "%s[%zu]", key, i);
        read_value(r, type, item, where);
    }
}

enum err record_from_json(const char *json, const struct wire_name *apex, uint32_t default_ttl,
                          struct record_set *out, record_problem_cb *on_problem, void *ctx)
{
    json_t *row = NULL;
    const char *key;
    json_t *value;
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
                        .bytes = mem_xalloc(WIRE_RDATA_MAX)};
    tell_ttls(&r);
    json_object_foreach(row, key, value)
    {
        if (strcmp(key, "ttl") != 0 && strcmp(key, "ttls") != 0) {
            read_member(&r, key, value);
        }
    }
    free(r.bytes);
    json_decref(row);
    return ERR_OK;
}

/* --- writing -----------------------------------------------------------------------------------
 */

/* jansson without memory gives NULL; this file is for code that cannot go on then (record.h). */
static json_t *checked(json_t *value)
{
    if (value == NULL) {
        abort();
    }
    return value;
}

static void set_member(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, checked(value)) != 0) {
        abort();
    }
}

/* The bytes as a JSON string; NULL if they are not UTF-8 or hold a NUL, which JSON of the
 * predecessor cannot carry. */
static json_t *plain_string(const uint8_t *bytes, size_t len)
{
    return len > 0 && memchr(bytes, '\0', len) != NULL ? NULL
                                                       : json_stringn((const char *)bytes, len);
}

static json_t *write_text(uint16_t type, const struct record_data *data)
{
    char *text = NULL;
    enum err e = wire_rdata_to_text(type, data->bytes, data->len, &text, NULL);
    assert(e == ERR_OK); /* the data passed wire_rdata_check() on its way in */
    json_t *value = checked(json_string(text));
    free(text);
    return value;
}

/* A name as the predecessor writes it, if reading it back gives the same name. */
static json_t *write_name(const uint8_t *bytes, size_t len)
{
    struct wire_name name;
    char text[WIRE_NAME_TEXT_MAX];
    uint8_t address[16];
    enum err e = wire_name_from_wire(bytes, len, &name);
    assert(e == ERR_OK);
    wire_name_to_text(&name, text);
    if (name.labels >= 2) {
        char *dot = text + strlen(text) - 1;
        *dot = '\0';
        if (inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1) {
            *dot = '.';
        }
    }
    return checked(json_string(text));
}

/* The strings of a TXT record in a row, if cutting them at 255 octets gives the same strings. */
static bool join_strings(const struct record_data *data, uint8_t *out, size_t *len)
{
    struct buf_reader in = buf_reader_of(data->bytes, data->len);
    struct buf_writer w = buf_writer_of(out, data->len);
    size_t n = 255;
    while (buf_left(&in) > 0) {
        if (n != 255) {
            return false;
        }
        n = buf_u8(&in);
        buf_put(&w, buf_take(&in, n), n);
    }
    *len = w.len;
    return n > 0 || data->len == 1;
}

static json_t *write_txt(const struct record_data *data)
{
    json_t *value = NULL;
    size_t len = 0;
    uint8_t *joined = mem_xalloc(data->len);
    if (join_strings(data, joined, &len)) {
        value = plain_string(joined, len);
    }
    if (value == NULL) {
        value = checked(json_object());
        set_member(value, "text", write_text(TYPE_TXT, data));
    }
    free(joined);
    return value;
}

static json_t *write_mx(const struct record_data *data)
{
    json_t *value = checked(json_object());
    set_member(value, "exchange", write_name(data->bytes + 2, (size_t)data->len - 2));
    set_member(value, "priority", json_integer(get_u16(data->bytes)));
    return value;
}

static json_t *write_caa(const struct record_data *data)
{
    struct buf_reader in = buf_reader_of(data->bytes, data->len);
    uint8_t flags = buf_u8(&in);
    size_t tag_len = buf_u8(&in);
    const uint8_t *tag = buf_take(&in, tag_len);
    json_t *text = plain_string(in.at, buf_left(&in));
    if (text == NULL) {
        return write_text(TYPE_CAA, data);
    }
    json_t *value = checked(json_object());
    set_member(value, "flags", json_integer(flags));
    set_member(value, "tag", json_stringn((const char *)tag, tag_len));
    set_member(value, "value", text);
    return value;
}

static json_t *write_data(uint16_t type, const struct record_data *data)
{
    switch (type) {
    case TYPE_CNAME:
        return write_name(data->bytes, data->len);
    case TYPE_TXT:
        return write_txt(data);
    case TYPE_MX:
        return write_mx(data);
    case TYPE_CAA:
        return write_caa(data);
    default:
        return write_text(type, data);
    }
}

static void member_name(uint16_t type, char *out)
{
    wire_type_to_text(type, out);
    wire_name_fold((uint8_t *)out, (const uint8_t *)out, strlen(out));
}

static void write_rrset(json_t *row, const struct record_rrset *set)
{
    char key[WIRE_TYPE_TEXT_MAX];
    member_name(set->type, key);
    if (set->type == TYPE_CNAME && set->count == 1) {
        set_member(row, key, write_data(set->type, &set->data[0]));
        return;
    }
    json_t *list = checked(json_array());
    for (size_t i = 0; i < set->count; i++) {
        if (json_array_append_new(list, checked(write_data(set->type, &set->data[i]))) != 0) {
            abort();
        }
    }
    set_member(row, key, list);
}

static void write_ttls(json_t *row, const struct record_set *set)
{
    char key[WIRE_TYPE_TEXT_MAX];
    bool shared = true;
    json_t *ttls = checked(json_object());
    for (size_t i = 0; i < set->count; i++) {
        const struct record_rrset *s = &set->sets[i];
        shared = shared && !s->ttl_default && s->ttl == set->sets[0].ttl;
        if (!s->ttl_default) {
            member_name(s->type, key);
            set_member(ttls, key, json_integer(s->ttl));
        }
    }
    if (shared && set->count > 0) {
        set_member(row, "ttl", json_integer(set->sets[0].ttl));
    } else if (json_object_size(ttls) > 0) {
        set_member(row, "ttls", json_incref(ttls));
    }
    json_decref(ttls);
}

/* The members the predecessor knows come first, in its order. */
static const uint16_t first_types[] = {TYPE_A, TYPE_AAAA, TYPE_CNAME, TYPE_TXT, TYPE_MX, TYPE_CAA};
#define FIRST_TYPES (sizeof first_types / sizeof first_types[0])

static bool is_first(uint16_t type)
{
    for (size_t i = 0; i < FIRST_TYPES; i++) {
        if (first_types[i] == type) {
            return true;
        }
    }
    return false;
}

char *record_to_json(const struct record_set *set, const struct wire_name *apex)
{
    json_t *row = checked(json_object());
    (void)apex;
    for (size_t i = 0; i < FIRST_TYPES; i++) {
        const struct record_rrset *s = record_find(set, first_types[i]);
        if (s != NULL) {
            write_rrset(row, s);
        }
    }
    for (size_t i = 0; i < set->count; i++) {
        if (!is_first(set->sets[i].type)) {
            write_rrset(row, &set->sets[i]);
        }
    }
    write_ttls(row, set);
    char *text = json_dumps(row, JSON_COMPACT);
    if (text == NULL) {
        abort();
    }
    json_decref(row);
    return text;
}
