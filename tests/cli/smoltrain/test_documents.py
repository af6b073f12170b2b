"""smoltrain on several documents: the end of text in a set of bytes, rare bytes, and --documents."""
import hashlib
import json
import struct

import pytest
from programs import run, run_text, smolrun, smoltrain, tool, write
from test_architecture import SMALL, inspected, logged, stopped

DOCUMENTS = [f'message {i}: see you at {i % 12}:{i * 7 % 60:02}' + '!' * (i % 3) for i in range(120)]
FILES = {'text.jsonl': ''.join(json.dumps({'text': d}) + '\n' for d in DOCUMENTS).encode(), 'plain': '\n'.join(DOCUMENTS).encode()}
USED = sorted(set(''.join(DOCUMENTS).encode()))


def train(folder, *arguments, data='text.jsonl', out='m.smol', code=0):
    return run_text(smoltrain, '--data', folder / data, *SMALL, '-o', folder / out, *arguments, code=code)


# ---- the tokens ----

def test_several_documents_get_an_end_of_text(folder):
    train(folder, '--log', folder / 'log')
    found, start = inspected(folder / 'm.smol'), logged(folder / 'log', 'start')
    assert (found['bytes'], found['other_token'], found['end_token'], found['tokens']) == (USED, len(USED), len(USED) + 1, len(USED) + 2)
    assert start['train_bytes'] + start['val_bytes'] == sum(map(len, DOCUMENTS)) + len(DOCUMENTS) - 1
    assert f'{len(USED)} bytes, and one for all others, end of text {len(USED) + 1}' in tool('inspect', folder / 'm.smol').stdout.decode()


def test_one_document_gets_none(folder):
    """Nor does one beside another to validate on."""
    train(folder, data='plain')
    assert inspected(folder / 'm.smol')['end_token'] is None
    train(folder, '--valid', folder / 'plain', data='plain', out='v.smol')
    assert inspected(folder / 'v.smol')['end_token'] is None


def test_vocabularies_by_name(folder, check):
    separators = sorted(set(USED) | set(b'<|endoftext|>'))
    for name, members, other, end in (('used', separators, False, False), ('used+other', separators, True, False), ('used+end', USED, False, True),
                                      ('used+other+end', USED, True, True)):
        train(folder, '--vocab', name, '--steps', '1')
        found = inspected(folder / 'm.smol')
        n = len(members)
        check.that((found['bytes'], found['other_token'], found['end_token']) == (members, n if other else None, n + other if end else None), name)


def test_every_byte_and_an_end(folder):
    write(folder / 'all', bytes(range(256)) * 8 + b'<|endoftext|>' + bytes(range(256)) * 8)
    train(folder, '--steps', '1', data='all')
    found = inspected(folder / 'm.smol')
    assert (found['vocab'], found['other_token'], found['end_token']) == (257, None, 256)


def test_rare_bytes_are_left_to_other(folder):
    counts = {b: ''.join(DOCUMENTS).encode().count(b) for b in USED}
    train(folder, '--vocab-min', '60', '--val-fraction', '0.001')
    found = inspected(folder / 'm.smol')
    assert found['bytes'] == [b for b in USED if counts[b] >= 60] != USED and found['other_token'] == len(found['bytes'])
    # Of text that is set apart for validation none counts.
    write(folder / 'held-out', '#' * 100)
    train(folder, '--vocab-min', '1', '--valid', folder / 'held-out')
    assert inspected(folder / 'm.smol')['bytes'] == USED
    train(folder, '--valid', folder / 'held-out')
    assert inspected(folder / 'm.smol')['bytes'] == sorted([*USED, ord('#')])


def test_a_corpus_has_one_token_for_a_separator(folder):
    """Which counts as its 13 bytes, and is hashed as such, as with any tokenizer."""
    train(folder, '--cache', folder / 'cache')
    joined = '<|endoftext|>'.join(DOCUMENTS).encode()
    found = [raw for raw in (path.read_bytes() for path in (folder / 'cache').iterdir()) if struct.unpack_from('<I', raw, 12)[0] == len(USED) + 2]
    assert len(found) == 1
    n, n_train, n_documents, text_bytes = struct.unpack_from('<QQQQ', found[0], 24)
    tokens = []
    for d in DOCUMENTS:
        tokens += [USED.index(b) for b in d.encode()] + [len(USED) + 1]
    assert list(found[0][128:128 + n]) == tokens[:-1] and n_train == n
    assert n_documents == len(DOCUMENTS) and text_bytes == len(joined)
    assert found[0][64:96] == hashlib.blake2b(joined, digest_size=32).digest()


def test_a_text_ends(folder):
    """What is generated ends at the end of text, which is not shown."""
    train(folder, '--documents', '--steps', '150', '--context', '64')
    for seed in range(3):
        done = json.loads(run_text(smolrun, folder / 'm.smol', '-n', '200', '--seed', str(seed), '--json').stdout)
        end = inspected(folder / 'm.smol')['end_token']
        assert done['finish_reason'] == 'end' and len(done['text']) == len(done['tokens']) - 1, done
        assert done['prompt_tokens'] == [end] and done['tokens'].index(end) == len(done['text'])


# ---- documents ----

@pytest.mark.slow
def test_documents_resume_to_the_same_model(folder):
    write(folder / 'text', FILES['text.jsonl'])
    options = ['--documents', '--format', 'jsonl']
    train(folder, *options, '--steps', '200', data='text', out='whole.smol')
    stopped(folder, 200, *options)
    run(smoltrain, '--data', folder / 'text', '--format', 'jsonl', '--eval-every', '0', '--resume', '-o', folder / 'm.smol')
    assert (folder / 'whole.smol').read_bytes() == (folder / 'm.smol').read_bytes()
    assert inspected(folder / 'm.smol')['card']['recipe']['documents'] is True


def test_gpt2_and_tokenizers_have_documents_too(folder):
    tool('tokenizer', 'train', '--vocab', '300', folder / 'plain', '-o', folder / 'a.smoltok')
    train(folder, '--documents', '--tokenizer', folder / 'a.smoltok')
    train(folder, '--documents', '--arch', 'gpt2')
    assert inspected(folder / 'm.smol')['end_token'] == len(USED) + 1


def test_validation_of_documents_has_no_stream(folder):
    out = train(folder, '--documents').stdout
    assert 'validation loss as stored' in out and 'stream' not in out


def test_what_is_refused(folder, check):
    for code, arguments, line in [
            (1, ['--documents', '--vocab', 'used+other'], 'documents need an end of text among the tokens'),
            (1, ['--documents', '--vocab', 'bytes'], 'documents need an end of text among the tokens'),
            (2, ['--vocab', 'used+end', '--vocab-min', '2'], '--vocab-min: is for --vocab used+other or used+other+end'),
            (2, ['--vocab-min', '2', '--tokenizer', 'x'], '--vocab-min: is for training without --tokenizer'),
            (2, ['--vocab-min', '-1'], '--vocab-min'),
            (1, ['--vocab-min', '1000000'], '--vocab-min: no byte of the text occurs 1000000 times')]:
        found = train(folder, *arguments, code=code).stderr
        check.that(line in found.splitlines()[0], f'{arguments}: {found}')
        check.that(not (folder / 'm.smol').exists(), arguments)
    write(folder / 'ends', '<|endoftext|>' * 5)
    found = train(folder, '--documents', data='ends', code=1).stderr
    check.that('ends: there is nothing but ends of text' in found, found)
    found = train(folder, '--documents', data='plain', code=1).stderr
    check.that('the text has only one document, and none to validate on' in found, found)
