"""``resnet-viz``: alone it opens the app, with a command it does that one job."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from resnet_viz.cli.commands import Command
from resnet_viz.cli.main import Parser, run
from resnet_viz.cli.options import add_json, add_model_options, model_request
from resnet_viz.cli.output import print_json
from resnet_viz.core.errors import OutputError, UserError
from resnet_viz.core.paths import exists

PAGE_OF = "gradients"
"""The one workspace that has pages."""


def main() -> int:
    """Run the program and return its exit status: 0 done, 2 bad input."""
    if sys.platform == "win32":
        # torch's DLLs fail to load on Windows once PyQt6 is in the process
        import torch  # noqa: F401
    return run(sys.argv[1:], open_app=_open_app, extra=(SCREENSHOT,))


def _open_app(argv: Sequence[str]) -> int:
    """Open the window on models and pictures, in any order, with the options that say how to open a model."""
    _load_qt()
    from resnet_viz.gui.app import Start, run_app
    from resnet_viz.gui.opening import is_model
    from resnet_viz.session.store import trained_folder

    parser = Parser(prog="resnet-viz")
    parser.add_argument("paths", nargs="*", metavar="PATH")
    add_model_options(parser)
    arguments = parser.parse_args(list(argv))
    arguments.model = None
    images: list[str] = []
    folder = None
    for text in arguments.paths:
        path = Path(text)
        if trained_folder(text) is not None or is_model(path) or (arguments.untrained and not path.exists()):
            arguments.model = text
        elif path.is_dir():
            folder = text
        elif path.exists():
            images.append(text)
        else:
            raise UserError(f"'{text}' is no file or model. Check the path.")
    model = model_request(arguments) if arguments.model or arguments.factory else None
    _check_display(os.environ)
    return run_app(Start(model, images[0] if images else None, None, folder, tuple(images[1:])))


def _load_qt() -> None:
    """Import what draws the window; a UserError says what to install where a library of the system is missing."""
    try:
        import resnet_viz.gui.app  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"Qt cannot be loaded ({error}). On Debian or Ubuntu: "
            "sudo apt-get install libegl1 libgl1 libglib2.0-0 libfontconfig1 libxkbcommon0 libdbus-1-3."
        ) from error


def _check_display(environment: Mapping[str, str], system: str = sys.platform) -> None:
    """Raise UserError where no window can be opened: Qt would abort the process."""
    from resnet_viz.gui.display import problem

    # whoever names a platform of Qt's, such as offscreen, knows what it can do
    if not environment.get("QT_QPA_PLATFORM") and (why := problem(environment, system)):
        raise UserError(
            f"No window can be opened: {why}. Run it on a desktop; resnet-viz --help lists what works without one."
        )


def _screenshot_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workspace", default="inspect", help="inspect, gradients or train (default inspect)")
    parser.add_argument("--page", default="", help="with --workspace gradients: blocks, race or lesions")
    parser.add_argument("--model", metavar="MODEL", help="as for the other commands (default resnet20-cifar10)")
    parser.add_argument("--image", metavar="IMAGE", help="picture file (default the first sample)")
    parser.add_argument("--layer", metavar="NAME", help="layer to choose")
    parser.add_argument("--folder", metavar="DATA", help="folder or data set to browse as a strip")
    parser.add_argument("--out", required=True, metavar="shot.png", help="where to write the picture")
    parser.add_argument("--size", default="1440x900", metavar="WxH", help="of the window (default 1440x900)")
    parser.add_argument("--scheme", choices=("dark", "light"), default="dark", help="colours")
    parser.add_argument("--mode", choices=("maps", "parts", "filters"), default="maps", help="what of the layer")
    parser.add_argument("--channel", type=int, metavar="N", help="channel to look closer at")
    add_model_options(parser)
    add_json(parser)


def _screenshot(arguments: argparse.Namespace) -> int:
    _load_qt()
    from resnet_viz.gui.app import Start, render_screenshot

    size = re.fullmatch("([0-9]{1,5})x([0-9]{1,5})", arguments.size)
    width, height = (int(side) for side in size.groups()) if size else (0, 0)
    if not (320 <= width <= 8000 and 240 <= height <= 8000):
        raise UserError(f"--size {arguments.size} is no window. Write it as 1440x900.")
    if arguments.channel is not None and arguments.channel < 0:
        raise UserError(f"--channel {arguments.channel} is no channel. Give a number from 0 up.")
    if Path(arguments.out).suffix.lower() != ".png":
        raise OutputError(f"{Path(arguments.out).name} does not say PNG, the one kind that is written. End it in .png.")
    if arguments.page and arguments.workspace != PAGE_OF:
        raise UserError(f"--page {arguments.page} belongs to --workspace {PAGE_OF}. Give both.")
    for path in (arguments.image, arguments.folder):
        if path and not exists(Path(path)):
            raise UserError(f"{path} does not exist. Check the path.")
    model = model_request(arguments) if arguments.model or arguments.factory else None
    start = Start(model, arguments.image, arguments.layer, arguments.folder)
    render_screenshot(
        start,
        arguments.out,
        workspace=arguments.workspace,
        size=(width, height),
        scheme=arguments.scheme,
        mode=arguments.mode,
        channel=arguments.channel,
        page=arguments.page,
    )
    if arguments.json:
        print_json({"out": arguments.out, "workspace": arguments.workspace, "size": [width, height]})
    else:
        print(f"{arguments.out} is written")
    return 0


SCREENSHOT = Command(
    "screenshot",
    "draw the real window into a PNG, without a screen",
    "resnet-viz screenshot --layer layer2.0 --out shot.png",
    _screenshot_arguments,
    _screenshot,
)


if __name__ == "__main__":
    sys.exit(main())
