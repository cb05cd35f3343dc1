"""The nets and pictures of the gradient lab: opened once, kept by what was chosen."""

from __future__ import annotations

import dataclasses
import os
import typing
from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path

from torch import nn

from resnet_viz.core.errors import UserError, unknown
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import ModelCard
from resnet_viz.data.places import known_sets
from resnet_viz.jobs.cache import ByteLRU
from resnet_viz.models import create, models
from resnet_viz.models.blocks import NetOptions
from resnet_viz.models.factory import check_anew

from . import store
from .batches_of import Pictures, Pool, check, choose, open_pool, resolve
from .gradient_requests import NOISE, SAMPLES, BatchRequest, NetChoice
from .loading import channels_last, open_model
from .requests import OpenModel

NET_BYTES = 300_000_000
PICTURE_BYTES = 100_000_000
POOL_BYTES = 500_000_000
CARDS = 64

_CHOICES = {
    name: typing.get_args(kind)
    for name, kind in typing.get_type_hints(NetOptions).items()
    if typing.get_origin(kind) is typing.Literal
}
_WORDS: dict[str, dict[object, str]] = {
    "batch_norm": {True: "batch norm", False: "no batch norm"},
    "init": {"he": "He init", "xavier": "Xavier init", "default": "default init", "normal": "normal init"},
}


def net_options(ref: str, options: tuple[tuple[str, object], ...]) -> NetOptions:
    """Return all options of an untrained net.

    Args:
        ref: architecture id.
        options: names and values that differ from the architecture's own.

    Raises:
        UnknownNameError: if there is no such architecture or option.
        UserError: for a value that an option cannot have.
    """
    own = models.get(ref).defaults
    fields = {field.name: type(getattr(own, field.name)) for field in dataclasses.fields(NetOptions)}
    given: dict[str, object] = {}
    for name, value in options:
        if name not in fields:
            raise UserError(unknown("option", name, fields))
        kind = fields[name]
        value = float(value) if kind is float and type(value) is int else value
        allowed = _CHOICES.get(name)
        if type(value) is not kind or (allowed is not None and value not in allowed):
            wanted = f"one of {', '.join(allowed)}" if allowed else f"a value like {getattr(own, name)!r}"
            raise UserError(f"{name} is {value!r}. Give {wanted}.")
        given[name] = value
    found = replace(own, **given)  # type: ignore[arg-type]
    if not 1 <= found.num_classes <= 100_000:
        raise UserError(f"A net with {found.num_classes} classes makes no sense. Give a number from 1 up.")
    if not (0 < found.init_std <= 100 and 0 < found.bn_eps <= 100 and 0 <= found.bn_momentum <= 1):
        raise UserError("init_std and bn_eps lie above 0, bn_momentum between 0 and 1. Give other values.")
    # a plain net has no skips, whatever was asked for
    return replace(found, shortcut="none") if own.shortcut == "none" else found


def setting(ref: str, options: NetOptions) -> str:
    """Return in words what differs from the architecture's own options: ``"no batch norm, default init"``."""
    own = models.get(ref).defaults
    words = []
    for name in ("shortcut", "batch_norm", "init", "activation", "num_classes"):
        value = getattr(options, name)
        if value != getattr(own, name):
            plain = {"shortcut": f"shortcut {value}", "num_classes": f"{value} classes"}.get(name, str(value))
            words.append(_WORDS.get(name, {}).get(value, plain))
    if options.init == "normal":
        words = [f"{word}, std {options.init_std:g}" if word == "normal init" else word for word in words]
    return ", ".join(words)


def drawn(options: NetOptions) -> str:
    """Return in words how an untrained net's weights are drawn: ``"batch norm, He init"``."""
    words = [_WORDS["batch_norm"][options.batch_norm], _WORDS["init"][options.init]]
    if options.init == "normal":
        words[-1] += f", std {options.init_std:g}"
    return ", ".join([*words, *([] if options.activation == "relu" else [options.activation])])


