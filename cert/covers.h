/* Whether a certificate names all that it should: for a node whose address or domain has changed since. Pure; any
 * thread. */
#ifndef CERT_COVERS_H
#define CERT_COVERS_H

#include <stdbool.h>
#include <stddef.h>

/* The first certificate of PEM has each of NAMES (host names as RFC 6125 §6.4 compares them, IPv4 and IPv6
 * addresses) in subjectAltName. False also if it cannot be read. */
bool cert_covers(const void *pem, size_t len, const char *const *names, size_t count);

#endif
