/* The texts of the tables, version after version (schema.c carries them out). A version that has
 * been given to anybody never changes; what is new is the next one. */
#ifndef STORE_TABLES_H
#define STORE_TABLES_H

#include <stddef.h>

#define TABLES_VERSIONS   5
#define TABLES_STATEMENTS 30 /* of one version, at most */

struct tables_version {
    const char *const *statements;
    size_t count;
};
extern const struct tables_version tables_versions[TABLES_VERSIONS];

#endif
