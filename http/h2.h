/* HTTP/2 (RFC 9113) on a connection. Private to http/. */
#ifndef HTTP_H2_H
#define HTTP_H2_H

#include "server_priv.h"

/* What all sessions share. NULL: no memory. */
struct h2_setup *h2_setup_new(const struct http_limits *limits);
void h2_setup_free(struct h2_setup *s);

/* C speaks HTTP/2 from now on: c->h2. ERR_NOMEM. */
enum err h2_open(struct http_conn *c) MUST_USE;
void h2_free(struct h2 *h);

/* Requests out of BYTES, all of them. */
void h2_take(struct http_conn *c, const uint8_t *bytes, size_t len);
/* Frames that are to be sent, as many as the connection may owe. */
void h2_output(struct http_conn *c);
/* There were more. */
bool h2_has_more(const struct http_conn *c);
void h2_answer(struct http_stream *st, const struct http_answer *a);
/* GOAWAY: what is under way will be finished, and nothing more begun (RFC 9113 §6.8). */
void h2_drain(struct http_conn *c);
/* A stream whose request or answer has stuck. */
void h2_give_up(struct http_stream *st);
/* Nothing more is read, and nothing more will be sent. */
bool h2_is_over(const struct http_conn *c);

#endif
