"""smoltrain --base and --bases: what a delta holds, what it learns, what is refused, and that it resumes to the same file."""
import csv
import json
import struct
import subprocess
import time

from programs import run, run_text, smoltrain, tool

HAMLET = b'To be, or not to be, that is the question:\nWhether \'tis nobler in the mind to suffer\n' * 60
FOX = b'The quick brown fox jumps over the lazy dog, not once, but many times: so it is to be told.\n' * 60
FILES = {'hamlet': HAMLET, 'fox': FOX}
RUN = ['--batch', '4', '--steps', '20', '--eval-every', '0', '--threads', '1']
SMALL = ['--layers', '1', '--width', '24', '--heads', '2', '--context', '16', '--method', 'embed', '--vocab', 'bytes', *RUN]


def base(folder, text='hamlet', out='base.smol', *arguments):
    run(smoltrain, '--data', folder / text, *SMALL, *arguments, '-o', folder / out)
    return folder / out


def delta(folder, *arguments, out='d.smol', text='fox', code=0):
    return run_text(smoltrain, '--data', folder / text, *RUN, *arguments, '-o', folder / out, code=code)


def sections(path):
    """By name, from SPEC.md 2."""
    data, found = path.read_bytes(), {}
    at = 32 + 24 * struct.unpack_from('<H', data, 12)[0]
    for i in range(struct.unpack_from('<H', data, 12)[0]):
        name, size = data[32 + 24 * i:36 + 24 * i].decode(), struct.unpack_from('<Q', data, 40 + 24 * i)[0]
        at += -at % (64 if name == 'EMBD' else 8)
        found[name] = data[at:at + size]
        at += size
    return found


def records(path, event):
    return [r for r in map(json.loads, path.read_text().splitlines()) if r['event'] == event]


def file_hash(path):
    """What its trailer states, unsigned."""
    return path.read_bytes()[-64:]


def test_a_delta_names_its_base_and_holds_little(folder):
    b = base(folder)
    said = delta(folder, '--base', b, '--method', 'alpha', '--d', '2', '--no-card', '--log', folder / 'log').stdout
    has = sections(folder / 'd.smol')
    assert sorted(has) == ['BASE', 'CONF', 'LRND']
    assert has['BASE'] == file_hash(b) + struct.pack('<f', 1)
    # CONF: four schemes, of three sigmas and no norms, and a span. LRND: two heads' temperatures and slope factors, four matrices' alphas, each with a scale.
    assert [len(has[n]) for n in ('CONF', 'LRND')] == [64 + 4 * 16 + 8, 2 * (2 + 2) + 4 * (2 + 2)]
    assert (folder / 'd.smol').stat().st_size + 104 <= 520
    alone = records(folder / 'log', 'bases')[0]['nats_per_token'][0]
    learned = records(folder / 'log', 'validation')[-1]['nats_per_token']
    assert learned < alone and f'as it is {b} {alone:.5f}' in said
    assert records(folder / 'log', 'start')[0]['base_hashes'] == [file_hash(b).hex()]


def test_the_base_alone_is_what_its_own_validation_says(folder):
    b = base(folder, 'hamlet', 'base.smol', '--valid', folder / 'fox')
    said = run_text(smoltrain, '--data', folder / 'hamlet', *SMALL, '--valid', folder / 'fox', '-o', folder / 'again.smol').stdout
    own = float(said.split('validation loss as stored ')[1].split()[0])
    delta(folder, '--base', b, '--valid', folder / 'fox', '--steps', '0', '--log', folder / 'log')
    assert abs(records(folder / 'log', 'bases')[0]['nats_per_token'][0] - own) < 1e-5
    assert abs(records(folder / 'log', 'validation')[-1]['nats_per_token'] - own) < 1e-5


