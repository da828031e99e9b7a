/* acme/plan: when, by lifetime and by the CA's window; what the ledger holds up, and for how long. */
#include "acme/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEC      1000LL
#define MINUTE   (60 * SEC)
#define HOUR     (60 * MINUTE)
#define DAY      (24 * HOUR)
#define NOW      (20000 * DAY)
#define CA       "https://ca.example/dir"
#define STAGING  "https://staging.example/dir"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define LEDGER_MAX 12

static struct {
    struct plan_input in;
    struct store_cert cert;
    struct store_renewal renewal;
    struct store_attempt ledger[LEDGER_MAX];
    char ids[LEDGER_MAX][8];
} t;

/* A certificate of 90 days that is not due. */
static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    t.cert = (struct store_cert){.hostname = "h", .issued_ms = NOW - 10 * DAY, .generation = 1};
    t.cert.expires_ms = t.cert.issued_ms + 90 * DAY;
    t.in = (struct plan_input){.now_ms = NOW,
                               .cert = &t.cert,
                               .attempts = t.ledger,
                               .directory = CA,
                               .renew_before_days = -1,
                               .override = "",
                               .random = 1,
                               .scale = 1};
    return 0;
}

/* AGO_MS before now; later calls are earlier rows. */
static struct store_attempt *add(const char *directory, const char *kind, const char *outcome,
                                 int64_t ago_ms)
{
    size_t i = t.in.attempts_count++;
    assert_true(i < LEDGER_MAX);
    snprintf(t.ids[i], sizeof t.ids[i], "id%zu", i);
    t.ledger[i] = (struct store_attempt){.id = t.ids[i],
                                         .hostname = "h",
                                         .directory = directory,
                                         .kind = kind,
                                         .outcome = outcome,
                                         .problem = "",
                                         .text = "",
                                         .core = "core-a",
                                         .at_ms = NOW - ago_ms};
    return &t.ledger[i];
}

static struct plan make(void)
{
    struct plan p;
    plan_make(&t.in, &p);
    if (p.what == PLAN_WAIT) {
        assert_true(p.at_ms > t.in.now_ms);
        assert_true(p.at_ms <= t.in.now_ms + PLAN_WAIT_MS);
    }
    assert_true(p.text[0] != '\0');
    return p;
}

static void need_at(const char *what, int line)
{
    struct plan p = make();
    const char *why = plan_why_text(p.why);
    bool order = what[0] == '!';
    if ((p.what == PLAN_ORDER) != order || strcmp(why, what + order) != 0) {
        fail_msg("line %d: %s %s (%s), not %s", line, p.what == PLAN_ORDER ? "order" : "wait", why,
                 p.text, what);
    }
}
/* "!reason": orders; "reason": waits. */
#define NEED(what) need_at(what, __LINE__)

/* ---- lifetimes --------------------------------------------------------------------------------- */

static void by_lifetime(void **state)
{
    static const struct {
        int64_t life_ms, days, due_ms, urgent_ms; /* from its beginning */
    } cases[] = {
        {90 * DAY, -1, 60 * DAY, 81 * DAY},
        {64 * DAY, -1, 64 * DAY - 64 * DAY / 3, 64 * DAY - 64 * DAY / 10},
        {45 * DAY, -1, 30 * DAY, 45 * DAY - 45 * DAY / 10},
        {10 * DAY, -1, 10 * DAY - 10 * DAY / 3, 9 * DAY},
        {160 * HOUR, -1, 80 * HOUR, 144 * HOUR},
        {60 * SEC, -1, 30 * SEC, 54 * SEC},
        {90 * DAY, 40, 50 * DAY, 81 * DAY},
        {90 * DAY, 5, 60 * DAY, 81 * DAY}, /* only ever earlier */
        {90 * DAY, 0, 60 * DAY, 81 * DAY},
        {160 * HOUR, 30, 160 * HOUR / 3, 144 * HOUR}, /* not for ever due */
        {90 * DAY, INT64_MAX, 30 * DAY, 81 * DAY},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t from = NOW - DAY;
        int64_t due = from + cases[i].due_ms;
        setup(state);
        t.in.not_before_ms = from;
        t.cert.issued_ms = 1; /* what the certificate says goes first */
        t.cert.expires_ms = from + cases[i].life_ms;
        t.in.renew_before_days = cases[i].days;
        assert_int_equal(plan_due_ms(from, t.cert.expires_ms, cases[i].days), due);
        t.in.now_ms = due - 1;
        NEED("not-due");
        assert_int_equal(make().renew_ms, due);
        t.in.now_ms = due;
        NEED("!due");
        t.in.now_ms = from + cases[i].urgent_ms - 1;
        NEED("!due");
        t.in.now_ms++;
        NEED("!urgent");
        t.in.now_ms = t.cert.expires_ms + DAY;
        NEED("!urgent");
        assert_int_equal(make().renew_ms, due);
    }
}

