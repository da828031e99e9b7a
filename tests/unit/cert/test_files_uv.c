/* cert/files_uv: real files, a real loop, and whatever operators do to folders. */
#include "cert/files_uv.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tls_peer.h"

#define DEADLINE_MS 20000
#define MADE        4
#define NOBODY      65534

static struct tls_made *made[MADE]; /* certificates that differ */

static struct {
    uv_loop_t loop;
    uv_timer_t deadline;
    struct files *files;
    char folder[64], was[4096];
    unsigned pairs, readies, closed;
    unsigned pairs_at_ready;
    struct tls_pair *last; /* our reference */
    void (*on_pair)(void); /* NULL: nothing besides */
    void (*on_ready)(void);
    int log, stderr_was;
} t;

/* ---- the world ----------------------------------------------------------------------------- */

static int make_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < MADE; i++) {
        made[i] = tls_make(&(struct tls_make){.names = "DNS:a.example"});
    }
    return 0;
}

static int free_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < MADE; i++) {
        tls_made_free(made[i]);
    }
    return 0;
}

static void too_late(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("nothing happened in time");
}

/* Each test lives in a folder of its own, which is where it is: names below are relative. */
static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    snprintf(t.folder, sizeof t.folder, "/tmp/dnsd-files-XXXXXX");
    if (mkdtemp(t.folder) == NULL || getcwd(t.was, sizeof t.was) == NULL || chdir(t.folder) != 0) {
        return -1;
    }
    t.log = memfd_create("log", MFD_CLOEXEC);
    t.stderr_was = dup(STDERR_FILENO);
    if (t.log < 0 || uv_loop_init(&t.loop) != 0) {
        return -1;
    }
    return uv_timer_init(&t.loop, &t.deadline);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void on_closed(void *ctx)
{
    assert_ptr_equal(ctx, &t);
    t.closed++;
}

