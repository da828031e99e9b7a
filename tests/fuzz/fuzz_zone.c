/* Operations on the zone, coded in octets, beside a model of it: see zone_model.h. */
#include "zone_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 2000 /* each commit asks for some hundred names, of several versions */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size <= INPUT_MAX) {
        zone_model_run(data, size);
    }
    return 0;
}
