"""Pipes, devices and empty files where regular files are usual; and what never ends."""
import os
import subprocess
import threading

import pytest

from programs import keys, run, sanitized, smolrun, smoltool, smoltrain, tiny_model, tool, write

FILES = {'text': b'the quick brown fox jumps over the lazy dog; ' * 40, 'empty': b''}
SMALL = ['--arch', 'gpt2', '--method', 'embed', '--layers', '1', '--width', '16', '--heads', '1', '--context', '8', '--batch', '2', '--steps', '2',
         '--eval-every', '0', '-t', '1']


def piped(words, path, **more):
    """The command, in which '|' is a pipe that has this file: /dev/fd/N, as the shell's <(cat FILE)."""
    out, into = os.pipe()

    def feed():
        with open(into, 'wb') as to:
            try:
                to.write(path.read_bytes())
            except BrokenPipeError:
                pass
    thread = threading.Thread(target=feed)
    thread.start()
    try:
        return run(*['/dev/fd/%d' % out if w == '|' else w for w in words], pass_fds=(out,), **more)
    finally:
        os.close(out)
        thread.join()


def test_texts_from_pipes(folder):
    """Every option that takes a text: as from the file."""
    model, text = tiny_model(folder, '--context', '200'), write(folder / 'text', FILES['text'][:150])
    tool('tokenizer', 'train', '--vocab', '300', text, '-o', folder / 't.smoltok')
    for words in ([smolrun, model, '--perplexity', '|'], [smolrun, model, '-f', '|', '-n', '3', '-s', '1', '--no-display-prompt'],
                  [smoltool, 'quantize', '--embeddings', 'q8', '--text', '|', model, '-o', folder / 'q.smol'],
                  [smoltool, 'tokenizer', 'encode', folder / 't.smoltok', '|'],
                  [smoltool, 'pack', '-m', model, '|'],
                  [smoltool, 'digest', '|']):
        piped_out = piped(words, text).stdout
        expected = run(*[text if w == '|' else w for w in words]).stdout
        if 'digest' in words:
            piped_out, expected = piped_out.split()[0], expected.split()[0]
        assert piped_out == expected and expected, words
    piped([smoltool, 'tokenizer', 'train', '--vocab', '300', '|', '-o', folder / 'p.smoltok'], text)
    assert (folder / 'p.smoltok').read_bytes() == (folder / 't.smoltok').read_bytes()


def test_training_data_from_a_pipe(folder):
    run(smoltrain, '--data', folder / 'text', *SMALL, '-o', folder / 'a.smol')
    piped([smoltrain, '--data', '|', *SMALL, '-o', folder / 'b.smol'], folder / 'text')
    for name in ('a.npy', 'b.npy'):
        tool('weights', folder / name.replace('npy', 'smol'), 'wte.weight', '-o', folder / name)
    assert (folder / 'a.npy').read_bytes() == (folder / 'b.npy').read_bytes()
    err = piped([smoltrain, '--data', '|', *SMALL, '-o', folder / 'c.smol', '--cache', folder / 'c'], folder / 'text', code=1).stderr
    assert err.count(b'\n') == 1 and b'--cache' in err, err


