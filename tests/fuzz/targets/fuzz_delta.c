/* The fuzz target of deltas: what is accepted is joined with golden models of its shape, which are
 * passed off as those that it names, and must run (or say that its numbers overflow) without harm.
 */
#include "fuzz.h"
#include "golden_file.h"
#include "mutate.h"

#include <math.h>
#include <smol/session.h>
#include <smol/weights.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SESSION_BYTES (4u << 20)
#define N_MODELS 4u

const char fuzz_name[] = "delta";

static const struct smol_file *models(void)
{
    static const char *const paths[N_MODELS] = {"good/smol.smol", "good/embed-f32.smol",
                                                "good/bpe.smol", "deltas/other-model.smol"};
    static struct smol_file opened[N_MODELS];

    for (unsigned i = 0; !opened[N_MODELS - 1].bytes.data && i < N_MODELS; i++)
        fuzz_golden_open(&opened[i], paths[i]);
    return opened;
}

static bool same_shape(const struct smol_config *a, const struct smol_config *b)
{
    return a->width == b->width && a->n_layers == b->n_layers && a->n_ff == b->n_ff;
}

/* A copy of a golden file that is passed off as the part with a hash. */
static struct smol_file_part part_of(struct smol_file *copy, const struct smol_file *file,
                                     const struct smol_part_link *named)
{
    *copy = *file;
    memcpy(copy->hash, named->hash, SMOL_HASH_BYTES);
    return (struct smol_file_part){copy, NAN};
}

/* Parts for what a delta names, as far as there are any of its shape. Returns how many. */
static size_t make_parts(struct smol_file copies[SMOL_MAX_PARTS],
                         struct smol_file_part parts[SMOL_MAX_PARTS], const struct smol_file *delta)
{
    static struct smol_file lora;
    size_t n = 0;

    for (uint32_t k = 0; k < delta->n_models; k++) {
        unsigned i = 0;
        while (i < N_MODELS && !same_shape(&models()[(k + i) % N_MODELS].config, &delta->config))
            i++;
        if (i < N_MODELS) {
            parts[n] = part_of(&copies[n], &models()[(k + i) % N_MODELS], &delta->parts[k]);
            n++;
        }
    }
    if (delta->n_deltas != 1)
        return n;
    if (!lora.bytes.data)
        fuzz_golden_open(&lora, "deltas/lora.smol");
    parts[n] = part_of(&copies[n], &lora, &delta->parts[delta->n_models]);
    memcpy(copies[n].parts[0].hash, delta->parts[0].hash, SMOL_HASH_BYTES);
    return n + 1;
}

static void run(const struct smol_file *file)
{
    const uint32_t last = file->config.vocab - 1, tokens[] = {0, last};
    struct smol_session *session;
    struct smol_error error;
    size_t size;
    void *memory;

    fuzz_require(smol_session_size(&size, file, NULL, &error) == SMOL_OK);
    if (size > MAX_SESSION_BYTES)
        return;
    memory = aligned_alloc(64, (size + 63) / 64 * 64);
    fuzz_require(smol_session_init(&session, file, NULL, memory, size, &error) == SMOL_OK);
    if (smol_session_feed(session, tokens, file->config.context < 2 ? 1 : 2, &error) == SMOL_OK)
        for (uint32_t v = 0; v < file->config.vocab; v++)
            fuzz_require(smol_session_logits(session)[v] - smol_session_logits(session)[v] == 0);
    smol_session_finish(session);
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smol_file delta, joined, files[SMOL_MAX_PARTS];
    struct smol_file_part parts[SMOL_MAX_PARTS];
    struct smol_error error = {0};
    size_t needed, n;

    if (smol_file_parse(&delta, data, size, &error) || !smol_config_is_delta(&delta.config))
        return 0;
    fuzz_require(!smol_file_is_whole(&delta));
    fuzz_require(smol_session_size(&needed, &delta, NULL, &error) == SMOL_E_BASE);
    n = make_parts(files, parts, &delta);
    if (smol_file_join(&joined, &delta, parts, n, NAN, &error)) {
        fuzz_require(error.text[0] != '\0');
        return 0;
    }
    fuzz_require(smol_file_is_whole(&joined));
    run(&joined);
    return 0;
}

/* Damage, mostly repaired. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    uint64_t random = seed;

    if (mutate_random(&random) % 4)
        mutate_contents(data, size, &random);
    else
        size = mutate(data, size, capacity, &random);
    repair_mostly(data, size, &random);
    return size;
}
