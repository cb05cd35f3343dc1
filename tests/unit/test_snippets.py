"""'Copy as Python' writes the very net and picture on screen: the script runs alone and prints the same numbers."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from resnet_viz.core.paths import assets_dir, runs_dir, trained_dir
from resnet_viz.core.types import Fit, ImageInput, Normalization
from resnet_viz.data.browse import browse
from resnet_viz.data.images import load_image
from resnet_viz.models import create
from resnet_viz.session.loading import open_model
from resnet_viz.session.requests import Look, Looked, Opened, OpenModel
from resnet_viz.session.service import Workbench
from resnet_viz.session.snippets import python_script

ROOT = Path(__file__).resolve().parents[2]
CAT = load_image(assets_dir() / "samples" / "cat.jpg")
SHIPPED = "plain20-cifar10"
FACTORY = """
import torch
from torch import nn

def make():
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
"""


def copied(request: OpenModel, image: ImageInput = CAT, layer: str = "layer1.0", **look: Any) -> tuple[str, list[str]]:
    """Return the script for a net and a picture, and the lines that it should print."""
    bench = Workbench()
    opened = bench.handle(request)
    assert isinstance(opened, Opened)
    asked = Look(opened.card.id, image, Fit(), layer, **look)
    seen = bench.handle(asked)
    assert isinstance(seen, Looked) and seen.activation is not None
    maps = seen.activation.maps
    first = " ".join(str(part) for part in (maps.shape, maps.mean(), maps.min(), maps.max()))
    return python_script(opened.card, asked), [
        first,
        *(f"{one.label:20} {one.prob:.4f}" for one in (seen.prediction.top if seen.prediction is not None else ())),
    ]


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a copied script as a person does: another process, another working folder."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    file = elsewhere / "copied.py"
    file.write_text(script, encoding="utf-8")
    path = os.pathsep.join([str(ROOT), str(folder)])
    return subprocess.run(
        [sys.executable, "-X", "utf8", str(file)],
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        cwd=elsewhere,
        env=os.environ | {"PYTHONPATH": path},
        check=False,
    )


def check(folder: Path, request: OpenModel, image: ImageInput = CAT, layer: str = "layer1.0", **look: Any) -> str:
    """Run the script, compare what it prints with what is on screen, and return it."""
    script, wanted = copied(request, image, layer, **look)
    done = run(script, folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == wanted
    return script


def opening(script: str) -> OpenModel:
    """Return the request that a script writes; its arguments are literals, or this fails."""
    calls = [node for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Call)]
    (call,) = (one for one in calls if isinstance(one.func, ast.Name) and one.func.id == "OpenModel")
    told = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg}
    return OpenModel(ast.literal_eval(call.args[0]), **told)


def run_folder(folder: Path, card: dict[str, Any], seed: int = 7) -> Path:
    """Write a run's folder with weights of its own."""
    folder.mkdir(parents=True)
    net = create(str(card.get("arch", "plain20")), seed=seed)
    save_file(net.state_dict(), folder / "weights.safetensors")
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


# ---- the net ----


def test_a_bare_file_is_opened_as_the_plain_net_that_it_was_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "가중치 'plain'.pth"
    torch.save(create("plain20", seed=4).state_dict(), path)
    request = OpenModel(str(path), arch="plain20", normalize="0.1,0.2,0.3/0.4,0.5,0.6")
    script = check(tmp_path, request, layer="layer2.0", normalization=Normalization("제 것", (0, 0.5, 1), (0.3, 1, 2)))
    assert opening(script) == OpenModel(str(path), arch="plain20")
    # the residual net has the same weights and other numbers: this is what the script must not open
    assert copied(request, layer="layer2.0")[1] != copied(OpenModel(str(path)), layer="layer2.0")[1]


def test_a_mean_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "bare.pth"
    torch.save(create("resnet20", seed=4).state_dict(), path)
    script = check(tmp_path, OpenModel(str(path), normalize="0.1,0.2,0.3/0.4,0.5,0.6"))
    assert "(0.1, 0.2, 0.3), (0.4, 0.5, 0.6))" in script


def test_an_untrained_net_with_all_its_options(tmp_path: Path) -> None:
    options = {"shortcut": "B", "activation": "tanh", "bn_eps": 0.001}
    request = OpenModel("resnet20", untrained=True, seed=5, options=options, classes=5)
    script = check(tmp_path, request, layer="layer3.0", top=3)
    assert opening(script) == request
    options["shortcut"] = "A"
    assert opening(script).options["shortcut"] == "B"


def test_a_copy_that_kept_the_id_of_a_net_that_ships(tmp_path: Path) -> None:
    copy = run_folder(tmp_path / SHIPPED, {"id": SHIPPED, "arch": "plain20"})
    script = check(tmp_path, OpenModel(str(copy)))
    assert opening(script).ref == str(copy.resolve())
    # another id than the net that ships, or one would stand for the other in the window
    assert open_model(OpenModel(str(copy)))[1].id == str(copy.resolve())


def test_a_net_that_ships_is_named_by_its_id_however_it_was_opened(tmp_path: Path) -> None:
    assert opening(check(tmp_path, OpenModel(str(trained_dir() / SHIPPED)))) == OpenModel(SHIPPED)
    _, card = open_model(OpenModel(SHIPPED))
    assert card.id == SHIPPED and card.opened == {"ref": SHIPPED}
    _, other = open_model(OpenModel(SHIPPED, arch="resnet20"))
    assert other.opened == {"ref": SHIPPED, "arch": "resnet20"}


