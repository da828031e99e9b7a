/* The zone beside a second implementation that is too simple to be wrong: lists of strings,
 * searched from end to end for every question, as RFC 1034 §4.3.2 and RFC 4592 §3.3 say it and as
 * zone.h orders the layers.
 *
 * zone_model_run() reads BYTES as operations (the first octet chooses the zone's options: whether
 * there is a wildcard, and whether users are hashed, which makes no difference), does each
 * to both, and after each commit asks both about every name there is, the names above, and some
 * below. Old snapshots are held on the way and asked again at the end. Aborts with a line on any
 * difference.
 */
#ifndef TESTS_ZONE_MODEL_H
#define TESTS_ZONE_MODEL_H

#include <stddef.h>
#include <stdint.h>

void zone_model_run(const uint8_t *bytes, size_t len);

#endif
