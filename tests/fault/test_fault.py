"""Every request for memory and every call that touches a file fails once, in small runs of every program: the n-th alone, then all from the
n-th on, for n = 1, 2, ... until a run does not reach it. Wanted each time: no signal and no hang; exit code 0, 1 or 2; a message
if it is not 0, and if it is, the very output of a run that was left alone; outputs that are as they were, or whole;
no temporary file left.

The first 12 n of each kind are tried, then every k-th, about 20 more. All of them, which is for a night or for one command:

    pytest tests/fault --build BUILD_DIR --long [-k inspect]"""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile

import container
import checkpoints
import deltas
import models
import numpy as np
import pytest
from programs import build, root, smoltool, unrestarted

NEAR, FAR = 12, 20
MEMORY = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None  # a disk would take a minute more for its syncs
CLEAN = {'PATH': '/usr/bin:/bin', 'HOME': '/nonexistent', 'LC_ALL': 'C.UTF-8', 'OMP_NUM_THREADS': '1', **unrestarted()}

# Name -> (program, words, files that may appear or change). What is printed is compared where it is always the same.
ANY_TEXT = {'keygen', 'bench', 'train', 'train sign', 'train full', 'train smol', 'train ternary', 'resume'}
COMMANDS = {
    'run': ('smolrun', ['m.smol', '-p', 'ab', '-n', '4', '-t', '1', '-s', '1'], []),
    'run json': ('smolrun', ['signed.smol', '-p', 'ab', '-n', '4', '-t', '2', '--json', '--seed', '7'], []),
    'run smol': ('smolrun', ['s.smol', '-n', '20', '-t', '1', '-s', '1'], []),
    'run lines': ('smolrun', ['m.smol', '-i', '-n', '3', '-t', '1', '-s', '1'], []),
    'perplexity': ('smolrun', ['m.smol', '--perplexity', 'text', '-t', '1'], []),
    'bench': ('smolrun', ['m.smol', '--bench', '-p', '4', '-n', '4', '-t', '1', '-r', '1'], []),
    'inspect': ('smoltool', ['inspect', 'm.smol'], []),
    'inspect json': ('smoltool', ['inspect', '--json', 'signed.smol'], []),
    'inspect smol': ('smoltool', ['inspect', '--json', 's.smol'], []),
    'inspect delta': ('smoltool', ['inspect', '--json', 'd.smol', '--base', 'm.smol'], []),
    'diff': ('smoltool', ['diff', 'm.smol', 'n.smol'], []),
    'diff json': ('smoltool', ['diff', '--json', 'm.smol', 'n.smol'], []),
    'diff smol': ('smoltool', ['diff', '--json', 'm.smol', 's.smol'], []),
    'verify': ('smoltool', ['verify', 'signed.smol', '--pubkey', 'k.pub'], []),
    'verify json': ('smoltool', ['verify', '--json', 'signed.smol', '--pubkey', 'k.pub'], []),
    'keygen': ('smoltool', ['keygen', '-W', '-p', 'new.pub', '-s', 'new.key'], ['new.pub', 'new.key']),
    'sign': ('smoltool', ['sign', '--key', 'k.key', 'm.smol', '-o', 'out'], ['out']),
    'sign in place': ('smoltool', ['sign', '--key', 'k.key', 'm.smol'], ['m.smol']),
    'new': ('smoltool', ['new', '--layers', '1', '--width', '8', '--heads', '2', '--method', 'lora', '--context', '4', '-o', 'out'], ['out']),
    'new smol': ('smoltool', ['new', '--arch', 'smol', '--layers', '1', '--width', '8', '--heads', '2', '--method', 'full', '--matrix-type', 'ternary',
                              '--context', '4', '--bytes-of', 'text', '--other', '-o', 'out'], ['out']),
    'new safetensors': ('smoltool', ['new', '--layers', '1', '--heads', '2', '--embeddings', 's.safetensors', '-o', 'out'], ['out']),
    'new npz': ('smoltool', ['new', '--layers', '1', '--heads', '2', '--embeddings', 'e.npz', '-o', 'out'], ['out']),
    'merge': ('smoltool', ['merge', 'm.smol', 'd.smol=0.5', '--sign', 'k.key', '-o', 'out'], ['out']),
    'weights': ('smoltool', ['weights', 'm.smol', 'h.0.mlp.c_fc.weight', '-o', 'out'], ['out']),
    'weights list': ('smoltool', ['weights', 'm.smol', '--list', '--json'], []),
    'export safetensors': ('smoltool', ['export', '--safetensors', 'm.smol', '-o', 'out'], ['out']),
    'export npz': ('smoltool', ['export', '--npz', 'm.smol', '-o', 'out'], ['out']),
    'export smol': ('smoltool', ['export', '--safetensors', 's.smol', '-o', 'out'], ['out']),
    'export gguf': ('smoltool', ['export', '--gguf', 'm.smol', '-o', 'out'], ['out']),
    'export delta': ('smoltool', ['export', '--npz', 'd.smol', '--base', 'm.smol', '-o', 'out'], ['out']),
    'export peft': ('smoltool', ['export', '--peft', 'd.smol', '-o', 'out'], ['out']),
    'import': ('smoltool', ['import', 'hf', '--type', 'q4', '--note', '\udcff', '--sign', 'k.key', '-o', 'out'], ['out']),
    'import adapter': ('smoltool', ['import', 'adapter', '--base', 'm.smol', '--note', '\udcff', '-o', 'out'], ['out']),
    'import gguf': ('smoltool', ['import', 'm.gguf', '-o', 'out'], ['out']),
    'embed-c': ('smoltool', ['embed-c', 'm.smol', '-o', 'out'], ['out']),
    'qr': ('smoltool', ['qr', 's.smol', '--scale', '2', '-o', 'out.png'], ['out.png']),
    'qr svg': ('smoltool', ['qr', 's.smol', '-o', 'out.svg'], ['out.svg']),
    'quantize': ('smoltool', ['quantize', '--embeddings', 'q4', '--json', '--text', 'text', 'm.smol', '-o', 'out'], ['out']),
    'quantize smol': ('smoltool', ['quantize', '--embeddings', 'ternary', '--params', 'q8', 's.smol', '-o', 'out'], ['out']),
    'pack': ('smoltool', ['pack', '-m', 's.smol', '-m', 'm.smol', '--text', '--check', '-o', 'out', 'text'], ['out']),
    'pack lines': ('smoltool', ['pack', '-m', 's.smol', '--lines', '--json', '-t', '2', 'lines.json'], []),
    'unpack lines': ('smoltool', ['unpack', '-m', 's.smol', '--lines', '--text', '--json', '-o', 'out', 'packed'], ['out']),
    'elephant': ('smoltool', ['elephant', '-o', 'out.svg', '--wiggle'], ['out.svg']),
    'fit': ('smoltool', ['elephant', '--fit', 'points', '-k', '3', '--json', '-o', 'out.svg'], ['out.svg']),
    'vectors': ('smoltool', ['generate-vectors', '-o', 'out'], ['out']),
    'train': ('smoltrain', ['--data', 'text', '--arch', 'gpt2', '--layers', '1', '--width', '8', '--heads', '2', '--context', '8', '--batch', '2', '--steps', '2',
                            '-t', '1', '-o', 'out'], ['out', 'out.ckpt']),
    'train sign': ('smoltrain', ['--data', 'lines.json', '--valid', 'text', '--arch', 'gpt2', '--method', 'lora', '--layers', '1', '--width', '8', '--heads', '2',
                                 '--context', '8', '--batch', '2', '--steps', '2', '-t', '1', '--sign', 'k.key', '--log', 'log',
                                 '--cache', 'cache', '-o', 'out'], ['out', 'out.ckpt', 'log', 'cache']),
    'train full': ('smoltrain', ['--data', 'text', '--arch', 'gpt2', '--method', 'full', '--layers', '1', '--width', '8', '--heads', '2', '--context', '8', '--batch', '2',
                                 '--steps', '2', '-t', '1', '-o', 'out.safetensors'], ['out.safetensors', 'out.ckpt']),
    'train smol': ('smoltrain', ['--data', 'text', '--layers', '1', '--width', '8', '--heads', '2', '--context', '8', '--batch', '2', '--steps', '2',
                                 '-t', '1', '-o', 'out'], ['out', 'out.ckpt']),
    'train ternary': ('smoltrain', ['--data', 'lines.json', '--documents', '--method', 'ternary', '--layers', '1', '--width', '8', '--heads', '2', '--context', '8', '--batch', '2',
                                    '--steps', '2', '-t', '1', '--cache', 'cache', '-o', 'out'], ['out', 'out.ckpt', 'cache']),
}
INPUT = {'run lines': b'ab\nc\n'}


