"""The pictures from outside: von Neumann's elephant, fitted outlines and training runs, drawn where independent
arithmetic says."""
import json
import os
import re
import struct
import xml.etree.ElementTree as ET

import numpy as np

from programs import build, run_text as run, tool_text as tool


def png_size(path):
    data = path.read_bytes()
    assert data[:8] == b'\x89PNG\r\n\x1a\n' and data[12:16] == b'IHDR' and data[-8:-4] == b'IEND'
    return struct.unpack('>II', data[16:24])


def element(path, kind, **attributes):
    """The elements of a kind that have these attributes."""
    return [e for e in ET.parse(path).iter('{http://www.w3.org/2000/svg}' + kind)
            if all(e.get(k) == v for k, v in attributes.items())]


def path_points(d):
    """The points of an M...L...Z path, y upwards."""
    assert re.fullmatch(r'M[-\d. ]+(L[-\d. ]+)*Z', d), d[:60]
    return np.array([[float(x) for x in p.split()] for p in re.split('[ML]', d[:-1])[1:]]) * [1, -1]


def placed(points, like):
    """Points moved and scaled by the one similarity, without a turn, that fits them to others best."""
    a, b = points - points.mean(0), like - like.mean(0)
    scale = (a * b).sum() / (a * a).sum()
    return scale, a * scale + like.mean(0)


def elephant(n):
    """Mayer, Khairy, Howard 2010, from the paper's four parameters 50 - 30i, 18 + 8i, 12 - 10i, -14 - 60i."""
    p = [50 - 30j, 18 + 8j, 12 - 10j, -14 - 60j]
    t = np.arange(n) * 2 * np.pi / n
    x = p[0].real * np.sin(t) + p[1].real * np.sin(2 * t) + p[2].real * np.cos(3 * t) + p[3].real * np.cos(5 * t)
    y = p[3].imag * np.cos(t) + p[0].imag * np.sin(t) + p[1].imag * np.sin(2 * t) + p[2].imag * np.sin(3 * t)
    return np.stack([y, -x], 1)


# Each test gets an empty folder.

def test_elephant(folder):
    svg = folder / 'e.svg'
    tool('elephant', '-o', svg)
    curve, = element(svg, 'path', id='curve')
    eye, = element(svg, 'circle', id='eye')
    drawn = path_points(curve.get('d'))
    true = elephant(len(drawn))
    scale, back = placed(drawn, true)
    assert len(drawn) >= 200 and np.abs(back - true).max() < 0.01, np.abs(back - true).max()
    at = (np.array([float(eye.get('cx')), -float(eye.get('cy'))]) - drawn.mean(0)) * scale + true.mean(0)
    assert np.abs(at - [20, 20]).max() < 0.01, at
    assert not element(svg, 'animate')
    width, height = (float(x) for x in ET.parse(svg).getroot().get('viewBox').split()[2:])
    assert 0 < drawn[:, 0].min() < drawn[:, 0].max() < width and 0 < -drawn[:, 1].max() < -drawn[:, 1].min() < height


def test_wiggle(folder):
    svg = folder / 'e.svg'
    tool('elephant', '-o', svg, '--wiggle')
    animate, = element(svg, 'animate', attributeName='d', repeatCount='indefinite')
    rest = path_points(element(svg, 'path', id='curve')[0].get('d'))
    stations = [path_points(d) for d in animate.get('values').split(';')]
    assert len(stations) == len(animate.get('keyTimes').split(';')) == 5
    assert len(animate.get('keySplines').split(';')) == 4
    trunk = elephant(len(rest))[:, 0] > 40
    moves = [s - rest for s in stations]
    for i in (0, 2, 4):
        assert np.abs(moves[i]).max() == 0
    for i, sign in ((1, 1), (3, -1)):
        assert np.abs(moves[i][~trunk]).max() == 0, 'the body moves'
        assert (sign * moves[i][trunk, 1]).max() > 30 and (sign * moves[i][trunk, 1] >= 0).all()
        assert np.abs(moves[i][:, 0]).max() == 0


