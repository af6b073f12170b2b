"""Tables and pictures of what models/frontier.py has finished."""
import collections
import math
import statistics
import subprocess
import sys

import frontier_runs as runs
import rivals

FULL = {'ternary': 'ternary', 'q4': '4 bits', 'q8': '8 bits', 'f16': 'halves', 'f32': 'floats'}
NAMES = {'mask': 'masks', 'unit': 'frozen', 'own': 'alphas', 'shared': 'shared alphas', 'fastfood': 'Fastfood', 'fourier': 'Fourier', 'nola': 'NOLA'}
FEATURES = ('distances', 'slope-factors', 'temperatures', 'half-shift', 'relu2', 'output-table')
TITLES = {'tinyshakespeare': 'tinyshakespeare, the last 10 %', 'tinystories': 'TinyStories sample, the last 5 %'}
RIVAL_TITLES = {'ngram': 'n-gram table', 'xz': 'xz', 'bzip2': 'bzip2', 'ppmd': 'PPMd'}
RIVAL_KEYS = {  # (rival, how it was measured) -> its name in the picture
    ('ppmd', 'nats'): 'PPMd (7z)',
    ('bzip2', 'nats'): 'bzip2',
    ('xz', 'nats'): 'xz',
    ('ngram', 'nats'): 'n-gram table, packed',
}
TABLES = {
    'nats': 'What learns from the text that it reads, smol by a history:',
    'pieces': 'The same in pieces of 4,096 bytes, with nothing before each:',
    'alone': 'What knows only what is in its file, smol without a history:',
}
LABEL = 11  # pixels of a label's height


# ---- what a model is, from its recipe ----

def described(recipe):
    """{name, uses_seed} of a model trained elsewhere, by the recipe of its card or log."""
    stored = recipe.get('full') or recipe['matrices'] == 'stored' or recipe.get('matrix_type') == 'ternary' or recipe['matrices'] == 'ternary'
    kind = FULL[recipe.get('matrix_type', 'ternary')] if stored else NAMES.get(recipe['matrices'], recipe['matrices'])
    if not stored and recipe.get('rank'):
        kind = f"LoRA, rank {recipe['rank']}"
    if recipe.get('gains') and kind == 'frozen':
        kind = 'frozen with gains'
    block = 'GPT-2 ' if recipe.get('architecture', 'gpt2') == 'gpt2' else ''
    return {'name': f"{block}{kind}, {recipe['n_layers']} x {recipe['width']}", 'uses_seed': not stored}


def is_old_block(run):
    return run['name'].startswith(('GPT-2', 'without anything'))


def is_ablation(run):
    return run['name'].startswith('without')


class Group:
    """The seeds of one network, or one rival of a size."""

    def __init__(self, lines):
        first = lines[0]
        self.lines, self.name, self.steps = lines, first['name'], first['steps']
        self.uses_seed, self.is_old = first['uses_seed'], is_old_block(first)
        self.bytes = max(line['bytes'] for line in lines)
        self.nats = statistics.mean(line['nats'] for line in lines)
        self.windows = statistics.mean(line['windows'] for line in lines)
        self.numbers = first['numbers']
        with_history = [line['history'] for line in lines if 'history' in line]
        self.history = {key: statistics.mean(line[key] for line in with_history) for key in ('bytes', 'nats', 'pieces')} if with_history else None
        self.each = ', '.join(f"{line['nats']:.4f}" for line in sorted(lines, key=lambda line: line['seed']))


def distilled(recipe):
    return 'distilled from one that read other books too' if recipe.get('teachers') in runs.TEACHERS_WITH_BOOKS else 'distilled'


def details(line):
    """What a network's name leaves out."""
    recipe = line['recipe']
    missing = [f for f in FEATURES if f not in recipe['features']] if 'features' in recipe else []
    said = [recipe['embedding_type']]
    said += ['without ' + ' and '.join(missing)] if missing and not is_ablation(line) else []
    said += [f"context {recipe['context']}"] if recipe['context'] != 128 else []
    said += [f"dropout {recipe['dropout']:g}"] if recipe.get('dropout') else []
    said += ['other methods by tensor'] if recipe.get('rules') else []
    said += ['other books too'] if recipe.get('books') else []
    said += [distilled(recipe)] if recipe.get('teachers') or recipe.get('teacher_weight') else []
    said += [f"batch {recipe['batch']}"] if recipe['batch'] != 8 else []
    whole = f" of {recipe['n_steps']:,}" if line['steps'] < recipe.get('n_steps', 0) else ''
    return ', '.join([*said, f"{line['steps']:,}{whole} steps"])


