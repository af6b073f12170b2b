"""Text from other programs and editors: byte-order marks, line ends, white space before it, and UTF-16, which is refused."""
import gzip
import json

import gpt2_files
import tokens
from key_files import key_pair

from programs import run, smolrun, smoltool, smoltrain, tiny_model, tool, tool_text, write

MARK = b'\xef\xbb\xbf'
MERGES = '#version: 0.2\nt h\nth e\nĠ the\n'


def vocabulary():
    letters = gpt2_files.byte_letters()
    return json.dumps({**{letters[b]: i for i, b in enumerate(tokens.ORDER)}, 'th': 256, 'the': 257, 'Ġthe': 258, '<|endoftext|>': 259})


def tokenizer():
    return json.dumps({'model': {'type': 'BPE', 'vocab': json.loads(vocabulary()), 'merges': MERGES.splitlines()[1:]},
                       'pre_tokenizer': {'type': 'ByteLevel', 'add_prefix_space': False}, 'added_tokens': [{'id': 259, 'content': '<|endoftext|>'}]})


def forms(text):
    """The same text as other systems and editors leave it; what of it a program may not take at all."""
    data = text.encode()
    windows = data.replace(b'\n', b'\r\n')
    return [windows, MARK + data, MARK + windows, data.replace(b'\n', b'\r'), b'\n' + data, b' \t\r\n\n' + windows, MARK + b'\r\n' + data, data.rstrip(b'\n')]


def refused(text, path, words):
    """UTF-16 of either order, with its mark: one line that names the file."""
    for order, mark in (('le', b'\xff\xfe'), ('be', b'\xfe\xff')):
        write(path, mark + text.encode('utf-16-' + order))
        done = run(*words, code=1, text=True)
        assert done.stderr.count('\n') == 1 and str(path) in done.stderr and 'UTF-16' in done.stderr, done.stderr


def imported(folder, *files):
    tool('tokenizer', 'import', *files, '-o', folder / 't.smoltok')
    return (folder / 't.smoltok').read_bytes()


def test_tokenizers(folder):
    merges, vocab, whole = (folder / name for name in ('merges.txt', 'vocab.json', 'tokenizer.json'))
    write(merges, MERGES), write(vocab, vocabulary()), write(whole, tokenizer())
    expected = tokens.file_of(tokens.pack([(tokens.ORDER.index(ord('t')), tokens.ORDER.index(ord('h'))), (256, tokens.ORDER.index(ord('e'))),
                                           (tokens.ORDER.index(ord(' ')), 257)], [b'<|endoftext|>']))
    assert imported(folder, merges) == imported(folder, vocab, merges) == imported(folder, whole) == expected
    for form in forms(MERGES):
        write(merges, form)
        assert imported(folder, merges) == imported(folder, vocab, merges) == expected, form
    for form in forms(json.dumps(json.loads(vocabulary()), indent=1)):
        write(vocab, form)
        assert imported(folder, vocab, merges) == imported(folder, merges, vocab) == expected, form[:9]
    for form in forms(json.dumps(json.loads(tokenizer()), indent=1)):
        write(whole, form)
        assert imported(folder, whole) == expected, form[:9]
    write(whole, MARK + b'\n {"model": ,}')
    assert 'byte 16' in tool_text('tokenizer', 'import', whole, '-o', folder / 'x', code=1).stderr
    write(merges, MERGES), write(vocab, vocabulary())
    for path, text, files in ((merges, MERGES, [merges]), (vocab, vocabulary(), [vocab, merges]), (whole, tokenizer(), [whole])):
        before = path.read_bytes()
        refused(text, path, [smoltool, 'tokenizer', 'import', *files, '-o', folder / 'x'])
        write(path, before)
    assert not (folder / 'x').exists()


def test_numbers_of_tokens(folder):
    write(folder / 'merges.txt', MERGES)
    imported(folder, folder / 'merges.txt')
    for form in forms('39 40\n 256\n'):
        done = tool('tokenizer', 'decode', folder / 't.smoltok', write(folder / 'n', form))
        assert done.stdout == bytes([tokens.ORDER[39], tokens.ORDER[40]]) + b'th', form
    write(folder / 'n', MARK + b'39 x')
    assert 'byte 6' in tool_text('tokenizer', 'decode', folder / 't.smoltok', folder / 'n', code=1).stderr