def outline(n):
    """The last term has positive frequencies alone, so that no two coefficients are of one size, and roundings choose none."""
    t = np.arange(n) * 2 * np.pi / n
    z = 3 - 1j + 10 * np.exp(1j * t) * (1 + 0.3 * np.cos(5 * t) + 0.05 * np.sign(np.sin(9 * t + 0.1)) + 0.1j * np.sin(t))
    return z + 0.1 / (1 - 0.9 * np.exp(1j * t))


def best_fit(z, k):
    """NumPy's: the k largest coefficients, and what they miss."""
    c = np.fft.fft(z) / len(z)
    keep = np.argsort(-np.abs(c))[:k]
    kept = np.zeros_like(c)
    kept[keep] = c[keep]
    miss = np.abs(np.fft.ifft(kept) * len(z) - z)
    frequencies = np.rint(np.fft.fftfreq(len(z)) * len(z)).astype(int)
    return {frequencies[i]: c[i] for i in keep}, np.sqrt((miss ** 2).mean()), miss.max()


def test_fit(folder):
    for n, k in ((97, 6), (250, 11), (1000, 30)):
        z, points, svg = outline(n), folder / 'points', folder / 'f.svg'
        points.write_text('# a star\n\n' + ''.join(f' {p.real!r}\t{p.imag!r}\r\n' for p in z) + f'{z[0].real!r} {z[0].imag!r}')
        lines = tool('elephant', '--fit', points, '-k', k, '-o', svg).stdout.splitlines()
        terms, rms, most = best_fit(z, k)
        size = np.sqrt((np.abs(z - z.mean()) ** 2).mean())
        first = re.fullmatch(r'(\d+) of (\d+) coefficients: error (\S+) \((\S+) % of .*\), at most (\S+)', lines[0])
        assert first and [int(x) for x in first.group(1, 2)] == [k, n], lines[0]
        found = [float(x) for x in first.group(3, 4, 5)]
        assert np.allclose(found, [rms, 100 * rms / size, most], rtol=1e-4, atol=0.006), (found, rms, most)
        assert abs(found[0] - rms) < 1e-5 * rms + 1e-9
        rows = [line.split() for line in lines[2:]]
        assert len(rows) == k
        for f, re_, im in rows:
            assert abs(complex(float(re_), float(im)) - terms[int(f)]) < 1e-5, (f, re_, im)
        exact = json.loads(tool('elephant', '--fit', points, '-k', k, '-o', svg, '--json').stdout)
        assert exact['points'] == n and np.allclose([exact['rms_error'], exact['largest_error'], exact['size']], [rms, most, size])
        found = {c['frequency']: complex(c['real'], c['imaginary']) for c in exact['coefficients']}
        assert found.keys() == terms.keys() and all(abs(found[f] - terms[f]) < 1e-9 for f in terms)
        dots = element(svg, 'circle', **{'class': 'point'})
        drawn = np.array([[float(d.get('cx')), -float(d.get('cy'))] for d in dots])
        true = np.stack([z.real, z.imag], 1)
        scale, back = placed(drawn, true)
        assert len(dots) == n and np.abs(back - true).max() < 0.01
        curve = path_points(element(svg, 'path', id='curve')[0].get('d'))
        fitted = sum(c * np.exp(2j * np.pi * f * np.arange(len(curve)) / len(curve)) for f, c in terms.items())
        back = (curve - drawn.mean(0)) * scale + true.mean(0)
        assert len(curve) >= 720 and len(curve) % n == 0
        assert np.abs(back - np.stack([fitted.real, fitted.imag], 1)).max() < 0.01


def test_fit_with_every_coefficient_is_exact(folder):
    (folder / 'points').write_text('0 0\n4 0\n4 3\n')
    done = tool('elephant', '--fit', folder / 'points', '-k', '99', '-o', folder / 'f.svg')
    found = re.match(r'3 of 3 coefficients: error (\S+) ', done.stdout)
    assert float(found.group(1)) < 1e-12, done.stdout


