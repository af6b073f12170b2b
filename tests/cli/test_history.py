"""A history: `smoltool history`, `smolrun --history` and `smoltrain --history`, against SPEC.md 8 in plain Python: the network's probabilities are the reference's."""
import collections
import json
import signal
import subprocess

import numpy as np
import pytest

import container
import forward
import tokens
from programs import model, root, run, run_text, smolrun, smoltool, smoltrain, tool, tool_text, write
from tokenizing import train as train_tokenizer

TEXT = b"ROMEO:\nIs the day so young?\nBENVOLIO:\nBut new struck nine.\nROMEO:\nAy me! sad hours seem long.\nWas that my father that went hence so fast?\n"
FILES = {'text': TEXT * 3}
SMALL = ['--layers', '1', '--width', '16', '--heads', '2', '--context', '8']
TRAIN = [*SMALL, '--batch', '4', '--steps', '20', '--eval-every', '0', '--threads', '1', '--seed', '3']
READ = 65536


def new(folder, *arguments, name='m.smol'):
    tool('new', '--arch', 'smol', *SMALL, '-o', folder / name, *arguments)
    return folder / name


def history(folder, of=None, text=None, *arguments, name='h.smol'):
    """A model with one, and what the command says."""
    said = tool('history', of or new(folder), text or folder / 'text', '--json', '-o', folder / name, *arguments).stdout
    return folder / name, json.loads(said)


def inspected(path, *arguments):
    return json.loads(tool('inspect', '--json', path, *arguments).stdout)


def perplexity(path, text, *arguments):
    return json.loads(run(smolrun, path, '--perplexity', text, '--json', *arguments).stdout)


# ---- the arithmetic ----

def followers(ids, length, last):
    """What followed the last `length` tokens of ids before, and how much each counts."""
    counts = collections.Counter()
    for at in range(length, len(ids)):
        if ids[at - length:at] == ids[-length:]:
            counts[ids[at]] += 4 if at >= len(ids) - last else 1
    return counts


def mixed(p, ids, token, numbers, shortest):
    """A token's probability after ids, of which the network has p."""
    for k, number in enumerate(numbers):
        if len(ids) < shortest + k:
            break
        counts = followers(ids, shortest + k, 1024)
        n, u = sum(counts.values()), len(counts)
        if n == 0:
            break
        s = 1 / 8 + float(np.exp(np.float32(number))) * u
        p = (max(counts[token] - 1 / 8, 0) + (s + u / 8) * p) / (n + s)
    return p


def network_nats(path, ids):
    """By the reference, of each token after the first."""
    logits = np.array(forward.Session(forward.Model(container.read(path.read_bytes()))).feed(list(ids)), np.float64)[:-1]
    top = logits.max(1, keepdims=True)
    return np.log(np.exp(logits - top).sum(1)) + top[:, 0] - logits[np.arange(len(ids) - 1), ids[1:]]


def nats(plain, ids, numbers, shortest, length=READ):
    losses = network_nats(plain, ids)
    return float(np.mean([-np.log(mixed(np.exp(-losses[i - 1]), ids[max(0, i - length):i], ids[i], numbers, shortest)) for i in range(1, len(ids))]))


@pytest.mark.slow
def test_the_mixture_of_bytes(folder):
    """Of 2 to 6 bytes; places that were long ago count less, from 1,025 tokens on, and a shorter history forgets them."""
    m = new(folder)
    block = (TEXT * 2 + bytes(np.random.default_rng(1).choice(list(TEXT), 1024)))[:1024]
    text = write(folder / 'long', block + block[:100] + b'#' + block[100:200] + TEXT[:90] + TEXT[60:])
    h, said = history(folder, m, text)
    numbers, ids = inspected(h)['history'], list(text.read_bytes())
    assert len(ids) > 1300 and len(set(numbers)) > 2
    for length in (READ, 300):
        got = perplexity(h, text, '--history', length)
        assert abs(got['nats_per_token'] - nats(m, ids, numbers, 2, length)) < 1e-5 and got['history'] == length
    assert abs(said['nats_per_token'] - nats(m, ids, numbers, 2)) < 1e-3, 'but for the rounding of the numbers'


