/* cluster/node_sys: real folders; faults and crashes before each system call. Some need root, and are skipped
 * without. */
#include "cluster/node_sys.h"

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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cert/csr.h"
#include "cluster/place_priv.h"
#include "sync_files.h"
#include "tls_peer.h"

#define NOW_MS INT64_C(1790000000000)

/* What one core has to place. */
struct pair {
    struct node_texts t;
    char *cert, *key; /* owned */
    struct cert_node_info info;
};

static struct {
    char *ca, *ca_key, *other, *other_key;
    struct cert_authority *authority, *another;
    struct pair a1, a2, a3, a4, b, foreign; /* of core-a, core-b, another cluster's core-a */
} made;

static struct {
    char folder[64];
    mode_t umask;
    struct node_material m;
    struct err_info info;
    unsigned calls, fail_at;
    int error; /* 0: the process ends */
} t;

static struct cert_authority *new_authority(char **ca, char **key)
{
    struct cert_authority *a = NULL;
    assert_int_equal(cert_authority_make(NOW_MS, ca, key, NULL), ERR_OK);
    assert_int_equal(cert_authority_open(*ca, strlen(*ca), *key, strlen(*key), NOW_MS, &a, NULL),
                     ERR_OK);
    return a;
}

static struct pair issue(const struct cert_authority *a, const char *ca, const char *id)
{
    struct pair p = {.t = {.ca_pem = ca}};
    struct cert_key *key = NULL;
    uint8_t *der = NULL;
    size_t len;
    struct cert_node_wish wish = {
        .id = id, .names = &id, .names_count = 1, .now_ms = NOW_MS, .lifetime_s = 3600};
    assert_int_equal(cert_key_new(&key, NULL), ERR_OK);
    assert_int_equal(cert_csr_new(key, &id, 1, &der, &len, NULL), ERR_OK);
    assert_int_equal(cert_authority_sign(a, der, len, &wish, &p.cert, NULL), ERR_OK);
    assert_int_equal(cert_key_to_pem(key, &p.key, NULL), ERR_OK);
    assert_int_equal(cert_node_read(p.cert, strlen(p.cert), &p.info, NULL), ERR_OK);
    p.t.cert_pem = p.cert;
    p.t.key_pem = p.key;
    cert_key_free(key);
    free(der);
    return p;
}

static int make_all(void **state)
{
    (void)state;
    made.authority = new_authority(&made.ca, &made.ca_key);
    made.another = new_authority(&made.other, &made.other_key);
    made.a1 = issue(made.authority, made.ca, "core-a");
    made.a2 = issue(made.authority, made.ca, "core-a");
    made.a3 = issue(made.authority, made.ca, "core-a");
    made.a4 = issue(made.authority, made.ca, "core-a");
    made.b = issue(made.authority, made.ca, "core-b");
    made.foreign = issue(made.another, made.other, "core-a");
    return 0;
}

static int free_all(void **state)
{
    struct pair *const all[] = {&made.a1, &made.a2, &made.a3, &made.a4, &made.b, &made.foreign};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        free(all[i]->cert);
        cert_key_pem_free(all[i]->key);
    }
    cert_authority_free(made.authority);
    cert_authority_free(made.another);
    free(made.ca);
    free(made.other);
    cert_key_pem_free(made.ca_key);
    cert_key_pem_free(made.other_key);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    t.umask = umask(022);
    /* Some ten thousand times something is synced here: in memory that costs nothing. */
    snprintf(t.folder, sizeof t.folder, "/dev/shm/dnsd-node-XXXXXX");
    if (mkdtemp(t.folder) == NULL) {
        sync_files_begin(t.folder);
    }
    assert_int_equal(chdir(t.folder), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    node_material_free(&t.m);
    sync_files_end(t.folder);
    umask(t.umask);
    return 0;
}

static enum err place_texts(const struct node_texts *x, bool replace)
{
    t.info.text[0] = '\0';
    enum err e = node_place("tls", NULL, x->ca_pem, x->cert_pem, x->key_pem, replace, &t.info);
    assert_true(e == ERR_OK || t.info.text[0] != '\0');
    return e;
}

static enum err place(const struct pair *p)
{
    return place_texts(&p->t, false);
}

static void must_place(const struct pair *p)
{
    if (place(p) != ERR_OK) {
        fail_msg("%s", t.info.text);
    }
}

