/* What names mean to the daemon as it is now. */
#include "api_priv.h"

#include <string.h>

const struct wire_name *api_apex(const struct api_env *env)
{
    static const struct wire_name root = {.len = 1, .labels = 0, .bytes = {0}};
    return env->apex != NULL ? env->apex : &root;
}

const char *api_user_row(const struct api_env *env, const char *name, char token[USER_TOKEN_TEXT])
{
    struct digest_hmac key;
    if (env->user_key == NULL) {
        return user_row(NULL, name, token);
    }
    digest_hmac_init(&key, env->user_key, USER_KEY_LEN);
    const char *row = user_row(&key, name, token);
    explicit_bzero(&key, sizeof key);
    return row;
}
