#!/usr/bin/python3
"""Trains every method on one text at one size, draws the loss curves and writes the table.

Called by models/reproduce. Looks at the text first, then installs what is missing of the packages that a build and the pictures
take, and builds. Every run keeps its model, its log and its checkpoint in the folder, so that an interrupted comparison goes on
where it stopped.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

SHAPE = ['--val-fraction', '0.05', '--layers', '4', '--width', '128', '--heads', '4', '--context', '128', '--batch', '16']
CONTEXT, TOKENS, VALIDATION = 128, 2048, 0.05  # a window, a step; the part of the text to validate with
TEXT = pathlib.Path('shared/data/tinystories/tinystories_sample_2M.txt')  # beside the project

# Options of each method. The rates are the best of those tried: docs/methods.md, and docs/reproduce.md for the projections.
METHODS = {
    'full': ['--lr', '2e-3'],
    'lora': ['--rank', '4', '--lr', '5e-3'],
    'fastfood': ['--d', '1000', '--lr', '2e-2', '--alpha-lr', '1e-1'],
    'fourier': ['--d', '1000', '--lr', '2e-2', '--alpha-lr', '3e-2'],
    'alpha': ['--d', '5', '--lr', '2e-2', '--alpha-lr', '3e-2'],
    'alpha-global': ['--d', '5', '--lr', '2e-2', '--alpha-lr', '1e-2'],
    'embed': ['--lr', '2e-2'],
}
# The first half of the full run, whose rates have hardly fallen by then. A whole schedule in fewer steps ends before the methods part.
QUICK = ['--warmup', '100', '--min-lr-fraction', '0.6']


def fail(why):
    sys.exit('models/reproduce: ' + why)


def arguments():
    root = pathlib.Path(sys.argv[1])
    parser = argparse.ArgumentParser(prog='models/reproduce', description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true', help='half the steps and one seed')
    parser.add_argument('--steps', type=int, help='steps of 2,048 tokens (1000, or 500)')
    parser.add_argument('--seeds', type=int, help='seeds of each method (3, or 1)')
    parser.add_argument('--only', nargs='+', choices=METHODS, metavar='METHOD', help='these methods alone')
    parser.add_argument('--threads', type=int, default=os.cpu_count(), help='threads of each run')
    parser.add_argument('--data', type=pathlib.Path, default=root.parent / TEXT, help='text to train on (%(default)s)')
    parser.add_argument('-o', '--output', type=pathlib.Path, help='folder of all that is made (reproduced, or reproduced-quick)')
    args = parser.parse_args(sys.argv[2:])
    args.root, args.tools = root, root / 'build/tools'
    args.steps = (500 if args.quick else 1000) if args.steps is None else args.steps
    args.seeds = (1 if args.quick else 3) if args.seeds is None else args.seeds
    args.options = {m: o for m, o in METHODS.items() if m in (args.only or METHODS)}
    args.output = args.output or pathlib.Path('reproduced-quick' if args.quick else 'reproduced')
    for name in 'steps', 'seeds', 'threads':
        if getattr(args, name) < 1:
            parser.error(f'--{name}: takes 1 or more')
    return args


def check(args):
    """Whatever could stop it later, before anything is installed or built."""
    least = int(CONTEXT / VALIDATION) + 1
    try:
        with args.data.open('rb') as f:
            size = os.fstat(f.fileno()).st_size
    except OSError as error:
        fail(f'{args.data}: {error.strerror}; name a text with --data')
    if size <= least:
        fail(f'{args.data}: {size:,} bytes; with a twentieth to validate with, a context of {CONTEXT} takes more than {least:,}')
    try:
        args.output.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=args.output).close()
    except OSError as error:
        fail(f'{args.output}: {error.strerror}')


def build(args):
    """Only what is needed: the two programs, and gnuplot unless there is one of any kind."""
    if subprocess.run([args.root / 'scripts/setup', 'build' if shutil.which('gnuplot') else 'reproduce']).returncode != 0:
        sys.exit(1)
    print('building into build/ ...', file=sys.stderr)
    command = [args.root / 'scripts/build', args.root / 'build', '-Dtests=false', '--', 'tools/smoltrain', 'tools/smoltool']
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace')
    if done.returncode != 0:
        print('\n'.join(done.stdout.splitlines()[-60:]), file=sys.stderr)
        fail('the build failed')


def records(log):
    """What a log holds; the last line may be cut."""
    found = []
    for line in log.read_text().splitlines() if log.exists() else []:
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return found


def finished(log):
    return any(r['event'] == 'model' for r in records(log)) and not log.with_suffix('.ckpt').exists()


def is_other(args, log):
    """Whether a log is of a run of other steps, in a folder that was made before."""
    starts = [r for r in records(log) if r['event'] == 'start']
    return bool(starts) and starts[-1]['options']['n_steps'] != args.steps


def train(args, method, seed):
    """One run, unless it has been finished before. Its log's path."""
    stem = args.output / f'{method}-{seed}'
    log, out = stem.with_suffix('.jsonl'), stem.with_suffix('.safetensors' if method == 'full' else '.smol')
    if is_other(args, log):
        fail(f'{log}: a run of other steps; name another folder with -o')
    if finished(log):
        return log
    command = [args.tools / 'smoltrain', '--data', args.data, '--arch', 'gpt2', '-o', out, '--log', log, '--threads', str(args.threads),
               '--eval-every', str(0 if args.quick else max(args.steps // 5, 1)), '--save-every', '200', '--print-every', '100']
    if log.with_suffix('.ckpt').exists():
        command += ['--resume']
    else:
        command += ['--method', method, *args.options[method], *SHAPE, '--steps', str(args.steps), '--seed', str(seed), *(QUICK if args.quick else [])]
    print(f'{method}, seed {seed}', file=sys.stderr, flush=True)
    if subprocess.run(command).returncode != 0:
        fail('stopped; the same command goes on')
    return log


def summary(log):
    found = records(log)
    start = [r for r in found if r['event'] == 'start'][-1]
    trained = [r for r in found if r['event'] == 'train' and r['step'] > start['step']]
    final = [r for r in found if r['event'] == 'validation' and r['stored']][-1]
    model = [r for r in found if r['event'] == 'model'][-1]
    speed = 0
    if len(trained) > 1:
        speed = (trained[-1]['tokens'] - trained[0]['tokens']) / max(trained[-1]['seconds'] - trained[0]['seconds'], 1e-9)
    return dict(params=model['non_embedding_params'], bytes=model['non_embedding_bytes'], loss=final['nats_per_token'],
                bits=final['bits_per_byte'], speed=speed)


def table(rows):
    lines = ['| method | non-embedding parameters | non-embedding bytes | validation loss, nats per token | each seed | bits per byte | tokens/s |',
             '|---|---|---|---|---|---|---|']
    for method, runs in rows.items():
        losses = [r['loss'] for r in runs]
        lines.append(f"| `{method}` | {runs[0]['params']:,} | {runs[0]['bytes']:,} | {statistics.mean(losses):.4f} | "
                     + ', '.join(f'{x:.4f}' for x in losses)
                     + f" | {statistics.mean(r['bits'] for r in runs):.4f} | {statistics.mean(r['speed'] for r in runs):,.0f} |")
    return '\n'.join(lines) + '\n'


def write(path, text):
    part = path.with_suffix(path.suffix + '.tmp')
    part.write_text(text)
    os.replace(part, path)


def plot(args, logs, name, kind):
    """A picture; gnuplot may be missing."""
    subprocess.run([args.tools / 'smoltool', 'plot', *kind, '-o', args.output / name, *logs])


def main():
    args = arguments()
    check(args)
    build(args)
    logs = {method: [] for method in args.options}
    try:
        for seed in range(1, args.seeds + 1):
            for method in args.options:
                logs[method].append(train(args, method, seed))
    except KeyboardInterrupt:
        fail('stopped; the same command goes on')
    text = table({method: [summary(log) for log in of] for method, of in logs.items()})
    write(args.output / 'table.md', text)
    plot(args, [of[0] for of in logs.values()], 'curves.svg', ['--log-x'])
    plot(args, [log for of in logs.values() for log in of], 'bytes.svg', ['--kind', 'bytes'])
    print(f'\n{args.steps} steps of {TOKENS:,} tokens of {args.data}\n\n{text}')


if __name__ == '__main__':
    main()
