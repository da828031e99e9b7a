/* `dnsd --bootstrap BUNDLE --bootstrap-passphrase-file FILE`: this machine becomes the core that the bundle is
 * for, and starts. docs/design/0006-joining.md.
 *
 * Each step leaves a state from which the same command goes on, also after kill -9 or a power cut:
 *
 *   what is done                           what is there then
 *   ------------------------------------   -----------------------------------------------------------------
 *   bundle opened and checked, compared    nothing new
 *     with the operator's files
 *   TLS material placed                    tlsDir: nothing reads it without a configuration that says so
 *   bootstrap-config.yml written           a configured core that the issuer has not heard: all is done again
 *   ack, tried until it is heard           the same here; the issuer knows, and takes the same ack again
 *   <tlsDir>/joined written                joined with this bundle: it is neither opened nor sent again
 *   bundle deleted                         joined; without a bundle the command is `dnsd` alone
 *   start
 *
 * Refused before anything is written: material of another core or CA in tlsDir, a database in rqlite's dataDir
 * that is not of this core. The operator's files are never written.
 *
 * Blocks, on the one thread that there is: before app_run(). What is wrong is told on stderr (configuration) or
 * logged, in one line each.
 */
#ifndef DNSD_APP_JOIN_SYS_H
#define DNSD_APP_JOIN_SYS_H

#include <stdbool.h>

struct join_options {
    const char *config; /* as for config_load() */
    const char *bundle; /* files */
    const char *passphrase;
    bool as_voter;
    bool trust_system_ca; /* for the ack: instead of what the bundle says */
};

/* APP_EXIT_OK: it is a member, go on. APP_EXIT_CONFIG: usage, configuration, bundle, passphrase, or a member
 * of something else. APP_EXIT_FAILED: a file could not be written, or the issuer was not heard. */
int join_run(const struct join_options *options);

#endif
