/* cluster/bundle_check: what a bundle has to be at the moment it is used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle_fixture.h"
#include "cert/authority.h"
#include "cert/key.h"

#define NOW  BUNDLE_FIXTURE_NOW_MS
#define HOUR INT64_C(3600000)
#define DAY  (24 * HOUR)

static struct err_info info;

static void says(const struct bundle *b, int64_t now_ms, enum err expect, const char *what)
{
    info = (struct err_info){.text = ""};
    enum err e = bundle_check(b, now_ms, &info);
    if (e != expect || strstr(info.text, what) == NULL) {
        fail_msg("%s: \"%s\" does not say \"%s\"", err_text(e), info.text, what);
    }
}

static void the_time_decides(void **state)
{
    struct bundle b;
    (void)state;
    bundle_fixture(&b);
    says(&b, NOW, ERR_OK, "");
    says(&b, NOW + HOUR - 1, ERR_OK, "");
    says(&b, NOW + HOUR, ERR_TIMEOUT,
         "expired at 2026-05-28T21:26:40.250Z, and here it is 2026-05-28T21:26:40.250Z");
    says(&b, NOW + HOUR, ERR_TIMEOUT, "make another one on the core with the CA");
    says(&b, NOW + HOUR, ERR_TIMEOUT, "new-core --id core-b");
    /* The issuer's clock is ahead by an hour: fine. By more than two: somebody has to look. */
    b.issued_ms = NOW + HOUR;
    b.expires_ms = NOW + 9 * HOUR;
    says(&b, NOW, ERR_OK, "");
    says(&b, NOW + HOUR - BUNDLE_EARLY_MS, ERR_OK, "");
    says(&b, NOW + HOUR - BUNDLE_EARLY_MS - 1, ERR_DENIED, "issued in the future, at 2026-05-28T");
    says(&b, NOW + HOUR - BUNDLE_EARLY_MS - 1, ERR_DENIED, "clocks is wrong");
    bundle_free(&b);
}

/* Those before version 4 say nothing of their end; their certificate does. */
static void without_an_end_the_certificate_decides(void **state)
{
    struct bundle b;
    (void)state;
    bundle_fixture(&b);
    b.expires_ms = 0;
    says(&b, NOW + 300 * DAY, ERR_OK, "");
    says(&b, NOW + 366 * DAY, ERR_DENIED, "node.certPem: ");
    b.issued_ms = NOW - 30 * DAY;
    says(&b, NOW - 29 * DAY, ERR_DENIED, "node.certPem: ");
    bundle_free(&b);
}

static void another_authority_is_refused(void **state)
{
    struct bundle b;
    char *ca = NULL;
    (void)state;
    bundle_fixture(&b);
    bundle_fixture_node(&b, "core-b", &ca);
    says(&b, NOW, ERR_DENIED, "node.certPem: ");
    free(b.cluster.ca_pem);
    b.cluster.ca_pem = ca;
    says(&b, NOW, ERR_OK, "");
    bundle_free(&b);
}

static void another_core_is_refused(void **state)
{
    struct bundle b;
    (void)state;
    bundle_fixture(&b);
    bundle_fixture_node(&b, "core-c", NULL);
    says(&b, NOW, ERR_DENIED, "the certificate is of another core than core-b");
    bundle_fixture_node(&b, "core-b", NULL);
    says(&b, NOW, ERR_OK, "");
    bundle_free(&b);
}

static void another_key_is_refused(void **state)
{
    struct bundle b;
    struct cert_key *k = NULL;
    (void)state;
    bundle_fixture(&b);
    cert_key_pem_free(b.node.key_pem);
    assert_int_equal(cert_key_new(&k, NULL), ERR_OK);
    assert_int_equal(cert_key_to_pem(k, &b.node.key_pem, NULL), ERR_OK);
    cert_key_free(k);
    says(&b, NOW, ERR_CONFLICT, "node.certPem and node.keyPem: ");
    bundle_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_time_decides),
        cmocka_unit_test(without_an_end_the_certificate_decides),
        cmocka_unit_test(another_authority_is_refused),
        cmocka_unit_test(another_core_is_refused),
        cmocka_unit_test(another_key_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
