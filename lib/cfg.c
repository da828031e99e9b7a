#include "cfg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cfg_priv.h"
#include "mem.h"

#define SHOWN_CHARS 64 /* of a value; enough to recognise it */

/* ---- nodes ---- */

struct cfg_node *cfg_node_new(struct cfg *c, enum cfg_kind kind, const char *file, unsigned line)
{
    struct cfg_node *n = mem_xalloc(sizeof *n);
    n->kind = kind;
    n->file = file;
    n->line = line;
    n->next_owned = c->owned;
    c->owned = n;
    c->node_count++;
    return n;
}

void cfg_node_push(struct cfg_node *parent, struct cfg_node *item)
{
    /* Room grows at the powers of two, so no capacity needs to be kept. */
    if ((parent->count & (parent->count - 1)) == 0) {
        size_t room = parent->count == 0 ? 1 : parent->count * 2;
        parent->items = mem_xrealloc(parent->items, room * sizeof(struct cfg_node *));
    }
    item->parent = parent;
    item->index = (unsigned)parent->count;
    parent->items[parent->count++] = item;
}

static int by_key_then_index(const void *a, const void *b)
{
    const struct cfg_node *x = *(struct cfg_node *const *)a;
    const struct cfg_node *y = *(struct cfg_node *const *)b;
    int order = strcmp(x->key, y->key);
    if (order != 0) {
        return order;
    }
    return x->index < y->index ? -1 : x->index > y->index;
}

static void drop_holes(struct cfg_node *map)
{
    size_t kept = 0;
    for (size_t i = 0; i < map->count; i++) {
        if (map->items[i] != NULL) {
            map->items[i]->index = (unsigned)kept;
            map->items[kept++] = map->items[i];
        }
    }
    map->count = kept;
}

void cfg_map_index(struct cfg *c, struct cfg_node *map)
{
    if (map->count == 0) {
        return;
    }
    map->by_key = mem_xrealloc(map->by_key, map->count * sizeof(struct cfg_node *));
    memcpy(map->by_key, map->items, map->count * sizeof(struct cfg_node *));
    qsort(map->by_key, map->count, sizeof(struct cfg_node *), by_key_then_index);
    size_t kept = 1;
    for (size_t i = 1; i < map->count; i++) {
        struct cfg_node *n = map->by_key[i];
        const struct cfg_node *first = map->by_key[kept - 1];
        if (strcmp(n->key, first->key) == 0) {
            cfg_problem(c, n, "is given twice, first on line %u; keep one of them", first->line);
            map->items[n->index] = NULL;
        } else {
            map->by_key[kept++] = n;
        }
    }
    map->by_key_count = kept;
    if (kept < map->count) {
        drop_holes(map);
    }
}

/* ---- the tree ---- */

struct cfg *cfg_new(void)
{
    struct cfg *c = mem_xalloc(sizeof *c);
    c->root = cfg_node_new(c, CFG_MAP, NULL, 1);
    return c;
}

void cfg_free(struct cfg *c)
{
    if (c == NULL) {
        return;
    }
    while (c->owned != NULL) {
        struct cfg_node *n = c->owned;
        c->owned = n->next_owned;
        free((char *)n->key);
        if (n->text != NULL) { /* it may be a secret */
            explicit_bzero((char *)n->text, strlen(n->text));
            free((char *)n->text);
        }
        free(n->items);
        free(n->by_key);
        free(n);
    }
    for (size_t i = 0; i < c->remark_count; i++) {
        free(c->remarks[i].text);
    }
    free(c->remarks);
    for (unsigned i = 0; i < c->file_count; i++) {
        free(c->files[i]);
    }
    free(c);
}

unsigned cfg_file_index(struct cfg *c, const char *name)
{
    for (unsigned i = 0; i < c->file_count; i++) {
        if (strcmp(c->files[i], name) == 0) {
            return i;
        }
    }
    if (c->file_count == CFG_FILES_MAX) {
        return CFG_FILES_MAX - 1;
    }
    c->files[c->file_count] = mem_xstrdup(name);
    return c->file_count++;
}

