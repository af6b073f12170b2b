/* See fuzz.h. */
#include "fuzz.h"

#include <stdlib.h>

void fuzz_require(bool condition)
{
    if (!condition)
        abort();
}
