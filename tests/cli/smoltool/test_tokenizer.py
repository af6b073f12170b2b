"""Tokenizers from outside: GPT-2's test vectors through each form of its files, any bytes, training, models that have one, and
what is wrong with files. Expected tokens are published ones, or those of tests/reference/tokens.py."""
import json
import math
import random
import resource

import bad_tokens
import container
import gpt2_files
import models
import numpy as np
import pytest
import tokens

from programs import root, run, sanitized, smolrun, smoltool, write
from tokenizing import TEXT, tool, train

gpt2 = root.parent / 'shared/data/gpt2-tokenizer'


def encode(path, text):
    return [int(line) for line in tool('encode', path, input=text).stdout.split()]


def decode(path, numbers):
    return tool('decode', path, input=' '.join(map(str, numbers)).encode()).stdout


# ---- GPT-2's ----

def import_gpt2(folder):
    """Its tokenizer from each form of its files, which must be the same."""
    if not gpt2.is_dir():
        pytest.skip('%s is not there' % gpt2)
    forms = {'json': ['vocab.json', 'merges.txt'], 'swapped': ['merges.txt', 'vocab.json'], 'bpe': ['vocab.bpe'], 'hf': ['tokenizer.json']}
    for name, files in forms.items():
        tool('import', *(gpt2 / f for f in files), '-o', folder / (name + '.smoltok'))
    made = {(folder / (name + '.smoltok')).read_bytes() for name in forms}
    assert len(made) == 1
    return folder / 'hf.smoltok'


def test_gpt2_vectors(folder):
    path = import_gpt2(folder)
    vectors = json.loads((gpt2 / 'gpt2_test_vectors.json').read_text())
    assert len(vectors) == 47
    for v in vectors:
        text = v['text'].encode()
        assert encode(path, text) == v['ids'], (text, encode(path, text), v['ids'])
        assert decode(path, v['ids']) == text
    # Through a model too.
    run(smoltool, 'new', '--tokenizer', path, '--layers', '1', '--width', '2', '--heads', '1', '--context', '4', '-o', folder / 'm.smol')
    joined = [v for v in vectors if v['text']]
    for v in joined[::5]:
        assert encode(folder / 'm.smol', v['text'].encode()) == v['ids']
    page = json.loads(run(smoltool, 'inspect', '--json', folder / 'm.smol').stdout)
    assert (page['tokenizer'], page['tokens'], page['merges'], page['end_token'], page['vocab']) == ('bpe', 50257, 50000, 50256, 50257)
    assert page['tokenizer_bytes'] == 12 + 200000 + 14
    tool('import', folder / 'm.smol', '-o', folder / 'again.smoltok')
    assert (folder / 'again.smoltok').read_bytes() == path.read_bytes()


def test_gpt2_numbers(folder):
    """Every token of vocab.json by its number."""
    path = import_gpt2(folder)
    letters = {}
    n = 0
    for b in range(256):
        prints = 33 <= b <= 126 or 161 <= b <= 172 or b >= 174
        letters[chr(b if prints else 256 + n)] = b
        n += not prints
    vocab = json.loads((gpt2 / 'vocab.json').read_text())
    by_number = sorted(vocab, key=vocab.get)
    expected = [t.encode() if t == '<|endoftext|>' else bytes(letters[c] for c in t) for t in by_number]
    assert decode(path, range(50257)) == b''.join(expected)
    for i in (0, 220, 256, 30000, 50255, 50256):
        assert decode(path, [i]) == expected[i]


def test_gpt2_any_bytes(folder):
    path = import_gpt2(folder)
    for seed in range(20):
        draw = random.Random(seed)
        data = draw.randbytes(20000) if seed % 2 else b''.join(draw.choice([b'\xe2\x82', b'\xac', b' ', b'word', b'\n', b"'ll", b'\xff', '😀'.encode(), b'7'])
                                                              for _ in range(5000))
        assert decode(path, encode(path, data)) == data, seed


def test_gpt2_agrees_with_the_reference(folder):
    path = import_gpt2(folder)
    reference = tokens.Tokenizer(path.read_bytes()[16:])
    draw = random.Random(3)
    data = b''.join(draw.choice([TEXT[i:i + draw.randrange(40)] for i in (draw.randrange(len(TEXT)) for _ in range(9))] + [draw.randbytes(3)])
                    for _ in range(150))
    assert encode(path, data) == reference.encode(data)