/* Fails if anything still keeps the loop alive. */
static int teardown(void **state)
{
    (void)state;
    if (t.files != NULL) {
        files_close(t.files, on_closed, &t);
        assert_int_equal(t.closed, 0); /* not inside the call */
    }
    uv_close((uv_handle_t *)&t.deadline, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_true(t.files == NULL || t.closed == 1);
    tls_pair_unref(t.last);
    close(t.log);
    close(t.stderr_was);
    if (chdir(t.was) != 0 || nftw(t.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0) {
        return -1;
    }
    return uv_loop_close(&t.loop);
}

/* ---- files --------------------------------------------------------------------------------- */

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void put(const char *folder, size_t cert, size_t key)
{
    char path[256];
    snprintf(path, sizeof path, "%s/cert.pem", folder);
    write_text(path, made[cert]->cert);
    snprintf(path, sizeof path, "%s/key.pem", folder);
    write_text(path, made[key]->private);
}

static void make_folder(const char *path)
{
    assert_int_equal(mkdir(path, 0755), 0);
}

/* The link PATH is TARGET from one moment to the next. */
static void switch_link(const char *target, const char *path)
{
    char other[256];
    snprintf(other, sizeof other, "%s_new", path);
    assert_int_equal(symlink(target, other), 0);
    assert_int_equal(rename(other, path), 0);
}

static void remove_folder(const char *path)
{
    assert_int_equal(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* ---- watching ------------------------------------------------------------------------------ */

static void on_pair(void *ctx, struct tls_pair *pair)
{
    assert_ptr_equal(ctx, &t);
    t.pairs++;
    tls_pair_unref(t.last);
    t.last = tls_pair_ref(pair);
    if (t.on_pair != NULL) {
        t.on_pair();
    }
}

static void on_ready(void *ctx)
{
    assert_ptr_equal(ctx, &t);
    t.readies++;
    t.pairs_at_ready = t.pairs;
    if (t.on_ready != NULL) {
        t.on_ready();
    }
}

static void find_timer(uv_handle_t *h, void *due)
{
    if (h->type == UV_TIMER && h != (uv_handle_t *)&t.deadline && uv_is_active(h)) {
        *(uint64_t *)due = uv_timer_get_due_in((uv_timer_t *)h);
    }
}

/* Until nothing is under way and the next look is the one that comes without a notice. */
static void rest(void)
{
    uint64_t due;
    uv_timer_start(&t.deadline, too_late, DEADLINE_MS, 0);
    uv_run(&t.loop, UV_RUN_NOWAIT); /* what has happened to the files is noticed */
    for (;;) {
        due = 0;
        uv_walk(&t.loop, find_timer, &due);
        if (due > FILES_LOOK_MS / 2) {
            break;
        }
        uv_run(&t.loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&t.deadline);
}

static void begin(const char *cert, const char *key)
{
    files_open(&t.loop, cert, key, on_pair, on_ready, &t, &t.files);
    assert_int_equal(t.pairs + t.readies, 0); /* not inside the call */
    rest();
    assert_int_equal(t.readies, 1);
}

static bool has(size_t number)
{
    struct tls_pair *p = tls_pair_of(made[number]);
    bool equal = t.last != NULL && tls_pair_equal(t.last, p);
    tls_pair_unref(p);
    return equal;
}

static void expect(unsigned pairs, size_t number)
{
    rest();
    assert_int_equal(t.pairs, pairs);
    assert_true(has(number));
}

static const char *problem(void)
{
    struct files_view v;
    files_view(t.files, &v);
    return v.problem;
}

/* Lines of the log from here on, to be counted with logged(). */
static void log_begin(void)
{
    assert_int_equal(ftruncate(t.log, 0), 0);
    assert_int_equal(lseek(t.log, 0, SEEK_SET), 0);
    dup2(t.log, STDERR_FILENO);
}

static unsigned logged(const char *text)
{
    static char all[65536];
    unsigned n = 0;
    dup2(t.stderr_was, STDERR_FILENO);
    ssize_t len = pread(t.log, all, sizeof all - 1, 0);
    assert_true(len >= 0);
    all[len] = '\0';
    assert_null(strstr(all, "PRIVATE"));
    for (const char *at = all; (at = strstr(at, text)) != NULL; at++) {
        n++;
    }
    return n;
}

/* ---- tests --------------------------------------------------------------------------------- */

static void the_first_pair_comes_before_ready(void **state)
{
    struct files_view v;
    (void)state;
    put(".", 0, 0);
    begin("cert.pem", "key.pem");
    assert_int_equal(t.pairs_at_ready, 1);
    expect(1, 0);
    files_view(t.files, &v);
    assert_string_equal(v.cert_file, "cert.pem");
    assert_string_equal(v.key_file, "key.pem");
    assert_string_equal(v.problem, "");
    assert_true(v.loaded_ms > INT64_C(1600000000000));
}

static void files_that_come_later_are_noticed(void **state)
{
    (void)state;
    log_begin();
    begin("cert.pem", "key.pem");
    assert_int_equal(t.pairs_at_ready, 0);
    assert_non_null(strstr(problem(), "cert.pem"));
    assert_int_equal(logged("error tls: certificate files are not good"), 1);
    put(".", 0, 0);
    expect(1, 0);
    assert_string_equal(problem(), "");
}

static void so_are_folders_that_come_later(void **state)
{
    (void)state;
    begin("x/y/cert.pem", "x/y/key.pem");
    make_folder("x");
    rest();
    make_folder("x/y");
    rest();
    put("x/y", 0, 0);
    expect(1, 0);
}

static void a_new_pair_is_given_and_the_same_is_not(void **state)
{
    (void)state;
    put(".", 0, 0);
    begin("cert.pem", "key.pem");
    put(".", 0, 0);
    expect(1, 0);
    put(".", 1, 1);
    expect(2, 1);
    put(".", 0, 0);
    expect(3, 0);
}

/* Both files are written within the moment that a look waits for. */
static void one_file_after_the_other_is_no_problem(void **state)
{
    (void)state;
    put(".", 0, 0);
    begin("cert.pem", "key.pem");
    log_begin();
    put(".", 1, 0);
    uv_run(&t.loop, UV_RUN_NOWAIT);
    write_text("key.pem", made[1]->private);
    expect(2, 1);
    assert_int_equal(logged("not good"), 0);
}

static void a_pair_that_does_not_fit_is_told_once(void **state)
{
    (void)state;
    put(".", 0, 0);
    begin("cert.pem", "key.pem");
    log_begin();
    write_text("cert.pem", made[1]->cert);
    rest();
    assert_string_equal(problem(), "cert.pem, key.pem: the key is not the certificate's");
    for (int i = 0; i < 3; i++) {
        files_look(t.files);
        rest();
        write_text("cert.pem", made[1]->cert);
        rest();
    }
    assert_int_equal(logged("warn tls: certificate files are not good, the last good ones go on"),
                     1);
    assert_true(t.pairs == 1 && has(0));
    log_begin();
    write_text("cert.pem", "");
    rest();
    assert_int_equal(logged("the certificate is empty"), 1); /* another state */
    write_text("cert.pem", made[1]->cert);
    write_text("key.pem", made[1]->private);
    expect(2, 1);
    assert_string_equal(problem(), "");
}

static void what_was_good_before_is_good_again(void **state)
{
    (void)state;
    put(".", 0, 0);
    begin("cert.pem", "key.pem");
    assert_int_equal(unlink("key.pem"), 0);
    rest();
    assert_non_null(strstr(problem(), "key.pem"));
    log_begin();
    write_text("key.pem", made[0]->private);
    expect(1, 0);
    assert_string_equal(problem(), "");
    assert_int_equal(logged("good again"), 1);
}

static void what_is_no_file_or_too_large_is_a_problem(void **state)
{
    static char big[TLS_PAIR_PEM_MAX + 2];
    (void)state;
    put(".", 0, 0);
    begin("cert.pem", "key.pem");
    memset(big, 'x', sizeof big - 1);
    write_text("cert.pem", big);
    rest();
    assert_non_null(strstr(problem(), "larger than"));
    assert_int_equal(unlink("cert.pem"), 0);
    make_folder("cert.pem");
    rest();
    assert_non_null(strstr(problem(), "Is a directory"));
    assert_int_equal(rmdir("cert.pem"), 0);
    assert_int_equal(symlink("cert.pem", "cert.pem"), 0);
    rest();
    assert_non_null(strstr(problem(), "Too many levels"));
    assert_int_equal(unlink("cert.pem"), 0);
    write_text("cert.pem", made[0]->cert);
    expect(1, 0);
    assert_string_equal(problem(), "");
}

static void replaced_by_rename(void **state)
{
    (void)state;
    put(".", 0, 0);
    begin("cert.pem", "key.pem");
    make_folder("next");
    put("next", 1, 1);
    rest();
    assert_int_equal(rename("next/cert.pem", "cert.pem"), 0);
    assert_int_equal(rename("next/key.pem", "key.pem"), 0);
    expect(2, 1);
}

/* certbot: live/NAME/ has links to archive/NAME/, of which each is replaced. */
static void links_to_files_are_followed(void **state)
{
    (void)state;
    make_folder("live");
    make_folder("archive");
    make_folder("archive/1");
    make_folder("archive/2");
    put("archive/1", 0, 0);
    put("archive/2", 1, 1);
    switch_link("../archive/1/cert.pem", "live/cert.pem");
    switch_link("../archive/1/key.pem", "live/key.pem");
    begin("live/cert.pem", "live/key.pem");
    switch_link("../archive/2/cert.pem", "live/cert.pem");
    switch_link("../archive/2/key.pem", "live/key.pem");
    expect(2, 1);
    put("archive/2", 2, 2); /* in place, where the links lead to */
    expect(3, 2);
    put("archive/1", 3, 3); /* where nothing leads to any more */
    expect(3, 2);
}

/* Kubernetes: the files are links through ..data, and that is the link which is switched. */
static void a_link_on_the_way_is_followed(void **state)
{
    (void)state;
    make_folder("mount");
    make_folder("mount/..1");
    put("mount/..1", 0, 0);
    switch_link("..1", "mount/..data");
    switch_link("..data/cert.pem", "mount/cert.pem");
    switch_link("..data/key.pem", "mount/key.pem");
    begin("mount/cert.pem", "mount/key.pem");
    make_folder("mount/..2");
    put("mount/..2", 1, 1);
    switch_link("..2", "mount/..data");
    remove_folder("mount/..1");
    expect(2, 1);
    make_folder("mount/..3");
    put("mount/..3", 2, 2);
    rest();
    switch_link("..3", "mount/..data");
    expect(3, 2);
}

/* The folder itself is a link, by an absolute path, and a notice in the new one still comes. */
static void a_folder_that_is_a_link_is_followed(void **state)
{
    char cert[128], key[128], target[128];
    (void)state;
    make_folder("1");
    make_folder("2");
    put("1", 0, 0);
    put("2", 1, 1);
    snprintf(cert, sizeof cert, "%s/current/./cert.pem", t.folder);
    snprintf(key, sizeof key, "%s/2/../current//key.pem", t.folder);
    switch_link("1", "current");
    begin(cert, key);
    snprintf(target, sizeof target, "%s/2", t.folder);
    switch_link(target, "current");
    expect(2, 1);
    put("2", 2, 2);
    expect(3, 2);
}

static void a_folder_that_is_removed_and_made_again(void **state)
{
    (void)state;
    make_folder("tls");
    put("tls", 0, 0);
    begin("tls/cert.pem", "tls/key.pem");
    for (unsigned i = 1; i < MADE; i++) {
        remove_folder("tls");
        if (i % 2 == 0) {
            rest(); /* seen to be missing; otherwise only the new one is ever seen */
            assert_non_null(strstr(problem(), "No such file"));
        }
        make_folder("tls");
        put("tls", i, i);
        expect(i + 1, i);
    }
    put("tls", 0, 0); /* it is the new folder that is watched */
    expect(MADE + 1, 0);
}

static void a_folder_that_is_moved_away(void **state)
{
    (void)state;
    make_folder("tls");
    make_folder("other");
    put("tls", 0, 0);
    put("other", 1, 1);
    begin("tls/cert.pem", "tls/key.pem");
    assert_int_equal(rename("tls", "old"), 0);
    assert_int_equal(rename("other", "tls"), 0);
    expect(2, 1);
    put("old", 2, 2);
    expect(2, 1);
    put("tls", 3, 3);
    expect(3, 3);
}

/* Nobody notices a folder further up that is replaced: the look without a notice does, which rest()
 * has seen to be due, and the folder is watched from then on. */
static void a_look_without_a_notice(void **state)
{
    (void)state;
    make_folder("up");
    make_folder("up/tls");
    make_folder("up2");
    make_folder("up2/tls");
    put("up/tls", 0, 0);
    put("up2/tls", 1, 1);
    begin("up/tls/cert.pem", "up/tls/key.pem");
    assert_int_equal(rename("up", "up3"), 0);
    assert_int_equal(rename("up2", "up"), 0);
    expect(1, 0);
    files_look(t.files);
    files_look(t.files); /* during the first: another one follows */
    expect(2, 1);
    put("up/tls", 2, 2);
    expect(3, 2);
}

static void two_folders(void **state)
{
    (void)state;
    make_folder("public");
    make_folder("private");
    put("public", 0, 0);
    put("private", 0, 0);
    begin("public/cert.pem", "private/key.pem");
    write_text("public/cert.pem", made[1]->cert);
    rest();
    assert_int_equal(t.pairs, 1);
    write_text("private/key.pem", made[1]->private);
    expect(2, 1);
}

/* Files can be read in a folder that cannot be listed, but it cannot be watched (inotify(7)). Root may
 * do anything, so for this one it becomes somebody else. */
static void a_folder_that_cannot_be_watched(void **state)
{
    bool root = geteuid() == 0;
    (void)state;
    make_folder("secret");
    put("secret", 0, 0);
    assert_int_equal(chmod(t.folder, 0711), 0);
    assert_int_equal(chmod("secret", 0311), 0);
    assert_int_equal(root ? seteuid(NOBODY) : 0, 0);
    log_begin();
    begin("secret/cert.pem", "secret/key.pem");
    files_look(t.files);
    rest();
    unsigned told = logged("cannot watch a folder");
    assert_int_equal(root ? seteuid(0) : 0, 0);
    assert_int_equal(told, 1);
    assert_int_equal(t.pairs, 1);
    put("secret", 1, 1);
    expect(1, 0);
    files_look(t.files);
    expect(2, 1);
    assert_int_equal(chmod("secret", 0755), 0);
    files_look(t.files);
    rest();
    put("secret", 2, 2); /* it is watched as soon as it can be */
    expect(3, 2);
}

/* ---- the end ------------------------------------------------------------------------------- */

static void closing_during_a_look(void **state)
{
    (void)state;
    put(".", 0, 0);
    files_open(&t.loop, "cert.pem", "key.pem", on_pair, on_ready, &t, &t.files);
    files_close(t.files, on_closed, &t);
    t.files = NULL;
    assert_int_equal(t.closed, 0);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(t.closed, 1);
    assert_int_equal(t.pairs + t.readies, 0);
}

static void close_now(void)
{
    files_close(t.files, on_closed, &t);
    t.files = NULL;
}

static void closing_inside_on_pair(void **state)
{
    (void)state;
    put(".", 0, 0);
    t.on_pair = close_now;
    files_open(&t.loop, "cert.pem", "key.pem", on_pair, on_ready, &t, &t.files);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(t.closed, 1);
    assert_int_equal(t.pairs, 1);
    assert_int_equal(t.readies, 0);
}

static void closing_inside_on_ready(void **state)
{
    (void)state;
    t.on_ready = close_now;
    files_open(&t.loop, "cert.pem", "key.pem", on_pair, on_ready, &t, &t.files);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(t.closed, 1);
    assert_int_equal(t.readies, 1);
}

static void look_now(void)
{
    files_look(t.files);
}

static void looking_inside_on_pair(void **state)
{
    (void)state;
    put(".", 0, 0);
    t.on_pair = look_now;
    begin("cert.pem", "key.pem");
    put(".", 1, 1);
    expect(2, 1);
}

static void nobody_need_be_told(void **state)
{
    struct files *f;
    (void)state;
    put(".", 0, 0);
    files_open(&t.loop, "cert.pem", "key.pem", on_pair, NULL, &t, &f);
    rest();
    assert_int_equal(t.pairs, 1);
    files_close(f, NULL, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_pair_comes_before_ready),
        TEST(files_that_come_later_are_noticed),
        TEST(so_are_folders_that_come_later),
        TEST(a_new_pair_is_given_and_the_same_is_not),
        TEST(one_file_after_the_other_is_no_problem),
        TEST(a_pair_that_does_not_fit_is_told_once),
        TEST(what_was_good_before_is_good_again),
        TEST(what_is_no_file_or_too_large_is_a_problem),
        TEST(replaced_by_rename),
        TEST(links_to_files_are_followed),
        TEST(a_link_on_the_way_is_followed),
        TEST(a_folder_that_is_a_link_is_followed),
        TEST(a_folder_that_is_removed_and_made_again),
        TEST(a_folder_that_is_moved_away),
        TEST(a_look_without_a_notice),
        TEST(two_folders),
        TEST(a_folder_that_cannot_be_watched),
        TEST(closing_during_a_look),
        TEST(closing_inside_on_pair),
        TEST(closing_inside_on_ready),
        TEST(looking_inside_on_pair),
        TEST(nobody_need_be_told),
    };
    return cmocka_run_group_tests(tests, make_all, free_all);
}
