/* The account at one CA (RFC 8555 §7.3), as a machine: pure, like acme/order.h, whose step `account` it
 * is. One row per directory holds key and URL; what can be lost halfway is written down before.
 *
 *   read ─ none ─> make key ─> save (no url) ─> newAccount ─────────────────> save (url) ─> usable
 *     ├─ no url yet ──────────────────────────────^  ^                          ^
 *     ├─ url, another contact ─> update it ──────────┼──────────────────────────┤
 *     ├─ url ────────────────────────────────────────┼──────────────────────> usable
 *     └─ url that is not to be believed ─> find (onlyReturnExisting, §7.3.1) ─ there ─┘
 *                                            ├─ does not exist ─> newAccount, the same key
 *                                            └─ deactivated (unauthorized, §7.3.6) ─> make key ─> ...
 *
 * A row with two keys is of somebody who was interrupted in a change of keys (acme/rollover.h): which of
 * them the account has is asked first, for a CA does not say so to requests with the wrong one.
 *
 * A key is made anew at most once, newAccount is sent at most twice. What fails for transient reasons
 * is tried again with pauses (acme/tries.h).
 */
#ifndef ACME_ACCOUNT_H
#define ACME_ACCOUNT_H

#include "object.h"
#include "tries.h"

/* What to do; the result comes with acme_account_next(), with what is named here. */
enum acme_account_act {
    ACCOUNT_READ,    /* the row, the key in it opened: found, url, same_contact,
                        pending */
    ACCOUNT_KEY,     /* make a key, in memory */
    ACCOUNT_SAVE,    /* fenced: the row, with the machine's url */
    ACCOUNT_FIND,    /* newAccount with onlyReturnExisting: url, account */
    ACCOUNT_PROBE,   /* as FIND, with the key that it was to be changed to: url, account */
    ACCOUNT_BACK,    /* the row's own key again, in memory */
    ACCOUNT_PROMOTE, /* that key is the account's now, in memory */
    ACCOUNT_NEW,     /* newAccount: url, account */
    ACCOUNT_CONTACT, /* the account's contact at the CA: account */
    ACCOUNT_WAIT,    /* wait_ms */
    ACCOUNT_USABLE,  /* the end: url */
    ACCOUNT_FAILED   /* the end: problem */
};

struct acme_account_ev {
    enum err e;
    const char *text;                   /* of e; NULL */
    const struct acme_problem *problem; /* what the CA answered; NULL */
    int64_t retry_ms;                   /* -1 */
    bool found, same_contact, pending;
    const char *url;
    const struct acme_account_object *account;
};

struct acme_account {
    bool anew;             /* the url is not to be believed */
    bool binding;          /* an external account is configured */
    bool binding_required; /* by the directory */
    enum acme_account_act doing, then;
    bool made; /* a key, in this run */
    bool same_contact;
    unsigned tries, registered;
    int64_t wait_ms;
    char url[ACME_URL_MAX];
    struct acme_problem problem; /* of a failure, or what a pause is for */
};

/* The first thing to do is ACCOUNT_READ. */
void acme_account_init(struct acme_account *a, bool anew, bool binding, bool binding_required);
enum acme_account_act acme_account_next(struct acme_account *a, const struct acme_account_ev *ev);

#endif
