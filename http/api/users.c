/* PUT and DELETE /system/admin/users/{username} */
#include "api_priv.h"

#include <stdio.h>
#include <string.h>

/* ---- PUT: a new user finds a core ---------------------------------------------------------- */

/*   place ─→ placed ──────────────→ home ─→ 201
 *     │  ─→ taken ────────────────→ home ─→ 409, with the core
 *     │  ─→ name ─→ 409
 *     └──── none: the core's id once more in lower case, then 404 or 503 */
struct put {
    struct api_job job;
    char label[WIRE_LABEL_MAX + 1]; /* the name */
    char row[USER_TOKEN_TEXT];      /* as rows have it */
    char wanted[BODY_CORE_MAX + 1]; /* the core asked for; "": any */
    bool folded;                    /* it is in lower case now */
    bool is_new;
    char core[STORE_KEY_MAX]; /* where the user is */
};

static void reply_put(struct put *p, const struct api_env *env, const struct store_core *core)
{
    struct http_request *r = p->job.request;
    json_t *where = api_core_json(env, p->core, core);
    if (p->is_new) {
        api_reply_own(r, 201,
                      json_pack("{s:{s:s, s:o}}", "user", "username", p->label, "core", where));
    } else {
        char message[sizeof p->label + 64];
        snprintf(message, sizeof message, "there is a user %s already", p->label);
        api_error_own(r, 409, "user-exists", "core", where, message);
    }
}

/* The user is where it is, whatever this read says: an error only leaves the URL unknown. */
static void on_home(void *ctx, enum err e, const struct err_info *info,
                    const struct store_user *user, const struct store_core *core)
{
    struct put *p = ctx;
    const struct api_env env = api_env_of(p->job.api);
    bool same = e == ERR_OK && core != NULL && strcmp(user->core, p->core) == 0;
    (void)info;
    reply_put(p, &env, same ? core : NULL);
    api_end(&p->job);
}

static void ask_home(struct put *p, const struct api_env *env, const struct store_user *user,
                     bool is_new)
{
    p->is_new = is_new;
    snprintf(p->core, sizeof p->core, "%s", user->core);
    if (env->store != NULL) {
        store_user_home(env->store, p->row, on_home, p);
    } else {
        reply_put(p, env, NULL);
        api_end(&p->job);
    }
}

static void place(struct put *p, const struct api_env *env);

static void on_none(struct put *p, const struct api_env *env)
{
    char lower[WIRE_LABEL_MAX + 1];
    struct http_request *r = p->job.request;
    if (p->wanted[0] != '\0' && !p->folded && names_label(p->wanted, lower, NULL) == ERR_OK &&
        strcmp(lower, p->wanted) != 0) {
        p->folded = true;
        snprintf(p->wanted, sizeof p->wanted, "%s", lower);
        if (api_has_store(&p->job, env)) {
            place(p, env);
            return;
        }
    } else if (p->wanted[0] != '\0') {
        api_error(r, 404, "unknown-core", "there is no core %s", p->wanted);
    } else {
        api_error(r, 503, "no-core-available", "no core takes new users now");
    }
    api_end(&p->job);
}

static void on_placed(void *ctx, enum err e, const struct err_info *info, enum store_placed how,
                      const struct store_user *user)
{
    struct put *p = ctx;
    const struct api_env env = api_env_of(p->job.api);
    if (e != ERR_OK) {
        api_store_error(&p->job, e, info, API_WRITE);
        api_end(&p->job);
    } else if (how == STORE_PLACED || how == STORE_PLACE_TAKEN) {
        ask_home(p, &env, user, how == STORE_PLACED);
    } else if (how == STORE_PLACE_NONE) {
        on_none(p, &env);
    } else {
        api_error(p->job.request, 409, "name-taken",
                  "%s is a core or has records: a user of that name would never be answered",
                  p->label);
        api_end(&p->job);
    }
}

static void place(struct put *p, const struct api_env *env)
{
    const struct store_place wish = {
        .name = p->row,
        .label = p->label,
        .core = p->wanted[0] != '\0' ? p->wanted : NULL,
    };
    store_user_place(env->store, &wish, on_placed, p);
}

