/* smoltool inspect: what a model is made of, for a person: a short page, or all of it. */
#include "smoltool/inspect/inspect.h"
#include "cli/cli.h"
#include "cli/delta/parts.h"
#include "cli/guard.h"
#include "cli/json.h"

#include <smol/tokenizer.h>
#include <smol/weights.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_count(const char *label, uint64_t value, const char *unit)
{
    printf("%-26s%12llu%s%s\n", label, (unsigned long long)value, unit[0] ? " " : "", unit);
}

static void print_tokens(const struct smol_file *file)
{
    uint32_t end;

    if (file->config.tokenizer != SMOL_TOKENIZER_BYTES && !file->tokenizer.data) {
        puts("tokens       its model's");
        return;
    }
    if (file->config.tokenizer == SMOL_TOKENIZER_BYTES) {
        printf("tokens       bytes\n");
        return;
    }
    if (file->config.tokenizer == SMOL_TOKENIZER_BYTE_SET) {
        bool other;
        const uint32_t n = inspect_set_bytes(&other, file);

        printf("tokens       %u bytes%s", n, other ? ", and one for all others" : "");
        if (smol_end_token(&end, file))
            printf(", end of text %u", end);
        putchar('\n');
        return;
    }
    printf("tokens       BPE, %u merges, %u in all", smol_tokenizer_merge_count(file),
           smol_token_count(file));
    if (smol_end_token(&end, file))
        printf(", end of text %u", end);
    putchar('\n');
}

static void print_features(const struct smol_config *c)
{
    const char *between = "features     ";

    for (unsigned bit = 1; bit <= SMOL_ALL_FEATURES; bit *= 2)
        if (smol_config_has(c, (enum smol_feature)bit)) {
            printf("%s%s", between, smol_feature_name((enum smol_feature)bit));
            between = ", ";
        }
    putchar('\n');
}

static void print_tables(const struct smol_config *c)
{
    printf("embeddings   wte %s", smol_dtype_name(c->wte_type));
    if (!smol_config_has(c, SMOL_FEATURE_DISTANCES))
        printf(", wpe %s", smol_dtype_name(c->wpe_type));
    if (smol_config_has(c, SMOL_FEATURE_OUTPUT_TABLE))
        printf(", output table %s", smol_dtype_name(c->output_type));
    putchar('\n');
    if (c->architecture == SMOL_ARCH_SMOL)
        printf("logit scale  %.6g\n", (double)c->logit_scale);
}

static void print_shape(const struct smol_file *file, char *const *part_paths)
{
    const struct smol_config *c = &file->config;
    const bool is_delta = smol_config_is_delta(c);

    printf("\nshape        %s%s, %u layers x %u, %u heads, feed-forward %u, context %u, "
           "vocabulary %u\n",
           is_delta ? "delta of " : "", c->features ? "smol" : "GPT-2", c->n_layers, c->width,
           c->n_heads, c->n_ff, c->context, c->vocab);
    if (is_delta)
        inspect_print_base(file, part_paths);
    if (c->features)
        print_features(c);
    printf("method       %s\n",
           inspect_is_mix(file) ? "none: it only names its parts" : smol_config_method(c));
    printf("seed         %llu (0x%016llx)\n", (unsigned long long)c->seed,
           (unsigned long long)c->seed);
    if (is_delta)
        inspect_print_rows(c);
    else
        print_tables(c);
    if (smol_config_history(c))
        inspect_print_history(file);
    print_tokens(file);
}

