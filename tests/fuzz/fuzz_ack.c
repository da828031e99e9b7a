/* Target: the ack's machine, from what an issuer answers. Octets 0 and 1 say which status comes how often
 * before; the rest is a body, and, up to its first line's end, a Retry-After. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/ack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_told(const struct ack_told *told)
{
    assert(told->members_count <= ACK_MEMBERS_MAX && told->lsc_ips_count <= ACK_LSC_MAX);
    for (size_t i = 0; i < told->members_count; i++) {
        assert(told->members[i].id != NULL);
    }
    for (size_t i = 0; i < told->lsc_ips_count; i++) {
        assert(told->lsc_ips[i] != NULL);
    }
}

static struct ack_ev reply(const char *text, size_t size, const char *retry_after, int64_t now_ms,
                           unsigned status)
{
    return (struct ack_ev){.kind = ACK_REPLY,
                           .now_ms = now_ms,
                           .chance = 999,
                           .status = status,
                           .body = text,
                           .len = size,
                           .retry_after = retry_after};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ack_machine m;
    int64_t now_ms = 0;
    if (size < 2) {
        return 0;
    }
    char *text = malloc(size - 1);
    char *line = malloc(size - 1);
    assert(text != NULL && line != NULL);
    memcpy(text, data + 2, size - 2);
    text[size - 2] = '\0';
    memcpy(line, text, size - 1);
    line[strcspn(line, "\r\n")] = '\0';
    ack_init(&m, "https://a.example/ack", "core-b", 0);
    struct ack_act act = ack_next(&m, &(struct ack_ev){.kind = ACK_GO});
    for (unsigned round = 0; act.kind == ACK_POST; round++) {
        unsigned status = round < data[0] % 8u ? 500 + data[1] % 8u : 100 + data[1] * 2u;
        struct ack_ev ev = reply(text, size - 2, line, now_ms, data[0] > 127 ? 200 : status);
        assert(act.ms > 0 && act.ms <= ACK_TRY_MS && round < 400);
        act = ack_next(&m, &ev);
        if (act.kind == ACK_WAIT) {
            assert(act.ms >= ACK_PAUSE_MS && act.ms <= ACK_RETRY_MAX_MS);
            now_ms += act.ms;
            act = ack_next(&m, &(struct ack_ev){.kind = ACK_WOKEN, .now_ms = now_ms});
        }
    }
    assert(act.kind == ACK_DONE && now_ms < ACK_DEADLINE_MS + ACK_RETRY_MAX_MS);
    if (act.result == ERR_OK) {
        check_told(&m.told);
    } else {
        assert(m.info.text[0] != '\0');
    }
    ack_fini(&m);
    free(text);
    free(line);
    return 0;
}
