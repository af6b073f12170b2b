"""Checkpoints of GPT-2 as other programs write them, made of random numbers: what test_import_checkpoint.py imports. Safetensors and GGUF
are written here from the formats' descriptions."""
import json
import struct

import numpy as np

from gpt2_files import F, blocks_q4_0, blocks_q8_0, byte_letters, gguf_name

SHAPE = {'n_layer': 2, 'n_head': 4, 'n_embd': 64, 'n_inner': 96, 'n_ctx': 24, 'vocab_size': 300}


def config_json(**more):
    c = {'architectures': ['GPT2LMHeadModel'], 'model_type': 'gpt2', 'activation_function': 'gelu_new', 'layer_norm_epsilon': 1e-5, **SHAPE, **more}
    return {**c, 'n_positions': c['n_ctx']}


def random_tensors(seed=0, **more):
    """Under Hugging Face's names, matrices as inputs x outputs; as large as training makes them, biases and all."""
    c, rng = {**SHAPE, **more}, np.random.default_rng(seed)
    width, ff = c['n_embd'], c['n_inner']

    def normal(std, *shape):
        return (std * rng.standard_normal(shape)).astype(F)
    t = {'wte.weight': normal(0.3, c['vocab_size'], width), 'wpe.weight': normal(0.1, c['n_ctx'], width)}
    for i in range(c['n_layer']):
        for name, inputs, outputs in (('attn.c_attn', width, 3 * width), ('attn.c_proj', width, width), ('mlp.c_fc', width, ff), ('mlp.c_proj', ff, width)):
            t['h.%d.%s.weight' % (i, name)] = normal(inputs ** -0.5, inputs, outputs)
            t['h.%d.%s.bias' % (i, name)] = normal(0.1, outputs)
    for name in ['h.%d.ln_%d' % (i, k) for i in range(c['n_layer']) for k in (1, 2)] + ['ln_f']:
        t[name + '.weight'], t[name + '.bias'] = 1 + normal(0.1, width), normal(0.1, width)
    return t


def bf16(x):
    """To nearest even."""
    bits = np.ascontiguousarray(x, F).view('<u4').astype(np.uint64)
    return ((bits + 0x7fff + (bits >> 16 & 1)) >> 16).astype('<u2')


ENCODE = {'F32': lambda x: x.astype('<f4'), 'F16': lambda x: x.astype('<f2'), 'BF16': bf16, 'F64': lambda x: x.astype('<f8')}
DECODE = {'F32': lambda a: a, 'F16': lambda a: a.astype(F), 'BF16': lambda a: (a.astype('<u4') << 16).view(F), 'F64': lambda a: a.astype(F)}


def rounded(tensors, kind):
    return {name: DECODE[kind](ENCODE[kind](x)) for name, x in tensors.items()}


def safetensors(tensors, kind='F32', prefix='', others=None, metadata=None):
    """others: name -> (type, array), as they are."""
    everything = {prefix + name: (kind, ENCODE[kind](x)) for name, x in tensors.items()}
    about, data = {'__metadata__': metadata or {'format': 'pt'}}, []
    at = 0
    for name, (number, a) in {**everything, **(others or {})}.items():
        about[name] = {'dtype': number, 'shape': list(a.shape), 'data_offsets': [at, at + a.nbytes]}
        data.append(a.tobytes())
        at += a.nbytes
    text = json.dumps(about).encode()
    text += b' ' * (-len(text) % 8)
    return struct.pack('<Q', len(text)) + text + b''.join(data)


def write_folder(folder, tensors, config=None, **more):
    """config: of config.json; False: none."""
    folder.mkdir(exist_ok=True)
    (folder / 'model.safetensors').write_bytes(safetensors(tensors, **more))
    if config is not False:
        (folder / 'config.json').write_text(json.dumps(config or config_json()))
    return folder


def write_shards(folder, tensors, n=3, config=None):
    """model-0000I-of-0000N.safetensors, tensors dealt out one by one, and their index."""
    folder.mkdir(exist_ok=True)
    names, where = sorted(tensors), {}
    for i in range(n):
        shard = 'model-%05d-of-%05d.safetensors' % (i + 1, n)
        (folder / shard).write_bytes(safetensors({name: tensors[name] for name in names[i::n]}))
        where.update(dict.fromkeys(names[i::n], shard))
    (folder / 'model.safetensors.index.json').write_text(json.dumps({'metadata': {'total_size': 1}, 'weight_map': where}))
    (folder / 'config.json').write_text(json.dumps(config or config_json()))
    return folder


