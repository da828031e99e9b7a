/* The store on SQLite: what only a file can do. Taking over the predecessor's, opening what is no
 * database of ours, damage, a full disk, a killed writer, writers that hold the file.
 *
 * The program calls itself for what needs a process of its own: see child_main().
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "store_file.h"
#include "store_sync.h"

struct fixture {
    struct store_file *file; /* owned */
    uv_loop_t loop;
    struct sync y; /* not open */
};

static int setup(void **state)
{
    struct fixture *t = mem_xalloc(sizeof *t);
    t->file = store_file_new();
    *state = t;
    return uv_loop_init(&t->loop);
}

static int teardown(void **state)
{
    struct fixture *t = *state;
    sync_close(&t->y);
    int rc = uv_loop_close(&t->loop);
    store_file_free(t->file);
    free(t);
    return rc;
}

static enum err open_store(struct fixture *t)
{
    return sync_open(&t->y, &t->loop, &t->file->options);
}

/* What ERR says must be one clear message: the path, and these words. */
static void assert_says(const struct fixture *t, const char *words)
{
    if (strstr(t->y.info.text, words) == NULL || strstr(t->y.info.text, t->file->path) == NULL) {
        fail_msg("'%s' does not say '%s' of %s", t->y.info.text, words, t->file->path);
    }
}

static void write_file(const char *path, const void *bytes, size_t len)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(len, fwrite(bytes, 1, len, f));
    assert_int_equal(0, fclose(f));
}

/* ---- a process of its own -------------------------------------------------------------------- */

struct child {
    pid_t pid;
    FILE *says; /* owned: its standard output */
};

