/* What the job reads and writes of the store. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job_priv.h"

#include "lib/rng.h"

static const char *purpose(const struct acme_job *j)
{
    return j->o.purpose == ACME_ISSUE ? "issue" : "rehearsal";
}

void acme_job_new_id(struct acme_job *j)
{
    rng_hex(j->id, (JOB_ID - 1) / 2);
    j->order_ms = acme_job_wall_ms(j);
    acme_job_keep(&j->order_directory, NULL);
    acme_job_keep(&j->order_purpose, NULL);
}

/* ---- the order's row ---------------------------------------------------------------------------- */

static enum err open_staged(struct acme_job *j, const struct store_order *row,
                            struct err_info *info)
{
    struct cert_vault_place place = {
        .kind = CERT_VAULT_STAGED, .name = j->o.hostname, .id = row->id};
    char *pem = NULL;
    enum err e = cert_vault_open(j->o.vault, &place, row->key, &pem, info);
    cert_key_free(j->staged);
    j->staged = NULL;
    if (e == ERR_OK) {
        e = cert_key_from_pem(pem, strlen(pem), &j->staged, info);
    }
    cert_key_pem_free(pem);
    return e;
}

static bool is_ours(const struct acme_job *j, const struct store_order *row)
{
    return strcmp(row->directory, session_url(j->o.session)) == 0 &&
           strcmp(row->purpose, purpose(j)) == 0 && j->names_json != NULL &&
           strcmp(row->names, j->names_json) == 0 && *row->url != '\0';
}

/* What was begun under ROW goes on, or is ended, under its id. */
static bool adopt(struct acme_job *j, const struct store_order *row)
{
    snprintf(j->id, sizeof j->id, "%s", row->id);
    j->order_ms = row->started_ms;
    json_t *detail = json_loads(row->detail, 0, NULL);
    if (json_is_object(detail)) {
        json_decref(j->detail);
        j->detail = json_incref(detail);
    }
    json_decref(detail);
    return acme_job_keep(&j->order_directory, row->directory) &&
           acme_job_keep(&j->order_purpose, row->purpose) &&
           acme_job_keep(&j->staged_sealed, row->key);
}

static void on_order(void *ctx, enum err e, const struct err_info *info,
                     const struct store_order *row)
{
    struct acme_job *j = ctx;
    struct err_info mine = {.text = ""};
    struct acme_problem p = {.class = ACME_DENIED, .type = "vault", .retry_ms = -1};
    struct acme_ev ev = {.retry_ms = -1};
    if (e != ERR_OK) {
        ev.e = e == ERR_NOTFOUND ? ERR_OK : e;
        ev.text = info != NULL ? info->text : NULL;
        acme_job_result(j, &ev);
        return;
    }
    enum err opened = is_ours(j, row) ? open_staged(j, row, &mine) : ERR_MALFORMED;
    if (opened == ERR_NOTFOUND) { /* this core lacks the key it is sealed with: others have it */
        snprintf(p.text, sizeof p.text, "the order's key: %.400s", mine.text);
        ev.problem = &p;
        acme_job_result(j, &ev);
        return;
    }
    ev.e = opened == ERR_NOMEM || !adopt(j, row) ? ERR_NOMEM : ERR_OK;
    ev.found = true;
    ev.usable = opened == ERR_OK;
    ev.url = row->url;
    ev.expires_ms = row->expires_ms;
    acme_job_result(j, &ev);
}

void acme_job_load(struct acme_job *j)
{
    json_t *names = json_array();
    for (size_t i = 0; i < j->o.names_count; i++) {
        json_array_append_new(names, json_string(j->names[i]));
    }
    free(j->names_json);
    j->names_json = json_dumps(names, JSON_COMPACT);
    json_decref(names);
    j->park = JOB_STORE;
    store_order_get(j->o.store, j->o.hostname, on_order, j);
}

void acme_job_save(struct acme_job *j)
{
    char *detail = json_dumps(j->detail, JSON_COMPACT);
    bool fits = detail != NULL && strlen(detail) <= JOB_DETAIL_MAX;
    struct store_order row = {.hostname = j->o.hostname,
                              .id = j->id,
                              .directory = session_url(j->o.session),
                              .purpose = purpose(j),
                              .state = acme_order_state_text(j->order.state),
                              .url = j->order.url,
                              .names = j->names_json != NULL ? j->names_json : "[]",
                              .key = j->staged_sealed,
                              .replaces = j->order.with_replaces ? j->o.replaces : "",
                              .detail = fits ? detail : "{}",
                              .started_ms = j->order_ms,
                              .expires_ms = j->order.expires_ms};
    j->park = JOB_STORE;
    store_order_put(j->o.store, &j->o.fence, &row, acme_job_done, j);
    free(detail);
}

