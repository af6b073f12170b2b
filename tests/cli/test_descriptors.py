"""Standard descriptors that are closed at the start, each subset of them, for each program: no file takes their place."""
import itertools
import json
import os
import subprocess

from programs import smolrun, smoltool, smoltrain, tiny_model, tool, write

FILES = {'text': b'the quick brown fox jumps over the lazy dog; ' * 40}
SMALL = ['--arch', 'gpt2', '--method', 'embed', '--layers', '1', '--width', '16', '--heads', '1', '--context', '8', '--batch', '2', '--steps', '3',
         '--eval-every', '0', '-t', '1', '--print-every', '1']
SUBSETS = [closed for n in range(4) for closed in itertools.combinations((0, 1, 2), n)]


def without(closed, *words):
    """Runs it with these descriptors closed and the others on pipes; the exit code, and what it wrote."""
    shell = 'exec "$@"' + ''.join(' %d<&-' % fd if fd == 0 else ' %d>&-' % fd for fd in closed)
    done = subprocess.run(['sh', '-c', shell, 'sh', *map(str, words)], input=b'' if 0 not in closed else None, capture_output=True,
                          timeout=120)
    return done.returncode, done.stdout, done.stderr


def test_smolrun_prints_no_file(folder):
    """The model took the place of the standard input, and was the prompt."""
    model = tiny_model(folder)
    expected = without((), smolrun, model, '-n', '5', '-s', '1')
    assert expected[0] == 0 and len(expected[1]) < 40
    for closed in SUBSETS:
        code, out, err = without(closed, smolrun, model, '-n', '5', '-s', '1')
        assert (code, out) == ((0, expected[1]) if 1 not in closed else (1, b'')), (closed, code, out, err)
        if 1 in closed and 2 not in closed:
            assert err.splitlines()[-1].startswith(b'smolrun: standard output'), err


def test_smoltool_reads_no_file_for_its_input(folder):
    tool('tokenizer', 'train', '--vocab', '300', folder / 'text', '-o', folder / 'k.smoltok')
    for closed in SUBSETS:
        code, out, err = without(closed, smoltool, 'tokenizer', 'encode', folder / 'k.smoltok')
        assert (code, out, err) == (0, b'', b''), (closed, code, out, err)


def test_nothing_to_print_is_no_failure(folder):
    """A run that is done, and a standard output that nobody needed."""
    for closed in SUBSETS:
        code, out, err = without(closed, smoltool, 'new', '--layers', '1', '--width', '16', '--heads', '1', '--context', '8', '-o',
                                 folder / 'q.smol')
        assert (code, out, err) == (0, b'', b''), (closed, code, out, err)
        tool('verify', folder / 'q.smol')
        (folder / 'q.smol').unlink()
    for closed in SUBSETS:  # something was to be printed
        code, out, err = without(closed, smoltool, 'generate-vectors')
        assert code == (1 if 1 in closed else 0) and (b'standard output' in err) == (1 in closed and 2 not in closed), (closed, code, err)
        code, out, err = without(closed, smoltool, '--help')
        assert code == (1 if 1 in closed else 0), (closed, code, err)


def test_nothing_is_printed_into_a_file(folder):
    """Messages and progress took the way into the model or the log."""
    models = set()
    for closed in SUBSETS:
        code, _, err = without(closed, smoltrain, '--data', folder / 'text', *SMALL, '--log', folder / 'l.log', '-o', folder / 'l.smol')
        assert code == (1 if 1 in closed else 0), (closed, err)  # it prints how well the model does
        events = [json.loads(line)['event'] for line in (folder / 'l.log').read_bytes().splitlines()]
        assert events == ['start', 'train', 'train', 'train', 'validation', 'validation', 'model'], (closed, events)
        tool('verify', folder / 'l.smol')
        models.add((folder / 'l.smol').read_bytes())
    assert len(models) == 1


def test_messages_go_nowhere(folder):
    """With what a message is about open in their place."""
    write(folder / 'bad.smol', b'\x89SMOL no model')
    before = (folder / 'bad.smol').read_bytes()
    for closed in SUBSETS:
        for words in ([smolrun, folder / 'bad.smol'], [smoltool, 'verify', folder / 'bad.smol'],
                      [smoltrain, '--data', folder / 'none', *SMALL, '-o', folder / 'x.smol']):
            code, out, err = without(closed, *words)
            assert (code, out, err.count(b'\n')) == (1, b'', 0 if 2 in closed else 1), (closed, words, code, out, err)
    assert (folder / 'bad.smol').read_bytes() == before and not (folder / 'x.smol').exists()


def test_dev_stdout_that_is_closed(folder):
    for closed in SUBSETS:
        code, _, err = without(closed, smoltool, 'new', '--layers', '1', '--width', '16', '--heads', '1', '-o', '/dev/stdout')
        assert code == (1 if 1 in closed else 0), (closed, err)
    assert os.listdir(folder) == ['text']
