"""Who signed a file: detached signatures to and from Debian's minisign, everything spoilt refused, the trust folder, digests."""
import base64
import hashlib
import json
import os
import pathlib
import random
import shutil
import subprocess

import nacl.signing

from programs import keys, run, sanitized, smolrun, smoltool, tiny_model as model, tool

has_minisign = shutil.which('minisign') is not None


def refused(path, public, *more, says=b''):
    """One line on the standard error, and exit code 1."""
    done = tool('verify', '--pubkey', public, path, *more, code=1)
    assert done.stderr.count(b'\n') == 1 and says in done.stderr and b'signature  ok' not in done.stdout, done
    return done


def run_bytes(*words):
    """A command of smoltool whose arguments need not be UTF-8."""
    done = subprocess.run([smoltool, *(w if isinstance(w, bytes) else str(w) for w in words)], capture_output=True, timeout=60)
    assert done.returncode == 0, (words, done)
    return done


def random_files(folder, n):
    """Contents and names of all kinds; half of them models."""
    chance = random.Random(12)
    for i in range(n):
        path = folder / ('file %d-%s' % (i, chance.choice(('x', 'ä', "it's", '%s'))))
        if i % 2:
            model(folder, '--seed', str(chance.getrandbits(60)), name=path.name)
        else:
            path.write_bytes(chance.randbytes(chance.choice((1, 7, 64, 1000, chance.randrange(1, 2 << 20)))))
        yield path


# ---- minisign, both ways ----

def test_20_files_both_ways(folder, minisign):
    keys(folder, 'ours')
    run('minisign', '-G', '-W', '-p', folder / 'theirs.pub', '-s', folder / 'theirs.key')
    n = 0
    for path in random_files(folder, 20):
        beside = pathlib.Path(str(path) + '.minisig')
        for key in ('ours', 'theirs'):
            tool('sign', '--detached', '--key', folder / (key + '.key'), path)
            shown = run('minisign', '-V', '-p', folder / (key + '.pub'), '-m', path).stdout.decode()
            assert 'timestamp:' in shown and 'file:' + path.name in shown, shown
            assert 'file:' + path.name in tool('verify', '--pubkey', folder / (key + '.pub'), path).stdout.decode()
            for kind in ([], ['-l']):
                run('minisign', '-S', *kind, '-s', folder / (key + '.key'), '-m', path, '-t', 'round %d' % n)
                assert b'comment: round %d\n' % n in tool('verify', '--pubkey', folder / (key + '.pub'), path).stdout
                n += 1
        beside.unlink()
        refused(path, folder / 'ours.pub')
    assert n == 80


def test_longest_comments(folder):
    """What minisign itself reads of ours, and of one letter more that neither writes nor reads."""
    keys(folder, 'a')
    (folder / 'f').write_bytes(b'f')
    tool('sign', '--detached', '--key', folder / 'a.key', '-t', 'ü' * 4086 + 'x', '-c', 'c' * 1003, folder / 'f')
    assert b'\xc3\xbcx\n' in tool('verify', '--pubkey', folder / 'a.pub', folder / 'f').stdout
    if has_minisign:
        run('minisign', '-V', '-p', folder / 'a.pub', '-m', folder / 'f')
    before = (folder / 'f.minisig').read_bytes()
    for bad in (['-t', 'x' * 8174], ['-c', 'c' * 1004], ['-t', 'a\nb'], ['-t', 'a\x1b[2J'], ['-c', 'a\nb'], ['-t', b'\xff']):
        words = [smoltool, 'sign', '--detached', '--key', str(folder / 'a.key'), *bad, str(folder / 'f')]
        done = subprocess.run(words, capture_output=True, timeout=60)
        assert done.returncode == 2 and done.stderr.startswith(b'smoltool sign: --'), done
    assert (folder / 'f.minisig').read_bytes() == before
    tool('sign', '--key', folder / 'a.key', '-t', 'x', folder / 'f', code=2)


