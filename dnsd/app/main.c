#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "lib/proc_uv.h"

static void usage(FILE *out)
{
    fputs(
        "usage: dnsd [-c FILE] [--check]\n"
        "       dnsd --version | --help\n"
        "\n"
        "Answers DNS for one domain from the records of the platform's store.\n"
        "\n"
        "  -c, --config FILE   the configuration; else $DNSD_CONFIG, else /etc/dnsd/dnsd.yml\n"
        "      --check         read the configuration, say what is wrong with it, and exit\n"
        "      --version       print the version and exit\n"
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

int main(int argc, char **argv)
{
    enum { OPT_CHECK = 256, OPT_VERSION, OPT_HELP };
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"check", no_argument, NULL, OPT_CHECK},
                                            {"version", no_argument, NULL, OPT_VERSION},
                                            {"help", no_argument, NULL, OPT_HELP},
                                            {NULL, 0, NULL, 0}};
    const char *path = NULL;
    bool check_only = false;
    proc_child_main(argc, argv);
    for (int c; (c = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        switch (c) {
        case 'c':
            path = optarg;
            break;
        case OPT_CHECK:
            check_only = true;
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
    return check_only ? check(path) : app_run(path);
}
