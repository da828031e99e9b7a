/* What is found out while the child runs: is it ready, or at least there; who is in the cluster; and
 * once it is one of them, that is written down. One request at a time, then rqlited_polled(). */
#include <stdio.h>
#include <string.h>

#include "lib/file_sys.h"
#include "lib/jx.h"
#include "rqlited_priv.h"

#define POLL_MS   2000
#define BODY_MAX  (256 * 1024) /* MEMBERS_MAX nodes of a line or two each */
#define DENIED_MS 60000

static void get(struct rqlited *r, const char *path, httpc_cb *cb)
{
    char url[128];
    snprintf(url, sizeof url, "%s%s", r->url, path);
    struct httpc_request q = {.method = "GET",
                              .url = url,
                              .user = r->auth_file != NULL ? r->config.user : NULL,
                              .password = r->auth_file != NULL ? r->password : NULL,
                              .body_max = BODY_MAX,
                              .wait_ms = POLL_MS};
    r->call = httpc_start(r->http, &q, cb, r);
}

/* ---- a member: written down ---- */

static void on_pool(struct loop_work *w)
{
    struct rqlited *r = (struct rqlited *)((char *)w - offsetof(struct rqlited, work));
    char line[sizeof r->own + 1];
    int n = snprintf(line, sizeof line, "%s\n", r->own);
    r->work_result = file_replace(r->member_file, line, (size_t)n, 0644, &r->work_info);
}

static void on_written(struct loop_work *w)
{
    struct rqlited *r = (struct rqlited *)((char *)w - offsetof(struct rqlited, work));
    if (r->work_result == ERR_OK) {
        r->member_written = true;
    } else { /* again at the next poll; until then a restart would join again, which is no harm */
        LOG_WARN(RQLITED_TAG, "cannot write down that this core is a member",
                 LOG_S("why", r->work_info.text));
    }
    rqlited_work_done(r);
    rqlited_polled(r);
}

/* ---- who is in the cluster ---- */

static bool leads_alone(const struct httpc_reply *reply)
{
    json_t *raft = NULL;
    const char *state = "";
    int64_t peers = 0;
    bool is = jx_parse_object(reply->body, reply->len, &raft, NULL) == ERR_OK &&
              jx_string(raft, "state", &state, NULL) == ERR_OK && strcmp(state, "Leader") == 0 &&
              jx_int(raft, "num_peers", 0, INT64_MAX, &peers, NULL) == ERR_OK && peers == 0;
    json_decref(raft);
    return is;
}

static void on_raft(void *ctx, enum err e, const struct err_info *info,
                    const struct httpc_reply *reply)
{
    struct rqlited *r = ctx;
    (void)info;
    r->call = NULL;
    if (e == ERR_OK && reply->status == 200 && leads_alone(reply)) {
        r->readdress = r->seen.again = true;
    }
    rqlited_polled(r);
}

static void judge(struct rqlited *r)
{
    const struct member *self = members_find(&r->members, r->config.node_id);
    bool here = self != NULL && strcmp(self->address, r->own) == 0;
    if (!r->seen.ready || r->exited || r->life.stopping || self == NULL) {
        rqlited_polled(r); /* another rqlited on this port is no reason to write anything either */
    } else if (here && !r->member_written) {
        rqlited_work(r, on_pool, on_written);
    } else if (!here && r->members.count == 1) {
        /* Alone, and known by an old address? A node that catches up also sees how its cluster was
         * long ago, perhaps alone, but then it does not lead. */
        get(r, "/status?key=store.raft", on_raft);
    } else {
        rqlited_polled(r);
    }
}

static void on_nodes(void *ctx, enum err e, const struct err_info *info,
                     const struct httpc_reply *reply)
{
    struct rqlited *r = ctx;
    struct members got;
    struct err_info why;
    (void)info;
    r->call = NULL;
    if (e == ERR_OK && reply->status == 200) {
        e = members_parse(reply->body, reply->len, &got, &why);
        if (e == ERR_OK) {
            members_free(&r->members);
            r->members = got;
        } else {
            LOG_DEBUG(RQLITED_TAG, "cannot read /nodes", LOG_S("why", why.text));
        }
    }
    judge(r);
}

/* ---- ready, or at least there ---- */

static void note_reply(struct rqlited *r, const struct httpc_reply *reply)
{
    const char *version = httpc_reply_header(reply, "X-RQLITE-VERSION");
    uint64_t held;
    r->seen.ok = true;
    r->seen.ready = reply->status == 200;
    if (version != NULL) {
        snprintf(r->version, sizeof r->version, "%s", version);
    }
    if (reply->status == 401 &&
        log_limit_pass(&r->denied, (int64_t)uv_now(r->loop), DENIED_MS, &held)) {
        LOG_ERROR(RQLITED_TAG, "what answers on rqlited's port does not know our credentials",
                  LOG_N("port", r->config.http_port));
    }
}

static void on_there(void *ctx, enum err e, const struct err_info *info,
                     const struct httpc_reply *reply)
{
    struct rqlited *r = ctx;
    (void)info;
    r->call = NULL;
    if (e == ERR_OK) {
        note_reply(r, reply);
        r->seen.ready = false;
    }
    rqlited_polled(r);
}

static void on_ready(void *ctx, enum err e, const struct err_info *info,
                     const struct httpc_reply *reply)
{
    struct rqlited *r = ctx;
    (void)info;
    r->call = NULL;
    if (r->exited || r->life.stopping) {
        rqlited_polled(r);
    } else if (e == ERR_OK) { /* 503, or 500 from 8.26: no leader */
        note_reply(r, reply);
        get(r, "/nodes?ver=2&nonvoters&timeout=1s", on_nodes);
    } else { /* it asks the leader, which may be the one that does not answer */
        get(r, "/readyz?noleader", on_there);
    }
}

void rqlited_poll(struct rqlited *r)
{
    r->polling = true;
    r->seen = (struct rqlited_event){.kind = RQLITED_EV_POLLED};
    get(r, "/readyz", on_ready);
}
