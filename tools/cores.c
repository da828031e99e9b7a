/* dnsctl cores: the machines that carry the platform. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cores.h"
#include "cli.h"
#include "columns.h"
#include "taken.h"

static json_t *core_json(const struct store_core *c)
{
    json_t *o = json_pack("{s:o, s:o, s:o, s:o}", "id", cli_text(c->id), "ip", cli_text(c->ip),
                          "ipv6", cli_text(c->ipv6), "url", cli_text(c->url));
    if (c->cname != NULL) {
        json_object_set_new(o, "cname", cli_text(c->cname));
    }
    json_object_set_new(o, "hosting", cli_text(c->hosting));
    json_object_set_new(o, "available", json_boolean(c->available));
    json_object_set_new(o, "users", json_integer((json_int_t)c->users));
    return o;
}

json_t *cores_list_json(const struct db_cores *cores)
{
    json_t *list = json_array();
    for (size_t i = 0; i < cores->count; i++) {
        json_array_append_new(list, core_json(&cores->items[i]));
    }
    return list;
}

void cores_print(const struct db_cores *cores)
{
    struct columns table;
    columns_init(&table, 6, (const char *[]){"ID", "IP", "IPV6", "URL", "AVAILABLE", "USERS"});
    for (size_t i = 0; i < cores->count; i++) {
        const struct store_core *c = &cores->items[i];
        char users[24];
        snprintf(users, sizeof users, "%" PRIu64, c->users);
        columns_add(&table, (const char *[]){
                                c->id, c->ip != NULL ? c->ip : "-", c->ipv6 != NULL ? c->ipv6 : "-",
                                c->url != NULL ? c->url : "-", c->available ? "yes" : "no", users});
    }
    columns_print(&table, stdout);
    columns_free(&table);
}

int cores_list(struct cli *cli)
{
    struct err_info info = {.text = ""};
    struct db_cores cores;
    int code = cli_open(cli, DB_READ);
    if (code != CLI_OK) {
        return code;
    }
    enum err e = db_cores_list(cli->db, &cores, &info);
    if (e != ERR_OK) {
        return cli_fail_store(cli, e, "%s", info.text);
    }
    if (cli_json(cli)) {
        cli_print_json_own(json_pack("{s:o}", "cores", cores_list_json(&cores)));
    } else {
        cores_print(&cores);
    }
    db_cores_free(&cores);
    return CLI_OK;
}

const struct store_core *cores_find(const struct db_cores *cores, const char *text, char *label,
                                    struct err_info *info)
{
    const struct store_core *exact = db_cores_find(cores, text);
    if (exact != NULL) {
        return exact;
    }
    return names_label(text, label, info) == ERR_OK ? db_cores_find(cores, label) : NULL;
}

enum err cores_check_new(struct cli *cli, const char *id, struct err_info *info)
{
    struct names_rows rows;
    struct wire_name owner;
    enum err e = wire_name_from_text(id, cli_apex(cli), &owner, info);
    if (e == ERR_OK) {
        e = taken_by(cli, &owner, &rows, info);
    }
    if (e == ERR_OK) {
        e = names_check(cli_names(cli), NAMES_CORE, &owner, &rows, info);
    }
    return e;
}

static bool is_address(int family, const char *text)
{
    unsigned char bytes[16];
    return inet_pton(family, text, bytes) == 1;
}

static bool is_url(const char *text)
{
    const char *host = strncmp(text, "https://", 8) == 0  ? text + 8
                       : strncmp(text, "http://", 7) == 0 ? text + 7
                                                          : "";
    if (*host == '\0' || *host == '/') {
        return false;
    }
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f) {
            return false;
        }
    }
    return true;
}

/* Puts what the options say into CORE. An empty value removes. CLI_OK, or said what is wrong. */
static int apply_options(const struct cli *cli, struct store_core *core)
{
    const struct args *a = &cli->args;
    if (a->ip != NULL) {
        if (a->ip[0] != '\0' && !is_address(AF_INET, a->ip)) {
            return cli_fail(cli, "--ip %s: not an IPv4 address such as 192.0.2.1", a->ip);
        }
        core->ip = a->ip[0] != '\0' ? a->ip : NULL;
    }
    if (a->ipv6 != NULL) {
        if (a->ipv6[0] != '\0' && !is_address(AF_INET6, a->ipv6)) {
            return cli_fail(cli, "--ipv6 %s: not an IPv6 address such as 2001:db8::1", a->ipv6);
        }
        core->ipv6 = a->ipv6[0] != '\0' ? a->ipv6 : NULL;
    }
    if (a->url != NULL) {
        if (a->url[0] != '\0' && !is_url(a->url)) {
            return cli_fail(cli, "--url %s: not a URL such as https://host.example.com", a->url);
        }
        core->url = a->url[0] != '\0' ? a->url : NULL;
    }
    if (a->available != NULL) {
        if (strcmp(a->available, "yes") != 0 && strcmp(a->available, "no") != 0) {
            return cli_fail(cli, "--available %s: yes or no", a->available);
        }
        core->available = strcmp(a->available, "yes") == 0;
    }
    return CLI_OK;
}

