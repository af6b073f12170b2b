"""models/frontier and its rivals: n-gram tables against counts made one by one, compressors against their programs, runs that go on where
they stopped, tables and pictures."""
import bz2
import collections
import json
import lzma
import math
import shutil
import subprocess
import sys

import pytest
from programs import build, root, run

sys.path.insert(0, str(root / 'models'))
import frontier_report  # noqa: E402
import rivals  # noqa: E402

TEXT = ' '.join((root / name).read_text() for name in ('CONTRIBUTING.md', 'tests/README.md')).encode()


# ---- n-gram tables ----

def stored(count, levels):
    return round(levels * math.log2(count)) if levels else min(count, 255)


def entries(text, order, least, levels):
    """context -> {byte: count as stored}, by counting."""
    table = collections.defaultdict(dict)
    for n in range(order + 1):
        for gram, count in collections.Counter(text[i:i + n + 1] for i in range(len(text) - n)).items():
            if count >= least:
                table[gram[:-1]][gram[-1]] = stored(count, levels)
    return table


def probability(table, levels, vocabulary, context, byte, order):
    """By the definition, from the longest context down; byte None is any other than those of the text."""
    if order < 0:
        return 1 / vocabulary
    lower = probability(table, levels, vocabulary, context, byte, order - 1)
    followers = table.get(context[len(context) - order:]) if order <= len(context) else None
    if not followers:
        return lower
    counts = {b: 2 ** (s / levels) if levels else s for b, s in followers.items()}
    return (counts.get(byte, 0) + len(counts) * lower) / (sum(counts.values()) + len(counts))


def packed_by_hand(table, order):
    """The table as it is described: for each context of an order, number, bytes, counts."""
    contexts, out = [b''], bytearray()
    for _ in range(order + 1):
        below = []
        for context in contexts:
            followers = sorted(table.get(context, {}).items())
            out += bytes([len(followers), *(b for b, _ in followers), *(s for _, s in followers)])
            below += [context + bytes([b]) for b, _ in followers]
        contexts = below
    return bytes(out)


@pytest.mark.parametrize('order, least, levels', [(0, 1, 0), (1, 1, 0), (2, 1, 0), (3, 2, 1), (2, 3, 4), (5, 1, 2)])
def test_ngram_tables(order, least, levels):
    train, val = TEXT[:3000], TEXT[3000:3400] + b'\x01'  # a byte that the text has not
    vocabulary = len(set(train)) + 1
    table = entries(train, order, least, levels)
    *_, (data, p) = rivals.tables(rivals.Counts(train), val, least, levels, order)
    assert data == packed_by_hand(table, order)
    wanted = [probability(table, levels, vocabulary, val[:i], val[i], order) for i in range(1, len(val))]
    assert len(p) == len(wanted) and max(abs(a - b) for a, b in zip(p, wanted)) < 1e-12


def test_ngram_probabilities_sum_to_one():
    train = TEXT[:2000]
    used = sorted(set(train))
    counts = rivals.Counts(train)
    for context in (b'the', b'zq', b' '):
        total = 0
        for byte in [*used, 1]:
            *_, (_, p) = rivals.tables(counts, context + bytes([byte]), 1, 2, 3)
            total += p[-1]
        assert abs(total - 1) < 1e-12


@pytest.mark.slow
def test_best_table_of_a_size():
    train, val = rivals.split(TEXT[:2500], 0.1)
    small, large = rivals.ngrams(train, val, [200, 900])
    assert small['bytes'] <= 200 and large['bytes'] <= 900 and large['nats'] < small['nats'] < math.log(256)
    *_, (data, p) = rivals.tables(rivals.Counts(train), val, large['least'], large['levels'], large['order'])
    assert len(lzma.compress(data, lzma.FORMAT_RAW, filters=[{'id': lzma.FILTER_LZMA2, 'preset': 9 | lzma.PRESET_EXTREME}])) == large['bytes']


# ---- compressors ----

