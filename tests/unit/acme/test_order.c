/* acme/order: lists of events in, actions out. A world that goes well answers each action; a test says
 * which answer is another one, and compares everything the machine did, written down as words:
 * ~state (told), =state (saved), other actions by name, with their index where they have one. */
#include "acme/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define WALL_MS 1800000000000

struct answer {
    enum acme_act_kind kind;
    unsigned nth; /* of its kind, from 1; 0: each */
    struct acme_ev ev;
};

static struct {
    struct acme_order o;
    struct acme_order_options options;
    int64_t now_ms, wall_ms, waited_ms, last_wait_ms;
    unsigned seen[ACME_ACT_DONE + 1];
    struct answer answers[8];
    size_t answers_count;
    struct acme_problem problems[8];
    size_t problems_count;
    struct acme_directory directory;
    struct acme_order_object order;
    struct acme_authorization authz[2];
    bool validated;       /* the challenges were posted */
    unsigned authz_polls; /* ... and looked at so often before they are valid */
    char cancel_at[16];
    char log[4096];
} t;

static const char *const names_two[] = {"*.example.com", "example.com"};

/* ---- the world ---------------------------------------------------------------------------------- */

static void set_authz(struct acme_authorization *a, unsigned i)
{
    static const enum acme_challenge_type types[] = {ACME_OTHER, ACME_HTTP01, ACME_DNS01,
                                                     ACME_ALPN01};
    memset(a, 0, sizeof *a);
    a->status = ACME_STATUS_PENDING;
    snprintf(a->name, sizeof a->name, "example.com");
    a->wildcard = i == 0;
    a->challenges_count = 4;
    for (unsigned k = 0; k < 4; k++) { /* the order is the CA's: another one for each */
        struct acme_challenge *c = &a->challenges[(k + i) % 4];
        c->type = types[k];
        c->status = ACME_STATUS_PENDING;
        snprintf(c->url, sizeof c->url, "https://ca/chal/%u/%u", i, k);
        snprintf(c->token, sizeof c->token, "token-%u-%u", i, k);
    }
}

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    t.now_ms = 5000000;
    t.wall_ms = WALL_MS;
    t.options = (struct acme_order_options){
        .type = ACME_DNS01, .names = names_two, .names_count = 2, .replaces = false};
    t.order.status = ACME_STATUS_PENDING;
    t.order.expires_ms = WALL_MS + 8 * 3600000;
    snprintf(t.order.finalize, sizeof t.order.finalize, "https://ca/finalize");
    t.order.names_count = t.order.authorizations_count = 2;
    for (unsigned i = 0; i < 2; i++) {
        snprintf(t.order.names[i], sizeof t.order.names[i], "%s", names_two[1 - i]);
        snprintf(t.order.authorizations[i], sizeof t.order.authorizations[i], "https://ca/authz/%u",
                 i);
        set_authz(&t.authz[i], i);
    }
    return 0;
}

static void note(const char *word)
{
    size_t len = strlen(t.log);
    assert_true(len + strlen(word) + 2 < sizeof t.log);
    snprintf(t.log + len, sizeof t.log - len, "%s%s", len > 0 ? " " : "", word);
}

static void note_act(const struct acme_act *act)
{
    static const char *const words[] = {[ACME_ACT_LOAD] = "load",
                                        [ACME_ACT_DIRECTORY] = "directory",
                                        [ACME_ACT_ACCOUNT] = "account",
                                        [ACME_ACT_PRECHECK] = "precheck",
                                        [ACME_ACT_STAGE] = "stage",
                                        [ACME_ACT_CONFIRM] = "confirm",
                                        [ACME_ACT_NEW_ORDER] = "newOrder",
                                        [ACME_ACT_ORDER] = "order",
                                        [ACME_ACT_PUBLISH] = "publish",
                                        [ACME_ACT_PROVE] = "prove",
                                        [ACME_ACT_FINALIZE] = "finalize",
                                        [ACME_ACT_CHECK] = "check",
                                        [ACME_ACT_STORE] = "store",
                                        [ACME_ACT_WITNESSES] = "witnesses",
                                        [ACME_ACT_END] = "end",
                                        [ACME_ACT_WAIT] = "wait",
                                        [ACME_ACT_DONE] = "done",
                                        [ACME_ACT_AUTHORIZATION] = "authz",
                                        [ACME_ACT_CHALLENGE] = "challenge",
                                        [ACME_ACT_DOWNLOAD] = "download",
                                        [ACME_ACT_DEACTIVATE] = "deactivate"};
    static const char *const entries[] = {"order", "authz", "cert", "rehearsal"};
    static const char *const outcomes[] = {"open", "ok", "failed"};
    char word[64];
    switch (act->kind) {
    case ACME_ACT_TELL:
    case ACME_ACT_SAVE:
        snprintf(word, sizeof word, "%c%s", act->kind == ACME_ACT_TELL ? '~' : '=',
                 acme_order_state_text(t.o.state));
        break;
    case ACME_ACT_LEDGER:
        snprintf(word, sizeof word, "[%s %s]", entries[act->entry], outcomes[act->outcome]);
        assert_true((act->outcome == ACME_ENTRY_FAILED) == (act->problem != NULL));
        break;
    case ACME_ACT_AUTHORIZATION:
    case ACME_ACT_CHALLENGE:
    case ACME_ACT_DOWNLOAD:
    case ACME_ACT_DEACTIVATE:
        snprintf(word, sizeof word, "%s%zu", words[act->kind], act->index);
        break;
    default:
        assert_non_null(words[act->kind]);
        snprintf(word, sizeof word, "%s%s", words[act->kind], act->anew ? "!" : "");
        break;
    }
    note(word);
}

