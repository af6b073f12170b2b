"""smoltool import from outside: checkpoints written by checkpoints.py, GPT-2 in NumPy over them against a session's logits, what
export makes of the models, and checkpoints that are refused."""
import json
import signal
import struct
import subprocess
import sys
import time

import numpy as np
import pytest

from checkpoints import (ENCODE, SHAPE, config_json, gguf, gguf_decoded, gguf_keys, gguf_string, gguf_value, random_tensors, rounded,
                         tokenizer_files, write_folder, write_shards)
from gpt2_files import F, gguf_name, gpt2, read_npz
from programs import build, keys, run, sanitized, smoltool, tool

logits_program = str((build / 'tests/cli/logits').resolve())
TENSORS = random_tensors()


def import_model(source, *arguments, name='m.smol', folder=None):
    out = (folder or source.parent) / name
    tool('import', source, '-o', out, *arguments)
    tool('verify', out)
    return out


def refused(source, *arguments, code=1):
    """The one line that says why; nothing is left behind."""
    out = source.parent / 'refused.smol'
    message = tool('import', source, '-o', out, *arguments, code=code).stderr.decode()
    assert message.startswith('smoltool import: ') and not out.exists(), message
    return message


def exported(model):
    tool('export', '--npz', model, '-o', model.parent / 'exported')
    return read_npz(model.parent / 'exported/model.npz')


def difference(model, tensors, n_prompts=20, **config):
    c, rng = config_json(**config), np.random.default_rng(3)
    worst = 0
    for _ in range(n_prompts):
        tokens = rng.integers(0, c['vocab_size'], rng.integers(1, c['n_ctx'] + 1)).tolist()
        got = np.frombuffer(run(logits_program, model, *tokens).stdout, F)
        worst = max(worst, np.abs(got - gpt2(tensors, c, tokens)).max())
    return worst


def equal(a, b):
    return set(a) == set(b) and all(np.array_equal(a[k], b[k]) for k in a)


# Tests.

def test_logits(folder):
    """Whole numbers and halves are the checkpoint's own; of those in fewer bits the model is what export says."""
    source = write_folder(folder / 'hf', TENSORS)
    for kind, tolerance in (('f32', 1e-4), ('f16', 1e-3), ('q8', 1e-3), ('q4', 1e-3)):
        m = import_model(source, '--type', kind)
        weights = exported(m)
        if kind == 'f32':
            assert equal(weights, TENSORS)
        assert difference(m, weights) < tolerance


def test_types_of_tensors(folder):
    """Each type that safetensors hold: what is a half or can be a float stays."""
    for kind in ENCODE:
        source = write_folder(folder / kind, TENSORS, kind=kind)
        assert equal(exported(import_model(source, '--type', 'f32')), rounded(TENSORS, kind)), kind
    source = folder / 'F16'
    m = import_model(source, '--type', 'f16')
    assert equal(exported(m), rounded(TENSORS, 'F16'))
    assert difference(m, rounded(TENSORS, 'F16')) < 1e-3


def write_gguf(path, tensors, **more):
    path.write_bytes(gguf(tensors, **more))
    return path


def test_gguf(folder):
    """Each type, as NumPy decodes it; matrices are not transposed there."""
    for kind in ('F32', 'F16', 'BF16', 'Q8_0', 'Q4_0', 'F64'):
        source = write_gguf(folder / 'm.gguf', TENSORS, kind=kind)
        want = {name: x if kind in ('Q8_0', 'Q4_0') and (x.ndim == 1 or name == 'wpe.weight') else
                np.ascontiguousarray(gguf_decoded(np.ascontiguousarray(x.T), kind).T) if name.startswith('h.') and x.ndim == 2 else gguf_decoded(x, kind)
                for name, x in TENSORS.items()}
        m = import_model(source, '--type', 'f32')
        assert equal(exported(m), want), kind
        assert difference(m, want, 5) < 1e-4


