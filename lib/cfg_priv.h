/* Between the files of cfg: the tree's own struct and how nodes come to be. */
#ifndef LIB_CFG_PRIV_H
#define LIB_CFG_PRIV_H

#include "cfg.h"

#define CFG_FILES_MAX 8

struct cfg_remark {
    bool is_note;
    unsigned file; /* index in files */
    unsigned line;
    size_t seq;
    char *text; /* owned */
};

struct cfg {
    char *files[CFG_FILES_MAX]; /* owned: names, in the order added */
    unsigned file_count;
    struct cfg_node *root;  /* in the list below */
    struct cfg_node *owned; /* owned: every node of every file */
    size_t node_count;
    bool cut;                   /* a file was not read to its end */
    struct cfg_remark *remarks; /* owned */
    size_t remark_count;
    size_t problem_count;
    size_t note_count;
};

/* The number of the file NAME, which is added if it is new. */
unsigned cfg_file_index(struct cfg *c, const char *name);

/* A problem at a place that is no node (yet); PATH may be NULL. */
void cfg_remark_add(struct cfg *c, bool is_note, unsigned file, unsigned line, const char *path,
                    const char *text);

struct cfg_node *cfg_node_new(struct cfg *c, enum cfg_kind kind, const char *file, unsigned line);
void cfg_node_push(struct cfg_node *parent, struct cfg_node *item);

/* Sorts a map's members by key; duplicates are told and dropped, the first stays. */
void cfg_map_index(struct cfg *c, struct cfg_node *map);

/* The tree of one file, or NULL after an error, which has been told (cfg_yaml.c). */
struct cfg_node *cfg_yaml_parse(struct cfg *c, const char *file, const char *bytes, size_t len);

#endif
