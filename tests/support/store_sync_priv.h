/* How an operation is waited for: shared by the files of store_sync. */
#ifndef TESTS_SUPPORT_STORE_SYNC_PRIV_H
#define TESTS_SUPPORT_STORE_SYNC_PRIV_H

#include "store_sync.h"

struct sync_op {
    struct sync *y;
    enum err e;
    size_t left; /* scan: how many rows more */
};

void sync_begin(struct sync *y);
void sync_ended(struct sync_op *o, enum err e, const struct err_info *info);
enum err sync_finish(struct sync_op *o);
void sync_item(struct sync *y); /* a space behind what is there */
void sync_on_done(void *ctx, enum err e, const struct err_info *info);

#endif