static enum err read_it(void)
{
    node_material_free(&t.m);
    t.info.text[0] = '\0';
    enum err e = node_read("tls", &t.m, &t.info);
    assert_true(e == ERR_OK || t.info.text[0] != '\0');
    assert_int_equal(e == ERR_OK, t.m.cert_pem != NULL);
    return e;
}

static bool shows(const struct pair *p)
{
    return read_it() == ERR_OK && strcmp(t.m.cert_pem, p->cert) == 0 &&
           strcmp(t.m.key_pem, p->key) == 0 && strcmp(t.m.ca_pem, p->t.ca_pem) == 0;
}

/* By the paths that rqlited is given. */
static bool files_are(const struct pair *p)
{
    return sync_files_has("tls/ca.crt", p->t.ca_pem) && sync_files_has("tls/node.crt", p->cert) &&
           sync_files_has("tls/node.key", p->key);
}

static bool has_generation(const struct pair *p)
{
    char path[128];
    snprintf(path, sizeof path, "tls/generations/%s/node.key", p->info.serial);
    return access(path, F_OK) == 0;
}

static void expect_link(const char *path, const char *target)
{
    char *is = sync_files_link(path);
    assert_non_null(is);
    assert_string_equal(is, target);
    free(is);
}

/* ---- well ------------------------------------------------------------------------------------ */

static void one_link_leads_to_all(void **state)
{
    static const mode_t masks[] = {0, 0077, 0277};
    char target[64], *path;
    (void)state;
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        assert_int_equal(read_it(), ERR_NOTFOUND);
        umask(masks[i]);
        must_place(&made.a1);
        umask(0);
        snprintf(target, sizeof target, "generations/%s", made.a1.info.serial);
        expect_link("tls/current", target);
        expect_link("tls/ca.crt", "current/ca.crt");
        expect_link("tls/node.crt", "current/node.crt");
        expect_link("tls/node.key", "current/node.key");
        assert_int_equal(sync_files_mode("tls"), 0700);
        assert_int_equal(sync_files_mode("tls/generations"), 0700);
        assert_int_equal(sync_files_mode("tls/current/."), 0700);
        assert_int_equal(sync_files_mode("tls/current/ca.crt"), 0644);
        assert_int_equal(sync_files_mode("tls/current/node.crt"), 0644);
        assert_int_equal(sync_files_mode("tls/current/node.key"), 0600);
        assert_true(files_are(&made.a1));
        assert_true(shows(&made.a1));
        assert_string_equal(t.m.info.id, "core-a");
        assert_string_equal(t.m.info.serial, made.a1.info.serial);
        sync_files_remove("tls");
    }
    path = node_path_ca("tls");
    assert_string_equal(path, "tls/ca.crt");
    free(path);
    path = node_path_cert("tls");
    assert_string_equal(path, "tls/node.crt");
    free(path);
    path = node_path_key("tls");
    assert_string_equal(path, "tls/node.key");
    free(path);
}

static void the_present_one_and_the_one_before_are_kept(void **state)
{
    char was[16] = "";
    (void)state;
    must_place(&made.a1);
    int fd = open("tls/node.key", O_RDONLY);
    must_place(&made.a2);
    assert_true(has_generation(&made.a1) && has_generation(&made.a2));
    assert_int_equal(mkdir("tls/generations/not ours", 0700), 0);
    must_place(&made.a3);
    assert_true(shows(&made.a3) && files_are(&made.a3));
    assert_true(!has_generation(&made.a1) && has_generation(&made.a2) && has_generation(&made.a3));
    assert_int_equal(access("tls/generations/not ours", F_OK), 0);
    assert_int_equal(pread(fd, was, 16, 0), 16); /* overwritten */
    assert_memory_equal(was, (char[16]){0}, 16);
    close(fd);
    must_place(&made.a3); /* again: nothing is lost by it */
    assert_true(has_generation(&made.a2) && has_generation(&made.a3));
    must_place(&made.a2); /* back */
    assert_true(shows(&made.a2) && has_generation(&made.a3));
}

static void the_same_again_repairs(void **state)
{
    static const char *const files[] = {
        "tls/current/node.key", "tls/current/node.crt", "tls/current/ca.crt", "tls/node.key",
        "tls/node.crt",         "tls/ca.crt",           "tls/current"};
    (void)state;
    must_place(&made.a1);
    struct stat before, after;
    assert_int_equal(stat("tls/node.key", &before), 0);
    must_place(&made.a1);
    assert_int_equal(stat("tls/node.key", &after), 0);
    assert_int_equal(before.st_ino, after.st_ino); /* nothing was written */
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        assert_int_equal(unlink(files[i]), 0);
        must_place(&made.a1);
        assert_true(shows(&made.a1) && files_are(&made.a1));
    }
}

