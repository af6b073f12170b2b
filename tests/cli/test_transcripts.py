"""Sessions at the shell, written down by hand in transcripts/*.txt: commands, all that they print, exit codes.

A line '$ COMMAND' is run by sh, each file in a folder of its own; the lines up to the next one are the standard output and
the standard error together, where '...' stands for anything within a line, and '[N]' for an exit code that is not 0. Blank
lines at the end and lines after '#' do not count."""
import os
import pathlib
import re
import subprocess

import pytest
from programs import build

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


@pytest.mark.parametrize('path', sorted(transcripts.glob('*.txt')), ids=lambda path: path.stem)
def test_transcript(folder, path):
    assert steps(path), 'no command in it'
    for command, expected, code in steps(path):
        done = subprocess.run(['sh', '-c', command], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=environment, timeout=100)
        shown = done.stdout.decode(errors='replace')
        assert done.returncode == code and matches(expected, shown), '$ %s\n%s[%d]' % (command, shown, done.returncode)
