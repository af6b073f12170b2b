"""Language models from a seed: .smol files opened, run and taken apart, over the C library libsmol.

    import smol
    model = smol.Model.load('model.smol')
    print(model.generate('Once upon a time', n=200, seed=1))
    logits = model.logits('Once')                      # float32, (V,)
    w = model.weights('h.0.attn.c_attn.weight')        # float64, (outputs, inputs), exact

The same file, prompt and seed give the same text as smolrun, on every machine. What the library refuses raises smol.Error.
The environment variable SMOL_LIBRARY names another libsmol.so. Only logits() and weights() need NumPy.
"""
import ctypes
import os
from ctypes import byref, c_size_t, c_uint32, c_void_p, sizeof

from . import _library
from ._library import Error

__all__ = ['Error', 'Model', 'version']

_lib = _library.load()


def version():
    """Of the library that runs."""
    return _lib.smol_version().decode()


class _Text:
    """A text that grows, with a session of its own."""

    def __init__(self, model, threads, seed=0, sampling=()):
        session, sampler = _library.SessionOptions(sizeof(_library.SessionOptions), n_threads=threads), _library.SamplerOptions()
        _lib.smol_sampler_defaults(byref(sampler), sizeof(sampler))
        for name, value in dict(sampling, seed=seed).items():
            if name == 'struct_bytes' or name not in dict(sampler._fields_):
                raise TypeError('unknown option %r' % name)
            setattr(sampler, name, value)
        self._model = model  # outlives the text
        self._handle = c_void_p()
        _lib.smol_text_create(byref(self._handle), model._opened(), byref(session), byref(sampler))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        _lib.smol_text_destroy(self._handle)
        self._handle = c_void_p()

    def append(self, tokens):
        _lib.smol_text_append(self._handle, (c_uint32 * len(tokens))(*tokens), len(tokens))

    def feed(self):
        _lib.smol_text_feed(self._handle)

    def next(self):
        token = c_uint32()
        _lib.smol_text_next(byref(token), self._handle)
        return token.value

    def is_full(self):
        return _lib.smol_text_is_full(self._handle)

    def logits(self):
        return _lib.smol_text_logits(self._handle)