/* ---- what is not placed ---------------------------------------------------------------------- */

static void others_are_refused_unless_told(void **state)
{
    (void)state;
    must_place(&made.a1);
    assert_int_equal(place(&made.b), ERR_CONFLICT);
    assert_string_equal(t.info.text, "tls has the certificate of core core-a, not of core-b");
    assert_int_equal(place(&made.foreign), ERR_CONFLICT);
    assert_string_equal(t.info.text,
                        "tls has the CA of another cluster: this core belongs to it already");
    assert_true(shows(&made.a1) && files_are(&made.a1));
    assert_int_equal(place_texts(&made.b.t, true), ERR_OK);
    assert_true(shows(&made.b) && files_are(&made.b));
    assert_int_equal(place_texts(&made.foreign.t, true), ERR_OK);
    assert_true(shows(&made.foreign) && files_are(&made.foreign));
}

/* A CA that is there by itself says which cluster this is. */
static void a_ca_alone_counts(void **state)
{
    (void)state;
    assert_int_equal(mkdir("tls", 0700), 0);
    sync_files_write("tls/ca.crt", made.other);
    assert_int_equal(place(&made.a1), ERR_CONFLICT);
    assert_true(sync_files_has("tls/ca.crt", made.other));
    sync_files_write("tls/ca.crt", made.ca);
    must_place(&made.a1);
    assert_true(shows(&made.a1) && files_are(&made.a1));
}

static void what_does_not_belong_together_is_refused(void **state)
{
    const struct node_texts wrong_key = {made.ca, made.a1.cert, made.a2.key},
                            wrong_ca = {made.other, made.a1.cert, made.a1.key},
                            no_cert = {made.ca, "x", made.a1.key},
                            no_ca = {"x", made.a1.cert, made.a1.key};
    (void)state;
    for (int replace = 0; replace < 2; replace++) {
        assert_int_equal(place_texts(&wrong_key, replace), ERR_CONFLICT);
        assert_non_null(strstr(t.info.text, "the certificate to be placed: "));
        assert_int_equal(place_texts(&wrong_ca, replace), ERR_CONFLICT);
        assert_non_null(strstr(t.info.text, "not one of this cluster's"));
        assert_int_equal(place_texts(&no_cert, replace), ERR_MALFORMED);
        assert_int_equal(place_texts(&no_ca, replace), ERR_MALFORMED);
    }
    assert_int_equal(access("tls", F_OK), -1);
}

/* ---- what is not read ------------------------------------------------------------------------ */

static void a_key_others_may_read_is_refused(void **state)
{
    (void)state;
    must_place(&made.a1);
    chmod("tls/node.key", 0640);
    assert_int_equal(read_it(), ERR_DENIED);
    assert_non_null(
        strstr(t.info.text, "/node.key can be read by others (mode 0640): chmod 0600 it"));
    assert_int_equal(place(&made.a2), ERR_DENIED);
    assert_int_equal(place_texts(&made.a2.t, true), ERR_OK);
    assert_true(shows(&made.a2));
    chmod("tls/node.crt", 0664);
    assert_int_equal(read_it(), ERR_DENIED);
    assert_non_null(strstr(t.info.text, "/node.crt can be written by others"));
}

static void what_is_broken_is_named(void **state)
{
    static char big[CERT_PEM_MAX + 2];
    (void)state;
    must_place(&made.a1);
    sync_files_write("tls/node.key", made.a2.key);
    assert_int_equal(read_it(), ERR_CONFLICT);
    assert_non_null(strstr(t.info.text, "/node.crt: "));
    sync_files_write("tls/node.key", "");
    assert_int_equal(read_it(), ERR_MALFORMED);
    sync_files_write("tls/node.key", made.a1.key);
    sync_files_write("tls/node.crt", "x");
    assert_int_equal(read_it(), ERR_MALFORMED);
    assert_int_equal(place(&made.a1), ERR_MALFORMED);
    memset(big, 'x', sizeof big - 1);
    sync_files_write("tls/node.crt", big);
    assert_int_equal(read_it(), ERR_LIMIT);
    assert_int_equal(place_texts(&made.a1.t, true), ERR_OK);
    assert_true(shows(&made.a1));
    assert_int_equal(unlink("tls/current/ca.crt"), 0);
    assert_int_equal(read_it(), ERR_NOTFOUND);
}

