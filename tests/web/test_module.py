"""smol.js in Node against the programs: texts, facts, packed texts, scores, and what it says of files that are none.

    pytest tests/web --build BUILD_DIR --web PAGE       (PAGE: what scripts/web has built; by default build/web)"""
import ctypes
import json
import math
import pathlib
import random
import re
import shutil
import subprocess

import pytest
from programs import root, smolrun, smoltool

MODELS = [root / 'models' / (name + '.smol') for name in ('shakespeare-qr', 'shakespeare-16k', 'shakespeare-64k', 'stories-256k', 'messages-64k', 'shakespeare-alpha')]
GOOD = sorted((root / 'tests/golden/good').glob('*.smol'))
DELTAS = sorted((root / 'tests/golden/deltas').glob('*.smol'))
BAD = sorted((root / 'tests/golden/bad').glob('*.smol'))
BPE = root / 'tests/golden/good/bpe.smol'


@pytest.fixture(scope='module')
def calls(web):
    if not shutil.which('node'):
        pytest.skip('node is not installed')

    def ask(asked):
        """[model, method, arguments...] of each; what came back."""
        asked = [[str(path) if isinstance(path, pathlib.Path) else path, *rest] for path, *rest in asked]
        done = subprocess.run(['node', root / 'tests/web/calls.mjs', web], input=json.dumps(asked), capture_output=True, text=True, timeout=200, check=True)
        return json.loads(done.stdout)
    return ask


