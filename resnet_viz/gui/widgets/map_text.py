"""What the network map says in words: captions, tooltips, and the description for screen readers."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from PyQt6.QtCore import QCoreApplication

from resnet_viz.core.types import BlockInfo, LayerInfo, ModelCard

from .color_scale import format_value


def tr(text: str) -> str:
    """Translate a text of the network map."""
    return QCoreApplication.translate("NetworkMap", text)


def shape_words(shape: tuple[int, ...]) -> str:
    """Return a shape as a person reads it."""
    if len(shape) == 3:
        return tr("{0} channels, {1} × {2}").format(f"{shape[0]:,}", shape[1], shape[2])
    return tr("{0} values").format(f"{shape[0]:,}") if shape else tr("one value")


def group_captions(stage: int, kind: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return captions of a group of blocks, longest first."""
    if len(shape) == 3 and shape[1] * shape[2] > 1:
        size, channels = f"{shape[1]}×{shape[2]}", f"{shape[0]:,}"
        short = (f"{size} · {channels}", size)
        if stage:
            return (
                tr("Stage {0} · {1} · {2} channels").format(stage, size, channels),
                tr("{0} · {1} channels").format(size, channels),
                *short,
            )
        return (size,) if kind == "input" else short
    return (f"{shape[0]:,}",) if shape else ()


def skip_words(skip: str | None) -> str:
    """Say what a skip connection does."""
    return {
        "identity": tr("identity: carries x unchanged to the addition"),
        "A": tr("shortcut A: every second position of x, new channels filled with zeros, no parameters"),
        "B": tr("shortcut B: a 1×1 convolution brings x to the new shape"),
    }.get(skip or "", tr("none"))


def role_words(role: str) -> str:
    """Translate a layer's role."""
    return {"shortcut": tr("shortcut"), "after ReLU": tr("after ReLU")}.get(role, role)


def layer_tip(layer: LayerInfo, value: float | None, title: str) -> str:
    """Return a layer's tooltip as rich text."""
    head = f"{layer.kind} · {role_words(layer.role)}" if layer.role else layer.kind
    rows = [(tr("output"), shape_words(layer.out_shape)), (tr("parameters"), f"{layer.params:,}")]
    if layer.calls > 1:
        rows.append((tr("calls per pass"), f"{layer.calls}"))
    return _tip(layer.name, head, rows, value, title)


def block_tip(block: BlockInfo, value: float | None, title: str, cut: bool, deleted: bool) -> str:
    """Return a block's tooltip as rich text."""
    rows = [
        (tr("input"), shape_words(block.in_shape)),
        (tr("output"), shape_words(block.out_shape)),
        (tr("parameters"), f"{block.params:,}"),
    ]
    if block.kind in ("residual", "plain"):
        rows.append((tr("skip connection"), tr("cut") if cut else skip_words(block.skip)))
    head = tr("deleted: its input passes it by") if deleted else kind_words(block.kind)
    return _tip(block.name, head, rows, value, title)


def arc_tip(block: BlockInfo, cut: bool) -> str:
    """Return the tooltip of a skip connection."""
    rows = [(tr("carries"), shape_words(block.in_shape)), (tr("to"), block.add or "")]
    head = tr("cut: the addition gets F(x) alone") if cut else skip_words(block.skip)
    return _tip(tr("Skip connection of {0}").format(block.title), head, rows, None, "")


def click_words(what: str | None, cut: bool, deleted: bool) -> str:
    """Say what a click does to the net, as rich text; ``what`` is ``"delete"``, ``"cut"`` or None."""
    if what is None:
        text = tr("Nothing can stand in for it.")
    elif what == "cut":
        text = tr("Click to mend it (X)") if cut else tr("Click to cut it: F(x) alone goes on (X)")
    else:
        text = tr("Click to put it back (Del)") if deleted else tr("Click to delete it: its input passes it by (Del)")
    return f"<p><i>{escape(text)}</i></p>"


def how_to_use(operable: bool) -> str:
    """Say what mouse and keys do on the map."""
    if operable:
        mouse = tr("Click a block to delete it or its arc to cut the skip connection, again to restore it.")
        keys = tr("Arrow keys move along the blocks, Delete takes one out, X cuts its skip, + and − zoom, 0 fits.")
    else:
        mouse = tr("Click a block, a layer or an addition to see what it puts out; Ctrl + wheel zooms.")
        keys = tr("Arrow keys move along the blocks and into their layers, Enter selects, + and − zoom, 0 fits.")
    return f"{mouse} {keys}"


def lesion_words(deleted: Iterable[str], cut: Iterable[str]) -> str:
    """Name the deleted blocks and cut skips for a screen reader, after a space; empty where there are none."""
    text = ""
    for words, names in ((tr("Deleted: {0}."), sorted(deleted)), (tr("Skip cut: {0}."), sorted(cut))):
        if names:
            text += " " + words.format(", ".join(names))
    return text


def kind_words(kind: str) -> str:
    """Return a kind of block as a person says it."""
    return {
        "stem": tr("stem"),
        "residual": tr("residual block"),
        "plain": tr("plain block, no skip connection"),
        "conv": tr("convolution block"),
        "pool": tr("pooling"),
        "head": tr("classifier"),
        "dense": tr("fully connected"),
        "module": tr("module"),
    }.get(kind, kind)


def _tip(name: str, head: str, rows: list[tuple[str, str]], value: float | None, title: str) -> str:
    if value is not None:
        rows = [*rows, (title or tr("value"), format_value(value))]
    cells = "".join(f"<tr><td>{escape(a)}&nbsp;&nbsp;</td><td>{escape(b)}</td></tr>" for a, b in rows)
    return f"<b>{escape(name)}</b><br>{escape(head)}<table cellspacing='0'>{cells}</table>"


def spoken(card: ModelCard | None, selected: str | None, value: float | None, title: str) -> str:
    """Describe the map for a screen reader: the net, then the selected layer in words."""
    if card is None:
        return tr("No net is open.")
    parts = [tr("{0}, {1} blocks from input to output.").format(card.title, len(card.blocks))]
    layer = next((layer for layer in card.layers if layer.name == selected), None)
    if layer is None:
        parts.append(tr("No layer is selected."))
        return " ".join(parts)
    block = next((b for b in card.blocks if layer.name in (b.name, b.out, *b.layers) or b.name == layer.block), None)
    parts.append(
        tr("Selected: {0}, {1}, {2}, {3} parameters.").format(
            layer.name, layer.kind, shape_words(layer.out_shape), f"{layer.params:,}"
        )
    )
    if block is not None:
        parts.append(tr("In block {0}, {1}.").format(block.title, kind_words(block.kind)))
    if value is not None:
        parts.append(f"{title or tr('value')}: {format_value(value)}.")
    return " ".join(parts)
