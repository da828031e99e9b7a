/* A lookup is a job: steps, one question at a time, each step with the answer to the one before. A job
 * ends in job_end(), which is reached from the loop only; closing or canceling tells its timer to end it.
 */
#include "resolve_uv.h"

#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "dnsd/wire/type.h"
#include "lib/file_sys.h"
#include "lib/mem.h"
#include "resolve_priv.h"

#define RESOLV_CONF     "/etc/resolv.conf"
#define RESOLV_CONF_MAX (64 * 1024)

/* ---- names and answers --------------------------------------------------------------------- */

void name_up(struct wire_name *name)
{
    if (name->labels > 0) {
        size_t skip = (size_t)name->bytes[0] + 1;
        memmove(name->bytes, name->bytes + skip, name->len - skip);
        name->len = (uint8_t)(name->len - skip);
        name->labels--;
    }
}

size_t answer_addresses(const struct wire_message *m, enum wire_section section,
                        const struct wire_name *name, uint16_t port, struct sockaddr_storage *list,
                        size_t count, size_t max)
{
    for (size_t i = 0; i < m->count && count < max; i++) {
        const struct wire_record *r = &m->records[i];
        struct sockaddr_storage a;
        size_t len = r->type == TYPE_A ? 4 : r->type == TYPE_AAAA ? 16 : 0;
        if (r->section != section || r->class != CLASS_IN || len == 0 || r->rdata_len != len ||
            !wire_name_equal(&r->owner, name) || !address_of(r->rdata, len, port, &a)) {
            continue;
        }
        size_t k = 0;
        while (k < count && !address_equal(&list[k], &a)) {
            k++;
        }
        list[k] = a;
        count += k == count;
    }
    return count;
}

/* ---- the end of a job ---------------------------------------------------------------------- */

static void see_closed(struct resolve *r)
{
    if (r->closing && r->closer_gone && r->jobs == NULL) {
        void (*done)(void *) = r->done;
        void *ctx = r->ctx;
        free(r);
        if (done != NULL) {
            done(ctx);
        }
    }
}

static void on_job_closed(uv_handle_t *handle)
{
    struct job *j = handle->data;
    struct resolve *r = j->r;
    struct job **at = &r->jobs;
    while (*at != j) {
        at = &(*at)->next;
    }
    *at = j->next;
    free(j->caa);
    free(j->work);
    free(j);
    see_closed(r);
}

static void job_free(struct job *j)
{
    uv_close((uv_handle_t *)&j->timer, on_job_closed);
}

void job_end(struct job *j, enum err e)
{
    const struct err_info *info = e == ERR_OK ? NULL : &j->info;
    bool good = e == ERR_OK;
    j->ended = true;
    uv_timer_stop(&j->timer);
    if (j->call != NULL) {
        probe_cancel(j->call); /* J goes when that has ended */
    }
    switch (j->kind) {
    case JOB_DELEGATION:
        delegation_tell(j, e);
        break;
    case JOB_ADDRESSES:
        j->cb.addresses(j->cb_ctx, e, info, j->addresses, good ? j->addresses_count : 0);
        break;
    case JOB_CAA:
        j->cb.caa(j->cb_ctx, e, info, &j->at, good ? j->caa : NULL);
        break;
    }
    if (j->call == NULL) {
        job_free(j);
    }
}

/* ---- questions of a job -------------------------------------------------------------------- */

static void on_answer(void *ctx, enum err e, const struct err_info *info,
                      const struct probe_answer *answer);

static void ask(struct job *j)
{
    j->call = probe_ask(j->r->probe, &j->q, on_answer, j);
}

/* The resolver that is to be asked now; false: all have been. */
static bool ask_resolver(struct job *j)
{
    struct resolve *r = j->r;
    if (j->tried == r->servers_count) {
        return false;
    }
    j->q.server = r->servers[(r->first + j->tried++) % r->servers_count];
    j->q.tcp = false;
    ask(j);
    return true;
}

static enum err rcode_info(struct job *j, uint16_t rcode)
{
    static const char *const words[] = {"NOERROR",  "FORMERR", "SERVFAIL",
                                        "NXDOMAIN", "NOTIMP",  "REFUSED"};
    char server[ADDRESS_TEXT_MAX], name[WIRE_NAME_TEXT_MAX], type[WIRE_TYPE_TEXT_MAX];
    address_to_text(&j->q.server, server);
    wire_name_to_text(&j->q.name, name);
    wire_type_to_text(j->q.type, type);
    return rcode < sizeof words / sizeof words[0]
               ? err_set(&j->info, ERR_UNAVAIL, "%s says %s to %.200s %s", server, words[rcode],
                         name, type)
               : err_set(&j->info, ERR_UNAVAIL, "%s says RCODE %u to %.200s %s", server, rcode,
                         name, type);
}

