/* The daemon: what starts when, what follows from what, and the order of stopping.
 *
 *   configuration -> zone (static part) -> state folder, lock -> sockets -> privileges dropped
 *   -> HTTP, TLS slot -> snapshot file -> rqlited -> store -> own core's row -> feed -> workers (or without the
 *   store, when it fails or takes too long)
 *
 * Everything here lives on the control loop. Nobody outside dnsd/app includes this.
 */
#ifndef DNSD_APP_APP_H
#define DNSD_APP_APP_H

#include <uv.h>

#include "config_rqlite.h"
#include "config_zone.h"
#include "dnsd/net/net.h"
#include "dnsd/zone/user.h"
#include "dnsd/zone/zone.h"
#include "http/api/api.h"
#include "http/server.h"
#include "lib/clock.h"
#include "lib/loop_uv.h"
#include "certs.h"
#include "cluster.h"
#include "peers.h"
#include "store/store.h"
#include "tls.h"

/* Exit codes of the daemon (dnsd(8)). */
#define APP_EXIT_OK     0
#define APP_EXIT_FAILED 1
#define APP_EXIT_CONFIG 2

struct control;

/* A zone that has been replaced and waits for its last reader. */
struct app_old_zone {
    struct zone *zone; /* owned */
    struct app_old_zone *next;
};

/* TCP ports of the HTTP face, bound while we had the right to. */
#define APP_LISTENERS_MAX 2 /* IPv4 and IPv6 */
struct app_listeners {
    struct {
        struct net_address address;
        int fd; /* -1: somebody listens on it */
    } items[APP_LISTENERS_MAX];
    size_t count;
};

struct app {
    uv_loop_t loop;
    struct config config;
    char *config_path; /* owned; NULL: the default */
    char *state_dir;   /* owned */
    char *id;          /* owned: core.id as at the start; workers borrow it */
    int lock_fd;
    struct net_address addresses[NET_ADDRESSES_MAX];
    size_t addresses_count;
    struct net_sockets sockets;
    struct net_server *server; /* owned; NULL: not started or closed */
    uv_signal_t sighup, sigterm, sigint;
    uv_timer_t watchdog_timer, grace_timer;
    int exit_code;
    bool stopping, ready;
    bool server_closing, store_closing; /* how far stopping has come */
    int64_t started_ms, started_wall_ms;

    /* the zone (feed.c, reload.c) */
    struct zone *zone; /* owned */
    struct app_old_zone *old_zones;
    uv_timer_t old_zones_timer;
    uv_timer_t proofs_timer;
    char store_id[ZONE_STORE_ID_MAX]; /* of the rows in the zone; "": none yet */
    bool loaded;                      /* the zone holds a store's rows, whatever their age */
    bool from_file;                   /* not confirmed by the store since the start */
    bool dated;                       /* the latest rows may be missing yet (rqlite) */
    int64_t confirmed_ms;             /* monotonic: when the store first confirmed it; 0: never */
    int64_t in_touch_ms;              /* ... and was not cut off from the others */
    int64_t behind_ms;                /* ... and was found to be behind the zone; 0: it is not */
    int64_t fresh_ms; /* wall clock: when the zone was last known to be up to date */

    /* the HTTP face (http.c) and what it shows (tls.c) */
    struct app_listeners api_sockets, challenge_sockets;
    struct http_server *http; /* owned; NULL: there is none, or it is closed */
    struct api *api;          /* owned */
    bool https, http_closing;
    struct tls_slot *tls;        /* owned; NULL: nobody needs one, or closed */
    struct tls_context *context; /* shared: the slot's latest; NULL: none yet */
    bool tls_closing;
    struct certs *certs;     /* owned; NULL: none are managed, or closed */
    struct cluster *cluster; /* owned; NULL: no rqlite of ours, or closed */
    struct names *names;     /* owned: the rules of names */
    uint8_t user_key[USER_KEY_LEN];
    bool has_user_key;

    /* the store */
    struct config_rqlite rqlite; /* zeroed with the SQLite engine */
    struct rqlited *rqlited;     /* owned; NULL: not ours to run, or stopped */
    bool rqlited_stopping;
    bool stale;            /* this node of rqlite is cut off from the others */
    struct store *store;   /* owned; NULL: not open */
    char store_error[512]; /* "": none */
    uv_timer_t store_timer;
    bool opening;
    bool confirm_due;   /* this core's row may have to be another: when rqlited is back */
    bool moved_in;      /* what the embedded store had has been looked at (move.c) */
    bool store_leaving; /* it is about to be closed: nothing new may be started */
    bool feed_busy, feed_again;
    bool reloading, reload_wanted;

    /* heartbeats (beats.c) */
    uv_timer_t beats_timer;
    struct peers peers;
    bool beats_reading, beats_writing, beats_mute;
    bool beats_heard;                    /* since the start: before that there are no others */
    int64_t beats_read_ms, beat_sent_ms; /* monotonic */
    uint64_t beat, beat_revision;        /* last told */
    unsigned differs;                    /* how often in a row another core's digest was another */
    char reloaded[ZONE_DIGEST_TEXT];     /* the digest for which everything was loaded anew */
    int64_t doubted_ms;                  /* monotonic: when the database was made anew; 0: never */
    bool doubt_told;                     /* ... and that it was of no use */

