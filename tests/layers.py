#!/usr/bin/python3
"""Checks the conventions that a script can check, over every source file of the checkout:

- a layer includes only itself and those above it (src/README.md has the list); tools and examples include
  <smol/...> alone; the public headers include nothing but each other and the C library;
- only src/base/io.c and src/base/io_write.c open files, and nothing in the libraries prints, exits or aborts;
- no assert in format/, where all there is are a file's contents;
- nothing in src/frozen, src/kernel, src/model and src/pack allocates or locks: src/base/threads/pool.c alone waits;
- compiler extensions only in src/cpu and the files of one instruction set or one board;
- the programs map files through tools/cli/guard.c alone, so that one that is cut short ends in a message;
- no modules of src and format include each other in a circle; a module is a file name without its suffix;
- a folder has at most 25 source files (.c, .h, .py), itself and not those below it; tools has no C file of its own;
- every test of tests is in a suite of `meson test`;
- a file says in a comment at its top what it does, and is under 500 lines (generated ones apart).

A file is a case; so is each planted violation that shows that the check can fail.
Usage: layers.py [ROOT]; the last line is "N passed, M failed".
"""

import collections
import os
import re
import subprocess
import sys

LAYERS = ["include/smol", "src/base", "format", "src/cpu", "src/hash", "src/frozen",
          "src/kernel", "src/model", "src/token", "src/pack", "src/api", "src/interchange", "src/train", "tools/cli", "tools/plot",
          "tools/smolrun", "tools/smoltool", "tools/smoltrain", "web", "docs/examples", "tests"]
TOOLS = LAYERS.index("tools/cli")
PROGRAMS = [index for index, name in enumerate(LAYERS) if name.startswith("tools/smol")]
EXAMPLES = LAYERS.index("docs/examples")
TESTS = LAYERS.index("tests")
MODULES = ("src/", "format/")
MAX_LINES = 500
MAX_FILES = 25  # in a folder
OTHER_BUILDS = ("tests/cross/", "tests/firmware/", "tests/minimal/", "tests/package/", "tests/python/", "tests/web/")  # tests/run alone has what these test
OTHERS_SOURCES = "subprojects/packagefiles/"  # what is added to libraries of others, which have layers of their own
MAPS_FILES = "tools/cli/guard.c"
OPENS_FILES = ("src/base/io.c", "src/base/io_folder.c", "src/base/io_write.c")
# The one extension outside src/cpu: it lets the compiler check messages against their arguments.
PRINTF_FORMAT = "__attribute__((format(printf,"
BOARDS = ("docs/examples/firmware/mps2.c", "docs/examples/firmware/virt.c")
ISA_FILE = re.compile(r"_(avx\w*|sse\w*|neon\w*|sve\w*|amx\w*|vnni|wasm)\.[ch]$|/(registers_\w+|product)\.h$")

C_STANDARD = {f"{name}.h" for name in
              "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal "
              "stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath "
              "threads time uchar wchar wctype".split()}

CODE_RULES = [
    # (what it finds, the message, whether it holds for a path of a layer)
    (re.compile(r"\b(f?open|freopen|fdopen|open64|openat|creat|opendir|tmpfile|mkstemp)\s*\("),
     "opens a file; only src/base/io*.c and the tools may",
     lambda path, layer: layer < TOOLS and path not in OPENS_FILES),
    (re.compile(r"\b(v?f?printf|f?puts|f?putc|putchar|perror|_?exit|_Exit|quick_exit|abort)\s*\("),
     "prints or exits; a library returns an error",
     lambda path, layer: layer < TOOLS and path != "src/base/error.h"),
    (re.compile(r"\b(static_)?assert\s*\(|[<\"]assert\.h"),
     "assert where there are only a file's contents",
     lambda path, layer: LAYERS[layer] == "format"),
    (re.compile(r"\b(m|c|re|aligned_)alloc\s*\(|\bfree\s*\(|\bpthread_|\batomic_"),
     "allocates or locks; nothing that serves a token may",
     lambda path, layer: LAYERS[layer] in ("src/frozen", "src/kernel", "src/model", "src/pack")),
    (re.compile(r"\bsmol_(mapping_(open|close)|file_open(_unverified)?|model_open)\s*\("),
     "maps a file that nothing guards; the tools have cli_map and cli_open",
     lambda path, layer: TOOLS <= layer < EXAMPLES and path != MAPS_FILES),
    (re.compile(r"__attribute__|__builtin_|__asm|\basm\b|\btypeof\b|__typeof|__extension__|"
                r"#\s*pragma\s+(GCC|clang)|\b__(u?int128|int128_t)\b"),
     "compiler extension outside src/cpu and the files of one instruction set",
     lambda path, layer: layer < TESTS and LAYERS[layer] != "src/cpu" and not ISA_FILE.search(path) and path not in BOARDS),
]

