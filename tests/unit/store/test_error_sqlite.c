#include "store/sqlite/error_sqlite.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

static void translations(void **state)
{
    static const struct {
        int rc, system_errno;
        enum err e;
        const char *words;
    } cases[] = {
        {SQLITE_FULL, 0, ERR_IO, "no room to write"},
        {SQLITE_FULL, ENOSPC, ERR_IO, "No space left"},
        {SQLITE_IOERR_WRITE, ENOSPC, ERR_IO, "no room to write"},
        {SQLITE_IOERR_WRITE, EDQUOT, ERR_IO, "no room to write"},
        {SQLITE_IOERR_WRITE, EFBIG, ERR_IO, "no room to write"},
        {SQLITE_IOERR_READ, EIO, ERR_IO, "the disk failed (Input/output error)"},
        {SQLITE_IOERR_FSYNC, 0, ERR_IO, "the disk failed (sqlite said)"},
        {SQLITE_IOERR_NOMEM, 0, ERR_NOMEM, "out of memory"},
        {SQLITE_CORRUPT, 0, ERR_IO, "damaged (sqlite said)"},
        {SQLITE_CORRUPT_INDEX, 0, ERR_IO, ".recover"},
        {SQLITE_NOTADB, 0, ERR_MALFORMED, "not a database"},
        {SQLITE_READONLY, 0, ERR_IO, "may not be written"},
        {SQLITE_READONLY_DBMOVED, 0, ERR_IO, "may not be written"},
        {SQLITE_PERM, 0, ERR_IO, "may not be written"},
        {SQLITE_CANTOPEN, ENOENT, ERR_IO, "No such file"},
        {SQLITE_CANTOPEN_FULLPATH, 0, ERR_IO, "cannot be opened (sqlite said)"},
        {SQLITE_BUSY, 0, ERR_BUSY, "more than 77 ms"},
        {SQLITE_BUSY_SNAPSHOT, 0, ERR_BUSY, "nothing was written"},
        {SQLITE_LOCKED, 0, ERR_BUSY, "nothing was written"},
        {SQLITE_PROTOCOL, 0, ERR_BUSY, "nothing was written"},
        {SQLITE_NOMEM, 0, ERR_NOMEM, "out of memory"},
        {SQLITE_TOOBIG, 0, ERR_LIMIT, "sqlite said"},
        {SQLITE_ERROR, 0, ERR_MALFORMED, "not as this program makes them (sqlite said)"},
        {SQLITE_CONSTRAINT_NOTNULL, 0, ERR_MALFORMED, "sqlite said"},
        {SQLITE_MISUSE, 0, ERR_BUG, "21"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error_place at = {.path = "/var/lib/x.db",
                                 .busy_ms = 77,
                                 .system_errno = cases[i].system_errno,
                                 .message = "sqlite said"};
        struct err_info info = {.text = ""};
        assert_string_equal(err_text(cases[i].e), err_text(error_from(cases[i].rc, &at, &info)));
        assert_int_equal(0, strncmp("/var/lib/x.db: ", info.text, 15));
        assert_non_null(strstr(info.text, cases[i].words));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(translations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
