#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR 30

void progress_start(struct progress *p, const char *what, uint64_t total)
{
    int64_t now = clk_mono_ms(&clk_system);
    *p = (struct progress){
        .what = what,
        .total = total,
        .wanted = isatty(STDERR_FILENO) == 1,
        .start_ms = now,
        .next_ms = now + PROGRESS_AFTER_MS,
    };
}

void progress_text(char out[PROGRESS_TEXT_MAX], const char *what, uint64_t done, uint64_t total)
{
    char bar[BAR + 1];
    if (done > total) {
        done = total;
    }
    double part = total > 0 ? (double)done / (double)total : 1.0;
    size_t filled = (size_t)(part * BAR);
    memset(bar, '-', BAR);
    memset(bar, '#', filled);
    bar[BAR] = '\0';
    snprintf(out, PROGRESS_TEXT_MAX, "%s  [%s] %3d%%  %" PRIu64 "/%" PRIu64, what, bar,
             (int)(part * 100), done, total);
}

void progress_at(struct progress *p, uint64_t done)
{
    char text[PROGRESS_TEXT_MAX];
    if (!p->wanted) {
        return;
    }
    int64_t now = clk_mono_ms(&clk_system);
    if (now < p->next_ms) {
        return;
    }
    p->next_ms = now + PROGRESS_EVERY_MS;
    p->shown = true;
    progress_text(text, p->what, done, p->total);
    fprintf(stderr, "\r\033[K%s", text);
    fflush(stderr);
}

void progress_end(struct progress *p)
{
    if (p->shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    p->wanted = false;
    p->shown = false;
}