class Model:
    """An open model. Constant: threads may share it. Also a context manager, which closes it."""

    def __init__(self):
        raise TypeError('use Model.load(path) or Model.from_bytes(bytes)')

    @classmethod
    def load(cls, path, threads=1, public_key=None):
        """Opens a file and checks its checksums, its hash and, if there is one, its signature. public_key: 32 bytes that
        must have made that signature, or Error."""
        self = object.__new__(cls)
        self._begin(None)
        _lib.smol_model_open(byref(self._handle), os.fsencode(path), threads)
        return self._trusted(public_key)

    @classmethod
    def from_bytes(cls, data, threads=1, public_key=None):
        """The same of a file in memory."""
        self = object.__new__(cls)
        self._begin(bytes(data))
        _lib.smol_model_open_memory(byref(self._handle), self._bytes, len(self._bytes), threads)
        return self._trusted(public_key)

    def _begin(self, data):
        self._handle, self._bytes = c_void_p(), data

    def _trusted(self, public_key):
        if public_key is not None and self.public_key != bytes(public_key):
            self.close()
            raise Error(33, 'not signed by the key that is demanded')  # SMOL_E_UNTRUSTED
        return self

    def _opened(self):
        if not self._handle:
            raise ValueError('the model is closed')
        return self._handle

    def close(self):
        """Frees the model; it is of no further use."""
        if getattr(self, '_handle', None):
            _lib.smol_model_close(self._handle)
            self._handle = c_void_p()

    __del__ = close

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __repr__(self):
        if not self._handle:
            return '<smol.Model, closed>'
        return '<smol.Model, {n_layers} layers x {width}, context {context}, vocabulary {vocab}>'.format(**self.facts)

    def _facts(self):
        facts = _library.Facts()
        _lib.smol_model_describe(byref(facts), sizeof(facts), self._opened())
        return facts

    @property
    def facts(self):
        """Shape, seed, sizes and hash as a dictionary."""
        facts = self._facts()
        found = {name: getattr(facts, name) for name, _ in facts._fields_}
        return {**found, 'hash': bytes(facts.hash), 'is_signed': bool(facts.is_signed), 'public_key': bytes(facts.public_key)}

    @property
    def public_key(self):
        """The key that signed the file, or None."""
        facts = self.facts
        return facts['public_key'] if facts['is_signed'] else None

    def check(self):
        """Raises Error if the file was written to since it was opened."""
        _lib.smol_model_check(self._opened())

    # ---- text and tokens ----

    def encode(self, text):
        """The tokens of a str or of bytes."""
        data = text.encode() if isinstance(text, str) else bytes(text)
        n, tokens = c_size_t(), (c_uint32 * len(data))()  # a token stands for one byte at least
        _lib.smol_model_encode(byref(n), tokens, self._opened(), data, len(data))
        return tokens[:n.value]

    def decode(self, tokens):
        """The bytes that tokens stand for."""
        tokens = [token if 0 <= token < _library.NO_TOKEN else _library.NO_TOKEN for token in tokens]  # ctypes takes them modulo 2^32
        array, size = (c_uint32 * len(tokens))(*tokens), c_size_t()
        _lib.smol_model_decode(byref(size), None, 0, self._opened(), array, len(tokens))
        text = ctypes.create_string_buffer(size.value)
        _lib.smol_model_decode(byref(size), text, size.value, self._opened(), array, len(tokens))
        return text.raw

    def _prompt(self, prompt):
        tokens = self.encode(prompt) if isinstance(prompt, (str, bytes, bytearray)) else list(prompt)
        return tokens or [self._facts().start_token]

    def tokens(self, prompt='', n=None, seed=0, threads=1, **sampling):
        """Continues a prompt, a str, bytes or tokens: yields token by token, n of them or until the context is full or, which
        is not yielded, the token that ends a text. The sampling is smolrun's, with its defaults: temperature, top_k, top_p, min_p, repeat_penalty, repeat_last_n."""
        end = self._facts().end_token
        with _Text(self, threads, seed, sampling) as text:
            text.append(self._prompt(prompt))
            while n is None or n > 0:
                if n is None and text.is_full():
                    return
                token = text.next()
                if token == end:
                    return
                yield token
                n = None if n is None else n - 1

    def generate(self, prompt='', n=None, seed=0, threads=1, **sampling):
        """The text after a prompt, without it; see tokens()."""
        return self.decode(self.tokens(prompt, n, seed, threads, **sampling)).decode('utf-8', 'replace')

    # ---- numbers ----

    def logits(self, prompt, threads=1):
        """What the model says of the next token: a float32 array (V,)."""
        import numpy
        with _Text(self, threads) as text:
            text.append(self._prompt(prompt))
            text.feed()
            return numpy.ctypeslib.as_array(text.logits(), (self.facts['vocab'],)).copy()

    def tensors(self):
        """Shape by name of every tensor, in the order of the forward pass; a matrix is (outputs, inputs)."""
        config, tensor, found = _lib.smol_model_config(self._opened()), _library.Tensor(), {}
        for i in range(_lib.smol_tensor_count(config)):
            _lib.smol_tensor_at(byref(tensor), config, i)
            found[tensor.name.decode()] = _shape(tensor)
        return found

    def weights(self, name):
        """The exact weights of a tensor as a float64 array: the very numbers that the forward pass multiplies with."""
        import numpy
        file, tensor = _lib.smol_model_file(self._opened()), _library.Tensor()
        _lib.smol_tensor_find(byref(tensor), _lib.smol_model_config(self._handle), name.encode())
        values = numpy.empty((tensor.rows, tensor.cols))
        scratch = ctypes.create_string_buffer(_lib.smol_tensor_scratch_bytes(file, byref(tensor)) + 64)
        aligned = (ctypes.addressof(scratch) + 63) // 64 * 64
        _lib.smol_tensor_read(values.ctypes.data_as(ctypes.POINTER(ctypes.c_double)), file, byref(tensor), 0, tensor.rows, aligned)
        return values.reshape(_shape(tensor))


def _shape(tensor):
    """LayerNorm's vectors have one axis."""
    return (tensor.cols,) if b'ln_' in tensor.name else (tensor.rows, tensor.cols)
