"""What pytest needs to know of these tests: which build they test, the fixtures, and how cases are counted.

    pytest tests/cli/smolrun/test_bench.py --build build-dev

The last line is "N passed, M failed". A test is a case, but for one with the fixture `check`, each of whose checks is one. What
is skipped is named, with the reason, and does not count.
"""
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here / folder) for folder in ('.', 'reference', 'golden', 'cli', 'cookbook', '../python', '../tools/completions')]


def pytest_addoption(parser):
    group = parser.getgroup('smol')
    group.addoption('--build', default=os.environ.get('SMOL_BUILD', 'build'), help='the build that is tested; by default $SMOL_BUILD, or build')
    group.addoption('--aarch64', help='a build for AArch64, which tests/cross runs under qemu')
    group.addoption('--wasm32', help='a build of scripts/targets/wasm32.ini with -Dminimal=true, for tests/web')
    group.addoption('--minimal', help='a build with -Dminimal=true, for tests/minimal')
    group.addoption('--web', help='the page that scripts/web has built, for tests/web; by default build/web')
    group.addoption('--every-file', action='store_true', help='a file of which no case has run is a failed case')
    group.addoption('--long', action='store_true', help='every call that can fail (tests/fault), which takes a night')
    group.addoption('--kills', type=int, default=8, help='how many trainings test_killed.py kills at random moments')
    group.addoption('--kill-seed', type=int, default=1, help='and what chooses the moments')


def pytest_configure(config):
    os.environ['SMOL_BUILD'] = str(pathlib.Path(config.getoption('--build')).resolve())
    os.environ['PYTHONDONTWRITEBYTECODE'] = '1'  # for what the tests start: stages.py takes it from pytest alone
    config.addinivalue_line('markers', 'slow: takes seconds; `tests/run quick` and the suite `quick` leave it out')


# ---- fixtures ----

@pytest.fixture
def folder(request):
    """An empty folder, or one with the FILES of the test's module: name -> bytes."""
    with tempfile.TemporaryDirectory(prefix='smol-') as name:
        for file, content in getattr(request.module, 'FILES', {}).items():
            (pathlib.Path(name) / file).write_bytes(content)
        yield pathlib.Path(name)


@pytest.fixture
def gnuplot():
    if not shutil.which('gnuplot'):
        pytest.skip('gnuplot is not installed')


@pytest.fixture
def minisign():
    if not shutil.which('minisign'):
        pytest.skip('minisign is not installed')


@pytest.fixture
def check(request):
    """Many small cases in one test: check.that() and check.equal() count, and go on after a failure."""
    import checks
    counting = checks.Checks()
    yield counting
    request.node.user_properties.append(('checks', (counting.passed, counting.failed)))
    assert not counting.failed, '%d checks failed; their lines begin with FAILED' % counting.failed
    assert counting.passed, 'checked nothing'


def other_build(request, option):
    folder = request.config.getoption(option)
    if not folder:
        pytest.skip('needs %s DIR' % option)
    return pathlib.Path(folder).resolve()


@pytest.fixture
def aarch64(request):
    return other_build(request, '--aarch64')


@pytest.fixture
def wasm32(request):
    return other_build(request, '--wasm32')


@pytest.fixture
def minimal(request):
    return other_build(request, '--minimal')


@pytest.fixture(scope='session')
def web(request):
    folder = pathlib.Path(request.config.getoption('--web') or here.parent / 'build/web').resolve()
    if not (folder / 'smol.wasm').exists():
        pytest.skip('needs --web DIR, or what scripts/web builds')
    return folder


# ---- counting ----

class Counts:
    passed = failed = 0
    called, skipped = set(), []  # names; names and reasons
    files = set()  # that had a case


def pytest_runtest_logreport(report):
    """The last report of a test, of its teardown, has the checks; what failed before is counted where it did."""
    name = report.nodeid.split('/')[-1]
    checks = dict(report.user_properties).get('checks')
    before = Counts.passed + Counts.failed
    if report.skipped:
        Counts.skipped.append((name, report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)))
    elif report.when == 'teardown' and checks:
        Counts.passed += checks[0]
        Counts.failed += checks[1] + (report.failed and not checks[1])
    elif report.failed:
        Counts.failed += 1
    if report.when == 'call' and report.passed:
        Counts.called.add(report.nodeid)
    if report.when == 'teardown' and not checks and report.nodeid in Counts.called:
        Counts.passed += report.passed
    if Counts.passed + Counts.failed > before:
        Counts.files.add(report.location[0])


def pytest_collectreport(report):
    Counts.failed += report.failed
    if report.failed:
        Counts.files.add(report.nodeid)


def pytest_unconfigure(config):
    """After pytest's own words, so that it is the last line."""
    if hasattr(config, 'workerinput') or config.option.collectonly or config.option.help:
        return
    if config.option.every_file:
        for name in config.args:
            if os.path.relpath(name, config.rootpath) not in Counts.files:
                Counts.failed += 1
                print('FAILED: %s: ran no case' % name)
    for name, reason in Counts.skipped:
        print('skipped: %s: %s' % (name, reason.removeprefix('Skipped: ')))
    print('%d passed, %d failed' % (Counts.passed, Counts.failed), flush=True)
