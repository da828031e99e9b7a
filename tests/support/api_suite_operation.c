/* Cores, certificates, and a store that is not there for us. */
#include "api_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/mem.h"

struct api_suite suite;

int suite_setup(void **state)
{
    (void)state;
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    assert_int_equal(uv_loop_init(&suite.loop), 0);
    suite.file = store_file_new();
    suite.file->options.busy_ms = 100;
    assert_err(ERR_OK, sync_open(&suite.sync, &suite.loop, &suite.file->options));
    web_open(&suite.web, &suite.loop);
    suite.web.env.store = suite.sync.store;
    return 0;
}

int suite_teardown(void **state)
{
    (void)state;
    web_close(&suite.web);
    sync_close(&suite.sync);
    store_file_free(suite.file);
    uv_run(&suite.loop, UV_RUN_DEFAULT);
    return uv_loop_close(&suite.loop);
}

void suite_add_core(const char *id, bool available, const char *url)
{
    const struct store_core core = {.id = id, .url = url, .available = available};
    assert_err(ERR_OK, sync_core_put(&suite.sync, &core, STORE_ONLY_NEW));
}

void suite_ask(const char *method, const char *target, const char *key, struct web_got *got)
{
    web_ask(&suite.web, &(struct web_ask){.method = method, .target = target, .key = key}, got);
}

char *suite_blanks(size_t len)
{
    char *text = mem_xalloc(len + 1);
    memset(text, ' ', len);
    return text;
}

const struct suite_route suite_admin_routes[] = {
    {"GET", "/system/admin/cores", NULL},
    {"GET", "/system/admin/certs", NULL},
    {"POST", "/system/admin/certs/force-renew", "{}"},
    {"GET", "/system/admin/certs/jobs/0b4d8f2e6a1c3579bd02468ace13579f", NULL},
    {"PUT", "/system/admin/users/alice", "{}"},
    {"DELETE", "/system/admin/users/alice", NULL},
    {"GET", "/reg/records", NULL},
    {"POST", "/reg/records", "{}"},
    {"GET", "/reg/records/www", NULL},
    {"DELETE", "/reg/records/www", NULL},
    {NULL, NULL, NULL},
};

/* ---- cores and certificates ------------------------------------------------------------------ */

static void cores(void **state)
{
    (void)state;
    web_expect(&suite.web, "GET", "/system/admin/cores", NULL, 200, "{\"cores\":[]}");
    suite_add_core("core-b", false, "https://b.example.net");
    assert_err(ERR_OK, sync_core_put(&suite.sync,
                                     &(struct store_core){.id = "core-a",
                                                          .ip = "192.0.2.1",
                                                          .ipv6 = "2001:db8::1",
                                                          .hosting = "\xc3\xa4",
                                                          .available = true},
                                     STORE_ONLY_NEW));
    assert_err(ERR_OK, sync_user_put(&suite.sync, "alice", "core-a", STORE_ONLY_NEW));
    web_expect(&suite.web, "GET", "/system/admin/cores", NULL, 200,
               "{\"cores\":[{\"id\":\"core-a\",\"url\":\"https://core-a.mc.example.com/\","
               "\"ip\":\"192.0.2.1\",\"hosting\":\"\xc3\xa4\",\"available\":true,\"userCount\":1},"
               "{\"id\":\"core-b\",\"url\":\"https://b.example.net/\",\"ip\":null,"
               "\"hosting\":null,\"available\":false,\"userCount\":0}]}");
}

static void certs(void **state)
{
    (void)state;
    web_expect(&suite.web, "GET", "/system/admin/certs", NULL, 200, "{\"certs\":[]}");
    store_file_execute(suite.file, "INSERT INTO keyValue VALUES('tls-cert/*.mc.example.com',"
                                   "'{\"certPem\":\"c\",\"chainPem\":\"d\",\"keyPem\":\"secret\","
                                   "\"issuedAt\":1767225600000,\"expiresAt\":1775001600000}')");
    web_expect(&suite.web, "GET", "/system/admin/certs", NULL, 200,
               "{\"certs\":[{\"hostname\":\"*.mc.example.com\",\"issuedAt\":1767225600000,"
               "\"expiresAt\":1775001600000,\"daysUntilExpiry\":90,\"generation\":0}]}");
}