def test_categories_are_unicode_s(folder):
    """A character joins an 'a' before it if it is in L, a '1' if in N, a '!' if in O, by Python's tables. The merges, of each of
    the three with every byte that a character begins with, show where a piece goes on."""
    assert tokens.unicodedata.unidata_version == '14.0.0'
    signs = {'L': b'a', 'N': b'1', 'O': b'!'}
    leads = [*range(128), *range(0xc2, 0xf5)]
    section = tokens.pack([(tokens.ORDER.index(sign[0]), tokens.ORDER.index(b)) for sign in signs.values() for b in leads])
    path = write(folder / 'a.smoltok', tokens.file_of(section))
    newline = tokens.ORDER.index(10)
    points = [c for c in map(chr, [*range(0x20000), *range(0xe0000, 0xe0200), 0x10ffff]) if not '\ud800' <= c <= '\udfff' and c not in "\n'"]
    for k, sign in signs.items():
        lines, joined = [], 0
        for n in encode(path, b''.join(sign + c.encode() + b'\n' for c in points)):
            if n == newline:
                lines.append(joined)
                joined = 0
            else:
                joined |= n > 255
        assert len(lines) == len(points)
        wrong = ['U+%04X' % ord(c) for c, j in zip(points, lines) if j != (tokens.kind(c) == k)]
        assert not wrong, (k, len(wrong), wrong[:20])


# ---- training ----

def test_training_is_the_reference(folder):
    other = b'aaaa aaaaa aaa ' * 3 + b'<|endoftext|>abcabc' * 4 + b'\xff\xff\xfe' * 5
    for n, texts in ((257, [TEXT]), (300, [b'x']), (290, [other]), (700, [TEXT[:20000], other])):
        made = train(folder, n, *texts)
        section = tokens.train(texts, n)
        assert made.read_bytes() == tokens.file_of(section), n
    reference = tokens.Tokenizer(section)
    for text in (TEXT[20000:30000], other, b'', b'<|endoftext|>', b'a<|endoftext|', bytes(range(256)) * 3):
        assert encode(made, text) == reference.encode(text)
        assert decode(made, reference.encode(text)) == text
    # The order of the files changes nothing, nor does where documents are cut.
    assert train(folder, 700, other, TEXT[:20000]).read_bytes() == tokens.file_of(section)
    assert train(folder, 700, other + b'<|endoftext|>' + TEXT[:20000]).read_bytes() == tokens.file_of(section)


def test_long_tokens_are_passed_over(folder):
    text = b'-' * 5000 + b'\n' + b'-' * 5000
    section = tokens.train([text], 280)
    assert train(folder, 280, text).read_bytes() == tokens.file_of(section)
    assert max(map(len, tokens.Tokenizer(section).text)) == 1024


def test_long_words_are_the_reference(folder):
    """Words that merge with themselves, run, and touch what has just merged."""
    for seed in range(12):
        draw = random.Random(seed)
        letters = draw.choice([b'a', b'ab', b'aab', b'abcd', bytes(range(97, 123))])
        text = b' '.join(bytes(draw.choice(letters) for _ in range(draw.choice([1, 2, 3, 7, 300, 1500]))) for _ in range(8))
        text += draw.choice([b'', b' ' + text[:40] * 3, b'\n\n' + text[:9] * 9])
        n = draw.choice([270, 300, 600])
        assert train(folder, n, text).read_bytes() == tokens.file_of(tokens.train([text], n)), seed


def seconds_of_training(folder, text):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    train(folder, 2000, text)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime


@pytest.mark.slow
def test_one_long_word_takes_no_longer_than_short_ones(folder):
    draw = random.Random(1)
    word = bytes(draw.randrange(97, 123) for _ in range(400000))
    short = b' '.join(word[i:i + 8] for i in range(0, len(word), 8))
    assert seconds_of_training(folder, word) <= 4 * seconds_of_training(folder, short) + 1
    assert seconds_of_training(folder, b'ab' * 300000) <= 4 * seconds_of_training(folder, short) + 1


def test_large_texts_are_read_in_portions(folder):
    """Over 4 MB are the same text again and again: every pair occurs so many times more, and the merges are the same."""
    text = TEXT[:20000].rstrip() + b'\n'
    assert train(folder, 500, text * 450).read_bytes() == tokens.file_of(tokens.train([text], 500))


