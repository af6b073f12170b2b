"""smolrun with deltas: what they are run with is given or found by its hash, anything else is refused; trust, reports, files that change."""
import json
import os
import shutil
import subprocess
import time

import pytest
from programs import keys, root, run, sanitized, smolrun, tool

golden = root / 'tests/golden'
PLAIN, OTHER, LORA, SUM, MIX, SIGNED = (golden / p for p in ('good/embed-f32.smol', 'good/smol.smol', 'deltas/lora.smol', 'deltas/sum.smol', 'deltas/mix.smol', 'deltas/lora-signed.smol'))
SECOND = golden / 'deltas/other-model.smol'


def stated(path):
    """The hash that a file states, as messages have it."""
    data = path.read_bytes()
    body = int.from_bytes(data[16:24], 'little')
    return data[body:body + 8].hex()


def text(*arguments, env=None, **more):
    return json.loads(run(smolrun, *arguments, '-p', '', '-n', '5', '-s', '1', '--json', env=env, **more).stdout)


def refused(*parts, arguments, code=1, **more):
    done = run(smolrun, *arguments, '-p', '', '-n', '1', code=code, **more)
    lines = done.stderr.decode().splitlines()
    assert done.stdout == b'' and len(lines) == (2 if code == 2 else 1), lines
    assert lines[0].startswith('smolrun: ') and all(str(p) in lines[0] for p in parts), (lines, parts)


def without_bases(folder):
    return {**os.environ, 'SMOL_BASES': str(folder / 'nowhere')}


def test_where_a_base_is_found(folder):
    """Given, in a folder that is named, in that of the environment, in the default one, and beside the delta: the same text."""
    env = without_bases(folder)
    want = text(LORA, '--base', PLAIN, env=env)
    assert want['model']['architecture'] == 'delta' and want['model']['factor'] == 1
    part, = want['model']['parts']
    assert part['path'] == str(PLAIN) and part['hash'].startswith(stated(PLAIN)) and part['factor'] == 1 and part['architecture'] == 'gpt2'
    assert text(LORA, '--bases-dir', golden / 'good', env=env)['text'] == want['text']
    assert text(LORA, env={**env, 'SMOL_BASES': str(golden / 'good')})['text'] == want['text']
    bases = folder / 'home/.local/share/smol/bases'
    bases.mkdir(parents=True)
    shutil.copy(PLAIN, bases / 'any name.smol')
    home = {k: v for k, v in env.items() if k not in ('SMOL_BASES', 'XDG_DATA_HOME')}
    assert text(LORA, env={**home, 'HOME': str(folder / 'home')})['text'] == want['text']
    assert text(LORA, env={**home, 'HOME': '/', 'XDG_DATA_HOME': str(folder / 'home/.local/share')})['text'] == want['text']
    shutil.copy(LORA, folder / 'd.smol')
    shutil.copy(PLAIN, folder / 'b.smol')
    assert text(folder / 'd.smol', env=env)['text'] == want['text']
    assert json.loads(run(smolrun, 'd.smol', '-p', '', '-n', '5', '-s', '1', '--json', env=env, cwd=folder).stdout)['text'] == want['text']
    lines = run(smolrun, 'd.smol', '-p', '', '-n', '1', env=env, cwd=folder).stderr.decode()
    assert 'model ./b.smol, 640 bytes, hash %s..., times 1\n' % stated(PLAIN) in lines


def test_a_folder_of_anything(folder):
    """Thousands of files, pipes, links, folders, what cannot be read: none holds the search up."""
    bases = folder / 'bases'
    bases.mkdir()
    for i in range(3000):
        (bases / ('%d.smol' % i)).write_bytes(b'x' * (i % 90))
    os.mkfifo(bases / 'a-pipe.smol')
    (bases / 'loop.smol').symlink_to('loop.smol')
    (bases / 'gone.smol').symlink_to('nothing')
    (bases / 'zero.smol').symlink_to('/dev/zero')
    (bases / 'folder.smol').mkdir()
    (bases / 'huge.smol').write_bytes(PLAIN.read_bytes()[:16] + b'\xff' * 100)
    (bases / 'secret.smol').write_bytes(PLAIN.read_bytes())
    (bases / 'secret.smol').chmod(0)
    (bases / 'no-model').write_bytes(PLAIN.read_bytes())
    env = without_bases(folder)
    if os.geteuid() != 0:
        refused(stated(PLAIN), arguments=[LORA, '--bases-dir', bases], env=env)
    (bases / 'secret.smol').unlink()
    refused('lora.smol: changes model %s, which was not given and is not in %s' % (stated(PLAIN), bases), arguments=[LORA, '--bases-dir', bases], env=env)
    (bases / 'there.smol').symlink_to(PLAIN)
    assert text(LORA, '--bases-dir', bases, env=env)['text'] == text(LORA, '--base', PLAIN)['text']