def make_files(folder):
    """All that the commands read, by the reference."""
    model = models.random_model(3, (1, 2, 8, 12, 16, 256))
    signer = (b'\1\2\3\4\5\6\7\10', bytes(range(32)))
    (folder / 'm.smol').write_bytes(container.write(model))
    (folder / 's.smol').write_bytes((root / 'tests/golden/good/smol.smol').read_bytes())
    (folder / 'signed.smol').write_bytes(container.write(model, signer=signer))
    deltas.delta(folder / 'd.smol', [(folder / 'm.smol', 1.0)], deltas.lora(1))
    subprocess.run([smoltool, 'export', '--peft', folder / 'd.smol', '-o', folder / 'adapter'], check=True)
    model.card, model.conf.seed = b'{"name": "other"}', 5
    (folder / 'n.smol').write_bytes(container.write(model))
    import base64
    import nacl.signing
    secret = nacl.signing.SigningKey(signer[1])
    public = bytes(secret.verify_key)
    (folder / 'k.pub').write_bytes(b'untrusted comment: x\n' + base64.b64encode(b'Ed' + signer[0] + public) + b'\n')
    (folder / 'k.key').write_bytes(b'untrusted comment: x\n' + base64.b64encode(
        b'Ed\0\0B2' + bytes(48) + signer[0] + signer[1] + public + bytes(32)) + b'\n')
    (folder / 'text').write_bytes(b'First Citizen:\nBefore we proceed any further, hear me speak.\n' * 3)
    (folder / 'lines.json').write_bytes(b'{"text": "First Citizen: Before we proceed any further"}\n{"text": "hear me speak."}\n' * 3)
    (folder / 'packed').write_text('7yv$T/h;Amb!,nC\n')  # of golden/vectors/packed.txt, for smol.smol
    (folder / 'points').write_text('\n'.join('%f %f' % (np.cos(t), np.sin(2 * t)) for t in np.linspace(0, 6, 20)))
    tensors = checkpoints.random_tensors(n_layer=1, n_embd=32, n_inner=32)
    checkpoints.tokenizer_files(checkpoints.write_folder(folder / 'hf', tensors, checkpoints.config_json(n_layer=1, n_embd=32, n_inner=32)))
    keys = checkpoints.gguf_keys(*checkpoints.tokenizer_files(folder / 'hf'), n_layer=1, n_embd=32, n_inner=32)
    (folder / 'm.gguf').write_bytes(checkpoints.gguf(tensors, 'Q8_0', keys))
    wte, wpe = np.ones((4, 8), '<f4'), np.ones((2, 8), '<f4')
    np.savez_compressed(folder / 'e.npz', wte=wte, wpe=wpe)
    header = b'{"wte.weight":{"dtype":"F32","shape":[4,8],"data_offsets":[0,128]},"wpe.weight":{"dtype":"F32","shape":[2,8],"data_offsets":[128,192]}}'
    (folder / 's.safetensors').write_bytes(struct.pack('<Q', len(header)) + header + wte.tobytes() + wpe.tobytes())