def test_any_name_can_be_signed(folder):
    """Names in the comment are one line of UTF-8 that can be shown, which minisign reads."""
    keys(folder, 'a')
    long = b'\xff' * 240
    for name, shown in ((b'a\nb', b'a\\x0ab'), (b'a\xff', b'a\\xff'), (b'a\tb', b'a\\x09b'), (b'\x1b[31m', b'\\x1b[31m'),
                        (b'\xc2\x9b1m', b'\\xc2\\x9b1m'), (b'\xed\xa0\x80', b'\\xed\\xa0\\x80'), (b'\xc3', b'\\xc3'),
                        ('ä€😀 %s'.encode(), 'ä€😀 %s'.encode()), (long, b'\\xff' * 240)):
        path = os.fsencode(folder) + b'/' + name
        with open(path, 'wb') as file:
            file.write(b'f')
        run_bytes('sign', '--detached', '--key', folder / 'a.key', path)
        assert b'\tfile:' + shown + b'\t' in run_bytes('verify', '--pubkey', folder / 'a.pub', path).stdout, name
        if has_minisign:
            out = subprocess.run(['minisign', '-V', '-p', str(folder / 'a.pub'), '-m', path], capture_output=True, timeout=60)
            assert out.returncode == 0 and shown in out.stdout, out


def test_odd_names(folder):
    """A name that would steer a terminal is shown escaped, and in JSON as it is."""
    keys(folder, 'a')
    m = model(folder, name='\x1b[31m\u009b\n.smol')
    tool('sign', '--detached', '--key', folder / 'a.key', '-t', 'odd', m)
    if has_minisign:
        run('minisign', '-V', '-p', folder / 'a.pub', '-m', m)
    for words, says in (([], b'not checked: '), (['--pubkey', folder / 'a.pub'], b' in ')):
        shown = tool('verify', m, *words).stdout
        assert says + os.fsencode(folder) + b'/\\x1b[31m\\u009b\\x0a.smol.minisig' in shown and b'\x1b' not in shown, shown
    found = json.loads(tool('verify', '--json', m, '--pubkey', folder / 'a.pub').stdout)
    assert found['detached'] == f'{folder}/\x1b[31m\u009b\n.smol.minisig'


# ---- what is spoilt ----

def test_every_changed_byte(folder):
    """Of the file, of the signature but its untrusted comment, and of the key."""
    keys(folder, 'a')
    path, public, spoilt_key = folder / 'f', folder / 'a.pub', folder / 's.pub'
    path.write_bytes(b'some twenty bytes...')
    beside = folder / 'f.minisig'
    tool('sign', '--detached', '--key', folder / 'a.key', '-t', 'note 1', '-c', 'x', path)
    tool('verify', '--pubkey', public, path)
    chance, n = random.Random(3), 0
    for target, free in ((path, range(0)), (beside, range(19, 20))):
        good = target.read_bytes()
        for at in range(len(good)):
            if at in free:
                continue
            spoilt = bytearray(good)
            spoilt[at] ^= chance.randrange(1, 256)
            target.write_bytes(spoilt)
            refused(path, public)
            n += 1
        for other in (good[:-2], good + b'x', good + b'\n', good[1:], b'\0' + good):
            target.write_bytes(other)
            refused(path, public)
        target.write_bytes(good)
        tool('verify', '--pubkey', public, path)
    assert n > 20 + 19 + 1 + 101 + 23 + 89
    letters = bytearray(public.read_text().splitlines()[1].encode())
    for at in range(len(letters)):
        spoilt = letters.copy()
        spoilt[at] = ord(chance.choice([c for c in 'ABCXYZabcxyz0123456789+/' if ord(c) != letters[at]]))
        spoilt_key.write_bytes(b'untrusted comment: x\n%s\n' % spoilt)
        refused(path, spoilt_key)


