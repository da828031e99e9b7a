/* The door to libyaml: its events become nodes. libyaml's own document loader is not used because
 * it expands aliases, has no limits and forgets duplicates. */
#include "cfg_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "mem.h"

struct builder {
    struct cfg *c;
    const char *file;
    unsigned file_index;
    struct cfg_node *root;
    struct cfg_node *open[CFG_DEPTH_MAX]; /* the maps and lists around the next event */
    size_t depth;
    char *key; /* owned: a key waiting for its value */
    unsigned key_line;
    unsigned documents;
    bool failed;
};

static unsigned line_of(yaml_mark_t mark)
{
    return (unsigned)mark.line + 1;
}

static void fail(struct builder *b, unsigned line, const char *text)
{
    cfg_remark_add(b->c, false, b->file_index, line, "YAML", text);
    b->failed = true;
}

static struct cfg_node *node_open(struct builder *b, enum cfg_kind kind, unsigned line)
{
    char text[80];
    struct cfg_node *parent = b->depth > 0 ? b->open[b->depth - 1] : NULL;
    if (b->c->node_count >= CFG_NODES_MAX) {
        snprintf(text, sizeof text, "more than %d values; that cannot be meant", CFG_NODES_MAX);
        fail(b, line, text);
        return NULL;
    }
    if (parent == NULL && kind != CFG_MAP) {
        fail(b, line, "the file must be a map of sections, as in `dns:` and keys indented below");
        return NULL;
    }
    struct cfg_node *n = cfg_node_new(b->c, kind, b->file, b->key != NULL ? b->key_line : line);
    n->key = b->key;
    b->key = NULL;
    if (parent != NULL) {
        cfg_node_push(parent, n);
    } else {
        b->root = n;
    }
    return n;
}

/* The next scalar is a key if the innermost map has none waiting. */
static bool wants_key(const struct builder *b)
{
    return b->depth > 0 && b->open[b->depth - 1]->kind == CFG_MAP && b->key == NULL;
}

static bool refuse_extras(struct builder *b, const yaml_char_t *anchor, const yaml_char_t *tag,
                          unsigned line)
{
    if (anchor != NULL) {
        fail(b, line, "anchors (&name) are not supported; write the value where it is needed");
    } else if (tag != NULL) {
        fail(b, line, "tags (!name) are not supported; quote the value if it starts with '!'");
    }
    return b->failed;
}

static void on_open(struct builder *b, enum cfg_kind kind, unsigned line)
{
    if (wants_key(b)) {
        fail(b, line,
             "a key must be a word, not a list or a map; quote it if it starts with "
             "'[' or '{'");
        return;
    }
    if (b->depth == CFG_DEPTH_MAX) {
        fail(b, line, "nested too deeply");
        return;
    }
    struct cfg_node *n = node_open(b, kind, line);
    if (n != NULL) {
        b->open[b->depth++] = n;
    }
}

static void on_close(struct builder *b)
{
    assert(b->depth > 0); /* libyaml closes what it has opened, once */
    struct cfg_node *n = b->open[--b->depth];
    if (n->kind == CFG_MAP) {
        cfg_map_index(b->c, n);
    }
}

static void on_scalar(struct builder *b, const yaml_event_t *ev)
{
    unsigned line = line_of(ev->start_mark);
    const char *text = (const char *)ev->data.scalar.value;
    size_t len = ev->data.scalar.length;
    yaml_scalar_style_t style = ev->data.scalar.style;
    if (refuse_extras(b, ev->data.scalar.anchor, ev->data.scalar.tag, line)) {
        return;
    }
    if (memchr(text, '\0', len) != NULL) {
        fail(b, line, "a value or key contains a NUL character");
        return;
    }
    if (wants_key(b)) {
        b->key = mem_xstrdup(text);
        b->key_line = line;
        return;
    }
    if (b->depth == 0 && len == 0) {
        return; /* `---` and nothing else: an empty file */
    }
    struct cfg_node *n = node_open(b, CFG_SCALAR, line);
    if (n == NULL) {
        return;
    }
    char *copy = mem_xstrdup(text);
    if (style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE) {
        /* The line end of a block belongs to its layout, never to a key or a name. */
        for (; len > 0 && copy[len - 1] == '\n'; len--) {
            copy[len - 1] = '\0';
        }
    }
    n->text = copy;
    n->plain = style == YAML_PLAIN_SCALAR_STYLE;
}

