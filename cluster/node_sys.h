/* The folder of a node's own TLS material (cluster.tlsDir): what rqlited, the gate and the join port show.
 *
 *   ca.crt   -> current/ca.crt           the cluster's CA
 *   node.crt -> current/node.crt         stable paths, for rqlited's arguments
 *   node.key -> current/node.key
 *   current  -> generations/<serial>     switched by one rename: the three are never half old, half new
 *   generations/<serial>/         0700   ca.crt 0644, node.crt 0644, node.key 0600; the present one and
 *                                        the one before
 *
 * Blocks (boot, tools, offloaded work). Every file is written under another name, fsynced and renamed; a
 * process killed anywhere leaves the old state or the new one. ACCOUNT as in cluster/ca_sys.h. Plain files
 * of another program are read, too, and become a generation when others are placed.
 *
 * Errors: ERR_NOTFOUND (no material here), ERR_CONFLICT (of another core or another CA; key and certificate
 * do not belong together, the certificate is not of the CA), ERR_DENIED (others may read the key; somebody
 * else's files), ERR_BUSY, ERR_MALFORMED, ERR_LIMIT, ERR_NOMEM, ERR_IO. INFO names the file.
 */
#ifndef CLUSTER_NODE_SYS_H
#define CLUSTER_NODE_SYS_H

#include "cert/authority.h"

struct node_material {
    char *ca_pem, *cert_pem, *key_pem; /* owned; the key is wiped */
    struct cert_node_info info;
};
/* Reads and checks: the key is the certificate's. Whether it is valid now is for the caller. */
enum err node_read(const char *folder, struct node_material *out, struct err_info *info) MUST_USE;
void node_material_free(struct node_material *m); /* zeroed is fine */

/* Puts a pair in the place of what is there. The CA must be the one that is there, if one is
 * (ERR_CONFLICT), and so must the core's id, unless REPLACE. The same pair again is fine. */
enum err node_place(const char *folder, const char *account, const char *ca_pem,
                    const char *cert_pem, const char *key_pem, bool replace,
                    struct err_info *info) MUST_USE;

/* "<folder>/ca.crt" and so on; the caller frees. */
char *node_path_ca(const char *folder);
char *node_path_cert(const char *folder);
char *node_path_key(const char *folder);

#endif