/* What the name itself says: is it one, and does the configuration leave it free? False: answered. */
static bool may_be_called(struct put *p, const struct api_env *env)
{
    const struct names_rows none = {.record = false};
    struct err_info why = {.text = ""};
    struct wire_name owner;
    struct http_request *r = p->job.request;
    enum err e = names_label(http_request_param(r, "username"), p->label, &why);
    if (e == ERR_OK) {
        e = wire_name_from_text(p->label, api_apex(env), &owner, &why);
    }
    if (e != ERR_OK) {
        api_error(r, 400, "invalid-name", "%s", why.text);
    } else if (names_check(env->names, NAMES_USER, &owner, &none, &why) != ERR_OK) {
        api_error(r, 409, "name-reserved", "%s", why.text);
        e = ERR_CONFLICT;
    }
    return e == ERR_OK;
}

void api_users_put(void *ctx, struct http_request *r)
{
    struct body_problems problems = {.list = NULL};
    struct api_env env;
    char token[USER_TOKEN_TEXT];
    size_t len;
    struct put *p = api_admin(ctx, r) ? api_start(ctx, r, sizeof *p, &env) : NULL;
    if (p == NULL) {
        return;
    }
    const char *body = http_request_body(r, &len);
    if (!body_read_user(body, len, p->wanted, &problems)) {
        api_invalid_own(r, &problems);
        api_end(&p->job);
    } else if (!may_be_called(p, &env)) {
        api_end(&p->job);
    } else {
        snprintf(p->row, sizeof p->row, "%s", api_user_row(&env, p->label, token));
        place(p, &env);
    }
}

/* ---- DELETE -------------------------------------------------------------------------------- */

/* Rows that the name may mean, tried in turn: exactly as given (rows of other programs, tokens), as we
 * would write it, and where names are hashed a name in clear that should not be there. */
struct removal {
    struct api_job job;
    char given[HTTP_PARAM_MAX + 1];
    char label[WIRE_LABEL_MAX + 1];
    char token[USER_TOKEN_TEXT];
    const char *rows[3];
    size_t count, next;
};

static void add_row(struct removal *d, const char *row)
{
    if (row[0] == '\0' || !body_is_utf8(row)) { /* no row is called that */
        return;
    }
    for (size_t i = 0; i < d->count; i++) {
        if (strcmp(d->rows[i], row) == 0) {
            return;
        }
    }
    d->rows[d->count++] = row;
}

static void remove_next(struct removal *d, const struct api_env *env);

static void on_deleted(void *ctx, enum err e, const struct err_info *info)
{
    struct removal *d = ctx;
    const struct api_env env = api_env_of(d->job.api);
    if (e == ERR_NOTFOUND) {
        remove_next(d, &env);
    } else if (e != ERR_OK) {
        api_store_error(&d->job, e, info, API_WRITE);
        api_end(&d->job);
    } else {
        const char *row = d->rows[d->next - 1];
        const char *name = row == d->given ? d->given : d->label;
        api_reply_own(d->job.request, 200,
                      json_pack("{s:{s:o}}", "user", "username", body_text(name)));
        api_end(&d->job);
    }
}

static void remove_next(struct removal *d, const struct api_env *env)
{
    if (d->next == d->count) {
        api_error(d->job.request, 404, "unknown-user", "there is no user %s", d->given);
        api_end(&d->job);
    } else if (api_has_store(&d->job, env)) {
        store_user_delete(env->store, d->rows[d->next++], on_deleted, d);
    } else {
        api_end(&d->job);
    }
}

void api_users_delete(void *ctx, struct http_request *r)
{
    struct api_env env;
    uint8_t bytes[USER_TOKEN_LEN];
    struct removal *d = api_admin(ctx, r) ? api_start(ctx, r, sizeof *d, &env) : NULL;
    if (d == NULL) {
        return;
    }
    snprintf(d->given, sizeof d->given, "%s", http_request_param(r, "username"));
    if (env.user_key == NULL || user_token_from_text(d->given, bytes)) {
        add_row(d, d->given);
    }
    if (names_label(d->given, d->label, NULL) == ERR_OK) {
        add_row(d, api_user_row(&env, d->label, d->token));
    }
    add_row(d, d->given);
    remove_next(d, &env);
}
