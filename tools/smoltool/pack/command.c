/* The options of smoltool pack and unpack, and how both begin and end. */
#include "smoltool/pack/pack.h"

#include <stdlib.h>

int pack_command_check(struct pack_command *c)
{
    if (c->json && !c->lines)
        return cli_usage_error("--json", "needs --lines");
    if (c->n_threads > (int)PACK_MAX_THREADS)
        return cli_usage_error("--threads", "takes 0..256");
    c->pack.struct_bytes = sizeof c->pack;
    c->pack.has_check = c->has_check != 0;
    if (c->n_threads == 0)
        c->n_threads = c->lines ? (int)pack_cores() : 1;
    c->pack.n_threads = c->lines ? 1 : (uint32_t)c->n_threads;
    return cli_parse_isa(&c->pack.isa, c->isa_word);
}

int pack_command_run(struct pack_command *c, const char *argument, bool may_be_text,
                     int (*work)(void *context, const struct pack_input *input), void *context)
{
    struct pack_input input = {NULL, NULL, 0};
    int code = pack_models_open(&c->models, c->paths, &c->parts);

    code = code ? code : pack_input_read(&input, argument, may_be_text);
    code = code ? code : work(context, &input);
    free(input.bytes);
    pack_models_close(&c->models);
    return code;
}
