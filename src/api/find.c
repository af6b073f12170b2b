/* Models in folders, found by the hash that they state. SPEC.md 2 and 16. */
#include "base/bytes.h"
#include "base/folder.h"
#include "format/format.h"

#include <smol/io.h>

#include <stdlib.h>
#include <string.h>

#define SUFFIX ".smol"
#define BODY_SIZE_AT 16u

/* Whether the trailer of a file is where its header says, and has that hash. */
static bool states_hash(const void *hash, const struct smol_folder_file *file, uint64_t size_bytes)
{
    uint8_t header[HEADER_BYTES], stated[SMOL_HASH_BYTES];
    uint64_t body;

    if (!smol_folder_read(file, header, sizeof header, 0) ||
        memcmp(header, smol_magic, sizeof smol_magic) != 0)
        return false;
    body = smol_le64(header + BODY_SIZE_AT);
    if (body > size_bytes || (size_bytes - body != SMOL_HASH_BYTES &&
                              size_bytes - body != SMOL_HASH_BYTES + SMOL_SIGNATURE_BLOCK_BYTES))
        return false;
    return smol_folder_read(file, stated, sizeof stated, body) &&
           memcmp(stated, hash, sizeof stated) == 0;
}

char *smol_bases_folder(void)
{
    const char *named = getenv("SMOL_BASES"), *data = getenv("XDG_DATA_HOME"),
               *home = getenv("HOME");

    if (named)
        return strdup(named);
    if (data && data[0] == '/') /* the XDG specification has others ignored */
        return smol_path_join(data, "smol/bases");
    return home && home[0] == '/' ? smol_path_join(home, ".local/share/smol/bases") : NULL;
}

/* The folder that a path lies in, for free(). */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const size_t n = slash ? (size_t)(slash - path) : 0;
    char *folder = malloc(n + 2);

    if (folder) {
        memcpy(folder, path, n);
        strcpy(folder + n, n ? "" : slash ? "/" : ".");
    }
    return folder;
}

char *smol_part_find(const uint8_t hash[SMOL_HASH_BYTES], const char *bases_dir, const char *delta)
{
    char *bases = bases_dir ? strdup(bases_dir) : smol_bases_folder(), *own = folder_of(delta),
         *path = bases ? smol_folder_find(bases, SUFFIX, states_hash, hash) : NULL;

    if (!path && own)
        path = smol_folder_find(own, SUFFIX, states_hash, hash);
    free(bases);
    free(own);
    return path;
}