def test_sizes_are_those_of_the_programs(folder):
    (folder / 'text').write_bytes(TEXT)
    for program, words, size in (('xz', ['--format=raw', '--lzma2=preset=9e', '-c'], rivals.packed_size(TEXT)), ('bzip2', ['-9', '-c'], rivals.COMPRESSORS['bzip2'](TEXT))):
        if shutil.which(program):
            assert len(run(program, *words, folder / 'text').stdout) == size
    if shutil.which('7z'):
        run('7z', 'a', '-m0=PPMd:o=6:mem=64m', '-si', folder / 'a.7z', input=TEXT)
        listed = run('7z', 'l', '-slt', folder / 'a.7z').stdout.decode()
        assert f'\nPacked Size = {rivals.ppmd_size(TEXT, 6)}\n' in listed


def test_a_compressor_of_a_size():
    train, val = rivals.split(TEXT, 0.1)
    found, = rivals.of_sizes('bzip2', train, val, [1500])
    tail = train[-found['tail']:]
    assert len(bz2.compress(tail)) == found['bytes'] <= 1500 and len(bz2.compress(train[-found['tail'] - 200:])) > 1500
    assert found['nats'] == pytest.approx((len(bz2.compress(tail + val)) - found['bytes']) * 8 * math.log(2) / len(val))
    alone = [len(bz2.compress(tail + val[i:i + 4096])) - found['bytes'] for i in range(0, len(val), 4096)]
    assert found['pieces'] == pytest.approx(sum(alone) * 8 * math.log(2) / len(val))
    everything = list(rivals.of_sizes('bzip2', train, val, [10 ** 6, 10 ** 7]))
    assert everything == [{**everything[0], 'size': size} for size in (10 ** 6, 10 ** 7)] and everything[0]['tail'] == len(train)


# ---- the series of trainings ----

NAME = 'masks, 1 x 8'


@pytest.fixture
def series(folder):
    """Runs models/frontier.py over a small text, with a trainer that notes its calls."""
    (folder / 'data/tinyshakespeare').mkdir(parents=True)
    (folder / 'data/tinyshakespeare/input.txt').write_bytes(TEXT)
    (folder / 'tools').mkdir()
    for name in ('smolrun', 'smoltool'):
        (folder / 'tools' / name).symlink_to(build / 'tools' / name)
    trainer = folder / 'tools/smoltrain'
    trainer.write_text(f'#!/bin/sh\necho "$*" >>"{folder}/calls"\n[ ! -e "{folder}/broken" ] || {{ echo "smoltrain: broken" >&2; exit 1; }}\n'
                       f'exec "{build}/tools/smoltrain" "$@"\n')
    trainer.chmod(0o755)

    def go(*words, code=0):
        done = run(sys.executable, root / 'models/frontier.py', root, '--data', folder / 'data', '--tools', folder / 'tools', '--texts', 'tinyshakespeare', '--only', NAME,
                   '--steps', 4, '--jobs', 1, '-o', folder / 'out', *words, code=code)
        calls = (folder / 'calls').read_text().splitlines() if (folder / 'calls').exists() else []
        return done, calls
    return go


def results(folder):
    return [json.loads(line) for line in (folder / 'out/results.jsonl').read_text().splitlines()]


@pytest.mark.slow
def test_a_series_goes_on_where_it_stopped(series, folder):
    done, calls = series('--seeds', 1)
    assert len(calls) == 1 and done.stderr.decode() == f'run 1 of 1, about 0:00 left: tinyshakespeare: {NAME}, seed 1\n'
    first, = results(folder)
    model = folder / 'out/tinyshakespeare-masks--1-x-8-4-1.smol'
    said = json.loads(run(folder / 'tools/smolrun', model, '--perplexity', folder / 'out/tinyshakespeare.val', '--json').stdout)
    assert first['bytes'] == model.stat().st_size and first['nats'] == pytest.approx(said['nats_per_token']) and first['uses_seed']
    start = json.loads(model.with_suffix('.jsonl').read_text().splitlines()[0])
    assert (folder / 'out/tinyshakespeare.val').stat().st_size == start['val_bytes']
    assert NAME in (folder / 'out/tables.md').read_text()

    (folder / 'broken').touch()
    done, calls = series('--seeds', 2, code=1)
    assert done.stderr.decode().endswith('models/frontier: tinyshakespeare: %s, seed 2: smoltrain: broken\n' % NAME) and len(calls) == 2
    (folder / 'broken').unlink()
    done, calls = series('--seeds', 2)
    assert len(calls) == 3 and 'run 2 of 2, ' in done.stderr.decode() and [line['seed'] for line in results(folder)] == [1, 2]

    # A line that was cut off is lost; its model is not trained again.
    path, whole = folder / 'out/results.jsonl', results(folder)
    path.write_text(path.read_text()[:-30])
    _, calls = series('--seeds', 2)
    assert len(calls) == 3 and results(folder) == whole

    # A checkpoint is gone on from.
    path.write_text(json.dumps(whole[0]) + '\n')
    model = folder / 'out/tinyshakespeare-masks--1-x-8-4-2.smol'
    model.unlink()
    model.with_suffix('.ckpt').touch()
    _, calls = series('--seeds', 2, code=1)
    assert '--resume' in calls[-1] and '--method' not in calls[-1]


