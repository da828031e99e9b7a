/* cert/sync_dir_sys and cert/sync_file_sys: real folders, and what must never be in them. */
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
#include <unistd.h>

#include <cmocka.h>

#include "cert/sync_priv.h"
#include "sync_files.h"

#define HOST   "a.example"
#define HOME   "tls/a.example"
#define NOBODY 65534

static struct {
    char folder[64];
    struct sync_dir dir;
    bool open;
    mode_t umask;
    struct err_info info;
} t;

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    t.umask = umask(0);
    sync_files_begin(t.folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (t.open) {
        sync_dir_close(&t.dir);
    }
    sync_files_end(t.folder);
    umask(t.umask);
    return 0;
}

static enum err open_dir(const char *hostname)
{
    t.info.text[0] = '\0';
    enum err e = sync_dir_open(&t.dir, "tls", hostname, &t.info);
    t.open = e == ERR_OK;
    return e;
}

static struct sync_gen gen(uint64_t number)
{
    struct sync_gen g = {.number = number, .issued_ms = (int64_t)(1000 * number)};
    snprintf(g.print, sizeof g.print, "%08u", (unsigned)number);
    return g;
}

static struct sync_tree tree(void)
{
    struct sync_tree out;
    if (sync_tree_open(&t.dir, &out, &t.info) != ERR_OK) {
        fail_msg("%s", t.info.text);
    }
    return out;
}

/* The generation NUMBER, whose texts are "cert NUMBER" and "key NUMBER". */
static enum err write_gen(const struct sync_tree *tr, uint64_t number)
{
    char cert[32], key[32];
    struct sync_gen g = gen(number);
    snprintf(cert, sizeof cert, "cert %u", (unsigned)number);
    snprintf(key, sizeof key, "key %u", (unsigned)number);
    struct sync_texts texts = {.cert = {(uint8_t *)cert, strlen(cert)},
                               .key = {(uint8_t *)key, strlen(key)}};
    enum err e = sync_tree_write(tr, &g, &texts, &t.info);
    return e == ERR_OK ? sync_tree_switch(tr, &g, &t.info) : e;
}

static void go_to(uint64_t number)
{
    struct sync_tree tr = tree();
    struct sync_gen g = gen(number);
    if (write_gen(&tr, number) != ERR_OK || sync_tree_tidy(&tr, &g, &t.info) != ERR_OK) {
        fail_msg("%s", t.info.text);
    }
    sync_tree_close(&tr);
}

static void expect_link(const char *path, const char *target)
{
    char *is = sync_files_link(path);
    assert_non_null(is);
    assert_string_equal(is, target);
    free(is);
}

/* ---- tests --------------------------------------------------------------------------------- */

/* Looks at the new files when they are there, and just before their first octet. */
static int look_at_modes(void *ctx, const char *call)
{
    bool writes = strcmp(call, "write") == 0;
    if (writes || strcmp(call, "fchmod") == 0) {
        *(unsigned *)ctx += writes;
        char name[128];
        for (int i = 0; i < 2; i++) {
            snprintf(name, sizeof name, "%s/generations/00000001-0000000001000-00000001/.%s.new",
                     HOME, i == 0 ? SYNC_KEY : SYNC_CERT);
            struct stat st;
            if (lstat(name, &st) == 0) {
                assert_int_equal(st.st_mode & 07177, 0); /* never more than 0600 */
                assert_true(!writes || (st.st_mode & 07777) == 0600);
                assert_int_equal(st.st_size, 0);
            }
        }
    }
    return 0;
}

static void modes_are_set_whatever_the_umask_is(void **state)
{
    static const mode_t masks[] = {0, 0027, 0077, 0277};
    (void)state;
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        unsigned writes = 0;
        umask(masks[i]);
        t.dir.gate = (struct folder_gate){look_at_modes, &writes};
        assert_int_equal(open_dir(HOST), ERR_OK);
        go_to(1);
        assert_int_equal(writes, 2);
        assert_int_equal(sync_files_mode("tls"), 0700);
        assert_int_equal(sync_files_mode(HOME), 0700);
        assert_int_equal(sync_files_mode(HOME "/generations"), 0700);
        assert_int_equal(sync_files_mode(HOME "/current/."), 0700);
        assert_int_equal(sync_files_mode(HOME "/current/" SYNC_KEY), 0600);
        assert_int_equal(sync_files_mode(HOME "/current/" SYNC_CERT), 0600);
        sync_dir_close(&t.dir);
        t.open = false;
        sync_files_remove("tls");
    }
}

