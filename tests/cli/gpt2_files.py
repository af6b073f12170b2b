"""What test_export.py reads exported files with, written from the formats' own descriptions: safetensors, .npz, GGUF and ggml's blocks;
and GPT-2 in NumPy."""
import json
import struct
import zipfile

import numpy as np

F = np.float32


def read_safetensors(path):
    """Every rule of the format: the header's length, its padding, offsets without holes to the end of the file."""
    data = path.read_bytes()
    n = struct.unpack('<Q', data[:8])[0]
    header = json.loads(data[8:8 + n])
    assert n % 8 == 0 and header.pop('__metadata__') == {'format': 'pt'}
    tensors, at = {}, 0
    for name, about in header.items():
        begin, end = about['data_offsets']
        assert begin == at and about['dtype'] == 'F32' and end - begin == 4 * np.prod(about['shape'])
        tensors[name] = np.frombuffer(data[8 + n + begin:8 + n + end], '<f4').reshape(about['shape'])
        at = end
    assert 8 + n + at == len(data)
    return tensors


def read_npz(path):
    with zipfile.ZipFile(path) as z:
        assert z.testzip() is None and all(i.compress_type == zipfile.ZIP_STORED for i in z.infolist())
    with np.load(path, allow_pickle=False) as d:
        return {k: d[k] for k in d.files}


