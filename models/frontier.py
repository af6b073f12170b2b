#!/usr/bin/python3
"""Trains the networks of models/frontier_runs.py on two texts, asks rivals of equal bytes, and writes tables and pictures.

Called by models/frontier, which checks the texts and builds the programs first. What is finished is kept in the output folder, one line of
results.jsonl for each network and each rival of a size, so that the same command goes on where it stopped. --take adds models trained
elsewhere: what they are is read from their cards, or from the log NAME.jsonl beside NAME.smol.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import frontier_report
import frontier_runs as runs
import rivals

DEFAULT_RATE = 5e9  # weights times tokens a second and thread, until the first run has told


def positive(word):
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError('takes 1 or more')
    return int(word)


def arguments():
    root = pathlib.Path(sys.argv[1])
    parser = argparse.ArgumentParser(prog='models/frontier', description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true', help='a few networks, one seed and a tenth of the steps')
    parser.add_argument('--steps', type=positive, help=f'steps of 1,024 bytes ({runs.STEPS}, or {runs.QUICK_STEPS})')
    parser.add_argument('--seeds', type=positive, help='seeds of each network (3, of large ones 1)')
    parser.add_argument('--only', default='', help='networks with this in their names')
    parser.add_argument('--texts', default=','.join(runs.TEXTS), help='%(default)s')
    parser.add_argument('--jobs', type=positive, default=os.cpu_count(), help='runs at a time, each with one thread (one for each core)')
    parser.add_argument('--data', type=pathlib.Path, default=root.parent / 'shared/data', help='folder of the texts (%(default)s)')
    parser.add_argument('--take', type=pathlib.Path, nargs='*', default=[], metavar='FOLDER', help='models trained elsewhere')
    parser.add_argument('--cards', action='store_true', help='and score those as their cards say, not anew')
    parser.add_argument('--report', action='store_true', help='train nothing: tables and pictures of what is finished')
    parser.add_argument('--document', type=pathlib.Path, metavar='FILE.md', help='put the tables between its marks, and the pictures beside it')
    parser.add_argument('--tools', type=pathlib.Path, default=root / 'build/tools', help='folder of the programs (%(default)s)')
    parser.add_argument('-o', '--output', type=pathlib.Path, help='folder of all that is made (frontier, or frontier-quick)')
    args = parser.parse_args(sys.argv[2:])
    args.output = args.output or pathlib.Path('frontier-quick' if args.quick else 'frontier')
    args.steps = args.steps or (runs.QUICK_STEPS if args.quick else runs.STEPS)
    if args.document and not args.document.is_file():
        sys.exit(f'models/frontier: --document: {args.document}: not there')
    for folder in args.take:
        if not folder.is_dir():
            sys.exit(f'models/frontier: --take: {folder}: no such folder')
    args.texts = [text for text in args.texts.split(',') if text]
    for text in args.texts:
        if text not in runs.TEXTS:
            sys.exit(f'models/frontier: --texts: {text}: not one of {", ".join(runs.TEXTS)}')
        if not args.report and not (args.data / runs.TEXTS[text][0]).is_file():
            sys.exit(f'models/frontier: {args.data / runs.TEXTS[text][0]}: not there; name its folder with --data')
    return args


class Results:
    """The lines of results.jsonl: what is finished."""

    def __init__(self, path):
        self.path, self.lines, self.lock = path, [], threading.Lock()
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                self.lines.append(json.loads(line))
            except json.JSONDecodeError:  # cut off when the run was killed
                pass
        if path.exists():  # without what was cut
            write(path, ''.join(json.dumps(line) + '\n' for line in self.lines))

    def add(self, line):
        with self.lock:
            self.lines.append(line)
            with open(self.path, 'a', encoding='utf-8') as f:
                f.write(json.dumps(line) + '\n')

    def has(self, **wanted):
        return any(all(line.get(k) == v for k, v in wanted.items()) for line in self.lines)


def write(path, text):
    part = path.with_suffix(path.suffix + '.tmp')
    part.write_text(text)
    os.replace(part, path)


def output_of(command):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(os.environ, OMP_NUM_THREADS='1', OPENBLAS_NUM_THREADS='1'))
    if done.returncode:
        said = [line for line in done.stderr.decode(errors='replace').splitlines() if line.startswith('smol')]  # not how far it was, nor "Try --help"
        raise RuntimeError((said or [f'{command[0]}: exit code {done.returncode}'])[-1])
    return done.stdout


def facts_of(args, model):
    return json.loads(output_of([args.tools / 'smoltool', 'inspect', '--json', model]))


def size_of(facts):
    return {'bytes': facts['file_bytes'], 'numbers': facts['non_embedding_params']}


def score(args, model, text, is_alone=True):
    """A file as smolrun measures it, alone without its history: nats a byte of the last part of the text, in one stream if the context slides, and otherwise in windows a quarter of
    it apart; and in windows side by side."""
    val = args.output / (text + '.val')
    facts = facts_of(args, model)
    alone = ['--history', '0'] if is_alone and 'history' in facts.get('features', []) else []

    def nats(*words):
        said = json.loads(output_of([args.tools / 'smolrun', model, '--perplexity', val, '--json', '-t', '1', *alone, *words]))
        return said['bits_per_byte'] * 0.6931471805599453

    slides = 'distances' in facts.get('features', [])
    return {**size_of(facts), 'how': 'stream' if slides else 'stride', 'windows': nats('--windows'),
            'nats': nats() if slides else nats('--stride', max(1, facts['context'] // 4))}


def pieces_of(args, model, text):
    """The mean of the text's pieces of rivals.PIECE bytes, each read with nothing before it."""
    val, piece = (args.output / (text + '.val')).read_bytes(), model.with_suffix('.piece')
    nats = n = 0
    for at in range(0, len(val) - 1, rivals.PIECE):
        piece.write_bytes(val[at:at + rivals.PIECE])
        said = json.loads(output_of([args.tools / 'smolrun', model, '--perplexity', piece, '--json', '-t', '1']))
        nats, n = nats + said['nats_per_token'] * said['tokens'], n + said['tokens']
    piece.unlink()
    return nats / n


