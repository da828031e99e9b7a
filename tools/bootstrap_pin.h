/* The public key that a server shows now, for pinning it. Nothing is verified: whoever runs the command vouches
 * for the way there. Blocks, some seconds at most for each address. */
#ifndef TOOLS_BOOTSTRAP_PIN_H
#define TOOLS_BOOTSTRAP_PIN_H

#include "bootstrap_url.h"
#include "cert/authority.h"

/* ERR_NOTFOUND: the host has no address; errors of lib/tls_look_uv.h, of the address that was tried last. */
enum err bootstrap_pin(const struct bootstrap_url *url, char out[CERT_PIN],
                       struct err_info *info) MUST_USE;

#endif
