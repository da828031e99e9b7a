/* What strangers and admins send to the API: bodies of users, renewals and records, the Host of a request
 * that is to be redirected, a user's name, an address. What is accepted must be sound and read back to the
 * same; what is refused must say why.
 *
 * The first octet chooses: 'u' a user's body, 'n' a renewal's, 'k' an ack's, 'q' one with a request for a
 * certificate, 'r' one of records, 'h' HOST line feed
 * TARGET, 'c' a core's URL, 'd' a name for user_row(), 'a' an address.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/token.h"
#include "dnsd/zone/rules.h"
#include "dnsd/zone/user.h"
#include "http/api/body.h"
#include "http/api/failures.h"
#include "http/api/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 100000

static struct wire_name apex_of(const char *text)
{
    struct wire_name name;
    enum err e = wire_name_from_text(text, NULL, &name, NULL);
    assert(e == ERR_OK);
    return name;
}

/* Ends the reading: either no problem, or each in words that JSON can carry. */
static void check_problems(struct body_problems *p, bool ok)
{
    size_t i;
    json_t *item;
    assert(ok == (p->count == 0));
    assert(json_array_size(p->list) ==
           (p->count < BODY_PROBLEMS_MAX ? p->count : BODY_PROBLEMS_MAX));
    json_array_foreach(p->list, i, item)
    {
        const char *member = NULL;
        const char *message = NULL;
        int e = json_unpack(item, "{s:s, s:s}", "member", &member, "message", &message);
        assert(e == 0 && message[0] != '\0');
    }
    assert(ok || p->first.text[0] != '\0');
    body_problems_free(p);
}

static void fuzz_user(const char *text, size_t len)
{
    struct body_problems p = {.list = NULL};
    char core[BODY_CORE_MAX + 1];
    bool ok = body_read_user(text, len, core, &p);
    assert(body_is_utf8(core));
    check_problems(&p, ok);
}

static void fuzz_renew(const char *text, size_t len)
{
    struct body_problems p = {.list = NULL};
    struct body_renew wish;
    bool ok = body_read_renew(text, len, &wish, &p);
    assert(strlen(wish.hostname) <= BODY_HOSTNAME_MAX &&
           strlen(wish.override) <= BODY_OVERRIDE_MAX);
    check_problems(&p, ok);
}

static void fuzz_ack(const char *text, size_t len)
{
    struct body_problems p = {.list = NULL};
    struct body_ack ack;
    char hash[TOKEN_HASH];
    bool ok = body_read_ack(text, len, &ack, &p);
    assert(body_is_utf8(ack.core) && body_is_utf8(ack.token));
    if (ok) {
        assert(ack.core[0] != '\0' && ack.token[0] != '\0');
        assert(strlen(ack.fingerprint) == BODY_FINGERPRINT_MAX &&
               strspn(ack.fingerprint, "0123456789abcdef") == BODY_FINGERPRINT_MAX);
        assert(!token_hash(ack.token, hash) || strlen(ack.token) == TOKEN_LEN);
    }
    check_problems(&p, ok);
}

static void fuzz_csr(const char *text, size_t len)
{
    struct body_problems p = {.list = NULL};
    char csr[BODY_CSR_MAX + 1];
    bool ok = body_read_csr(text, len, csr, &p);
    assert(ok == (csr[0] != '\0') || p.count > 0);
    check_problems(&p, ok);
}

/* What was read, written and read again. */
static void check_inverse(const struct body_records *r, const struct wire_name *apex)
{
    struct body_problems p = {.list = NULL};
    struct body_records again;
    char *value = record_to_json(&r->set, apex);
    json_t *records = json_loads(value, 0, NULL);
    assert(records != NULL);
    json_t *object = json_pack("{s:s, s:o}", "subdomain", r->name, "records", records);
    char *body = json_dumps(object, 0);
    assert(body != NULL);
    bool ok = body_read_records(body, strlen(body), apex, 300, &again, &p);
    assert(ok && strcmp(again.name, r->name) == 0 && record_equal(&again.set, &r->set));
    check_problems(&p, ok);
    body_records_free(&again);
    json_decref(object);
    free(body);
    free(value);
}

