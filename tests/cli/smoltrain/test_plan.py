"""smoltrain --size: what it chooses, that the file fits, and the rivals beside it, against a reading of their definitions in Python."""
import json
import lzma
import math
import os
import re
import subprocess

import pytest

from programs import root, run_text as run, smoltool, smoltrain

TEXT = (root / 'SPEC.md').read_bytes()[:20000]
FILES = {'text': TEXT}
FEW = ['--steps', '3', '--threads', '1', '--eval-every', '0']
FILTERS = [{'id': lzma.FILTER_LZMA2, 'preset': 9 | lzma.PRESET_EXTREME}]
LAST = ['--layers', '1', '--width', '8']  # little to wait for


def plan(folder, *arguments, text='text', code=0):
    return run(smoltrain, '--data', folder / text, '--plan', '--threads', '1', *arguments, code=code)


def test_three_lines(folder):
    done = plan(folder, '--size', '20K')
    text, model, training = done.stdout.splitlines()
    n_values = len(set(TEXT)) + 1
    assert text == f'text: 1 file, 20000 bytes; bytes as tokens, {n_values} of them; 18000 to train on, 2000 held out'
    assert re.fullmatch(r'model: .*, \d layers? of width \d+, embeddings of q\w+(-row)?, a history: \d+ of 20480 bytes before card and signature; .*', model)
    assert re.fullmatch(r'training: \d+ steps of 8 windows of 128, .*', training)
    assert os.listdir(folder) == ['text']


def test_the_history_is_a_choice(folder):
    """Of a size, unless the line has features or documents."""
    (folder / 'many').write_bytes(TEXT.replace(b'\n\n', b'<|endoftext|>'))
    for words in (['--size', '20K'], ['--size', '20K', '--method', 'mask'], ['--minutes', '1', '--history']):
        assert ', a history: ' in plan(folder, *words, text='many').stdout, words
    for words in (['--minutes', '1'], *(['--size', '20K', *w] for w in (['--without', 'history'], ['--without', 'relu2'], ['--features', 'distances'], ['--documents'], ['--arch', 'gpt2']))):
        shown = plan(folder, *words, text='many').stdout
        assert 'history' not in shown and '\nmodel: ' in shown, words


def test_files_fit(folder):
    """With cards as long as there is room for, and always room for a signature."""
    shape = ['--layers', '1', '--width', '8', '--embedding-type', 'q8']
    bare = int(re.search(r' (\d+) of \d+ bytes before', plan(folder, '--size', '8K', *shape).stdout)[1]) + 104
    out = folder / 'm.smol'
    for room, card in ((0, None), (300, 'short'), (2500, 'long')):
        done = run(smoltrain, '--data', folder / 'text', '--size', bare + room, *FEW, *shape, '-o', out)
        assert bare - 104 <= out.stat().st_size <= bare + room - 104
        found = json.loads(run(smoltool, 'inspect', '--json', out).stdout).get('card')
        assert bool(found) == bool(card) and ('recipe' in (found or {})) == (card == 'long'), found
        assert ('there is no room for a card' in done.stderr) == (card is None)
        assert ('there is room for a short card only' in done.stderr) == (card == 'short')
    for size, most, share in (('16384', 16384, 0.9), ('40K', 40960, 0.6)):
        run(smoltrain, '--data', folder / 'text', '--size', size, *FEW, '--batch', '1', '-o', out)
        assert most * share < out.stat().st_size <= most - 104, (size, out.stat().st_size)


def test_sizes_are_exact(folder):
    """What a plan says of a file is what is written."""
    for options in (['--layers', '1'], ['--method', 'ternary', '--layers', '3'], ['--method', 'full', '--matrix-type', 'q8', '--layers', '1'],
                    ['--method', 'lora', '--width', '32'], ['--method', 'embed', '--arch', 'gpt2', '--context', '16', '--vocab', 'used']):
        done = run(smoltrain, '--data', folder / 'text', '--size', '30K', *FEW, '--batch', '1', *options, '--no-card', '-o', folder / 'm.smol')
        said = re.search(r'^model: .* (\d+) of 30720 bytes before card', done.stderr, re.M)
        assert int(said[1]) == (folder / 'm.smol').stat().st_size, done.stderr


def test_the_line_decides(folder):
    done = plan(folder, '--size', '64K', '--method', 'ternary', '--layers', '3', '--embedding-type', 'q8', '--steps', '7', '--batch', '2',
                '--context', '32')
    assert 'model: ternary weights, 3 layers of width ' in done.stdout and 'embeddings of q8' in done.stdout and 'training: 7 steps of 2 windows of 32,' in done.stdout
    done = plan(folder, '--size', '64K', '--width', '40', '--heads', '5')
    assert re.search(r'layers? of width 40,', done.stdout)
    heads = re.search(r'layers? of width (\d+),', plan(folder, '--size', '30K', '--heads', '3').stdout)
    assert int(heads[1]) % 3 == 0
    few, many = (int(re.search(r'training: (\d+) steps', plan(folder, '--minutes', m, '--size', '8K').stdout)[1]) for m in ('0.02', '0.5'))
    assert few < many


