/* Training a tokenizer: the pieces of texts are counted, then pairs merge, the most frequent first.
 * SPEC.md appendix D. n bytes of different pieces take O(n log n) time, whatever their lengths, and
 * under 80 bytes of memory for each. */
#include "base/bytes.h"
#include "base/error.h"
#include "format/sodium.h"
#include "format/tokn.h"
#include "token/pairs.h"
#include "token/split.h"

#include <sodium.h>
#include <stdlib.h>

#define MIN_VOCAB 257u
#define MAX_VOCAB (MIN_VOCAB + SMOL_MAX_MERGES)

/* A piece, and how often it occurs. It keeps its n places as it merges: a token's number is at its
 * first byte and at its last, and NONE in between, so that both neighbours of a token are found. */
struct word {
    uint64_t count;
    size_t at; /* in numbers */
    uint32_t n;
};
#define NONE UINT32_MAX

struct smol_bpe_trainer {
    struct smol_splitter *splitter;
    struct smol_specials separator;
    uint8_t number_of[256];
    struct word *words; /* (n_words) */
    size_t n_words, words_capacity;
    uint32_t *numbers; /* (n_numbers) */
    size_t n_numbers, numbers_capacity;
    uint32_t *slots; /* (n_slots) index of a word + 1; a power of two */
    size_t n_slots;
    uint8_t key[crypto_shorthash_KEYBYTES]; /* drawn, so that no text can make all words collide */
    struct smol_pairs pairs;
    struct smol_merge *merges; /* (vocab - 257) */
    uint16_t *lengths;         /* (vocab - 1) bytes of each number */
    uint32_t n_merges;
};

void smol_bpe_destroy(struct smol_bpe_trainer *t)
{
    if (!t)
        return;
    smol_splitter_destroy(t->splitter);
    smol_pairs_free(&t->pairs);
    free(t->words);
    free(t->numbers);
    free(t->slots);
    free(t->merges);
    free(t->lengths);
    free(t);
}

enum smol_status smol_bpe_create(struct smol_bpe_trainer **trainer, struct smol_error *error)
{
    static const uint8_t end[] = SMOL_END_OF_TEXT;
    struct smol_bpe_trainer *t = calloc(1, sizeof *t);
    enum smol_status status = t ? smol_sodium_start(error) : smol_fail_memory(error);

    status = status ? status : smol_splitter_create(&t->splitter, error);
    if (status) {
        free(t);
        return status;
    }
    t->separator.sorted[0].text = (struct smol_span){end, sizeof end - 1};
    smol_specials_init(&t->separator, 1);
    for (unsigned i = 0; i < 256; i++)
        t->number_of[smol_tokn_bytes_in_order[i]] = (uint8_t)i;
    randombytes_buf(t->key, sizeof t->key);
    *trainer = t;
    return SMOL_OK;
}

/* ---- counting ---- */

/* While words are counted, their numbers are those of their bytes. */
static bool is_word(const struct smol_bpe_trainer *t, const struct word *w, struct smol_span piece)
{
    if (w->n != piece.size_bytes)
        return false;
    for (size_t i = 0; i < w->n; i++)
        if (t->numbers[w->at + i] != t->number_of[piece.data[i]])
            return false;
    return true;
}

static size_t first_slot(const struct smol_bpe_trainer *t, struct smol_span piece)
{
    uint8_t digest[crypto_shorthash_BYTES];

    crypto_shorthash(digest, piece.data, piece.size_bytes, t->key);
    return (size_t)smol_le64(digest) & (t->n_slots - 1);
}

static struct smol_span bytes_of(uint8_t *bytes, const struct smol_bpe_trainer *t,
                                 const struct word *w)
{
    for (size_t i = 0; i < w->n; i++)
        bytes[i] = smol_tokn_bytes_in_order[t->numbers[w->at + i]];
    return (struct smol_span){bytes, w->n};
}

/* Twice the slots, and every word in its new one. */
static bool make_slots(struct smol_bpe_trainer *t)
{
    const size_t n_slots = t->n_slots ? 2 * t->n_slots : 4096;
    uint32_t *slots;
    uint8_t *bytes;
    uint32_t longest = 1;

    if (2 * (t->n_words + 1) <= t->n_slots)
        return true;
    for (size_t i = 0; i < t->n_words; i++)
        longest = t->words[i].n > longest ? t->words[i].n : longest;
    slots = t->n_words < UINT32_MAX / 4 ? calloc(n_slots, sizeof *slots) : NULL;
    bytes = malloc(longest);
    if (slots && bytes) {
        free(t->slots);
        t->slots = slots;
        t->n_slots = n_slots;
        for (size_t i = 0; i < t->n_words; i++) {
            size_t slot = first_slot(t, bytes_of(bytes, t, &t->words[i]));
            while (t->slots[slot] != 0)
                slot = (slot + 1) & (t->n_slots - 1);
            t->slots[slot] = (uint32_t)i + 1;
        }
    } else {
        free(slots);
    }
    free(bytes);
    return slots && bytes;
}

