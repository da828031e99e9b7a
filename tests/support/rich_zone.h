/* A zone with everything in it that an answer can come from, in the form of zone_build.h. */
#ifndef TESTS_RICH_ZONE_H
#define TESTS_RICH_ZONE_H

#define RICH_APEX "mc.example.com"

#define RICH_OPTIONS                                                                               \
    "apex " RICH_APEX "\n"                                                                         \
    "ttl 300\n"                                                                                    \
    "contact john.doe@example.org\n"                                                               \
    "service reg\n"                                                                                \
    "service access\n"                                                                             \
    "caa letsencrypt.org\n"                                                                        \
    "static www A - 203.0.113.7\n"                                                                 \
    "static www TXT 60 static\n"                                                                   \
    "root MX 120 10 mail\n"

#define RICH_CONTENT                                                                                 \
    "core core-a ip=192.0.2.1 ipv6=2001:db8::1\n"                                                    \
    "core core-b ip=192.0.2.2\n"                                                                     \
    "core core-c cname=host.example.org\n"                                                           \
    "user alice core-a\n"                                                                            \
    "user bob core-b\n"                                                                              \
    "user carol core-c\n"                                                                            \
    "user dave core-gone\n" /* wildcards: RFC 4592 and the names that four servers were asked for  \
                             */ \
    "record *.wild A - 192.0.2.10\n"                                                                 \
    "record *.wild TXT - w\n"                                                                        \
    "record host.wild A - 192.0.2.11\n"                                                              \
    "record b.ent.wild A - 192.0.2.12\n"                                                             \
    "record *.cw CNAME - core-a\n"                                                                   \
    "record a.*.star A - 192.0.2.13\n"                                                               \
    "record x._acct._acme-challenge TXT 1 proof\n" /* aliases */                                     \
    "record al CNAME - core-a\n"                                                                     \
    "record al-user CNAME - alice\n"                                                                 \
    "record gone CNAME - nowhere.gone.mc.example.com\n"                                              \
    "record out CNAME - www.example.net\n"                                                           \
    "record apexal CNAME - @\n"                                                                      \
    "record loop1 CNAME - loop2\n"                                                                   \
    "record loop2 CNAME - loop1\n"                                                                   \
    "record into CNAME - deep.sub.mc.example.com\n" /* a delegation */                               \
    "record sub NS - ns1.sub.mc.example.com\n"                                                       \
    "record sub NS - ns2.example.net\n"                                                              \
    "record sub NS - core-b\n"                                                                       \
    "record ns1.sub A - 192.0.2.20\n"                                                                \
    "record ns1.sub AAAA - 2001:db8::20\n"                                                           \
    "record hidden.sub TXT - occluded\n" /* types */                                                 \
    "record mail A - 192.0.2.25\n"                                                                   \
    "record types MX - 10 mail\n"                                                                    \
    "record types SRV - 0 5 443 core-a.mc.example.com.\n"                                            \
    "record types CAA - 0 issue \"ca.example\"\n"                                                    \
    "record types HTTPS - 1 . alpn=h2\n"                                                             \
    "record types TYPE65280 - \\# 2 abcd\n"                                                          \
    "record many A - 192.0.2.101\n"                                                                  \
    "record many A - 192.0.2.102\n"                                                                  \
    "record many A - 192.0.2.103\n"

#endif
