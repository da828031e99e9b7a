/* lib/httpc_curl over TLS: against `openssl s_server`, with certificates made for the run. Who is
 * trusted is what ca_file or a pin says and nobody else; what is shown is what is in the files now. */
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
#include "lib/base64.h"
#include "lib/digest.h"

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
    run_openssl("req -x509 " NEW_KEY "-keyout node.key -out node.pem -subj /CN=node -CA ca.pem "
                "-CAkey ca.key -addext extendedKeyUsage=clientAuth");
    run_openssl("req -x509 " NEW_KEY "-keyout next.key -out next.pem -subj /CN=next -CA ca.pem "
                "-CAkey ca.key");
    run_openssl("req -x509 " NEW_KEY "-keyout past.key -out past.pem -subj /CN=past -CA other.pem "
                "-CAkey other.key");
    run_openssl("pkey -in node.key -aes128 -passout pass:secret -out locked.key");
    return 0;
}

static int remove_certificates(void **state)
{
    static const char *const names[] = {"ca",   "other", "self", "good",  "name",
                                        "node", "next",  "past", "locked"};
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

static int server_says = -1; /* what it prints, if that is wanted */

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
    if (server_says >= 0) {
        close(server_says);
    }
    server_says = out;
    snprintf(t.url, sizeof t.url, "https://%s:%lu/", host,
             strtoul(at + strlen("ACCEPT 127.0.0.1:"), NULL, 10));
}

static void use(const struct httpc_options *options)
{
    if (t.client != NULL) {
        httpc_close(t.client, NULL, NULL);
    }
    httpc_fixture_client(&t, options);
}

static const char *path_of(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % COUNT(paths)];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void trust(const char *name)
{
    use(&(struct httpc_options){.ca_file = name != NULL ? path_of(name) : NULL});
}

static void show(const char *cert, const char *key)
{
    use(&(struct httpc_options){
        .ca_file = path_of("ca.pem"), .cert_file = path_of(cert), .key_file = path_of(key)});
}

/* WORDS: in the reply's body, or in the error's. */
static void expect_words(enum err e, const char *words)
{
    struct httpc_got g;
    struct httpc_request r = httpc_fixture_get(&t);
    httpc_fixture_expect(&t, &r, e, &g);
    if (e == ERR_OK) {
        assert_int_equal(g.status, 200);
        assert_true(g.len > 0);
    }
    const char *text = e == ERR_OK ? g.body : g.info.text;
    if (strstr(text, words) == NULL) {
        fail_msg("no \"%s\" in: %s", words, text);
    }
    httpc_got_free(&g);
}

