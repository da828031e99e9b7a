/* Configuration files: YAML bytes to a tree whose nodes remember file and line, a table-driven
 * reader into the caller's struct, and a collector of everything that is wrong, so that an operator
 * sees all problems of all files in one pass.
 *
 * The subset of YAML: one document, a map at the top; no anchors and aliases (a few lines of them
 * can expand to gigabytes), no tags, plain words as keys. Files are added one after the other; a
 * later file's values win key by key, and its lists replace whole lists. Unset values (nothing,
 * null, ~, "", `REPLACE ME`, `${NAME}`) change nothing and read as if the key were not there.
 *
 * Ownership: struct cfg owns the tree and the problems; nodes and their texts are borrowed from it
 * until cfg_free(). Out of memory aborts (see lib/mem.h). Pure: it reads no file. Any thread, own
 * objects. Values are never shown for keys marked `secret`; what is shown is cut and escaped.
 */
#ifndef LIB_CFG_H
#define LIB_CFG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "str.h"

#define CFG_BYTES_MAX    (16u << 20) /* of one file: 100,000 names with room for comments */
#define CFG_NODES_MAX    1000000     /* of all files */
#define CFG_DEPTH_MAX    32          /* our deepest key is at 6 */
#define CFG_PROBLEMS_MAX 200         /* told one by one; the rest is only counted */

enum cfg_kind { CFG_SCALAR, CFG_LIST, CFG_MAP };

struct cfg_node {
    enum cfg_kind kind;
    const char *key;  /* of a map's member; NULL in lists and at the top */
    const char *text; /* of a scalar; NULL otherwise */
    bool plain;       /* a scalar without quotes */
    const char *file;
    unsigned line;  /* of the key, or of the value where there is no key; from 1 */
    unsigned index; /* in its list */
    const struct cfg_node *parent;
    struct cfg_node **items; /* members or items, in the order of the file */
    size_t count;
    struct cfg_node **by_key; /* a map's members in the order of their keys */
    size_t by_key_count;
    struct cfg_node *next_owned;
};

struct cfg;

struct cfg *cfg_new(void);
void cfg_free(struct cfg *c);

/* Parses LEN bytes and lays them over what is there. FILE is the name that problems show. After a
 * syntax error (a problem) nothing of the file is laid over. */
void cfg_add(struct cfg *c, const char *file, const char *bytes, size_t len);

/* False once a file could not be read to its end: what the tree lacks may stand in that file, so
 * asking for it would only tell the operator about problems that are not there. */
bool cfg_is_whole(const struct cfg *c);

/* The tree: a map, empty if nothing was added. */
const struct cfg_node *cfg_root(const struct cfg *c);

/* The member KEY of MAP; NULL if it is not there, MAP is NULL or no map. */
const struct cfg_node *cfg_get(const struct cfg_node *map, const char *key);

/* The same along a path from the top, "dns.records.root"; keys must not contain dots. */
const struct cfg_node *cfg_find(const struct cfg *c, const char *path);

/* False for NULL and for what counts as unset (see above). Lists and maps are set. */
bool cfg_is_set(const struct cfg_node *node);

/* One problem or one note: `file:line: path: text`. */
void cfg_problem(struct cfg *c, const struct cfg_node *node, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void cfg_note(struct cfg *c, const struct cfg_node *node, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* For a key that may be absent: the line is that of the deepest section of PATH there is, else 1.
 */
void cfg_problem_at(struct cfg *c, const char *path, const char *fmt, ...) PRINTF_LIKE(3, 4);
void cfg_note_at(struct cfg *c, const char *path, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A problem of a whole file, such as that it cannot be read; cfg_is_whole() is false from then on.
 */
void cfg_problem_file(struct cfg *c, const char *file, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* How many problems there are, told or not. */
size_t cfg_problem_count(const struct cfg *c);
/* Appends one line each, in the order of files and lines. */
void cfg_problems_text(struct cfg *c, struct str *out);
void cfg_notes_text(struct cfg *c, struct str *out);

/* Room for a value made fit to be shown. */
#define CFG_SHOWN_MAX 160
/* TEXT in double quotes for a message: control characters escaped, a long one cut. Returns OUT. */
const char *cfg_shown(const char *text, char out[CFG_SHOWN_MAX]);

/* ---- reading by a table ---- */

/* Says in INFO what would be right; the value is added by the caller, unless it is a secret. */
typedef enum err cfg_check_fn(const char *text, struct err_info *info);
/* Reads NODE (set) into FIELD; reports problems itself. */
typedef void cfg_read_fn(struct cfg *c, const struct cfg_node *node, void *field);

enum cfg_type {
    CFG_END,     /* the last row of a table */
    CFG_BOOL,    /* bool: true/false, yes/no, on/off */
    CFG_INT,     /* unsigned or signed integer of 1..8 bytes, MIN..MAX */
    CFG_TEXT,    /* char *, owned by the struct (free() before and after); CHECK if not NULL */
    CFG_SECTION, /* a map with a table of its own, the same struct */
    CFG_CUSTOM,  /* READ does it */
    CFG_CODE,    /* known, but read by code that asks cfg_find() */
    CFG_IGNORED, /* accepted from other programs' files; a note says that it has no effect */
    CFG_REFUSED  /* a problem whose text is WHY */
};

struct cfg_key {
    const char *name;
    enum cfg_type type;
    bool secret; /* never show the value */
    size_t offset, size;
    int64_t min, max;
    cfg_check_fn *check;
    cfg_read_fn *read;
    const struct cfg_section *section;
    const char *why;
};

/* Which keys of a section that are not in its table are wrong. */
enum cfg_strict {
    CFG_OURS,   /* all of them; the nearest known key is suggested */
    CFG_SHARED, /* none; one edit away from a key of ours gives a note */
    CFG_TOP     /* only those that differ from one of ours by case or by one edit */
};

struct cfg_section {
    enum cfg_strict strict;
    const struct cfg_key *keys;
    const char *const
        *foreign; /* NULL-terminated: near a key of ours, yet nobody's slip; or NULL */
};

/* Where a key's value goes: CFG_TO(struct config, dns.port). */
#define CFG_TO(type, member)                                                                       \
    .offset = offsetof(type, member), .size = sizeof(((type *)NULL)->member)

/* Reads the whole tree into BASE by the table of the top section. Keys that are not set leave their
 * fields alone, and so do values that are a problem. */
void cfg_read(struct cfg *c, const struct cfg_section *top, void *base);

/* Single values, for custom readers. False: a problem was reported, *out is untouched. */
bool cfg_bool(struct cfg *c, const struct cfg_node *node, bool *out);
bool cfg_int(struct cfg *c, const struct cfg_node *node, int64_t min, int64_t max, int64_t *out);
/* *out is borrowed: the text of a scalar without control characters. */
bool cfg_text(struct cfg *c, const struct cfg_node *node, const char **out);

/* Calls EACH for every set item of a list, or once for a single value, which may stand for a list
 * of one. More than MAX items, maps and lists inside are problems. */
void cfg_each(struct cfg *c, const struct cfg_node *node, size_t max,
              void (*each)(struct cfg *c, const struct cfg_node *item, void *ctx), void *ctx);

#endif
