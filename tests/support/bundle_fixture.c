#include "bundle_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cert/authority.h"
#include "cert/csr.h"
#include "cert/key.h"
#include "cluster/bundle_priv.h"
#include "lib/mem.h"
#include "lib/seal.h"
#include "lib/seal_priv.h"

#define NOW BUNDLE_FIXTURE_NOW_MS

/* The authority's key is not in a bundle. */
static char *ca_key;

static void forget(void)
{
    cert_key_pem_free(ca_key);
}

static void sign(const char *ca_pem, const char *key_pem, const char *id, char **cert_pem,
                 char **node_key_pem)
{
    const char *names[] = {id, "core-b.example.test", "192.0.2.11", "2001:db8::11"};
    const struct cert_node_wish wish = {.id = id,
                                        .names = names,
                                        .names_count = 4,
                                        .now_ms = NOW,
                                        .lifetime_s = CERT_NODE_DAYS * INT64_C(86400)};
    struct cert_authority *a = NULL;
    struct cert_key *k = NULL;
    uint8_t *request = NULL;
    size_t len = 0;
    assert_int_equal(
        cert_authority_open(ca_pem, strlen(ca_pem), key_pem, strlen(key_pem), NOW, &a, NULL),
        ERR_OK);
    assert_int_equal(cert_key_new(&k, NULL), ERR_OK);
    assert_int_equal(cert_csr_new(k, names, 1, &request, &len, NULL), ERR_OK);
    assert_int_equal(cert_authority_sign(a, request, len, &wish, cert_pem, NULL), ERR_OK);
    assert_int_equal(cert_key_to_pem(k, node_key_pem, NULL), ERR_OK);
    free(request);
    cert_key_free(k);
    cert_authority_free(a);
}

void bundle_fixture_node(struct bundle *b, const char *id, char **ca_pem)
{
    char *key = NULL;
    free(b->node.cert_pem);
    cert_key_pem_free(b->node.key_pem);
    if (ca_pem != NULL) {
        assert_int_equal(cert_authority_make(NOW, ca_pem, &key, NULL), ERR_OK);
    }
    sign(ca_pem != NULL ? *ca_pem : b->cluster.ca_pem, ca_pem != NULL ? key : ca_key, id,
         &b->node.cert_pem, &b->node.key_pem);
    cert_key_pem_free(key);
}

