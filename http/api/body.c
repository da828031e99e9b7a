#include "body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/jx.h"
#include "lib/str.h"

/* ---- problems ----------------------------------------------------------------------------- */

json_t *body_text(const char *text)
{
    if (text == NULL) {
        return json_null();
    }
    char *plain = strdup(text);
    json_t *out = NULL;
    if (plain != NULL) {
        size_t n;
        for (char *p = plain; *p != '\0'; p += n) {
            n = str_utf8_len((const unsigned char *)p);
            if (n == 0) {
                *p = '?';
                n = 1;
            }
        }
        out = json_string(plain);
    }
    free(plain);
    return out;
}

bool body_is_utf8(const char *text)
{
    size_t n = 1;
    for (const char *p = text; *p != '\0' && n > 0; p += n) {
        n = str_utf8_len((const unsigned char *)p);
    }
    return n > 0;
}

void body_problems_add(struct body_problems *p, const char *member, const char *why)
{
    if (p->count++ == 0) {
        (void)err_set(&p->first, ERR_MALFORMED, "%s%s%s", member, *member != '\0' ? ": " : "", why);
    }
    if (p->list == NULL) {
        p->list = json_array();
    }
    if (p->count <= BODY_PROBLEMS_MAX) {
        json_array_append_new(p->list, json_pack("{s:o, s:o}", "member", body_text(member),
                                                 "message", body_text(why)));
    }
}

void body_problems_free(struct body_problems *p)
{
    json_decref(p->list);
    *p = (struct body_problems){.list = NULL};
}

/* ---- bodies ------------------------------------------------------------------------------- */

static void check_members(const json_t *object, const char *const *known, struct body_problems *p)
{
    const char *key;
    json_t *value;
    char why[160];
    json_object_foreach((json_t *)object, key, value)
    {
        bool found = false;
        for (size_t i = 0; known[i] != NULL; i++) {
            found = found || strcmp(key, known[i]) == 0;
        }
        if (!found) {
            const char *near = str_nearest(key, known);
            snprintf(why, sizeof why, "not known here%s%s%s", near != NULL ? "; did you mean " : "",
                     near != NULL ? near : "", near != NULL ? "?" : "");
            body_problems_add(p, key, why);
        }
    }
}

/* The body as an object of KNOWN members; NULL if there is none, or a problem. */
static json_t *read_object(const char *body, size_t len, const char *const *known,
                           struct body_problems *p)
{
    struct err_info why = {.text = ""};
    json_t *object = NULL;
    if (len == 0) {
        return NULL;
    }
    if (jx_parse_object(body, len, &object, &why) != ERR_OK) {
        body_problems_add(p, "", why.text);
        return NULL;
    }
    check_members(object, known, p);
    return object;
}

/* What jx says of MEMBER, without the member in front. */
static void add_jx_problem(struct body_problems *p, const char *member, const struct err_info *why)
{
    size_t skip = strlen(member) + 2;
    body_problems_add(p, member, why->text + (strlen(why->text) >= skip ? skip : 0));
}

/* The text of MEMBER; NULL: there is none, or it is a problem. */
static const char *read_text(const json_t *object, const char *member, struct body_problems *p)
{
    struct err_info why = {.text = ""};
    const char *text = NULL;
    enum err e = object != NULL ? jx_string(object, member, &text, &why) : ERR_NOTFOUND;
    if (e != ERR_OK && e != ERR_NOTFOUND) {
        add_jx_problem(p, member, &why);
    }
    return text;
}

bool body_read_user(const char *body, size_t len, char core[BODY_CORE_MAX + 1],
                    struct body_problems *p)
{
    static const char *const known[] = {"core", NULL};
    json_t *object = read_object(body, len, known, p);
    const char *text = read_text(object, "core", p);
    core[0] = '\0';
    if (text != NULL && (text[0] == '\0' || strlen(text) > BODY_CORE_MAX)) {
        body_problems_add(p, "core", "must be a core's id; leave it out to have one chosen");
    } else if (text != NULL) {
        memcpy(core, text, strlen(text) + 1);
    }
    json_decref(object);
    return p->count == 0;
}

