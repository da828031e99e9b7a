/* GET /metrics: what is counted, under the names of docs/METRICS.md. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app.h"

/* ---- the name server ------------------------------------------------------------------------- */

static unsigned workers_of(const struct app *a)
{
    return a->server != NULL && !a->server_closing ? net_server_workers(a->server) : 0;
}

/* The sum of one counter, at OFFSET of struct net_counters, over all workers. */
static uint64_t sum_of(const struct app *a, size_t offset)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < workers_of(a); i++) {
        const char *counters = (const char *)net_server_counters(a->server, i);
        sum += metrics_get((const _Atomic uint64_t *)(counters + offset));
    }
    return sum;
}
#define SUM(a, member) sum_of((a), offsetof(struct net_counters, member))

static size_t at_query(unsigned transport, unsigned type, unsigned rcode)
{
    return offsetof(struct net_counters, answer.queries) +
           sizeof(uint64_t) * ((transport * ANSWER_TYPES + type) * ANSWER_RCODES + rcode);
}

/* Combinations that never came are left out, but for the three that everybody draws. */
static void put_queries(const struct app *a, struct metrics_writer *w)
{
    metrics_family(w, "dnsd_queries_total", METRICS_COUNTER, "Queries answered.");
    for (unsigned t = 0; t < ANSWER_TRANSPORTS; t++) {
        for (unsigned q = 0; q < ANSWER_TYPES; q++) {
            for (unsigned r = 0; r < ANSWER_RCODES; r++) {
                uint64_t n = sum_of(a, at_query(t, q, r));
                if (n > 0 || (q == 0 && r == 0)) {
                    metrics_sample(w, (double)n,
                                   METRICS_LABELS({"transport", answer_transport_text(t)},
                                                  {"type", answer_type_text(q)},
                                                  {"rcode", answer_rcode_text(r)}));
                }
            }
        }
    }
}

static void put_latency(const struct app *a, struct metrics_writer *w)
{
    metrics_family(
        w, "dnsd_query_duration_seconds", METRICS_HISTOGRAM,
        "From a query's arrival to its answer's departure, the wait of its batch included.");
    for (unsigned t = 0; t < ANSWER_TRANSPORTS; t++) {
        uint64_t counts[NET_LATENCY_BUCKETS];
        size_t at = offsetof(struct net_counters, latency) + t * sizeof(struct net_latency);
        for (unsigned i = 0; i < NET_LATENCY_BUCKETS; i++) {
            counts[i] =
                sum_of(a, at + offsetof(struct net_latency, buckets) + i * sizeof(uint64_t));
        }
        double sum_s = (double)sum_of(a, at + offsetof(struct net_latency, sum_ns)) / 1e9;
        metrics_histogram(w, net_latency_bounds, NET_LATENCY_BOUNDS, counts, sum_s,
                          METRICS_LABELS({"transport", answer_transport_text(t)}));
    }
}

static void put_drops(const struct app *a, struct metrics_writer *w)
{
    static const char *const reasons[ANSWER_DROPS] = {
        [ANSWER_DROP_SHORT] = "short",
        [ANSWER_DROP_ANSWER] = "is_answer",
        [ANSWER_DROP_PORT_ZERO] = "port_zero",
        [ANSWER_DROP_SEND_FAILED] = "send_failed",
    };
    metrics_family(w, "dnsd_dropped_total", METRICS_COUNTER, "Messages without an answer.");
    for (unsigned i = 0; i < ANSWER_DROPS; i++) {
        uint64_t n =
            sum_of(a, offsetof(struct net_counters, answer.dropped) + i * sizeof(uint64_t));
        metrics_sample(w, (double)n, METRICS_LABELS({"reason", reasons[i]}));
    }
    metrics_family(w, "dnsd_truncated_total", METRICS_COUNTER,
                   "Answers that did not fit and sent the client to TCP.");
    metrics_sample(w, (double)SUM(a, answer.truncated), METRICS_NO_LABELS);
}

/* ---- connections ----------------------------------------------------------------------------- */

