/* Clients of the API that struct httpc is none of: of the cluster's site, with a certificate or without; and
 * from elsewhere than this machine, without TLS. One HTTP/1.1 request on a connection. cmocka assertions;
 * deadlines instead of sleeps.
 */
#ifndef TESTS_SUPPORT_API_RAW_H
#define TESTS_SUPPORT_API_RAW_H

#include "api_fixture.h"
#include "tls_peer.h"

/* Made once for a process: the cluster's CA, and what the site shows and asks for. */
struct web_cluster {
    struct tls_made *ca;
    struct tls_made *core_b; /* a certificate of core-b's, from the CA */
    struct tls_context *context;
};
const struct web_cluster *web_cluster(void);
/* The serial number of M, hex in lower case, and its fingerprint. */
void web_serial(const struct tls_made *m, char out[41]);
void web_fingerprint(const struct tls_made *m, char out[65]);

struct web_raw {
    struct web *web;        /* borrowed */
    struct web_got *got;    /* borrowed */
    struct tls_caller *tls; /* owned; NULL: none */
    int fd;
    bool eof;
    struct str in; /* owned */
};
/* Connects and asks; web_raw_wait() brings the answer into *got and ends the connection. SHOWN: a certificate
 * (NULL: none). */
void web_tls_start(struct web *w, const struct web_ask *ask, const struct tls_made *shown,
                   struct web_raw *c, struct web_got *got);
void web_raw_wait(struct web_raw *c);
/* Goes without waiting. */
void web_raw_leave(struct web_raw *c);
/* Both. */
void web_tls_ask(struct web *w, const struct web_ask *ask, const struct tls_made *shown,
                 struct web_got *got);
/* The same without TLS, from 192.0.2.1. */
void web_far_ask(struct web *w, const struct web_ask *ask, struct web_got *got);

#endif
