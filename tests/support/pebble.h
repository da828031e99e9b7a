/* A real Pebble for a test: a CA with a memory that ends when it does. Started with a certificate made
 * on the spot, asked by nobody but the code under test, stopped. It dies with the test at the latest.
 */
#ifndef TESTS_SUPPORT_PEBBLE_H
#define TESTS_SUPPORT_PEBBLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The Pebbles that the tests are to be run with (DNSD_PEBBLES), oldest first, ended by a NULL, to be
 * freed. None is a failure. */
char **pebble_programs(void);

struct pebble_options {
    const char *program;   /* borrowed */
    unsigned nonce_reject; /* per cent of good nonces that are refused */
    unsigned authz_reuse;  /* per cent of valid authorizations that are used again */
    unsigned alternate_roots;
    const char *eab_kid, *eab_key; /* then nobody registers without */
    const char *profile;           /* its one profile; NULL: its own choice */
    const char *blocked;           /* a domain that it refuses; NULL: none */
    const char *caa;               /* its issuer domain name, for CAA; NULL: none (new ones only) */
    bool validates;                /* really; else everything is found valid */
};

struct pebble {
    char folder[64];
    char ca_file[80];
    char url[64]; /* of the directory */
    uint16_t port, management_port;
    pid_t pid; /* 0: not running */
};

/* Strict, without pauses. Returns once it answers. */
void pebble_start(struct pebble *p, const struct pebble_options *options);
/* Forgets everything; the URL stays. */
void pebble_restart(struct pebble *p, const struct pebble_options *options);
void pebble_stop(struct pebble *p); /* also what was never started */

#endif
