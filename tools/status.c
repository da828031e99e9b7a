/* dnsctl status: asks the daemon on its control socket, and looks into the store. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "columns.h"
#include "cores.h"
#include "daemon.h"
#include "lib/clock.h"
#include "peers.h"

/* A core tells what it has once in 5 s, and is listened to every 2 s: what is behind for longer is
 * behind. */
#define SETTLE_MS 8000
#define AGAIN_MS  250

/* ---- the store --------------------------------------------------------------------------- */

struct store_view {
    struct store_state state;
    struct db_cores cores; /* owned */
    uint64_t records, users;
};

static bool count_row(void *ctx, const struct store_row *row)
{
    (void)row;
    *(uint64_t *)ctx += 1;
    return true;
}

static enum err look(struct cli *cli, struct store_view *out, struct err_info *info)
{
    enum err e = db_state(cli->db, &out->state, info);
    if (e == ERR_OK) {
        e = db_scan(cli->db, "dns-record/", count_row, &out->records, info);
    }
    if (e == ERR_OK) {
        e = db_cores_list(cli->db, &out->cores, info);
    }
    if (e == ERR_OK && !cli->config.storages.engine_rqlite) {
        e = db_scan(cli->db, "user-core/", count_row, &out->users, info);
    } else if (e == ERR_OK) { /* a million rows over HTTP are too much to ask for a number */
        for (size_t i = 0; i < out->cores.count; i++) {
            out->users += out->cores.items[i].users;
        }
    }
    return e;
}

static json_t *store_json(const struct store_view *s)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:o}", "id", s->state.id, "revision",
                     (json_int_t)s->state.revision, "records", (json_int_t)s->records, "users",
                     (json_int_t)s->users, "cores", cores_list_json(&s->cores));
}

static void print_store(const struct store_view *s)
{
    printf("store\n  revision   %" PRIu64 "\n  records    %" PRIu64 "\n  users      %" PRIu64
           "\n  cores      %zu\n\n",
           s->state.revision, s->records, s->users, s->cores.count);
    cores_print(&s->cores);
}

/* ---- the page ---------------------------------------------------------------------------- */

static int64_t number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_integer(v) ? (int64_t)json_integer_value(v) : 0;
}

static const char *text(const json_t *o, const char *key)
{
    const char *value = json_string_value(json_object_get(o, key));
    return value != NULL ? value : "-";
}

/* "3 d 04:05:06" */
static void duration(int64_t ms, char out[48])
{
    int64_t s = ms / 1000;
    snprintf(out, 48, "%" PRId64 " d %02d:%02d:%02d", s / 86400, (int)(s / 3600 % 24),
             (int)(s / 60 % 60), (int)(s % 60));
}

static void print_members(const char *title, const json_t *o)
{
    const char *key;
    json_t *value;
    printf("  %-10s", title);
    json_object_foreach((json_t *)o, key, value)
    {
        printf(" %s %" JSON_INTEGER_FORMAT, key, json_integer_value(value));
    }
    printf("\n");
}

static void print_engine(const json_t *d)
{
    struct str line = {.text = NULL};
    peers_engine_line(d, &line);
    if (line.len > 0) {
        columns_clean(line.text);
        printf("  %s\n", line.text);
    }
    str_free(&line);
}

static void print_peers(const struct peers *p)
{
    struct str table = {.text = NULL};
    peers_table(p, &table);
    if (table.len > 0) {
        printf("%s\n", table.text);
    }
    str_free(&table);
}

