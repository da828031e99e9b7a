/* Whether a node may become one that votes. Pure. */
#ifndef TOOLS_PROMOTION_H
#define TOOLS_PROMOTION_H

#include "cluster/members.h"

enum promotion {
    PROMOTION_FINE,
    PROMOTION_ABSENT,
    PROMOTION_VOTER,
    PROMOTION_NO_QUORUM,
    PROMOTION_UNREACHABLE, /* FORCE passes over this, */
    PROMOTION_TWO          /* and this: there would be exactly two voters */
};
enum promotion promotion_judge(const struct members *nodes, const char *id, bool force);

#endif
