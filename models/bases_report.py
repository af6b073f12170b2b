"""Tables and a picture of what models/bases.py has finished."""
import collections
import math
import statistics

import bases_runs as runs
import frontier_report

TITLES = {'tinyshakespeare': 'tinyshakespeare', 'tinystories': 'the TinyStories sample'}
SIZES = [512, 1024, 4096, 16384, 65536]
# What was to be reached: of the gap, by a delta of so many bytes.
WANTED = [(1024, 1 / 3, 'a third'), (16384, 4 / 5, 'four fifths')]
FAMILIES = {  # how the method's name begins -> (key of the picture, colour, gnuplot's point)
    'lora': ('LoRA, alone and with more', 'd55e00', 5), 'nola': ('NOLA, alone and with more', 'cc79a7', 13), 'fastfood': ('Fastfood', '0072b2', 7),
    'alpha': ('alphas', '009e73', 9), 'fourier': ('Fourier', '56b4e9', 3), 'mask': ('masks', '000000', 4), 'embed': ('gains, biases, norms, sparse, rows, heads', '7f7f7f', 1),
}


class Group:
    """The seeds of one delta on one text."""

    def __init__(self, lines, gap):
        first = lines[0]
        self.name, self.method, self.numbers, self.lines = first['name'], first['method'], first['numbers'], lines
        self.bytes = max(line['bytes'] for line in lines)
        self.nats = statistics.mean(line['nats'] for line in lines)
        self.share = (gap[0] - self.nats) / (gap[0] - gap[1]) if gap and gap[0] != gap[1] else math.nan
        self.each = ', '.join(f"{line['nats']:.4f}" for line in sorted(lines, key=lambda line: line['seed'])) if len(lines) > 1 else 'one'


def of(lines, kind, text, **wanted):
    return [line for line in lines if line['kind'] == kind and line['text'] == text and all(line[k] == v for k, v in wanted.items())]


def gap_of(lines, text):
    """(the base as it is, all of it trained), in nats; None before both are there."""
    alone, full = of(lines, 'as it is', text, name='the base as it is'), of(lines, 'full', text)
    return (alone[-1]['nats'], full[-1]['nats']) if alone and full else None


def groups(lines, text, kind='delta'):
    """Smallest first."""
    found = collections.defaultdict(dict)
    for line in of(lines, kind, text):
        found[line['name'], line['steps']].setdefault(line['seed'], line)
    return sorted((Group(list(seeds.values()), gap_of(lines, text)) for seeds in found.values()), key=lambda g: (g.bytes, g.nats))


def percent(share):
    return '-' if math.isnan(share) else f'{100 * share:.0f} %'


def best(found, size):
    return min((g for g in found if g.bytes <= size), key=lambda g: g.nats, default=None)


def conclusions(found, lines, text):
    """Whether what was wanted is there, in sentences."""
    said = []
    for size, share, words in WANTED:
        g = best(found, size)
        if g:
            reached = 'at least' if g.share >= share else '**not**'
            said.append(f'- At most {size:,} bytes: {g.name}, {g.bytes:,} bytes, closes {percent(g.share)} of the gap, {reached} {words}.')
    rank4 = next((g for g in found if g.name == 'LoRA, rank 4'), None)
    g = rank4 and best([g for g in found if g.name != rank4.name], rank4.bytes)
    if g:
        closes = 'more' if g.share > rank4.share else '**less**'
        said.append(f'- LoRA of rank 4, {rank4.bytes:,} bytes, closes {percent(rank4.share)}; of what is no larger, {g.name}, {g.bytes:,} bytes, closes {percent(g.share)}: {closes}.')
    for line in of(lines, 'sweep', text)[-1:]:
        said.append(f"- The d90 of fine-tuning: {line['said']}.")
    return said