/* *array of *capacity elements gets room for n more after the first used. */
static bool grow(void **array, size_t *capacity, size_t used, size_t n, size_t size)
{
    const size_t larger = 2 * *capacity + n;
    void *moved;

    if (n <= *capacity - used)
        return true;
    moved = larger < n || larger > SIZE_MAX / 2 / size ? NULL : realloc(*array, larger * size);
    if (!moved)
        return false;
    *array = moved;
    *capacity = larger;
    return true;
}

static bool new_word(struct smol_bpe_trainer *t, size_t slot, struct smol_span piece)
{
    void *words = t->words, *numbers = t->numbers;
    const bool good =
        piece.size_bytes <= UINT32_MAX &&
        grow(&words, &t->words_capacity, t->n_words, 1, sizeof *t->words) &&
        grow(&numbers, &t->numbers_capacity, t->n_numbers, piece.size_bytes, sizeof *t->numbers);

    t->words = words;
    t->numbers = numbers;
    if (!good)
        return false;
    t->words[t->n_words++] =
        (struct word){.count = 1, .at = t->n_numbers, .n = (uint32_t)piece.size_bytes};
    for (size_t i = 0; i < piece.size_bytes; i++)
        t->numbers[t->n_numbers++] = t->number_of[piece.data[i]];
    t->slots[slot] = (uint32_t)t->n_words;
    return true;
}

static bool count(struct smol_bpe_trainer *t, struct smol_span piece)
{
    size_t slot;

    if (!make_slots(t))
        return false;
    slot = first_slot(t, piece);
    for (; t->slots[slot] != 0; slot = (slot + 1) & (t->n_slots - 1))
        if (is_word(t, &t->words[t->slots[slot] - 1], piece)) {
            t->words[t->slots[slot] - 1].count++;
            return true;
        }
    return new_word(t, slot, piece);
}

static enum smol_status count_pieces(struct smol_bpe_trainer *t, struct smol_span text,
                                     struct smol_error *error)
{
    struct smol_pieces pieces = {.splitter = t->splitter, .text = text};
    struct smol_span piece;
    enum smol_status status;

    while (!(status = smol_next_piece(&piece, &pieces, error)) && piece.size_bytes > 0)
        if (!count(t, piece))
            return smol_fail_memory(error);
    return status;
}

enum smol_status smol_bpe_add(struct smol_bpe_trainer *t, const uint8_t *text, size_t size_bytes,
                              struct smol_error *error)
{
    enum smol_status status = SMOL_OK;

    for (size_t at = 0, n; at < size_bytes && !status; at += n) {
        uint32_t which;
        n = smol_specials_find(&which, &t->separator, text + at, size_bytes - at);
        status = count_pieces(t, (struct smol_span){text + at, n}, error);
        if (n < size_bytes - at)
            n += sizeof SMOL_END_OF_TEXT - 1;
    }
    return status;
}

/* ---- merging ---- */

static bool add_pairs(struct smol_bpe_trainer *t, uint32_t word)
{
    const struct word *w = &t->words[word];
    const uint32_t *numbers = t->numbers + w->at;

    for (uint32_t i = 0; i + 1 < w->n; i++)
        if (!smol_pairs_add(&t->pairs, (struct smol_merge){numbers[i], numbers[i + 1]},
                            (struct smol_place){word, i}, w->count))
            return false;
    return true;
}

/* Whether a pair begins at byte `at` of a word, where its left token has been. */
static bool is_at(const struct smol_bpe_trainer *t, const struct word *w, uint32_t at,
                  struct smol_merge pair)
{
    const uint32_t *numbers = t->numbers + w->at, right = at + t->lengths[pair.left];

    return right < w->n && numbers[at] == pair.left && numbers[right] == pair.right;
}

/* The pair at a place becomes one number. The neighbour on its left may have done so just before,
 * and that on its right may be about to: a pair of two such is counted once, when both are made. */
