/* GET /reg/records, GET and DELETE /reg/records/{subdomain}: what is stored, as it is stored. Rows of
 * other programs are shown and removed like ours, under the name they have, even if they could never be
 * answered. */
#include "api_priv.h"

#include <stdio.h>
#include <string.h>

#include "lib/jx.h"
#include "lib/str.h"

#define LIST_MAX 1000 /* rows of one page */
#define LIST_BYTES_MAX                                                                             \
    (256 * 1024) /* of their values, so that a page is made within milliseconds */

#define ATTEMPTS 16 /* how often others may change the row between our look and our word */

/* ---- the list ------------------------------------------------------------------------------ */

struct listing {
    struct api_job job;
    size_t limit;
};

/* A value that is no JSON object is null: it is never answered. */
static json_t *row_json(const struct store_record *row)
{
    json_t *records = NULL;
    enum err e = jx_parse_loose(row->json, strlen(row->json), &records, NULL);
    if (e != ERR_OK || !json_is_object(records)) {
        json_decref(records);
        records = json_null();
    }
    return json_pack("{s:o, s:o}", "subdomain", body_text(row->name), "records", records);
}

static json_t *render(const struct store_record *list, size_t count, bool more)
{
    json_t *rows = json_array();
    size_t bytes = 0;
    size_t n = 0;
    while (n < count && (n == 0 || bytes + strlen(list[n].json) <= LIST_BYTES_MAX)) {
        bytes += strlen(list[n].json);
        json_array_append_new(rows, row_json(&list[n++]));
    }
    json_t *page = json_pack("{s:o}", "records", rows);
    if (page != NULL && n > 0 && (n < count || more)) {
        json_object_set_new(page, "next", body_text(list[n - 1].name));
    }
    return page;
}

static void on_list(void *ctx, enum err e, const struct err_info *info,
                    const struct store_record *list, size_t count, bool more)
{
    struct api_job *job = ctx;
    if (e == ERR_OK) {
        api_reply_own(job->request, 200, render(list, count, more));
    } else {
        api_store_error(job, e, info, API_READ);
    }
    api_end(job);
}

static bool read_query(const struct http_request *r, char after[WIRE_NAME_TEXT_MAX], size_t *limit)
{
    char text[8];
    uint32_t number = LIST_MAX;
    enum err e = http_request_query(r, "after", after, WIRE_NAME_TEXT_MAX);
    if (e == ERR_NOTFOUND) {
        after[0] = '\0';
    } else if (e != ERR_OK || !body_is_utf8(after)) {
        return false;
    }
    e = http_request_query(r, "limit", text, sizeof text);
    if (e != ERR_NOTFOUND &&
        (e != ERR_OK || !str_parse_u32(text, LIST_MAX, &number) || number == 0)) {
        return false;
    }
    *limit = number;
    return true;
}

void api_records_list(void *ctx, struct http_request *r)
{
    struct api_env env;
    char after[WIRE_NAME_TEXT_MAX];
    size_t limit;
    if (!api_admin(ctx, r)) {
        return;
    }
    if (!read_query(r, after, &limit)) {
        api_error(r, 400, "invalid-parameters",
                  "after: a name of the list; limit: a number from 1 to %d", LIST_MAX);
        return;
    }
    struct api_job *job = api_start(ctx, r, sizeof *job, &env);
    if (job != NULL) {
        store_records_list(env.store, after, limit, on_list, job);
    }
}

/* ---- one name ------------------------------------------------------------------------------ */

/* The row as we would call it, then exactly as given. */
struct one {
    struct api_job job;
    bool remove;
    unsigned attempts;
    size_t next; /* of names */
    const char *names[2];
    char canonical[WIRE_NAME_TEXT_MAX];
    char given[HTTP_PARAM_MAX + 1];
};

static void ask(struct one *o, const struct api_env *env);

static void on_removed(void *ctx, enum err e, const struct err_info *info)
{
    struct one *o = ctx;
    const struct api_env env = api_env_of(o->job.api);
    if (e == ERR_CONFLICT && ++o->attempts < ATTEMPTS) {
        ask(o, &env);
    } else {
        if (e == ERR_OK) {
            api_reply_own(o->job.request, 200,
                          json_pack("{s:o, s:s}", "subdomain", body_text(o->names[o->next]),
                                    "status", "deleted"));
        } else {
            api_store_error(&o->job, e, info, API_WRITE);
        }
        api_end(&o->job);
    }
}

static void on_row(void *ctx, enum err e, const struct err_info *info,
                   const struct store_record *record)
{
    struct one *o = ctx;
    const struct api_env env = api_env_of(o->job.api);
    if (e == ERR_NOTFOUND) {
        o->next++;
        ask(o, &env);
    } else if (e == ERR_OK && o->remove && api_has_store(&o->job, &env)) {
        const struct store_record_change change = {.name = record->name, .expect = record->json};
        store_records_apply(env.store, &change, 1, on_removed, o);
    } else {
        if (e != ERR_OK) {
            api_store_error(&o->job, e, info, API_READ);
        } else if (!o->remove) {
            api_reply_own(o->job.request, 200, row_json(record));
        }
        api_end(&o->job);
    }
}

static void ask(struct one *o, const struct api_env *env)
{
    while (o->next < 2 && o->names[o->next] == NULL) {
        o->next++;
    }
    if (o->next == 2) {
        api_error(o->job.request, 404, "unknown-resource", "nothing is stored at %s", o->given);
        api_end(&o->job);
    } else if (api_has_store(&o->job, env)) {
        store_record_get(env->store, o->names[o->next], on_row, o);
    } else {
        api_end(&o->job);
    }
}

static void start_one(struct api *a, struct http_request *r, bool remove)
{
    struct api_env env;
    struct wire_name owner;
    struct one *o = api_admin(a, r) ? api_start(a, r, sizeof *o, &env) : NULL;
    if (o == NULL) {
        return;
    }
    o->remove = remove;
    snprintf(o->given, sizeof o->given, "%s", http_request_param(r, "subdomain"));
    if (env.apex != NULL && wire_name_owner(o->given, env.apex, &owner, NULL) == ERR_OK) {
        wire_name_to_relative(&owner, env.apex, o->canonical);
        o->names[0] = o->canonical;
    }
    bool same = o->names[0] != NULL && strcmp(o->given, o->canonical) == 0;
    if (!same && o->given[0] != '\0' && body_is_utf8(o->given)) {
        o->names[1] = o->given;
    }
    ask(o, &env);
}

void api_records_get(void *ctx, struct http_request *r)
{
    start_one(ctx, r, false);
}

void api_records_delete(void *ctx, struct http_request *r)
{
    start_one(ctx, r, true);
}
