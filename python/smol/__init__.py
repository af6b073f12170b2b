"""Language models from a seed: .smol files opened, run and taken apart, over the C library libsmol.

    import smol
    model = smol.Model.load('model.smol')
    print(model.generate('Once upon a time', n=200, seed=1))
    for piece in model.stream('Once', temp=0.5):       # the same, as it grows
        print(piece, end='', flush=True)
    print(model.perplexity('To be, or not to be'))
    logits = model.logits('Once')                      # float32, (V,)
    packed = model.pack('Once upon a time')            # a few bytes; model.unpack(packed) is the text
    w = model.weights('h.0.attn.c_attn.weight')        # float64, (outputs, inputs), exact

The same file, prompt and seed give the same text as smolrun, on every machine. What the library refuses raises smol.Error.
The environment variable SMOL_LIBRARY names another libsmol.so. Only logits() and weights() need NumPy.
"""
from ._errors import Error
from ._library import lib as _lib
from ._model import Model, Score

__all__ = ['Error', 'Model', 'Score', '__version__', 'version']


def version() -> str:
    """Of the library that runs."""
    return str(_lib.smol_version().decode())


__version__ = version()
