/* The prefixes of keyValue's keys, and how SQL asks for one of them. Ranges, not LIKE: they use the
 * index, and '_' and '%' in names mean themselves. '0' is the byte after '/'.
 */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#define KEY_CHALLENGE "challenge/" /* not in keyValue: only the feed and scans call it so */
#define KEY_CORE      "core-info/"
#define KEY_RECORD    "dns-record/"
#define KEY_USER      "user-core/"
#define KEY_CERT      "tls-cert/"
#define KEY_ACCOUNT   "acme-account/" /* not in keyValue: only the feed calls it so */

/* Not in keyValue: only limits know them. */
#define KEY_HTTP01  "http-01/"
#define KEY_ALPN01  "alpn-01/"
#define KEY_LEASE   "lease/"
#define KEY_ORDER   "acme-order/"
#define KEY_ATTEMPT "acme-attempt/"
#define KEY_JOB     "acme-job/"
#define KEY_WITNESS "acme-witness/"
#define KEY_TOKEN   "join-token/"
#define KEY_SERIAL  "node-cert/"

#define KEY_RECORD_END "dns-record0"

#define IS_CORE(key)   "(" key " >= 'core-info/' AND " key " < 'core-info0')"
#define IS_RECORD(key) "(" key " >= 'dns-record/' AND " key " < '" KEY_RECORD_END "')"
#define IS_CERT(key)   "(" key " >= 'tls-cert/' AND " key " < 'tls-cert0')"
/* Two bare terms, exactly those of the partial index dnsd_user_core: SQLite compares them by form.
 */
#define IS_USER(key) key " >= 'user-core/' AND " key " < 'user-core0'"

/* Is the row one that the feed tells of with its value? */
#define IS_FED(key) "(" IS_CORE(key) " OR " IS_RECORD(key) " OR (" IS_USER(key) "))"
/* Or at least by its key? */
#define IS_TOLD(key) "(" IS_FED(key) " OR " IS_CERT(key) ")"

#endif
