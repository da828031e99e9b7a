/* dnsctl bootstrap promote-core: a node that only follows is to vote.
 *
 * rqlite has no such command: a node is what it said when it joined. So it is taken out here, and comes in
 * again as a voter by what the operator does on that core. Between the two the cluster is as safe as before:
 * a node without a vote does not count.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "cores.h"
#include "db_join.h"
#include "lib/clock.h"
#include "nodes.h"
#include "promotion.h"

#define BEHIND_WAIT_MS 15000 /* three heartbeats */
#define BEHIND_LOOK_MS 250

/* What it has told of its zone is as far as we are now: a heartbeat may be a few seconds old, so this waits. */
static int wait_until_caught_up(struct cli *cli, const char *id)
{
    struct err_info info = {.text = ""};
    struct store_state state;
    uint64_t there = 0;
    int64_t until_ms = clk_mono_ms(&clk_system) + BEHIND_WAIT_MS;
    enum err e = db_state(cli->db, &state, &info);
    while (e == ERR_OK) {
        e = db_beat_revision(cli->db, id, &there, &info);
        if (e == ERR_NOTFOUND) {
            return cli_fail(cli,
                            "core %s has never told how far it is: does dnsd run there? --force "
                            "promotes it though it may be behind",
                            id);
        }
        if (e == ERR_OK && there >= state.revision) {
            return CLI_OK;
        }
        if (e == ERR_OK && clk_mono_ms(&clk_system) >= until_ms) {
            return cli_fail(cli,
                            "core %s is behind: it has revision %" PRIu64 " of %" PRIu64
                            "; wait until it has caught up, or --force",
                            id, there, state.revision);
        }
        nanosleep(&(struct timespec){.tv_nsec = BEHIND_LOOK_MS * 1000000L}, NULL);
    }
    return cli_fail_store(cli, e, "the store: %s", info.text);
}

static int refuse(const struct cli *cli, const char *id, enum promotion verdict)
{
    switch (verdict) {
    case PROMOTION_ABSENT:
        return cli_nothing(cli, "the database's cluster has no node %s", id);
    case PROMOTION_VOTER:
        return cli_fail(cli, "core %s votes already", id);
    case PROMOTION_NO_QUORUM:
        return cli_fail_store(cli, ERR_UNAVAIL,
                              "core %s: no quorum: too few voters answer, so that nothing can be "
                              "changed",
                              id);
    case PROMOTION_UNREACHABLE:
        return cli_fail(cli, "core %s does not answer; start it, or --force", id);
    case PROMOTION_TWO:
        return cli_fail(
            cli,
            "core %s would be the second voter, and two are worse than one: the loss of "
            "either stops writes. With a third to follow at once: --force",
            id);
    case PROMOTION_FINE:
        break;
    }
    return CLI_OK;
}

static void print_steps(const struct cli *cli, const char *id)
{
    if (cli_json(cli)) {
        cli_print_json_own(json_pack("{s:o, s:b}", "promoting", cli_text(id), "nodeRemoved", 1));
        return;
    }
    printf("core %s: its node is out of the database's cluster, to come in again as a voter.\n"
           "Now, on %s:\n"
           "  1. stop dnsd\n"
           "  2. in its override-config.yml: core.nonVoter: false (that stands above what "
           "bootstrap-config.yml has)\n"
           "  3. empty storages.engines.rqlite.dataDir: a node that was taken out must not come "
           "back with its old log\n"
           "  4. start dnsd; dnsctl status here shows it as a voter\n",
           id, id);
}

static int take_out(struct cli *cli, const char *id)
{
    struct err_info info = {.text = ""};
    enum err e = nodes_remove(&cli->config, id, &info);
    if (e == ERR_TIMEOUT) {
        cli_fail(cli, "core %s: whether its node was taken out is not known: %s; do it again", id,
                 info.text);
        return CLI_UNAVAIL;
    }
    if (e != ERR_OK) {
        return cli_fail_store(cli, e, "core %s: its node stays as it is: %s", id, info.text);
    }
    print_steps(cli, id);
    return CLI_OK;
}

int bootstrap_promote_core(struct cli *cli)
{
    struct err_info info = {.text = ""};
    struct members nodes = {.count = 0};
    const char *id = cli->words[0];
    bool force = (cli->args.given & ARGS_FORCE) != 0;
    if (!cli->config.storages.engine_rqlite) {
        return cli_fail(cli, "with SQLite there is no cluster of the database, and nobody votes");
    }
    int code = cli_open(cli, DB_READ);
    if (code != CLI_OK) {
        return code;
    }
    enum err e = nodes_list(&cli->config, &nodes, &info);
    if (e != ERR_OK) {
        return cli_fail_store(cli, e, "core %s: %s", id, info.text);
    }
    code = refuse(cli, id, promotion_judge(&nodes, id, force));
    members_free(&nodes);
    if (code == CLI_OK && !force) {
        code = wait_until_caught_up(cli, id);
    }
    return code == CLI_OK ? take_out(cli, id) : code;
}