static void on_event(struct builder *b, const yaml_event_t *ev)
{
    unsigned line = line_of(ev->start_mark);
    switch (ev->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++b->documents > 1) {
            fail(b, line, "a second document (`---`); one file is one document");
        }
        break;
    case YAML_ALIAS_EVENT:
        fail(b, line,
             "aliases (*name) are not supported; write the value here, or quote it if it "
             "starts with '*'");
        break;
    case YAML_SCALAR_EVENT:
        on_scalar(b, ev);
        break;
    case YAML_SEQUENCE_START_EVENT:
        if (!refuse_extras(b, ev->data.sequence_start.anchor, ev->data.sequence_start.tag, line)) {
            on_open(b, CFG_LIST, line);
        }
        break;
    case YAML_MAPPING_START_EVENT:
        if (!refuse_extras(b, ev->data.mapping_start.anchor, ev->data.mapping_start.tag, line)) {
            on_open(b, CFG_MAP, line);
        }
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        on_close(b);
        break;
    default:
        break;
    }
}

static unsigned count_lines(const char *bytes, size_t len)
{
    unsigned lines = 1;
    for (size_t i = 0; i < len; i++) {
        lines += bytes[i] == '\n' ? 1 : 0;
    }
    return lines;
}

/* The commonest cause by far of "cannot start any token". */
static bool is_indented_by_tab(const char *bytes, size_t len, unsigned line)
{
    size_t at = 0;
    for (unsigned now = 1; now < line && at < len; at++) {
        now += bytes[at] == '\n' ? 1 : 0;
    }
    while (at < len && bytes[at] == ' ') {
        at++;
    }
    return at < len && bytes[at] == '\t';
}

/* libyaml's messages are fixed texts without values, so they cannot tell a secret. */
static void fail_syntax(struct builder *b, const yaml_parser_t *p, const char *bytes, size_t len)
{
    const char *what = p->problem != NULL ? p->problem : "cannot be read";
    char text[256];
    if (p->error == YAML_READER_ERROR) {
        size_t at = p->problem_offset < len ? p->problem_offset : len;
        snprintf(text, sizeof text, "%s; the file must be UTF-8 text", what);
        fail(b, count_lines(bytes, at), text);
        return;
    }
    unsigned line = line_of(p->problem_mark);
    const char *advice =
        is_indented_by_tab(bytes, len, line) ? "; indent with spaces, not with tabs" : "";
    if (p->context != NULL && p->context_mark.line != p->problem_mark.line) {
        snprintf(text, sizeof text, "%s, %s that starts on line %u%s", what, p->context,
                 line_of(p->context_mark), advice);
    } else {
        snprintf(text, sizeof text, "%s%s", what, advice);
    }
    fail(b, line, text);
}

struct cfg_node *cfg_yaml_parse(struct cfg *c, const char *file, const char *bytes, size_t len)
{
    struct builder b = {.c = c, .file = file, .file_index = cfg_file_index(c, file)};
    yaml_parser_t parser;
    bool end = false;
    if (len > CFG_BYTES_MAX) {
        char text[80];
        snprintf(text, sizeof text, "larger than %u bytes; that cannot be meant", CFG_BYTES_MAX);
        fail(&b, 1, text);
        return NULL;
    }
    if (yaml_parser_initialize(&parser) == 0) {
        fail(&b, 1, "no memory to read it");
        return NULL;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, len);
    while (!end && !b.failed) {
        yaml_event_t ev;
        if (yaml_parser_parse(&parser, &ev) == 0) {
            fail_syntax(&b, &parser, bytes, len);
            break;
        }
        on_event(&b, &ev);
        end = ev.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&ev);
    }
    yaml_parser_delete(&parser);
    free(b.key);
    if (b.failed) {
        return NULL;
    }
    return b.root != NULL ? b.root : cfg_node_new(c, CFG_MAP, file, 1);
}