def test_what_cannot_be(folder, check):
    (folder / 'short').write_bytes(TEXT[:1500])
    for arguments, why in ((['--size', '900'], 'the least of them takes '), (['--size', '16K', '--width', '512'], 'the least of them takes '),
                           (['--size', '64K', '--text'], None), (['--size', '64X'], 'takes bytes'), (['--size', '0'], 'takes bytes'),
                           (['--size', '5M'], 'takes bytes'), (['--size', ''], 'takes bytes'), (['--size', '-3'], 'takes bytes'),
                           (['--size', '1e3'], 'takes bytes'), (['--minutes', '0'], 'takes a number over 0'), (['--minutes', 'nan'], '--minutes'),
                           (['--resume'], '--plan')):
        done = plan(folder, *arguments, code=1 if why and 'least' in why else 2)
        check.that(not done.stdout and (why is None or why in done.stderr), done.stderr)
    done = plan(folder, '--size', '64K', text='short', code=1)
    check.that(done.stderr.count('\n') == 1 and 'to hold out are too few' in done.stderr, done.stderr)
    done = plan(folder, '--size', '64K', '--minutes', '0.00001', code=1)
    check.that('--minutes: too short to train any model that fits' in done.stderr, done.stderr)
    least = int(re.search(r'least of them takes (\d+)', plan(folder, '--size', '900', code=1).stderr)[1])
    check.that(plan(folder, '--size', least).stdout, 'least')
    check.that(plan(folder, '--size', least - 1, code=1).stderr, 'less')


def counts(text, k):
    """{context: {byte: count}} of each order."""
    orders = []
    for j in range(k + 1):
        order = {}
        for i in range(j, len(text)):
            follow = order.setdefault(text[i - j:i], {})
            follow[text[i]] = min(follow.get(text[i], 0) + 1, 255)
        orders.append({h: dict(sorted(f.items())) for h, f in order.items()})
    return orders


def table(orders):
    """Orders as bytes: contexts are the kept strings of the order before."""
    out, contexts = [], [b'']
    for j, order in enumerate(orders):
        following = []
        for h in contexts:
            f = order.get(h, {})
            out.append(bytes([len(f) - (j == 0)]) + bytes(f) + bytes(f.values()))
            following += [h + bytes([b]) for b in f]
        contexts = following
    return b''.join(out)


def loss(orders, vocab, text):
    total = 0
    for i in range(1, len(text)):
        p = 1 / vocab
        for j, order in enumerate(orders[:i + 1]):
            f = order.get(text[i - j:i])
            if f:
                p = (f.get(text[i], 0) + len(f) * p) / (sum(f.values()) + len(f))
        total -= math.log(p)
    return total / (len(text) - 1)


def packed(data):
    return len(lzma.compress(data, lzma.FORMAT_RAW, filters=FILTERS))


@pytest.mark.slow
def test_rivals(folder):
    """The table that is named has that size and loss, and no other one near it that fits is better."""
    train, held_out = TEXT[:18000], TEXT[18000:]
    vocab, every = len(set(train)) + 1, counts(train, 4)
    for size in (3500, 8000):
        log = folder / f'{size}.jsonl'
        done = run(smoltrain, '--data', folder / 'text', '--size', size, *FEW, *LAST, '--log', log, '-o', folder / 'm.smol')
        found = json.loads(log.read_text().splitlines()[-1])
        assert found['event'] == 'rivals' and found['size_bytes'] == size
        best, losses = found['ngram'], {}
        for k in range(5):
            for m in (best['least_count'] - 1, best['least_count'], best['least_count'] + 1):
                orders = [{h: {b: n for b, n in f.items() if n >= m} for h, f in order.items()} for order in every[:k + 1]]
                n = packed(table(orders))
                if n <= size:
                    losses[k, m] = n, loss(orders, vocab, held_out)
        n, nats = losses[best['order'], best['least_count']]
        assert n == best['bytes'] and abs(nats - best['nats_per_byte']) < 1e-6
        assert nats == min(x for _, x in losses.values())
        assert f'an n-gram table of order {best["order"]}, counts from {best["least_count"]} on, {nats:.5f} nats per byte' in done.stdout
        xz, tail = found['xz'], train[18000 - found['xz']['text_bytes']:]
        longer = int(xz['text_bytes'] * 1.02) + 9
        assert packed(tail) == xz['bytes'] <= size and (len(tail) == 18000 or packed(train[18000 - longer:]) > size)
        assert abs((packed(tail + held_out) - packed(tail)) * 8 * math.log(2) / len(held_out) - xz['nats_per_byte']) < 1e-6


def test_resumed(folder):
    """The same line goes on from a checkpoint without planning again, to a file that fits too."""
    line = [smoltrain, '--data', folder / 'text', '--size', '8K', '--steps', '400', '--print-every', '5', '--context', '16', '--batch', '1', '--threads', '1', '-o', folder / 'a.smol']
    stopped = subprocess.Popen([str(word) for word in line], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not stopped.stderr.readline().startswith('step'):
        pass
    stopped.terminate()
    out, err = stopped.communicate(timeout=200)
    assert stopped.returncode == 1 and '--resume continues' in err.replace('with ', ''), err
    shape = run(smoltool, 'inspect', folder / 'a.smol').stdout.splitlines()[1:6]
    done = run(*line, '--resume')
    assert 'text:' not in done.stderr and 'in 8192 bytes, on the same text: ' in done.stdout
    assert (folder / 'a.smol').stat().st_size <= 8192 - 104 and run(smoltool, 'inspect', folder / 'a.smol').stdout.splitlines()[1:6] == shape
