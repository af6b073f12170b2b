/* See gguf_names.h. */
#include "smoltool/gguf_names.h"

#include <stdio.h>
#include <string.h>

/* The same tensor in both worlds; in layers they follow "h.N." and "blk.N.". */
static const struct {
    const char *gpt2, *gguf;
} names[] = {
    {"wte.", "token_embd."},          {"wpe.", "position_embd."}, {"lm_head.", "output."},
    {"ln_f.", "output_norm."},        {"ln_1.", "attn_norm."},    {"attn.c_attn.", "attn_qkv."},
    {"attn.c_proj.", "attn_output."}, {"ln_2.", "ffn_norm."},     {"mlp.c_fc.", "ffn_up."},
    {"mlp.c_proj.", "ffn_down."},
};
#define N_NAMES (sizeof names / sizeof names[0])

/* The number behind a prefix, and how many characters both have; 0 if it is not there. */
static int take_layer(unsigned *layer, const char *name, const char *form)
{
    int n = 0;

    return sscanf(name, form, layer, &n) == 1 ? n : 0;
}

void gguf_name(char gguf[SMOL_MAX_TENSOR_NAME], const char *gpt2)
{
    unsigned layer = 0;
    const int n_prefix = take_layer(&layer, gpt2, "h.%u.%n");
    char prefix[24] = "";

    if (n_prefix)
        snprintf(prefix, sizeof prefix, "blk.%u.", layer);
    for (size_t i = 0; i < N_NAMES; i++) {
        const size_t n = strlen(names[i].gpt2);
        if (strncmp(gpt2 + n_prefix, names[i].gpt2, n) == 0)
            snprintf(gguf, SMOL_MAX_TENSOR_NAME, "%s%s%s", prefix, names[i].gguf,
                     gpt2 + n_prefix + n);
    }
}

bool gguf_to_gpt2(char gpt2[SMOL_MAX_TENSOR_NAME], const char *gguf)
{
    unsigned layer = 0;
    const int n_prefix = take_layer(&layer, gguf, "blk.%4u.%n");
    char prefix[24] = "", back[SMOL_MAX_TENSOR_NAME] = "";

    if (n_prefix)
        snprintf(prefix, sizeof prefix, "h.%u.", layer);
    for (size_t i = 0; i < N_NAMES; i++) {
        const size_t n = strlen(names[i].gguf);
        if (strncmp(gguf + n_prefix, names[i].gguf, n) == 0 && strlen(gguf) < SMOL_MAX_TENSOR_NAME)
            snprintf(gpt2, SMOL_MAX_TENSOR_NAME, "%s%s%s", prefix, names[i].gpt2,
                     gguf + n_prefix + n);
        else
            continue;
        gguf_name(back, gpt2); /* one spelling of each number, and no layer where none belongs */
        return strcmp(back, gguf) == 0;
    }
    return false;
}