struct conns {
    const char *what; /* "dns_tcp", "dns_tls", "http" */
    uint64_t accepted, open, evicted, timed_out, refused;
};
#define CONNS 3

static struct conns dns_conns(const struct app *a, const char *what, unsigned transport)
{
    size_t at = offsetof(struct net_counters, conns) + transport * sizeof(struct net_conn_counters);
    return (struct conns){
        .what = what,
        .accepted = sum_of(a, at + offsetof(struct net_conn_counters, accepted)),
        .open = sum_of(a, at + offsetof(struct net_conn_counters, open)),
        .evicted = sum_of(a, at + offsetof(struct net_conn_counters, evicted)),
        .timed_out = sum_of(a, at + offsetof(struct net_conn_counters, timed_out)),
        .refused = sum_of(a, at + offsetof(struct net_conn_counters, refused)),
    };
}

static struct conns http_conns(const struct app *a)
{
    struct conns c = {.what = "http"};
    if (a->http != NULL) {
        const struct http_counters *h = http_server_counters(a->http);
        c.accepted = metrics_get(&h->accepted);
        c.open = metrics_get(&h->open);
        c.evicted = metrics_get(&h->evicted);
        c.timed_out = metrics_get(&h->timed_out);
        c.refused = metrics_get(&h->refused);
    }
    return c;
}

static void put_ends(struct metrics_writer *w, const struct conns *c)
{
    const struct {
        const char *reason;
        uint64_t n;
    } ends[] = {{"evicted", c->evicted}, {"timed_out", c->timed_out}, {"refused", c->refused}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        metrics_sample(w, (double)ends[i].n,
                       METRICS_LABELS({"listener", c->what}, {"reason", ends[i].reason}));
    }
}

static void put_connections(const struct app *a, struct metrics_writer *w)
{
    const struct conns conns[CONNS] = {dns_conns(a, "dns_tcp", ANSWER_TCP),
                                       dns_conns(a, "dns_tls", ANSWER_TLS), http_conns(a)};
    metrics_family(w, "dnsd_connections", METRICS_GAUGE, "Connections open now.");
    for (unsigned i = 0; i < CONNS; i++) {
        metrics_sample(w, (double)conns[i].open, METRICS_LABELS({"listener", conns[i].what}));
    }
    metrics_family(w, "dnsd_connections_accepted_total", METRICS_COUNTER, "Connections accepted.");
    for (unsigned i = 0; i < CONNS; i++) {
        metrics_sample(w, (double)conns[i].accepted, METRICS_LABELS({"listener", conns[i].what}));
    }
    metrics_family(w, "dnsd_connections_limited_total", METRICS_COUNTER,
                   "Connections ended or refused by a limit.");
    for (unsigned i = 0; i < CONNS; i++) {
        put_ends(w, &conns[i]);
    }
}

/* ---- TLS and certificates -------------------------------------------------------------------- */

static void put_handshakes_of(struct metrics_writer *w, const char *listener, uint64_t done,
                              uint64_t resumed, uint64_t failed)
{
    metrics_sample(w, (double)(done - resumed),
                   METRICS_LABELS({"listener", listener}, {"result", "full"}));
    metrics_sample(w, (double)resumed,
                   METRICS_LABELS({"listener", listener}, {"result", "resumed"}));
    metrics_sample(w, (double)failed, METRICS_LABELS({"listener", listener}, {"result", "failed"}));
}

static void put_handshakes(const struct app *a, struct metrics_writer *w)
{
    uint64_t done = SUM(a, tls.done[NET_TLS_1_2]) + SUM(a, tls.done[NET_TLS_1_3]);
    uint64_t resumed = SUM(a, tls.resumed[NET_TLS_1_2]) + SUM(a, tls.resumed[NET_TLS_1_3]);
    metrics_family(w, "dnsd_tls_handshakes_total", METRICS_COUNTER, "TLS handshakes.");
    put_handshakes_of(w, "dns_tls", done, resumed, SUM(a, tls.failed));
    if (a->http != NULL) {
        const struct http_counters *h = http_server_counters(a->http);
        put_handshakes_of(w, "http", metrics_get(&h->handshakes), metrics_get(&h->resumed),
                          metrics_get(&h->handshakes_failed));
    }
}

