/* The ack of `dnsd --bootstrap`: a loop of its own, because the daemon's begins later. */
#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cert/authority.h"
#include "cluster/ack_uv.h"
#include "join_priv.h"
#include "lib/log.h"

#define FINGERPRINT (3 * 32) /* AA:BB:..., and its NUL */

struct joining {
    uv_loop_t loop;
    uv_signal_t term, interrupt;
    struct ack *ack; /* borrowed from its own end; NULL: over */
    enum err result;
    struct err_info *info; /* borrowed */
};

static void on_try(void *ctx, unsigned tries, const char *what, unsigned wait_ms)
{
    (void)ctx;
    LOG_WARN("join", "the issuer was not heard; will try again", LOG_N("try", tries),
             LOG_S("reason", what), LOG_N("wait_ms", wait_ms));
}

static void on_end(void *ctx, enum err e, const struct err_info *info, const struct ack_told *told)
{
    struct joining *j = ctx;
    j->ack = NULL;
    j->result = e;
    if (e == ERR_OK) {
        LOG_INFO("join", "the issuer knows that this core is here",
                 LOG_N("cores", told->members_count));
    } else if (j->info != NULL) {
        *j->info = *info;
    }
    uv_close((uv_handle_t *)&j->term, NULL);
    uv_close((uv_handle_t *)&j->interrupt, NULL);
}

static void on_signal(uv_signal_t *s, int number)
{
    struct joining *j = s->data;
    (void)number;
    if (j->ack != NULL) {
        ack_cancel(j->ack);
    }
}

static void watch(struct joining *j, uv_signal_t *s, int number)
{
    uv_signal_init(&j->loop, s);
    s->data = j;
    uv_signal_start(s, on_signal, number);
}

static void write_fingerprint(const char *hex, char out[FINGERPRINT])
{
    for (size_t i = 0; i < 64; i++) {
        *out++ = (char)toupper((unsigned char)hex[i]);
        if (i % 2 == 1) {
            *out++ = i < 63 ? ':' : '\0';
        }
    }
}

enum err join_ack(const struct bundle *b, const char *ca_file, bool trust_system_ca,
                  struct err_info *info)
{
    struct joining j = {.info = info};
    struct cert_node_info node;
    char fingerprint[FINGERPRINT];
    enum err e = cert_node_read(b->node.cert_pem, strlen(b->node.cert_pem), &node, info);
    if (e != ERR_OK) {
        return e;
    }
    write_fingerprint(node.sha256, fingerprint);
    const struct ack_options options = {.url = b->cluster.ack_url,
                                        .core = b->node.id,
                                        .token = b->cluster.join_token,
                                        .fingerprint = fingerprint,
                                        .ca_file = b->cluster.ack_pins_count == 0 ? ca_file : NULL,
                                        .pins = (const char *const *)b->cluster.ack_pins,
                                        .pins_count = b->cluster.ack_pins_count,
                                        .system_ca = trust_system_ca,
                                        .on_try = on_try};
    uv_loop_init(&j.loop);
    j.ack = ack_start(&j.loop, &options, on_end, &j);
    if (j.ack != NULL) {
        watch(&j, &j.term, SIGTERM);
        watch(&j, &j.interrupt, SIGINT);
        uv_run(&j.loop, UV_RUN_DEFAULT);
    } else {
        j.result = err_set(info, ERR_NOMEM, "no memory");
    }
    uv_loop_close(&j.loop);
    return j.result;
}
