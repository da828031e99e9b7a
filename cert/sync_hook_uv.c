/* The operator's program, after another certificate is seen to be shown. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/str.h"
#include "sync_priv.h"

/* Not the daemon's own: what a hook finds must not depend on who has started the daemon. */
#define HOOK_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* As timeout(1) and shells have it. */
#define STATUS_LATE     124
#define STATUS_NOT_RUN  127
#define STATUS_SIGNALED 128

/* ---- who may have written it --------------------------------------------------------------- */

enum err sync_hook_check(const char *path, struct err_info *info)
{
    struct stat st;
    if (path[0] != '/') {
        return err_set(info, ERR_DENIED, "%s: the hook's path must be absolute", path);
    }
    if (stat(path, &st) != 0) {
        return err_set(info, errno == ENOENT ? ERR_NOTFOUND : ERR_DENIED, "%s: %s", path,
                       strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(info, ERR_DENIED, "%s: not a file", path);
    }
    if (st.st_uid != 0 && st.st_uid != geteuid()) {
        return err_set(info, ERR_DENIED, "%s belongs to user %u; it must be root's or user %u's",
                       path, (unsigned)st.st_uid, (unsigned)geteuid());
    }
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return err_set(info, ERR_DENIED, "%s can be written by others: chmod go-w it", path);
    }
    return proc_find(path, info);
}

/* ---- what it says -------------------------------------------------------------------------- */

/* How many octets at P are one character that may be shown; 0: none. */
static size_t shown(const unsigned char *p)
{
    bool control = p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0);
    return control ? 0 : str_utf8_len(p);
}

static void say(struct sync_hook *h, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    if (h->len > 0 && h->len < CERT_SYNC_HOOK_TEXT) {
        h->text[h->len++] = ' '; /* in place of the end of a line */
    }
    while (*p != '\0') {
        size_t n = shown(p), room = CERT_SYNC_HOOK_TEXT - h->len;
        if ((n > 0 ? n : 1) > room) {
            break;
        }
        memcpy(h->text + h->len, n > 0 ? (const char *)p : "?", n > 0 ? n : 1);
        h->len += n > 0 ? n : 1;
        p += n > 0 ? n : 1;
    }
    h->text[h->len] = '\0';
}

static void on_line(void *ctx, const char *line)
{
    say(ctx, line);
}

/* ---- one try after another ------------------------------------------------------------------ */

static void begin(struct sync_hook *h);

static void finish_close(struct sync_hook *h)
{
    if (h->closing && h->timer_closed && h->state == SYNC_HOOK_IDLE && h->on_closed != NULL) {
        h->on_closed(h->closed_ctx);
    }
}

static void on_pause_over(uv_timer_t *timer)
{
    begin(timer->data);
}

static void tell(const struct sync_hook *h, bool last)
{
    if (h->status == 0) {
        LOG_INFO("cert", "the hook has been run", LOG_S("hostname", h->options.hostname),
                 LOG_S("path", h->options.path), LOG_S("text", h->text));
    } else if (last) {
        LOG_ERROR("cert", "the hook has failed, and is not run again until the next certificate",
                  LOG_S("path", h->options.path), LOG_N("status", h->status),
                  LOG_S("text", h->text));
    } else {
        LOG_WARN("cert", "the hook has failed, and is run again", LOG_S("path", h->options.path),
                 LOG_N("status", h->status), LOG_N("try", h->tries), LOG_S("text", h->text));
    }
}

/* A try is over. */
static void ended(struct sync_hook *h, int64_t status)
{
    h->state = SYNC_HOOK_IDLE;
    if (h->closing) {
        finish_close(h);
        return;
    }
    h->status = status;
    h->at_ms = clk_wall_ms(h->options.clock);
    h->tries++;
    h->failures += status != 0;
    bool last = h->tries >= CERT_SYNC_HOOK_TRIES;
    tell(h, last);
    if (h->again) { /* whatever became of it, it was for a certificate that is not shown any more */
        h->again = false;
        h->tries = 0;
        begin(h);
    } else if (status != 0 && !last) {
        h->state = SYNC_HOOK_PAUSING;
        uv_timer_start(&h->timer, on_pause_over, h->options.pause_ms << (h->tries - 1), 0);
    } else {
        h->options.on_done(h->options.ctx, status == 0);
    }
}

