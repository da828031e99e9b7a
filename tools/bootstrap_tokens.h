/* Join tokens as they are shown. Pure. */
#ifndef TOOLS_BOOTSTRAP_TOKENS_H
#define TOOLS_BOOTSTRAP_TOKENS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "columns.h"

/* "active", "expired", "revoked", "consumed from 192.0.2.1"; of one of db_tokens(). */
#define TOKEN_STATE_TEXT 96
void token_state(const json_t *token, int64_t now_ms, char out[TOKEN_STATE_TEXT]);
bool token_is_active(const json_t *token, int64_t now_ms);

/* Those of LIST that are active, or ALL: with a member "state". The caller's. */
json_t *tokens_shown(const json_t *list, bool all, int64_t now_ms);
/* What tokens_shown() gave, as columns; empty: "(no active join tokens)", or "(no join tokens)". */
void tokens_render(const json_t *shown, bool all, struct str *out);

#endif