static void what_there_is(void **state)
{
    (void)state;
    NEED("not-due");
    assert_string_equal(make().text, "due in 50 d");
    assert_int_equal(make().at_ms, NOW + DAY); /* a changed row is noticed */
    t.in.foreign = true;
    NEED("!foreign");
    t.in.cert = NULL;
    NEED("!first");
    assert_int_equal(make().renew_ms, 0);
    t.in.cert = &t.cert;
    t.in.foreign = false;
    t.in.forced = true;
    NEED("!forced");
    t.in.forced = false;
    t.cert.issued_ms = t.cert.expires_ms = 0; /* a row that does not say */
    NEED("!urgent");
}

static void a_moment_away_is_waited_for_without_spinning(void **state)
{
    (void)state;
    t.in.now_ms = t.cert.issued_ms + 60 * DAY - 1;
    NEED("not-due");
    assert_int_equal(make().at_ms, t.in.now_ms + 1001);
    t.in.scale = 1e-9;
    assert_int_equal(make().at_ms, t.in.now_ms + 1);
}

/* ---- renewal information ----------------------------------------------------------------------- */

static void by_window(void **state)
{
    static const struct {
        int64_t start, end, moment; /* from now */
        bool matches;
        const char *what;
    } cases[] = {
        {5 * DAY, 7 * DAY, 6 * DAY, true, "not-due"},
        {-DAY, DAY, HOUR, true, "not-due"},
        {-DAY, DAY, -HOUR, true, "!ari"},
        {-3 * DAY, -2 * DAY, 0, true, "!ari"},
        {-3 * DAY, -2 * DAY, 0, false, "not-due"},         /* another certificate's */
        {-2 * DAY, -3 * DAY, -2 * DAY, true, "not-due"},   /* none */
        {NOW, NOW, -NOW, true, "not-due"},                 /* nothing drawn */
        {500 * DAY, 501 * DAY, 500 * DAY, true, "not-due"} /* after it is over */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        setup(state);
        t.renewal = (struct store_renewal){.renew_ms = NOW + cases[i].moment,
                                           .ari_start_ms = NOW + cases[i].start,
                                           .ari_end_ms = NOW + cases[i].end};
        t.in.renewal = &t.renewal;
        t.in.renewal_matches = cases[i].matches;
        NEED(cases[i].what);
    }
    assert_int_equal(make().renew_ms, t.cert.issued_ms + 81 * DAY); /* never later than that */
    t.in.now_ms = t.cert.issued_ms + 70 * DAY;
    NEED("not-due"); /* the CA's word, not the lifetime's */
    t.in.now_ms = t.cert.issued_ms + 81 * DAY;
    NEED("!urgent");
}

static void the_operators_wish_is_earlier_than_the_window(void **state)
{
    (void)state;
    t.renewal = (struct store_renewal){
        .renew_ms = NOW + 50 * DAY, .ari_start_ms = NOW + 49 * DAY, .ari_end_ms = NOW + 51 * DAY};
    t.in.renewal = &t.renewal;
    t.in.renewal_matches = true;
    t.in.renew_before_days = 60;
    assert_int_equal(make().renew_ms, t.cert.expires_ms - 60 * DAY);
    t.in.renew_before_days = 5; /* not earlier than by lifetime: says nothing */
    assert_int_equal(make().renew_ms, NOW + 50 * DAY);
}

