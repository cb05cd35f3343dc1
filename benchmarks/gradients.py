"""What the gradient lab costs and what it says: norms of all blocks against a bare pass, and the known facts.

    python -m benchmarks.gradients [--repeats 15] [--facts] [--source SOURCE] [--json]

Cost: forward and backward of one batch in training mode, all kinds taking turns in one run; each
is timed between two bare passes, so that a drift of the machine's speed cancels, and the median
of the ratios is quoted.

  bare          the net, its mean cross-entropy, ``loss.backward()``
  ours, all     ``gradient_flow`` with ``details=False, coherence=False, weights="all"``: the same
                gradients as the bare pass, and the norms of all blocks, of activations and weights
  ours          the same with ``weights="first"``, as the workspace asks for: the gradients of other
                weights are not computed at all, so it can be faster than the bare pass
  usual         ``register_full_backward_hook`` on every block and one ``.item()`` per parameter;
                our nets work nowhere in place, so that it can run

Details and coherence are extra: they are further norms and a second pass, which are timed as
``ours, with everything`` and have no bar.

Facts (``--facts``): ratios and coherence at initialisation beside those that are known, batches of
64 and three seeds. The source is ``cifar10``, ``shapes``, ``samples``, ``noise`` or a folder;
by default CIFAR-10 if it is on this machine, else shapes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

NETS = (("resnet20", 32, 64), ("resnet56", 32, 64), ("resnet110", 32, 64), ("resnet18", 224, 8))
BAR = 1.05
SETTLES = 2

HE, NO_NORM, DEFAULT = "batch norm, He init", "no batch norm, He init", "no batch norm, default init"
DRAWN = "no batch norm, He, drawn biases"  # fan-in, and biases as PyTorch draws them; ours start at 0
OPTIONS: dict[str, dict[str, Any]] = {
    HE: {},
    NO_NORM: {"batch_norm": False},
    DRAWN: {"batch_norm": False, "init": "default"},
    DEFAULT: {"batch_norm": False, "init": "default"},
}
KNOWN: dict[tuple[str, str], tuple[float | None, float | None]] = {
    ("plain20", HE): (8.7, 0.40),
    ("plain56", HE): (3.1e3, 0.00),
    ("plain110", HE): (7.3e6, 0.00),
    ("resnet20", HE): (2.1, 0.85),
    ("resnet56", HE): (5.1, 0.65),
    ("resnet110", HE): (12.9, 0.52),
    ("plain20", DRAWN): (0.14, None),
    ("plain56", DRAWN): (0.37, None),
    ("plain110", DRAWN): (0.20, None),
    ("plain20", NO_NORM): (None, None),
    ("plain56", NO_NORM): (None, None),
    ("plain110", NO_NORM): (None, None),
    ("plain20", DEFAULT): (2e-7, None),
    ("plain56", DEFAULT): (0.0, None),
    ("plain110", DEFAULT): (0.0, None),
    ("resnet20", DEFAULT): (0.31, None),
    ("resnet56", DEFAULT): (0.18, None),
    ("resnet110", DEFAULT): (0.21, None),
}
"""First block / last block, and coherence, as others measured them with code of their own; None where nobody did."""

PLAIN_WITHIN, RESIDUAL_WITHIN, COHERENCE_WITHIN = 10.0, 3.0, 0.15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--nets", nargs="+", choices=[name for name, _, _ in NETS], help="of the cost; default all")
    parser.add_argument("--facts", action="store_true", help="the known facts instead of the cost")
    parser.add_argument("--source", default="auto", help="pictures of the facts")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.facts:
        report_facts(facts(arguments.source), arguments.json)
        return
    chosen = [net for net in NETS if arguments.nets is None or net[0] in arguments.nets]
    report_cost({name: cost(name, size, batch, arguments.repeats) for name, size, batch in chosen}, arguments.json)


# ---- the cost ----


def cost(name: str, size: int, batch: int, repeats: int) -> dict[str, list[float]]:
    """Return each kind's time over the bare pass's, one ratio for each repeat."""
    import torch
    from torch import nn

    from resnet_viz.analysis.gradient_flow import gradient_flow
    from resnet_viz.core.allocator import keep_memory
    from resnet_viz.models import create

    keep_memory()  # as the app does; it helps the bare pass as well
    net = create(name, seed=0, num_classes=10).train()
    drawn = torch.Generator().manual_seed(0)
    images = torch.randn(batch, 3, size, size, generator=drawn)
    labels = torch.randint(10, (batch,), generator=drawn)
    blocks = [net.get_submodule(spec.out) for spec in net.block_specs()]  # type: ignore[operator]

    def bare() -> None:
        net.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(net(images), labels).backward()

    def ours(**how: Any) -> None:
        net.zero_grad(set_to_none=True)  # the memory that the bare pass's gradients hold
        gradient_flow(net, images, labels, **{"details": False, "coherence": False, **how})

    def usual() -> None:
        norms: dict[int, float] = {}

        def hook(number: int, gradient: Any) -> None:
            norms[number] = gradient[0].norm().item()

        handles = [
            block.register_full_backward_hook(lambda _module, _into, out, number=number: hook(number, out))
            for number, block in enumerate(blocks)
        ]
        bare()
        weights = {key: parameter.grad.norm().item() for key, parameter in net.named_parameters()}  # type: ignore[union-attr]
        for handle in handles:
            handle.remove()
        assert len(norms) == len(blocks) and len(weights) > len(norms)

    kinds: dict[str, Callable[[], None]] = {
        "ours, all": lambda: ours(weights="all"),
        "ours": lambda: ours(),
        "usual": usual,
        "ours, with everything": lambda: ours(weights="all", details=True, coherence=True),
    }
    ratios: dict[str, list[float]] = {kind: [] for kind in kinds}
    for repeat in range(repeats + SETTLES):
        for kind, work in kinds.items():
            before, middle, after = seconds(bare), seconds(work), seconds(bare)
            if repeat >= SETTLES:
                ratios[kind].append(2 * middle / (before + after))
    return ratios


def seconds(work: Callable[[], None]) -> float:
    """Return how long one call takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def report_cost(found: dict[str, dict[str, list[float]]], as_json: bool) -> None:
    """Print medians, with the quartiles that say what they are worth."""
    if as_json:
        medians = {name: {kind: statistics.median(r) for kind, r in kinds.items()} for name, kinds in found.items()}
        print(json.dumps({"ratios": found, "median_ratios": medians, "bar": BAR}))
        return
    print(f"{'over a bare forward and backward':36} {'median':>8} {'quartiles':>15}   bar")
    for name, kinds in found.items():
        for kind, ratios in kinds.items():
            median = statistics.median(ratios)
            low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else (median,) * 3
            held = f"<= {BAR:.2f} {'held' if median <= BAR else 'NOT MET'}" if kind in ("ours, all", "ours") else ""
            print(f"{name:12} {kind:23} {median:8.3f} {low:7.3f} {high:7.3f}   {held}")


