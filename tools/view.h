/* The zone as the daemon makes it from the configuration and the store, for the commands that tell
 * what it generates: name servers, their addresses, the SOA. Users are left out (they generate
 * nothing); every core counts as live, because only daemons know which are not.
 */
#ifndef TOOLS_VIEW_H
#define TOOLS_VIEW_H

#include "rows.h"

struct view; /* a zone and its snapshot */

/* The stored cores, and this one as the daemon registers it when it starts: the configuration's
 * addresses win. Without a store (nothing opened) only this one. db_cores_free() in either case. */
enum err view_cores(struct cli *cli, struct db_cores *out, struct err_info *info) MUST_USE;

/* CLI_OK, or said why not. ROWS is borrowed for the call. */
int view_make(struct cli *cli, const struct rows *rows, struct view **out);
void view_free(struct view *v);

/* Everything answered at OWNER, the SOA too; TTLs are always explicit. False: no such name. The
 * caller frees *out. */
bool view_find(const struct view *v, const struct wire_name *owner, struct record_set *out);

#endif
