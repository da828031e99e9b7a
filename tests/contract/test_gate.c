/* cluster/gate_uv before real rqliteds, each version there is: three nodes with certificates of the cluster's
 * authority, each listening on loopback alone, form through their gates; a gate starts again, certificates are
 * renewed under load, a node is thrown out. And what it costs: the same cluster with gates and without. */
#include "cluster/gate_uv.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cert/authority.h"
#include "cert/csr.h"
#include "cert/key.h"
#include "cluster/rqlited_life.h"
#include "cluster/rqlited_uv.h"
#include "lib/clock.h"
#include "lib/file_sys.h"
#include "lib/httpc_curl.h"
#include "lib/log.h"
#include "lib/proc_uv.h"

#define NODES       3
#define PATIENCE_MS 60000
#define WRITES      400
#define RENEWALS    12 /* of each node's certificate */

struct node {
    struct rqlited *r; /* NULL: stopped */
    struct gate *gate; /* NULL: stopped */
    struct rqlited_options o;
    char id[16], ip[16], bind[32], state[128], data[128];
    char ca[160], cert[160], key[160];
    char serial[41];
    unsigned generation;
    struct gate_identity identity;
};

static struct {
    const char *bin;
    char version[32];
    char folder[64];
    char *ca_pem, *ca_key;
    struct cert_authority *authority;
    uv_loop_t loop;
    uv_timer_t tick;
    struct httpc *http;
    uint16_t raft_port;
    struct node node[NODES];
    struct rqlited_limits limits;
    unsigned rows;
} t;

/* ---- waiting ------------------------------------------------------------------------------- */

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static bool wait_until(bool (*is)(const void *ctx), const void *ctx, unsigned ms)
{
    uint64_t until = uv_hrtime() + (uint64_t)ms * 1000000;
    uv_timer_start(&t.tick, on_tick, 10, 10);
    while (!is(ctx) && uv_hrtime() < until) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&t.tick);
    return is(ctx);
}

static struct rqlited_view view(const struct node *n)
{
    struct rqlited_view v;
    rqlited_view(n->r, &v);
    return v;
}

static bool is_whole(const void *ctx)
{
    struct rqlited_view v = view(ctx);
    return v.state == RQLITED_READY && v.voters == NODES && v.unreachable == 0;
}

static void need_whole(void)
{
    for (unsigned i = 0; i < NODES; i++) {
        struct node *n = &t.node[i];
        if (!wait_until(is_whole, n, PATIENCE_MS)) {
            struct rqlited_view v = view(n);
            fail_msg("%s: %s, %zu voters, %zu unreachable, last %s, refused: %s", n->id,
                     rqlited_state_text(v.state), v.voters, v.unreachable, v.last_exit,
                     n->gate != NULL ? gate_last_refusal(n->gate) : "");
        }
    }
}

/* ---- certificates -------------------------------------------------------------------------- */

static void write_file(const struct node *n, const char *name, const char *text)
{
    char path[192];
    snprintf(path, sizeof path, "%s/%u/%s", n->state, n->generation, name);
    assert_int_equal(file_replace(path, text, strlen(text), 0600, NULL), ERR_OK);
}

static void use(struct node *n, const char *cert, const char *key)
{
    struct tls_pair *pair = NULL;
    tls_context_unref(n->identity.server);
    tls_client_unref(n->identity.client);
    assert_int_equal(tls_pair_new(cert, strlen(cert), key, strlen(key), &pair, NULL), ERR_OK);
    struct tls_context_options o = {.pairs = &pair,
                                    .pairs_count = 1,
                                    .client_ca = t.ca_pem,
                                    .client_ca_len = strlen(t.ca_pem),
                                    .client_must = true};
    assert_int_equal(tls_context_new(&o, &n->identity.server, NULL), ERR_OK);
    assert_int_equal(tls_client_new(t.ca_pem, strlen(t.ca_pem), pair, &n->identity.client, NULL),
                     ERR_OK);
    tls_pair_unref(pair);
    if (n->gate != NULL) {
        gate_use(n->gate, &n->identity);
    }
}

