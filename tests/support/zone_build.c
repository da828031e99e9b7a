#include "zone_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnsd/wire/query.h"
#include "dnsd/wire/rdata.h"
#include "lib/mem.h"
#include "lib/str.h"

#define NAMES_MAX 400
#define WORDS_MAX 6

/* What belongs to one owner, collected over the lines. */
struct pending {
    struct wire_name owner;
    struct record_set records;
    struct zone_proof proofs[ZONE_PROOFS_MAX];
    size_t proofs_count;
};

struct builder {
    struct zone_options o;
    struct record_set root;
    struct zone_entry statics[NAMES_MAX];
    struct zone_nameserver servers[NAMES_MAX];
    const char *services[NAMES_MAX];
    const char *caa;
    struct pending *records[NAMES_MAX], *entries[NAMES_MAX], *proofs[NAMES_MAX];
    size_t records_count, entries_count, proofs_count;
    struct zone *z;
    const struct wire_name *apex;
    uint8_t key_bytes[USER_KEY_LEN];
    struct digest_hmac prepared;
    const struct digest_hmac *key; /* NULL: users are not hashed */
    char *text;                    /* owned; words point into it */
};

static void bad(const char *word, const char *why)
{
    fprintf(stderr, "zone_build: %s: %s\n", word, why);
    abort();
}

static void must(enum err e, const char *word, const struct err_info *info)
{
    if (e != ERR_OK) {
        bad(word, info->text);
    }
}

struct wire_name zone_build_name(const struct wire_name *apex, const char *name)
{
    struct wire_name out;
    struct err_info info = {.text = ""};
    must(wire_name_from_text(name, apex, &out, &info), name, &info);
    wire_name_fold(out.bytes, out.bytes, out.len);
    return out;
}

void zone_build_key(const char *text, uint8_t out[USER_KEY_LEN])
{
    memset(out, 0, USER_KEY_LEN);
    memcpy(out, text, strnlen(text, USER_KEY_LEN));
}

void zone_build_user(const struct digest_hmac *key, const char *name, char out[USER_TOKEN_TEXT])
{
    uint8_t folded[USER_TOKEN_TEXT];
    uint8_t token[USER_TOKEN_LEN];
    size_t len = strnlen(name, sizeof folded);
    wire_name_fold(folded, (const uint8_t *)name, len);
    if (key != NULL && user_token(key, folded, len, token)) {
        user_token_to_text(token, out);
    } else {
        snprintf(out, USER_TOKEN_TEXT, "%s", name);
    }
}

static void hash_users(struct builder *b, const char *key)
{
    zone_build_key(key, b->key_bytes);
    digest_hmac_init(&b->prepared, b->key_bytes, sizeof b->key_bytes);
    b->o.user_key = b->key_bytes;
    b->key = &b->prepared;
}

static struct pending *pending_of(struct pending **list, size_t *count, struct wire_name owner)
{
    for (size_t i = 0; i < *count; i++) {
        if (wire_name_equal(&list[i]->owner, &owner)) {
            return list[i];
        }
    }
    if (*count == NAMES_MAX) {
        bad("record", "too many names");
    }
    struct pending *p = mem_xalloc(sizeof *p);
    p->owner = owner;
    list[(*count)++] = p;
    return p;
}

static void add_value(struct record_set *set, const struct wire_name *apex, char *const *w)
{
    uint16_t type = 0;
    struct err_info info = {.text = ""};
    int64_t ttl = strcmp(w[1], "-") == 0 ? -1 : atoll(w[1]);
    if (!wire_type_from_text(w[0], &type)) {
        bad(w[0], "no type");
    }
    must(record_add_text(set, type, ttl, w[2], apex, 300, &info), w[2], &info);
}

static void add_core(struct zone *z, char *const *w, int n)
{
    struct zone_core c = {.id = w[1], .available = true, .live = true};
    struct err_info info = {.text = ""};
    for (int i = 2; i < n; i++) {
        if (strncmp(w[i], "ip=", 3) == 0) {
            c.ip = w[i] + 3;
        } else if (strncmp(w[i], "ipv6=", 5) == 0) {
            c.ipv6 = w[i] + 5;
        } else if (strncmp(w[i], "cname=", 6) == 0) {
            c.cname = w[i] + 6;
        } else if (strcmp(w[i], "drained") == 0) {
            c.available = false;
        } else if (strcmp(w[i], "dead") == 0) {
            c.live = false;
        } else {
            bad(w[i], "of a core?");
        }
    }
    must(zone_core_put(z, &c, &info), w[1], &info);
}

