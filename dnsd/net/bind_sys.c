/* Sockets: made, bound and handed out before privileges are dropped. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/mem.h"
#include "net.h"

/* The port is the system's choice for UDP; whether TCP has it too is luck, so it may try again. */
#define PORT_TRIES 32
/* A burst of a tenth of a second at 300,000 packets; the system's own limit caps it silently. */
#define SOCKET_BUFFER (4 * 1024 * 1024)

enum err net_address_parse(const char *ip, uint16_t port, struct net_address *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out->sa;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->sa;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return ERR_OK;
    }
    if (inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        return ERR_OK;
    }
    return ERR_MALFORMED;
}

static uint16_t *port_of(struct net_address *a)
{
    return a->sa.ss_family == AF_INET ? &((struct sockaddr_in *)&a->sa)->sin_port
                                      : &((struct sockaddr_in6 *)&a->sa)->sin6_port;
}

void net_address_text(const struct net_address *a, char out[NET_ADDRESS_TEXT_MAX])
{
    char ip[INET6_ADDRSTRLEN] = "?";
    uint16_t port = ntohs(*port_of((struct net_address *)a));
    if (a->sa.ss_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)&a->sa)->sin_addr, ip, sizeof ip);
        snprintf(out, NET_ADDRESS_TEXT_MAX, "%s:%u", ip, port);
    } else {
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)&a->sa)->sin6_addr, ip, sizeof ip);
        snprintf(out, NET_ADDRESS_TEXT_MAX, "[%s]:%u", ip, port);
    }
}

static socklen_t length_of(const struct net_address *a)
{
    return a->sa.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static enum err explain(const struct net_address *a, int type, int code, struct err_info *info)
{
    char text[NET_ADDRESS_TEXT_MAX];
    const char *kind = type == SOCK_DGRAM ? "udp" : "tcp";
    net_address_text(a, text);
    switch (code) {
    case EADDRINUSE:
        return err_set(info, ERR_BUSY,
                       "cannot listen on %s (%s): another program has this port; find it with `ss "
                       "-lnp` and stop it, or choose another dns.port or dns.ip",
                       text, kind);
    case EACCES:
    case EPERM:
        return err_set(
            info, ERR_DENIED,
            "cannot listen on %s (%s): ports below 1024 need the right to; start as root "
            "with `user:` set, or grant CAP_NET_BIND_SERVICE",
            text, kind);
    case EADDRNOTAVAIL:
        return err_set(info, ERR_IO,
                       "cannot listen on %s (%s): not an address of this machine; see `ip address` "
                       "and dns.ip",
                       text, kind);
    default:
        return err_set(info, ERR_IO, "cannot listen on %s (%s): %s", text, kind, strerror(code));
    }
}

static bool set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

static bool is_any(const struct net_address *a)
{
    if (a->sa.ss_family == AF_INET) {
        return ((const struct sockaddr_in *)&a->sa)->sin_addr.s_addr == htonl(INADDR_ANY);
    }
    return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)&a->sa)->sin6_addr);
}

/* Answers leave in one piece whatever ICMP says of the path: a forged "too big" must not make us
 * fragment, and fragments are what poisoners need. The kernel's buffers are best effort. */
static bool set_udp(int fd, const struct net_address *a)
{
    bool v4 = a->sa.ss_family == AF_INET;
    bool ok = v4 ? set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT)
                 : set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
    if (is_any(a)) {
        ok = ok &&
             (v4 ? set(fd, IPPROTO_IP, IP_PKTINFO, 1) : set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
    }
    set(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER);
    set(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER);
    return ok;
}