def test_fit_finds_the_elephant(folder):
    """Its four parameters are eight coefficients, which is what --fit keeps unless told otherwise."""
    (folder / 'points').write_text(''.join(f'{x!r} {y!r}\n' for x, y in elephant(300).tolist()))
    done = tool('elephant', '--fit', folder / 'points', '-o', folder / 'f.svg')
    found = re.match(r'8 of 300 coefficients: error (\S+) ', done.stdout)
    assert float(found.group(1)) < 1e-9, done.stdout


def test_elephant_usage(folder):
    points, out = folder / 'points', folder / 'x.svg'
    points.write_text('0 0\n4 0\n4 3\n')
    for bad in (['-o', folder / 'x.gif'], ['-o', '.svg'], ['-o', '.pdf'], ['-o', folder / 'x.pdf', '--wiggle'], [], ['-o', out, '-k', '3'], ['-o', out, 'stray'],
                ['-o', folder / 'x.png', '--wiggle'], ['-o', out, '--wiggle', '--fit', points],
                ['-o', out, '--fit', points, '-k', '-1'], ['-o', out, '--fit', points, '-k', 'x']):
        done = tool('elephant', *bad, code=2)
        assert done.stderr.startswith('smoltool elephant: ') and done.stdout == '', (bad, done.stderr)
    tool('elephant', '-o', folder / 'no/such/x.svg', code=1)
    assert sorted(os.listdir(folder)) == ['points']


def test_bad_points(folder):
    points, out = folder / 'points', folder / 'x.svg'
    for text, place in ((b'', 'at least 3'), (b'0 0\n1 1\n0 0\n', 'at least 3'), (b'0 0\n1\n2 2\n', 'line 2'),
                        (b'0 0\n1 1\n1 2 3\n', 'line 3'), (b'0 0\n1 1\n1 nan\n', 'line 3'), (b'inf 0\n1 1\n1 2\n', 'line 1'),
                        (b'0 0\n1 1\n1e300 2\n', 'line 3'), (b'0 0\n1 1\nx y\n', 'line 3'), (b'0 0\n1 1\n1 2\0\n', 'zero byte')):
        points.write_bytes(text)
        done = tool('elephant', '--fit', points, '-o', out, code=1)
        assert done.stderr.startswith(f'smoltool elephant: {points}: ') and place in done.stderr, (text, done.stderr)
        assert done.stderr.count('\n') == 1 and not out.exists()
    tool('elephant', '--fit', folder / 'missing', '-o', out, code=1)
    tool('elephant', '--fit', folder, '-o', out, code=1)
    points.write_text('1 1\n' * 5)  # a point is an outline too, if a poor one
    tool('elephant', '--fit', points, '-o', out)
    assert 'nan' not in out.read_text() and 'inf' not in out.read_text()


def test_elephant_png(folder, gnuplot):
    png, svg = folder / 'e.png', folder / 'e.svg'
    tool('elephant', '-o', png)
    tool('elephant', '-o', svg)
    width, height = png_size(png)
    view = [float(x) for x in ET.parse(svg).getroot().get('viewBox').split()[2:]]
    assert abs(width / height - view[0] / view[1]) < 0.01
    (folder / 'points').write_text(''.join(f'{p.real} {p.imag}\n' for p in outline(50)))
    tool('elephant', '--fit', folder / 'points', '-o', png)
    png_size(png)


def pdf_size(path):
    """Of its one page, in points."""
    data = path.read_bytes()
    assert data.startswith(b'%PDF-1.') and data.rstrip().endswith(b'%%EOF')
    box, = re.findall(rb'/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]', data)
    return tuple(map(float, box))


def test_elephant_pdf(folder, gnuplot):
    tool('elephant', '-o', folder / 'e.pdf')
    tool('elephant', '-o', folder / 'e.svg')
    width, height = pdf_size(folder / 'e.pdf')
    view = [float(x) for x in ET.parse(folder / 'e.svg').getroot().get('viewBox').split()[2:]]
    assert abs(width - view[0]) < 2 and abs(height - view[1]) < 2