/* What TLS clients are shown, and what is wrong with what they should be. */
static void print_certificate(const json_t *d)
{
    const json_t *c = json_object_get(d, "certificate");
    const json_t *names = json_object_get(c, "names");
    int64_t left_ms = number(c, "notAfter") - clk_wall_ms(&clk_system);
    struct str line = {.text = NULL};
    if (json_is_object(c) && json_array_size(names) > 0) {
        str_appendf(&line, "  certificate %s", json_string_value(json_array_get(names, 0)));
        if (json_array_size(names) > 1) {
            str_appendf(&line, " and %zu more", json_array_size(names) - 1);
        }
        str_appendf(&line, ", %s, serial %s, ",
                    strcmp(text(c, "source"), "managed") == 0 ? "managed"
                    : strcmp(text(c, "source"), "files") == 0 ? "from http.ssl"
                                                              : "a placeholder",
                    text(c, "serial"));
        if (left_ms > 0) {
            str_appendf(&line, "%" PRId64 " days left", left_ms / 86400000);
        } else {
            str_append(&line, "EXPIRED");
        }
        columns_clean(line.text);
        printf("%s\n", line.text);
        str_free(&line);
    }
    if (json_is_string(json_object_get(c, "problem"))) {
        str_appendf(&line, "  CERTIFICATE %s", text(c, "problem"));
        columns_clean(line.text);
        printf("%s\n", line.text);
        str_free(&line);
    }
}

/* This node's certificate for the cluster, and whether others join here. */
static void print_cluster(const json_t *d)
{
    const json_t *c = json_object_get(d, "cluster");
    const json_t *node = json_object_get(c, "node");
    if (json_is_object(node)) {
        int64_t left_ms = number(node, "notAfter") - clk_wall_ms(&clk_system);
        printf("  cluster    certificate ");
        if (left_ms > 0) {
            printf("%" PRId64 " days left", left_ms / 86400000);
        } else {
            printf("EXPIRED");
        }
        printf("%s%s%s\n", json_is_true(json_object_get(node, "managed")) ? "" : ", not managed",
               json_is_true(json_object_get(c, "ca")) ? ", the CA is here" : "",
               json_is_true(json_object_get(c, "joining")) ? ", others can join" : "");
    }
    if (json_is_string(json_object_get(c, "problem"))) {
        struct str line = {.text = NULL};
        str_appendf(&line, "  CLUSTER    %s", text(c, "problem"));
        columns_clean(line.text);
        printf("%s\n", line.text);
        str_free(&line);
    }
}

static void print_daemon(const json_t *d)
{
    char up[48], age[48];
    size_t i;
    json_t *address;
    duration(number(d, "uptimeMs"), up);
    duration(number(d, "snapshotAgeMs"), age);
    bool confirmed = number(d, "snapshotAgeMs") >= 0;
    printf("dnsd %s on core %s, pid %" PRId64 ", up %s\n", text(d, "version"), text(d, "id"),
           number(d, "pid"), up);
    printf("  domain     %s\n  listening ", text(d, "domain"));
    json_array_foreach(json_object_get(d, "listen"), i, address)
    {
        printf(" %s", json_string_value(address));
    }
    printf(" (%" PRId64 " workers)\n", number(d, "workers"));
    printf("  zone       serial %" PRId64 ", revision %" PRId64 ": %" PRId64 " names, %" PRId64
           " users, %" PRId64 " cores\n",
           number(d, "serial"), number(d, "revision"), number(d, "names"), number(d, "users"),
           number(d, "cores"));
    printf("  data from  the %s, %s%s%s\n", text(d, "source"), confirmed ? "confirmed " : "",
           confirmed ? age : "not confirmed yet", confirmed ? " ago" : "");
    if (json_is_string(json_object_get(d, "storeError"))) {
        printf("  STORE      %s\n", text(d, "storeError"));
    }
    print_engine(d);
    print_cluster(d);
    print_certificate(d);
    print_members("queries", json_object_get(d, "queries"));
    print_members("answers", json_object_get(d, "rcodes"));
    printf("  dropped    %" PRId64 "\n  open       tcp %" PRId64 " tls %" PRId64 " http %" PRId64
           "\n\n",
           number(d, "dropped"), number(d, "tcpConnections"), number(d, "tlsConnections"),
           number(d, "httpConnections"));
}

/* ---- the whole ----------------------------------------------------------------------------- */

/* Everything that is known; owned. */
struct page {
    json_t *daemon; /* NULL: it does not answer */
    struct err_info no_daemon;
    enum err looked; /* into the store */
    struct store_view store;
    struct err_info no_store;
    bool judged; /* the daemon told enough for a verdict */
    struct peers peers;
    struct verdict verdict;
};

