/* Tokens in GPT-2's letters, config.json, and the files that a tokenizer is loaded from. */
#include "cli_json.h"
#include "export.h"

#include <smol/tokenizer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that print stand for themselves, the others for U+0100 upward in their order. */
static bool prints(unsigned byte)
{
	return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

static unsigned letter(uint8_t byte)
{
	unsigned n = 0x100;

	if (prints(byte))
		return byte;
	for (unsigned b = 0; b < byte; b++)
		n += !prints(b);
	return n;
}

/* UTF-8 of a letter; all are below U+0800. */
static char *put_letter(char *text, uint8_t byte)
{
	const unsigned code = letter(byte);

	if (code < 0x80) {
		*text++ = (char)code;
	} else {
		*text++ = (char)(0xc0 | code >> 6);
		*text++ = (char)(0x80 | (code & 0x3f));
	}
	return text;
}

bool export_token_is_used(const struct smol_file *file, uint32_t token)
{
	return smol_token_bytes(file, token).size_bytes > 0;
}

char *export_token(const struct smol_file *file, uint32_t token)
{
	const struct smol_span bytes = smol_token_bytes(file, token);
	char *text = malloc(2 * bytes.size_bytes + sizeof "[PAD4294967295]"), *end = text;

	if (!text)
		return NULL;
	if (bytes.size_bytes == 0) {
		snprintf(text, sizeof "[PAD4294967295]", "[PAD%u]", (unsigned)token);
		return text;
	}
	for (size_t i = 0; i < bytes.size_bytes; i++)
		end = put_letter(end, bytes.data[i]);
	*end = '\0';
	return text;
}

uint32_t export_bos(const struct smol_file *file)
{
	return smol_start_token(file);
}

uint32_t export_eos(const struct smol_file *file)
{
	(void)file;
	return 0;
}

static json_t *config_json(const struct smol_file *file)
{
	const struct smol_config *c = &file->config;

	return json_pack(
		"{s:[s], s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:f, s:i, s:i, s:b, s:b, s:s}",
		"architectures", "GPT2LMHeadModel", "model_type", "gpt2", "vocab_size", (int)c->vocab,
		"n_positions", (int)c->context, "n_ctx", (int)c->context, "n_embd", (int)c->width,
		"n_layer", (int)c->n_layers, "n_head", (int)c->n_heads, "n_inner", (int)c->n_ff,
		"activation_function", "gelu_new", "layer_norm_epsilon", (double)c->ln_epsilon,
		"bos_token_id", (int)export_bos(file), "eos_token_id", (int)export_eos(file),
		"tie_word_embeddings", 1, "scale_attn_weights", 1, "torch_dtype", "float32");
}

/* Letters to numbers, for the tokens that stand for bytes. */
static json_t *vocab_json(const struct smol_file *file)
{
	json_t *vocab = json_object();

	for (uint32_t i = 0; vocab && i < file->config.vocab; i++) {
		char *text;

		if (!export_token_is_used(file, i))
			continue;
		text = export_token(file, i);
		if (!text || json_object_set_new(vocab, text, json_integer(i))) {
			json_decref(vocab);
			vocab = NULL;
		}
		free(text);
	}
	return vocab;
}

/* A model of Hugging Face's tokenizers: byte letters, no merges. vocab is taken over. */
static json_t *tokenizer_json(json_t *vocab)
{
	json_t *level = json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0,
	                          "trim_offsets", 1, "use_regex", 0);
	json_t *json =
		json_pack("{s:s, s:n, s:n, s:[], s:n, s:O, s:O, s:O, s:{s:s, s:n, s:n, s:s, s:s, s:b, "
	                  "s:o, s:[]}}",
	                  "version", "1.0", "truncation", "padding", "added_tokens", "normalizer",
	                  "pre_tokenizer", level, "post_processor", level, "decoder", level, "model",
	                  "type", "BPE", "dropout", "unk_token", "continuing_subword_prefix", "",
	                  "end_of_word_suffix", "", "fuse_unk", 0, "vocab", vocab, "merges");

	json_decref(level);
	return json;
}

static json_t *tokenizer_config_json(const struct smol_file *file)
{
	return json_pack("{s:s, s:i, s:b, s:b}", "tokenizer_class", "PreTrainedTokenizerFast",
	                 "model_max_length", (int)file->config.context, "add_prefix_space", 0,
	                 "clean_up_tokenization_spaces", 0);
}

static enum smol_status put_text(const struct export_job *job, const char *name, const char *text,
                                 struct smol_error *error)
{
	char *path = export_path(job->output, name);
	enum smol_status status;

	if (path && text)
		status = smol_write_file(path, text, strlen(text), 0644, error);
	else
		status = export_fail(error, SMOL_E_MEMORY, "out of memory");
	free(path);
	return status;
}

/* Takes json over. */
static enum smol_status put_json(const struct export_job *job, const char *name, json_t *json,
                                 struct smol_error *error)
{
	char *text = json ? cli_json_text(json, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
	const enum smol_status status = put_text(job, name, text, error);

	free(text);
	json_decref(json);
	return status;
}

enum smol_status export_small_files(const struct export_job *job, struct smol_error *error)
{
	const struct smol_file *file = job->file;
	enum smol_status status = put_json(job, "config.json", config_json(file), error);

	if (!status)
		status = put_json(job, "vocab.json", vocab_json(file), error);
	if (!status)
		status = put_text(job, "merges.txt", "#version: 0.2\n", error);
	if (!status)
		status = put_json(job, "tokenizer.json", tokenizer_json(vocab_json(file)), error);
	if (!status)
		status = put_json(job, "tokenizer_config.json", tokenizer_config_json(file), error);
	return status;
}
