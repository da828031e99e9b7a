/* From a row to the zone. Rows come from several programs, some of them not ours: a row that cannot
 * be used is told in the log and counts as absent; it never stops the others.
 */
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "config_names.h"

#define RECORD_PREFIX "dns-record/"
#define USER_PREFIX   "user-core/"
#define CORE_PREFIX   "core-info/"

/* Problems told one by one: enough to see what is wrong, without a million lines. */
#define TOLD_MAX 20

struct context {
    struct rows *rows;
    const char *key;
};

static void on_problem(void *ctx, const char *where, const char *why)
{
    const struct context *c = ctx;
    if (c->rows->problems++ < TOLD_MAX) {
        LOG_WARN("feed", "a value is left out", LOG_S("row", c->key), LOG_S("value", where),
                 LOG_S("reason", why));
    }
}

static void bad_row(struct rows *r, const char *key, const struct err_info *info)
{
    if (r->problems++ < TOLD_MAX) {
        LOG_WARN("feed", "a row is left out", LOG_S("row", key), LOG_S("reason", info->text));
    }
}

void rows_end(const struct rows *r)
{
    if (r->problems > TOLD_MAX) {
        LOG_WARN("feed", "more rows and values are left out",
                 LOG_N("count", r->problems - TOLD_MAX));
    }
}

static void apply_record(struct rows *r, const struct store_row *row)
{
    const struct config *c = r->config;
    struct zone *z = r->zone;
    struct record_set set = {.sets = NULL};
    struct err_info info = {.text = ""};
    struct wire_name owner;
    struct context context = {.rows = r, .key = row->key};
    enum err e = wire_name_owner(row->key + strlen(RECORD_PREFIX), config_apex(c), &owner, &info);
    if (e != ERR_OK) {
        bad_row(r, row->key, &info);
        return;
    }
    if (row->value != NULL && record_from_json(row->value, config_apex(c), c->dns.default_ttl_s,
                                               &set, on_problem, &context) != ERR_OK) {
        err_set(&info, ERR_MALFORMED, "not a JSON object");
        bad_row(r, row->key, &info);
    }
    if (zone_records_put(z, &owner, &set, &info) != ERR_OK) {
        struct record_set none = {.sets = NULL};
        bad_row(r, row->key, &info);
        /* What the name held before is not what the row says either. */
        e = zone_records_put(z, &owner, &none, NULL);
        (void)e;
    }
    record_set_free(&set);
}

static void apply_core(struct rows *r, const struct store_row *row)
{
    struct zone *z = r->zone;
    const char *id = row->key + strlen(CORE_PREFIX);
    struct store_core_row *parsed = NULL;
    struct store_core core;
    struct err_info info = {.text = ""};
    if (row->value == NULL) {
        zone_core_delete(z, id);
        return;
    }
    enum err e = store_core_row_parse(id, row->value, &parsed, &core, &info);
    if (e == ERR_OK) {
        struct zone_core c = {.id = id,
                              .ip = core.ip,
                              .ipv6 = core.ipv6,
                              .cname = core.cname,
                              .available = core.available,
                              .live = true};
        e = zone_core_put(z, &c, &info);
    }
    if (e != ERR_OK) {
        bad_row(r, row->key, &info);
        zone_core_delete(z, id);
    }
    store_core_row_free(parsed);
}

static void apply_user(struct rows *r, const struct store_row *row)
{
    const char *name = row->key + strlen(USER_PREFIX);
    struct err_info info = {.text = ""};
    if (row->value == NULL) {
        zone_user_delete(r->zone, name);
    } else if (zone_user_put(r->zone, name, row->value, &info) != ERR_OK) {
        bad_row(r, row->key, &info);
        zone_user_delete(r->zone,
                         name); /* the core it had before is not what the row says either */
    }
}

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

void rows_apply(struct rows *r, const struct store_row *row)
{
    if (has_prefix(row->key, USER_PREFIX)) {
        apply_user(r, row);
    } else if (has_prefix(row->key, RECORD_PREFIX)) {
        apply_record(r, row);
    } else if (has_prefix(row->key, CORE_PREFIX)) {
        apply_core(r, row);
    }
}