/* Lays OVER over BASE, both maps without duplicates. Recursion is bounded by CFG_DEPTH_MAX. */
static void merge(struct cfg *c, struct cfg_node *base, const struct cfg_node *over)
{
    for (size_t i = 0; i < over->count; i++) {
        struct cfg_node *now = over->items[i];
        const struct cfg_node *found = cfg_get(base, now->key);
        if (found == NULL) {
            cfg_node_push(base, now);
            continue;
        }
        struct cfg_node *was = base->items[found->index];
        if (was->kind == CFG_MAP && now->kind == CFG_MAP) {
            merge(c, was, now);
        } else if (cfg_is_set(now)) {
            now->parent = base;
            now->index = was->index;
            base->items[was->index] = now;
        }
    }
    cfg_map_index(c, base);
}

void cfg_add(struct cfg *c, const char *file, const char *bytes, size_t len)
{
    unsigned index = cfg_file_index(c, file);
    if (c->root->file == NULL) {
        c->root->file = c->files[index];
    }
    struct cfg_node *root = cfg_yaml_parse(c, c->files[index], bytes, len);
    if (root == NULL) {
        c->cut = true;
        return;
    }
    merge(c, c->root, root);
}

bool cfg_is_whole(const struct cfg *c)
{
    return !c->cut;
}

const struct cfg_node *cfg_root(const struct cfg *c)
{
    return c->root;
}

static int key_against_node(const void *key, const void *node)
{
    return strcmp(key, (*(struct cfg_node *const *)node)->key);
}

const struct cfg_node *cfg_get(const struct cfg_node *map, const char *key)
{
    if (map == NULL || map->by_key_count == 0) {
        return NULL;
    }
    struct cfg_node *const *found =
        bsearch(key, map->by_key, map->by_key_count, sizeof(struct cfg_node *), key_against_node);
    return found != NULL ? *found : NULL;
}

/* The node at PATH, or NULL; *DEEPEST is the last one on the way that is there. */
static const struct cfg_node *walk(const struct cfg *c, const char *path,
                                   const struct cfg_node **deepest)
{
    const struct cfg_node *n = c->root;
    for (;;) {
        char key[64];
        size_t len = strcspn(path, ".");
        *deepest = n;
        if (len >= sizeof key) {
            return NULL;
        }
        memcpy(key, path, len);
        key[len] = '\0';
        n = cfg_get(n, key);
        if (n == NULL || path[len] == '\0') {
            return n;
        }
        path += len + 1;
    }
}

const struct cfg_node *cfg_find(const struct cfg *c, const char *path)
{
    const struct cfg_node *deepest = NULL;
    return walk(c, path, &deepest);
}

bool cfg_is_set(const struct cfg_node *node)
{
    static const char *const nothing[] = {"", "~", "null", "Null", "NULL"};
    if (node == NULL || node->kind != CFG_SCALAR) {
        return node != NULL;
    }
    const char *text = node->text;
    if (text[0] == '\0' || strstr(text, "REPLACE ME") != NULL) {
        return false;
    }
    for (size_t i = 0; node->plain && i < sizeof nothing / sizeof nothing[0]; i++) {
        if (strcmp(text, nothing[i]) == 0) {
            return false;
        }
    }
    const char *variable = strstr(text, "${");
    return variable == NULL || strchr(variable, '}') == NULL;
}

/* ---- problems and notes ---- */

/* Appends TEXT so that it cannot forge or garble a line: control characters as \xHH (C1 ones too,
 * which some terminals obey), at most MAX bytes of it. */
static void append_fit(struct str *s, const char *text, size_t max)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t len = strlen(text);
    size_t end = len <= max ? len : max;
    while (end < len && end > 0 && (p[end] & 0xc0) == 0x80) {
        end--; /* not in the middle of a UTF-8 character */
    }
    for (size_t i = 0; i < end; i++) {
        bool c1 = p[i] == 0xc2 && i + 1 < end && p[i + 1] < 0xa0;
        if (p[i] < 0x20 || p[i] == 0x7f || c1) {
            i += c1 ? 1 : 0;
            str_appendf(s, "\\x%02x", p[i]);
        } else {
            str_append_n(s, text + i, 1);
        }
    }
    if (end < len) {
        str_append(s, "...");
    }
}

const char *cfg_shown(const char *text, char out[CFG_SHOWN_MAX])
{
    struct str s = {.text = NULL};
    append_fit(&s, text, SHOWN_CHARS);
    snprintf(out, CFG_SHOWN_MAX, "\"%.*s\"", CFG_SHOWN_MAX - 3, s.text != NULL ? s.text : "");
    str_free(&s);
    return out;
}