static void a_moment_of_the_window(void **state)
{
    unsigned first_half = 0;
    (void)state;
    for (uint64_t r = 0; r < 1000; r++) {
        int64_t m = plan_ari_moment(NOW, NOW + 2 * DAY, NOW - DAY, r * 2654435761u);
        assert_true(m >= NOW && m <= NOW + 2 * DAY);
        first_half += m < NOW + DAY;
    }
    assert_in_range(first_half, 400, 600);
    assert_int_equal(plan_ari_moment(NOW - 2 * DAY, NOW - DAY, NOW, 77), NOW);
    assert_int_equal(plan_ari_moment(NOW, NOW, NOW - DAY, 77), NOW);
    assert_true(plan_ari_moment(NOW - DAY, NOW + DAY, NOW, 5) < NOW); /* in the past is at once */
}

static void asking_again(void **state)
{
    (void)state;
    assert_int_equal(plan_ari_wait_ms(-1), 6 * HOUR);
    assert_int_equal(plan_ari_wait_ms(0), MINUTE);
    assert_int_equal(plan_ari_wait_ms(2 * HOUR), 2 * HOUR);
    assert_int_equal(plan_ari_wait_ms(30 * DAY), DAY);
}

static void alarms(void **state)
{
    static const struct {
        int64_t left;
        unsigned level;
    } cases[] = {{90 * DAY, 0},    {90 * DAY / 4, 0}, {90 * DAY / 4 - 1, 1}, {9 * DAY, 1},
                 {9 * DAY - 1, 2}, {9 * DAY / 2, 2},  {9 * DAY / 2 - 1, 3},  {1, 3},
                 {0, 4},           {-DAY, 4}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(plan_alarm(NOW, NOW + 90 * DAY, NOW + 90 * DAY - cases[i].left),
                         cases[i].level);
    }
}

/* ---- gates ------------------------------------------------------------------------------------- */

static void due(void)
{
    t.in.not_before_ms = NOW - 70 * DAY;
    t.cert.expires_ms = NOW + 20 * DAY;
}

/* N rows EVERY_MS apart, the newest AGO_MS ago. */
static void rows(const char *kind, const char *outcome, unsigned n, int64_t ago_ms,
                 int64_t every_ms)
{
    for (unsigned i = 0; i < n; i++) {
        add(CA, kind, outcome, ago_ms + i * every_ms);
    }
}

