/* The tables of a sweep. */
#ifndef SWEEP_TABLE_H
#define SWEEP_TABLE_H

#include "plot/sweep.h"

#include <stdio.h>

/* A table of finished runs, a row each, as Markdown with d90 under it, or as CSV. */
void sweep_table_markdown(FILE *to, const struct sweep *sweep, const struct run_log *logs,
                          size_t n);
void sweep_table_csv(FILE *to, const struct sweep *sweep, const struct run_log *logs, size_t n);

/* "alpha: d90 = 20", or how far the best d came; a line for each method. */
void sweep_table_conclusion(FILE *to, const struct sweep *sweep);

#endif