/* Another key and certificate: for the gate, and in the files, both at once by the name of their folder. */
static void renew(struct node *n)
{
    struct cert_key *key = NULL;
    struct cert_node_info info;
    char *request = NULL, *cert = NULL, *private = NULL;
    char from[160], to[16], link[160];
    const char *names[] = {n->id, n->ip};
    struct cert_node_wish wish = {.id = n->id,
                                  .names = names,
                                  .names_count = 2,
                                  .now_ms = clk_wall_ms(&clk_system),
                                  .lifetime_s = 3600};
    n->generation++;
    assert_int_equal(cert_key_new(&key, NULL), ERR_OK);
    assert_int_equal(cert_csr_new_pem(key, names, 1, &request, NULL), ERR_OK);
    assert_int_equal(cert_authority_sign(t.authority, request, strlen(request), &wish, &cert, NULL),
                     ERR_OK);
    assert_int_equal(cert_key_to_pem(key, &private, NULL), ERR_OK);
    assert_int_equal(cert_node_read(cert, strlen(cert), &info, NULL), ERR_OK);
    memcpy(n->serial, info.serial, sizeof n->serial);
    snprintf(from, sizeof from, "%s/%u", n->state, n->generation);
    assert_int_equal(mkdir(from, 0700), 0);
    write_file(n, "ca.crt", t.ca_pem);
    write_file(n, "node.crt", cert);
    write_file(n, "node.key", private);
    snprintf(to, sizeof to, "%u", n->generation);
    snprintf(from, sizeof from, "%s/next", n->state);
    snprintf(link, sizeof link, "%s/now", n->state);
    assert_int_equal(symlink(to, from), 0);
    assert_int_equal(rename(from, link), 0);
    use(n, cert, private);
    cert_key_pem_free(private);
    cert_key_free(key);
    free(request);
    free(cert);
}

/* ---- nodes --------------------------------------------------------------------------------- */