static bool merge_at(struct smol_bpe_trainer *t, struct smol_place place, struct smol_merge pair,
                     uint32_t number)
{
    const struct word *w = &t->words[place.word];
    uint32_t *numbers = t->numbers + w->at;
    const uint32_t left = place.at, right = left + t->lengths[pair.left],
                   end = right + t->lengths[pair.right];

    numbers[right - 1] = numbers[right] = NONE;
    numbers[left] = numbers[end - 1] = number;
    if (left > 0) {
        const uint32_t before = numbers[left - 1];
        const uint32_t at = left - t->lengths[before];
        if (before != number)
            smol_pairs_take(&t->pairs, (struct smol_merge){before, pair.left}, w->count);
        if (!smol_pairs_add(&t->pairs, (struct smol_merge){before, number},
                            (struct smol_place){place.word, at}, w->count))
            return false;
    }
    if (end == w->n)
        return true;
    smol_pairs_take(&t->pairs, (struct smol_merge){pair.right, numbers[end]}, w->count);
    return is_at(t, w, end, pair) ||
           smol_pairs_add(&t->pairs, (struct smol_merge){number, numbers[end]}, place, w->count);
}

/* The places are in order, so that a word merges from the left. They are taken out of the pair, for
 * adding pairs moves it. */
static bool merge_everywhere(struct smol_bpe_trainer *t, struct smol_pair *best)
{
    const struct smol_merge numbers = best->numbers;
    const size_t n_places = best->n_places, n_pairs = t->pairs.n;
    const uint32_t number = 256 + t->n_merges;
    struct smol_place *places = best->places;
    bool good = true;

    best->places = NULL;
    best->n_places = best->capacity = 0;
    t->lengths[number] = (uint16_t)(t->lengths[numbers.left] + t->lengths[numbers.right]);
    for (size_t i = 0; i < n_places && good; i++)
        if (is_at(t, &t->words[places[i].word], places[i].at, numbers))
            good = merge_at(t, places[i], numbers, number);
    free(places);
    t->merges[t->n_merges++] = numbers;
    return good && smol_pairs_offer(&t->pairs, n_pairs);
}

static enum smol_status merge_all(struct smol_bpe_trainer *t, uint32_t vocab,
                                  smol_bpe_progress *progress, void *context,
                                  struct smol_error *error)
{
    t->merges = calloc((size_t)vocab - MIN_VOCAB + 1, sizeof *t->merges);
    t->lengths = calloc(vocab, sizeof *t->lengths);
    if (!t->merges || !t->lengths)
        return smol_fail_memory(error);
    for (size_t i = 0; i < 256; i++)
        t->lengths[i] = 1;
    for (size_t i = 0; i < t->n_words; i++)
        if (!add_pairs(t, (uint32_t)i))
            return smol_fail_memory(error);
    if (!smol_pairs_offer(&t->pairs, 0))
        return smol_fail_memory(error);
    while (MIN_VOCAB + t->n_merges < vocab) {
        struct smol_pair *best = smol_pairs_best(&t->pairs);
        if (!best || best->count < 2)
            break;
        if (t->lengths[best->numbers.left] + t->lengths[best->numbers.right] >
            (int)SMOL_MAX_TOKEN_BYTES)
            continue;
        if (!merge_everywhere(t, best))
            return smol_fail_memory(error);
        if (progress && !progress(context, MIN_VOCAB + t->n_merges, vocab))
            return smol_fail(error, SMOL_E_CANCELLED, SMOL_NO_OFFSET, "stopped");
    }
    return SMOL_OK;
}

enum smol_status smol_bpe_finish(uint8_t **bytes, size_t *size_bytes, struct smol_bpe_trainer *t,
                                 uint32_t vocab, smol_bpe_progress *progress, void *context,
                                 struct smol_error *error)
{
    static const uint8_t special[] = "\x0d" SMOL_END_OF_TEXT;
    enum smol_status status;

    if (vocab < MIN_VOCAB || vocab > MAX_VOCAB)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "a vocabulary of %u tokens; allowed are %u..%u", vocab, MIN_VOCAB,
                         MAX_VOCAB);
    status = merge_all(t, vocab, progress, context, error);
    if (status)
        return status;
    return smol_tokenizer_write(
        bytes, size_bytes,
        &(struct smol_tokenizer_parts){.merges = t->merges,
                                       .n_merges = t->n_merges,
                                       .specials = {special, sizeof special - 1},
                                       .n_specials = 1},
        error);
}