static void fuzz_records(const char *text, size_t len)
{
    struct wire_name apex = apex_of("mc.example.com");
    struct body_problems p = {.list = NULL};
    struct body_records r;
    struct err_info info = {.text = ""};
    bool ok = body_read_records(text, len, &apex, 300, &r, &p);
    if (ok) {
        const struct names_rows others = {.core = true};
        const struct names_config config = {.apex = &apex};
        struct names *names = names_new(&config);
        assert(r.set.count > 0 && wire_name_is_under(&r.owner, &apex));
        check_inverse(&r, &apex);
        assert(rules_records(names, &apex, &r.owner, &r.set, &others, &info) == ERR_CONFLICT);
        names_free(names);
    }
    check_problems(&p, ok);
    body_records_free(&r);
}

static void fuzz_host(char *text)
{
    static const struct url_hosts hosts = {
        .domain = "mc.example.com",
        .urls = {"https://public.example.net/", NULL},
        .addresses = {"192.0.2.1", "2001:db8::1"},
    };
    static const char *const ours[] = {"mc.example.com:8443/", "public.example.net:8443/",
                                       "192.0.2.1:8443/", "[2001:db8::1]:8443/"};
    char out[4096];
    struct err_info info = {.text = ""};
    char *target = strchr(text, '\n');
    if (target == NULL) {
        return;
    }
    *target++ = '\0';
    if (url_redirect(&hosts, 8443, text, target, out, sizeof out, &info) != ERR_OK) {
        assert(info.text[0] != '\0');
        return;
    }
    bool found = false;
    size_t host_len = strcspn(out + 8, "/") + 1;
    assert(memcmp(out, "https://", 8) == 0 && strcmp(out + 8 + host_len - 1, target) == 0);
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        size_t len = strlen(ours[i]);
        found = found || (host_len == len && memcmp(out + 8, ours[i], len) == 0) ||
                (i == 0 && host_len > len && out[8 + host_len - len - 1] == '.' &&
                 memcmp(out + 8 + host_len - len, ours[i], len) == 0);
    }
    assert(found);
    assert(strcspn(out, "\r\n \t\x7f") == strlen(out));
}

static void fuzz_core(const char *text)
{
    char out[URL_MAX];
    if (url_of_core("core-a", text, NULL, NULL, out)) {
        assert(strncmp(out, "http", 4) == 0 && out[strlen(out) - 1] == '/');
        assert(strcspn(out, "\r\n \t\x7f") == strlen(out));
    }
    if (url_of_core(text, NULL, "mc.example.com", NULL, out)) {
        assert(strlen(out) == strlen("https://.mc.example.com/") + strlen(text));
    }
}

static void fuzz_name(const char *text)
{
    static const struct digest_hmac key;
    char token[USER_TOKEN_TEXT];
    const char *clear = user_row(NULL, text, token);
    const char *hashed = user_row(&key, text, token);
    assert((clear == NULL) == (hashed == NULL));
    assert(clear == NULL || strlen(clear) <= WIRE_LABEL_MAX);
}

static void fuzz_address(const char *text)
{
    struct failures *f = failures_new(2);
    struct failures_client c = failures_client_of(text);
    for (int64_t now_ms = 0; failures_wait_s(f, &c, now_ms) == 0; now_ms++) {
        assert(now_ms < FAILURES_WINDOW_MS);
        (void)failures_add(f, &c, now_ms);
    }
    failures_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_MAX) {
        return 0;
    }
    char *text = malloc(size);
    assert(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    switch (data[0]) {
    case 'u':
        fuzz_user(text, size - 1);
        break;
    case 'n':
        fuzz_renew(text, size - 1);
        break;
    case 'k':
        fuzz_ack(text, size - 1);
        break;
    case 'q':
        fuzz_csr(text, size - 1);
        break;
    case 'r':
        fuzz_records(text, size - 1);
        break;
    case 'h':
        fuzz_host(text);
        break;
    case 'c':
        fuzz_core(text);
        break;
    case 'd':
        fuzz_name(text);
        break;
    case 'a':
        fuzz_address(text);
        break;
    default:
        break;
    }
    free(text);
    return 0;
}