def score_with_history(args, model, text):
    """The same of the network with a history, whose numbers are fitted to the text that it was trained on; {} where it can have none."""
    facts = facts_of(args, model)
    if 'distances' not in facts.get('features', []):
        return {}
    made = model
    if 'history' not in facts['features']:
        train, made = args.output / (text + '.train'), model.with_suffix('.history')
        output_of([args.tools / 'smoltool', 'history', model, train, '-o', made])
    found = score(args, made, text, is_alone=False)
    history = {'bytes': found['bytes'], 'nats': found['nats'], 'pieces': pieces_of(args, made, text)}
    if made != model:
        made.unlink()
    return {'history': history}


def score_of_card(args, model):
    """What the trainer measured, which agrees with smolrun to the fifth digit; without overlapping windows."""
    facts = facts_of(args, model)
    said = (facts.get('card') or {}).get('validation')
    if not said:
        raise RuntimeError('it has no card with a score: leave --cards out')
    stream = said.get('streamed_nats_per_token')
    return {**size_of(facts), 'how': 'stream' if stream else 'windows', 'windows': said['nats_per_token'], 'nats': stream or said['nats_per_token']}


def recipe_of(args, model):
    """What a model was trained with: (text, recipe without the seed, seed, steps done), of its card or of the log beside it."""
    card = facts_of(args, model).get('card') or {}
    log = model.with_suffix('.jsonl')
    if isinstance(card, dict) and 'recipe' in card:
        recipe, data, steps = dict(card['recipe']), card['data']['name'], card['steps']
    elif log.exists():
        records = [json.loads(line) for line in log.read_text().splitlines()]
        start = next(r for r in records if r['event'] == 'start')
        recipe, data = dict(start['options']), pathlib.Path(start['data']).name
        steps = max((r['step'] for r in records if 'step' in r), default=recipe['n_steps'])
    else:
        raise RuntimeError(f'{model}: neither a card nor a log says how it was trained')
    if data == runs.WITH_BOOKS:
        recipe['books'], data = True, pathlib.Path(runs.TEXTS['tinyshakespeare'][0]).name
    for text, (path, _) in runs.TEXTS.items():
        if pathlib.Path(path).name == data:
            return text, recipe, int(recipe.pop('seed')), steps
    raise RuntimeError(f'{model}: trained on {data}, which is none of the texts')