def test_few_pairs(folder):
    done = tool('train', '--vocab', '500', write(folder / 't', b'ab ab'), '-o', folder / 'x')
    assert b'fewer than 500 tokens' in done.stderr and b'258 tokens, 1 merges' in done.stderr, done.stderr


# ---- models ----

def model(section, best, vocab=270, context=16):
    """One whose logits are the same everywhere, the largest that of one token: the last norm has gain 0 and bias 1."""
    schemes = [container.Scheme(2, 0, 0, 0, 0, 0, 0, 0.0), container.Scheme(1, 0, 0, 1, 0, 0, 0, 0.25), container.Scheme(2, 2, 0, 0, 0, 0, 0, 0.0)]
    conf = container.Conf(1, 1, 2, 3, context, vocab, 2.0 ** -17, 7, 1.0, schemes, [(1, (0, 1, 1, 0, 1, 1))], 2)
    learned = {'ln_f.weight': np.zeros(2, '<f4'), 'ln_f.bias': np.ones(2, '<f4')}
    wte = np.zeros((vocab, 2))
    wte[best] = 4
    return container.write(container.Smol(conf, learned, models.table(0, wte), models.table(0, np.zeros((context, 2))), tokens=section))


def generate(path, *arguments):
    return json.loads(run(smolrun, path, '--json', '--temp', '0', *arguments).stdout)


def test_models_write_tokens(folder):
    """Tokens of bad_tokens.GOOD: 256 'te', 257 'tee', 258 'tete', 259 the end of text, 260 '[x]'."""
    path = write(folder / 'm.smol', model(bad_tokens.GOOD, 257))
    out = generate(path, '-p', 'teete[x]', '-n', '3')
    assert out['prompt_tokens'] == [257, 256, 260] and out['prompt'] == 'teete[x]'
    assert out['tokens'] == [257] * 3 and out['text'] == 'teeteetee' and out['finish_reason'] == 'length'
    done = run(smolrun, path, '-p', 'te', '-n', '2', '--temp', '0')
    assert done.stdout.startswith(b'teteetee')
    assert generate(path, '-n', '1')['prompt_tokens'] == [259]


def test_the_end_of_text_ends(folder):
    path = write(folder / 'm.smol', model(bad_tokens.GOOD, 259))
    out = generate(path, '-p', 'te', '-n', '5')
    assert out['finish_reason'] == 'end' and out['tokens'] == [259] and out['text'] == ''
    assert run(smolrun, path, '-p', 'te', '-n', '5', '--temp', '0').stdout.strip() == b'te'
    out = generate(path, '-p', 'te', '-n', '5', '--ignore-eos')
    assert out['finish_reason'] == 'length' and out['tokens'] == [259] * 5 and out['text'] == '<|endoftext|>' * 5
    path = write(folder / 'none.smol', model(tokens.pack(bad_tokens.MERGES, [b'[x]']), 259))
    assert generate(path, '-p', 'te', '-n', '2')['text'] == '[x][x]'
    assert generate(path, '-n', '1')['prompt_tokens'] == [tokens.ORDER.index(10)]


def test_perplexity_is_by_bytes(folder):
    path = write(folder / 'm.smol', model(bad_tokens.GOOD, 257))
    text = write(folder / 'text', b'teetete<|endoftext|>te \xc3\xa9 tee')
    n = len(tokens.Tokenizer(bad_tokens.GOOD, 270).encode(text.read_bytes()))
    out = json.loads(run(smolrun, path, '--perplexity', text, '--json').stdout)
    # Of 270 logits one is 8 (4 + 4), the others 0; 257 is predicted once, at the end, after the first token that is not.
    total = math.log(269 + math.exp(8)) * (n - 1) - 8
    assert out['tokens'] == n - 1 and abs(out['nats_per_token'] * (n - 1) - total) < 1e-5 * total
    first = 3  # bytes of 'tee', the first token
    assert abs(out['bits_per_byte'] - total / math.log(2) / (text.stat().st_size - first)) < 1e-6


