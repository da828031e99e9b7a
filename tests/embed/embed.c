/* A program with a loop of its own that serves a zone from memory: what libdnsd asks of its user.
 * Usage: embed DOMAIN IP PORT. Prints the port, counts its own seconds in TXT of `uptime`, and ends
 * on SIGTERM. tests/embed/test_embed.py asks it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "dnsd/dnsd.h"

static struct dnsd *server;
static uv_timer_t second;
static uv_signal_t term;

static void on_second(uv_timer_t *timer)
{
    char text[32];
    const struct dnsd_record uptime = {"TXT", 0, text};
    snprintf(text, sizeof text, "%ld",
             (long)(uv_now(timer->loop) - *(uint64_t *)timer->data) / 1000);
    if (dnsd_name_set(server, "uptime", &uptime, 1, NULL) == ERR_OK) {
        dnsd_commit(server);
    }
}

static void on_term(uv_signal_t *handle, int number)
{
    (void)number;
    uv_close((uv_handle_t *)&second, NULL);
    uv_close((uv_handle_t *)handle, NULL);
    dnsd_close(server, NULL, NULL);
}

int main(int argc, char **argv)
{
    const struct dnsd_record apex[] = {{"NS", -1, "ns1"}, {"MX", -1, "10 mail"}};
    const struct dnsd_record host[] = {{"A", 60, "192.0.2.1"}, {"AAAA", 60, "2001:db8::1"}};
    const struct dnsd_record alias = {"CNAME", -1, "ns1"};
    uv_loop_t *loop = uv_default_loop();
    struct err_info info = {.text = ""};
    uint64_t began = uv_now(loop);
    uint16_t port = argc > 3 ? (uint16_t)strtoul(argv[3], NULL, 10) : 0;
    if (argc < 4 ||
        dnsd_new(&(struct dnsd_options){.domain = argv[1], .id = "embedded"}, &server, &info) !=
            ERR_OK ||
        dnsd_name_set(server, "@", apex, 2, &info) != ERR_OK ||
        dnsd_name_set(server, "ns1", host, 2, &info) != ERR_OK ||
        dnsd_name_set(server, "*", &alias, 1, &info) != ERR_OK ||
        dnsd_listen(server, loop, argv[2], port, &port, &info) != ERR_OK) {
        fprintf(stderr, "embed: %s\n", argc < 4 ? "usage: embed DOMAIN IP PORT" : info.text);
        return 1;
    }
    dnsd_commit(server);
    uv_timer_init(loop, &second);
    second.data = &began;
    uv_timer_start(&second, on_second, 0, 1000);
    uv_signal_init(loop, &term);
    uv_signal_start(&term, on_term, SIGTERM);
    printf("%u\n", port);
    fflush(stdout);
    uv_run(loop, UV_RUN_DEFAULT);
    return uv_loop_close(loop) == 0 ? 0 : 1;
}
