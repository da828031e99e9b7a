/* dnsctl cores delete and bootstrap remove-core: takes a core out of the database's cluster, then forgets
 * its row, and revokes what let it in. remove-core drains it first.
 *
 * In this order, because the row is what leads others to it (lsc): a node without a row is still a
 * vote that is missed, a row without a node is only told as silent. Whatever would stop the row from
 * going is looked for before the node goes. With an embedded store there is only the row.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "cores.h"
#include "daemon.h"
#include "db_join.h"
#include "lib/clock.h"
#include "nodes.h"

/* A leader that was taken out leaves the others to choose one; each attempt waits for some seconds. */
#define ROW_ATTEMPTS 4

struct removal {
    struct cli *cli;
    const char *id;               /* of the core; borrowed */
    const struct store_core *row; /* borrowed; NULL: none is seen */
    bool can_be;                  /* it is seen, or its id is one that we would write */
    bool force;
    bool drains;  /* remove-core */
    bool is_self; /* this core's own node */
    /* with rqlite */
    struct members nodes;      /* owned */
    const struct member *node; /* one of nodes; NULL: none */
    enum members_removal verdict;
    struct members_rest rest;
    bool node_gone;
    struct store_withdrawn gone; /* with the row */
};

/* ---- before anything is done ----------------------------------------------------------------- */

/* A voter other than the core's own that does not answer; "" if there is none. */
static const char *missing(const struct removal *r)
{
    for (size_t i = 0; i < r->nodes.count; i++) {
        const struct member *n = &r->nodes.items[i];
        if (n->voter && !n->reachable && n != r->node) {
            return n->id;
        }
    }
    return "";
}

static int refuse_node(const struct removal *r)
{
    const struct cli *cli = r->cli;
    switch (r->verdict) {
    case MEMBERS_LAST:
        if (!r->force) {
            return cli_fail(cli,
                            "core %s: its node is the only voter of the database, without it there "
                            "is none; --force forgets the row alone",
                            r->id);
        }
        break;
    case MEMBERS_NO_QUORUM:
        return cli_fail_store(cli, ERR_UNAVAIL,
                              "core %s: no quorum: %zu of %zu voters answer, so that none can be "
                              "taken out; start one that is missing (are they gone for good: "
                              "docs/OPERATIONS.md, \"Losing the quorum\")",
                              r->id, r->nodes.voters_reachable, r->nodes.voters);
    case MEMBERS_LOSES:
        return cli_fail(
            cli,
            "core %s: of the %zu voters that would be left only %zu answer, and nothing "
            "could be written any more; start %s, or delete it first",
            r->id, r->rest.voters, r->rest.reachable, missing(r));
    case MEMBERS_ABSENT:
    case MEMBERS_REMOVABLE:
        break;
    }
    if (r->is_self && !r->force) {
        return cli_fail(cli,
                        "core %s is the one that you are on: do it on another core, after dnsd was "
                        "stopped here; --force does it from here",
                        r->id);
    }
    return CLI_OK;
}

static int check(struct removal *r)
{
    if (!r->can_be && r->node == NULL) {
        return cli_nothing(r->cli, "there is no core %s", r->cli->words[0]);
    }
    if (r->row != NULL && r->row->users > 0 && !r->force) {
        return cli_fail(r->cli,
                        "core %s: %" PRIu64 " user%s on it; move them (dnsctl users load), or "
                        "--force",
                        r->id, r->row->users, r->row->users == 1 ? " is" : "s are");
    }
    return r->node != NULL ? refuse_node(r) : CLI_OK;
}

static int look_at_nodes(struct removal *r)
{
    struct err_info info = {.text = ""};
    const struct config *c = &r->cli->config;
    if (!c->storages.engine_rqlite) {
        return CLI_OK;
    }
    enum err e = nodes_list(c, &r->nodes, &info);
    if (e != ERR_OK) {
        return cli_fail_store(r->cli, e, "core %s: %s", r->id, info.text);
    }
    r->node = members_find(&r->nodes, r->id);
    r->verdict = members_removal(&r->nodes, r->id, &r->rest);
    r->is_self = strcmp(r->id, c->core.id) == 0;
    return CLI_OK;
}

/* ---- doing it ---------------------------------------------------------------------------------- */

static int remove_node(struct removal *r)
{
    struct err_info info = {.text = ""};
    if (r->verdict != MEMBERS_REMOVABLE) {
        return CLI_OK;
    }
    enum err e = nodes_remove(&r->cli->config, r->id, &info);
    if (e == ERR_TIMEOUT) {
        cli_fail(r->cli,
                 "core %s: whether its node was taken out of the database's cluster is not known: "
                 "%s; do it again",
                 r->id, info.text);
        return CLI_UNAVAIL;
    }
    if (e != ERR_OK) {
        return cli_fail_store(r->cli, e, "core %s: its node stays in the database's cluster: %s",
                              r->id, info.text);
    }
    r->node_gone = true;
    return CLI_OK;
}

