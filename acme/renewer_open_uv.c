/* The renewer as it works in the daemon: with sessions and orders that are real. */
#include "renewer_priv.h"

static const struct renewer_ops ops = {.session_open = session_open,
                                       .session_close = session_close,
                                       .session_directory = session_directory,
                                       .session_get = session_get,
                                       .session_skew_ms = session_skew_ms,
                                       .job_start = acme_job_start,
                                       .job_cancel = acme_job_cancel,
                                       .rollover_start = acme_rollover_start,
                                       .rollover_cancel = acme_rollover_cancel,
                                       .revoke_start = acme_revoke_start,
                                       .revoke_cancel = acme_revoke_cancel};

enum err renewer_open(const struct renewer_options *options, struct renewer **out,
                      struct err_info *info)
{
    return renewer_open_on(options, &ops, out, info);
}
