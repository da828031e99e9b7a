/* A name server that says what a test tells it to, lies included: UDP and TCP on the test's own loop.
 *
 *     static const struct dns_rule rules[] = {
 *         {"example.com", "SOA", NULL, "aa\n= example.com. SOA ns.example.com. h.example.com. 1 2 3 4 5"},
 *         {"_x.example.com", "TXT", "udp", "aa tc"},
 *         {0}};
 *     struct dns_script *s = dns_script_open(&loop, "127.0.0.1", 0, rules);
 *
 * The first rule that fits answers; nobody fits: REFUSED. REPLY's first line has words, each further
 * line is a record: "=" answer, "!" authority, "+" additional, then owner, type and data, all names
 * absolute; data may be "\# HEX". Words:
 *   aa tc nxdomain servfail refused notimp formerr    what the header says
 *   silent      nothing is said (TCP: the connection stays)
 *   lower       the question's letters come back in lower case
 *   wrongid othername notreply garbage     what comes is no answer to the question
 *   twice       before the answer comes one of each of these (UDP)
 *   foreign     only another address answers (UDP)
 *   drop1 drop2     the first, the first two questions are not answered
 *   close       TCP: the connection is closed without an answer
 *   drip        TCP: an octet each 300 ms
 */
#ifndef TESTS_SUPPORT_DNS_SCRIPT_H
#define TESTS_SUPPORT_DNS_SCRIPT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct dns_rule {
    const char *name;  /* absolute, without a dot at its end; NULL with a reply: any */
    const char *type;  /* NULL: any */
    const char *over;  /* "udp", "tcp", "udp+edns", "tcp+edns" (with EDNS only); NULL: any */
    const char *reply; /* NULL: the end of the rules */
};

struct dns_script;
/* RULES are borrowed. PORT 0: any; dns_script_port() says which. Failures end the test. */
struct dns_script *dns_script_open(uv_loop_t *loop, const char *ip, uint16_t port,
                                   const struct dns_rule *rules);
uint16_t dns_script_port(const struct dns_script *s);
void dns_script_address(const struct dns_script *s, struct sockaddr_storage *out);
void dns_script_rules(struct dns_script *s, const struct dns_rule *rules);
/* What was asked: "udp+edns example.com. SOA\n" a question, in lower case. */
const char *dns_script_asked(const struct dns_script *s);
unsigned dns_script_count(const struct dns_script *s);
/* The letters of the last question, as they came. */
const uint8_t *dns_script_name(const struct dns_script *s, size_t *len);
/* Its handles close while the loop turns. */
void dns_script_close(struct dns_script *s);

#endif
