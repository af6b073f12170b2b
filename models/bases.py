#!/usr/bin/python3
"""Trains two bases, then deltas of every method and size on them, and writes tables and a picture.

Called by models/bases, which builds the programs first. What is finished is kept in the output folder, one line of results.jsonl for each
delta, so that the same command goes on where it stopped.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

import bases_report
import bases_runs as runs
import frontier

SIGNATURE = 104  # bytes, which every size includes


def arguments():
    root = pathlib.Path(sys.argv[1])
    parser = argparse.ArgumentParser(prog='models/bases', description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true', help='small bases, a few deltas, one seed and a tenth of the steps')
    parser.add_argument('--steps', type=frontier.positive, help=f'steps of 1,024 bytes of each delta ({runs.STEPS}, or {runs.QUICK_STEPS})')
    parser.add_argument('--seeds', type=frontier.positive, default=runs.SEEDS, help='seeds of some deltas (%(default)s)')
    parser.add_argument('--only', default='', help='deltas with this in their names')
    parser.add_argument('--texts', default=','.join(runs.TEXTS), help='%(default)s')
    parser.add_argument('--base', type=pathlib.Path, help='a base that is there already')
    parser.add_argument('--second', type=pathlib.Path, help='and a second one, of the same shape and seed')
    parser.add_argument('--jobs', type=frontier.positive, default=os.cpu_count(), help='runs at a time, each with one thread (one for each core)')
    parser.add_argument('--data', type=pathlib.Path, default=root.parent / 'shared/data', help='folder of the texts (%(default)s)')
    parser.add_argument('--report', action='store_true', help='train nothing: tables and a picture of what is finished')
    parser.add_argument('--document', type=pathlib.Path, metavar='FILE.md', help='put the tables between its marks, and the picture beside it')
    parser.add_argument('--tools', type=pathlib.Path, default=root / 'build/tools', help='folder of the programs (%(default)s)')
    parser.add_argument('-o', '--output', type=pathlib.Path, help='folder of all that is made (bases, or bases-quick)')
    args = parser.parse_args(sys.argv[2:])
    args.output = args.output or pathlib.Path('bases-quick' if args.quick else 'bases')
    args.steps = args.steps or (runs.QUICK_STEPS if args.quick else runs.STEPS)
    args.texts = [text for text in args.texts.split(',') if text]
    if args.document and not args.document.is_file():
        sys.exit(f'models/bases: --document: {args.document}: not there')
    for text in args.texts:
        if text not in runs.TEXTS:
            sys.exit(f'models/bases: --texts: {text}: not one of {", ".join(runs.TEXTS)}')
    for option, path in (('--base', args.base), ('--second', args.second)):
        if path and not args.report and not path.is_file():
            sys.exit(f'models/bases: {option}: {path}: not there')
    for path in [runs.GUTENBERG, *(path for path, _ in runs.TEXTS.values())]:
        if not args.report and not (args.data / path).is_file():
            sys.exit(f'models/bases: {args.data / path}: not there; name its folder with --data')
    return args


# ---- texts and bases ----

def write_texts(args):
    books = (args.data / runs.GUTENBERG).read_bytes()
    first, end = (books.index(mark) for mark in runs.CUT)
    frontier.write(args.output / 'gutenberg.txt', (books[:first] + books[end:]).decode())
    for text, (path, n) in runs.TEXTS.items():
        whole = (args.data / path).read_bytes()
        (args.output / f'{text}.train').write_bytes(whole[:-n])
        (args.output / f'{text}.valid').write_bytes(whole[-n:])


def base_steps(args, number):
    return runs.QUICK_BASE_STEPS if args.quick else runs.BASE_STEPS if number == 1 else runs.SECOND_STEPS


class Base:
    """One of the two, trained on Gutenberg's books or on stories; not if it was named."""

    def __init__(self, args, number):
        self.given = args.base if number == 1 else args.second
        self.model = self.given or args.output / f'base-{number}.smol'
        self.text = args.output / ('gutenberg.txt' if number == 1 else 'tinystories.train')
        self.steps, self.title = base_steps(args, number), f'base {number}'
        self.cost = self.steps * 1024 * 800e3

    def is_finished(self, _):
        return self.model.exists() and (self.given or not self.model.with_suffix('.ckpt').exists())

    def finish(self, args, _):
        command = [args.tools / 'smoltrain', '--data', self.text, '-o', self.model, '--threads', '1', '--log', self.model.with_suffix('.jsonl')]
        again = ['--resume'] if self.model.with_suffix('.ckpt').exists() else [*runs.SHAPE, '--steps', self.steps, '--eval-every', '0', '--save-every', '200']
        frontier.output_of(command + again)


# ---- deltas ----

def log_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def measured(model, log):
    """Bytes with a signature, numbers, and the loss as stored, in one stream and in windows."""
    records = log_of(log)
    last = next(r for r in records if r['event'] == 'model')
    windows = [r for r in records if r['event'] == 'validation'][-1]['nats_per_token']
    return {'bytes': model.stat().st_size + SIGNATURE, 'numbers': last['non_embedding_params'],
            'nats': last.get('streamed_nats_per_token', windows), 'windows': windows}