static struct child start_child(const char *what, const char *path)
{
    struct child c;
    int ends[2];
    assert_int_equal(0, pipe(ends));
    c.pid = fork();
    assert_true(c.pid >= 0);
    if (c.pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("/proc/self/exe", "test_store_file", what, path, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    c.says = fdopen(ends[0], "r");
    assert_non_null(c.says);
    return c;
}

static void end_child(struct child *c, int signal_number)
{
    int status = 0;
    if (signal_number != 0) {
        kill(c->pid, signal_number);
    }
    fclose(c->says);
    assert_int_equal(c->pid, waitpid(c->pid, &status, 0));
    if (signal_number == 0) {
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    } else {
        assert_true(WIFSIGNALED(status));
    }
}

static void say(const char *text)
{
    printf("%s\n", text);
    fflush(stdout);
}

/* "open": says the database's id, or why there is none. */
static void child_open(uv_loop_t *loop, const struct store_options *options)
{
    struct sync y = {.store = NULL};
    if (sync_open(&y, loop, options) != ERR_OK) {
        say(y.info.text);
    } else if (sync_state(&y) == ERR_OK) {
        say(y.state.id);
    }
    sync_close(&y);
}

/* "count": two rows, always equal, counted up for ever; says each number once it is safe. */
static void child_count(uv_loop_t *loop, const struct store_options *options)
{
    struct sync y = {.store = NULL};
    unsigned n = 0;
    assert_err(ERR_OK, sync_open(&y, loop, options));
    char was[32] = "";
    if (sync_record_get(&y, "1st") == ERR_OK) {
        snprintf(was, sizeof was, "%s", y.out.text);
        sscanf(was, "{\"n\":%u}", &n);
    }
    for (;;) {
        char now[32];
        const char *expect = n == 0 ? NULL : was;
        snprintf(now, sizeof now, "{\"n\":%u}", ++n);
        const struct store_record_change both[] = {{"1st", expect, now}, {"2nd", expect, now}};
        assert_err(ERR_OK, sync_records(&y, both, 2));
        memcpy(was, now, sizeof was);
        say(now);
    }
}

#define LOAD_ROWS 2000

/* "load": a transaction of 32 MB. */
static void child_load(uv_loop_t *loop, const struct store_options *options)
{
    static char value[16384];
    struct sync y = {.store = NULL};
    struct store_record_change *changes = mem_xalloc(LOAD_ROWS * sizeof *changes);
    char(*names)[16] = mem_xalloc(LOAD_ROWS * sizeof *names);
    snprintf(value, sizeof value, "{\"txt\":[\"%0*d\"]}", (int)sizeof value - 32, 0);
    for (size_t i = 0; i < LOAD_ROWS; i++) {
        snprintf(names[i], sizeof names[i], "n%zu", i);
        changes[i] = (struct store_record_change){.name = names[i], .value = value};
    }
    assert_err(ERR_OK, sync_open(&y, loop, options));
    say("loading");
    assert_err(ERR_OK, sync_records(&y, changes, LOAD_ROWS));
    say("loaded");
    sync_close(&y);
    free(names);
    free(changes);
}

static int child_main(const char *what, const char *path)
{
    struct store_options options = {.engine = STORE_SQLITE, .sqlite_path = path};
    uv_loop_t loop;
    uv_loop_init(&loop);
    if (strcmp(what, "open-as-nobody") == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) {
            return 1;
        }
        child_open(&loop, &options);
    } else if (strcmp(what, "open") == 0) {
        child_open(&loop, &options);
    } else if (strcmp(what, "count") == 0) {
        child_count(&loop, &options);
    } else if (strcmp(what, "load") == 0) {
        child_load(&loop, &options);
    }
    return uv_loop_close(&loop);
}

/* ---- the predecessor's database ---------------------------------------------------------------
 */

/* As the predecessor leaves it: its table, its statements, its JSON, keys that are none of ours. */
static const char predecessor[] =
    "CREATE TABLE IF NOT EXISTS keyValue (key TEXT PRIMARY KEY, value TEXT NOT NULL);"
    "INSERT OR REPLACE INTO keyValue VALUES('core-info/core-a', '{\"id\":\"core-a\",\"url\":"
    "\"https://core-a.mc.example.com\",\"ip\":\"192.0.2.1\",\"available\":true}');"
    "INSERT OR REPLACE INTO keyValue VALUES('core-info/core-b', '{\"id\":\"core-b\",\"ip\":"
    "\"192.0.2.2\",\"url\":null,\"hosting\":null,\"available\":false}');"
    "INSERT OR REPLACE INTO keyValue VALUES('user-core/alice', 'core-a');"
    "INSERT OR REPLACE INTO keyValue VALUES('user-core/"
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08', 'core-b');"
    "INSERT OR REPLACE INTO keyValue VALUES('user-unique/email/a@example.com', 'alice');"
    "INSERT OR REPLACE INTO keyValue VALUES('user-indexed/language/alice', 'en');"
    "INSERT OR REPLACE INTO keyValue VALUES('dns-record/lsc', '{\"a\":[\"192.0.2.1\","
    "\"192.0.2.2\"]}');"
    "INSERT OR REPLACE INTO keyValue VALUES('dns-record/core-a', '{\"a\":[\"192.0.2.1\"]}');"
    "INSERT OR REPLACE INTO keyValue VALUES('dns-record/_acme-challenge', '{\"txt\":[\"x\"]}');"
    "INSERT OR REPLACE INTO keyValue VALUES('tls-acme-account', '{\"accountKey\":\"AAA=\","
    "\"accountUrl\":\"https://ca.example/1\",\"email\":\"a@example.com\"}');"
    "INSERT OR REPLACE INTO keyValue VALUES('tls-cert/*.mc.example.com', '{\"certPem\":\"x\","
    "\"chainPem\":\"y\",\"keyPem\":\"z\",\"issuedAt\":1,\"expiresAt\":2}');"
    "INSERT OR REPLACE INTO keyValue VALUES('access-state/k', '{\"value\":1,\"expiresAt\":2}');"
    "INSERT OR REPLACE INTO keyValue VALUES('migrations/version', '{\"version\":3}');";

static int put_row(void *ctx, int count, char **values, char **names)
{
    struct str *out = ctx;
    (void)names;
    for (int i = 0; i < count; i++) {
        str_appendf(out, "%s|", values[i]);
    }
    str_append(out, "\n");
    return 0;
}

static struct str dump(struct store_file *f, const char *sql)
{
    struct str out = {.text = NULL};
    sqlite3 *db = store_file_connect(f);
    str_append(&out, "");
    assert_int_equal(SQLITE_OK, sqlite3_exec(db, sql, put_row, &out, NULL));
    sqlite3_close(db);
    return out;
}

static void adopt(void **state)
{
    struct fixture *t = *state;
    const char *all = "SELECT rowid, * FROM keyValue ORDER BY rowid";
    store_file_execute(t->file, predecessor);
    struct str before = dump(t->file, all);
    assert_err(ERR_OK, open_store(t));
    struct str after = dump(t->file, all);
    assert_string_equal(before.text, after.text);

    /* Who knows nothing is sent to scan, and then needs no scan any more. */
    assert_err(ERR_OK, sync_feed(&t->y, 0, 100));
    assert_true(t->y.pruned);
    assert_err(ERR_OK, sync_scan(&t->y, "", 100));
    assert_string_equal(
        "core-info/core-a={\"id\":\"core-a\",\"url\":\"https://core-a.mc.example.com\","
        "\"ip\":\"192.0.2.1\",\"available\":true} "
        "core-info/core-b={\"id\":\"core-b\",\"ip\":\"192.0.2.2\",\"url\":null,\"hosting\":null,"
        "\"available\":false} "
        "dns-record/_acme-challenge={\"txt\":[\"x\"]} dns-record/core-a={\"a\":[\"192.0.2.1\"]} "
        "dns-record/lsc={\"a\":[\"192.0.2.1\",\"192.0.2.2\"]} "
        "user-core/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08=core-b "
        "user-core/alice=core-a",
        t->y.out.text);
    uint64_t at = t->y.state.revision;
    assert_err(ERR_OK, sync_feed(&t->y, at, 100));
    assert_false(t->y.pruned);
    assert_err(ERR_OK, sync_cores(&t->y));
    assert_string_equal("core-a(https://core-a.mc.example.com,192.0.2.1,-,-,-,yes):1 "
                        "core-b(-,192.0.2.2,-,-,-,no):1",
                        t->y.out.text);

    /* The predecessor goes on beside us, with its own statements. */
    store_file_execute(t->file, predecessor);
    store_file_execute(t->file, "INSERT OR IGNORE INTO keyValue VALUES('user-core/bob', 'core-a');"
                                "DELETE FROM keyValue WHERE key = 'dns-record/_acme-challenge'");
    assert_err(ERR_OK, sync_feed(&t->y, at, 100));
    assert_non_null(strstr(t->y.out.text, "user-core/bob=core-a dns-record/_acme-challenge-"));
    str_free(&before);
    str_free(&after);
}

static void adopt_empty(void **state)
{
    struct fixture *t = *state;
    store_file_execute(t->file, "CREATE TABLE keyValue (key TEXT PRIMARY KEY, value TEXT NOT NULL);"
                                "INSERT INTO keyValue VALUES('migrations/version', '{}')");
    assert_err(ERR_OK, open_store(t));
    assert_err(ERR_OK, sync_feed(&t->y, 0, 10));
    assert_false(t->y.pruned);
    assert_int_equal(0, t->y.revision);
}

/* A connection that has recursive_triggers on fires DELETE triggers for REPLACE as well. */
static void recursive_triggers(void **state)
{
    struct fixture *t = *state;
    assert_err(ERR_OK, open_store(t));
    store_file_execute(t->file, "PRAGMA recursive_triggers = ON;"
                                "INSERT INTO keyValue VALUES('user-core/u', 'a'),"
                                "('core-info/a', '{}'), ('core-info/b', '{}');"
                                "REPLACE INTO keyValue VALUES('user-core/u', 'b')");
    assert_err(ERR_OK, sync_feed(&t->y, 3, 10));
    assert_string_equal("user-core/u=b user-core/u=b", t->y.out.text);
    assert_err(ERR_OK, sync_cores(&t->y));
    assert_string_equal("a(-,-,-,-,-,yes):0 b(-,-,-,-,-,yes):1", t->y.out.text);
}

/* ---- opening --------------------------------------------------------------------------------- */

static void open_at_once(void **state)
{
    enum { CHILDREN = 6 };
    struct fixture *t = *state;
    struct child children[CHILDREN];
    char first[600] = "";
    store_file_execute(t->file, predecessor);
    for (size_t i = 0; i < CHILDREN; i++) {
        children[i] = start_child("open", t->file->path);
    }
    for (size_t i = 0; i < CHILDREN; i++) {
        char line[600] = "";
        assert_non_null(fgets(line, sizeof line, children[i].says));
        if (i == 0) {
            memcpy(first, line, sizeof first);
            assert_int_equal(33, strlen(first)); /* an id and the end of line */
        }
        assert_string_equal(first, line);
        end_child(&children[i], 0);
    }
    struct str taken = dump(t->file, "SELECT version FROM dnsd_migration");
    assert_string_equal("1|\n2|\n3|\n4|\n5|\n", taken.text);
    str_free(&taken);
}

static void open_missing(void **state)
{
    struct fixture *t = *state;
    t->file->options.must_exist = true;
    assert_err(ERR_NOTFOUND, open_store(t));
    assert_says(t, "there is no database");
    assert_int_equal(-1, access(t->file->path, F_OK));
    t->file->options.must_exist = false;
    assert_err(ERR_OK, open_store(t));
    sync_close(&t->y);
    t->file->options.must_exist = true;
    assert_err(ERR_OK, open_store(t));
}

static void open_wrong_path(void **state)
{
    struct fixture *t = *state;
    const struct {
        const char *path;
        const char *words;
    } cases[] = {
        {t->file->folder, "is a folder"},        {"", "the database's path is empty"},
        {"/dev/null", "is not a file"},          {"/proc/no/such/folder/x.db", "No such file"},
        {"/etc/passwd/x.db", "Not a directory"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        t->file->options.sqlite_path = cases[i].path;
        assert_err(ERR_IO, open_store(t));
        assert_non_null(strstr(t->y.info.text, cases[i].words));
        assert_non_null(strstr(t->y.info.text, cases[i].path));
    }
    t->file->options.sqlite_path = NULL;
    assert_err(ERR_IO, open_store(t));
}

/* Names that mean something to SQLite are files like others. */
static void open_odd_name(void **state)
{
    struct fixture *t = *state;
    char *before = getcwd(NULL, 0);
    assert_int_equal(0, chdir(t->file->folder));
    t->file->options.sqlite_path = ":memory:";
    assert_err(ERR_OK, open_store(t));
    sync_watch(&t->y);
    assert_int_equal(0, access(":memory:", F_OK));
    store_file_execute(t->file, "SELECT 1");
    sync_close(&t->y);
    assert_int_equal(0, chdir(before));
    free(before);
}

static void open_no_database(void **state)
{
    struct fixture *t = *state;
    char text[20000];
    char again[sizeof text];
    memset(text, 'x', sizeof text);
    write_file(t->file->path, text, sizeof text);
    assert_err(ERR_MALFORMED, open_store(t));
    assert_says(t, "not a database");
    FILE *f = fopen(t->file->path, "r");
    assert_non_null(f);
    assert_int_equal(sizeof text, fread(again, 1, sizeof again, f));
    fclose(f);
    assert_memory_equal(text, again, sizeof text);
}

static void open_foreign(void **state)
{
    struct fixture *t = *state;
    store_file_execute(t->file, "CREATE TABLE moz_places(id INTEGER PRIMARY KEY, url TEXT)");
    assert_err(ERR_MALFORMED, open_store(t));
    assert_says(t, "some other program");
    struct str now = dump(t->file, "SELECT name FROM sqlite_master");
    assert_string_equal("moz_places|\n", now.text);
    str_free(&now);
    now = dump(t->file, "PRAGMA journal_mode");
    assert_string_equal("delete|\n", now.text); /* not even that was changed */
    str_free(&now);
}

static void open_other_shape(void **state)
{
    struct fixture *t = *state;
    store_file_execute(t->file, "CREATE TABLE keyValue(id INTEGER, data TEXT)");
    assert_err(ERR_MALFORMED, open_store(t));
    assert_says(t, "not as this program makes them");
}

static void open_later_version(void **state)
{
    struct fixture *t = *state;
    assert_err(ERR_OK, open_store(t));
    sync_close(&t->y);
    store_file_execute(t->file, "INSERT INTO dnsd_migration VALUES(99, 0)");
    assert_err(ERR_MALFORMED, open_store(t));
    assert_non_null(strstr(t->y.info.text, "later version"));
    assert_non_null(strstr(t->y.info.text, "99"));
}

static void open_forbidden(void **state)
{
    struct fixture *t = *state;
    const struct {
        mode_t folder, file;
        const char *words;
    } cases[] = {
        {0755, 0000, "Permission denied"},
        {0755, 0444, "Permission denied"},
        {0755, 0666, "may not be written"}, /* there is no place for the -wal beside it */
        {0000, 0666, "Permission denied"},
    };
    assert_err(ERR_OK, open_store(t));
    sync_close(&t->y);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[600] = "";
        assert_int_equal(0, chmod(t->file->path, cases[i].file));
        /* The tester's own folder would let the tester in; take away the right to write, too. */
        assert_int_equal(
            0, chmod(t->file->folder, geteuid() == 0 ? cases[i].folder : cases[i].folder & 0555));
        struct child c = start_child("open-as-nobody", t->file->path);
        assert_non_null(fgets(line, sizeof line, c.says));
        end_child(&c, 0);
        assert_int_equal(0, chmod(t->file->folder, 0700));
        if (strstr(line, cases[i].words) == NULL || strstr(line, t->file->path) == NULL) {
            fail_msg("%zu: '%s' does not say '%s'", i, line, cases[i].words);
        }
    }
}

/* What is written to a file that nobody will find again is lost, so it is refused; and who watches
 * is told, to ask and hear it. */
static void file_replaced(void **state)
{
    struct fixture *t = *state;
    char aside[96];
    snprintf(aside, sizeof aside, "%s.old", t->file->path);
    assert_err(ERR_OK, open_store(t));
    assert_err(ERR_OK, sync_record(&t->y, "www", NULL, "{}"));
    sync_watch(&t->y);
    sync_wait_count(&t->loop, &t->y.changes, 1);
    for (int i = 0; i < 3; i++) { /* renamed, then another one put there, then put back */
        unsigned before = t->y.changes;
        if (i == 0) {
            assert_int_equal(0, rename(t->file->path, aside));
        } else if (i == 1) {
            write_file(t->file->path, "", 0);
        } else {
            assert_int_equal(0, rename(aside, t->file->path));
        }
        if (i != 1) {
            sync_wait_count(&t->loop, &t->y.changes, before + 1);
        }
        enum err expected = i < 2 ? ERR_IO : ERR_OK;
        assert_err(expected, sync_record_get(&t->y, "www"));
        assert_err(expected, sync_scan(&t->y, "", 10));
        assert_err(expected, sync_cores(&t->y));
        assert_err(expected, sync_user_put(&t->y, "ana", "a", STORE_ONLY_NEW));
        if (i < 2) {
            assert_says(t, "removed, moved or replaced");
        }
    }
    assert_err(ERR_OK, sync_user_get(&t->y, "ana"));
}

/* ---- damage ---------------------------------------------------------------------------------- */

#define PAGE 4096

/* A closed database of some dozen pages; its bytes, the caller frees them. */
static char *make_database(struct fixture *t, long *pages)
{
    struct stat st;
    assert_err(ERR_OK, open_store(t));
    for (int i = 0; i < 200; i++) {
        char name[16];
        char value[600];
        snprintf(name, sizeof name, "n%d", i);
        snprintf(value, sizeof value, "{\"txt\":[\"%0500d\"]}", i);
        assert_err(ERR_OK, sync_record(&t->y, name, NULL, value));
    }
    sync_close(&t->y);
    assert_int_equal(0, stat(t->file->path, &st));
    assert_int_equal(0, st.st_size % PAGE);
    *pages = st.st_size / PAGE;
    char *good = mem_xalloc((size_t)st.st_size);
    FILE *f = fopen(t->file->path, "r");
    assert_non_null(f);
    assert_int_equal(*pages, fread(good, PAGE, (size_t)*pages, f));
    fclose(f);
    return good;
}

static enum err use_everything(struct fixture *t)
{
    enum err e = open_store(t);
    if (e != ERR_OK) {
        return e;
    }
    enum err steps[] = {
        sync_scan(&t->y, "", 1000),
        sync_feed(&t->y, 0, 1000),
        sync_cores(&t->y),
        sync_challenges(&t->y, NULL),
        sync_user_put(&t->y, "new", "a", STORE_ONLY_NEW),
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && e == ERR_OK; i++) {
        e = steps[i];
    }
    sync_close(&t->y);
    return e;
}

static void truncated(void **state)
{
    struct fixture *t = *state;
    long pages = 0;
    char *good = make_database(t, &pages);
    const struct {
        long bytes;
        enum err expected;
        const char *words;
    } cases[] = {
        {50, ERR_IO, "damaged"},
        {PAGE, ERR_IO, "damaged"},
        {PAGE + 100, ERR_IO, "damaged"},
        {pages / 2 * PAGE, ERR_IO, "damaged"},
        {(pages - 1) * PAGE, ERR_IO, "damaged"},
        {pages * PAGE, ERR_OK, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        store_file_wipe(t->file);
        write_file(t->file->path, good, (size_t)cases[i].bytes);
        assert_err(cases[i].expected, open_store(t));
        if (cases[i].expected != ERR_OK) {
            assert_says(t, cases[i].words);
        }
        sync_close(&t->y);
    }
    free(good);
}

/* Each page in turn is overwritten: errors are told, none is a crash, and most are noticed. */
static void corrupt_pages(void **state)
{
    struct fixture *t = *state;
    long pages = 0;
    long noticed = 0;
    char *good = make_database(t, &pages);
    char *bad = mem_xmemdup(good, (size_t)pages * PAGE);
    for (long page = 0; page < pages; page++) {
        memset(bad + page * PAGE, 0x5a, PAGE);
        store_file_wipe(t->file);
        write_file(t->file->path, bad, (size_t)pages * PAGE);
        enum err e = use_everything(t);
        assert_true(e == ERR_OK || e == ERR_IO || e == ERR_MALFORMED);
        noticed += e != ERR_OK;
        memcpy(bad + page * PAGE, good + page * PAGE, PAGE);
    }
    free(bad);
    free(good);
    assert_true(noticed > pages / 2);
}

/* ---- a full disk ------------------------------------------------------------------------------
 */

/* No file may grow beyond BYTES; what an attempt meets is what a full disk says. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(0, getrlimit(RLIMIT_FSIZE, &limit));
    limit.rlim_cur = bytes;
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &limit));
}

static void disk_full(void **state)
{
    struct fixture *t = *state;
    char value[50000];
    snprintf(value, sizeof value, "{\"txt\":[\"%0*d\"]}", (int)sizeof value - 32, 0);
    assert_err(ERR_OK, open_store(t));
    assert_err(ERR_OK, sync_record(&t->y, "before", NULL, "{}"));
    signal(SIGXFSZ, SIG_IGN);
    limit_files(256 * 1024);
    enum err e = ERR_OK;
    int written = 0;
    while (e == ERR_OK && written < 100) {
        char name[16];
        snprintf(name, sizeof name, "n%d", written);
        e = sync_record(&t->y, name, NULL, value);
        written += e == ERR_OK;
    }
    assert_err(ERR_IO, e);
    assert_says(t, "no room to write");
    assert_err(ERR_OK, sync_record_get(&t->y, "before")); /* what is there can be read */
    limit_files(RLIM_INFINITY);
    assert_err(ERR_OK, sync_record(&t->y, "after", NULL, "{}")); /* and once there is room... */
    sync_close(&t->y);
    assert_err(ERR_OK, open_store(t));
    for (int i = 0; i <= written; i++) { /* what was acknowledged is there, and nothing else */
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        assert_err(i < written ? ERR_OK : ERR_NOTFOUND, sync_record_get(&t->y, name));
    }
    struct str check = dump(t->file, "PRAGMA integrity_check");
    assert_string_equal("ok|\n", check.text);
    str_free(&check);
}

static void disk_full_at_open(void **state)
{
    struct fixture *t = *state;
    signal(SIGXFSZ, SIG_IGN);
    limit_files(8192);
    enum err e = open_store(t);
    limit_files(RLIM_INFINITY);
    assert_err(ERR_IO, e);
    assert_says(t, "no room to write");
    assert_err(ERR_OK, open_store(t)); /* and the half-made file does no harm */
}

/* ---- a killed writer --------------------------------------------------------------------------
 */

static void killed_writer(void **state)
{
    struct fixture *t = *state;
    unsigned safe = 0;
    for (unsigned round = 1; round <= 5; round++) {
        struct child c = start_child("count", t->file->path);
        unsigned want = safe + 7 * round;
        char line[64];
        while (safe < want && fgets(line, sizeof line, c.says) != NULL) {
            assert_int_equal(1, sscanf(line, "{\"n\":%u}", &safe));
        }
        assert_true(safe >= want);
        end_child(&c, SIGKILL);
        assert_err(ERR_OK, open_store(t));
        unsigned first = 0;
        assert_err(ERR_OK, sync_record_get(&t->y, "1st"));
        assert_int_equal(1, sscanf(t->y.out.text, "{\"n\":%u}", &first));
        char *one = mem_xstrdup(t->y.out.text);
        assert_err(ERR_OK, sync_record_get(&t->y, "2nd"));
        assert_string_equal(one, t->y.out.text);
        assert_true(first >= safe); /* nothing that was acknowledged is lost */
        free(one);
        assert_err(ERR_OK, sync_state(&t->y));
        assert_int_equal(2 * first, t->y.state.revision);
        sync_close(&t->y);
        safe = first;
    }
}

static off_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : 0;
}