def test_export_and_back(folder):
    """A special token on either side of the others, merges, and a vocabulary with room."""
    section = tokens.pack(bad_tokens.MERGES, [b'<|endoftext|>', b'[x]'], 1)
    path = write(folder / 'm.smol', model(section, 257))
    run(smoltool, 'export', '--safetensors', path, '-o', folder / 'out')
    for files in (['vocab.json', 'merges.txt'], ['tokenizer.json']):
        tool('import', *(folder / 'out' / f for f in files), '-o', folder / 'again.smoltok')
        assert (folder / 'again.smoltok').read_bytes() == tokens.file_of(section)
    config = json.loads((folder / 'out/config.json').read_text())
    assert config['eos_token_id'] == config['bos_token_id'] == 0
    whole = json.loads((folder / 'out/tokenizer.json').read_text())
    assert [(t['id'], t['content']) for t in whole['added_tokens']] == [(0, '<|endoftext|>'), (260, '[x]')]
    assert whole['model']['merges'] == ['t e', 'te e', 'te te'] and whole['pre_tokenizer']['use_regex']
    run(smoltool, 'export', '--gguf', path, '-o', folder / 'g')
    k = gpt2_files.Gguf(folder / 'g').keys
    assert k['tokenizer.ggml.tokens'] == ['<|endoftext|>', *(gpt2_files.byte_letters()[b] for b in tokens.ORDER), 'te', 'tee', 'tete', '[x]', *('[PAD%d]' % i for i in range(261, 270))]
    assert k['tokenizer.ggml.token_type'] == [3] + [1] * 259 + [3] + [5] * 9 and k['tokenizer.ggml.merges'] == ['t e', 'te e', 'te te']
    assert k['tokenizer.ggml.bos_token_id'] == k['tokenizer.ggml.eos_token_id'] == 0
    assert (folder / 'out/merges.txt').read_text() == '#version: 0.2\nt e\nte e\nte te\n'


# ---- what is wrong with files ----

def refused(folder, *files, says=''):
    before = sorted(folder.iterdir())
    done = tool('import', *files, '-o', folder / 'out', code=1)
    line = done.stderr.decode()
    assert line.count('\n') == 1 and any(str(f) in line for f in files) and says in line, (says, line)
    assert done.stdout == b'' and sorted(folder.iterdir()) == before


def letters(byte):
    prints = 33 <= byte <= 126 or 161 <= byte <= 172 or byte >= 174
    return chr(byte) if prints else chr(256 + tokens.ORDER.index(byte) - 188)


def vocab(*more):
    return {**{letters(b): i for i, b in enumerate(tokens.ORDER)}, **{t: 256 + i for i, t in enumerate(more)}}


@pytest.mark.slow
def test_merges_that_are_wrong(folder):
    for text, says in (('t e\nt e\n', 'merge 1 makes a token that already exists'), ('te e\n', 'merge 0 uses a token'), ('t te\n', 'merge 0'),
                       ('te t\n', 'merge 0'), ('xx xx\nx x\n', 'merge 0'), ('t\n', 'expected two tokens'), ('t  e\n', 'expected two tokens'), (' te\n', 'expected two tokens'),
                       ('t e \n', 'expected two tokens'), ('t e\r\nte \r\n', 'merge 1'), ('t \re\n', 'merge 0'), ('\0 a\n', 'merge 0'), ('Ā Ā\nĀĀ \xff\xff\n', 'merge 1'),
                       ('a a\n' + ''.join('%s %s\n' % ('a' * 2 ** i, 'a' * 2 ** i) for i in range(1, 11)), 'longer than 1024 bytes'),
                       ('a a\n' + ''.join('%s %s\n' % ('a' * 2 ** i, 'a' * 2 ** i) for i in range(1, 14)), 'longer than 1024 bytes')):
        refused(folder, write(folder / 'merges.txt', text), says=says)
    refused(folder, write(folder / 'merges.txt', b'\xff\xfe\x00'), says='UTF-16')
    refused(folder, write(folder / 'merges.txt', b'\xff\xfd\x00'), says='merge 0')
    many = ''.join('%s %s\n' % (a, b) for a in vocab() for b in vocab())
    tool('import', write(folder / 'merges.txt', many), '-o', folder / 'out')  # 65536 of them
    (folder / 'out').unlink()
    if sanitized:
        return  # a million lines, for the last few of which there is no place
    triples = '\n'.join('%s %s' % (a + b, c) for a in vocab() for b in vocab() for c in list(vocab())[:17])
    refused(folder, write(folder / 'merges.txt', many + triples), says='over 1048576 merges')


