"""What is left of a training that ends badly: killed at any moment, out of room, out of numbers.

    pytest tests/cli/smoltrain/test_killed.py --build BUILD_DIR [--kills N] [--kill-seed N]

--kills 50 is the long version of the loop, of a minute or so: what there is after a SIGKILL is whole, what the resumed training
does is what the one that was never killed does."""
import json
import math
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import time

import pytest
from programs import build, root, smoltrain, unrestarted

pytestmark = pytest.mark.slow

FILES = {'text': (root / 'SPEC.md').read_bytes()[:30000]}
small = ['--arch', 'gpt2', '--layers', '2', '--width', '32', '--heads', '2', '--context', '16', '--batch', '4', '--threads', '1']


def start(*arguments, **more):
    return subprocess.Popen([str(a) for a in (smoltrain, *arguments)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                            text=True, **more)


def run(folder, *arguments, code=0, **more):
    process = start(*arguments, '--data', folder / 'text', **more)
    message = process.communicate(timeout=250)[1]
    assert process.returncode == code, (arguments, process.returncode, message)
    return message


def interrupt(folder, *arguments):
    """Stops a training after a few steps, so that there is a checkpoint; its step."""
    log = folder / 'interrupted.log'
    process = start(*arguments, '-o', folder / 'm.smol', '--data', folder / 'text', '--log', log)
    while not log.exists() or log.read_text().count('"train"') < 3:
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=250)
    assert process.returncode == 1
    (folder / 'm.smol').unlink()
    return checkpoint_step(folder / 'm.ckpt')


def checkpoint_step(path):
    """The step of a checkpoint that is whole: a safetensors file whose tensors fill it and hold finite numbers."""
    raw = path.read_bytes()
    n, = struct.unpack('<Q', raw[:8])
    header = json.loads(raw[8:8 + n])
    metadata = header.pop('__metadata__')
    end = 0
    for begin, this_end in sorted(entry['data_offsets'] for entry in header.values()):
        assert begin == end
        end = this_end
    assert len(raw) == 8 + n + end
    assert all(math.isfinite(x) for x in struct.unpack(f'<{end // 4}f', raw[8 + n:]))
    return int(metadata['step'])


def curve(log):
    """What was measured at each step, times left out; every line is a whole record."""
    text = log.read_text()
    assert text.endswith('\n')
    records = [json.loads(line) for line in text.splitlines()]
    return [{k: v for k, v in r.items() if k != 'seconds'} for r in records if r['event'] != 'start']


def leftovers(folder):
    return [p.name for p in folder.rglob('*.tmp-*')]


# Each test gets an empty folder with a text.

def test_killed_at_any_moment(folder, request):
    draw, wanted = random.Random(request.config.getoption('--kill-seed')), request.config.getoption('--kills')
    recipe = [*small, '--steps', '40', '--save-every', '1', '--eval-every', '7', '--keep', 'best', '--order', 'shuffled',
              '--method', 'full']
    begun = time.monotonic()
    run(folder, *recipe, '-o', folder / 'whole.safetensors', '--log', folder / 'whole.log')
    seconds = time.monotonic() - begun
    whole = (folder / 'whole.safetensors').read_bytes()
    out, log = folder / 'm.safetensors', folder / 'm.log'
    checkpoint = out.with_suffix('.ckpt')
    kills = broken = rounds = 0
    while kills < wanted or rounds == 0:
        for path in (out, log, *(folder / 'cache').glob('*.corpus')):
            path.unlink(missing_ok=True)
        last = 0
        while True:
            resume = ['--resume'] if checkpoint.exists() else []
            process = start(*recipe, '-o', out, '--data', folder / 'text', '--log', log, '--cache', folder / 'cache', *resume)
            try:
                message = process.communicate(timeout=draw.uniform(0, seconds / 2) if kills < wanted else 250)[1]
                assert process.returncode == 0, message
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            kills += process.returncode == -signal.SIGKILL
            broken += bool(leftovers(folder))
            if checkpoint.exists():
                step = checkpoint_step(checkpoint)
                assert step >= last, f'the checkpoint went back from step {last} to {step}'
                last = step
            if out.exists() and not checkpoint.exists():
                break  # killed after its last deed
        assert out.read_bytes() == whole and not checkpoint.exists()
        assert curve(log) == curve(folder / 'whole.log')
        rounds += 1
    print(f'killed {kills} times in {rounds} trainings, {broken} times while a file was being written')
    run(folder, *recipe, '-o', out, '--log', log, '--cache', folder / 'cache')
    assert leftovers(folder) == []


