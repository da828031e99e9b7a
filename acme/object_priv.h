/* How the objects' members are read: what is needed, what may be missing. */
#ifndef ACME_OBJECT_PRIV_H
#define ACME_OBJECT_PRIV_H

#include "lib/jx.h"
#include "object.h"

/* jx_parse_object(), whose words quote what it could not read: made fit to be shown. */
enum err object_parse(const char *body, size_t len, json_t **out, struct err_info *info) MUST_USE;

/* Needed. */
enum err object_url(const json_t *object, const char *key, char out[ACME_URL_MAX],
                    struct err_info *info) MUST_USE;
enum err object_status(const json_t *object, enum acme_status *out, struct err_info *info) MUST_USE;

/* May be missing; what cannot be used is as if it were. */
void object_url_if(const json_t *object, const char *key, char out[ACME_URL_MAX]);
int64_t object_time_if(const json_t *object, const char *key); /* 0 */
bool object_problem_if(const json_t *object, struct acme_problem *out);

/* A host name as an identifier has it, in lower case. ERR_MALFORMED, ERR_LIMIT. */
enum err object_name(const char *text, char out[ACME_NAME_MAX], struct err_info *info) MUST_USE;

#endif
