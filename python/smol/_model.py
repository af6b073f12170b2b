"""See Model."""
import codecs
import contextlib
import ctypes
import math
import os
from ctypes import byref, c_size_t, c_uint32, c_void_p, sizeof
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, NamedTuple, Optional, Sequence, TypeVar, Union

from . import _checks, _errors, _library
from ._checks import Bytes, Options, Prompt, SessionNames
from ._handles import ModelHandle, Text, Uncopied
from ._library import lib

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray
    from typing_extensions import Unpack

_Model = TypeVar('_Model', bound='Model')

_DISTANCES = 1  # the feature by which a context slides
_HISTORY_TOKENS = 65536  # the most that one has
_NO_TOKEN = 2**32 - 1  # as the end of texts that have none
_F32_MAX = 2.0**128 - 2.0**104
_SESSION: dict[str, tuple[str, Callable[..., Any], tuple[float, ...]]] = {
    'ctx_size': ('context', _checks.integer, (0, 2**32 - 1)),
    'batch_size': ('batch', _checks.integer, (0, 1024)),
    'kv': ('kv_type', _checks.kv, ()),
    'fast': ('is_fast', _checks.truth, ()),
    'windows': ('is_fixed', _checks.truth, ()),
    'history': ('history', _checks.history, (_HISTORY_TOKENS,)),
}
_SAMPLER: dict[str, tuple[str, Callable[..., Any], tuple[float, ...]]] = {
    'temp': ('temperature', _checks.real, (-_F32_MAX, _F32_MAX)),
    'top_k': ('top_k', _checks.integer, (0, 2**32 - 1)),
    'top_p': ('top_p', _checks.real, (0, 1)),
    'min_p': ('min_p', _checks.real, (0, 1)),
    'repeat_penalty': ('repeat_penalty', _checks.real, (2.0**-60, 2.0**60)),
    'repeat_last_n': ('repeat_last_n', _checks.integer, (-1, 2**31 - 1)),
}


class Score(NamedTuple):
    """How well a model predicts a text: the loss of every token but the first."""
    nats: float
    n_tokens: int
    n_bytes: int
    nats_per_token: float
    bits_per_byte: float
    perplexity: float


def _session(threads: int, options: dict[str, Any]) -> _library.SessionOptions:
    """Takes out of options what concerns sessions."""
    session = _library.SessionOptions(sizeof(_library.SessionOptions), n_threads=_checks.threads(threads))
    _set(session, _SESSION, options)
    return session


def _listed(value: Any) -> Any:
    """One path as a list."""
    return [value] if isinstance(value, (str, bytes, os.PathLike)) else value


def _paths(what: str, paths: Iterable[_errors.Path]) -> 'ctypes.Array[ctypes.c_char_p]':
    names = [_checks.c_string(what, path) for path in paths]
    return (ctypes.c_char_p * len(names))(*names)


def _open_options(threads: int, base: Union[_errors.Path, Sequence[_errors.Path]], bases_dir: Optional[_errors.Path],
                  deltas: Union[_errors.Path, Sequence[Union[_errors.Path, tuple[_errors.Path, float]]]]) -> tuple[_library.OpenOptions, Any]:
    """The options, and what they point to."""
    pairs = [d if isinstance(d, tuple) else (d, math.nan) for d in _listed(deltas)]
    bases = _paths('base', _listed(base))
    added = _paths('deltas', [path for path, _ in pairs])
    factors = (ctypes.c_float * len(pairs))(*[f if math.isnan(f) else _checks.real('deltas', f, -2.0**60, 2.0**60) for _, f in pairs])
    folder = None if bases_dir is None else _checks.c_string('bases_dir', bases_dir)
    options = _library.OpenOptions(sizeof(_library.OpenOptions), _checks.threads(threads), len(bases), len(added), bases, added, factors, folder)
    return options, (bases, added, factors, folder)


def _pack_options(check: bool) -> _library.PackOptions:
    return _library.PackOptions(sizeof(_library.PackOptions), _checks.truth('check', check))


