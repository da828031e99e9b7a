/* The lexical layer of presentation form (RFC 1035 §5.1), shared by names, record data and zone
 * files: blanks, quoted strings, \X and \DDD escapes. Pure; any thread. Everything borrows the
 * text.
 */
#ifndef DNSD_WIRE_TEXT_PRIV_H
#define DNSD_WIRE_TEXT_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"

struct wire_token {
    const char *at; /* borrowed; NULL: the text is at its end */
    size_t len;     /* escapes still in it; without the quotes if quoted */
    bool quoted;
};

bool wire_text_is_blank(char c);

/* Takes one octet off *AT, which is before END: a plain one, \X or \DDD. */
enum err wire_text_octet(const char **at, const char *end, uint8_t *out,
                         struct err_info *info) MUST_USE;

/* Takes the next token off *AT: a quoted string, or a run without blanks. Inside a run a quoted
 * part may hold blanks (alpn="h2"); it stays as written. */
enum err wire_text_next(const char **at, struct wire_token *out, struct err_info *info) MUST_USE;

/* Writes the octets of a token, escapes resolved. A bare quote inside is refused. */
enum err wire_text_octets(const struct wire_token *token, struct buf_writer *out,
                          struct err_info *info) MUST_USE;

/* Copies a token for functions that want a terminated string; false if it does not fit. */
bool wire_text_copy(const struct wire_token *token, char *out, size_t cap);

/* Writes one octet as it must stand inside quotes, or bare (then blanks and the characters that
 * mean something in a zone file are escaped as well). */
void wire_text_put(struct buf_writer *out, uint8_t octet, bool bare);

#endif