static void each_gate(void **state)
{
    static const struct {
        const char *kind, *outcome;
        unsigned n;
        int64_t ago, every;
        const char *what;
        int64_t opens; /* from now */
    } cases[] = {
        {"order", "ok", 1, 35 * SEC, 0, "order", SEC},
        {"order", "ok", 1, 36 * SEC, 0, "!due", 0},
        {"certificate", "ok", 1, HOUR - SEC, 0, "floor", SEC},
        {"certificate", "ok", 1, HOUR, 0, "!due", 0},
        {"certificate", "failed", 1, MINUTE, 0, "!due", 0},
        {"certificate", "ok", 3, 2 * HOUR, HOUR, "!due", 0},
        {"certificate", "ok", 4, 2 * HOUR, HOUR, "certs", 7 * DAY - 5 * HOUR},
        {"certificate", "ok", 6, 2 * HOUR, HOUR, "certs", 7 * DAY - 5 * HOUR},
        {"certificate", "ok", 4, DAY, 2 * DAY, "!due", 0}, /* the fourth is 7 days old */
        {"authorization", "failed", 3, MINUTE, MINUTE, "!due", 0},
        {"authorization", "failed", 4, MINUTE, MINUTE, "authz", 56 * MINUTE},
        {"authorization", "failed", 5, 5 * MINUTE, 10 * MINUTE, "authz", 25 * MINUTE},
        {"authorization", "failed", 4, 57 * MINUTE, MINUTE, "!due", 0},
        {"authorization", "ok", 9, MINUTE, MINUTE, "!due", 0},
        {"forced", "ok", 9, 0, MINUTE, "!due", 0},
        {"rollover", "failed", 9, 0, MINUTE, "!due", 0},
        {"revoke", "failed", 9, 0, MINUTE, "!due", 0},
        {"revoke", "ok", 9, 0, MINUTE, "!due", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        setup(state);
        due();
        rows(cases[i].kind, cases[i].outcome, cases[i].n, cases[i].ago, cases[i].every);
        struct plan p = make();
        if (strcmp(plan_why_text(p.why), cases[i].what + (cases[i].what[0] == '!')) != 0 ||
            p.opens_ms != (cases[i].opens > 0 ? NOW + cases[i].opens : 0)) {
            fail_msg("case %zu: %s, opens in %lld (%s)", i, plan_why_text(p.why),
                     (long long)(p.opens_ms - NOW), p.text);
        }
        for (size_t k = 0; k < t.in.attempts_count; k++) { /* another CA's are another CA's */
            t.ledger[k].directory = STAGING;
        }
        NEED("!due");
    }
}

static void budgets(void **state)
{
    (void)state;
    struct plan p = make();
    assert_int_equal(p.orders_left, 1);
    assert_int_equal(p.certs_left, PLAN_CERTS_MAX);
    assert_int_equal(p.authz_left, PLAN_AUTHZ_MAX);
    rows("order", "ok", 1, SEC, 0);
    rows("certificate", "ok", 3, SEC, DAY);
    rows("authorization", "failed", 6, SEC, SEC);
    p = make();
    assert_int_equal(p.orders_left, 0);
    assert_int_equal(p.certs_left, PLAN_CERTS_MAX - 3);
    assert_int_equal(p.authz_left, 0);
}

static void backoff_grows(void **state)
{
    static const int64_t steps[] = {MINUTE, 10 * MINUTE, 100 * MINUTE, DAY, DAY, DAY};
    int64_t low = INT64_MAX, high = 0;
    for (size_t n = 1; n <= COUNT(steps); n++) {
        for (uint64_t random = 0; random < 200; random++) {
            setup(state);
            due();
            rows("order", "failed", (unsigned)n, 0, 3 * HOUR);
            t.in.random = random;
            struct plan p = make();
            assert_string_equal(plan_why_text(p.why), "backoff");
            assert_int_equal(p.failures, n);
            int64_t wait = p.opens_ms - NOW;
            assert_in_range(wait, steps[n - 1] * 8 / 10, steps[n - 1] * 12 / 10);
            low = n == 1 && wait < low ? wait : low;
            high = n == 1 && wait > high ? wait : high;
            t.in.now_ms = NOW + wait - 1;
            assert_int_equal(make().opens_ms, NOW + wait); /* not drawn again */
            t.in.now_ms++;
            NEED("!due");
        }
    }
    assert_true(low < 52 * SEC && high > 68 * SEC);
}

static void what_ends_a_row_of_failures(void **state)
{
    static const struct {
        struct {
            const char *directory, *kind, *outcome;
        } rows[4]; /* newest first */
        unsigned failures;
    } cases[] = {
        {{{CA, "order", "failed"}, {CA, "order", "ok"}, {CA, "order", "failed"}}, 1},
        {{{CA, "order", "failed"}, {CA, "certificate", "ok"}, {CA, "order", "failed"}}, 1},
        {{{CA, "order", "ok"}, {CA, "order", "failed"}}, 0},
        {{{CA, "order", "open"}, {CA, "order", "open"}, {CA, "order", "failed"}}, 3},
        {{{STAGING, "order", "failed"}, {CA, "order", "failed"}}, 1},
        {{{STAGING, "order", "ok"}, {CA, "order", "failed"}}, 1},
        {{{STAGING, "rehearsal", "failed"}, {STAGING, "rehearsal", "failed"}}, 2},
        {{{STAGING, "rehearsal", "ok"}, {STAGING, "rehearsal", "failed"}}, 0},
        {{{STAGING, "rehearsal", "ok"}, {CA, "order", "failed"}}, 1},
        {{{CA, "order", "failed"}, {STAGING, "rehearsal", "ok"}, {STAGING, "rehearsal", "failed"}},
         1},
        {{{CA, "order", "failed"}, {STAGING, "rehearsal", "failed"}, {CA, "order", "failed"}}, 3},
        {{{CA, "authorization", "failed"}, {CA, "order", "failed"}}, 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        setup(state);
        for (size_t k = 0; k < 4 && cases[i].rows[k].kind != NULL; k++) {
            add(cases[i].rows[k].directory, cases[i].rows[k].kind, cases[i].rows[k].outcome,
                (int64_t)(k + 1) * DAY);
        }
        if (make().failures != cases[i].failures) {
            fail_msg("case %zu: %u", i, make().failures);
        }
    }
}

static void what_the_ca_said(void **state)
{
    (void)state;
    due();
    add(CA, "order", "failed", 5 * DAY)->retry_ms = NOW + 40 * DAY; /* more than anybody says */
    NEED("!due");
    t.ledger[0].retry_ms = NOW + 3 * HOUR;
    NEED("retry-after");
    assert_int_equal(make().opens_ms, NOW + 3 * HOUR);
    t.in.forced = true;
    t.in.override = "retry-after"; /* there is no such thing */
    NEED("retry-after");
    t.in.override = "backoff";
    NEED("retry-after");
    t.in.now_ms += 3 * HOUR;
    NEED("!due");
    t.in.now_ms = NOW;
    t.ledger[0].kind = "authorization"; /* whatever it was about */
    NEED("retry-after");
    t.ledger[0].directory = STAGING;
    NEED("!due");
    t.ledger[0].kind = "rehearsal"; /* the next step would be to rehearse again */
    NEED("retry-after");
}

static void a_paused_account_waits_for_a_human(void **state)
{
    (void)state;
    due();
    add(CA, "order", "failed", 300 * DAY)->problem = "paused";
    t.ledger[0].text = "paused (https://ca.example/unpause)";
    NEED("paused");
    assert_int_equal(make().opens_ms, 0);
    assert_non_null(strstr(make().text, "a human has to act there: paused (https://ca.example/"));
    t.in.forced = true;
    NEED("paused");
    t.in.override = "backoff";
    NEED("paused");
    t.in.override = "paused";
    NEED("!due");
    t.in.forced = false; /* the word of a job that is over */
    NEED("paused");
    t.ledger[0].problem = "connection";
    NEED("!due");
    t.ledger[0].at_ms = NOW;
    assert_non_null(strstr(make().text, "failed 1 time in a row (connection); again in "));
}

static void an_override_passes_one_gate(void **state)
{
    static const struct {
        const char *kind, *outcome, *word;
        unsigned n;
    } gates[] = {{"order", "ok", "order", 1},
                 {"certificate", "ok", "floor", 1},
                 {"authorization", "failed", "authz", 4},
                 {"order", "failed", "backoff", 4}};
    for (size_t i = 0; i < COUNT(gates); i++) {
        setup(state);
        t.in.forced = true;
        rows(gates[i].kind, gates[i].outcome, gates[i].n, i < 1 ? SEC : MINUTE, MINUTE);
        NEED(gates[i].word);
        for (size_t k = 0; k < COUNT(gates); k++) {
            t.in.override = gates[k].word;
            NEED(k == i ? "!forced" : gates[i].word);
        }
        t.in.override = gates[i].word;
        t.in.forced = false;
        NEED("not-due");
        due();
        NEED(gates[i].word); /* the word of a job that is over */
    }
    setup(state);
    t.in.forced = true;
    t.in.override = "certs";
    rows("certificate", "ok", 4, 2 * HOUR, HOUR);
    NEED("!forced");
    rows("authorization", "failed", 4, MINUTE,
         MINUTE); /* two at once: the other one still stands */
    NEED("authz");
}

static void renewal_information_is_exempt_from_the_week(void **state)
{
    (void)state;
    t.renewal = (struct store_renewal){
        .renew_ms = NOW - HOUR, .ari_start_ms = NOW - DAY, .ari_end_ms = NOW + DAY};
    t.in.renewal = &t.renewal;
    t.in.renewal_matches = true;
    rows("certificate", "ok", 4, 2 * HOUR, HOUR);
    NEED("!ari");
    t.ledger[0].at_ms = NOW - HOUR + SEC; /* but not from this: a broken window makes no loop */
    NEED("floor");
}

static void what_is_revoked_is_due(void **state)
{
    (void)state;
    t.renewal = (struct store_renewal){.renew_ms = NOW + 9 * DAY,
                                       .ari_start_ms = NOW + 8 * DAY,
                                       .ari_end_ms = NOW + 10 * DAY,
                                       .revoked_ms = NOW - MINUTE};
    t.in.renewal = &t.renewal;
    NEED("not-due"); /* another certificate was */
    t.in.renewal_matches = true;
    NEED("!revoked");
    assert_int_equal(make().renew_ms, NOW - MINUTE);
    rows("certificate", "ok", 4, MINUTE, HOUR);
    NEED("!revoked"); /* as many as it takes: each one by hand */
    rows("order", "failed", 1, 40 * SEC, 0);
    t.ledger[4].at_ms = NOW - 10 * SEC;
    NEED("order"); /* the other gates are there */
    t.in.foreign = true;
    t.in.attempts_count = 0;
    NEED("!foreign");
}

static void of_several_the_last_one_to_open_counts(void **state)
{
    (void)state;
    due();
    rows("order", "failed", 1, SEC, 0);
    add(CA, "order", "failed", DAY)->retry_ms =
        NOW + 5 * MINUTE; /* ten minutes' backoff is longer */
    NEED("backoff");
    t.ledger[1].retry_ms = NOW + DAY;
    NEED("retry-after");
}

static void clocks_jump(void **state)
{
    (void)state;
    due();
    add(CA, "certificate", "ok", -2 * HOUR); /* in the future: a clock was wrong */
    NEED("!due");
    t.ledger[0].at_ms = NOW + 30 * MINUTE;
    NEED("floor");
    setup(state);
    t.in.now_ms = 0; /* 1970 */
    NEED("not-due");
    t.in.now_ms = INT64_MAX / 4;
    NEED("!urgent");
}

static void seconds_for_days(void **state)
{
    (void)state;
    t.in.scale = 1e-5; /* an hour is 36 ms, a day 864 ms */
    t.in.not_before_ms = NOW - 10 * SEC;
    t.cert.expires_ms = NOW + 2 * SEC;
    NEED("!due");
    rows("certificate", "ok", 1, 30, 0);
    NEED("floor");
    assert_int_equal(make().opens_ms, NOW + 6);
    t.ledger[0].at_ms = NOW - 40;
    NEED("!due");
    t.cert.expires_ms = NOW + 100 * SEC;
    NEED("not-due");
    assert_int_equal(make().at_ms, NOW + 864);
}

static void rehearsed(void **state)
{
    (void)state;
    assert_false(plan_rehearsed(&t.in, STAGING));
    add(STAGING, "rehearsal", "ok", 7 * DAY - SEC);
    assert_true(plan_rehearsed(&t.in, STAGING));
    assert_false(plan_rehearsed(&t.in, CA));
    t.ledger[0].outcome = "failed";
    assert_false(plan_rehearsed(&t.in, STAGING));
    t.ledger[0].outcome = "ok";
    t.ledger[0].at_ms = NOW - 7 * DAY;
    assert_false(plan_rehearsed(&t.in, STAGING));
}

static void spans(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "0 ms"},          {999, "999 ms"},       {1499, "1 s"},
                 {119 * SEC, "119 s"}, {2 * MINUTE, "2 min"}, {119 * MINUTE, "119 min"},
                 {40 * HOUR, "40 h"},  {50 * DAY, "50 d"},    {-5, "-5 ms"}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[PLAN_SPAN_TEXT];
        plan_span_text(cases[i].ms, text);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(by_lifetime, setup),
        cmocka_unit_test_setup(what_there_is, setup),
        cmocka_unit_test_setup(a_moment_away_is_waited_for_without_spinning, setup),
        cmocka_unit_test_setup(by_window, setup),
        cmocka_unit_test_setup(the_operators_wish_is_earlier_than_the_window, setup),
        cmocka_unit_test(a_moment_of_the_window),
        cmocka_unit_test(asking_again),
        cmocka_unit_test(alarms),
        cmocka_unit_test_setup(each_gate, setup),
        cmocka_unit_test_setup(budgets, setup),
        cmocka_unit_test_setup(backoff_grows, setup),
        cmocka_unit_test_setup(what_ends_a_row_of_failures, setup),
        cmocka_unit_test_setup(what_the_ca_said, setup),
        cmocka_unit_test_setup(a_paused_account_waits_for_a_human, setup),
        cmocka_unit_test_setup(an_override_passes_one_gate, setup),
        cmocka_unit_test_setup(renewal_information_is_exempt_from_the_week, setup),
        cmocka_unit_test_setup(what_is_revoked_is_due, setup),
        cmocka_unit_test_setup(of_several_the_last_one_to_open_counts, setup),
        cmocka_unit_test_setup(clocks_jump, setup),
        cmocka_unit_test_setup(seconds_for_days, setup),
        cmocka_unit_test_setup(rehearsed, setup),
        cmocka_unit_test(spans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
