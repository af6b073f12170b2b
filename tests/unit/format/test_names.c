/* The names that files, options and reports share. Expected values are those of README, SPEC.md 3.1
 * and the manual pages. */
#include <criterion/criterion.h>
#include <smol/config.h>

Test(names, number_types_by_use)
{
    static const struct {
        enum smol_dtype type;
        const char *name;
        bool of_embeddings, of_parameters, of_kv, of_matrices;
    } cases[] = {{SMOL_F32, "f32", true, true, true, true},
                 {SMOL_F16, "f16", true, true, true, true},
                 {SMOL_Q8, "q8", true, false, true, true},
                 {SMOL_Q4, "q4", true, false, false, true},
                 {SMOL_Q8_BLOCKS, "q8", false, true, false, false},
                 {SMOL_TERNARY, "ternary", true, false, false, true},
                 {SMOL_Q4_ROW, "q4-row", true, false, false, false}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const bool fits[] = {cases[i].of_embeddings, cases[i].of_parameters, cases[i].of_kv,
                             cases[i].of_matrices};
        cr_assert_str_eq(smol_dtype_name(cases[i].type), cases[i].name);
        for (enum smol_dtype_use use = SMOL_OF_EMBEDDINGS; use <= SMOL_OF_MATRICES; use++) {
            enum smol_dtype type = SMOL_Q4;
            cr_assert_eq(smol_dtype_holds(cases[i].type, use), fits[use], "%zu %d", i, use);
            if (!fits[use])
                continue;
            cr_assert(smol_dtype_parse(&type, cases[i].name, use));
            cr_assert_eq(type, cases[i].type, "%zu %d", i, use);
        }
    }
}

Test(names, what_has_no_meaning_is_refused_and_writes_nothing)
{
    enum smol_dtype type = SMOL_F16;
    enum smol_dist dist = SMOL_GAUSS;
    enum smol_source source = SMOL_MATRIX_NOLA;

    cr_assert(!smol_dtype_holds((enum smol_dtype)7, SMOL_OF_EMBEDDINGS));
    cr_assert(!smol_dtype_holds((enum smol_dtype)255, SMOL_OF_PARAMETERS));
    cr_assert(!smol_dtype_parse(&type, "q4", SMOL_OF_PARAMETERS));
    cr_assert(!smol_dtype_parse(&type, "q4", SMOL_OF_KV));
    cr_assert(!smol_dtype_parse(&type, "q4-row", SMOL_OF_MATRICES));
    cr_assert(!smol_dtype_parse(&type, "f64", SMOL_OF_EMBEDDINGS));
    cr_assert(!smol_dtype_parse(&type, "", SMOL_OF_EMBEDDINGS));
    cr_assert(!smol_dtype_parse(&type, NULL, SMOL_OF_EMBEDDINGS));
    cr_assert(!smol_dist_parse(&dist, "uniform"));
    cr_assert(!smol_dist_parse(&dist, NULL));
    cr_assert(!smol_source_parse(&source, SMOL_NORM, "shared"));
    cr_assert(!smol_source_parse(&source, SMOL_MATRIX, "frozen"));
    cr_assert(!smol_source_parse(&source, SMOL_MATRIX, NULL));
    cr_assert(type == SMOL_F16 && dist == SMOL_GAUSS && source == SMOL_MATRIX_NOLA);
    cr_assert_null(smol_method_find("mixed"));
    cr_assert_null(smol_method_find(""));
    cr_assert_null(smol_method_of(&(struct smol_scheme){.source = SMOL_MATRIX_OWN, .rank = 1}));
    cr_assert_null(smol_method_of(&(struct smol_scheme){.source = SMOL_MATRIX_NOLA}));
}

