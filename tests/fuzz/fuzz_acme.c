/* What a CA sends: objects, problem documents, headers. What is accepted must be sound, what is shown must
 * be fit to be shown, what is refused must say why.
 *
 * The first octet chooses: 'p' STATUS/2 a problem document, 'd' a directory, 'o' an order, 'a' an
 * authorization, 'c' a challenge, 'r' renewal information, 'n' an account, 'l' a Link header, 't' a
 * Retry-After, 'h' a time, 'u' BASE line feed REFERENCE, 'x' text to be shown.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "acme/header.h"
#include "acme/object.h"
#include "lib/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 100000
#define BASE64URL "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))

/* --- what holds whatever came --------------------------------------------------------------- */

static void check_shown(const char *text, size_t room)
{
    assert(strlen(text) < room);
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0';) {
        size_t n = str_utf8_len(p);
        assert(n > 0 && *p >= ' ' && *p != 0x7f);
        p += n;
    }
}

static void check_url(const char *url, size_t room)
{
    assert(strlen(url) < room);
    assert(url[0] == '\0' || (acme_url_ok(url) && acme_same_origin(url, url)));
    assert(!acme_url_secure(url) || strncmp(url, "http:", 5) != 0 ||
           strncmp(url, "http://127.", 11) == 0 || strncmp(url, "http://[::1]", 12) == 0);
}

static void check_problem(const struct acme_problem *p)
{
    assert(p->class > ACME_FINE && p->class <= ACME_BUG && p->retry_ms == -1);
    check_shown(p->type, sizeof p->type);
    check_shown(p->text, sizeof p->text);
    check_url(p->url, sizeof p->url);
    assert(p->url[0] == '\0' || strncmp(p->url, "https://", 8) == 0);
}

static void check_refusal(enum err e, const struct err_info *info)
{
    assert(e == ERR_MALFORMED || e == ERR_LIMIT);
    check_shown(info->text, sizeof info->text);
    assert(info->text[0] != '\0');
}

