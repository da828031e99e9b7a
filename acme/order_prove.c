/* The order machine's way to proved names. */
#include "order_priv.h"

#include <stdio.h>
#include <string.h>

static const char *const types[] = {
    [ACME_DNS01] = "dns-01", [ACME_HTTP01] = "http-01", [ACME_ALPN01] = "tls-alpn-01"};

static bool is_over(const struct acme_order_authz *z)
{
    return z->status != ACME_STATUS_PENDING && z->status != ACME_STATUS_PROCESSING &&
           z->status != ACME_STATUS_UNKNOWN;
}

/* ---- authorizations as the CA has them ---------------------------------------------------------- */

static void unusable(struct acme_order_authz *z, enum acme_class class, const char *type,
                     const char *what)
{
    z->problem = (struct acme_problem){.class = class, .retry_ms = -1};
    snprintf(z->problem.type, sizeof z->problem.type, "%s", type);
    snprintf(z->problem.text, sizeof z->problem.text, "%s: %s", z->name, what);
}

static const struct acme_challenge *find(const struct acme_authorization *a,
                                         enum acme_challenge_type type)
{
    for (size_t i = 0; i < a->challenges_count; i++) {
        if (a->challenges[i].type == type) {
            return &a->challenges[i];
        }
    }
    return NULL;
}

/* Its failure is in the challenge that was tried (RFC 8555 §8). */
static void take_failure(struct acme_order_authz *z, const struct acme_authorization *a)
{
    for (size_t i = 0; i < a->challenges_count; i++) {
        if (a->challenges[i].has_error) {
            struct acme_problem p = a->challenges[i].error;
            snprintf(p.text, sizeof p.text, "%.150s: %.300s", a->name, a->challenges[i].error.text);
            z->problem = p;
            z->failed = true;
            return;
        }
    }
    unusable(z, ACME_ORDER, "authorization", "the CA's authorization has ended");
}

static void take(const struct acme_order *o, struct acme_order_authz *z,
                 const struct acme_authorization *a)
{
    const struct acme_challenge *c = find(a, o->options.type);
    z->status = a->status;
    z->wildcard = a->wildcard;
    snprintf(z->name, sizeof z->name, "%s", a->name);
    if (z->status == ACME_STATUS_VALID) {
        return;
    }
    if (is_over(z) || (c != NULL && c->status == ACME_STATUS_INVALID)) {
        z->status = ACME_STATUS_INVALID;
        take_failure(z, a);
    } else if (c == NULL || c->token[0] == '\0') {
        char what[80];
        snprintf(what, sizeof what, "the CA offers no %s challenge", types[o->options.type]);
        z->status = ACME_STATUS_INVALID;
        unusable(z, ACME_IDENTIFIER, "challenge", what);
    } else {
        z->challenge_status = c->status;
        memcpy(z->challenge, c->url, sizeof z->challenge);
        memcpy(z->token, c->token, sizeof z->token);
    }
}

/* One of the names asked for; a wildcard's authorization has the name without its star (§7.1.4). */
static bool is_asked(const struct acme_order *o, const char *name)
{
    for (size_t i = 0; i < o->options.names_count; i++) {
        const char *n = o->options.names[i];
        if (strcmp(strncmp(n, "*.", 2) == 0 ? n + 2 : n, name) == 0) {
            return true;
        }
    }
    return false;
}

static const struct acme_order_authz *first_invalid(const struct acme_order *o)
{
    for (size_t i = 0; i < o->authz_count; i++) {
        if (o->authz[i].status == ACME_STATUS_INVALID) {
            return &o->authz[i];
        }
    }
    return NULL;
}

static const struct acme_order_authz *first_refused(const struct acme_order *o)
{
    for (size_t i = 0; i < o->authz_count; i++) {
        if (o->authz[i].refused && !is_over(&o->authz[i])) {
            return &o->authz[i];
        }
    }
    return NULL;
}

static size_t next_unfinished(const struct acme_order *o, size_t i)
{
    while (i < o->authz_count && is_over(&o->authz[i])) {
        i++;
    }
    return i;
}

/* Everything is known: what is left to do. */
static struct acme_act authorized(struct acme_order *o)
{
    const struct acme_order_authz *z = first_invalid(o);
    if (z != NULL && o->resumed && !z->failed) {
        return order_drop(o, z->problem.text);
    }
    if (z != NULL) {
        return order_fail(o, &z->problem);
    }
    return order_enter(o, next_unfinished(o, 0) < o->authz_count ? ORDER_PUBLISH : ORDER_VALIDATE);
}

