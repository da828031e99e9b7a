/* dnsd/app/join_files_sys: passphrase, bundle and the note that it is done. Who was here before needs
 * certificates: tests/integration/join_abuse. */
#include "dnsd/app/join_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/file_sys.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char folder[64];
static char path[128];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/dnsd-test-join-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/" JOIN_DONE_FILE, folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_file(const char *bytes, size_t len, unsigned mode)
{
    assert_int_equal(file_replace(path, bytes, len, mode, NULL), ERR_OK);
}

static void expect_passphrase(enum err expected, const char *text)
{
    struct err_info info = {.text = ""};
    char *got = NULL;
    enum err e = join_passphrase(path, &got, &info);
    assert_int_equal(e, expected);
    if (e == ERR_OK) {
        assert_string_equal(got, text);
    } else {
        assert_null(got);
        assert_non_null(strstr(info.text, path));
        assert_non_null(strstr(info.text, text));
    }
    free(got);
}

static void a_passphrase_is_one_line_in_a_file_of_ones_own(void **state)
{
    char longest[JOIN_PASSPHRASE_MAX + 2];
    (void)state;
    expect_passphrase(ERR_NOTFOUND, "No such file");
    write_file("abc\n", 4, 0600);
    expect_passphrase(ERR_OK, "abc");
    write_file("a b\r\n", 5, 0400);
    expect_passphrase(ERR_OK, "a b");
    write_file("abc", 3, 0600);
    expect_passphrase(ERR_OK, "abc");
    write_file("abc\nd", 5, 0600);
    expect_passphrase(ERR_MALFORMED, "one line");
    write_file("", 0, 0600);
    expect_passphrase(ERR_MALFORMED, "empty");
    write_file("a\0b", 3, 0600);
    expect_passphrase(ERR_MALFORMED, "one line");
    memset(longest, 'x', sizeof longest);
    write_file(longest, JOIN_PASSPHRASE_MAX, 0600);
    longest[JOIN_PASSPHRASE_MAX] = '\0';
    expect_passphrase(ERR_OK, longest);
    longest[JOIN_PASSPHRASE_MAX] = 'x';
    write_file(longest, JOIN_PASSPHRASE_MAX + 1, 0600);
    expect_passphrase(ERR_MALFORMED, "more than a passphrase");
    for (unsigned bit = 01; bit <= 040; bit <<= 1) {
        write_file("abc\n", 4, 0600 | bit);
        expect_passphrase(ERR_DENIED, "chmod 600");
    }
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_passphrase(ERR_MALFORMED, "not a regular file");
}

static void a_bundle_is_read_with_its_digest(void **state)
{
    struct err_info info = {.text = ""};
    char digest[JOIN_DIGEST];
    char *text = NULL;
    size_t len = 0;
    (void)state;
    assert_int_equal(join_bundle(path, &text, &len, digest, &info), ERR_NOTFOUND);
    write_file("abc", 3, 0644);
    assert_int_equal(join_bundle(path, &text, &len, digest, &info), ERR_OK);
    assert_int_equal(len, 3);
    assert_string_equal(text, "abc");
    /* FIPS 180-2 B.1 */
    assert_string_equal(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    free(text);
    assert_int_equal(truncate(path, BUNDLE_TEXT_MAX + 1), 0);
    assert_int_equal(join_bundle(path, &text, &len, digest, &info), ERR_LIMIT);
    assert_null(text);
    assert_int_equal(join_bundle(folder, &text, &len, digest, &info), ERR_MALFORMED);
    assert_null(text);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0); /* nobody waits for its other end */
    assert_int_equal(join_bundle(path, &text, &len, digest, &info), ERR_MALFORMED);
}

static void that_it_is_done_can_be_read_again(void **state)
{
    static const char *const bad[] = {
        "", "{}", "[]", "{\"core\":\"a\"}", "{\"bundle\":\"a\"}", "{\"core\":1,\"bundle\":\"a\"}"};
    struct join_done done = {.core = "core-b", .digest = "00ff"}, again;
    struct err_info info = {.text = ""};
    struct stat st;
    (void)state;
    assert_int_equal(join_done_read(folder, &again, &info), ERR_NOTFOUND);
    assert_int_equal(join_done_write(folder, NULL, &done, 1700000000000, &info), ERR_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(join_done_read(folder, &again, &info), ERR_OK);
    assert_string_equal(again.core, "core-b");
    assert_string_equal(again.digest, "00ff");
    for (size_t i = 0; i < COUNT(bad); i++) {
        write_file(bad[i], strlen(bad[i]), 0600);
        assert_int_equal(join_done_read(folder, &again, &info), ERR_MALFORMED);
        assert_non_null(strstr(info.text, path));
    }
    assert_int_not_equal(join_done_write("/nowhere", NULL, &done, 0, &info), ERR_OK);
    assert_non_null(strstr(info.text, "/nowhere"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_passphrase_is_one_line_in_a_file_of_ones_own),
        TEST(a_bundle_is_read_with_its_digest),
        TEST(that_it_is_done_can_be_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
