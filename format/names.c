/* The names of number types, distributions, sources, slots and methods, for files, options and
 * reports alike. */
#include <smol/config.h>
#include <string.h>

/* The index of a name among n, some of which may be NULL; n if it is not there. */
static unsigned find(const char *const *names, unsigned n, const char *name)
{
    unsigned i = 0;

    while (i < n && !(name && names[i] && strcmp(names[i], name) == 0))
        i++;
    return i;
}

#define N_DTYPES 7u
static const struct {
    const char *name[N_DTYPES];
    uint8_t uses[N_DTYPES]; /* a bit for each enum smol_dtype_use */
} dtypes = {{"f32", "f16", "q8", "q4", "q8", "ternary", "q4-row"}, {15, 15, 13, 9, 2, 9, 1}};

const char *smol_dtype_name(enum smol_dtype type) { return dtypes.name[type]; }

bool smol_dtype_holds(enum smol_dtype type, enum smol_dtype_use use)
{
    return type < N_DTYPES && (dtypes.uses[type] >> use & 1) != 0;
}

bool smol_dtype_parse(enum smol_dtype *type, const char *name, enum smol_dtype_use use)
{
    for (enum smol_dtype t = SMOL_F32; name && t < N_DTYPES; t++)
        if (smol_dtype_holds(t, use) && strcmp(dtypes.name[t], name) == 0) {
            *type = t;
            return true;
        }
    return false;
}

static const char *const dists[] = {[SMOL_SIGN] = "sign", [SMOL_GAUSS] = "gauss"};

const char *smol_dist_name(enum smol_dist dist) { return dists[dist]; }

bool smol_dist_parse(enum smol_dist *dist, const char *name)
{
    const unsigned i = find(dists, 2, name);

    if (i < 2)
        *dist = (enum smol_dist)i;
    return i < 2;
}

#define N_SOURCES 11u
static const char *const matrix_sources[N_SOURCES] = {"unit",
                                                      "own",
                                                      "shared",
                                                      "fastfood",
                                                      "fastfood shared",
                                                      "fourier",
                                                      "fourier shared",
                                                      [SMOL_MATRIX_NOLA] = "nola",
                                                      [SMOL_MATRIX_MASK] = "mask",
                                                      [SMOL_MATRIX_STORED] = "stored"};
static const char *const norm_sources[N_SOURCES] = {"frozen", "alpha", "stored"};

const char *smol_source_name(enum smol_kind kind, enum smol_source source)
{
    return (kind == SMOL_MATRIX ? matrix_sources : norm_sources)[source];
}

bool smol_source_parse(enum smol_source *source, enum smol_kind kind, const char *name)
{
    const unsigned i = find(kind == SMOL_MATRIX ? matrix_sources : norm_sources, N_SOURCES, name);

    if (i < N_SOURCES)
        *source = (enum smol_source)i;
    return i < N_SOURCES;
}

bool smol_source_projects(enum smol_source source)
{
    return source >= SMOL_MATRIX_FASTFOOD && source <= SMOL_MATRIX_FOURIER_SHARED;
}

bool smol_source_is_shared(enum smol_source source)
{
    return source == SMOL_MATRIX_SHARED || source == SMOL_MATRIX_FASTFOOD_SHARED ||
           source == SMOL_MATRIX_FOURIER_SHARED;
}

#define N_ARCHITECTURES 3u
static const char *const architectures[N_ARCHITECTURES] = {"gpt2", "smol", "delta"};

const char *smol_architecture_name(enum smol_architecture architecture)
{
    return architectures[architecture];
}

bool smol_architecture_parse(enum smol_architecture *architecture, const char *name)
{
    const unsigned i = find(architectures, N_ARCHITECTURES, name);

    if (i < N_ARCHITECTURES)
        *architecture = (enum smol_architecture)i;
    return i < N_ARCHITECTURES;
}

/* By bit. */
#define N_FEATURES 7u
static const char *const features[N_FEATURES] = {
    "distances", "slope-factors", "temperatures", "half-shift", "relu2", "output-table", "history"};

const char *smol_feature_name(enum smol_feature feature)
{
    unsigned bit = 0;

    while ((unsigned)feature >> bit > 1)
        bit++;
    return features[bit];
}

bool smol_feature_parse(enum smol_feature *feature, const char *name)
{
    const unsigned bit = find(features, N_FEATURES, name);

    if (bit < N_FEATURES)
        *feature = (enum smol_feature)(1u << bit);
    return bit < N_FEATURES;
}

const char *smol_slot_name(enum smol_slot slot)
{
    static const char *const names[] = {"ln_1",     "attn.c_attn", "attn.c_proj", "ln_2",
                                        "mlp.c_fc", "mlp.c_proj",  "ln_f"};

    return names[slot];
}

bool smol_slot_is_matrix(enum smol_slot slot)
{
    return slot != SMOL_LN_1 && slot != SMOL_LN_2 && slot != SMOL_LN_F;
}

static const struct smol_method methods[] = {
    {"embed", SMOL_MATRIX_UNIT, 5, 0, SMOL_F32},
    {"lora", SMOL_MATRIX_UNIT, 5, 4, SMOL_F32},
    {"alpha", SMOL_MATRIX_OWN, 5, 0, SMOL_F32},
    {"alpha-global", SMOL_MATRIX_SHARED, 5, 0, SMOL_F32},
    {"fastfood", SMOL_MATRIX_FASTFOOD, 1000, 0, SMOL_F32},
    {"fastfood-global", SMOL_MATRIX_FASTFOOD_SHARED, 1000, 0, SMOL_F32},
    {"fourier", SMOL_MATRIX_FOURIER, 1000, 0, SMOL_F32},
    {"fourier-global", SMOL_MATRIX_FOURIER_SHARED, 1000, 0, SMOL_F32},
    {"nola", SMOL_MATRIX_NOLA, 8, 4, SMOL_F32},
    {"mask", SMOL_MATRIX_MASK, 1, 0, SMOL_F32},
    {"full", SMOL_MATRIX_STORED, 1, 0, SMOL_F16},
    {"ternary", SMOL_MATRIX_STORED, 1, 0, SMOL_TERNARY},
};

const struct smol_method *smol_method_at(unsigned index)
{
    return index < sizeof methods / sizeof *methods ? &methods[index] : NULL;
}

const struct smol_method *smol_method_find(const char *name)
{
    const struct smol_method *m = methods;

    while (m && strcmp(m->name, name) != 0)
        m = smol_method_at((unsigned)(m - methods) + 1);
    return m;
}

static bool describes(const struct smol_method *m, const struct smol_scheme *s)
{
    return m->source == s->source && (m->rank > 0) == (s->rank > 0) &&
           (s->source != SMOL_MATRIX_STORED ||
            (m->type == SMOL_TERNARY) == (s->alpha_type == SMOL_TERNARY));
}

const struct smol_method *smol_method_of(const struct smol_scheme *scheme)
{
    const struct smol_method *m = methods;

    while (m && !describes(m, scheme))
        m = smol_method_at((unsigned)(m - methods) + 1);
    return m;
}
