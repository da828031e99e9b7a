#include "tries.h"

#include <stdio.h>

bool tries_problem(enum err e, const char *text, const struct acme_problem *answer,
                   int64_t retry_ms, struct acme_problem *out)
{
    if (answer != NULL && answer->class != ACME_FINE) {
        *out = *answer; /* whatever E: a directory that was refused has both */
    } else if (e != ERR_OK) {
        *out = (struct acme_problem){.class = e == ERR_DENIED ? ACME_DENIED : ACME_AGAIN,
                                     .retry_ms = -1};
        snprintf(out->text, sizeof out->text, "%s",
                 text != NULL && *text != '\0' ? text : err_text(e));
    } else {
        return false;
    }
    if (out->retry_ms < 0) {
        out->retry_ms = retry_ms;
    }
    return true;
}

bool tries_again(unsigned *tries, const struct acme_problem *p, int64_t *wait_ms)
{
    if (p->class != ACME_AGAIN || ++*tries >= TRIES_MAX || p->retry_ms > TRIES_PAUSE_MS) {
        return false;
    }
    int64_t pause_ms = TRIES_FIRST_MS << (*tries - 1);
    if (p->retry_ms > pause_ms) {
        pause_ms = p->retry_ms;
    }
    *wait_ms = pause_ms > TRIES_PAUSE_MS ? TRIES_PAUSE_MS : pause_ms;
    return true;
}
