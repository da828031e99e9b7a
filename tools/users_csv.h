/* Lines of `name,core`: a user's name and the id of its core. A first line `name,core` (or
 * `username, core`) is a header; blank lines and lines that begin with '#' count as nothing; blanks
 * around the fields are left out, double quotes around a field are taken off (RFC 4180 §2; neither
 * field can hold a quote or a comma). Pure. */
#ifndef TOOLS_USERS_CSV_H
#define TOOLS_USERS_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

enum users_csv_kind { USERS_CSV_NOTHING, USERS_CSV_USER };

struct users_csv_line {
    enum users_csv_kind kind;
    const char *name; /* borrowed from the line, which is changed */
    const char *core;
};

/* LINE is terminated, with or without its line end; IS_FIRST: a header may be. ERR_MALFORMED says
 * what is wrong with it. */
enum err users_csv_read(char *line, bool is_first, struct users_csv_line *out,
                        struct err_info *info) MUST_USE;

#endif