/* A scheme; of a delta, all of it is differences. */
static void print_scheme(const struct smol_scheme *s, unsigned index, bool in_delta)
{
    static const char *const matrix_sources[] = {"one frozen basis",
                                                 "own alphas",
                                                 "shared alphas",
                                                 "own parameters by Fastfood",
                                                 "shared parameters by Fastfood",
                                                 "own parameters by Fourier",
                                                 "shared parameters by Fourier",
                                                 "",
                                                 "factors from own alphas",
                                                 "seeded signs and a mask",
                                                 "stored rows"};
    static const char *const norm_sources[] = {"gain 1, bias 0", "own alphas", "stored vectors"};
    const bool is_mask = s->kind == SMOL_MATRIX && s->source == SMOL_MATRIX_MASK;
    const bool is_nothing = in_delta && s->source == 0; /* of norms as well */

    printf("  %2u  %-7s %s", index, s->kind == SMOL_MATRIX ? "matrix" : "norm",
           is_nothing               ? "its model's"
           : s->kind == SMOL_MATRIX ? matrix_sources[s->source]
                                    : norm_sources[s->source]);
    if (s->d && !is_nothing)
        printf(", %s", smol_dist_name(s->dist));
    if (s->kind == SMOL_MATRIX && s->source == SMOL_MATRIX_STORED)
        printf(" (%s)", smol_dtype_name(s->alpha_type));
    if (s->source && s->d && !is_mask)
        printf(", d = %u (%s)", smol_scheme_projects(s) ? s->dimensions : s->d,
               smol_dtype_name(s->alpha_type));
    if (s->rank && s->kind == SMOL_MATRIX && s->source == SMOL_MATRIX_NOLA)
        printf(", rank %u", s->rank);
    else if (s->rank)
        printf(", rank %u (%s)", s->rank, smol_dtype_name(s->value_type));
    if (smol_scheme_has(s, SMOL_TERM_SPARSE))
        printf(", sparse, %u a row (%s)", s->dimensions, smol_dtype_name(s->value_type));
    if (smol_scheme_has(s, SMOL_TERM_MODELS))
        printf(", a number for each model (%s)", smol_dtype_name(s->value_type));
    if (smol_scheme_has(s, SMOL_TERM_LAYER_GAIN))
        printf(", a gain for each layer");
    if (smol_scheme_has(s, SMOL_TERM_GAINS))
        printf(", gains (%s)", smol_dtype_name(s->value_type));
    if (smol_scheme_has(s, SMOL_TERM_BIASES))
        printf(", biases (%s)", smol_dtype_name(s->value_type));
    if (s->sigma > 0)
        printf(", sigma %.6g", (double)s->sigma);
    putchar('\n');
}

/* Which scheme each tensor has. */
static void print_runs(const struct smol_config *c)
{
    uint32_t first = 0;

    for (uint32_t i = 0; i < c->n_spans; i++) {
        const uint8_t *s = c->spans[i].scheme;
        const uint32_t last = first + c->spans[i].n_layers - 1;
        printf("  layers %u..%u: ln_1 %u, attn %u and %u, ln_2 %u, mlp %u and %u\n", first, last,
               s[0], s[1], s[2], s[3], s[4], s[5]);
        first = last + 1;
    }
    printf("  ln_f %u\n", c->ln_f);
}

/* The first five add up to the bytes outside the embeddings, all of them to the file. */
static void print_sizes(const struct smol_size_report *r, const struct smol_config *c)
{
    const bool is_delta = smol_config_is_delta(c),
               has_scale = is_delta ? c->logit_scale != 0.0f
                                    : c->architecture == SMOL_ARCH_SMOL && c->logit_scale != 1.0f;

    const struct {
        const char *label;
        uint64_t size_bytes;
    } parts[] = {{"  header and directory", r->header + r->directory},
                 {"  configuration", r->config},
                 {"  names of its parts", r->base},
                 {"  parameters", r->params},
                 {"  hash", r->hash},
                 {"  signature", r->signature},
                 {"  embeddings", r->embeddings},
                 {"  tokenizer", r->tokenizer},
                 {"  card", r->card},
                 {"  gaps, to align sections", r->padding}};

    print_count("non-embedding bytes", r->non_embedding, "");
    print_count("non-embedding parameters", smol_config_parameters(c),
                has_scale ? "and the logit scale" : "");
    print_count("file", r->file, "bytes");
    puts("");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i].size_bytes)
            print_count(parts[i].label, parts[i].size_bytes, "");
}

