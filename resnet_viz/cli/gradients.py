"""``resnet-viz gradients``: the norm of the gradient at every block, for one batch and one loss."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet_viz.core.errors import OutputError, UserError

from .commands import Command, commands
from .fetching import add_download, fetch
from .opening import said_of
from .options import MAX_SEED, add_json, add_model_options, data_there, model_request
from .output import bar, print_json, print_table, printable

if TYPE_CHECKING:
    from resnet_viz.core.gradient_types import FlowBand
    from resnet_viz.session.requests import OpenModel

BATCH = 64
ENDINGS = (".png", ".svg", ".pdf", ".csv")
INITS = ("he", "xavier", "default", "normal")
ACTIVATIONS = ("relu", "tanh", "sigmoid")
WEIGHTS = ("first", "convs", "all")
MAX_SEEDS = 100


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """One net's gradients, as named on the command line."""

    name: str
    title: str
    setting: str
    band: FlowBand
    plain: bool


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        help="ids (resnet20-cifar10), checkpoints, run folders, or architecture ids with --untrained",
    )
    add_model_options(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--data", metavar="DATA", help="data set id or folder (default: CIFAR-10 if it is here, else shapes)"
    )
    which.add_argument("--noise", action="store_true", help="pictures of normal noise with random labels")
    parser.add_argument("--split", default="test", help="part of the data set (default test)")
    parser.add_argument("--batch", type=int, default=BATCH, metavar="N", help=f"pictures (default {BATCH})")
    parser.add_argument("--picture-seed", type=int, default=0, metavar="S", help="chooses the pictures (default 0)")
    parser.add_argument(
        "--seeds", type=int, default=1, metavar="K", help="draws of untrained weights, from --seed on (default 1)"
    )
    parser.add_argument("--init", choices=INITS, help="how untrained weights are drawn (default: the architecture's)")
    parser.add_argument("--init-std", type=float, metavar="X", help="standard deviation of --init normal")
    parser.add_argument("--no-batch-norm", action="store_true", help="untrained nets without batch norm")
    parser.add_argument("--activation", choices=ACTIVATIONS, help="non-linearity of untrained nets")
    parser.add_argument(
        "--eval-mode", action="store_true", help="batch norm uses its running statistics, not the batch's own"
    )
    parser.add_argument("--weights", choices=WEIGHTS, default="first", help="weights of a block that count")
    parser.add_argument("--out", metavar="FILE", help=f"chart or numbers: a file ending in {', '.join(ENDINGS)}")
    add_download(parser)
    add_json(parser)


