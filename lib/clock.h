/* Time as data. Everything that decides by time takes a struct clk or a number of milliseconds, so
 * that tests own the clock. Times are int64_t milliseconds; never time_t.
 * Threads: any.
 */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <stdint.h>

struct clk {
    int64_t (*wall_ms)(void *ctx); /* since 1970-01-01 UTC; may jump */
    int64_t (*mono_ms)(void *ctx); /* never goes back; only differences mean anything */
    void *ctx;                     /* borrowed */
};

/* The machine's own clock. */
extern const struct clk clk_system;

static inline int64_t clk_wall_ms(const struct clk *c)
{
    return c->wall_ms(c->ctx);
}

static inline int64_t clk_mono_ms(const struct clk *c)
{
    return c->mono_ms(c->ctx);
}

#endif