class Delta:
    """A delta on a text with a seed."""

    def __init__(self, args, kind, text, name, options, seed, parts, steps):
        self.kind, self.text, self.name, self.options, self.seed, self.parts, self.steps = kind, text, name, options, seed, parts, steps
        self.title = f'{text}: {name}, seed {seed}'
        self.cost = (steps * 1024 + 80000) * 800e3 * len(parts)
        stem = ''.join(c if c.isalnum() else '-' for c in f'{text} {name}') + f'-{steps}-{seed}'
        self.model, self.log = (args.output / (stem + suffix) for suffix in ('.smol', '.jsonl'))

    def is_finished(self, results):
        return results.has(kind=self.kind, text=self.text, name=self.name, options=self.options, seed=self.seed, steps=self.steps)

    def finish(self, args, results):
        paths = [Base(args, number).model for number, _ in self.parts]
        if len(paths) == 1:
            on = ['--base', paths[0]]
        else:
            on = ['--bases', ','.join(f'{path}={factor}' for path, (_, factor) in zip(paths, self.parts))]
        command = [args.tools / 'smoltrain', *on, '--data', args.output / f'{self.text}.train', '--valid', args.output / f'{self.text}.valid',
                   '-o', self.model, '--log', self.log, '--threads', '1', '--no-card']
        frontier.output_of(command + (['--resume'] if self.model.with_suffix('.ckpt').exists() else [
            *runs.RUN, *self.options, '--steps', self.steps, '--seed', self.seed, '--eval-every', '0', '--save-every', '100']))
        results.add({'kind': self.kind, 'text': self.text, 'name': self.name, 'options': self.options, 'steps': self.steps, 'seed': self.seed,
                     'method': log_of(self.log)[0]['method'], **measured(self.model, self.log)})


class Sweep:
    """The d90 of fine-tuning on a text. Its runs are deltas too."""

    def __init__(self, args, text):
        self.text, self.steps, self.seed, self.d = text, args.steps, 1, runs.QUICK_SWEEP if args.quick else runs.SWEEP
        self.title = f'{text}: sweep of {runs.SWEEP_METHOD}'
        self.cost = (len(self.d) + 2) * (args.steps * 1024 + 80000) * 800e3

    def is_finished(self, results):
        return results.has(kind='sweep', text=self.text, d=self.d, steps=self.steps)

    def finish(self, args, results):
        folder = args.output / f'sweep-{self.text}-{self.steps}'
        said = frontier.output_of([args.tools / 'smoltrain', 'sweep', '--base', Base(args, 1).model, '--data', args.output / f'{self.text}.train',
                                   '--valid', args.output / f'{self.text}.valid', *runs.RUN, '--method', runs.SWEEP_METHOD, '--embedding-type', 'f16',
                                   '--d', ','.join(map(str, self.d)), '--steps', self.steps, '--eval-every', '0', '--threads', '1', '--no-card', '-o', folder])
        for d in self.d:
            stem = folder / f'{runs.SWEEP_METHOD}-{d}'
            results.add({'kind': 'delta', 'text': self.text, 'name': f'Fastfood, {d:,}', 'options': ['--method', runs.SWEEP_METHOD, '--d', str(d)],
                         'steps': self.steps, 'seed': 1, 'method': runs.SWEEP_METHOD, **measured(stem.with_suffix('.smol'), stem.with_suffix('.jsonl'))})
        results.add({'kind': 'sweep', 'text': self.text, 'd': self.d, 'steps': self.steps, 'said': said.decode().strip().splitlines()[-1]})


def work(args):
    """The bases, and then everything else, in the order of interest."""
    names = runs.QUICK if args.quick else runs.DELTAS
    seeds = 1 if args.quick else args.seeds
    first, later = [], []
    for text in args.texts:
        first += [Delta(args, 'as it is', text, 'the base as it is', ['--method', 'embed'], 1, [(1, 1)], 0),
                  Delta(args, 'full', text, 'all of it', runs.FULL, 1, [(1, 1)], args.steps)]
        first += [Delta(args, 'delta', text, name, runs.DELTAS[name], 1, [(1, 1)], args.steps) for name in names if args.only in name]
        if not args.only:
            first.append(Sweep(args, text))
            later += [Delta(args, 'as it is', text, 'the second base as it is', ['--method', 'embed'], 1, [(2, 1)], 0)]
            later += [Delta(args, 'mix', text, name, options, 1, parts, args.steps) for name, (parts, options) in runs.MIXES.items()]
    for text in args.texts:
        later += [Delta(args, 'delta', text, name, runs.DELTAS[name], seed, [(1, 1)], args.steps)
                  for seed in range(2, seeds + 1) for name in runs.SEVERAL if args.only in name and name in names]
    return first + later


def main():
    args = arguments()
    args.output.mkdir(parents=True, exist_ok=True)
    results, faults = frontier.Results(args.output / 'results.jsonl'), 0
    if not args.report:
        write_texts(args)
        everything = [Base(args, 1), Base(args, 2)], work(args)
        bases, deltas = ([run for run in some if not run.is_finished(results)] for some in everything)
        clock = frontier.Clock(bases + deltas, sum(map(len, everything)), args.jobs)
        faults = frontier.finish_all('models/bases', args, results, clock, bases)
        faults = faults or frontier.finish_all('models/bases', args, results, clock, deltas)
    text = bases_report.tables(results.lines)
    frontier.write(args.output / 'tables.md', text)
    bases_report.picture(results.lines, args.output)
    if args.document:
        frontier.write(args.document, frontier.between_marks('models/bases', args.document.read_text(), text))
        bases_report.picture(results.lines, args.document.parent)
    print(text)
    return 1 if faults else 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except (subprocess.CalledProcessError, RuntimeError) as fault:
        sys.exit(f'models/bases: {fault}')