static void expect(enum err e)
{
    expect_words(e, "");
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

#define ASKS GOOD "-CAfile ca.pem -Verify 1 -verify_return_error "

static void a_certificate_of_our_own(void **state)
{
    static const char *const versions[] = {ASKS "-tls1_2", ASKS "-tls1_3"};
    (void)state;
    for (size_t i = 0; i < COUNT(versions); i++) {
        tls_serve(versions[i], "127.0.0.1");
        show("node.pem", "node.key");
        expect_words(ERR_OK, "node\n");
        trust("ca.pem");
        expect(ERR_DENIED);
        show("past.pem", "past.key"); /* another CA's */
        expect(ERR_DENIED);
    }
}

/* Files that cannot be used: nothing is asked of whoever sits at the terminal, and nothing is sent. */
static void a_pair_that_is_none(void **state)
{
    static const char *const rows[][2] = {
        {"missing.pem", "node.key"}, {"node.pem", "missing.key"}, {"node.pem", "next.key"},
        {"node.pem", "locked.key"},  {"node.key", "node.key"},
    };
    (void)state;
    tls_serve(ASKS, "127.0.0.1");
    for (size_t i = 0; i < COUNT(rows); i++) {
        show(rows[i][0], rows[i][1]);
        expect(ERR_DENIED);
    }
    show("node.pem", "node.key");
    expect(ERR_OK);
}

static void copy_file(const char *from, const char *to)
{
    char text[8192];
    FILE *in = fopen(path_of(from), "r"), *out = fopen(path_of(to), "w");
    assert_true(in != NULL && out != NULL);
    size_t n = fread(text, 1, sizeof text, in);
    assert_true(n > 0 && fwrite(text, 1, n, out) == n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* s_server closes after each reply, so the next request has a connection of its own; it gives tickets, and
 * whoever takes one up again is still who he was. */
static void a_new_pair_is_used_by_the_next_connection(void **state)
{
    static const char *const versions[] = {ASKS "-tls1_2", ASKS "-tls1_3"};
    (void)state;
    for (size_t i = 0; i < COUNT(versions); i++) {
        tls_serve(versions[i], "127.0.0.1");
        copy_file("node.pem", "name.pem");
        copy_file("node.key", "name.key");
        show("name.pem", "name.key");
        expect_words(ERR_OK, "node\n");
        copy_file("next.pem", "name.pem");
        copy_file("next.key", "name.key");
        expect_words(ERR_OK, "next\n");
        expect_words(ERR_OK, "0 session cache hits");
    }
}

/* ---- pins ---------------------------------------------------------------------------------- */

/* RFC 7469 §2.4: of the DER of the certificate's public key. */
static const char *pin_of(const char *key)
{
    static char pins[8][BASE64_ROOM(DIGEST_SHA256_LEN)];
    static unsigned next;
    char words[256], *pin = pins[next++ % COUNT(pins)];
    uint8_t der[4096], digest[DIGEST_SHA256_LEN];
    size_t len = 0;
    int out;
    snprintf(words, sizeof words, "pkey -in %s -pubout -outform DER", key);
    pid_t pid = openssl(words, &out);
    for (ssize_t n; (n = read(out, der + len, sizeof der - len)) > 0;) {
        len += (size_t)n;
    }
    close(out);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(len > 0);
    assert_int_equal(digest_sha256(der, len, digest), ERR_OK);
    base64_encode(digest, sizeof digest, pin);
    return pin;
}

static void pin(const char *const *pins, size_t count)
{
    use(&(struct httpc_options){.pins = pins, .pins_count = count});
}

static void a_pinned_key(void **state)
{
    static const char not_it[] = "the server's key is not the one that is expected";
    static const char *const versions[] = {"-tls1_2", "-tls1_3"};
    const char *good[] = {pin_of("good.key")}, *self[] = {pin_of("self.key")};
    const char *node[] = {pin_of("node.key")};
    const char *both[] = {self[0], good[0]}, *wrong[] = {pin_of("ca.key"), pin_of("next.key")};
    (void)state;
    for (size_t i = 0; i < COUNT(versions); i++) {
        char words[128];
        snprintf(words, sizeof words, GOOD "%s", versions[i]);
        tls_serve(words, "127.0.0.1");
        pin(good, 1);
        expect(ERR_OK);
        expect(ERR_OK);
        pin(both, 2);
        expect(ERR_OK);
        pin(self, 1);
        expect_words(ERR_DENIED, not_it);
        pin(wrong, 2); /* neither does its CA's count */
        expect_words(ERR_DENIED, not_it);
        trust("ca.pem");
        expect(ERR_OK);
        tls_serve("-www -cert self.pem -key self.key", "localhost"); /* signed by nobody */
        pin(self, 1);
        expect(ERR_OK);
        pin(good, 1);
        expect_words(ERR_DENIED, not_it);
        tls_serve("-www -cert node.pem -key node.key", "localhost"); /* called something else */
        pin(node, 1);
        expect(ERR_OK);
    }
}

/* Whatever it is called; and both sides may be asked who they are. */
static void a_pinned_key_and_a_certificate(void **state)
{
    const char *pins[] = {pin_of("good.key")};
    (void)state;
    tls_serve(ASKS, "localhost");
    use(&(struct httpc_options){.pins = pins,
                                .pins_count = 1,
                                .cert_file = path_of("node.pem"),
                                .key_file = path_of("node.key")});
    expect_words(ERR_OK, "node\n");
}

/* ---- others -------------------------------------------------------------------------------- */

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
        cmocka_unit_test_setup_teardown(a_certificate_of_our_own, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pair_that_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_pair_is_used_by_the_next_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pinned_key, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pinned_key_and_a_certificate, setup, teardown),
        cmocka_unit_test_setup_teardown(old_versions_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(peers_that_do_not_speak_tls, setup, teardown),
        cmocka_unit_test_setup_teardown(authorities_that_are_none, setup, teardown),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
