#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sync_priv.h"

#define HOST_MAX  253 /* RFC 1035 §2.3.4, as text without the last dot */
#define LABEL_MAX 63

/* RFC 1123 §2.1. Writes it in lower case. */
static bool copy_label(const char *label, size_t len, char *out)
{
    bool good = len > 0 && len <= LABEL_MAX && label[0] != '-' && label[len - 1] != '-';
    for (size_t i = 0; good && i < len; i++) {
        char c = label[i];
        if (c >= 'A' && c <= 'Z') {
            c = (char)(c - 'A' + 'a');
        }
        good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        out[i] = c;
    }
    return good;
}

enum err sync_name_folder(const char *hostname, char out[SYNC_HOST_MAX], struct err_info *info)
{
    static const char star[] = "wildcard.";
    const char *at = hostname;
    size_t to = 0;
    bool good = strnlen(hostname, HOST_MAX + 1) <= HOST_MAX;
    if (strncmp(at, "*.", 2) == 0) {
        memcpy(out, star, sizeof star - 1);
        to = sizeof star - 1;
        at += 2;
    }
    while (good) {
        size_t len = strcspn(at, ".");
        good = copy_label(at, len, out + to);
        to += len;
        if (!good || at[len] == '\0') {
            break;
        }
        out[to++] = '.';
        at += len + 1;
    }
    if (!good) {
        return err_set(info, ERR_MALFORMED, "not the name of a host: %.*s", HOST_MAX, hostname);
    }
    out[to] = '\0';
    return ERR_OK;
}

/* ---- generations --------------------------------------------------------------------------- */

void sync_gen_init(struct sync_gen *g, uint64_t number, int64_t issued_ms,
                   const uint8_t digest[DIGEST_SHA256_LEN])
{
    *g = (struct sync_gen){.number = number, .issued_ms = issued_ms > 0 ? issued_ms : 0};
    for (size_t i = 0; i < SYNC_PRINT_LEN / 2; i++) {
        snprintf(g->print + 2 * i, 3, "%02x", digest[i]);
    }
}

void sync_gen_format(const struct sync_gen *g, char out[SYNC_FOLDER_MAX])
{
    snprintf(out, SYNC_FOLDER_MAX, "%08" PRIu64 "-%013" PRId64 "-%s", g->number, g->issued_ms,
             g->print);
}

/* The decimal number at *AT, which is moved behind it and a hyphen. */
static bool take_number(const char **at, uint64_t max, uint64_t *out)
{
    size_t digits = strspn(*at, "0123456789");
    uint64_t n = 0;
    if (digits == 0 || (*at)[digits] != '-') {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        unsigned digit = (unsigned)((*at)[i] - '0');
        if (n > (max - digit) / 10) {
            return false;
        }
        n = n * 10 + digit;
    }
    *out = n;
    *at += digits + 1;
    return true;
}

bool sync_gen_parse(const char *folder, struct sync_gen *out)
{
    struct sync_gen g = {.number = 0};
    char again[SYNC_FOLDER_MAX];
    const char *at = folder;
    uint64_t issued;
    if (!take_number(&at, UINT64_MAX, &g.number) || !take_number(&at, INT64_MAX, &issued) ||
        strspn(at, "0123456789abcdef") != SYNC_PRINT_LEN || at[SYNC_PRINT_LEN] != '\0') {
        return false;
    }
    g.issued_ms = (int64_t)issued;
    memcpy(g.print, at, sizeof g.print);
    sync_gen_format(&g, again);
    if (strcmp(again, folder) != 0) { /* one generation, one name */
        return false;
    }
    *out = g;
    return true;
}

bool sync_gen_older(const struct sync_gen *a, const struct sync_gen *b)
{
    bool counted = a->number != 0 && b->number != 0;
    if (strcmp(a->print, b->print) == 0) {
        return false;
    }
    if (a->issued_ms == b->issued_ms) {
        return a->number < b->number;
    }
    return a->issued_ms < b->issued_ms && (!counted || a->number <= b->number);
}
