#include "bootstrap_wish.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dnsd/zone/names.h"
#include "lib/mem.h"

#define DIGITS_MAX 7 /* 30 days in seconds */

static void PRINTF_LIKE(2, 3) problem(struct wish_problems *p, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    str_appendf(&p->text, "%s%s", p->count > 0 ? "; " : "", text);
    p->count++;
}

bool wish_ttl_read(const char *text, int64_t *out)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char digits[DIGITS_MAX + 1];
    uint32_t number = 0;
    size_t len = strlen(text);
    if (len < 2 || len - 1 > DIGITS_MAX) {
        return false;
    }
    memcpy(digits, text, len - 1);
    digits[len - 1] = '\0';
    if (!str_parse_u32(digits, UINT32_MAX, &number)) {
        return false;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        int64_t ttl_s = (int64_t)number * units[i].seconds;
        if (text[len - 1] == units[i].unit && ttl_s >= BOOTSTRAP_TTL_MIN_S &&
            ttl_s <= BOOTSTRAP_TTL_MAX_S) {
            *out = ttl_s;
            return true;
        }
    }
    return false;
}

static bool is_hosting(const char *text)
{
    size_t len = strlen(text);
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            return false;
        }
    }
    return len > 0 && len <= BOOTSTRAP_HOSTING_MAX;
}

static void read_id(const struct args *a, const struct config *c, struct wish *w,
                    struct wish_problems *p)
{
    struct err_info info = {.text = ""};
    if (a->id == NULL) {
        problem(p, "--id is missing: what the new core is to be called");
        p->missing = true;
    } else if (names_label(a->id, w->id, &info) != ERR_OK) {
        w->id[0] = '\0';
        problem(p, "--id %.80s: %s", a->id, info.text);
    } else if (strcasecmp(w->id, c->core.id) == 0) {
        problem(p, "--id %s: that is the core you are on (core.id)", w->id);
    }
}

static void read_addresses(const struct args *a, const struct config *c, struct wish *w,
                           struct wish_problems *p)
{
    struct err_info info = {.text = ""};
    if (a->ip == NULL && a->ipv6 == NULL) {
        problem(p, "--ip is missing: where the other cores find the new one (or --ipv6)");
        p->missing = true;
    }
    if (a->ip != NULL && bootstrap_ipv4_read(a->ip, w->ip, &info) != ERR_OK) {
        problem(p, "--ip %.80s: %s", a->ip, info.text);
    } else if (w->ip[0] != '\0' && c->core.ip != NULL && strcmp(w->ip, c->core.ip) == 0) {
        problem(p, "--ip %s: that is this core's own address (core.ip)", w->ip);
    }
    if (a->ipv6 != NULL && bootstrap_ipv6_read(a->ipv6, w->ipv6, &info) != ERR_OK) {
        problem(p, "--ipv6 %.80s: %s", a->ipv6, info.text);
    } else if (w->ipv6[0] != '\0' && c->core.ipv6 != NULL && strcmp(w->ipv6, c->core.ipv6) == 0) {
        problem(p, "--ipv6 %s: that is this core's own address (core.ipv6)", w->ipv6);
    }
}

static void read_url(const struct args *a, const struct config *c, struct wish *w,
                     struct wish_problems *p)
{
    struct err_info info = {.text = ""};
    struct bootstrap_url url;
    w->url = a->url;
    if (a->url != NULL && bootstrap_url_read(a->url, &url, &info) != ERR_OK) {
        problem(p, "--url %.80s: %s", a->url, info.text);
    }
    if (a->url == NULL && c->dns.domain_text == NULL) {
        problem(p, "--url is missing: without dns.domain nothing else leads to the new core");
        p->missing = true;
    }
    w->hosting = a->hosting;
    if (a->hosting != NULL && !is_hosting(a->hosting)) {
        problem(p, "--hosting: 1 to %d printable characters", BOOTSTRAP_HOSTING_MAX);
    }
}

