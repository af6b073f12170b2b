/* Where a writer writes: through links, over files of all modes and owners, into pipes and devices;
 * and streams that are read. */
#define _DEFAULT_SOURCE /* mknod, setgroups */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <smol/io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = "/tmp/smol-test-XXXXXX";

static void make_directory(void)
{
    cr_assert_not_null(mkdtemp(directory));
    cr_assert_eq(chdir(directory), 0);
}

static void remove_directory(void)
{
    char command[64];

    if (getuid() == 0 && geteuid() != 0)
        cr_assert_eq(seteuid(0), 0);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    cr_assert_eq(system(command), 0);
}

TestSuite(outputs, .init = make_directory, .fini = remove_directory);

static void put(const char *path, const char *text, mode_t mode)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    cr_assert_eq(fchmod(fd, mode), 0);
    close(fd);
}

static struct stat about(const char *path)
{
    struct stat s;

    cr_assert_eq(lstat(path, &s), 0, "%s", path);
    return s;
}

static bool holds(const char *path, const char *text)
{
    struct smol_mapping m;
    bool same;

    cr_assert_eq(smol_mapping_open(&m, path, NULL), SMOL_OK, "%s", path);
    same = m.bytes.size_bytes == strlen(text) && memcmp(m.bytes.data, text, strlen(text)) == 0;
    smol_mapping_close(&m);
    return same;
}

static enum smol_status over(const char *path, unsigned mode)
{
    struct smol_error error;

    return smol_write_file(path, "new", 3, mode, &error);
}

/* ---- links ---- */

Test(outputs, what_links_lead_to_is_replaced)
{
    char whole[64];

    cr_assert_eq(mkdir("d", 0755), 0);
    put("d/file", "old", 0644);
    snprintf(whole, sizeof whole, "%s/d/file", directory);
    cr_assert_eq(symlink("d/file", "near") | symlink(whole, "far") | symlink("../near", "d/chain"),
                 0);
    for (const char *const *name = (const char *const[]){"near", "far", "d/chain", NULL}; *name;
         name++) {
        put("d/file", "old", 0644);
        cr_assert_eq(over(*name, 0666), SMOL_OK);
        cr_assert(S_ISLNK(about(*name).st_mode), "%s", *name);
        cr_assert(S_ISREG(about("d/file").st_mode) && holds("d/file", "new"));
    }
}

Test(outputs, what_a_dangling_link_leads_to_is_made)
{
    struct smol_error error;

    cr_assert_eq(mkdir("d", 0755), 0);
    cr_assert_eq(symlink("d/later", "link") | symlink("none/later", "nowhere"), 0);
    cr_assert_eq(smol_writer_check("link", true, &error), SMOL_OK);
    cr_assert_neq(access("d/later", F_OK), 0);
    cr_assert_eq(over("link", 0666), SMOL_OK);
    cr_assert(S_ISLNK(about("link").st_mode) && holds("d/later", "new"));
    cr_assert_eq(smol_writer_check("nowhere", true, &error), SMOL_E_IO);
    cr_assert_eq(over("nowhere", 0666), SMOL_E_IO);
    cr_assert(S_ISLNK(about("nowhere").st_mode));
}

Test(outputs, links_without_an_end_are_refused)
{
    struct smol_error error;

    cr_assert_eq(symlink("b", "a") | symlink("a", "b") | symlink("self", "self"), 0);
    cr_assert_eq(smol_write_file("a", "x", 1, 0666, &error), SMOL_E_IO);
    cr_assert(strstr(error.text, "symbolic links"), "%s", error.text);
    cr_assert_eq(over("self", 0666), SMOL_E_IO);
    cr_assert(S_ISLNK(about("a").st_mode) && S_ISLNK(about("self").st_mode));
}

Test(outputs, leftovers_are_where_the_link_leads)
{
    cr_assert_eq(mkdir("d", 0755), 0);
    cr_assert_eq(symlink("d/file", "link"), 0);
    put("d/file.tmp-abcdef", "", 0600);
    smol_remove_leftovers("link");
    cr_assert_neq(access("d/file.tmp-abcdef", F_OK), 0);
}

/* 255 bytes, of which the temporary file takes 11. */
Test(outputs, names_may_be_as_long_as_the_system_has_them)
{
    char name[256], left[256];

    memset(name, 'n', 255);
    name[255] = '\0';
    cr_assert_eq(over(name, 0666), SMOL_OK);
    cr_assert_eq(over(name, 0666), SMOL_OK);
    cr_assert(holds(name, "new"));
    memcpy(left, name, 244);
    memcpy(left + 244, ".tmp-abcdef", 12);
    put(left, "", 0600);
    smol_remove_leftovers(name);
    cr_assert_neq(access(left, F_OK), 0);
}

Test(outputs, other_names_keep_the_old_contents)
{
    put("one", "old", 0644);
    cr_assert_eq(link("one", "other"), 0);
    cr_assert_eq(over("one", 0666), SMOL_OK);
    cr_assert(holds("one", "new") && holds("other", "old"));
}

/* ---- modes and owners ---- */