static struct acme_ev well(const struct acme_act *act)
{
    static char certificate[] = "https://ca/cert";
    struct acme_ev ev = {.kind = ACME_EV_RESULT, .retry_ms = -1};
    switch (act->kind) {
    case ACME_ACT_DIRECTORY:
        ev.directory = &t.directory;
        break;
    case ACME_ACT_CONFIRM:
        ev.held = true;
        break;
    case ACME_ACT_NEW_ORDER:
        ev.url = "https://ca/order";
        ev.order = &t.order;
        break;
    case ACME_ACT_ORDER:
    case ACME_ACT_FINALIZE:
        if (act->kind == ACME_ACT_FINALIZE) {
            t.order.status = ACME_STATUS_PROCESSING;
        } else if (t.o.state == ORDER_ISSUE) {
            t.order.status = ACME_STATUS_VALID;
            memcpy(t.order.certificate, certificate, sizeof certificate);
        } else if (t.o.state == ORDER_VALIDATE) {
            t.order.status = ACME_STATUS_READY;
        }
        ev.order = &t.order;
        break;
    case ACME_ACT_AUTHORIZATION:
        if (t.o.state == ORDER_VALIDATE && t.seen[ACME_ACT_AUTHORIZATION] > 2 + 2 * t.authz_polls) {
            t.authz[act->index].status = ACME_STATUS_VALID;
        }
        ev.authorization = &t.authz[act->index];
        break;
    case ACME_ACT_DOWNLOAD:
        ev.matches = true;
        break;
    default:
        break;
    }
    return ev;
}

static struct acme_ev answer_to(const struct acme_act *act)
{
    for (size_t i = 0; i < t.answers_count; i++) {
        const struct answer *a = &t.answers[i];
        if (a->kind == act->kind && (a->nth == 0 || a->nth == t.seen[act->kind])) {
            return a->ev;
        }
    }
    return well(act);
}

/* Runs to the end; the log is compared with WANT. */
static void run(const char *want)
{
    struct acme_ev ev = {.kind = ACME_EV_GO, .retry_ms = -1};
    acme_order_init(&t.o, &t.options);
    for (unsigned n = 0; n < 5000; n++) {
        ev.now_ms = t.now_ms;
        ev.wall_ms = t.wall_ms;
        struct acme_act act = acme_order_next(&t.o, &ev);
        note_act(&act);
        if (act.kind == ACME_ACT_DONE) {
            if (want != NULL) {
                assert_string_equal(want, t.log);
            }
            return;
        }
        t.seen[act.kind]++;
        if (act.kind == ACME_ACT_WAIT) {
            t.last_wait_ms = act.wait_ms;
            t.waited_ms += act.wait_ms;
            t.now_ms += act.wait_ms;
            t.wall_ms += act.wait_ms;
        }
        ev = answer_to(&act);
        if (t.cancel_at[0] != '\0' && strcmp(acme_order_state_text(t.o.state), t.cancel_at) == 0) {
            struct acme_ev cancel = {.kind = ACME_EV_CANCEL};
            assert_int_equal(ACME_ACT_NONE, acme_order_next(&t.o, &cancel).kind);
        }
    }
    fail_msg("no end: %.600s", t.log);
}

static void answer(enum acme_act_kind kind, unsigned nth, struct acme_ev ev)
{
    ev.kind = ACME_EV_RESULT;
    t.answers[t.answers_count++] = (struct answer){.kind = kind, .nth = nth, .ev = ev};
}

static void answer_err(enum acme_act_kind kind, unsigned nth, enum err e)
{
    answer(kind, nth, (struct acme_ev){.e = e, .text = "because", .retry_ms = -1});
}

static void answer_problem(enum acme_act_kind kind, unsigned nth, enum acme_class class,
                           const char *type, int64_t retry_ms)
{
    struct acme_problem *p = &t.problems[t.problems_count++];
    *p = (struct acme_problem){.class = class, .status = 400, .text = "said so", .retry_ms = -1};
    snprintf(p->type, sizeof p->type, "%s", type);
    answer(kind, nth, (struct acme_ev){.problem = p, .retry_ms = retry_ms});
}

static void need_failure(const char *state, enum acme_class class, const char *type)
{
    assert_false(acme_order_result(&t.o));
    assert_string_equal(state, acme_order_state_text(t.o.failed_in));
    assert_int_equal(class, t.o.problem.class);
    assert_string_equal(type, t.o.problem.type);
}

static bool did(const char *what)
{
    return strstr(t.log, what) != NULL;
}

#define START "~begin load ~directory directory ~account account ~precheck precheck stage =new "
#define OPEN  START "[order open] confirm newOrder =ordered =authorize "
#define PROVED                                                                                     \
    "=publish publish =prove prove =challenge confirm challenge0 confirm challenge1 =validate "
#define VALID  "wait authz0 authz1 order "
#define ISSUED "=finalize confirm finalize =issue wait order =download download0 check =store "
#define STORED "store [cert ok] [order ok] =clean end done"
#define OUT    "~failed [order failed] "

/* ---- all well ------------------------------------------------------------------------------------- */

static void test_all_well(void **state)
{
    (void)state;
    run(OPEN "authz0 authz1 " PROVED VALID ISSUED STORED);
    assert_true(acme_order_result(&t.o));
    assert_string_equal("", t.o.profile);
    /* Of the kind asked for, wherever it stands; both values of one name. */
    assert_string_equal("token-0-2", t.o.authz[0].token);
    assert_string_equal("token-1-2", t.o.authz[1].token);
    assert_string_equal("https://ca/chal/1/2", t.o.authz[1].challenge);
    assert_int_equal(2 * ORDER_POLL_SOON_MS, t.waited_ms);
}

static void test_rehearsal(void **state)
{
    (void)state;
    t.options.rehearsal = true;
    run(OPEN "authz0 authz1 " PROVED VALID ISSUED
             "[order ok] [rehearsal ok] =clean end done"); /* nothing is stored */
    assert_true(acme_order_result(&t.o));
}

