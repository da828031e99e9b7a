/* Who comes in: a few in one turn of the loop. The others wait in the system's backlog, which is what
 * it is for. */
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server_priv.h"

#define BACKLOG    4096
#define TURN_MAX   8   /* taken in one turn of the loop */
#define NO_FILE_MS 100 /* until we try again when the system has none left */

struct http_listener {
    uv_poll_t poll;
    struct http_listener *next;
    struct http_server *s; /* borrowed */
    int fd;
    unsigned site;
    bool tls;
};

static void on_newcomers(uv_poll_t *poll, int status, int events);

static void on_resume(uv_timer_t *timer)
{
    struct http_server *s = timer->data;
    for (struct http_listener *l = s->listeners; l != NULL; l = l->next) {
        uv_poll_start(&l->poll, UV_READABLE, on_newcomers);
    }
}

/* Nobody is let in by L for a while. */
static void pause_listening(struct http_listener *l)
{
    uv_poll_stop(&l->poll);
    if (!uv_is_active((uv_handle_t *)&l->s->resume)) {
        uv_timer_start(&l->s->resume, on_resume, NO_FILE_MS, 0);
    }
}

/* Out of files, most likely: who has been idle longest makes room for the next attempt. The system
 * looks for a file first, so it refuses even if nobody is there. */
static void on_refusal(struct http_listener *l)
{
    struct http_server *s = l->s;
    struct pollfd somebody = {.fd = l->fd, .events = POLLIN};
    if (poll(&somebody, 1, 0) == 0) {
        return;
    }
    metrics_add(&s->counters.refused, 1);
    if (s->idle.first != NULL) {
        metrics_add(&s->counters.evicted, 1);
        http_conn_close(s->idle.first);
    }
    pause_listening(l);
}

static void on_newcomers(uv_poll_t *poll, int status, int events)
{
    struct http_listener *l = poll->data;
    struct http_server *s = l->s;
    const int on = 1;
    (void)status;
    (void)events;
    for (unsigned i = 0; i < TURN_MAX; i++) {
        struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
        socklen_t len = sizeof peer;
        int fd = accept4(l->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN) {
                return;
            }
            if (errno != ECONNABORTED && errno != EINTR) {
                on_refusal(l);
                return;
            }
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        http_conn_open(s, fd, (struct sockaddr *)&peer, l->site,
                       l->tls ? HTTP_CONN_TLS : HTTP_CONN_PLAIN);
    }
}

enum err http_server_listen(struct http_server *s, int fd, unsigned site, bool tls,
                            struct err_info *info)
{
    struct http_listener *l = calloc(1, sizeof *l);
    int rc = l == NULL ? ENOMEM : listen(fd, BACKLOG) != 0 ? errno : 0;
    assert(!tls || http_server_tls(s, site) != NULL);
    rc = rc == 0 ? -uv_poll_init(s->loop, &l->poll, fd) : rc;
    if (rc != 0) {
        free(l);
        close(fd);
        return err_set(info, ERR_IO, "cannot listen: %s", strerror(rc));
    }
    l->poll.data = l;
    l->s = s;
    l->fd = fd;
    l->site = site;
    l->tls = tls;
    l->next = s->listeners;
    s->listeners = l;
    s->handles++;
    uv_poll_start(&l->poll, UV_READABLE, on_newcomers);
    return ERR_OK;
}

static void on_closed(uv_handle_t *h)
{
    struct http_listener *l = h->data;
    struct http_server *s = l->s;
    free(l);
    http_server_handle_gone(s);
}

void http_listeners_close(struct http_server *s)
{
    uv_timer_stop(&s->resume);
    for (struct http_listener *l = s->listeners, *next; l != NULL; l = next) {
        next = l->next;
        uv_close((uv_handle_t *)&l->poll, on_closed);
        close(l->fd);
    }
    s->listeners = NULL;
}