static void one_link_leads_to_both(void **state)
{
    (void)state;
    assert_int_equal(open_dir(HOST), ERR_OK);
    assert_string_equal(t.dir.cert_path, HOME "/fullchain.pem");
    assert_string_equal(t.dir.key_path, HOME "/privkey.pem");
    go_to(1);
    go_to(2);
    expect_link(HOME "/current", "generations/00000002-0000000002000-00000002");
    expect_link(HOME "/fullchain.pem", "current/fullchain.pem");
    expect_link(HOME "/privkey.pem", "current/privkey.pem");
    assert_true(sync_files_has(t.dir.cert_path, "cert 2"));
    assert_true(sync_files_has(t.dir.key_path, "key 2"));
    assert_true(
        sync_files_has(HOME "/generations/00000001-0000000001000-00000001/privkey.pem", "key 1"));
}

static void a_wildcard_has_a_folder_without_a_star(void **state)
{
    (void)state;
    assert_int_equal(open_dir("*.a.example"), ERR_OK);
    assert_string_equal(t.dir.cert_path, "tls/wildcard.a.example/fullchain.pem");
    assert_int_equal(sync_files_mode("tls/wildcard.a.example"), 0700);
}

static void a_name_that_is_none_makes_nothing(void **state)
{
    (void)state;
    assert_int_equal(open_dir("../a.example"), ERR_MALFORMED);
    assert_int_equal(access("tls", F_OK), -1);
    assert_int_equal(access("../a.example", F_OK), -1);
}

static void only_one_has_the_folder(void **state)
{
    struct sync_dir second = {.lock = -1};
    (void)state;
    assert_int_equal(open_dir(HOST), ERR_OK);
    assert_int_equal(sync_dir_open(&second, "tls", "b.example", &t.info), ERR_BUSY);
    assert_non_null(strstr(t.info.text, "another dnsd keeps its certificates in tls"));
    sync_dir_close(&t.dir);
    assert_int_equal(sync_dir_open(&second, "tls", "b.example", &t.info), ERR_OK);
    sync_dir_close(&second);
    assert_int_equal(open_dir(HOST), ERR_OK);
}

static void plain_files_give_way_to_links_and_are_overwritten(void **state)
{
    char was[16] = "";
    (void)state;
    assert_int_equal(mkdir("tls", 0755), 0);
    assert_int_equal(mkdir(HOME, 0755), 0);
    sync_files_write(HOME "/fullchain.pem", "old cert");
    sync_files_write(HOME "/privkey.pem", "old key");
    int fd = open(HOME "/privkey.pem", O_RDONLY);
    assert_int_equal(open_dir(HOST), ERR_OK);
    assert_int_equal(sync_files_mode("tls"), 0755); /* the operator's: others may read */
    assert_int_equal(sync_files_mode(HOME), 0700);
    go_to(1);
    expect_link(HOME "/privkey.pem", "current/privkey.pem");
    expect_link(HOME "/fullchain.pem", "current/fullchain.pem");
    assert_int_equal(pread(fd, was, sizeof was, 0), 7);
    assert_memory_equal(was, "\0\0\0\0\0\0\0", 7);
    close(fd);
}

static void a_key_with_another_name_is_left_alone(void **state)
{
    (void)state;
    assert_int_equal(open_dir(HOST), ERR_OK);
    sync_files_write("backup", "old key");
    assert_int_equal(link("backup", HOME "/privkey.pem"), 0);
    go_to(1);
    assert_true(sync_files_has("backup", "old key"));
    assert_true(sync_files_has(HOME "/privkey.pem", "key 1"));
}

static void two_generations_are_kept_and_older_keys_overwritten(void **state)
{
    char was[16] = "";
    struct sync_gen all[16];
    size_t count;
    (void)state;
    assert_int_equal(open_dir(HOST), ERR_OK);
    go_to(1);
    int fd = open(HOME "/privkey.pem", O_RDONLY);
    assert_int_equal(mkdir(HOME "/generations/not ours", 0700), 0);
    go_to(2);
    go_to(3);
    assert_int_equal(access(HOME "/generations/00000001-0000000001000-00000001", F_OK), 0);
    go_to(4);
    struct sync_tree tr = tree();
    assert_int_equal(sync_tree_list(&tr, all, 16, &count, NULL), ERR_OK);
    assert_int_equal(count, 1 + CERT_SYNC_KEEP);
    assert_int_equal(all[0].number, 4);
    assert_int_equal(all[1].number, 3);
    assert_int_equal(all[2].number, 2);
    sync_tree_close(&tr);
    assert_int_equal(access(HOME "/generations/not ours", F_OK), 0);
    assert_int_equal(pread(fd, was, sizeof was, 0), 5);
    assert_memory_equal(was, "\0\0\0\0\0", 5);
    close(fd);
}