static void current_is_believed_only_if_it_is_ours(void **state)
{
    static const char *const bad[] = {"/etc", "generations/../..", "generations/", "generations/AB",
                                      "x"};
    (void)state;
    must_place(&made.a1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        unlink("tls/current");
        assert_int_equal(symlink(bad[i], "tls/current"), 0);
        assert_int_equal(read_it(), ERR_NOTFOUND);
    }
    must_place(&made.a1);
    assert_true(shows(&made.a1) && files_are(&made.a1));
}

/* ---- another program's files ----------------------------------------------------------------- */

static void write_plain(const struct pair *p)
{
    mkdir("tls", 0700);
    sync_files_write("tls/ca.crt", p->t.ca_pem);
    sync_files_write("tls/node.crt", p->cert);
    sync_files_write("tls/node.key", p->key);
    chmod("tls/node.key", 0600);
}

static void plain_files_are_read_and_become_a_generation(void **state)
{
    (void)state;
    write_plain(&made.a1);
    assert_true(shows(&made.a1));
    assert_int_equal(place(&made.b), ERR_CONFLICT);
    assert_int_equal(place(&made.foreign), ERR_CONFLICT);
    assert_true(shows(&made.a1) && files_are(&made.a1));
    must_place(&made.a2);
    assert_true(shows(&made.a2) && files_are(&made.a2));
    assert_true(has_generation(&made.a1));
    sync_files_remove("tls");
    write_plain(&made.a1);
    must_place(&made.a1);
    expect_link("tls/node.key", "current/node.key");
    assert_true(shows(&made.a1) && files_are(&made.a1));
}

/* ---- accounts -------------------------------------------------------------------------------- */

static void root_places_it_for_the_account(void **state)
{
    static const char *const all[] = {"tls",
                                      "tls/generations",
                                      "tls/current/.",
                                      "tls/current/ca.crt",
                                      "tls/current/node.crt",
                                      "tls/current/node.key"};
    const struct passwd *nobody = getpwnam("nobody");
    (void)state;
    if (geteuid() != 0 || nobody == NULL) {
        skip();
    }
    for (int round = 0; round < 2; round++) { /* the second without saying for whom */
        const struct pair *p = round == 0 ? &made.a1 : &made.a2;
        assert_int_equal(node_place("tls", round == 0 ? "nobody" : NULL, p->t.ca_pem, p->cert,
                                    p->key, false, &t.info),
                         ERR_OK);
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
            struct stat st;
            assert_int_equal(lstat(all[i], &st), 0);
            assert_int_equal(st.st_uid, nobody->pw_uid);
            assert_int_equal(st.st_gid, nobody->pw_gid);
        }
        assert_true(shows(p));
    }
    int status;
    chmod(".", 0755);
    pid_t child = fork();
    if (child == 0) { /* and the account goes on with it */
        bool well = setgid(nobody->pw_gid) == 0 && setuid(nobody->pw_uid) == 0 && shows(&made.a2) &&
                    place(&made.a3) == ERR_OK && shows(&made.a3);
        node_material_free(&t.m);
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

static const struct folder_gate gate = {on_call, NULL};

static enum err place_with_a_fault(const struct pair *p)
{
    t.calls = 0;
    t.info.text[0] = '\0';
    return node_place_gated("tls", NULL, &p->t, true, &gate, &t.info);
}

/* What there may be before: nothing, a pair, plain files, another cluster's. */
static void nothing(void)
{
}

static void two_generations(void)
{
    must_place(&made.a1);
    must_place(&made.a2);
}

static void plain(void)
{
    write_plain(&made.a2);
}

static void another_clusters(void)
{
    must_place(&made.foreign);
}

static void (*const befores[])(void) = {nothing, two_generations, plain, another_clusters};
static const struct pair *const firsts[] = {NULL, &made.a2, &made.a2, &made.foreign};
#define BEFORES (sizeof befores / sizeof befores[0])

/* What is read is one of the two, and what the paths say, too. */
static void expect_old_or_new(const struct pair *old, const struct pair *new)
{
    if (old == NULL && !shows(new)) {
        assert_int_equal(read_it(), ERR_NOTFOUND);
        assert_int_equal(access("tls/node.key", F_OK), -1);
        assert_int_equal(access("tls/node.crt", F_OK), -1);
        assert_int_equal(access("tls/ca.crt", F_OK), -1);
    } else {
        bool is_new = shows(new);
        assert_true(is_new || shows(old));
        assert_true(files_are(is_new ? new : old));
    }
}

static void expect_the_same_command_ends_well(const struct pair *old, const struct pair *new)
{
    bool is_new = shows(new);
    assert_int_equal(place_texts(&new->t, true), ERR_OK);
    assert_true(shows(new) && files_are(new));
    assert_true(old == NULL || is_new || has_generation(old));
    assert_int_equal(access("tls/.current.new", F_OK), -1);
    assert_int_equal(access("tls/current/.node.key.new", F_OK), -1);
    if (t.fail_at % 4 == 0) { /* what was left lying about goes with the next */
        assert_int_equal(place_texts(&made.a4.t, true), ERR_OK);
        assert_true(has_generation(new) && !has_generation(&made.a1));
    }
}

static void each_call_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < BEFORES; i++) {
        t.error = i == 0 ? EACCES : ENOSPC;
        for (t.fail_at = 1;; t.fail_at++) {
            befores[i]();
            enum err e = place_with_a_fault(&made.a3);
            bool over = t.calls < t.fail_at;
            assert_true(!over || e == ERR_OK);
            if (e != ERR_OK) {
                assert_int_equal(e, t.error == EACCES ? ERR_DENIED : ERR_IO);
                assert_non_null(strstr(t.info.text, strerror(t.error)));
            }
            expect_old_or_new(firsts[i], &made.a3);
            expect_the_same_command_ends_well(firsts[i], &made.a3);
            sync_files_remove("tls");
            if (over) {
                break;
            }
        }
        assert_true(t.fail_at > 30);
    }
}

