"""models/bases: what it trains on bases that are there, that it goes on where it stopped, and what its tables say."""
import json
import os
import subprocess
import sys

import pytest
from programs import build, root, run, sanitized, smoltrain

sys.path.insert(0, str(root / 'models'))
import bases_report  # noqa: E402
import bases_runs  # noqa: E402


def line(kind, name, size, nats, seed=1, **more):
    return {'kind': kind, 'text': 'tinyshakespeare', 'name': name, 'bytes': size, 'numbers': 1, 'nats': nats, 'windows': nats, 'seed': seed, 'steps': 3,
            'options': [], 'method': 'lora', **more}


LINES = [line('as it is', 'the base as it is', 496, 2.0), line('full', 'all of it', 10**6, 1.0),
         line('delta', 'small', 900, 1.7), line('delta', 'small', 900, 1.5, seed=2), line('delta', 'larger', 9000, 1.25), line('delta', 'worse', 12000, 1.3),
         line('delta', 'LoRA, rank 4', 30000, 1.2), line('sweep', '', 0, 0, said='d90 = 7')]


def test_tables_say_whether_it_was_reached():
    said = bases_report.tables(LINES).splitlines()
    assert '| 900 | 1 | **1.6000** | 1.7000, 1.5000 | 40 % | small |' in said
    assert '| 12,000 | 1 | 1.3000 | one | 70 % | worse |' in said, 'not bold: something smaller is better'
    assert '- At most 1,024 bytes: small, 900 bytes, closes 40 % of the gap, at least a third.' in said
    assert '- At most 16,384 bytes: larger, 9,000 bytes, closes 75 % of the gap, **not** four fifths.' in said
    assert '- LoRA of rank 4, 30,000 bytes, closes 80 %; of what is no larger, larger, 9,000 bytes, closes 75 %: **less**.' in said
    assert '- The d90 of fine-tuning: d90 = 7.' in said
    assert bases_report.tables(LINES[:1]) == '' and bases_report.tables([]) == ''


def test_nothing_beside_lora_of_rank_4():
    alone = [some for some in LINES if some['name'] not in ('small', 'larger', 'worse')]
    said = bases_report.tables(alone)
    assert '- LoRA of rank 4' not in said and '| 30,000 | 1 | **1.2000** | one | 80 % | LoRA, rank 4 |' in said


def test_help_without_numpy(folder):
    (folder / 'numpy.py').write_text('raise ImportError\n')
    said = subprocess.run([root / 'models/bases', '--help'], env=dict(os.environ, PYTHONPATH=str(folder)), capture_output=True, text=True)
    assert said.returncode == 0 and 'models/bases --quick' in said.stdout, said.stderr


def test_what_is_refused(folder):
    (folder / 'there.md').write_text('no marks\n')
    for arguments, why in [(['--base', folder / 'b.smol'], f'--base: {folder}/b.smol: not there'),
                           (['--second', folder / 'c.smol'], f'--second: {folder}/c.smol: not there'),
                           (['--report', '--document', folder / 'there.md'], '--document: there is no <!-- tables -->')]:
        done = subprocess.run([sys.executable, root / 'models/bases.py', root, *arguments, '-o', folder / 'out'], capture_output=True, text=True)
        assert done.returncode == 1 and done.stderr.startswith(f'models/bases: {why}'), done.stderr


def test_a_picture(folder, gnuplot):
    bases_report.picture(LINES, folder)
    assert 'tuned to tinyshakespeare' in (folder / 'bases.svg').read_text()


@pytest.mark.slow
@pytest.mark.skipif(sanitized, reason='a minute with the sanitizers, of programs that other tests run with them')
def test_it_goes_on(folder):
    """On a base of one layer, with texts that are short for once."""
    data = folder / 'data'
    for path, _ in bases_runs.TEXTS.values():
        (data / path).parent.mkdir(parents=True, exist_ok=True)
        (data / path).write_bytes(b'To be, or not to be, that is the question.\n' * 1300)
    (data / bases_runs.GUTENBERG).parent.mkdir()
    (data / bases_runs.GUTENBERG).write_bytes(b'kept ' + bases_runs.CUT[0] + b' cut ' + bases_runs.CUT[1])
    run(smoltrain, '--data', root / 'README.md', '--method', 'embed', '--layers', '1', '--width', '8', '--heads', '2', '--context', '128', '--batch', '1',
        '--steps', '3', '--vocab', 'bytes', '--no-card', '--threads', '1', '--eval-every', '0', '-o', folder / 'b.smol')
    command = [sys.executable, root / 'models/bases.py', root, '--data', data, '--tools', build / 'tools', '--base', folder / 'b.smol', '--second', folder / 'b.smol',
               '--texts', 'tinyshakespeare', '--steps', '2', '--seeds', '1', '--jobs', '1', '--only', 'heads', '-o', folder / 'out']
    first = subprocess.run(command, capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    assert (folder / 'out' / 'gutenberg.txt').read_bytes() == b'kept ' + bases_runs.CUT[1]
    results = (folder / 'out' / 'results.jsonl').read_text()
    assert [json.loads(r)['name'] for r in results.splitlines()] == ['the base as it is', 'all of it', 'heads alone']
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 0 and again.stderr == '' and again.stdout == first.stdout
    assert (folder / 'out' / 'results.jsonl').read_text() == results
