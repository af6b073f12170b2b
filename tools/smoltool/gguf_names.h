/* GPT-2's tensors as GGUF names them. */
#ifndef GGUF_NAMES_H
#define GGUF_NAMES_H

#include <smol/weights.h>

/* "h.0.attn.c_attn.weight" to "blk.0.attn_qkv.weight". The tensor is one of GPT-2's. */
void gguf_name(char gguf[SMOL_MAX_TENSOR_NAME], const char *gpt2);

/* The other way. false if GPT-2 has no such tensor. */
bool gguf_to_gpt2(char gpt2[SMOL_MAX_TENSOR_NAME], const char *gguf);

#endif
