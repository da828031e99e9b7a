/* The core that has the cluster's CA: makes it, gives this core its own certificate, and gives others theirs.
 * Aborts when out of memory; blocks. */
#ifndef TOOLS_BOOTSTRAP_HOLDER_H
#define TOOLS_BOOTSTRAP_HOLDER_H

#include "cli.h"
#include "cluster/ca_sys.h"

/* ---- a key and its certificate ---- */

struct pair {
    char *cert_pem, *key_pem; /* owned; the key is wiped */
    struct cert_node_info info;
};
/* Of the core ID below DOMAIN (NULL: none); addresses NULL: none. Errors are those of cert/authority.h. */
struct pair_names {
    const char *id, *domain, *ip, *ipv6;
};
enum err pair_new(const struct ca *ca, const struct pair_names *names, int64_t now_ms,
                  struct pair *out, struct err_info *info) MUST_USE;
void pair_free(struct pair *p); /* zeroed is fine */

/* ---- this core ---- */

enum holder_config { HOLDER_CONFIG_WRITTEN, HOLDER_CONFIG_OURS, HOLDER_CONFIG_OTHER };
struct holder {
    struct ca ca;
    struct cert_node_info info; /* of this core's certificate */
    bool ca_made, pair_made;
    enum holder_config config; /* storages.engines.rqlite.tls: ours now, ours before, or not ours */
    int lock;                  /* as long as it is open no other bootstrap command does the same */
};
/* Everything of the above that is not there yet. CLI_OK, or said why not; then what was made is good, and the
 * same again goes on from it. *out is to be closed in any case. */
int holder_ensure(struct cli *cli, struct holder *out);
/* RENEW: another certificate for this core though the present one is good. */
int holder_renew(struct cli *cli, struct holder *out);
void holder_close(struct holder *h);

/* That the database knows this core's certificate, so that it can be revoked. Needs cli_open(). */
enum err holder_record(struct cli *cli, const struct holder *h, struct err_info *info) MUST_USE;

/* True if it is the CA that is not here: this core has material of another's. */
bool holder_is_elsewhere(const struct cli *cli, struct err_info *why);

#endif
