/* What every command of dnsctl shares: the command line, the configuration, the store, and the way
 * things are said. Text for people goes to stdout, one JSON document with --json; what is wrong
 * goes to stderr as one line `dnsctl: ...` (and with --json as an object `error` to stdout, if
 * nothing else was printed there). A command returns the exit code.
 *
 * Tools are boot-like code: out of memory aborts with one line, and anything may block.
 */
#ifndef TOOLS_CLI_H
#define TOOLS_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "args.h"
#include "db.h"
#include "dnsd/app/config.h"
#include "dnsd/zone/names.h"
#include "dnsd/zone/user.h"

enum {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_NOTHING = 2,   /* nothing there, or usage */
    CLI_UNAVAIL = 3,   /* the store cannot be reached or written now; later it may */
    CLI_ATTENTION = 4, /* status: all works here, but not on every core */
};

/* What was said last of what is wrong, for --json. */
struct cli_said {
    bool document; /* something is on stdout already */
    char text[2048];
};

struct cli {
    const char *program;   /* borrowed: as it was called, without the folder */
    struct cli_said *said; /* borrowed: main's; NULL: nobody asks */
    bool writes;           /* the command is one that changes rows */
    struct args args;
    struct config config;        /* owned */
    struct names *names;         /* owned; NULL until cli_names() */
    struct db *db;               /* owned; NULL until cli_open() */
    struct digest_hmac user_key; /* secret; cli_user_row()'s, if user_key_ready */
    bool user_key_ready;
    /* words after the command's own */
    const char *const *words;
    size_t count;
};

/* `dnsctl: ...` on stderr. Returns CLI_FAILED, so that `return cli_fail(...)` reads well. */
int cli_fail(const struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The same for what is not there, or asked in a wrong way: CLI_NOTHING. */
int cli_nothing(const struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The same after the store ended an operation with E: CLI_UNAVAIL if it may go through later, and
 * says whether anything was written. */
int cli_fail_store(const struct cli *cli, enum err e, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The exit code for E, not ERR_OK, without a word. */
int cli_code(enum err e);
/* Something worth knowing that does not stop the command. */
void cli_warn(const struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);

static inline bool cli_json(const struct cli *cli)
{
    return (cli->args.given & ARGS_JSON) != 0;
}

/* Standard output could not be written, for REASON (errno): CLI_FAILED, but a reader that went away
 * ends the program as it ends any other: by SIGPIPE, silently. */
int cli_output_failed(const struct cli *cli, int reason);

/* With --json: prints what was said to be wrong, unless the command has printed a document. */
void cli_print_error(const struct cli *cli, int code);
/* Standard output has been begun: an error will not be printed there as well. */
void cli_begin_output(const struct cli *cli);

/* One JSON document on stdout. Owns DOCUMENT. */
void cli_print_json_own(json_t *document);
/* TEXT as a JSON string; bytes that are not UTF-8 become '?'. NULL: null. */
json_t *cli_text(const char *text);

/* Opens the store. CLI_OK, or the exit code after having said why. */
int cli_open(struct cli *cli, enum db_mode mode);

/* Nothing has made the store's database yet. */
bool cli_store_is_missing(const struct cli *cli);

/* CLI_OK if there is a domain; else says that dns.domain is missing. */
int cli_need_domain(const struct cli *cli);

/* What rows call the user LABEL (in lower case): LABEL itself or, where names are hashed
 * (platform.piiMode), its token, in TOKEN. NULL: no user can be called that. */
const char *cli_user_row(struct cli *cli, const char *label, char token[USER_TOKEN_TEXT]);

static inline bool cli_users_hashed(const struct cli *cli)
{
    return cli->config.platform.pii_hashed;
}

/* The domain, or the root if the platform has none. */
const struct wire_name *cli_apex(const struct cli *cli);

/* The rules for names of this configuration; borrowed from CLI. */
const struct names *cli_names(struct cli *cli);

/* Reads FILE, or standard input for "-". *out has a NUL after its *len bytes; caller frees. */
enum err cli_read_input(const char *file, size_t cap, char **out, size_t *len,
                        struct err_info *info) MUST_USE;
/* TEXT to FILE, replaced as a whole, or to stdout for NULL and "-". CLI_OK, or said why. */
int cli_write_output(const struct cli *cli, const char *file, const char *text, size_t len);

/* ---- the commands, one file per noun ---- */
int records_list(struct cli *cli);
int records_set(struct cli *cli);
int records_delete(struct cli *cli);
int records_load(struct cli *cli);
int records_export(struct cli *cli);
int records_import_zone(struct cli *cli);
int records_export_zone(struct cli *cli);
int users_list(struct cli *cli);
int users_get(struct cli *cli);
int users_set(struct cli *cli);
int users_delete(struct cli *cli);
int users_load(struct cli *cli);
int cores_list(struct cli *cli);
int cores_set(struct cli *cli);
int cores_drain(struct cli *cli);
int cores_delete(struct cli *cli);
int certs_list(struct cli *cli);
int certs_show(struct cli *cli);
int certs_renew(struct cli *cli);
int certs_revoke(struct cli *cli);
int certs_rollover(struct cli *cli);
int certs_rewrap(struct cli *cli);
int certs_history(struct cli *cli);
int bootstrap_new_core(struct cli *cli);
int bootstrap_init_ca_holder(struct cli *cli);
int bootstrap_list_tokens(struct cli *cli);
int bootstrap_revoke_token(struct cli *cli);
int bootstrap_renew_node(struct cli *cli);
int bootstrap_remove_core(struct cli *cli);
int bootstrap_promote_core(struct cli *cli);
int status_show(struct cli *cli);
int delegation_show(struct cli *cli);

#endif
