#include "account.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define REGISTERED_MAX 2

void acme_account_init(struct acme_account *a, bool anew, bool binding, bool binding_required)
{
    *a = (struct acme_account){.anew = anew,
                               .binding = binding,
                               .binding_required = binding_required,
                               .doing = ACCOUNT_READ};
}

static enum acme_account_act act(struct acme_account *a, enum acme_account_act what)
{
    a->doing = what;
    return what;
}

static enum acme_account_act fail(struct acme_account *a, enum acme_class class, const char *text)
{
    a->problem = (struct acme_problem){.class = class, .type = "account", .retry_ms = -1};
    snprintf(a->problem.text, sizeof a->problem.text, "%s", text);
    return act(a, ACCOUNT_FAILED);
}

/* True: EV is a failure, and *what follows. */
static bool failed(struct acme_account *a, const struct acme_account_ev *ev,
                   enum acme_account_act *what)
{
    if (!tries_problem(ev->e, ev->text, ev->problem, ev->retry_ms, &a->problem)) {
        a->tries = 0;
        return false;
    }
    bool may = ev->e == ERR_OK || err_is_transient(ev->e);
    if (may && tries_again(&a->tries, &a->problem, &a->wait_ms)) {
        a->then = a->doing;
        *what = act(a, ACCOUNT_WAIT);
    } else {
        *what = act(a, ACCOUNT_FAILED);
    }
    return true;
}

static enum acme_account_act enroll(struct acme_account *a)
{
    if (a->binding_required && !a->binding) {
        return fail(
            a, ACME_DENIED,
            "the CA only takes accounts that are bound to one there: ask it for a key id and "
            "an HMAC key, and set letsEncrypt.eab.kid and letsEncrypt.eab.hmacKey");
    }
    if (++a->registered > REGISTERED_MAX) {
        return fail(a, ACME_ACCOUNT, "the CA does not keep the account");
    }
    return act(a, ACCOUNT_NEW);
}

static enum acme_account_act make(struct acme_account *a)
{
    a->made = true;
    a->url[0] = '\0';
    return act(a, ACCOUNT_KEY);
}

static bool is_gone(const struct acme_problem *p)
{
    return p != NULL && p->class == ACME_ACCOUNT;
}

/* An account that was deactivated, by us or by the CA (RFC 8555 §7.3.6). */
static bool is_off(const struct acme_account_ev *ev)
{
    if (ev->problem != NULL && ev->problem->class != ACME_FINE) {
        return strcmp(ev->problem->type, "unauthorized") == 0;
    }
    return ev->e == ERR_OK && ev->account != NULL &&
           (ev->account->status == ACME_STATUS_DEACTIVATED ||
            ev->account->status == ACME_STATUS_REVOKED);
}

/* There is an account, as far as the row knows. */
static enum acme_account_act known(struct acme_account *a)
{
    return act(a, a->anew ? ACCOUNT_FIND : a->same_contact ? ACCOUNT_USABLE : ACCOUNT_CONTACT);
}

static enum acme_account_act was_read(struct acme_account *a, const struct acme_account_ev *ev)
{
    enum acme_account_act what;
    if (failed(a, ev, &what)) {
        return what;
    }
    if (!ev->found) {
        return make(a);
    }
    a->same_contact = ev->same_contact;
    snprintf(a->url, sizeof a->url, "%s", ev->url != NULL ? ev->url : "");
    if (a->url[0] == '\0') {
        return enroll(a);
    }
    return ev->pending ? act(a, ACCOUNT_PROBE) : known(a);
}

static enum acme_account_act answered(struct acme_account *a, const struct acme_account_ev *ev)
{
    enum acme_account_act what;
    if (ev->e == ERR_OK && is_off(ev) && !a->made) {
        return make(a);
    }
    if (ev->e == ERR_OK && is_gone(ev->problem)) {
        return a->doing == ACCOUNT_PROBE ? act(a, ACCOUNT_BACK) : enroll(a);
    }
    if (failed(a, ev, &what)) {
        return what;
    }
    if (is_off(ev)) {
        return fail(a, ACME_DENIED, "the CA has put the account out of use");
    }
    if (a->doing != ACCOUNT_CONTACT) {
        if (ev->url == NULL || *ev->url == '\0') {
            return fail(a, ACME_AGAIN, "the CA does not say where the account is");
        }
        snprintf(a->url, sizeof a->url, "%s", ev->url);
    }
    return act(a, a->doing == ACCOUNT_PROBE ? ACCOUNT_PROMOTE : ACCOUNT_SAVE);
}

enum acme_account_act acme_account_next(struct acme_account *a, const struct acme_account_ev *ev)
{
    enum acme_account_act what;
    switch (a->doing) {
    case ACCOUNT_READ:
        return was_read(a, ev);
    case ACCOUNT_KEY:
    case ACCOUNT_PROMOTE:
        return failed(a, ev, &what) ? what : act(a, ACCOUNT_SAVE);
    case ACCOUNT_SAVE:
        if (failed(a, ev, &what)) {
            return what;
        }
        return a->url[0] == '\0' ? enroll(a) : act(a, ACCOUNT_USABLE);
    case ACCOUNT_BACK:
        return failed(a, ev, &what) ? what : known(a);
    case ACCOUNT_FIND:
    case ACCOUNT_PROBE:
    case ACCOUNT_NEW:
    case ACCOUNT_CONTACT:
        return answered(a, ev);
    case ACCOUNT_WAIT:
        return act(a, a->then);
    case ACCOUNT_USABLE:
    case ACCOUNT_FAILED:
        break;
    }
    assert(false);
    return ACCOUNT_FAILED;
}
