/* The fuzz target of the GGUF reader. Of what is accepted, every tensor is within the file and
 * found by its name, keys lead to values of one kind only, and lists end after the values they
 * count. */
#include "base/bytes.h"
#include "fuzz.h"
#include "mutate.h"
#include "read_array.h"

#include <smol/arrays.h>

#include <string.h>

const char fuzz_name[] = "gguf";

static bool is_within(struct smol_span span, const uint8_t *data, size_t size)
{
    return span.data >= data && span.data <= data + size &&
           span.size_bytes <= (size_t)(data + size - span.data);
}

static void check_tensors(const struct smol_gguf *file, const uint8_t *data, size_t size)
{
    const struct smol_array *a;

    for (size_t i = 0; (a = smol_gguf_at(file, i)) != NULL; i++) {
        fuzz_require(a->n_dims >= 1 && a->n_dims <= 4 && smol_gguf_find(file, a->name) == a);
        fuzz_require(is_within((struct smol_span){a->data, a->size_bytes}, data, size));
        fuzz_read_array(a);
    }
}

static void check_list(struct smol_gguf_list list, const uint8_t *data, size_t size)
{
    const uint64_t n = list.n;
    struct smol_span text;
    double value;
    uint64_t i = 0;

    if (list.is_text)
        for (; smol_gguf_next_text(&text, &list); i++)
            fuzz_require(is_within(text, data, size));
    else
        for (; i < n && smol_gguf_next_number(&value, &list); i++)
            fuzz_require(is_within(list.rest, data, size));
    fuzz_require(i == n && list.rest.size_bytes == 0);
    fuzz_require(!smol_gguf_next_text(&text, &list) && !smol_gguf_next_number(&value, &list));
}

/* Those of the seeds. */
static void check_values(const struct smol_gguf *file, const uint8_t *data, size_t size)
{
    static const char *const keys[] = {
        "general.architecture", "general.alignment", "n", "x", "texts", "numbers", "flag"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct smol_gguf_list list;
        struct smol_span text;
        double value;
        int n = 0;

        n += smol_gguf_number(&value, file, keys[i]);
        if (smol_gguf_text(&text, file, keys[i])) {
            fuzz_require(is_within(text, data, size));
            n++;
        }
        if (smol_gguf_list(&list, file, keys[i])) {
            check_list(list, data, size);
            n++;
        }
        fuzz_require(n == smol_gguf_has(file, keys[i]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smol_gguf *file;
    struct smol_error error = {0};
    const enum smol_status status = smol_gguf_create(&file, data, size, &error);

    if (status) {
        fuzz_require(error.code == status && error.text[0] != '\0' &&
                     (error.offset == SMOL_NO_OFFSET || error.offset <= size));
        return 0;
    }
    check_tensors(file, data, size);
    check_values(file, data, size);
    smol_gguf_destroy(file);
    return 0;
}

/* Damage, often with small numbers where lengths, counts, types and offsets are, and with the
 * beginning put right. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    static const uint8_t numbers[] = {0, 1, 2, 3, 4, 6, 8, 9, 12, 13, 14, 30, 31, 32, 64, 255};
    uint64_t random = seed;

    if (size >= 24 && mutate_random(&random) % 2) {
        const size_t at = mutate_random(&random) % (size - 7);
        const uint8_t number = numbers[mutate_random(&random) % sizeof numbers];
        memset(data + at, 0, mutate_random(&random) % 2 ? 4 : 8);
        data[at] = number;
    } else {
        size = mutate(data, size, capacity, &random);
    }
    if (size >= 24 && mutate_random(&random) % 8) {
        memcpy(data, "GGUF\3\0\0", 8);
        smol_put64(data + 8, smol_le64(data + 8) % 8);
        smol_put64(data + 16, smol_le64(data + 16) % 8);
    }
    return size;
}