@pytest.mark.slow
def test_models_trained_elsewhere(series, folder):
    (folder / 'others').mkdir()
    text = folder / 'data/tinyshakespeare/input.txt'
    for name, words in (('card', ['--log', folder / 'x.jsonl']), ('log', ['--no-card', '--log', folder / 'others/log.jsonl']), ('neither', ['--no-card'])):
        run(build / 'tools/smoltrain', '--data', text, '--method', 'ternary', '--layers', 1, '--width', 16, '--heads', 2, '--context', 16, '--steps', 4, '-t', 1,
            '-o', folder / 'others' / (name + '.smol'), *words)
    done, _ = series('--only', 'none of them', '--take', folder / 'others', '--cards')
    assert 'log.smol: left out: it has no card with a score: leave --cards out' in done.stderr.decode()
    assert [line['file'] for line in results(folder)] == ['card.smol']
    done, calls = series('--only', 'none of them', '--take', folder / 'others')
    assert not calls and 'neither.smol: left out: ' in done.stderr.decode()
    assert [(line['file'], line['name'], line['uses_seed']) for line in results(folder)] == [
        ('card.smol', 'ternary, 1 x 16', False), ('log.smol', 'ternary, 1 x 16', False)]


def test_bad_words(folder):
    def complaint(*words):
        return run(sys.executable, root / 'models/frontier.py', root, *words, code=1).stderr.decode()

    assert complaint('--texts', 'moby') == 'models/frontier: --texts: moby: not one of tinyshakespeare, tinystories\n'
    assert complaint('--document', folder / 'x.md') == f'models/frontier: --document: {folder}/x.md: not there\n'
    assert complaint('--take', folder / 'x') == f'models/frontier: --take: {folder}/x: no such folder\n'
    assert run(sys.executable, root / 'models/frontier.py', root, '--jobs', 0, code=2).stderr.decode().endswith('argument --jobs: takes 1 or more\n')
    assert complaint('--data', folder) == f'models/frontier: {folder}/tinyshakespeare/input.txt: not there; name its folder with --data\n'


def test_texts_are_looked_for_before_anything_is_installed(folder):
    done = run(root / 'models/frontier', '--data', folder, code=1, env={'PATH': '/usr/bin:/bin'})
    assert done.stderr.decode() == f'models/frontier: {folder}/tinyshakespeare/input.txt: not there; name the folder of the texts with --data\n'


# ---- tables and pictures ----

def network(name, size, nats, seed=1, uses_seed=True, **more):
    return {'kind': 'network', 'text': 'tinyshakespeare', 'name': name, 'steps': 100, 'seed': seed, 'uses_seed': uses_seed, 'bytes': size, 'numbers': 5,
            'nats': nats, 'windows': nats + 0.02, 'how': 'stream', 'recipe': {'embedding_type': 'q8', 'context': 128, 'batch': 8}, **more}


def history(size, nats):
    return {'bytes': size, 'nats': nats, 'pieces': nats + 0.1}


LINES = [network('masks, 1 x 8', 1000, 2.5, history=history(1060, 1.9)), network('masks, 1 x 8', 1000, 2.3, 2), network('masks, 2 x 64', 16000, 1.8, history=history(16060, 1.62)),
         network('masks, 3 x 64', 16200, 1.79), network('ternary, 2 x 64', 16100, 1.7, uses_seed=False, history=history(16100, 1.6)), network('GPT-2 4 bits, 2 x 64', 60000, 1.6, uses_seed=False),
         {'kind': 'rival', 'text': 'tinyshakespeare', 'name': 'ngram', 'size': 1024, 'bytes': 1000, 'nats': 2.45},
         {'kind': 'rival', 'text': 'tinyshakespeare', 'name': 'ppmd', 'size': 1024, 'bytes': 1024, 'nats': 1.65, 'pieces': 2.1, 'tail': 2000}]


