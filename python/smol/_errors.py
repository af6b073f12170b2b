"""What the library refuses, as exceptions that are also Python's own: who catches either catches it."""
import os
from typing import Any, Iterable, NoReturn, Optional, Union

Path = Union[str, bytes, 'os.PathLike[str]', 'os.PathLike[bytes]']

ARGUMENT, MEMORY, IO, CONTEXT, UNTRUSTED, TOKEN = 1, 2, 3, 5, 33, 40  # include/smol/status.h
_KINDS: dict[int, type[Exception]] = {ARGUMENT: ValueError, MEMORY: MemoryError, CONTEXT: ValueError, TOKEN: ValueError}


class Error(Exception):
    """What the library refuses: `status` is its number (include/smol/status.h), `offset` the byte in the file or None.

    What is outside its range is a ValueError as well, and a file that is not there a FileNotFoundError."""

    status: int = 0
    offset: Optional[int] = None


Error.__module__ = 'smol'  # where its users find it


_classes: 'dict[type[Exception], type[Error]]' = {Error: Error}


def _class(kind: type[Exception]) -> type[Error]:
    if kind not in _classes:
        _classes[kind] = type(kind.__name__, (Error, kind), {'__module__': 'smol', '__reduce__': _reduce})
    return _classes[kind]


def _make(kind: type[Exception], status: int, offset: Optional[int], arguments: tuple[Any, ...]) -> Error:
    error = _class(kind)(*arguments)
    error.status, error.offset = status, offset
    return error


def _reduce(error: Error) -> tuple[Any, ...]:
    """For pickle, which finds no class that was made here; a process of a pool sends its errors so."""
    filename = getattr(error, 'filename', None)
    arguments = error.args if filename is None else (*error.args, filename)
    return _make, (type(error).__mro__[2], error.status, error.offset, arguments)


def make(status: int, text: str, offset: Optional[int] = None) -> Error:
    return _make(_KINDS.get(status, Error), status, offset, (text if offset is None else 'byte %d: %s' % (offset, text),))


def raise_status(status: int, text: str, offset: Optional[int] = None) -> NoReturn:
    raise make(status, text, offset)


def of_file(error: Error, path: Path, others: Iterable[str]) -> Error:
    """The same with the file's name, unless it begins with that of another one; of a file that could not be read the system's own word,
    if it still says so."""
    name, text = os.fsdecode(path), str(error)
    other = next((other for other in others if text.startswith(other + ': ')), None)
    if error.status != IO:
        if other is not None:
            return error
        return _make(_KINDS.get(error.status, Error), error.status, error.offset, ('%s: %s' % (name, text),))
    try:
        with open(path if other is None else other, 'rb', opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)):
            return error
    except OSError as cause:
        return _make(type(cause), IO, None, (cause.errno, cause.strerror, cause.filename))
