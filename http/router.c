#include "router.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* RFC 9110 §9.3, RFC 5789 §2. Methods are case-sensitive (RFC 9110 §9.1). */
static bool is_registered(const char *method)
{
    static const char *const methods[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                          "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    size_t i = 0;
    while (i < COUNT(methods) && strcmp(methods[i], method) != 0) {
        i++;
    }
    return i < COUNT(methods);
}

static bool allows(const struct http_route *route, const char *method)
{
    return strcmp(route->method, method) == 0 || strcmp(route->method, "*") == 0 ||
           (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

/* ---- patterns ----------------------------------------------------------------------------- */

/* PATTERN stands at "{name}", PATH at the segment that is to be its value. */
static bool take_param(const char **pattern, const char **path, struct router_match *out)
{
    const char *name = *pattern + 1;
    size_t name_len = strcspn(name, "}");
    size_t len = strcspn(*path, "/");
    if (len == 0 || len > HTTP_PARAM_MAX) {
        return false;
    }
    assert(name[name_len] == '}' && out->params_count < HTTP_PARAMS_MAX);
    struct router_param *p = &out->params[out->params_count++];
    p->name = name;
    p->name_len = name_len;
    memcpy(p->value, *path, len);
    p->value[len] = '\0';
    *pattern = name + name_len + 1;
    *path += len;
    return true;
}

static bool matches(const char *pattern, const char *path, struct router_match *out)
{
    out->params_count = 0;
    while (*pattern != '\0') {
        if (strcmp(pattern, "/*") == 0) {
            return *path == '/';
        }
        if (*pattern == '{') {
            if (!take_param(&pattern, &path, out)) {
                return false;
            }
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

/* ---- what is allowed ---------------------------------------------------------------------- */

static bool is_listed(const char *list, const char *method)
{
    size_t len = strlen(method);
    for (const char *at = list; (at = strstr(at, method)) != NULL; at++) {
        if ((at == list || at[-1] == ' ') && (at[len] == ',' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

static void list(char allow[ROUTER_ALLOW_MAX], const char *method)
{
    size_t at = strlen(allow);
    size_t len = strlen(method);
    if (strcmp(method, "*") == 0 || is_listed(allow, method)) {
        return;
    }
    assert(at + 2 + len < ROUTER_ALLOW_MAX);
    snprintf(allow + at, ROUTER_ALLOW_MAX - at, "%s%s", at > 0 ? ", " : "", method);
}

static void list_route(char allow[ROUTER_ALLOW_MAX], const struct http_route *route)
{
    list(allow, route->method);
    if (strcmp(route->method, "GET") == 0) {
        list(allow, "HEAD");
    }
}

/* ---- routing ------------------------------------------------------------------------------ */

void router_find(const struct http_site *site, const char *method, const char *path,
                 struct router_match *out)
{
    bool all = strcmp(path, "*") == 0; /* RFC 9110 §9.3.7 */
    bool exists = false;
    assert(site->count <= HTTP_ROUTES_MAX);
    out->index = HTTP_ROUTES_MAX;
    out->params_count = 0;
    out->allow[0] = '\0';
    if (!is_registered(method)) {
        out->status = 501; /* RFC 9110 §9.1 */
        return;
    }
    for (unsigned i = 0; i < site->count; i++) {
        const struct http_route *route = &site->routes[i];
        bool match = matches(route->pattern, path, out);
        if (match && allows(route, method)) {
            out->status = 0;
            out->index = i;
            out->allow[0] = '\0';
            return;
        }
        if (match || all) {
            exists = true;
            list_route(out->allow, route);
        }
    }
    out->params_count = 0;
    out->status = exists ? 405 : 404; /* RFC 9110 §15.5.6 */
}