/* Lines for zone_new(). True if this was one. */
static bool option(struct builder *b, char *const *w, int n)
{
    const char *key = w[0];
    if (strcmp(key, "apex") == 0) {
        b->o.apex = zone_build_name(NULL, w[1]);
    } else if (strcmp(key, "ttl") == 0) {
        b->o.default_ttl_s = (uint32_t)atol(w[1]);
    } else if (strcmp(key, "minimum") == 0) {
        b->o.soa.minimum_s = atol(w[1]);
    } else if (strcmp(key, "serial") == 0) {
        b->o.soa.serial = atoll(w[1]);
    } else if (strcmp(key, "primary") == 0) {
        b->o.soa.primary = zone_build_name(&b->o.apex, w[1]);
    } else if (strcmp(key, "admin") == 0) {
        b->o.soa.admin = zone_build_name(&b->o.apex, w[1]);
    } else if (strcmp(key, "contact") == 0) {
        b->o.contact = w[1];
    } else if (strcmp(key, "hashed") == 0) {
        hash_users(b, w[1]);
    } else if (strcmp(key, "wildcard") == 0) {
        b->o.wildcard_cores = true;
    } else if (strcmp(key, "service") == 0) {
        b->services[b->o.service_names_count++] = w[1];
    } else if (strcmp(key, "nameserver") == 0) {
        b->servers[b->o.nameservers_count++] = (struct zone_nameserver){w[1], w[2]};
    } else if (strcmp(key, "caa") == 0) {
        b->caa = w[1];
    } else if (strcmp(key, "static") == 0 && n >= 5) {
        struct wire_name owner = zone_build_name(&b->o.apex, w[1]);
        add_value(&pending_of(b->entries, &b->entries_count, owner)->records, &b->o.apex, w + 2);
    } else if (strcmp(key, "root") == 0 && n >= 4) {
        add_value(&b->root, &b->o.apex, w + 1);
    } else {
        return false;
    }
    return true;
}

/* Lines for a zone that is there. */
static void content(struct builder *b, char *const *w, int n)
{
    struct err_info info = {.text = ""};
    const char *key = w[0];
    char user[USER_TOKEN_TEXT];
    zone_build_user(b->key, w[1], user);
    if (strcmp(key, "core") == 0) {
        add_core(b->z, w, n);
    } else if (strcmp(key, "-core") == 0) {
        zone_core_delete(b->z, w[1]);
    } else if (strcmp(key, "user") == 0 && n == 3) {
        must(zone_user_put(b->z, user, w[2], &info), w[1], &info);
    } else if (strcmp(key, "-user") == 0) {
        zone_user_delete(b->z, user);
    } else if (strcmp(key, "record") == 0 && n >= 5) {
        struct wire_name owner = zone_build_name(b->apex, w[1]);
        add_value(&pending_of(b->records, &b->records_count, owner)->records, b->apex, w + 2);
    } else if (strcmp(key, "-record") == 0) {
        pending_of(b->records, &b->records_count, zone_build_name(b->apex, w[1]));
    } else if (strcmp(key, "proof") == 0 && n == 4) {
        struct wire_name owner = zone_build_name(b->apex, w[1]);
        struct pending *p = pending_of(b->proofs, &b->proofs_count, owner);
        p->proofs[p->proofs_count++] =
            (struct zone_proof){.value = w[2], .expires_ms = atoll(w[3])};
    } else if (strcmp(key, "-proof") == 0) {
        pending_of(b->proofs, &b->proofs_count, zone_build_name(b->apex, w[1]));
    } else {
        bad(key, "no such line");
    }
}

/* Words between blanks; a record's value is one word to the end of the line. */
static int split(char *line, char **w)
{
    int n = 0;
    int rest = strncmp(line, "root ", 5) == 0                                         ? 3
               : strncmp(line, "static ", 7) == 0 || strncmp(line, "record ", 7) == 0 ? 4
                                                                                      : WORDS_MAX;
    while (n < WORDS_MAX) {
        line += strspn(line, " ");
        if (*line == '\0') {
            break;
        }
        w[n] = line;
        if (n++ == rest) {
            break;
        }
        line += strcspn(line, " ");
        if (*line != '\0') {
            *line++ = '\0';
        }
    }
    return n;
}

static void each_line(struct builder *b, void (*line)(struct builder *b, char *const *w, int n))
{
    char *at = b->text;
    for (char *text; (text = strsep(&at, "\n")) != NULL;) {
        char *w[WORDS_MAX + 1] = {NULL};
        int n = split(text, w);
        if (n >= 2) {
            line(b, w, n);
        } else if (n == 1) {
            bad(w[0], "alone on its line");
        }
    }
}

