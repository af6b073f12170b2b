"""The kernels for WebAssembly's vectors: the C tests of arithmetic over the minimal library for wasm32, run by Node.

    pytest tests/web/test_kernels.py --wasm32 WASM32_BUILD_DIR"""
import pathlib
import shutil
import subprocess

import pytest

runner = pathlib.Path(__file__).resolve().parents[1] / 'plain/wasm/run.mjs'


@pytest.mark.parametrize('test', ['test_fma', 'test_isa'])
def test_arithmetic(test, wasm32, check):
    """Each of their cases is one here; the first that fails ends a program."""
    if not shutil.which('node'):
        pytest.skip('node is not installed')
    done = subprocess.run(['node', '--experimental-wasi-unstable-preview1', '--no-warnings', runner, wasm32 / 'tests/plain/wasm' / (test + '.wasm')], capture_output=True, timeout=280)
    last = (done.stdout.decode().splitlines() or [''])[-1].split()
    if len(last) == 4 and last[1] == 'passed,' and int(last[0]) + int(last[2]) > 0:
        check.add(int(last[0]), int(last[2]), done.stdout.decode()[-800:])
        check.equal(done.returncode, int(last[2] != '0'), 'exit code of %s' % test)
    else:
        check.that(False, 'ended with %d: %r' % (done.returncode, done.stderr[-300:]))
