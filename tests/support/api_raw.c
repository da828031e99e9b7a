#include "api_raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "http/server_priv.h"
#include "lib/clock.h"
#include "lib/mem.h"

/* ---- the cluster ------------------------------------------------------------------------------- */

static struct web_cluster cluster;

const struct web_cluster *web_cluster(void)
{
    struct err_info info = {.text = ""};
    if (cluster.ca != NULL) {
        return &cluster;
    }
    cluster.ca = tls_make(&(struct tls_make){.subject = "the CA", .ca = true});
    cluster.core_b = tls_make(&(struct tls_make){.subject = "core-b", .issuer = cluster.ca});
    struct tls_made *shown = tls_make(
        &(struct tls_make){.subject = "core-a", .names = "DNS:core-a", .issuer = cluster.ca});
    struct tls_pair *pair = tls_pair_of(shown);
    const struct tls_context_options options = {.pairs = &pair,
                                                .pairs_count = 1,
                                                .client_ca = cluster.ca->cert,
                                                .client_ca_len = strlen(cluster.ca->cert)};
    if (tls_context_new(&options, &cluster.context, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    tls_pair_unref(pair);
    tls_made_free(shown);
    return &cluster;
}

void web_serial(const struct tls_made *m, char out[41])
{
    BIGNUM *n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(m->x), NULL);
    char *hex = BN_bn2hex(n);
    assert_true(strlen(hex) < 41);
    for (size_t i = 0; i <= strlen(hex); i++) {
        out[i] = hex[i] >= 'A' ? (char)(hex[i] - 'A' + 'a') : hex[i];
    }
    OPENSSL_free(hex);
    BN_free(n);
}

void web_fingerprint(const struct tls_made *m, char out[65])
{
    uint8_t digest[32];
    assert_int_equal(X509_digest(m->x, EVP_sha256(), digest, NULL), 1);
    for (size_t i = 0; i < sizeof digest; i++) {
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    }
}

/* ---- octets ------------------------------------------------------------------------------------ */

static void turn(struct web_raw *c)
{
    struct pollfd wait[] = {{.fd = c->fd, .events = POLLIN},
                            {.fd = uv_backend_fd(c->web->loop), .events = POLLIN}};
    poll(wait, 2, 1);
    uv_run(c->web->loop, UV_RUN_NOWAIT);
}

static void send_all(struct web_raw *c, const void *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = send(c->fd, (const char *)bytes + at, len - at, MSG_DONTWAIT | MSG_NOSIGNAL);
        at += n > 0 ? (size_t)n : 0;
        if (n < 0 && errno != EAGAIN) {
            return; /* refused meanwhile: what was said is still to be read */
        }
        turn(c);
    }
}

static void flush(struct web_raw *c)
{
    uint8_t bytes[16384];
    int n;
    while (c->tls != NULL && (n = BIO_read(c->tls->out, bytes, sizeof bytes)) > 0) {
        send_all(c, bytes, (size_t)n);
    }
}

/* What has come goes to OpenSSL, or to `in`; a turn if nothing has. */
static void receive(struct web_raw *c)
{
    char bytes[16384];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n > 0 && c->tls != NULL) {
        assert_int_equal(BIO_write(c->tls->in, bytes, (int)n), n);
    } else if (n > 0) {
        str_append_n(&c->in, bytes, (size_t)n);
    } else if (n == 0 || errno != EAGAIN) {
        c->eof = true;
    } else {
        turn(c);
    }
}

static void read_plain(struct web_raw *c)
{
    char bytes[16384];
    size_t n;
    ERR_clear_error();
    while (c->tls != NULL && SSL_read_ex(c->tls->ssl, bytes, sizeof bytes, &n) == 1) {
        str_append_n(&c->in, bytes, n);
    }
    flush(c);
}

static void shake(struct web_raw *c)
{
    int64_t deadline = clk_mono_ms(&clk_system) + WEB_DEADLINE_MS;
    while (!SSL_is_init_finished(c->tls->ssl)) {
        ERR_clear_error();
        SSL_do_handshake(c->tls->ssl);
        flush(c);
        assert_true(!c->eof && clk_mono_ms(&clk_system) < deadline);
        if (!SSL_is_init_finished(c->tls->ssl)) {
            receive(c);
        }
    }
}

/* ---- one request ------------------------------------------------------------------------------- */

