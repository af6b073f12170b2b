"""Every option that takes a number, of every program and command, as the table of completions lists them: what is no number of its
kind is refused before anything is done. Nothing that follows such an option is there, so what is accepted fails later."""
import json
import subprocess

import pytest
import table
from programs import root, run, sanitized, smolrun, smoltool, smoltrain, tool

# The rest of a line that fails if all numbers are good: with exit code 1, or another complaint.
LINES = {
    ('smolrun', None): [smolrun, 'none.smol'],
    ('smolrun', '--bench'): [smolrun, '--bench', 'none.smol'],
    ('smoltool', 'inspect'): [smoltool, 'inspect', 'none.smol'],
    ('smoltool', 'qr'): [smoltool, 'qr', 'none.smol', '-o', 'made.png'],
    ('smoltool', 'new'): [smoltool, 'new', '-o', 'none/made'],
    ('smoltool', 'import'): [smoltool, 'import', 'none', '-o', 'none/made'],
    ('smoltool', 'tokenizer'): [smoltool, 'tokenizer', 'train', '--vocab', '300', 'none.txt', '-o', 'made'],
    ('smoltool', 'pack'): [smoltool, 'pack', '-m', 'none.smol', 'x'],
    ('smoltool', 'unpack'): [smoltool, 'unpack', '-m', 'none.smol', 'none'],
    ('smoltool', 'elephant'): [smoltool, 'elephant', '--fit', 'none.txt', '-o', 'made.svg'],
    ('smoltrain', None): [smoltrain, '--data', 'none.txt', '-o', 'made'],
}
NO_COUNTS = ['-1', '-5', '1e3', '1.5', '', ' 5', '5 ', '+5', '5x', '0x', '0x1g', 'many', '99999999999999999999999']
NO_REALS = ['', ' 1', '1x', 'much', '1,5']
NEGATIVE = {('smolrun', '--predict'), ('smolrun', '--repeat-last-n'), ('smolrun', '--seed')}  # their manual says what -1 is
COUNTS, REALS = {'N', 'K', 'N,...', 'SIZE'}, {'X', 'P'}


SECTIONS = [(s.program, s.command, [o for o in s.options if o.value in COUNTS | REALS]) for s in table.read(root / 'tools/completions/options')]
SECTIONS = [s for s in SECTIONS if s[2] and s[1] != 'sweep']  # which takes smoltrain's


@pytest.mark.slow
@pytest.mark.parametrize('program, command, options', SECTIONS, ids=['%s %s' % s[:2] for s in SECTIONS])
def test_what_is_no_number(folder, check, program, command, options):
    line = LINES[program, command]
    for i, option in enumerate(options):
        values = NO_COUNTS if option.value in COUNTS else NO_REALS
        # All options read numbers by the same few functions: under the sanitizers each meets some of the values, and each value some options.
        for value in values[i % 4::4] if sanitized else values:
            name = option.names[-1]
            if value == '-1' and (program, name) in NEGATIVE and command is None:
                continue
            done = run(*line, '%s=%s' % (name, value), cwd=folder, code=2)
            lines = done.stderr.decode().splitlines()
            check.that(len(lines) == 2 and lines[0].startswith(program) and not done.stdout, '%s %s %s=%r: %s' % (program, command, name, value, lines))
            check.equal(list(folder.iterdir()), [], 'nothing is made')


@pytest.mark.slow
@pytest.mark.parametrize('program, command, options', SECTIONS, ids=['%s %s' % s[:2] for s in SECTIONS])
def test_ways_to_write_a_number(folder, check, program, command, options):
    """Decimal, hexadecimal, and decimal after zeros, which is not octal; the messages are the same."""
    line = LINES[program, command]

    def told(option, value):
        done = subprocess.run([*line, '%s=%s' % (option, value)], cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
        return done.returncode, done.stderr.replace(value.encode(), b'N')

    for option in options:
        if option.value in ('N', 'K'):
            name = option.names[-1]
            check.equal(told(name, '0x10'), told(name, '16'), '%s %s %s' % (program, command, name))
            check.equal(told(name, '016'), told(name, '16'), '%s %s %s' % (program, command, name))


def test_zero_is_a_number(folder):
    """That was given: no default takes its place, unless the manual says so."""
    for name in ('--layers', '--width', '--heads', '--context', '--vocab', '--d', '--rank'):
        run(smoltool, 'new', name, '0', '-o', folder / 'm.smol', code=2)
        run(smoltool, 'new', '--shape', 'gpt2', name, '0', '-o', folder / 'm.smol', code=2)
    assert not list(folder.iterdir())


def test_values(folder):
    tool('new', '--layers', '010', '--width', '0x10', '--heads', '2', '--context', '8', '-o', folder / 'm.smol')
    shown = json.loads(tool('inspect', '--json', folder / 'm.smol').stdout)
    assert (shown['layers'], shown['width']) == (10, 16)
