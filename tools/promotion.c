#include "promotion.h"

enum promotion promotion_judge(const struct members *nodes, const char *id, bool force)
{
    const struct member *node = members_find(nodes, id);
    if (node == NULL) {
        return PROMOTION_ABSENT;
    }
    if (node->voter) {
        return PROMOTION_VOTER;
    }
    if (!members_have_quorum(nodes)) {
        return PROMOTION_NO_QUORUM;
    }
    if (!force && !node->reachable) {
        return PROMOTION_UNREACHABLE;
    }
    if (!force && nodes->voters + 1 == 2) {
        return PROMOTION_TWO;
    }
    return PROMOTION_FINE;
}
