/* What the commands on records share. */
#ifndef TOOLS_RECORDS_H
#define TOOLS_RECORDS_H

#include "plan.h"

/* The rules of one name that is about to be written: limits, CNAME alone, what the configuration
 * fixes, what OTHERS (rows) it would hide. */
enum err records_check(struct cli *cli, const struct wire_name *owner, const struct record_set *set,
                       const struct names_rows *others, struct err_info *info) MUST_USE;

/* WISH cannot be done, because of WHY. */
typedef void records_problem_cb(void *ctx, const struct wish *wish, const char *why);

/* A file's wishes, and how its reader tells problems; carries out load and import-zone. */
struct records_file {
    struct wishes wishes; /* owned */
    records_problem_cb *on_problem;
    size_t (*problems)(void *ctx, bool print); /* how many so far; PRINT: told on stderr too */
    void *ctx;                                 /* borrowed */
};
/* Plans, tells the plan, applies it unless --dry-run. All or nothing. The exit code. */
int records_carry_out(struct cli *cli, struct records_file *file);

/* One value in zone-file text; caller frees. */
char *records_value_text(uint16_t type, const struct record_data *data);

#endif
