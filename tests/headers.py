"""The public headers: Doxygen has nothing to say against their comments, and each compiles when it is the first and only one that a
program includes, as C11 and as C++17. The last line is "N passed, M failed".
"""
import pathlib
import shutil
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[1]


def clean(what, command, text=''):
    """Whether a command has nothing to say."""
    done = subprocess.run(command, cwd=root, input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        print('FAILED: %s\n%s' % (what, done.stdout))
    return done.returncode == 0


def main():
    good = []
    if shutil.which('doxygen'):
        (root / 'build').mkdir(exist_ok=True)
        good.append(clean('docs/Doxyfile', ['doxygen', 'docs/Doxyfile']))
    else:
        print('skipped: docs/Doxyfile: no doxygen here')
    cxx = 'g++' if shutil.which('g++') else 'clang++'
    flags = ['-I', 'include', '-Wall', '-Wextra', '-Werror', '-fsyntax-only']
    for header in sorted((root / 'include/smol').glob('*.h')):
        program = '#include <smol/%s>\n' % header.name
        good.append(clean(header.name + ' as C11', ['gcc', '-std=c11', '-Wpedantic', *flags, '-x', 'c', '-'], program))
        good.append(clean(header.name + ' as C++17', [cxx, '-std=c++17', *flags, '-x', 'c++', '-'], program))
    print('%d passed, %d failed' % (good.count(True), good.count(False)))
    return 0 if good and all(good) else 1


if __name__ == '__main__':
    sys.exit(main())
