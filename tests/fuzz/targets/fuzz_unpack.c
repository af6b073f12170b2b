/* The fuzz target of packed texts. A text that comes out is within its limit, is packed again in
 * bounds, and comes out of that, too; the same bytes cut short, made longer or ended with a zero
 * are no packed text. An input is a byte that chooses one of several models and whether there is a
 * check byte, one of the limit, and the packed text. */
#include "fuzz.h"
#include "mutate.h"
#include "packers.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define HEAD 2u

const char fuzz_name[] = "unpack";

/* With a buffer of the very size, so that a sanitizer sees a byte too many. */
static enum smol_status unpack(uint8_t *text, size_t *n, size_t capacity,
                               struct smol_packer *packer, const uint8_t *packed, size_t size)
{
    uint8_t *exact = malloc(capacity ? capacity : 1);
    struct smol_error error = {0};
    enum smol_status status;

    fuzz_require(exact);
    *n = SIZE_MAX;
    status = smol_packer_unpack(n, exact, capacity, packer, packed, size, &error);
    if (status)
        fuzz_require(*n == SIZE_MAX && error.code == status && error.text[0] != '\0');
    else {
        fuzz_require(*n <= capacity);
        memcpy(text, exact, *n);
    }
    free(exact);
    return status;
}

static void expect_text(struct smol_packer *packer, const uint8_t *packed, size_t size,
                        const uint8_t *text, size_t n)
{
    uint8_t back[MAX_UNPACKED];
    size_t n_back;

    fuzz_require(unpack(back, &n_back, n, packer, packed, size) == SMOL_OK);
    fuzz_require(n_back == n && memcmp(back, text, n) == 0);
    fuzz_require(n == 0 || unpack(back, &n_back, n - 1, packer, packed, size) != SMOL_OK);
}

/* Of a text packed by us, in room for a byte more. */
static void expect_damage(struct smol_packer *packer, uint8_t *packed, size_t size)
{
    uint8_t back[2 * MAX_UNPACKED];
    size_t n;

    packed[size] = 0;
    fuzz_require(unpack(back, &n, sizeof back, packer, packed, size + 1) == SMOL_E_PACKED);
    packed[0] ^= 0x10; /* the tag of another model */
    fuzz_require(unpack(back, &n, sizeof back, packer, packed, size) == SMOL_E_PACKED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t text[MAX_UNPACKED], again[SMOL_PACKED_BOUND(MAX_UNPACKED) + 1];
    const struct fuzz_packer *p;
    enum smol_status status;
    bool has_check;
    size_t n, n_again;

    if (size < HEAD)
        return 0;
    p = fuzz_packer(data[0] % N_PACKERS);
    has_check = data[0] / N_PACKERS % 2;
    status = unpack(text, &n, data[1] % (MAX_UNPACKED + 1), p->packers[has_check], data + HEAD,
                    size - HEAD);
    fuzz_require(status == SMOL_OK || status == SMOL_E_PACKED || status == SMOL_E_ARGUMENT);
    if (status || XXH3_64bits(data, size) % 4) /* a quarter is enough of what takes ten times as
                                                  long */
        return 0;
    expect_text(p->packers[has_check], data + HEAD, size - HEAD, text, n);
    n_again = fuzz_pack(again, p, has_check, text, n);
    expect_text(p->packers[has_check], again, n_again, text, n);
    expect_text(p->packers[0], again, n_again, text, n);
    if (n_again > 0 && again[0] >> 4 > 1)
        expect_damage(p->packers[has_check], again, n_again);
    return 0;
}

/* The text of an input with some damage, packed once more. */
static size_t mutate_packed(uint8_t *data, size_t size, size_t capacity, uint64_t *random)
{
    static const char *const words[] = {"a",
                                        "e",
                                        "x",
                                        "te",
                                        "tetete",
                                        "\n",
                                        "\x01",
                                        "\x04",
                                        "\xc3\xa9",
                                        "\xc3",
                                        "\xe2\x82\xac",
                                        "\xe2\x82",
                                        "\xed\xa0\x80",
                                        "\xf0\x9f\x90\x98",
                                        "\xf0\x90\x80\x80",
                                        "\xff",
                                        "<|endoftext|>",
                                        NULL};
    const struct fuzz_packer *p = fuzz_packer(data[0] % N_PACKERS);
    const bool has_check = data[0] / N_PACKERS % 2;
    uint8_t text[MAX_UNPACKED], packed[SMOL_PACKED_BOUND(MAX_UNPACKED)];
    size_t n;

    if (unpack(text, &n, sizeof text, p->packers[0], data + HEAD, size - HEAD))
        n = 0;
    n = mutate_text(text, n, sizeof text, words, random);
    size = fuzz_pack(packed, p, has_check, text, n);
    if (size + HEAD > capacity)
        return HEAD;
    data[1] = (uint8_t)(mutate_random(random) % 8 ? MAX_UNPACKED : n);
    memcpy(data + HEAD, packed, size);
    return HEAD + size;
}

/* Another model, other bytes, or another text: mostly a packed one. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    uint64_t random = seed;

    if (size < HEAD)
        return mutate(data, size, capacity, &random);
    switch (mutate_random(&random) % 8) {
    case 0: data[0] = (uint8_t)mutate_random(&random); return size;
    case 1:
    case 2:
    case 3: return HEAD + mutate(data + HEAD, size - HEAD, capacity - HEAD, &random);
    default: return mutate_packed(data, size, capacity, &random);
    }
}