def test_vocabularies_that_are_wrong(folder):
    merges = write(folder / 'merges.txt', '#version: 0.2\nt e\nte e\n')
    good = vocab('te', 'tee', '<|endoftext|>')

    def case(value, says, files=2):
        text = value if isinstance(value, (bytes, str)) else json.dumps(value)
        refused(folder, *[write(folder / 'vocab.json', text), merges][:files], says=says)

    tool('import', write(folder / 'vocab.json', json.dumps(good)), merges, '-o', folder / 'good')
    assert (folder / 'good').read_bytes() == tokens.file_of(tokens.pack(bad_tokens.MERGES[:2], [b'<|endoftext|>']))
    tool('import', write(folder / 'vocab.json', json.dumps({t: i + 1 for t, i in vocab('te', 'tee').items()} | {'<s>': 0})), merges, '-o', folder / 'good')
    assert (folder / 'good').read_bytes() == tokens.file_of(tokens.pack(bad_tokens.MERGES[:2], [b'<s>'], 1))
    case(good, 'merges.txt is missing', files=1)
    case('{', 'not JSON')
    case('{"a": 1, "a": 2}', 'not JSON')
    case('{"a": ' * 5000, 'not JSON')
    case(b'{"\xff": 1}', 'not JSON')
    case(json.dumps(good)[:-5], 'not JSON')
    case('{}', 'lacks a byte')
    case({t: i for t, i in good.items() if t != 'a'}, 'lacks a byte')
    case({t: i for t, i in good.items() if t != 'tee'}, 'lacks a byte')
    case({**good, 'te': 257, 'tee': 256}, 'not numbered in the order')
    case({**good, 'a': 65}, 'not numbered in the order')
    case({**good, 'a': -1}, 'not numbered in the order')
    case({**good, 'a': 2 ** 62}, 'not numbered in the order')
    case({'a': -2 ** 63}, 'not numbered in the order')
    case({**good, 'a': 'b'}, 'not an integer')
    case({**good, 'x y': 2 ** 40}, 'more than 256 tokens')
    case({**good, 'x y': -5}, 'special')
    case({**good, 'x y': 100}, 'special')
    case({**good, 'x y': 258}, 'twice')
    case({**good, 'x y': 260}, 'gap')
    case({**good, 'x' * 256: 259}, 'longer than 255 bytes')
    case({**good, 'a\x1b': 259}, 'control character')
    case({**good, '': 259}, 'gap')
    case({**good, 'ĠĠ\x20': 259, **{'s%d' % i: 260 + i for i in range(300)}}, 'more than 256 tokens')


def test_tokenizer_json_that_is_wrong(folder):
    def made(**more):
        whole = {'added_tokens': [{'id': 258, 'content': '<|endoftext|>'}], 'normalizer': None,
                 'pre_tokenizer': {'type': 'ByteLevel', 'add_prefix_space': False, 'use_regex': True},
                 'model': {'type': 'BPE', 'vocab': vocab('te', 'tee'), 'merges': [['t', 'e'], 'te e'], 'unk_token': None, 'byte_fallback': False}}
        for key, value in more.items():
            where, _, inner = key.partition('__')
            if inner:
                whole[where][inner] = value
            else:
                whole[where] = value
        return write(folder / 'tokenizer.json', json.dumps(whole))

    for more in ({}, {'model__vocab': vocab('te', 'tee', '<|endoftext|>')}, {'model__merges': ['t e', ['te', 'e']]}):
        tool('import', made(**more), '-o', folder / 'good')
        assert (folder / 'good').read_bytes() == tokens.file_of(tokens.pack(bad_tokens.MERGES[:2], [b'<|endoftext|>'])), more
    for says, more in (('not of type BPE', {'model__type': 'WordPiece'}), ("'unk_token'", {'model__unk_token': '<unk>'}), ("'byte_fallback'", {'model__byte_fallback': True}),
                       ("'dropout'", {'model__dropout': 0.1}), ("'ignore_merges'", {'model__ignore_merges': True}), ('normalizer', {'normalizer': {'type': 'NFC'}}),
                       ('pre_tokenizer', {'pre_tokenizer': None}), ('pre_tokenizer', {'pre_tokenizer__type': 'Metaspace'}),
                       ('pre_tokenizer', {'pre_tokenizer__add_prefix_space': True}), ('pre_tokenizer', {'pre_tokenizer__use_regex': False}),
                       ('no vocabulary', {'model__vocab': []}), ('no list of merges', {'model__merges': {}}), ('neither a string', {'model__merges': [['t', 'e', 'e']]}),
                       ('neither a string', {'model__merges': [1]}), ('neither made', {'model__vocab': vocab('te', 'tee', 'xyz')}),
                       ('strips spaces', {'added_tokens': [{'id': 258, 'content': 'x y', 'lstrip': True}]}),
                       ('without content', {'added_tokens': [{'id': 258}]}), ('without content', {'added_tokens': [{'content': 'x y'}]}),
                       ('another number', {'added_tokens': [{'id': 64, 'content': 'a'}]}),
                       ('twice', {'added_tokens': [{'id': 258, 'content': 'x y'}, {'id': 258, 'content': 'z z'}]})):
        refused(folder, made(**more), says=says)
    refused(folder, made(), write(folder / 'merges.txt', 't e\n'), says='one file too many')
    refused(folder, write(folder / 'x', 't e\n'), write(folder / 'merges.txt', 't e\n'), says='one file too many')
    whole = made().read_bytes()
    for n in range(1, len(whole), 97):
        refused(folder, write(folder / 'tokenizer.json', whole[:n]))


