/* Zone files (RFC 1035 §5.1, RFC 2308 §4). A "line" here is a logical one: parentheses join lines
 * of the file, comments are gone. It is collected first, with a limit, and then read like the text
 * of one record, so that what is accepted here and what the tools accept are the same. */
#include "rdata_priv.h"

#include <stdlib.h>
#include <string.h>

#define LINE_MAX_LEN (WIRE_RDATA_TEXT_MAX + WIRE_NAME_TEXT_MAX + 64)
#define TTL_MAX      INT32_MAX /* RFC 2181 §8 */
#define WORD_MAX     32        /* a TTL, class, type or directive */

struct zone_reader {
    FILE *in;      /* borrowed */
    char *line;    /* owned: LINE_MAX_LEN */
    size_t len;    /* of the line */
    size_t at_row; /* lines of the file read so far */
    size_t row;    /* of the file, where the line starts: for messages */
    int depth;     /* open parentheses */
    bool ended;
    struct wire_name origin;
    struct wire_name owner; /* of the record before */
    bool has_owner;
    uint32_t ttl;    /* for records that give none */
    bool ttl_is_set; /* by $TTL: then a record's own TTL is for that record only */
    uint8_t *rdata;  /* owned: WIRE_RDATA_MAX */
    wire_zone_cb *on_rr;
    void *ctx; /* borrowed */
};

/* ---- logical lines ---- */

static int next_char(struct zone_reader *z)
{
    int c = getc_unlocked(z->in);
    if (c == '\n') {
        z->at_row++;
    }
    return c;
}

static enum err append(struct zone_reader *z, int c, struct err_info *info)
{
    if (c == '\0') {
        return err_set(info, ERR_MALFORMED, "a NUL octet; this is not a text file");
    }
    if (z->len + 1 >= LINE_MAX_LEN) {
        return err_set(info, ERR_LIMIT, "a record of more than %d characters", LINE_MAX_LEN);
    }
    z->line[z->len++] = (char)c;
    return ERR_OK;
}

static enum err take_escape(struct zone_reader *z, struct err_info *info)
{
    int c = next_char(z);
    if (c == EOF || c == '\n' || c == '\r') {
        return err_set(info, ERR_MALFORMED, "a line ends in the middle of an escape");
    }
    enum err e = append(z, '\\', info);
    return e == ERR_OK ? append(z, c, info) : e;
}

static enum err take_quoted(struct zone_reader *z, struct err_info *info)
{
    enum err e = append(z, '"', info);
    while (e == ERR_OK) {
        int c = next_char(z);
        if (c == EOF || c == '\n') {
            return err_set(info, ERR_MALFORMED, "a quoted string has no end on its line");
        }
        e = c == '\\' ? take_escape(z, info) : append(z, c, info);
        if (c == '"') {
            break;
        }
    }
    return e;
}

static int skip_comment(struct zone_reader *z)
{
    int c;
    do {
        c = next_char(z);
    } while (c != '\n' && c != EOF);
    return c;
}

/* *DONE: C ended the logical line. */
static enum err take_char(struct zone_reader *z, int c, bool *done, struct err_info *info)
{
    switch (c) {
    case EOF:
        z->ended = true;
        *done = true;
        return z->depth > 0 ? err_set(info, ERR_MALFORMED, "a '(' without its ')'") : ERR_OK;
    case '\n':
        *done = z->depth == 0;
        return *done ? ERR_OK : append(z, ' ', info);
    case '"':
        return take_quoted(z, info);
    case '\\':
        return take_escape(z, info);
    case '(':
        z->depth++;
        return append(z, ' ', info);
    case ')':
        if (z->depth == 0) {
            return err_set(info, ERR_MALFORMED, "a ')' without its '('");
        }
        z->depth--;
        return append(z, ' ', info);
    case '\r':
        return append(z, ' ', info);
    default:
        return append(z, c, info);
    }
}

