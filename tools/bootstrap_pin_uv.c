#include "bootstrap_pin.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "lib/tls_look_uv.h"

#define ADDRESSES_MAX 4 /* that are tried */

struct looking {
    char *out; /* borrowed */
    bool done;
    enum err e;
    struct err_info info;
};

static void on_looked(void *ctx, enum err e, const struct err_info *info,
                      const struct tls_looked *looked)
{
    struct looking *l = ctx;
    l->e = e;
    if (e == ERR_OK) {
        memcpy(l->out, looked->pin, CERT_PIN);
    } else {
        l->info = *info;
    }
    l->done = true;
}

static enum err look(uv_loop_t *loop, const struct bootstrap_url *url,
                     const struct addrinfo *address, char out[CERT_PIN], struct err_info *info)
{
    struct sockaddr_storage to = {.ss_family = AF_UNSPEC};
    struct looking l = {.out = out};
    memcpy(&to, address->ai_addr, address->ai_addrlen);
    /* RFC 6066 §3: an address is no server name. */
    if (tls_look_start(loop, &to, url->is_address ? NULL : url->host, NULL, on_looked, &l) ==
        NULL) {
        return err_set(info, ERR_NOMEM, "no memory");
    }
    while (!l.done) {
        int alive = uv_run(loop, UV_RUN_ONCE);
        assert(alive != 0 || l.done); /* exactly one callback is promised */
    }
    if (l.e != ERR_OK && info != NULL) {
        *info = l.info;
    }
    return l.e;
}

enum err bootstrap_pin(const struct bootstrap_url *url, char out[CERT_PIN], struct err_info *info)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    uv_loop_t loop;
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)url->port);
    int rc = getaddrinfo(url->host, port, &hints, &list);
    if (rc != 0) {
        return err_set(info, ERR_NOTFOUND, "%s: %s", url->host, gai_strerror(rc));
    }
    if (uv_loop_init(&loop) != 0) {
        freeaddrinfo(list);
        return err_set(info, ERR_NOMEM, "no event loop: %m");
    }
    enum err e = ERR_NOTFOUND;
    size_t tried = 0;
    for (struct addrinfo *a = list; a != NULL && e != ERR_OK && tried < ADDRESSES_MAX; tried++) {
        e = look(&loop, url, a, out, info);
        a = a->ai_next;
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    int busy = uv_loop_close(&loop);
    assert(busy == 0);
    freeaddrinfo(list);
    return e;
}
