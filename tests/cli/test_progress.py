"""What long commands show of how far they are: a line that is written over on a terminal, lines ten seconds apart elsewhere, nothing of what is short."""
import os
import pty
import re
import signal
import subprocess
import time

import pytest
from programs import root, smolrun, smoltool

MODEL = root / 'models/shakespeare-alpha.smol'
LINE = re.compile(r'(loss before|loss after|perplexity|reading|merging|weights): \d+\.\d %  \d+:\d\d:\d\d left')


def on_terminal(command, terminal='xterm'):
    """The command's exit code and what it writes to a terminal as its standard error."""
    leader, follower = pty.openpty()
    done = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=follower, env={**os.environ, 'TERM': terminal})
    os.close(follower)
    text = b''
    while True:
        try:
            got = os.read(leader, 4096)
        except OSError:  # closed
            break
        if not got:
            break
        text += got
    os.close(leader)
    return done.wait(timeout=60), text.decode()


def commands(folder, repeats):
    text = folder / 'text'
    text.write_text('To be, or not to be, that is the question.\n' * repeats)
    return ((['loss before', 'loss after'], [smoltool, 'quantize', '--embeddings', 'q4', '--text', text, MODEL, '-o', folder / 'q.smol']),
            (['perplexity'], [smolrun, MODEL, '--perplexity', text]))


def test_on_a_terminal(folder):
    """All parts of a command that is long enough, which depends on the processor."""
    for which in (0, 1):
        for repeats in (12, 40, 160, 640):
            names, command = commands(folder, repeats)[which]
            code, text = on_terminal(command)
            shown = [line for line in re.sub(r'\x1b\[[?\d]*[A-Za-z]', '', text).split('\r') if line]
            assert code == 0 and all(LINE.fullmatch(line) for line in shown), shown
            if {line.split(':')[0] for line in shown} == set(names):
                break
        assert {line.split(':')[0] for line in shown} == set(names)
        assert text.endswith('\r\x1b[K'), text


def test_short_commands_are_silent(folder):
    for _, command in commands(folder, 2):
        done = subprocess.run([str(c) for c in command], capture_output=True, timeout=60, check=True)
        assert done.stderr == b''
        code, text = on_terminal(command, 'dumb')
        assert code == 0 and text == ''


@pytest.mark.slow
def test_lines_elsewhere(folder):
    """Of a text that takes minutes the first line, after ten seconds; most of which the program spends stopped, to leave the processors to
    other tests."""
    (folder / 'long').write_text('To be, or not to be, that is the question.\n' * 100000)
    with subprocess.Popen([smolrun, MODEL, '--perplexity', folder / 'long'], stderr=subprocess.PIPE) as run:
        time.sleep(1)
        assert run.poll() is None
        run.send_signal(signal.SIGSTOP)
        time.sleep(9.5)
        run.send_signal(signal.SIGCONT)
        line = run.stderr.readline().decode()
        run.kill()
    assert LINE.fullmatch(line.rstrip('\n')) and line.endswith('\n'), line