/* Kills a load as soon as some of it is in the -wal file. True if it was not through by then. */
static bool kill_load(struct fixture *t)
{
    char wal[96];
    char line[16] = "";
    snprintf(wal, sizeof wal, "%s-wal", t->file->path);
    struct child c = start_child("load", t->file->path);
    assert_non_null(fgets(line, sizeof line, c.says));
    assert_string_equal("loading\n", line);
    int64_t end_ms = clk_mono_ms(&clk_system) + SYNC_WAIT_MS;
    while (size_of(wal) < 1024 * 1024 && clk_mono_ms(&clk_system) < end_ms) {
        sched_yield();
    }
    kill(c.pid, SIGKILL);
    bool through = fgets(line, sizeof line, c.says) != NULL;
    end_child(&c, SIGKILL);
    assert_true(size_of(wal) >= 1024 * 1024);
    return !through;
}

static void killed_in_transaction(void **state)
{
    struct fixture *t = *state;
    bool in_the_middle = false;
    for (int tries = 0; tries < 20 && !in_the_middle; tries++) {
        store_file_wipe(t->file);
        assert_err(ERR_OK, open_store(t));
        assert_err(ERR_OK, sync_record(&t->y, "www", NULL, "{}"));
        sync_close(&t->y);
        bool unsaid = kill_load(t);
        assert_err(ERR_OK, open_store(t));
        assert_err(ERR_OK, sync_state(&t->y));
        in_the_middle = t->y.state.revision == 1;
        if (!in_the_middle) { /* all, or nothing; and nothing only if it was not said to be done */
            assert_int_equal(1 + LOAD_ROWS, t->y.state.revision);
        } else {
            assert_true(unsaid);
            assert_err(ERR_OK, sync_scan(&t->y, "", 10));
            assert_string_equal("dns-record/www={}", t->y.out.text);
        }
        sync_close(&t->y);
    }
    assert_true(in_the_middle);
}

