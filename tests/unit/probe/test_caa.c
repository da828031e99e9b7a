/* Sets of CAA records, and what a CA has to make of them (RFC 8659 §4, RFC 8657). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "dnsd/probe/caa.h"

#define ACCOUNT "https://ca.example/acct/1"

static const char *const issuers[] = {"ca.example", "ca.example.org"};

struct row {
    const char *set;  /* "flags tag value" a line */
    const char *host; /* NULL: allowed; else what the refusal says */
    const char *wild; /* the same for a wildcard */
};

static size_t read_set(const char *text, struct wire_caa *list)
{
    size_t count = 0;
    while (*text != '\0') {
        unsigned flags;
        int at = 0;
        size_t len = strcspn(text, "\n");
        char line[1100];
        snprintf(line, sizeof line, "%.*s", (int)len, text);
        assert_true(sscanf(line, "%u %255s %n", &flags, list[count].tag, &at) == 2);
        list[count].flags = (uint8_t)flags;
        snprintf(list[count].value, sizeof list[count].value, "%s", line + at);
        count++;
        text += len + (text[len] == '\n');
    }
    return count;
}

static void check(const char *set, const struct caa_wish *wish, const char *expected)
{
    static struct wire_caa list[8];
    struct err_info info = {.text = ""};
    size_t count = read_set(set, list);
    enum err e = caa_judge(list, count, wish, &info);
    if (e != (expected == NULL ? ERR_OK : ERR_DENIED) ||
        (expected != NULL && strstr(info.text, expected) == NULL)) {
        fail_msg("%s%s: %s, %s; not %s", set, wish->wildcard ? " (wildcard)" : "", err_text(e),
                 info.text, expected != NULL ? expected : "allowed");
    }
}

static struct caa_wish wish_of(bool wildcard)
{
    return (struct caa_wish){.issuers = issuers,
                             .issuers_count = 2,
                             .account = ACCOUNT,
                             .method = "dns-01",
                             .wildcard = wildcard};
}

#define OTHER      "it names another CA"
#define ACCOUNT_NO "accounturi is not our account"
#define METHOD_NO  "validationmethods do not have ours"
#define FORM_NO    "not of the form"