TOKEN = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)
INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*([<\"])([^>\"\n]+)[>\"]", re.M)


def layer_of(path):
    """The index of the layer a path belongs to, or None for files outside all of them."""
    for index, layer in enumerate(LAYERS):
        if path.startswith(layer + "/"):
            return index
    return None


def without_comments(text, keep_strings):
    """C text with comments blanked, and strings too unless they are wanted; lines keep their numbers."""
    def blank(match):
        token = match.group()
        if token[0] == "/":
            return re.sub(r"[^\n]", " ", token)
        return token if keep_strings else token[0] * 2
    return TOKEN.sub(blank, text)


def include_target(path, quote, name, exists):
    """Where an include leads: a path in the checkout, or None for a header of the system."""
    if quote == "<":
        return f"include/{name}" if name.startswith("smol/") else None
    candidates = [os.path.normpath(os.path.join(os.path.dirname(path), name)), f"src/{name}",
                  f"include/{name}", f"tools/{name}", name]
    for candidate in candidates:
        if exists(candidate):
            return candidate
    return f"(nowhere)/{name}"


def include_violation(path, layer, quote, name, exists):
    """Why an include is not allowed, or None."""
    target = include_target(path, quote, name, exists)
    if layer == TESTS:
        return None
    if target is None:
        if layer == 0 and name not in C_STANDARD:
            return "a public header needs more than the C library"
        return None
    if quote == "<" and not exists(target):
        return "there is no such public header"
    if layer == EXAMPLES and target.startswith("(nowhere)"):
        return None  # a model that the build makes a header of
    if quote == '"' and target.startswith("(nowhere)"):
        return "found in no layer"
    of_target = layer_of(target)
    if of_target is None or of_target == TESTS:
        return "outside the layers"
    if of_target > layer:
        return f"{LAYERS[layer]} may not include {LAYERS[of_target]}, which is below it"
    if layer >= TOOLS and of_target != layer and (of_target != 0 and of_target < TOOLS or of_target in PROGRAMS):
        return "tools and examples include <smol/...> alone, and no other program"
    if of_target == 0 and quote == '"':
        return "public headers are included as <smol/...>"
    return None


def check_c(path, text, exists):
    """All violations in one C file, as (line, message)."""
    found = []
    layer = layer_of(path)
    if path.startswith(OTHERS_SOURCES):
        return []
    if layer is None:
        return [(1, "a C file outside the layers")]
    with_strings = without_comments(text, True)
    for match in INCLUDE.finditer(with_strings):
        why = include_violation(path, layer, match.group(1), match.group(2), exists)
        if why:
            line = with_strings.count("\n", 0, match.start()) + 1
            found.append((line, f"includes {match.group(2)}: {why}"))
    code = without_comments(text, False)
    for rule, message, holds in CODE_RULES:
        if not holds(path, layer):
            continue
        for match in rule.finditer(code):
            if code.startswith(PRINTF_FORMAT, match.start()):
                continue
            found.append((code.count("\n", 0, match.start()) + 1, f"{match.group().strip()}: {message}"))
    return found


def check_any(path, text):
    """What holds for every source file: a comment first, and not too long."""
    found = []
    body = text.split("\n", 1)[1] if text.startswith("#!") and "\n" in text else text
    starts = ("/*", "//") if path.endswith((".c", ".h")) else ("#", '"""')
    if not body.lstrip("\n").startswith(starts):
        found.append((1, "does not start with a comment that says what it does"))
    n_lines = text.count("\n")
    if n_lines >= MAX_LINES and not re.search(r"\bGenerated (by|from) ", text[:600]):
        found.append((n_lines, f"{n_lines} lines; a file stays under {MAX_LINES}"))
    return found


def check(path, text, exists):
    found = check_any(path, text)
    if path.endswith((".c", ".h")):
        found += check_c(path, text, exists)
    return sorted(found)


def module_of(path):
    return os.path.splitext(path)[0]


def includes_of(path, text, exists):
    """The modules of src and format that a file of theirs includes, but its own."""
    names = [match.group(2) for match in INCLUDE.finditer(without_comments(text, True)) if match.group(1) == '"']
    targets = {module_of(include_target(path, '"', name, exists)) for name in names}
    return {module for module in targets - {module_of(path)} if module.startswith(MODULES)}


def find_circles(files, exists):
    """Circles of modules that include each other, each once, as lists that end where they begin.

    files: (path, text) of C files; those outside src and format take no part."""
    graph = {}
    for path, text in files:
        if path.startswith(MODULES):
            graph.setdefault(module_of(path), set()).update(includes_of(path, text, exists))
    done, trail, circles = set(), [], []

    def visit(module):
        if module in trail:
            circles.append(trail[trail.index(module):] + [module])
        elif module not in done:
            trail.append(module)
            for other in sorted(graph.get(module, ())):
                visit(other)
            done.add(trail.pop())

    for module in sorted(graph):
        visit(module)
    return circles


def full_folders(paths):
    """(folder, how many) of those with too many source files."""
    folders = collections.Counter(os.path.dirname(path) for path in paths if path.endswith((".c", ".h", ".py")))
    return [(folder, count) for folder, count in sorted(folders.items()) if count > MAX_FILES]


def unlisted_tests(paths, listed):
    """Tests that no suite of `meson test` has: their names are not in the text of the meson.build files."""
    return [path for path in paths if re.fullmatch(r"tests/.*/test_\w+\.(c|py)", path) and not path.startswith(OTHER_BUILDS)
            and not re.search(r"\b" + re.escape(os.path.splitext(os.path.basename(path))[0]) + r"\b", listed)]


PLANTED = [
    # (path, text, a piece of the message that must come; None: there must be none)
    ("format/x.c", '/* x */\n#include "model/y.h"\n', "below it"),
    ("format/x.c", '/* x */\n#include "base/y.h"\n', None),
    ("format/x.c", '/* x */\n/* #include "model/y.h" */\n', None),
    ("src/base/x.c", '/* x */\n  #  include "../train/y.h"\n', "below it"),
    ("tools/cli/x.c", '/* x */\n#include "base/y.h"\n', "alone"),
    ("tools/smolrun/x.c", '/* x */\n#include "cli/y.h"\n', None),
    ("tools/smoltrain/x.c", '/* x */\n#include "smolrun/y.h"\n', "no other program"),
    ("tools/cli/x.c", '/* x */\n#include "smolrun/y.h"\n', "below it"),
    ("docs/examples/x.c", '/* x */\n#include "base/y.h"\n', "alone"),
    ("docs/examples/x.c", '/* x */\n#include <smol/y.h>\n#include "model.h"\n', None),
    ("tools/cli/x.c", '/* x */\n#include <smol/y.h>\n#include <popt.h>\n', None),
    ("tools/cli/x.c", '/* x */\n#include <smol/missing.h>\n', "no such"),
    ("tests/unit/x.c", '/* x */\n#include "train/y.h"\n', None),
    ("src/cpu/x.c", '/* x */\n#include "gone.h"\n', "no layer"),
    ("include/smol/x.h", "/* x */\n#include <pthread.h>\n", "C library"),
    ("src/token/x.c", '/* x */\nFILE *f = fopen("a", "r");\n', "opens a file"),
    ("src/train/x.c", "/* x */\nint fd = open(path, 0);\n", "opens a file"),
    ("src/train/x.c", '/* x */\ns = "open("; reopen(1); /* open(2) */\n', None),
    ("src/base/io.c", "/* x */\nint fd = open(path, 0);\n", None),
    ("src/base/threads/pool.c", "/* x */\nint fd = open(path, 0);\n", "opens a file"),
    ("tools/cli/x.c", '/* x */\nFILE *f = fopen("a", "r");\n', None),
    ("tools/cli/x.c", "/* x */\nsmol_file_open(&m, &f, path, 1, &e);\n", "guards"),
    ("tools/cli/x.c", "/* x */\nsmol_mapping_open(&m, path, &e);\n", "guards"),
    ("tools/smolrun/x.c", "/* x */\nsmol_file_open_unverified(&m, &f, path, &e);\n", "guards"),
    ("tools/smolrun/x.c", "/* x */\nsmol_mapping_close(&m);\n", "guards"),
    ("tools/smolrun/x.c", "/* x */\nsmol_model_open(&m, path, 1, &e);\n", "guards"),
    ("tools/smolrun/x.c", "/* x */\nsmol_model_open_file(&m, &f, &e);\n", None),
    ("tools/cli/guard.c", "/* x */\nsmol_mapping_open(&m, path, &e);\n", None),
    ("src/model/x.c", '/* x */\nprintf("hello");\n', "prints"),
    ("src/model/x.c", '/* x */\nsnprintf(a, 1, "hello");\n', None),
    ("src/kernel/x.c", "/* x */\nabort();\n", "exits"),
    ("format/x.c", "/* x */\nassert(n < 3);\n", "assert"),
    ("src/kernel/x.c", "/* x */\nassert(n < 3);\n", None),
    ("src/kernel/x.c", "/* x */\n__builtin_expect(a, 1);\n", "extension"),
    ("src/model/x.c", "/* x */\nfloat *p = malloc(4);\n", "allocates"),
    ("src/train/x.c", "/* x */\nfloat *p = malloc(4);\n", None),
    ("src/kernel/x_avx2.c", "/* x */\n__builtin_expect(a, 1);\n", None),
    ("src/base/error.h", "/* x */\nvoid f() __attribute__((format(printf, 1, 2)));\n", None),
    ("src/base/error.h", "/* x */\nvoid f() __attribute__((noreturn));\n", "extension"),
    ("src/base/x.c", "int x;\n", "start with a comment"),
    ("src/base/x.c", "/* x */\n" + "\n" * 500, "under 500"),
    ("src/base/x.c", "/* Generated by y. */\n" + "\n" * 500, None),
    ("src/base/x.c", "/* Each row is generated once. */\n" + "\n" * 500, "under 500"),
    ("tests/cli/x.py", "#!/usr/bin/python3\nimport sys\n", "start with a comment"),
    ("elsewhere/x.c", "/* x */\n", "outside the layers"),
    ("subprojects/packagefiles/x/x.c", "/* x */\n#include <sodium.h>\n", None),
    ("tools/x.c", "/* x */\n", "outside the layers"),  # tools has a folder for each program, and no file of its own
]
PLANTED_FILES = {"src/model/y.h", "src/base/y.h", "src/train/y.h", "include/smol/y.h",
                 "tools/cli/y.h", "tools/smolrun/y.h"}


PLANTED_CIRCLES = [
    # (files, a circle that must be found; None: there must be none)
    ({"src/a/x.h": "", "src/a/x.c": '#include "a/x.h"\n#include "a/y.h"\n', "src/a/y.h": '#include "a/x.h"\n'},
     ["src/a/x", "src/a/y", "src/a/x"]),
    ({"src/a/x.h": '#include "y.h"\n', "src/a/y.h": '#include "z.h"\n', "src/a/z.h": "",
      "src/a/z.c": '#include "z.h"\n#include "x.h"\n'}, ["src/a/x", "src/a/y", "src/a/z", "src/a/x"]),
    ({"format/x.h": '#include "y.h"\n', "format/y.h": '#include "x.h"\n'}, ["format/x", "format/y", "format/x"]),
    ({"src/a/x.h": "", "src/a/x.c": '#include "a/x.h"\n#include "a/y.h"\n', "src/a/y.h": ""}, None),
    ({"src/a/x.h": "", "src/b/x.h": '#include "a/x.h"\n', "src/a/y.c": '#include "a/x.h"\n#include "b/x.h"\n'}, None),
    ({"src/a/x.h": '/* #include "y.h" */\n', "src/a/y.h": '#include "x.h"\n'}, None),
    ({"tools/cli/x.h": '#include "y.h"\n', "tools/cli/y.h": '#include "x.h"\n'}, None),
]


PLANTED_FOLDERS = [
    # (paths, folders that are too full)
    ([f"src/a/{n}.c" for n in range(26)], ["src/a"]),
    ([f"tests/a/test_{n}.py" for n in range(20)] + [f"tests/a/{n}.h" for n in range(6)], ["tests/a"]),
    ([f"src/a/{n}.c" for n in range(25)] + ["src/a/b/x.c", "src/a/meson.build", "src/x.c"], []),
]


PLANTED_TESTS = [
    # (paths, the text of meson.build, those that it lacks)
    (["tests/unit/test_a.c", "tests/cli/b/test_b.py", "tests/cross/test_c.py", "tests/cli/b/d.py"], "'test_a', 'b/test_b.py'", []),
    (["tests/unit/test_a.c", "tests/cli/b/test_b.py"], "'test_a_b', 'test_b'", ["tests/unit/test_a.c"]),
    (["tests/cli/b/test_b.py"], "", ["tests/cli/b/test_b.py"]),
]


def self_test():
    """Whether each planted file is judged as it must be; prints those that are not."""
    failed = 0
    for number, (paths, folders) in enumerate(PLANTED_FOLDERS):
        found = [folder for folder, _ in full_folders(paths)]
        if found != folders:
            print(f"layers.py: planted folders {number}: wanted {folders}, got {found}")
            failed += 1
    for number, (paths, listed, missing) in enumerate(PLANTED_TESTS):
        found = unlisted_tests(paths, listed)
        if found != missing:
            print(f"layers.py: planted tests {number}: wanted {missing}, got {found}")
            failed += 1
    for number, (files, circle) in enumerate(PLANTED_CIRCLES):
        found = find_circles(files.items(), files.__contains__)
        if found != ([circle] if circle else []):
            print(f"layers.py: planted circle {number}: wanted {circle}, got {found}")
            failed += 1
    for number, (path, text, message) in enumerate(PLANTED):
        found = " ".join(why for _, why in check(path, text, PLANTED_FILES.__contains__))
        good = message in found if message else not found
        if not good:
            print(f"layers.py: planted case {number} ({path}): wanted {message!r}, got {found!r}")
            failed += 1
    return len(PLANTED) + len(PLANTED_CIRCLES) + len(PLANTED_FOLDERS) + len(PLANTED_TESTS) - failed, failed


def all_files(root):
    """Paths of what git tracks or would; of every file if this is not a git checkout."""
    listing = subprocess.run(["git", "-c", f"safe.directory={root}", "-C", root, "ls-files", "-z", "-co",
                              "--exclude-standard"], capture_output=True, check=False)
    paths = listing.stdout.decode().split("\0") if listing.returncode == 0 else []
    if not paths:
        for folder, folders, names in os.walk(root):
            folders[:] = [f for f in folders if f not in (".git", "__pycache__") and not f.startswith("build")]
            paths += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return sorted(p for p in paths if os.path.isfile(os.path.join(root, p)))


def is_source(path):
    if path.endswith((".c", ".h", ".py", ".sh")):
        return True
    if "." in os.path.basename(path):
        return False
    with open(path, "rb") as file:
        return file.read(2) == b"#!"


def main():
    root = os.path.realpath(sys.argv[1] if len(sys.argv) > 1
                            else os.path.join(os.path.dirname(__file__), ".."))
    passed, failed = self_test()
    paths = [path for path in all_files(root) if is_source(os.path.join(root, path))]

    def exists(path):
        return os.path.isfile(os.path.join(root, path))

    def read(path):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            return file.read()

    sources = [(path, read(path)) for path in paths]
    circles = find_circles(sources, exists)
    for circle in circles:
        print(f"{circle[0]}: includes itself in a circle: {' -> '.join(circle)}")
    passed += not circles
    failed += len(circles)
    full = full_folders(paths)
    for folder, count in full:
        print(f"{folder}: {count} source files; a folder has at most {MAX_FILES}")
    passed += not full
    failed += len(full)
    listed = "".join(read(path) for path in all_files(root) if path.startswith("tests/") and path.endswith("meson.build"))
    unlisted = unlisted_tests(paths, listed)
    for path in unlisted:
        print(f"{path}: in no meson.build, so that `meson test` does not run it")
    passed += not unlisted
    failed += len(unlisted)
    for path, text in sources:
        found = check(path, text, exists)
        for line, message in found:
            print(f"{path}:{line}: {message}")
        passed += not found
        failed += bool(found)
    if not any(p.endswith(".c") for p in paths):
        print("layers.py: no C file found")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
