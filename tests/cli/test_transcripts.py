"""Sessions at the shell, written down by hand in transcripts/*.txt: commands, all that they print, exit codes.

A line '$ COMMAND' is run by sh, each file in a folder of its own; the lines up to the next one are the standard output and
the standard error together, where '...' stands for anything within a line, and '[N]' for an exit code that is not 0. Blank
lines at the end and lines after '#' do not count."""
import os
import pathlib

import pytest
import sessions
from programs import build

transcripts = pathlib.Path(__file__).resolve().parent / 'transcripts'
environment = {**os.environ, 'PATH': '%s:/usr/bin:/bin' % (build / 'tools'), 'LC_ALL': 'C.UTF-8'}


@pytest.mark.parametrize('path', sorted(transcripts.glob('*.txt')), ids=lambda path: path.stem)
def test_transcript(folder, path):
    steps = sessions.steps(path.read_text())
    assert steps, 'no command in it'
    for step in steps:
        shown, code = sessions.run(step.command, folder, environment)
        assert code == step.code and sessions.matches(step.expected, shown), '$ %s\n%s[%d]' % (step.command, shown, code)