def _run(arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.seeds <= MAX_SEEDS:
        raise UserError(f"--seeds {arguments.seeds} makes no measurement. Give a number from 1 to {MAX_SEEDS}.")
    if not 0 <= arguments.seed <= MAX_SEED - arguments.seeds + 1:
        raise UserError(f"--seed {arguments.seed} is no seed. Give a number from 0 to 2^64 - {arguments.seeds}.")
    data_there(arguments.data)
    if arguments.init_std is not None and arguments.init != "normal":
        raise UserError("--init-std belongs to --init normal. Give both.")
    out = Path(arguments.out) if arguments.out else None
    if out is not None and out.suffix.lower() not in ENDINGS:
        raise OutputError(f"'{out.name}' has no ending that can be written. Use one of {', '.join(ENDINGS)}.")
    fetch(arguments.data, arguments.download)
    found, pictures = _measure(arguments, details=out is not None and out.suffix.lower() == ".csv")
    if out is not None:
        from resnet_viz.analysis.gradient_export import write_flows

        write_flows(out, [one.band for one in found], pictures, plain=[one.plain for one in found])
    if arguments.json:
        print_json({one.name: _record(one) for one in found})
    else:
        _print(found, pictures)
    return 0


def _measure(arguments: argparse.Namespace, *, details: bool) -> tuple[list[_Measured], str]:
    """Return what was measured of each net, and what the pictures are."""
    from tqdm import tqdm

    from resnet_viz.analysis.gradient_flow import gradient_flow
    from resnet_viz.core.gradient_types import band
    from resnet_viz.session.batches_of import choose, fit_batch
    from resnet_viz.session.gradient_requests import AUTO, NOISE, BatchRequest
    from resnet_viz.session.loading import open_model

    asked = {name: _requests(name, arguments) for name in dict.fromkeys(arguments.models or [""])}
    source = NOISE if arguments.noise else arguments.data or AUTO
    pictures = choose(BatchRequest(source, arguments.batch, arguments.picture_seed, arguments.split))
    found, said = [], set()
    total = sum(map(len, asked.values()))
    with tqdm(total=total, unit="pass", disable=not sys.stderr.isatty(), leave=False) as meter:
        for name, requests in asked.items():
            flows = []
            for request in requests:
                net, card = open_model(request)
                batch = fit_batch(pictures, card)
                said |= {*said_of(net, card, guess=not arguments.noise), *([batch.note] if batch.note else [])}
                flows.append(
                    gradient_flow(
                        net,
                        batch.images,
                        batch.labels,
                        title=printable(name or card.title),
                        train_mode=not arguments.eval_mode,
                        weights=arguments.weights,
                        details=details,
                        seed=request.seed,
                    )
                )
                meter.update()
            title, setting = _names(requests[0], card.title)
            plain = not any(block.skip for block in card.blocks) and card.family != "generic"
            found.append(_Measured(name or arguments.factory, title, setting, band(flows), plain))
    for sentence in sorted(said):
        print(sentence, file=sys.stderr)
    return found, pictures.title


def _requests(name: str, arguments: argparse.Namespace) -> list[OpenModel]:
    """Return what is opened for one MODEL: an untrained net once for each seed."""
    from resnet_viz.models import models
    from resnet_viz.session.gradient_nets import net_options

    options: dict[str, object] = {"batch_norm": False} if arguments.no_batch_norm else {}
    for option in ("init", "init_std", "activation"):
        if getattr(arguments, option) is not None:
            options[option] = getattr(arguments, option)
    own = argparse.Namespace(**{**vars(arguments), "model": name})
    request = model_request(own)
    if options and (arguments.factory or not request.untrained):
        if name not in models or arguments.factory:
            raise UserError(
                f"The weights of {name or arguments.factory} are there already, so they cannot be drawn by --init, "
                "--no-batch-norm or --activation. Name an architecture, such as resnet20."
            )
        request = replace(request, untrained=True)  # these options can mean nothing else
    if arguments.factory or not request.untrained:
        return [replace(request, untrained=False)]
    net_options(name, tuple(options.items()))  # says what is wrong before anything is measured
    return [replace(request, options=options, seed=arguments.seed + number) for number in range(arguments.seeds)]


def _names(request: OpenModel, title: str) -> tuple[str, str]:
    """Return a net's title, and in words how it was drawn."""
    if not request.untrained:
        return title, ""
    from resnet_viz.models import models
    from resnet_viz.session.gradient_nets import drawn, net_options

    return models.get(request.ref).title, drawn(net_options(request.ref, tuple(request.options.items())))


def _record(one: _Measured) -> dict[str, Any]:
    """Return what ``--json`` prints of one net; of several seeds geometric means, and how they scatter."""
    flows = one.band.flows
    return flows[0].record() if len(flows) == 1 else one.band.record()


def _print(found: Sequence[_Measured], pictures: str) -> None:
    from resnet_viz.analysis.regime import regime, size

    norms = [float(norm) for one in found for norm in one.band.mean]
    seen = [norm for norm in norms if 0 < norm < math.inf]
    low = math.floor(math.log10(min(seen))) if seen else 0
    high = max(low + 1, math.ceil(math.log10(max(seen)))) if seen else 1
    mode = "training" if found[0].band.flows[0].train_mode else "evaluation"
    print(f"{pictures}; batch norm as in {mode}; bars from {size(10.0**low)} to {size(10.0**high)} on a log scale")
    for one in found:
        print(f"\n{one.title}{f', {one.setting}' if one.setting else ''}")
        outputs = one.band.of("act_norm")[0]
        rows = [["block", "", "weights' gradient", "at the output"]]
        for block, norm, output in zip(one.band.blocks, one.band.mean, outputs, strict=True):
            rows.append([block, bar(_share(float(norm), low, high)), _number(norm), _number(output)])
        print_table(rows, right=[2, 3])
        count = len(one.band.flows)
        near = one.band.coherence
        facts = [f"loss {one.band.loss:.3g}", f"coherence {'none' if near is None else f'{near:.2f}'}"]
        if count > 1:
            ratios = [ratio for ratio in one.band.ratios if ratio == ratio]
            scatter = f", first / last {size(min(ratios))} to {size(max(ratios))}" if ratios else ""
            facts.append(f"{count} seeds{scatter}")
        print("; ".join(facts))
        print(regime(one.band, one.title, one.setting).sentence)


def _share(norm: float, low: int, high: int) -> float:
    """Return how long a bar is, 0-1, on a log scale between two powers of ten."""
    if norm == 0 or norm != norm:
        return 0.0
    return 1.0 if norm == math.inf else (math.log10(norm) - low) / (high - low)


def _number(norm: float) -> str:
    return "0" if norm == 0 else f"{norm:.3g}"


commands.add(
    "gradients",
    Command(
        "gradients",
        "measure the gradient at every block",
        "resnet-viz gradients plain20 resnet20 --untrained --noise",
        _arguments,
        _run,
    ),
)
