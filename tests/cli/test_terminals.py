"""The programs on terminals: no escape sequences where TERM names none that knows them, colours that end, and lines of progress
that lose whole parts, never characters, on narrow ones."""
import concurrent.futures
import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time

import pytest
from programs import smolrun, smoltool, smoltrain, tiny_model, tool, unrestarted

FILES = {'text': b'to be, or not to be: that is the question.\n' * 40}
SMALL = ['--arch', 'gpt2', '--layers', '1', '--width', '16', '--heads', '2', '--context', '8', '--batch', '2', '-t', '1']
TYPED = [b'to be\n', b'or not\n', b'\x04']


def on_terminal(folder, *command, typed=(), columns=80, **environment):
    """All that a program shows on a terminal of that width, and its exit code. Something is typed after each prompt. TERM=None: it is not set."""
    env = {**os.environ, **unrestarted(), 'HOME': str(folder), **environment}
    env = {name: value for name, value in env.items() if value is not None and (name in environment or name not in ('NO_COLOR', 'COLUMNS'))}
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('4H', 24, columns, 0, 0))
    process = subprocess.Popen([str(c) for c in command], stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=folder, start_new_session=True)
    os.close(theirs)
    shown, typed = b'', list(typed)
    while select.select([ours], [], [], 60)[0]:
        try:
            shown += os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if typed and re.search(rb'> (\x1b\[0m)?$|>\x1b\[0m $', shown):
            while termios.tcgetattr(ours)[3] & termios.ICANON:  # libedit asks for every key just after the prompt
                time.sleep(0.001)
            os.write(ours, typed.pop(0))
    os.close(ours)
    return shown, process.wait(timeout=60)


def commands(folder):
    """Something of everything that a program shows: text, errors, tables, progress, lines that are edited."""
    model = tiny_model(folder)
    return {
        'text': [smolrun, model, '-p', 'KING', '-n', '4', '-s', '1'],
        'failure': [smolrun, 'none.smol', '-p', 'KING'],
        'wrong usage': [smoltrain, '--steps', 'many'],
        'benchmark': [smolrun, model, '--bench', '-p', '4', '-n', '0', '-r', '1'],
        'conversation': [smolrun, model, '-i', '-n', '4', '-s', '1'],
        'inspect': [smoltool, 'inspect', model],
        'diff': [smoltool, 'diff', model, model],
        'tokenizer': [smoltool, 'tokenizer', 'train', '--vocab', '280', 'text', '-o', 't.smoltok'],
        'training': [smoltrain, '--data', 'text', *SMALL, '--steps', '6', '-o', 'trained.smol'],
    }


def test_terminals_without_escapes(folder, check):
    for name, command in commands(folder).items():
        for term in ('dumb', '', None):
            shown, code = on_terminal(folder, *command, typed=TYPED if name == 'conversation' else (), TERM=term)
            check.equal(code, {'failure': 1, 'wrong usage': 2}.get(name, 0), name)
            check.that(b'\x1b' not in shown, '%s with TERM=%s: %r' % (name, term, shown))
            if name == 'training':  # whole lines, as in a file
                check.that(re.search(rb'\nstep 6/6  loss \S+  smoothed \S+(  val \S+)?  \d+ tokens/s  0:00:00 left\r\n', b'\n' + shown), shown)


def test_colours_end(folder, check):
    """Each colour that begins is ended before another begins, and none is left at the end; NO_COLOR: there is none."""
    coloured = set()
    for name, command in commands(folder).items():
        typed = TYPED if name == 'conversation' else ()
        shown, _ = on_terminal(folder, *command, typed=typed, TERM='xterm')
        colours = re.findall(rb'\x1b\[([0-9;]*)m', shown)
        coloured |= {name} if colours else set()
        check.that(all((c not in (b'0', b'')) == (i % 2 == 0) for i, c in enumerate(colours)) and len(colours) % 2 == 0, '%s: %r' % (name, shown))
        shown, _ = on_terminal(folder, *command, typed=typed, TERM='xterm', NO_COLOR='1')
        check.that(not re.search(rb'\x1b\[[0-9;]*m', shown), '%s: %r' % (name, shown))
    check.that({'text', 'failure', 'wrong usage', 'conversation'} <= coloured, coloured)


PARTS = [rb'step \d+/30', rb'loss \d\.\d{4}', rb'smoothed \d\.\d{4}', rb'val \d\.\d{4}', rb'\d+ tokens/s', rb'\d:\d\d:\d\d left']


@pytest.mark.slow
def test_progress_of_every_width(folder, check):
    """From 40 columns to 200: whole parts, in their order, one column left; as many as there is room for, the time left always."""
    def lines(columns):
        shown, code = on_terminal(folder, smoltrain, '--data', 'text', *SMALL, '--steps', '30', '--eval-every', '10', '-o', '%d.smol' % columns,
                                  columns=columns, TERM='xterm')
        return columns, code, re.findall(rb'\r\x1b\[\?7l(.*?)\x1b\[K\x1b\[\?7h', shown)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for columns, code, shown in pool.map(lines, range(40, 201)):
            check.that(code == 0 and shown, '%d columns: exit code %d' % (columns, code))
            for line in shown:
                numbers = [next((i for i, p in enumerate(PARTS) if re.fullmatch(p, part)), None) for part in line.split(b'  ')]
                check.that(None not in numbers and numbers == sorted(set(numbers)) and numbers[-1] == 5, '%d columns: %r' % (columns, line))
                check.that(len(line) < columns, '%d columns: %r has %d' % (columns, line, len(line)))
                if columns >= 100:
                    check.that({0, 1, 2, 4, 5} <= set(numbers), '%d columns: %r' % (columns, line))
                check.that({0, 1} <= set(numbers), '%d columns: %r lacks step and loss' % (columns, line))


def test_narrowest_progress(folder):
    """Where there is room for the time alone, that stays; where there is not even that, nothing wraps."""
    command = [smoltrain, '--data', 'text', *SMALL, '--steps', '6', '-o', 'trained.smol']
    shown, code = on_terminal(folder, *command, columns=14, TERM='xterm')
    lines = re.findall(rb'\r\x1b\[\?7l(.*?)\x1b\[K\x1b\[\?7h', shown)
    assert code == 0 and lines and all(re.fullmatch(PARTS[5], line) for line in lines), shown


def test_tokenizers_progress(folder):
    (folder / 'words').write_bytes(b''.join(b'word%d ' % i for i in range(4000)))
    shown, code = on_terminal(folder, smoltool, 'tokenizer', 'train', '--vocab', '300', 'words', '-o', 't.smoltok', columns=30, TERM='xterm')
    assert code == 0 and b'300 of 300 tokens\x1b[K' in shown and b'\r\x1b[Kt.smoltok: 300 tokens' in shown, shown
    tool('tokenizer', 'encode', folder / 't.smoltok', folder / 'words')
