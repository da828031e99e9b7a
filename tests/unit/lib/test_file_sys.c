/* lib/file_sys: whole files, in and out, and what each failure leaves behind. */
#include "lib/file_sys.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NOBODY 65534

static char folder[] = "/tmp/dnsd-test-file-XXXXXX";
static char path[256];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static unsigned entries(void)
{
    DIR *d = opendir(folder);
    unsigned n = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        n += e->d_name[0] != '.' ? 1 : 0;
    }
    closedir(d);
    return n;
}

static int empty_folder(void **state)
{
    DIR *d = opendir(folder);
    (void)state;
    if (d == NULL) {
        return -1;
    }
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            unlinkat(dirfd(d), e->d_name, 0);
        }
    }
    closedir(d);
    return 0;
}

static int remove_folder(void **state)
{
    return empty_folder(state) != 0 ? -1 : rmdir(folder);
}

static void expect_content(const char *expected)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct err_info info = {.text = ""};
    assert_int_equal(file_read(path, 1 << 20, &bytes, &len, &info), ERR_OK);
    assert_int_equal(len, strlen(expected));
    assert_string_equal((char *)bytes, expected);
    free(bytes);
}

static void what_is_written_is_read(void **state)
{
    struct err_info info = {.text = ""};
    (void)state;
    assert_int_equal(file_replace(path, "first", 5, 0644, &info), ERR_OK);
    expect_content("first");
    assert_int_equal(file_replace(path, "second one", 10, 0644, &info), ERR_OK);
    expect_content("second one");
    assert_int_equal(file_replace(path, "", 0, 0644, &info), ERR_OK);
    expect_content("");
    assert_int_equal(entries(), 1);
}

static void the_cap_is_exact(void **state)
{
    struct err_info info = {.text = ""};
    uint8_t *bytes = NULL;
    size_t len = 0;
    (void)state;
    assert_int_equal(file_replace(path, "12345", 5, 0600, &info), ERR_OK);
    assert_int_equal(file_read(path, 5, &bytes, &len, &info), ERR_OK);
    free(bytes);
    bytes = NULL;
    assert_int_equal(file_read(path, 4, &bytes, &len, &info), ERR_LIMIT);
    assert_null(bytes);
    assert_non_null(strstr(info.text, path));
    assert_non_null(strstr(info.text, "4 bytes"));
}

/* A pipe has no size to go by, a file in /proc says 0; both have content. */
static void sizes_need_not_be_known(void **state)
{
    struct err_info info = {.text = ""};
    char pipe_path[64];
    char block[1000];
    uint8_t *bytes = NULL;
    size_t len = 0;
    int ends[2];
    (void)state;
    assert_int_equal(file_read("/proc/self/status", 1 << 20, &bytes, &len, &info), ERR_OK);
    assert_non_null(strstr((char *)bytes, "Name:"));
    free(bytes);
    assert_int_equal(file_read("/proc/self/status", 10, &bytes, &len, &info), ERR_LIMIT);

    assert_int_equal(pipe(ends), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) >= 1 << 20);
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(write(ends[1], block, sizeof block), sizeof block);
    }
    close(ends[1]);
    snprintf(pipe_path, sizeof pipe_path, "/proc/self/fd/%d", ends[0]);
    assert_int_equal(file_read(pipe_path, 1 << 20, &bytes, &len, &info), ERR_OK);
    assert_int_equal(len, 300 * sizeof block);
    assert_int_equal(strlen((char *)bytes), len);
    free(bytes);
    close(ends[0]);
}

static void modes_ignore_the_umask(void **state)
{
    static const unsigned modes[] = {0600, 0644, 0666, 0400};
    mode_t old = umask(077);
    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct stat st;
        assert_int_equal(file_replace(path, "x", 1, modes[i], NULL), ERR_OK);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, modes[i]);
    }
    umask(old);
}

static void a_missing_file_or_folder_is_not_found(void **state)
{
    struct err_info info = {.text = ""};
    char nowhere[300];
    uint8_t *bytes = NULL;
    size_t len = 0;
    (void)state;
    assert_int_equal(file_read(path, 100, &bytes, &len, &info), ERR_NOTFOUND);
    assert_non_null(strstr(info.text, path));
    assert_non_null(strstr(info.text, "No such file"));
    snprintf(nowhere, sizeof nowhere, "%s/nowhere/file", folder);
    assert_int_equal(file_replace(nowhere, "x", 1, 0600, &info), ERR_NOTFOUND);
    assert_non_null(strstr(info.text, "nowhere"));
}

static void a_folder_is_no_file(void **state)
{
    struct err_info info = {.text = ""};
    uint8_t *bytes = NULL;
    size_t len = 0;
    (void)state;
    assert_int_equal(file_read(folder, 1 << 20, &bytes, &len, &info), ERR_IO);
    assert_non_null(strstr(info.text, "Is a directory"));
    assert_int_equal(file_replace(folder, "x", 1, 0600, &info), ERR_IO);
    assert_int_equal(entries(), 0);
}

