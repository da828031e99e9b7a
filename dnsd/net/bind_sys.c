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

/* The port is the system's choice for one kind of socket; whether it suits the rest is luck, so it
 * may try again. */
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

enum err net_bind_error(const struct net_address *a, const char *kind, const char *port_key,
                        const char *ip_key, int code, struct err_info *info)
{
    char text[NET_ADDRESS_TEXT_MAX];
    net_address_text(a, text);
    switch (code) {
    case EADDRINUSE:
        return err_set(info, ERR_BUSY,
                       "cannot listen on %s (%s): another program has this port; find it with `ss "
                       "-lnp` and stop it, or choose another %s or %s",
                       text, kind, port_key, ip_key);
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
                       "and %s",
                       text, kind, ip_key);
    default:
        return err_set(info, ERR_IO, "cannot listen on %s (%s): %s", text, kind, strerror(code));
    }
}

static enum err explain(const struct net_address *a, int type, int code, struct err_info *info)
{
    const char *kind = a->tls ? "tls" : type == SOCK_DGRAM ? "udp" : "tcp";
    return net_bind_error(a, kind, a->tls ? "http.dotPort" : "dns.port", "dns.ip", code, info);
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

static enum err bind_kind(struct net_bound *b, int type, int *fds, unsigned count,
                          struct err_info *info)
{
    if (probe(&b->address, type) != 0) {
        return explain(&b->address, type, errno, info);
    }
    for (unsigned i = 0; i < count; i++) {
        fds[i] = bind_one(&b->address, type, true);
        if (fds[i] < 0) {
            return explain(&b->address, type, errno, info);
        }
    }
    return ERR_OK;
}

/* An address of the other kind has A's port: a client must be able to tell by the port what is
 * spoken. */
static bool is_other_kinds(const struct net_sockets *s, struct net_address *a)
{
    for (size_t i = 0; i < s->count; i++) {
        struct net_address *other = &s->bound[i].address;
        if (other->tls != a->tls && *port_of(other) == *port_of(a)) {
            return true;
        }
    }
    return false;
}

/* Which port 0 stands for: one that both UDP and TCP can have; for TLS, one that TCP can. */
static enum err pick_port(const struct net_sockets *s, struct net_address *a, struct err_info *info)
{
    int type = a->tls ? SOCK_STREAM : SOCK_DGRAM;
    for (int i = 0; i < PORT_TRIES; i++) {
        struct net_address try = *a;
        socklen_t len = sizeof try.sa;
        int fd = bind_one(a, type, false);
        if (fd < 0) {
            return explain(a, type, errno, info);
        }
        getsockname(fd, (struct sockaddr *)&try.sa, &len);
        bool fits = !is_other_kinds(s, &try) && (a->tls || probe(&try, SOCK_STREAM) == 0);
        close(fd);
        if (fits) {
            *a = try;
            return ERR_OK;
        }
    }
    return err_set(info, ERR_BUSY, "no port that is free for %s", a->tls ? "tls" : "udp and tcp");
}

/* One port for all of a kind: A is the I-th address. */
static enum err choose_port(struct net_sockets *s, size_t i, struct err_info *info)
{
    struct net_address *a = &s->bound[i].address;
    for (size_t j = 0; j < i; j++) {
        if (s->bound[j].address.tls == a->tls) {
            *port_of(a) = *port_of(&s->bound[j].address);
            return ERR_OK;
        }
    }
    return pick_port(s, a, info);
}

static enum err bind_address(struct net_sockets *s, size_t i, struct err_info *info)
{
    struct net_bound *b = &s->bound[i];
    if (*port_of(&b->address) == 0) {
        enum err e = choose_port(s, i, info);
        if (e != ERR_OK) {
            return e;
        }
    }
    if (b->address.tls) {
        return bind_kind(b, SOCK_STREAM, b->tcp + s->workers, s->tls_workers, info);
    }
    enum err e = bind_kind(b, SOCK_DGRAM, b->udp, s->workers, info);
    return e == ERR_OK ? bind_kind(b, SOCK_STREAM, b->tcp, s->workers, info) : e;
}

static int *no_descriptors(unsigned count)
{
    int *fds = mem_xalloc(count * sizeof *fds);
    for (unsigned i = 0; i < count; i++) {
        fds[i] = -1;
    }
    return fds;
}

enum err net_sockets_bind(const struct net_address *addresses, size_t count, unsigned workers,
                          struct net_sockets *out, struct err_info *info)
{
    enum err e = ERR_OK;
    *out = (struct net_sockets){.workers = workers};
    if (count > NET_ADDRESSES_MAX || workers == 0 || workers > NET_WORKERS_MAX) {
        return err_set(info, ERR_LIMIT, "at most %d addresses and %d workers", NET_ADDRESSES_MAX,
                       NET_WORKERS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (addresses[i].tls) {
            out->tls_workers = workers < NET_TLS_WORKERS ? workers : NET_TLS_WORKERS;
        }
    }
    out->bound = mem_xalloc(count * sizeof *out->bound);
    for (; out->count < count; out->count++) {
        struct net_bound *b = &out->bound[out->count];
        b->address = addresses[out->count];
        b->udp = no_descriptors(workers + out->tls_workers);
        b->tcp = no_descriptors(workers + out->tls_workers);
    }
    for (size_t i = 0; i < count && e == ERR_OK; i++) {
        e = bind_address(out, i, info);
    }
    if (e != ERR_OK) {
        net_sockets_close(out);
    }
    return e;
}

static void close_all(int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    free(fds);
}

void net_sockets_close(struct net_sockets *s)
{
    for (size_t i = 0; i < s->count; i++) {
        close_all(s->bound[i].udp, s->workers + s->tls_workers);
        close_all(s->bound[i].tcp, s->workers + s->tls_workers);
    }
    free(s->bound);
    *s = (struct net_sockets){.bound = NULL};
}
