#!/usr/bin/python3
"""Checks that what the documents name exists: links, headings that links lead to, and paths of files in this checkout.

A path counts wherever a document mentions it, in a command too, if it begins with one of the folders at the top; in README.md files it may also
begin in the document's own folder. A file name alone, in backticks, must be that of some file. `*` stands for anything, and so does a word in capitals, as in
`test_NAME`. In C files, "See x.h." at the top must name a file beside it. A document is a case; so is each planted fault.
Usage: documents.py [ROOT]; the last line is "N passed, M failed".
"""

import fnmatch
import os
import re
import subprocess
import sys

TOP = "debian|docs|format|include|models|python|scripts|src|tests|tools"
PATH = re.compile(rf"(?<![\w./~<>-])(?:{TOP})/[\w./*-]*")
LINK = re.compile(r"\]\(([^)\s]+)\)")
NAME = re.compile(r"`([\w*-]+\.(?:c|h|inc|py|ksy|magic))`")
SEE = re.compile(r"\A/\* See ([\w./]+\.h)\.")
PLACEHOLDER = re.compile(r"[A-Z]{3,}")


def slugs(text):
    """What links to the headings of a document look like."""
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def present(path, files):
    """Whether a file or folder of that name, or what it stands for or is built from, is among the files."""
    path = os.path.normpath(path)
    if path in files or path + ".c" in files or any(file.startswith(path + "/") for file in files):
        return True
    pattern = PLACEHOLDER.sub("*", path)
    return "*" in pattern and any(fnmatch.fnmatchcase(file, pattern) for file in files)


def link_fault(path, link, files, read):
    """Why a link of a document leads nowhere, or None."""
    if re.match(r"\w+:", link):
        return None
    target, _, heading = link.partition("#")
    target = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
    if not present(target, files):
        return "leads nowhere"
    if heading and heading not in slugs(read(target)):
        return "there is no such heading"
    return None


def check_document(path, text, files, read):
    """All faults of one document, as (line, message)."""
    found = []
    folder = os.path.dirname(path)
    names = {os.path.basename(file) for file in files}

    def fault(match, message):
        found.append((text.count("\n", 0, match.start()) + 1, f"{match.group(0)}: {message}"))

    for match in LINK.finditer(text):
        why = link_fault(path, match.group(1), files, read)
        if why:
            fault(match, why)
    for match in PATH.finditer(re.sub(r"\]\([^)]*\)", lambda m: "-" * len(m.group()), text)):
        name = match.group().rstrip(".-/")
        if not present(name, files) and not present(os.path.join(folder, name), files):
            fault(match, "there is no such file")
    for match in NAME.finditer(text):
        if not any(fnmatch.fnmatchcase(name, PLACEHOLDER.sub("*", match.group(1))) for name in names):
            fault(match, "no file is called so")
    return found


def check_source(path, text, files):
    """The same of a C file, which names its header at its top."""
    match = SEE.match(text)
    header = match and match.group(1)
    if header and os.path.join(os.path.dirname(path), header) not in files:
        return [(1, f"See {header}: there is no such file beside it")]
    return []


PLANTED_FILES = {"a.md": "# One: the first\n", "src/b.c": "", "src/a/c.h": "", "docs/d.md": "", "tests/test_e.c": ""}
PLANTED = [
    # (path, text, a piece of the message that must come; None: there must be none)
    ("docs/d.md", "[a](../a.md#one-the-first) [b](https://b) [d](#) `src/b.c` src/a, src/a/*.h. `b.c` build/tests/gone", None),
    ("docs/d.md", "# Here\n[a](#here)", None),
    ("docs/d.md", "[a](a.md)", "nowhere"),
    ("docs/d.md", "[a](../a.md#two)", "no such heading"),
    ("a.md", "run `src/gone.c`", "no such file"),
    ("a.md", "`src/b.c --option`, tests/test_NAME.c\n", None),
    ("a.md", "```\nsrc/gone --option\n```\n", "no such file"),
    ("a.md", "`gone.c`", "called so"),
    ("a.md", "`src/a/*.c`", "no such file"),
    ("a.md", "build-x/src/b runs src/b and tests/test_e", None),
    ("src/a/c.c", "/* See c.h. */\n", None),
    ("src/b.c", "/* See c.h. */\n", "beside it"),
]


def check(path, text, files, read):
    if path.endswith(".c"):
        return check_source(path, text, files)
    return check_document(path, text, files, read)


def self_test():
    """(passed, failed) of the planted faults; prints those that are judged wrongly."""
    failed = 0
    for number, (path, text, message) in enumerate(PLANTED):
        read = {**PLANTED_FILES, path: text}
        found = " ".join(why for _, why in check(path, text, read, read.__getitem__))
        if not (message in found if message else not found):
            print(f"documents.py: planted case {number} ({path}): wanted {message!r}, got {found!r}")
            failed += 1
    return len(PLANTED) - failed, failed


def listing(root):
    """All files of the checkout: what git tracks or would; every file if this is not a git checkout."""
    done = subprocess.run(["git", "-c", f"safe.directory={root}", "-C", root, "ls-files", "-z", "-co", "--exclude-standard"],
                          capture_output=True, check=False)
    paths = [path for path in done.stdout.decode().split("\0") if path] if done.returncode == 0 else []
    if not paths:
        for folder, folders, names in os.walk(root):
            folders[:] = [f for f in folders if f not in (".git", "__pycache__") and not f.startswith("build")]
            paths += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return {path for path in paths if os.path.isfile(os.path.join(root, path))}


def count(root):
    """(passed, failed) over all documents of a checkout; prints what is wrong."""
    def read(path):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            return file.read()

    passed, failed = self_test()
    files = listing(root)
    documents = sorted(path for path in files if path.endswith((".md", ".c")))
    for path in documents:
        found = check(path, read(path), files, read)
        for line, message in sorted(found):
            print(f"{path}:{line}: {message}")
        passed += not found
        failed += bool(found)
    if not any(path.endswith(".md") for path in documents):
        print("documents.py: no document found")
        failed += 1
    return passed, failed


def main():
    root = os.path.realpath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), ".."))
    passed, failed = count(root)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