static void flush(struct builder *b)
{
    struct err_info info = {.text = ""};
    for (size_t i = 0; i < b->records_count; i++) {
        struct pending *p = b->records[i];
        must(zone_records_put(b->z, &p->owner, &p->records, &info), "record", &info);
        record_set_free(&p->records);
        free(p);
    }
    for (size_t i = 0; i < b->proofs_count; i++) {
        struct pending *p = b->proofs[i];
        must(zone_proofs_put(b->z, &p->owner, p->proofs, p->proofs_count, 0, &info), "proof",
             &info);
        free(p);
    }
}

void zone_build_add(struct zone *z, const char *text)
{
    struct builder *b = mem_xalloc(sizeof *b);
    const struct zone_snapshot *s = zone_current(z);
    struct wire_name apex = s->apex;
    b->key = s->user_key;
    zone_snapshot_unref(s);
    b->z = z;
    b->apex = &apex;
    b->text = mem_xstrdup(text);
    each_line(b, content);
    flush(b);
    free(b->text);
    free(b);
}

static void make(struct builder *b)
{
    struct err_info info = {.text = ""};
    for (size_t i = 0; i < b->entries_count; i++) {
        b->statics[i].owner = b->entries[i]->owner;
        b->statics[i].records = &b->entries[i]->records;
    }
    b->o.static_entries = b->statics;
    b->o.static_entries_count = b->entries_count;
    b->o.nameservers = b->servers;
    b->o.service_names = b->services;
    b->o.root = &b->root;
    must(zone_new(&b->o, &b->z, &info), "zone_new", &info);
    if (b->caa != NULL) {
        char text[256];
        snprintf(text, sizeof text, "0 issue \"%s\"", b->caa);
        zone_set_caa(b->z, (const char *const[]){text}, 1);
    }
}

static void option_or_content(struct builder *b, char *const *w, int n)
{
    if (b->z == NULL && option(b, w, n)) {
        return;
    }
    if (b->z == NULL) {
        make(b);
    }
    content(b, w, n);
}

struct zone *zone_build(const char *text, const char *more)
{
    struct builder *b = mem_xalloc(sizeof *b);
    size_t size = strlen(text) + (more != NULL ? strlen(more) : 0) + 2;
    b->o.default_ttl_s = 300;
    b->o.soa = (struct zone_soa){
        .serial = -1, .refresh_s = -1, .retry_s = -1, .expire_s = -1, .minimum_s = -1};
    b->apex = &b->o.apex;
    b->text = mem_xalloc(size);
    snprintf(b->text, size, "%s\n%s", text, more != NULL ? more : "");
    each_line(b, option_or_content);
    if (b->z == NULL) {
        make(b);
    }
    flush(b);
    struct zone *z = b->z;
    for (size_t i = 0; i < b->entries_count; i++) {
        record_set_free(&b->entries[i]->records);
        free(b->entries[i]);
    }
    record_set_free(&b->root);
    free(b->text);
    free(b);
    return z;
}

struct zone_build_find zone_build_find(const struct zone_snapshot *s, const char *name,
                                       uint16_t type)
{
    struct zone_build_find f = {.match = {.kind = ZONE_MISS}};
    struct wire_name n = zone_build_name(&s->apex, name);
    uint8_t at[WIRE_LABELS_MAX + 1];
    unsigned relative;
    unsigned labels = wire_name_offsets(n.bytes, at);
    if (zone_snapshot_covers(s, n.bytes, n.len, at, labels, &relative)) {
        f.match = zone_snapshot_find(s, n.bytes, at, relative, false);
        f.set = f.match.node != NULL ? zone_node_find(f.match.node, type) : NULL;
    }
    return f;
}

static void put_rrset(struct str *out, const struct zone_rrset *set, const struct wire_name *apex)
{
    static uint8_t data[WIRE_RDATA_MAX];
    char type[WIRE_TYPE_TEXT_MAX];
    struct err_info info = {.text = ""};
    wire_type_to_text(set->type, type);
    for (unsigned i = 0; i < set->count; i++) {
        char *text = NULL;
        size_t len = zone_rrset_data(set, i, apex, data, sizeof data);
        must(wire_rdata_to_text(set->type, data, len, &text, &info), type, &info);
        str_appendf(out, "%s %u %s\n", type, set->ttl, text);
        free(text);
    }
}

char *zone_build_text(const struct zone_snapshot *s, const char *name)
{
    static const char *const kinds[] = {"hit", "wild", "miss", "cut"};
    struct str out = {.text = NULL};
    if (strcmp(name, "SOA") == 0) {
        put_rrset(&out, s->soa, &s->apex);
        return out.text;
    }
    struct zone_match m = zone_build_find(s, name, TYPE_A).match;
    str_appendf(&out, "%s\n", kinds[m.kind]);
    for (unsigned i = 0; m.node != NULL && i < m.node->sets_count; i++) {
        put_rrset(&out, m.node->sets[i], &s->apex);
    }
    return out.text;
}