class Run:
    """A network on a text with a seed."""

    def __init__(self, text, name, options, seed, steps):
        self.text, self.name, self.options, self.seed, self.steps = text, name, options, seed, steps
        layers, width = (int(options[options.index(word) + 1]) for word in ('--layers', '--width'))
        # Training, two scores, and what starting takes; narrow matrices are slower by the weight.
        self.cost = (steps * 1024 + 80000) * (12 * layers * width * (width + 48) + 2 * 70 * width) + 5 * DEFAULT_RATE
        self.title = f'{text}: {name}, seed {seed}'

    def is_finished(self, results):
        return results.has(kind='network', text=self.text, name=self.name, options=self.options, seed=self.seed, steps=self.steps)

    def finish(self, args, results):
        """Trains, unless a model is there that was not scored yet; goes on from a checkpoint."""
        stem = args.output / (''.join(c if c.isalnum() else '-' for c in f'{self.text} {self.name}') + f'-{self.steps}-{self.seed}')
        path, fraction = runs.TEXTS[self.text]
        model, checkpoint, log = (stem.with_name(stem.name + suffix) for suffix in ('.smol', '.ckpt', '.jsonl'))
        if not model.exists() or checkpoint.exists():
            # No end of text among the tokens: what stands between two stories counts as bytes, as for the rivals.
            command = [args.tools / 'smoltrain', '--data', args.data / path, '-o', model, '--log', log, '--threads', '1', '--no-card', '--vocab', 'used+other']
            output_of(command + (['--resume'] if checkpoint.exists() else [
                *self.options, '--val-fraction', fraction, '--steps', self.steps, '--seed', self.seed, '--eval-every', '0', '--save-every', '500']))
        _, recipe, _, _ = recipe_of(args, model)
        results.add({'kind': 'network', 'text': self.text, 'name': self.name, 'options': self.options, 'steps': self.steps, 'seed': self.seed,
                     'uses_seed': runs.uses_seed(self.options), 'recipe': recipe, **score(args, model, self.text), **score_with_history(args, model, self.text)})


class Rival:
    """Counting, or a compressor, on a text, at all sizes."""

    def __init__(self, text, name, sizes):
        self.text, self.name, self.sizes = text, name, sizes
        self.cost = len(sizes) * DEFAULT_RATE * {'ngram': 10, 'ppmd': 12, 'xz': 8, 'bzip2': 2}[name]
        self.title = f'{text}: {name}'

    def missing(self, results):
        return [s for s in self.sizes if not results.has(kind='rival', text=self.text, name=self.name, size=s)]

    def is_finished(self, results):
        return not self.missing(results)

    def finish(self, args, results):
        path, fraction = runs.TEXTS[self.text]
        train, val = rivals.split((args.data / path).read_bytes(), fraction)
        for found in rivals.of_sizes(self.name, train, val, self.missing(results)):
            results.add({'kind': 'rival', 'text': self.text, 'name': self.name, **found})


def work(args):
    """All runs, cheap ones first: a picture is there soon."""
    networks = {**runs.NETWORKS, **runs.WITHOUT}
    if args.quick:
        networks = {name: networks[name] for name in runs.QUICK}
    sizes = [s for s in rivals.SIZES if s <= 102400] if args.quick else rivals.SIZES
    texts = args.texts[:1] if args.quick else args.texts
    found = [Rival(text, name, sizes) for text in texts for name in rivals.RIVALS if args.only in name]
    for text in texts:
        for name, options in networks.items():
            if args.only in name and (text == 'tinyshakespeare' or name in runs.NETWORKS):
                found += [Run(text, name, options, seed, args.steps)
                          for seed in range(1, 1 + (args.seeds or (1 if args.quick else runs.n_seeds(options))))]
    return sorted(found, key=lambda run: (getattr(run, 'seed', 1), run.cost))


