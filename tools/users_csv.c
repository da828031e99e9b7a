#include "users_csv.h"

#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Takes blanks and one pair of quotes off, in place. */
static char *strip(char *text)
{
    size_t len;
    while (is_blank(*text)) {
        text++;
    }
    len = strlen(text);
    while (len > 0 && is_blank(text[len - 1])) {
        text[--len] = '\0';
    }
    if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
        text[len - 1] = '\0';
        text++;
    }
    return text;
}

static bool is_header(const char *name, const char *core)
{
    return strcasecmp(core, "core") == 0 &&
           (strcasecmp(name, "name") == 0 || strcasecmp(name, "username") == 0);
}

enum err users_csv_read(char *line, bool is_first, struct users_csv_line *out,
                        struct err_info *info)
{
    if (is_first && strncmp(line, "\xef\xbb\xbf", 3) == 0) {
        line += 3; /* the mark that spreadsheets put in front of UTF-8 */
    }
    *out = (struct users_csv_line){.kind = USERS_CSV_NOTHING};
    while (is_blank(*line)) {
        line++;
    }
    if (*line == '\0' || *line == '#') {
        return ERR_OK;
    }
    char *comma = strchr(line, ',');
    if (comma == NULL) {
        return err_set(info, ERR_MALFORMED, "no comma; a line is `name,core`");
    }
    if (strchr(comma + 1, ',') != NULL) {
        return err_set(info, ERR_MALFORMED, "more than two fields; a line is `name,core`");
    }
    *comma = '\0';
    out->name = strip(line);
    out->core = strip(comma + 1);
    if (is_first && is_header(out->name, out->core)) {
        return ERR_OK;
    }
    if (out->core[0] == '\0') {
        return err_set(info, ERR_MALFORMED, "no core; a line is `name,core`");
    }
    out->kind = USERS_CSV_USER;
    return ERR_OK;
}