static enum err read_line(struct zone_reader *z, struct err_info *info)
{
    bool done = false;
    z->len = 0;
    z->depth = 0;
    z->row = z->at_row + 1;
    while (!done) {
        int c = next_char(z);
        if (c == ';') {
            c = skip_comment(z);
        }
        enum err e = take_char(z, c, &done, info);
        if (e != ERR_OK) {
            return e;
        }
    }
    z->line[z->len] = '\0';
    return ferror(z->in) ? err_set(info, ERR_IO, "the file cannot be read") : ERR_OK;
}

/* ---- what a line says ---- */

static enum err next_word(const char **at, char *word, const char *what, struct err_info *info)
{
    struct wire_token token;
    enum err e = wire_text_next(at, &token, info);
    if (e != ERR_OK) {
        return e;
    }
    if (token.at == NULL) {
        return err_set(info, ERR_MALFORMED, "%s is missing", what);
    }
    if (token.quoted || !wire_text_copy(&token, word, WORD_MAX)) {
        return err_set(info, ERR_MALFORMED, "\"%.*s\" is not %s",
                       (int)(token.len < 60 ? token.len : 60), token.at, what);
    }
    return ERR_OK;
}

static enum err read_name(const struct wire_token *token, const struct wire_name *origin,
                          struct wire_name *out, struct err_info *info)
{
    char text[WIRE_NAME_TEXT_MAX];
    if (token->at == NULL || token->quoted || !wire_text_copy(token, text, sizeof text)) {
        return err_set(info, ERR_MALFORMED, "a name is missing, quoted or too long");
    }
    enum err e = wire_name_from_text(text, origin, out, info);
    return e == ERR_OK ? ERR_OK : err_prefix(info, e, "name \"%.60s\": ", text);
}

static enum err read_origin(struct zone_reader *z, const char **at, struct err_info *info)
{
    struct wire_token token;
    struct wire_name name;
    enum err e = wire_text_next(at, &token, info);
    if (e == ERR_OK) {
        e = read_name(&token, &z->origin, &name, info);
    }
    if (e == ERR_OK) {
        z->origin = name;
    }
    return e;
}

static enum err read_default_ttl(struct zone_reader *z, const char **at, struct err_info *info)
{
    char word[WORD_MAX];
    enum err e = next_word(at, word, "a TTL", info);
    if (e != ERR_OK) {
        return e;
    }
    if (!rdata_period_read(word, TTL_MAX, &z->ttl)) {
        return err_set(info, ERR_MALFORMED, "\"%s\" is not a TTL: seconds, or as in 1h30m", word);
    }
    z->ttl_is_set = true;
    return ERR_OK;
}

static bool word_is(const char *word, const char *upper)
{
    for (; *word != '\0' && *upper != '\0'; word++, upper++) {
        char c = *word >= 'a' && *word <= 'z' ? (char)(*word - 'a' + 'A') : *word;
        if (c != *upper) {
            return false;
        }
    }
    return *word == *upper;
}

static enum err read_directive(struct zone_reader *z, const char *at, struct err_info *info)
{
    char word[WORD_MAX];
    struct wire_token rest;
    enum err e = next_word(&at, word, "a directive", info);
    if (e != ERR_OK) {
        return e;
    }
    if (word_is(word, "$ORIGIN")) {
        e = read_origin(z, &at, info);
    } else if (word_is(word, "$TTL")) {
        e = read_default_ttl(z, &at, info);
    } else if (word_is(word, "$INCLUDE")) {
        return err_set(info, ERR_DENIED, "$INCLUDE is refused; put the files together first");
    } else {
        return err_set(info, ERR_MALFORMED, "%s is not known; $ORIGIN and $TTL are", word);
    }
    if (e == ERR_OK) {
        e = wire_text_next(&at, &rest, info);
    }
    if (e == ERR_OK && rest.at != NULL) {
        e = err_set(info, ERR_MALFORMED, "%s takes one value", word);
    }
    return e;
}

