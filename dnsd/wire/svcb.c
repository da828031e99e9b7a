/* SvcParams of SVCB and HTTPS records between text and wire form (RFC 9460).
 *
 * A value passes two layers of escapes on its way in: first those of any quoted string (\DDD, \"),
 * then, for lists, the list's own: "\," is a comma that does not separate (RFC 9460 appendix A.1).
 * Writing undoes them in the opposite order. On the wire parameters stand in the order of their
 * keys, each once; text may have them in any order. */
#include "rdata_priv.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/str.h"

#define KEY_TEXT_MAX 32

enum {
    KEY_MANDATORY = 0,
    KEY_ALPN = 1,
    KEY_NO_DEFAULT_ALPN = 2,
    KEY_PORT = 3,
    KEY_IPV4HINT = 4,
    KEY_ECH = 5,
    KEY_IPV6HINT = 6,
    KEY_OHTTP = 8,
    KEY_INVALID = 65535 /* RFC 9460 §14.3.2: reserved */
};

static const char *const key_names[] = {"mandatory", "alpn",     "no-default-alpn",
                                        "port",      "ipv4hint", "ech",
                                        "ipv6hint",  "dohpath",  "ohttp"};
#define KEY_NAMES (sizeof key_names / sizeof key_names[0])

struct param {
    uint16_t key;
    size_t at; /* of the value in the scratch */
    size_t len;
};

static void key_to_text(uint16_t key, char *out)
{
    if (key < KEY_NAMES) {
        snprintf(out, KEY_TEXT_MAX, "%s", key_names[key]);
    } else {
        snprintf(out, KEY_TEXT_MAX, "key%u", key);
    }
}

/* *GENERIC: written as keyNNNNN, so the value is wire form whatever the key means. */
static bool key_from_text(const char *text, uint16_t *out, bool *generic)
{
    uint32_t number = 0;
    *generic = false;
    for (size_t i = 0; i < KEY_NAMES; i++) {
        if (strcmp(text, key_names[i]) == 0) {
            *out = (uint16_t)i;
            return true;
        }
    }
    if (strncmp(text, "key", 3) != 0 || (text[3] == '0' && text[4] != '\0') ||
        !str_parse_u32(text + 3, KEY_INVALID - 1, &number)) {
        return false;
    }
    *out = (uint16_t)number;
    *generic = true;
    return true;
}

/* ---- text to wire ---- */

/* Takes an item of a comma-separated list off IN and resolves the list's escapes in place; the item
 * is terminated, as IN has one octet behind its end to spare. NULL at the end of the list. */
static uint8_t *take_item(uint8_t **in, uint8_t *end, size_t *len)
{
    uint8_t *start = *in;
    uint8_t *to = start;
    uint8_t *at = start;
    if (start > end) {
        return NULL;
    }
    for (; at < end && *at != ','; at++) {
        if (*at == '\\' && at + 1 < end) {
            at++;
        }
        *to++ = *at;
    }
    *in = at + 1;
    *to = '\0';
    *len = (size_t)(to - start);
    return start;
}

