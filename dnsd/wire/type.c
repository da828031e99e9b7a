#include "type.h"

#include <stdio.h>
#include <string.h>

#include "lib/str.h"

/* The IANA registry "Resource Record (RR) TYPEs", without what was never more than an experiment.
 */
static const struct {
    uint16_t type;
    char text[WIRE_TYPE_TEXT_MAX];
} types[] = {
    {TYPE_A, "A"},
    {TYPE_NS, "NS"},
    {TYPE_CNAME, "CNAME"},
    {TYPE_SOA, "SOA"},
    {7, "MB"},
    {8, "MG"},
    {9, "MR"},
    {10, "NULL"},
    {11, "WKS"},
    {TYPE_PTR, "PTR"},
    {TYPE_HINFO, "HINFO"},
    {14, "MINFO"},
    {TYPE_MX, "MX"},
    {TYPE_TXT, "TXT"},
    {17, "RP"},
    {18, "AFSDB"},
    {19, "X25"},
    {20, "ISDN"},
    {21, "RT"},
    {24, "SIG"},
    {25, "KEY"},
    {26, "PX"},
    {TYPE_AAAA, "AAAA"},
    {29, "LOC"},
    {TYPE_SRV, "SRV"},
    {35, "NAPTR"},
    {36, "KX"},
    {37, "CERT"},
    {TYPE_DNAME, "DNAME"},
    {TYPE_OPT, "OPT"},
    {42, "APL"},
    {TYPE_DS, "DS"},
    {44, "SSHFP"},
    {45, "IPSECKEY"},
    {TYPE_RRSIG, "RRSIG"},
    {TYPE_NSEC, "NSEC"},
    {TYPE_DNSKEY, "DNSKEY"},
    {49, "DHCID"},
    {TYPE_NSEC3, "NSEC3"},
    {51, "NSEC3PARAM"},
    {TYPE_TLSA, "TLSA"},
    {53, "SMIMEA"},
    {55, "HIP"},
    {59, "CDS"},
    {60, "CDNSKEY"},
    {61, "OPENPGPKEY"},
    {62, "CSYNC"},
    {63, "ZONEMD"},
    {TYPE_SVCB, "SVCB"},
    {TYPE_HTTPS, "HTTPS"},
    {99, "SPF"},
    {104, "NID"},
    {105, "L32"},
    {106, "L64"},
    {107, "LP"},
    {108, "EUI48"},
    {109, "EUI64"},
    {TYPE_NXNAME, "NXNAME"},
    {TYPE_TKEY, "TKEY"},
    {TYPE_TSIG, "TSIG"},
    {TYPE_IXFR, "IXFR"},
    {TYPE_AXFR, "AXFR"},
    {TYPE_MAILB, "MAILB"},
    {TYPE_MAILA, "MAILA"},
    {TYPE_ANY, "ANY"},
    {256, "URI"},
    {TYPE_CAA, "CAA"},
};

/* ASCII only, unlike strcasecmp(), which asks the locale. */
static bool equal_ignoring_case(const char *a, const char *b)
{
    for (;; a++, b++) {
        char x = *a >= 'a' && *a <= 'z' ? (char)(*a - 'a' + 'A') : *a;
        char y = *b >= 'a' && *b <= 'z' ? (char)(*b - 'a' + 'A') : *b;
        if (x != y) {
            return false;
        }
        if (x == '\0') {
            return true;
        }
    }
}

bool wire_type_from_text(const char *text, uint16_t *out)
{
    char head[5] = "";
    uint32_t number = 0;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (equal_ignoring_case(text, types[i].text)) {
            *out = types[i].type;
            return true;
        }
    }
    memcpy(head, text, strnlen(text, 4));
    if (equal_ignoring_case(head, "TYPE") && str_parse_u32(text + 4, UINT16_MAX, &number)) {
        *out = (uint16_t)number; /* RFC 3597 §5 */
        return true;
    }
    return false;
}

void wire_type_to_text(uint16_t type, char *out)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].type == type) {
            memcpy(out, types[i].text, WIRE_TYPE_TEXT_MAX);
            return;
        }
    }
    snprintf(out, WIRE_TYPE_TEXT_MAX, "TYPE%u", type);
}

bool wire_type_is_data(uint16_t type)
{
    return type != 0 && type != TYPE_OPT && (type < 128 || type > 255); /* RFC 6895 §3.1 */
}
