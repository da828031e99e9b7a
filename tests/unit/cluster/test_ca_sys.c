/* cluster/ca_sys: real folders; faults and crashes before each system call. Some need root, and are skipped
 * without. */
#include "cluster/ca_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cluster/place_priv.h"
#include "sync_files.h"
#include "tls_peer.h"

#define NOW_MS INT64_C(1790000000000)
#define KEY    "ca/ca.key"
#define CERT   "ca/ca.crt"

static struct {
    char folder[64];
    mode_t umask;
    struct ca ca;
    bool made;
    struct err_info info;
    unsigned calls, fail_at;
    int error; /* 0: the process ends */
} t;

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    t.umask = umask(022);
    sync_files_begin(t.folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ca_close(&t.ca);
    sync_files_end(t.folder);
    umask(t.umask);
    return 0;
}

static enum err ensure_for(const char *account)
{
    ca_close(&t.ca);
    t.info.text[0] = '\0';
    enum err e = ca_ensure("ca", account, NOW_MS, &t.made, &t.ca, &t.info);
    assert_int_equal(e == ERR_OK, t.info.text[0] == '\0');
    assert_int_equal(e == ERR_OK, t.ca.authority != NULL && t.ca.cert_pem != NULL);
    return e;
}

static enum err ensure(void)
{
    return ensure_for(NULL);
}

static enum err open_at(int64_t now_ms)
{
    ca_close(&t.ca);
    t.info.text[0] = '\0';
    enum err e = ca_open("ca", now_ms, &t.ca, &t.info);
    assert_int_equal(e == ERR_OK, t.info.text[0] == '\0');
    return e;
}

static void must_make(void)
{
    if (ensure() != ERR_OK) {
        fail_msg("%s", t.info.text);
    }
    assert_true(t.made);
}

/* ---- well ------------------------------------------------------------------------------------ */

static void it_is_made_once(void **state)
{
    static const mode_t masks[] = {0, 022, 0077, 0277};
    (void)state;
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        assert_false(ca_is_here("ca"));
        assert_int_equal(open_at(NOW_MS), ERR_NOTFOUND);
        umask(masks[i]);
        must_make();
        umask(0);
        assert_int_equal(sync_files_mode("ca"), 0700);
        assert_int_equal(sync_files_mode(KEY), 0600);
        assert_int_equal(sync_files_mode(CERT), 0644);
        assert_true(ca_is_here("ca"));
        char *cert = strdup(t.ca.cert_pem), *key = sync_files_read(KEY);
        assert_int_equal(ensure(), ERR_OK);
        assert_false(t.made);
        assert_string_equal(t.ca.cert_pem, cert);
        assert_int_equal(open_at(NOW_MS), ERR_OK);
        assert_string_equal(t.ca.cert_pem, cert);
        assert_true(sync_files_has(CERT, cert));
        assert_true(sync_files_has(KEY, key));
        free(cert);
        free(key);
        sync_files_remove("ca");
    }
}

static void folders_above_are_made(void **state)
{
    (void)state;
    assert_int_equal(ca_ensure("var/lib/dnsd/ca", NULL, NOW_MS, &t.made, &t.ca, &t.info), ERR_OK);
    assert_int_equal(sync_files_mode("var"), 0750);
    assert_int_equal(sync_files_mode("var/lib/dnsd"), 0750);
    assert_int_equal(sync_files_mode("var/lib/dnsd/ca"), 0700);
}

static int look_at_modes(void *ctx, const char *call)
{
    static const char *const names[] = {"ca/.ca.key.new", "ca/.ca.crt.new"};
    if (strcmp(call, "write") == 0 || strcmp(call, "fchmod") == 0) {
        *(unsigned *)ctx += strcmp(call, "write") == 0;
        for (int i = 0; i < 2; i++) {
            struct stat st;
            if (lstat(names[i], &st) == 0 && st.st_size == 0) {
                assert_int_equal(st.st_mode & 07177,
                                 strcmp(call, "write") == 0 && i == 1 ? 044 : 0);
            }
        }
    }
    return 0;
}

static void the_mode_is_there_before_the_first_octet(void **state)
{
    unsigned writes = 0;
    const struct folder_gate gate = {look_at_modes, &writes};
    (void)state;
    umask(0);
    assert_int_equal(ca_ensure_gated("ca", NULL, NOW_MS, &gate, &t.made, &t.ca, &t.info), ERR_OK);
    assert_int_equal(writes, 2);
}

/* ---- badly ----------------------------------------------------------------------------------- */

