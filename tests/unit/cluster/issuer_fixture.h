/* An issuer for the drivers' tests: our own server with the certificate of a cluster made for the run, on
 * 127.0.0.1, that answers every POST as it is told and keeps what it was sent. Beside it the files of a node.
 */
#ifndef TESTS_ISSUER_FIXTURE_H
#define TESTS_ISSUER_FIXTURE_H

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "cert/authority.h"
#include "cert/csr.h"
#include "http/server.h"
#include "lib/clock.h"
#include "lib/file_sys.h"
#include "lib/tls_context.h"

struct issuer {
    uv_loop_t loop;
    struct http_server *server;
    uint16_t port;
    char folder[64];
    char ca_path[96], cert_path[96], key_path[96]; /* of the node "core-b" */
    char other_ca_path[96];
    char pin[CERT_PIN]; /* of the issuer */
    unsigned status;    /* what is answered */
    const char *answer, *retry_after;
    unsigned better_after; /* requests; then 200. 0: never */
    unsigned requests;
    char body[4096], peer[CERT_ID_MAX]; /* of the last request */
};

static inline void issuer_handle(void *ctx, struct http_request *r)
{
    struct issuer *s = ctx;
    struct tls_peer peer;
    size_t len = 0;
    const char *body = http_request_body(r, &len);
    s->requests++;
    snprintf(s->body, sizeof s->body, "%.*s", (int)len, body);
    snprintf(s->peer, sizeof s->peer, "%s", http_request_tls_peer(r, &peer) ? peer.name : "");
    const struct http_header again = {"retry-after", s->retry_after};
    bool better = s->better_after != 0 && s->requests > s->better_after;
    http_reply(r, &(struct http_reply){.status = better ? 200 : s->status,
                                       .body = s->answer,
                                       .len = strlen(s->answer),
                                       .headers = &again,
                                       .headers_count = s->retry_after != NULL ? 1 : 0});
}

static inline void issuer_put(const char *path, const char *text)
{
    assert_int_equal(file_replace(path, text, strlen(text), 0600, NULL), ERR_OK);
}

static inline void issuer_sign(const struct cert_authority *a, const char *id, char **cert,
                               char **key_pem)
{
    struct cert_key *key = NULL;
    char *csr = NULL;
    const char *const names[] = {id, "127.0.0.1"};
    assert_int_equal(cert_key_new(&key, NULL), ERR_OK);
    assert_int_equal(cert_csr_new_pem(key, names, 1, &csr, NULL), ERR_OK);
    assert_int_equal(cert_key_to_pem(key, key_pem, NULL), ERR_OK);
    const struct cert_node_wish wish = {.id = id,
                                        .names = names,
                                        .names_count = 2,
                                        .now_ms = clk_wall_ms(&clk_system),
                                        .lifetime_s = 3600};
    assert_int_equal(cert_authority_sign(a, csr, strlen(csr), &wish, cert, NULL), ERR_OK);
    free(csr);
    cert_key_free(key);
}

static inline void issuer_listen(struct issuer *s, const char *ca, const char *cert,
                                 const char *key)
{
    static const struct http_route routes[] = {
        {"POST", "/*", "all", issuer_handle, 4096, HTTP_JSON_BODY}};
    const struct http_site site = {.routes = routes, .count = 1, .ctx = s};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    struct tls_pair *pair = NULL;
    struct tls_context *context = NULL;
    assert_int_equal(tls_pair_new(cert, strlen(cert), key, strlen(key), &pair, NULL), ERR_OK);
    const struct tls_context_options options = {
        .pairs = &pair, .pairs_count = 1, .client_ca = ca, .client_ca_len = strlen(ca)};
    assert_int_equal(tls_context_new(&options, &context, NULL), ERR_OK);
    assert_int_equal(http_server_open(&s->loop, &site, 1, &http_limits_default, &s->server, NULL),
                     ERR_OK);
    http_server_use_tls(s->server, context);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    s->port = ntohs(address.sin_port);
    assert_int_equal(http_server_listen(s->server, fd, 0, true, NULL), ERR_OK);
    tls_context_unref(context);
    tls_pair_unref(pair);
}

static inline void issuer_begin(struct issuer *s)
{
    char *ca = NULL, *ca_key = NULL, *other = NULL, *other_key = NULL;
    char *cert = NULL, *key = NULL, *node = NULL, *node_key = NULL;
    struct cert_authority *a = NULL;
    int64_t now_ms = clk_wall_ms(&clk_system);
    *s = (struct issuer){.status = 200, .answer = "{}"};
    signal(SIGPIPE, SIG_IGN);
    snprintf(s->folder, sizeof s->folder, "/tmp/dnsd-issuer-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->ca_path, sizeof s->ca_path, "%s/ca.crt", s->folder);
    snprintf(s->cert_path, sizeof s->cert_path, "%s/node.crt", s->folder);
    snprintf(s->key_path, sizeof s->key_path, "%s/node.key", s->folder);
    snprintf(s->other_ca_path, sizeof s->other_ca_path, "%s/other.crt", s->folder);
    assert_int_equal(cert_authority_make(now_ms, &ca, &ca_key, NULL), ERR_OK);
    assert_int_equal(cert_authority_make(now_ms, &other, &other_key, NULL), ERR_OK);
    assert_int_equal(cert_authority_open(ca, strlen(ca), ca_key, strlen(ca_key), now_ms, &a, NULL),
                     ERR_OK);
    issuer_sign(a, "core-a", &cert, &key);
    issuer_sign(a, "core-b", &node, &node_key);
    issuer_put(s->ca_path, ca);
    issuer_put(s->other_ca_path, other);
    issuer_put(s->cert_path, node);
    issuer_put(s->key_path, node_key);
    assert_int_equal(cert_pin(cert, strlen(cert), s->pin, NULL), ERR_OK);
    assert_int_equal(uv_loop_init(&s->loop), 0);
    issuer_listen(s, ca, cert, key);
    cert_authority_free(a);
    cert_key_pem_free(ca_key);
    cert_key_pem_free(other_key);
    cert_key_pem_free(key);
    cert_key_pem_free(node_key);
    free(ca);
    free(other);
    free(cert);
    free(node);
}

static inline void issuer_end(struct issuer *s)
{
    http_server_close(s->server, NULL, NULL);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&s->loop), 0);
    unlink(s->ca_path);
    unlink(s->cert_path);
    unlink(s->key_path);
    unlink(s->other_ca_path);
    assert_int_equal(rmdir(s->folder), 0);
}

#endif