static int compare_u16(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static enum err put_mandatory(uint8_t *at, uint8_t *end, struct buf_writer *out,
                              struct err_info *info)
{
    uint16_t keys[RDATA_SVCB_PARAMS_MAX];
    size_t count = 0;
    size_t len = 0;
    bool generic;
    uint8_t *item;
    while ((item = take_item(&at, end, &len)) != NULL) {
        if (count == RDATA_SVCB_PARAMS_MAX) {
            return err_set(info, ERR_LIMIT, "more than %d keys", RDATA_SVCB_PARAMS_MAX);
        }
        if (strlen((char *)item) != len || !key_from_text((char *)item, &keys[count], &generic)) {
            return err_set(info, ERR_MALFORMED, "\"%.40s\" is not a key", (char *)item);
        }
        count++;
    }
    qsort(keys, count, sizeof keys[0], compare_u16); /* RFC 9460 §8: ascending on the wire */
    for (size_t i = 0; i < count; i++) {
        buf_put_u16(out, keys[i]);
    }
    return ERR_OK;
}

static enum err put_alpn(uint8_t *at, uint8_t *end, struct buf_writer *out, struct err_info *info)
{
    size_t len = 0;
    uint8_t *item;
    while ((item = take_item(&at, end, &len)) != NULL) {
        if (len == 0 || len > 255) {
            return err_set(info, ERR_MALFORMED, "a protocol has 1 to 255 octets, as in h2,h3");
        }
        buf_put_u8(out, (uint8_t)len);
        buf_put(out, item, len);
    }
    return ERR_OK;
}

static enum err put_hints(int family, uint8_t *at, uint8_t *end, struct buf_writer *out,
                          struct err_info *info)
{
    uint8_t address[16];
    size_t len = 0;
    uint8_t *item;
    while ((item = take_item(&at, end, &len)) != NULL) {
        if (strlen((char *)item) != len || inet_pton(family, (char *)item, address) != 1) {
            return err_set(info, ERR_MALFORMED, "\"%.40s\" is not an IPv%d address", (char *)item,
                           family == AF_INET ? 4 : 6);
        }
        buf_put(out, address, family == AF_INET ? 4 : 16);
    }
    return ERR_OK;
}

/* Turns the value at AT..END (string escapes resolved, one octet to spare) into its wire form. */
static enum err put_value(uint16_t key, uint8_t *at, uint8_t *end, struct buf_writer *out,
                          struct err_info *info)
{
    uint32_t port = 0;
    *end = '\0';
    switch (key) {
    case KEY_MANDATORY:
        return put_mandatory(at, end, out, info);
    case KEY_ALPN:
        return put_alpn(at, end, out, info);
    case KEY_PORT:
        if (memchr(at, '\0', (size_t)(end - at)) != NULL ||
            !str_parse_u32((char *)at, UINT16_MAX, &port)) {
            return err_set(info, ERR_MALFORMED, "must be a number from 0 to 65535");
        }
        buf_put_u16(out, (uint16_t)port);
        return ERR_OK;
    case KEY_IPV4HINT:
        return put_hints(AF_INET, at, end, out, info);
    case KEY_IPV6HINT:
        return put_hints(AF_INET6, at, end, out, info);
    case KEY_ECH:
        return rdata_base64_read((char *)at, (size_t)(end - at), out, info);
    default:
        buf_put(out, at, (size_t)(end - at));
        return ERR_OK;
    }
}

/* The part of TOKEN behind its '=', without quotes around it; .at is NULL if there is no '='. */
static struct wire_token value_of(const struct wire_token *token, size_t key_len)
{
    struct wire_token value = {.at = NULL};
    if (key_len == token->len) {
        return value;
    }
    value.at = token->at + key_len + 1;
    value.len = token->len - key_len - 1;
    if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"') {
        value.at++;
        value.len -= 2;
    }
    return value;
}

/* Reads `key`, `key=value` or `key="value"`; the wire form of the value goes to the scratch. */
static enum err read_param(const struct wire_token *token, struct param *out,
                           struct buf_writer *scratch, struct err_info *info)
{
    char key[KEY_TEXT_MAX];
    bool generic = false;
    const char *equals = memchr(token->at, '=', token->len);
    size_t key_len = equals != NULL ? (size_t)(equals - token->at) : token->len;
    struct wire_token key_token = {.at = token->at, .len = key_len};
    if (token->quoted || !wire_text_copy(&key_token, key, sizeof key) ||
        !key_from_text(key, &out->key, &generic)) {
        return err_set(info, ERR_MALFORMED,
                       "\"%.*s\" is not a parameter; known are mandatory, alpn, no-default-alpn, "
                       "port, ipv4hint, ech, ipv6hint, dohpath, ohttp and key0 to key65534",
                       (int)(token->len < 40 ? token->len : 40), token->at);
    }
    struct wire_token value = value_of(token, key_len);
    uint8_t *copy = malloc(value.len + 1);
    if (copy == NULL) {
        return err_set(info, ERR_NOMEM, "no memory to read a record");
    }
    struct buf_writer octets = buf_writer_of(copy, value.len);
    enum err e = value.at != NULL ? wire_text_octets(&value, &octets, info) : ERR_OK;
    out->at = scratch->len;
    if (e == ERR_OK && value.at != NULL) {
        e = put_value(generic ? KEY_INVALID : out->key, copy, copy + octets.len, scratch, info);
    }
    out->len = scratch->len - out->at;
    free(copy);
    return e == ERR_OK ? ERR_OK : err_prefix(info, e, "%s: ", key);
}

static int compare_params(const void *a, const void *b)
{
    return (int)((const struct param *)a)->key - (int)((const struct param *)b)->key;
}

