#include "revoke.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

bool acme_revoke_wish_read(const char *argument, struct acme_revoke_wish *out)
{
    static const struct {
        const char *word;
        int code;
    } reasons[] = {
        {"unspecified", -1}, {"keyCompromise", 1}, {"superseded", 4}, {"cessationOfOperation", 5}};
    size_t len = strspn(argument, "0123456789abcdef");
    if (len == 0 || len >= sizeof out->serial || argument[len] != ' ') {
        return false;
    }
    snprintf(out->serial, sizeof out->serial, "%.*s", (int)len, argument);
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (strcmp(argument + len + 1, reasons[i].word) == 0) {
            out->reason = reasons[i].code;
            return true;
        }
    }
    return false;
}

void acme_revoke_init(struct acme_revoke *r)
{
    *r = (struct acme_revoke){.doing = REVOKE_READ};
}

static enum acme_revoke_act act(struct acme_revoke *r, enum acme_revoke_act what)
{
    r->doing = what;
    return what;
}

/* What was asked for is so, whoever did it. */
static bool is_revoked(const struct acme_revoke_ev *ev)
{
    return ev->e == ERR_OK && ev->problem != NULL &&
           strcmp(ev->problem->type, "alreadyRevoked") == 0;
}

enum acme_revoke_act acme_revoke_next(struct acme_revoke *r, const struct acme_revoke_ev *ev)
{
    if (r->doing == REVOKE_WAIT) {
        return act(r, r->then);
    }
    assert(r->doing == REVOKE_READ || r->doing == REVOKE_ASK);
    if (r->doing == REVOKE_ASK && is_revoked(ev)) {
        r->already = true;
        return act(r, REVOKE_OVER);
    }
    if (!tries_problem(ev->e, ev->text, ev->problem, ev->retry_ms, &r->problem)) {
        return act(r, r->doing == REVOKE_READ ? REVOKE_ASK : REVOKE_OVER);
    }
    bool may = ev->e == ERR_OK || err_is_transient(ev->e);
    if (may && tries_again(&r->tries, &r->problem, &r->wait_ms)) {
        r->then = r->doing;
        return act(r, REVOKE_WAIT);
    }
    return act(r, REVOKE_FAILED);
}
