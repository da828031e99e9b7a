#include "rules.h"

enum err rules_records(const struct names *n, const struct wire_name *apex,
                       const struct wire_name *owner, const struct record_set *set,
                       const struct names_rows *others, struct err_info *info)
{
    enum err e = record_check(set, owner, apex, info);
    for (size_t i = 0; e == ERR_OK && i < set->count; i++) {
        e = names_check_type(n, owner, set->sets[i].type, info);
    }
    if (e == ERR_OK) {
        e = names_check(n, NAMES_RECORD, owner, others, info);
    }
    return e;
}

bool rules_is_label(const struct wire_name *apex, const struct wire_name *owner)
{
    return owner->labels == apex->labels + 1;
}
