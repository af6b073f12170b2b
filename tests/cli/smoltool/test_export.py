"""smoltool export from outside: the files read by independent readers (gpt2_files.py), GPT-2 in NumPy over
what they hold against a session's logits, blocks against ggml's quantisation, memory, and bad input."""
import json
import subprocess
import sys

import numpy as np
import pytest

from gpt2_files import (F, Gguf, blocks_q4_0, blocks_q8_0, byte_letters, gguf_name, gpt2_of_each, half, read_npz,
                        read_safetensors)

from programs import build, root, run, sanitized, smoltool, tool

logits_program = str((build / 'tests/cli/logits').resolve())
models = root / 'models'


def new(path, *arguments):
    tool('new', '--layers', '2', '--width', '64', '--heads', '4', '--context', '24', '--ff', '96', *arguments, '-o', path)
    return path


def reference():
    """The reader and writer that tests/reference has, written from SPEC.md alone."""
    import container
    import models as random_models
    return container, random_models


def random_model(path, seed, shape=(2, 4, 64, 96, 24, 300)):
    """layers, heads, width, feed-forward, context, vocabulary; every kind of scheme and number, whatever the logit scale."""
    container, random_models = reference()
    path.write_bytes(container.write(random_models.random_model(seed, shape, 0.5)))
    return path


def weights(model, name):
    """The exact weights as doubles, by the tool that the reference checks."""
    folder = model.parent
    tool('weights', model, name, '-o', folder / 'w.npy')
    return np.load(folder / 'w.npy')


def session_logits(model, tokens):
    return np.frombuffer(run(logits_program, model, *tokens).stdout, F)


def spec_logits(model, prompts):
    """By the reference: as SPEC.md has it, and without its rounding of inputs to 16 bits (section 7). GPT-2 has none, so what is left is plain GPT-2."""
    container, _ = reference()
    import arith
    import forward
    loaded, quantise = forward.Model(container.read(model.read_bytes())), arith.quantise
    exact = [forward.Session(loaded).feed(tokens, last=True)[0] for tokens in prompts]
    arith.quantise = lambda x: (x.astype(np.float64), np.ones(len(x), F))
    try:
        return exact, [forward.Session(loaded).feed(tokens, last=True)[0] for tokens in prompts]
    finally:
        arith.quantise = quantise


def difference(a, b):
    return max(np.abs(x - y).max() for x, y in zip(a, b))


def compare_logits(model, tensors, config, prompts, tolerance=0):
    """The file against smol's own mathematics: the session has them to the bit, with a rounding that is left out here. The reference, which
    is slow, takes the first five prompts; under the sanitizers, which see only the programs, there is one.
    tolerance: of the session, where a library's Fourier transform decides."""
    prompts = prompts[:1] if sanitized else prompts
    exported = gpt2_of_each(tensors, config, prompts)
    session = [session_logits(model, tokens) for tokens in prompts]
    exact, spec = spec_logits(model, prompts[:5])
    assert difference(session, exact) <= tolerance
    largest = max(np.abs(x).max() for x in session)
    print('%s: of logits up to %.1f the largest difference is %.1e, without the rounding %.1e' % (
        model.stem, largest, difference(exported, session), difference(exported, spec)))
    assert difference(exported, spec) < max(1e-4, 1e-5 * largest)  # the reference's own floats
    assert difference(exported, session) < 1e-3 * largest
    return difference(exported, session)


def prompts(n, longest, vocab):
    rng = np.random.default_rng(5)
    return [rng.integers(0, vocab, rng.integers(1, longest + 1)).tolist() for _ in range(n)]


def export(model, folder, kind):
    out = folder / (kind + '-' + model.stem)
    tool('export', '--' + kind, model, '-o', out)
    tensors = read_safetensors(out / 'model.safetensors') if kind == 'safetensors' else read_npz(out / 'model.npz')
    return tensors, json.loads((out / 'config.json').read_text())


# Tests.

