/* GET /metrics, for Prometheus */
#include "api_priv.h"

void api_metrics_get(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct metrics_writer w = {.text = {.text = NULL}};
    a->daemon.metrics(a->daemon.ctx, &w);
    http_reply(r, &(struct http_reply){.status = 200,
                                       .type = "text/plain; version=0.0.4; charset=utf-8",
                                       .body = w.text.text,
                                       .len = w.text.len});
    str_free(&w.text);
}
