"""The workbench: owns every net, answers frozen questions, remembers what it has computed."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from resnet_viz.analysis.activations import filters, observe
from resnet_viz.analysis.montage import colour
from resnet_viz.analysis.predictions import prediction
from resnet_viz.analysis.statistics import channel_stats
from resnet_viz.core.allocator import keep_memory
from resnet_viz.core.errors import UserError
from resnet_viz.core.token import NEVER, CancelToken
from resnet_viz.core.types import (
    F32,
    U8,
    Activation,
    BlockParts,
    ChannelStats,
    Fit,
    ImageInput,
    ModelCard,
    Normalization,
    Prediction,
)
from resnet_viz.data.batches import normalise
from resnet_viz.data.transforms import prepare
from resnet_viz.jobs.cache import ByteLRU

from .loading import open_model
from .passes import told
from .requests import FilterRequest, FiltersOpened, Forget, Look, LookAhead, LookAround, Looked, Opened, OpenModel

NET_BYTES = 1_500_000_000
MAP_BYTES = 256_000_000
AROUND_BYTES = MAP_BYTES // 2
"""Of these, most that layers may take which nobody has looked at yet."""


_Key = tuple[str, Normalization, bytes]
"""Of a net, the mean and std, and the picture as the net sees it: its digest."""


@dataclass(frozen=True, slots=True, eq=False)
class _Net:
    net: nn.Module  # in eval mode
    card: ModelCard
    own: bool  # of our own make: no pass in eval mode writes anything into it


def _no_progress(_share: float) -> None:
    pass


class Workbench:
    """Answers requests; belongs to one thread.

    Opened nets, maps and predictions are kept within a budget of bytes, so that going back to
    a layer or to the picture before costs no pass.
    """

    def __init__(self) -> None:
        keep_memory()
        self._nets: ByteLRU[_Net] = ByteLRU(NET_BYTES)
        self._maps: ByteLRU[tuple[Activation, ChannelStats]] = ByteLRU(MAP_BYTES)
        self._beliefs: ByteLRU[tuple[F32 | None, dict[str, float]]] = ByteLRU(32_000_000)
        self._said: tuple[F32, int, Prediction] | None = None
        self._parts: ByteLRU[BlockParts] = ByteLRU(64_000_000)
        self._requests: dict[str, OpenModel] = {}
        self._x: tuple[bytes, Normalization, Tensor] | None = None
        self._last: tuple[ImageInput, Fit, tuple[int, str, int], U8, bytes] | None = None

    def handle(
        self, request: object, token: CancelToken = NEVER, progress: Callable[[float], None] = _no_progress
    ) -> object:
        """Answer one request.

        Raises:
            UserError: where the input is at fault.
            Cancelled: if the token was set.
        """
        if isinstance(request, OpenModel):
            return Opened(self._open(request, token).card)
        if isinstance(request, Look):
            return self._look(request, token)
        if isinstance(request, LookAhead):
            self._look(request.look, token)
            return None
        if isinstance(request, LookAround):
            self._look_around(request.look, token)
            return None
        if isinstance(request, FilterRequest):
            return FiltersOpened(filters(self._net(request.model).net, request.layer))
        if isinstance(request, Forget):
            self._maps.clear()
            self._parts.clear()
            return None
        raise TypeError(f"the workbench does not know {type(request).__name__}")

    def _open(self, request: OpenModel, token: CancelToken) -> _Net:
        token.check()
        net, card = open_model(request)
        made = _Net(net, card, own=not request.factory)
        size = sum(tensor.numel() * tensor.element_size() for tensor in (*net.parameters(), *net.buffers()))
        # an open net is never larger than the budget of one, whatever its size
        self._nets.put(card.id, made, min(size, NET_BYTES))
        self._forget(card.id)
        self._requests[card.id] = request
        return made

    def _forget(self, card_id: str) -> None:
        """Forget what a net of this id showed before: a file opened anew may hold other weights, or be another net."""
        self._beliefs.drop_where(lambda key: key[0] == card_id)  # type: ignore[index]
        for of_layers in (self._maps, self._parts):
            of_layers.drop_where(lambda key: key[0][0] == card_id)  # type: ignore[index]

    def _net(self, card_id: str) -> _Net:
        found = self._nets.get(card_id)
        if found is None and card_id in self._requests:
            found = self._open(self._requests[card_id], NEVER)
        if found is None:
            raise UserError(f"The net '{card_id}' is not open. Open it first.")
        return found

    def _view(self, request: Look, card: ModelCard) -> tuple[U8, bytes]:
        """Return the picture as the net sees it, (S, S, C), and its digest; the last one is kept."""
        shape = (card.input_size, card.fit, card.in_channels)
        if self._last is not None:
            image, fit, last_shape, view, digest = self._last
            if image is request.image and fit == request.fit and last_shape == shape:
                return view, digest
        view = prepare(request.image, request.fit, size=card.input_size, kind=card.fit, channels=card.in_channels)
        digest = hashlib.blake2b(view.tobytes(), digest_size=16).digest()
        self._last = (request.image, request.fit, shape, view, digest)
        return view, digest

    def _seen_as(self, request: Look, card: ModelCard) -> tuple[U8, _Key]:
        """Return the picture as the net sees it, and the key of all that the net makes of it."""
        view, digest = self._view(request, card)
        return view, (card.id, request.normalization or card.normalization, digest)

    def _input(self, view: U8, key: _Key) -> Tensor:
        """Return the net's input (1, C, S, S); going from layer to layer needs the same one again."""
        _, normalization, digest = key
        if self._x is None or self._x[:2] != (digest, normalization):
            self._x = (digest, normalization, normalise(torch.from_numpy(view).permute(2, 0, 1)[None], normalization))
        return self._x[2]

    def _look_around(self, request: Look, token: CancelToken) -> None:
        """Keep the maps of the layers that are not known yet, blocks first, as many as there is room for."""
        opened = self._net(request.model)
        card = opened.card
        view, key = self._seen_as(request, card)
        ends = {block.out for block in card.blocks}
        room, wanted = AROUND_BYTES, []
        for layer in sorted(card.layers, key=lambda one: one.name not in ends):
            size = 4 * math.prod(layer.out_shape)
            if layer.calls and layer.out_shape and size <= room:
                room -= size
                if (key, layer.name) not in self._maps:
                    wanted.append(layer.name)
        if not wanted:
            return
        x = self._input(view, key)
        # a whole pass: what capture learns of one holds for all of them
        with told():
            seen = observe(opened.net, x, layers=wanted, predict=True, token=token, guard=not opened.own)
        for name, activation in seen.activations.items():
            token.check()
            self._maps.put((key, name), (activation, channel_stats(activation.maps)), activation.maps.nbytes)

    def _look(self, request: Look, token: CancelToken) -> Looked:
        opened = self._net(request.model)
        card = opened.card
        card.layer(request.layer)
        view, key = self._seen_as(request, card)
        shown = self._maps.get((key, request.layer))
        belief = self._beliefs.get(key)
        block = card.block(request.block) if request.block else None
        parts = self._parts.get((key, request.block)) if block else None
        need_belief = (request.predict or request.energies) and belief is None
        pass_ms = 0.0
        if shown is None or need_belief or (block is not None and block.add and parts is None):
            token.check()
            begun = time.perf_counter()
            x = self._input(view, key)
            outs = {one.name: one.out for one in card.blocks} if need_belief else {}
            with told():
                seen = observe(
                    opened.net,
                    x,
                    layers=() if shown is not None else (request.layer,),
                    energies=tuple(dict.fromkeys(outs.values())),
                    parts=block if parts is None else None,
                    predict=need_belief,
                    token=token,
                    guard=not opened.own,
                )
            pass_ms = (time.perf_counter() - begun) * 1000
            if shown is None:
                activation = seen.activations[request.layer]
                shown = (activation, channel_stats(activation.maps))
                self._maps.put((key, request.layer), shown, activation.maps.nbytes)
            if need_belief:  # of a net that returns maps the energies alone
                belief = (seen.logits, {name: seen.energies[out] for name, out in outs.items()})
                size = 0 if seen.logits is None else seen.logits.nbytes
                self._beliefs.put(key, belief, size + 200 * (1 + len(outs)))
            if seen.parts is not None:
                parts = seen.parts
                self._parts.put((key, request.block), parts, 4 * parts.x.nbytes)
        token.check()
        options = request.options
        return Looked(
            card_id=card.id,
            layer=request.layer,
            activation=shown[0],
            stats=shown[1],
            energies=belief[1] if belief and request.energies else {},
            prediction=self._prediction(belief[0], card, request.top) if belief and request.predict else None,
            parts=parts,
            net_view=view,
            pass_ms=pass_ms,
            # here, where the maps lie in the cache, and so that the window need not
            coloured=(options, colour(shown[0].maps, shown[1], options)) if options is not None else None,
        )

    def _prediction(self, logits: F32 | None, card: ModelCard, top: int) -> Prediction | None:
        """Return the best classes, None of a net that names none; going on to other layers needs the same again."""
        if logits is None:
            return None
        if self._said is None or self._said[0] is not logits or self._said[1] != top:
            self._said = (logits, top, prediction(logits, card.classes, top))
        return self._said[2]