def table(found):
    rows = ['| file, bytes | numbers besides rows of tables | nats a byte, mean | each seed | of the gap | what is learned |', '|---|---|---|---|---|---|']
    edge = math.inf
    for g in found:
        mark = '**' if g.nats < edge else ''  # nothing smaller is as good
        edge = min(edge, g.nats)
        rows.append(f'| {g.bytes:,} | {g.numbers:,} | {mark}{g.nats:.4f}{mark} | {g.each} | {percent(g.share)} | {g.name} |')
    return rows


def table_of_mixes(lines, text):
    alone = [(line['nats'], line['name']) for line in of(lines, 'as it is', text)]
    heads = [(line['nats'], f"{line['name']}, on the first base") for line in of(lines, 'delta', text, name='heads alone', seed=1)]
    mixed = [(line['nats'], line['name']) for line in of(lines, 'mix', text)]
    rows = ['| nats a byte | |', '|---|---|']
    return rows + [f'| {nats:.4f} | {name} |' for nats, name in sorted(alone + heads + mixed, reverse=True)] if mixed else []


def tables(lines):
    out = []
    for text in runs.TEXTS:
        gap, found = gap_of(lines, text), groups(lines, text)
        if not gap or not found:
            continue
        full = of(lines, 'full', text)[-1]
        out += [f'### To {TITLES[text]}', '', f"The base as it is: {gap[0]:.4f} nats a byte. All of it trained, {full['bytes']:,} bytes: {gap[1]:.4f}.", '',
                *conclusions(found, lines, text), '', *table(found), '']
        mixes = table_of_mixes(lines, text)
        if mixes:
            out += ['#### Two bases mixed', '', *mixes, '']
    return '\n'.join(out)


# ---- the picture ----

def family(group):
    said = group.name.lower() if group.method == 'mixed' else group.method  # by tensor
    return next((name for name in FAMILIES if said.startswith(name)), 'embed')


def panel(lines, text, number):
    """gnuplot's, of one text: the share of the gap against bytes."""
    found, out, plots = groups(lines, text), [], []
    for n, (name, (title, colour, point)) in enumerate(FAMILIES.items()):
        members = [g for g in found if family(g) == name]
        if members:
            out += [f'$p{number}_{n} << END', *(f'{g.bytes} {100 * g.share:.2f}' for g in members), 'END']
            plots.append(f"$p{number}_{n} using 1:2 with points pointtype {point} pointsize 0.9 linecolor rgb '#{colour}' title '{title}'")
    edge = frontier_report.frontier((g.bytes, -g.share, g.name) for g in found)
    out += [f'$e{number} << END', *(f'{x} {-100 * y:.2f}' for x, y, _ in edge), 'END']
    plots.append(f"$e{number} using 1:2 with lines linecolor rgb '#bbbbbb' linewidth 1 notitle")
    out += [f"set title 'tuned to {TITLES[text]}' font ',12'", *(f"set arrow {n} from {size}, graph 0 to {size}, first {100 * share:.2f} nohead linecolor rgb '#999999' dashtype 3"
                                                             for n, (size, share, _) in enumerate(WANTED, 1))]
    return '\n'.join(out) + '\nplot ' + ', '.join(reversed(plots)) + '\n'


def picture(lines, folder):
    texts = [text for text in runs.TEXTS if gap_of(lines, text) and groups(lines, text)]
    if not texts:
        return
    xtics = ', '.join(f"'{size / 1024:g} K' {size}" for size in (512 << n for n in range(9)))
    head = f"""set border 3 linecolor rgb '#555555'
set tics nomirror textcolor rgb '#333333'
set grid linecolor rgb '#e4e4e4' linewidth 1 linetype 1
set logscale x 2
set xtics ({xtics})
set xrange [400:160000]
set yrange [0:105]
set xlabel 'bytes of the delta, signed'
set ylabel 'of the way from the base to all of it trained (%)'
set key bottom right spacing 1.1 samplen 1
set multiplot layout 1,{len(texts)}
"""
    script = head + ''.join(panel(lines, text, n) for n, text in enumerate(texts)) + 'unset multiplot\n'
    frontier_report.draw('models/bases', folder / 'bases.svg', (480 * len(texts), 440), 11, script)
