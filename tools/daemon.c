#include "daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/jx.h"

#define ANSWER_MAX      (1024 * 1024)
#define WAIT_S          5
#define SETTLE_MS       20000
#define SETTLE_EVERY_MS 100

static enum err connect_to(const char *path, unsigned wait_s, int *out, struct err_info *info)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval wait = {.tv_sec = (time_t)wait_s};
    if (strlen(path) >= sizeof address.sun_path) {
        return err_set(info, ERR_LIMIT, "%s: the path is too long for a socket", path);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return err_set(info, ERR_IO, "no socket: %s", strerror(errno));
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) != 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        enum err e = err_set(info, ERR_UNAVAIL, "%s: %s", path, strerror(errno));
        close(fd);
        return e;
    }
    *out = fd;
    return ERR_OK;
}

/* One line out, one line back. Caller frees *out. */
static enum err ask(int fd, const char *question, struct str *out, struct err_info *info)
{
    char piece[4096];
    size_t len = strlen(question);
    if (send(fd, question, len, MSG_NOSIGNAL) != (ssize_t)len) {
        return err_set(info, ERR_IO, "%s", strerror(errno));
    }
    for (;;) {
        ssize_t n = recv(fd, piece, sizeof piece, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            bool late = errno == EAGAIN || errno == EWOULDBLOCK;
            return err_set(info, late ? ERR_TIMEOUT : ERR_IO, "%s",
                           late ? "no answer in time" : strerror(errno));
        }
        if (n == 0) {
            return ERR_OK;
        }
        str_append_n(out, piece, (size_t)n);
        if (out->len > ANSWER_MAX) {
            return err_set(info, ERR_LIMIT, "the answer is too long");
        }
    }
}

enum err daemon_ask_within(const struct cli *cli, const char *command, unsigned wait_s,
                           json_t **out, struct err_info *info)
{
    char *folder = config_state_dir(&cli->config);
    struct str path = {.text = NULL};
    struct str question = {.text = NULL};
    struct str answer = {.text = NULL};
    int fd = -1;
    str_appendf(&question, "{\"cmd\":\"%s\"}\n", command);
    str_appendf(&path, "%s/dnsd.sock", folder);
    enum err e = connect_to(path.text, wait_s, &fd, info);
    if (e == ERR_OK) {
        e = ask(fd, question.text, &answer, info);
        if (e == ERR_OK) {
            e = jx_parse_object(answer.text != NULL ? answer.text : "", answer.len, out, info);
        }
        if (e != ERR_OK) {
            err_prefix(info, e, "%s: ", path.text);
        }
        close(fd);
    }
    str_free(&question);
    str_free(&answer);
    str_free(&path);
    free(folder);
    return e;
}

enum err daemon_ask(const struct cli *cli, const char *command, json_t **out, struct err_info *info)
{
    return daemon_ask_within(cli, command, WAIT_S, out, info);
}

/* rqlited is started again where it had no TLS before, and the join port opened. */
static bool is_settled(const struct cli *cli)
{
    json_t *status = NULL;
    const json_t *cluster, *rqlite;
    const char *state = NULL;
    bool joining = false;
    bool settled = daemon_ask(cli, "status", &status, NULL) == ERR_OK &&
                   jx_object(status, "cluster", &cluster, NULL) == ERR_OK &&
                   jx_object(status, "rqlite", &rqlite, NULL) == ERR_OK &&
                   jx_bool(cluster, "joining", &joining, NULL) == ERR_OK && joining &&
                   jx_string(rqlite, "state", &state, NULL) == ERR_OK &&
                   strcmp(state, "ready") == 0;
    json_decref(status);
    return settled;
}

bool daemon_settles(const struct cli *cli)
{
    const struct timespec pause = {.tv_nsec = SETTLE_EVERY_MS * 1000000L};
    for (unsigned waited_ms = 0; waited_ms < SETTLE_MS; waited_ms += SETTLE_EVERY_MS) {
        if (is_settled(cli)) {
            return true;
        }
        nanosleep(&pause, NULL);
    }
    return false;
}

bool daemon_joining(const struct cli *cli)
{
    json_t *reply = NULL;
    bool heard = daemon_ask(cli, "joining", &reply, NULL) == ERR_OK &&
                 json_is_true(json_object_get(reply, "ok"));
    json_decref(reply);
    return heard;
}
