"""Reading foreign pickles without reserving what they merely claim."""

from __future__ import annotations

import pickle


def _refuse_bytearray(unpickler: object) -> None:
    assert isinstance(unpickler, BoundedUnpickler)
    raise unpickler.refusal("a block of changeable bytes")


class BoundedUnpickler(pickle._Unpickler):
    """Base of our readers: memory grows with the file, never with a number that stands in it.

    The interpreter written in Python, on purpose: the one in C reserves memory for whatever index
    a "memoize" instruction names, so that ten bytes can claim many gigabytes. What the one in
    Python reserves at the file's word, a bytearray, is refused; none of the files we read has one.

    Attributes:
        refusal: what is raised then.
    """

    refusal: type[Exception] = pickle.UnpicklingError
    dispatch = pickle._Unpickler.dispatch | {pickle.BYTEARRAY8[0]: _refuse_bytearray}