static void test_other_challenge(void **state)
{
    (void)state;
    t.options.type = ACME_ALPN01;
    run(NULL);
    assert_true(acme_order_result(&t.o));
    assert_string_equal("token-0-3", t.o.authz[0].token);
}

static void test_valid_authorizations(void **state)
{
    (void)state;
    t.authz[0].status = ACME_STATUS_VALID; /* one: the other is proved */
    run(OPEN "authz0 authz1 =publish publish =prove prove =challenge confirm challenge1 =validate "
             "wait authz1 order " ISSUED STORED);
    setup(NULL);
    t.authz[0].status = t.authz[1].status = ACME_STATUS_VALID;
    t.authz[0].challenges_count = 0;
    run(OPEN "authz0 authz1 =validate order " ISSUED STORED);
}

static void test_enters_where_it_is(void **state)
{
    (void)state;
    t.order.status = ACME_STATUS_READY;
    run(START "[order open] confirm newOrder =ordered " ISSUED STORED);
    setup(NULL);
    t.order.status = ACME_STATUS_PROCESSING;
    run(START "[order open] confirm newOrder =ordered =issue wait order =download download0 check "
              "=store " STORED);
    setup(NULL);
    t.order.status = ACME_STATUS_VALID;
    snprintf(t.order.certificate, sizeof t.order.certificate, "https://ca/cert");
    run(START "[order open] confirm newOrder =ordered =download download0 check =store " STORED);
    setup(NULL);
    t.order.authorizations_count = 0; /* nothing to prove, not ready yet: ask */
    static struct acme_order_object ready;
    ready = t.order;
    ready.status = ACME_STATUS_READY;
    answer(ACME_ACT_ORDER, 2, (struct acme_ev){.order = &ready, .retry_ms = -1});
    run(OPEN "order wait order " ISSUED STORED);
}

/* ---- polling --------------------------------------------------------------------------------------- */

static void test_own_pace(void **state)
{
    (void)state;
    t.authz_polls = 6; /* one soon, 1 + 2 + 3 + 4 + 5 + 5, and soon for the order */
    run(NULL);
    assert_true(acme_order_result(&t.o));
    assert_int_equal(20000 + 2 * ORDER_POLL_SOON_MS, t.waited_ms);
}

static void test_retry_after_while_polling(void **state)
{
    (void)state;
    static const struct {
        int64_t said_ms, waited_ms;
    } cases[] = {{0, 1000}, {3000, 3000}, {60000, 60000}, {600000, 60000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        setup(NULL);
        static struct acme_order_object processing;
        processing = t.order;
        processing.status = ACME_STATUS_PROCESSING;
        answer(ACME_ACT_FINALIZE, 1,
               (struct acme_ev){.order = &processing, .retry_ms = cases[i].said_ms});
        run(NULL);
        assert_true(acme_order_result(&t.o));
        assert_int_equal(cases[i].waited_ms, t.last_wait_ms);
    }
    setup(NULL); /* of several the longest */
    answer(ACME_ACT_CHALLENGE, 1, (struct acme_ev){.retry_ms = 7000});
    answer(ACME_ACT_CHALLENGE, 2, (struct acme_ev){.retry_ms = 2000});
    run(NULL);
    assert_int_equal(7000 + ORDER_POLL_SOON_MS, t.waited_ms);
}

static void test_deadline(void **state)
{
    (void)state;
    t.authz_polls = 100000;
    run(NULL);
    need_failure("validate", ACME_AGAIN, "deadline");
    assert_in_range(t.waited_ms, ORDER_DEADLINE_MS - 6000, ORDER_DEADLINE_MS);
    assert_true(did("deactivate0 deactivate1 end done"));
    setup(NULL); /* the CA's own is nearer */
    t.authz_polls = 100000;
    t.order.expires_ms = WALL_MS + 20000;
    run(NULL);
    need_failure("validate", ACME_AGAIN, "deadline");
    assert_in_range(t.waited_ms, 14000, 20000);
}

/* ---- failures that are transient ------------------------------------------------------------------- */

static void test_transient(void **state)
{
    (void)state;
    static const enum acme_act_kind each[] = {
        ACME_ACT_SAVE,     ACME_ACT_LOAD,          ACME_ACT_DIRECTORY, ACME_ACT_PRECHECK,
        ACME_ACT_STAGE,    ACME_ACT_LEDGER,        ACME_ACT_NEW_ORDER, ACME_ACT_ORDER,
        ACME_ACT_PUBLISH,  ACME_ACT_AUTHORIZATION, ACME_ACT_CHALLENGE, ACME_ACT_FINALIZE,
        ACME_ACT_DOWNLOAD, ACME_ACT_STORE};
    for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) {
        setup(NULL);
        for (unsigned n = 1; n <= 3; n++) {
            answer_err(each[i], n, ERR_UNAVAIL);
        }
        run(NULL);
        if (!acme_order_result(&t.o)) {
            fail_msg("action %d: %s", each[i], t.log);
        }
    }
    /* What was asked for again is what was asked for. */
    setup(NULL);
    answer_err(ACME_ACT_LEDGER, 1, ERR_BUSY);
    answer_err(ACME_ACT_CHALLENGE, 2, ERR_TIMEOUT);
    run(START "[order open] wait [order open] confirm newOrder =ordered =authorize authz0 authz1 "
              "=publish publish =prove prove =challenge confirm challenge0 confirm challenge1 wait "
              "confirm challenge1 =validate " VALID ISSUED STORED);
}

