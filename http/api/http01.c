/* The challenge port: GET /.well-known/acme-challenge/{token} (RFC 8555 §8.3); everything else is sent
 * to https. */
#include "api_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/str.h"
#include "url.h"

#define TOKEN_MAX 128 /* octets; a CA's have 43 (RFC 8555 §8.3: at least 128 bits) */

struct find {
    struct api_job job;
    char token[TOKEN_MAX + 1];
};

static void not_found(struct http_request *r)
{
    api_error(r, 404, "unknown-token", "no challenge of that token is open");
}

static void answer(struct http_request *r, const char *token, const struct store_http01 *h)
{
    bool any = strcmp(h->token, "*") == 0;
    size_t room = strlen(token) + strlen(h->value) + 2;
    char *text = malloc(room);
    if (text == NULL) {
        http_reply_error(r, 503, "unavailable", API_RETRY_S, "no memory; try again");
        return;
    }
    snprintf(text, room, "%s%s%s", any ? token : "", any ? "." : "", h->value);
    http_reply(r, &(struct http_reply){
                      .status = 200, .type = "text/plain", .body = text, .len = strlen(text)});
    free(text);
}

/* Who asked and what was said: the CA does not tell when a validation fails. */
static void note(const struct find *f, unsigned status)
{
    const struct api_daemon *d = &f->job.api->daemon;
    if (d->challenge != NULL) {
        d->challenge(d->ctx, http_request_peer(f->job.request), f->token, status);
    }
}

static void on_found(void *ctx, enum err e, const struct err_info *info,
                     const struct store_http01 *h)
{
    struct find *f = ctx;
    note(f, e == ERR_OK ? 200 : e == ERR_NOTFOUND ? 404 : 503);
    if (e == ERR_OK) {
        answer(f->job.request, f->token, h);
    } else if (e == ERR_NOTFOUND) {
        not_found(f->job.request);
    } else {
        api_store_error(&f->job, e, info, API_READ);
    }
    api_end(&f->job);
}

/* Of the base64url alphabet (RFC 8555 §8.3, RFC 4648 §5); so never "*". */
static bool is_token(const char *text)
{
    size_t len = strnlen(text, TOKEN_MAX + 1);
    return len > 0 && len <= TOKEN_MAX &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

void api_http01_get(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct api_env env;
    const char *token = http_request_param(r, "token");
    if (!is_token(token)) {
        not_found(r);
        return;
    }
    struct find *f = api_start(a, r, sizeof *f, &env);
    if (f != NULL) {
        snprintf(f->token, sizeof f->token, "%s", token);
        store_http01_find(env.store, f->token, api_wall_ms(a), on_found, f);
    }
}

/* ---- everything else ----------------------------------------------------------------------- */

static void send_away(struct http_request *r, const char *location)
{
    const struct http_header header = {"location", location};
    const char *method = http_request_method(r);
    bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    /* 301 is known to every client, but lets it make a GET of the rest; 308 does not (RFC 9110
     * §15.4.2, §15.4.9). Neither may be kept: the port is the operator's to change. */
    http_reply(r, &(struct http_reply){.status = reads ? 301 : 308,
                                       .type = "text/plain",
                                       .body = "",
                                       .headers = &header,
                                       .headers_count = 1});
}

void api_http01_redirect(void *ctx, struct http_request *r)
{
    const struct api_env env = api_env_of(ctx);
    const struct url_hosts hosts = {
        .domain = env.domain,
        .urls = {env.public_url, env.core_url},
        .addresses = {env.core_ip, env.core_ipv6},
    };
    const char *host = http_request_host(r);
    const char *target = http_request_target(r);
    size_t room = URL_HOST_MAX + strlen(target) + sizeof "https://:65535";
    struct err_info why = {.text = ""};
    if (env.https_port == 0) {
        api_error(r, 404, "not-found", "there is nothing but ACME challenges here");
        return;
    }
    char *location = malloc(room);
    enum err e = location == NULL ? ERR_NOMEM
                                  : url_redirect(&hosts, env.https_port, host != NULL ? host : "",
                                                 target, location, room, &why);
    if (e == ERR_OK) {
        send_away(r, location);
    } else if (e == ERR_DENIED) {
        api_error(r, 421, "misdirected", "%s", why.text); /* RFC 9110 §15.5.20 */
    } else if (e == ERR_NOMEM) {
        http_reply_error(r, 503, "unavailable", API_RETRY_S, "no memory; try again");
    } else {
        api_error(r, 400, "bad-request", "%s", why.text);
    }
    free(location);
}
