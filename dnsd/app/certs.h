/* Certificates that are managed (letsEncrypt.enabled): brings the renewer, the store's rows, the files
 * and the listeners of this core together.
 *
 *   renewer (acme/renewer_uv) ── publisher ── zone, other cores
 *       │ tls-cert/<hostname>
 *   feed ──> row ──> cert/sync ──> files ──> TLS slot ──> own listeners looked at ──> heartbeat, hook
 *       └──> acme-account/... ──> CAA of the zone
 *
 * Threads: the control loop's. Without letsEncrypt.enabled there is no struct certs (a->certs is NULL) and
 * every function does nothing.
 */
#ifndef DNSD_APP_CERTS_H
#define DNSD_APP_CERTS_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/err.h"
#include "lib/metrics.h"
#include "lib/tls_context.h"

struct api_served;
struct app;

/* Blocks (boot): keys, the folder of certificates, the CA's trust. ERR_MALFORMED, ERR_DENIED, ERR_BUSY,
 * ...: INFO says what to change. */
enum err certs_open(struct app *a, struct err_info *info) MUST_USE;

/* The zone has the store's rows: from now on the store is used. May be called again. */
void certs_use_store(struct app *a);
/* The store is about to be closed. True: DONE will be called when nothing uses it any more. */
bool certs_leave_store(struct app *a, void (*done)(struct app *a));
/* KEY of the feed, one that is only named, has changed. */
void certs_changed(struct app *a, const char *key);
/* Everything was loaded anew. */
void certs_reread(struct app *a);
/* Puts what follows from the accounts into the zone; true: a commit is due. */
bool certs_apply(struct app *a);
/* The listeners show CONTEXT from now on. */
void certs_shown(struct app *a);
/* SIGHUP. */
void certs_look(struct app *a);
/* CLIENT has asked for the proof of TOKEN over HTTP. */
void certs_asked(struct app *a, const char *client, const char *token, unsigned status);
/* Somebody has asked for a certificate (store_job_ask()). */
void certs_wake(struct app *a);
/* True if it goes on and app_continue_stop() will be called. */
bool certs_stop(struct app *a);

/* What this core tells the others of its certificate, for its heartbeat; NULL: nothing. */
json_t *certs_beat(const struct app *a);
/* For status and metrics. */
json_t *certs_status(struct app *a);
void certs_metrics(struct app *a, struct metrics_writer *w);
/* Which core serves what, as this one has heard; texts borrowed until the loop turns. */
size_t certs_served(const struct app *a, struct api_served *out, size_t max);
/* What the row of this core's certificate is called; NULL: none is managed. */
const char *certs_hostname(const struct app *a);

#endif
