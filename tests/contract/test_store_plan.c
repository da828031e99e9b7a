/* How SQLite goes about the store's statements: none of them walks through a table, so that it
 * costs no more than what it asks for, with a million users too. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "store_file.h"
#include "store_sync.h"

/* ---- what was carried out -------------------------------------------------------------------- */

static struct {
    pthread_mutex_t lock; /* connections have threads of their own */
    char *sql[64];        /* owned; each once */
    size_t count;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int on_statement(unsigned type, void *ctx, void *stmt, void *text)
{
    const char *sql = sqlite3_sql(stmt);
    (void)type;
    (void)ctx;
    (void)text;
    pthread_mutex_lock(&seen.lock);
    size_t i = 0;
    while (i < seen.count && strcmp(seen.sql[i], sql) != 0) {
        i++;
    }
    if (i == seen.count && i < sizeof seen.sql / sizeof seen.sql[0]) {
        seen.sql[seen.count++] = strdup(sql);
    }
    pthread_mutex_unlock(&seen.lock);
    return 0;
}

static int on_connection(sqlite3 *db, char **error, const struct sqlite3_api_routines *api)
{
    (void)error;
    (void)api;
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, on_statement, NULL);
}

static void forget(void)
{
    while (seen.count > 0) {
        free(seen.sql[--seen.count]);
    }
}