def test_models_from_pipes(folder):
    """Read into memory, with the same checks."""
    model = tiny_model(folder)
    keys(folder, 'k')
    tool('sign', '-k', folder / 'k.key', model)
    tool('tokenizer', 'train', '--vocab', '300', folder / 'text', '-o', folder / 't.smoltok')
    words = tiny_model(folder, '--tokenizer', folder / 't.smoltok', name='w.smol')
    for path, command in ((model, [smolrun, '--trust', folder / 'k.pub', '|', '-p', 'a', '-n', '3', '-s', '1']),
                          (model, [smoltool, 'verify', '--pubkey', folder / 'k.pub', '|']), (words, [smoltool, 'verify', '|']),
                          (words, [smoltool, 'tokenizer', 'encode', '|', folder / 'text'])):
        assert piped(command, path).stdout == run(*[path if w == '|' else w for w in command]).stdout != b'', command
    for path in (model, words):
        assert b'"hash"' in piped([smoltool, 'inspect', '--json', '|'], path).stdout
    for command in ([smoltool, 'embed-c', '|', '-o', folder / 'out'], [smoltool, 'weights', '|', 'wte.weight', '-o', folder / 'out'],
                    [smoltool, 'quantize', '--embeddings', 'q4', '|', '-o', folder / 'out'],
                    [smoltool, 'sign', '-k', folder / 'k.key', '|', '-o', folder / 'out']):
        piped(command, model)
        got = (folder / 'out').read_bytes()
        run(*[model if w == '|' else w for w in command])
        assert got == (folder / 'out').read_bytes(), command
    piped([smoltool, 'tokenizer', 'import', '|', '-o', folder / 'out'], words)
    assert (folder / 'out').read_bytes() == (folder / 't.smoltok').read_bytes()
    damaged = bytearray(model.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    err = piped([smolrun, '|', '-n', '1'], write(folder / 'damaged', bytes(damaged)), code=1).stderr
    assert err.count(b'\n') == 1 and b'byte ' in err, err


def test_keys_from_pipes(folder):
    """A secret that a program decrypts need not lie in a file."""
    model = tiny_model(folder)
    keys(folder, 'k')
    piped([smoltool, 'sign', '-k', '|', model], folder / 'k.key')
    piped([smoltool, 'verify', '--pubkey', '|', model], folder / 'k.pub')


def test_a_named_pipe(folder):
    os.mkfifo(folder / 'pipe')
    writer = subprocess.Popen(['cp', folder / 'text', folder / 'pipe'])
    out = tool('digest', folder / 'pipe').stdout
    assert writer.wait(60) == 0
    assert out.split()[0] == run('b2sum', folder / 'text').stdout.split()[0]


def test_nobody_waits_for_a_signature(folder):
    """A named pipe that came along with a model."""
    model = tiny_model(folder)
    keys(folder, 'k')
    os.mkfifo(folder / 'm.smol.minisig')
    for words in ([smoltool, 'verify', '--pubkey', folder / 'k.pub', model], [smolrun, '--trust', folder / 'k.pub', model, '-n', '0']):
        assert b'not signed' in run(*words, code=1, timeout=60).stderr
    tool('verify', model, timeout=60)


# ---- empty files ----

def test_empty_files_are_signed_and_hashed(folder, minisign):
    empty = folder / 'empty'
    keys(folder, 'ours')
    run('minisign', '-G', '-W', '-p', folder / 'theirs.pub', '-s', folder / 'theirs.key')
    for path in (empty, '/dev/null'):
        assert tool('digest', path).stdout == run('b2sum', path).stdout
    for key in ('ours', 'theirs'):
        tool('sign', '--detached', '-k', folder / (key + '.key'), empty)
        run('minisign', '-V', '-p', folder / (key + '.pub'), '-m', empty)
        for kind in ([], ['-l']):
            run('minisign', '-S', *kind, '-s', folder / (key + '.key'), '-m', empty)
            assert b'signature  ok' in tool('verify', '--pubkey', folder / (key + '.pub'), empty).stdout
    err = tool('verify', '--pubkey', folder / 'ours.pub', empty, code=1).stderr
    assert err.count(b'\n') == 1 and b'empty.minisig' in err, err
    empty.write_bytes(b'x')
    assert b'does not match' in tool('verify', '--pubkey', folder / 'theirs.pub', empty, code=1).stderr


def test_empty_files_elsewhere(folder):
    """One line that names it, wherever something had to be in it."""
    model, empty = tiny_model(folder), folder / 'empty'
    keys(folder, 'k')
    write(folder / 'e.json', b'')
    write(folder / 'e.txt', b'')
    write(folder / 'e.safetensors', b'')
    write(folder / 'e.npy', b'')
    write(folder / 'e.npz', b'')
    shape = ['--layers', '1', '--heads', '1', '--context', '8', '-o', folder / 'out']
    for words in ([smolrun, empty, '-n', '1'], [smolrun, model, '--perplexity', empty], [smolrun, '--trust', empty, model],
                  [smoltool, 'verify', empty], [smoltool, 'inspect', empty], [smoltool, 'sign', '-k', empty, model],
                  [smoltool, 'sign', '-k', folder / 'k.key', empty],
                  [smoltool, 'quantize', '--embeddings', 'q8', '--text', empty, model, '-o', folder / 'out'],
                  [smoltool, 'tokenizer', 'import', folder / 'e.json', '-o', folder / 'out'],
                  [smoltool, 'tokenizer', 'import', folder / 'e.txt', '-o', folder / 'out'],
                  [smoltool, 'tokenizer', 'encode', empty, folder / 'text'],
                  [smoltool, 'tokenizer', 'train', '--vocab', '300', empty, '-o', folder / 'out'],
                  [smoltool, 'new', '--tokenizer', empty, *shape], [smoltool, 'new', '--embeddings', folder / 'e.safetensors', *shape],
                  [smoltool, 'new', '--embeddings', folder / 'e.npy', *shape], [smoltool, 'new', '--embeddings', folder / 'e.npz', *shape],
                  [smoltrain, '--data', empty, *SMALL, '-o', folder / 'out']):
        err = run(*words, code=1).stderr
        assert err.count(b'\n') == 1 and (b'/empty' in err or b'/e.' in err), (words, err)
        assert not (folder / 'out').exists(), words


# ---- without an end ----

@pytest.mark.slow
def test_what_never_ends(folder):
    """A gigabyte, and no more."""
    model = tiny_model(folder)
    for words in ([smoltool, 'digest', '/dev/zero'], [smolrun, model, '-f', '/dev/zero', '-n', '1']):
        err = run(*words, code=1).stderr
        assert err.count(b'\n') == 1 and b'/dev/zero: ' in err and (b'1 GiB' in err or b'too large' in err), (words, err)


def test_memory_that_is_refused(folder):
    if sanitized:
        pytest.skip('the sanitizers take more address space')
    err = run('sh', '-c', 'ulimit -v 300000; exec "$0" digest /dev/zero', smoltool, code=1).stderr
    assert err == b'smoltool digest: /dev/zero: out of memory\n', err
