"""What callers pass, before C takes it modulo 2^32 or as something else: TypeError, or an Error that is a ValueError."""
import difflib
import math
import numbers
import operator
import os
from typing import Any, Iterable, Optional, TypedDict, Union

from . import _errors

Bytes = Union[bytes, bytearray, memoryview]
Prompt = Union[str, Bytes, Iterable[int]]


class SessionNames(TypedDict, total=False):
    """How a model is computed; smolrun(1) says more."""
    ctx_size: int    # tokens held at once, or that a token sees of a text that slides; 0: the model's
    batch_size: int  # tokens of a prompt computed together, 0: a sensible number
    kv: str          # number type of the KV cache: f32, f16, q8
    fast: bool       # approximate products
    windows: bool    # a context that does not slide, in any model
    history: Optional[int]  # tokens that a model with a history looks back over; None: all, 0: none


class Options(SessionNames, total=False):
    """How a text goes on; smolrun(1) says more, and has the same defaults."""
    temp: float
    temperature: float  # the same
    top_k: int
    top_p: float
    min_p: float
    repeat_penalty: float
    repeat_last_n: int
    ignore_eos: bool


def _range(name: str, value: Any, least: float, most: float) -> None:
    if not least <= value <= most:
        raise _errors.make(_errors.ARGUMENT, '%s=%r is not in %s..%s' % (name, value, least, most))


def integer(name: str, value: Any, least: float, most: float) -> int:
    if isinstance(value, bool) or not hasattr(value, '__index__'):
        raise TypeError('%s takes an integer, not %s' % (name, type(value).__name__))
    found = operator.index(value)
    _range(name, found, least, most)
    return found


def real(name: str, value: Any, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError('%s takes a number, not %s' % (name, type(value).__name__))
    _range(name, value, least, most)  # before float(), which overflows; not-a-number is outside
    return float(value)


def truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError('%s takes True or False, not %s' % (name, type(value).__name__))
    return value


def text(name: str, value: Union[str, Bytes]) -> bytes:
    return value.encode() if isinstance(value, str) else data(name, value, 'bytes or a str')


def data(name: str, value: Bytes, kinds: str = 'bytes') -> bytes:
    """bytes(5) would be five of them."""
    try:
        return bytes(memoryview(value))
    except TypeError:
        raise TypeError('%s takes %s, not %s' % (name, kinds, type(value).__name__)) from None


def c_string(name: str, value: _errors.Path) -> bytes:
    if b'\0' in (found := os.fsencode(value)):
        raise ValueError('embedded null byte in %s' % name)
    return found


def no_others(options: Iterable[str], known: Iterable[str]) -> None:
    for name in options:
        near = difflib.get_close_matches(name, known, 1)
        raise TypeError('unknown option %r; %s' % (name, 'is it %s?' % near[0] if near else 'there are ' + ', '.join(known)))


def tokens(rule: str, values: Iterable[int], vocab: int) -> list[int]:
    if not isinstance(values, Iterable) or isinstance(values, str):
        raise TypeError('%s, not %s' % (rule, type(values).__name__))
    found = []
    for value in values:
        found.append(token := integer('a token', value, -math.inf, math.inf))
        if not 0 <= token < vocab:
            raise _errors.make(_errors.TOKEN, 'token %d is beyond the vocabulary of %d' % (token, vocab))
    return found


def threads(value: Any) -> int:
    """As smolrun counts them: at most one for each core, and 0 for all."""
    cores = len(os.sched_getaffinity(0))
    return min(integer('threads', value, 0, 256) or cores, cores)


def count(n: Any) -> Optional[int]:
    """Of tokens; None until the context is full, or as many as it has of one that slides, which is smolrun's -1."""
    found = -1 if n is None else integer('n', n, -1, math.inf)
    return None if found == -1 else found


def seed(value: Any) -> int:
    found = integer('seed', value, -1, 2**64 - 1)
    return int.from_bytes(os.urandom(4), 'little') if found == -1 else found


def history(name: str, value: Any, most: int) -> int:
    """As C takes it, for whom 0 is all and one token, which nothing can have followed, is none."""
    return 0 if value is None else integer(name, value, 0, most) or 1


def kv(name: str, value: Any) -> int:
    types = ('f32', 'f16', 'q8')
    if value not in types:
        raise _errors.make(_errors.ARGUMENT, '%s takes %s, not %r' % (name, ', '.join(types), value))
    return types.index(value)
