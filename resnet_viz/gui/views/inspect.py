"""The Inspect workspace: open a net and a picture, point at a layer, see what it does (DESIGN section 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PyQt6.QtCore import QCoreApplication, QTimer, pyqtSignal
from PyQt6.QtGui import QHideEvent, QShowEvent
from PyQt6.QtWidgets import QWidget

from resnet_viz.analysis.montage import GridHover
from resnet_viz.core.types import Activation, ChannelStats, Fit, ImageInput, ModelCard, Normalization, ReceptiveField
from resnet_viz.gui.context import Context
from resnet_viz.jobs.latest import Outcome
from resnet_viz.session.requests import FilterRequest, FiltersOpened, Look, LookAhead, LookAround, Looked

from .inspect_logic import (
    block_with_skip,
    channel_sentence,
    default_layer,
    introduction,
    is_for,
    neighbour,
    parts_words,
    provenance,
    spans_decades,
    waiting_sentence,
)
from .inspect_panels import InspectPanels
from .registry import ViewSpec, views

TOP_CLASSES = 10

POINTED_MS = 60
"""How long the mouse rests on a layer before its maps are computed; one that passes by asks for nothing."""

IDLE_MS = 300
"""How long a picture rests on screen before the maps of all its layers are computed."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("Inspect", text)


