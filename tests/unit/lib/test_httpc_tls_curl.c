/* lib/httpc_curl over TLS: against `openssl s_server`, with certificates made for the run. Who is
 * trusted is what ca_file says and nobody else. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "httpc_fixture.h"

#define WORDS_MAX 32
#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))

static struct httpc_fixture t;
static char folder[64];
static pid_t tls_server;

/* Starts openssl in the folder; its output can be read from *out (NULL: thrown away). */
static pid_t openssl(const char *words, int *out)
{
    int pipes[2] = {-1, -1};
    char copy[1024], *argv[WORDS_MAX] = {NULL};
    size_t argc = 0;
    snprintf(copy, sizeof copy, "openssl %s", words);
    for (char *rest = NULL, *w = strtok_r(copy, " ", &rest); w != NULL;
         w = strtok_r(NULL, " ", &rest)) {
        assert_true(argc + 1 < WORDS_MAX);
        argv[argc++] = w;
    }
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (chdir(folder) == 0 && dup2(null, 0) == 0 && dup2(null, 2) == 2 &&
            dup2(out != NULL ? pipes[1] : null, 1) == 1) {
            close(pipes[0]);
            execvp(argv[0], argv);
        }
        _exit(127);
    }
    assert_true(pid > 0);
    close(pipes[1]);
    if (out != NULL) {
        *out = pipes[0];
    } else {
        close(pipes[0]);
    }
    return pid;
}

static void run_openssl(const char *words)
{
    int status = -1;
    assert_int_equal(waitpid(openssl(words, NULL), &status, 0) > 0, 1);
    if (status != 0) {
        fail_msg("openssl %s: status %d", words, status);
    }
}

#define NEW_KEY "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "

static int make_certificates(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN); /* as the header asks for */
    snprintf(folder, sizeof folder, "/tmp/dnsd-httpc-XXXXXX");
    assert_non_null(mkdtemp(folder));
    run_openssl("req -x509 " NEW_KEY "-keyout ca.key -out ca.pem -subj /CN=ca");
    run_openssl("req -x509 " NEW_KEY "-keyout other.key -out other.pem -subj /CN=other");
    run_openssl("req -x509 " NEW_KEY "-keyout self.key -out self.pem -subj /CN=self "
                "-addext subjectAltName=IP:127.0.0.1,DNS:localhost");
    run_openssl("req -x509 " NEW_KEY "-keyout good.key -out good.pem -subj /CN=good -CA ca.pem "
                "-CAkey ca.key -addext subjectAltName=IP:127.0.0.1,DNS:localhost");
    run_openssl("req -x509 " NEW_KEY "-keyout name.key -out name.pem -subj /CN=127.0.0.1 "
                "-CA ca.pem -CAkey ca.key -addext subjectAltName=DNS:elsewhere.example");
    return 0;
}

