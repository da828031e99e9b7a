#include "join_sys.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app.h"
#include "cluster/ack.h"
#include "cluster/node_sys.h"
#include "config_bootstrap.h"
#include "config_join.h"
#include "join_priv.h"
#include "lib/clock.h"
#include "lib/jx.h"
#include "lib/mem.h"

struct join {
    const struct join_options *o; /* borrowed */
    char *text;                   /* owned: of the bundle; wiped */
    size_t len;
    char digest[JOIN_DIGEST];
    struct bundle bundle;
    char *tls_dir;        /* owned */
    json_t *object;       /* owned: what bootstrap-config.yml is to say */
    struct config config; /* with that */
    struct err_info info;
};

/* A bad bundle or configuration, or a machine in the wrong state: nothing that gets better by itself. */
static int exit_of(enum err e)
{
    return e == ERR_IO || e == ERR_NOMEM ? APP_EXIT_FAILED : APP_EXIT_CONFIG;
}

static int stop(struct join *j, int exit_code)
{
    LOG_ERROR("join", "cannot join", LOG_S("reason", j->info.text));
    return exit_code;
}

static void wipe(char *secret, size_t len)
{
    if (secret != NULL) {
        explicit_bzero(secret, len);
        free(secret);
    }
}

/* ---- a machine that has joined ----------------------------------------------------------------- */

/* With the bundle DIGEST; NULL: with any. */
static bool has_joined(struct join *j, const char *digest)
{
    struct join_done done;
    char *core = config_join_core(j->o->config);
    bool yes = core != NULL && join_done_read(j->tls_dir, &done, NULL) == ERR_OK &&
               strcmp(done.core, core) == 0 && (digest == NULL || strcmp(done.digest, digest) == 0);
    free(core);
    return yes;
}

/* It still has secrets in it, but they are what the configuration says, too: no reason not to start. */
static void delete_bundle(struct join *j)
{
    if (unlink(j->o->bundle) != 0 && errno != ENOENT) {
        LOG_WARN("join", "the bundle cannot be deleted; delete it by hand: there are secrets in it",
                 LOG_S("file", j->o->bundle), LOG_S("reason", strerror(errno)));
    }
}

/* ---- the steps --------------------------------------------------------------------------------- */

static int open_bundle(struct join *j)
{
    char *passphrase = NULL;
    enum err e = join_passphrase(j->o->passphrase, &passphrase, &j->info);
    if (e == ERR_OK) {
        e = bundle_open(j->text, j->len, passphrase, &j->bundle, &j->info);
        wipe(passphrase, strlen(passphrase));
        if (e == ERR_OK) {
            e = ack_check_url(j->bundle.cluster.ack_url, &j->info);
        }
        if (e == ERR_OK) {
            e = bundle_check(&j->bundle, clk_wall_ms(&clk_system), &j->info);
        }
        if (e != ERR_OK) {
            e = err_prefix(&j->info, e, "%s: ", j->o->bundle);
        }
    }
    return e == ERR_OK ? APP_EXIT_OK : stop(j, exit_of(e));
}

static int load_config(struct join *j)
{
    struct config_problems problems = {.count = 0};
    j->object = config_of_bundle(&j->bundle, j->tls_dir, j->o->as_voter);
    enum err e = config_load_with(j->o->config, j->object, &j->config, &problems);
    if (e == ERR_OK) {
        e = config_join_check(j->o->config, &j->bundle, &problems);
    }
    if (e != ERR_OK) {
        fputs(problems.text.text != NULL ? problems.text.text : err_text(e), stderr);
        fprintf(stderr, "dnsd: %zu problem%s in the configuration with this bundle\n",
                problems.count, problems.count == 1 ? "" : "s");
    }
    config_problems_free(&problems);
    if (e == ERR_OK) {
        log_setup(j->config.log.level, j->config.log.format);
    }
    return e == ERR_OK ? APP_EXIT_OK : APP_EXIT_CONFIG;
}

static int check_machine(struct join *j)
{
    char *generated = config_join_core(j->o->config);
    enum err e = join_is_free(&j->config, &j->bundle, generated, &j->info);
    free(generated);
    return e == ERR_OK ? APP_EXIT_OK : stop(j, exit_of(e));
}

static int place(struct join *j)
{
    const struct bundle *b = &j->bundle;
    const char *account = j->config.user;
    enum err e = node_place(j->config.cluster.tls_dir, account, b->cluster.ca_pem, b->node.cert_pem,
                            b->node.key_pem, false, &j->info);
    if (e != ERR_OK) {
        return stop(j, e == ERR_CONFLICT ? APP_EXIT_CONFIG : APP_EXIT_FAILED);
    }
    e = config_bootstrap_write(j->o->config, account, j->object, &j->info);
    if (e != ERR_OK) {
        return stop(j, e == ERR_MALFORMED ? APP_EXIT_CONFIG : APP_EXIT_FAILED);
    }
    return APP_EXIT_OK;
}

static int ack(struct join *j)
{
    struct join_done done = {.core = ""};
    char *ca = node_path_ca(j->config.cluster.tls_dir);
    LOG_INFO("join", "telling the issuer that this core is here",
             LOG_S("url", j->bundle.cluster.ack_url), LOG_S("core", j->bundle.node.id));
    enum err e = join_ack(&j->bundle, ca, j->o->trust_system_ca, &j->info);
    free(ca);
    if (e == ERR_OK) {
        snprintf(done.core, sizeof done.core, "%s", j->bundle.node.id);
        memcpy(done.digest, j->digest, sizeof done.digest);
        e = join_done_write(j->config.cluster.tls_dir, j->config.user, &done,
                            clk_wall_ms(&clk_system), &j->info);
    }
    if (e != ERR_OK) {
        return stop(j, APP_EXIT_FAILED);
    }
    delete_bundle(j);
    LOG_INFO("join", "joined", LOG_S("core", j->bundle.node.id));
    return APP_EXIT_OK;
}

static int join(struct join *j)
{
    static int (*const steps[])(struct join * j) = {open_bundle, load_config, check_machine, place,
                                                    ack};
    int exit_code = APP_EXIT_OK;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && exit_code == APP_EXIT_OK; i++) {
        exit_code = steps[i](j);
    }
    return exit_code;
}

static int run(struct join *j)
{
    enum err e = join_bundle(j->o->bundle, &j->text, &j->len, j->digest, &j->info);
    if (e == ERR_NOTFOUND && has_joined(j, NULL)) {
        LOG_INFO("join", "this machine has joined before, and the bundle is gone");
        return APP_EXIT_OK;
    }
    if (e != ERR_OK) {
        return stop(j, exit_of(e));
    }
    if (has_joined(j, j->digest)) {
        LOG_INFO("join", "this machine has joined before, with this bundle");
        delete_bundle(j);
        return APP_EXIT_OK;
    }
    return join(j);
}

int join_run(const struct join_options *options)
{
    struct join j = {.o = options};
    signal(SIGPIPE, SIG_IGN); /* a TLS connection that the peer has closed raises it */
    j.tls_dir = config_join_tls_dir(options->config);
    int exit_code = run(&j);
    wipe(j.text, j.len);
    bundle_free(&j.bundle);
    jx_wipe(j.object);
    config_free(&j.config);
    free(j.tls_dir);
    return exit_code;
}