static void half_of_one_is_refused(void **state)
{
    (void)state;
    must_make();
    char *key = sync_files_read(KEY), *cert = sync_files_read(CERT);
    assert_int_equal(unlink(CERT), 0);
    assert_int_equal(ensure(), ERR_CONFLICT);
    assert_string_equal(t.info.text,
                        "half of a CA: ca/ca.key is there, but no ca.crt; put it back from the "
                        "backup, or move the folder away to begin a new cluster");
    assert_int_equal(open_at(NOW_MS), ERR_CONFLICT);
    assert_true(sync_files_has(KEY, key));
    assert_int_equal(access(CERT, F_OK), -1);
    sync_files_write(CERT, cert);
    assert_int_equal(unlink(KEY), 0);
    assert_int_equal(ensure(), ERR_CONFLICT);
    assert_string_equal(t.info.text,
                        "half of a CA: ca/ca.crt is there, but no ca.key; put it back from the "
                        "backup, or move the folder away to begin a new cluster");
    assert_true(sync_files_has(CERT, cert));
    assert_int_equal(access(KEY, F_OK), -1);
    assert_false(ca_is_here("ca"));
    /* another one's, begun and not finished, is not its key */
    int fd = open("ca/.ca.key.new", O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, key, 10), 10);
    close(fd);
    assert_int_equal(ensure(), ERR_CONFLICT);
    free(key);
    free(cert);
}

static void a_key_others_may_read_is_refused(void **state)
{
    static const struct {
        mode_t mode;
        const char *text;
    } bad[] = {{0640, "ca/ca.key can be read by others (mode 0640): chmod 0600 it"},
               {0604, "ca/ca.key can be read by others (mode 0604): chmod 0600 it"},
               {0620, "ca/ca.key can be written by others (mode 0620): chmod 0600 it"}};
    (void)state;
    must_make();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        chmod(KEY, bad[i].mode);
        assert_int_equal(open_at(NOW_MS), ERR_DENIED);
        assert_string_equal(t.info.text, bad[i].text);
        assert_int_equal(ensure(), ERR_DENIED);
        assert_int_equal(sync_files_mode(KEY), bad[i].mode);
    }
    chmod(KEY, 0400);
    assert_int_equal(open_at(NOW_MS), ERR_OK);
    chmod(CERT, 0666);
    assert_int_equal(open_at(NOW_MS), ERR_DENIED);
    assert_string_equal(t.info.text,
                        "ca/ca.crt can be written by others (mode 0666): chmod 0644 it");
}

static void a_folder_others_may_write_in_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir("ca", 0700), 0);
    chmod("ca", 0770);
    assert_int_equal(ensure(), ERR_DENIED);
    assert_string_equal(t.info.text, "ca can be written by others: chmod 0700 it");
    assert_int_equal(access(KEY, F_OK), -1);
    chmod("ca", 0755); /* that others may look is the operator's business */
    must_make();
    assert_int_equal(sync_files_mode("ca"), 0755);
}

static void links_in_the_keys_place_are_refused(void **state)
{
    (void)state;
    must_make();
    assert_int_equal(rename(KEY, "elsewhere"), 0);
    assert_int_equal(symlink("../elsewhere", KEY), 0);
    assert_int_equal(open_at(NOW_MS), ERR_DENIED);
    assert_string_equal(t.info.text, "ca/ca.key is a link, not a file: put the file itself there");
    unlink(KEY);
    assert_int_equal(symlink("../nowhere", KEY), 0);
    assert_int_equal(ensure(), ERR_DENIED);
    assert_int_equal(access("nowhere", F_OK), -1);
    unlink(KEY);
    assert_int_equal(mkfifo(KEY, 0600), 0);
    assert_int_equal(open_at(NOW_MS), ERR_DENIED); /* and does not wait */
}

/* What is in the way of the names used meanwhile: nothing is written through it. */
static void traps_are_not_stepped_into(void **state)
{
    (void)state;
    sync_files_write("victim", "as it was");
    assert_int_equal(mkdir("ca", 0700), 0);
    assert_int_equal(symlink("../victim", "ca/.ca.key.new"), 0);
    assert_int_equal(symlink("../victim", "ca/.ca.crt.new"), 0);
    must_make();
    assert_true(sync_files_has("victim", "as it was"));
    assert_int_equal(sync_files_mode(KEY), 0600);
}

/* ---- other people's -------------------------------------------------------------------------- */

static void write_pair(const struct tls_made *m)
{
    sync_files_write(KEY, m->private);
    chmod(KEY, 0600);
    sync_files_write(CERT, m->cert);
}

