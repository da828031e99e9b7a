#include "sync_files.h"

#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
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

#include "lib/file_sys.h"
#include "lib/mem.h"

#define READ_MAX (1024 * 1024)

/* ---- files --------------------------------------------------------------------------------- */

void sync_files_begin(char out[64])
{
    snprintf(out, 64, "/tmp/dnsd-sync-XXXXXX");
    assert_non_null(mkdtemp(out));
    assert_int_equal(chdir(out), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void sync_files_remove(const char *path)
{
    assert_int_equal(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

void sync_files_end(const char *folder)
{
    assert_int_equal(chdir("/"), 0);
    sync_files_remove(folder);
}

void sync_files_write(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

char *sync_files_read(const char *path)
{
    uint8_t *bytes = NULL;
    size_t len;
    return file_read(path, READ_MAX, &bytes, &len, NULL) == ERR_OK ? (char *)bytes : NULL;
}

bool sync_files_has(const char *path, const char *text)
{
    char *is = sync_files_read(path);
    bool same = is != NULL && strcmp(is, text) == 0;
    free(is);
    return same;
}

mode_t sync_files_mode(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

char *sync_files_link(const char *path)
{
    char target[PATH_MAX];
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n < 0) {
        return NULL;
    }
    target[n] = '\0';
    return mem_xstrdup(target);
}

/* ---- rows ---------------------------------------------------------------------------------- */

struct cert_vault *sync_files_vault(const char *key)
{
    struct cert_vault *v = NULL;
    assert_int_equal(cert_vault_new(&key, 1, &v, NULL), ERR_OK);
    return v;
}

void sync_files_row(struct sync_files_row *r, const struct cert_vault *vault, const char *hostname,
                    const struct tls_make *how, uint64_t generation, int64_t issued_ms)
{
    char id[24];
    struct err_info info = {.text = ""};
    snprintf(id, sizeof id, "%" PRIu64, generation);
    *r = (struct sync_files_row){.made = tls_make(how)};
    struct cert_vault_place place = {.kind = CERT_VAULT_LEAF, .name = hostname, .id = id};
    if (vault == NULL) {
        r->sealed = mem_xstrdup("nothing");
    } else if (cert_vault_seal(vault, &place, r->made->private, &r->sealed, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    r->row = (struct cert_sync_row){.hostname = hostname,
                                    .generation = generation,
                                    .issued_ms = issued_ms,
                                    .cert_pem = r->made->cert,
                                    .chain_pem = "",
                                    .key = r->sealed};
}

void sync_files_row_free(struct sync_files_row *r)
{
    tls_made_free(r->made);
    free(r->sealed);
}