def test_fit_prints_zeros(folder):
    """What rounding leaves of a zero is one, beside the largest; what is small by itself stays."""
    for scale in (1.0, 1e-20, 1e20):
        t = 2 * np.pi * np.arange(360) / 360
        z = scale * (3 * np.exp(1j * t) + 1j * np.exp(-2j * t) + 1e-9 * np.exp(5j * t))
        (folder / 'points').write_text(''.join(f'{p.real!r} {p.imag!r}\n' for p in z.tolist()))
        fit = ['elephant', '--fit', folder / 'points', '-o', folder / 'f.svg', '-k', '5']
        rows = {int(f): (float(a), float(b)) for f, a, b in (line.split() for line in tool(*fit).stdout.splitlines()[2:])}
        found = {c['frequency']: (c['real'], c['imaginary']) for c in json.loads(tool(*fit, '--json').stdout)['coefficients']}
        assert rows.keys() == found.keys() and len(rows) == 5
        for where in rows, found:
            assert np.allclose([where[1][0], where[-2][1], where[5][0]], np.array([3, 1, 1e-9]) * scale, rtol=1e-5, atol=0)
            assert [where[1][1], where[-2][0], where[5][1]] == [0, 0, 0], where
            assert all(where[f] == (0, 0) for f in where.keys() - {1, -2, 5}), where
    (folder / 'points').write_text('0 0\n4 0\n4 3\n')
    assert tool('elephant', '--fit', folder / 'points', '-k', '3', '-o', folder / 'f.svg').stdout.startswith('3 of 3 coefficients: error 0 ')


def test_without_gnuplot(folder):
    done = tool('elephant', '-o', folder / 'e.png', code=1, env={'PATH': str(folder)})
    assert 'gnuplot' in done.stderr and 'not installed' in done.stderr and done.stderr.count('\n') == 1
    assert not os.listdir(folder)
    tool('elephant', '-o', folder / 'e.svg', env={'PATH': str(folder)})


def test_gnuplot_that_fails(folder):
    fake = folder / 'gnuplot'
    for script, says in (('echo "no such\x1b terminal" >&2; exit 1', 'no such'), ('kill -9 $$', 'failed'), ('exit 0', 'nothing')):
        fake.write_text('#!/bin/sh\n' + script + '\n')
        fake.chmod(0o755)
        done = tool('elephant', '-o', folder / 'e.png', code=1, env={'PATH': f'{folder}:/bin'})
        assert says in done.stderr and '\x1b' not in done.stderr and done.stderr.count('\n') == 1, done.stderr
        assert os.listdir(folder) == ['gnuplot']


def log_lines(method, *, d=5, rank=0, n_steps=40, every=10, loss=2.0, size=1000, speed=0.5, finished=True):
    """A log as smoltrain writes them, with made-up losses."""
    start = {'event': 'start', 'method': method, 'data': 'text', 'options': {'d': d, 'rank': rank, 'n_steps': n_steps},
             'learned_numbers': 9, 'non_embedding_params': 7, 'tokens_per_step': 64, 'step': 0}
    lines = [start]
    for step in range(1, n_steps + 1):
        lines.append({'event': 'train', 'step': step, 'tokens': 64 * step, 'loss': loss + 3 / step, 'seconds': speed * step})
        if step % every == 0:
            lines.append({'event': 'validation', 'step': step, 'stored': False, 'nats_per_token': loss + 2 / step,
                          'bits_per_byte': 1.5, 'tokens': 99, 'seconds': speed * step + 0.1})
    if finished:
        lines.append({'event': 'validation', 'step': n_steps, 'stored': True, 'nats_per_token': loss,
                      'bits_per_byte': loss / np.log(2), 'tokens': 99, 'seconds': speed * n_steps + 0.2})
        lines.append({'event': 'model', 'step': n_steps, 'bytes': 9999, 'non_embedding_bytes': size,
                      'non_embedding_params': 7})
    return lines


