"""A rehearsal before ``torch.load``: what does a pickle ask for, and what does it claim to hold?

``weights_only=True`` runs no foreign code, but it still reserves whatever memory a file asks
for: ``bytearray(10**10)`` and ``torch.Tensor(10**10)`` are on PyTorch's list of allowed calls,
and the storages of the format before 1.6 are reserved and resized at the file's word. So the
pickle is first read with placeholders for everything it names. No function is called and no
tensor is made; sizes are compared with the file. What NumPy is handed must be what NumPy wrote,
to the letter: a tampered description of a dtype ends the process (segmentation fault).
"""

from __future__ import annotations

import _compat_pickle
import io
import pickle
from typing import Any, BinaryIO

import numpy as np
import torch

from resnet_viz.core.errors import CheckpointError
from resnet_viz.core.unpickler import BoundedUnpickler

MAX_PICKLE_BYTES = 64 * 1024**2
"""The pickle describes the tensors; their values lie outside of it."""

MAX_STEPS = 2_000_000
"""Instructions of a checkpoint's pickles, about 3 s of reading; a tensor takes thirty."""

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""First value of the format that torch.save wrote before 1.6."""

SAVE_STATE = "Save the state dict alone: torch.save(net.state_dict(), file)."

TOO_MUCH = "a tensor that claims more values than the file holds"

_FROM_TYPE = "torch._tensor._rebuild_from_type_v2"
_REBUILDERS = {f"torch._utils.{name}" for name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3")}
_CALLABLE = _REBUILDERS | {
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    _FROM_TYPE,
    "torch.Size",
    "torch.device",
    "torch.serialization._get_layout",
    "collections.OrderedDict",
    "collections.Counter",
    "_codecs.encode",
    "builtins.set",
    "builtins.complex",
    "numpy.dtype",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
}
_SCALARS = {"numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"}
_BYTES = {"f2": 2, "f4": 4, "f8": 8, "i1": 1, "i2": 2, "i4": 4, "i8": 8, "u1": 1, "u2": 2, "u4": 4, "u8": 8, "b1": 1}
"""NumPy's plain numbers and their bytes; an object dtype would be read as a pointer."""

NUMBER_DTYPES: list[Any] = sorted({type(np.dtype(code)) for code in _BYTES}, key=lambda kind: kind.__name__)
"""Classes that PyTorch's reader must let through for them: metrics are often saved so."""

_NAMED_ONLY = {"torch.Tensor", "torch.nn.parameter.Parameter", "torch.storage.UntypedStorage", "builtins.bytearray"}
# written out: asking the classes themselves makes PyTorch warn
_ITEMSIZES = {
    "Double": 8, "Float": 4, "Half": 2, "BFloat16": 2, "Long": 8, "Int": 4, "Short": 2, "Char": 1, "Byte": 1,
    "Bool": 1, "ComplexFloat": 8, "ComplexDouble": 16,
}  # fmt: skip
_BESIDE = {
    "argparse.Namespace": "an argparse.Namespace",
    "pathlib.PosixPath": "a path object",
    "pathlib.WindowsPath": "a path object",
    "numpy.core.multiarray._reconstruct": "a NumPy array",
    "numpy._core.multiarray._reconstruct": "a NumPy array",
    "numpy.ndarray": "a NumPy array",
}
"""What training scripts save beside the weights: no code, but nothing that is read here either."""

_UNUSUAL = {
    "torch._utils._rebuild_qtensor": "quantised tensors",
    "torch._utils._rebuild_sparse_tensor": "sparse tensors",
    "torch._utils._rebuild_meta_tensor_no_storage": "tensors without values",
    "torch._utils._rebuild_wrapper_subclass": "tensors of a special class",
}


class _Refused(Exception):  # noqa: N818 - carries half a sentence for the user
    """The pickle claims something that it cannot mean well."""


class _Storage:
    """What a persistent id says of a storage: values, and bytes per value."""

    __slots__ = ("itemsize", "numel")

    def __init__(self, numel: int, itemsize: int) -> None:
        self.numel, self.itemsize = numel, itemsize


class _Metered(dict[int, Any]):
    """What to do for each instruction, and how many may follow."""

    left = MAX_STEPS

    def __getitem__(self, code: int) -> Any:
        self.left -= 1
        if self.left < 0:
            raise _Refused(f"more than {MAX_STEPS:,} values beside its tensors")
        return dict.__getitem__(self, code)


