/* What cluster/ca_sys and cluster/node_sys have for tests alone: the same operations, with somebody asked
 * before each system call. */
#ifndef CLUSTER_PLACE_PRIV_H
#define CLUSTER_PLACE_PRIV_H

#include "ca_sys.h"
#include "lib/folder_sys.h"
#include "node_sys.h"

#define PLACE_LOCK_MS 10000 /* what others do in these folders takes milliseconds */

enum err ca_ensure_gated(const char *folder, const char *account, int64_t now_ms,
                         const struct folder_gate *gate, bool *made, struct ca *out,
                         struct err_info *info) MUST_USE;

struct node_texts {
    const char *ca_pem, *cert_pem, *key_pem; /* borrowed */
};
enum err node_place_gated(const char *folder, const char *account, const struct node_texts *texts,
                          bool replace, const struct folder_gate *gate,
                          struct err_info *info) MUST_USE;

#endif
