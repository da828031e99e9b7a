/* One HTTP request: what libcurl is told, what is kept of the reply, and what the end means. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "httpc_priv.h"

#define CONNECT_MS_DEFAULT 3000
#define BODY_ROOM_FIRST    4096
#define INFO_URL_MAX       250 /* of struct err_info's 512 */

enum err httpc_call_fail(struct httpc_call *call, enum err e, const char *text)
{
    if (call->e == ERR_OK) {
        call->e = err_set(&call->info, e, "%s %.*s: %s", call->method, INFO_URL_MAX,
                          call->url != NULL ? call->url : "(no URL)", text);
    }
    return call->e;
}

/* --- the reply --------------------------------------------------------------------------- */

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
    struct httpc_call *call = ctx;
    n *= size;
    if (n > call->body_max - call->body_len) {
        httpc_call_fail(call, ERR_LIMIT, "the reply is larger than allowed");
        return CURL_WRITEFUNC_ERROR;
    }
    size_t want = call->body_len + n + 1;
    if (want > call->body_cap) {
        size_t cap = call->body_cap == 0 ? BODY_ROOM_FIRST : 2 * call->body_cap;
        cap = cap < want ? want : cap;
        cap = cap > call->body_max ? call->body_max + 1 : cap;
        char *body = realloc(call->body, cap);
        if (body == NULL) {
            httpc_call_fail(call, ERR_NOMEM, "no memory for the reply");
            return CURL_WRITEFUNC_ERROR;
        }
        call->body = body;
        call->body_cap = cap;
    }
    memcpy(call->body + call->body_len, bytes, n);
    call->body_len += n;
    call->body[call->body_len] = '\0';
    return n;
}

/* One whole line at a time, also of interim replies and of trailers. libcurl keeps them for
 * httpc_reply_header(); here they are counted and their end is noticed. */
static size_t on_header(char *line, size_t size, size_t n, void *ctx)
{
    struct httpc_call *call = ctx;
    n *= size;
    call->header_len += n;
    if (call->header_len > HTTPC_HEADER_ROOM) {
        httpc_call_fail(call, ERR_LIMIT, "the reply's header is larger than allowed");
        return CURL_WRITEFUNC_ERROR;
    }
    if (line[0] == '\r' || line[0] == '\n') {
        long status = 0;
        curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
        /* RFC 9110 §15.2: more replies follow an interim one */
        call->header_done = call->header_done || status >= 200 || status == 101;
    }
    return n;
}

/* Called before each attempt to send. libcurl tries again on a fresh connection if a kept one dies
 * before the first octet of a reply. A peer that had closed it before was noticed earlier; here it
 * may have got the request and acted on it, so what must not happen twice is not sent twice
 * (RFC 9110 §9.2.2). */
static int on_send(void *ctx, char *peer, char *own, int peer_port, int own_port)
{
    struct httpc_call *call = ctx;
    (void)peer, (void)own, (void)peer_port, (void)own_port;
    if (call->sent && !call->repeatable) {
        httpc_call_fail(call, ERR_UNAVAIL, "connection cut; not known whether it was carried out");
        return CURL_PREREQFUNC_ABORT;
    }
    call->sent = true;
    if (call->tell_sent != NULL) {
        *call->tell_sent = true;
    }
    return CURL_PREREQFUNC_OK;
}

static const char *value_of(const struct curl_header *h)
{
    return h->value[strspn(h->value, " \t\r\n")] != '\0' ? h->value : ""; /* 7.88: not trimmed */
}

const char *httpc_reply_header(const struct httpc_reply *r, const char *name)
{
    struct curl_header *h;
    if (curl_easy_header(r->priv, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK ||
        curl_easy_header(r->priv, name, h->amount - 1, CURLH_HEADER, -1, &h) != CURLHE_OK) {
        return NULL;
    }
    return value_of(h);
}

const char *httpc_reply_header_at(const struct httpc_reply *r, const char *name, size_t i)
{
    struct curl_header *h;
    return curl_easy_header(r->priv, name, i, CURLH_HEADER, -1, &h) == CURLHE_OK ? value_of(h)
                                                                                 : NULL;
}

/* --- the request ------------------------------------------------------------------------- */

/* A token of RFC 9110 §5.6.2. */
static bool is_token(const char *s)
{
    return s != NULL && s[0] != '\0' &&
           s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                       "!#$%&'*+-.^_`|~")] == '\0';
}