def test_a_run_of_the_user_is_named_by_its_folder(tmp_path: Path) -> None:
    folder = run_folder(runs_dir() / "mine", {"id": "mine", "arch": "plain20"})
    _, card = open_model(OpenModel("mine"))
    assert card.id == "mine" and card.opened == {"ref": str(folder.resolve())}
    # the same id again: only the first one is meant by it
    second = shutil.copytree(folder, runs_dir() / "second")
    assert open_model(OpenModel(str(second)))[1].id == str(second.resolve())


@pytest.mark.parametrize("with_weights", [False, True])
def test_a_net_from_a_factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_weights: bool) -> None:
    module = f"own_nets_{with_weights}".lower()
    (tmp_path / f"{module}.py").write_text(FACTORY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    ref = ""
    if with_weights:
        ref = "무게.pt"
        net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), *[torch.nn.Identity()] * 3, torch.nn.Linear(4, 5))
        torch.save(net.state_dict(), ref)
    request = OpenModel(ref, factory=f"{module}:make", input_size=48, classes=5)
    script = check(tmp_path, request, layer="0")  # a relative path, and the script runs elsewhere
    wanted = str((tmp_path / ref).resolve()) if ref else ""
    assert opening(script) == OpenModel(wanted, factory=f"{module}:make", input_size=48, classes=5)
    assert ("only if the function seeds" in script) is not with_weights


def test_a_net_that_returns_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = (
        "import torch",
        "def make():",
        "    torch.manual_seed(0)",
        "    return torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3))",
    )
    (tmp_path / "map_nets.py").write_text("\n".join(made), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    check(tmp_path, OpenModel("", factory="map_nets:make", input_size=48, classes=5), layer="0")


@pytest.mark.parametrize("hostile", ["__import__('pathlib').Path('proof').touch()", "x'\n__import__('os').abort()\n#"])
def test_a_foreign_card_puts_no_code_into_the_script(tmp_path: Path, hostile: str) -> None:
    card = {
        "id": hostile,
        "title": hostile,
        "arch": "plain20",
        "dataset": hostile,
        "classes": [hostile] * 10,
        "untrained": {"ref": hostile, "seed": hostile},
        "factory": hostile,
        "opened": {"ref": hostile, hostile: hostile},
        "source": hostile,
        "normalization": {"title": hostile, "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]},
    }
    folder = run_folder(tmp_path / ("run '#" if sys.platform == "win32" else "run\n'#"), card)
    script, _ = copied(OpenModel(str(folder)))
    assert opening(script) == OpenModel(str(folder.resolve()))
    done = run(script, tmp_path)
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.rglob("proof"))
    assert "untrained" not in open_model(OpenModel(str(folder)))[1].extra


# ---- the picture ----


def test_a_picture_of_a_folder_in_a_strip(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for part in ("고양이", "개"):
        (tmp_path / "사진" / part).mkdir(parents=True)
        for number in range(3):
            pixels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "사진" / part / f"그림 {number} 'a'.png")
    image = browse(str(tmp_path / "사진")).item(4)
    assert image.path is not None and image.origin is None
    check(tmp_path, OpenModel(SHIPPED), image)


def test_a_picture_of_an_array_named_by_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "set").mkdir()
    for part in ("train", "test"):
        images = rng.integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
        np.savez(tmp_path / "set" / f"{part}.npz", images=images, labels=np.arange(6) % 2)
    monkeypatch.chdir(tmp_path)
    check(tmp_path, OpenModel(SHIPPED), browse("set", "train").item(4))


def test_a_drawn_picture(tmp_path: Path) -> None:
    image = browse("shapes", "train").item(17)
    assert "browse('shapes', 'train').item(17)" in check(tmp_path, OpenModel(SHIPPED), image)


def test_a_picture_of_cifar10(tmp_path: Path, shared_data: Path) -> None:
    if not (shared_data / "cifar10").is_dir():
        pytest.skip("CIFAR-10 is absent here")
    for data in ("cifar10", str(shared_data / "cifar10")):
        image = browse(data).item(23)
        assert image.path is None and image.origin is not None
        again = browse(image.origin.data, image.origin.split).item(image.origin.index)
        assert np.array_equal(again.pixels, image.pixels)
    check(tmp_path, OpenModel(SHIPPED), image)


@pytest.mark.parametrize(
    ("source", "path"),
    [("clipboard", None), ("camera", None), ("'''\nimport os\n", None), ("그림.svg", "/nowhere/그림.SVG")],
)
def test_a_picture_that_cannot_be_read_again_is_asked_for(tmp_path: Path, source: str, path: str | None) -> None:
    image = ImageInput(CAT.pixels, source, path=path)
    script, wanted = copied(OpenModel(SHIPPED), image)
    compile(script, "script", "exec")
    sentence = f"The picture {source!r} lies in no file that a script can read."
    assert f"# {sentence}\n" in script
    if path is None and source != "clipboard":
        return  # one of each kind is run
    done = run(script, tmp_path)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.strip() == f"{sentence} Save it as PNG and write its path into PICTURE."
    Image.fromarray(CAT.pixels).save(tmp_path / "filled in.png")
    filled = script.replace("PICTURE = ''", f"PICTURE = {str(tmp_path / 'filled in.png')!r}")
    assert run(filled, tmp_path).stdout.splitlines() == wanted
