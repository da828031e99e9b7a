/* A bundle with everything in it, whose certificates are real. */
#ifndef TESTS_BUNDLE_FIXTURE_H
#define TESTS_BUNDLE_FIXTURE_H

#include "cluster/bundle.h"

#define BUNDLE_FIXTURE_NOW_MS INT64_C(1780000000250) /* 2026-05-28; issued now, for an hour */
#define BUNDLE_FIXTURE_PHRASE "0123-4567-89AB-CDEF-GHJK-MNPQ"

/* To be freed with bundle_free(). */
void bundle_fixture(struct bundle *out);
/* The node's certificate anew: by another authority (*ca_pem is to be freed) or by B's (NULL), for ID. */
void bundle_fixture_node(struct bundle *b, const char *id, char **ca_pem);

/* In our armour, at scrypt's lowest cost, whatever TEXT is. To be freed. */
char *bundle_fixture_seal(const void *text, size_t len);
/* The same of a bundle. */
char *bundle_fixture_text(const struct bundle *b);

/* Each member is the same (but for the version). */
void bundle_fixture_same(const struct bundle *a, const struct bundle *b);

#endif
