#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnsd/wire/type.h"
#include "lib/mem.h"

struct fixed {
    struct wire_name owner; /* folded */
    enum names_kind kind;
};

struct names {
    struct wire_name apex; /* folded */
    bool servers_numbered;
    struct fixed *fixed; /* owned; sorted by owner, then by kind */
    size_t count;
    uint16_t *root_types; /* owned */
    size_t root_type_count;
};

static int compare_owner(const struct wire_name *a, const struct wire_name *b)
{
    if (a->len != b->len) {
        return a->len < b->len ? -1 : 1;
    }
    return memcmp(a->bytes, b->bytes, a->len);
}

static int compare_fixed(const void *a, const void *b)
{
    const struct fixed *x = a;
    const struct fixed *y = b;
    int order = compare_owner(&x->owner, &y->owner);
    return order != 0 ? order : (int)x->kind - (int)y->kind;
}

static void fold(struct wire_name *name)
{
    wire_name_fold(name->bytes, name->bytes, name->len);
}

static void add(struct names *n, enum names_kind kind, const struct wire_name *owner)
{
    struct fixed *f = &n->fixed[n->count++];
    f->owner = *owner;
    f->kind = kind;
    fold(&f->owner);
}

static void add_text(struct names *n, enum names_kind kind, const char *text)
{
    struct wire_name owner;
    if (wire_name_from_text(text, &n->apex, &owner, NULL) == ERR_OK) {
        add(n, kind, &owner);
    }
}

struct names *names_new(const struct names_config *config)
{
    struct names *n = mem_xalloc(sizeof *n);
    size_t most = 1 + config->service_count + config->server_count + config->static_count;
    n->apex = *config->apex;
    fold(&n->apex);
    n->servers_numbered = config->servers_numbered;
    n->fixed = mem_xalloc(most * sizeof *n->fixed);
    add_text(n, NAMES_DISCOVERY, "lsc");
    for (size_t i = 0; i < config->service_count; i++) {
        add_text(n, NAMES_SERVICE, config->services[i]);
    }
    for (size_t i = 0; i < config->server_count; i++) {
        add_text(n, NAMES_SERVER, config->servers[i]);
    }
    for (size_t i = 0; i < config->static_count; i++) {
        add(n, NAMES_STATIC, &config->statics[i]);
    }
    qsort(n->fixed, n->count, sizeof *n->fixed, compare_fixed);
    n->root_type_count = config->root_type_count;
    n->root_types = mem_xalloc((config->root_type_count + 1) * sizeof *n->root_types);
    for (size_t i = 0; i < config->root_type_count; i++) {
        n->root_types[i] = config->root_types[i];
    }
    return n;
}

void names_free(struct names *n)
{
    if (n != NULL) {
        free(n->fixed);
        free(n->root_types);
        free(n);
    }
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

enum err names_label(const char *text, char *out, struct err_info *info)
{
    size_t len = strlen(text);
    if (len == 0) {
        return err_set(info, ERR_MALFORMED, "the name is empty");
    }
    if (len > WIRE_LABEL_MAX) {
        return err_set(info, ERR_MALFORMED, "%.20s... has %zu characters; a label has at most %d",
                       text, len, WIRE_LABEL_MAX); /* RFC 1035 §2.3.4 */
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_letter_or_digit(text[i]) && text[i] != '-') {
            return err_set(info, ERR_MALFORMED, "%s is not one label of letters, digits and '-'",
                           text);
        }
    }
    if (text[0] == '-' || text[len - 1] == '-') {
        return err_set(info, ERR_MALFORMED, "%s begins or ends with '-'", text);
    }
    wire_name_fold((uint8_t *)out, (const uint8_t *)text, len + 1);
    return ERR_OK;
}

/* dnsN below the apex, N from 1: cores may come, so every number counts. */
static bool is_numbered_server(const struct names *n, const struct wire_name *owner)
{
    const uint8_t *label = owner->bytes + 1;
    size_t len = owner->bytes[0];
    if (!n->servers_numbered || owner->labels != n->apex.labels + 1 || len < 4 ||
        memcmp(label, "dns", 3) != 0 || label[3] == '0') {
        return false;
    }
    for (size_t i = 3; i < len; i++) {
        if (label[i] < '0' || label[i] > '9') {
            return false;
        }
    }
    return true;
}