def test_logits_small(folder):
    """Every method of smoltool new."""
    words = ('embed', 'alpha', 'alpha-global', 'lora')
    for w, n, k in zip(words, ('frozen', 'alpha', 'stored', 'frozen'), ('f32', 'f16', 'q8', 'q4')):
        m = new(folder / (w + '.smol'), '--method', w, '--seed', '3', '--norms', n, '--embedding-type', k)
        tensors, config = export(m, folder, 'npz' if n == 'frozen' else 'safetensors')
        assert compare_logits(m, tensors, config, prompts(20, 24, config['vocab_size'])) < 1e-4


def test_logits_smol(folder):
    """Architecture smol, masks and stored matrices, past the context where there are distances."""
    for options in (['--method', 'mask', '--gains'], ['--method', 'ternary', '--without', 'output-table,half-shift'],
                    ['--method', 'full', '--matrix-type', 'q4', '--features', 'relu2,temperatures'], ['--method', 'lora', '--features', 'distances'],
                    ['--method', 'full', '--matrix-type', 'q8', '--bias', '--features', 'half-shift,output-table']):
        m = new(folder / 'm.smol', '--arch', 'smol', '--seed', '5', *options)
        tensors, config = export(m, folder, 'npz')
        longest = 60 if 'distances' in config['features'] else 24
        assert compare_logits(m, tensors, config, prompts(5, longest, config['vocab_size'])) < 1e-4


def test_smol_is_no_gguf(folder):
    m = new(folder / 'm.smol', '--arch', 'smol')
    done = run(smoltool, 'export', '--gguf', m, '-o', folder / 'm.gguf', code=1)
    assert done.stderr.endswith(b'GGUF has no architecture smol; --safetensors and --npz hold any\n'), done.stderr
    assert not (folder / 'm.gguf').exists()


@pytest.mark.slow
def test_logits_random(folder):
    """Learned numbers, scales and schemes of every kind, mixed; the logits are larger, and so is the rounding."""
    for seed in range(6):
        m = random_model(folder / ('random%d.smol' % seed), seed)
        tensors, config = export(m, folder, 'npz')
        compare_logits(m, tensors, config, prompts(20, 24, config['vocab_size']))


def test_logits_golden(folder):
    """One file for each kind of thing that a file can hold."""
    for m in sorted((models.parent / 'tests/golden/good').glob('*.smol')):
        (folder / m.name).write_bytes(m.read_bytes())
        tensors, config = export(folder / m.name, folder, 'npz')
        if m.stem != 'limits':  # whose numbers overflow
            compare_logits(m, tensors, config, prompts(3, min(24, config['n_ctx']), config['vocab_size']),
                           1e-3 if m.stem == 'fourier' else 0)


@pytest.mark.slow
def test_logits_shipped(folder):
    text = b'First Citizen:\nBefore we proceed any further, hear me speak.\n'
    for m in sorted(models.glob('shakespeare-*.smol'), key=lambda m: m.stat().st_size)[:3 if sanitized else None]:
        tensors, config = export(m, folder, 'safetensors')
        members = json.loads(tool('inspect', '--json', m).stdout).get('bytes') or range(256)
        tokens = [list(members).index(byte) for byte in text]
        compare_logits(m, tensors, config, [tokens[i:i + 40] for i in range(20)])


@pytest.mark.slow
def test_logits_gpt2(folder):
    """GPT-2's own shape, 124 million weights; the reference would take minutes."""
    if sanitized:
        pytest.skip('memory is not measured under the sanitizers')
    m = folder / 'gpt2.smol'
    tool('new', '--shape', 'gpt2', '--seed', '9', '-o', m)
    tensors, config = export(m, folder, 'safetensors')
    assert (config['n_layer'], config['n_embd'], config['n_head'], config['n_inner']) == (12, 768, 12, 3072)
    some = prompts(20, 12, 50257)
    for tokens, logits in zip(some, gpt2_of_each(tensors, config, some)):
        want = session_logits(m, tokens).astype(np.float64)
        error = logits - want
        assert (error ** 2).mean() ** 0.5 < 2e-4 * (want ** 2).mean() ** 0.5 and np.abs(error).max() < 5e-4