class _Named:
    """Stands for anything that the pickle names; calling it makes another placeholder.

    What is to be refused is noted and not raised, so that the message can name all of it.
    """

    name = ""
    refused: list[str]
    args: tuple[object, ...]

    def __new__(cls, *args: object, **_keywords: object) -> _Named:
        if cls.name not in _CALLABLE:
            cls.refused.append(_UNUSUAL.get(cls.name, f"a call of {shown(cls.name)}"))
        if cls.name in _REBUILDERS:
            cls.refused.extend(_view_problem(cls.name, args))
        if cls.name == _FROM_TYPE:  # it calls another function itself
            if len(args) == 4 and isinstance(args[0], type) and issubclass(args[0], _Named):
                args[0](*args[2])  # type: ignore[misc]
            else:
                cls.refused.append(f"an odd call of {cls.name}")
        if cls.name == "numpy.dtype" and not _plain_dtype(args):
            cls.refused.append("NumPy values other than single numbers")
        if cls.name in _SCALARS and not _plain_scalar(args):
            cls.refused.append("an odd NumPy number")
        if cls.name == "_codecs.encode" and args[1:] not in (("latin1",), ("latin-1",)):
            cls.refused.append("bytes in an odd encoding")
        made = object.__new__(cls)
        object.__setattr__(made, "args", args)
        return made

    def __init__(self, *_args: object, **_keywords: object) -> None:
        return

    def __setstate__(self, state: object) -> None:
        if self.name == "numpy.dtype":
            orders = "|" if _BYTES.get(str(self.args[0]).lstrip("<")) == 1 else "<>"
            known = any(_same(state, (3, order, None, None, None, -1, -1, 0)) for order in orders)
        else:
            known = self.name == "collections.OrderedDict" and isinstance(state, dict)
        if not known:
            self.refused.append(f"an odd state of {self.name}")

    def __setitem__(self, key: object, value: object) -> None:
        return

    def append(self, item: object) -> None:
        return

    def extend(self, items: object) -> None:
        return


class _Rehearsal(BoundedUnpickler):
    refusal = _Refused

    def __init__(self, file: BinaryIO, meter: _Metered | None = None) -> None:
        super().__init__(file, encoding="utf-8")
        # its own, since it counts; the interpreter in Python looks it up in the instance
        self.dispatch = meter or _Metered(BoundedUnpickler.dispatch)  # type: ignore[misc]
        self.names: set[str] = set()
        self.refused: list[str] = []
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        # names of Python 2, which torch.save still writes; PyTorch's own reader maps them so too
        module, name = _compat_pickle.NAME_MAPPING.get(
            (module, name), (_compat_pickle.IMPORT_MAPPING.get(module, module), name)
        )
        full = f"{module}.{name}"
        self.names.add(full)
        # a class made anew, since a pickle may set attributes of what it is given
        return type("_Named", (_Named,), {"name": full, "refused": self.refused})

    def persistent_load(self, pid: Any) -> object:
        if not isinstance(pid, tuple):
            raise pickle.UnpicklingError("no storage: torch.save names one by a tuple")
        if not (len(pid) >= 5 and pid[0] == "storage" and isinstance(pid[4], int)):
            raise _Refused("an unknown kind of storage")
        storage = _Storage(pid[4], _itemsize(getattr(pid[1], "name", "")))
        if storage.numel < 0:
            raise _Refused("a storage of negative size")
        before = self.storages.setdefault(str(pid[2]), storage)
        if (before.numel, before.itemsize) != (storage.numel, storage.itemsize):
            raise _Refused("two sizes for one storage")
        return storage


def _same(found: object, wanted: tuple[object, ...]) -> bool:
    """Compare with types, since to Python ``1 == True == 1.0``."""
    return isinstance(found, tuple) and found == wanted and [*map(type, found)] == [*map(type, wanted)]


def _plain_dtype(args: tuple[object, ...]) -> bool:
    """Whether a dtype is asked for as NumPy writes it: a new one, so that no shared one can be changed."""
    code = args[0] if args and isinstance(args[0], str) else ""
    plain = code in _BYTES or code == "<f8"
    return plain and (_same(args, (code, False, True)) or _same(args, (code, 0, 1)))


def _plain_scalar(args: tuple[object, ...]) -> bool:
    """Whether a scalar is a dtype of ours and exactly its bytes."""
    if len(args) != 2 or not isinstance(args[0], _Named) or args[0].name != "numpy.dtype":
        return False
    value = args[1]
    if isinstance(value, _Named) and value.name == "_codecs.encode":  # how bytes were written before Python 3
        value = value.args[0] if value.args else None
        value = value.encode("latin-1", "replace") if isinstance(value, str) else None
    return isinstance(value, bytes) and len(value) == _BYTES.get(str(args[0].args[0]).lstrip("<"))


