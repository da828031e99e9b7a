#include "problem_priv.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/str.h"
#include "url.h"

#define EXCERPT_MAX 200 /* of a body that is no problem document */

/* --- text --------------------------------------------------------------------------------- */

/* The N octets at P are one character of UTF-8. Control characters, and those that change how their
 * neighbours look: zero width, line and paragraph ends, changes of direction. */
static bool is_unfit(const unsigned char *p, size_t n)
{
    unsigned c = p[0];
    if (n == 2) {
        c = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
    } else if (n == 3) {
        c = (p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
    } else if (n == 4) {
        return false;
    }
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

void acme_text_clean(const char *text, char *out, size_t room)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t len = 0;
    while (*p != '\0') {
        size_t n = str_utf8_len(p);
        bool fit = n > 0 && !is_unfit(p, n);
        size_t out_n = fit ? n : 1;
        if (len + out_n >= room) {
            break;
        }
        memcpy(out + len, fit ? (const char *)p : "?", out_n);
        len += out_n;
        p += n > 0 ? n : 1;
    }
    out[len] = '\0';
}

static void add(struct acme_problem *p, const char *text)
{
    size_t len = strlen(p->text);
    acme_text_clean(text, p->text + len, sizeof p->text - len);
}

/* --- classes ------------------------------------------------------------------------------ */

static enum acme_class by_status(unsigned status)
{
    switch (status) {
    case 429:
        return ACME_LIMITED;
    case 401:
    case 403:
    case 404:
    case 407:
    case 410:
    case 451:
        return ACME_DENIED;
    case 408:
    case 425:
        return ACME_AGAIN;
    default:
        return status >= 400 && status < 500 ? ACME_BUG : ACME_AGAIN;
    }
}

static bool class_of_type(const char *type, enum acme_class *out)
{
    static const struct {
        const char *type;
        enum acme_class class;
    } types[] = {
        /* RFC 8555 §6.7 */
        {"accountDoesNotExist", ACME_ACCOUNT},
        {"alreadyRevoked", ACME_DENIED},
        {"badCSR", ACME_IDENTIFIER},
        {"badNonce", ACME_AGAIN},
        {"badPublicKey", ACME_BUG},
        {"badRevocationReason", ACME_BUG},
        {"badSignatureAlgorithm", ACME_BUG},
        {"caa", ACME_IDENTIFIER},
        {"connection", ACME_IDENTIFIER},
        {"dns", ACME_IDENTIFIER},
        {"externalAccountRequired", ACME_DENIED},
        {"incorrectResponse", ACME_IDENTIFIER},
        {"invalidContact", ACME_DENIED},
        {"malformed", ACME_BUG},
        {"orderNotReady", ACME_AGAIN},
        {"rateLimited", ACME_LIMITED},
        {"rejectedIdentifier", ACME_IDENTIFIER},
        {"serverInternal", ACME_AGAIN},
        {"tls", ACME_IDENTIFIER},
        {"unauthorized", ACME_IDENTIFIER},
        {"unsupportedContact", ACME_DENIED},
        {"unsupportedIdentifier", ACME_IDENTIFIER},
        {"userActionRequired", ACME_TERMS},
        /* RFC 9773 §5, and the drafts of profiles and of validation */
        {"alreadyReplaced", ACME_REPLACED},
        {"invalidProfile", ACME_PROFILE},
        {"dnssec", ACME_IDENTIFIER},
        /* what drafts of RFC 8555 had, and Pebble for long */
        {"agreementRequired", ACME_TERMS},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(type, types[i].type) == 0) {
            *out = types[i].class;
            return true;
        }
    }
    return false;
}

enum acme_class acme_problem_class(const char *type, unsigned status)
{
    enum acme_class class;
    if (status == 409 && strcmp(type, "conflict") == 0) {
        return ACME_REPLACED;
    }
    if (!class_of_type(type, &class) || (class == ACME_BUG && status >= 500)) {
        return by_status(status);
    }
    return class;
}

/* --- a pause ------------------------------------------------------------------------------ */

static bool is_word_octet(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_';
}

/* WORD as a word of its own in TEXT: not as a label of a domain name that the text is about. */
static bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = text; (at = strcasestr(at, word)) != NULL; at += n) {
        char before = at > text ? at[-1] : ' ';
        char after = at[n];
        if (!is_word_octet(before) && before != '.' && before != '/' && before != '*' &&
            !is_word_octet(after) && !(after == '.' && is_word_octet(at[n + 1]))) {
            return true;
        }
    }
    return false;
}

/* Its path or query, not its host, tells of a pause. */
static bool is_pause_url(const char *url)
{
    return strncmp(url, "https://", 8) == 0 && acme_url_ok(url) &&
           strcasestr(url + 8 + strcspn(url + 8, "/?"), "unpause") != NULL;
}

/* The next URL in *TEXT, without the marks of the sentence that it ends; "" if it is none after all. */
static bool next_url(const char **text, char *out, size_t room)
{
    const char *at = strstr(*text, "https://");
    if (at == NULL) {
        return false;
    }
    size_t len = strcspn(at, " \t\r\n\"'<>");
    *text = at + len;
    while (len > 0 && strchr(".,;:!?)]", at[len - 1]) != NULL) {
        len--;
    }
    out[0] = '\0';
    if (len < room) {
        memcpy(out, at, len);
        out[len] = '\0';
        if (!acme_url_ok(out)) {
            out[0] = '\0';
        }
    }
    return true;
}