static int remove_certificates(void **state)
{
    static const char *const names[] = {"ca", "other", "self", "good", "name"};
    char path[128];
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s.pem", folder, names[i]);
        unlink(path);
        snprintf(path, sizeof path, "%s/%s.key", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

static int setup(void **state)
{
    (void)state;
    httpc_fixture_init(&t);
    return 0;
}

static void stop_server(void)
{
    if (tls_server > 0) {
        kill(tls_server, SIGKILL);
        waitpid(tls_server, NULL, 0);
        tls_server = 0;
    }
}

static int teardown(void **state)
{
    (void)state;
    stop_server();
    return httpc_fixture_end(&t);
}

/* A server on a port of its choice, which it prints. It stays until stop_server(). */
static void tls_serve(const char *words, const char *host)
{
    char line[256], all[512], *at;
    int out;
    size_t len = 0;
    stop_server();
    snprintf(all, sizeof all, "s_server -accept 127.0.0.1:0 %s", words);
    tls_server = openssl(all, &out);
    for (;;) {
        struct pollfd p = {.fd = out, .events = POLLIN};
        assert_int_equal(poll(&p, 1, HTTPC_FIXTURE_DEADLINE_MS), 1);
        ssize_t n = read(out, line + len, sizeof line - len - 1);
        assert_true(n > 0);
        len += (size_t)n;
        line[len] = '\0';
        at = strstr(line, "ACCEPT 127.0.0.1:");
        if (at != NULL && strchr(at, '\n') != NULL) {
            break;
        }
    }
    close(out);
    snprintf(t.url, sizeof t.url, "https://%s:%lu/", host,
             strtoul(at + strlen("ACCEPT 127.0.0.1:"), NULL, 10));
}

static void trust(const char *name)
{
    static unsigned closed;
    static char path[128];
    struct httpc_options options = {.ca_file = name != NULL ? path : NULL};
    snprintf(path, sizeof path, "%s/%s", folder, name != NULL ? name : "");
    if (t.client != NULL) {
        httpc_close(t.client, NULL, &closed);
    }
    httpc_fixture_client(&t, &options);
}

static void expect(enum err e)
{
    struct httpc_got g;
    struct httpc_request r = httpc_fixture_get(&t);
    httpc_fixture_expect(&t, &r, e, &g);
    if (e == ERR_OK) {
        assert_int_equal(g.status, 200);
        assert_true(g.len > 0);
    }
    httpc_got_free(&g);
}

#define GOOD "-www -cert good.pem -key good.key "

static void a_pinned_authority(void **state)
{
    (void)state;
    trust("ca.pem");
    tls_serve(GOOD, "127.0.0.1");
    expect(ERR_OK);
    tls_serve(GOOD, "localhost");
    expect(ERR_OK);
    expect(ERR_OK);
    tls_serve(GOOD "-tls1_2", "localhost");
    expect(ERR_OK);
}

static void a_pinned_certificate(void **state)
{
    (void)state;
    trust("self.pem");
    tls_serve("-www -cert self.pem -key self.key", "127.0.0.1");
    expect(ERR_OK);
}

static void who_is_not_trusted(void **state)
{
    (void)state;
    tls_serve(GOOD, "127.0.0.1");
    trust("other.pem");
    expect(ERR_DENIED);
    trust(NULL); /* the system's */
    expect(ERR_DENIED);
    trust("ca.pem");
    expect(ERR_OK);
    tls_serve("-www -cert self.pem -key self.key", "127.0.0.1");
    expect(ERR_DENIED);
}

/* RFC 9110 §4.3.4: the name must be among the certificate's; the subject's common name is none. */
static void the_name_must_be_right(void **state)
{
    (void)state;
    trust("ca.pem");
    tls_serve("-www -cert name.pem -key name.key", "127.0.0.1");
    expect(ERR_DENIED);
    tls_serve("-www -cert name.pem -key name.key", "localhost");
    expect(ERR_DENIED);
}

static void a_peer_that_wants_a_certificate(void **state)
{
    (void)state;
    trust("ca.pem");
    tls_serve(GOOD "-Verify 1 -verify_return_error -tls1_2", "127.0.0.1");
    expect(ERR_DENIED);
    tls_serve(GOOD "-Verify 1 -verify_return_error -tls1_3", "127.0.0.1");
    expect(ERR_DENIED);
}

static void old_versions_are_refused(void **state)
{
    (void)state;
    trust("ca.pem");
    tls_serve(GOOD "-tls1_1 -cipher ALL:@SECLEVEL=0", "127.0.0.1");
    expect(ERR_DENIED);
}

static void peers_that_do_not_speak_tls(void **state)
{
    static const struct http_script_act plain[] = {
        {.kind = HTTP_SCRIPT_SEND, .text = "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"},
        {.kind = HTTP_SCRIPT_HANG}};
    static const struct http_script_act cut[] = {{.kind = HTTP_SCRIPT_CLOSE}};
    static const struct http_script_act reset[] = {{.kind = HTTP_SCRIPT_RESET}};
    static const struct http_script_act hang[] = {{.kind = HTTP_SCRIPT_HANG}};
    static const struct {
        const struct http_script_act *greeting;
        enum err e;
    } cases[] = {
        {plain, ERR_DENIED}, {cut, ERR_UNAVAIL}, {reset, ERR_UNAVAIL}, {hang, ERR_TIMEOUT}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct httpc_got g;
        httpc_fixture_serve(&t, NULL);
        t.server.greeting = cases[i].greeting;
        snprintf(t.url, sizeof t.url, "https://127.0.0.1:%u/", t.server.port);
        struct httpc_request r = httpc_fixture_get(&t);
        r.connect_ms = 300; /* which has the handshake in it */
        httpc_fixture_expect(&t, &r, cases[i].e, &g);
        assert_true(g.took_ms < 300 + HTTPC_FIXTURE_LATE_MS);
        httpc_fixture_unserve(&t);
    }
}

static void authorities_that_are_none(void **state)
{
    static const struct {
        const char *name;
        enum err e;
    } cases[] = {{"missing.pem", ERR_NOTFOUND}, {"ca.key", ERR_MALFORMED}, {".", ERR_IO}};
    char path[128];
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct httpc_options options = {.ca_file = path};
        struct err_info info = {.text = ""};
        struct httpc *c = (struct httpc *)&options;
        snprintf(path, sizeof path, "%s/%s", folder, cases[i].name);
        assert_int_equal(httpc_open(&t.loop, &options, &c, &info), cases[i].e);
        assert_non_null(strstr(info.text, path));
        assert_null(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_pinned_authority, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pinned_certificate, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_not_trusted, setup, teardown),
        cmocka_unit_test_setup_teardown(the_name_must_be_right, setup, teardown),
        cmocka_unit_test_setup_teardown(a_peer_that_wants_a_certificate, setup, teardown),
        cmocka_unit_test_setup_teardown(old_versions_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(peers_that_do_not_speak_tls, setup, teardown),
        cmocka_unit_test_setup_teardown(authorities_that_are_none, setup, teardown),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
