#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "columns.h"
#include "dnsd/app/config_names.h"
#include "dnsd/app/config_users.h"
#include "lib/file_sys.h"
#include "lib/mem.h"

#define LINE_MAX_LEN 2048 /* a longer message is cut */

static void say(const struct cli *cli, const char *kind, char *text)
{
    columns_clean(text);
    fflush(stdout); /* what was printed before comes before */
    fprintf(stderr, "%s: %s%s\n", cli->program, kind, text);
}

static void PRINTF_LIKE(2, 0) say_wrong(const struct cli *cli, const char *fmt, va_list ap)
{
    char text[LINE_MAX_LEN];
    vsnprintf(text, sizeof text, fmt, ap);
    say(cli, "", text);
    if (cli->said != NULL) {
        snprintf(cli->said->text, sizeof cli->said->text, "%s", text);
    }
}

int cli_fail(const struct cli *cli, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say_wrong(cli, fmt, ap);
    va_end(ap);
    return CLI_FAILED;
}

int cli_nothing(const struct cli *cli, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say_wrong(cli, fmt, ap);
    va_end(ap);
    return CLI_NOTHING;
}

int cli_code(enum err e)
{
    return err_is_transient(e) ? CLI_UNAVAIL : CLI_FAILED;
}

int cli_fail_store(const struct cli *cli, enum err e, const char *fmt, ...)
{
    char text[LINE_MAX_LEN];
    const char *more = "";
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    bool told = strstr(text, "written") != NULL; /* the store itself may have said it */
    if (err_is_transient(e)) {
        more = !cli->writes       ? "; try again"
               : e == ERR_TIMEOUT ? (told ? "" : "; whether it was written is not known")
               : told             ? "; try again"
                                  : "; nothing was written, try again";
    }
    cli_fail(cli, "%s%s", text, more);
    return cli_code(e);
}

void cli_warn(const struct cli *cli, const char *fmt, ...)
{
    char text[LINE_MAX_LEN];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    say(cli, "warning: ", text);
}

void cli_begin_output(const struct cli *cli)
{
    if (cli->said != NULL) {
        cli->said->document = true;
    }
}

void cli_print_error(const struct cli *cli, int code)
{
    static const char *const ids[] = {[CLI_FAILED] = "failed",
                                      [CLI_NOTHING] = "nothing",
                                      [CLI_UNAVAIL] = "unavailable",
                                      [CLI_ATTENTION] = "attention"};
    const struct cli_said *said = cli->said;
    if (cli_json(cli) && code != CLI_OK && said != NULL && !said->document &&
        said->text[0] != '\0') {
        cli_print_json_own(
            json_pack("{s:{s:s, s:o}}", "error", "id", ids[code], "message", cli_text(said->text)));
    }
}

int cli_output_failed(const struct cli *cli, int reason)
{
    if (reason == EPIPE) { /* on the main thread the write itself would have ended us */
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
    clearerr(stdout);
    return cli_fail(cli, "cannot write the output: %s", strerror(reason));
}

void cli_print_json_own(json_t *document)
{
    json_dumpf(document, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
    json_decref(document);
}

json_t *cli_text(const char *text)
{
    if (text == NULL) {
        return json_null();
    }
    json_t *out = json_string(text);
    if (out != NULL) {
        return out;
    }
    char *plain = mem_xstrdup(text); /* rows of other programs may hold anything */
    for (char *p = plain; *p != '\0'; p++) {
        if ((unsigned char)*p >= 0x80) {
            *p = '?';
        }
    }
    out = json_string(plain);
    free(plain);
    return out;
}

/* Reading goes on where a node is cut off; whoever reads should know. */
static void warn_if_stale(const struct cli *cli)
{
    struct store_state state = {.stale = false};
    if (cli->config.storages.engine_rqlite && !cli->writes &&
        db_state(cli->db, &state, NULL) == ERR_OK && state.stale) {
        cli_warn(cli, "this core's rqlite has no leader: what it has may be old");
    }
}

int cli_open(struct cli *cli, enum db_mode mode)
{
    struct err_info info = {.text = ""};
    enum err e = db_open(&cli->config, mode, &cli->db, &info);
    if (e == ERR_NOTFOUND && mode == DB_READ) {
        return cli_nothing(cli, "there is no store yet (%s)", info.text);
    }
    if (e != ERR_OK) {
        return cli_fail_store(cli, e, "the store: %s", info.text);
    }
    warn_if_stale(cli);
    return CLI_OK;
}

bool cli_store_is_missing(const struct cli *cli)
{
    const struct config *c = &cli->config;
    return !c->storages.engine_rqlite && access(c->storages.sqlite_path, F_OK) != 0 &&
           errno == ENOENT;
}

int cli_need_domain(const struct cli *cli)
{
    if (cli->config.dns.domain_text == NULL) {
        return cli_fail(cli, "%s: dns.domain is not set, so there are no names to work with",
                        cli->config.path);
    }
    return CLI_OK;
}

const char *cli_user_row(struct cli *cli, const char *label, char token[USER_TOKEN_TEXT])
{
    if (!cli_users_hashed(cli)) {
        return user_row(NULL, label, token);
    }
    if (!cli->user_key_ready) {
        uint8_t key[USER_KEY_LEN];
        config_user_key(&cli->config, key);
        digest_hmac_init(&cli->user_key, key, sizeof key);
        explicit_bzero(key, sizeof key);
        cli->user_key_ready = true;
    }
    return user_row(&cli->user_key, label, token);
}

const struct wire_name *cli_apex(const struct cli *cli)
{
    return config_apex(&cli->config);
}

const struct names *cli_names(struct cli *cli)
{
    if (cli->names == NULL) {
        cli->names = config_names_new(&cli->config);
    }
    return cli->names;
}

static enum err read_stream(FILE *in, size_t cap, char **out, size_t *len, struct err_info *info)
{
    size_t room = 64 * 1024;
    char *text = mem_xalloc(room);
    size_t n = 0;
    for (;;) {
        n += fread(text + n, 1, room - 1 - n, in);
        if (ferror(in)) {
            free(text);
            return err_set(info, ERR_IO, "standard input: %s", strerror(errno));
        }
        if (n > cap) {
            free(text);
            return err_set(info, ERR_LIMIT, "standard input: more than %zu bytes", cap);
        }
        if (feof(in)) {
            break;
        }
        room *= 2;
        text = mem_xrealloc(text, room);
    }
    text[n] = '\0';
    *out = text;
    *len = n;
    return ERR_OK;
}

enum err cli_read_input(const char *file, size_t cap, char **out, size_t *len,
                        struct err_info *info)
{
    if (strcmp(file, "-") == 0) {
        return read_stream(stdin, cap, out, len, info);
    }
    uint8_t *bytes = NULL;
    enum err e = file_read(file, cap, &bytes, len, info);
    *out = (char *)bytes;
    return e;
}

int cli_write_output(const struct cli *cli, const char *file, const char *text, size_t len)
{
    struct err_info info = {.text = ""};
    if (file == NULL || strcmp(file, "-") == 0) {
        cli_begin_output(cli);
        fwrite(text, 1, len, stdout); /* main() looks whether it arrived */
        return CLI_OK;
    }
    if (file_replace(file, text, len, 0644, &info) != ERR_OK) {
        return cli_fail(cli, "%s", info.text);
    }
    return CLI_OK;
}
