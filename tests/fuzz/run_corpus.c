/* Runs LLVMFuzzerTestOneInput() once on every file of the folders and files given, so that each
 * corpus is a test of every build. Fails if there is nothing to run or anything cannot be read. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/file_sys.h"
#include "lib/str.h"

#define INPUT_MAX (64u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool run_file(const char *path)
{
    struct err_info why = {.text = ""};
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (file_read(path, INPUT_MAX, &bytes, &len, &why) != ERR_OK) {
        fprintf(stderr, "%s\n", why.text);
        return false;
    }
    /* A copy of exactly LEN bytes: reading past the end must be seen by the sanitizer. */
    uint8_t *input = malloc(len > 0 ? len : 1);
    if (input == NULL) {
        abort();
    }
    memcpy(input, bytes, len);
    free(bytes);
    (void)LLVMFuzzerTestOneInput(input, len);
    free(input);
    return true;
}

/* The number of files run, or -1. */
static int run_folder(const char *path)
{
    int count = 0;
    DIR *d = opendir(path);
    if (d == NULL) {
        perror(path);
        return -1;
    }
    for (struct dirent *e; count >= 0 && (e = readdir(d)) != NULL;) {
        struct str file = {.text = NULL};
        if (e->d_name[0] == '.') {
            continue;
        }
        str_appendf(&file, "%s/%s", path, e->d_name);
        count = run_file(file.text) ? count + 1 : -1;
        str_free(&file);
    }
    closedir(d);
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) != 0) {
            perror(argv[i]);
            return 1;
        }
        int count = S_ISDIR(st.st_mode) ? run_folder(argv[i]) : run_file(argv[i]) ? 1 : -1;
        if (count < 0) {
            return 1;
        }
        total += count;
    }
    if (total == 0) {
        fprintf(stderr, "%s: no input; give folders or files\n", argv[0]);
        return 1;
    }
    printf("%d inputs\n", total);
    return 0;
}
