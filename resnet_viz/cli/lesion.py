"""``resnet-viz lesion``: the error without each block, without each skip, or without some at random."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from resnet_viz.core.errors import DataError, OutputError, UserError
from resnet_viz.core.lesion_types import LesionKind, LesionStudy, RandomLesion

from .commands import Command, commands
from .fetching import add_download, fetch
from .opening import open_and_say
from .options import add_json, add_model, data_there, model_request
from .output import bar, finite, print_json, print_table, printable

PICTURES = 2000
ENDINGS = (".png", ".svg", ".pdf", ".csv")


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("--data", metavar="DATA", help="folder of class folders, or a data set id such as cifar10")
    parser.add_argument("--split", default="test", help="part of the data set (default test)")
    parser.add_argument(
        "--pictures",
        type=int,
        default=PICTURES,
        metavar="N",
        help=f"pictures taken evenly from the classes (default {PICTURES}; 0 takes all)",
    )
    parser.add_argument(
        "--picture-seed", type=int, default=0, metavar="S", help="another one picks and draws others (default 0)"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--cut", action="store_true", help="cut each skip connection instead of deleting each block")
    what.add_argument("--random", type=int, metavar="K", help="delete K blocks drawn at random, several times")
    parser.add_argument("--repeats", type=int, default=10, metavar="R", help="draws of --random (default 10)")
    parser.add_argument("--out", metavar="FILE", help=f"chart or numbers: a file ending in {', '.join(ENDINGS)}")
    add_download(parser)
    add_json(parser)


def _run(arguments: argparse.Namespace) -> int:
    if not arguments.data:
        raise UserError("No data set is named. Give --data with a folder of class folders, or an id such as cifar10.")
    if arguments.pictures < 0:
        raise UserError(f"--pictures {arguments.pictures} takes none. Give a number from 1 up, or 0 for all.")
    if arguments.picture_seed < 0:
        raise UserError(f"--picture-seed {arguments.picture_seed} is no seed. Give a number from 0 up.")
    out = Path(arguments.out) if arguments.out else None
    if out is not None and out.suffix.lower() not in ENDINGS:
        raise OutputError(f"'{out.name}' has no ending that can be written. Use one of {', '.join(ENDINGS)}.")
    data_there(arguments.data)
    fetch(arguments.data, arguments.download)
    result, title, plain = _measure(arguments)
    if out is not None:
        from resnet_viz.analysis.lesion_export import write_lesion

        write_lesion(out, result, printable(title), plain=plain)
    if arguments.json:
        print_json(_record(result))
    else:
        _print(result, title)
    return 0


def _measure(arguments: argparse.Namespace) -> tuple[LesionStudy | RandomLesion, str, bool]:
    """Return the result, the net's title, and whether the net has no skip connections."""
    from tqdm import tqdm

    from resnet_viz.analysis.lesion import delete_at_random, final, lesion_blocks, lesion_each, pick_evenly
    from resnet_viz.data.datasets import align, load
    from resnet_viz.hooks.intervene import has_skip

    net, card = open_and_say(model_request(arguments))
    kind: LesionKind = "cut" if arguments.cut else "delete"
    blocks = lesion_blocks(net, (card.in_channels, card.input_size, card.input_size), kind)
    data = load(arguments.data, arguments.split, size=card.input_size, kind=card.fit, channels=card.in_channels)
    try:
        data = align(data, card.classes)
    except DataError:
        if len(data.classes) != len(card.classes):
            raise
        # as many classes under other names: taken in order, and said
        print("The class names differ from the net's; they are taken in order.", file=sys.stderr)
    for name in data.skipped:
        print(f"skipped, not readable: {name}", file=sys.stderr)
    part = pick_evenly(data.labels, arguments.pictures or len(data.labels), arguments.picture_seed)
    images, labels = data.images[part], data.labels[part]
    plain = not any(has_skip(net, block) for block in blocks)
    with tqdm(total=100, unit="%", disable=not sys.stderr.isatty(), leave=False) as meter:

        def progress(share: float) -> None:
            meter.update(round(100 * share) - meter.n)

        if arguments.random is None:
            studies = lesion_each(net, images, labels, card.normalization, kind=kind, blocks=blocks, progress=progress)
            return final(studies), card.title, plain
        draws = delete_at_random(
            net,
            images,
            labels,
            card.normalization,
            k=arguments.random,
            repeats=arguments.repeats,
            seed=arguments.picture_seed,
            blocks=blocks,
            progress=progress,
        )
        return final(draws), card.title, plain


def _record(result: LesionStudy | RandomLesion) -> dict[str, object]:
    """Return what ``--json`` prints; errors are shares 0-1."""
    if isinstance(result, LesionStudy):
        blocks = [
            {"block": one.block, "error": one.error, "f_to_x": None if one.f_to_x is None else finite(one.f_to_x)}
            for one in result.blocks
        ]
        return {"base_error": result.base_error, "blocks": blocks}
    return {
        "base_error": result.base_error,
        "k": result.k,
        "errors": result.errors.tolist(),
        "deleted": [list(some) for some in result.deleted],
    }


def _print(result: LesionStudy | RandomLesion, title: str) -> None:
    print(f"{title}: error {100 * result.base_error:.2f} %, n = {result.n}")
    if isinstance(result, RandomLesion):
        print(f"{result.k} blocks deleted at random, {len(result.errors)} times, seed {result.seed}:")
        rows = [["error", "", "deleted"]]
        rows += [
            [f"{100 * error:.1f} %", bar(error), " ".join(some)]
            for error, some in zip(result.errors, result.deleted, strict=True)
        ]
        print_table(rows, right=[0])
        return
    print("each skip connection cut:" if result.kind == "cut" else "each block deleted:")
    known = any(one.f_to_x is not None for one in result.blocks)
    rows = [["block", "", "error", "more by", *(["||F||/||x||"] if known else [])]]
    for one in result.blocks:
        row = [one.block, bar(one.error), f"{100 * one.error:.1f} %", f"{100 * (one.error - result.base_error):+.1f}"]
        rows.append([*row, *(["" if one.f_to_x is None else f"{one.f_to_x:.2f}"] if known else [])])
    print_table(rows, right=[2, 3, 4])


commands.add(
    "lesion",
    Command(
        "lesion",
        "measure the error without each block, or without each skip",
        "resnet-viz lesion resnet20-cifar10 --data cifar10",
        _arguments,
        _run,
    ),
)