static void test_transient_too_often(void **state)
{
    (void)state;
    answer_problem(ACME_ACT_AUTHORIZATION, 0, ACME_AGAIN, "serverInternal", -1);
    run(NULL);
    need_failure("authorize", ACME_AGAIN, "serverInternal");
    assert_int_equal(ORDER_TRIES_MAX, t.seen[ACME_ACT_AUTHORIZATION]);
    assert_int_equal(1000 + 2000 + 4000 + 8000 + 16000 + 32000 + 60000, t.waited_ms);
    setup(NULL); /* a pause that was asked for, and one that is too long to be sat out */
    answer_problem(ACME_ACT_AUTHORIZATION, 1, ACME_AGAIN, "", 9000);
    answer_problem(ACME_ACT_AUTHORIZATION, 2, ACME_AGAIN, "", 61000);
    run(NULL);
    need_failure("authorize", ACME_AGAIN, "");
    assert_int_equal(9000, t.waited_ms);
    assert_int_equal(61000, t.o.problem.retry_ms);
}

static void test_no_second_order(void **state)
{
    (void)state;
    /* An answer to newOrder that cannot be read: there may be an order. */
    answer_err(ACME_ACT_NEW_ORDER, 0, ERR_MALFORMED);
    run(START "[order open] confirm newOrder " OUT "end done");
    setup(NULL);
    answer_err(ACME_ACT_AUTHORIZATION, 1, ERR_MALFORMED); /* reading again does not hurt */
    run(NULL);
    assert_true(acme_order_result(&t.o));
    setup(NULL);
    answer_err(ACME_ACT_AUTHORIZATION, 1, ERR_LIMIT);
    run(NULL);
    need_failure("authorize", ACME_AGAIN, "");
}

static void test_finalize_is_looked_at(void **state)
{
    (void)state;
    /* The answer got lost: it was taken. */
    static struct acme_order_object processing;
    processing = t.order;
    processing.status = ACME_STATUS_PROCESSING;
    answer_err(ACME_ACT_FINALIZE, 1, ERR_TIMEOUT);
    answer(ACME_ACT_ORDER, 2, (struct acme_ev){.order = &processing, .retry_ms = -1});
    run(OPEN "authz0 authz1 " PROVED VALID
             "=finalize confirm finalize wait order =issue wait order "
             "=download download0 check =store " STORED);
    setup(NULL); /* it was not: READY is what order says */
    t.order.status = ACME_STATUS_READY;
    answer_problem(ACME_ACT_FINALIZE, 1, ACME_DENIED, "orderNotReady", -1);
    answer_problem(ACME_ACT_FINALIZE, 2, ACME_AGAIN, "serverInternal", 5000);
    run(START "[order open] confirm newOrder =ordered =finalize confirm finalize wait order "
              "=finalize confirm finalize wait order " ISSUED STORED);
    setup(NULL); /* for ever */
    t.order.status = ACME_STATUS_READY;
    answer_problem(ACME_ACT_FINALIZE, 0, ACME_AGAIN, "serverInternal", -1);
    run(NULL);
    need_failure("finalize", ACME_AGAIN, "serverInternal");
    assert_int_equal(ORDER_TRIES_MAX, t.seen[ACME_ACT_FINALIZE]);
}

/* ---- failures that are not ----------------------------------------------------------------------------- */

static void test_classes(void **state)
{
    (void)state;
    /* Each class ends it at once, wherever it is met. */
    static const enum acme_class classes[] = {ACME_LIMITED, ACME_PAUSED, ACME_TERMS, ACME_DENIED};
    static const enum acme_act_kind at[] = {
        ACME_ACT_DIRECTORY,     ACME_ACT_ACCOUNT,   ACME_ACT_NEW_ORDER, ACME_ACT_ORDER,
        ACME_ACT_AUTHORIZATION, ACME_ACT_CHALLENGE, ACME_ACT_FINALIZE,  ACME_ACT_DOWNLOAD};
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        for (size_t k = 0; k < sizeof at / sizeof at[0]; k++) {
            setup(NULL);
            answer_problem(at[k], 0, classes[i], "word", 3600000);
            run(NULL);
            assert_false(acme_order_result(&t.o));
            assert_int_equal(classes[i], t.o.problem.class);
            assert_string_equal("word", t.o.problem.type);
            assert_int_equal(3600000, t.o.problem.retry_ms);
            assert_int_equal(1, t.seen[at[k]]);
            assert_true(did("[order failed]"));
            assert_int_equal(did("stage"), did(" end done"));
        }
    }
    static const enum acme_class others[] = {ACME_BUG, ACME_ORDER, ACME_IDENTIFIER};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        setup(NULL);
        answer_problem(ACME_ACT_NEW_ORDER, 0, others[i], "rejectedIdentifier", -1);
        run(START "[order open] confirm newOrder " OUT "end done");
        need_failure("new", others[i], "rejectedIdentifier");
        setup(NULL);
        answer_problem(ACME_ACT_FINALIZE, 0, others[i], "badCSR", -1);
        run(NULL);
        need_failure("finalize", others[i], "badCSR");
    }
}

static void test_replaced(void **state)
{
    (void)state;
    t.options.replaces = true;
    answer_problem(ACME_ACT_NEW_ORDER, 1, ACME_REPLACED, "alreadyReplaced", -1);
    run(START
        "[order open] confirm newOrder confirm newOrder =ordered =authorize authz0 authz1 " PROVED
            VALID ISSUED STORED);
    assert_true(acme_order_result(&t.o));
    assert_false(t.o.with_replaces);
    assert_int_equal(2 * ORDER_POLL_SOON_MS, t.waited_ms); /* at once */
    setup(NULL);
    t.options.replaces = true;
    answer_problem(ACME_ACT_NEW_ORDER, 0, ACME_REPLACED, "alreadyReplaced", -1);
    run(NULL);
    need_failure("new", ACME_REPLACED, "alreadyReplaced");
    assert_int_equal(2, t.seen[ACME_ACT_NEW_ORDER]);
    setup(NULL); /* it was not even asked for */
    answer_problem(ACME_ACT_NEW_ORDER, 0, ACME_REPLACED, "conflict", -1);
    run(NULL);
    assert_int_equal(1, t.seen[ACME_ACT_NEW_ORDER]);
}