def tokenizer_files(folder, n_merges=43):
    """vocab.json and merges.txt of 256 bytes, merges of ASCII letters and an end of text: 300 tokens."""
    letters = byte_letters()
    order = sorted(range(256), key=lambda b: (ord(letters[b]) >= 256, b))
    pairs = [a + ' ' + b for a in 'etaoin' for b in 'shrdlucm'][:n_merges]
    names = [letters[b] for b in order] + [p.replace(' ', '') for p in pairs] + ['<|endoftext|>']
    (folder / 'vocab.json').write_text(json.dumps({name: i for i, name in enumerate(names)}))
    (folder / 'merges.txt').write_text('#version: 0.2\n' + '\n'.join(pairs) + '\n')
    return names, pairs


# GGUF version 3, from ggml's docs/gguf.md.

GGUF_TYPES = {'F32': 0, 'F16': 1, 'Q4_0': 2, 'Q8_0': 8, 'F64': 28, 'BF16': 30}


def gguf_string(text):
    return struct.pack('<Q', len(text.encode())) + text.encode()


def gguf_value(kind, value):
    """kind: a letter of struct, s for text, or [kind] for a list."""
    codes = {'B': 0, 'b': 1, 'H': 2, 'h': 3, 'I': 4, 'i': 5, 'f': 6, '?': 7, 's': 8, 'Q': 10, 'q': 11, 'd': 12}

    def one(kind, value):
        return gguf_string(value) if kind == 's' else struct.pack('<' + kind, value)
    if isinstance(kind, list):
        return struct.pack('<IIQ', 9, codes[kind[0]], len(value)) + b''.join(one(kind[0], x) for x in value)
    return struct.pack('<I', codes[kind]) + one(kind, value)


def gguf_keys(names=None, pairs=(), **more):
    c = {**SHAPE, **more}
    keys = {'general.architecture': ('s', 'gpt2'), 'gpt2.context_length': ('I', c['n_ctx']), 'gpt2.embedding_length': ('I', c['n_embd']),
            'gpt2.block_count': ('I', c['n_layer']), 'gpt2.feed_forward_length': ('I', c['n_inner']),
            'gpt2.attention.head_count': ('I', c['n_head']), 'gpt2.attention.layer_norm_epsilon': ('f', 1e-5)}
    if names:
        keys.update({'tokenizer.ggml.model': ('s', 'gpt2'), 'tokenizer.ggml.pre': ('s', 'gpt-2'), 'tokenizer.ggml.tokens': (['s'], names),
                     'tokenizer.ggml.token_type': (['i'], [1] * (len(names) - 1) + [3]), 'tokenizer.ggml.merges': (['s'], pairs)})
    return keys


def gguf_bytes(x, kind):
    return {'Q8_0': blocks_q8_0, 'Q4_0': blocks_q4_0}[kind](x) if kind in ('Q8_0', 'Q4_0') else ENCODE[kind](x).tobytes()


def gguf_decoded(x, kind):
    """What the blocks stand for, a half times an integer, in float."""
    if kind in DECODE:
        return DECODE[kind](ENCODE[kind](x))
    data = np.frombuffer(gguf_bytes(x, kind), np.uint8).reshape(-1, 34 if kind == 'Q8_0' else 18)
    scale = data[:, :2].copy().view('<f2').astype(F)
    q = data[:, 2:].view(np.int8) if kind == 'Q8_0' else np.hstack([data[:, 2:] & 15, data[:, 2:] >> 4]).astype(np.int8) - 8
    return (scale * q.astype(F)).reshape(x.shape)


def gguf(tensors, kind='F32', keys=None, alignment=32):
    """Matrices of layers become outputs x inputs; vectors and positions stay whole, as llama.cpp has them."""
    keys = dict(keys or gguf_keys())
    infos, data = b'', b''
    for name, x in tensors.items():
        whole = x.ndim == 1 or name == 'wpe.weight'
        x = np.ascontiguousarray(x.T if name.startswith('h.') else x)
        own = 'F32' if whole and kind in ('Q8_0', 'Q4_0') else kind
        infos += gguf_string(gguf_name(name)) + struct.pack('<I%dQIQ' % x.ndim, x.ndim, *x.shape[::-1], GGUF_TYPES[own], len(data))
        data += gguf_bytes(x, own)
        data += bytes(-len(data) % alignment)
    head = b'GGUF' + struct.pack('<IQQ', 3, len(tensors), len(keys))
    head += b''.join(gguf_string(key) + gguf_value(*value) for key, value in keys.items()) + infos
    return head + bytes(-len(head) % alignment) + data
