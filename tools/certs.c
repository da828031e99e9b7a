/* dnsctl certs list, show, history */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "certs.h"
#include "cert/leaf.h"
#include "cli.h"
#include "columns.h"
#include "daemon.h"
#include "db_certs.h"
#include "lib/clock.h"
#include "lib/seal.h"

#define DAY_MS      ((int64_t)86400000)
#define HISTORY_MAX 200

/* ---- times and texts ---------------------------------------------------------------------------- */

void certs_time_text(int64_t time_ms, char out[CERTS_TIME_TEXT])
{
    time_t t = (time_t)(time_ms / 1000);
    struct tm tm;
    if (time_ms == 0 || gmtime_r(&t, &tm) == NULL ||
        strftime(out, CERTS_TIME_TEXT, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0) {
        snprintf(out, CERTS_TIME_TEXT, "-");
    }
}

static int64_t number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_integer(v) ? (int64_t)json_integer_value(v) : 0;
}

static const char *text(const json_t *o, const char *key)
{
    const char *value = json_string_value(json_object_get(o, key));
    return value != NULL ? value : "";
}

static void line(const char *title, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void line(const char *title, const char *fmt, ...)
{
    char value[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(value, sizeof value, fmt, args);
    va_end(args);
    columns_clean(value);
    printf("  %-12s %s\n", title, value);
}

static void time_line(const char *title, int64_t time_ms)
{
    char when[CERTS_TIME_TEXT];
    certs_time_text(time_ms, when);
    line(title, "%s", when);
}

/* ---- list ------------------------------------------------------------------------------------------ */

static void add_row(struct columns *t, const json_t *c)
{
    char issued[CERTS_TIME_TEXT], expires[CERTS_TIME_TEXT], days[32], generation[32];
    int64_t left_ms = number(c, "expiresAt") - clk_wall_ms(&clk_system);
    certs_time_text(number(c, "issuedAt"), issued);
    certs_time_text(number(c, "expiresAt"), expires);
    if (number(c, "expiresAt") == 0) { /* the row does not say */
        snprintf(days, sizeof days, "-");
    } else if (left_ms <= 0) {
        snprintf(days, sizeof days, "EXPIRED");
    } else {
        snprintf(days, sizeof days, "%" PRId64, left_ms / DAY_MS);
    }
    snprintf(generation, sizeof generation, "%" PRId64, number(c, "generation"));
    const char *cells[] = {text(c, "hostname"), issued, expires, days, generation};
    columns_add(t, cells);
}

int certs_list(struct cli *cli)
{
    static const char *const header[] = {"HOSTNAME", "ISSUED", "EXPIRES", "DAYS", "GENERATION"};
    struct err_info info = {.text = ""};
    struct columns t;
    json_t *list = NULL;
    size_t i;
    json_t *c;
    int code = cli_open(cli, DB_READ);
    if (code != CLI_OK) {
        return code;
    }
    enum err e = db_certs_list(cli->db, &list, &info);
    if (e != ERR_OK) {
        json_decref(list);
        return cli_fail_store(cli, e, "the store: %s", info.text);
    }
    cli_begin_output(cli);
    if (cli_json(cli)) {
        cli_print_json_own(json_pack("{s:o}", "certs", list));
        return CLI_OK;
    }
    columns_init(&t, 5, header);
    json_array_foreach(list, i, c)
    {
        add_row(&t, c);
    }
    columns_print(&t, stdout);
    columns_free(&t);
    json_decref(list);
    return CLI_OK;
}

/* ---- show -------------------------------------------------------------------------------------------- */

int certs_name(const struct cli *cli, const char *text, char out[WIRE_NAME_TEXT_MAX])
{
    static const struct wire_name root = {.len = 1, .labels = 0, .bytes = {0}};
    struct err_info info = {.text = ""};
    struct wire_name name;
    if (wire_name_owner(text, &root, &name, &info) != ERR_OK) {
        return cli_nothing(cli, "%s: %s", text, info.text);
    }
    wire_name_to_relative(&name, &root, out);
    return CLI_OK;
}

int certs_wanted(struct cli *cli, struct config_cert *own, char out[WIRE_NAME_TEXT_MAX])
{
    struct err_info info = {.text = ""};
    enum err e = config_cert(&cli->config, own, &info);
    if (cli->count > 0) {
        return certs_name(cli, cli->words[0], out);
    }
    if (e != ERR_OK) {
        return cli_fail(cli, "which certificate? %s", info.text);
    }
    snprintf(out, WIRE_NAME_TEXT_MAX, "%s", own->hostname);
    return CLI_OK;
}

/* What may be shown of a row. */
static json_t *public_part(const json_t *row)
{
    const char *pem = text(row, "certPem");
    const char *sealed = text(row, "sealed");
    char id[SEAL_ID_TEXT];
    struct cert_leaf leaf;
    json_t *o = json_copy((json_t *)row);
    json_object_del(o, "sealed");
    if (seal_text_id(sealed, id) == ERR_OK) {
        json_object_set_new(o, "sealedWith", json_string(id));
    }
    if (cert_leaf_read(pem, strlen(pem), NULL, 0, &leaf, NULL) == ERR_OK) {
        json_object_set_new(o, "serial", json_string(leaf.serial));
        json_object_set_new(o, "notBefore", json_integer((json_int_t)leaf.not_before_ms));
        json_object_set_new(o, "notAfter", json_integer((json_int_t)leaf.not_after_ms));
    }
    return o;
}

static void print_stored(const char *hostname, const json_t *row)
{
    if (row == NULL) {
        printf("%s: nothing is stored\n", hostname);
        return;
    }
    printf("%s\n", hostname);
    line("serial", "%s", text(row, "serial"));
    time_line("valid from", number(row, "notBefore"));
    time_line("valid until", number(row, "notAfter"));
    line("generation", "%" PRId64, number(row, "generation"));
    line("issued by", "%s", text(row, "directory")[0] != '\0' ? text(row, "directory") : "-");
    line("sealed with", "key %s", text(row, "sealedWith"));
}

static void print_order(const json_t *m)
{
    const json_t *order = json_object_get(m, "order");
    const json_t *problem = json_object_get(m, "problem");
    const json_t *plan = json_object_get(m, "plan");
    if (json_is_object(plan)) {
        line("plan", "%s", text(plan, "text"));
        if (number(plan, "renewAt") != 0) {
            time_line("due", number(plan, "renewAt"));
        }
    }
    if (json_is_object(order)) {
        char since[CERTS_TIME_TEXT];
        certs_time_text(number(order, "since"), since);
        line("order", "%s, since %s%s%s", text(order, "state"), since,
             text(order, "text")[0] != '\0' ? ": " : "", text(order, "text"));
    }
    if (json_is_object(problem)) {
        line("problem", "%s", text(problem, "text")); /* its type is in it */
    }
}

static void print_files(const json_t *m)
{
    const json_t *files = json_object_get(m, "files");
    const json_t *served = json_object_get(m, "served");
    const json_t *hook = json_object_get(files, "hook");
    line("files", "%s", text(files, "certPath"));
    if (json_is_string(json_object_get(files, "problem"))) {
        line("PROBLEM", "%s: %s", text(files, "step"), text(files, "problem"));
    }
    if (json_is_object(hook)) {
        line("hook", "exit %" PRId64 ", %" PRId64 " tries%s%s", number(hook, "status"),
             number(hook, "tries"), text(hook, "text")[0] != '\0' ? ": " : "", text(hook, "text"));
    }
    line("served here", "generation %" PRId64 ", serial %s", number(served, "generation"),
         text(served, "serial"));
    if (json_is_string(json_object_get(served, "problem"))) {
        line("PROBLEM", "%s", text(served, "problem"));
    }
}

static void print_peers(const json_t *status)
{
    size_t i;
    json_t *p;
    json_array_foreach(json_object_get(status, "peers"), i, p)
    {
        if (!json_is_true(json_object_get(p, "self"))) {
            line("served by", "%s: generation %" PRId64 ", serial %s%s", text(p, "id"),
                 number(p, "certGeneration"), text(p, "certSerial"),
                 json_is_true(json_object_get(p, "live")) ? "" : " (silent)");
        }
    }
}

/* What the daemon here says of HOSTNAME; NULL: it is not the one that it manages. */
static const json_t *managed_part(const json_t *status, const char *hostname)
{
    const json_t *m = json_object_get(status, "managed");
    return json_is_object(m) && strcmp(text(m, "hostname"), hostname) == 0 ? m : NULL;
}

static void print_managed(const json_t *status, const json_t *m)
{
    const json_t *lease = json_object_get(m, "lease");
    line("directory", "%s by %s", text(m, "directory"), text(m, "challenge"));
    line("orders", "%s", text(lease, "holder")[0] != '\0' ? text(lease, "holder") : "nobody yet");
    print_order(m);
    print_files(m);
    print_peers(status);
}

/* ROW NULL: there is none. */
static int print_show(const struct cli *cli, const char *hostname, const json_t *row,
                      const json_t *status)
{
    json_t *shown = row != NULL ? public_part(row) : json_null();
    const json_t *managed = managed_part(status, hostname);
    cli_begin_output(cli);
    if (cli_json(cli)) {
        cli_print_json_own(
            json_pack("{s:O, s:o}", "cert", shown, "managed",
                      managed != NULL ? json_incref((json_t *)managed) : json_null()));
    } else {
        print_stored(hostname, row != NULL ? shown : NULL);
        if (managed != NULL) {
            print_managed(status, managed);
        } else {
            printf("  (%s)\n", status == NULL
                                   ? "no daemon answers here: what it is about to do is not known"
                                   : "the daemon here does not manage it");
        }
    }
    json_decref(shown);
    return row != NULL ? CLI_OK : CLI_NOTHING;
}

int certs_show(struct cli *cli)
{
    struct err_info info = {.text = ""};
    struct config_cert own = {.hostname = NULL};
    char hostname[WIRE_NAME_TEXT_MAX];
    json_t *row = NULL, *status = NULL;
    int code = certs_wanted(cli, &own, hostname);
    config_cert_free(&own);
    if (code == CLI_OK) {
        code = cli_open(cli, DB_READ);
    }
    if (code != CLI_OK) {
        return code;
    }
    enum err e = db_cert_get(cli->db, hostname, &row, &info);
    if (e != ERR_OK) {
        return cli_fail_store(cli, e, "the store: %s", info.text);
    }
    if (daemon_ask(cli, "status", &status, NULL) != ERR_OK) {
        status = NULL;
    }
    code = print_show(cli, hostname, row, status);
    json_decref(row);
    json_decref(status);
    return code;
}

/* ---- history ------------------------------------------------------------------------------------------- */

static void print_attempt(const json_t *a)
{
    char when[CERTS_TIME_TEXT];
    char entry[2048];
    certs_time_text(number(a, "at"), when);
    snprintf(entry, sizeof entry, "%s  %-13s %-6s %s  %s%s%s%s%s", when, text(a, "kind"),
             text(a, "outcome"), text(a, "core"), text(a, "hostname"),
             text(a, "problem")[0] != '\0' ? "  " : "", text(a, "problem"),
             text(a, "text")[0] != '\0' ? ": " : "", text(a, "text"));
    columns_clean(entry);
    puts(entry);
    if (number(a, "notBefore") != 0) {
        certs_time_text(number(a, "notBefore"), when);
        printf("    not before %s\n", when);
    }
}

int certs_history(struct cli *cli)
{
    struct err_info info = {.text = ""};
    char hostname[WIRE_NAME_TEXT_MAX];
    json_t *list = NULL;
    size_t i;
    json_t *a;
    int code = cli->count > 0 ? certs_name(cli, cli->words[0], hostname) : CLI_OK;
    if (code == CLI_OK) {
        code = cli_open(cli, DB_READ);
    }
    if (code != CLI_OK) {
        return code;
    }
    enum err e =
        db_attempts(cli->db, cli->count > 0 ? hostname : NULL, 0, HISTORY_MAX, &list, &info);
    if (e != ERR_OK) {
        json_decref(list);
        return cli_fail_store(cli, e, "the store: %s", info.text);
    }
    cli_begin_output(cli);
    if (cli_json(cli)) {
        code = json_array_size(list) > 0 ? CLI_OK : CLI_NOTHING;
        cli_print_json_own(json_pack("{s:o}", "attempts", list));
        return code;
    }
    json_array_foreach(list, i, a)
    {
        print_attempt(a);
    }
    code = json_array_size(list) > 0 ? CLI_OK : cli_nothing(cli, "nothing was tried yet");
    json_decref(list);
    return code;
}