def test_gguf_of_six_bits(folder):
    """Of a width of 256: what llama.cpp makes of the embeddings when it stores the rest as Q4_0."""
    more = {'n_embd': 256, 'n_head': 4, 'n_inner': 32, 'n_layer': 1, 'vocab_size': 3, 'n_ctx': 4}
    tensors, rng = random_tensors(1, **more), np.random.default_rng(1)
    block = rng.integers(0, 256, (3, 210)).astype(np.uint8)
    block[:, 208:] = np.array([[0.5], [-1e-3], [6e-8]], '<f2').view(np.uint8)
    low = np.concatenate([x for half in (0, 64) for x in np.hsplit(block[:, half:half + 64], 2) + np.hsplit(block[:, half:half + 64], 2)], axis=1)
    low = np.where(np.arange(256) % 128 < 64, low & 15, low >> 4)
    high = np.concatenate([block[:, 128 + 32 * half:160 + 32 * half] >> shift & 3 for half in (0, 1) for shift in (0, 2, 4, 6)], axis=1)
    scale = np.repeat(block[:, 192:208].view(np.int8), 16, axis=1).astype(np.float64)
    want = block[:, 208:].copy().view('<f2').astype(np.float64) * scale * ((low | high << 4).astype(np.float64) - 32)
    data = bytearray(gguf(tensors, 'Q4_0', gguf_keys(**more)))
    # The table's type, and its data in the place of Q4_0's, which needs less room: at the end.
    at = data.index(b'token_embd.weight') + len('token_embd.weight') + 4 + 16
    begin = len(gguf({}, 'F32', gguf_keys(**more)))
    infos = sum(8 + len(gguf_name(n)) + 4 + 8 * x.ndim + 12 for n, x in tensors.items())
    begin = -(-(len(b'GGUF') + 20 + sum(len(gguf_string(k) + gguf_value(*v)) for k, v in gguf_keys(**more).items()) + infos) // 32) * 32
    data[at:at + 12] = struct.pack('<IQ', 14, len(data) - begin)
    (folder / 'm.gguf').write_bytes(bytes(data) + block.tobytes())
    got = exported(import_model(folder / 'm.gguf', '--type', 'f32'))['wte.weight']
    assert np.array_equal(got, want.astype(F)) and np.abs(got).max() > 100


def test_gguf_own(folder):
    """What export writes: the same model comes back, its tokenizer too, of bytes or of merges."""
    (folder / 'text').write_text('to be or not to be, that is the question ' * 3)
    tool('tokenizer', 'train', folder / 'text', '--vocab', '270', '-o', folder / 't.smoltok')
    for tokens in ([], ['--tokenizer', folder / 't.smoltok'], ['--bytes-of', folder / 'text', '--end', '--other'], ['--vocab', '100']):
        tool('new', '--layers', '2', '--width', '64', '--heads', '2', '--context', '16', '--method', 'full', '--matrix-type', 'f32', '--bias',
             '--norms', 'stored', '--param-type', 'f32', '--embedding-type', 'f32', *tokens, '-o', folder / 'new.smol')
        tool('export', '--gguf', folder / 'new.smol', '-o', folder / 'm.gguf')
        tool('export', '--safetensors', folder / 'new.smol', '-o', folder / 'hf')
        for source in ('m.gguf', 'hf'):
            m = import_model(folder / source, '--type', 'f32', '--no-card')
            assert m.read_bytes() == (folder / 'new.smol').read_bytes(), (source, tokens)


def test_forms(folder):
    """Prefixed names, masks among the tensors, a tied output matrix, shards, a file alone: the same model."""
    plain = import_model(write_folder(folder / 'plain', TENSORS), '--no-card', name='plain.smol')
    mask = {'h.%d.attn.%s' % (i, name): ('F32', np.zeros(shape, '<f4')) for i in (0, 1) for name, shape in (('bias', (1, 1, 24, 24)), ('masked_bias', ()))}
    tied = {'lm_head.weight': ('F32', TENSORS['wte.weight'])}
    prefixed = {'transformer.' + name: about for name, about in mask.items()}
    for name, source in (('prefix', write_folder(folder / 'prefix', TENSORS, prefix='transformer.', others={**prefixed, **tied})),
                         ('masks', write_folder(folder / 'masks', TENSORS, others=mask)),
                         ('tied', write_folder(folder / 'tied', TENSORS, config_json(tie_word_embeddings=False), others=tied)),
                         ('inner', write_folder(folder / 'inner', TENSORS, config_json(activation_function='gelu_pytorch_tanh', n_inner=96))),
                         ('shards', write_shards(folder / 'shards', TENSORS))):
        assert import_model(source, '--no-card', name=name + '.smol').read_bytes() == plain.read_bytes(), name
    alone = write_folder(folder / 'alone', TENSORS, False) / 'model.safetensors'
    assert import_model(alone, '--heads', '4', '--no-card', folder=folder).read_bytes() == plain.read_bytes()
    assert import_model(folder / 'plain/model.safetensors', '--no-card', folder=folder).read_bytes() == plain.read_bytes()
    # Without heads: 64 to a head.
    m = import_model(alone, folder=folder)
    assert difference(m, exported(m), 5, n_head=1) < 1e-3


def test_output_table(folder):
    """An output matrix of its own."""
    own = np.ascontiguousarray(TENSORS['wte.weight'][::-1])
    source = write_folder(folder / 'hf', TENSORS, config_json(tie_word_embeddings=False), others={'lm_head.weight': ('F32', own)})
    m = import_model(source, '--type', 'f32')
    assert equal(exported(m), {**TENSORS, 'lm_head.weight': own}) and difference(m, {**TENSORS, 'lm_head.weight': own}) < 1e-4
    assert b'output-table' in tool('inspect', m).stdout
    (folder / 'm.gguf').write_bytes(gguf({**TENSORS, 'lm_head.weight': own}))
    assert equal(exported(import_model(folder / 'm.gguf', '--type', 'f32')), {**TENSORS, 'lm_head.weight': own})
    source = write_folder(folder / 'hf', TENSORS, config_json(tie_word_embeddings=True), others={'lm_head.weight': ('F32', own)})
    assert 'lm_head.weight: is not wte.weight, but config.json says that they are tied' in refused(source)
    assert 'there is no tensor lm_head.weight' in refused(write_folder(folder / 'hf', TENSORS, config_json(tie_word_embeddings=False)))


def test_trained(folder):
    """What smoltrain writes, with its own configuration in it."""
    (folder / 'text').write_text('To be, or not to be, that is the question.\n' * 20)
    run(build / 'tools/smoltrain', '--data', folder / 'text', '--arch', 'gpt2', '--method', 'full', '--layers', '1', '--width', '24', '--heads', '3',
        '--context', '16', '--batch', '2', '--steps', '3', '-t', '1', '-o', folder / 't.safetensors')
    tool('new', '--bytes-of', folder / 'text', '-o', folder / 'bytes.smol')
    source = folder / 't.safetensors'
    data = source.read_bytes()
    n = struct.unpack('<Q', data[:8])[0]
    header = json.loads(data[8:8 + n])
    config = json.loads(header['__metadata__']['smol.config'])
    assert config['n_head'] == 3
    vocab = header['wte.weight']['shape'][0]
    m = import_model(source, '--type', 'f32', *(['--tokenizer', folder / 'bytes.smol'] if vocab < 256 else []))
    got = exported(m)
    assert got['wte.weight'].tobytes() == data[8 + n:][slice(*header['wte.weight']['data_offsets'])]
    assert json.loads((folder / 'exported/config.json').read_text())['n_head'] == 3


def test_tokenizer(folder):
    """GPT-2's files, and GGUF's lists: the same tokens; without any, bytes, and a line that says so."""
    source = write_folder(folder / 'hf', TENSORS)
    names, pairs = tokenizer_files(source)
    m = import_model(source)
    text = 'the rest he had in store: \u00e9.<|endoftext|>'
    (folder / 'text').write_text(text)
    tokens = tool('tokenizer', 'encode', m, folder / 'text').stdout.split()
    assert [int(t) for t in tokens][-1] == 299 and len(tokens) < len(text) and max(map(int, tokens[:-1])) > 256
    (folder / 'm.gguf').write_bytes(gguf(TENSORS, keys=gguf_keys(names, pairs)))
    g = import_model(folder / 'm.gguf', name='g.smol')
    assert tool('tokenizer', 'encode', g, folder / 'text').stdout.split() == tokens
    tool('tokenizer', 'import', source / 'vocab.json', source / 'merges.txt', '-o', folder / 't.smoltok')
    (source / 'vocab.json').unlink()
    said = tool('import', source, '-o', folder / 'b.smol').stderr
    assert said.endswith(b'hf: has no tokenizer, so tokens are bytes; --tokenizer names one\n') and said.count(b'\n') == 1
    for named in (m, folder / 't.smoltok'):
        b = import_model(source, '--tokenizer', named, name='b.smol')
        assert tool('tokenizer', 'encode', b, folder / 'text').stdout.split() == tokens


def test_card_and_signature(folder):
    keys(folder, 'k')
    source = write_folder(folder / 'hf', TENSORS)
    tokenizer_files(source)
    tool('import', source, '-o', folder / 'm.smol', '--sign', folder / 'k.key', '--note', 'MIT licence')
    tool('verify', folder / 'm.smol', '--pubkey', folder / 'k.pub')
    about = json.loads(tool('inspect', '--json', folder / 'm.smol').stdout)
    assert about['card'] == {'made_by': 'smoltool import', 'source': 'hf', 'matrices': 'q8', 'embeddings': 'q8', 'note': 'MIT licence'}, about['card']
    tool('import', source, '-o', folder / 'n.smol', '--no-card')
    assert not json.loads(tool('inspect', '--json', folder / 'n.smol').stdout).get('card')


def test_refused_configurations(folder):
    for members, says in (({'model_type': 'llama'}, "model_type is 'llama', not gpt2"), ({'activation_function': 'relu'}, "activation_function is 'relu'"),
                          ({'activation_function': 5}, 'activation_function is'), ({'scale_attn_weights': False}, 'scale_attn_weights is not true'),
                          ({'scale_attn_by_inverse_layer_idx': True}, 'scale_attn_by_inverse_layer_idx is true'),
                          ({'add_cross_attention': True}, 'add_cross_attention is true'), ({'n_layer': 3}, 'layers: 3 are stated, but the tensors have 2'),
                          ({'n_embd': 63}, 'width: 63 are stated, but the tensors have 64'), ({'n_inner': None}, 'feed-forward width: 256 are stated'),
                          ({'n_ctx': 25}, 'context: 25'), ({'vocab_size': 299}, 'vocabulary: 299'), ({'n_head': 5}, 'config.json'),
                          ({'n_head': '4'}, 'n_head is not a whole number'), ({'n_head': 0}, 'n_head is not a whole number'),
                          ({'layer_norm_epsilon': 0}, 'layer_norm_epsilon'), ({'layer_norm_epsilon': 'x'}, 'layer_norm_epsilon'),
                          ({'layer_norm_epsilon': 1e30}, 'epsilon')):
        message = refused(write_folder(folder / 'hf', TENSORS, config_json(**members)))
        assert says in message and 'config.json' in message and message.count('\n') == 1, message
    (folder / 'hf/config.json').write_text('{"n_layer": 2,')
    assert 'config.json: byte' in refused(folder / 'hf') and 'not JSON' in refused(folder / 'hf')
    (folder / 'hf/config.json').write_text('[]')
    assert 'is not an object' in refused(folder / 'hf')
    write_folder(folder / 'hf', TENSORS)
    assert '4 heads are stated, not 2' in refused(folder / 'hf', '--heads', '2')


def without(name):
    return {k: v for k, v in TENSORS.items() if k != name}


def test_refused_tensors(folder):
    x = TENSORS['h.1.mlp.c_fc.weight']
    nan = TENSORS['h.1.mlp.c_fc.bias'].copy()
    nan[5] = np.nan
    for tensors, says in ((without('ln_f.bias'), 'there is no tensor ln_f.bias, which GPT-2 has'), (without('wte.weight'), 'there is no tensor wte.weight'),
                          (without('h.0.mlp.c_fc.weight'), 'h.0.mlp.c_fc.weight'), (without('h.1.attn.c_proj.bias'), 'there is no tensor h.1.attn.c_proj.bias'),
                          ({**TENSORS, 'h.1.mlp.c_fc.weight': x.T}, 'tensor h.1.mlp.c_fc.weight: its shape is (96, 64) where (64, 96) is needed'),
                          ({**TENSORS, 'ln_f.weight': np.ones((1, 64))}, 'tensor ln_f.weight: its shape is (1, 64) where (64) is needed'),
                          ({**TENSORS, 'ln_f.weight': np.ones((1, 1, 64))}, 'has 3 dimensions where (64) is needed'),
                          ({**TENSORS, 'wpe.weight': np.ones((24, 65))}, 'tensor wpe.weight: its shape is (24, 65)'),
                          ({**TENSORS, 'h.1.mlp.c_fc.bias': nan}, 'tensor h.1.mlp.c_fc.bias: number 5 is not a finite float'),
                          ({**TENSORS, 'h.0.attn.rotary': np.ones(2)}, 'tensor h.0.attn.rotary: GPT-2 has none of that name'),
                          ({**TENSORS, 'h.' + 'x' * 70: np.ones(2)}, 'GPT-2 has none of that name'),
                          ({**TENSORS, 'transformer.ln_f.bias': TENSORS['ln_f.bias']}, 'tensor ln_f.bias: is there twice')):
        message = refused(write_folder(folder / 'hf', tensors))
        assert says in message and 'hf/model.safetensors: ' in message and message.count('\n') == 1, message
    others = {'ln_f.weight': ('I64', np.ones(64, '<i8'))}
    assert 'tensor ln_f.weight: its numbers are of a type that is not read' in refused(write_folder(folder / 'hf', without('ln_f.weight'), others=others))
    large = {**TENSORS, 'wte.weight': TENSORS['wte.weight'] * F(1e6)}
    assert 'tensor wte.weight: a number is too large for f16' in refused(write_folder(folder / 'hf', large), '--type', 'f16')
    large['wte.weight'] = TENSORS['wte.weight'] * F(1e20)
    assert 'tensor wte.weight: a number is over 2^60' in refused(write_folder(folder / 'hf', large))


def test_refused_files(folder):
    (folder / 'empty').mkdir()
    assert 'empty: has neither model.safetensors nor model.safetensors.index.json' in refused(folder / 'empty')
    assert 'No such file' in refused(folder / 'none')
    (folder / 'empty/pytorch_model.bin').write_bytes(b'PK')
    assert 'pytorch_model.bin: is a checkpoint of PyTorch; save the model as safetensors' in refused(folder / 'empty')
    tool('new', '-o', folder / 'new.smol')
    assert 'new.smol: is a model of smol already' in refused(folder / 'new.smol')
    for name, data, says in (('zip', b'PK\3\4' + bytes(30), 'save the model as safetensors'), ('text', b'hello, this is text', 'header of'),
                             ('short', b'', 'ends'), ('json', b'{}', 'name its folder'), ('g', b'GGUF\3', 'ends inside its header')):
        (folder / name).write_bytes(data)
        assert says in refused(folder / name), refused(folder / name)
    shards = write_shards(folder / 'shards', TENSORS)
    index = json.loads((shards / 'model.safetensors.index.json').read_text())

    def with_map(**more):
        (shards / 'model.safetensors.index.json').write_text(json.dumps({'weight_map': {**index['weight_map'], **more}}))
    other = next(s for s in index['weight_map'].values() if s != index['weight_map']['wte.weight'])
    with_map(**{'wte.weight': other})
    assert 'index.json: tensor wte.weight is not in ' + other in refused(shards)
    with_map(**{'wte.weight': '../x'})
    assert 'tensor wte.weight: its file is not one of this folder' in refused(shards)
    with_map(**{'wte.weight': 'model-4.safetensors'})
    assert 'model-4.safetensors: cannot open' in refused(shards)
    with_map(**{str(i): str(i) for i in range(70)})
    refused(shards)
    (shards / 'model.safetensors.index.json').write_text('{}')
    assert 'index.json: has no weight_map' in refused(shards)
    # Options.
    alone = write_folder(folder / 'alone', random_tensors(n_embd=60), False) / 'model.safetensors'
    assert '--heads: is missing' in refused(alone, code=2)
    source = write_folder(folder / 'hf', TENSORS)
    for words in (['--type', 'ternary'], ['--type', 'q5'], ['--embedding-type', 'q4-row'], ['--heads', '0'], ['--heads', '1025'],
                  ['--password-file', source], ['--no-card', '--note', 'x']):
        refused(source, *words, code=2)
    refused(source, '--sign', folder / 'none.key')
    tool('import', source, code=2)
    tool('import', '-o', folder / 'x', code=2)


def test_refused_tokenizers(folder):
    source = write_folder(folder / 'hf', TENSORS)
    names, pairs = tokenizer_files(source)
    small = write_folder(folder / 'small', random_tensors(vocab_size=280), config_json(vocab_size=280))
    tokenizer_files(small)
    tool('tokenizer', 'import', source / 'vocab.json', source / 'merges.txt', '-o', folder / 't.smoltok')
    assert 'small/vocab.json: has 300 tokens, but the embeddings have 280' in refused(small)
    assert 't.smoltok: has 300 tokens, but the embeddings have 280' in refused(small, '--tokenizer', folder / 't.smoltok')
    (source / 'merges.txt').write_text('#version: 0.2\nq zz\n')
    assert 'merges.txt: ' in refused(source)

    def with_keys(**more):
        keys = gguf_keys(names, pairs)
        keys.update({k.replace('__', '.'): v for k, v in more.items() if v})
        for k in [k for k, v in more.items() if not v]:
            del keys[k.replace('__', '.')]
        (folder / 'm.gguf').write_bytes(gguf(TENSORS, keys=keys))
        return folder / 'm.gguf'
    for more, says in (({'general__architecture': ('s', 'llama')}, "general.architecture is 'llama', not gpt2"), ({'general__architecture': None}, 'has no general.architecture'),
                       ({'tokenizer__ggml__model': ('s', 'llama')}, 'tokenizer.ggml.model is not gpt2'), ({'tokenizer__ggml__pre': ('s', 'llama-bpe')}, 'tokenizer.ggml.pre is not gpt-2'),
                       ({'tokenizer__ggml__tokens': None}, 'has no list tokenizer.ggml.tokens'), ({'tokenizer__ggml__tokens': (['s'], names[:1] * 300)}, 'token 1 has the text of another'),
                       ({'tokenizer__ggml__tokens': (['s'], [*names[:299], 'a\0b'])}, 'm.gguf: token 299 contains a zero byte'),
                       ({'tokenizer__ggml__merges': (['s'], ['a\nb c'])}, 'a merge is not two tokens'), ({'tokenizer__ggml__merges': (['s'], pairs[1:])}, 'm.gguf: '),
                       ({'gpt2__block_count': ('I', 3)}, 'layers: 3 are stated'), ({'gpt2__block_count': ('s', 'x')}, 'gpt2.block_count is not a whole number'),
                       ({'gpt2__attention__head_count': ('f', 2.5)}, 'gpt2.attention.head_count is not a whole number'),
                       ({'gpt2__attention__layer_norm_epsilon': ('f', -1)}, 'layer_norm_epsilon is not a number over 0')):
        message = refused(with_keys(**more))
        assert says in message and message.count('\n') == 1, message
    tool('import', with_keys(gpt2__attention__head_count=None), '--heads', '4', '-o', folder / 'm.smol')


def test_streams(folder):
    """From a pipe and to one: the same bytes."""
    source = write_gguf(folder / 'm.gguf', TENSORS)
    m = import_model(source, '--no-card').read_bytes()
    assert tool('import', source, '--no-card', '-o', '/dev/stdout').stdout == m
    with open(source, 'rb') as file:
        assert subprocess.run([smoltool, 'import', '/dev/stdin', '--no-card', '-o', '/dev/stdout'], stdin=subprocess.Popen(
            ['cat'], stdin=file, stdout=subprocess.PIPE).stdout, capture_output=True, check=True, timeout=60).stdout == m


def sparse_gpt2(folder, **more):
    """Zeros that take no room on the disk; the names and shapes are those of a model."""
    c = {**SHAPE, 'n_embd': 1600, 'n_inner': 6400, 'n_layer': 1, 'vocab_size': 20000, 'n_ctx': 1024, **more}
    header = {}
    at = 0
    for name, x in random_tensors(n_embd=2, n_inner=3, n_layer=c['n_layer'], vocab_size=5, n_ctx=7).items():
        shape = [{2: c['n_embd'], 6: 3 * c['n_embd'], 3: c['n_inner'], 5: c['vocab_size'], 7: c['n_ctx']}[d] for d in x.shape]
        size = 4 * int(np.prod(shape))
        header[name] = {'dtype': 'F32', 'shape': shape, 'data_offsets': [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    folder.mkdir()
    with open(folder / 'model.safetensors', 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text)
        file.truncate(8 + len(text) + at)
    return folder


@pytest.mark.slow
def test_memory(folder):
    """A layer of gpt2-xl and 20,000 embeddings, 260 MB: what was read is given back."""
    if sanitized:
        pytest.skip('memory is not measured under the sanitizers')
    source = sparse_gpt2(folder / 'xl')
    script = ('import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);'
              'print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)')
    peak = int(run(sys.executable, '-c', script, smoltool, 'import', source, '-o', folder / 'xl.smol').stdout)
    print('importing a layer of gpt2-xl: %.0f MB at most' % (peak / 1e6))
    assert peak < 100e6


@pytest.mark.slow
def test_interrupted(folder):
    """Nothing is left, and the shell sees the signal; what was there stays."""
    source = sparse_gpt2(folder / 'xl')
    (folder / 'out').write_bytes(b'old')
    for number in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen([smoltool, 'import', source, '-o', folder / 'out'], stderr=subprocess.PIPE) as process:
            deadline = time.monotonic() + 60
            while not list(folder.glob('out.tmp-*')) and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(0.05)
            process.send_signal(number)
            said = process.communicate(timeout=60)[1]
        assert process.returncode == -number and said.endswith(b'out: interrupted\n'), (process.returncode, said)
        assert sorted(p.name for p in folder.iterdir()) == ['out', 'xl'] and (folder / 'out').read_bytes() == b'old'


@pytest.mark.slow
def test_changed_meanwhile(folder):
    """A checkpoint that is written to while it is read makes no model."""
    source = sparse_gpt2(folder / 'xl')
    with subprocess.Popen([smoltool, 'import', source, '-o', folder / 'out'], stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not list(folder.glob('out.tmp-*')) and time.monotonic() < deadline:
            time.sleep(0.002)
        with open(source / 'model.safetensors', 'r+b') as file:
            file.seek(-4, 2)
            file.write(b'\0\0\0\0')
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 1 and said.endswith(b'model.safetensors: the file changed while it was in use\n'), said
    assert not (folder / 'out').exists() and not list(folder.glob('out.tmp-*'))
