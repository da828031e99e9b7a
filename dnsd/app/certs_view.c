/* Certificates as status, metrics and heartbeats have them. */
#include <string.h>

#include "certs_priv.h"

static json_t *time_or_null(int64_t time_ms)
{
    return time_ms != 0 ? json_integer((json_int_t)time_ms) : json_null();
}

static json_t *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

json_t *certs_beat(const struct app *a)
{
    const struct certs *c = a->certs;
    if (c == NULL) {
        return NULL;
    }
    json_t *keys = json_array();
    for (size_t i = 0; i < cert_vault_keys(c->vault); i++) {
        json_array_append_new(keys, json_string(cert_vault_key_id(c->vault, i)));
    }
    return json_pack("{s:i, s:I, s:s, s:s, s:o}", "rank", (int)certs_rank(c), "generation",
                     (json_int_t)c->served_generation, "serial", c->served_serial, "hostname",
                     c->cert.hostname, "keys", keys);
}

size_t certs_served(const struct app *a, struct api_served *out, size_t max)
{
    size_t n = 0;
    if (a->certs == NULL || max == 0) {
        return 0;
    }
    out[n++] = (struct api_served){.core = a->id,
                                   .live = true,
                                   .generation = a->certs->served_generation,
                                   .serial = a->certs->served_serial};
    for (size_t i = 0; i < a->peers.count && n < max; i++) {
        const struct peer *p = &a->peers.items[i];
        if (strcmp(p->id, a->id) != 0) {
            out[n++] = (struct api_served){
                .core = p->id, .live = p->live, .generation = p->generation, .serial = p->serial};
        }
    }
    return n;
}

/* ---- status ------------------------------------------------------------------------------------ */

static json_t *plan_json(const struct plan *p)
{
    if (p->text[0] == '\0') {
        return json_null();
    }
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:i, s:i, s:i, s:i}", "what",
                     p->what == PLAN_ORDER ? "order" : "wait", "why", plan_why_text(p->why), "text",
                     p->text, "at", time_or_null(p->at_ms), "renewAt", time_or_null(p->renew_ms),
                     "failures", (int)p->failures, "ordersLeft", (int)p->orders_left, "certsLeft",
                     (int)p->certs_left, "authorizationsLeft", (int)p->authz_left);
}

static json_t *files_json(const struct certs *c)
{
    struct cert_sync_view v;
    cert_sync_view(c->sync, &v);
    json_t *hook = json_null();
    if (v.hook.at_ms != 0) {
        hook = json_pack("{s:I, s:I, s:i, s:I, s:o}", "at", (json_int_t)v.hook.at_ms, "status",
                         (json_int_t)v.hook.status, "tries", (int)v.hook.tries, "failures",
                         (json_int_t)v.hook.failures, "text", text_or_null(v.hook.text));
    }
    return json_pack("{s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "generation",
                     (json_int_t)v.generation, "certPath", v.cert_path, "keyPath", v.key_path,
                     "writtenAt", time_or_null(v.written_ms), "step", text_or_null(v.step),
                     "problem", text_or_null(v.problem), "missingKey", text_or_null(v.key_id),
                     "hook", hook);
}

static json_t *served_json(const struct certs *c)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o}", "generation", (json_int_t)c->served_generation,
                     "serial", text_or_null(c->served_serial), "sha256", text_or_null(c->served),
                     "since", time_or_null(c->served_ms), "problem",
                     text_or_null(c->served_problem));
}

static json_t *renewer_json(const struct certs *c)
{
    struct renewer_view v;
    renewer_view(c->renewer, &v);
    json_t *order = json_null();
    json_t *last = json_null();
    json_t *ari = json_null();
    if (v.state[0] != '\0') {
        order = json_pack("{s:s, s:s, s:o}", "state", v.state, "text", v.step_text, "since",
                          time_or_null(v.step_ms));
    }
    if (v.problem[0] != '\0') {
        last = json_pack("{s:s, s:s}", "type", v.problem_type, "text", v.problem);
    }
    if (v.renewal.ari_end_ms != 0) {
        ari =
            json_pack("{s:I, s:I, s:o, s:o}", "start", (json_int_t)v.renewal.ari_start_ms, "end",
                      (json_int_t)v.renewal.ari_end_ms, "next", time_or_null(v.renewal.ari_next_ms),
                      "explanation", text_or_null(v.renewal.explanation));
    }
    return json_pack("{s:{s:b, s:s, s:I}, s:o, s:o, s:o, s:o, s:o, s:I}", "lease", "held",
                     (int)v.holds, "holder", v.holder, "term", (json_int_t)v.term, "plan",
                     plan_json(&v.plan), "order", order, "problem", last, "renewalInfo", ari,
                     "lastSuccess", time_or_null(v.last_ok_ms), "clockSkewMs",
                     (json_int_t)v.skew_ms);
}

json_t *certs_status(struct app *a)
{
    const struct certs *c = a->certs;
    static const char *const methods[] = {[CONFIG_PROOF_DNS] = "dns-01",
                                          [CONFIG_PROOF_HTTP] = "http-01",
                                          [CONFIG_PROOF_ALPN] = "tls-alpn-01"};
    if (c == NULL || c->renewer == NULL || c->stopping) {
        return json_null();
    }
    json_t *o = renewer_json(c);
    json_t *keys = json_array();
    for (size_t i = 0; i < cert_vault_keys(c->vault); i++) {
        json_array_append_new(keys, json_string(cert_vault_key_id(c->vault, i)));
    }
    json_object_set_new(o, "hostname", json_string(c->cert.hostname));
    json_object_set_new(o, "challenge", json_string(methods[c->cert.proof]));
    json_object_set_new(o, "directory", json_string(config_directory(&a->config)));
    json_object_set_new(o, "keys", keys);
    json_object_set_new(o, "files", files_json(c));
    json_object_set_new(o, "served", served_json(c));
    json_object_set_new(o, "alarm", json_integer(c->alarm));
    return o;
}

