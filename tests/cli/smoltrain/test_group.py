"""smoltrain under mpirun: the same loss curve as alone, one writer, and a killed process whose training goes on."""
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import time

import pytest
from programs import root, sanitized, smoltrain

pytestmark = pytest.mark.slow

# Words at random, the same for ever: with masks a sum in another order may turn a bit over, so another text may have another curve.
WORDS = ['a', 'model', 'of', 'the', 'text', 'learns', 'from', 'each', 'window,', 'and', 'then', 'it', 'is', 'read', 'again.\n']
FILES = {'text': ' '.join(random.Random(1).choices(WORDS, k=6000)).encode()[:30000]}

small = ['--arch', 'gpt2', '--layers', '2', '--width', '32', '--heads', '2', '--context', '16', '--batch', '8', '--eval-every', '20', '--threads', '1']
# As root and on fewer cores than processes; a container may forbid reading each other's memory.
environment = {**os.environ, 'OMPI_ALLOW_RUN_AS_ROOT': '1', 'OMPI_ALLOW_RUN_AS_ROOT_CONFIRM': '1',
               'OMPI_MCA_rmaps_base_oversubscribe': '1', 'OMPI_MCA_btl_vader_single_copy_mechanism': 'none',
               'OMPI_MCA_mpi_yield_when_idle': '1'}


@pytest.fixture
def mpi():
    if sanitized:
        pytest.skip('Open MPI does not run under the sanitizers')
    if not shutil.which('mpirun') or b'libmpi' not in subprocess.run(['ldd', smoltrain], capture_output=True).stdout:
        pytest.skip('no Open MPI here')


def command(n, folder, *arguments):
    start = ['mpirun', '-n', str(n)] if n else []
    return [*start, smoltrain, '--data', folder / 'text', *small, *arguments]


def run(n, folder, *arguments, code=0):
    done = subprocess.run(list(map(str, command(n, folder, *arguments))), capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == code, (n, arguments, done.returncode, done.stdout, done.stderr)
    return done


def losses(log, event='train'):
    found = [json.loads(line) for line in log.read_text().splitlines()]
    name = 'loss' if event == 'train' else 'nats_per_token'
    return {r['step']: r[name] for r in found if r['event'] == event}


def same_curve(a, b):
    assert a.keys() == b.keys() and a, (len(a), len(b))
    worst = max(abs(a[step] - b[step]) for step in a)
    assert worst < 1e-4, worst


def test_the_curve_is_that_of_one_process(folder, mpi):
    for method, end in (('alpha', '.smol'), ('fastfood', '.smol'), ('full', '.safetensors'), ('mask', '.smol'), ('ternary', '.smol')):
        options = ['--method', method, '--steps', '40', *(['--d', '50'] if method == 'fastfood' else []),
                   *(['--arch', 'smol'] if method in ('mask', 'ternary') else [])]
        run(0, folder, *options, '--log', folder / 'one', '-o', folder / ('one' + end))
        for n in (2, 4):
            log = folder / f'{method}{n}'
            done = run(n, folder, *options, '--log', log, '-o', folder / (f'm{n}' + end))
            assert done.stdout.count('validation loss') == 1, done.stdout
            same_curve(losses(folder / 'one'), losses(log))
            same_curve(losses(folder / 'one', 'validation'), losses(log, 'validation'))
    assert not list(folder.glob('*.ckpt'))


def test_alone(folder):
    """What mpirun has not started trains by itself."""
    run(0, folder, '--steps', '3', '-o', folder / 'm.smol')
    assert (folder / 'm.smol').exists()


def test_what_cannot_be(folder, mpi):
    done = run(3, folder, '--steps', '2', '-o', folder / 'x.smol', code=2)
    assert done.stderr.count('smoltrain: options: the batch must be a multiple of the number of processes') == 1, done.stderr
    done = subprocess.run(['mpirun', '-n', '2', smoltrain, 'sweep', '--data', folder / 'text', '--d', '1,2', '-o', folder / 's'],
                          capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 2 and 'is for one process' in done.stderr, done.stderr
    assert not (folder / 'x.smol').exists() and not (folder / 's').exists()


def processes(needle):
    """Those of smoltrain that have this word on their command line."""
    found = []
    for entry in pathlib.Path('/proc').iterdir():
        try:
            words = (entry / 'cmdline').read_bytes().split(b'\0')
        except OSError:
            continue
        if words[0].endswith(b'smoltrain') and needle.encode() in words:
            found.append(int(entry.name))
    return sorted(found)


def stopped_and_resumed(folder, stop):
    """A training of two, stopped by stop(process, pids) after the first checkpoint, goes on to the curve of one that was not."""
    log, out = folder / 'log', folder / 'm.smol'
    options = ['--method', 'lora', '--steps', '400', '--save-every', '20', '--eval-every', '0']
    run(2, folder, *options, '--log', folder / 'whole', '-o', folder / 'whole.smol')
    process = subprocess.Popen(list(map(str, command(2, folder, *options, '--log', log, '-o', out))), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, env=environment)
    deadline = time.monotonic() + 60
    while not (folder / 'm.ckpt').exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    stop(process, processes(str(out)))
    assert process.wait(timeout=60) != 0
    assert (folder / 'm.ckpt').exists()
    run(2, folder, '--resume', '--log', log, '-o', out)
    same_curve(losses(folder / 'whole'), losses(log))


def test_a_killed_process(folder, mpi):
    for which in (0, 1):
        place = folder / str(which)
        place.mkdir()
        shutil.copy(folder / 'text', place)
        stopped_and_resumed(place, lambda _, pids: os.kill(pids[which], signal.SIGKILL))


def test_a_stop_by_signal(folder, mpi):
    """The signal reaches one process; all stop after the same step."""
    stopped_and_resumed(folder, lambda _, pids: os.kill(pids[1], signal.SIGTERM))