/* However the order of the numbers is: what is shown is not removed. */
static void what_is_shown_is_never_removed(void **state)
{
    (void)state;
    assert_int_equal(open_dir(HOST), ERR_OK);
    for (uint64_t i = 6; i > 0; i--) {
        go_to(i);
        assert_true(sync_files_has(HOME "/privkey.pem",
                                   (char[]){'k', 'e', 'y', ' ', (char)('0' + i), '\0'}));
    }
}

static void the_rest_of_a_crash_is_wiped(void **state)
{
    (void)state;
    assert_int_equal(open_dir(HOST), ERR_OK);
    assert_int_equal(mkdir(HOME "/generations/00000001-0000000001000-00000001", 0700), 0);
    sync_files_write(HOME "/generations/00000001-0000000001000-00000001/.privkey.pem.new", "half");
    sync_files_write(HOME "/generations/00000001-0000000001000-00000001/privkey.pem", "ke");
    assert_int_equal(symlink("/etc/passwd", HOME "/.current.new"), 0);
    int fd = open(HOME "/generations/00000001-0000000001000-00000001/.privkey.pem.new", O_RDONLY);
    char was[8] = "";
    go_to(1);
    assert_true(sync_files_has(HOME "/privkey.pem", "key 1"));
    assert_int_equal(access(HOME "/current/.privkey.pem.new", F_OK), -1);
    assert_int_equal(pread(fd, was, sizeof was, 0), 4);
    assert_memory_equal(was, "\0\0\0\0", 4);
    close(fd);
}

/* ---- what is not as it should be ------------------------------------------------------------ */

static enum err read_gen(uint64_t number)
{
    struct sync_texts texts;
    struct sync_gen g = gen(number);
    struct sync_tree tr = tree();
    enum err e = sync_tree_read(&tr, &g, &texts, &t.info);
    sync_tree_close(&tr);
    sync_texts_free(&texts);
    return e;
}

static void what_is_no_file_is_not_read(void **state)
{
    static const char key[] = HOME "/generations/00000001-0000000001000-00000001/privkey.pem";
    static char big[TLS_PAIR_PEM_MAX + 2];
    (void)state;
    assert_int_equal(open_dir(HOST), ERR_OK);
    go_to(1);
    assert_int_equal(read_gen(1), ERR_OK);
    unlink(key);
    assert_int_equal(read_gen(1), ERR_NOTFOUND);
    assert_int_equal(mkfifo(key, 0600), 0);
    assert_int_equal(read_gen(1), ERR_DENIED); /* and does not wait for a writer */
    unlink(key);
    sync_files_write("elsewhere", "key 1");
    assert_int_equal(symlink("../../../../elsewhere", key), 0);
    assert_int_equal(read_gen(1), ERR_DENIED);
    assert_non_null(strstr(t.info.text, "privkey.pem"));
    unlink(key);
    assert_int_equal(mkdir(key, 0700), 0);
    assert_int_equal(read_gen(1), ERR_DENIED);
    assert_int_equal(rmdir(key), 0);
    memset(big, 'x', sizeof big - 1);
    sync_files_write(key, big);
    assert_int_equal(read_gen(1), ERR_LIMIT);
}

static void modes_are_repaired(void **state)
{
    (void)state;
    assert_int_equal(open_dir(HOST), ERR_OK);
    go_to(1);
    chmod(HOME "/privkey.pem", 0644);
    chmod(HOME "/current/.", 0755);
    chmod(HOME, 0777);
    chmod("tls", 0777);
    assert_int_equal(read_gen(1), ERR_OK);
    assert_int_equal(sync_files_mode("tls"), 0755);
    assert_int_equal(sync_files_mode(HOME), 0700);
    assert_int_equal(sync_files_mode(HOME "/current/."), 0700);
    assert_int_equal(sync_files_mode(HOME "/current/privkey.pem"), 0600);
    chmod("tls", 01777); /* like a folder for everybody, which it is then */
    assert_int_equal(read_gen(1), ERR_OK);
    assert_int_equal(sync_files_mode("tls"), 01777);
}

static void what_cannot_be_repaired_is_named(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(open_dir(HOST), ERR_OK);
    go_to(1);
    sync_dir_close(&t.dir);
    t.open = false;
    assert_int_equal(chown(HOME, NOBODY, NOBODY), 0);
    assert_int_equal(open_dir(HOST), ERR_DENIED);
    assert_string_equal(t.info.text,
                        "tls/a.example belongs to user 65534; it must be user 0's: chown it");
    assert_int_equal(chown(HOME, 0, 0), 0);
    assert_int_equal(chown("tls", NOBODY, NOBODY), 0);
    chmod("tls", 0775);
    assert_int_equal(open_dir(HOST), ERR_DENIED);
    assert_string_equal(t.info.text, "tls can be written by others: chmod go-w it");
    chmod("tls", 0755); /* somebody else's who cannot be kept out anyway */
    assert_int_equal(open_dir(HOST), ERR_OK);
    assert_int_equal(chown(HOME "/current/privkey.pem", NOBODY, NOBODY), 0);
    assert_int_equal(read_gen(1), ERR_DENIED);
    go_to(1); /* another file in its place */
    assert_int_equal(read_gen(1), ERR_OK);
}