static void put_certificate(const struct app *a, struct metrics_writer *w)
{
    struct tls_slot_view v;
    if (a->tls == NULL) {
        return;
    }
    tls_slot_view(a->tls, &v);
    metrics_family(w, "dnsd_certificate_swaps_total", METRICS_COUNTER,
                   "Times that another certificate, or other ticket keys, came into use.");
    metrics_sample(w, (double)v.swaps, METRICS_NO_LABELS);
    metrics_family(w, "dnsd_certificate_problem", METRICS_GAUGE,
                   "1 if a newer certificate cannot be used; dnsctl status says why.");
    metrics_sample(w, v.problem[0] != '\0', METRICS_NO_LABELS);
    if (v.pair != NULL) {
        const struct metrics_label *labels = METRICS_LABELS(
            {"name", v.pair->names[0]}, {"source", v.source}, {"serial", v.pair->serial});
        metrics_family(w, "dnsd_certificate_not_after_seconds", METRICS_GAUGE,
                       "When the certificate shown expires, in seconds since 1970.");
        metrics_sample(w, (double)v.pair->not_after_ms / 1000, labels);
    }
}

/* ---- HTTP ------------------------------------------------------------------------------------ */

static void put_route(struct metrics_writer *w, const char *name,
                      const _Atomic uint64_t counts[HTTP_STATUSES])
{
    for (unsigned i = 0; i < HTTP_STATUSES; i++) {
        uint64_t n = metrics_get(&counts[i]);
        char status[16] = "other";
        if (n == 0) {
            continue;
        }
        if (i < HTTP_STATUSES - 1) {
            snprintf(status, sizeof status, "%u", http_statuses[i]);
        }
        metrics_sample(w, (double)n, METRICS_LABELS({"route", name}, {"status", status}));
    }
}

static void put_http(const struct app *a, struct metrics_writer *w)
{
    if (a->http == NULL) {
        return;
    }
    const struct http_counters *h = http_server_counters(a->http);
    const struct http_site sites[HTTP_SITES_MAX] = {api_site(a->api), api_challenge_site(a->api),
                                                    api_cluster_site(a->api)};
    static const char *const none[HTTP_SITES_MAX] = {"none", "challenge_none", "cluster_none"};
    metrics_family(w, "dnsd_http_requests_total", METRICS_COUNTER,
                   "Requests answered; route none: what no route was found for.");
    for (unsigned s = 0; s < HTTP_SITES_MAX; s++) {
        for (size_t r = 0; r < sites[s].count; r++) {
            put_route(w, sites[s].routes[r].name, h->requests[s][r]);
        }
        put_route(w, none[s], h->requests[s][HTTP_ROUTES_MAX]);
    }
}

/* ---- zone and store -------------------------------------------------------------------------- */

static void gauge(struct metrics_writer *w, const char *name, const char *help, double value)
{
    metrics_family(w, name, METRICS_GAUGE, help);
    metrics_sample(w, value, METRICS_NO_LABELS);
}

/* How many revisions the core that is furthest is ahead of this one, as far as is known here. */
static uint64_t lag_of(const struct app *a)
{
    uint64_t own = zone_revision(a->zone);
    uint64_t newest = own;
    for (size_t i = 0; i < a->peers.count; i++) {
        newest = a->peers.items[i].revision > newest ? a->peers.items[i].revision : newest;
    }
    return newest - own;
}

static unsigned live_cores(const struct app *a)
{
    unsigned n = 0;
    for (size_t i = 0; i < a->peers.count; i++) {
        n += a->peers.items[i].live;
    }
    return n;
}

