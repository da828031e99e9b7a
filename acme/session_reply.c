/* What a CA's reply says in its header (RFC 8555 §6.5, §6.6, §7.4.2). */
#include <string.h>

#include "header.h"
#include "session_priv.h"

#define BASE64URL "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/* --- nonces ------------------------------------------------------------------------------- */

/* §6.5.1: what is not base64url must be ignored. */
static void keep_nonce(struct session *s, const char *nonce)
{
    size_t len = nonce != NULL ? strspn(nonce, BASE64URL) : 0;
    if (len == 0 || len >= sizeof s->nonce || nonce[len + strspn(nonce + len, " \t\r\n")] != '\0') {
        return;
    }
    memcpy(s->nonce, nonce, len);
    s->nonce[len] = '\0';
    s->nonce_ms = clk_mono_ms(s->clock);
}

bool session_nonce_take(struct session *s, char out[SESSION_NONCE_ROOM])
{
    bool fresh = s->nonce[0] != '\0' && clk_mono_ms(s->clock) - s->nonce_ms < SESSION_NONCE_MS;
    if (fresh) {
        memcpy(out, s->nonce, sizeof s->nonce);
    }
    s->nonce[0] = '\0';
    return fresh;
}

/* --- time --------------------------------------------------------------------------------- */

/* Whole seconds: half of one is what a Date lags on average. */
static int64_t ca_now_ms(const struct session *s, const struct httpc_reply *http)
{
    int64_t date_ms;
    return acme_http_date(httpc_reply_header(http, "Date"), &date_ms) ? date_ms + 500
                                                                      : clk_wall_ms(s->clock);
}

void session_saw(struct session *s, const struct httpc_reply *http)
{
    int64_t date_ms;
    keep_nonce(s, httpc_reply_header(http, "Replay-Nonce"));
    if (acme_http_date(httpc_reply_header(http, "Date"), &date_ms)) {
        s->skew_ms = date_ms + 500 - clk_wall_ms(s->clock);
    }
}

/* --- the rest ----------------------------------------------------------------------------- */

static void read_location(const struct session *s, const char *url, const struct httpc_reply *http,
                          struct session_reply *out)
{
    const char *value = httpc_reply_header(http, "Location");
    if (value == NULL || !acme_url_resolve(url, value, out->location, sizeof out->location) ||
        !acme_same_origin(s->url, out->location)) {
        out->location[0] = '\0';
    }
}

static void read_alternates(const struct session *s, const char *url, const char *link,
                            struct session_reply *out)
{
    for (size_t n = 0; n < SESSION_LINKS_MAX && out->alternates_count < SESSION_LINKS_MAX; n++) {
        char *to = out->alternates[out->alternates_count];
        if (!acme_link(link, "alternate", n, url, to, sizeof out->alternates[0])) {
            break;
        }
        out->alternates_count += acme_same_origin(s->url, to) ? 1 : 0;
    }
}

/* Where a human is to go; may be anywhere. */
static void read_help(const char *url, const char *link, struct acme_problem *out)
{
    static const char *const rels[] = {"help", "terms-of-service"};
    char target[ACME_HELP_URL_MAX];
    for (size_t i = 0; i < sizeof rels / sizeof rels[0]; i++) {
        if (acme_link(link, rels[i], 0, url, target, sizeof target)) {
            acme_problem_link(out, target);
        }
    }
}

void session_reply_read(const struct session *s, const char *url, const struct httpc_reply *http,
                        struct session_reply *out)
{
    bool fine = http->status >= 200 && http->status < 300;
    const char *link;
    *out = (struct session_reply){.status = http->status,
                                  .body = http->body,
                                  .len = http->len,
                                  .retry_ms = -1,
                                  .problem = {.class = ACME_FINE, .retry_ms = -1}};
    read_location(s, url, http, out);
    if (!acme_retry_after(httpc_reply_header(http, "Retry-After"), ca_now_ms(s, http),
                          &out->retry_ms)) {
        out->retry_ms = -1;
    }
    if (!fine) {
        acme_problem_read(http->status, http->body, http->len, &out->problem);
        out->problem.retry_ms = out->retry_ms;
    }
    for (size_t i = 0; (link = httpc_reply_header_at(http, "Link", i)) != NULL; i++) {
        if (fine) {
            read_alternates(s, url, link, out);
        } else {
            read_help(url, link, &out->problem);
        }
    }
}