static void say(struct web_raw *c, const struct web_ask *ask)
{
    struct str out = {.text = NULL};
    size_t written;
    snprintf(c->got->method, sizeof c->got->method, "%s", ask->method);
    snprintf(c->got->target, sizeof c->got->target, "%s", ask->target);
    str_appendf(&out, "%s %s HTTP/1.1\r\nHost: core-a\r\nConnection: close\r\n", ask->method,
                ask->target);
    if (ask->key == NULL || ask->key[0] != '\0') {
        str_appendf(&out, "Authorization: %s\r\n", ask->key != NULL ? ask->key : WEB_KEY);
    }
    if (ask->body != NULL) {
        str_appendf(&out, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                    ask->type != NULL ? ask->type : "application/json", strlen(ask->body));
    }
    if (ask->from != NULL) {
        str_appendf(&out, "X-Forwarded-For: %s\r\n", ask->from);
    }
    str_appendf(&out, "\r\n%s", ask->body != NULL ? ask->body : "");
    if (c->tls == NULL) {
        send_all(c, out.text, out.len);
    } else {
        assert_int_equal(SSL_write_ex(c->tls->ssl, out.text, out.len, &written), 1);
        flush(c);
    }
    str_free(&out);
}

static void copy_field(const char *head, const char *name, char *out, size_t cap)
{
    const char *at = strcasestr(head, name);
    snprintf(out, cap, "%.*s", at != NULL ? (int)strcspn(at + strlen(name), "\r") : 0,
             at != NULL ? at + strlen(name) : "");
}

void web_raw_leave(struct web_raw *c)
{
    str_free(&c->in);
    if (c->tls != NULL) {
        tls_peer_free(c->tls);
    }
    close(c->fd);
}

void web_raw_wait(struct web_raw *c)
{
    int64_t deadline = clk_mono_ms(&clk_system) + WEB_DEADLINE_MS;
    struct web_got *g = c->got;
    do {
        receive(c);
        read_plain(c);
        assert_true(clk_mono_ms(&clk_system) < deadline);
    } while (!c->eof);
    char *body = c->in.text != NULL ? strstr(c->in.text, "\r\n\r\n") : NULL;
    if (body == NULL) {
        fail_msg("%s %s: no answer", g->method, g->target);
        return;
    }
    *body = '\0';
    assert_int_equal(sscanf(c->in.text, "HTTP/1.1 %u", &g->status), 1);
    copy_field(c->in.text, "\r\nretry-after: ", g->retry_after, sizeof g->retry_after);
    copy_field(c->in.text, "\r\ncontent-type: ", g->type, sizeof g->type);
    copy_field(c->in.text, "\r\ncache-control: ", g->cache, sizeof g->cache);
    g->body = mem_xmemdup(body + 4, strlen(body + 4) + 1);
    g->ended++;
    web_note(g);
    web_raw_leave(c);
}

void web_tls_start(struct web *w, const struct web_ask *ask, const struct tls_made *shown,
                   struct web_raw *c, struct web_got *got)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(w->port[WEB_CLUSTER]),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    *got = (struct web_got){.web = w, .site = WEB_CLUSTER};
    *c = (struct web_raw){.web = w, .got = got};
    c->tls = tls_peer_new(&(struct tls_peer_options){.sni = "core-a"});
    if (shown != NULL) {
        assert_int_equal(SSL_use_certificate(c->tls->ssl, shown->x), 1);
        assert_int_equal(SSL_use_PrivateKey(c->tls->ssl, shown->key), 1);
    }
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&at, sizeof at), 0);
    shake(c);
    say(c, ask);
}

void web_tls_ask(struct web *w, const struct web_ask *ask, const struct tls_made *shown,
                 struct web_got *got)
{
    struct web_raw c;
    web_tls_start(w, ask, shown, &c, got);
    web_raw_wait(&c);
}

void web_far_ask(struct web *w, const struct web_ask *ask, struct web_got *got)
{
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = {htonl(0xc0000201)}};
    struct web_raw c = {.web = w, .got = got};
    int fds[2];
    *got = (struct web_got){.web = w, .site = ask->site};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    http_conn_open(w->server, fds[1], (struct sockaddr *)&from, ask->site, HTTP_CONN_PLAIN);
    c.fd = fds[0];
    say(&c, ask);
    web_raw_wait(&c);
}
