#include "range.h"

#include <string.h>

#include "keys.h"

/* The least text above all that begin with PREFIX: its last byte plus one. Bytes from 0x7f on are
 * left off first, since a byte that is not ASCII would no longer be UTF-8 (rqlite: JSON). */
static void end_of(const char *prefix, char *out)
{
    size_t len = strlen(prefix);
    while ((unsigned char)prefix[len - 1] >= 0x7e) {
        len--; /* ends at the kind's '/' at the latest */
    }
    memcpy(out, prefix, len);
    out[len - 1]++;
    out[len] = '\0';
}

size_t range_of(const char *prefix, struct range out[RANGE_KINDS])
{
    static const char *const kinds[RANGE_KINDS] = {KEY_CHALLENGE, KEY_CORE, KEY_RECORD, KEY_USER};
    size_t count = 0;
    for (size_t i = 0; i < RANGE_KINDS; i++) {
        const char *low = NULL;
        if (strncmp(prefix, kinds[i], strlen(kinds[i])) == 0) {
            low = prefix;
        } else if (strncmp(prefix, kinds[i], strlen(prefix)) == 0) {
            low = kinds[i];
        }
        if (low != NULL) {
            memcpy(out[count].low, low, strlen(low) + 1);
            end_of(low, out[count].high);
            out[count++].challenge = i == 0;
        }
    }
    return count;
}
