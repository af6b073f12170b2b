"""smoltool quantize from outside: the new rows against SPEC.md 12 in NumPy, the losses it tells, and all else kept."""
import json

import numpy as np

import arith  # noqa: E402
import container  # noqa: E402
import models  # noqa: E402

from programs import root, run, smolrun, smoltool

F = np.float32


def quantize(source, kind, out, *more, **code):
    return run(smoltool, 'quantize', '--embeddings', kind, *more, source, '-o', out, **code)


def q8(x):
    scale = (np.abs(x).max(1) / F(127)).astype(F)[:, None]
    with np.errstate(all='ignore'):
        q = np.where(scale > 0, np.clip(np.rint(x / scale), -127, 127), 0).astype(F)
    return scale * q


def q4(x):
    """Groups of 32 columns, the last one maybe shorter."""
    scale = (np.abs(x).max(1) / F(1785)).astype(F)[:, None]
    out = np.zeros_like(x)
    with np.errstate(all='ignore'):
        for begin in range(0, x.shape[1], 32):
            group = x[:, begin:begin + 32]
            m = np.where(scale > 0, np.minimum(np.rint(np.abs(group).max(1, keepdims=True) / F(7) / scale), 255), 0).astype(F)
            step = scale * m
            q = np.where(step > 0, np.clip(np.rint(group / step), -7, 7), 0).astype(F)
            out[:, begin:begin + 32] = scale * (m * q)
    return out


KINDS = {'q8': (2, q8), 'q4': (3, q4), 'f16': (1, lambda x: x.astype(np.float16).astype(F)), 'q4-row': (6, lambda x: container.Table(6, *arith.to_q4_row(x)).floats())}


def test_rows(folder):
    """Random files of the reference: embeddings of every type into every smaller one."""
    for seed in range(10):
        m, out = folder / 'm.smol', folder / 'out.smol'
        m.write_bytes(container.write(models.random_model(seed, (1, 2, 70, 9, 24, 300), 1.0)))
        before = container.read(m.read_bytes())
        for kind, (number, encode) in KINDS.items():
            told = json.loads(quantize(m, kind, out, '--json').stdout)
            after = container.read(out.read_bytes())
            for name in ('wte', 'wpe'):
                old, new = getattr(before, name).floats(), getattr(after, name).floats()
                assert getattr(after, name).kind == number and np.array_equal(new, encode(old)), (seed, kind, name)
                off, size = (new - old).astype(np.float64), old.astype(np.float64)
                rms, own = (off ** 2).mean() ** 0.5, (size ** 2).mean() ** 0.5
                rows = ((off ** 2).mean(1) / (size ** 2).mean(1)) ** 0.5
                for key, want in (('rms_error', rms), ('relative_rms_error', rms / own), ('worst_row_relative_rms_error', rows.max())):
                    assert abs(told[name][key] - want) <= 1e-6 * want, (key, told, want)
                assert told[name]['from'] == ('f32', 'f16', 'q8', 'q4')[getattr(before, name).kind] and told[name]['to'] == kind
            assert told['file_bytes_before'] == m.stat().st_size and told['file_bytes_after'] == out.stat().st_size
            # Everything else is the old file's: with the old tables, and the version that they need, it is that file again.
            after.wte, after.wpe, after.minor = before.wte, before.wpe, before.minor
            assert container.write(after) == m.read_bytes()


def test_text(folder):
    """The losses of a text are smolrun's."""
    text = folder / 'text'
    text.write_bytes(b'First Citizen:\nBefore we proceed any further, hear me speak.\n' * 4)
    m, out = root / 'models/shakespeare-alpha.smol', folder / 'out.smol'
    told = json.loads(quantize(m, 'q4', out, '--text', text, '--json').stdout)
    for path, key in ((m, 'before'), (out, 'after')):
        want = json.loads(run(smolrun, path, '--perplexity', text, '--json').stdout)['nats_per_token']
        assert abs(told['nats_per_token_' + key] - want) < 1e-9
    page = quantize(m, 'q4', out, '--text', text).stdout.decode()
    assert all(w in page for w in ('wte  q8 to q4', 'wpe  q8 to q4', 'RMS error', 'perplexity')) and page.count('\n') == 4
    run(smoltool, 'verify', out)


def test_bad_input(folder):
    m, out = root / 'models/shakespeare-alpha.smol', folder / 'out'
    for bad in ([], [m], ['--embeddings', 'q8', m], [m, '-o', out], ['--embeddings', 'f32', m, '-o', out], ['--embeddings', 'q5', m, '-o', out],
                ['--embeddings', 'q8', m, m, '-o', out], ['--matrices', 'q4-row', m, '-o', out]):
        assert run(smoltool, 'quantize', *bad, code=2).stderr.startswith(b'smoltool quantize: ')
    (folder / 'short').write_bytes(m.read_bytes()[:-1])
    (folder / 'a').write_bytes(b'a')
    for source, to, more in ((folder / 'none', out, []), (folder / 'short', out, []), (m, folder / 'no/such', []), (m, folder, []),
                             (m, out, ['--text', folder / 'none']), (m, out, ['--text', folder / 'a'])):
        message = quantize(source, 'q4', to, *more, code=1).stderr
        assert message.startswith(b'smoltool quantize: ') and message.count(b'\n') == 1, message
    assert sorted(p.name for p in folder.iterdir()) == ['a', 'short']
