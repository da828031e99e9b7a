#include "address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "lib/str.h"

bool address_of(const uint8_t *octets, size_t len, uint16_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    memset(out, 0, sizeof *out);
    if (len == sizeof v4->sin_addr) {
        v4->sin_family = AF_INET;
        memcpy(&v4->sin_addr, octets, len);
    } else if (len == sizeof v6->sin6_addr) {
        v6->sin6_family = AF_INET6;
        memcpy(&v6->sin6_addr, octets, len);
    } else {
        return false;
    }
    address_set_port(out, port);
    return true;
}

void address_set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET6) {
        ((struct sockaddr_in6 *)address)->sin6_port = htons(port);
    } else {
        ((struct sockaddr_in *)address)->sin_port = htons(port);
    }
}

static bool read_ip(const char *ip, uint16_t port, struct sockaddr_storage *out)
{
    uint8_t octets[16];
    if (inet_pton(AF_INET, ip, octets) == 1) {
        return address_of(octets, 4, port, out);
    }
    return inet_pton(AF_INET6, ip, octets) == 1 && address_of(octets, 16, port, out);
}

enum err address_read(const char *text, uint16_t port, struct sockaddr_storage *out,
                      struct err_info *info)
{
    char ip[INET6_ADDRSTRLEN];
    uint32_t number = port;
    bool bracket = text[0] == '[';
    const char *begin = text + bracket;
    const char *colon = strchr(begin, ':');
    /* A colon is the port's after a bracket, or if there is only one. */
    size_t len = bracket                                           ? strcspn(begin, "]")
                 : colon != NULL && strchr(colon + 1, ':') == NULL ? (size_t)(colon - begin)
                                                                   : strlen(begin);
    const char *rest = begin + len + (bracket && begin[len] == ']');
    bool good = len < sizeof ip && (!bracket || begin[len] == ']');
    if (good) {
        memcpy(ip, begin, len);
        ip[len] = '\0';
        good = read_ip(ip, 0, out) && bracket <= (out->ss_family == AF_INET6);
    }
    if (good && rest[0] != '\0') {
        good = rest[0] == ':' && str_parse_u32(rest + 1, UINT16_MAX, &number) && number > 0;
    }
    if (!good) {
        return err_set(info, ERR_MALFORMED,
                       "%.80s is not an address (192.0.2.1, 192.0.2.1:53, [2001:db8::1]:53)", text);
    }
    address_set_port(out, (uint16_t)number);
    return ERR_OK;
}

void address_to_text(const struct sockaddr_storage *address, char *out)
{
    char ip[INET6_ADDRSTRLEN] = "?";
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)address;
        inet_ntop(AF_INET6, &a->sin6_addr, ip, sizeof ip);
        snprintf(out, ADDRESS_TEXT_MAX, "[%s]:%u", ip, ntohs(a->sin6_port));
    } else {
        const struct sockaddr_in *a = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &a->sin_addr, ip, sizeof ip);
        snprintf(out, ADDRESS_TEXT_MAX, "%s:%u", ip, ntohs(a->sin_port));
    }
}

bool address_equal(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    char x[ADDRESS_TEXT_MAX], y[ADDRESS_TEXT_MAX];
    address_to_text(a, x);
    address_to_text(b, y);
    return strcmp(x, y) == 0;
}
