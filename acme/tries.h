/* Whether a request to a CA that failed is worth another try, and after what pause: one rule for orders
 * and accounts. Pure.
 */
#ifndef ACME_TRIES_H
#define ACME_TRIES_H

#include <stdbool.h>

#include "problem.h"

#define TRIES_MAX      8
#define TRIES_FIRST_MS 1000
#define TRIES_PAUSE_MS 60000 /* the longest; what a CA wants longer is for the ledger */

/* What went wrong on the way, of a request (or any other operation) that ended with E and TEXT (NULL),
 * or was answered with ANSWER (NULL: no problem). False: nothing. A refusal on our side (another
 * origin, no trust) is ACME_DENIED, everything else without an answer ACME_AGAIN. */
bool tries_problem(enum err e, const char *text, const struct acme_problem *answer,
                   int64_t retry_ms, struct acme_problem *out);

/* *TRIES counts the failures of one request so far, this one not yet. False: that was the last. */
bool tries_again(unsigned *tries, const struct acme_problem *p, int64_t *wait_ms);

#endif