/* Boulder: rateLimited, "Your account is temporarily prevented from requesting certificates for ...
 * Please visit: https://.../unpause?jwt=...". An ordinary limit's text names a page too. */
static void find_pause(const char *detail, struct acme_problem *out)
{
    const char *at = detail;
    char url[ACME_HELP_URL_MAX];
    char first[ACME_HELP_URL_MAX] = "";
    bool paused = has_word(detail, "paused") || has_word(detail, "unpause");
    if (out->class != ACME_LIMITED) {
        return;
    }
    while (next_url(&at, url, sizeof url)) {
        bool is_it = is_pause_url(url);
        if (is_it || first[0] == '\0') {
            memcpy(first, url, sizeof first);
        }
        if (is_it) {
            paused = true;
            break;
        }
    }
    if (paused) {
        out->class = ACME_PAUSED;
        memcpy(out->url, first, sizeof out->url);
    }
}

void acme_problem_link(struct acme_problem *p, const char *url)
{
    bool pause = is_pause_url(url);
    if (strncmp(url, "https://", 8) != 0 || !acme_url_ok(url) || strlen(url) >= sizeof p->url) {
        return;
    }
    if (p->url[0] == '\0' || (pause && p->class == ACME_LIMITED)) {
        memcpy(p->url, url, strlen(url) + 1);
    }
    if (pause && p->class == ACME_LIMITED) {
        p->class = ACME_PAUSED;
    }
}

/* --- documents ---------------------------------------------------------------------------- */

/* The member KEY, "" if it is no text. */
static const char *text_of(const json_t *object, const char *key)
{
    const char *text = "";
    return jx_string(object, key, &text, NULL) == ERR_OK ? text : "";
}

static const char *short_type(const char *type)
{
    static const char *const prefixes[] = {"urn:ietf:params:acme:error:", "urn:acme:error:"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        size_t n = strlen(prefixes[i]);
        if (strncmp(type, prefixes[i], n) == 0) {
            return type + n;
        }
    }
    return strcmp(type, "about:blank") != 0 ? type : ""; /* RFC 7807 §4.2 */
}

static void add_sub(const json_t *sub, struct acme_problem *out)
{
    const json_t *identifier = NULL;
    const char *detail = text_of(sub, "detail");
    if (out->text[0] != '\0') {
        add(out, "; ");
    }
    if (jx_object(sub, "identifier", &identifier, NULL) == ERR_OK) {
        add(out, text_of(identifier, "value"));
        add(out, ": ");
    }
    add(out, detail[0] != '\0' ? detail : short_type(text_of(sub, "type")));
}

/* RFC 8555 §6.7.1 */
static void add_subs(const json_t *object, struct acme_problem *out)
{
    const json_t *subs = NULL;
    if (jx_array(object, "subproblems", &subs, NULL) != ERR_OK) {
        return;
    }
    size_t count = json_array_size(subs);
    for (size_t i = 0; i < count && i < ACME_SUBS_MAX; i++) {
        add_sub(json_array_get(subs, i), out);
    }
    if (count > ACME_SUBS_MAX) {
        char more[48];
        snprintf(more, sizeof more, "; and %zu more", count - ACME_SUBS_MAX);
        add(out, more);
    }
    if (count > 0 && strcmp(out->type, "compound") == 0) {
        out->class =
            acme_problem_class(short_type(text_of(json_array_get(subs, 0), "type")), out->status);
    }
}

void acme_problem_take(const json_t *object, unsigned status, struct acme_problem *out)
{
    const char *instance = text_of(object, "instance");
    const char *detail = text_of(object, "detail");
    int64_t said = 0;
    *out = (struct acme_problem){.status = status, .retry_ms = -1};
    if (status == 0 && jx_int(object, "status", 100, 599, &said, NULL) == ERR_OK) {
        out->status = (unsigned)said;
    }
    acme_text_clean(short_type(text_of(object, "type")), out->type, sizeof out->type);
    out->class = acme_problem_class(out->type, out->status);
    add(out, detail[0] != '\0' ? detail : text_of(object, "title"));
    add_subs(object, out);
    find_pause(detail, out);
    if (out->text[0] == '\0') {
        add(out, out->type);
    }
    acme_problem_link(out, instance);
}

/* An HTML page, half a document, a word. */
static void take_other(const char *body, size_t len, struct acme_problem *out)
{
    char excerpt[EXCERPT_MAX + 1];
    size_t n = 0;
    for (size_t i = 0; i < len && n < EXCERPT_MAX; i++) {
        bool blank = body[i] == '\0' || strchr(" \t\r\n", body[i]) != NULL;
        if (!blank || (n > 0 && excerpt[n - 1] != ' ')) {
            excerpt[n++] = blank ? ' ' : body[i];
        }
    }
    while (n > 0 && excerpt[n - 1] == ' ') {
        n--;
    }
    excerpt[n] = '\0';
    add(out, n > 0 ? ": " : "");
    add(out, excerpt);
}

void acme_problem_read(unsigned status, const char *body, size_t len, struct acme_problem *out)
{
    json_t *root = NULL;
    if (jx_parse_object(body, len, &root, NULL) == ERR_OK) {
        acme_problem_take(root, status, out);
        json_decref(root);
        if (out->text[0] != '\0') {
            return;
        }
    }
    *out = (struct acme_problem){.status = status, .retry_ms = -1};
    out->class = by_status(status);
    snprintf(out->text, sizeof out->text, "HTTP %u%s", status,
             status >= 300 && status < 400 ? ", a redirect, which is not followed" : "");
    take_other(body, len, out);
}
