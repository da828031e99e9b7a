/* libdnsd: an authoritative name server for one domain, inside a program of yours.
 *
 * What it is for. You have a uv_loop_t and know what your names mean; this answers DNS for them
 * over UDP and TCP, from memory, on that loop. It reads no file, starts no thread and keeps nothing
 * on disk. The daemon dnsd is the same modules with a store, a configuration and workers around
 * them.
 *
 * What it refuses. More than one domain (make another struct dnsd), recursion, DNSSEC signing.
 *
 *     struct dnsd *d;
 *     const struct dnsd_record www[] = {{"A", -1, "192.0.2.1"}, {"TXT", 60, "hello"}};
 *     dnsd_new(&(struct dnsd_options){.domain = "example.com"}, &d, &info);
 *     dnsd_name_set(d, "www", www, 2, &info);
 *     dnsd_commit(d);
 *     dnsd_listen(d, loop, "127.0.0.1", 5300, NULL, &info);
 *     uv_run(loop, UV_RUN_DEFAULT);
 *
 * tests/embed/ is a whole program.
 *
 * Threads: everything on the thread of the loop. Ownership: texts and arrays are copied. Errors:
 * ERR_MALFORMED (a name, type, TTL or value; nothing has changed), ERR_LIMIT, ERR_CONFLICT (CNAME
 * and other data), and for dnsd_listen() ERR_BUSY, ERR_DENIED, ERR_IO; INFO (may be NULL) says what
 * and why in a sentence. Out of memory aborts.
 *
 * SOA and negative answers follow RFC 2308 with a MINIMUM of 30 s; the serial counts commits. Peers
 * see what docs/ARCHITECTURE.md lists under "What is answered".
 */
#ifndef DNSD_DNSD_H
#define DNSD_DNSD_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "lib/err.h"

struct dnsd;

struct dnsd_options {
    const char *domain;     /* "example.com" */
    const char *id;         /* NSID and id.server; NULL: none */
    const char *contact;    /* mail address for the SOA; NULL: hostmaster@domain */
    uint32_t default_ttl_s; /* 0: 300 */
};

struct dnsd_record {
    const char *type;  /* "A", "TXT", "TYPE65280" */
    int64_t ttl_s;     /* -1: the default */
    const char *value; /* as in a zone file; names: relative if they are one label, else absolute */
};

enum err dnsd_new(const struct dnsd_options *options, struct dnsd **out,
                  struct err_info *info) MUST_USE;

/* From the next commit on NAME (relative, "@" for the domain itself) holds just these records;
 * COUNT 0: nothing. The domain itself should have NS records. */
enum err dnsd_name_set(struct dnsd *d, const char *name, const struct dnsd_record *records,
                       size_t count, struct err_info *info) MUST_USE;

/* What was set is answered from the next packet on. O(names changed). */
void dnsd_commit(struct dnsd *d);

/* Answers on IP and PORT (0: any; *BOUND_PORT tells) for UDP and TCP. May be called for several
 * addresses. */
enum err dnsd_listen(struct dnsd *d, uv_loop_t *loop, const char *ip, uint16_t port,
                     uint16_t *bound_port, struct err_info *info) MUST_USE;

/* Answers what has arrived, closes, frees; DONE (may be NULL) on the loop when that is over. */
void dnsd_close(struct dnsd *d, void (*done)(void *ctx), void *ctx);

#endif
