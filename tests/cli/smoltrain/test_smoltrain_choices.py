"""smoltrain's choices: an instruction set and a way to save memory, which change nothing, and a seed, which is searched for."""
import json
import re
import subprocess

from programs import run_text as run, smolrun, smoltrain
from training import FILES, small, stored_loss, train, validation_text  # noqa: F401


def test_every_instruction_set_gives_the_same_file(folder):
    """Projections are smol's own products in training; what the processor lacks is refused in one line."""
    text, found = folder / 'val', {}
    text.write_bytes(validation_text(folder))
    for method in ('fastfood', 'fourier'):
        for isa in ('scalar', 'avx2', 'avx512', 'neon'):
            out, log = folder / f'{method}-{isa}.smol', folder / f'{method}-{isa}.log'
            done = subprocess.run([smoltrain, '--data', folder / 'text', *small, '-o', out, '--log', log, '--steps', '12',
                                   '--method', method, '--d', '100', '--isa', isa], capture_output=True, text=True, timeout=250)
            if done.returncode == 0:
                found[method, isa] = out.read_bytes()
                done = run(smolrun, out, '--perplexity', text, '--json', '--isa', isa)
                assert abs(json.loads(done.stdout)['nats_per_token'] - stored_loss(log)) < 1e-3
            else:
                assert done.returncode == 2 and 'lacks the instruction set' in done.stderr, done.stderr
        assert {b for (m, _), b in found.items() if m == method} == {found[method, 'scalar']}
    run(smoltrain, '--data', folder / 'text', '-o', folder / 'x.smol', '--isa', 'sse', code=2)


def test_recompute(folder):
    """Less memory, the same model."""
    for method in ('lora', 'alpha'):
        options = ['--method', method, '--norms', 'stored', '--steps', '12']
        train(folder, '-o', folder / 'a.smol', *options)
        train(folder, '-o', folder / 'b.smol', *options, '--recompute')
        assert (folder / 'a.smol').read_bytes() == (folder / 'b.smol').read_bytes()


def test_seed_search(folder):
    """What it says of each seed is what a training of that seed alone says; the best one trains."""
    options = ['--method', 'alpha', '--steps', '60', '--eval-every', '20']
    done = train(folder, '-o', folder / 'm.smol', *options, '--seed', '5', '--seed-search', '3')
    tried = {int(s): float(loss) for s, loss in re.findall(r'seed (\d+): ([\d.]+) nats per token after 20 steps', done.stderr)}
    assert sorted(tried) == [5, 6, 7]
    for seed, loss in tried.items():
        log = folder / f'log{seed}'
        train(folder, '-o', folder / f'{seed}.smol', *options, '--seed', seed, '--log', log)
        first, = [r for r in map(json.loads, log.read_text().splitlines()) if r['event'] == 'validation' and r['step'] == 20]
        assert abs(first['nats_per_token'] - loss) < 1e-4, (seed, loss, first)
    best = min(tried, key=tried.get)
    told = re.search(rf'chose seed {best}: ([\d.]+) nats below the first', done.stderr)
    assert told and abs(float(told.group(1)) - (tried[5] - tried[best])) < 1.1e-5, done.stderr  # of numbers that were rounded to five digits
    assert (folder / 'm.smol').read_bytes() == (folder / f'{best}.smol').read_bytes()
    train(folder, '-o', folder / 'x.smol', '--seed-search', '-1', code=2)
