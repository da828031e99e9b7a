/* The folder of the cluster's CA: ca.key (0600) and ca.crt (0644) in a folder with mode 0700.
 *
 * Blocks (boot, tools, offloaded work). Nothing that is there is ever overwritten: a folder with one of the
 * two files is refused, with both it is read. Files are made so that a process killed in between leaves
 * either none or both (the key first under another name, then the certificate, then the key's rename).
 *
 * Errors: ERR_NOTFOUND (there is no CA here), ERR_CONFLICT (half of one, or key and certificate do not
 * belong together), ERR_DENIED (not ours to read, or others may read the key; or expired), ERR_MALFORMED,
 * ERR_BUSY (another process makes one, for seconds), ERR_LIMIT, ERR_NOMEM, ERR_IO. INFO names the file and
 * what to do.
 */
#ifndef CLUSTER_CA_SYS_H
#define CLUSTER_CA_SYS_H

#include "cert/authority.h"

#define CA_PEM_MAX (64 * 1024)

struct ca {
    struct cert_authority *authority; /* owned */
    char *cert_pem;                   /* owned */
};
/* Reads what is in FOLDER. */
enum err ca_open(const char *folder, int64_t now_ms, struct ca *out,
                 struct err_info *info) MUST_USE;
/* The same, but makes it if there is none; *made says so. ACCOUNT: who must own the files when root makes
 * them (the account that dnsd becomes); NULL: whoever we are. */
enum err ca_ensure(const char *folder, const char *account, int64_t now_ms, bool *made,
                   struct ca *out, struct err_info *info) MUST_USE;
void ca_close(struct ca *ca); /* zeroed is fine */

/* Whether FOLDER has a key: this is the core that signs. No more than a look. */
bool ca_is_here(const char *folder);

#endif
