/* Who is told of changes, and asking a driver that cannot tell. */
#ifndef STORE_WATCH_UV_H
#define STORE_WATCH_UV_H

struct store;

/* A change was seen, or made by this store. */
void watch_told(struct store *s);

void watch_poll_stop(struct store *s);

#endif
