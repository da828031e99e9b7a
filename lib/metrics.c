#include "metrics.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <string.h>

/* A name of ours: [a-z_][a-z0-9_]*; Prometheus would take more. */
static bool is_name(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (!(*p == '_' || islower((unsigned char)*p) ||
              (p > text && isdigit((unsigned char)*p)))) {
            return false;
        }
    }
    return text[0] != '\0';
}

static void put_value(struct str *out, double value)
{
    if (isinf(value)) {
        str_append(out, value > 0 ? "+Inf" : "-Inf");
    } else if (isnan(value)) {
        str_append(out, "NaN");
    } else if (value > -1e15 && value < 1e15 && value == (double)(int64_t)value) {
        str_appendf(out, "%.0f", value); /* counters in full, not as 1e+06 */
    } else {
        str_appendf(out, "%.9g", value);
    }
}

static void put_label_value(struct str *out, const char *value)
{
    for (const char *p = value; *p != '\0'; p++) {
        if (*p == '\n') {
            str_append(out, "\\n");
        } else if (*p == '"' || *p == '\\') {
            str_append_n(out, (const char[]){'\\', *p}, 2);
        } else {
            str_append_n(out, p, 1);
        }
    }
}

/* LE: the bound of a histogram's bucket; NULL: none. */
static void put_labels(struct str *out, const struct metrics_label *labels, const double *le)
{
    const char *before = "{";
    for (; labels->name != NULL; labels++) {
        assert(is_name(labels->name));
        str_appendf(out, "%s%s=\"", before, labels->name);
        put_label_value(out, labels->value);
        str_append(out, "\"");
        before = ",";
    }
    if (le != NULL) {
        str_appendf(out, "%sle=\"", before);
        put_value(out, *le);
        str_append(out, "\"");
        before = ",";
    }
    if (before[0] == ',') {
        str_append(out, "}");
    }
}

static void put_sample(struct metrics_writer *w, const char *suffix, double value,
                       const struct metrics_label *labels, const double *le)
{
    assert(w->family != NULL);
    str_appendf(&w->text, "%s%s", w->family, suffix);
    put_labels(&w->text, labels, le);
    str_append(&w->text, " ");
    put_value(&w->text, value);
    str_append(&w->text, "\n");
}

void metrics_family(struct metrics_writer *w, const char *name, enum metrics_kind kind,
                    const char *help)
{
    static const char *const kinds[] = {[METRICS_COUNTER] = "counter",
                                        [METRICS_GAUGE] = "gauge",
                                        [METRICS_HISTOGRAM] = "histogram"};
    assert(is_name(name));
    assert(strpbrk(help, "\n\\") == NULL);
    w->family = name;
    str_appendf(&w->text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kinds[kind]);
}

void metrics_sample(struct metrics_writer *w, double value, const struct metrics_label *labels)
{
    put_sample(w, "", value, labels, NULL);
}

void metrics_histogram(struct metrics_writer *w, const double *bounds, size_t bounds_count,
                       const uint64_t *counts, double sum, const struct metrics_label *labels)
{
    const double infinite = INFINITY;
    uint64_t so_far = 0;
    for (size_t i = 0; i <= bounds_count; i++) {
        so_far += counts[i];
        put_sample(w, "_bucket", (double)so_far, labels, i < bounds_count ? &bounds[i] : &infinite);
    }
    put_sample(w, "_sum", sum, labels, NULL);
    put_sample(w, "_count", (double)so_far, labels, NULL);
}
