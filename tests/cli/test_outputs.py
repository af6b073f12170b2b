"""Where outputs go, whichever program and option writes them: through links, over files with a mode and an owner, to devices and
pipes; and nothing is destroyed or half written."""
import json
import os
import stat
import subprocess

import pytest

from programs import keys, run, smoltool, smoltrain, tiny_model, tool, write

TEXT = b'Whan that Aprille with his shoures soote, the droghte of March hath perced to the roote. ' * 40
SMALL = ['--method', 'embed', '--arch', 'gpt2', '--layers', '1', '--width', '16', '--heads', '1', '--context', '8', '--batch', '2', '--steps', '2',
         '--eval-every', '0', '-t', '1']
FILES = {'text': TEXT, 'points': b'0 0\n1 0\n1 1\n0 1\n'}


def train(folder, *more, **how):
    return run(smoltrain, '--data', folder / 'text', *SMALL, *more, **how)


def given(folder):
    """What the commands below read."""
    tiny_model(folder, name='in.smol')
    tool('export', '--gguf', folder / 'in.smol', '-o', folder / 'in.gguf')
    keys(folder, 'k')
    tool('tokenizer', 'train', '--vocab', '300', folder / 'text', '-o', folder / 'in.smoltok')
    tiny_model(folder, '--tokenizer', folder / 'in.smoltok', name='words.smol')


def writers(folder):
    """Every command that writes a file of its own, with what precedes the name of the output."""
    model, key = folder / 'in.smol', folder / 'k.key'
    return {
        'new': [smoltool, 'new', '--layers', '1', '--width', '16', '--heads', '1', '--context', '8', '-o'],
        'import': [smoltool, 'import', folder / 'in.gguf', '-o'],
        'sign': [smoltool, 'sign', '-k', key, model, '-o'],
        'sign --detached': [smoltool, 'sign', '--detached', '-k', key, model, '-o'],
        'digest': [smoltool, 'digest', model, '-o'],
        'weights': [smoltool, 'weights', model, 'wte.weight', '-o'],
        'export --gguf': [smoltool, 'export', '--gguf', model, '-o'],
        'merge': [smoltool, 'merge', model, '-o'],
        'embed-c': [smoltool, 'embed-c', model, '-o'],
        'quantize': [smoltool, 'quantize', '--embeddings', 'q8', model, '-o'],
        'tokenizer train': [smoltool, 'tokenizer', 'train', '--vocab', '300', folder / 'text', '-o'],
        'tokenizer import': [smoltool, 'tokenizer', 'import', folder / 'words.smol', '-o'],
        'pack': [smoltool, 'pack', '-m', model, 'to be', '-o'],
        'generate-vectors': [smoltool, 'generate-vectors', '-o'],
        'keygen --public': [smoltool, 'keygen', '-W', '-f', '-s', folder / 'x.key', '-p'],
        'elephant': [smoltool, 'elephant', '-o'],
    }


def pictures(folder):
    train(folder, '-o', folder / 'p.smol', '--log', folder / 'p.log')
    return {'plot': [smoltool, 'plot', folder / 'p.log', '-o']}


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


# ---- links ----

def test_every_writer_follows_links(folder):
    given(folder)
    (folder / 'd').mkdir()
    for i, (name, command) in enumerate(writers(folder).items()):
        real, link, later = folder / 'd' / ('%d.svg' % i), folder / ('link%d.svg' % i), folder / ('later%d.svg' % i)
        real.write_bytes(b'old')
        link.symlink_to('d/%d.svg' % i)
        later.symlink_to('d/later%d.svg' % i)  # to nothing yet
        run(*command, link)
        run(*command, later)
        assert link.is_symlink() and later.is_symlink(), name
        assert not real.is_symlink() and real.read_bytes() not in (b'old', b''), name
        assert (folder / 'd' / ('later%d.svg' % i)).stat().st_size > 0, name
        (folder / 'x.key').unlink(missing_ok=True)
    assert not list(folder.glob('**/*.tmp-*'))


def test_plots_follow_links(folder, gnuplot):
    for command in pictures(folder).values():
        write(folder / 'real.svg', b'old')
        (folder / 'link.svg').symlink_to('real.svg')
        run(*command, folder / 'link.svg')
        assert (folder / 'link.svg').is_symlink() and b'<svg' in (folder / 'real.svg').read_bytes()


def test_signing_in_place_through_a_link(folder):
    keys(folder, 'k')
    (folder / 'd').mkdir()
    real = tiny_model(folder / 'd')
    (folder / 'link.smol').symlink_to('d/m.smol')
    tool('sign', '-k', folder / 'k.key', folder / 'link.smol')
    assert (folder / 'link.smol').is_symlink()
    assert b'signature  ok: by key' in tool('verify', '--pubkey', folder / 'k.pub', real).stdout