static int bind_one(unsigned last, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(port),
                            .sin_addr.s_addr = htonl(0x7f000000 + last)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* One that is free on 127.0.0.1 to 127.0.0.3. */
static uint16_t free_port(void)
{
    for (;;) {
        int fds[NODES];
        struct sockaddr_in a = {.sin_family = AF_INET};
        socklen_t len = sizeof a;
        fds[0] = bind_one(1, 0);
        assert_int_equal(getsockname(fds[0], (struct sockaddr *)&a, &len), 0);
        unsigned n = 1;
        while (n < NODES && (fds[n] = bind_one(n + 1, ntohs(a.sin_port))) >= 0) {
            n++;
        }
        for (unsigned i = 0; i < n; i++) {
            close(fds[i]);
        }
        if (n == NODES) {
            return ntohs(a.sin_port);
        }
    }
}

static void on_known(void *ctx, struct rqlited_known *out)
{
    (void)ctx;
    for (unsigned i = 0; i < NODES; i++) {
        rqlited_peers_add(&out->seeds, t.node[i].ip);
    }
}

static void open_gate(struct node *n)
{
    struct err_info info = {""};
    int fd = bind_one((unsigned)(n - t.node) + 1, t.raft_port);
    assert_true(fd >= 0);
    struct gate_options o = {.fds = &fd,
                             .fds_count = 1,
                             .local_port = n->o.config.raft_local_port,
                             .identity = n->identity};
    if (gate_start(&t.loop, &o, &n->gate, &info) != ERR_OK) {
        fail_msg("%s: %s", n->id, info.text);
    }
}

static void on_gate_stopped(void *ctx)
{
    ((struct node *)ctx)->gate = NULL;
}

static bool is_gate_stopped(const void *ctx)
{
    return ((const struct node *)ctx)->gate == NULL;
}

static void close_gate(struct node *n)
{
    gate_stop(n->gate, on_gate_stopped, n);
    assert_true(wait_until(is_gate_stopped, n, PATIENCE_MS));
}

static void make_node(unsigned i)
{
    struct node *n = &t.node[i];
    memset(n, 0, sizeof *n);
    snprintf(n->id, sizeof n->id, "core-%c", (char)('a' + i));
    snprintf(n->ip, sizeof n->ip, "127.0.0.%u", i + 1);
    snprintf(n->bind, sizeof n->bind, "127.0.0.%u:%u", i + 1, t.raft_port);
    snprintf(n->state, sizeof n->state, "%s/%u", t.folder, i);
    snprintf(n->data, sizeof n->data, "%s/%u/data", t.folder, i);
    snprintf(n->ca, sizeof n->ca, "%s/%u/now/ca.crt", t.folder, i);
    snprintf(n->cert, sizeof n->cert, "%s/%u/now/node.crt", t.folder, i);
    snprintf(n->key, sizeof n->key, "%s/%u/now/node.key", t.folder, i);
    assert_int_equal(mkdir(n->state, 0700), 0);
    n->o = (struct rqlited_options){.config = {.bin_path = t.bin,
                                               .data_dir = n->data,
                                               .node_id = n->id,
                                               .ip = n->ip,
                                               .raft_bind = n->bind,
                                               .http_port = free_port(),
                                               .raft_port = t.raft_port,
                                               .raft_local_port = free_port(),
                                               .ca_file = n->ca,
                                               .cert_file = n->cert,
                                               .key_file = n->key,
                                               .verify_client = true,
                                               .discovery = true},
                                    .state_dir = n->state,
                                    .known = on_known,
                                    .ctx = n,
                                    .limits = &t.limits};
    renew(n);
    open_gate(n);
    struct err_info info = {""};
    if (rqlited_start(&t.loop, &n->o, &n->r, &info) != ERR_OK) {
        fail_msg("%s: %s", n->id, info.text);
    }
}

static void on_stopped(void *ctx)
{
    ((struct node *)ctx)->r = NULL;
}

static int drop(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static int setup(void **state)
{
    (void)state;
    memset(t.node, 0, sizeof t.node);
    snprintf(t.folder, sizeof t.folder, "/tmp/dnsd-gate-XXXXXX");
    t.limits = rqlited_limits_default;
    t.limits.poll_ms = t.limits.poll_ready_ms = 100;
    t.limits.backoff_min_ms = 50;
    t.raft_port = free_port();
    t.rows = 0;
    int64_t now = clk_wall_ms(&clk_system);
    return mkdtemp(t.folder) == NULL || uv_loop_init(&t.loop) != 0 ||
           uv_timer_init(&t.loop, &t.tick) != 0 ||
           httpc_open(&t.loop, &(struct httpc_options){.user_agent = NULL}, &t.http, NULL) !=
               ERR_OK ||
           cert_authority_make(now, &t.ca_pem, &t.ca_key, NULL) != ERR_OK ||
           cert_authority_open(t.ca_pem, strlen(t.ca_pem), t.ca_key, strlen(t.ca_key), now,
                               &t.authority, NULL) != ERR_OK;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NODES; i++) {
        struct node *n = &t.node[i];
        if (n->r != NULL) {
            rqlited_stop(n->r, on_stopped, n);
        }
        if (n->gate != NULL) {
            gate_stop(n->gate, on_gate_stopped, n);
        }
        tls_context_unref(n->identity.server);
        tls_client_unref(n->identity.client);
    }
    httpc_close(t.http, NULL, NULL);
    uv_close((uv_handle_t *)&t.tick, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    cert_authority_free(t.authority);
    cert_key_pem_free(t.ca_key);
    free(t.ca_pem);
    nftw(t.folder, drop, 16, FTW_DEPTH | FTW_PHYS);
    return uv_loop_close(&t.loop);
}

/* ---- SQL ----------------------------------------------------------------------------------- */

struct answer {
    bool done;
    enum err e;
    unsigned status;
    char body[8192];
};

static void on_answer(void *ctx, enum err e, const struct err_info *info,
                      const struct httpc_reply *reply)
{
    struct answer *a = ctx;
    (void)info;
    a->done = true;
    a->e = e;
    if (e == ERR_OK) {
        a->status = reply->status;
        snprintf(a->body, sizeof a->body, "%s", reply->body);
    }
}

static struct answer ask(const struct node *n, const char *method, const char *path,
                         const char *body)
{
    struct answer a = {.done = false};
    struct httpc_header header = {"Content-Type", "application/json"};
    char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", n->o.config.http_port, path);
    struct httpc_request q = {.method = method,
                              .url = url,
                              .headers = &header,
                              .headers_count = body != NULL,
                              .body = body,
                              .body_len = body != NULL ? strlen(body) : 0,
                              .body_max = sizeof a.body,
                              .wait_ms = 10000};
    httpc_start(t.http, &q, on_answer, &a);
    while (!a.done) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    return a;
}

static bool execute(const struct node *n, const char *statement)
{
    char body[256];
    snprintf(body, sizeof body, "[\"%s\"]", statement);
    struct answer a = ask(n, "POST", "/db/execute", body);
    return a.e == ERR_OK && a.status == 200 && strstr(a.body, "error") == NULL;
}

static bool add_row(const struct node *n)
{
    char statement[64];
    snprintf(statement, sizeof statement, "INSERT INTO t VALUES(%u)", t.rows + 1);
    bool ok = execute(n, statement);
    t.rows += ok;
    return ok;
}

/* How many rows its own copy has. */
static bool has_all_rows(const void *ctx)
{
    char want[32];
    struct answer a = ask(ctx, "POST", "/db/query?level=none", "[\"SELECT COUNT(*) FROM t\"]");
    snprintf(want, sizeof want, "[[%u]]", t.rows);
    return a.status == 200 && strstr(a.body, want) != NULL;
}

static void need_all_rows(const struct node *n)
{
    if (!wait_until(has_all_rows, n, PATIENCE_MS)) {
        fail_msg("%s does not have %u rows", n->id, t.rows);
    }
}

/* Raft's term: it grows with each election. */
static unsigned term(void)
{
    struct answer a = ask(&t.node[0], "GET", "/status?key=store.raft", NULL);
    const char *at = strstr(a.body, "\"term\":");
    assert_non_null(at);
    return (unsigned)strtoul(at + 7, NULL, 10);
}

static struct node *by_role(const char *role)
{
    for (unsigned i = 0; i < NODES; i++) {
        if (strcmp(view(&t.node[i]).role, role) == 0) {
            return &t.node[i];
        }
    }
    return NULL;
}

static bool is_led(const void *ctx)
{
    (void)ctx;
    return by_role("leader") != NULL && by_role("follower") != NULL;
}

static void form(void)
{
    for (unsigned i = 0; i < NODES; i++) {
        make_node(i);
    }
    need_whole();
    assert_true(wait_until(is_led, NULL, PATIENCE_MS));
    assert_true(execute(&t.node[0], "CREATE TABLE t (v INTEGER)"));
    for (unsigned i = 0; i < NODES; i++) { /* two of them pass it on, through the leader's gate */
        assert_true(add_row(&t.node[i]));
    }
    for (unsigned i = 0; i < NODES; i++) {
        const struct gate_counters *c = gate_counters(t.node[i].gate);
        need_all_rows(&t.node[i]);
        assert_true(c->accepted > 0);
        assert_int_equal(c->revoked, 0);
        /* who joins asks first whether this is an HTTP port by mistake: refused, and no harm done */
        print_message(
            "%s %s: %ju connections through the gate, %ju refused, %ju failed, last: %s\n",
            t.version, t.node[i].id, (uintmax_t)c->accepted, (uintmax_t)c->refused,
            (uintmax_t)c->failed, gate_last_refusal(t.node[i].gate));
    }
}

/* ---- what it costs ------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *what)
{
    static double ms[WRITES];
    const struct node *n = by_role("leader");
    assert_non_null(n);
    for (unsigned i = 0; i < WRITES; i++) {
        uint64_t begun = uv_hrtime();
        assert_true(add_row(n));
        ms[i] = (double)(uv_hrtime() - begun) / 1e6;
    }
    qsort(ms, WRITES, sizeof ms[0], by_size);
    print_message("%s a write %s: p50 %.2f ms, p99 %.2f ms\n", t.version, what, ms[WRITES / 2],
                  ms[WRITES * 99 / 100]);
}

/* From gates to none and back, while it runs. */
static void test_cost(void **state)
{
    (void)state;
    form();
    measure("through gates");
    for (unsigned i = 0; i < NODES; i++) {
        struct node *n = &t.node[i];
        struct rqlited_config c = n->o.config;
        c.raft_local_port = 0;
        close_gate(n);
        assert_int_equal(rqlited_reconfigure(n->r, &c, NULL), ERR_OK);
    }
    need_whole();
    assert_true(wait_until(is_led, NULL, PATIENCE_MS));
    measure("without gates");
    for (unsigned i = 0; i < NODES; i++) {
        assert_int_equal(rqlited_reconfigure(t.node[i].r, &t.node[i].o.config, NULL), ERR_OK);
    }
    for (unsigned i = 0; i < NODES; i++) { /* its port is free when rqlited has ended */
        uint64_t until = uv_hrtime() + (uint64_t)PATIENCE_MS * 1000000;
        int fd = -1;
        while (fd < 0 && uv_hrtime() < until) {
            uv_timer_start(&t.tick, on_tick, 10, 10);
            uv_run(&t.loop, UV_RUN_ONCE);
            fd = bind_one(i + 1, t.raft_port);
        }
        uv_timer_stop(&t.tick);
        assert_true(fd >= 0);
        close(fd);
        open_gate(&t.node[i]);
    }
    need_whole();
    assert_true(wait_until(is_led, NULL, PATIENCE_MS));
    measure("through gates again");
    for (unsigned i = 0; i < NODES; i++) {
        need_all_rows(&t.node[i]);
    }
}

/* ---- gates and certificates that change ---------------------------------------------------- */

static void test_restart_and_renewal(void **state)
{
    (void)state;
    form();
    struct node *follower = by_role("follower");
    unsigned before = term();
    close_gate(follower);
    open_gate(follower);
    for (unsigned i = 0; i < 20; i++) {
        assert_true(add_row(&t.node[i % NODES]));
    }
    need_whole();
    need_all_rows(follower);
    print_message("%s a follower's gate started again: %u elections\n", t.version, term() - before);

    const struct node *leader = by_role("leader");
    const char *was = leader->id;
    before = term();
    unsigned rows = t.rows;
    uint64_t refused[NODES];
    for (unsigned i = 0; i < NODES; i++) {
        refused[i] = gate_counters(t.node[i].gate)->refused;
    }
    for (unsigned i = 0; i < RENEWALS; i++) {
        for (unsigned j = 0; j < NODES; j++) {
            renew(&t.node[j]);
            for (unsigned k = 0; k < NODES; k++) {
                assert_true(add_row(&t.node[k]));
            }
        }
    }
    unsigned elections = term() - before;
    print_message("%s %u certificates renewed under %u writes: %u elections\n", t.version,
                  RENEWALS * NODES, t.rows - rows, elections);
    assert_int_equal(elections, 0);
    assert_string_equal(by_role("leader")->id, was);
    for (unsigned i = 0; i < NODES; i++) {
        need_all_rows(&t.node[i]);
        assert_int_equal(gate_counters(t.node[i].gate)->refused, refused[i]);
    }
}

/* ---- thrown out ---------------------------------------------------------------------------- */

static void test_thrown_out(void **state)
{
    (void)state;
    form();
    struct node *out = by_role("follower");
    struct node *leader = by_role("leader");
    const char *serials[] = {out->serial};
    assert_true(add_row(out)); /* it reaches the leader */
    unsigned before = term();
    for (unsigned i = 0; i < NODES; i++) {
        if (&t.node[i] != out) { /* its own gate is its own business */
            gate_revoked(t.node[i].gate, serials, 1);
        }
    }
    const struct gate_counters *c = gate_counters(leader->gate);
    uint64_t until = uv_hrtime() + (uint64_t)PATIENCE_MS * 1000000;
    while (c->revoked == 0 && uv_hrtime() < until) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    assert_true(c->revoked > 0);
    unsigned rows = t.rows;
    assert_false(add_row(out));
    for (unsigned i = 0; i < NODES; i++) {
        if (&t.node[i] != out) {
            assert_true(add_row(&t.node[i]));
        }
    }
    assert_int_equal(t.rows, rows + 2);
    assert_int_equal(term(), before);

    /* and out of Raft, it is told nothing more either, however often it asks */
    char body[64];
    snprintf(body, sizeof body, "{\"id\":\"%s\"}", out->id);
    assert_int_equal(ask(leader, "DELETE", "/remove", body).status, 200);
    uint64_t refused = c->refused;
    for (unsigned i = 0; i < 20; i++) {
        assert_true(add_row(leader));
    }
    for (unsigned i = 0; i < NODES; i++) {
        if (&t.node[i] != out) {
            need_all_rows(&t.node[i]);
        }
    }
    assert_false(has_all_rows(out));
    assert_false(add_row(out));
    assert_false(execute(out, "DROP TABLE t"));
    assert_true(add_row(leader));
    print_message("%s thrown out: %ju refused, %ju of them since it is out of Raft; last: %s\n",
                  t.version, (uintmax_t)c->refused, (uintmax_t)(c->refused - refused),
                  gate_last_refusal(leader->gate));
    assert_int_equal(by_role("leader") == leader, 1);
}

int main(int argc, char **argv)
{
    proc_child_main(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    const char *all = getenv("DNSD_RQLITEDS");
    if (all == NULL || all[0] == '\0') {
        fprintf(stderr, "no rqlited in DNSD_RQLITEDS: run tools/setup test\n");
        return 1;
    }
    if (getenv("DNSD_TEST_DEBUG") != NULL) {
        log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    }
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    static const struct CMUnitTest tests[] = {
        T(test_cost),
        T(test_restart_and_renewal),
        T(test_thrown_out),
    };
#undef T
    int failed = 0;
    char *list = strdup(all);
    for (char *at = list, *one; (one = strsep(&at, ":")) != NULL;) {
        t.bin = one;
        const char *name = strstr(one, "/rqlite/"); /* .../rqlite/8.26.8/rqlited */
        snprintf(t.version, sizeof t.version, "%.*s",
                 name != NULL ? (int)strcspn(name + 8, "/") : (int)strlen(one),
                 name != NULL ? name + 8 : one);
        print_message("with %s\n", one);
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    }
    free(list);
    return failed;
}
