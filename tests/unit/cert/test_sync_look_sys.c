/* cert/sync_look_sys: what one look makes of row and files, each system call of it failing or being the
 * last before a crash. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cert/sync_priv.h"
#include "lib/clock.h"
#include "sync_files.h"

#define HOST "a.example"
#define HOME "tls/a.example"
#define ROWS 5

static struct sync_files_row rows[ROWS]; /* [i]: generation i + 1 */
static struct cert_vault *vault, *other;
static int64_t now_ms;

static struct {
    char folder[64];
    struct sync_dir dir;
    struct cert_sync_options options;
    struct sync_look look; /* of the last run */
    unsigned pairs;
    char shown[65];
    unsigned calls, fail_at; /* of the gate; 0: never */
    int error;               /* to fail with; 0: die */
} t;

static const char *const names[] = {HOST};

/* ---- the world ----------------------------------------------------------------------------- */

static int make_all(void **state)
{
    (void)state;
    now_ms = clk_wall_ms(&clk_system);
    vault = sync_files_vault(SYNC_FILES_KEY);
    other = sync_files_vault(SYNC_FILES_OTHER);
    for (unsigned i = 0; i < ROWS; i++) {
        sync_files_row(&rows[i], vault, HOST, &(struct tls_make){.names = "DNS:" HOST}, i + 1,
                       now_ms + 1000 * i);
    }
    return 0;
}

static int free_all(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROWS; i++) {
        sync_files_row_free(&rows[i]);
    }
    cert_vault_free(vault);
    cert_vault_free(other);
    return 0;
}

static int on_call(void *ctx, const char *call)
{
    (void)ctx;
    (void)call;
    t.calls++;
    if (t.calls == t.fail_at) {
        if (t.error == 0) {
            _exit(0);
        }
        return t.error;
    }
    return 0;
}

