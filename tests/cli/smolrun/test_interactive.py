"""smolrun -i from outside: turns from a pipe against single runs, and on a terminal of its own: keys, signals, history, colour."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

from programs import model, run, smolrun


def single(folder, m, text, n):
    """The n bytes that a run of its own continues text with."""
    (folder / 'text').write_bytes(text + b'\n')  # which -f drops
    done = json.loads(run(smolrun, m, '-f', folder / 'text', '-n', n, '--temp', '0', '--json').stdout)
    return bytes(done['tokens'])


def turns(m, *arguments, lines, code=0):
    done = run(smolrun, m, '-i', '--temp', '0', '--json', *arguments, input=lines, code=code)
    return [json.loads(line) for line in done.stdout.splitlines()]


class Terminal:
    """A program on a terminal of its own; keys() types, until() waits for what it shows."""

    def __init__(self, folder, *arguments, **environment):
        env = {**os.environ, 'HOME': str(folder), 'TERM': 'xterm', **environment}
        for name in ('XDG_STATE_HOME', 'NO_COLOR'):
            if name not in environment:
                env.pop(name, None)
        self.shown, self.seen = b'', 0
        self.prompt = b'> ' if env.get('NO_COLOR') or env['TERM'] == 'dumb' else b'\x1b[1;32m>\x1b[0m '  # the colour ends
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(smolrun, ['smolrun', *[str(a) for a in arguments]], env)

    def keys(self, text):
        os.write(self.fd, text)

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            more = os.read(self.fd, 65536)
        except OSError:
            more = b''
        self.shown += more
        return bool(more)

    def until(self, text, seconds=60):
        """Waits until text is shown after what was waited for before."""
        end = time.monotonic() + seconds
        while text not in self.shown[self.seen:]:
            assert self.read(end - time.monotonic()) and time.monotonic() < end, (text, self.shown[-2000:])
        self.seen = self.shown.index(text, self.seen) + len(text)

    def ready(self):
        """Waits for the prompt, and for the terminal to give every key as it comes, which libedit asks for just after it."""
        self.until(self.prompt)
        while termios.tcgetattr(self.fd)[3] & termios.ICANON:
            time.sleep(0.001)

    def end(self, seconds=60):
        """The exit code."""
        end = time.monotonic() + seconds
        while self.read(max(end - time.monotonic(), 0)):
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_turns(folder):
    """Each line goes on from all that went before, as one run of the whole would."""
    m = model(folder, '--context', '200')
    text, lines = b'', [b'To be,\n', b'or not\n', b'\n', b'to be']
    expected = []
    for line in lines:
        text += line if line != b'\n' else b''
        expected.append(single(folder, m, text, 7))
        text += expected[-1]
    found = turns(m, '-n', '7', lines=b''.join(lines))
    assert [bytes(t['tokens']) for t in found] == expected
    assert [bytes(t['prompt_tokens']) for t in found] == [b'To be,\n', b'or not\n', b'', b'to be']
    shown = run(smolrun, m, '-i', '-n', '7', '--temp', '0', input=b''.join(lines))
    assert shown.stdout == b''.join(e if e.endswith(b'\n') else e + b'\n' for e in expected)
    assert b'prompt 19 tokens' in shown.stderr and b'generated 28 tokens' in shown.stderr


def test_first_prompt(folder):
    m = model(folder, '--context', '200')
    first = single(folder, m, b'Once', 5)
    found = turns(m, '-n', '5', '-p', 'Once', lines=b'more\n')
    assert bytes(found[0]['tokens']) == first and bytes(found[1]['tokens']) == single(folder, m, b'Once' + first + b'more\n', 5)
    assert run(smolrun, m, '-i', '-n', '5', '-p', 'Once', '--temp', '0', input=b'').stdout.startswith(b'Once' + first)
    assert turns(m, '-n', '3', lines=b'') == []
    assert len(turns(m, '-n', '3', lines=b'\n')[0]['tokens']) == 3


def test_signs(folder):
    """A backslash asks for another line, a slash goes on without a line feed."""
    m = model(folder, '--context', '200')
    found = turns(m, '-n', '2', lines=b'one\\\ntwo/\n\\\nthree\nfour\\')
    assert [bytes(t['prompt_tokens']) for t in found] == [b'one\ntwo', b'\nthree\n', b'four']


def test_full_context(folder):
    """What does not fit any more is forgotten but for the last half of the context; -1 ends a turn with the context."""
    m = model(folder, '--context', '200', '--context', '24')
    found = turns(m, '-n', '8', lines=b'abcdefgh\nijklmnopqr\n')
    first = b'abcdefgh\n' + bytes(found[0]['tokens'])
    assert len(first) == 17
    # 16 of them were fed; 12 more do not fit into 24, and so the last 12 are fed alone.
    assert bytes(found[1]['tokens']) == single(folder, m, (first + b'ijklmnopqr\n')[-12:], 8)
    found = turns(m, lines=b'abc\nxyz\n')
    assert found[0]['finish_reason'] == found[1]['finish_reason'] == 'context' and len(found[0]['tokens']) == 21
    run(smolrun, m, '-i', input=b'a line of more than 24 bytes\nb\n', code=1)


def test_wrong(folder):
    m = model(folder, '--context', '200', '--vocab', '100')
    assert run(smolrun, m, '-i', '-n', '2', input=b'aaz\n', code=1).stderr.startswith(b'smolrun: line: byte 2: ')
    run(smolrun, m, '-i', '--perplexity', m, code=2)
    with open(folder / 'closed', 'wb') as unreadable:
        done = subprocess.run([smolrun, m, '-i'], stdin=unreadable, capture_output=True, timeout=60)
    assert done.returncode == 1 and b'standard input' in done.stderr


def test_keys(folder):
    """Ctrl-C stops the text and not the program, drops a line that is being typed, and Ctrl-D ends."""
    m = model(folder, '--context', '200', '--context', '20000', '--layers', '1', '--vocab', '60')  # it cannot say '> '
    t = Terminal(folder, m, '-i')
    t.until(b'Ctrl-D')  # it is told
    t.ready()
    t.keys(b'spoilt\x03')
    t.ready()
    for line in (b'123', b'456'):
        t.keys(line + b'\n')
        t.until(line)
        begun = len(t.shown)
        while len(t.shown) < begun + 100:  # the text runs
            assert t.read(60)
        t.keys(b'\x03')
        t.ready()
    t.keys(b'\x04')
    t.until(b'seed ')
    assert t.end() == 0
    # Left alone, the first text would have gone on to the end of the context.
    assert 100 < int(re.search(rb'generated (\d+) tokens', t.shown).group(1)) < 20000 - 4, t.shown[-500:]
    history = folder / '.local/state/smol/history'
    assert history.read_bytes().splitlines()[1:] == [b'123\\012', b'456\\012'] and history.stat().st_mode & 0o777 == 0o600


def test_history(folder):
    """The arrow brings back a line of the program before; another folder, by XDG_STATE_HOME, and a link there; none at all."""
    m = model(folder, '--context', '200')
    state = folder / 'state'
    (state / 'smol').mkdir(parents=True)
    (folder / 'kept').write_bytes(b'')
    (state / 'smol/history').symlink_to(folder / 'kept')
    for typed in (b'first \xc3\xa9\n', b'\x1b[A\n'):
        t = Terminal(folder, m, '-i', '-n', '3', '--json', XDG_STATE_HOME=str(state))
        t.ready()
        t.keys(typed)
        t.until(b'"prompt":')
        t.until(b'"first \xc3\xa9\\n"')
        t.ready()
        t.keys(b'\x04')
        assert t.end() == 0
    assert (state / 'smol/history').is_symlink() and not (folder / '.local').exists()
    assert b'first' in (folder / 'kept').read_bytes() and (folder / 'kept').stat().st_mode & 0o777 == 0o600
    (folder / 'file').write_text('')
    t = Terminal(folder, m, '-i', '-n', '3', '--json', XDG_STATE_HOME=str(folder / 'file'))
    t.ready()
    t.keys(b'a\n')
    t.until(b'file/smol/history: ')
    t.ready()
    t.keys(b'\x04')
    assert t.end() == 0


def test_typed_error(folder):
    """Whoever typed what the model cannot read, or more than it holds, may type something else."""
    m = model(folder, '--context', '200', '--vocab', '100', '--context', '24')
    t = Terminal(folder, m, '-i', '-n', '3', '--json')
    for line, error in ((b'aaz\n', b'line: byte 2'), (b'a' * 30 + b'\n', b'context')):
        t.ready()
        t.keys(line)
        t.until(error)
    t.ready()
    t.keys(b'aa\n')
    t.until(b'"tokens":')
    t.ready()
    t.keys(b'\x04')
    assert t.end() == 0


def test_control_characters(folder):
    """A terminal is not shown those of a text, except tabs and the ends of lines; what is no terminal gets them all."""
    m = model(folder, '--context', '200')
    text = 'a\x1b[2J\x7f\u009b31m\u0080\u00a0\tb\r'
    t = Terminal(folder, m, '-p', text, '-n', '1', '--temp', '0', NO_COLOR='1')
    assert t.end() == 0 and 'a?[2J??31m?\u00a0\tb?'.encode() in t.shown, t.shown
    assert run(smolrun, m, '-p', text, '-n', '1', '--temp', '0').stdout.startswith(text.encode())


def test_colour(folder):
    m = model(folder, '--context', '200')
    for environment, colour in (({}, True), ({'NO_COLOR': '1'}, False), ({'NO_COLOR': ''}, True), ({'TERM': 'dumb'}, False)):
        t = Terminal(folder, m, '-i', '-n', '0', '-p', 'Hi', **environment)
        t.ready()
        t.keys(b'\x04')
        assert t.end() == 0
        assert (b'\x1b[1m' in t.shown) == (b'\x1b[1;32m' in t.shown) == colour, (environment, t.shown)
        t = Terminal(folder, 'none', **environment)
        assert t.end() == 1 and (b'\x1b[1;31m' in t.shown) == colour, (environment, t.shown)
    assert b'\x1b' not in run(smolrun, m, '-i', '-n', '3', '-p', 'Hi', '--temp', '0', input=b'').stdout


def test_interrupted_pipe(folder):
    """Where nobody types, Ctrl-C ends the text and then the program, without the lines that follow."""
    m = model(folder, '--context', '200', '--context', '20000', '--layers', '1')
    program = subprocess.Popen([smolrun, m, '-i'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    program.stdin.write(b'first\nsecond\n')
    program.stdin.flush()
    assert len(program.stdout.read(100)) == 100  # the text runs
    program.send_signal(signal.SIGINT)
    _, told = program.communicate(timeout=60)
    assert program.returncode == 0 and b'prompt 6 tokens' in told, (program.returncode, told)
    assert 100 <= int(re.search(rb'generated (\d+) tokens', told).group(1)) < 20000 - 6, told


def test_terminated(folder):
    """A signal at the prompt ends it like any program, and the terminal is as it was."""
    m = model(folder, '--context', '200')
    t = Terminal(folder, m, '-i')
    t.ready()
    os.kill(t.pid, signal.SIGTERM)
    assert t.end() == -signal.SIGTERM
