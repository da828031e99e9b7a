#include "config_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

static json_t *must(json_t *value)
{
    if (value == NULL) {
        LOG_ERROR("config", "out of memory, cannot go on");
        abort();
    }
    return value;
}

/* Only what a number's own notation gives back: 010 and 0x1f stay the texts that they are. */
static bool is_number(const char *text, int64_t *out)
{
    char back[24];
    char *end = NULL;
    if (text[0] != '-' && (text[0] < '0' || text[0] > '9')) {
        return false;
    }
    *out = strtoimax(text, &end, 10);
    snprintf(back, sizeof back, "%" PRId64, *out);
    return *end == '\0' && strcmp(back, text) == 0;
}

static json_t *scalar(const struct cfg_node *node)
{
    int64_t number;
    if (node->plain && (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0)) {
        return must(json_boolean(node->text[0] == 't'));
    }
    if (node->plain && is_number(node->text, &number)) {
        return must(json_integer(number));
    }
    return must(json_string(node->text));
}

/* Recursion is bounded by CFG_DEPTH_MAX. */
json_t *config_json(const struct cfg_node *node)
{
    if (!cfg_is_set(node)) {
        return NULL;
    }
    if (node->kind == CFG_SCALAR) {
        return scalar(node);
    }
    json_t *out = must(node->kind == CFG_MAP ? json_object() : json_array());
    for (size_t i = 0; i < node->count; i++) {
        json_t *item = config_json(node->items[i]);
        if (item != NULL &&
            (node->kind == CFG_MAP ? json_object_set_new(out, node->items[i]->key, item)
                                   : json_array_append_new(out, item)) != 0) {
            (void)must(NULL);
        }
    }
    return out;
}