static void on_late(uv_timer_t *timer)
{
    struct sync_hook *h = timer->data;
    h->late = true;
    proc_kill(h->proc);
}

static void on_exit_cb(void *ctx, int64_t status, int signal)
{
    struct sync_hook *h = ctx;
    uv_timer_stop(&h->timer);
    h->proc = NULL;
    ended(h, h->late ? STATUS_LATE : signal != 0 ? STATUS_SIGNALED + signal : status);
}

/* "NAME=value". False: it does not fit, which no path of ours does. */
static bool assign(char *out, size_t cap, const char *name, const char *value)
{
    int n = snprintf(out, cap, "%s=%s", name, value);
    return n > 0 && (size_t)n < cap;
}

static enum err start(struct sync_hook *h, struct err_info *info)
{
    const struct sync_hook_options *o = &h->options;
    char host[SYNC_HOST_MAX + 32], cert[PATH_MAX + 32], key[PATH_MAX + 32];
    if (!assign(host, sizeof host, "PRYV_CERT_HOSTNAME", o->hostname) ||
        !assign(cert, sizeof cert, "PRYV_CERT_PATH", o->cert_path) ||
        !assign(key, sizeof key, "PRYV_CERT_KEYPATH", o->key_path)) {
        return err_set(info, ERR_LIMIT, "path too long: %s", o->cert_path);
    }
    return proc_start(
        h->loop,
        &(struct proc_options){.argv = (const char *const[]){o->path, NULL},
                               .env = (const char *const[]){host, cert, key, HOOK_PATH, NULL},
                               .group = true,
                               .on_line = on_line,
                               .on_exit = on_exit_cb,
                               .ctx = h},
        &h->proc, info);
}

static void check_work(struct loop_work *w)
{
    struct sync_hook *h = (struct sync_hook *)((char *)w - offsetof(struct sync_hook, check));
    h->checked = sync_hook_check(h->options.path, &h->why);
}

static void check_done(struct loop_work *w)
{
    struct sync_hook *h = (struct sync_hook *)((char *)w - offsetof(struct sync_hook, check));
    enum err e = h->checked;
    h->len = 0;
    h->text[0] = '\0';
    h->late = false;
    if (h->closing || h->again) {
        e = ERR_CANCELED;
        h->why.text[0] = '\0';
    }
    e = e == ERR_OK ? start(h, &h->why) : e;
    if (e == ERR_OK) {
        h->state = SYNC_HOOK_RUNNING;
        uv_timer_start(&h->timer, on_late, h->options.limit_ms, 0);
    } else if (h->again && !h->closing) {
        h->again = false;
        h->tries = 0;
        begin(h);
    } else {
        say(h, h->why.text);
        ended(h, STATUS_NOT_RUN);
    }
}

static void begin(struct sync_hook *h)
{
    h->state = SYNC_HOOK_CHECKING;
    h->why.text[0] = '\0';
    h->check = (struct loop_work){.work = check_work, .done = check_done};
    loop_offload(h->loop, &h->check);
}

/* ---- life ---------------------------------------------------------------------------------- */

void sync_hook_init(struct sync_hook *h, uv_loop_t *loop, const struct sync_hook_options *options)
{
    *h = (struct sync_hook){.options = *options, .loop = loop};
    uv_timer_init(loop, &h->timer);
    h->timer.data = h;
}

void sync_hook_run(struct sync_hook *h)
{
    switch (h->state) {
    case SYNC_HOOK_CHECKING:
    case SYNC_HOOK_RUNNING:
        h->again = true;
        return;
    case SYNC_HOOK_PAUSING:
        uv_timer_stop(&h->timer);
        break;
    case SYNC_HOOK_IDLE:
        break;
    }
    h->tries = 0;
    begin(h);
}

static void on_timer_closed(uv_handle_t *timer)
{
    struct sync_hook *h = timer->data;
    h->timer_closed = true;
    finish_close(h);
}

void sync_hook_close(struct sync_hook *h, void (*done)(void *ctx), void *ctx)
{
    h->closing = true;
    h->on_closed = done;
    h->closed_ctx = ctx;
    if (h->state == SYNC_HOOK_RUNNING) {
        proc_kill(h->proc);
    } else if (h->state == SYNC_HOOK_PAUSING) {
        h->state = SYNC_HOOK_IDLE;
    }
    uv_close((uv_handle_t *)&h->timer, on_timer_closed);
}
