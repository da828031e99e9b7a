#include "rqlite_server.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "lib/str.h"

#define WAIT_MS 60000

/* user:password in base64 */
#define AUTHORIZATION "ZG5zZDpzM2NyZXQ6IGl0J3M="

static int64_t now_ms(void)
{
    return clk_mono_ms(&clk_system);
}

char **rqlite_server_programs(void)
{
    const char *paths = getenv("DNSD_RQLITEDS");
    if (paths == NULL || *paths == '\0') {
        fail_msg("DNSD_RQLITEDS names no rqlited: run tools/setup test");
        return NULL;
    }
    /* The list and its texts in one piece of memory. */
    size_t room = (strlen(paths) / 2 + 3) * sizeof(char *);
    char **list = mem_xalloc(room + strlen(paths) + 1);
    char *text = (char *)list + room;
    memcpy(text, paths, strlen(paths) + 1);
    size_t n = 0;
    for (char *path; (path = strsep(&text, ":")) != NULL;) {
        if (*path != '\0') {
            list[n++] = path;
        }
    }
    return list;
}

const char *rqlite_server_version(const char *program, char out[32])
{
    const char *end = strrchr(program, '/');
    const char *begin = end;
    while (begin != NULL && begin > program && begin[-1] != '/') {
        begin--;
    }
    snprintf(out, 32, "%.*s", end != NULL ? (int)(end - begin) : 0, begin != NULL ? begin : "");
    return out;
}

/* ---- the process ----------------------------------------------------------------------------- */

/* A port that was free just now, below those that the kernel gives to outgoing connections, so that
 * it stays free until the server takes it. */
static uint16_t free_port(void)
{
    static unsigned next;
    if (next == 0) {
        next = (unsigned)getpid() * 37 % 10000;
    }
    for (int tries = 0; tries < 10000; tries++) {
        struct sockaddr_in a = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)(20000 + next++ % 10000)),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int rc = bind(fd, (struct sockaddr *)&a, sizeof a);
        close(fd);
        if (rc == 0) {
            return ntohs(a.sin_port);
        }
    }
    fail_msg("no free port");
    return 0;
}

static void write_auth(const struct rqlite_server *s)
{
    char path[96];
    snprintf(path, sizeof path, "%s/auth.json", s->folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f,
            "[{\"username\": \"%s\", \"password\": \"%s\", \"perms\": [\"all\"]},"
            " {\"username\": \"reader\", \"password\": \"r\", \"perms\": [\"query\"]},"
            " {\"username\": \"*\", \"perms\": [\"ready\", \"join\"]}]\n",
            RQLITE_SERVER_USER, RQLITE_SERVER_PASSWORD);
    assert_int_equal(0, fclose(f));
}

struct rqlite_server *rqlite_server_new(const char *program)
{
    struct rqlite_server *s = mem_xalloc(sizeof *s);
    const char *tmp = getenv("TMPDIR");
    snprintf(s->folder, sizeof s->folder, "%.30s/dnsd-rqlite-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(s->folder));
    s->program = program;
    s->http_port = free_port();
    s->raft_port = free_port();
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u", s->http_port);
    s->options = (struct store_options){
        .engine = STORE_RQLITE,
        .rqlite = {.url = s->url, .user = RQLITE_SERVER_USER, .password = RQLITE_SERVER_PASSWORD}};
    write_auth(s);
    return s;
}

static _Noreturn void run(const struct rqlite_server *s, pid_t parent)
{
    char id[16], http[32], raft[32], auth[96], data[96], join[32];
    const char *argv[24];
    size_t n = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);
    }
    snprintf(id, sizeof id, "%u", s->number);
    snprintf(http, sizeof http, "127.0.0.1:%u", s->http_port);
    snprintf(raft, sizeof raft, "127.0.0.1:%u", s->raft_port);
    snprintf(auth, sizeof auth, "%s/auth.json", s->folder);
    snprintf(data, sizeof data, "%s/data", s->folder);
    snprintf(join, sizeof join, "127.0.0.1:%u", s->join_port);
    argv[n++] = s->program;
    argv[n++] = "-node-id";
    argv[n++] = id;
    argv[n++] = "-http-addr";
    argv[n++] = http;
    argv[n++] = "-raft-addr";
    argv[n++] = raft;
    argv[n++] = "-auth";
    argv[n++] = auth;
    argv[n++] = "-raft-cluster-remove-shutdown=false";
    if (s->join_port != 0) {
        argv[n++] = "-join";
        argv[n++] = join;
        argv[n++] = "-join-as";
        argv[n++] = RQLITE_SERVER_USER;
    }
    argv[n++] = data;
    argv[n] = NULL;
    char log[96];
    snprintf(log, sizeof log, "%s/log", s->folder);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    execv(s->program, (char **)argv);
    _exit(127);
}

static void show_log(const struct rqlite_server *s)
{
    char path[96];
    char line[400];
    snprintf(path, sizeof path, "%s/log", s->folder);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        print_message("rqlited %u: %s", s->number, line);
    }
    if (f != NULL) {
        fclose(f);
    }
}

