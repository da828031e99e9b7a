#include "members_uv.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"
#include "lib/str.h"

#define BODY_MAX (1024 * 1024)

/* One request under way. */
struct job {
    members_list_cb *list_cb;
    members_done_cb *done_cb;
    void *ctx;  /* borrowed */
    char *body; /* owned; NULL: none */
};

static void end(struct job *job)
{
    free(job->body);
    free(job);
}

static void on_list(void *ctx, enum err e, const struct err_info *info,
                    const struct httpc_reply *reply)
{
    struct job *job = ctx;
    struct members members = {.count = 0};
    struct err_info own = {.text = ""};
    if (e == ERR_OK) {
        info = &own;
        e = members_outcome(reply->status, reply->body, &own);
    }
    if (e == ERR_OK) {
        e = members_parse(reply->body, reply->len, &members, &own);
        if (e != ERR_OK) {
            (void)err_prefix(&own, e, "rqlite's list of nodes: ");
        }
    }
    job->list_cb(job->ctx, e, info, &members);
    members_free(&members);
    end(job);
}

static void on_removed(void *ctx, enum err e, const struct err_info *info,
                       const struct httpc_reply *reply)
{
    struct job *job = ctx;
    struct err_info own = {.text = ""};
    if (e == ERR_OK) {
        info = &own;
        e = members_outcome(reply->status, reply->body, &own);
    }
    job->done_cb(job->ctx, e, info);
    end(job);
}

static void start(struct httpc *http, const struct members_access *access, const char *method,
                  const char *path, struct job *job, httpc_cb *cb)
{
    struct str url = {.text = NULL};
    str_appendf(&url, "%s%s", access->url, path);
    struct httpc_request request = {
        .method = method,
        .url = url.text,
        .user = access->user,
        .password = access->password,
        .body = job->body,
        .body_len = job->body != NULL ? strlen(job->body) : 0,
        .body_max = BODY_MAX,
        .wait_ms = MEMBERS_WAIT_MS,
    };
    httpc_start(http, &request, cb, job);
    str_free(&url);
}

void members_list(struct httpc *http, const struct members_access *access, members_list_cb *cb,
                  void *ctx)
{
    struct job *job = mem_xalloc(sizeof *job);
    char path[64];
    *job = (struct job){.list_cb = cb, .ctx = ctx};
    snprintf(path, sizeof path, "/nodes?ver=2&nonvoters&timeout=%ds", MEMBERS_PROBE_S);
    start(http, access, "GET", path, job, on_list);
}

void members_remove(struct httpc *http, const struct members_access *access, const char *id,
                    members_done_cb *cb, void *ctx)
{
    struct job *job = mem_xalloc(sizeof *job);
    json_t *body = json_pack("{s:s}", "id", id);
    *job = (struct job){.done_cb = cb, .ctx = ctx, .body = json_dumps(body, JSON_COMPACT)};
    json_decref(body);
    start(http, access, "DELETE", "/remove?timeout=5s", job, on_removed);
}
