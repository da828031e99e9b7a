/* The zone as the daemon makes it from the configuration and the store, for the commands that tell
 * what it generates: name servers, their addresses, the SOA. Users are left out (they generate
 * nothing); every core counts as live, because only daemons know which are not.
 */
#ifndef TOOLS_VIEW_H
#define TOOLS_VIEW_H

#include "rows.h"

struct view; /* a zone and its snapshot */

/* CLI_OK, or said why not. ROWS is borrowed for the call; NULL: without stored records. */
int view_make(struct cli *cli, const struct rows *rows, struct view **out);
void view_free(struct view *v);

/* Everything answered at OWNER, the SOA too; TTLs are always explicit. False: no such name. The
 * caller frees *out. */
bool view_find(const struct view *v, const struct wire_name *owner, struct record_set *out);

#endif