def test_the_mixture_of_other_tokens(folder):
    """Of 1 to 5."""
    made = train_tokenizer(folder, 300, TEXT * 20)
    m = new(folder, '--tokenizer', made)
    h, _ = history(folder, m)
    ids = list(tokens.Tokenizer(made.read_bytes()[16:]).encode(TEXT * 3))
    assert 100 < len(ids) < len(TEXT) * 2
    assert abs(perplexity(h, folder / 'text')['nats_per_token'] - nats(m, ids, inspected(h)['history'], 1)) < 1e-5


@pytest.mark.slow
def test_the_numbers_are_the_best(folder):
    """No step of any of them makes the text likelier, by the same arithmetic."""
    m = new(folder)
    h, _ = history(folder, m)
    numbers, ids = inspected(h)['history'], list(TEXT * 3)
    best = nats(m, ids, numbers, 2)
    for k in range(5):
        for step in (-0.25, 0.25):
            assert nats(m, ids, [*numbers[:k], numbers[k] + step, *numbers[k + 1:]], 2) > best - 1e-4, (k, step)


# ---- smoltool history ----

def test_what_it_says(folder):
    """In a line and as JSON: the losses that smolrun finds, of the numbers before they are rounded. The network stays as it is."""
    m = new(folder)
    h, said = history(folder, m)
    assert said['file_bytes'] == h.stat().st_size and said['tokens'] == len(TEXT * 3)
    with_it, without = (perplexity(h, folder / 'text', *words)['nats_per_token'] for words in ([], ['--history', 0]))
    assert abs(said['nats_per_token'] - with_it) < 1e-3 and abs(said['nats_per_token_without'] - without) < 1e-7 and with_it < without / 3
    assert without == perplexity(m, folder / 'text')['nats_per_token']
    line = tool_text('history', m, folder / 'text', '-o', folder / 'again.smol').stdout
    assert line.endswith(' %d tokens of the text take %.5f nats each, without a history %.5f\n' % (said['tokens'], said['nats_per_token'], said['nats_per_token_without']))
    assert (folder / 'again.smol').read_bytes() == h.read_bytes()
    tool('history', h, folder / 'text', '-o', folder / 'again.smol')
    assert (folder / 'again.smol').read_bytes() == h.read_bytes(), 'a history that is there is nothing to the new one'
    tool('history', m, folder / 'text', '-o', m)
    assert m.read_bytes() == h.read_bytes(), 'in the place of the model'


def test_types(folder):
    """Those of the heads' factors, or what is asked for; every type is close to the others."""
    m, bare = new(folder), new(folder, '--features', 'distances', name='bare.smol')
    found = [inspected(history(folder, path, None, *words)[0]) for path, words in (
        (m, []), (m, ['--type', 'f16']), (bare, []), (bare, ['--type', 'q8']), (bare, ['--type', 'f32']))]
    assert [f['head_type'] for f in found] == ['f16', 'f16', 'f16', 'q8', 'f32']
    assert found[0]['history'] == found[1]['history']
    for f in found[2:]:
        assert np.allclose(f['history'], found[4]['history'], rtol=0.02, atol=0.02)
    assert found[2]['history'] == [float(np.float16(v)) for v in found[4]['history']]
    assert [f['non_embedding_params'] for f in found] == [inspected(p)['non_embedding_params'] + 5 for p in (m, m, bare, bare, bare)]


