"""The library's objects, and who uses them: one is freed when it is closed and no call is in it, in whatever thread and order.

A process that fork made has the objects, but neither the threads nor the calls of the other: its models go on, on the same bytes;
texts begun before do not."""
import os
import threading
import weakref
from ctypes import byref, c_uint32, c_void_p
from typing import Any, NoReturn, Optional

from ._library import SamplerOptions, SessionOptions, lib


class Uncopied:
    """What a copy would free twice."""

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError('a %s can be neither copied nor pickled; threads and forked processes share a model' % type(self).__name__)


class ModelHandle(Uncopied):
    """An open model. `with` gives its pointer, which is good until the end of the block."""

    def __init__(self, pointer: c_void_p, data: Optional[bytes]):
        self._pointer: Optional[c_void_p] = pointer
        self._file = pointer        # the one with the file's descriptor
        self._data = data           # must live as long
        self._free = lib.smol_model_close  # to be there still when modules are torn down
        self._lock = threading.RLock()     # re-entered by signal handlers and __del__
        self._users = 0
        self.is_closed = False
        self.forks = 0
        _models.add(self)

    def __enter__(self) -> c_void_p:
        with self._lock:
            self._users += 1  # first, so that from here on nobody frees it
            if not self.is_closed and self._pointer:
                return self._pointer
        self.__exit__()
        raise ValueError('the model is closed')

    def __exit__(self, *_: Any) -> None:
        with self._lock:
            self._users -= 1
            self._free_if_unused()

    def close(self) -> None:
        with self._lock:
            self.is_closed = True
            self._free_if_unused()

    __del__ = close

    def _free_if_unused(self) -> None:
        if self.is_closed and self._users <= 0:
            pointer, self._pointer = self._pointer, None
            if pointer:
                self._free(pointer)

    def check(self) -> None:
        with self:
            lib.smol_model_check(self._file)

    def after_fork(self) -> None:
        """A new model on the old one's bytes: whose lock another thread may have held, and which is therefore never freed."""
        self._lock, self._users = threading.RLock(), 0
        self.forks += 1
        old, self._pointer = self._pointer, None
        if old and not self.is_closed:
            new = c_void_p()
            lib.smol_model_open_file(byref(new), lib.smol_model_file(old))
            self._pointer = new


_models: 'weakref.WeakSet[ModelHandle]' = weakref.WeakSet()


def _after_fork() -> None:
    for model in list(_models):
        model.after_fork()


os.register_at_fork(after_in_child=_after_fork)


class Text(Uncopied):
    """A text that grows, with a session of its own; it counts as a use of its model. Or n of them side by side, of which the first is
    the one that most methods are about. For one thread at a time."""

    def __init__(self, model: ModelHandle, session: SessionOptions, sampler: SamplerOptions, n: int = 1):
        self._texts = (c_void_p * n)()
        self._model, self._forks = model, model.forks
        self._free = lib.smol_text_destroy
        pointer = model.__enter__()
        try:
            lib.smol_texts_create(self._texts, n, pointer, byref(session), byref(sampler))
        except BaseException:
            if not self._texts[0]:
                model.__exit__()
            raise

    def __enter__(self) -> 'Text':
        return self

    def __exit__(self, *_: Any) -> None:
        texts, self._texts = self._texts, (c_void_p * 1)()
        if texts[0] and self._forks == self._model.forks:
            for text in texts:
                self._free(text)
            self._model.__exit__()

    __del__ = __exit__

    def _used(self, i: int = 0) -> Any:
        if self._forks != self._model.forks:
            raise ValueError('this text was begun in another process')
        if self._model.is_closed:
            raise ValueError('the model is closed')
        return self._texts[i]

    def append(self, tokens: 'list[int]') -> None:
        lib.smol_text_append(self._used(), (c_uint32 * len(tokens))(*tokens), len(tokens))

    def feed(self) -> None:
        lib.smol_text_feed(self._used())

    def next(self) -> int:
        token = c_uint32()
        lib.smol_text_next(byref(token), self._used())
        return token.value

    def copy(self, i: int, seed: int) -> None:
        """Text i becomes what the first is, with another seed."""
        lib.smol_text_copy(self._used(i), self._used(), seed)

    def next_of(self, which: 'list[int]') -> 'list[int]':
        """The next tokens of several texts, computed together."""
        tokens = (c_uint32 * len(which))()
        lib.smol_texts_next(tokens, (c_void_p * len(which))(*[self._used(i) for i in which]), len(which))
        return tokens[:]

    def is_full(self, i: int = 0) -> bool:
        return bool(lib.smol_text_is_full(self._used(i)))

    def logits(self) -> Any:
        return lib.smol_text_logits(self._used())