def contents(path):
    """Bytes of a file, names and bytes of a folder, or None."""
    if path.is_dir():
        return {p.name: p.read_bytes() for p in sorted(path.iterdir())}
    return path.read_bytes() if path.exists() else None


def timeless(text):
    """Without what a clock or the system says."""
    return re.sub(rb'("\w+_(?:seconds|second|bytes)": )[0-9.e+-]+', rb'\1', text)


class Case:
    """A command, and what it does when it is left alone."""

    def __init__(self, name, home, preloaded):
        self.name, self.home, self.preloaded = name, home, preloaded
        self.program, self.words, self.outputs = COMMANDS[name]
        self.before = {o: contents(home / o) for o in self.outputs}
        self.names = {p.name for p in home.iterdir()}
        done, self.after, _, left = self.run('nothing', 1, False)
        if b'built without' in done.stderr:
            pytest.skip(done.stderr.decode().strip())
        assert done.returncode in ((0, 1) if name.startswith('diff') else (0,)) and not left, (name, done, left)
        self.code, self.stdout = done.returncode, done.stdout

    def run(self, kind, n, forever):
        """The process, its outputs, whether it came to the n-th call, and what it left besides."""
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            work, mark = pathlib.Path(folder) / 'w', pathlib.Path(folder) / 'mark'
            shutil.copytree(self.home, work)
            environment = dict(CLEAN, LD_PRELOAD=self.preloaded, FAULT_KIND=kind, FAULT_AT=str(n), FAULT_MARK=str(mark))
            if forever:
                environment['FAULT_FOREVER'] = '1'
            try:
                done = subprocess.run([build / 'tools' / self.program, *self.words], cwd=work, env=environment, input=INPUT.get(self.name, b''),
                                      capture_output=True, timeout=60)
            except subprocess.TimeoutExpired:
                done = subprocess.CompletedProcess([], -99, b'', b'it hangs')
            outputs = {o: contents(work / o) for o in self.outputs}
            left = {p.name for p in work.iterdir()} - self.names - set(self.outputs)
            left |= {p.name for o in self.outputs if (work / o).is_dir() for p in (work / o).iterdir() if '.tmp-' in p.name}
            return done, outputs, mark.exists() and mark.stat().st_size > 0, left

    def whole(self, output, found):
        """As it was, or as it is when all goes well; a folder may have a part of its files, each whole."""
        good = self.after[output]
        if output.endswith('.ckpt') and found:  # gone once there is a model
            n = struct.unpack_from('<Q', found)[0]
            return 8 + n + max(t['data_offsets'][1] for k, t in json.loads(found[8:8 + n]).items() if k != '__metadata__') == len(found)
        if found == self.before[output] or (found is None) == (good is None) and self.name in ANY_TEXT:
            return True
        if isinstance(found, dict):
            return all(self.name in ANY_TEXT or good.get(name) == data for name, data in found.items())
        return found == good

    def faults(self, kind, n, forever):
        """None if the run did not come to the n-th call, else what is wrong."""
        done, outputs, reached, left = self.run(kind, n, forever)
        if not reached:
            return None
        wrong = []
        if done.returncode not in (0, 1, 2):
            wrong.append('exit code %d' % done.returncode)
        if done.returncode != self.code and not done.stderr:
            wrong.append('no message')
        if done.returncode == self.code and self.name not in ANY_TEXT and timeless(done.stdout) != timeless(self.stdout):
            wrong.append('exit code %d, but another output: %r' % (done.returncode, done.stdout[-100:]))
        if done.returncode == self.code:
            wrong += ['%s is not what it should be' % o for o in self.outputs if outputs[o] != self.after[o] and not (self.name in ANY_TEXT and outputs[o])]
        wrong += ['%s is damaged' % o for o in self.outputs if not self.whole(o, outputs[o])]
        wrong += ['%s is left' % name for name in sorted(left)]
        return ['%s, %s %d%s: %s (%s)' % (self.name, kind, n, ' and on' if forever else '', w, done.stderr[-200:].decode(errors='replace').strip())
                for w in wrong]


