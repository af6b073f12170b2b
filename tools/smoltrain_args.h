/* What smoltrain was asked to do. */
#ifndef SMOLTRAIN_ARGS_H
#define SMOLTRAIN_ARGS_H

#include <smol/train.h>

struct train_args {
	struct smol_train_options options;
	char *data, *output, *log, *sign_key, *password_file; /* owned; the last three may be NULL */
	unsigned eval_every;                                  /* 0: only at the end */
	unsigned save_every;                                  /* 0: only when stopped */
	unsigned print_every;
	int resume;
};

/* Parses the command line; on --resume, the options that it does not give are the checkpoint's. 0:
 * go on, and free the arguments at the end; else the program ends with *exit_code. */
int train_args_parse(struct train_args *args, int argc, const char **argv, int *exit_code);
void train_args_free(struct train_args *args);

#endif
