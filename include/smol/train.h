/* Training: text in, a model out. A library of its own, smol_train, that needs OpenMP and OpenBLAS;
 * the runtime does not. A trainer belongs to one thread at a time and uses several inside. Its
 * results depend on the options, the data and the processor, not on the number of threads. It sets
 * the thread counts of OpenMP and OpenBLAS as it needs them.
 *
 * Advanced: may change between minor versions until 1.0. */
#ifndef SMOL_TRAIN_H
#define SMOL_TRAIN_H

#include <smol/config.h>
#include <smol/corpus.h>
#include <smol/file.h>
#include <smol/io.h>
#include <smol/isa.h>
#include <stdbool.h>

SMOL_BEGIN_DECLS

/* Which windows of the text a step sees. */
enum smol_order {
    SMOL_ORDER_RANDOM,   /* each drawn from all of them, whatever has been seen */
    SMOL_ORDER_SHUFFLED, /* adjacent windows, all of them before any comes again */
};

/* Processes, perhaps of several machines, that train one model: process `rank` of `size` computes
 * its share of every batch and of every validation. What travels is the gradient of parameters and
 * embeddings. sum replaces n numbers, floats or doubles, by their sums over all processes, the
 * same bits in each; false if that failed. All call the same functions of their trainers in the
 * same order. */
struct smol_train_comm {
    uint32_t rank, size;
    bool (*sum)(void *context, void *numbers, size_t n, bool is_double);
    void *context;
};

/* Settings for tensors with certain names, in place of the options for all tensors
 * (docs/methods.md). Filled in by smol_train_rule() and smol_train_rules(). */
#define SMOL_MAX_RULES 32u
#define SMOL_MAX_PATTERN 64u

enum smol_rule_field {
    SMOL_RULE_METHOD = 1,
    SMOL_RULE_D = 2,
    SMOL_RULE_RANK = 4,
    SMOL_RULE_DIST = 8,
    SMOL_RULE_NORMS = 16,
    SMOL_RULE_PARAM_TYPE = 32,
    SMOL_RULE_GAINS = 64,
    SMOL_RULE_BIAS = 128,
    SMOL_RULE_SPARSE = 256,
    SMOL_RULE_MATRIX_TYPE = 512,
};

struct smol_train_rule {
    char tensors[SMOL_MAX_PATTERN]; /* a name, in which * matches any text and ? one character */
    uint32_t sets;                  /* enum smol_rule_field: which of the following count */
    char method[20]; /* any; d, rank and matrix_type become its defaults, as do the gains of mask,
                        ternary and full */
    uint32_t d, rank;
    enum smol_dist dist;
    enum smol_source norms;
    enum smol_dtype param_type;
    bool gains, bias;
    double sparse;
    enum smol_dtype matrix_type;
};

/* What is learned of how a delta mixes its models (SPEC.md 16). */
enum smol_mix {
    SMOL_MIX_NONE,   /* nothing: their factors stay */
    SMOL_MIX_FILE,   /* the factors, one for each model */
    SMOL_MIX_MATRIX, /* these, and for each matrix what is added to them */
};

#define SMOL_ALL_ROWS UINT32_MAX

/* What trains and how. Filled in by smol_train_defaults(). */
struct smol_train_options {
    size_t struct_bytes; /* sizeof(struct smol_train_options), as smol(3) says */

    /* The model. */
    enum smol_source matrices; /* any */
    enum smol_source norms;    /* SMOL_NORM_FROZEN, _OWN or _STORED */
    enum smol_dist dist;
    enum smol_dtype embedding_type; /* of wte and wpe in the file */
    enum smol_dtype param_type;     /* of everything else there: F16, F32 or Q8_BLOCKS */
    bool gains, bias;               /* a factor and a bias for each output of a matrix */
    double sparse;       /* share of each row that a sparse term has parameters for, not beside
                            projections; 0: none */
    bool layer_gains;    /* a factor for each layer of shared projections */
    bool full;           /* every matrix trains, and is stored as matrix_type */
    bool uniform_alphas; /* start at 1 / sqrt(d) each, not at (1, 0, ...) */
    uint32_t d;          /* bases, if there are alphas; or parameters of a projection */
    uint32_t rank;       /* of the low-rank factors, 0 = none */
    uint32_t n_layers, n_heads, width, n_ff, context; /* n_ff 0: 4 x width */
    double gain;          /* multiplies every default sigma (SPEC.md 12) */
    double residual_gain; /* multiplies those of the two c_proj once more */
    double embedding_std, logit_scale, ln_epsilon;
    uint64_t seed; /* of the frozen weights, the start and the batches */
    uint32_t n_rules;
    struct smol_train_rule rules[SMOL_MAX_RULES]; /* where several match, the last one wins */

