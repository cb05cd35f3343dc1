"""What is remembered between starts, and which nets lie on disk; no torch here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from resnet_viz.core.errors import OutputError
from resnet_viz.core.paths import atomic_path, config_dir, named_path, runs_dir, trained_dir
from resnet_viz.core.types import Normalization

from .cards import finite, normalization_of, read_record, sound

MAX_RECENT = 12
FIRST_MODEL = "resnet20-cifar10"
"""The net that the app opens with; every list begins with it."""


def trained_models() -> list[tuple[str, Mapping[str, Any]]]:
    """Return id and card of every trained net: those that ship, then the user's finished runs."""
    found: dict[str, Mapping[str, Any]] = {}
    for root in (trained_dir(), runs_dir()):
        for path in sorted(root.glob("*/card.json")) if root.is_dir() else ():
            card = _read_json(path)
            if card is not None and (path.parent / "weights.safetensors").is_file():
                card, _ = sound(card)
                found.setdefault(card.get("id") or path.parent.name, card | {"folder": str(path.parent)})
    plain = {name for name, card in found.items() if str(card.get("arch", "")).startswith("plain")}
    return sorted(found.items(), key=lambda item: (item[0] != FIRST_MODEL, item[0] in plain, item[0]))


def trained_size(card: Mapping[str, Any]) -> int | None:
    """Return the side at which a net was trained, where its card says so."""
    size = sound({"input_size": card.get("input_size")})[0].get("input_size")
    return int(size) if size is not None else None


def trained_folder(model_id: str) -> Path | None:
    """Return the folder of a trained net, None if there is no such id."""
    for found, card in trained_models():
        if found == model_id:
            return Path(card["folder"])
    return None


def place_of(ref: str) -> Path:
    """Return the file or folder that the id of a trained net, or a path, names; nothing need be there.

    Raises:
        UserError: if it lies in a home folder that there is not.
    """
    return (trained_folder(ref) or named_path(ref)).resolve()


@cache
def architectures() -> tuple[tuple[str, str], ...]:
    """Return id and title of every architecture, from a list that a test keeps equal to the registry.

    The registry itself imports torch, which a menu cannot wait for.
    """
    from .architectures import ARCHITECTURES

    return ARCHITECTURES


def recent(kind: str) -> list[str]:
    """Return the paths opened last, newest first; ``kind`` is ``"model"`` or ``"picture"``."""
    paths = _state().get(f"recent_{kind}", [])
    return [path for path in paths if isinstance(path, str)] if isinstance(paths, list) else []


def remember_recent(kind: str, path: str) -> None:
    """Put ``path`` first among the recent ones."""
    paths = [path, *(old for old in recent(kind) if old != path)][:MAX_RECENT]
    _write_state({f"recent_{kind}": paths})


def remembered_normalization(path: str) -> Normalization | None:
    """Return the mean/std that the user chose for this file, None if none was chosen."""
    table = _state().get("normalization", {})
    entry = table.get(_file_key(path)) if isinstance(table, dict) else None
    try:
        return normalization_of(entry)
    except ValueError:  # none was chosen, or the file was edited into nonsense: it is asked again
        return None


def remember_normalization(path: str, normalization: Normalization) -> None:
    """Remember the mean/std that the user chose for this file."""
    table = _state().get("normalization", {})
    table = dict(table) if isinstance(table, dict) else {}
    table[_file_key(path)] = {
        "title": normalization.title,
        "mean": list(normalization.mean),
        "std": list(normalization.std),
    }
    _write_state({"normalization": table})


def _file_key(path: str) -> str:
    """Return a key that changes when another file takes the same name."""
    target = Path(path).resolve()
    try:
        return f"{target}|{target.stat().st_size}"
    except OSError:
        return str(target)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        return read_record(path)
    except (OSError, ValueError):
        return None


def _state_path() -> Path:
    return config_dir() / "state.json"


def _state() -> dict[str, Any]:
    state: dict[str, Any] = finite(_read_json(_state_path()) or {})
    return state


def _write_state(changes: dict[str, Any]) -> None:
    """Write changed entries; a damaged file is kept beside the new one as ``state.json.bak``."""
    path = _state_path()
    with suppress(OSError):  # where nothing can be moved, nothing is written over either
        if path.is_file() and _read_json(path) is None:
            path.replace(path.with_suffix(".json.bak"))
    try:
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(_state() | changes, indent=1, allow_nan=False), encoding="utf-8")
    except OutputError:
        return  # a read-only home: nothing is remembered, nothing else fails