def test_every_changed_byte_of_a_model(folder):
    """A model that is signed beside itself: neither its checks nor the signature let anything through."""
    keys(folder, 'a')
    path = model(folder, '--vocab', '3', '--context', '2')
    good = path.read_bytes()
    tool('sign', '--detached', '--key', folder / 'a.key', path)
    tool('verify', '--pubkey', folder / 'a.pub', path)
    step = 7 if sanitized else 1
    for at in range(0, len(good), step):
        spoilt = bytearray(good)
        spoilt[at] ^= 1 << at % 8
        path.write_bytes(spoilt)
        refused(path, folder / 'a.pub')
    path.write_bytes(good)
    # Another good model under the same signature, and the same one signed anew.
    shutil.copy(model(folder, '--vocab', '3', '--context', '2', '--seed', '9', name='other'), path)
    refused(path, folder / 'a.pub', says=b'm.smol.minisig')
    path.write_bytes(good)
    keys(folder, 'b')
    tool('sign', '--key', folder / 'b.key', path)
    refused(path, folder / 'a.pub', says=b'm.smol.minisig')
    tool('verify', '--pubkey', folder / 'b.pub', path)


def test_wrong_key_algorithm_spelling(folder):
    keys(folder, 'a', 'b')
    path, beside = folder / 'f', folder / 'f.minisig'
    path.write_bytes(b'x' * 64)
    tool('sign', '--detached', '--key', folder / 'a.key', path)
    good = beside.read_text().split('\n')
    refused(path, folder / 'b.pub', says=b'signed by key')
    # The right number over another key.
    forged = bytearray(base64.b64decode((folder / 'b.pub').read_text().splitlines()[1]))
    forged[2:10] = base64.b64decode((folder / 'a.pub').read_text().splitlines()[1])[2:10]
    refused(path, base64.b64encode(forged).decode())

    def with_lines(**changed):
        lines = [changed.get('line%d' % i, line) for i, line in enumerate(good)]
        beside.write_bytes('\n'.join(lines).encode())
        return refused(path, folder / 'a.pub')

    box = base64.b64decode(good[1])
    assert box[:2] == b'ED'
    for algorithm in (b'Ed', b'eD', b'ed', b'\0\0', b'Sc'):
        with_lines(line1=base64.b64encode(algorithm + box[2:]).decode())
    letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
    assert good[1].endswith('=') and good[3].endswith('==')
    for number, at, spare in ((1, -2, 4), (3, -3, 16)):
        value = letters.index(good[number][at])
        assert value % spare == 0
        for more in range(1, spare):
            other = good[number][:at] + letters[value + more] + good[number][at + 1:]
            assert base64.b64decode(other) == base64.b64decode(good[number])
            with_lines(**{'line%d' % number: other})
        for other in (good[number].rstrip('='), good[number] + '=', good[number] + ' ', ' ' + good[number], good[number] + 'AAAA',
                      good[number][:40] + '\n' + good[number][40:], good[number][:40] + ' ' + good[number][40:], '',
                      good[number].rstrip('=') + '%3D'):
            with_lines(**{'line%d' % number: other})
    with_lines(line0='Untrusted comment: x')
    with_lines(line2='trusted comment:' + good[2][17:])
    with_lines(line2='trusted comment: ')
    with_lines(line2=good[2] + ' ')
    with_lines(line2=good[2] + '\r\r')
    beside.write_bytes('\r\n'.join(good).encode())
    tool('verify', '--pubkey', folder / 'a.pub', path)