/* Root may write anywhere, so for this one it becomes somebody else. */
static void an_unwritable_folder_is_denied(void **state)
{
    struct err_info info = {.text = ""};
    bool root = geteuid() == 0;
    uint8_t *bytes = NULL;
    size_t len = 0;
    (void)state;
    assert_int_equal(file_replace(path, "kept", 4, 0600, &info), ERR_OK);
    assert_int_equal(chmod(path, root ? 0600 : 0000), 0);
    assert_int_equal(chmod(folder, 0555), 0);
    assert_int_equal(root ? seteuid(NOBODY) : 0, 0);
    enum err replaced = file_replace(path, "new", 3, 0600, &info);
    char said[sizeof info.text];
    memcpy(said, info.text, sizeof said);
    enum err read = file_read(path, 100, &bytes, &len, &info);
    assert_int_equal(root ? seteuid(0) : 0, 0);
    assert_int_equal(chmod(folder, 0700), 0);
    assert_int_equal(chmod(path, 0600), 0);

    assert_int_equal(replaced, ERR_DENIED);
    assert_non_null(strstr(said, path));
    assert_non_null(strstr(said, "Permission denied"));
    assert_int_equal(read, ERR_DENIED);
    expect_content("kept");
    assert_int_equal(entries(), 1);
}

/* A limit on the size of files stands in for a disk that fills up in the middle of a write. */
static void a_full_disk_leaves_the_old_content(void **state)
{
    struct err_info info = {.text = ""};
    struct rlimit was;
    static char big[100000];
    (void)state;
    memset(big, 'b', sizeof big);
    assert_int_equal(file_replace(path, "kept", 4, 0600, &info), ERR_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    struct rlimit small = {.rlim_cur = 40000, .rlim_max = was.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum err e = file_replace(path, big, sizeof big, 0600, &info);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(e, ERR_IO);
    assert_non_null(strstr(info.text, path));
    assert_non_null(strstr(info.text, "File too large"));
    expect_content("kept");
    assert_int_equal(entries(), 1);
}

/* A link where the temporary file goes must not lead the write elsewhere, and a leftover of a crash
 * must not stop it. */
static void leftovers_and_links_do_not_matter(void **state)
{
    char tmp[300], victim[300];
    struct stat st;
    (void)state;
    snprintf(tmp, sizeof tmp, "%s.tmp.%ld", path, (long)getpid());
    snprintf(victim, sizeof victim, "%s/victim", folder);
    assert_int_equal(file_replace(victim, "mine", 4, 0600, NULL), ERR_OK);
    assert_int_equal(symlink(victim, tmp), 0);
    assert_int_equal(file_replace(path, "new", 3, 0600, NULL), ERR_OK);
    expect_content("new");
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(stat(victim, &st), 0);
    assert_int_equal(st.st_size, 4);
    FILE *left = fopen(tmp, "w");
    assert_non_null(left);
    fputs("half a li", left);
    fclose(left);
    assert_int_equal(chmod(tmp, 0666), 0);
    assert_int_equal(file_replace(path, "newer", 5, 0600, NULL), ERR_OK);
    expect_content("newer");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void leftovers_go(void **state)
{
    static const char *const endings[] = {".tmp.1", ".tmp.99999"};
    char name[300], other[300];
    struct stat st;
    (void)state;
    assert_int_equal(file_replace(path, "mine", 4, 0600, NULL), ERR_OK);
    snprintf(other, sizeof other, "%s.tmp", path);
    assert_int_equal(file_replace(other, "another", 7, 0600, NULL), ERR_OK);
    for (size_t i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        assert_int_equal(file_replace(name, "secret", 6, 0600, NULL), ERR_OK);
    }
    file_replace_leftovers(path);
    for (size_t i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        assert_int_equal(stat(name, &st), -1);
    }
    expect_content("mine");
    assert_int_equal(stat(other, &st), 0);
}

static void a_path_without_a_folder_is_here(void **state)
{
    char was[4096];
    (void)state;
    assert_non_null(getcwd(was, sizeof was));
    assert_int_equal(chdir(folder), 0);
    enum err e = file_replace("file", "here", 4, 0600, NULL);
    assert_int_equal(chdir(was), 0);
    assert_int_equal(e, ERR_OK);
    expect_content("here");
}

static void a_path_too_long_is_a_limit(void **state)
{
    static char longer[5000];
    struct err_info info = {.text = ""};
    (void)state;
    memset(longer, 'x', sizeof longer - 1);
    assert_int_equal(file_replace(longer, "x", 1, 0600, &info), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_written_is_read, empty_folder),
        cmocka_unit_test_teardown(the_cap_is_exact, empty_folder),
        cmocka_unit_test_teardown(sizes_need_not_be_known, empty_folder),
        cmocka_unit_test_teardown(modes_ignore_the_umask, empty_folder),
        cmocka_unit_test_teardown(a_missing_file_or_folder_is_not_found, empty_folder),
        cmocka_unit_test_teardown(a_folder_is_no_file, empty_folder),
        cmocka_unit_test_teardown(an_unwritable_folder_is_denied, empty_folder),
        cmocka_unit_test_teardown(a_full_disk_leaves_the_old_content, empty_folder),
        cmocka_unit_test_teardown(leftovers_and_links_do_not_matter, empty_folder),
        cmocka_unit_test_teardown(leftovers_go, empty_folder),
        cmocka_unit_test_teardown(a_path_without_a_folder_is_here, empty_folder),
        cmocka_unit_test_teardown(a_path_too_long_is_a_limit, empty_folder),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
