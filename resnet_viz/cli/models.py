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
    """Return one record per model: trained ones first, then architectures."""
    import torch

    from resnet_viz.models import models
    from resnet_viz.session.store import trained_models, trained_size

    found: list[dict[str, Any]] = []
    for model_id, card in trained_models():
        arch = str(card.get("arch", ""))
        spec = models.get(arch) if arch in models else None
        found.append(
            {
                "id": model_id,
                "title": card.get("title", model_id),
                "family": spec.family if spec else "unknown",
                "depth": spec.depth if spec else None,
                "params": card.get("params"),
                "input": trained_size(card) or (spec.input_size if spec else None),
                "classes": len(card.get("classes", ())),
                "dataset": card.get("dataset"),
                "test_error": card.get("test_error"),
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
            (row["id"], row["title"], params, f"{row['input']}", f"{row['classes']}", row["dataset"] or "", error)
        )
    print_table(table, right=(2, 3, 4, 6))
    return 0


commands.add(
    "models", Command("models", "list trained nets and architectures", "resnet-viz models --json", _arguments, _run)
)