def write_log(path, *arguments, **options):
    path.write_text(''.join(json.dumps(line) + '\n' for line in log_lines(*arguments, **options)))
    return path


def plot(folder, *arguments, **more):
    svg = folder / 'plot.svg'
    tool('plot', '-o', svg, *arguments, **more)
    return svg


def series(svg):
    """Title, the first text of a group of gnuplot's -> the places of its points; and all the text there is."""
    ns = '{http://www.w3.org/2000/svg}'
    found = {}
    for group in ET.parse(svg).iter(ns + 'g'):
        if not (group.get('id') or '').startswith('gnuplot_plot_'):
            continue
        title = next((''.join(t.itertext()).strip() for t in group.iter(ns + 'text')), None)
        places = [re.match(r'translate\(([-\d.]+),([-\d.]+)\)', u.get('transform')).groups() for u in group.iter(ns + 'use')
                  if u.get('transform')]
        if title:
            found[title] = np.array(places, float)
    texts = [''.join(t.itertext()).strip() for t in ET.parse(svg).iter(ns + 'text')]
    return found, texts


def at(places, x, y, *, key=True):
    """Whether points lie at these values, on linear axes; the last is the key's unless there is none."""
    places = places[:-1] if key else places
    assert len(places) == len(x), (len(places), len(x))
    for pixels, values, down in ((places[:, 0], x, 1), (places[:, 1], y, -1)):
        slope, offset = np.polyfit(values, pixels, 1)
        assert np.abs(slope * np.asarray(values) + offset - pixels).max() < 0.3 and slope * down > 0


def test_curves(folder, gnuplot):
    a = write_log(folder / 'a.jsonl', 'alpha', loss=2.2, speed=100)
    b = write_log(folder / 'b.jsonl', 'lora', rank=4, n_steps=60, finished=False)
    steps = np.arange(10, 41, 10)
    for more, x, label in (([], steps, 'step'), (['--x', 'tokens'], 64 * steps, 'tokens'),
                           (['--x', 'seconds'], 100 * steps + 0.1, 'time (minutes)'),
                           (['--log-x'], np.log(steps), 'step')):
        found, texts = series(plot(folder, *more, a, b))
        assert label in texts and 'loss (nats per token)' in texts, texts
        assert set(found) >= {'alpha, d = 5', 'lora, rank 4'}, found.keys()
        at(found['alpha, d = 5'], x, np.log(2.2 + 2 / steps))
        assert len(found['lora, rank 4']) == 6 + 1
        assert sum('gnuplot_plot_' in line for line in (folder / 'plot.svg').read_text().splitlines()) == 4


def test_a_resumed_run_counts_once(folder, gnuplot):
    log = folder / 'log'
    first, again = log_lines('alpha', n_steps=40, finished=False), log_lines('alpha', n_steps=60)
    again = [again[0] | {'step': 20}] + [r | {'seconds': r.get('seconds', 10) - 10} for r in again[1:] if r['step'] > 20]
    log.write_text(''.join(json.dumps(r) + '\n' for r in first + again) + '{"event":"tra')
    steps = np.arange(10, 61, 10)
    at(series(plot(folder, log))[0]['alpha, d = 5'], steps, np.log(2 + 2 / steps))
    at(series(plot(folder, '--x', 'seconds', log))[0]['alpha, d = 5'], steps * 0.5 + 0.1, np.log(2 + 2 / steps))


def test_many_curves(folder, gnuplot):
    logs = [write_log(folder / f'{d}', 'alpha', d=d, loss=2 + d / 100) for d in range(1, 13)]
    found, texts = series(plot(folder, *logs))
    steps = np.arange(10, 41, 10)
    assert 'validation loss (nats per token)' in texts
    for d in range(1, 13):
        at(found[f'alpha, d = {d}'], steps, np.log(2 + d / 100 + 2 / steps))
    drawn = {tuple(map(int, c)) for c in re.findall(r'rgb\( *(\d+), *(\d+), *(\d+)\)', (folder / 'plot.svg').read_text())}
    okabe_ito = {(0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233)}
    assert okabe_ito <= drawn, drawn


