/* From a record set to JSON: canonical, and such that record_json_read.c gets the same octets back.
 * The forms are described in record.h. */
#include "record.h"

#include <arpa/inet.h>
#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "dnsd/wire/rdata.h"
#include "lib/buf.h"
#include "lib/mem.h"

/* jansson without memory gives NULL; then there is no going on (record.h). */
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
