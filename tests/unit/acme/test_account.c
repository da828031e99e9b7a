/* acme/account: events in, actions out. */
#include "acme/account.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct acme_account a;

static int setup(void **state)
{
    (void)state;
    acme_account_init(&a, false, false, false);
    return 0;
}

#define URL "https://ca/acct/1"

static enum acme_account_act feed(struct acme_account_ev ev)
{
    return acme_account_next(&a, &ev);
}

static enum acme_account_act well(void)
{
    return feed((struct acme_account_ev){.retry_ms = -1});
}

static enum acme_account_act read_row(const char *url, bool same_contact)
{
    return feed((struct acme_account_ev){
        .found = true, .url = url, .same_contact = same_contact, .retry_ms = -1});
}

static enum acme_account_act told(const char *url, enum acme_status status)
{
    struct acme_account_object object = {.status = status};
    return feed((struct acme_account_ev){.url = url, .account = &object, .retry_ms = -1});
}

static enum acme_account_act problem(enum acme_class class, const char *type)
{
    struct acme_problem p = {.class = class, .retry_ms = -1};
    snprintf(p.type, sizeof p.type, "%s", type);
    return feed((struct acme_account_ev){.problem = &p, .retry_ms = -1});
}

#define need(want, call) assert_int_equal(want, call)

static void need_failure(enum acme_class class, const char *type)
{
    assert_int_equal(class, a.problem.class);
    assert_string_equal(type, a.problem.type);
}

static void test_first(void **state)
{
    (void)state;
    need(ACCOUNT_KEY, well()); /* no row */
    need(ACCOUNT_SAVE, well());
    assert_string_equal("", a.url); /* the key is in the store before the CA hears of it */
    need(ACCOUNT_NEW, well());
    need(ACCOUNT_SAVE, told(URL, ACME_STATUS_VALID));
    assert_string_equal(URL, a.url);
    need(ACCOUNT_USABLE, well());
}

static void test_known(void **state)
{
    (void)state;
    need(ACCOUNT_USABLE, read_row(URL, true));
    assert_string_equal(URL, a.url);
    setup(NULL); /* begun by somebody who got no further */
    need(ACCOUNT_NEW, read_row("", true));
    need(ACCOUNT_SAVE, feed((struct acme_account_ev){.url = URL, .retry_ms = -1}));
    need(ACCOUNT_USABLE, well());
    setup(NULL);
    need(ACCOUNT_CONTACT, read_row(URL, false));
    need(ACCOUNT_SAVE, told("", ACME_STATUS_VALID)); /* the reply need not say where it is */
    assert_string_equal(URL, a.url);
    need(ACCOUNT_USABLE, well());
}

static void test_lost(void **state)
{
    (void)state;
    acme_account_init(&a, true, false, false);
    need(ACCOUNT_FIND, read_row(URL, true));
    need(ACCOUNT_SAVE, told("https://ca/acct/2", ACME_STATUS_VALID));
    assert_string_equal("https://ca/acct/2", a.url);
    need(ACCOUNT_USABLE, well());

    acme_account_init(&a, true, false, false); /* registered again, with the same key */
    need(ACCOUNT_FIND, read_row(URL, true));
    need(ACCOUNT_NEW, problem(ACME_ACCOUNT, "accountDoesNotExist"));
    need(ACCOUNT_SAVE, told("https://ca/acct/2", ACME_STATUS_VALID));
    need(ACCOUNT_USABLE, well());

    setup(NULL); /* found out while the contact is changed */
    need(ACCOUNT_CONTACT, read_row(URL, false));
    need(ACCOUNT_NEW, problem(ACME_ACCOUNT, "accountDoesNotExist"));
    need(ACCOUNT_NEW, problem(ACME_ACCOUNT, "accountDoesNotExist"));
    need(ACCOUNT_FAILED, problem(ACME_ACCOUNT, "accountDoesNotExist"));
    need_failure(ACME_ACCOUNT, "account");
}

static void test_deactivated(void **state)
{
    (void)state;
    for (unsigned by_status = 0; by_status < 2; by_status++) {
        acme_account_init(&a, true, false, false);
        need(ACCOUNT_FIND, read_row(URL, true));
        need(ACCOUNT_KEY, by_status ? told(URL, ACME_STATUS_DEACTIVATED)
                                    : problem(ACME_IDENTIFIER, "unauthorized"));
        need(ACCOUNT_SAVE, well());
        assert_string_equal("", a.url);
        need(ACCOUNT_NEW, well());
        if (by_status) { /* once */
            need(ACCOUNT_FAILED, told(URL, ACME_STATUS_DEACTIVATED));
            need_failure(ACME_DENIED, "account");
        } else {
            need(ACCOUNT_FAILED, problem(ACME_IDENTIFIER, "unauthorized"));
            need_failure(ACME_IDENTIFIER, "unauthorized");
        }
    }
}