static void judge(struct page *p, uint64_t wanted)
{
    peers_free(&p->peers);
    p->judged = peers_read(p->daemon, p->looked == ERR_OK ? &p->store.cores : NULL, &p->peers);
    if (p->judged) {
        p->peers.told.wanted = wanted;
        verdict_make(&p->peers.told, &p->verdict);
    }
}

/* What this core, the others, or the store itself told of at first. */
static uint64_t wanted_by_now(const struct page *p)
{
    uint64_t told = p->judged ? verdict_highest(&p->peers.told) : 0;
    uint64_t stored = p->looked == ERR_OK && !p->store.state.stale ? p->store.state.revision : 0;
    return told > stored ? told : stored;
}

/* Who is behind is given the time to catch up with what the first answer knew. */
static void settle(const struct cli *cli, struct page *p, uint64_t wanted)
{
    int64_t end_ms = clk_mono_ms(&clk_system) + SETTLE_MS;
    while (p->judged && p->verdict.kind == VERDICT_BEHIND && clk_mono_ms(&clk_system) < end_ms) {
        json_t *again = NULL;
        poll(NULL, 0, AGAIN_MS);
        if (daemon_ask(cli, "status", &again, NULL) != ERR_OK) {
            return;
        }
        json_t *before = p->daemon;
        p->daemon = again;
        judge(p, wanted);
        json_decref(before);
    }
}

/* The daemon may not have noticed yet what we have seen. */
static void add_store(struct page *p)
{
    if (p->judged && p->looked != ERR_OK && p->verdict.kind != VERDICT_READ_ONLY) {
        p->verdict.kind = VERDICT_READ_ONLY;
        snprintf(p->verdict.text, sizeof p->verdict.text, "the store cannot be read: %s",
                 p->no_store.text);
    }
}

static void attention(struct page *p, const char *what, const char *why)
{
    p->verdict.kind = VERDICT_ATTENTION;
    snprintf(p->verdict.text, sizeof p->verdict.text, "%s: %s", what, why);
}

/* What comes of managing one: a key that is missing, files that cannot be written, a hook that fails, a
 * listener that shows another one, renewal that does not get on. */
static void add_managed(struct page *p)
{
    const json_t *m = json_object_get(p->daemon, "managed");
    const json_t *files = json_object_get(m, "files");
    const json_t *hook = json_object_get(files, "hook");
    const json_t *served = json_object_get(m, "served");
    const char *step = json_string_value(json_object_get(json_object_get(m, "order"), "text"));
    if (!p->judged || p->verdict.kind != VERDICT_FINE || !json_is_object(m)) {
        return;
    }
    if (json_is_string(json_object_get(files, "problem"))) {
        attention(p, "the stored certificate cannot be used", text(files, "problem"));
    } else if (json_is_string(json_object_get(served, "problem"))) {
        attention(p, "the certificate is not served", text(served, "problem"));
    } else if (json_is_object(hook) && number(hook, "status") != 0) {
        char what[64];
        snprintf(what, sizeof what, "letsEncrypt.onRotateScript failed (exit %" PRId64 ")",
                 number(hook, "status"));
        attention(p, what, text(hook, "text"));
    } else if (number(served, "generation") == 0 && json_is_object(json_object_get(m, "problem"))) {
        attention(p, "there is no certificate yet", text(json_object_get(m, "problem"), "text"));
    } else if (number(served, "generation") == 0 && step != NULL && step[0] != '\0') {
        attention(p, "there is no certificate yet", step);
    } else if (number(m, "alarm") > 0) {
        attention(p, "the certificate runs out and is not renewed",
                  text(json_object_get(m, "plan"), "text"));
    }
}