def test_a_long_run_is_thinned(folder, gnuplot):
    log = write_log(folder / 'log', 'alpha', n_steps=20000, every=5000)
    svg = plot(folder, log)
    lines = [e.get('d') for e in element(svg, 'path') if e.get('d').count('L') > 50]
    assert lines and max(d.count('L') for d in lines) <= 160
    assert svg.stat().st_size < 60000


def test_the_first_steps_are_shown(folder, gnuplot):
    """A training's line begins at its first step and stays within the axes, wherever it comes from; numbers stand on the axis."""
    for loss, more in (2.0, []), (2.0, ['--log-x']), (0.01, []), (300.0, []):
        log = write_log(folder / 'log', 'alpha', loss=loss, n_steps=1000, every=100)
        svg = plot(folder, *more, log)
        line = max((e.get('d') for e in element(svg, 'path') if e.get('d')), key=lambda d: d.count('L') if 'L' in d else 0)
        points = np.array([re.match(r'[ML]?([-\d.]+),([-\d.]+)', p.strip()).groups() for p in re.findall(r'[ML][-\d.]+,[-\d.]+', line)], float)
        assert (points[:, 1] > 0).all() and (points[:, 1] < 520).all() and (points[:, 0] >= 50).all()
        dots = series(svg)[0]['alpha, d = 5'][:-1]
        slope, offset = np.polyfit(np.log(loss + 2 / np.arange(100, 1001, 100)), dots[:, 1], 1)
        if loss < 300:  # there all validations are alike
            assert abs(slope * np.log(loss + 3) + offset - points[0, 1]) < 1.5
        numbers = [float(t) for t in series(svg)[1] if re.fullmatch(r'\d*\.?\d+', t)]
        assert sum(loss * 0.9 < t < (loss + 3) * 1.1 for t in numbers) >= 3, (loss, numbers)


def hues(svg):
    """Title -> the colour of its line or points."""
    ns, found = '{http://www.w3.org/2000/svg}', {}
    for group in ET.parse(svg).iter(ns + 'g'):
        if (group.get('id') or '').startswith('gnuplot_plot_'):
            title = next((''.join(t.itertext()).strip() for t in group.iter(ns + 'text')), None)
            drawn = set(re.findall(r'rgb\( *(\d+), *(\d+), *(\d+)\)', ET.tostring(group, 'unicode'))) - {('0', '0', '0')}
            if title:
                found[title.split(',')[0]] = drawn
    return found


def test_a_method_has_one_colour(folder, gnuplot):
    """In every kind of picture, with others or without, in whatever order; and no two methods share one."""
    methods = ('embed', 'alpha', 'alpha-global', 'lora', 'nola', 'fastfood', 'fastfood-global', 'fourier', 'fourier-global', 'mask', 'ternary')
    logs = [write_log(folder / m, m, loss=2 + i / 10, size=1000 * (i + 1)) for i, m in enumerate(methods)]
    table = hues(plot(folder, '--kind', 'bytes', *logs))
    assert set(table) == set(methods) and all(len(c) == 1 for c in table.values()) and len(set(map(frozenset, table.values()))) == len(methods), table
    for some in logs[3:7], logs[::-2], logs[1:2]:
        for kind in 'bytes', 'curves', 'sweep':
            if kind != 'sweep' or any(log.name != 'embed' for log in some):
                found = hues(plot(folder, '--kind', kind, *some))
                assert found and all(table[m] <= c for m, c in found.items() if m in table), (kind, found)


