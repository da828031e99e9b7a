#include "store_file.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/mem.h"

struct store_file *store_file_new(void)
{
    struct store_file *f = mem_xalloc(sizeof *f);
    const char *tmp = getenv("TMPDIR");
    snprintf(f->folder, sizeof f->folder, "%.40s/dnsd-store-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/store.db", f->folder);
    f->options = (struct store_options){.engine = STORE_SQLITE, .sqlite_path = f->path};
    return f;
}

void store_file_wipe(struct store_file *f)
{
    DIR *dir = opendir(f->folder);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            int flags = entry->d_type == DT_DIR ? AT_REMOVEDIR : 0;
            assert_int_equal(0, unlinkat(dirfd(dir), entry->d_name, flags));
        }
    }
    closedir(dir);
}

void store_file_free(struct store_file *f)
{
    store_file_wipe(f);
    assert_int_equal(0, rmdir(f->folder));
    free(f);
}

sqlite3 *store_file_connect(struct store_file *f)
{
    sqlite3 *db = NULL;
    assert_int_equal(SQLITE_OK, sqlite3_open(f->path, &db));
    sqlite3_busy_timeout(db, 60000);
    return db;
}

void store_file_execute_on(sqlite3 *db, const char *sql)
{
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
        fail_msg("%s: %s", sql, why);
    }
}

void store_file_execute(struct store_file *f, const char *sql)
{
    sqlite3 *db = store_file_connect(f);
    store_file_execute_on(db, sql);
    sqlite3_close(db);
}
