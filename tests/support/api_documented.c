/* What the API answers, held against docs/openapi.yaml. The answers are noted by api_fixture.c. */
#include "api_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cfg.h"
#include "lib/file_sys.h"

#define ROUTES_MAX 64

struct route {
    const char *path;                 /* "/reg/records/{subdomain}" */
    char method[16];                  /* in capitals */
    const struct cfg_node *responses; /* by status */
};

static size_t read_routes(const struct cfg *c, struct route *routes)
{
    const struct cfg_node *paths = cfg_find(c, "paths");
    size_t count = 0;
    for (size_t i = 0; i < paths->count; i++) {
        for (size_t k = 0; k < paths->items[i]->count; k++) {
            const struct cfg_node *operation = paths->items[i]->items[k];
            const struct cfg_node *responses = cfg_get(operation, "responses");
            if (responses == NULL) { /* parameters, servers */
                continue;
            }
            assert_true(count < ROUTES_MAX);
            struct route *r = &routes[count++];
            r->path = paths->items[i]->key;
            r->responses = responses;
            snprintf(r->method, sizeof r->method, "%s", operation->key);
            for (char *p = r->method; *p != '\0'; p++) {
                *p = (char)(*p - 'a' + 'A');
            }
        }
    }
    return count;
}

static bool path_matches(const char *pattern, const char *path)
{
    while (*pattern != '\0' && *path != '\0') {
        if (*pattern == '{') {
            pattern += strcspn(pattern, "}") + 1;
            path += strcspn(path, "/");
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *pattern == *path;
}

/* A literal path is meant before one with a parameter, and the file has it first. */
static const struct route *find(const struct route *routes, size_t count, const char *method,
                                const char *path)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(routes[i].method, method) == 0 && path_matches(routes[i].path, path)) {
            return &routes[i];
        }
    }
    return NULL;
}

/* Is the status of one line of answers documented? Those of other paths are the server's business. */
static void check_line(const struct route *routes, size_t count, const char *line,
                       struct str *problems)
{
    char method[16] = "";
    char path[1100] = "";
    char status[8] = "";
    assert_int_equal(sscanf(line, "%15s %1099s %7s", method, path, status), 3);
    const struct route *r = find(routes, count, method, path);
    if (r != NULL && cfg_get(r->responses, status) == NULL) {
        str_appendf(problems, "not documented: %s %s %s\n", method, r->path, status);
    }
}

static bool was_seen(const struct route *routes, size_t count, const struct route *route,
                     const char *status)
{
    for (const char *line = web_seen(); *line != '\0'; line = strchr(line, '\n') + 1) {
        char method[16] = "";
        char path[1100] = "";
        char got[8] = "";
        assert_int_equal(sscanf(line, "%15s %1099s %7s", method, path, got), 3);
        if (find(routes, count, method, path) == route && strcmp(got, status) == 0) {
            return true;
        }
    }
    return false;
}

static void check(const struct cfg *c, bool (*wanted)(unsigned status), struct str *problems)
{
    struct route routes[ROUTES_MAX];
    size_t count = read_routes(c, routes);
    assert_true(count > 0);
    for (const char *line = web_seen(); *line != '\0'; line = strchr(line, '\n') + 1) {
        check_line(routes, count, line, problems);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < routes[i].responses->count; k++) {
            const char *status = routes[i].responses->items[k]->key;
            uint32_t number;
            if (str_parse_u32(status, 999, &number) && wanted(number) &&
                !was_seen(routes, count, &routes[i], status)) {
                str_appendf(problems, "documented, but not seen: %s %s %s\n", routes[i].method,
                            routes[i].path, status);
            }
        }
    }
}

void web_check_documented(bool (*wanted)(unsigned status))
{
    char path[1024];
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct str problems = {.text = NULL};
    struct cfg *c = cfg_new();
    const char *source = getenv("DNSD_SOURCE");
    snprintf(path, sizeof path, "%s/docs/openapi.yaml", source != NULL ? source : ".");
    assert_int_equal(file_read(path, CFG_BYTES_MAX, &bytes, &len, NULL), ERR_OK);
    cfg_add(c, path, (const char *)bytes, len);
    cfg_problems_text(c, &problems);
    if (cfg_problem_count(c) == 0) {
        check(c, wanted, &problems);
    }
    if (problems.len > 0) {
        fail_msg("%s", problems.text);
    }
    str_free(&problems);
    cfg_free(c);
    free(bytes);
}
