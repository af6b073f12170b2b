"""Files that shrink or change while they are used: a message and exit code 1, never a crash, and nothing half written."""
import os
import subprocess
import time

import pytest
from programs import keys, sanitized, smolrun, smoltool, tiny_model as model, tool


def waiting(*arguments):
    """A program that has opened its model and waits for its input."""
    process = subprocess.Popen([str(a) for a in arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(1000):
        with open('/proc/%d/maps' % process.pid, encoding='utf-8', errors='replace') as maps:
            if str(arguments[1]) in maps.read() and process.poll() is None:
                break
        time.sleep(0.01)
    time.sleep(1.5 if sanitized else 0.4)
    return process


def large(folder):
    return model(folder, '--width', '512', '--vocab', '20000', '--layers', '2')


def test_shrinking_under_smolrun(folder):
    """Cut short between the checks and the first word: one line and 1, with any number of threads."""
    for threads in ('1', '2'):
        for size in (4096, 0):
            path = large(folder)
            process = waiting(smolrun, path, '-n', '50', '-t', threads)
            os.truncate(path, size)
            out, err = process.communicate(b'hello', timeout=60)
            assert process.returncode == 1 and err.count(b'\n') == 1, (process.returncode, out, err)
            assert err == b'smolrun: %s: the file was cut short or could not be read while in use\n' % str(path).encode(), err


def test_changing_under_smolrun(folder):
    path = model(folder)
    process = waiting(smolrun, path, '-n', '5')
    with open(path, 'r+b') as file:
        file.seek(-1, os.SEEK_END)
        file.write(b'\0')
    err = process.communicate(b'hello', timeout=60)[1]
    assert process.returncode == 1 and b'm.smol: the file changed while it was in use' in err, err
    # One that is replaced, as these programs replace files, is not changed.
    path = model(folder)
    process = waiting(smolrun, path, '-n', '5')
    os.replace(model(folder, '--seed', '8', name='new'), path)
    process.communicate(b'hello', timeout=60)
    assert process.returncode == 0


def shrink_at(words, path, size, deadline):
    """Cuts the file a while after the program began; its exit code, and what it said."""
    process = subprocess.Popen([str(w) for w in words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(deadline)
    os.truncate(path, size)
    err = process.communicate(timeout=120)[1]
    return process.returncode, err


@pytest.mark.slow
def test_shrinking_under_smoltool(folder):
    """At whatever moment: done before, or one line and 1; no output half there, and nothing left beside it."""
    keys(folder, 'a')
    lost = 0
    for command in (['verify', '--pubkey', folder / 'a.pub'], ['inspect'], ['sign', '--key', folder / 'a.key', '-o', folder / 'out'],
                    ['sign', '--detached', '--key', folder / 'a.key', '-o', folder / 'out'], ['export', '--gguf', '-o', folder / 'out'],
                    ['embed-c', '-o', folder / 'out'], ['quantize', '--embeddings', 'q4', '-o', folder / 'out'], ['digest']):
        for wait in (0.004, 0.01, 0.02, 0.04, 0.08):
            path = large(folder)
            tool('sign', '--detached', '--key', folder / 'a.key', path)
            code, err = shrink_at([smoltool, *command, path], path, 8192, wait * (5 if sanitized else 1))
            tells = command[0] in ('sign', 'digest')  # what they did, in a line
            assert code in (0, 1) and err.count(b'\n') == (code or int(tells)), (command, code, err)
            assert code == 0 or b'm.smol' in err, (command, err)
            assert code == 0 or not (folder / 'out').exists(), command
            lost += b'cut short' in err
            (folder / 'out').unlink(missing_ok=True)
            assert not list(folder.glob('*.tmp-*')), command
    assert lost > 3
