#include "api_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/mem.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define SMALL_BODY_MAX 4096
#define CSR_BODY_MAX   (32 * 1024) /* a request of BODY_CSR_MAX, however JSON writes it */
#define REDIRECT_BODY_MAX                                                                          \
    (64 * 1024) /* read and thrown away: who asks is to come again elsewhere */

static const struct http_route routes[] = {
    {"GET", "/healthz", "healthz", api_health_get, 0, HTTP_NO_BODY},
    {"GET", "/readyz", "readyz", api_ready_get, 0, HTTP_NO_BODY},
    {"GET", "/metrics", "metrics", api_metrics_get, 0, HTTP_NO_BODY},
    {"GET", "/reg/cores", "reg_cores_get", api_discovery_get, 0, HTTP_NO_BODY},
    {"GET", "/reg/records", "reg_records_list", api_records_list, 0, HTTP_NO_BODY},
    {"POST", "/reg/records", "reg_records_post", api_records_post, BODY_MAX, HTTP_JSON_BODY},
    {"GET", "/reg/records/{subdomain}", "reg_records_get", api_records_get, 0, HTTP_NO_BODY},
    {"DELETE", "/reg/records/{subdomain}", "reg_records_delete", api_records_delete, 0,
     HTTP_NO_BODY},
    {"GET", "/system/admin/cores", "admin_cores_list", api_cores_list, 0, HTTP_NO_BODY},
    {"POST", "/system/admin/cores/ack", "admin_cores_ack", api_cores_ack, SMALL_BODY_MAX,
     HTTP_JSON_BODY},
    {"GET", "/system/admin/certs", "admin_certs_list", api_certs_list, 0, HTTP_NO_BODY},
    {"POST", "/system/admin/certs/force-renew", "admin_certs_renew", api_certs_renew,
     SMALL_BODY_MAX, HTTP_JSON_BODY},
    {"GET", "/system/admin/certs/jobs/{id}", "admin_certs_job", api_certs_job, 0, HTTP_NO_BODY},
    {"PUT", "/system/admin/users/{username}", "admin_users_put", api_users_put, SMALL_BODY_MAX,
     HTTP_JSON_BODY},
    {"DELETE", "/system/admin/users/{username}", "admin_users_delete", api_users_delete, 0,
     HTTP_NO_BODY},
};

static const struct http_route challenge_routes[] = {
    {"GET", "/.well-known/acme-challenge/{token}", "http01", api_http01_get, 0, HTTP_NO_BODY},
    {"*", "/*", "redirect", api_http01_redirect, REDIRECT_BODY_MAX, 0},
};

static const struct http_route cluster_routes[] = {
    {"POST", "/system/admin/cores/ack", "cluster_cores_ack", api_cores_ack, SMALL_BODY_MAX,
     HTTP_JSON_BODY},
    {"POST", "/cluster/node-certificate", "cluster_node_certificate", api_node_cert, CSR_BODY_MAX,
     HTTP_JSON_BODY},
};

_Static_assert(COUNT(routes) <= HTTP_ROUTES_MAX, "more routes than a site may have");

struct api *api_new(const struct api_daemon *daemon)
{
    struct api *a = mem_xalloc(sizeof *a);
    a->daemon = *daemon;
    if (a->daemon.clock == NULL) {
        a->daemon.clock = &clk_system;
    }
    a->failures = failures_new(API_CLIENTS_MAX);
    a->ack_failures = failures_new(API_CLIENTS_MAX);
    return a;
}

void api_free(struct api *a)
{
    if (a != NULL) {
        assert(a->jobs == 0);
        failures_free(a->failures);
        failures_free(a->ack_failures);
        free(a);
    }
}

struct http_site api_site(struct api *a)
{
    return (struct http_site){.routes = routes, .count = COUNT(routes), .ctx = a};
}

struct http_site api_challenge_site(struct api *a)
{
    return (struct http_site){
        .routes = challenge_routes, .count = COUNT(challenge_routes), .ctx = a};
}

struct http_site api_cluster_site(struct api *a)
{
    return (struct http_site){.routes = cluster_routes, .count = COUNT(cluster_routes), .ctx = a};
}
