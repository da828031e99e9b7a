/* What the endpoints share. A request that the store is asked for is a job:
 *
 *   handler: api_admin() ─→ api_start() ─→ store_...(job)
 *   store's callback: api_env_of() ─→ the next question, or reply ─→ api_end()
 *
 * A job ends exactly once, after its reply; whether the client is still there makes no difference to
 * it.
 */
#ifndef HTTP_API_PRIV_H
#define HTTP_API_PRIV_H

#include <jansson.h>

#include "api.h"
#include "body.h"
#include "dnsd/zone/user.h"
#include "failures.h"
#include "lib/log.h"

struct api {
    struct api_daemon daemon;
    struct failures *failures;     /* owned: wrong admin keys */
    struct failures *ack_failures; /* owned: wrong tokens */
    size_t jobs;                   /* under way */
    unsigned acks;                 /* of these, cores that show their tokens */
    struct api_renewal *renewals;  /* borrowed: jobs that want a node's certificate (node_cert.c) */
    struct log_limit store_failed, locked_out, tokens_locked_out, token_refused, node_refused;
};

/* ---- jobs (job.c) --------------------------------------------------------------------------- */

/* The first member of a job's struct. */
struct api_job {
    struct api *api;              /* borrowed */
    struct http_request *request; /* borrowed until its reply */
};
/* Zeroed, of SIZE octets; *env is the daemon's, with a store. NULL: 503 was sent. */
void *api_start(struct api *a, struct http_request *r, size_t size, struct api_env *env);
/* Before a further question. False: there is no store any more, and 503 was sent. */
bool api_has_store(struct api_job *job, const struct api_env *env);
void api_end(struct api_job *job);

/* The daemon as it is now. */
struct api_env api_env_of(struct api *a);
int64_t api_wall_ms(const struct api *a);
int64_t api_mono_ms(const struct api *a);

/* ---- replies (reply.c) ---------------------------------------------------------------------- */

#define API_RETRY_S 2 /* Retry-After where waiting helps: longer than an election of the store's */

/* Takes BODY; NULL (no memory) is 500. */
void api_reply_own(struct http_request *r, unsigned status, json_t *body);
void api_error(struct http_request *r, unsigned status, const char *id, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* With a further member of "error". Takes VALUE. */
void api_error_own(struct http_request *r, unsigned status, const char *id, const char *member,
                   json_t *value, const char *message);
/* 400 with everything that is wrong, as ID; takes what is in P. */
#define API_INVALID_PARAMETERS "invalid-parameters"
#define API_INVALID_BODY       "invalid-body" /* as programs that join expect it */
void api_problems_own(struct http_request *r, const char *id, struct body_problems *p);
void api_invalid_own(struct http_request *r, struct body_problems *p); /* of the former */
/* What the store has ended a question of JOB with (not ERR_OK). */
enum api_kind { API_READ, API_WRITE };
void api_store_error(struct api_job *job, enum err e, const struct err_info *info,
                     enum api_kind kind);

/* {"id","url"}. CORE NULL: its row could not be read, or is gone; so where it is is not known. */
json_t *api_core_json(const struct api_env *env, const char *id, const struct store_core *core);
/* null: not known. */
json_t *api_url_json(const struct api_env *env, const struct store_core *core);

/* ---- who asks (auth.c) ---------------------------------------------------------------------- */

/* True: with the admin key. False: was answered with 401 or 429. */
bool api_admin(struct api *a, struct http_request *r);

/* ---- names (names.c) ------------------------------------------------------------------------ */

/* The domain; the root if there is none. */
const struct wire_name *api_apex(const struct api_env *env);
/* As user_row() does, with the daemon's key. */
const char *api_user_row(const struct api_env *env, const char *name, char token[USER_TOKEN_TEXT]);

/* ---- handlers: the ctx is struct api -------------------------------------------------------- */

http_handler api_cores_list, api_certs_list, api_certs_renew, api_certs_job, api_users_put,
    api_users_delete;
http_handler api_records_list, api_records_get, api_records_post, api_records_delete;
http_handler api_discovery_get, api_metrics_get, api_health_get, api_ready_get;
http_handler api_http01_get, api_http01_redirect;
http_handler api_cores_ack, api_node_cert;

#endif