static void offer(const char *profile)
{
    snprintf(t.directory.profiles[t.directory.profiles_count++], 64, "%s", profile);
}

static void test_profiles(void **state)
{
    (void)state;
    static const struct {
        const char *want, *offered, *asked; /* asked NULL: refused */
    } cases[] = {{NULL, NULL, ""},
                 {"auto", "classic", ""},
                 {NULL, "tlsserver", "tlsserver"},
                 {"auto", "tlsserver", "tlsserver"},
                 {"shortlived", "shortlived", "shortlived"},
                 {"shortlived", "tlsserver", NULL},
                 {"shortlived", NULL, NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        setup(NULL);
        t.options.profile = cases[i].want;
        if (cases[i].offered != NULL) {
            offer("other");
            offer(cases[i].offered);
        }
        run(NULL);
        if (cases[i].asked == NULL) {
            need_failure("directory", ACME_PROFILE, "profile");
            assert_false(did("newOrder"));
        } else {
            assert_true(acme_order_result(&t.o));
            assert_string_equal(cases[i].asked, t.o.profile);
        }
    }
    setup(NULL); /* offered, and refused: without it if nobody named it */
    offer("tlsserver");
    answer_problem(ACME_ACT_NEW_ORDER, 1, ACME_PROFILE, "invalidProfile", -1);
    run(NULL);
    assert_true(acme_order_result(&t.o));
    assert_string_equal("", t.o.profile);
    setup(NULL);
    t.options.profile = "tlsserver";
    offer("tlsserver");
    answer_problem(ACME_ACT_NEW_ORDER, 1, ACME_PROFILE, "invalidProfile", -1);
    run(NULL);
    need_failure("new", ACME_PROFILE, "invalidProfile");
}

static void test_account_gone(void **state)
{
    (void)state;
    static const struct {
        enum acme_class class;
        const char *type;
    } ways[] = {{ACME_ACCOUNT, "accountDoesNotExist"}, {ACME_IDENTIFIER, "unauthorized"}};
    for (size_t i = 0; i < 2; i++) {
        setup(NULL);
        answer_problem(ACME_ACT_NEW_ORDER, 1, ways[i].class, ways[i].type, -1);
        /* Another account has other CAA, and the key staged is kept. */
        run(START "[order open] confirm newOrder ~account account! ~precheck precheck =new "
                  "[order open] confirm newOrder =ordered =authorize authz0 authz1 " PROVED VALID
                      ISSUED STORED);
        setup(NULL);
        answer_problem(ACME_ACT_NEW_ORDER, 0, ways[i].class, ways[i].type, -1);
        run(NULL);
        need_failure("new", ways[i].class, ways[i].type);
        assert_int_equal(2, t.seen[ACME_ACT_NEW_ORDER]);
    }
    setup(NULL);
    answer_problem(ACME_ACT_ACCOUNT, 1, ACME_DENIED, "externalAccountRequired", -1);
    run("~begin load ~directory directory ~account account " OUT "done");
    need_failure("account", ACME_DENIED, "externalAccountRequired");
}

static void test_precheck(void **state)
{
    (void)state;
    answer_err(ACME_ACT_PRECHECK, 0, ERR_DENIED);
    run("~begin load ~directory directory ~account account ~precheck precheck " OUT "done");
    need_failure("precheck", ACME_IDENTIFIER, "precheck");
    assert_string_equal("because", t.o.problem.text);
    assert_false(t.o.lease_lost);
    setup(NULL);
    t.options.rehearsal = true;
    answer_err(ACME_ACT_PRECHECK, 0, ERR_DENIED);
    run("~begin load ~directory directory ~account account ~precheck precheck ~failed [order "
        "failed] "
        "[rehearsal failed] done");
}

/* ---- what the CA's objects say ----------------------------------------------------------------------- */

static void test_names(void **state)
{
    (void)state;
    static const struct {
        size_t count;
        const char *names[3];
    } wrong[] = {{1, {"example.com", NULL, NULL}},
                 {2, {"example.com", "example.com", NULL}},
                 {2, {"example.com", "*.example.org", NULL}},
                 {3, {"example.com", "*.example.com", "www.example.com"}},
                 {0, {NULL, NULL, NULL}}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        setup(NULL);
        t.order.names_count = wrong[i].count;
        for (size_t k = 0; k < wrong[i].count; k++) {
            snprintf(t.order.names[k], sizeof t.order.names[k], "%s", wrong[i].names[k]);
        }
        run(NULL);
        need_failure("new", ACME_DENIED, "order");
        assert_false(did("publish"));
    }
    setup(NULL);
    snprintf(t.authz[1].name, sizeof t.authz[1].name, "example.org");
    run(NULL);
    need_failure("authorize", ACME_DENIED, "authorization");
    assert_false(did("publish"));
}

static void test_bad_new_order(void **state)
{
    (void)state;
    answer(ACME_ACT_NEW_ORDER, 1, (struct acme_ev){.order = &t.order, .retry_ms = -1});
    run(NULL);
    need_failure("new", ACME_AGAIN, "order"); /* no Location */
    setup(NULL);
    t.order.status = ACME_STATUS_INVALID;
    run(NULL);
    need_failure("new", ACME_ORDER, "order");
    setup(NULL);
    t.order.status = ACME_STATUS_INVALID;
    t.order.has_error = true;
    t.order.error = (struct acme_problem){.class = ACME_IDENTIFIER, .type = "caa", .retry_ms = -1};
    run(NULL);
    need_failure("new", ACME_IDENTIFIER, "caa");
}

static void test_missing_challenge(void **state)
{
    (void)state;
    t.authz[1].challenges[3].type = ACME_OTHER; /* the DNS-01 of the second */
    run(OPEN "authz0 authz1 " OUT "deactivate0 end done");
    need_failure("authorize", ACME_IDENTIFIER, "challenge");
    assert_string_equal("example.com: the CA offers no dns-01 challenge", t.o.problem.text);
    setup(NULL);
    t.authz[0].challenges[2].token[0] = '\0';
    run(NULL);
    need_failure("authorize", ACME_IDENTIFIER, "challenge");
    setup(NULL);
    t.authz[0].status = ACME_STATUS_EXPIRED;
    run(NULL);
    need_failure("authorize", ACME_ORDER, "authorization");
}

static void test_validation_fails(void **state)
{
    (void)state;
    static struct acme_authorization bad;
    bad = t.authz[1];
    bad.status = ACME_STATUS_INVALID;
    bad.challenges[3].status = ACME_STATUS_INVALID;
    bad.challenges[3].has_error = true;
    bad.challenges[3].error = (struct acme_problem){
        .class = ACME_IDENTIFIER, .type = "dns", .text = "no TXT", .retry_ms = -1};
    answer(ACME_ACT_AUTHORIZATION, 4, (struct acme_ev){.authorization = &bad, .retry_ms = -1});
    t.authz_polls = 5;
    run(OPEN "authz0 authz1 " PROVED
             "wait authz0 authz1 ~failed [authz failed] witnesses [order failed] "
             "deactivate0 end done");
    need_failure("validate", ACME_IDENTIFIER, "dns");
    assert_string_equal("example.com: no TXT", t.o.problem.text);
    setup(NULL); /* both, and what goes wrong on the way out is passed over */
    t.options.rehearsal = true;
    answer(ACME_ACT_AUTHORIZATION, 3, (struct acme_ev){.authorization = &bad, .retry_ms = -1});
    answer(ACME_ACT_AUTHORIZATION, 4, (struct acme_ev){.authorization = &bad, .retry_ms = -1});
    answer_err(ACME_ACT_WITNESSES, 0, ERR_IO);
    answer_err(ACME_ACT_END, 0, ERR_IO);
    run(OPEN "authz0 authz1 " PROVED "wait authz0 authz1 ~failed [authz failed] [authz failed] "
             "witnesses [order failed] [rehearsal failed] end done");
}

static void test_challenge_not_taken(void **state)
{
    (void)state;
    answer_problem(ACME_ACT_CHALLENGE, 1, ACME_BUG, "malformed", -1);
    run(NULL); /* the authorization is what counts, and it is valid */
    assert_true(acme_order_result(&t.o));
    setup(NULL);
    t.authz_polls = 5;
    answer_problem(ACME_ACT_CHALLENGE, 1, ACME_BUG, "malformed", -1);
    run(OPEN "authz0 authz1 " PROVED "wait authz0 authz1 " OUT "deactivate0 deactivate1 end done");
    need_failure("validate", ACME_BUG, "malformed");
}

static void test_propagation(void **state)
{
    (void)state;
    answer_err(ACME_ACT_PROVE, 0, ERR_TIMEOUT);
    run(OPEN "authz0 authz1 =publish publish =prove prove " OUT "deactivate0 deactivate1 end done");
    need_failure("prove", ACME_AGAIN, "propagation"); /* no challenge was posted */
    setup(NULL); /* nobody there: one deactivation is enough to find out */
    answer_err(ACME_ACT_PROVE, 0, ERR_TIMEOUT);
    answer_err(ACME_ACT_DEACTIVATE, 0, ERR_UNAVAIL);
    run(OPEN "authz0 authz1 =publish publish =prove prove " OUT "deactivate0 end done");
}

static void test_issuing_fails(void **state)
{
    (void)state;
    static struct acme_order_object bad;
    bad = t.order;
    bad.status = ACME_STATUS_INVALID;
    bad.has_error = true;
    bad.error = (struct acme_problem){.class = ACME_IDENTIFIER, .type = "caa", .retry_ms = -1};
    answer(ACME_ACT_FINALIZE, 1, (struct acme_ev){.order = &bad, .retry_ms = -1});
    run(NULL);
    need_failure("finalize", ACME_IDENTIFIER, "caa");
    setup(NULL);
    answer(ACME_ACT_ORDER, 2, (struct acme_ev){.order = &bad, .retry_ms = -1});
    run(NULL);
    need_failure("issue", ACME_IDENTIFIER, "caa");
    setup(NULL); /* what came is not what was asked for */
    answer_err(ACME_ACT_CHECK, 0, ERR_CONFLICT);
    run(NULL);
    need_failure("download", ACME_AGAIN, "certificate");
    assert_int_equal(0, t.seen[ACME_ACT_STORE]);
    assert_true(did("check " OUT "end done"));
    setup(NULL);
    answer_err(ACME_ACT_STORE, 0, ERR_CONFLICT);
    run(NULL);
    need_failure("store", ACME_AGAIN, "conflict");
}

static void test_slow_to_say(void **state)
{
    (void)state;
    /* READY after finalize is another machine's of the CA's; VALID without a certificate is early. */
    static struct acme_order_object ready, early;
    ready = early = t.order;
    ready.status = ACME_STATUS_READY;
    early.status = ACME_STATUS_VALID;
    answer(ACME_ACT_ORDER, 2, (struct acme_ev){.order = &ready, .retry_ms = -1});
    answer(ACME_ACT_ORDER, 3, (struct acme_ev){.order = &early, .retry_ms = -1});
    run(OPEN "authz0 authz1 " PROVED VALID
             "=finalize confirm finalize =issue wait order wait order "
             "wait order =download download0 check =store " STORED);
    setup(NULL); /* at once */
    static struct acme_order_object valid;
    valid = t.order;
    valid.status = ACME_STATUS_VALID;
    snprintf(valid.certificate, sizeof valid.certificate, "https://ca/cert");
    answer(ACME_ACT_FINALIZE, 1, (struct acme_ev){.order = &valid, .retry_ms = -1});
    run(OPEN "authz0 authz1 " PROVED VALID "=finalize confirm finalize =download download0 check "
             "=store " STORED);
}

static void test_alternates(void **state)
{
    (void)state;
    static const char urls[2][ACME_URL_MAX] = {"https://ca/cert/1", "https://ca/cert/2"};
    const struct acme_ev first = {.alternates = urls, .alternates_count = 2, .retry_ms = -1};
    answer(ACME_ACT_DOWNLOAD, 1, first);
    answer(ACME_ACT_DOWNLOAD, 2, (struct acme_ev){.retry_ms = -1});
    run(NULL);
    assert_true(did("download0 download1 download2 check"));
    assert_true(t.o.chain_found);
    assert_string_equal(urls[1], t.o.alternates[1]);
    setup(NULL); /* there is none such, and one that cannot be had is passed over */
    answer(ACME_ACT_DOWNLOAD, 1, first);
    answer_err(ACME_ACT_DOWNLOAD, 2, ERR_UNAVAIL);
    answer(ACME_ACT_DOWNLOAD, 3, (struct acme_ev){.retry_ms = -1});
    run(NULL);
    assert_true(did("download0 download1 download2 check =store"));
    assert_false(t.o.chain_found);
    assert_true(acme_order_result(&t.o));
}

/* ---- resuming ------------------------------------------------------------------------------------------ */

#define FOUND "~begin load ~directory directory ~account account =authorize order "

static void found(bool usable, const char *url, int64_t expires_ms)
{
    answer(
        ACME_ACT_LOAD, 0,
        (struct acme_ev){
            .found = true, .usable = usable, .url = url, .expires_ms = expires_ms, .retry_ms = -1});
}

static void test_resumed(void **state)
{
    (void)state;
    found(true, "https://ca/order", WALL_MS + 1000000);
    run(FOUND "authz0 authz1 " PROVED VALID ISSUED STORED);
    assert_string_equal("https://ca/order", t.o.url);
    setup(NULL); /* the CA was told already */
    found(true, "https://ca/order", 0);
    t.authz[0].challenges[2].status = t.authz[1].challenges[3].status = ACME_STATUS_PROCESSING;
    run(FOUND
        "authz0 authz1 =publish publish =prove prove =challenge =validate " VALID ISSUED STORED);
    static const struct {
        enum acme_status status;
        const char *want;
    } cases[] = {{ACME_STATUS_READY, FOUND ISSUED STORED},
                 {ACME_STATUS_PROCESSING,
                  FOUND "=issue wait order =download download0 check =store " STORED},
                 {ACME_STATUS_VALID, FOUND "=download download0 check =store " STORED}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        setup(NULL);
        found(true, "https://ca/order", 0);
        t.order.status = cases[i].status;
        snprintf(t.order.certificate, sizeof t.order.certificate, "%s",
                 cases[i].status == ACME_STATUS_VALID ? "https://ca/cert" : "");
        run(cases[i].want);
        assert_true(acme_order_result(&t.o));
    }
}

#define ANEW_FROM "~precheck precheck stage =new [order open] confirm newOrder =ordered =authorize "

static void test_of_no_use(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        setup(NULL);
        found(i != 0, i == 1 ? "" : "https://ca/order", i == 2 ? WALL_MS - 1 : 0);
        run("~begin load [order failed] end ~directory directory ~account account " ANEW_FROM
            "authz0 authz1 " PROVED VALID ISSUED STORED);
    }
}

