#include "retry.h"

void retry_begin(struct retry *r, int64_t now_ms, int64_t busy_ms)
{
    *r = (struct retry){.end_ms = now_ms + busy_ms, .wait_ms = RETRY_FIRST_MS};
}

int64_t retry_next(struct retry *r, int64_t now_ms, bool unknown)
{
    r->unknown = r->unknown || unknown;
    if (now_ms >= r->end_ms) {
        return -1;
    }
    int64_t left_ms = r->end_ms - now_ms;
    int64_t wait_ms = r->wait_ms < left_ms ? r->wait_ms : left_ms;
    r->wait_ms = r->wait_ms * 2 < RETRY_MAX_MS ? r->wait_ms * 2 : RETRY_MAX_MS;
    return wait_ms;
}
