/* smoltool: inspects, verifies, signs and makes .smol files, and packs texts with them. */
#include "cli/cli.h"
#include "cli/json.h"
#include "smoltool/smoltool.h"

#include <smol/model.h>

#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    int (*run)(int argc, const char **argv);
    const char *program; /* for messages */
    const char *what;
} commands[] = {
    {"inspect", tool_inspect, "smoltool inspect", "show what a model is made of"},
    {"diff", tool_diff, "smoltool diff", "show what differs between two models"},
    {"verify", tool_verify, "smoltool verify", "check checksums, hash and signature"},
    {"keygen", tool_keygen, "smoltool keygen", "make a key pair (minisign's format)"},
    {"sign", tool_sign, "smoltool sign", "put a signature into a model, or beside any file"},
    {"digest", tool_digest, "smoltool digest", "hash files, or list their hashes for in-toto"},
    {"new", tool_new, "smoltool new", "make an untrained model of any shape"},
    {"import", tool_import, "smoltool import", "make a model of a checkpoint of GPT-2"},
    {"merge", tool_merge, "smoltool merge", "mix models, and add deltas to them"},
    {"weights", tool_weights, "smoltool weights", "write the exact weights of a tensor as .npy"},
    {"export", tool_export, "smoltool export", "write all weights as safetensors, .npz or GGUF"},
    {"embed-c", tool_embed, "smoltool embed-c", "write a model as a C header"},
    {"qr", tool_qr, "smoltool qr", "draw a model of at most 2953 bytes as a QR code"},
    {"history", tool_history, "smoltool history", "let a model see what its text has had before"},
    {"quantize", tool_quantize, "smoltool quantize", "store the embeddings in fewer bits"},
    {"tokenizer", tool_tokenizer, "smoltool tokenizer", "import, train and try tokenizers"},
    {"pack", tool_pack, "smoltool pack", "pack a short text in few bytes"},
    {"unpack", tool_unpack, "smoltool unpack", "unpack it"},
    {"plot", tool_plot, "smoltool plot", "draw training runs from their logs"},
    {"elephant", tool_elephant, "smoltool elephant",
     "draw von Neumann's elephant, or fit an outline"},
    {"generate-vectors", tool_generate_vectors, "smoltool generate-vectors",
     "print test vectors for implementers"},
};
#define N_COMMANDS (sizeof commands / sizeof commands[0])

static void help(FILE *stream)
{
    fputs("Usage: smoltool COMMAND [OPTION...]\n\n", stream);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(stream, "  %-18s%s\n", commands[i].name, commands[i].what);
    fputs("\n'smoltool COMMAND --help' says more; 'smoltool --version' prints the version.\n",
          stream);
}

static int run(int argc, const char **argv)
{
    if (argc < 2) {
        help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("smoltool %s\n", smol_version());
        return 0;
    }
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0) {
            cli_program = argv[1] = commands[i].program; /* as its help calls it */
            return commands[i].run(argc - 1, argv + 1);
        }
    return cli_usage_error(argv[1], "no such command");
}

int main(int argc, char **argv)
{
    int code;

    cli_start("smoltool");
    cli_json_start();
    code = run(argc, (const char **)argv);
    return cli_close_output(code);
}