/* A newer certificate that is of no use: nobody notices until the old one expires. */
static void add_certificate(struct page *p)
{
    const json_t *c = json_object_get(p->daemon, "certificate");
    if (p->judged && p->verdict.kind == VERDICT_FINE &&
        json_is_string(json_object_get(c, "problem"))) {
        p->verdict.kind = VERDICT_ATTENTION;
        snprintf(p->verdict.text, sizeof p->verdict.text, "the certificate cannot be used: %s",
                 text(c, "problem"));
    }
}

/* What would shut this core out of the cluster. */
static void add_cluster(struct page *p)
{
    const json_t *c = json_object_get(p->daemon, "cluster");
    const json_t *node = json_object_get(c, "node");
    if (!p->judged || p->verdict.kind != VERDICT_FINE || !json_is_object(c)) {
        return;
    }
    if (json_is_string(json_object_get(c, "problem"))) {
        attention(p, "this node's part in the cluster", text(c, "problem"));
    } else if (json_is_true(json_object_get(node, "runsOut"))) {
        const char *why = json_string_value(json_object_get(node, "renewProblem"));
        attention(p, "this node's certificate for the cluster runs out",
                  why != NULL ? why : "it is not dnsd's to renew");
    }
}

static void print_json(const struct cli *cli, const struct page *p)
{
    json_t *o = p->daemon != NULL ? json_incref(p->daemon)
                                  : json_pack("{s:o}", "error", cli_text(p->no_daemon.text));
    if (p->judged) {
        json_object_set_new(o, "verdict",
                            json_pack("{s:s, s:o}", "state", verdict_kind_text(p->verdict.kind),
                                      "text", cli_text(p->verdict.text)));
    }
    json_object_set_new(o, "store",
                        p->looked == ERR_OK
                            ? store_json(&p->store)
                            : json_pack("{s:o}", "error", cli_text(p->no_store.text)));
    cli_begin_output(cli);
    cli_print_json_own(o);
}

static void print_text(struct page *p)
{
    if (p->daemon != NULL) {
        print_daemon(p->daemon);
    }
    if (p->judged) {
        print_peers(&p->peers);
    }
    if (p->looked == ERR_OK) {
        print_store(&p->store);
    }
    if (p->judged) {
        columns_clean(p->verdict.text);
        printf("\n%s\n", p->verdict.text);
    }
}

static int exit_code(const struct cli *cli, const struct page *p)
{
    static const int codes[] = {[VERDICT_FINE] = CLI_OK,
                                [VERDICT_BEHIND] = CLI_ATTENTION,
                                [VERDICT_ATTENTION] = CLI_ATTENTION,
                                [VERDICT_READ_ONLY] = CLI_UNAVAIL};
    int code = p->judged ? codes[p->verdict.kind] : CLI_OK;
    if (p->daemon == NULL) {
        code = cli_fail(cli, "no daemon answers: %s", p->no_daemon.text);
    }
    bool told = p->judged && p->verdict.kind == VERDICT_READ_ONLY;
    if (p->looked != ERR_OK && !(told && err_is_transient(p->looked))) {
        int failed =
            cli_fail_store(cli, p->looked, "the store cannot be read: %s", p->no_store.text);
        code = p->daemon == NULL ? CLI_FAILED : failed;
    }
    return code;
}

int status_show(struct cli *cli)
{
    struct page p = {.daemon = NULL};
    enum err asked = daemon_ask(cli, "status", &p.daemon, &p.no_daemon);
    p.looked = db_open(&cli->config, DB_READ, &cli->db, &p.no_store);
    if (p.looked == ERR_OK) {
        p.looked = look(cli, &p.store, &p.no_store);
    }
    if (asked == ERR_OK) {
        judge(&p, 0);
        uint64_t wanted = wanted_by_now(&p);
        judge(&p, wanted);
        settle(cli, &p, wanted);
        add_store(&p);
        add_certificate(&p);
        add_managed(&p);
        add_cluster(&p);
    }
    if (cli_json(cli)) {
        print_json(cli, &p);
    } else {
        print_text(&p);
    }
    int code = exit_code(cli, &p);
    peers_free(&p.peers);
    db_cores_free(&p.store.cores);
    json_decref(p.daemon);
    return code;
}