def test_tokenizer_files_that_are_bad(folder):
    """The offsets are those of the golden files of the same rules, 16 bytes on."""
    for status, offset, what, section, vocab_size in bad_tokens.cases():
        if what == 'past_the_vocabulary':
            continue  # here the vocabulary is the tokenizer's
        path = write(folder / 'bad.smoltok', tokens.file_of(bytes(section)))
        line = tool('encode', path, code=1).stderr.decode()
        assert line.startswith('smoltool tokenizer: %s: byte %d: ' % (path, 16 + offset)) and line.count('\n') == 1, (what, offset, line)
    good = tokens.file_of(bad_tokens.GOOD)
    for n in range(1, len(good)):
        path.write_bytes(good[:n])
        assert b'byte ' in tool('encode', path, code=1).stderr
        flipped = bytearray(good)
        flipped[n] ^= 0x10
        path.write_bytes(flipped)
        assert b'byte ' in tool('encode', path, code=1).stderr, n
    path.write_bytes(good)
    assert encode(path, b'te') == [256]
    path.write_bytes(b'')
    tool('encode', path, code=1)
    tool('encode', folder / 'none', code=1)


def test_numbers_that_are_wrong(folder):
    path = write(folder / 'a.smoltok', tokens.file_of(bad_tokens.GOOD))
    for text in (b'261', b'-1', b'1 x', b'4294967296', b'99999999999999999999', b'1,2', b'1\0 2'):
        tool('decode', path, input=text, code=1)
    assert decode(path, [256, 259, 260]) == b'te<|endoftext|>[x]'
    assert tool('decode', path, input=b'').stdout == b''


def test_usage(folder):
    path = write(folder / 'a.smoltok', tokens.file_of(bad_tokens.GOOD))
    for bad in ([], ['nonsense'], ['encode'], ['encode', path, path, path], ['import', '-o', 'x'], ['import', path], ['train', path, '-o', 'x'],
                ['train', '--vocab', '256', path, '-o', folder / 'x'], ['train', '--vocab', '-1', path, '-o', folder / 'x'],
                ['train', '--vocab', '1048834', path, '-o', folder / 'x'], ['encode', path, '-o', 'x'], ['import', '--vocab', '300', path, '-o', 'x']):
        tool(*bad, code=2)
    run(smoltool, 'new', '--tokenizer', path, '--vocab', '260', '-o', folder / 'x', code=2)
    run(smoltool, 'new', '--tokenizer', root / 'SPEC.md', '-o', folder / 'x', code=1)
    run(smoltool, 'new', '--layers', '1', '--width', '2', '--heads', '1', '-o', folder / 'bytes.smol')
    assert b'its tokens are bytes' in tool('import', folder / 'bytes.smol', '-o', folder / 'x', code=1).stderr
    assert encode(folder / 'bytes.smol', b'ab') == [97, 98]
    assert not (folder / 'x').exists()