/* What renewal can pass over (acme/plan.h). */
static bool is_limit(const char *text)
{
    static const char *const limits[] = {"order", "floor", "certs", "authz", "backoff", "paused"};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (strcmp(text, limits[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool body_read_renew(const char *body, size_t len, struct body_renew *out, struct body_problems *p)
{
    static const char *const known[] = {"hostname", "override", NULL};
    static const struct wire_name root = {.len = 1, .labels = 0, .bytes = {0}};
    struct err_info why = {.text = ""};
    struct wire_name name;
    json_t *object = read_object(body, len, known, p);
    const char *text = read_text(object, "hostname", p);
    *out = (struct body_renew){.hostname = ""};
    if (text != NULL && wire_name_owner(text, &root, &name, &why) != ERR_OK) {
        body_problems_add(p, "hostname", why.text);
    } else if (text != NULL) {
        char folded[WIRE_NAME_TEXT_MAX];
        wire_name_to_relative(&name, &root, folded);
        snprintf(out->hostname, sizeof out->hostname, "%.*s", BODY_HOSTNAME_MAX, folded);
    }
    text = read_text(object, "override", p);
    if (text != NULL && !is_limit(text)) {
        body_problems_add(p, "override",
                          "must be one of order, floor, certs, authz, backoff, paused");
    } else if (text != NULL) {
        snprintf(out->override, sizeof out->override, "%s", text);
    }
    json_decref(object);
    return p->count == 0;
}

/* ---- joining ------------------------------------------------------------------------------ */

/* Into OUT, CAP octets with the NUL: it must be there, and not be empty. */
static void read_required(const json_t *object, const char *member, char *out, size_t cap,
                          const char *why, struct body_problems *p)
{
    size_t before = p->count;
    const char *text = read_text(object, member, p);
    out[0] = '\0';
    if (text != NULL && text[0] != '\0' && strlen(text) < cap) {
        memcpy(out, text, strlen(text) + 1);
    } else if (p->count == before) {
        body_problems_add(p, member, why);
    }
}

static bool read_digit(char c, char *out)
{
    bool upper = c >= 'A' && c <= 'F';
    *out = upper ? (char)(c - 'A' + 'a') : c;
    return upper || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool read_fingerprint(const char *text, char out[BODY_FINGERPRINT_MAX + 1])
{
    bool colons = strlen(text) > BODY_FINGERPRINT_MAX;
    for (size_t i = 0; i < BODY_FINGERPRINT_MAX; i++) {
        if (colons && i > 0 && i % 2 == 0 && *text++ != ':') {
            return false;
        }
        if (!read_digit(*text++, &out[i])) {
            return false;
        }
    }
    out[BODY_FINGERPRINT_MAX] = '\0';
    return *text == '\0';
}

static void read_ack(const json_t *object, struct body_ack *out, struct body_problems *p)
{
    static const char why[] =
        "must be the SHA-256 of the node's certificate in hex, with or without colons";
    char text[128];
    size_t before;
    read_required(object, "coreId", out->core, sizeof out->core, "must be the core's id", p);
    read_required(object, "token", out->token, sizeof out->token, "must be the token of the bundle",
                  p);
    before = p->count;
    read_required(object, "tlsFingerprint", text, sizeof text, why, p);
    if (p->count == before && !read_fingerprint(text, out->fingerprint)) {
        body_problems_add(p, "tlsFingerprint", why);
    }
}

/* What OBJECT itself remembers of it. */
static void wipe_text(json_t *object, const char *member)
{
    const char *text = NULL;
    if (object != NULL && jx_string(object, member, &text, NULL) == ERR_OK) {
        explicit_bzero((char *)text, strlen(text));
    }
}

bool body_read_ack(const char *body, size_t len, struct body_ack *out, struct body_problems *p)
{
    static const char *const known[] = {"coreId", "token", "tlsFingerprint", NULL};
    json_t *object = NULL;
    *out = (struct body_ack){.core = ""};
    if (len > 0 && jx_parse_object(body, len, &object, NULL) != ERR_OK) {
        /* The reader's own words would repeat what it has stumbled over: the token, maybe. */
        body_problems_add(p, "", "is no JSON object");
    } else {
        check_members(object, known, p);
        read_ack(object, out, p);
    }
    wipe_text(object, "token");
    json_decref(object);
    return p->count == 0;
}

bool body_read_csr(const char *body, size_t len, char out[BODY_CSR_MAX + 1],
                   struct body_problems *p)
{
    static const char *const known[] = {"csr", NULL};
    out[0] = '\0';
    json_t *object = read_object(body, len, known, p);
    if (object != NULL || len == 0) {
        read_required(object, "csr", out, BODY_CSR_MAX + 1,
                      "must be a PKCS #10 request in PEM, of 8 KiB at most", p);
    }
    json_decref(object);
    return p->count == 0;
}

/* ---- records ------------------------------------------------------------------------------ */

static void on_value_problem(void *ctx, const char *where, const char *why)
{
    struct body_problems *p = ctx;
    char member[128];
    snprintf(member, sizeof member, "records.%s", where);
    body_problems_add(p, member, why);
}

static void read_owner(const json_t *object, const struct wire_name *apex, struct body_records *out,
                       struct body_problems *p)
{
    struct err_info why = {.text = ""};
    size_t before = p->count;
    const char *text = read_text(object, "subdomain", p);
    if (text == NULL && p->count == before) {
        body_problems_add(p, "subdomain",
                          "must be a name below the domain, or \"@\" for the domain itself");
    } else if (text != NULL && wire_name_owner(text, apex, &out->owner, &why) != ERR_OK) {
        body_problems_add(p, "subdomain", why.text);
    } else if (text != NULL) {
        wire_name_to_relative(&out->owner, apex, out->name);
    }
}

static void read_set(const json_t *object, const struct wire_name *apex, uint32_t default_ttl_s,
                     struct body_records *out, struct body_problems *p)
{
    struct err_info why = {.text = ""};
    const json_t *records = NULL;
    size_t before = p->count;
    if (object == NULL || jx_object(object, "records", &records, &why) != ERR_OK) {
        body_problems_add(p, "records", "must be an object such as {\"a\": [\"192.0.2.1\"]}");
        return;
    }
    char *text = json_dumps(records, JSON_COMPACT);
    if (text == NULL ||
        record_from_json(text, apex, default_ttl_s, &out->set, on_value_problem, p) != ERR_OK) {
        body_problems_add(p, "records", "cannot be read");
    } else if (out->set.count == 0 && p->count == before) {
        body_problems_add(p, "records", "holds no records; DELETE removes a name");
    }
    free(text);
}

bool body_read_records(const char *body, size_t len, const struct wire_name *apex,
                       uint32_t default_ttl_s, struct body_records *out, struct body_problems *p)
{
    static const char *const known[] = {"subdomain", "records", NULL};
    struct err_info why = {.text = ""};
    *out = (struct body_records){.name = ""};
    json_t *object = read_object(body, len, known, p);
    if (object != NULL || len == 0) {
        read_owner(object, apex, out, p);
        read_set(object, apex, default_ttl_s, out, p);
    }
    if (p->count == 0 && record_check(&out->set, &out->owner, apex, &why) != ERR_OK) {
        body_problems_add(p, "records", why.text);
    }
    json_decref(object);
    return p->count == 0;
}

void body_records_free(struct body_records *r)
{
    record_set_free(&r->set);
}