/* TTL and class, both optional and in any order, then the type. */
static enum err read_head(struct zone_reader *z, const char **at, struct wire_zone_rr *rr,
                          struct err_info *info)
{
    char word[WORD_MAX];
    bool has_ttl = false;
    bool has_class = false;
    rr->ttl = z->ttl;
    for (;;) {
        enum err e = next_word(at, word, "a record type", info);
        if (e != ERR_OK) {
            return e;
        }
        if (!has_ttl && word[0] >= '0' && word[0] <= '9') {
            if (!rdata_period_read(word, TTL_MAX, &rr->ttl)) {
                return err_set(info, ERR_MALFORMED, "\"%s\" is not a TTL of at most %d", word,
                               TTL_MAX);
            }
            has_ttl = true;
        } else if (!has_class && word_is(word, "IN")) {
            has_class = true;
        } else {
            break;
        }
    }
    /* RFC 1035 §5.1: an omitted TTL is the last one stated; RFC 2308 §4: unless $TTL says it. */
    if (has_ttl && !z->ttl_is_set) {
        z->ttl = rr->ttl;
    }
    if (word_is(word, "CH") || word_is(word, "HS") || word_is(word, "CS")) {
        return err_set(info, ERR_MALFORMED, "class %s is not served; only IN is", word);
    }
    if (!wire_type_from_text(word, &rr->type)) {
        return err_set(info, ERR_MALFORMED, "\"%s\" is not a record type", word);
    }
    if (!wire_type_is_data(rr->type)) {
        return err_set(info, ERR_MALFORMED, "%s is not a type that a zone holds", word);
    }
    return ERR_OK;
}

static enum err read_record(struct zone_reader *z, const char *at, struct err_info *info)
{
    struct wire_zone_rr rr = {.rdata = z->rdata};
    struct wire_token token;
    enum err e = ERR_OK;
    if (!wire_text_is_blank(*at)) {
        e = wire_text_next(&at, &token, info);
        if (e == ERR_OK) {
            e = read_name(&token, &z->origin, &z->owner, info);
        }
        if (e != ERR_OK) {
            return e;
        }
        z->has_owner = true;
    }
    if (!z->has_owner) {
        return err_set(info, ERR_MALFORMED, "the first record must begin with its name");
    }
    rr.owner = z->owner;
    e = read_head(z, &at, &rr, info);
    if (e == ERR_OK) {
        e = rdata_from_zone_text(rr.type, at, &z->origin, z->rdata, &rr.len, info);
    }
    return e == ERR_OK ? z->on_rr(z->ctx, &rr, info) : e;
}

static enum err read_statement(struct zone_reader *z, struct err_info *info)
{
    enum err e = read_line(z, info);
    if (e != ERR_OK) {
        return e;
    }
    if (z->line[strspn(z->line, " \t")] == '\0') {
        return ERR_OK;
    }
    return z->line[0] == '$' ? read_directive(z, z->line, info) : read_record(z, z->line, info);
}

enum err wire_zone_read(FILE *in, const struct wire_name *origin, uint32_t default_ttl,
                        wire_zone_cb *on_rr, void *ctx, struct err_info *info)
{
    struct zone_reader z = {
        .in = in, .origin = *origin, .ttl = default_ttl, .on_rr = on_rr, .ctx = ctx};
    enum err e = ERR_OK;
    z.line = malloc(LINE_MAX_LEN);
    z.rdata = malloc(WIRE_RDATA_MAX);
    if (z.line == NULL || z.rdata == NULL) {
        e = err_set(info, ERR_NOMEM, "no memory to read a zone file");
        goto out;
    }
    if (info != NULL) {
        info->text[0] = '\0'; /* err_prefix() must not find an older text */
    }
    while (e == ERR_OK && !z.ended) {
        e = read_statement(&z, info);
    }
    if (e != ERR_OK) {
        e = err_prefix(info, e, "line %zu: ", z.row);
    }
out:
    free(z.line);
    free(z.rdata);
    return e;
}