    /* The hyperparameters of training. */
    uint32_t batch, n_steps, warmup;
    uint32_t alpha_start; /* alphas stay as they are before this step, and warm up from it */
    double lr, alpha_lr;
    double min_lr_fraction;                  /* the cosine ends here */
    double beta1, beta2, weight_decay, clip; /* weight_decay: of `full`'s matrices; clip 0: none */
    double val_fraction;
    enum smol_order order;
    bool keep_best;     /* finish with the parameters that validated best, not the last ones */
    uint32_t n_threads; /* at most: quick steps take one where that is about as fast */
    enum smol_isa isa;  /* of projections, whose bits are the same; ARGUMENT if this machine lacks
                          it */
    bool recompute; /* keep less for the backward pass, and compute it again: a third slower, with
                       the same results */
    const struct smol_train_comm *comm; /* NULL: alone; its size divides batch. Must outlive the
                                           trainer */

    /* Of version 1.1. */
    enum smol_architecture architecture;
    uint16_t features;           /* enum smol_feature; 0 for GPT-2 */
    enum smol_dtype matrix_type; /* of stored matrices: as for embeddings */
    bool learn_logit_scale;      /* which then starts at logit_scale */
    double matrix_lr; /* of masks, and of stored matrices in units of what they begin with, sigma;
                         0: lr, as it is */
    double qat_start; /* share of the steps after which embeddings, stored matrices and parameters
                         are rounded in the forward pass to what the file will hold; 1: only at the
                         end. Masks and ternary rows always are */
    double dropout;   /* share of the embeddings' sums, and of what each sublayer adds, that a
                         step drops (Srivastava et al. 2014), to the nearest 1/256 */
    double teacher_weight; /* of teachers' predictions in what is to be predicted, 0..1 (Hinton et
                              al. 2015); 0: no teacher */
    uint64_t teachers;     /* smol_train_teachers() of them; 0: none */
    bool documents; /* windows are made of documents, as many as fit; a position sees nothing before
                       its document, which begins with the end of text and predicts it at its end.
                       The tokenizer must have one */

    /* Of version 1.2: a delta's. All but the last two are filled in by smol_train_on(). */
    uint32_t n_models;                   /* 0: no delta */
    uint32_t model_context, model_vocab; /* of the models; context may be shorter */
    uint64_t models;                     /* smol_train_models() of them */
    enum smol_mix mix;
    uint32_t embedding_rows; /* so many tokens, the most frequent ones of the text to train on, have
                                rows of the tables that learn; SMOL_ALL_ROWS: all */
};

/* warmup: a tenth of the steps, at most 100. */
#define SMOL_WARMUP_DEFAULT UINT32_MAX

/* The defaults of a method by name, in GPT-2's architecture: embed, alpha, alpha-global, lora,
 * nola, fastfood, fastfood-global, fourier, fourier-global, mask, ternary, full. struct_bytes:
 * sizeof *options, which goes into the structure. False for other names. */
bool smol_train_defaults(struct smol_train_options *options, size_t struct_bytes,
                         const char *method);

/* Goes on from a method's defaults to an architecture: SMOL_ARCH_SMOL with all features and the
 * hyperparameters that suit the method there (docs/methods.md). For deltas there is
 * smol_train_on(). */
void smol_train_use(struct smol_train_options *options, enum smol_architecture architecture);

/* The number by which options know the models that a delta changes and the factors that these begin
 * with, from the hashes of their files. A factor that is NaN is 1 / n. */
uint64_t smol_train_models(const struct smol_file_part *models, size_t n);
/* Goes on from a method's defaults to a delta of n models, 1..SMOL_MAX_MODELS: their shape and
 * context, and the hyperparameters that suit the method there. Errors: BASE if they do not fit each
 * other, or one is a delta. */
enum smol_status smol_train_on(struct smol_train_options *options,
                               const struct smol_file_part *models, size_t n,
                               struct smol_error *error);

/* The name of the method that options describe: one of those, or "mixed". */
const char *smol_train_method(const struct smol_train_options *options);

