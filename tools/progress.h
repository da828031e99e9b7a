/* A bar on stderr for work that takes longer than half a second, if stderr is a terminal. */
#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/clock.h"

#define PROGRESS_AFTER_MS 500 /* shorter work needs no bar */
#define PROGRESS_EVERY_MS 100
#define PROGRESS_TEXT_MAX 128

struct progress {
    const char *what; /* borrowed */
    uint64_t total;
    bool shown, wanted;
    int64_t start_ms, next_ms;
};

void progress_start(struct progress *p, const char *what, uint64_t total);
/* Cheap enough for every step. */
void progress_at(struct progress *p, uint64_t done);
/* Takes the bar away. */
void progress_end(struct progress *p);

/* "users  [#####-----]  50%  500000/1000000": pure. */
void progress_text(char out[PROGRESS_TEXT_MAX], const char *what, uint64_t done, uint64_t total);

#endif