/* RFC 9110 §5.5; a line's end in a value would begin another header. */
static bool is_value(const char *s)
{
    for (; *s != '\0'; s++) {
        if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words != NULL && strcmp(word, *words) != 0) {
        words++;
    }
    return *words != NULL;
}

struct login {
    char *user, *password; /* libcurl's memory, NULL: none */
};

static void login_free(struct login *l)
{
    if (l->password != NULL) {
        explicit_bzero(l->password, strlen(l->password));
    }
    curl_free(l->user);
    curl_free(l->password);
}

/* Takes TEXT apart: CALL->url without, LOGIN with what was in front of the host. */
static enum err take_url(struct httpc_call *call, const char *text, struct login *login)
{
    CURLU *u = curl_url();
    char *scheme = NULL, *clean = NULL;
    enum err e = ERR_OK;
    if (u == NULL) {
        return httpc_call_fail(call, ERR_NOMEM, "no memory");
    }
    CURLUcode rc = curl_url_set(u, CURLUPART_URL, text, 0);
    if (rc == CURLUE_OK) {
        rc = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0);
    }
    if (rc != CURLUE_OK) {
        e = httpc_call_fail(call, rc == CURLUE_OUT_OF_MEMORY ? ERR_NOMEM : ERR_MALFORMED,
                            curl_url_strerror(rc));
        goto out;
    }
    if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) {
        e = httpc_call_fail(call, ERR_MALFORMED, "neither http nor https");
        goto out;
    }
    curl_url_get(u, CURLUPART_USER, &login->user, CURLU_URLDECODE);
    curl_url_get(u, CURLUPART_PASSWORD, &login->password, CURLU_URLDECODE);
    curl_url_set(u, CURLUPART_USER, NULL, 0);
    curl_url_set(u, CURLUPART_PASSWORD, NULL, 0);
    curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
    if (curl_url_get(u, CURLUPART_URL, &clean, 0) != CURLUE_OK ||
        (call->url = strdup(clean)) == NULL) {
        e = httpc_call_fail(call, ERR_NOMEM, "no memory");
    }
out:
    curl_free(scheme);
    curl_free(clean);
    curl_url_cleanup(u);
    return e;
}

/* Sets one option unless an earlier one has failed. */
#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (rc == CURLE_OK) {                                                                      \
            rc = curl_easy_setopt(call->easy, option, value);                                      \
        }                                                                                          \
    } while (0)

static CURLcode set_manners(struct httpc_call *call, const struct httpc_settings *settings,
                            const struct httpc_request *r)
{
    CURLcode rc = CURLE_OK;
    SET(CURLOPT_PRIVATE, call);
    SET(CURLOPT_ERRORBUFFER, call->detail);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* else an end would wait for a name that is being looked up */
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, ""); /* neither one from the environment */
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_USERAGENT, settings->user_agent);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(r->connect_ms != 0 ? r->connect_ms : CONNECT_MS_DEFAULT));
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, call);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, call);
    SET(CURLOPT_PREREQFUNCTION, on_send);
    SET(CURLOPT_PREREQDATA, call);
    return rc;
}

/* Whom we believe, and who we are. */
static CURLcode set_trust(struct httpc_call *call, const struct httpc_settings *settings)
{
    CURLcode rc = CURLE_OK;
    bool pinned = settings->pins != NULL;
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, pinned ? 0L : 1L);
    SET(CURLOPT_SSL_VERIFYHOST, pinned ? 0L : 2L);
    if (pinned) {
        SET(CURLOPT_PINNEDPUBLICKEY, settings->pins);
    }
    if (settings->ca.data != NULL) {
        SET(CURLOPT_CAINFO_BLOB, &settings->ca);
        SET(CURLOPT_CAPATH, NULL); /* else the system's are trusted besides */
    }
    if (settings->cert_file != NULL) {
        SET(CURLOPT_SSLCERT, settings->cert_file);
        SET(CURLOPT_SSLKEY, settings->key_file);
        SET(CURLOPT_KEYPASSWD, "");           /* else OpenSSL asks whoever sits at the terminal */
        SET(CURLOPT_SSL_SESSIONID_CACHE, 0L); /* a session would keep an older name */
    }
    return rc;
}

