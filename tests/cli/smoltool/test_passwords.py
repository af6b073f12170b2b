"""Passwords of keys: without echo on a terminal, from a file, from a descriptor."""
import os
import pty
import signal
import subprocess
import termios
import time

import pytest
from key_files import key_pair
from programs import smoltool, tool

pytestmark = pytest.mark.slow


def on_terminal(words, typed, prompt):
    """Starts a program on a terminal of its own, types once it has asked; (exit status, all shown, whether it echoes at the end)."""
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # also where whoever runs the tests ignores it, as a shell lets what it runs in the background
        os.execv(words[0], [str(w) for w in words])
    shown = b''
    while prompt not in shown:
        shown += os.read(terminal, 1000)
    for _ in range(500):
        if not termios.tcgetattr(terminal)[3] & termios.ECHO:
            break
        time.sleep(0.01)
    assert not termios.tcgetattr(terminal)[3] & termios.ECHO, shown
    os.write(terminal, typed)
    time.sleep(0.3)
    echoes = bool(termios.tcgetattr(terminal)[3] & termios.ECHO)
    try:
        while chunk := os.read(terminal, 1000):
            shown += chunk
    except OSError:
        pass
    status = os.waitpid(pid, 0)[1]
    os.close(terminal)
    return status, shown, echoes


def test_passwords(folder):
    """Without echo on a terminal, which has its echo back after Ctrl-C too; from a file, or a descriptor."""
    path, key = folder / 'f', folder / 'k'
    path.write_bytes(b'x')
    locked, unlocked = key_pair(b'pw')
    key.write_text(locked)
    unlocked = unlocked.splitlines()[1]
    words = [smoltool, 'sign', '--detached', '--key', key, path]
    status, shown, echoes = on_terminal(words, b'\x03', b'Password for')
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT and echoes, (status, shown)
    assert not (folder / 'f.minisig').exists()
    status, shown, echoes = on_terminal(words, b'pw\n', b'Password for')
    assert status == 0 and echoes and b'pw' not in shown.replace(bytes(key), b''), (status, shown)
    tool('verify', '--pubkey', unlocked, path)
    (folder / 'password').write_text('pw\n')
    tool('sign', '--detached', '--key', key, '--password-file', folder / 'password', path)
    read, write = os.pipe()
    os.write(write, b'pw\nthe next line\n')
    os.close(write)
    tool('sign', '--detached', '--key', key, '--password-file', '/dev/fd/%d' % read, path, pass_fds=[read])
    assert os.read(read, 100) == b'the next line\n'
    os.close(read)
    tool('verify', '--pubkey', unlocked, path)
    (folder / 'f.minisig').unlink()
    (folder / 'wrong').write_text('pv\n')
    assert b'wrong password' in tool('sign', '--detached', '--key', key, '--password-file', folder / 'wrong', path, code=1).stderr
    assert b'password' in tool('sign', '--detached', '--key', key, path, code=1, stdin=subprocess.DEVNULL).stderr
    assert not (folder / 'f.minisig').exists()