def _sampler(seed: int, options: dict[str, Any]) -> _library.SamplerOptions:
    sampler = _library.SamplerOptions()
    lib.smol_sampler_defaults(byref(sampler), sizeof(sampler))
    sampler.seed = _checks.seed(seed)
    if 'temperature' in options:
        if 'temp' in options:
            raise TypeError('temp and temperature are the same option')
        options['temp'] = options.pop('temperature')
    _set(sampler, _SAMPLER, options)
    return sampler


def _set(structure: Any, table: dict[str, tuple[str, Callable[..., Any], tuple[float, ...]]], options: dict[str, Any]) -> None:
    for name, (member, check, limits) in table.items():
        if name in options:
            setattr(structure, member, check(name, options.pop(name), *limits))


@contextlib.contextmanager
def _numpy_for(call: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('%s needs NumPy: apt install python3-numpy, or pip install numpy' % call, name=error.name) from None


class Model(Uncopied):
    """An open model. Constant: threads may share it. Also a context manager, which closes it."""

    _handle: ModelHandle

    def __init__(self, *_: Any, **_more: Any) -> None:
        raise TypeError('use Model.load(path) or Model.from_bytes(bytes)')

    @classmethod
    def load(cls: 'type[_Model]', path: _errors.Path, threads: int = 1, public_key: Optional[Bytes] = None,
             base: Union[_errors.Path, Sequence[_errors.Path]] = (), bases_dir: Optional[_errors.Path] = None,
             deltas: Union[_errors.Path, Sequence[Union[_errors.Path, tuple[_errors.Path, float]]]] = ()) -> _Model:
        """Opens a file and checks its checksums, its hash and, if there is one, its signature. public_key: 32 bytes that
        must have made that signature, or Error.

        Of a delta: base has the paths of what it names; what is not given is found by its hash in bases_dir, by default
        $SMOL_BASES or ~/.local/share/smol/bases, or in the delta's own folder. deltas are added, a path or (path, factor)
        each, to a model that is none too. A public_key is that of the delta, whose hash is also one of what it names;
        deltas that are added would have no signature to show, so the two exclude each other."""
        pointer, name = c_void_p(), _checks.c_string('path', path)
        if public_key is not None and deltas:
            raise ValueError('public_key and deltas exclude each other')
        options, kept = _open_options(threads, base, bases_dir, deltas)
        try:
            lib.smol_model_open_with(byref(pointer), name, byref(options))
            return cls._trusted(ModelHandle(pointer, None), public_key)
        except _errors.Error as error:
            raise _errors.of_file(error, path, map(os.fsdecode, (*kept[0], *kept[1]))) from None

    @classmethod
    def from_bytes(cls: 'type[_Model]', data: Bytes, threads: int = 1, public_key: Optional[Bytes] = None) -> _Model:
        """The same of a file in memory."""
        pointer, kept = c_void_p(), _checks.data('data', data)
        lib.smol_model_open_memory(byref(pointer), kept, len(kept), _checks.threads(threads))
        return cls._trusted(ModelHandle(pointer, kept), public_key)

    @classmethod
    def _trusted(cls: 'type[_Model]', handle: ModelHandle, public_key: Optional[Bytes]) -> _Model:
        self = object.__new__(cls)
        self._handle = handle
        if public_key is not None and self.public_key != _checks.data('public_key', public_key):
            self.close()
            raise _errors.make(_errors.UNTRUSTED, 'not signed by the key that is demanded')
        return self

    def close(self) -> None:
        """Ends all use of the model: what is called afterwards raises ValueError, and a call in another thread ends first."""
        self._handle.close()

    def __enter__(self: _Model) -> _Model:
        with self._handle:
            return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        try:
            return '<smol.Model, {n_layers} layers x {width}, context {context}, vocabulary {vocab}>'.format(**self.facts)
        except ValueError:
            return '<smol.Model, closed>'

    def _facts(self) -> _library.Facts:
        facts = _library.Facts()
        with self._handle as model:
            lib.smol_model_describe(byref(facts), sizeof(facts), model)
        return facts

    @property
    def facts(self) -> dict[str, Any]:
        """Shape, architecture and its features, seed, sizes and hash as a dictionary."""
        facts = self._facts()
        bits = [1 << i for i in range(32) if facts.features >> i & 1]
        found = {name: getattr(facts, name) for name, *_ in facts._fields_}
        return {**found, 'learned_numbers': facts.parameters,  # its name before
                'end_token': None if facts.end_token == _NO_TOKEN else facts.end_token,
                'architecture': lib.smol_architecture_name(facts.architecture).decode(),
                'features': tuple(lib.smol_feature_name(bit).decode() for bit in bits),
                'hash': bytes(facts.hash), 'is_signed': bool(facts.is_signed), 'public_key': bytes(facts.public_key)}

    @property
    def public_key(self) -> Optional[bytes]:
        """The key that signed the file, or None."""
        facts = self.facts
        return facts['public_key'] if facts['is_signed'] else None

    def check(self) -> None:
        """Raises Error if the file was written to since it was opened."""
        self._handle.check()

    # ---- text and tokens ----

    def encode(self, text: Union[str, Bytes]) -> list[int]:
        """The tokens of a str or of bytes."""
        data = _checks.text('text', text)
        n, tokens = c_size_t(), (c_uint32 * len(data))()  # a token stands for one byte at least
        with self._handle as model:
            lib.smol_model_encode(byref(n), tokens, model, data, len(data))
        return tokens[:n.value]

    def decode(self, tokens: Iterable[int]) -> bytes:
        """The bytes that tokens stand for."""
        checked = _checks.tokens('decode() takes tokens', tokens, self._facts().vocab)
        array, size = (c_uint32 * len(checked))(*checked), c_size_t()
        with self._handle as model:
            lib.smol_model_decode(byref(size), None, 0, model, array, len(checked))
            text = ctypes.create_string_buffer(size.value)
            lib.smol_model_decode(byref(size), text, size.value, model, array, len(checked))
        return text.raw

    def pack(self, text: Union[str, Bytes], check: bool = False) -> bytes:
        """A str or bytes in few bytes, coded by what the model expects of it: the same on every machine. check adds a byte by which
        unpack() finds damage."""
        data = _checks.text('text', text)
        n, packed, options = c_size_t(), ctypes.create_string_buffer(len(data) + 2), _pack_options(check)
        with self._handle as model:
            lib.smol_pack(byref(n), packed, model, byref(options), data, len(data))
        return packed.raw[:n.value]

    def unpack(self, packed: Bytes, check: bool = False, limit: int = 65536) -> bytes:
        """The bytes that pack() was given; Error if these are another model's or damaged, which is sure with a check, or if the text
        is longer than limit bytes: from strangers a few bytes may be a long one."""
        data, room = _checks.data('packed', packed), _checks.integer('limit', limit, 0, 2**48)
        n, options = c_size_t(), _pack_options(check)
        text = ctypes.create_string_buffer(room + 1)
        with self._handle as model:
            lib.smol_unpack(byref(n), text, room, model, byref(options), data, len(data))
        return text.raw[:n.value]

    def _prompt(self, prompt: Prompt) -> list[int]:
        facts = self._facts()
        if isinstance(prompt, (str, bytes, bytearray, memoryview)):
            return self.encode(prompt) or [facts.start_token]
        return _checks.tokens('prompt takes a str, bytes or tokens', prompt, facts.vocab) or [facts.start_token]

    def tokens(self, prompt: Prompt = '', n: Optional[int] = None, seed: int = 0, threads: int = 1,
               **options: 'Unpack[Options]') -> Iterator[int]:
        """Continues a prompt, a str, bytes or tokens: an iterator of tokens, n of them or (None, -1) until the context is full or,
        which is left out, the token that ends a text; ignore_eos goes on after that. A context that slides never is full, and None
        stands for as many tokens as it has. seed -1: a random one. threads 0: one for each core; the text is the same.

        The sampling is smolrun's, with its defaults: temp, top_k, top_p, min_p, repeat_penalty, repeat_last_n. So are ctx_size,
        batch_size, kv ('f32', 'f16', 'q8'), fast, windows and history."""
        return self._go_on(self._prompt(prompt), *self._generation(n, seed, threads, options))

    def _generation(self, n: Optional[int], seed: int, threads: int, options: Any) -> tuple[
            Optional[int], Optional[int], _library.SessionOptions, _library.SamplerOptions]:
        """How many tokens, the one that ends a text, and what options say of session and sampler."""
        left, rest, facts = _checks.count(n), dict(options), self._facts()
        session, sampler = _session(threads, rest), _sampler(seed, rest)
        if left is None and facts.features & _DISTANCES and not session.is_fixed:
            left = session.context or facts.context
        ignores_end = _checks.truth('ignore_eos', rest.pop('ignore_eos', False))
        _checks.no_others(rest, ('n', 'seed', 'threads', 'temperature', 'ignore_eos', *_SAMPLER, *_SESSION))
        return left, None if ignores_end else facts.end_token, session, sampler

    def _go_on(self, prompt: list[int], left: Optional[int], end: Optional[int], session: _library.SessionOptions,
               sampler: _library.SamplerOptions) -> Iterator[int]:
        with Text(self._handle, session, sampler) as text:
            text.append(prompt)
            while left is None or left > 0:
                if left is None and text.is_full():
                    return
                token = text.next()
                if token == end:
                    return
                yield token
                left = None if left is None else left - 1

    def stream(self, prompt: Prompt = '', n: Optional[int] = None, seed: int = 0, threads: int = 1,
               **options: 'Unpack[Options]') -> Iterator[str]:
        """The text after a prompt piece by piece, as soon as its characters are whole; see tokens()."""
        return self._pieces(self.tokens(prompt, n, seed, threads, **options))

    def _pieces(self, tokens: Iterator[int]) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder('utf-8')('replace')
        for token in tokens:
            if piece := decoder.decode(self.decode([token])):
                yield piece
        if piece := decoder.decode(b'', True):
            yield piece

    def generate(self, prompt: Prompt = '', n: Optional[int] = None, seed: int = 0, threads: int = 1,
                 **options: 'Unpack[Options]') -> str:
        """The text after a prompt, without it; see tokens()."""
        return self.decode(self.tokens(prompt, n, seed, threads, **options)).decode('utf-8', 'replace')

    def generate_many(self, count: int, prompt: Prompt = '', n: Optional[int] = None, seed: int = 0, threads: int = 1,
                      **options: 'Unpack[Options]') -> Iterator[str]:
        """`count` texts after one prompt, up to 64 of them computed side by side, which is several times as fast as one after the other:
        an iterator of what generate() gives for seed, seed + 1, ..., in this order."""
        count = _checks.integer('count', count, 0, 2**31 - 1)
        return self._many(count, self._prompt(prompt), *self._generation(n, seed, threads, options))

    def _many(self, count: int, prompt: list[int], left: Optional[int], end: Optional[int], session: _library.SessionOptions,
              sampler: _library.SamplerOptions) -> Iterator[str]:
        most = min(count, session.batch or 64)
        free = list(range(1, 1 + most))
        numbers: dict[int, int] = {}       # of the texts that are being written
        written: dict[int, list[int]] = {}  # tokens by number, until they are given out
        begun = given = 0
        with Text(self._handle, session, sampler, 1 + most) as texts:
            texts.append(prompt)
            texts.feed()
            while given < count:
                while free and begun < count:
                    texts.copy(free[-1], (sampler.seed + begun) % 2**64)
                    numbers[free.pop()], written[begun] = begun, []
                    begun += 1
                which = list(numbers) if left != 0 else []
                for i, token in zip(which, texts.next_of(which)):
                    tokens = written[numbers[i]]
                    if token != end:
                        tokens.append(token)
                    if token == end or len(tokens) == left or left is None and texts.is_full(i):
                        del numbers[i]
                        free.append(i)
                if left == 0:
                    free, numbers = free + list(numbers), {}
                while given in written and given not in numbers.values():
                    yield self.decode(written.pop(given)).decode('utf-8', 'replace')
                    given += 1

    # ---- numbers ----

    def score(self, text: Union[str, Bytes], threads: int = 1, **options: 'Unpack[SessionNames]') -> Score:
        """How well the model predicts a text, as smolrun --perplexity says it."""
        data, rest, found = _checks.text('text', text), dict(options), _library.Score()
        session = _session(threads, rest)
        _checks.no_others(rest, ('threads', *_SESSION))
        with self._handle as model:
            lib.smol_model_score(byref(found), model, byref(session), data, len(data))
        return Score(*(getattr(found, name) for name in Score._fields))

    def perplexity(self, text: Union[str, Bytes], threads: int = 1, **options: 'Unpack[SessionNames]') -> float:
        """That of a text; see score()."""
        return self.score(text, threads, **options).perplexity

    def logits(self, prompt: Prompt, threads: int = 1, each: bool = False, **options: 'Unpack[SessionNames]') -> 'NDArray[numpy.float32]':
        """What the model says of the next token: a float32 array (V,). each: after each token of the prompt, (T, V)."""
        with _numpy_for('logits()'):
            import numpy
        rest, in_parts = dict(options), _checks.truth('each', each)
        session, sampler = _session(threads, rest), _sampler(0, {})
        _checks.no_others(rest, ('threads', 'each', *_SESSION))
        tokens, vocab = self._prompt(prompt), self._facts().vocab
        parts = [[token] for token in tokens] if in_parts else [tokens]
        found: NDArray[numpy.float32] = numpy.empty((len(parts), vocab), numpy.float32)
        with Text(self._handle, session, sampler) as text:
            for row, part in zip(found, parts):
                text.append(part)
                if in_parts and text.is_full():  # which would drop the first half of it
                    raise _errors.make(_errors.CONTEXT, '%d tokens do not fit the context' % len(tokens))
                text.feed()
                row[:] = numpy.ctypeslib.as_array(text.logits(), (vocab,))
        return found if in_parts else found.reshape(vocab)

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Shape by name of every tensor, in the order of the forward pass; a matrix is (outputs, inputs)."""
        tensor, found = _library.Tensor(), {}
        with self._handle as model:
            file = lib.smol_model_file(model)
            for i in range(lib.smol_file_tensor_count(file)):
                lib.smol_file_tensor_at(byref(tensor), file, i)
                found[tensor.name.decode()] = _shape(tensor)
        return found

    def weights(self, name: str) -> 'NDArray[numpy.float64]':
        """The exact weights of a tensor as a float64 array: the very numbers that the forward pass multiplies with."""
        with _numpy_for('weights()'):
            import numpy
        tensor, wanted = _library.Tensor(), _checks.c_string('name', name)
        with self._handle as model:
            file = lib.smol_model_file(model)
            try:
                lib.smol_file_tensor_find(byref(tensor), file, wanted)
            except _errors.Error as error:
                raise _errors.make(error.status, '%s: %s; tensors() lists them' % (os.fsdecode(wanted), error)) from None
            values = numpy.empty((tensor.rows, tensor.cols))
            scratch = ctypes.create_string_buffer(lib.smol_tensor_scratch_bytes(file, byref(tensor)) + 64)
            aligned = (ctypes.addressof(scratch) + 63) // 64 * 64
            lib.smol_tensor_read(values.ctypes.data_as(ctypes.POINTER(ctypes.c_double)), file, byref(tensor), 0, tensor.rows, aligned)
        return values.reshape(_shape(tensor))


def _shape(tensor: _library.Tensor) -> tuple[int, ...]:
    """LayerNorm's vectors, the heads' factors and the history's numbers have one axis."""
    is_vector = b'ln_' in tensor.name or tensor.name.endswith((b'temperature', b'slope_factor', b'history'))
    return (tensor.cols,) if is_vector else (tensor.rows, tensor.cols)
