/* Whether OpenBLAS has understood this processor. */
#include "cpu/cpu.h"
#include "train/ops/real.h"

#include <smol/train.h>

const char *smol_train_blas_override(void)
{
    /* Kernels for x86 without AVX2, by the names that openblas_get_corename() gives. */
    static const char *const old[] = {
        "Prescott", "Core2",     "Penryn",     "Dunnington",  "Nehalem",      "Sandybridge",
        "Atom",     "Athlon",    "Opteron",    "Barcelona",   "Opteron_SSE3", "Bobcat",
        "Nano",     "Bulldozer", "Piledriver", "Steamroller", "Unknown"};
    const struct smol_cpu cpu = smol_cpu_detect();
    const char *core = openblas_get_corename();

    if (!cpu.avx2)
        return NULL;
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        if (strcmp(core, old[i]) == 0)
            return cpu.avx512 ? "SkylakeX" : "Haswell";
    return NULL;
}
