"""libsmol by ctypes: its functions, declared as the headers in include/smol declare them."""
import ctypes
import os
from ctypes import POINTER, Structure, byref, c_bool, c_char, c_char_p, c_double, c_float, c_int, c_int32
from ctypes import c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from typing import Any, Callable

from ._errors import raise_status
from ._where import LIBRARY


class _Error(Structure):
    _fields_ = [('code', c_int), ('offset', c_uint64), ('text', c_char * 200)]


class Facts(Structure):
    _fields_ = [(name, c_uint32) for name in ('n_layers', 'n_heads', 'width', 'n_ff', 'context', 'vocab', 'start_token', 'end_token')] + [
        ('seed', c_uint64), ('parameters', c_uint64), ('file_bytes', c_uint64), ('non_embedding_bytes', c_uint64),
        ('hash', c_uint8 * 64), ('is_signed', c_uint32), ('public_key', c_uint8 * 32),
        ('architecture', c_uint32), ('features', c_uint32)]


class OpenOptions(Structure):
    _fields_ = [('struct_bytes', c_size_t), ('n_threads', c_uint32), ('n_bases', c_uint32), ('n_deltas', c_uint32),
                ('bases', POINTER(c_char_p)), ('deltas', POINTER(c_char_p)), ('factors', POINTER(c_float)), ('bases_dir', c_char_p)]


class SessionOptions(Structure):
    _fields_ = [('struct_bytes', c_size_t), ('context', c_uint32), ('n_threads', c_uint32), ('batch', c_uint32), ('isa', c_int), ('kv_type', c_int),
                ('is_fast', c_bool), ('memory_bytes', c_uint64), ('is_fixed', c_bool),
                ('n_texts', c_uint64), ('history', c_uint64)]


class SamplerOptions(Structure):
    _fields_ = [('struct_bytes', c_size_t), ('seed', c_uint64), ('temperature', c_float), ('top_k', c_uint32), ('top_p', c_double), ('min_p', c_float),
                ('repeat_penalty', c_float), ('repeat_last_n', c_int32)]


class PackOptions(Structure):
    _fields_ = [('struct_bytes', c_size_t), ('has_check', c_bool), ('n_threads', c_uint32), ('isa', c_int), ('batch', c_uint32), ('max_bytes', c_size_t)]


class Score(Structure):
    _fields_ = [('nats', c_double), ('n_tokens', c_uint64), ('n_bytes', c_uint64), ('nats_per_token', c_double), ('bits_per_byte', c_double),
                ('perplexity', c_double)]


class Tensor(Structure):
    _fields_ = [('name', c_char * 64), ('slot', c_int), ('layer', c_uint32), ('rows', c_uint32), ('cols', c_uint32),
                ('part', c_uint8)]


_u32s = POINTER(c_uint32)