def groups(lines, text):
    """Networks of a text, their seeds together; smallest first."""
    found = collections.defaultdict(dict)
    for line in lines:
        if line['kind'] == 'network' and line['text'] == text:
            found[line['name'], details(line), line['bytes'] // 2048].setdefault(line['seed'], line)
    return sorted((Group(list(seeds.values())) for seeds in found.values()), key=lambda g: (g.bytes, g.nats))


def rival_lines(lines, text, name):
    return sorted((line for line in lines if line['kind'] == 'rival' and line['text'] == text and line['name'] == name), key=lambda line: line['size'])


# ---- tables ----

class Score:
    """What a network reaches, alone or with a history."""

    def __init__(self, group, size, nats):
        self.name, self.n_seeds, self.bytes, self.nats = group.name, len(group.lines), size, nats


def scores(found, how):
    """How: 'alone', or with a history 'nats' or in 'pieces'."""
    if how == 'alone':
        return [Score(g, g.bytes, g.nats) for g in found]
    return [Score(g, g.history['bytes'], g.history[how]) for g in found if g.history]


def best(candidates, size):
    """The best of what takes at most so many bytes."""
    return min((c for c in candidates if c.bytes <= size), key=lambda c: c.nats, default=None)


def cell(score, is_best, is_new):
    """The name where it comes first: a larger file may hold the same."""
    if score is None:
        return '-'
    nats = f'**{score.nats:.3f}**' if is_best else f'{score.nats:.3f}'
    return f'{nats} {score.name}' if is_new else nats


def table_of_sizes(lines, text, how):
    """For each size the best of each kind: of networks 'alone' beside n-gram tables, or of what learns from the text that it reads, all of it ('nats') or
    in 'pieces'."""
    found = [g for g in groups(lines, text) if not is_ablation(g.lines[0])]
    kinds = [[g for g in found if g.uses_seed and not g.is_old], [g for g in found if not g.uses_seed and not g.is_old]]
    kinds += [[g for g in found if g.is_old]] if how == 'alone' else []
    kinds = [scores(kind, how) for kind in kinds]
    names = [name for name in rivals.RIVALS if rival_lines(lines, text, name) and (name == 'ngram') == (how == 'alone')]
    heads = ['bytes, at most', 'weights from a seed', 'all weights stored', *(["GPT-2's block"] if how == 'alone' else []), *(RIVAL_TITLES[name] for name in names)]
    rows, above = ['| ' + ' | '.join(heads) + ' |', '|---' * len(heads) + '|'], [None] * len(kinds)
    key = 'nats' if how == 'alone' else how
    for size in rivals.SIZES:
        networks = [best(kind, size) for kind in kinds]
        others = [min((line[key] for line in rival_lines(lines, text, name) if line['bytes'] <= size), default=None) for name in names]
        lowest = min([s.nats for s in networks if s] + [x for x in others if x is not None], default=None)
        cells = [cell(s, s is not None and s.nats == lowest, s is not None and (old is None or s.name != old.name)) for s, old in zip(networks, above)]
        cells += ['-' if x is None else f'**{x:.3f}**' if x == lowest else f'{x:.3f}' for x in others]
        rows.append(f'| {size:,} | ' + ' | '.join(cells) + ' |')
        above = networks
    return rows


def table_of_networks(found):
    rows = ['| file, bytes | numbers besides the embeddings | nats a byte, mean | each seed | in windows | with a history | in pieces | network | |', '|---|---|---|---|---|---|---|---|---|']
    for g in found:
        history = [f"**{g.history['nats']:.4f}**", f"{g.history['pieces']:.4f}"] if g.history else ['-', '-']
        rows.append(f'| {g.bytes:,} | {g.numbers:,} | {g.nats:.4f} | {g.each if len(g.lines) > 1 else "one"} | {g.windows:.4f} | ' + ' | '.join(history) + f' | {g.name} | {details(g.lines[0])} |')
    return rows


def tables(lines):
    out = []
    for text in runs.TEXTS:
        found = groups(lines, text)
        if not found and not any(rival_lines(lines, text, name) for name in rivals.RIVALS):
            continue
        out += [f'## {TITLES[text]}', '']
        for how, title in TABLES.items():
            out += [title, '', *table_of_sizes(lines, text, how), '']
        networks, ablations = ([g for g in found if is_ablation(g.lines[0]) == flag] for flag in (False, True))
        if networks:
            out += ['### Every network', '', *table_of_networks(networks), '']
        if ablations:
            out += ['### Without each change', '', *table_of_networks(sorted(ablations, key=lambda g: g.nats)), '']
        missing = [name for name in runs.NETWORKS if name not in {g.name for g in networks}]
        if missing and networks:
            names = ': ' + '; '.join(missing) if len(missing) <= 20 else ''
            out += [f'Not trained yet, of the {len(runs.NETWORKS)} networks of `models/frontier_runs.py`: {len(missing)}{names}.', '']
        if networks and not ablations and text == 'tinyshakespeare':
            out += ['The frozen network without each change: not trained yet.', '']
    return '\n'.join(out)


# ---- pictures ----

def frontier(points):
    """Of (bytes, nats, label), those that nothing smaller is as good as; smallest first."""
    kept = []
    for point in sorted(points):
        if not kept or point[1] < kept[-1][1]:
            kept.append(point)
    return kept


class Place:
    """Where a point of the picture is, in pixels: the margins are fixed, so that labels can be kept apart."""

    WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 540, 72, 16, 16, 56

    def __init__(self, xs, ys):
        self.x0, self.x1 = math.log2(min(xs)) - 0.3, math.log2(max(xs)) + 0.5
        self.y0, self.y1 = min(ys) - 0.09, min(max(ys), 2.9) + 0.05

    def of(self, x, y):
        return (self.LEFT + (math.log2(x) - self.x0) / (self.x1 - self.x0) * (self.WIDTH - self.LEFT - self.RIGHT),
                self.TOP + (self.y1 - y) / (self.y1 - self.y0) * (self.HEIGHT - self.TOP - self.BOTTOM))


def overlaps(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def labels(place, wanted, taken):
    """[(x, y, text, alignment)] of labels for points (x, y, text), none over another one or a box that is taken; a label without room is left out."""
    taken, found = list(taken), []
    for px, py, text in wanted:
        x, y = place.of(px, py)
        width = 6.1 * len(text)
        for dx, dy, align in ((-2, 12, 'right'), (9, 0, 'left'), (6, -10, 'left'), (6, 12, 'left'), (-9, 0, 'right'), (0, 24, 'right'), (6, 24, 'left'), (8, -22, 'left'), (0, 36, 'right')):
            left = x + dx - (width if align == 'right' else 0)
            box = (left, y + dy - LABEL / 2, left + width, y + dy + LABEL / 2)
            inside = box[0] > place.LEFT and box[2] < place.WIDTH - place.RIGHT and box[1] > place.TOP and box[3] < place.HEIGHT - place.BOTTOM - 8
            if inside and not any(overlaps(box, other) for other in taken):
                taken.append(box)
                found.append((x + dx, y + dy, text, align))
                break
    return found


def obstacles(place, curves, heights):
    """What labels must not cover: boxes along curves, of lines across the picture with their words, and of the key."""
    boxes = [(place.LEFT, y - 14, place.WIDTH, y + 2) for y in (place.of(1024, nats)[1] for nats in heights)]
    boxes.append((place.WIDTH - 400, place.TOP, place.WIDTH, place.TOP + 21 * len(curves)))
    for curve in curves:
        at = [place.of(*point[:2]) for point in curve]
        for (x0, y0), (x1, y1) in zip(at, at[1:] or at):
            n = 1 + int(math.hypot(x1 - x0, y1 - y0) / 5)
            boxes += [(x - 3, y - 3, x + 3, y + 3) for x, y in ((x0 + (x1 - x0) * i / n, y0 + (y1 - y0) * i / n) for i in range(n + 1))]
    return boxes


# kind -> colour, gnuplot's point, dash, width. smol's are solid and thick, rivals thin and dashed.
STYLES = {
    'seed': ('0072b2', 7, '1', 2.5), 'full': ('d55e00', 5, '1', 2), ('ppmd', 'nats'): ('cc79a7', 12, '3', 1.5), ('bzip2', 'nats'): ('7f7f7f', 2, '3', 1),
    ('xz', 'nats'): ('7f7f7f', 1, '3', 1), 'alone': ('56b4e9', 6, '2', 1.5), ('ngram', 'nats'): ('000000', 4, '3', 1.5), 'old': ('009e73', 9, '2', 1.5),
}
KEYS = {'seed': 'smol, weights from a seed', 'full': 'smol, all weights stored', 'alone': 'smol without a history', 'old': "GPT-2's block", **RIVAL_KEYS}


def series(lines, text):
    """kind -> [(bytes, nats, label)], all of them."""
    found = {kind: [] for kind in STYLES}
    for g in groups(lines, text):
        if not is_ablation(g.lines[0]):
            found['old' if g.is_old else 'alone'].append((g.bytes, g.nats, g.name))
        if g.history and not is_ablation(g.lines[0]):
            found['seed' if g.uses_seed else 'full'].append((g.history['bytes'], g.history['nats'], g.name))
    for name, how in RIVAL_KEYS:
        found[name, how] = sorted({(line['bytes'], line[how], '') for line in rival_lines(lines, text, name)})
    return {kind: points for kind, points in found.items() if points}


def script(found, text):
    """gnuplot's, without the terminal."""
    edges = {kind: frontier(points) for kind, points in found.items()}
    shown = [p for points in edges.values() for p in points]
    ceiling = [runs.NANOGPT['nats']] if text == 'tinyshakespeare' else []
    place = Place([p[0] for p in shown], [p[1] for p in shown] + ceiling)
    out = ["set border 3 linewidth 1 linecolor rgb '#555555'", "set tics nomirror textcolor rgb '#333333'", "set grid linecolor rgb '#e4e4e4' linewidth 1 linetype 1",
           'set logscale x 2', f'set lmargin at screen {place.LEFT / place.WIDTH}', f'set rmargin at screen {1 - place.RIGHT / place.WIDTH}',
           f'set tmargin at screen {1 - place.TOP / place.HEIGHT}', f'set bmargin at screen {place.BOTTOM / place.HEIGHT}',
           f'set xrange [{2 ** place.x0}:{2 ** place.x1}]', f'set yrange [{place.y0}:{place.y1}]', 'set ytics 0.1', "set key top right spacing 1.15 samplen 3",
           "set xlabel 'whole file (bytes)'", f"set ylabel 'nats a byte, {TITLES[text]}'",
           'set xtics (' + ', '.join(f"'{size >> 10} K' {size}" if size < 1 << 20 else f"'{size >> 20} M' {size}" for size in (1 << n for n in range(8, 23))) + ')']
    if ceiling:
        out += [f"set arrow 1 from graph 0, first {ceiling[0]} to graph 1, first {ceiling[0]} nohead linecolor rgb '#999999' dashtype 2",
                f"set label 1 '{runs.NANOGPT['name']}: {ceiling[0]:.2f} in 43 MB' at graph 0.01, first {ceiling[0]} offset 0, 0.6 left textcolor rgb '#777777' font ',11'"]
    plots = []
    for kind, points in found.items():
        colour, point, dash, width = STYLES[kind]
        block = f'kind{list(STYLES).index(kind)}'
        for which, data in (('all', points), ('edge', edges[kind])):
            out += [f'${block}_{which} << END', *(f'{x} {y}' for x, y, _ in data), 'END']
        line = f"linecolor rgb '#{colour}' pointtype {point} dashtype {dash} linewidth {width} pointsize 0.7"
        plots.append(f'${block}_edge using 1:2 with linespoints {line} title "{KEYS[kind]}"')
        if kind in ('seed', 'full', 'alone', 'old'):
            plots.append(f"${block}_all using 1:2 with points pointtype {point} pointsize 0.35 linecolor rgb '#{colour}' notitle")
    wanted = edges.get('seed', []) + edges.get('full', [])
    for n, (x, y, label, align) in enumerate(labels(place, wanted, obstacles(place, list(edges.values()), ceiling)), 10):
        out.append(f"set label {n} \"{label}\" at screen {x / place.WIDTH:.5f}, screen {1 - y / place.HEIGHT:.5f} {align} textcolor rgb '#333333' font ',10'")
    return '\n'.join(out) + '\nplot ' + ', '.join(plots) + '\n'


def draw(program, picture, size, points, script):
    """A picture, by gnuplot, which may be missing. size: width and height; points: of its text."""
    part = picture.with_suffix('.svg.tmp')
    head = f"set encoding utf8\nset terminal svg size {size[0]},{size[1]} dynamic background rgb 'white' font 'sans-serif,{points}'\nset output '{part.name}'\n"
    try:
        done = subprocess.run(['gnuplot', '-d'], input=(head + script).encode(), cwd=picture.parent, stderr=subprocess.PIPE)
    except FileNotFoundError:
        print(f'{program}: no {picture.name}: gnuplot is not installed', file=sys.stderr)
        return
    if done.returncode:
        print(f'{program}: {picture.name}: {done.stderr.decode(errors="replace").strip()}', file=sys.stderr)
        part.unlink(missing_ok=True)
    else:
        part.replace(picture)


def pictures(lines, folder):
    for text, name in (('tinyshakespeare', 'frontier.svg'), ('tinystories', 'frontier-stories.svg')):
        found = series(lines, text)
        if found:
            draw('models/frontier', folder / name, (Place.WIDTH, Place.HEIGHT), 12, script(found, text))
