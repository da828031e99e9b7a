/* Packets from strangers, over UDP, TCP and TLS, to a zone with everything in it. answer_check.h says
 * what must be true of every answer.
 *
 * The input is the packet itself; so the corpus is made of packets.
 */
#include <stdint.h>
#include <stdlib.h>

#include "answer_check.h"
#include "rich_zone.h"
#include "zone_build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct answer_config config = {
    .id = "core-a", .version = "dnsd 0.1", .chaos = true, .keepalive_ds = 100};
static struct answer_counters counters;
static struct answerer answerer = {.config = &config, .counters = &counters};
static struct zone *zone;

static void close_zone(void)
{
    zone_snapshot_unref(answerer.snapshot);
    zone_free(zone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct dns_message *m;
    if (zone == NULL) {
        zone = zone_build(RICH_OPTIONS, RICH_CONTENT);
        answerer.snapshot = zone_commit(zone, 42);
        atexit(close_zone);
    }
    if (size > ANSWER_TCP_MAX) {
        return 0;
    }
    answer_check(&answerer, ANSWER_UDP, data, size, &m);
    answer_check(&answerer, ANSWER_TCP, data, size, &m);
    answer_check(&answerer, ANSWER_TLS, data, size, &m);
    return 0;
}