/* Adds a rule: a method for the tensors that match a pattern, or "METHOD:N" with its d (for lora,
 * its rank). ARGUMENT if there is no such method or there are too many rules. */
enum smol_status smol_train_rule(struct smol_train_options *options, const char *tensors,
                                 const char *method, struct smol_error *error);
/* The rules of a JSON text as docs/methods.md describes it, after those that there are.
 * TEXT or RANGE with the place if it is malformed. */
enum smol_status smol_train_rules(struct smol_train_options *options, const char *text,
                                  size_t size_bytes, struct smol_error *error);

/* ARGUMENT, with the rule, if options are out of range or contradict each other. */
enum smol_status smol_train_options_check(const struct smol_train_options *options,
                                          struct smol_error *error);

/* ARGUMENT, with the rule, if safetensors cannot hold what options train: that takes `full`,
 * GPT-2's architecture and stored norms. */
enum smol_status smol_train_safetensors_check(const struct smol_train_options *options,
                                              struct smol_error *error);

/* Size of the unsigned .smol file that a training with these options writes, whatever it learns,
 * with a card of card_bytes. tokenizer: that of the text, NULL: bytes. ARGUMENT, with the rule, if
 * the options contradict each other. */
enum smol_status smol_train_file_size(uint64_t *size_bytes,
                                      const struct smol_train_options *options,
                                      const struct smol_file *tokenizer, size_t card_bytes,
                                      struct smol_error *error);

struct smol_trainer;

/* A trainer over text, which must outlive it. ARGUMENT if the options contradict each other or the
 * text is too short; MEMORY. */
enum smol_status smol_trainer_create(struct smol_trainer **trainer,
                                     const struct smol_train_options *options, const uint8_t *text,
                                     size_t size_bytes, struct smol_error *error);
/* The same over a corpus, whose bytes must outlive it. What it sets apart for validation takes the
 * place of val_fraction. tokenizer: what it was encoded with, whose bytes must outlive the trainer
 * too and become part of the model; NULL: bytes. ARGUMENT also if the corpus was encoded with
 * another tokenizer. */
enum smol_status smol_trainer_create_corpus(struct smol_trainer **trainer,
                                            const struct smol_train_options *options,
                                            const struct smol_corpus *corpus,
                                            const struct smol_file *tokenizer,
                                            struct smol_error *error);
/* The same of a delta of the n models of the options (smol_train_on), whose tokenizer the corpus
 * was encoded with. Their numbers are read now; their bytes must outlive the trainer for the
 * tokenizer alone. Errors: BASE, ARGUMENT if they are not those of the options. */
enum smol_status smol_trainer_create_on(struct smol_trainer **trainer,
                                        const struct smol_train_options *options,
                                        const struct smol_corpus *corpus,
                                        const struct smol_file_part *models, size_t n,
                                        struct smol_error *error);
/* Accepts NULL. */
void smol_trainer_destroy(struct smol_trainer *trainer);

/* The number by which options know their teachers, from the hashes of their files; 0 for none. */
uint64_t smol_train_teachers(const struct smol_file *const *teachers, size_t n);
/* Has the n teachers of the options predict the training text, each reading it as one text (a model
 * without distances in windows that overlap by half), and keeps the mean of what they predict: 2 V
 * bytes a token. To be called before the first step; the teachers are no longer needed then.
 * progress, if not NULL, is called now and then, by any thread but one at a time; if it returns
 * false, teaching stops with CANCELLED. Errors: ARGUMENT if they are not those of the options, or
 * have another tokenizer than the text; MEMORY; NUMERIC. */
typedef bool smol_train_progress(void *context, uint64_t n_done, uint64_t n_tokens);
enum smol_status smol_trainer_teach(struct smol_trainer *trainer,
                                    const struct smol_file *const *teachers, size_t n,
                                    smol_train_progress *progress, void *context,
                                    struct smol_error *error);

const struct smol_config *smol_trainer_config(const struct smol_trainer *trainer);
/* Steps done, tokens to train on and, after them, to validate with, parameters in all. */
uint32_t smol_trainer_steps(const struct smol_trainer *trainer);
size_t smol_trainer_train_tokens(const struct smol_trainer *trainer);
size_t smol_trainer_val_tokens(const struct smol_trainer *trainer);
uint64_t smol_trainer_parameters(const struct smol_trainer *trainer);
/* Bytes that a trainer takes, all of them from its creation on: without the corpus and what BLAS
 * and the program itself take. */
