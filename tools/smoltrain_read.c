/* See smoltrain_read.h. */
#include "smoltrain_read.h"
#include "smoltrain_signals.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define BLOCK_BYTES ((size_t)1 << 16)
#define LINE_BYTES ((size_t)1 << 30) /* the longest line of JSON */

/* A file being read: its bytes, decompressed, and the line that they make up. */
struct stream {
	int fd;
	gzFile gz; /* NULL if it is not compressed; owns fd then */
	struct smol_corpus_writer *writer;
	struct smol_error *error;
	bool at_fault;
	uint64_t text_bytes;
	char *line;
	size_t line_bytes, line_capacity;
	unsigned long n_lines;
};

static bool ends_with(const char *path, const char *end, size_t *cut)
{
	const size_t n = strlen(path) - *cut, m = strlen(end);

	if (n <= m || strncmp(path + n - m, end, m) != 0)
		return false;
	*cut += m;
	return true;
}

static enum smol_status fail(struct stream *s, enum smol_status code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static enum smol_status fail(struct stream *s, enum smol_status code, const char *format, ...)
{
	va_list arguments;

	s->at_fault = true;
	*s->error = (struct smol_error){.code = code, .offset = SMOL_NO_OFFSET};
	va_start(arguments, format);
	vsnprintf(s->error->text, sizeof s->error->text, format, arguments);
	va_end(arguments);
	return code;
}

static enum smol_status read_gz(size_t *n, struct stream *s, char block[BLOCK_BYTES])
{
	const int got = gzread(s->gz, block, BLOCK_BYTES);
	int code = Z_OK;
	const char *why = gzerror(s->gz, &code);

	if (got < 0 || (got == 0 && code != Z_OK)) /* for a file cut short it says so at the end only */
		return fail(s, SMOL_E_IO, "cannot decompress: %s",
		            code == Z_ERRNO ? strerror(errno) : why);
	if (gzdirect(s->gz) != 0)
		return fail(s, SMOL_E_IO, "not what gzip writes");
	*n = (size_t)got;
	return SMOL_OK;
}

/* The next bytes; *n = 0 at the end. */
static enum smol_status read_block(size_t *n, struct stream *s, char block[BLOCK_BYTES])
{
	ssize_t got;

	if (train_stop_asked())
		return fail(s, SMOL_E_CANCELLED, "stopped while it was being read");
	if (s->gz != NULL)
		return read_gz(n, s, block);
	do
		got = read(s->fd, block, BLOCK_BYTES);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return fail(s, SMOL_E_IO, "cannot read: %s", strerror(errno));
	*n = (size_t)got;
	return SMOL_OK;
}

static enum smol_status add_text(struct stream *s, const char *text, size_t n)
{
	s->text_bytes += n;
	return smol_corpus_writer_text(s->writer, (const uint8_t *)text, n, s->error);
}

/* One line: the document in its field "text". Lines of white space count as no document. */
static enum smol_status add_line(struct stream *s, const char *line, size_t n)
{
	enum smol_status status;
	json_error_t why;
	json_t *json, *text;

	s->n_lines++;
	if (strspn(line, " \t\r") == n)
		return SMOL_OK;
	json = json_loadb(line, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
	text = json_object_get(json, "text");
	if (json == NULL) {
		status = fail(s, SMOL_E_TEXT, "line %lu: not JSON: %s", s->n_lines, why.text);
	} else if (!json_is_string(text)) {
		status = fail(s, SMOL_E_TEXT, "line %lu: has no field \"text\" that is a string",
		              s->n_lines);
	} else {
		status = smol_corpus_writer_document(s->writer, s->error);
		if (status == SMOL_OK)
			status = add_text(s, json_string_value(text), json_string_length(text));
	}
	json_decref(json);
	return status;
}

/* Adds to the line that has begun; it ends in a zero that is not counted. */
static enum smol_status keep(struct stream *s, const char *bytes, size_t n)
{
	if (n > LINE_BYTES - s->line_bytes)
		return fail(s, SMOL_E_RANGE, "line %lu: longer than 1 GiB", s->n_lines + 1);
	if (s->line_bytes + n + 1 > s->line_capacity) {
		const size_t capacity = 2 * (s->line_bytes + n + 1);
		char *larger = realloc(s->line, capacity);

		if (larger == NULL)
			return fail(s, SMOL_E_MEMORY, "line %lu: no memory for it", s->n_lines + 1);
		s->line = larger;
		s->line_capacity = capacity;
	}
	memcpy(s->line + s->line_bytes, bytes, n);
	s->line_bytes += n;
	s->line[s->line_bytes] = '\0';
	return SMOL_OK;
}

static enum smol_status add_json(struct stream *s, const char *bytes, size_t n)
{
	enum smol_status status = SMOL_OK;

	while (status == SMOL_OK && n > 0) {
		const char *end = memchr(bytes, '\n', n);
		const size_t part = end != NULL ? (size_t)(end - bytes) : n;

		status = keep(s, bytes, part);
		if (status != SMOL_OK || end == NULL)
			return status;
		status = add_line(s, s->line, s->line_bytes);
		s->line_bytes = 0;
		bytes += part + 1;
		n -= part + 1;
	}
	return status;
}

static enum smol_status read_stream(struct stream *s, bool json)
{
	enum smol_status status = SMOL_OK;
	char block[BLOCK_BYTES];
	size_t n = 0;

	if (!json)
		status = smol_corpus_writer_document(s->writer, s->error);
	while (status == SMOL_OK) {
		status = read_block(&n, s, block);
		if (status != SMOL_OK || n == 0)
			break;
		status = json ? add_json(s, block, n) : add_text(s, block, n);
	}
	if (status == SMOL_OK && s->line_bytes > 0)
		status = add_line(s, s->line, s->line_bytes);
	if (status == SMOL_OK && s->text_bytes == 0)
		status = fail(s, SMOL_E_TEXT, "holds no text");
	return status;
}

static enum smol_status open_stream(struct stream *s, const char *path, bool compressed)
{
	s->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0)
		return fail(s, SMOL_E_IO, "cannot read: %s", strerror(errno));
	if (!compressed)
		return SMOL_OK;
	s->gz = gzdopen(s->fd, "rb");
	if (s->gz == NULL)
		return fail(s, SMOL_E_MEMORY, "no memory to decompress it");
	gzbuffer(s->gz, BLOCK_BYTES);
	return SMOL_OK;
}

static void close_stream(struct stream *s)
{
	if (s->gz != NULL)
		gzclose_r(s->gz);
	else if (s->fd >= 0)
		close(s->fd);
	free(s->line);
}

static void note(struct smol_corpus_source *source, const struct stat *s)
{
	source->size_bytes = (uint64_t)s->st_size;
	source->seconds = (uint64_t)s->st_mtim.tv_sec;
	source->nanoseconds = (uint64_t)s->st_mtim.tv_nsec;
}

enum smol_status train_source_examine(struct smol_corpus_source *source, const char *path,
                                      struct smol_error *error)
{
	struct stream s = {.error = error};
	struct stat found;

	if (stat(path, &found) != 0)
		return fail(&s, SMOL_E_IO, "cannot read: %s", strerror(errno));
	note(source, &found);
	return SMOL_OK;
}

/* Text that was written to meanwhile is a mixture of two, and no cache could tell. */
static enum smol_status check_unchanged(struct stream *s, const struct stat *before)
{
	struct stat after;

	if (fstat(s->fd, &after) != 0)
		return fail(s, SMOL_E_IO, "cannot examine: %s", strerror(errno));
	if (S_ISREG(after.st_mode) &&
	    (after.st_size != before->st_size || after.st_mtim.tv_sec != before->st_mtim.tv_sec ||
	     after.st_mtim.tv_nsec != before->st_mtim.tv_nsec))
		return fail(s, SMOL_E_CHANGED, "changed while it was being read");
	return SMOL_OK;
}

enum smol_status train_source_read(bool *at_fault, struct smol_corpus_writer *writer, const char *path,
                                   struct smol_error *error)
{
	struct stream s = {.fd = -1, .writer = writer, .error = error};
	size_t cut = 0;
	const bool compressed = ends_with(path, ".gz", &cut);
	const bool json = ends_with(path, ".json", &cut) || ends_with(path, ".jsonl", &cut);
	enum smol_status status = open_stream(&s, path, compressed);
	struct stat before;

	if (status == SMOL_OK && fstat(s.fd, &before) != 0)
		status = fail(&s, SMOL_E_IO, "cannot examine: %s", strerror(errno));
	if (status == SMOL_OK)
		status = read_stream(&s, json);
	if (status == SMOL_OK)
		status = check_unchanged(&s, &before);
	close_stream(&s);
	*at_fault = s.at_fault;
	return status;
}
