/* Many runs of smoltrain, one for each d of a method. */
#ifndef SMOLTRAIN_SWEEP_H
#define SMOLTRAIN_SWEEP_H

/* smoltrain sweep: argv[0] is that word. An exit code. */
int train_sweep(int argc, const char **argv);

#endif