def test_values(folder):
    """Every tensor, against the weights by name: rounded to float, matrices transposed, the last norm times the logit scale."""
    for seed in range(6):
        m = random_model(folder / ('m%d.smol' % seed), seed)
        container, _ = reference()
        scale = container.read(m.read_bytes()).conf.logit_scale
        a, config = export(m, folder, 'safetensors')
        b, _ = export(m, folder, 'npz')
        layers = range(config['n_layer'])
        names = [line.split()[0] for line in tool('weights', '--list', m).stdout.decode().splitlines()]
        biases = ['h.%d.%s.bias' % (i, x) for i in layers for x in ('attn.c_attn', 'attn.c_proj', 'mlp.c_fc', 'mlp.c_proj')]
        assert sorted(a) == sorted(b) == sorted(set(names + biases))
        for name in a:
            assert a[name].tobytes() == b[name].tobytes() and a[name].shape == b[name].shape and b[name].dtype == F
        for name in biases:
            assert (name in names or not a[name].any()) and a[name].shape == (a[name[:-4] + 'weight'].shape[1],)
        for name in names:
            w = weights(m, name)
            w = w[0] if 'ln_' in name or name in biases else w.T if name.startswith('h.') else w
            w = w * float(scale) if name.startswith('ln_f') else w
            assert np.array_equal(a[name], w.astype(F)), name


def test_tiles(folder):
    """A transposed matrix that does not fit into one tile of 16 MiB."""
    m = folder / 'wide.smol'
    tool('new', '--layers', '1', '--width', '704', '--heads', '1', '--ff', '6500', '--context', '1', '--vocab', '9', '-o', m)
    t = export(m, folder, 'safetensors')[0]
    for name in ('h.0.mlp.c_fc.weight', 'h.0.mlp.c_proj.weight'):
        assert t[name].size * 4 > 2 ** 24 and np.array_equal(t[name], weights(m, name).T.astype(F))


def test_gguf(folder):
    """Every type's bytes against NumPy's, over the values of the safetensors, which other tests check."""
    kinds = {'f32': (0, 0, lambda x: x.astype('<f4').tobytes()), 'f16': (1, 1, lambda x: half(x).tobytes()),
             'q8_0': (8, 7, blocks_q8_0), 'q4_0': (2, 2, blocks_q4_0)}
    for seed in (0, 1):
        m = random_model(folder / ('m%d.smol' % seed), seed)
        tensors, config = export(m, folder, 'safetensors')
        for kind, (number, file_type, encode) in kinds.items():
            tool('export', '--gguf', '--type', kind, m, '-o', folder / 'g')
            g = Gguf(folder / 'g')
            assert sorted(g.tensors) == sorted(map(gguf_name, tensors))
            for name, x in tensors.items():
                got, ne, data = g.tensors[gguf_name(name)]
                x = x.T if name.startswith('h.') else x
                whole = x.ndim == 1 or name == 'wpe.weight'
                assert ne == x.shape[::-1] and got == (0 if whole else number), name
                assert data == (kinds['f32'][2] if whole else encode)(np.ascontiguousarray(x)), (kind, name)
            check_keys(g.keys, config, file_type)
    tool('export', '--gguf', m, '-o', folder / 'f32')
    assert Gguf(folder / 'f32').keys['general.file_type'] == 0