def test_tables():
    """What learns from what it reads, in pieces, and what does not; a network whose history was not measured is only in the last."""
    blocks = frontier_report.tables(LINES).split('\n\n')
    tables = {blocks[i]: {row[0]: row[1:] for row in ([cell.strip() for cell in line.split('|')[1:-1]] for line in block.splitlines())}
              for i, block in enumerate(blocks[1:]) if block.startswith('|')}
    whole, pieces, alone = (tables[title] for title in frontier_report.TABLES.values())
    assert whole['1,024'] == pieces['1,024'][:2] + ['**1.650**'] == ['-', '-', '**1.650**'] and pieces['1,024'][2] == '**2.100**'
    assert whole['2,953'] == ['1.900 masks, 1 x 8', '-', '**1.650**'] and pieces['2,953'] == ['**2.000** masks, 1 x 8', '-', '2.100']
    assert whole['16,384'] == ['1.620 masks, 2 x 64', '**1.600** ternary, 2 x 64', '1.650'] and pieces['65,536'] == ['1.720', '**1.700**', '2.100']
    assert alone['1,024'] == ['**2.400** masks, 1 x 8', '-', '-', '2.450']
    assert alone['16,384'] == ['1.790 masks, 3 x 64', '**1.700** ternary, 2 x 64', '-', '2.450']
    assert alone['65,536'] == ['1.790', '1.700', '**1.600** GPT-2 4 bits, 2 x 64', '2.450']
    networks = tables['### Every network']
    assert networks['1,000'] == ['5', '2.4000', '2.5000, 2.3000', '2.4200', '**1.9000**', '2.0000', 'masks, 1 x 8', 'q8, 100 steps']
    assert networks['16,200'][2:7] == ['one', '1.8100', '-', '-', 'masks, 3 x 64']


def test_tables_in_a_document(folder):
    document = folder / 'a.md'
    document.write_text('Before.\n\n<!-- tables -->\nold\n<!-- end of tables -->\nAfter.\n')
    (folder / 'out').mkdir()
    (folder / 'out/results.jsonl').write_text(''.join(json.dumps(line) + '\n' for line in LINES))
    run(sys.executable, root / 'models/frontier.py', root, '--report', '--document', document, '-o', folder / 'out')
    tables = (folder / 'out/tables.md').read_text()
    assert document.read_text() == f'Before.\n\n<!-- tables -->\n\n{tables}\n<!-- end of tables -->\nAfter.\n' and 'masks, 3 x 64' in tables


def test_labels_stay_apart():
    place = frontier_report.Place([1000, 1000000], [1.5, 2.5])
    points = [(3000 + 900 * i, 2.1 - 0.03 * i, 'masks, 2 x %d' % i) for i in range(12)]
    boxes = frontier_report.obstacles(place, [points, [(2000, 2.4), (500000, 1.7)]], [1.6])
    found = frontier_report.labels(place, points, boxes)
    assert len(found) >= 4
    for x, y, text, align in found:
        left = x - (6.1 * len(text) if align == 'right' else 0)
        box = (left, y - 5.5, left + 6.1 * len(text), y + 5.5)
        assert not any(frontier_report.overlaps(box, other) for other in boxes)
        boxes.append(box)


def test_pictures(folder, gnuplot):
    frontier_report.pictures(LINES, folder)
    picture = (folder / 'frontier.svg').read_text()
    for words in ('smol, weights from a seed', 'smol, all weights stored', 'smol without a history', 'GPT-2&apos;s block', 'n-gram table', 'PPMd', 'nanoGPT', 'masks, 2 x 64'):
        assert words in picture or words.replace('&apos;', "'") in picture, words
    assert not list(folder.glob('*.tmp')) and not (folder / 'frontier-stories.svg').exists()
    assert subprocess.run(['xmllint', '--noout', folder / 'frontier.svg'], check=False).returncode == 0 if shutil.which('xmllint') else True