def shown(name: object, limit: int = 80) -> str:
    """Return a name out of a file as it may be printed: no control characters, and not a page of it."""
    text = "".join(letter if letter.isprintable() else "?" for letter in str(name)[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _allowed(name: str) -> bool:
    if name in _CALLABLE or name in _NAMED_ONLY or name in _UNUSUAL:
        return True
    module, _, last = name.rpartition(".")
    if module == "torch" and last.startswith("per_"):  # how a quantised tensor was quantised
        return True
    if module == "torch" and isinstance(getattr(torch, last, None), torch.dtype):
        return True
    return module == "torch" and last.endswith(("Storage", "Tensor"))


def _itemsize(kind: str) -> int:
    """Return the bytes per value of ``torch.FloatStorage`` and its like; 1 for an untyped one."""
    return _ITEMSIZES.get(kind.removeprefix("torch.").removesuffix("Storage"), 1)


def _view_problem(name: str, args: tuple[Any, ...]) -> list[str]:
    """Compare a tensor's shape and strides with the storage that it looks at."""
    storage, offset, size, stride = args[:4]
    if not isinstance(storage, _Storage):
        return ["a tensor without a storage"]
    size, stride = tuple(size), tuple(stride)
    held = storage.numel
    if name.endswith("_v3") and len(args) > 6:  # its storage counts bytes, the kind stands beside it
        kind = getattr(torch, getattr(args[6], "name", "").rpartition(".")[2], None)
        held //= kind.itemsize if isinstance(kind, torch.dtype) else 1
    if len(size) != len(stride) or len(size) > 64 or min((offset, *size, *stride)) < 0:
        return ["a tensor of impossible shape"]
    count = 1
    for side in size:
        count *= side
    last = offset + sum((side - 1) * step for side, step in zip(size, stride, strict=True))
    if count and (count > held or last >= held):
        return [TOO_MUCH]
    return []


def rehearse_archive(data: bytes, sizes: dict[str, int], name: str) -> None:
    """Check the ``data.pkl`` of a zipped checkpoint.

    Args:
        data: the pickle.
        sizes: bytes of each stored tensor by its key.
        name: the file's name, for messages.

    Raises:
        CheckpointError: if it asks for code, or claims more than the archive holds.
    """
    storages = _rehearse(io.BytesIO(data), 1, name)
    for key, storage in storages.items():
        if storage.numel * storage.itemsize > sizes.get(key, 0):
            raise CheckpointError(_refusal(name, TOO_MUCH))


def rehearse_legacy(file: BinaryIO, size: int, name: str) -> None:
    """Check a checkpoint of the format before 1.6: five pickles, then the values.

    Args:
        file: open at its beginning.
        size: bytes of the whole file.
        name: the file's name, for messages.

    Raises:
        CheckpointError: if it is no checkpoint, asks for code, or claims more than the file holds.
    """
    storages = _rehearse(io.BytesIO(file.read(MAX_PICKLE_BYTES)), 5, name)
    if sum(storage.numel * storage.itemsize for storage in storages.values()) > size:
        raise CheckpointError(_refusal(name, TOO_MUCH))


def _rehearse(stream: BinaryIO, count: int, name: str) -> dict[str, _Storage]:
    names: set[str] = set()
    refused: list[str] = []
    storages: dict[str, _Storage] = {}
    plain, broken = False, None
    meter = _Metered(BoundedUnpickler.dispatch)  # one for all of them
    for index in range(count):
        one = _Rehearsal(stream, meter)
        try:
            value = one.load()
            plain = count > 1 and index == 0 and value != LEGACY_MAGIC
        except _Refused as error:
            refused.append(str(error))
        except Exception as error:  # a damaged pickle raises whatever its broken instructions lead to
            broken = error
        names |= one.names
        refused += one.refused
        storages |= one.storages
        if plain or refused or broken:
            break
    if unsafe := sorted(one for one in names if not _allowed(one)):
        if all(one in _BESIDE for one in unsafe):
            raise CheckpointError(_refusal(name, _BESIDE[unsafe[0]]))
        more = f" and {len(unsafe) - 3} more" if len(unsafe) > 3 else ""
        raise CheckpointError(
            f"{name} asks for code to be run ({', '.join(shown(one, 60) for one in unsafe[:3])}{more}), "
            f"which is refused; nothing of it ran. {SAVE_STATE}"
        )
    if refused:
        raise CheckpointError(_refusal(name, refused[0]))
    if broken is not None:
        raise CheckpointError(damaged(name)) from broken
    if plain:
        raise CheckpointError(f"{name} is a plain pickle, not a checkpoint. {SAVE_STATE}")
    return storages


def _refusal(name: str, what: str) -> str:
    return f"{name} holds {what}, which is refused. {SAVE_STATE}"


def damaged(name: str) -> str:
    """Return the sentence for a file that cannot be made sense of."""
    return f"{name} is damaged or no checkpoint. Download or copy it again."
