/* Header, configuration, schemes, tokenizer, card and signature of two models side by side. */
#include "cli/cli.h"
#include "smoltool/diff/diff.h"
#include "smoltool/inspect/inspect.h"

#include <string.h>

void diff_set(struct diff *d, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        d->failed = true;
}

void diff_add(struct diff *d, const char *section, json_t *object)
{
    if (object && json_object_size(object) == 0)
        json_decref(object);
    else
        diff_set(d, d->report, section, object);
}

static bool equal_spans(struct smol_span a, struct smol_span b)
{
    return a.size_bytes == b.size_bytes &&
           (a.size_bytes == 0 || memcmp(a.data, b.data, a.size_bytes) == 0);
}

static json_t *pair(struct diff *d, json_t *a, json_t *b)
{
    json_t *both = json_object();

    if (!both)
        d->failed = true;
    if (a)
        diff_set(d, both, "a", json_incref(a));
    if (b)
        diff_set(d, both, "b", json_incref(b));
    return both;
}

/* Members of two objects that differ, each as {"a": ..., "b": ...}; what is in one alone has one of
 * these. Releases a and b. */
static json_t *members(struct diff *d, json_t *a, json_t *b)
{
    json_t *found = json_object(), *value;
    const char *key;

    if (!found || !a || !b)
        d->failed = true;
    json_object_foreach(a, key, value)
    {
        json_t *other = json_object_get(b, key);
        if (!json_equal(value, other))
            diff_set(d, found, key, pair(d, value, other));
    }
    json_object_foreach(b, key, value) if (!json_object_get(a, key))
        diff_set(d, found, key, pair(d, NULL, value));
    json_decref(a);
    json_decref(b);
    return found;
}

static json_t *header_json(const struct smol_file *f)
{
    return json_pack("{s:i, s:i}", "minor_version", f->minor_version, "hints", f->hints);
}

void diff_header(struct diff *d)
{
    diff_add(d, "header", members(d, header_json(d->a), header_json(d->b)));
}

/* As inspect --json has it, but for the seed, which is one string: JSON's integers end at 2^63. */
static json_t *config_json(const struct smol_config *c)
{
    char seed[24];
    json_t *config = json_pack("{s:s}", "seed", cli_decimal(seed, c->seed));

    json_object_update_new(config, inspect_shape_json(c));
    return config;
}

void diff_config(struct diff *d)
{
    diff_add(d, "configuration",
             members(d, config_json(&d->a->config), config_json(&d->b->config)));
}

/* A part's name, "model 0123456789abcdef". */
static void part_name(char name[32], const struct smol_file *f, uint32_t i)
{
    char hash[17];

    cli_hex(hash, f->parts[i].hash, 8);
    snprintf(name, 32, "%s %s", i < f->n_models ? "model" : "delta", hash);
}

static json_t *base_json(const struct smol_file *f)
{
    json_t *base = json_object();
    char name[32];

    for (uint32_t i = 0; i < f->n_models + f->n_deltas; i++) {
        part_name(name, f, i);
        json_object_set_new(base, name, json_real((double)f->parts[i].factor));
    }
    return base;
}

static json_t *names_json(const struct smol_file *f)
{
    json_t *list = json_array();
    char name[32];

    for (uint32_t i = 0; i < f->n_models + f->n_deltas; i++) {
        part_name(name, f, i);
        json_array_append_new(list, json_string(name));
    }
    return list;
}

/* In their order they are added, which decides the last bits. */
void diff_base(struct diff *d)
{
    json_t *found = members(d, base_json(d->a), base_json(d->b));

    if (found && json_object_size(found) == 0 && !equal_spans(d->a->base, d->b->base)) {
        json_t *a = names_json(d->a), *b = names_json(d->b);

        diff_set(d, found, "order", pair(d, a, b));
        json_decref(a);
        json_decref(b);
    }
    diff_add(d, "base", found);
}

static json_t *scheme_members(struct diff *d, uint32_t layer, enum smol_slot slot)
{
    return members(d, inspect_scheme_json(smol_config_scheme(&d->a->config, layer, slot)),
                   inspect_scheme_json(smol_config_scheme(&d->b->config, layer, slot)));
}