def test_points(folder):
    points, drawn = folder / 'points', folder / 'f.svg'
    text = '# a triangle\n0 0\n4 0\n\n4 3\n1 2\n'

    def fit():
        tool('elephant', '--fit', points, '-k', '3', '-o', drawn)
        return drawn.read_bytes()
    write(points, text)
    expected = fit()
    for form in forms(text) + forms('0 0\n4 0\n4 3\n1 2'):
        write(points, form)
        assert fit() == expected, form
    write(points, MARK + b'0 0\r\n4 0\r\n4 x\r\n')
    assert 'line 3' in tool_text('elephant', '--fit', points, '-o', folder / 'x.svg', code=1).stderr
    write(points, b'0 0\r4\r0 4 3\r')
    assert 'line 2' in tool_text('elephant', '--fit', points, '-o', folder / 'x.svg', code=1).stderr
    refused(text, points, [smoltool, 'elephant', '--fit', points, '-o', folder / 'x.svg'])


def test_rules(folder):
    rules, data = folder / 'rules', write(folder / 'data', b'a text of letters ' * 60)
    text = json.dumps([{'tensors': 'h.*.attn.*', 'method': 'lora', 'rank': 2}], indent=1) + '\n'
    words = [smoltrain, '--data', data, '--arch', 'gpt2', '--method', 'embed', '--recipe', rules, '--layers', '1', '--width', '16', '--heads', '1', '--context', '8',
             '--batch', '2', '--steps', '1', '--eval-every', '0', '-t', '1', '-o', folder / 'm.smol']

    def train():
        run(*words)
        return (folder / 'm.smol').read_bytes()
    write(rules, text)
    expected = train()
    for form in forms(text):
        write(rules, form)
        assert train() == expected, form
    (folder / 'm.smol').unlink()
    refused(text, rules, words)
    assert not (folder / 'm.smol').exists()


def test_text_that_is_compressed(folder):
    """smoltrain reads it; where it would be taken for the text itself, it is refused, whatever its name."""
    text, small = write(folder / 'text', gzip.compress(b'a text of letters ' * 60)), tiny_model(folder)
    for words in ([smoltool, 'tokenizer', 'train', '--vocab', '300', text, '-o', folder / 'x'], [smolrun, small, '--perplexity', text],
                  [smoltool, 'quantize', '--embeddings', 'q4', '--text', text, small, '-o', folder / 'x']):
        done = run(*words, code=1, text=True)
        assert done.stderr.count('\n') == 1 and str(text) in done.stderr and 'compressed' in done.stderr and done.stdout == '', done
    assert not (folder / 'x').exists()


def test_logs(folder):
    data, log = write(folder / 'data', b'a text of letters ' * 60), folder / 'a.log'
    run(smoltrain, '--data', data, '--arch', 'gpt2', '--method', 'embed', '--layers', '1', '--width', '16', '--heads', '1', '--context', '8', '--batch', '2',
        '--steps', '2', '--eval-every', '0', '-t', '1', '-o', folder / 'm.smol', '--log', log)
    text = log.read_text()
    refused(text, log, [smoltool, 'plot', log, '-o', folder / 'x.svg'])


def test_keys(folder):
    """Keys without passwords, as minisign reads them: with a carriage return at the end of each line too."""
    public, secret, file = folder / 'k.pub', folder / 'k.key', write(folder / 'f', b'x')
    tool('keygen', '-W', '-p', public, '-s', secret)
    for path in (public, secret):
        text = path.read_text()
        data = text.encode()
        for form in (data.replace(b'\n', b'\r\n'), MARK + data, MARK + data.replace(b'\n', b'\r\n'), data.rstrip(b'\n'), data.rstrip(b'\n') + b'\r\n'):
            write(path, form)
            tool('sign', '--detached', '-k', secret, file)
            tool('verify', '--pubkey', public, file)
            (folder / 'f.minisig').unlink()
        refused(text, path, [smoltool, 'sign', '--detached', '-k', secret, file] if path == secret else [smoltool, 'verify', '--pubkey', public, folder / 'k.key'])
        write(path, data)


def test_passwords(folder):
    """Of a file that holds something else than the password, sign says so."""
    secret, word, file = write(folder / 'k.key', key_pair(b'pw')[0]), folder / 'word', write(folder / 'f', b'x')
    sign = ['sign', '--detached', '-k', secret, '--password-file', word, file]
    for form in (MARK + b'pw\r\n', MARK + b'pw'):
        write(word, form)
        tool(*sign)
        (folder / 'f.minisig').unlink()
    write(word, MARK + b' pw\n')
    assert 'password' in tool_text(*sign, code=1).stderr
    refused('pw\n', word, [smoltool, *sign])