static void each_call_is_the_last_before_a_crash(void **state)
{
    (void)state;
    for (size_t i = 0; i < BEFORES; i++) {
        for (t.fail_at = 1;; t.fail_at++) {
            int status;
            befores[i]();
            pid_t child = fork();
            if (child == 0) {
                _exit(place_with_a_fault(&made.a3) == ERR_OK ? 1 : 2);
            }
            assert_int_equal(waitpid(child, &status, 0), child);
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
            expect_old_or_new(firsts[i], &made.a3);
            expect_the_same_command_ends_well(firsts[i], &made.a3);
            sync_files_remove("tls");
            if (WEXITSTATUS(status) == 1) {
                assert_true(t.fail_at > 30);
                break;
            }
        }
    }
}

/* ---- several at once ------------------------------------------------------------------------- */

/* Two write, and whoever reads meanwhile finds one or the other. */
static void readers_never_meet_half_a_pair(void **state)
{
    enum { ROUNDS = 40 };
    pid_t children[2];
    (void)state;
    must_place(&made.a1);
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            bool well = true;
            for (int n = 0; n < ROUNDS && well; n++) {
                well = place((n + i) % 2 == 0 ? &made.a1 : &made.a2) == ERR_OK;
            }
            _exit(well ? 0 : 1);
        }
    }
    for (int running = 2, status; running > 0;) {
        assert_int_equal(read_it(), ERR_OK);
        const struct pair *is = strcmp(t.m.cert_pem, made.a1.cert) == 0 ? &made.a1 : &made.a2;
        assert_string_equal(t.m.key_pem, is->key);
        for (int i = 0; i < 2; i++) {
            if (children[i] != 0 && waitpid(children[i], &status, WNOHANG) == children[i]) {
                assert_int_equal(status, 0);
                children[i] = 0;
                running--;
            }
        }
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_link_leads_to_all),
        TEST(the_present_one_and_the_one_before_are_kept),
        TEST(the_same_again_repairs),
        TEST(others_are_refused_unless_told),
        TEST(a_ca_alone_counts),
        TEST(what_does_not_belong_together_is_refused),
        TEST(a_key_others_may_read_is_refused),
        TEST(what_is_broken_is_named),
        TEST(current_is_believed_only_if_it_is_ours),
        TEST(plain_files_are_read_and_become_a_generation),
        TEST(root_places_it_for_the_account),
        TEST(each_call_fails),
        TEST(each_call_is_the_last_before_a_crash),
        TEST(readers_never_meet_half_a_pair),
    };
    return cmocka_run_group_tests(tests, make_all, free_all);
}