static void on_answer(void *ctx, enum err e, const struct err_info *info,
                      const struct probe_answer *answer)
{
    struct job *j = ctx;
    const struct wire_message *m = e == ERR_OK ? answer->message : NULL;
    j->call = NULL;
    if (j->ended) {
        job_free(j);
        return;
    }
    if (m != NULL && (m->flags & WIRE_TC) != 0 && !j->q.tcp) { /* RFC 7766 §5 */
        j->q.tcp = true;
        ask(j);
        return;
    }
    if (m == NULL) {
        j->info = *info;
    }
    if (j->through_resolvers) {
        bool good = m != NULL && (m->rcode == RCODE_NOERROR || m->rcode == RCODE_NXDOMAIN);
        if (good) {
            j->r->first = (j->r->first + j->tried - 1) % j->r->servers_count;
        } else {
            e = m != NULL ? rcode_info(j, m->rcode) : e;
            m = NULL;
            if (ask_resolver(j)) {
                return;
            }
            e = e == ERR_TIMEOUT || e == ERR_NOMEM ? e : ERR_UNAVAIL;
        }
    }
    j->step(j, e, m);
}

void job_resolve(struct job *j, const struct wire_name *name, uint16_t type, step_fn *step)
{
    /* The way to the operator's resolver is his own, and not each of them keeps the letters. */
    j->q = (struct probe_question){
        .name = *name, .type = type, .edns = true, .recursive = true, .plain_case = true};
    j->step = step;
    j->tried = 0;
    j->through_resolvers = true;
    if (!ask_resolver(j)) {
        job_end(j, err_set(&j->info, ERR_UNAVAIL, "no resolver is configured"));
    }
}

void job_ask(struct job *j, const struct sockaddr_storage *server, const struct wire_name *name,
             uint16_t type, step_fn *step)
{
    j->q = (struct probe_question){.server = *server, .name = *name, .type = type, .edns = true};
    j->step = step;
    j->through_resolvers = false;
    ask(j);
}

/* ---- addresses and CAA --------------------------------------------------------------------- */

static void on_addresses(struct job *j, enum err e, const struct wire_message *m)
{
    struct wire_name end;
    char name[WIRE_NAME_TEXT_MAX];
    if (e != ERR_OK) {
        job_end(j, e);
        return;
    }
    (void)wire_message_alias(m, &j->name, &end);
    j->addresses_count = answer_addresses(m, WIRE_ANSWER, &end, 0, j->addresses, j->addresses_count,
                                          RESOLVE_ADDRESSES_MAX);
    if (j->q.type == TYPE_A) {
        job_resolve(j, &j->name, TYPE_AAAA, on_addresses);
        return;
    }
    if (j->addresses_count == 0) {
        wire_name_to_text(&j->name, name);
        e = err_set(&j->info, ERR_NOTFOUND, "%.300s has no address", name);
    }
    job_end(j, e);
}

/* RFC 8659 §3: up the tree of the name itself; where an alias leads only its own records count. */
static void on_caa(struct job *j, enum err e, const struct wire_message *m)
{
    e = e == ERR_OK ? caa_take(m, &j->at, j->caa, &j->info) : e;
    if (e == ERR_OK && j->caa->count == 0) {
        name_up(&j->at);
        if (j->at.labels > 0) {
            job_resolve(j, &j->at, TYPE_CAA, on_caa);
            return;
        }
    }
    job_end(j, e);
}

/* ---- starting ------------------------------------------------------------------------------ */

static void on_timer(uv_timer_t *timer)
{
    struct job *j = timer->data;
    char name[WIRE_NAME_TEXT_MAX];
    if (j->canceled) {
        job_end(j, err_set(&j->info, ERR_CANCELED, "%s", err_text(ERR_CANCELED)));
        return;
    }
    if (j->begun) {
        wire_name_to_text(&j->name, name);
        job_end(j, err_set(&j->info, ERR_TIMEOUT, "looking up %.300s took too long", name));
        return;
    }
    j->begun = true;
    uv_timer_start(&j->timer, on_timer, RESOLVE_WAIT_MS, 0);
    switch (j->kind) {
    case JOB_DELEGATION:
        delegation_begin(j);
        break;
    case JOB_ADDRESSES:
        job_resolve(j, &j->name, TYPE_A, on_addresses);
        break;
    case JOB_CAA:
        job_resolve(j, &j->name, TYPE_CAA, on_caa);
        break;
    }
}

