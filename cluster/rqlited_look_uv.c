/* What is found out before a start: our own files, then the name lsc.<domain>. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "lib/file_sys.h"
#include "rqlited_priv.h"

#define LOOKUP_MS  5000 /* patience with the resolver */
#define MEMBER_CAP 256

/* ---- files, on a pool thread ---- */

static enum err write_auth(struct rqlited *r, struct err_info *info)
{
    char *text = rqlited_auth_json(r->config.user, r->password);
    if (text == NULL) {
        return err_set(info, ERR_MALFORMED, "rqlite's user and password must be UTF-8");
    }
    enum err e = file_replace(r->auth_file, text, strlen(text), 0600, info);
    explicit_bzero(text, strlen(text));
    free(text);
    return e;
}

/* What Raft shall believe from the next start on: this core at its new address, and nobody else. */
static enum err write_peers(struct rqlited *r, struct err_info *info)
{
    json_t *all =
        json_pack("[{s:s, s:s, s:b}]", "id", r->config.node_id, "address", r->own, "non_voter", 0);
    char *text = all != NULL ? json_dumps(all, JSON_COMPACT) : NULL;
    json_decref(all);
    if (text == NULL) {
        return err_set(info, ERR_NOMEM, "no memory for peers.json");
    }
    enum err e = file_replace(r->peers_json, text, strlen(text), 0600, info);
    free(text);
    return e;
}

static enum err read_member(struct rqlited *r, struct err_info *info)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct stat st;
    r->member_as[0] = '\0';
    r->member_written = r->state_gone = r->has_state = false;
    if (stat(r->raft_db, &st) != 0) {
        if (errno != ENOENT && errno != ENOTDIR) { /* not known is not the same as gone */
            return err_set(info, ERR_IO, "%s: %s", r->raft_db, strerror(errno));
        }
        r->state_gone = unlink(r->member_file) == 0;
        return r->state_gone || errno == ENOENT
                   ? ERR_OK
                   : err_set(info, ERR_IO, "%s: %s", r->member_file, strerror(errno));
    }
    r->has_state = true;
    enum err e = file_read(r->member_file, MEMBER_CAP, &bytes, &len, info);
    if (e == ERR_NOTFOUND) {
        return ERR_OK;
    }
    if (e == ERR_OK) {
        snprintf(r->member_as, sizeof r->member_as, "%.*s", (int)strcspn((char *)bytes, "\r\n"),
                 (char *)bytes);
        r->member_written = strcmp(r->member_as, r->own) == 0;
        free(bytes);
    }
    return e;
}

static void on_pool(struct loop_work *w)
{
    struct rqlited *r = (struct rqlited *)((char *)w - offsetof(struct rqlited, work));
    enum err e = ERR_OK;
    r->work_info.text[0] = '\0';
    if (r->auth_file != NULL && !r->auth_written) {
        e = write_auth(r, &r->work_info);
        r->auth_written = e == ERR_OK;
    }
    if (e == ERR_OK) {
        e = read_member(r, &r->work_info);
    }
    if (e == ERR_OK && r->readdress) {
        e = write_peers(r, &r->work_info);
        r->readdress = e != ERR_OK;
        snprintf(r->member_as, sizeof r->member_as, "%s", r->own);
    }
    r->work_result = e;
}

/* ---- the name ---- */

struct lookup {
    uv_getaddrinfo_t req;
    struct rqlited *owner; /* NULL: nobody waits any more */
};

static void end_lookup(struct rqlited *r)
{
    r->lookup->owner = NULL;
    r->lookup = NULL;
    uv_timer_stop(&r->timer);
    rqlited_planned(r, ERR_OK, NULL);
}

static void take_addresses(struct rqlited *r, const struct addrinfo *all)
{
    for (const struct addrinfo *a = all; a != NULL; a = a->ai_next) {
        char text[RQLITED_ADDRESS];
        int rc = a->ai_family == AF_INET
                     ? uv_ip4_name((const struct sockaddr_in *)a->ai_addr, text, sizeof text)
                 : a->ai_family == AF_INET6
                     ? uv_ip6_name((const struct sockaddr_in6 *)a->ai_addr, text, sizeof text)
                     : UV_EINVAL;
        if (rc == 0) {
            rqlited_peers_add(&r->found, text);
        }
    }
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *all)
{
    struct lookup *l = (struct lookup *)req;
    struct rqlited *r = l->owner;
    if (r != NULL) {
        /* "There is none" is an answer, too. */
        r->looked_up = status == 0 || status == UV_EAI_NONAME || status == UV_EAI_NODATA;
        if (status == 0) {
            take_addresses(r, all);
        }
        end_lookup(r);
    }
    uv_freeaddrinfo(all);
    free(l);
}

static void on_impatient(uv_timer_t *t)
{
    rqlited_look_hurry(t->data);
}

void rqlited_look_hurry(struct rqlited *r)
{
    if (r->lookup != NULL) {
        uv_cancel((uv_req_t *)&r->lookup->req); /* works if no thread has begun it yet */
        end_lookup(r);
    }
}

static bool look_up(struct rqlited *r)
{
    char name[300];
    static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct lookup *l = calloc(1, sizeof *l);
    snprintf(name, sizeof name, "lsc.%s", r->config.domain);
    if (l == NULL || uv_getaddrinfo(r->loop, &l->req, on_resolved, name, NULL, &hints) != 0) {
        free(l);
        return false;
    }
    l->owner = r;
    r->lookup = l;
    uv_timer_start(&r->timer, on_impatient, LOOKUP_MS, 0);
    return true;
}

static void on_files(struct loop_work *w)
{
    struct rqlited *r = (struct rqlited *)((char *)w - offsetof(struct rqlited, work));
    rqlited_work_done(r);
    bool resume = strcmp(r->member_as, r->own) == 0;
    if (r->work_result != ERR_OK) {
        rqlited_planned(r, r->work_result, &r->work_info);
    } else if (resume || r->config.domain == NULL || r->life.stopping || !look_up(r)) {
        rqlited_planned(r, ERR_OK, NULL);
    }
}

void rqlited_look(struct rqlited *r)
{
    r->found.count = 0;
    r->looked_up = false;
    rqlited_work(r, on_pool, on_files);
}