def test_forged_hash_and_file(folder):
    """A signature of a file's hash as a file, made by hand, is none of that file's own, nor the other way round; one with a
    control character in its comment is refused though it verifies."""
    secret = nacl.signing.SigningKey(bytes(range(32)))
    number = b'12345678'
    public = base64.b64encode(b'Ed' + number + bytes(secret.verify_key)).decode()
    path, hashed = folder / 'f', folder / 'h'
    path.write_bytes(b'the file')
    hashed.write_bytes(hashlib.blake2b(b'the file').digest())

    def sign(target, algorithm, message, comment=b'c'):
        signature = secret.sign(message).signature
        lines = [b'untrusted comment: x', base64.b64encode(algorithm + number + signature), b'trusted comment: ' + comment,
                 base64.b64encode(secret.sign(signature + comment).signature)]
        pathlib.Path(str(target) + '.minisig').write_bytes(b'\n'.join(lines) + b'\n')

    sign(path, b'ED', hashed.read_bytes())
    tool('verify', '--pubkey', public, path)
    sign(path, b'Ed', b'the file')
    tool('verify', '--pubkey', public, path)
    for algorithm, message in ((b'Ed', hashed.read_bytes()), (b'ED', b'the file'), (b'ED', b''), (b'Ed', b'')):
        sign(path, algorithm, message)
        refused(path, public)
    sign(path, b'ED', hashed.read_bytes(), 'schöne Grüße\t1'.encode())
    assert 'schöne Grüße\t1\n'.encode() in tool('verify', '--pubkey', public, path).stdout
    for comment in (b'\x1b[2J', b'a\x7fb', b'\xff', b'\xc2\x9b2J', b'a\0b', b'a\x0bb'):
        sign(path, b'ED', hashed.read_bytes(), comment)
        refused(path, public)


# ---- whom one trusts ----

def test_which_signature_counts(folder):
    """In the model or beside it; --signature alone if it is given; nothing at all is no signature."""
    keys(folder, 'a', 'b')
    path = model(folder)
    a, b = folder / 'a.pub', folder / 'b.pub'
    refused(path, a, says=b'not signed')
    tool('sign', '--detached', '--key', folder / 'b.key', path, '-o', folder / 'elsewhere')
    refused(path, b, says=b'not signed')
    tool('verify', '--pubkey', b, '--signature', folder / 'elsewhere', path)
    refused(path, a, '--signature', folder / 'elsewhere', says=b'elsewhere: signed by key')
    tool('sign', '--key', folder / 'a.key', path)
    tool('verify', '--pubkey', a, path)
    refused(path, b, says=b'signed by key')
    refused(path, a, '--signature', folder / 'elsewhere')
    refused(path, a, '--signature', folder / 'none', says=b'none')
    tool('sign', '--detached', '--key', folder / 'b.key', path)
    found = json.loads(tool('verify', '--json', '--pubkey', b, path).stdout)
    assert found['detached'] == str(path) + '.minisig' and found['trusted_comment'].startswith('timestamp:') and found['demanded']
    assert json.loads(tool('verify', '--json', '--pubkey', a, path).stdout)['detached'] is None
    (folder / 'm.smol.minisig').write_bytes(b'no signature')
    refused(path, b, says=b'm.smol.minisig')
    assert json.loads(tool('verify', '--json', '--pubkey', b, path, code=1).stdout)['status'] == 'SMOL_E_KEY'
    tool('verify', '--pubkey', a, path)
    (folder / 'text').write_bytes(b'not a model')
    refused(folder / 'text', a, says=b'not a .smol file')
    for bad in (['--pubkey', a, '--trusted'], ['--signature', folder / 'elsewhere']):
        tool('verify', *bad, path, code=2)