static struct acme_act ask_again(struct acme_order *o, const struct acme_ev *ev)
{
    o->index = next_unfinished(o, 0);
    return o->index < o->authz_count ? order_poll(o, ev, ACME_ACT_AUTHORIZATION)
                                     : order_act(o, ACME_ACT_ORDER, 0);
}

/* All were asked: once more, or on, or out. */
static struct acme_act validated(struct acme_order *o, const struct acme_ev *ev)
{
    const struct acme_order_authz *z = first_invalid(o);
    z = z != NULL ? z : first_refused(o);
    return z != NULL ? order_fail(o, &z->problem) : ask_again(o, ev);
}

struct acme_act order_authorization(struct acme_order *o, const struct acme_ev *ev)
{
    struct acme_act act;
    size_t i = o->index;
    if (order_failed(o, ev, ACME_ACT_AUTHORIZATION, &act)) {
        return act;
    }
    if (!is_asked(o, ev->authorization->name)) {
        return order_fail_for(o, ACME_DENIED, "authorization",
                              "the CA wants a name proved that was not asked for");
    }
    take(o, &o->authz[i], ev->authorization);
    o->hint_ms = ev->retry_ms > o->hint_ms ? ev->retry_ms : o->hint_ms;
    i = o->state == ORDER_AUTHORIZE ? i + 1 : next_unfinished(o, i + 1);
    if (i < o->authz_count) {
        return order_act(o, ACME_ACT_AUTHORIZATION, i);
    }
    return o->state == ORDER_AUTHORIZE ? authorized(o) : validated(o, ev);
}

/* ---- the steps ----------------------------------------------------------------------------------- */

static struct acme_act next_challenge(struct acme_order *o, size_t i)
{
    while (i < o->authz_count &&
           (!acme_order_proves(o, i) || o->authz[i].challenge_status == ACME_STATUS_PROCESSING)) {
        i++;
    }
    return i < o->authz_count ? order_confirm(o, ACME_ACT_CHALLENGE, i)
                              : order_enter(o, ORDER_VALIDATE);
}

struct acme_act order_prove_entered(struct acme_order *o, const struct acme_ev *ev)
{
    switch (o->state) {
    case ORDER_AUTHORIZE:
        return o->resumed || o->authz_count == 0 ? order_act(o, ACME_ACT_ORDER, 0)
                                                 : order_act(o, ACME_ACT_AUTHORIZATION, 0);
    case ORDER_PUBLISH:
        return order_act(o, ACME_ACT_PUBLISH, 0);
    case ORDER_PROVE:
        return order_act(o, ACME_ACT_PROVE, 0);
    case ORDER_CHALLENGE:
        return next_challenge(o, 0);
    default:
        return ask_again(o, ev);
    }
}

struct acme_act order_published(struct acme_order *o, const struct acme_ev *ev)
{
    struct acme_act act;
    return order_failed(o, ev, ACME_ACT_PUBLISH, &act) ? act : order_enter(o, ORDER_PROVE);
}

struct acme_act order_proved(struct acme_order *o, const struct acme_ev *ev)
{
    if (ev->e != ERR_OK) {
        return order_fail_for(o, ACME_AGAIN, "propagation", ev->text);
    }
    return order_enter(o, ORDER_CHALLENGE);
}

struct acme_act order_challenged(struct acme_order *o, const struct acme_ev *ev)
{
    struct acme_act act;
    size_t i = o->index;
    enum acme_class class = ev->e == ERR_OK && ev->problem != NULL ? ev->problem->class : ACME_FINE;
    if (class == ACME_BUG || class == ACME_ORDER || class == ACME_IDENTIFIER) {
        o->authz[i].refused = true; /* perhaps it was taken before: the authorization tells */
        o->authz[i].problem = *ev->problem;
        return next_challenge(o, i + 1);
    }
    if (order_failed(o, ev, ACME_ACT_CHALLENGE, &act)) {
        return act;
    }
    o->hint_ms = ev->retry_ms > o->hint_ms ? ev->retry_ms : o->hint_ms;
    return next_challenge(o, i + 1);
}