static CURLcode set_what(struct httpc_call *call, const struct httpc_request *r)
{
    static const char *const with_body[] = {"POST", "PUT", "PATCH", NULL};
    static const char *const repeatable[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", NULL};
    bool head = strcmp(r->method, "HEAD") == 0;
    CURLcode rc = CURLE_OK;
    call->repeatable = is_one_of(r->method, repeatable); /* RFC 9110 §9.2.2 */
    SET(CURLOPT_URL, call->url);
    if (head) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (r->body_len > 0 || is_one_of(r->method, with_body)) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
        SET(CURLOPT_POSTFIELDS, r->body_len > 0 ? r->body : "");
        SET(CURLOPT_CUSTOMREQUEST, r->method);
    } else {
        SET(CURLOPT_HTTPGET, 1L);
        SET(CURLOPT_CUSTOMREQUEST, r->method);
    }
    if (!head) { /* its Content-Length is of a body that does not come */
        SET(CURLOPT_MAXFILESIZE_LARGE,
            r->body_max < INT64_MAX ? (curl_off_t)r->body_max : INT64_MAX);
    }
    return rc;
}

static bool add_header(struct httpc_call *call, const char *line)
{
    struct curl_slist *longer = curl_slist_append(call->headers, line);
    if (longer != NULL) {
        call->headers = longer;
    }
    return longer != NULL;
}

/* RFC 4648 §4. OUT has room for 4 * ((len + 2) / 3) and a NUL. */
static void base64(const char *bytes, size_t len, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        uint32_t v = (uint32_t)(uint8_t)bytes[i] << 16;
        v |= i + 1 < len ? (uint32_t)(uint8_t)bytes[i + 1] << 8 : 0;
        v |= i + 2 < len ? (uint8_t)bytes[i + 2] : 0;
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = i + 1 < len ? digits[v >> 6 & 63] : '=';
        *out++ = i + 2 < len ? digits[v & 63] : '=';
    }
    *out = '\0';
}

/* RFC 7617 §2. By hand: a password that libcurl is told stays with the connection while it is kept,
 * but its copies of a header end with the request. */
static bool add_login(struct httpc_call *call, const char *user, const char *password)
{
    size_t room = strlen(user) + (password != NULL ? strlen(password) : 0) + 2;
    size_t line_room = sizeof "Authorization: Basic " + 4 * ((room + 2) / 3);
    char *plain = malloc(room), *line = malloc(line_room);
    bool ok = false;
    if (plain != NULL && line != NULL) {
        int len = snprintf(plain, room, "%s:%s", user, password != NULL ? password : "");
        int at = snprintf(line, line_room, "Authorization: Basic ");
        base64(plain, (size_t)len, line + at);
        ok = add_header(call, line);
        explicit_bzero(plain, room);
        explicit_bzero(line, line_room);
    }
    free(plain);
    free(line);
    return ok;
}

static enum err take_headers(struct httpc_call *call, const struct httpc_request *r,
                             const struct login *of_url)
{
    const char *user = r->user != NULL ? r->user : of_url->user;
    bool typed = false;
    bool ok = add_header(call, "Expect:"); /* no second's wait for a 100 before a large body */
    if (ok && user != NULL) {
        ok = add_login(call, user, r->user != NULL ? r->password : of_url->password);
    }
    for (size_t i = 0; i < r->headers_count && ok; i++) {
        const struct httpc_header *h = &r->headers[i];
        char *line = NULL;
        if (!is_token(h->name) || !is_value(h->value)) {
            return httpc_call_fail(call, ERR_MALFORMED, "not a header");
        }
        typed = typed || strcasecmp(h->name, "Content-Type") == 0;
        /* "Name;" is how libcurl is told of an empty value */
        int n = h->value[0] != '\0' ? asprintf(&line, "%s: %s", h->name, h->value)
                                    : asprintf(&line, "%s;", h->name);
        ok = n >= 0 && add_header(call, line);
        if (n >= 0) {
            explicit_bzero(line, (size_t)n); /* may be an Authorization */
            free(line);
        }
    }
    if (ok && !typed) {
        ok = add_header(call, "Content-Type:"); /* libcurl would call it a form */
    }
    if (!ok || curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers) != CURLE_OK) {
        return httpc_call_fail(call, ERR_NOMEM, "no memory");
    }
    return ERR_OK;
}

static enum err check(struct httpc_call *call, const struct httpc_request *r)
{
    if (!is_token(r->method) || strlen(r->method) >= sizeof call->method) {
        return httpc_call_fail(call, ERR_MALFORMED, "not a method");
    }
    memcpy(call->method, r->method, strlen(r->method) + 1);
    if (r->body_max == 0 || r->wait_ms == 0) {
        return httpc_call_fail(call, ERR_BUG, "a request without a limit");
    }
    if (r->headers_count > HTTPC_HEADERS_MAX) {
        return httpc_call_fail(call, ERR_LIMIT, "too many headers");
    }
    if (r->user != NULL && strchr(r->user, ':') != NULL) { /* RFC 7617 §2 */
        return httpc_call_fail(call, ERR_MALFORMED, "a user's name with a colon");
    }
    return ERR_OK;
}