/* "h.3.ln_1", or "h.0-11.ln_1" for layers that differ alike. */
static void slot_title(char title[48], uint32_t first, uint32_t last, enum smol_slot slot)
{
    if (slot == SMOL_LN_F)
        snprintf(title, 48, "%s", smol_slot_name(slot));
    else if (first == last)
        snprintf(title, 48, "h.%u.%s", first, smol_slot_name(slot));
    else
        snprintf(title, 48, "h.%u-%u.%s", first, last, smol_slot_name(slot));
}

/* One slot of the layers that both models have. */
static void compare_slot(struct diff *d, json_t *found, uint32_t n_layers, enum smol_slot slot)
{
    uint32_t first = 0;
    char title[48];

    while (first < n_layers) {
        json_t *differing = scheme_members(d, first, slot), *next = NULL;
        uint32_t last = first;
        while (last + 1 < n_layers && (next = scheme_members(d, last + 1, slot)) &&
               json_equal(differing, next)) {
            json_decref(next);
            next = NULL;
            last++;
        }
        json_decref(next);
        slot_title(title, first, last, slot);
        if (json_object_size(differing) > 0)
            diff_set(d, found, title, differing);
        else
            json_decref(differing);
        first = last + 1;
    }
}

void diff_schemes(struct diff *d)
{
    const uint32_t a = d->a->config.n_layers, b = d->b->config.n_layers;
    json_t *found = json_object();

    for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++)
        compare_slot(d, found, a < b ? a : b, slot);
    compare_slot(d, found, 1, SMOL_LN_F);
    diff_add(d, "schemes", found);
}

/* The kind, and whether the sections are the same bytes. */
void diff_tokenizer(struct diff *d)
{
    const struct smol_file *a = d->a, *b = d->b;

    if (a->config.tokenizer != b->config.tokenizer || !equal_spans(a->tokenizer, b->tokenizer))
        diff_add(d, "tokenizer",
                 json_pack("{s:{s:i, s:i}, s:{s:I, s:I}}", "kind", "a", a->config.tokenizer, "b",
                           b->config.tokenizer, "bytes", "a", (json_int_t)a->tokenizer.size_bytes,
                           "b", (json_int_t)b->tokenizer.size_bytes));
}

/* A card as JSON; an empty object if there is none, NULL if it cannot be read as JSON, which a
 * model may have. */
static json_t *card_json(const struct smol_file *f)
{
    return f->card.size_bytes ? json_loadb((const char *)f->card.data, f->card.size_bytes,
                                           JSON_REJECT_DUPLICATES, NULL)
                              : json_object();
}

/* Two texts of one meaning differ as bytes, and so do cards that are no JSON. */
void diff_card(struct diff *d)
{
    json_t *a, *b, *found = NULL;

    if (equal_spans(d->a->card, d->b->card))
        return;
    a = card_json(d->a);
    b = card_json(d->b);
    if (a && b)
        found = members(d, a, b);
    else {
        json_decref(a);
        json_decref(b);
    }
    if (json_object_size(found) > 0) {
        diff_add(d, "card", found);
        return;
    }
    json_decref(found);
    diff_add(d, "card_text",
             json_pack("{s:{s:I, s:I}}", "bytes", "a", (json_int_t)d->a->card.size_bytes, "b",
                       (json_int_t)d->b->card.size_bytes));
}

static json_t *signature_json(const struct smol_file *f)
{
    char number[17], key[2 * SMOL_PUBLIC_KEY_BYTES + 1], signature[2 * SMOL_SIGNATURE_BYTES + 1];

    if (!f->is_signed)
        return json_object();
    cli_key_number(number, f->signature.key_number);
    cli_hex(key, f->signature.public_key, SMOL_PUBLIC_KEY_BYTES);
    cli_hex(signature, f->signature.signature, SMOL_SIGNATURE_BYTES);
    return json_pack("{s:s, s:s, s:s}", "signer", number, "public_key", key, "signature",
                     signature);
}

void diff_signature(struct diff *d)
{
    diff_add(d, "signature", members(d, signature_json(d->a), signature_json(d->b)));
}