def test_the_card(folder):
    """Gets a member, all others stay; without a card there is none."""
    assert inspected(history(folder)[0])['card'] is None
    run(smoltrain, '--data', folder / 'text', *TRAIN, '-o', folder / 't.smol')
    before, (h, said) = inspected(folder / 't.smol')['card'], history(folder, folder / 't.smol')
    card = inspected(h)['card']
    found = card.pop('history')
    assert card == before and list(found) == ['text', 'tokens', 'nats_per_token', 'nats_per_token_without']
    assert (found['text'], found['tokens']) == ('text', said['tokens'])
    assert abs(found['nats_per_token'] - said['nats_per_token']) < 1e-7 and abs(found['nats_per_token_without'] - said['nats_per_token_without']) < 1e-7
    assert inspected(history(folder, h, name='again.smol')[0])['card'] == {**before, 'history': found}
    assert inspected(history(folder, folder / 't.smol', None, '--keep-card', name='kept.smol')[0])['card'] == before


BAD = [
    (['m.smol'], 2, 'TEXT: is missing'),
    (['m.smol', 'none'], 1, '{folder}/none: cannot open'),
    (['none.smol', 'text'], 1, '{folder}/none.smol: cannot open'),
    (['m.smol', 'one'], 1, '{folder}/one: a text of less than two tokens has nothing to predict'),
    (['m.smol', 'empty'], 1, '{folder}/empty: a text of less than two tokens has nothing to predict'),
    (['gpt2.smol', 'text'], 1, '{folder}/gpt2.smol: has no distances, which a history needs'),
    (['many.smol', 'text'], 1, '{folder}/many.smol: has 70000 tokens; with a history there may be 65536'),
    (['mix.smol', 'text'], 1, '{folder}/mix.smol: is a delta, whose models have the history'),
    (['m.smol', 'text', '--type', 'q8'], 1, '{folder}/m.smol: has numbers in f16, which those of a history are in too, not in q8'),
    (['m.smol', 'text', '--type', 'q4'], 2, '--type: takes q8, f16 or f32'),
    (['m.smol', 'text', '-o', 'no/such'], 1, '{folder}/no/such: '),
]


def test_what_it_refuses(folder, check):
    """In one line that names the file, or two for the command line; nothing is written."""
    new(folder)
    model(folder, name='gpt2.smol')
    new(folder, '--vocab', '70000', '--width', '2', name='many.smol')
    tool('merge', folder / 'm.smol', '-o', folder / 'mix.smol')
    write(folder / 'one', b'x')
    write(folder / 'empty', b'')
    for words, code, message in BAD:
        places = [w if w.startswith('-') or w in ('q8', 'q4') else folder / w for w in words]
        said = tool_text('history', *places, *([] if '-o' in words else ['-o', folder / 'out.smol']), code=code).stderr.splitlines()
        check.that(len(said) == code and said[0].startswith('smoltool history: ' + message.format(folder=folder)), '%s: %s' % (words, said))
        check.that(not (folder / 'out.smol').exists(), words)
    said = tool_text('history', folder / 'm.smol', folder / 'text', code=2).stderr
    check.that(said.startswith('smoltool history: --output: is missing\n'), said)


# ---- what other commands make of it ----

def test_inspect(folder):
    h, _ = history(folder)
    page, found = tool_text('inspect', h).stdout, inspected(h)
    assert 'output-table, history\n' in page and 'context 8, history 65536 and' in page and found['session_history'] == READ
    assert 'history      %s (f16; the lower, the more it counts)\n' % ' '.join('%.4g' % v for v in found['history']) in page
    assert inspected(h, '--history', 0)['session_history'] == 0 and 'context 8, history 0 and' in tool_text('inspect', h, '--history', 0).stdout
    plain = inspected(folder / 'm.smol')
    assert 'history' not in plain and 'session_history' not in plain and 'history' not in tool_text('inspect', folder / 'm.smol').stdout
    less = [inspected(h, '--history', n)['session_bytes'] for n in (10000, 20000, 40000)]
    assert less[2] - less[1] >= 2 * 20000 and less[1] - less[0] >= 2 * 10000 and less[0] > plain['session_bytes']


