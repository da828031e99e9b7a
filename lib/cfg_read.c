/* Reading the tree by a table: values by type, and the keys that no table knows. */
#include "cfg.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cfg_priv.h"
#include "mem.h"

static const char *kind_text(const struct cfg_node *node)
{
    return node->kind == CFG_LIST ? "a list" : node->kind == CFG_MAP ? "a map" : "a single value";
}

static bool want_scalar(struct cfg *c, const struct cfg_node *node, const char *wanted)
{
    if (node->kind == CFG_SCALAR) {
        return true;
    }
    cfg_problem(c, node, "is %s; it must be %s", kind_text(node), wanted);
    return false;
}

static char lower(char ch)
{
    return ch >= 'A' && ch <= 'Z' ? (char)(ch - 'A' + 'a') : ch;
}

static bool is_word(const char *text, const char *word)
{
    for (; *text != '\0' && lower(*text) == *word; text++, word++) {
    }
    return *text == '\0' && *word == '\0';
}

/* The words of YAML 1.1 and 1.2, except y and n alone, which nobody should have to guess. */
static bool parse_bool(const char *text, bool *out)
{
    static const char *const yes[] = {"true", "yes", "on"};
    static const char *const no[] = {"false", "no", "off"};
    for (size_t i = 0; i < 3; i++) {
        if (is_word(text, yes[i]) || is_word(text, no[i])) {
            *out = is_word(text, yes[i]);
            return true;
        }
    }
    return false;
}

bool cfg_bool(struct cfg *c, const struct cfg_node *node, bool *out)
{
    char shown[CFG_SHOWN_MAX];
    if (!want_scalar(c, node, "true or false")) {
        return false;
    }
    if (!parse_bool(node->text, out)) {
        cfg_problem(c, node, "%s is not true or false", cfg_shown(node->text, shown));
        return false;
    }
    return true;
}

/* Decimal digits with an optional minus; no other notation, so nobody has to know which YAML reads
 * 010 as 8. */
static bool parse_int(const char *text, int64_t *out)
{
    bool negative = *text == '-';
    int64_t value = 0;
    text += negative ? 1 : 0;
    if (*text == '\0' || (text[0] == '0' && text[1] != '\0')) {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        /* Too long is out of every range, so where it stops does not matter. */
        value = value > (INT64_MAX - 9) / 10 ? INT64_MAX : value * 10 + (*text - '0');
    }
    *out = negative ? -value : value;
    return true;
}

bool cfg_int(struct cfg *c, const struct cfg_node *node, int64_t min, int64_t max, int64_t *out)
{
    char shown[CFG_SHOWN_MAX];
    int64_t value = 0;
    if (!want_scalar(c, node, "a number")) {
        return false;
    }
    if (!parse_int(node->text, &value)) {
        cfg_problem(c, node, "%s is not a whole number; %" PRId64 " to %" PRId64 " is allowed",
                    cfg_shown(node->text, shown), min, max);
        return false;
    }
    if (value < min || value > max) {
        cfg_problem(c, node, "%.40s is out of range; %" PRId64 " to %" PRId64 " is allowed",
                    node->text, min, max);
        return false;
    }
    *out = value;
    return true;
}

bool cfg_text(struct cfg *c, const struct cfg_node *node, const char **out)
{
    if (!want_scalar(c, node, "a single text")) {
        return false;
    }
    for (const char *p = node->text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            cfg_problem(c, node, "contains a control character (a line break, a tab or the like)");
            return false;
        }
    }
    *out = node->text;
    return true;
}

void cfg_each(struct cfg *c, const struct cfg_node *node, size_t max,
              void (*each)(struct cfg *c, const struct cfg_node *item, void *ctx), void *ctx)
{
    if (node->kind == CFG_SCALAR) {
        each(c, node, ctx);
        return;
    }
    if (node->kind == CFG_MAP) {
        cfg_problem(c, node, "is a map; it must be a single value or a list of them");
        return;
    }
    if (node->count > max) {
        cfg_problem(c, node, "has %zu items; at most %zu are allowed", node->count, max);
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct cfg_node *item = node->items[i];
        if (item->kind != CFG_SCALAR) {
            cfg_problem(c, item, "is %s; each item must be a single value", kind_text(item));
        } else if (cfg_is_set(item)) {
            each(c, item, ctx);
        }
    }
}

/* ---- by the table ---- */

static void store_int(void *field, size_t size, int64_t value)
{
    uint8_t u8 = (uint8_t)value;
    uint16_t u16 = (uint16_t)value;
    uint32_t u32 = (uint32_t)value;
    switch (size) {
    case 1:
        memcpy(field, &u8, size);
        break;
    case 2:
        memcpy(field, &u16, size);
        break;
    case 4:
        memcpy(field, &u32, size);
        break;
    default:
        memcpy(field, &value, sizeof value);
        break;
    }
}