class Shelf:
    """Keeps nets, their cards, open data sets and chosen pictures; belongs to one thread.

    Whatever is measured gives a net back as it was, so one serves many measurements.
    """

    def __init__(self) -> None:
        self._nets: ByteLRU[tuple[nn.Module, ModelCard]] = ByteLRU(NET_BYTES)
        self._cards: ByteLRU[ModelCard] = ByteLRU(CARDS)  # counted, not weighed
        self._pools: ByteLRU[Pool] = ByteLRU(POOL_BYTES)
        self._pictures: ByteLRU[Pictures] = ByteLRU(PICTURE_BYTES)

    # ---- nets ----

    def key(self, choice: NetChoice) -> Hashable:
        """Return what tells nets apart, whatever they are called; a file that was written anew is another net.

        Raises:
            UserError: if there is no such architecture, or an option that cannot be.
        """
        if choice.untrained:
            return ("untrained", choice.ref, net_options(choice.ref, choice.options), choice.normalization)
        if choice.options:
            raise UserError(f"The options of {choice.ref} are fixed by its training. Choose it untrained to vary them.")
        made = (choice.factory, choice.input_size, choice.classes) if choice.factory else ()
        if not choice.ref:
            return ("made", *made, choice.normalization)
        path = store.place_of(choice.ref)
        # what is chosen outweighs the run's card, what is remembered does not: they are told apart
        seen_with = choice.normalization or store.remembered_normalization(str(path))
        return ("trained", choice.ref, choice.arch, *made, _stamp(path), choice.normalization is None, seen_with)

    def net(self, choice: NetChoice, seed: int, token: CancelToken = NEVER) -> tuple[nn.Module, ModelCard]:
        """Return a net in eval mode, and its card.

        Args:
            choice: which.
            seed: of untrained weights; a trained net has none.
            token: looked at before a net is built.

        Raises:
            UserError: if it cannot be opened; one sentence, and what to do.
        """
        token.check()
        if seed < 0:
            raise UserError(f"{seed} is no seed. Give a number from 0 up.")
        which = self.key(choice)
        key = (which, seed if choice.untrained else 0)
        found = self._nets.get(key)
        if found is None:
            found = self._open(choice, seed, which)
            self._nets.put(key, found, sum(one.numel() * one.element_size() for one in found[0].state_dict().values()))
        return found

    def _open(self, choice: NetChoice, seed: int, key: Hashable) -> tuple[nn.Module, ModelCard]:
        card = self._cards.get(key)
        if not choice.untrained:
            if choice.factory:
                check_anew(choice.factory, weights=not choice.ref)
            request = OpenModel(
                choice.ref, choice.arch, factory=choice.factory, input_size=choice.input_size, classes=choice.classes
            )
            return _seen_with(open_model(request), choice)
        options = dict(choice.options)
        if card is not None:
            return channels_last(create(choice.ref, seed=seed, **options)), card
        made = _seen_with(open_model(OpenModel(choice.ref, untrained=True, seed=seed, options=options)), choice)
        self._cards.put(key, made[1], 1)
        return made

    def titles(self, nets: tuple[NetChoice, ...], cards: list[ModelCard]) -> list[str]:
        """Return a title for each net, no two alike."""
        found: list[str] = []
        for choice, card in zip(nets, cards, strict=True):
            name = choice.title or card.title
            if not choice.title and choice.untrained:
                name = models.get(choice.ref).title
                words = setting(choice.ref, net_options(choice.ref, choice.options))
                name = f"{name}, {words}" if words else name
            count = sum(name == other or other.startswith(f"{name} (") for other in found)
            found.append(f"{name} ({count + 1})" if count else name)
        return found

    # ---- pictures ----

    def pool(self, data: str, split: str, token: CancelToken = NEVER) -> Pool:
        """Open one part of a data set, or take the one that is open; raises as :func:`open_pool`."""
        key = self.pool_key(data, split)
        found = self._pools.get(key)
        if found is None:
            found = open_pool(data, split, token)
            self._pools.put(key, found, found.stack.nbytes if found.stack is not None else 1_000_000)
        return found

    def pool_key(self, data: str, split: str) -> Hashable:
        """Return what tells data sets apart: what "auto" means may change, and so may a folder."""
        data = resolve(data)
        return data, split, None if data in known_sets else _folders(Path(data).expanduser())

    def pictures(self, request: BatchRequest, token: CancelToken = NEVER) -> Pictures:
        """Choose the pictures of a batch, or take those that were chosen before; raises as :func:`choose`."""
        check(request)
        if request.source == NOISE:
            return choose(request, token)
        key = (request, None if request.source == SAMPLES else self.pool_key(request.source, request.split))
        found = self._pictures.get(key)
        if found is None:
            pool = None if request.source == SAMPLES else self.pool(request.source, request.split, token)
            found = choose(request, token, pool=pool)
            self._pictures.put(key, found, sum(pixels.nbytes for pixels in found.pixels))
        return found


def _seen_with(made: tuple[nn.Module, ModelCard], choice: NetChoice) -> tuple[nn.Module, ModelCard]:
    """Return a net whose card holds the mean/std that a person chose, if one did."""
    net, card = made
    if choice.normalization is None:
        return made
    return net, replace(card, normalization=choice.normalization, normalization_known=True)


def _stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when a file, or a file in a run's folder, is written."""
    try:
        states = [(one.name, one.stat()) for one in (path, *(sorted(path.iterdir()) if path.is_dir() else ()))]
    except OSError:
        return ()  # what opens it will say so
    return tuple((name, state.st_mtime_ns, state.st_size) for name, state in states)


def _folders(path: Path) -> tuple[tuple[str, int], ...]:
    """Return what changes when a picture is put into a folder, a folder in it, or one in those; or taken out."""
    try:
        level, found = [path], [path]
        for _ in range(2):
            level = [
                Path(one.path) for folder in level if folder.is_dir() for one in os.scandir(folder) if one.is_dir()
            ]
            found += level
        return tuple(sorted((str(one), one.stat().st_mtime_ns) for one in found))
    except OSError:
        return ()