/* ---- other writers ----------------------------------------------------------------------------
 */

static void writer_holds(void **state)
{
    struct fixture *t = *state;
    t->file->options.busy_ms = 50;
    assert_err(ERR_OK, open_store(t));
    sqlite3 *other = store_file_connect(t->file);
    store_file_execute_on(other, "BEGIN IMMEDIATE;"
                                 "INSERT INTO keyValue VALUES('user-core/ana', 'a')");
    assert_err(ERR_BUSY, sync_user_put(&t->y, "bob", "a", STORE_ONLY_NEW));
    assert_says(t, "50 ms");
    assert_err(ERR_NOTFOUND, sync_user_get(&t->y, "ana")); /* reading waits for nobody */
    assert_err(ERR_NOTFOUND, sync_user_get(&t->y, "bob"));
    struct sync second = {.store = NULL}; /* nor does opening what is up to date */
    assert_err(ERR_OK, sync_open(&second, &t->loop, &t->file->options));
    sync_close(&second);
    store_file_execute_on(other, "COMMIT");
    sqlite3_close(other);
    assert_err(ERR_OK, sync_user_put(&t->y, "bob", "a", STORE_ONLY_NEW));
}

/* Told soon, again and again, of commits that this connection has no part in. The bound is wide for
 * busy machines; what it typically takes is printed. */