class Gguf:
    """GGUF version 3, from ggml's docs/gguf.md."""

    def __init__(self, path):
        self.data, self.at = path.read_bytes(), 0
        assert self.take('<4sI') == (b'GGUF', 3)
        n_tensors, n_keys = self.take('<QQ')
        self.keys = {}
        for _ in range(n_keys):
            key = self.string()
            assert key not in self.keys
            self.keys[key] = self.value(self.take('<I')[0])
        infos = []
        for _ in range(n_tensors):
            name, n_dims = self.string(), self.take('<I')[0]
            infos.append((name, self.take('<%dQ' % n_dims), *self.take('<IQ')))
        self.at = -(-self.at // 32) * 32
        self.tensors, expected = {}, 0
        for name, ne, kind, offset in infos:
            n = int(np.prod(ne))
            size = n // 32 * {2: 18, 8: 34}[kind] if kind in (2, 8) else n * {0: 4, 1: 2}[kind]
            assert offset == expected and offset % 32 == 0 and name not in self.tensors
            begin = self.at + offset
            self.tensors[name] = kind, ne, self.data[begin:begin + size]
            expected = -(-(offset + size) // 32) * 32
        assert self.at + expected == len(self.data)

    def take(self, form):
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return values

    def string(self):
        n = self.take('<Q')[0]
        self.at += n
        return self.data[self.at - n:self.at].decode()

    def value(self, kind):
        if kind == 8:
            return self.string()
        if kind == 9:
            kind, n = self.take('<IQ')
            return [self.value(kind) for _ in range(n)]
        return self.take({4: '<I', 5: '<i', 6: '<f', 7: '<?'}[kind])[0]


# GPT-2.

def layer_norm(x, t, name, epsilon):
    z = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon)
    return z * t[name + '.weight'] + t[name + '.bias']


def linear(x, t, name):
    return x @ t[name + '.weight'] + t.get(name + '.bias', 0)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def shifted(x, t, name):
    """Channels that the position before gives, nothing before the first (SPEC.md 8)."""
    if name + '.shifted' not in t:
        return x
    return np.where(t[name + '.shifted'] > 0, np.concatenate([np.zeros_like(x[:, :1]), x[:, :-1]], axis=1), x)


def distances(t, config, n, layer):
    """What ALiBi adds to the scores of (head, position, position), and that the future and what is out of the window are not seen."""
    back = np.arange(n)[:, None] - np.arange(n)
    seen = (back >= 0) & (back < config['n_ctx'])
    slopes = np.array(config.get('slopes', [0] * config['n_head'])) * t.get('h.%d.attn.slope_factor' % layer, 1)
    return np.where(seen, -slopes[:, None, None] * np.where(seen, back, 0), -np.inf)


def gpt2(t, config, tokens):
    """The logits after the last token, in double: Radford et al. 2019 as Hugging Face has it (Conv1D is x W + b), or what architecture smol
    makes of it."""
    return gpt2_of_each(t, config, [tokens])[0]


def gpt2_of_each(t, config, prompts):
    """Of several prompts, which are computed together: no position sees what follows it, so what shorter ones are filled up with does not matter."""
    lengths, heads = np.array([len(tokens) for tokens in prompts]), config['n_head']
    n = lengths.max()
    tokens = np.array([[*prompt, *[0] * (n - len(prompt))] for prompt in prompts])
    epsilon, width = config['layer_norm_epsilon'], config['n_embd']
    x = t['wte.weight'][tokens].astype(np.float64) + (t['wpe.weight'][:n] if 'wpe.weight' in t else 0)
    for i in range(config['n_layer']):
        h = 'h.%d.' % i
        qkv = linear(shifted(layer_norm(x, t, h + 'ln_1', epsilon), t, h + 'attn.c_attn'), t, h + 'attn.c_attn')
        q, k, v = (a.reshape(-1, n, heads, width // heads).swapaxes(1, 2) for a in np.split(qkv, 3, axis=2))
        scale = t.get(h + 'attn.temperature', np.ones(heads))[:, None, None].astype(np.float64) / np.sqrt(width // heads)
        weight = softmax(q @ k.swapaxes(2, 3) * scale + distances(t, config, n, i))
        x = x + linear((weight @ v).swapaxes(1, 2).reshape(x.shape), t, h + 'attn.c_proj')
        f = linear(shifted(layer_norm(x, t, h + 'ln_2', epsilon), t, h + 'mlp.c_fc'), t, h + 'mlp.c_fc')
        if config['activation_function'] == 'relu2':
            f = np.maximum(f, 0) ** 2
        else:
            f = 0.5 * f * (1 + np.tanh(np.sqrt(2 / np.pi) * (f + 0.044715 * f ** 3)))
        x = x + linear(f, t, h + 'mlp.c_proj')
    last = layer_norm(x[np.arange(len(x)), lengths - 1], t, 'ln_f', epsilon)
    return last @ t.get('lm_head.weight', t['wte.weight']).T


def half(x):
    return x.astype(np.float16)


def blocks_q8_0(x):
    """ggml's quantize_row_q8_0_ref: d = amax / 127, roundf(x / d) by a reciprocal, away from zero at halves."""
    x = x.reshape(-1, 32).astype(F)
    d = (np.abs(x).max(1) / F(127)).astype(F)
    scaled = x * np.divide(F(1), d, out=np.zeros_like(d), where=d != 0)[:, None]
    q = (np.sign(scaled) * np.floor(np.abs(scaled).astype(np.float64) + 0.5)).astype(np.int8)
    return np.concatenate([half(d)[:, None].view(np.uint8), q.view(np.uint8)], axis=1).tobytes()


def blocks_q4_0(x):
    """ggml's quantize_row_q4_0_ref: d = the value of largest magnitude / -8, min(15, (int)(x / d + 8.5))."""
    x = x.reshape(-1, 32).astype(F)
    d = (x[np.arange(len(x)), np.abs(x).argmax(1)] / F(-8)).astype(F)
    inverse = np.divide(F(1), d, out=np.zeros_like(d), where=d != 0)[:, None]
    q = np.minimum(15, (x * inverse + F(8.5)).astype(np.int8)).astype(np.uint8)
    return np.concatenate([half(d)[:, None].view(np.uint8), q[:, :16] | q[:, 16:] << 4], axis=1).tobytes()


GGUF_NAMES = {'wte': 'token_embd', 'lm_head': 'output', 'wpe': 'position_embd', 'ln_f': 'output_norm', 'ln_1': 'attn_norm', 'ln_2': 'ffn_norm', 'attn.c_attn': 'attn_qkv',
              'attn.c_proj': 'attn_output', 'mlp.c_fc': 'ffn_up', 'mlp.c_proj': 'ffn_down'}


def gguf_name(name):
    stem, _, part = name.rpartition('.')
    if not name.startswith('h.'):
        return '%s.%s' % (GGUF_NAMES[stem], part)
    _, n, stem = stem.split('.', 2)
    return 'blk.%s.%s.%s' % (n, GGUF_NAMES[stem], part)


def byte_letters():
    """GPT-2's bytes_to_unicode."""
    bs = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    rest = [b for b in range(256) if b not in bs]
    letters = dict(zip(bs + rest, [chr(b) for b in bs] + [chr(256 + i) for i in range(len(rest))]))
    return [letters[b] for b in range(256)]