static void test_dead_order(void **state)
{
    (void)state;
    static struct acme_order_object dead;
    static struct acme_problem problems[] = {
        {.class = ACME_DENIED, .status = 404, .retry_ms = -1},
        {.class = ACME_ORDER, .status = 400, .retry_ms = -1},
        {.class = ACME_IDENTIFIER, .status = 403, .type = "unauthorized", .retry_ms = -1}};
    for (unsigned i = 0; i < 4; i++) {
        setup(NULL);
        found(true, "https://ca/old", 0);
        dead = t.order;
        dead.status = ACME_STATUS_INVALID;
        answer(ACME_ACT_ORDER, 1,
               (struct acme_ev){
                   .order = &dead, .problem = i < 3 ? &problems[i] : NULL, .retry_ms = -1});
        char want[2048];
        snprintf(want, sizeof want, "%s[order failed] end %s%s", FOUND,
                 i == 2 ? "~account account! " : "",
                 ANEW_FROM "authz0 authz1 " PROVED VALID ISSUED STORED);
        run(want);
        assert_string_equal("https://ca/order", t.o.url);
        assert_int_equal(ACME_FINE, t.o.problem.class);
    }
    setup(NULL); /* an authorization that nobody will use any more */
    static struct acme_authorization over;
    over = t.authz[1];
    over.status = ACME_STATUS_EXPIRED;
    found(true, "https://ca/old", 0);
    answer(ACME_ACT_AUTHORIZATION, 2, (struct acme_ev){.authorization = &over, .retry_ms = -1});
    run(NULL);
    assert_true(did("authz0 authz1 [order failed] end ~precheck"));
    assert_true(acme_order_result(&t.o));
    setup(NULL); /* once */
    found(true, "https://ca/old", 0);
    t.authz[1].status = ACME_STATUS_EXPIRED;
    run(NULL);
    need_failure("authorize", ACME_ORDER, "authorization");
    assert_int_equal(1, t.seen[ACME_ACT_NEW_ORDER]);
}

