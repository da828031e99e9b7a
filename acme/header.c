#include "header.h"

#include <string.h>
#include <strings.h>

#define RETRY_MAX_MS (30LL * 86400 * 1000)
#define TARGET_MAX   2048
#define BLANKS       " \t\r\n"

/* --- times -------------------------------------------------------------------------------- */

struct moment {
    int year, month, day, hour, minute, second;
};

/* Days since 1970-01-01 in the Gregorian calendar: counted from March on, so that the day that comes
 * and goes is a year's last. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool to_ms(const struct moment *m, int64_t *time_ms)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (m->year % 4 == 0 && m->year % 100 != 0) || m->year % 400 == 0;
    if (m->month < 1 || m->month > 12 || m->day < 1 ||
        m->day > lengths[m->month - 1] + (m->month == 2 && leap) || m->hour > 23 ||
        m->minute > 59 || m->second > 60) { /* 60: a leap second */
        return false;
    }
    int64_t s =
        days_of(m->year, m->month, m->day) * 86400 + m->hour * 3600 + m->minute * 60 + m->second;
    *time_ms = s * 1000;
    return true;
}

/* Exactly N digits at *AT. */
static bool number(const char **at, size_t n, int *out)
{
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        if ((*at)[i] < '0' || (*at)[i] > '9') {
            return false;
        }
        *out = *out * 10 + ((*at)[i] - '0');
    }
    *at += n;
    return true;
}

static bool word(const char **at, const char *text)
{
    size_t n = strlen(text);
    if (strncmp(*at, text, n) != 0) {
        return false;
    }
    *at += n;
    return true;
}

static bool month(const char **at, int *out)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++) {
        if (strncmp(*at, names + 3 * i, 3) == 0) {
            *at += 3;
            *out = i + 1;
            return true;
        }
    }
    return false;
}

static bool clock_time(const char **at, struct moment *m)
{
    return number(at, 2, &m->hour) && word(at, ":") && number(at, 2, &m->minute) && word(at, ":") &&
           number(at, 2, &m->second);
}