static const struct row rows[] = {
    {"", NULL, NULL},
    {"0 issue ca.example", NULL, NULL},
    {"0 issue CA.Example", NULL, NULL},
    {"0 issue ca.example.org", NULL, NULL},
    {"0 issue   ca.example  ", NULL, NULL},
    {"0 issue other.example", OTHER, OTHER},
    {"0 issue sub.ca.example", OTHER, OTHER},
    {"0 issue ca.example.evil", OTHER, OTHER},
    {"0 issue ca.exampl", OTHER, OTHER},
    {"0 issue ;", OTHER, OTHER},
    {"0 issue ", OTHER, OTHER},
    {"0 issue other.example\n0 issue ca.example", NULL, NULL},
    {"0 issue ;\n0 issue ca.example", NULL, NULL},
    /* wildcards: issuewild if there is one, else issue (RFC 8659 §4.3) */
    {"0 issuewild ca.example", NULL, NULL},
    {"0 issuewild ;", NULL, OTHER},
    {"0 issue ca.example\n0 issuewild ;", NULL, OTHER},
    {"0 issue ;\n0 issuewild ca.example", OTHER, NULL},
    {"0 issue other.example\n0 issuewild other.example", OTHER, OTHER},
    /* tags */
    {"0 iodef mailto:x@example.com", NULL, NULL},
    {"128 iodef mailto:x@example.com", NULL, NULL},
    {"128 issue ca.example", NULL, NULL},
    {"0 tbs unknown", NULL, NULL},
    {"128 tbs unknown", "it is critical", "it is critical"},
    {"0 issue ca.example\n128 tbs unknown", "it is critical", "it is critical"},
    {"255 tbs unknown", "it is critical", "it is critical"},
    {"127 tbs unknown", NULL, NULL}, /* reserved flags mean nothing (§4.1) */
    /* parameters (RFC 8657) */
    {"0 issue ca.example; accounturi=" ACCOUNT, NULL, NULL},
    {"0 issue ca.example;accounturi=" ACCOUNT, NULL, NULL},
    {"0 issue ca.example; AccountURI = " ACCOUNT " ", NULL, NULL},
    {"0 issue ca.example; accounturi=" ACCOUNT "2", ACCOUNT_NO, ACCOUNT_NO},
    {"0 issue ca.example; accounturi=https://ca.example/acct/", ACCOUNT_NO, ACCOUNT_NO},
    {"0 issue ca.example; accounturi=HTTPS://ca.example/acct/1", ACCOUNT_NO, ACCOUNT_NO},
    {"0 issue ca.example; accounturi=", ACCOUNT_NO, ACCOUNT_NO},
    {"0 issue ca.example; accounturi=" ACCOUNT "; accounturi=" ACCOUNT, "more than one accounturi",
     "more than one accounturi"},
    {"0 issue ca.example; accounturi=x\n0 issue ca.example; accounturi=" ACCOUNT, NULL, NULL},
    {"0 issue ca.example; validationmethods=dns-01", NULL, NULL},
    {"0 issue ca.example; validationmethods=http-01,dns-01", NULL, NULL},
    {"0 issue ca.example; validationmethods=http-01", METHOD_NO, METHOD_NO},
    {"0 issue ca.example; validationmethods=dns-011", METHOD_NO, METHOD_NO},
    {"0 issue ca.example; validationmethods=", METHOD_NO, METHOD_NO},
    {"0 issue ca.example; validationmethods=http-01; validationmethods=dns-01",
     "more than one validationmethods", "more than one validationmethods"},
    {"0 issue ca.example; validationmethods=http-01; accounturi=" ACCOUNT, METHOD_NO, METHOD_NO},
    {"0 issue ca.example; policy=ev", NULL, NULL},
    {"0 issue ca.example; nonsense", FORM_NO, FORM_NO},
    {"0 issue ca.example; =x", FORM_NO, FORM_NO},
    {"0 issue ca.example; accounturi=" ACCOUNT " validationmethods=dns-01", FORM_NO, FORM_NO},
    {"0 issue ca.example; nonsense\n0 issue ca.example", NULL, NULL},
    {"0 issue other.example; accounturi=" ACCOUNT, OTHER, OTHER},
};

static void sets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct caa_wish host = wish_of(false), wild = wish_of(true);
        check(rows[i].set, &host, rows[i].host);
        check(rows[i].set, &wild, rows[i].wild);
    }
}

static void what_is_not_known_yet(void **state)
{
    struct caa_wish wish = wish_of(false);
    (void)state;
    wish.account = "";
    check("0 issue ca.example; accounturi=https://ca.example/acct/7", &wish, NULL);
    wish.issuers_count = 0; /* the CA does not say what it is called */
    check("0 issue ;", &wish, NULL);
}

static void the_remedy(void **state)
{
    struct caa_wish wish = wish_of(true);
    (void)state;
    wish.method = "http-01";
    check("0 issue other.example", &wish,
          "CAA 0 issue \"other.example\" forbids it: it names another CA. Add: CAA 0 issue "
          "\"ca.example; validationmethods=http-01; accounturi=" ACCOUNT "\"");
    check("0 issuewild other.example", &wish, "Add: CAA 0 issuewild \"ca.example;");
    wish.account = "";
    check("0 issue other.example", &wish, "\"ca.example; validationmethods=http-01\"");
}

/* Whatever stands in a record, the answer is one of the two. */
static void odd_values(void **state)
{
    static const char letters[] = "ca.example;= ,\t-x";
    struct caa_wish wish = wish_of(false);
    struct wire_caa c = {.tag = "issue"};
    uint32_t seed = 1;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        size_t len = 0;
        for (size_t n = seed % 40; len < n; len++) {
            seed = seed * 1664525 + 1013904223;
            c.value[len] = letters[(seed >> 16) % (sizeof letters - 1)];
        }
        c.value[len] = '\0';
        seed = seed * 1664525 + 1013904223;
        enum err e = caa_judge(&c, 1, &wish, NULL);
        assert_true(e == ERR_OK || e == ERR_DENIED);
        assert_true(e == ERR_DENIED || strstr(c.value, "ca.example") != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets),
        cmocka_unit_test(what_is_not_known_yet),
        cmocka_unit_test(the_remedy),
        cmocka_unit_test(odd_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