uint64_t smol_trainer_memory(const struct smol_trainer *trainer);

/* One step of AdamW: its loss in nats before the step, the norm of its gradient before clipping,
 * the learning rates used. NUMERIC if the loss or the gradient is not finite; the step is then not
 * taken. IO if the other processes fail. */
struct smol_train_step {
    double loss, gradient_norm, lr, alpha_lr;
};
enum smol_status smol_trainer_step(struct smol_trainer *trainer, struct smol_train_step *step,
                                   struct smol_error *error);

/* Validation as in SPEC.md 11 with windows of the context. If keep_best is set, the parameters are
 * kept if they are the best so far. */
struct smol_train_score {
    double nats_per_token, bits_per_byte;
    uint64_t n_tokens; /* predicted */
};
enum smol_status smol_trainer_evaluate(struct smol_trainer *trainer, struct smol_train_score *score,
                                       struct smol_error *error);

/* Rounds all parameters, with keep_best the best ones, to what the file will hold. No step may
 * follow. NUMERIC if one is beyond its type's range. */
enum smol_status smol_trainer_finish(struct smol_trainer *trainer, struct smol_error *error);

/* Ends a training of `full` and rounds nothing, for smol_trainer_safetensors_to; ARGUMENT if
 * smol_train_safetensors_check would refuse its options. */
enum smol_status smol_trainer_finish_exact(struct smol_trainer *trainer, struct smol_error *error);

/* The numbers of the history of a finished trainer, whose features have one: rounded to their type,
 * and so in numbers then, too. ARGUMENT if there is none, or it was finished by
 * smol_trainer_finish_exact; NUMERIC as above. */
enum smol_status smol_trainer_set_history(struct smol_trainer *trainer,
                                          float numbers[SMOL_HISTORY_LENGTHS],
                                          struct smol_error *error);

/* The unsigned .smol file of a finished trainer, with a card if card_bytes > 0.
 * *bytes is to be released with free(), and has room for SMOL_SIGNATURE_BLOCK_BYTES more. ARGUMENT
 * if it was finished by smol_trainer_finish_exact. */
enum smol_status smol_trainer_model(uint8_t **bytes, size_t *size_bytes,
                                    const struct smol_trainer *trainer, const char *card,
                                    size_t card_bytes, struct smol_error *error);

/* The weights of one finished by smol_trainer_finish_exact, as safetensors with Hugging Face's
 * names and shapes, biases zero if it has none; appended to a writer, a piece of a tensor at a
 * time, so that it does not take as much memory as the file. card: put into the metadata as
 * "smol.card" if not NULL. Errors: IO too; the writer must then be aborted. */
enum smol_status smol_trainer_safetensors_to(uint64_t *size_bytes, struct smol_writer *writer,
                                             const struct smol_trainer *trainer, const char *card,
                                             struct smol_error *error);

/* Everything that a trainer needs to continue as if it had never stopped, as a safetensors file.
 * *bytes is to be released with free(). */
enum smol_status smol_trainer_save(uint8_t **bytes, size_t *size_bytes,
                                   const struct smol_trainer *trainer, struct smol_error *error);
/* The same appended to a writer, as above. */
enum smol_status smol_trainer_save_to(uint64_t *size_bytes, struct smol_writer *writer,
                                      const struct smol_trainer *trainer, struct smol_error *error);
/* Restores such a state. ARGUMENT if it belongs to other options or another text; otherwise the
 * errors of a malformed file. After a failure the trainer can only be destroyed. */
enum smol_status smol_trainer_load(struct smol_trainer *trainer, const uint8_t *bytes,
                                   size_t size_bytes, struct smol_error *error);
/* The options that a state was made with; n_threads is 1, isa the best.
 * struct_bytes: sizeof *options. */
enum smol_status smol_checkpoint_options(struct smol_train_options *options, size_t struct_bytes,
                                         const uint8_t *bytes, size_t size_bytes,
                                         struct smol_error *error);

/* Options as a JSON object on one line, for free(); NULL if there is no memory. n_threads, isa,
 * recompute and comm, which are of the machine, are left out; warmup is resolved. */
char *smol_train_options_json(const struct smol_train_options *options);

/* OpenBLAS chooses its kernels from a list of processors, and uses the oldest for one that it does
 * not know. If that has happened, the value that the environment variable OPENBLAS_CORETYPE should
 * have when the program starts; else NULL. */
const char *smol_train_blas_override(void);

SMOL_END_DECLS
#endif
