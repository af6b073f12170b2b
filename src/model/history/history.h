/* What of a text came before: its last tokens, which of them followed the same tokens as the next
 * one will, and what that makes of logits. SPEC.md 8, History. */
#ifndef SMOL_MODEL_HISTORY_H
#define SMOL_MODEL_HISTORY_H

#include "kernel/kernel.h"
#include "model/history/index.h"

#include <smol/config.h>

#define SMOL_RECENT 1024u /* tokens before the next one */
#define SMOL_RECENT_TIMES 4u
#define SMOL_BYTES_VOCAB 257u /* the most that tokens of bytes have: with the end of text */

/* The last tokens of a text. */
struct history {
    uint16_t *tokens;    /* those held, from `begin` on */
    uint8_t *is_written; /* a bit for each: whether it follows nothing, since it was chosen */
    uint32_t capacity;
    uint32_t begin, held;
    uint32_t read; /* the place after the last one that was read: what follows none is not looked at
                    */
    struct index index;
};

/* What followed the tokens before the next one, for each length of them. Where that was not long
 * ago, it counts more than once. */
struct followers {
    uint32_t shortest;                /* tokens that the first length compares */
    uint32_t n[SMOL_HISTORY_LENGTHS]; /* times that those tokens were there before */
    uint32_t u[SMOL_HISTORY_LENGTHS]; /* different tokens after them */
    uint32_t n_seen;
    uint32_t *counts; /* (V, SMOL_HISTORY_LENGTHS) how often each was there; 0 for all others */
    uint16_t *seen;   /* (V) those after the shortest */
};

/* Bytes of memory that followers over a vocabulary take, aligned to 8, and that memory taken for
 * them. */
size_t smol_followers_bytes(uint32_t vocab);
void smol_followers_place(struct followers *f, uint32_t vocab, void *memory);

/* Bytes of memory that a history takes, aligned to 2, and that memory taken for an empty one. */
size_t smol_history_bytes(uint32_t capacity);
void smol_history_place(struct history *h, uint32_t capacity, void *memory);

/* token: with SMOL_WRITTEN, if it is. */
void smol_history_push(struct history *h, uint32_t token);

/* Makes room for n tokens, at most SMOL_HISTORY_ROOM, which are then pushed without moving any. */
#define SMOL_HISTORY_ROOM 32u
void smol_history_reserve(struct history *h, uint32_t n);
/* What a history was when n tokens had been pushed to it since `before`, and n <= ROOM reserved
 * there; now there are those or more. */
struct history smol_history_after(const struct history *before, uint32_t n);

/* Sorts the places anew where that is due, before what followed is counted: then most are looked
 * up. What smol_history_after makes of a copy is in it as it was. shortest: of the followers. */
void smol_history_sort(struct history *h, uint32_t shortest);

/* Drops the last tokens, or all. */
void smol_history_drop(struct history *h, uint32_t n);

/* The tokens of another one of the same capacity. */
void smol_history_copy(struct history *to, const struct history *from);

/* Counts what followed the last tokens. smol_followers_clear takes the counts back. */
void smol_history_count(struct followers *f, const struct history *h,
                        const struct smol_kernels *kernels);
void smol_followers_clear(struct followers *f);

/* What is looked for. */
struct search {
    struct followers *f;
    const struct history *h;
    const uint16_t *last; /* the last token */
    uint32_t length;      /* tokens that the shortest length compares */
    uint32_t recent;      /* the first place whose follower counts more */
    uint64_t before;      /* the MORE tokens before those, as they are in memory */
};

static inline bool smol_is_written(const uint8_t *is_written, uint32_t at)
{
    return is_written[at / 8] >> at % 8 & 1;
}

/* A token followed the shortest length. */
void smol_search_note(struct followers *f, uint16_t token, uint32_t times);

/* The tokens up to places + origin (n) are like the last ones, as many as the shortest length has:
 * notes what follows them for all longer lengths that they have. */
void smol_search_note_longer(const struct search *s, const uint16_t *places, uint32_t n,
                             uint32_t origin, uint32_t times);

/* Notes the followers of places from..to - 1, which are sorted. */
void smol_search_look_up(const struct search *s, uint32_t from, uint32_t to);

/* The probability of a token is share + rest x the network's. Each length k in turn makes share
 * (count - 1/8 + g share) / (n + s) of it, and rest g rest / (n + s), with s = 1/8 + a u and g = s
 * + u / 8. One step, where n is over 0; count: of the token. */
static inline double smol_history_share(double share, double a, uint32_t n, uint32_t u,
                                        uint32_t count)
{
    const double s = 0.125 + a * u, g = s + 0.125 * u;

    return ((count ? count - 0.125 : 0.0) + g * share) / (n + s);
}

static inline double smol_history_rest(double rest, double a, uint32_t n, uint32_t u)
{
    const double s = 0.125 + a * u, g = s + 0.125 * u;

    return g * rest / (n + s);
}

/* Logits (V), whose largest is most and whose exp(logit - most) sum up to sum, changed for the
 * tokens seen. strengths: a of each length. */
void smol_history_mix(float *logits, const struct followers *f,
                      const double strengths[SMOL_HISTORY_LENGTHS], float most, double sum,
                      const struct smol_kernels *kernels);

#endif
