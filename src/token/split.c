/* See split.h. PCRE2 sees well-formed UTF-8 alone, so that it need not check it, and stray bytes
 * are beside it. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "token/split.h"
#include "base/error.h"
#include "base/utf8.h"

#include <pcre2.h>
#include <stdlib.h>

/* PCRE2's own \s includes U+180E, which has not been white space since Unicode 6.3. */
#define WHITE "\\p{Z}\\t-\\r\\x{85}"
static const char pattern[] = "'(?:s|t|re|ve|m|ll|d)| ?\\p{L}+| ?\\p{N}+| ?[^\\p{L}\\p{N}" WHITE
                              "]+|[" WHITE "]+(?![^" WHITE "])|[" WHITE "]+";

struct smol_splitter {
    pcre2_code *code;
    pcre2_match_data *match;
};

void smol_splitter_destroy(struct smol_splitter *s)
{
    if (!s)
        return;
    pcre2_match_data_free(s->match);
    pcre2_code_free(s->code);
    free(s);
}

enum smol_status smol_splitter_create(struct smol_splitter **splitter, struct smol_error *error)
{
    struct smol_splitter *s = calloc(1, sizeof *s);
    size_t at;
    int code;

    if (s)
        s->code = pcre2_compile((PCRE2_SPTR)pattern, sizeof pattern - 1, PCRE2_UTF | PCRE2_ANCHORED,
                                &code, &at, NULL);
    if (s && s->code)
        s->match = pcre2_match_data_create_from_pattern(s->code, NULL);
    if (!s || !s->match) {
        smol_splitter_destroy(s);
        return smol_fail_memory(error);
    }
    /* Where there is no compiler for this machine, PCRE2 interprets. */
    pcre2_jit_compile(s->code, PCRE2_JIT_COMPLETE);
    *splitter = s;
    return SMOL_OK;
}

enum smol_status smol_next_piece(struct smol_span *piece, struct smol_pieces *p,
                                 struct smol_error *error)
{
    const struct smol_span text = p->text;
    size_t end;

    if (p->at == p->run_end && p->at < text.size_bytes) {
        p->run = p->at;
        p->run_end += smol_utf8_run(&p->is_text, text.data + p->at, text.size_bytes - p->at);
    }
    end = p->run_end;
    if (p->at < end && p->is_text) {
        const int n = pcre2_match(p->splitter->code, text.data + p->run, p->run_end - p->run,
                                  p->at - p->run, PCRE2_NO_UTF_CHECK, p->splitter->match, NULL);
        if (n < 1)
            return smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET,
                             "text cannot be split (PCRE2's error %d)", n);
        end = p->run + pcre2_get_ovector_pointer(p->splitter->match)[1];
    }
    *piece = (struct smol_span){text.data + p->at, end - p->at};
    p->at = end;
    return SMOL_OK;
}
