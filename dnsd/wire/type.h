/* Record types by number and by name. Pure; any thread. */
#ifndef DNSD_WIRE_TYPE_H
#define DNSD_WIRE_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TYPE_A      1
#define TYPE_NS     2
#define TYPE_CNAME  5
#define TYPE_SOA    6
#define TYPE_PTR    12
#define TYPE_HINFO  13
#define TYPE_MX     15
#define TYPE_TXT    16
#define TYPE_AAAA   28
#define TYPE_SRV    33
#define TYPE_DNAME  39
#define TYPE_OPT    41
#define TYPE_DS     43
#define TYPE_RRSIG  46
#define TYPE_NSEC   47
#define TYPE_DNSKEY 48
#define TYPE_NSEC3  50
#define TYPE_TLSA   52
#define TYPE_SVCB   64
#define TYPE_HTTPS  65
#define TYPE_NXNAME 128
#define TYPE_TKEY   249
#define TYPE_TSIG   250
#define TYPE_IXFR   251
#define TYPE_AXFR   252
#define TYPE_MAILB  253
#define TYPE_MAILA  254
#define TYPE_ANY    255
#define TYPE_CAA    257

#define CLASS_IN   1
#define CLASS_CH   3
#define CLASS_NONE 254
#define CLASS_ANY  255

#define WIRE_TYPE_TEXT_MAX 16

/* "A", "a", "HTTPS", "TYPE65280" (RFC 3597 §5). */
bool wire_type_from_text(const char *text, uint16_t *out);
/* The mnemonic, or TYPEnnn. OUT has WIRE_TYPE_TEXT_MAX. */
void wire_type_to_text(uint16_t type, char *out);
/* Types that carry data of their own in a zone: not 0, not OPT, not 128..255 (RFC 6895 §3.1). */
bool wire_type_is_data(uint16_t type);

#endif