class InspectView(InspectPanels):
    """Everything about one net and one picture.

    It holds the choices (net, picture, crop, layer, channel, pins), turns them into frozen
    requests and shows the answers; it computes nothing itself.

    Signals:
        status: what the last pass took, for the status line.
        failed: the sentence of a question that could not be answered; the banner shows it too.
        open_requested: the empty picture panel was asked for a picture.
        save_requested, python_requested: buttons below the grid.
        picture_picked: index of a picture of the strip.
        normalization_chosen: the mean/std that the person chose for this net.
        arch_chosen: the architecture that the person says the open file is.
    """

    status = pyqtSignal(str)
    failed = pyqtSignal(str)
    open_requested = pyqtSignal()
    save_requested = pyqtSignal()
    python_requested = pyqtSignal()
    picture_picked = pyqtSignal(int)
    normalization_chosen = pyqtSignal(object)
    arch_chosen = pyqtSignal(str)

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.card: ModelCard | None = None
        self.image: ImageInput | None = None
        self.fit = Fit()
        self.normalization: Normalization | None = None
        self.layer = ""
        self.channel = 0
        self.looked: Looked | None = None
        self._of: tuple[ModelCard, Look] | None = None  # whose maps these are, and what was asked for
        self._answered: frozenset[str] = frozenset()
        self._opening = self._problem = ""
        self._waiting: set[str] = set()
        self._around = QTimer(self)
        self._around.setSingleShot(True)
        self._around.setInterval(40)
        self._around.timeout.connect(self._show_selection)
        # fading the confidences means painting, which would take a core from the pass that replaces them
        self._stale = QTimer(self)
        self._stale.setSingleShot(True)
        self._stale.setInterval(40)
        self._stale.timeout.connect(lambda: self.confidences.set_stale(True))
        self._after = QTimer(self)
        self._after.setSingleShot(True)
        self._after.setInterval(0)
        self._after.timeout.connect(self._show_rest)
        # a click follows the mouse: what it will ask for is computed while the mouse lies there
        self._pointed = ""
        self._ahead_look: Look | None = None
        self._ahead = QTimer(self)
        self._ahead.setSingleShot(True)
        self._ahead.setInterval(POINTED_MS)
        self._ahead.timeout.connect(lambda: self._look_ahead(self._pointed))
        # a picture that stays is asked more of: the maps of its other layers are computed while nobody waits
        self._idle = QTimer(self)
        self._idle.setSingleShot(True)
        self._idle.setInterval(IDLE_MS)
        self._idle.timeout.connect(self._look_around)
        # by layer name and shape, so that pins outlive a change of picture and of net
        self._pins: dict[tuple[str, tuple[int, ...]], frozenset[int]] = {}
        self._connect()

    def _connect(self) -> None:
        self.map.layer_selected.connect(self.select_layer)
        self.tree.layer_selected.connect(self.select_layer)
        self.map.layer_pointed.connect(self._on_pointed)
        self.tree.layer_pointed.connect(self._on_pointed)
        self.map.layer_pressed.connect(self._look_ahead)
        self.center.mode_changed.connect(lambda _mode: self.refresh())
        self.center.save_requested.connect(self.save_requested)
        self.center.python_requested.connect(self.python_requested)
        self.center.unpin_requested.connect(self.unpin_all)
        grid = self.center.grid
        grid.hovered.connect(self._on_hover)
        grid.channel_clicked.connect(self.select_channel)
        grid.pin_toggled.connect(self.toggle_pin)
        self.center.toolbar.options_changed.connect(lambda _options: self._show_channel())
        self.picture.fit_changed.connect(self._on_fit)
        self.picture.normalization_changed.connect(self._on_normalization)
        self.picture.open_requested.connect(self.open_requested)
        self.inspector.overlay_toggled.connect(lambda _on: self._show_overlay())
        self.strip.picked.connect(self.picture_picked)
        self._context.nets.arrived.connect(self._on_arrived)
        self._context.files.arrived.connect(self._on_file)

    # ---- what the person chose ----

    def set_card(self, card: ModelCard) -> None:
        """Show another net; layer, crop and pins stay where they make sense."""
        self.card = card
        self.normalization = card.normalization
        self.map.set_card(card)
        self.tree.set_card(card)
        self.map.set_values(None, "")
        self.picture.set_model(card.input_size, card.fit, card.normalization, card.normalization_known)
        self.confidences.set_classes(card.classes)
        names = {layer.name for layer in card.layers}
        self.banner.clear()
        self._answered = frozenset()
        self._introduce()
        self.select_layer(self.layer if self.layer in names else default_layer(card), force=True)

    def _introduce(self, answered: str = "") -> None:
        """Say in the banner what a person must know of the net; a question stays there until it is answered."""
        if self.card is None:
            return
        self._answered |= {answered}
        text, warns, twin = introduction(self.card, self._answered)
        actions: list[tuple[str, Callable[[], object]]] = []
        if twin:
            actions.append((_tr("It is the plain net"), lambda: self.arch_chosen.emit(twin)))
            actions.append((_tr("It is the residual net"), lambda: self._introduce("arch")))
        self.banner.set_standing(text, "warn" if warns else "info", actions)

    def set_picture(self, image: ImageInput) -> None:
        """Show another picture to the net; net, layer, channel and pins stay."""
        self.image = image
        self.fit = Fit(self.fit.mode)
        self.picture.set_picture(image)
        self.picture.set_fit(self.fit)
        self.confidences.set_true_label(image.label)
        self.refresh()
        self._show_waiting()

    def set_opening(self, text: str) -> None:
        """Say what is being opened, while there is nothing to show; empty when that is done."""
        if text:
            self._opening = text
            self._show_waiting()
        else:
            QTimer.singleShot(0, self._end_opening)  # what was opened comes with the same turn of the event loop

    def _end_opening(self, failed: bool = False) -> None:
        if failed or (self.card is None and self.image is None):  # given up: the net is longer in coming
            self._opening = ""
        self._show_waiting()

    def select_layer(self, name: str, force: bool = False) -> None:
        """Show another layer."""
        if self.card is None or (name == self.layer and not force):
            return
        self.card.layer(name)  # raises for a name that the net does not have
        if name != self.layer:
            self.channel = 0
        self.layer = name
        # the pass has all cores to itself first; what stands around the maps follows them, or comes after 40 ms
        if force or self.center.mode != "maps":
            self._show_selection()  # what can be shown of the layer decides what is asked for
            self.refresh()
        else:
            self.refresh()
            self._around.start()

    def show_mode(self, mode: str) -> None:
        """Show the layer as maps, parts or filters, if it can be shown so."""
        if self._around.isActive():
            self._show_selection()  # what can be shown is not known before
        self.center.try_mode(mode)

    def _show_selection(self) -> None:
        """Show what is known of the chosen layer, and mark it on the map and in the tree."""
        self._around.stop()
        if self.card is None:
            return
        layer = self.card.layer(self.layer)
        self.center.set_layer(layer, has_parts=self._block_with_skip() is not None)
        pins = self.pinned()
        self.center.grid.set_pinned(pins)
        self.center.set_pin_count(len(pins))
        self.map.set_selected(self.layer)
        self.tree.set_selected(self.layer)

    def step_layer(self, step: int) -> None:
        """Go ``step`` layers towards the output, in forward order, without the containers."""
        if self.card is None:
            return
        name = neighbour(self.card, self.layer, step)
        if name is not None:
            self.select_layer(name)
            following = neighbour(self.card, name, step)
            if following is not None:  # who goes one step mostly goes on
                self._on_pointed(following)

    def select_channel(self, channel: int) -> None:
        """Look closer at one channel."""
        self.channel = channel
        self.center.grid.set_selected(channel)
        self._show_channel()
        QTimer.singleShot(0, self.reveal_inspector)  # it has its place only after the layout

    def toggle_pin(self, channel: int) -> None:
        """Pin a channel of this layer, or take its pin away."""
        if self.card is None:
            return
        key = (self.layer, self.card.layer(self.layer).out_shape)
        self._pins[key] = self._pins.get(key, frozenset()) ^ {channel}
        self.center.grid.set_pinned(self._pins[key])
        self.center.set_pin_count(len(self._pins[key]))

    def unpin_all(self) -> None:
        """Remove the pins of this layer."""
        for channel in self.pinned():
            self.toggle_pin(channel)

    def pinned(self) -> frozenset[int]:
        """Return the pinned channels of this layer."""
        if self.card is None:
            return frozenset()
        return self._pins.get((self.layer, self.card.layer(self.layer).out_shape), frozenset())

    def _on_fit(self, fit: Fit) -> None:
        self.fit = fit
        self.refresh()

    def _on_normalization(self, normalization: Normalization) -> None:
        self.normalization = normalization
        self._introduce("normalization")
        self.normalization_chosen.emit(normalization)
        self.refresh()

    # ---- asking ----

    def request(self) -> Look | None:
        """Return the frozen question that the choices amount to, None while one is missing."""
        if self.card is None or self.image is None or not self.layer:
            return None
        block = self._block_with_skip() if self.center.mode == "parts" else None
        return Look(
            model=self.card.id,
            image=self.image,
            fit=self.fit,
            layer=self.layer,
            block=block,
            predict=True,
            energies=True,
            normalization=self.normalization,
            top=TOP_CLASSES,
            options=self.center.grid.options(),
        )

    def provenance(self) -> dict[str, str]:
        """Return where the numbers on screen come from, for the files they are saved in; what is chosen may differ."""
        return provenance(*self._of) if self._of is not None else {}

    def refresh(self) -> None:
        """Ask for what is chosen now; an answer to an older question will not be shown."""
        if self.card is not None and self.center.mode == "filters":
            self._waiting.add("filters")
            self._context.nets.ask("filters", FilterRequest(self.card.id, self.layer))
        look = self.request()
        if look is None:
            return
        self._ahead.stop()
        self._idle.stop()
        if self._ahead_look is not None and not is_for(self._ahead_look, look):
            self._context.nets.cancel("ahead")
            self._ahead_look = None
        self._waiting.add("look")
        self._context.nets.ask("look", look)  # first: the worker wakes up while the rest is done
        self.center.grid.set_busy(True)
        self._stale.start()
        self._show_waiting()

    def _show_waiting(self) -> None:
        """Say in place of the maps what is being done, while there are none."""
        if self.looked is None and not self._problem:
            has_net, has_picture = self.card is not None, self.image is not None
            self.center.set_note(waiting_sentence(self._opening, has_net, has_picture, "look" in self._waiting))

    def _on_pointed(self, name: str) -> None:
        """Note the layer that may be chosen next, none for an empty name."""
        self._pointed = name
        if name:
            self._ahead.start()
        else:
            self._ahead.stop()

    def _look_ahead(self, name: str) -> None:
        """Let the maps of a layer be computed that is not chosen yet: a click on it then finds them."""
        self._ahead.stop()
        look = self.request()
        if look is None or not name or name == self.layer or self.center.mode != "maps" or self._waiting:
            return
        # no belief: the one on screen is known, and a pass for the maps alone ends behind the layer
        look = replace(look, layer=name, block=None, predict=False, energies=False, options=None)
        if self._ahead_look is not None and is_for(self._ahead_look, look):
            return
        self._ahead_look, self._pointed = look, ""
        self._context.nets.ask("ahead", LookAhead(look))

    def _look_around(self) -> None:
        """Let the maps of all layers be computed: whichever is chosen next is then known."""
        look = self.request()
        if look is not None and self.settled() and self.center.mode == "maps" and self.isVisible():
            self._context.nets.ask("around", LookAround(look), yields=True)

    def hideEvent(self, event: QHideEvent | None) -> None:
        self._on_pointed("")  # nobody points at what is not there; at the end the worker is gone as well
        self._idle.stop()
        self._context.nets.keep_thread(False)
        super().hideEvent(event)

    def showEvent(self, event: QShowEvent | None) -> None:
        self._idle.start()  # a picture may have been opened meanwhile
        self._context.nets.keep_thread(True)
        super().showEvent(event)

    def settled(self) -> bool:
        """Whether a net and a picture are shown and no answer is awaited."""
        return self.looked is not None and not self._waiting

    def _block_with_skip(self) -> str | None:
        return block_with_skip(self.card, self.layer) if self.card is not None and self.layer else None

    # ---- showing ----

    def _on_arrived(self, outcome: Outcome) -> None:
        if outcome.kind == "around":
            return  # kept by the worker, or an error that a click will tell
        if outcome.kind == "model" and outcome.error is not None:
            self._idle.start()  # the net that is open stays so
            self._end_opening(failed=True)
        if outcome.kind == "ahead":
            self._ahead_look = None  # kept by the worker, or an error that a click will tell
            self._idle.start()
            return
        if outcome.progress is None:
            self._waiting.discard(outcome.kind)
            if self._pointed and not self._waiting:
                self._ahead.start()  # the mouse came to rest while the worker was busy
        if outcome.error is not None and outcome.kind in ("look", "filters"):
            self._show_failure(outcome.kind, str(outcome.error))
        elif isinstance(outcome.value, Looked) and isinstance(outcome.request, Look):
            self._show(outcome.value, outcome.request)
        elif isinstance(outcome.value, FiltersOpened):
            self.center.filters.set_filters(outcome.value.filters, self.channel)

    def _on_file(self, outcome: Outcome) -> None:
        if outcome.kind in ("picture", "folder") and outcome.error is not None:
            self._end_opening(failed=True)

    def _show_failure(self, kind: str, problem: str) -> None:
        """Say what went wrong; nothing older may stand under the name of what was chosen."""
        if kind == "filters":
            self.center.filters.set_filters(None)
        else:
            self.looked = self._of = None
            self._problem = problem
            self._after.stop()
            self._stale.stop()
            self.center.grid.set_busy(False)
            self.center.clear(problem)
            self.confidences.set_stale(False)
            self.confidences.set_prediction(None)
            self.map.set_values(None, "")
            self.map.set_input(None)
            self.picture.set_net_view(None)
            self._show_selection()
            self._show_channel()
            self.status.emit("")
        self.banner.show_message(problem, "error")
        self.failed.emit(problem)

    def _show(self, looked: Looked, look: Look) -> None:
        if self.card is None or looked.card_id != self.card.id:
            return
        if self._problem:
            if self.banner.text() == self._problem:
                self.banner.clear()
            self._problem = ""
        self._of = (self.card, look)
        self.looked = replace(looked, coloured=None)  # the grid keeps the pictures, until it makes others
        self.center.grid.set_busy(False)
        activation = looked.activation
        if activation is not None:
            self.channel = min(self.channel, len(activation.maps) - 1)
        self.center.grid.set_pinned(self.pinned())
        self.center.grid.set_selected(self.channel)
        self.center.set_activation(activation, looked.stats, looked.coloured)
        self._after.start()

    def _show_rest(self) -> None:
        self.center.show_scale()
        looked = self.looked
        if looked is None or self.card is None or looked.card_id != self.card.id:
            return
        self._show_selection()
        if looked.parts is not None:
            self.center.microscope.set_parts(looked.parts, *parts_words(self.card, looked.parts.block))
        if looked.energies:
            # logits are no activations, and their size would leave all blocks dark
            heads = {block.name for block in self.card.blocks if block.kind == "head"}
            values = {name: value for name, value in looked.energies.items() if name not in heads}
            self.map.set_values(values, _tr("mean |activation|"), log=spans_decades(values))
        self.confidences.set_prediction(looked.prediction)
        if "look" not in self._waiting:
            self._stale.stop()
            self.confidences.set_stale(False)
        self.picture.set_net_view(looked.net_view)
        self.map.set_input(looked.net_view)
        self._show_channel()
        if not self._waiting:
            self._idle.start()
        took = _tr("pass {0:.1f} ms").format(looked.pass_ms) if looked.pass_ms else _tr("known already, no pass")
        self.status.emit(took)

    def _activation(self) -> tuple[Activation, ChannelStats] | None:
        if self.looked is None or self.looked.activation is None or self.looked.stats is None:
            return None
        return self.looked.activation, self.looked.stats

    def _show_channel(self) -> None:
        shown = self._activation()
        grid = self.center.grid
        if shown is None or self.looked is None:
            self.inspector.set_channel(None, None, 0, None, grid.options())
            self._show_overlay()
            return
        activation, stats = shown
        self.inspector.set_channel(activation, stats, self.channel, self.looked.net_view, grid.options())
        self.center.microscope.set_channel(self.channel)
        side = self._of[0].input_size if self._of is not None else 0
        self.center.set_hint(channel_sentence(self.channel, self._field(), stats, side))
        self._show_overlay()
        self.center.grid.point_again()

    def _field(self) -> ReceptiveField | None:
        """Return the receptive field of the maps on screen; what is chosen may be on its way."""
        return self._of[0].layer(self._of[1].layer).receptive_field if self._of is not None else None

    def _show_overlay(self) -> None:
        shown, field = self._activation(), self._field()
        if shown is None or not self.inspector.overlay_on():
            self.picture.set_overlay(None)
            return
        values = shown[0].maps[self.channel]
        self.picture.set_overlay(values, field.extent(*values.shape) if field is not None else None)

    def _on_hover(self, hover: object) -> None:
        if not isinstance(hover, GridHover):
            self.picture.set_receptive_field(None)
            self.inspector.set_position(None)
            return
        field = self._field()
        self.picture.set_receptive_field(field.box(hover.row, hover.column) if field else None)
        self.inspector.set_position(hover)


views.add("inspect", ViewSpec("inspect", lambda: _tr("Inspect"), InspectView, 10))
