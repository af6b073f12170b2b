#!/usr/bin/python3
"""Sessions at the shell, written down by hand in transcripts/*.txt: commands, all that they print, exit codes.

A line '$ COMMAND' is run by sh, each file in a folder of its own; the lines up to the next one are the standard output and
the standard error together, where '...' stands for anything within a line, and '[N]' for an exit code that is not 0. Blank
lines at the end and lines after '#' do not count.
Usage: test_transcripts.py BUILD_DIR
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else 'build').resolve()
transcripts = pathlib.Path(__file__).resolve().parent / 'transcripts'
environment = {**os.environ, 'PATH': '%s:/usr/bin:/bin' % (build / 'tools'), 'LC_ALL': 'C.UTF-8'}


def steps(path):
    """(command, lines expected, exit code) one by one."""
    found = []
    for line in path.read_text().splitlines():
        if line.startswith('$ '):
            found.append([line[2:], [], 0])
        elif re.fullmatch(r'\[\d+\]', line):
            found[-1][2] = int(line[1:-1])
        elif found and not line.startswith('#'):
            found[-1][1].append(line)
    return found


def matches(expected, shown):
    pattern = '\n'.join('.*'.join(map(re.escape, line.split('...'))) for line in expected)
    return re.fullmatch(pattern.rstrip('\n') + '\n*', shown) is not None


def play(path, folder):
    """The first step that went otherwise, in words; None if all went as written."""
    for command, expected, code in steps(path):
        done = subprocess.run(['sh', '-c', command], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=environment, timeout=100)
        shown = done.stdout.decode(errors='replace')
        if done.returncode != code or not matches(expected, shown):
            return '%s: $ %s\n%s[%d]' % (path.name, command, shown, done.returncode)
    return None


def main():
    passed = failed = 0
    for path in sorted(transcripts.glob('*.txt')):
        with tempfile.TemporaryDirectory() as folder:
            fault = play(path, folder) if steps(path) else '%s: no command in it' % path.name
        passed, failed = passed + (fault is None), failed + (fault is not None)
        if fault:
            print('FAILED: ' + fault)
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed or not passed else 0


sys.exit(main())