Test(names, distributions_and_sources)
{
    static const char *const matrices[] = {
        "unit",           "own", "shared", "fastfood", "fastfood shared", "fourier",
        "fourier shared", NULL,  "nola",   "mask",     "stored"};
    static const char *const norms[] = {"frozen", "alpha", "stored"};
    enum smol_source source;
    enum smol_dist dist;

    cr_assert_str_eq(smol_dist_name(SMOL_SIGN), "sign");
    cr_assert_str_eq(smol_dist_name(SMOL_GAUSS), "gauss");
    cr_assert(smol_dist_parse(&dist, "gauss") && dist == SMOL_GAUSS);
    cr_assert(smol_dist_parse(&dist, "sign") && dist == SMOL_SIGN);
    for (unsigned i = 0; i < 11; i++) {
        if (!matrices[i])
            continue;
        cr_assert_str_eq(smol_source_name(SMOL_MATRIX, (enum smol_source)i), matrices[i]);
        cr_assert(smol_source_parse(&source, SMOL_MATRIX, matrices[i]) && source == i);
        cr_assert_eq(smol_source_projects(source), i >= 3 && i <= 6);
        cr_assert_eq(smol_source_is_shared(source), i == 2 || i == 4 || i == 6);
    }
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_str_eq(smol_source_name(SMOL_NORM, (enum smol_source)i), norms[i]);
        cr_assert(smol_source_parse(&source, SMOL_NORM, norms[i]) && source == i);
    }
}

/* The words of SPEC.md 3.1 as options spell them. */
Test(names, architectures_and_features)
{
    static const char *const features[] = {"distances",  "slope-factors", "temperatures",
                                           "half-shift", "relu2",         "output-table"};
    enum smol_architecture architecture = SMOL_ARCH_SMOL;
    enum smol_feature feature = SMOL_FEATURE_RELU2;

    for (unsigned i = 0; i < 6; i++) {
        cr_assert_str_eq(smol_feature_name((enum smol_feature)(1u << i)), features[i]);
        cr_assert(smol_feature_parse(&feature, features[i]) && feature == 1u << i);
    }
    cr_assert(!smol_feature_parse(&feature, "relu") && !smol_feature_parse(&feature, NULL));
    cr_assert_eq(feature, SMOL_FEATURE_OUTPUT_TABLE);
    cr_assert_str_eq(smol_architecture_name(SMOL_ARCH_GPT2), "gpt2");
    cr_assert_str_eq(smol_architecture_name(SMOL_ARCH_SMOL), "smol");
    cr_assert(smol_architecture_parse(&architecture, "gpt2") && architecture == SMOL_ARCH_GPT2);
    cr_assert(smol_architecture_parse(&architecture, "smol") && architecture == SMOL_ARCH_SMOL);
    cr_assert(!smol_architecture_parse(&architecture, "gpt-2"));
    cr_assert(!smol_architecture_parse(&architecture, NULL));
    cr_assert_eq(architecture, SMOL_ARCH_SMOL);
}

Test(names, slots)
{
    static const char *const names[] = {"ln_1",     "attn.c_attn", "attn.c_proj", "ln_2",
                                        "mlp.c_fc", "mlp.c_proj",  "ln_f"};

    for (enum smol_slot slot = SMOL_LN_1; slot <= SMOL_LN_F; slot++) {
        cr_assert_str_eq(smol_slot_name(slot), names[slot]);
        cr_assert_eq(smol_slot_is_matrix(slot), names[slot][0] != 'l');
    }
}

Test(names, methods_are_found_by_name_and_by_what_they_are)
{
    static const struct smol_method cases[] = {
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
        {"ternary", SMOL_MATRIX_STORED, 1, 0, SMOL_TERNARY}};
    const size_t n = sizeof cases / sizeof *cases;

    cr_assert_null(smol_method_at((unsigned)n));
    for (unsigned i = 0; i < n; i++) {
        const struct smol_method *m = smol_method_find(cases[i].name);
        cr_assert_not_null(m, "%s", cases[i].name);
        cr_assert_eq(m, smol_method_at(i));
        const struct smol_scheme s = {.source = cases[i].source,
                                      .rank = (uint16_t)cases[i].rank,
                                      .alpha_type = cases[i].type};
        cr_assert_eq(m, smol_method_of(&s));
        cr_assert(m->source == cases[i].source && m->d == cases[i].d && m->rank == cases[i].rank);
    }
}
