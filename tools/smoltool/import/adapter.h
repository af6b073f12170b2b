/* Adapters of Hugging Face's PEFT, which become deltas of a base. */
#ifndef IMPORT_ADAPTER_H
#define IMPORT_ADAPTER_H

#include <smol/file.h>

#include <jansson.h>
#include <stdbool.h>

/* Whether a folder holds an adapter. */
bool adapter_is_there(const char *folder);

/* What adapter_config.json says of the factors. */
struct adapter_config {
    json_t *json;         /* owned */
    char *path;           /* owned: the file that says so */
    double alpha;         /* where alpha_pattern says nothing */
    bool is_by_root;      /* the product is multiplied by alpha / sqrt(r), not alpha / r */
    const json_t *alphas; /* alpha_pattern, or NULL */
};
/* Refuses what is no plain LoRA. 0, or an exit code after a message; close it in any case. */
int adapter_config_open(struct adapter_config *config, const char *folder);
void adapter_config_close(struct adapter_config *config);
/* What the product of a module's factors is multiplied by: "h.0.attn.c_attn", of that rank. */
double adapter_scale(const struct adapter_config *config, const char *module, uint32_t rank);

struct adapter_import {
    const char *folder, *base, *output, *note, *key, *password_file;
    enum smol_dtype type; /* of the factors */
    bool no_card;
};
/* 0, or an exit code after a message. */
int import_adapter(const struct adapter_import *import);

#endif
