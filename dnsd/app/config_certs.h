/* What letsEncrypt comes to: which certificate this core needs and how it proves that it may have it,
 * which directory it is from, which keys seal it. For the daemon and the tools. */
#ifndef DNSD_APP_CONFIG_CERTS_H
#define DNSD_APP_CONFIG_CERTS_H

#include "config.h"

/* Let's Encrypt's two directories. */
#define CONFIG_LE_PRODUCTION "https://acme-v02.api.letsencrypt.org/directory"
#define CONFIG_LE_STAGING    "https://acme-staging-v02.api.letsencrypt.org/directory"

enum config_proof { CONFIG_PROOF_DNS, CONFIG_PROOF_HTTP, CONFIG_PROOF_ALPN };

struct config_cert {
    char *hostname; /* owned: what the row is called: *.<domain>, or a host */
    char *names[2]; /* owned: what the certificate is to say */
    size_t count;
    enum config_proof proof;
};
/* From the topology, the first that fits (there is no key for it):
 *   dnsLess.publicUrl         its host            HTTP-01
 *   dns.active, dns.domain    *.<domain>, domain  DNS-01
 *   core.url                  its host            HTTP-01
 * Single hosts are proved by TLS-ALPN-01 instead where http.challengePort is 0. ERR_NOTFOUND: there is
 * nothing to derive a name from; ERR_MALFORMED: the host is an address, or no host name. */
enum err config_cert(const struct config *c, struct config_cert *out,
                     struct err_info *info) MUST_USE;
void config_cert_free(struct config_cert *cert);

/* The host of a URL that the configuration's reader has accepted: without port, brackets or a dot at the
 * end, in lower case. The caller frees. */
char *config_url_host(const char *url);

/* Where it is ordered. Borrowed from C, or static. */
const char *config_directory(const struct config *c);
/* Where a first order is rehearsed; NULL: nowhere. Borrowed from C, or static. */
const char *config_staging(const struct config *c);

/* The keys at rest: those of the configuration, or of atRestKeyFile (one per line, blank lines and # to
 * the end of the line left out), as base64 with padding. Blocks. *out is zeroed first; wipe it with
 * config_keys_free(). ERR_MALFORMED names file and line, never a key; errors of file_read(); ERR_DENIED:
 * others than the owner and its group can read the file. */
enum err config_keys_read(const struct config *c, struct config_list *out,
                          struct err_info *info) MUST_USE;
void config_keys_free(struct config_list *keys);

#endif
