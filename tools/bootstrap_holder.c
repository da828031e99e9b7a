#include "bootstrap_holder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cert/covers.h"
#include "cert/csr.h"
#include "cluster/node_sys.h"
#include "db_join.h"
#include "dnsd/app/config_bootstrap.h"
#include "lib/clock.h"
#include "nodes.h"

#define NAMES_MAX 4 /* id, id.domain, IPv4, IPv6 */

/* ---- a key and its certificate --------------------------------------------------------------- */

static int64_t lifetime_s(void)
{
#ifdef DNSD_FAULTS
    const char *text = getenv("DNSD_TEST_NODE_LIFETIME_S");
    uint32_t s = 0;
    if (text != NULL && str_parse_u32(text, UINT32_MAX, &s)) {
        return s;
    }
#endif
    return (int64_t)CERT_NODE_DAYS * 24 * 3600;
}

static enum err sign(const struct ca *ca, const struct cert_key *key,
                     const struct cert_node_wish *wish, char **cert_pem, struct err_info *info)
{
    uint8_t *request = NULL;
    size_t len = 0;
    /* What the request names is not believed; it has to name something. */
    enum err e = cert_csr_new(key, wish->names, 1, &request, &len, info);
    if (e == ERR_OK) {
        e = cert_authority_sign(ca->authority, request, len, wish, cert_pem, info);
    }
    free(request);
    return e;
}

/* What a certificate is to name; some of the texts are its own. */
struct name_list {
    const char *items[NAMES_MAX];
    size_t count;
    char label[WIRE_LABEL_MAX + 1];
    char host[WIRE_LABEL_MAX + 1 + WIRE_NAME_TEXT_MAX];
};

static void add_name(struct name_list *list, const char *name)
{
    if (name != NULL) {
        list->items[list->count++] = name;
    }
}

static void list_names(const struct pair_names *names, struct name_list *out)
{
    *out = (struct name_list){.count = 0};
    if (strlen(names->id) <= WIRE_LABEL_MAX) { /* names are in lower case, whatever the id is */
        wire_name_fold((uint8_t *)out->label, (const uint8_t *)names->id, strlen(names->id));
    }
    add_name(out, out->label);
    if (names->domain != NULL) {
        snprintf(out->host, sizeof out->host, "%s.%s", out->label, names->domain);
        add_name(out, out->host);
    }
    add_name(out, names->ip);
    add_name(out, names->ipv6);
}

enum err pair_new(const struct ca *ca, const struct pair_names *names, int64_t now_ms,
                  struct pair *out, struct err_info *info)
{
    struct name_list list;
    struct cert_key *key = NULL;
    list_names(names, &list);
    const struct cert_node_wish wish = {.id = names->id,
                                        .names = list.items,
                                        .names_count = list.count,
                                        .now_ms = now_ms,
                                        .lifetime_s = lifetime_s()};
    *out = (struct pair){.cert_pem = NULL};
    enum err e = cert_key_new(&key, info);
    if (e == ERR_OK) {
        e = sign(ca, key, &wish, &out->cert_pem, info);
    }
    if (e == ERR_OK) {
        e = cert_key_to_pem(key, &out->key_pem, info);
    }
    if (e == ERR_OK) {
        e = cert_node_read(out->cert_pem, strlen(out->cert_pem), &out->info, info);
    }
    cert_key_free(key);
    if (e != ERR_OK) {
        pair_free(out);
    }
    return e;
}

void pair_free(struct pair *p)
{
    free(p->cert_pem);
    cert_key_pem_free(p->key_pem);
    *p = (struct pair){.cert_pem = NULL};
}

/* ---- whether this is the core ---------------------------------------------------------------- */

bool holder_is_elsewhere(const struct cli *cli, struct err_info *why)
{
    const struct config *c = &cli->config;
    struct node_material m = {.ca_pem = NULL};
    struct err_info info = {.text = ""};
    if (ca_is_here(c->cluster.ca_path)) {
        return false;
    }
    enum err e = node_read(c->cluster.tls_dir, &m, &info);
    node_material_free(&m);
    if (e == ERR_NOTFOUND) {
        return false;
    }
    (void)err_set(why, ERR_CONFLICT,
                  "the cluster's CA is not here (%s), though this core has a certificate of one "
                  "(%s): run this on the core that has the CA, or bring its backup back",
                  c->cluster.ca_path, c->cluster.tls_dir);
    return true;
}

/* A cluster that runs without TLS cannot be switched over node by node: those that want it and those that
 * do not cannot speak with each other. */
static int refuse_plain_cluster(const struct cli *cli)
{
    const struct config *c = &cli->config;
    struct members nodes = {.count = 0};
    size_t others = 0;
    if (!c->storages.engine_rqlite || c->storages.rqlite.cert_file != NULL) {
        return CLI_OK;
    }
    if (nodes_list(c, &nodes, NULL) == ERR_OK) { /* nobody there: there is nothing to break */
        others = nodes.count > 0 ? nodes.count - 1 : 0;
    }
    members_free(&nodes);
    return others == 0
               ? CLI_OK
               : cli_fail(cli,
                          "the database's cluster has %zu other node%s, and speaks without TLS: it "
                          "cannot be switched over while it runs (docs/OPERATIONS.md)",
                          others, others == 1 ? "" : "s");
}

/* ---- this core --------------------------------------------------------------------------------- */

/* Two that run at the same time would put each other's bundle out of force. The kernel lets go of it with
 * the process. */
