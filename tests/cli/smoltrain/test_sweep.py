"""smoltrain sweep from outside: what it trains, what it keeps when it is stopped, and d90 as Li et al. define it."""
import csv
import json
import os
import pathlib
import random
import signal
import subprocess
import time

from programs import build, root, run_text as run, smoltrain

FILES = {'text': (root / 'SPEC.md').read_bytes()[:20000]}
small = ['--arch', 'gpt2', '--layers', '1', '--width', '32', '--heads', '2', '--context', '16', '--batch', '4', '--threads', '1']
models = ['embed.smol', 'full.safetensors', 'alpha-1.smol', 'alpha-3.smol', 'alpha-20.smol']


def command(folder, *arguments, output='out'):
    return [smoltrain, 'sweep', '--data', str(folder / 'text'), *small, '--method', 'alpha', '--d', '1,3,20', '--steps', '60',
            *arguments, '-o', str(folder / output)]


def sweep(folder, *arguments, output='out', **more):
    return run(*command(folder, *arguments, output=output), **more)


def records(log):
    return [json.loads(line) for line in log.read_text().splitlines()]


def rows(folder):
    with open(folder / 'sweep.csv', newline='') as f:
        return list(csv.DictReader(f))


def set_loss(log, nats):
    """Makes the loss of a finished run another one."""
    lines = records(log)
    for line in lines:
        if line['event'] == 'validation' and line['stored']:
            line['nats_per_token'] = nats
    log.write_text(''.join(json.dumps(line) + '\n' for line in lines))


# Each test gets an empty folder with a text.

def test_runs_and_tables(folder, gnuplot):
    out = folder / 'out'
    done = sweep(folder)
    names = [pathlib.Path(m).stem for m in models]
    assert sorted(os.listdir(out)) == sorted(models + [n + '.jsonl' for n in names] + ['sweep.csv', 'sweep.md', 'sweep.svg'])
    table = rows(out)
    assert [(r['method'], r['d']) for r in table] == [('embed', ''), ('full', ''), ('alpha', '1'), ('alpha', '3'), ('alpha', '20')]
    markdown = (out / 'sweep.md').read_text()
    for name, row in zip(names, table):
        log = records(out / (name + '.jsonl'))
        last = [r for r in log if r['event'] == 'validation'][-1]
        assert last['stored'] and abs(float(row['nats_per_token']) - last['nats_per_token']) < 1e-8
        assert abs(float(row['bits_per_byte']) - last['bits_per_byte']) < 1e-8
        assert float(row['non_embedding_bytes']) == log[-1]['non_embedding_bytes']
        train = [r for r in log if r['event'] == 'train']
        assert abs(float(row['tokens_per_second']) / (60 * 64 / train[-1]['seconds']) - 1) < 1e-3
        assert f'| {last["nats_per_token"]:.4f} |' in markdown and f'| `{row["method"]}` | {row["d"]} |' in markdown
        if row['d']:
            assert log[0]['options']['d'] == int(row['d']) and log[0]['method'] == 'alpha'
    assert [int(r['non_embedding_params']) for r in table] == [0, 32 * 96 + 32 * 32 + 2 * 32 * 128 + 6 * 32, 4, 12, 80]
    alone = folder / 'alone.smol'
    run(smoltrain, '--data', folder / 'text', *small, '--method', 'alpha', '--d', '3', '--steps', '60', '-o', alone)
    assert alone.read_bytes() == (out / 'alpha-3.smol').read_bytes()
    assert done.stdout.splitlines()[-1].startswith('alpha: ')
    assert 'd (parameters in a vector)' in (out / 'sweep.svg').read_text()


