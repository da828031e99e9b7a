/* bootstrap_file.c: a bundle's file, killed between any two steps. */
#include "tools/bootstrap_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/dnsd-test-XXXXXX";
static char path[64], temporary[80];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/x.bundle", folder);
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static int clean(void **state)
{
    (void)state;
    unlink(path);
    unlink(temporary);
    return 0;
}

static void put(const char *where, const char *text)
{
    FILE *f = fopen(where, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void holds(const char *where, const char *text)
{
    char got[64] = "";
    FILE *f = fopen(where, "r");
    assert_non_null(f);
    size_t n = fread(got, 1, sizeof got - 1, f);
    fclose(f);
    got[n] = '\0';
    assert_string_equal(got, text);
}

static bool is_there(const char *where)
{
    struct stat st;
    return lstat(where, &st) == 0;
}

static void in_order(void **state)
{
    struct bundle_file f;
    struct stat st;
    (void)state;
    umask(0);
    assert_int_equal(bundle_file_open(&f, path, NULL), ERR_OK);
    assert_int_equal(bundle_file_write(&f, "one", 3, NULL), ERR_OK);
    assert_false(is_there(path));
    assert_int_equal(bundle_file_publish(&f, NULL), ERR_OK);
    holds(path, "one");
    bundle_file_settle(&f);
    assert_false(is_there(temporary));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    bundle_file_close(&f);
}

static void a_file_that_is_there_stays(void **state)
{
    struct bundle_file f;
    struct err_info info = {.text = ""};
    (void)state;
    put(path, "another");
    assert_int_equal(bundle_file_open(&f, path, &info), ERR_CONFLICT);
    assert_non_null(strstr(info.text, path));
    bundle_file_close(&f);
    put(temporary, "left"); /* of an attempt that was killed before its rows */
    assert_int_equal(bundle_file_open(&f, path, &info), ERR_CONFLICT);
    bundle_file_close(&f);
    holds(path, "another");
}

/* It comes between the look and the end. */
static void a_file_that_comes_meanwhile_stays(void **state)
{
    struct bundle_file f;
    (void)state;
    assert_int_equal(bundle_file_open(&f, path, NULL), ERR_OK);
    assert_int_equal(bundle_file_write(&f, "one", 3, NULL), ERR_OK);
    put(path, "another");
    assert_int_equal(bundle_file_publish(&f, NULL), ERR_CONFLICT);
    bundle_file_undo(&f);
    holds(path, "another");
    assert_false(is_there(temporary));
    bundle_file_close(&f);
}

static void a_link_is_not_followed(void **state)
{
    struct bundle_file f;
    (void)state;
    assert_int_equal(symlink("/dev/null", temporary), 0);
    assert_int_equal(bundle_file_open(&f, path, NULL), ERR_OK);
    assert_int_equal(bundle_file_write(&f, "one", 3, NULL), ERR_OK);
    holds(temporary, "one");
    bundle_file_undo(&f);
    bundle_file_close(&f);
    assert_int_equal(symlink("/nowhere", path), 0);
    assert_int_equal(bundle_file_open(&f, path, NULL), ERR_CONFLICT);
    bundle_file_close(&f);
}

/* Killed after the rows and before the passphrase was told, or right after: both names are there. */
static void what_a_killed_attempt_left_is_replaced(void **state)
{
    struct bundle_file f;
    (void)state;
    for (int published = 0; published < 2; published++) {
        assert_int_equal(bundle_file_open(&f, path, NULL), ERR_OK);
        assert_int_equal(bundle_file_write(&f, "first", 5, NULL), ERR_OK);
        if (published == 1) {
            assert_int_equal(bundle_file_publish(&f, NULL), ERR_OK);
        }
        bundle_file_close(&f);
        assert_int_equal(bundle_file_open(&f, path, NULL), ERR_OK);
        assert_int_equal(bundle_file_write(&f, "second", 6, NULL), ERR_OK);
        assert_int_equal(bundle_file_publish(&f, NULL), ERR_OK);
        bundle_file_settle(&f);
        bundle_file_close(&f);
        holds(path, "second");
        assert_false(is_there(temporary));
        unlink(path);
    }
}

static void undone_is_as_before(void **state)
{
    struct bundle_file f;
    (void)state;
    assert_int_equal(bundle_file_open(&f, path, NULL), ERR_OK);
    assert_int_equal(bundle_file_write(&f, "one", 3, NULL), ERR_OK);
    assert_int_equal(bundle_file_publish(&f, NULL), ERR_OK);
    bundle_file_undo(&f);
    assert_false(is_there(path));
    assert_false(is_there(temporary));
    bundle_file_close(&f);
}

static void errors_name_the_file(void **state)
{
    struct bundle_file f;
    struct err_info info = {.text = ""};
    char nowhere[128];
    (void)state;
    snprintf(nowhere, sizeof nowhere, "%s/none/x", folder);
    assert_int_equal(bundle_file_open(&f, nowhere, &info), ERR_OK);
    assert_int_equal(bundle_file_write(&f, "one", 3, &info), ERR_IO);
    assert_non_null(strstr(info.text, nowhere));
    bundle_file_close(&f);
    assert_int_equal(bundle_file_open(&f, "/dev/full", &info), ERR_CONFLICT);
    bundle_file_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(in_order, clean),
        cmocka_unit_test_teardown(a_file_that_is_there_stays, clean),
        cmocka_unit_test_teardown(a_file_that_comes_meanwhile_stays, clean),
        cmocka_unit_test_teardown(a_link_is_not_followed, clean),
        cmocka_unit_test_teardown(what_a_killed_attempt_left_is_replaced, clean),
        cmocka_unit_test_teardown(undone_is_as_before, clean),
        cmocka_unit_test_teardown(errors_name_the_file, clean),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
