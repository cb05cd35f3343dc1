"""CIFAR's batches are pickles, and a pickle can run any program: these are read without running anything.

Only what those files consist of is built: numbers, text, bytes, lists, dictionaries, and one
kind of NumPy array (bytes). NumPy's own reconstruction code is not called; a placeholder
takes the array's description and the bytes are checked before an array is made of them.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from resnet_viz.core.errors import DataError
from resnet_viz.core.types import U8
from resnet_viz.core.unpickler import BoundedUnpickler

MAX_FILE_BYTES = 256 * 1024 * 1024
"""CIFAR-100's training file has 155 MB, the largest of its kind."""


class _Array:
    """Takes what the pickle says of an array; nothing is allocated from it."""

    __slots__ = ("dtype", "state")

    def __init__(self, dtype: object = None) -> None:
        self.dtype = dtype
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


def read_batch(path: Path) -> dict[str, Any]:
    """Read one CIFAR batch.

    Args:
        path: a file such as ``data_batch_1`` or ``test_batch``.

    Returns:
        Its dictionary with text keys; arrays as uint8 NumPy arrays, text as ``bytes``.

    Raises:
        DataError: if the file is missing, too large, damaged, or holds anything else.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise DataError(f"{path.name} has {size / 1e6:,.0f} MB, too much for a CIFAR batch. Get the file again.")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}). Check the folder.") from error
    try:
        found = _Unpickler(io.BytesIO(data), encoding="bytes").load()
        if not isinstance(found, dict):
            raise pickle.UnpicklingError("no dictionary")
        return {_text(key): _value(value) for key, value in found.items()}
    except Exception as error:  # a damaged pickle raises whatever its broken instructions lead to
        raise DataError(
            f"{path.name} is no CIFAR batch, or damaged; nothing in it was run. Get the file again."
        ) from error


class _Unpickler(BoundedUnpickler):
    def find_class(self, module: str, name: str) -> Callable[..., object]:
        # functions made anew for each file: a pickle can set attributes of what it is given
        if (module, name) in (
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
        ):
            return lambda kind, shape, code: _Array()
        if (module, name) == ("numpy", "ndarray"):
            return lambda: None
        if (module, name) == ("numpy", "dtype"):
            return lambda code, *flags: _Array(code)
        if (module, name) == ("_codecs", "encode"):
            return _latin1()
        raise pickle.UnpicklingError(f"{module}.{name} is not part of a CIFAR batch")


def _latin1() -> Callable[..., object]:
    def encode(text: str, encoding: object = None) -> bytes:
        return text.encode("latin1")

    return encode


def _text(key: object) -> str:
    return key.decode("ascii") if isinstance(key, bytes) else str(key)


def _value(value: object) -> object:
    if not isinstance(value, _Array):
        return value
    return _bytes_array(value)


def _bytes_array(value: _Array) -> U8:
    """Make the array (any shape) whose description is consistent with its bytes."""
    if not isinstance(value.state, tuple):
        raise pickle.UnpicklingError("an array without contents")
    _, shape, dtype, fortran, raw = value.state
    code = dtype.dtype if isinstance(dtype, _Array) else None
    if code not in ("u1", b"u1") or fortran or not isinstance(raw, bytes) or not isinstance(shape, tuple):
        raise pickle.UnpicklingError("an array that is not made of bytes")
    if any(not isinstance(side, int) or side < 0 for side in shape):
        raise pickle.UnpicklingError("an array of impossible shape")
    return np.frombuffer(raw, np.uint8).reshape(shape)  # raises where the bytes do not fill the shape
