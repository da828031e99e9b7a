#include "rollover.h"

#include <assert.h>
#include <stdio.h>

void acme_rollover_init(struct acme_rollover *r)
{
    *r = (struct acme_rollover){.doing = ROLLOVER_READ};
}

static enum acme_rollover_act act(struct acme_rollover *r, enum acme_rollover_act what)
{
    r->doing = what;
    return what;
}

/* True: EV is a failure, and *what follows: THEN after a pause, or the end. */
static bool failed(struct acme_rollover *r, const struct acme_rollover_ev *ev,
                   enum acme_rollover_act then, enum acme_rollover_act *what)
{
    if (!tries_problem(ev->e, ev->text, ev->problem, ev->retry_ms, &r->problem)) {
        return false;
    }
    bool may = ev->e == ERR_OK || err_is_transient(ev->e);
    if (may && tries_again(&r->tries, &r->problem, &r->wait_ms)) {
        r->then = then;
        *what = act(r, ROLLOVER_WAIT);
    } else {
        *what = act(r, ROLLOVER_FAILED);
    }
    return true;
}

static enum acme_rollover_act was_read(struct acme_rollover *r, const struct acme_rollover_ev *ev)
{
    if (!ev->found) {
        r->problem = (struct acme_problem){.class = ACME_DENIED, .type = "account", .retry_ms = -1};
        snprintf(r->problem.text, sizeof r->problem.text, "there is no account at this CA yet");
        return act(r, ROLLOVER_FAILED);
    }
    return act(r, ev->pending ? ROLLOVER_PROBE : ROLLOVER_MAKE);
}

static enum acme_rollover_act probed(struct acme_rollover *r, const struct acme_rollover_ev *ev)
{
    enum acme_rollover_act what;
    if (ev->e == ERR_OK && ev->problem != NULL && ev->problem->class == ACME_ACCOUNT) {
        return act(r, ROLLOVER_CHANGE);
    }
    return failed(r, ev, ROLLOVER_PROBE, &what) ? what : act(r, ROLLOVER_PROMOTE);
}

enum acme_rollover_act acme_rollover_next(struct acme_rollover *r,
                                          const struct acme_rollover_ev *ev)
{
    enum acme_rollover_act what;
    switch (r->doing) {
    case ROLLOVER_READ:
        return failed(r, ev, ROLLOVER_READ, &what) ? what : was_read(r, ev);
    case ROLLOVER_MAKE:
        return failed(r, ev, ROLLOVER_MAKE, &what) ? what : act(r, ROLLOVER_SAVE);
    case ROLLOVER_SAVE:
        if (failed(r, ev, ROLLOVER_SAVE, &what)) {
            return what;
        }
        return act(r, r->promoted ? ROLLOVER_OVER : ROLLOVER_CHANGE);
    case ROLLOVER_PROBE:
        return probed(r, ev);
    case ROLLOVER_CHANGE: /* what failed may have been carried out */
        return failed(r, ev, ROLLOVER_PROBE, &what) ? what : act(r, ROLLOVER_PROMOTE);
    case ROLLOVER_PROMOTE:
        r->promoted = true;
        return failed(r, ev, ROLLOVER_PROMOTE, &what) ? what : act(r, ROLLOVER_SAVE);
    case ROLLOVER_WAIT:
        return act(r, r->then);
    case ROLLOVER_OVER:
    case ROLLOVER_FAILED:
        break;
    }
    assert(false);
    return ROLLOVER_FAILED;
}
