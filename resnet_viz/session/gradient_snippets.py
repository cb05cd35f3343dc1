"""Copy as Python for the Gradients workspace: short scripts that measure what is on screen."""

from __future__ import annotations

from .gradient_requests import LesionEach, LesionRandom, MeasureFlow, MeasureLesion, NetChoice
from .snippets import fit_code, made_by, normalization_code, read_again

Lesions = MeasureLesion | LesionEach | LesionRandom


def gradient_script(request: MeasureFlow) -> str:
    """Return a script that prints loss, ratios, coherence and the norm of every block, for every net."""
    batch = request.batch
    seeds = f"[{', '.join(map(str, request.seeds))}]"
    nets = [f"    ({_title(one)!r}, {_chosen(one, 'None')}, {_opens(one, seeds)})," for one in request.nets]
    lines = [
        "from dataclasses import replace",
        "",
        "from resnet_viz.analysis.gradient_flow import gradient_flow",
        "from resnet_viz.analysis.update_rules import UpdateRule",
        "from resnet_viz.core.gradient_types import band",
        *_types(request.nets),
        "from resnet_viz.session.batches_of import choose, fit_batch",
        "from resnet_viz.session.gradient_requests import BatchRequest",
        "from resnet_viz.session.loading import open_model",
        "from resnet_viz.session.requests import OpenModel",
        "",
        f"pictures = choose(BatchRequest({batch.source!r}, count={batch.count}, seed={batch.seed}, "
        f"split={batch.split!r}))",
        *_comments(request.nets),
        "nets = [  # title, mean/std where it was chosen, how it is opened",
        *nets,
        "]",
        "print(pictures.title)",
        "for title, chosen, requests in nets:",
        "    flows = []",
        "    for request in requests:",
        "        net, card = open_model(request)",
        "        batch = fit_batch(pictures, replace(card, normalization=chosen or card.normalization))",
        "        flows.append(gradient_flow(",
        f"            net, batch.images, batch.labels, train_mode={request.train_mode}, weights={request.weights!r},",
        f"            per={request.per!r}, rule=UpdateRule({request.optimizer!r}, {request.lr!r}), seed=request.seed,",
        "        ))",
        "    mean = band(flows)  # geometric means over the seeds",
        "    print(f'\\n{title}: loss {mean.loss}, coherence {mean.coherence}')",
        "    print(f'first block / last block: {mean.ratio} (seeds {mean.ratios.tolist()})')",
        "    outputs = mean.of('act_norm')[0]",
        "    for block, norm, low, high, out in zip(mean.blocks, mean.mean, mean.low, mean.high, outputs):",
        "        print(f'{block:12} weights {norm:.6g} ({low:.6g} to {high:.6g})  output {out:.6g}')",
    ]
    return "\n".join(lines) + "\n"


def _title(choice: NetChoice) -> str:
    if choice.title:
        return choice.title
    return f"{choice.ref}, untrained, {dict(choice.options)}" if choice.untrained else choice.ref


def _opens(choice: NetChoice, seeds: str) -> str:
    """Return Python that makes the requests of one net, one for each seed."""
    # of a trained net, the noise of the coherence takes the first of the seeds
    return f"[{_open(choice, 'seed')} for seed in {seeds}{'' if choice.untrained else '[:1]'}]"


def _open(choice: NetChoice, seed: str = "") -> str:
    """Return Python that makes a request of a net; a seed that is its default may be left out."""
    told = ["untrained=True"] if choice.untrained else []
    told += [f"arch={choice.arch!r}"] if choice.arch else []
    told += [f"seed={seed}"] if seed else []
    told += [f"options={dict(choice.options)!r}"] if choice.options else []
    made = (("factory", choice.factory), ("input_size", choice.input_size), ("classes", choice.classes))
    told += [f"{name}={value!r}" for name, value in made if value is not None]
    return f"OpenModel({', '.join([repr(choice.ref), *told])})"


def _chosen(choice: NetChoice, otherwise: str) -> str:
    """Return Python that makes the mean/std that a person chose, or what stands for none."""
    return otherwise if choice.normalization is None else normalization_code(choice.normalization)


