"""``resnet-viz layers``: every layer of a net with shape, parameters and receptive field."""

from __future__ import annotations

import argparse

from resnet_viz.core.types import LayerInfo

from .commands import Command, commands
from .opening import open_and_say
from .options import add_json, add_model, model_request
from .output import print_json, print_table


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser, optional=True)
    add_json(parser)


def _field(layer: LayerInfo) -> list[int] | None:
    field = layer.receptive_field
    return [field.size_y, field.size_x] if field else None


def _run(arguments: argparse.Namespace) -> int:
    _, card = open_and_say(model_request(arguments), answers=False)
    if arguments.json:
        print_json(
            [
                {
                    "name": layer.name,
                    "kind": layer.kind,
                    "out_shape": list(layer.out_shape),
                    "params": layer.params,
                    "block": layer.block or None,
                    "receptive_field": _field(layer),
                }
                for layer in card.layers
            ]
        )
        return 0
    print(card.found)
    table = [("layer", "kind", "output", "parameters", "sees", "part")]
    for layer in card.layers:
        shape = "x".join(map(str, layer.out_shape))
        field = layer.receptive_field
        sees = "" if field is None else ("all" if field.whole else f"{field.size_y}x{field.size_x}")
        table.append((layer.name, layer.kind, shape, f"{layer.params:,}", sees, layer.role))
    print_table(table, right=(2, 3, 4))
    return 0


commands.add(
    "layers",
    Command("layers", "list a net's layers", "resnet-viz layers resnet20-cifar10", _arguments, _run),
)
