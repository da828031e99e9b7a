#include "head_priv.h"

#include <string.h>
#include <strings.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- lists -------------------------------------------------------------------------------- */

static bool is_word(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

/* Takes the next element off a list (RFC 9110 §5.6.1), which may be empty; false: there is none. */
static bool next_element(const char **list, const char **element, size_t *len)
{
    const char *at = *list;
    if (at == NULL) {
        return false;
    }
    size_t n = strcspn(at, ",");
    *list = at[n] == ',' ? at + n + 1 : NULL;
    while (n > 0 && (*at == ' ' || *at == '\t')) {
        at++;
        n--;
    }
    while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t')) {
        n--;
    }
    *element = at;
    *len = n;
    return true;
}

/* ---- fields ------------------------------------------------------------------------------- */

static http_status on_host(struct http_head *h, const char *value)
{
    if ((h->seen & SEEN_HOST) != 0 || !http_is_authority(value, strlen(value))) {
        return 400; /* RFC 9112 §3.2 */
    }
    h->seen |= SEEN_HOST;
    return 0;
}

/* RFC 9110 §8.6, RFC 9112 §6.3: one number. "5, 5" and two equal ones might be put right; who sends
 * them wants something else. */
static http_status on_content_length(struct http_head *h, const char *value)
{
    int64_t n = 0;
    bool huge = false;
    if (h->content_length >= 0 || *value == '\0') {
        return 400;
    }
    for (; *value != '\0'; value++) {
        int digit = *value - '0';
        if (!http_is_digit(*value)) {
            return 400;
        }
        huge = huge || n > (INT64_MAX - digit) / 10;
        n = huge ? 0 : n * 10 + digit;
    }
    h->content_length = n;
    return huge ? 413 : 0;
}

/* RFC 9112 §6.1: a coding we do not know is 501, if it is still clear where the body ends (§6.3). */
static http_status on_transfer_encoding(struct http_head *h, const char *value)
{
    const char *list = value;
    const char *element;
    size_t len;
    unsigned chunked = 0;
    unsigned others = 0;
    bool last = false;
    if ((h->seen & SEEN_CODING) != 0) {
        return 400;
    }
    h->seen |= SEEN_CODING;
    h->chunked = strcasecmp(value, "chunked") == 0;
    while (next_element(&list, &element, &len)) {
        last = is_word(element, len, "chunked");
        chunked += last ? 1 : 0;
        others += last || len == 0 ? 0 : 1;
    }
    return h->chunked ? 0 : last && chunked == 1 && others > 0 ? 501 : 400;
}

/* RFC 9110 §7.6.1 */
static http_status on_connection(struct http_head *h, const char *value)
{
    const char *element;
    size_t len;
    while (next_element(&value, &element, &len)) {
        h->seen |= is_word(element, len, "close")        ? SEEN_CLOSE
                   : is_word(element, len, "keep-alive") ? SEEN_KEEP_ALIVE
                                                         : 0;
    }
    return 0;
}

/* RFC 9110 §10.1.1 */
static http_status on_expect(struct http_head *h, const char *value)
{
    if (strcasecmp(value, "100-continue") == 0) {
        h->expect_continue = true;
    } else {
        h->seen |= SEEN_ODD_EXPECT;
    }
    return 0;
}

static http_status on_forbidden(struct http_head *h, const char *value)
{
    (void)h;
    (void)value;
    return 400;
}

/* RFC 9113 §8.2.2 */
static http_status on_te_v2(struct http_head *h, const char *value)
{
    (void)h;
    return strcasecmp(value, "trailers") == 0 ? 0 : 400;
}

static const struct {
    const char *name;
    http_status (*v1)(struct http_head *h, const char *value);
    http_status (*v2)(struct http_head *h, const char *value);
} known[] = {
    {"host", on_host, on_host},
    {"content-length", on_content_length, on_content_length},
    {"transfer-encoding", on_transfer_encoding, on_forbidden},
    {"connection", on_connection, on_forbidden},
    {"expect", on_expect, on_expect},
    {"te", NULL, on_te_v2},
    {"keep-alive", NULL, on_forbidden},
    {"proxy-connection", NULL, on_forbidden},
    {"upgrade", NULL, on_forbidden}, /* RFC 9110 §7.8: may be ignored in HTTP/1.1 */
};

http_status http_head_judge(struct http_head *h, const struct http_field *f, bool v2)
{
    for (size_t i = 0; i < COUNT(known); i++) {
        if (strcmp(known[i].name, f->name) == 0) {
            http_status (*judge)(struct http_head *, const char *) = v2 ? known[i].v2 : known[i].v1;
            return judge != NULL ? judge(h, f->value) : 0;
        }
    }
    return 0;
}