class Clock:
    """Says run k of n, and how long the rest will take if it is as fast as what is done."""

    def __init__(self, todo, n, jobs):
        self.left, self.k, self.n, self.jobs = sum(r.cost for r in todo), n - len(todo), n, jobs
        self.done = self.seconds = 0.0
        self.lock = threading.Lock()

    def begin(self, run):
        with self.lock:
            self.k += 1
            rate = self.done / self.seconds if self.seconds else DEFAULT_RATE
            minutes = round(self.left / rate / self.jobs / 60)
            print(f'run {self.k} of {self.n}, about {minutes // 60}:{minutes % 60:02} left: {run.title}', file=sys.stderr, flush=True)

    def end(self, run, seconds):
        with self.lock:
            self.left -= run.cost
            self.done += run.cost
            self.seconds += seconds


def finish(args, results, clock, run):
    clock.begin(run)
    start = time.monotonic()
    run.finish(args, results)
    clock.end(run, time.monotonic() - start)


def finish_all(name, args, results, clock, todo):
    """args.jobs at a time; how many failed, each with a message of the program of that name."""
    faults = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        futures = {pool.submit(finish, args, results, clock, run): run for run in todo}
        try:
            for future in concurrent.futures.as_completed(futures):
                if future.exception():
                    faults += 1
                    print(f'{name}: {futures[future].title}: {future.exception()}', file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            sys.exit(f'{name}: stopped; the same command goes on')
    return faults


def train_all(args, results):
    everything = work(args)
    todo = [run for run in everything if not run.is_finished(results)]
    return finish_all('models/frontier', args, results, Clock(todo, len(everything), args.jobs), todo)


def take(args, results):
    """Scores the models of other folders, those that are not among the results."""
    for model in sorted(m for folder in args.take for m in folder.glob('*.smol')):
        if results.has(kind='network', file=model.name):
            continue
        try:
            text, recipe, seed, steps = recipe_of(args, model)
            line = {'kind': 'network', 'text': text, 'file': model.name, 'steps': steps, 'seed': seed, 'recipe': recipe}
            measured = score_of_card(args, model) if args.cards else {**score(args, model, text), **score_with_history(args, model, text)}
            results.add({**line, **frontier_report.described(recipe), **measured})
        except (RuntimeError, KeyError, StopIteration) as fault:
            print(f'models/frontier: {model}: left out: {fault}', file=sys.stderr, flush=True)


def between_marks(program, document, text):
    before, mark, rest = document.partition('<!-- tables -->\n')
    _, end, after = rest.partition('<!-- end of tables -->')
    if not mark or not end:
        sys.exit(f'{program}: --document: there is no <!-- tables --> and <!-- end of tables -->')
    return before + mark + '\n' + text + '\n' + end + after


def main():
    args = arguments()
    args.output.mkdir(parents=True, exist_ok=True)
    results, faults = Results(args.output / 'results.jsonl'), 0
    if not args.report:
        for text in args.texts:
            path, fraction = runs.TEXTS[text]
            for name, part in zip(('.train', '.val'), rivals.split((args.data / path).read_bytes(), fraction)):
                (args.output / (text + name)).write_bytes(part)
        take(args, results)
        faults = train_all(args, results)
    text = frontier_report.tables(results.lines)
    write(args.output / 'tables.md', text)
    frontier_report.pictures(results.lines, args.output)
    if args.document:
        write(args.document, between_marks('models/frontier', args.document.read_text(), text))
        frontier_report.pictures(results.lines, args.document.parent)
    print(text)
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
