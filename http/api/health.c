/* GET /healthz (the process turns its loop), GET /readyz (it is worth sending users to) */
#include "api_priv.h"

void api_health_get(void *ctx, struct http_request *r)
{
    (void)ctx;
    api_reply_own(r, 200, json_pack("{s:s}", "status", "ok"));
}

void api_ready_get(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct api_ready ready = {.reason = NULL};
    a->daemon.ready(a->daemon.ctx, &ready);
    if (ready.ready) {
        api_reply_own(r, 200, json_pack("{s:s}", "status", "ready"));
    } else {
        api_reply_own(
            r, 503,
            json_pack("{s:s, s:o}", "status", "unready", "reason", body_text(ready.reason)));
    }
}
