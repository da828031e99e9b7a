/* Put in front of every file for clang-tidy (tools/dev/check): its analyzer looks at one file at a
 * time and cannot know that these return the code they are given. */
#include "lib/err.h"
#define err_set(info, e, ...)    ((void)(info), (e))
#define err_prefix(info, e, ...) ((void)(info), (e))