/* A bound socket, or -1 and errno. SHARED: others of ours may have the same address. */
static int bind_one(const struct net_address *a, int type, bool shared)
{
    int fd = socket(a->sa.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    bool ok = !shared || set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (a->sa.ss_family == AF_INET6) {
        ok = ok && set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    if (type == SOCK_STREAM) {
        ok = ok && set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    } else {
        ok = ok && set_udp(fd, a);
    }
    if (!ok || bind(fd, (const struct sockaddr *)&a->sa, length_of(a)) != 0) {
        int code = errno;
        close(fd);
        errno = code;
        return -1;
    }
    return fd;
}

/* With SO_REUSEPORT a second dnsd would get half of our packets instead of an error; so first
 * somebody who does not share must be able to have the port. */
static int probe(const struct net_address *a, int type)
{
    int fd = bind_one(a, type, false);
    if (fd < 0) {
        return -1;
    }
    if (type == SOCK_STREAM && listen(fd, 1) != 0) {
        int code = errno;
        close(fd);
        errno = code;
        return -1;
    }
    close(fd);
    return 0;
}

static enum err bind_kind(struct net_bound *b, int type, int *fds, unsigned workers,
                          struct err_info *info)
{
    for (unsigned i = 0; i < workers; i++) {
        fds[i] = bind_one(&b->address, type, true);
        if (fds[i] < 0) {
            return explain(&b->address, type, errno, info);
        }
    }
    return ERR_OK;
}

/* Which port 0 stands for: one that both kinds can have. */
static enum err pick_port(struct net_address *a, struct err_info *info)
{
    for (int i = 0; i < PORT_TRIES; i++) {
        struct net_address try = *a;
        socklen_t len = sizeof try.sa;
        int fd = bind_one(a, SOCK_DGRAM, false);
        if (fd < 0) {
            return explain(a, SOCK_DGRAM, errno, info);
        }
        getsockname(fd, (struct sockaddr *)&try.sa, &len);
        int tcp = probe(&try, SOCK_STREAM);
        close(fd);
        if (tcp == 0) {
            *a = try;
            return ERR_OK;
        }
    }
    return err_set(info, ERR_BUSY, "no port that is free for udp and tcp");
}

static enum err bind_address(struct net_bound *b, unsigned workers, struct err_info *info)
{
    b->udp = mem_xalloc(workers * sizeof *b->udp);
    b->tcp = mem_xalloc(workers * sizeof *b->tcp);
    for (unsigned i = 0; i < workers; i++) {
        b->udp[i] = -1;
        b->tcp[i] = -1;
    }
    if (*port_of(&b->address) == 0) {
        enum err e = pick_port(&b->address, info);
        if (e != ERR_OK) {
            return e;
        }
    }
    if (probe(&b->address, SOCK_DGRAM) != 0) {
        return explain(&b->address, SOCK_DGRAM, errno, info);
    }
    if (probe(&b->address, SOCK_STREAM) != 0) {
        return explain(&b->address, SOCK_STREAM, errno, info);
    }
    enum err e = bind_kind(b, SOCK_DGRAM, b->udp, workers, info);
    return e == ERR_OK ? bind_kind(b, SOCK_STREAM, b->tcp, workers, info) : e;
}

enum err net_sockets_bind(const struct net_address *addresses, size_t count, unsigned workers,
                          struct net_sockets *out, struct err_info *info)
{
    *out = (struct net_sockets){.workers = workers};
    if (count > NET_ADDRESSES_MAX || workers == 0 || workers > NET_WORKERS_MAX) {
        return err_set(info, ERR_LIMIT, "at most %d addresses and %d workers", NET_ADDRESSES_MAX,
                       NET_WORKERS_MAX);
    }
    out->bound = mem_xalloc(count * sizeof *out->bound);
    for (; out->count < count; out->count++) {
        struct net_bound *b = &out->bound[out->count];
        b->address = addresses[out->count];
        if (*port_of(&b->address) == 0 && out->count > 0) {
            *port_of(&b->address) = *port_of(&out->bound[0].address); /* one port for all */
        }
        enum err e = bind_address(b, workers, info);
        if (e != ERR_OK) {
            out->count++;
            net_sockets_close(out);
            return e;
        }
    }
    return ERR_OK;
}

void net_sockets_close(struct net_sockets *s)
{
    for (size_t i = 0; i < s->count; i++) {
        for (unsigned j = 0; j < s->workers; j++) {
            if (s->bound[i].udp[j] >= 0) {
                close(s->bound[i].udp[j]);
            }
            if (s->bound[i].tcp[j] >= 0) {
                close(s->bound[i].tcp[j]);
            }
        }
        free(s->bound[i].udp);
        free(s->bound[i].tcp);
    }
    free(s->bound);
    *s = (struct net_sockets){.bound = NULL};
}