static void told_soon(void **state)
{
    enum { ROUNDS = 20 };
    struct fixture *t = *state;
    int64_t worst_ms = 0;
    int64_t sum_ms = 0;
    assert_err(ERR_OK, open_store(t));
    sync_watch(&t->y);
    sync_wait_count(&t->loop, &t->y.changes, 1);
    sqlite3 *other = store_file_connect(t->file);
    for (int i = 0; i < ROUNDS; i++) {
        char sql[80];
        snprintf(sql, sizeof sql, "INSERT INTO keyValue VALUES('user-core/%d', 'a')", i);
        store_file_execute_on(other, sql);
        int64_t begin_ms = clk_mono_ms(&clk_system);
        do {
            sync_wait_count(&t->loop, &t->y.changes, t->y.changes + 1);
            assert_err(ERR_OK, sync_state(&t->y));
        } while (t->y.state.revision < (uint64_t)i + 1);
        int64_t took_ms = clk_mono_ms(&clk_system) - begin_ms;
        sum_ms += took_ms;
        worst_ms = took_ms > worst_ms ? took_ms : worst_ms;
    }
    sqlite3_close(other);
    print_message("told after %lld ms on average, %lld ms at worst\n", (long long)sum_ms / ROUNDS,
                  (long long)worst_ms);
    assert_true(sum_ms / ROUNDS < 50);
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        return child_main(argv[1], argv[2]);
    }
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(adopt),
        TEST(adopt_empty),
        TEST(recursive_triggers),
        TEST(open_at_once),
        TEST(open_missing),
        TEST(open_wrong_path),
        TEST(open_odd_name),
        TEST(open_no_database),
        TEST(open_foreign),
        TEST(open_other_shape),
        TEST(open_later_version),
        TEST(open_forbidden),
        TEST(file_replaced),
        TEST(truncated),
        TEST(corrupt_pages),
        TEST(disk_full),
        TEST(disk_full_at_open),
        TEST(killed_writer),
        TEST(killed_in_transaction),
        TEST(writer_holds),
        TEST(told_soon),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
