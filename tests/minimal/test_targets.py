"""scripts/minimal: what it installs for this machine with the libraries that it brings, and for a target whose `long` and pointers have 32 bits. The stages
firmware and web run others.

    pytest tests/minimal/test_targets.py --build BUILD_DIR"""
import re
import shutil
import subprocess
import tempfile
import pathlib

import pytest
from programs import root, smolrun, smoltool
from test_minimal import ALLOWED

SOURCES = [root / 'subprojects' / name for name in ('libsodium-1.0.18', 'xxHash-0.8.1')]
COMPILERS = {'host': 'gcc', 'riscv32': 'riscv64-unknown-elf-gcc'}
# The C library's; abort of a function of libsodium's that nothing calls.
FOREIGN = {name for name in ALLOWED if not name.startswith(('crypto_', 'XXH'))} | {'abort'}
MODEL = root / 'models/shakespeare-16k.smol'


@pytest.fixture(scope='module')
def install():
    """Builds a target without a warning, once; where it was installed."""
    with tempfile.TemporaryDirectory(prefix='smol-minimal-') as folder:
        def build(target, *options):
            at = pathlib.Path(folder) / target
            if not shutil.which(COMPILERS[target]):
                pytest.skip('%s is not installed' % COMPILERS[target])
            if not at.exists():
                done = subprocess.run([root / 'scripts/minimal', target, at, '-Dwerror=true', *options], capture_output=True, text=True, timeout=250, check=False)
                if done.returncode and not all(source.exists() for source in SOURCES):
                    pytest.skip("the sources of libsodium and xxHash cannot be fetched: %s" % done.stderr[-300:])
                assert (done.returncode, done.stdout, done.stderr) == (0, '', ''), done.stderr
            return at
        yield build


@pytest.fixture
def here(install):
    """For this machine, with the libraries inside, as other targets have them."""
    return install('host', '--wrap-mode=forcefallback')


def flags(at):
    """What pkg-config says of it."""
    told = subprocess.run(['pkg-config', '--cflags', '--libs', 'smol_minimal'], env={'PKG_CONFIG_PATH': str(at / 'lib/pkgconfig'), 'PATH': '/usr/bin:/bin'}, capture_output=True, text=True, check=True)
    return told.stdout.split()


