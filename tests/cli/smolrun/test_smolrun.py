"""smolrun from outside: text, streams, limits, trust, memory, wrong input."""
import ctypes
import json
import os
import subprocess

import pytest
from programs import model, root, run, sanitized, smolrun, smoltool


def complaint(done, *parts):
    """One clear line on stderr, nothing on stdout; a usage error has a hint besides."""
    lines = done.stderr.decode().splitlines()
    assert done.stdout == b'', done.stdout
    assert len(lines) == (2 if done.returncode == 2 else 1), lines
    assert lines[0].startswith('smolrun: ') and all(str(p) in lines[0] for p in parts), (lines, parts)
    return True


def test_usage(folder):
    m = model(folder)
    assert run(smolrun, '--help').stdout.decode().count('\n') < 40
    assert run(smolrun, '--version').stdout.startswith(b'smolrun ')
    for bad in (['--nonsense'], ['-n', 'x'], ['-n', '-2'], ['-c', '-1'], ['-t', '257'], ['-t', '-1'], ['--top-k', '-1'],
                ['--temp', 'nan'], ['--top-p', '2'], ['--min-p', '-1'], ['--repeat-penalty', '0'], ['-s', 'x'],
                ['--kv', 'q4'], ['--mem', '0'], ['--mem', '5x'], ['--mem', '99999999999G'], ['--check', 'none'], ['-b', '-1'],
                ['--check', 'fast', '--trust', 'k.pub'], ['--isa', 'sse'], ['-s', '-2'], ['-s', '18446744073709551616'], ['-p', 'a', '-f', 'b'], ['--repeat-last-n', '-2']):
        complaint(run(smolrun, m, *bad, code=2, stdin=subprocess.DEVNULL))
    complaint(run(smolrun, code=2), 'MODEL.smol')
    complaint(run(smolrun, m, 'more', code=2), 'more')