static enum acme_account_act read_two_keys(bool same_contact)
{
    return feed((struct acme_account_ev){
        .found = true, .pending = true, .url = URL, .same_contact = same_contact, .retry_ms = -1});
}

static void test_two_keys(void **state)
{
    (void)state;
    need(ACCOUNT_PROBE, read_two_keys(true)); /* the change was carried out */
    need(ACCOUNT_PROMOTE, told(URL, ACME_STATUS_VALID));
    need(ACCOUNT_SAVE, well());
    need(ACCOUNT_USABLE, well());
    static const enum acme_account_act then[] = {ACCOUNT_USABLE, ACCOUNT_CONTACT, ACCOUNT_FIND};
    for (unsigned i = 0; i < 3; i++) { /* it was not */
        acme_account_init(&a, i == 2, false, false);
        need(ACCOUNT_PROBE, read_two_keys(i != 1));
        need(ACCOUNT_BACK, problem(ACME_ACCOUNT, "accountDoesNotExist"));
        need(then[i], well());
    }
    setup(NULL);
    need(ACCOUNT_PROBE, read_two_keys(true));
    need(ACCOUNT_WAIT, problem(ACME_AGAIN, "serverInternal"));
    need(ACCOUNT_PROBE, well());
}

static void test_binding(void **state)
{
    (void)state;
    acme_account_init(&a, false, false, true);
    need(ACCOUNT_KEY, well());
    need(ACCOUNT_SAVE, well());
    need(ACCOUNT_FAILED, well());
    need_failure(ACME_DENIED, "account");
    assert_non_null(strstr(a.problem.text, "letsEncrypt.eab.kid"));
    acme_account_init(&a, false, true, true);
    need(ACCOUNT_NEW, read_row("", true));
    acme_account_init(&a, false, false, true); /* only for becoming one */
    need(ACCOUNT_USABLE, read_row(URL, true));
}

static void test_again(void **state)
{
    (void)state;
    need(ACCOUNT_NEW, read_row("", true));
    need(ACCOUNT_WAIT, problem(ACME_AGAIN, "serverInternal"));
    assert_int_equal(TRIES_FIRST_MS, a.wait_ms);
    need(ACCOUNT_NEW, well());
    need(ACCOUNT_WAIT, feed((struct acme_account_ev){.e = ERR_TIMEOUT, .retry_ms = -1}));
    assert_int_equal(2 * TRIES_FIRST_MS, a.wait_ms);
    need(ACCOUNT_NEW, well());
    need(ACCOUNT_SAVE, told(URL, ACME_STATUS_VALID));
    need(ACCOUNT_WAIT, feed((struct acme_account_ev){.e = ERR_BUSY, .retry_ms = -1}));
    assert_int_equal(TRIES_FIRST_MS, a.wait_ms); /* counted anew */
    need(ACCOUNT_SAVE, well());
    need(ACCOUNT_USABLE, well());
    setup(NULL);
    need(ACCOUNT_NEW, read_row("", true));
    for (unsigned i = 1; i < TRIES_MAX; i++) {
        need(ACCOUNT_WAIT, problem(ACME_AGAIN, "serverInternal"));
        need(ACCOUNT_NEW, well());
    }
    need(ACCOUNT_FAILED, problem(ACME_AGAIN, "serverInternal"));
}

static void test_at_once(void **state)
{
    (void)state;
    static const enum acme_class classes[] = {ACME_LIMITED, ACME_PAUSED, ACME_TERMS, ACME_DENIED,
                                              ACME_BUG};
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        setup(NULL);
        need(ACCOUNT_NEW, read_row("", true));
        need(ACCOUNT_FAILED, problem(classes[i], "word"));
        need_failure(classes[i], "word");
    }
    setup(NULL);
    need(ACCOUNT_NEW, read_row("", true));
    need(ACCOUNT_FAILED, told("", ACME_STATUS_VALID)); /* where is it */
    setup(NULL);
    need(ACCOUNT_FAILED,
         feed((struct acme_account_ev){.e = ERR_IO, .text = "disk", .retry_ms = -1}));
    assert_string_equal("disk", a.problem.text);
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_first),    T(test_known),   T(test_lost),  T(test_deactivated),
        T(test_two_keys), T(test_binding), T(test_again), T(test_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