def compile_(at, output, *words, text=None):
    done = subprocess.run(['gcc', '-std=c11', '-Wall', '-Wextra', '-Werror', *map(str, words), *flags(at), '-o', str(output)], input=text, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr


def declared(header):
    """The functions that a header declares."""
    text = re.sub(r'/\*.*?\*/', '', header.read_text(), flags=re.S)
    return re.findall(r'^(?!static)[\w *]*?\b(smol_\w+)\([^{]*?\);', text, re.M)


def test_each_header_compiles_alone(here):
    headers = sorted(path.name for path in (here / 'include/smol').iterdir())
    assert headers == ['config.h', 'file.h', 'isa.h', 'pack.h', 'params.h', 'primitives.h', 'sampler.h', 'session.h', 'status.h', 'tokenizer.h']
    for header in headers:
        for compiler, language in (('gcc -std=c11 -Wpedantic', 'c'), ('g++ -std=c++17', 'c++')):
            done = subprocess.run([*compiler.split(), '-Wall', '-Wextra', '-Werror', '-fsyntax-only', '-I', here / 'include', '-x', language, '-'],
                                  input='#include <smol/%s>\n' % header, text=True, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr


def test_what_the_headers_declare_is_there(here, folder):
    """All of them in one program, so that each name is one of the library's."""
    headers = sorted((here / 'include/smol').iterdir())
    names = [name for header in headers for name in declared(header)]
    assert len(names) > 100 and {'smol_file_parse', 'smol_session_feed', 'smol_packer_unpack', 'smol_encode_bytes'} <= set(names)
    text = ''.join('#include <smol/%s>\n' % header.name for header in headers)
    text += 'typedef void function(void);\nfunction *volatile all[] = {%s};\nint main(void) { return all[0] == 0; }\n' % ', '.join('(function *)%s' % name for name in names)
    compile_(here, folder / 'all', '-Wno-cast-function-type', '-x', 'c', '-', '-x', 'none', text=text)


def test_nothing_of_it_needs_another_library(here, folder):
    """Every file of the archive in a program of nothing but the C library: no function of libsodium's is missing, called or not."""
    compile_(here, folder / 'whole', '-x', 'c', '-', '-x', 'none', '-Wl,--whole-archive', here / 'lib/libsmol.a', '-Wl,--no-whole-archive', text='int main(void) { return 0; }\n')


def test_the_libraries_that_it_brings_check_models(here, folder):
    """Their hashes and signatures: shipped models hold, a changed byte of either does not. As smoltool says it."""
    compile_(here, folder / 'ram', root / 'tests/minimal/ram.c')
    good = MODEL.read_bytes()
    hash_at = len(good) - 64 - 104
    for at, why in ((hash_at - 1, None), (hash_at, 'hash mismatch: the file was modified'), (len(good) - 1, 'the signature does not verify under the key beside it')):
        (folder / 'model.smol').write_bytes(bytes(byte ^ (why is not None and i == at) for i, byte in enumerate(good)))
        done = subprocess.run([folder / 'ram', folder / 'model.smol', '8'], capture_output=True, text=True, timeout=100, check=False)
        verified = subprocess.run([smoltool, 'verify', folder / 'model.smol'], capture_output=True, text=True, timeout=100, check=False)
        assert (done.returncode, verified.returncode) == ((0, 0) if why is None else (1, 1))
        assert why is None or (done.stderr == 'ram: %s\n' % why and why in verified.stderr), (done.stderr, verified.stderr)


def test_the_program_of_the_document(here, folder):
    """As docs/minimal.md has it, with the text that it says."""
    program = re.search(r'^```c\n(.*?)^```', (root / 'docs/minimal.md').read_text(), re.S | re.M).group(1)
    (folder / 'program.c').write_text(program)
    subprocess.run([smoltool, 'embed-c', MODEL, '-o', folder / 'model.h'], check=True, timeout=100)
    compile_(here, folder / 'program', folder / 'program.c')
    words = ['-p', 'ROMEO:', '-n', '200', '-s', '1', '-c', '64', '--kv', 'q8', '--history', '256']
    wanted = subprocess.run([smolrun, MODEL, *words], capture_output=True, check=True, timeout=100).stdout
    assert subprocess.run([folder / 'program'], capture_output=True, check=True, timeout=100).stdout == wanted.removeprefix(b'ROMEO:')


def test_a_target_of_32_bits(install):
    """It compiles without a warning, looks for no library but the two, and asks nothing but the C library; no header lacks its functions."""
    at = install('riscv32')
    log = (at / 'build/meson-logs/meson-log.txt').read_text()
    looked_for = set(re.findall(r'^(?:Run-time d|D)ependency (\S+)', log, re.M))
    assert looked_for == {'libsodium', 'libxxhash'}
    assert 'warning:' not in (at / 'build.log').read_text()

    def symbols(*options):
        told = subprocess.run(['nm', *options, at / 'lib/libsmol.a'], capture_output=True, text=True, check=True).stdout
        return {line.split()[-1] for line in told.splitlines() if len(line.split()) > 1}
    wanted = symbols('-u') - symbols('--defined-only')
    assert {name for name in wanted if not name.startswith('__')} <= FOREIGN
    assert {name for header in (at / 'include/smol').iterdir() for name in declared(header)} <= symbols('--defined-only')


def test_how_it_refuses(folder):
    def run(*words):
        done = subprocess.run([root / 'scripts/minimal', *words], capture_output=True, text=True, timeout=100, check=False)
        return done.returncode, done.stdout, done.stderr.splitlines()
    assert run() == (2, '', ['usage: scripts/minimal TARGET DIR [MESON OPTION...]; scripts/minimal --list; scripts/minimal --sizes'])
    code, out, told = run('pdp11', folder / 'out')
    assert (code, out) == (2, '') and len(told) == 1 and told[0].startswith('minimal: pdp11: no such target; there are host cortex-m3')
    assert run('--list') == (0, 'host\n' + ''.join('%s\n' % path.stem for path in sorted((root / 'scripts/targets').glob('*.ini'))), [])
    assert not (folder / 'out').exists()
    assert run('host', root) == (2, '', ['minimal: %s: is the checkout, whose include/ would be overwritten; name another folder' % root])