def test_trust_folder(folder):
    keys(folder, 'a', 'b', 'c')
    path, config = model(folder), folder / 'config'
    trusted = config / 'smol/trusted'
    text = [smolrun, path, '-p', 'a', '-n', '2', '-s', '1']

    def attempts(code, says=b'', **environment):
        environment = {**{k: v for k, v in os.environ.items() if k not in ('HOME', 'XDG_CONFIG_HOME')}, **environment}
        for words in ([smoltool, 'verify', '--trusted', path], [*text, '--trusted']):
            done = run(*words, code=code, env=environment)
            assert code == 0 or says in done.stderr and done.stderr.count(b'\n') == 1, done
            assert code == 0 or words[0] == smoltool or done.stdout == b''

    here = {'XDG_CONFIG_HOME': str(config)}
    attempts(1, b'smol/trusted', **here)
    trusted.mkdir(parents=True)
    (trusted / 'readme').write_text('none of these is a key')
    (trusted / '.hidden.pub').write_text('nor is this')
    attempts(1, b'no key', **here)
    shutil.copy(folder / 'a.pub', trusted)
    attempts(1, b'not signed', **here)
    tool('sign', '--key', folder / 'b.key', path)
    attempts(1, b'signed by key', **here)
    shutil.copy(folder / 'c.pub', trusted)
    attempts(1, b'which is not trusted', **here)
    shutil.copy(folder / 'b.pub', trusted)
    attempts(0, **here)
    (trusted / 'b.pub').unlink()
    tool('sign', '--detached', '--key', folder / 'c.key', path)
    attempts(0, **here)
    run(*text, '--trust', folder / 'c.pub')
    run(*text, '--trust', (folder / 'c.pub').read_text().splitlines()[1])
    assert json.loads(run(*text, '--trust', folder / 'c.pub', '--json').stdout)['model']['signed'] is True
    assert b'signed by key' in run(*text, '--trust', folder / 'a.pub', code=1).stderr
    (folder / '.config').symlink_to(config)
    attempts(0, HOME=str(folder))
    attempts(0, HOME=str(folder), XDG_CONFIG_HOME='')
    attempts(0, HOME=str(folder), XDG_CONFIG_HOME='relative/is/ignored')
    attempts(1, b'HOME')
    # Another's key under the number of c: it neither counts nor stands in the way.
    forged = bytearray(base64.b64decode((folder / 'b.pub').read_text().splitlines()[1]))
    forged[2:10] = base64.b64decode((folder / 'c.pub').read_text().splitlines()[1])[2:10]
    for name in ('0.pub', 'd.pub', 'z.pub'):
        (trusted / name).write_bytes(b'untrusted comment: x\n' + base64.b64encode(forged) + b'\n')
    attempts(0, **here)
    (trusted / 'c.pub').rename(trusted / 'c')
    attempts(1, b'm.smol.minisig: the signature does not match this file and key', **here)
    (trusted / 'spoilt.pub').write_text('untrusted comment: x\nno key\n')
    attempts(1, b'spoilt.pub', **here)
    for bad in (['--trusted', '--check', 'fast'], ['--trusted', '--trust', folder / 'a.pub']):
        run(*text, *bad, code=2)


# ---- digests ----

def test_digest(folder):
    paths = [folder / name for name in ('b', 'a ü', 'new\nline', 'back\\slash')]
    for i, path in enumerate(paths):
        path.write_bytes(random.Random(i).randbytes(1000 * i + 1))
    lines = tool('digest', *paths).stdout
    assert run('b2sum', '-c', '-', input=lines).stdout.count(b': OK\n') == 4
    assert lines == run('b2sum', *paths).stdout
    tool('digest', '--oms', '--name', 'a model', '-o', folder / 'oms', *paths)
    found = json.loads((folder / 'oms').read_text())
    hashes = {p.name: hashlib.blake2b(p.read_bytes()) for p in paths}
    names = sorted(hashes)
    root = hashlib.sha256(b''.join(hashes[n].digest() for n in names)).hexdigest()
    assert found == {
        '_type': 'https://in-toto.io/Statement/v1', 'subject': [{'name': 'a model', 'digest': {'sha256': root}}],
        'predicateType': 'https://model_signing/signature/v1.0',
        'predicate': {'serialization': {'method': 'files', 'hash_type': 'blake2b', 'allow_symlinks': True},
                      'resources': [{'name': n, 'algorithm': 'blake2b', 'digest': hashes[n].hexdigest()} for n in names]}}
    assert json.loads(tool('digest', '--oms', paths[0]).stdout)['subject'][0]['name'] == 'b'
    (folder / 'sub').mkdir()
    shutil.copy(paths[0], folder / 'sub')
    tool('digest', '--oms', paths[0], folder / 'sub/b', code=1)
    tool('digest', folder / 'none', paths[0], code=1)
    tool('digest', code=2)
    tool('digest', '--name', 'x', paths[0], code=2)
