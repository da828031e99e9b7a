/* What went wrong at a CA, and what to do about it (RFC 8555 §6.7, RFC 7807).
 *
 * A problem document is read leniently (an HTML page is a problem too: of the server), and its text is
 * made safe to print: control characters and what is not UTF-8 become '?', the length is bounded.
 * Pure; any thread.
 */
#ifndef ACME_PROBLEM_H
#define ACME_PROBLEM_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define ACME_TYPE_MAX     64
#define ACME_TEXT_MAX     512
#define ACME_SUBS_MAX     4
#define ACME_HELP_URL_MAX 1024 /* one to end a pause carries a token of several hundred octets */

/* What the caller can do. */
enum acme_class {
    ACME_FINE,
    ACME_AGAIN,   /* transient: the network, the server, a nonce; the same again, later */
    ACME_LIMITED, /* a rate limit: not before retry_ms */
    ACME_PAUSED, /* the account is paused for this name: a human has to act at the CA (URL in text) */
    ACME_ACCOUNT,  /* the account is gone or not valid: register again, once */
    ACME_REPLACED, /* `replaces` is not wanted: order without it, at once */
    ACME_PROFILE,  /* the profile is not offered: order without it */
    ACME_IDENTIFIER, /* validation failed, or names refused: changing something helps, asking again does not */
    ACME_TERMS,  /* new terms have to be agreed to: a human */
    ACME_ORDER,  /* this order is dead (gone, expired, invalid): begin another */
    ACME_DENIED, /* refused for good: configuration is wrong (EAB, contact, ...) */
    ACME_BUG     /* we sent nonsense */
};

struct acme_problem {
    enum acme_class class;
    unsigned status;          /* HTTP; 0: none came */
    char type[ACME_TYPE_MAX]; /* without urn:ietf:params:acme:error:; "" */
    char text[ACME_TEXT_MAX]; /* detail, then the subproblems' "name: detail" (§6.7.1) */
    int64_t retry_ms;         /* from now; -1: nobody said */
    char
        url[ACME_HELP_URL_MAX]; /* where a human is to go: `instance` (§7.3.3), for a pause what the
                                    text names, else Link rel="help" or "terms-of-service"; https only; "" */
};

/* BODY: of a reply with STATUS other than 2xx (a redirect is not followed, so it is a problem: _AGAIN).
 * Never fails. retry_ms and what the headers say (acme_problem_link()) are the caller's to set.
 *
 * A rate limit (429) whose text says that the account is paused, or names a page to end that, is
 * _PAUSED. `compound` (§6.7.1) is what its first subproblem is. */
void acme_problem_read(unsigned status, const char *body, size_t len, struct acme_problem *out);
/* A Link of the reply with relation "help" or "terms-of-service": taken if there is no URL yet. One that
 * leads to the end of a pause makes _LIMITED _PAUSED. */
void acme_problem_link(struct acme_problem *p, const char *url);

/* The class of a type, as used in authorizations' and orders' `error` too. Unknown: by status (0: none).
 *
 * What only the caller can know, by what was asked:
 *   - `unauthorized` is _IDENTIFIER, as in authorizations. CAs say it of a deactivated account too, and
 *     of a wrong external account binding; only `accountDoesNotExist` is _ACCOUNT;
 *   - 404 on an order, whatever its type (Boulder's is `malformed`, Pebble's none), means that it is gone;
 *   - `malformed` after a newOrder with `replaces` may be about that: the certificate is of another CA, or
 *     one that it has forgotten. Ask again without;
 *   - `conflict` with 409 is _REPLACED, which servers before RFC 9773 said; after a key change it means
 *     that the key is another account's (§7.3.5). */
enum acme_class acme_problem_class(const char *type, unsigned status);

/* Text that a CA sent, made fit to be shown: control characters (line ends too), invisible ones that turn or
 * join text, and what is not UTF-8 become '?'. Cut between characters if ROOM is too little. */
void acme_text_clean(const char *text, char *out, size_t room);

#endif
