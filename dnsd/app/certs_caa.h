/* The CAA records that follow from the accounts with CAs (RFC 8659, RFC 8657). Pure. */
#ifndef DNSD_APP_CERTS_CAA_H
#define DNSD_APP_CERTS_CAA_H

#include "config.h"
#include "store/store.h"

#define CERTS_CAA_TEXT 1024

/* Texts for zone_set_caa(). With letsEncrypt.enabled one for each account that is used (of the
 * directory, and of the one for rehearsals), bound to that account and to DNS-01; before there is an account, and
 * without letsEncrypt.enabled, one for letsEncrypt.caa alone, if it is given. `caa: off`: none. An
 * account whose URL or issuer does not fit a CAA value is left out: that CA would be refused, so then
 * there is none at all. Returns how many. */
size_t certs_caa(const struct config *c, const struct store_account *accounts, size_t count,
                 char out[][CERTS_CAA_TEXT], size_t max);

#endif