/* Of the certificate that is managed here, who serves what; of others nothing is known. */
static void served(void **state)
{
    static const struct api_served list[] = {
        {.core = "core-a", .live = true, .generation = 3, .serial = "0a1b"},
        {.core = "core-b", .live = false, .generation = 2, .serial = "ff"},
        {.core = "core-\xff", .live = true, .generation = 0, .serial = ""},
    };
    (void)state;
    suite.web.served = list;
    suite.web.served_count = sizeof list / sizeof list[0];
    store_file_execute(suite.file,
                       "INSERT INTO keyValue VALUES('tls-cert/*.mc.example.com',"
                       "'{\"certPem\":\"c\",\"keyPem\":\"secret\",\"generation\":3}'),"
                       "('tls-cert/other.example.com','{\"certPem\":\"c\",\"generation\":1}'),"
                       "('tls-cert/unreadable.example.com','[]')");
#define UNKNOWN                                                                                    \
    "\"issuedAt\":null,\"expiresAt\":null,"                                                        \
    "\"daysUntilExpiry\":null,\"generation\""
    web_expect(&suite.web, "GET", "/system/admin/certs", NULL, 200,
               "{\"certs\":[{\"hostname\":\"*.mc.example.com\"," UNKNOWN ":3},"
               "{\"hostname\":\"other.example.com\"," UNKNOWN ":1}]}");
    suite.web.env.managed = "*.mc.example.com";
    web_expect(&suite.web, "GET", "/system/admin/certs", NULL, 200,
               "{\"certs\":[{\"hostname\":\"*.mc.example.com\"," UNKNOWN ":3,\"cores\":["
               "{\"id\":\"core-a\",\"live\":true,\"generation\":3,\"serial\":\"0a1b\"},"
               "{\"id\":\"core-b\",\"live\":false,\"generation\":2,\"serial\":\"ff\"},"
               "{\"id\":\"core-?\",\"live\":true,\"generation\":0,\"serial\":null}]},"
               "{\"hostname\":\"other.example.com\"," UNKNOWN ":1}]}");
#undef UNKNOWN
    suite.web.served_count = 0;
    web_expect(&suite.web, "GET", "/system/admin/certs", NULL, 200,
               "\"generation\":3,\"cores\":[]}");
    suite.web.env.managed = NULL;
}

static void renewal(void **state)
{
    const char *target = "/system/admin/certs/force-renew";
    char *large = suite_blanks(5000);
    (void)state;
    web_expect(&suite.web, "POST", target, NULL, 409, "\"certificates-not-managed\"");
    web_expect(&suite.web, "POST", target, "{\"hostname\":\"*.mc.example.com\"}", 409,
               "\"certificates-not-managed\"");
    web_expect(&suite.web, "POST", target, "{\"hostname\":7}", 400,
               "\"problems\":[{\"member\":\"hostname\",\"message\":\"must be a string\"}]");
    web_expect(&suite.web, "POST", target, "[]", 400, "\"invalid-parameters\"");
    web_expect(&suite.web, "POST", target, large, 413, "\"error\"");
    web_expect_ask(
        &suite.web,
        &(struct web_ask){.method = "POST", .target = target, .body = "{}", .type = "text/plain"},
        415, "\"error\"");
    free(large);
}