static void read_text(struct cfg *c, const struct cfg_node *node, const struct cfg_key *key,
                      char **field)
{
    struct err_info why = {.text = ""};
    char shown[CFG_SHOWN_MAX];
    const char *text = NULL;
    if (!cfg_text(c, node, &text)) {
        return;
    }
    if (key->check != NULL && key->check(text, &why) != ERR_OK) {
        if (key->secret) {
            cfg_problem(c, node, "%s", why.text);
        } else {
            cfg_problem(c, node, "%s %s", cfg_shown(text, shown), why.text);
        }
        return;
    }
    free(*field);
    *field = mem_xstrdup(text);
}

static void read_section(struct cfg *c, const struct cfg_node *map,
                         const struct cfg_section *section, uint8_t *base);

static void read_key(struct cfg *c, const struct cfg_node *node, const struct cfg_key *key,
                     uint8_t *base)
{
    void *field = base + key->offset;
    int64_t number = 0;
    switch (key->type) {
    case CFG_BOOL:
        (void)cfg_bool(c, node, field);
        break;
    case CFG_INT:
        if (cfg_int(c, node, key->min, key->max, &number)) {
            store_int(field, key->size, number);
        }
        break;
    case CFG_TEXT:
        read_text(c, node, key, field);
        break;
    case CFG_SECTION:
        read_section(c, node, key->section, base);
        break;
    case CFG_CUSTOM:
        key->read(c, node, field);
        break;
    case CFG_IGNORED:
        cfg_note(c, node, "has no effect here%s%s", key->why != NULL ? ": " : "",
                 key->why != NULL ? key->why : "");
        break;
    case CFG_REFUSED:
        cfg_problem(c, node, "%s", key->why);
        break;
    case CFG_CODE:
    case CFG_END:
        break;
    }
}

static const struct cfg_key *find_key(const struct cfg_section *section, const char *name)
{
    for (const struct cfg_key *k = section->keys; k->type != CFG_END; k++) {
        if (strcmp(k->name, name) == 0) {
            return k;
        }
    }
    return NULL;
}

static bool is_foreign(const struct cfg_section *section, const char *name)
{
    for (const char *const *f = section->foreign; f != NULL && *f != NULL; f++) {
        if (strcmp(*f, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The key of ours that NAME is one edit (or only case) away from. */
static const char *one_slip_away(const struct cfg_section *section, const char *name)
{
    size_t len = strlen(name);
    for (const struct cfg_key *k = section->keys; k->type != CFG_END; k++) {
        size_t n = strlen(k->name);
        bool worth = k->type != CFG_IGNORED && k->type != CFG_REFUSED;
        if (worth && (n > len ? n - len : len - n) <= 1 && str_distance(name, k->name) <= 1) {
            return k->name;
        }
    }
    return NULL;
}

#define KEYS_MAX 48 /* of one table; the largest has half of that */

static void unknown_in_ours(struct cfg *c, const struct cfg_node *node,
                            const struct cfg_section *section)
{
    const char *words[KEYS_MAX + 1] = {NULL};
    size_t n = 0;
    if (cfg_problem_count(c) >= CFG_PROBLEMS_MAX) { /* only counted, so not worth a search */
        cfg_problem(c, node, "unknown key");
        return;
    }
    for (const struct cfg_key *k = section->keys; k->type != CFG_END && n < KEYS_MAX; k++) {
        if (k->type != CFG_IGNORED && k->type != CFG_REFUSED) {
            words[n++] = k->name;
        }
    }
    const char *near = str_nearest(node->key, words);
    if (near != NULL) {
        cfg_problem(c, node, "unknown key; did you mean `%s`?", near);
        return;
    }
    struct str all = {.text = NULL};
    for (size_t i = 0; i < n; i++) {
        str_appendf(&all, "%s%s", i > 0 ? ", " : "", words[i]);
    }
    cfg_problem(c, node, "unknown key; known here: %s", all.text != NULL ? all.text : "none");
    str_free(&all);
}

static void unknown(struct cfg *c, const struct cfg_node *node, const struct cfg_section *section)
{
    if (section->strict == CFG_OURS) {
        unknown_in_ours(c, node, section);
        return;
    }
    const char *near = is_foreign(section, node->key) ? NULL : one_slip_away(section, node->key);
    if (near == NULL) {
        return;
    }
    if (section->strict == CFG_TOP) {
        cfg_problem(c, node, "unknown section; did you mean `%s`?", near);
    } else {
        cfg_note(c, node, "is not a key of ours and is ignored; did you mean `%s`?", near);
    }
}

static void read_section(struct cfg *c, const struct cfg_node *map,
                         const struct cfg_section *section, uint8_t *base)
{
    if (map->kind != CFG_MAP) {
        cfg_problem(c, map, "is %s; it must be a section with keys indented below it",
                    kind_text(map));
        return;
    }
    for (size_t i = 0; i < map->count; i++) {
        const struct cfg_node *node = map->items[i];
        const struct cfg_key *key = find_key(section, node->key);
        if (key == NULL) {
            unknown(c, node, section);
        } else if (cfg_is_set(node)) {
            read_key(c, node, key, base);
        }
    }
}

void cfg_read(struct cfg *c, const struct cfg_section *top, void *base)
{
    read_section(c, c->root, top, base);
}