static void start(void)
{
    struct err_info info = {.text = ""};
    t.dir.gate = (struct folder_gate){.ask = NULL};
    if (sync_dir_open(&t.dir, "tls", HOST, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    t.dir.gate = (struct folder_gate){on_call, NULL};
    t.look = (struct sync_look){.dir = &t.dir};
    t.shown[0] = '\0';
    t.pairs = 0;
}

static void stop(void)
{
    sync_dir_close(&t.dir);
}

static void restart(void)
{
    stop();
    start();
}

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    sync_files_begin(t.folder);
    t.options = (struct cert_sync_options){
        .tls_dir = "tls", .hostname = HOST, .names = names, .names_count = 1, .vault = vault};
    start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stop();
    sync_files_end(t.folder);
    return 0;
}

static enum err look_at(const struct cert_sync_row *row, int64_t at_ms)
{
    struct sync_look l = {.dir = &t.dir,
                          .options = &t.options,
                          .row = row,
                          .now_ms = at_ms,
                          .have = t.look.have,
                          .last = t.look.last,
                          .has_last = t.look.has_last};
    sync_look_run(&l);
    if (l.pair != NULL) {
        snprintf(t.shown, sizeof t.shown, "%s", tls_pair_info(l.pair)->sha256);
        assert_string_equal(l.have.sha256, t.shown);
        tls_pair_unref(l.pair);
        t.pairs++;
    }
    assert_true((l.e == ERR_OK) == (l.step[0] == '\0'));
    assert_true((l.e == ERR_OK) == (l.info.text[0] == '\0'));
    assert_null(strstr(l.info.text, "PRIVATE"));
    t.look = l;
    return l.e;
}

static enum err look(const struct sync_files_row *row)
{
    return look_at(row != NULL ? &row->row : NULL, now_ms);
}

/* ROW's pair is what whoever reads the files gets. */
static bool files_are(const struct sync_files_row *row)
{
    return sync_files_has(HOME "/fullchain.pem", row->made->cert) &&
           sync_files_has(HOME "/privkey.pem", row->made->private);
}

static bool shows(const struct sync_files_row *row)
{
    struct tls_pair *p = tls_pair_of(row->made);
    bool same = strcmp(tls_pair_info(p)->sha256, t.shown) == 0;
    tls_pair_unref(p);
    return same;
}

static void good(const struct sync_files_row *row)
{
    if (look(row) != ERR_OK) {
        fail_msg("%s: %s", t.look.step, t.look.info.text);
    }
    assert_true(files_are(row) && shows(row));
}

static void refused(enum err e, const char *step, const char *why)
{
    assert_int_equal(t.look.e, e);
    assert_string_equal(t.look.step, step);
    if (strstr(t.look.info.text, why) == NULL) {
        fail_msg("%s", t.look.info.text);
    }
}

/* ---- rows ---------------------------------------------------------------------------------- */

static void nothing_is_no_problem(void **state)
{
    (void)state;
    assert_int_equal(look(NULL), ERR_OK);
    assert_false(t.look.have.any);
    assert_int_equal(t.pairs, 0);
}

static void a_row_becomes_files_and_is_shown_once(void **state)
{
    struct stat before, after;
    (void)state;
    good(&rows[0]);
    assert_true(t.look.written);
    assert_int_equal(t.look.have.gen.number, 1);
    assert_int_equal(stat(HOME "/privkey.pem", &before), 0);
    good(&rows[0]);
    assert_false(t.look.written);
    assert_int_equal(t.pairs, 1);
    assert_int_equal(stat(HOME "/privkey.pem", &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    good(&rows[1]);
    assert_int_equal(t.pairs, 2);
}

static void the_chain_follows_the_leaf(void **state)
{
    struct tls_made *ca = tls_make(&(struct tls_make){.subject = "ca", .ca = true});
    struct sync_files_row r;
    char both[16384];
    (void)state;
    sync_files_row(&r, vault, HOST, &(struct tls_make){.names = "DNS:" HOST, .issuer = ca}, 1,
                   now_ms);
    r.row.chain_pem = ca->cert;
    char *cut = strdup(r.made->cert);
    cut[strlen(cut) - 1] = '\0'; /* without the end of the line */
    r.row.cert_pem = cut;
    assert_int_equal(look(&r), ERR_OK);
    snprintf(both, sizeof both, "%s\n%s", cut, ca->cert);
    assert_true(sync_files_has(HOME "/fullchain.pem", both));
    free(cut);
    sync_files_row_free(&r);
    tls_made_free(ca);
}

static void an_older_row_is_refused_also_after_a_restart(void **state)
{
    (void)state;
    good(&rows[1]);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(look(&rows[0]), ERR_DENIED);
        refused(ERR_DENIED, "check", "generation 1 is older than generation 2, which was shown");
        assert_false(t.look.retry);
        assert_true(files_are(&rows[1]) && shows(&rows[1]));
        restart();
    }
    /* Neither does it come back when what was shown is damaged. */
    sync_files_write(HOME "/current/privkey.pem", "");
    assert_int_equal(look(&rows[0]), ERR_DENIED);
    assert_int_equal(t.pairs, 0);
    good(&rows[1]);
    good(&rows[2]);
}

static void back_to_the_predecessor_and_forth(void **state)
{
    struct sync_files_row theirs, stale, ours;
    struct tls_make how = {.names = "DNS:" HOST};
    (void)state;
    good(&rows[3]);
    sync_files_row(&stale, vault, HOST, &how, 0, rows[3].row.issued_ms - 1);
    sync_files_row(&theirs, vault, HOST, &how, 0, rows[3].row.issued_ms + 1);
    sync_files_row(&ours, vault, HOST, &how, 1, rows[3].row.issued_ms + 2);
    assert_int_equal(look(&stale), ERR_DENIED);
    good(&theirs);
    good(&ours);
    assert_int_equal(look(&rows[2]), ERR_OK); /* counted, and a higher number: not older */
    sync_files_row_free(&stale);
    sync_files_row_free(&theirs);
    sync_files_row_free(&ours);
}

static void a_key_that_is_not_here_is_named_and_nothing_touched(void **state)
{
    struct sync_files_row r;
    (void)state;
    good(&rows[0]);
    sync_files_row(&r, other, HOST, &(struct tls_make){.names = "DNS:" HOST}, 2, now_ms + 1000);
    assert_int_equal(look(&r), ERR_NOTFOUND);
    refused(ERR_NOTFOUND, "open", cert_vault_key_id(other, 0));
    assert_string_equal(t.look.key_id, cert_vault_key_id(other, 0));
    assert_true(files_are(&rows[0]) && shows(&rows[0]));
    sync_files_row_free(&r);
    /* What is shown already is sealed anew with a key that we lack: told, though all is well. */
    struct cert_sync_row again = rows[0].row;
    struct cert_vault_place place = {.kind = CERT_VAULT_LEAF, .name = HOST, .id = "1"};
    char *sealed = NULL;
    assert_int_equal(cert_vault_seal(other, &place, rows[0].made->private, &sealed, NULL), ERR_OK);
    again.key = sealed;
    assert_int_equal(look_at(&again, now_ms), ERR_NOTFOUND);
    assert_string_equal(t.look.key_id, cert_vault_key_id(other, 0));
    free(sealed);
    good(&rows[0]);
    assert_string_equal(t.look.key_id, "");
}

static void what_is_not_right_is_refused(void **state)
{
    struct cert_sync_row row;
    struct sync_files_row r;
    char *huge = malloc(TLS_PAIR_PEM_MAX + 1);
    (void)state;
    good(&rows[0]);
    row = rows[2].row; /* another row's key */
    row.key = rows[1].row.key;
    assert_int_equal(look_at(&row, now_ms), ERR_DENIED);
    refused(ERR_DENIED, "open", "");
    row = rows[2].row; /* another row's certificate */
    row.cert_pem = rows[1].row.cert_pem;
    assert_int_equal(look_at(&row, now_ms), ERR_CONFLICT);
    refused(ERR_CONFLICT, "check", "the key is not the certificate's");
    row = rows[2].row;
    row.cert_pem = "no certificate";
    assert_int_equal(look_at(&row, now_ms), ERR_MALFORMED);
    memset(huge, 'x', TLS_PAIR_PEM_MAX);
    huge[TLS_PAIR_PEM_MAX] = '\0';
    row.cert_pem = huge;
    assert_int_equal(look_at(&row, now_ms), ERR_LIMIT);
    row = rows[2].row;
    row.hostname = "b.example";
    assert_int_equal(look_at(&row, now_ms), ERR_CONFLICT);
    sync_files_row(&r, NULL, HOST, &(struct tls_make){.names = "DNS:" HOST}, 2, now_ms + 1000);
    assert_int_equal(look(&r), ERR_MALFORMED);
    assert_false(t.look.retry);
    sync_files_row_free(&r);
    sync_files_row(&r, vault, HOST, &(struct tls_make){.names = "DNS:b.example"}, 2, now_ms + 1000);
    assert_int_equal(look(&r), ERR_CONFLICT);
    refused(ERR_CONFLICT, "check", "not for a.example");
    sync_files_row_free(&r);
    free(huge);
    assert_true(files_are(&rows[0]) && shows(&rows[0]));
    assert_int_equal(t.pairs, 1);
}

/* Expired, or other names: taken where there is nothing better, and only there. */
static void one_with_a_flaw_is_better_than_none(void **state)
{
    struct sync_files_row flawed[3];
    (void)state;
    sync_files_row(&flawed[0], vault, HOST,
                   &(struct tls_make){.names = "DNS:" HOST, .from_s = -7200, .to_s = -3600}, 1,
                   now_ms - 7200000);
    sync_files_row(&flawed[1], vault, HOST,
                   &(struct tls_make){.names = "DNS:" HOST ",DNS:b.example"}, 2, now_ms - 1);
    sync_files_row(&flawed[2], vault, HOST,
                   &(struct tls_make){.names = "DNS:" HOST, .from_s = -7200, .to_s = -3600}, 9,
                   now_ms + 9000);
    good(&flawed[0]);
    good(&flawed[1]);
    restart();
    assert_int_equal(look(NULL), ERR_OK);
    assert_true(shows(&flawed[1]));
    good(&rows[2]);
    assert_int_equal(look(&flawed[2]), ERR_DENIED);
    refused(ERR_DENIED, "check", "has expired");
    struct sync_files_row more;
    sync_files_row(&more, vault, HOST, &(struct tls_make){.names = "DNS:" HOST ",DNS:b.example"}, 9,
                   now_ms + 9000);
    assert_int_equal(look(&more), ERR_CONFLICT);
    assert_true(files_are(&rows[2]) && shows(&rows[2]));
    /* What is shown expires in turn. */
    assert_int_equal(look_at(&flawed[2].row, now_ms + 2 * 3600 * 1000), ERR_OK);
    assert_true(files_are(&flawed[2]));
    sync_files_row_free(&more);
    for (int i = 0; i < 3; i++) {
        sync_files_row_free(&flawed[i]);
    }
}

static void one_that_is_not_valid_yet_waits(void **state)
{
    struct sync_files_row early;
    (void)state;
    sync_files_row(&early, vault, HOST,
                   &(struct tls_make){.names = "DNS:" HOST, .from_s = 3600, .to_s = 7200}, 1,
                   now_ms);
    assert_int_equal(look(&early), ERR_DENIED);
    refused(ERR_DENIED, "check", "is the clock right?");
    assert_true(t.look.retry);
    assert_int_equal(t.pairs, 0);
    assert_int_equal(look_at(&early.row, now_ms + 3600 * 1000 - CERT_SYNC_LOOK_MS), ERR_OK);
    assert_true(files_are(&early));
    restart(); /* with a clock that has lost its battery: it was good before */
    assert_int_equal(look_at(NULL, 0), ERR_OK);
    assert_true(shows(&early));
    sync_files_row_free(&early);
}

/* ---- without a store ----------------------------------------------------------------------- */

static void good_files_are_shown_without_a_row(void **state)
{
    (void)state;
    good(&rows[1]);
    restart();
    assert_int_equal(look(NULL), ERR_OK);
    assert_true(shows(&rows[1]));
    assert_int_equal(t.look.have.gen.number, 2);
    assert_false(t.look.written);
    restart();
    assert_int_equal(unlink(HOME "/current"), 0); /* the newest, then */
    assert_int_equal(look(NULL), ERR_OK);
    assert_true(shows(&rows[1]) && files_are(&rows[1]));
}

static void damaged_files_are_not(void **state)
{
    char *key;
    (void)state;
    good(&rows[0]);
    good(&rows[1]);
    key = sync_files_read(HOME "/privkey.pem");
    sync_files_write(HOME "/current/privkey.pem", rows[0].made->private); /* a key, but another */
    restart();
    assert_int_equal(look(NULL), ERR_CONFLICT);
    refused(ERR_CONFLICT, "files", "generation 00000002-");
    assert_int_equal(t.pairs, 0);
    sync_files_write(HOME "/current/privkey.pem", key);
    restart();
    assert_int_equal(look(NULL), ERR_OK);
    assert_true(shows(&rows[1]));
    /* Another pair altogether, which fits, but is not this generation. */
    sync_files_write(HOME "/current/fullchain.pem", rows[0].made->cert);
    sync_files_write(HOME "/current/privkey.pem", rows[0].made->private);
    restart();
    assert_int_equal(look(NULL), ERR_CONFLICT);
    assert_int_equal(t.pairs, 0);
    good(&rows[1]);
    free(key);
}

static void a_predecessors_files_become_a_generation(void **state)
{
    (void)state;
    assert_int_equal(access(HOME, F_OK), 0);
    sync_files_write(HOME "/fullchain.pem", rows[0].made->cert);
    sync_files_write(HOME "/privkey.pem", rows[0].made->private);
    assert_int_equal(look(NULL), ERR_OK);
    assert_true(shows(&rows[0]) && files_are(&rows[0]));
    assert_int_equal(t.look.have.gen.number, 0);
    assert_true(t.look.have.hooked);
    char *link = sync_files_link(HOME "/fullchain.pem");
    assert_string_equal(link, "current/fullchain.pem");
    free(link);
    good(&rows[1]);
    assert_int_equal(t.look.have.gen.number, 2);
}

static void half_of_a_predecessors_files_is_left_alone(void **state)
{
    (void)state;
    sync_files_write(HOME "/fullchain.pem", rows[0].made->cert);
    sync_files_write(HOME "/privkey.pem", rows[1].made->private);
    assert_int_equal(look(NULL), ERR_CONFLICT);
    assert_int_equal(t.pairs, 0);
    assert_true(sync_files_has(HOME "/privkey.pem", rows[1].made->private));
    good(&rows[2]);
}

/* ---- drift --------------------------------------------------------------------------------- */

static void lose_cert(void)
{
    unlink(HOME "/current/fullchain.pem");
}

static void lose_key(void)
{
    unlink(HOME "/current/privkey.pem");
}

static void cut_key(void)
{
    assert_int_equal(truncate(HOME "/privkey.pem", 100), 0);
}

static void other_key(void)
{
    sync_files_write(HOME "/privkey.pem", rows[4].made->private);
}

static void other_cert(void)
{
    sync_files_write(HOME "/fullchain.pem", rows[4].made->cert);
}

static void open_key_to_all(void)
{
    chmod(HOME "/privkey.pem", 0644);
}

static void lose_link(void)
{
    unlink(HOME "/privkey.pem");
}

static void file_for_link(void)
{
    unlink(HOME "/fullchain.pem");
    sync_files_write(HOME "/fullchain.pem", "mine");
}

static void lose_current(void)
{
    unlink(HOME "/current");
}

static void turn_current(void)
{
    unlink(HOME "/current");
    assert_int_equal(symlink("generations/00000001-0000000001000-00000001", HOME "/current"), 0);
}

static void lose_generations(void)
{
    sync_files_remove(HOME "/generations");
}

static void lose_home(void)
{
    sync_files_remove(HOME);
}

static void lose_all(void)
{
    sync_files_remove("tls");
}

static void link_for_key(void)
{
    sync_files_write("elsewhere", rows[1].made->private);
    unlink(HOME "/current/privkey.pem");
    assert_int_equal(symlink("../../../../elsewhere", HOME "/current/privkey.pem"), 0);
}

static const struct {
    void (*happens)(void);
    bool row; /* cannot be made again without it */
} drifts[] = {
    {lose_cert, true},     {lose_key, true},         {cut_key, true},
    {other_key, true},     {other_cert, true},       {open_key_to_all, false},
    {lose_link, false},    {file_for_link, false},   {lose_current, false},
    {turn_current, false}, {lose_generations, true}, {lose_home, true},
    {lose_all, true},      {link_for_key, true},
};

static void what_is_lost_or_damaged_is_made_again(void **state)
{
    (void)state;
    good(&rows[0]);
    good(&rows[1]);
    for (size_t i = 0; i < sizeof drifts / sizeof drifts[0]; i++) {
        drifts[i].happens();
        enum err e = look(NULL);
        if ((e == ERR_OK) == drifts[i].row) {
            fail_msg("drift %zu: %s", i, t.look.info.text);
        }
        good(&rows[1]);
        assert_int_equal(t.look.written, drifts[i].row);
        struct stat st;
        assert_int_equal(stat(HOME "/privkey.pem", &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(t.pairs, 2); /* nothing new is shown */
        restart();                    /* and it is whole */
        assert_int_equal(look(NULL), ERR_OK);
        assert_true(shows(&rows[1]));
        t.pairs = 2;
    }
}

/* ---- disks --------------------------------------------------------------------------------- */

/* Whoever reads now gets a pair: OLD's or NEW's. Both links lead through one, so both ends agree. */
static void whole(const struct sync_files_row *old, const struct sync_files_row *new)
{
    assert_true(files_are(old) || files_are(new));
}

static void each_call_fails_in_turn(void **state)
{
    static const int errors[] = {ENOSPC, EROFS, EACCES, EIO};
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        unsigned failures = 0;
        for (unsigned n = 1;; n++) {
            good(&rows[0]);
            t.calls = 0;
            t.fail_at = n;
            t.error = errors[i];
            enum err e = look(&rows[1]);
            bool over = t.calls < n;
            t.fail_at = 0;
            whole(&rows[0], &rows[1]);
            if (e != ERR_OK) {
                failures++;
                assert_true(t.look.retry);
                assert_non_null(strstr(t.look.info.text, "tls"));
                assert_true(t.pairs == 1 || files_are(&rows[1])); /* first the files */
            }
            good(&rows[1]);
            assert_int_equal(t.pairs, 2);
            sync_files_remove("tls");
            restart();
            if (over) {
                break;
            }
        }
        assert_true(failures > 20);
    }
}

static void each_call_is_the_last_before_a_crash(void **state)
{
    (void)state;
    for (unsigned n = 1;; n++) {
        int status;
        good(&rows[0]);
        good(&rows[1]);
        good(&rows[2]);
        good(&rows[3]); /* so that there is something to remove as well */
        t.calls = 0;
        pid_t child = fork();
        if (child == 0) {
            t.fail_at = n;
            look(&rows[4]);
            _exit(1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        whole(&rows[3], &rows[4]);
        bool new = files_are(&rows[4]);
        restart();
        assert_int_equal(look(NULL), ERR_OK);
        assert_true(shows(new ? &rows[4] : &rows[3]));
        whole(&rows[3], &rows[4]);
        good(&rows[4]);
        struct sync_gen all[16];
        size_t count;
        struct sync_tree tr;
        assert_int_equal(sync_tree_open(&t.dir, &tr, NULL), ERR_OK);
        assert_int_equal(sync_tree_list(&tr, all, 16, &count, NULL), ERR_OK);
        sync_tree_close(&tr);
        assert_int_equal(count, 1 + CERT_SYNC_KEEP);
        assert_int_equal(access(HOME "/current/.privkey.pem.new", F_OK), -1);
        sync_files_remove("tls");
        restart();
        if (WEXITSTATUS(status) == 1) {
            assert_true(n > 20);
            break;
        }
    }
}

/* The first certificate, over a predecessor's files. */
static void crashes_while_a_predecessors_files_are_taken_over(void **state)
{
    (void)state;
    for (unsigned n = 1;; n++) {
        int status;
        sync_files_write(HOME "/fullchain.pem", rows[0].made->cert);
        sync_files_write(HOME "/privkey.pem", rows[0].made->private);
        t.calls = 0;
        pid_t child = fork();
        if (child == 0) {
            t.fail_at = n;
            look(&rows[1]);
            _exit(1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        whole(&rows[0], &rows[1]);
        restart();
        assert_int_equal(look(NULL), ERR_OK);
        assert_true(shows(&rows[0]) || shows(&rows[1]));
        good(&rows[1]);
        sync_files_remove("tls");
        restart();
        if (WEXITSTATUS(status) == 1) {
            break;
        }
    }
}

/* ---- copies -------------------------------------------------------------------------------- */

static void copies_follow_the_switch(void **state)
{
    struct stat before, after;
    (void)state;
    t.options.copy_cert = "http.crt";
    t.options.copy_key = "http.key";
    sync_files_write("http.crt", "old");
    sync_files_write("http.key", "old");
    t.fail_at = 12; /* somewhere in the writing */
    t.error = ENOSPC;
    assert_int_equal(look(&rows[0]), ERR_IO);
    t.fail_at = 0;
    assert_true(sync_files_has("http.crt", "old") && sync_files_has("http.key", "old"));
    good(&rows[0]);
    assert_true(sync_files_has("http.crt", rows[0].made->cert));
    assert_true(sync_files_has("http.key", rows[0].made->private));
    assert_int_equal(sync_files_mode("http.crt"), 0644);
    assert_int_equal(sync_files_mode("http.key"), 0600);
    assert_int_equal(stat("http.key", &before), 0);
    good(&rows[0]);
    assert_int_equal(stat("http.key", &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    sync_files_write("http.crt", "somebody else's");
    good(&rows[0]);
    assert_true(sync_files_has("http.crt", rows[0].made->cert));
}

static void the_keys_copy_comes_first(void **state)
{
    (void)state;
    t.options.copy_cert = "crt/http.crt"; /* no such folder */
    t.options.copy_key = "http.key";
    assert_int_equal(look(&rows[0]), ERR_NOTFOUND);
    refused(ERR_NOTFOUND, "copy", "crt");
    assert_true(t.look.retry);
    assert_true(sync_files_has("http.key", rows[0].made->private));
    assert_true(shows(&rows[0]) && files_are(&rows[0])); /* which is none of their business */
    t.options.copy_cert = "http.crt";
    t.options.copy_key = "key/http.key";
    assert_int_equal(look(&rows[0]), ERR_NOTFOUND);
    assert_int_equal(access("http.crt", F_OK), -1);
}

/* As the predecessor's guide has it: http.ssl leads to our own files. */
static void a_copy_that_is_ours_is_none(void **state)
{
    (void)state;
    t.options.copy_cert = HOME "/fullchain.pem";
    t.options.copy_key = HOME "/privkey.pem";
    good(&rows[0]);
    good(&rows[1]);
    char *link = sync_files_link(HOME "/privkey.pem");
    assert_string_equal(link, "current/privkey.pem");
    free(link);
}

static void the_hooks_mark_outlives_a_restart(void **state)
{
    (void)state;
    good(&rows[0]);
    assert_false(t.look.have.hooked);
    struct sync_look l = {.dir = &t.dir,
                          .options = &t.options,
                          .row = &rows[1].row, /* meanwhile */
                          .now_ms = now_ms,
                          .set_hooked = true,
                          .have = t.look.have,
                          .last = t.look.last,
                          .has_last = true};
    sync_look_run(&l);
    tls_pair_unref(l.pair);
    assert_int_equal(l.e, ERR_OK);
    assert_int_equal(l.have.gen.number, 2);
    assert_false(l.have.hooked); /* it was the one before for which it was run */
    char *current = sync_files_link(HOME "/current");
    assert_int_equal(access(HOME "/current/hooked", F_OK), -1);
    l = (struct sync_look){.dir = &t.dir,
                           .options = &t.options,
                           .now_ms = now_ms,
                           .set_hooked = true,
                           .have = l.have,
                           .last = l.last,
                           .has_last = true};
    sync_look_run(&l);
    assert_true(l.have.hooked);
    free(current);
    restart();
    assert_int_equal(look(NULL), ERR_OK);
    assert_true(t.look.have.hooked);
}

/* An old row that says it was issued a moment ago: its certificate knows better. */
static void a_row_that_lies_about_its_age(void **state)
{
    struct sync_files_row old, young, anew;
    (void)state;
    sync_files_row(&old, vault, HOST, &(struct tls_make){.names = "DNS:" HOST, .from_s = -7200}, 1,
                   now_ms + 9000);
    sync_files_row(&young, vault, HOST, &(struct tls_make){.names = "DNS:" HOST, .from_s = -3600},
                   2, now_ms);
    sync_files_row(&anew, vault, HOST, &(struct tls_make){.names = "DNS:" HOST, .from_s = -60}, 1,
                   now_ms + 1000);
    assert_int_equal(look_at(&young.row, now_ms), ERR_OK);
    assert_int_equal(look_at(&old.row, now_ms), ERR_DENIED);
    assert_non_null(strstr(t.look.info.text, "older than generation 2"));
    restart(); /* of what the files have, likewise */
    assert_int_equal(look_at(NULL, now_ms), ERR_OK);
    assert_int_equal(look_at(&old.row, now_ms), ERR_DENIED);
    assert_int_equal(look_at(&anew.row, now_ms), ERR_OK); /* numbers that began anew */
    sync_files_row_free(&old);
    sync_files_row_free(&young);
    sync_files_row_free(&anew);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_no_problem),
        TEST(a_row_becomes_files_and_is_shown_once),
        TEST(the_chain_follows_the_leaf),
        TEST(an_older_row_is_refused_also_after_a_restart),
        TEST(a_row_that_lies_about_its_age),
        TEST(back_to_the_predecessor_and_forth),
        TEST(a_key_that_is_not_here_is_named_and_nothing_touched),
        TEST(what_is_not_right_is_refused),
        TEST(one_with_a_flaw_is_better_than_none),
        TEST(one_that_is_not_valid_yet_waits),
        TEST(good_files_are_shown_without_a_row),
        TEST(damaged_files_are_not),
        TEST(a_predecessors_files_become_a_generation),
        TEST(half_of_a_predecessors_files_is_left_alone),
        TEST(what_is_lost_or_damaged_is_made_again),
        TEST(each_call_fails_in_turn),
        TEST(each_call_is_the_last_before_a_crash),
        TEST(crashes_while_a_predecessors_files_are_taken_over),
        TEST(copies_follow_the_switch),
        TEST(the_keys_copy_comes_first),
        TEST(a_copy_that_is_ours_is_none),
        TEST(the_hooks_mark_outlives_a_restart),
    };
    return cmocka_run_group_tests(tests, make_all, free_all);
}