/* One job for all who ask while it is open; whoever holds the lease is to do it. */
static void jobs(void **state)
{
    const char *target = "/system/admin/certs/force-renew";
    char job[sizeof "/system/admin/certs/jobs/" + 32], told[64];
    (void)state;
    suite.web.env.managed = "*.mc.example.com";
    suite.web.env.core_id = "core-a";
    web_expect(&suite.web, "POST", target, "{\"hostname\":\"other.example.com\"}", 404,
               "\"unknown-certificate\"");
    web_expect(&suite.web, "POST", target, "{\"override\":\"all\"}", 400, "must be one of");
    struct web_got got;
    web_ask(&suite.web,
            &(struct web_ask){
                .method = "POST", .target = target, .body = "{\"hostname\":\"*.MC.example.com\"}"},
            &got);
    assert_int_equal(got.status, 202);
    const char *id = strstr(got.body, "\"id\":\"");
    assert_non_null(id);
    assert_non_null(strstr(got.body, "\"state\":\"waiting\",\"text\":\"\",\"by\":\"api core-a\""));
    snprintf(told, sizeof told, "%.40s", id);
    snprintf(job, sizeof job, "/system/admin/certs/jobs/%.32s", id + 6);
    web_got_free(&got);
    web_expect(&suite.web, "POST", target, NULL, 202, told); /* the same */
    assert_int_equal(suite.web.renewals, 2);
    web_expect(&suite.web, "GET", job, NULL, 200, told);
    web_expect(&suite.web, "GET", "/system/admin/certs/jobs/00000000000000000000000000000000", NULL,
               404, "\"unknown-job\"");
    web_expect(&suite.web, "GET", "/system/admin/certs/jobs/x", NULL, 404, "\"unknown-job\"");
    store_file_execute(suite.file, "UPDATE acme_job SET state = 'done', text = 'generation 2'");
    web_expect(&suite.web, "GET", job, NULL, 200, "\"state\":\"done\",\"text\":\"generation 2\"");
    suite.web.env.managed = NULL;
}

/* ---- the store is held by somebody else -------------------------------------------------------- */

static void a_locked_store(void **state)
{
    sqlite3 *db = store_file_connect(suite.file);
    (void)state;
    suite_add_core("core-a", true, NULL);
    assert_err(ERR_OK, sync_record(&suite.sync, "web", NULL, "{}"));
    store_file_execute_on(db, "BEGIN IMMEDIATE");
    web_expect(&suite.web, "PUT", "/system/admin/users/alice", NULL, 503, "nothing was written");
    web_expect(&suite.web, "POST", "/reg/records",
               "{\"subdomain\":\"web\",\"records\":{\"a\":\"192.0.2.1\"}}", 503,
               "nothing was written");
    web_expect(&suite.web, "DELETE", "/reg/records/web", NULL, 503, "nothing was written");
    suite.web.env.managed = "*.mc.example.com";
    web_expect(&suite.web, "POST", "/system/admin/certs/force-renew", NULL, 503,
               "nothing was written");
    assert_int_equal(suite.web.renewals, 0);
    suite.web.env.managed = NULL;
    web_expect(&suite.web, "DELETE", "/system/admin/users/alice", NULL, 503, "nothing was written");
    web_expect(&suite.web, "GET", "/reg/records/web", NULL, 200, "web"); /* reading goes on */
    store_file_execute_on(db, "COMMIT");
    sqlite3_close(db);
    web_expect(&suite.web, "PUT", "/system/admin/users/alice", NULL, 201, "alice");
}

static void a_closed_store(void **state)
{
    (void)state;
    suite.web.env.store = NULL;
    suite.web.env.managed = "*.mc.example.com";
    for (size_t i = 0; suite_admin_routes[i].method != NULL; i++) {
        web_expect(&suite.web, suite_admin_routes[i].method, suite_admin_routes[i].target,
                   suite_admin_routes[i].body, 503, "\"unavailable\"");
    }
    suite.web.env.managed = NULL;
    web_expect(&suite.web, "GET", "/reg/cores?username=alice", NULL, 503, "\"unavailable\"");
    web_expect_ask(&suite.web,
                   &(struct web_ask){.method = "GET",
                                     .target = "/.well-known/acme-challenge/tok",
                                     .site = WEB_CHALLENGES},
                   503, "\"unavailable\"");
    web_expect(&suite.web, "GET", "/healthz", NULL, 200, "ok");
}

const struct CMUnitTest api_suite_operation[] = {
    SUITE_TEST(cores), SUITE_TEST(certs),          SUITE_TEST(served),         SUITE_TEST(renewal),
    SUITE_TEST(jobs),  SUITE_TEST(a_locked_store), SUITE_TEST(a_closed_store), SUITE_END,
};
