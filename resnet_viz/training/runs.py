"""A run's folder: config.toml, events.jsonl, weights.safetensors, last.ckpt, card.json.

Every file is replaced in one step, so a run that was killed never leaves half of one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from resnet_viz.core.paths import atomic_path

CONFIG, EVENTS, WEIGHTS, LAST, CARD = "config.toml", "events.jsonl", "weights.safetensors", "last.ckpt", "card.json"


def write_weights(run: Path, state: dict[str, Tensor]) -> None:
    """Write a state dict as ``weights.safetensors``."""
    with atomic_path(run / WEIGHTS) as path:
        save_file({name: value.detach().cpu().contiguous() for name, value in state.items()}, path)


def read_weights(run: Path) -> dict[str, Tensor]:
    """Read what :func:`write_weights` wrote."""
    return load_file(run / WEIGHTS)


def write_last(run: Path, state: dict[str, Any]) -> None:
    """Write everything that resuming needs as ``last.ckpt``."""
    with atomic_path(run / LAST) as path:
        torch.save(state, path)


def read_last(run: Path) -> dict[str, Any] | None:
    """Return what :func:`write_last` wrote, None if the run has no such file yet."""
    if not (run / LAST).is_file():
        return None
    state: dict[str, Any] = torch.load(run / LAST, map_location="cpu", weights_only=True)
    return state


def write_card(run: Path, card: dict[str, Any]) -> None:
    """Write ``card.json``, two spaces of indent, NaN refused."""
    with atomic_path(run / CARD) as path:
        path.write_text(json.dumps(card, indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")
