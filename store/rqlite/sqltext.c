#include "sqltext.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

/* Behind the quoted text that begins at SQL. A doubled quote inside looks like the end of one text
 * and the beginning of another, which comes to the same. */
static const char *skip_quoted(const char *sql)
{
    const char *end = strchr(sql + 1, *sql);
    assert(end != NULL);
    return end + 1;
}

static bool is_word(const char *at, const char *word)
{
    size_t len = strlen(word);
    return at[-1] == ' ' && strncmp(at, word, len) == 0 && (at[len] == ' ' || at[len] == '(');
}

struct sqltext_shape sqltext_shape(const char *sql)
{
    static const char select[] = "SELECT ";
    struct sqltext_shape shape = {.columns = 1, .one_row = true};
    size_t depth = 0;
    assert(strncmp(sql, select, strlen(select)) == 0);
    for (const char *at = sql + strlen(select); *at != '\0';) {
        if (*at == '\'') {
            at = skip_quoted(at);
            continue;
        }
        if (depth == 0 && (is_word(at, "FROM") || is_word(at, "WHERE"))) {
            shape.one_row = false;
            break;
        }
        depth += *at == '(';
        depth -= *at == ')';
        shape.columns += *at == ',' && depth == 0;
        at++;
    }
    return shape;
}

const char *sqltext_param(const char *sql, const char **end, size_t *n)
{
    while (*sql != '\0' && *sql != '?') {
        sql = *sql == '\'' ? skip_quoted(sql) : sql + 1;
    }
    if (*sql == '\0') {
        return NULL;
    }
    const char *at = sql + 1;
    *n = 0;
    while (isdigit((unsigned char)*at)) {
        *n = *n * 10 + (size_t)(*at - '0');
        at++;
    }
    assert(*n > 0);
    *end = at;
    return sql;
}
