"""``resnet-viz evaluate``: accuracy on a labelled data set, per class and as a confusion matrix."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from resnet_viz.core.errors import DataError, UserError
from resnet_viz.core.paths import named_path

from .commands import Command, commands
from .fetching import add_download, fetch
from .opening import open_and_say, refuse_unsound
from .options import add_json, add_model, data_there, model_request
from .output import bar, print_json, printable

if TYPE_CHECKING:
    from resnet_viz.core.types import Evaluation


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "data",
        metavar="DATA",
        nargs="?",
        help="folder of class folders, or a data set id such as cifar10; a run's own data if not given",
    )
    parser.add_argument("--split", default="test", help="part of the data set (default test)")
    parser.add_argument(
        "--all-epochs", action="store_true", help="MODEL is a run that kept its epochs: accuracy after each of them"
    )
    parser.add_argument("--out", metavar="CHART", help="with --all-epochs, a PNG, SVG or PDF of accuracy over epochs")
    add_download(parser)
    add_json(parser)


def _run(arguments: argparse.Namespace) -> int:
    data_there(arguments.data)
    if arguments.all_epochs:
        return _all_epochs(arguments)
    if arguments.out:
        raise UserError("--out draws accuracy over epochs. Give --all-epochs too, or --json for numbers.")
    run = _own_data(arguments)
    if run is None and not arguments.data:
        raise UserError("No data set is named. Give a folder of class folders, or an id such as cifar10.")
    fetch(arguments.data or (_data_of(run) if run else None), arguments.download)
    from tqdm import tqdm

    with tqdm(total=100, unit="%", disable=not sys.stderr.isatty(), leave=False) as meter:

        def progress(share: float) -> None:
            meter.update(round(100 * share) - meter.n)

        title, result = _measure_run(run, arguments, progress) if run else _measure(arguments, progress)
    for name in result.skipped:
        print(f"skipped, not readable: {name}", file=sys.stderr)
    if arguments.json:
        print_json(
            {
                "accuracy": result.accuracy,
                "n": result.n,
                "per_class": result.per_class,
                "confusion": result.confusion.tolist(),
            }
        )
        return 0
    right, wrong = 100 * result.accuracy, 100 * (1 - result.accuracy)
    print(f"{title}: accuracy {right:.2f} %, error {wrong:.2f} %, n = {result.n}")
    widest = max(len(name) for name in result.per_class)
    for name, share in result.per_class.items():
        if share is not None:
            print(f"  {name:{widest}}  {bar(share)}  {100 * share:5.1f} %")
    return 0


def _own_data(arguments: argparse.Namespace) -> Path | None:
    """Return the run whose own data is meant: its test part then has no picture that it was trained on."""
    from resnet_viz.training import layout
    from resnet_viz.training.parts import find_start

    if not arguments.model or arguments.untrained or arguments.factory or arguments.arch or arguments.normalize:
        return None
    try:
        run = find_start(arguments.model)
    except UserError:
        return None
    if not (run / layout.CONFIG).is_file():
        return None
    own = _data_of(run)
    same = not arguments.data or named_path(arguments.data).absolute() == Path(own).absolute()
    return run if same else None


def _data_of(run: Path) -> str:
    from resnet_viz.training import layout
    from resnet_viz.training.config import TrainConfig

    return TrainConfig.read(run / layout.CONFIG).data


def _measure_run(run: Path, arguments: argparse.Namespace, progress: Callable[[float], None]) -> tuple[str, Evaluation]:
    from resnet_viz.session.results import evaluate_run, read_card
    from resnet_viz.training import layout

    refuse_unsound(_warnings(run, run / layout.WEIGHTS))
    return str(read_card(run).get("title", run.name)), evaluate_run(run, split=arguments.split, progress=progress)


def _warnings(run: Path, weights: Path) -> tuple[str, ...]:
    """Return what the recogniser says of a run's weights."""
    from resnet_viz.models.checkpoint import load_checkpoint
    from resnet_viz.training import layout
    from resnet_viz.training.config import TrainConfig

    _, found = load_checkpoint(weights, TrainConfig.read(run / layout.CONFIG).model)
    return found.warnings


def _measure(arguments: argparse.Namespace, progress: Callable[[float], None]) -> tuple[str, Evaluation]:
    from resnet_viz.analysis.evaluation import evaluate
    from resnet_viz.data.datasets import align, load

    net, card = open_and_say(model_request(arguments))
    data = load(arguments.data, arguments.split, size=card.input_size, kind=card.fit, channels=card.in_channels)
    try:
        data = align(data, card.classes)
    except DataError:
        if len(data.classes) != len(card.classes):
            raise
        # as many classes under other names: taken in order, and said
        print("The class names differ from the net's; they are taken in order.", file=sys.stderr)
    return card.title, evaluate(
        net, data.images, data.labels, card.classes, card.normalization, progress=progress, skipped=data.skipped
    )


def _all_epochs(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from resnet_viz.session.results import evaluate_run
    from resnet_viz.training import layout
    from resnet_viz.training.parts import find_start
    from resnet_viz.training.runs import kept_epochs

    run = find_start(arguments.model)
    own = _data_of(run) if (run / layout.CONFIG).is_file() else None
    fetch(arguments.data or own, arguments.download)
    kept = kept_epochs(run)
    if not kept:
        raise UserError(f"{run} kept no epochs. Train with --keep-epochs, then its accuracy can be followed.")
    rows = []
    for epoch, path in tqdm(kept, unit="epoch", disable=not sys.stderr.isatty(), leave=False):
        for sentence in _warnings(run, path):
            tqdm.write(f"epoch {epoch}: {sentence}", file=sys.stderr)
        found = evaluate_run(run, path, split=arguments.split, data=arguments.data)
        rows.append({"epoch": epoch, "accuracy": found.accuracy, "n": found.n})
        if not arguments.json:
            print(f"epoch {epoch:4d}  {bar(found.accuracy)}  {100 * found.accuracy:6.2f} %", flush=True)
    if arguments.out:
        _draw(rows, printable(run.name), Path(arguments.out))
    if arguments.json:
        print_json(rows)
    return 0


def _draw(rows: list[dict[str, float]], name: str, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from resnet_viz.core.paths import atomic_path

    kind = path.suffix.lower().lstrip(".")
    if kind not in ("png", "svg", "pdf"):
        raise UserError(f"{path.name} is no kind of picture that can be written. End it in .png, .svg or .pdf.")
    figure = Figure((7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot([row["epoch"] for row in rows], [100 * row["accuracy"] for row in rows], marker="o", color="#0072B2")
    axes.set(xlabel="epoch", ylabel="accuracy, %", title=f"{name}, n = {rows[0]['n']:.0f}")
    axes.grid(alpha=0.3)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=150)


commands.add(
    "evaluate",
    Command(
        "evaluate",
        "measure accuracy on a labelled data set",
        "resnet-viz evaluate resnet20-cifar10 cifar10",
        _arguments,
        _run,
    ),
)