def run(*arguments, stdin=''):
    """Of a program, whatever its exit code: that, what it printed, and its words."""
    done = subprocess.run([str(a) for a in arguments], input=stdin.encode(), capture_output=True, timeout=100, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def value(answer):
    assert 'value' in answer, answer
    return answer['value']


def words(options):
    """smol.js's options as smolrun's."""
    names = {'temp': '--temp', 'topK': '--top-k', 'topP': '--top-p', 'minP': '--min-p', 'repeatPenalty': '--repeat-penalty', 'repeatLastN': '--repeat-last-n', 'n': '-n', 'seed': '-s',
             'context': '-c', 'kvType': '--kv'}
    flags = {'fast': '--fast', 'ignoreEos': '--ignore-eos'}
    return [w for name, x in options.items() for w in ([flags[name]] if name in flags else [names[name], str(x)])]


def text_of(model, prompt, options):
    return subprocess.run([smolrun, model, '-p', prompt, '--no-display-prompt', *words(options)], capture_output=True, check=True, timeout=100).stdout


CASES = [(model, 'ROMEO:', {'n': 60, 'seed': 7}) for model in MODELS] + [
    (MODELS[2], '', {'seed': 3}), (MODELS[2], 'the ' * 50, {'n': 150, 'seed': 2**64 - 1}), (MODELS[0], 'x', {'n': 50, 'temp': 0}),
    (MODELS[1], 'My lord', {'n': 40, 'seed': 5, 'temp': 1.3, 'topK': 0, 'topP': 0.9, 'minP': 0.01}), (MODELS[0], 'a', {'n': 60, 'seed': 1, 'repeatPenalty': 1.4, 'repeatLastN': 20}),
    (MODELS[0], 'a', {'n': 60, 'seed': 1, 'repeatPenalty': 1.2, 'repeatLastN': -1}), (MODELS[1], 'q', {'n': 40, 'seed': 1, 'kvType': 'q8'}),
    (MODELS[1], 'q', {'n': 40, 'seed': 1, 'context': 16, 'kvType': 'f16'}), (MODELS[0], 'f', {'n': 40, 'seed': 2, 'fast': True}), (MODELS[4], 'see you', {'n': 90, 'seed': 4}),
    (MODELS[4], 'see you', {'n': 200, 'seed': 4, 'ignoreEos': True}), (MODELS[5], 'k', {'seed': 9})]


def test_texts_are_smolruns(calls, check):
    """Until the context is full where -n is not given."""
    answers = calls([[model, 'streamBytes', prompt, {**options, 'seed': str(options.get('seed', 0))}] for model, prompt, options in CASES])
    for (model, prompt, options), answer in zip(CASES, answers):
        check.equal(answer.get('value'), text_of(model, prompt, {'seed': 0, **options}).hex(), '%s: %r %s: %s' % (model.name, prompt, options, answer.get('error')))


def test_texts_of_every_kind_of_model(calls, check):
    """Of all golden models but one with Fourier projections, which need FFTW, and one whose values overflow."""
    models = [path for path in GOOD if path.stem not in ('fourier', 'limits')]
    options = {'n': 4, 'seed': '11', 'ignoreEos': True}
    for path, answer in zip(models, calls([[path, 'streamBytes', '', options] for path in models])):
        check.equal(answer.get('value'), text_of(path, '', options).hex(), '%s: %s' % (path.name, answer.get('error')))


def test_how_a_text_ends(calls):
    ends = calls([[MODELS[0], 'finish', 'a', {'n': 3}], [MODELS[4], 'finish', 'see you', {'n': 1000, 'seed': 4}], [MODELS[5], 'finish', 'a', {'n': -1}], [MODELS[0], 'finish', 'a', {'n': 0}]])
    assert [value(x) for x in ends] == ['length', 'end', 'context', 'length']


def test_a_history(calls, folder):
    """Texts, scores and packed texts of a model that has one, its facts and its memory."""
    plain, model, prompt = root / 'models/messages-64k.smol', folder / 'm.smol', 'the king is dead, the king is d'
    (folder / 'text').write_bytes(subprocess.run([smolrun, plain, '-p', 'KING:', '-n', '2000', '-s', '1'], capture_output=True, check=True, timeout=100).stdout)
    assert run(smoltool, 'history', plain, folder / 'text', '-o', model)[0] == 0
    options = {'n': 80, 'seed': '3'}
    text, other, facts, before, packed, score = (value(x) for x in calls([
        [model, 'streamBytes', prompt, options], [plain, 'streamBytes', prompt, options], [model, 'facts'], [plain, 'facts'], [model, 'pack', prompt], [model, 'score', prompt]]))
    assert text == text_of(model, prompt, options).hex() != other
    assert facts['features'] == [*before['features'], 'history'] and facts['dense_numbers'] == before['dense_numbers'] + 5
    assert facts['non_embedding_params'] == before['non_embedding_params'] + 5
    assert packed == subprocess.run([smoltool, 'pack', '-m', model, '-'], input=prompt.encode(), capture_output=True, check=True, timeout=100).stdout.hex()
    (folder / 'text').write_text(prompt)
    said = json.loads(run(smolrun, model, '--perplexity', folder / 'text', '--json')[1])
    assert abs(score['natsPerToken'] - said['nats_per_token']) < 1e-12


def test_pieces_are_whole_characters(calls):
    """A model of bytes whose text is no UTF-8 for the most part: as a browser decodes it."""
    path = root / 'tests/golden/good/stored.smol'
    text, data = (value(x) for x in calls([[path, kind, '', {'n': 40, 'seed': 3, 'temp': 5, 'ignoreEos': True}] for kind in ('stream', 'streamBytes')]))
    assert text == bytes.fromhex(data).decode(errors='replace')


def test_facts_are_smoltools(calls, check):
    for path, answer in zip(GOOD + DELTAS + MODELS, calls([[path, 'facts'] for path in GOOD + DELTAS + MODELS])):
        facts, page = value(answer), json.loads(run(smoltool, 'inspect', '--json', path)[1])
        if page['method'] == 'none':  # of a delta that only names its parts: for the module one without anything learned
            page['method'] = 'embed'
        for name in sorted(set(facts) & set(page) - {'session_bytes', 'seed', 'ln_epsilon', 'logit_scale', 'card'}):
            check.equal(facts[name], page[name], '%s: %s' % (path.name, name))
        check.equal(int(facts['seed']), int(page['seed']), '%s: seed' % path.name)
        check.equal(facts['card'], page.get('card'), '%s: card' % path.name)
        for name in ('ln_epsilon', 'logit_scale'):
            check.that(abs(facts[name] - page[name]) <= 1e-7 * abs(page[name]), '%s: %s: %r' % (path.name, name, facts[name]))
        sections = ('directory', 'config', 'base', 'learned', 'hash', 'signature', 'embedding', 'tokenizer', 'card', 'padding')
        check.equal(sum(facts[name + '_bytes'] for name in sections), path.stat().st_size, '%s: sections' % path.name)
        number, unit = re.search(r'would take ([\d.]+) (\w+)', run(smoltool, 'inspect', path)[1]).groups()
        check.that(abs(4 * facts['dense_numbers'] / {'bytes': 1, 'kB': 1e3, 'MB': 1e6, 'GB': 1e9}[unit] - float(number)) <= 0.051, '%s: %d numbers' % (path.name, facts['dense_numbers']))


STATUSES = {name: int(number) for name, number in re.findall(r'(SMOL_E_\w+) = (\d+),', (root / 'include/smol/status.h').read_text())}


def test_damaged_files(calls, check):
    """Each golden file that breaks a rule is named for the status and the byte; of every 20th the programs' words are compared."""
    for i, (path, answer) in enumerate(zip(BAD, calls([[path, 'facts'] for path in BAD]))):
        status, offset, _ = path.name.split('.', 2)
        if 'value' in answer:  # two rules of BPE's tokens take memory: only the whole library has them
            check.that(re.search(r'token .*(longer|exists)', run(smoltool, 'verify', path)[2]), path.name)
            continue
        check.equal((answer['status'], answer['offset']), (STATUSES[status], int(offset)), path.name)
        if i % 20 == 0:
            check.equal('smoltool verify: %s: %s\n' % (path, answer['error']), run(smoltool, 'verify', path)[2], path.name)


def test_one_changed_byte(calls, check, folder):
    data = MODELS[2].read_bytes()
    for at in (0, 9, 40, 200, 5000, len(data) - 300, len(data) - 120, len(data) - 1):
        changed = bytearray(data)
        changed[at] ^= 1
        (folder / ('%d.smol' % at)).write_bytes(changed)
    (folder / 'empty.smol').write_bytes(b'')
    (folder / 'short.smol').write_bytes(data[:30000])
    files = sorted(folder.iterdir())
    for path, answer in zip(files, calls([[path, 'facts'] for path in files])):
        check.equal('smoltool verify: %s: %s\n' % (path, answer.get('error')), run(smoltool, 'verify', path)[2], path.name)


def packed_vectors():
    for line in (root / 'tests/golden/vectors/packed.txt').read_text().splitlines()[1:]:
        name, what, has_check, text, packed = line.split()
        if what == 'pack' and name != 'bpe':
            yield root / 'tests/golden/good' / (name + '.smol'), bool(int(has_check)), text.strip('-'), packed.strip('-')


def test_packed_texts_are_the_references(calls, check):
    vectors = list(packed_vectors())
    there = calls([[path, 'pack', {'bytes': text}, {'check': c}] for path, c, text, _ in vectors])
    back = calls([[path, 'unpackBytes', {'bytes': packed}, {'check': c}] for path, c, _, packed in vectors])
    for (path, _, text, packed), a, b in zip(vectors, there, back):
        check.equal((a.get('value'), b.get('value')), (packed, text), path.name)


TEXTS = ['', 'a', 'Running late, see you at the pier at 6', 'Je suis en retard, à tout à l\'heure', '你好，明天见', 'x' * 300, '\n\t"\\\'']


def test_packed_as_text_is_smoltools(calls, check):
    packed = [run(smoltool, 'pack', '-m', MODELS[4], '--text', stdin=text)[1].rstrip('\n') for text in TEXTS]
    digits = [value(x) for x in calls([[None, 'fromText', text] for text in packed])]
    digits = [bytes(x.values()).hex() if isinstance(x, dict) else x for x in digits]
    texts = calls([[MODELS[4], 'unpack', {'bytes': x}] for x in digits])
    again = calls([[MODELS[4], 'pack', text] for text in TEXTS])
    written = calls([[None, 'toText', {'bytes': value(x)}] for x in again])
    for text, p, t, w in zip(TEXTS, packed, texts, written):
        check.equal((t.get('value'), w.get('value')), (text, p), repr(text))


def test_what_is_no_packed_text(calls, check):
    for text in ('"', 'a', '~' * 75, 'é'):
        answer = calls([[None, 'fromText', text]])[0]
        code, _, line = run(smoltool, 'unpack', '-m', MODELS[4], '--text', stdin=text)
        check.equal((answer.get('status'), code), (42, 1), repr(text))
        check.that(answer['error'].split(': ')[-1] in line, repr((text, answer, line)))
    packed = run(smoltool, 'pack', '-m', MODELS[4], '--text', stdin='hello')[1].strip()
    data = value(calls([[None, 'fromText', packed]])[0])
    answer = calls([[MODELS[2], 'unpack', {'bytes': data}]])[0]
    check.that(answer.get('status') == 42 and 'another model' in answer['error'], repr(answer))


def test_scores_are_smolruns(calls, folder):
    text = 'But soft, what light through yonder window breaks? It is the east, and Juliet is the sun. ' * 3
    (folder / 'text').write_text(text)
    for model in (MODELS[1], MODELS[5]):
        page = json.loads(run(smolrun, model, '--perplexity', folder / 'text', '--json')[1])
        score = value(calls([[model, 'score', text]])[0])
        assert score['tokens'] == page['tokens']
        assert abs(score['perplexity'] - page['perplexity']) < 1e-9 * page['perplexity'], (score, page)


def test_calls_that_are_wrong(calls, check):
    small, bpe, delta = MODELS[0], BPE, DELTAS[0]
    for asked, line in (
            ([small, 'stream', 'a', {'topP': 2}], 'top-p is not in 0..1'), ([small, 'stream', 'a', {'n': 1.5}], 'n: 1.5 is no whole number from -1 to 2147483647'),
            ([small, 'stream', 'a', {'seed': -1}], 'seed: -1 is no whole number from 0 to 2^64-1'), ([small, 'stream', 'a', {'seed': 'x'}], 'seed: x is no whole number from 0 to 2^64-1'),
            ([small, 'stream', 'a', {'heat': 1}], 'heat: no such option'), ([small, 'stream', 'a', {'kvType': 'q4'}], 'kvType: q4 is none of f32, f16, q8'),
            ([small, 'stream', 'a', {'kvType': 'toString'}], 'kvType: toString is none of f32, f16, q8'),
            ([small, 'stream', 5], 'prompt: neither text nor a Uint8Array'), ([small, 'pack', None], 'text: neither text nor a Uint8Array'),
            ([small, 'unpack', 'abc'], 'packed: no Uint8Array, which fromText makes of printable text'), ([small, 'score', 'a'], 'a text of less than two tokens has nothing to predict'), ([small, 'unpack', {'bytes': '00' + '61' * 9}, {'max': 3}], None),
            ([None, 'load', {'size': 2**32}], '4294967296 bytes are more than WebAssembly can hold (3221225472)'),
            ([bpe, 'stream', 'hello'], 'its tokens are merged pieces of text (BPE), which this build does not find in a prompt'),
            ([delta, 'stream', 'a'], 'a delta, which runs only with the model that it changes: see smolrun --base'), ([small, 'closed'], 'the model has been closed')):
        answer = calls([asked])[0]
        check.that('error' in answer and (line is None or answer['error'] == line), repr((asked, answer)))


def test_a_model_that_does_not_fit(calls, folder):
    """Its file is small, its context is not."""
    model = folder / 'large.smol'
    run(smoltool, 'new', '--layers', 24, '--width', 256, '--heads', 4, '--context', 2**20, '--method', 'alpha', '--arch', 'smol', '-o', model)
    facts, text = calls([[model, 'facts'], [model, 'stream', 'a', {'n': 1}]])
    assert value(facts)['session_bytes'] is None and text['error'] == 'a session of this model does not fit this machine', text
    small = calls([[model, 'stream', 'a', {'n': 1, 'context': 16}]])[0]
    assert value(small) == text_of(model, 'a', {'n': 1, 'seed': 0, 'context': 16}).decode(errors='replace')


def test_it_imports_nothing(web):
    """The module computes: it asks for no clock, no file and no random number."""
    code = 'console.log(WebAssembly.Module.imports(new WebAssembly.Module(require("fs").readFileSync(process.argv[1]))).length)'
    if not shutil.which('node'):
        pytest.skip('node is not installed')
    assert subprocess.run(['node', '-e', code, web / 'smol.wasm'], capture_output=True, text=True, check=True).stdout == '0\n'


def test_example(web):
    if not shutil.which('node'):
        pytest.skip('node is not installed')
    done = subprocess.run(['node', web / 'example.mjs', MODELS[2], 'ROMEO:', '50', '3'], capture_output=True, text=True, check=True)
    assert done.stdout == run(smolrun, MODELS[2], '-p', 'ROMEO:', '-n', 50, '-s', 3)[1] + '\n'
    done = subprocess.run(['node', web / 'example.mjs', root / 'README.md'], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, '%s: byte 0: not a .smol file\n' % (root / 'README.md'))
    done = subprocess.run(['node', web / 'example.mjs', MODELS[2], 'ROMEO:', 'many'], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, '') and done.stderr.splitlines()[1].startswith('%s: n: ' % MODELS[2])


def test_log_and_exp(folder):
    """Those of the module, here, against the C library's."""
    assert run('cc', '-shared', '-fPIC', '-fno-builtin', '-O1', '-std=c11', root / 'web/math.c', '-o', folder / 'math.so', '-lm') == (0, '', '')
    ours = ctypes.CDLL(str(folder / 'math.so'))
    draw = random.Random(1)
    for name, values in (('log', [1, 2, 0.5, 1 - 2**-53, 1 + 2**-52, 2**24, 2.0**-1022, 1.7e308] + [draw.uniform(0.5, 2) * 2**draw.randrange(-40, 40) for _ in range(20000)]),
                         ('exp', [0, 1, -1, 709 - 1e-9, -708, 1e-300] + [draw.uniform(-700, 700) for _ in range(20000)] + [draw.uniform(-1, 10) for _ in range(20000)])):
        function = getattr(ours, name)
        function.argtypes, function.restype = [ctypes.c_double], ctypes.c_double
        for x in values:
            want = getattr(math, name)(x)
            assert abs(function(x) - want) <= 1e-15 * max(abs(want), 1e-6 if name == 'log' else 0), (name, x, function(x), want)
    assert ours.exp(710.0) == math.inf and ours.exp(-1e9) == 0 and math.isnan(ours.exp(math.nan))


def test_sizes(web):
    """All but the models: under 200 kB, and what the page says of itself holds: the larger models apart, it is larger than they are."""
    files = [path for path in web.rglob('*') if path.is_file() and path.suffix != '.smol']
    total = sum(path.stat().st_size for path in files)
    print('the page: %d bytes, %d of them smol.wasm' % (total, (web / 'smol.wasm').stat().st_size))
    assert total < 200000
    assert (web / 'models/shakespeare-64k.smol').stat().st_size < total