def test_export_and_weights(folder):
    h, _ = history(folder)
    numbers = inspected(h)['history']
    tool('export', '--npz', h, '-o', folder / 'npz')
    assert np.load(folder / 'npz/model.npz')['history'].tolist() == numbers
    assert json.loads((folder / 'npz/config.json').read_text())['features'][-1] == 'history'
    assert b'"history":{"dtype":"F32","shape":[5]' in (tool('export', '--safetensors', h, '-o', folder / 'st'), (folder / 'st/model.safetensors').read_bytes())[1].replace(b' ', b'')
    tool('weights', h, 'history', '-o', folder / 'w.npy')
    assert np.load(folder / 'w.npy').ravel().tolist() == numbers
    assert 'GGUF has no architecture smol' in tool_text('export', '--gguf', h, '-o', folder / 'g.gguf', code=1).stderr


def test_diff(folder):
    """The numbers of two histories, one by one, and a history that only one of them has."""
    h, _ = history(folder)
    write(folder / 'other', TEXT)
    other, _ = history(folder, folder / 'm.smol', folder / 'other', name='other.smol')
    found = json.loads(tool('diff', '--json', h, other, code=1).stdout)['learned']['tensors']
    apart = np.abs(np.array(inspected(h)['history']) - inspected(other)['history'])
    assert list(found) == ['history'] and (found['history']['a'], found['history']['different']) == (5, np.count_nonzero(apart))
    assert abs(found['history']['largest'] - apart.max()) < 1e-9
    found = json.loads(tool('diff', '--json', folder / 'm.smol', h, code=1).stdout)
    assert found['learned']['tensors'] == {'history': {'a': 0, 'b': 5}} and 'features' in found['configuration']
    tool('diff', h, h)


def test_quantize(folder):
    """The numbers are parameters: rounded as they are, and counted in what is lost."""
    bare = new(folder, '--features', 'distances', '--param-type', 'f32', name='bare.smol')
    h, _ = history(folder, bare, None, '--type', 'f32')
    said = json.loads(tool('quantize', '--params', 'f16', '--json', h, '-o', folder / 'q.smol').stdout)
    exact = np.array(inspected(h)['history'])
    rounded = exact.astype(np.float16).astype(float)
    assert inspected(folder / 'q.smol')['history'] == rounded.tolist()
    alphas = sum(len(v) for v in inspected(h)['alphas'].values())
    assert abs(said['parameters']['rms_error'] - np.sqrt(np.sum((exact - rounded) ** 2) / (5 + alphas))) < 1e-7


def test_merge(folder):
    """A mix has the mixed numbers; models with a history and without do not fit."""
    h, _ = history(folder)
    other, _ = history(folder, folder / 'm.smol', write(folder / 'other', TEXT[:100] * 2), name='other.smol')
    tool('merge', '%s=0.25' % h, '%s=0.75' % other, '-o', folder / 'mix.smol')
    tool('weights', folder / 'mix.smol', 'history', '--bases-dir', folder, '-o', folder / 'w.npy')
    a, b = (np.array(inspected(p)['history']) for p in (h, other))
    assert np.allclose(np.load(folder / 'w.npy').ravel(), 0.25 * a + 0.75 * b, rtol=0, atol=1e-6) and abs(a - b).max() > 0.01
    assert inspected(folder / 'mix.smol', '--bases-dir', folder)['history'] == [0] * 5
    said = tool_text('merge', h, folder / 'm.smol', '-o', folder / 'no.smol', code=1).stderr
    assert said == 'smoltool merge: %s: does not fit %s: it lacks the feature history\n' % (folder / 'm.smol', h)


# ---- smolrun ----

def generated(path, prompt, *arguments, seed=5):
    return json.loads(run(smolrun, path, '-p', prompt, '--json', '-s', seed, *arguments).stdout)['text']


