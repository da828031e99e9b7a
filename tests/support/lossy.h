/* Stands between a store and its rqlited, and loses answers: a write arrives and is carried out, but
 * whoever sent it only sees the connection end. On the test's own loop.
 */
#ifndef TESTS_SUPPORT_LOSSY_H
#define TESTS_SUPPORT_LOSSY_H

#include <stdint.h>
#include <uv.h>

struct lossy {
    uv_tcp_t listener;
    uint16_t port; /* where it listens, on 127.0.0.1 */
    uint16_t to;   /* where it passes on to */
    char url[40];  /* of itself */
    unsigned lose; /* so many answers to writes are to be lost yet */
    unsigned lost;
    uv_handle_t *handles[64]; /* of open connections; NULL: free */
};

void lossy_open(struct lossy *l, uv_loop_t *loop, uint16_t to);
/* Its handles are gone when the loop has run to its end. */
void lossy_close(struct lossy *l);

#endif