def test_rows_and_cards(folder):
    b = base(folder)
    delta(folder, '--base', b, '--method', 'embed', '--embedding-rows', '3', '--embedding-type', 'f16', '--learn-logit-scale')
    has = sections(folder / 'd.smol')
    frequent = sorted(sorted(set(FOX), key=lambda t: (-FOX[:len(FOX) * 9 // 10].count(t), t))[:3])
    assert has['EMBD'][:24] == struct.pack('<6I', *frequent, *frequent)
    assert len(has['EMBD']) == 64 + 2 * (-(-3 * 24 * 2 // 64) * 64)
    card = json.loads(has['CARD'])
    assert card['method'] == 'embed' and len(has['CARD']) < 200


def test_mixes(folder):
    a, b = base(folder), base(folder, 'fox', 'b.smol')
    said = delta(folder, '--bases', f'{a},{b}').stdout
    assert 'embed, ' in said and f'as it is {a} ' in said
    has = sections(folder / 'd.smol')
    assert [has['BASE'][68 * i:68 * i + 64] for i in range(2)] == [file_hash(a), file_hash(b)]
    learned = [struct.unpack_from('<f', has['BASE'], 68 * i + 64)[0] for i in range(2)]
    assert learned != [0.5, 0.5]
    with_numbers = len(has['LRND'])
    delta(folder, '--bases', f'{a}=0.25,{b}=0.75', '--mix', 'none')
    has = sections(folder / 'd.smol')
    assert [struct.unpack_from('<f', has['BASE'], 68 * i + 64)[0] for i in range(2)] == [0.25, 0.75]
    assert with_numbers - len(has['LRND']) == 4 * (2 + 2), 'a scale and two numbers for each matrix'


def test_resumes_to_the_same_delta_of_the_same_base(folder):
    b, other = base(folder), base(folder, 'fox', 'other.smol')
    more = ['--method', 'lora', '--rank', '2', '--steps', '500']
    delta(folder, '--base', b, *more, out='whole.smol')
    started = subprocess.Popen([smoltrain, '--data', folder / 'fox', *RUN, '--base', b, *more, '--save-every', '1', '-o', folder / 'd.smol'],
                               stderr=subprocess.DEVNULL)
    while not (folder / 'd.ckpt').exists():
        time.sleep(0.01)
    started.kill()
    started.wait()
    assert file_hash(b).hex().encode() in (folder / 'd.ckpt').read_bytes()
    again = [smoltrain, '--data', folder / 'fox', '--eval-every', '0', '--resume', '-o', folder / 'd.smol']
    assert '--base: is needed: the training changes a model' in run_text(*again, code=2).stderr
    assert 'other.smol: is not the base of the checkpoint' in run_text(*again, '--base', other, code=1).stderr
    run(*again, '--base', b)
    assert (folder / 'whole.smol').read_bytes() == (folder / 'd.smol').read_bytes()


def test_a_base_that_changes_meanwhile(folder):
    b = base(folder)
    started = subprocess.Popen([smoltrain, '--data', folder / 'fox', '--base', b, '--steps', '1000000', '--save-every', '1', '--eval-every', '0',
                                '-o', folder / 'd.smol'], stderr=subprocess.PIPE, text=True)
    while not (folder / 'd.ckpt').exists():
        time.sleep(0.01)
    with open(b, 'r+b') as f:
        f.write(b'x')
    started.terminate()
    said = started.communicate()[1]
    assert started.returncode == 1 and 'base.smol: ' in said and 'changed' in said, said
    assert not (folder / 'd.smol').exists()


def test_a_sweep_measures_by_the_base_and_its_fine_tuning(folder):
    b = base(folder)
    run(smoltrain, 'sweep', '--data', folder / 'fox', *RUN, '--base', b, '--method', 'alpha', '--d', '1,4', '-o', folder / 'out')
    with open(folder / 'out' / 'sweep.csv', newline='') as f:
        table = list(csv.DictReader(f))
    assert [(r['method'], r['d']) for r in table] == [('embed', ''), ('full', ''), ('alpha', '1'), ('alpha', '4')]
    delta(folder, '--base', b, '--log', folder / 'log')
    alone = records(folder / 'log', 'bases')[0]['nats_per_token'][0]
    assert abs(float(table[0]['nats_per_token']) - alone) < 1e-6
    has = sections(folder / 'out' / 'full.smol')
    assert struct.unpack_from('<2I', has['CONF'], 56) == (256, 256), 'rows of both tables'
    losses = [float(r['nats_per_token']) for r in table]
    assert losses[1] == min(losses) and losses[0] == max(losses)


def test_what_is_refused(folder, check):
    b = base(folder)
    wide = base(folder, 'fox', 'wide.smol', '--width', '32')
    delta(folder, '--base', b, '--method', 'embed', '--steps', '0', out='delta.smol')
    of = ['--base', b]
    for code, arguments, line in [
            (2, [*of, '--arch', 'gpt2'], '--arch: is not for --base, which has its own'),
            (2, [*of, '--layers', '2'], '--layers: is not for --base'),
            (2, [*of, '--vocab', 'used'], '--vocab: is not for --base'),
            (2, [*of, '--tokenizer', b], '--tokenizer: is not for --base'),
            (2, [*of, '--size', '4K'], '--size: is not for --base'),
            (2, [*of, '--context', '17'], "the context is longer than the models'"),
            (2, [*of, '--bases', b], '--base: contradicts --bases'),
            (2, [*of, '--mix', 'all'], '--mix: takes matrix, file or none'),
            (2, [*of, '--embedding-rows', 'some'], '--embedding-rows: takes a number of tokens, or all'),
            (2, ['--mix', 'file'], '--mix: needs --base or --bases'),
            (2, ['--embedding-rows', '3'], '--embedding-rows: needs --base or --bases'),
            (2, ['--arch', 'delta'], '--arch: takes smol or gpt2'),
            (2, ['--bases', f'{b},'], '--bases: takes models'),
            (1, ['--bases', f'{b},{wide}'], '--bases: model 2 has other layers, heads or widths than the first one'),
            (1, ['--bases', f'{b},{b}'], '--bases: model 2 is another model once more'),
            (1, ['--base', folder / 'delta.smol'], 'delta.smol: model 1 is a delta itself'),
            (1, ['--base', folder / 'fox'], 'fox: byte 0: not a .smol file'),
            (1, ['--base', folder / 'none'], 'none: cannot open: No such file or directory')]:
        found = delta(folder, *arguments, code=code).stderr
        check.that(line in found, f'{arguments}: {found}')
        check.that(not (folder / 'd.smol').exists(), arguments)
    damaged = bytearray(b.read_bytes())
    damaged[-70] ^= 1
    b.write_bytes(damaged)
    found = delta(folder, *of, code=1).stderr
    check.that('base.smol: ' in found and 'damaged' in found or 'checksum' in found, found)


def test_a_delta_is_inspected(folder):
    b = base(folder)
    delta(folder, '--base', b, '--method', 'lora', '--rank', '1', '--norms', 'stored', '--gains')
    assert json.loads(tool('inspect', '--json', folder / 'd.smol').stdout)['method'] == 'lora'