def test_what_was_written_does_not_come_again(folder):
    """After a prompt of one token a text is what it is without a history; after one that says the same again and again it goes on so."""
    h, _ = history(folder)
    assert generated(h, 'a', '-n', 400) == generated(h, 'a', '-n', 400, '--history', 0)
    prompt = 'over and over, ' * 8
    want = 'over and over, ' * 4
    assert generated(h, prompt, '-n', len(want), '--temp', 0) == want != generated(h, prompt, '-n', len(want), '--temp', 0, '--history', 0)
    assert generated(h, prompt, '-n', 50, '--history', 20) != generated(h, prompt, '-n', 50, '--history', 0)


def test_several_texts_and_turns(folder):
    """Each text has a history of its own, and what is typed is read."""
    h, _ = history(folder)
    prompt = 'one two one three one four '
    texts = [json.loads(line)['text'] for line in run(smolrun, h, '-p', prompt, '-n', 60, '-s', 5, '-np', 3, '--json').stdout.splitlines()]
    assert texts[0] == generated(h, prompt, '-n', 60) and texts[1] == generated(h, prompt, '-n', 60, seed=6) and texts[0] != texts[1]
    line = 'one two three, one two three, one two three, /\n'
    turns = run(smolrun, h, '-i', '-n', 15, '--temp', 0, '--json', input=line.encode() * 2).stdout.splitlines()
    assert [json.loads(turn)['text'] for turn in turns] == ['one two three, '] * 2


def test_the_reports(folder):
    h, _ = history(folder)
    m, text = folder / 'm.smol', folder / 'text'
    said = [run(smolrun, *words, '-p', 'x', '-n', 1).stderr.decode() for words in ([h], [h, '--history', 300], [h, '--history', 0], [m], [m, '--history', 0])]
    for shown, end in zip(said, ('history; a sliding context of 8 tokens and a history of 65536', ' and a history of 300', 'context of 8 tokens and no history', 'table; a sliding context of 8 tokens',
                                 'table; a sliding context of 8 tokens')):
        assert end + '\n' in shown, shown
    lines = [run_text(smolrun, *words, '--perplexity', text).stdout for words in ([h], [h, '--history', 300], [h, '--history', 0], [h, '--windows'])]
    for line, end in zip(lines, ('in one text, with a sliding context of 8 and a history of 65536', 'context of 8 and a history of 300', 'in one text, with a sliding context of 8',
                                 'in windows of 8, each with a history of its own')):
        assert line.endswith(end + '\n'), line
    assert [perplexity(p, text, *words)['history'] for p, words in ((h, []), (h, ['--history', 5]), (h, ['--history', 0]), (m, []))] == [READ, 5, 0, 0]


def test_what_smolrun_refuses(folder):
    h, _ = history(folder)
    for value in ('65537', '-1', 'all', ''):
        said = run_text(smolrun, h, '--history', value, '-p', 'x', code=2).stderr
        assert said.startswith('smolrun: --history: takes 0 (none) to 65536 tokens\n'), said
    for words in (['-p', 'x'], ['--perplexity', folder / 'text'], ['--bench']):
        said = run_text(smolrun, folder / 'm.smol', '--history', 5, *words, code=1).stderr
        assert said == 'smolrun: %s: has no history; --history 5 is for a model that has one\n' % (folder / 'm.smol')
    least = inspected(h, '--history', 100)['memory_bytes']
    said = run_text(smolrun, h, '--mem', least, '-p', 'x', code=1).stderr
    assert 'a smaller --ctx-size, --history N or --kv q8 needs less\n' in said
    run(smolrun, h, '--mem', least, '--history', 100, '-p', 'x', '-n', 1)
    assert 'a smaller --ctx-size or --kv q8 needs less\n' in run_text(smolrun, folder / 'm.smol', '--mem', '3700000', '-p', 'x', code=1).stderr


# ---- smoltrain ----

def trained(folder, *arguments, out='t.smol', code=0):
    return run_text(smoltrain, '--data', folder / 'text', *TRAIN, '--log', folder / 'log', '-o', folder / out, *arguments, code=code)


def record(folder, event):
    return [r for r in map(json.loads, (folder / 'log').read_text().splitlines()) if r['event'] == event][-1]


