/* Targets: cfg_add(), config_from_cfg(): a configuration file of any bytes. A NUL byte splits the
 * input into the file and its override. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dnsd/app/config_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every line of a report must be one: `file:line: ...`, or what was not told. */
static void check_lines(const struct str *s)
{
    const char *at = s->text;
    while (at != NULL && *at != '\0') {
        const char *eol = strchr(at, '\n');
        assert(eol != NULL);
        assert(strncmp(at, "a.yml:", 6) == 0 || strncmp(at, "b.yml:", 6) == 0 ||
               strncmp(at, "... and ", 8) == 0);
        at = eol + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *split = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t first = split != NULL ? (size_t)(split - data) : size;
    struct config config = {.path = NULL};
    struct config_problems problems = {.count = 0};
    struct cfg *c = cfg_new();
    cfg_add(c, "a.yml", (const char *)data, first);
    if (split != NULL) {
        cfg_add(c, "b.yml", (const char *)split + 1, size - first - 1);
    }
    enum err e = config_from_cfg(c, &config, &problems);
    assert((e == ERR_OK) == (problems.count == 0));
    assert((problems.count == 0) == (problems.text.len == 0));
    check_lines(&problems.text);
    check_lines(&problems.notes);
    if (e == ERR_OK) {
        char *dir = config_state_dir(&config);
        free(dir);
    }
    config_free(&config);
    config_problems_free(&problems);
    cfg_free(c);
    return 0;
}
