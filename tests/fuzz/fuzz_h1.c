/* Target: h1_read(), and behind it all that is made of a head: target_path(), target_query(),
 * router_find().
 *
 * The same octets in one piece, octet by octet, and cut by a seed must give the same events. The first
 * octet is the seed, the second chooses how long a head may be (0: 16 KiB), the rest is what a stranger
 * sends.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "h1_events.h"
#include "http/router.h"
#include "http/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 70000

static const struct http_route routes[] = {
    {.method = "GET", .pattern = "/"},
    {.method = "GET", .pattern = "/reg/records/{name}"},
    {.method = "PUT", .pattern = "/reg/{kind}/{name}"},
    {.method = "POST", .pattern = "/reg/records"},
    {.method = "*", .pattern = "/any/*"},
};
static const struct http_site site = {.routes = routes, .count = sizeof routes / sizeof routes[0]};

static void check_path(const char *path)
{
    size_t len = strlen(path);
    assert(path[0] == '/' || strcmp(path, "*") == 0);
    assert(strstr(path, "//") == NULL && strstr(path, "/./") == NULL);
    assert(strstr(path, "/../") == NULL);
    assert(len < 2 || strcmp(path + len - 2, "/.") != 0);
    assert(len < 3 || strcmp(path + len - 3, "/..") != 0);
    for (; *path != '\0'; path++) {
        assert((unsigned char)*path >= ' ' && *path != 0x7f);
    }
}

static void check_match(const struct router_match *m)
{
    assert(m->status == 0 || m->status == 404 || m->status == 405 || m->status == 501);
    assert(m->status == 0 ? m->index < site.count : m->index == HTTP_ROUTES_MAX);
    assert(strlen(m->allow) < sizeof m->allow && (m->status == 405 || m->allow[0] == '\0'));
    assert(m->params_count <= 2 && (m->status == 0 || m->params_count == 0));
    for (unsigned i = 0; i < m->params_count; i++) {
        const char *value = m->params[i].value;
        assert(value[0] != '\0' && strlen(value) <= HTTP_PARAM_MAX && strchr(value, '/') == NULL);
    }
}

static void check_target(const struct http_head *head)
{
    struct router_match match;
    char path[256];
    char value[64];
    enum err e = target_path(head->target, path, sizeof path);
    assert(e == ERR_OK || e == ERR_MALFORMED || e == ERR_LIMIT);
    if (e == ERR_OK) {
        check_path(path);
        router_find(&site, head->method, path, &match);
        check_match(&match);
    }
    e = target_query(head->target, "a", value, sizeof value);
    assert(e == ERR_OK || e == ERR_MALFORMED || e == ERR_LIMIT || e == ERR_NOTFOUND);
    assert(e != ERR_OK || strlen(value) < sizeof value);
    assert(strchr(head->target, '?') != NULL || e == ERR_NOTFOUND);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > INPUT_MAX) {
        return 0;
    }
    struct str whole = {.text = NULL};
    struct h1_events how = {.max = data[1] == 0 ? 16384 : data[1] * (size_t)8,
                            .seed = H1_EVENTS_WHOLE,
                            .fields = true,
                            .on_head = check_target};
    h1_events(&how, data + 2, size - 2, &whole);
    const uint64_t seeds[] = {H1_EVENTS_OCTETS, 2 + (uint64_t)data[0]};
    for (unsigned i = 0; i < 2; i++) {
        struct str cut = {.text = NULL};
        how.seed = seeds[i];
        h1_events(&how, data + 2, size - 2, &cut);
        assert(cut.len == whole.len);
        assert(whole.len == 0 || memcmp(cut.text, whole.text, whole.len) == 0);
        str_free(&cut);
    }
    str_free(&whole);
    return 0;
}
