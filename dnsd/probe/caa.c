/* RFC 8659 §4.2: a value is `issuer-domain *(";" parameters)`, parameters `tag "=" value`, separated by
 * blanks or ";". An issuer domain that is empty, or that is not what the grammar says, names nobody.
 */
#include "caa.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "dnsd/wire/type.h"

#define CRITICAL 128

static const char blanks[] = " \t";

/* The text without blanks at its ends. */
static const char *trim(const char *text, size_t *len)
{
    size_t skip = strspn(text, blanks);
    skip = skip < *len ? skip : *len;
    text += skip;
    *len -= skip;
    while (*len > 0 && strchr(blanks, text[*len - 1]) != NULL) {
        --*len;
    }
    return text;
}

static bool names_issuer(const char *value, const struct caa_wish *wish)
{
    size_t len = strcspn(value, ";");
    const char *issuer = trim(value, &len);
    for (size_t i = 0; i < wish->issuers_count; i++) {
        if (len > 0 && strlen(wish->issuers[i]) == len &&
            strncasecmp(wish->issuers[i], issuer, len) == 0) {
            return true;
        }
    }
    return false;
}

/* The parameter at *AT: its tag and value, without blanks. False: there are no more. *WELL: it is as
 * the grammar has it. */
struct parameter {
    const char *tag, *value;
    size_t tag_len, value_len;
    bool well;
};
static bool next_parameter(const char **at, struct parameter *p)
{
    *at += strspn(*at, " \t;");
    if (**at == '\0') {
        return false;
    }
    size_t len = strcspn(*at, ";");
    const char *equals = memchr(*at, '=', len);
    p->well = equals != NULL;
    p->tag_len = equals != NULL ? (size_t)(equals - *at) : len;
    p->tag = trim(*at, &p->tag_len);
    p->value = equals != NULL ? equals + 1 : *at + len;
    p->value_len = (size_t)(*at + len - p->value);
    p->value = trim(p->value, &p->value_len);
    p->well = p->well && p->tag_len > 0 && memchr(p->value, ' ', p->value_len) == NULL;
    *at += len;
    return true;
}

static bool is_tag(const struct parameter *p, const char *tag)
{
    return p->tag_len == strlen(tag) && strncasecmp(p->tag, tag, p->tag_len) == 0;
}

/* RFC 8657 §4: a list of methods, separated by commas. */
static bool lists_method(const struct parameter *p, const char *method)
{
    const char *at = p->value, *end = p->value + p->value_len;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t len = comma != NULL ? (size_t)(comma - at) : (size_t)(end - at);
        if (len == strlen(method) && strncmp(at, method, len) == 0) {
            return true;
        }
        at += len + 1;
    }
    return false;
}

/* Whether a record that names the CA lets it issue, as far as its parameters say. WHY: if not. RFC 8657
 * §3: more than one accounturi, or one that cannot be read, fits nobody; a parameter of another name is
 * the CA's business. */
static bool parameters_fit(const char *value, const struct caa_wish *wish, const char **why)
{
    const char *at = value + strcspn(value, ";");
    unsigned accounts = 0, methods = 0;
    bool account_fits = true, method_fits = true;
    struct parameter p;
    while (next_parameter(&at, &p)) {
        if (!p.well) {
            *why = "its parameters are not of the form tag=value";
            return false;
        }
        if (is_tag(&p, "accounturi")) {
            accounts++;
            account_fits =
                wish->account[0] == '\0' || (p.value_len == strlen(wish->account) &&
                                             memcmp(p.value, wish->account, p.value_len) == 0);
        } else if (is_tag(&p, "validationmethods")) {
            methods++;
            method_fits = lists_method(&p, wish->method);
        }
    }
    if (accounts > 1 || !account_fits) {
        *why =
            accounts > 1 ? "it has more than one accounturi" : "its accounturi is not our account";
        return false;
    }
    if (methods > 1 || !method_fits) {
        *why = methods > 1 ? "it has more than one validationmethods"
                           : "its validationmethods do not have ours";
        return false;
    }
    return true;
}

/* ---- the set of a name --------------------------------------------------------------------- */

enum err caa_take(const struct wire_message *m, const struct wire_name *name, struct caa_set *out,
                  struct err_info *info)
{
    struct wire_name end;
    char text[WIRE_NAME_TEXT_MAX];
    out->count = 0;
    (void)wire_message_alias(m, name, &end);
    wire_name_to_text(&end, text);
    for (size_t i = 0; i < m->count; i++) {
        const struct wire_record *r = &m->records[i];
        if (r->section != WIRE_ANSWER || r->type != TYPE_CAA || r->class != CLASS_IN ||
            !wire_name_equal(&r->owner, &end)) {
            continue;
        }
        if (out->count == CAA_MAX) {
            return err_set(info, ERR_LIMIT, "%.300s has more than %d CAA records", text, CAA_MAX);
        }
        enum err e = wire_record_caa(r, &out->list[out->count]);
        if (e != ERR_OK) {
            return err_set(info, e, "%.300s has a CAA record that is none", text);
        }
        out->count++;
    }
    return ERR_OK;
}

/* ---- judging it ------------------------------------------------------------------------------- */

static bool is_known(const char *tag)
{
    /* RFC 8659 §4.2 to §4.4; RFC 9495. */
    static const char *const known[] = {"issue", "issuewild", "iodef", "issuemail"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(tag, known[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_tag(const struct wire_caa *list, size_t count, const char *tag)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].tag, tag) == 0) {
            return true;
        }
    }
    return false;
}

static enum err deny(const struct wire_caa *record, const char *tag, const char *why,
                     const struct caa_wish *wish, struct err_info *info)
{
    char account[700] = "";
    if (wish->account[0] != '\0') {
        snprintf(account, sizeof account, "; accounturi=%.600s", wish->account);
    }
    return err_set(
        info, ERR_DENIED,
        "CAA %u %.32s \"%.120s\" forbids it: %s. Add: CAA 0 %s \"%s; validationmethods=%s%.150s\"",
        record->flags, record->tag, record->value, why, tag, wish->issuers[0], wish->method,
        account);
}

enum err caa_judge(const struct wire_caa *list, size_t count, const struct caa_wish *wish,
                   struct err_info *info)
{
    const struct wire_caa *last = NULL;
    const char *why = "it names another CA";
    /* RFC 8659 §4.3: issuewild, if there is any, is all that counts for a wildcard. */
    bool wild = wish->wildcard && has_tag(list, count, "issuewild");
    const char *tag = wild ? "issuewild" : "issue";
    if (wish->issuers_count == 0) {
        return ERR_OK;
    }
    for (size_t i = 0; i < count; i++) {
        if ((list[i].flags & CRITICAL) != 0 && !is_known(list[i].tag)) { /* §4.1 */
            return err_set(
                info, ERR_DENIED,
                "CAA %u %.32s \"%.120s\" forbids it: it is critical, and no CA knows its tag. "
                "Take it away or its critical flag",
                list[i].flags, list[i].tag, list[i].value);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].tag, tag) != 0) {
            continue;
        }
        bool ours = names_issuer(list[i].value, wish);
        if (ours && parameters_fit(list[i].value, wish, &why)) {
            return ERR_OK; /* one that fits is enough (§4.2) */
        }
        last = ours || last == NULL ? &list[i] : last;
    }
    /* §4.2, §4.3: without the property there is no restriction. */
    return last == NULL ? ERR_OK : deny(last, tag, why, wish, info);
}
