"""Every action in one table: text, key, icon and menu; the window binds each to what it does."""

from __future__ import annotations

from dataclasses import dataclass

from PyQt6.QtCore import QCoreApplication


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One action.

    Attributes:
        id: the name by which the window knows what it does.
        menu: the menu it stands in.
        text: what the menu shows, with ``&`` before its letter.
        tip: one sentence for the tooltip and the status line.
        key: its key sequence in portable text; several are separated by ``|``.
        icon: name in the icon font, empty for none.
        separator: whether a line stands before it in the menu.
        checkable: whether it is a switch.
    """

    id: str
    menu: str
    text: str
    tip: str
    key: str = ""
    icon: str = ""
    separator: bool = False
    checkable: bool = False


def _tr(text: str) -> str:
    return QCoreApplication.translate("Actions", text)


def menu_titles() -> dict[str, str]:
    """Return the menus' titles by id, in order."""
    return {
        "file": _tr("&File"),
        "edit": _tr("&Edit"),
        "layer": _tr("&Layer"),
        "view": _tr("&View"),
        "help": _tr("&Help"),
    }


def table() -> tuple[ActionSpec, ...]:
    """Return all actions; texts are translated at the time of the call."""
    t = _tr
    return (
        ActionSpec("open_picture", "file", t("Open &picture…"), t("Show a picture to the net"), "Ctrl+O", "mdi6.image"),
        ActionSpec(
            "open_model",
            "file",
            t("Open &model…"),
            t("Open a checkpoint: .safetensors, .pt, .pth, .th"),
            "Ctrl+M",
            "mdi6.graph-outline",
        ),
        ActionSpec(
            "open_folder",
            "file",
            t("Open picture &folder…"),
            t("Browse a folder of pictures, or a data set, as a strip below"),
            "Ctrl+Shift+O",
            "mdi6.folder-image",
        ),
        ActionSpec("open_run", "file", t("Open a trained &run…"), t("Open a training run's folder"), "Ctrl+Shift+M"),
        ActionSpec(
            "camera",
            "file",
            t("Take a picture with the &camera"),
            t("Take one picture with the camera"),
            "Ctrl+Shift+C",
            "mdi6.camera",
        ),
        ActionSpec(
            "save_grid",
            "file",
            t("&Save…"),
            t("Save what is shown: the grid, its maps or statistics; charts and their numbers"),
            "Ctrl+S",
            "mdi6.content-save-outline",
            separator=True,
        ),
        ActionSpec("save_map", "file", t("Save the &network map…"), t("Save the network map as SVG or PNG")),
        ActionSpec("quit", "file", t("&Quit"), t("Close the app"), "Ctrl+Q", separator=True),
        ActionSpec(
            "paste",
            "edit",
            t("&Paste a picture"),
            t("Show the picture in the clipboard to the net"),
            "Ctrl+V",
            "mdi6.content-paste",
        ),
        ActionSpec(
            "copy_picture", "edit", t("&Copy the grid"), t("Copy the grid as a picture"), "Ctrl+C", "mdi6.content-copy"
        ),
        ActionSpec(
            "copy_python",
            "edit",
            t("Copy as P&ython"),
            t("Copy a script that reproduces these numbers"),
            "Ctrl+Shift+Y",
            "mdi6.language-python",
        ),
        ActionSpec("find_layer", "layer", t("&Find a layer"), t("Type part of a layer's name"), "Ctrl+F"),
        ActionSpec("next_layer", "layer", t("&Next layer"), t("Go one layer towards the output"), "Ctrl+Right"),
        ActionSpec("previous_layer", "layer", t("&Previous layer"), t("Go one layer towards the input"), "Ctrl+Left"),
        ActionSpec(
            "show_maps", "layer", t("Feature &maps"), t("Show what the layer puts out"), "Ctrl+1", separator=True
        ),
        ActionSpec(
            "show_parts", "layer", t("&Residual block: x, F(x), sum"), t("Take the residual block apart"), "Ctrl+2"
        ),
        ActionSpec("show_filters", "layer", t("F&ilters"), t("Show the layer's convolution kernels"), "Ctrl+3"),
        ActionSpec(
            "unpin", "layer", t("&Unpin all channels"), t("Remove all pins of this layer"), "Ctrl+U", separator=True
        ),
        ActionSpec("show_inspect", "view", t("&Inspect"), t("Feature maps of one net and one picture"), "Alt+1"),
        ActionSpec("show_gradients", "view", t("&Gradients"), t("Plain against residual, block by block"), "Alt+2"),
        ActionSpec("show_train", "view", t("&Train"), t("Train nets in the background"), "Alt+3"),
        ActionSpec(
            "next_picture", "view", t("&Next picture"), t("Next picture of the strip"), "Alt+Right", separator=True
        ),
        ActionSpec("previous_picture", "view", t("&Previous picture"), t("Previous picture of the strip"), "Alt+Left"),
        ActionSpec(
            "bigger",
            "view",
            t("&Larger text"),
            t("Enlarge everything, for a projector"),
            "Ctrl++|Ctrl+=",
            separator=True,
        ),
        ActionSpec("smaller", "view", t("&Smaller text"), t("Make everything smaller"), "Ctrl+-"),
        ActionSpec("normal_size", "view", t("&Normal text"), t("Normal size"), "Ctrl+0"),
        ActionSpec(
            "scheme_system",
            "view",
            t("Colours of the s&ystem"),
            t("Follow the system's light or dark scheme"),
            separator=True,
            checkable=True,
        ),
        ActionSpec("scheme_light", "view", t("L&ight"), t("Light colours"), checkable=True),
        ActionSpec("scheme_dark", "view", t("&Dark"), t("Dark colours"), checkable=True),
        ActionSpec(
            "fullscreen", "view", t("&Full screen"), t("Use the whole screen"), "F11", separator=True, checkable=True
        ),
        ActionSpec(
            "help",
            "help",
            t("&How to read this window"),
            t("A short guide to what is on screen"),
            "F1",
            "mdi6.help-circle-outline",
        ),
        ActionSpec("show_log", "help", t("Show the &log folder"), t("Where errors are written down")),
        ActionSpec("about", "help", t("&About ResNet Viz"), t("Version, licence and credits")),
    )
