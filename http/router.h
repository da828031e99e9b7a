/* Which route a request is for. Pure; any thread. */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include "server.h"

#define ROUTER_ALLOW_MAX 128

struct router_param {
    const char *name; /* borrowed from the pattern: NAME_LEN octets */
    size_t name_len;
    char value[HTTP_PARAM_MAX + 1];
};

struct router_match {
    unsigned status; /* 0: found; 404; 405: ALLOW says what is allowed; 501: a method nobody knows */
    unsigned index;  /* of the route in its site; HTTP_ROUTES_MAX: none */
    struct router_param params[HTTP_PARAMS_MAX];
    unsigned params_count;
    char allow[ROUTER_ALLOW_MAX]; /* "GET, HEAD, PUT" */
};

/* PATH is decoded. HEAD is found where GET is; OPTIONS is 405 unless there is a route for it. A segment
 * that is longer than HTTP_PARAM_MAX matches no pattern. */
void router_find(const struct http_site *site, const char *method, const char *path,
                 struct router_match *out);

#endif