def _comments(choices: tuple[NetChoice, ...]) -> list[str]:
    """Return what is to be known of nets that Python functions make."""
    lines = [made_by(choice.factory, bool(choice.ref)) for choice in choices if choice.factory]
    return list(dict.fromkeys(line for some in lines for line in some))


def _types(choices: tuple[NetChoice, ...], *names: str) -> list[str]:
    """Return the import of the types that a script names: a mean/std only where one was chosen."""
    chosen = ["Normalization"] if any(choice.normalization is not None for choice in choices) else []
    return [f"from resnet_viz.core.types import {', '.join([*names, *chosen])}"] if [*names, *chosen] else []


def lesion_script(request: Lesions) -> str:
    """Return a script that prints the errors and the ratios ||F|| / ||x|| that a request asks for."""
    choice = request.model
    lines = [
        "from resnet_viz.session.lesion_pictures import pick_labelled",
        "from resnet_viz.session.loading import open_model",
        "from resnet_viz.session.requests import OpenModel",
        "",
        *_comments((choice,)),
        f"net, card = open_model({_open(choice, str(choice.seed or ''))})",
        f"normalization = {_chosen(choice, 'card.normalization')}",
        f"data = pick_labelled({request.data!r}, card, split={request.split!r}, count={request.pictures}, "
        f"seed={request.seed})",
        "print(data.title)",
        "asked = (net, data.images, data.labels, normalization)",
    ]
    if isinstance(request, MeasureLesion):
        return "\n".join(_measure(request, lines)) + "\n"
    if isinstance(request, LesionEach):
        head = ["from resnet_viz.analysis.lesion import final, lesion_each"]
        lines += [
            f"study = final(lesion_each(*asked, kind={request.kind!r}))",
            "print('whole net', study.base_error, 'n =', study.n)",
            "for one in study.blocks:",
            "    print(f'{one.block:12} {one.error}  ||F|| / ||x|| {one.f_to_x}')",
        ]
    else:
        head = ["from resnet_viz.analysis.lesion import delete_at_random, final"]
        lines += [
            f"draws = final(delete_at_random(*asked, k={request.k}, repeats={request.repeats}, seed={request.seed}))",
            "print('whole net', draws.base_error, 'n =', draws.n)",
            "for error, deleted in zip(draws.errors, draws.deleted):",
            "    print(error, *deleted)",
        ]
    return "\n".join(head + _types((choice,)) + lines) + "\n"


def _measure(request: MeasureLesion, lines: list[str]) -> list[str]:
    change = f"deleted={sorted(request.deleted)!r}, cut={sorted(request.cut)!r}"
    head = [
        "from resnet_viz.analysis.lesion import final",
        "from resnet_viz.analysis.lesion_now import lesion_now",
        *_types((request.model,)),
    ]
    lines = [
        *lines,
        "whole = final(lesion_now(*asked, blocks=card.blocks))",
        f"now = final(lesion_now(*asked, blocks=card.blocks, {change}))",
        "print('whole net', whole.error, 'n =', whole.n)",
        "print('changed net', now.error)",
        "for name, ratio in now.f_to_x.items():",
        "    print(f'{name:12} ||F|| / ||x|| {ratio:.6g}')",
    ]
    if request.image is None:
        return head + lines
    reader, picture = read_again(request.image)
    head = [
        "import torch",
        "",
        "from resnet_viz.analysis.lesion import final",
        "from resnet_viz.analysis.lesion_now import lesion_now, logits_without",
        "from resnet_viz.analysis.predictions import prediction",
        *_types((request.model,), "CropBox", "Fit"),
        "from resnet_viz.data.batches import normalise",
        reader,
        "from resnet_viz.data.transforms import prepare",
    ]
    return [
        *head,
        *lines,
        *picture,
        f"view = prepare(image, {fit_code(request.fit)}, size=card.input_size, kind=card.fit, "
        "channels=card.in_channels)",
        "x = normalise(torch.from_numpy(view).permute(2, 0, 1)[None], normalization)  # (1, C, S, S)",
        f"logits = logits_without(net, x, blocks=card.blocks, {change})[0]",
        "for score in prediction(logits, card.classes, 5).top:",
        "    print(f'{score.label:20} {score.prob:.4f}')",
    ]