static enum err read_params(const char **at, struct param *params, size_t *count,
                            struct buf_writer *scratch, struct err_info *info)
{
    for (;;) {
        struct wire_token token;
        enum err e = wire_text_next(at, &token, info);
        if (e != ERR_OK || token.at == NULL) {
            return e;
        }
        if (*count == RDATA_SVCB_PARAMS_MAX) {
            return err_set(info, ERR_LIMIT, "more than %d parameters", RDATA_SVCB_PARAMS_MAX);
        }
        e = read_param(&token, &params[*count], scratch, info);
        if (e != ERR_OK) {
            return e;
        }
        (*count)++;
    }
}

enum err rdata_svcb_read(const char **at, struct buf_writer *out, struct err_info *info)
{
    struct param params[RDATA_SVCB_PARAMS_MAX];
    size_t count = 0;
    uint8_t *bytes = malloc(WIRE_RDATA_MAX);
    if (bytes == NULL) {
        return err_set(info, ERR_NOMEM, "no memory to read a record");
    }
    struct buf_writer scratch = buf_writer_of(bytes, WIRE_RDATA_MAX);
    enum err e = read_params(at, params, &count, &scratch, info);
    if (e == ERR_OK && scratch.bad) {
        e = err_set(info, ERR_LIMIT, "the parameters are too long");
    }
    if (e != ERR_OK) {
        goto out;
    }
    qsort(params, count, sizeof params[0], compare_params); /* RFC 9460 §2.2: ascending keys */
    for (size_t i = 0; i < count; i++) {
        buf_put_u16(out, params[i].key);
        buf_put_u16(out, (uint16_t)params[i].len);
        buf_put(out, bytes + params[i].at, params[i].len);
    }
out:
    free(bytes);
    return e;
}

/* ---- the check of the wire form ---- */

struct seen {
    uint16_t keys[RDATA_SVCB_PARAMS_MAX]; /* ascending */
    size_t count;
    const uint8_t *mandatory; /* borrowed; NULL: not there */
    size_t mandatory_len;
};

static bool has_key(const struct seen *seen, uint16_t key)
{
    return bsearch(&key, seen->keys, seen->count, sizeof key, compare_u16) != NULL;
}

static bool alpn_ok(const uint8_t *bytes, size_t len)
{
    struct buf_reader in = buf_reader_of(bytes, len);
    while (!in.bad && buf_left(&in) > 0) {
        size_t n = buf_u8(&in);
        if (n == 0) {
            return false;
        }
        (void)buf_take(&in, n);
    }
    return !in.bad && len > 0;
}

static const char *value_problem(uint16_t key, const uint8_t *bytes, size_t len)
{
    switch (key) {
    case KEY_MANDATORY:
        return len == 0 || len % 2 != 0 ? "wants a list of keys" : NULL;
    case KEY_ALPN:
        return alpn_ok(bytes, len) ? NULL : "wants a list of protocols, as in h2,h3";
    case KEY_NO_DEFAULT_ALPN:
    case KEY_OHTTP:
        return len > 0 ? "takes no value" : NULL;
    case KEY_PORT:
        return len != 2 ? "wants a port" : NULL;
    case KEY_IPV4HINT:
        return len == 0 || len % 4 != 0 ? "wants IPv4 addresses" : NULL;
    case KEY_IPV6HINT:
        return len == 0 || len % 16 != 0 ? "wants IPv6 addresses" : NULL;
    case KEY_ECH:
        return len == 0 ? "wants a value in base64" : NULL;
    case KEY_INVALID:
        return "is reserved";
    default:
        return NULL;
    }
}

/* RFC 9460 §8: ascending, each once, itself not among them, and each of them present. */
static enum err check_mandatory(const struct seen *seen, struct err_info *info)
{
    struct buf_reader in = buf_reader_of(seen->mandatory, seen->mandatory_len);
    int last = KEY_MANDATORY; /* so that it may not be listed */
    char text[KEY_TEXT_MAX];
    while (buf_left(&in) > 0) {
        uint16_t key = buf_u16(&in);
        key_to_text(key, text);
        if (key == KEY_MANDATORY || (int)key <= last) {
            return err_set(info, ERR_MALFORMED, "mandatory: %s must not be listed%s", text,
                           key == KEY_MANDATORY ? "" : " twice");
        }
        if (!has_key(seen, key)) {
            return err_set(info, ERR_MALFORMED, "mandatory: %s is listed but not given", text);
        }
        last = key;
    }
    return ERR_OK;
}