def test_training_through_links(folder):
    """The model, and the log that is cut when a training goes on."""
    (folder / 'd').mkdir()
    for name in ('m.smol', 'm.log'):
        (folder / name).symlink_to('d/' + name)
    train(folder, '-o', folder / 'm.smol', '--log', folder / 'm.log')
    assert (folder / 'm.smol').is_symlink() and (folder / 'd/m.smol').stat().st_size > 0
    assert (folder / 'm.log').is_symlink() and json.loads((folder / 'd/m.log').read_bytes().splitlines()[-1])['event'] == 'model'


def test_links_in_a_circle(folder):
    (folder / 'a').symlink_to('b')
    (folder / 'b').symlink_to('a')
    err = tool('new', '-o', folder / 'a', '--layers', '1', '--width', '16', '--heads', '1', code=1).stderr
    assert err.count(b'\n') == 1 and b'symbolic links' in err, err
    assert (folder / 'a').is_symlink() and (folder / 'b').is_symlink()


# ---- modes and owners ----

def test_every_writer_heeds_the_umask(folder):
    given(folder)
    for mask in (0o077, 0o027, 0):
        for i, (name, command) in enumerate(writers(folder).items()):
            out = folder / ('%o-%d.svg' % (mask, i))
            run(*command, out, umask=mask)
            assert mode(out) == 0o666 & ~mask, (name, oct(mask), oct(mode(out)))
        assert mode(folder / 'x.key') == 0o600
        run(smoltool, 'export', '--npz', folder / 'in.smol', '-o', folder / ('npz%o' % mask), umask=mask)
        run(smoltool, 'export', '--safetensors', folder / 'in.smol', '-o', folder / ('st%o' % mask), umask=mask)
        for part in (*(folder / ('npz%o' % mask)).iterdir(), *(folder / ('st%o' % mask)).iterdir()):
            assert mode(part) == 0o666 & ~mask, part


def test_training_heeds_the_umask(folder):
    """The cache above all, which holds the training text."""
    train(folder, '-o', folder / 'm.smol', '--log', folder / 'm.log', '--cache', folder / 'c', umask=0o077)
    cache, = (folder / 'c').iterdir()
    assert [mode(folder / p) for p in ('m.smol', 'm.log', 'c', cache)] == [0o600, 0o600, 0o700, 0o600]
    cache.write_bytes(b'damaged')
    cache.chmod(0o640)
    train(folder, '-o', folder / 'm.smol', '--cache', folder / 'c')
    assert mode(cache) == 0o640 and cache.stat().st_size > len(TEXT)


def test_sweeps_heed_the_umask(folder, gnuplot):
    """Each model and log, the tables and the picture."""
    run(smoltrain, 'sweep', '--data', folder / 'text', '--d', '2', '-o', folder / 's', '--method', 'fastfood', *SMALL[2:], umask=0o077)
    assert mode(folder / 's') == 0o700 and {mode(p) for p in (folder / 's').iterdir()} == {0o600}
    assert len(list((folder / 's').iterdir())) == 9


def test_every_writer_keeps_the_mode(folder):
    given(folder)
    for i, (name, command) in enumerate(writers(folder).items()):
        out = write(folder / ('%d.svg' % i), b'old')
        out.chmod(0o640)
        run(*command, out)
        assert mode(out) == 0o640 and out.read_bytes() != b'old', name


def test_secret_keys_are_for_their_owner(folder):
    """Whatever the mode of what was there."""
    write(folder / 's', b'old').chmod(0o666)
    tool('keygen', '-W', '-f', '-s', folder / 's', '-p', folder / 'p', umask=0)
    assert mode(folder / 's') == 0o600 and mode(folder / 'p') == 0o666


def test_keys_need_two_files(folder):
    err = tool('keygen', '-W', '-s', folder / 'k', '-p', folder / 'k', code=2).stderr
    assert b'must be two files' in err and not (folder / 'k').exists()
    err = tool('keygen', '-W', '-s', folder / 'k', '-p', folder / 'none/k', code=1).stderr
    assert b'none/k' in err and not (folder / 'k').exists()


@pytest.fixture
def other(folder):
    """Runs as another user, who owns the folder."""
    if os.getuid() != 0:
        pytest.skip('only root can become another user')
    os.chown(folder, 1234, 2345)

    def as_other(*words, **how):
        return run(*words, user=1234, group=2345, extra_groups=[], **how)
    return as_other