# Name: (result, arguments). A result of None is a status: it raises Error, and the last argument is the place for the error.
_STATUS = None
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    'smol_version': (c_char_p, []),
    'smol_architecture_name': (c_char_p, [c_uint32]),
    'smol_feature_name': (c_char_p, [c_uint32]),
    'smol_model_open_with': (_STATUS, [POINTER(c_void_p), c_char_p, POINTER(OpenOptions)]),
    'smol_model_open_memory': (_STATUS, [POINTER(c_void_p), c_void_p, c_size_t, c_uint32]),
    'smol_model_open_file': (_STATUS, [POINTER(c_void_p), c_void_p]),
    'smol_model_close': ('nothing', [c_void_p]),
    'smol_model_file': (c_void_p, [c_void_p]),
    'smol_model_describe': ('nothing', [POINTER(Facts), c_size_t, c_void_p]),
    'smol_model_check': (_STATUS, [c_void_p]),
    'smol_model_encode': (_STATUS, [POINTER(c_size_t), _u32s, c_void_p, c_char_p, c_size_t]),
    'smol_model_score': (_STATUS, [POINTER(Score), c_void_p, POINTER(SessionOptions), c_char_p, c_size_t]),
    'smol_model_decode': (_STATUS, [POINTER(c_size_t), c_void_p, c_size_t, c_void_p, _u32s, c_size_t]),
    'smol_pack': (_STATUS, [POINTER(c_size_t), c_void_p, c_void_p, POINTER(PackOptions), c_char_p, c_size_t]),
    'smol_unpack': (_STATUS, [POINTER(c_size_t), c_void_p, c_size_t, c_void_p, POINTER(PackOptions), c_char_p, c_size_t]),
    'smol_text_create': (_STATUS, [POINTER(c_void_p), c_void_p, POINTER(SessionOptions), POINTER(SamplerOptions)]),
    'smol_texts_create': (_STATUS, [POINTER(c_void_p), c_size_t, c_void_p, POINTER(SessionOptions), POINTER(SamplerOptions)]),
    'smol_texts_next': (_STATUS, [_u32s, POINTER(c_void_p), c_size_t]),
    'smol_text_copy': (_STATUS, [c_void_p, c_void_p, c_uint64]),
    'smol_text_destroy': ('nothing', [c_void_p]),
    'smol_text_append': (_STATUS, [c_void_p, _u32s, c_size_t]),
    'smol_text_feed': (_STATUS, [c_void_p]),
    'smol_text_next': (_STATUS, [_u32s, c_void_p]),
    'smol_text_logits': (POINTER(c_float), [c_void_p]),
    'smol_text_is_full': (c_bool, [c_void_p]),
    'smol_sampler_defaults': ('nothing', [POINTER(SamplerOptions), c_size_t]),
    'smol_file_tensor_count': (c_uint32, [c_void_p]),
    'smol_file_tensor_at': ('nothing', [POINTER(Tensor), c_void_p, c_uint32]),
    'smol_file_tensor_find': (_STATUS, [POINTER(Tensor), c_void_p, c_char_p]),
    'smol_tensor_scratch_bytes': (c_size_t, [c_void_p, POINTER(Tensor)]),
    'smol_tensor_read': (_STATUS, [POINTER(c_double), c_void_p, POINTER(Tensor), c_uint32, c_uint32, c_void_p]),
}


def _raising(function: Callable[..., int]) -> Callable[..., None]:
    def call(*arguments: Any) -> None:
        error = _Error()
        status = function(*arguments, byref(error))
        if status:
            raise_status(status, error.text.decode('utf-8', 'replace'), None if error.offset == 2**64 - 1 else error.offset)
    return call


class _Library:
    """The functions as attributes."""

    def __init__(self, path: str):
        loaded = ctypes.CDLL(path)
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(loaded, name)
            function.argtypes = arguments if result is not _STATUS else arguments + [POINTER(_Error)]
            function.restype = c_int if result is _STATUS else None if result == 'nothing' else result
            setattr(self, name, _raising(function) if result is _STATUS else function)

    def __getattr__(self, name: str) -> Any:  # only of what is not there
        raise AttributeError(name)


def _path() -> str:
    """The library that SMOL_LIBRARY names, that of this installation, the last one built in this checkout, or else the system's."""
    if named := os.environ.get('SMOL_LIBRARY'):
        return named
    here = os.path.dirname(os.path.abspath(__file__))
    places = [LIBRARY] if '@' not in LIBRARY else ['../../build/libsmol.so', '../../build/python/libsmol.so']
    found = [path for path in (os.path.join(here, place) for place in places) if os.path.isfile(path)]
    return max(found, key=os.path.getmtime) if found else 'libsmol.so.0'


def _load() -> _Library:
    try:
        return _Library(_path())
    except (OSError, AttributeError) as error:
        what = '; `scripts/build build` makes it' if '@' in LIBRARY else ''
        raise ImportError('%s%s (the environment variable SMOL_LIBRARY names another libsmol.so)' % (error, what)) from error


lib = _load()
