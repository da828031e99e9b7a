/* The daemon of this machine, asked on its control socket. */
#ifndef TOOLS_DAEMON_H
#define TOOLS_DAEMON_H

#include "cli.h"

/* *out is the caller's. ERR_UNAVAIL: nobody is there; ERR_TIMEOUT, ERR_IO, ERR_MALFORMED. INFO names the
 * socket. */
enum err daemon_ask(const struct cli *cli, const char *command, json_t **out,
                    struct err_info *info) MUST_USE;

/* The same, with as many seconds for the answer. */
enum err daemon_ask_within(const struct cli *cli, const char *command, unsigned wait_s,
                           json_t **out, struct err_info *info) MUST_USE;

/* The rows of cores that join, or this core's part in the cluster, have changed: it looks now. False: nobody is
 * there to look, or it is an older one. */
bool daemon_joining(const struct cli *cli);
/* After that: until others can join here and the database is there again. False: not within 20 s. */
bool daemon_settles(const struct cli *cli);

#endif