def test_what_may_not_be_written_stays(folder, other):
    given(folder)
    for name in ('in.smol', 'words.smol', 'k.key'):
        os.chown(folder / name, 1234, 2345)
    for i, (name, command) in enumerate(writers(folder).items()):
        out = write(folder / ('%d.svg' % i), b'old')
        os.chown(out, 1234, 2345)
        out.chmod(0o444)
        err = other(*command, out, code=1).stderr
        assert err.count(b'\n') == 1 and b'cannot write: Permission denied' in err, (name, err)
        assert out.read_bytes() == b'old' and mode(out) == 0o444, name
    assert not (folder / 'x.key').exists()


def test_owner_and_group_stay(folder, other):
    tiny_model(folder)
    keys(folder, 'k')
    os.chown(folder / 'm.smol', 1234, 2346)
    (folder / 'm.smol').chmod(0o640)
    tool('sign', '-k', folder / 'k.key', folder / 'm.smol')  # as root
    found = (folder / 'm.smol').stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (1234, 2346, 0o640)


# ---- devices and pipes ----

def null_device(folder):
    try:
        os.mknod(folder / 'null', stat.S_IFCHR | 0o666, os.makedev(1, 3))
        with open(folder / 'null', 'wb') as null:
            null.write(b'x')
    except PermissionError:
        pytest.skip('a device cannot be made here')
    return folder / 'null'


def test_devices_stay_devices(folder):
    null = null_device(folder)
    given(folder)
    before = os.lstat(null)
    (folder / 'link').symlink_to('null')
    for name, command in writers(folder).items():
        if name == 'elephant':  # the kind of picture is told by the name
            continue
        for out in (null, folder / 'link'):
            run(*command, out)
            after = os.lstat(null)
            assert stat.S_ISCHR(after.st_mode) and after.st_ino == before.st_ino and (folder / 'link').is_symlink(), name
    assert not [p for p in folder.iterdir() if p.name.startswith('null.')]


def test_pipes_get_the_same_bytes(folder):
    given(folder)
    os.mkfifo(folder / 'pipe')
    for name, command in writers(folder).items():
        if name in ('keygen --public', 'sign --detached', 'elephant'):  # other bytes every time; a name in .svg
            continue
        run(*command, folder / 'file')
        reader = subprocess.Popen(['cat', folder / 'pipe'], stdout=subprocess.PIPE)
        run(*command, folder / 'pipe')
        assert reader.communicate(timeout=60)[0] == (folder / 'file').read_bytes(), name
        assert stat.S_ISFIFO(os.lstat(folder / 'pipe').st_mode), name
        (folder / 'file').unlink()


def test_dev_stdout(folder):
    """Into a pipe, and behind what a file has that the shell appends to."""
    given(folder)
    for name, command in writers(folder).items():
        if name in ('keygen --public', 'sign --detached', 'elephant', 'quantize'):  # the last prints too
            continue
        run(*command, folder / 'file')
        expected = (folder / 'file').read_bytes()
        assert run(*command, '/dev/stdout').stdout == expected, name
        with open(folder / 'log', 'wb') as file:
            file.write(b'first\n')
        with open(folder / 'log', 'ab') as file:
            run(*command, '/dev/stdout', capture_output=False, stdout=file)
        assert (folder / 'log').read_bytes() == b'first\n' + expected, name


def test_refused_where_a_file_must_be(folder):
    """What is written twice, or has a checkpoint beside it."""
    null = null_device(folder)
    tiny_model(folder)
    err = train(folder, '-o', null, code=1).stderr
    assert err == b'smoltrain: %s: must be a regular file\n' % bytes(null), err
    (folder / 'x').mkdir()
    (folder / 'x/model.npz').symlink_to(null)
    err = tool('export', '--npz', folder / 'm.smol', '-o', folder / 'x', code=1).stderr
    assert err.count(b'\n') == 1 and b'must be a regular file' in err, err
    assert stat.S_ISCHR(os.lstat(null).st_mode) and not (folder / 'null.ckpt').exists()


def test_directories_are_refused(folder):
    given(folder)
    for i, (name, command) in enumerate(writers(folder).items()):
        (folder / ('%d.svg' % i)).mkdir()
        err = run(*command, folder / ('%d.svg' % i), code=1).stderr
        assert err.count(b'\n') == 1 and b'%d.svg: cannot write: it is a directory' % i in err, (name, err)
        assert (folder / ('%d.svg' % i)).is_dir()
    err = train(folder, '-o', folder / '0.svg', code=1).stderr
    assert b'0.svg: cannot write: it is a directory' in err, err