def test_killed_at_every_call(folder):
    """Before each call that touches a file: the whole of a short training, which then goes on."""
    if os.environ.get('SMOL_SANITIZED'):
        pytest.skip('what kills at a call is not loaded beside the sanitizers')
    shim = shutil.copy(build / 'tests/fault/libfault.so', folder)  # LD_PRELOAD takes no path with a space
    recipe = [*small, '--steps', '3', '--save-every', '1', '--eval-every', '2', '--keep', 'best']
    run(folder, *recipe, '-o', folder / 'whole.smol', '--log', folder / 'whole.log')
    whole = (folder / 'whole.smol').read_bytes()
    out, checkpoint, log = folder / 'm.smol', folder / 'm.ckpt', folder / 'm.log'
    recipe += ['-o', out, '--log', log, '--cache', folder / 'cache']
    n = 0
    while True:
        n += 1
        shutil.rmtree(folder / 'cache', ignore_errors=True)
        for path in (out, log):
            path.unlink(missing_ok=True)
        process = start(*recipe, '--data', folder / 'text', env=dict(
            os.environ, **unrestarted(), LD_PRELOAD=shim, FAULT_KIND='files', FAULT_AT=str(n), FAULT_KILL='1', FAULT_MARK=folder / 'mark'))
        process.communicate(timeout=250)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, (n, process.returncode)
        if checkpoint.exists():
            checkpoint_step(checkpoint)
            run(folder, *recipe, '--resume')
        elif not out.exists():
            run(folder, *recipe)
        assert out.read_bytes() == whole and not checkpoint.exists(), n
        assert curve(log) == curve(folder / 'whole.log'), n
    print(f'killed before each of {n - 1} calls')
    assert n > 50 and leftovers(folder) == []


def test_a_log_goes_on_from_the_checkpoint(folder):
    """Records of steps that come again go, that of the interrupted model, and half a line; what is not ours stays."""
    recipe = [*small, '--steps', '400', '--save-every', '0', '--eval-every', '0']
    run(folder, *recipe, '-o', folder / 'whole.smol', '--log', folder / 'whole.log')
    step = interrupt(folder, *recipe)
    log = folder / 'interrupted.log'
    with open(log, 'a') as file:
        file.write('a remark\n' + json.dumps({'event': 'train', 'step': step + 1, 'loss': 9}) + '\n{"event":"tr')
    run(folder, '-o', folder / 'm.smol', '--resume', '--log', log, '--eval-every', '0')
    text = log.read_text()
    assert text.count('a remark\n') == 1
    log.write_text(text.replace('a remark\n', ''))
    assert curve(log) == curve(folder / 'whole.log')


def limit(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_no_room_for_a_checkpoint(folder):
    """The old checkpoint stays; the model, which is smaller, is written if there is room for that."""
    out, checkpoint = folder / 'm.smol', folder / 'm.ckpt'
    recipe = [*small, '--steps', '400', '--save-every', '0', '--eval-every', '0']
    run(folder, *recipe, '-o', folder / 'whole.smol')
    step = interrupt(folder, *recipe)
    old = checkpoint.read_bytes()
    assert len(old) > 20000
    message = run(folder, '-o', out, '--resume', '--save-every', '1', code=1, preexec_fn=limit(20000))
    first, second = message.splitlines()[1:]  # after that of the memory
    assert first == f'smoltrain: {checkpoint}: cannot write: File too large', message
    assert f'the checkpoint of step {step} is whole' in second
    assert checkpoint.read_bytes() == old and not out.exists() and leftovers(folder) == []
    message = run(folder, '-o', out, '--resume', '--save-every', '0', preexec_fn=limit(20000))
    assert f'smoltrain: {checkpoint}: cannot write: File too large' in message, message
    assert out.read_bytes() == (folder / 'whole.smol').read_bytes() and leftovers(folder) == []


def test_no_room_for_the_model(folder):
    """A folder appears where the model is to be, as good as a full disk: the last step is not lost."""
    out = folder / 'm.smol'
    arguments = [*small, '--eval-every', '0', '--save-every', '0']
    run(folder, *arguments, '-o', folder / 'whole.smol', '--steps', '400')
    log = folder / 'log'
    process = start(*arguments, '--data', folder / 'text', '-o', out, '--steps', '400', '--log', log)
    while not log.exists():
        time.sleep(0.001)
    out.mkdir()
    message = process.communicate(timeout=250)[1]
    assert process.returncode == 1 and 'm.smol: cannot write: it is a directory' in message and 'step 400 is whole' in message, message
    assert leftovers(folder) == [] and checkpoint_step(folder / 'm.ckpt') == 400
    message = run(folder, '-o', out, '--resume', code=1)
    assert 'm.smol: cannot write: it is a directory' in message, message
    out.rmdir()
    run(folder, '-o', out, '--resume')
    assert out.read_bytes() == (folder / 'whole.smol').read_bytes()


def test_no_room_for_the_log(folder):
    """The training goes on, and its end says it."""
    message = run(folder, *small, '--steps', '20', '-o', folder / 'm.smol', '--log', '/dev/full', code=1)
    assert message.splitlines()[-1] == 'smoltrain: /dev/full: could not be written', message
    assert (folder / 'm.smol').exists()


def test_a_loss_that_is_no_number(folder):
    """A rate of learning that throws the numbers far beyond: the step is named, the last checkpoint stays."""
    out = folder / 'm.safetensors'
    arguments = [*small, '--method', 'full', '-o', out, '--steps', '400', '--save-every', '1', '--eval-every', '0', '--clip',
                 '0', '--lr', '999', '--logit-scale', '1e15', '--warmup', '300', '--embedding-std', '1000']
    message = run(folder, *arguments, code=1)
    stopped = [line for line in message.splitlines() if 'not finite' in line]
    assert len(stopped) == 1 and 'step ' in stopped[0], message
    step = int(stopped[0].split('step ')[1].split(':')[0])
    assert step > 1 and checkpoint_step(out.with_suffix('.ckpt')) == step - 1
    assert f'the checkpoint of step {step - 1} is whole' in message and not out.exists()