def test_training_with_it(folder):
    """The network is that of a training without; the log, the card and the last line say what the stream costs with a history and without."""
    line = trained(folder, out='plain.smol').stdout
    plain, start = record(folder, 'validation'), record(folder, 'model')
    assert 'without' not in line and 'streamed_nats_per_token_without_history' not in start
    line = trained(folder, '--history').stdout
    said = record(folder, 'model')
    assert record(folder, 'start')['options']['features'][-1] == 'history' and record(folder, 'validation')['nats_per_token'] == plain['nats_per_token']
    with_it, without = said['streamed_nats_per_token'], said['streamed_nats_per_token_without_history']
    assert '; in one stream %.5f nats per token; without its history %.5f;' % (with_it, without) in line
    assert abs(without - start['streamed_nats_per_token']) < 1e-9
    text = write(folder / 'val', (TEXT * 3)[int(len(TEXT * 3) * (1 - 0.1)):])
    for words, want in (([], with_it), (['--history', 0], without)):
        assert abs(perplexity(folder / 't.smol', text, *words)['nats_per_token'] - want) < 1e-6
    card = inspected(folder / 't.smol')['card']
    assert card['recipe']['features'][-1] == 'history'
    assert [card['validation'][k] for k in ('streamed_nats_per_token', 'streamed_nats_per_token_without_history')] == [with_it, without]


def test_its_numbers_are_those_of_smoltool(folder):
    trained(folder, out='plain.smol')
    trained(folder, '--history')
    h, _ = history(folder, folder / 'plain.smol', write(folder / 'train', (TEXT * 3)[:int(len(TEXT * 3) * 0.9)]))
    assert np.allclose(inspected(folder / 't.smol')['history'], inspected(h)['history'], rtol=1e-6)


def test_deltas_have_their_models_history(folder):
    """Numbers of 0; the stream of the two has the model's."""
    trained(folder, '--history')
    said = run_text(smoltrain, '--data', folder / 'text', '--base', folder / 't.smol', '--steps', 5, '--batch', 2, '--eval-every', 0, '--threads', 1, '--log', folder / 'log', '-o', folder / 'd.smol').stdout
    found = record(folder, 'model')
    assert inspected(folder / 'd.smol')['history'] == [0] * 5 and found['streamed_nats_per_token'] < found['streamed_nats_per_token_without_history']
    assert '; without its history %.5f; as it is ' % found['streamed_nats_per_token_without_history'] in said


@pytest.mark.parametrize('options, message', [
    (['--arch', 'gpt2'], '--history: is for --arch smol; gpt2 has no features'),
    (['--without', 'distances,slope-factors'], 'options: a history needs distances'),
    (['--base', 'm.smol'], '--history: is not for --base, which has its own'),
])
def test_what_smoltrain_refuses(folder, options, message):
    line = [smoltrain, '--data', folder / 'text', '-o', folder / 't.smol', '--history', *options]
    said = run_text(*line, code=2).stderr.splitlines()
    assert len(said) == 2 and said[0] == 'smoltrain: ' + message and not (folder / 't.smol').exists()


@pytest.mark.slow
def test_it_resumes(folder):
    """To the same bytes, without being told again."""
    line = [smoltrain, '--data', folder / 'text', *TRAIN, '--steps', '3000', '--print-every', '1', '--history', '-o', folder / 't.smol']
    run(*line[:-1], folder / 'whole.smol')
    process = subprocess.Popen(list(map(str, line)), stderr=subprocess.PIPE, text=True)
    for text in process.stderr:
        if text.startswith('step 5/'):
            process.send_signal(signal.SIGINT)
            break
    process.stderr.read()
    assert process.wait(60) == 1 and inspected(folder / 't.smol')['features'][-1] == 'history'
    run(smoltrain, '--data', folder / 'text', '--eval-every', '0', '--threads', '1', '--resume', '-o', folder / 't.smol')
    assert (folder / 't.smol').read_bytes() == (folder / 'whole.smol').read_bytes()
