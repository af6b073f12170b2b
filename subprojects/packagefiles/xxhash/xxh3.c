/* Of xxHash the one function that smol needs: the header has all of them, and those that nothing
 * calls are left out when it is inlined. */
#define XXH_INLINE_ALL
#include "xxhash.h"

#undef XXH3_64bits
XXH64_hash_t XXH3_64bits(const void *data, size_t n_bytes);

XXH64_hash_t XXH3_64bits(const void *data, size_t n_bytes)
{
    return XXH_INLINE_XXH3_64bits(data, n_bytes);
}