static void what_is_in_the_way_is_named(void **state)
{
    (void)state;
    assert_int_equal(mkdir("tls", 0700), 0);
    assert_int_equal(mkdir("other", 0700), 0);
    assert_int_equal(symlink("../other", HOME), 0);
    assert_int_equal(open_dir(HOST), ERR_DENIED);
    assert_string_equal(t.info.text, "tls/a.example is not a folder: move it away");
    unlink(HOME);
    sync_files_write(HOME, "");
    assert_int_equal(open_dir(HOST), ERR_DENIED);
    unlink(HOME);
    assert_int_equal(open_dir(HOST), ERR_OK);
    assert_int_equal(mkdir(HOME "/current", 0700), 0);
    struct sync_tree tr = tree();
    assert_int_equal(write_gen(&tr, 1), ERR_IO);
    assert_non_null(strstr(t.info.text, "cannot replace tls/a.example/current: Is a directory"));
    sync_tree_close(&tr);
    assert_int_equal(access(HOME "/.current.new", F_OK), -1);
}

static void current_is_believed_only_if_it_is_ours(void **state)
{
    static const char *const bad[] = {"/etc", "generations/../../..", "generations/", "1"};
    struct sync_gen g;
    (void)state;
    assert_int_equal(open_dir(HOST), ERR_OK);
    struct sync_tree tr = tree();
    assert_int_equal(sync_tree_current(&tr, &g, NULL), ERR_NOTFOUND);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(symlink(bad[i], HOME "/current"), 0);
        assert_int_equal(sync_tree_current(&tr, &g, NULL), ERR_NOTFOUND);
        unlink(HOME "/current");
    }
    sync_files_write(HOME "/current", "generations/00000001-0000000001000-00000001");
    assert_int_equal(sync_tree_current(&tr, &g, NULL), ERR_NOTFOUND);
    assert_int_equal(write_gen(&tr, 7), ERR_OK);
    assert_int_equal(sync_tree_current(&tr, &g, NULL), ERR_OK);
    assert_int_equal(g.number, 7);
    sync_tree_close(&tr);
}

static void the_hooks_mark_is_the_generations(void **state)
{
    struct sync_gen one = gen(1), two = gen(2);
    (void)state;
    assert_int_equal(open_dir(HOST), ERR_OK);
    go_to(1);
    struct sync_tree tr = tree();
    assert_false(sync_tree_hooked(&tr, &one));
    assert_int_equal(sync_tree_set_hooked(&tr, &one, NULL), ERR_OK);
    assert_true(sync_tree_hooked(&tr, &one));
    assert_int_equal(write_gen(&tr, 2), ERR_OK);
    assert_false(sync_tree_hooked(&tr, &two));
    sync_tree_close(&tr);
}

static void a_folder_that_cannot_be_made(void **state)
{
    (void)state;
    assert_int_equal(sync_dir_open(&t.dir, "not/there/tls", HOST, &t.info), ERR_IO);
    assert_non_null(strstr(t.info.text, "cannot make not/there/tls: No such file"));
    sync_files_write("tls", "");
    assert_int_equal(open_dir(HOST), ERR_IO);
    assert_non_null(strstr(t.info.text, "cannot open tls: Not a directory"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(modes_are_set_whatever_the_umask_is),
        TEST(one_link_leads_to_both),
        TEST(a_wildcard_has_a_folder_without_a_star),
        TEST(a_name_that_is_none_makes_nothing),
        TEST(only_one_has_the_folder),
        TEST(plain_files_give_way_to_links_and_are_overwritten),
        TEST(a_key_with_another_name_is_left_alone),
        TEST(two_generations_are_kept_and_older_keys_overwritten),
        TEST(what_is_shown_is_never_removed),
        TEST(the_rest_of_a_crash_is_wiped),
        TEST(what_is_no_file_is_not_read),
        TEST(modes_are_repaired),
        TEST(what_cannot_be_repaired_is_named),
        TEST(what_is_in_the_way_is_named),
        TEST(current_is_believed_only_if_it_is_ours),
        TEST(the_hooks_mark_is_the_generations),
        TEST(a_folder_that_cannot_be_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