def test_labels_do_not_overlap(folder, gnuplot):
    """Runs that lie close together, also at the right edge, and seeds in a column: each label by itself, and on no point."""
    logs = [write_log(folder / f'{m}-{d}-{s}', m, d=d, loss=2 + i / 150 + s / 200, size=5000 + 40 * i)
            for i, m in enumerate(('alpha', 'fastfood', 'fourier')) for d in (5, 1000) for s in (1, 2, 3)]
    logs += [write_log(folder / f'lora-{r}', 'lora', rank=r, loss=2.02 + r / 1000, size=5000) for r in (1, 2, 4, 8)]
    svg = plot(folder, '--kind', 'bytes', *logs)
    boxes = []
    for group in element(svg, 'g'):
        place = re.fullmatch(r'translate\(([-\d.]+),([-\d.]+)\)', group.get('transform') or '')
        text = ''.join(t.itertext() if False else t for e in group.iter() for t in [e.text or '']).strip()
        if place and re.fullmatch(r'(d = |rank )\d+', text):
            x, y = map(float, place.groups())
            boxes.append((x, x + 7 * len(text), y - 11, y + 1))
    points = [p for places in series(svg)[0].values() for p in places[:-1]]
    assert len(boxes) == 10, boxes
    for i, a in enumerate(boxes):
        assert 0 < a[0] and a[1] < 900 and 0 < a[2] and a[3] < 560
        assert not any(a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3] for b in boxes[:i]), boxes
        assert not any(a[0] < x < a[1] and a[2] < y < a[3] for x, y in points)


def sweep_logs(folder, losses, extra=()):
    logs = [write_log(folder / 'embed', 'embed', loss=3.0), write_log(folder / 'full', 'full', loss=2.0)]
    logs += [write_log(folder / f'fastfood-{d}', 'fastfood', d=d, loss=loss) for d, loss in losses]
    return logs + [write_log(folder / f'more-{i}', 'alpha', d=d, loss=loss) for i, (d, loss) in enumerate(extra)]


def test_sweep(folder, gnuplot):
    d, loss = np.array([1, 10, 100, 300, 1000]), np.array([2.9, 2.5, 2.101, 2.099, 2.05])
    logs = sweep_logs(folder, list(zip(d.tolist(), loss.tolist()))[::-1], [(1, 2.9), (1, 2.7), (30, 2.6)])
    found, texts = series(plot(folder, '--kind', 'sweep', *logs))
    at(found['fastfood'], np.log(d), loss)
    at(found['alpha'], np.log([1, 30]), [2.8, 2.6])
    assert 'd90 = 300' in texts and sum('d90' in t for t in texts) == 1, texts
    assert {'embed (baseline)', 'full', '90 % of the way from embed to full', 'validation loss (nats per token)'} <= set(texts)
    assert {'1', '10', '30', '100', '300', '1000'} <= set(texts)
    found, texts = series(plot(folder, '--kind', 'sweep', *logs[2:]))  # nothing to compare with
    assert len(found['fastfood']) == 6 and not any('d90' in t or 'full' in t for t in texts)
    tool('plot', '--kind', 'sweep', '-o', folder / 'x.svg', *logs[:2], code=1)


def test_bytes(folder, gnuplot):
    logs = [write_log(folder / 'embed', 'embed', loss=3.0, size=600)]
    logs += [write_log(folder / f'l{r}', 'lora', rank=r, loss=2.5 - 0.1 * r, size=1000 * r) for r in (1, 2, 4)]
    found, texts = series(plot(folder, '--kind', 'bytes', *logs))
    at(found['lora'], np.log([1000, 2000, 4000]), [2.4, 2.3, 2.1])
    assert len(found['embed']) == 2
    assert {'rank 1', 'rank 2', 'rank 4', 'bytes outside the embeddings', 'validation (bits per byte)'} <= set(texts)


