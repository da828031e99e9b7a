/* What http/h1 makes of octets, as text, so that two ways of cutting them can be compared. One line an
 * event; a body is one line however many pieces it came in:
 *
 *     GET /x a 1.1 length=5 close     method, target, host ("-": none), version, what was found
 *       host: a                       each field, if asked for
 *     body hello
 *     end
 *     bad 400
 *     begun                           at last, if a request has begun and more is wanted
 *
 * Each piece is handed over in memory of its own size, so that reading past it is seen by a sanitizer.
 * Asserts on the way what must hold for any input.
 */
#ifndef TESTS_H1_EVENTS_H
#define TESTS_H1_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/h1.h"
#include "lib/str.h"

#define H1_EVENTS_WHOLE  0 /* all at once */
#define H1_EVENTS_OCTETS 1 /* octet by octet; any further seed: at random */

struct h1_events {
    size_t max; /* of h1_init() and http_head_init() */
    uint64_t seed;
    bool fields;                               /* to be written, too */
    void (*on_head)(const struct http_head *); /* may be NULL */
};

void h1_events(const struct h1_events *how, const void *bytes, size_t len, struct str *out);

#endif
