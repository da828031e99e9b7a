/* What problem.c and the objects share. */
#ifndef ACME_PROBLEM_PRIV_H
#define ACME_PROBLEM_PRIV_H

#include "lib/jx.h"
#include "problem.h"

/* A problem that was parsed already: OBJECT of a reply with STATUS; or, with STATUS 0, the `error` of
 * another object, which says its status itself. */
void acme_problem_take(const json_t *object, unsigned status, struct acme_problem *out);

#endif
