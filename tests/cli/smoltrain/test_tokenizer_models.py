"""Models trained with a tokenizer: their text and its measure, caches, checkpoints, sweeps. Expected tokens are those of
tests/reference/tokens.py."""
import json
import math
import signal
import struct
import subprocess
import time

import tokens

from programs import run, smolrun, smoltool, smoltrain, write
from tokenizing import TEXT, train

SMALL = ['--arch', 'gpt2', '--layers', '1', '--width', '16', '--heads', '2', '--context', '16', '--batch', '4', '--threads', '1', '--eval-every', '0', '--method', 'embed']


def test_a_model_is_trained_and_writes(folder):
    """512 tokens. Validation is smolrun's perplexity of the same text, which knows nothing of the trainer."""
    made = train(folder, 512, TEXT)
    text, valid = write(folder / 'train', TEXT[:30000]), write(folder / 'valid', TEXT[30000:33000])
    log = folder / 'log'
    run(smoltrain, *SMALL, '--data', text, '--valid', valid, '--tokenizer', made, '--steps', '30', '--log', log, '-o', folder / 'm.smol')
    reference = tokens.Tokenizer(made.read_bytes()[16:])
    records = [json.loads(line) for line in log.read_text().splitlines()]
    stored = next(r for r in records if r.get('stored'))
    start, ids = records[0], reference.encode(valid.read_bytes())
    assert (start['train_tokens'], start['val_tokens'], start['vocab']) == (len(reference.encode(text.read_bytes())), len(ids), 512)
    n_bytes = valid.stat().st_size - len(reference.bytes_of(ids[0]))
    assert abs(stored['bits_per_byte'] - stored['nats_per_token'] * (len(ids) - 1) / math.log(2) / n_bytes) < 1e-6
    out = json.loads(run(smolrun, folder / 'm.smol', '--perplexity', valid, '--json').stdout)
    assert abs(out['bits_per_byte'] - stored['bits_per_byte']) < 1e-3 * stored['bits_per_byte'] and stored['bits_per_byte'] < 8
    out = json.loads(run(smolrun, folder / 'm.smol', '-p', 'The file', '-n', '40', '-s', '3', '--json', '--ignore-eos').stdout)
    assert out['prompt_tokens'] == reference.encode(b'The file') and len(out['tokens']) == 40
    assert out['text'] == reference.decode(out['tokens']).decode(errors='replace') or '\ufffd' in out['text']
    assert max(out['tokens']) > 255
    page = json.loads(run(smoltool, 'inspect', '--json', folder / 'm.smol').stdout)
    assert page['tokenizer'] == 'bpe' and page['tokens'] == page['vocab'] == 512 and page['tokenizer_bytes'] == len(made.read_bytes()) - 16
    assert page['card']['data']['train_tokens'] == start['train_tokens']
    # A model's tokenizer serves as well, and the training is the same.
    run(smoltrain, *SMALL, '--data', text, '--valid', valid, '--tokenizer', folder / 'm.smol', '--steps', '30', '-o', folder / 'n.smol')
    assert (folder / 'n.smol').read_bytes() == (folder / 'm.smol').read_bytes()


def read_tokens(path):
    """The tokens of a corpus of two bytes each, and its documents' starts: SPEC.md appendix C."""
    raw = path.read_bytes()
    _, _, width, vocab, tokenizer, n, _, n_documents = struct.unpack('<8sHHIQQQQ', raw[:48])
    assert width == 2 and tokenizer == tokens.xxhash.xxh3_64_intdigest(section_of(path), seed=vocab)
    at = 128 + (2 * n + 7) // 8 * 8
    return list(struct.unpack('<%dH' % n, raw[128:128 + 2 * n])), struct.unpack('<%dQ' % n_documents, raw[at:at + 8 * n_documents])


def section_of(path):
    return (path.parent.parent / 'trained.smoltok').read_bytes()[16:]


def test_caches_name_their_tokenizer(folder):
    made = train(folder, 300, TEXT)
    one, two = write(folder / 'one', TEXT[:3000]), write(folder / 'two', b'a b<|endoftext|>c')

    def go(*arguments, code=0):
        return run(smoltrain, *SMALL, '--data', one, '--data', two, '--cache', folder / 'cache', '--steps', '2', *arguments, '-o', folder / 'm.smol', code=code)

    go('--tokenizer', made)
    cache, = (folder / 'cache').iterdir()
    ids, starts = read_tokens(cache)
    reference = tokens.Tokenizer(made.read_bytes()[16:])
    first = reference.encode(one.read_bytes())
    assert ids == first + [299] + reference.encode(b'a b') + [299] + reference.encode(b'c')
    assert starts == (0, len(first) + 1, len(first) + 2 + len(reference.encode(b'a b')))
    # Another tokenizer has another cache; where it finds this one in its place, it refuses it and encodes again.
    other = write(folder / 'other.smoltok', tokens.file_of(tokens.train([TEXT[5000:9000]], 300)))
    go('--tokenizer', other)
    theirs, = set((folder / 'cache').iterdir()) - {cache}
    good = theirs.read_bytes()
    theirs.write_bytes(cache.read_bytes())
    assert b'another tokenizer' in go('--tokenizer', other).stderr and theirs.read_bytes() == good
    go()
    assert len(list((folder / 'cache').iterdir())) == 3


def test_training_goes_on_with_the_same_tokenizer(folder):
    made = train(folder, 300, TEXT)
    text = write(folder / 'text', TEXT[:20000])

    def go(output, *arguments, code=0):
        return run(smoltrain, *SMALL, '--data', text, '-o', folder / output, *arguments, code=code)

    go('whole.smol', '--tokenizer', made, '--steps', '3000')
    process = subprocess.Popen([smoltrain, *SMALL, '--data', text, '-o', folder / 'm.smol', '--tokenizer', made, '--steps', '3000', '--save-every', '4'],
                               stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while process.poll() is None and not (folder / 'm.ckpt').exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(100) == 1 and (folder / 'm.ckpt').exists()
    for more in ([], ['--tokenizer', write(folder / 'other.smoltok', tokens.file_of(tokens.train([TEXT[5000:9000]], 300)))]):
        assert b'another tokenizer' in go('m.smol', '--resume', *more, code=1).stderr
    go('m.smol', '--resume', '--tokenizer', made)
    assert (folder / 'm.smol').read_bytes() == (folder / 'whole.smol').read_bytes()
    assert b'not a tokenizer file' in go('x.smol', '--tokenizer', text, code=1).stderr and not (folder / 'x.smol').exists()


def test_sweeps_take_a_tokenizer(folder):
    made = train(folder, 300, TEXT)
    text = write(folder / 'text', TEXT[:20000])
    line = [smoltrain, 'sweep', *[w for w in SMALL if w not in ('--method', 'embed')], '--method', 'alpha', '--d', '1', '--steps', '3', '--data', text, '-o', folder / 'sweep']
    run(*line, '--tokenizer', made)
    assert json.loads(run(smoltool, 'inspect', '--json', folder / 'sweep/alpha-1.smol').stdout)['tokens'] == 300
    run(*line, '--tokenizer', made)  # all is there
    assert b'another tokenizer' in run(*line, code=1).stderr
