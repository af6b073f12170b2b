"""smolrun --bench from outside: its three formats, what the figures must agree on, wrong arguments."""
import csv
import io
import json
import statistics

from programs import model, run, smolrun


def bench(m, *arguments, code=0):
    return run(smolrun, '--bench', m, *arguments, code=code)


def near(a, b):
    return abs(a - b) <= 1e-3 * abs(b) + 1e-3


def test_json(folder):
    m = model(folder)
    rows = json.loads(bench(m, '-p', '8,3', '-n', '4', '-r', '3', '-t', '1', '-o', 'json').stdout)
    assert [(r['n_prompt'], r['n_gen'], r['n_threads']) for r in rows] == [(8, 0, 1), (3, 0, 1), (0, 4, 1)]
    for r in rows:
        samples = r['samples_ts']
        assert len(samples) == 3 and min(samples) > 0
        assert near(r['avg_ts'], statistics.mean(samples)) and near(r['stddev_ts'], statistics.stdev(samples)), r
        assert r['model_size'] == m.stat().st_size and r['model_filename'] == str(m)
        # the mean of times and of rates agree up to their spread
        assert min(samples) * 0.999 <= (r['n_prompt'] + r['n_gen']) / (r['avg_ns'] * 1e-9) <= max(samples) * 1.001
        assert 0 < r['session_bytes'] and m.stat().st_size < r['peak_memory_bytes']


def test_csv_and_threads(folder):
    m = model(folder, name='a "b",c.smol')
    rows = list(csv.DictReader(io.StringIO(bench(m, '-p', '5', '-n', '2', '-r', '1', '-t', '2,1', '-o', 'csv').stdout.decode())))
    assert [(r['n_prompt'], r['n_gen'], r['n_threads']) for r in rows] == [
        ('5', '0', '2'), ('0', '2', '2'), ('5', '0', '1'), ('0', '2', '1')]
    assert all(r['model_filename'] == str(m) and float(r['avg_ts']) > 0 and float(r['stddev_ts']) == 0 for r in rows)


def test_markdown(folder):
    lines = bench(model(folder), '-p', '5', '-n', '2', '-r', '2', '-t', '1').stdout.decode().splitlines()
    assert len(lines) == 4 and all(line.startswith('| ') and line.endswith(' |') for line in lines)
    assert len({line.count('|') for line in lines}) == 1
    assert '| pp5 |' in lines[2] and '| tg2 |' in lines[3] and ' ± ' in lines[3]


def test_texts_side_by_side(folder):
    m = model(folder)
    rows = json.loads(bench(m, '-p', '5', '-n', '4,2', '-r', '2', '-t', '1', '-np', '1,3', '-o', 'json').stdout)
    assert [(r['n_prompt'], r['n_gen'], r['n_texts']) for r in rows] == [(5, 0, 1), (0, 4, 1), (0, 4, 3), (0, 2, 1), (0, 2, 3)]
    for r in rows:  # the speed is that of all texts
        assert min(r['samples_ts']) * 0.999 <= (r['n_prompt'] + r['n_gen'] * r['n_texts']) / (r['avg_ns'] * 1e-9) <= max(r['samples_ts']) * 1.001
    assert '| tg2, 3 texts |' in bench(m, '-p', '0', '-n', '2', '-r', '1', '-t', '1', '--parallel', '3').stdout.decode()


def test_clipped(folder):
    m = model(folder)
    done = bench(m, '-r', '1', '-t', '1', '-o', 'json')
    assert [(r['n_prompt'], r['n_gen']) for r in json.loads(done.stdout)] == [(24, 0), (0, 24)]
    assert done.stderr.count(b'over the model') == 2
    assert json.loads(bench(m, '-p', '0', '-n', '1', '-r', '1', '-o', 'json').stdout)[0]['n_gen'] == 1


def test_wrong(folder):
    m = model(folder)
    for bad in (['-p', ''], ['-p', '1,'], ['-p', 'x'], ['-n', '-1'], ['-n', '99999999999'], ['-t', '257'], ['-t', '1,x'],
                ['-r', '0'], ['-r', '1001'], ['-r', 'x'], ['-o', 'xml'], ['--isa', 'x'], ['more'], ['--nonsense'],
                ['-p', ','.join('1' * 17)], ['-p', '0', '-n', '0,0']):
        done = bench(m, *bad, code=2)
        lines = done.stderr.decode().splitlines()
        assert done.stdout == b'' and len(lines) == 2 and lines[0].startswith('smolrun: '), (bad, done)
    assert bench(folder / 'none', code=1).stderr.decode().startswith(f'smolrun: {folder / "none"}: ')
    run(smolrun, '--bench', code=2)
    assert b'--repetitions' in run(smolrun, '--bench', '--help').stdout
    assert b'--bench' in run(smolrun, '--help').stdout
