/* From a row of the store to the zone: rows of every kind, of ours and of other programs, good and
 * bad. A bad one counts as absent and stops nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dnsd/app/app.h"
#include "zone_build.h"

struct row {
    const char *key;
    const char *value; /* NULL: the row is gone */
    const char *name;  /* asked for afterwards */
    const char *text;  /* as zone_build_text() */
};

#define OPTIONS "apex mc.example.com\nservice reg\nstatic www A - 203.0.113.1\n"

/* One after the other into one zone. */
static void apply_all(const char *options, const struct row *rows, size_t count)
{
    struct zone *z = zone_build(options, NULL);
    struct config *c = calloc(1, sizeof *c);
    static char domain[] = "mc.example.com";
    c->dns.domain_text = domain;
    c->dns.domain = zone_build_name(NULL, domain);
    c->dns.default_ttl_s = 300;
    struct rows r = {.zone = z, .config = c};
    for (size_t i = 0; i < count; i++) {
        struct store_row row = {.key = (char *)rows[i].key, .value = (char *)rows[i].value};
        rows_apply(&r, &row);
        const struct zone_snapshot *s = zone_commit(z, i + 1);
        char *text = zone_build_text(s, rows[i].name);
        if (strcmp(text, rows[i].text) != 0) {
            fail_msg("row %zu, %s = %s: %s:\n%s---- and not ----\n%s", i, rows[i].key,
                     rows[i].value != NULL ? rows[i].value : "(gone)", rows[i].name, text,
                     rows[i].text);
        }
        free(text);
        zone_snapshot_unref(s);
    }
    zone_free(z);
    free(c);
}

#define APPLY_ALL(rows) apply_all(OPTIONS, rows, sizeof(rows) / sizeof(rows)[0])

static void cores(void **state)
{
    static const struct row rows[] = {
        {"core-info/core-a", "{\"id\":\"core-a\",\"ip\":\"192.0.2.1\",\"available\":true}",
         "core-a", "hit\nA 300 192.0.2.1\n"},
        {"core-info/core-a", "{\"id\":\"core-a\",\"ip\":\"192.0.2.2\",\"ipv6\":\"2001:db8::2\"}",
         "core-a", "hit\nA 300 192.0.2.2\nAAAA 300 2001:db8::2\n"},
        {"core-info/core-a", "{\"id\":\"core-a\",\"ip\":\"not an address\"}", "core-a", "miss\n"},
        {"core-info/core-a", "{\"id\":\"core-a\",\"ip\":\"192.0.2.1\"}", "core-a",
         "hit\nA 300 192.0.2.1\n"},
        {"core-info/core-a", "not json", "core-a", "miss\n"},
        {"core-info/core-a", "{\"id\":\"core-a\",\"ip\":\"192.0.2.1\"}", "core-a",
         "hit\nA 300 192.0.2.1\n"},
        {"core-info/two.labels", "{\"ip\":\"192.0.2.3\"}", "two.labels", "miss\n"},
        {"core-info/", "{\"ip\":\"192.0.2.3\"}", "lsc", "hit\nA 5 192.0.2.1\n"},
        {"core-info/core-a", NULL, "core-a", "miss\n"},
        {"core-info/never-was", NULL, "never-was", "miss\n"},
    };
    (void)state;
    APPLY_ALL(rows);
}

static void users(void **state)
{
    static const struct row rows[] = {
        {"core-info/core-a", "{\"id\":\"core-a\",\"ip\":\"192.0.2.1\"}", "core-a",
         "hit\nA 300 192.0.2.1\n"},
        {"user-core/alice", "core-a", "alice", "hit\nA 300 192.0.2.1\n"},
        {"user-core/Bob", "core-a", "bob", "hit\nA 300 192.0.2.1\n"},
        {"user-core/carol", "core-z", "carol", "hit\n"},
        {"user-core/a.b", "core-a", "a.b", "miss\n"},
        {"user-core/", "core-a", "alice", "hit\nA 300 192.0.2.1\n"},
        /* what cannot be a core's id makes the row a bad one, whatever it said before */
        {"user-core/alice", "no core id", "alice", "miss\n"},
        {"user-core/alice", "core-a", "alice", "hit\nA 300 192.0.2.1\n"},
        {"user-core/alice", NULL, "alice", "miss\n"},
        {"user-core/alice", NULL, "alice", "miss\n"},
        {"user-core/a.b", NULL, "bob", "hit\nA 300 192.0.2.1\n"},
        /* hashed: no label */
        {"user-core/000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "core-a",
         "bob", "hit\nA 300 192.0.2.1\n"},
    };
    (void)state;
    APPLY_ALL(rows);
}

/* piiMode hashed. Tokens: Python, hmac.new(b"a-key".ljust(32, b"\\0"), b"username\\0alice", "sha256") */
#define ALICE "9fdb88ac21f8d44edb757fd1e97dd6fcf7b41ea1c9d49c74044f3cf3d3beda2e"
#define BOB   "152034c0206db6ff43234137b2dedebfab5a3ae7265ce390863fe164abe746dc"
#define WWW   "69b2d41574ef9df06cb771732f5adbc91d2bb441f1d528e7f8c122d15a7805d1"

