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
    unsigned status; /* 0: found; 404; 405: ALLOW says what is allowed; 501: no registered method */
    unsigned index;  /* of the route in its site; HTTP_ROUTES_MAX: none */
    struct router_param params[HTTP_PARAMS_MAX];
    unsigned params_count;
    char allow[ROUTER_ALLOW_MAX]; /* "GET, HEAD, PUT", in the order of the table */
};

/* PATH is decoded. HEAD is found where GET is; OPTIONS is 405 unless there is a route for it; the path
 * "*" is 405 with what the whole site allows. A parameter is not empty and not longer than
 * HTTP_PARAM_MAX: else the pattern does not match. */
void router_find(const struct http_site *site, const char *method, const char *path,
                 struct router_match *out);

#endif