def test_names_are_only_text(folder, gnuplot, monkeypatch):
    names = ["it's `touch a`", '$(touch b)', '<b>&amp;"', 'a_1^2{x} @y', 'x\ny', 'é', "'; system('touch c') #"]
    logs = [write_log(folder / name, 'alpha') for name in names]
    monkeypatch.chdir(folder)
    found, _ = series(plot(folder, *logs))
    for name in names:
        assert f"alpha, d = 5 ({name})".replace('\n', '?') in found, (name, found.keys())
    (folder / os.fsdecode(b'\xff')).write_bytes(logs[0].read_bytes())
    series(plot(folder, logs[0], folder / os.fsdecode(b'\xff')))
    assert not {'a', 'b', 'c'} & set(os.listdir(folder))


def test_a_real_log(folder, gnuplot):
    (folder / 'text').write_text('To be, or not to be, that is the question.\n' * 200)
    run(build / 'tools/smoltrain', '--data', folder / 'text', '--arch', 'gpt2', '--layers', '1', '--width', '16', '--heads', '2', '--context',
        '8', '--batch', '2', '--steps', '30', '--eval-every', '10', '--log', folder / 'log', '-o', folder / 'm.smol')
    records = [json.loads(line) for line in (folder / 'log').read_text().splitlines()]
    losses = [r['nats_per_token'] for r in records if r['event'] == 'validation' and not r['stored']]
    at(series(plot(folder, folder / 'log'))[0]['alpha, d = 5'], [10, 20, 30], np.log(losses))
    plot(folder, '--kind', 'bytes', folder / 'log')
    for kind in ('curves', 'bytes', 'sweep'):
        tool('plot', '--kind', kind, '-o', folder / 'plot.png', folder / 'log')
        width, height = png_size(folder / 'plot.png')
        assert width > height > 500
        tool('plot', '--kind', kind, '-o', folder / 'plot.pdf', folder / 'log')
        width, height = pdf_size(folder / 'plot.pdf')
        assert width > height > 500


def test_plot_usage(folder):
    log, out = write_log(folder / 'log', 'alpha'), folder / 'x.svg'
    for bad in (['-o', out], [log], ['-o', folder / 'x.eps', log], ['-o', out, '--kind', 'pie', log],
                ['-o', out, '--x', 'days', log], ['-o', out, '--kind', 'sweep', '--x', 'tokens', log],
                ['-o', out, '--kind', 'bytes', '--log-x', log], ['-o', out, *[log] * 257]):
        done = tool('plot', *bad, code=2)
        assert done.stderr.startswith('smoltool plot: ') and done.stdout == '', (bad, done.stderr)
    assert sorted(os.listdir(folder)) == ['log']


def test_bad_logs(folder):
    good = ''.join(json.dumps(r) + '\n' for r in log_lines('alpha'))
    log, out = folder / 'log', folder / 'x.svg'
    start, rest = good.split('\n', 1)
    for text, place in (('', 'empty'), ('\0\n', 'line 1'), ('[]\n', 'line 1'), (rest, 'line 1'), (good + '{"event":\n', 'not JSON'),
                        (good + '{"event": 7}\n', 'not a smoltrain record'), (start.replace('alpha', "al'pha") + '\n', 'line 1'),
                        (start.replace('"step": 0', '"step": -1') + '\n', 'line 1'), (start + '\n', 'no steps'),
                        (start + '\n{"event":"train","step":1,"seconds":1}\n', 'line 2'),
                        (start + '\n{"event":"train","step":"1","seconds":1,"loss":3}\n', 'line 2'),
                        (good + '{"event":"train","step":1,"seconds":1,"loss":3}\n', 'a step before')):
        log.write_text(text)
        done = tool('plot', '-o', out, log, code=1)
        assert done.stderr.startswith(f'smoltool plot: {log}: ') and place in done.stderr, (text, done.stderr)
        assert done.stderr.count('\n') == 1 and not out.exists()
    write_log(log, 'alpha', finished=False)
    for kind in ('sweep', 'bytes'):
        assert 'not finished' in tool('plot', '--kind', kind, '-o', out, log, code=1).stderr
    tool('plot', '-o', out, folder / 'missing', code=1)
    tool('plot', '-o', folder / 'no/such.svg', log, code=1)
    assert os.listdir(folder) == ['log']
