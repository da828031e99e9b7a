/* Addresses of servers: text and struct. IPv4 and IPv6 only. Pure; any thread. */
#ifndef DNSD_PROBE_ADDRESS_H
#define DNSD_PROBE_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>

#include "lib/err.h"

#define ADDRESS_TEXT_MAX 64

/* "192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:53"; PORT if the text has
 * none. ERR_MALFORMED. */
enum err address_read(const char *text, uint16_t port, struct sockaddr_storage *out,
                      struct err_info *info) MUST_USE;
/* From the octets of an A (4) or AAAA (16) record. False: neither. */
bool address_of(const uint8_t *octets, size_t len, uint16_t port, struct sockaddr_storage *out);
/* "192.0.2.1:53", "[2001:db8::1]:53"; OUT has ADDRESS_TEXT_MAX. */
void address_to_text(const struct sockaddr_storage *address, char *out);
void address_set_port(struct sockaddr_storage *address, uint16_t port);
/* Of family, octets and port. */
bool address_equal(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

#endif