static void hashed_users(void **state)
{
    static const struct row rows[] = {
        {"core-info/core-a", "{\"id\":\"core-a\",\"ip\":\"192.0.2.1\"}", "core-a",
         "hit\nA 300 192.0.2.1\n"},
        {"user-core/" ALICE, "core-a", "alice", "hit\nA 300 192.0.2.1\n"},
        {"user-core/" ALICE, "core-z", "ALICE", "hit\n"},
        {"user-core/" BOB, "core-a", "bob", "hit\nA 300 192.0.2.1\n"},
        {"user-core/" WWW, "core-a", "www", "hit\nA 300 203.0.113.1\n"},
        {"core-info/" BOB, NULL, "bob", "hit\nA 300 192.0.2.1\n"},
        /* names in clear, and what is nearly a token, are bad rows */
        {"user-core/carol", "core-a", "carol", "miss\n"},
        {"user-core/alice", NULL, "alice", "hit\n"},
        {"user-core/" BOB "0", NULL, "bob", "hit\nA 300 192.0.2.1\n"},
        {"user-core/", "core-a", "alice", "hit\n"},
        {"user-core/" BOB, "no core id", "bob", "miss\n"},
        {"user-core/" BOB, "core-a", "bob", "hit\nA 300 192.0.2.1\n"},
        {"user-core/" ALICE, NULL, "alice", "miss\n"},
        {"user-core/" ALICE, NULL, "alice", "miss\n"},
        {"dns-record/bob", "{\"txt\":[\"t\"]}", "bob", "hit\nTXT 300 \"t\"\n"},
        {"dns-record/bob", NULL, "bob", "hit\nA 300 192.0.2.1\n"},
        {"dns-record/x.bob", "{\"txt\":[\"t\"]}", "bob", "hit\nA 300 192.0.2.1\n"},
        {"user-core/" BOB, NULL, "bob", "hit\n"},
        {"user-core/" BOB, "core-a", "x.bob", "hit\nTXT 300 \"t\"\n"},
    };
    (void)state;
    apply_all("hashed a-key\n" OPTIONS, rows, sizeof rows / sizeof rows[0]);
}

static void records(void **state)
{
    static const struct row rows[] = {
        {"dns-record/r", "{\"a\":[\"192.0.2.1\",\"192.0.2.2\"]}", "r",
         "hit\nA 300 192.0.2.1\nA 300 192.0.2.2\n"},
        {"dns-record/R", "{\"a\":[\"192.0.2.3\"]}", "r", "hit\nA 300 192.0.2.3\n"},
        {"dns-record/r.mc.example.com.", "{\"a\":[\"192.0.2.4\"]}", "r", "hit\nA 300 192.0.2.4\n"},
        {"dns-record/_acme-challenge", "{\"txt\":[\"t\"]}", "_acme-challenge",
         "hit\nTXT 1 \"t\"\n"},
        {"dns-record/@", "{\"txt\":[\"t\"],\"ttl\":60}", "@", "hit\nTXT 60 \"t\"\n"},
        {"dns-record/*.w", "{\"txt\":[\"t\"]}", "q.w", "wild\nTXT 300 \"t\"\n"},
        {"dns-record/www", "{\"txt\":[\"hidden\"]}", "www", "hit\nA 300 203.0.113.1\n"},
        /* one bad value costs itself */
        {"dns-record/r", "{\"a\":[\"192.0.2.5\",\"nonsense\",7]}", "r", "hit\nA 300 192.0.2.5\n"},
        /* a bad row counts as absent: what the name held is not what the row says */
        {"dns-record/r", "not json", "r", "miss\n"},
        {"dns-record/r", "{\"a\":[\"192.0.2.5\"]}", "r", "hit\nA 300 192.0.2.5\n"},
        {"dns-record/r", "{\"a\":[\"192.0.2.5\"],\"cname\":\"x.example.net\"}", "r", "miss\n"},
        {"dns-record/r", "{\"a\":[\"192.0.2.5\"]}", "r", "hit\nA 300 192.0.2.5\n"},
        {"dns-record/r", "{}", "r", "miss\n"},
        {"dns-record/r", "{\"a\":[\"192.0.2.5\"]}", "r", "hit\nA 300 192.0.2.5\n"},
        {"dns-record/r", NULL, "r", "miss\n"},
        {"dns-record/@", NULL, "@", "hit\n"},
        {"dns-record/not a name!", "{\"a\":[\"192.0.2.5\"]}", "@", "hit\n"},
        {"dns-record/r.example.net.", "{\"a\":[\"192.0.2.5\"]}", "r", "miss\n"},
        {"dns-record/", "{\"a\":[\"192.0.2.5\"]}", "@", "hit\n"},
    };
    (void)state;
    APPLY_ALL(rows);
}

static void rows_of_others(void **state)
{
    static const struct row rows[] = {
        {"tls-cert/mc.example.com", "{}", "@", "hit\n"},
        {"user-coreX", "core-a", "X", "miss\n"},
        {"", "", "@", "hit\n"},
    };
    (void)state;
    APPLY_ALL(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cores),   cmocka_unit_test(users),          cmocka_unit_test(hashed_users),
        cmocka_unit_test(records), cmocka_unit_test(rows_of_others),
    };
    return cmocka_run_group_tests_name("app/rows", tests, NULL, NULL);
}
