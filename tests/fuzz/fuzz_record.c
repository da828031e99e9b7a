/* Record text, record JSON, record octets and zone files from strangers. What is accepted must
 * print and read back to the same octets; everything else must only be refused.
 *
 * The first octet chooses: 't' TYPE blank text, 'w' TYPE blank octets, 'j' JSON, 'z' a zone file.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnsd/wire/rdata.h"
#include "dnsd/zone/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 100000

static uint8_t first[WIRE_RDATA_MAX];
static uint8_t second[WIRE_RDATA_MAX];
static struct err_info info;

static struct wire_name name_of(const char *text)
{
    struct wire_name name;
    enum err e = wire_name_from_text(text, NULL, &name, NULL);
    assert(e == ERR_OK);
    return name;
}

/* BYTES are well-formed: their text must read back to them, whoever reads it. */
static void check_inverse(uint16_t type, const uint8_t *bytes, size_t len)
{
    struct wire_name other = name_of("else.where");
    char *text = NULL;
    size_t len2 = 0;
    enum err e = wire_rdata_to_text(type, bytes, len, &text, &info);
    assert(e == ERR_OK);
    assert(strlen(text) < WIRE_RDATA_TEXT_MAX);
    for (int input = 0; input < 2; input++) {
        e = input ? wire_rdata_from_input(type, text, &other, second, &len2, &info)
                  : wire_rdata_from_text(type, text, &other, second, &len2, &info);
        assert(e == ERR_OK);
        assert(len2 == len && memcmp(bytes, second, len) == 0);
    }
    free(text);
}

/* The type in front of the blank; NULL if there is none. */
static const char *take_type(const char *text, uint16_t *type)
{
    char word[WIRE_TYPE_TEXT_MAX];
    const char *blank = strchr(text, ' ');
    if (blank == NULL || (size_t)(blank - text) >= sizeof word) {
        return NULL;
    }
    memcpy(word, text, (size_t)(blank - text));
    word[blank - text] = '\0';
    return wire_type_from_text(word, type) ? blank + 1 : NULL;
}

static void fuzz_text(const char *input)
{
    struct wire_name apex = name_of("mc.example.com");
    uint16_t type = 0;
    size_t len = 0;
    const char *text = take_type(input, &type);
    if (text == NULL) {
        return;
    }
    if (wire_rdata_from_text(type, text, &apex, first, &len, &info) == ERR_OK) {
        check_inverse(type, first, len);
    } else {
        assert(info.text[0] != '\0');
    }
    if (wire_rdata_from_input(type, text, &apex, first, &len, &info) == ERR_OK) {
        check_inverse(type, first, len);
    }
}

static void fuzz_octets(const char *input, size_t size)
{
    uint16_t type = 0;
    const char *bytes = take_type(input, &type);
    if (bytes == NULL) {
        return;
    }
    size_t len = size - (size_t)(bytes - input);
    if (wire_rdata_check(type, (const uint8_t *)bytes, len, &info) == ERR_OK) {
        check_inverse(type, (const uint8_t *)bytes, len);
    }
}

static void no_problem(void *ctx, const char *where, const char *why)
{
    (void)ctx;
    fprintf(stderr, "%s: %s\n", where, why);
    abort();
}

static void fuzz_json(const char *json)
{
    struct wire_name apex = name_of("mc.example.com");
    struct wire_name owner = name_of("www.mc.example.com");
    struct record_set set;
    struct record_set again;
    enum err e = record_from_json(json, &apex, 300, &set, NULL, NULL);
    if (e == ERR_OK) {
        char *text = record_to_json(&set, &apex);
        e = record_from_json(text, &apex, 300, &again, no_problem, NULL);
        assert(e == ERR_OK);
        assert(record_equal(&set, &again));
        char *text2 = record_to_json(&again, &apex);
        assert(strcmp(text, text2) == 0);
        if (record_check(&set, &owner, &apex, &info) != ERR_OK) {
            assert(info.text[0] != '\0');
        }
        free(text);
        free(text2);
        record_set_free(&again);
    }
    record_set_free(&set);
}

static enum err on_rr(void *ctx, const struct wire_zone_rr *rr, struct err_info *why)
{
    struct wire_name again;
    (void)ctx;
    (void)why;
    assert(wire_type_is_data(rr->type) && rr->ttl <= RECORD_TTL_MAX);
    assert(wire_name_from_wire(rr->owner.bytes, rr->owner.len, &again) == ERR_OK);
    assert(again.len == rr->owner.len && again.labels == rr->owner.labels);
    check_inverse(rr->type, rr->rdata, rr->len);
    return ERR_OK;
}

static void fuzz_zone(const char *text, size_t size)
{
    struct wire_name apex = name_of("mc.example.com");
    FILE *in = size > 0 ? fmemopen((void *)text, size, "r") : NULL;
    if (in == NULL) {
        return;
    }
    if (wire_zone_read(in, &apex, 300, on_rr, NULL, &info) != ERR_OK) {
        assert(strncmp(info.text, "line ", 5) == 0);
    }
    fclose(in);
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
    info.text[0] = '\0';
    switch (data[0]) {
    case 't':
        fuzz_text(text);
        break;
    case 'w':
        fuzz_octets(text, size - 1);
        break;
    case 'j':
        fuzz_json(text);
        break;
    case 'z':
        fuzz_zone(text, size - 1);
        break;
    default:
        break;
    }
    free(text);
    return 0;
}
