/* Merges, found by their pairs, and applied to a piece. SPEC.md 9, step 4. */
#ifndef SMOL_MERGE_H
#define SMOL_MERGE_H

#include "format/tokn.h"

struct smol_merger;
enum smol_status smol_merger_create(struct smol_merger **merger, const struct smol_tokn *tokn,
                                    struct smol_error *error);
void smol_merger_destroy(struct smol_merger *merger);

/* Replaces the n numbers of a piece by those that they merge to. */
enum smol_status smol_merge(size_t *n_merged, struct smol_merger *merger, uint32_t *numbers,
                            size_t n, struct smol_error *error);

#endif