    /* the snapshot file (savefile.c) */
    uv_timer_t save_timer;
    bool save_due, saving;
    int64_t save_took_ms;

    struct control *control; /* owned */
};

/* app.c */
int app_run(const char *config_path);
void app_stop(struct app *a, int exit_code);
/* Starts to answer, if that has not been done. */
void app_serve(struct app *a);
/* When everything that was waited for has ended, the rest is closed. */
void app_continue_stop(struct app *a);
/* A new version of the zone for the workers, and the file. */
void app_publish(struct app *a, uint64_t revision, const struct answer_config *config);
/* Puts ZONE in the place of the present one. */
void app_replace_zone(struct app *a, struct zone *zone);
void app_answer_config(const struct app *a, struct answer_config *out);

/* rows.c: rows of the store into the zone, one by one. A row with a problem costs that row only;
 * the first few of a run are told in the log, and rows_end() says how many there were. */
struct rows {
    struct zone *zone;           /* borrowed */
    const struct config *config; /* borrowed */
    uint64_t problems;
};
void rows_apply(struct rows *r, const struct store_row *row);
void rows_end(const struct rows *r);

/* feed.c: keeps the zone equal to the store. */
void feed_start(struct app *a);
void feed_wake(struct app *a);
/* The store is open: this core's row, then how far the store is, then what is new. */
void feed_confirm(struct app *a);
/* Takes expired proofs out of the zone, and will do so again when the next one expires. True: a
 * commit is due. */
bool feed_expire(struct app *a);

/* engine.c: what the store stands on. prepare blocks (boot); stop returns true if it goes on and
 * app_continue_stop() will be called. */
enum err engine_prepare(struct app *a, struct err_info *info) MUST_USE;
enum err engine_start(struct app *a, struct err_info *info) MUST_USE;
void engine_options(const struct app *a, struct store_options *out);
/* How rqlited is to be started. Borrows from A. */
void engine_config(const struct app *a, struct rqlited_config *out);
/* False: there is an rqlited of ours, and it does not answer now. */
bool engine_runs(const struct app *a);
bool engine_stop(struct app *a);

/* beats.c. apply puts what is known of who is alive into the zone; true: a commit is due. */
void beats_start(struct app *a);
bool beats_apply(struct app *a);

/* The zone differs from what other cores made of the same revision: loads everything anew. */
void feed_reload(struct app *a);

/* move.c: a core that had the embedded engine brings its rows along, once; then feed_confirm(). */
void move_in(struct app *a);

/* register.c: this core's own row; feed_registered() when it is there, or cannot be. */
void register_self(struct app *a);
void feed_registered(struct app *a);

/* reload.c */
void reload_start(struct app *a);

/* savefile_uv.c */
enum err savefile_load(struct app *a, struct err_info *info) MUST_USE;
void savefile_soon(struct app *a);
/* At the end: writes what is due; true if that goes on and app_continue_stop() will be called. */
bool savefile_last(struct app *a);

/* listen_sys.c. Blocks. ERR_BUSY, ERR_DENIED, ERR_IO: INFO names address, key and remedy. */
enum err listen_bind(const char *ip, uint16_t port, const char *key, struct app_listeners *out,
                     struct err_info *info) MUST_USE;
void listen_close(struct app_listeners *l);

/* http.c. bind blocks (boot); stop returns true if it goes on and app_continue_stop() will be
 * called. */
bool http_has_tls(const struct config *c);
bool http_needs_tls(const struct config *c);
enum err http_bind(struct app *a, struct err_info *info) MUST_USE;
enum err http_open(struct app *a, struct err_info *info) MUST_USE;
void http_use_tls(struct app *a, struct tls_context *context);
void http_take_config(struct app *a);
bool http_stop(struct app *a);
/* Begins to serve SITE on what is bound in L and not yet listened on. */
enum err http_listen(struct app *a, struct app_listeners *l, unsigned site, bool tls,
                     struct err_info *info) MUST_USE;

/* metrics.c: everything that is counted. */
void metrics_of(struct app *a, struct metrics_writer *w);

/* control_uv.c: the local socket. */
enum err control_open(struct app *a, struct err_info *info) MUST_USE;
void control_close(struct app *a);

/* status.c: one line of JSON; the caller frees. */
char *status_json(struct app *a);

/* system_sys.c: what needs the system before the loop runs. */
enum err system_state_dir(const char *path, const char *database, const char *user,
                          struct err_info *info) MUST_USE;
enum err system_lock(const char *dir, int *fd, struct err_info *info) MUST_USE;
enum err system_become(const char *user, struct err_info *info) MUST_USE;
void system_raise_files(void);

#endif