def test_d90(folder, gnuplot):
    out = folder / 'out'
    sweep(folder)
    before = {m: (out / m).stat().st_mtime_ns for m in models}
    for losses, d90 in (((3, 2, 2.9, 2.11, 2.09), 20), ((3, 2, 2.9, 2.09, 2.2), 3), ((3, 2, 1.9, 2.5, 2.5), 1),
                        ((3, 2, 2.9, 2.5, 2.11), None), ((2, 3, 2.9, 2.5, 2.11), None)):
        for model, loss in zip(models, losses):
            set_loss(out / (pathlib.Path(model).stem + '.jsonl'), loss)
        done = sweep(folder)  # finds everything there
        line, = done.stdout.splitlines()
        assert line in (out / 'sweep.md').read_text()
        if d90:
            assert line.startswith(f'alpha: d90 = {d90},') and '2.1000' in line, line
        elif losses[0] == 3:
            assert 'no d reaches' in line and 'd = 20' in line and '89.0 %' in line, line
        else:
            assert 'not better' in line, line
        shares = [r['share'] for r in rows(out)]
        wanted = [(losses[0] - x) / (losses[0] - losses[1]) for x in losses]
        assert all(abs(float(s) - w) < 1e-5 for s, w in zip(shares, wanted)) if losses[0] == 3 else set(shares) == {''}
        assert ('d90' in (out / 'sweep.svg').read_text()) == bool(d90)
    assert before == {m: (out / m).stat().st_mtime_ns for m in models}


def wait_for(path, deadline=60):
    end = time.monotonic() + deadline
    while not path.exists():
        assert time.monotonic() < end, f'{path} does not come'
        time.sleep(0.002)