/* The numbers that the same model would store if nothing were regenerated. */
static uint64_t dense_numbers(const struct smol_config *c)
{
    const uint32_t n = smol_tensor_count(c);
    uint64_t sum = 0;
    struct smol_tensor t;

    for (uint32_t i = 0; i < n; i++) {
        smol_tensor_at(&t, c, i);
        sum += (uint64_t)t.rows * t.cols;
    }
    return sum;
}

static void print_card(const struct smol_file *file)
{
    json_t *card = json_loadb((const char *)file->card.data, file->card.size_bytes,
                              JSON_REJECT_DUPLICATES, NULL);
    const char *key;
    json_t *value;

    if (!card) {
        puts("card         not readable as JSON");
        return;
    }
    puts("\ncard");
    json_object_foreach(card, key, value)
    {
        char *text = cli_json_text(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_COMPACT |
                                              JSON_REAL_PRECISION(9));
        fputs("  ", stdout);
        cli_json_print_key(key);
        puts(text ? text : "");
        free(text);
    }
    json_decref(card);
}

static void print_memory(const struct smol_file *file, const struct inspect_session *s)
{
    const uint64_t files = s->memory_bytes - s->session_bytes - PROGRAM_BYTES;
    char all[32], model[32], session[32], program[32], history[32] = "";

    if (s->memory_bytes == 0) {
        puts("memory       depends on its base, which is not there");
        return;
    }
    if (smol_config_history(&file->config))
        snprintf(history, sizeof history, ", history %u",
                 session_args_history(&s->options, &file->config));
    printf("memory       %s to run with context %u%s and %u thread%s: %s %s, session %s, program "
           "%s\n",
           cli_size(all, s->memory_bytes), s->options.context, history, s->options.n_threads,
           s->options.n_threads == 1 ? "" : "s", files == file->bytes.size_bytes ? "file" : "files",
           cli_size(model, files), cli_size(session, s->session_bytes),
           cli_size(program, PROGRAM_BYTES));
}

static void print_identity(const struct smol_file *file)
{
    char hash[2 * SMOL_HASH_BYTES + 1], number[17];

    cli_hex(hash, file->hash, SMOL_HASH_BYTES);
    printf("\nhash         %.64s\n             %s\n", hash, hash + 64);
    cli_key_number(number, file->signature.key_number);
    if (file->is_signed)
        printf("signer       key %s (verify --pubkey or --trusted proves whose it is)\n", number);
    else
        puts("signer       not signed");
}

static void print_tensors(const struct smol_file *file)
{
    const struct smol_config *c = &file->config;

    puts("\nschemes");
    for (unsigned i = 0; i < c->n_schemes; i++)
        print_scheme(&c->schemes[i], i, smol_config_is_delta(c));
    print_runs(c);
    inspect_print_numbers(file);
}

static void print_page(const struct smol_file *file, const struct inspect_session *session,
                       bool full)
{
    const struct smol_config *c = &file->config;
    struct smol_size_report sizes;
    char size[32];

    smol_file_sizes(&sizes, file);
    print_sizes(&sizes, c);
    print_shape(file, session->part_paths);
    printf("as stored    f32 weights of this shape would take %s\n",
           cli_size(size, 4 * dense_numbers(c)));
    print_memory(file, session);
    if (full)
        print_tensors(file);
    print_identity(file);
    if (full && file->card.size_bytes)
        print_card(file);
}

/* What a session of a whole file takes. */
static enum smol_status measure(struct inspect_session *s, const struct smol_file *file,
                                struct smol_error *error)
{
    enum smol_status status = session_args_budget(&s->options, file, error);

    return status
               ? status
               : session_args_memory(&s->memory_bytes, &s->session_bytes, &s->options, file, error);
}

/* ---- the parts of a delta ---- */

/* Where they are: of files that are open, or where they are looked for. Whether all are there. */
static bool look_for_parts(struct inspect_session *s, const struct smol_file *file,
                           const char *path, const struct smol_files *files)
{
    bool all = true;

    for (uint32_t i = 0; i < file->n_models + file->n_deltas; i++) {
        const uint8_t *hash = file->parts[i].hash;
        const char *open = files ? parts_path(files, hash) : NULL;

        s->part_paths[i] = open ? strdup(open) : files ? NULL : smol_part_find(hash, NULL, path);
        all = all && s->part_paths[i];
    }
    return all;
}