Test(outputs, a_new_file_has_what_the_umask_leaves)
{
    static const mode_t masks[] = {0, 022, 027, 077};

    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        umask(masks[i]);
        cr_assert_eq(over("file", 0666), SMOL_OK);
        cr_assert_eq(about("file").st_mode & 07777, 0666 & ~masks[i]);
        cr_assert_eq(over("secret", 0600), SMOL_OK);
        cr_assert_eq(about("secret").st_mode & 07777, 0600);
        unlink("file");
        unlink("secret");
    }
}

Test(outputs, a_file_keeps_its_mode)
{
    static const struct {
        mode_t before, after;
    } modes[] = {{0600, 0600}, {0640, 0640},  {0666, 0666},
                 {0751, 0751}, {06755, 0755}, {01644, 0644}};

    umask(022);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        put("file", "old", modes[i].before);
        cr_assert_eq(over("file", 0666), SMOL_OK);
        cr_assert_eq(about("file").st_mode & 07777, modes[i].after, "%o", modes[i].before);
        cr_assert_eq(over("file", 0600), SMOL_OK);
        cr_assert_eq(about("file").st_mode & 07777, 0600, "a secret");
    }
}

static bool is_root(void)
{
    if (geteuid() == 0)
        return true;
    cr_skip_test("owners can be given by root alone");
    return false;
}

static void become(uid_t user, gid_t group)
{
    cr_assert_eq(setgroups(0, NULL) | setegid(group) | seteuid(user), 0);
}

static void own(const char *path, uid_t user, gid_t group, mode_t mode)
{
    put(path, "old", mode);
    cr_assert_eq(chown(path, user, group) | chmod(path, mode), 0);
}

Test(outputs, root_keeps_owner_and_group)
{
    if (!is_root())
        return;
    own("file", 1234, 2345, 0640);
    cr_assert_eq(over("file", 0666), SMOL_OK);
    cr_assert_eq(about("file").st_uid, 1234);
    cr_assert_eq(about("file").st_gid, 2345);
    cr_assert_eq(about("file").st_mode & 07777, 0640);
}

/* Who may write, but not give away: the group stays if it is one's own; else it may do no more than
 * all others. */
Test(outputs, what_cannot_be_kept_gets_no_more_rights)
{
    if (!is_root())
        return;
    cr_assert_eq(chmod(".", 0777), 0);
    own("ours", 1234, 2345, 0664);
    own("theirs", 1234, 2346, 0676);
    own("private", 1234, 2346, 0672);
    become(1000, 2345);
    cr_assert_eq(over("ours", 0666) | over("theirs", 0666) | over("private", 0666), SMOL_OK);
    cr_assert(about("ours").st_uid == 1000 && about("ours").st_gid == 2345);
    cr_assert_eq(about("ours").st_mode & 07777, 0664);
    cr_assert(about("theirs").st_uid == 1000 && about("theirs").st_gid == 2345);
    cr_assert_eq(about("theirs").st_mode & 07777, 0666);
    cr_assert_eq(about("private").st_mode & 07777, 0622);
}

Test(outputs, a_file_that_may_not_be_written_is_not_replaced)
{
    struct smol_error error;

    if (!is_root())
        return;
    cr_assert_eq(chmod(".", 0777), 0);
    own("file", 1000, 1000, 0444);
    cr_assert_eq(over("file", 0666), SMOL_OK, "root may");
    cr_assert_eq(about("file").st_mode & 07777, 0444);
    become(1000, 1000);
    cr_assert_eq(smol_write_file("file", "other", 5, 0666, &error), SMOL_E_IO);
    cr_assert(strstr(error.text, "Permission denied"), "%s", error.text);
    cr_assert_eq(smol_writer_check("file", false, &error), SMOL_E_IO);
    cr_assert(holds("file", "new"));
}

Test(outputs, a_folder_that_takes_no_files_is_told_before)
{
    struct smol_error error;

    if (!is_root())
        return;
    become(1000, 1000);
    cr_assert_eq(smol_writer_check("/file", true, &error), SMOL_E_IO);
    cr_assert(strstr(error.text, "Permission denied"), "%s", error.text);
}

/* ---- what is no file ---- */

/* Writes to a pipe, a device or a descriptor; it must be one still. */
static void stream_into(const char *path)
{
    struct smol_writer *w;
    struct smol_error error;

    cr_assert_eq(smol_writer_check(path, false, &error), SMOL_OK);
    cr_assert_eq(smol_writer_check(path, true, &error), SMOL_E_IO);
    cr_assert_eq(smol_writer_open(&w, path, 0666, &error), SMOL_OK);
    cr_assert_eq(smol_writer_append(w, "ab", 2, &error), SMOL_OK);
    cr_assert_eq(smol_writer_rewrite(w, 0, "c", 1, &error), SMOL_E_IO);
    cr_assert_eq(smol_writer_append(w, "c", 1, &error), SMOL_OK);
    cr_assert_eq(smol_writer_commit(w, &error), SMOL_OK);
    cr_assert_eq(smol_writer_open(&w, path, 0666, &error), SMOL_OK);
    smol_writer_abort(w);
    smol_remove_leftovers(path);
}

