/* cluster/rqlited_uv with real rqliteds, each version there is: one core founds, and comes back after
 * a kill, a full disk or doubts about its rows; three form together, or not at all; others join; all
 * resume; nobody founds by accident. Nodes are 127.0.0.1 and its neighbours, with one Raft port and an
 * HTTP port each. */
#include "cluster/rqlited_uv.h"

#include <arpa/inet.h>
#include <errno.h>
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
#include <sqlite3.h>

#include "cluster/rqlited_life.h"
#include "lib/file_sys.h"
#include "lib/httpc_curl.h"
#include "lib/log.h"
#include "lib/proc_uv.h"

#define NODES       4
#define PATIENCE_MS 60000
#define USER        "dnsd"
#define PASSWORD    "a password, \"quoted\""

struct node {
    struct rqlited *r; /* NULL: stopped */
    struct rqlited_options o;
    char id[16], ip[16], bind[32], state[128], data[128];
    struct rqlited_known known;
    unsigned changes;
};

static struct {
    const char *bin;
    char version[32];
    char folder[64];
    uv_loop_t loop;
    uv_timer_t tick; /* so that waiting looks again now and then */
    struct httpc *http;
    uint16_t raft_port;
    struct node node[NODES];
    struct rqlited_limits limits;
} t;

/* ---- waiting ---- */

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static bool wait_until(bool (*is)(const void *ctx), const void *ctx)
{
    uint64_t until = uv_hrtime() + (uint64_t)PATIENCE_MS * 1000000;
    uv_timer_start(&t.tick, on_tick, 10, 10);
    while (!is(ctx) && uv_hrtime() < until) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&t.tick);
    return is(ctx);
}

static void wait_ms(unsigned ms) /* for things that must not happen */
{
    uint64_t until = uv_hrtime() + (uint64_t)ms * 1000000;
    uv_timer_start(&t.tick, on_tick, 10, 10);
    while (uv_hrtime() < until) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&t.tick);
}

static struct rqlited_view view(const struct node *n)
{
    struct rqlited_view v;
    rqlited_view(n->r, &v);
    return v;
}

static bool is_ready(const void *ctx)
{
    return view(ctx).state == RQLITED_READY;
}

static void show(const struct node *n)
{
    struct rqlited_view v = view(n);
    print_error("%s %s: %s role=%s leader=%s voters=%zu nonvoters=%zu unreachable=%zu restarts=%u "
                "last=%s\n",
                t.version, n->id, rqlited_state_text(v.state), v.role, v.leader, v.voters,
                v.nonvoters, v.unreachable, v.restarts, v.last_exit);
}

static void need_ready(struct node *n)
{
    if (!wait_until(is_ready, n)) {
        show(n);
        fail_msg("%s does not become ready", n->id);
    }
}

/* ---- nodes ---- */

static void on_known(void *ctx, struct rqlited_known *out)
{
    const struct node *n = ctx;
    *out = n->known;
}

static void on_change(void *ctx)
{
    struct node *n = ctx;
    n->changes++;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    return ntohs(a.sin_port);
}