/* Parts that are given must be right; of others it is said whether they are there, and what they
 * take then. 0, or an exit code after a message. */
static int find_parts(struct inspect_session *s, const struct smol_file *file, const char *path,
                      const struct parts_words *parts)
{
    const struct smol_opener opener = {cli_open, cli_unmap};
    const struct smol_open_options options = {.struct_bytes = sizeof options,
                                              .n_threads = cli_cores()};
    struct smol_files files;
    struct smol_error error;
    char *blamed = NULL;
    int code = 0;

    if (parts_are_given(parts)) {
        if ((code = parts_open(&files, path, parts, cli_cores(), false)) != 0)
            return code;
        if (!look_for_parts(s, file, path, &files))
            code = cli_no_memory(path);
    } else if (!look_for_parts(s, file, path, NULL) ||
               smol_files_open(&files, &blamed, path, &options, &opener, &error)) {
        free(blamed);
        return 0;
    }
    if (code == 0 && measure(s, &files.file, &error))
        code = cli_complain(path, &error);
    code = code ? code : parts_check_unchanged(&files);
    parts_close(&files);
    return code;
}

static int inspect(const char *path, struct inspect_session *session,
                   const struct parts_words *parts, bool json, bool full)
{
    struct smol_session_options *o = &session->options;
    struct smol_mapping mapping;
    struct smol_file file;
    struct smol_error error;
    int code = 0;

    if (cli_open(&mapping, &file, path, cli_cores(), &error))
        return cli_complain(path, &error);
    o->context = o->context ? o->context : file.config.context;
    if (smol_config_is_delta(&file.config) || parts_are_given(parts))
        code = find_parts(session, &file, path, parts);
    else if (measure(session, &file, &error))
        code = cli_complain(path, &error);
    if (code == 0 && json)
        code = inspect_json(&file, session);
    else if (code == 0) {
        print_page(&file, session, full);
        code = cli_json_is_whole() ? 0 : cli_no_memory(path);
    }
    code = code ? code : cli_check_unchanged(&mapping, path);
    for (size_t i = 0; i < SMOL_MAX_PARTS; i++)
        free(session->part_paths[i]);
    cli_unmap(&mapping);
    return code;
}

struct inspect_words {
    struct session_words session;
    struct parts_words parts;
    int json, full, context, threads;
};

static int run(void *context, const char *const *arguments)
{
    const struct inspect_words *w = context;
    struct inspect_session session = {.memory_bytes = 0};
    int code;

    if (w->threads > (int)SMOL_MAX_THREADS)
        return cli_usage_error("--threads", "takes 0 (one for each core) to 256");
    if ((code = session_args_check(&session.options, &w->session)) != 0)
        return code;
    session.options.context = (uint32_t)w->context;
    session.options.n_threads = w->threads ? (uint32_t)w->threads : cli_cores();
    return inspect(arguments[0], &session, &w->parts, w->json != 0, w->full != 0);
}

int tool_inspect(int argc, const char **argv)
{
    struct inspect_words w = {0};
    struct poptOption session_options[SESSION_OPTIONS], parts[PARTS_OPTIONS];
    const struct poptOption options[] = {
        CLI_FLAG("full", 0, &w.full, "print the schemes, the alphas and the card as well"),
        CLI_FLAG("json", 0, &w.json, "print all of it as one JSON object"),
        CLI_COUNT("ctx-size", 'c', &w.context,
                  "memory with a context of N tokens; 0 (default): the model's", "N"),
        CLI_COUNT("threads", 't', &w.threads, "and N threads; 0 (default): one for each core", "N"),
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, session_options, 0,
         "How it would run, as for smolrun:", NULL},
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, parts, 0, "Of a delta:", NULL},
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    session_args_table(session_options, &w.session);
    parts_table(parts, &w.parts);
    return cli_command(argc, argv, options,
                       &(struct cli_usage){"[OPTION...] MODEL.smol", "MODEL.smol"}, run, &w);
}
