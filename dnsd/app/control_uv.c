/* The control socket: <state folder>/dnsd.sock, for the tools of this machine's operators.
 *
 * One line of JSON in, one line of JSON out, and the daemon closes. The commands:
 *   {"cmd":"status"}
 *   {"cmd":"renew"}       there may be a job for the renewer of certificates
 *   {"cmd":"joining"}     the configuration, this node's certificate or the CA may be others: looks again
 *   {"cmd":"renew-node"}  another certificate for this node, now: {"ok", "text", "serial"}
 * Who may connect is the file's mode (0660) and the folder's. Bounded: CLIENTS at a time, REQUEST_MAX octets,
 * DEADLINE_MS from connecting to the end (LONG_MS where a command takes its time).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app.h"
#include "lib/jx.h"
#include "lib/mem.h"

#define CLIENTS     16
#define REQUEST_MAX 1024
#define DEADLINE_MS 2000
#define LONG_MS     60000

struct control {
    struct app *app; /* borrowed */
    uv_pipe_t pipe;
    char path[108]; /* sun_path's size */
    unsigned clients;
    bool closed; /* the socket; freed with the last client */
};

struct client {
    struct control *control; /* borrowed */
    uv_pipe_t pipe;
    uv_timer_t timer;
    uv_write_t write;
    char line[REQUEST_MAX];
    size_t len;
    char *reply;   /* owned */
    unsigned open; /* handles, and a command that goes on */
};

static void control_gone(struct control *c)
{
    if (c->closed && c->clients == 0) {
        free(c);
    }
}

static void release(struct client *k)
{
    if (--k->open == 0) {
        struct control *c = k->control;
        c->clients--;
        free(k->reply);
        free(k);
        control_gone(c);
    }
}

static void on_client_closed(uv_handle_t *h)
{
    release(h->data);
}

static void client_close(struct client *k)
{
    if (!uv_is_closing((uv_handle_t *)&k->pipe)) {
        uv_close((uv_handle_t *)&k->pipe, on_client_closed);
        uv_close((uv_handle_t *)&k->timer, on_client_closed);
    }
}

static void on_deadline(uv_timer_t *timer)
{
    client_close(timer->data);
}

static void on_replied(uv_write_t *req, int status)
{
    (void)status; /* a client that went away has its reason */
    client_close(req->data);
}

static void send_reply(struct client *k)
{
    if (k->reply == NULL) {
        client_close(k);
        return;
    }
    static char newline[] = "\n";
    uv_buf_t parts[] = {uv_buf_init(k->reply, (unsigned)strlen(k->reply)), uv_buf_init(newline, 1)};
    k->write.data = k;
    if (uv_write(&k->write, (uv_stream_t *)&k->pipe, parts, 2, on_replied) != 0) {
        client_close(k);
    }
}

static void on_renewed(void *ctx, enum err e, const struct err_info *info, const char *serial)
{
    struct client *k = ctx;
    if (!uv_is_closing((uv_handle_t *)&k->pipe)) {
        json_t *o =
            json_pack("{s:b, s:s, s:s?}", "ok", e == ERR_OK, "text",
                      e == ERR_OK ? "renewed" : info->text, "serial", e == ERR_OK ? serial : NULL);
        k->reply = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
        json_decref(o);
        send_reply(k);
    }
    release(k);
}

/* The client stays until then, whether it waits or goes. */
static void renew_node(struct client *k)
{
    k->open++;
    uv_timer_start(&k->timer, on_deadline, LONG_MS, 0);
    cluster_renew(k->control->app, on_renewed, k);
}

