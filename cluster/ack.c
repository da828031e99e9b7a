#include "ack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/jx.h"
#include "lib/str.h"

#define HTTPS "https://"

void ack_init(struct ack_machine *m, const char *url, const char *core, unsigned deadline_ms)
{
    *m = (struct ack_machine){.url = url,
                              .core = core,
                              .deadline_ms = deadline_ms != 0 ? deadline_ms : ACK_DEADLINE_MS,
                              .pause_ms = ACK_PAUSE_MS};
}

void ack_fini(struct ack_machine *m)
{
    json_decref(m->tree);
    free(m->members);
    free(m->lsc_ips);
    *m = (struct ack_machine){.url = NULL};
}

/* ---- what is sent ------------------------------------------------------------------------------ */

enum err ack_check_url(const char *url, struct err_info *info)
{
    if (url != NULL && strncasecmp(url, HTTPS, strlen(HTTPS)) == 0) { /* RFC 3986 §3.1 */
        return ERR_OK;
    }
    return err_set(info, ERR_MALFORMED,
                   "the ack URL %.200s is not https: the token would be read on the way; ask for a "
                   "new bundle with a URL that is",
                   url != NULL ? url : "(none)");
}

static bool is_plain(const char *text)
{
    static const char fine[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-";
    return text != NULL && text[0] != '\0' && text[strspn(text, fine)] == '\0';
}

/* By hand, because jansson would leave copies of the token behind. */
enum err ack_body(const char *core, const char *token, const char *fingerprint,
                  char out[ACK_BODY_MAX], size_t *len, struct err_info *info)
{
    if (!is_plain(core) || !is_plain(token) || !is_plain(fingerprint)) {
        return err_set(info, ERR_MALFORMED, "core id, token or fingerprint make no sense");
    }
    int n = snprintf(out, ACK_BODY_MAX,
                     "{\"coreId\":\"%s\",\"token\":\"%s\",\"tlsFingerprint\":\"%s\"}", core, token,
                     fingerprint);
    if (n < 0 || n >= ACK_BODY_MAX) {
        return err_set(info, ERR_MALFORMED, "core id, token or fingerprint are too long");
    }
    *len = (size_t)n;
    return ERR_OK;
}

/* ---- what is heard ----------------------------------------------------------------------------- */

static enum err optional(enum err e)
{
    return e == ERR_NOTFOUND ? ERR_OK : e;
}

static enum err read_members(struct ack_machine *m, const json_t *list, struct err_info *info)
{
    size_t count = json_array_size(list);
    if (count > ACK_MEMBERS_MAX) {
        return err_set(info, ERR_LIMIT, "%zu cores", count);
    }
    m->members = calloc(count + 1, sizeof *m->members);
    if (m->members == NULL) {
        return err_set(info, ERR_NOMEM, "no memory");
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *row = json_array_get(list, i);
        struct ack_member *to = &m->members[i];
        enum err e = json_is_object(row)
                         ? jx_string(row, "id", &to->id, info)
                         : err_set(info, ERR_MALFORMED, "cores[%zu] is no object", i);
        if (e == ERR_OK) {
            e = optional(jx_string(row, "url", &to->url, info));
        }
        if (e == ERR_OK) {
            e = optional(jx_string(row, "hosting", &to->hosting, info));
        }
        if (e == ERR_OK) {
            e = optional(jx_bool(row, "available", &to->available, info));
        }
        if (e != ERR_OK) {
            return e;
        }
    }
    m->told.members = m->members;
    m->told.members_count = count;
    return ERR_OK;
}

static enum err read_lsc(struct ack_machine *m, const json_t *list, struct err_info *info)
{
    size_t count = json_array_size(list);
    if (count > ACK_LSC_MAX) {
        return err_set(info, ERR_LIMIT, "%zu addresses", count);
    }
    m->lsc_ips = calloc(count + 1, sizeof *m->lsc_ips);
    if (m->lsc_ips == NULL) {
        return err_set(info, ERR_NOMEM, "no memory");
    }
    for (size_t i = 0; i < count; i++) {
        m->lsc_ips[i] = jx_string_at(list, i);
        if (m->lsc_ips[i] == NULL) {
            return err_set(info, ERR_MALFORMED, "lscIps[%zu] is no text", i);
        }
    }
    m->told.lsc_ips = m->lsc_ips;
    m->told.lsc_ips_count = count;
    return ERR_OK;
}

static enum err read_reply(struct ack_machine *m, const char *body, size_t len,
                           struct err_info *info)
{
    const char *core = NULL;
    const json_t *cluster = NULL, *list = NULL;
    bool ok = false;
    if (len > ACK_REPLY_MAX) {
        return err_set(info, ERR_LIMIT, "more than %d octets", ACK_REPLY_MAX);
    }
    enum err e = jx_parse_object(body, len, &m->tree, info);
    if (e == ERR_OK) {
        e = jx_bool(m->tree, "ok", &ok, info);
    }
    if (e == ERR_OK) {
        e = jx_string(m->tree, "coreId", &core, info);
    }
    if (e == ERR_OK && (!ok || strcmp(core, m->core) != 0)) {
        e = err_set(info, ERR_MALFORMED, "it is about another core");
    }
    if (e == ERR_OK) {
        e = jx_object(m->tree, "cluster", &cluster, info);
    }
    if (e == ERR_OK) {
        e = jx_array(cluster, "cores", &list, info);
    }
    if (e == ERR_OK) {
        e = read_members(m, list, info);
    }
    if (e == ERR_OK) {
        e = jx_array(cluster, "lscIps", &list, info);
    }
    return e == ERR_OK ? read_lsc(m, list, info) : e;
}

/* ---- what it means ----------------------------------------------------------------------------- */

static struct ack_act done(enum err result)
{
    return (struct ack_act){.kind = ACK_DONE, .result = result};
}

/* Seconds; a date is as good as nothing: our pauses are short. */
static unsigned retry_after_ms(const char *text)
{
    uint32_t s = 0;
    if (text == NULL || !str_parse_u32(text, UINT32_MAX, &s)) {
        return 0;
    }
    return s >= ACK_RETRY_MAX_MS / 1000 ? ACK_RETRY_MAX_MS : (unsigned)s * 1000;
}

static struct ack_act too_late(struct ack_machine *m)
{
    return done(err_prefix(&m->info, ERR_TIMEOUT,
                           "not heard after %u tries in %u s; run the same command again. Last: ",
                           m->tries, m->deadline_ms / 1000));
}

static struct ack_act call(struct ack_machine *m, const struct ack_ev *ev)
{
    int64_t left = m->end_ms - ev->now_ms;
    if (left <= 0) {
        return too_late(m);
    }
    return (struct ack_act){.kind = ACK_POST,
                            .ms = left < ACK_TRY_MS ? (unsigned)left : ACK_TRY_MS};
}

static struct ack_act again(struct ack_machine *m, const struct ack_ev *ev, unsigned not_before_ms)
{
    unsigned wait_ms = m->pause_ms + m->pause_ms / 10 * ev->chance / 1000;
    if (wait_ms < not_before_ms) {
        wait_ms = not_before_ms;
    }
    m->pause_ms = m->pause_ms * 2 < ACK_PAUSE_MAX_MS ? m->pause_ms * 2 : ACK_PAUSE_MAX_MS;
    m->tries++;
    if (ev->now_ms + (int64_t)wait_ms >= m->end_ms) {
        return too_late(m);
    }
    return (struct ack_act){.kind = ACK_WAIT, .ms = wait_ms};
}

static struct ack_act on_heard(struct ack_machine *m, const struct ack_ev *ev)
{
    struct err_info why = {.text = ""};
    enum err e = read_reply(m, ev->body, ev->len, &why);
    if (e == ERR_OK || e == ERR_NOMEM) {
        m->info = why;
        return done(e);
    }
    return done(err_set(&m->info, ERR_MALFORMED,
                        "%s answered, but not as a dnsd does (%s); is cluster.ackUrl in the "
                        "bundle that of the core that issued it?",
                        m->url, why.text));
}

/* Everything that does not become another thing by being asked again. */
static struct ack_act on_refused(struct ack_machine *m, unsigned status)
{
    enum err e = ERR_MALFORMED;
    const char *advice = "that is not the answer of a dnsd; look at what stands at this URL";
    if (status == 401 || status == 403) {
        e = ERR_DENIED;
        advice = "the token is not good there (any more); ask for a new bundle";
    } else if (status == 404) {
        e = ERR_NOTFOUND;
        advice = "the core is not known there (any more); ask for a new bundle";
    } else if (status >= 300 && status < 400) {
        advice = "it leads elsewhere, which is not followed; issue the bundle with the --ack-url "
                 "that it leads to";
    } else if (status >= 400) {
        advice = "what this dnsd sends is not understood there; are both of one version?";
    }
    bool bundle = e != ERR_MALFORMED;
    return done(err_set(&m->info, e, "%s answered %u: %s%s%s%s", m->url, status, advice,
                        bundle ? " (dnsctl bootstrap new-core --id " : "", bundle ? m->core : "",
                        bundle ? " ...)" : ""));
}

static struct ack_act on_reply(struct ack_machine *m, const struct ack_ev *ev)
{
    if (ev->status == 200) {
        return on_heard(m, ev);
    }
    if (ev->status == 429 || ev->status >= 500) {
        (void)err_set(&m->info, ERR_UNAVAIL, "%s answered %u", m->url, ev->status);
        return again(m, ev, retry_after_ms(ev->retry_after));
    }
    return on_refused(m, ev->status);
}

static struct ack_act on_failed(struct ack_machine *m, const struct ack_ev *ev)
{
    (void)err_set(&m->info, ev->error, "%s", ev->what);
    if (err_is_transient(ev->error)) {
        return again(m, ev, 0);
    }
    if (ev->error == ERR_DENIED) {
        return done(err_prefix(&m->info, ERR_DENIED,
                               "who answers is not whom the bundle names, and was told nothing: "));
    }
    /* Too much, or no HTTP: whoever it is, it is not an issuer. */
    return done(ev->error == ERR_LIMIT ? ERR_MALFORMED : ev->error);
}

static struct ack_act go(struct ack_machine *m, const struct ack_ev *ev)
{
    m->end_ms = ev->now_ms + m->deadline_ms;
    enum err e = ack_check_url(m->url, &m->info);
    return e == ERR_OK ? call(m, ev) : done(e);
}

struct ack_act ack_next(struct ack_machine *m, const struct ack_ev *ev)
{
    switch (ev->kind) {
    case ACK_GO:
        return go(m, ev);
    case ACK_WOKEN:
        return call(m, ev);
    case ACK_REPLY:
        return on_reply(m, ev);
    case ACK_FAILED:
        return on_failed(m, ev);
    case ACK_CANCEL:
        break;
    }
    return done(err_set(&m->info, ERR_CANCELED, "stopped"));
}
