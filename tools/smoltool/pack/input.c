/* What is to be packed or unpacked: an argument, a file or the standard input. */
#include "smoltool/pack/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether it reads like the name of a file: one word, with a '.' or '/' before a letter. */
static bool looks_like_name(const char *text)
{
    for (const char *p = text; *p; p++)
        if (*p <= ' ')
            return false;
    for (const char *p = text; *p; p++)
        if ((*p == '.' || *p == '/') &&
            ((p[1] >= 'a' && p[1] <= 'z') || (p[1] >= 'A' && p[1] <= 'Z')))
            return true;
    return false;
}

static int take_argument(struct pack_input *input, const char *text)
{
    const size_t n = strlen(text);

    if (looks_like_name(text))
        cli_tell(text, "there is no such file, so this is the text itself");
    if (!(input->bytes = malloc(n + 1)))
        return cli_no_memory(NULL);
    memcpy(input->bytes, text, n + 1);
    input->n = n;
    return 0;
}

/* Whether what went wrong says that there is no such file, and can be none. */
static bool is_no_name(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG;
}

int pack_input_read(struct pack_input *input, const char *argument, bool may_be_text)
{
    struct stat s;

    *input = (struct pack_input){NULL, NULL, 0};
    if (!argument || strcmp(argument, "-") == 0)
        return cli_read_all(&input->bytes, &input->n, STDIN_FILENO)
                   ? 0
                   : cli_fail_errno("standard input");
    if (may_be_text && stat(argument, &s) != 0 && is_no_name(errno))
        return take_argument(input, argument);
    input->name = argument;
    return cli_read_file(&input->bytes, &input->n, argument);
}