static void each_bad_one_has_its_words(void **state)
{
    struct tls_made *rsa = tls_make(&(struct tls_make){.key = "RSA 2048", .ca = true});
    struct tls_made *leaf = tls_make(&(struct tls_make){.names = "DNS:a"});
    struct tls_made *good = tls_make(&(struct tls_make){.ca = true});
    static char big[CA_PEM_MAX + 2];
    (void)state;
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    assert_int_equal(mkdir("ca", 0700), 0);
    write_pair(good);
    assert_int_equal(open_at(now_ms), ERR_OK);
    assert_int_equal(open_at(now_ms + INT64_C(7200000)), ERR_DENIED);
    assert_non_null(strstr(t.info.text, "ca: the CA's certificate has expired at "));
    write_pair(rsa);
    assert_int_equal(open_at(now_ms), ERR_MALFORMED);
    assert_string_equal(t.info.text, "ca: the key of the CA's certificate is not EC P-256");
    write_pair(leaf);
    assert_int_equal(open_at(now_ms), ERR_DENIED);
    assert_string_equal(t.info.text, "ca: the certificate is not an authority's: it may not sign");
    sync_files_write(CERT, good->cert);
    assert_int_equal(open_at(now_ms), ERR_CONFLICT);
    assert_string_equal(t.info.text, "ca: the CA's key and certificate do not belong together");
    sync_files_write(CERT, "");
    assert_int_equal(open_at(now_ms), ERR_MALFORMED);
    memset(big, 'x', sizeof big - 1);
    sync_files_write(CERT, big);
    assert_int_equal(open_at(now_ms), ERR_LIMIT);
    assert_int_equal(ensure(), ERR_LIMIT);
    assert_false(t.made);
    tls_made_free(rsa);
    tls_made_free(leaf);
    tls_made_free(good);
}

static void in_the_way_of_the_folder(void **state)
{
    (void)state;
    sync_files_write("ca", "");
    assert_int_equal(ensure(), ERR_DENIED);
    assert_string_equal(t.info.text, "ca is not a folder: move it away");
    assert_int_equal(open_at(NOW_MS), ERR_DENIED);
}

/* ---- accounts -------------------------------------------------------------------------------- */

static void expect_owner(const char *path, uid_t uid)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_uid, uid);
}

static void root_makes_it_for_the_account(void **state)
{
    const struct passwd *nobody = getpwnam("nobody");
    (void)state;
    if (geteuid() != 0 || nobody == NULL) {
        skip();
    }
    uid_t uid = nobody->pw_uid;
    assert_int_equal(ensure_for("nobody"), ERR_OK);
    expect_owner("ca", uid);
    expect_owner(KEY, uid);
    expect_owner(CERT, uid);
    assert_int_equal(open_at(NOW_MS), ERR_OK); /* root, and the file is the folder's owner's */
    assert_int_equal(ensure_for(NULL), ERR_OK);
    assert_int_equal(ensure_for("nobody"), ERR_OK);
    assert_false(t.made);
    /* as it is between mkdir() and chown() */
    sync_files_remove("ca");
    assert_int_equal(mkdir("ca", 0700), 0);
    assert_int_equal(ensure_for("nobody"), ERR_OK);
    expect_owner("ca", uid);
    expect_owner(KEY, uid);
    /* root's own stays root's, and that is told */
    sync_files_remove("ca");
    must_make();
    assert_int_equal(ensure_for("nobody"), ERR_DENIED);
    char text[128];
    snprintf(text, sizeof text, "ca belongs to user 0; it must be user %u's: chown it",
             (unsigned)uid);
    assert_string_equal(t.info.text, text);
    expect_owner("ca", 0);
    assert_int_equal(chown(KEY, uid, (gid_t)-1), 0);
    assert_int_equal(open_at(NOW_MS), ERR_DENIED); /* somebody's key in root's folder */
    assert_int_equal(ensure_for("no-such-account"), ERR_IO);
    assert_non_null(strstr(t.info.text, "user no-such-account: no such account"));
}

