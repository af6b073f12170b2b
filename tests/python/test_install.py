"""The module as it is installed, below several prefixes and as a wheel: it is where Python looks, and finds its library by itself."""
import json
import os
import pathlib
import shutil

import pytest
from module import library as built
from module import shipped, smol
from programs import build, copy_sources, root, run, run_text

PYTHON = '/usr/bin/python3'
MESON = [PYTHON, shutil.which('meson', path='/usr/bin:/bin:' + os.environ['PATH'])]
CODE = '''import smol, sys
m = smol.Model.load(sys.argv[1])
print(smol.__file__, smol.__version__, m.generate('KING:', n=5, seed=1).encode())
print({line.split()[-1] for line in open('/proc/self/maps') if 'libsmol' in line})
'''


def environment(**more):
    """Without what the tests say of the library."""
    return {**{k: v for k, v in os.environ.items() if k not in ('SMOL_LIBRARY', 'PYTHONPATH', 'LD_LIBRARY_PATH')}, **more}


def imports(folder, python, module, library, **more):
    """A Python by itself gets this module, and this library with it, from any folder."""
    said = run_text(python, '-c', CODE, shipped, cwd=folder, env=environment(**more)).stdout
    text = smol.Model.load(shipped).generate('KING:', n=5, seed=1).encode()
    assert said == "%s/__init__.py %s %r\n{'%s'}\n" % (module, smol.__version__, text, os.path.realpath(library)), said


def sites():
    return run_text(PYTHON, '-c', 'import site; print(*site.getsitepackages())').stdout.split()


def test_as_meson_installs_it(folder):
    """The build under test, below /usr/local."""
    if built.parent != build:
        pytest.skip('needs a build with the shared library (-Ddefault_library=both)')
    run(*MESON, 'install', '-C', build, '--no-rebuild', '--destdir', folder / 'root')
    module, = folder.glob('root/usr/local/lib/python3*/*-packages/smol')
    library, = folder.glob('root/usr/local/lib/**/libsmol.so.0')
    assert '/' + str(module.parent.relative_to(folder / 'root')) in sites()
    assert (module / 'py.typed').is_file()
    imports(folder, PYTHON, module, library, PYTHONPATH=str(module.parent))


@pytest.mark.parametrize('prefix, options, wanted', [
    ('/usr', [], None),
    ('/opt/x', [], 'lib/python3/dist-packages'),
    ('/opt/x', ['--libdir=lib'], 'lib/python3/dist-packages'),
    ('/opt/x', ['-Dpython.purelibdir=mine', '--libdir=lib/deep/er'], 'mine'),
])
def test_prefixes(folder, prefix, options, wanted):
    """Where Meson would install; the library is that of the build under test, put there by hand."""
    run(*MESON, 'setup', folder / 'b', root, '--prefix=' + prefix, '-Ddefault_library=shared', '-Dtests=false', '-Dtrain=false', *options)
    installed = json.loads(run_text(*MESON, 'introspect', '--installed', folder / 'b').stdout)
    library, = [pathlib.Path('%s/root%s' % (folder, place)) for place in installed.values() if place.endswith('/libsmol.so.0')]
    for source, place in installed.items():
        if '/smol/_' in place or place.endswith('py.typed'):
            to = pathlib.Path('%s/root%s' % (folder, place))
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, to)
    module = to.parent
    library.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(built, library)
    installed_to = '/' + str(module.parent.relative_to(folder / 'root'))
    assert installed_to == '%s/%s' % (prefix, wanted) if wanted else installed_to in sites(), installed_to
    system = {} if wanted else {'LD_LIBRARY_PATH': str(library.parent)}  # as if the dynamic linker knew it, which knows /usr
    imports(folder, PYTHON, module, library, PYTHONPATH=str(module.parent), **system)


def test_a_checkout(folder):
    """The library that was built last in build/, static or not; a word on what makes it where there is none."""
    module = folder / 'python/smol'
    shutil.copytree(root / 'python/smol', module, ignore=shutil.ignore_patterns('__pycache__'))
    path = {'PYTHONPATH': str(folder / 'python')}
    said = run_text(PYTHON, '-c', 'import smol', code=1, cwd=folder, env=environment(**path)).stderr
    assert 'libsmol.so.0' in said and '; `scripts/build build` makes it (' in said, said
    for place, moment in (('build/python/libsmol.so', 2), ('build/libsmol.so', 3), ('build/python/libsmol.so', 4)):
        library = folder / place
        library.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(built, library)
        os.utime(library, (moment, moment))
        imports(folder, PYTHON, module, library, **path)


@pytest.mark.slow
def test_a_wheel(folder):
    """By Debian's packages alone, into a virtual environment that has nothing else."""
    copy_sources(folder / 'source')
    pip = [PYTHON, '-m', 'pip', '--disable-pip-version-check']
    alone = environment(PIP_CONFIG_FILE=os.devnull, PATH='/usr/bin:/bin')
    # Not optimised: the other tests have that.
    run(*pip, 'wheel', '--no-build-isolation', '--no-deps', '--no-index', '--config-settings=setup-args=-Doptimization=0', '-w', folder / 'wheels', folder / 'source', env=alone)
    wheel, = (folder / 'wheels').iterdir()
    assert wheel.name.startswith('smol-%s-' % smol.__version__) and '-none-any' not in wheel.name, wheel
    run(PYTHON, '-m', 'venv', '--without-pip', folder / 'v')
    run(*pip, '--python', folder / 'v/bin/python', 'install', '--no-index', '--no-deps', wheel, env=alone)
    module, = folder.glob('v/lib/python3*/site-packages/smol')
    assert sorted(p.name for p in module.iterdir() if p.suffix not in ('.py', '')) == ['libsmol.so', 'py.typed']
    assert sorted(p.name for p in module.parent.iterdir()) == ['smol', 'smol-%s.dist-info' % smol.__version__]
    imports(folder, folder / 'v/bin/python', module, module / 'libsmol.so')


def test_no_library(folder):
    """One line says what is missing, and what to do."""
    for library in ('nowhere.so', 'libc.so.6'):
        said = run_text(PYTHON, '-c', 'import smol', code=1, cwd=folder, env=environment(SMOL_LIBRARY=library, PYTHONPATH=str(root / 'python'))).stderr
        assert said.splitlines()[-1].startswith('ImportError: ') and said.endswith(' (the environment variable SMOL_LIBRARY names another libsmol.so)\n'), said