def test_failures(folder):
    m = model(folder)
    complaint(run(smolrun, folder / 'none', '-p', 'a', code=1), folder / 'none')
    complaint(run(smolrun, folder, '-p', 'a', code=1), folder)
    (folder / 'empty').write_bytes(b'')
    complaint(run(smolrun, folder / 'empty', '-p', 'a', code=1), 'empty')
    (folder / 'noise').write_bytes(bytes(range(256)) * 9)
    complaint(run(smolrun, folder / 'noise', '-p', 'a', code=1), 'noise', 'not a .smol file')
    complaint(run(smolrun, m, '-f', folder / 'none', code=1), folder / 'none')
    complaint(run(smolrun, m, '--perplexity', folder / 'none', code=1), folder / 'none')
    complaint(run(smolrun, m, '--perplexity', folder / 'empty', code=1), 'empty')
    complaint(run(smolrun, m, '-c', '25', '-p', 'a', code=1), m, '25')
    complaint(run(smolrun, m, '--no-display-prompt', '-p', 'x' * 25, code=1), 'prompt', 'context')
    (folder / 'one').write_bytes(b'x')
    complaint(run(smolrun, m, '--perplexity', folder / 'one', code=1), 'one')
    small = model(folder, '--vocab', '100', name='small.smol')
    complaint(run(smolrun, small, '--no-display-prompt', '-p', 'aaz', code=1), 'prompt', 'byte 2')
    with open('/dev/full', 'wb') as full:
        done = subprocess.run([smolrun, m, '-p', 'a', '-n', '5'], stdout=full, stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == 1 and b'standard output' in done.stderr


def test_prompts(folder):
    """The same continuation from -p, -f and standard input; shown after the prompt, or without it."""
    m = model(folder)
    (folder / 'prompt').write_bytes(b'Hello')
    expected = run(smolrun, m, '-p', 'Hello', '-n', '9', '-s', '3').stdout
    assert expected.startswith(b'Hello') and len(expected) == 14
    assert run(smolrun, m, '-f', folder / 'prompt', '-n', '9', '-s', '3').stdout == expected
    assert run(smolrun, m, '-n', '9', '-s', '3', input=b'Hello').stdout == expected
    assert run(smolrun, m, '-p', 'Hello', '-n', '9', '-s', '3', '--no-display-prompt').stdout == expected[5:]
    assert run(smolrun, m, '-p', 'Hello', '-n', '0').stdout == b'Hello'
    assert len(run(smolrun, m, '-n', '4', input=b'').stdout) == 4


def test_the_last_line_feed(folder):
    """Of -f one is dropped, as llama.cpp does; standard input and -p are taken as they are."""
    m = model(folder)

    def prompt(*words, **more):
        return bytes(json.loads(run(smolrun, m, '-n', '1', '--temp', '0', '--json', *words, **more).stdout)['prompt_tokens'])

    for content, taken in ((b'KING:\n', b'KING:'), (b'KING:\n\n', b'KING:\n'), (b'KING:\r\n', b'KING:\r'), (b'a\nb', b'a\nb'), (b'KING: ', b'KING: ')):
        (folder / 'prompt').write_bytes(content)
        assert prompt('-f', folder / 'prompt') == taken
        assert prompt(input=content) == content
        assert prompt('-p', content.decode()) == content
    (folder / 'prompt').write_bytes(b'\n')  # is no prompt then: the model begins by itself
    assert prompt('-f', folder / 'prompt') == prompt(input=b'')
    turns = run(smolrun, m, '-i', '-n', '1', '-f', folder / 'prompt', '--json', input=b'to be\n').stdout.splitlines()
    assert [bytes(json.loads(t)['prompt_tokens']) for t in turns] == [b'to be\n']


def test_model_by_an_option(folder):
    """-m is llama.cpp's; the model is told once."""
    m = model(folder)
    expected = run(smolrun, m, '-p', 'a', '-n', '4', '-s', '1').stdout
    for words in (['-m', m], ['--model', m], ['--model=%s' % m], ['-m%s' % m]):
        assert run(smolrun, *words, '-p', 'a', '-n', '4', '-s', '1').stdout == expected
    bench = ['--bench', '-p', '4', '-n', '0', '-r', '1', '-o', 'csv']
    assert run(smolrun, *bench, '-m', m).stdout.splitlines()[0] == run(smolrun, *bench, m).stdout.splitlines()[0]
    for words in ([], bench):
        complaint(run(smolrun, *words, '-m', m, m, code=2), '-m, MODEL.smol: exclude each other')
        complaint(run(smolrun, *words, code=2), 'MODEL.smol: is missing')
    complaint(run(smolrun, '-m', folder / 'none', '-p', 'a', code=1), folder / 'none')


def test_why_it_stopped(folder):
    """A text that stops where the context is full says so, once, and that it could go on; others do not."""
    m = model(folder)
    said = b'smolrun: stopped because the context of %d tokens is full; with -n N it goes on\n'
    assert run(smolrun, m, '-p', 'a').stderr.count(said % 24) == 1
    assert run(smolrun, m, '-p', 'a', '-c', '12').stderr.count(said % 12) == 1
    assert run(smolrun, m, '-i', input=b'a\nb\n').stderr.count(said % 24) == 1
    for words in (['-n', '3'], ['-n', '100'], ['-i', '-n', '3'], ['--json']):
        assert b'stopped' not in run(smolrun, m, '-p', 'a', *words).stderr


@pytest.mark.slow
def test_the_demo_ends_with_a_line():
    """What models/demo shows of each model, by its own lines."""
    lines = (root / 'models/demo').read_text()
    lines = lines[lines.index('mapfile'):]
    show = 'show() { case $1 in smoltool) echo "$*" >&2 ;; *) printf "\\0"; "$@" ;; esac; }\n'
    # Which texts end so is the models' affair: under the sanitizers one prompt runs all that there is to run.
    for prompt in ('ROMEO:', 'KING RICHARD:', 'To be, or')[:1 if sanitized else 3]:
        environment = {**os.environ, 'root': str(root), 'smolrun': smolrun, 'smoltool': 'smoltool', 'prompt': prompt}
        done = run('bash', '-c', show + lines, env=environment)
        texts = done.stdout.split(b'\0')[1:]
        names = sorted((root / 'models').glob('*.smol'), key=lambda p: p.stat().st_size)
        for packs in [name for name in names if name.name.startswith('messages-')]:
            assert ('smoltool pack -m %s --text ' % packs).encode() in done.stderr
            names.remove(packs)
        assert len(texts) == len(names) >= 2
        for name, text in zip(names, texts):
            start = b'Once upon a time' if name.name.startswith('stories-') else prompt.encode()
            assert text.startswith(start) and text.endswith(b'\n') and len(text) > 200, name


def test_seeds(folder):
    m = model(folder)
    texts = {run(smolrun, m, '-p', 'a', '-n', '12', '-s', seed, '-t', t).stdout
             for seed in ('1', '2') for t in ('1', '2', '3')}
    assert len(texts) == 2
    told = run(smolrun, m, '-p', 'a', '-n', '12').stderr.decode().split('seed ')[1].split()[0]
    again = run(smolrun, m, '-p', 'a', '-n', '12', '-s', told)
    assert ('seed %s' % told) in again.stderr.decode()
    greedy = {run(smolrun, m, '-p', 'a', '-n', '12', '--temp', '0', '-s', s).stdout for s in '12'}
    assert len(greedy) == 1


def test_context(folder):
    """-n -1 ends with the context; more than it goes on from its last half."""
    m = model(folder)
    done = json.loads(run(smolrun, m, '-p', 'abcd', '--json').stdout)
    # Tokens 4..24 are generated: the last one is predicted by the full context and needs no place in it.
    assert done['finish_reason'] == 'context' and len(done['tokens']) == 21
    done = json.loads(run(smolrun, m, '-p', 'abcd', '-n', '100', '--temp', '0', '--json').stdout)
    assert done['finish_reason'] == 'length' and len(done['tokens']) == 100
    # By hand: the 25th token of the text follows positions 12..23 fed again as 0..11.
    text = done['prompt_tokens'] + done['tokens']
    half = bytes(text[13:25])
    (folder / 'half').write_bytes(half + b'\n')  # which -f drops
    redone = json.loads(run(smolrun, m, '-f', folder / 'half', '-n', '1', '--temp', '0', '--json').stdout)
    assert redone['tokens'][0] == text[25], (redone['tokens'], text[20:30])


def test_json(folder):
    m = model(folder)
    done = json.loads(run(smolrun, m, '-p', 'h\u00e9', '-n', '30', '-s', '5', '--json').stdout)
    assert done['prompt'] == 'h\u00e9' and done['prompt_tokens'] == list('h\u00e9'.encode())
    assert done['text'] == bytes(done['tokens']).decode(errors='replace') or '\ufffd' in done['text']
    assert done['seed'] == '5' and len(done['model']['hash']) == 128
    assert done['stats']['peak_memory_bytes'] > 10000
    odd = folder / '\udcff\x1b[31m.smol'  # a byte that is not UTF-8
    os.rename(m, odd)
    shown = run(smolrun, odd, '-n', '1', '--json').stdout
    assert b'\x1b' not in shown and json.loads(shown)['model']['path'].endswith('/\ufffd\x1b[31m.smol')
    shown = run(smolrun, '--bench', odd, '-p', '1', '-n', '0', '-r', '1').stdout
    assert b'\\x1b[31m.smol | ' in shown and b'\x1b' not in shown


def test_utf8_is_not_cut(folder):
    """Every write to standard output ends with a whole character, whatever the model says."""
    m = model(folder)
    trace = folder / 'trace'
    read, write = os.pipe()
    prompt = '\u20ac\U0001f600\u00e9'
    process = subprocess.Popen([smolrun, str(m), '-p', prompt, '-n', '12', '-s', '4'], stdout=write,
                               stderr=subprocess.DEVNULL)
    os.close(write)
    text = b''
    while chunk := os.read(read, 65536):
        text += chunk
    os.close(read)
    assert process.wait() == 0 and text.startswith(prompt.encode()) and not trace.exists()


def test_trust(folder):
    m, other = model(folder), folder / 'other'
    for name in ('a', 'b'):
        run(smoltool, 'keygen', '-W', '-p', folder / (name + '.pub'), '-s', folder / (name + '.key'))
    complaint(run(smolrun, m, '-p', 'a', '--trust', folder / 'a.pub', code=1), 'not signed')
    run(smoltool, 'sign', '--key', folder / 'a.key', m, '-o', other)
    assert len(run(smolrun, other, '-p', 'a', '-n', '2', '--trust', folder / 'a.pub').stdout) == 3
    complaint(run(smolrun, other, '-p', 'a', '--trust', folder / 'b.pub', code=1), 'signed by key')
    complaint(run(smolrun, other, '-p', 'a', '--trust', folder / 'none', code=1), 'none')
    complaint(run(smolrun, other, '-p', 'a', '--trust', m, code=1), 'key')
    spoilt = bytearray(other.read_bytes())
    spoilt[-1] ^= 1
    other.write_bytes(spoilt)
    complaint(run(smolrun, other, '-p', 'a', code=1), other, 'signature')


def test_perplexity(folder):
    """A new model knows nothing: its small logits give little more or less than log V nats. bits and nats agree."""
    m = model(folder)
    (folder / 'text').write_bytes(b'To be, or not to be, that is the question' * 3)
    p = json.loads(run(smolrun, m, '--perplexity', folder / 'text', '--json').stdout)
    assert p['tokens'] == 122 and p['context'] == 24 and abs(p['nats_per_token'] - 5.545) < 0.1
    assert abs(p['bits_per_byte'] - p['nats_per_token'] / 0.6931471805599453) < 1e-9
    line = run(smolrun, m, '--perplexity', folder / 'text').stdout.decode()
    assert line.startswith('%.6f nats a token, %.6f bits per byte' % (p['nats_per_token'], p['bits_per_byte']))


PR_SET_THP_DISABLE = 41


@pytest.fixture
def small_pages():
    """Without pages of 2 MB, to which a system may round each buffer up: programs inherit that."""
    prctl = ctypes.CDLL(None).prctl
    assert prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0
    yield
    assert prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0) == 0