/* Each of the store's reads and writes of single rows, and the lists. */
static void carry_out(struct sync *y)
{
    const struct store_core core = {.id = "a", .available = true};
    const struct store_http01 h = {.token = "t", .value = "v", .order = "o", .expires_ms = 1};
    assert_err(ERR_OK, sync_core_put(y, &core, STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_place(y, "ana", "ana", NULL));
    assert_err(ERR_OK, sync_place(y, "ana", "ana", NULL)); /* and why not */
    assert_err(ERR_OK, sync_place(y, "bob", NULL, "a"));
    assert_err(ERR_OK, sync_place(y, "bob", NULL, "a"));
    assert_err(ERR_OK, sync_user_get(y, "ana"));
    assert_err(ERR_OK, sync_home(y, "ana"));
    assert_err(ERR_OK, sync_taken(y, "ana", "ana"));
    assert_err(ERR_CONFLICT, sync_core_delete(y, "a", false));
    assert_err(ERR_OK, sync_cores(y));
    assert_err(ERR_OK, sync_record(y, "www", NULL, "{}"));
    assert_err(ERR_OK, sync_record(y, "www", "{}", NULL));
    assert_err(ERR_OK, sync_records_list(y, "", 10));
    assert_err(ERR_OK, sync_certs(y));
    assert_err(ERR_OK, sync_http01_put(y, &h));
    assert_err(ERR_OK, sync_http01_find(y, "t", 0));
    assert_err(ERR_OK, sync_http01_delete(y, "t"));
}

/* What is asked for on behalf of one hostname costs no more where there are many, or many rows. */
static void carry_out_acme(struct sync *y)
{
    const struct store_fence held = {.name = "acme/h", .holder = "a", .term = 1};
    const struct store_cert_row row = {
        .cert = {.hostname = "h", .generation = 1}, .cert_pem = "c", .chain_pem = "", .key = "k"};
    const struct store_attempt attempt = {.id = "i",
                                          .hostname = "h",
                                          .directory = "d",
                                          .kind = "order",
                                          .outcome = "open",
                                          .problem = "",
                                          .text = "",
                                          .core = "a"};
    const struct store_job job = {.id = "j",
                                  .hostname = "h",
                                  .kind = "renew",
                                  .argument = "",
                                  .state = "waiting",
                                  .by = "a",
                                  .override = "",
                                  .text = ""};
    const struct store_renewal renewal = {
        .hostname = "h", .serial = "", .explanation = "", .replaced = ""};
    const struct store_witness witness = {"a", "n", "s", "udp", "x", 1, 1};
    assert_err(ERR_OK, sync_lease_take(y, held.name, 0, 0, "a"));
    assert_err(ERR_OK, sync_lease_beat(y, &held, 1));
    assert_err(ERR_OK, sync_lease_get(y, held.name));
    assert_err(ERR_OK, sync_cert_put(y, &held, &row, 0));
    assert_err(ERR_OK, sync_cert_reseal(y, "h", "k", "l"));
    assert_err(ERR_OK, sync_cert_get(y, "h"));
    assert_err(ERR_OK, sync_attempt_put(y, &held, &attempt));
    assert_err(ERR_OK, sync_attempts(y, "h", 0, 10, false));
    assert_err(ERR_OK, sync_job_ask(y, &job));
    assert_err(ERR_OK, sync_job_open(y, "h", "renew"));
    assert_err(ERR_OK, sync_job_open(y, "h", NULL));
    assert_err(ERR_OK, sync_job_put(y, &held, &job));
    assert_err(ERR_OK, sync_job_get(y, "j"));
    assert_err(ERR_OK, sync_renewal_put(y, &held, &renewal));
    assert_err(ERR_OK, sync_renewal_get(y, "h"));
    assert_err(ERR_NOTFOUND, sync_order_get(y, "h"));
    assert_err(ERR_NOTFOUND, sync_account_get(y, "d"));
    assert_err(ERR_OK, sync_witness_put(y, &witness, 1));
}

/* ---- how ------------------------------------------------------------------------------------- */

struct plan {
    const char *sql;
    bool counts_by_index;
};

static int on_detail(void *ctx, int count, char **values, char **names)
{
    struct plan *p = ctx;
    const char *detail = values[3];
    (void)count;
    (void)names;
    bool few = strstr(detail, "VIRTUAL TABLE") != NULL || strcmp(detail, "SCAN CONSTANT ROW") == 0;
    if (strncmp(detail, "SCAN", 4) == 0 && !few) {
        fail_msg("\"%s\" in the plan of: %s", detail, p->sql);
    }
    p->counts_by_index = p->counts_by_index ||
                         strstr(detail, "SEARCH u USING INDEX dnsd_user_core") != NULL ||
                         strstr(detail, "SEARCH u USING COVERING INDEX dnsd_user_core") != NULL;
    return 0;
}

static struct plan plan_of(sqlite3 *db, const char *sql)
{
    struct plan p = {.sql = sql};
    struct str explain = {.text = NULL};
    char *error = NULL;
    str_appendf(&explain, "EXPLAIN QUERY PLAN %s", sql);
    if (sqlite3_exec(db, explain.text, on_detail, &p, &error) != SQLITE_OK) {
        fail_msg("%s: %s", error, sql);
    }
    str_free(&explain);
    return p;
}

static void uses_indexes(void **state)
{
    struct store_file *f = store_file_new();
    struct sync y = {.store = NULL};
    uv_loop_t loop;
    size_t placing = 0, looked_at = 0;
    (void)state;
    assert_int_equal(0, uv_loop_init(&loop));
    assert_err(ERR_OK, sync_open(&y, &loop, &f->options));
    sync_close(&y); /* the tables are there */
    assert_int_equal(SQLITE_OK, sqlite3_auto_extension((void (*)(void))on_connection));
    assert_err(ERR_OK, sync_open(&y, &loop, &f->options));
    carry_out(&y);
    carry_out_acme(&y);
    sync_close(&y);
    sqlite3_reset_auto_extension();
    while (uv_run(&loop, UV_RUN_DEFAULT) != 0) {
    }
    assert_int_equal(0, uv_loop_close(&loop));
    assert_true(seen.count < sizeof seen.sql / sizeof seen.sql[0]); /* none was left out */
    sqlite3 *db = store_file_connect(f);
    for (size_t i = 0; i < seen.count; i++) {
        const char *sql = seen.sql[i];
        bool ours = strstr(sql, "keyValue") != NULL || strstr(sql, "http01") != NULL ||
                    strstr(sql, "lease") != NULL || strstr(sql, "acme_") != NULL;
        if (!ours || strstr(sql, "sqlite_master") != NULL) {
            continue; /* opening looks at what there is */
        }
        struct plan p = plan_of(db, sql);
        looked_at++;
        placing += p.counts_by_index && strncmp(sql, "INSERT INTO keyValue", 20) == 0;
    }
    sqlite3_close(db);
    forget();
    store_file_free(f);
    assert_int_equal(1, placing);
    assert_true(looked_at >= 41);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(uses_indexes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
