#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "join_sys.h"
#include "lib/proc_uv.h"

static void usage(FILE *out)
{
    fputs(
        "usage: dnsd [-c FILE] [--check]\n"
        "       dnsd [-c FILE] --bootstrap BUNDLE --bootstrap-passphrase-file FILE\n"
        "            [--bootstrap-as-voter] [--bootstrap-ack-trust-system-ca]\n"
        "       dnsd --version | --help\n"
        "\n"
        "Answers DNS for one domain from the records of the platform's store.\n"
        "\n"
        "  -c, --config FILE   the configuration; else $DNSD_CONFIG, else /etc/dnsd/dnsd.yml\n"
        "      --check         read the configuration, say what is wrong with it, and exit\n"
        "      --version       print the version and exit\n"
        "\n"
        "To join a cluster with what `bootstrap new-core` has made on the core with the CA, and "
        "then\n"
        "start; once that is done the same command just starts:\n"
        "      --bootstrap BUNDLE\n"
        "                      the sealed bundle; deleted when the cluster has let this core in\n"
        "      --bootstrap-passphrase-file FILE\n"
        "                      its passphrase: one line, readable by the owner alone\n"
        "      --bootstrap-as-voter\n"
        "                      vote on the cluster's changes; else only follow them\n"
        "      --bootstrap-ack-trust-system-ca\n"
        "                      believe the ack URL if a public authority vouches for its host\n"
        "\n"
        "Runs in the foreground and logs to stderr. SIGHUP reads the configuration again, SIGTERM\n"
        "stops. Exit: 0 fine, 1 failed while running, 2 configuration or usage.\n",
        out);
}

static int check(const char *path)
{
    struct config config;
    struct config_problems problems = {.count = 0};
    enum err e = config_load(path, &config, &problems);
    if (problems.notes.text != NULL) {
        fputs(problems.notes.text, stderr);
    }
    if (e == ERR_OK) {
        printf("%s: no problems\n", config.path);
        config_free(&config);
    } else {
        fputs(problems.text.text != NULL ? problems.text.text : err_text(e), stderr);
        fprintf(stderr, "dnsd: %zu problem%s in the configuration\n", problems.count,
                problems.count == 1 ? "" : "s");
    }
    config_problems_free(&problems);
    return e == ERR_OK ? APP_EXIT_OK : APP_EXIT_CONFIG;
}

enum {
    OPT_CHECK = 256,
    OPT_VERSION,
    OPT_HELP,
    OPT_BUNDLE,
    OPT_PASSPHRASE,
    OPT_VOTER,
    OPT_SYSTEM_CA
};
static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"check", no_argument, NULL, OPT_CHECK},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {"bootstrap", required_argument, NULL, OPT_BUNDLE},
    {"bootstrap-passphrase-file", required_argument, NULL, OPT_PASSPHRASE},
    {"bootstrap-as-voter", no_argument, NULL, OPT_VOTER},
    {"bootstrap-ack-trust-system-ca", no_argument, NULL, OPT_SYSTEM_CA},
    {NULL, 0, NULL, 0}};

/* What is wrong with the options of --bootstrap; NULL: nothing. */
static const char *join_misuse(const struct join_options *o, bool check_only)
{
    if (o->bundle == NULL) {
        bool stray = o->passphrase != NULL || o->as_voter || o->trust_system_ca;
        return stray ? "the options --bootstrap-... need --bootstrap BUNDLE" : NULL;
    }
    if (o->passphrase == NULL) {
        return "--bootstrap needs --bootstrap-passphrase-file FILE";
    }
    return check_only ? "--check and --bootstrap do not go together" : NULL;
}

static int start(const struct join_options *o)
{
    int exit_code = o->bundle != NULL ? join_run(o) : APP_EXIT_OK;
    return exit_code == APP_EXIT_OK ? app_run(o->config) : exit_code;
}

int main(int argc, char **argv)
{
    struct join_options o = {.config = NULL};
    bool check_only = false;
    proc_child_main(argc, argv);
    for (int c; (c = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        switch (c) {
        case 'c':
            o.config = optarg;
            break;
        case OPT_CHECK:
            check_only = true;
            break;
        case OPT_BUNDLE:
            o.bundle = optarg;
            break;
        case OPT_PASSPHRASE:
            o.passphrase = optarg;
            break;
        case OPT_VOTER:
            o.as_voter = true;
            break;
        case OPT_SYSTEM_CA:
            o.trust_system_ca = true;
            break;
        case OPT_VERSION:
            puts("dnsd " DNSD_VERSION);
            return APP_EXIT_OK;
        case 'h':
        case OPT_HELP:
            usage(stdout);
            return APP_EXIT_OK;
        default:
            usage(stderr);
            return APP_EXIT_CONFIG;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "dnsd: unexpected argument %s\n", argv[optind]);
        usage(stderr);
        return APP_EXIT_CONFIG;
    }
    const char *misuse = join_misuse(&o, check_only);
    if (misuse != NULL) {
        fprintf(stderr, "dnsd: %s\n", misuse);
        return APP_EXIT_CONFIG;
    }
    return check_only ? check(o.config) : start(&o);
}