def count(case, kind):
    """How many calls a run makes: the first n, by doubling and halving, that is not reached."""
    low, high = 0, 1
    while case.run(kind, high, False)[2]:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if case.run(kind, middle, False)[2] else (low, middle)
    return low


def numbers(total, long):
    if long or total <= NEAR + FAR:
        return list(range(1, total + 1))
    step = -(-(total - NEAR) // FAR)
    return list(range(1, NEAR + 1)) + list(range(NEAR + 1, total + 1, step)) + [total]


@pytest.fixture(scope='module')
def home():
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        make_files(pathlib.Path(name))
        yield pathlib.Path(name)


@pytest.fixture(scope='module')
def preloaded():
    with tempfile.TemporaryDirectory() as name:  # LD_PRELOAD takes no path with a space
        yield shutil.copy(build / 'tests/fault/libfault.so', name)


@pytest.mark.parametrize('name', COMMANDS)
def test_every_call_fails_once(name, home, preloaded, request):
    case, told, runs = Case(name, home, preloaded), [], {}
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for kind in ('memory', 'files'):
            total = runs[kind] = count(case, kind)
            assert total > 0, '%s: no call is counted; is %s loaded?' % (name, preloaded)
            jobs = [(kind, n, forever) for forever in (False, True) for n in numbers(total, request.config.getoption('--long'))]
            # A run that meets a failure may take another way, so the count is that of the run without any.
            told += [w for found in pool.map(lambda job: case.faults(*job), jobs) for w in found or []]
    print('%s: %d requests for memory, %d calls for files' % (name, runs['memory'], runs['files']))
    assert not told, '\n'.join(re.sub(r'\s+', ' ', line) for line in told[:12]) + ('\nand %d more' % (len(told) - 12) if len(told) > 12 else '')