static int bind_one(unsigned last, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(port),
                            .sin_addr.s_addr = htonl(0x7f000000 + last)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* One that is free on 127.0.0.1 to 127.0.0.9. */
static uint16_t free_port(void)
{
    for (;;) {
        int fds[9];
        fds[0] = bind_one(1, 0);
        assert_true(fds[0] >= 0);
        uint16_t port = port_of(fds[0]);
        unsigned n = 1;
        while (n < 9 && (fds[n] = bind_one(n + 1, port)) >= 0) {
            n++;
        }
        for (unsigned i = 0; i < n; i++) {
            close(fds[i]);
        }
        if (n == 9) {
            return port;
        }
    }
}

static void set_ip(struct node *n, const char *ip)
{
    snprintf(n->ip, sizeof n->ip, "%s", ip != NULL ? ip : "");
    snprintf(n->bind, sizeof n->bind, "%s:%u", ip != NULL ? ip : "127.0.0.1", t.raft_port);
    n->o.config.ip = ip != NULL ? n->ip : NULL;
}

static struct node *make_node(unsigned i)
{
    struct node *n = &t.node[i];
    memset(n, 0, sizeof *n);
    snprintf(n->id, sizeof n->id, "core-%c", (char)('a' + i));
    snprintf(n->state, sizeof n->state, "%s/%u", t.folder, i);
    snprintf(n->data, sizeof n->data, "%s/%u/data", t.folder, i);
    assert_int_equal(mkdir(n->state, 0700), 0);
    n->o = (struct rqlited_options){.config = {.bin_path = t.bin,
                                               .data_dir = n->data,
                                               .node_id = n->id,
                                               .raft_bind = n->bind,
                                               .http_port = free_port(),
                                               .raft_port = t.raft_port,
                                               .user = USER},
                                    .password = PASSWORD,
                                    .state_dir = n->state,
                                    .known = on_known,
                                    .on_change = on_change,
                                    .ctx = n,
                                    .limits = &t.limits};
    char ip[16];
    snprintf(ip, sizeof ip, "127.0.0.%u", i + 1);
    set_ip(n, ip);
    return n;
}

static void start(struct node *n)
{
    struct err_info info = {""};
    n->changes = 0;
    if (rqlited_start(&t.loop, &n->o, &n->r, &info) != ERR_OK) {
        fail_msg("%s: %s", n->id, info.text);
    }
    assert_int_equal(n->changes, 0);
}

static void on_stopped(void *ctx)
{
    ((struct node *)ctx)->r = NULL;
}

static bool is_stopped(const void *ctx)
{
    return ((const struct node *)ctx)->r == NULL;
}

static void stop(struct node *n)
{
    if (n->r != NULL) {
        int pid = view(n).pid;
        unsigned changes = n->changes;
        rqlited_stop(n->r, on_stopped, n);
        assert_non_null(n->r); /* never inside the call */
        assert_true(wait_until(is_stopped, n));
        assert_int_equal(n->changes, changes);
        assert_true(pid == 0 || (kill(pid, 0) == -1 && errno == ESRCH));
    }
}

static int drop(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static void wipe(const char *folder)
{
    assert_int_equal(nftw(folder, drop, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static int setup(void **state)
{
    (void)state;
    memset(t.node, 0, sizeof t.node);
    snprintf(t.folder, sizeof t.folder, "/tmp/dnsd-rqlited-XXXXXX");
    t.limits = rqlited_limits_default;
    t.limits.poll_ms = t.limits.poll_ready_ms = 100;
    t.limits.nobody_ms = 100;
    t.limits.backoff_min_ms = 50;
    t.raft_port = free_port();
    return mkdtemp(t.folder) == NULL || uv_loop_init(&t.loop) != 0 ||
           uv_timer_init(&t.loop, &t.tick) != 0 ||
           httpc_open(&t.loop, &(struct httpc_options){.user_agent = NULL}, &t.http, NULL) !=
               ERR_OK;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NODES; i++) {
        if (t.node[i].r != NULL) {
            rqlited_stop(t.node[i].r, on_stopped, &t.node[i]);
        }
    }
    httpc_close(t.http, NULL, NULL);
    uv_close((uv_handle_t *)&t.tick, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    wipe(t.folder);
    return uv_loop_close(&t.loop); /* fails if anything is still there */
}

/* ---- SQL ---- */

struct answer {
    bool done;
    enum err e;
    unsigned status;
    char body[4096];
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

static bool is_answered(const void *ctx)
{
    return ((const struct answer *)ctx)->done;
}

static struct answer ask(const struct node *n, const char *path, const char *body,
                         const char *password)
{
    struct answer a = {.done = false};
    struct httpc_header header = {"Content-Type", "application/json"};
    char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", n->o.config.http_port, path);
    struct httpc_request q = {.method = body != NULL ? "POST" : "GET",
                              .url = url,
                              .user = password != NULL ? USER : NULL,
                              .password = password,
                              .headers = &header,
                              .headers_count = body != NULL,
                              .body = body,
                              .body_len = body != NULL ? strlen(body) : 0,
                              .body_max = sizeof a.body,
                              .wait_ms = 10000};
    httpc_start(t.http, &q, on_answer, &a);
    assert_true(wait_until(is_answered, &a));
    return a;
}

static void execute(const struct node *n, const char *statement)
{
    char body[512];
    snprintf(body, sizeof body, "[\"%s\"]", statement);
    struct answer a = ask(n, "/db/execute", body, PASSWORD);
    if (a.e != ERR_OK || a.status != 200 || strstr(a.body, "error") != NULL) {
        fail_msg("%s: %s: %u %s", n->id, statement, a.status, a.body);
    }
}

struct row {
    const struct node *node;
    const char *value;
};

static bool has_row(const void *ctx)
{
    const struct row *row = ctx;
    char want[64];
    struct answer a = ask(row->node, "/db/query?level=none", "[\"SELECT v FROM t\"]", PASSWORD);
    snprintf(want, sizeof want, "\"%s\"", row->value);
    return a.status == 200 && strstr(a.body, want) != NULL;
}

/* Every node sees what any of them has written, in its own copy. */
static void need_row(struct node *n, const char *value)
{
    if (!wait_until(has_row, &(struct row){n, value})) {
        show(n);
        fail_msg("%s does not have %s", n->id, value);
    }
}

struct count {
    const struct node *node;
    size_t voters, nonvoters, unreachable;
};

static bool has_count(const void *ctx)
{
    const struct count *c = ctx;
    struct rqlited_view v = view(c->node);
    return v.state == RQLITED_READY && v.voters == c->voters && v.nonvoters == c->nonvoters &&
           v.unreachable == c->unreachable;
}

static void need_count(struct node *n, size_t voters, size_t nonvoters, size_t unreachable)
{
    if (!wait_until(has_count, &(struct count){n, voters, nonvoters, unreachable})) {
        show(n);
        fail_msg("%s: want %zu voters, %zu non-voters, %zu unreachable", n->id, voters, nonvoters,
                 unreachable);
    }
}

static void need_file(const char *folder, const char *name, unsigned mode, const char *text)
{
    char path[256];
    struct stat st;
    uint8_t *bytes = NULL;
    size_t len = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, mode);
    assert_int_equal(file_read(path, 4096, &bytes, &len, NULL), ERR_OK);
    assert_string_equal((char *)bytes, text);
    free(bytes);
}

struct member_file {
    const struct node *node;
    char own[32];
};

static bool is_written(const void *ctx)
{
    const struct member_file *m = ctx;
    char path[256];
    uint8_t *bytes = NULL;
    size_t len = 0;
    snprintf(path, sizeof path, "%s/rqlite-member", m->node->state);
    bool is =
        file_read(path, 64, &bytes, &len, NULL) == ERR_OK && strcmp((char *)bytes, m->own) == 0;
    free(bytes);
    return is;
}

/* That it is a member under the address it has now is written down. */
static void need_member_file(const struct node *n)
{
    struct member_file m = {.node = n};
    snprintf(m.own, sizeof m.own, "%s:%u\n", n->ip, t.raft_port);
    if (!wait_until(is_written, &m)) {
        show(n);
        fail_msg("%s is not written down as %s", n->id, m.own);
    }
}

/* The node's arguments, as the kernel has them. */
static void show_argv(const struct node *n, const char *what)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/cmdline", view(n).pid);
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        return;
    }
    char text[4096];
    size_t len = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    for (size_t i = 0; i + 1 < len; i++) {
        text[i] = text[i] != '\0' ? text[i] : ' ';
    }
    text[len] = '\0';
    assert_null(strstr(text, "password"));
    print_message("%s %s: %s\n", t.version, what, text);
}

/* ---- one core ---- */

static void test_one_core(void **state)
{
    (void)state;
    struct node *n = make_node(0);
    set_ip(n, NULL);
    start(n);
    need_ready(n);
    show_argv(n, "found");
    struct rqlited_view v = view(n);
    assert_string_equal(v.role, "leader");
    assert_string_equal(v.leader, n->id);
    assert_int_equal(v.restarts, 0);
    assert_string_equal(v.last_exit, "");
    assert_true(n->changes >= 2);
    need_count(n, 1, 0, 0);

    char own[32];
    snprintf(own, sizeof own, "127.0.0.1:%u\n", t.raft_port);
    need_file(n->state, "rqlite-member", 0644, own);
    need_file(n->state, "rqlite-auth.json", 0600,
              "[{\"username\":\"dnsd\",\"password\":\"a password, \\\"quoted\\\"\","
              "\"perms\":[\"all\"]}]");
    assert_int_equal(ask(n, "/status", NULL, NULL).status, 401);
    assert_int_equal(ask(n, "/db/query?q=SELECT+1", NULL, "wrong").status, 401);
    execute(n, "CREATE TABLE t (v TEXT)");
    execute(n, "INSERT INTO t VALUES('one')");

    int pid = view(n).pid;
    kill(pid, SIGKILL);
    unsigned before = n->changes;
    uint64_t until = uv_hrtime() + (uint64_t)PATIENCE_MS * 1000000;
    while (view(n).restarts == 0 && uv_hrtime() < until) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    need_ready(n);
    show_argv(n, "resume");
    v = view(n);
    assert_int_equal(v.restarts, 1);
    assert_int_not_equal(v.pid, pid);
    assert_non_null(strstr(v.last_exit, "killed by signal 9"));
    assert_true(n->changes > before);
    need_row(n, "one");
    stop(n);
    assert_int_equal(ask(n, "/readyz", NULL, PASSWORD).e, ERR_UNAVAIL);

    start(n); /* and once more, without a kill */
    need_ready(n);
    need_row(n, "one");
}

/* ---- rows that may be wrong ---- */

static bool has_ended(const void *ctx)
{
    struct rqlited_view v = view(ctx);
    return v.state == RQLITED_WAITING && v.pid == 0;
}

/* A row less, behind rqlited's back: what a full disk does to it. */
static void lose_row(const struct node *n)
{
    sqlite3 *db = NULL;
    char path[256];
    snprintf(path, sizeof path, "%s/db.sqlite", n->data);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DELETE FROM t", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_changes(db), 1);
    sqlite3_close(db);
    assert_false(has_row(&(struct row){n, "one"}));
}

/* Each stop for the sake of the rows brings them back. */
static void test_disk_and_doubt(void **state)
{
    (void)state;
    struct node *n = make_node(0);
    t.limits.disk_ms = 50;
    start(n);
    need_ready(n);
    execute(n, "CREATE TABLE t (v TEXT)");
    execute(n, "INSERT INTO t VALUES('one')");
    need_row(n, "one");

    lose_row(n);
    t.limits.disk_low = UINT64_MAX; /* no disk has as much */
    assert_true(wait_until(has_ended, n));
    assert_non_null(strstr(view(n).last_exit, "is nearly full"));
    assert_non_null(strstr(view(n).last_exit, n->data));
    wait_ms(500);
    assert_true(has_ended(n));
    assert_int_equal(view(n).restarts, 0);
    t.limits.disk_low = 1;
    need_ready(n);
    need_row(n, "one");
    assert_int_equal(view(n).restarts, 1);

    lose_row(n);
    rqlited_suspect(n->r, "a digest");
    assert_true(wait_until(has_ended, n));
    need_ready(n);
    need_row(n, "one");
    assert_non_null(strstr(view(n).last_exit, "a digest"));
    assert_int_equal(view(n).restarts, 2);
    rqlited_suspect(n->r, "another"); /* too early: nothing happens */
    wait_ms(500);
    assert_int_equal(view(n).state, RQLITED_READY);
    assert_int_equal(view(n).restarts, 2);
    stop(n);
}

/* ---- another configuration ---- */

static bool is_restarted(const void *ctx)
{
    struct rqlited_view v = view(ctx);
    return v.restarts > 0 && v.state == RQLITED_READY;
}

static void test_reconfigure(void **state)
{
    (void)state;
    struct node *n = make_node(0);
    struct err_info info = {""};
    t.limits.backoff_min_ms = PATIENCE_MS; /* a backoff would be noticed */
    start(n);
    need_ready(n);
    execute(n, "CREATE TABLE t (v TEXT)");
    execute(n, "INSERT INTO t VALUES('one')");
    need_member_file(n);

    /* nothing of it is in its arguments */
    int pid = view(n).pid;
    struct rqlited_config c = n->o.config;
    c.domain = "example.com";
    assert_int_equal(rqlited_reconfigure(n->r, &c, &info), ERR_OK);
    wait_ms(300);
    assert_int_equal(view(n).pid, pid);

    /* refused: nothing changes */
    c.node_id = "core-x";
    assert_int_equal(rqlited_reconfigure(n->r, &c, &info), ERR_CONFLICT);
    c = n->o.config;
    c.data_dir = "/nowhere";
    assert_int_equal(rqlited_reconfigure(n->r, &c, &info), ERR_CONFLICT);
    c = n->o.config;
    c.bin_path = "/nowhere/rqlited";
    assert_int_equal(rqlited_reconfigure(n->r, &c, &info), ERR_NOTFOUND);

    /* behind a gate, with another HTTP port; its texts may go at once */
    char bind[32] = "127.0.0.9:1";
    c = n->o.config;
    c.raft_bind = bind;
    c.raft_local_port = free_port();
    n->o.config.http_port = c.http_port = free_port();
    unsigned before = n->changes;
    assert_int_equal(rqlited_reconfigure(n->r, &c, &info), ERR_OK);
    assert_int_equal(n->changes, before); /* never inside the call */
    memset(bind, 0, sizeof bind);
    assert_true(wait_until(is_restarted, n));
    show_argv(n, "reconfigured");
    assert_int_not_equal(view(n).pid, pid);
    assert_int_equal(view(n).restarts, 1);
    assert_non_null(strstr(view(n).last_exit, "configuration has changed"));
    need_row(n, "one");
    assert_int_equal(bind_one(1, c.raft_local_port), -1); /* it listens there */

    /* the same once more: nothing; then in the middle of a start, which counts as well */
    pid = view(n).pid;
    c.raft_bind = NULL;
    assert_int_equal(rqlited_reconfigure(n->r, &c, &info), ERR_OK);
    wait_ms(300);
    assert_int_equal(view(n).pid, pid);
    for (unsigned i = 0; i < 5; i++) {
        c.raft_local_port = free_port();
        assert_int_equal(rqlited_reconfigure(n->r, &c, &info), ERR_OK);
        wait_ms(i * 20);
    }
    need_ready(n);
    need_row(n, "one");
    assert_int_equal(bind_one(1, c.raft_local_port), -1);
    assert_int_equal(rqlited_reconfigure(n->r, &c, &info), ERR_OK);
    stop(n);
}

/* ---- several ---- */

static void seed_all(unsigned founders)
{
    for (unsigned i = 0; i < NODES; i++) {
        struct node *n = &t.node[i];
        n->o.config.discovery = true;
        n->known.seeds.count = n->known.members.count = 0;
        for (unsigned j = 0; j < founders; j++) {
            rqlited_peers_add(&n->known.seeds, t.node[j].ip);
        }
    }
}

static void know_members(struct node *n)
{
    n->known.members.count = 0;
    for (unsigned j = 0; j < NODES; j++) {
        rqlited_peers_add(&n->known.members, t.node[j].ip);
    }
}

static struct node *leader(void)
{
    for (unsigned i = 0; i < NODES; i++) {
        if (t.node[i].r != NULL && strcmp(view(&t.node[i]).role, "leader") == 0) {
            return &t.node[i];
        }
    }
    return NULL;
}

static bool is_led(const void *ctx)
{
    (void)ctx;
    return leader() != NULL;
}

static void three_form(void)
{
    for (unsigned i = 0; i < NODES; i++) {
        make_node(i);
    }
    seed_all(3);
    /* The first alone must not form: it waits for the others. */
    start(&t.node[0]);
    start(&t.node[1]);
    wait_ms(3000);
    show_argv(&t.node[0], "form");
    assert_int_equal(view(&t.node[0]).state, RQLITED_ALIVE);
    assert_int_equal(view(&t.node[0]).voters, 0);
    assert_int_equal(view(&t.node[1]).voters, 0);
    start(&t.node[2]);
    for (unsigned i = 0; i < 3; i++) {
        need_ready(&t.node[i]);
        need_count(&t.node[i], 3, 0, 0);
    }
    assert_true(wait_until(is_led, NULL));
    execute(&t.node[0], "CREATE TABLE t (v TEXT)");
    for (unsigned i = 0; i < 3; i++) { /* two of them pass it on, with our credentials */
        char statement[64];
        snprintf(statement, sizeof statement, "INSERT INTO t VALUES('from %u')", i);
        execute(&t.node[i], statement);
    }
    for (unsigned i = 0; i < 3; i++) {
        need_row(&t.node[i], "from 0");
        need_row(&t.node[i], "from 2");
    }
}

static void test_three_and_more(void **state)
{
    (void)state;
    three_form();

    struct node *d = &t.node[3];
    d->o.config.non_voter = true;
    d->o.password = "another password"; /* which is not let in */
    start(d);
    wait_ms(2000);
    assert_int_equal(view(d).state, RQLITED_ALIVE);
    stop(d);
    need_count(&t.node[0], 3, 0, 0);
    d->o.password = PASSWORD;
    start(d);
    need_ready(d);
    show_argv(d, "join, non-voter");
    need_count(d, 3, 1, 0);
    assert_string_equal(view(d).role, "non-voter");
    need_row(d, "from 1");

    /* the leader dies: another is found, and it comes back as what it was */
    struct node *was = leader();
    assert_non_null(was);
    kill(view(was).pid, SIGKILL);
    while (view(was).restarts == 0) {
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    need_ready(was);
    need_count(was, 3, 1, 0);

    /* all stop, all resume */
    for (unsigned i = 0; i < NODES; i++) {
        stop(&t.node[i]);
    }
    for (unsigned i = 0; i < NODES; i++) {
        start(&t.node[i]);
    }
    for (unsigned i = 0; i < NODES; i++) {
        need_ready(&t.node[i]);
        need_count(&t.node[i], 3, 1, 0);
        need_row(&t.node[i], "from 0");
    }
    show_argv(&t.node[1], "resume");

    /* a founder's disk is replaced, and nobody told it of the others but the seeds */
    stop(&t.node[0]);
    wipe(t.node[0].data);
    execute(&t.node[1], "INSERT INTO t VALUES('meanwhile')");
    start(&t.node[0]);
    need_ready(&t.node[0]);
    show_argv(&t.node[0], "form, disk replaced");
    need_count(&t.node[0], 3, 1, 0);
    need_row(&t.node[0], "meanwhile");

    /* the same, but it knows its zone: it joins by the list of members */
    stop(&t.node[1]);
    wipe(t.node[1].data);
    know_members(&t.node[1]);
    start(&t.node[1]);
    need_ready(&t.node[1]);
    show_argv(&t.node[1], "join");
    need_count(&t.node[1], 3, 1, 0);
    need_row(&t.node[1], "meanwhile");

    /* a core gets another address */
    stop(&t.node[2]);
    set_ip(&t.node[2], "127.0.0.8");
    know_members(&t.node[2]);
    start(&t.node[2]);
    need_ready(&t.node[2]);
    show_argv(&t.node[2], "join, moved");
    need_count(&t.node[2], 3, 1, 0);
    need_member_file(&t.node[2]);
    stop(&t.node[2]);
    start(&t.node[2]);
    need_ready(&t.node[2]);
    need_row(&t.node[2], "meanwhile");
}

/* ---- mutual TLS ---- */

/* <folder>/ca.crt, and one pair for each address, which is all that peers are checked by. */
static void make_certificates(void)
{
#define EC "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
    char command[1024];
    snprintf(command, sizeof command,
             "cd %s && " EC "-keyout ca.key -out ca.crt -subj /CN=test-ca 2>/dev/null", t.folder);
    assert_int_equal(system(command), 0);
    for (unsigned i = 0; i < NODES; i++) {
        snprintf(command, sizeof command,
                 "cd %s && ip=%s && " EC "-CA ca.crt -CAkey ca.key -keyout $ip.key -out $ip.crt "
                 "-subj /CN=$ip -addext subjectAltName=IP:$ip "
                 "-addext basicConstraints=critical,CA:FALSE 2>/dev/null",
                 t.folder, t.node[i].ip);
        assert_int_equal(system(command), 0);
    }
#undef EC
}

static void test_mutual_tls(void **state)
{
    (void)state;
    char ca[128];
    char cert[NODES][128];
    char key[NODES][128];
    for (unsigned i = 0; i < NODES; i++) {
        make_node(i);
    }
    make_certificates();
    seed_all(2);
    snprintf(ca, sizeof ca, "%s/ca.crt", t.folder);
    for (unsigned i = 0; i < 3; i++) {
        struct node *n = &t.node[i];
        snprintf(cert[i], sizeof cert[i], "%s/%s.crt", t.folder, n->ip);
        snprintf(key[i], sizeof key[i], "%s/%s.key", t.folder, n->ip);
        n->o.config.ca_file = ca;
        n->o.config.cert_file = cert[i];
        n->o.config.key_file = key[i];
        n->o.config.verify_client = true;
        start(n); /* two form, one joins */
    }
    for (unsigned i = 0; i < 3; i++) {
        need_ready(&t.node[i]);
        need_count(&t.node[i], 3, 0, 0);
    }
    show_argv(&t.node[2], "join, tls");

    /* without a certificate of this CA it is not let in, though it knows the password */
    start(&t.node[3]);
    wait_ms(3000);
    assert_int_not_equal(view(&t.node[3]).state, RQLITED_READY);
    need_count(&t.node[0], 3, 0, 0);
}

/* Two founders of three wait in vain for longer than an attempt may take, and start again; still
 * nothing is formed, until the third comes. */
static void test_forming_takes_long(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NODES; i++) {
        make_node(i);
    }
    seed_all(3);
    t.limits.formless_ms = 2000;
    start(&t.node[0]);
    start(&t.node[1]);
    uint64_t until = uv_hrtime() + (uint64_t)PATIENCE_MS * 1000000;
    while ((view(&t.node[0]).restarts < 2 || view(&t.node[1]).restarts < 2) &&
           uv_hrtime() < until) {
        uv_run(&t.loop, UV_RUN_ONCE);
        for (unsigned i = 0; i < 2; i++) {
            assert_int_not_equal(view(&t.node[i]).state, RQLITED_READY);
            assert_int_equal(view(&t.node[i]).voters, 0);
        }
    }
    assert_true(view(&t.node[0]).restarts >= 2);
    char path[256];
    snprintf(path, sizeof path, "%s/rqlite-member", t.node[0].state);
    assert_int_equal(access(path, F_OK), -1);
    t.limits.formless_ms = PATIENCE_MS;
    start(&t.node[2]);
    for (unsigned i = 0; i < 3; i++) {
        need_ready(&t.node[i]);
        need_count(&t.node[i], 3, 0, 0);
    }
}

/* From one core without an address to two: the first is known by its new address from then on. */
static void test_lone_core_gets_company(void **state)
{
    (void)state;
    struct node *a = make_node(0);
    struct node *b = make_node(1);
    set_ip(a, NULL);
    start(a);
    need_ready(a);
    execute(a, "CREATE TABLE t (v TEXT)");
    execute(a, "INSERT INTO t VALUES('alone')");
    stop(a);

    set_ip(a, "127.0.0.7");
    a->o.config.discovery = b->o.config.discovery = true;
    rqlited_peers_add(&a->known.members, b->ip); /* its row is there before it is */
    rqlited_peers_add(&b->known.members, a->ip);
    start(a);
    need_ready(a);
    need_member_file(a);
    need_ready(a);
    show_argv(a, "lone, moved");
    print_message("%s lone, moved: %u restarts, last: %s\n", t.version, view(a).restarts,
                  view(a).last_exit);
    need_row(a, "alone");
    start(b);
    need_ready(b);
    need_count(b, 2, 0, 0);
    need_row(b, "alone");
    struct answer nodes = ask(b, "/nodes?ver=2", NULL, PASSWORD);
    assert_non_null(strstr(nodes.body, a->bind));
    char old[32];
    snprintf(old, sizeof old, "127.0.0.1:%u", t.raft_port);
    assert_null(strstr(nodes.body, old));

    /* what the new address is for: B can lead, and A find it */
    stop(b);
    stop(a);
    start(b);
    start(a);
    need_count(a, 2, 0, 0);
    need_count(b, 2, 0, 0);
    execute(b, "INSERT INTO t VALUES('both')");
    need_row(a, "both");
}

/* A state that another supervisor has left, so that nobody wrote down that it is a member's: it is
 * neither lost nor doubled, though another core is known and discovery is on. */
static void test_state_of_unknown_origin(void **state)
{
    (void)state;
    struct node *a = make_node(0);
    struct node *b = make_node(1);
    start(a);
    need_ready(a);
    execute(a, "CREATE TABLE t (v TEXT)");
    execute(a, "INSERT INTO t VALUES('before')");
    stop(a);
    char path[256];
    snprintf(path, sizeof path, "%s/rqlite-member", a->state);
    assert_int_equal(unlink(path), 0);
    a->o.config.discovery = true;
    rqlited_peers_add(&a->known.members, b->ip); /* which is not there */
    start(a);
    need_row(a, "before");
    need_member_file(a);
    need_ready(a);
    need_row(a, "before");
    need_count(a, 1, 0, 0);
    print_message("%s, unknown origin: %u restarts, last: %s\n", t.version, view(a).restarts,
                  view(a).last_exit);
}

/* ---- what must not found ---- */

struct end {
    bool ended;
    int64_t status;
    char said[8192];
};

static void on_said(void *ctx, const char *line)
{
    struct end *e = ctx;
    size_t used = strlen(e->said);
    snprintf(e->said + used, sizeof e->said - used, "%s\n", line);
}

static void on_end(void *ctx, int64_t status, int sig)
{
    struct end *e = ctx;
    e->ended = true;
    e->status = sig != 0 ? -sig : status;
}

static bool is_ended(const void *ctx)
{
    return ((const struct end *)ctx)->ended;
}

/* Runs rqlited by PLAN until it ends by itself. */
static void run_plan(struct node *n, const struct rqlited_plan *plan, struct end *e)
{
    struct rqlited_argv a;
    struct rqlited_config c = n->o.config;
    struct proc *p = NULL;
    c.user = NULL;
    assert_int_equal(rqlited_argv(&c, plan, &a, NULL), ERR_OK);
    for (size_t i = 0; i < a.count; i++) { /* the same, but shorter: 14 s otherwise */
        if (strcmp(a.argv[i], "-join-attempts") == 0) {
            a.argv[i + 1][0] = '1';
        }
    }
    *e = (struct end){.ended = false};
    struct proc_options o = {
        .argv = (const char *const *)a.argv, .on_line = on_said, .on_exit = on_end, .ctx = e};
    assert_int_equal(proc_start(&t.loop, &o, &p, NULL), ERR_OK);
    if (!wait_until(is_ended, e)) {
        proc_stop(p, 0);
        wait_until(is_ended, e);
        fail_msg("rqlited stays: %s", e->said);
    }
}

/* RESUME where there is nothing to resume, which the supervisor never does: rqlited refuses. */
static void test_resume_never_founds(void **state)
{
    (void)state;
    struct node *n = make_node(0);
    struct end e;
    struct rqlited_plan resume = {.way = RQLITED_RESUME};
    struct rqlited_plan join = {.way = RQLITED_JOIN};
    run_plan(n, &resume, &e);
    assert_int_equal(e.status, 1);
    assert_non_null(strstr(e.said, "cannot create a new non-voting node"));
    assert_null(strstr(e.said, "bootstraping single"));

    /* nor with what is left by a join that did not succeed */
    n->o.config.discovery = true;
    rqlited_peers_add(&join.peers, "127.0.0.9");
    run_plan(n, &join, &e);
    assert_int_equal(e.status, 1);
    assert_non_null(strstr(e.said, "failed to join cluster"));
    char path[256];
    snprintf(path, sizeof path, "%s/raft.db", n->data);
    assert_int_equal(access(path, F_OK), 0);
    run_plan(n, &resume, &e);
    assert_int_equal(e.status, 1);
    assert_non_null(strstr(e.said, "cannot create a new non-voting node"));
}

/* ---- no rqlited at all ---- */

static bool is_broken(const void *ctx)
{
    return view(ctx).state == RQLITED_BROKEN;
}

static void test_broken(void **state)
{
    (void)state;
    struct node *n = make_node(0);
    struct err_info info = {""};
    n->o.config.bin_path = "/nowhere/rqlited";
    assert_int_equal(rqlited_start(&t.loop, &n->o, &n->r, &info), ERR_NOTFOUND);
    assert_non_null(strstr(info.text, "/nowhere/rqlited"));
    assert_null(n->r);

    n->o.config.bin_path = "/bin/false";
    t.limits.backoff_min_ms = 1;
    t.limits.broken_after = 3;
    t.limits.broken_every_ms = 50;
    start(n);
    assert_true(wait_until(is_broken, n));
    assert_int_equal(view(n).restarts, 2);
    assert_string_equal(view(n).last_exit, "exited with status 1");
    uint64_t until = uv_hrtime() + (uint64_t)PATIENCE_MS * 1000000;
    while (view(n).restarts < 4 && uv_hrtime() < until) {
        uv_run(&t.loop, UV_RUN_ONCE);
        assert_int_equal(view(n).state, RQLITED_BROKEN); /* also while it tries */
    }
    assert_true(view(n).restarts >= 4);
    stop(n);
}

/* Nobody to join: it waits, without a process, and looks again. */
static void test_nobody(void **state)
{
    (void)state;
    struct node *n = make_node(0);
    n->o.config.discovery = true;
    n->o.config.domain = "dnsd-test.invalid"; /* the resolver is asked, and knows nothing */
    start(n);
    wait_ms(500);
    assert_int_equal(view(n).state, RQLITED_WAITING);
    assert_int_equal(view(n).pid, 0);
    assert_int_equal(view(n).restarts, 0);
    stop(n);

    n->o.state_dir = "/nowhere"; /* and where not even that can be found out */
    t.limits.backoff_min_ms = 1;
    t.limits.broken_after = 3;
    start(n);
    assert_true(wait_until(is_broken, n));
    assert_non_null(strstr(view(n).last_exit, "/nowhere"));
    stop(n);
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
    static const struct CMUnitTest real[] = {
        T(test_one_core),
        T(test_disk_and_doubt),
        T(test_reconfigure),
        T(test_three_and_more),
        T(test_mutual_tls),
        T(test_forming_takes_long),
        T(test_lone_core_gets_company),
        T(test_state_of_unknown_origin),
        T(test_resume_never_founds),
    };
    static const struct CMUnitTest other[] = {T(test_broken), T(test_nobody)};
#undef T
    t.bin = "/bin/false";
    int failed = cmocka_run_group_tests(other, NULL, NULL);
    char *list = strdup(all);
    for (char *at = list, *one; (one = strsep(&at, ":")) != NULL;) {
        t.bin = one;
        const char *name = strstr(one, "/rqlite/"); /* .../rqlite/8.26.8/rqlited */
        snprintf(t.version, sizeof t.version, "%.*s",
                 name != NULL ? (int)strcspn(name + 8, "/") : (int)strlen(one),
                 name != NULL ? name + 8 : one);
        print_message("with %s\n", one);
        failed += cmocka_run_group_tests(real, NULL, NULL);
    }
    free(list);
    return failed;
}
