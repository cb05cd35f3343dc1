"""Names of the files in a run's folder; a module of its own, so that nobody imports torch to know them."""

from __future__ import annotations

CONFIG = "config.toml"
EVENTS = "events.jsonl"
WEIGHTS = "weights.safetensors"
"""The best weights so far."""
LAST = "last.ckpt"
"""Weights, optimizer and random state to go on from."""
CARD = "card.json"
EPOCHS = "epochs"
"""Folder of every epoch's weights, where the run keeps them."""