static void on_ended(void *ctx, enum err e, const struct err_info *info)
{
    struct acme_job *j = ctx;
    if (e == ERR_OK && j->order.dropping) {
        acme_job_new_id(j);
    }
    acme_job_done(j, e, info);
}

void acme_job_end(struct acme_job *j)
{
    j->park = JOB_STORE;
    store_order_end(j->o.store, &j->o.fence, j->o.hostname, j->id, on_ended, j);
}

/* ---- the ledger ------------------------------------------------------------------------------------ */

static void ledger_text(const struct acme_job *j, const struct acme_act *act, char *out,
                        size_t room)
{
    int n = snprintf(out, room, "%s%s", j->o.forced != NULL ? "job " : "",
                     j->o.forced != NULL ? j->o.forced : "");
    if (act->problem != NULL) {
        n += snprintf(out + n, room - (size_t)n, "%s%s", n > 0 ? ": " : "", act->problem->text);
        if (act->problem->url[0] != '\0') {
            n += snprintf(out + n, room - (size_t)n, " (%s)", act->problem->url);
        }
    }
    if (act->problem != NULL && act->entry == ACME_ENTRY_ORDER && j->witnesses != NULL) {
        acme_text_clean("; seen: ", out + n, room - (size_t)n);
        n += (int)strlen(out + n);
        acme_text_clean(j->witnesses, out + n, room - (size_t)n);
    }
}

void acme_job_ledger(struct acme_job *j, const struct acme_act *act)
{
    static const char *const kinds[] = {[ACME_ENTRY_ORDER] = "order",
                                        [ACME_ENTRY_AUTHORIZATION] = "authorization",
                                        [ACME_ENTRY_CERTIFICATE] = "certificate",
                                        [ACME_ENTRY_REHEARSAL] = "rehearsal"};
    static const char *const outcomes[] = {
        [ACME_ENTRY_OPEN] = "open", [ACME_ENTRY_OK] = "ok", [ACME_ENTRY_FAILED] = "failed"};
    bool is_order = act->entry == ACME_ENTRY_ORDER;
    const char *row_directory = j->order_directory;
    const struct acme_problem *p = act->problem;
    char id[JOB_ID], text[JOB_LEDGER_MAX];
    rng_hex(id, (sizeof id - 1) / 2);
    ledger_text(j, act, text, sizeof text);
    struct store_attempt row = {
        .id = is_order ? j->id : id,
        .hostname = j->o.hostname,
        .directory = is_order && row_directory != NULL ? row_directory : session_url(j->o.session),
        .kind = kinds[act->entry],
        .outcome = outcomes[act->outcome],
        .problem = p == NULL                 ? ""
                   : p->class == ACME_PAUSED ? "paused" /* what acme/plan.h looks for */
                                             : p->type,
        .text = text,
        .core = j->o.core,
        .at_ms = is_order ? j->order_ms : acme_job_wall_ms(j),
        .retry_ms = p != NULL && p->retry_ms >= 0 ? acme_job_wall_ms(j) + p->retry_ms : 0};
    j->park = JOB_STORE;
    store_attempt_put(j->o.store, &j->o.fence, &row, acme_job_done, j);
}

/* ---- the certificate --------------------------------------------------------------------------------- */

static void on_stored(void *ctx, enum err e, const struct err_info *info)
{
    struct acme_job *j = ctx;
    if (e == ERR_OK) {
        j->outcome.generation = j->o.expect + 1;
    }
    acme_job_done(j, e, info);
}

static void put(struct acme_job *j)
{
    struct store_cert_row row = {.cert = {.hostname = j->o.hostname,
                                          .issued_ms = acme_job_wall_ms(j),
                                          .expires_ms = j->outcome.not_after_ms,
                                          .generation = j->o.expect + 1},
                                 .cert_pem = j->leaf,
                                 .chain_pem = j->rest,
                                 .key = j->leaf_key,
                                 .directory = session_url(j->o.session)};
    store_cert_put(j->o.store, &j->o.fence, &row, j->o.expect, on_stored, j);
}

/* Whoever held the lease before us may have stored it and got no further, and a write that timed out
 * may have been carried out. */
static void on_there(void *ctx, enum err e, const struct err_info *info,
                     const struct store_cert_row *row)
{
    struct acme_job *j = ctx;
    if (e == ERR_OK && strcmp(row->cert_pem, j->leaf) == 0) {
        j->outcome.generation = row->cert.generation;
        acme_job_done(j, ERR_OK, NULL);
    } else if (e == ERR_OK || e == ERR_NOTFOUND || e == ERR_MALFORMED) {
        put(j);
    } else {
        acme_job_done(j, e, info);
    }
}

void acme_job_store(struct acme_job *j)
{
    j->park = JOB_STORE;
    store_cert_get(j->o.store, j->o.hostname, on_there, j);
}