/* ---- the lease ------------------------------------------------------------------------------------------- */

static void test_not_held(void **state)
{
    (void)state;
    static const char *const want[] = {
        START "[order open] confirm done",
        OPEN "authz0 authz1 =publish publish =prove prove =challenge confirm done",
        OPEN
        "authz0 authz1 =publish publish =prove prove =challenge confirm challenge0 confirm done",
        OPEN "authz0 authz1 " PROVED VALID "=finalize confirm done"};
    for (unsigned i = 0; i < 4; i++) {
        setup(NULL);
        answer(ACME_ACT_CONFIRM, i + 1, (struct acme_ev){.held = false, .retry_ms = -1});
        run(want[i]);
        assert_true(t.o.lease_lost);
        assert_false(acme_order_result(&t.o));
    }
}

static void test_fenced_off(void **state)
{
    (void)state;
    static const enum acme_act_kind each[] = {ACME_ACT_SAVE,    ACME_ACT_LEDGER, ACME_ACT_PUBLISH,
                                              ACME_ACT_ACCOUNT, ACME_ACT_STORE,  ACME_ACT_END};
    for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) {
        for (unsigned nth = 1; nth < 20; nth++) {
            setup(NULL);
            answer_err(each[i], nth, ERR_DENIED);
            run(NULL);
            if (t.seen[each[i]] < nth) {
                assert_true(nth > 1);
                break;
            }
            assert_true(t.o.lease_lost);
            /* The last thing done is what was refused. */
            assert_int_equal(nth, t.seen[each[i]]);
            assert_false(did("~failed"));
            assert_false(each[i] != ACME_ACT_END && did(" end"));
            assert_int_equal(each[i] != ACME_ACT_STORE && did("[cert ok]"),
                             acme_order_result(&t.o));
        }
    }
    /* On the way out, too; others' refusals are not the fence's. */
    setup(NULL);
    answer_err(ACME_ACT_PROVE, 0, ERR_DENIED);
    answer_err(ACME_ACT_LEDGER, 2, ERR_DENIED);
    run(OPEN "authz0 authz1 =publish publish =prove prove ~failed [order failed] done");
    assert_true(t.o.lease_lost);
    setup(NULL);
    answer_err(ACME_ACT_AUTHORIZATION, 1, ERR_DENIED);
    run(NULL);
    assert_false(t.o.lease_lost);
    need_failure("authorize", ACME_DENIED, "");
}

