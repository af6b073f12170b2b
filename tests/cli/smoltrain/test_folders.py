"""Folders and patterns as data: which files they stand for, by the hash of the tokens beside that of the same files by name."""
import gzip
import json
import os

from programs import root, run_text as run, smoltrain

TEXT = (root / 'SPEC.md').read_bytes()
PARTS = {'a.md': TEXT[:3000], 'b/c.txt': TEXT[3000:6000], 'b/d/e.md': TEXT[6000:9000], 'f.jsonl': b'{"text": "a note"}\n', 'g.txt.gz': gzip.compress(TEXT[9000:9100])}
OTHERS = {'.hidden': b'not seen\n', '.git/config': b'not seen\n', 'p.png': b'\x89PNG\r\n\x1a\n\0\0', 'empty': b'', 'package.json': b'{"name": "no text"}\n',
          'utf16.txt': 'words'.encode('utf-16'), 'cut.gz': gzip.compress(TEXT)[:9]}
SMALL = ['--layers', '1', '--width', '8', '--context', '8', '--steps', '1', '--threads', '1', '--eval-every', '0', '--no-card']


def write(folder, files):
    for name, contents in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(contents)


def tokens(folder, *data, code=0, cwd=None):
    done = run(smoltrain, *[word for name in data for word in ('--data', name)], *SMALL, '--log', folder / 'log', '-o', folder / 'm.smol', code=code, cwd=cwd)
    if code:
        return done.stderr
    return json.loads((folder / 'log').read_text().splitlines()[0])['tokens_xxh3'], done.stderr


def by_name(folder, notes, names):
    return tokens(folder, *[notes / name for name in names])[0]


def test_a_folder(folder):
    notes = folder / 'notes'
    write(notes, {**PARTS, **OTHERS})
    os.symlink('..', notes / 'b' / 'up')
    os.symlink('../../a.md', notes / 'b' / 'd' / 'again.md')
    os.symlink('nothing', notes / 'lost')
    os.mkfifo(notes / 'pipe')
    expected = by_name(folder, notes, sorted(PARTS))
    for name in (notes, str(notes) + '/'):
        found, said = tokens(folder, name)
        assert found == expected and json.loads((folder / 'log').read_text().splitlines()[0])['data'] == str(notes)
        assert '5 files of text; 7 that are no text passed over' in said, said  # a pipe, a link to nothing and five of OTHERS


def test_cache(folder):
    notes = folder / 'notes'
    write(notes, PARTS)
    first, _ = tokens(folder, notes)
    for _ in range(2):
        run(smoltrain, '--data', notes, *SMALL, '--cache', folder / 'cache', '--log', folder / 'log', '-o', folder / 'm.smol')
        assert json.loads((folder / 'log').read_text().splitlines()[0])['tokens_xxh3'] == first
    assert len(os.listdir(folder / 'cache')) == 2  # in bytes, and in those that occur


def test_patterns(folder):
    notes = folder / 'notes'
    write(notes, {**PARTS, 'x[1].md': TEXT[:50]})
    assert tokens(folder, notes / '*.md')[0] == by_name(folder, notes, ['a.md', 'x[1].md'])
    assert tokens(folder, notes / '?', notes / 'a.md')[0] == by_name(folder, notes, ['b/c.txt', 'b/d/e.md', 'a.md'])
    assert tokens(folder, notes / 'x[1].md', notes / 'a.md')[0] == by_name(folder, notes, ['x[[]1].md', 'a.md'])  # a name that is there is no pattern


def test_nothing_there(folder):
    write(folder / 'notes', OTHERS)
    (folder / 'none').mkdir()
    assert 'notes: there is no text in this folder (5 other files)' in tokens(folder, folder / 'notes', code=1)
    assert 'there is no text in this folder (0 other files)' in tokens(folder, folder / 'none', code=1)
    assert 'no file has a name of this pattern' in tokens(folder, folder / '*.rst', code=1)
    assert 'cannot read: No such file or directory' in tokens(folder, folder / 'gone', code=1)