def check_keys(k, config, file_type):
    c, vocab = config, config['vocab_size']
    assert k['general.architecture'] == 'gpt2' and k['general.file_type'] == file_type and 'general.name' in k
    assert k.get('general.quantization_version') == (2 if file_type > 1 else None)
    assert [k['gpt2.' + x] for x in ('context_length', 'embedding_length', 'block_count', 'feed_forward_length', 'attention.head_count')] == [
        c[x] for x in ('n_ctx', 'n_embd', 'n_layer', 'n_inner', 'n_head')]
    assert F(k['gpt2.attention.layer_norm_epsilon']) == F(c['layer_norm_epsilon'])
    assert k['tokenizer.ggml.model'] == 'gpt2' and k['tokenizer.ggml.pre'] == 'gpt-2' and k['tokenizer.ggml.merges'] == []
    assert k['tokenizer.ggml.tokens'][:256] == byte_letters() and len(set(k['tokenizer.ggml.tokens'])) == vocab
    assert k['tokenizer.ggml.token_type'] == [1] * 256 + [5] * (vocab - 256)
    assert (k['tokenizer.ggml.bos_token_id'], k['tokenizer.ggml.eos_token_id'], k['tokenizer.ggml.add_bos_token']) == (10, 0, False)


def test_blocks(folder):
    """Values that rounding could get wrong: zeros, halves of a step, the smallest numbers, all in a table of f32."""
    container, random_models = reference()
    m = folder / 'm.smol'
    tool('new', '--layers', '1', '--width', '32', '--heads', '1', '--vocab', '64', '--context', '1', '--embedding-type', 'f32', '-o', m)
    smol = container.read(m.read_bytes())
    x = np.random.default_rng(1).normal(size=(64, 32)).astype(F)
    x[0] = 0
    x[1] = np.linspace(-127, 127, 32).round() / 2 + 0.25
    x[2] = np.arange(32) - 16
    x[3] = -x[2]
    x[4] *= F(1e-7)
    x[5, 3], x[5, 9] = 8, -8
    x[6] *= F(2.0 ** -140)
    smol.wte.numbers = x
    m.write_bytes(container.write(smol))
    with np.errstate(all='ignore'):
        for kind, encode in (('q8_0', blocks_q8_0), ('q4_0', blocks_q4_0), ('f16', lambda v: half(v).tobytes())):
            tool('export', '--gguf', '--type', kind, m, '-o', folder / 'g')
            got, want = Gguf(folder / 'g').tensors['token_embd.weight'][2], encode(x)
            size = len(want) // 64
            for row in range(64):
                if row != 6 or kind == 'f16':
                    assert got[row * size:(row + 1) * size] == want[row * size:(row + 1) * size], (kind, row)


def test_tokenizer_files(folder):
    for vocab in (256, 300, 100):
        m = new(folder / ('v%d.smol' % vocab), '--vocab', vocab)
        config = export(m, folder, 'safetensors')[1]
        out = folder / ('safetensors-v%d' % vocab)
        letters = dict(zip(byte_letters()[:vocab], range(256)))
        assert json.loads((out / 'vocab.json').read_text()) == letters
        assert (out / 'merges.txt').read_text() == '#version: 0.2\n'
        t = json.loads((out / 'tokenizer.json').read_text())
        assert t['model']['type'] == 'BPE' and t['model']['vocab'] == letters and t['model']['merges'] == []
        assert t['decoder']['type'] == t['pre_tokenizer']['type'] == 'ByteLevel'
        assert config['architectures'] == ['GPT2LMHeadModel'] and config['model_type'] == 'gpt2' and config['n_positions'] == 24
        assert config['activation_function'] == 'gelu_new' and config['tie_word_embeddings'] and config['bos_token_id'] == 10


def test_again(folder):
    """The same bytes again, over what was there."""
    m = new(folder / 'm.smol', '--method', 'lora')
    outs = []
    for _ in range(2):
        for kind in ('safetensors', 'npz'):
            tool('export', '--' + kind, m, '-o', folder / 'out')
        tool('export', '--gguf', '--type', 'q4_0', m, '-o', folder / 'out/g')
        outs.append({p.name: p.read_bytes() for p in (folder / 'out').iterdir()})
    assert outs[0] == outs[1] and sorted(outs[0]) == sorted(
        ['model.safetensors', 'model.npz', 'config.json', 'vocab.json', 'merges.txt', 'tokenizer.json', 'tokenizer_config.json', 'g'])


