/* Which rows stand under a name: what names_check() wants to be told. Aborts when out of memory. */
#ifndef TOOLS_TAKEN_H
#define TOOLS_TAKEN_H

#include <stdint.h>

#include "cli.h"

/* One name. Only single labels can be cores or users. */
enum err taken_by(struct cli *cli, const struct wire_name *owner, struct names_rows *out,
                  struct err_info *info) MUST_USE;

/* Names found by a scan, to be asked for many names. */
struct taken {
    char **names; /* owned; in the order of the scan, which is that of bytes */
    size_t count, cap;
};
/* PREFIX as in the store's keys. ONLY (NULL: all): sorted names that are of interest. */
enum err taken_scan(struct cli *cli, const char *prefix, const struct taken *only,
                    struct taken *out, struct err_info *info) MUST_USE;
void taken_add(struct taken *t, const char *name);
/* For those that were not added in order. */
void taken_sort(struct taken *t);
bool taken_has(const struct taken *t, const char *name);
/* Its place; TAKEN_NONE if it is not there. */
#define TAKEN_NONE SIZE_MAX
size_t taken_find(const struct taken *t, const char *name);
void taken_free(struct taken *t);

#endif