static char *reply_to(struct app *a, const char *line, size_t len, bool *later)
{
    json_t *request = NULL;
    const char *command = NULL;
    char *reply = NULL;
    struct err_info info = {.text = ""};
    enum err e = jx_parse_object(line, len, &request, &info);
    if (e == ERR_OK) {
        e = jx_string(request, "cmd", &command, &info);
    }
    if (e == ERR_OK && strcmp(command, "status") == 0) {
        reply = status_json(a);
    } else if (e == ERR_OK && strcmp(command, "renew") == 0) {
        certs_wake(a); /* a row says what is wanted (store_job_ask()) */
        reply = strdup("{\"ok\":true}");
    } else if (e == ERR_OK && strcmp(command, "joining") == 0) {
        reload_start(a);
        reply = strdup("{\"ok\":true}");
    } else if (e == ERR_OK && strcmp(command, "renew-node") == 0) {
        *later = true;
    } else {
        reply =
            strdup("{\"error\":{\"id\":\"unknown-command\",\"message\":\"the commands are "
                   "status, renew, joining and renew-node, as in {\\\"cmd\\\":\\\"status\\\"}\"}}");
    }
    json_decref(request);
    return reply;
}

static void answer(struct client *k, size_t line_len)
{
    uv_read_stop((uv_stream_t *)&k->pipe);
    bool later = false;
    k->reply = reply_to(k->control->app, k->line, line_len, &later);
    if (later) {
        renew_node(k);
    } else {
        send_reply(k);
    }
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct client *k = h->data;
    (void)suggested;
    *buf = uv_buf_init(k->line + k->len, (unsigned)(sizeof k->line - k->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct client *k = stream->data;
    (void)buf;
    if (n < 0) {
        client_close(k);
        return;
    }
    k->len += (size_t)n;
    const char *end = memchr(k->line, '\n', k->len);
    if (end != NULL) {
        answer(k, (size_t)(end - k->line));
    } else if (k->len == sizeof k->line) {
        client_close(k);
    }
}

static void on_connection(uv_stream_t *server, int status)
{
    struct control *c = server->data;
    struct client *k = status == 0 ? calloc(1, sizeof *k) : NULL;
    if (k == NULL) {
        return;
    }
    uv_loop_t *loop = &c->app->loop;
    k->control = c;
    k->open = 2;
    c->clients++;
    uv_pipe_init(loop, &k->pipe, 0);
    uv_timer_init(loop, &k->timer);
    k->pipe.data = k;
    k->timer.data = k;
    if (uv_accept(server, (uv_stream_t *)&k->pipe) != 0 || c->clients > CLIENTS) {
        client_close(k);
        return;
    }
    uv_timer_start(&k->timer, on_deadline, DEADLINE_MS, 0);
    uv_read_start((uv_stream_t *)&k->pipe, on_alloc, on_read);
}

enum err control_open(struct app *a, struct err_info *info)
{
    struct control *c = mem_xalloc(sizeof *c);
    int n = snprintf(c->path, sizeof c->path, "%s/dnsd.sock", a->state_dir);
    if (n < 0 || (size_t)n >= sizeof c->path) {
        free(c);
        return err_set(info, ERR_LIMIT,
                       "the control socket's path %s/dnsd.sock is too long for the system (107 "
                       "octets): choose a shorter state folder",
                       a->state_dir);
    }
    unlink(c->path); /* left over: we hold the folder's lock */
    c->app = a;
    uv_pipe_init(&a->loop, &c->pipe, 0);
    c->pipe.data = c;
    a->control = c;
    int rc = uv_pipe_bind(&c->pipe, c->path);
    if (rc == 0) {
        chmod(c->path, 0660);
        rc = uv_listen((uv_stream_t *)&c->pipe, CLIENTS, on_connection);
    }
    return rc == 0 ? ERR_OK
                   : err_set(info, ERR_IO, "cannot open the control socket %s: %s", c->path,
                             uv_strerror(rc));
}

static void on_pipe_closed(uv_handle_t *h)
{
    struct control *c = h->data;
    c->closed = true;
    control_gone(c);
}

void control_close(struct app *a)
{
    if (a->control != NULL) {
        struct control *c = a->control;
        a->control = NULL;
        unlink(c->path);
        uv_close((uv_handle_t *)&c->pipe, on_pipe_closed);
    }
}