def test_memory(folder, small_pages):
    """A gpt2-shaped model runs in its file, its KV cache and 4 MB."""
    m = folder / 'gpt2.smol'
    run(smoltool, 'new', '--shape', 'gpt2', '-o', m)
    done = json.loads(run(smolrun, m, '-c', '64', '-p', 'a', '-n', '2', '--temp', '0', '--json').stdout)
    cache = 2 * 12 * 64 * 768 * 4
    assert len(done['tokens']) == 2
    assert sanitized or done['stats']['peak_memory_bytes'] < m.stat().st_size + cache + 4e6, done['stats']


def test_memory_is_its_own(folder):
    """Not what the process that started it had: the system counts that on across exec."""
    m = model(folder)
    large = bytearray(b'x') * (200 << 20)
    done = json.loads(run(smolrun, m, '-p', 'a', '-n', '2', '--json').stdout)
    assert len(large) > 1e8 and (sanitized or 1e6 < done['stats']['peak_memory_bytes'] < 5e7), done['stats']


def test_session_options(folder):
    """Instruction sets, kept weights and batches change nothing; smaller caches and approximate products have a text of their own."""
    m = model(folder, '--method', 'alpha', '--d', '9', '--context', '200', '--width', '64')
    text = (m, '-p', 'To be, or not to be: ' * 4, '-n', '60', '--temp', '0', '--no-display-prompt')
    expected = run(smolrun, *text).stdout
    for same in (['--isa', 'scalar'], ['--isa', 'scalar', '--mem', '64M'], ['--mem', '64M'], ['-b', '1'], ['-b', '7', '-t', '2'], ['--check', 'fast'], ['--kv', 'f32']):
        assert run(smolrun, *text, *same).stdout == expected, same
    for other in (['--kv', 'f16'], ['--kv', 'q8'], ['--fast'], ['--fast', '--kv', 'q8']):
        texts = {run(smolrun, *text, *other, *more).stdout for more in ([], ['--isa', 'scalar'], ['-t', '2', '-b', '3'])}
        assert len(texts) == 1 and len(texts.pop()) >= 60, other
    losses = set()
    (folder / 'text').write_bytes(b'To be, or not to be, that is the question' * 3)
    for kind in ([], ['--kv', 'f16'], ['--kv', 'q8'], ['--fast']):
        losses.add(json.loads(run(smolrun, m, '--perplexity', folder / 'text', '--json', *kind).stdout)['nats_per_token'])
    assert len(losses) == 4 and max(losses) - min(losses) < 0.01, losses