def test_bad_input(folder):
    m = new(folder / 'm.smol')
    odd = new(folder / 'odd.smol', '--ff', '70')
    out = folder / 'out'
    for bad in ([m], ['--npz', m], ['--npz', '-o', out], ['--npz', '--gguf', m, '-o', out], [m, '-o', out], ['--npz', m, m, '-o', out],
                ['--npz', '--type', 'f16', m, '-o', out], ['--gguf', '--type', 'q5_0', m, '-o', out]):
        assert tool('export', *bad, code=2).stderr.startswith(b'smoltool export: ')
    spoilt = bytearray(m.read_bytes())
    spoilt[-100] ^= 1
    (folder / 'spoilt').write_bytes(spoilt)
    (folder / 'file').write_bytes(b'x')
    for kind in ('--npz', '--safetensors', '--gguf'):
        for model, to in ((folder / 'none', out), (folder / 'spoilt', out), (m, folder / 'no/such'), (m, folder / 'file/x')):
            message = tool('export', kind, model, '-o', to, code=1).stderr
            assert message.startswith(b'smoltool export: ') and message.count(b'\n') == 1, message
    for kind in ('--npz', '--safetensors'):
        tool('export', kind, m, '-o', folder / 'file', code=1)
    tool('export', '--gguf', m, '-o', folder, code=1)
    for kind in ('q8_0', 'q4_0'):
        assert b'32' in tool('export', '--gguf', '--type', kind, odd, '-o', out, code=1).stderr
    assert sorted(p.name for p in folder.iterdir()) == ['file', 'm.smol', 'odd.smol', 'spoilt']


def test_too_large(folder):
    """Weights beyond halves end f16 and the blocks' scales, not f32; nothing is left behind."""
    container, _ = reference()
    m = folder / 'm.smol'
    tool('new', '--layers', '1', '--width', '32', '--heads', '1', '--vocab', '64', '--context', '1', '--embedding-type', 'f32', '-o', m)
    smol = container.read(m.read_bytes())
    smol.wte.numbers = smol.wte.numbers.copy()
    smol.wte.numbers[0, 5] = 1e8
    m.write_bytes(container.write(smol))
    for kind, code in (('f32', 0), ('f16', 1), ('q8_0', 1), ('q4_0', 1)):
        tool('export', '--gguf', '--type', kind, m, '-o', folder / kind, code=code)
    assert sorted(p.name for p in folder.iterdir()) == ['f32', 'm.smol']


def test_no_room(folder):
    """A limit on the size of files stands for a full disk: one line, no file."""
    m = new(folder / 'm.smol')
    for kind in ('npz', 'safetensors', 'gguf'):
        script = 'trap "" XFSZ; ulimit -f 100; exec "$0" export --%s "$1" -o "$2"' % kind
        done = subprocess.run(['bash', '-c', script, smoltool, str(m), str(folder / 'out')], capture_output=True, timeout=60)
        assert done.returncode == 1 and b'cannot write' in done.stderr and done.stderr.count(b'\n') == 1, done.stderr
        assert sorted(p.name for p in folder.iterdir()) == ['m.smol'], kind


def peak_bytes(*arguments):
    """The largest resident size of a child."""
    script = ('import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);'
              'print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)')
    return int(run(sys.executable, '-c', script, *arguments).stdout)


@pytest.mark.slow
def test_memory(folder):
    """One layer of gpt2-xl, with its embeddings: memory does not depend on the number of layers."""
    if sanitized:
        pytest.skip('memory is not measured under the sanitizers')
    m = folder / 'm.smol'
    tool('new', '--shape', 'gpt2-xl', '--layers', '1', '-o', m)
    for words in (['--safetensors'], ['--npz'], ['--gguf', '--type', 'q8_0']):
        peak = peak_bytes(smoltool, 'export', *words, m, '-o', folder / words[0])
        print('%s of gpt2-xl: %.0f MB at most' % (words[0], peak / 1e6))
        assert peak < 200e6
