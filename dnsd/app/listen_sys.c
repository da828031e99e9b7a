/* The TCP ports of the HTTP face: bound before privileges are dropped, listened on later. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app.h"

static int bind_one(const struct net_address *a)
{
    bool v6 = a->sa.ss_family == AF_INET6;
    const int on = 1;
    int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (v6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    if (bind(fd, (const struct sockaddr *)&a->sa,
             v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in)) != 0) {
        int code = errno;
        close(fd);
        errno = code;
        return -1;
    }
    return fd;
}

static enum err add(struct app_listeners *l, const char *ip, uint16_t port, const char *key,
                    bool must, struct err_info *info)
{
    struct net_address a;
    if (net_address_parse(ip, port, &a) != ERR_OK) {
        return err_set(info, ERR_MALFORMED, "http.ip: %s is not an address", ip);
    }
    int fd = bind_one(&a);
    if (fd < 0 && !must && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
        return ERR_OK; /* a machine without IPv6 */
    }
    if (fd < 0) {
        return net_bind_error(&a, "tcp", key, "http.ip", errno, info);
    }
    l->items[l->count].address = a;
    l->items[l->count++].fd = fd;
    return ERR_OK;
}

enum err listen_bind(const char *ip, uint16_t port, const char *key, struct app_listeners *out,
                     struct err_info *info)
{
    out->count = 0;
    if (port == 0) {
        return ERR_OK;
    }
    if (ip != NULL) {
        return add(out, ip, port, key, true, info);
    }
    enum err e = add(out, "0.0.0.0", port, key, true, info);
    return e == ERR_OK ? add(out, "::", port, key, false, info) : e;
}

void listen_close(struct app_listeners *l)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->items[i].fd >= 0) {
            close(l->items[i].fd);
        }
    }
    l->count = 0;
}
