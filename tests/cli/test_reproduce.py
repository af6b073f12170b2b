"""models/reproduce from outside, with scripts that only note that they were called in place of those that install and build: what
stops it before that, and a comparison of two methods in a few steps, which goes on where it stopped."""
import json
import math
import os
import re
import shutil
import sys
import xml.etree.ElementTree as ET

import pytest
from programs import build, root, run_text

FILES = {'text': b'Whan that Aprille with his shoures soote, the droghte of March hath perced to the roote. ' * 60}


@pytest.fixture
def place(folder):
    """A project with nothing in it but the command."""
    for name in 'models/reproduce', 'models/reproduce.py':
        (folder / 'models').mkdir(exist_ok=True)
        shutil.copy(root / name, folder / name)
    (folder / 'scripts').mkdir()
    for name in 'setup', 'build':
        script = folder / 'scripts' / name
        script.write_text('#!/bin/sh\necho "%s $*" >>"$(dirname "$0")/../called"\n' % name)
        script.chmod(0o755)
    (folder / 'build').mkdir()
    (folder / 'build/tools').symlink_to(build / 'tools')
    return folder


def reproduce(place, *words, **more):
    return run_text(place / 'models/reproduce', *words, cwd=place, **more)


def test_what_is_wrong_is_said_first(place):
    """One line, and nothing was installed or built."""
    (place / 'short').write_bytes(b'a' * 2561)
    (place / 'file').write_bytes(b'')
    for words, says in ((['--data', 'none'], 'none: No such file'), ([], 'tinystories_sample_2M.txt: No such file'), (['--data', '.'], 'Is a directory'),
                        (['--data', 'short'], 'short: 2,561 bytes'), (['--data', 'text', '-o', 'file'], 'file: '),
                        (['--data', 'text', '-o', 'file/x'], 'file/x: ')):
        done = reproduce(place, '--quick', *words, code=1)
        assert done.stderr.startswith('models/reproduce: ') and says in done.stderr and done.stderr.count('\n') == 1, done.stderr
    for words in ['--steps', '0'], ['--seeds', '0'], ['--threads', '-1'], ['--only', 'magic'], ['--speed']:
        assert 'models/reproduce: error: ' in reproduce(place, '--data', 'text', *words, code=2).stderr, words
    assert reproduce(place, '--help').stdout.startswith('usage: models/reproduce') and not (place / 'called').exists()


def test_a_failing_build_is_told(place):
    (place / 'scripts/build').write_text('#!/bin/sh\necho "no compiler"\nexit 1\n')
    done = reproduce(place, '--data', 'text', code=1)
    assert 'no compiler' in done.stderr and done.stderr.endswith('models/reproduce: the build failed\n')
    (place / 'scripts/setup').write_text('#!/bin/sh\nexit 3\n')
    assert reproduce(place, '--data', 'text', code=1).stderr == ''  # which has said why


@pytest.mark.slow
def test_two_methods(place, gnuplot):
    words = ['--quick', '--data', 'text', '--steps', '2', '--only', 'embed', 'alpha', '--threads', '1', '-o', 'out']
    done = reproduce(place, *words)
    calls = (place / 'called').read_text().splitlines()
    assert calls == ['setup build', f'build {place}/build -Dtests=false -- tools/smoltrain tools/smoltool']
    rows = dict(re.findall(r'^\| `([a-z-]+)` \| [\d,]+ \| [\d,]+ \| ([\d.]+) \|', done.stdout, re.M))
    assert list(rows) == ['alpha', 'embed'] and '2 steps of 2,048 tokens of text' in done.stdout
    for method, loss in rows.items():
        records = [json.loads(line) for line in (place / f'out/{method}-1.jsonl').read_text().splitlines()]
        assert records[0]['method'] == method and records[0]['options']['lr'] == 0.02
        stored = [r for r in records if r['event'] == 'validation' and r['stored']]
        assert math.isclose(float(loss), stored[-1]['nats_per_token'], abs_tol=6e-5)
    assert (place / 'out/table.md').read_text() in done.stdout
    for name in 'curves.svg', 'bytes.svg':
        assert ET.parse(place / 'out' / name).getroot().tag.endswith('svg')
    before = {p.name: p.stat().st_mtime_ns for p in (place / 'out').glob('*.smol')}
    assert reproduce(place, *words).stdout == done.stdout[done.stdout.index('\n2 steps'):]  # trained already
    assert before == {p.name: p.stat().st_mtime_ns for p in (place / 'out').glob('*.smol')}
    assert 'a run of other steps' in reproduce(place, *words, '--steps', '3', code=1).stderr


def test_packages(place):
    """gnuplot is asked for only where there is none, and nothing that tests take."""
    (place / 'bin').mkdir()
    for name in 'bash', 'dirname':
        (place / 'bin' / name).symlink_to(shutil.which(name))
    (place / 'bin/python3').symlink_to(sys.executable)
    (place / 'scripts/build').write_text('#!/bin/sh\nexit 1\n')
    done = reproduce(place, '--data', 'text', code=1, env={**os.environ, 'PATH': str(place / 'bin')})
    assert done.stderr.endswith('the build failed\n'), done.stderr
    assert (place / 'called').read_text() == 'setup reproduce\n'
    listed = run_text(root / 'scripts/setup', '--list', 'reproduce').stdout.split()
    assert listed[-1] == 'gnuplot-nox' and listed[:-1] == run_text(root / 'scripts/setup', '--list', 'build').stdout.split()
    assert not {'clang', 'libcriterion-dev', 'lintian', 'gcc-aarch64-linux-gnu', 'openmpi-bin'} & set(listed)
