"""The Debian package: built from a copy of the sources, looked over by lintian, unpacked and used.

    pytest tests/package"""
import json
import os
import pathlib
import re
import subprocess
import tempfile

import pytest
from programs import copy_sources, root

# Debugging information of lines only, and packages packed in haste, are quicker made; neither changes a file that is installed.
environment = {**os.environ, 'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C.UTF-8', 'DEB_CFLAGS_APPEND': '-g1', 'DPKG_DEB_COMPRESSOR_LEVEL': '1',
               'DEB_BUILD_OPTIONS': 'nocheck parallel=%d' % len(os.sched_getaffinity(0))}
for name in ('CC', 'CFLAGS', 'CPPFLAGS', 'LDFLAGS', 'LD_LIBRARY_PATH'):
    environment.pop(name, None)


def run(*arguments, code=0, **more):
    done = subprocess.run([str(a) for a in arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=250,
                          env={**environment, **more.pop('env', {})}, **more)
    assert done.returncode == code, '%s: exit code %d, expected %d\n%s' % (arguments, done.returncode, code, done.stdout[-6000:])
    return done.stdout


@pytest.fixture(scope='module')
def folder():
    """One for all: each test goes on with what the one before it made."""
    with tempfile.TemporaryDirectory() as name:
        yield pathlib.Path(name)


def test_1_builds(folder):
    """With less optimisation than the packages have, which takes half of the time and changes no bit."""
    copy_sources(folder / 'smol')
    rules = folder / 'smol/debian/rules'
    assert rules.read_text().count('-O3') == 1
    rules.write_text(rules.read_text().replace('-O3', '-O1'))
    run('dpkg-buildpackage', '-us', '-uc', '-b', cwd=folder / 'smol')
    names = sorted(p.name.split('_')[0] for p in folder.glob('*.deb'))
    assert [n for n in names if 'dbgsym' not in n] == [
        'libsmol-dev', 'libsmol-train0', 'libsmol0', 'python3-smol', 'smol'], names


def test_2_lintian(folder):
    changes, = folder.glob('*.changes')
    root_too = ['--allow-root'] if os.getuid() == 0 else []
    said = run('lintian', *root_too, '--fail-on', 'error,warning', changes)
    assert said == '', said


def test_3_is_complete(folder):
    """Every program has its manual page and its completions, and every public header is there."""
    for package in folder.glob('*.deb'):
        run('dpkg-deb', '-x', package, folder / 'root')
    usr = folder / 'root/usr'
    for name in ('smolrun', 'smoltool', 'smoltrain'):
        for file in ('bin/' + name, 'share/man/man1/%s.1.gz' % name, 'share/bash-completion/completions/' + name,
                     'share/zsh/vendor-completions/_' + name, 'share/fish/vendor_completions.d/%s.fish' % name):
            assert (usr / file).is_file(), file
    assert (usr / 'share/man/man3/smol.3.gz').is_file()
    for header in (root / 'include/smol').glob('*.h'):
        assert (usr / 'include/smol' / header.name).is_file(), header.name


def test_4_works(folder):
    """The unpacked programs find their libraries and run; a program builds with what is for developers."""
    usr, model = folder / 'root/usr', folder / 'm.smol'
    libraries, = usr.glob('lib/*/libsmol.so.0')
    env = {'LD_LIBRARY_PATH': str(libraries.parent)}
    run(usr / 'bin/smoltool', 'new', '--layers', '1', '--width', '32', '-o', model, env=env)
    assert run(usr / 'bin/smolrun', model, '-p', 'Hi', '-n', '0', env=env).startswith('Hi')
    assert run(usr / 'bin/smoltrain', '--version', env=env).startswith('smoltrain ')
    env['PKG_CONFIG_PATH'] = str(libraries.parent / 'pkgconfig')
    run(usr / 'bin/smoltool', 'embed-c', model, '-o', folder / 'model.h', env=env)
    sources = sorted(usr.glob('share/doc/libsmol-dev/examples/*.c'))
    assert [s.name for s in sources] == sorted(p.name for p in (root / 'docs/examples').glob('*.c'))
    for source in sources:
        compile_example(folder, source, [], libraries.parent, env)
    said = run(folder / 'schemes', model, env=env)
    assert said.startswith('alpha: 1 layers, width 32, '), said
    for source in sources:
        if source.stem in ('schemes', 'documents'): # one of each library
            compile_example(folder, source, ['--static'], libraries.parent, env)
    assert run(folder / 'schemes', model) == said
    assert run(folder / 'documents', model).startswith('1 documents, ')


def compile_example(folder, source, static, libraries, env):
    """As C11 with the flags of pkg-config, for the library that its first comment names."""
    package = re.search(r'--libs (\w+)\)', source.read_text())
    package = package.group(1) if package else 'smol'
    flags = run('pkg-config', '--define-variable=prefix=%s' % (folder / 'root/usr'), *static, '--cflags', '--libs', package, env=env).split()
    if static:
        flags = [str(libraries / ('lib%s.a' % f[2:])) if f in ('-lsmol', '-lsmol_train') else f for f in flags]
    run('cc', '-std=c11', '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-I', folder, source, '-o', folder / source.stem, *flags, '-Wl,-rpath-link,%s' % libraries)


def declared():
    """The functions that the public headers declare."""
    text = ''.join(re.sub(r'/\*.*?\*/', '', h.read_text(), flags=re.S) for h in (root / 'include/smol').glob('*.h'))
    return set(re.findall(r'\b(smol_\w+)\(', re.sub(r'\btypedef\b[^;]*;', '', text)))


def test_5_symbols(folder):
    """The shared libraries export, with a version, what the headers declare; and to each other, under another, a little more."""
    public = set()
    for name, nodes in (('libsmol.so.0', ('SMOL_0', 'SMOL_ADVANCED_0')), ('libsmol_train.so.0', ('SMOL_TRAIN_0',))):
        library, = folder.glob('root/usr/lib/*/' + name)
        for symbol in re.findall(r' [A-Z] (\w+@@\w+)$', run('nm', '-D', '--defined-only', library), flags=re.M):
            function, version = symbol.split('@@')
            assert version in nodes if function in declared() else version == 'SMOL_PRIVATE', symbol
            public |= {function} & declared()
    assert public == declared(), public ^ declared()


def test_6_python(folder):
    """The Python module finds the installed library."""
    packages, = folder.glob('root/usr/lib/python3*/dist-packages')
    library, = folder.glob('root/usr/lib/*/libsmol.so.0')
    env = {'PYTHONPATH': str(packages), 'LD_LIBRARY_PATH': str(library.parent)}
    code = 'import smol, sys; print(repr(smol.Model.load(sys.argv[1])), len(smol.Model.load(sys.argv[1]).generate("Hi", n=4)) > 0)'
    said = run('/usr/bin/python3', '-c', code, folder / 'm.smol', env=env)
    assert said.startswith('<smol.Model, 1 layers x 32') and said.endswith(' True\n'), said
    for file in ('python.md.gz', 'examples/tour.py'):
        assert (folder / 'root/usr/share/doc/python3-smol' / file).is_file(), file


def test_7_as_meson_installs(folder):
    """`meson install` puts the same files at the same places; documents beside the packages are Debian's."""
    run('meson', 'setup', folder / 'plain', folder / 'smol', '--prefix=/usr', '-Dtests=false', '-Dmpi=disabled', '-Ddefault_library=both')
    listed = set(json.loads(run('meson', 'introspect', '--installed', folder / 'plain')).values())
    usr = folder / 'root/usr'
    packed = {'/usr/' + str(p.relative_to(usr)).removesuffix('.gz') for p in usr.rglob('*') if not p.is_dir()}
    packed = {p for p in packed if not p.startswith(('/usr/share/doc/', '/usr/share/lintian/', '/usr/lib/debug/')) and '/__pycache__/' not in p}
    assert packed == listed, packed ^ listed
