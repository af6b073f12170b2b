/* The seeds of gguf: keys of every kind, tensors of every type. */
#include "base/bytes.h"
#include "fuzz.h"

#include <string.h>

struct out {
    uint8_t bytes[8192];
    size_t n;
};

static void put(struct out *o, uint64_t value, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++)
        o->bytes[o->n++] = (uint8_t)(i < 8 ? value >> 8 * i : 0);
}

static void put_text(struct out *o, const char *text)
{
    put(o, strlen(text), 8);
    memcpy(o->bytes + o->n, text, strlen(text));
    o->n += strlen(text);
}

static void put_key(struct out *o, const char *key, uint32_t type)
{
    put_text(o, key);
    put(o, type, 4);
}

static void put_head(struct out *o, uint32_t version, uint64_t n_tensors, uint64_t n_keys)
{
    memset(o, 0, sizeof *o);
    memcpy(o->bytes, "GGUF", 4);
    o->n = 4;
    put(o, version, 4);
    put(o, n_tensors, 8);
    put(o, n_keys, 8);
}

static void put_keys(struct out *o)
{
    put_key(o, "general.architecture", 8);
    put_text(o, "gpt2");
    put_key(o, "general.alignment", 4);
    put(o, 32, 4);
    put_key(o, "n", 10);
    put(o, 1024, 8);
    put_key(o, "x", 6);
    put(o, 0x3727c5ac, 4);
    put_key(o, "flag", 7);
    put(o, 1, 1);
    put_key(o, "texts", 9);
    put(o, 8, 4);
    put(o, 3, 8);
    put_text(o, "a");
    put_text(o, "");
    put_text(o, "\xc4\xa0"
                "b");
    put_key(o, "numbers", 9);
    put(o, 5, 4);
    put(o, 2, 8);
    put(o, 0xffffffff, 4);
    put(o, 7, 4);
}

/* Of each type one tensor of 256 numbers, as two rows where there is room for them in blocks. */
static void put_tensors(struct out *o)
{
    static const struct {
        const char *name;
        uint32_t type;
        size_t bytes;
    } tensors[] = {{"token_embd.weight", 0, 1024},
                   {"a", 1, 512},
                   {"b", 2, 144},
                   {"c", 8, 272},
                   {"d", 14, 210},
                   {"e", 28, 2048},
                   {"f", 30, 512},
                   {"g", 99, 32}};
    size_t at = 0;

    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++) {
        const bool is_flat = tensors[i].type == 14;
        put_text(o, tensors[i].name);
        put(o, is_flat ? 1 : 2, 4);
        put(o, is_flat ? 256 : 128, 8);
        if (!is_flat)
            put(o, 2, 8);
        put(o, tensors[i].type, 4);
        put(o, at, 8);
        at += (tensors[i].bytes + 31) / 32 * 32;
    }
    o->n = (o->n + 31) / 32 * 32;
    o->n += at;
}

void fuzz_seeds(fuzz_take *take)
{
    static struct out o;

    put_head(&o, 3, 8, 7);
    put_keys(&o);
    put_tensors(&o);
    take(o.bytes, o.n);
    put_head(&o, 2, 0, 7);
    put_keys(&o);
    take(o.bytes, o.n);
    put_head(&o, 3, 8, 0);
    put_tensors(&o);
    take(o.bytes, o.n);
}