static int put(struct cli *cli, const struct store_core *core, bool is_new)
{
    struct err_info info = {.text = ""};
    enum store_put how = is_new ? STORE_ONLY_NEW : STORE_REPLACE;
    enum err e = db_core_put(cli->db, core, how, &info);
    if (e != ERR_OK) {
        return cli_fail_store(cli, e, "core %s: %s", core->id, info.text);
    }
    if (cli_json(cli)) {
        cli_print_json_own(json_pack("{s:o, s:b}", "core", core_json(core), "added", is_new));
    } else {
        printf("core %s %s: %s\n", core->id, is_new ? "added" : "changed",
               core->available ? "available" : "not available");
    }
    return CLI_OK;
}

int cores_set(struct cli *cli)
{
    struct err_info info = {.text = ""};
    struct db_cores cores = {.count = 0};
    struct store_core core = {.available = true};
    char label[WIRE_LABEL_MAX + 1] = "";
    int code = apply_options(cli, &core); /* before anything is made */
    if (code != CLI_OK || (code = cli_open(cli, DB_WRITE)) != CLI_OK) {
        return code;
    }
    enum err e = db_cores_list(cli->db, &cores, &info);
    if (e != ERR_OK) {
        return cli_fail_store(cli, e, "%s", info.text);
    }
    const struct store_core *old = cores_find(&cores, cli->words[0], label, &info);
    if (old != NULL) {
        core = *old;
        code = apply_options(cli, &core);
    } else if (label[0] == '\0' || cores_check_new(cli, label, &info) != ERR_OK) {
        code = cli_fail(cli, "core %s: %s", cli->words[0], info.text);
    } else {
        core.id = label;
    }
    if (code == CLI_OK) {
        code = put(cli, &core, old == NULL);
    }
    db_cores_free(&cores);
    return code;
}

int cores_drain(struct cli *cli)
{
    struct err_info info = {.text = ""};
    struct db_cores cores = {.count = 0};
    char label[WIRE_LABEL_MAX + 1] = "";
    int code = cli_open(cli, DB_READ);
    if (code != CLI_OK) {
        return code;
    }
    enum err e = db_cores_list(cli->db, &cores, &info);
    if (e != ERR_OK) {
        return cli_fail_store(cli, e, "%s", info.text);
    }
    const struct store_core *old = cores_find(&cores, cli->words[0], label, &info);
    if (old == NULL) {
        code = cli_nothing(cli, "there is no core %s", cli->words[0]);
    } else {
        struct store_core core = *old;
        core.available = false;
        code = put(cli, &core, false);
        if (code == CLI_OK && !cli_json(cli)) {
            if (core.users > 0) {
                printf("its users stay until they are moved: %" PRIu64 "\n", core.users);
            }
            printf("no new user is placed on it, and service names lead elsewhere; to take it out "
                   "then, on another core: dnsctl bootstrap remove-core %s\n",
                   core.id);
        }
    }
    db_cores_free(&cores);
    return code;
}