/* ---- metrics ----------------------------------------------------------------------------------- */

static void gauge(struct metrics_writer *w, const char *name, const char *help, double value,
                  const char *hostname)
{
    metrics_family(w, name, METRICS_GAUGE, help);
    metrics_sample(w, value, METRICS_LABELS({"hostname", hostname}));
}

static void counter(struct metrics_writer *w, const char *name, const char *help, uint64_t value)
{
    metrics_family(w, name, METRICS_COUNTER, help);
    metrics_sample(w, (double)value, METRICS_NO_LABELS);
}

static double seconds(int64_t time_ms)
{
    return (double)time_ms / 1000;
}

static void put_certificate(const struct certs *c, const struct renewer_view *v,
                            struct metrics_writer *w)
{
    struct tls_slot_view slot = {.pair = NULL};
    const char *name = c->cert.hostname;
    if (c->app->tls != NULL && !c->app->tls_closing) {
        tls_slot_view(c->app->tls, &slot);
    }
    bool ours = slot.pair != NULL && strcmp(slot.source, "managed") == 0;
    gauge(w, "acme_cert_not_before_seconds",
          "Begin of the certificate's validity; 0: there is none.",
          ours ? seconds(slot.pair->not_before_ms) : 0, name);
    gauge(w, "acme_cert_not_after_seconds", "End of the certificate's validity; 0: there is none.",
          ours ? seconds(slot.pair->not_after_ms) : 0, name);
    gauge(w, "acme_cert_renew_at_seconds", "When it is to be renewed; 0: not known on this core.",
          seconds(v->plan.renew_ms), name);
    gauge(w, "acme_cert_ari_window_start_seconds", "Begin of the window the CA suggests; 0: none.",
          seconds(v->renewal.ari_start_ms), name);
    gauge(w, "acme_cert_ari_window_end_seconds", "End of the window the CA suggests; 0: none.",
          seconds(v->renewal.ari_end_ms), name);
    gauge(w, "acme_cert_serving_mismatch",
          "1: the listeners of this core do not show the certificate that they should.",
          c->wanted[0] != '\0' && strcmp(c->wanted, c->served) != 0 ? 1
                                                                    : c->served_problem[0] != '\0',
          name);
}

static void put_orders(const struct renewer_view *v, struct metrics_writer *w)
{
    metrics_family(w, "acme_orders_total", METRICS_COUNTER,
                   "Orders that ended, by result and by what the CA called the problem.");
    metrics_sample(w, (double)v->counts.orders_ok,
                   METRICS_LABELS({"result", "ok"}, {"problem", ""}));
    for (size_t i = 0; i < v->counts.failures_count; i++) {
        const struct renewer_failure *f = &v->counts.failures[i];
        metrics_sample(w, (double)f->count,
                       METRICS_LABELS({"result", "failed"}, {"problem", f->type}));
    }
}

static void put_challenges(const struct certs *c, const struct renewer_view *v,
                           struct metrics_writer *w)
{
    static const char *const types[] = {[CONFIG_PROOF_DNS] = "dns-01",
                                        [CONFIG_PROOF_HTTP] = "http-01",
                                        [CONFIG_PROOF_ALPN] = "tls-alpn-01"};
    const char *type = types[c->cert.proof];
    metrics_family(w, "acme_challenge_total", METRICS_COUNTER, "Validations that ended.");
    metrics_sample(w, (double)v->counts.challenges_ok,
                   METRICS_LABELS({"type", type}, {"result", "ok"}));
    metrics_sample(w, (double)v->counts.challenges_failed,
                   METRICS_LABELS({"type", type}, {"result", "failed"}));
}

static void put_limits(const struct renewer_view *v, struct metrics_writer *w)
{
    metrics_family(w, "acme_ratelimit_remaining", METRICS_GAUGE,
                   "What the ledger leaves of our own budgets, as of the last decision.");
    metrics_sample(w, v->plan.certs_left, METRICS_LABELS({"limit", "certificates_per_week"}));
    metrics_sample(w, v->plan.authz_left,
                   METRICS_LABELS({"limit", "failed_authorizations_per_hour"}));
    metrics_sample(w, v->plan.orders_left, METRICS_LABELS({"limit", "orders_now"}));
}

void certs_metrics(struct app *a, struct metrics_writer *w)
{
    const struct certs *c = a->certs;
    struct renewer_view v;
    struct cert_sync_view files;
    if (c == NULL || c->renewer == NULL || c->stopping) {
        return;
    }
    renewer_view(c->renewer, &v);
    cert_sync_view(c->sync, &files);
    put_certificate(c, &v, w);
    put_orders(&v, w);
    put_challenges(c, &v, w);
    put_limits(&v, w);
    gauge(w, "acme_propagation_seconds",
          "How long the last proof took to be served everywhere; 0: none yet.",
          v.propagation_ms >= 0 ? seconds(v.propagation_ms) : 0, c->cert.hostname);
    gauge(w, "acme_lease_term", "Term of the lease to order, as this core last saw it.",
          (double)v.term, c->cert.hostname);
    gauge(w, "acme_lease_is_holder", "1: this core has the lease.", v.holds, c->cert.hostname);
    gauge(w, "acme_last_success_seconds",
          "When this core last got a certificate; 0: not since its start.", seconds(v.last_ok_ms),
          c->cert.hostname);
    counter(w, "acme_hook_failures_total", "Runs of onRotateScript that failed.",
            files.hook.failures);
    counter(w, "acme_decrypt_failures_total", "Sealed keys that could not be opened.",
            cert_vault_failures(c->vault));
}