static void test_canceled(void **state)
{
    (void)state;
    for (unsigned s = ORDER_BEGIN; s < ORDER_DONE; s++) {
        setup(NULL);
        snprintf(t.cancel_at, sizeof t.cancel_at, "%s",
                 acme_order_state_text((enum acme_order_state)s));
        run(NULL);
        assert_false(did("~failed"));
        assert_false(did(" end done"));
        assert_int_equal(s == ORDER_CLEAN, acme_order_result(&t.o));
        char last[32];
        snprintf(last, sizeof last, "%c%s done", s < ORDER_NEW ? '~' : '=', t.cancel_at);
        if (s == ORDER_PRECHECK) {
            assert_string_equal("~begin load ~directory directory ~account account ~precheck done",
                                t.log);
        }
        assert_true(did(last));
    }
}

static void test_won_is_won(void **state)
{
    (void)state;
    /* After the certificate is stored nothing makes it a failure. */
    answer_err(ACME_ACT_LEDGER, 2, ERR_IO);
    answer_err(ACME_ACT_LEDGER, 3, ERR_UNAVAIL);
    run(OPEN "authz0 authz1 " PROVED VALID ISSUED
             "store [cert ok] [order ok] wait [order ok] =clean "
             "end done");
    assert_true(acme_order_result(&t.o));
    setup(NULL);
    answer_err(ACME_ACT_END, 0, ERR_IO);
    run(OPEN "authz0 authz1 " PROVED VALID ISSUED STORED);
    assert_true(acme_order_result(&t.o));
    setup(NULL);
    answer_err(ACME_ACT_SAVE, 12, ERR_IO);
    run(NULL);
    assert_true(did("=clean done"));
    assert_true(acme_order_result(&t.o));
}

/* ---- words ------------------------------------------------------------------------------------------------ */

static void test_words(void **state)
{
    (void)state;
    enum acme_order_state s;
    for (unsigned i = 0; i < ORDER_STATES; i++) {
        s = ORDER_STATES;
        assert_true(acme_order_state_parse(acme_order_state_text((enum acme_order_state)i), &s));
        assert_int_equal(i, s);
    }
    assert_null(acme_order_state_text(ORDER_STATES));
    assert_false(acme_order_state_parse("", &s));
    assert_false(acme_order_state_parse("orders", &s));
    assert_true(acme_order_result(&t.o) == false);
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_all_well),
        T(test_rehearsal),
        T(test_other_challenge),
        T(test_valid_authorizations),
        T(test_enters_where_it_is),
        T(test_own_pace),
        T(test_retry_after_while_polling),
        T(test_deadline),
        T(test_transient),
        T(test_transient_too_often),
        T(test_no_second_order),
        T(test_finalize_is_looked_at),
        T(test_classes),
        T(test_replaced),
        T(test_profiles),
        T(test_account_gone),
        T(test_precheck),
        T(test_names),
        T(test_bad_new_order),
        T(test_missing_challenge),
        T(test_validation_fails),
        T(test_challenge_not_taken),
        T(test_propagation),
        T(test_issuing_fails),
        T(test_slow_to_say),
        T(test_alternates),
        T(test_resumed),
        T(test_of_no_use),
        T(test_dead_order),
        T(test_not_held),
        T(test_fenced_off),
        T(test_canceled),
        T(test_won_is_won),
        T(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