static void check_name(const char *name, bool empty)
{
    assert(strlen(name) < ACME_NAME_MAX && (empty || name[0] != '\0'));
    assert(name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-._*")] == '\0');
}

static void check_challenge(const struct acme_challenge *c)
{
    char authorization[ACME_TOKEN_MAX + 8], value[44];
    check_url(c->url, sizeof c->url);
    assert(strlen(c->token) < sizeof c->token && c->token[strspn(c->token, BASE64URL)] == '\0');
    assert(c->status <= ACME_STATUS_REVOKED && c->type <= ACME_OTHER);
    if (c->has_error) {
        check_problem(&c->error);
    }
    enum err e = acme_key_authorization(c->token, "thumb", authorization, sizeof authorization);
    assert(e == (c->token[0] == '\0' ? ERR_MALFORMED : ERR_OK));
    e = acme_dns01_value(c->token, "thumb", value);
    assert(strlen(value) == (e == ERR_OK ? 43 : 0));
}

/* --- objects -------------------------------------------------------------------------------- */

static void fuzz_problem(const char *body, size_t len)
{
    struct acme_problem p;
    if (len > 0) {
        acme_problem_read(2u * (uint8_t)body[0] + 200, body + 1, len - 1, &p);
        assert(p.text[0] != '\0');
        check_problem(&p);
    }
}

static void fuzz_directory(const char *body, size_t len)
{
    struct acme_directory d;
    struct err_info info = {.text = ""};
    enum err e = acme_directory_read(body, len, &d, &info);
    if (e != ERR_OK) {
        check_refusal(e, &info);
        return;
    }
    const char *const urls[] = {d.new_nonce,  d.new_account,  d.new_order, d.revoke_cert,
                                d.key_change, d.renewal_info, d.terms,     d.website};
    for (size_t i = 0; i < COUNT(urls); i++) {
        check_url(urls[i], ACME_URL_MAX);
        assert(i > 2 || urls[i][0] != '\0');
    }
    assert(d.profiles_count <= ACME_PROFILES_MAX && d.caa_identities_count <= ACME_ISSUERS_MAX);
    for (size_t i = 0; i < d.profiles_count; i++) {
        check_shown(d.profiles[i], sizeof d.profiles[i]);
    }
    for (size_t i = 0; i < d.caa_identities_count; i++) {
        check_name(d.caa_identities[i], false);
    }
}

static void fuzz_order(const char *body, size_t len)
{
    struct acme_order_object o;
    struct err_info info = {.text = ""};
    enum err e = acme_order_read(body, len, &o, &info);
    if (e != ERR_OK) {
        check_refusal(e, &info);
        return;
    }
    assert(o.names_count <= ACME_NAMES_MAX && o.authorizations_count <= ACME_NAMES_MAX);
    for (size_t i = 0; i < o.names_count; i++) {
        check_name(o.names[i], false);
    }
    for (size_t i = 0; i < o.authorizations_count; i++) {
        check_url(o.authorizations[i], ACME_URL_MAX);
        assert(o.authorizations[i][0] != '\0');
    }
    check_url(o.finalize, sizeof o.finalize);
    check_url(o.certificate, sizeof o.certificate);
    assert(o.status <= ACME_STATUS_REVOKED && o.expires_ms >= 0);
    assert(o.finalize[0] != '\0' || o.status > ACME_STATUS_READY);
    assert(o.certificate[0] != '\0' || o.status != ACME_STATUS_VALID);
    if (o.has_error) {
        check_problem(&o.error);
    }
}

static void fuzz_authorization(const char *body, size_t len)
{
    static struct acme_authorization a; /* 20 KB */
    struct err_info info = {.text = ""};
    enum err e = acme_authorization_read(body, len, &a, &info);
    if (e != ERR_OK) {
        check_refusal(e, &info);
        return;
    }
    check_name(a.name, false);
    assert(a.challenges_count <= ACME_CHALLENGES_MAX && a.expires_ms >= 0);
    for (size_t i = 0; i < a.challenges_count; i++) {
        check_challenge(&a.challenges[i]);
    }
}

static void fuzz_challenge(const char *body, size_t len)
{
    struct acme_challenge c;
    struct err_info info = {.text = ""};
    enum err e = acme_challenge_read(body, len, &c, &info);
    if (e == ERR_OK) {
        check_challenge(&c);
    } else {
        check_refusal(e, &info);
    }
}

static void fuzz_renewal(const char *body, size_t len)
{
    struct acme_renewal_info r;
    struct err_info info = {.text = ""};
    enum err e = acme_renewal_info_read(body, len, &r, &info);
    if (e == ERR_OK) {
        assert(r.start_ms <= r.end_ms);
        check_url(r.explanation, sizeof r.explanation);
    } else {
        check_refusal(e, &info);
    }
}

static void fuzz_account(const char *body, size_t len)
{
    struct acme_account_object a;
    struct err_info info = {.text = ""};
    enum err e = acme_account_read(body, len, &a, &info);
    if (e == ERR_OK) {
        assert(a.status <= ACME_STATUS_REVOKED);
        check_url(a.orders, sizeof a.orders);
    } else {
        check_refusal(e, &info);
    }
}

/* --- headers -------------------------------------------------------------------------------- */

static void fuzz_link(const char *value)
{
    static const char *const rels[] = {"alternate", "help"};
    char out[ACME_URL_MAX];
    for (size_t r = 0; r < COUNT(rels); r++) {
        for (size_t n = 0; n < 8; n++) {
            bool ok = acme_link(value, rels[r], n, "https://ca.example/a/b", out, sizeof out);
            check_url(out, sizeof out);
            assert(ok || out[0] == '\0');
            if (!ok) {
                break;
            }
        }
    }
}

static void fuzz_retry_after(const char *value)
{
    int64_t ms = -1, later_ms = -1;
    if (acme_retry_after(value, 1767225600000, &ms)) {
        assert(ms >= 0 && ms <= 30LL * 86400000);
        bool ok = acme_retry_after(value, 1767225600000 + 1000, &later_ms);
        assert(ok && later_ms <= ms && ms - later_ms <= 1000);
    } else {
        assert(ms == -1);
    }
}

static void fuzz_time(const char *value)
{
    int64_t ms = 0;
    if (acme_rfc3339(value, &ms)) {
        assert(ms > -62200000000000 && ms < 253500000000000);
    }
    if (acme_http_date(value, &ms)) {
        assert(ms > -62200000000000 && ms < 253500000000000);
    }
}

static void fuzz_url(char *text)
{
    char out[ACME_URL_MAX];
    char *ref = strchr(text, '\n');
    if (ref == NULL) {
        return;
    }
    *ref++ = '\0';
    check_url(acme_url_ok(text) ? text : "", INPUT_MAX);
    bool ok = acme_url_resolve(text, ref, out, sizeof out);
    check_url(out, sizeof out);
    assert(ok == (out[0] != '\0'));
    if (ok && ref[0] == '/' && ref[1] != '/' && acme_url_ok(text)) {
        assert(acme_same_origin(text, out)); /* a path cannot lead away */
    }
    bool same = acme_same_origin(text, ref);
    assert(same == acme_same_origin(ref, text));
    assert(!same || (acme_url_ok(text) && acme_url_secure(text) == acme_url_secure(ref)));
}

static void fuzz_shown(const char *text)
{
    char out[64];
    for (size_t room = 1; room <= sizeof out; room += 7) {
        acme_text_clean(text, out, room);
        check_shown(out, room);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_MAX) {
        return 0;
    }
    size_t len = size - 1;
    char *text = malloc(size); /* with a NUL behind, as the HTTP client gives it */
    assert(text != NULL);
    memcpy(text, data + 1, len);
    text[len] = '\0';
    switch (data[0]) {
    case 'p':
        fuzz_problem(text, len);
        break;
    case 'd':
        fuzz_directory(text, len);
        break;
    case 'o':
        fuzz_order(text, len);
        break;
    case 'a':
        fuzz_authorization(text, len);
        break;
    case 'c':
        fuzz_challenge(text, len);
        break;
    case 'r':
        fuzz_renewal(text, len);
        break;
    case 'n':
        fuzz_account(text, len);
        break;
    case 'l':
        fuzz_link(text);
        break;
    case 't':
        fuzz_retry_after(text);
        break;
    case 'h':
        fuzz_time(text);
        break;
    case 'u':
        fuzz_url(text);
        break;
    case 'x':
        fuzz_shown(text);
        break;
    default:
        break;
    }
    free(text);
    return 0;
}