enum names_kind names_fixed(const struct names *n, const struct wire_name *owner)
{
    struct wire_name folded = *owner;
    enum names_kind found = NAMES_NONE;
    size_t low = 0;
    size_t high = n->count;
    fold(&folded);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_owner(&n->fixed[middle].owner, &folded) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < n->count && compare_owner(&n->fixed[low].owner, &folded) == 0) {
        found = n->fixed[low].kind; /* the first of equal owners has the most meaning */
    }
    if ((found == NAMES_NONE || found > NAMES_SERVER) && wire_name_is_under(&folded, &n->apex) &&
        is_numbered_server(n, &folded)) {
        found = NAMES_SERVER;
    }
    return found;
}

enum names_kind names_shadow(const struct names *n, enum names_kind kind,
                             const struct wire_name *owner, const struct names_rows *rows)
{
    enum names_kind fixed = names_fixed(n, owner);
    if (fixed != NAMES_NONE) {
        return fixed;
    }
    if (rows->record && kind > NAMES_RECORD) {
        return NAMES_RECORD;
    }
    if (rows->core && kind > NAMES_CORE) {
        return NAMES_CORE;
    }
    return NAMES_NONE;
}

/* What a row of KIND would hide. */
static enum names_kind below(enum names_kind kind, const struct names_rows *rows)
{
    if (rows->core && kind < NAMES_CORE) {
        return NAMES_CORE;
    }
    if (rows->user && kind < NAMES_USER) {
        return NAMES_USER;
    }
    return NAMES_NONE;
}

const char *names_kind_text(enum names_kind kind)
{
    switch (kind) {
    case NAMES_DISCOVERY:
        return "the name by which the cluster finds its members";
    case NAMES_SERVICE:
        return "a service name (dns.serviceNames)";
    case NAMES_SERVER:
        return "a name server's own name (dns.nameservers)";
    case NAMES_STATIC:
        return "fixed by the configuration (dns.staticEntries)";
    case NAMES_RECORD:
        return "a stored record";
    case NAMES_CORE:
        return "a core";
    case NAMES_USER:
        return "a user";
    case NAMES_NONE:
        break;
    }
    return "free";
}

static const char *row_text(enum names_kind kind)
{
    switch (kind) {
    case NAMES_CORE:
        return "core";
    case NAMES_USER:
        return "user";
    default:
        return "record";
    }
}

enum err names_check(const struct names *n, enum names_kind kind, const struct wire_name *owner,
                     const struct names_rows *rows, struct err_info *info)
{
    char text[WIRE_NAME_TEXT_MAX];
    enum names_kind other = names_shadow(n, kind, owner, rows);
    if (other != NAMES_NONE) {
        wire_name_to_relative(owner, &n->apex, text);
        return err_set(info, ERR_CONFLICT,
                       "%.255s is %s: a %s of that name would never be answered", text,
                       names_kind_text(other), row_text(kind));
    }
    other = below(kind, rows);
    if (other != NAMES_NONE) {
        wire_name_to_relative(owner, &n->apex, text);
        return err_set(info, ERR_CONFLICT, "%.255s is %s: a %s of that name would hide it", text,
                       names_kind_text(other), row_text(kind));
    }
    return ERR_OK;
}

enum err names_check_type(const struct names *n, const struct wire_name *owner, uint16_t type,
                          struct err_info *info)
{
    char text[WIRE_TYPE_TEXT_MAX];
    if (!wire_name_equal(owner, &n->apex)) {
        return ERR_OK;
    }
    if (type == TYPE_SOA) {
        return err_set(info, ERR_CONFLICT,
                       "the SOA is made by the daemon; dns.records.root.soa says how");
    }
    for (size_t i = 0; i < n->root_type_count; i++) {
        if (n->root_types[i] == type) {
            wire_type_to_text(type, text);
            return err_set(info, ERR_CONFLICT,
                           "%s of the domain itself is fixed by the configuration "
                           "(dns.records.root): a stored one would never be answered",
                           text);
        }
    }
    return ERR_OK;
}