Test(outputs, a_named_pipe_is_written_to)
{
    char text[8] = "";
    int fd;

    cr_assert_eq(mkfifo("pipe", 0600) | symlink("pipe", "link"), 0);
    fd = open("pipe", O_RDONLY | O_NONBLOCK);
    stream_into("pipe");
    cr_assert_eq(read(fd, text, sizeof text), 3);
    cr_assert_str_eq(text, "abc");
    stream_into("link");
    cr_assert_eq(read(fd, text, sizeof text), 3);
    cr_assert(S_ISFIFO(about("pipe").st_mode) && S_ISLNK(about("link").st_mode));
}

Test(outputs, a_device_stays_one)
{
    if (mknod("null", S_IFCHR | 0666, makedev(1, 3)) != 0)
        cr_skip_test("a device can be made by root alone");
    stream_into("null");
    cr_assert(S_ISCHR(about("null").st_mode));
}

/* As a shell's >> has it: behind what is there, into the file that is open, whatever its name. */
Test(outputs, descriptors_are_written_to)
{
    const int fd = open("file", O_RDWR | O_CREAT | O_APPEND, 0600);
    char path[32];

    cr_assert_eq(write(fd, "old", 3), 3);
    snprintf(path, sizeof path, "/dev/fd/%d", fd);
    stream_into(path);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    cr_assert_eq(symlink(path, "link"), 0);
    stream_into("link");
    cr_assert(holds("file", "oldabcabc"));
    cr_assert_eq(over("/dev/fd/999", 0666), SMOL_E_IO);
}

Test(outputs, sockets_and_directories_are_refused)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    struct smol_error error;

    cr_assert_eq(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(mkdir("d", 0755) | symlink("d", "link"), 0);
    cr_assert_eq(smol_write_file("socket", "x", 1, 0666, &error), SMOL_E_IO);
    cr_assert_str_eq(error.text, "cannot write: it is a socket");
    for (const char *const *name = (const char *const[]){"d", "d/", "link", ".", "/", NULL}; *name;
         name++) {
        cr_assert_eq(smol_write_file(*name, "x", 1, 0666, &error), SMOL_E_IO);
        cr_assert_str_eq(error.text, "cannot write: it is a directory");
    }
    cr_assert_eq(over("", 0666), SMOL_E_IO);
    cr_assert_eq(over("none/", 0666), SMOL_E_IO);
    cr_assert(S_ISSOCK(about("socket").st_mode));
}

/* ---- streams as input ---- */

/* A child that writes n bytes into a named pipe. */
static pid_t feed(const char *path, size_t n)
{
    const pid_t child = fork();

    if (child == 0) {
        FILE *to = fopen(path, "w");
        for (size_t i = 0; to && i < n; i++)
            putc((int)(i * 7 % 251), to);
        _exit(to && fclose(to) == 0 ? 0 : 1);
    }
    return child;
}

Test(outputs, pipes_are_read_to_their_end)
{
    static const size_t sizes[] = {0, 1, 4096, 65535, 65536, 65537, 300000};

    cr_assert_eq(mkfifo("pipe", 0600), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const pid_t child = feed("pipe", sizes[i]);
        struct smol_mapping m;
        int status;

        cr_assert_eq(smol_mapping_open(&m, "pipe", NULL), SMOL_OK);
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_assert_eq(status, 0);
        cr_assert_eq(m.bytes.size_bytes, sizes[i]);
        cr_assert_not_null(m.bytes.data);
        for (size_t k = 0; k < sizes[i]; k++)
            cr_assert_eq(m.bytes.data[k], k * 7 % 251);
        cr_assert_eq(smol_mapping_check(&m, NULL), SMOL_OK);
        smol_mapping_close(&m);
        cr_assert_eq(m.fd, -1);
    }
}

Test(outputs, empty_files_and_files_that_seem_so_are_read)
{
    struct smol_mapping m;

    put("empty", "", 0600);
    cr_assert(holds("empty", "") && holds("/dev/null", ""));
    cr_assert_eq(smol_mapping_open(&m, "/proc/self/status", NULL), SMOL_OK);
    cr_assert(m.bytes.size_bytes > 5 && memcmp(m.bytes.data, "Name:", 5) == 0);
    smol_mapping_close(&m);
    cr_assert_eq(smol_mapping_open(&m, "empty", NULL), SMOL_OK);
    put("empty", "more", 0600);
    cr_assert_eq(smol_mapping_check(&m, NULL), SMOL_E_CHANGED);
    smol_mapping_close(&m);
}

Test(outputs, what_never_ends_ends_in_an_error)
{
    const struct rlimit limit = {(rlim_t)1 << 28, (rlim_t)1 << 28};
    struct smol_mapping m;
    struct smol_error error;

    if (getenv("SMOL_SANITIZED"))
        cr_skip_test("the sanitizers' shadow takes more address space");
    cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
    cr_assert_eq(smol_mapping_open(&m, "/dev/zero", &error), SMOL_E_MEMORY);
}