void rqlite_server_start(struct rqlite_server *s, bool ready)
{
    pid_t self = getpid();
    unsigned status = 0;
    assert_int_equal(0, s->pid);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        run(s, self);
    }
    for (int64_t end_ms = now_ms() + WAIT_MS; status == 0;) {
        json_decref(rqlite_server_post(s, "/readyz", "", &status));
        if (now_ms() > end_ms || waitpid(s->pid, NULL, WNOHANG) != 0) {
            show_log(s);
            fail_msg("%s does not come up", s->program);
        }
        poll(NULL, 0, status == 0 ? 20 : 0);
    }
    if (ready) {
        rqlite_server_await_leader(s, true);
    }
}

void rqlite_server_await_leader(struct rqlite_server *s, bool there)
{
    unsigned status = 0;
    for (int64_t end_ms = now_ms() + WAIT_MS; (status == 200) != there;) {
        json_decref(rqlite_server_post(s, "/readyz", NULL, &status));
        if (now_ms() > end_ms) {
            show_log(s);
            fail_msg("%s: a leader %s", s->program, there ? "does not come" : "does not go");
        }
        poll(NULL, 0, 20);
    }
}

void rqlite_server_stop(struct rqlite_server *s, int signal)
{
    if (s->pid != 0) {
        assert_int_equal(0, kill(s->pid, signal));
        if (signal != SIGSTOP) {
            assert_int_equal(s->pid, waitpid(s->pid, NULL, 0));
            s->pid = 0;
        }
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void rqlite_server_free(struct rqlite_server *s)
{
    if (s != NULL) {
        rqlite_server_stop(s, SIGKILL);
        assert_int_equal(0, nftw(s->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS));
        free(s);
    }
}

/* ---- HTTP, as plain as can be ---------------------------------------------------------------- */

static int dial(const struct rqlite_server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(s->http_port),
                            .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {.tv_sec = WAIT_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* All of the reply: HTTP/1.0, so that it comes in one piece and then ends. */
static void exchange(int fd, const char *target, const char *body, struct str *reply)
{
    struct str request = {.text = NULL};
    char bytes[4096];
    str_appendf(&request,
                "%s %s HTTP/1.0\r\nAuthorization: Basic " AUTHORIZATION
                "\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                body != NULL ? "POST" : "GET", target, body != NULL ? strlen(body) : 0,
                body != NULL ? body : "");
    for (size_t at = 0; at < request.len;) {
        ssize_t n = send(fd, request.text + at, request.len - at, MSG_NOSIGNAL);
        if (n <= 0) {
            break;
        }
        at += (size_t)n;
    }
    for (ssize_t n; (n = recv(fd, bytes, sizeof bytes, 0)) > 0;) {
        str_append_n(reply, bytes, (size_t)n);
    }
    str_free(&request);
}

json_t *rqlite_server_post(struct rqlite_server *s, const char *target, const char *body,
                           unsigned *status)
{
    struct str reply = {.text = NULL};
    unsigned code = 0;
    json_t *json = NULL;
    int fd = dial(s);
    if (fd >= 0) {
        exchange(fd, target, body, &reply);
        close(fd);
    }
    if (reply.text != NULL) {
        const char *end = strstr(reply.text, "\r\n\r\n");
        (void)!sscanf(reply.text, "HTTP/%*[0-9.] %u", &code);
        json = end != NULL ? json_loads(end + 4, 0, NULL) : NULL;
    }
    str_free(&reply);
    if (status != NULL) {
        *status = code;
    }
    return json;
}

/* The first result of one statement, which must be without error. */
static json_t *ask(struct rqlite_server *s, const char *target, const char *sql)
{
    json_t *statements = json_pack("[s]", sql);
    char *body = json_dumps(statements, 0);
    json_t *reply = rqlite_server_post(s, target, body, NULL);
    json_t *result = json_array_get(json_object_get(reply, "results"), 0);
    if (result == NULL || json_object_get(result, "error") != NULL) {
        char *text = json_dumps(reply, JSON_ENCODE_ANY);
        fail_msg("%s: %s", sql, text);
    }
    json_incref(result);
    json_decref(reply);
    json_decref(statements);
    free(body);
    return result;
}

void rqlite_server_execute(struct rqlite_server *s, const char *sql)
{
    json_decref(ask(s, "/db/execute?transaction", sql));
}

long long rqlite_server_number(struct rqlite_server *s, const char *sql)
{
    json_t *result = ask(s, "/db/query?level=strong", sql);
    json_t *cell = json_array_get(json_array_get(json_object_get(result, "values"), 0), 0);
    assert_true(json_is_integer(cell));
    long long number = json_integer_value(cell);
    json_decref(result);
    return number;
}

void rqlite_server_wipe(struct rqlite_server *s)
{
    json_t *result = ask(s, "/db/query?level=strong",
                         "SELECT name FROM sqlite_master WHERE type = 'table'"
                         " AND name NOT LIKE 'sqlite_%'");
    json_t *statements = json_array();
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(result, "values"), i, row)
    {
        json_array_append_new(statements, json_sprintf("DROP TABLE \"%s\"",
                                                       json_string_value(json_array_get(row, 0))));
    }
    if (json_array_size(statements) > 0) {
        char *body = json_dumps(statements, 0);
        unsigned status;
        json_decref(rqlite_server_post(s, "/db/execute?transaction", body, &status));
        assert_int_equal(200, status);
        free(body);
    }
    json_decref(statements);
    json_decref(result);
}