static void append_path(struct str *s, const struct cfg_node *node)
{
    if (node->parent == NULL) {
        return;
    }
    append_path(s, node->parent);
    if (node->key == NULL) {
        str_appendf(s, "[%u]", node->index);
        return;
    }
    if (s->len > 0) {
        str_append(s, ".");
    }
    append_fit(s, node->key, SHOWN_CHARS);
}

void cfg_remark_add(struct cfg *c, bool is_note, unsigned file, unsigned line, const char *path,
                    const char *text)
{
    size_t *count = is_note ? &c->note_count : &c->problem_count;
    if ((*count)++ >= CFG_PROBLEMS_MAX) {
        return;
    }
    struct str s = {.text = NULL};
    str_appendf(&s, "%s:%u: ", file < c->file_count ? c->files[file] : "?", line);
    if (path != NULL && path[0] != '\0') {
        str_appendf(&s, "%s: ", path);
    }
    append_fit(&s, text, SIZE_MAX); /* messages from elsewhere may quote what the file says */
    str_append(&s, "\n");
    c->remarks = mem_xrealloc(c->remarks, (c->remark_count + 1) * sizeof *c->remarks);
    c->remarks[c->remark_count] = (struct cfg_remark){
        .is_note = is_note, .file = file, .line = line, .seq = c->remark_count, .text = s.text};
    c->remark_count++;
}

PRINTF_LIKE(4, 0)
static void remark_node(struct cfg *c, bool is_note, const struct cfg_node *node, const char *fmt,
                        va_list ap)
{
    struct str path = {.text = NULL};
    char text[1024];
    vsnprintf(text, sizeof text, fmt, ap);
    append_path(&path, node);
    unsigned file = node->file != NULL ? cfg_file_index(c, node->file) : 0;
    cfg_remark_add(c, is_note, file, node->line, path.text, text);
    str_free(&path);
}

PRINTF_LIKE(4, 0)
static void remark_at(struct cfg *c, bool is_note, const char *path, const char *fmt, va_list ap)
{
    const struct cfg_node *deepest = NULL;
    const struct cfg_node *node = walk(c, path, &deepest);
    char text[1024];
    node = node != NULL ? node : deepest;
    vsnprintf(text, sizeof text, fmt, ap);
    unsigned file = node->file != NULL ? cfg_file_index(c, node->file) : 0;
    cfg_remark_add(c, is_note, file, node->line, path, text);
}

void cfg_problem(struct cfg *c, const struct cfg_node *node, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    remark_node(c, false, node, fmt, ap);
    va_end(ap);
}

void cfg_note(struct cfg *c, const struct cfg_node *node, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    remark_node(c, true, node, fmt, ap);
    va_end(ap);
}

void cfg_problem_at(struct cfg *c, const char *path, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    remark_at(c, false, path, fmt, ap);
    va_end(ap);
}

void cfg_note_at(struct cfg *c, const char *path, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    remark_at(c, true, path, fmt, ap);
    va_end(ap);
}

void cfg_problem_file(struct cfg *c, const char *file, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    cfg_remark_add(c, false, cfg_file_index(c, file), 1, NULL, text);
    c->cut = true;
}

size_t cfg_problem_count(const struct cfg *c)
{
    return c->problem_count;
}

static int by_place(const void *a, const void *b)
{
    const struct cfg_remark *x = a;
    const struct cfg_remark *y = b;
    if (x->file != y->file) {
        return x->file < y->file ? -1 : 1;
    }
    if (x->line != y->line) {
        return x->line < y->line ? -1 : 1;
    }
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void append_remarks(struct cfg *c, bool notes, struct str *out)
{
    size_t all = notes ? c->note_count : c->problem_count;
    if (c->remark_count > 0) {
        qsort(c->remarks, c->remark_count, sizeof *c->remarks, by_place);
    }
    for (size_t i = 0; i < c->remark_count; i++) {
        if (c->remarks[i].is_note == notes) {
            str_append(out, c->remarks[i].text);
        }
    }
    if (all > CFG_PROBLEMS_MAX) {
        str_appendf(out, "... and %zu more\n", all - CFG_PROBLEMS_MAX);
    }
}

void cfg_problems_text(struct cfg *c, struct str *out)
{
    append_remarks(c, false, out);
}

void cfg_notes_text(struct cfg *c, struct str *out)
{
    append_remarks(c, true, out);
}
