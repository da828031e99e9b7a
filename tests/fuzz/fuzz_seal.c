/* Sealed texts out of a store that others write to, and base64: never a crash; nothing opens but what
 * was sealed, and both looks at a text agree on whether it is one.
 *
 * The first octet says what the rest is: 0, a text; 1, the octets of one, behind "ds" and version 2; 2,
 * changes of a good one, two octets each: where and what; 3, base64.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* "the secret", by the key of octets 0 to 31, for purpose "leaf", parts "a.example" and "7". */
#define GOOD "ZHMC0XRKG9PB5uXSVVcXPhTrjkAErbdkZWZnaGlqa2xtbm+WcH0T87cwsmtGJtrpa8AnrUhCjlMpIjMMRA=="

static struct seal_ring *ring;

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "fuzz_seal: %s\n", what);
        abort();
    }
}

static void finish(void)
{
    seal_ring_free(ring);
}

static void start(void)
{
    uint8_t keys[2][SEAL_KEY_LEN];
    for (size_t i = 0; i < SEAL_KEY_LEN; i++) {
        keys[0][i] = (uint8_t)i;
        keys[1][i] = (uint8_t)(0xb0 + i % 16);
    }
    must(seal_ring_new((const uint8_t(*)[SEAL_KEY_LEN])keys, 2, &ring, NULL) == ERR_OK, "a ring");
    atexit(finish);
}

static enum err open_text(const char *text)
{
    static const char *const parts[] = {"a.example", "7"};
    static const struct seal_context place = {.purpose = "leaf", .parts = parts, .parts_count = 2};
    struct err_info info = {.text = ""};
    uint8_t *plain = NULL;
    size_t len = 0;
    char id[SEAL_ID_TEXT];
    enum err e = seal_open(ring, &place, text, &plain, &len, &info);
    must(e == ERR_OK || e == ERR_NOTFOUND || e == ERR_DENIED || e == ERR_MALFORMED, err_text(e));
    must((e == ERR_OK) == (plain != NULL) && (e == ERR_OK) == (info.text[0] == '\0'), "outcome");
    must((seal_text_id(text, id) == ERR_OK) == (e != ERR_MALFORMED), "both looks");
    must(e != ERR_OK || plain[len] == '\0', "an end");
    seal_wipe(plain, len);
    return e;
}

static void try_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    must(text != NULL, "no memory");
    memcpy(text, data, size);
    text[size] = '\0';
    open_text(text);
    free(text);
}

static void try_octets(const uint8_t *data, size_t size)
{
    uint8_t *octets = malloc(size + 3);
    char *text = malloc(BASE64_ROOM(size + 3));
    must(octets != NULL && text != NULL, "no memory");
    memcpy(octets, "ds\2", 3);
    if (size > 0) {
        memcpy(octets + 3, data, size);
    }
    base64_encode(octets, size + 3, text);
    open_text(text);
    free(octets);
    free(text);
}

static void try_changes(const uint8_t *data, size_t size)
{
    char text[] = GOOD;
    for (; size >= 2; data += 2, size -= 2) {
        text[data[0] % (sizeof text - 1)] = (char)data[1];
    }
    must((open_text(text) == ERR_OK) == (strcmp(text, GOOD) == 0), "it opens, and is another");
}

/* What is taken is what would be written. */
static void try_base64(const char *text, size_t len, bool url)
{
    uint8_t *octets = malloc(len / 4 * 3 + 3);
    size_t octets_len = 0;
    must(octets != NULL, "no memory");
    if (url ? base64url_decode(text, len, octets, &octets_len)
            : base64_decode(text, len, octets, &octets_len)) {
        char *again = malloc(BASE64_ROOM(octets_len));
        must(again != NULL, "no memory");
        size_t n = url ? base64url_encode(octets, octets_len, again)
                       : base64_encode(octets, octets_len, again);
        must(n <= len && memcmp(again, text, n) == 0, "another text");
        must(url ? len - n < 3 : len == n, "another length");
        free(again);
    } else {
        must(octets_len == 0, "octets of what is none");
    }
    free(octets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (ring == NULL) {
        start();
    }
    if (size == 0) {
        return 0;
    }
    switch (data[0] % 4) {
    case 0:
        try_text(data + 1, size - 1);
        break;
    case 1:
        try_octets(data + 1, size - 1);
        break;
    case 2:
        try_changes(data + 1, size - 1);
        break;
    default:
        try_base64((const char *)data + 1, size - 1, false);
        try_base64((const char *)data + 1, size - 1, true);
        break;
    }
    return 0;
}
