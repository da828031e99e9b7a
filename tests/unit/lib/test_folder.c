/* lib/folder_sys, lib/folder_open_sys: what their users' tests (cert/sync, cluster/ca_sys, cluster/node_sys)
 * do not come to. */
#include "lib/folder_sys.h"

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

#include "sync_files.h"

static const struct folder_gate no_gate;

static struct {
    char folder[64];
    mode_t umask;
    struct folder at;
    struct err_info info;
} t;

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    t.umask = umask(022);
    sync_files_begin(t.folder);
    assert_int_equal(folder_open_for("home", NULL, &no_gate, &t.at, &t.info), ERR_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    folder_close(&t.at);
    sync_files_end(t.folder);
    umask(t.umask);
    return 0;
}

static void a_new_file_is_never_an_old_one(void **state)
{
    (void)state;
    assert_int_equal(folder_write_new(&t.at, "a", "one", 3, 0640, &t.info), ERR_OK);
    assert_true(sync_files_has("home/a", "one"));
    assert_int_equal(sync_files_mode("home/a"), 0640);
    assert_int_equal(folder_write_new(&t.at, "a", "two", 3, 0640, &t.info), ERR_IO);
    assert_string_equal(t.info.text, "cannot create home/a: File exists");
    assert_int_equal(symlink("b", "home/link"), 0);
    assert_int_equal(folder_write_new(&t.at, "link", "two", 3, 0640, NULL), ERR_IO);
    assert_int_equal(access("home/b", F_OK), -1);
    assert_int_equal(folder_put(&t.at, "a", "three", 5, 0600, &t.info), ERR_OK);
    assert_true(sync_files_has("home/a", "three"));
    assert_int_equal(sync_files_mode("home/a"), 0600);
}

static void a_rename_replaces_nothing(void **state)
{
    (void)state;
    sync_files_write("home/a", "one");
    sync_files_write("home/b", "two");
    assert_int_equal(folder_rename_new(&t.at, "a", "b", &t.info), ERR_CONFLICT);
    assert_string_equal(t.info.text, "home/b is there already");
    assert_true(sync_files_has("home/a", "one") && sync_files_has("home/b", "two"));
    assert_int_equal(folder_rename_new(&t.at, "a", "c", &t.info), ERR_OK);
    assert_true(sync_files_has("home/c", "one"));
    assert_int_equal(folder_rename_new(&t.at, "a", "d", &t.info), ERR_NOTFOUND);
}

static void what_is_read_is_as_wanted(void **state)
{
    const struct folder_want strict = {.cap = 3, .unwanted = 077};
    const struct folder_want mend = {.cap = 3, .repair = 0600};
    struct folder_text text;
    (void)state;
    sync_files_write("home/a", "one");
    assert_int_equal(folder_read(&t.at, "a", &strict, &text, &t.info), ERR_DENIED);
    assert_string_equal(t.info.text, "home/a can be read by others (mode 0644): chmod 0600 it");
    assert_null(text.bytes);
    assert_int_equal(sync_files_mode("home/a"), 0644);
    assert_int_equal(folder_read(&t.at, "a", &mend, &text, &t.info), ERR_OK);
    assert_int_equal(sync_files_mode("home/a"), 0600);
    assert_int_equal(text.len, 3);
    assert_string_equal((char *)text.bytes, "one");
    folder_text_free(&text);
    assert_int_equal(folder_read(&t.at, "a", &strict, &text, &t.info), ERR_OK);
    folder_text_free(&text);
    sync_files_write("home/a", "four");
    assert_int_equal(folder_read(&t.at, "a", &strict, &text, &t.info), ERR_LIMIT);
    assert_int_equal(folder_read(&t.at, "b", &strict, &text, &t.info), ERR_NOTFOUND);
}

static void one_at_a_time(void **state)
{
    struct folder second;
    (void)state;
    assert_int_equal(folder_open("home", &no_gate, &second, &t.info), ERR_OK);
    assert_int_equal(folder_lock(&t.at, 0, &t.info), ERR_OK);
    assert_int_equal(folder_lock(&second, 30, &t.info), ERR_BUSY);
    assert_string_equal(t.info.text, "another process works in home: try again");
    folder_close(&t.at);
    assert_int_equal(folder_lock(&second, 0, &t.info), ERR_OK);
    folder_close(&second);
}

static void a_folder_is_removed_with_its_files(void **state)
{
    struct folder in;
    char was[8] = "";
    (void)state;
    assert_int_equal(folder_make(&t.at, "in", &in, &t.info), ERR_OK);
    assert_int_equal(folder_write_new(&in, "a", "secret", 6, 0600, &t.info), ERR_OK);
    int fd = open("home/in/a", O_RDONLY);
    folder_close(&in);
    assert_int_equal(folder_remove(&t.at, "in", &t.info), ERR_OK);
    assert_int_equal(access("home/in", F_OK), -1);
    assert_int_equal(pread(fd, was, sizeof was, 0), 6);
    assert_memory_equal(was, "\0\0\0\0\0\0", 6);
    close(fd);
    assert_int_equal(folder_remove(&t.at, "in", &t.info), ERR_NOTFOUND);
}

static void folders_that_are_there_stay_as_they_are(void **state)
{
    struct folder f;
    char longest[PATH_MAX + 10];
    (void)state;
    assert_int_equal(mkdir("mine", 0755), 0);
    assert_int_equal(folder_open_for("mine", NULL, &no_gate, &f, &t.info), ERR_OK);
    folder_close(&f);
    assert_int_equal(sync_files_mode("mine"), 0755);
    assert_int_equal(symlink("mine", "link"), 0);
    assert_int_equal(folder_open_for("link", NULL, &no_gate, &f, &t.info), ERR_OK);
    folder_close(&f);
    chmod("mine", 0757);
    assert_int_equal(folder_open("link", &no_gate, &f, &t.info), ERR_DENIED);
    assert_int_equal(f.fd, -1);
    assert_int_equal(folder_open("nowhere", &no_gate, &f, &t.info), ERR_NOTFOUND);
    assert_int_equal(folder_open("", &no_gate, &f, &t.info), ERR_LIMIT);
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(folder_open(longest, &no_gate, &f, &t.info), ERR_LIMIT);
    assert_int_equal(folder_open_for("a/b/../c//d/", NULL, &no_gate, &f, &t.info), ERR_OK);
    assert_int_equal(sync_files_mode("a/c/d"), 0700);
    assert_int_equal(sync_files_mode("a/c"), 0750);
    folder_close(&f);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_new_file_is_never_an_old_one),     TEST(a_rename_replaces_nothing),
        TEST(what_is_read_is_as_wanted),          TEST(one_at_a_time),
        TEST(a_folder_is_removed_with_its_files), TEST(folders_that_are_there_stay_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
