#include "args.h"

#include <stddef.h>
#include <string.h>

#include "lib/str.h"

struct option {
    const char *name;
    enum args_option bit;
    size_t value_at; /* offset of the value in struct args; 0: takes none */
};

static const struct option options[] = {
    {"--config", ARGS_CONFIG, offsetof(struct args, config)},
    {"--json", ARGS_JSON, 0},
    {"--help", ARGS_HELP, 0},
    {"--version", ARGS_VERSION, 0},
    {"--dry-run", ARGS_DRY_RUN, 0},
    {"--replace", ARGS_REPLACE, 0},
    {"--ttl", ARGS_TTL, offsetof(struct args, ttl)},
    {"--ip", ARGS_IP, offsetof(struct args, ip)},
    {"--ipv6", ARGS_IPV6, offsetof(struct args, ipv6)},
    {"--url", ARGS_URL, offsetof(struct args, url)},
    {"--available", ARGS_AVAILABLE, offsetof(struct args, available)},
    {"--force", ARGS_FORCE, 0},
    {"--override", ARGS_OVERRIDE, offsetof(struct args, override)},
    {"--no-wait", ARGS_NO_WAIT, 0},
    {"--reason", ARGS_REASON, offsetof(struct args, reason)},
    {"--id", ARGS_ID, offsetof(struct args, id)},
    {"--hosting", ARGS_HOSTING, offsetof(struct args, hosting)},
    {"--out", ARGS_OUT, offsetof(struct args, out)},
    {"--ack-url", ARGS_ACK_URL, offsetof(struct args, ack_url)},
    {"--all", ARGS_ALL, 0},
};
#define OPTIONS (sizeof options / sizeof options[0])

/* NAME_LEN characters of TEXT, so that --ttl=5 finds --ttl. */
static const struct option *find(const char *text, size_t name_len)
{
    if (strcmp(text, "-c") == 0) {
        return &options[0];
    }
    if (strcmp(text, "-h") == 0) {
        return &options[2];
    }
    for (size_t i = 0; i < OPTIONS; i++) {
        if (strlen(options[i].name) == name_len && memcmp(options[i].name, text, name_len) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

static enum err unknown(const char *text, size_t name_len, struct err_info *info)
{
    const char *words[OPTIONS + 1] = {NULL};
    char name[65];
    if (name_len < sizeof name) {
        memcpy(name, text, name_len);
        name[name_len] = '\0';
        for (size_t i = 0; i < OPTIONS; i++) {
            words[i] = options[i].name;
        }
        const char *near = str_nearest(name, words);
        if (near != NULL) {
            return err_set(info, ERR_MALFORMED, "unknown option %s; did you mean %s?", name, near);
        }
    }
    return err_set(info, ERR_MALFORMED, "unknown option %.*s", (int)name_len, text);
}

/* Reads the option at argv[*i]; *i moves on if its value is the next word. */
static enum err read_option(int argc, char *const *argv, int *i, struct args *out,
                            struct err_info *info)
{
    const char *text = argv[*i];
    const char *equals = text[1] == '-' ? strchr(text, '=') : NULL;
    size_t name_len = equals != NULL ? (size_t)(equals - text) : strlen(text);
    const struct option *o = find(text, name_len);
    if (o == NULL) {
        return unknown(text, name_len, info);
    }
    if (o->value_at == 0) {
        if (equals != NULL) {
            return err_set(info, ERR_MALFORMED, "%s takes no value", o->name);
        }
        out->given |= o->bit;
        return ERR_OK;
    }
    const char *value = equals != NULL ? equals + 1 : NULL;
    if (value == NULL && *i + 1 < argc && strncmp(argv[*i + 1], "--", 2) != 0) {
        *i += 1;
        value = argv[*i];
    }
    if (value == NULL) {
        return err_set(info, ERR_MALFORMED, "%.*s needs a value", (int)name_len, text);
    }
    out->given |= o->bit;
    memcpy((char *)out + o->value_at, &value, sizeof value);
    return ERR_OK;
}

enum err args_parse(int argc, char *const *argv, struct args *out, struct err_info *info)
{
    bool options_ended = false;
    *out = (struct args){.given = 0};
    for (int i = 1; i < argc; i++) {
        if (!options_ended && strcmp(argv[i], "--") == 0) {
            options_ended = true;
        } else if (!options_ended && argv[i][0] == '-' && argv[i][1] != '\0') {
            enum err e = read_option(argc, argv, &i, out, info);
            if (e != ERR_OK) {
                return e;
            }
        } else if (out->count == ARGS_WORDS_MAX) {
            return err_set(info, ERR_MALFORMED, "more than %d words", ARGS_WORDS_MAX);
        } else {
            out->words[out->count++] = argv[i];
        }
    }
    return ERR_OK;
}

const char *args_not_allowed(const struct args *args, unsigned allowed)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        if ((args->given & options[i].bit) != 0 && (allowed & options[i].bit) == 0) {
            return options[i].name;
        }
    }
    return NULL;
}
