"""Other processors, under qemu: AArch64 with and without dot products, and x86-64 of older kinds. Kernel by kernel against plain C, and
whole programs against the native one: the same text, the same losses, no instruction that the processor lacks.

    pytest tests/cross --build BUILD_DIR --aarch64 AARCH64_BUILD_DIR"""
import concurrent.futures
import json
import subprocess
import tempfile

import pytest
from programs import build, root

shipped = sorted((root / 'models').glob('*.smol'), key=lambda path: path.stat().st_size)
models = shipped + sorted((root / 'tests/golden/good').glob('*.smol'))


def run(*command):
    return subprocess.run([str(c) for c in command], capture_output=True, timeout=280)


def machine(name, aarch64):
    """A processor and what runs smolrun on it."""
    return {'plain AArch64': ['qemu-aarch64', '-cpu', 'cortex-a53', aarch64 / 'tools/smolrun'],
            'AArch64 with dot products': ['qemu-aarch64', '-cpu', 'max', aarch64 / 'tools/smolrun']}.get(
                name, ['qemu-x86_64', '-cpu', name, build / 'tools/smolrun'])


# Of test_isa the second processor runs what the first one cannot: the tables with dot products.
UNIT_TESTS = [(test, cpu) for test in ('test_isa', 'test_fpenv', 'test_frozen', 'test_golden_packed', 'test_kernel', 'test_spec') for cpu in ('cortex-a53', 'max')]
UNIT_TESTS += [('test_architecture', 'max'), ('test_session', 'max'), ('test_session_overflow', 'max')]


@pytest.mark.parametrize('test, cpu', UNIT_TESTS)
def test_arithmetic(test, cpu, aarch64, check):
    """The tests of arithmetic as they are run natively; each of their cases is one here."""
    done = run('qemu-aarch64', '-cpu', cpu, aarch64 / 'tests/plain' / test, *['dotprod'] * (test == 'test_isa' and cpu == 'max'))
    last = (done.stdout.decode().splitlines() or [''])[-1].split()
    if len(last) == 4 and last[1] == 'passed,' and int(last[0]) > 0:
        check.add(int(last[0]), int(last[2]), done.stdout.decode()[-800:])
    else:
        check.that(False, 'ended with %d: %r' % (done.returncode, done.stderr[-300:]))


def result(command, model, *words):
    done = run(*command, model, '--json', '--temp', '0', '-n', '8', *words)
    if done.returncode != 0:
        return 'exit code %d: %r' % (done.returncode, done.stderr[-300:])
    told = json.loads(done.stdout)
    return told.get('tokens', told.get('nats_per_token'))


def test_whole_programs(aarch64, check):
    with tempfile.NamedTemporaryFile() as text:
        text.write(bytes(range(5)) * 8)
        text.flush()
        tasks = [(model, words) for model in models for words in (['-f', text.name, '-c', '0'], ['--perplexity', text.name])]
        for model in (root / 'tests/golden/good/alpha-f16-q8.smol', root / 'models/shakespeare-alpha.smol'):
            tasks += [(model, ['--perplexity', text.name, *words]) for words in (['--fast'], ['--kv', 'f16'])]
        told = [result([build / 'tools/smolrun'], model, *words) for model, words in tasks]
        # x86 runs two kinds of kernels: plain C on Nehalem and SandyBridge, AVX2 on Haswell and qemu's largest. alpha and lora, which take
        # seconds each, are run once as plain C and with AVX2 by Haswell.
        tasks = list(zip(tasks, told))
        small = [task for task in tasks if task[0][0].stem not in ('shakespeare-alpha', 'shakespeare-lora')]
        once = [task for task in tasks if task not in small and task[0][1][0] == '-f']
        parts = {'Nehalem': small + once, 'SandyBridge': small[:2], 'max': small}
        jobs = [(name, isa, model, words, want) for name, isas in (
            ('plain AArch64', ('neon', 'scalar')), ('AArch64 with dot products', ('best',)), ('Nehalem', ('best',)),
            ('Haswell', ('avx2',)), ('SandyBridge', ('best',)), ('max', ('best',)))
                for isa in isas for (model, words), want in parts.get(name, tasks)]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            found = pool.map(lambda j: result(machine(j[0], aarch64), j[2], '--isa', j[1], *j[3]), jobs)
            for (name, isa, model, words, want), got in zip(jobs, found):
                same = got == want or (isinstance(want, float) and isinstance(got, float) and abs(got - want) < 1e-12)
                # A prompt that a small model's context or vocabulary does not take is refused alike.
                refused = isinstance(want, str) and isinstance(got, str) and got.split(':')[0] == want.split(':')[0] == 'exit code 1'
                check.that(same or refused, '%s, %s, %s %s: %s, natively %s' % (name, isa, model.name, words, got, want))


PACKED = [('plain AArch64', 'neon'), ('plain AArch64', 'scalar'), ('AArch64 with dot products', 'best'), ('Haswell', 'avx2'), ('max', 'best')]


@pytest.mark.parametrize('name, isa', PACKED)
def test_packed_texts(name, isa, aarch64, folder, check):
    """Packed there and here the same bytes, which is unpacked in both directions."""
    there = [*machine(name, aarch64)[:-1], (build if name in ('Haswell', 'max') else aarch64) / 'tools/smoltool']
    text, packed = folder / 'text', folder / 'packed'
    text.write_bytes('a ba, abba é\n\1'.encode())
    for model in [root / 'tests/golden/good' / (m + '.smol') for m in ('smol', 'byte-set-other-end', 'q4-row')] + models[:1]:
        told = [run(*command, 'pack', '-m', model, '--isa', i, text) for command, i in ((there, isa), ([build / 'tools/smoltool'], 'best'))]
        check.equal((told[0].returncode, told[0].stdout), (0, told[1].stdout), '%s packed by %s, %s: %r' % (model.name, name, isa, told[0].stderr[-200:]))
        packed.write_bytes(told[1].stdout)
        back = run(*there, 'unpack', '-m', model, '--isa', isa, packed)
        check.equal((back.returncode, back.stdout), (0, text.read_bytes()), '%s unpacked by %s, %s' % (model.name, name, isa))


@pytest.mark.parametrize('name, isa', [('Nehalem', 'avx2'), ('Haswell', 'avx512'), ('plain AArch64', 'avx2'), ('Nehalem', 'neon')])
def test_refused(name, isa, aarch64):
    done = run(*machine(name, aarch64), models[0], '-p', 'a', '-n', '1', '--isa', isa)
    assert done.returncode == 1 and b'lacks the instruction set' in done.stderr, done