def test_check_fast(folder):
    """It sees damage, but not another file's hash."""
    m, other = model(folder), folder / 'other'
    data = bytearray(m.read_bytes())
    data[-1] ^= 1
    other.write_bytes(data)
    complaint(run(smolrun, other, '-p', 'a', code=1), other, 'hash')
    assert b'not checked' in run(smolrun, other, '-p', 'a', '-n', '1', '--check', 'fast').stderr
    data[-1] ^= 1
    data[-200] ^= 1
    other.write_bytes(data)
    complaint(run(smolrun, other, '-p', 'a', '--check', 'fast', code=1), other, 'checksum')


@pytest.mark.slow
def test_memory_is_foretold(folder):
    """smoltool inspect's figure against what was measured with a full context; --mem refuses a little less and takes that much."""
    m = folder / 'm.smol'
    run(smoltool, 'new', '--layers', '8', '--width', '256', '--heads', '4', '--context', '1024', '--vocab', '20000', '-o', m)
    (folder / 'prompt').write_bytes(b'm' * 1024)
    cases = [], ['--kv', 'f16'], ['--kv', 'q8', '-t', '1'], ['-c', '500', '-b', '16']
    for words in cases[3:] if sanitized else cases:
        foretold = json.loads(run(smoltool, 'inspect', '--json', m, *words).stdout)['memory_bytes']
        (folder / 'prompt').write_bytes(b'm' * (500 if '-c' in words else 1024))
        # By a shell that forks: what a process used at most includes what its parent did when it was started, and pytest is large.
        done = json.loads(run('sh', '-c', '"$@"; exit $?', 'sh', smolrun, m, '-f', folder / 'prompt', '-n', '0', '--json', *words).stdout)
        measured = done['stats']['peak_memory_bytes']
        assert sanitized or abs(measured - foretold) < 0.05 * measured, (words, measured, foretold)
        run(smolrun, m, '-p', 'a', '-n', '1', '--mem', foretold, *words)
        complaint(run(smolrun, m, '-p', 'a', '--no-display-prompt', '--mem', foretold - 1000, *words, code=1), m, '--mem')
