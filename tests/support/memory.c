#include "memory.h"

#include <malloc.h>

#if TESTS_SANITIZED
size_t __sanitizer_get_current_allocated_bytes(void); /* sanitizer/allocator_interface.h */

size_t memory_in_use(void)
{
    return __sanitizer_get_current_allocated_bytes();
}
#else
size_t memory_in_use(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}
#endif