static int remove_row(struct removal *r)
{
    struct err_info info = {.text = ""};
    enum err e = ERR_OK;
    /* Seen or not: what this node of rqlite has may be a moment old. */
    for (int i = 0; i < ROW_ATTEMPTS; i++) {
        e = db_core_retire(r->cli->db, r->id, r->force, clk_wall_ms(&clk_system), &r->gone, &info);
        if (!err_is_transient(e) || !r->node_gone) {
            break;
        }
    }
    if (e == ERR_NOTFOUND && r->node == NULL) {
        return cli_nothing(r->cli, "there is no core %s", r->cli->words[0]);
    }
    if (e == ERR_OK || e == ERR_NOTFOUND) {
        return CLI_OK;
    }
    if (r->node_gone) {
        cli_fail(r->cli,
                 "core %s: its node is out of the database's cluster, but its row stays: %s; do it "
                 "again",
                 r->id, info.text);
        return cli_code(e);
    }
    return cli_fail_store(r->cli, e, "core %s: %s", r->id, info.text);
}

static int carry_out(struct removal *r)
{
    /* Our own node, once it is out, cannot write any more. */
    int code = r->is_self ? remove_row(r) : remove_node(r);
    if (code == CLI_OK) {
        code = r->is_self ? remove_node(r) : remove_row(r);
    }
    return code;
}

/* No new user is placed on it from here on: the same statement that places one looks whether the core is
 * available. So users that are counted after this are all there will be. */
static int drain(struct removal *r)
{
    struct cli *cli = r->cli;
    struct err_info info = {.text = ""};
    struct db_cores cores = {.count = 0};
    if (r->row == NULL || !r->row->available) {
        return CLI_OK;
    }
    struct store_core core = *r->row;
    core.available = false;
    enum err e = db_core_put(cli->db, &core, STORE_REPLACE, &info);
    e = e == ERR_OK ? db_cores_list(cli->db, &cores, &info) : e;
    const struct store_core *now = db_cores_find(&cores, r->id);
    int code = CLI_OK;
    if (e != ERR_OK) {
        code = cli_fail_store(cli, e, "core %s: %s", r->id, info.text);
    } else if (now != NULL && now->users > 0 && !r->force) {
        code = cli_fail(cli,
                        "core %s is drained, but %" PRIu64 " user%s came to it just before; move "
                        "them (dnsctl users load) and do it again, or --force",
                        r->id, now->users, now->users == 1 ? "" : "s");
    }
    db_cores_free(&cores);
    return code;
}

static void tell(const struct removal *r)
{
    const struct cli *cli = r->cli;
    if (cli_json(cli)) {
        json_t *o = json_pack("{s:o, s:b}", r->drains ? "removed" : "deleted", cli_text(r->id),
                              "nodeRemoved", (int)r->node_gone);
        if (r->drains) {
            json_object_set_new(o, "certsRevoked", json_integer((json_int_t)r->gone.certs));
            json_object_set_new(o, "tokensRevoked", json_integer((json_int_t)r->gone.tokens));
        }
        cli_print_json_own(o);
    } else {
        printf("core %s %s%s\n", r->id, r->drains ? "removed" : "deleted",
               r->node_gone ? ", its node is out of the database's cluster"
               : cli->config.storages.engine_rqlite && r->node == NULL
                   ? "; the database's cluster had no node of that name"
                   : "");
    }
    if (r->drains && !cli_json(cli)) {
        printf("revoked: %zu certificate%s, %zu token%s\n", r->gone.certs,
               r->gone.certs == 1 ? "" : "s", r->gone.tokens, r->gone.tokens == 1 ? "" : "s");
    }
    if (r->node_gone && r->node->reachable) {
        cli_warn(cli,
                 "%s still runs: stop dnsd on it; its data folder must be emptied before it may "
                 "join again",
                 r->id);
    }
    if (r->node_gone && r->node->voter && r->rest.voters == 2) {
        cli_warn(cli, "two voters are left, and the loss of either stops writes: add a third, or "
                      "make one a non-voter");
    }
    if (r->verdict == MEMBERS_LAST && r->node != NULL) {
        cli_warn(cli, "the node of %s stays: it is the database", r->id);
    }
}

static int take_out(struct cli *cli, bool drains)
{
    struct err_info info = {.text = ""};
    struct db_cores cores = {.count = 0};
    struct removal r = {.cli = cli, .force = (cli->args.given & ARGS_FORCE) != 0, .drains = drains};
    char label[WIRE_LABEL_MAX + 1] = "";
    int code = cli_open(cli, DB_READ);
    if (code != CLI_OK) {
        return code;
    }
    enum err e = db_cores_list(cli->db, &cores, &info);
    if (e != ERR_OK) {
        return cli_fail_store(cli, e, "%s", info.text);
    }
    r.row = cores_find(&cores, cli->words[0], label, &info);
    r.id = r.row != NULL ? r.row->id : label[0] != '\0' ? label : cli->words[0];
    r.can_be = r.row != NULL || label[0] != '\0';
    code = look_at_nodes(&r);
    if (code == CLI_OK) {
        code = check(&r);
    }
    if (code == CLI_OK && drains) {
        code = drain(&r);
    }
    if (code == CLI_OK) {
        code = carry_out(&r);
    }
    if (code == CLI_OK) {
        tell(&r);
        daemon_joining(cli);
    }
    members_free(&r.nodes);
    db_cores_free(&cores);
    return code;
}

int cores_delete(struct cli *cli)
{
    return take_out(cli, false);
}

int bootstrap_remove_core(struct cli *cli)
{
    return take_out(cli, true);
}
