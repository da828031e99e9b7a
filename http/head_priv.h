/* What the readers of heads share. Private to http/. */
#ifndef HTTP_HEAD_PRIV_H
#define HTTP_HEAD_PRIV_H

#include "head.h"

/* struct http_head.seen */
#define SEEN_ABSOLUTE   1  /* the target had an authority */
#define SEEN_HOST       2  /* the field */
#define SEEN_CODING     4  /* Transfer-Encoding */
#define SEEN_CLOSE      8  /* in Connection */
#define SEEN_KEEP_ALIVE 16 /* in Connection */
#define SEEN_ODD_EXPECT 32

bool http_is_digit(char c);
/* RFC 9110 §5.6.2: one octet at least, letters, digits and a few signs. */
bool http_is_token(const char *text, size_t len);
/* uri-host [":" port] (RFC 9110 §7.2), without a user (§4.2.4), and with a host (§4.2.1). */
bool http_is_authority(const char *text, size_t len);

/* What F, the newest field, means for the request: those that frame it or its connection. */
http_status http_head_judge(struct http_head *h, const struct http_field *f, bool v2);

#endif