static void fill_cluster(struct bundle *b)
{
    b->cluster.domain = mem_xstrdup("example.test");
    b->cluster.ack_url = mem_xstrdup("https://192.0.2.10:8446/system/admin/cores/ack");
    b->cluster.join_token = mem_xstrdup("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    b->cluster.issuer = mem_xstrdup("core-a");
    b->cluster.ack_pins[0] = mem_xstrdup("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    b->cluster.ack_pins[1] = mem_xstrdup("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    b->cluster.ack_pins_count = 2;
    b->cluster.members[0] = (struct bundle_member){.id = mem_xstrdup("core-a"),
                                                   .ip = mem_xstrdup("192.0.2.10"),
                                                   .ipv6 = mem_xstrdup("2001:db8::10")};
    b->cluster.members[1] =
        (struct bundle_member){.id = mem_xstrdup("core-c"), .ipv6 = mem_xstrdup("2001:db8::12")};
    b->cluster.members_count = 2;
}

void bundle_fixture(struct bundle *out)
{
    struct bundle *b = out;
    *b = (struct bundle){.version = BUNDLE_VERSION,
                         .issued_ms = NOW,
                         .expires_ms = NOW + 3600 * 1000,
                         .rqlite = {.raft_port = 4002, .http_port = 4001}};
    if (ca_key == NULL) {
        atexit(forget);
    }
    cert_key_pem_free(ca_key);
    ca_key = NULL;
    assert_int_equal(cert_authority_make(NOW, &b->cluster.ca_pem, &ca_key, NULL), ERR_OK);
    fill_cluster(b);
    b->node.id = mem_xstrdup("core-b");
    b->node.ip = mem_xstrdup("192.0.2.11");
    b->node.ipv6 = mem_xstrdup("2001:db8::11");
    b->node.hosting = mem_xstrdup("Z\xc3\xbcrich 1");
    b->node.url = mem_xstrdup("https://b.example.test/");
    bundle_fixture_node(b, "core-b", NULL);
    b->secrets.admin_access_key = mem_xstrdup("the admin's key");
    b->secrets.files_read_token_secret = mem_xstrdup("the files' secret");
    b->secrets.at_rest_key = mem_xstrdup("the key at rest");
    b->secrets.at_rest_keys = json_pack("[s,s]", "the key at rest", "the one before it");
    b->secrets.pii_hmac_key = mem_xstrdup("the pepper");
    b->config = json_pack("{s:{s:i,s:n},s:[s,f]}", "dns", "ttl", 60, "none", "x", "y", 2.5);
}

char *bundle_fixture_seal(const void *text, size_t len)
{
    static const struct seal_phrase_cost cheap = {.log2_n = 10, .r = 1, .p = 1};
    char phrase[BUNDLE_PASSPHRASE_MAX];
    size_t phrase_len = 0, octets_len = 0;
    uint8_t *octets = NULL;
    char *out = NULL;
    assert_int_equal(bundle_passphrase_fold(BUNDLE_FIXTURE_PHRASE, phrase, &phrase_len, NULL),
                     ERR_OK);
    assert_int_equal(
        seal_phrase_close_at(&cheap, phrase, phrase_len, text, len, &octets, &octets_len, NULL),
        ERR_OK);
    assert_int_equal(bundle_armour_write(octets, octets_len, &out, NULL), ERR_OK);
    free(octets);
    return out;
}

char *bundle_fixture_text(const struct bundle *b)
{
    uint8_t *json = NULL;
    size_t len = 0;
    assert_int_equal(bundle_write(b, &json, &len, NULL), ERR_OK);
    char *text = bundle_fixture_seal(json, len);
    seal_wipe(json, len);
    return text;
}

static void same_text(const char *a, const char *b)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a != NULL) {
        assert_string_equal(a, b);
    }
}

static void same_section(const struct bundle_section *s, const void *a, const void *b)
{
    for (size_t i = 0; i < s->count; i++) {
        same_text(*(char *const *)(const void *)((const char *)a + s->fields[i].at),
                  *(char *const *)(const void *)((const char *)b + s->fields[i].at));
    }
}

static void same_json(json_t *a, json_t *b)
{
    assert_int_equal(a == NULL, b == NULL);
    assert_true(a == NULL || json_equal(a, b));
}

void bundle_fixture_same(const struct bundle *a, const struct bundle *b)
{
    assert_int_equal(a->issued_ms, b->issued_ms);
    assert_int_equal(a->expires_ms, b->expires_ms);
    same_section(&bundle_cluster, a, b);
    same_section(&bundle_ca, a, b);
    same_section(&bundle_node, a, b);
    same_section(&bundle_auth, a, b);
    same_section(&bundle_acme, a, b);
    same_section(&bundle_platform, a, b);
    assert_int_equal(a->cluster.ack_pins_count, b->cluster.ack_pins_count);
    for (size_t i = 0; i < a->cluster.ack_pins_count; i++) {
        assert_string_equal(a->cluster.ack_pins[i], b->cluster.ack_pins[i]);
    }
    assert_int_equal(a->cluster.members_count, b->cluster.members_count);
    for (size_t i = 0; i < a->cluster.members_count; i++) {
        same_section(&bundle_member, &a->cluster.members[i], &b->cluster.members[i]);
    }
    assert_int_equal(a->rqlite.raft_port, b->rqlite.raft_port);
    assert_int_equal(a->rqlite.http_port, b->rqlite.http_port);
    same_json(a->secrets.at_rest_keys, b->secrets.at_rest_keys);
    same_json(a->config, b->config);
}