/* Where the new core says that it is there: here, at the port for that, or where the operator says. */
static void read_ack(const struct args *a, const struct config *c, struct wish *w,
                     struct wish_problems *p)
{
    struct err_info info = {.text = ""};
    struct bootstrap_url url;
    struct str text = {.text = NULL};
    w->ack_given = a->ack_url != NULL;
    if (a->ack_url != NULL) {
        if (bootstrap_url_read(a->ack_url, &url, &info) != ERR_OK) {
            problem(p, "--ack-url %.80s: %s", a->ack_url, info.text);
            return;
        }
        bool bare = url.path[0] == '\0' || strcmp(url.path, "/") == 0;
        str_append_n(&text, a->ack_url, strlen(a->ack_url) - (bare ? strlen(url.path) : 0));
        str_append(&text, bare ? BOOTSTRAP_ACK_PATH : "");
        w->ack_url = text.text;
        return;
    }
    if (c->cluster.join_port == 0) {
        problem(p, "cluster.joinPort is 0: without it --ack-url has to say where the new core "
                   "reports");
    } else if (c->core.ip != NULL || c->core.ipv6 != NULL) {
        str_appendf(&text, c->core.ip != NULL ? "https://%s:%u" : "https://[%s]:%u",
                    c->core.ip != NULL ? c->core.ip : c->core.ipv6, (unsigned)c->cluster.join_port);
        str_append(&text, BOOTSTRAP_ACK_PATH);
        w->ack_url = text.text;
    }
}

void wish_read(const struct args *args, const struct config *config, struct wish *out,
               struct wish_problems *problems)
{
    struct str path = {.text = NULL};
    *out = (struct wish){.ttl_s = BOOTSTRAP_TTL_S, .replace = (args->given & ARGS_REPLACE) != 0};
    read_id(args, config, out, problems);
    read_addresses(args, config, out, problems);
    read_url(args, config, out, problems);
    if (args->ttl != NULL && !wish_ttl_read(args->ttl, &out->ttl_s)) {
        problem(problems, "--ttl %.40s: not a time from 1m to 30d, such as 90s, 15m, 24h or 7d",
                args->ttl);
    }
    read_ack(args, config, out, problems);
    if (args->out != NULL && (args->out[0] == '\0' || strcmp(args->out, "-") == 0)) {
        problem(problems, "--out: the path of a file");
    }
    if (args->out != NULL) {
        out->out = mem_xstrdup(args->out);
    } else {
        str_appendf(&path, "./bootstrap-%s.bundle", out->id);
        out->out = path.text;
    }
}

void wish_free(struct wish *w)
{
    free(w->ack_url);
    free(w->out);
    *w = (struct wish){.ttl_s = 0};
}

void wish_check_config(const struct config *config, bool has_sealing_keys, struct wish_problems *p)
{
    if (!config->storages.engine_rqlite) {
        problem(p, "a single core with SQLite cannot be joined: set storages.platform.engine: "
                   "rqlite first, see docs/OPERATIONS.md");
    }
    if (config->storages.engine_rqlite && config->storages.rqlite.external) {
        problem(p, "storages.engines.rqlite.external: dnsd does not run this cluster's rqlite, and "
                   "cannot let cores into it");
    }
    if (config->core.ip == NULL && config->core.ipv6 == NULL) {
        problem(p, "core.ip is not set: the other cores could not find this one");
    }
    if (config->auth.admin_access_key == NULL) {
        problem(p, "auth.adminAccessKey is not set, or a placeholder: every core needs the same");
    }
    if (config->lets_encrypt.enabled && !has_sealing_keys) {
        problem(p, "letsEncrypt.atRestKey is not set, or a placeholder: every core needs the same");
    }
    if (config->platform.pii_hashed && config->platform.pii_hmac_key == NULL) {
        problem(p, "platform.piiHmacKey is not set, or a placeholder: every core needs the same");
    }
}