static bool is_end(const char *at)
{
    return at[strspn(at, BLANKS)] == '\0';
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool imf_fixdate(const char *at, struct moment *m)
{
    return word(&at, " ") && number(&at, 2, &m->day) && word(&at, " ") && month(&at, &m->month) &&
           word(&at, " ") && number(&at, 4, &m->year) && word(&at, " ") && clock_time(&at, m) &&
           word(&at, " GMT") && is_end(at);
}

/* Sunday, 06-Nov-94 08:49:37 GMT */
static bool rfc850_date(const char *at, struct moment *m)
{
    bool ok = word(&at, " ") && number(&at, 2, &m->day) && word(&at, "-") &&
              month(&at, &m->month) && word(&at, "-") && number(&at, 2, &m->year) &&
              word(&at, " ") && clock_time(&at, m) && word(&at, " GMT") && is_end(at);
    m->year += m->year < 70 ? 2000 : 1900;
    return ok;
}

/* Sun Nov  6 08:49:37 1994 */
static bool asctime_date(const char *at, struct moment *m)
{
    return word(&at, " ") && month(&at, &m->month) && word(&at, " ") &&
           (word(&at, " ") ? number(&at, 1, &m->day) : number(&at, 2, &m->day)) && word(&at, " ") &&
           clock_time(&at, m) && word(&at, " ") && number(&at, 4, &m->year) && is_end(at);
}

bool acme_http_date(const char *value, int64_t *time_ms)
{
    struct moment m = {.year = 0};
    if (value == NULL) {
        return false;
    }
    const char *at = value + strspn(value, BLANKS);
    /* The weekday is not looked at: it is in the date already. */
    size_t day = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    if (day < 3) {
        return false;
    }
    at += day;
    bool ok =
        *at == ',' ? imf_fixdate(at + 1, &m) || rfc850_date(at + 1, &m) : asctime_date(at, &m);
    return ok && to_ms(&m, time_ms);
}

/* "Z", "+01:00" */
static bool offset(const char **at, int64_t *ms)
{
    int h, m;
    *ms = 0;
    if (**at == 'Z' || **at == 'z') {
        (*at)++;
        return true;
    }
    int64_t sign = **at == '-' ? -1 : 1;
    if (**at != '+' && **at != '-') {
        return false;
    }
    (*at)++;
    if (!number(at, 2, &h) || !word(at, ":") || !number(at, 2, &m) || h > 23 || m > 59) {
        return false;
    }
    *ms = sign * (h * 60 + m) * 60000;
    return true;
}

bool acme_rfc3339(const char *value, int64_t *time_ms)
{
    struct moment m;
    int64_t fraction_ms = 0, offset_ms = 0, ms;
    const char *at = value;
    if (at == NULL || !number(&at, 4, &m.year) || !word(&at, "-") || !number(&at, 2, &m.month) ||
        !word(&at, "-") || !number(&at, 2, &m.day) || (*at != 'T' && *at != 't')) {
        return false;
    }
    at++;
    if (!clock_time(&at, &m)) {
        return false;
    }
    if (*at == '.') {
        size_t n = strspn(at + 1, "0123456789");
        for (size_t i = 0; i < 3; i++) {
            fraction_ms = fraction_ms * 10 + (i < n ? at[1 + i] - '0' : 0);
        }
        if (n == 0) {
            return false;
        }
        at += 1 + n;
    }
    if (!offset(&at, &offset_ms) || *at != '\0' || !to_ms(&m, &ms)) {
        return false;
    }
    *time_ms = ms + fraction_ms - offset_ms;
    return true;
}

bool acme_retry_after(const char *value, int64_t now_ms, int64_t *wait_ms)
{
    int64_t at_ms, wait = 0;
    if (value == NULL) {
        return false;
    }
    const char *at = value + strspn(value, BLANKS);
    if (*at >= '0' && *at <= '9') {
        for (; *at >= '0' && *at <= '9'; at++) { /* of any length: what is too much is cut */
            wait = wait < RETRY_MAX_MS ? wait * 10 + (*at - '0') * 1000 : wait;
        }
        if (!is_end(at)) {
            return false;
        }
    } else if (acme_http_date(at, &at_ms)) {
        wait = at_ms > now_ms ? at_ms - now_ms : 0;
    } else {
        return false;
    }
    *wait_ms = wait < RETRY_MAX_MS ? wait : RETRY_MAX_MS;
    return true;
}

/* --- Link --------------------------------------------------------------------------------- */

struct text {
    const char *at;
    size_t len;
};

static const char *skip(const char *at)
{
    return at + strspn(at, BLANKS);
}

/* The value of a parameter at *AT, a word or quoted (RFC 9110 §5.6.4; no name of a relation needs a
 * backslash). */
static struct text param_value(const char **at)
{
    struct text v = {.at = *at};
    if (*v.at == '"') {
        v.at++;
        while (v.at[v.len] != '\0' && v.at[v.len] != '"') {
            v.len += v.at[v.len] == '\\' && v.at[v.len + 1] != '\0' ? 2 : 1;
        }
        *at = v.at + v.len + (v.at[v.len] == '"');
    } else {
        v.len = strcspn(v.at, ";, \t");
        *at = v.at + v.len;
    }
    return v;
}

/* One of the words of VALUE is REL (RFC 8288 §3.3). */
static bool has_rel(struct text value, const char *rel)
{
    size_t want = strlen(rel);
    for (size_t i = 0; i < value.len;) {
        size_t n = 0;
        while (i + n < value.len && value.at[i + n] != ' ') {
            n++;
        }
        if (n == want && strncasecmp(value.at + i, rel, n) == 0) {
            return true;
        }
        i += n + 1;
    }
    return false;
}

/* The parameters of one link from *AT to its end. RFC 8288 §3.3: the first `rel` counts; §3.2: with
 * an `anchor` it is about something else. */
static bool params(const char **at, const char *rel)
{
    struct text rels = {.len = 0};
    bool seen = false, elsewhere = false;
    while (*(*at = skip(*at)) == ';') {
        *at = skip(*at + 1);
        struct text name = {.at = *at, .len = strcspn(*at, "=;, \t")};
        *at = skip(*at + name.len);
        if (**at != '=') {
            continue;
        }
        *at = skip(*at + 1);
        struct text value = param_value(at);
        elsewhere = elsewhere || (name.len == 6 && strncasecmp(name.at, "anchor", 6) == 0);
        if (!seen && name.len == 3 && strncasecmp(name.at, "rel", 3) == 0) {
            rels = value;
            seen = true;
        }
    }
    return has_rel(rels, rel) && !elsewhere;
}

/* Goes on from VALUE to the next link: its TARGET, and whether its relation is REL. NULL: no more. */
static const char *next_link(const char *value, const char *rel, struct text *target, bool *is_rel)
{
    const char *at = value + strspn(value, BLANKS ",");
    if (*at != '<') {
        return NULL; /* the end, or nothing that can be read on from */
    }
    *target = (struct text){.at = at + 1, .len = strcspn(at + 1, ">")};
    at += 1 + target->len;
    if (*at != '>') {
        return NULL;
    }
    at++;
    *is_rel = params(&at, rel);
    return *at == ',' || *at == '\0' ? at : NULL;
}

static void take_target(struct text target, const char *base, char *out, size_t room)
{
    char ref[TARGET_MAX];
    out[0] = '\0';
    if (target.len < sizeof ref) {
        memcpy(ref, target.at, target.len);
        ref[target.len] = '\0';
        (void)acme_url_resolve(base, ref, out, room);
    }
}

bool acme_link(const char *value, const char *rel, size_t n, const char *base, char *out,
               size_t room)
{
    struct text target;
    bool is_rel;
    out[0] = '\0';
    while (value != NULL && (value = next_link(value, rel, &target, &is_rel)) != NULL) {
        if (is_rel && n-- == 0) {
            take_target(target, base, out, room);
            return true;
        }
    }
    return false;
}
