#!/usr/bin/python3
"""Trains every method on one text at one size, draws the loss curves and writes the table.

Called by models/reproduce, which builds the programs first. Every run keeps its model, its log and its
checkpoint in the folder, so that an interrupted comparison goes on where it stopped.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

SHAPE = ['--val-fraction', '0.05', '--layers', '4', '--width', '128', '--heads', '4', '--context', '128', '--batch', '16']
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


def arguments():
    root = pathlib.Path(sys.argv[1])
    parser = argparse.ArgumentParser(prog='models/reproduce', description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true', help='150 steps and one seed')
    parser.add_argument('--steps', type=int, help='steps of 2,048 tokens (1000, or 150)')
    parser.add_argument('--seeds', type=int, help='seeds of each method (3, or 1)')
    parser.add_argument('--threads', type=int, default=os.cpu_count(), help='threads of each run')
    parser.add_argument('--data', type=pathlib.Path, default=root.parent / TEXT, help='text to train on (%(default)s)')
    parser.add_argument('-o', '--output', type=pathlib.Path, help='folder of all that is made (reproduced, or reproduced-quick)')
    args = parser.parse_args(sys.argv[2:])
    args.tools = root / 'build/tools'
    args.steps = args.steps or (150 if args.quick else 1000)
    args.seeds = args.seeds or (1 if args.quick else 3)
    args.output = args.output or pathlib.Path('reproduced-quick' if args.quick else 'reproduced')
    if not args.data.is_file():
        sys.exit(f'models/reproduce: {args.data}: not there; name a text with --data')
    return args


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


def train(args, method, seed):
    """One run, unless it has been finished before. Its log's path."""
    stem = args.output / f'{method}-{seed}'
    log, out = stem.with_suffix('.jsonl'), stem.with_suffix('.safetensors' if method == 'full' else '.smol')
    if finished(log):
        return log
    command = [args.tools / 'smoltrain', '--data', args.data, '--arch', 'gpt2', '-o', out, '--log', log, '--threads', str(args.threads),
               '--eval-every', str(0 if args.quick else args.steps // 2), '--save-every', '200', '--print-every', '100']
    if log.with_suffix('.ckpt').exists():
        command += ['--resume']
    else:
        command += ['--method', method, *METHODS[method], *SHAPE, '--steps', str(args.steps), '--seed', str(seed)]
    print(f'{method}, seed {seed}', file=sys.stderr, flush=True)
    if subprocess.run(command).returncode != 0:
        sys.exit('models/reproduce: stopped; the same command goes on')
    return log


def summary(log):
    found = records(log)
    start = [r for r in found if r['event'] == 'start'][-1]
    first, *_, last = [r for r in found if r['event'] == 'train' and r['step'] > start['step']]
    final = [r for r in found if r['event'] == 'validation' and r['stored']][-1]
    model = [r for r in found if r['event'] == 'model'][-1]
    speed = (last['tokens'] - first['tokens']) / max(last['seconds'] - first['seconds'], 1e-9)
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
    subprocess.run([args.tools / 'smoltool', 'plot', '--kind', kind, '-o', args.output / name, *logs])


def main():
    args = arguments()
    args.output.mkdir(parents=True, exist_ok=True)
    logs = {method: [] for method in METHODS}
    try:
        for seed in range(1, args.seeds + 1):
            for method in METHODS:
                logs[method].append(train(args, method, seed))
    except KeyboardInterrupt:
        sys.exit('models/reproduce: stopped; the same command goes on')
    text = table({method: [summary(log) for log in of] for method, of in logs.items()})
    write(args.output / 'table.md', text)
    plot(args, [of[0] for of in logs.values()], 'curves.svg', 'curves')
    plot(args, [log for of in logs.values() for log in of], 'bytes.svg', 'bytes')
    print(f'\n{args.steps} steps of 2,048 tokens of {args.data}\n\n{text}')


if __name__ == '__main__':
    main()