static int take_lock(const struct cli *cli, struct holder *h)
{
    const char *folder = cli->config.cluster.ca_path;
    h->lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (h->lock < 0) {
        return cli_fail(cli, "%s: %s", folder, strerror(errno));
    }
    if (flock(h->lock, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? cli_fail(cli, "%s: another bootstrap command is at work", folder)
                   : cli_fail(cli, "%s: cannot be locked: %s", folder, strerror(errno));
    }
    return CLI_OK;
}

static struct pair_names own_names(const struct config *c)
{
    return (struct pair_names){
        .id = c->core.id, .domain = c->dns.domain_text, .ip = c->core.ip, .ipv6 = c->core.ipv6};
}

/* Of this core, with the names and addresses that it has now, of this CA, and valid. */
static bool is_good(const struct config *c, const struct ca *ca, const struct node_material *m,
                    int64_t now_ms)
{
    const struct pair_names names = own_names(c);
    struct name_list list;
    list_names(&names, &list);
    return strcmp(m->info.id, c->core.id) == 0 &&
           cert_covers(m->cert_pem, strlen(m->cert_pem), list.items, list.count) &&
           cert_node_verify(m->cert_pem, strlen(m->cert_pem), ca->cert_pem, strlen(ca->cert_pem),
                            now_ms, NULL) == ERR_OK;
}

static enum err new_own_pair(const struct config *c, struct holder *h, int64_t now_ms,
                             struct err_info *info)
{
    const struct pair_names names = own_names(c);
    struct pair pair;
    enum err e = pair_new(&h->ca, &names, now_ms, &pair, info);
    if (e != ERR_OK) {
        return e;
    }
    /* Another id than before is this core's new name: the configuration says so. */
    e = node_place(c->cluster.tls_dir, c->user, h->ca.cert_pem, pair.cert_pem, pair.key_pem, true,
                   info);
    if (e == ERR_OK) {
        h->info = pair.info;
        h->pair_made = true;
    }
    pair_free(&pair);
    return e;
}

static int ensure_pair(struct cli *cli, struct holder *h, bool renew)
{
    const struct config *c = &cli->config;
    struct err_info info = {.text = ""};
    struct node_material m = {.ca_pem = NULL};
    int64_t now_ms = clk_wall_ms(&clk_system);
    enum err e = node_read(c->cluster.tls_dir, &m, &info);
    if (e == ERR_OK && !renew && is_good(c, &h->ca, &m, now_ms)) {
        h->info = m.info;
    } else if (e == ERR_OK || e == ERR_NOTFOUND) {
        e = new_own_pair(c, h, now_ms, &info);
    }
    node_material_free(&m);
    return e == ERR_OK ? CLI_OK : cli_fail(cli, "%s", info.text);
}

static int ensure_config(struct cli *cli, struct holder *h)
{
    const struct config *c = &cli->config;
    struct err_info info = {.text = ""};
    char *ours = node_path_cert(c->cluster.tls_dir);
    const char *named = c->storages.rqlite.cert_file;
    enum err e = ERR_OK;
    if (named == NULL) {
        json_t *object = config_of_holder(c->cluster.tls_dir);
        h->config = HOLDER_CONFIG_WRITTEN;
        e = config_bootstrap_write(c->path, c->user, object, &info);
        json_decref(object);
    } else {
        h->config = strcmp(named, ours) == 0 ? HOLDER_CONFIG_OURS : HOLDER_CONFIG_OTHER;
    }
    free(ours);
    return e == ERR_OK ? CLI_OK : cli_fail(cli, "%s", info.text);
}

static int ensure(struct cli *cli, struct holder *h, bool renew)
{
    const struct config *c = &cli->config;
    struct err_info info = {.text = ""};
    *h = (struct holder){.lock = -1};
    if (c->core.ip == NULL && c->core.ipv6 == NULL) {
        return cli_fail(cli, "core.ip is not set: this core's certificate has to name its address");
    }
    if (holder_is_elsewhere(cli, &info)) {
        return cli_fail(cli, "%s", info.text);
    }
    int code = refuse_plain_cluster(cli);
    if (code != CLI_OK) {
        return code;
    }
    enum err e = ca_ensure(c->cluster.ca_path, c->user, clk_wall_ms(&clk_system), &h->ca_made,
                           &h->ca, &info);
    if (e != ERR_OK) {
        return cli_fail(cli, "%s", info.text);
    }
    code = take_lock(cli, h);
    if (code == CLI_OK) {
        code = ensure_pair(cli, h, renew);
    }
    return code == CLI_OK ? ensure_config(cli, h) : code;
}

int holder_ensure(struct cli *cli, struct holder *out)
{
    return ensure(cli, out, false);
}

int holder_renew(struct cli *cli, struct holder *out)
{
    return ensure(cli, out, true);
}

void holder_close(struct holder *h)
{
    ca_close(&h->ca);
    if (h->lock >= 0) {
        close(h->lock);
    }
    h->lock = -1;
}

enum err holder_record(struct cli *cli, const struct holder *h, struct err_info *info)
{
    const struct store_node_cert cert = {.serial = h->info.serial,
                                         .core = h->info.id,
                                         .fingerprint = h->info.sha256,
                                         .issued_ms = h->info.not_before_ms + CERT_BACKDATE_MS,
                                         .expires_ms = h->info.not_after_ms,
                                         .reason = ""};
    enum db_node_cert known;
    enum err e = db_node_cert_look(cli->db, h->info.id, h->info.serial, &known, info);
    if (e == ERR_OK && known == DB_NODE_CERT_UNKNOWN) {
        e = db_node_cert_put(cli->db, &cert, info);
        e = e == ERR_CONFLICT ? ERR_OK : e; /* by somebody else, this moment */
    }
    return e;
}
