/* What the commands about certificates share. */
#ifndef TOOLS_CERTS_H
#define TOOLS_CERTS_H

#include "cli.h"
#include "dnsd/app/config_certs.h"
#include "dnsd/wire/name.h"

/* "2026-01-31 23:59:59 UTC"; "-" for 0. */
#define CERTS_TIME_TEXT 40
void certs_time_text(int64_t time_ms, char out[CERTS_TIME_TEXT]);

/* A host name as rows have it: TEXT in lower case, without a dot at the end. CLI_OK, or said what is wrong
 * with it. */
int certs_name(const struct cli *cli, const char *text, char out[WIRE_NAME_TEXT_MAX]);

/* The certificate the command is about: the first word, else this core's own. *own is this core's in any
 * case (hostname NULL: it has none), and the caller's to free. CLI_OK, or said why there is none. */
int certs_wanted(struct cli *cli, struct config_cert *own, char out[WIRE_NAME_TEXT_MAX]);

#endif