def test_interrupted(folder, gnuplot):
    more = ['--steps', '400']
    sweep(folder, *more, output='whole')
    process = subprocess.Popen(command(folder, *more), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_for(folder / 'out/alpha-1.jsonl')
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    message = process.communicate(timeout=60)[1]
    assert process.returncode == 1 and 'the same command continues' in message and '--resume' not in message, message
    assert [r['method'] for r in rows(folder / 'out')][:2] == ['embed', 'full']
    full = (folder / 'out/full.safetensors').stat().st_mtime_ns
    sweep(folder, *more)
    assert full == (folder / 'out/full.safetensors').stat().st_mtime_ns
    for model in models:
        assert (folder / 'out' / model).read_bytes() == (folder / 'whole' / model).read_bytes(), model
    assert not list((folder / 'out').glob('*.ckpt'))


def test_killed_at_any_moment(folder, gnuplot):
    more = ['--steps', '200', '--save-every', '20']
    sweep(folder, *more, output='whole')
    dice = random.Random(1)
    killed = 0
    for _ in range(12):
        process = subprocess.Popen(command(folder, *more), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(dice.uniform(0.05, 0.5))
        process.kill()
        message = process.communicate(timeout=60)[1]
        assert process.returncode in (0, -signal.SIGKILL), message
        killed += process.returncode != 0
    sweep(folder, *more)
    assert killed > 0
    for model in models:
        assert (folder / 'out' / model).read_bytes() == (folder / 'whole' / model).read_bytes(), model
    for r, w in zip(rows(folder / 'out'), rows(folder / 'whole')):
        assert r['nats_per_token'] == w['nats_per_token']


def test_other_options_are_refused(folder, gnuplot):
    sweep(folder)
    assert 'other options' in sweep(folder, '--lr', '0.005', code=1).stderr
    text = (folder / 'text').read_bytes()
    for other in (text + b'more', bytes([text[0] ^ 1]) + text[1:], text[:-1] + b'?'):
        (folder / 'text').write_bytes(other)
        done = sweep(folder, code=1)
        assert done.stderr == f'smoltrain sweep: {folder}/out/embed.smol: was made with another text; choose another folder, or delete it\n', done.stderr
    (folder / 'out/embed.jsonl').write_text('nonsense\n')
    assert 'embed.jsonl: line 1' in sweep(folder, code=1).stderr


def test_another_tokenizer_is_refused(folder, gnuplot):
    """Two of one vocabulary that cut the text into as many tokens; the same one goes on."""
    (folder / 'text').write_bytes(b'ab cd ' * 500)
    tokenizers = []
    for first in ('ab', 'cd'):  # the merge that is learned first
        (folder / first).write_bytes(b'ab cd ' * 100 + first.encode() * 50)
        tokenizers.append(folder / (first + '.smoltok'))
        run(build / 'tools/smoltool', 'tokenizer', 'train', '--vocab', '259', folder / first, '-o', tokenizers[-1])
    assert tokenizers[0].read_bytes() != tokenizers[1].read_bytes()
    sweep(folder, '--tokenizer', tokenizers[0], '--steps', '10')
    done = sweep(folder, '--tokenizer', tokenizers[1], '--steps', '10', code=1)
    assert done.stderr == f'smoltrain sweep: {folder}/out/embed.smol: was made with another tokenizer; choose another folder, or delete it\n', done.stderr
    assert 'run 1' not in sweep(folder, '--tokenizer', tokenizers[0], '--steps', '10').stderr


def test_another_validation_text_is_refused(folder, gnuplot):
    """The same bytes in all, cut elsewhere."""
    text = (folder / 'text').read_bytes()
    for name, at in (('a', 15000), ('b', 16000)):
        (folder / name).write_bytes(text[at:])
    (folder / 'text').write_bytes(text[:15000])
    sweep(folder, '--valid', str(folder / 'a'))
    (folder / 'text').write_bytes(text[:16000])
    assert 'was made with another part of the text for validation' in sweep(folder, '--valid', str(folder / 'b'), code=1).stderr


def test_logs_without_hashes_are_taken(folder, gnuplot):
    """As earlier versions wrote them."""
    sweep(folder)
    for log in (folder / 'out').glob('*.jsonl'):
        lines = records(log)
        assert all(len(lines[0].pop(name)) == 16 for name in ('tokens_xxh3', 'tokenizer_xxh3'))
        log.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    assert 'run 1' not in sweep(folder).stderr


def test_usage(folder):
    out = str(folder / 'out')
    data = ['--data', str(folder / 'text'), '--arch', 'gpt2']
    for bad in (['--d', '1,2', '-o', out], [*data, '-o', out], [*data, '--d', '1,2'], [*data, '--d', '2,1', '-o', out],
                [*data, '--d', '1,1', '-o', out], [*data, '--d', '1,,2', '-o', out], [*data, '--d', '1,65', '-o', out],
                [*data, '--d', '1,x', '-o', out], [*data, '--d', '1', '-o', out, '--method', 'lora'],
                [*data, '--d', '1', '-o', out, '--method', 'full'], [*data, '--d', '1', '-o', out, '--method', 'other'],
                [*data, '--d', '1', '-o', out, '--resume'], [*data, '--d', '1', '-o', out, '--log', 'x'],
                [*data, '--d', '1', '-o', out, '--sign', 'x'], [*data, '--d', '1', '-o', out, 'stray'],
                [*data, '--d', '1', '-o', out, '--rank', '4'], [*data, '--d', '1', '-o', out, '--heads', '7']):
        done = run(smoltrain, 'sweep', *bad, code=2)
        assert done.stderr.startswith('smoltrain sweep: ') and done.stdout == '', (bad, done.stderr)
    run(smoltrain, *data, '--d', '1,2', '-o', folder / 'x.smol', code=2)
    assert 'sweep' in run(smoltrain, 'sweep', '--help').stdout
    run(smoltrain, 'sweep', '--data', folder / 'missing', '--method', 'alpha', '--d', '1', '-o', out, code=1)
    run(smoltrain, 'sweep', *data, '--d', '1', '-o', folder / 'text', code=1)
    run(smoltrain, 'sweep', *data, '--d', '1', '-o', folder / 'no/such/folder', code=1)


def test_without_gnuplot(folder):
    """Everything but the picture is there, and what was trained is not trained again."""
    done = sweep(folder, code=1, env={'PATH': str(folder)})
    assert 'gnuplot: not installed' in done.stderr and done.stdout.splitlines()[-1].startswith('alpha: ')
    assert len(rows(folder / 'out')) == 5 and not (folder / 'out/sweep.svg').exists()
    assert 'run 1' in done.stderr and 'run 1' not in sweep(folder, code=1, env={'PATH': str(folder)}).stderr
