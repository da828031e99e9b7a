#include "pebble.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/mem.h"
#include "tls_peer.h"

#define WAIT_MS 30000

static const char *const files[] = {"ca.pem", "cert.pem", "key.pem", "pebble.json", "log"};

char **pebble_programs(void)
{
    const char *paths = getenv("DNSD_PEBBLES");
    if (paths == NULL || *paths == '\0') {
        fail_msg("DNSD_PEBBLES names no pebble: run tools/setup test");
        return NULL;
    }
    /* The list and its texts in one piece of memory. */
    size_t room = (strlen(paths) / 2 + 3) * sizeof(char *);
    char **list = mem_xalloc(room + strlen(paths) + 1);
    char *text = (char *)list + room;
    memcpy(text, paths, strlen(paths) + 1);
    size_t n = 0;
    for (char *path; (path = strsep(&text, ":")) != NULL;) {
        if (*path != '\0') {
            list[n++] = path;
        }
    }
    return list;
}

/* ---- its files --------------------------------------------------------------------------------- */

static void path_of(const struct pebble *p, const char *file, char out[96])
{
    snprintf(out, 96, "%s/%s", p->folder, file);
}

static void write_file(const struct pebble *p, const char *file, const char *text)
{
    char path[96];
    path_of(p, file, path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(0, fclose(f));
}

static void write_pair(const struct pebble *p)
{
    struct tls_made *ca = tls_make(&(struct tls_make){.subject = "the CA's CA", .ca = true});
    struct tls_made *made =
        tls_make(&(struct tls_make){.names = "DNS:localhost,IP:127.0.0.1", .issuer = ca});
    write_file(p, "ca.pem", ca->cert);
    write_file(p, "cert.pem", made->cert);
    write_file(p, "key.pem", made->private);
    tls_made_free(made);
    tls_made_free(ca);
}

static void write_config(const struct pebble *p, const struct pebble_options *o)
{
    char text[2048];
    int n = snprintf(text, sizeof text,
                     "{\"pebble\": {\"listenAddress\": \"127.0.0.1:%u\","
                     " \"managementListenAddress\": \"127.0.0.1:%u\","
                     " \"certificate\": \"%s/cert.pem\", \"privateKey\": \"%s/key.pem\","
                     " \"httpPort\": 5002, \"tlsPort\": 5001, \"ocspResponderURL\": \"\","
                     " \"externalAccountBindingRequired\": %s",
                     p->port, p->management_port, p->folder, p->folder,
                     o->eab_kid != NULL ? "true" : "false");
    if (o->eab_kid != NULL) {
        n += snprintf(text + n, sizeof text - (size_t)n,
                      ", \"externalAccountMACKeys\": {\"%s\": \"%s\"}", o->eab_kid, o->eab_key);
    }
    if (o->profile != NULL) {
        n += snprintf(text + n, sizeof text - (size_t)n,
                      ", \"profiles\": {\"%s\": {\"description\": \"of a test\","
                      " \"validityPeriod\": 864000}}",
                      o->profile);
    }
    if (o->blocked != NULL) {
        n += snprintf(text + n, sizeof text - (size_t)n, ", \"domainBlocklist\": [\"%s\"]",
                      o->blocked);
    }
    if (o->caa != NULL) {
        n += snprintf(text + n, sizeof text - (size_t)n, ", \"caaIdentities\": [\"%s\"]", o->caa);
    }
    snprintf(text + n, sizeof text - (size_t)n, "}}\n");
    write_file(p, "pebble.json", text);
}

/* ---- the process ---------------------------------------------------------------------------------- */

/* Free just now, below those that the kernel gives to outgoing connections. */
static uint16_t free_port(void)
{
    static unsigned next;
    if (next == 0) {
        next = (unsigned)getpid() * 41 % 9000;
    }
    for (int tries = 0; tries < 9000; tries++) {
        struct sockaddr_in a = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)(11000 + next++ % 9000)),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int rc = bind(fd, (struct sockaddr *)&a, sizeof a);
        close(fd);
        if (rc == 0) {
            return ntohs(a.sin_port);
        }
    }
    fail_msg("no free port");
    return 0;
}

static void set(const char *name, unsigned value)
{
    char text[16];
    snprintf(text, sizeof text, "%u", value);
    setenv(name, text, 1);
}

static _Noreturn void run(const struct pebble *p, const struct pebble_options *o, pid_t parent)
{
    char path[96];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);
    }
    set("PEBBLE_VA_NOSLEEP", 1);
    set("PEBBLE_VA_ALWAYS_VALID", !o->validates);
    set("PEBBLE_WFE_NONCEREJECT", o->nonce_reject);
    set("PEBBLE_AUTHZREUSE", o->authz_reuse);
    set("PEBBLE_ALTERNATE_ROOTS", o->alternate_roots);
    path_of(p, "log", path);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    path_of(p, "pebble.json", path);
    execl(o->program, o->program, "-strict", "-config", path, (char *)NULL);
    _exit(127);
}

static bool answers(uint16_t port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = connect(fd, (struct sockaddr *)&a, sizeof a);
    close(fd);
    return rc == 0;
}

static void spawn(struct pebble *p, const struct pebble_options *o)
{
    pid_t self = getpid();
    write_config(p, o);
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0) {
        run(p, o, self);
    }
    int64_t end_ms = clk_mono_ms(&clk_system) + WAIT_MS;
    while (!answers(p->port)) {
        if (clk_mono_ms(&clk_system) > end_ms || waitpid(p->pid, NULL, WNOHANG) != 0) {
            fail_msg("%s does not come up", o->program);
        }
        poll(NULL, 0, 10);
    }
}

static void end(struct pebble *p)
{
    if (p->pid != 0) {
        assert_int_equal(0, kill(p->pid, SIGKILL));
        assert_int_equal(p->pid, waitpid(p->pid, NULL, 0));
        p->pid = 0;
    }
}

void pebble_start(struct pebble *p, const struct pebble_options *options)
{
    const char *tmp = getenv("TMPDIR");
    memset(p, 0, sizeof *p);
    snprintf(p->folder, sizeof p->folder, "%.30s/dnsd-pebble-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->ca_file, sizeof p->ca_file, "%s/ca.pem", p->folder);
    p->port = free_port();
    p->management_port = free_port();
    snprintf(p->url, sizeof p->url, "https://127.0.0.1:%u/dir", p->port);
    write_pair(p);
    spawn(p, options);
}

void pebble_restart(struct pebble *p, const struct pebble_options *options)
{
    end(p);
    spawn(p, options);
}

void pebble_stop(struct pebble *p)
{
    end(p);
    for (size_t i = 0; p->folder[0] != '\0' && i < sizeof files / sizeof files[0]; i++) {
        char path[96];
        path_of(p, files[i], path);
        unlink(path);
    }
    if (p->folder[0] != '\0') {
        assert_int_equal(0, rmdir(p->folder));
    }
    p->folder[0] = '\0';
}