static enum err check_param(struct buf_reader *in, struct seen *seen, struct err_info *info)
{
    char text[KEY_TEXT_MAX];
    uint16_t key = buf_u16(in);
    size_t len = buf_u16(in);
    const uint8_t *value = buf_take(in, len);
    if (value == NULL) {
        return err_set(info, ERR_MALFORMED, "a parameter ends too early");
    }
    key_to_text(key, text);
    if (seen->count == RDATA_SVCB_PARAMS_MAX) {
        return err_set(info, ERR_LIMIT, "more than %d parameters", RDATA_SVCB_PARAMS_MAX);
    }
    if (seen->count > 0 && key <= seen->keys[seen->count - 1]) {
        return err_set(info, ERR_MALFORMED, "%s is there twice or out of order", text);
    }
    const char *problem = value_problem(key, value, len);
    if (problem != NULL) {
        return err_set(info, ERR_MALFORMED, "%s %s", text, problem);
    }
    if (key == KEY_MANDATORY) {
        seen->mandatory = value;
        seen->mandatory_len = len;
    }
    seen->keys[seen->count++] = key;
    return ERR_OK;
}

enum err rdata_svcb_check(const uint8_t *bytes, size_t len, struct err_info *info)
{
    struct buf_reader in = buf_reader_of(bytes, len);
    struct seen seen = {.count = 0, .mandatory = NULL};
    while (buf_left(&in) > 0) {
        enum err e = check_param(&in, &seen, info);
        if (e != ERR_OK) {
            return e;
        }
    }
    /* RFC 9460 §7.1.1 */
    if (has_key(&seen, KEY_NO_DEFAULT_ALPN) && !has_key(&seen, KEY_ALPN)) {
        return err_set(info, ERR_MALFORMED, "no-default-alpn wants alpn beside it");
    }
    return seen.mandatory != NULL ? check_mandatory(&seen, info) : ERR_OK;
}

/* ---- wire to text ---- */

static void write_octets(const uint8_t *bytes, size_t len, bool in_list, struct buf_writer *out)
{
    for (size_t i = 0; i < len; i++) {
        if (in_list && (bytes[i] == ',' || bytes[i] == '\\')) {
            rdata_put_text(out, "\\\\"); /* the list's backslash, as a string writes it */
        }
        wire_text_put(out, bytes[i], true);
    }
}

static void write_addresses(int family, struct buf_reader *in, struct buf_writer *out)
{
    char text[INET6_ADDRSTRLEN] = "";
    for (const char *between = ""; buf_left(in) > 0; between = ",") {
        (void)inet_ntop(family, buf_take(in, family == AF_INET ? 4 : 16), text, sizeof text);
        rdata_put_text(out, between);
        rdata_put_text(out, text);
    }
}

static void write_keys(struct buf_reader *in, struct buf_writer *out)
{
    char text[KEY_TEXT_MAX];
    for (const char *between = ""; buf_left(in) > 0; between = ",") {
        key_to_text(buf_u16(in), text);
        rdata_put_text(out, between);
        rdata_put_text(out, text);
    }
}

static void write_alpn(struct buf_reader *in, struct buf_writer *out)
{
    for (const char *between = ""; buf_left(in) > 0; between = ",") {
        size_t len = buf_u8(in);
        rdata_put_text(out, between);
        write_octets(buf_take(in, len), len, true, out);
    }
}

static void write_value(uint16_t key, const uint8_t *bytes, size_t len, struct buf_writer *out)
{
    struct buf_reader in = buf_reader_of(bytes, len);
    char port[8];
    switch (key) {
    case KEY_MANDATORY:
        write_keys(&in, out);
        break;
    case KEY_ALPN:
        write_alpn(&in, out);
        break;
    case KEY_PORT:
        snprintf(port, sizeof port, "%u", buf_u16(&in));
        rdata_put_text(out, port);
        break;
    case KEY_IPV4HINT:
        write_addresses(AF_INET, &in, out);
        break;
    case KEY_IPV6HINT:
        write_addresses(AF_INET6, &in, out);
        break;
    case KEY_ECH:
        rdata_base64_write(bytes, len, out);
        break;
    default:
        write_octets(bytes, len, false, out);
        break;
    }
}

void rdata_svcb_write(const uint8_t *bytes, size_t len, struct buf_writer *out)
{
    struct buf_reader in = buf_reader_of(bytes, len);
    char text[KEY_TEXT_MAX];
    while (buf_left(&in) > 0) {
        uint16_t key = buf_u16(&in);
        size_t n = buf_u16(&in);
        const uint8_t *value = buf_take(&in, n);
        key_to_text(key, text);
        rdata_put_text(out, " ");
        rdata_put_text(out, text);
        if (n > 0) {
            rdata_put_text(out, "=");
            write_value(key, value, n, out);
        }
    }
}
