/* A bundle from whoever hands one over: its armour, its envelope and what is inside, each by itself, so that what
 * is behind a key is reached without one.
 *
 * The first octet says what the rest is: 0, a text with armour; 1, the JSON of an opened bundle; 2, an
 * envelope's octets behind a header of low cost; 3, a time; 4, a passphrase file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/bundle_priv.h"
#include "cluster/token.h"
#include "lib/seal.h"
#include "lib/seal_phrase.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS INT64_C(1780000000250)

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fuzz_bundle: %s\n", what);
        abort();
    }
}

/* What is taken is what would be written, but for white space. */
static void try_armour(const char *text, size_t len)
{
    struct err_info info = {.text = ""};
    uint8_t *octets = NULL, *again = NULL;
    size_t octets_len = 0, again_len = 0;
    char *clean = NULL;
    enum err e = bundle_armour_read(text, len, &octets, &octets_len, &info);
    must(e == ERR_OK || e == ERR_MALFORMED || e == ERR_LIMIT, err_text(e));
    must((e == ERR_OK) == (octets != NULL) && (e == ERR_OK) == (info.text[0] == '\0'), "outcome");
    if (e == ERR_OK) {
        must(bundle_armour_write(octets, octets_len, &clean, NULL) == ERR_OK, "writing");
        must(bundle_armour_read(clean, strlen(clean), &again, &again_len, NULL) == ERR_OK, "again");
        must(again_len == octets_len && memcmp(again, octets, again_len) == 0, "the same");
    }
    free(octets);
    free(clean);
    free(again);
}

static void must_be_sound(const struct bundle *b)
{
    char hash[TOKEN_HASH];
    must(b->version >= 1 && b->version <= BUNDLE_VERSION, "version");
    must(b->cluster.ack_url != NULL && b->cluster.join_token != NULL && b->cluster.ca_pem != NULL,
         "cluster");
    must(b->node.id != NULL && b->node.cert_pem != NULL && b->node.key_pem != NULL, "node");
    must(strcspn(b->node.id, "/.\n\"' ") == strlen(b->node.id), "an id");
    must(b->version < 4 || (b->cluster.issuer != NULL && b->expires_ms > b->issued_ms),
         "version 4");
    must(b->rqlite.raft_port > 0 && b->rqlite.http_port > 0, "ports");
    must(b->cluster.members_count <= BUNDLE_MEMBERS_MAX &&
             b->cluster.ack_pins_count <= BUNDLE_PINS_MAX,
         "lists");
    (void)token_hash(b->cluster.join_token, hash);
}

/* What was read is written so that it is read as the same. */
static void try_again(const struct bundle *b)
{
    uint8_t *text[2] = {NULL, NULL};
    size_t len[2] = {0, 0};
    struct bundle again;
    struct err_info info = {.text = ""};
    must(bundle_write(b, &text[0], &len[0], &info) == ERR_OK, info.text);
    enum err e = bundle_read((const char *)text[0], len[0], &again, &info);
    must(e == ERR_OK || b->version < 4, info.text); /* what is new in version 4 may be missing */
    if (e == ERR_OK) {
        must(bundle_write(&again, &text[1], &len[1], NULL) == ERR_OK, "writing");
        must(len[0] == len[1] && memcmp(text[0], text[1], len[0]) == 0, "the same");
        bundle_free(&again);
    }
    seal_wipe(text[0], len[0]);
    seal_wipe(text[1], len[1]);
}

static void try_json(const char *text, size_t len)
{
    static const struct bundle none;
    struct err_info info = {.text = ""};
    struct bundle b;
    enum err e = bundle_read(text, len, &b, &info);
    must(e == ERR_OK || e == ERR_MALFORMED || e == ERR_LIMIT, err_text(e));
    must((e == ERR_OK) == (info.text[0] == '\0'), "outcome");
    if (e != ERR_OK) {
        must(memcmp(&b, &none, sizeof b) == 0, "nothing left");
        return;
    }
    must_be_sound(&b);
    try_again(&b);
    e = bundle_check(&b, NOW_MS, &info);
    must(e == ERR_OK || e == ERR_MALFORMED || e == ERR_DENIED || e == ERR_TIMEOUT ||
             e == ERR_CONFLICT || e == ERR_LIMIT,
         err_text(e));
    bundle_free(&b);
}

static void try_envelope(const uint8_t *data, size_t size)
{
    uint8_t *octets = malloc(size + 4), *plain = NULL;
    size_t len = 0;
    must(octets != NULL, "no memory");
    memcpy(octets, "\2\12\1\1", 4);
    if (size > 0) {
        memcpy(octets + 4, data, size);
    }
    enum err e = seal_phrase_open("x", 1, octets, size + 4, &plain, &len, NULL);
    must(e == ERR_MALFORMED || e == ERR_LIMIT || e == ERR_DENIED, err_text(e));
    must(plain == NULL, "something opens");
    free(octets);
}

static void try_time(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), again[BUNDLE_TIME];
    int64_t ms = 0, same = 0;
    must(text != NULL, "no memory");
    memcpy(text, data, size);
    text[size] = '\0';
    if (bundle_time_read(text, &ms)) {
        bundle_time_write(ms, again);
        must(bundle_time_read(again, &same) && same == ms, "another time");
        must(strncmp(text, again, 19) == 0, "another text");
    }
    free(text);
}

static void try_passphrase(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), folded[BUNDLE_PASSPHRASE_MAX];
    const char *out = NULL;
    size_t len = 0;
    must(text != NULL, "no memory");
    memcpy(text, data, size);
    text[size] = '\0';
    if (bundle_passphrase_read(text, size, &out, NULL) == ERR_OK) {
        must(out == text && out[0] != '\0' && strcspn(out, "\r\n") == strlen(out), "a line");
        enum err e = bundle_passphrase_fold(out, folded, &len, NULL);
        must((e == ERR_OK) == (len > 0 && len <= strlen(out)) || len == sizeof folded, "folded");
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    switch (data[0] % 5) {
    case 0:
        try_armour((const char *)data + 1, size - 1);
        break;
    case 1:
        try_json((const char *)data + 1, size - 1);
        break;
    case 2:
        try_envelope(data + 1, size - 1);
        break;
    case 3:
        try_time(data + 1, size - 1);
        break;
    default:
        try_passphrase(data + 1, size - 1);
        break;
    }
    return 0;
}