enum err httpc_call_prepare(struct httpc_call *call, const struct httpc_settings *settings,
                            const struct httpc_request *request)
{
    struct login login = {.user = NULL};
    call->body_max = request->body_max;
    call->wait_ms = request->wait_ms; /* for the words */
    call->tell_sent = request->sent;
    enum err e = check(call, request);
    if (e == ERR_OK) {
        e = take_url(call, request->url, &login);
    }
    if (e != ERR_OK) {
        goto out;
    }
    call->easy = curl_easy_init();
    CURLcode rc = call->easy != NULL ? set_manners(call, settings, request) : CURLE_OUT_OF_MEMORY;
    rc = rc == CURLE_OK ? set_trust(call, settings) : rc;
    rc = rc == CURLE_OK ? set_what(call, request) : rc;
    e = rc == CURLE_OK ? take_headers(call, request, &login)
                       : httpc_call_fail(call, rc == CURLE_OUT_OF_MEMORY ? ERR_NOMEM : ERR_BUG,
                                         curl_easy_strerror(rc));
out:
    login_free(&login);
    return e;
}

void httpc_call_fini(struct httpc_call *call)
{
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    free(call->url);
    free(call->body);
}

/* --- the end ----------------------------------------------------------------------------- */

static bool is_tls(const struct httpc_call *call)
{
    return strncmp(call->url, "https:", 6) == 0;
}

/* For the next two there are only OpenSSL's words ("error:NUMBER:LIBRARY:FUNCTION:REASON"), and
 * none of them when the connection was cut. An alert is the peer's refusal. */
static bool has_alert(const struct httpc_call *call)
{
    return strstr(call->detail, " alert ") != NULL;
}

static bool is_cut(const struct httpc_call *call)
{
    return strstr(call->detail, "error:") == NULL || strstr(call->detail, "unexpected eof") != NULL;
}

static enum err translate(const struct httpc_call *call, CURLcode rc)
{
    long os_errno = 0;
    curl_off_t began_us = 0;
    switch (rc) {
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_FILESIZE_EXCEEDED:
        return ERR_LIMIT;
    case CURLE_OUT_OF_MEMORY:
        /* It says so too when one line of a header is longer than its own limit. */
        curl_easy_getinfo(call->easy, CURLINFO_STARTTRANSFER_TIME_T, &began_us);
        return began_us > 0 && !call->header_done ? ERR_LIMIT : ERR_NOMEM;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9, which is what garbage looks like */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_BAD_FUNCTION_ARGUMENT: /* a header without a colon */
        return ERR_MALFORMED;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return ERR_DENIED;
    case CURLE_SSL_CONNECT_ERROR:
        return is_cut(call) ? ERR_UNAVAIL : ERR_DENIED;
    case CURLE_RECV_ERROR:
        curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os_errno);
        if (is_tls(call)) { /* TLS 1.3: a certificate is asked for after the handshake */
            return has_alert(call) ? ERR_DENIED : ERR_UNAVAIL;
        }
        return os_errno != 0 ? ERR_UNAVAIL : ERR_MALFORMED; /* the latter: chunks that are none */
    default:
        return ERR_UNAVAIL;
    }
}

enum err httpc_call_result(struct httpc_call *call, CURLcode rc)
{
    long status = 0;
    if (call->e != ERR_OK) {
        return call->e; /* broken off by one of ours */
    }
    if (rc != CURLE_OK) {
        enum err e = translate(call, rc);
        const char *text = call->detail[0] != '\0' ? call->detail : curl_easy_strerror(rc);
        text = e == ERR_LIMIT ? "the reply is larger than allowed" : text;
        text = rc == CURLE_SSL_PINNEDPUBKEYNOTMATCH
                   ? "the server's key is not the one that is expected"
                   : text;
        return httpc_call_fail(call, e, text);
    }
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (!call->header_done) { /* libcurl is content with half a header */
        return httpc_call_fail(call, ERR_UNAVAIL, "connection cut within the reply's header");
    }
    if (status < 100 || status > 599) {
        return httpc_call_fail(call, ERR_MALFORMED, "not a status");
    }
    return ERR_OK;
}