static struct job *job_start(struct resolve *r, enum job_kind kind, const struct wire_name *name,
                             void *ctx)
{
    struct job *j = mem_xalloc(sizeof *j);
    j->r = r;
    j->kind = kind;
    j->name = *name;
    wire_name_fold(j->name.bytes, j->name.bytes, j->name.len);
    j->at = j->name;
    j->cb_ctx = ctx;
    j->next = r->jobs;
    r->jobs = j;
    j->canceled = r->closing;
    uv_timer_init(r->loop, &j->timer);
    j->timer.data = j;
    uv_timer_start(&j->timer, on_timer, 0, 0);
    return j;
}

void resolve_addresses(struct resolve *r, const struct wire_name *name, resolve_addresses_cb *cb,
                       void *ctx)
{
    job_start(r, JOB_ADDRESSES, name, ctx)->cb.addresses = cb;
}

void resolve_caa(struct resolve *r, const struct wire_name *name, resolve_caa_cb *cb, void *ctx)
{
    struct job *j = job_start(r, JOB_CAA, name, ctx);
    j->caa = mem_xalloc(sizeof *j->caa);
    j->cb.caa = cb;
}

void resolve_delegation(struct resolve *r, const struct wire_name *zone, resolve_delegation_cb *cb,
                        void *ctx)
{
    job_start(r, JOB_DELEGATION, zone, ctx)->cb.delegation = cb;
}

void resolve_cancel(struct resolve *r)
{
    for (struct job *j = r->jobs; j != NULL; j = j->next) {
        if (!j->ended) {
            j->canceled = true;
            uv_timer_start(&j->timer, on_timer, 0, 0);
        }
    }
}

/* ---- opening and closing ------------------------------------------------------------------- */

size_t resolv_conf_read(const char *text, struct sockaddr_storage *out, size_t max)
{
    static const char word[] = "nameserver";
    size_t count = 0;
    while (*text != '\0' && count < max) {
        size_t len = strcspn(text, "\n");
        const char *at = text + strspn(text, " \t");
        if (strncmp(at, word, sizeof word - 1) == 0) {
            char address[ADDRESS_TEXT_MAX] = "";
            at += sizeof word - 1;
            size_t blank = strspn(at, " \t");
            size_t n = strcspn(at + blank, " \t\r\n#;");
            if (blank > 0 && n < sizeof address) {
                memcpy(address, at + blank, n);
                count += address_read(address, 53, &out[count], NULL) == ERR_OK;
            }
        }
        text += len + (text[len] == '\n');
    }
    return count;
}

static void read_system(struct resolve *r)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (file_read(RESOLV_CONF, RESOLV_CONF_MAX, &bytes, &len, NULL) == ERR_OK) {
        char *text = mem_xalloc(len + 1);
        memcpy(text, bytes, len);
        r->servers_count = resolv_conf_read(text, r->servers, RESOLVE_SERVERS_MAX);
        free(text);
    }
    free(bytes);
    if (r->servers_count == 0) { /* as resolv.conf(5) has it */
        r->servers_count = 1;
        address_of((const uint8_t *)"\177\0\0\1", 4, 53, &r->servers[0]);
    }
}

enum err resolve_open(uv_loop_t *loop, struct probe *probe, const char *const *servers,
                      size_t count, struct resolve **out, struct err_info *info)
{
    struct resolve *r = mem_xalloc(sizeof *r);
    enum err e = count <= RESOLVE_SERVERS_MAX
                     ? ERR_OK
                     : err_set(info, ERR_LIMIT, "more than %d resolvers", RESOLVE_SERVERS_MAX);
    r->loop = loop;
    r->probe = probe;
    r->port = 53;
    for (size_t i = 0; i < count && e == ERR_OK; i++) {
        e = address_read(servers[i], 53, &r->servers[i], info);
    }
    if (e != ERR_OK) {
        free(r);
        return e;
    }
    r->servers_count = count;
    if (count == 0) {
        read_system(r);
    }
    uv_timer_init(loop, &r->closer);
    r->closer.data = r;
    *out = r;
    return ERR_OK;
}

void resolve_use_port(struct resolve *r, uint16_t port)
{
    r->port = port;
}

static void on_closer_closed(uv_handle_t *handle)
{
    struct resolve *r = handle->data;
    r->closer_gone = true;
    see_closed(r);
}

void resolve_close(struct resolve *r, void (*done)(void *ctx), void *ctx)
{
    r->closing = true;
    r->done = done;
    r->ctx = ctx;
    resolve_cancel(r);
    uv_close((uv_handle_t *)&r->closer, on_closer_closed);
}