# ---- the facts ----


def facts(source: str) -> list[dict[str, Any]]:
    """Measure every known fact; one record for each net and setting."""
    from resnet_viz.analysis.gradient_flow import flow_over_seeds
    from resnet_viz.core.allocator import keep_memory
    from resnet_viz.session.batches_of import choose, fit_batch
    from resnet_viz.session.gradient_requests import BatchRequest
    from resnet_viz.session.loading import open_model
    from resnet_viz.session.requests import OpenModel

    keep_memory()
    pictures = choose(BatchRequest(source, 64))
    print(f"{pictures.title}; weights of seeds 0, 1 and 2", file=sys.stderr)
    rows = []
    for (model_id, setting), (ratio, coherence) in KNOWN.items():
        batch = fit_batch(pictures, open_model(OpenModel(model_id, untrained=True))[1])
        found = flow_over_seeds(
            lambda seed, model_id=model_id, setting=setting: make(model_id, setting, seed),
            batch.images,
            batch.labels,
            (0, 1, 2),
        )
        rows.append(
            {
                "net": model_id,
                "setting": setting,
                "ratio": found.ratio,
                "of_seeds": [flow.first_to_last for flow in found.flows],
                "known_ratio": ratio,
                "first_norm": float(found.mean[found.flows[0].core[0]]),
                "coherence": found.coherence,
                "known_coherence": coherence,
            }
        )
    return rows


def make(model_id: str, setting: str, seed: int) -> Any:
    """Draw a net."""
    import torch
    from torch import nn

    from resnet_viz.models import create

    net = create(model_id, seed=seed, **OPTIONS[setting])
    if setting == DRAWN:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            for module in net.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return net


def report_facts(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print what was measured beside what is known."""
    if as_json:
        print(json.dumps(rows))
        return
    print(f"{'net':10} {'setting':32} {'ratio':>8} {'known':>8} {'within':>11} {'coherence':>10} {'known':>6} within")
    for row in rows:
        factor = PLAIN_WITHIN if row["net"].startswith("plain") else RESIDUAL_WITHIN
        measured, known = (number(row[key], "8.2g") for key in ("ratio", "known_ratio"))
        near, right = row["coherence"], row["known_coherence"]
        off = (
            "" if near is None or right is None else f"{near - right:+.2f} {said(abs(near - right), COHERENCE_WITHIN)}"
        )
        print(
            f"{row['net']:10} {row['setting']:32} {measured:>8} {known:>8} "
            f"{verdict(row['ratio'], row['known_ratio'], factor):>11} "
            f"{number(near, '10.2f'):>10} {number(right, '6.2f'):>6} {off}"
        )


def number(value: float | None, form: str) -> str:
    """Return a number, or nothing where there is none."""
    return "" if value is None else format(value + 0.0, form)


def verdict(value: float | None, known: float | None, factor: float) -> str:
    """Return by which factor a ratio differs, and whether that is allowed."""
    if known is None:
        return ""
    if not value or not known:
        return "yes" if value == known else "NO"
    apart = max(value / known, known / value)
    return f"{apart:.1f} {said(apart, factor)}"


def said(value: float, most: float) -> str:
    return "yes" if value <= most else "NO"


if __name__ == "__main__":
    main()