static void another_user_cannot(void **state)
{
    int status;
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    must_make();
    chmod(".", 0777);
    pid_t child = fork();
    if (child == 0) {
        ca_close(&t.ca);
        bool well = setgid(65534) == 0 && setuid(65534) == 0 && ensure() == ERR_DENIED &&
                    strstr(t.info.text, "ca: Permission denied") != NULL &&
                    open_at(NOW_MS) == ERR_DENIED &&
                    ca_ensure("ca/deeper", NULL, NOW_MS, &t.made, &t.ca, NULL) == ERR_DENIED;
        _exit(well ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* ---- faults and crashes ---------------------------------------------------------------------- */

static int on_call(void *ctx, const char *call)
{
    (void)ctx;
    (void)call;
    if (++t.calls == t.fail_at) {
        if (t.error == 0) {
            _exit(0);
        }
        return t.error;
    }
    return 0;
}

static enum err ensure_with_a_fault(void)
{
    static const struct folder_gate gate = {on_call, NULL};
    ca_close(&t.ca);
    t.calls = 0;
    t.info.text[0] = '\0';
    return ca_ensure_gated("ca", NULL, NOW_MS, &gate, &t.made, &t.ca, &t.info);
}

/* Nothing, or (sooner or later) the one that was begun; then it can be used. */
static void expect_none_or_both(void)
{
    char *begun = sync_files_read(CERT);
    enum err e = open_at(NOW_MS);
    assert_int_equal(e, begun != NULL ? ERR_OK : ERR_NOTFOUND);
    assert_int_equal(ca_is_here("ca"), begun != NULL);
    assert_int_equal(ensure(), ERR_OK);
    assert_int_equal(t.made, begun == NULL);
    if (begun != NULL) {
        assert_string_equal(t.ca.cert_pem, begun);
    }
    assert_int_equal(sync_files_mode("ca"), 0700);
    assert_int_equal(sync_files_mode(KEY), 0600);
    assert_int_equal(access("ca/.ca.key.new", F_OK), -1);
    assert_int_equal(access("ca/.ca.crt.new", F_OK), -1);
    free(begun);
}

static void each_call_fails(void **state)
{
    static const int errors[] = {ENOSPC, EIO, EROFS, EACCES};
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        t.error = errors[i];
        for (t.fail_at = 1;; t.fail_at++) {
            enum err e = ensure_with_a_fault();
            bool over = t.calls < t.fail_at;
            if (over) {
                assert_int_equal(e, ERR_OK);
            } else if (e != ERR_OK) {
                assert_int_equal(e, errors[i] == EACCES ? ERR_DENIED : ERR_IO);
                assert_non_null(strstr(t.info.text, strerror(errors[i])));
                assert_true(!t.made || ca_is_here("ca"));
            }
            expect_none_or_both();
            sync_files_remove("ca");
            if (over) {
                break;
            }
        }
        assert_true(t.fail_at > 15);
    }
}

static void each_call_is_the_last_before_a_crash(void **state)
{
    (void)state;
    for (t.fail_at = 1;; t.fail_at++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            _exit(ensure_with_a_fault() == ERR_OK ? 1 : 2);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
        if (access("ca", F_OK) == 0) {
            expect_none_or_both();
            sync_files_remove("ca");
        }
        if (WEXITSTATUS(status) == 1) {
            assert_true(t.fail_at > 15);
            break;
        }
    }
}

static void each_call_is_the_last_of_roots(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    for (t.fail_at = 1;; t.fail_at++) {
        static const struct folder_gate gate = {on_call, NULL};
        int status;
        pid_t child = fork();
        if (child == 0) {
            t.calls = 0;
            _exit(ca_ensure_gated("ca", "nobody", NOW_MS, &gate, &t.made, &t.ca, NULL) == ERR_OK);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(ensure_for("nobody"), ERR_OK);
        uid_t uid = getpwnam("nobody")->pw_uid;
        expect_owner("ca", uid);
        expect_owner(KEY, uid);
        expect_owner(CERT, uid);
        sync_files_remove("ca");
        if (WEXITSTATUS(status) == 1) {
            assert_true(t.fail_at > 18);
            break;
        }
    }
}

/* ---- several at once ------------------------------------------------------------------------- */

static void many_at_once_end_up_with_one(void **state)
{
    enum { COUNT = 8, ROUNDS = 5 };
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        pid_t children[COUNT];
        int made = 0, pipes[2];
        assert_int_equal(pipe(pipes), 0);
        for (int i = 0; i < COUNT; i++) {
            children[i] = fork();
            if (children[i] == 0) {
                char go;
                close(pipes[1]);
                (void)!read(pipes[0], &go, 1); /* until all are there */
                bool well = ensure() == ERR_OK;
                well = well && sync_files_has(CERT, t.ca.cert_pem);
                _exit(!well ? 2 : t.made ? 1 : 0);
            }
        }
        close(pipes[0]);
        close(pipes[1]);
        for (int i = 0; i < COUNT; i++) {
            int status;
            assert_int_equal(waitpid(children[i], &status, 0), children[i]);
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
            made += WEXITSTATUS(status);
        }
        assert_int_equal(made, 1);
        assert_int_equal(open_at(NOW_MS), ERR_OK);
        sync_files_remove("ca");
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(it_is_made_once),
        TEST(folders_above_are_made),
        TEST(the_mode_is_there_before_the_first_octet),
        TEST(half_of_one_is_refused),
        TEST(a_key_others_may_read_is_refused),
        TEST(a_folder_others_may_write_in_is_refused),
        TEST(links_in_the_keys_place_are_refused),
        TEST(traps_are_not_stepped_into),
        TEST(each_bad_one_has_its_words),
        TEST(in_the_way_of_the_folder),
        TEST(root_makes_it_for_the_account),
        TEST(another_user_cannot),
        TEST(each_call_fails),
        TEST(each_call_is_the_last_before_a_crash),
        TEST(each_call_is_the_last_of_roots),
        TEST(many_at_once_end_up_with_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
