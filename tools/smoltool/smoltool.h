/* The sub-commands of smoltool: each has its own file and its own --help. */
#ifndef SMOLTOOL_H
#define SMOLTOOL_H

#include <smol/key.h>

/* argv[0] is the sub-command's name; each returns an exit code. */
int tool_inspect(int argc, const char **argv);
int tool_diff(int argc, const char **argv);
int tool_verify(int argc, const char **argv);
int tool_keygen(int argc, const char **argv);
int tool_sign(int argc, const char **argv);
int tool_digest(int argc, const char **argv);
int tool_new(int argc, const char **argv);
int tool_import(int argc, const char **argv);
int tool_merge(int argc, const char **argv);
int tool_weights(int argc, const char **argv);
int tool_export(int argc, const char **argv);
int tool_embed(int argc, const char **argv);
int tool_qr(int argc, const char **argv);
int tool_history(int argc, const char **argv);
int tool_quantize(int argc, const char **argv);
int tool_tokenizer(int argc, const char **argv);
int tool_pack(int argc, const char **argv);
int tool_unpack(int argc, const char **argv);
int tool_plot(int argc, const char **argv);
int tool_elephant(int argc, const char **argv);
int tool_generate_vectors(int argc, const char **argv);

#endif