def test_what_is_refused(folder):
    env = without_bases(folder)
    refused('smol.smol: is model %s, but lora.smol changes model %s' % (stated(OTHER), stated(PLAIN)), arguments=[LORA, '--base', OTHER], env=env)
    refused('mix.smol: is delta %s, but lora.smol changes model %s' % (stated(MIX), stated(PLAIN)), arguments=[LORA, '--base', MIX], env=env)
    refused('other-model.smol: is model', arguments=[LORA, '--base', PLAIN, '--base', SECOND], env=env)
    refused('smol.smol: is model %s, but lora.smol' % stated(OTHER), arguments=[OTHER, '--delta', LORA], env=env)
    refused('no delta', arguments=[PLAIN, '--base', OTHER], env=env)
    refused('smol.smol: is no delta', arguments=[PLAIN, '--delta', OTHER], env=env)
    refused('gone.smol', arguments=[LORA, '--base', folder / 'gone.smol'], env=env)
    shutil.copy(SUM, folder / 'sum.smol')
    refused('sum.smol: changes delta %s, which was not given' % stated(LORA), arguments=[folder / 'sum.smol', '--base', PLAIN], env=env)
    refused('2^60', arguments=[LORA, '--base', PLAIN, '--delta', '%s=1e30' % SIGNED], code=2, env=env)
    refused('sum of deltas', arguments=[LORA, '--base', PLAIN, '--delta', SUM], env=env)
    damaged = folder / 'damaged.smol'
    damaged.write_bytes(PLAIN.read_bytes()[:300] + b'\1' + PLAIN.read_bytes()[301:])
    refused('damaged.smol: byte', arguments=[LORA, '--base', damaged], env=env)
    refused('damaged.smol: byte', arguments=[LORA, '--bases-dir', folder], env=env)
    for start in range(0, len(LORA.read_bytes()), 61):
        (folder / 'cut').write_bytes(LORA.read_bytes()[:start])
        refused('cut', arguments=[folder / 'cut', '--base', PLAIN], env=env)


def test_deltas_that_are_added(folder):
    """To a delta and to a model; a factor of 0 leaves nothing of them."""
    plain, lora = text(PLAIN)['tokens'], text(LORA, '--base', PLAIN)
    assert text(PLAIN, '--delta', LORA)['tokens'] == lora['tokens']
    assert text(PLAIN, '--delta', '%s=0' % LORA)['tokens'] == plain
    both = text(PLAIN, '--delta', '%s=-0.5' % LORA, '--delta', '%s=2' % SIGNED)
    assert [(p['path'], p['factor']) for p in both['model']['parts']] == [(str(PLAIN), 1), (str(LORA), -0.5)]
    assert both['model']['path'] == str(SIGNED) and both['model']['factor'] == 2
    assert text(SUM, '--base', PLAIN, '--delta', '%s=3' % LORA)['model']['parts'][1]['factor'] == 3
    name = folder / 'x=2'
    shutil.copy(LORA, name)
    assert text(PLAIN, '--delta', name)['tokens'] == lora['tokens']
    assert b'no such' in run(smolrun, PLAIN, '--delta', folder / 'y=z', code=1).stderr.lower()
    assert b'|' in run(smolrun, '--bench', LORA, '--base', PLAIN, '-p', '2', '-n', '2', '-r', '1', '-t', '1').stdout


def test_trust(folder):
    """What is demanded is a signature of the delta, which stands for what it names, and of each that is added."""
    keys(folder, 'a', 'b')
    mine, other = folder / 'mine.smol', folder / 'other.smol'
    for to, source, key in ((mine, LORA, 'a'), (other, golden / 'deltas/nothing.smol', 'b')):
        shutil.copy(source, to)
        tool('sign', '-k', folder / (key + '.key'), to)
    demand = ['--base', PLAIN, '--trust', folder / 'a.pub']
    text(mine, *demand)
    text(PLAIN, '--delta', mine, '--trust', folder / 'a.pub')
    refused('lora.smol', arguments=[LORA, *demand])
    refused('other.smol', arguments=[mine, *demand, '--delta', other])
    refused('other.smol', arguments=[other, *demand])
    refused('nothing.smol', arguments=[mine, *demand, '--delta', golden / 'deltas/nothing.smol'])


@pytest.mark.skipif(sanitized, reason='a process that reads its input slowly')
def test_base_changes_meanwhile(folder):
    """Written into while it runs: told at the end, with exit code 1."""
    base = folder / 'base.smol'
    shutil.copy(PLAIN, base)
    with subprocess.Popen([smolrun, str(LORA), '--base', str(base), '-n', '2'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        time.sleep(0.3)
        os.utime(base)
        with open(base, 'r+b') as f:
            f.write(PLAIN.read_bytes()[:8])
        err = p.communicate(b'\1', timeout=60)[1].decode()
        assert p.returncode == 1 and 'base.smol: the file changed' in err, err
