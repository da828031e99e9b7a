/* What the commands about certificates share. */
#ifndef TOOLS_CERTS_H
#define TOOLS_CERTS_H

#include "cli.h"
#include "dnsd/app/config_certs.h"

/* "2026-01-31 23:59:59 UTC"; "-" for 0. */
#define CERTS_TIME_TEXT 40
void certs_time_text(int64_t time_ms, char out[CERTS_TIME_TEXT]);

/* The certificate the command is about: the first word, else this core's own. Borrowed from CLI or *own,
 * which is the caller's to free. NULL: said why there is none. */
const char *certs_wanted(struct cli *cli, struct config_cert *own);

#endif
