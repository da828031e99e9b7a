/* Prometheus text (exposition format 0.0.4): families, labels, samples, histograms.
 *
 * A writer appends to a growing text. metrics_family() opens a family (HELP and TYPE lines); the
 * samples after it are its own. Label values are escaped here; names are ours and asserted. Counters
 * end in _total, units are base units (seconds, bytes), as Prometheus' own checker wants.
 *
 *     metrics_family(&w, "dnsd_queries_total", METRICS_COUNTER, "Queries answered.");
 *     metrics_sample(&w, n, METRICS_LABELS({"transport", "udp"}, {"rcode", "NOERROR"}));
 *
 * Any thread, own objects. Out of memory aborts (lib/mem.h): what is written is bounded by what there
 * is to count.
 */
#ifndef LIB_METRICS_H
#define LIB_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

enum metrics_kind { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

struct metrics_label {
    const char *name; /* NULL: end of the list */
    const char *value;
};
#define METRICS_LABELS(...) ((const struct metrics_label[]){__VA_ARGS__, {NULL, NULL}})
#define METRICS_NO_LABELS   ((const struct metrics_label[]){{NULL, NULL}})

struct metrics_writer {
    struct str text;    /* owned: the caller frees it with str_free() */
    const char *family; /* borrowed */
};

void metrics_family(struct metrics_writer *w, const char *name, enum metrics_kind kind,
                    const char *help);
void metrics_sample(struct metrics_writer *w, double value, const struct metrics_label *labels);
/* COUNTS[i] observations were at most BOUNDS[i] (not counting those of smaller bounds); the last of
 * COUNTS, for which there is no bound, were larger than all. SUM in the family's unit. */
void metrics_histogram(struct metrics_writer *w, const double *bounds, size_t bounds_count,
                       const uint64_t *counts, double sum, const struct metrics_label *labels);

/* One writer, many readers: plain stores that no reader can see torn. */
static inline void metrics_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}
static inline uint64_t metrics_get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit((_Atomic uint64_t *)counter, memory_order_relaxed);
}

#endif
