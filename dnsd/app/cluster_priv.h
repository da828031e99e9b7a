/* What the files of the daemon's part in the cluster share. */
#ifndef DNSD_APP_CLUSTER_PRIV_H
#define DNSD_APP_CLUSTER_PRIV_H

#include "app.h"
#include "cluster.h"
#include "cluster/gate_uv.h"
#include "cluster/node_sys.h"
#include "cluster/renewal_uv.h"

#define CLUSTER_TICK_MS    500
#define CLUSTER_LOOK_MS    30000 /* between two looks at the material's files */
#define CLUSTER_REVOKED_MS 5000  /* between two looks at who is revoked */
#define CLUSTER_ADMIT_MS   1000  /* between two questions whether we were let in */
#define CLUSTER_SIGNS_MAX  16    /* at a time */
#define CLUSTER_WAITERS    8     /* who wait for this node's renewal */

/* Made from the material, off the loop, and then immutable. */
struct cluster_identity {
    struct tls_context *gate;  /* owned: wants a client's certificate */
    struct tls_context *join;  /* owned: asks for one */
    struct tls_client *client; /* owned */
    struct cert_node_info info;
    char *ca_pem; /* owned */
    bool covers;  /* it has the names that the configuration gives this core */
    bool managed; /* it lies in cluster.tlsDir: ours to renew */
};
void cluster_identity_free(struct cluster_identity *i);
#define CLUSTER_NAMES_MAX 4 /* id, id.domain, IPv4, IPv6 */

enum cluster_renewing {
    RENEW_IDLE,
    RENEW_MAKE,  /* a key and a request, off the loop */
    RENEW_ASK,   /* the core with the CA, or ourselves */
    RENEW_PLACE, /* into the files, off the loop */
    RENEW_READ   /* the identity, off the loop */
};

struct cluster {
    struct app *app; /* borrowed */
    uv_timer_t timer;
    unsigned busy; /* operations whose callbacks will come */
    bool closing, timer_closed;

    /* the material */
    struct cluster_identity identity; /* zeroed: none yet */
    bool has_identity, reading;
    unsigned reads, read_taken; /* begun; the last one whose outcome counted */
    int64_t looked_ms;
    char problem[512]; /* "": none */

    /* the Raft port; it is the gate's while the configuration has tls */
    struct gate *gate;
    struct app_listeners raft_sockets;
    uint16_t local_port; /* of rqlited behind it; 0: no gate */
    bool gate_closing;

    /* the join port */
    struct app_listeners join_sockets;
    bool has_ca, joining; /* joining: it is listened on */

    /* who is revoked: hex serials, sorted */
    char (*revoked)[41]; /* owned */
    size_t revoked_count;
    bool revoked_reading;
    int64_t revoked_ms;

    /* renewal */
    enum cluster_renewing renewing;
    struct renewal *call;  /* under way */
    char *new_key;         /* owned, secret */
    char *new_cert;        /* owned */
    char *csr;             /* owned */
    int64_t renew_next_ms; /* monotonic: not before */
    unsigned renew_failures;
    char renew_problem[512]; /* of the last try; "": it went well */
    struct {
        cluster_renewed_cb *cb;
        void *ctx;
    } waiters[CLUSTER_WAITERS];
    size_t waiters_count;

    unsigned signs; /* under way */

    /* admission */
    bool admit_asking, admitted; /* admitted: there is none to wait for */
    int64_t admit_ms;
};

/* cluster.c: CORE's work is over; what waits for the end goes on. */
void cluster_done(struct cluster *c);
struct store *cluster_store(const struct cluster *c); /* NULL: not there */
/* cluster_identity.c */
enum cluster_read { CLUSTER_READ_LATER, CLUSTER_READ_NOW, CLUSTER_READ_RENEWED };
/* LATER: if the last look is CLUSTER_LOOK_MS ago. RENEWED: cluster_identity_was_read() will be called. */
void cluster_read_identity(struct cluster *c, enum cluster_read when);
/* cluster_port.c: the gate and the join port as far as they can be opened now. */
void cluster_see_ports(struct cluster *c);
void cluster_use_identity(struct cluster *c);
bool cluster_close_ports(struct cluster *c);
void cluster_see_revoked(struct cluster *c, int64_t now_ms);
/* cluster_renew.c */
/* A tenth of its life is left, or less: it should have been renewed long ago. */
bool cluster_runs_out(const struct cluster *c);
void cluster_see_renewal(struct cluster *c, int64_t now_ms);
void cluster_identity_was_read(struct cluster *c, enum err e, const struct err_info *info);
void cluster_renewal_stop(struct cluster *c);
/* cluster_admit.c */
void cluster_see_admission(struct cluster *c, int64_t now_ms);
/* cluster_sign.c: the lifetime of what the CA signs. */
int64_t cluster_node_lifetime_s(void);

#endif
