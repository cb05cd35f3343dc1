"""``resnet-viz models``: the nets that ship, the user's own runs, and every architecture."""

from __future__ import annotations

import argparse
from typing import Any

from .commands import Command, commands
from .options import add_json
from .output import print_json, print_table


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def rows() -> list[dict[str, Any]]:
    """Return one record per model: trained ones first, then architectures; what is not known or not sound is None."""
    import torch

    from resnet_viz.models import models
    from resnet_viz.session.store import trained_models, trained_size

    found: list[dict[str, Any]] = []
    for model_id, card in trained_models():
        arch, title, dataset = (_text(card.get(key)) for key in ("arch", "title", "dataset"))
        spec = models.get(arch) if arch in models else None
        names, params, error = card.get("classes"), card.get("params"), card.get("test_error")
        found.append(
            {
                "id": model_id,
                "title": title or model_id,
                "family": spec.family if spec else "unknown",
                "depth": spec.depth if spec else None,
                "params": params if isinstance(params, int) and params >= 0 else None,
                "input": trained_size(card) or (spec.input_size if spec else None),
                "classes": len(names) if isinstance(names, (list, tuple)) else None,
                "dataset": dataset or None,
                # a comparison is False for NaN
                "test_error": error if isinstance(error, float | int) and 0 <= error <= 1 else None,
            }
        )
    for spec in models:
        with torch.device("meta"):  # shapes only: ResNet-152 is counted as quickly as ResNet-20
            net = spec.build(spec.defaults)
        found.append(
            {
                "id": spec.id,
                "title": spec.title,
                "family": spec.family,
                "depth": spec.depth,
                "params": sum(parameter.numel() for parameter in net.parameters()),
                "input": spec.input_size,
                "classes": spec.defaults.num_classes,
                "dataset": None,
                "test_error": None,
            }
        )
    return found


def _text(value: object) -> str:
    """Return one line of text, empty if it is something else: a card in the user's folder may say anything."""
    return " ".join(value.split()) if isinstance(value, str) else ""


def _run(arguments: argparse.Namespace) -> int:
    found = rows()
    if arguments.json:
        print_json(found)
        return 0
    table = [("id", "title", "parameters", "input", "classes", "trained on", "test error")]
    for row in found:
        error = "" if row["test_error"] is None else f"{100 * row['test_error']:.2f} %"
        params = "" if row["params"] is None else f"{row['params']:,}"
        table.append(
            (row["id"], row["title"], params, _count(row["input"]), _count(row["classes"]), row["dataset"] or "", error)
        )
    print_table(table, right=(2, 3, 4, 6))
    return 0


def _count(value: int | None) -> str:
    return "" if value is None else str(value)


commands.add(
    "models", Command("models", "list trained nets and architectures", "resnet-viz models --json", _arguments, _run)
)
