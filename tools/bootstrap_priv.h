/* Letting a core in: what the steps of `bootstrap new-core` share. */
#ifndef TOOLS_BOOTSTRAP_PRIV_H
#define TOOLS_BOOTSTRAP_PRIV_H

#include "bootstrap_file.h"
#include "bootstrap_holder.h"
#include "bootstrap_pin.h"
#include "bootstrap_wish.h"
#include "cluster/bundle.h"
#include "cluster/token.h"

struct letting {
    struct cli *cli;
    struct wish wish;
    struct config_list keys; /* at rest; secret */
    struct holder holder;
    struct pair pair; /* of the new core */
    struct bundle_file file;
    char pin[CERT_PIN];                         /* "": the cluster's CA is believed */
    char token[TOKEN_LEN + 1];                  /* secret */
    char token_hash[TOKEN_HASH];                /* what the store gets */
    char passphrase[BUNDLE_PASSPHRASE_LEN + 1]; /* secret */
    int64_t now_ms, expires_ms;
    bool heard;         /* the daemon was told */
    bool needs_restart; /* of dnsd here: nobody could tell it of its database's TLS */
};

/* Everything of the new core that is not written anywhere yet: key, certificate, token, passphrase, and the
 * sealed bundle of them; *text is the caller's. */
enum err bootstrap_make(struct letting *l, char **text, struct err_info *info) MUST_USE;

#endif