static void put_zone(const struct app *a, struct metrics_writer *w)
{
    const struct zone_snapshot *s = zone_current(a->zone);
    int64_t age_ms = clk_wall_ms(&clk_system) - a->fresh_ms;
    gauge(w, "dnsd_zone_revision", "Revision of the rows that are answered from.",
          (double)s->revision);
    gauge(w, "dnsd_zone_serial", "Serial of the zone's SOA.", (double)s->serial);
    gauge(w, "dnsd_zone_users", "Users in the zone.", (double)s->users);
    gauge(w, "dnsd_zone_names", "Other names in the zone.", (double)s->names);
    gauge(w, "dnsd_zone_bytes", "Memory that the zone's names take.", (double)zone_bytes(a->zone));
    gauge(w, "dnsd_zone_loaded", "1 if the zone holds rows, of the store or of the snapshot file.",
          a->loaded);
    if (a->fresh_ms != 0) {
        gauge(w, "dnsd_snapshot_age_seconds",
              "Since the zone was last known to be as new as the store.",
              age_ms > 0 ? (double)age_ms / 1000 : 0);
    }
    zone_snapshot_unref(s);
}

static void put_store(const struct app *a, struct metrics_writer *w)
{
    gauge(w, "dnsd_store_up", "1 if the store is open and its last operation went well.",
          a->store != NULL && a->store_error[0] == '\0');
    gauge(w, "dnsd_store_stale", "1 if this node of rqlite is cut off from the others.", a->stale);
    gauge(w, "dnsd_store_lag_revisions",
          "Revisions that the core which is furthest is ahead of this one.", (double)lag_of(a));
    gauge(w, "dnsd_cores_live", "Cores whose heartbeat is heard.", live_cores(a));
}

/* ---- the process ----------------------------------------------------------------------------- */

/* Newer kernels tell the number in the folder's size. */
static double open_files(void)
{
    struct stat st;
    double n = 0;
    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0) {
        return (double)st.st_size;
    }
    DIR *d = opendir("/proc/self/fd");
    if (d == NULL) {
        return 0;
    }
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        n += e->d_name[0] != '.';
    }
    closedir(d);
    return n - 1; /* the folder itself is open */
}

/* Pages of memory: in all, and those that are resident. */
static void memory_pages(uint32_t *total, uint32_t *resident)
{
    char line[128];
    char *rest = NULL;
    FILE *f = fopen("/proc/self/statm", "re");
    *total = *resident = 0;
    if (f == NULL) {
        return;
    }
    if (fgets(line, sizeof line, f) != NULL) {
        const char *first = strtok_r(line, " ", &rest);
        const char *second = strtok_r(NULL, " ", &rest);
        if (second == NULL || !str_parse_u32(first, UINT32_MAX, total) ||
            !str_parse_u32(second, UINT32_MAX, resident)) {
            *total = *resident = 0;
        }
    }
    fclose(f);
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void put_process(const struct app *a, struct metrics_writer *w)
{
    struct rusage usage;
    struct rlimit files;
    uint32_t total;
    uint32_t resident;
    double page = (double)sysconf(_SC_PAGESIZE);
    memory_pages(&total, &resident);
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        metrics_family(w, "process_cpu_seconds_total", METRICS_COUNTER, "CPU time used.");
        metrics_sample(w, seconds(usage.ru_utime) + seconds(usage.ru_stime), METRICS_NO_LABELS);
    }
    gauge(w, "process_resident_memory_bytes", "Resident memory.", (double)resident * page);
    gauge(w, "process_virtual_memory_bytes", "Virtual memory.", (double)total * page);
    gauge(w, "process_open_fds", "Open file descriptors.", open_files());
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        gauge(w, "process_max_fds", "File descriptors that may be open.", (double)files.rlim_cur);
    }
    gauge(w, "process_start_time_seconds", "When the process started, in seconds since 1970.",
          (double)a->started_wall_ms / 1000);
}

void metrics_of(struct app *a, struct metrics_writer *w)
{
    metrics_family(w, "dnsd_info", METRICS_GAUGE, "What this is; always 1.");
    metrics_sample(w, 1, METRICS_LABELS({"version", DNSD_VERSION}, {"core", a->id}));
    put_queries(a, w);
    put_latency(a, w);
    put_drops(a, w);
    put_connections(a, w);
    put_handshakes(a, w);
    put_certificate(a, w);
    certs_metrics(a, w);
    cluster_metrics(a, w);
    put_http(a, w);
    put_zone(a, w);
    put_store(a, w);
    put_process(a, w);
}
